/* Windows: numbers every place of a dataset where a past and a future can be read, and reads them.
 * Resampling happens while reading; data already on the grid is copied in one piece. */
#include "genba/record.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX                                                                                   \
    (1LL << 40) /* look-back, horizon, padding: keeps row arithmetic from overflowing */

/* One chosen stream of one range: how a grid row finds its sample. */
typedef struct track {
    const gb_stream_view *stream;
    bool direct;   /* sample = row + shift, no search */
    bool clean;    /* every sample may be used as it is, and no value is missing */
    bool usable;   /* every sample may be used as it is; missing values are NaN there already */
    int64_t shift; /* of direct tracks */
    int64_t max_age_ns;
} track;

typedef struct span {
    int64_t recording;
    int64_t low, high;     /* rows that may be read: [low, high) */
    int64_t first_now;     /* row of the first window */
    int64_t first_window;  /* number of the first window */
    int64_t grid_start_ns; /* time of row 0 on a grid */
    track *tracks;         /* [stream_count] */
} span;

struct gb_window_index {
    gb_arena *arena;
    const gb_dataset *dataset;
    gb_window_spec spec;
    gb_window_stream *streams; /* [stream_count], texts copied */
    int64_t *sizes;            /* [stream_count] */
    span *spans;
    int64_t span_count, window_count;
};

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
static gb_status find_streams(gb_window_index *index, const gb_recording *recording, span *to)
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
        to->tracks[s] = (track){.stream = stream,
                                .clean = stream->clean && index->spec.worst >= GB_QUALITY_UNCERTAIN,
                                .usable = is_usable(stream, index->spec.worst),
                                .max_age_ns = index->streams[s].max_age_ns};
    }
    return GB_OK;
}

static gb_status rows_as_recorded(const gb_window_index *index, span *to, int64_t *out_rows)
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

static gb_status rows_on_grid(const gb_window_index *index, span *to, int64_t *out_rows)
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
static void bound_nows(
    const gb_window_index *index, const span *to, int64_t first_row, int64_t *first, int64_t *last)
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
    span *to = &index->spans[index->span_count];
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

/* ---- reading -------------------------------------------------------------------------------- */

/* Where one block (a past or a future) of one stream goes. */
typedef struct block {
    const track *track;
    int64_t size, stride;
    int64_t column; /* the only value wanted of a sample, or -1: all of them */
    int64_t period_ns, grid_start_ns;
    gb_quality worst;
    float *values;  /* or NULL */
    uint8_t *masks; /* or NULL */
} block;

