/* head/ridge.h: weighted ridge regression from many rows, for heads with a closed-form part. */
#ifndef GENBA_MODEL_HEAD_RIDGE_H
#define GENBA_MODEL_HEAD_RIDGE_H

#include "genba/base.h"

#define GB_RIDGE_ROWS 2048 /* rows of one product */

typedef struct gb_ridge gb_ridge;

/* Maps of `inputs` numbers to `outputs` numbers, without a constant. pool is borrowed. */
GB_MUST gb_status gb_ridge_create(int64_t inputs, int64_t outputs, gb_pool *pool, gb_ridge **out);
void gb_ridge_destroy(gb_ridge *ridge); /* NULL is fine */
/* Where the next rows are written: [GB_RIDGE_ROWS][inputs + outputs], x before y, both already
 * multiplied by the root of the row's weight. */
float *gb_ridge_rows(gb_ridge *ridge);
/* Adds the first `count` of them to the sums. */
void gb_ridge_add(gb_ridge *ridge, int64_t count);
/* weights [outputs][inputs] = Y'X (X'X + lambda I)^-1, lambda = ridge_factor x the mean diagonal of
 * X'X. GB_ERR_NUMERIC if the system is singular. */
GB_MUST gb_status gb_ridge_solve(gb_ridge *ridge, double ridge_factor, float *weights);

#endif
