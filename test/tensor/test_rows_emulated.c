/* The 16-lane row kernels on any machine: their very source, compiled without AVX-512 (the compiler
 * lowers 64-byte vectors to what there is), under the tests of test_rows.c. */
#pragma GCC diagnostic ignored "-Wpsabi"
#define gb_kernels_avx512 gb_kernels_emulated
#include "../../src/tensor/kernel/avx512/rows.c"
#undef gb_kernels_avx512

#define ROWS_TABLE &gb_kernels_emulated
#include "test_rows.c"
