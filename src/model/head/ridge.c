/* Ridge regression by the normal equations: products in f32 blocks, sums and Cholesky in f64
 * (Golub, Van Loan, "Matrix computations", algorithm 4.2.1). */
#include "model/head/ridge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/kernel/gemm.h"

struct gb_ridge {
    int64_t inputs, outputs, width; /* width = inputs + outputs */
    gb_pool *pool;
    float *rows;    /* [GB_RIDGE_ROWS, width] */
    float *product; /* [inputs, width] of one block */
    double *sums;   /* [inputs, width]: X'X beside X'Y */
    void *scratch;
};

static gb_gemm block_product(const gb_ridge *r, int64_t count)
{
    return (gb_gemm){.m = r->inputs,
                     .n = r->width,
                     .k = count,
                     .transpose_a = true,
                     .a_type = GB_F32,
                     .b_type = GB_F32,
                     .c_type = GB_F32,
                     .a = r->rows,
                     .lda = r->width,
                     .b = r->rows,
                     .ldb = r->width,
                     .c = r->product,
                     .ldc = r->width,
                     .alpha = 1.0f};
}

gb_status gb_ridge_create(int64_t inputs, int64_t outputs, gb_pool *pool, gb_ridge **out)
{
    gb_ridge *r = calloc(1, sizeof *r);
    if (!r)
        return gb_fail(GB_ERR_MEMORY, "ridge: no memory");
    r->inputs = inputs;
    r->outputs = outputs;
    r->width = inputs + outputs;
    r->pool = pool;
    size_t width = (size_t)r->width, cells = (size_t)inputs * width;
    r->rows = gb_aligned_alloc(GB_RIDGE_ROWS * width * sizeof(float));
    r->product = gb_aligned_alloc(cells * sizeof(float));
    r->sums = gb_aligned_alloc(cells * sizeof(double));
    gb_gemm g = block_product(r, GB_RIDGE_ROWS);
    r->scratch = gb_aligned_alloc(gb_gemm_scratch_bytes(&g, gb_pool_threads(pool), 1) + 64);
    if (!r->rows || !r->product || !r->sums || !r->scratch) {
        gb_ridge_destroy(r);
        return gb_fail(GB_ERR_MEMORY, "ridge: no memory for %lld x %lld sums", (long long)inputs,
                       (long long)(inputs + outputs));
    }
    *out = r;
    return GB_OK;
}

void gb_ridge_destroy(gb_ridge *r)
{
    if (!r)
        return;
    gb_aligned_free(r->rows);
    gb_aligned_free(r->product);
    gb_aligned_free(r->sums);
    gb_aligned_free(r->scratch);
    free(r);
}

float *gb_ridge_rows(gb_ridge *r)
{
    return r->rows;
}

/* Always a full block (short ones end in rows of zeros), so that one scratch size holds for all. */
void gb_ridge_add(gb_ridge *r, int64_t count)
{
    if (count <= 0)
        return;
    memset(r->rows + count * r->width, 0,
           (size_t)((GB_RIDGE_ROWS - count) * r->width) * sizeof(float));
    gb_gemm g = block_product(r, GB_RIDGE_ROWS);
    gb_gemm_run(&g, r->scratch, r->pool);
    for (int64_t i = 0; i < r->inputs * r->width; i++)
        r->sums[i] += (double)r->product[i];
}

/* In place: the lower triangle of a [n, n] becomes L with L L' = a. */
static bool cholesky(double *a, int64_t n, double smallest)
{
    for (int64_t j = 0; j < n; j++) {
        double *row = a + j * n, pivot = row[j];
        for (int64_t k = 0; k < j; k++)
            pivot -= row[k] * row[k];
        if (!(pivot > smallest))
            return false;
        row[j] = sqrt(pivot);
        for (int64_t i = j + 1; i < n; i++) {
            double *below = a + i * n, sum = below[j];
            for (int64_t k = 0; k < j; k++)
                sum -= below[k] * row[k];
            below[j] = sum / row[j];
        }
    }
    return true;
}

/* b [n, m] becomes (L L')^-1 b, a row at a time so that the inner loops run along memory. */
static void solve(const double *l, int64_t n, double *b, int64_t m)
{
    for (int64_t i = 0; i < n; i++) {
        for (int64_t k = 0; k < i; k++)
            for (int64_t c = 0; c < m; c++)
                b[i * m + c] -= l[i * n + k] * b[k * m + c];
        for (int64_t c = 0; c < m; c++)
            b[i * m + c] /= l[i * n + i];
    }
    for (int64_t i = n - 1; i >= 0; i--) {
        for (int64_t k = i + 1; k < n; k++)
            for (int64_t c = 0; c < m; c++)
                b[i * m + c] -= l[k * n + i] * b[k * m + c];
        for (int64_t c = 0; c < m; c++)
            b[i * m + c] /= l[i * n + i];
    }
}

gb_status gb_ridge_solve(gb_ridge *r, double ridge_factor, float *weights)
{
    int64_t n = r->inputs, m = r->outputs;
    double *a = gb_aligned_alloc((size_t)(n * n) * sizeof(double));
    double *b = gb_aligned_alloc((size_t)(n * m) * sizeof(double));
    gb_status status = GB_OK;
    if (!a || !b) {
        status = gb_fail(GB_ERR_MEMORY, "ridge: no memory for a system of %lld", (long long)n);
        goto done;
    }
    double trace = 0.0;
    for (int64_t i = 0; i < n; i++) {
        trace += r->sums[i * r->width + i];
        memcpy(a + i * n, r->sums + i * r->width, (size_t)n * sizeof(double));
        memcpy(b + i * m, r->sums + i * r->width + n, (size_t)m * sizeof(double));
    }
    for (int64_t i = 0; i < n; i++)
        a[i * n + i] += ridge_factor * trace / (double)n;
    if (!isfinite(trace) || !cholesky(a, n, 1e-9 * trace / (double)n)) {
        status = gb_fail(GB_ERR_NUMERIC,
                         "ridge: the fit of %lld inputs has no single solution (constant or "
                         "repeated inputs, or too few rows); use a larger ridge than %g",
                         (long long)n, ridge_factor);
        goto done;
    }
    solve(a, n, b, m);
    for (int64_t o = 0; o < m; o++)
        for (int64_t i = 0; i < n; i++)
            weights[o * n + i] = (float)b[i * m + o];
done:
    gb_aligned_free(a);
    gb_aligned_free(b);
    return status;
}
