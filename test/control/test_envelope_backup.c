/* Who has the machine: each reason for the backup controller, and the way back. */
#include "control/envelope_machine.h"

#define REST "return: {good_ms: 50, at_rest: true}\n"

static void a_missing_or_broken_proposal_is_held(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, GOOD);
    double broken[] = {NAN, INFINITY, -INFINITY};
    for (int i = -1; i < 3; i++) {
        bench_rewind(&b);
        b.input.proposal = i < 0 ? NULL : b.proposal;
        if (i >= 0)
            b.proposal[3] = broken[i];
        tick(&b);
        assert_mode(&b, GB_MODE_BACKUP);
        assert_only(&b, GB_LIMIT_PROPOSAL);
        for (int c = 0; c < 4; c++)
            assert_near(b.command[c], 0.0);
    }
    bench_close(&b);
}

static void hold_stops_within_the_limits_and_stays(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, GOOD REST);
    b.proposal[0] = 0.9;
    b.proposal[2] = 1.0;
    b.proposal[3] = 5.0;
    ticks(&b, 60);
    double moving = b.command[0];
    b.input.proposal = NULL;
    ticks(&b, 100);
    assert_mode(&b, GB_MODE_BACKUP);
    double rest = b.command[0];
    /* From 0.5 rad/s or more with 4 rad/s^2 and 40 rad/s^3: v^2/2a + v a/2j = 0.056 at least. */
    assert_true(rest > moving + 0.05 && rest < moving + 0.2);
    assert_near(b.command[2], 0.0);
    assert_near(b.command[3], 0.0);
    ticks(&b, 10);
    assert_true(b.command[0] == rest);
    bench_close(&b);
}

static void it_returns_only_when_all_was_good_for_long_enough(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, GOOD REST);
    tick(&b);
    b.input.proposal = NULL;
    tick(&b);
    assert_mode(&b, GB_MODE_BACKUP);
    b.input.proposal = b.proposal;
    ticks(&b, 5); /* good since the first of them: 40 ms ago */
    assert_mode(&b, GB_MODE_BACKUP);
    tick(&b);
    assert_mode(&b, GB_MODE_PASS);
    bench_close(&b);
}

static void it_returns_only_at_rest_when_that_is_declared(void **state)
{
    (void)state;
    for (int at_rest = 0; at_rest < 2; at_rest++) {
        bench b;
        bench_open(&b, at_rest ? GOOD "return: {at_rest: true}\n" : GOOD "return: {at_rest: no}\n");
        b.proposal[0] = 0.9;
        ticks(&b, 40);
        b.input.proposal = NULL;
        tick(&b);
        b.input.proposal = b.proposal;
        tick(&b);
        assert_mode(&b, at_rest ? GB_MODE_BACKUP : GB_MODE_CLAMP);
        ticks(&b, 50);
        assert_mode(&b, GB_MODE_CLAMP);
        bench_close(&b);
    }
}

static void an_emergency_stop_needs_a_person(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, GOOD REST);
    gb_envelope_release(b.envelope); /* before the stop: means nothing */
    b.input.emergency_stop = true;
    tick(&b);
    assert_mode(&b, GB_MODE_STOPPED);
    assert_only(&b, GB_LIMIT_EMERGENCY_STOP);
    b.input.emergency_stop = false;
    ticks(&b, 30);
    assert_mode(&b, GB_MODE_STOPPED);
    gb_envelope_release(b.envelope);
    tick(&b);
    assert_mode(&b, GB_MODE_PASS);
    bench_close(&b);
}

static void another_shape_stops_for_good(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, GOOD REST);
    tick(&b);
    b.observation.faults = GB_FAULT_SHAPE;
    tick(&b);
    assert_mode(&b, GB_MODE_STOPPED);
    assert_only(&b, GB_LIMIT_SHAPE);
    b.observation.faults = 0;
    ticks(&b, 30);
    assert_mode(&b, GB_MODE_STOPPED);
    bench_close(&b);
}

/* A machine with another map never gives an observation that counts, and is still not just late. */
static void another_shape_before_anything_was_seen_stops_too(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, GOOD REST);
    b.observation.sequence = 0;
    b.observation.faults = GB_FAULT_SHAPE;
    tick(&b);
    assert_mode(&b, GB_MODE_STOPPED);
    assert_only(&b, GB_LIMIT_SHAPE);
    assert_true(b.verdict.blind);
    b.observation.faults = 0;
    b.observation.sequence = 1;
    ticks(&b, 30);
    assert_mode(&b, GB_MODE_STOPPED);
    gb_envelope_release(b.envelope);
    tick(&b);
    assert_mode(&b, GB_MODE_PASS);
    bench_close(&b);
}

