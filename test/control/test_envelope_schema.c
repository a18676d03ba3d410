/* Every mistake in an envelope file is refused before anything moves, and says where it is. */
#include "control/envelope_machine.h"

#define SENSORS "sensors:\n" WATCH
#define POSITION HEAD ARM_POSITION

/* People: what a good section says, with one line changed. */
#define PEOPLE_OF(distance, rest, speed_of)                                                        \
    GOOD "  - {stream: arm.angle, unit: rad, max_age_ms: 50}\npeople: {distance: " distance        \
         ", unit: rad, separation: 0.4, " rest ", speed_of: " speed_of "}\n"
#define MOTION "person_speed: 1.6, reaction_ms: 300, braking: 1.8"
#define PEOPLE(rest) PEOPLE_OF("arm.angle", rest, "base.speed, per_unit: [1]")

/* A workspace of two slides. */
#define SLIDES                                                                                     \
    "  chain: [{kind: slide, column: 0, axis: [1, 0, 0]}, {kind: slide, column: 1, axis: [0, 1, "  \
    "0]}]\n"
#define POINT "  points: [{link: 1}]\n"
#define BOX "  allowed: [{kind: box, low: [-1, -1, -1], high: [1, 1, 1]}]\n"
#define REGION_HEAD GOOD "workspace:\n  stream: arm.target\n  unit: m\n"
#define REGION(chain, points, zones) REGION_HEAD chain points zones

