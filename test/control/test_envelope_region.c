/* Workspace and keep-out: machines whose points are known by hand. */
#include "control/envelope_machine.h"

#define SLIDES                                                                                     \
    "workspace:\n  stream: arm.target\n  unit: m\n"                                                \
    "  chain: [{kind: slide, column: 0, axis: [1, 0, 0]}, {kind: slide, column: 1, axis: [0, 2, "  \
    "0]}]\n"
#define TABLE(points, zones) GOOD SLIDES points zones
#define POINT "  points: [{link: 1}]\n"

/* Drives towards a far proposal and returns where it rests. */
static void drive(bench *b, double x, double y, int count)
{
    b->proposal[0] = x;
    b->proposal[1] = y;
    ticks(b, count);
}

static void it_stops_at_the_side_of_a_box(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, TABLE(POINT, "  allowed: [{kind: box, low: [-0.5, -9, -1], high: [0.5, 9, 1]}]\n"
                                "  tracking: 0.03\n"));
    drive(&b, 0.9, 0, 400);
    assert_mode(&b, GB_MODE_CLAMP);
    assert_true(because(&b, GB_LIMIT_WORKSPACE));
    assert_true(b.command[0] <= 0.47 && b.command[0] > 0.46);
    drive(&b, -0.9, 0, 600);
    assert_true(b.command[0] >= -0.47 && b.command[0] < -0.46);
    bench_close(&b);
}

/* At 1 m/s with ball and stop, it is never past the side, and it gets near it along the way. */
static void it_goes_round_a_keep_out_box_or_stays(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, TABLE("  points: [{link: 1, radius: 0.05}]\n",
                         "  keep_out: [{kind: box, low: [0.4, -0.2, -1], high: [0.6, 0.2, 1]}]\n"));
    b.proposal[0] = 0.9;
    for (int i = 0; i < 500; i++) {
        tick(&b);
        assert_true(b.command[0] <= 0.35);
    }
    assert_true(because(&b, GB_LIMIT_KEEP_OUT));
    assert_true(b.command[0] > 0.33);
    drive(&b, 0.3, 0.9, 600); /* up, along, and past it */
    assert_mode(&b, GB_MODE_PASS);
    drive(&b, 0.9, 0.9, 600);
    assert_mode(&b, GB_MODE_PASS);
    b.proposal[1] = -1.5; /* and down onto nothing: x 0.9 is clear */
    ticks(&b, 600);
    assert_mode(&b, GB_MODE_PASS);
    bench_close(&b);
}

/* From 45 degrees, the corner of the box is what is nearest. */
static void corners_are_round(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, TABLE("  points: [{link: 1, radius: 0.1}]\n",
                         "  keep_out: [{kind: box, low: [0.5, 0.5, -1], high: [2, 2, 1]}]\n"));
    double allowed = 0.5 - 0.1 / sqrt(2.0);
    drive(&b, 0.9, 0.9, 600);
    assert_true(because(&b, GB_LIMIT_KEEP_OUT));
    assert_true(b.command[0] <= allowed + 1e-9 && b.command[0] > allowed - 0.01);
    bench_close(&b);
}

static void cylinders_are_kept_out_of(void **state)
{
    (void)state;
    static const struct {
        const char *zone;
        double x, y, rest_x;
    } cases[] = {
        /* the side, the end, the rim (its corner seen from 45 degrees), and past an end */
        {"from: [0.6, 0, -1], to: [0.6, 0, 1], radius: 0.2", 0.9, 0, 0.4},
        {"from: [0.5, 0, 0], to: [2, 0, 0], radius: 0.2", 0.9, 0, 0.5},
        {"from: [2, 0, 0], to: [0.5, 0, 0], radius: 0.2", 0.9, 0, 0.5},
        {"from: [0.5, 2, 0], to: [0.5, 0.5, 0], radius: 0.2", 0.9, 0, 0.9},
        {"from: [0.5, 0, 0.5], to: [0.5, 0, 1.5], radius: 0.2", 0.9, 0, 0.9},
    };
    for (int i = 0; i < 5; i++) {
        char text[2048];
        snprintf(text, sizeof text, TABLE(POINT, "  keep_out: [{kind: cylinder, %s}]\n"),
                 cases[i].zone);
        bench b;
        bench_open(&b, text);
        drive(&b, cases[i].x, cases[i].y, 600);
        if (!(b.command[0] <= cases[i].rest_x + 1e-9 && b.command[0] > cases[i].rest_x - 0.01))
            fail_msg("case %d: rests at %g, not %g", i, b.command[0], cases[i].rest_x);
        bench_close(&b);
    }
}

