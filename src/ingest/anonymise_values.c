/* Samples on their way through the anonymising filter: times, numbers, texts and pictures. What is
 * to be done to them was decided by anonymise_stream.c. */
#include "ingest/anonymise_filter.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- memory of a batch ---- */

gb_status gb_batch_room(void **items, size_t *room, int64_t count, size_t size)
{
    if (count < 0 || (uint64_t)count > SIZE_MAX / size / 2)
        return gb_fail(GB_ERR_MEMORY, "a batch of %lld samples is too large", (long long)count);
    size_t bytes = (size_t)count * size;
    if (bytes <= *room && *items)
        return GB_OK;
    void *grown = realloc(*items, bytes + 64);
    if (!grown)
        return gb_fail(GB_ERR_MEMORY, "no memory for a batch of %lld samples", (long long)count);
    *items = grown;
    *room = bytes;
    return GB_OK;
}

void gb_batch_free_runs(gb_batch *batch)
{
    for (int64_t i = 0; i < batch->run_count; i++)
        free(batch->runs[i]);
    batch->run_count = 0;
}

void gb_batch_free(gb_batch *batch)
{
    gb_batch_free_runs(batch);
    free(batch->times);
    free(batch->reasons);
    free(batch->numbers);
    free(batch->drawn);
    free(batch->values);
    free(batch->runs);
    free(batch->run_sizes);
}

/* ---- numbers ---- */

#define READ_CASE(name, type)                                                                      \
    case name:                                                                                     \
        for (int64_t i = 0; i < count; i++)                                                        \
            out[i] = (double)((const type *)values)[i];                                            \
        break;

void gb_numbers_read(gb_value_type type, const void *values, int64_t count, double *out)
{
    switch (type) {
        READ_CASE(GB_VALUE_F32, float)
        READ_CASE(GB_VALUE_F64, double)
        READ_CASE(GB_VALUE_I8, int8_t)
        READ_CASE(GB_VALUE_U8, uint8_t)
        READ_CASE(GB_VALUE_I16, int16_t)
        READ_CASE(GB_VALUE_U16, uint16_t)
        READ_CASE(GB_VALUE_I32, int32_t)
        READ_CASE(GB_VALUE_U32, uint32_t)
        READ_CASE(GB_VALUE_I64, int64_t)
        READ_CASE(GB_VALUE_U64, uint64_t)
    default:
        break;
    }
}

/* The greatest double that still fits: 2^63 and 2^64 do not. */
#define WRITE_CASE(name, type, low, high)                                                          \
    case name:                                                                                     \
        for (int64_t i = 0; i < count; i++) {                                                      \
            double value = isnan(values[i]) ? 0 : nearbyint(values[i]);                            \
            ((type *)out)[i] = (type)(value < (low) ? (low) : value > (high) ? (high) : value);    \
        }                                                                                          \
        break;

void gb_numbers_write(gb_value_type type, const double *values, int64_t count, void *out)
{
    switch (type) {
        WRITE_CASE(GB_VALUE_I8, int8_t, -128.0, 127.0)
        WRITE_CASE(GB_VALUE_U8, uint8_t, 0.0, 255.0)
        WRITE_CASE(GB_VALUE_I16, int16_t, -32768.0, 32767.0)
        WRITE_CASE(GB_VALUE_U16, uint16_t, 0.0, 65535.0)
        WRITE_CASE(GB_VALUE_I32, int32_t, -2147483648.0, 2147483647.0)
        WRITE_CASE(GB_VALUE_U32, uint32_t, 0.0, 4294967295.0)
        WRITE_CASE(GB_VALUE_I64, int64_t, -0x1p63, 0x1.fffffffffffffp62)
        WRITE_CASE(GB_VALUE_U64, uint64_t, 0.0, 0x1.fffffffffffffp63)
    case GB_VALUE_F32:
        for (int64_t i = 0; i < count; i++)
            ((float *)out)[i] = (float)values[i];
        break;
    case GB_VALUE_F64:
        memcpy(out, values, (size_t)count * sizeof(double));
        break;
    default:
        break;
    }
}

/* Leaves the columns that go on, in place: values [count x from_size] to [count x size]. */
static void gather(const gb_stream_work *work, int64_t count, const double *from, double *to)
{
    for (int64_t i = 0; i < count; i++)
        for (int64_t c = 0; c < work->size; c++)
            to[i * work->size + c] = from[i * work->from_size + work->kept[c]];
}