static const struct {
    const char *text;
    const char *says[3]; /* line and words that the message must have */
} mistakes[] = {
    {"", {":1:", "empty"}},
    {"machine: other\ncommands:\n" ARM BASE GRIP SENSORS, {":1:", "\"other\"", "\"bench\""}},
    {GOOD "extra: 1\n", {":16:", "unknown key \"extra\""}},
    {HEAD ARM GRIP SENSORS, {":3:", "base.speed", "m/s"}},
    {HEAD ARM BASE BASE GRIP SENSORS, {":13:", "commands[1]"}},
    {HEAD "  - {stream: arm.targe, kind: position, unit: rad, low: [0], high: [1]}\n" SENSORS,
     {":3:", "arm.targe", "arm.target, base.speed, grip.press"}},
    {HEAD "  - {stream: arm.target, kind: position, unit: deg, low: [0], high: [1]}\n" SENSORS,
     {":3:", "\"rad\"", "\"deg\""}},
    {HEAD
     "  - {stream: arm.target, kind: position, unit: rad, low: [0, 0, 0], high: [1]}\n" SENSORS,
     {":3:", "2 columns", "not 3"}},
    {HEAD "  - {stream: arm.target, kind: position, unit: rad, low: [1], high: [1]}\n" SENSORS,
     {":3:", "contradict"}},
    {HEAD "  - {stream: arm.target, kind: position, unit: rad, low: [-11], high: [1]}\n" SENSORS,
     {":3:", "below the machine's own limit -10"}},
    {HEAD "  - {stream: arm.target, kind: position, unit: rad, low: [1], high: [11]}\n" SENSORS,
     {":3:", "above the machine's own limit 10"}},
    {HEAD "  - {stream: arm.target, kind: position, unit: rad, low: [0], high: [1]}\n" SENSORS,
     {":3:", "from:"}},
    {HEAD "  - {stream: arm.target, kind: position, unit: rad, low: [0], high: [1], "
          "from: grip.force}\n" SENSORS,
     {":3:", "grip.force", "2 in \"rad\""}},
    {HEAD "  - {stream: arm.target, kind: position, unit: rad, low: [0], high: [1], "
          "from: grip.forc}\n" SENSORS,
     {":3:", "grip.forc", "arm.position"}},
    {HEAD ARM BASE GRIP "sensors:\n  - {stream: grip.force, unit: N, max_age_ms: 50}\n",
     {":6:", "watched"}},
    {POSITION "    velocity: [0]\n" SENSORS, {":9:", "positive"}},
    {POSITION "    velocity: [-1]\n" SENSORS, {":9:", "positive"}},
    {POSITION "    velocity: [1e16]\n" SENSORS, {":9:", "1e15"}},
    {POSITION "    velocity: [-1e16]\n" SENSORS, {":9:", "1e15"}},
    {POSITION "    velocity: [1e-12]\n" SENSORS, {":9:", "positive"}},
    {POSITION "    acceleration: [1]\n" SENSORS, {":9:", "\"velocity\""}},
    {POSITION "    velocity: [1]\n    jerk: [1]\n" SENSORS, {":10:", "\"acceleration\""}},
    {POSITION "    rate: [1]\n" SENSORS, {":9:", "forces"}},
    {HEAD "  - {stream: base.speed, kind: velocity, unit: m/s, low: [-1], high: [1], velocity: "
          "[1]}\n" SENSORS,
     {":3:", "low"}},
    {HEAD "  - {stream: base.speed, kind: velocity, unit: m/s, low: [-1], high: [1], rate: "
          "[1]}\n" SENSORS,
     {":3:", "acceleration"}},
    {HEAD "  - {stream: base.speed, kind: velocity, unit: m/s, low: [0.5], high: [1]}\n" SENSORS,
     {":3:", "never stop"}},
    {HEAD "  - {stream: base.speed, kind: velocity, unit: m/s, low: [-2], high: [-1]}\n" SENSORS,
     {":3:", "never stop"}},
    {HEAD "  - {stream: grip.press, kind: force, unit: N, low: [0], high: [1], acceleration: "
          "[1]}\n" SENSORS,
     {":3:", "rate"}},
    {HEAD "  - {stream: grip.press, kind: push, unit: N, low: [0], high: [1]}\n" SENSORS,
     {":3:", "push", "position, velocity, force"}},
    {POSITION "    backup: {kind: brake}\n" SENSORS, {":9:", "holds or retreats"}},
    {HEAD "  - {stream: grip.press, kind: force, unit: N, low: [0], high: [1], backup: {kind: "
          "retreat, to: [0]}}\n" SENSORS,
     {":3:", "no posture"}},
    {HEAD "  - {stream: base.speed, kind: velocity, unit: m/s, low: [0], high: [1], backup: {kind: "
          "hold}}\n" SENSORS,
     {":3:", "only \"brake\""}},
    {POSITION "    backup: {kind: hold, to: [0]}\n" SENSORS, {":9:", "retreat"}},
    {POSITION "    backup: {kind: hold, speed: 1}\n" SENSORS, {":9:", "retreat"}},
    {POSITION "    backup: {kind: retreat}\n" SENSORS, {":9:", "where to retreat"}},
    {POSITION "    backup: {kind: retreat, to: [-1.01, 0]}\n" SENSORS, {":9:", "outside -1 to 1"}},
    {POSITION "    backup: {kind: retreat, to: [1.01, 0]}\n" SENSORS, {":9:", "outside -1 to 1"}},
    {POSITION "    backup: {kind: retreat, to: [0], speed: 0.5}\n" SENSORS, {":9:", "velocity"}},
    {POSITION "    velocity: [1]\n    backup: {kind: retreat, to: [0], speed: 0}\n" SENSORS,
     {":10:", "above 0"}},
    {POSITION "    velocity: [1]\n    backup: {kind: retreat, to: [0], speed: 1.1}\n" SENSORS,
     {":10:", "at most 1"}},
    {HEAD ARM BASE GRIP "sensors:\n  - {stream: arm.pos, unit: rad, max_age_ms: 50}\n",
     {":15:", "arm.pos", "arm.position, base.velocity"}},
    {HEAD ARM BASE GRIP "sensors:\n  - {stream: arm.position, unit: deg, max_age_ms: 50}\n",
     {":15:", "\"deg\""}},
    {GOOD WATCH, {":16:", "sensors[0]"}},
    {HEAD ARM BASE GRIP "sensors:\n  - {stream: arm.position, unit: rad, max_age_ms: 0}\n",
     {":15:", "above 0"}},
    {HEAD ARM BASE GRIP "sensors:\n  - {stream: arm.position, unit: rad, max_age_ms: 2e9}\n",
     {":15:", "1e9"}},
    {HEAD ARM BASE GRIP "sensors:\n  - {stream: arm.position, unit: rad, max_age_ms: 9.99}\n",
     {":15:", "tick of 10 ms"}},
    {HEAD ARM BASE GRIP "sensors:\n  - {stream: arm.position, unit: rad}\n",
     {":15:", "max_age_ms"}},
    {HEAD ARM BASE GRIP
     "sensors:\n  - {stream: arm.position, unit: rad, max_age_ms: 50, stuck_ms: 49}\n",
     {":15:", "at least max_age_ms"}},
    {HEAD ARM BASE GRIP
     "sensors:\n  - {stream: arm.position, unit: rad, max_age_ms: 50, low: [2], high: [1]}\n",
     {":15:", "contradict"}},
    {HEAD ARM BASE GRIP
     "sensors:\n  - {stream: arm.position, unit: rad, max_age_ms: 50, max_step: [0]}\n",
     {":15:", "positive"}},
    {HEAD ARM BASE GRIP
     "sensors:\n  - {stream: arm.position, unit: rad, max_age_ms: 50, max_force: [-1]}\n",
     {":15:", "positive"}},
    {GOOD "timing: {late_ticks: 3}\n", {":16:", "late_ms"}},
    {GOOD "timing: {late_ms: 1, late_ticks: -1}\n", {":16:", "0 to 1000000"}},
    {GOOD "timing: {late_ms: 1, late_ticks: 1000001}\n", {":16:", "0 to 1000000"}},
    {GOOD "timing: {max_command_age_ms: -1}\n", {":16:", "above 0"}},
    {GOOD "timing: {late_ms: .nan}\n", {":16:", "late_ms"}},
    {GOOD "return: {good_ms: 0}\n", {":16:", "above 0"}},
    {GOOD "return: {margin: 1}\n", {":16:", "below 1"}},
    {GOOD "return: {margin: -0.1}\n", {":16:", "from 0"}},
    {PEOPLE_OF("arm.angl", MOTION, "base.speed, per_unit: [1]"), {":17:", "arm.angl"}},
    {PEOPLE_OF("grip.force", MOTION, "base.speed, per_unit: [1]"), {":17:", "\"N\"", "\"rad\""}},
    {GOOD "people: {distance: arm.angle, unit: rad, separation: 0.4, " MOTION
          ", speed_of: base.speed, per_unit: [1]}\n",
     {":16:", "watched"}},
    {PEOPLE("person_speed: 0, reaction_ms: 300, braking: 1.8"), {":17:", "above 0"}},
    {PEOPLE("person_speed: 1, reaction_ms: 0, braking: 1.8"), {":17:", "above 0"}},
    {PEOPLE("person_speed: 1e-9, reaction_ms: 300, braking: 1.8"), {":17:", "person_speed"}},
    {PEOPLE("person_speed: 1e9, reaction_ms: 300, braking: 1.8"), {":17:", "person_speed"}},
    {PEOPLE("person_speed: 1, reaction_ms: 300, braking: 0"), {":17:", "above 0"}},
    {PEOPLE(MOTION ", standing: 0"), {":17:", "people.standing", "above 0"}},
    {PEOPLE(MOTION ", footprint: -1"), {":17:", "people.footprint", "above 0"}},
    /* 50 ms of age, 10 ms of tick, twice 2 m/s^2 by 20 m/s^3: 260 ms */
    {PEOPLE("person_speed: 1, reaction_ms: 259.9, braking: 1.8"), {":17:", "at least 260 ms"}},
    {PEOPLE("person_speed: 1, reaction_ms: 300, braking: 2.01"), {":17:", "allows 2 at most"}},
    {PEOPLE_OF("arm.angle", MOTION, "base.spee, per_unit: [1]"), {":17:", "base.spee"}},
    {PEOPLE_OF("arm.angle", MOTION, "base.speed, per_unit: [0]"), {":17:", "per_unit", "above 0"}},
    {PEOPLE_OF("arm.angle", MOTION, "base.speed, per_unit: [1, 1]"), {":17:", "1 column"}},
    {PEOPLE_OF("arm.angle", MOTION, "grip.press, per_unit: [1]"), {":17:", "force"}},
    {HEAD ARM_POSITION "    velocity: [1]\n" BASE GRIP SENSORS
                       "people: {distance: arm.position, unit: rad, separation: 0.4, " MOTION
                       ", speed_of: arm.target, per_unit: [1]}\n",
     {":14:", "acceleration"}},
    {REGION(SLIDES, POINT, ""), {":17:", "allowed"}},
    {REGION(SLIDES, "  points: [{link: 2}]\n", BOX), {":20:", "0 to 1"}},
    {REGION(SLIDES, "  points: [{link: -1}]\n", BOX), {":20:", "0 to 1"}},
    {REGION(SLIDES, "  points: [{link: 0, radius: -0.1}]\n", BOX), {":20:", "0 or more"}},
    {REGION(SLIDES, "  points: [{link: 0, at: [1, 2]}]\n", BOX), {":20:", "exactly 3"}},
    {REGION(SLIDES, "  points: [{link: 0, at: [1, 2, 1e10]}]\n", BOX), {":20:", "1e9"}},
    {REGION("  chain: [{kind: slide, column: 2, axis: [1, 0, 0]}]\n", POINT, BOX),
     {":19:", "0 to 1"}},
    {REGION("  chain: [{kind: slide, column: -1, axis: [1, 0, 0]}]\n", POINT, BOX),
     {":19:", "0 to 1"}},
    {REGION("  chain: [{kind: slide, column: 0, axis: [0, 0, 0]}]\n", POINT, BOX),
     {":19:", "direction"}},
    {REGION("  chain: [{kind: bend, column: 0, axis: [0, 0, 1]}]\n", POINT, BOX),
     {":19:", "turn, slide"}},
    {REGION("  chain: [{kind: turn, column: 0, axis: [0, 0, 1]}, {kind: turn, column: 0, axis: [0, "
            "0, 1]}]\n",
            POINT,
            BOX),
     {":19:", "chain[0]"}},
    {GOOD "workspace:\n  stream: base.speed\n  unit: m\n" SLIDES POINT BOX,
     {":17:", "does not command positions"}},
    {GOOD "workspace:\n  stream: arm\n  unit: m\n" SLIDES POINT BOX, {":17:", "arm.target"}},
    {HEAD ARM_POSITION BASE GRIP SENSORS
     "workspace:\n  stream: arm.target\n  unit: m\n" SLIDES POINT BOX,
     {":16:", "\"velocity\""}},
    {REGION(SLIDES, POINT, BOX "  tracking: -1\n"), {":22:", "0 or more"}},
    {REGION(SLIDES, POINT, "  allowed: [{kind: box, low: [0, 0, 0], high: [1, 1, 0]}]\n"),
     {":21:", "not below"}},
    {REGION(SLIDES, POINT, "  allowed: [{kind: box, low: [0, 0, 0]}]\n"), {":21:", "high"}},
    {REGION(SLIDES, POINT, "  allowed: [{kind: box, high: [0, 0, 0]}]\n"), {":21:", "low"}},
    {REGION(
         SLIDES, POINT, "  allowed: [{kind: box, low: [0, 0, 0], high: [1, 1, 1], radius: 1}]\n"),
     {":21:", "nothing else"}},
    {REGION(SLIDES,
            POINT,
            "  allowed: [{kind: box, low: [0, 0, 0], high: [1, 1, 1], from: [0, 0, 0]}]\n"),
     {":21:", "nothing else"}},
    {REGION(SLIDES,
            POINT,
            "  allowed: [{kind: box, low: [0, 0, 0], high: [1, 1, 1], to: [0, 0, 0]}]\n"),
     {":21:", "nothing else"}},
    {REGION(SLIDES,
            POINT,
            "  allowed: [{kind: cylinder, from: [0, 0, 0], to: [1, 1, 1], radius: 1}]\n"),
     {":21:", "boxes"}},
    {REGION(SLIDES, POINT, "  keep_out: [{kind: cylinder, from: [0, 0, 0], to: [1, 1, 1]}]\n"),
     {":21:", "radius"}},
    {REGION(SLIDES, POINT, "  keep_out: [{kind: cylinder, from: [0, 0, 0], radius: 1}]\n"),
     {":21:", "\"to\""}},
    {REGION(SLIDES, POINT, "  keep_out: [{kind: cylinder, to: [0, 0, 0], radius: 1}]\n"),
     {":21:", "\"from\""}},
    {REGION(SLIDES,
            POINT,
            "  keep_out: [{kind: cylinder, from: [0, 0, 0], to: [1, 1, 1], radius: 0}]\n"),
     {":21:", "above 0"}},
    {REGION(SLIDES,
            POINT,
            "  keep_out: [{kind: cylinder, from: [0, 0, 1], to: [0, 0, 1], radius: 1}]\n"),
     {":21:", "no length"}},
    {REGION(SLIDES,
            POINT,
            "  keep_out: [{kind: cylinder, from: [0, 0, 0], to: [0, 0, 1], radius: 1, low: [0, 0, "
            "0]}]\n"),
     {":21:", "nothing else"}},
    {REGION(SLIDES,
            POINT,
            "  keep_out: [{kind: cylinder, from: [0, 0, 0], to: [0, 0, 1], radius: 1, high: [0, 0, "
            "0]}]\n"),
     {":21:", "nothing else"}},
};

