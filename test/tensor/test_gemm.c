/* Matrix multiplication on the levels this machine has: every kernel table against the oracle, the
 * same bits at 1, 2 and 3 threads, nothing written outside C, and the public functions. */
#include "tensor/gemm_fuzz.h"

static gb_pool *pools[FUZZ_POOLS];

static int make_pools(void **state)
{
    (void)state;
    for (int i = 0; i < FUZZ_POOLS; i++)
        if (gb_pool_create(i + 1, &pools[i]) != GB_OK)
            return 1;
    return 0;
}

static int drop_pools(void **state)
{
    (void)state;
    for (int i = 0; i < FUZZ_POOLS; i++)
        gb_pool_destroy(pools[i]);
    return 0;
}

static void check_case(gb_isa isa, uint64_t number, int64_t m, int64_t n, int64_t k)
{
    fuzz_case f = fuzz_make(20240601, number, m, n, k);
    fuzz_check(gb_gemm_kernel_pick(&f.g, isa), &f, pools, FUZZ_POOLS);
    fuzz_free(&f);
}

/* Sizes that need several parts, blocks of k, or slices of k. */
static const int64_t large[][3] = {{130, 140, 300}, {8, 16, 4200},  {200, 40, 620}, {16, 256, 1024},
                                   {1, 300, 1100},  {3, 200, 2300}, {7, 65, 777},   {97, 33, 64},
                                   {257, 17, 31},   {2, 4, 5000},   {64, 64, 1056}, {5, 1, 9}};

static void check_level(gb_isa isa)
{
    if (isa > gb_cpu_get()->best) {
        print_message("this machine has no %s: its kernels are tested by emulation only\n",
                      gb_isa_name(isa));
        skip();
    }
    for (uint64_t number = 0; number < 240; number++)
        check_case(isa, number, 0, 0, 0);
    for (uint64_t i = 0; i < sizeof large / sizeof *large; i++)
        for (uint64_t variant = 0; variant < 4; variant++)
            check_case(isa, 1000 + 4 * i + variant, large[i][0], large[i][1], large[i][2]);
}

static void test_avx2(void **state)
{
    (void)state;
    check_level(GB_ISA_AVX2);
}

static void test_avx512(void **state)
{
    (void)state;
    check_level(GB_ISA_AVX512);
}

static void test_amx(void **state)
{
    (void)state;
    check_level(GB_ISA_AMX);
}

/* The oracle itself, by hand. */
static void test_reference(void **state)
{
    (void)state;
    const float a[] = {1, 2, 3, 4, 5, 6}, b[] = {1, 0, -1, 2, 3, 1}, bias[] = {10, -100};
    float c[] = {1, 1, 1, 1};
    gb_gemm g = {.m = 2, .n = 2, .k = 3, .a = a, .lda = 3, .b = b, .ldb = 2, .c = c, .ldc = 2};
    g.alpha = 2.0f;
    g.beta = 0.5f;
    g.bias = bias;
    g.activation = GB_ACT_RELU;
    gb_gemm_kernel_run(NULL, &g, 1, 0, 0, 0, NULL, NULL);
    /* A B = [[8, 7], [17, 16]] */
    const float want[] = {26.5f, 0.0f, 44.5f, 0.0f};
    assert_memory_equal(c, want, sizeof want);

    g.transpose_a = g.transpose_b = true; /* A^T of [3,2], B^T of [2,3] */
    g.lda = 2;
    g.ldb = 3;
    g.alpha = 1.0f;
    g.beta = 0.0f;
    g.bias = NULL;
    g.activation = GB_ACT_NONE;
    gb_gemm_kernel_run(NULL, &g, 1, 0, 0, 0, NULL, NULL);
    const float crossed[] = {-4, 16, -4, 22};
    assert_memory_equal(c, crossed, sizeof crossed);
}

static void test_public_functions(void **state)
{
    (void)state;
    fuzz_case f = fuzz_make(7, 7, 19, 37, 53);
    f.batch = 1;
    gb_gemm g = f.g;
    g.b_packed = NULL;
    g.beta = 0.0f;
    g.c_type = GB_F32;
    gb_aligned_free(f.c);
    g.c = f.c = fuzz_alloc(f.c_elements * sizeof(float));
    f.g = g;
    f.prepack = false;
    float *want = fuzz_run(gb_gemm_kernel_pick(&g, gb_cpu_get()->used), &f, NULL);
    void *packed = fuzz_alloc(gb_gemm_packed_b_bytes(&g));
    gb_gemm_pack_b(&g, packed, pools[1]);
    g.b_packed = packed;
    g.b = NULL;
    g.c = fuzz_alloc(f.c_elements * sizeof(float));
    void *scratch = fuzz_alloc(gb_gemm_scratch_bytes(&g, 2, 1));
    gb_gemm_run(&g, scratch, pools[1]);
    for (int64_t i = 0; i < g.m; i++)
        assert_memory_equal((float *)g.c + i * g.ldc, want + i * g.ldc,
                            (size_t)g.n * sizeof(float));
    gb_aligned_free(scratch);
    gb_aligned_free(packed);
    gb_aligned_free(g.c);
    gb_aligned_free(want);
    fuzz_free(&f);
}

static void test_empty(void **state)
{
    (void)state;
    float bias[] = {1, -2}, c[] = {9, 9};
    gb_gemm g = {
        .m = 1, .n = 2, .k = 0, .a = bias, .lda = 1, .b = bias, .ldb = 2, .c = c, .ldc = 2};
    g.alpha = 1.0f;
    g.bias = bias;
    for (gb_isa isa = GB_ISA_REF; isa <= gb_cpu_get()->best; isa++)
        for (int transpose = 0; transpose < 2; transpose++)
            for (int bf16 = 0; bf16 < 2; bf16++) {
                g.transpose_b = transpose;
                g.bf16_compute = bf16;
                c[0] = c[1] = 9.0f;
                const gb_gemm_kernel *kernel = gb_gemm_kernel_pick(&g, isa);
                void *scratch = fuzz_alloc(gb_gemm_kernel_scratch_bytes(kernel, &g, 1, 1));
                gb_gemm_kernel_run(kernel, &g, 1, 0, 0, 0, scratch, NULL);
                assert_memory_equal(c, bias, sizeof c);
                gb_aligned_free(scratch);
            }
    g.m = 0;
    gb_gemm_run(&g, NULL, pools[1]);
    assert_int_equal(gb_gemm_scratch_bytes(&g, 2, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference),        cmocka_unit_test(test_avx2),
        cmocka_unit_test(test_avx512),           cmocka_unit_test(test_amx),
        cmocka_unit_test(test_public_functions), cmocka_unit_test(test_empty),
    };
    return cmocka_run_group_tests(tests, make_pools, drop_pools);
}
