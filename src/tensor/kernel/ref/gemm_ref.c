/* The oracle of matrix multiplication: three plain loops with sums in double. Not for speed: every
 * other kernel is tested against it, and GENBA_ISA=ref runs it. */
#include <math.h>

#include "tensor/kernel/gemm_kernel.h"

static float element(const void *source, gb_dtype type, int64_t at, bool round_to_bf16)
{
    if (type == GB_BF16)
        return gb_bf16_to_f32(((const uint16_t *)source)[at]);
    float value = ((const float *)source)[at];
    return round_to_bf16 ? gb_bf16_to_f32(gb_f32_to_bf16(value)) : value;
}

static float element_b(const gb_gemm *g, int64_t k, int64_t j)
{
    if (g->b_packed != NULL)
        return ((const float *)g->b_packed)[k * g->n + j];
    int64_t at = g->transpose_b ? j * g->ldb + k : k * g->ldb + j;
    return element(g->b, g->b_type, at, g->bf16_compute);
}

static double activate(double x, gb_activation activation)
{
    switch (activation) {
    case GB_ACT_SILU:
        return x / (1.0 + exp(-x));
    case GB_ACT_GELU:
        return 0.5 * x * (1.0 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
    case GB_ACT_RELU:
        return x < 0.0 ? 0.0 : x;
    case GB_ACT_NONE:
        break;
    }
    return x;
}

void gb_gemm_ref_pack_b(const gb_gemm *g, float *packed)
{
    gb_gemm plain = *g;
    plain.b_packed = NULL;
    for (int64_t k = 0; k < g->k; k++)
        for (int64_t j = 0; j < g->n; j++)
            packed[k * g->n + j] = element_b(&plain, k, j);
}

void gb_gemm_ref_rows(const gb_gemm *g, int64_t first_row, int64_t rows)
{
    for (int64_t i = first_row; i < first_row + rows; i++)
        for (int64_t j = 0; j < g->n; j++) {
            double sum = 0.0;
            for (int64_t k = 0; k < g->k; k++) {
                int64_t at = g->transpose_a ? k * g->lda + i : i * g->lda + k;
                sum += (double)element(g->a, g->a_type, at, g->bf16_compute) * element_b(g, k, j);
            }
            double value = g->alpha * sum;
            int64_t at = i * g->ldc + j;
            if (g->beta != 0.0f)
                value += (double)g->beta * element(g->c, g->c_type, at, false);
            if (g->bias != NULL)
                value += g->bias[j];
            value = activate(value, g->activation);
            if (g->c_type == GB_BF16)
                ((uint16_t *)g->c)[at] = gb_f32_to_bf16((float)value);
            else
                ((float *)g->c)[at] = (float)value;
        }
}
