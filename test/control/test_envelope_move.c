/* The next move of one column: as far as the limits let it, at the speed that is asked for, and
 * with a reason only where one is broken. */
#include "control/envelope_axis.h"
#include "control/envelope_machine.h"

#define REASONS                                                                                    \
    {                                                                                              \
        GB_LIMIT_POSITION, GB_LIMIT_VELOCITY, GB_LIMIT_ACCELERATION, GB_LIMIT_JERK                 \
    }

static double draw(uint64_t *draws)
{
    return (double)gb_random_uniform(21, 1, (*draws)++);
}

static gb_axis_state moving(const gb_axis_limits *limits, double x, double d1, double d2)
{
    gb_axis_state s = {.x = x, .d1 = d1, .d2 = d2};
    assert_true(gb_axis_stop_find(limits, x, d1, d2, &s.stop));
    return s;
}

/* The largest move towards `sign` after which a stop is found: halved 40 times. */
static double furthest_move(const gb_axis_limits *limits, const gb_axis_state *s, double sign)
{
    gb_axis_state safe = gb_axis_follow(limits, s), next;
    double good = gb_axis_top(limits, s, &safe),
           bad = good + sign * 2 * limits->most[limits->order];
    for (int i = 0; i < 40; i++) {
        double middle = (good + bad) / 2;
        if (gb_axis_apply(limits, s, middle, &next))
            good = middle;
        else
            bad = middle;
    }
    return good;
}

/* Of the range that the limits leave, a 16,000th is given away at most. */
static void a_far_target_is_approached_as_fast_as_the_limits_let(void **state)
{
    (void)state;
    uint64_t draws = 0;
    int less = 0;
    for (int i = 0; i < 60; i++) {
        int order = 1 + i % 3;
        gb_axis_limits limits = {.low = -5, .high = 5, .order = order};
        limits.most[1] = 0.1 + draw(&draws);
        limits.most[2] = limits.most[1] * (0.02 + 0.5 * draw(&draws));
        limits.most[3] = limits.most[2] * (0.02 + 0.5 * draw(&draws));
        gb_axis_state s = gb_axis_rest(0);
        double sign = 1;
        for (int t = 0; t < 200; t++) {
            if (draw(&draws) < 0.05)
                sign = -sign;
            gb_axis_state next, safe = gb_axis_follow(&limits, &s);
            (void)gb_axis_choose(&limits, &s, sign * 1e6, 0, 1, &next);
            double safe_top = gb_axis_top(&limits, &s, &safe);
            double best = furthest_move(&limits, &s, sign), top = gb_axis_top(&limits, &s, &next);
            double given_away = sign * (best - top);
            less += given_away > (2 * limits.most[order] + fabs(safe_top)) / 16000;
            s = next;
        }
    }
    /* In few ticks the allowed moves are no single range, and another is found. */
    print_message("%d moves of 12,000 are shorter\n", less);
    assert_true(less < 60);
}

/* What is left of a limit is used to its end: 0.3 + 0.3 + 0.3 + 0.1. */
static void the_rest_of_a_limit_is_used(void **state)
{
    (void)state;
    gb_axis_limits second = {.low = -99, .high = 99, .order = 2, .most = {0, 1, 0.3, 0}};
    gb_axis_limits third = {.low = -99, .high = 99, .order = 3, .most = {0, 1, 0.5, 0.25}};
    for (double sign = -1; sign <= 1; sign += 2) {
        gb_axis_state s = gb_axis_rest(0), next;
        for (int i = 0; i < 4; i++) {
            (void)gb_axis_choose(&second, &s, sign * 90, 0, 1, &next);
            s = next;
        }
        assert_near(s.d1, sign);
        s = moving(&third, 0, sign * 0.9, 0);
        (void)gb_axis_choose(&third, &s, sign * 90, 0, 1, &next);
        assert_near(next.d1, sign);
        s = moving(&third, 0, sign * 0.85, sign * 0.05);
        (void)gb_axis_choose(&third, &s, sign * 90, 0, 1, &next);
        assert_near(next.d1, sign);
    }
}