static void rescale(const gb_applied *rule, int64_t size, double *sample)
{
    for (int64_t c = 0; c < size; c++) {
        const gb_affine *a = &rule->affine[c];
        if (rule->columns[c])
            sample[c] = a->scale * ((sample[c] - a->center) / a->unit) + a->offset;
    }
}

static void generalise(const gb_applied *rule, int64_t size, double *sample)
{
    for (int64_t c = 0; c < size; c++)
        if (rule->columns[c])
            sample[c] = gb_generalise_number(&rule->rule->general, sample[c]);
}

/* Clips, adds noise, and rounds to a grid 1/1024 to 1/512 of sigma wide: the low bits of a sum of
 * doubles could otherwise tell the value (Mironov 2012). */
static void add_noise(const gb_filter *filter,
                      const gb_applied *rule,
                      gb_noise_place *place,
                      int64_t size,
                      double *sample,
                      double *drawn)
{
    const gb_rule_bounds *clip = rule->rule->clip;
    double grid = exp2(floor(log2(rule->sigma)) - 9);
    place->rule = (int)(rule->rule - filter->policy->data->streams);
    gb_noise_draw(filter->secrets, place, sample, size, drawn);
    for (int64_t c = 0; c < size; c++) {
        if (!rule->columns[c] || isnan(sample[c]))
            continue;
        double clipped = fmin(fmax(sample[c], clip->min), clip->max);
        sample[c] = nearbyint((clipped + rule->sigma * drawn[c]) / grid) * grid;
    }
}

static gb_status count_noise(gb_filter *filter, const gb_stream_work *work, int64_t count)
{
    for (int i = 0; i < work->applied_count; i++)
        if (work->applied[i].rule->kind == GB_RULE_NOISE)
            GB_TRY(gb_ledger_count(filter->ledger, work->applied[i].entry, count));
    return GB_OK;
}

static gb_status apply_numbers(gb_filter *filter,
                               const gb_recording_work *recording,
                               const gb_stream_work *work,
                               const gb_samples *samples,
                               gb_samples *out)
{
    gb_batch *batch = &filter->batch;
    int64_t count = samples->count, size = work->size;
    gb_noise_place place = {
        .policy = filter->policy->hash, .recording = recording->name, .stream = work->name};
    GB_TRY(count_noise(filter, work, count));
    GB_TRY(gb_batch_room((void **)&batch->numbers, &batch->numbers_room, count * work->from_size,
                         sizeof(double)));
    GB_TRY(gb_batch_room((void **)&batch->drawn, &batch->drawn_room, size, sizeof(double)));
    GB_TRY(gb_batch_room(&batch->values, &batch->values_room, count * size, sizeof(double)));
    gb_numbers_read(work->from, samples->values, count * work->from_size, batch->numbers);
    if (work->kept)
        gather(work, count, batch->numbers, batch->numbers);
    for (int64_t i = 0; i < count; i++) {
        double *sample = batch->numbers + i * size;
        place.sample = work->samples + i;
        place.time_ns = samples->time_ns[i];
        for (int r = 0; r < work->applied_count; r++) {
            const gb_applied *rule = &work->applied[r];
            if (rule->rule->kind == GB_RULE_RESCALE)
                rescale(rule, size, sample);
            else if (rule->rule->kind == GB_RULE_NOISE)
                add_noise(filter, rule, &place, size, sample, batch->drawn);
            else
                generalise(rule, size, sample);
        }
    }
    gb_numbers_write(work->to, batch->numbers, count * size, batch->values);
    out->values = batch->values;
    return GB_OK;
}

/* Columns are dropped and nothing else: the others keep their very bits. */
static gb_status keep_columns(gb_filter *filter,
                              const gb_stream_work *work,
                              const gb_samples *samples,
                              gb_samples *out)
{
    gb_batch *batch = &filter->batch;
    size_t each = gb_value_type_bytes(work->from);
    GB_TRY(gb_batch_room(&batch->values, &batch->values_room, samples->count * work->size, each));
    const char *from = samples->values;
    char *to = batch->values;
    for (int64_t i = 0; i < samples->count; i++)
        for (int64_t c = 0; c < work->size; c++)
            memcpy(to + (size_t)(i * work->size + c) * each,
                   from + (size_t)(i * work->from_size + work->kept[c]) * each, each);
    out->values = batch->values;
    return GB_OK;
}

