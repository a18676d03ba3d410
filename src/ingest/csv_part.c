/* What a block of a table is parsed into: its memory, its problems in order, its rows sorted by
 * group. The parsing itself is csv_parse.c and csv_cells.c. */
#include "ingest/csv_parse.h"

#include <stdlib.h>
#include <string.h>

#define BATCH_FIELDS 8192 /* of rows cut at a time: what the second-level cache holds */
#define BATCH_ROWS 1024

static gb_status no_memory(const gb_csv_part *part)
{
    return gb_fail(GB_ERR_MEMORY, "%s: no memory to read a block of it", part->plan->info.source);
}

/* ---- memory -----------------------------------------------------------------------------------
 */

static gb_status create(gb_csv_part *part, int64_t source_bytes)
{
    const gb_csv_plan *plan = part->plan;
    int64_t columns = plan->layout->column_count;
    part->batch_rows = BATCH_FIELDS / columns < 1            ? 1
                       : BATCH_FIELDS / columns > BATCH_ROWS ? BATCH_ROWS
                                                             : BATCH_FIELDS / columns;
    if (part->batch_rows > source_bytes) /* a small file needs little memory */
        part->batch_rows = source_bytes;
    size_t rows = (size_t)part->batch_rows;
    part->rows = calloc(rows, sizeof *part->rows);
    part->spans = calloc(rows * (size_t)columns, sizeof *part->spans);
    part->taken = calloc(rows, sizeof *part->taken);
    part->columns = calloc((size_t)plan->stream_count, sizeof *part->columns);
    if (!part->rows || !part->spans || !part->taken || !part->columns)
        return no_memory(part);
    for (int i = 0; i < plan->missing_count; i++)
        part->missing_first[(unsigned char)plan->missing[i][0]] = true;
    if (plan->zone)
        GB_TRY(gb_zone_load(plan->zone, &part->zone));
    return gb_arena_create(0, &part->arena);
}

gb_status gb_csv_part_create(const gb_csv_plan *plan,
                             size_t row_limit_bytes,
                             int64_t source_bytes,
                             bool keep_problems,
                             gb_csv_part *out)
{
    memset(out, 0, sizeof *out);
    out->plan = plan;
    out->row_limit_bytes = row_limit_bytes;
    out->keep_problems = keep_problems;
    gb_status status = create(out, source_bytes);
    if (status != GB_OK)
        gb_csv_part_destroy(out);
    return status;
}

void gb_csv_part_destroy(gb_csv_part *part)
{
    for (int s = 0; part->columns && s < part->plan->stream_count; s++) {
        free(part->columns[s].values);
        free(part->columns[s].runs);
        free(part->columns[s].run_sizes);
        free(part->columns[s].reason);
    }
    free(part->columns);
    free(part->rows);
    free(part->spans);
    free(part->taken);
    free(part->time_ns);
    free(part->line_of);
    free(part->group_of);
    free(part->groups);
    free(part->group_table);
    free(part->problems);
    gb_zone_destroy(part->zone);
    gb_arena_destroy(part->arena);
    memset(part, 0, sizeof *part);
}

static bool grow(void *array, size_t count, size_t size)
{
    void *held, *grown;
    memcpy(&held, array, sizeof held);
    grown = realloc(held, count * size);
    if (grown)
        memcpy(array, &grown, sizeof grown);
    return grown != NULL;
}

static bool grow_column(const gb_csv_stream *stream, gb_csv_column *column, size_t from, size_t to)
{
    if (stream->cells == GB_CSV_TEXT) {
        if (!grow(&column->runs, to, sizeof *column->runs) ||
            !grow(&column->run_sizes, to, sizeof *column->run_sizes))
            return false;
    } else {
        size_t size = (size_t)gb_stream_spec_size(&stream->spec);
        if (!grow(&column->values, to, size * gb_value_type_bytes(stream->spec.value_type)))
            return false;
    }
    if (!grow(&column->reason, to, 1))
        return false;
    memset(column->reason + from, GB_REASON_NONE, to - from);
    return true;
}

