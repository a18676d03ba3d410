/* The margin of a verdict: how near the nearest limit is as a part of its range, and which it is.
 */
#include "control/envelope_axis.h"
#include "control/envelope_machine.h"

#define EVEN                                                                                       \
    "  - {stream: base.speed, kind: velocity, unit: m/s, low: [-1], high: [1], acceleration: "     \
    "[2]}\n  - {stream: grip.press, kind: force, unit: N, low: [-30], high: [30], rate: [100]}\n"
#define ARM_FAST ARM_POSITION "    velocity: [8]\n    acceleration: [4]\n"

static void expect(const bench *b, double margin, gb_limit limit, int index)
{
    if (!(fabs(b->verdict.margin - margin) < 1e-9) || b->verdict.margin_limit != (int)limit ||
        b->verdict.margin_index != index)
        fail_msg("margin %.12g of %s, column %d; not %.12g of %s, column %d", b->verdict.margin,
                 gb_limit_name((gb_limit)b->verdict.margin_limit), b->verdict.margin_index, margin,
                 gb_limit_name(limit), index);
}

/* At rest in the middle of everything no limit is nearer than another. */
static void far_from_all_limits_none_is_named(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, HEAD ARM EVEN "sensors:\n" WATCH);
    tick(&b);
    assert_true(b.verdict.margin == 1.0);
    assert_int_equal(b.verdict.margin_limit, -1);
    assert_int_equal(b.verdict.margin_index, -1);
    bench_close(&b);
}

static void ranges_are_measured_from_their_middle(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, GOOD);
    static const double forces[][2] = {{6, 0.4}, {12, 0.8}, {24, 0.4}, {27, 0.2}};
    b.proposal[2] = 0.5; /* the middle of -1 to 2 */
    for (int i = 0; i < 4; i++) {
        b.proposal[3] = forces[i][0];
        ticks(&b, 200);
        expect(&b, forces[i][1], GB_LIMIT_FORCE, 3);
    }
    static const double speeds[][2] = {{1.7, 0.2}, {-0.7, 0.2}};
    b.proposal[3] = 15;
    for (int i = 0; i < 2; i++) {
        b.proposal[2] = speeds[i][0];
        ticks(&b, 400);
        expect(&b, speeds[i][1], GB_LIMIT_VELOCITY, 2);
    }
    bench_close(&b);
}

/* Steps of 3e-4 are 0.75 of 4 rad/s^2; a jerk of 1e-5 is a quarter of 40 rad/s^3. */
static void derivatives_count_in_both_directions(void **state)
{
    (void)state;
    bench b;
    for (double sign = -1; sign <= 1; sign += 2) {
        bench_open(&b, HEAD ARM_FAST EVEN "sensors:\n" WATCH);
        b.proposal[0] = sign * 3e-4;
        tick(&b);
        expect(&b, 0.25, GB_LIMIT_ACCELERATION, 0);
        b.proposal[0] = sign * 9e-4; /* twice that speed: the same acceleration */
        tick(&b);
        expect(&b, 0.25, GB_LIMIT_ACCELERATION, 0);
        bench_close(&b);
        bench_open(&b, HEAD ARM EVEN "sensors:\n" WATCH);
        const double third[] = {3e-5, 3e-5, 1e-5, -2e-5, -3e-5, -3e-5};
        double d2 = 0, d1 = 0, x = 0;
        for (int t = 0; t < 6; t++) {
            d2 += sign * third[t];
            d1 += d2;
            x += d1;
            b.proposal[0] = x;
            tick(&b);
            assert_mode(&b, GB_MODE_PASS);
            double used = fmax(fabs(third[t]) / 4e-5, fabs(d2) / 4e-4);
            expect(&b, 1 - used, GB_LIMIT_JERK, 0);
        }
        bench_close(&b);
    }
}

static void sensors_are_named_by_their_column(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, HEAD ARM EVEN "sensors:\n" WATCH
                                 "  - {stream: grip.force, unit: N, max_age_ms: 50, low: [-1], "
                                 "high: [4]}\n");
    b.values[3] = 3; /* 1 of 2.5 from the end */
    tick(&b);
    expect(&b, 0.4, GB_LIMIT_SENSOR_RANGE, 3);
    b.values[3] = -0.5;
    tick(&b);
    expect(&b, 0.2, GB_LIMIT_SENSOR_RANGE, 3);
    bench_close(&b);
    /* Two columns of one stream. */
    bench_open(&b, HEAD ARM EVEN
               "sensors:\n  - {stream: arm.position, unit: rad, max_age_ms: 50, low: [-1], high: "
               "[4], max_force: [8]}\n");
    bench_rewind(&b);
    b.values[0] = b.values[1] = 0.2;
    b.proposal[0] = b.proposal[1] = 0.2;
    tick(&b);
    b.values[1] = -0.75; /* a quarter of 2.5 would be 0.625: 0.25 is a tenth */
    tick(&b);
    expect(&b, 0.1, GB_LIMIT_SENSOR_RANGE, 1);
    b.values[1] = 0.2;
    b.values[0] = -0.75;
    tick(&b);
    expect(&b, 0.1, GB_LIMIT_SENSOR_RANGE, 0);
    bench_close(&b);
    bench_open(&b, HEAD ARM EVEN
               "sensors:\n  - {stream: arm.position, unit: rad, max_age_ms: 50, max_force: [8]}\n");
    tick(&b);
    b.values[1] = -6;
    tick(&b);
    expect(&b, 0.25, GB_LIMIT_FORCE, 1);
    bench_close(&b);
}

static void stamps_from_the_future_count_like_old_ones(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, HEAD ARM EVEN "sensors:\n" WATCH);
    for (int sign = -1; sign <= 1; sign += 2) {
        bench_rewind(&b);
        b.times[0] = b.input.now_ns + sign * 40 * MS;
        gb_envelope_tick(b.envelope, &b.input, b.command, &b.verdict);
        expect(&b, 0.2, GB_LIMIT_OBSERVATION_AGE, -1);
    }
    bench_close(&b);
}

/* A fifth more than is needed. */
static void people_count_from_where_it_must_stop(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, HEAD ARM EVEN
               "sensors:\n" WATCH "  - {stream: arm.angle, unit: rad, max_age_ms: 50}\n"
               "people: {distance: arm.angle, unit: rad, separation: 0.4, person_speed: 1.6, "
               "reaction_ms: 300, braking: 1.8, speed_of: base.speed, per_unit: [1]}\n");
    b.values[4] = 0.88 * 1.2;
    tick(&b);
    expect(&b, 0.2, GB_LIMIT_SEPARATION, -1);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(far_from_all_limits_none_is_named),
        cmocka_unit_test(ranges_are_measured_from_their_middle),
        cmocka_unit_test(derivatives_count_in_both_directions),
        cmocka_unit_test(sensors_are_named_by_their_column),
        cmocka_unit_test(stamps_from_the_future_count_like_old_ones),
        cmocka_unit_test(people_count_from_where_it_must_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
