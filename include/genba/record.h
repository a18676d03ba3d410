/* genba/record.h: streams, recordings, datasets, and the windows that training and inference see.
 * Floor 1: needs base only.
 *
 * A *stream* is a named, typed signal with unit, shape and clock. A *recording* (an episode, a run)
 * is a bounded set of streams; it is written once by a builder and never changes afterwards, so any
 * number of threads may read it. A *dataset* is an ordered list of recordings. A *window* is the
 * past and the future of chosen streams around one row; windows are a view: nothing is resampled
 * into a copy.
 *
 * Names used below: n = samples of a stream, size = values in one sample. */
#ifndef GENBA_RECORD_H
#define GENBA_RECORD_H

#include "genba/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- streams -------------------------------------------------------------------------------- */

#define GB_STREAM_KIND_LIST(X)                                                                     \
    X(GB_STREAM_SCALAR, "scalar") /* one number                                               */   \
    X(GB_STREAM_VECTOR, "vector") /* [size], columns that belong together                     */   \
    X(GB_STREAM_IMAGE, "image")   /* [height, width, channels]                                */   \
    X(GB_STREAM_AUDIO, "audio")   /* [frames, channels]                                       */   \
    X(GB_STREAM_POINTS, "points") /* [points, coordinates and features]                       */   \
    X(GB_STREAM_TEXT, "text")                                                                      \
    X(GB_STREAM_EVENT, "event")   /* something happened: labels, alarms, maintenance          */   \
    X(GB_STREAM_ACTION, "action") /* [size], what a controller or a person commanded          */

typedef enum gb_stream_kind {
#define GB_STREAM_KIND_ENUM(name, text) name,
    GB_STREAM_KIND_LIST(GB_STREAM_KIND_ENUM)
#undef GB_STREAM_KIND_ENUM
    GB_STREAM_KIND_COUNT
} gb_stream_kind;

/* What a time of 0 means. */
typedef enum gb_time_base {
    GB_TIME_UTC,   /* 1970-01-01T00:00:00Z; stamps without a zone are read as UTC */
    GB_TIME_START, /* the start of the recording, or of the machine's own counter */
    GB_TIME_ROW    /* no clock: the row's number times a nominal period */
} gb_time_base;

/* How one value of a sample is kept. BYTES: each sample is a run of bytes of its own length (text,
 * a compressed picture), described by gb_stream_spec.encoding. */
#define GB_VALUE_TYPE_LIST(X)                                                                      \
    X(GB_VALUE_F32, "f32", 4)                                                                      \
    X(GB_VALUE_F64, "f64", 8)                                                                      \
    X(GB_VALUE_I8, "i8", 1)                                                                        \
    X(GB_VALUE_U8, "u8", 1)                                                                        \
    X(GB_VALUE_I16, "i16", 2)                                                                      \
    X(GB_VALUE_U16, "u16", 2)                                                                      \
    X(GB_VALUE_I32, "i32", 4)                                                                      \
    X(GB_VALUE_U32, "u32", 4)                                                                      \
    X(GB_VALUE_I64, "i64", 8)                                                                      \
    X(GB_VALUE_U64, "u64", 8)                                                                      \
    X(GB_VALUE_BYTES, "bytes", 0)

typedef enum gb_value_type {
#define GB_VALUE_TYPE_ENUM(name, text, bytes) name,
    GB_VALUE_TYPE_LIST(GB_VALUE_TYPE_ENUM)
#undef GB_VALUE_TYPE_ENUM
    GB_VALUE_TYPE_COUNT
} gb_value_type;

/* How far a sample can be believed (after the severities of OPC UA Part 8, StatusCode). MISSING: at
 * least one of its values is absent (NaN). */
typedef enum gb_quality {
    GB_QUALITY_GOOD,
    GB_QUALITY_UNCERTAIN,
    GB_QUALITY_BAD,
    GB_QUALITY_MISSING
} gb_quality;

/* Why a sample is not simply good: the reason, the quality it gives, its name. A sample with
 * several reasons carries the one of the worst quality, the first found of those. */
