/* Workspaces of general machines: turns about any axis, many links, the balls around a stop, and
 * random chains judged by other kinematics (envelope_attack.h). */
#include "control/envelope.h"
#include "control/envelope_attack.h"
#include "control/envelope_axis.h"
#include "control/envelope_machine.h"

#define SLIDES                                                                                     \
    "workspace:\n  stream: arm.target\n  unit: m\n"                                                \
    "  chain: [{kind: slide, column: 0, axis: [1, 0, 0]}, {kind: slide, column: 1, axis: [0, 2, "  \
    "0]}]\n"
#define POINT "  points: [{link: 1}]\n"

/* About (1, 1, 1) each axis of the world turns into the next. */
static double turned(int row, int column, double q)
{
    double c = cos(q), s = sin(q) / sqrt(3.0);
    double odd = (row - column + 3) % 3 == 1 ? s : -s;
    return row == column ? (1 + 2 * c) / 3 : (1 - c) / 3 + odd;
}

static void turns_about_any_axis_are_followed(void **state)
{
    (void)state;
    for (int row = 0; row < 3; row++)
        for (int column = 0; column < 3; column++)
            for (double sign = -1; sign <= 1; sign += 2) {
                double rest = turned(row, column, sign * 0.7);
                bool falls = rest < turned(row, column, 0);
                double low[3] = {-9, -9, -9}, high[3] = {9, 9, 9}, at[3] = {0, 0, 0};
                *(falls ? &low[row] : &high[row]) = rest;
                at[column] = 1;
                char text[2048];
                snprintf(text, sizeof text,
                         GOOD "workspace:\n  stream: arm.target\n  unit: m\n"
                              "  chain: [{kind: turn, column: 0, axis: [2, 2, 2]}]\n"
                              "  points: [{link: 0, at: [%g, %g, %g]}]\n"
                              "  allowed: [{kind: box, low: [%.17g, %.17g, %.17g], high: [%.17g, "
                              "%.17g, %.17g]}]\n",
                         at[0], at[1], at[2], low[0], low[1], low[2], high[0], high[1], high[2]);
                bench b;
                bench_open(&b, text);
                b.proposal[0] = sign * 0.95;
                ticks(&b, 600);
                double q = sign * b.command[0];
                if (!(q <= 0.7 + 1e-9 && q > 0.69))
                    fail_msg("row %d of axis %d rests at %g, not %g", row, column, q, 0.7);
                bench_close(&b);
            }
}

/* ---- as many links as there can be --------------------------------------------------------------
 */

enum {
    LINKS = 16,
    COLUMNS = 17 /* the last one moves nothing */
};

static const gb_plant_stream snake_observations[] = {{STREAM("snake", "rad", COLUMNS)}};
static const gb_plant_stream snake_actions[] = {{STREAM("snake.target", "rad", COLUMNS)}};
static const gb_plant_info snake = {
    .name = "snake",
    .period_ns = TICK_NS,
    .tick_ns = TICK_NS,
    .observation_stream_count = 1,
    .action_stream_count = 1,
    .observation_streams = snake_observations,
    .action_streams = snake_actions,
    .observation_size = COLUMNS,
    .action_size = COLUMNS,
};

