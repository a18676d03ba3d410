/* Private to ingest: a text file line by line, one line in memory. */
#ifndef GENBA_INGEST_LINES_H
#define GENBA_INGEST_LINES_H

#include "ingest/input.h"

typedef struct gb_lines {
    const gb_input *input;
    gb_decoder decoder;
    char *buffer;
    size_t begin, end, room, limit;
    int64_t number; /* of the line just read; 1 is the first */
} gb_lines;

/* The input is borrowed. limit: longest line in bytes. */
GB_MUST gb_status gb_lines_open(const gb_input *input, size_t limit, gb_lines *out);
/* The next line without its newline and '\r', valid until the next call; *out_text is NULL after
 * the last. GB_ERR_PARSE: longer than the limit. */
GB_MUST gb_status gb_lines_next(gb_lines *lines, const char **out_text, size_t *out_size);
void gb_lines_close(gb_lines *lines);

#endif
