/* Windows: numbers every place of a dataset where a past and a future can be read. Reading them is
 * window_read.c. */
#include "record/window.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX                                                                                   \
    (1LL << 40) /* look-back, horizon, padding: keeps row arithmetic from overflowing */

gb_window_spec gb_window_spec_defaults(void)
{
    gb_window_spec spec;
    memset(&spec, 0, sizeof spec);
    spec.stride = 1;
    spec.worst = GB_QUALITY_UNCERTAIN;
    return spec;
}

static gb_status check_spec(const gb_window_spec *spec)
{
    if (spec->stream_count < 1 || spec->stream_count > GB_STREAMS_MAX || !spec->streams)
        return gb_fail(GB_ERR_ARGUMENT, "a window needs 1 to %d streams", GB_STREAMS_MAX);
    if (spec->period_ns < 0 || spec->stride < 1 || spec->pad_start < 0 || spec->pad_end < 0)
        return gb_fail(GB_ERR_ARGUMENT,
                       "window: period_ns %lld, stride %lld, padding %lld and %lld; expected a "
                       "stride of 1 or more and none below 0",
                       (long long)spec->period_ns, (long long)spec->stride,
                       (long long)spec->pad_start, (long long)spec->pad_end);
    for (int s = 0; s < spec->stream_count; s++) {
        const gb_window_stream *w = &spec->streams[s];
        if (!w->name || w->look_back < 0 || w->horizon < 0 || w->look_back > ROWS_MAX ||
            w->horizon > ROWS_MAX || w->future_first > ROWS_MAX || w->future_first < -ROWS_MAX ||
            w->max_age_ns < 0)
            return gb_fail(GB_ERR_ARGUMENT,
                           "window stream %s: look_back %lld, horizon %lld, future_first %lld, "
                           "max_age_ns %lld are out of range",
                           w->name ? w->name : "(no name)", (long long)w->look_back,
                           (long long)w->horizon, (long long)w->future_first,
                           (long long)w->max_age_ns);
    }
    return GB_OK;
}

static gb_status copy_spec(gb_window_index *index, const gb_window_spec *spec)
{
    size_t count = (size_t)spec->stream_count;
    index->spec = *spec;
    index->spec.pad_start = spec->pad_start < ROWS_MAX ? spec->pad_start : ROWS_MAX;
    index->spec.pad_end = spec->pad_end < ROWS_MAX ? spec->pad_end : ROWS_MAX;
    index->streams = gb_arena_alloc(index->arena, count * sizeof *index->streams);
    index->sizes = gb_arena_alloc(index->arena, count * sizeof *index->sizes);
    if (!index->streams || !index->sizes)
        return GB_ERR_MEMORY;
    for (size_t s = 0; s < count; s++) {
        index->streams[s] = spec->streams[s];
        index->streams[s].name = gb_arena_text(index->arena, spec->streams[s].name);
        if (!index->streams[s].name)
            return GB_ERR_MEMORY;
    }
    index->spec.streams = index->streams;
    return GB_OK;
}

/* No sample is worse than the window accepts, but for those that are missing in part or whole. */
static bool is_usable(const gb_stream_view *stream, gb_quality worst)
{
    bool usable = true;
    for (int64_t i = 0; i < stream->count; i++)
        usable &= (stream->quality[i] <= worst) | (stream->quality[i] == GB_QUALITY_MISSING);
    return usable;
}

/* Finds the chosen streams in a recording; sizes must be the same in all recordings. */
static gb_status
find_streams(gb_window_index *index, const gb_recording *recording, gb_window_span *to)
{
    const char *owner = gb_recording_get_info(recording)->name;
    for (int s = 0; s < index->spec.stream_count; s++) {
        const char *name = index->streams[s].name;
        int number = gb_recording_find(recording, name);
        if (number < 0)
            return gb_fail(GB_ERR_NOT_FOUND, "recording %s has no stream %s", owner, name);
        const gb_stream_view *stream = gb_recording_stream(recording, number);
        if (!stream->values)
            return gb_fail(GB_ERR_SHAPE,
                           "stream %s of recording %s holds %s (%s), not numbers: no window of "
                           "numbers can be read from it",
                           name, owner, gb_stream_kind_name(stream->spec->kind),
                           stream->spec->encoding);
        if (index->sizes[s] != 0 && index->sizes[s] != stream->size)
            return gb_fail(GB_ERR_SHAPE,
                           "stream %s has %lld values a sample in recording %s and %lld before",
                           name, (long long)stream->size, owner, (long long)index->sizes[s]);
        index->sizes[s] = stream->size;
        to->tracks[s] =
            (gb_window_track){.stream = stream,
                              .clean = stream->clean && index->spec.worst >= GB_QUALITY_UNCERTAIN,
                              .usable = is_usable(stream, index->spec.worst),
                              .max_age_ns = index->streams[s].max_age_ns};
    }
    return GB_OK;
}

