/* Packing of operands with vectors of GB_LANES floats, and the sum of slices. Panels of B are two
 * vectors wide. Include with GB_LANES defined. */
#ifndef GENBA_TENSOR_KERNEL_GEMM_PACK_H
#define GENBA_TENSOR_KERNEL_GEMM_PACK_H

#include "tensor/kernel/gemm_lanes.h"

enum {
    GB_NR = 2 * GB_LANES
};

/* How packing reads its source: a constant in each copy of the loops below. */
typedef enum source_form {
    SOURCE_F32,
    SOURCE_F32_TO_BF16,
    SOURCE_BF16
} source_form;

static inline source_form form_of(const gb_gemm_pack *p)
{
    if (p->type == GB_BF16)
        return SOURCE_BF16;
    return p->bf16 ? SOURCE_F32_TO_BF16 : SOURCE_F32;
}

/* GB_LANES elements of the source, as f32 or rounded to bf16. */
GB_INLINE gb_vf load_source(const gb_gemm_pack *p,
                            int64_t at,
                            int64_t count,
                            const source_form form)
{
    gb_vf v = gb_load_some(p->source, form == SOURCE_BF16 ? GB_BF16 : GB_F32, at, count);
    return form == SOURCE_F32_TO_BF16 ? (gb_vf)gb_round_bits(v) : v;
}

/* A square of the source along k: lanes of v[i] are rows x.., v[i] is step k + i; zeros outside. */
GB_INLINE void load_square(const gb_gemm_pack *p,
                           int64_t x,
                           int64_t rows,
                           int64_t k,
                           const source_form form,
                           gb_vf v[GB_LANES])
{
    for (int i = 0; i < GB_LANES; i++)
        v[i] = i < rows ? load_source(p, (x + i) * p->outer + k, p->k - k, form) : gb_all(0.0f);
    gb_transpose(v);
}

/* A whole vector may be stored where later steps of the same group overwrite what is too much. */
GB_INLINE void store_step(const gb_gemm_pack *p, float *packed, int64_t k, gb_vf v)
{
    if ((p->k - k) * p->rows >= GB_LANES)
        gb_store(packed + k * p->rows, v);
    else
        gb_store_some(packed + k * p->rows, GB_F32, 0, p->rows, v);
}

/* packed[k][x] for one group: rows first.. of A. */
GB_INLINE void
pack_a_group(const gb_gemm_pack *p, int64_t first, float *packed, const source_form form)
{
    int64_t width = p->count - first < p->rows ? p->count - first : p->rows;
    if (p->inner == 1) {
        for (int64_t k = 0; k < p->k; k += GB_LANES) {
            gb_vf v[GB_LANES];
            load_square(p, first, width, k, form, v);
            for (int64_t i = 0; i < GB_LANES && k + i < p->k; i++)
                store_step(p, packed, k + i, v[i]);
        }
        return;
    }
    for (int64_t k = 0; k < p->k; k++)
        store_step(p, packed, k,
                   load_source(p, first * p->outer + k * p->inner, p->count - first, form));
}

/* Groups are at most GB_LANES rows. */
static inline void pack_a(const gb_gemm_pack *p, void *packed)
{
    float *to = packed;
    const source_form form = form_of(p);
    for (int64_t first = 0; first < p->count; first += p->rows, to += p->rows * p->k)
        if (form == SOURCE_F32)
            pack_a_group(p, first, to, SOURCE_F32);
        else if (form == SOURCE_BF16)
            pack_a_group(p, first, to, SOURCE_BF16);
        else
            pack_a_group(p, first, to, SOURCE_F32_TO_BF16);
}

/* Steps k.. of op(B), GB_LANES columns from j on; zeros outside. */
GB_INLINE void
load_b(const gb_gemm_pack *p, int64_t k, int64_t j, gb_vf v[GB_LANES], const source_form form)
{
    int64_t count = p->count - j;
    if (p->outer != 1) {
        load_square(p, j, count, k, form, v);
        return;
    }
    for (int i = 0; i < GB_LANES; i++)
        v[i] = k + i < p->k ? load_source(p, (k + i) * p->inner + j, count, form) : gb_all(0.0f);
}

/* Steps of k go round outside of the panels, so that rows of B are read along. */
static inline void pack_b_f32(const gb_gemm_pack *p, float *packed)
{
    const int64_t columns = (p->count + GB_NR - 1) / GB_NR * GB_NR;
    for (int64_t k = 0; k < p->k; k += GB_LANES)
        for (int64_t j = 0; j < columns; j += GB_LANES) {
            gb_vf v[GB_LANES];
            int64_t steps = p->k - k < GB_LANES ? p->k - k : GB_LANES;
            float *to = packed + j / GB_NR * GB_NR * p->k + k * GB_NR + j % GB_NR;
            load_b(p, k, j, v, SOURCE_F32);
            for (int64_t i = 0; i < steps; i++)
                gb_store(to + i * GB_NR, v[i]);
        }
}

GB_INLINE void
pack_b_pairs(const gb_gemm_pack *p, uint16_t *packed, int64_t padded, const source_form form)
{
    const int64_t columns = (p->count + GB_NR - 1) / GB_NR * GB_NR;
    for (int64_t k = 0; k < padded; k += GB_LANES)
        for (int64_t j = 0; j < columns; j += GB_LANES) {
            gb_vf v[GB_LANES];
            int64_t steps = padded - k < GB_LANES ? padded - k : GB_LANES;
            uint16_t *to = packed + j / GB_NR * GB_NR * padded + k * GB_NR + j % GB_NR * 2;
            load_b(p, k, j, v, form);
            for (int64_t i = 0; i < steps; i += 2)
                *(gb_vu_at *)(to + i * GB_NR) = ((gb_vu)v[i] >> 16) | (gb_vu)v[i + 1];
        }
}

static inline void pack_b_bf16(const gb_gemm_pack *p, uint16_t *to, int64_t k_multiple)
{
    int64_t padded = (p->k + k_multiple - 1) / k_multiple * k_multiple;
    if (p->type == GB_BF16)
        pack_b_pairs(p, to, padded, SOURCE_BF16);
    else
        pack_b_pairs(p, to, padded, SOURCE_F32_TO_BF16);
}

static inline void reduce(const gb_gemm_block *x, int64_t slices, int64_t stride)
{
    for (int64_t i = 0; i < x->m; i++)
        for (int64_t j = 0; j < x->n; j += GB_LANES) {
            const float *from = x->sums + i * x->ld_sums + j;
            gb_vf sum = gb_load_some(from, GB_F32, 0, x->n - j);
            for (int64_t s = 1; s < slices; s++)
                sum += gb_load_some(from + s * stride, GB_F32, 0, x->n - j);
            gb_finish(x, sum, i, j, x->n - j);
        }
}

#endif
