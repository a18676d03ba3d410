/* Moves times by the laws that a first pass found. A stream's times are either the device's own
 * (drift by signal), or those of the rows, and the device's stand in a stream of stamps beside
 * (drift by column); then a sample's corrected time is that of its row's stamp. */
#include "ingest/clean_stream.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNKNOWN INT64_MIN   /* a row without a stamp to believe */
#define TIMES_MAX (1 << 22) /* rows that stamps may be ahead of a stream of their clock */

gb_status
gb_clean_begin_clocks(const gb_clean *clean, gb_clean_recording *recording, const char *name)
{
    uint32_t count = clean->map->data->drift_count;
    if (!clean->tracks || count == 0)
        return GB_OK;
    recording->clocks = gb_arena_alloc(recording->arena, count * sizeof *recording->clocks);
    if (!recording->clocks)
        return GB_ERR_MEMORY;
    for (uint32_t d = 0; d < count; d++) {
        const gb_drift_track *track = gb_drift_find(clean->tracks, name, d);
        for (int law = 0; track && law < track->law_count; law++)
            if (track->laws[law].windows > 0)
                recording->clocks[d].track = track;
    }
    return GB_OK;
}

void gb_clean_end_clocks(const gb_clean *clean, gb_clean_recording *recording)
{
    for (uint32_t d = 0; recording->clocks && d < clean->map->data->drift_count; d++)
        free(recording->clocks[d].times);
}

/* ---- who is moved -----------------------------------------------------------------------------
 */

static gb_status add_text(gb_arena *arena, gb_pair *pair, const char *key, char *text)
{
    *pair = (gb_pair){key, text};
    return text && arena ? GB_OK : GB_ERR_MEMORY;
}

/* The first law says it all when the clock never restarted; the stamps say the rest. */
static gb_status
write_law(const gb_drift_track *track, const char *device, gb_arena *arena, gb_stream_spec *spec)
{
    const gb_drift_law *law = track->laws;
    int count = spec->pair_count;
    gb_pair *pairs = gb_arena_alloc(arena, (size_t)(count + 6) * sizeof *pairs);
    if (!pairs)
        return GB_ERR_MEMORY;
    if (count > 0)
        memcpy(pairs, spec->pairs, (size_t)count * sizeof *pairs);
    gb_pair *at = pairs + count;
    GB_TRY(add_text(arena, at++, "clock_device", gb_arena_text(arena, device)));
    GB_TRY(add_text(arena, at++, "clock_offset_s",
                    gb_arena_format(arena, "%.17g", (double)law->shift_ns * 1e-9)));
    GB_TRY(add_text(arena, at++, "clock_rate", gb_arena_format(arena, "%.17g", law->rate)));
    GB_TRY(
        add_text(arena, at++, "clock_from_ns", gb_arena_format(arena, "%" PRId64, law->from_ns)));
    GB_TRY(
        add_text(arena, at++, "clock_residual_s", gb_arena_format(arena, "%.3g", law->residual_s)));
    GB_TRY(add_text(arena, at++, "clock_restarts",
                    gb_arena_format(arena, "%d", track->law_count - 1)));
    spec->pairs = pairs;
    spec->pair_count = count + 6;
    return GB_OK;
}

static bool has_stamps(const gb_clean_recording *recording, int drift)
{
    for (int s = 0; s < recording->stream_count; s++)
        if (recording->streams[s]->stamps_of == drift)
            return true;
    return false;
}

gb_status gb_clean_assign_clock(const gb_clean *clean,
                                gb_clean_recording *recording,
                                gb_clean_stream *stream,
                                gb_stream_spec *spec)
{
    const gb_map_data *data = clean->map->data;
    stream->stamps_of = stream->moved_by = -1;
    for (int d = 0; recording->clocks && d < (int)data->drift_count; d++) {
        const gb_map_drift *drift = &data->drift[d];
        gb_clean_clock *clock = &recording->clocks[d];
        if (!clock->track)
            continue;
        if (gb_drift_is_stamps(clean->map, drift, spec->name)) {
            GB_TRY(gb_drift_stamp_unit(clean->map, spec, &clock->unit_ns));
            stream->stamps_of = d; /* its own times stay: they are the rows' */
            stream->moved_by = -1;
            stream->rules.stamps = true;
            return GB_OK;
        }
        if (!spec->clock || strcmp(spec->clock, drift->device) != 0)
            continue;
        if (drift->column && !has_stamps(recording, d))
            return gb_fail(GB_ERR_SCHEMA,
                           "%s: stream %s runs by clock %s, whose stamps (%s) come in a later "
                           "stream; put the stream of the stamps first in the map",
                           clean->map->origin, spec->name, drift->device, drift->column);
        stream->moved_by = d;
    }
    if (stream->moved_by < 0)
        return GB_OK;
    return write_law(recording->clocks[stream->moved_by].track,
                     data->drift[stream->moved_by].device, recording->arena, spec);
}

/* ---- stamps of rows ---------------------------------------------------------------------------
 */