/* A limit that is just kept is not named, whatever else is broken. */
static void only_broken_limits_are_named(void **state)
{
    (void)state;
    gb_axis_limits limits = {
        .low = -100, .high = 100, .order = 1, .most = {0, 1, 0, 0}, .reason = REASONS};
    gb_axis_state rest = gb_axis_rest(0), next;
    assert_int_equal(gb_axis_choose(&limits, &rest, 100, 0, 1, &next), 1u << GB_LIMIT_VELOCITY);
    assert_int_equal(gb_axis_choose(&limits, &rest, -100, 0, 1, &next), 1u << GB_LIMIT_VELOCITY);
    limits = (gb_axis_limits){
        .low = -100, .high = 100, .order = 3, .most = {0, 1, 0.125, 0.25}, .reason = REASONS};
    assert_int_equal(gb_axis_choose(&limits, &rest, 0.25, 0, 1, &next),
                     1u << GB_LIMIT_ACCELERATION);
    /* d1 goes from 0.9 to 1.1, d2 from 0.1 to 0.2: a jerk of 0.1. */
    limits = (gb_axis_limits){
        .low = -100, .high = 100, .order = 3, .most = {0, 1, 0.5, 0.25}, .reason = REASONS};
    gb_axis_state s = {.x = 0, .d1 = 0.9, .d2 = 0.1};
    assert_true(gb_axis_stop_find(&limits, 0, 0.9, 0.1, &s.stop));
    assert_int_equal(gb_axis_choose(&limits, &s, 1.1, 0, 1, &next), 1u << GB_LIMIT_VELOCITY);
}

/* Slow is slow in both directions, for a target within reach, and for one that is passed by. */
static void a_slow_move_is_slow_even_where_one_tick_would_do(void **state)
{
    (void)state;
    for (double sign = -1; sign <= 1; sign += 2) {
        for (int order = 1; order <= 3; order++) {
            gb_axis_limits limits = {
                .low = -100, .high = 100, .order = order, .most = {0, 2, 0.2, 0.05}};
            gb_axis_state s = gb_axis_rest(0), next;
            double fastest = 0;
            for (int i = 0; i < 400; i++) {
                (void)gb_axis_choose(&limits, &s, sign * 20.3, 0, 0.25, &next);
                s = next;
                fastest = fmax(fastest, fabs(s.d1));
            }
            assert_true(fastest <= 0.5 + 1e-9 && fastest > 0.48);
            assert_near(s.x, sign * 20.3);
        }
        gb_axis_limits limits = {.low = -100, .high = 100, .order = 2, .most = {0, 1, 0.1, 0}};
        gb_axis_state s = moving(&limits, 0, sign * 0.5, 0), next;
        assert_int_equal(gb_axis_choose(&limits, &s, sign * 0.5, 0, 0.25, &next), 0);
        assert_true(fabs(next.d1) < 0.41); /* not on to the target at 0.5 */
        limits.most[1] = 0.5;              /* the same below 1 */
        s = moving(&limits, 0, sign * 0.4, 0);
        assert_int_equal(gb_axis_choose(&limits, &s, sign * 0.4, 0, 0.25, &next), 0);
        assert_true(fabs(next.d1) < 0.31);
    }
}

/* With acceleration limited alone, too: what moves away at half speed is reached. */
static void a_moving_target_is_caught_without_a_jerk_limit(void **state)
{
    (void)state;
    gb_axis_limits limits = {.low = -100, .high = 100, .order = 2, .most = {0, 1, 0.02, 0}};
    gb_axis_state s = gb_axis_rest(0), next;
    int caught = -1;
    for (int i = 0; i < 120 && caught < 0; i++) {
        if (gb_axis_choose(&limits, &s, 4 + 0.5 * i, 0.5, 1, &next) == 0)
            caught = i;
        s = next;
    }
    assert_in_range(caught, 20, 70);
    for (int i = 1; i < 20; i++, s = next)
        (void)gb_axis_choose(&limits, &s, 4 + 0.5 * (caught + i), 0.5, 1, &next);
    assert_near(s.x, 4 + 0.5 * (caught + 19));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_far_target_is_approached_as_fast_as_the_limits_let),
        cmocka_unit_test(the_rest_of_a_limit_is_used),
        cmocka_unit_test(only_broken_limits_are_named),
        cmocka_unit_test(a_slow_move_is_slow_even_where_one_tick_would_do),
        cmocka_unit_test(a_moving_target_is_caught_without_a_jerk_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
