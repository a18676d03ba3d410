/* Fuzzed matrix products for one kernel table against the double-precision oracle: shapes with
 * tails and ones, strides, transposes, types, epilogues, batches, prepacked or not. Padding is NaN,
 * so a value read from it and used shows; C's surroundings are compared byte by byte. */
#ifndef GENBA_TEST_GEMM_FUZZ_H
#define GENBA_TEST_GEMM_FUZZ_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tensor/kernel/gemm_kernel.h"

enum {
    FUZZ_POOLS = 3,
    FUZZ_GUARD = 64
};

typedef struct fuzz_case {
    gb_gemm g;
    int64_t batch, stride_a, stride_b, stride_c;
    bool prepack;
    size_t c_elements;
    void *a, *b, *c, *bias;
    float *a_abs, *b_abs, *c_abs, *bias_abs; /* the same, absolute and in f32 */
} fuzz_case;

typedef struct fuzz_stream {
    uint64_t seed, stream, index;
} fuzz_stream;

static inline int64_t fuzz_below(fuzz_stream *r, int64_t bound)
{
    return (int64_t)gb_random_below(r->seed, r->stream, r->index++, (uint64_t)bound);
}

static inline size_t fuzz_bytes(gb_dtype type)
{
    return type == GB_BF16 ? 2 : 4;
}

static inline void *fuzz_alloc(size_t bytes)
{
    void *memory = gb_aligned_alloc(bytes + 64);
    assert_non_null(memory);
    return memory;
}

static inline void fuzz_set(void *base, gb_dtype type, int64_t at, float value)
{
    if (type == GB_BF16)
        ((uint16_t *)base)[at] = gb_f32_to_bf16(value);
    else
        ((float *)base)[at] = value;
}

static inline float fuzz_get(const void *base, gb_dtype type, int64_t at)
{
    return type == GB_BF16 ? gb_bf16_to_f32(((const uint16_t *)base)[at])
                           : ((const float *)base)[at];
}

/* `batch` matrices [rows, columns] with NaN between them and `guard` elements after the last;
 * *absolute gets |values|. */
static inline void *fuzz_matrix(fuzz_stream *r,
                                gb_dtype type,
                                int64_t batch,
                                int64_t stride,
                                int64_t rows,
                                int64_t columns,
                                int64_t ld,
                                int64_t guard,
                                float **absolute)
{
    int64_t elements = (batch - 1) * stride + (rows - 1) * ld + columns + guard;
    char *base = gb_aligned_alloc((size_t)elements * fuzz_bytes(type));
    assert_non_null(base);
    *absolute = fuzz_alloc((size_t)elements * sizeof(float));
    for (int64_t i = 0; i < elements; i++)
        fuzz_set(base, type, i, NAN);
    for (int64_t item = 0; item < batch; item++)
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < columns; j++) {
                int64_t at = item * stride + i * ld + j;
                fuzz_set(base, type, at,
                         gb_random_normal(r->seed, r->stream + 1, (uint64_t)(r->index++)));
                (*absolute)[at] = fabsf(fuzz_get(base, type, at));
            }
    return base;
}

static inline int64_t fuzz_size(fuzz_stream *r, int64_t most)
{
    switch (fuzz_below(r, 4)) {
    case 0:
        return 1 + fuzz_below(r, 5);
    case 1:
        return 1 + fuzz_below(r, most < 17 ? most : 17);
    default:
        return 1 + fuzz_below(r, most);
    }
}

