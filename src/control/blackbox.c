/* control/blackbox.c: the black box: two rings that the servo and the pilot fill without waiting,
 * and the thread that empties them into a file. What the file holds is blackbox_write.c's. */
#include "control/blackbox_write.h"
#include "control/ring.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    DRAIN_NS = 5 * 1000 * 1000, /* between two looks into the rings */
    RING_LEAST = 64,
    RING_DECISIONS = 1024
};
#define SYNC_NS INT64_C(1000000000) /* a kill loses at most this much */
#define RING_BYTES_MOST (INT64_C(256) << 20)
#define RING_SECONDS INT64_C(10)

struct gb_blackbox {
    gb_ring *ticks, *decisions; /* decisions NULL: no pilot */
    gb_box_writer *writer;      /* the thread's until it is joined */
    pthread_t thread;
    atomic_bool stop;
    /* Written by the thread, read by anyone. */
    atomic_int_fast64_t ticks_written, decisions_written, ticks_dropped, decisions_dropped;
    atomic_int status;
    char message[512]; /* of the failure; read after the thread is joined */
    /* The thread's own. */
    int64_t synced_ticks, synced_decisions; /* written up to the last sync */
    gb_box_totals told;                     /* what the file says is lost */
};

size_t gb_tick_bytes(const gb_plant_info *machine)
{
    return sizeof(gb_tick) +
           ((size_t)machine->observation_size + 2 * (size_t)machine->action_size) * sizeof(double);
}

size_t gb_decision_bytes(const gb_plant_info *machine, const gb_policy *policy)
{
    return gb_box_decision_bytes(machine, policy->look_back, policy->horizon);
}

void gb_blackbox_tick(gb_blackbox *box, const gb_tick *record)
{
    (void)gb_ring_push(box->ticks, record); /* the ring counts what did not fit */
}

void gb_blackbox_decision(gb_blackbox *box, const gb_decision *record)
{
    if (box->decisions)
        (void)gb_ring_push(box->decisions, record);
}

void gb_blackbox_counts_now(const gb_blackbox *box, gb_blackbox_counts *out)
{
    out->ticks = atomic_load(&box->ticks_written);
    out->decisions = atomic_load(&box->decisions_written);
    out->ticks_lost = gb_ring_lost(box->ticks) + atomic_load(&box->ticks_dropped);
    out->decisions_lost =
        (box->decisions ? gb_ring_lost(box->decisions) : 0) + atomic_load(&box->decisions_dropped);
    out->status = (gb_status)atomic_load(&box->status);
}

/* ---- the thread ---- */

/* What was handed over since the last sync may not have reached the disk: it counts as lost. */
static void give_up(gb_blackbox *box, gb_status status)
{
    int64_t ticks = atomic_load(&box->ticks_written) - box->synced_ticks;
    int64_t decisions = atomic_load(&box->decisions_written) - box->synced_decisions;
    snprintf(box->message, sizeof box->message, "%s", gb_error_message());
    atomic_fetch_sub(&box->ticks_written, ticks);
    atomic_fetch_add(&box->ticks_dropped, ticks);
    atomic_fetch_sub(&box->decisions_written, decisions);
    atomic_fetch_add(&box->decisions_dropped, decisions);
    atomic_store(&box->status, (int)status);
}

static bool works(const gb_blackbox *box)
{
    return atomic_load(&box->status) == GB_OK;
}

static void take_tick(gb_blackbox *box, const gb_tick *tick)
{
    gb_status status = works(box) ? gb_box_writer_tick(box->writer, tick) : GB_OK;
    if (status != GB_OK)
        give_up(box, status);
    atomic_fetch_add(works(box) ? &box->ticks_written : &box->ticks_dropped, 1);
    gb_ring_pop(box->ticks);
}

/* Decisions up to that of chunk `last`. */
static void take_decisions(gb_blackbox *box, uint64_t last)
{
    const gb_decision *decision;
    while (box->decisions && (decision = gb_ring_front(box->decisions)) &&
           decision->chunk <= last) {
        gb_status status = works(box) ? gb_box_writer_decision(box->writer, decision) : GB_OK;
        if (status != GB_OK)
            give_up(box, status);
        atomic_fetch_add(works(box) ? &box->decisions_written : &box->decisions_dropped, 1);
        gb_ring_pop(box->decisions);
    }
}

static gb_box_totals totals_now(const gb_blackbox *box)
{
    gb_blackbox_counts counts;
    gb_blackbox_counts_now(box, &counts);
    return (gb_box_totals){counts.ticks, counts.decisions, counts.ticks_lost,
                           counts.decisions_lost};
}

/* Says in the file that records are missing, near where they would be. */
static void tell_lost(gb_blackbox *box)
{
    gb_box_totals now = totals_now(box);
    if (!works(box) ||
        (now.ticks_lost == box->told.ticks_lost && now.decisions_lost == box->told.decisions_lost))
        return;
    gb_status status = gb_box_writer_lost(box->writer, &now);
    if (status != GB_OK)
        give_up(box, status);
    box->told = now;
}

