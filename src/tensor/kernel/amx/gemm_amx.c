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
const gb_gemm_kernel gb_gemm_amx = {.isa = GB_ISA_AMX,
                                    .mr = GB_MR,
                                    .nr = GB_NR,
                                    .k_multiple = 32,
                                    .mc = 96,
                                    .kc = 256,
                                    .nc = 1024,
                                    .pack_a = pack_a,
                                    .pack_b = pack_b,
                                    .block = block,
                                    .dot = dot,
                                    .reduce = reduce};
