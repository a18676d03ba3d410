/* How one product is cut: decided from shapes alone, so that neither the bits of the result nor the
 * memory depends on the number of threads. Private to gemm.c and gemm_plan.c. */
#ifndef GENBA_TENSOR_KERNEL_GEMM_PLAN_H
#define GENBA_TENSOR_KERNEL_GEMM_PLAN_H

#include "tensor/kernel/gemm_kernel.h"

typedef enum gb_gemm_b_form {
    GB_GEMM_B_PREPACKED, /* by the caller */
    GB_GEMM_B_SHARED,    /* packed whole into scratch before the product */
    GB_GEMM_B_LOCAL,     /* each part packs what it needs: batches, and products of one part */
    GB_GEMM_B_DIRECT,    /* read as it lies, few rows */
    GB_GEMM_B_DOT        /* read along k: few rows, B transposed */
} gb_gemm_b_form;

typedef enum gb_gemm_a_form {
    GB_GEMM_A_DIRECT, /* read as it lies */
    GB_GEMM_A_SHARED, /* packed whole into scratch before the product */
    GB_GEMM_A_LOCAL   /* each part packs its rows */
} gb_gemm_a_form;

typedef struct gb_gemm_plan {
    gb_gemm_a_form a_form;
    gb_gemm_b_form b_form;
    bool b_bf16;              /* packed B is bf16 */
    int64_t mb, nb, kb;       /* a block: rows, columns, depth */
    int64_t rows;             /* of a group of A */
    int64_t parts_m, parts_n; /* tiles of one product */
    int64_t slices, slice_k;  /* of K; slices > 1 only for batch 1 */
    int64_t blocks_k;         /* of a slice */
    int64_t a_parts; /* pieces in which a shared A is packed: rows by slices by blocks of K */
    /* Shared scratch: packed B, packed A, sums of the slices. Each thread's: A, B, sums. */
    size_t shared_a_offset, slices_offset, shared_bytes;
    size_t b_offset, sums_offset, thread_bytes;
} gb_gemm_plan;

void gb_gemm_plan_make(const gb_gemm_kernel *kernel,
                       const gb_gemm *g,
                       int64_t batch,
                       gb_gemm_plan *out);

static inline int64_t gb_round_up(int64_t value, int64_t multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

static inline int64_t gb_divide_up(int64_t value, int64_t by)
{
    return (value + by - 1) / by;
}

#endif
