/* What a Parquet writer packs: levels and indices as runs, equal values as a dictionary. */
#include "ingest/parquet_write.h"

#include "ingest/parquet_encoding.h"

#include <stdlib.h>
#include <string.h>

gb_status gb_parquet_buffer_add(gb_parquet_buffer *to, const void *data, size_t size)
{
    GB_TRY(gb_parquet_grow((void **)&to->data, &to->room, to->size + size, 1));
    if (size > 0)
        memcpy(to->data + to->size, data, size);
    to->size += size;
    return GB_OK;
}

static gb_status add_varint(gb_parquet_buffer *to, uint64_t value)
{
    unsigned char bytes[10];
    size_t count = 0;
    for (; value >= 0x80; value >>= 7)
        bytes[count++] = (unsigned char)(value | 0x80);
    bytes[count++] = (unsigned char)value;
    return gb_parquet_buffer_add(to, bytes, count);
}

/* `count` values, a multiple of 8 or the last ones, padded with zeros. */
static gb_status add_packed(gb_parquet_buffer *to, const uint32_t *values, int64_t count, int width)
{
    int64_t groups = (count + 7) / 8;
    if (count == 0)
        return GB_OK;
    GB_TRY(add_varint(to, (uint64_t)groups << 1 | 1));
    size_t bytes = (size_t)(groups * width);
    GB_TRY(gb_parquet_grow((void **)&to->data, &to->room, to->size + bytes, 1));
    unsigned char *out = to->data + to->size;
    uint64_t bits = 0;
    int filled = 0;
    for (int64_t i = 0; i < groups * 8; i++) {
        bits |= (uint64_t)(i < count ? values[i] : 0) << filled;
        for (filled += width; filled >= 8; filled -= 8, bits >>= 8)
            *out++ = (unsigned char)bits;
    }
    to->size += bytes;
    return GB_OK;
}

static gb_status add_run(gb_parquet_buffer *to, uint32_t value, int64_t count, int width)
{
    GB_TRY(add_varint(to, (uint64_t)count << 1));
    return gb_parquet_buffer_add(to, &value, (size_t)(width + 7) / 8); /* little-endian */
}

static int64_t run_from(const uint32_t *values, int64_t at, int64_t count)
{
    int64_t end = at + 1;
    while (end < count && values[end] == values[at])
        end++;
    return end - at;
}

/* Runs of 8 and more by themselves, what lies between packed. Packed values come in eights: a run
 * gives up its first ones to fill the last eight. */
gb_status gb_rle_write(gb_parquet_buffer *to, const uint32_t *values, int64_t count, int width)
{
    int64_t packed = 0, at = 0; /* [packed, at) waits */
    while (at < count) {
        int64_t run = run_from(values, at, count), fill = (8 - (at - packed) % 8) % 8;
        if (run - fill < 8) {
            at += run;
            continue;
        }
        GB_TRY(add_packed(to, values + packed, at + fill - packed, width));
        GB_TRY(add_run(to, values[at], run - fill, width));
        at += run;
        packed = at;
    }
    return add_packed(to, values + packed, count - packed, width);
}

/* ---- dictionaries -----------------------------------------------------------------------------
 */

static uint64_t hash_bytes(const unsigned char *data, size_t size)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a, then mixed */
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ data[i]) * UINT64_C(0x100000001b3);
    return hash ^ hash >> 29;
}

typedef struct values {
    const unsigned char *data;
    const int64_t *offset;
    size_t width;
} values;

static const unsigned char *value_at(const values *v, int64_t i, size_t *size)
{
    *size = v->offset ? (size_t)(v->offset[i + 1] - v->offset[i]) : v->width;
    return v->data + (v->offset ? (size_t)v->offset[i] : (size_t)i * v->width);
}

bool gb_parquet_number_values(const unsigned char *data,
                              const int64_t *offset,
                              size_t width,
                              int64_t count,
                              size_t limit,
                              uint32_t *index,
                              int64_t *first,
                              int64_t *out_distinct,
                              gb_status *status)
{
    values v = {data, offset, width};
    size_t slots = 64, used = 0;
    while (slots < 2 * (size_t)count)
        slots *= 2;
    uint32_t *table = calloc(slots, sizeof *table); /* number + 1 of a distinct value */
    int64_t distinct = 0;
    *status = table ? GB_OK : gb_fail(GB_ERR_MEMORY, "no memory for a dictionary");
    for (int64_t i = 0; table && i < count; i++) {
        size_t size = 0, other_size = 0;
        const unsigned char *at = value_at(&v, i, &size);
        size_t slot = hash_bytes(at, size) & (slots - 1);
        for (; table[slot] != 0; slot = (slot + 1) & (slots - 1)) {
            const unsigned char *other = value_at(&v, first[table[slot] - 1], &other_size);
            if (other_size == size && (size == 0 || memcmp(other, at, size) == 0))
                break;
        }
        if (table[slot] == 0) {
            used += size + (offset ? 4 : 0);
            if (used > limit)
                break;
            first[distinct++] = i;
            table[slot] = (uint32_t)distinct;
        }
        index[i] = table[slot] - 1;
    }
    free(table);
    *out_distinct = distinct;
    return *status == GB_OK && used <= limit;
}
