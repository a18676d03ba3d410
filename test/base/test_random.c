/* Random numbers: known answers, purity, and the shape of the distributions. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/philox.h"
#include "genba/base.h"

/* Answers published with the Random123 library for philox4x32 with 10 rounds. */
static void philox_gives_the_published_words(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], answer[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8}},
        {{0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF},
         {0xFFFFFFFF, 0xFFFFFFFF},
         {0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD}},
        {{0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344},
         {0xA4093822, 0x299F31D0},
         {0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1}},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint32_t c[4];
        memcpy(c, known[i].counter, sizeof c);
        gb_philox(known[i].key[0], known[i].key[1], c, c + 1, c + 2, c + 3);
        assert_memory_equal(c, known[i].answer, sizeof c);
    }
    assert_int_equal(gb_random_u32(0, 0, 0), 0x6627E8D5);
    assert_int_equal(gb_random_u32(0, 0, 3), 0x9B00DBD8);
    uint64_t key = UINT64_C(0x299F31D0A4093822), stream = UINT64_C(0x0370734413198A2E);
    uint32_t c[4] = {5, 0, 0x13198A2E, 0x03707344};
    gb_philox(0xA4093822, 0x299F31D0, c, c + 1, c + 2, c + 3);
    for (uint64_t k = 0; k < 4; k++)
        assert_int_equal(gb_random_u32(key, stream, 20 + k), c[k]);
    assert_true(gb_random_u64(key, stream, 11) == ((uint64_t)c[3] << 32 | c[2]));
}

static void fills_agree_with_single_numbers(void **state)
{
    (void)state;
    enum {
        COUNT = 1200
    };
    float values[COUNT + 1];
    const uint64_t firsts[] = {0, 1, 2, 3, 5, 1023, UINT64_C(0xFFFFFFFF) * 4 - 7};
    const size_t counts[] = {0, 1, 2, 3, 4, 5, 7, 255, 256, 257, COUNT};
    for (size_t f = 0; f < sizeof firsts / sizeof *firsts; f++) {
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
            values[counts[c]] = -7.0f;
            gb_random_fill_normal(11, 5, firsts[f], values, counts[c]);
            for (size_t i = 0; i < counts[c]; i++) {
                float one = gb_random_normal(11, 5, firsts[f] + i);
                assert_memory_equal(&one, &values[i], sizeof one);
            }
            gb_random_fill_uniform(11, 5, firsts[f], values, counts[c]);
            for (size_t i = 0; i < counts[c]; i++)
                assert_true(values[i] == gb_random_uniform(11, 5, firsts[f] + i));
            assert_true(values[counts[c]] == -7.0f);
        }
    }
}

static void streams_and_seeds_differ(void **state)
{
    (void)state;
    int same = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        same += gb_random_u32(1, 0, i) == gb_random_u32(2, 0, i);
        same += gb_random_u32(1, 0, i) == gb_random_u32(1, 1, i);
        same += gb_random_u32(1, 0, i) == gb_random_u32(1, UINT64_C(1) << 40, i);
        same += gb_random_u32(1, 0, i) == gb_random_u32(1, 0, i + (UINT64_C(1) << 40));
    }
    assert_true(same <= 1);
}

/* Moments within five standard errors, and the largest distance between the empirical and the
 * true distribution (Kolmogorov-Smirnov) below its 0.1 % point. */
static void normals_are_normal(void **state)
{
    (void)state;
    enum {
        COUNT = 200000,
        BINS = 200
    };
    static float values[COUNT];
    static int below[BINS + 1];
    gb_random_fill_normal(42, 7, 0, values, COUNT);
    double sum[5] = {0}, pair = 0, largest = 0;
    for (int i = 0; i < COUNT; i++) {
        double x = values[i];
        for (int p = 1; p <= 4; p++)
            sum[p] += pow(x, p) / COUNT;
        pair += i > 0 ? x * values[i - 1] / COUNT : 0;
        for (int b = 0; b <= BINS; b++)
            below[b] += x < -4.0 + 8.0 * b / BINS;
    }
    assert_true(fabs(sum[1]) < 5 / sqrt(COUNT));
    assert_true(fabs(sum[2] - 1) < 5 * sqrt(2.0 / COUNT));
    assert_true(fabs(sum[3]) < 5 * sqrt(15.0 / COUNT));
    assert_true(fabs(sum[4] - 3) < 5 * sqrt(96.0 / COUNT));
    assert_true(fabs(pair) < 5 / sqrt(COUNT));
    for (int b = 0; b <= BINS; b++) {
        double x = -4.0 + 8.0 * b / BINS;
        double distance = fabs((double)below[b] / COUNT - 0.5 * erfc(-x / sqrt(2.0)));
        largest = distance > largest ? distance : largest;
    }
    assert_true(largest < 1.95 / sqrt(COUNT));
}

/* The float formulas against the same formulas in double. */
static void normals_follow_box_muller(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 40000; i += 2) {
        double u = ((double)(gb_random_u32(3, 1, i) >> 1) + 0.5) * 0x1p-31;
        double turn = (double)gb_random_u32(3, 1, i + 1) * 0x1p-32 * 2 * acos(-1.0);
        double radius = sqrt(-2 * log(u));
        assert_true(fabs(gb_random_normal(3, 1, i) - radius * cos(turn)) < 4e-6);
        assert_true(fabs(gb_random_normal(3, 1, i + 1) - radius * sin(turn)) < 4e-6);
    }
}

static void uniforms_and_integers_stay_in_range(void **state)
{
    (void)state;
    int counts[7] = {0};
    double mean = 0;
    for (uint64_t i = 0; i < 70000; i++) {
        float x = gb_random_uniform(9, 2, i);
        assert_true(x >= 0.0f && x < 1.0f);
        mean += x / 70000;
        uint64_t k = gb_random_below(9, 3, i, 7);
        assert_true(k < 7);
        counts[k]++;
        assert_int_equal(gb_random_below(9, 3, i, 1), 0);
    }
    assert_true(fabs(mean - 0.5) < 5 * sqrt(1.0 / 12 / 70000));
    for (int k = 0; k < 7; k++)
        assert_in_range(counts[k], 10000 - 500, 10000 + 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_published_words),
        cmocka_unit_test(fills_agree_with_single_numbers),
        cmocka_unit_test(streams_and_seeds_differ),
        cmocka_unit_test(normals_are_normal),
        cmocka_unit_test(normals_follow_box_muller),
        cmocka_unit_test(uniforms_and_integers_stay_in_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
