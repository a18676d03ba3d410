/* Integer matrix multiplication on AMX tiles: A tiles of 16 rows by 64 steps of k, B tiles of 16
 * fours of steps by 16 columns, C tiles of 16 x 16 s32. */
#include <string.h>

#include "tensor/kernel/amx/tiles.h"
#include "tensor/kernel/gemm_i8.h"

enum {
    STEP = 64,
    NR = 32,
    A_TILE = TILE * STEP,
    B_STEP = STEP * NR,
    B_STRIDE = 4 * NR
};

static int64_t steps_of(int64_t k)
{
    return (k + STEP - 1) / STEP;
}

/* Groups of 16 rows, [k / 64][16][64]; zeros beyond k. */
static void pack_a(const gb_gemm_i8 *g, int64_t first, int64_t rows, void *packed)
{
    const int64_t steps = steps_of(g->k);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t s = 0; s < steps; s++) {
            int8_t *to = (int8_t *)packed + (i / TILE * steps + s) * A_TILE + i % TILE * STEP;
            int64_t count = g->k - s * STEP < STEP ? g->k - s * STEP : STEP;
            memcpy(to, g->a + (first + i) * g->lda + s * STEP, (size_t)count);
            memset(to + count, 0, (size_t)(STEP - count));
        }
}

/* The tiles of one panel: in place when all 32 columns are there, else through a copy. */
typedef struct target {
    int32_t *at;
    int64_t ld;
} target;

static target target_of(const gb_gemm_i8_block *x, int64_t i, int64_t j, int32_t *spare)
{
    if (j + NR <= x->n)
        return (target){.at = x->c + i * x->ldc + j, .ld = x->ldc};
    return (target){.at = spare, .ld = NR};
}

static void
target_end(const gb_gemm_i8_block *x, int64_t i, int64_t j, int64_t rows, const int32_t *spare)
{
    if (j + NR <= x->n)
        return;
    for (int64_t r = 0; r < rows; r++)
        memcpy(x->c + (i + r) * x->ldc + j, spare + r * NR, (size_t)(x->n - j) * sizeof *spare);
}

/* Two groups of rows by one panel. */
static void product_pair(const gb_gemm_i8_block *x, int64_t i, int64_t j, int64_t rows)
{
    _Alignas(64) int32_t spare[32 * NR];
    const int64_t steps = steps_of(x->k);
    const int8_t *a = (const int8_t *)x->a + i / TILE * steps * A_TILE;
    const int8_t *lower = a + steps * A_TILE, *b = (const int8_t *)x->b + j / NR * x->b_panel;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int64_t s = 0; s < steps; s++, a += A_TILE, lower += A_TILE, b += B_STEP) {
        _tile_loadd(6, b, B_STRIDE);
        _tile_loadd(4, a, STEP);
        _tile_dpbssd(0, 4, 6);
        _tile_loadd(7, b + STEP, B_STRIDE);
        _tile_dpbssd(1, 4, 7);
        _tile_loadd(5, lower, STEP);
        _tile_dpbssd(2, 5, 6);
        _tile_dpbssd(3, 5, 7);
    }
    target t = target_of(x, i, j, spare);
    _tile_stored(0, t.at, 4 * t.ld);
    _tile_stored(1, t.at + TILE, 4 * t.ld);
    _tile_stored(2, t.at + TILE * t.ld, 4 * t.ld);
    _tile_stored(3, t.at + TILE * t.ld + TILE, 4 * t.ld);
    target_end(x, i, j, rows, spare);
}

static void product_single(const gb_gemm_i8_block *x, int64_t i, int64_t j, int64_t rows)
{
    _Alignas(64) int32_t spare[TILE * NR];
    const int64_t steps = steps_of(x->k);
    const int8_t *a = (const int8_t *)x->a + i / TILE * steps * A_TILE;
    const int8_t *b = (const int8_t *)x->b + j / NR * x->b_panel;
    _tile_zero(0);
    _tile_zero(1);
    for (int64_t s = 0; s < steps; s++, a += A_TILE, b += B_STEP) {
        _tile_loadd(4, a, STEP);
        _tile_loadd(6, b, B_STRIDE);
        _tile_dpbssd(0, 4, 6);
        _tile_loadd(7, b + STEP, B_STRIDE);
        _tile_dpbssd(1, 4, 7);
    }
    target t = target_of(x, i, j, spare);
    _tile_stored(0, t.at, 4 * t.ld);
    _tile_stored(1, t.at + TILE, 4 * t.ld);
    target_end(x, i, j, rows, spare);
}

static void block(const gb_gemm_i8_block *x)
{
    const int64_t even = x->m / (2 * TILE) * (2 * TILE), rest = x->m - even;
    if (even > 0) {
        configure(TILE, TILE, true);
        for (int64_t j = 0; j < x->n; j += NR)
            for (int64_t i = 0; i < even; i += 2 * TILE)
                product_pair(x, i, j, 2 * TILE);
    }
    if (rest > TILE)
        configure(TILE, rest - TILE, true);
    else if (rest > 0)
        configure(rest, 0, false);
    for (int64_t j = 0; rest > 0 && j < x->n; j += NR) {
        if (rest > TILE)
            product_pair(x, even, j, rest);
        else
            product_single(x, even, j, rest);
    }
    _tile_release();
}

const gb_gemm_i8_kernel gb_gemm_i8_amx = {.isa = GB_ISA_AMX,
                                          .mr = 2 * TILE,
                                          .nr = NR,
                                          .depth = 4,
                                          .k_multiple = STEP,
                                          .a_bytes = 1,
                                          .pack_a = pack_a,
                                          .block = block};
