/* Arenas and aligned memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "genba/base.h"

static bool all_zero(const unsigned char *memory, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (memory[i] != 0)
            return false;
    return true;
}

static void arena_gives_zeroed_aligned_memory(void **state)
{
    (void)state;
    gb_arena *arena = NULL;
    assert_int_equal(gb_arena_create(0, &arena), GB_OK);
    size_t total = 0;
    for (int round = 0; round < 3; round++) {
        total = 0;
        for (size_t bytes = 0; bytes < 300000; bytes = bytes * 3 / 2 + 1) {
            unsigned char *memory = gb_arena_alloc(arena, bytes);
            assert_non_null(memory);
            assert_int_equal((uintptr_t)memory % 64, 0);
            assert_true(all_zero(memory, bytes));
            memset(memory, 0xFF, bytes);
            total += bytes;
        }
        assert_int_equal(gb_arena_used_bytes(arena), total);
        gb_arena_reset(arena);
        assert_int_equal(gb_arena_used_bytes(arena), 0);
    }
    gb_arena_destroy(arena);
    gb_arena_destroy(NULL);
}

static void pieces_do_not_overlap(void **state)
{
    (void)state;
    enum {
        COUNT = 500
    };
    gb_arena *arena = NULL;
    assert_int_equal(gb_arena_create(0, &arena), GB_OK);
    unsigned char *pieces[COUNT];
    size_t sizes[COUNT];
    for (int round = 0; round < 4; round++) {
        for (uint64_t i = 0; i < COUNT; i++) {
            sizes[i] = gb_random_below(1, (uint64_t)round, i, i % 50 == 0 ? 200000 : 700);
            pieces[i] = gb_arena_alloc(arena, sizes[i]);
            assert_non_null(pieces[i]);
            assert_true(all_zero(pieces[i], sizes[i]));
            memset(pieces[i], (int)(i % 255) + 1, sizes[i]);
        }
        for (int i = 0; i < COUNT; i++)
            for (size_t k = 0; k < sizes[i]; k++)
                assert_int_equal(pieces[i][k], i % 255 + 1);
        gb_arena_reset(arena);
    }
    gb_arena_destroy(arena);
}

static void limit_is_kept(void **state)
{
    (void)state;
    gb_arena *arena = NULL;
    assert_int_equal(gb_arena_create(1000, &arena), GB_OK);
    assert_null(gb_arena_alloc(arena, 1001));
    assert_non_null(strstr(gb_error_message(), "1000"));
    assert_non_null(gb_arena_alloc(arena, 1000));
    assert_null(gb_arena_alloc(arena, 1));
    gb_arena_reset(arena);
    assert_non_null(gb_arena_alloc(arena, 10));
    assert_null(gb_arena_alloc(arena, SIZE_MAX));
    assert_null(gb_arena_alloc(arena, SIZE_MAX / 2 + 5));
    gb_arena_destroy(arena);

    assert_int_equal(gb_arena_create(3 << 20, &arena), GB_OK);
    for (int i = 0; i < 20; i++)
        assert_non_null(gb_arena_alloc(arena, 50000));
    gb_arena_reset(arena); /* many small blocks must not keep a large piece from fitting */
    assert_non_null(gb_arena_alloc(arena, 2 << 20));
    gb_arena_destroy(arena);
}

static void texts_are_copied(void **state)
{
    (void)state;
    gb_arena *arena = NULL;
    assert_int_equal(gb_arena_create(0, &arena), GB_OK);
    char source[] = "joint";
    char *copy = gb_arena_text(arena, source);
    source[0] = 'x';
    assert_string_equal(copy, "joint");
    assert_string_equal(gb_arena_format(arena, "%s.%d", copy, 3), "joint.3");
    gb_arena_destroy(arena);
}

static void aligned_memory_of_all_sizes(void **state)
{
    (void)state;
    const size_t sizes[] = {0, 1, 63, 64, 65, 4096, (4 << 20) - 1, 4 << 20, (9 << 20) + 3};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *memory = gb_aligned_alloc(sizes[i]);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % (sizes[i] >= 4 << 20 ? 2 << 20 : 64), 0);
        assert_true(all_zero(memory, sizes[i]));
        memset(memory, 0xA5, sizes[i]);
        gb_aligned_free(memory);
    }
    gb_aligned_free(NULL);
    assert_null(gb_aligned_alloc(SIZE_MAX));
    assert_null(gb_aligned_alloc(SIZE_MAX / 8));
    assert_non_null(strstr(gb_error_message(), "bytes of memory"));
}

static void some_memory_is_available(void **state)
{
    (void)state;
    assert_in_range(gb_memory_available_bytes(), 1 << 20, UINT64_C(1) << 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_gives_zeroed_aligned_memory),
        cmocka_unit_test(pieces_do_not_overlap),
        cmocka_unit_test(limit_is_kept),
        cmocka_unit_test(texts_are_copied),
        cmocka_unit_test(aligned_memory_of_all_sizes),
        cmocka_unit_test(some_memory_is_available),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
