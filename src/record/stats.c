/* Statistics of a stream's values over chosen rows: two passes in double, so that the variance does
 * not lose digits however large the mean is. */
#include "genba/record.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct rows_view {
    const gb_stream_view *stream;
    int64_t first, last;
} rows_view;

static gb_status rows_of(const gb_dataset *dataset,
                         const char *name,
                         const gb_row_range *range,
                         int64_t size,
                         rows_view *out)
{
    const gb_recording *recording = gb_dataset_get(dataset, range->recording);
    if (!recording)
        return gb_fail(GB_ERR_ARGUMENT,
                       "the dataset has %lld recordings, a range asks for number %lld",
                       (long long)gb_dataset_count(dataset), (long long)range->recording);
    const char *owner = gb_recording_get_info(recording)->name;
    int number = gb_recording_find(recording, name);
    if (number < 0)
        return gb_fail(GB_ERR_NOT_FOUND, "recording %s has no stream %s", owner, name);
    const gb_stream_view *stream = gb_recording_stream(recording, number);
    if (stream->size != size)
        return gb_fail(GB_ERR_SHAPE,
                       "stream %s of recording %s has %lld values a sample, expected %lld", name,
                       owner, (long long)stream->size, (long long)size);
    int64_t last = range->last_row == GB_ROWS_ALL ? stream->count : range->last_row;
    if (range->first_row < 0 || range->first_row > last || last > stream->count)
        return gb_fail(GB_ERR_ARGUMENT, "recording %s: rows [%lld, %lld) asked for, it has %lld",
                       owner, (long long)range->first_row, (long long)last,
                       (long long)stream->count);
    *out = (rows_view){stream, range->first_row, last};
    return GB_OK;
}

static void add_rows(const rows_view *rows, gb_column_stats *stats)
{
    int64_t size = rows->stream->size;
    for (int64_t r = rows->first; r < rows->last; r++) {
        const float *values = rows->stream->values + r * size;
        bool bad = rows->stream->quality[r] == GB_QUALITY_BAD;
        for (int64_t c = 0; c < size; c++) {
            if (bad || isnan(values[c])) {
                stats[c].missing++;
                continue;
            }
            double x = values[c];
            stats[c].mean += x; /* the sum until the end of the pass */
            stats[c].min = stats[c].count == 0 || x < stats[c].min ? x : stats[c].min;
            stats[c].max = stats[c].count == 0 || x > stats[c].max ? x : stats[c].max;
            stats[c].count++;
        }
    }
}

static void add_squares(const rows_view *rows, gb_column_stats *stats)
{
    int64_t size = rows->stream->size;
    for (int64_t r = rows->first; r < rows->last; r++) {
        const float *values = rows->stream->values + r * size;
        if (rows->stream->quality[r] == GB_QUALITY_BAD)
            continue;
        for (int64_t c = 0; c < size; c++) {
            if (isnan(values[c]))
                continue;
            double deviation = values[c] - stats[c].mean;
            stats[c].sigma += deviation * deviation;
        }
    }
}

static gb_row_range whole(int64_t recording)
{
    return (gb_row_range){recording, 0, GB_ROWS_ALL, false};
}

gb_status gb_stats_compute(const gb_dataset *dataset,
                           const char *stream,
                           const gb_row_range *ranges,
                           int64_t range_count,
                           gb_column_stats *out,
                           int64_t size)
{
    int64_t count = ranges ? range_count : gb_dataset_count(dataset);
    if (size < 1 || count < 0)
        return gb_fail(GB_ERR_ARGUMENT, "statistics of %s: size %lld", stream, (long long)size);
    rows_view rows;
    for (int64_t i = 0; i < count; i++) {
        gb_row_range range = ranges ? ranges[i] : whole(i);
        GB_TRY(rows_of(dataset, stream, &range, size, &rows));
    }
    memset(out, 0, (size_t)size * sizeof *out);
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t i = 0; i < count; i++) {
            gb_row_range range = ranges ? ranges[i] : whole(i);
            GB_TRY(rows_of(dataset, stream, &range, size, &rows));
            if (pass == 0)
                add_rows(&rows, out);
            else
                add_squares(&rows, out);
        }
        for (int64_t c = 0; c < size; c++) {
            double n = (double)out[c].count; /* 0 / 0 is the NaN that is promised */
            if (pass == 0)
                out[c].mean /= n;
            else
                out[c].sigma = sqrt(out[c].sigma / n);
            if (out[c].count == 0)
                out[c].min = out[c].max = NAN;
        }
    }
    return GB_OK;
}
