/* Matrix kernels over vectors of GB_LANES floats: the register tile and dot products. Include once
 * per instruction set, with GB_LANES and GB_MR defined; the tile is GB_MR rows by two vectors. */
#ifndef GENBA_TENSOR_KERNEL_GEMM_VECTOR_H
#define GENBA_TENSOR_KERNEL_GEMM_VECTOR_H

#include "tensor/kernel/gemm_pack.h"

enum {
    GB_TILE_VECTORS = 2 * GB_MR
};

/* ---- the register tile --------------------------------------------------------------------- */

/* One step of k: acc[r][c] += a[r] * b[c]. */
GB_INLINE void tile_step(
    gb_vf *acc, const gb_vf *b, const float *a, int64_t a_row, const int rows, const int columns)
{
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
        gb_vf x = gb_all(a[r * a_row]);
#pragma GCC unroll 8
        for (int c = 0; c < columns; c++)
            acc[r * columns + c] += x * b[c];
    }
}

GB_INLINE void tile_f32(const gb_gemm_block *x,
                        gb_vf *acc,
                        const float *a,
                        int64_t a_row,
                        const float *b,
                        const int rows,
                        const int columns)
{
    const int64_t a_col = x->a_col, b_row = x->b_row, b_panel = x->b_panel, steps = x->k;
    for (int64_t k = 0; k < steps; k++, a += a_col, b += b_row) {
        gb_vf values[8];
#pragma GCC unroll 8
        for (int c = 0; c < columns; c++)
            values[c] = gb_load(b + (c / 2) * b_panel + (c % 2) * GB_LANES);
        tile_step(acc, values, a, a_row, rows, columns);
    }
}

/* A bf16 is the upper half of an f32: the even row is a shift away, the odd row a mask. */
GB_INLINE void tile_bf16(const gb_gemm_block *x,
                         gb_vf *acc,
                         const float *a,
                         int64_t a_row,
                         const uint16_t *b,
                         const int rows,
                         const int columns)
{
    const int64_t a_col = x->a_col, b_panel = x->b_panel, pairs = x->k / 2;
    gb_vf values[8];
    for (int64_t k = 0; k < pairs; k++, a += 2 * a_col, b += 2 * GB_NR) {
#pragma GCC unroll 8
        for (int c = 0; c < columns; c++)
            values[c] = (gb_vf)(*(const gb_vu_at *)(b + (c / 2) * b_panel + (c % 2) * GB_NR) << 16);
        tile_step(acc, values, a, a_row, rows, columns);
#pragma GCC unroll 8
        for (int c = 0; c < columns; c++)
            values[c] =
                (gb_vf)(*(const gb_vu_at *)(b + (c / 2) * b_panel + (c % 2) * GB_NR) & 0xffff0000u);
        tile_step(acc, values, a + a_col, a_row, rows, columns);
    }
    if (x->k % 2 != 0) {
#pragma GCC unroll 8
        for (int c = 0; c < columns; c++)
            values[c] = (gb_vf)(*(const gb_vu_at *)(b + (c / 2) * b_panel + (c % 2) * GB_NR) << 16);
        tile_step(acc, values, a, a_row, rows, columns);
    }
}

/* Rows i.. and columns j.. of the block: `rows` by `panels` panels, in registers over all of k. */
GB_INLINE void tile(
    const gb_gemm_block *x, int64_t i, int64_t j, const int rows, const int panels, const bool bf16)
{
    const int columns = 2 * panels;
    gb_vf acc[GB_TILE_VECTORS > 8 ? GB_TILE_VECTORS : 8];
    const float *a = (const float *)x->a + i / x->rows * x->a_group;
    const int64_t offset = j / GB_NR * x->b_panel;
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (int c = 0; c < columns; c++)
            acc[r * columns + c] = gb_all(0.0f);
    const bool full = x->n - j >= columns * GB_LANES;
    for (int r = 0; r < rows; r++)
        __builtin_prefetch((const char *)x->sums + 4 * ((i + r) * x->ld_sums + j), 1);
    if (!x->first && full) {
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
            for (int c = 0; c < columns; c++)
                acc[r * columns + c] = gb_load(x->sums + (i + r) * x->ld_sums + j + c * GB_LANES);
    } else if (!x->first) {
        for (int r = 0; r < rows; r++)
            for (int c = 0; c < columns; c++)
                acc[r * columns + c] =
                    gb_load_some(x->sums, GB_F32, (i + r) * x->ld_sums + j + c * GB_LANES,
                                 x->n - j - c * GB_LANES);
    }
    if (bf16)
        tile_bf16(x, acc, a, x->a_row, (const uint16_t *)x->b + offset, rows, columns);
    else
        tile_f32(x, acc, a, x->a_row, (const float *)x->b + offset, rows, columns);
    if (full && (!x->last || x->plain)) {
        float *to = x->last ? (float *)x->c + i * x->ldc + j : x->sums + i * x->ld_sums + j;
        const int64_t ld = x->last ? x->ldc : x->ld_sums;
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
            for (int c = 0; c < columns; c++)
                gb_store(to + r * ld + c * GB_LANES, acc[r * columns + c]);
        return;
    }
    gb_finish_tile(x, acc, i, j, rows, columns);
}

