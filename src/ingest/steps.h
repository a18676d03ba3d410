/* Private to ingest: the steps between the times of rows, and what is usual among them. */
#ifndef GENBA_INGEST_STEPS_H
#define GENBA_INGEST_STEPS_H

#include "genba/ingest.h"

#define GB_STEPS_KEPT 16384

/* Keeps every `every`-th step; when full, every second of them is dropped and `every` doubles. So
 * memory is bounded, the whole file is represented, and nothing is random. */
typedef struct gb_steps {
    int64_t *kept; /* [count] */
    int64_t count, room, every, seen, longest_ns;
} gb_steps;

/* Steps that find no memory are not counted: they are an estimate. */
void gb_steps_add(gb_steps *steps, int64_t step_ns);
/* Writes period_ns, jitter_ns and longest_step_ns; sorts what was kept. */
void gb_steps_report(gb_steps *steps, gb_ingest_report *report);
void gb_steps_free(gb_steps *steps);

#endif
