/* Metrics and intervals against numbers worked out by hand. */
#include "genba/eval.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void near(double value, double expected, double slack)
{
    if (!(fabs(value - expected) <= slack))
        fail_msg("%.9g, expected %.9g", value, expected);
}

static void errors(void **state)
{
    (void)state;
    const float predicted[] = {1, 2, 3, 4}, truth[] = {1, 0, 6, 4};
    near(gb_metric_mse(predicted, truth, 4), (4.0 + 9.0) / 4.0, 1e-12);
    near(gb_metric_mae(predicted, truth, 4), (2.0 + 3.0) / 4.0, 1e-12);
    assert_true(isnan(gb_metric_mse(predicted, truth, 0)));
    assert_true(isnan(gb_metric_mae(predicted, truth, 0)));
}

static void confusion(void **state)
{
    (void)state;
    gb_confusion c = {0};
    for (int i = 0; i < 20; i++)
        gb_confusion_add(&c, i < 8, i >= 2 && i < 12); /* 6 true, 2 false, 4 missed, 8 silent */
    assert_int_equal(c.true_alarms, 6);
    assert_int_equal(c.false_alarms, 2);
    assert_int_equal(c.missed_alarms, 4);
    assert_int_equal(c.true_silence, 8);
    near(gb_confusion_f1(&c), 12.0 / 18.0, 1e-12);
    near(gb_confusion_false_alarm_percent(&c), 20.0, 1e-12);
    near(gb_confusion_missed_alarm_percent(&c), 40.0, 1e-12);
    gb_confusion none = {0};
    near(gb_confusion_f1(&none), 0.0, 0.0);
    near(gb_confusion_false_alarm_percent(&none), 0.0, 0.0);
}

static void life_score(void **state)
{
    (void)state;
    near(gb_metric_life_score(0.0), 0.0, 0.0);
    near(gb_metric_life_score(10.0), exp(1.0) - 1.0, 1e-12);
    near(gb_metric_life_score(-13.0), exp(1.0) - 1.0, 1e-12);
    assert_true(gb_metric_life_score(5.0) > gb_metric_life_score(-5.0)); /* late is worse */
}

static void percentile(void **state)
{
    (void)state;
    const double sorted[] = {1, 2, 4, 8, 16};
    near(gb_metric_percentile(sorted, 5, 0), 1, 0);
    near(gb_metric_percentile(sorted, 5, 50), 4, 0);
    near(gb_metric_percentile(sorted, 5, 100), 16, 0);
    near(gb_metric_percentile(sorted, 5, 62.5), 6, 1e-12);
    near(gb_metric_percentile(sorted, 1, 99.9), 1, 0);
    assert_true(isnan(gb_metric_percentile(sorted, 0, 50)));
}

/* ---- intervals ------------------------------------------------------------------------------ */

#define COUNT 400

static void bootstrap_of_independent_values(void **state)
{
    (void)state;
    double values[COUNT], sum = 0.0, squares = 0.0;
    for (int i = 0; i < COUNT; i++) {
        values[i] = (double)gb_random_normal(7, 1, (uint64_t)i);
        sum += values[i];
    }
    double mean = sum / COUNT;
    for (int i = 0; i < COUNT; i++)
        squares += (values[i] - mean) * (values[i] - mean);
    double error = sqrt(squares / COUNT / COUNT);
    gb_interval interval, again;
    assert_int_equal(gb_bootstrap_mean(values, COUNT, 1, 4000, 3, &interval), GB_OK);
    near(interval.value, mean, 1e-12);
    near(interval.low, mean - 1.96 * error, 0.15 * error); /* the normal approximation */
    near(interval.high, mean + 1.96 * error, 0.15 * error);
    assert_int_equal(gb_bootstrap_mean(values, COUNT, 1, 4000, 3, &again), GB_OK);
    assert_true(interval.low == again.low && interval.high == again.high);
    assert_int_equal(gb_bootstrap_mean(values, COUNT, 1, 4000, 4, &again), GB_OK);
    assert_true(interval.low != again.low);
}

/* Neighbours that repeat each other carry less: blocks must see it. */
static void blocks_widen_the_interval_of_dependent_values(void **state)
{
    (void)state;
    double values[COUNT];
    for (int i = 0; i < COUNT; i++)
        values[i] = (double)gb_random_normal(7, 1, (uint64_t)i / 20);
    gb_interval single, blocks;
    assert_int_equal(gb_bootstrap_mean(values, COUNT, 1, 2000, 3, &single), GB_OK);
    assert_int_equal(gb_bootstrap_mean(values, COUNT, 40, 2000, 3, &blocks), GB_OK);
    assert_true(blocks.high - blocks.low > 2.5 * (single.high - single.low));
}

static double mean_of(const void *context, const int64_t *units, int64_t count)
{
    const double *values = context;
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++)
        sum += values[units[i]];
    return sum / (double)count;
}

static void general_and_fast_bootstrap_agree(void **state)
{
    (void)state;
    double values[101];
    for (int i = 0; i < 101; i++)
        values[i] = (double)gb_random_uniform(9, 0, (uint64_t)i);
    gb_interval fast, general;
    assert_int_equal(gb_bootstrap_mean(values, 101, 7, 500, 11, &fast), GB_OK);
    assert_int_equal(gb_bootstrap(mean_of, values, 101, 7, 500, 11, &general), GB_OK);
    near(fast.value, general.value, 1e-12);
    near(fast.low, general.low, 1e-9);
    near(fast.high, general.high, 1e-9);
}

static void bootstrap_refuses_what_makes_no_sense(void **state)
{
    (void)state;
    const double values[] = {1, 2};
    gb_interval out = {5, 5, 5};
    assert_int_equal(gb_bootstrap_mean(values, 0, 1, 10, 0, &out), GB_ERR_ARGUMENT);
    assert_int_equal(gb_bootstrap_mean(values, 2, 3, 10, 0, &out), GB_ERR_ARGUMENT);
    assert_int_equal(gb_bootstrap_mean(values, 2, 0, 10, 0, &out), GB_ERR_ARGUMENT);
    assert_int_equal(gb_bootstrap_mean(values, 2, 1, -1, 0, &out), GB_ERR_ARGUMENT);
    near(out.value, 5, 0);
    assert_int_equal(gb_bootstrap_mean(values, 2, 1, 0, 0, &out), GB_OK);
    near(out.value, 1.5, 0);
    assert_true(isnan(out.low) && isnan(out.high));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors),
        cmocka_unit_test(confusion),
        cmocka_unit_test(life_score),
        cmocka_unit_test(percentile),
        cmocka_unit_test(bootstrap_of_independent_values),
        cmocka_unit_test(blocks_widen_the_interval_of_dependent_values),
        cmocka_unit_test(general_and_fast_bootstrap_agree),
        cmocka_unit_test(bootstrap_refuses_what_makes_no_sense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