static void mistakes_are_refused_and_named(void **state)
{
    (void)state;
    int wrong = 0;
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        gb_envelope *envelope = (void *)&envelope;
        gb_status status = load_text(mistakes[i].text, &envelope);
        if (status != GB_ERR_SCHEMA && ++wrong)
            print_message("mistake %zu: status %s: %s\n", i, gb_status_name(status),
                          gb_error_message());
        assert_ptr_equal(envelope, &envelope); /* untouched */
        for (int w = 0; w < 3 && mistakes[i].says[w]; w++)
            if (!strstr(gb_error_message(), mistakes[i].says[w]) && ++wrong)
                print_message("mistake %zu: \"%s\" lacks \"%s\"\n", i, gb_error_message(),
                              mistakes[i].says[w]);
    }
    assert_int_equal(wrong, 0);
}

static void values_at_their_bounds_are_accepted(void **state)
{
    (void)state;
    static const char *const texts[] = {
        GOOD,
        GOOD "timing: {late_ms: 1, late_ticks: 0, max_command_age_ms: 1e9}\nreturn: {margin: 0}\n",
        GOOD "timing: {late_ms: 1, late_ticks: 1000000}\n",
        HEAD ARM_POSITION "    velocity: [1e15, 1.1e-12]\n" BASE GRIP SENSORS,
        PEOPLE("person_speed: 1, reaction_ms: 260, braking: 2"),
        HEAD ARM BASE GRIP SENSORS "people: {distance: arm.position, unit: rad, separation: 0.4, "
                                   "person_speed: 1, reaction_ms: 60, braking: 2, speed_of: "
                                   "arm.target, per_unit: [1]}\n",
        REGION(SLIDES, "  points: [{link: 0, radius: 0}, {link: 1}]\n", BOX "  tracking: 0\n"),
        HEAD ARM "    backup: {kind: retreat, to: [-1, 2], speed: 1}\n" BASE GRIP SENSORS,
        HEAD ARM "    backup: {kind: retreat, to: [1, -2]}\n" BASE GRIP SENSORS,
        HEAD ARM BASE GRIP
        "sensors:\n  - {stream: arm.position, unit: rad, max_age_ms: 10, stuck_ms: 10}\n",
        HEAD "  - {stream: arm.target, kind: position, unit: rad, low: [-10], high: [10], from: "
             "arm.position}\n  - {stream: base.speed, kind: velocity, unit: m/s, low: [0], high: "
             "[1]}\n  - {stream: grip.press, kind: force, unit: N, low: [-1], high: [0]}\n" SENSORS,
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        gb_envelope *envelope = NULL;
        if (load_text(texts[i], &envelope) != GB_OK)
            fail_msg("text %zu: %s", i, gb_error_message());
        gb_envelope_destroy(envelope);
    }
}

