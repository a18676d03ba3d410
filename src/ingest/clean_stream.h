/* Private to cleaning: the rules for one stream, what is remembered of it, and the desk where a
 * slice of samples is worked on. */
#ifndef GENBA_INGEST_CLEAN_STREAM_H
#define GENBA_INGEST_CLEAN_STREAM_H

#include "ingest/clean.h"

#define GB_CLEAN_REACH 5 /* samples before and after that a spike is judged by */
#define GB_CLEAN_TAIL (2 * GB_CLEAN_REACH)
#define GB_CLEAN_SLICE_VALUES 65536 /* values worked on at once */
#define GB_CLEAN_SLICE_SAMPLES 4096
#define GB_CLEAN_COMPARED_BYTES 1024 /* longer samples are not compared with the one before */

/* What is asked of one stream; see gb_map_stream. */
typedef struct gb_clean_rules {
    bool convert;         /* stored = scale x value + offset */
    double scale, offset; /* from the file's unit to what is stored */
    const double *sentinels;
    uint32_t sentinel_count;
    bool has_range;
    double range_min, range_max;
    int64_t gap_ns;        /* INT64_MAX: none */
    int64_t stuck_samples; /* 0: off */
    double spike_sigmas;   /* 0: off */
    bool reject_repeated, reject_backward;
    bool stamps; /* the values are a device's own stamps, wanted for other streams */
    gb_value_type in, out;
    int64_t size; /* values in one sample */
} gb_clean_rules;

/* Streams sampled together; see clean.h. */
typedef struct gb_clean_group {
    bool by_row;
    int64_t first;   /* row or time of the first sample */
    int leader;      /* the stream that counts rows */
    uint8_t *differ; /* [differ_bytes], one bit for each repeated stamp: a value is another one */
    int64_t differ_bytes, repeated;
} gb_clean_group;

/* What is remembered of a stream's times. */
typedef struct gb_clean_time {
    bool begun;
    int group;
    int64_t last_ns;       /* of the last sample kept */
    int64_t seen;          /* samples that came */
    int64_t repeated;      /* stamps that repeated the one before */
    unsigned char *before; /* the last sample as it came; room for GB_CLEAN_COMPARED_BYTES */
    size_t before_size;
    bool before_known;
} gb_clean_time;

/* The samples next to be judged for spikes, and those before them. */
typedef struct gb_clean_tail {
    int64_t count, judged; /* the first `judged` have been handed on */
    int64_t *time_ns, *row;
    uint8_t *quality, *reason;
    double *values;       /* [count x size] */
    unsigned char *bytes; /* [count] samples as they will be stored, unless that is `values` */
    double *usual_step;   /* [size] about the median of the steps but 0; INFINITY: none yet */
} gb_clean_tail;

typedef struct gb_clean_stream {
    gb_clean_rules rules;
    gb_time_base time_base;
    char *name, *clock;
    int number, raw_number; /* in the next sink; raw_number -1: not yet needed */
    bool has_row;           /* the reader says which rows these are */
    int64_t kept;           /* samples not rejected */
    gb_clean_time time;
    double *stuck_value; /* [size] */
    int64_t *stuck_run;  /* [size] */
    gb_clean_tail tail;
    int stamps_of; /* whose clock its values are: one of the recording's, -1 */
    int moved_by;  /* whose clock its times are, if they are moved: -1 */
} gb_clean_stream;

/* One of the map's drifts in one recording. */
typedef struct gb_clean_clock {
    const gb_drift_track *track; /* NULL: nothing to move by */
    double unit_ns;              /* of the stamps */
    int law;                     /* that the next stamp is read by */
    int64_t stamps;              /* that came */
    int64_t *times;              /* [time_count] corrected times of rows, from row time_first on */
    int64_t time_first, time_count, time_room;
} gb_clean_clock;

typedef struct gb_clean_recording {
    bool open;
    int number; /* in the next sink */
    gb_arena *arena;
    gb_clean_stream **streams; /* [stream_count] */
    int stream_count, stream_room;
    gb_clean_group *groups; /* [group_count] */
    int group_count, group_room;
    gb_clean_clock *clocks; /* [drift_count] of the map; NULL: none is corrected */
} gb_clean_recording;

/* One slice of one stream. The first `tail` samples come from the slice before. */
typedef struct gb_clean_desk {
    int64_t room;        /* samples, the tail included */
    int64_t value_room;  /* values, the tail's included */
    size_t in_room;      /* bytes of gathered input */
    int64_t tail, count; /* all = tail + new */
    int64_t *time_ns, *row;
    uint8_t *quality, *reason;
    int64_t *keep; /* [kept] which of the new samples stay, in order */
    int64_t kept;
    bool changed;         /* the new samples are not what came */
    double *values;       /* [count x size] of streams that changed or are held back */
    unsigned char *bytes; /* [count] samples of type `out`; unused when that is F64 */
    unsigned char *in;    /* input without rejected samples */
    const unsigned char **runs;
    size_t *run_sizes;
    double *line; /* [room] one column of the samples */
    double *raw;  /* [raw_count x 3] sample, column, value: to be kept beside the stream */
    int64_t *raw_time_ns;
    int64_t raw_count, raw_room;
} gb_clean_desk;

