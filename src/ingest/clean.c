/* Cleaning as a sink: recordings and streams, and the way of a batch through the rules. What is
 * judged and how is in clean_time.c, clean_values.c and clean_spikes.c. */
#include "ingest/clean_desk.h"

#include <stdlib.h>
#include <string.h>

static gb_status find_recording(gb_clean *clean, int recording, gb_clean_recording **out)
{
    if (recording < 0 || recording >= clean->recording_room || !clean->recordings[recording].open)
        return gb_fail(GB_ERR_ARGUMENT, "%s: no recording %d is open", clean->origin, recording);
    *out = &clean->recordings[recording];
    return GB_OK;
}

static void forget(const gb_clean *clean, gb_clean_recording *recording)
{
    gb_clean_end_clocks(clean, recording);
    for (int g = 0; g < recording->group_count; g++)
        free(recording->groups[g].differ);
    free(recording->groups);
    free(recording->streams);
    gb_arena_destroy(recording->arena);
    *recording = (gb_clean_recording){0};
}

/* ---- recordings -------------------------------------------------------------------------------
 */

static gb_status find_free(gb_clean *clean, int *out)
{
    int number = 0;
    while (number < clean->recording_room && clean->recordings[number].open)
        number++;
    if (number == clean->recording_room) {
        int room = number ? 2 * number : 4;
        gb_clean_recording *grown = realloc(clean->recordings, (size_t)room * sizeof *grown);
        if (!grown)
            return gb_fail(GB_ERR_MEMORY, "%s: no memory for %d recordings", clean->origin, room);
        memset(grown + number, 0, (size_t)(room - number) * sizeof *grown);
        clean->recordings = grown;
        clean->recording_room = room;
    }
    *out = number;
    return GB_OK;
}

static gb_status begin(gb_sink *sink, const gb_recording_info *info, int *out_recording)
{
    gb_clean *clean = (gb_clean *)sink;
    int number = 0;
    gb_arena *arena = NULL;
    GB_TRY(find_free(clean, &number));
    GB_TRY(gb_arena_create(0, &arena));
    gb_clean_recording made = {.open = true, .arena = arena};
    gb_status status = gb_clean_begin_clocks(clean, &made, info->name);
    if (status == GB_OK)
        status = gb_sink_begin(clean->next, info, &made.number);
    if (status != GB_OK) {
        forget(clean, &made);
        return status;
    }
    clean->recordings[number] = made;
    *out_recording = number;
    return GB_OK;
}

static gb_status make_stream(gb_clean *clean,
                             gb_clean_recording *recording,
                             const gb_stream_spec *spec,
                             gb_clean_stream **out)
{
    gb_arena *arena = recording->arena;
    gb_clean_stream *stream = gb_arena_alloc(arena, sizeof *stream);
    gb_stream_spec changed;
    if (!stream)
        return GB_ERR_MEMORY;
    GB_TRY(gb_clean_settle(clean->map, spec, arena, &stream->rules, &changed));
    GB_TRY(gb_clean_assign_clock(clean, recording, stream, &changed));
    const gb_clean_rules *rules = &stream->rules;
    stream->time_base = spec->time_base;
    stream->name = gb_arena_text(arena, spec->name);
    stream->clock = gb_arena_text(arena, spec->clock ? spec->clock : "");
    stream->raw_number = -1;
    stream->time.before = gb_arena_alloc(arena, GB_CLEAN_COMPARED_BYTES);
    size_t size = rules->stuck_samples > 0 ? (size_t)rules->size : 0;
    stream->stuck_value = gb_arena_alloc(arena, size * sizeof *stream->stuck_value);
    stream->stuck_run = gb_arena_alloc(arena, size * sizeof *stream->stuck_run);
    if (!stream->name || !stream->clock || !stream->time.before || !stream->stuck_value ||
        !stream->stuck_run)
        return GB_ERR_MEMORY;
    GB_TRY(gb_clean_tail_create(rules, arena, &stream->tail));
    GB_TRY(gb_clean_desk_fit(&clean->desk, rules));
    GB_TRY(gb_sink_stream(clean->next, recording->number, &changed, &stream->number));
    *out = stream;
    return GB_OK;
}

static gb_status
add_stream(gb_sink *sink, int recording, const gb_stream_spec *spec, int *out_stream)
{
    gb_clean *clean = (gb_clean *)sink;
    gb_clean_recording *to = NULL;
    GB_TRY(find_recording(clean, recording, &to));
    if (to->stream_count == to->stream_room) {
        int room = to->stream_room ? 2 * to->stream_room : 16;
        gb_clean_stream **grown = realloc(to->streams, (size_t)room * sizeof *grown);
        if (!grown)
            return gb_fail(GB_ERR_MEMORY, "%s: no memory for %d streams", clean->origin, room);
        to->streams = grown;
        to->stream_room = room;
    }
    GB_TRY(make_stream(clean, to, spec, &to->streams[to->stream_count]));
    *out_stream = to->stream_count++;
    return GB_OK;
}

