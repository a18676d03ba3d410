/* Sensors: each way an observation can be wrong, at its limit and just beyond. */
#include "control/envelope_machine.h"

#define SENSOR(rest)                                                                               \
    HEAD ARM BASE GRIP "sensors:\n" WATCH                                                          \
                       "  - {stream: grip.force, unit: N, max_age_ms: 50, " rest "}\n"

static void age_is_judged_at_its_limit(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, GOOD);
    for (int sign = -1; sign <= 1; sign += 2) /* the future is as wrong as the past */
        for (int over = 0; over < 2; over++) {
            bench_rewind(&b);
            b.times[0] = b.input.now_ns + sign * (50 * MS + over);
            gb_envelope_tick(b.envelope, &b.input, b.command, &b.verdict);
            assert_mode(&b, over ? GB_MODE_BACKUP : GB_MODE_PASS);
            if (over)
                assert_only(&b, GB_LIMIT_OBSERVATION_AGE);
        }
    int64_t extremes[] = {INT64_MIN, INT64_MIN + 1, INT64_MAX};
    for (int i = 0; i < 3; i++) {
        bench_rewind(&b);
        b.times[0] = extremes[i];
        gb_envelope_tick(b.envelope, &b.input, b.command, &b.verdict);
        assert_only(&b, GB_LIMIT_OBSERVATION_AGE);
    }
    bench_close(&b);
}

static void unwatched_streams_are_not_judged(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, GOOD);
    for (int i = 2; i < 5; i++)
        b.values[i] = NAN;
    tick(&b);
    assert_mode(&b, GB_MODE_PASS);
    bench_close(&b);
}

static void nan_and_infinity_are_faults(void **state)
{
    (void)state;
    double broken[] = {NAN, INFINITY, -INFINITY};
    bench b;
    bench_open(&b, GOOD);
    for (int i = 0; i < 3; i++)
        for (int column = 0; column < 2; column++) {
            bench_rewind(&b);
            tick(&b);
            assert_mode(&b, GB_MODE_PASS);
            b.values[column] = broken[i];
            tick(&b);
            assert_only(&b, GB_LIMIT_SENSOR_NAN);
        }
    bench_close(&b);
}

static void range_is_judged_at_its_limits(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, SENSOR("low: [-1], high: [4]"));
    struct {
        double value;
        bool good;
    } cases[] = {{-1, true}, {4, true}, {-1.0001, false}, {4.0001, false}};
    for (int i = 0; i < 4; i++) {
        bench_rewind(&b);
        b.values[3] = cases[i].value;
        tick(&b);
        assert_mode(&b, cases[i].good ? GB_MODE_PASS : GB_MODE_BACKUP);
        if (!cases[i].good)
            assert_only(&b, GB_LIMIT_SENSOR_RANGE);
    }
    bench_close(&b);
    bench_open(&b, SENSOR("low: [-1]")); /* one side alone */
    b.values[3] = 1e9;
    tick(&b);
    assert_mode(&b, GB_MODE_PASS);
    b.values[3] = -2;
    tick(&b);
    assert_only(&b, GB_LIMIT_SENSOR_RANGE);
    bench_close(&b);
    bench_open(&b, SENSOR("high: [1]"));
    b.values[3] = -1e9;
    tick(&b);
    assert_mode(&b, GB_MODE_PASS);
    b.values[3] = 2;
    tick(&b);
    assert_only(&b, GB_LIMIT_SENSOR_RANGE);
    bench_close(&b);
}

static void too_much_force_hands_over(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, SENSOR("max_force: [12]"));
    for (double sign = -1; sign <= 1; sign += 2) {
        bench_rewind(&b);
        b.values[3] = sign * 12;
        tick(&b);
        assert_mode(&b, GB_MODE_PASS);
        b.values[3] = sign * 12.001;
        tick(&b);
        assert_only(&b, GB_LIMIT_FORCE);
        assert_mode(&b, GB_MODE_BACKUP);
    }
    bench_close(&b);
}

static void a_jump_is_a_fault(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, SENSOR("max_step: [2]"));
    for (double sign = -1; sign <= 1; sign += 2) {
        bench_rewind(&b);
        b.values[3] = 100; /* the first sample has nothing to jump from */
        tick(&b);
        assert_mode(&b, GB_MODE_PASS);
        b.values[3] += sign * 2;
        tick(&b);
        assert_mode(&b, GB_MODE_PASS);
        b.values[3] += sign * 2.001;
        tick(&b);
        assert_only(&b, GB_LIMIT_SENSOR_JUMP);
    }
    bench_close(&b);
}

static void an_angle_may_pass_its_end(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, GOOD "  - {stream: arm.angle, unit: rad, max_age_ms: 50, max_step: [0.2]}\n");
    b.values[4] = 6.2;
    tick(&b);
    b.values[4] = 0.05; /* 0.133 on */
    tick(&b);
    assert_mode(&b, GB_MODE_PASS);
    b.values[4] = 6.25; /* 0.083 back */
    tick(&b);
    assert_mode(&b, GB_MODE_PASS);
    b.values[4] = 3.0;
    tick(&b);
    assert_only(&b, GB_LIMIT_SENSOR_JUMP);
    bench_close(&b);
}