/* Sixteen slides along x, of which each may go 0.1: together they must not pass 0.8. */
static void sixteen_links_add_up(void **state)
{
    (void)state;
    char text[4096] = "machine: snake\ncommands:\n  - {stream: snake.target, kind: position, unit: "
                      "rad, from: snake, low: [-1], high: [1], velocity: [1], acceleration: [4]}\n"
                      "sensors:\n  - {stream: snake, unit: rad, max_age_ms: 50}\n"
                      "workspace:\n  stream: snake.target\n  unit: m\n  chain:\n";
    for (int l = 0; l < LINKS; l++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used,
                 "    - {kind: slide, column: %d, axis: [1, 0, 0]}\n", l);
    }
    strcat(text, "  points: [{link: 15}, {link: 3}]\n"
                 "  allowed: [{kind: box, low: [-9, -1, -1], high: [0.8, 1, 1]}]\n");
    gb_envelope *envelope = NULL;
    if (load_for(text, &snake, &envelope) != GB_OK)
        fail_msg("%s", gb_error_message());
    double values[COLUMNS] = {0}, proposal[COLUMNS] = {0}, command[COLUMNS];
    int64_t times[1];
    gb_observation observation = {1, 0, times, values};
    gb_envelope_input input = {
        .now_ns = 1000000 * MS, .observation = &observation, .proposal = proposal};
    double sum = 0;
    for (int t = 0; t < 600; t++) {
        gb_verdict verdict;
        for (int i = 0; i < COLUMNS; i++)
            proposal[i] = t == 0 ? 0.0 : 0.1; /* all stay where they are, then all move */
        input.now_ns += TICK_NS;
        times[0] = input.now_ns;
        gb_envelope_tick(envelope, &input, command, &verdict);
        sum = 0;
        for (int l = 0; l < LINKS; l++)
            sum += command[l];
        assert_true(sum <= 0.8);
    }
    assert_true(sum > 0.7);
    gb_envelope_destroy(envelope);
}

/* ---- balls --------------------------------------------------------------------------------------
 */

/* What the six instants of a stop along one slide leave of `room`, which way the limit lies not
 * counting: each has a ball of half the way to the next, the first one of a whole tick as well. */
static double room_left(
    const gb_axis_limits *limits, const gb_axis_state *s, double before, double room, double along)
{
    double between = (s->stop.ticks[0] + s->stop.ticks[1] + s->stop.ticks[2]) / 5.0,
           least = INFINITY;
    for (int i = 0; i < 6; i++) {
        double ball = fmin(s->stop.peak * between / 2, s->stop.high - s->stop.low);
        if (i == 0)
            ball = fmax(ball, fabs(s->x - before));
        double x = gb_axis_stop_at(limits, s, i * between);
        least = fmin(least, room - along * x - ball);
    }
    return least;
}

/* The margin while a slide moves, beside a wall and towards one. */
static void a_stop_has_balls_as_large_as_its_instants_are_apart(void **state)
{
    (void)state;
    static const struct {
        const char *box, *limits;
        double low[3]; /* velocity, acceleration, jerk */
        double room, along, scale;
        int order;
    } cases[] = {
        /* beside: x moves, y has 0.015 */
        {"low: [-9, -0.015, -9], high: [9, 0.015, 9]",
         "    velocity: [1]\n    acceleration: [4]\n    jerk: [40]\n",
         {1, 4, 40},
         0.015,
         0,
         0.015,
         3},
        /* towards: x moves to 0.9, with stops of many ticks and of few */
        {"low: [-9, -9, -9], high: [0.9, 9, 9]",
         "    velocity: [1]\n    acceleration: [4]\n    jerk: [40]\n",
         {1, 4, 40},
         0.9,
         1,
         4.95,
         3},
        {"low: [-9, -9, -9], high: [0.9, 9, 9]",
         "    velocity: [4]\n    acceleration: [60]\n",
         {4, 60, 0},
         0.9,
         1,
         4.95,
         2},
        {"low: [-9, -9, -9], high: [0.9, 9, 9]",
         "    velocity: [4]\n    acceleration: [20]\n",
         {4, 20, 0},
         0.9,
         1,
         4.95,
         2},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        char text[2048];
        snprintf(text, sizeof text,
                 HEAD ARM_POSITION "%s" BASE GRIP "sensors:\n" WATCH SLIDES POINT
                                   "  allowed: [{kind: box, %s}]\n",
                 cases[c].limits, cases[c].box);
        gb_axis_limits limits = {.low = -1, .high = 1, .order = cases[c].order};
        for (int i = 0; i < 3; i++)
            limits.most[i + 1] = cases[c].low[i] * pow(TICK_NS / 1e9, i + 1);
        bench b;
        bench_open(&b, text);
        b.proposal[2] = 0.5;
        b.proposal[3] = 15;
        ticks(&b, 200);
        gb_axis_state s = gb_axis_rest(0);
        int compared = 0;
        for (int t = 0; t < 120; t++) {
            gb_axis_state next;
            b.proposal[0] += fmin(0.005, 4e-5 * (t + 1));
            tick(&b);
            if (gb_axis_choose(&limits, &s, b.proposal[0], 0, 1, &next) != 0 ||
                next.x != b.command[0])
                break; /* shortened: no longer what is known here */
            double left = room_left(&limits, &next, s.x, cases[c].room, cases[c].along);
            s = next;
            if (b.verdict.margin_limit != GB_LIMIT_WORKSPACE)
                continue;
            compared++;
            assert_near(b.verdict.margin, left / cases[c].scale);
        }
        print_message("case %zu: %d margins\n", c, compared);
        assert_true(compared >= 10);
        bench_close(&b);
    }
}

