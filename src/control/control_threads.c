/* control/control_threads.c: the loop in real time: the servo's thread and the pilot's, what they
 * ask of the operating system, and the pauses between episodes. The caller's thread coordinates. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "control/loop.h"
#include "control/realtime.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

enum {
    SERVO_STACK_BYTES = 1 << 20,
    NOTES = 2,
    LOOK_S = 1 /* between two looks at the black box */
};

typedef struct threads {
    gb_loop *loop;
    pthread_t servo, pilot;
    bool servo_runs, pilot_runs;
    sem_t ready; /* a thread has its settings */
    sem_t go;    /* to the servo: drive the episode, or leave */
    sem_t over;  /* from the servo: the episode is over */
    sem_t look;  /* to the pilot: there is a new history */
    atomic_bool leave;
    bool box_failed; /* and it was said */
    gb_loop_end end;
    int64_t start_ns;
    int64_t servo_faults, pilot_faults;
    char servo_notes[NOTES][GB_REALTIME_NOTE], pilot_notes[NOTES][GB_REALTIME_NOTE];
} threads;

static void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0 && errno == EINTR)
        ;
}

/* ---- servo --------------------------------------------------------------------------------------
 */

/* The next instant of the schedule. Instants that have passed whole are given up, so that a delay
 * is not followed by a burst. */
static int64_t next_due(threads *t, int64_t due_ns)
{
    int64_t tick_ns = t->loop->machine.tick_ns;
    int64_t gone = (gb_clock_monotonic_ns() - due_ns) / tick_ns;
    if (gone <= 1)
        return due_ns + tick_ns;
    t->loop->servo->tally.late += gone - 1;
    return due_ns + gone * tick_ns;
}

static gb_loop_end drive(threads *t)
{
    gb_servo *servo = t->loop->servo;
    for (int64_t due_ns = t->start_ns;; due_ns = next_due(t, due_ns)) {
        gb_realtime_sleep_until(due_ns);
        gb_servo_sense(servo, due_ns, gb_clock_monotonic_ns());
        gb_servo_act(servo);
        if (servo->handed)
            sem_post(&t->look);
        gb_loop_end end = gb_loop_after_tick(t->loop, due_ns);
        if (end != GB_LOOP_GOES_ON)
            return end;
    }
}

static void *servo_main(void *context)
{
    threads *t = context;
    const gb_control_options *o = &t->loop->options;
    if (o->priority > 0)
        t->loop->fifo = gb_realtime_fifo("servo", o->priority, t->servo_notes[0]);
    if (o->servo_core >= 0)
        gb_realtime_pin("servo", o->servo_core, t->servo_notes[1]);
    gb_realtime_prefault_stack();
    sem_post(&t->ready);
    wait_for(&t->go);
    int64_t faults = gb_realtime_major_faults();
    while (!atomic_load(&t->leave)) {
        t->end = drive(t);
        sem_post(&t->over);
        wait_for(&t->go);
    }
    t->servo_faults = gb_realtime_major_faults() - faults;
    return NULL;
}

/* ---- pilot --------------------------------------------------------------------------------------
 */

/* Whether a new history was announced before the instant. */
static bool waited_until(threads *t, int64_t instant_ns)
{
    struct timespec instant = {.tv_sec = instant_ns / 1000000000,
                               .tv_nsec = instant_ns % 1000000000};
    int failure;
    do
        failure = sem_clockwait(&t->look, CLOCK_MONOTONIC, &instant);
    while (failure != 0 && errno == EINTR);
    return failure == 0;
}

/* Waits for a new history. Shortly before the one that a decision is due on, the policy is warmed,
 * and then the core is kept until it has come, for as long again at most. */
static void wait_for_history(threads *t)
{
    int64_t due_ns, lead_ns;
    if (!gb_pilot_expects(t->loop->pilot, &due_ns, &lead_ns)) {
        wait_for(&t->look);
        return;
    }
    if (waited_until(t, due_ns - lead_ns))
        return;
    gb_pilot_warm(t->loop->pilot);
    while (gb_clock_monotonic_ns() < due_ns + lead_ns)
        if (sem_trywait(&t->look) == 0)
            return;
    wait_for(&t->look);
}

