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
#include "link_fixture.h"

#include "no_malloc.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <sys/socket.h>

/* Debian's Cyclone is not instrumented, so the thread sanitizer sees none of its atomics; a stop
 * flag is a volatile int, which signal handlers may set. */
const char *__tsan_default_suppressions(void);
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:libddsc.so\nrace:libddsc.so\nrace:is_over\n";
}

static _Thread_local long locks; /* taken by this thread */

#if COUNTS_MALLOC
int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    int (*lock)(pthread_mutex_t *);
    void *next = dlsym(RTLD_NEXT, "pthread_mutex_lock");
    memcpy(&lock, &next, sizeof lock);
    locks++;
    return lock(mutex);
}
#endif

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

static bool something(const rig *r)
{
    return r->seen.sequence > 0;
}

static bool many(const rig *r)
{
    return r->seen.sequence > 50;
}

static void commands_and_observations_go_both_ways(void **state)
{
    (void)state;
    rig r;
    open_rig(&r, "a, b, c", "none");
    assert_true(run_until(&r, target, arrived));
    /* rad/s in the message, deg/s in the map */
    double turns = r.values[3] * M_PI / 180;
    assert_true(turns >= 0 && fabs(turns - round(turns)) < 1e-6);
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
    assert_true(run_until(&r, moved, something));
    for (int i = 0; i < 400 && r.values[0] != 0.3; i++) {
        r.link->ops->receive(r.link, &r.seen);
        r.link->ops->send(r.link, moved, 0, 0);
        dds_sleep_ms(5);
    }
    assert_true(r.values[0] == 0.3 && r.values[1] == 0.1 && r.values[2] == 0.2);
    close_rig(&r);
}

/* ---- every type ---------------------------------------------------------------------------------
 */

static const char all_types[] =
    "name: all\nrate_hz: 100\n"
    "observations:\n"
    "  - {name: joints, unit: rad, topic: /TAG/j, type: JointState, shape: [3]}\n"
    "  - {name: turn, unit: \"1\", topic: /TAG/i, type: Imu, field: orientation,\n"
    "     columns: [w, x, y, z]}\n"
    "  - {name: rate, unit: rad/s, topic: /TAG/i, type: Imu, field: angular_velocity,\n"
    "     shape: [3]}\n"
    "  - {name: scan, unit: m, topic: /TAG/s, type: LaserScan, shape: [4], low: [0],\n"
    "     high: [16]}\n"
    "  - {name: picture, unit: \"1\", topic: /TAG/p, type: Image, shape: [2, 1, 3]}\n"
    "  - {name: speed, unit: m/s, topic: /TAG/t, type: Twist, columns: [linear.x]}\n"
    "  - {name: plan, unit: rad, topic: /TAG/r, type: JointTrajectory, columns: [q]}\n"
    "  - {name: array, unit: N, topic: /TAG/a, type: Float64MultiArray, shape: [2]}\n"
    "actions:\n"
    "  - {name: drive, unit: m/s, topic: /TAG/d, type: Twist, columns: [linear.x]}\n"
    "  - {name: spin, unit: rad/s, topic: /TAG/d, type: Twist, columns: [angular.z]}\n"
    "  - {name: stamped, unit: m/s, topic: /TAG/e, type: TwistStamped, field: linear,\n"
    "     shape: [3]}\n"
    "  - {name: push, unit: N.m, topic: /TAG/f, type: JointState, field: effort,\n"
    "     columns: [left, right]}\n";

static gb_link_map *all_types_map(const char *tag)
{
    char text[4096], *to = text;
    for (const char *from = all_types; *from; from++)
        if (strncmp(from, "TAG", 3) == 0) {
            to += sprintf(to, "%s", tag);
            from += 2;
        } else
            *to++ = *from;
    gb_link_map *map = NULL;
    if (gb_link_map_parse("all.yaml", text, (size_t)(to - text), &map) != GB_OK)
        fail_msg("%s", gb_error_message());
    return map;
}

static bool received(gb_dds_end *end, double *values)
{
    int64_t times_ns[16];
    uint64_t sequence;
    uint32_t faults;
    for (int i = 0; i < 1000; i++) {
        if (gb_dds_end_receive(end, values, times_ns, &sequence, &faults))
            return faults == 0;
        dds_sleep_ms(5);
    }
    return false;
}

