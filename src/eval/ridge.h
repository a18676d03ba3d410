/* eval/ridge.h: least squares with a penalty, in closed form. Private to eval. */
#ifndef GENBA_EVAL_RIDGE_H
#define GENBA_EVAL_RIDGE_H

#include "genba/eval.h"

/* Solves (A + lambda I) X = B in place for symmetric positive definite A [n x n] (lower half read)
 * and B [n x m]; lambda = ridge x mean diagonal of A. GB_ERR_NUMERIC when A is not definite. */
GB_MUST gb_status gb_least_squares_solve(double *a, double *b, int64_t n, int64_t m, double ridge);

/* The linear forecaster: from look_back rows, less their mean, to horizon rows, less the same mean,
 * fit on all windows of series [rows x columns] that lie in its first train_rows. weights
 * [look_back x horizon] live in the arena. */
GB_MUST gb_status gb_ridge_fit_series(const float *series,
                                      int64_t train_rows,
                                      int columns,
                                      int64_t look_back,
                                      int64_t horizon,
                                      double ridge,
                                      gb_arena *arena,
                                      float **out_weights);

#endif