/* Of a move that a wall forbids, as much is taken as the wall lets: a 64th more would be too much.
 */
static void moves_are_shortened_no_more_than_they_must(void **state)
{
    (void)state;
    static const char *const limits_text[] = {
        "    velocity: [4]\n", "    velocity: [4]\n    acceleration: [20]\n",
        "    velocity: [1]\n    acceleration: [4]\n    jerk: [40]\n"};
    for (int order = 1; order <= 3; order++) {
        char text[2048];
        snprintf(text, sizeof text,
                 HEAD ARM_POSITION "%s" BASE GRIP "sensors:\n" WATCH SLIDES POINT
                                   "  allowed: [{kind: box, low: [-9, -9, -9], high: [0.5, 9, "
                                   "9]}]\n",
                 limits_text[order - 1]);
        bench b;
        bench_open(&b, text);
        b.proposal[0] = 0.9;
        int shortened = 0;
        for (int t = 0; t < 150; t++) {
            const gb_axis_limits *limits = &b.envelope->limits[0];
            gb_axis_state s = b.envelope->axes[0], full, safe = gb_axis_follow(limits, &s), more;
            (void)gb_axis_choose(limits, &s, 0.9, 0, 1, &full);
            tick(&b);
            if (!because(&b, GB_LIMIT_WORKSPACE))
                continue;
            double low = gb_axis_top(limits, &s, &safe), high = gb_axis_top(limits, &s, &full);
            double taken = gb_axis_top(limits, &s, &b.envelope->axes[0]);
            double top = taken + (high - low) / 64 * (1 + 1e-6);
            if (gb_axis_apply(limits, &s, top, &more) && room_left(limits, &more, s.x, 0.5, 1) >= 0)
                fail_msg("order %d, tick %d: %g of %g to %g is taken", order, t, taken, low, high);
            shortened++;
        }
        assert_true(shortened > 5);
        bench_close(&b);
    }
}

/* A pole as thin as a wire, beside the way. Which instants of a stop are looked at changes as it
 * goes on, and one may come nearer to the pole; the stop was judged, and goes on without a word. */
static void a_stop_past_a_pole_is_not_judged_again(void **state)
{
    (void)state;
    for (int pole = 0; pole < 12; pole++)
        for (int gap = 0; gap < 8; gap++)
            for (int last = 25; last < 65; last += 2) {
                char text[2048];
                double x = 0.15 + 0.05 * pole, y = 0.006 + 0.002 * gap;
                snprintf(text, sizeof text,
                         GOOD SLIDES POINT "  keep_out: [{kind: cylinder, from: [%g, %g, -1], to: "
                                           "[%g, %g, 1], radius: 0.001}]\n",
                         x, y, x, y);
                bench b;
                bench_open(&b, text);
                b.proposal[0] = 0.9;
                ticks(&b, last);
                b.input.proposal = NULL;
                for (int t = 0; t < 60; t++) {
                    tick(&b);
                    assert_only(&b, GB_LIMIT_PROPOSAL);
                }
                bench_close(&b);
            }
}

/* ---- random chains ------------------------------------------------------------------------------
 */

static double draw(uint64_t *draws, double low, double high)
{
    return low + (high - low) * (double)gb_random_uniform(31, 1, (*draws)++);
}

static void write_vector(char *text, size_t bytes, uint64_t *draws, double size)
{
    double v[3];
    for (int i = 0; i < 3; i++)
        v[i] = draw(draws, -size, size);
    snprintf(text, bytes, "[%.6g, %.6g, %.6g]", v[0], v[1], v[2]);
}

