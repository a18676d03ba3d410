/* Private to ingest: the beginning of a text file nobody described, as UTF-8 in memory, and where
 * in it the table begins. */
#ifndef GENBA_INGEST_GUESS_SAMPLE_H
#define GENBA_INGEST_GUESS_SAMPLE_H

#include "ingest/encoding.h"
#include "ingest/layout.h"

#define GB_GUESS_SAMPLE_BYTES ((size_t)32 << 20)

typedef struct gb_sample {
    const char *text; /* [size] UTF-8 without its mark, ends with a whole line unless `whole` */
    size_t size;
    bool whole; /* the file has no more than this */
    gb_encoding_guess encoding;
} gb_sample;

/* Reads at most GB_GUESS_SAMPLE_BYTES of a regular file. Memory comes from the arena. */
GB_MUST gb_status gb_sample_read(const char *path, gb_arena *arena, gb_sample *out);
/* The same from memory, which is borrowed where it is UTF-8 already. */
GB_MUST gb_status gb_sample_decode(const void *bytes,
                                   size_t size,
                                   bool whole,
                                   const char *origin,
                                   gb_arena *arena,
                                   gb_sample *out);

/* How a delimited table lies in a sample. */
typedef struct gb_table {
    gb_sample sample;
    gb_rows
        rows; /* opened where the header or the first row stands; its numbers count from there */
    gb_layout layout;
    int64_t skip_rows;  /* lines before that */
    int64_t units_row;  /* 1: the row below the header holds units; skipped as well */
    bool names_apart;   /* the header cannot be read by name: columns go by number */
    const char **units; /* [column_count] what the units row says, or NULL */
} gb_table;

/* Finds the delimiter, title lines, header and units row. gb_table_close when done with it. */
GB_MUST gb_status gb_table_open(const gb_sample *sample,
                                const char *origin,
                                size_t line_limit_bytes,
                                gb_arena *arena,
                                gb_table *out);
/* The same for a table known to have commas, decimal points and a header at its top. */
GB_MUST gb_status gb_table_open_known(const gb_sample *sample,
                                      const char *origin,
                                      size_t line_limit_bytes,
                                      gb_arena *arena,
                                      gb_table *out);
/* Back to the first row of values. */
GB_MUST gb_status gb_table_start(gb_table *table);
void gb_table_close(gb_table *table);

#endif
