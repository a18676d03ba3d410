/* control/servo.h: one tick of the loop. The same functions serve real time, where a thread calls
 * them at fixed instants, and stepped time, where a virtual clock does. They never wait, allocate,
 * lock or do I/O but the link's own. Private to the room. */
#ifndef GENBA_CONTROL_SERVO_H
#define GENBA_CONTROL_SERVO_H

#include "control/handover.h"
#include "control/latest.h"
#include "control/smooth.h"
#include "control/timing.h"

typedef struct gb_servo_options {
    const gb_plant_info *machine; /* with the servo's own tick_ns; borrowed */
    gb_link *link;                /* all borrowed; envelope, blackbox and view may be NULL */
    gb_envelope *envelope;
    gb_blackbox *blackbox;
    gb_view *view;
    gb_latest *histories, *chunks; /* to and from the pilot; NULL: there is none */
    int look_back, horizon;        /* of its policy */
    bool stepped_time;             /* a virtual clock: nothing takes time */
    int64_t wall_offset_ns;        /* wall time = monotonic time + this */
} gb_servo_options;

typedef struct gb_servo {
    gb_servo_options options;
    gb_observation observation;
    gb_tick *record;                /* with its three arrays */
    double *proposal, *command;     /* inside the record */
    double *command_before;         /* [action_size] */
    int still_ticks;                /* in a row with the same command */
    double *rows;                   /* [look_back][observation_size], a ring by period */
    const gb_chunk *chunk;          /* under way; NULL: none */
    uint64_t chunk_before;          /* id of the chunk of the tick before; 0: none */
    int64_t start_ns, row, woke_ns; /* of the episode; last period seen; of the last tick */
    uint32_t episode;
    bool seen;              /* an observation was taken as a row in this episode */
    bool begun;             /* a command was sent in this episode */
    bool held;              /* there was a proposal, and the backup controller commanded */
    bool handed;            /* this tick published a history: the pilot should look */
    bool coming_to_rest;    /* no proposals any more: the backup controller's turn */
    gb_plant_result result; /* of the machine, where somebody knows */
    gb_control_result tally;
    gb_histogram *period, *wake, *busy;
    gb_smooth *smooth;
} gb_servo;

GB_MUST gb_status gb_servo_create(const gb_servo_options *options, gb_servo **out);
void gb_servo_destroy(gb_servo *servo); /* NULL is fine */
/* A new episode, whose first tick is due at start_ns. */
void gb_servo_begin(gb_servo *servo, uint32_t episode, int64_t start_ns);
/* First half of a tick: the newest observation in, and every period the history to the pilot. */
void gb_servo_sense(gb_servo *servo, int64_t due_ns, int64_t woke_ns);
/* Second half: setpoint, envelope, command out, records. */
void gb_servo_act(gb_servo *servo);
/* What was counted and timed so far. */
void gb_servo_tally(const gb_servo *servo, gb_control_result *out);

#endif
