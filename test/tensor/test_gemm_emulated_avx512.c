/* The AVX-512 matrix kernels on any machine: their very source, compiled without AVX-512 (the
 * compiler lowers 64-byte vectors to what there is), against the oracle. */
#pragma GCC diagnostic ignored "-Wpsabi"
#define gb_gemm_avx512 gb_gemm_avx512_emulated
#include "../../src/tensor/kernel/avx512/gemm_avx512.c"

#include "tensor/gemm_fuzz.h"

static void test_shapes(void **state)
{
    (void)state;
    gb_pool *pool;
    assert_int_equal(gb_pool_create(2, &pool), GB_OK);
    static const int64_t large[][3] = {{61, 70, 1100}, {1, 300, 600}, {2, 200, 70}, {8, 16, 2100}};
    for (uint64_t number = 0; number < 220; number++) {
        fuzz_case f = fuzz_make(512, number, 0, 0, 0);
        fuzz_check(&gb_gemm_avx512_emulated, &f, &pool, 1);
        fuzz_free(&f);
    }
    for (uint64_t i = 0; i < sizeof large / sizeof *large; i++) {
        fuzz_case f = fuzz_make(512, 1000 + i, large[i][0], large[i][1], large[i][2]);
        fuzz_check(&gb_gemm_avx512_emulated, &f, &pool, 1);
        fuzz_free(&f);
    }
    gb_pool_destroy(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shapes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
