/* A line through (stamp, row time - stamp): each window of the device's time gives one point, the
 * median of its rows, so late rows do not pull. A jump of the stamps that stays begins a new line:
 * the device was set or restarted. */
#include "ingest/drift_stamps.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_ROWS 64 /* kept of one window, spread over it */
#define CONFIRM_ROWS 5 /* so many rows agree before a jump is believed */

/* The line being gathered. Times are seconds since its first row, so that doubles have digits left.
 */
typedef struct segment {
    int64_t first_sample, from_ns, base_ns; /* of the first row: base = row - stamp */
    double window_s;
    int64_t window; /* the one being gathered */
    double x[WINDOW_ROWS], y[WINDOW_ROWS];
    int64_t kept, every, seen;
    gb_drift_point points[GB_DRIFT_POINTS];
    int point_count;
    int64_t last_ns; /* row - stamp of the last row that fits */
} segment;

struct gb_drift_stamps {
    double window_s;
    int64_t samples;
    bool begun;
    segment now;
    int64_t doubtful; /* rows in a row that do not fit */
    int64_t row_ns[CONFIRM_ROWS], stamp_ns[CONFIRM_ROWS], at[CONFIRM_ROWS];
    gb_drift_law *laws;
    int law_count;
};

gb_status gb_drift_stamps_create(double window_s, gb_drift_stamps **out)
{
    gb_drift_stamps *made = calloc(1, sizeof *made);
    if (!made)
        return gb_fail(GB_ERR_MEMORY, "clock drift: no memory for stamps");
    made->window_s = window_s;
    *out = made;
    return GB_OK;
}

void gb_drift_stamps_destroy(gb_drift_stamps *stamps)
{
    if (!stamps)
        return;
    free(stamps->laws);
    free(stamps);
}

/* ---- windows to points ------------------------------------------------------------------------
 */

/* Two neighbours become one: the recording is long, and longer windows will do. */
static void halve(segment *s)
{
    for (int i = 0; i < s->point_count / 2; i++) {
        const gb_drift_point *a = &s->points[2 * i], *b = a + 1;
        s->points[i] = (gb_drift_point){(a->x + b->x) / 2, (a->y + b->y) / 2};
    }
    s->point_count /= 2;
    s->window_s *= 2;
}

static void close_window(segment *s)
{
    if (s->kept > 0) {
        if (s->point_count == GB_DRIFT_POINTS)
            halve(s);
        s->points[s->point_count++] =
            (gb_drift_point){gb_drift_median(s->x, s->kept), gb_drift_median(s->y, s->kept)};
    }
    s->kept = s->seen = 0;
    s->every = 1;
}

static void keep_row(segment *s, double x, double y)
{
    if (s->seen++ % s->every != 0)
        return;
    if (s->kept == WINDOW_ROWS) {
        for (int64_t i = 0; i < WINDOW_ROWS / 2; i++) {
            s->x[i] = s->x[2 * i];
            s->y[i] = s->y[2 * i];
        }
        s->kept = WINDOW_ROWS / 2;
        s->every *= 2;
        if ((s->seen - 1) % s->every != 0)
            return;
    }
    s->x[s->kept] = x;
    s->y[s->kept++] = y;
}

static void add_row(segment *s, int64_t row_ns, int64_t stamp_ns)
{
    double x = (double)(stamp_ns - s->from_ns) * 1e-9;
    double y = (double)(row_ns - stamp_ns - s->base_ns) * 1e-9;
    int64_t window = (int64_t)floor(x / s->window_s);
    if (window != s->window) {
        close_window(s);
        s->window = (int64_t)floor(x / s->window_s); /* it may have become longer */
    }
    s->last_ns = row_ns - stamp_ns;
    keep_row(s, x, y);
}

/* ---- lines ------------------------------------------------------------------------------------
 */

