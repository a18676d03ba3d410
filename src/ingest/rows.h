/* Private to ingest: a delimited text file as a sequence of rows of fields, one row in memory: for
 * looking at a file's beginning (layout.c). Whole files are read in blocks (csv.c). */
#ifndef GENBA_INGEST_ROWS_H
#define GENBA_INGEST_ROWS_H

#include "ingest/fields.h"
#include "ingest/input.h"

typedef struct gb_field {
    const char *text; /* not terminated; quotes and outer blanks are gone */
    size_t size;
} gb_field;

typedef struct gb_rows {
    const char *origin; /* file name for messages, borrowed */
    gb_input input;
    gb_decoder decoder;
    char *buffer;
    size_t begin, end, room, limit;
    bool skipped; /* skip_rows lines are behind us */
    /* the row just read */
    int64_t number; /* 1 = the first line of the file; a quoted field may hold several lines */
    int64_t next_number;
    char delimiter;        /* set by the user between rows; ' ' means runs of spaces and tabs */
    const int64_t *widths; /* [width_count] in characters: fixed columns in place of a delimiter */
    int64_t width_count;
    int64_t skip_rows; /* lines before the first row; set before the first one is read */
    gb_row_fault fault;
    gb_field *fields; /* [field_count], valid until the next row */
    gb_span *spans;
    int64_t field_count, field_room;
} gb_rows;

/* Opens a regular file, or memory that stays valid while rows are read; its encoding is found. A
 * byte order mark is skipped (*out_mark says so), an empty file refused. limit: longest row in
 * bytes. */
GB_MUST gb_status gb_rows_open_file(const char *path, size_t limit, gb_rows *out, bool *out_mark);
GB_MUST gb_status gb_rows_open_memory(
    const void *data, size_t size, const char *origin, size_t limit, gb_rows *out, bool *out_mark);
/* From an open input, which is taken over also on failure. */
GB_MUST gb_status gb_rows_open_input(gb_input *input, size_t limit, gb_rows *out, bool *out_mark);
/* Reads the next row that is not blank; *out_have is false after the last. */
GB_MUST gb_status gb_rows_next(gb_rows *rows, bool *out_have);
/* Back to the first row. */
GB_MUST gb_status gb_rows_rewind(gb_rows *rows);
void gb_rows_close(gb_rows *rows);

#endif
