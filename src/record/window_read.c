/* Reads windows by their index. Resampling happens while reading; data already on the grid is
 * copied in one piece. Which windows there are is window.c. */
#include "record/window.h"

#include <math.h>
#include <string.h>

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Where one block (a past or a future) of one stream goes. */
typedef struct block {
    const gb_window_track *track;
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
static void read_rows(const block *b, const gb_window_span *from, int64_t first, int64_t count)
{
    if (!b->values && !b->masks)
        return;
    const gb_window_track *t = b->track;
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
                              const gb_window_span *from,
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
        const gb_window_track *t = &from->tracks[s];
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
                              const gb_window_span *from,
                              int64_t now,
                              const gb_window_out *outs)
{
    const float *columns[SIDE_BY_SIDE_MOST];
    int count = index->spec.stream_count;
    int64_t rows = index->streams[0].look_back, stride = outs[0].past_stride;
    bool clean = true;
    for (int s = 0; s < count; s++) {
        const gb_window_track *t = &from->tracks[s];
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

static gb_status locate(const gb_window_index *index,
                        int64_t window,
                        const gb_window_span **out_span,
                        int64_t *out_now)
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
    const gb_window_span *found = &index->spans[low];
    *out_span = found;
    *out_now = found->first_now + (window - found->first_window) * index->spec.stride;
    return GB_OK;
}

gb_status gb_window_read(const gb_window_index *index, int64_t window, const gb_window_out *outs)
{
    const gb_window_span *from = NULL;
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
    const gb_window_span *from = NULL;
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
    const gb_window_span *from = NULL;
    int64_t now = 0;
    GB_TRY(locate(index, window, &from, &now));
    out->recording = from->recording;
    out->now_row = now;
    out->now_ns = index->spec.period_ns ? from->grid_start_ns + now * index->spec.period_ns
                                        : from->tracks[0].stream->time_ns[now];
    return GB_OK;
}