gb_status gb_csv_part_room(gb_csv_part *part, int64_t rows)
{
    if (rows <= part->room)
        return GB_OK;
    size_t from = (size_t)part->room, to = 2 * from > (size_t)rows ? 2 * from : (size_t)rows;
    bool enough = grow(&part->time_ns, to, sizeof *part->time_ns) &&
                  grow(&part->line_of, to, sizeof *part->line_of) &&
                  grow(&part->group_of, to, sizeof *part->group_of);
    for (int s = 0; enough && s < part->plan->stream_count; s++)
        enough = grow_column(&part->plan->streams[s], &part->columns[s], from, to);
    if (!enough)
        return no_memory(part);
    part->room = (int64_t)to;
    return GB_OK;
}

void gb_csv_part_forget(gb_csv_part *part)
{
    for (int s = 0; s < part->plan->stream_count; s++) {
        if (part->columns[s].flagged)
            memset(part->columns[s].reason, GB_REASON_NONE, (size_t)part->room);
        part->columns[s].flagged = false;
    }
    if (part->group_count > 0)
        memset(part->group_table, 0, (size_t)part->table_size * sizeof *part->group_table);
    gb_arena_reset(part->arena);
    part->count = part->lines = part->rows_read = part->rows_rejected = 0;
    part->cells_bad = part->cells_missing = part->problem_count = 0;
    part->group_count = 0;
    part->long_row = -1;
    part->status = GB_OK;
    part->stopped = false;
}

/* ---- problems ---------------------------------------------------------------------------------
 */

void gb_csv_part_problem(gb_csv_part *part, const gb_csv_problem *problem)
{
    if (part->problem_count == part->problem_room) {
        int64_t room = part->problem_room ? 2 * part->problem_room : 64;
        if (!grow(&part->problems, (size_t)room, sizeof *part->problems)) {
            part->status = no_memory(part);
            return;
        }
        part->problem_room = room;
    }
    gb_csv_problem *added = &part->problems[part->problem_count];
    *added = *problem;
    added->order = part->problem_count++;
}

static int compare_problems(const void *a, const void *b)
{
    const gb_csv_problem *x = a, *y = b;
    int order = (x->line > y->line) - (x->line < y->line);
    return order != 0 ? order : (x->order > y->order) - (x->order < y->order);
}

void gb_csv_part_settle(gb_csv_part *part, int64_t from, int64_t rows)
{
    int64_t count = part->problem_count - from;
    if (count == 0)
        return;
    gb_csv_problem *problems = part->problems + from;
    qsort(problems, (size_t)count, sizeof *problems, compare_problems);
    if (part->plan->strict) { /* what comes behind the first is as if it had not been read */
        for (int64_t r = rows; r-- > 0 && part->rows[r].line > problems[0].line;)
            part->rows_read--;
        part->problem_count = from + 1;
        part->stopped = true;
    }
    if (!part->keep_problems && part->problem_count > GB_INGEST_EXAMPLES)
        part->problem_count = GB_INGEST_EXAMPLES;
}

/* ---- groups -----------------------------------------------------------------------------------
 */

uint64_t gb_csv_hash(const char *text, size_t size) /* FNV-1a */
{
    uint64_t hash = 14695981039346656037ULL;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)text[i]) * 1099511628211ULL;
    return hash ^ (hash >> 32);
}

static void place_group(gb_csv_part *part, int32_t number)
{
    const gb_csv_group *group = &part->groups[number];
    uint64_t mask = (uint64_t)part->table_size - 1, slot = gb_csv_hash(group->key, group->key_size);
    while (part->group_table[slot & mask] != 0)
        slot++;
    part->group_table[slot & mask] = number + 1;
}

static gb_status grow_groups(gb_csv_part *part)
{
    int room = part->group_room ? 2 * part->group_room : 16;
    int32_t *table = calloc(2 * (size_t)room, sizeof *table);
    if (!table || !grow(&part->groups, (size_t)room, sizeof *part->groups)) {
        free(table);
        return no_memory(part);
    }
    free(part->group_table);
    part->group_table = table;
    part->table_size = 2 * room;
    part->group_room = room;
    for (int g = 0; g < part->group_count; g++)
        place_group(part, g);
    return GB_OK;
}