typedef void (*tile_fn)(const gb_gemm_block *x, int64_t i, int64_t j);

#define GB_TILE(rows, panels)                                                                      \
    static void tile_f32_##rows##_##panels(const gb_gemm_block *x, int64_t i, int64_t j)           \
    {                                                                                              \
        tile(x, i, j, rows, panels, false);                                                        \
    }                                                                                              \
    static void tile_bf16_##rows##_##panels(const gb_gemm_block *x, int64_t i, int64_t j)          \
    {                                                                                              \
        tile(x, i, j, rows, panels, true);                                                         \
    }
#define GB_TILES(X) X(1, 1) X(2, 1) X(3, 1) X(4, 1) X(5, 1) X(6, 1)
#if GB_MR > 6
#define GB_TILES_TALL(X) X(7, 1) X(8, 1) X(9, 1) X(10, 1) X(11, 1) X(12, 1)
#else
#define GB_TILES_TALL(X)
#endif
GB_TILES(GB_TILE)
GB_TILES_TALL(GB_TILE)
/* One to three rows alone would wait for their own sums: they take several panels at a time. */
GB_TILE(1, 4)
GB_TILE(2, 2)
GB_TILE(3, 2)

#define GB_TILE_F32(rows, panels) tile_f32_##rows##_##panels,
#define GB_TILE_BF16(rows, panels) tile_bf16_##rows##_##panels,

static void block(const gb_gemm_block *x)
{
    static const tile_fn narrow[2][GB_MR] = {{GB_TILES(GB_TILE_F32) GB_TILES_TALL(GB_TILE_F32)},
                                             {GB_TILES(GB_TILE_BF16) GB_TILES_TALL(GB_TILE_BF16)}};
    static const tile_fn wide[2][3] = {{tile_f32_1_4, tile_f32_2_2, tile_f32_3_2},
                                       {tile_bf16_1_4, tile_bf16_2_2, tile_bf16_3_2}};
    static const int wide_panels[3] = {4, 2, 2};
    int64_t j = 0;
    if (x->m <= 3) {
        int64_t step = wide_panels[x->m - 1] * GB_NR;
        for (; j + step - GB_NR < x->n; j += step)
            wide[x->b_bf16][x->m - 1](x, 0, j);
    }
    for (; j < x->n; j += GB_NR)
        for (int64_t i = 0; i < x->m; i += x->rows) {
            int64_t rows = x->m - i < x->rows ? x->m - i : x->rows;
            narrow[x->b_bf16][rows - 1](x, i, j);
        }
}

/* ---- B along k ------------------------------------------------------------------------------ */

GB_INLINE float sum_of(gb_vf v)
{
    float values[GB_LANES];
    gb_store(values, v);
    for (int width = GB_LANES / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++)
            values[i] += values[i + width];
    return values[0];
}

/* acc += rows of A times rows of the stored B over `count` steps of k, at most GB_LANES. */
GB_INLINE void dot_step(const gb_gemm_dot *d,
                        gb_vf *acc,
                        const float *a,
                        const float *b,
                        int64_t count,
                        const int rows,
                        const int columns)
{
    gb_vf values[4];
#pragma GCC unroll 4
    for (int c = 0; c < columns; c++)
        values[c] = gb_load_some(b, GB_F32, c * d->ldb, count);
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
        gb_vf x = gb_load_some(a, GB_F32, r * d->out.a_row, count);
#pragma GCC unroll 4
        for (int c = 0; c < columns; c++)
            acc[r * columns + c] += x * values[c];
    }
}

GB_INLINE void
dot_tile(const gb_gemm_dot *d, int64_t i, int64_t j, const int rows, const int columns)
{
    const gb_gemm_block *x = &d->out;
    const float *a = (const float *)x->a + i * x->a_row;
    const float *b = (const float *)x->b + j * d->ldb;
    gb_vf acc[12];
#pragma GCC unroll 12
    for (int s = 0; s < rows * columns; s++)
        acc[s] = gb_all(0.0f);
    int64_t k = 0;
    for (; k + GB_LANES <= x->k; k += GB_LANES)
        dot_step(d, acc, a + k, b + k, GB_LANES, rows, columns);
    if (k < x->k)
        dot_step(d, acc, a + k, b + k, x->k - k, rows, columns);
    for (int r = 0; r < rows; r++) {
        float sums[GB_LANES] = {0.0f};
        for (int c = 0; c < columns; c++)
            sums[c] = sum_of(acc[r * columns + c]);
        gb_finish(x, gb_load(sums), i + r, j, columns);
    }
}

/* m <= 4. */
static void dot(const gb_gemm_dot *d)
{
    int64_t j = 0, step = d->out.m == 4 ? 2 : 4;
    for (; j + step <= d->out.n; j += step)
        switch (d->out.m) {
        case 1:
            dot_tile(d, 0, j, 1, 4);
            break;
        case 2:
            dot_tile(d, 0, j, 2, 4);
            break;
        case 3:
            dot_tile(d, 0, j, 3, 4);
            break;
        default:
            dot_tile(d, 0, j, 4, 2);
        }
    for (; j < d->out.n; j++)
        for (int64_t i = 0; i < d->out.m; i++)
            dot_tile(d, i, j, 1, 1);
}

#endif