/* ---- handing on -------------------------------------------------------------------------------
 */

static uint8_t any(const uint8_t *bytes, int64_t count)
{
    uint8_t seen = 0;
    for (int64_t i = 0; i < count; i++)
        seen |= bytes[i];
    return seen;
}

static gb_status hand_on(gb_clean *clean,
                         const gb_clean_recording *recording,
                         const gb_clean_stream *stream,
                         const gb_samples *samples)
{
    if (samples->reason)
        for (int64_t i = 0; i < samples->count; i++)
            if (samples->reason[i] != GB_REASON_NONE && samples->reason[i] < GB_REASON_COUNT)
                clean->report->reasons[samples->reason[i]]++;
    return gb_sink_append(clean->next, recording->number, stream->number, samples);
}

/* Samples from..to of the desk; `in`: their values when the desk does not hold them. */
static gb_status hand_on_desk(gb_clean *clean,
                              const gb_clean_recording *recording,
                              const gb_clean_stream *stream,
                              int64_t from,
                              int64_t to,
                              const gb_samples *in)
{
    const gb_clean_desk *desk = &clean->desk;
    const gb_clean_rules *rules = &stream->rules;
    gb_samples out = {.count = to - from, .time_ns = desk->time_ns + from};
    if (out.count <= 0)
        return GB_OK;
    if (desk->changed || rules->spike_sigmas > 0) {
        size_t bytes = (size_t)rules->size * gb_value_type_bytes(rules->out);
        out.values =
            (const unsigned char *)gb_clean_desk_samples(desk, rules) + (size_t)from * bytes;
    } else {
        out.values = in->values;
        out.runs = in->runs;
        out.run_sizes = in->run_sizes;
    }
    out.quality = any(desk->quality + from, out.count) ? desk->quality + from : NULL;
    out.reason = any(desk->reason + from, out.count) ? desk->reason + from : NULL;
    out.row = stream->has_row ? desk->row + from : NULL;
    return hand_on(clean, recording, stream, &out);
}

/* ---- one slice --------------------------------------------------------------------------------
 */

static gb_samples
slice_of(const gb_clean_rules *rules, const gb_samples *samples, int64_t from, int64_t count)
{
    size_t bytes = (size_t)rules->size * gb_value_type_bytes(rules->in);
    gb_samples slice = {.count = count, .time_ns = samples->time_ns + from};
    if (samples->values)
        slice.values = (const unsigned char *)samples->values + (size_t)from * bytes;
    slice.runs = samples->runs ? samples->runs + from : NULL;
    slice.run_sizes = samples->run_sizes ? samples->run_sizes + from : NULL;
    slice.quality = samples->quality ? samples->quality + from : NULL;
    slice.reason = samples->reason ? samples->reason + from : NULL;
    slice.row = samples->row ? samples->row + from : NULL;
    return slice;
}

static gb_status
work(gb_clean *clean, gb_clean_recording *recording, int number, const gb_samples *samples)
{
    gb_clean_stream *stream = recording->streams[number];
    const gb_clean_rules *rules = &stream->rules;
    gb_clean_desk *desk = &clean->desk;
    gb_samples in = *samples;
    bool plain = gb_clean_times_are_plain(stream, samples);
    desk->changed = false;
    gb_clean_tail_load(stream, desk);
    gb_clean_desk_place(desk, samples);
    if (plain)
        gb_clean_remember(stream, samples);
    else
        GB_TRY(gb_clean_judge_times(clean, recording, number, samples));
    if (!plain && desk->kept < samples->count)
        GB_TRY(gb_clean_desk_compact(desk, rules, &in));
    if (desk->count == desk->tail)
        return GB_OK; /* all rejected */
    GB_TRY(gb_clean_move_times(clean, recording, stream));
    if (gb_clean_has_value_rules(rules))
        GB_TRY(gb_clean_judge_values(clean, stream, in.values));
    GB_TRY(gb_clean_take_stamps(clean, recording, stream));
    stream->kept += desk->count - desk->tail;
    int64_t from = stream->tail.judged, to = desk->count;
    if (rules->spike_sigmas > 0)
        gb_clean_judge_spikes(stream, desk, false, &to);
    GB_TRY(hand_on_desk(clean, recording, stream, from, to, &in));
    if (rules->spike_sigmas > 0)
        gb_clean_tail_save(stream, desk, to);
    return gb_clean_keep_raw(clean, recording, stream);
}

