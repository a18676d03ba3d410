/* The values of one page, for each encoding: to values of a fixed width, or to runs of bytes. Which
 * page, and where nulls stand between them, is parquet_cursor.c. */
#include "ingest/parquet_encoding.h"

#include <stdlib.h>
#include <string.h>

#define PIECE 512                 /* indices and lengths decoded at once */
#define BATCH_BYTES_MAX (1 << 30) /* of runs */

static gb_status damaged(const char *what)
{
    return gb_fail(GB_ERR_CORRUPT, "its %s end early or make no sense", what);
}

gb_status gb_parquet_grow(void **memory, size_t *room, size_t need, size_t size)
{
    if (need <= *room)
        return GB_OK;
    size_t grown_room = *room ? *room : 64;
    while (grown_room < need)
        grown_room *= 2;
    void *grown = need <= (size_t)1 << 40 ? realloc(*memory, grown_room * size) : NULL;
    if (!grown)
        return gb_fail(GB_ERR_MEMORY, "no memory for %zu values of a Parquet column", need);
    *memory = grown;
    *room = grown_room;
    return GB_OK;
}

/* ---- beginning a page -------------------------------------------------------------------------
 */

static gb_status begin_dictionary(gb_parquet_decoder *d, const gb_parquet_dictionary *dictionary)
{
    if (dictionary->count < 0)
        return gb_fail(GB_ERR_CORRUPT, "values by a dictionary, and there is no dictionary");
    d->dictionary = dictionary;
    if (d->at == d->end) { /* a page of nulls */
        gb_rle_begin(&d->rle, d->at, 0, 1);
        return GB_OK;
    }
    int width = *d->at++;
    if (width > 32)
        return gb_fail(GB_ERR_CORRUPT, "dictionary indices of %d bits; expected at most 32", width);
    gb_rle_begin(&d->rle, d->at, (size_t)(d->end - d->at), width);
    return GB_OK;
}

/* PLAIN booleans are bits, RLE ones a hybrid behind its size. */
static gb_status begin_rle_booleans(gb_parquet_decoder *d)
{
    size_t left = (size_t)(d->end - d->at);
    uint32_t size = 0;
    if (left >= 4)
        memcpy(&size, d->at, 4);
    if (left < 4 || size > left - 4)
        return damaged("RLE booleans");
    gb_rle_begin(&d->rle, d->at + 4, size, 1);
    return GB_OK;
}

/* The bytes stand behind all lengths: read over the lengths once to find them. */
static gb_status begin_runs_behind(gb_parquet_decoder *d, gb_delta *lengths)
{
    gb_delta scan;
    int64_t piece[PIECE];
    if (!gb_delta_begin(lengths, d->at, (size_t)(d->end - d->at)))
        return damaged("lengths");
    scan = *lengths;
    while (scan.left > 0)
        if (!gb_delta_read(&scan, scan.left < PIECE ? (int64_t)scan.left : PIECE, piece))
            return damaged("lengths");
    d->at = scan.at;
    return GB_OK;
}

static gb_status begin_delta(gb_parquet_decoder *d)
{
    d->last_size = 0;
    switch (d->encoding) {
    case GB_PARQUET_DELTA_BINARY_PACKED:
        return gb_delta_begin(&d->delta, d->at, (size_t)(d->end - d->at))
                   ? GB_OK
                   : damaged("numbers by differences");
    case GB_PARQUET_DELTA_BYTE_ARRAY:
        GB_TRY(begin_runs_behind(d, &d->prefix));
        return begin_runs_behind(d, &d->delta);
    default:
        return begin_runs_behind(d, &d->delta);
    }
}

/* Which types an encoding may have. */
static bool is_offered(gb_parquet_encoding encoding, gb_parquet_type type)
{
    bool runs = type == GB_PARQUET_BYTE_ARRAY;
    switch (encoding) {
    case GB_PARQUET_PLAIN:
        return true;
    case GB_PARQUET_PLAIN_DICTIONARY:
    case GB_PARQUET_RLE_DICTIONARY:
        return type != GB_PARQUET_BOOLEAN;
    case GB_PARQUET_RLE:
        return type == GB_PARQUET_BOOLEAN;
    case GB_PARQUET_DELTA_BINARY_PACKED:
        return type == GB_PARQUET_INT32 || type == GB_PARQUET_INT64;
    case GB_PARQUET_DELTA_LENGTH_BYTE_ARRAY:
        return runs;
    case GB_PARQUET_DELTA_BYTE_ARRAY:
        return runs || type == GB_PARQUET_FIXED;
    case GB_PARQUET_BYTE_STREAM_SPLIT:
        return !runs && type != GB_PARQUET_BOOLEAN && type != GB_PARQUET_INT96;
    case GB_PARQUET_BIT_PACKED:
    default:
        return false;
    }
}

