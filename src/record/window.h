/* Private to record: an index of windows, as window.c makes it and window_read.c reads by it. */
#ifndef GENBA_RECORD_WINDOW_H
#define GENBA_RECORD_WINDOW_H

#include "genba/record.h"

/* One chosen stream of one range: how a grid row finds its sample. */
typedef struct gb_window_track {
    const gb_stream_view *stream;
    bool direct;   /* sample = row + shift, no search */
    bool clean;    /* every sample may be used as it is, and no value is missing */
    bool usable;   /* every sample may be used as it is; missing values are NaN there already */
    int64_t shift; /* of direct tracks */
    int64_t max_age_ns;
} gb_window_track;

typedef struct gb_window_span {
    int64_t recording;
    int64_t low, high;       /* rows that may be read: [low, high) */
    int64_t first_now;       /* row of the first window */
    int64_t first_window;    /* number of the first window */
    int64_t grid_start_ns;   /* time of row 0 on a grid */
    gb_window_track *tracks; /* [stream_count] */
} gb_window_span;

struct gb_window_index {
    gb_arena *arena;
    const gb_dataset *dataset;
    gb_window_spec spec;
    gb_window_stream *streams; /* [stream_count], texts copied */
    int64_t *sizes;            /* [stream_count] */
    gb_window_span *spans;
    int64_t span_count, window_count;
};

#endif
