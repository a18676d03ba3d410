/* AMX in plain C, enough for genba's kernels: palette 1, eight tiles of at most 16 rows by 64
 * bytes. Every use that a processor would refuse (no configuration, sizes that do not fit) is
 * counted in emulated_amx_faults, which a test compares with 0. State is each thread's own, as in
 * hardware. */
#ifndef GENBA_TEST_EMULATED_AMX_H
#define GENBA_TEST_EMULATED_AMX_H

#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef struct emulated_tiles {
    bool configured;
    uint8_t rows[8];
    uint16_t column_bytes[8];
    unsigned char data[8][16][64];
} emulated_tiles;

static _Thread_local emulated_tiles emulated;
static atomic_int emulated_amx_faults, emulated_amx_products;

static inline bool emulated_usable(int tile)
{
    bool usable = tile >= 0 && tile < 8 && emulated.configured && emulated.rows[tile] > 0 &&
                  emulated.column_bytes[tile] > 0;
    if (!usable)
        emulated_amx_faults++;
    return usable;
}

static inline void _tile_loadconfig(const void *memory)
{
    const unsigned char *bytes = memory;
    memset(&emulated, 0, sizeof emulated);
    if (bytes[0] != 1 || bytes[1] != 0)
        emulated_amx_faults++;
    for (int i = 2; i < 16; i++)
        if (bytes[i] != 0)
            emulated_amx_faults++;
    for (int t = 0; t < 16; t++) {
        uint16_t column_bytes = (uint16_t)(bytes[16 + 2 * t] | bytes[17 + 2 * t] << 8);
        uint8_t rows = bytes[48 + t];
        if (column_bytes > 64 || rows > 16 || (t >= 8 && (rows != 0 || column_bytes != 0)) ||
            (rows == 0) != (column_bytes == 0))
            emulated_amx_faults++;
        else if (t < 8) {
            emulated.rows[t] = rows;
            emulated.column_bytes[t] = column_bytes;
        }
    }
    emulated.configured = true;
}

static inline void _tile_release(void)
{
    memset(&emulated, 0, sizeof emulated);
}

static inline void _tile_zero(int tile)
{
    if (emulated_usable(tile))
        memset(emulated.data[tile], 0, sizeof emulated.data[tile]);
}

static inline void _tile_loadd(int tile, const void *base, int64_t stride)
{
    if (!emulated_usable(tile))
        return;
    memset(emulated.data[tile], 0, sizeof emulated.data[tile]);
    for (int r = 0; r < emulated.rows[tile]; r++)
        memcpy(emulated.data[tile][r], (const char *)base + r * stride,
               emulated.column_bytes[tile]);
}

static inline void _tile_stored(int tile, void *base, int64_t stride)
{
    if (!emulated_usable(tile))
        return;
    for (int r = 0; r < emulated.rows[tile]; r++)
        memcpy((char *)base + r * stride, emulated.data[tile][r], emulated.column_bytes[tile]);
}

/* C[m,n] and A[m,4 k], B[k,4 n]: do the shapes fit? */
static inline bool emulated_fit(int c, int a, int b)
{
    if (!emulated_usable(c) || !emulated_usable(a) || !emulated_usable(b))
        return false;
    bool fit = c != a && c != b && a != b && emulated.rows[c] == emulated.rows[a] &&
               emulated.column_bytes[c] == emulated.column_bytes[b] &&
               emulated.column_bytes[a] / 4 == emulated.rows[b] &&
               emulated.column_bytes[a] % 4 == 0 && emulated.column_bytes[c] % 4 == 0;
    if (!fit)
        emulated_amx_faults++;
    else
        emulated_amx_products++;
    return fit;
}

static inline float emulated_flush(float x)
{
    return fabsf(x) < 0x1p-126f ? copysignf(0.0f, x) : x;
}

static inline float emulated_half(const unsigned char *at)
{
    uint32_t bits = (uint32_t)at[0] << 16 | (uint32_t)at[1] << 24;
    float value;
    memcpy(&value, &bits, sizeof value);
    return emulated_flush(value);
}

/* Even and odd steps of k are summed apart, then added to C (Intel SDM, TDPBF16PS). */
static inline void _tile_dpbf16ps(int c, int a, int b)
{
    if (!emulated_fit(c, a, b))
        return;
    for (int m = 0; m < emulated.rows[c]; m++)
        for (int n = 0; n < emulated.column_bytes[c] / 4; n++) {
            float sums[2] = {0.0f, 0.0f}, old;
            for (int k = 0; k < emulated.rows[b]; k++)
                for (int odd = 0; odd < 2; odd++) {
                    float x = emulated_half(emulated.data[a][m] + 4 * k + 2 * odd);
                    float y = emulated_half(emulated.data[b][k] + 4 * n + 2 * odd);
                    sums[odd] = emulated_flush(fmaf(x, y, sums[odd]));
                }
            memcpy(&old, emulated.data[c][m] + 4 * n, sizeof old);
            old = emulated_flush(old + emulated_flush(sums[0] + sums[1]));
            memcpy(emulated.data[c][m] + 4 * n, &old, sizeof old);
        }
}

/* s8 times s8 into s32, four steps of k at a time, wrapping. */
static inline void _tile_dpbssd(int c, int a, int b)
{
    if (!emulated_fit(c, a, b))
        return;
    for (int m = 0; m < emulated.rows[c]; m++)
        for (int n = 0; n < emulated.column_bytes[c] / 4; n++) {
            uint32_t sum;
            memcpy(&sum, emulated.data[c][m] + 4 * n, sizeof sum);
            for (int k = 0; k < emulated.rows[b]; k++)
                for (int q = 0; q < 4; q++)
                    sum += (uint32_t)((int8_t)emulated.data[a][m][4 * k + q] *
                                      (int8_t)emulated.data[b][k][4 * n + q]);
            memcpy(emulated.data[c][m] + 4 * n, &sum, sizeof sum);
        }
}

#endif
