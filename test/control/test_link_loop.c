/* The whole loop over links: a plant behind a bad network that is cut for a second. The envelope
 * takes over while nothing is heard, gives back afterwards, and the servo's ticks go on. */
#include "genba/control.h"

#include "link_fixture.h"

static const char table[] =
    "machine: pusht\n"
    "commands:\n"
    "  - {stream: agent.target, kind: position, unit: px, from: agent.position, low: [0, 0],\n"
    "     high: [512, 512], velocity: [20000], backup: {kind: hold}}\n"
    "sensors:\n"
    "  - {stream: agent.position, unit: px, max_age_ms: 200, low: [-512], high: [1024]}\n"
    "timing: {max_command_age_ms: 2000, late_ms: 900, late_ticks: 90}\n"
    "return: {good_ms: 50, at_rest: true}\n";

/* Stays where it is. */
static gb_status
stay(void *context, const double *observations, uint64_t seed, uint64_t tick, double *actions)
{
    (void)context;
    (void)seed;
    (void)tick;
    for (int i = 0; i < 8; i++)
        memcpy(actions + 2 * i, observations, 2 * sizeof(double));
    return GB_OK;
}

static gb_status make_stay(const void *context, const gb_plant_info *plant, gb_policy *out)
{
    (void)context;
    (void)plant;
    *out = (gb_policy){.look_back = 1, .horizon = 8, .execute = 4, .decide = stay};
    return GB_OK;
}

static void run_over(const char *here, const char *there)
{
    map_file map = write_map("plant: pusht\nsimulated: true\n");
    char envelope_path[128];
    snprintf(envelope_path, sizeof envelope_path, "%s/envelope.yaml", map.folder);
    OK(gb_file_replace(envelope_path, table, strlen(table)));
    gb_link *link = NULL;
    OK(gb_link_open(here, map.path, &link));
    gb_envelope *envelope = NULL;
    OK(gb_envelope_load(envelope_path, link->machine, link->machine->tick_ns, &envelope));
    served s = {.options = {.plant = "pusht",
                            .url = there,
                            .map_path = map.path,
                            .duration_ns = 5500000000LL,
                            .faults = {.drop = 0.05,
                                       .duplicate = 0.05,
                                       .reorder = 0.05,
                                       .corrupt = 0.05,
                                       .delay_ns = 5000000,
                                       .jitter_ns = 5000000,
                                       .cut_from_ns = 1000000000,
                                       .cut_ns = 1000000000,
                                       .seed = 11}}};
    serve_start(&s);
    gb_control_options options = gb_control_options_defaults();
    gb_control_result result;
    options.link = link;
    options.make = make_stay;
    options.envelope = envelope;
    options.seconds = 4;
    options.priority = 0;
    OK(gb_control_run(&options, &result));
    serve_join(&s);
    gb_link_counts c;
    link->ops->counts(link, &c);
    assert_true(result.ticks >= 390);
    assert_true(result.reasons[GB_LIMIT_OBSERVATION_AGE] > 10);
    assert_true(result.modes[GB_MODE_BACKUP] > 10);
    assert_int_equal(result.modes[GB_MODE_STOPPED], 0);
    /* At most 100 ticks were before the cut. */
    assert_true(result.modes[GB_MODE_PASS] + result.modes[GB_MODE_CLAMP] > 110);
    assert_true(c.lost > 0 && c.repeated > 0 && c.disordered > 0 && c.corrupt > 0);
    assert_int_equal(c.misshapen, 0);
    assert_true(s.counts.ticks > 100);
    gb_envelope_destroy(envelope);
    gb_link_close(link);
    unlink(envelope_path);
    remove_map(&map);
}

static void the_loop_lives_through_bad_udp(void **state)
{
    (void)state;
    char here[64], there[64];
    int a = free_port(SOCK_DGRAM), b = free_port(SOCK_DGRAM);
    snprintf(here, sizeof here, "udp://127.0.0.1:%d?listen=%d", b, a);
    snprintf(there, sizeof there, "udp://127.0.0.1:%d?listen=%d", a, b);
    run_over(here, there);
}

static void the_loop_lives_through_bad_shared_memory(void **state)
{
    (void)state;
    char url[64];
    snprintf(url, sizeof url, "shm://genba-loop-%d", (int)getpid());
    run_over(url, url);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_loop_lives_through_bad_udp),
        cmocka_unit_test(the_loop_lives_through_bad_shared_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
