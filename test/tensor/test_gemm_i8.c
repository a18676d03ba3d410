/* Integer matrix multiplication on the levels this machine has. */
#include "tensor/gemm_i8_fuzz.h"

static void check_level(gb_isa isa)
{
    if (isa > gb_cpu_get()->best) {
        print_message("this machine has no %s: its kernels are tested by emulation only\n",
                      gb_isa_name(isa));
        skip();
    }
    i8_check_all(gb_gemm_i8_kernel_pick(isa));
}

static void test_ref(void **state)
{
    (void)state;
    check_level(GB_ISA_REF);
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

static void test_public_functions(void **state)
{
    (void)state;
    const int8_t a[] = {1, -2, 127, 0}, b[] = {3, -128, 5, 7}; /* [2, 2] both */
    int32_t c[4] = {0};
    gb_gemm_i8 g = {.m = 2, .n = 2, .k = 2, .a = a, .lda = 2, .c = c, .ldc = 2};
    void *packed = gb_aligned_alloc(gb_gemm_i8_packed_b_bytes(2, 2));
    void *scratch = gb_aligned_alloc(gb_gemm_i8_scratch_bytes(&g, 1));
    gb_gemm_i8_pack_b(2, 2, false, b, 2, packed);
    g.b_packed = packed;
    gb_gemm_i8_run(&g, scratch, NULL);
    const int32_t want[] = {-7, -142, 381, -16256};
    assert_memory_equal(c, want, sizeof want);
    gb_aligned_free(packed);
    gb_aligned_free(scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ref),
        cmocka_unit_test(test_avx2),
        cmocka_unit_test(test_avx512),
        cmocka_unit_test(test_amx),
        cmocka_unit_test(test_public_functions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
