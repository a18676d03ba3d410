/* Matrix multiplication in bf16 on AMX tiles: C tiles of 16 x 16 f32, A tiles of 16 rows by 32
 * steps of k, B tiles of 16 pairs of steps by 16 columns. Two by two C tiles share their loads. f32
 * products on machines with AMX run the AVX-512 kernel. */
#define GB_LANES 16
#include "tensor/kernel/gemm_pack.h"

#include "tensor/kernel/amx/tiles.h"

enum {
    STEP = 32,
    B_STEP = STEP * GB_NR,
    B_STRIDE = 4 * GB_NR
};

static void release(void)
{
    _tile_release();
}

/* ---- packing A ------------------------------------------------------------------------------- */

/* v[i]: 16 steps of k from row first + i. */
GB_INLINE void load_rows(const gb_gemm_pack *p,
                         int64_t first,
                         int64_t rows,
                         int64_t k,
                         const source_form form,
                         gb_vf v[GB_LANES])
{
    if (p->inner == 1) {
        for (int i = 0; i < GB_LANES; i++)
            if (i < rows)
                v[i] = load_source(p, (first + i) * p->outer + k, p->k - k, form);
        return;
    }
    for (int i = 0; i < GB_LANES; i++)
        v[i] = k + i < p->k ? load_source(p, first * p->outer + (k + i) * p->inner, rows, form)
                            : gb_all(0.0f);
    gb_transpose(v);
}

GB_INLINE void pack_tiles(const gb_gemm_pack *p, uint16_t *to, const source_form form)
{
    for (int64_t first = 0; first < p->count; first += TILE) {
        int64_t rows = p->count - first < TILE ? p->count - first : TILE;
        for (int64_t k = 0; k < p->k; k += STEP, to += TILE * STEP)
            for (int64_t half = 0; half < STEP; half += GB_LANES) {
                gb_vf v[GB_LANES];
                load_rows(p, first, rows, k + half, form, v);
                for (int64_t i = 0; i < rows; i++)
                    *(gb_vh_at *)(to + i * STEP + half) =
                        __builtin_convertvector((gb_vu)v[i] >> 16, gb_vh);
            }
    }
}

static void pack_a_tiles(const gb_gemm_pack *p, void *packed)
{
    if (p->type == GB_BF16)
        pack_tiles(p, packed, SOURCE_BF16);
    else
        pack_tiles(p, packed, SOURCE_F32_TO_BF16);
}

static void pack_b(const gb_gemm_pack *p, void *packed)
{
    pack_b_bf16(p, packed, STEP);
}

/* ---- where the sums of a part of C come from and go to ----------------------------------------
 */

typedef struct corner {
    int64_t i, j, rows, columns;
    float *at; /* [rows, columns], ld floats apart */
    int64_t ld;
    float *spare; /* [32 * 32]: for what cannot be read or written in place */
} corner;

/* Earlier sums: in place, or a copy when the last columns are not all there. */
static void corner_begin(const gb_gemm_block *x, corner *c)
{
    c->ld = x->ld_sums;
    c->at = x->sums + c->i * c->ld + c->j;
    if (x->first || c->j + c->columns <= x->n)
        return;
    for (int64_t r = 0; r < c->rows; r++)
        for (int64_t s = 0; s < c->columns; s += GB_LANES)
            gb_store(c->spare + r * c->columns + s,
                     gb_load_some(c->at, GB_F32, r * c->ld + s, x->n - c->j - s));
    c->at = c->spare;
    c->ld = c->columns;
}

/* Where the tiles are to be stored. */
static void corner_turn(const gb_gemm_block *x, corner *c)
{
    bool full = c->j + c->columns <= x->n;
    if (full && !x->last)
        return;
    if (full && x->plain) {
        c->ld = x->ldc;
        c->at = (float *)x->c + c->i * c->ld + c->j;
        return;
    }
    c->at = c->spare;
    c->ld = c->columns;
}

static void corner_end(const gb_gemm_block *x, const corner *c)
{
    if (c->at != c->spare)
        return;
    gb_finish_tile(x, (gb_vf *)(void *)c->spare, c->i, c->j, (int)c->rows,
                   (int)c->columns / GB_LANES);
}

/* ---- products -------------------------------------------------------------------------------- */

