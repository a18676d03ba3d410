/* The desk that slices are worked on, shared by all streams of a sink, and the streams of raw
 * values. */
#include "ingest/clean_desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- room -------------------------------------------------------------------------------------
 */

static bool grow(void *field, size_t bytes)
{
    void **at = field, *grown = realloc(*at, bytes);
    if (grown)
        *at = grown;
    return grown != NULL;
}

static gb_status fit_samples(gb_clean_desk *desk, int64_t samples)
{
    size_t room = (size_t)samples;
    if (samples <= desk->room)
        return GB_OK;
    if (!grow(&desk->time_ns, room * sizeof *desk->time_ns) ||
        !grow(&desk->row, room * sizeof *desk->row) || !grow(&desk->quality, room) ||
        !grow(&desk->reason, room) || !grow(&desk->keep, room * sizeof *desk->keep) ||
        !grow(&desk->line, room * sizeof *desk->line) ||
        !grow(&desk->runs, room * sizeof *desk->runs) ||
        !grow(&desk->run_sizes, room * sizeof *desk->run_sizes))
        return gb_fail(GB_ERR_MEMORY, "cleaning: no memory for %zu samples", room);
    desk->room = samples;
    return GB_OK;
}

gb_status gb_clean_desk_fit(gb_clean_desk *desk, const gb_clean_rules *rules)
{
    int64_t samples = gb_clean_slice(rules->size) + GB_CLEAN_TAIL;
    GB_TRY(fit_samples(desk, samples));
    if (!gb_clean_has_value_rules(rules))
        return GB_OK;
    int64_t values =
        rules->spike_sigmas > 0 ? samples * rules->size : gb_clean_slice(rules->size) * rules->size;
    if (values <= desk->value_room)
        return GB_OK;
    if (!grow(&desk->values, (size_t)values * sizeof *desk->values) ||
        !grow(&desk->bytes, (size_t)values * sizeof(double)))
        return gb_fail(GB_ERR_MEMORY, "cleaning: no memory for %lld values", (long long)values);
    desk->value_room = values;
    return GB_OK;
}

void gb_clean_desk_free(gb_clean_desk *desk)
{
    free(desk->time_ns);
    free(desk->row);
    free(desk->quality);
    free(desk->reason);
    free(desk->keep);
    free(desk->values);
    free(desk->bytes);
    free(desk->in);
    free(desk->line);
    free(desk->runs);
    free(desk->run_sizes);
    free(desk->raw);
    free(desk->raw_time_ns);
    *desk = (gb_clean_desk){0};
}

/* ---- samples ----------------------------------------------------------------------------------
 */

static void place_bytes(uint8_t *to, const uint8_t *from, size_t count)
{
    if (from)
        memcpy(to, from, count);
    else
        memset(to, 0, count);
}

void gb_clean_desk_place(gb_clean_desk *desk, const gb_samples *samples)
{
    size_t count = (size_t)samples->count, at = (size_t)desk->tail;
    memcpy(desk->time_ns + at, samples->time_ns, count * sizeof *desk->time_ns);
    if (samples->row)
        memcpy(desk->row + at, samples->row, count * sizeof *desk->row);
    else
        memset(desk->row + at, 0, count * sizeof *desk->row);
    place_bytes(desk->quality + at, samples->quality, count);
    place_bytes(desk->reason + at, samples->reason, count);
    desk->count = desk->tail + samples->count;
}

gb_status gb_clean_desk_compact(gb_clean_desk *desk, const gb_clean_rules *rules, gb_samples *in)
{
    size_t bytes = (size_t)rules->size * gb_value_type_bytes(rules->in);
    size_t needed = (size_t)desk->kept * bytes;
    if (needed > desk->in_room) {
        if (!grow(&desk->in, needed))
            return gb_fail(GB_ERR_MEMORY, "cleaning: no memory for %zu bytes", needed);
        desk->in_room = needed;
    }
    for (int64_t k = 0; k < desk->kept; k++) {
        int64_t from = desk->keep[k], to = desk->tail + k;
        desk->time_ns[to] = desk->time_ns[desk->tail + from];
        desk->row[to] = desk->row[desk->tail + from];
        desk->quality[to] = desk->quality[desk->tail + from];
        desk->reason[to] = desk->reason[desk->tail + from];
        if (in->runs) {
            desk->runs[k] = in->runs[from];
            desk->run_sizes[k] = in->run_sizes[from];
        } else {
            memcpy(desk->in + (size_t)k * bytes,
                   (const unsigned char *)in->values + (size_t)from * bytes, bytes);
        }
    }
    desk->count = desk->tail + desk->kept;
    if (in->runs) {
        in->runs = desk->runs;
        in->run_sizes = desk->run_sizes;
    } else {
        in->values = desk->in;
    }
    return GB_OK;
}

/* ---- raw values -------------------------------------------------------------------------------
 */

static gb_status
begin_raw(gb_clean *clean, const gb_clean_recording *recording, gb_clean_stream *stream)
{
    char name[GB_STREAM_NAME_MAX + 1];
    int size = snprintf(name, sizeof name, "%s.raw", stream->name);
    if (size > GB_STREAM_NAME_MAX)
        return gb_fail(GB_ERR_SCHEMA,
                       "%s: stream %s: its raw values need a stream of that name and .raw, at most "
                       "%d bytes; give it a shorter name in the map",
                       clean->origin, stream->name, GB_STREAM_NAME_MAX);
    static const char *const labels[] = {"sample", "column", "value"};
    gb_pair of = {"raw_of", stream->name};
    gb_stream_spec spec = gb_stream_spec_defaults(name);
    spec.kind = GB_STREAM_EVENT;
    spec.semantic = "raw";
    spec.rank = 1;
    spec.shape[0] = 3;
    spec.time_base = stream->time_base;
    spec.labels = labels;
    spec.value_type = GB_VALUE_F64;
    spec.clock = stream->clock;
    spec.pairs = &of;
    spec.pair_count = 1;
    return gb_sink_stream(clean->next, recording->number, &spec, &stream->raw_number);
}

gb_status
gb_clean_keep_raw(gb_clean *clean, const gb_clean_recording *recording, gb_clean_stream *stream)
{
    gb_clean_desk *desk = &clean->desk;
    gb_samples samples = {
        .count = desk->raw_count, .time_ns = desk->raw_time_ns, .values = desk->raw};
    desk->raw_count = 0;
    if (samples.count == 0)
        return GB_OK;
    if (stream->raw_number < 0)
        GB_TRY(begin_raw(clean, recording, stream));
    return gb_sink_append(clean->next, recording->number, stream->raw_number, &samples);
}