static bool is_group(const gb_csv_group *group, const char *key, size_t size)
{
    return group->key_size == size && memcmp(group->key, key, size) == 0;
}

gb_status gb_csv_part_group(gb_csv_part *part, const char *key, size_t size, int32_t *out)
{
    if (part->last_group < part->group_count &&
        is_group(&part->groups[part->last_group], key, size)) {
        *out = part->last_group;
        return GB_OK;
    }
    uint64_t mask = (uint64_t)part->table_size - 1;
    for (uint64_t slot = gb_csv_hash(key, size);
         part->table_size > 0 && part->group_table[slot & mask] != 0; slot++) {
        int32_t number = part->group_table[slot & mask] - 1;
        if (is_group(&part->groups[number], key, size)) {
            *out = part->last_group = number;
            return GB_OK;
        }
    }
    if (part->group_count == part->group_room)
        GB_TRY(grow_groups(part));
    char *copy = gb_arena_alloc(part->arena, size + 1);
    if (!copy)
        return GB_ERR_MEMORY;
    memcpy(copy, key, size);
    part->groups[part->group_count] = (gb_csv_group){.key = copy, .key_size = size};
    place_group(part, part->group_count);
    *out = part->last_group = part->group_count++;
    return GB_OK;
}

/* to[i] = from[order[i]], through scratch. */
static void
permute(void *array, size_t size, const int32_t *order, int64_t count, unsigned char *scratch)
{
    unsigned char *bytes = array;
    for (int64_t i = 0; i < count; i++)
        memcpy(scratch + (size_t)i * size, bytes + (size_t)order[i] * size, size);
    memcpy(bytes, scratch, (size_t)count * size);
}

static gb_status permute_all(gb_csv_part *part, const int32_t *order)
{
    const gb_csv_plan *plan = part->plan;
    size_t widest = sizeof(int64_t);
    for (int s = 0; s < plan->stream_count; s++) {
        const gb_stream_spec *spec = &plan->streams[s].spec;
        size_t size = (size_t)gb_stream_spec_size(spec) * gb_value_type_bytes(spec->value_type);
        widest = size > widest ? size : widest;
    }
    unsigned char *scratch = malloc((size_t)part->count * widest + 1);
    if (!scratch)
        return no_memory(part);
    permute(part->time_ns, sizeof *part->time_ns, order, part->count, scratch);
    permute(part->line_of, sizeof *part->line_of, order, part->count, scratch);
    for (int s = 0; s < plan->stream_count; s++) {
        const gb_csv_stream *stream = &plan->streams[s];
        gb_csv_column *column = &part->columns[s];
        if (stream->cells == GB_CSV_TEXT) {
            permute(column->runs, sizeof *column->runs, order, part->count, scratch);
            permute(column->run_sizes, sizeof *column->run_sizes, order, part->count, scratch);
        } else {
            size_t size = (size_t)gb_stream_spec_size(&stream->spec) *
                          gb_value_type_bytes(stream->spec.value_type);
            permute(column->values, size, order, part->count, scratch);
        }
        permute(column->reason, 1, order, part->count, scratch);
    }
    free(scratch);
    return GB_OK;
}

gb_status gb_csv_part_sort(gb_csv_part *part)
{
    bool sorted = true;
    for (int64_t i = 0; i < part->count; i++) {
        part->groups[part->group_of[i]].count++;
        sorted = sorted && (i == 0 || part->group_of[i] >= part->group_of[i - 1]);
    }
    int64_t first = 0;
    for (int g = 0; g < part->group_count; g++) {
        part->groups[g].first = first;
        first += part->groups[g].count;
    }
    if (sorted)
        return GB_OK;
    int32_t *order = malloc((size_t)part->count * sizeof *order);
    int64_t *next = malloc((size_t)part->group_count * sizeof *next);
    gb_status status = order && next ? GB_OK : no_memory(part);
    if (status == GB_OK) {
        for (int g = 0; g < part->group_count; g++)
            next[g] = part->groups[g].first;
        for (int64_t i = 0; i < part->count; i++)
            order[next[part->group_of[i]]++] = (int32_t)i;
        status = permute_all(part, order);
    }
    free(order);
    free(next);
    return status;
}
