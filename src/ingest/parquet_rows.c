/* Rows of a Parquet file's columns, one after the other, over all row groups. A cursor that is
 * closed is kept for the recording that follows it in the file. */
#include "ingest/parquet_table.h"

#include "ingest/array_values.h"
#include "ingest/parquet_encoding.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SKIP_ROWS 4096

/* One column. */
typedef struct lane {
    gb_parquet_cursor *cursor;
    int group;          /* that the cursor is in; -1: before the first */
    int64_t group_left; /* rows of it that are not read */
    int64_t row;        /* of the file, the next */
    gb_parquet_batch batch;
    void *values; /* converted: [entries] */
    size_t value_room;
} lane;

struct gb_parquet_table_cursor {
    gb_parquet_table *table;
    int array;
    bool in_use;
    lane *lanes; /* [part_count] */
    gb_parquet_table_cursor *next;
    unsigned char *bytes; /* BYTES: the runs of one block */
    int64_t *offset;
    size_t byte_room, offset_room;
};

static const gb_parquet_table_array *array_of(const gb_parquet_table_cursor *c)
{
    return &c->table->arrays[c->array];
}

/* ---- one column -------------------------------------------------------------------------------
 */

/* Puts the lane into the row group that holds its row. */
static gb_status need_group(const gb_parquet_table *t, lane *l, int column)
{
    while (l->group_left == 0) {
        if (l->cursor)
            GB_TRY(gb_parquet_cursor_end(l->cursor));
        gb_parquet_cursor_close(l->cursor);
        l->cursor = NULL;
        if (++l->group == t->file->group_count)
            return gb_fail(GB_ERR_CORRUPT, "%s: column %s ends early", t->path,
                           t->file->columns[column].name);
        l->group_left = t->file->groups[l->group].rows;
        if (l->group_left > 0)
            GB_TRY(gb_parquet_cursor_open(t->file, l->group, column, &l->cursor));
    }
    return GB_OK;
}

/* Reads up to `rows` rows, not beyond the row group. */
static gb_status
read_some(const gb_parquet_table *t, lane *l, int column, int64_t rows, int64_t *out_rows)
{
    GB_TRY(need_group(t, l, column));
    int64_t take = rows < l->group_left ? rows : l->group_left;
    GB_TRY(gb_parquet_read(l->cursor, take, &l->batch));
    l->group_left -= take;
    l->row += take;
    *out_rows = take;
    return GB_OK;
}

static void rewind_lane(lane *l)
{
    gb_parquet_cursor_close(l->cursor);
    l->cursor = NULL;
    l->group = -1;
    l->group_left = l->row = 0;
}

/* What is left of a row group, or all of it, is passed over unread. */
static gb_status pass_over(const gb_parquet_table *t, lane *l, int column)
{
    l->row += l->group_left;
    gb_parquet_cursor_close(l->cursor);
    l->cursor = NULL;
    l->group_left = 0;
    if (l->group + 1 == t->file->group_count)
        return gb_fail(GB_ERR_CORRUPT, "%s: column %s ends early", t->path,
                       t->file->columns[column].name);
    l->group_left = t->file->groups[++l->group].rows;
    return GB_OK;
}

static gb_status go_to(const gb_parquet_table *t, lane *l, int column, int64_t row)
{
    if (row < l->row)
        rewind_lane(l);
    while (l->row < row) {
        int64_t left = row - l->row, done = 0;
        if (l->group_left <= left && l->row + l->group_left < t->file->rows) {
            GB_TRY(pass_over(t, l, column));
            continue;
        }
        if (!l->cursor)
            GB_TRY(gb_parquet_cursor_open(t->file, l->group, column, &l->cursor));
        GB_TRY(read_some(t, l, column, left < SKIP_ROWS ? left : SKIP_ROWS, &done));
    }
    if (l->group_left > 0 && !l->cursor)
        GB_TRY(gb_parquet_cursor_open(t->file, l->group, column, &l->cursor));
    return GB_OK;
}

/* ---- values -----------------------------------------------------------------------------------
 */

static gb_status
check_lists(const gb_parquet_table *t, const lane *l, const gb_parquet_table_part *part)
{
    const gb_parquet_batch *b = &l->batch;
    if (b->entries == b->rows * part->list && part->list == 1)
        return GB_OK;
    for (int64_t r = 0; r < b->rows; r++)
        if (b->row_start[r + 1] - b->row_start[r] != part->list)
            return gb_fail(
                GB_ERR_PARSE, "%s, row %lld of %s: a list of %lld values, expected %lld", t->path,
                (long long)(l->row - b->rows + r + 1), t->file->columns[part->column].name,
                (long long)(b->row_start[r + 1] - b->row_start[r]), (long long)part->list);
    return GB_OK;
}

/* Value `i` of the batch as another type; absent ones are NaN. */
static double as_double(const lane *l, gb_value_type type, int64_t i)
{
    return l->batch.present[i] ? gb_values_get(type, l->values, i) : NAN;
}

