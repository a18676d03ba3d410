/* control/view_record.h: what the viewer keeps of a run in bounded memory: buckets of ticks with
 * the least, the most and the last of every value, histograms of times, and the list of the
 * envelope's interventions. It knows no thread, no file and no page. Private to the room. */
#ifndef GENBA_CONTROL_VIEW_RECORD_H
#define GENBA_CONTROL_VIEW_RECORD_H

#include "genba/blackbox.h"

/* ---- columns ----------------------------------------------------------------------------------
 * The numbers of a tick that are kept: of the observation those of streams that are not too wide,
 * then the proposal, then the command. */
#define GB_VIEW_STREAM_MAX 1024 /* numbers of a stream that is still shown */
#define GB_VIEW_COLUMNS_MAX 4096

typedef struct gb_view_columns {
    int count;             /* all of them */
    int observation_count; /* the first ones */
    int observation_size;  /* of the machine */
    int action_size;       /* the next as proposed, then as commanded */
    int *source;           /* [observation_count] index in the machine's observation */
    int *stream_start;     /* [observation_stream_count] first column; -1: not shown */
    const gb_plant_info *machine;
} gb_view_columns;

GB_MUST gb_status gb_view_columns_create(const gb_plant_info *machine, gb_view_columns *out);
void gb_view_columns_free(gb_view_columns *columns);
size_t gb_view_columns_record_bytes(const gb_view_columns *columns); /* of a gb_tick */
/* The columns of one tick; values that no float holds become NaN. out: [count] */
void gb_view_columns_read(const gb_view_columns *columns, const gb_tick *record, float *out);

/* ---- buckets ----------------------------------------------------------------------------------
 */

/* Some ticks in a row, or one. */
typedef struct gb_view_bucket {
    uint64_t tick;  /* the first */
    int64_t at_ns;  /* due time of the first since the start of the run */
    int64_t end_ns; /* of the last */
    uint64_t chunk; /* of the last */
    uint32_t episode;
    uint32_t ticks, late, starved, switches; /* starved: no chunk; switches: of the chunk */
    uint32_t faults, reasons;                /* bits of all */
    int32_t mode;                            /* the worst */
    int32_t margin_limit, margin_index;      /* of the smallest margin */
    float margin;
    float age_ms;                      /* oldest observation; NaN: none yet */
    float wake_us, period_us, busy_us; /* longest */
} gb_view_bucket;

/* Buckets in order of time. Full: the oldest goes, or, for gb_view_trace_halve, pairs unite. */
typedef struct gb_view_trace {
    int columns, capacity, count, start;
    uint64_t first; /* number of the oldest bucket, counted from 0 at the start of the run */
    gb_view_bucket *buckets;
    float *values; /* [capacity][3][columns]: least, most, last */
} gb_view_trace;

GB_MUST gb_status gb_view_trace_create(int columns, int capacity, gb_view_trace *out);
void gb_view_trace_free(gb_view_trace *trace);
/* Adds one tick: to the newest bucket, or as a new one. values: [columns] */
void gb_view_trace_add(gb_view_trace *trace,
                       const gb_view_bucket *tick,
                       const float *values,
                       bool fresh);
/* Unites each two neighbours that belong to one episode. */
void gb_view_trace_halve(gb_view_trace *trace);
/* Bucket `index` (0: the oldest) and its values [3][columns]. */
gb_view_bucket *gb_view_trace_at(const gb_view_trace *trace, int index);
float *gb_view_trace_values(const gb_view_trace *trace, int index);

/* ---- times ------------------------------------------------------------------------------------
 * A histogram with eight bins to each doubling, from 128 ns on: 9 % wide each. */
#define GB_VIEW_BINS 193
#define GB_VIEW_BINS_PER_OCTAVE 8
#define GB_VIEW_BIN_FLOOR_NS 128

typedef struct gb_view_times {
    int64_t count, max_ns;
    int64_t bins[GB_VIEW_BINS]; /* 0: below the floor */
} gb_view_times;

void gb_view_times_add(gb_view_times *times, int64_t ns);
double gb_view_times_bin_ns(int bin); /* its upper end */
/* part 0..1: the upper end of the bin that holds it, at most max_ns; 0 when there is none. */
double gb_view_times_at(const gb_view_times *times, double part);

/* ---- interventions ----------------------------------------------------------------------------
 * An intervention lasts from the first tick whose command is not the proposal until nothing was
 * wrong for GB_VIEW_CALM_NS. */
#define GB_VIEW_EVENTS_MAX 2000
#define GB_VIEW_CALM_NS INT64_C(200000000)

typedef struct gb_view_event {
    uint64_t tick;
    int64_t at_ns, end_ns;
    int64_t ticks; /* in which the envelope stepped in */
    uint32_t reasons, episode;
    int32_t mode, margin_limit, margin_index; /* the worst */
    float margin;
} gb_view_event;

typedef struct gb_view_events {
    int count;
    int64_t beyond; /* that found no room */
    bool open;      /* the newest goes on */
    gb_view_event list[GB_VIEW_EVENTS_MAX];
} gb_view_events;

void gb_view_events_add(gb_view_events *events, const gb_view_bucket *tick);

/* ---- the sums of a run --------------------------------------------------------------------------
 */
typedef struct gb_view_sums {
    int64_t ticks, late, starved, switches, faulty; /* faulty: ticks with any fault */
    int64_t modes[GB_MODE_STOPPED + 1], reasons[GB_LIMIT_COUNT];
    int64_t faults[5]; /* of the bits of GB_FAULT_* */
    int64_t skipped;   /* tick numbers that never arrived */
    int64_t first_due_ns, last_due_ns, first_wall_ns, last_wall_ns, last_woke_ns;
    uint64_t last_tick, last_chunk;
    float least_margin;               /* NaN: none */
    gb_view_times wake, period, busy; /* lateness, distance from tick_ns, work */
} gb_view_sums;

void gb_view_sums_start(gb_view_sums *sums);
/* Counts a tick, and describes it as a bucket of one. */
void gb_view_sums_add(gb_view_sums *sums,
                      const gb_tick *record,
                      int64_t tick_ns,
                      gb_view_bucket *out);

#endif
