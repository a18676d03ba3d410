/* Integer matrix multiplication: C[m,n] = A[m,k] B[k,n], s8 by s8 into s32, exact for k < 131072:
 * the same on every instruction set and for any number of threads. B is packed once (weights).
 *
 * Thread-safety: calls may run at once if they share no scratch, output or pool. */
#ifndef GENBA_TENSOR_KERNEL_GEMM_I8_H
#define GENBA_TENSOR_KERNEL_GEMM_I8_H

#include "genba/base.h"

typedef struct gb_gemm_i8 {
    int64_t m, n, k;
    const int8_t *a; /* [m, k] */
    int64_t lda;
    const void *b_packed; /* from gb_gemm_i8_pack_b */
    int32_t *c;           /* [m, n] */
    int64_t ldc;
} gb_gemm_i8;

size_t gb_gemm_i8_packed_b_bytes(int64_t n, int64_t k);
/* b: [k, n], or [n, k] if transpose. packed: aligned to 64 bytes. */
void gb_gemm_i8_pack_b(
    int64_t n, int64_t k, bool transpose, const int8_t *b, int64_t ldb, void *packed);
size_t gb_gemm_i8_scratch_bytes(const gb_gemm_i8 *g, int threads);
void gb_gemm_i8_run(const gb_gemm_i8 *g, void *scratch, gb_pool *pool);

/* ---- for the kernels and their tests ----------------------------------------------------------
 */

/* A block of C over all of k: rows of packed A by panels of B. */
typedef struct gb_gemm_i8_block {
    int64_t m, n, k;
    const void *a, *b;
    int64_t b_panel; /* bytes from panel to panel */
    int32_t *c;
    int64_t ldc;
} gb_gemm_i8_block;

/* Packed B: panels of nr columns, each [k / depth][nr][depth], k padded to k_multiple with zeros.
 * Packed A: the kernel's own layout, a_bytes for each padded row and padded step of k. */
typedef struct gb_gemm_i8_kernel {
    gb_isa isa;
    int mr, nr, depth, k_multiple, a_bytes;
    void (*pack_a)(const gb_gemm_i8 *g, int64_t first, int64_t rows, void *packed);
    void (*block)(const gb_gemm_i8_block *block);
} gb_gemm_i8_kernel;

extern const gb_gemm_i8_kernel gb_gemm_i8_ref, gb_gemm_i8_avx2, gb_gemm_i8_avx512, gb_gemm_i8_amx;

const gb_gemm_i8_kernel *gb_gemm_i8_kernel_pick(gb_isa isa);
size_t gb_gemm_i8_kernel_packed_b_bytes(const gb_gemm_i8_kernel *kernel, int64_t n, int64_t k);
void gb_gemm_i8_kernel_pack_b(const gb_gemm_i8_kernel *kernel,
                              int64_t n,
                              int64_t k,
                              bool transpose,
                              const int8_t *b,
                              int64_t ldb,
                              void *packed);
size_t
gb_gemm_i8_kernel_scratch_bytes(const gb_gemm_i8_kernel *kernel, const gb_gemm_i8 *g, int threads);
void gb_gemm_i8_kernel_run(const gb_gemm_i8_kernel *kernel,
                           const gb_gemm_i8 *g,
                           void *scratch,
                           gb_pool *pool);

#endif
