/* Parquet files, written: rows gather in memory, a row group becomes column chunks of dictionary
 * and data pages, the end a footer. Pages are parquet_write_page.c, packing is parquet_encode.c. */
#include "ingest/parquet_write_page.h"

#include "ingest/parquet_encoding.h"
#include "ingest/parquet_meta.h"
#include "ingest/thrift.h"

#include <stdlib.h>
#include <string.h>

/* ---- fields -----------------------------------------------------------------------------------
 */

static gb_parquet_type type_of(const gb_parquet_field *field)
{
    switch (field->type) {
    case GB_VALUE_F32:
        return GB_PARQUET_FLOAT;
    case GB_VALUE_F64:
        return GB_PARQUET_DOUBLE;
    case GB_VALUE_I64:
    case GB_VALUE_U64:
        return GB_PARQUET_INT64;
    case GB_VALUE_BYTES:
        return GB_PARQUET_BYTE_ARRAY;
    default:
        return field->is_bool ? GB_PARQUET_BOOLEAN : GB_PARQUET_INT32;
    }
}

static gb_status
take_field(gb_parquet_writer *w, const gb_parquet_field *field, gb_parquet_gathered *c)
{
    c->field = *field;
    c->field.name = gb_arena_text(w->arena, field->name);
    c->type = type_of(field);
    c->width = c->type == GB_PARQUET_BYTE_ARRAY                              ? 0
               : c->type == GB_PARQUET_INT64 || c->type == GB_PARQUET_DOUBLE ? 8
               : c->type == GB_PARQUET_BOOLEAN                               ? 1
                                                                             : 4;
    c->per_row = 1;
    for (int i = 0; i < field->lists; i++)
        c->per_row *= field->extent[i];
    return c->field.name ? GB_OK : GB_ERR_MEMORY;
}

static gb_status take_description(gb_parquet_writer *w,
                                  const gb_parquet_field *fields,
                                  int field_count,
                                  const gb_pair *pairs,
                                  int pair_count)
{
    GB_TRY(gb_arena_create(0, &w->arena));
    w->columns = gb_arena_alloc(w->arena, (size_t)field_count * sizeof *w->columns);
    w->pairs = gb_arena_alloc(w->arena, (size_t)pair_count * sizeof *w->pairs);
    if (!w->columns || !w->pairs)
        return GB_ERR_MEMORY;
    w->column_count = field_count;
    w->pair_count = pair_count;
    for (int i = 0; i < field_count; i++)
        GB_TRY(take_field(w, &fields[i], &w->columns[i]));
    for (int i = 0; i < pair_count; i++) {
        w->pairs[i].key = gb_arena_text(w->arena, pairs[i].key);
        w->pairs[i].value = gb_arena_text(w->arena, pairs[i].value);
        if (!w->pairs[i].key || !w->pairs[i].value)
            return GB_ERR_MEMORY;
    }
    return GB_OK;
}

gb_status gb_parquet_write_bytes(gb_parquet_writer *w, const void *data, size_t size)
{
    GB_TRY(w->to->write(w->to, data, size));
    w->at += (int64_t)size;
    return GB_OK;
}

gb_status gb_parquet_writer_create(gb_bytes_out *to,
                                   const gb_parquet_field *fields,
                                   int field_count,
                                   const gb_pair *pairs,
                                   int pair_count,
                                   gb_parquet_writer **out)
{
    gb_parquet_writer *w = calloc(1, sizeof *w);
    if (!w) {
        to->abandon(to);
        return gb_fail(GB_ERR_MEMORY, "no memory to write a Parquet file");
    }
    w->to = to;
    gb_status status = take_description(w, fields, field_count, pairs, pair_count);
    if (status == GB_OK)
        status = gb_parquet_write_bytes(w, "PAR1", 4);
    if (status != GB_OK) {
        gb_parquet_writer_abandon(w);
        return status;
    }
    *out = w;
    return GB_OK;
}

static void release(gb_parquet_writer *w)
{
    for (int i = 0; i < w->column_count; i++) {
        gb_parquet_gathered *c = &w->columns[i];
        free(c->data);
        free(c->offset);
        free(c->rep);
        free(c->def);
    }
    gb_arena_destroy(w->arena);
    free(w->chunks);
    free(w->group_rows);
    free(w->page.data);
    free(w->packed);
    free(w);
}

void gb_parquet_writer_abandon(gb_parquet_writer *w)
{
    if (!w)
        return;
    w->to->abandon(w->to);
    release(w);
}

int64_t gb_parquet_writer_bytes(const gb_parquet_writer *w)
{
    return w->at;
}