/* A point off the end of a rod of 1 m that turns about z, hinged at (0, 0, 0.5); at its end another
 * rod of 0.5 m turns about y. */
#define RODS                                                                                       \
    "workspace:\n  stream: arm.target\n  unit: m\n  chain:\n"                                      \
    "    - {kind: turn, column: 0, axis: [0, 0, 1], at: [0, 0, 0.5]}\n"                            \
    "    - {kind: turn, column: 1, axis: [0, 3, 0], at: [1, 0, 0]}\n"                              \
    "  points: [{link: 1, at: [0.5, 0, 0]}]\n"

static void turns_are_followed(void **state)
{
    (void)state;
    static const struct {
        const char *zone;
        double to0, to1;
        int column;
        double rest;
    } cases[] = {
        /* y of the tip is 1.5 sin a */
        {"low: [-9, -9, -9], high: [9, 1, 9]", 1, 0, 0, 0.7297276562},
        {"low: [-9, -1, -9], high: [9, 9, 9]", -1, 0, 0, -0.7297276562},
        /* turning about +y lowers the tip: z = 0.5 - 0.5 sin b */
        {"low: [-9, -9, 0.2], high: [9, 9, 9]", 0, 1, 1, 0.6435011088},
        {"low: [-9, -9, -9], high: [9, 9, 0.8]", 0, -1, 1, -0.6435011088},
        /* x of the tip is 1 + 0.5 cos b */
        {"low: [1.25, -9, -9], high: [9, 9, 9]", 0, 2, 1, 1.0471975512},
    };
    for (int i = 0; i < 5; i++) {
        char text[2048];
        snprintf(text, sizeof text, GOOD RODS "  allowed: [{kind: box, %s}]\n", cases[i].zone);
        bench b;
        bench_open(&b, text);
        drive(&b, cases[i].to0, cases[i].to1, 900);
        double at = b.command[cases[i].column], rest = cases[i].rest;
        if (!(fabs(at) <= fabs(rest) && fabs(at) > fabs(rest) - 0.01 && at * rest > 0))
            fail_msg("case %d: rests at %g, not %g", i, at, rest);
        bench_close(&b);
    }
}

/* The same arm turned by 0.5 rad about z first: axes are the link's own. */
static void frames_turn_with_the_links_before(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, GOOD "workspace:\n  stream: arm.target\n  unit: m\n  chain:\n"
                        "    - {kind: turn, column: 0, axis: [1, 0, 0]}\n"
                        "    - {kind: slide, column: 1, axis: [0, 1, 0]}\n"
                        "  points: [{link: 1, at: [0, 0.2, 0]}]\n"
                        "  allowed: [{kind: box, low: [-9, -9, -9], high: [9, 9, 0.3]}]\n");
    /* z of the point is (y + 0.2) sin a */
    drive(&b, 0.5, 0, 600);
    assert_mode(&b, GB_MODE_PASS);
    drive(&b, 0.5, 1.5, 900);
    double rest = 0.3 / sin(0.5) - 0.2;
    assert_true(b.command[1] <= rest && b.command[1] > rest - 0.01);
    bench_close(&b);
}

static void any_of_the_allowed_boxes_will_do(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, TABLE(POINT, "  allowed:\n"
                                "    - {kind: box, low: [-0.5, -0.5, -1], high: [0.3, 0.5, 1]}\n"
                                "    - {kind: box, low: [0.1, -0.5, -1], high: [0.8, 0.5, 1]}\n"));
    drive(&b, 0.95, 0, 600);
    assert_true(b.command[0] <= 0.8 && b.command[0] > 0.79);
    bench_close(&b);
}

