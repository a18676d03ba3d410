/* Matrix multiplication for AVX2 and FMA: a tile of 6 rows by 16 columns in twelve registers. bf16
 * weights stay bf16 in memory and are widened as they are loaded. The code is gemm_vector.h. */
#define GB_LANES 8
#define GB_MR 6
#include "tensor/kernel/gemm_vector.h"

static void pack_b(const gb_gemm_pack *pack, void *packed)
{
    if (pack->bf16)
        pack_b_bf16(pack, packed, 2);
    else
        pack_b_f32(pack, packed);
}

const gb_gemm_kernel gb_gemm_avx2 = {
    .isa = GB_ISA_AVX2,
    .mr = GB_MR,
    .nr = GB_NR,
    .k_multiple = 2,
    .mc = 96,
    .kc = 1024,
    .nc = 512,
    .part_flops = 1e6,
    .pack_a = pack_a,
    .pack_b = pack_b,
    .block = block,
    .dot = dot,
    .reduce = reduce,
};
