/* Judges and converts numbers: sentinels, units, ranges, stuck runs. Spikes need neighbours and are
 * in clean_spikes.c. */
#include "ingest/clean_stream.h"

#include "ingest/numbers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool gb_clean_changes_values(const gb_clean_rules *rules)
{
    return rules->convert || rules->sentinel_count > 0;
}

bool gb_clean_has_value_rules(const gb_clean_rules *rules)
{
    return gb_clean_changes_values(rules) || rules->has_range || rules->stuck_samples > 0 ||
           rules->spike_sigmas > 0 || rules->stamps;
}

/* ---- sentinels --------------------------------------------------------------------------------
 */

/* Counting is done in LANES sums side by side, which compilers turn into vectors; doubles count
 * exactly far beyond a slice. */
#define LANES 8

static int64_t add_lanes(const double lanes[LANES])
{
    double sum = 0;
    for (int l = 0; l < LANES; l++)
        sum += lanes[l];
    return (int64_t)sum;
}

static int64_t count_equal(const double *values, size_t count, double wanted)
{
    double lanes[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (int l = 0; l < LANES; l++)
            lanes[l] += values[i + l] == wanted ? 1.0 : 0.0;
    for (; i < count; i++)
        lanes[0] += values[i] == wanted;
    return add_lanes(lanes);
}

static int64_t count_outside(const double *values, size_t count, double min, double max)
{
    double lanes[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (int l = 0; l < LANES; l++)
            lanes[l] += (values[i + l] < min ? 1.0 : 0.0) + (values[i + l] > max ? 1.0 : 0.0);
    for (; i < count; i++)
        lanes[0] += values[i] < min || values[i] > max;
    return add_lanes(lanes);
}

/* Values that equal the one before them in their column. */
static int64_t count_repeated(const double *values, size_t count, size_t size)
{
    double lanes[LANES] = {0};
    size_t i = size;
    for (; i + LANES <= count; i += LANES)
        for (int l = 0; l < LANES; l++)
            lanes[l] += values[i + l] == values[i + l - size] ? 1.0 : 0.0;
    for (; i < count; i++)
        lanes[0] += values[i] == values[i - size];
    return add_lanes(lanes);
}

static gb_status make_room_for_raw(gb_clean_desk *desk, int64_t count)
{
    if (count <= desk->raw_room)
        return GB_OK;
    double *raw = realloc(desk->raw, (size_t)count * 3 * sizeof *raw);
    if (raw)
        desk->raw = raw;
    int64_t *time_ns = realloc(desk->raw_time_ns, (size_t)count * sizeof *time_ns);
    if (time_ns)
        desk->raw_time_ns = time_ns;
    if (!raw || !time_ns)
        return gb_fail(GB_ERR_MEMORY, "cleaning: no memory to keep %lld raw values",
                       (long long)count);
    desk->raw_room = count;
    return GB_OK;
}

static bool is_sentinel(const gb_clean_rules *rules, double value)
{
    for (uint32_t s = 0; s < rules->sentinel_count; s++)
        if (value == rules->sentinels[s])
            return true;
    return false;
}

static int64_t count_sentinels(const gb_clean_rules *rules, const double *values, size_t count)
{
    int64_t found = 0;
    for (uint32_t s = 0; s < rules->sentinel_count; s++)
        found += count_equal(values, count, rules->sentinels[s]);
    return found;
}

/* The `found` sentinels become NaN; what stood there is kept beside the stream. */
static gb_status
take_sentinels(gb_clean *clean, gb_clean_stream *stream, double *values, int64_t found)
{
    gb_clean_desk *desk = &clean->desk;
    const gb_clean_rules *rules = &stream->rules;
    int64_t size = rules->size, samples = desk->count - desk->tail;
    GB_TRY(make_room_for_raw(desk, desk->raw_count + found));
    clean->report->cells_missing += found;
    for (int64_t i = 0; i < samples * size; i++) {
        if (!is_sentinel(rules, values[i]))
            continue;
        int64_t sample = i / size;
        double *raw = desk->raw + 3 * desk->raw_count;
        raw[0] = (double)(stream->kept + sample);
        raw[1] = (double)(i % size);
        raw[2] = values[i];
        desk->raw_time_ns[desk->raw_count++] = desk->time_ns[desk->tail + sample];
        values[i] = NAN;
        gb_clean_mark(desk, desk->tail + sample, GB_REASON_SENTINEL);
    }
    return GB_OK;
}

/* ---- ranges and runs --------------------------------------------------------------------------
 */

/* out may be in. */
static void convert(const gb_clean_rules *rules, const double *in, double *out, size_t count)
{
    double scale = rules->scale, offset = rules->offset;
    for (size_t i = 0; i < count; i++)
        out[i] = in[i] * scale + offset;
    if (rules->out == GB_VALUE_F32) /* judge what is stored */
        for (size_t i = 0; i < count; i++)
            out[i] = (double)(float)out[i];
}

static void judge_range(gb_clean *clean, const gb_clean_rules *rules, const double *values)
{
    gb_clean_desk *desk = &clean->desk;
    int64_t size = rules->size, count = (desk->count - desk->tail) * size;
    int64_t found = count_outside(values, (size_t)count, rules->range_min, rules->range_max);
    clean->report->cells_out_of_range += found;
    for (int64_t i = 0; found > 0 && i < count; i++) {
        if (!(values[i] < rules->range_min || values[i] > rules->range_max))
            continue;
        gb_clean_mark(desk, desk->tail + i / size, GB_REASON_OUT_OF_RANGE);
        found--;
    }
}

/* Begins every column's run anew with the last sample, when no value equals the one before: the
 * usual case of a measured stream. */
static bool restart_runs(gb_clean_stream *stream, const double *values, int64_t samples)
{
    int64_t size = stream->rules.size, last = (samples - 1) * size;
    for (int64_t c = 0; c < size; c++)
        if (values[c] == stream->stuck_value[c])
            return false;
    if (count_repeated(values, (size_t)(samples * size), (size_t)size) > 0)
        return false;
    for (int64_t c = 0; c < size; c++) {
        stream->stuck_value[c] = values[last + c];
        stream->stuck_run[c] = values[last + c] == values[last + c];
    }
    return true;
}

/* The n-th equal value and those after it are stuck; a sample is, when one of its values is. */
static void judge_stuck(gb_clean *clean, gb_clean_stream *stream, const double *values)
{
    gb_clean_desk *desk = &clean->desk;
    gb_ingest_report *report = clean->report;
    int64_t size = stream->rules.size, limit = stream->rules.stuck_samples;
    if (restart_runs(stream, values, desk->count - desk->tail))
        return;
    for (int64_t i = desk->tail; i < desk->count; i++, values += size) {
        int64_t longest = 0;
        for (int64_t c = 0; c < size; c++) {
            int64_t run = values[c] == stream->stuck_value[c] ? stream->stuck_run[c] + 1 : 1;
            stream->stuck_value[c] = values[c];
            stream->stuck_run[c] = values[c] == values[c] ? run : 0; /* NaN: missing, not stuck */
            report->stuck_runs += stream->stuck_run[c] == limit;
            longest = stream->stuck_run[c] > longest ? stream->stuck_run[c] : longest;
        }
        if (longest < limit)
            continue;
        gb_clean_mark(desk, i, GB_REASON_STUCK);
        report->longest_stuck = longest > report->longest_stuck ? longest : report->longest_stuck;
    }
}

/* Finds sentinels and converts. *out: the numbers as they will be stored, either `values` (of the
 * desk) or what came: where nothing changes nothing is copied. */
static gb_status change_values(
    gb_clean *clean, gb_clean_stream *stream, const void *in, double *values, const double **out)
{
    const gb_clean_rules *rules = &stream->rules;
    gb_clean_desk *desk = &clean->desk;
    size_t count = (size_t)((desk->count - desk->tail) * rules->size);
    const double *came = in;
    if (rules->in != GB_VALUE_F64) {
        gb_numbers_load(rules->in, in, values, count);
        came = values;
    }
    int64_t found = count_sentinels(rules, came, count);
    if (found > 0) {
        if (came != values)
            memcpy(values, came, count * sizeof *values);
        came = values;
        GB_TRY(take_sentinels(clean, stream, values, found));
    }
    if (rules->convert) {
        convert(rules, came, values, count);
        came = values;
    }
    desk->changed = found > 0 || rules->convert || rules->in != rules->out;
    *out = came;
    return GB_OK;
}

/* Puts the samples as they will be stored where gb_clean_desk_samples looks for them. */
static void
place(gb_clean_desk *desk, const gb_clean_rules *rules, const void *in, const double *numbers)
{
    size_t at = (size_t)(desk->tail * rules->size);
    size_t count = (size_t)((desk->count - desk->tail) * rules->size);
    double *values = desk->values + at;
    unsigned char *bytes = desk->bytes + at * gb_value_type_bytes(rules->out);
    bool held = rules->spike_sigmas > 0;
    if (numbers != values && (held || rules->stamps))
        memcpy(values, numbers, count * sizeof *values);
    if (rules->out == GB_VALUE_F64)
        return; /* the values themselves */
    if (desk->changed)
        gb_numbers_store(rules->out, values, bytes, count);
    else if (held)
        memcpy(bytes, in, count * gb_value_type_bytes(rules->in));
}

gb_status gb_clean_judge_values(gb_clean *clean, gb_clean_stream *stream, const void *in)
{
    gb_clean_desk *desk = &clean->desk;
    const gb_clean_rules *rules = &stream->rules;
    const double *numbers = NULL;
    GB_TRY(change_values(clean, stream, in, desk->values + desk->tail * rules->size, &numbers));
    if (rules->has_range)
        judge_range(clean, rules, numbers);
    if (rules->stuck_samples > 0)
        judge_stuck(clean, stream, numbers);
    place(desk, rules, in, numbers);
    return GB_OK;
}
