/* genba/control.h: the model inside the loop. The *servo* thread wakes at fixed times, takes the
 * newest observation, the setpoint of the current action chunk, passes it through the *envelope*
 * and sends the command; it never waits. The *pilot* thread infers the next chunk meanwhile. A
 * *link* is the way to a machine, the *black box* keeps every tick. Room: control, floor 4.
 *
 * Words: an *action* is what the policy answers, one for each period of the machine; a *setpoint*
 * is the action at an instant, between two of them; a *proposal* is the setpoint before the
 * envelope, a *command* after it. Flat arrays of doubles in the units of the machine's streams, as
 * in plant.h. Times are gb_clock_monotonic_ns unless they say wall.
 *
 * Nothing here allocates, locks or does file I/O on the servo's or the pilot's path once running.
 */
#ifndef GENBA_CONTROL_H
#define GENBA_CONTROL_H

#include "genba/blackbox.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- links -------------------------------------------------------------------------------------
 */

/* A way to a machine. receive and send are called by the servo alone: they never block, allocate
 * or lock. Everything else a link does happens in threads of its own. */
typedef struct gb_link gb_link;

typedef struct gb_link_counts { /* since it was opened; read from any thread */
    int64_t received, sent, lost, repeated, disordered, corrupt, misshapen, unsent;
} gb_link_counts;

/* What every kind of link supplies; one file each, a row in src/control/link.c. */
typedef struct gb_link_ops {
    /* Copies the newest observation over *observation when there is one that was not returned
     * before; else leaves values and times, and sets faults only. */
    void (*receive)(gb_link *link, gb_observation *observation);
    /* Sends a command [action_size] that is valid from due_ns on. */
    void (*send)(gb_link *link, const double *command, uint64_t tick, int64_t due_ns);
    /* Simulated machines: a new episode; NULL: the machine cannot. Not while a servo runs. */
    gb_status (*reset)(gb_link *link, uint64_t seed);
    /* Simulated machines: how it went so far; NULL: nobody knows. By the servo. */
    void (*result)(const gb_link *link, gb_plant_result *out);
    void (*counts)(const gb_link *link, gb_link_counts *out);
    void (*close)(gb_link *link); /* stops its threads and frees it */
} gb_link_ops;

struct gb_link {
    const gb_link_ops *ops;
    const gb_plant_info *machine; /* lives as long as the link */
    bool simulated;               /* nothing real moves: it may run without an envelope */
    bool stepped;                 /* time passes only in send(): it can run faster than real time */
};

/* A simulated plant in this process: send() runs one tick of it. */
GB_API GB_MUST gb_status gb_link_plant(const char *plant,
                                       const gb_plant_options *options,
                                       gb_link **out);
/* url: udp://HOST:PORT?listen=PORT, shm://NAME, dds://DOMAIN, mqtt://HOST:PORT/TOPIC
 * (docs/link.md). map_path: the streams, units, shapes, rates and topics of the machine
 * (docs/link.md); NULL only where url is "plant:NAME". GB_ERR_SCHEMA: the map does not fit, with
 * file and line; GB_ERR_UNSUPPORTED: this build lacks that link. */
GB_API GB_MUST gb_status gb_link_open(const char *url, const char *map_path, gb_link **out);
GB_API void gb_link_close(gb_link *link); /* NULL is fine */

/* ---- running -----------------------------------------------------------------------------------
 */
typedef enum gb_switching {
    GB_SWITCH_PLAIN,    /* a new chunk replaces the old one */
    GB_SWITCH_REAL_TIME /* a new chunk continues the old one (gb_policy.decide_after) */
} gb_switching;

typedef struct gb_control_options {
    gb_link *link;          /* borrowed */
    gb_policy_make_fn make; /* NULL: no pilot; the envelope holds the machine */
    const void *make_context;
    gb_envelope *envelope;  /* borrowed; NULL only for simulated machines */
    gb_blackbox *blackbox;  /* borrowed; may be NULL */
    gb_view *view;          /* borrowed; may be NULL */
    int64_t tick_ns;        /* the servo's period, 1 ms .. 1 s; 0: the machine's own */
    gb_switching switching; /* default real time where the policy can, else plain */
    bool stepped_time;      /* a stepped link as fast as it goes, one thread, deterministic */
    int64_t delay_ns;       /* stepped: how long an inference takes; -1, the default: one tick */
    int64_t seconds;        /* stop after so long; 0: see episodes */
    int episodes;           /* simulated machines; default 1 */
    uint64_t first_seed;    /* of the machine's episodes: first_seed, first_seed + 1, ... */
    uint64_t policy_seed;
    int servo_core, pilot_core; /* -1: not pinned */
    int priority;               /* of SCHED_FIFO, 1..99; 0: not asked for. Default 80 */
    const volatile int *stop;   /* not 0: come to rest and return; may be NULL */
    void (*note)(void *context, const char *line); /* "SCHED_FIFO was refused: ..."; may be NULL */
    void (*episode)(void *context, int episode, const gb_plant_result *result); /* may be NULL */
    void *context;
} gb_control_options;

GB_API gb_control_options gb_control_options_defaults(void);

/* Percentiles of a time in nanoseconds. */
typedef struct gb_timing {
    int64_t count;
    double p50_ns, p99_ns, p999_ns, max_ns;
} gb_timing;

typedef struct gb_control_result {
    int64_t ticks, decisions, episodes, successes;
    double score;                       /* mean over episodes */
    int64_t late;                       /* deadlines missed */
    int64_t without_chunk;              /* ticks that no chunk reached */
    int64_t failures;                   /* decisions that failed; a note says why */
    int64_t modes[GB_MODE_STOPPED + 1]; /* ticks in each */
    int64_t reasons[GB_LIMIT_COUNT];
    gb_timing period, wake, busy; /* between wakes; woke - due; done - woke */
    gb_timing inference;          /* of the pilot; real also in stepped time */
    double jerk_rms, jerk_max;    /* third difference of the proposal per tick^3 in units of each
                                     column's range, over all columns */
    double switch_jump_rms;       /* step of the proposal where chunks change, same units */
    int64_t major_faults;         /* getrusage of the servo's and the pilot's threads */
    bool fifo, memory_locked;
} gb_control_result;

/* Runs the loop until it is over. GB_ERR_REFUSED: a real machine without an envelope. Ends with the
 * machine under the backup controller's last command. */
GB_API GB_MUST gb_status gb_control_run(const gb_control_options *options, gb_control_result *out);

#ifdef __cplusplus
}
#endif
#endif