static void every_type_goes_there_and_back(void **state)
{
    (void)state;
    char tag[32];
    snprintf(tag, sizeof tag, "genba_all_%d", (int)getpid());
    gb_link_map *here = all_types_map(tag), *there = all_types_map(tag);
    gb_dds_end *controller = NULL, *machine = NULL;
    if (gb_dds_end_open(domain, here, GB_DDS_CONTROLLER, &controller) != GB_OK) {
        gb_link_map_destroy(here);
        gb_link_map_destroy(there);
        print_message("no DDS here (%s): skipped\n", gb_error_message());
        skip();
    }
    assert_int_equal(gb_dds_end_open(domain, there, GB_DDS_MACHINE, &machine), GB_OK);
    for (int i = 0; i < 1000 && gb_dds_end_peers(machine) < 10; i++)
        dds_sleep_ms(5);
    const double seen_there[] = {1, 2,   3, 0.5, 0.5, -0.5, 0.5, 7, 8,    9,     0.25, 16,
                                 0, 3.5, 0, 255, 1,   2,    3,   4, -1.5, 0.125, 1e9,  -1e-9};
    const double command[] = {0.75, -2, 1, 2, 3, 10, -20};
    double values[32];
    assert_int_equal(gb_dds_end_write(machine, seen_there, gb_clock_wall_ns()), GB_OK);
    assert_true(received(controller, values));
    assert_memory_equal(values, seen_there, sizeof seen_there);
    gb_dds_end_send(controller, command);
    assert_true(received(machine, values));
    assert_memory_equal(values, command, sizeof command);
    gb_dds_end_close(controller);
    gb_dds_end_close(machine);
    gb_link_map_destroy(here);
    gb_link_map_destroy(there);
}

/* ---- faults -------------------------------------------------------------------------------------
 */

static gb_link_counts counts_of(const rig *r)
{
    gb_link_counts counts;
    r->link->ops->counts(r->link, &counts);
    return counts;
}

static void what_comes_twice_or_late_is_dropped(void **state)
{
    (void)state;
    rig r;
    open_rig(&r, "a, b, c", "duplicate");
    assert_true(run_until(&r, target, arrived));
    assert_true(run_until(&r, target, many));
    assert_true(r.seen.faults & GB_FAULT_ORDER);
    assert_true(counts_of(&r).repeated > 0);
    close_rig(&r);
    open_rig(&r, "a, b, c", "reorder");
    assert_true(run_until(&r, target, many));
    assert_true(r.seen.faults & GB_FAULT_ORDER);
    assert_true(counts_of(&r).disordered > 0);
    close_rig(&r);
}

static void what_is_dropped_or_delayed_shows_its_age(void **state)
{
    (void)state;
    rig r;
    open_rig(&r, "a, b, c", "drop");
    assert_true(run_until(&r, target, arrived));
    close_rig(&r);
    open_rig(&r, "a, b, c", "delay");
    assert_true(run_until(&r, target, arrived));
    assert_true(gb_clock_monotonic_ns() - r.times_ns[0] >= 50000000); /* the stamp says so */
    close_rig(&r);
}

/* The map says that the machine's clock is ours. Where it is not, nobody knows an age, and none may
 * pass for young: whatever waited on its way would. */
static void a_clock_that_is_not_ours_is_not_believed(void **state)
{
    (void)state;
    static const char *const faults[] = {"ahead", "unstamped"};
    for (int i = 0; i < 2; i++) {
        rig r;
        open_rig(&r, "a, b, c", faults[i]);
        assert_true(run_until(&r, target, arrived));
        assert_true(gb_clock_monotonic_ns() - r.times_ns[0] >= 3000000000000);
        close_rig(&r);
    }
}

static void lost_packets_do_not_hold_up_others(void **state)
{
    (void)state;
    rig r;
    open_rig(&r, "a, b, c", "lossy");
    assert_true(run_until(&r, target, arrived));
    assert_true(run_until(&r, target, many));
    close_rig(&r);
}

static bool seen_nan(const rig *r)
{
    return r->seen.sequence && isnan(r->values[1]);
}

static void nan_reaches_the_envelope_as_nan(void **state)
{
    (void)state;
    rig r;
    open_rig(&r, "a, b, c", "corrupt");
    assert_true(run_until(&r, target, seen_nan));
    assert_true(run_until(&r, target, arrived)); /* and good ones still come */
    close_rig(&r);
}

static bool flagged(const rig *r)
{
    return r->seen.faults & GB_FAULT_SHAPE;
}

static void missing_joints_are_flagged(void **state)
{
    (void)state;
    rig r;
    open_rig(&r, "a, b, d", "none");
    assert_true(run_until(&r, target, flagged));
    assert_int_equal(r.seen.sequence, 0);
    assert_true(counts_of(&r).misshapen > 0);
    close_rig(&r);
}

