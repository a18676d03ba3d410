/* Integer matrix multiplication for AVX2. The code is gemm_i8_vector.h. */
#define GB_LANES 8
#define GB_MR 6
#include "tensor/kernel/gemm_i8_vector.h"

const gb_gemm_i8_kernel gb_gemm_i8_avx2 = {.isa = GB_ISA_AVX2,
                                           .mr = GB_MR,
                                           .nr = GB_NR,
                                           .depth = 2,
                                           .k_multiple = 2,
                                           .a_bytes = 2,
                                           .pack_a = pack_a,
                                           .block = block};
