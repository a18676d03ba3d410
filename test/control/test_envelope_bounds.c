/* Where the numbers of an envelope file end: what is exactly at a bound is accepted, what is a hair
 * beyond is refused under its own key, lists may be full and no longer. What the file says is then
 * compared with figures by hand. */
#include "control/envelope.h"

#include "control/envelope_accept.h"

#define SENSORS "sensors:\n" WATCH
#define ROBOT                                                                                      \
    HEAD "  - {stream: arm.target, kind: position, unit: rad, from: arm.position, velocity: [1], " \
         "low: [-0.5, -2], high: [1.5, 0.25]}\n" BASE GRIP SENSORS
#define REGION ROBOT "workspace:\n  stream: arm.target\n  unit: m\n"
#define SLIDE "  chain: [{kind: slide, column: 0, axis: [1, 0, 0]}]\n"
#define POINT "  points: [{link: 0}]\n"
#define BOX "  allowed: [{kind: box, low: [-1, -1, -1], high: [1, 1, 1]}]\n"
#define PILLAR(from, to, radius)                                                                   \
    REGION SLIDE POINT "  keep_out: [{kind: cylinder, from: " from ", to: " to ", radius: " radius \
                       "}]\n"

/* ---- workspace ----------------------------------------------------------------------------------
 */

static void lengths_end_at_a_billion(void **state)
{
    (void)state;
    static const char *const keys[] = {"1e9, 0, 0", "0, 1e9, 0", "0, 0, 1e9", "-1e9, -1e9, -1e9"};
    static const char *const beyond[] = {"1.000001e9, 0, 0", "0, -1.000001e9, 0", "0, 0, -1e10",
                                         "0, 0, .nan"};
    char text[2048];
    for (int i = 0; i < 4; i++) {
        snprintf(text, sizeof text, REGION SLIDE "  points: [{link: 0, at: [%s]}]\n" BOX, keys[i]);
        accept(text);
        snprintf(text, sizeof text, REGION SLIDE "  points: [{link: 0, at: [%s]}]\n" BOX,
                 beyond[i]);
        refuse(text, "workspace.points[0].at");
        snprintf(text, sizeof text,
                 REGION
                 "  chain: [{kind: slide, column: 0, axis: [1, 0, 0], at: [%s]}]\n" POINT BOX,
                 beyond[i]);
        refuse(text, "workspace.chain[0].at");
        snprintf(text, sizeof text,
                 REGION "  chain: [{kind: slide, column: 0, axis: [%s]}]\n" POINT BOX, beyond[i]);
        refuse(text, "workspace.chain[0].axis");
        snprintf(text, sizeof text,
                 REGION SLIDE POINT "  allowed: [{kind: box, low: [-1, -1, -1], high: [1, 1, 1]},\n"
                                    "    {kind: box, low: [%s], high: [1, 1, 1]}]\n",
                 beyond[i]);
        refuse(text, "workspace.allowed[1].low");
        snprintf(text, sizeof text,
                 REGION SLIDE POINT "  keep_out: [{kind: box, low: [-1, -1, -1], high: [%s]}]\n",
                 beyond[i]);
        refuse(text, "workspace.keep_out[0].high");
        snprintf(text, sizeof text, PILLAR("[%s]", "[0, 0, 1]", "1"), beyond[i]);
        refuse(text, "workspace.keep_out[0].from");
        snprintf(text, sizeof text, PILLAR("[0, 0, 1]", "[%s]", "1"), beyond[i]);
        refuse(text, "workspace.keep_out[0].to");
    }
}

