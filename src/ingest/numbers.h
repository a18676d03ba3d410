/* Private to ingest: numbers of any value type as doubles. */
#ifndef GENBA_INGEST_NUMBERS_H
#define GENBA_INGEST_NUMBERS_H

#include "genba/record.h"

/* out[i] = in[i] for count numbers of `type`; nothing for BYTES. Whole numbers above 2^53 are
 * rounded. */
void gb_numbers_load(gb_value_type type, const void *in, double *out, size_t count);
/* The way back to F32 or F64. */
void gb_numbers_store(gb_value_type type, const double *in, void *out, size_t count);

#endif