/* Given sizes of 0 are drawn. */
static inline fuzz_case fuzz_make(uint64_t seed, uint64_t number, int64_t m, int64_t n, int64_t k)
{
    static const float betas[] = {0.0f, 0.0f, 1.0f, -0.5f};
    fuzz_stream r = {.seed = seed, .stream = number * 2};
    fuzz_case f = {.batch = fuzz_below(&r, 4) == 0 ? 1 + fuzz_below(&r, 4) : 1};
    gb_gemm *g = &f.g;
    g->m = m > 0 ? m : fuzz_size(&r, 70);
    g->n = n > 0 ? n : fuzz_size(&r, 110);
    g->k = k > 0 ? k : fuzz_size(&r, number % 8 == 0 ? 600 : 90);
    g->transpose_a = fuzz_below(&r, 2);
    g->transpose_b = fuzz_below(&r, 2);
    g->a_type = fuzz_below(&r, 3) == 0 ? GB_BF16 : GB_F32;
    g->b_type = fuzz_below(&r, 3) == 0 ? GB_BF16 : GB_F32;
    g->c_type = fuzz_below(&r, 3) == 0 ? GB_BF16 : GB_F32;
    g->bf16_compute = fuzz_below(&r, 2);
    g->alpha = fuzz_below(&r, 2) ? 1.0f : -0.75f;
    g->beta = betas[fuzz_below(&r, 4)];
    g->activation = (gb_activation)(fuzz_below(&r, 2) * fuzz_below(&r, 4));
    int64_t a_rows = g->transpose_a ? g->k : g->m, a_columns = g->transpose_a ? g->m : g->k;
    int64_t b_rows = g->transpose_b ? g->n : g->k, b_columns = g->transpose_b ? g->k : g->n;
    g->lda = a_columns + fuzz_below(&r, 2) * fuzz_below(&r, 9);
    g->ldb = b_columns + fuzz_below(&r, 2) * fuzz_below(&r, 9);
    g->ldc = g->n + fuzz_below(&r, 2) * fuzz_below(&r, 9);
    f.stride_a = fuzz_below(&r, 3) == 0 ? 0 : a_rows * g->lda + 3;
    f.stride_b = fuzz_below(&r, 3) == 0 ? 0 : b_rows * g->ldb + 5;
    f.stride_c = g->m * g->ldc + 7;
    f.prepack = fuzz_below(&r, 2);
    if (f.prepack)
        f.stride_b = 0;
    f.a = fuzz_matrix(&r, g->a_type, f.batch, f.stride_a, a_rows, a_columns, g->lda, 0, &f.a_abs);
    f.b = fuzz_matrix(&r, g->b_type, f.batch, f.stride_b, b_rows, b_columns, g->ldb, 0, &f.b_abs);
    f.c = fuzz_matrix(&r, g->c_type, f.batch, f.stride_c, g->m, g->n, g->ldc,
                      g->ldc - g->n + FUZZ_GUARD, &f.c_abs);
    f.bias = fuzz_matrix(&r, GB_F32, 1, 0, 1, g->n, g->n, 0, &f.bias_abs);
    if (g->beta == 0.0f) /* C must not be read then */
        for (int64_t i = 0; i < f.batch * f.stride_c; i++)
            fuzz_set(f.c, g->c_type, i, NAN);
    f.c_elements = (size_t)((f.batch - 1) * f.stride_c + g->m * g->ldc + FUZZ_GUARD);
    g->a = f.a;
    g->b = f.b;
    g->bias = fuzz_below(&r, 2) ? f.bias : NULL;
    return f;
}

static inline void fuzz_free(fuzz_case *f)
{
    void *all[] = {f->a, f->b, f->c, f->bias, f->a_abs, f->b_abs, f->c_abs, f->bias_abs};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        gb_aligned_free(all[i]);
}

/* A copy of C on which the product has been run. */
static inline void *fuzz_run(const gb_gemm_kernel *kernel, const fuzz_case *f, gb_pool *pool)
{
    gb_gemm g = f->g;
    size_t c_bytes = f->c_elements * fuzz_bytes(g.c_type);
    char *c = fuzz_alloc(c_bytes);
    memcpy(c, f->c, c_bytes);
    g.c = c;
    void *packed = NULL;
    if (f->prepack) {
        size_t bytes = gb_gemm_kernel_packed_b_bytes(kernel, &g);
        char *raw = fuzz_alloc(bytes);
        memset(raw + bytes, 0x5a, 64);
        gb_gemm_kernel_pack_b(kernel, &g, raw, pool);
        for (int i = 0; i < 64; i++)
            assert_int_equal(raw[bytes + i], 0x5a);
        packed = raw;
        g.b_packed = packed;
        g.b = NULL;
    }
    int threads = pool == NULL ? 1 : gb_pool_threads(pool);
    size_t bytes = gb_gemm_kernel_scratch_bytes(kernel, &g, threads, f->batch);
    char *scratch = fuzz_alloc(bytes);
    memset(scratch, 0xff, bytes); /* NaN in both types */
    memset(scratch + bytes, 0x5a, 64);
    gb_gemm_kernel_run(kernel, &g, f->batch, f->stride_a, f->stride_b, f->stride_c, scratch, pool);
    for (int i = 0; i < 64; i++)
        assert_int_equal(scratch[bytes + i], 0x5a);
    gb_aligned_free(scratch);
    gb_aligned_free(packed);
    return c;
}

