/* What anonymising costs a forecaster: a small linear one, the same before and after. Not a model
 * to use (eval/ridge.c is the baseline of benchmarks; this floor may not call it). */
#include "ingest/traces.h"

#include "genba/anonymise.h"

#include <math.h>
#include <string.h>

enum {
    LOOK_BACK = 16,
    AHEAD = 4,
    WIDTH = LOOK_BACK + 1, /* the last one is the constant */
    WINDOWS_MAX = 200000   /* of a column; evenly chosen of more */
};
#define RIDGE 1e-4 /* of the number of windows */

/* One column of all recordings, before or after. */
typedef struct series {
    const gb_trace *traces; /* [recordings], `step` apart */
    int64_t recordings, step;
    double mean, sigma; /* of what is trained on; sigma 0: it never changes */
    int64_t stride;     /* windows taken: every stride-th */
} series;

static const gb_trace *trace_of(const series *s, int64_t recording)
{
    return &s->traces[recording * s->step];
}

/* Samples of a recording that are trained on: the first four fifths. */
static int64_t train_end(const gb_trace *trace)
{
    return trace->count - trace->count / 5;
}

static void scale(series *s)
{
    double sum = 0, squares = 0;
    int64_t count = 0, windows = 0;
    for (int64_t r = 0; r < s->recordings; r++) {
        const gb_trace *trace = trace_of(s, r);
        windows += trace->values ? trace->count : 0;
        for (int64_t i = 0; trace->values && i < train_end(trace); i++)
            if (isfinite(gb_trace_at(trace, i))) {
                sum += gb_trace_at(trace, i);
                count++;
            }
    }
    s->mean = count ? sum / (double)count : 0;
    for (int64_t r = 0; r < s->recordings; r++) {
        const gb_trace *trace = trace_of(s, r);
        for (int64_t i = 0; trace->values && i < train_end(trace); i++) {
            double d = gb_trace_at(trace, i) - s->mean;
            squares += isfinite(d) ? d * d : 0;
        }
    }
    s->sigma = count ? sqrt(squares / (double)count) : 0;
    if (!(s->sigma > 1e-9 * fabs(s->mean)))
        s->sigma = 0;
    s->stride = 1 + windows / WINDOWS_MAX;
}

/* The window whose target is sample `target`; false: one of its values is missing. */
static bool
read_window(const series *s, const gb_trace *trace, int64_t target, double x[WIDTH], double *y)
{
    for (int i = 0; i < LOOK_BACK; i++) {
        x[i] = (gb_trace_at(trace, target - AHEAD - i) - s->mean) / s->sigma;
        if (!isfinite(x[i]))
            return false;
    }
    x[LOOK_BACK] = 1;
    *y = (gb_trace_at(trace, target) - s->mean) / s->sigma;
    return isfinite(*y);
}

/* Solves a w = b in place, a symmetric and positive definite (Cholesky). */
static void solve(double a[WIDTH][WIDTH], double b[WIDTH])
{
    for (int j = 0; j < WIDTH; j++) {
        for (int i = j; i < WIDTH; i++) {
            double sum = a[i][j];
            for (int k = 0; k < j; k++)
                sum -= a[i][k] * a[j][k];
            a[i][j] = i == j ? sqrt(sum) : sum / a[j][j];
        }
    }
    for (int i = 0; i < WIDTH; i++) {
        for (int k = 0; k < i; k++)
            b[i] -= a[i][k] * b[k];
        b[i] /= a[i][i];
    }
    for (int i = WIDTH - 1; i >= 0; i--) {
        for (int k = i + 1; k < WIDTH; k++)
            b[i] -= a[k][i] * b[k];
        b[i] /= a[i][i];
    }
}

/* weights [WIDTH]: zeros, which predict the mean, when there is nothing to learn from. */
static void train(const series *s, double weights[WIDTH])
{
    double a[WIDTH][WIDTH] = {{0}}, b[WIDTH] = {0}, x[WIDTH], y;
    int64_t windows = 0;
    memset(weights, 0, WIDTH * sizeof *weights);
    if (s->sigma == 0)
        return;
    for (int64_t r = 0; r < s->recordings; r++) {
        const gb_trace *trace = trace_of(s, r);
        int64_t end = trace->values ? train_end(trace) : 0;
        for (int64_t t = LOOK_BACK + AHEAD - 1; t < end; t += s->stride) {
            if (!read_window(s, trace, t, x, &y))
                continue;
            windows++;
            for (int i = 0; i < WIDTH; i++) {
                b[i] += x[i] * y;
                for (int j = 0; j <= i; j++)
                    a[i][j] += x[i] * x[j];
            }
        }
    }
    if (windows == 0)
        return;
    for (int i = 0; i < WIDTH; i++)
        a[i][i] += RIDGE * (double)windows;
    solve(a, b);
    memcpy(weights, b, sizeof b);
}

/* The sum of squared errors; *out_windows are added to. */
static double test(const series *s, const double weights[WIDTH], int64_t *out_windows)
{
    double x[WIDTH], y, sum = 0;
    for (int64_t r = 0; s->sigma > 0 && r < s->recordings; r++) {
        const gb_trace *trace = trace_of(s, r);
        int64_t first = trace->values ? train_end(trace) : 0;
        if (first < LOOK_BACK + AHEAD - 1)
            first = LOOK_BACK + AHEAD - 1;
        for (int64_t t = first; trace->values && t < trace->count; t += s->stride) {
            if (!read_window(s, trace, t, x, &y))
                continue;
            double predicted = 0;
            for (int i = 0; i < WIDTH; i++)
                predicted += weights[i] * x[i];
            sum += (y - predicted) * (y - predicted);
            (*out_windows)++;
        }
    }
    return sum;
}

gb_status gb_forecast_cost_compute(const gb_recording *const *original,
                                   const gb_recording *const *released,
                                   int64_t count,
                                   gb_forecast_cost *out)
{
    gb_traces traces = {0};
    GB_TRY(gb_traces_create(original, released, count, &traces));
    gb_forecast_cost made = {.columns_lost = traces.columns_lost};
    double sums[3] = {0};
    for (int64_t c = 0; c < traces.columns; c++) {
        series before = {traces.original + c, count, traces.columns, 0, 0, 1};
        series after = {traces.released + c, count, traces.columns, 0, 0, 1};
        double plain[WIDTH], learnt[WIDTH];
        scale(&before);
        scale(&after);
        train(&before, plain);
        train(&after, learnt);
        int64_t windows = 0, others = 0, again = 0;
        double error = test(&before, plain, &windows);
        if (windows == 0) /* it never changes, or is too short */
            continue;
        made.columns++;
        made.windows += windows;
        sums[0] += error / (double)windows;
        double of_released = test(&after, learnt, &others);
        sums[1] += others ? of_released / (double)others : 1;
        sums[2] += test(&before, learnt, &again) / (double)windows;
    }
    gb_traces_free(&traces);
    double columns = made.columns ? (double)made.columns : 1;
    made.original = sqrt(sums[0] / columns);
    made.released = sqrt(sums[1] / columns);
    made.transferred = sqrt(sums[2] / columns);
    *out = made;
    return GB_OK;
}
