/* Thrift's compact protocol, reading: every length is checked against what is left, nesting is
 * limited. What the fields mean is parquet_meta.c; writing is thrift_write.c. */
#include "ingest/thrift.h"

#include <string.h>

#define DEPTH_MAX 32

gb_status gb_thrift_fail(const gb_thrift *from, const char *problem)
{
    return gb_fail(GB_ERR_PARSE, "%s: byte %llu: %s", from->origin,
                   (unsigned long long)(from->origin_at + (uint64_t)(from->at - from->start)),
                   problem);
}

static size_t left(const gb_thrift *from)
{
    return (size_t)(from->end - from->at);
}

static gb_status read_byte(gb_thrift *from, unsigned char *out)
{
    if (from->at == from->end)
        return gb_thrift_fail(from, "its description ends early: the file was cut or edited");
    *out = *from->at++;
    return GB_OK;
}

/* ULEB128 */
static gb_status read_varint(gb_thrift *from, uint64_t *out)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
        unsigned char byte = 0;
        GB_TRY(read_byte(from, &byte));
        if (shift == 63 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *out = value;
            return GB_OK;
        }
    }
    return gb_thrift_fail(from, "a number of more than 64 bits");
}

static gb_status read_zigzag(gb_thrift *from, int64_t *out)
{
    uint64_t value = 0;
    GB_TRY(read_varint(from, &value));
    *out = (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
    return GB_OK;
}

gb_status gb_thrift_next(gb_thrift *from, gb_thrift_field *field)
{
    unsigned char head = 0;
    GB_TRY(read_byte(from, &head));
    if ((head & 0x0f) > GB_THRIFT_STRUCT)
        return gb_thrift_fail(from, "a field of no known type");
    field->type = (gb_thrift_type)(head & 0x0f);
    if (field->type == GB_THRIFT_STOP)
        return GB_OK;
    int64_t id = field->id + (head >> 4);
    if (head >> 4 == 0)
        GB_TRY(read_zigzag(from, &id));
    if (id < 1 || id > INT16_MAX)
        return gb_thrift_fail(from, "a field of an impossible number");
    field->id = (int)id;
    return GB_OK;
}

static gb_status wrong_type(const gb_thrift *from)
{
    return gb_thrift_fail(from, "a field of another type than Parquet's description has there");
}

gb_status gb_thrift_int(
    gb_thrift *from, const gb_thrift_field *field, int64_t low, int64_t high, int64_t *out)
{
    int64_t value = 0;
    if (field->type == GB_THRIFT_BYTE) {
        unsigned char byte = 0;
        GB_TRY(read_byte(from, &byte));
        value = (int8_t)byte;
    } else if (field->type >= GB_THRIFT_I16 && field->type <= GB_THRIFT_I64)
        GB_TRY(read_zigzag(from, &value));
    else
        return wrong_type(from);
    if (value < low || value > high)
        return gb_thrift_fail(from, "a number out of its range");
    *out = value;
    return GB_OK;
}

gb_status gb_thrift_bool(gb_thrift *from, const gb_thrift_field *field, bool *out)
{
    if (field->type != GB_THRIFT_TRUE && field->type != GB_THRIFT_FALSE)
        return wrong_type(from);
    *out = field->type == GB_THRIFT_TRUE;
    return GB_OK;
}

gb_status gb_thrift_item_binary(gb_thrift *from, const unsigned char **out_data, size_t *out_size)
{
    uint64_t size = 0;
    GB_TRY(read_varint(from, &size));
    if (size > left(from))
        return gb_thrift_fail(from, "a text longer than what is left of the file's description");
    *out_data = from->at;
    *out_size = (size_t)size;
    from->at += size;
    return GB_OK;
}

gb_status gb_thrift_binary(gb_thrift *from,
                           const gb_thrift_field *field,
                           const unsigned char **out_data,
                           size_t *out_size)
{
    return field->type == GB_THRIFT_BINARY ? gb_thrift_item_binary(from, out_data, out_size)
                                           : wrong_type(from);
}

static gb_status read_list(gb_thrift *from, gb_thrift_type *out_item, int64_t *out_count)
{
    unsigned char head = 0;
    GB_TRY(read_byte(from, &head));
    uint64_t count = head >> 4;
    if (count == 15)
        GB_TRY(read_varint(from, &count));
    int item = head & 0x0f;
    if (item == GB_THRIFT_STOP || item > GB_THRIFT_STRUCT)
        return gb_thrift_fail(from, "a list of no known type");
    if (count > left(from))
        return gb_thrift_fail(from, "a list longer than what is left of the file's description");
    *out_item = (gb_thrift_type)item;
    *out_count = (int64_t)count;
    return GB_OK;
}

gb_status gb_thrift_list(gb_thrift *from,
                         const gb_thrift_field *field,
                         gb_thrift_type item,
                         int64_t *out_count)
{
    gb_thrift_type found = GB_THRIFT_STOP;
    if (field->type != GB_THRIFT_LIST && field->type != GB_THRIFT_SET)
        return wrong_type(from);
    GB_TRY(read_list(from, &found, out_count));
    return found == item || *out_count == 0 ? GB_OK : wrong_type(from);
}

gb_status gb_thrift_item_int(gb_thrift *from, int64_t *out)
{
    return read_zigzag(from, out);
}

gb_status gb_thrift_struct(gb_thrift *from, const gb_thrift_field *field)
{
    return field->type == GB_THRIFT_STRUCT ? GB_OK : wrong_type(from);
}

/* ---- passing over -----------------------------------------------------------------------------
 */

static gb_status skip_value(gb_thrift *from, gb_thrift_type type, bool in_list, int depth);

static gb_status skip_bytes(gb_thrift *from, size_t size)
{
    if (size > left(from))
        return gb_thrift_fail(from, "its description ends early: the file was cut or edited");
    from->at += size;
    return GB_OK;
}

static gb_status skip_items(gb_thrift *from, int depth)
{
    gb_thrift_type item = GB_THRIFT_STOP;
    int64_t count = 0;
    GB_TRY(read_list(from, &item, &count));
    for (int64_t i = 0; i < count; i++)
        GB_TRY(skip_value(from, item, true, depth + 1));
    return GB_OK;
}

static gb_status skip_map(gb_thrift *from, int depth)
{
    uint64_t count = 0;
    unsigned char types = 0;
    GB_TRY(read_varint(from, &count));
    if (count == 0)
        return GB_OK;
    GB_TRY(read_byte(from, &types));
    if (count > left(from))
        return gb_thrift_fail(from, "a map longer than what is left of the file's description");
    for (uint64_t i = 0; i < count; i++) {
        GB_TRY(skip_value(from, (gb_thrift_type)(types >> 4), true, depth + 1));
        GB_TRY(skip_value(from, (gb_thrift_type)(types & 0x0f), true, depth + 1));
    }
    return GB_OK;
}

static gb_status skip_struct(gb_thrift *from, int depth)
{
    gb_thrift_field field = {GB_THRIFT_STOP, 0};
    GB_TRY(gb_thrift_next(from, &field));
    while (field.type != GB_THRIFT_STOP) {
        GB_TRY(skip_value(from, field.type, false, depth + 1));
        GB_TRY(gb_thrift_next(from, &field));
    }
    return GB_OK;
}

/* A bool is a byte in a list and nothing beside its head in a struct. */
static gb_status skip_value(gb_thrift *from, gb_thrift_type type, bool in_list, int depth)
{
    int64_t number = 0;
    const unsigned char *data = NULL;
    size_t size = 0;
    if (depth > DEPTH_MAX)
        return gb_thrift_fail(from, "its description is nested too deep");
    switch (type) {
    case GB_THRIFT_TRUE:
    case GB_THRIFT_FALSE:
        return skip_bytes(from, in_list ? 1 : 0);
    case GB_THRIFT_BYTE:
        return skip_bytes(from, 1);
    case GB_THRIFT_I16:
    case GB_THRIFT_I32:
    case GB_THRIFT_I64:
        return read_zigzag(from, &number);
    case GB_THRIFT_DOUBLE:
        return skip_bytes(from, 8);
    case GB_THRIFT_BINARY:
        return gb_thrift_item_binary(from, &data, &size);
    case GB_THRIFT_LIST:
    case GB_THRIFT_SET:
        return skip_items(from, depth);
    case GB_THRIFT_MAP:
        return skip_map(from, depth);
    case GB_THRIFT_STRUCT:
        return skip_struct(from, depth);
    case GB_THRIFT_STOP:
    default:
        return gb_thrift_fail(from, "a value of no known type");
    }
}

gb_status gb_thrift_skip(gb_thrift *from, const gb_thrift_field *field)
{
    return skip_value(from, field->type, false, 0);
}
