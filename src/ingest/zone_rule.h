/* Private to ingest: the POSIX rule ("CET-1CEST,M3.5.0,M10.5.0/3") that zoneinfo files end with. */
#ifndef GENBA_INGEST_ZONE_RULE_H
#define GENBA_INGEST_ZONE_RULE_H

#include "genba/base.h"

/* From start_s (UTC, seconds since 1970) on, the clock is offset_s east of UTC. */
typedef struct gb_zone_span {
    int64_t start_s, offset_s;
} gb_zone_span;

/* When in a year a clock is changed. */
typedef struct gb_zone_day {
    enum gb_zone_day_kind {
        GB_ZONE_DAY_JULIAN,  /* Jn: 1..365, 29 February is never counted */
        GB_ZONE_DAY_OF_YEAR, /* n: 0..365 */
        GB_ZONE_DAY_OF_WEEK  /* Mm.w.d: the w-th (5: last) weekday d (0: Sunday) of month m */
    } kind;
    int month, week, day;
    int64_t time_s; /* of the wall clock before the change, -167 h .. 167 h */
} gb_zone_day;

typedef struct gb_zone_rule {
    bool summer;                                /* is there summer time? */
    int64_t standard_offset_s, summer_offset_s; /* east of UTC */
    gb_zone_day summer_from, summer_to;
} gb_zone_rule;

#define GB_ZONE_RULE_YEARS 600 /* most years that are written out */
#define GB_ZONE_RULE_SPANS (2 * GB_ZONE_RULE_YEARS)

/* From the first character to the last; false when it is none. */
bool gb_zone_rule_parse(const char *text, size_t size, gb_zone_rule *out);
/* Appends the rule's spans from the last of spans [count] to the year 2263; there is room for
 * GB_ZONE_RULE_SPANS more. Returns the new count. */
int64_t gb_zone_rule_write_out(const gb_zone_rule *rule, gb_zone_span *spans, int64_t count);

#endif