static void an_old_proposal_is_not_followed(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, GOOD "timing: {max_command_age_ms: 200}\n");
    b.input.proposal_age_ns = 200 * MS;
    tick(&b);
    assert_mode(&b, GB_MODE_PASS);
    b.input.proposal_age_ns = 200 * MS + 1;
    tick(&b);
    assert_mode(&b, GB_MODE_BACKUP);
    assert_only(&b, GB_LIMIT_COMMAND_AGE);
    bench_close(&b);
}

static void missed_deadlines_are_counted_in_a_row(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, GOOD "timing: {late_ms: 2, late_ticks: 2}\n");
    b.input.late_ns = 2 * MS;
    ticks(&b, 5);
    assert_mode(&b, GB_MODE_PASS);
    b.input.late_ns = 2 * MS + 1;
    ticks(&b, 2);
    assert_mode(&b, GB_MODE_PASS);
    b.input.late_ns = 0;
    tick(&b);
    b.input.late_ns = 2 * MS + 1;
    ticks(&b, 2);
    assert_mode(&b, GB_MODE_PASS);
    tick(&b);
    assert_mode(&b, GB_MODE_BACKUP);
    assert_only(&b, GB_LIMIT_DEADLINE);
    bench_close(&b);
}

/* The machine was off and comes back elsewhere: the last command is not held against it. */
static void a_restarted_machine_begins_where_it_is(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, HEAD ARM BASE GRIP "sensors:\n" WATCH "return: {good_ms: 100}\n");
    b.proposal[0] = 0.75;
    b.proposal[2] = 1;
    ticks(&b, 300);
    assert_near(b.command[0], 0.75);
    assert_near(b.command[2], 1);
    b.values[0] = -0.5;
    b.values[1] = 1.5;
    b.observation.faults = GB_FAULT_RESTART;
    tick(&b);
    assert_mode(&b, GB_MODE_BACKUP);
    assert_false(b.verdict.blind);
    for (int t = 0; t < 10; t++) {
        assert_true(b.command[0] == -0.5 && b.command[1] == 1.5 && b.command[2] == 0.0);
        b.observation.faults = 0;
        tick(&b);
    }
    double before = b.command[0];
    ticks(&b, 3);
    assert_mode(&b, GB_MODE_CLAMP);
    assert_true(b.command[0] > before && b.command[0] < -0.499); /* from there, not in a jump */
    b.values[0] = NAN; /* it comes back, and nobody knows where */
    b.observation.faults = GB_FAULT_RESTART;
    tick(&b);
    assert_true(b.verdict.blind);
    b.input.emergency_stop = true; /* who pressed the button before it came back meant it */
    b.observation.faults = 0;
    tick(&b);
    b.input.emergency_stop = false;
    b.values[0] = 0.25;
    b.observation.faults = GB_FAULT_RESTART;
    tick(&b);
    b.observation.faults = 0;
    ticks(&b, 50);
    assert_mode(&b, GB_MODE_STOPPED);
    assert_true(b.command[0] == 0.25);
    bench_close(&b);
}

static void retreat_goes_to_the_declared_posture(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, HEAD ARM "    backup: {kind: retreat, to: [-0.5, 0.25], speed: 0.3}\n" BASE GRIP
                            "sensors:\n" WATCH);
    b.proposal[0] = 0.2;
    ticks(&b, 200);
    b.input.proposal = NULL;
    double fastest = 0, before = b.command[0];
    for (int i = 0; i < 600; i++) {
        tick(&b);
        fastest = fmax(fastest, fabs(b.command[0] - before));
        before = b.command[0];
    }
    assert_mode(&b, GB_MODE_BACKUP);
    assert_near(b.command[0], -0.5);
    assert_near(b.command[1], 0.25);
    assert_true(fastest <= 0.003 + 1e-12 && fastest > 0.0029); /* 0.3 of 1 rad/s */
    b.input.emergency_stop = true;                             /* an emergency stop only stops */
    b.input.proposal = b.proposal;
    tick(&b);
    assert_mode(&b, GB_MODE_STOPPED);
    bench_close(&b);
}

