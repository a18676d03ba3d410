/* Matrix multiplication: C = activation(alpha op(A) op(B) + beta C + bias), row-major. This is the
 * engine's inner loop: matmul operations, their gradients and attention call it and nothing else.
 *
 * Nothing here allocates. A caller asks for the scratch size while planning and passes the memory
 * in. Results have the same bits for any number of threads: work is cut by shape alone. In f32
 * every element is summed in the order of k, so it does not depend on m either, except where K is
 * cut into slices (few tiles, long K) or one to four rows meet a transposed, unpacked B.
 *
 * Thread-safety: calls may run at once if they share no scratch, output or pool. */
#ifndef GENBA_TENSOR_KERNEL_GEMM_H
#define GENBA_TENSOR_KERNEL_GEMM_H

#include "genba/base.h"
#include "genba/tensor.h"

typedef enum gb_activation {
    GB_ACT_NONE,
    GB_ACT_SILU, /* x / (1 + exp(-x)) */
    GB_ACT_GELU, /* tanh form */
    GB_ACT_RELU
} gb_activation;

typedef struct gb_gemm {
    int64_t m, n, k;
    bool transpose_a, transpose_b;   /* op(X) = X^T: A is stored [k, m], B [n, k] */
    gb_dtype a_type, b_type, c_type; /* GB_F32 or GB_BF16 */
    bool bf16_compute;               /* round A and B to bf16 (nearest even), accumulate in f32 */
    const void *a;
    int64_t lda; /* elements from one stored row to the next */
    const void *b;
    int64_t ldb;
    void *c; /* [m, n]; read only when beta is not 0 */
    int64_t ldc;
    const void *b_packed; /* from gb_gemm_pack_b, or NULL: then b is used */
    float alpha, beta;
    const float *bias; /* [n] or NULL */
    gb_activation activation;
} gb_gemm;

/* Bytes of B packed for this machine; depends on n, k, b_type and bf16_compute only. */
size_t gb_gemm_packed_b_bytes(const gb_gemm *g);
/* Packs op(B) once for many products. packed: [gb_gemm_packed_b_bytes], aligned to 64 bytes.
 * Reads g's n, k, transpose_b, b_type, bf16_compute, b and ldb. */
void gb_gemm_pack_b(const gb_gemm *g, void *packed, gb_pool *pool);

/* Bytes of scratch that gb_gemm_run (batch 1) or gb_gemm_run_batched needs with a pool of
 * `threads`: enough for any types of A and B, and for B packed later. If b_packed is not NULL (it
 * is not followed) it must be given to the run too. */
size_t gb_gemm_scratch_bytes(const gb_gemm *g, int threads, int64_t batch);
/* scratch: aligned to 64 bytes, sized by gb_gemm_scratch_bytes for this pool's threads. */
void gb_gemm_run(const gb_gemm *g, void *scratch, gb_pool *pool);
/* `batch` products whose operands lie `stride` elements apart; a stride of 0 repeats the operand
 * (not C). With b_packed every product uses the same B and stride_b is ignored. */
void gb_gemm_run_batched(const gb_gemm *g,
                         int64_t batch,
                         int64_t stride_a,
                         int64_t stride_b,
                         int64_t stride_c,
                         void *scratch,
                         gb_pool *pool);

#endif
