/* Vectors of GB_LANES floats for the matrix kernels, written with the compiler's vector types so
 * that AVX2 (8 lanes) and AVX-512 (16 lanes) share one source. Include with GB_LANES defined.
 * Loads, stores, bf16, exp, and the epilogue; no loops over k. */
#ifndef GENBA_TENSOR_KERNEL_GEMM_LANES_H
#define GENBA_TENSOR_KERNEL_GEMM_LANES_H

#include <string.h>

#include "tensor/kernel/gemm_kernel.h"

#define GB_INLINE static inline __attribute__((always_inline, unused))

typedef float gb_vf __attribute__((vector_size(4 * GB_LANES)));
typedef int32_t gb_vi __attribute__((vector_size(4 * GB_LANES)));
typedef uint32_t gb_vu __attribute__((vector_size(4 * GB_LANES)));
typedef uint16_t gb_vh __attribute__((vector_size(2 * GB_LANES)));
typedef gb_vf gb_vf_at __attribute__((aligned(4), may_alias));
typedef gb_vu gb_vu_at __attribute__((aligned(4), may_alias));
typedef gb_vh gb_vh_at __attribute__((aligned(2), may_alias));

GB_INLINE gb_vf gb_all(float value)
{
    return value - (gb_vf){0.0f};
}

GB_INLINE gb_vf gb_load(const float *p)
{
    return *(const gb_vf_at *)p;
}

GB_INLINE void gb_store(float *p, gb_vf v)
{
    *(gb_vf_at *)p = v;
}

/* Lane patterns of a transpose by halves: width 1, 2, 4 (, 8); low keeps the even groups. */
#if GB_LANES == 8
#define GB_LOW_1 0, 8, 2, 10, 4, 12, 6, 14
#define GB_HIGH_1 1, 9, 3, 11, 5, 13, 7, 15
#define GB_LOW_2 0, 1, 8, 9, 4, 5, 12, 13
#define GB_HIGH_2 2, 3, 10, 11, 6, 7, 14, 15
#define GB_LOW_4 0, 1, 2, 3, 8, 9, 10, 11
#define GB_HIGH_4 4, 5, 6, 7, 12, 13, 14, 15
#else
#define GB_LOW_1 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30
#define GB_HIGH_1 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31
#define GB_LOW_2 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29
#define GB_HIGH_2 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31
#define GB_LOW_4 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27
#define GB_HIGH_4 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31
#define GB_LOW_8 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23
#define GB_HIGH_8 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31
#endif