static void arguments_are_checked(void **state)
{
    (void)state;
    gb_envelope *envelope = NULL;
    assert_int_equal(gb_envelope_load(NULL, &machine, TICK_NS, &envelope), GB_ERR_ARGUMENT);
    assert_int_equal(gb_envelope_load("x", NULL, TICK_NS, &envelope), GB_ERR_ARGUMENT);
    assert_int_equal(gb_envelope_load("x", &machine, 999, &envelope), GB_ERR_ARGUMENT);
    assert_int_equal(gb_envelope_load("x", &machine, 1000000000001, &envelope), GB_ERR_ARGUMENT);
    assert_int_equal(gb_envelope_load("/nonexistent.yaml", &machine, TICK_NS, &envelope),
                     GB_ERR_IO);
    gb_envelope_destroy(NULL);
}

static void ticks_from_a_microsecond_to_a_thousand_seconds_are_fine(void **state)
{
    (void)state;
    static const char text[] =
        HEAD ARM BASE GRIP "sensors:\n  - {stream: arm.position, unit: rad, max_age_ms: 1e9}\n";
    char path[64];
    snprintf(path, sizeof path, "/tmp/genba_envelope_ticks_%d.yaml", (int)getpid());
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    static const int64_t ticks_ns[] = {1000, 1000000000000};
    for (int i = 0; i < 2; i++) {
        gb_envelope *envelope = NULL;
        if (gb_envelope_load(path, &machine, ticks_ns[i], &envelope) != GB_OK)
            fail_msg("%s", gb_error_message());
        gb_envelope_destroy(envelope);
    }
    unlink(path);
}

