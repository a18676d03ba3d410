/* eval/sheet.h: the numbers of one benchmark file as a matrix. Private to eval. */
#ifndef GENBA_EVAL_SHEET_H
#define GENBA_EVAL_SHEET_H

#include "genba/eval.h"

typedef struct gb_sheet {
    int64_t rows;
    int columns;
    const char *const *names;  /* [columns] */
    const float *values;       /* [rows x columns], NaN missing */
    const char *const *stamps; /* [rows] text of the first column; NULL when that is a number */
} gb_sheet;

/* Reads a table of one header row; a first column of text is kept as stamps and is no column.
 * delimiter ' ' means runs of spaces. A header that names more columns than the rows hold is cut.
 * Lives in the arena. */
GB_MUST gb_status gb_sheet_read(const char *path, char delimiter, gb_arena *arena, gb_sheet *out);
/* The column's number, or GB_ERR_NOT_FOUND naming the file. */
GB_MUST gb_status gb_sheet_column(const gb_sheet *sheet,
                                  const char *path,
                                  const char *name,
                                  int *out_column);

#endif
