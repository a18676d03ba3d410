/* What the section "people" of an envelope file promises is held against the limits of the columns
 * that move the machine, of all of them and of no others. */
#include "control/envelope_accept.h"

/* Two wheels between a lift before them and a fan after them; the scan is the first observation. */
static const gb_plant_stream cart_observations[] = {
    {STREAM("scan", "m", 3)}, {STREAM("lift", "m", 1)}, {STREAM("arms", "rad", 2)}};
static const gb_plant_stream cart_actions[] = {{STREAM("lift.target", "m", 1)},
                                               {STREAM("wheels", "rad/s", 2)},
                                               {STREAM("arms.target", "rad", 2)},
                                               {STREAM("fan", "rad/s", 1)}};
static const gb_plant_info cart = {
    .name = "cart",
    .period_ns = TICK_NS,
    .tick_ns = TICK_NS,
    .observation_stream_count = 3,
    .action_stream_count = 4,
    .observation_streams = cart_observations,
    .action_streams = cart_actions,
    .observation_size = 6,
    .action_size = 6,
};

/* Limits of each stream; those not driven are slow, or are free to jump. */
#define CART(lift, wheels, arms, fan, sensors)                                                     \
    "machine: cart\ncommands:\n"                                                                   \
    "  - {stream: fan, kind: velocity, unit: rad/s, low: [-9], high: [9]" fan "}\n"                \
    "  - {stream: lift.target, kind: position, unit: m, from: lift, low: [-9], high: [9]" lift     \
    "}\n"                                                                                          \
    "  - {stream: arms.target, kind: position, unit: rad, from: arms, low: [-9], high: [9]" arms   \
    "}\n"                                                                                          \
    "  - {stream: wheels, kind: velocity, unit: rad/s, low: [-9], high: [9]" wheels "}\n"          \
    "sensors:\n  - {stream: lift, unit: m, max_age_ms: 50}\n"                                      \
    "  - {stream: arms, unit: rad, max_age_ms: 50}\n" sensors
#define SCAN "  - {stream: scan, unit: m, max_age_ms: 50}\n"
#define PEOPLE(braking, reaction, rest)                                                            \
    "people: {distance: scan, unit: m, separation: 0.4, person_speed: 1.6, braking: " braking      \
    ", reaction_ms: " reaction ", " rest "}\n"
#define WHEELS "speed_of: wheels, per_unit: [0.05]"

static void yes(const char *text)
{
    accept_for(text, &cart);
}

static void no(const char *text, const char *says)
{
    refuse_for(text, &cart, says);
}

static void the_distance_is_watched(void **state)
{
    (void)state;
    yes(CART("", "", "", "", SCAN) PEOPLE("1", "300", WHEELS));
    no(CART("", "", "", "", "") PEOPLE("1", "300", WHEELS), "people.distance");
}

/* 25 rad/s^2 by 0.05 m and 0.05 m are 2.5 m/s^2; what other streams can do is not asked. */
static void braking_is_what_all_wheels_can(void **state)
{
    (void)state;
#define A(wheels) CART("", wheels, "", ", acceleration: [1e-3]", SCAN)
    yes(A(", acceleration: [25]") PEOPLE("2.5", "300", WHEELS));
    no(A(", acceleration: [25]") PEOPLE("2.5001", "300", WHEELS), "people.braking");
    no(A(", acceleration: [25]") PEOPLE("2.5001", "300", WHEELS), "allows 2.5 at most");
    no(A(", acceleration: [25, 24]") PEOPLE("2.5", "300", WHEELS), "allows 2.4 at most");
    no(A(", acceleration: [24, 25]") PEOPLE("2.5", "300", WHEELS), "allows 2.4 at most");
    yes(A("") PEOPLE("1e6", "300", WHEELS));
    yes(A(", acceleration: [25]")
            PEOPLE("2.5", "300", "speed_of: wheels, per_unit: [-0.07, 0.03]"));
    /* neither what comes before nor what comes after */
    yes(CART(", velocity: [1e-3], acceleration: [1e-3]", ", acceleration: [25]",
             ", velocity: [1e-3], acceleration: [1e-3]", "", SCAN) PEOPLE("2.5", "300", WHEELS));
}

static void several_columns_have_no_jerk(void **state)
{
    (void)state;
    no(A(", acceleration: [25], jerk: [1000]") PEOPLE("1", "300", WHEELS), "in proportion");
    no(A(", acceleration: [25], jerk: [1000]") PEOPLE("1", "300", WHEELS), "people.speed_of");
    /* one column may; 2 * 20 / 200 s are added to 50 ms and 10 ms */
#define FAN "speed_of: fan, per_unit: [0.1]"
#define B(fan) CART("", "", ", velocity: [5], acceleration: [1], jerk: [1]", fan, SCAN)
    yes(B(", acceleration: [20], jerk: [200]") PEOPLE("1", "260", FAN));
    no(B(", acceleration: [20], jerk: [200]") PEOPLE("1", "259.9", FAN), "at least 260 ms");
    /* without jerk nothing is added, whatever other streams have */
    yes(B(", acceleration: [20]") PEOPLE("1", "60", FAN));
    no(B(", acceleration: [20]") PEOPLE("1", "59.9", FAN), "people.reaction_ms");
    yes(CART(", velocity: [5], acceleration: [1], jerk: [1]", ", acceleration: [25]",
             ", velocity: [5], acceleration: [1], jerk: [1]", ", acceleration: [1], jerk: [1]",
             SCAN) PEOPLE("1", "60", WHEELS));
}

