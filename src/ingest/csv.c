/* Rows to recordings: times, groups, numbers, missing values, quality. Rows are gathered in batches
 * so that the inner loop is parsing, not bookkeeping. What columns mean is decided elsewhere. */
#include "ingest/csv.h"

#include "ingest/number.h"
#include "ingest/stamp.h"
#include "ingest/steps.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_ROWS 256
#define BATCH_VALUES (1 << 18)
#define GROUPS_MAX 65536
#define GROUP_NAME_MAX 200

typedef struct group {
    char *key;
    gb_recording_builder *builder;
    int64_t rows, last_ns;
} group;

typedef struct reader {
    const gb_csv_plan *plan;
    gb_rows *rows;
    gb_ingest_report *report;
    group *groups;
    int64_t group_count, group_room;
    int64_t *table; /* [table_size] open addressing: group number + 1, 0 is free */
    int64_t table_size;
    int64_t current; /* the group of the batch */
    /* the batch */
    int64_t batch_rows, batch_count;
    int64_t *time_ns;  /* [batch_rows] */
    float **values;    /* [stream_count][batch_rows x size] */
    uint8_t **quality; /* [stream_count][batch_rows] */
    gb_steps steps;
} reader;

static void copy_cut(char out[GB_INGEST_TEXT], const char *text, size_t size)
{
    size_t kept = size < GB_INGEST_TEXT - 1 ? size : GB_INGEST_TEXT - 1;
    for (size_t i = 0; i < kept; i++)
        out[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7F ? ' ' : text[i];
    /* do not end inside a UTF-8 character */
    while (kept > 0 && kept < size && ((unsigned char)text[kept] & 0xC0) == 0x80)
        kept--;
    out[kept] = 0;
}

gb_status gb_csv_problem(bool strict,
                         const gb_rows *rows,
                         const gb_layout *layout,
                         int64_t column,
                         const gb_field *found,
                         const char *expected,
                         gb_ingest_report *report)
{
    gb_ingest_example example = {.row = rows->number, .column = column + 1, .expected = expected};
    if (column >= 0)
        copy_cut(example.name, layout->columns[column].name, strlen(layout->columns[column].name));
    copy_cut(example.text, found->text, found->size);
    if (report->example_count < GB_INGEST_EXAMPLES)
        report->examples[report->example_count++] = example;
    if (!strict)
        return GB_OK;
    if (column < 0)
        return gb_fail(GB_ERR_PARSE, "%s, row %lld: %s, expected %s", rows->origin,
                       (long long)rows->number, example.text, expected);
    return gb_fail(GB_ERR_PARSE, "%s, row %lld, column %lld (%s): found \"%s\", expected %s",
                   rows->origin, (long long)rows->number, (long long)example.column, example.name,
                   example.text, expected);
}

void gb_csv_describe(const gb_csv_plan *plan, gb_ingest_report *report)
{
    const gb_layout *layout = plan->layout;
    report->delimiter = layout->delimiter;
    report->decimal_comma = layout->decimal == ',';
    report->header = layout->header;
    report->time_format = plan->time_format;
    memset(report->time_column, 0, sizeof report->time_column);
    if (plan->time_column >= 0) {
        const char *name = layout->columns[plan->time_column].name;
        copy_cut(report->time_column, name, strlen(name));
    }
}

const char *gb_name_of_file(const char *path, gb_arena *arena)
{
    const char *slash = strrchr(path, '/');
    char *name = gb_arena_text(arena, slash ? slash + 1 : path);
    char *dot = name ? strrchr(name, '.') : NULL;
    if (dot && dot > name)
        *dot = 0;
    return name;
}

static gb_status reject(reader *r, int64_t column, const gb_field *found, const char *expected)
{
    r->report->rows_rejected++;
    return gb_csv_problem(r->plan->strict, r->rows, r->plan->layout, column, found, expected,
                          r->report);
}

/* ---- groups -----------------------------------------------------------------------------------
 */

static uint64_t hash_text(const char *text) /* FNV-1a */
{
    uint64_t hash = 14695981039346656037ULL;
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 1099511628211ULL;
    return hash;
}

static gb_status start_recording(reader *r, const char *key, gb_recording_builder **out)
{
    const gb_csv_plan *plan = r->plan;
    gb_recording_info info = plan->info;
    char name[GROUP_NAME_MAX + 512];
    snprintf(name, sizeof name, plan->group_count > 0 ? "%.500s/%s" : "%.500s", plan->info.name,
             key);
    info.name = name;
    gb_recording_builder *builder = NULL;
    GB_TRY(gb_recording_builder_create(&info, &builder));
    for (int s = 0; s < plan->stream_count; s++) {
        int number;
        gb_status status = gb_recording_builder_stream(builder, &plan->streams[s].spec, &number);
        if (status != GB_OK) {
            gb_recording_builder_abandon(builder);
            return status;
        }
    }
    *out = builder;
    return GB_OK;
}

static void place_in_table(reader *r, int64_t number)
{
    uint64_t mask = (uint64_t)r->table_size - 1;
    uint64_t slot = hash_text(r->groups[number].key) & mask;
    while (r->table[slot] != 0)
        slot = (slot + 1) & mask;
    r->table[slot] = number + 1;
}

static gb_status grow_groups(reader *r)
{
    int64_t room = r->group_room ? 2 * r->group_room : 16;
    group *groups = realloc(r->groups, (size_t)room * sizeof *groups);
    if (groups) {
        r->groups = groups;
        r->group_room = room;
    }
    int64_t *table = calloc((size_t)(2 * room), sizeof *table);
    if (!groups || !table) {
        free(table);
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for %lld groups", r->rows->origin,
                       (long long)room);
    }
    free(r->table);
    r->table = table;
    r->table_size = 2 * room;
    for (int64_t g = 0; g < r->group_count; g++)
        place_in_table(r, g);
    return GB_OK;
}

