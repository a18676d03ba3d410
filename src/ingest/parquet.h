/* Private to ingest: Parquet files (https://parquet.apache.org/docs/file-format/), read a batch of
 * rows at a time. What is in memory at once: the file's description, and of each column that is
 * being read one page, its dictionary and one batch.
 *
 *     file (gb_parquet)  >  row group  >  column (gb_parquet_cursor)  >  page  >  values
 *
 * Nested columns are flattened: of each row all numbers of the list, of lists of lists too. Nothing
 * in the file is trusted: each offset, size and count is checked before it is used. */
#ifndef GENBA_INGEST_PARQUET_H
#define GENBA_INGEST_PARQUET_H

#include "genba/mcap.h"

/* parquet.thrift, enum Type */
typedef enum gb_parquet_type {
    GB_PARQUET_BOOLEAN,
    GB_PARQUET_INT32,
    GB_PARQUET_INT64,
    GB_PARQUET_INT96,
    GB_PARQUET_FLOAT,
    GB_PARQUET_DOUBLE,
    GB_PARQUET_BYTE_ARRAY,
    GB_PARQUET_FIXED,
    GB_PARQUET_TYPE_COUNT
} gb_parquet_type;

/* parquet.thrift, enum CompressionCodec */
typedef enum gb_parquet_codec {
    GB_PARQUET_UNCOMPRESSED,
    GB_PARQUET_SNAPPY,
    GB_PARQUET_GZIP,
    GB_PARQUET_LZO,
    GB_PARQUET_BROTLI,
    GB_PARQUET_LZ4_HADOOP,
    GB_PARQUET_ZSTD,
    GB_PARQUET_LZ4_RAW,
    GB_PARQUET_CODEC_COUNT
} gb_parquet_codec;

/* parquet.thrift, enum Encoding */
typedef enum gb_parquet_encoding {
    GB_PARQUET_PLAIN = 0,
    GB_PARQUET_PLAIN_DICTIONARY = 2,
    GB_PARQUET_RLE = 3,
    GB_PARQUET_BIT_PACKED = 4,
    GB_PARQUET_DELTA_BINARY_PACKED = 5,
    GB_PARQUET_DELTA_LENGTH_BYTE_ARRAY = 6,
    GB_PARQUET_DELTA_BYTE_ARRAY = 7,
    GB_PARQUET_RLE_DICTIONARY = 8,
    GB_PARQUET_BYTE_STREAM_SPLIT = 9
} gb_parquet_encoding;

/* What a column's values stand for (logical and converted types). */
typedef enum gb_parquet_meaning {
    GB_PARQUET_NUMBER, /* of the physical type, or of `bits` and `is_signed` */
    GB_PARQUET_TEXT,   /* UTF-8, JSON, an enumeration */
    GB_PARQUET_BINARY,
    GB_PARQUET_TIME,    /* units of unit_ns since 1970 (INT96: nanoseconds of a Julian day) */
    GB_PARQUET_DATE,    /* days since 1970 */
    GB_PARQUET_DECIMAL, /* a whole number times 10^-scale */
    GB_PARQUET_FLOAT16
} gb_parquet_meaning;

typedef struct gb_parquet_column {
    const char *path; /* "observation.state.list.element" */
    const char *name; /* the same without the two levels of a list: "observation.state" */
    gb_parquet_type type;
    gb_parquet_meaning meaning;
    size_t width; /* bytes of a value; 0: BYTE_ARRAY */
    int bits;     /* of a whole number: 8, 16, 32, 64 */
    bool is_signed, is_utc;
    int scale;
    int64_t unit_ns;
    int max_def, max_rep; /* Dremel's definition and repetition levels */
    int list_def;         /* from this definition level on, an entry is an item of the list */
    bool supported;       /* false: its nesting is (a map, a list of groups) */
} gb_parquet_column;