static void a_start_outside_may_only_come_nearer(void **state)
{
    (void)state;
    bench b;
    bench_open(&b,
               TABLE(POINT, "  allowed: [{kind: box, low: [-0.5, -9, -1], high: [0.5, 9, 1]}]\n"));
    b.values[0] = 0.9;
    drive(&b, 1.0, 0, 100);
    assert_true(because(&b, GB_LIMIT_WORKSPACE));
    assert_near(b.command[0], 0.9);
    assert_true(b.verdict.margin < 0);
    drive(&b, 0, 0, 600);
    assert_mode(&b, GB_MODE_PASS);
    drive(&b, 1.0, 0, 600);
    assert_true(b.command[0] <= 0.5);
    bench_close(&b);
}

/* Outside, what moves no point of the machine is free, and a point that is not the furthest outside
 * may go as far as the furthest: here -0.4 of one that stays, and 0.25 of one that goes. */
static void outside_nothing_must_be_worse_than_it_is(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, TABLE("  points: [{link: 0}]\n",
                         "  allowed: [{kind: box, low: [-0.5, -9, -1], high: [0.5, 9, 1]}]\n"));
    b.values[0] = 0.9;
    b.proposal[0] = 0.9;
    b.proposal[1] = 0.3;
    for (int t = 0; t < 200; t++) {
        tick(&b);
        assert_false(because(&b, GB_LIMIT_WORKSPACE));
    }
    assert_mode(&b, GB_MODE_PASS);
    bench_close(&b);
    bench_open(&b, HEAD ARM_POSITION
               "    velocity: [50]\n" BASE GRIP "sensors:\n" WATCH SLIDES
               "  points: [{link: 0, at: [0.9, 0, 0]}, {link: 1}]\n"
               "  allowed: [{kind: box, low: [-0.5, -0.5, -1], high: [0.5, 0.5, 1]}]\n");
    b.values[1] = 0.75;
    drive(&b, 0, 2, 20);
    assert_true(because(&b, GB_LIMIT_WORKSPACE));
    assert_true(b.command[1] <= 0.9 && b.command[1] > 0.88);
    bench_close(&b);
}

/* As near to the end of what is allowed as to a zone: the workspace is named. */
static void of_two_that_are_as_near_the_first_is_named(void **state)
{
    (void)state;
    bench b;
    bench_open(&b,
               TABLE(POINT, "  allowed: [{kind: box, low: [-0.5, -0.5, -1], high: [0.5, 0.5, 1]}]\n"
                            "  keep_out: [{kind: box, low: [-1, 0.5, -1], high: [1, 2, 1]}]\n"));
    b.proposal[3] = 15;
    drive(&b, 0, 0.25, 400);
    assert_mode(&b, GB_MODE_PASS);
    assert_near(b.verdict.margin, 0.5);
    assert_int_equal(b.verdict.margin_limit, GB_LIMIT_WORKSPACE);
    bench_close(&b);
}

static void backup_needs_no_new_judgement(void **state)
{
    (void)state;
    bench b;
    bench_open(&b,
               TABLE(POINT, "  allowed: [{kind: box, low: [-0.5, -9, -1], high: [0.5, 9, 1]}]\n"));
    b.proposal[0] = 0.9;
    for (int i = 0; i < 70; i++) {
        b.input.proposal = i < 40 ? b.proposal : NULL;
        tick(&b);
        assert_true(b.command[0] <= 0.5);
        if (i >= 40)
            assert_only(&b, GB_LIMIT_PROPOSAL);
    }
    bench_close(&b);
}

/* A retreat through a keep-out zone stays before it. */
static void a_retreat_keeps_out_too(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, HEAD ARM "    backup: {kind: retreat, to: [-0.8, 0]}\n" BASE GRIP
                            "sensors:\n" WATCH SLIDES POINT
                            "  keep_out: [{kind: box, low: [-0.5, -2, -1], high: [-0.4, 2, 1]}]\n");
    b.input.proposal = NULL;
    ticks(&b, 500);
    assert_mode(&b, GB_MODE_BACKUP);
    assert_true(b.command[0] >= -0.4 && b.command[0] < -0.39);
    assert_true(because(&b, GB_LIMIT_KEEP_OUT));
    bench_close(&b);
}

