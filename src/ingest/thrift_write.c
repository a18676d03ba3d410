/* Thrift's compact protocol, writing into memory that grows. Reading is thrift.c. */
#include "ingest/thrift.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void put(gb_thrift_out *out, const void *data, size_t size)
{
    if (out->failed || size == 0)
        return;
    if (size > out->room - out->size) {
        size_t room = out->room ? out->room : 256;
        while (room - out->size < size)
            room *= 2;
        unsigned char *grown = realloc(out->data, room);
        if (!grown) {
            out->failed = true;
            return;
        }
        out->data = grown;
        out->room = room;
    }
    memcpy(out->data + out->size, data, size);
    out->size += size;
}

static void put_varint(gb_thrift_out *out, uint64_t value)
{
    unsigned char bytes[10];
    size_t count = 0;
    for (; value >= 0x80; value >>= 7)
        bytes[count++] = (unsigned char)(value | 0x80);
    bytes[count++] = (unsigned char)value;
    put(out, bytes, count);
}

static void put_zigzag(gb_thrift_out *out, int64_t value)
{
    put_varint(out, ((uint64_t)value << 1) ^ (uint64_t)(value >> 63));
}

static void put_head(gb_thrift_out *out, int field, gb_thrift_type type)
{
    if (field == 0)
        return;
    int step = field - out->last[out->depth];
    unsigned char head = (unsigned char)type;
    if (step >= 1 && step <= 15) {
        head = (unsigned char)(head | step << 4);
        put(out, &head, 1);
    } else {
        put(out, &head, 1);
        put_zigzag(out, field);
    }
    out->last[out->depth] = field;
}

void gb_thrift_put_int(gb_thrift_out *out, int field, gb_thrift_type type, int64_t value)
{
    put_head(out, field, type);
    unsigned char byte = (unsigned char)value;
    if (type == GB_THRIFT_BYTE)
        put(out, &byte, 1);
    else
        put_zigzag(out, value);
}

void gb_thrift_put_bool(gb_thrift_out *out, int field, bool value)
{
    assert(field > 0);
    put_head(out, field, value ? GB_THRIFT_TRUE : GB_THRIFT_FALSE);
}

void gb_thrift_put_binary(gb_thrift_out *out, int field, const void *data, size_t size)
{
    put_head(out, field, GB_THRIFT_BINARY);
    put_varint(out, size);
    put(out, data, size);
}

void gb_thrift_put_text(gb_thrift_out *out, int field, const char *text)
{
    gb_thrift_put_binary(out, field, text, strlen(text));
}

void gb_thrift_put_list(gb_thrift_out *out, int field, gb_thrift_type item, int64_t count)
{
    put_head(out, field, GB_THRIFT_LIST);
    unsigned char head = (unsigned char)((count < 15 ? (int)count : 15) << 4 | (int)item);
    put(out, &head, 1);
    if (count >= 15)
        put_varint(out, (uint64_t)count);
}

void gb_thrift_begin(gb_thrift_out *out, int field)
{
    put_head(out, field, GB_THRIFT_STRUCT);
    assert(out->depth < 15);
    out->last[++out->depth] = 0;
}

void gb_thrift_end(gb_thrift_out *out)
{
    put(out, "", 1); /* STOP */
    if (out->depth > 0)
        out->depth--;
}

gb_status gb_thrift_finish(const gb_thrift_out *out)
{
    return out->failed ? gb_fail(GB_ERR_MEMORY, "no memory for a file's description") : GB_OK;
}
