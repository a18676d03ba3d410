/* control/loop.h: what a run of the loop consists of, shared by its two clocks. Private to the
 * room. */
#ifndef GENBA_CONTROL_LOOP_H
#define GENBA_CONTROL_LOOP_H

#include "control/pilot.h"
#include "control/servo.h"

typedef enum gb_loop_end {
    GB_LOOP_GOES_ON,
    GB_LOOP_EPISODE_OVER, /* the machine says so */
    GB_LOOP_RUN_OVER      /* asked to stop, or the time is up; the machine was brought to rest */
} gb_loop_end;

typedef struct gb_loop {
    gb_control_options options;
    gb_plant_info machine; /* the link's, with the servo's tick */
    gb_servo *servo;
    gb_pilot *pilot;      /* NULL: there is none */
    int64_t began_ns;     /* the first tick of the run */
    int64_t rest_ns;      /* coming to rest since; INT64_MIN: not yet */
    int64_t major_faults; /* of both threads */
    int episodes, successes;
    double score_sum;
    bool fifo, memory_locked;
} gb_loop;

/* Resets the machine and begins its next episode, whose first tick is due at start_ns. */
GB_MUST gb_status gb_loop_begin(gb_loop *loop, int episode, int64_t start_ns);
/* After each tick, by whoever ticks: whether and how it ends here. Never waits. */
gb_loop_end gb_loop_after_tick(gb_loop *loop, int64_t due_ns);
/* Counts an episode that is over and reports it; whether another one follows. */
bool gb_loop_next(gb_loop *loop, int episode, gb_loop_end end);
void gb_loop_note(const gb_loop *loop, const char *line);

/* The two clocks. */
GB_MUST gb_status gb_loop_run_stepped(gb_loop *loop);
GB_MUST gb_status gb_loop_run_threads(gb_loop *loop);

#endif
