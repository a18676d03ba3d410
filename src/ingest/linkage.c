/* The linkage attack: can a piece of an original be traced to the recording that it became? */
#include "ingest/traces.h"

#include "genba/anonymise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    FEATURES = 6,          /* of a column */
    RECORDINGS_MAX = 2000, /* evenly chosen of more */
    PIECES_MAX = 4000      /* of all recordings; each has at least two */
};

/* Pieces of one side: features [count x width], z-scored. */
typedef struct side {
    double *features;
    int64_t *recording; /* [count] */
    int64_t count, width;
} side;

/* mean, sigma, least, greatest, lag-1 correlation, mean step; NaN when there is nothing. */
static void describe(const gb_trace *trace, int64_t first, int64_t end, double *out)
{
    double sum = 0, squares = 0, least = INFINITY, most = -INFINITY, steps = 0, products = 0;
    int64_t count = 0, pairs = 0;
    for (int i = 0; i < FEATURES; i++)
        out[i] = NAN;
    for (int64_t i = first; i < end; i++) {
        double value = gb_trace_at(trace, i);
        if (!isfinite(value))
            continue;
        sum += value;
        count++;
        least = fmin(least, value);
        most = fmax(most, value);
    }
    if (count == 0)
        return;
    double mean = sum / (double)count;
    for (int64_t i = first; i < end; i++) {
        double value = gb_trace_at(trace, i);
        double before = i > first ? gb_trace_at(trace, i - 1) : NAN;
        if (isfinite(value))
            squares += (value - mean) * (value - mean);
        if (isfinite(value) && isfinite(before)) {
            products += (value - mean) * (before - mean);
            steps += fabs(value - before);
            pairs++;
        }
    }
    out[0] = mean;
    out[1] = sqrt(squares / (double)count);
    out[2] = least;
    out[3] = most;
    out[4] = squares > 0 ? products / squares : 0;
    out[5] = pairs > 0 ? steps / (double)pairs : 0;
}

static void score(side *s)
{
    for (int64_t f = 0; f < s->width; f++) {
        double sum = 0, squares = 0;
        int64_t count = 0;
        for (int64_t p = 0; p < s->count; p++)
            if (!isnan(s->features[p * s->width + f])) {
                sum += s->features[p * s->width + f];
                count++;
            }
        double mean = count ? sum / (double)count : 0;
        for (int64_t p = 0; p < s->count; p++) {
            double d = s->features[p * s->width + f] - mean;
            squares += isnan(d) ? 0 : d * d;
        }
        double sigma = count ? sqrt(squares / (double)count) : 0;
        for (int64_t p = 0; p < s->count; p++) {
            double *value = &s->features[p * s->width + f];
            *value = isnan(*value) || !(sigma > 1e-12 * fabs(mean)) ? 0 : (*value - mean) / sigma;
        }
    }
}

static int64_t longest(const gb_trace *traces, int64_t columns)
{
    int64_t count = 0;
    for (int64_t c = 0; c < columns; c++)
        if (traces[c].values && traces[c].count > count)
            count = traces[c].count;
    return count;
}

/* Describes pieces first, first + step, ... of every recording: columns of different rates are cut
 * at the same shares of their length, so that a piece is one stretch of time. */
static gb_status make_side(const gb_traces *traces,
                           const gb_trace *of,
                           const int64_t *pieces, /* [recordings] */
                           int64_t first,
                           int64_t step,
                           side *out)
{
    int64_t columns = traces->columns, total = 0;
    for (int64_t r = 0; r < traces->recordings; r++)
        total += pieces[r];
    side made = {.width = columns * FEATURES};
    made.features = calloc((size_t)(total * made.width) + 1, sizeof *made.features);
    made.recording = calloc((size_t)total + 1, sizeof *made.recording);
    if (!made.features || !made.recording) {
        free(made.features);
        free(made.recording);
        return gb_fail(GB_ERR_MEMORY, "no memory to compare %lld pieces", (long long)total);
    }
    for (int64_t r = 0; r < traces->recordings; r++)
        for (int64_t p = first; p < pieces[r]; p += step) {
            for (int64_t c = 0; c < columns; c++) {
                const gb_trace *trace = &of[r * columns + c];
                describe(trace, trace->count * p / pieces[r], trace->count * (p + 1) / pieces[r],
                         made.features + made.count * made.width + c * FEATURES);
            }
            made.recording[made.count++] = r;
        }
    score(&made);
    *out = made;
    return GB_OK;
}

static int64_t nearest(const side *among, const double *features)
{
    double best = INFINITY;
    int64_t found = 0;
    for (int64_t p = 0; p < among->count; p++) {
        const double *other = among->features + p * among->width;
        double distance = 0;
        for (int64_t f = 0; f < among->width && distance < best; f++)
            distance += (other[f] - features[f]) * (other[f] - features[f]);
        if (distance < best) {
            best = distance;
            found = p;
        }
    }
    return among->recording[found];
}

static void match(const side *held, const side *among, gb_linkage *out)
{
    for (int64_t q = 0; q < held->count && among->count > 0; q++) {
        out->queries++;
        out->hits += nearest(among, held->features + q * held->width) == held->recording[q];
    }
    out->rate = out->queries ? (double)out->hits / (double)out->queries : 0;
}

static gb_status attack(const gb_traces *traces, int64_t segment, bool held_out, gb_linkage *out)
{
    int64_t *pieces = calloc((size_t)traces->recordings + 1, sizeof *pieces);
    if (!pieces)
        return gb_fail(GB_ERR_MEMORY, "no memory to compare recordings");
    int64_t most = PIECES_MAX / (traces->recordings ? traces->recordings : 1);
    gb_linkage made = {0};
    for (int64_t r = 0; r < traces->recordings; r++) {
        pieces[r] = longest(traces->original + r * traces->columns, traces->columns) / segment;
        if (pieces[r] > most)
            pieces[r] = most;
        if (pieces[r] < 2) /* too short to hold a part of it out */
            pieces[r] = 0;
        made.recordings += pieces[r] > 0;
    }
    side held = {0}, among = {0};
    gb_status status = make_side(traces, traces->original, pieces, held_out ? 1 : 0, 2, &held);
    if (status == GB_OK)
        status = make_side(traces, traces->released, pieces, 0, 2, &among);
    if (status == GB_OK && traces->columns > 0)
        match(&held, &among, &made);
    made.chance = made.recordings ? 1 / (double)made.recordings : 0;
    free(held.features);
    free(held.recording);
    free(among.features);
    free(among.recording);
    free(pieces);
    if (status == GB_OK)
        *out = made;
    return status;
}

gb_status gb_linkage_attack(const gb_recording *const *original,
                            const gb_recording *const *released,
                            int64_t count,
                            int64_t segment,
                            bool held_out,
                            gb_linkage *out)
{
    const gb_recording *some[2][RECORDINGS_MAX];
    gb_traces traces = {0};
    if (segment < 1)
        return gb_fail(GB_ERR_ARGUMENT, "segments of %lld samples", (long long)segment);
    int64_t chosen = count < RECORDINGS_MAX ? count : RECORDINGS_MAX;
    for (int64_t i = 0; i < chosen; i++) {
        some[0][i] = original[i * count / chosen];
        some[1][i] = released[i * count / chosen];
    }
    GB_TRY(gb_traces_create(some[0], some[1], chosen, &traces));
    gb_status status = attack(&traces, segment, held_out, out);
    gb_traces_free(&traces);
    return status;
}
