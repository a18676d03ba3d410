/* The lag between two streams that saw the same, window by window: both on one grid, the peak of
 * their normalised cross-correlation, a parabola through it for what lies between grid points; then
 * a line through the lags. */
#include "ingest/drift.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_MAX (1 << 20) /* samples kept of each stream */
#define GRID_MAX 2048      /* points of a window */
#define GRID_MIN 16
#define CORRELATION_MIN 0.7 /* a window whose peak is lower says nothing */
#define HOLE_STEPS 5        /* values are not drawn across a longer hole */

typedef struct track {
    int64_t *time_ns;
    float *values;
    int64_t count, room;
    int64_t first_ns, last_ns;
    bool begun;
} track;

struct gb_drift_pair {
    int64_t window_ns;
    int64_t every;   /* windows 0, every, 2 every, ... are kept */
    track tracks[2]; /* the device's signal, the reference; times since the first of each */
};

gb_status gb_drift_pair_create(double window_s, gb_drift_pair **out)
{
    gb_drift_pair *made = calloc(1, sizeof *made);
    if (!made)
        return gb_fail(GB_ERR_MEMORY, "clock drift: no memory for two streams");
    made->window_ns = (int64_t)llround(window_s * 1e9);
    made->every = 1;
    *out = made;
    return GB_OK;
}

void gb_drift_pair_destroy(gb_drift_pair *pair)
{
    if (!pair)
        return;
    for (int i = 0; i < 2; i++) {
        free(pair->tracks[i].time_ns);
        free(pair->tracks[i].values);
    }
    free(pair);
}

/* ---- gathering --------------------------------------------------------------------------------
 */

/* Of the signal half a window more is kept on both sides: its windows may lie across. */
static bool is_kept(const gb_drift_pair *pair, int which, int64_t since_ns)
{
    int64_t margin = which == 0 ? pair->window_ns / 2 : 0;
    int64_t first = since_ns > margin ? (since_ns - margin) / pair->window_ns : 0;
    int64_t last = (since_ns + margin) / pair->window_ns;
    for (int64_t window = first; window <= last; window++)
        if (window % pair->every == 0)
            return true;
    return false;
}

/* Too much for memory: of what is kept, every second window goes, in both streams. */
static void thin(gb_drift_pair *pair)
{
    pair->every *= 2;
    for (int t = 0; t < 2; t++) {
        track *from = &pair->tracks[t];
        int64_t kept = 0;
        for (int64_t i = 0; i < from->count; i++) {
            if (!is_kept(pair, t, from->time_ns[i]))
                continue;
            from->time_ns[kept] = from->time_ns[i];
            from->values[kept++] = from->values[i];
        }
        from->count = kept;
    }
}

static gb_status grow(track *to)
{
    int64_t room = to->room ? 2 * to->room : 1024;
    int64_t *time_ns = realloc(to->time_ns, (size_t)room * sizeof *time_ns);
    if (time_ns)
        to->time_ns = time_ns;
    float *values = realloc(to->values, (size_t)room * sizeof *values);
    if (values)
        to->values = values;
    if (!time_ns || !values)
        return gb_fail(GB_ERR_MEMORY, "clock drift: no memory for %lld samples", (long long)room);
    to->room = room;
    return GB_OK;
}

gb_status gb_drift_pair_add(gb_drift_pair *pair, int which, int64_t time_ns, double value)
{
    track *to = &pair->tracks[which];
    if (!isfinite(value) || time_ns > INT64_MAX / 4 || time_ns < -INT64_MAX / 4)
        return GB_OK;
    if (!to->begun)
        to->first_ns = to->last_ns = time_ns;
    else if (time_ns <= to->last_ns)
        return GB_OK; /* correlation needs times that rise */
    to->begun = true;
    to->last_ns = time_ns;
    int64_t since_ns = time_ns - to->first_ns;
    while (to->count >= KEPT_MAX && pair->every < INT64_MAX / 2)
        thin(pair);
    if (!is_kept(pair, which, since_ns))
        return GB_OK;
    if (to->count == to->room)
        GB_TRY(grow(to));
    to->time_ns[to->count] = since_ns;
    to->values[to->count++] = (float)value;
    return GB_OK;
}

/* ---- one window -------------------------------------------------------------------------------
 */

/* The median step between samples, in nanoseconds. */
static double usual_step(const track *from)
{
    double steps[1024];
    int64_t count = 0;
    for (int64_t i = 1; i < from->count && count < 1024; i++)
        steps[count++] = (double)(from->time_ns[i] - from->time_ns[i - 1]);
    return count > 0 ? gb_drift_median(steps, count) : 0;
}

/* Values at begin + i x step, drawn straight between samples; NAN where a hole is. *cursor moves
 * on. */
static void draw(const track *from,
                 double begin_ns,
                 double step_ns,
                 double hole_ns,
                 int count,
                 int64_t *cursor,
                 double *out)
{
    int64_t at = *cursor;
    for (int i = 0; i < count; i++) {
        double now = begin_ns + i * step_ns;
        while (at + 1 < from->count && (double)from->time_ns[at + 1] <= now)
            at++;
        if (i == 0)
            *cursor = at;
        out[i] = NAN;
        if (at + 1 >= from->count || (double)from->time_ns[at] > now)
            continue;
        double length = (double)(from->time_ns[at + 1] - from->time_ns[at]);
        if (length > hole_ns)
            continue;
        double part = (now - (double)from->time_ns[at]) / length;
        out[i] = (double)from->values[at] +
                 part * ((double)from->values[at + 1] - (double)from->values[at]);
    }
}