static gb_status add_group(reader *r, const char *key)
{
    if (r->group_count == GROUPS_MAX)
        return gb_fail(GB_ERR_PARSE,
                       "%s, row %lld: more than %d groups; is the group column an identifier of "
                       "recordings?",
                       r->rows->origin, (long long)r->rows->number, GROUPS_MAX);
    if (r->group_count == r->group_room)
        GB_TRY(grow_groups(r));
    group *added = &r->groups[r->group_count];
    *added = (group){0};
    added->key = strdup(key);
    if (!added->key)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for group %s", r->rows->origin, key);
    gb_status status = start_recording(r, key, &added->builder);
    if (status != GB_OK) {
        free(added->key);
        return status;
    }
    place_in_table(r, r->group_count++);
    return GB_OK;
}

static gb_status find_group(reader *r, const char *key, int64_t *out)
{
    if (r->current >= 0 && strcmp(r->groups[r->current].key, key) == 0) {
        *out = r->current;
        return GB_OK;
    }
    uint64_t mask = (uint64_t)r->table_size - 1;
    for (uint64_t slot = hash_text(key); r->table_size > 0 && r->table[slot & mask] != 0; slot++) {
        int64_t number = r->table[slot & mask] - 1;
        if (strcmp(r->groups[number].key, key) == 0) {
            *out = number;
            return GB_OK;
        }
    }
    GB_TRY(add_group(r, key));
    *out = r->group_count - 1;
    return GB_OK;
}

/* The values of the group columns joined by '/'; false when one is empty or all are too long. */
static bool join_key(const reader *r, char key[GROUP_NAME_MAX + 1], int64_t *bad_column)
{
    size_t used = 0;
    for (int g = 0; g < r->plan->group_count; g++) {
        *bad_column = r->plan->group_columns[g];
        const gb_field *field = &r->rows->fields[*bad_column];
        if (field->size == 0 || used + field->size + 1 > GROUP_NAME_MAX)
            return false;
        if (g > 0)
            key[used++] = '/';
        memcpy(key + used, field->text, field->size);
        used += field->size;
    }
    key[used] = 0;
    return true;
}

/* ---- batches ----------------------------------------------------------------------------------
 */

static gb_status flush(reader *r)
{
    if (r->batch_count == 0)
        return GB_OK;
    group *to = &r->groups[r->current];
    for (int s = 0; s < r->plan->stream_count; s++)
        GB_TRY(gb_recording_builder_append(to->builder, s, r->batch_count, r->time_ns, r->values[s],
                                           r->quality[s]));
    r->report->rows_stored += r->batch_count;
    r->batch_count = 0;
    return GB_OK;
}

/* One cell: a number, missing, or wrong. */
static gb_status
read_value(reader *r, const gb_csv_stream *stream, int64_t column, float *value, uint8_t *quality)
{
    const gb_field *cell = &r->rows->fields[column];
    *value = NAN;
    for (int i = 0; i < r->plan->missing_count; i++) {
        const char *word = r->plan->missing[i];
        if (strlen(word) == cell->size && memcmp(word, cell->text, cell->size) == 0) {
            r->report->cells_missing++;
            return GB_OK;
        }
    }
    gb_number_result result =
        gb_number_float(cell->text, cell->size, r->plan->layout->decimal, value);
    if (result != GB_NUMBER_OK) {
        if (result == GB_NUMBER_NOT && gb_cell_is_missing(cell->text, cell->size)) {
            r->report->cells_missing++;
            return GB_OK;
        }
        r->report->cells_bad++;
        const char *expected = result == GB_NUMBER_NOT ? "a number" : "a number below 3.4e38";
        return gb_csv_problem(r->plan->strict, r->rows, r->plan->layout, column, cell, expected,
                              r->report);
    }
    for (int i = 0; i < stream->sentinel_count; i++) {
        if (*value == stream->sentinels[i]) {
            *value = NAN;
            r->report->cells_missing++;
            return GB_OK;
        }
    }
    if (*value < stream->range_min || *value > stream->range_max) {
        *quality = GB_QUALITY_BAD;
        r->report->cells_out_of_range++;
    }
    return GB_OK;
}

