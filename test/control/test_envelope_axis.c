/* One column: a stop in closed form against the same stop walked tick by tick. */
#include "control/envelope_axis.h"
#include "control/envelope_machine.h"

static double draw(uint64_t *draws)
{
    return (double)gb_random_uniform(11, 1, (*draws)++);
}

static gb_axis_limits draw_limits(uint64_t *draws, int order)
{
    gb_axis_limits limits = {.low = -INFINITY, .high = INFINITY, .order = order};
    limits.most[1] = pow(10, 2 * draw(draws) - 1);
    limits.most[2] = limits.most[1] * pow(10, -2 * draw(draws));
    limits.most[3] = limits.most[2] * pow(10, -2 * draw(draws));
    return limits;
}

/* Walks a stop and compares all that was said about it. */
static void walk(const gb_axis_limits *limits, gb_axis_state state)
{
    double low = state.x, high = state.x, peak = fabs(state.d1), first = state.x;
    double scale = 1e-9 * (1 + fabs(state.stop.high - state.stop.low));
    gb_axis_stop stop = state.stop;
    gb_axis_state start = state;
    int ticks = stop.ticks[0] + stop.ticks[1] + stop.ticks[2];
    for (int t = 1; t <= ticks; t++) {
        gb_axis_state next = gb_axis_follow(limits, &state);
        bool last = t == ticks;
        if (limits->order == 3) {
            assert_true(fabs(next.d2 - state.d2) <= limits->most[3] * (1 + 1e-9) || last);
            assert_true(fabs(next.d2) <= limits->most[2] * (1 + 1e-9));
        } else {
            assert_true(fabs(next.d1 - state.d1) <= limits->most[2] * (1 + 1e-9) || last);
        }
        state = next;
        low = fmin(low, state.x);
        high = fmax(high, state.x);
        peak = fmax(peak, fabs(state.d1));
        assert_true(fabs(gb_axis_stop_at(limits, &start, t) - state.x) < scale);
        assert_int_equal(gb_axis_resting(&state), t == ticks);
    }
    assert_true(state.d1 == 0.0 && state.d2 == 0.0);
    assert_true(fabs(state.x - stop.end) < scale);
    assert_true(fabs(low - stop.low) < scale && fabs(high - stop.high) < scale);
    assert_true(fabs(peak - stop.peak) < 1e-9 * (1 + peak));
    assert_true(gb_axis_stop_at(limits, &start, 0) == first);
    assert_true(fabs(gb_axis_stop_at(limits, &start, ticks + 5) - stop.end) < scale);
    gb_axis_state stays = gb_axis_follow(limits, &state);
    assert_true(stays.x == state.x && gb_axis_resting(&stays));
}

static void a_stop_is_what_it_says(void **state)
{
    (void)state;
    uint64_t draws = 0;
    int found = 0;
    for (int i = 0; i < 3000; i++) {
        gb_axis_limits limits = draw_limits(&draws, 2 + i % 2);
        gb_axis_state s = {.x = 4 * draw(&draws) - 2};
        s.d1 = limits.most[1] * (2 * draw(&draws) - 1);
        s.d2 = i % 2 ? limits.most[2] * (2 * draw(&draws) - 1) : 0;
        if (!gb_axis_stop_find(&limits, s.x, s.d1, s.d2, &s.stop))
            continue;
        found++;
        walk(&limits, s);
    }
    assert_in_range(found, 2998, 3000);
}

/* Steps computed by hand: 1 a tick, at most 0.25 less each tick: 0.75, 0.5, 0.25, 0. */
static void second_order_by_hand(void **state)
{
    (void)state;
    gb_axis_limits limits = {.low = -9, .high = 9, .order = 2, .most = {0, 1, 0.25, 0}};
    gb_axis_stop stop;
    assert_true(gb_axis_stop_find(&limits, 2, 1, 0, &stop));
    assert_int_equal(stop.ticks[0], 4);
    assert_near(stop.end, 3.5);
    assert_near(stop.high, 3.5);
    assert_near(stop.low, 2);
    assert_near(stop.peak, 1);
    assert_true(gb_axis_stop_find(&limits, 2, -1, 0, &stop));
    assert_near(stop.end, 0.5);
    assert_near(stop.low, 0.5);
    assert_near(stop.high, 2);
}

/* From d1 = 8 with J = 1, A = 2: -1 -2 -2 -2 -1 0 takes 8 away; 7 + 5 + 3 + 1 + 0 is gone. */
static void third_order_by_hand(void **state)
{
    (void)state;
    gb_axis_limits limits = {.low = -99, .high = 99, .order = 3, .most = {0, 9, 2, 1}};
    gb_axis_stop stop;
    assert_true(gb_axis_stop_find(&limits, 0, 8, 0, &stop));
    assert_int_equal(stop.ticks[0] + stop.ticks[1] + stop.ticks[2], 6);
    assert_near(stop.end, 16);
    assert_near(stop.peak, 8);
    /* Resting needs both differences at zero: a turning point is no rest. */
    gb_axis_state turning = {.x = 1, .d1 = 0, .d2 = 1}, coasting = {.x = 1, .d1 = 1, .d2 = 0};
    assert_false(gb_axis_resting(&turning));
    assert_false(gb_axis_resting(&coasting));
}

