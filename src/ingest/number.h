/* Private to ingest: numbers from text, the same in every locale. */
#ifndef GENBA_INGEST_NUMBER_H
#define GENBA_INGEST_NUMBER_H

#include "genba/base.h"

typedef enum gb_number_result {
    GB_NUMBER_OK,
    GB_NUMBER_NOT,       /* not a decimal number from the first character to the last */
    GB_NUMBER_TOO_LARGE, /* a number that the type does not hold */
    GB_NUMBER_NOT_WHOLE  /* a fraction where a whole number belongs */
} gb_number_result;

/* [+-]digits[.digits][e[+-]digits] to the nearest value (ties to even). decimal is '.' or ','. */
gb_number_result gb_number_float(const char *text, size_t size, char decimal, float *out);
gb_number_result gb_number_double(const char *text, size_t size, char decimal, double *out);

/* The same grammar when it is a whole number ("1.50e1" is): sign and magnitude. */
gb_number_result
gb_number_whole(const char *text, size_t size, char decimal, bool *negative, uint64_t *magnitude);

/* The same grammar, times 10^shift, rounded to an integer; false when it is no number or does not
 * fit 63 bits. Exact: no binary fraction comes in between. */
bool gb_number_scaled(const char *text, size_t size, char decimal, int shift, int64_t *out);

#endif
