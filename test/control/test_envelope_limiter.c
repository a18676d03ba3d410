/* Position, velocity, acceleration and jerk: cases computed by hand, and the shape of motions. */
#include "control/envelope_machine.h"

/* Tick 0.01 s: velocity 1 rad/s is 0.01 a tick, acceleration 4 is 4e-4, jerk 40 is 4e-5. */

static void a_proposal_within_limits_passes_exactly(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, GOOD);
    b.proposal[0] = 4e-5; /* first tick: d1 = d2 = d3 = the step */
    b.proposal[1] = -3.9e-5;
    b.proposal[2] = 0.0019; /* 20 m/s^3 a tick^2 is 0.002 */
    b.proposal[3] = 1.0;    /* 100 N/s */
    tick(&b);
    assert_mode(&b, GB_MODE_PASS);
    assert_int_equal(b.verdict.reasons, 0);
    assert_memory_equal(b.command, b.proposal, sizeof b.command);
    assert_false(b.verdict.blind);
    bench_close(&b);
}

static void jerk_is_limited_first(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, GOOD);
    b.proposal[0] = 3e-4; /* within velocity and acceleration */
    tick(&b);
    assert_mode(&b, GB_MODE_CLAMP);
    assert_only(&b, GB_LIMIT_JERK);
    assert_near(b.command[0], 4e-5);
    bench_close(&b);
}

static void each_limit_has_its_reason(void **state)
{
    (void)state;
    static const struct {
        const char *limits;
        double step;
        gb_limit reason;
        double command;
    } cases[] = {
        {"    velocity: [1]\n", 0.02, GB_LIMIT_VELOCITY, 0.01},
        {"    velocity: [1]\n    acceleration: [4]\n", 0.0005, GB_LIMIT_ACCELERATION, 0.0004},
        {"", 1.5, GB_LIMIT_POSITION, 1.0},
        {"    velocity: [1]\n    acceleration: [4]\n    jerk: [40]\n", 0.0003, GB_LIMIT_JERK,
         0.00004},
    };
    for (int i = 0; i < 4; i++) {
        char text[1024];
        snprintf(text, sizeof text, HEAD ARM_POSITION "%s" BASE GRIP "sensors:\n" WATCH,
                 cases[i].limits);
        for (double sign = -1; sign <= 1; sign += 2) {
            bench b;
            bench_open(&b, text);
            b.proposal[0] = sign * cases[i].step;
            tick(&b);
            assert_mode(&b, GB_MODE_CLAMP);
            assert_only(&b, cases[i].reason);
            assert_near(b.command[0], sign * cases[i].command);
            bench_close(&b);
        }
    }
}

static void a_proposal_may_break_all_limits(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, GOOD);
    for (double sign = -1; sign <= 1; sign += 2) {
        bench_rewind(&b);
        b.proposal[0] = sign * 1.5;
        tick(&b);
        assert_int_equal(b.verdict.reasons, 1u << GB_LIMIT_POSITION | 1u << GB_LIMIT_VELOCITY |
                                                1u << GB_LIMIT_ACCELERATION | 1u << GB_LIMIT_JERK);
    }
    bench_close(&b);
}

static void velocity_and_force_commands_have_their_own_derivatives(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, GOOD);
    b.proposal[3] = 1.5;
    tick(&b);
    assert_only(&b, GB_LIMIT_FORCE);
    assert_near(b.command[3], 1.0);
    b.proposal[3] = 2.0;
    b.proposal[2] = 0.1;
    tick(&b);
    assert_int_equal(b.verdict.reasons, 1u << GB_LIMIT_ACCELERATION | 1u << GB_LIMIT_JERK);
    assert_near(b.command[2], 0.002);
    bench_close(&b);
}

static void a_far_target_is_reached_without_overshoot(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, GOOD);
    b.proposal[0] = 0.75;
    int reached = 0;
    double highest = 0;
    for (int i = 1; i < 400 && !reached; i++) {
        tick(&b);
        highest = fmax(highest, b.command[0]);
        if (b.verdict.mode == GB_MODE_PASS)
            reached = i;
    }
    /* The fastest way: 0.75 rad at 1 rad/s, with 0.25 s of acceleration and 0.1 s of jerk, takes
     * 0.75 + 0.25 + 0.1 = 1.1 s. */
    assert_in_range(reached, 105, 125);
    assert_near(highest, 0.75);
    bench_close(&b);
}

