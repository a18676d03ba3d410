/* The shapes of AMX tiles as genba's kernels use them, and the intrinsics (or, in tests, their
 * stand-in in plain C). */
#ifndef GENBA_TENSOR_KERNEL_AMX_TILES_H
#define GENBA_TENSOR_KERNEL_AMX_TILES_H

#include <stdbool.h>
#include <stdint.h>

#ifdef GB_EMULATED_AMX
#include "tensor/emulated/amx.h"
#else
#include <immintrin.h>
#endif

enum {
    TILE = 16
};

typedef struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t column_bytes[16];
    uint8_t rows[16];
} tile_config;
_Static_assert(sizeof(tile_config) == 64, "the layout is the processor's");

/* Tiles 0 to 3: C, 4 and 5: A, 6 and 7: B. As a pair, C's tiles 0 and 1 and A's 4 have `upper` rows
 * and the others `lower`; else all have `upper`. */
static inline void configure(int64_t upper, int64_t lower, bool pair)
{
    _Alignas(64) tile_config config = {.palette = 1};
    for (int t = 0; t < 8; t++) {
        config.column_bytes[t] = 64;
        config.rows[t] = TILE;
    }
    config.rows[0] = config.rows[1] = config.rows[4] = (uint8_t)upper;
    config.rows[2] = config.rows[3] = config.rows[5] = (uint8_t)(pair ? lower : upper);
    _tile_loadconfig(&config);
}

#endif
