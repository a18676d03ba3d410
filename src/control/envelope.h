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
    GB_BACKUP_BRAKE,  /* velocity and force: to 0 within the limits; a force may also be held */
    GB_BACKUP_RETREAT /* position: stop, then go to a declared posture */
} gb_backup_kind;

/* A command stream. */
typedef struct gb_command_rule {
    int offset, size; /* columns of the action */
    gb_command_kind kind;
    int from;    /* column of the observation where the first command starts; -1: it starts at 0 */
    double wrap; /* of what is measured there: the length of a turn; 0: none */
    bool hold;   /* its setpoints are steps, not points of a line */
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

/* Speed and separation monitoring, ISO/TS 15066, 5.5.4. Lengths in the unit of the distance. */
typedef struct gb_people_rule {
    bool on;
    int offset, size;       /* of the distances: the least counts */
    double footprint;       /* taken off each distance */
    double separation;      /* C + Z_d + Z_r: what must be left when it has stopped */
    double person_speed;    /* v_h */
    double reaction_s;      /* T_r */
    double braking;         /* deceleration of the fastest point */
    double standing;        /* a machine slower than this counts as standing */
    int column, columns;    /* of the action that move it */
    const double *per_unit; /* [columns] speed of the machine for each unit of the command */
    double sum_per_unit;    /* of their absolute values */
    double constant;        /* > 0: positions move it; it must stop at this distance */
} gb_people_rule;

enum {
    GB_LINKS_MAX = 16,
    GB_POINTS_MAX = 8,
    GB_ZONES_MAX = 32
};

typedef enum gb_link_motion {
    GB_LINK_TURN, /* about its axis, rad */
    GB_LINK_SLIDE /* along its axis */
} gb_link_motion;

/* A joint and the step to it from the joint before. */
typedef struct gb_chain_link {
    gb_link_motion motion;
    int column; /* of the action */
    double axis[3], at[3];
} gb_chain_link;

/* A point of the machine that must stay where it is allowed, with what is around it. */
typedef struct gb_chain_point {
    int link; /* it is fixed behind this one */
    double at[3], radius;
    double reach[GB_LINKS_MAX]; /* how far it can move for each unit of a link's column */
} gb_chain_point;

typedef enum gb_zone_kind {
    GB_ZONE_BOX,
    GB_ZONE_CYLINDER
} gb_zone_kind;

typedef struct gb_zone {
    gb_zone_kind kind;
    double a[3], b[3]; /* corners, or ends of the axis */
    double radius;
} gb_zone;

/* Where points of the machine may be: kinematics of the commanded positions. */
typedef struct gb_region_rule {
    int column, columns; /* of the action; none: there is no workspace */
    int link_count, point_count, allowed_count, keep_out_count;
    gb_chain_link links[GB_LINKS_MAX];
    gb_chain_point points[GB_POINTS_MAX];
    gb_zone allowed[GB_ZONES_MAX], keep_out[GB_ZONES_MAX];
    double tracking; /* how far a point may be from where the command has it */
    double scale;    /* of margins */
} gb_region_rule;

/* ---- memory of the ticks ------------------------------------------------------------------------
 */

typedef struct gb_sensor_state {
    bool seen;
    int64_t changed_ns;
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
    gb_people_rule people;
    gb_region_rule region;
    int64_t max_command_age_ns;
    int64_t late_ns, late_ticks; /* more than late_ticks in a row later than late_ns: backup */
    int64_t return_good_ns;
    bool return_at_rest;
    double return_margin;

    gb_axis_state *axes, *next;  /* [action_size] */
    gb_axis_state *tried, *kept; /* [action_size] */
    double clearance;            /* the least of the stop that is known, 0 at most */
    double *wanted;              /* [action_size] the proposal, slowed where people are near */
    double *before;              /* [action_size] the proposal of the tick before */
    bool has_before;
    gb_sensor_state *states; /* [sensor_count] */
    bool started;            /* where the machine is has been seen */
    bool in_backup, stopped;
    int64_t good_since_ns; /* while in backup; INT64_MIN: not good */
    int64_t late_in_a_row;
    bool distance_good; /* the distance to people can be believed in this tick */
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
/* Whether people are too near to move at all (a bit, or 0). envelope_people.c */
uint32_t
gb_envelope_people(const gb_envelope *envelope, const gb_envelope_input *input, gb_margin *margin);
/* Whether the backup controller may go somewhere: people are known to be far enough. */
bool gb_envelope_may_retreat(const gb_envelope *envelope, const gb_envelope_input *input);
/* How much of the proposed speed the distance to people allows; 1 and more: all. */
double gb_envelope_slow(const gb_envelope *envelope, const gb_envelope_input *input);
/* Whether envelope->next could not be stopped before people, and the moves that brake hardest. */
bool gb_envelope_too_fast(const gb_envelope *envelope, const gb_envelope_input *input);
void gb_envelope_brake(gb_envelope *envelope);
/* Shortens the moves in envelope->next until the stop after them stays where it is allowed; the
 * bits of what was in the way. envelope_region.c */
uint32_t gb_envelope_region(gb_envelope *envelope, gb_margin *margin);
void gb_envelope_region_start(gb_envelope *envelope);
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
