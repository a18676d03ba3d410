/* Sentinels, ranges and the order of times, judged where a table is handed on. The place of all
 * this is the cleaning filter behind every reader; this file goes when that is there. */
#include "ingest/csv_out.h"

#include <math.h>
#include <string.h>

static double value_at(gb_value_type type, const void *values, int64_t at)
{
    if (type == GB_VALUE_F64)
        return ((const double *)values)[at];
    if (type == GB_VALUE_F32)
        return (double)((const float *)values)[at];
    return NAN;
}

static void judge_value(
    gb_csv_out *out, const gb_csv_stream *stream, gb_csv_column *column, int64_t row, int64_t at)
{
    gb_value_type type = stream->spec.value_type;
    double value = value_at(type, column->values, at);
    for (int i = 0; i < stream->sentinel_count; i++) {
        if (value != stream->sentinels[i])
            continue;
        if (type == GB_VALUE_F64)
            ((double *)column->values)[at] = NAN;
        else
            ((float *)column->values)[at] = NAN;
        out->report->cells_missing++;
        gb_csv_flag(column, row, GB_REASON_SENTINEL);
        return;
    }
    if (value < stream->range_min || value > stream->range_max) {
        out->report->cells_out_of_range++;
        gb_csv_flag(column, row, GB_REASON_OUT_OF_RANGE);
    }
}

static void judge_time(gb_csv_out *out, gb_csv_part *part, int64_t row, int64_t last_ns)
{
    int64_t time_ns = part->time_ns[row];
    uint64_t magnitude = (uint64_t)time_ns - (uint64_t)last_ns;
    if (time_ns >= last_ns)
        gb_steps_add(out->steps, magnitude > INT64_MAX ? INT64_MAX : (int64_t)magnitude);
    if (time_ns > last_ns)
        return;
    out->report->time_repeated += time_ns == last_ns;
    out->report->time_backwards += time_ns < last_ns;
    for (int s = 0; s < out->plan->stream_count; s++)
        gb_csv_flag(&part->columns[s], row,
                    time_ns == last_ns ? GB_REASON_REPEATED_TIME : GB_REASON_BACKWARD_TIME);
}

void gb_csv_judge(
    gb_csv_out *out, gb_csv_recording *recording, gb_csv_part *part, int64_t first, int64_t count)
{
    for (int64_t i = first; i < first + count; i++)
        if (i > first || recording->rows > 0)
            judge_time(out, part, i, i > first ? part->time_ns[i - 1] : recording->last_ns);
    for (int s = 0; s < out->plan->stream_count; s++) {
        const gb_csv_stream *stream = &out->plan->streams[s];
        if (stream->cells != GB_CSV_NUMBERS ||
            (stream->sentinel_count == 0 && isinf(stream->range_min) && isinf(stream->range_max)))
            continue;
        int64_t size = gb_stream_spec_size(&stream->spec);
        for (int64_t i = first; i < first + count; i++)
            for (int64_t v = 0; v < size; v++)
                judge_value(out, stream, &part->columns[s], i, i * size + v);
    }
}