#define GB_REASON_LIST(X)                                                                          \
    X(GB_REASON_NONE, GB_QUALITY_GOOD, "none")                                                     \
    X(GB_REASON_CORRECTED_CLOCK, GB_QUALITY_GOOD,                                                  \
      "corrected_clock") /* time moved by a known law */                                           \
    X(GB_REASON_ANONYMISED, GB_QUALITY_GOOD, "anonymised")                                         \
    X(GB_REASON_AFTER_GAP, GB_QUALITY_GOOD, "after_gap") /* the first sample after a gap */        \
    X(GB_REASON_REPEATED_TIME, GB_QUALITY_UNCERTAIN, "repeated_time")                              \
    X(GB_REASON_BACKWARD_TIME, GB_QUALITY_UNCERTAIN, "backward_time")                              \
    X(GB_REASON_AMBIGUOUS_TIME, GB_QUALITY_UNCERTAIN, "ambiguous_time") /* in the fold of DST */   \
    X(GB_REASON_STUCK, GB_QUALITY_UNCERTAIN, "stuck")                                              \
    X(GB_REASON_SPIKE, GB_QUALITY_UNCERTAIN, "spike")                                              \
    X(GB_REASON_STALE, GB_QUALITY_UNCERTAIN, "stale") /* the source calls it old */                \
    X(GB_REASON_OUT_OF_RANGE, GB_QUALITY_BAD, "out_of_range")                                      \
    X(GB_REASON_SOURCE_BAD, GB_QUALITY_BAD, "source_bad") /* the source calls it bad */            \
    X(GB_REASON_SENTINEL, GB_QUALITY_MISSING, "sentinel") /* a number that means "no value" */     \
    X(GB_REASON_NOT_A_VALUE, GB_QUALITY_MISSING, "not_a_value") /* "err" where a number belongs */ \
    X(GB_REASON_ABSENT, GB_QUALITY_MISSING, "absent")

typedef enum gb_reason {
#define GB_REASON_ENUM(name, quality, text) name,
    GB_REASON_LIST(GB_REASON_ENUM)
#undef GB_REASON_ENUM
    GB_REASON_COUNT
} gb_reason;

/* A fact that has no field of its own: {"source_unit", "degF"}. */
typedef struct gb_pair {
    const char *key, *value;
} gb_pair;

#define GB_STREAM_RANK_MAX 3
#define GB_STREAM_NAME_MAX 127         /* bytes of a name */
#define GB_STREAMS_MAX 4096            /* streams of a recording */
#define GB_STREAM_SIZE_MAX (1LL << 28) /* values of a sample */

typedef struct gb_stream_spec {
    const char *name; /* "arm.joint.position": unique in its recording */
    gb_stream_kind kind;
    const char *unit;     /* UCUM code ("Cel", "kW", "rad"), "1" dimensionless, "" unknown */
    const char *semantic; /* what it means to a model: "position", "label", ...; "" none */
    int rank;             /* 0..GB_STREAM_RANK_MAX; 0 is a single number */
    int64_t shape[GB_STREAM_RANK_MAX]; /* [rank], each >= 1 */
    gb_time_base time_base;
    double rate_hz;            /* nominal; 0 = unknown or irregular */
    const char *const *labels; /* [size] names of the values ("HUFL"), or NULL */
    gb_value_type value_type;
    const char *encoding; /* of BYTES: "utf-8", "json", "jpeg", "png", "av1", "h264", "cdr", ... */
    const char *clock;    /* whose clock stamped it: "plc1"; "" the recording's */
    const char *frame;    /* coordinate frame: "base_link"; "" none */
    const gb_pair *pairs; /* [pair_count] further facts: where it came from, how it was converted */
    int pair_count;
} gb_stream_spec;

/* A scalar without unit called `name`; set the rest. */
GB_API gb_stream_spec gb_stream_spec_defaults(const char *name);
/* Product of the shape; 1 for rank 0. */
GB_API int64_t gb_stream_spec_size(const gb_stream_spec *spec);
/* The value of a pair of that key, or NULL. */
GB_API const char *gb_pair_find(const gb_pair *pairs, int count, const char *key);
GB_API const char *gb_value_type_name(gb_value_type type); /* "f32"; "?" out of range */
GB_API size_t gb_value_type_bytes(gb_value_type type);     /* 0 for BYTES */
/* GB_ERR_NOT_FOUND names the types there are; the same for kinds below. */
GB_API GB_MUST gb_status gb_value_type_parse(const char *text, gb_value_type *out);
GB_API const char *gb_reason_name(gb_reason reason);    /* "stuck"; "?" out of range */
GB_API gb_quality gb_reason_quality(gb_reason reason);  /* the quality a reason gives */
GB_API const char *gb_quality_name(gb_quality quality); /* "good", "uncertain", "bad", "missing" */
GB_API const char *gb_stream_kind_name(gb_stream_kind kind); /* "scalar"; "?" out of range */
GB_API GB_MUST gb_status gb_stream_kind_parse(const char *text, gb_stream_kind *out);