static inline void
fuzz_fail(const fuzz_case *f, const char *what, int64_t at, double got, double want, double bound)
{
    const gb_gemm *g = &f->g;
    fail_msg(
        "%s at %lld: got %.9g, want %.9g, bound %.3g; m %lld n %lld k %lld ta %d tb %d types "
        "%d %d %d bf16 %d alpha %g beta %g bias %d act %d batch %lld prepack %d ld %lld %lld %lld",
        what, (long long)at, got, want, bound, (long long)g->m, (long long)g->n, (long long)g->k,
        g->transpose_a, g->transpose_b, (int)g->a_type, (int)g->b_type, (int)g->c_type,
        g->bf16_compute, (double)g->alpha, (double)g->beta, g->bias != NULL, (int)g->activation,
        (long long)f->batch, f->prepack, (long long)g->lda, (long long)g->ldb, (long long)g->ldc);
}

/* |error| <= (k + 8) 2^-24 (|alpha| sum |a||b| + |beta c| + |bias|), the bound of a sum in any
 * order with fused or separate roundings, times 1.2 for the steepest activation (GELU 1.13), plus 8
 * ulp for its exp; one bf16 rounding may fall on the other side (2^-8). */
static inline void
fuzz_compare(const fuzz_case *f, const char *got, const float *want, const float *size)
{
    const gb_gemm *g = &f->g;
    size_t element = fuzz_bytes(g->c_type);
    for (size_t at = 0; at < f->c_elements; at++) {
        int64_t item = (int64_t)at / f->stride_c, rest = (int64_t)at % f->stride_c;
        if (item >= f->batch || rest >= g->m * g->ldc || rest % g->ldc >= g->n) {
            if (memcmp(got + at * element, (const char *)f->c + at * element, element) != 0)
                fuzz_fail(f, "written outside C", (int64_t)at, 0, 0, 0);
            continue;
        }
        double value = fuzz_get(got, g->c_type, (int64_t)at);
        double bound = 1.2 * ((double)g->k + 8) * 0x1p-24 * size[at] + 1e-6 * fabs(want[at]) + 1e-6;
        if (g->c_type == GB_BF16)
            bound = bound * 1.01 + fabs(want[at]) * 0x1p-8;
        if (!(fabs(value - want[at]) <= bound))
            fuzz_fail(f, "wrong value", (int64_t)at, value, want[at], bound);
    }
}

static inline void fuzz_oracle(const fuzz_case *f, float *want, float *size)
{
    gb_gemm g = f->g, s = f->g;
    for (size_t at = 0; at < f->c_elements; at++) {
        want[at] = fuzz_get(f->c, g.c_type, (int64_t)at);
        size[at] = f->c_abs[at];
    }
    g.c = want;
    s.c = size;
    g.c_type = s.a_type = s.b_type = s.c_type = GB_F32;
    s.a = f->a_abs;
    s.b = f->b_abs;
    s.bias = g.bias == NULL ? NULL : f->bias_abs;
    s.alpha = fabsf(g.alpha);
    s.beta = fabsf(g.beta);
    s.activation = GB_ACT_NONE;
    gb_gemm_kernel_run(NULL, &g, f->batch, f->stride_a, f->stride_b, f->stride_c, NULL, NULL);
    gb_gemm_kernel_run(NULL, &s, f->batch, f->stride_a, f->stride_b, f->stride_c, NULL, NULL);
}

/* One case against the oracle, with no pool and then with each pool: the same bits. */
static inline void
fuzz_check(const gb_gemm_kernel *kernel, const fuzz_case *f, gb_pool **pools, int pool_count)
{
    float *want = fuzz_alloc(f->c_elements * sizeof(float));
    float *size = fuzz_alloc(f->c_elements * sizeof(float));
    fuzz_oracle(f, want, size);
    char *got = fuzz_run(kernel, f, NULL);
    fuzz_compare(f, got, want, size);
    for (int i = 0; i < pool_count; i++) {
        char *again = fuzz_run(kernel, f, pools[i]);
        if (memcmp(got, again, f->c_elements * fuzz_bytes(f->g.c_type)) != 0)
            fuzz_fail(f, "bits differ between thread counts", i, 0, 0, 0);
        gb_aligned_free(again);
    }
    gb_aligned_free(got);
    gb_aligned_free(want);
    gb_aligned_free(size);
}

#endif
