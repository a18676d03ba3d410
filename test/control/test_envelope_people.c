/* Speed and separation: distances computed by hand after ISO/TS 15066, and a person who walks at a
 * machine that wants to drive on. The stream arm.angle stands for the distance. */
#include "control/envelope.h"
#include "control/envelope_machine.h"

#define PERSON 1.6
#define REACTION 0.3
#define BRAKING 1.8
#define SEPARATION 0.4
#define LAYOUT(more, speed_of, per_unit)                                                           \
    HEAD ARM BASE GRIP                                                                             \
        "sensors:\n" WATCH "  - {stream: arm.angle, unit: rad, max_age_ms: 50}\n"                  \
        "people: {distance: arm.angle, unit: rad, separation: 0.4, person_speed: 1.6, "            \
        "reaction_ms: 300, braking: 1.8" more ", speed_of: " speed_of ", per_unit: [" per_unit     \
        "]}\n"
#define DRIVE(more) LAYOUT(more, "base.speed", "1")
#define AT_REST (PERSON * REACTION + SEPARATION) /* 0.88 */

static double need(double v)
{
    double stop = v / BRAKING;
    return PERSON * (REACTION + stop) + v * REACTION + v * stop / 2 + SEPARATION;
}

static void a_person_far_away_changes_nothing(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, DRIVE(""));
    b.values[4] = need(0.0019) + 1e-6;
    b.proposal[2] = 0.0019;
    tick(&b);
    assert_mode(&b, GB_MODE_PASS);
    b.values[4] = 20;
    b.proposal[2] = 2;
    ticks(&b, 200);
    assert_mode(&b, GB_MODE_PASS);
    assert_near(b.command[2], 2);
    bench_close(&b);
}

static void nearness_slows_to_what_can_still_stop(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, DRIVE(""));
    double speeds[] = {0.3, 0.9, 1.7, -0.6};
    for (int i = 0; i < 4; i++) {
        bench_rewind(&b);
        b.values[4] = need(fabs(speeds[i]));
        b.proposal[2] = speeds[i] > 0 ? 2 : -1;
        ticks(&b, 300);
        assert_mode(&b, GB_MODE_SLOW);
        assert_only(&b, GB_LIMIT_SEPARATION);
        assert_near(b.command[2], speeds[i]);
    }
    bench_close(&b);
}

static void too_near_is_a_stop(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, DRIVE(""));
    b.values[4] = AT_REST; /* exactly */
    tick(&b);
    assert_mode(&b, GB_MODE_PASS); /* it wants to stand */
    b.values[4] = AT_REST - 1e-9;
    tick(&b);
    assert_mode(&b, GB_MODE_BACKUP);
    assert_only(&b, GB_LIMIT_SEPARATION);
    assert_true(b.verdict.margin < 0);
    bench_close(&b);
}

static void the_footprint_is_taken_off(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, DRIVE(", footprint: 0.25"));
    b.values[4] = AT_REST + 0.25 + 1e-9;
    tick(&b);
    assert_mode(&b, GB_MODE_PASS);
    b.values[4] = AT_REST + 0.25 - 1e-9;
    tick(&b);
    assert_mode(&b, GB_MODE_BACKUP);
    bench_close(&b);
}

static void below_the_standing_speed_it_may_creep(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, DRIVE(", standing: 0.1"));
    b.values[4] = SEPARATION + 1e-9;
    b.proposal[2] = 0.1;
    ticks(&b, 100);
    assert_mode(&b, GB_MODE_PASS);
    b.proposal[2] = 2;
    ticks(&b, 100);
    assert_mode(&b, GB_MODE_SLOW);
    assert_near(b.command[2], 0.1);
    b.values[4] = SEPARATION - 1e-9;
    tick(&b);
    assert_mode(&b, GB_MODE_BACKUP);
    bench_close(&b);
}