static gb_status
rows_as_recorded(const gb_window_index *index, gb_window_span *to, int64_t *out_rows)
{
    int64_t rows = to->tracks[0].stream->count;
    for (int s = 0; s < index->spec.stream_count; s++) {
        if (to->tracks[s].stream->count != rows)
            return gb_fail(
                GB_ERR_SHAPE,
                "recording %s: stream %s has %lld samples and %s has %lld; give the "
                "window a period_ns to read them on one time grid",
                gb_recording_get_info(gb_dataset_get(index->dataset, to->recording))->name,
                index->streams[s].name, (long long)to->tracks[s].stream->count,
                index->streams[0].name, (long long)rows);
        to->tracks[s].direct = true;
    }
    *out_rows = rows;
    return GB_OK;
}

static int64_t floor_divide(int64_t a, int64_t b)
{
    int64_t quotient = a / b;
    return a % b < 0 ? quotient - 1 : quotient;
}

static gb_status rows_on_grid(const gb_window_index *index, gb_window_span *to, int64_t *out_rows)
{
    const char *owner = gb_recording_get_info(gb_dataset_get(index->dataset, to->recording))->name;
    int64_t start = INT64_MAX, end = INT64_MIN, period = index->spec.period_ns;
    for (int s = 0; s < index->spec.stream_count; s++) {
        const gb_stream_view *stream = to->tracks[s].stream;
        if (!stream->ordered)
            return gb_fail(GB_ERR_ARGUMENT,
                           "recording %s: the time of stream %s steps back, so it has no place on "
                           "a time grid; use period_ns 0 (rows as recorded) or clean it first",
                           owner, index->streams[s].name);
        if (stream->count == 0)
            continue;
        start = stream->time_ns[0] < start ? stream->time_ns[0] : start;
        end = stream->time_ns[stream->count - 1] > end ? stream->time_ns[stream->count - 1] : end;
    }
    *out_rows = 0;
    if (end < start)
        return GB_OK; /* no samples at all */
    uint64_t length = (uint64_t)end - (uint64_t)start;
    if (length > INT64_MAX || (int64_t)length / period >= ROWS_MAX)
        return gb_fail(GB_ERR_ARGUMENT,
                       "recording %s: from %lld to %lld ns is too long for steps of %lld ns", owner,
                       (long long)start, (long long)end, (long long)period);
    to->grid_start_ns = start;
    for (int s = 0; s < index->spec.stream_count; s++) {
        const gb_stream_view *stream = to->tracks[s].stream;
        int64_t max_age_ns = to->tracks[s].max_age_ns;
        to->tracks[s].direct = stream->count > 0 && stream->period_ns == period &&
                               (max_age_ns == 0 || max_age_ns >= period);
        if (to->tracks[s].direct)
            to->tracks[s].shift = floor_divide(start - stream->time_ns[0], period);
    }
    *out_rows = (int64_t)length / period + 1;
    return GB_OK;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The nows of a range: [*first, *last], empty when last < first. */
static void bound_nows(const gb_window_index *index,
                       const gb_window_span *to,
                       int64_t first_row,
                       int64_t *first,
                       int64_t *last)
{
    bool any_future = false;
    *first = to->low;
    *last = to->high - 1;
    for (int s = 0; s < index->spec.stream_count; s++) {
        const gb_window_stream *w = &index->streams[s];
        if (w->look_back > 0)
            *first = larger(*first, to->low - index->spec.pad_start + w->look_back - 1);
        if (w->horizon > 0) {
            any_future = true;
            *first = larger(*first, first_row - w->future_first);
            *last = smaller(*last, to->high - w->future_first - w->horizon + index->spec.pad_end);
        }
    }
    if (!any_future)
        *first = larger(*first, first_row);
}

static gb_status add_span(gb_window_index *index, const gb_row_range *range)
{
    const gb_recording *recording = gb_dataset_get(index->dataset, range->recording);
    if (!recording)
        return gb_fail(GB_ERR_ARGUMENT,
                       "the dataset has %lld recordings, a range asks for number %lld",
                       (long long)gb_dataset_count(index->dataset), (long long)range->recording);
    gb_window_span *to = &index->spans[index->span_count];
    to->recording = range->recording;
    to->tracks =
        gb_arena_alloc(index->arena, (size_t)index->spec.stream_count * sizeof *to->tracks);
    if (!to->tracks)
        return GB_ERR_MEMORY;
    GB_TRY(find_streams(index, recording, to));
    int64_t rows = 0;
    if (index->spec.period_ns == 0)
        GB_TRY(rows_as_recorded(index, to, &rows));
    else
        GB_TRY(rows_on_grid(index, to, &rows));
    int64_t last_row = range->last_row == GB_ROWS_ALL ? rows : range->last_row;
    int64_t first_row =
        range->last_row == GB_ROWS_ALL ? smaller(range->first_row, rows) : range->first_row;
    if (first_row < 0 || first_row > last_row || last_row > rows)
        return gb_fail(GB_ERR_ARGUMENT, "recording %s: rows [%lld, %lld) asked for, it has %lld",
                       gb_recording_get_info(recording)->name, (long long)first_row,
                       (long long)last_row, (long long)rows);
    to->low = range->reach_back ? 0 : first_row;
    to->high = last_row;
    int64_t last_now;
    bound_nows(index, to, first_row, &to->first_now, &last_now);
    if (first_row == last_row || last_now < to->first_now)
        return GB_OK; /* too short: the next range takes this place */
    to->first_window = index->window_count;
    index->window_count += (last_now - to->first_now) / index->spec.stride + 1;
    index->span_count++;
    return GB_OK;
}

gb_status gb_window_index_create(const gb_dataset *dataset,
                                 const gb_window_spec *spec,
                                 const gb_row_range *ranges,
                                 int64_t range_count,
                                 gb_window_index **out)
{
    GB_TRY(check_spec(spec));
    int64_t count = ranges ? range_count : gb_dataset_count(dataset);
    if (count < 0)
        return gb_fail(GB_ERR_ARGUMENT, "range_count is %lld", (long long)count);
    gb_arena *arena = NULL;
    GB_TRY(gb_arena_create(0, &arena));
    gb_status status = GB_ERR_MEMORY;
    gb_window_index *index = gb_arena_alloc(arena, sizeof *index);
    if (!index)
        goto fail;
    index->arena = arena;
    index->dataset = dataset;
    GB_TRY_OR(fail, copy_spec(index, spec));
    index->spans = gb_arena_alloc(arena, (size_t)count * sizeof *index->spans);
    if (!index->spans) {
        status = GB_ERR_MEMORY;
        goto fail;
    }
    for (int64_t i = 0; i < count; i++) {
        gb_row_range range = ranges ? ranges[i] : (gb_row_range){i, 0, GB_ROWS_ALL, false};
        GB_TRY_OR(fail, add_span(index, &range));
    }
    *out = index;
    return GB_OK;
fail:
    gb_arena_destroy(arena);
    return status;
}

void gb_window_index_destroy(gb_window_index *index)
{
    if (index)
        gb_arena_destroy(index->arena); /* holds the index itself */
}

int64_t gb_window_count(const gb_window_index *index)
{
    return index->window_count;
}

const gb_window_spec *gb_window_index_spec(const gb_window_index *index)
{
    return &index->spec;
}

const gb_dataset *gb_window_index_dataset(const gb_window_index *index)
{
    return index->dataset;
}

int64_t gb_window_stream_size(const gb_window_index *index, int stream)
{
    if (stream < 0 || stream >= index->spec.stream_count)
        return 0;
    return index->sizes[stream];
}