gb_status gb_parquet_decoder_begin(gb_parquet_decoder *d,
                                   gb_parquet_encoding encoding,
                                   const gb_parquet_column *column,
                                   const unsigned char *data,
                                   size_t size,
                                   const gb_parquet_dictionary *dictionary)
{
    if (!is_offered(encoding, column->type))
        return gb_fail(GB_ERR_UNSUPPORTED, "values in encoding %d, which is not read for this type",
                       (int)encoding);
    d->encoding = encoding;
    d->type = column->type;
    d->width = column->width;
    d->at = data;
    d->end = data + size;
    d->bit = 0;
    d->split = column->width ? (int64_t)(size / column->width) : 0;
    d->split_at = 0;
    if (size == 0 && encoding != GB_PARQUET_PLAIN_DICTIONARY &&
        encoding != GB_PARQUET_RLE_DICTIONARY) {
        d->encoding = GB_PARQUET_PLAIN; /* a page of nulls: nothing can be read */
        return GB_OK;
    }
    switch (encoding) {
    case GB_PARQUET_PLAIN_DICTIONARY:
    case GB_PARQUET_RLE_DICTIONARY:
        return begin_dictionary(d, dictionary);
    case GB_PARQUET_RLE:
        return begin_rle_booleans(d);
    case GB_PARQUET_DELTA_BINARY_PACKED:
    case GB_PARQUET_DELTA_LENGTH_BYTE_ARRAY:
    case GB_PARQUET_DELTA_BYTE_ARRAY:
        return begin_delta(d);
    default:
        return GB_OK;
    }
}

/* ---- values of a fixed width ------------------------------------------------------------------
 */

static bool read_plain(gb_parquet_decoder *d, int64_t count, unsigned char *out)
{
    if ((uint64_t)count > (uint64_t)(d->end - d->at) / d->width)
        return false;
    memcpy(out, d->at, (size_t)count * d->width);
    d->at += (size_t)count * d->width;
    return true;
}

static bool read_plain_booleans(gb_parquet_decoder *d, int64_t count, unsigned char *out)
{
    if ((uint64_t)(d->bit + count) > (uint64_t)(d->end - d->at) * 8)
        return false;
    for (int64_t i = 0; i < count; i++, d->bit++)
        out[i] = d->at[d->bit / 8] >> (d->bit % 8) & 1;
    return true;
}

static bool read_rle_booleans(gb_parquet_decoder *d, int64_t count, unsigned char *out)
{
    uint32_t piece[PIECE];
    for (int64_t done = 0; done < count;) {
        int64_t take = count - done < PIECE ? count - done : PIECE;
        if (!gb_rle_read(&d->rle, take, piece))
            return false;
        for (int64_t i = 0; i < take; i++)
            out[done + i] = (unsigned char)piece[i];
        done += take;
    }
    return true;
}

static bool gather(const gb_parquet_decoder *d, const uint32_t *index, int64_t count, void *out)
{
    const unsigned char *data = d->dictionary->data;
    uint64_t known = (uint64_t)d->dictionary->count;
    size_t width = d->width;
    for (int64_t i = 0; i < count; i++)
        if (index[i] >= known)
            return false;
    if (width == 4) /* constant sizes become single moves */
        for (int64_t i = 0; i < count; i++)
            memcpy((unsigned char *)out + 4 * i, data + 4 * (size_t)index[i], 4);
    else if (width == 8)
        for (int64_t i = 0; i < count; i++)
            memcpy((unsigned char *)out + 8 * i, data + 8 * (size_t)index[i], 8);
    else
        for (int64_t i = 0; i < count; i++)
            memcpy((unsigned char *)out + width * (size_t)i, data + width * index[i], width);
    return true;
}

static bool read_by_dictionary(gb_parquet_decoder *d, int64_t count, unsigned char *out)
{
    uint32_t piece[PIECE];
    for (int64_t done = 0; done < count;) {
        int64_t take = count - done < PIECE ? count - done : PIECE;
        if (!gb_rle_read(&d->rle, take, piece) ||
            !gather(d, piece, take, out + (size_t)done * d->width))
            return false;
        done += take;
    }
    return true;
}

static bool read_delta(gb_parquet_decoder *d, int64_t count, unsigned char *out)
{
    int64_t piece[PIECE];
    for (int64_t done = 0; done < count;) {
        int64_t take = count - done < PIECE ? count - done : PIECE;
        if (!gb_delta_read(&d->delta, take, piece))
            return false;
        for (int64_t i = 0; i < take; i++) { /* INT32: modulo 2^32, the low half */
            unsigned char *to = out + (size_t)(done + i) * d->width;
            memcpy(to, &piece[i], d->width);
        }
        done += take;
    }
    return true;
}

/* Byte k of all values, then byte k + 1 of all. */
static bool read_split(gb_parquet_decoder *d, int64_t count, unsigned char *out)
{
    if (count > d->split - d->split_at)
        return false;
    for (int64_t i = 0; i < count; i++)
        for (size_t k = 0; k < d->width; k++)
            out[(size_t)i * d->width + k] = d->at[k * (size_t)d->split + (size_t)(d->split_at + i)];
    d->split_at += count;
    return true;
}

/* FIXED by DELTA_BYTE_ARRAY: a run whose length must be the width. */
static bool next_suffixed(gb_parquet_decoder *d, gb_status *status);

