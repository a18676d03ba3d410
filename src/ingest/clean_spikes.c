/* Finds spikes by the Hampel filter's rule: a value that is further from the median of its
 * neighbours than so many robust sigmas. Flags only. A sample is judged when GB_CLEAN_REACH samples
 * after it have come, so a step to a new level is none. (Hampel, JASA 69, 1974: the median absolute
 * deviation, times 1.4826, estimates sigma.) */
#include "ingest/clean_stream.h"

#include <math.h>
#include <string.h>

#define WINDOW_MAX (2 * GB_CLEAN_REACH + 1)
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
    memcpy(desk->bytes, tail->bytes, count * size * gb_value_type_bytes(stream->rules.out));
}

/* ---- medians ----------------------------------------------------------------------------------
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

/* Values `from`..`to` of column c around sample i. `smallest`: a sensor that flickers between two
 * neighbouring numbers has a sigma of 0 and is no spike, so a step counts in units of it at least.
 */
static bool is_spike(const gb_clean_stream *stream,
                     const double *column,
                     int64_t i,
                     int64_t from,
                     int64_t to,
                     double usual)
{
    double window[WINDOW_MAX], value = column[i * stream->rules.size];
    int count = 0;
    if (!isfinite(value))
        return false;
    for (int64_t at = from; at < to; at++)
        if (isfinite(column[at * stream->rules.size]))
            window[count++] = column[at * stream->rules.size];
    if (count < WINDOW_MIN)
        return false;
    double middle = median(window, count);
    for (int w = 0; w < count; w++)
        window[w] = fabs(window[w] - middle);
    double sigma = fmax(1.4826 * median(window, count), usual);
    return fabs(value - middle) > stream->rules.spike_sigmas * sigma;
}

/* Follows the median of all steps but 0: up or down by a tenth, as the step is longer or shorter.
 */
static void learn_step(gb_clean_stream *stream, const gb_clean_desk *desk, int64_t i)
{
    int64_t size = stream->rules.size;
    const double *now = desk->values + i * size, *before = now - size;
    double *usual = stream->tail.usual_step;
    for (int64_t c = 0; c < size; c++) {
        double step = fabs(now[c] - before[c]);
        if (!(step > 0 && isfinite(step)))
            continue;
        usual[c] = isinf(usual[c]) ? step : step > usual[c] ? usual[c] * 1.1 : usual[c] / 1.1;
    }
}

void gb_clean_judge_spikes(gb_clean_stream *stream,
                           gb_clean_desk *desk,
                           bool at_end,
                           int64_t *out_to)
{
    int64_t last = at_end ? desk->count : desk->count - GB_CLEAN_REACH;
    *out_to = last > stream->tail.judged ? last : stream->tail.judged;
    for (int64_t i = stream->tail.judged; i < *out_to; i++) {
        int64_t from = i > GB_CLEAN_REACH ? i - GB_CLEAN_REACH : 0;
        int64_t to = i + GB_CLEAN_REACH + 1 < desk->count ? i + GB_CLEAN_REACH + 1 : desk->count;
        /* the step into the last sample of the window: each is learnt once, whatever the slices */
        int64_t learnt = i + GB_CLEAN_REACH;
        if (stream->tail.judged == 0 && i == 0)
            for (int64_t s = 1; s < learnt && s < desk->count; s++)
                learn_step(stream, desk, s);
        if (learnt > 0 && learnt < desk->count)
            learn_step(stream, desk, learnt);
        for (int64_t c = 0; c < stream->rules.size; c++) {
            if (!is_spike(stream, desk->values + c, i, from, to, stream->tail.usual_step[c]))
                continue;
            gb_clean_mark(desk, i, GB_REASON_SPIKE);
            break;
        }
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
    memcpy(tail->bytes, desk->bytes + at * bytes, count * bytes);
    tail->count = (int64_t)count;
    tail->judged = to - from;
}