static void *pilot_main(void *context)
{
    threads *t = context;
    gb_pilot *pilot = t->loop->pilot;
    if (t->loop->options.pilot_core >= 0)
        gb_realtime_pin("pilot", t->loop->options.pilot_core, t->pilot_notes[0]);
    gb_realtime_prefault_stack();
    sem_post(&t->ready);
    int64_t faults = gb_realtime_major_faults();
    for (;;) {
        wait_for_history(t);
        while (!atomic_load(&t->leave) && gb_pilot_due(pilot)) {
            gb_pilot_think(pilot, gb_clock_monotonic_ns());
            gb_pilot_publish(pilot, gb_clock_monotonic_ns());
        }
        if (atomic_load(&t->leave))
            break;
    }
    t->pilot_faults = gb_realtime_major_faults() - faults;
    return NULL;
}

/* ---- coordinator --------------------------------------------------------------------------------
 */

static gb_status start(threads *t)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, SERVO_STACK_BYTES);
    t->servo_runs = pthread_create(&t->servo, &attributes, servo_main, t) == 0;
    pthread_attr_destroy(&attributes);
    t->pilot_runs =
        t->loop->pilot && t->servo_runs && pthread_create(&t->pilot, NULL, pilot_main, t) == 0;
    if (!t->servo_runs || (t->loop->pilot && !t->pilot_runs))
        return gb_fail(GB_ERR_MEMORY, "control: a thread could not be started (%s)",
                       strerror(errno));
    wait_for(&t->ready);
    if (t->pilot_runs)
        wait_for(&t->ready);
    for (int i = 0; i < NOTES; i++) {
        if (t->servo_notes[i][0])
            gb_loop_note(t->loop, t->servo_notes[i]);
        if (t->pilot_notes[i][0])
            gb_loop_note(t->loop, t->pilot_notes[i]);
    }
    return GB_OK;
}

/* Until the servo is through with an episode. Whoever waits for days shall not learn at the end
 * that nothing was recorded. */
static void wait_for_servo(threads *t)
{
    const gb_blackbox *box = t->loop->options.blackbox;
    gb_blackbox_counts counts;
    for (;;) {
        struct timespec until; /* of the wall clock: when it is set, one look comes early or late */
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += LOOK_S;
        if (sem_timedwait(&t->over, &until) == 0)
            return;
        if (!box || t->box_failed)
            continue;
        gb_blackbox_counts_now(box, &counts);
        t->box_failed = counts.status != GB_OK;
        if (t->box_failed)
            gb_loop_note(t->loop, "the black box cannot write any more (is the disk full?): from "
                                  "here on nothing of this run is recorded");
    }
}

static gb_status run_episodes(threads *t)
{
    for (int episode = 0;; episode++) {
        t->start_ns = gb_clock_monotonic_ns() + t->loop->machine.tick_ns;
        GB_TRY(gb_loop_begin(t->loop, episode, t->start_ns));
        sem_post(&t->go);
        wait_for_servo(t);
        if (!gb_loop_next(t->loop, episode, t->end))
            return GB_OK;
    }
}

static void finish(threads *t)
{
    atomic_store(&t->leave, true);
    sem_post(&t->go);
    sem_post(&t->look);
    if (t->servo_runs)
        pthread_join(t->servo, NULL);
    if (t->pilot_runs)
        pthread_join(t->pilot, NULL);
    t->loop->major_faults = t->servo_faults + t->pilot_faults;
}

gb_status gb_loop_run_threads(gb_loop *loop)
{
    threads t = {.loop = loop};
    char note[GB_REALTIME_NOTE] = "";
    if (loop->options.priority > 0) {
        loop->memory_locked = gb_realtime_lock_memory(note);
        if (!loop->memory_locked)
            gb_loop_note(loop, note);
    }
    sem_init(&t.ready, 0, 0);
    sem_init(&t.go, 0, 0);
    sem_init(&t.over, 0, 0);
    sem_init(&t.look, 0, 0);
    gb_status status = start(&t);
    if (status == GB_OK)
        status = run_episodes(&t);
    finish(&t);
    sem_destroy(&t.ready);
    sem_destroy(&t.go);
    sem_destroy(&t.over);
    sem_destroy(&t.look);
    if (loop->memory_locked)
        gb_realtime_unlock_memory();
    return status;
}