static void it_rests_before_a_person_who_walks_up(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, DRIVE(""));
    double gap = 6, dt = TICK_NS / 1e9;
    b.proposal[2] = 2;
    b.values[4] = 20;
    ticks(&b, 150);
    while (gap > SEPARATION - 0.2) {
        b.values[4] = gap;
        tick(&b);
        gap -= (PERSON + fabs(b.command[2])) * dt;
        if (b.command[2] > 1e-6 && gap < SEPARATION)
            fail_msg("%g m from the person at %g m/s", gap, b.command[2]);
    }
    assert_near(b.command[2], 0);
    assert_mode(&b, GB_MODE_BACKUP);
    b.values[4] = 5; /* they have gone */
    ticks(&b, 100);
    assert_true(b.command[2] > 0.5);
    bench_close(&b);
}

/* Positions: 1 rad/s at 1 m/rad, stopped within 1/4 + 0.1 s of ramp each way + 3 ticks. */
static void positions_stop_at_one_distance(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, LAYOUT("", "arm.target", "1, 0"));
    double stop = 0.25 + 0.2 + 0.03;
    double constant = (PERSON + 1) * (REACTION + stop) + SEPARATION;
    b.values[4] = constant + 1e-6;
    tick(&b);
    assert_mode(&b, GB_MODE_PASS);
    b.proposal[0] = 1;
    ticks(&b, 100);
    assert_mode(&b, GB_MODE_CLAMP);
    b.values[4] = constant - 1e-6;
    double before = b.command[0];
    tick(&b);
    assert_mode(&b, GB_MODE_BACKUP);
    assert_only(&b, GB_LIMIT_SEPARATION);
    ticks(&b, 100);
    assert_true(b.command[0] >= before); /* it stops; it does not go elsewhere */
    before = b.command[0];
    ticks(&b, 100);
    assert_true(b.command[0] == before); /* and stays */
    bench_close(&b);
}

/* Who is near, or may be, is not met by an arm on its way to a posture. */
static void a_retreat_waits_for_people_to_go(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, HEAD ARM
               "    backup: {kind: retreat, to: [-0.5, 0]}\n" BASE GRIP "sensors:\n" WATCH
               "  - {stream: arm.angle, unit: rad, max_age_ms: 50}\n"
               "  - {stream: grip.force, unit: N, max_age_ms: 50, max_force: [5]}\n"
               "people: {distance: arm.angle, unit: rad, separation: 0.4, person_speed: 1.6, "
               "reaction_ms: 300, braking: 1.8, speed_of: arm.target, per_unit: [1, 0]}\n");
    const double near[] = {1.0, NAN};
    for (int i = 0; i < 2; i++) {
        bench_rewind(&b);
        b.values[4] = 20;
        ticks(&b, 3);
        b.values[4] = near[i];
        b.proposal[0] = NAN;
        ticks(&b, 50);
        assert_mode(&b, GB_MODE_BACKUP);
        assert_true(b.command[0] == 0.0);
        b.values[3] = NAN; /* another sensor fails as well: still they are near */
        ticks(&b, 50);
        assert_true(b.command[0] == 0.0);
        b.values[4] = 20; /* they have gone */
        ticks(&b, 30);
        assert_true(b.command[0] < -0.01);
        b.values[4] = near[i]; /* they come back while it goes: it stops on its way */
        ticks(&b, 50);
        double stopped = b.command[0];
        ticks(&b, 50);
        assert_true(b.command[0] == stopped && stopped > -0.5);
        b.values[3] = 0;
        b.values[4] = 20;
        ticks(&b, 300);
        assert_near(b.command[0], -0.5);
    }
    /* As far as it must stop is far enough; anything less is not. */
    const double less[] = {1e-9, 0.0};
    for (int i = 0; i < 2; i++) {
        bench_rewind(&b);
        b.values[4] = b.envelope->people.constant - less[i];
        b.proposal[0] = NAN;
        ticks(&b, 30);
        assert_true(less[i] > 0 ? b.command[0] == 0.0 : b.command[0] < -0.01);
    }
    bench_close(&b);
}

