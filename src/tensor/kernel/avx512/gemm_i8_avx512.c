/* Integer matrix multiplication for AVX-512. The code is gemm_i8_vector.h. */
#define GB_LANES 16
#define GB_MR 12
#include "tensor/kernel/gemm_i8_vector.h"

const gb_gemm_i8_kernel gb_gemm_i8_avx512 = {.isa = GB_ISA_AVX512,
                                             .mr = GB_MR,
                                             .nr = GB_NR,
                                             .depth = 2,
                                             .k_multiple = 2,
                                             .a_bytes = 2,
                                             .pack_a = pack_a,
                                             .block = block};