static void directions_and_lengths_are_more_than_nothing(void **state)
{
    (void)state;
    refuse(REGION "  chain: [{kind: slide, column: 0, axis: [1e-6, 0, 0]}]\n" POINT BOX,
           "chain[0].axis");
    accept(REGION "  chain: [{kind: slide, column: 0, axis: [1.000001e-6, 0, 0]}]\n" POINT BOX);
    refuse(PILLAR("[0, 0, 0]", "[0, 0, 1e-9]", "1"), "keep_out[0].to");
    accept(PILLAR("[0, 0, 0]", "[0, 0, 1.000001e-9]", "1"));
    /* the length is what lies between the ends, along each axis */
    refuse(PILLAR("[1, 0, 0]", "[1, 0, 0]", "1"), "no length");
    refuse(PILLAR("[0, 1, 0]", "[0, 1, 0]", "1"), "no length");
    refuse(PILLAR("[0, 0, 1]", "[0, 0, 1]", "1"), "no length");
    accept(PILLAR("[-1, 0, 0]", "[1, 0, 0]", "1"));
    accept(PILLAR("[0, -1, 0]", "[0, 1, 0]", "1"));
    accept(PILLAR("[0, 0, -1]", "[0, 0, 1]", "1"));
    refuse(PILLAR("[0, 0, 0]", "[0, 0, 1]", "1e-9"), "keep_out[0].radius");
    refuse(PILLAR("[0, 0, 0]", "[0, 0, 1]", "1e9"), "keep_out[0].radius");
    accept(PILLAR("[0, 0, 0]", "[0, 0, 1]", "1.000001e-9"));
    accept(PILLAR("[0, 0, 0]", "[0, 0, 1]", "9.99999e8"));
    refuse(REGION SLIDE "  points: [{link: 0, radius: 1e9}]\n" BOX, "points[0].radius");
    refuse(REGION SLIDE "  points: [{link: 0, radius: .nan}]\n" BOX, "points[0].radius");
    accept(REGION SLIDE "  points: [{link: 0, radius: 9.99999e8}]\n" BOX);
    refuse(REGION SLIDE POINT BOX "  tracking: 1e9\n", "workspace.tracking");
    refuse(REGION SLIDE POINT BOX "  tracking: .nan\n", "workspace.tracking");
    accept(REGION SLIDE POINT BOX "  tracking: 9.99999e8\n");
    refuse(REGION SLIDE POINT "  allowed: [{kind: box, low: [0, 0, 0], high: [0, 1, 1]}]\n",
           "allowed[0].high");
    refuse(REGION SLIDE POINT "  allowed: [{kind: box, low: [0, 1, 0], high: [1, 1, 1]}]\n",
           "allowed[0].high");
    refuse(REGION SLIDE POINT BOX
           "  keep_out: [{kind: cylinder, low: [0, 0, 0], high: [1, 1, 1]}]\n",
           "keep_out[0]: a cylinder");
    refuse(REGION SLIDE POINT BOX "  keep_out: [{kind: box, from: [0, 0, 0], to: [1, 1, 1]}]\n",
           "keep_out[0]: a box");
}

static void only_boxes_allow(void **state)
{
    (void)state;
#define A_BOX "{kind: box, low: [-1, -1, -1], high: [1, 1, 1]}"
#define A_PILLAR "{kind: cylinder, from: [5, 5, 5], to: [5, 5, 6], radius: 1}"
    refuse(REGION SLIDE POINT "  allowed: [" A_PILLAR ", " A_BOX "]\n", "allowed[0].kind");
    refuse(REGION SLIDE POINT "  allowed: [" A_BOX ", " A_PILLAR "]\n", "allowed[1].kind");
    accept(REGION SLIDE POINT "  allowed: [" A_BOX ", " A_BOX "]\n  keep_out: [" A_PILLAR "]\n");
}

/* What is left out is named, not taken as 0. */
static void zones_need_all_their_keys(void **state)
{
    (void)state;
    static const char *const keys[] = {"low: [-1, -1, -1]", "high: [1, 1, 1]", "from: [-1, -1, -1]",
                                       "to: [1, 1, 1]", "radius: 1"};
    for (int kind = 0; kind < 2; kind++)
        for (unsigned set = 0; set < 32; set++) {
            char text[2048];
            snprintf(text, sizeof text, REGION SLIDE POINT "  keep_out: [{kind: %s",
                     kind ? "cylinder" : "box");
            for (int k = 0; k < 5; k++)
                if (set >> k & 1) {
                    strcat(text, ", ");
                    strcat(text, keys[k]);
                }
            strcat(text, "}]\n");
            if (set == (kind ? 28u : 3u))
                accept(text);
            else
                refuse(text, kind ? "keep_out[0]: a cylinder has" : "keep_out[0]: a box has");
        }
}

/* The same entry so many times, with its number where the entry has a %d. */
static void repeat(char *text, size_t bytes, const char *entry, int count)
{
    for (int i = 0; i < count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, bytes - used, entry, i);
    }
}