static void an_unreadable_distance_is_not_read(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, DRIVE(""));
    b.values[4] = NAN;
    tick(&b);
    assert_only(&b, GB_LIMIT_SENSOR_NAN);
    bench_close(&b);
}

/* ---- two wheels and three beams -----------------------------------------------------------------
 */

static const gb_plant_stream twin_observations[] = {{STREAM("scan", "m", 3)}};
static const gb_plant_stream twin_actions[] = {{STREAM("wheels", "rad/s", 2)}};
static const gb_plant_info twin_machine = {
    .name = "twin",
    .period_ns = TICK_NS,
    .tick_ns = TICK_NS,
    .observation_stream_count = 1,
    .action_stream_count = 1,
    .observation_streams = twin_observations,
    .action_streams = twin_actions,
    .observation_size = 3,
    .action_size = 2,
};
#define TWIN                                                                                       \
    "machine: twin\ncommands:\n"                                                                   \
    "  - {stream: wheels, kind: velocity, unit: rad/s, low: [-10], high: [10], acceleration: "     \
    "[25]}\n"                                                                                      \
    "sensors:\n  - {stream: scan, unit: m, max_age_ms: 50}\n"                                      \
    "people: {distance: scan, unit: m, separation: 0.4, person_speed: 1.6, reaction_ms: 300, "     \
    "braking: 1.8, standing: 0.1, speed_of: wheels, per_unit: [0.05]}\n"

static void twin_open(bench *b)
{
    memset(b, 0, sizeof *b);
    assert_int_equal(load_for(TWIN, &twin_machine, &b->envelope), GB_OK);
    bench_rewind(b);
}

static void look(bench *b, double gap)
{
    b->values[0] = b->values[1] = b->values[2] = gap;
}

static double twin_need(const double *c)
{
    double speed = fabs(0.05 * (c[0] + c[1])), stop = fmax(fabs(c[0]), fabs(c[1])) * 0.1 / BRAKING;
    return PERSON * (REACTION + stop) + speed * REACTION + speed * stop / 2 + SEPARATION;
}

/* Drives far from people until the wheels turn as wanted. */
static void spin_up(bench *b, double left, double right)
{
    bench_rewind(b);
    look(b, 20);
    b->proposal[0] = left;
    b->proposal[1] = right;
    ticks(b, 60);
    assert_near(b->command[0], left);
    assert_near(b->command[1], right);
}

static void the_nearest_beam_counts_and_the_way_is_kept(void **state)
{
    (void)state;
    bench b;
    twin_open(&b);
    const double ways[][2] = {{10, 10}, {10, 4}, {-4, -10}, {9, -2}};
    for (int w = 0; w < 4; w++)
        for (int beam = 0; beam < 3; beam++) {
            bench_rewind(&b);
            look(&b, 9);
            b.values[beam] = 1.3;
            memcpy(b.proposal, ways[w], sizeof ways[w]);
            ticks(&b, 80);
            assert_mode(&b, GB_MODE_SLOW);
            assert_near(twin_need(b.command), 1.3);
            assert_near(b.command[0] * ways[w][1], b.command[1] * ways[w][0]);
        }
    bench_close(&b);
}

static void wheels_brake_in_proportion(void **state)
{
    (void)state;
    bench b;
    twin_open(&b);
    const double ways[][2] = {{10, 4}, {4, -10}, {-10, -10}};
    for (int w = 0; w < 3; w++) {
        spin_up(&b, ways[w][0], ways[w][1]);
        look(&b, 0.3);
        for (int t = 1; t <= 40; t++) {
            tick(&b);
            assert_mode(&b, GB_MODE_BACKUP);
            double part = fmax(0, 1 - 0.25 * t / 10); /* 25 rad/s^2 of 10 rad/s */
            assert_near(b.command[0], ways[w][0] * part);
            assert_near(b.command[1], ways[w][1] * part);
        }
    }
    bench_close(&b);
}