/* Number of times at or before t in [from, count), plus from: doubling steps, then halving. */
static int64_t after_last(const int64_t *time_ns, int64_t from, int64_t count, int64_t t)
{
    int64_t low = from, step = 1;
    while (low + step <= count && time_ns[low + step - 1] <= t) {
        low += step;
        step *= 2;
    }
    int64_t high = low + step <= count ? low + step - 1 : count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (time_ns[middle] <= t)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The sample a row shows, or -1. *cursor speeds up rows asked for in rising order. */
static int64_t sample_of(const block *b, int64_t row, int64_t *cursor)
{
    const gb_stream_view *stream = b->track->stream;
    if (b->period_ns == 0)
        return row;
    int64_t t = b->grid_start_ns + row * b->period_ns, sample;
    if (b->track->direct) {
        sample = smaller(row + b->track->shift, stream->count - 1);
    } else {
        *cursor = after_last(stream->time_ns, *cursor, stream->count, t);
        sample = *cursor - 1;
    }
    if (sample < 0)
        return -1;
    if (b->track->max_age_ns > 0 && t - stream->time_ns[sample] > b->track->max_age_ns)
        return -1;
    return sample;
}

static void write_row(const block *b, int64_t at, int64_t sample, uint8_t present)
{
    const gb_stream_view *stream = b->track->stream;
    bool usable = sample >= 0 && (stream->quality[sample] <= b->worst ||
                                  /* a vector with one value missing still has the others */
                                  stream->quality[sample] == GB_QUALITY_MISSING);
    const float *from = usable ? stream->values + sample * b->size : NULL;
    if (b->column >= 0) {
        b->values[at] = from ? from[b->column] : NAN;
        return;
    }
    for (int64_t c = 0; c < b->size; c++) {
        float value = from ? from[c] : NAN;
        if (b->values)
            b->values[at * b->stride + c] = value;
        if (b->masks)
            b->masks[at * b->stride + c] = isnan(value) ? GB_WINDOW_MISSING : present;
    }
}

static void mark_present(uint8_t *masks, const float *from, int64_t count, bool clean)
{
    if (clean) {
        memset(masks, GB_WINDOW_PRESENT, (size_t)count);
        return;
    }
    for (int64_t i = 0; i < count; i++)
        masks[i] = (uint8_t)(from[i] == from[i]); /* NaN differs from itself; PRESENT is 1 */
}

/* Columns of several streams side by side: one value a row, `stride` apart. */
static void copy_column(const block *b, int64_t at, const float *from, int64_t count, int64_t step)
{
    int64_t stride = b->stride; /* the stores below might change *b for all the compiler knows */
    float *values = b->values ? b->values + at * stride : NULL;
    uint8_t *masks = b->masks ? b->masks + at * stride : NULL;
    for (int64_t i = 0; values && i < count; i++)
        values[i * stride] = from[i * step];
    if (!masks)
        return;
    if (b->track->clean) {
        for (int64_t i = 0; i < count; i++)
            masks[i * stride] = GB_WINDOW_PRESENT;
        return;
    }
    for (int64_t i = 0; i < count; i++)
        masks[i * stride] = (uint8_t)(from[i * step] == from[i * step]);
}

/* Rows that lie side by side in memory and need no look at their quality. */
static void copy_rows(const block *b, int64_t at, int64_t sample, int64_t count)
{
    const float *from = b->track->stream->values + sample * b->size;
    if (b->column >= 0 || (b->size == 1 && b->stride != 1)) {
        copy_column(b, at, from + (b->column >= 0 ? b->column : 0), count, b->size);
        return;
    }
    bool dense = b->stride == b->size;
    int64_t rows = dense ? 1 : count, each = dense ? count * b->size : b->size;
    for (int64_t i = 0; i < rows; i++) {
        int64_t to = (at + i) * b->stride;
        if (b->values)
            memcpy(b->values + to, from + i * b->size, (size_t)each * sizeof *from);
        if (b->masks)
            mark_present(b->masks + to, from + i * b->size, each, b->track->clean);
    }
}

/* Rows [first, first + count), those outside [low, high) repeating the nearest inside. */
static void read_rows(const block *b, const span *from, int64_t first, int64_t count)
{
    if (!b->values && !b->masks)
        return;
    const track *t = b->track;
    int64_t begin = smaller(larger(from->low - first, 0), count);    /* padding before */
    int64_t end = larger(smaller(from->high - first, count), begin); /* padding from here */
    int64_t cursor = 0;
    for (int64_t i = 0; i < begin; i++)
        write_row(b, i, sample_of(b, from->low, &cursor), GB_WINDOW_PADDED);
    int64_t sample = first + begin + t->shift;
    if (t->direct && t->usable && sample >= 0 && sample + (end - begin) <= t->stream->count) {
        copy_rows(b, begin, sample, end - begin);
    } else {
        for (int64_t i = begin; i < end; i++)
            write_row(b, i, sample_of(b, first + i, &cursor), GB_WINDOW_PRESENT);
    }
    for (int64_t i = end; i < count; i++)
        write_row(b, i, sample_of(b, from->high - 1, &cursor), GB_WINDOW_PADDED);
}

enum {
    SIDE_BY_SIDE_MOST = 64 /* streams whose columns are written row by row */
};

/* Do streams of one value each lie side by side in the rows of one matrix, all there, past only?
 * Then the rows are written one after the other instead of the columns, which is several times
 * faster. */
static bool lies_side_by_side(const gb_window_index *index,
                              const span *from,
                              int64_t now,
                              const gb_window_out *outs)
{
    int count = index->spec.stream_count;
    const gb_window_stream *w = index->streams;
    int64_t first = now - w[0].look_back + 1;
    if (count < 2 || count > SIDE_BY_SIDE_MOST || !outs[0].past || first < from->low ||
        now >= from->high || outs[0].past_stride < count)
        return false;
    for (int s = 0; s < count; s++) {
        const track *t = &from->tracks[s];
        int64_t sample = first + t->shift;
        bool beside =
            outs[s].past == outs[0].past + s && outs[s].past_stride == outs[0].past_stride &&
            (outs[0].past_mask ? outs[s].past_mask == outs[0].past_mask + s : !outs[s].past_mask);
        if (!beside || index->sizes[s] != 1 || w[s].look_back != w[0].look_back || !t->direct ||
            !t->usable || sample < 0 || sample + w[0].look_back > t->stream->count)
            return false;
    }
    return true;
}

static void read_side_by_side(const gb_window_index *index,
                              const span *from,
                              int64_t now,
                              const gb_window_out *outs)
{
    const float *columns[SIDE_BY_SIDE_MOST];
    int count = index->spec.stream_count;
    int64_t rows = index->streams[0].look_back, stride = outs[0].past_stride;
    bool clean = true;
    for (int s = 0; s < count; s++) {
        const track *t = &from->tracks[s];
        columns[s] = t->stream->values + (now - rows + 1 + t->shift);
        clean = clean && t->clean;
    }
    float *restrict values = outs[0].past;
    uint8_t *restrict masks = outs[0].past_mask;
    for (int64_t i = 0; i < rows; i++)
        for (int s = 0; s < count; s++)
            values[i * stride + s] = columns[s][i];
    for (int64_t i = 0; masks && i < rows; i++) {
        const float *row = values + i * stride;
        if (clean)
            memset(masks + i * stride, GB_WINDOW_PRESENT, (size_t)count);
        else
            for (int s = 0; s < count; s++)
                masks[i * stride + s] = (uint8_t)(row[s] == row[s]);
    }
}

static gb_status
locate(const gb_window_index *index, int64_t window, const span **out_span, int64_t *out_now)
{
    if (window < 0 || window >= index->window_count)
        return gb_fail(GB_ERR_ARGUMENT, "window %lld asked for, there are %lld", (long long)window,
                       (long long)index->window_count);
    int64_t low = 0, high = index->span_count;
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (index->spans[middle].first_window <= window)
            low = middle;
        else
            high = middle;
    }
    const span *found = &index->spans[low];
    *out_span = found;
    *out_now = found->first_now + (window - found->first_window) * index->spec.stride;
    return GB_OK;
}

