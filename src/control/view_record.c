/* control/view_record.c: ticks into buckets, histograms and lists of bounded size. Extremes are
 * kept whatever is united, so that a spike of one tick stays visible. No threads, no text. */
#include "control/view_record.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- columns ----------------------------------------------------------------------------------
 */

gb_status gb_view_columns_create(const gb_plant_info *machine, gb_view_columns *out)
{
    int streams = machine->observation_stream_count;
    if (machine->action_size < 1 || machine->action_size > GB_VIEW_STREAM_MAX || streams < 0)
        return gb_fail(GB_ERR_ARGUMENT,
                       "view: a machine with %d numbers in its action, expected "
                       "1 to %d",
                       machine->action_size, GB_VIEW_STREAM_MAX);
    gb_view_columns columns = {.machine = machine,
                               .observation_size = machine->observation_size,
                               .action_size = machine->action_size};
    columns.source = calloc(GB_VIEW_COLUMNS_MAX, sizeof *columns.source);
    columns.stream_start = calloc((size_t)streams + 1, sizeof *columns.stream_start);
    if (!columns.source || !columns.stream_start) {
        gb_view_columns_free(&columns);
        return gb_fail(GB_ERR_MEMORY, "view: no memory for its columns");
    }
    int offset = 0;
    for (int s = 0; s < streams; s++) {
        int size = machine->observation_streams[s].size;
        bool shown =
            size <= GB_VIEW_STREAM_MAX && columns.observation_count + size <= GB_VIEW_COLUMNS_MAX;
        columns.stream_start[s] = shown ? columns.observation_count : -1;
        for (int i = 0; shown && i < size; i++)
            columns.source[columns.observation_count++] = offset + i;
        offset += size;
    }
    columns.count = columns.observation_count + 2 * columns.action_size;
    *out = columns;
    return GB_OK;
}

void gb_view_columns_free(gb_view_columns *columns)
{
    free(columns->source);
    free(columns->stream_start);
    memset(columns, 0, sizeof *columns);
}

size_t gb_view_columns_record_bytes(const gb_view_columns *columns)
{
    return sizeof(gb_tick) +
           (size_t)(columns->observation_size + 2 * columns->action_size) * sizeof(double);
}

static float shown(double value)
{
    return fabs(value) <= 3.0e38 ? (float)value : NAN;
}

void gb_view_columns_read(const gb_view_columns *columns, const gb_tick *record, float *out)
{
    const double *numbers = (const double *)(record + 1);
    for (int i = 0; i < columns->observation_count; i++)
        out[i] = shown(numbers[columns->source[i]]);
    numbers += columns->observation_size;
    for (int i = 0; i < 2 * columns->action_size; i++)
        out[columns->observation_count + i] = shown(numbers[i]);
}

/* ---- buckets ----------------------------------------------------------------------------------
 */

gb_status gb_view_trace_create(int columns, int capacity, gb_view_trace *out)
{
    gb_view_trace trace = {.columns = columns, .capacity = capacity};
    trace.buckets = calloc((size_t)capacity, sizeof *trace.buckets);
    trace.values = calloc((size_t)capacity * 3 * (size_t)columns, sizeof *trace.values);
    if (!trace.buckets || !trace.values) {
        gb_view_trace_free(&trace);
        return gb_fail(GB_ERR_MEMORY, "view: no memory for %d buckets of %d columns", capacity,
                       columns);
    }
    *out = trace;
    return GB_OK;
}

void gb_view_trace_free(gb_view_trace *trace)
{
    free(trace->buckets);
    free(trace->values);
    memset(trace, 0, sizeof *trace);
}

static int place(const gb_view_trace *trace, int index)
{
    return (trace->start + index) % trace->capacity;
}

gb_view_bucket *gb_view_trace_at(const gb_view_trace *trace, int index)
{
    return &trace->buckets[place(trace, index)];
}

float *gb_view_trace_values(const gb_view_trace *trace, int index)
{
    return trace->values + (size_t)place(trace, index) * 3 * (size_t)trace->columns;
}

static void unite(gb_view_bucket *into, const gb_view_bucket *later)
{
    into->end_ns = later->end_ns;
    into->chunk = later->chunk;
    into->episode = later->episode;
    into->ticks += later->ticks;
    into->late += later->late;
    into->starved += later->starved;
    into->switches += later->switches;
    into->faults |= later->faults;
    into->reasons |= later->reasons;
    into->mode = later->mode > into->mode ? later->mode : into->mode;
    if (later->margin < into->margin || isnan(into->margin)) {
        into->margin = later->margin;
        into->margin_limit = later->margin_limit;
        into->margin_index = later->margin_index;
    }
    into->age_ms = fmaxf(into->age_ms, later->age_ms); /* fmaxf: a NaN gives way to a number */
    into->wake_us = fmaxf(into->wake_us, later->wake_us);
    into->period_us = fmaxf(into->period_us, later->period_us);
    into->busy_us = fmaxf(into->busy_us, later->busy_us);
}

