/* The rig of the servo's benchmarks: a link that counts, a policy that never rests, a bare loop. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "servo_rig.h"

#include "control/realtime.h"
#include "control/timing.h"
#include "host.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TICK_NS INT64_C(1000000)
#define PERIOD_NS INT64_C(10000000)
#define THINK_NS INT64_C(9000000) /* of each period: the pilot's core is busy */
#define PRIORITY 80

typedef struct rig {
    gb_link link;   /* what the loop sees: counts, and hands on */
    gb_link *inner; /* NULL: the integrator below */
    gb_link_counts counts;
    uint64_t sequence;
    int64_t time_ns;
    double position[2], velocity[2], target[2];
    atomic_int_fast64_t first_due_ns; /* 0: not yet; the bare loop takes its phase from it */
    interposed servo_first, servo_last, pilot_first, pilot_last;
    bool servo_seen, pilot_seen;
    const gb_model *model;
    gb_policy policy;
    int64_t decisions_inside;
    atomic_bool leave;
    gb_histogram *bare_period, *bare_wake;
    int64_t bare_late;
} rig;

int servo_rig_core(void)
{
    return (int)sysconf(_SC_NPROCESSORS_ONLN) - 1;
}

const gb_plant_info *servo_rig_machine(void)
{
    static gb_plant_info machine;
    const gb_plant_info *pusht = NULL;
    if (machine.name == NULL && gb_plant_describe("pusht", &pusht) == GB_OK) {
        machine = *pusht;
        machine.tick_ns = TICK_NS;
        machine.period_ns = PERIOD_NS;
    }
    return &machine;
}

/* ---- the link -----------------------------------------------------------------------------------
 */

static void rig_receive(gb_link *link, gb_observation *observation)
{
    rig *r = (rig *)link;
    if (r->inner) {
        r->inner->ops->receive(r->inner, observation);
        return;
    }
    observation->faults = 0;
    observation->sequence = ++r->sequence;
    for (int i = 0; i < link->machine->observation_stream_count; i++)
        observation->time_ns[i] = r->time_ns ? r->time_ns : gb_clock_monotonic_ns();
    memset(observation->values, 0, (size_t)link->machine->observation_size * sizeof(double));
    int agent = 0, block = 0;
    gb_plant_observation_stream(link->machine, "agent.position", &agent);
    gb_plant_observation_stream(link->machine, "block.position", &block);
    for (int i = 0; i < 2; i++) {
        observation->values[agent + i] = r->position[i];
        observation->values[block + i] = 200.0;
    }
    r->counts.received++;
}

/* Two masses on springs and dampers towards the target. */
static void integrate(rig *r, const double *command, int64_t due_ns)
{
    const double dt_s = 1e-9 * (double)TICK_NS;
    for (int i = 0; i < 2; i++) {
        double force = 100.0 * (command[i] - r->position[i]) - 20.0 * r->velocity[i];
        r->velocity[i] += dt_s * force;
        r->position[i] += dt_s * r->velocity[i];
    }
    r->time_ns = due_ns + TICK_NS;
    r->counts.sent++;
}

static void rig_send(gb_link *link, const double *command, uint64_t tick, int64_t due_ns)
{
    rig *r = (rig *)link;
    if (r->inner)
        r->inner->ops->send(r->inner, command, tick, due_ns);
    else
        integrate(r, command, due_ns);
    if (!r->servo_seen) {
        r->servo_first = interposed_here();
        r->servo_seen = true;
        atomic_store(&r->first_due_ns, due_ns);
    }
    r->servo_last = interposed_here();
}

static void rig_counts(const gb_link *link, gb_link_counts *out)
{
    const rig *r = (const rig *)link;
    if (r->inner)
        r->inner->ops->counts(r->inner, out);
    else
        *out = r->counts;
}

static void rig_close(gb_link *link)
{
    (void)link; /* the rig lives on its caller's stack */
}

static const gb_link_ops rig_ops = {
    .receive = rig_receive, .send = rig_send, .counts = rig_counts, .close = rig_close};

/* ---- the policy ---------------------------------------------------------------------------------
 */

/* The same decision over and over, for most of a period. */
static gb_status
rig_decide(void *context, const double *observations, uint64_t seed, uint64_t tick, double *actions)
{
    rig *r = context;
    if (!r->pilot_seen) {
        r->pilot_first = interposed_here();
        r->pilot_seen = true;
    }
    int64_t end_ns = gb_clock_monotonic_ns() + THINK_NS;
    do {
        GB_TRY(r->policy.decide(r->policy.context, observations, seed, tick, actions));
        r->decisions_inside++;
    } while (gb_clock_monotonic_ns() < end_ns);
    r->pilot_last = interposed_here();
    return GB_OK;
}

static gb_status rig_make(const void *context, const gb_plant_info *machine, gb_policy *out)
{
    rig *r = (rig *)(uintptr_t)context;
    GB_TRY(gb_policy_make_model(r->model, machine, &r->policy));
    *out = (gb_policy){.look_back = r->policy.look_back,
                       .horizon = r->policy.horizon,
                       .execute = 1,
                       .context = r,
                       .decide = rig_decide};
    return GB_OK;
}

