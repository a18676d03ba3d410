/* Stops of one column at the edges of their forms: none needed, turning points, counts of ticks at
 * their most. test_envelope_axis.c has those in between. */
#include "control/envelope_axis.h"
#include "control/envelope_machine.h"

static int ticks_of(const gb_axis_stop *stop)
{
    return stop->ticks[0] + stop->ticks[1] + stop->ticks[2];
}

static void at_rest_nothing_is_left_to_do(void **state)
{
    (void)state;
    for (int order = 0; order <= 3; order++) {
        gb_axis_limits limits = {.low = -9, .high = 9, .order = order, .most = {0, 1, 0.5, 0.25}};
        gb_axis_state rest = gb_axis_rest(2);
        assert_true(gb_axis_stop_find(&limits, 2, 0, 0, &rest.stop));
        assert_int_equal(ticks_of(&rest.stop), 0);
        assert_true(rest.stop.end == 2 && rest.stop.low == 2 && rest.stop.high == 2);
        assert_true(rest.stop.peak == 0);
        assert_true(gb_axis_stop_at(&limits, &rest, 0) == 2);
        assert_true(gb_axis_stop_at(&limits, &rest, 5) == 2);
    }
}

/* Follows a stop and compares the furthest points with what was said. */
static void walk(const gb_axis_limits *limits, gb_axis_state s)
{
    double low = s.x, high = s.x, peak = fabs(s.d1);
    gb_axis_stop said = s.stop;
    for (int t = ticks_of(&said); t > 0; t--) {
        gb_axis_state next = gb_axis_follow(limits, &s);
        assert_true(fabs(next.d2) <= limits->most[2] + 1e-12);
        assert_true(fabs(next.d2 - s.d2) <= limits->most[3] + 1e-12);
        s = next;
        low = fmin(low, s.x);
        high = fmax(high, s.x);
        peak = fmax(peak, fabs(s.d1));
    }
    assert_true(gb_axis_resting(&s));
    assert_near(s.x, said.end);
    assert_near(low, said.low);
    assert_near(high, said.high);
    assert_near(peak, said.peak);
}

/* Standing for an instant with d2 left is no rest: it goes on to move. */
static void turning_points_are_left_within_the_limits(void **state)
{
    (void)state;
    gb_axis_limits limits = {.low = -99, .high = 99, .order = 3, .most = {0, 9, 2, 0.5}};
    static const double states[][2] = {{0, 1.5},  {0, 1},  {0, 2},    {0, 0.25}, {0, -0.25},
                                       {0, -1.5}, {0, -1}, {-1, 2},   {-1, 1},   {-3, 2},
                                       {1, -2},   {3, -2}, {-2, 1.5}, {-6, 2},   {-0.5, 0.5}};
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        gb_axis_state s = {.x = 3, .d1 = states[i][0], .d2 = states[i][1]};
        if (!gb_axis_stop_find(&limits, s.x, s.d1, s.d2, &s.stop))
            fail_msg("no stop from d1 %g, d2 %g", s.d1, s.d2);
        walk(&limits, s);
    }
}

/* d2 may jump to nothing within its own limit: two ticks, nothing gone. */
static void a_little_deceleration_at_standstill_ends_at_once(void **state)
{
    (void)state;
    gb_axis_limits limits = {.low = -9, .high = 9, .order = 3, .most = {0, 1, 0.5, 0.25}};
    gb_axis_stop stop;
    for (double sign = -1; sign <= 1; sign += 2) {
        assert_true(gb_axis_stop_find(&limits, 1, 0, sign * 0.125, &stop));
        assert_true(ticks_of(&stop) <= 2);
        assert_near(stop.end, 1);
    }
}

/* Backwards at first: from d1 = -4 with d2 = 2 and J = 0.5 it turns, and comes back. */
static void the_way_back_counts(void **state)
{
    (void)state;
    gb_axis_limits limits = {.low = -99, .high = 99, .order = 3, .most = {0, 9, 2, 0.5}};
    for (double sign = -1; sign <= 1; sign += 2) {
        gb_axis_state s = {.x = 0, .d1 = sign * -2, .d2 = sign * 2};
        assert_true(gb_axis_stop_find(&limits, 0, s.d1, s.d2, &s.stop));
        walk(&limits, s);
        double back = sign > 0 ? s.stop.low : -s.stop.high;
        double on = sign > 0 ? s.stop.high : -s.stop.low;
        assert_true(back < -0.3 && back > -2);
        assert_true(on > 1); /* d2 of 2 cannot go in one tick: it overshoots */
    }
}

/* The fewest ticks of any stop of this form, by looking at all. */
static int shortest(const gb_axis_limits *limits, double d1, double d2)
{
    int best = 1000;
    for (double sign = -1; sign <= 1; sign += 2)
        for (int n1 = 1; n1 <= 14; n1++)
            for (int n2 = 0; n2 <= 20; n2++)
                for (int n3 = 1; n3 <= 14 && n1 + n2 + n3 < best; n3++) {
                    double v = sign * d1, a = sign * d2;
                    double p = (v + a * (n1 - 1) / 2.0) / ((n1 + n3) / 2.0 + n2);
                    if (p >= 0 && p <= limits->most[2] && p <= n3 * limits->most[3] &&
                        fabs(p + a) <= n1 * limits->most[3])
                        best = n1 + n2 + n3;
                }
    return best;
}

