/* Private to ingest: which columns tell the time of a row, which ones part the rows into
 * recordings, and how regular the steps are. */
#ifndef GENBA_INGEST_GUESS_TIME_H
#define GENBA_INGEST_GUESS_TIME_H

#include "ingest/guess_column.h"

#define GB_GUESS_SHIFTS 8

/* A step of one hour more or less than usual, where clocks are changed. */
typedef struct gb_guess_shift {
    int64_t local_ns; /* the stamp behind it */
    bool forward;
} gb_guess_shift;

typedef struct gb_guess_time {
    int64_t column, clock_column; /* -1: none; clock_column: the time of day beside a date */
    gb_time_format format;
    bool format_open; /* day or month first: the dates do not tell */
    double period_s;  /* of format row; 0: not known */
    bool zoned;       /* the stamps say their zone */
    int64_t group;    /* a column whose values part the rows into recordings, -1: none */
    /* steps between the rows of a recording */
    int64_t steps, repeated, backward, uneven; /* uneven: more than 1 % off the period */
    int64_t period_ns, jitter_ns, longest_ns;
    int shift_count; /* stamps without a zone that jump as clocks do twice a year */
    gb_guess_shift shifts[GB_GUESS_SHIFTS];
    const char *shift_zone; /* a zone whose clocks were changed just then, or NULL */
} gb_guess_time;

/* groups: may a column part the rows? Without, numbers that ever fall are no clock. */
GB_MUST gb_status gb_guess_find_time(gb_table *table,
                                     const gb_guess_columns *columns,
                                     bool groups,
                                     gb_guess_time *out);
/* Is the column called as things are that recordings are told apart by? */
bool gb_guess_is_identity(const char *name);
/* Is the column a count of the rows, which tools write beside the data? */
bool gb_guess_counts_rows(const gb_guess_columns *columns, int64_t column);

#endif