/* 0.05 m below a cylinder of radius 0.2 with a ball of 0.1, the rim is 0.0866 m away. */
static void rims_are_round(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, TABLE("  points: [{link: 1, at: [0, 0, -0.05], radius: 0.1}]\n",
                         "  keep_out: [{kind: cylinder, from: [0.5, 0, 0], to: [0.5, 0, 1], "
                         "radius: 0.2}]\n"));
    drive(&b, 0.9, 0, 600);
    double rest = 0.5 - 0.2 - sqrt(0.01 - 0.0025);
    assert_true(b.command[0] <= rest + 1e-9 && b.command[0] > rest - 0.005);
    bench_close(&b);
}

/* 50 rad/s is 0.5 a tick: further than the wall is thick. */
static void nothing_jumps_through_a_thin_wall(void **state)
{
    (void)state;
    static const char *const walls[2][2] = {
        {"low: [-0.32, -9, -1], high: [-0.3, 9, 1]", "low: [0.3, -9, -1], high: [0.32, 9, 1]"},
        {"low: [-9, -0.32, -1], high: [9, -0.3, 1]", "low: [-9, 0.3, -1], high: [9, 0.32, 1]"}};
    for (int column = 0; column < 2; column++)
        for (int side = 0; side < 2; side++) {
            char text[2048];
            snprintf(text, sizeof text,
                     HEAD ARM_POSITION "    velocity: [50]\n" BASE GRIP
                                       "sensors:\n" WATCH SLIDES POINT
                                       "  keep_out: [{kind: box, %s}]\n",
                     walls[column][side]);
            bench b;
            bench_open(&b, text);
            double sign = side ? 1 : -1;
            b.proposal[column] = sign * 0.9;
            for (int i = 0; i < 50; i++) {
                tick(&b);
                assert_true(sign * b.command[column] <= 0.3);
            }
            assert_true(sign * b.command[column] > 0.2);
            bench_close(&b);
        }
}

/* Nor is a wall forgotten that lies between the command and the end of its stop. */
static void stops_are_judged_on_their_whole_way(void **state)
{
    (void)state;
    bench b;
    bench_open(&b,
               TABLE(POINT, "  keep_out: [{kind: box, low: [0.3, -9, -1], high: [0.32, 9, 1]}]\n"));
    b.proposal[0] = 0.9;
    for (int i = 0; i < 400; i++) {
        tick(&b);
        assert_true(b.command[0] <= 0.3);
    }
    assert_true(b.command[0] > 0.28);
    bench_close(&b);
}

static void the_margin_is_of_the_narrowest_box(void **state)
{
    (void)state;
    bench b;
    bench_open(&b,
               TABLE(POINT, "  allowed: [{kind: box, low: [-0.5, -9, -1], high: [0.5, 9, 1]}]\n"));
    b.proposal[3] = 15;
    drive(&b, 0.25, 0, 300);
    assert_mode(&b, GB_MODE_PASS);
    assert_near(b.verdict.margin, 0.5);
    assert_int_equal(b.verdict.margin_limit, GB_LIMIT_WORKSPACE);
    bench_close(&b);
}

/* Beside a pillar its side counts, in the middle of its length as at its ends: a ball of 0.1. */
static void pillars_are_as_thick_as_they_are(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, TABLE("  points: [{link: 1, radius: 0.1}]\n",
                         "  keep_out: [{kind: cylinder, from: [0.6, 0, -3], to: [0.6, 0, 3], "
                         "radius: 0.2}]\n"));
    drive(&b, 0.9, 0, 600);
    assert_true(b.command[0] <= 0.3 + 1e-9 && b.command[0] > 0.29);
    bench_close(&b);
    bench_open(&b, TABLE("  points: [{link: 1, radius: 0.1}]\n",
                         "  keep_out: [{kind: cylinder, from: [0.6, 0, 0], to: [2, 0, 0], "
                         "radius: 3}]\n"));
    drive(&b, 0.9, 0, 600);
    assert_true(b.command[0] <= 0.5 + 1e-9 && b.command[0] > 0.49);
    bench_close(&b);
}

