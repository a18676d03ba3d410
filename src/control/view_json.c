/* control/view_json.c: what the page is told, as JSON: the machine once, then rows of buckets,
 * sums, interventions and the scene. It keeps nothing. */
#include "control/view.h"

#include <math.h>
#include <string.h>

#define LIVE_ROWS 200 /* in one answer */
#define LIVE_EVENTS 100

/* ---- values -------------------------------------------------------------------------------------
 */

void gb_view_json_text(FILE *to, const char *text)
{
    fputc('"', to);
    for (; text && *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' || c == 0x7f)
            fprintf(to, "\\u%04x", (unsigned)c);
        else
            fputc(c, to);
    }
    fputc('"', to);
}

void gb_view_json_number(FILE *to, double value, int digits)
{
    if (isfinite(value))
        fprintf(to, "%.*g", digits, value);
    else
        fputs("null", to);
}

static void put_floats(FILE *to, const float *values, int count, int digits)
{
    fputc('[', to);
    for (int i = 0; i < count; i++) {
        if (i)
            fputc(',', to);
        gb_view_json_number(to, (double)values[i], digits);
    }
    fputc(']', to);
}

static void put_doubles(FILE *to, const double *values, int count)
{
    if (!values) {
        fputs("null", to);
        return;
    }
    fputc('[', to);
    for (int i = 0; i < count; i++) {
        if (i)
            fputc(',', to);
        gb_view_json_number(to, values[i], 9);
    }
    fputc(']', to);
}

/* ---- the machine --------------------------------------------------------------------------------
 */

static void put_stream(FILE *to, const gb_plant_stream *s, int column)
{
    fputs("{\"name\":", to);
    gb_view_json_text(to, s->spec.name);
    fputs(",\"unit\":", to);
    gb_view_json_text(to, s->spec.unit);
    fprintf(to, ",\"size\":%d,\"column\":%d,\"wrap\":", s->size, column);
    gb_view_json_number(to, s->wrap, 9);
    fputs(",\"labels\":", to);
    if (s->spec.labels && s->size <= GB_VIEW_STREAM_MAX) {
        for (int i = 0; i < s->size; i++) {
            fputc(i ? ',' : '[', to);
            gb_view_json_text(to, s->spec.labels[i]);
        }
        fputc(']', to);
    } else {
        fputs("null", to);
    }
    bool shown = s->size <= GB_VIEW_STREAM_MAX;
    fputs(",\"low\":", to);
    put_doubles(to, shown ? s->low : NULL, s->size);
    fputs(",\"high\":", to);
    put_doubles(to, shown ? s->high : NULL, s->size);
    fputc('}', to);
}

static void put_streams(FILE *to, const gb_view *view)
{
    const gb_plant_info *machine = view->columns.machine;
    int action = 0;
    fputs(",\"observations\":[", to);
    for (int s = 0; s < machine->observation_stream_count; s++) {
        fputs(s ? "," : "", to);
        put_stream(to, &machine->observation_streams[s], view->columns.stream_start[s]);
    }
    fputs("],\"actions\":[", to);
    for (int s = 0; s < machine->action_stream_count; s++) {
        fputs(s ? "," : "", to);
        put_stream(to, &machine->action_streams[s], action);
        action += machine->action_streams[s].size;
    }
    fputc(']', to);
}

static void put_named(FILE *to, const char *name, const char *text)
{
    fprintf(to, ",\"%s\":", name);
    gb_view_json_text(to, text);
}

void gb_view_json_machine(FILE *to, const gb_view *view)
{
#define QUOTED(name, text) "\"" text "\","
    static const char limits[] = GB_LIMIT_LIST(QUOTED);
#undef QUOTED
    const gb_plant_info *machine = view->columns.machine;
    fprintf(to, "\"limits\":[%.*s]", (int)(sizeof limits - 2), limits);
    fputs(",\"modes\":[\"pass\",\"clamp\",\"slow\",\"backup\",\"stopped\"]", to);
    fprintf(to,
            ",\"tick\":%.9g,\"bucket\":%.9g,\"columns\":%d,\"action\":%d,\"wide\":%d,"
            "\"drawn\":%s",
            (double)view->tick_ns / 1e9, (double)view->bucket_ns / 1e9,
            view->columns.observation_count, view->columns.action_size, GB_VIEW_WIDE,
            view->plant ? "true" : "false");
    put_named(to, "title", view->options.title);
    put_named(to, "machine",
              view->options.machine_name ? view->options.machine_name : machine->name);
    put_named(to, "summary", machine->summary);
    put_named(to, "instruction", machine->instruction);
    put_named(to, "model", view->options.model_name);
    put_named(to, "model_hash", view->options.model_hash_hex);
    put_named(to, "precision",
              view->options.model_name ? gb_precision_name(view->options.compute) : NULL);
    put_named(to, "envelope", view->options.envelope_path);
    put_named(to, "envelope_hash", view->envelope_hash);
    put_named(to, "version", gb_version());
    put_streams(to, view);
}

