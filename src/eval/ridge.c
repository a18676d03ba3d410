/* eval/ridge.c: the linear baselines. A window of a series shares all but one row with its
 * neighbour, so the sums over all windows follow from one another along the diagonals and the fit
 * costs a few hundred milliseconds where the plain product would take minutes. */
#include "eval/ridge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Cholesky ---------------------------------------------------------------------------------
 */

/* a = L L^T, L in the lower half. */
static gb_status factor(double *a, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j <= i; j++) {
            double sum = a[i * n + j];
            for (int64_t k = 0; k < j; k++)
                sum -= a[i * n + k] * a[j * n + k];
            if (i > j) {
                a[i * n + j] = sum / a[j * n + j];
            } else if (sum > 0.0) {
                a[i * n + i] = sqrt(sum);
            } else {
                return gb_fail(GB_ERR_NUMERIC,
                               "ridge: the system of %lld unknowns has no single solution: a "
                               "column is constant or repeats another; raise the penalty",
                               (long long)n);
            }
        }
    }
    return GB_OK;
}

/* b = b - scale * from, over m numbers. */
static void subtract_row(double *b, const double *from, double scale, int64_t m)
{
    for (int64_t c = 0; c < m; c++)
        b[c] -= scale * from[c];
}

gb_status gb_least_squares_solve(double *a, double *b, int64_t n, int64_t m, double ridge)
{
    double trace = 0.0;
    for (int64_t i = 0; i < n; i++)
        trace += a[i * n + i];
    for (int64_t i = 0; i < n; i++)
        a[i * n + i] += ridge * trace / (double)n;
    GB_TRY(factor(a, n));
    for (int64_t i = 0; i < n; i++) { /* L y = b */
        for (int64_t k = 0; k < i; k++)
            subtract_row(b + i * m, b + k * m, a[i * n + k], m);
        for (int64_t c = 0; c < m; c++)
            b[i * m + c] /= a[i * n + i];
    }
    for (int64_t i = n - 1; i >= 0; i--) { /* L^T x = y */
        for (int64_t k = i + 1; k < n; k++)
            subtract_row(b + i * m, b + k * m, a[k * n + i], m);
        for (int64_t c = 0; c < m; c++)
            b[i * m + c] /= a[i * n + i];
    }
    return GB_OK;
}

/* ---- sums over all windows of one column ------------------------------------------------------
 * Windows w = 0 .. count-1 hold x[w .. w + length), length = look_back + horizon, mean m_w over the
 * first look_back. Wanted for i < look_back, all j < length:
 *     S_ij = sum_w (x[w+i] - m_w)(x[w+j] - m_w) = P_ij - M_i - M_j + Q
 *     P_ij = sum_w x[w+i] x[w+j],  M_i = sum_w m_w x[w+i],  Q = sum_w m_w^2
 *     P_(i+1)(j+1) = P_ij - x[i] x[j] + x[count+i] x[count+j]                                  */
static void add_column(const double *x,
                       const double *mean,
                       int64_t count,
                       int64_t look_back,
                       int64_t length,
                       double *cross, /* [length] scratch */
                       double *p,     /* [look_back x length] scratch */
                       double *sums)  /* [look_back x length], added to */
{
    double square = 0.0;
    for (int64_t w = 0; w < count; w++)
        square += mean[w] * mean[w];
    for (int64_t i = 0; i < length; i++) {
        cross[i] = p[i] = 0.0;
        for (int64_t w = 0; w < count; w++) {
            cross[i] += mean[w] * x[w + i];
            p[i] += x[w] * x[w + i];
        }
    }
    for (int64_t i = 1; i < look_back; i++) {
        const double *above = p + (i - 1) * length;
        for (int64_t j = i; j < length; j++)
            p[i * length + j] =
                above[j - 1] - x[i - 1] * x[j - 1] + x[count + i - 1] * x[count + j - 1];
    }
    for (int64_t i = 0; i < look_back; i++) {
        for (int64_t j = i; j < length; j++)
            sums[i * length + j] += p[i * length + j] - cross[i] - cross[j] + square;
    }
}

typedef struct fit {
    int64_t rows, count, look_back, horizon, length;
    double *x, *mean, *cross, *p, *sums, *a, *b;
} fit;

static void load_column(fit *f, const float *series, int columns, int column)
{
    for (int64_t row = 0; row < f->rows; row++)
        f->x[row] = (double)series[row * columns + column];
    for (int64_t w = 0; w < f->count; w++) {
        double sum = 0.0;
        for (int64_t i = 0; i < f->look_back; i++)
            sum += f->x[w + i];
        f->mean[w] = sum / (double)f->look_back;
    }
}

static gb_status solve(fit *f, double ridge, float *weights)
{
    for (int64_t i = 0; i < f->look_back; i++) {
        for (int64_t j = 0; j <= i; j++)
            f->a[i * f->look_back + j] = f->sums[j * f->length + i];
        memcpy(f->b + i * f->horizon, f->sums + i * f->length + f->look_back,
               (size_t)f->horizon * sizeof *f->b);
    }
    GB_TRY(gb_least_squares_solve(f->a, f->b, f->look_back, f->horizon, ridge));
    for (int64_t i = 0; i < f->look_back * f->horizon; i++)
        weights[i] = (float)f->b[i];
    return GB_OK;
}

gb_status gb_ridge_fit_series(const float *series,
                              int64_t train_rows,
                              int columns,
                              int64_t look_back,
                              int64_t horizon,
                              double ridge,
                              gb_arena *arena,
                              float **out_weights)
{
    fit f = {.rows = train_rows, .look_back = look_back, .horizon = horizon};
    f.length = look_back + horizon;
    f.count = train_rows - f.length + 1;
    if (f.count < 1)
        return gb_fail(GB_ERR_ARGUMENT, "ridge: %lld rows are too few for one window of %lld",
                       (long long)train_rows, (long long)f.length);
    float *weights = gb_arena_alloc(arena, (size_t)(look_back * horizon) * sizeof *weights);
    gb_arena *scratch = NULL;
    GB_TRY(gb_arena_create(0, &scratch));
    size_t table = (size_t)(look_back * f.length) * sizeof(double);
    f.x = gb_arena_alloc(scratch, (size_t)train_rows * sizeof(double));
    f.mean = gb_arena_alloc(scratch, (size_t)f.count * sizeof(double));
    f.cross = gb_arena_alloc(scratch, (size_t)f.length * sizeof(double));
    f.p = gb_arena_alloc(scratch, table);
    f.sums = gb_arena_alloc(scratch, table);
    f.a = gb_arena_alloc(scratch, table);
    f.b = gb_arena_alloc(scratch, table);
    gb_status status = GB_ERR_MEMORY;
    if (weights && f.x && f.mean && f.cross && f.p && f.sums && f.a && f.b) {
        for (int column = 0; column < columns; column++) {
            load_column(&f, series, columns, column);
            add_column(f.x, f.mean, f.count, look_back, f.length, f.cross, f.p, f.sums);
        }
        status = solve(&f, ridge, weights);
    }
    gb_arena_destroy(scratch);
    if (status == GB_OK)
        *out_weights = weights;
    return status;
}