/* The batch's values into their place in rows of `size` values of `type`. */
static gb_status place(const gb_parquet_table *t,
                       lane *l,
                       const gb_parquet_table_part *part,
                       const gb_parquet_table_array *to,
                       int64_t at,
                       unsigned char *out)
{
    const gb_parquet_column *about = &t->file->columns[part->column];
    gb_value_type type = gb_parquet_value_type(about);
    size_t bytes = gb_value_type_bytes(type), to_bytes = gb_value_type_bytes(to->type);
    GB_TRY(gb_parquet_grow(&l->values, &l->value_room, ((size_t)l->batch.entries + 1) * bytes, 1));
    GB_TRY(gb_parquet_convert(t->file, about, &l->batch, l->values));
    for (int64_t r = 0; r < l->batch.rows; r++)
        for (int64_t k = 0; k < part->count; k++) {
            int64_t entry = r * part->list + (part->item >= 0 ? part->item : k);
            unsigned char *target = out + (size_t)(r * to->size + at + k) * to_bytes;
            double value = 0;
            if (type == to->type) {
                memcpy(target, (char *)l->values + (size_t)entry * bytes, bytes);
                continue;
            }
            value = as_double(l, type, entry); /* types differ: the array's is f64 */
            memcpy(target, &value, sizeof value);
        }
    return GB_OK;
}

static gb_status table_read(void *cursor, int64_t first, int64_t count, void *values)
{
    gb_parquet_table_cursor *c = cursor;
    const gb_parquet_table_array *to = array_of(c);
    size_t row_bytes = (size_t)to->size * gb_value_type_bytes(to->type);
    int64_t at = 0;
    for (int p = 0; p < to->part_count; p++) {
        const gb_parquet_table_part *part = &to->parts[p];
        lane *l = &c->lanes[p];
        GB_TRY(go_to(c->table, l, part->column, c->table->base + first));
        for (int64_t done = 0; done < count;) {
            int64_t rows = 0;
            GB_TRY(read_some(c->table, l, part->column, count - done, &rows));
            GB_TRY(check_lists(c->table, l, part));
            GB_TRY(place(c->table, l, part, to, at,
                         (unsigned char *)values + (size_t)done * row_bytes));
            done += rows;
        }
        at += part->count;
    }
    return GB_OK;
}

/* The batch's runs behind those of the block; run `done` is the first. */
static gb_status keep_runs(gb_parquet_table_cursor *c, const gb_parquet_batch *b, int64_t done)
{
    size_t used = (size_t)c->offset[done], size = (size_t)b->offset[b->entries];
    GB_TRY(gb_parquet_grow((void **)&c->bytes, &c->byte_room, used + size + 1, 1));
    if (size > 0)
        memcpy(c->bytes + used, b->bytes, size);
    for (int64_t r = 0; r < b->rows; r++)
        c->offset[done + r + 1] = (int64_t)used + b->offset[r + 1];
    return GB_OK;
}

static gb_status table_read_runs(
    void *cursor, int64_t first, int64_t count, const unsigned char **runs, size_t *sizes)
{
    gb_parquet_table_cursor *c = cursor;
    int column = array_of(c)->parts[0].column;
    lane *l = &c->lanes[0];
    GB_TRY(gb_parquet_grow((void **)&c->offset, &c->offset_room, (size_t)count + 1,
                           sizeof *c->offset));
    c->offset[0] = 0;
    GB_TRY(go_to(c->table, l, column, c->table->base + first));
    for (int64_t done = 0; done < count;) {
        int64_t rows = 0;
        GB_TRY(read_some(c->table, l, column, count - done, &rows));
        GB_TRY(keep_runs(c, &l->batch, done));
        done += rows;
    }
    for (int64_t i = 0; i < count; i++) {
        runs[i] = c->bytes + c->offset[i];
        sizes[i] = (size_t)(c->offset[i + 1] - c->offset[i]);
    }
    return GB_OK;
}

/* ---- cursors ----------------------------------------------------------------------------------
 */

static gb_status table_open(const gb_arrays *arrays, const gb_array *array, void **out)
{
    gb_parquet_table *t = arrays->context;
    int number = (int)(array - arrays->list);
    gb_parquet_table_cursor *c = t->cursors;
    while (c && (c->in_use || c->array != number))
        c = c->next;
    if (!c) {
        c = calloc(1, sizeof *c);
        if (c)
            c->lanes = calloc((size_t)t->arrays[number].part_count, sizeof *c->lanes);
        if (!c || !c->lanes) {
            free(c);
            return gb_fail(GB_ERR_MEMORY, "%s: no memory to read %s", t->path, array->path);
        }
        c->table = t;
        c->array = number;
        for (int p = 0; p < t->arrays[number].part_count; p++)
            c->lanes[p].group = -1;
        c->next = t->cursors;
        t->cursors = c;
    }
    c->in_use = true;
    *out = c;
    return GB_OK;
}

/* At the end of a row group: are there values that no row has? */
static gb_status table_finish(void *cursor)
{
    gb_parquet_table_cursor *c = cursor;
    for (int p = 0; p < array_of(c)->part_count; p++)
        if (c->lanes[p].cursor && c->lanes[p].group_left == 0)
            GB_TRY(gb_parquet_cursor_end(c->lanes[p].cursor));
    return GB_OK;
}

static void table_close(void *cursor)
{
    ((gb_parquet_table_cursor *)cursor)->in_use = false;
}

void gb_parquet_table_cursors_free(gb_parquet_table_cursor *first)
{
    while (first) {
        gb_parquet_table_cursor *c = first;
        first = c->next;
        for (int p = 0; p < array_of(c)->part_count; p++) {
            gb_parquet_cursor_close(c->lanes[p].cursor);
            gb_parquet_batch_free(&c->lanes[p].batch);
            free(c->lanes[p].values);
        }
        free(c->lanes);
        free(c->bytes);
        free(c->offset);
        free(c);
    }
}

const gb_array_ops gb_parquet_table_ops = {.open = table_open,
                                           .read = table_read,
                                           .read_runs = table_read_runs,
                                           .finish = table_finish,
                                           .close = table_close};
