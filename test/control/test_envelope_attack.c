/* Each plant under attack, judged by code that shares nothing with the limiter. GENBA_TORTURE=1
 * runs the full million ticks; docs/safety.md has the figures. GENBA_MUTATION=1 is a short run, one
 * of many (mutate_envelope). */
#include "control/envelope_attack.h"
#include "control/envelope_machine.h"

static void nothing_outside_the_envelope_is_applied(void **state)
{
    (void)state;
    int64_t count = getenv("GENBA_TORTURE") ? 1000000 : getenv("GENBA_MUTATION") ? 4000 : 8000;
    int64_t modes[GB_MODE_STOPPED + 1] = {0};
    for (int i = 0; gb_plant_at(i); i++) {
        const gb_plant_info *info = gb_plant_at(i);
        char path[512];
        snprintf(path, sizeof path, "%s/examples/envelopes/%s.yaml", GENBA_SOURCE_DIR, info->name);
        if (!gb_file_exists(path))
            continue;
        attack_report report;
        if (attack_run(info->name, path, count, 1, &report) != GB_OK)
            fail_msg("%s", gb_error_message());
        if (report.violations > 0)
            fail_msg("%s: %lld violations; %s", info->name, (long long)report.violations,
                     report.first);
        assert_int_equal(report.avoidable, 0);
        for (int m = 0; m <= GB_MODE_STOPPED; m++)
            modes[m] += report.modes[m];
    }
    for (int m = 0; m <= GB_MODE_STOPPED; m++) /* the adversary got everywhere */
        assert_true(modes[m] > 0);
}

/* ---- random envelopes on a machine that is only described ---------------------------------------
 */

/* A new limit, from far too small to far too large. */
static double draw_limit(uint64_t *draws)
{
    return pow(10.0, 6.0 * (double)gb_random_uniform(5, 1, (*draws)++) - 3.0);
}

static void write_envelope(char *text, size_t bytes, uint64_t *draws)
{
    int order = (int)gb_random_below(5, 2, (*draws)++, 4);
    char lines[3][64] = {"", "", ""};
    static const char *const keys[] = {"velocity", "acceleration", "jerk"};
    for (int i = 0; i < order; i++)
        snprintf(lines[i], sizeof lines[i], "    %s: [%.9g, %.9g]\n", keys[i], draw_limit(draws),
                 draw_limit(draws));
    snprintf(text, bytes,
             HEAD ARM_POSITION "%s%s%s"
                               "  - {stream: base.speed, kind: velocity, unit: m/s, low: [-1], "
                               "high: [2], acceleration: [%.9g], jerk: [%.9g]}\n"
                               "  - {stream: grip.press, kind: force, unit: N, low: [0], high: "
                               "[30], rate: [%.9g]}\nsensors:\n" WATCH,
             lines[0], lines[1], lines[2], draw_limit(draws), draw_limit(draws), draw_limit(draws));
}

static void random_envelopes_are_kept(void **state)
{
    (void)state;
    uint64_t draws = 0;
    int envelopes = getenv("GENBA_TORTURE") ? 2000 : getenv("GENBA_MUTATION") ? 20 : 60;
    for (int e = 0; e < envelopes; e++) {
        char text[2048], path[64];
        write_envelope(text, sizeof text, &draws);
        snprintf(path, sizeof path, "/tmp/genba_attack_%d.yaml", (int)getpid());
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs(text, file);
        fclose(file);
        void *raw = NULL;
        bench b;
        bench_open(&b, text);
        assert_int_equal(gb_yaml_load(path, &gb_envelope_schema, &raw), GB_OK);
        unlink(path);
        attack_judge judge;
        attack_judge_open(&judge, &machine, raw);
        attack_judge_start(&judge, b.values);
        attack a = {.machine = &machine, .seed = (uint64_t)e};
        for (int t = 0; t < 1500; t++) {
            do
                attack_propose(&a, NULL, &judge);
            while (a.style == STYLE_TEACHER && (a.style_left = 0) == 0);
            memcpy(b.proposal, a.proposal, sizeof b.proposal);
            b.input.proposal = a.style == STYLE_CRASHED ? NULL : b.proposal;
            tick(&b);
            char wrong[256];
            if (attack_judge_command(&judge, b.command, NULL, wrong))
                fail_msg("envelope %d, tick %d: %s\n%s", e, t, wrong, text);
        }
        gb_yaml_free(&gb_envelope_schema, raw);
        bench_close(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_envelopes_are_kept),
        cmocka_unit_test(nothing_outside_the_envelope_is_applied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