static void
unite_values(float *into, const float *least, const float *most, const float *last, int n)
{
    for (int i = 0; i < n; i++) {
        into[i] = fminf(into[i], least[i]);
        into[n + i] = fmaxf(into[n + i], most[i]);
        into[2 * n + i] = last[i];
    }
}

void gb_view_trace_add(gb_view_trace *trace,
                       const gb_view_bucket *tick,
                       const float *values,
                       bool fresh)
{
    int n = trace->columns;
    if (trace->count > 0 && !fresh) {
        unite(gb_view_trace_at(trace, trace->count - 1), tick);
        unite_values(gb_view_trace_values(trace, trace->count - 1), values, values, values, n);
        return;
    }
    if (trace->count == trace->capacity) {
        trace->start = place(trace, 1);
        trace->first++;
        trace->count--;
    }
    trace->count++;
    *gb_view_trace_at(trace, trace->count - 1) = *tick;
    float *to = gb_view_trace_values(trace, trace->count - 1);
    for (int k = 0; k < 3; k++)
        memcpy(to + k * n, values, (size_t)n * sizeof *values);
}

void gb_view_trace_halve(gb_view_trace *trace)
{
    int n = trace->columns, kept = 0;
    for (int i = 0; i < trace->count;) {
        gb_view_bucket *to = gb_view_trace_at(trace, kept);
        float *values = gb_view_trace_values(trace, kept);
        if (kept != i) {
            *to = *gb_view_trace_at(trace, i);
            memcpy(values, gb_view_trace_values(trace, i), 3 * (size_t)n * sizeof *values);
        }
        i++;
        if (i < trace->count && gb_view_trace_at(trace, i)->episode == to->episode) {
            const float *from = gb_view_trace_values(trace, i);
            unite(to, gb_view_trace_at(trace, i));
            unite_values(values, from, from + n, from + 2 * n, n);
            i++;
        }
        kept++;
    }
    trace->count = kept;
}

/* ---- times ------------------------------------------------------------------------------------
 */

void gb_view_times_add(gb_view_times *times, int64_t ns)
{
    int bin = 0;
    if (ns >= GB_VIEW_BIN_FLOOR_NS)
        bin = 1 + (int)(GB_VIEW_BINS_PER_OCTAVE * log2((double)ns / GB_VIEW_BIN_FLOOR_NS));
    times->bins[bin < GB_VIEW_BINS ? bin : GB_VIEW_BINS - 1]++;
    times->count++;
    times->max_ns = ns > times->max_ns ? ns : times->max_ns;
}

double gb_view_times_bin_ns(int bin)
{
    return GB_VIEW_BIN_FLOOR_NS * exp2((double)bin / GB_VIEW_BINS_PER_OCTAVE);
}

double gb_view_times_at(const gb_view_times *times, double part)
{
    int64_t wanted = (int64_t)ceil(part * (double)times->count), seen = 0;
    if (times->count == 0)
        return 0.0;
    for (int bin = 0; bin < GB_VIEW_BINS; bin++) {
        seen += times->bins[bin];
        if (seen >= wanted && seen > 0)
            return fmin(gb_view_times_bin_ns(bin), (double)times->max_ns);
    }
    return (double)times->max_ns;
}

/* ---- interventions ----------------------------------------------------------------------------
 */

static void event_begin(gb_view_events *events, const gb_view_bucket *tick)
{
    if (events->count == GB_VIEW_EVENTS_MAX) {
        events->beyond++;
        return;
    }
    events->list[events->count++] = (gb_view_event){.tick = tick->tick,
                                                    .at_ns = tick->at_ns,
                                                    .end_ns = tick->end_ns,
                                                    .mode = tick->mode,
                                                    .margin_limit = -1,
                                                    .margin_index = -1,
                                                    .margin = NAN,
                                                    .episode = tick->episode};
    events->open = true;
}

