/* Private to ingest: times from text. */
#ifndef GENBA_INGEST_STAMP_H
#define GENBA_INGEST_STAMP_H

#include "genba/ingest.h"

/* Reads a stamp from the first character to the last. period_s: of GB_TIME_FORMAT_ROW. false when
 * the text is not in that format or does not fit 64 bits of nanoseconds. */
bool gb_stamp_parse(const char *text,
                    size_t size,
                    gb_time_format format,
                    char decimal,
                    double period_s,
                    int64_t *out_ns);
/* The same, and whether the stamp itself says which zone it is in (epochs do). */
bool gb_stamp_read(const char *text,
                   size_t size,
                   gb_time_format format,
                   char decimal,
                   double period_s,
                   int64_t *out_ns,
                   bool *out_has_zone);
/* What to expect, for messages: "a date and time like 2016-07-01 00:15:00". */
const char *gb_stamp_expected(gb_time_format format);
gb_time_base gb_stamp_base(gb_time_format format);

#endif
