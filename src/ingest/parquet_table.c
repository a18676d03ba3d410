/* Which arrays a Parquet file's columns make. Reading them is parquet_rows.c. */
#include "ingest/parquet_table.h"

#include "ingest/parquet_encoding.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCAN_ROWS 4096

/* Values a row of a column of lists, when all lists look equally long; else 0. */
static int64_t list_length(const gb_parquet *file, int column)
{
    int64_t length = -1;
    for (int g = 0; g < file->group_count; g++) {
        int64_t rows = file->groups[g].rows, values = file->groups[g].chunks[column].values;
        if (rows == 0)
            continue;
        if (values % rows != 0 || (length >= 0 && values / rows != length))
            return 0;
        length = values / rows;
    }
    return length > 0 ? length : 0;
}

/* Whether a whole number is absent somewhere: by the statistics, else by looking. */
static gb_status scan_group(const gb_parquet *file, int group, int column, bool *out_found)
{
    gb_parquet_cursor *cursor = NULL;
    gb_parquet_batch batch = {0};
    gb_status status = gb_parquet_cursor_open(file, group, column, &cursor);
    int64_t left = file->groups[group].rows;
    while (status == GB_OK && left > 0 && !*out_found) {
        int64_t take = left < SCAN_ROWS ? left : SCAN_ROWS;
        status = gb_parquet_read(cursor, take, &batch);
        for (int64_t i = 0; status == GB_OK && i < batch.entries; i++)
            *out_found = *out_found || !batch.present[i];
        left -= take;
    }
    gb_parquet_cursor_close(cursor);
    gb_parquet_batch_free(&batch);
    return status;
}

static gb_status has_nulls(const gb_parquet *file, int column, bool *out)
{
    *out = false;
    if (file->columns[column].max_def == 0)
        return GB_OK;
    for (int g = 0; g < file->group_count && !*out; g++) {
        int64_t said = file->groups[g].chunks[column].nulls;
        if (said >= 0)
            *out = said > 0;
        else
            GB_TRY(scan_group(file, g, column, out));
    }
    return GB_OK;
}

static const char *why_unreadable(const gb_parquet_column *about, int64_t length)
{
    gb_value_type type = gb_parquet_value_type(about);
    if (!about->supported)
        return "a map, or lists of records";
    if (type == GB_VALUE_BYTES && about->width > 0)
        return "bytes of a fixed length";
    if (type == GB_VALUE_BYTES && about->max_rep > 0)
        return "lists of texts";
    if (about->max_rep > 0 && length == 0)
        return "lists of different lengths";
    return NULL;
}

/* The type that its values are read as: whole numbers that may be absent become f64. */
static gb_status type_of(const gb_parquet *file, int column, gb_value_type *out)
{
    gb_value_type type = gb_parquet_value_type(&file->columns[column]);
    bool nulls = false;
    if (type != GB_VALUE_F32 && type != GB_VALUE_F64 && type != GB_VALUE_BYTES)
        GB_TRY(has_nulls(file, column, &nulls));
    *out = nulls ? GB_VALUE_F64 : type;
    return GB_OK;
}

static bool is_time(const gb_parquet_column *about)
{
    return about->meaning == GB_PARQUET_TIME || about->meaning == GB_PARQUET_DATE;
}

static gb_status add_column(gb_parquet_table *t, int column)
{
    const gb_parquet_column *about = &t->file->columns[column];
    int64_t length = about->max_rep > 0 ? list_length(t->file, column) : 1;
    gb_array *array = &t->list[t->count];
    gb_parquet_table_array *behind = &t->arrays[t->count++];
    *array = (gb_array){.path = about->name,
                        .kind = -1,
                        .encoding = "",
                        .rows = t->file->rows,
                        .time_format = is_time(about) ? (int)GB_TIME_FORMAT_EPOCH_NS : -1,
                        .unreadable = why_unreadable(about, length)};
    behind->parts = gb_arena_alloc(t->arena, sizeof *behind->parts);
    if (!behind->parts)
        return GB_ERR_MEMORY;
    behind->parts[0] =
        (gb_parquet_table_part){.column = column, .item = -1, .count = length, .list = length};
    behind->part_count = 1;
    behind->size = length;
    behind->type = gb_parquet_value_type(about);
    if (!array->unreadable)
        GB_TRY(type_of(t->file, column, &behind->type));
    array->type = behind->type;
    array->rank = about->max_rep > 0;
    array->shape[0] = length;
    if (array->type == GB_VALUE_BYTES)
        array->encoding = about->meaning == GB_PARQUET_TEXT ? "utf-8" : "binary";
    return GB_OK;
}