gb_status gb_window_read(const gb_window_index *index, int64_t window, const gb_window_out *outs)
{
    const span *from = NULL;
    int64_t now = 0;
    GB_TRY(locate(index, window, &from, &now));
    bool past_done = lies_side_by_side(index, from, now, outs);
    if (past_done)
        read_side_by_side(index, from, now, outs);
    for (int s = 0; s < index->spec.stream_count; s++) {
        const gb_window_stream *w = &index->streams[s];
        int64_t size = index->sizes[s];
        block b = {.track = &from->tracks[s],
                   .size = size,
                   .column = -1,
                   .stride = outs[s].past_stride ? outs[s].past_stride : size,
                   .period_ns = index->spec.period_ns,
                   .grid_start_ns = from->grid_start_ns,
                   .worst = index->spec.worst,
                   .values = outs[s].past,
                   .masks = outs[s].past_mask};
        if (!past_done)
            read_rows(&b, from, now - w->look_back + 1, w->look_back);
        b.stride = outs[s].future_stride ? outs[s].future_stride : size;
        b.values = outs[s].future;
        b.masks = outs[s].future_mask;
        read_rows(&b, from, now + w->future_first, w->horizon);
    }
    return GB_OK;
}

gb_status gb_window_read_column(const gb_window_index *index,
                                int64_t window,
                                int stream,
                                int64_t column,
                                float *past,
                                float *future)
{
    const span *from = NULL;
    int64_t now = 0;
    if (stream < 0 || stream >= index->spec.stream_count || column < 0 ||
        column >= index->sizes[stream])
        return gb_fail(GB_ERR_ARGUMENT, "value %lld of window stream %d asked for: there is none",
                       (long long)column, stream);
    GB_TRY(locate(index, window, &from, &now));
    const gb_window_stream *w = &index->streams[stream];
    block b = {.track = &from->tracks[stream],
               .size = index->sizes[stream],
               .stride = 1,
               .column = column,
               .period_ns = index->spec.period_ns,
               .grid_start_ns = from->grid_start_ns,
               .worst = index->spec.worst,
               .values = past};
    read_rows(&b, from, now - w->look_back + 1, w->look_back);
    b.values = future;
    read_rows(&b, from, now + w->future_first, w->horizon);
    return GB_OK;
}

gb_status gb_window_place_of(const gb_window_index *index, int64_t window, gb_window_place *out)
{
    const span *from = NULL;
    int64_t now = 0;
    GB_TRY(locate(index, window, &from, &now));
    out->recording = from->recording;
    out->now_row = now;
    out->now_ns = index->spec.period_ns ? from->grid_start_ns + now * index->spec.period_ns
                                        : from->tracks[0].stream->time_ns[now];
    return GB_OK;
}
