/* Private to ingest: numbers of one type as numbers of another, and as times. */
#ifndef GENBA_INGEST_ARRAY_VALUES_H
#define GENBA_INGEST_ARRAY_VALUES_H

#include "genba/ingest.h"

/* to[i] = from[i] in another type; both [count], apart from each other. Floats may be rounded to a
 * narrower float; everything else keeps its value exactly. Returns the number of the first value
 * that the new type cannot hold, or -1. */
int64_t gb_values_convert(
    gb_value_type from_type, const void *from, int64_t count, gb_value_type to_type, void *to);

/* Turns the bytes of each value around: [count] of `bytes` (1, 2, 4, 8). */
void gb_values_swap(void *values, int64_t count, size_t bytes);

/* IEEE 754 binary16 to float, exactly. */
float gb_values_half(uint16_t half);

/* Value `index` as a double, for messages and magnitudes. */
double gb_values_get(gb_value_type type, const void *values, int64_t index);

/* Value `index` as nanoseconds; false when it is not finite or does not fit. Whole numbers are
 * converted exactly. format: EPOCH_*, SECONDS or ROW. */
bool gb_values_time(gb_value_type type,
                    const void *values,
                    int64_t index,
                    gb_time_format format,
                    double period_s,
                    int64_t *out_ns);

#endif