void gb_view_events_add(gb_view_events *events, const gb_view_bucket *tick)
{
    gb_view_event *event = events->count > 0 ? &events->list[events->count - 1] : NULL;
    if (events->open && ((uint64_t)tick->at_ns - (uint64_t)event->end_ns > GB_VIEW_CALM_NS ||
                         tick->episode != event->episode))
        events->open = false;
    if (tick->mode == GB_MODE_PASS)
        return;
    if (!events->open)
        event_begin(events, tick);
    if (!events->open) /* no room */
        return;
    event = &events->list[events->count - 1];
    event->end_ns = tick->end_ns;
    event->ticks++;
    event->reasons |= tick->reasons;
    event->mode = tick->mode > event->mode ? tick->mode : event->mode;
    if (!(tick->margin >= event->margin)) { /* or the first */
        event->margin = tick->margin;
        event->margin_limit = tick->margin_limit;
        event->margin_index = tick->margin_index;
    }
}

/* ---- sums -------------------------------------------------------------------------------------
 */

void gb_view_sums_start(gb_view_sums *sums)
{
    memset(sums, 0, sizeof *sums);
    sums->least_margin = NAN;
}

static float longest_us(int64_t ns)
{
    return (float)((double)ns / 1e3);
}

/* The times of a tick. Differences are taken in unsigned numbers: nonsense may not be undefined. */
static void add_times(gb_view_sums *sums, const gb_tick *r, int64_t tick_ns, gb_view_bucket *out)
{
    int64_t wake = (int64_t)((uint64_t)r->woke_ns - (uint64_t)r->due_ns);
    int64_t busy = (int64_t)((uint64_t)r->done_ns - (uint64_t)r->woke_ns);
    gb_view_times_add(&sums->wake, wake > 0 ? wake : 0);
    gb_view_times_add(&sums->busy, busy > 0 ? busy : 0);
    out->wake_us = longest_us(wake);
    out->busy_us = longest_us(busy);
    out->period_us = NAN;
    if (sums->ticks > 0 && r->tick == sums->last_tick + 1) {
        int64_t period = (int64_t)((uint64_t)r->woke_ns - (uint64_t)sums->last_woke_ns);
        int64_t off = (int64_t)((uint64_t)period - (uint64_t)tick_ns);
        gb_view_times_add(&sums->period, off >= 0 ? off : off == INT64_MIN ? INT64_MAX : -off);
        out->period_us = longest_us(period);
    }
    out->age_ms = NAN;
    if (r->observation_ns != INT64_MIN)
        out->age_ms =
            (float)((double)(int64_t)((uint64_t)r->woke_ns - (uint64_t)r->observation_ns) / 1e6);
}

static void add_counts(gb_view_sums *sums, const gb_tick *r, const gb_view_bucket *tick)
{
    if (sums->ticks > 0 && r->tick > sums->last_tick)
        sums->skipped += (int64_t)(r->tick - sums->last_tick - 1);
    sums->ticks++;
    sums->late += tick->late;
    sums->starved += tick->starved;
    sums->switches += tick->switches;
    sums->faulty += r->faults != 0;
    sums->modes[tick->mode]++;
    for (int i = 0; i < GB_LIMIT_COUNT; i++)
        sums->reasons[i] += r->verdict.reasons >> i & 1u;
    for (int i = 0; i < 5; i++)
        sums->faults[i] += r->faults >> i & 1u;
    sums->least_margin = fminf(sums->least_margin, tick->margin);
}

void gb_view_sums_add(gb_view_sums *sums, const gb_tick *r, int64_t tick_ns, gb_view_bucket *out)
{
    int mode = (int)r->verdict.mode;
    if (sums->ticks == 0) {
        sums->first_due_ns = r->due_ns;
        sums->first_wall_ns = r->wall_ns;
    }
    int64_t at = (int64_t)((uint64_t)r->due_ns - (uint64_t)sums->first_due_ns);
    *out = (gb_view_bucket){
        .tick = r->tick,
        .at_ns = at,
        .end_ns = at,
        .chunk = r->chunk,
        .episode = r->episode,
        .ticks = 1,
        .late = r->late != 0,
        .starved = r->chunk == 0,
        .switches = sums->ticks > 0 && r->chunk != 0 && r->chunk != sums->last_chunk,
        .faults = r->faults,
        .reasons = r->verdict.reasons,
        .mode = mode >= GB_MODE_PASS && mode <= GB_MODE_STOPPED ? mode : GB_MODE_STOPPED,
        .margin_limit = r->verdict.margin_limit,
        .margin_index = r->verdict.margin_index,
        .margin = shown(r->verdict.margin)};
    add_times(sums, r, tick_ns, out);
    add_counts(sums, r, out);
    sums->last_due_ns = r->due_ns;
    sums->last_wall_ns = r->wall_ns;
    sums->last_woke_ns = r->woke_ns;
    sums->last_tick = r->tick;
    sums->last_chunk = r->chunk ? r->chunk : sums->last_chunk;
}
