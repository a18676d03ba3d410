/* The AMX matrix kernels on any machine: their very source over tiles in plain C, against the
 * oracle. A use of tiles that a processor would refuse fails the test. */
#pragma GCC diagnostic ignored "-Wpsabi"
#define GB_EMULATED_AMX
#define gb_gemm_amx gb_gemm_amx_emulated
#include "../../src/tensor/kernel/amx/gemm_amx.c"

#include "tensor/gemm_fuzz.h"

static void check(uint64_t number, int64_t m, int64_t n, int64_t k, gb_pool *pool)
{
    fuzz_case f = fuzz_make(31, number, m, n, k);
    f.g.bf16_compute = true; /* all that this table serves */
    fuzz_check(&gb_gemm_amx_emulated, &f, &pool, 1);
    fuzz_free(&f);
    if (emulated_amx_faults != 0)
        fail_msg("a tile was used wrongly: m %lld n %lld k %lld", (long long)f.g.m,
                 (long long)f.g.n, (long long)f.g.k);
}

static void test_shapes(void **state)
{
    (void)state;
    gb_pool *pool;
    assert_int_equal(gb_pool_create(2, &pool), GB_OK);
    static const int64_t large[][3] = {{61, 70, 1100}, {1, 300, 600}, {32, 64, 1056},
                                       {8, 16, 2100},  {48, 96, 544}, {300, 33, 40}};
    for (uint64_t number = 0; number < 220; number++)
        check(number, 0, 0, 0, pool);
    for (uint64_t number = 0; number < 30; number++) /* A as it lies: whole tiles of k */
        check(500 + number, 0, 0, 32 * (1 + (int64_t)number % 3), pool);
    for (uint64_t i = 0; i < 2 * sizeof large / sizeof *large; i++)
        check(1000 + i, large[i / 2][0], large[i / 2][1], large[i / 2][2], pool);
    assert_true(emulated_amx_products > 1000);
    gb_pool_destroy(pool);
}

/* The emulator refuses what a processor refuses. */
static void test_faults(void **state)
{
    (void)state;
    unsigned char memory[1024] = {0};
    _tile_release();
    _tile_loadd(0, memory, 64);
    assert_int_equal(emulated_amx_faults, 1);
    configure(5, 3, true);
    _tile_dpbf16ps(0, 4, 6);
    assert_int_equal(emulated_amx_faults, 1);
    _tile_dpbf16ps(0, 5, 6); /* 5 rows of C, 3 of A */
    assert_int_equal(emulated_amx_faults, 2);
    emulated_amx_faults = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_faults),
                                       cmocka_unit_test(test_shapes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
