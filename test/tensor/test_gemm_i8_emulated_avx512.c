/* The AVX-512 integer kernels on any machine: their very source, compiled without AVX-512. */
#pragma GCC diagnostic ignored "-Wpsabi"
#define gb_gemm_i8_avx512 gb_gemm_i8_avx512_emulated
#include "../../src/tensor/kernel/avx512/gemm_i8_avx512.c"

#include "tensor/gemm_i8_fuzz.h"

static void test_shapes(void **state)
{
    (void)state;
    i8_check_all(&gb_gemm_i8_avx512_emulated);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shapes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