/* Each decision goes to the file just before the first tick that names its chunk, also when the
 * disk was slow and much has piled up: a replay need not look far ahead. */
static void drain(gb_blackbox *box)
{
    int64_t ticks = gb_ring_waiting(box->ticks);
    for (const gb_tick *tick; ticks > 0 && (tick = gb_ring_front(box->ticks)); ticks--) {
        take_decisions(box, tick->chunk);
        take_tick(box, tick);
    }
    take_decisions(box, UINT64_MAX);
    tell_lost(box);
}

static void sync_now(gb_blackbox *box)
{
    gb_status status = works(box) ? gb_box_writer_sync(box->writer) : GB_OK;
    if (status != GB_OK)
        give_up(box, status);
    if (!works(box))
        return;
    box->synced_ticks = atomic_load(&box->ticks_written);
    box->synced_decisions = atomic_load(&box->decisions_written);
}

static void *run(void *context)
{
    gb_blackbox *box = context;
    const struct timespec pause = {0, DRAIN_NS};
    int64_t synced_ns = gb_clock_monotonic_ns();
    bool stop = false;
    while (!stop) {
        stop = atomic_load(&box->stop); /* before the last look, so that nothing is left */
        drain(box);
        int64_t now_ns = gb_clock_monotonic_ns();
        if (now_ns - synced_ns >= SYNC_NS) {
            sync_now(box);
            synced_ns = now_ns;
        }
        if (!stop)
            nanosleep(&pause, NULL);
    }
    return NULL;
}

/* A plain thread whoever opens the box: no real-time priority, no signals. */
static gb_status start_thread(gb_blackbox *box)
{
    pthread_attr_t attributes;
    struct sched_param plain = {0};
    sigset_t all, before;
    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
    pthread_attr_setschedpolicy(&attributes, SCHED_OTHER);
    pthread_attr_setschedparam(&attributes, &plain);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&box->thread, &attributes, run, box);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (error != 0)
        return gb_fail(GB_ERR_MEMORY, "black box: no thread: %s", strerror(error));
    return GB_OK;
}

/* ---- opening and closing ---- */

static int64_t ring_records(int64_t wanted, int64_t record_bytes)
{
    int64_t most = RING_BYTES_MOST / record_bytes;
    wanted = wanted < RING_LEAST ? RING_LEAST : wanted;
    return wanted < most ? wanted : most < 1 ? 1 : most;
}

static gb_status create_rings(gb_blackbox *box, const gb_blackbox_options *options)
{
    int64_t tick = (int64_t)gb_tick_bytes(options->machine);
    int64_t ticks = options->ring_ticks > 0
                        ? options->ring_ticks
                        : ring_records(RING_SECONDS * 1000000000 / options->tick_ns, tick);
    GB_TRY(gb_ring_create((size_t)tick, ticks, &box->ticks));
    if (!options->policy)
        return GB_OK;
    size_t decision = gb_decision_bytes(options->machine, options->policy);
    return gb_ring_create(decision, ring_records(RING_DECISIONS, (int64_t)decision),
                          &box->decisions);
}

static void destroy(gb_blackbox *box)
{
    gb_box_writer_destroy(box->writer);
    gb_ring_destroy(box->ticks);
    gb_ring_destroy(box->decisions);
    free(box);
}

gb_status gb_blackbox_open(const gb_blackbox_options *options, gb_blackbox **out)
{
    if (options->tick_ns < 1)
        return gb_fail(GB_ERR_ARGUMENT, "black box: a tick of %lld ns; expected at least 1",
                       (long long)options->tick_ns);
    gb_blackbox *box = calloc(1, sizeof *box);
    if (!box)
        return gb_fail(GB_ERR_MEMORY, "black box: no memory");
    gb_status status = create_rings(box, options);
    if (status == GB_OK)
        status = gb_box_writer_create(options, &box->writer);
    if (status == GB_OK)
        status = start_thread(box);
    if (status != GB_OK) {
        destroy(box);
        return status;
    }
    *out = box;
    return GB_OK;
}

gb_status gb_blackbox_close(gb_blackbox *box, gb_blackbox_counts *out)
{
    gb_blackbox_counts counts;
    if (!box)
        return GB_OK;
    atomic_store(&box->stop, true);
    pthread_join(box->thread, NULL);
    gb_box_totals totals = totals_now(box);
    gb_status status = works(box) ? gb_box_writer_close(box->writer, &totals) : GB_OK;
    if (status != GB_OK)
        give_up(box, status);
    gb_blackbox_counts_now(box, &counts);
    if (counts.status != GB_OK)
        gb_fail(counts.status,
                "%s; %lld ticks were not recorded, what was is in the .part file: genba recover "
                "saves it",
                box->message, (long long)counts.ticks_lost);
    if (out)
        *out = counts;
    destroy(box);
    return counts.status;
}