static gb_status read_values(reader *r, uint8_t row_quality)
{
    for (int s = 0; s < r->plan->stream_count; s++) {
        const gb_csv_stream *stream = &r->plan->streams[s];
        int64_t size = gb_stream_spec_size(&stream->spec);
        float *values = r->values[s] + r->batch_count * size;
        uint8_t *quality = &r->quality[s][r->batch_count];
        *quality = row_quality;
        for (int64_t c = 0; c < size; c++)
            GB_TRY(read_value(r, stream, stream->columns[c], &values[c], quality));
    }
    return GB_OK;
}

/* The row's time; false when the cell does not hold one. */
static bool read_time(const reader *r, const group *to, int64_t *time_ns)
{
    const gb_csv_plan *plan = r->plan;
    if (plan->time_column < 0) {
        double ns = (double)to->rows * plan->period_s * 1e9;
        *time_ns = ns < 9e18 ? llround(ns) : INT64_MAX;
        return true;
    }
    const gb_field *cell = &r->rows->fields[plan->time_column];
    return gb_stamp_parse(cell->text, cell->size, plan->time_format, plan->layout->decimal,
                          plan->period_s, time_ns);
}

/* Compares with the row before: repeated and backward stamps are kept and marked. */
static uint8_t judge_time(reader *r, const group *to, int64_t time_ns)
{
    if (to->rows == 0)
        return GB_QUALITY_GOOD;
    uint64_t magnitude = (uint64_t)time_ns - (uint64_t)to->last_ns;
    if (time_ns >= to->last_ns)
        gb_steps_add(&r->steps, magnitude > INT64_MAX ? INT64_MAX : (int64_t)magnitude);
    r->report->time_repeated += time_ns == to->last_ns;
    r->report->time_backwards += time_ns < to->last_ns;
    return time_ns > to->last_ns ? GB_QUALITY_GOOD : GB_QUALITY_UNCERTAIN;
}

static gb_status reject_fault(reader *r)
{
    const gb_rows *rows = r->rows;
    if (rows->fault == GB_ROW_AFTER_QUOTE) {
        gb_field found = {"text behind a closing quote", 27};
        return reject(r, -1, &found, "a delimiter there");
    }
    int64_t column = 0;
    while (column < rows->field_count - 1 &&
           !memchr(rows->fields[column].text, 0, rows->fields[column].size))
        column++;
    if (column < r->plan->layout->column_count)
        return reject(r, column, &rows->fields[column], "text without NUL bytes");
    gb_field found = {"a NUL byte", 10};
    return reject(r, -1, &found, "text");
}

static gb_status read_row(reader *r)
{
    const gb_csv_plan *plan = r->plan;
    gb_rows *rows = r->rows;
    r->report->rows_read++;
    if (rows->fault != GB_ROW_WHOLE)
        return reject_fault(r);
    if (rows->field_count != plan->layout->column_count) {
        char text[96];
        int size = snprintf(text, sizeof text, "%lld fields instead of %lld",
                            (long long)rows->field_count, (long long)plan->layout->column_count);
        gb_field found = {text, (size_t)size};
        return reject(r, -1, &found, "as many fields in every row");
    }
    char key[GROUP_NAME_MAX + 1];
    int64_t bad_column = -1, number = 0, time_ns = 0;
    if (!join_key(r, key, &bad_column))
        return reject(r, bad_column, &rows->fields[bad_column], "a group name of 1 to 200 bytes");
    GB_TRY(find_group(r, key, &number));
    if (!read_time(r, &r->groups[number], &time_ns))
        return reject(r, plan->time_column, &rows->fields[plan->time_column],
                      gb_stamp_expected(plan->time_format));
    if (number != r->current || r->batch_count == r->batch_rows)
        GB_TRY(flush(r));
    r->current = number;
    group *to = &r->groups[number];
    uint8_t quality = judge_time(r, to, time_ns);
    GB_TRY(read_values(r, quality));
    r->time_ns[r->batch_count++] = time_ns;
    to->last_ns = time_ns;
    to->rows++;
    return GB_OK;
}

