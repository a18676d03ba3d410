/* Private to ingest: the drift of one clock against another, found in a first pass over a source
 * and applied in a second. docs/cleaning.md says what is assumed. */
#ifndef GENBA_INGEST_DRIFT_H
#define GENBA_INGEST_DRIFT_H

#include "ingest/reader.h"

#define GB_DRIFT_WINDOW_S 60.0        /* when the map says none */
#define GB_DRIFT_POINTS 512           /* a line goes through so many points at most */
#define GB_DRIFT_RESTARTS 64          /* a clock that starts anew more often is none */
#define GB_DRIFT_JUMP_NS 1000000000LL /* a clock that jumps further has been set or restarted */

/* reference time = device time + shift_ns + rate x (device time - from_ns) */
typedef struct gb_drift_law {
    int64_t first_sample; /* of the stream of stamps; the law holds from there on */
    int64_t from_ns, shift_ns;
    double rate;
    double residual_s; /* robust sigma of what the line leaves */
    int64_t windows;   /* points behind the line; 0: nothing was found, nothing is moved */
} gb_drift_law;

/* The laws of one device in one recording, in the order of first_sample. */
typedef struct gb_drift_track {
    char *recording;
    uint32_t drift; /* which of the map's */
    gb_drift_law *laws;
    int law_count; /* 1 + restarts */
} gb_drift_track;

typedef struct gb_drift_tracks {
    gb_drift_track *tracks;
    int count, room;
} gb_drift_tracks;

void gb_drift_tracks_free(gb_drift_tracks *tracks);
/* NULL: nothing is known of that recording's device. */
const gb_drift_track *
gb_drift_find(const gb_drift_tracks *tracks, const char *recording, uint32_t drift);
int64_t gb_drift_apply(const gb_drift_law *law, int64_t device_ns);

/* Is this stream the one whose values are the device's own stamps? */
bool gb_drift_is_stamps(const gb_stream_map *map, const gb_map_drift *drift, const char *stream);
/* Nanoseconds in one unit of the stamps. GB_ERR_SCHEMA: no unit of time, or too few digits. */
GB_MUST gb_status gb_drift_stamp_unit(const gb_stream_map *map,
                                      const gb_stream_spec *spec,
                                      double *out_ns);

/* A sink for the first pass, behind gb_clean_create without tracks: keeps what the laws need and
 * forgets the rest; memory is bounded. Destroy it after finish. */
GB_MUST gb_status gb_drift_estimate_create(const gb_stream_map *map, gb_sink **out);
/* The laws of all recordings that ended; free them with gb_drift_tracks_free. */
GB_MUST gb_status gb_drift_estimate_finish(gb_sink *estimator, gb_drift_tracks *out);

/* ---- between the files of this room -----------------------------------------------------------
 */

typedef struct gb_drift_point {
    double x, y; /* seconds */
} gb_drift_point;

/* A line through points [count <= GB_DRIFT_POINTS] by Theil and Sen: the median of all slopes, then
 * of all offsets; almost a third of the points may be wrong. */
void gb_drift_fit(
    const gb_drift_point *points, int count, double *offset, double *rate, double *residual);
double gb_drift_median(double *values, int64_t count); /* reorders values */

/* Two streams that saw the same. */
typedef struct gb_drift_pair gb_drift_pair;
GB_MUST gb_status gb_drift_pair_create(double window_s, gb_drift_pair **out);
void gb_drift_pair_destroy(gb_drift_pair *pair); /* NULL is fine */
/* which: 0 the device's signal, 1 the reference. */
GB_MUST gb_status gb_drift_pair_add(gb_drift_pair *pair, int which, int64_t time_ns, double value);
GB_MUST gb_status gb_drift_pair_law(gb_drift_pair *pair, gb_drift_law *out);

#endif