/* ---- buckets ------------------------------------------------------------------------------------
 */

/* The values of narrow streams, then proposal and command; or those of wide streams alone. */
static void put_values(FILE *to, const gb_view *view, const float *values, bool wide)
{
    const gb_plant_info *machine = view->columns.machine;
    const char *comma = "";
    fputc('[', to);
    for (int s = 0; s < machine->observation_stream_count; s++) {
        int size = machine->observation_streams[s].size, start = view->columns.stream_start[s];
        if (start < 0 || (size > GB_VIEW_WIDE) != wide)
            continue;
        for (int i = 0; i < size; i++, comma = ",") {
            fputs(comma, to);
            gb_view_json_number(to, (double)values[start + i], wide ? 4 : 6);
        }
    }
    const float *actions = values + view->columns.observation_count;
    for (int i = 0; !wide && i < 2 * view->columns.action_size; i++, comma = ",") {
        fputs(comma, to);
        gb_view_json_number(to, (double)actions[i], 6);
    }
    fputc(']', to);
}

/* A row: the order is known to asset/view.js as well. */
static void put_bucket(FILE *to, const gb_view *view, const gb_view_trace *trace, int i, bool all)
{
    const gb_view_bucket *b = gb_view_trace_at(trace, i);
    const float *values = gb_view_trace_values(trace, i);
    fprintf(to, "[%.6f,%.6f,%llu,%u,%d,%u,", (double)b->at_ns / 1e9, (double)b->end_ns / 1e9,
            (unsigned long long)b->tick, (unsigned)b->ticks, (int)b->mode, (unsigned)b->reasons);
    gb_view_json_number(to, (double)b->margin, 4);
    fprintf(to, ",%d,%d,%u,%u,%llu,", (int)b->margin_limit, (int)b->margin_index, (unsigned)b->late,
            (unsigned)b->faults, (unsigned long long)b->chunk);
    const float times[4] = {b->age_ms, b->wake_us, b->period_us, b->busy_us};
    for (int k = 0; k < 4; k++) {
        gb_view_json_number(to, (double)times[k], 5);
        fputc(',', to);
    }
    fprintf(to, "%u,%u,%u,", (unsigned)b->episode, (unsigned)b->starved, (unsigned)b->switches);
    for (int k = 0; k < 3; k++) {
        put_values(to, view, values + k * trace->columns, false);
        fputs(k < 2 ? "," : "", to);
    }
    if (all) {
        fputc(',', to);
        put_values(to, view, values + 2 * trace->columns, true);
    }
    fputc(']', to);
}

void gb_view_json_buckets(
    FILE *to, const gb_view *view, const gb_view_trace *trace, int from, int until, bool all)
{
    fputc('[', to);
    for (int i = from; i < until; i++) {
        fputs(i > from ? ",\n" : "", to);
        put_bucket(to, view, trace, i, all);
    }
    fputc(']', to);
}

/* ---- sums and interventions ---------------------------------------------------------------------
 */

static void put_times(FILE *to, const char *name, const gb_view_times *times)
{
    bool first = true;
    fprintf(to, "\"%s\":{\"count\":%lld,\"p\":[", name, (long long)times->count);
    static const double parts[] = {0.5, 0.99, 0.999};
    for (int i = 0; i < 3; i++) {
        gb_view_json_number(to, gb_view_times_at(times, parts[i]) / 1e3, 4);
        fputc(',', to);
    }
    gb_view_json_number(to, (double)times->max_ns / 1e3, 5);
    fputs("],\"bins\":[", to);
    for (int bin = 0; bin < GB_VIEW_BINS; bin++) {
        if (times->bins[bin] == 0)
            continue;
        fprintf(to, "%s%d,%lld", first ? "" : ",", bin, (long long)times->bins[bin]);
        first = false;
    }
    fputs("]}", to);
}

static void put_counts(FILE *to, const char *name, const int64_t *counts, int count)
{
    fprintf(to, ",\"%s\":[", name);
    for (int i = 0; i < count; i++)
        fprintf(to, "%s%lld", i ? "," : "", (long long)counts[i]);
    fputc(']', to);
}

