/* Private to ingest: where rows end and fields lie in text that is in memory. */
#ifndef GENBA_INGEST_FIELDS_H
#define GENBA_INGEST_FIELDS_H

#include "genba/base.h"

/* What is wrong with a row as a row; it can be skipped and reading goes on. */
typedef enum gb_row_fault {
    GB_ROW_WHOLE,
    GB_ROW_NUL,
    GB_ROW_AFTER_QUOTE,
    GB_ROW_TOO_WIDE, /* text beyond the last of the fixed widths */
    GB_ROW_NOT_JSON
} gb_row_fault;

/* How a row is cut into fields. */
typedef struct gb_cutting {
    char delimiter;        /* ' ' means runs of spaces and tabs */
    const int64_t *widths; /* [width_count] in characters: fixed columns, no delimiter, no quotes */
    int64_t width_count;   /* 0: by the delimiter */
    const struct gb_json_paths
        *paths; /* rows are lines of JSON, fields the values at these paths */
} gb_cutting;

#define GB_SPAN_DOUBLED 0x80000000U /* in size: quotes inside are still doubled */
#define GB_SPAN_ESCAPED 0x40000000U /* in size: a string of JSON with backslashes */
#define GB_SPAN_SIZE(span) ((span).size & ~(GB_SPAN_DOUBLED | GB_SPAN_ESCAPED))

/* A field: text[at .. at + size), quotes and outer blanks are gone. */
typedef struct gb_span {
    uint32_t at, size;
} gb_span;

/* The end of the row that starts at `row`: its newline, or `end` when none is in sight. Newlines
 * between quotes do not count; *lines counts those passed, *open says that a quote is open at the
 * end. */
const char *
gb_row_end(const gb_cutting *cutting, const char *row, const char *end, int64_t *lines, bool *open);

/* Cuts text[begin, end), a row without its newline and '\r', into fields; the first `room` are
 * written to spans. Returns how many there are. */
int64_t gb_row_cut(const gb_cutting *cutting,
                   const char *text,
                   size_t begin,
                   size_t end,
                   gb_span *spans,
                   int64_t room,
                   gb_row_fault *fault);

/* Copies a field with its doubled quotes closed up or its escapes resolved: to [GB_SPAN_SIZE]. */
size_t gb_span_copy(const char *text, gb_span span, char *to);

typedef struct gb_cut_row {
    uint32_t begin, end; /* in the text, without newline and '\r' */
    uint32_t line;       /* newlines before it in the text */
    int32_t fields;
    gb_row_fault fault;
} gb_cut_row;

/* Walks over text that ends with a newline, many rows at a time. From 64 bytes before text to 64
 * behind it must be readable. */
typedef struct gb_cutter {
    gb_cutting cutting;
    const char *text;
    size_t size, at;
    int64_t columns;
    uint32_t line;
} gb_cutter;

/* Cuts up to `most` rows that are not blank: rows [most], spans [most x columns]. Of a row with
 * more or fewer fields than columns, which fields are written is not said. 0: the text is done. */
int64_t gb_cutter_next(gb_cutter *cutter, gb_cut_row *rows, gb_span *spans, int64_t most);

#endif
