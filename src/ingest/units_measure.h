/* Private to ingest: what a unit measures: base units to integer powers, a factor and a zero. */
#ifndef GENBA_INGEST_UNITS_MEASURE_H
#define GENBA_INGEST_UNITS_MEASURE_H

#include "ingest/units_tables.h"

#define GB_MEASURE_BASES 8
#define GB_MEASURE_BASE_TEXTS "kg", "m", "s", "A", "K", "mol", "cd", "rad"
#define GB_MEASURE_SECOND 2
#define GB_MEASURE_ANGLE 7 /* an angle is a dimension here, as in UCUM */

/* value in base units = scale x value + offset */
typedef struct gb_measure {
    double scale, offset;
    int power[GB_MEASURE_BASES];
    int own, own_power;    /* of a unit that converts to nothing else: its atom + 1; 0: none */
    const char *condition; /* "gauge": what an annotation sets apart; a constant, NULL: nothing */
} gb_measure;

/* [gb_ucum_atom_count], for good. Any thread. */
GB_MUST gb_status gb_measures_get(const gb_measure **out);

#endif