/* Forgets rows that every stream of the clock has had. */
static void drop_used(gb_clean_recording *recording, int drift)
{
    gb_clean_clock *clock = &recording->clocks[drift];
    int64_t used = clock->stamps;
    for (int s = 0; s < recording->stream_count; s++)
        if (recording->streams[s]->moved_by == drift && recording->streams[s]->kept < used)
            used = recording->streams[s]->kept;
    int64_t drop = used - clock->time_first;
    if (drop <= 0 || drop < clock->time_count / 2)
        return;
    clock->time_count -= drop;
    clock->time_first = used;
    memmove(clock->times, clock->times + drop, (size_t)clock->time_count * sizeof *clock->times);
}

static gb_status make_room(const gb_clean *clean, gb_clean_clock *clock, int64_t more)
{
    int64_t needed = clock->time_count + more;
    if (needed <= clock->time_room)
        return GB_OK;
    if (needed > TIMES_MAX)
        return gb_fail(GB_ERR_SHAPE,
                       "%s: clock drift: stamps are %d rows ahead of the streams of their clock; "
                       "expected one stamp for each of their samples",
                       clean->origin, TIMES_MAX);
    int64_t room = needed > 2 * clock->time_room ? needed : 2 * clock->time_room;
    int64_t *grown = realloc(clock->times, (size_t)room * sizeof *grown);
    if (!grown)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for %" PRId64 " stamps", clean->origin, room);
    clock->times = grown;
    clock->time_room = room;
    return GB_OK;
}

/* A stamp that says something else than its row and its clock's law is noise. */
static int64_t correct(gb_clean_clock *clock, double stamp, int64_t row_ns)
{
    const gb_drift_track *track = clock->track;
    double stamp_ns = stamp * clock->unit_ns;
    while (clock->law + 1 < track->law_count &&
           track->laws[clock->law + 1].first_sample <= clock->stamps)
        clock->law++;
    clock->stamps++;
    if (!(fabs(stamp_ns) < 9e18))
        return UNKNOWN;
    int64_t corrected = gb_drift_apply(&track->laws[clock->law], llround(stamp_ns));
    double apart = (double)corrected - (double)row_ns;
    return fabs(apart) <= (double)GB_DRIFT_JUMP_NS ? corrected : UNKNOWN;
}

gb_status
gb_clean_take_stamps(gb_clean *clean, gb_clean_recording *recording, const gb_clean_stream *stream)
{
    const gb_clean_desk *desk = &clean->desk;
    if (stream->stamps_of < 0)
        return GB_OK;
    gb_clean_clock *clock = &recording->clocks[stream->stamps_of];
    drop_used(recording, stream->stamps_of);
    GB_TRY(make_room(clean, clock, desk->count - desk->tail));
    for (int64_t i = desk->tail; i < desk->count; i++)
        clock->times[clock->time_count++] = correct(clock, desk->values[i], desk->time_ns[i]);
    return GB_OK;
}

/* ---- moving -----------------------------------------------------------------------------------
 */

static gb_status
move_by_stamps(gb_clean *clean, const gb_clean_clock *clock, const gb_clean_stream *stream)
{
    gb_clean_desk *desk = &clean->desk;
    int64_t first = stream->kept - clock->time_first, count = desk->count - desk->tail;
    if (first < 0 || first + count > clock->time_count)
        return gb_fail(GB_ERR_SHAPE,
                       "%s: stream %s, sample %" PRId64 ": its clock has no stamp for that row; "
                       "expected stamps and streams of one clock in the same rows",
                       clean->origin, stream->name, stream->kept + count);
    for (int64_t i = 0; i < count; i++) {
        if (clock->times[first + i] == UNKNOWN)
            continue;
        desk->time_ns[desk->tail + i] = clock->times[first + i];
        gb_clean_mark(desk, desk->tail + i, GB_REASON_CORRECTED_CLOCK);
    }
    return GB_OK;
}

gb_status
gb_clean_move_times(gb_clean *clean, gb_clean_recording *recording, const gb_clean_stream *stream)
{
    gb_clean_desk *desk = &clean->desk;
    if (stream->moved_by < 0)
        return GB_OK;
    const gb_clean_clock *clock = &recording->clocks[stream->moved_by];
    if (clean->map->data->drift[stream->moved_by].column)
        return move_by_stamps(clean, clock, stream);
    for (int64_t i = desk->tail; i < desk->count; i++) {
        desk->time_ns[i] = gb_drift_apply(clock->track->laws, desk->time_ns[i]);
        gb_clean_mark(desk, i, GB_REASON_CORRECTED_CLOCK);
    }
    return GB_OK;
}

void gb_clean_report_clocks(const gb_clean *clean, const gb_clean_recording *recording)
{
    gb_ingest_report *report = clean->report;
    for (uint32_t d = 0; recording->clocks && d < clean->map->data->drift_count; d++) {
        const gb_drift_track *track = recording->clocks[d].track;
        gb_ingest_clock entry = {.resets = track ? track->law_count - 1 : 0};
        snprintf(entry.device, sizeof entry.device, "%s", clean->map->data->drift[d].device);
        for (int law = 0; track && law < track->law_count; law++)
            entry.windows += track->laws[law].windows;
        if (track) {
            entry.offset_s = (double)track->laws->shift_ns * 1e-9;
            entry.rate = track->laws->rate;
            entry.residual_s = track->laws->residual_s;
        }
        if (report->clock_count < GB_INGEST_CLOCKS)
            report->clocks[report->clock_count] = entry;
        report->clock_count++;
    }
}
