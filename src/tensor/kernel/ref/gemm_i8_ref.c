/* The oracle of integer matrix multiplication: panels of one column, rows as they are. */
#include <string.h>

#include "tensor/kernel/gemm_i8.h"

static void pack_a(const gb_gemm_i8 *g, int64_t first, int64_t rows, void *packed)
{
    for (int64_t i = 0; i < rows; i++)
        memcpy((int8_t *)packed + i * g->k, g->a + (first + i) * g->lda, (size_t)g->k);
}

static void block(const gb_gemm_i8_block *x)
{
    for (int64_t i = 0; i < x->m; i++)
        for (int64_t j = 0; j < x->n; j++) {
            const int8_t *a = (const int8_t *)x->a + i * x->k;
            const int8_t *b = (const int8_t *)x->b + j * x->b_panel;
            uint32_t sum = 0;
            for (int64_t k = 0; k < x->k; k++)
                sum += (uint32_t)(a[k] * b[k]);
            x->c[i * x->ldc + j] = (int32_t)sum;
        }
}

const gb_gemm_i8_kernel gb_gemm_i8_ref = {.isa = GB_ISA_REF,
                                          .mr = 1,
                                          .nr = 1,
                                          .depth = 1,
                                          .k_multiple = 1,
                                          .a_bytes = 1,
                                          .pack_a = pack_a,
                                          .block = block};
