/* Finds spikes by the Hampel filter's rule: a value that is further from the median of its
 * neighbours than so many robust sigmas. Flags only. A sample is judged when GB_CLEAN_REACH samples
 * after it have come, so a step to a new level is none. (Hampel, JASA 69, 1974: the median absolute
 * deviation, times 1.4826, estimates sigma.) */
#include "ingest/clean_stream.h"

#include <math.h>
#include <string.h>

#define WINDOW_MAX (2 * GB_CLEAN_REACH + 1)
#define LANES 64 /* samples judged side by side */
#define SIGMA_OF_MAD 1.4826
#define WINDOW_MIN 5 /* with fewer numbers nothing is said */

gb_status gb_clean_tail_create(const gb_clean_rules *rules, gb_arena *arena, gb_clean_tail *out)
{
    gb_clean_tail tail = {0};
    if (rules->spike_sigmas > 0) {
        size_t size = (size_t)rules->size, room = GB_CLEAN_TAIL;
        tail.time_ns = gb_arena_alloc(arena, room * sizeof *tail.time_ns);
        tail.row = gb_arena_alloc(arena, room * sizeof *tail.row);
        tail.quality = gb_arena_alloc(arena, room);
        tail.reason = gb_arena_alloc(arena, room);
        tail.values = gb_arena_alloc(arena, room * size * sizeof *tail.values);
        tail.bytes = gb_arena_alloc(arena, room * size * gb_value_type_bytes(rules->out));
        tail.usual_step = gb_arena_alloc(arena, size * sizeof *tail.usual_step);
        if (!tail.time_ns || !tail.row || !tail.quality || !tail.reason || !tail.values ||
            !tail.bytes || !tail.usual_step)
            return GB_ERR_MEMORY;
        for (size_t c = 0; c < size; c++)
            tail.usual_step[c] = INFINITY;
    }
    *out = tail;
    return GB_OK;
}

void gb_clean_tail_load(const gb_clean_stream *stream, gb_clean_desk *desk)
{
    const gb_clean_tail *tail = &stream->tail;
    size_t count = (size_t)tail->count, size = (size_t)stream->rules.size;
    desk->tail = desk->count = tail->count;
    if (count == 0)
        return;
    memcpy(desk->time_ns, tail->time_ns, count * sizeof *desk->time_ns);
    memcpy(desk->row, tail->row, count * sizeof *desk->row);
    memcpy(desk->quality, tail->quality, count);
    memcpy(desk->reason, tail->reason, count);
    memcpy(desk->values, tail->values, count * size * sizeof *desk->values);
    if (stream->rules.out != GB_VALUE_F64)
        memcpy(desk->bytes, tail->bytes, count * size * gb_value_type_bytes(stream->rules.out));
}

/* ---- one sample -------------------------------------------------------------------------------
 */