static void write_machine(char *text, size_t bytes, uint64_t *draws)
{
    char v[6][96];
    for (int i = 0; i < 6; i++)
        write_vector(v[i], sizeof v[i], draws, i < 2 ? 1 : 0.6);
    double x = draw(draws, 0.3, 1), y = draw(draws, -1, 0), r = draw(draws, 0.05, 0.3);
    snprintf(text, bytes,
             HEAD ARM_POSITION "    velocity: [%.6g]\n    acceleration: [%.6g]\n%s" BASE GRIP
                               "sensors:\n" WATCH "workspace:\n  stream: arm.target\n  unit: m\n"
                               "  chain: [{kind: %s, column: %d, axis: %s, at: %s},\n"
                               "          {kind: %s, column: %d, axis: %s, at: %s}]\n"
                               "  points: [{link: 1, at: %s, radius: 0.02}, {link: 0, at: %s}]\n"
                               "  allowed: [{kind: box, low: [-1.2, -1.2, -1.2], high: [1.2, 1.2, "
                               "1.2]}]\n"
                               "  keep_out: [{kind: cylinder, from: [%.6g, %.6g, -1], to: [%.6g, "
                               "%.6g, 0.3], radius: %.6g},\n"
                               "    {kind: box, low: [-1, -1, -1], high: [%.6g, %.6g, 0.2]}]\n",
             draw(draws, 0.3, 8), draw(draws, 2, 40),
             draw(draws, 0, 1) < 0.5 ? "    jerk: [200]\n" : "",
             draw(draws, 0, 1) < 0.7 ? "turn" : "slide", 0, v[0], v[2],
             draw(draws, 0, 1) < 0.7 ? "turn" : "slide", 1, v[1], v[3], v[4], v[5], x, y, x + 0.1,
             y + 0.2, r, -0.3 - r, -0.2);
}

/* Commands stay inside by other kinematics, limits are kept, and a stop that was judged is not
 * judged again: while it holds, the workspace is no reason. */
static void random_chains_stay_inside(void **state)
{
    (void)state;
    uint64_t draws = 0;
    int limited = 0, held = 0;
    for (int e = 0; e < 40; e++) {
        char text[4096], path[64], wrong[256];
        write_machine(text, sizeof text, &draws);
        snprintf(path, sizeof path, "/tmp/genba_chain_%d.yaml", (int)getpid());
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs(text, file);
        fclose(file);
        void *raw = NULL;
        assert_int_equal(gb_yaml_load(path, &gb_envelope_schema, &raw), GB_OK);
        unlink(path);
        bench b;
        bench_open(&b, text);
        attack_judge judge;
        attack_judge_open(&judge, &machine, raw);
        attack_judge_start(&judge, b.values);
        for (int t = 0; t < 300; t++) {
            if (t % 40 == 0)
                for (int i = 0; i < 2; i++)
                    b.proposal[i] = draw(&draws, -1, 1);
            b.input.proposal = t % 100 > 80 ? NULL : b.proposal;
            tick(&b);
            bool region = because(&b, GB_LIMIT_WORKSPACE) || because(&b, GB_LIMIT_KEEP_OUT);
            limited += region;
            held += b.verdict.mode == GB_MODE_BACKUP;
            if (attack_judge_command(&judge, b.command, NULL, wrong))
                fail_msg("chain %d, tick %d: %s\n%s", e, t, wrong, text);
            if (region && b.verdict.mode == GB_MODE_BACKUP)
                fail_msg("chain %d, tick %d: a stop was judged again\n%s", e, t, text);
        }
        gb_yaml_free(&gb_envelope_schema, raw);
        bench_close(&b);
    }
    assert_true(limited > 100 && held > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turns_about_any_axis_are_followed),
        cmocka_unit_test(sixteen_links_add_up),
        cmocka_unit_test(a_stop_has_balls_as_large_as_its_instants_are_apart),
        cmocka_unit_test(moves_are_shortened_no_more_than_they_must),
        cmocka_unit_test(a_stop_past_a_pole_is_not_judged_again),
        cmocka_unit_test(random_chains_stay_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