static void full_lists_are_accepted_and_longer_ones_refused(void **state)
{
    (void)state;
    static char text[16384];
    for (int more = 0; more < 2; more++) {
        strcpy(text, REGION SLIDE BOX "  points:\n");
        repeat(text, sizeof text, "    - {link: 0, radius: 0.%d}\n", GB_POINTS_MAX + more);
        if (more)
            refuse(text, "workspace.points");
        else
            accept(text);
        strcpy(text, REGION SLIDE POINT "  allowed:\n");
        repeat(text, sizeof text, "    - {kind: box, low: [-1, -1, -1], high: [1, 1, 1.%d]}\n",
               GB_ZONES_MAX + more);
        if (more)
            refuse(text, "workspace.allowed");
        else
            accept(text);
        strcpy(text, REGION SLIDE POINT "  keep_out:\n");
        repeat(text, sizeof text, "    - {kind: box, low: [-9, 5, 5], high: [9, 6, 6.%d]}\n",
               GB_ZONES_MAX + more);
        if (more)
            refuse(text, "workspace.keep_out");
        else
            accept(text);
    }
    strcpy(text, REGION POINT BOX "  chain:\n");
    repeat(text, sizeof text, "    - {kind: slide, column: %d, axis: [1, 0, 0]}\n",
           GB_LINKS_MAX + 1);
    refuse(text, "workspace.chain");
}