void gb_view_json_sums(FILE *to, const gb_view *view)
{
    const gb_view_sums *s = &view->sums;
    fprintf(to,
            "{\"ticks\":%lld,\"late\":%lld,\"starved\":%lld,\"switches\":%lld,\"faulty\":%lld,"
            "\"skipped\":%lld,\"unseen\":%lld,\"interventions\":%lld,\"seconds\":%.6f,"
            "\"began\":%.3f,\"least\":",
            (long long)s->ticks, (long long)s->late, (long long)s->starved, (long long)s->switches,
            (long long)s->faulty, (long long)s->skipped, (long long)gb_ring_lost(view->ring),
            (long long)(view->events->count + view->events->beyond),
            s->ticks
                ? ((double)s->last_due_ns - (double)s->first_due_ns + (double)view->tick_ns) / 1e9
                : 0.0,
            (double)s->first_wall_ns / 1e9);
    gb_view_json_number(to, (double)s->least_margin, 4);
    put_counts(to, "modes", s->modes, GB_MODE_STOPPED + 1);
    put_counts(to, "reasons", s->reasons, GB_LIMIT_COUNT);
    put_counts(to, "faults", s->faults, 5);
    fprintf(to, ",\"floor\":%g,\"octave\":%d,", GB_VIEW_BIN_FLOOR_NS / 1e3,
            GB_VIEW_BINS_PER_OCTAVE);
    put_times(to, "wake", &s->wake);
    fputc(',', to);
    put_times(to, "period", &s->period);
    fputc(',', to);
    put_times(to, "busy", &s->busy);
    fputc('}', to);
}

void gb_view_json_events(FILE *to, const gb_view *view, int from)
{
    fputc('[', to);
    for (int i = from; i < view->events->count; i++) {
        const gb_view_event *e = &view->events->list[i];
        fprintf(to, "%s[%llu,%.6f,%.6f,%lld,%d,%u,", i > from ? ",\n" : "",
                (unsigned long long)e->tick, (double)e->at_ns / 1e9, (double)e->end_ns / 1e9,
                (long long)e->ticks, (int)e->mode, (unsigned)e->reasons);
        gb_view_json_number(to, (double)e->margin, 4);
        fprintf(to, ",%d,%d,%u]", (int)e->margin_limit, (int)e->margin_index, (unsigned)e->episode);
    }
    fputc(']', to);
}

/* ---- the scene ----------------------------------------------------------------------------------
 */

void gb_view_json_shape(FILE *to, const gb_plant_shape *shape)
{
    fprintf(to, "[%d,", (int)shape->kind);
    gb_view_json_text(to, shape->role);
    fputc(',', to);
    gb_view_json_number(to, shape->radius, 5);
    for (int i = 0; i < shape->point_count && i < GB_PLANT_SHAPE_POINTS; i++) {
        for (int k = 0; k < 2; k++) {
            fputc(',', to);
            gb_view_json_number(to, shape->points[i][k], 6);
        }
    }
    fputc(']', to);
}

/* ---- live ---------------------------------------------------------------------------------------
 */

static void put_now(FILE *to, const gb_view *view)
{
    const gb_tick *r = view->newest;
    fprintf(to, "{\"tick\":%llu,\"at\":%.6f,\"mode\":%d,\"reasons\":%u,\"margin\":",
            (unsigned long long)r->tick,
            ((double)view->sums.last_due_ns - (double)view->sums.first_due_ns) / 1e9,
            (int)r->verdict.mode, (unsigned)r->verdict.reasons);
    gb_view_json_number(to, r->verdict.margin, 4);
    fprintf(to, ",\"limit\":%d,\"index\":%d,\"blind\":%s,\"values\":", r->verdict.margin_limit,
            r->verdict.margin_index, r->verdict.blind ? "true" : "false");
    put_floats(to, view->values, view->columns.count, 6);
    fputc('}', to);
}

void gb_view_json_live(FILE *to, gb_view *view, uint64_t after, bool more)
{
    pthread_mutex_lock(&view->lock);
    gb_view_draw(view);
    const gb_view_trace *live = &view->live;
    uint64_t end = live->first + (uint64_t)live->count;
    uint64_t from = after < live->first || after > end ? live->first : after;
    uint64_t until = end - from > LIVE_ROWS ? from + LIVE_ROWS : end;
    fprintf(to, "{\"first\":%llu,\"end\":%llu,\"stop\":%s,\"unseen\":%lld,\"rows\":",
            (unsigned long long)from, (unsigned long long)end,
            gb_view_emergency_stop(view) ? "true" : "false", (long long)gb_ring_lost(view->ring));
    gb_view_json_buckets(to, view, live, (int)(from - live->first), (int)(until - live->first),
                         false);
    fputs(",\"now\":", to);
    if (view->sums.ticks > 0)
        put_now(to, view);
    else
        fputs("null", to);
    fputs(",\"scene\":[", to);
    for (int i = 0; i < view->shape_count; i++) {
        fputs(i ? "," : "", to);
        gb_view_json_shape(to, &view->shapes[i]);
    }
    fputc(']', to);
    if (more) {
        int count = view->events->count;
        fputs(",\"sums\":", to);
        gb_view_json_sums(to, view);
        fputs(",\"events\":", to);
        gb_view_json_events(to, view, count > LIVE_EVENTS ? count - LIVE_EVENTS : 0);
    }
    fputs("}", to);
    pthread_mutex_unlock(&view->lock);
}
