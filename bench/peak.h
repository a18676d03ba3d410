/* The arithmetic a core can do with everything in registers, in GFLOP/s. */
#ifndef GENBA_BENCH_PEAK_H
#define GENBA_BENCH_PEAK_H

#include "genba/base.h"

/* f32 multiply-add of the level in use (AVX2 or AVX-512). 0 for ref. */
double bench_peak_fma_gflops(gb_isa isa);
/* bf16 tile products; 0 without AMX. */
double bench_peak_amx_gflops(void);

#endif