/* Margins are parts of half the narrowest side of all boxes, or of the unit without boxes. */
static void the_scale_is_of_the_narrowest_side(void **state)
{
    (void)state;
    static const struct {
        const char *zones;
        double scale;
    } cases[] = {
        {"  allowed: [{kind: box, low: [-1, -3, -2], high: [1, 3, 2]}]\n", 1},
        {"  allowed: [{kind: box, low: [-3, -2, -0.5], high: [3, 2, 0.7]}]\n", 0.6},
        {"  allowed: [{kind: box, low: [-3, -3, -3], high: [3, 3, 3]}, {kind: box, low: [-3, 2, "
         "-3], high: [3, 2.5, 3]}]\n",
         0.25},
        {"  keep_out: [{kind: box, low: [-3, -3, 5], high: [3, 3, 5.5]}]\n", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[2048];
        snprintf(text, sizeof text, REGION SLIDE POINT "%s", cases[i].zones);
        bench b;
        bench_open(&b, text);
        assert_near(b.envelope->region.scale, cases[i].scale);
        bench_close(&b);
    }
}

/* The commands may stand in any order. */
static void the_stream_of_a_workspace_is_found_anywhere(void **state)
{
    (void)state;
#define WORKSPACE(stream) "workspace:\n  stream: " stream "\n  unit: m\n" SLIDE POINT BOX
    accept(HEAD ARM GRIP BASE SENSORS WORKSPACE("arm.target"));
    accept(HEAD GRIP ARM BASE SENSORS WORKSPACE("arm.target"));
    accept(HEAD BASE GRIP ARM SENSORS WORKSPACE("arm.target"));
    refuse(HEAD GRIP ARM BASE SENSORS WORKSPACE("base.speed"), "does not command positions");
    refuse(HEAD ARM BASE GRIP SENSORS WORKSPACE("grip.press"), "does not command positions");
}

/* How far a point can go for each unit of a column: a slide takes it along, a turn swings all that
 * is behind it, with slides where they are longest. */
static void the_reach_of_points_is_what_swings(void **state)
{
    (void)state;
    static const struct {
        const char *chain;
        int link;
        double reach[2];
    } cases[] = {
        {"{kind: turn, column: 0, axis: [0, 0, 1], at: [5, 5, 5]}, {kind: turn, column: 1, axis: "
         "[0, 1, 0], at: [0, 0, -0.2]}",
         1,
         {0.9, 0.7}},
        {"{kind: turn, column: 0, axis: [0, 0, 1]}, {kind: slide, column: 1, axis: [0, 1, 0], at: "
         "[0, 0.2, 0]}",
         1,
         {2.9, 1}}, /* column 1 goes from -2 to 0.25 */
        {"{kind: turn, column: 1, axis: [0, 0, 1]}, {kind: slide, column: 0, axis: [0, 1, 0], at: "
         "[0.2, 0, 0]}",
         1,
         {2.4, 1}}, /* column 0 goes from -0.5 to 1.5 */
        {"{kind: slide, column: 0, axis: [0, 0, 1]}, {kind: turn, column: 1, axis: [0, 1, 0]}",
         1,
         {1, 0.7}},
        {"{kind: slide, column: 0, axis: [0, 0, 1]}, {kind: slide, column: 1, axis: [0, 1, 0]}",
         1,
         {1, 1}},
        {"{kind: turn, column: 0, axis: [0, 0, 1]}, {kind: turn, column: 1, axis: [0, 1, 0]}",
         0,
         {0.7, 0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[2048];
        snprintf(text, sizeof text,
                 REGION "  chain: [%s]\n  points: [{link: %d, at: [0.2, -0.3, 0.6]}]\n"
                        "  keep_out: [{kind: box, low: [50, 50, 50], high: [51, 51, 51]}]\n",
                 cases[i].chain, cases[i].link);
        bench b;
        bench_open(&b, text);
        for (int l = 0; l < 2; l++)
            assert_near(b.envelope->region.points[0].reach[l], cases[i].reach[l]);
        bench_close(&b);
    }
}

/* ---- commands -----------------------------------------------------------------------------------
 */

static void a_start_has_the_same_size_and_unit(void **state)
{
    (void)state;
    /* one column in rad for two; one in N for one in m/s */
    refuse(HEAD "  - {stream: arm.target, kind: position, unit: rad, low: [0], high: [1], from: "
                "arm.angle}\n" BASE GRIP
                "sensors: [{stream: arm.angle, unit: rad, max_age_ms: 50}]\n",
           "commands[0].from");
    refuse(HEAD ARM
           "  - {stream: base.speed, kind: velocity, unit: m/s, low: [0], high: [1], from: "
           "grip.force}\n" GRIP "sensors:\n" WATCH
           "  - {stream: grip.force, unit: N, max_age_ms: 50}\n",
           "commands[1].from");
    /* watched, whether first or last of the sensors */
    accept(HEAD ARM BASE GRIP "sensors:\n" WATCH
                              "  - {stream: grip.force, unit: N, max_age_ms: 50}\n");
    accept(HEAD ARM BASE GRIP
           "sensors:\n  - {stream: grip.force, unit: N, max_age_ms: 50}\n" WATCH);
}

/* Two angles that wrap, between two other columns. */
static const gb_plant_stream dial_observations[] = {
    {STREAM("lift", "m", 1)}, {STREAM("dial", "rad", 2), .wrap = 6.25}, {STREAM("belt", "m", 1)}};
static const gb_plant_stream dial_actions[] = {{STREAM("lift.target", "m", 1)},
                                               {STREAM("dial.target", "rad", 2)},
                                               {STREAM("belt.target", "m", 1)}};
static const gb_plant_info dial_machine = {
    .name = "dial",
    .period_ns = TICK_NS,
    .tick_ns = TICK_NS,
    .observation_stream_count = 3,
    .action_stream_count = 3,
    .observation_streams = dial_observations,
    .action_streams = dial_actions,
    .observation_size = 4,
    .action_size = 4,
};

/* Two streams that have `others`, and the dial between them. */
#define DIAL(others, own)                                                                          \
    "machine: dial\ncommands:\n"                                                                   \
    "  - {stream: belt.target, kind: position, unit: m, from: belt, " others "}\n"                 \
    "  - {stream: lift.target, kind: position, unit: m, from: lift, " others "}\n"                 \
    "  - {stream: dial.target, kind: position, unit: rad, from: dial, " own "}\n"                  \
    "sensors:\n  - {stream: lift, unit: m, max_age_ms: 50}\n"                                      \
    "  - {stream: dial, unit: rad, max_age_ms: 50}\n"                                              \
    "  - {stream: belt, unit: m, max_age_ms: 50}\n"

static void limits_of_angles_that_wrap_are_one_turn_at_most(void **state)
{
    (void)state;
    static const struct {
        const char *low, *high;
        bool fits;
    } cases[] = {
        {"-3, -3", "3.25, 3.25", true},
        {"-3.0001, -3", "3.25, 3.25", false},
        {"-3, -3", "3.25, 3.2501", false},
        {"0, 0", "6.25, 6.25", true},
        {"-6.25, 3", "0, 4", true},
        {"3, 3", "4, 9.2501", false},
        /* a billionth of a turn is rounding */
        {"0, 0", "6.25000000625, 6.25", true},
        {"0, 0", "6.2500000063, 6.25", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[2048];
        snprintf(text, sizeof text, DIAL("low: [-99], high: [99]", "low: [%s], high: [%s]"),
                 cases[i].low, cases[i].high);
        if (cases[i].fits)
            accept_for(text, &dial_machine);
        else
            refuse_for(text, &dial_machine, "commands[2].from");
    }
}

/* To the last bit, and for turns that are 1 long: revolutions. */
static void a_turn_and_a_billionth_are_one_turn(void **state)
{
    (void)state;
    static const double wraps[] = {6.25, 1.0, 0.5};
    for (int i = 0; i < 3; i++) {
        gb_plant_stream observations[3];
        memcpy(observations, dial_observations, sizeof observations);
        observations[1].wrap = wraps[i];
        gb_plant_info info = dial_machine;
        info.observation_streams = observations;
        for (int beyond = 0; beyond < 2; beyond++) {
            double high = wraps[i] * (1.0 + 1e-9), bounds[2] = {high, nextafter(high, 9.0)};
            for (int column = 0; column < 2; column++) {
                char both[128], text[2048];
                snprintf(both, sizeof both, column ? "0.25, %.17g" : "%.17g, 0.25", bounds[beyond]);
                snprintf(text, sizeof text, DIAL("low: [-99], high: [99]", "low: [0], high: [%s]"),
                         both);
                if (beyond)
                    refuse_for(text, &info, "commands[2].from");
                else
                    accept_for(text, &info);
            }
        }
    }
}

/* Each stream that moves the machine is asked for, the first and the last, too. */
static void no_stream_may_be_left_out(void **state)
{
    (void)state;
    refuse(HEAD BASE GRIP SENSORS, "action stream arm.target");
    refuse(HEAD GRIP ARM SENSORS, "action stream base.speed");
    refuse(HEAD ARM BASE SENSORS, "action stream grip.press");
    refuse(HEAD GRIP SENSORS, "action stream arm.target");
    accept(HEAD GRIP BASE ARM SENSORS);
}

/* Where the file does not say otherwise, the backup is left only at rest. */
static void it_returns_at_rest_unless_told_otherwise(void **state)
{
    (void)state;
    static const char *const texts[] = {GOOD, GOOD "return: {good_ms: 10}\n",
                                        GOOD "return: {good_ms: 10, at_rest: true}\n",
                                        GOOD "return: {good_ms: 10, at_rest: false}\n"};
    for (int i = 0; i < 4; i++) {
        bench b;
        bench_open(&b, texts[i]);
        b.proposal[0] = 0.9;
        ticks(&b, 40);
        assert_mode(&b, GB_MODE_CLAMP);
        b.values[0] = NAN;
        tick(&b);
        assert_mode(&b, GB_MODE_BACKUP);
        b.values[0] = b.command[0];
        double before = b.command[0];
        int backup = 0;
        for (; backup < 100 && b.verdict.mode == GB_MODE_BACKUP; backup++) {
            before = b.command[0];
            tick(&b);
        }
        assert_true(backup < 100);
        if (i < 3)
            assert_true(backup > 10 && fabs(b.command[0] - before) < 1e-3);
        else
            assert_true(backup < 5);
        bench_close(&b);
    }
}

/* The columns before and after, which leave out 0, are not asked. */
static void a_retreat_is_held_against_its_own_columns(void **state)
{
    (void)state;
    static const struct {
        const char *to;
        bool fits;
    } cases[] = {{"0", true},     {"-3, 3", true},   {"3, -3", true},  {"-3.0001, 0", false},
                 {"0, 4", false}, {"4, 0", false},   {"0, -4", false}, {".nan, 0", false},
                 {"-4", false},   {"0, 0, 0", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[2048];
        snprintf(
            text, sizeof text,
            DIAL("low: [5], high: [9]", "low: [-3], high: [3], backup: {kind: retreat, to: [%s]}"),
            cases[i].to);
        if (cases[i].fits)
            accept_for(text, &dial_machine);
        else
            refuse_for(text, &dial_machine, "commands[2].backup.to");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_end_at_a_billion),
        cmocka_unit_test(directions_and_lengths_are_more_than_nothing),
        cmocka_unit_test(only_boxes_allow),
        cmocka_unit_test(zones_need_all_their_keys),
        cmocka_unit_test(full_lists_are_accepted_and_longer_ones_refused),
        cmocka_unit_test(the_scale_is_of_the_narrowest_side),
        cmocka_unit_test(the_stream_of_a_workspace_is_found_anywhere),
        cmocka_unit_test(the_reach_of_points_is_what_swings),
        cmocka_unit_test(a_start_has_the_same_size_and_unit),
        cmocka_unit_test(limits_of_angles_that_wrap_are_one_turn_at_most),
        cmocka_unit_test(a_turn_and_a_billionth_are_one_turn),
        cmocka_unit_test(no_stream_may_be_left_out),
        cmocka_unit_test(it_returns_at_rest_unless_told_otherwise),
        cmocka_unit_test(a_retreat_is_held_against_its_own_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
