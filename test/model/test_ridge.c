/* The closed-form fit against the same normal equations solved by elimination in f64. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/head/ridge.h"

enum {
    INPUTS = 7,
    OUTPUTS = 3,
    WIDTH = INPUTS + OUTPUTS,
    ROWS = 2500 /* more than one block */
};

static float number(int64_t row, int column)
{
    return gb_random_normal(11, 1, (uint64_t)(row * WIDTH + column));
}

/* Gauss-Jordan with pivoting on [n, n + m]. */
static void eliminate(double *a, int n, int m)
{
    int width = n + m;
    for (int j = 0; j < n; j++) {
        int pivot = j;
        for (int i = j + 1; i < n; i++)
            if (fabs(a[i * width + j]) > fabs(a[pivot * width + j]))
                pivot = i;
        for (int c = 0; c < width; c++) {
            double swap = a[j * width + c];
            a[j * width + c] = a[pivot * width + c];
            a[pivot * width + c] = swap;
        }
        for (int i = 0; i < n; i++) {
            double factor = a[i * width + j] / a[j * width + j];
            for (int c = 0; i != j && c < width; c++)
                a[i * width + c] -= factor * a[j * width + c];
        }
    }
    for (int i = 0; i < n; i++)
        for (int c = n; c < width; c++)
            a[i * width + c] /= a[i * width + i];
}

static gb_ridge *filled(gb_pool *pool)
{
    gb_ridge *ridge = NULL;
    assert_int_equal(gb_ridge_create(INPUTS, OUTPUTS, pool, &ridge), GB_OK);
    for (int64_t first = 0; first < ROWS; first += GB_RIDGE_ROWS) {
        int64_t count = ROWS - first < GB_RIDGE_ROWS ? ROWS - first : GB_RIDGE_ROWS;
        for (int64_t i = 0; i < count; i++)
            for (int c = 0; c < WIDTH; c++)
                gb_ridge_rows(ridge)[i * WIDTH + c] = number(first + i, c);
        gb_ridge_add(ridge, count);
    }
    return ridge;
}

static void matches_elimination(void **state)
{
    (void)state;
    double a[INPUTS * WIDTH] = {0}, trace = 0.0;
    for (int64_t row = 0; row < ROWS; row++)
        for (int i = 0; i < INPUTS; i++)
            for (int c = 0; c < WIDTH; c++)
                a[i * WIDTH + c] += (double)number(row, i) * (double)number(row, c);
    for (int i = 0; i < INPUTS; i++)
        trace += a[i * WIDTH + i];
    for (int i = 0; i < INPUTS; i++)
        a[i * WIDTH + i] += .1 * trace / INPUTS;
    eliminate(a, INPUTS, OUTPUTS);
    gb_pool *pool = NULL;
    assert_int_equal(gb_pool_create(2, &pool), GB_OK);
    float weights[OUTPUTS * INPUTS], alone[OUTPUTS * INPUTS];
    gb_ridge *ridge = filled(pool);
    assert_int_equal(gb_ridge_solve(ridge, .1, weights), GB_OK);
    gb_ridge_destroy(ridge);
    for (int o = 0; o < OUTPUTS; o++)
        for (int i = 0; i < INPUTS; i++)
            assert_float_equal(weights[o * INPUTS + i], a[i * WIDTH + INPUTS + o], 1e-5);
    ridge = filled(NULL); /* the same bits without a pool */
    assert_int_equal(gb_ridge_solve(ridge, .1, alone), GB_OK);
    assert_memory_equal(weights, alone, sizeof weights);
    gb_ridge_destroy(ridge);
    gb_pool_destroy(pool);
}

static void singular_systems_are_refused(void **state)
{
    (void)state;
    float weights[4] = {5, 5, 5, 5};
    gb_ridge *ridge = NULL;
    assert_int_equal(gb_ridge_create(2, 2, NULL, &ridge), GB_OK);
    assert_int_equal(gb_ridge_solve(ridge, .1, weights), GB_ERR_NUMERIC); /* no rows */
    for (int i = 0; i < 8; i++)
        for (int c = 0; c < 4; c++)
            gb_ridge_rows(ridge)[i * 4 + c] = (float)i; /* both inputs alike */
    gb_ridge_add(ridge, 8);
    assert_int_equal(gb_ridge_solve(ridge, 0.0, weights), GB_ERR_NUMERIC);
    assert_non_null(strstr(gb_error_message(), "larger ridge"));
    assert_true(weights[0] == 5.0f && weights[3] == 5.0f);
    assert_int_equal(gb_ridge_solve(ridge, .001, weights), GB_OK);
    gb_ridge_rows(ridge)[0] = NAN;
    gb_ridge_add(ridge, 1);
    assert_int_equal(gb_ridge_solve(ridge, .1, weights), GB_ERR_NUMERIC);
    gb_ridge_destroy(ridge);
    gb_ridge_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_elimination),
        cmocka_unit_test(singular_systems_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
