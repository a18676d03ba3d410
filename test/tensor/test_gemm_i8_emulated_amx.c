/* The AMX integer kernels on any machine: their very source over tiles in plain C. */
#define GB_EMULATED_AMX
#define gb_gemm_i8_amx gb_gemm_i8_amx_emulated
#include "../../src/tensor/kernel/amx/gemm_i8_amx.c"

#include "tensor/gemm_i8_fuzz.h"

static void test_shapes(void **state)
{
    (void)state;
    i8_check_all(&gb_gemm_i8_amx_emulated);
    assert_int_equal(emulated_amx_faults, 0);
    assert_true(emulated_amx_products > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shapes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
