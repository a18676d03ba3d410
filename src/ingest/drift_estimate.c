/* The first pass: a sink that hands each device's stamps or signals to drift_stamps.c or
 * drift_lag.c and forgets everything else. */
#include "ingest/drift_stamps.h"

#include "ingest/numbers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One of the map's drifts in one recording. */
typedef struct watched {
    gb_drift_stamps *stamps; /* by column, or */
    gb_drift_pair *pair;     /* by signal and reference */
    double unit_ns;          /* of the stamps */
    int stream[2];           /* stamps or signal, reference; -1: not there */
} watched;

typedef struct pass {
    bool open;
    char *name;
    int stream_count;
    gb_value_type *types; /* [stream_count] */
    int64_t *sizes;
    watched *drifts; /* [drift_count] of the map */
} pass;

typedef struct estimator {
    gb_sink sink;
    const gb_stream_map *map;
    pass *passes;
    int pass_room;
    gb_drift_tracks tracks;
} estimator;

static void forget(const estimator *e, pass *p)
{
    for (uint32_t d = 0; p->drifts && d < e->map->data->drift_count; d++) {
        gb_drift_stamps_destroy(p->drifts[d].stamps);
        gb_drift_pair_destroy(p->drifts[d].pair);
    }
    free(p->drifts);
    free(p->types);
    free(p->sizes);
    free(p->name);
    *p = (pass){0};
}

static gb_status out_of_memory(void)
{
    return gb_fail(GB_ERR_MEMORY, "clock drift: no memory for a recording");
}

/* ---- beginnings -------------------------------------------------------------------------------
 */

static gb_status begin_drift(const estimator *e, uint32_t number, watched *out)
{
    const gb_map_drift *drift = &e->map->data->drift[number];
    double window_s = drift->window_s ? *drift->window_s : GB_DRIFT_WINDOW_S;
    out->stream[0] = out->stream[1] = -1;
    if (!(window_s >= 1e-3 && window_s <= 1e7))
        return gb_fail(GB_ERR_SCHEMA, "%s: drift of %s: window_s is %g, expected 0.001 to 1e7",
                       e->map->origin, drift->device, window_s);
    if (!drift->column == !(drift->signal && drift->reference))
        return gb_fail(
            GB_ERR_SCHEMA,
            "%s: drift of %s: expected either column (the device's own stamps) or signal "
            "and reference (two streams that saw the same)",
            e->map->origin, drift->device);
    return drift->column ? gb_drift_stamps_create(window_s, &out->stamps)
                         : gb_drift_pair_create(window_s, &out->pair);
}

static gb_status find_free(estimator *e, int *out)
{
    int number = 0;
    while (number < e->pass_room && e->passes[number].open)
        number++;
    if (number == e->pass_room) {
        int room = number ? 2 * number : 4;
        pass *grown = realloc(e->passes, (size_t)room * sizeof *grown);
        if (!grown)
            return out_of_memory();
        memset(grown + number, 0, (size_t)(room - number) * sizeof *grown);
        e->passes = grown;
        e->pass_room = room;
    }
    *out = number;
    return GB_OK;
}

static gb_status begin(gb_sink *sink, const gb_recording_info *info, int *out_recording)
{
    estimator *e = (estimator *)sink;
    uint32_t count = e->map->data->drift_count;
    int number = 0;
    GB_TRY(find_free(e, &number));
    pass *made = &e->passes[number];
    made->name = strdup(info->name);
    made->drifts = calloc(count + 1, sizeof *made->drifts);
    gb_status status = made->name && made->drifts ? GB_OK : out_of_memory();
    for (uint32_t d = 0; status == GB_OK && d < count; d++)
        status = begin_drift(e, d, &made->drifts[d]);
    if (status != GB_OK) {
        forget(e, made);
        return status;
    }
    made->open = true;
    *out_recording = number;
    return GB_OK;
}

static gb_status find_pass(estimator *e, int recording, pass **out)
{
    if (recording < 0 || recording >= e->pass_room || !e->passes[recording].open)
        return gb_fail(GB_ERR_ARGUMENT, "clock drift: no recording %d is open", recording);
    *out = &e->passes[recording];
    return GB_OK;
}

static gb_status watch_stream(const estimator *e, pass *p, const gb_stream_spec *spec)
{
    for (uint32_t d = 0; d < e->map->data->drift_count; d++) {
        const gb_map_drift *drift = &e->map->data->drift[d];
        watched *w = &p->drifts[d];
        if (gb_drift_is_stamps(e->map, drift, spec->name)) {
            GB_TRY(gb_drift_stamp_unit(e->map, spec, &w->unit_ns));
            w->stream[0] = p->stream_count;
        } else if (!drift->column && strcmp(drift->signal, spec->name) == 0) {
            w->stream[0] = p->stream_count;
        } else if (!drift->column && strcmp(drift->reference, spec->name) == 0) {
            w->stream[1] = p->stream_count;
        }
    }
    return GB_OK;
}