/* ---- texts and pictures ---- */

static bool is_missing(const gb_samples *samples, int64_t i)
{
    return samples->quality && samples->quality[i] == GB_QUALITY_MISSING;
}

/* A number as a text that names it: 42 and 42.0 are one. "" when there is none. */
static void name_number(gb_value_type type, const void *values, int64_t i, char text[40])
{
    double value = 0;
    size_t each = gb_value_type_bytes(type);
    const void *at = (const char *)values + (size_t)i * each;
    if (type == GB_VALUE_I64) {
        snprintf(text, 40, "%" PRId64, *(const int64_t *)at);
        return;
    }
    if (type == GB_VALUE_U64) {
        snprintf(text, 40, "%" PRIu64, *(const uint64_t *)at);
        return;
    }
    gb_numbers_read(type, at, 1, &value);
    if (isnan(value))
        text[0] = 0;
    else
        snprintf(text, 40, "%.17g", value);
}

static gb_status put_run(gb_batch *batch, const void *data, size_t size)
{
    unsigned char *copy = malloc(size + 1);
    if (!copy)
        return gb_fail(GB_ERR_MEMORY, "no memory for a text of %zu bytes", size);
    if (size > 0)
        memcpy(copy, data, size);
    copy[size] = 0;
    batch->runs[batch->run_count] = copy;
    batch->run_sizes[batch->run_count++] = size;
    return GB_OK;
}

static gb_status
put_pseudonym(gb_filter *filter, const gb_stream_work *work, const gb_samples *samples, int64_t i)
{
    char pseudonym[GB_PSEUDONYM_BYTES], number[40];
    const char *text = number;
    size_t size = 0;
    if (work->from == GB_VALUE_BYTES) {
        text = (const char *)samples->runs[i];
        size = samples->run_sizes[i];
    } else {
        name_number(work->from, samples->values, i, number);
        size = strlen(number);
    }
    if (size == 0 || is_missing(samples, i)) /* nobody stays nobody */
        return put_run(&filter->batch, "", 0);
    GB_TRY(gb_filter_pseudonym(filter, work->domain, text, size, pseudonym));
    return put_run(&filter->batch, pseudonym, GB_PSEUDONYM_BYTES - 1);
}

static gb_status
put_picture(gb_filter *filter, const gb_stream_work *work, const unsigned char *data, size_t size)
{
    const gb_rule *rules[64];
    int count = 0;
    for (int i = 0; i < work->applied_count && count < 64; i++)
        rules[count++] = work->applied[i].rule;
    gb_batch *batch = &filter->batch;
    unsigned char *made = NULL;
    size_t made_size = 0;
    gb_status status = gb_cover_picture(rules, count, data, size, &made, &made_size);
    if (status != GB_OK)
        return gb_fail_context(status, "stream %s, sample %lld", work->name,
                               (long long)(work->samples + batch->run_count));
    batch->runs[batch->run_count] = made;
    batch->run_sizes[batch->run_count++] = made_size;
    return GB_OK;
}

/* *out_changed: is it another text now? */
static gb_status put_text(
    gb_filter *filter, const gb_stream_work *work, const char *text, size_t size, bool *out_changed)
{
    gb_batch *batch = &filter->batch;
    char coarse[128], *made = NULL;
    size_t made_size = 0;
    if (work->dates) {
        gb_generalise_text(filter->policy->data, work->dates, text, size, coarse, sizeof coarse);
        *out_changed = true;
        return put_run(batch, coarse, size > 0 ? strlen(coarse) : 0);
    }
    GB_TRY(gb_scrub_text(filter->policy, text, size, work->form == GB_FORM_JSON, &made, &made_size,
                         out_changed));
    batch->runs[batch->run_count] = (unsigned char *)made;
    batch->run_sizes[batch->run_count++] = made_size;
    return GB_OK;
}

/* Samples that become runs of bytes; changed [count]. */
static gb_status apply_runs(gb_filter *filter,
                            const gb_stream_work *work,
                            const gb_samples *samples,
                            gb_samples *out,
                            bool *changed)
{
    gb_batch *batch = &filter->batch;
    GB_TRY(gb_batch_room((void **)&batch->runs, &batch->runs_room, samples->count,
                         sizeof *batch->runs));
    GB_TRY(gb_batch_room((void **)&batch->run_sizes, &batch->sizes_room, samples->count,
                         sizeof *batch->run_sizes));
    for (int64_t i = 0; i < samples->count; i++) {
        changed[i] = true;
        if (work->domain)
            GB_TRY(put_pseudonym(filter, work, samples, i));
        else if (work->clean_picture)
            GB_TRY(put_picture(filter, work, samples->runs[i], samples->run_sizes[i]));
        else
            GB_TRY(put_text(filter, work, (const char *)samples->runs[i], samples->run_sizes[i],
                            &changed[i]));
    }
    out->values = NULL;
    out->runs = (const unsigned char *const *)batch->runs;
    out->run_sizes = batch->run_sizes;
    return GB_OK;
}