#define GB_EXCHANGE(width)                                                                         \
    for (int i = 0; i < GB_LANES; i++)                                                             \
        if ((i & (width)) == 0) {                                                                  \
            gb_vf low = __builtin_shufflevector(v[i], v[i + (width)], GB_LOW_##width);             \
            v[i + (width)] = __builtin_shufflevector(v[i], v[i + (width)], GB_HIGH_##width);       \
            v[i] = low;                                                                            \
        }

/* v[i] lane j becomes v[j] lane i. */
GB_INLINE void gb_transpose(gb_vf v[GB_LANES])
{
#pragma GCC unroll 16
    GB_EXCHANGE(1)
#pragma GCC unroll 16
    GB_EXCHANGE(2)
#pragma GCC unroll 16
    GB_EXCHANGE(4)
#if GB_LANES == 16
#pragma GCC unroll 16
    GB_EXCHANGE(8)
#endif
}

GB_INLINE gb_vf gb_select(gb_vi mask, gb_vf yes, gb_vf no)
{
    return (gb_vf)(((gb_vi)yes & mask) | ((gb_vi)no & ~mask));
}

/* The bf16 nearest to each lane (ties to even) in the upper half of its 32 bits, zeros below. */
GB_INLINE gb_vu gb_round_bits(gb_vf v)
{
    gb_vu bits = (gb_vu)v;
    gb_vu rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
    gb_vu nan = (gb_vu)(v != v);
    rounded = (rounded & ~nan) | ((bits | 0x400000u) & nan);
    return rounded & 0xffff0000u;
}

GB_INLINE gb_vf gb_load_bf16(const uint16_t *p)
{
    gb_vu wide = __builtin_convertvector(*(const gb_vh_at *)p, gb_vu);
    return (gb_vf)(wide << 16);
}

GB_INLINE void gb_store_bf16(uint16_t *p, gb_vf v)
{
    *(gb_vh_at *)p = __builtin_convertvector(gb_round_bits(v) >> 16, gb_vh);
}

/* `count` elements from source[at]; lanes beyond are 0 and their memory is not touched. */
GB_INLINE gb_vf gb_load_some(const void *source, gb_dtype type, int64_t at, int64_t count)
{
    if (count >= GB_LANES)
        return type == GB_BF16 ? gb_load_bf16((const uint16_t *)source + at)
                               : gb_load((const float *)source + at);
    if (type == GB_BF16) {
        uint16_t halves[GB_LANES] = {0};
        for (int64_t i = 0; i < count; i++)
            halves[i] = ((const uint16_t *)source)[at + i];
        return gb_load_bf16(halves);
    }
    float values[GB_LANES] = {0.0f};
    for (int64_t i = 0; i < count; i++)
        values[i] = ((const float *)source)[at + i];
    return gb_load(values);
}

GB_INLINE void gb_store_some(void *target, gb_dtype type, int64_t at, int64_t count, gb_vf v)
{
    if (count >= GB_LANES) {
        if (type == GB_BF16)
            gb_store_bf16((uint16_t *)target + at, v);
        else
            gb_store((float *)target + at, v);
    } else if (type == GB_BF16) {
        uint16_t halves[GB_LANES];
        gb_store_bf16(halves, v);
        for (int64_t i = 0; i < count; i++)
            ((uint16_t *)target)[at + i] = halves[i];
    } else {
        float values[GB_LANES];
        gb_store(values, v);
        for (int64_t i = 0; i < count; i++)
            ((float *)target)[at + i] = values[i];
    }
}

/* exp(x) = 2^n exp(r), n = round(x / ln 2), |r| <= ln 2 / 2; Taylor to r^6 (error under 2 ulp in
 * the range used). Clamped to +-87, where sigmoid is 0 or 1 within f32. A NaN stays a NaN. */
GB_INLINE gb_vf gb_exp(gb_vf x)
{
    const gb_vf magic = gb_all(12582912.0f); /* 1.5 * 2^23: adding it rounds to an integer */
    gb_vf limit = gb_all(87.0f);
    gb_vf clamped = gb_select(x > limit, limit, x);
    clamped = gb_select(clamped < -limit, -limit, clamped);
    gb_vf shifted = clamped * gb_all(1.44269504f) + magic;
    gb_vf n = shifted - magic;
    gb_vf r = clamped - n * gb_all(0.693145752f) - n * gb_all(1.42860677e-6f);
    gb_vf p = gb_all(1.0f / 720.0f);
    p = p * r + gb_all(1.0f / 120.0f);
    p = p * r + gb_all(1.0f / 24.0f);
    p = p * r + gb_all(1.0f / 6.0f);
    p = p * r + gb_all(0.5f);
    p = p * r + gb_all(1.0f);
    p = p * r + gb_all(1.0f);
    gb_vi exponent = ((gb_vi)shifted - (gb_vi)magic + 127) << 23;
    return p * (gb_vf)exponent;
}

GB_INLINE gb_vf gb_activate(gb_vf x, gb_activation activation)
{
    if (activation == GB_ACT_RELU)
        return gb_select(x < gb_all(0.0f), gb_all(0.0f), x);
    if (activation == GB_ACT_NONE)
        return x;
    gb_vf slope = x; /* SiLU: x sigmoid(x); GELU: x sigmoid(2 sqrt(2/pi) (x + 0.044715 x^3)) */
    if (activation == GB_ACT_GELU)
        slope = gb_all(1.59576912f) * x * (gb_all(1.0f) + gb_all(0.044715f) * x * x);
    return x / (gb_all(1.0f) + gb_exp(-slope));
}

/* C[i, j..] = epilogue(sum), `count` columns. */
GB_INLINE void gb_finish(const gb_gemm_block *x, gb_vf sum, int64_t i, int64_t j, int64_t count)
{
    int64_t at = i * x->ldc + j;
    gb_vf value = sum * gb_all(x->alpha);
    if (x->beta != 0.0f)
        value += gb_all(x->beta) * gb_load_some(x->c, x->c_type, at, count);
    if (x->bias != NULL)
        value += gb_load_some(x->bias, GB_F32, j, count);
    if (x->activation != GB_ACT_NONE)
        value = gb_activate(value, x->activation);
    gb_store_some(x->c, x->c_type, at, count, value);
}

/* The same after a range of k that is not the last one: keeps the raw sums. */
GB_INLINE void gb_finish_or_keep(const gb_gemm_block *x, gb_vf sum, int64_t i, int64_t j)
{
    int64_t count = x->n - j;
    if (count <= 0)
        return;
    if (x->last)
        gb_finish(x, sum, i, j, count);
    else
        gb_store_some(x->sums, GB_F32, i * x->ld_sums + j, count, sum);
}

/* Finishes whole vectors of [rows, columns * GB_LANES] sums, one step of the epilogue at a time
 * over all of them: the decisions are made once and not for each vector. */
static inline void
gb_finish_full(const gb_gemm_block *x, gb_vf *sums, int64_t i, int64_t j, int rows, int columns)
{
    const int count = rows * columns;
    const int64_t at = i * x->ldc + j;
    if (x->alpha != 1.0f)
        for (int s = 0; s < count; s++)
            sums[s] *= gb_all(x->alpha);
    if (x->beta != 0.0f)
        for (int r = 0; r < rows; r++)
            for (int c = 0; c < columns; c++)
                sums[r * columns + c] +=
                    gb_all(x->beta) *
                    gb_load_some(x->c, x->c_type, at + r * x->ldc + c * GB_LANES, GB_LANES);
    if (x->bias != NULL)
        for (int c = 0; c < columns; c++) {
            gb_vf bias = gb_load(x->bias + j + c * GB_LANES);
            for (int r = 0; r < rows; r++)
                sums[r * columns + c] += bias;
        }
    if (x->activation != GB_ACT_NONE)
        for (int s = 0; s < count; s++)
            sums[s] = gb_activate(sums[s], x->activation);
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++)
            gb_store_some(x->c, x->c_type, at + r * x->ldc + c * GB_LANES, GB_LANES,
                          sums[r * columns + c]);
}

/* Finishes or keeps the sums of a tile whose last columns may not be there. */
static inline void
gb_finish_tile(const gb_gemm_block *x, gb_vf *sums, int64_t i, int64_t j, int rows, int columns)
{
    if (x->last && x->n - j >= columns * GB_LANES) {
        gb_finish_full(x, sums, i, j, rows, columns);
        return;
    }
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++)
            gb_finish_or_keep(x, sums[r * columns + c], i + r, j + c * GB_LANES);
}

#endif