static gb_status
add_stream(gb_sink *sink, int recording, const gb_stream_spec *spec, int *out_stream)
{
    estimator *e = (estimator *)sink;
    pass *p = NULL;
    GB_TRY(find_pass(e, recording, &p));
    size_t count = (size_t)p->stream_count + 1;
    gb_value_type *types = realloc(p->types, count * sizeof *types);
    if (types)
        p->types = types;
    int64_t *sizes = realloc(p->sizes, count * sizeof *sizes);
    if (sizes)
        p->sizes = sizes;
    if (!types || !sizes)
        return out_of_memory();
    GB_TRY(watch_stream(e, p, spec));
    types[p->stream_count] = spec->value_type;
    sizes[p->stream_count] = gb_stream_spec_size(spec);
    *out_stream = p->stream_count++;
    return GB_OK;
}

/* ---- samples ----------------------------------------------------------------------------------
 */

/* The first value of sample i. */
static double first_value(const pass *p, int stream, const gb_samples *samples, int64_t i)
{
    double value;
    size_t bytes = (size_t)p->sizes[stream] * gb_value_type_bytes(p->types[stream]);
    if (!samples->values)
        return NAN;
    gb_numbers_load(p->types[stream], (const char *)samples->values + (size_t)i * bytes, &value, 1);
    return value;
}

static gb_status add_stamp(watched *w, int64_t row_ns, double value)
{
    double stamp_ns = value * w->unit_ns;
    if (fabs(stamp_ns) < 9e18) /* not so for NaN */
        return gb_drift_stamps_add(w->stamps, row_ns, llround(stamp_ns));
    gb_drift_stamps_skip(w->stamps);
    return GB_OK;
}

static gb_status append(gb_sink *sink, int recording, int stream, const gb_samples *samples)
{
    estimator *e = (estimator *)sink;
    pass *p = NULL;
    GB_TRY(find_pass(e, recording, &p));
    for (uint32_t d = 0; d < e->map->data->drift_count; d++) {
        watched *w = &p->drifts[d];
        for (int which = 0; which < 2; which++) {
            if (w->stream[which] != stream)
                continue;
            for (int64_t i = 0; i < samples->count; i++) {
                double value = first_value(p, stream, samples, i);
                GB_TRY(w->stamps ? add_stamp(w, samples->time_ns[i], value)
                                 : gb_drift_pair_add(w->pair, which, samples->time_ns[i], value));
            }
        }
    }
    return GB_OK;
}

static gb_status attach(gb_sink *sink,
                        int recording,
                        const char *name,
                        const char *media_type,
                        const void *data,
                        size_t size)
{
    (void)sink, (void)recording, (void)name, (void)media_type, (void)data, (void)size;
    return GB_OK;
}

/* ---- ends -------------------------------------------------------------------------------------
 */

static gb_status find_laws(watched *w, gb_drift_track *out)
{
    if (w->stamps)
        return gb_drift_stamps_laws(w->stamps, &out->laws, &out->law_count);
    out->laws = malloc(sizeof *out->laws);
    if (!out->laws)
        return out_of_memory();
    gb_status status = gb_drift_pair_law(w->pair, out->laws);
    if (status != GB_OK)
        free(out->laws);
    out->law_count = 1;
    return status;
}

static gb_status add_track(estimator *e, const pass *p, uint32_t drift)
{
    gb_drift_tracks *to = &e->tracks;
    if (to->count == to->room) {
        int room = to->room ? 2 * to->room : 8;
        gb_drift_track *grown = realloc(to->tracks, (size_t)room * sizeof *grown);
        if (!grown)
            return out_of_memory();
        to->tracks = grown;
        to->room = room;
    }
    gb_drift_track track = {.recording = strdup(p->name), .drift = drift};
    if (!track.recording)
        return out_of_memory();
    gb_status status = find_laws(&p->drifts[drift], &track);
    if (status != GB_OK) {
        free(track.recording);
        return status;
    }
    to->tracks[to->count++] = track;
    return GB_OK;
}

static gb_status end(gb_sink *sink, int recording)
{
    estimator *e = (estimator *)sink;
    pass *p = NULL;
    GB_TRY(find_pass(e, recording, &p));
    for (uint32_t d = 0; d < e->map->data->drift_count; d++)
        GB_TRY(add_track(e, p, d));
    forget(e, p);
    return GB_OK;
}

static void abandon(gb_sink *sink, int recording)
{
    estimator *e = (estimator *)sink;
    if (recording >= 0 && recording < e->pass_room && e->passes[recording].open)
        forget(e, &e->passes[recording]);
}

static void destroy(gb_sink *sink)
{
    estimator *e = (estimator *)sink;
    for (int r = 0; r < e->pass_room; r++)
        abandon(sink, r);
    free(e->passes);
    gb_drift_tracks_free(&e->tracks);
    free(e);
}

static const gb_sink_ops ops = {begin, add_stream, append, attach, end, abandon, destroy};

gb_status gb_drift_estimate_create(const gb_stream_map *map, gb_sink **out)
{
    estimator *e = calloc(1, sizeof *e);
    if (!e)
        return out_of_memory();
    e->sink.ops = &ops;
    e->map = map;
    *out = &e->sink;
    return GB_OK;
}

gb_status gb_drift_estimate_finish(gb_sink *estimator_sink, gb_drift_tracks *out)
{
    estimator *e = (estimator *)estimator_sink;
    if (e->sink.ops != &ops)
        return gb_fail(GB_ERR_ARGUMENT, "clock drift: this sink is no estimator");
    *out = e->tracks;
    e->tracks = (gb_drift_tracks){0};
    return GB_OK;
}