/* Pearson's correlation of a and b [count]; NAN when one has holes or does not move. */
static double correlate(const double *a, const double *b, int count)
{
    double sum_a = 0, sum_b = 0, aa = 0, bb = 0, ab = 0;
    for (int i = 0; i < count; i++) {
        sum_a += a[i];
        sum_b += b[i];
    }
    double mean_a = sum_a / count, mean_b = sum_b / count;
    for (int i = 0; i < count; i++) {
        double x = a[i] - mean_a, y = b[i] - mean_b;
        aa += x * x;
        bb += y * y;
        ab += x * y;
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : NAN;
}

/* The middle half of the reference slides along the signal: signal(t + lag) = reference(t). False:
 * no clear peak inside. *out_lag in grid steps. */
static bool find_lag(const double *signal, const double *reference, int count, double *out_lag)
{
    int reach = count / 4, middle = count - 2 * reach, best = -1;
    double scores[GRID_MAX + 1], best_score = CORRELATION_MIN;
    for (int shift = 0; shift <= 2 * reach; shift++) {
        scores[shift] = correlate(signal + shift, reference + reach, middle);
        if (scores[shift] > best_score) {
            best_score = scores[shift];
            best = shift;
        }
    }
    if (best <= 0 || best >= 2 * reach || isnan(scores[best - 1]) || isnan(scores[best + 1]))
        return false;
    double before = scores[best - 1], after = scores[best + 1];
    double bend = before - 2 * best_score + after;
    double between = bend < 0 ? 0.5 * (before - after) / bend : 0;
    *out_lag = best - reach + between;
    return true;
}

/* ---- the line ---------------------------------------------------------------------------------
 */

typedef struct grid {
    double step_ns, hole_ns[2];
    int count;              /* points of a window */
    double signal_ahead_ns; /* of the signal's first sample to the reference's, on one axis */
} grid;

static bool make_grid(const gb_drift_pair *pair, grid *out)
{
    double window = (double)pair->window_ns;
    double a = usual_step(&pair->tracks[0]), b = usual_step(&pair->tracks[1]);
    if (!(a > 0) || !(b > 0))
        return false;
    double step = fmax(fmax(a, b), window / GRID_MAX);
    out->count = (int)(window / step);
    out->step_ns = step;
    out->hole_ns[0] = HOLE_STEPS * a;
    out->hole_ns[1] = HOLE_STEPS * b;
    return out->count >= GRID_MIN;
}

/* Clocks that agree to half a window are compared as they are; else both streams are taken to begin
 * together, and the lag is what is left. */
static int64_t find_base(const gb_drift_pair *pair)
{
    int64_t apart = pair->tracks[0].first_ns - pair->tracks[1].first_ns;
    int64_t limit = pair->window_ns / 2;
    return apart < limit && apart > -limit ? 0 : apart;
}

gb_status gb_drift_pair_law(gb_drift_pair *pair, gb_drift_law *out)
{
    const track *signal = &pair->tracks[0], *reference = &pair->tracks[1];
    gb_drift_law law = {.from_ns = signal->first_ns};
    int64_t base_ns = signal->begun && reference->begun ? find_base(pair) : 0;
    gb_drift_point points[GB_DRIFT_POINTS];
    int point_count = 0;
    grid g;
    double *lines = malloc(2 * GRID_MAX * sizeof *lines);
    if (!lines)
        return gb_fail(GB_ERR_MEMORY, "clock drift: no memory for a window");
    bool good = signal->count > 1 && reference->count > 1 && make_grid(pair, &g);
    /* where the reference's zero lies on the signal's axis */
    double zero = good ? (double)(reference->first_ns + base_ns - signal->first_ns) : 0;
    int64_t windows = good ? reference->time_ns[reference->count - 1] / pair->window_ns + 1 : 0;
    int64_t stride = pair->every;
    while (windows / stride > GB_DRIFT_POINTS)
        stride *= 2;
    int64_t cursors[2] = {0, 0};
    for (int64_t w = 0; w < windows && point_count < GB_DRIFT_POINTS; w += stride) {
        double begin = (double)w * (double)pair->window_ns, lag;
        draw(signal, begin + zero, g.step_ns, g.hole_ns[0], g.count, &cursors[0], lines);
        draw(reference, begin, g.step_ns, g.hole_ns[1], g.count, &cursors[1], lines + GRID_MAX);
        if (!find_lag(lines, lines + GRID_MAX, g.count, &lag))
            continue;
        double middle = begin + zero + (double)pair->window_ns / 2;
        points[point_count++] = (gb_drift_point){middle * 1e-9, lag * g.step_ns * 1e-9};
    }
    free(lines);
    double offset, rate;
    gb_drift_fit(points, point_count, &offset, &rate, &law.residual_s);
    law.shift_ns = -(base_ns + (int64_t)llround(offset * 1e9));
    law.rate = -rate;
    law.windows = point_count;
    *out = law;
    return GB_OK;
}
