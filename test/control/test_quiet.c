/* Once it runs, the loop allocates nothing, takes no lock and faults no page in from disk: the C
 * library's functions are taken over and counted by thread. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
int main(void)
{
    return 0; /* sanitizers allocate and lock on their own account */
}
#else
#include "../../bench/interpose.c"

#include "genba/control.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/scripted.h"
#include "control/stub_link.h"

static interposed servo_first, servo_last, pilot_first, pilot_last;

static void on_send(stub *s)
{
    if (s->sent == 1)
        servo_first = interposed_here();
    servo_last = interposed_here();
}

static gb_status
decide(void *context, const double *observations, uint64_t seed, uint64_t tick, double *out)
{
    script *s = context;
    if (atomic_load(&s->decisions) == 0)
        pilot_first = interposed_here();
    pilot_last = interposed_here();
    return script_decide(context, observations, seed, tick, out);
}

static gb_status make(const void *context, const gb_plant_info *plant, gb_policy *out)
{
    GB_TRY(script_make(context, plant, out));
    out->decide = decide;
    return GB_OK;
}

static void counts_what_is_done(void **state)
{
    (void)state;
    /* By pointers: a compiler that knows malloc assumes that it leaves our counters alone. */
    void *(*volatile allocate)(size_t) = malloc;
    void (*volatile release)(void *) = free;
    interposed before = interposed_here();
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    release(allocate(10));
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
    assert_int_equal(interposed_here().allocations - before.allocations, 2);
    assert_int_equal(interposed_here().locks - before.locks, 1);
}

static void nothing_once_it_runs(void **state)
{
    (void)state;
    static stub s;
    script mind = {0};
    gb_envelope *envelope = NULL;
    gb_blackbox *box = NULL;
    gb_policy policy = {0};
    char path[64];
    snprintf(path, sizeof path, "/tmp/genba-quiet-%d.mcap", (int)getpid());
    stub_init(&s, 1000000, 10000000);
    s.on_send = on_send;
    const char *limits = GENBA_SOURCE_DIR "/examples/envelopes/pusht.yaml";
    assert_int_equal(gb_envelope_load(limits, &s.machine, 1000000, &envelope), GB_OK);
    assert_int_equal(script_make(&mind, &s.machine, &policy), GB_OK);
    gb_blackbox_options log = {.path = path,
                               .machine = &s.machine,
                               .policy = &policy,
                               .model_name = "script",
                               .model_hash_hex = "",
                               .machine_name = "stub",
                               .tick_ns = 1000000};
    assert_int_equal(gb_blackbox_open(&log, &box), GB_OK);
    gb_control_options o = gb_control_options_defaults();
    gb_control_result result;
    o.link = &s.link;
    o.make = make;
    o.make_context = &mind;
    o.envelope = envelope;
    o.blackbox = box;
    o.seconds = 1;
    o.switching = GB_SWITCH_PLAIN;
    assert_int_equal(gb_control_run(&o, &result), GB_OK);
    assert_int_equal(gb_blackbox_close(box, NULL), GB_OK);
    remove(path);
    assert_true(result.ticks + result.late >= 999 && result.decisions > 10);
    assert_int_equal(servo_last.allocations - servo_first.allocations, 0);
    assert_int_equal(servo_last.locks - servo_first.locks, 0);
    assert_int_equal(pilot_last.allocations - pilot_first.allocations, 0);
    assert_int_equal(pilot_last.locks - pilot_first.locks, 0);
    if (result.memory_locked)
        assert_int_equal(result.major_faults, 0);
    gb_envelope_destroy(envelope);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_what_is_done),
        cmocka_unit_test(nothing_once_it_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
