/* Matrix multiplication for AVX-512: a tile of 12 rows by 32 columns in 24 registers. bf16 weights
 * are padded to 32 steps of k, which is the AMX kernel's format too. The code is gemm_vector.h. */
#define GB_LANES 16
#define GB_MR 12
#include "tensor/kernel/gemm_vector.h"

static void pack_b(const gb_gemm_pack *pack, void *packed)
{
    if (pack->bf16)
        pack_b_bf16(pack, packed, 32);
    else
        pack_b_f32(pack, packed);
}

const gb_gemm_kernel gb_gemm_avx512 = {
    .isa = GB_ISA_AVX512,
    .mr = GB_MR,
    .nr = GB_NR,
    .k_multiple = 32,
    .mc = 96,
    .kc = 1024,
    .nc = 512,
    .part_flops = 1.5e6,
    .pack_a = pack_a,
    .pack_b = pack_b,
    .block = block,
    .dot = dot,
    .reduce = reduce,
};
