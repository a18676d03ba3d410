/* Private to ingest: a delimited text file as a sequence of rows of fields, one row in memory. */
#ifndef GENBA_INGEST_ROWS_H
#define GENBA_INGEST_ROWS_H

#include "genba/base.h"

typedef struct gb_field {
    const char *text; /* not terminated; quotes and outer blanks are gone */
    size_t size;
} gb_field;

/* What is wrong with the row just read; it can be skipped and reading goes on. */
typedef enum gb_row_fault {
    GB_ROW_WHOLE,
    GB_ROW_NUL,
    GB_ROW_AFTER_QUOTE
} gb_row_fault;

typedef struct gb_rows {
    const char *origin; /* file name for messages, borrowed */
    int file;           /* -1: from memory */
    const char *memory;
    size_t memory_size, memory_at;
    char *buffer;
    size_t begin, end, room, limit;
    bool at_end;
    int64_t bytes;
    /* the row just read */
    int64_t number; /* 1 = the first line of the file; a quoted field may hold several lines */
    int64_t next_number;
    char delimiter; /* set by the user between rows; ' ' means runs of spaces and tabs */
    gb_row_fault fault;
    gb_field *fields; /* [field_count], valid until the next row */
    int64_t field_count, field_room;
} gb_rows;

/* Opens a regular file, or memory that stays valid while rows are read. A UTF-8 byte order mark is
 * skipped (*out_mark says so), UTF-16 is refused, an empty file too. limit: longest row in bytes.
 */
GB_MUST gb_status gb_rows_open_file(const char *path, size_t limit, gb_rows *out, bool *out_mark);
GB_MUST gb_status gb_rows_open_memory(
    const void *data, size_t size, const char *origin, size_t limit, gb_rows *out, bool *out_mark);
/* Reads the next row that is not blank; *out_have is false after the last. */
GB_MUST gb_status gb_rows_next(gb_rows *rows, bool *out_have);
/* Back to the first row. */
GB_MUST gb_status gb_rows_rewind(gb_rows *rows);
void gb_rows_close(gb_rows *rows);

#endif