/* ---- recordings ----------------------------------------------------------------------------- */

/* Texts may be NULL when unknown; getters return "" then. */
typedef struct gb_recording_info {
    const char *name;        /* unique in a dataset by convention: "pusht_lowdim/17" */
    const char *source;      /* the file it came from */
    const char *instruction; /* what was asked for, in words */
    const char *outcome;     /* "success", "failure", ... */
    const char *residency;   /* where the data may be used: "JP"; "" no limit stated */
    const char *owner;       /* whose data it is */
    const char *licence;     /* SPDX identifier or a name */
    const char *purpose;     /* what it may be used for: "train,inspect"; "" no limit stated */
    const gb_pair *pairs;    /* [pair_count] further facts */
    int pair_count;
} gb_recording_info;

typedef struct gb_recording gb_recording;
typedef struct gb_recording_builder gb_recording_builder;

/* Builder: one thread at a time. All texts and arrays are copied. */
GB_API GB_MUST gb_status gb_recording_builder_create(const gb_recording_info *info,
                                                     gb_recording_builder **out);
/* Adds a stream; *out_stream is its number: 0, 1, ... GB_ERR_ARGUMENT: name used twice, bad shape.
 */
GB_API GB_MUST gb_status gb_recording_builder_stream(gb_recording_builder *builder,
                                                     const gb_stream_spec *spec,
                                                     int *out_stream);
/* Appends `count` samples: time_ns [count], values [count x size], quality [count] or NULL (good).
 * The stream's value_type must be F32 here; gb_dataset_sink_create (sink.h) takes every type.
 * A sample with a NaN becomes GB_QUALITY_MISSING. Times may repeat or step back; the stream then
 * says so (gb_stream_view.ordered). Nothing is appended on failure. */
GB_API GB_MUST gb_status gb_recording_builder_append(gb_recording_builder *builder,
                                                     int stream,
                                                     int64_t count,
                                                     const int64_t *time_ns,
                                                     const float *values,
                                                     const uint8_t *quality);
/* Makes the recording. The builder is gone on success; on failure it is still there to abandon. */
GB_API GB_MUST gb_status gb_recording_builder_finish(gb_recording_builder *builder,
                                                     gb_recording **out);
GB_API void gb_recording_builder_abandon(gb_recording_builder *builder); /* NULL is fine */

/* One stream of a recording. Pointers are valid as long as the recording. */
typedef struct gb_stream_view {
    const gb_stream_spec *spec;
    int64_t size;           /* values in one sample */
    int64_t count;          /* n */
    const int64_t *time_ns; /* [n]; shared by streams that were sampled together */
    const float *values;    /* [n x size], NaN where missing; NULL for pictures and BYTES */
    const uint8_t *quality; /* [n] of gb_quality */
    const uint8_t *reason;  /* [n] of gb_reason, or NULL: none */
    const unsigned char
        *raw;              /* pictures of value_type U8: [n x size]; BYTES: all runs, end to end */
    const int64_t *offset; /* BYTES: sample i is raw[offset[i] .. offset[i + 1]); else NULL */
    bool ordered;          /* time never steps back */
    bool clean;            /* every sample is GOOD or UNCERTAIN: no NaN, nothing out of range */
    int64_t period_ns;     /* the one step between all samples; 0 when steps differ or n < 2 */
} gb_stream_view;

GB_API void gb_recording_destroy(gb_recording *recording); /* NULL is fine */
GB_API const gb_recording_info *gb_recording_get_info(const gb_recording *recording);
GB_API int gb_recording_stream_count(const gb_recording *recording);
/* stream in [0, count); NULL otherwise. Valid as long as the recording. */
GB_API const gb_stream_view *gb_recording_stream(const gb_recording *recording, int stream);
/* The stream's number, or -1. */
GB_API int gb_recording_find(const gb_recording *recording, const char *name);
GB_API size_t gb_recording_bytes(const gb_recording *recording);