static double median(double *values, int count)
{
    for (int i = 1; i < count; i++) {
        double value = values[i];
        int at = i;
        for (; at > 0 && values[at - 1] > value; at--)
            values[at] = values[at - 1];
        values[at] = value;
    }
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* Is line[i] far from its neighbours? Where most of these are equal (a switch, a coarse sensor, a
 * valve at rest) their sigma is 0 and every move would be a spike: there the usual step counts. */
static bool is_spike(const double *line, int64_t i, int64_t count, double usual_step, double sigmas)
{
    double window[WINDOW_MAX];
    int64_t from = i > GB_CLEAN_REACH ? i - GB_CLEAN_REACH : 0;
    int64_t to = i + GB_CLEAN_REACH + 1 < count ? i + GB_CLEAN_REACH + 1 : count;
    int numbers = 0;
    if (!isfinite(line[i]))
        return false;
    for (int64_t at = from; at < to; at++)
        if (isfinite(line[at]))
            window[numbers++] = line[at];
    if (numbers < WINDOW_MIN)
        return false;
    double middle = median(window, numbers);
    for (int w = 0; w < numbers; w++)
        window[w] = fabs(window[w] - middle);
    double sigma = fmax(SIGMA_OF_MAD * median(window, numbers), usual_step);
    return fabs(line[i] - middle) > sigmas * sigma;
}

/* ---- many samples at once ---------------------------------------------------------------------
 */

/* In every lane the smaller number to a, the larger to b. */
static void sort_pair(double *restrict a, double *restrict b)
{
    for (int l = 0; l < LANES; l++) {
        double x = a[l], y = b[l];
        double less = x < y ? x : y, more = x > y ? x : y; /* so compilers see min and max */
        a[l] = less;
        b[l] = more;
    }
}

/* The median of WINDOW_MAX numbers in every lane: of one more than half of them the least and the
 * greatest cannot be the median, so they go and the next number comes. All lanes do the same. */
static const double *medians(double window[WINDOW_MAX][LANES])
{
    int first = 0, last = WINDOW_MAX / 2 + 1, next = last + 1;
    while (last > first) {
        for (int i = first + 1; i <= last; i++)
            sort_pair(window[first], window[i]);
        for (int i = first + 1; i < last; i++)
            sort_pair(window[i], window[last]);
        first++;
        if (next < WINDOW_MAX)
            memcpy(window[last], window[next++], sizeof window[last]);
        else
            last--;
    }
    return window[first];
}

/* The rule of is_spike for line[0..LANES), all windows whole; false: a number is not finite. */
static bool judge_lanes(const double *line, const double *usual_step, double sigmas, bool *spikes)
{
    double window[WINDOW_MAX][LANES], middle[LANES], sum = 0;
    const double *begin = line - GB_CLEAN_REACH;
    for (int i = 0; i < LANES + 2 * GB_CLEAN_REACH; i++)
        sum += begin[i] * 0;
    if (sum != 0) /* NaN */
        return false;
    for (int w = 0; w < WINDOW_MAX; w++)
        memcpy(window[w], begin + w, sizeof window[w]);
    memcpy(middle, medians(window), sizeof middle);
    for (int w = 0; w < WINDOW_MAX; w++)
        for (int l = 0; l < LANES; l++)
            window[w][l] = fabs(begin[w + l] - middle[l]);
    const double *deviation = medians(window);
    for (int l = 0; l < LANES; l++) {
        double sigma = SIGMA_OF_MAD * deviation[l];
        sigma = sigma > usual_step[l] ? sigma : usual_step[l];
        spikes[l] = fabs(line[l] - middle[l]) > sigmas * sigma;
    }
    return true;
}

/* ---- one column -------------------------------------------------------------------------------
 */

/* Follows the median of all steps but 0: up or down by a tenth, as the step is longer or shorter.
 */
static double learn_step(double usual, double from, double to)
{
    double step = fabs(to - from);
    if (!(step > 0 && isfinite(step)))
        return usual;
    return isinf(usual) ? step : step > usual ? usual * 1.1 : usual / 1.1;
}

/* Judges line[from..to) of count: marks spikes. The step into the last number of a window is learnt
 * before its middle is judged, each once, whatever the slices. */
static void judge_column(gb_clean_desk *desk,
                         const double *line,
                         int64_t count,
                         int64_t from,
                         int64_t to,
                         double *usual_step,
                         double sigmas)
{
    double usual[LANES];
    bool spikes[LANES];
    for (int64_t at = from; at < to; at += LANES) {
        int lanes = to - at < LANES ? (int)(to - at) : LANES;
        for (int l = 0; l < lanes; l++) {
            int64_t learnt = at + l + GB_CLEAN_REACH;
            if (learnt < count)
                *usual_step = learn_step(*usual_step, line[learnt - 1], line[learnt]);
            usual[l] = *usual_step;
        }
        bool whole = lanes == LANES && at >= GB_CLEAN_REACH && at + LANES + GB_CLEAN_REACH <= count;
        if (!whole || !judge_lanes(line + at, usual, sigmas, spikes))
            for (int l = 0; l < lanes; l++)
                spikes[l] = is_spike(line, at + l, count, usual[l], sigmas);
        for (int l = 0; l < lanes; l++)
            if (spikes[l])
                gb_clean_mark(desk, at + l, GB_REASON_SPIKE);
    }
}

void gb_clean_judge_spikes(gb_clean_stream *stream,
                           gb_clean_desk *desk,
                           bool at_end,
                           int64_t *out_to)
{
    int64_t from = stream->tail.judged, size = stream->rules.size, count = desk->count;
    int64_t last = at_end ? count : count - GB_CLEAN_REACH;
    *out_to = last > from ? last : from;
    if (*out_to == from)
        return;
    for (int64_t c = 0; c < size; c++) {
        const double *line = desk->values;
        if (size > 1) {
            for (int64_t i = 0; i < count; i++)
                desk->line[i] = desk->values[i * size + c];
            line = desk->line;
        }
        double *usual = &stream->tail.usual_step[c];
        for (int64_t i = 1; from == 0 && i < GB_CLEAN_REACH && i < count; i++)
            *usual = learn_step(*usual, line[i - 1], line[i]);
        judge_column(desk, line, count, from, *out_to, usual, stream->rules.spike_sigmas);
    }
}

void gb_clean_tail_save(gb_clean_stream *stream, const gb_clean_desk *desk, int64_t to)
{
    gb_clean_tail *tail = &stream->tail;
    int64_t from = to > GB_CLEAN_REACH ? to - GB_CLEAN_REACH : 0;
    size_t count = (size_t)(desk->count - from), size = (size_t)stream->rules.size;
    size_t bytes = size * gb_value_type_bytes(stream->rules.out), at = (size_t)from;
    memcpy(tail->time_ns, desk->time_ns + at, count * sizeof *tail->time_ns);
    memcpy(tail->row, desk->row + at, count * sizeof *tail->row);
    memcpy(tail->quality, desk->quality + at, count);
    memcpy(tail->reason, desk->reason + at, count);
    memcpy(tail->values, desk->values + at * size, count * size * sizeof *tail->values);
    if (stream->rules.out != GB_VALUE_F64)
        memcpy(tail->bytes, desk->bytes + at * bytes, count * bytes);
    tail->count = (int64_t)count;
    tail->judged = to - from;
}