/* It takes about as long as the fastest stop of continuous time: to -p, hold, to 0. */
static void stops_are_short(void **state)
{
    (void)state;
    uint64_t draws = 0;
    for (int i = 0; i < 4000; i++) {
        gb_axis_limits limits = draw_limits(&draws, 3);
        gb_axis_stop stop;
        double most = limits.most[2], j = limits.most[3], sign = i % 2 ? 1 : -1;
        double v = limits.most[1] * draw(&draws), a = most * (2 * draw(&draws) - 1);
        if (a < 0 && v < a * a / (2 * j) - a) /* it brakes too hard already */
            continue;
        double p = fmin(most, sqrt(j * v + a * a / 2));
        double hold = fmax(0, (v + (a * a / 2 - p * p) / j) / p);
        double fastest = (2 * p + a) / j + hold;
        if (!gb_axis_stop_find(&limits, 0, sign * v, sign * a, &stop))
            continue;
        assert_true(stop.ticks[0] + stop.ticks[1] + stop.ticks[2] <= fastest + 4);
    }
}

/* A count of ticks that no int holds is no stop. */
static void endless_stops_are_none(void **state)
{
    (void)state;
    gb_axis_stop stop;
    for (int order = 2; order <= 3; order++) {
        gb_axis_limits limits = {
            .low = -1e9, .high = 1e9, .order = order, .most = {0, 1, 1e-12, 1e-12}};
        assert_false(gb_axis_stop_find(&limits, 0, 1, 0, &stop));
        limits.most[2] = limits.most[3] = 2e-9; /* within the most that is counted */
        assert_true(gb_axis_stop_find(&limits, 0, 1, 0, &stop));
    }
}

static void moves_keep_each_limit_exactly(void **state)
{
    (void)state;
    for (int order = 1; order <= 3; order++) {
        gb_axis_limits limits = {
            .low = -100, .high = 100, .order = order, .most = {0, 1, 0.5, 0.25}};
        double top = limits.most[order];
        gb_axis_state rest = gb_axis_rest(0), next;
        assert_true(gb_axis_apply(&limits, &rest, top, &next));
        assert_near(gb_axis_top(&limits, &rest, &next), top);
        assert_near(next.x, top);
        assert_true(gb_axis_apply(&limits, &rest, -top, &next));
        assert_false(gb_axis_apply(&limits, &rest, top * 1.001, &next));
        assert_false(gb_axis_apply(&limits, &rest, -top * 1.001, &next));
        assert_false(gb_axis_apply(&limits, &rest, NAN, &next));
        gb_axis_state edge = gb_axis_rest(100 - top / 2);
        assert_false(gb_axis_apply(&limits, &edge, top, &next));
        edge = gb_axis_rest(-100 + top / 2);
        assert_false(gb_axis_apply(&limits, &edge, -top, &next));
    }
}

/* A value at its limit is no reason; the next tick uses what the limits leave, to the last bit. */
static void limits_themselves_are_allowed(void **state)
{
    (void)state;
    gb_axis_limits limits = {
        .low = -100,
        .high = 100,
        .order = 3,
        .most = {0, 1, 0.5, 0.25},
        .reason = {GB_LIMIT_POSITION, GB_LIMIT_VELOCITY, GB_LIMIT_ACCELERATION, GB_LIMIT_JERK}};
    gb_axis_state rest = gb_axis_rest(0), next;
    assert_int_equal(gb_axis_choose(&limits, &rest, 0.5, 0, 1, &next), 1u << GB_LIMIT_JERK);
    assert_int_equal(gb_axis_choose(&limits, &rest, 1, 0, 1, &next),
                     1u << GB_LIMIT_JERK | 1u << GB_LIMIT_ACCELERATION);
    assert_int_equal(gb_axis_choose(&limits, &rest, 0.25, 0, 1, &next), 0);
    gb_axis_state edge = gb_axis_rest(99.9);
    assert_int_equal(gb_axis_choose(&limits, &edge, 100, 0, 1, &next), 1u << GB_LIMIT_POSITION);
    limits.order = 2;
    assert_int_equal(gb_axis_choose(&limits, &rest, 0.5, 0, 1, &next), 0);
    edge = gb_axis_rest(99.5);
    assert_int_equal(gb_axis_choose(&limits, &edge, 100, 0, 1, &next), 0);
    edge = gb_axis_rest(-99.5);
    assert_int_equal(gb_axis_choose(&limits, &edge, -100, 0, 1, &next), 0);
    limits.order = 3;
    limits.most[3] = 0.2;
    limits.most[1] = 10;
    gb_axis_state s = rest;
    for (int i = 0; i < 3; i++) {
        (void)gb_axis_choose(&limits, &s, 90, 0, 1, &next);
        s = next;
    }
    assert_true(s.d2 == 0.5); /* 0.2, 0.4, 0.5 */
    for (int i = 0; i < 3; i++) {
        (void)gb_axis_choose(&limits, &s, -90, 0, 1, &next);
        s = next;
    }
    assert_true(fabs(s.d2 + 0.1) < 1e-12);
}

/* A slow move keeps below its part of the velocity limit, and still arrives. */
static void slow_moves_are_slow(void **state)
{
    (void)state;
    for (int order = 1; order <= 3; order++) {
        gb_axis_limits limits = {
            .low = -100, .high = 100, .order = order, .most = {0, 1, 0.1, 0.02}};
        gb_axis_state s = gb_axis_rest(0), next;
        double fastest = 0;
        for (int i = 0; i < 300; i++) {
            (void)gb_axis_choose(&limits, &s, 20, 0, 0.25, &next);
            s = next;
            fastest = fmax(fastest, s.d1);
        }
        assert_true(fastest <= 0.25 + 1e-9 && fastest > 0.24);
        assert_near(s.x, 20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stop_is_what_it_says),
        cmocka_unit_test(second_order_by_hand),
        cmocka_unit_test(third_order_by_hand),
        cmocka_unit_test(stops_are_short),
        cmocka_unit_test(endless_stops_are_none),
        cmocka_unit_test(moves_keep_each_limit_exactly),
        cmocka_unit_test(limits_themselves_are_allowed),
        cmocka_unit_test(slow_moves_are_slow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