static void no_stop_is_much_shorter(void **state)
{
    (void)state;
    uint64_t draws = 0;
    int longer = 0, found = 0, count = 1500;
    for (int i = 0; i < count; i++) {
        gb_axis_limits limits = {.low = -99, .high = 99, .order = 3, .most = {0, 9, 1, 0}};
        limits.most[3] = 0.15 + 1.2 * (double)gb_random_uniform(3, 1, draws++);
        double d1 = 6 * (double)gb_random_uniform(3, 1, draws++) - 3;
        double d2 = 2 * (double)gb_random_uniform(3, 1, draws++) - 1;
        gb_axis_stop stop;
        if (!gb_axis_stop_find(&limits, 0, d1, d2, &stop))
            continue;
        found++;
        int over = ticks_of(&stop) - shortest(&limits, d1, d2);
        if (over < 0 || over > 3)
            fail_msg("%d ticks more than needed from %g, %g with %g", over, d1, d2, limits.most[3]);
        longer += over > 0;
    }
    print_message("of %d, %d found, %d longer than the shortest\n", count, found, longer);
    assert_true(found >= 1499 && longer < 400); /* a quarter, by a tick or two */
}

/* States from which few lengths of phases give a stop, in numbers that are exact: a longer first
 * phase with a shorter last one; and lengths that must not be rounded down. */
static void a_stop_is_found_where_few_lengths_fit(void **state)
{
    (void)state;
    static const struct {
        double d1, d2, jerk;
    } few[] = {{-2.96875, 0.875, 0.125},  {1.8125, -1, 0.25},       {-1.9375, 0.6875, 0.125},
               {-2.4375, 0.875, 0.15625}, {2.625, 0.5, 0.8125},     {1.8125, 0.3125, 0.75},
               {-2.65625, -0.5, 0.40625}, {2.84375, 0.375, 0.40625}};
    for (size_t i = 0; i < sizeof few / sizeof *few; i++) {
        gb_axis_limits limits = {
            .low = -99, .high = 99, .order = 3, .most = {0, 9, 1, few[i].jerk}};
        gb_axis_state s = {.x = 0, .d1 = few[i].d1, .d2 = few[i].d2};
        if (!gb_axis_stop_find(&limits, 0, s.d1, s.d2, &s.stop))
            fail_msg("no stop from d1 %g, d2 %g with %g", s.d1, s.d2, few[i].jerk);
        walk(&limits, s);
        int over = ticks_of(&s.stop) - shortest(&limits, s.d1, s.d2);
        if (over)
            fail_msg("%d ticks too many from %g, %g with %g", over, s.d1, s.d2, few[i].jerk);
    }
}

/* A phase has a billion ticks at most: counted exactly, with numbers that divide exactly. */
static void phases_have_a_most(void **state)
{
    (void)state;
    const double most = 1e9, unit = 0x1p-60;
    gb_axis_stop stop;
    gb_axis_limits second = {.low = -9e9, .high = 9e9, .order = 2, .most = {0, 9, 0x1p-30, 0}};
    assert_true(gb_axis_stop_find(&second, 0, most * 0x1p-30, 0, &stop));
    assert_int_equal(stop.ticks[0], 1000000000);
    assert_false(gb_axis_stop_find(&second, 0, (most + 1) * 0x1p-30, 0, &stop));
    /* A ramp down and a ramp up of a billion each; then a billion between two of one. */
    gb_axis_limits ramps = {
        .low = -9e9, .high = 9e9, .order = 3, .most = {0, 9, most * unit, unit}};
    assert_true(gb_axis_stop_find(&ramps, 0, most * most * unit, 0, &stop));
    assert_int_equal(stop.ticks[0], 1000000000);
    assert_int_equal(stop.ticks[1], 0);
    assert_int_equal(stop.ticks[2], 1000000000);
    gb_axis_limits plateau = {
        .low = -9e9, .high = 9e9, .order = 3, .most = {0, 9, 0x1p-30, 0x1p-30}};
    assert_true(gb_axis_stop_find(&plateau, 0, (most + 1) * 0x1p-30, 0, &stop));
    assert_int_equal(stop.ticks[1], 1000000000);
    assert_false(gb_axis_stop_find(&plateau, 0, (most + 9) * 0x1p-30, 0, &stop));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_rest_nothing_is_left_to_do),
        cmocka_unit_test(turning_points_are_left_within_the_limits),
        cmocka_unit_test(a_little_deceleration_at_standstill_ends_at_once),
        cmocka_unit_test(the_way_back_counts),
        cmocka_unit_test(no_stop_is_much_shorter),
        cmocka_unit_test(a_stop_is_found_where_few_lengths_fit),
        cmocka_unit_test(phases_have_a_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
