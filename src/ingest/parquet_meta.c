/* Thrift's FileMetaData: schema elements, row groups, column chunks. What the schema means is
 * parquet_schema.c. */
#include "ingest/parquet_meta.h"

#include <stdlib.h>
#include <string.h>

#define ELEMENTS_MAX 65536
#define TEXT_MAX 65535
#define PAIR_TEXT_MAX (16 << 20)

/* Walks a struct's fields: `field` is the one at hand in the body. */
#define EACH_FIELD(from, field)                                                                    \
    for (gb_thrift_field field = {GB_THRIFT_STOP, 0};;)                                            \
        if (gb_thrift_next(from, &field) != GB_OK)                                                 \
            return GB_ERR_PARSE;                                                                   \
        else if (field.type == GB_THRIFT_STOP)                                                     \
            break;                                                                                 \
        else

static gb_status keep_text(
    gb_parquet *file, gb_thrift *from, const gb_thrift_field *field, size_t limit, const char **out)
{
    const unsigned char *data = NULL;
    size_t size = 0;
    GB_TRY(gb_thrift_binary(from, field, &data, &size));
    if (size > limit)
        return gb_thrift_fail(from, "a text too long to be believed");
    char *copy = gb_arena_alloc(file->arena, size + 1);
    if (!copy)
        return GB_ERR_MEMORY;
    if (size > 0)
        memcpy(copy, data, size);
    *out = copy;
    return GB_OK;
}

/* ---- SchemaElement ----------------------------------------------------------------------------
 */

static gb_status read_time_unit(gb_thrift *from, const gb_thrift_field *unit, int64_t *out)
{
    GB_TRY(gb_thrift_struct(from, unit));
    EACH_FIELD(from, field)
    {
        *out = field.id == 1 ? 1000000 : field.id == 2 ? 1000 : 1;
        GB_TRY(gb_thrift_skip(from, &field));
    }
    return GB_OK;
}

/* The struct inside LogicalType, of the kinds that have fields. */
static gb_status read_logical_fields(gb_thrift *from, gb_parquet_element *element)
{
    int64_t value = 0;
    int kind = element->logical;
    EACH_FIELD(from, field)
    {
        if (kind == GB_PARQUET_LOGICAL_DECIMAL && field.id == 1)
            GB_TRY(gb_thrift_int(from, &field, 0, 1000, &element->scale));
        else if (kind == GB_PARQUET_LOGICAL_TIMESTAMP && field.id == 1)
            GB_TRY(gb_thrift_bool(from, &field, &element->is_utc));
        else if (kind == GB_PARQUET_LOGICAL_TIMESTAMP && field.id == 2)
            GB_TRY(read_time_unit(from, &field, &element->unit_ns));
        else if (kind == GB_PARQUET_LOGICAL_INTEGER && field.id == 1) {
            GB_TRY(gb_thrift_int(from, &field, 8, 64, &value));
            element->bits = (int)value;
        } else if (kind == GB_PARQUET_LOGICAL_INTEGER && field.id == 2)
            GB_TRY(gb_thrift_bool(from, &field, &element->is_signed));
        else
            GB_TRY(gb_thrift_skip(from, &field));
    }
    return GB_OK;
}

static gb_status read_logical(gb_thrift *from, gb_parquet_element *element)
{
    EACH_FIELD(from, field)
    {
        GB_TRY(gb_thrift_struct(from, &field));
        element->logical = field.id;
        GB_TRY(read_logical_fields(from, element));
    }
    return GB_OK;
}

static gb_status read_small(gb_thrift *from, const gb_thrift_field *field, int64_t high, int *out)
{
    int64_t value = 0;
    GB_TRY(gb_thrift_int(from, field, 0, high, &value));
    *out = (int)value;
    return GB_OK;
}