static void it_stops_before_the_position_limit(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, GOOD);
    for (int i = 0; i < 400; i++) {
        b.proposal[0] = b.command[0] + 1.0;
        b.proposal[1] = b.command[1] - 1.0;
        tick(&b);
        assert_true(b.command[0] <= 1.0 && b.command[1] >= -2.0);
    }
    assert_true(b.command[0] > 0.9999 && b.command[1] < -1.9999);
    bench_close(&b);
}

static void the_first_command_starts_where_the_machine_is(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, GOOD);
    b.values[0] = 0.5;
    b.values[1] = -1.5;
    b.proposal[0] = -1;
    tick(&b);
    assert_near(b.command[0], 0.5 - 4e-5);
    assert_near(b.command[1], -1.5 + 4e-5);
    gb_envelope_reset(b.envelope);
    b.values[0] = 1.0 + 0.0099; /* measured beyond by less than a tick's way: from the limit */
    tick(&b);
    assert_false(b.verdict.blind);
    assert_near(b.command[0], 1.0 - 4e-5);
    bench_close(&b);
}

/* The command would begin at the limit and the machine would jump to it. */
static void a_machine_far_outside_its_limits_gets_no_command(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, GOOD);
    const double outside[][2] = {{3.0, 0}, {-1.0101, 0}, {0, 2.0101}, {0, -7}};
    for (int i = 0; i < 4; i++) {
        bench_rewind(&b);
        memcpy(b.values, outside[i], sizeof outside[i]);
        for (int t = 0; t < 30; t++) {
            tick(&b);
            assert_true(b.verdict.blind);
            assert_mode(&b, GB_MODE_BACKUP);
            assert_only(&b, GB_LIMIT_POSITION);
        }
        b.values[0] = 0.25; /* somebody brought it back */
        b.values[1] = -0.5;
        tick(&b);
        assert_false(b.verdict.blind);
        assert_true(fabs(b.command[0] - 0.25) < 1e-4 && fabs(b.command[1] + 0.5) < 1e-4);
    }
    bench_close(&b);
}

/* A tick's way is 0.5 exactly: that far outside it starts, and no further. What other streams
 * measure says nothing about where this one is. */
static void a_tick_outside_its_limits_a_machine_may_start(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, HEAD ARM_POSITION "    velocity: [50]\n" BASE GRIP "sensors:\n" WATCH);
    b.values[2] = 1e6;
    b.values[0] = b.proposal[0] = 1.5;
    tick(&b);
    assert_false(b.verdict.blind);
    assert_near(b.command[0], 1);
    bench_rewind(&b);
    b.values[0] = 1.5 + 1e-9;
    tick(&b);
    assert_true(b.verdict.blind);
    bench_close(&b);
}

/* ---- a joint whose sensor wraps ---- */

static const gb_plant_stream turn_observations[] = {{STREAM("angle", "deg", 1), .wrap = 360}};
static const gb_plant_stream turn_actions[] = {{STREAM("target", "deg", 1)}};
static const gb_plant_info turn_machine = {
    .name = "turn",
    .period_ns = TICK_NS,
    .tick_ns = TICK_NS,
    .observation_stream_count = 1,
    .action_stream_count = 1,
    .observation_streams = turn_observations,
    .action_streams = turn_actions,
    .observation_size = 1,
    .action_size = 1,
};
#define TURN(low, high)                                                                            \
    "machine: turn\ncommands:\n  - {stream: target, kind: position, unit: deg, from: angle, low: " \
    "[" low "], high: [" high "], velocity: [10]}\nsensors:\n"                                     \
    "  - {stream: angle, unit: deg, max_age_ms: 50}\n"

static void a_wrapped_angle_starts_on_the_turn_of_its_limits(void **state)
{
    (void)state;
    bench b = {0};
    gb_envelope *none = NULL;
    assert_int_equal(load_for(TURN("-181", "180"), &turn_machine, &none), GB_ERR_SCHEMA);
    assert_non_null(strstr(gb_error_message(), "on which turn"));
    assert_int_equal(load_for(TURN("-180", "180"), &turn_machine, &b.envelope), GB_OK);
    static const double cases[][2] = {{190, -170}, {-200, 160}, {350, -10}, {10, 10}, {730, 10}};
    for (int i = 0; i < 5; i++) {
        bench_rewind(&b);
        b.values[0] = cases[i][0];
        b.proposal[0] = cases[i][1];
        tick(&b);
        assert_mode(&b, GB_MODE_PASS);
        assert_near(b.command[0], cases[i][1]);
    }
    bench_close(&b);
    assert_int_equal(load_for(TURN("10", "100"), &turn_machine, &b.envelope), GB_OK);
    bench_rewind(&b);
    b.values[0] = 415; /* 55 */
    b.proposal[0] = 55;
    tick(&b);
    assert_near(b.command[0], 55);
    bench_rewind(&b);
    b.values[0] = 0;
    tick(&b);
    assert_true(b.verdict.blind);
    bench_close(&b);
}

