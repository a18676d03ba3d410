/* Which features of a LeRobot data set become which streams. */
#include "ingest/lerobot_read.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

gb_status
gb_lerobot_drift(const gb_lerobot_reading *reading, const char *file, const char *format, ...)
{
    char message[512];
    va_list args;
    const gb_ingest_watch *watch = reading->source->watch;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return watch->drift ? watch->drift(watch->context, file, message) : GB_OK;
}

void gb_lerobot_left_out(gb_lerobot_reading *reading, const char *name, const char *reason)
{
    gb_ingest_report *report = reading->source->report;
    if (report->left_out_count < GB_INGEST_LEFT_OUT) {
        gb_ingest_left_out *kept = &report->left_out[report->left_out_count];
        snprintf(kept->name, sizeof kept->name, "%s", name);
        kept->reason = reason;
    }
    report->left_out_count++;
}

static gb_stream_kind kind_of(const gb_lerobot_feature *feature)
{
    if (feature->is_video || feature->is_image)
        return GB_STREAM_IMAGE;
    if (strcmp(feature->dtype, "string") == 0)
        return GB_STREAM_TEXT;
    if (strcmp(feature->name, "action") == 0 || strncmp(feature->name, "action.", 7) == 0)
        return GB_STREAM_ACTION;
    return feature->rank == 0 ? GB_STREAM_SCALAR : GB_STREAM_VECTOR;
}

static gb_status
plan_stream(gb_lerobot_reading *r, const gb_lerobot_feature *feature, gb_lerobot_stream *to)
{
    gb_pair *pairs = gb_arena_alloc(r->set.arena, 2 * sizeof *pairs);
    if (!pairs)
        return GB_ERR_MEMORY;
    pairs[0] = (gb_pair){"lerobot.feature", feature->name};
    pairs[1] = (gb_pair){"lerobot.dtype", feature->dtype};
    to->feature = feature;
    to->spec = gb_stream_spec_defaults(feature->name);
    to->spec.kind = kind_of(feature);
    to->spec.rank = feature->rank;
    memcpy(to->spec.shape, feature->shape, sizeof to->spec.shape);
    if (to->spec.kind == GB_STREAM_ACTION && feature->rank == 0) {
        to->spec.rank = 1;
        to->spec.shape[0] = 1;
    }
    to->spec.labels = feature->labels;
    to->spec.rate_hz = r->set.fps;
    to->spec.time_base = GB_TIME_START;
    to->spec.pairs = pairs;
    to->spec.pair_count = 2;
    return GB_OK;
}

/* What the map says beside the name; unit conversion is the next filter's business. */
static gb_status
describe(const gb_lerobot_reading *r, const gb_map_stream *from, gb_lerobot_stream *to)
{
    const char *unit = from->source_unit ? from->source_unit : from->unit;
    if (from->columns_count > 0)
        return gb_fail(GB_ERR_SCHEMA,
                       "%s: stream %s: the reader lerobot takes a whole feature by its name "
                       "(`source`), not columns",
                       r->source->map->origin, from->name);
    to->spec.name = from->name;
    if (from->kind >= 0)
        to->spec.kind = (gb_stream_kind)from->kind;
    to->spec.unit = unit ? unit : "";
    to->spec.semantic = from->semantic ? from->semantic : "";
    to->spec.clock = from->clock ? from->clock : "";
    to->spec.frame = from->frame ? from->frame : "";
    to->optional = from->optional;
    return GB_OK;
}

static const gb_lerobot_feature *find_feature(const gb_lerobot *set, const char *name)
{
    for (int f = 0; f < set->feature_count; f++)
        if (strcmp(set->features[f].name, name) == 0)
            return &set->features[f];
    return NULL;
}

static gb_status no_feature(const gb_lerobot_reading *r, const char *stream, const char *name)
{
    char names[600] = "";
    size_t used = 0;
    for (int f = 0; f < r->set.feature_count && used < sizeof names - 140; f++)
        if (!r->set.features[f].is_bookkeeping)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s",
                                     used > 0 ? ", " : "", r->set.features[f].name);
    return gb_fail(GB_ERR_NOT_FOUND,
                   "%s has no feature %s, which %s names for stream %s; its features are: %s",
                   r->source->path, name, r->source->map->origin, stream, names);
}

static gb_status plan_by_map(gb_lerobot_reading *r)
{
    const gb_map_data *data = r->source->map->data;
    for (uint32_t s = 0; s < data->streams_count; s++) {
        const gb_map_stream *from = &data->streams[s];
        const char *name = from->source ? from->source : from->name;
        const gb_lerobot_feature *feature = find_feature(&r->set, name);
        if (!feature && from->optional)
            continue;
        if (!feature)
            return no_feature(r, from->name, name);
        gb_lerobot_stream *to = &r->streams[r->stream_count++];
        GB_TRY(plan_stream(r, feature, to));
        GB_TRY(describe(r, from, to));
    }
    return GB_OK;
}

static bool is_planned(const gb_lerobot_reading *r, const gb_lerobot_feature *feature)
{
    for (int s = 0; s < r->stream_count; s++)
        if (r->streams[s].feature == feature)
            return true;
    return false;
}

gb_status gb_lerobot_plan(gb_lerobot_reading *r)
{
    const gb_map_data *data = r->source->map->data;
    size_t room = data->streams_count + (size_t)r->set.feature_count;
    r->streams = gb_arena_alloc(r->set.arena, room * sizeof *r->streams);
    if (!r->streams)
        return GB_ERR_MEMORY;
    if (data->streams_count > 0)
        GB_TRY(plan_by_map(r));
    for (int f = 0; f < r->set.feature_count; f++) {
        const gb_lerobot_feature *feature = &r->set.features[f];
        if (feature->is_bookkeeping || is_planned(r, feature))
            continue;
        if (data->streams_count > 0)
            gb_lerobot_left_out(r, feature->name, "the map does not name it");
        else
            GB_TRY(plan_stream(r, feature, &r->streams[r->stream_count++]));
    }
    if (r->stream_count == 0)
        return gb_fail(GB_ERR_NOT_FOUND, "%s: no features to read", r->source->path);
    return GB_OK;
}
