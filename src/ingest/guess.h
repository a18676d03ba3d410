/* Private to ingest: what a column's cells say about time. */
#ifndef GENBA_INGEST_GUESS_H
#define GENBA_INGEST_GUESS_H

#include "ingest/layout.h"

/* The format of a column known to hold times; *period_s is set with GB_TIME_FORMAT_ROW. Returns
 * false and the reason when the cells do not tell. */
bool gb_guess_time_format(const gb_layout *layout,
                          int64_t column,
                          gb_time_format *format,
                          double *period_s,
                          const char **reason);

/* Reads rows of an unknown layout into one recording of a new dataset. */
GB_MUST gb_status gb_guess_rows(gb_rows *rows,
                                const gb_ingest_options *options,
                                gb_ingest_report *report,
                                gb_dataset **out);

#endif
