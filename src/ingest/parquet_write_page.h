/* Private to ingest: a Parquet writer from the inside: the columns that gather, the chunks that are
 * written. parquet_write.c gathers and ends, parquet_write_page.c makes pages. */
#ifndef GENBA_INGEST_PARQUET_WRITE_PAGE_H
#define GENBA_INGEST_PARQUET_WRITE_PAGE_H

#include "ingest/parquet_write.h"

typedef struct gb_parquet_gathered { /* a field's rows */
    gb_parquet_field field;
    gb_parquet_type type;
    size_t width; /* 0: texts */
    int64_t per_row;
    int64_t rows, entries, values; /* an empty list is an entry without a value */
    unsigned char *data;           /* [values x width], or the texts end to end */
    int64_t *offset;               /* texts: [values + 1] */
    uint32_t *rep, *def;           /* [entries], of lists */
    size_t data_room, offset_room, rep_room, def_room, data_size;
} gb_parquet_gathered;

typedef struct gb_parquet_written { /* of a row group that is written */
    int64_t values, bytes, uncompressed_bytes, data_at, dictionary_at;
    bool dictionary;
} gb_parquet_written;

struct gb_parquet_writer {
    gb_bytes_out *to;
    gb_arena *arena;
    gb_parquet_gathered *columns; /* [column_count] */
    int column_count;
    gb_pair *pairs;
    int pair_count;
    int64_t at, rows;
    gb_parquet_written *chunks; /* [group_count x column_count] */
    int64_t *group_rows;
    size_t group_count, chunk_room, group_room;
    /* one page in the making */
    gb_parquet_buffer page;
    unsigned char *packed;
    size_t packed_room;
    gb_parquet_codec codec;
};

/* Hands bytes to the file. */
GB_MUST gb_status gb_parquet_write_bytes(gb_parquet_writer *writer, const void *data, size_t size);
/* Writes all that a field gathered as one column chunk; it is empty then, also on failure. */
GB_MUST gb_status gb_parquet_write_chunk(gb_parquet_writer *writer,
                                         gb_parquet_gathered *from,
                                         gb_parquet_written *to);

#endif
