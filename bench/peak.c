/* Loops of independent multiply-adds on registers: the ceiling that kernels are measured against.
 */
#include "peak.h"

#include <immintrin.h>
#include <string.h>

enum {
    PEAK_ROUNDS = 9,
    PEAK_LOOPS = 400000,
    PEAK_CHAINS = 12
};

__attribute__((target("avx2,fma"))) static float loop_avx2(void)
{
    __m256 acc[PEAK_CHAINS], x = _mm256_set1_ps(0.999f), y = _mm256_set1_ps(0.001f);
#pragma GCC unroll 12
    for (int c = 0; c < PEAK_CHAINS; c++)
        acc[c] = _mm256_set1_ps((float)c);
    for (int i = 0; i < PEAK_LOOPS; i++)
#pragma GCC unroll 12
        for (int c = 0; c < PEAK_CHAINS; c++)
            acc[c] = _mm256_fmadd_ps(acc[c], x, y);
    float total = 0.0f;
    for (int c = 0; c < PEAK_CHAINS; c++)
        total += _mm256_cvtss_f32(acc[c]);
    return total;
}

__attribute__((target("avx512f"))) static float loop_avx512(void)
{
    __m512 acc[PEAK_CHAINS], x = _mm512_set1_ps(0.999f), y = _mm512_set1_ps(0.001f);
#pragma GCC unroll 12
    for (int c = 0; c < PEAK_CHAINS; c++)
        acc[c] = _mm512_set1_ps((float)c);
    for (int i = 0; i < PEAK_LOOPS; i++)
#pragma GCC unroll 12
        for (int c = 0; c < PEAK_CHAINS; c++)
            acc[c] = _mm512_fmadd_ps(acc[c], x, y);
    float total = 0.0f;
    for (int c = 0; c < PEAK_CHAINS; c++)
        total += _mm512_cvtss_f32(acc[c]);
    return total;
}

__attribute__((target("amx-tile,amx-bf16"))) static float loop_amx(void)
{
    _Alignas(64) unsigned char config[64] = {1};
    _Alignas(64) unsigned char zeros[1024] = {0};
    for (int t = 0; t < 8; t++) {
        config[16 + 2 * t] = 64; /* bytes a row */
        config[48 + t] = 16;     /* rows */
    }
    _tile_loadconfig(config);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_loadd(4, zeros, 64);
    _tile_loadd(5, zeros, 64);
    _tile_loadd(6, zeros, 64);
    _tile_loadd(7, zeros, 64);
    for (int i = 0; i < PEAK_LOOPS / 16; i++) {
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, zeros, 64);
    _tile_release();
    float first;
    memcpy(&first, zeros, sizeof first);
    return first;
}

/* The best of several rounds: a ceiling, not a typical figure. */
static double best_gflops(float (*loop)(void), double flops)
{
    double best = 0.0;
    volatile float keep = 0.0f;
    for (int round = 0; round < PEAK_ROUNDS; round++) {
        int64_t start = gb_clock_monotonic_ns();
        keep = loop();
        double gflops = flops / (double)(gb_clock_monotonic_ns() - start);
        best = gflops > best ? gflops : best;
    }
    (void)keep;
    return best;
}

double bench_peak_fma_gflops(gb_isa isa)
{
    if (isa >= GB_ISA_AVX512)
        return best_gflops(loop_avx512, 2.0 * 16 * PEAK_CHAINS * PEAK_LOOPS);
    if (isa == GB_ISA_AVX2)
        return best_gflops(loop_avx2, 2.0 * 8 * PEAK_CHAINS * PEAK_LOOPS);
    return 0.0;
}

double bench_peak_amx_gflops(void)
{
    if (gb_cpu_get()->used != GB_ISA_AMX)
        return 0.0;
    return best_gflops(loop_amx, 2.0 * 16 * 16 * 32 * 4 * (PEAK_LOOPS / 16));
}