/* Two joints that count turns, behind a slide: each on the turn of its own limits, which need not
 * be around 0. */
static void each_joint_starts_on_a_turn_of_its_own(void **state)
{
    (void)state;
    static const gb_plant_stream observations[] = {{STREAM("slide", "m", 1)},
                                                   {STREAM("turns", "1", 2), .wrap = 1}};
    static const gb_plant_stream actions[] = {{STREAM("slide.target", "m", 1)},
                                              {STREAM("turns.target", "1", 2)}};
    static const gb_plant_info two = {
        .name = "two",
        .period_ns = TICK_NS,
        .tick_ns = TICK_NS,
        .observation_stream_count = 2,
        .action_stream_count = 2,
        .observation_streams = observations,
        .action_streams = actions,
        .observation_size = 3,
        .action_size = 3,
    };
    bench b = {0};
    gb_status status = load_for(
        "machine: two\ncommands:\n"
        "  - {stream: slide.target, kind: position, unit: m, from: slide, low: [-1], high: [1], "
        "velocity: [1]}\n"
        "  - {stream: turns.target, kind: position, unit: '1', from: turns, low: [0.5, -2.5], "
        "high: [1.375, -1.75], velocity: [1]}\n"
        "sensors:\n  - {stream: slide, unit: m, max_age_ms: 50}\n"
        "  - {stream: turns, unit: '1', max_age_ms: 50}\n",
        &two, &b.envelope);
    if (status != GB_OK)
        fail_msg("%s", gb_error_message());
    static const double cases[][4] = {{0.25, 0.75, 1.25, -2.25}, /* measured, then where that is */
                                      {0.75, 0.25, 0.75, -1.75},
                                      {-7.5, 9.5, 0.5, -2.5},
                                      {5.375, -6.125, 1.375, -2.125}};
    for (int i = 0; i < 4; i++) {
        bench_rewind(&b);
        memcpy(b.values + 1, cases[i], 2 * sizeof(double));
        memcpy(b.proposal + 1, cases[i] + 2, 2 * sizeof(double));
        tick(&b);
        assert_false(b.verdict.blind);
        assert_near(b.command[1], cases[i][2]);
        assert_near(b.command[2], cases[i][3]);
    }
    bench_close(&b);
}

static void a_moving_target_is_caught(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, GOOD);
    int caught = -1;
    for (int i = 0; i < 150 && caught < 0; i++) {
        b.proposal[0] = 0.05 + 0.005 * i;
        tick(&b);
        if (b.verdict.mode == GB_MODE_PASS)
            caught = i;
    }
    assert_in_range(caught, 10, 80);
    bench_close(&b);
}

/* 0.7 of 1 rad/s leaves 0.3. */
static void the_margin_is_of_the_nearest_limit(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, HEAD ARM_POSITION "    velocity: [1]\n" BASE GRIP "sensors:\n" WATCH);
    b.proposal[2] = 0.5; /* the middle of -1 to 2 */
    b.proposal[3] = 15;
    ticks(&b, 60);
    for (double sign = -1; sign <= 1; sign += 2) {
        b.proposal[0] = b.command[0] + sign * 0.007;
        tick(&b);
        assert_mode(&b, GB_MODE_PASS);
        assert_near(b.verdict.margin, 0.3);
        assert_int_equal(b.verdict.margin_limit, GB_LIMIT_VELOCITY);
        assert_int_equal(b.verdict.margin_index, 0);
    }
    bench_close(&b);
}

