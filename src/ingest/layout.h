/* Private to ingest: how a delimited text file is laid out, found from its first rows. */
#ifndef GENBA_INGEST_LAYOUT_H
#define GENBA_INGEST_LAYOUT_H

#include "ingest/rows.h"

#include "genba/ingest.h"

#define GB_LAYOUT_ROWS 512       /* rows looked at */
#define GB_LAYOUT_COLUMNS 100000 /* most columns of a file */

typedef enum gb_cell_kind {
    GB_CELL_MISSING,
    GB_CELL_INTEGER,      /* a number without a decimal sign */
    GB_CELL_POINT_NUMBER, /* with '.' */
    GB_CELL_COMMA_NUMBER, /* with ',' */
    GB_CELL_DATETIME,
    GB_CELL_TEXT,
    GB_CELL_KIND_COUNT
} gb_cell_kind;

typedef enum gb_header {
    GB_HEADER_AUTO,
    GB_HEADER_YES,
    GB_HEADER_NO
} gb_header;

/* What is known beforehand; zeros mean: find out. */
typedef struct gb_layout_hints {
    char delimiter;
    char decimal; /* '.' or ',' */
    gb_header header;
    bool names_extra_ignored; /* the header may have more names than the rows have fields */
    const int64_t *widths;    /* [width_count] of fixed columns, in characters */
    int64_t width_count;
    int64_t skip_rows; /* lines before the header or the first row */
} gb_layout_hints;

typedef struct gb_layout_column {
    char *name; /* valid UTF-8, unique in the file, at most GB_STREAM_NAME_MAX bytes */
    int64_t counts[GB_CELL_KIND_COUNT]; /* cells of the sample */
    int64_t year_first;                 /* of the dates */
    bool day_over_12[2]; /* dates like 31/12/2016: was the first, the second number over 12 */
    bool dotted;         /* dates like 31.12.2016 */
    bool rising;         /* numbers never fall in the sample */
    double first, last;  /* whole part of the sample's first and last number */
} gb_layout_column;

typedef struct gb_layout {
    char delimiter, decimal;
    bool header, byte_order_mark;
    int64_t names_extra; /* names of the header beyond the columns */
    int64_t column_count;
    gb_layout_column *columns; /* [column_count] */
} gb_layout;

/* Is this one of the usual words for "no value" ("", "NA", "NaN", "null", "-", ...)? */
bool gb_cell_is_missing(const char *text, size_t size);

bool gb_text_is_utf8(const char *text, size_t size);

/* Cells of the sample that are numbers with this layout's decimal sign. */
int64_t gb_layout_numbers(const gb_layout *layout, int64_t column);

/* Counts one cell of the sample; for layouts that are not found from rows. */
void gb_layout_note(const gb_field *cell, gb_layout_column *column);

/* Reads the first rows and goes back to the start. Memory comes from the arena. */
GB_MUST gb_status gb_layout_find(gb_rows *rows,
                                 const gb_layout_hints *hints,
                                 gb_arena *arena,
                                 gb_layout *out);

#endif
