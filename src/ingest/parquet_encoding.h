/* Private to ingest: Parquet's encodings, decoded piece by piece from one page in memory
 * (https://parquet.apache.org/docs/file-format/data-pages/encodings/). Each read returns false when
 * the data ends early or does not make sense. */
#ifndef GENBA_INGEST_PARQUET_ENCODING_H
#define GENBA_INGEST_PARQUET_ENCODING_H

#include "ingest/parquet.h"

/* RLE / bit-packed hybrid: levels, dictionary indices, booleans. */
typedef struct gb_rle {
    const unsigned char *at, *end;
    int width;    /* bits of a value, 0..32; with 0 all values are 0 and there is no data */
    uint64_t run; /* values left of the run */
    bool packed;  /* the run is bit-packed; else `value` repeats */
    uint32_t value;
    const unsigned char *bits; /* of the packed run */
    uint64_t bit;              /* its next value's first bit */
} gb_rle;

void gb_rle_begin(gb_rle *rle, const unsigned char *data, size_t size, int width);
bool gb_rle_read(gb_rle *rle, int64_t count, uint32_t *out);

/* DELTA_BINARY_PACKED. `at` is behind the data once all `left` values are read. */
typedef struct gb_delta {
    const unsigned char *at, *end;
    uint64_t left;               /* values not read yet */
    uint64_t value;              /* the next one, modulo 2^64 */
    uint64_t mini_values;        /* in a miniblock */
    uint64_t mini_count, mini;   /* miniblocks in a block; the current one */
    const unsigned char *widths; /* [mini_count] of the current block */
    const unsigned char *packed; /* of the current miniblock */
    uint64_t mini_at;            /* the next of its values */
    uint64_t min_delta;
} gb_delta;

bool gb_delta_begin(gb_delta *delta, const unsigned char *data, size_t size);
bool gb_delta_read(gb_delta *delta, int64_t count, int64_t *out);

/* The dictionary of a column chunk: values end to end, or runs by offsets. */
typedef struct gb_parquet_dictionary {
    int64_t count; /* -1: there is none */
    const unsigned char *data;
    const uint32_t *offset; /* BYTE_ARRAY: [2 x count] begin, end of each run in data */
} gb_parquet_dictionary;

/* The values of one page, whatever their encoding. */
typedef struct gb_parquet_decoder {
    gb_parquet_encoding encoding;
    gb_parquet_type type;
    size_t width;
    const unsigned char *at, *end;
    int64_t bit;             /* PLAIN booleans */
    int64_t split, split_at; /* BYTE_STREAM_SPLIT: values in the page, the next */
    gb_rle rle;
    gb_delta delta, prefix; /* prefix: DELTA_BYTE_ARRAY */
    const gb_parquet_dictionary *dictionary;
    unsigned char *last; /* DELTA_BYTE_ARRAY: the last value, which the next one begins like */
    size_t last_size, last_room;
} gb_parquet_decoder;

/* data: the values' part of a page. `last` of the decoder is kept from page to page: free it at the
 * end. GB_ERR_UNSUPPORTED: an encoding that this type does not have. */
GB_MUST gb_status gb_parquet_decoder_begin(gb_parquet_decoder *decoder,
                                           gb_parquet_encoding encoding,
                                           const gb_parquet_column *column,
                                           const unsigned char *data,
                                           size_t size,
                                           const gb_parquet_dictionary *dictionary);
/* Fixed-width values to out [count x width]. */
bool gb_parquet_decode_fixed(gb_parquet_decoder *decoder, int64_t count, unsigned char *out);
/* Runs of bytes, appended to batch->bytes; offset[first + i] .. [first + i + 1] is run i.
 * batch->offset has room; GB_ERR_CORRUPT, GB_ERR_MEMORY. */
GB_MUST gb_status gb_parquet_decode_runs(gb_parquet_decoder *decoder,
                                         int64_t count,
                                         int64_t first,
                                         gb_parquet_batch *batch);
/* Makes room for `need` elements of `size` bytes, keeping what is there. */
GB_MUST gb_status gb_parquet_grow(void **memory, size_t *room, size_t need, size_t size);

#endif