/* A turn on the spot harms nobody, but the way to it leads through commands that would. */
static void the_way_to_a_harmless_command_is_watched(void **state)
{
    (void)state;
    bench b;
    twin_open(&b);
    const double from[2] = {10, 2};
    spin_up(&b, from[0], from[1]);
    look(&b, twin_need(from) - 0.1);
    b.proposal[1] = -10;
    tick(&b);
    assert_mode(&b, GB_MODE_SLOW);
    assert_near(b.command[0], 9.75);
    assert_near(b.command[1], 1.95);
    spin_up(&b, from[0], from[1]); /* with more room, it may */
    look(&b, twin_need(from));
    b.proposal[1] = -10;
    tick(&b);
    assert_near(b.command[0], 10);
    assert_near(b.command[1], 1.75);
    spin_up(&b, 1.8, 1.8); /* a little above standing */
    look(&b, 0.41);
    b.proposal[0] = 10;
    b.proposal[1] = -10;
    tick(&b);
    assert_near(b.command[0], 1.55);
    assert_near(b.command[1], 1.55);
    ticks(&b, 200);
    assert_mode(&b, GB_MODE_PASS);
    bench_close(&b);
}

static void creeping_is_at_the_standing_speed(void **state)
{
    (void)state;
    bench b;
    twin_open(&b);
    look(&b, 0.41);
    b.proposal[0] = b.proposal[1] = 1.5; /* 0.15 m/s */
    ticks(&b, 50);
    assert_mode(&b, GB_MODE_SLOW);
    assert_near(b.command[0], 1);
    b.proposal[0] = b.proposal[1] = 1;
    ticks(&b, 50);
    assert_mode(&b, GB_MODE_PASS);
    b.proposal[0] = -10;
    b.proposal[1] = 10;
    ticks(&b, 100);
    assert_mode(&b, GB_MODE_PASS);
    bench_close(&b);
}

/* Slow people and a short arm: the distance is below 1, and is still the one for positions. */
static void a_short_distance_is_as_good(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, HEAD ARM BASE GRIP
               "sensors:\n" WATCH "  - {stream: arm.angle, unit: rad, max_age_ms: 50}\n"
               "people: {distance: arm.angle, unit: rad, separation: 0.05, person_speed: 0.1, "
               "reaction_ms: 300, braking: 1.8, speed_of: arm.target, per_unit: [0.1, 0]}\n");
    double constant = (0.1 + 0.1) * (REACTION + 0.25 + 0.2 + 0.03) + 0.05;
    b.values[4] = constant + 1e-6;
    tick(&b);
    assert_mode(&b, GB_MODE_PASS);
    b.values[4] = constant - 1e-6;
    tick(&b);
    assert_mode(&b, GB_MODE_BACKUP);
    bench_close(&b);
}

/* Without people in the file, negative measurements are only numbers. */
static void without_people_nothing_is_a_distance(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, GOOD);
    b.values[0] = b.proposal[0] = -0.5;
    tick(&b);
    assert_mode(&b, GB_MODE_PASS);
    bench_close(&b);
}

/* Braking for people is the business of what drives: a grip holds what it has. */
static void braking_leaves_other_columns_alone(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, HEAD ARM BASE
               "  - {stream: grip.press, kind: force, unit: N, low: [0], high: [30], rate: [100], "
               "backup: {kind: hold}}\n"
               "sensors:\n" WATCH "  - {stream: arm.angle, unit: rad, max_age_ms: 50}\n"
               "people: {distance: arm.angle, unit: rad, separation: 0.4, person_speed: 1.6, "
               "reaction_ms: 300, braking: 1.8, speed_of: base.speed, per_unit: [1]}\n");
    b.values[4] = 20;
    b.proposal[2] = 1;
    b.proposal[3] = 5;
    ticks(&b, 150);
    assert_near(b.command[3], 5);
    b.values[4] = need(0.3); /* slowed to a third */
    ticks(&b, 150);
    assert_mode(&b, GB_MODE_SLOW);
    assert_near(b.command[3], 5);
    b.values[4] = 0.5;
    ticks(&b, 150);
    assert_mode(&b, GB_MODE_BACKUP);
    assert_near(b.command[2], 0);
    assert_near(b.command[3], 5);
    bench_close(&b);
}