static void a_value_that_never_changes_is_stuck(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, SENSOR("stuck_ms: 100"));
    b.values[3] = 7;
    ticks(&b, 11); /* the same for 100 ms */
    assert_mode(&b, GB_MODE_PASS);
    tick(&b);
    assert_only(&b, GB_LIMIT_SENSOR_STUCK);
    b.values[3] += 1e-9;
    tick(&b);
    assert_false(because(&b, GB_LIMIT_SENSOR_STUCK));
    bench_close(&b);
}

static void margins_say_what_is_nearest(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, SENSOR("low: [0], high: [10]"));
    b.values[3] = 9; /* 1 of 5 from the end */
    tick(&b);
    assert_near(b.verdict.margin, 0.0); /* grip.press is at its low end, 0 N */
    assert_int_equal(b.verdict.margin_limit, GB_LIMIT_FORCE);
    assert_int_equal(b.verdict.margin_index, 3);
    b.proposal[3] = 15;
    ticks(&b, 40);
    assert_near(b.verdict.margin, 0.2);
    assert_int_equal(b.verdict.margin_limit, GB_LIMIT_SENSOR_RANGE);
    assert_int_equal(b.verdict.margin_index, 3);
    b.values[3] = 11;
    tick(&b);
    assert_near(b.verdict.margin, -0.2);
    bench_close(&b);
}

static void margins_are_parts_of_the_limit(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, SENSOR("max_force: [12]"));
    b.proposal[3] = 15; /* the middle of its range */
    ticks(&b, 40);
    b.values[3] = -9;
    tick(&b);
    assert_near(b.verdict.margin, 0.25);
    assert_int_equal(b.verdict.margin_limit, GB_LIMIT_FORCE);
    b.values[3] = 0;
    b.input.now_ns += 40 * MS - TICK_NS; /* nothing new for 40 ms of 50 */
    b.input.now_ns += TICK_NS;
    gb_envelope_tick(b.envelope, &b.input, b.command, &b.verdict);
    assert_near(b.verdict.margin, 0.2);
    assert_int_equal(b.verdict.margin_limit, GB_LIMIT_OBSERVATION_AGE);
    assert_int_equal(b.verdict.margin_index, -1);
    bench_close(&b);
}

static void lateness_is_judged_only_where_declared(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, GOOD);
    b.input.late_ns = 1000 * MS;
    ticks(&b, 20);
    assert_mode(&b, GB_MODE_PASS);
    bench_close(&b);
}

/* No observation at all is like an old one, for people, too. */
static void no_observation_is_survived(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, HEAD ARM BASE GRIP
               "sensors:\n" WATCH "  - {stream: arm.angle, unit: rad, max_age_ms: 50}\n"
               "people: {distance: arm.angle, unit: rad, separation: 0.4, person_speed: 1.6, "
               "reaction_ms: 300, braking: 1.8, speed_of: base.speed, per_unit: [1]}\n");
    b.input.observation = NULL;
    gb_envelope_tick(b.envelope, &b.input, b.command, &b.verdict);
    assert_mode(&b, GB_MODE_BACKUP);
    assert_only(&b, GB_LIMIT_OBSERVATION_AGE);
    assert_true(b.verdict.blind);
    b.input.observation = &b.observation;
    b.values[4] = 9;
    tick(&b);
    assert_mode(&b, GB_MODE_PASS);
    /* What is too old is not read: nobody is near because an old number says so. */
    b.values[4] = 0;
    b.input.now_ns += 1000 * MS;
    gb_envelope_tick(b.envelope, &b.input, b.command, &b.verdict);
    assert_only(&b, GB_LIMIT_OBSERVATION_AGE);
    bench_close(&b);
}

/* A quantity that counts turns wraps at 1 or less. */
static void short_periods_wrap_too(void **state)
{
    (void)state;
    gb_plant_stream observations[4];
    memcpy(observations, machine_observations, sizeof observations);
    observations[3].wrap = 0.5;
    gb_plant_info turns = machine;
    turns.observation_streams = observations;
    bench b;
    memset(&b, 0, sizeof b);
    assert_int_equal(
        load_for(GOOD "  - {stream: arm.angle, unit: rad, max_age_ms: 50, max_step: [0.1]}\n",
                 &turns, &b.envelope),
        GB_OK);
    bench_rewind(&b);
    b.values[4] = 0.48;
    tick(&b);
    b.values[4] = 0.02;
    tick(&b);
    assert_mode(&b, GB_MODE_PASS);
    b.values[4] = 0.25;
    tick(&b);
    assert_only(&b, GB_LIMIT_SENSOR_JUMP);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(age_is_judged_at_its_limit),
        cmocka_unit_test(unwatched_streams_are_not_judged),
        cmocka_unit_test(nan_and_infinity_are_faults),
        cmocka_unit_test(range_is_judged_at_its_limits),
        cmocka_unit_test(too_much_force_hands_over),
        cmocka_unit_test(a_jump_is_a_fault),
        cmocka_unit_test(an_angle_may_pass_its_end),
        cmocka_unit_test(a_value_that_never_changes_is_stuck),
        cmocka_unit_test(margins_say_what_is_nearest),
        cmocka_unit_test(margins_are_parts_of_the_limit),
        cmocka_unit_test(lateness_is_judged_only_where_declared),
        cmocka_unit_test(no_observation_is_survived),
        cmocka_unit_test(short_periods_wrap_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