static gb_status read_element(gb_thrift *from, gb_parquet *file, gb_parquet_element *element)
{
    *element = (gb_parquet_element){.type = -1, .converted = -1, .is_signed = true};
    EACH_FIELD(from, field)
    {
        switch (field.id) {
        case 1:
            GB_TRY(read_small(from, &field, GB_PARQUET_TYPE_COUNT - 1, &element->type));
            break;
        case 2:
            GB_TRY(gb_thrift_int(from, &field, 0, 1 << 20, &element->type_length));
            break;
        case 3:
            GB_TRY(read_small(from, &field, 2, &element->repetition));
            break;
        case 4:
            GB_TRY(keep_text(file, from, &field, TEXT_MAX, &element->name));
            break;
        case 5:
            GB_TRY(gb_thrift_int(from, &field, 0, ELEMENTS_MAX, &element->children));
            break;
        case 6:
            GB_TRY(read_small(from, &field, 255, &element->converted));
            break;
        case 7:
            GB_TRY(gb_thrift_int(from, &field, 0, 1000, &element->scale));
            break;
        case 10:
            GB_TRY(gb_thrift_struct(from, &field));
            GB_TRY(read_logical(from, element));
            break;
        default:
            GB_TRY(gb_thrift_skip(from, &field));
        }
    }
    return element->name ? GB_OK : gb_thrift_fail(from, "a column without a name");
}

static gb_status read_elements(gb_thrift *from,
                               const gb_thrift_field *field,
                               gb_parquet *file,
                               gb_parquet_element **out,
                               int64_t *out_count)
{
    int64_t count = 0;
    GB_TRY(gb_thrift_list(from, field, GB_THRIFT_STRUCT, &count));
    if (count < 1 || count > ELEMENTS_MAX)
        return gb_thrift_fail(from, "no columns, or more than 65,536");
    gb_parquet_element *elements = gb_arena_alloc(file->arena, (size_t)count * sizeof *elements);
    if (!elements)
        return GB_ERR_MEMORY;
    for (int64_t i = 0; i < count; i++)
        GB_TRY(read_element(from, file, &elements[i]));
    *out = elements;
    *out_count = count;
    return GB_OK;
}

/* ---- RowGroup ---------------------------------------------------------------------------------
 */

/* Statistics: only how many nulls there are. */
static gb_status read_statistics(gb_thrift *from, gb_parquet_chunk *chunk)
{
    EACH_FIELD(from, field)
    {
        if (field.id == 3)
            GB_TRY(gb_thrift_int(from, &field, 0, INT64_MAX, &chunk->nulls));
        else
            GB_TRY(gb_thrift_skip(from, &field));
    }
    return GB_OK;
}

static gb_status read_chunk_meta(gb_thrift *from, gb_parquet_chunk *chunk)
{
    int number = 0;
    chunk->nulls = -1;
    EACH_FIELD(from, field)
    {
        switch (field.id) {
        case 1:
            GB_TRY(read_small(from, &field, GB_PARQUET_TYPE_COUNT - 1, &number));
            chunk->type = (gb_parquet_type)number;
            break;
        case 4:
            GB_TRY(read_small(from, &field, GB_PARQUET_CODEC_COUNT - 1, &number));
            chunk->codec = (gb_parquet_codec)number;
            break;
        case 5:
            GB_TRY(gb_thrift_int(from, &field, 0, INT64_MAX, &chunk->values));
            break;
        case 6:
            GB_TRY(gb_thrift_int(from, &field, 0, INT64_MAX, &chunk->uncompressed_bytes));
            break;
        case 7:
            GB_TRY(gb_thrift_int(from, &field, 0, INT64_MAX, &chunk->bytes));
            break;
        case 9:
            GB_TRY(gb_thrift_int(from, &field, 0, INT64_MAX, &chunk->data_at));
            break;
        case 11:
            GB_TRY(gb_thrift_int(from, &field, 0, INT64_MAX, &chunk->dictionary_at));
            break;
        case 12:
            GB_TRY(gb_thrift_struct(from, &field));
            GB_TRY(read_statistics(from, chunk));
            break;
        default:
            GB_TRY(gb_thrift_skip(from, &field));
        }
    }
    return GB_OK;
}

static gb_status read_chunk(gb_thrift *from, gb_parquet *file, gb_parquet_chunk *chunk)
{
    bool found = false;
    EACH_FIELD(from, field)
    {
        if (field.id == 1)
            return gb_fail(GB_ERR_UNSUPPORTED, "%s: a column of it lies in another file",
                           file->origin);
        if (field.id == 8)
            return gb_fail(GB_ERR_UNSUPPORTED, "%s: a column of it is encrypted", file->origin);
        if (field.id == 3) {
            GB_TRY(gb_thrift_struct(from, &field));
            GB_TRY(read_chunk_meta(from, chunk));
            found = true;
        } else
            GB_TRY(gb_thrift_skip(from, &field));
    }
    return found ? GB_OK : gb_thrift_fail(from, "a column chunk that is not described");
}