/* ---- rows -------------------------------------------------------------------------------------
 */

/* Levels of a row of `items` values: which list begins anew with each. */
static gb_status put_levels(gb_parquet_gathered *c, int64_t items)
{
    int lists = c->field.lists;
    size_t need = (size_t)(c->entries + (items > 0 ? items : 1));
    c->rows++;
    if (lists == 0) {
        c->entries += items;
        return GB_OK;
    }
    GB_TRY(gb_parquet_grow((void **)&c->rep, &c->rep_room, need, sizeof *c->rep));
    GB_TRY(gb_parquet_grow((void **)&c->def, &c->def_room, need, sizeof *c->def));
    uint32_t full = (uint32_t)(2 * lists + 1);
    if (items == 0) {
        c->rep[c->entries] = 0;
        c->def[c->entries++] = 1; /* a list, and nothing in it */
    }
    for (int64_t i = 0; i < items; i++) {
        int64_t inner = items;
        uint32_t rep = 0;
        for (int d = 0; d < lists; d++) {
            if (i % inner == 0)
                break;
            rep = (uint32_t)d + 1;
            inner = d + 1 < lists ? inner / c->field.extent[d] : 1;
        }
        c->rep[c->entries] = rep;
        c->def[c->entries++] = full;
    }
    return GB_OK;
}

/* Whole numbers of 8 and 16 bits are stored in 32. */
static void widen(gb_value_type type, const void *from, int64_t count, unsigned char *to)
{
    for (int64_t i = 0; i < count; i++) {
        int32_t value = 0;
        if (type == GB_VALUE_U8)
            value = ((const uint8_t *)from)[i];
        else if (type == GB_VALUE_I8)
            value = ((const int8_t *)from)[i];
        else if (type == GB_VALUE_U16)
            value = ((const uint16_t *)from)[i];
        else
            value = ((const int16_t *)from)[i];
        memcpy(to + 4 * (size_t)i, &value, 4);
    }
}

static gb_status put_values(gb_parquet_gathered *c, const void *values, int64_t count)
{
    size_t bytes = gb_value_type_bytes(c->field.type),
           need = (size_t)(c->values + count) * c->width;
    GB_TRY(gb_parquet_grow((void **)&c->data, &c->data_room, need, 1));
    unsigned char *to = c->data + (size_t)c->values * c->width;
    if (count > 0 && bytes == c->width)
        memcpy(to, values, (size_t)count * bytes);
    else
        widen(c->field.type, values, count, to);
    c->values += count;
    c->data_size = need;
    return GB_OK;
}

gb_status gb_parquet_put(gb_parquet_writer *w, int field, const void *values, int64_t rows)
{
    gb_parquet_gathered *c = &w->columns[field];
    for (int64_t r = 0; r < rows; r++)
        GB_TRY(put_levels(c, c->per_row));
    return put_values(c, values, rows * c->per_row);
}

gb_status gb_parquet_put_list(gb_parquet_writer *w, int field, const void *values, int64_t items)
{
    gb_parquet_gathered *c = &w->columns[field];
    GB_TRY(put_levels(c, items));
    return put_values(c, values, items);
}

gb_status gb_parquet_put_texts(
    gb_parquet_writer *w, int field, const char *const *texts, const size_t *sizes, int64_t items)
{
    gb_parquet_gathered *c = &w->columns[field];
    GB_TRY(put_levels(c, items));
    GB_TRY(gb_parquet_grow((void **)&c->offset, &c->offset_room, (size_t)(c->values + items) + 1,
                           sizeof *c->offset));
    c->offset[0] = 0;
    for (int64_t i = 0; i < items; i++) {
        size_t size = sizes ? sizes[i] : strlen(texts[i]);
        GB_TRY(gb_parquet_grow((void **)&c->data, &c->data_room, c->data_size + size, 1));
        if (size > 0)
            memcpy(c->data + c->data_size, texts[i], size);
        c->data_size += size;
        c->offset[++c->values] = (int64_t)c->data_size;
    }
    return GB_OK;
}

gb_status gb_parquet_writer_group(gb_parquet_writer *w)
{
    int64_t rows = w->column_count > 0 ? w->columns[0].rows : 0;
    size_t columns = (size_t)w->column_count;
    for (int i = 0; i < w->column_count; i++)
        if (w->columns[i].rows != rows)
            return gb_fail(GB_ERR_SHAPE, "a row group of %lld rows: field %s has %lld",
                           (long long)rows, w->columns[i].field.name,
                           (long long)w->columns[i].rows);
    if (rows == 0)
        return GB_OK;
    GB_TRY(gb_parquet_grow((void **)&w->chunks, &w->chunk_room, (w->group_count + 1) * columns,
                           sizeof *w->chunks));
    GB_TRY(gb_parquet_grow((void **)&w->group_rows, &w->group_room, w->group_count + 1,
                           sizeof *w->group_rows));
    for (int i = 0; i < w->column_count; i++)
        GB_TRY(gb_parquet_write_chunk(w, &w->columns[i],
                                      &w->chunks[w->group_count * columns + (size_t)i]));
    w->group_rows[w->group_count++] = rows;
    w->rows += rows;
    return GB_OK;
}