typedef struct gb_parquet_chunk {
    gb_parquet_type type;
    gb_parquet_codec codec;
    int64_t values; /* entries: values, nulls and empty lists */
    int64_t bytes, uncompressed_bytes;
    int64_t data_at, dictionary_at; /* dictionary_at 0: none */
    int64_t nulls;                  /* by its statistics; -1: not said */
} gb_parquet_chunk;

typedef struct gb_parquet_group {
    int64_t rows;
    const gb_parquet_chunk *chunks; /* [column_count] */
} gb_parquet_group;

/* A file that is open; read-only, so its cursors may... each belong to a thread of its own only
 * when the bytes are stable (gb_bytes_in). */
typedef struct gb_parquet {
    gb_bytes_in *from;
    gb_arena *arena;
    const char *origin, *created_by;
    int64_t rows;
    const gb_parquet_column *columns; /* [column_count] leaves, in the order of the schema */
    int column_count;
    const gb_parquet_group *groups; /* [group_count] */
    int group_count;
    const gb_pair *pairs; /* [pair_count] the file's own key-value texts */
    int pair_count;
    uint64_t data_end; /* where the description begins */
} gb_parquet;

/* Takes `from` over, also on failure. GB_ERR_PARSE: no Parquet file, or its description is damaged;
 * GB_ERR_UNSUPPORTED: encrypted. */
GB_MUST gb_status gb_parquet_open(gb_bytes_in *from, gb_parquet **out);
GB_MUST gb_status gb_parquet_open_file(const char *path, gb_parquet **out);
void gb_parquet_close(gb_parquet *file); /* NULL is fine */
/* The column of that name (or path), or -1. */
int gb_parquet_find(const gb_parquet *file, const char *name);

/* ---- values ---- */

/* Rows of one column. Reused from read to read; begins zeroed. Item i of row r is entry
 * row_start[r] + i; a column without lists has one entry a row. */
typedef struct gb_parquet_batch {
    int64_t rows, entries;
    int64_t *row_start;    /* [rows + 1] */
    uint8_t *present;      /* [entries] 0: null */
    unsigned char *values; /* [entries x width]; nulls are zeros */
    int64_t *offset;       /* BYTE_ARRAY: [entries + 1] in bytes */
    unsigned char *bytes;
    size_t row_room, entry_room, value_room, offset_room, byte_room;
} gb_parquet_batch;

void gb_parquet_batch_free(gb_parquet_batch *batch);

typedef struct gb_parquet_cursor gb_parquet_cursor;

/* Stands before the first row of a column in a row group. */
GB_MUST gb_status gb_parquet_cursor_open(const gb_parquet *file,
                                         int group,
                                         int column,
                                         gb_parquet_cursor **out);
void gb_parquet_cursor_close(gb_parquet_cursor *cursor); /* NULL is fine */
/* Reads the next `rows` rows; GB_ERR_CORRUPT when the column has fewer. */
GB_MUST gb_status gb_parquet_read(gb_parquet_cursor *cursor, int64_t rows, gb_parquet_batch *batch);
/* GB_ERR_CORRUPT when rows are left that the row group does not count. */
GB_MUST gb_status gb_parquet_cursor_end(gb_parquet_cursor *cursor);
/* How many rows of these columns to read at once, so that a batch is some MiB. */
int64_t gb_parquet_batch_rows(const gb_parquet *file, int group, const int *columns, int count);

/* The type in which a column's numbers are kept: F32, I64, ...; BYTES for texts and binaries; times
 * are I64 nanoseconds, decimals F64, bools U8. */
gb_value_type gb_parquet_value_type(const gb_parquet_column *column);
/* Converts all entries of a batch to that type: out [entries]. Nulls become NaN, or 0 where a whole
 * number cannot say so. GB_ERR_PARSE: a time beyond 64 bits of nanoseconds. Not for BYTES. */
GB_MUST gb_status gb_parquet_convert(const gb_parquet *file,
                                     const gb_parquet_column *column,
                                     const gb_parquet_batch *batch,
                                     void *out);

#endif
