/* Fuzzed integer products for one kernel table: exactly the plain loops' result, nothing written
 * outside C, the same on any pool. */
#ifndef GENBA_TEST_GEMM_I8_FUZZ_H
#define GENBA_TEST_GEMM_I8_FUZZ_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tensor/kernel/gemm_i8.h"

enum {
    I8_GUARD = 0x7a7a7a7a
};

static inline int8_t *i8_values(uint64_t number, int64_t count)
{
    int8_t *values = gb_aligned_alloc((size_t)count);
    assert_non_null(values);
    for (int64_t i = 0; i < count; i++)
        values[i] = (int8_t)gb_random_u32(88, number, (uint64_t)i);
    return values;
}

static inline void i8_check(const gb_gemm_i8_kernel *kernel,
                            uint64_t number,
                            int64_t m,
                            int64_t n,
                            int64_t k,
                            gb_pool *pool)
{
    const bool transpose = number % 2 == 0;
    const int64_t extra = number % 3 == 0 ? 5 : 0;
    const int64_t ldb = (transpose ? k : n) + extra, ldc = n + extra;
    gb_gemm_i8 g = {.m = m, .n = n, .k = k, .lda = k + extra, .ldc = ldc};
    int8_t *a = i8_values(2 * number, (m - 1) * g.lda + k);
    int8_t *b = i8_values(2 * number + 1, ((transpose ? n : k) - 1) * ldb + (transpose ? k : n));
    int32_t *c = gb_aligned_alloc((size_t)(m * ldc + 16) * sizeof *c);
    for (int64_t i = 0; i < m * ldc + 16; i++)
        c[i] = I8_GUARD;
    size_t bytes = gb_gemm_i8_kernel_packed_b_bytes(kernel, n, k);
    void *packed = gb_aligned_alloc(bytes);
    gb_gemm_i8_kernel_pack_b(kernel, n, k, transpose, b, ldb, packed);
    g.a = a;
    g.b_packed = packed;
    g.c = c;
    int threads = pool == NULL ? 1 : gb_pool_threads(pool);
    bytes = gb_gemm_i8_kernel_scratch_bytes(kernel, &g, threads);
    char *scratch = gb_aligned_alloc(bytes + 64);
    memset(scratch, 0x55, bytes + 64);
    gb_gemm_i8_kernel_run(kernel, &g, scratch, pool);
    for (size_t i = 0; i < 64; i++)
        assert_int_equal(scratch[bytes + i], 0x55);
    for (int64_t i = 0; i < m * ldc + 16; i++) {
        uint32_t want = I8_GUARD;
        if (i < m * ldc && i % ldc < n) {
            want = 0;
            for (int64_t s = 0; s < k; s++)
                want += (uint32_t)(a[i / ldc * g.lda + s] *
                                   b[transpose ? i % ldc * ldb + s : s * ldb + i % ldc]);
        }
        if ((uint32_t)c[i] != want)
            fail_msg("m %lld n %lld k %lld at %lld: got %d, want %d", (long long)m, (long long)n,
                     (long long)k, (long long)i, c[i], (int32_t)want);
    }
    gb_aligned_free(a);
    gb_aligned_free(b);
    gb_aligned_free(c);
    gb_aligned_free(packed);
    gb_aligned_free(scratch);
}

/* 200 drawn shapes and a few with several parts. */
static inline void i8_check_all(const gb_gemm_i8_kernel *kernel)
{
    static const int64_t large[][3] = {{130, 70, 129}, {33, 600, 65}, {1, 300, 640}, {16, 33, 700}};
    gb_pool *pool;
    assert_int_equal(gb_pool_create(2, &pool), GB_OK);
    for (uint64_t i = 0; i < 200; i++) {
        int64_t size[3], most[] = {50, 70, 140};
        for (uint64_t d = 0; d < 3; d++) {
            uint64_t bound = gb_random_below(3, i, 2 * d, 3) == 0 ? 6 : (uint64_t)most[d];
            size[d] = 1 + (int64_t)gb_random_below(3, i, 2 * d + 1, bound);
        }
        i8_check(kernel, i, size[0], size[1], size[2], i % 2 == 0 ? NULL : pool);
    }
    for (uint64_t i = 0; i < sizeof large / sizeof *large; i++)
        i8_check(kernel, 300 + i, large[i][0], large[i][1], large[i][2], pool);
    gb_pool_destroy(pool);
}

#endif
