/* The linear baselines against the plain sums they shorten. */
#include "eval/ridge.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void solves_a_small_system(void **state)
{
    (void)state;
    double a[] = {4, 0, 2, 3}, b[] = {10, 2, 8, 3}; /* [[4 2][2 3]] X = [[10 2][8 3]] */
    assert_int_equal(gb_least_squares_solve(a, b, 2, 2, 0.0), GB_OK);
    const double expected[] = {1.75, 0.0, 1.5, 1.0};
    for (int i = 0; i < 4; i++)
        assert_true(fabs(b[i] - expected[i]) < 1e-12);
    double singular[] = {1, 0, 1, 1}, right[] = {1, 1};
    assert_int_equal(gb_least_squares_solve(singular, right, 2, 1, 0.0), GB_ERR_NUMERIC);
}

enum {
    ROWS = 90,
    COLUMNS = 2,
    LOOK_BACK = 6,
    HORIZON = 4,
    WINDOWS = ROWS - LOOK_BACK - HORIZON + 1
};

/* Every window's centred past times its centred past and future, added up one by one. */
static void plain_sums(const float *series, double *a, double *b)
{
    for (int column = 0; column < COLUMNS; column++) {
        for (int w = 0; w < WINDOWS; w++) {
            double x[LOOK_BACK + HORIZON], mean = 0.0;
            for (int i = 0; i < LOOK_BACK + HORIZON; i++)
                x[i] = (double)series[(w + i) * COLUMNS + column];
            for (int i = 0; i < LOOK_BACK; i++)
                mean += x[i] / LOOK_BACK;
            for (int i = 0; i < LOOK_BACK; i++) {
                for (int j = 0; j < LOOK_BACK; j++)
                    a[i * LOOK_BACK + j] += (x[i] - mean) * (x[j] - mean);
                for (int h = 0; h < HORIZON; h++)
                    b[i * HORIZON + h] += (x[i] - mean) * (x[LOOK_BACK + h] - mean);
            }
        }
    }
}

static void fits_a_series_as_the_plain_sums_do(void **state)
{
    (void)state;
    float series[ROWS * COLUMNS];
    for (int i = 0; i < ROWS * COLUMNS; i++)
        series[i] = sinf(0.3f * (float)(i / COLUMNS)) + 0.3f * gb_random_normal(1, 2, (uint64_t)i);
    double a[LOOK_BACK * LOOK_BACK] = {0}, b[LOOK_BACK * HORIZON] = {0};
    plain_sums(series, a, b);
    assert_int_equal(gb_least_squares_solve(a, b, LOOK_BACK, HORIZON, 0.1), GB_OK);
    gb_arena *arena = NULL;
    float *weights = NULL;
    assert_int_equal(gb_arena_create(0, &arena), GB_OK);
    assert_int_equal(
        gb_ridge_fit_series(series, ROWS, COLUMNS, LOOK_BACK, HORIZON, 0.1, arena, &weights),
        GB_OK);
    for (int i = 0; i < LOOK_BACK * HORIZON; i++)
        assert_true(fabs((double)weights[i] - b[i]) < 1e-6);
    assert_int_equal(
        gb_ridge_fit_series(series, 8, COLUMNS, LOOK_BACK, HORIZON, 0.1, arena, &weights),
        GB_ERR_ARGUMENT);
    gb_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(solves_a_small_system),
        cmocka_unit_test(fits_a_series_as_the_plain_sums_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
