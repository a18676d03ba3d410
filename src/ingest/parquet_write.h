/* Private to ingest: writing Parquet files, the way pyarrow does by default: pages of version 1
 * with checksums, dictionaries, snappy, every field optional, lists in three levels. A row group is
 * in memory until it ends. */
#ifndef GENBA_INGEST_PARQUET_WRITE_H
#define GENBA_INGEST_PARQUET_WRITE_H

#include "ingest/parquet.h"

#define GB_PARQUET_LISTS_MAX 3

typedef struct gb_parquet_field {
    const char *name;
    gb_value_type type; /* BYTES: text, UTF-8 */
    bool is_bool;       /* U8 of 0 and 1 */
    int lists;          /* 0: one value a row; n: lists of lists of ..., n deep */
    int64_t
        extent[GB_PARQUET_LISTS_MAX]; /* items on each depth; extent[0] 0: any number (lists 1) */
} gb_parquet_field;

typedef struct gb_parquet_writer gb_parquet_writer;

/* Takes `to` over, also on failure. Fields and pairs are copied. */
GB_MUST gb_status gb_parquet_writer_create(gb_bytes_out *to,
                                           const gb_parquet_field *fields,
                                           int field_count,
                                           const gb_pair *pairs,
                                           int pair_count,
                                           gb_parquet_writer **out);
/* Adds rows to a field: values [rows x product of extents] end to end, of the field's type. */
GB_MUST gb_status gb_parquet_put(gb_parquet_writer *writer,
                                 int field,
                                 const void *values,
                                 int64_t rows);
/* Adds one row: `items` values (a list of any number), or texts. */
GB_MUST gb_status gb_parquet_put_list(gb_parquet_writer *writer,
                                      int field,
                                      const void *values,
                                      int64_t items);
GB_MUST gb_status gb_parquet_put_texts(gb_parquet_writer *writer,
                                       int field,
                                       const char *const *texts,
                                       const size_t *sizes, /* NULL: texts end with 0 */
                                       int64_t items);
/* Ends the row group; all fields must have as many rows. Nothing happens without any. */
GB_MUST gb_status gb_parquet_writer_group(gb_parquet_writer *writer);
/* Bytes written so far. */
int64_t gb_parquet_writer_bytes(const gb_parquet_writer *writer);
/* Ends the row group, writes the footer, closes; frees the writer either way. */
GB_MUST gb_status gb_parquet_writer_finish(gb_parquet_writer *writer);
void gb_parquet_writer_abandon(gb_parquet_writer *writer); /* NULL is fine */

/* ---- parquet_encode.c ---- */

typedef struct gb_parquet_buffer {
    unsigned char *data;
    size_t size, room;
} gb_parquet_buffer;

GB_MUST gb_status gb_parquet_buffer_add(gb_parquet_buffer *to, const void *data, size_t size);
/* The RLE / bit-packed hybrid of values below 2^width, width 1..32. */
GB_MUST gb_status gb_rle_write(gb_parquet_buffer *to,
                               const uint32_t *values,
                               int64_t count,
                               int width);
/* Numbers the different values among `count` of `width` bytes (0: runs by offset [count + 1]), in
 * the order in which they come: index [count], and the first of each in first [*out_distinct].
 * False when they would take more than `limit` bytes as a dictionary; GB_ERR_MEMORY sets *status.
 */
bool gb_parquet_number_values(const unsigned char *data,
                              const int64_t *offset,
                              size_t width,
                              int64_t count,
                              size_t limit,
                              uint32_t *index,
                              int64_t *first,
                              int64_t *out_distinct,
                              gb_status *status);

#endif