/* At full speed with 0.175 rad to stop: a target that jumps is far or near, not fast. */
static void a_target_that_jumps_has_no_speed(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, GOOD);
    for (int near = 0; near < 2; near++) {
        bench_rewind(&b);
        b.values[0] = -0.9;
        b.proposal[0] = 0.95;
        ticks(&b, 75); /* at full speed since tick 35 */
        double before = b.command[0];
        assert_true(before > -0.5 && before < -0.2);
        tick(&b);
        assert_near(b.command[0] - before, 0.01);
        before = b.command[0];
        b.proposal[0] = before + (near ? 0.15 : 0.7);
        tick(&b);
        if (near)
            assert_true(b.command[0] - before < 0.01 - 3e-5); /* it brakes as hard as it may */
        else
            assert_near(b.command[0] - before, 0.01);
    }
    bench_close(&b);
}

/* Behind a target that goes at the very limit, by less than a stop is long, it does not brake.
 * 1/64 a tick has no rounding. */
static void a_target_at_the_highest_speed_is_followed(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, HEAD ARM_POSITION
               "    velocity: [1.5625]\n    acceleration: [4]\n    jerk: [40]\n" BASE GRIP
               "sensors:\n" WATCH);
    b.values[0] = -1;
    b.proposal[0] = 1;
    ticks(&b, 70);
    double before = b.command[0];
    tick(&b);
    assert_near(b.command[0] - before, 0x1p-6);
    double start = round((b.command[0] + 0.1) * 64) / 64; /* the jump may brake for a tick */
    for (int i = 0; i < 12; i++) {
        before = b.command[0];
        b.proposal[0] = start + i * 0x1p-6;
        tick(&b);
    }
    assert_near(b.command[0] - before, 0x1p-6);
    bench_close(&b);
}

/* In the first tick nothing is known of the target's speed: not from before a reset, not at all. */
static void the_first_proposal_has_no_speed(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, GOOD);
    b.proposal[0] = 0.019;
    ticks(&b, 200);
    assert_near(b.command[0], 0.019);
    gb_envelope_reset(b.envelope);
    b.proposal[0] = 0.01;
    tick(&b);
    assert_near(b.command[0], 4e-5);
    bench_close(&b);
    bench_open(&b, HEAD ARM_POSITION
               "    velocity: [200]\n    acceleration: [4]\n    jerk: [40]\n" BASE GRIP
               "sensors:\n" WATCH);
    b.proposal[0] = -0.01;
    tick(&b);
    assert_near(b.command[0], -4e-5);
    bench_close(&b);
}

/* Setpoints of a stream that holds are steps: 9 mrad back are no speed of 0.9 rad/s. */
static void steps_have_no_speed(void **state)
{
    (void)state;
    for (int hold = 0; hold < 2; hold++) {
        gb_plant_stream actions[3];
        memcpy(actions, machine_actions, sizeof actions);
        actions[0].hold = hold;
        gb_plant_info steps = machine;
        steps.action_streams = actions;
        bench b;
        memset(&b, 0, sizeof b);
        assert_int_equal(load_for(GOOD, &steps, &b.envelope), GB_OK);
        bench_rewind(&b);
        b.proposal[0] = 0.019;
        tick(&b);
        b.proposal[0] = 0.01;
        tick(&b);
        if (hold)
            assert_near(b.command[0], 4e-5 + 12e-5);
        else
            assert_true(b.command[0] < 4e-5 + 11e-5);
        bench_close(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_proposal_within_limits_passes_exactly),
        cmocka_unit_test(jerk_is_limited_first),
        cmocka_unit_test(each_limit_has_its_reason),
        cmocka_unit_test(a_proposal_may_break_all_limits),
        cmocka_unit_test(velocity_and_force_commands_have_their_own_derivatives),
        cmocka_unit_test(a_far_target_is_reached_without_overshoot),
        cmocka_unit_test(it_stops_before_the_position_limit),
        cmocka_unit_test(the_first_command_starts_where_the_machine_is),
        cmocka_unit_test(a_machine_far_outside_its_limits_gets_no_command),
        cmocka_unit_test(a_tick_outside_its_limits_a_machine_may_start),
        cmocka_unit_test(a_wrapped_angle_starts_on_the_turn_of_its_limits),
        cmocka_unit_test(each_joint_starts_on_a_turn_of_its_own),
        cmocka_unit_test(a_moving_target_is_caught),
        cmocka_unit_test(the_margin_is_of_the_nearest_limit),
        cmocka_unit_test(a_target_that_jumps_has_no_speed),
        cmocka_unit_test(a_target_at_the_highest_speed_is_followed),
        cmocka_unit_test(the_first_proposal_has_no_speed),
        cmocka_unit_test(steps_have_no_speed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