/* ---- datasets ------------------------------------------------------------------------------- */
typedef struct gb_dataset gb_dataset;

GB_API GB_MUST gb_status gb_dataset_create(gb_dataset **out);
GB_API void gb_dataset_destroy(gb_dataset *dataset); /* its recordings too; NULL is fine */
/* Appends; on success the dataset owns the recording. */
GB_API GB_MUST gb_status gb_dataset_add(gb_dataset *dataset, gb_recording *recording);
/* Moves all recordings of `from` behind those of `dataset`, all or none; `from` is empty then. */
GB_API GB_MUST gb_status gb_dataset_merge(gb_dataset *dataset, gb_dataset *from);
GB_API int64_t gb_dataset_count(const gb_dataset *dataset);
/* index in [0, count); NULL otherwise. Borrowed from the dataset. */
GB_API const gb_recording *gb_dataset_get(const gb_dataset *dataset, int64_t index);
/* The first recording of that name, or -1. */
GB_API int64_t gb_dataset_find(const gb_dataset *dataset, const char *name);

/* ---- splits: which rows of which recordings ------------------------------------------------- */
#define GB_ROWS_ALL INT64_MAX

/* Rows [first_row, last_row) of one recording: sample numbers, or grid rows when windows are read
 * on a time grid. last_row may be GB_ROWS_ALL. */
typedef struct gb_row_range {
    int64_t recording;
    int64_t first_row, last_row;
    bool reach_back; /* the past of a window may lie before first_row (test sets of series) */
} gb_row_range;

/* Every recording's rows [first_row, last_row): out [gb_dataset_count]. ETTh1's test set is
 * (11520, 14400, true). */
GB_API GB_MUST gb_status gb_split_rows(const gb_dataset *dataset,
                                       int64_t first_row,
                                       int64_t last_row,
                                       bool reach_back,
                                       gb_row_range *out);
/* The whole recordings called names [count]: out [count]. GB_ERR_NOT_FOUND names the first absent.
 */
GB_API GB_MUST gb_status gb_split_names(const gb_dataset *dataset,
                                        const char *const *names,
                                        int64_t count,
                                        gb_row_range *out);
/* Whole recordings: those whose place in a shuffled order lies in [from, to) of 0..1; adjoining
 * fractions share nothing and leave nothing out. seed 0 keeps the dataset's order.
 * out [gb_dataset_count]; *out_count is how many were written. */
GB_API GB_MUST gb_status gb_split_fraction(const gb_dataset *dataset,
                                           double from,
                                           double to,
                                           uint64_t seed,
                                           gb_row_range *out,
                                           int64_t *out_count);

/* ---- statistics ------------------------------------------------------------------------------ */
typedef struct gb_column_stats {
    double mean, sigma; /* sigma of the population: sqrt(mean((x - mean)^2)) */
    double min, max;
    int64_t count, missing; /* count + missing = rows looked at; count 0 gives NaN above */
} gb_column_stats;

/* Statistics of each value of a stream over the samples in ranges (NULL: all samples of all
 * recordings): out [size]. Missing are NaN and samples of quality BAD. GB_ERR_NOT_FOUND: a
 * recording lacks the stream; GB_ERR_SHAPE: recordings differ in its size; GB_ERR_ARGUMENT: rows
 * not there. */
GB_API GB_MUST gb_status gb_stats_compute(const gb_dataset *dataset,
                                          const char *stream,
                                          const gb_row_range *ranges,
                                          int64_t range_count,
                                          gb_column_stats *out,
                                          int64_t size);

/* ---- windows ---------------------------------------------------------------------------------
 * A window stands at a row called *now*. For each stream it holds
 *     past    rows now - look_back + 1 .. now
 *     future  rows now + future_first .. now + future_first + horizon - 1
 * future_first is 1 for what comes next (forecasts) and 0 for what is decided now (actions).
 *
 * Rows are sample numbers when period_ns is 0 (all streams must then have the same count), else
 * points of a time grid that runs, period_ns apart, from the earliest first to the latest last
 * sample of the chosen streams; there a stream's value is its last sample at or before the grid
 * time, missing before its first sample and when older than max_age_ns. */