static bool read_suffixed(gb_parquet_decoder *d, int64_t count, unsigned char *out)
{
    for (int64_t i = 0; i < count; i++) {
        gb_status status = GB_OK;
        if (!next_suffixed(d, &status) || d->last_size != d->width)
            return false;
        memcpy(out + (size_t)i * d->width, d->last, d->width);
    }
    return true;
}

bool gb_parquet_decode_fixed(gb_parquet_decoder *d, int64_t count, unsigned char *out)
{
    switch (d->encoding) {
    case GB_PARQUET_PLAIN:
        return d->type == GB_PARQUET_BOOLEAN ? read_plain_booleans(d, count, out)
                                             : read_plain(d, count, out);
    case GB_PARQUET_PLAIN_DICTIONARY:
    case GB_PARQUET_RLE_DICTIONARY:
        return read_by_dictionary(d, count, out);
    case GB_PARQUET_RLE:
        return read_rle_booleans(d, count, out);
    case GB_PARQUET_DELTA_BINARY_PACKED:
        return read_delta(d, count, out);
    case GB_PARQUET_BYTE_STREAM_SPLIT:
        return read_split(d, count, out);
    case GB_PARQUET_DELTA_BYTE_ARRAY:
        return read_suffixed(d, count, out);
    default:
        return false;
    }
}

/* ---- runs of bytes ----------------------------------------------------------------------------
 */

static gb_status
add_run(gb_parquet_batch *batch, int64_t run, const unsigned char *data, size_t size)
{
    size_t used = (size_t)batch->offset[run];
    if (size > BATCH_BYTES_MAX - used)
        return gb_fail(GB_ERR_CORRUPT, "more than %d MiB of text in a few rows",
                       BATCH_BYTES_MAX >> 20);
    GB_TRY(gb_parquet_grow((void **)&batch->bytes, &batch->byte_room, used + size, 1));
    if (size > 0)
        memcpy(batch->bytes + used, data, size);
    batch->offset[run + 1] = (int64_t)(used + size);
    return GB_OK;
}

static bool next_plain(gb_parquet_decoder *d, const unsigned char **data, size_t *size)
{
    uint32_t length = 0;
    if (d->end - d->at < 4)
        return false;
    memcpy(&length, d->at, 4);
    if (length > (size_t)(d->end - d->at) - 4)
        return false;
    *data = d->at + 4;
    *size = length;
    d->at += 4 + (size_t)length;
    return true;
}

static bool next_by_dictionary(gb_parquet_decoder *d, const unsigned char **data, size_t *size)
{
    uint32_t index = 0;
    if (!gb_rle_read(&d->rle, 1, &index) || index >= (uint64_t)d->dictionary->count)
        return false;
    const uint32_t *offset = d->dictionary->offset + 2 * (size_t)index;
    *data = d->dictionary->data + offset[0];
    *size = offset[1] - offset[0];
    return true;
}

static bool next_behind(gb_parquet_decoder *d, const unsigned char **data, size_t *size)
{
    int64_t length = 0;
    if (!gb_delta_read(&d->delta, 1, &length) || length < 0 || length > d->end - d->at)
        return false;
    *data = d->at;
    *size = (size_t)length;
    d->at += length;
    return true;
}

/* The next value of DELTA_BYTE_ARRAY into d->last. */
static bool next_suffixed(gb_parquet_decoder *d, gb_status *status)
{
    int64_t prefix = 0;
    const unsigned char *data = NULL;
    size_t size = 0;
    if (!gb_delta_read(&d->prefix, 1, &prefix) || prefix < 0 || (size_t)prefix > d->last_size ||
        !next_behind(d, &data, &size))
        return false;
    *status = gb_parquet_grow((void **)&d->last, &d->last_room, (size_t)prefix + size, 1);
    if (*status != GB_OK)
        return false;
    if (size > 0)
        memcpy(d->last + prefix, data, size);
    d->last_size = (size_t)prefix + size;
    return true;
}

static bool
next_run(gb_parquet_decoder *d, const unsigned char **data, size_t *size, gb_status *status)
{
    switch (d->encoding) {
    case GB_PARQUET_PLAIN:
        return next_plain(d, data, size);
    case GB_PARQUET_PLAIN_DICTIONARY:
    case GB_PARQUET_RLE_DICTIONARY:
        return next_by_dictionary(d, data, size);
    case GB_PARQUET_DELTA_LENGTH_BYTE_ARRAY:
        return next_behind(d, data, size);
    case GB_PARQUET_DELTA_BYTE_ARRAY:
        if (!next_suffixed(d, status))
            return false;
        *data = d->last;
        *size = d->last_size;
        return true;
    default:
        return false;
    }
}

gb_status
gb_parquet_decode_runs(gb_parquet_decoder *d, int64_t count, int64_t first, gb_parquet_batch *batch)
{
    for (int64_t i = 0; i < count; i++) {
        const unsigned char *data = NULL;
        size_t size = 0;
        gb_status status = GB_OK;
        if (!next_run(d, &data, &size, &status))
            return status != GB_OK ? status : damaged("texts");
        GB_TRY(add_run(batch, first + i, data, size));
    }
    return GB_OK;
}