static gb_status apply_pixels(gb_filter *filter,
                              const gb_stream_work *work,
                              const gb_samples *samples,
                              gb_samples *out)
{
    gb_batch *batch = &filter->batch;
    GB_TRY(gb_batch_room(&batch->values, &batch->values_room, samples->count * work->size, 1));
    unsigned char *pixels = batch->values;
    memcpy(pixels, samples->values, (size_t)(samples->count * work->size));
    for (int64_t i = 0; i < samples->count; i++)
        for (int r = 0; r < work->applied_count; r++)
            GB_TRY(gb_cover_boxes(work->applied[r].rule, pixels + i * work->size, work->height,
                                  work->width, work->channels, 1));
    out->values = pixels;
    return GB_OK;
}

/* ---- all of a batch ---- */

static gb_status apply_times(gb_filter *filter,
                             const gb_stream_work *work,
                             const gb_samples *samples,
                             gb_samples *out)
{
    gb_batch *batch = &filter->batch;
    GB_TRY(
        gb_batch_room((void **)&batch->times, &batch->times_room, samples->count, sizeof(int64_t)));
    for (int64_t i = 0; i < samples->count; i++) {
        int64_t time_ns = samples->time_ns[i];
        if (work->period)
            time_ns = gb_generalise_time(filter->policy->data, work->period, time_ns);
        if (__builtin_add_overflow(time_ns, work->offset_ns, &batch->times[i]))
            return gb_fail(GB_ERR_ARGUMENT, "stream %s: time %lld ns cannot be shifted", work->name,
                           (long long)samples->time_ns[i]);
    }
    out->time_ns = batch->times;
    return GB_OK;
}

/* A sample that has a reason keeps it: ANONYMISED is the least of them. */
static gb_status
write_reasons(gb_filter *filter, const gb_samples *samples, const bool *changed, gb_samples *out)
{
    gb_batch *batch = &filter->batch;
    GB_TRY(gb_batch_room((void **)&batch->reasons, &batch->reasons_room, samples->count, 1));
    for (int64_t i = 0; i < samples->count; i++) {
        uint8_t had = samples->reason ? samples->reason[i] : GB_REASON_NONE;
        bool bad = samples->quality && samples->quality[i] != GB_QUALITY_GOOD;
        bool mark = had == GB_REASON_NONE && !bad && (!changed || changed[i]);
        batch->reasons[i] = mark ? GB_REASON_ANONYMISED : had;
    }
    out->reason = batch->reasons;
    return GB_OK;
}

gb_status gb_filter_apply(gb_filter *filter,
                          gb_recording_work *recording,
                          gb_stream_work *work,
                          const gb_samples *samples,
                          gb_samples *out)
{
    gb_samples made = *samples;
    bool *changed = NULL, all = work->times_changed;
    gb_status status = GB_OK;
    gb_batch_free_runs(&filter->batch);
    if (work->times_changed)
        GB_TRY(apply_times(filter, work, samples, &made));
    if (work->domain || work->clean_picture || work->clean_text || work->dates) {
        changed = malloc((size_t)samples->count + 1);
        status = changed ? apply_runs(filter, work, samples, &made, changed)
                         : gb_fail(GB_ERR_MEMORY, "no memory for a batch");
    } else if (work->numeric) {
        status = apply_numbers(filter, recording, work, samples, &made);
        all = true;
    } else if (work->form == GB_FORM_PIXELS && work->applied_count > 0) {
        status = apply_pixels(filter, work, samples, &made);
        all = true;
    } else if (work->kept) {
        status = keep_columns(filter, work, samples, &made);
    }
    if (status == GB_OK && (all || changed))
        status = write_reasons(filter, samples, all ? NULL : changed, &made);
    free(changed);
    GB_TRY(status);
    work->samples += samples->count;
    *out = made;
    return GB_OK;
}