static gb_status append(gb_sink *sink, int recording, int stream_number, const gb_samples *samples)
{
    gb_clean *clean = (gb_clean *)sink;
    gb_clean_recording *to = NULL;
    GB_TRY(find_recording(clean, recording, &to));
    if (stream_number < 0 || stream_number >= to->stream_count)
        return gb_fail(GB_ERR_ARGUMENT, "%s: a recording has no stream %d", clean->origin,
                       stream_number);
    gb_clean_stream *stream = to->streams[stream_number];
    if (!stream->time.begun) {
        stream->has_row = samples->row != NULL;
        GB_TRY(gb_clean_join(to, stream_number, samples));
    }
    bool untouched = !gb_clean_has_value_rules(&stream->rules) && stream->moved_by < 0;
    if (untouched && gb_clean_times_are_plain(stream, samples)) {
        gb_clean_remember(stream, samples);
        stream->kept += samples->count;
        return hand_on(clean, to, stream, samples);
    }
    int64_t slice = gb_clean_slice(stream->rules.size);
    for (int64_t at = 0; at < samples->count; at += slice) {
        int64_t count = samples->count - at < slice ? samples->count - at : slice;
        gb_samples part = slice_of(&stream->rules, samples, at, count);
        GB_TRY(work(clean, to, stream_number, &part));
    }
    return GB_OK;
}

/* ---- the end ----------------------------------------------------------------------------------
 */

/* Hands on what waited for samples behind it. */
static gb_status
hand_on_tail(gb_clean *clean, const gb_clean_recording *recording, gb_clean_stream *stream)
{
    int64_t to = 0;
    gb_samples none = {0};
    if (stream->tail.count == stream->tail.judged)
        return GB_OK;
    gb_clean_tail_load(stream, &clean->desk);
    gb_clean_judge_spikes(stream, &clean->desk, true, &to);
    GB_TRY(hand_on_desk(clean, recording, stream, stream->tail.judged, to, &none));
    stream->tail.count = stream->tail.judged = 0;
    return GB_OK;
}

static gb_status end(gb_sink *sink, int recording)
{
    gb_clean *clean = (gb_clean *)sink;
    gb_clean_recording *ending = NULL;
    GB_TRY(find_recording(clean, recording, &ending));
    for (int s = 0; s < ending->stream_count; s++)
        GB_TRY(hand_on_tail(clean, ending, ending->streams[s]));
    GB_TRY(gb_sink_end(clean->next, ending->number));
    gb_clean_count_duplicates(ending, clean->report);
    gb_clean_report_clocks(clean, ending);
    forget(clean, ending);
    return GB_OK;
}

static void abandon(gb_sink *sink, int recording)
{
    gb_clean *clean = (gb_clean *)sink;
    if (recording < 0 || recording >= clean->recording_room || !clean->recordings[recording].open)
        return;
    gb_sink_abandon(clean->next, clean->recordings[recording].number);
    forget(clean, &clean->recordings[recording]);
}

static gb_status attach(gb_sink *sink,
                        int recording,
                        const char *name,
                        const char *media_type,
                        const void *data,
                        size_t size)
{
    gb_clean *clean = (gb_clean *)sink;
    gb_clean_recording *to = NULL;
    GB_TRY(find_recording(clean, recording, &to));
    return gb_sink_attach(clean->next, to->number, name, media_type, data, size);
}

static void destroy(gb_sink *sink)
{
    gb_clean *clean = (gb_clean *)sink;
    for (int r = 0; r < clean->recording_room; r++)
        abandon(sink, r);
    free(clean->recordings);
    gb_clean_desk_free(&clean->desk);
    free(clean);
}

static const gb_sink_ops ops = {begin, add_stream, append, attach, end, abandon, destroy};

gb_status gb_clean_create(const gb_stream_map *map,
                          const gb_ingest_watch *watch,
                          gb_ingest_report *report,
                          const char *origin,
                          gb_sink *next,
                          gb_sink **out)
{
    gb_clean *clean = calloc(1, sizeof *clean);
    if (!clean)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory to clean", origin);
    clean->sink.ops = &ops;
    clean->map = map;
    clean->watch = watch;
    clean->report = report;
    clean->origin = origin;
    clean->next = next;
    *out = &clean->sink;
    return GB_OK;
}

void gb_clean_use_clocks(gb_sink *clean, const gb_drift_tracks *tracks)
{
    ((gb_clean *)clean)->tracks = tracks;
}