static void begin_segment(gb_drift_stamps *stamps, int64_t sample, int64_t row_ns, int64_t stamp_ns)
{
    segment *s = &stamps->now;
    *s = (segment){.first_sample = sample,
                   .from_ns = stamp_ns,
                   .base_ns = row_ns - stamp_ns,
                   .window_s = stamps->window_s,
                   .every = 1,
                   .last_ns = row_ns - stamp_ns};
    stamps->begun = true;
}

static gb_status end_segment(gb_drift_stamps *stamps)
{
    segment *s = &stamps->now;
    if (stamps->law_count > GB_DRIFT_RESTARTS)
        return gb_fail(GB_ERR_NUMERIC,
                       "clock drift: the stamps jump more than %d times; is the column a clock?",
                       GB_DRIFT_RESTARTS);
    gb_drift_law *grown = realloc(stamps->laws, (size_t)(stamps->law_count + 1) * sizeof *grown);
    if (!grown)
        return gb_fail(GB_ERR_MEMORY, "clock drift: no memory for a law");
    stamps->laws = grown;
    close_window(s);
    double offset, rate, residual;
    gb_drift_fit(s->points, s->point_count, &offset, &rate, &residual);
    grown[stamps->law_count++] = (gb_drift_law){.first_sample = s->first_sample,
                                                .from_ns = s->from_ns,
                                                .shift_ns = s->base_ns + llround(offset * 1e9),
                                                .rate = rate,
                                                .residual_s = residual,
                                                .windows = s->point_count};
    return GB_OK;
}

static bool is_near(int64_t a_ns, int64_t b_ns)
{
    return a_ns - b_ns <= GB_DRIFT_JUMP_NS && b_ns - a_ns <= GB_DRIFT_JUMP_NS;
}

/* A row that does not fit: noise, or the first of a new line when those after it agree with it. */
static gb_status doubt(gb_drift_stamps *stamps, int64_t row_ns, int64_t stamp_ns)
{
    int64_t n = stamps->doubtful;
    if (n > 0 && !is_near(row_ns - stamp_ns, stamps->row_ns[0] - stamps->stamp_ns[0]))
        n = 0;
    stamps->row_ns[n] = row_ns;
    stamps->stamp_ns[n] = stamp_ns;
    stamps->at[n++] = stamps->samples;
    stamps->doubtful = n;
    if (n < CONFIRM_ROWS)
        return GB_OK;
    GB_TRY(end_segment(stamps));
    begin_segment(stamps, stamps->at[0], stamps->row_ns[0], stamps->stamp_ns[0]);
    for (int64_t i = 0; i < n; i++)
        add_row(&stamps->now, stamps->row_ns[i], stamps->stamp_ns[i]);
    stamps->doubtful = 0;
    return GB_OK;
}

gb_status gb_drift_stamps_add(gb_drift_stamps *stamps, int64_t row_ns, int64_t stamp_ns)
{
    const int64_t far = INT64_MAX / 4; /* differences of such times do not overflow */
    if (row_ns > far || row_ns < -far || stamp_ns > far || stamp_ns < -far) {
        stamps->samples++;
        return GB_OK;
    }
    if (!stamps->begun)
        begin_segment(stamps, stamps->samples, row_ns, stamp_ns);
    gb_status status = GB_OK;
    if (is_near(row_ns - stamp_ns, stamps->now.last_ns)) {
        add_row(&stamps->now, row_ns, stamp_ns);
        stamps->doubtful = 0;
    } else {
        status = doubt(stamps, row_ns, stamp_ns);
    }
    stamps->samples++;
    return status;
}

void gb_drift_stamps_skip(gb_drift_stamps *stamps)
{
    stamps->samples++;
}

gb_status gb_drift_stamps_laws(gb_drift_stamps *stamps, gb_drift_law **out_laws, int *out_count)
{
    if (stamps->begun)
        GB_TRY(end_segment(stamps));
    stamps->begun = false;
    *out_laws = stamps->laws;
    *out_count = stamps->law_count;
    stamps->laws = NULL;
    stamps->law_count = 0;
    return GB_OK;
}
