/* control/envelope.h: the parts of the envelope and what they know. In a tick envelope.c calls
 * monitor (can the observation be believed?), backup or proposal (where to?), limiter (how far of
 * it?) in this order. Everything is sized when the file is read. Private to the envelope. */
#ifndef GENBA_CONTROL_ENVELOPE_H
#define GENBA_CONTROL_ENVELOPE_H

#include <stdatomic.h>

#include "control/envelope_axis.h"

#define GB_BIT(limit) (1u << (limit))

/* ---- configuration, constant after loading ------------------------------------------------------
 */

typedef enum gb_command_kind {
    GB_COMMAND_POSITION, /* rest is anywhere */
    GB_COMMAND_VELOCITY, /* rest is 0 */
    GB_COMMAND_FORCE     /* rest is 0 */
} gb_command_kind;

typedef enum gb_backup_kind {
    GB_BACKUP_HOLD,   /* stop within the limits and stay */
    GB_BACKUP_BRAKE,  /* velocity and force: to 0 within the limits */
    GB_BACKUP_RETREAT /* position: stop, then go to a declared posture */
} gb_backup_kind;

/* A command stream. */
typedef struct gb_command_rule {
    int offset, size; /* columns of the action */
    gb_command_kind kind;
    int from;  /* column of the observation where the first command starts; -1: it starts at 0 */
    bool hold; /* its setpoints are steps, not points of a line */
    gb_backup_kind backup;
    const double *retreat_to; /* [size] */
    double retreat_slow;      /* part of the velocity limit */
} gb_command_rule;

/* An observation stream that is watched. */
typedef struct gb_sensor_rule {
    int stream, offset, size;
    double wrap;
    int64_t max_age_ns;
    int64_t stuck_ns;                            /* 0: not judged */
    const double *low, *high, *max_step, *force; /* [size]; NULL: not judged */
} gb_sensor_rule;

/* ---- memory of the ticks ------------------------------------------------------------------------
 */

typedef struct gb_sensor_state {
    bool seen;
    int64_t time_ns, changed_ns;
    double *last; /* [size] */
} gb_sensor_state;

/* The nearest limit so far. */
typedef struct gb_margin {
    double value;
    int limit, index;
} gb_margin;

struct gb_envelope {
    const gb_plant_info *machine;
    int64_t tick_ns;
    unsigned char hash[GB_HASH_BYTES];
    gb_arena *arena;

    int rule_count, sensor_count;
    gb_command_rule *rules;  /* [rule_count], together all columns of the action */
    gb_sensor_rule *sensors; /* [sensor_count] */
    gb_axis_limits *limits;  /* [action_size] */
    int64_t max_command_age_ns;
    int64_t late_ns, late_ticks; /* more than late_ticks in a row later than late_ns: backup */
    int64_t return_good_ns;
    bool return_at_rest;
    double return_margin;

    gb_axis_state *axes, *next; /* [action_size] */
    double *before;             /* [action_size] the proposal of the tick before */
    bool has_before;
    gb_sensor_state *states; /* [sensor_count] */
    bool started;            /* where the machine is has been seen */
    bool in_backup, stopped;
    int64_t good_since_ns; /* while in backup; INT64_MIN: not good */
    int64_t late_in_a_row;
    atomic_bool released;
};

/* ---- parts --------------------------------------------------------------------------------------
 */

struct gb_raw_envelope;
/* Checks what was read against the machine and fills the configuration. envelope_config.c */
GB_MUST gb_status gb_envelope_configure(gb_envelope *envelope,
                                        const char *path,
                                        const struct gb_raw_envelope *raw);
/* Bits of why the observation cannot be trusted or the tick came too late; 0: all is well.
 * envelope_monitor.c */
uint32_t
gb_envelope_monitor(gb_envelope *envelope, const gb_envelope_input *input, gb_margin *margin);
void gb_envelope_monitor_reset(gb_envelope *envelope);
/* The backup controller's move for every column, into envelope->next. at_rest: only stop.
 * envelope_backup.c */
void gb_envelope_backup(gb_envelope *envelope, bool stop_only);
bool gb_envelope_at_rest(const gb_envelope *envelope);

/* Keeps the smaller margin. */
static inline void gb_margin_take(gb_margin *margin, double value, int limit, int index)
{
    if (value < margin->value)
        *margin = (gb_margin){value, limit, index};
}

#endif