/* Started inside a pillar it may leave it, and go no deeper. */
static void a_start_inside_a_pillar_may_only_leave(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, TABLE(POINT, "  keep_out: [{kind: cylinder, from: [0, 0, -3], to: [0, 0, 3], "
                                "radius: 0.5}]\n"));
    b.values[0] = 0.3;
    drive(&b, 0, 0, 100);
    assert_true(because(&b, GB_LIMIT_KEEP_OUT));
    assert_near(b.command[0], 0.3);
    drive(&b, 0.3, 0, 1);
    assert_near(b.verdict.margin, -0.2);
    drive(&b, 0.8, 0, 600);
    assert_mode(&b, GB_MODE_PASS);
    assert_near(b.command[0], 0.8);
    drive(&b, 0, 0, 600);
    assert_true(b.command[0] >= 0.5 && b.command[0] < 0.51);
    bench_close(&b);
}

/* Zones that are not there allow nothing: the origin is not in the box. */
static void only_declared_boxes_allow(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, TABLE(POINT, "  allowed: [{kind: box, low: [0.5, -0.5, -0.5], high: [1.5, 0.5, "
                                "0.5]}]\n"));
    drive(&b, -0.5, 0, 100);
    assert_near(b.command[0], 0);
    drive(&b, 0, 0, 1);
    assert_near(b.verdict.margin, -1);
    assert_int_equal(b.verdict.margin_limit, GB_LIMIT_WORKSPACE);
    assert_int_equal(b.verdict.margin_index, -1);
    bench_close(&b);
}

/* Of several points the nearest counts, whichever comes first. */
static void every_point_counts(void **state)
{
    (void)state;
    static const char *const points[] = {
        "  points: [{link: 1}, {link: 1, at: [0.2, 0, 0]}]\n",
        "  points: [{link: 1, at: [0.2, 0, 0]}, {link: 1}]\n",
        "  points: [{link: 0, at: [0.2, 0, 0]}, {link: 1}]\n",
    };
    for (int i = 0; i < 3; i++) {
        char text[2048];
        snprintf(text, sizeof text,
                 TABLE("%s", "  allowed: [{kind: box, low: [-0.5, -9, -1], high: [0.5, 9, 1]}]\n"),
                 points[i]);
        bench b;
        bench_open(&b, text);
        drive(&b, 0.9, 0, 600);
        assert_true(b.command[0] <= 0.3 && b.command[0] > 0.29);
        bench_close(&b);
    }
}

/* A wall costs little time: braking for it is what takes the longest. */
static void a_wall_is_approached_swiftly(void **state)
{
    (void)state;
    bench b;
    bench_open(&b,
               TABLE(POINT, "  allowed: [{kind: box, low: [-0.5, -9, -1], high: [0.5, 9, 1]}]\n"));
    int near = 0, nearer = 0;
    b.proposal[0] = 0.9;
    for (int t = 1; t < 600 && !nearer; t++) {
        tick(&b);
        near = !near && b.command[0] > 0.45 ? t : near;
        nearer = b.command[0] > 0.495 ? t : 0;
    }
    print_message("0.45 after %d ticks, 0.495 after %d\n", near, nearer);
    assert_in_range(near, 60, 68);
    assert_in_range(nearer, 70, 84);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_stops_at_the_side_of_a_box),
        cmocka_unit_test(it_goes_round_a_keep_out_box_or_stays),
        cmocka_unit_test(corners_are_round),
        cmocka_unit_test(cylinders_are_kept_out_of),
        cmocka_unit_test(turns_are_followed),
        cmocka_unit_test(frames_turn_with_the_links_before),
        cmocka_unit_test(any_of_the_allowed_boxes_will_do),
        cmocka_unit_test(a_start_outside_may_only_come_nearer),
        cmocka_unit_test(outside_nothing_must_be_worse_than_it_is),
        cmocka_unit_test(of_two_that_are_as_near_the_first_is_named),
        cmocka_unit_test(backup_needs_no_new_judgement),
        cmocka_unit_test(rims_are_round),
        cmocka_unit_test(nothing_jumps_through_a_thin_wall),
        cmocka_unit_test(stops_are_judged_on_their_whole_way),
        cmocka_unit_test(the_margin_is_of_the_narrowest_box),
        cmocka_unit_test(a_retreat_keeps_out_too),
        cmocka_unit_test(pillars_are_as_thick_as_they_are),
        cmocka_unit_test(a_start_inside_a_pillar_may_only_leave),
        cmocka_unit_test(only_declared_boxes_allow),
        cmocka_unit_test(every_point_counts),
        cmocka_unit_test(a_wall_is_approached_swiftly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