/* ---- the whole file ---------------------------------------------------------------------------
 */

static gb_status prepare(reader *r, gb_arena *arena)
{
    int64_t width = 1;
    size_t streams = (size_t)r->plan->stream_count;
    for (size_t s = 0; s < streams; s++)
        width += gb_stream_spec_size(&r->plan->streams[s].spec);
    r->batch_rows = BATCH_VALUES / width > BATCH_ROWS ? BATCH_ROWS : BATCH_VALUES / width + 1;
    size_t rows = (size_t)r->batch_rows;
    r->time_ns = gb_arena_alloc(arena, rows * sizeof *r->time_ns);
    r->values = gb_arena_alloc(arena, streams * sizeof *r->values);
    r->quality = gb_arena_alloc(arena, streams * sizeof *r->quality);
    if (!r->time_ns || !r->values || !r->quality)
        return GB_ERR_MEMORY;
    for (size_t s = 0; s < streams; s++) {
        size_t size = (size_t)gb_stream_spec_size(&r->plan->streams[s].spec);
        r->values[s] = gb_arena_alloc(arena, rows * size * sizeof(float));
        r->quality[s] = gb_arena_alloc(arena, rows);
        if (!r->values[s] || !r->quality[s])
            return GB_ERR_MEMORY;
    }
    return GB_OK;
}

static gb_status read_all(reader *r)
{
    bool have = false;
    if (r->plan->layout->header)
        GB_TRY(gb_rows_next(r->rows, &have));
    int64_t before = r->report->rows_read;
    for (;;) {
        if (r->plan->row_limit > 0 && r->report->rows_read - before == r->plan->row_limit)
            break;
        GB_TRY(gb_rows_next(r->rows, &have));
        if (!have)
            break;
        GB_TRY(read_row(r));
    }
    return flush(r);
}

/* Groups whose rows were all rejected have nothing to say. */
static gb_status finish_groups(reader *r, gb_dataset *staged)
{
    for (int64_t g = 0; g < r->group_count; g++) {
        if (r->groups[g].rows == 0)
            continue;
        gb_recording *recording = NULL;
        GB_TRY(gb_recording_builder_finish(r->groups[g].builder, &recording));
        r->groups[g].builder = NULL;
        gb_status status = gb_dataset_add(staged, recording);
        if (status != GB_OK) {
            gb_recording_destroy(recording);
            return status;
        }
    }
    return GB_OK;
}

static gb_status no_rows(const reader *r)
{
    const gb_ingest_report *report = r->report;
    if (report->example_count == 0)
        return gb_fail(GB_ERR_PARSE, "%s: a header and no rows below it", r->rows->origin);
    const gb_ingest_example *example = &report->examples[0];
    return gb_fail(GB_ERR_PARSE,
                   "%s: no row could be used; the first, row %lld, column %lld: found \"%s\", "
                   "expected %s",
                   r->rows->origin, (long long)example->row, (long long)example->column,
                   example->text, example->expected);
}

static void close_reader(reader *r)
{
    for (int64_t g = 0; g < r->group_count; g++) {
        free(r->groups[g].key);
        gb_recording_builder_abandon(r->groups[g].builder);
    }
    free(r->groups);
    free(r->table);
    free(r);
}

gb_status
gb_csv_read(const gb_csv_plan *plan, gb_rows *rows, gb_ingest_report *report, gb_dataset *dataset)
{
    gb_arena *arena = NULL;
    gb_dataset *staged = NULL;
    reader *r = calloc(1, sizeof *r); /* its sample of steps is too large for the stack */
    if (!r)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory to read it", rows->origin);
    r->plan = plan;
    r->rows = rows;
    r->report = report;
    r->current = -1;
    gb_status status = gb_arena_create(0, &arena);
    gb_ingest_report before = *report;
    if (status == GB_OK)
        status = prepare(r, arena);
    if (status == GB_OK)
        status = gb_dataset_create(&staged);
    if (status == GB_OK)
        status = read_all(r);
    if (status == GB_OK && report->rows_stored == before.rows_stored)
        status = no_rows(r);
    if (status == GB_OK)
        status = finish_groups(r, staged);
    if (status == GB_OK)
        status = gb_dataset_merge(dataset, staged);
    gb_steps_report(&r->steps, report);
    if (status != GB_OK) { /* what was read is thrown away: nothing is stored */
        report->rows_stored = before.rows_stored;
        report->rows_rejected = before.rows_rejected + report->rows_read - before.rows_read;
    }
    report->bytes += rows->bytes;
    gb_dataset_destroy(staged);
    gb_arena_destroy(arena);
    close_reader(r);
    return status;
}