#define GB_PAD_ALL INT64_MAX

typedef struct gb_window_stream {
    const char *name;
    int64_t look_back;    /* rows of past, >= 0 */
    int64_t horizon;      /* rows of future, >= 0 */
    int64_t future_first; /* 0 or 1 as above; any number is allowed */
    int64_t max_age_ns;   /* on a time grid: older values are missing; 0 = no limit */
} gb_window_stream;

typedef struct gb_window_spec {
    const gb_window_stream *streams; /* [stream_count] */
    int stream_count;
    int64_t period_ns; /* 0 = rows as recorded */
    int64_t stride;    /* rows between the nows of neighbouring windows, >= 1 */
    int64_t pad_start; /* most rows before the range made up by repeating its first row */
    int64_t pad_end;   /* most rows after the range made up by repeating its last row */
    gb_quality worst;  /* samples of a worse quality read as missing; default UNCERTAIN */
} gb_window_spec;

/* Stride 1, no padding, rows as recorded, no streams yet. PushT pads with GB_PAD_ALL at both ends:
 * then every row is a now. */
GB_API gb_window_spec gb_window_spec_defaults(void);

typedef struct gb_window_index gb_window_index;

/* Numbers all windows of ranges (NULL: all recordings whole) in the order of ranges, then of time.
 * Every future row lies in its range (or is padding); past rows lie there too, or from row 0 with
 * reach_back. The spec is copied; the dataset is borrowed and must outlive the index.
 * A range too short for one window gives none. GB_ERR_NOT_FOUND: a stream is absent; GB_ERR_SHAPE:
 * sizes differ between recordings, or counts between streams with period_ns 0; GB_ERR_ARGUMENT:
 * rows that are not there, or a time grid over a stream whose time steps back. */
GB_API GB_MUST gb_status gb_window_index_create(const gb_dataset *dataset,
                                                const gb_window_spec *spec,
                                                const gb_row_range *ranges,
                                                int64_t range_count,
                                                gb_window_index **out);
GB_API void gb_window_index_destroy(gb_window_index *index); /* NULL is fine */
GB_API int64_t gb_window_count(const gb_window_index *index);
/* What it was created from; borrowed, as long as the index (the dataset: its owner's life). */
GB_API const gb_window_spec *gb_window_index_spec(const gb_window_index *index);
GB_API const gb_dataset *gb_window_index_dataset(const gb_window_index *index);
/* Values in one sample of the spec's stream number `stream`. */
GB_API int64_t gb_window_stream_size(const gb_window_index *index, int stream);

/* What a mask says of one value; anything but 0 can be used. */
enum {
    GB_WINDOW_MISSING = 0,
    GB_WINDOW_PRESENT = 1,
    GB_WINDOW_PADDED = 2
};

/* Where one stream's part of a window goes; a NULL is not written. Strides are in values between
 * rows, 0 meaning size: several streams can be written side by side into one matrix. */
typedef struct gb_window_out {
    float *past;          /* [look_back x size], NaN where missing */
    float *future;        /* [horizon x size] */
    uint8_t *past_mask;   /* [look_back x size] */
    uint8_t *future_mask; /* [horizon x size] */
    int64_t past_stride, future_stride;
} gb_window_out;

/* Reads window number `window` in [0, gb_window_count): outs [stream_count]. Allocates nothing;
 * any number of threads at once. */
GB_API GB_MUST gb_status gb_window_read(const gb_window_index *index,
                                        int64_t window,
                                        const gb_window_out *outs);

/* Reads one value of one stream: past [look_back], future [horizon], NaN where missing; either may
 * be NULL. stream and column must exist. As gb_window_read otherwise. */
GB_API GB_MUST gb_status gb_window_read_column(const gb_window_index *index,
                                               int64_t window,
                                               int stream,
                                               int64_t column,
                                               float *past,
                                               float *future);

typedef struct gb_window_place {
    int64_t recording; /* in the dataset */
    int64_t now_row;
    int64_t now_ns; /* time of that row (of the first stream when rows are as recorded) */
} gb_window_place;

GB_API GB_MUST gb_status gb_window_place_of(const gb_window_index *index,
                                            int64_t window,
                                            gb_window_place *out);

#ifdef __cplusplus
}
#endif
#endif