static void a_grip_may_be_held(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, HEAD ARM BASE
               "  - {stream: grip.press, kind: force, unit: N, low: [0], high: [30], rate: [100], "
               "backup: {kind: hold}}\n"
               "sensors:\n" WATCH);
    b.proposal[3] = 5;
    ticks(&b, 10);
    b.input.proposal = NULL;
    ticks(&b, 30);
    assert_near(b.command[3], 5);
    b.input.proposal = b.proposal;
    tick(&b); /* a held force is at rest */
    assert_mode(&b, GB_MODE_PASS);
    bench_close(&b);
}

static void before_the_first_observation_nothing_is_to_be_sent(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, GOOD);
    b.observation.sequence = 0;
    b.input.now_ns += TICK_NS;
    gb_envelope_tick(b.envelope, &b.input, b.command, &b.verdict);
    assert_mode(&b, GB_MODE_BACKUP);
    assert_only(&b, GB_LIMIT_OBSERVATION_AGE);
    assert_true(b.verdict.blind);
    b.values[0] = 0.3;
    tick(&b);
    assert_false(b.verdict.blind);
    assert_true(fabs(b.command[0] - 0.3) < 1e-4);
    bench_close(&b);
}

/* What starts from 0 is nowhere blind, even before anything was measured. */
static void what_needs_no_measured_start_is_never_blind(void **state)
{
    (void)state;
    gb_plant_info one = machine;
    one.action_streams = machine_actions + 1;
    one.action_stream_count = 1;
    one.action_size = 1;
    bench b;
    memset(&b, 0, sizeof b);
    assert_int_equal(load_for(HEAD BASE "sensors:\n" WATCH, &one, &b.envelope), GB_OK);
    bench_rewind(&b);
    b.observation.sequence = 0;
    gb_envelope_tick(b.envelope, &b.input, b.command, &b.verdict);
    assert_mode(&b, GB_MODE_BACKUP);
    assert_false(b.verdict.blind);
    bench_close(&b);
}

/* A proposal has as many numbers as the machine has columns; what follows them is not its own. */
static void a_proposal_is_read_to_its_end_only(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, GOOD);
    const double proposal[5] = {0, 0, 0, 0, NAN};
    b.input.proposal = proposal;
    tick(&b);
    assert_mode(&b, GB_MODE_PASS);
    bench_close(&b);
}

/* Good is not enough near a limit: the force must be a quarter away from its own, for 50 ms. */
static void it_returns_only_with_the_declared_margin(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, HEAD ARM BASE GRIP
               "sensors:\n" WATCH "  - {stream: grip.force, unit: N, max_age_ms: 50, max_force: "
               "[8]}\nreturn: {good_ms: 50, margin: 0.25}\n");
    b.values[3] = 8.5;
    tick(&b);
    assert_mode(&b, GB_MODE_BACKUP);
    b.values[3] = 6.1;
    ticks(&b, 30);
    assert_mode(&b, GB_MODE_BACKUP);
    b.values[3] = 6; /* just a quarter */
    ticks(&b, 3);
    b.values[3] = 6.1; /* the time starts again */
    tick(&b);
    b.values[3] = 6;
    ticks(&b, 5);
    assert_mode(&b, GB_MODE_BACKUP);
    tick(&b);
    assert_mode(&b, GB_MODE_PASS);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_or_broken_proposal_is_held),
        cmocka_unit_test(hold_stops_within_the_limits_and_stays),
        cmocka_unit_test(it_returns_only_when_all_was_good_for_long_enough),
        cmocka_unit_test(it_returns_only_at_rest_when_that_is_declared),
        cmocka_unit_test(an_emergency_stop_needs_a_person),
        cmocka_unit_test(another_shape_stops_for_good),
        cmocka_unit_test(another_shape_before_anything_was_seen_stops_too),
        cmocka_unit_test(an_old_proposal_is_not_followed),
        cmocka_unit_test(missed_deadlines_are_counted_in_a_row),
        cmocka_unit_test(a_restarted_machine_begins_where_it_is),
        cmocka_unit_test(retreat_goes_to_the_declared_posture),
        cmocka_unit_test(a_grip_may_be_held),
        cmocka_unit_test(before_the_first_observation_nothing_is_to_be_sent),
        cmocka_unit_test(what_needs_no_measured_start_is_never_blind),
        cmocka_unit_test(a_proposal_is_read_to_its_end_only),
        cmocka_unit_test(it_returns_only_with_the_declared_margin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
