/* Schedules and averaging at exact values; shuffled orders that leave nothing out; draws that
 * depend on counters only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "train/sampler.h"

static void cosine_has_warmup_and_ends_at_zero(void **state)
{
    (void)state;
    gb_schedule_config s = {GB_SCHEDULE_COSINE, 10, 0.2, 0.0};
    assert_float_equal(gb_schedule_factor(&s, 0, 110), 0.1, 1e-12);
    assert_float_equal(gb_schedule_factor(&s, 9, 110), 1.0, 1e-12);
    assert_float_equal(gb_schedule_factor(&s, 10, 110), 1.0, 1e-12);
    assert_float_equal(gb_schedule_factor(&s, 35, 110), 0.853553390593, 1e-9);
    assert_float_equal(gb_schedule_factor(&s, 60, 110), 0.5, 1e-12);
    assert_float_equal(gb_schedule_factor(&s, 110, 110), 0.0, 1e-12);
    s.final_fraction = 0.1;
    assert_float_equal(gb_schedule_factor(&s, 60, 110), 0.55, 1e-12);
    assert_float_equal(gb_schedule_factor(&s, 110, 110), 0.1, 1e-12);
}

static void wsd_is_stable_then_falls_in_a_line(void **state)
{
    (void)state;
    gb_schedule_config s = {GB_SCHEDULE_WSD, 4, 0.2, 0.0};
    assert_float_equal(gb_schedule_factor(&s, 1, 100), 0.5, 1e-12);
    assert_float_equal(gb_schedule_factor(&s, 50, 100), 1.0, 1e-12);
    assert_float_equal(gb_schedule_factor(&s, 80, 100), 1.0, 1e-12);
    assert_float_equal(gb_schedule_factor(&s, 90, 100), 0.5, 1e-12);
    assert_float_equal(gb_schedule_factor(&s, 99, 100), 0.05, 1e-12);
}

static void unknown_length_is_stable(void **state)
{
    (void)state;
    gb_schedule_config s = {GB_SCHEDULE_COSINE, 4, 0.2, 0.0};
    assert_float_equal(gb_schedule_factor(&s, 1, 0), 0.5, 1e-12);
    assert_float_equal(gb_schedule_factor(&s, 400, 0), 1.0, 1e-12);
    s.kind = GB_SCHEDULE_CONSTANT;
    assert_float_equal(gb_schedule_factor(&s, 99, 100), 1.0, 1e-12);
}

static void averaging_starts_fast(void **state)
{
    (void)state;
    assert_float_equal(gb_ema_decay(0.999, 0), 0.1, 1e-12);
    assert_float_equal(gb_ema_decay(0.999, 90), 0.91, 1e-12);
    assert_float_equal(gb_ema_decay(0.999, 1000000), 0.999, 1e-12);
    assert_float_equal(gb_ema_decay(0.0, 5), 0.0, 1e-12);
}

static void shuffled_is_a_permutation(void **state)
{
    (void)state;
    static const uint64_t counts[] = {1, 2, 3, 4, 5, 7, 16, 17, 100, 255, 256, 257, 1000, 65537};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        for (uint64_t key = 0; key < 4; key++) {
            uint64_t n = counts[c], same = 0;
            unsigned char *seen = calloc(n, 1);
            assert_non_null(seen);
            for (uint64_t i = 0; i < n; i++) {
                uint64_t place = gb_shuffled(key, i, n);
                assert_true(place < n);
                assert_int_equal(seen[place], 0);
                seen[place] = 1;
                same += place == i;
            }
            if (n >= 100)
                assert_true(same < 12);
            free(seen);
        }
}

static void shuffled_orders_differ_by_key(void **state)
{
    (void)state;
    int same = 0;
    for (uint64_t i = 0; i < 1000; i++)
        same += gb_shuffled(1, i, 1000) == gb_shuffled(2, i, 1000);
    assert_true(same < 12);
}

/* Neighbours must land far apart: the mean distance of a random order is a third of its length. */
static void shuffled_neighbours_are_strangers(void **state)
{
    (void)state;
    double sum = 0.0;
    for (uint64_t i = 0; i + 1 < 4000; i++) {
        double a = (double)gb_shuffled(9, i, 4000), b = (double)gb_shuffled(9, i + 1, 4000);
        sum += a > b ? a - b : b - a;
    }
    assert_in_range((uintmax_t)(sum / 3999.0), 1250, 1420);
}

enum {
    BATCH = 8,
    STEPS = 500
};

static void draws_follow_weights_and_leave_nothing_out(void **state)
{
    (void)state;
    gb_arena *arena;
    assert_int_equal(gb_arena_create(0, &arena), GB_OK);
    gb_sampler sampler;
    gb_draw draws[BATCH];
    const double weights[] = {3.0, 1.0};
    const int64_t counts[] = {50, 30};
    int given[2] = {0}, mirrored = 0, seen[50] = {0}, turns = 0;
    assert_int_equal(gb_sampler_init(&sampler, arena, 5, 2, weights, counts, 1), GB_OK);
    for (int64_t step = 0; step < STEPS; step++) {
        gb_sampler_draw(&sampler, step, BATCH, draws);
        for (int row = 0; row < BATCH; row++) {
            given[draws[row].source]++;
            mirrored += draws[row].symmetry;
            int64_t example = gb_sampler_example(&sampler, &draws[row]);
            assert_in_range(example, 0, counts[draws[row].source] - 1);
            if (draws[row].source != 0)
                continue;
            assert_int_equal(draws[row].turn, turns);
            seen[example]++;
            if (++turns % 50 == 0)
                for (int i = 0; i < 50; i++)
                    assert_int_equal(seen[i], turns / 50);
        }
    }
    assert_in_range(given[0], 2900, 3100);
    assert_in_range(mirrored, 1880, 2120);
    gb_arena_destroy(arena);
}

static void draws_go_on_from_their_counters(void **state)
{
    (void)state;
    gb_arena *arena;
    assert_int_equal(gb_arena_create(0, &arena), GB_OK);
    gb_sampler whole, second;
    gb_draw a[BATCH], b[BATCH];
    const double weights[] = {1.0, 2.0, 0.5};
    const int64_t counts[] = {5, 11, 400};
    assert_int_equal(gb_sampler_init(&whole, arena, 6, 3, weights, counts, 0), GB_OK);
    assert_int_equal(gb_sampler_init(&second, arena, 6, 3, weights, counts, 0), GB_OK);
    for (int64_t step = 0; step < 20; step++)
        gb_sampler_draw(&whole, step, BATCH, a);
    memcpy(second.drawn, whole.drawn, sizeof(int64_t) * 3);
    gb_sampler_draw(&whole, 20, BATCH, a);
    gb_sampler_draw(&second, 20, BATCH, b);
    for (int row = 0; row < BATCH; row++) {
        assert_int_equal(a[row].source, b[row].source);
        assert_int_equal(gb_sampler_example(&whole, &a[row]), gb_sampler_example(&second, &b[row]));
    }
    gb_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cosine_has_warmup_and_ends_at_zero),
        cmocka_unit_test(wsd_is_stable_then_falls_in_a_line),
        cmocka_unit_test(unknown_length_is_stable),
        cmocka_unit_test(averaging_starts_fast),
        cmocka_unit_test(shuffled_is_a_permutation),
        cmocka_unit_test(shuffled_orders_differ_by_key),
        cmocka_unit_test(shuffled_neighbours_are_strangers),
        cmocka_unit_test(draws_follow_weights_and_leave_nothing_out),
        cmocka_unit_test(draws_go_on_from_their_counters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
