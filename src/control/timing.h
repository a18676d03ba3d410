/* control/timing.h: percentiles of times that are taken while a control loop runs: a fixed
 * histogram, so that adding a time allocates nothing and costs the same always. Private to the
 * room. */
#ifndef GENBA_CONTROL_TIMING_H
#define GENBA_CONTROL_TIMING_H

#include "genba/control.h"

typedef struct gb_histogram gb_histogram;

/* All memory is touched here, so that no page fault is left for gb_histogram_add. */
GB_MUST gb_status gb_histogram_create(gb_histogram **out);
void gb_histogram_destroy(gb_histogram *histogram); /* NULL is fine */
/* Negative times count as 0; those beyond 17 s only move the maximum. By one thread. */
void gb_histogram_add(gb_histogram *histogram, int64_t time_ns);
/* Exact to 1 part in 4096; the maximum is exact. All 0 when nothing was added. */
void gb_histogram_read(const gb_histogram *histogram, gb_timing *out);

#endif
