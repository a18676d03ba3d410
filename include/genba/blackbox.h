/* genba/blackbox.h: what every tick and every decision leaves behind: the black box on disk, its
 * replay, and the viewer. All of it runs beside the servo, which only copies records into rings and
 * never waits. Room: control, floor 4. */
#ifndef GENBA_BLACKBOX_H
#define GENBA_BLACKBOX_H

#include "genba/envelope.h"
#include "genba/policy.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- what every tick and every decision leaves behind ------------------------------------------
 */

/* One tick, as the black box and the viewer get it: this header, then the arrays. */
typedef struct gb_tick {
    uint64_t tick;                    /* 0, 1, ... of this run */
    uint32_t episode;                 /* of a simulated machine; else 0 */
    uint32_t late;                    /* 1: the deadline of this tick was missed */
    int64_t due_ns, woke_ns, done_ns; /* monotonic */
    int64_t wall_ns;                  /* of due_ns, by an offset taken once at the start */
    uint64_t observation_sequence;
    int64_t observation_ns; /* of the oldest stream; INT64_MIN: none yet */
    uint32_t faults;        /* GB_FAULT_* */
    uint32_t reserved;      /* 0 */
    uint64_t chunk;         /* id; 0: no chunk */
    int64_t chunk_at_ns;    /* how far into the chunk the proposal lies */
    gb_verdict verdict;
    /* then observation [observation_size], proposal [action_size] (NaN: none), command
     * [action_size] */
} gb_tick;

/* One inference of the pilot; everything that decide() was given and what it answered. */
typedef struct gb_decision {
    uint64_t chunk; /* id: 1, 2, ... */
    uint64_t seed, policy_tick;
    uint64_t observation_sequence; /* of the newest of its observations */
    int64_t start_ns;              /* action 0 is the setpoint of this instant */
    int64_t began_ns, ended_ns;
    int32_t prefix_count, prefix_frozen, prefix_soft;
    int32_t status; /* gb_status of decide() */
    /* then observations [look_back x observation_size], prefix [horizon x action_size] (rows beyond
     * prefix_count are 0), actions [horizon x action_size], before [action_size]: the command under
     * way at start_ns, where gb_chunk_setpoint's first line begins */
} gb_decision;

GB_API size_t gb_tick_bytes(const gb_plant_info *machine);
GB_API size_t gb_decision_bytes(const gb_plant_info *machine, const gb_policy *policy);

/* ---- the black box -----------------------------------------------------------------------------
 */
typedef struct gb_blackbox gb_blackbox;

typedef struct gb_blackbox_options {
    const char *path; /* of the MCAP file; written as path.part until it is closed */
    const gb_plant_info *machine;
    const gb_policy *policy;            /* NULL: no pilot */
    const char *model_name;             /* for the record */
    const char *model_hash_hex;         /* BLAKE2b-256 of the weights file; "" none */
    const char *envelope_path;          /* copied into the recording as an attachment; NULL none */
    const unsigned char *envelope_hash; /* [GB_HASH_BYTES] gb_envelope_hash of the one in force:
                                           GB_ERR_MISMATCH if the file is another by now; NULL: not
                                           compared */
    const char *machine_name;           /* "plant:grasp", a URL */
    int64_t tick_ns;
    int64_t ring_ticks; /* that fit before the writer falls behind; 0: ten seconds' worth */
} gb_blackbox_options;

typedef struct gb_blackbox_counts {
    int64_t ticks, decisions;           /* written */
    int64_t ticks_lost, decisions_lost; /* the ring was full, or the disk */
    gb_status status;                   /* of the writer: GB_ERR_IO after the disk was full */
} gb_blackbox_counts;

GB_API GB_MUST gb_status gb_blackbox_open(const gb_blackbox_options *options, gb_blackbox **out);
/* By the servo and by the pilot, each alone: copies into a ring, never waits; full: it is counted.
 * record: gb_tick_bytes or gb_decision_bytes. The pilot records a decision before it hands its
 * chunk to the servo, so that a tick never stands before the decision it names. */