/* ---- footer -----------------------------------------------------------------------------------
 */

enum { /* FieldRepetitionType */
    REQUIRED,
    OPTIONAL,
    REPEATED
};

/* SchemaElement of a group. */
static void put_group_element(
    gb_thrift_out *to, const char *name, int repetition, int64_t children, bool is_list)
{
    gb_thrift_begin(to, 0);
    gb_thrift_put_int(to, 3, GB_THRIFT_I32, repetition);
    gb_thrift_put_text(to, 4, name);
    gb_thrift_put_int(to, 5, GB_THRIFT_I32, children);
    if (is_list) {
        gb_thrift_put_int(to, 6, GB_THRIFT_I32, GB_PARQUET_CONVERTED_LIST);
        gb_thrift_begin(to, 10);
        gb_thrift_begin(to, GB_PARQUET_LOGICAL_LIST);
        gb_thrift_end(to);
        gb_thrift_end(to);
    }
    gb_thrift_end(to);
}

/* ConvertedType of whole numbers that are not the physical type's own; -1: none. */
static int converted_of(gb_value_type type)
{
    switch (type) {
    case GB_VALUE_U8:
        return GB_PARQUET_CONVERTED_UINT_8;
    case GB_VALUE_U16:
        return GB_PARQUET_CONVERTED_UINT_8 + 1;
    case GB_VALUE_U32:
        return GB_PARQUET_CONVERTED_UINT_8 + 2;
    case GB_VALUE_U64:
        return GB_PARQUET_CONVERTED_UINT_8 + 3;
    case GB_VALUE_I8:
        return GB_PARQUET_CONVERTED_UINT_8 + 4;
    case GB_VALUE_I16:
        return GB_PARQUET_CONVERTED_UINT_8 + 5;
    default:
        return -1;
    }
}

static void put_leaf_element(gb_thrift_out *to, const gb_parquet_gathered *c, const char *name)
{
    gb_value_type type = c->field.type;
    int converted = c->field.is_bool ? -1 : converted_of(type);
    gb_thrift_begin(to, 0);
    gb_thrift_put_int(to, 1, GB_THRIFT_I32, c->type);
    gb_thrift_put_int(to, 3, GB_THRIFT_I32, OPTIONAL);
    gb_thrift_put_text(to, 4, name);
    if (type == GB_VALUE_BYTES) {
        gb_thrift_put_int(to, 6, GB_THRIFT_I32, GB_PARQUET_CONVERTED_UTF8);
        gb_thrift_begin(to, 10);
        gb_thrift_begin(to, GB_PARQUET_LOGICAL_STRING);
        gb_thrift_end(to);
        gb_thrift_end(to);
    } else if (converted >= 0) {
        gb_thrift_put_int(to, 6, GB_THRIFT_I32, converted);
        gb_thrift_begin(to, 10);
        gb_thrift_begin(to, GB_PARQUET_LOGICAL_INTEGER);
        gb_thrift_put_int(to, 1, GB_THRIFT_BYTE, (int64_t)gb_value_type_bytes(type) * 8);
        gb_thrift_put_bool(to, 2, converted >= GB_PARQUET_CONVERTED_UINT_8 + 4);
        gb_thrift_end(to);
        gb_thrift_end(to);
    }
    gb_thrift_end(to);
}

static void put_schema(gb_thrift_out *to, const gb_parquet_writer *w)
{
    int64_t count = 1;
    for (int i = 0; i < w->column_count; i++)
        count += 1 + 2 * w->columns[i].field.lists;
    gb_thrift_put_list(to, 2, GB_THRIFT_STRUCT, count);
    put_group_element(to, "schema", REQUIRED, w->column_count, false);
    for (int i = 0; i < w->column_count; i++) {
        const gb_parquet_gathered *c = &w->columns[i];
        for (int d = 0; d < c->field.lists; d++) {
            put_group_element(to, d == 0 ? c->field.name : "element", OPTIONAL, 1, true);
            put_group_element(to, "list", REPEATED, 1, false);
        }
        put_leaf_element(to, c, c->field.lists > 0 ? "element" : c->field.name);
    }
}