gb_status gb_parquet_table_open(
    const gb_parquet *file, const char *path, gb_arena *arena, int extra, gb_parquet_table *out)
{
    gb_parquet_table t = {.file = file, .path = path, .arena = arena};
    t.room = file->column_count + extra;
    t.list = gb_arena_alloc(arena, (size_t)t.room * sizeof *t.list);
    t.arrays = gb_arena_alloc(arena, (size_t)t.room * sizeof *t.arrays);
    if (!t.list || !t.arrays)
        return GB_ERR_MEMORY;
    for (int c = 0; c < file->column_count; c++)
        GB_TRY(add_column(&t, c));
    *out = t;
    return GB_OK;
}

/* ---- several columns --------------------------------------------------------------------------
 */

/* "#3" to 2, behind a name or by itself; -1: there is none. */
static int64_t number_behind(const char *mark)
{
    char *end = NULL;
    long long number = mark ? strtoll(mark + 1, &end, 10) : 0;
    return mark && end != mark + 1 && *end == 0 && number >= 1 ? (int64_t)number - 1 : -1;
}

/* A column by its name, its place, or one value of its lists. */
static bool find_part(const gb_parquet_table *t, const char *text, gb_parquet_table_part *out)
{
    const char *mark = strrchr(text, '#');
    int64_t number = number_behind(mark);
    int column = gb_parquet_find(t->file, text);
    char name[4096];
    gb_parquet_table_part part = {.item = -1};
    if (column < 0 && mark == text && number >= 0 && number < t->file->column_count)
        column = (int)number;
    else if (column < 0 && number >= 0 && (size_t)(mark - text) < sizeof name) {
        snprintf(name, sizeof name, "%.*s", (int)(mark - text), text);
        column = gb_parquet_find(t->file, name);
        part.item = number;
    }
    if (column < 0)
        return false;
    part.column = column;
    part.list = t->arrays[column].size; /* the first arrays are the columns */
    part.count = part.item >= 0 ? 1 : part.list;
    *out = part;
    return part.item < part.list;
}

static gb_status no_column(const gb_parquet_table *t, const char *stream, const char *name)
{
    char names[500] = "";
    size_t used = 0;
    for (int c = 0; c < t->file->column_count && used < sizeof names - 140; c++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%.100s", c > 0 ? ", " : "",
                                 t->file->columns[c].name);
    return gb_fail(GB_ERR_NOT_FOUND, "%s has no column %s, which the map names for %s; found: %s",
                   t->path, name, stream, names);
}

static gb_status
join_part(gb_parquet_table *t, const char *stream, const char *name, gb_parquet_table_part *part)
{
    const gb_array *column = &t->list[part->column];
    if (column->unreadable)
        return gb_fail(GB_ERR_UNSUPPORTED, "%s: column %s cannot become a stream: %s", t->path,
                       name, column->unreadable);
    if (column->type == GB_VALUE_BYTES)
        return gb_fail(GB_ERR_SCHEMA, "%s: column %s holds texts; %s puts numbers side by side",
                       t->path, name, stream);
    return GB_OK;
}

gb_status gb_parquet_table_join(gb_parquet_table *t,
                                const char *name,
                                char *const *columns,
                                uint32_t column_count,
                                bool optional,
                                bool *out_absent)
{
    gb_array *array = &t->list[t->count];
    gb_parquet_table_array *to = &t->arrays[t->count];
    *out_absent = false;
    *to = (gb_parquet_table_array){.part_count = (int)column_count};
    to->parts = gb_arena_alloc(t->arena, column_count * sizeof *to->parts);
    if (!to->parts)
        return GB_ERR_MEMORY;
    for (uint32_t i = 0; i < column_count; i++) {
        gb_parquet_table_part *part = &to->parts[i];
        bool found = find_part(t, columns[i], part);
        *out_absent = !found && optional;
        if (*out_absent)
            return GB_OK;
        if (!found)
            return no_column(t, name, columns[i]);
        GB_TRY(join_part(t, name, columns[i], part));
        gb_value_type type = t->arrays[part->column].type;
        to->type = i == 0 || to->type == type ? type : GB_VALUE_F64;
        to->size += part->count;
    }
    *array = (gb_array){.path = name,
                        .kind = -1,
                        .type = to->type,
                        .encoding = "",
                        .rows = t->file->rows,
                        .rank = to->size > 1,
                        .shape = {to->size},
                        .time_format = -1};
    t->count++;
    return GB_OK;
}

gb_arrays gb_parquet_table_as_arrays(const gb_parquet_table *t)
{
    return (gb_arrays){.ops = &gb_parquet_table_ops,
                       .context = (void *)(uintptr_t)t,
                       .list = t->list,
                       .count = t->count};
}

void gb_parquet_table_close(gb_parquet_table *t)
{
    gb_parquet_table_cursors_free(t->cursors);
    t->cursors = NULL;
}
