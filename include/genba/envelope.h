/* genba/envelope.h: the declared limits of a machine, and what keeps commands within them whoever
 * proposes them. It uses nothing of any model. Room: control, floor 4.
 *
 * Simplex architecture (Sha 2001, "Using simplicity to control complexity") in the vocabulary of
 * ASTM F3269: run-time assurance with a monitor, a recovery control function (here: the backup
 * controller) and declared switching conditions. docs/safety.md says what it guarantees and what it
 * does not. Times are gb_clock_monotonic_ns. */
#ifndef GENBA_ENVELOPE_H
#define GENBA_ENVELOPE_H

#include "genba/plant.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- observations ------------------------------------------------------------------------------
 */

/* Why an observation cannot be believed as it came. Bits. */
enum {
    GB_FAULT_SHAPE = 1,   /* another number of values than described: the machine is not what it
                             said; the envelope goes to the backup and stays there */
    GB_FAULT_CORRUPT = 2, /* a checksum or a format was wrong; that message was dropped */
    GB_FAULT_ORDER = 4,   /* an older or repeated message came and was dropped */
    GB_FAULT_LOST = 8,    /* sequence numbers were skipped */
    GB_FAULT_RESTART = 16 /* the machine's sender started anew: it may stand elsewhere; the envelope
                             forgets its commands and begins where it is measured */
};

typedef struct gb_observation {
    uint64_t sequence; /* rises with each that is new; 0: nothing has been seen yet */
    uint32_t faults;   /* GB_FAULT_*, since the last receive */
    int64_t *time_ns;  /* [observation_stream_count] when each was measured, or arrived where the
                          machine's clock is not ours; INT64_MIN: never */
    double *values;    /* [observation_size] */
} gb_observation;

/* ---- envelope ----------------------------------------------------------------------------------
 */

typedef struct gb_envelope gb_envelope;

typedef enum gb_envelope_mode {
    GB_MODE_PASS,   /* the proposal is the command */
    GB_MODE_CLAMP,  /* moved to the nearest allowed command */
    GB_MODE_SLOW,   /* the way is kept, its speed is reduced */
    GB_MODE_BACKUP, /* the backup controller commands */
    GB_MODE_STOPPED /* backup until a person starts it again (emergency stop, wrong shape) */
} gb_envelope_mode;

/* Why the command is not the proposal. Bit n of gb_verdict.reasons is entry n. */
#define GB_LIMIT_LIST(X)                                                                           \
    X(GB_LIMIT_POSITION, "position")                                                               \
    X(GB_LIMIT_VELOCITY, "velocity")                                                               \
    X(GB_LIMIT_ACCELERATION, "acceleration")                                                       \
    X(GB_LIMIT_JERK, "jerk")                                                                       \
    X(GB_LIMIT_FORCE, "force")                                                                     \
    X(GB_LIMIT_WORKSPACE, "workspace")                                                             \
    X(GB_LIMIT_KEEP_OUT, "keep_out")                                                               \
    X(GB_LIMIT_SEPARATION, "separation")                                                           \
    X(GB_LIMIT_OBSERVATION_AGE, "observation_age")                                                 \
    X(GB_LIMIT_COMMAND_AGE, "command_age")                                                         \
    X(GB_LIMIT_SENSOR_NAN, "sensor_nan")                                                           \
    X(GB_LIMIT_SENSOR_RANGE, "sensor_range")                                                       \
    X(GB_LIMIT_SENSOR_STUCK, "sensor_stuck")                                                       \
    X(GB_LIMIT_SENSOR_JUMP, "sensor_jump")                                                         \
    X(GB_LIMIT_DEADLINE, "deadline")                                                               \
    X(GB_LIMIT_PROPOSAL, "proposal") /* there is none, or it is not finite */                      \
    X(GB_LIMIT_SHAPE, "shape")                                                                     \
    X(GB_LIMIT_EMERGENCY_STOP, "emergency_stop")

typedef enum gb_limit {
#define GB_LIMIT_ENUM(name, text) name,
    GB_LIMIT_LIST(GB_LIMIT_ENUM)
#undef GB_LIMIT_ENUM
    GB_LIMIT_COUNT
} gb_limit;

typedef struct gb_verdict {
    gb_envelope_mode mode;
    uint32_t reasons;  /* bits of gb_limit; a mode from CLAMP on has at least one */
    double margin;     /* the smallest distance to any limit as a part of its range: 1 far, 0 at it;
                          of the command and the observation; negative: beyond (only observations) */
    int margin_limit;  /* the gb_limit that is nearest; -1 none */
    int margin_index;  /* its column in the action or observation; -1 not of one column */
    uint32_t blind;    /* 1: where the machine is has not been seen yet: do not send this command */
    uint32_t reserved; /* 0: records hold no padding */
} gb_verdict;

/* What the envelope sees in a tick. */
typedef struct gb_envelope_input {
    int64_t now_ns;
    int64_t late_ns; /* how much later than due the servo woke */
    const gb_observation *observation;
    const double *proposal;  /* [action_size]; NULL: no chunk reaches to this instant */
    int64_t proposal_age_ns; /* since the observation that its chunk was inferred from */
    bool emergency_stop;
} gb_envelope_input;

/* Reads and checks an envelope against a machine. GB_ERR_SCHEMA names file, line, stream and unit
 * of what does not fit; nothing has moved then. tick_ns: the servo's period. */
GB_API GB_MUST gb_status gb_envelope_load(const char *path,
                                          const gb_plant_info *machine,
                                          int64_t tick_ns,
                                          gb_envelope **out);
GB_API void gb_envelope_destroy(gb_envelope *envelope); /* NULL is fine */
/* Forgets all history, that it was stopped, too: the next tick is the first. */
GB_API void gb_envelope_reset(gb_envelope *envelope);
/* One tick: writes command [action_size], always finite and within the limits. By the servo alone;
 * bounded time, no allocation. */
GB_API void gb_envelope_tick(gb_envelope *envelope,
                             const gb_envelope_input *input,
                             double *command,
                             gb_verdict *out);
/* A person allows it to leave GB_MODE_STOPPED once the conditions of return hold. Any thread. */
GB_API void gb_envelope_release(gb_envelope *envelope);
/* BLAKE2b-256 of the file it was read from. */
GB_API const unsigned char *gb_envelope_hash(const gb_envelope *envelope);
GB_API const char *gb_limit_name(gb_limit limit);                /* "velocity"; "?" out of range */
GB_API const char *gb_envelope_mode_name(gb_envelope_mode mode); /* "pass", ... */

#ifdef __cplusplus
}
#endif
#endif