/* The same way as in the_way_to_a_harmless_command_is_watched, backwards. */
static void the_way_is_watched_backwards_too(void **state)
{
    (void)state;
    bench b;
    twin_open(&b);
    const double from[2] = {-10, -2};
    spin_up(&b, from[0], from[1]);
    look(&b, twin_need(from) - 0.1);
    b.proposal[1] = 10;
    tick(&b);
    assert_mode(&b, GB_MODE_SLOW);
    assert_near(b.command[0], -9.75);
    assert_near(b.command[1], -1.95);
    bench_close(&b);
}

static void twin_load(bench *b, const char *acceleration, const char *standing)
{
    char text[1024];
    snprintf(text, sizeof text,
             "machine: twin\ncommands:\n"
             "  - {stream: wheels, kind: velocity, unit: rad/s, low: [-10], high: [10]%s}\n"
             "sensors:\n  - {stream: scan, unit: m, max_age_ms: 50}\n"
             "people: {distance: scan, unit: m, separation: 0.4, person_speed: 1.6, "
             "reaction_ms: 300, braking: 1.8%s, speed_of: wheels, per_unit: [0.05]}\n",
             acceleration, standing);
    memset(b, 0, sizeof *b);
    assert_int_equal(load_for(text, &twin_machine, &b->envelope), GB_OK);
    bench_rewind(b);
}

/* It goes nowhere, so it is no faster than standing, where standing is exactly 0, too. */
static void a_turn_on_the_spot_is_standing(void **state)
{
    (void)state;
    bench b;
    twin_load(&b, ", acceleration: [25]", "");
    look(&b, AT_REST + 0.01);
    b.proposal[0] = 5;
    b.proposal[1] = -5;
    ticks(&b, 100);
    assert_mode(&b, GB_MODE_PASS);
    assert_near(b.command[0], 5);
    bench_close(&b);
}

/* Without a limit on acceleration all wheels stand in the next tick. */
static void wheels_without_a_limit_brake_at_once(void **state)
{
    (void)state;
    bench b;
    twin_load(&b, "", ", standing: 0.1");
    look(&b, 20);
    b.proposal[0] = 10;
    b.proposal[1] = 4;
    tick(&b);
    assert_near(b.command[0], 10);
    look(&b, 0.3);
    tick(&b);
    assert_mode(&b, GB_MODE_BACKUP);
    assert_near(b.command[0], 0);
    assert_near(b.command[1], 0);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_person_far_away_changes_nothing),
        cmocka_unit_test(nearness_slows_to_what_can_still_stop),
        cmocka_unit_test(too_near_is_a_stop),
        cmocka_unit_test(the_footprint_is_taken_off),
        cmocka_unit_test(below_the_standing_speed_it_may_creep),
        cmocka_unit_test(it_rests_before_a_person_who_walks_up),
        cmocka_unit_test(positions_stop_at_one_distance),
        cmocka_unit_test(a_retreat_waits_for_people_to_go),
        cmocka_unit_test(an_unreadable_distance_is_not_read),
        cmocka_unit_test(the_nearest_beam_counts_and_the_way_is_kept),
        cmocka_unit_test(wheels_brake_in_proportion),
        cmocka_unit_test(the_way_to_a_harmless_command_is_watched),
        cmocka_unit_test(creeping_is_at_the_standing_speed),
        cmocka_unit_test(a_short_distance_is_as_good),
        cmocka_unit_test(without_people_nothing_is_a_distance),
        cmocka_unit_test(braking_leaves_other_columns_alone),
        cmocka_unit_test(the_way_is_watched_backwards_too),
        cmocka_unit_test(a_turn_on_the_spot_is_standing),
        cmocka_unit_test(wheels_without_a_limit_brake_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