/* A billionth is left to rounding, and not one bit more. */
static void what_is_left_to_rounding_ends_at_a_billionth(void **state)
{
    (void)state;
    char text[2048];
    const double tick_s = TICK_NS / 1e9, most = 20.0 * tick_s / tick_s * 0.1;
    double braking = most * (1.0 + 1e-9), least_s = tick_s + 0.05,
           reaction_ms = 1e3 * (least_s - 1e-9) + 1e-12;
    for (int beyond = 0; beyond < 2; beyond++) {
        while (beyond ? reaction_ms / 1e3 + 1e-9 >= least_s : reaction_ms / 1e3 + 1e-9 > least_s)
            reaction_ms = nextafter(reaction_ms, 0);
        if (!beyond)
            assert_true(reaction_ms / 1e3 + 1e-9 == least_s);
        snprintf(text, sizeof text, B(", acceleration: [20]") PEOPLE("1", "%.17g", FAN),
                 reaction_ms);
        if (beyond)
            no(text, "people.reaction_ms");
        else
            yes(text);
        snprintf(text, sizeof text, B(", acceleration: [20]") PEOPLE("%.17g", "300", FAN),
                 beyond ? nextafter(braking, 9.0) : braking);
        if (beyond)
            no(text, "people.braking");
        else
            yes(text);
    }
}

/* Positions stop at one distance; by hand, to a millionth. */
static void positions_stop_for_the_sum_of_their_speeds(void **state)
{
    (void)state;
    static const struct {
        const char *limits, *per_unit;
        double speed, stop_s;
    } cases[] = {
        {", velocity: [2], acceleration: [8]", "0.5", 2, 0.25 + 0.03},
        {", velocity: [2], acceleration: [8]", "0.5, -0.25", 1.5, 0.25 + 0.03},
        {", velocity: [2], acceleration: [8]", "-0.5, 0.25", 1.5, 0.25 + 0.03},
        {", velocity: [2, 4], acceleration: [8]", "0.5", 3, 0.5 + 0.03},
        {", velocity: [4, 2], acceleration: [8]", "0.5", 3, 0.5 + 0.03},
        {", velocity: [2], acceleration: [8], jerk: [160]", "0.5", 2, 0.25 + 0.1 + 0.03},
        {", velocity: [2], acceleration: [8], jerk: [160, 80]", "0.5", 2, 0.25 + 0.2 + 0.03},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[2048];
        snprintf(text, sizeof text,
                 CART("", "", "%s", "", SCAN)
                     PEOPLE("1", "300", "speed_of: arms.target, per_unit: [%s]"),
                 cases[i].limits, cases[i].per_unit);
        bench b;
        memset(&b, 0, sizeof b);
        if (load_for(text, &cart, &b.envelope) != GB_OK)
            fail_msg("%s", gb_error_message());
        double values[6] = {0}, proposal[6] = {0}, command[6];
        bench_rewind(&b);
        b.observation.values = values;
        b.input.proposal = proposal;
        double least = (1.6 + cases[i].speed) * (0.3 + cases[i].stop_s) + 0.4;
        for (int t = 0; t < 2; t++) {
            values[0] = values[1] = values[2] = least + (t ? -1e-6 : 1e-6);
            b.input.now_ns += TICK_NS;
            b.observation.sequence++;
            for (int s = 0; s < 3; s++)
                b.times[s] = b.input.now_ns;
            gb_envelope_tick(b.envelope, &b.input, command, &b.verdict);
            assert_mode(&b, t ? GB_MODE_BACKUP : GB_MODE_PASS);
        }
        bench_close(&b);
    }
    /* each of the columns needs both limits, and no other stream does */
#define ARMS "speed_of: arms.target, per_unit: [0.5]"
    no(CART("", "", ", velocity: [2]", "", SCAN) PEOPLE("1", "300", ARMS), "people.speed_of");
    no(CART("", "", "", "", SCAN) PEOPLE("1", "300", ARMS), "people.speed_of");
    yes(CART("", "", ", velocity: [2], acceleration: [8]", "", SCAN) PEOPLE("1", "300", ARMS));
    /* their jerk is in the stop already, not in the reaction */
    yes(CART("", "", ", velocity: [2], acceleration: [8], jerk: [1]", "", SCAN)
            PEOPLE("1", "60", ARMS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_distance_is_watched),
        cmocka_unit_test(braking_is_what_all_wheels_can),
        cmocka_unit_test(several_columns_have_no_jerk),
        cmocka_unit_test(what_is_left_to_rounding_ends_at_a_billionth),
        cmocka_unit_test(positions_stop_for_the_sum_of_their_speeds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
