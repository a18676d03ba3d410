/* control/handover.h: what the servo hands to the pilot and what it gets back; both go through a
 * gb_latest. Private to the room. */
#ifndef GENBA_CONTROL_HANDOVER_H
#define GENBA_CONTROL_HANDOVER_H

#include "genba/control.h"

/* Servo to pilot, once a period: the last observations, one a period. */
typedef struct gb_history {
    uint64_t sequence;   /* of the newest observation */
    int64_t time_ns;     /* the instant of the newest row: a whole number of periods after the
                            episode's start */
    int64_t observed_ns; /* when the newest observation was measured: long ago where the link is
                            silent */
    uint32_t episode;
    uint32_t begun; /* 0: nothing was commanded yet, `before` means nothing */
    uint32_t held;  /* 1: the backup controller has the machine: no chunk is carried out */
    uint32_t unused;
    double numbers[]; /* observations [look_back][observation_size], oldest first; then before
                         [action_size]: the command under way at time_ns */
} gb_history;

/* Pilot to servo: a chunk of actions. */
typedef struct gb_chunk {
    uint64_t id;         /* 1, 2, ... of this run */
    int64_t start_ns;    /* action 0 is the setpoint of this instant */
    int64_t observed_ns; /* of the history it was inferred from */
    uint32_t episode;
    uint32_t unused;
    double numbers[]; /* actions [horizon][action_size]; then before [action_size] */
} gb_chunk;

#endif