static gb_status read_chunks(gb_thrift *from,
                             const gb_thrift_field *field,
                             gb_parquet *file,
                             gb_parquet_group *group,
                             int64_t *out_count)
{
    int64_t count = 0;
    GB_TRY(gb_thrift_list(from, field, GB_THRIFT_STRUCT, &count));
    if (count > ELEMENTS_MAX)
        return gb_thrift_fail(from, "a row group of more than 65,536 columns");
    gb_parquet_chunk *chunks = gb_arena_alloc(file->arena, (size_t)count * sizeof *chunks);
    if (!chunks)
        return GB_ERR_MEMORY;
    for (int64_t i = 0; i < count; i++)
        GB_TRY(read_chunk(from, file, &chunks[i]));
    group->chunks = chunks;
    *out_count = count;
    return GB_OK;
}

static gb_status
read_group(gb_thrift *from, gb_parquet *file, gb_parquet_group *group, int64_t *out_count)
{
    *out_count = 0;
    EACH_FIELD(from, field)
    {
        if (field.id == 1)
            GB_TRY(read_chunks(from, &field, file, group, out_count));
        else if (field.id == 3)
            GB_TRY(gb_thrift_int(from, &field, 0, INT64_MAX, &group->rows));
        else
            GB_TRY(gb_thrift_skip(from, &field));
    }
    return GB_OK;
}

/* *out_columns: chunks of every group, which all have as many; -1 without groups. */
static gb_status
read_groups(gb_thrift *from, const gb_thrift_field *field, gb_parquet *file, int64_t *out_columns)
{
    int64_t count = 0;
    GB_TRY(gb_thrift_list(from, field, GB_THRIFT_STRUCT, &count));
    gb_parquet_group *groups = gb_arena_alloc(file->arena, (size_t)count * sizeof *groups);
    if (!groups)
        return GB_ERR_MEMORY;
    for (int64_t i = 0; i < count; i++) {
        int64_t columns = 0;
        GB_TRY(read_group(from, file, &groups[i], &columns));
        if (i > 0 && columns != *out_columns)
            return gb_thrift_fail(from, "row groups of different numbers of columns");
        *out_columns = columns;
    }
    file->groups = groups;
    file->group_count = (int)count;
    return GB_OK;
}

/* ---- FileMetaData -----------------------------------------------------------------------------
 */

static gb_status read_pair(gb_thrift *from, gb_parquet *file, gb_pair *pair)
{
    *pair = (gb_pair){"", ""};
    EACH_FIELD(from, field)
    {
        if (field.id == 1)
            GB_TRY(keep_text(file, from, &field, TEXT_MAX, &pair->key));
        else if (field.id == 2)
            GB_TRY(keep_text(file, from, &field, PAIR_TEXT_MAX, &pair->value));
        else
            GB_TRY(gb_thrift_skip(from, &field));
    }
    return GB_OK;
}

static gb_status read_pairs(gb_thrift *from, const gb_thrift_field *field, gb_parquet *file)
{
    int64_t count = 0;
    GB_TRY(gb_thrift_list(from, field, GB_THRIFT_STRUCT, &count));
    gb_pair *pairs = gb_arena_alloc(file->arena, (size_t)count * sizeof *pairs);
    if (!pairs)
        return GB_ERR_MEMORY;
    for (int64_t i = 0; i < count; i++)
        GB_TRY(read_pair(from, file, &pairs[i]));
    file->pairs = pairs;
    file->pair_count = (int)count;
    return GB_OK;
}

gb_status gb_parquet_read_meta(gb_thrift *from,
                               gb_parquet *file,
                               gb_parquet_element **out_schema,
                               int64_t *out_count)
{
    int64_t columns = -1;
    EACH_FIELD(from, field)
    {
        switch (field.id) {
        case 2:
            GB_TRY(read_elements(from, &field, file, out_schema, out_count));
            break;
        case 3:
            GB_TRY(gb_thrift_int(from, &field, 0, INT64_MAX, &file->rows));
            break;
        case 4:
            GB_TRY(read_groups(from, &field, file, &columns));
            break;
        case 5:
            GB_TRY(read_pairs(from, &field, file));
            break;
        case 6:
            GB_TRY(keep_text(file, from, &field, TEXT_MAX, &file->created_by));
            break;
        default:
            GB_TRY(gb_thrift_skip(from, &field));
        }
    }
    if (*out_count == 0)
        return gb_thrift_fail(from, "no schema");
    file->column_count = (int)columns; /* checked against the schema's leaves */
    return GB_OK;
}