/* Two groups of rows by one panel: 32 x 32. */
static void product_2x1(const gb_gemm_block *x, int64_t i, int64_t j, int64_t rows)
{
    _Alignas(64) float spare[32 * 32];
    corner c = {.i = i, .j = j, .rows = rows, .columns = 32, .spare = spare};
    const uint16_t *a = (const uint16_t *)x->a + i / TILE * x->a_group, *lower = a + x->a_group;
    const uint16_t *b = (const uint16_t *)x->b + j / GB_NR * x->b_panel;
    const int64_t a_stride = 2 * x->a_row;
    corner_begin(x, &c);
    if (x->first) {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    } else {
        _tile_loadd(0, c.at, 4 * c.ld);
        _tile_loadd(1, c.at + TILE, 4 * c.ld);
        _tile_loadd(2, c.at + TILE * c.ld, 4 * c.ld);
        _tile_loadd(3, c.at + TILE * c.ld + TILE, 4 * c.ld);
    }
    for (int64_t k = 0; k < x->k; k += STEP, b += B_STEP, a += x->a_col, lower += x->a_col) {
        _tile_loadd(6, b, B_STRIDE);
        _tile_loadd(4, a, a_stride);
        _tile_dpbf16ps(0, 4, 6);
        _tile_loadd(7, b + STEP, B_STRIDE);
        _tile_dpbf16ps(1, 4, 7);
        _tile_loadd(5, lower, a_stride);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    corner_turn(x, &c);
    _tile_stored(0, c.at, 4 * c.ld);
    _tile_stored(1, c.at + TILE, 4 * c.ld);
    _tile_stored(2, c.at + TILE * c.ld, 4 * c.ld);
    _tile_stored(3, c.at + TILE * c.ld + TILE, 4 * c.ld);
    corner_end(x, &c);
}

/* One group of rows by two panels: 16 x 64. */
static void product_1x2(const gb_gemm_block *x, int64_t i, int64_t j, int64_t rows)
{
    _Alignas(64) float spare[32 * 32];
    corner c = {.i = i, .j = j, .rows = rows, .columns = 64, .spare = spare};
    const uint16_t *a = (const uint16_t *)x->a + i / TILE * x->a_group;
    const uint16_t *b = (const uint16_t *)x->b + j / GB_NR * x->b_panel, *next = b + x->b_panel;
    corner_begin(x, &c);
    if (x->first) {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    } else {
        _tile_loadd(0, c.at, 4 * c.ld);
        _tile_loadd(1, c.at + TILE, 4 * c.ld);
        _tile_loadd(2, c.at + 2 * TILE, 4 * c.ld);
        _tile_loadd(3, c.at + 3 * TILE, 4 * c.ld);
    }
    for (int64_t k = 0; k < x->k; k += STEP, b += B_STEP, next += B_STEP, a += x->a_col) {
        _tile_loadd(4, a, 2 * x->a_row);
        _tile_loadd(6, b, B_STRIDE);
        _tile_dpbf16ps(0, 4, 6);
        _tile_loadd(7, b + STEP, B_STRIDE);
        _tile_dpbf16ps(1, 4, 7);
        _tile_loadd(6, next, B_STRIDE);
        _tile_dpbf16ps(2, 4, 6);
        _tile_loadd(7, next + STEP, B_STRIDE);
        _tile_dpbf16ps(3, 4, 7);
    }
    corner_turn(x, &c);
    _tile_stored(0, c.at, 4 * c.ld);
    _tile_stored(1, c.at + TILE, 4 * c.ld);
    _tile_stored(2, c.at + 2 * TILE, 4 * c.ld);
    _tile_stored(3, c.at + 3 * TILE, 4 * c.ld);
    corner_end(x, &c);
}

/* One group of rows by one panel: 16 x 32. */
static void product_1x1(const gb_gemm_block *x, int64_t i, int64_t j, int64_t rows)
{
    _Alignas(64) float spare[16 * 32];
    corner c = {.i = i, .j = j, .rows = rows, .columns = 32, .spare = spare};
    const uint16_t *a = (const uint16_t *)x->a + i / TILE * x->a_group;
    const uint16_t *b = (const uint16_t *)x->b + j / GB_NR * x->b_panel;
    corner_begin(x, &c);
    if (x->first) {
        _tile_zero(0);
        _tile_zero(1);
    } else {
        _tile_loadd(0, c.at, 4 * c.ld);
        _tile_loadd(1, c.at + TILE, 4 * c.ld);
    }
    for (int64_t k = 0; k < x->k; k += STEP, b += B_STEP, a += x->a_col) {
        _tile_loadd(4, a, 2 * x->a_row);
        _tile_loadd(6, b, B_STRIDE);
        _tile_dpbf16ps(0, 4, 6);
        _tile_loadd(7, b + STEP, B_STRIDE);
        _tile_dpbf16ps(1, 4, 7);
    }
    corner_turn(x, &c);
    _tile_stored(0, c.at, 4 * c.ld);
    _tile_stored(1, c.at + TILE, 4 * c.ld);
    corner_end(x, &c);
}

/* Panel by panel, so that a panel of B stays in the first-level cache while A streams past it; the
 * last rows, fewer than 32, come in a second pass with tiles of their height. */
static void block(const gb_gemm_block *x)
{
    const int64_t even = x->m / (2 * TILE) * (2 * TILE), rest = x->m - even;
    if (even > 0) {
        configure(TILE, TILE, true);
        for (int64_t j = 0; j < x->n; j += GB_NR)
            for (int64_t i = 0; i < even; i += 2 * TILE)
                product_2x1(x, i, j, 2 * TILE);
    }
    if (rest > TILE) {
        configure(TILE, rest - TILE, true);
        for (int64_t j = 0; j < x->n; j += GB_NR)
            product_2x1(x, even, j, rest);
    } else if (rest > 0) {
        int64_t j = 0;
        configure(rest, 0, false);
        for (; j + GB_NR < x->n; j += 2 * GB_NR)
            product_1x2(x, even, j, rest);
        if (j < x->n)
            product_1x1(x, even, j, rest);
    }
}

const gb_gemm_kernel gb_gemm_amx = {
    .isa = GB_ISA_AMX,
    .mr = 2 * TILE,
    .nr = GB_NR,
    .k_multiple = STEP,
    .mc = 256,
    .kc = 512,
    .nc = 512,
    .part_flops = 8e6,
    .a_rows = TILE,
    .pack_a = pack_a_tiles,
    .pack_b = pack_b,
    .end = release,
    .block = block,
    .reduce = reduce,
};