/* The list of streams in a message ends where its room does. */
static void a_machine_with_many_streams_is_listed_as_far_as_there_is_room(void **state)
{
    (void)state;
    enum {
        MANY = 30
    };
    static char names[MANY][40];
    gb_plant_stream streams[MANY];
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "a.stream.with.a.rather.long.name.%d", i);
        streams[i] = machine_actions[1];
        streams[i].spec.name = names[i];
    }
    gb_plant_info many = machine;
    many.action_streams = streams;
    many.action_stream_count = MANY;
    many.action_size = MANY;
    gb_envelope *envelope = NULL;
    assert_int_equal(load_for(HEAD BASE SENSORS, &many, &envelope), GB_ERR_SCHEMA);
    assert_non_null(strstr(gb_error_message(), "has: a.stream.with.a.rather.long.name.0, a.str"));
}

static void the_hash_is_of_the_file(void **state)
{
    (void)state;
    gb_envelope *one = NULL;
    assert_int_equal(load_text(GOOD, &one), GB_OK);
    unsigned char hash[GB_HASH_BYTES];
    gb_hash(GOOD, strlen(GOOD), hash);
    assert_memory_equal(gb_envelope_hash(one), hash, sizeof hash);
    gb_envelope_destroy(one);
}

static void names_are_readable(void **state)
{
    (void)state;
    assert_string_equal(gb_limit_name(GB_LIMIT_POSITION), "position");
    assert_string_equal(gb_limit_name(GB_LIMIT_EMERGENCY_STOP), "emergency_stop");
    assert_string_equal(gb_limit_name(GB_LIMIT_COUNT), "?");
    assert_string_equal(gb_limit_name((gb_limit)-1), "?");
    assert_string_equal(gb_envelope_mode_name(GB_MODE_STOPPED), "stopped");
    assert_string_equal(gb_envelope_mode_name((gb_envelope_mode)(GB_MODE_STOPPED + 1)), "?");
}

/* Every example fits the machine that it is for. */
static void examples_load(void **state)
{
    (void)state;
    for (int i = 0; gb_plant_at(i); i++) {
        const gb_plant_info *info = gb_plant_at(i);
        char path[512];
        snprintf(path, sizeof path, "%s/examples/envelopes/%s.yaml", GENBA_SOURCE_DIR, info->name);
        gb_envelope *envelope = NULL;
        if (!gb_file_exists(path)) /* not written yet */
            continue;
        if (gb_envelope_load(path, info, info->tick_ns, &envelope) != GB_OK)
            fail_msg("%s", gb_error_message());
        gb_envelope_destroy(envelope);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_are_refused_and_named),
        cmocka_unit_test(values_at_their_bounds_are_accepted),
        cmocka_unit_test(arguments_are_checked),
        cmocka_unit_test(ticks_from_a_microsecond_to_a_thousand_seconds_are_fine),
        cmocka_unit_test(a_machine_with_many_streams_is_listed_as_far_as_there_is_room),
        cmocka_unit_test(the_hash_is_of_the_file),
        cmocka_unit_test(names_are_readable),
        cmocka_unit_test(examples_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