typedef struct gb_clean {
    gb_sink sink;
    const gb_stream_map *map;
    const gb_ingest_watch *watch;
    gb_ingest_report *report;
    const char *origin;
    gb_sink *next;
    const gb_drift_tracks *tracks;  /* NULL: clocks are left alone */
    gb_clean_recording *recordings; /* [recording_room] */
    int recording_room;
    gb_clean_desk desk;
} gb_clean;

/* The reason wins over what sample i had if its quality is worse, or as bad and nameless. */
static inline void gb_clean_mark(gb_clean_desk *desk, int64_t i, gb_reason reason)
{
    uint8_t quality = (uint8_t)gb_reason_quality(reason);
    bool nameless = desk->reason[i] == GB_REASON_NONE && quality == desk->quality[i];
    if (quality > desk->quality[i] || nameless) {
        desk->quality[i] = quality;
        desk->reason[i] = (uint8_t)reason;
    }
}

/* Where the samples of the desk begin, as they will be stored. */
static inline const void *gb_clean_desk_samples(const gb_clean_desk *desk,
                                                const gb_clean_rules *rules)
{
    return rules->out == GB_VALUE_F64 ? (const void *)desk->values : (const void *)desk->bytes;
}

static inline int64_t gb_clean_slice(int64_t size)
{
    int64_t samples = GB_CLEAN_SLICE_VALUES / size;
    return samples < 1 ? 1 : samples > GB_CLEAN_SLICE_SAMPLES ? GB_CLEAN_SLICE_SAMPLES : samples;
}

/* ---- clean_rules.c: from the map to the rules -------------------------------------------------
 */

/* Settles the rules for the stream of a spec, and the spec as it goes on (unit, value type, pairs;
 * memory from the arena). */
GB_MUST gb_status gb_clean_settle(const gb_stream_map *map,
                                  const gb_stream_spec *spec,
                                  gb_arena *arena,
                                  gb_clean_rules *rules,
                                  gb_stream_spec *out_spec);

/* ---- clean_time.c -----------------------------------------------------------------------------
 */

/* Are all times later than the one before, without a gap? Then there is nothing to judge. */
bool gb_clean_times_are_plain(const gb_clean_stream *stream, const gb_samples *samples);
/* Joins the stream to those sampled together with it; before the first sample is judged. */
GB_MUST gb_status gb_clean_join(gb_clean_recording *recording,
                                int stream,
                                const gb_samples *samples);
/* Remembers the last sample of a slice that was plain. */
void gb_clean_remember(gb_clean_stream *stream, const gb_samples *samples);
/* Judges the new samples of the desk (samples: the same ones as they came): marks them, and lists
 * in desk->keep those that stay. */
GB_MUST gb_status gb_clean_judge_times(gb_clean *clean,
                                       gb_clean_recording *recording,
                                       int stream,
                                       const gb_samples *samples);
/* Counts rows that repeat the one before in every value. */
void gb_clean_count_duplicates(const gb_clean_recording *recording, gb_ingest_report *report);

/* ---- clean_values.c ---------------------------------------------------------------------------
 */

bool gb_clean_has_value_rules(const gb_clean_rules *rules);
/* Can stored samples differ from what came (type or number)? */
bool gb_clean_changes_values(const gb_clean_rules *rules);
/* Judges and converts the new samples of `in`; desk->changed says whether they differ from it now.
 */
GB_MUST gb_status gb_clean_judge_values(gb_clean *clean, gb_clean_stream *stream, const void *in);

/* ---- clean_spikes.c ---------------------------------------------------------------------------
 */

GB_MUST gb_status gb_clean_tail_create(const gb_clean_rules *rules,
                                       gb_arena *arena,
                                       gb_clean_tail *out);
/* Puts what was held back in front of the desk, before new samples come. */
void gb_clean_tail_load(const gb_clean_stream *stream, gb_clean_desk *desk);
/* Judges all samples with enough after them (at the end: all); *out_to: where to stop handing on.
 */
void gb_clean_judge_spikes(gb_clean_stream *stream,
                           gb_clean_desk *desk,
                           bool at_end,
                           int64_t *out_to);
/* Keeps what the next slice needs; samples before `to` were handed on. */
void gb_clean_tail_save(gb_clean_stream *stream, const gb_clean_desk *desk, int64_t to);

/* ---- clean_drift.c ----------------------------------------------------------------------------
 */

/* What is known of the recording's clocks. */
GB_MUST gb_status gb_clean_begin_clocks(const gb_clean *clean,
                                        gb_clean_recording *recording,
                                        const char *name);
/* Finds what the stream has to do with a clock; the law goes into the spec's pairs. */
GB_MUST gb_status gb_clean_assign_clock(const gb_clean *clean,
                                        gb_clean_recording *recording,
                                        gb_clean_stream *stream,
                                        gb_stream_spec *spec);
/* Moves the times of the new samples, if their clock's law is known. */
GB_MUST gb_status gb_clean_move_times(gb_clean *clean,
                                      gb_clean_recording *recording,
                                      const gb_clean_stream *stream);
/* Reads the new stamps, if these are stamps, for the streams of that clock. */
GB_MUST gb_status gb_clean_take_stamps(gb_clean *clean,
                                       gb_clean_recording *recording,
                                       const gb_clean_stream *stream);
void gb_clean_report_clocks(const gb_clean *clean, const gb_clean_recording *recording);
void gb_clean_end_clocks(const gb_clean *clean, gb_clean_recording *recording);

#endif