/* ---- the bare loop ------------------------------------------------------------------------------
 */

/* Sleeps and reads the clock, half a tick after the servo. */
static void *bare_main(void *context)
{
    rig *r = context;
    char note[GB_REALTIME_NOTE];
    (void)gb_realtime_fifo("bare loop", PRIORITY, note);
    (void)gb_realtime_pin("bare loop", servo_rig_core(), note);
    gb_realtime_prefault_stack();
    while (atomic_load(&r->first_due_ns) == 0 && !atomic_load(&r->leave))
        gb_realtime_sleep_until(gb_clock_monotonic_ns() + TICK_NS);
    int64_t due_ns = atomic_load(&r->first_due_ns) + 100 * TICK_NS + TICK_NS / 2, before_ns = 0;
    while (!atomic_load(&r->leave)) {
        gb_realtime_sleep_until(due_ns);
        int64_t woke_ns = gb_clock_monotonic_ns();
        gb_histogram_add(r->bare_wake, woke_ns - due_ns);
        if (before_ns)
            gb_histogram_add(r->bare_period, woke_ns - before_ns);
        before_ns = woke_ns;
        int64_t gone = (gb_clock_monotonic_ns() - due_ns) / TICK_NS;
        r->bare_late += gone;
        due_ns += TICK_NS * (gone > 1 ? gone : 1);
    }
    return NULL;
}

/* ---- a run --------------------------------------------------------------------------------------
 */

static void note(void *context, const char *line)
{
    (void)context;
    fprintf(stderr, "servo: %s\n", line);
}

static gb_status open_log(const servo_rig_options *o, const gb_plant_info *m, gb_blackbox **out)
{
    gb_policy policy = {0};
    if (!o->log)
        return GB_OK;
    GB_TRY(gb_policy_make_model(o->model, m, &policy));
    gb_blackbox_options options = {.path = o->log,
                                   .machine = m,
                                   .policy = &policy,
                                   .model_name = "random",
                                   .model_hash_hex = "",
                                   .machine_name = "bench",
                                   .tick_ns = TICK_NS};
    gb_status status = gb_blackbox_open(&options, out);
    gb_policy_destroy(&policy);
    return status;
}

static gb_status
run(rig *r, const servo_rig_options *o, gb_envelope *envelope, gb_blackbox *box, servo_figures *f)
{
    gb_control_options c = gb_control_options_defaults();
    pthread_t bare;
    c.link = &r->link;
    c.make = rig_make;
    c.make_context = r;
    c.envelope = envelope;
    c.blackbox = box;
    c.view = o->view;
    c.tick_ns = TICK_NS;
    c.switching = GB_SWITCH_PLAIN;
    c.seconds = o->seconds;
    c.servo_core = servo_rig_core();
    c.pilot_core = 0;
    c.priority = PRIORITY;
    c.note = note;
    if (pthread_create(&bare, NULL, bare_main, r) != 0)
        return gb_fail(GB_ERR_MEMORY, "servo: no thread");
    gb_status status = gb_control_run(&c, &f->control);
    atomic_store(&r->leave, true);
    pthread_join(bare, NULL);
    return status;
}

gb_status servo_rig_run(const servo_rig_options *options, servo_figures *out)
{
    static const char envelope_path[] = GENBA_SOURCE_DIR "/examples/envelopes/pusht.yaml";
    const gb_plant_info *machine = options->link ? options->link->machine : servo_rig_machine();
    rig r = {.link = {.ops = &rig_ops, .machine = machine, .simulated = true},
             .inner = options->link,
             .position = {256, 256},
             .model = options->model};
    gb_envelope *envelope = NULL;
    gb_blackbox *box = NULL;
    servo_figures f = {0};
    double stolen_s = host_stolen_s();
    gb_status status = gb_envelope_load(envelope_path, machine, TICK_NS, &envelope);
    if (status == GB_OK)
        status = gb_histogram_create(&r.bare_period);
    if (status == GB_OK)
        status = gb_histogram_create(&r.bare_wake);
    if (status == GB_OK)
        status = open_log(options, machine, &box);
    if (status == GB_OK)
        status = run(&r, options, envelope, box, &f);
    gb_status closed = gb_blackbox_close(box, &f.logged);
    if (status == GB_OK) {
        (void)closed; /* a full disk is one of the things that are tried: in f.logged.status */
        gb_histogram_read(r.bare_period, &f.bare_period);
        gb_histogram_read(r.bare_wake, &f.bare_wake);
        rig_counts(&r.link, &f.link);
        f.bare_late = r.bare_late;
        f.stolen_s = host_stolen_s() - stolen_s;
        f.servo.allocations = r.servo_last.allocations - r.servo_first.allocations;
        f.servo.locks = r.servo_last.locks - r.servo_first.locks;
        f.pilot.allocations = r.pilot_last.allocations - r.pilot_first.allocations;
        f.pilot.locks = r.pilot_last.locks - r.pilot_first.locks;
        *out = f;
    }
    gb_policy_destroy(&r.policy);
    gb_histogram_destroy(r.bare_wake);
    gb_histogram_destroy(r.bare_period);
    gb_envelope_destroy(envelope);
    return status;
}