/* ColumnChunk and ColumnMetaData. */
static void put_chunk(gb_thrift_out *to,
                      const gb_parquet_writer *w,
                      const gb_parquet_gathered *c,
                      const gb_parquet_written *chunk)
{
    gb_thrift_begin(to, 0);
    gb_thrift_put_int(to, 2, GB_THRIFT_I64, 0);
    gb_thrift_begin(to, 3);
    gb_thrift_put_int(to, 1, GB_THRIFT_I32, c->type);
    gb_thrift_put_list(to, 2, GB_THRIFT_I32, chunk->dictionary ? 3 : 2);
    gb_thrift_put_int(to, 0, GB_THRIFT_I32, GB_PARQUET_PLAIN);
    gb_thrift_put_int(to, 0, GB_THRIFT_I32, GB_PARQUET_RLE);
    if (chunk->dictionary)
        gb_thrift_put_int(to, 0, GB_THRIFT_I32, GB_PARQUET_RLE_DICTIONARY);
    gb_thrift_put_list(to, 3, GB_THRIFT_BINARY, 1 + 2 * c->field.lists);
    gb_thrift_put_text(to, 0, c->field.name);
    for (int d = 0; d < c->field.lists; d++) {
        gb_thrift_put_text(to, 0, "list");
        gb_thrift_put_text(to, 0, "element");
    }
    gb_thrift_put_int(to, 4, GB_THRIFT_I32, w->codec);
    gb_thrift_put_int(to, 5, GB_THRIFT_I64, chunk->values);
    gb_thrift_put_int(to, 6, GB_THRIFT_I64, chunk->uncompressed_bytes);
    gb_thrift_put_int(to, 7, GB_THRIFT_I64, chunk->bytes);
    gb_thrift_put_int(to, 9, GB_THRIFT_I64, chunk->data_at);
    if (chunk->dictionary)
        gb_thrift_put_int(to, 11, GB_THRIFT_I64, chunk->dictionary_at);
    gb_thrift_end(to);
    gb_thrift_end(to);
}

static void put_groups(gb_thrift_out *to, const gb_parquet_writer *w)
{
    gb_thrift_put_list(to, 4, GB_THRIFT_STRUCT, (int64_t)w->group_count);
    for (size_t g = 0; g < w->group_count; g++) {
        const gb_parquet_written *chunks = w->chunks + g * (size_t)w->column_count;
        int64_t bytes = 0;
        gb_thrift_begin(to, 0);
        gb_thrift_put_list(to, 1, GB_THRIFT_STRUCT, w->column_count);
        for (int i = 0; i < w->column_count; i++) {
            put_chunk(to, w, &w->columns[i], &chunks[i]);
            bytes += chunks[i].uncompressed_bytes;
        }
        gb_thrift_put_int(to, 2, GB_THRIFT_I64, bytes);
        gb_thrift_put_int(to, 3, GB_THRIFT_I64, w->group_rows[g]);
        gb_thrift_end(to);
    }
}

static gb_status write_footer(gb_parquet_writer *w)
{
    gb_thrift_out to = {0};
    gb_thrift_put_int(&to, 1, GB_THRIFT_I32, 2);
    put_schema(&to, w);
    gb_thrift_put_int(&to, 3, GB_THRIFT_I64, w->rows);
    put_groups(&to, w);
    if (w->pair_count > 0)
        gb_thrift_put_list(&to, 5, GB_THRIFT_STRUCT, w->pair_count);
    for (int i = 0; i < w->pair_count; i++) {
        gb_thrift_begin(&to, 0);
        gb_thrift_put_text(&to, 1, w->pairs[i].key);
        gb_thrift_put_text(&to, 2, w->pairs[i].value);
        gb_thrift_end(&to);
    }
    gb_thrift_put_text(&to, 6, "genba");
    gb_thrift_end(&to);
    uint32_t size = (uint32_t)to.size;
    gb_status status = gb_thrift_finish(&to);
    if (status == GB_OK)
        status = gb_parquet_write_bytes(w, to.data, to.size);
    if (status == GB_OK)
        status = gb_parquet_write_bytes(w, &size, 4);
    if (status == GB_OK)
        status = gb_parquet_write_bytes(w, "PAR1", 4);
    free(to.data);
    return status;
}

gb_status gb_parquet_writer_finish(gb_parquet_writer *w)
{
    gb_status status = gb_parquet_writer_group(w);
    if (status == GB_OK)
        status = write_footer(w);
    if (status != GB_OK) {
        gb_parquet_writer_abandon(w);
        return status;
    }
    status = w->to->close(w->to);
    release(w);
    return status;
}
