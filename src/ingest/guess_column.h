/* Private to ingest: what the cells of each column are, over a whole sample. */
#ifndef GENBA_INGEST_GUESS_COLUMN_H
#define GENBA_INGEST_GUESS_COLUMN_H

#include "ingest/guess_sample.h"
#include "ingest/guess_unit.h"

#define GB_GUESS_WORDS 32 /* different words of a column that are kept */

typedef struct gb_guess_word {
    gb_field text; /* in the sample or, unquoted, in the arena */
    int64_t count;
} gb_guess_word;

/* Numbers that devices and programs write when they have none. */
#define GB_SENTINEL_LIST(X)                                                                        \
    X(-9999, "-9999")                                                                              \
    X(-999, "-999")                                                                                \
    X(-99, "-99")                                                                                  \
    X(-999.25, "-999.25") /* well logs */                                                          \
    X(-99999, "-99999")                                                                            \
    X(-999.9, "-999.9")                                                                            \
    X(999, "999")                                                                                  \
    X(9999, "9999")                                                                                \
    X(99999, "99999")                                                                              \
    X(999999, "999999")                                                                            \
    X(-32768, "-32768") /* the least 16-bit integer */                                             \
    X(32767, "32767")                                                                              \
    X(65535, "65535")                                                                              \
    X(9.96921e36, "9.96921e36") /* netCDF's fill value */                                          \
    X(1e31, "1e31")             /* Siemens and others */                                           \
    X(-1e31, "-1e31")                                                                              \
    X(1e30, "1e30")                                                                                \
    X(1e20, "1e20")

enum {
#define GB_SENTINEL_ONE(value, text) +1
    GB_SENTINEL_COUNT = 0 GB_SENTINEL_LIST(GB_SENTINEL_ONE)
#undef GB_SENTINEL_ONE
};

typedef struct gb_guess_column {
    const char *name;
    gb_guess_unit unit;    /* that its name carries */
    bool label_taken;      /* another column has the same name but for the unit */
    int64_t seen, missing; /* seen: not missing */
    int64_t numbers, integers, clocks, texts;
    int64_t dates[3], any_date;    /* readable as year, day, month first; as any of them */
    int64_t zoned, without_clock;  /* of any_date: with Z or +hh:mm; without a time of day */
    int64_t steps_of_one;          /* integers that are one more than the row before */
    bool rising, constant;         /* numbers never fall; all cells seen are the same text */
    bool japanese;                 /* its words are */
    double low, high, first, last; /* of numbers that are no sentinel */
    int64_t sentinels[GB_SENTINEL_COUNT];
    gb_field first_cell;
    gb_guess_word words[GB_GUESS_WORDS]; /* of cells that are neither numbers nor missing */
    int word_count;
    int64_t other_words; /* cells whose word was one too many */
} gb_guess_column;

typedef struct gb_guess_columns {
    gb_guess_column *columns;      /* [count] */
    int64_t count, rows, rows_odd; /* rows_odd: with another number of fields */
} gb_guess_columns;

/* Reads all rows of the table. Memory comes from the arena. */
GB_MUST gb_status gb_guess_look(gb_table *table, gb_arena *arena, gb_guess_columns *out);

/* The sentinels that stand far outside of the column's other values and repeat; writes at most 16
 * and returns their number. */
int gb_guess_sentinels(const gb_guess_column *column, double values[16], const char *texts[16]);
/* hh:mm[:ss[.fraction]], with AM or PM. */
bool gb_guess_is_clock(const gb_field *cell);

#endif