static void a_silent_machine_ages_and_comes_back(void **state)
{
    (void)state;
    rig r;
    open_rig(&r, "a, b, c", "silent");
    assert_true(run_until(&r, target, something));
    int64_t longest_ns = 0, before_ns = r.times_ns[0];
    for (int i = 0; i < 4000 && longest_ns < 800000000; i++) {
        r.link->ops->receive(r.link, &r.seen);
        if (r.times_ns[0] - before_ns > longest_ns)
            longest_ns = r.times_ns[0] - before_ns;
        before_ns = r.times_ns[0];
        dds_sleep_ms(5);
    }
    assert_true(longest_ns >= 800000000);
    assert_true(run_until(&r, target, arrived));
    close_rig(&r);
}

static void a_machine_may_die_and_return(void **state)
{
    (void)state;
    rig r;
    open_rig(&r, NULL, NULL); /* the link is first, the machine joins late */
    dds_sleep_ms(300);
    assert_int_equal(r.seen.sequence, 0);
    for (int life = 0; life < 2; life++) {
        r.machine = dds_machine_start(domain, r.tag, "a, b, c", "none");
        memset(r.values, 0, sizeof r.values);
        assert_true(run_until(&r, target, arrived));
        dds_machine_stop(r.machine); /* no farewell */
        r.machine = 0;
    }
    close_rig(&r);
}

static void other_domains_are_not_heard(void **state)
{
    (void)state;
    rig r;
    open_rig(&r, NULL, NULL);
    r.machine = dds_machine_start("88", r.tag, "a, b, c", "none");
    for (int i = 0; i < 100; i++) {
        r.link->ops->receive(r.link, &r.seen);
        dds_sleep_ms(10);
    }
    assert_int_equal(r.seen.sequence, 0);
    assert_int_equal(counts_of(&r).received, 0);
    close_rig(&r);
}

/* Random bytes, half of them behind a sound RTPS header, at every port that this domain has. */
static void noise_on_the_ports_changes_nothing(void **state)
{
    (void)state;
    rig r;
    open_rig(&r, "a, b, c", "none");
    assert_true(run_until(&r, target, arrived));
    int noise = socket(AF_INET, SOCK_DGRAM, 0);
    assert_true(noise >= 0);
    for (uint64_t i = 0; i < 4000; i++) {
        unsigned char bytes[256];
        for (size_t k = 0; k < sizeof bytes; k++)
            bytes[k] = (unsigned char)gb_random_below(7, 0, i * sizeof bytes + k, 256);
        if (i % 2)
            memcpy(bytes, "RTPS\2\1\1\20", 8);
        if (i % 4 == 1) { /* DATA, and the rest */
            bytes[20] = 0x15;
            bytes[21] = 5;
        }
        struct sockaddr_in to = {.sin_family = AF_INET,
                                 .sin_addr = {htonl(INADDR_LOOPBACK)},
                                 .sin_port = htons((uint16_t)(7400 + 250 * 87 + i % 40))};
        (void)sendto(noise, bytes, 32 + i % 224, 0, (const struct sockaddr *)&to, sizeof to);
    }
    close(noise);
    memset(r.values, 0, sizeof r.values);
    assert_true(run_until(&r, target, arrived));
    assert_true(r.seen.faults & GB_FAULT_CORRUPT);
    assert_true(counts_of(&r).corrupt > 0);
    assert_true(r.times_ns[0] <= gb_clock_monotonic_ns());
    close_rig(&r);
}

/* `genba machine` over DDS, with all faults at once. */
static void a_plant_plays_the_machine(void **state)
{
    (void)state;
    char text[1024], tag[32];
    snprintf(tag, sizeof tag, "genba_play_%d", (int)getpid());
    snprintf(text, sizeof text,
             "plant: pusht\nsimulated: true\nobservations:\n"
             "  - {name: agent.position, topic: /%s/a, type: JointState, columns: [x, y]}\n"
             "  - {name: block.position, topic: /%s/b, type: TwistStamped, field: linear,\n"
             "     columns: [x, y]}\n"
             "  - {name: block.angle, topic: /%s/c, type: Float64MultiArray}\n"
             "actions:\n"
             "  - {name: agent.target, topic: /%s/t, type: JointTrajectory, columns: [x, y]}\n",
             tag, tag, tag, tag);
    map_file map = write_map(text);
    gb_link *link = NULL;
    if (gb_link_open("dds://87", map.path, &link) != GB_OK) {
        print_message("no DDS here (%s): skipped\n", gb_error_message());
        remove_map(&map);
        skip();
    }
    volatile int stop = 0;
    served machine = {.options = {.plant = "pusht",
                                  .url = "dds://87",
                                  .map_path = map.path,
                                  .faults = {.drop = 0.1,
                                             .duplicate = 0.1,
                                             .reorder = 0.1,
                                             .corrupt = 0.1,
                                             .jitter_ns = 5000000,
                                             .seed = 1},
                                  .stop = &stop}};
    serve_start(&machine);
    seen s;
    seen_init(&s);
    const double goal[2] = {256, 128};
    gb_link_counts counts = {0};
    bool there = false;
    for (int i = 0; i < 4000 && !(there && counts.repeated && counts.disordered); i++) {
        link->ops->send(link, goal, (uint64_t)i, 0);
        link->ops->receive(link, &s.observation);
        link->ops->counts(link, &counts);
        there |= s.observation.sequence && hypot(s.values[0] - 256, s.values[1] - 128) < 2;
        dds_sleep_ms(5);
    }
    stop = 1;
    serve_join(&machine);
    gb_link_close(link);
    remove_map(&map);
    assert_true(there);
    assert_true(counts.repeated > 0 && counts.disordered > 0);
    assert_true(machine.counts.link.received > 0);
}