GB_API void gb_blackbox_tick(gb_blackbox *box, const gb_tick *record);
GB_API void gb_blackbox_decision(gb_blackbox *box, const gb_decision *record);
GB_API void gb_blackbox_counts_now(const gb_blackbox *box, gb_blackbox_counts *out);
/* Writes what is left, the summary and the last hash. The counts are final then; may be NULL. The
 * first failure of the writer is returned; what it had written stays as path.part. NULL is fine. */
GB_API GB_MUST gb_status gb_blackbox_close(gb_blackbox *box, gb_blackbox_counts *out);

typedef struct gb_replay_result {
    int64_t ticks, decisions; /* read */
    int64_t decisions_checked, decisions_different;
    int64_t proposals_checked, proposals_different; /* bit for bit */
    int64_t proposals_unchecked;        /* the decision they stand on is not in the recording */
    uint64_t first_different_tick;      /* UINT64_MAX: none */
    int64_t ticks_lost, decisions_lost; /* that the recording says are missing */
    bool chain_whole;                   /* every hash follows from the one before */
    bool closed;      /* it ends as a finished run does; else its end is missing */
    bool file_cut;    /* the file has no end of its own: also other streams may be cut short */
    bool same_model;  /* the recording names this model's hash */
    uint64_t records; /* in the chain */
    char last_hash[2 * GB_HASH_BYTES + 1]; /* binds all of them; keep it elsewhere as an anchor */
    char model_name[128], model_hash[2 * GB_HASH_BYTES + 1]; /* as recorded; "" none */
    char machine_name[128];                                  /* "plant:grasp", a URL */
    gb_dtype compute;                                        /* the recorded policy's */
} gb_replay_result;

/* Runs the pilot again on a recording: each decision from its recorded inputs, each proposal from
 * the chunk it names, which begins at the decision's `before`. make NULL: decisions are taken as
 * they were recorded. model_hash_hex may be NULL. GB_ERR_CORRUPT names the first record whose hash
 * does not follow; *out then holds what was read up to there. GB_ERR_MISMATCH: no black box, or not
 * of such a model's machine, or of a policy that computes in another precision. A file that was cut
 * is read as far as it is whole. */
GB_API GB_MUST gb_status gb_replay(const char *path,
                                   gb_policy_make_fn make,
                                   const void *make_context,
                                   const char *model_hash_hex,
                                   gb_replay_result *out);
/* What the recorded policy computed in, for gb_policy_model_maker. GB_F32 where the recording is
 * from before there was a choice. */
GB_API GB_MUST gb_status gb_blackbox_precision(const char *path, gb_dtype *out);
/* BLAKE2b-256 of a model folder's weights file, as text. */
GB_API GB_MUST gb_status gb_model_folder_hash(const char *folder, char out[2 * GB_HASH_BYTES + 1]);

/* ---- the viewer --------------------------------------------------------------------------------
 */
typedef struct gb_view gb_view;

typedef struct gb_view_options {
    const gb_plant_info *machine;
    const char *title;
    int port; /* on 127.0.0.1; 0: any free one */
    int64_t tick_ns;
    const char *report_path; /* also keep what gb_view_close writes there; NULL: no */
    /* facts for the page, each may be NULL: what runs, as gb_blackbox_options has them */
    const char *machine_name, *model_name, *model_hash_hex, *envelope_path;
    gb_dtype compute; /* of the policy; shown beside model_name */
} gb_view_options;

/* Serves one page on localhost, in threads of its own. GB_ERR_UNSUPPORTED without libmicrohttpd
 * unless port is -1 (a report alone). */
GB_API GB_MUST gb_status gb_view_open(const gb_view_options *options, gb_view **out);
GB_API int gb_view_port(const gb_view *view);
/* By the servo: copies into a ring, never waits; a viewer that stalls loses ticks, nobody else. */
GB_API void gb_view_tick(gb_view *view, const gb_tick *record);
/* Whether somebody pressed the button; the servo asks each tick. */
GB_API bool gb_view_emergency_stop(const gb_view *view);
/* Writes the same as one HTML file with a replay to scrub (report_path), and stops serving. */
GB_API GB_MUST gb_status gb_view_close(gb_view *view);

#ifdef __cplusplus
}
#endif
#endif
