/* The DDS link against a machine in another process: commands and observations both ways, and
 * every fault that a network or a machine has. Loopback only. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#ifdef GENBA_WITH_CYCLONEDDS
#include "dds_machine.h"

#include <math.h>

typedef struct rig {
    char tag[32];
    gb_link *link;
    pid_t machine;
    gb_observation seen;
    int64_t times_ns[8];
    double values[16];
} rig;

static const char domain[] = "87";

/* A link to an arm with joints a, b, c in its own order. */
static void open_rig(rig *r, const char *joints, const char *fault)
{
    static int runs;
    *r = (rig){0};
    snprintf(r->tag, sizeof r->tag, "genba_%d_%d", (int)getpid(), runs++);
    r->seen.time_ns = r->times_ns;
    r->seen.values = r->values;
    gb_link_map *map = dds_arm_map(r->tag, "a, b, c", "b, a, c");
    assert_non_null(map);
    if (gb_link_kind_dds.open(domain, map, &r->link) != GB_OK) {
        print_message("no DDS here (%s): skipped\n", gb_error_message());
        gb_link_map_destroy(map);
        skip();
    }
    if (joints)
        r->machine = dds_machine_start(domain, r->tag, joints, fault);
}

static void close_rig(rig *r)
{
    gb_link_close(r->link);
    dds_machine_stop(r->machine);
}

/* Runs the loop of a servo until `done`, at most 20 s: sends target, receives. */
static bool run_until(rig *r, const double target[3], bool (*done)(const rig *r))
{
    uint32_t faults = 0;
    for (int tick = 0; tick < 4000; tick++) {
        r->link->ops->send(r->link, target, (uint64_t)tick, gb_clock_monotonic_ns());
        r->link->ops->receive(r->link, &r->seen);
        faults |= r->seen.faults;
        if (done(r)) {
            r->seen.faults = faults;
            return true;
        }
        dds_sleep_ms(5);
    }
    return false;
}

/* Commands go b, a, c: the target {0.2, 0.1, 0.3} is a = 0.1, b = 0.2. */
static const double target[3] = {0.2, 0.1, 0.3};

static bool arrived(const rig *r)
{
    return r->seen.sequence && r->values[0] == 0.1 && r->values[1] == 0.2 && r->values[2] == 0.3;
}

static bool seen(const rig *r)
{
    return r->seen.sequence > 0;
}

static void commands_and_observations_go_both_ways(void **state)
{
    (void)state;
    rig r;
    open_rig(&r, "a, b, c", "none");
    assert_true(run_until(&r, target, arrived));
    /* rad/s in the message, deg/s in the map */
    double turns = r.values[3] * M_PI / 180;
    assert_true(turns > 0 && fabs(turns - round(turns)) < 1e-6);
    assert_true(r.times_ns[0] == r.times_ns[1] && r.times_ns[0] <= gb_clock_monotonic_ns());
    assert_int_equal(r.seen.faults, 0);
    gb_link_counts counts;
    r.link->ops->counts(r.link, &counts);
    assert_true(counts.received > 0 && counts.sent > 0 && counts.misshapen == 0);
    close_rig(&r);
}

static void names_may_come_in_another_order(void **state)
{
    (void)state;
    rig r;
    open_rig(&r, "c, a, b", "none"); /* the machine says c = a's place: its values move along */
    const double moved[3] = {0.3, 0.2, 0.1};
    /* the machine puts a, b, c = 0.2, 0.3, 0.1 into its places c, a, b */
    assert_true(run_until(&r, moved, seen));
    for (int i = 0; i < 400 && r.values[0] != 0.3; i++) {
        r.link->ops->receive(r.link, &r.seen);
        r.link->ops->send(r.link, moved, 0, 0);
        dds_sleep_ms(5);
    }
    assert_true(r.values[0] == 0.3 && r.values[1] == 0.1 && r.values[2] == 0.2);
    close_rig(&r);
}

int main(int argc, char **argv)
{
    setenv("CYCLONEDDS_URI", dds_loopback, 1);
    if (argc == 6)
        return dds_machine_main(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_and_observations_go_both_ways),
        cmocka_unit_test(names_may_come_in_another_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
static void there_is_no_cyclone_dds(void **state)
{
    (void)state;
    print_message("this build has no Cyclone DDS: skipped\n");
    skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(there_is_no_cyclone_dds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