/* ---- what the servo may call --------------------------------------------------------------------
 */

static void the_servo_neither_allocates_nor_locks(void **state)
{
    (void)state;
    rig r;
    open_rig(&r, "a, b, c", "none");
    assert_true(run_until(&r, target, arrived));
    uint64_t before = r.seen.sequence;
    long allocated = allocations, locked = locks;
    for (int i = 0; i < 200; i++) {
        r.link->ops->send(r.link, target, (uint64_t)i, 0);
        r.link->ops->receive(r.link, &r.seen);
        dds_sleep_ms(1);
    }
    assert_int_equal(allocations, allocated);
    assert_int_equal(locks, locked);
    assert_true(r.seen.sequence > before);
    void *counted = malloc(1);
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
    free(counted);
    assert_true(!COUNTS_MALLOC || (allocations > allocated && locks > locked));
    close_rig(&r);
}

/* ---- maps ---------------------------------------------------------------------------------------
 */

static void addresses_and_topics_are_checked(void **state)
{
    (void)state;
    gb_link *link = NULL;
    static const char *const addresses[] = {"", "x", "233", "0x1", "-1", "1 ", "1?peer=2"};
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        gb_link_map *map = dds_arm_map("t", "a, b, c", "a, b, c");
        assert_int_equal(gb_link_kind_dds.open(addresses[i], map, &link), GB_ERR_ARGUMENT);
        gb_link_map_destroy(map);
    }
    static const char *const tags[] = {"a b", "a//b", "/", "a-b"};
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        gb_link_map *map = dds_arm_map(tags[i], "a, b, c", "a, b, c");
        assert_int_equal(gb_link_kind_dds.open("87", map, &link), GB_ERR_SCHEMA);
        assert_non_null(strstr(gb_error_message(), "/joint_states"));
        gb_link_map_destroy(map);
    }
    gb_link_map *map = dds_arm_map("t", "a, b, c", "a, b, c");
    map->key_path = "arm.key"; /* it would sign nothing */
    assert_int_equal(gb_link_kind_dds.open("87", map, &link), GB_ERR_SCHEMA);
    assert_non_null(strstr(gb_error_message(), "signs nothing"));
    gb_link_map_destroy(map);
}

int main(int argc, char **argv)
{
    setenv("CYCLONEDDS_URI", dds_loopback, 1);
    if (argc == 6)
        return dds_machine_main(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_and_observations_go_both_ways),
        cmocka_unit_test(names_may_come_in_another_order),
        cmocka_unit_test(every_type_goes_there_and_back),
        cmocka_unit_test(what_comes_twice_or_late_is_dropped),
        cmocka_unit_test(what_is_dropped_or_delayed_shows_its_age),
        cmocka_unit_test(a_clock_that_is_not_ours_is_not_believed),
        cmocka_unit_test(lost_packets_do_not_hold_up_others),
        cmocka_unit_test(nan_reaches_the_envelope_as_nan),
        cmocka_unit_test(missing_joints_are_flagged),
        cmocka_unit_test(a_silent_machine_ages_and_comes_back),
        cmocka_unit_test(a_machine_may_die_and_return),
        cmocka_unit_test(other_domains_are_not_heard),
        cmocka_unit_test(noise_on_the_ports_changes_nothing),
        cmocka_unit_test(a_plant_plays_the_machine),
        cmocka_unit_test(the_servo_neither_allocates_nor_locks),
        cmocka_unit_test(addresses_and_topics_are_checked),
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
