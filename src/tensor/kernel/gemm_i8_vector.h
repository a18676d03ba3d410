/* Integer matrix kernels over vectors of GB_LANES sums: s8 pairs of steps of k are widened to s16
 * and multiplied and added two at a time (vpmaddwd). Include with GB_LANES and GB_MR defined. */
#ifndef GENBA_TENSOR_KERNEL_GEMM_I8_VECTOR_H
#define GENBA_TENSOR_KERNEL_GEMM_I8_VECTOR_H

#include <immintrin.h>
#include <string.h>

#include "tensor/kernel/gemm_i8.h"

#define GB_INLINE static inline __attribute__((always_inline, unused))

typedef int32_t gb_vi __attribute__((vector_size(4 * GB_LANES)));
typedef int16_t gb_vs __attribute__((vector_size(4 * GB_LANES)));
typedef int8_t gb_vb __attribute__((vector_size(2 * GB_LANES)));
typedef gb_vi gb_vi_at __attribute__((aligned(4), may_alias));
typedef gb_vb gb_vb_at __attribute__((aligned(1), may_alias));

enum {
    GB_NR = 2 * GB_LANES
};

/* Each lane: low half times low half plus high half times high half. */
GB_INLINE gb_vi multiply_pairs(gb_vi a, gb_vi b)
{
#if GB_LANES == 16 && defined(__AVX512BW__)
    return (gb_vi)_mm512_madd_epi16((__m512i)a, (__m512i)b);
#elif GB_LANES == 8 && defined(__AVX2__)
    return (gb_vi)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#else
    return (a << 16 >> 16) * (b << 16 >> 16) + (a >> 16) * (b >> 16);
#endif
}

/* Groups of GB_MR rows, [k / 2][rows] pairs of s16. */
static void pack_a(const gb_gemm_i8 *g, int64_t first, int64_t rows, void *packed)
{
    const int64_t pairs = (g->k + 1) / 2;
    for (int64_t i = 0; i < rows; i++) {
        const int8_t *from = g->a + (first + i) * g->lda;
        int32_t *to = (int32_t *)packed + i / GB_MR * GB_MR * pairs + i % GB_MR;
        for (int64_t p = 0; p < pairs; p++) {
            int odd = 2 * p + 1 < g->k ? from[2 * p + 1] : 0;
            to[p * GB_MR] = (int32_t)((uint32_t)odd << 16 | (uint16_t)from[2 * p]);
        }
    }
}

GB_INLINE void tile(const gb_gemm_i8_block *x, int64_t i, int64_t j, const int rows)
{
    const int64_t pairs = (x->k + 1) / 2;
    const int32_t *a = (const int32_t *)x->a + i * pairs;
    const int8_t *b = (const int8_t *)x->b + j / GB_NR * x->b_panel;
    gb_vi acc[2 * GB_MR];
#pragma GCC unroll 24
    for (int s = 0; s < 2 * rows; s++)
        acc[s] = (gb_vi){0};
    for (int64_t p = 0; p < pairs; p++, a += GB_MR, b += 2 * GB_NR) {
        gb_vi left = (gb_vi) __builtin_convertvector(*(const gb_vb_at *)b, gb_vs);
        gb_vi right = (gb_vi) __builtin_convertvector(*(const gb_vb_at *)(b + GB_NR), gb_vs);
#pragma GCC unroll 12
        for (int r = 0; r < rows; r++) {
            gb_vi pair = a[r] - (gb_vi){0};
            acc[2 * r] += multiply_pairs(pair, left);
            acc[2 * r + 1] += multiply_pairs(pair, right);
        }
    }
    for (int s = 0; s < 2 * rows; s++) {
        int64_t column = j + s % 2 * GB_LANES, count = x->n - column;
        int32_t *to = x->c + (i + s / 2) * x->ldc + column;
        if (count >= GB_LANES)
            *(gb_vi_at *)to = acc[s];
        else if (count > 0)
            memcpy(to, &acc[s], (size_t)count * sizeof *to);
    }
}

static void tile_full(const gb_gemm_i8_block *x, int64_t i, int64_t j)
{
    tile(x, i, j, GB_MR);
}

/* Fewer rows than GB_MR: four, two and one at a time. */
static void tile_rest(const gb_gemm_i8_block *x, int64_t i, int64_t j, int64_t rows)
{
    gb_gemm_i8_block part = *x;
    const int64_t pairs = (x->k + 1) / 2;
    part.a = (const int32_t *)x->a + i * pairs;
    part.c = x->c + i * x->ldc;
    while (rows > 0) {
        int64_t step = rows >= 4 ? 4 : rows >= 2 ? 2 : 1;
        if (step == 4)
            tile(&part, 0, j, 4);
        else if (step == 2)
            tile(&part, 0, j, 2);
        else
            tile(&part, 0, j, 1);
        part.a = (const int32_t *)part.a + step;
        part.c += step * x->ldc;
        rows -= step;
    }
}

static void block(const gb_gemm_i8_block *x)
{
    for (int64_t j = 0; j < x->n; j += GB_NR)
        for (int64_t i = 0; i < x->m; i += GB_MR) {
            if (x->m - i >= GB_MR)
                tile_full(x, i, j);
            else
                tile_rest(x, i, j, x->m - i);
        }
}

#endif
