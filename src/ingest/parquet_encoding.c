/* Parquet's two packings of whole numbers: the RLE / bit-packed hybrid and DELTA_BINARY_PACKED.
 * What they stand for in a page is parquet_decode.c. */
#include "ingest/parquet_encoding.h"

#include <string.h>

#define DELTA_BLOCK_MAX (1u << 24) /* values; writers use 128 to 4096 */

/* ULEB128 */
static bool read_varint(const unsigned char **at, const unsigned char *end, uint64_t *out)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && *at < end; shift += 7) {
        unsigned char byte = *(*at)++;
        if (shift == 63 && byte > 1)
            return false;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *out = value;
            return true;
        }
    }
    return false;
}

/* `width` (1..64) bits from bit number `bit` on, least significant first; all of them lie before
 * `end`. */
static inline uint64_t
load_bits(const unsigned char *data, const unsigned char *end, uint64_t bit, int width)
{
    const unsigned char *at = data + bit / 8;
    int shift = (int)(bit % 8);
    uint64_t low = 0, high = 0;
    size_t left = (size_t)(end - at);
    memcpy(&low, at, left < 8 ? left : 8);
    low >>= shift;
    if (shift + width > 64) {
        high = at[8];
        low |= high << (64 - shift);
    }
    return width == 64 ? low : low & (((uint64_t)1 << width) - 1);
}

/* ---- RLE / bit-packed hybrid ------------------------------------------------------------------
 */

void gb_rle_begin(gb_rle *rle, const unsigned char *data, size_t size, int width)
{
    *rle = (gb_rle){.at = data, .end = data + size, .width = width};
}

static bool next_packed(gb_rle *rle, uint64_t groups)
{
    uint64_t left = (uint64_t)(rle->end - rle->at);
    if (groups > UINT32_MAX)
        return false;
    uint64_t bytes = groups * (uint64_t)rle->width;
    rle->packed = true;
    rle->bits = rle->at;
    rle->bit = 0;
    rle->run = groups * 8;
    if (bytes > left) { /* some writers leave out the last group's padding */
        bytes = left;
        rle->run = left * 8 / (uint64_t)rle->width;
    }
    rle->at += bytes;
    return true;
}

static bool next_run(gb_rle *rle)
{
    uint64_t head = 0;
    if (!read_varint(&rle->at, rle->end, &head))
        return false;
    if (head & 1)
        return next_packed(rle, head >> 1);
    size_t bytes = (size_t)(rle->width + 7) / 8;
    if ((size_t)(rle->end - rle->at) < bytes)
        return false;
    rle->value = 0;
    for (size_t i = 0; i < bytes; i++)
        rle->value |= (uint32_t)rle->at[i] << (8 * i);
    rle->at += bytes;
    rle->packed = false;
    rle->run = head >> 1;
    return rle->width == 32 || rle->value >> rle->width == 0;
}

bool gb_rle_read(gb_rle *rle, int64_t count, uint32_t *out)
{
    if (rle->width == 0) {
        memset(out, 0, (size_t)count * sizeof *out);
        return true;
    }
    while (count > 0) {
        if (rle->run == 0 && !next_run(rle))
            return false;
        int64_t take = rle->run < (uint64_t)count ? (int64_t)rle->run : count;
        if (rle->packed) {
            for (int64_t i = 0; i < take; i++, rle->bit += (uint64_t)rle->width)
                out[i] = (uint32_t)load_bits(rle->bits, rle->at, rle->bit, rle->width);
        } else {
            for (int64_t i = 0; i < take; i++)
                out[i] = rle->value;
        }
        rle->run -= (uint64_t)take;
        out += take;
        count -= take;
    }
    return true;
}

/* ---- DELTA_BINARY_PACKED ----------------------------------------------------------------------
 * Differences of neighbours, less the block's smallest, packed in miniblocks of their own width.
 */

static uint64_t unzigzag(uint64_t value)
{
    return value >> 1 ^ (0 - (value & 1));
}

bool gb_delta_begin(gb_delta *delta, const unsigned char *data, size_t size)
{
    *delta = (gb_delta){.at = data, .end = data + size};
    uint64_t block = 0, first = 0;
    if (!read_varint(&delta->at, delta->end, &block) ||
        !read_varint(&delta->at, delta->end, &delta->mini_count) ||
        !read_varint(&delta->at, delta->end, &delta->left) ||
        !read_varint(&delta->at, delta->end, &first))
        return false;
    if (block == 0 || block > DELTA_BLOCK_MAX || delta->mini_count == 0 ||
        delta->mini_count > block || block % delta->mini_count != 0)
        return false;
    delta->mini_values = block / delta->mini_count;
    delta->mini = delta->mini_count; /* a block begins with the next value */
    delta->mini_at = delta->mini_values;
    delta->value = unzigzag(first);
    return delta->mini_values % 8 == 0 && delta->left <= INT32_MAX;
}

static bool next_miniblock(gb_delta *delta)
{
    if (delta->mini + 1 >= delta->mini_count) {
        uint64_t min = 0;
        if (!read_varint(&delta->at, delta->end, &min) ||
            (uint64_t)(delta->end - delta->at) < delta->mini_count)
            return false;
        delta->min_delta = unzigzag(min);
        delta->widths = delta->at;
        delta->at += delta->mini_count;
        delta->mini = 0;
    } else
        delta->mini++;
    uint64_t width = delta->widths[delta->mini];
    if (width > 64)
        return false;
    uint64_t bytes = width * (delta->mini_values / 8);
    if (bytes > (uint64_t)(delta->end - delta->at))
        return false;
    delta->packed = delta->at;
    delta->at += bytes;
    delta->mini_at = 0;
    return true;
}

bool gb_delta_read(gb_delta *delta, int64_t count, int64_t *out)
{
    if ((uint64_t)count > delta->left)
        return false;
    for (int64_t i = 0; i < count; i++) {
        out[i] = (int64_t)delta->value;
        if (--delta->left == 0)
            continue;
        if (delta->mini_at == delta->mini_values && !next_miniblock(delta))
            return false;
        int width = delta->widths[delta->mini];
        uint64_t step = width == 0 ? 0
                                   : load_bits(delta->packed, delta->at,
                                               delta->mini_at * (uint64_t)width, width);
        delta->mini_at++;
        delta->value += delta->min_delta + step;
    }
    return true;
}
