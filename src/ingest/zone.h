/* Private to ingest: time zones, from the machine's zoneinfo files (RFC 8536), without touching the
 * process's own zone. */
#ifndef GENBA_INGEST_ZONE_H
#define GENBA_INGEST_ZONE_H

#include "genba/base.h"

typedef struct gb_zone gb_zone;

typedef enum gb_zone_kind {
    GB_ZONE_PLAIN,
    GB_ZONE_FOLD, /* the clock was set back: this reading of it happened twice */
    GB_ZONE_GAP /* the clock was set forward over it: no such reading; moved by the gap's length */
} gb_zone_kind;

/* "Europe/Berlin", "+09:00", "UTC+9", "UTC", "Z". A zone is used by one thread at a time (it
 * remembers where it last looked). GB_ERR_NOT_FOUND names the nearest. */
GB_MUST gb_status gb_zone_load(const char *name, gb_zone **out);
/* The same from a TZif file's bytes. */
GB_MUST gb_status gb_zone_parse(const void *data, size_t size, const char *name, gb_zone **out);
void gb_zone_destroy(gb_zone *zone); /* NULL is fine */

/* local_ns: what the wall clock showed, as if it were UTC (nanoseconds since 1970). later: which
 * reading of a fold. GB_ERR_ARGUMENT: does not fit 64 bits. out_kind may be NULL. */
GB_MUST gb_status gb_zone_to_utc(
    gb_zone *zone, int64_t local_ns, bool later, int64_t *out_utc_ns, gb_zone_kind *out_kind);
/* Seconds east of UTC at an instant. */
int64_t gb_zone_offset_s(const gb_zone *zone, int64_t utc_ns);
/* Does the zone ever set its clock back or forward between two instants? */
bool gb_zone_changes(const gb_zone *zone, int64_t from_utc_ns, int64_t to_utc_ns);

#endif
