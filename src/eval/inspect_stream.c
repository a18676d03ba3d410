/* One stream seen once: envelope, histogram, gaps, words, thumbnails, in memory that does not grow.
 */
#include "eval/inspect.h"

#include "record/picture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- histogram ----------------------------------------------------------------------------------
 */

static void widen(gb_inspect_bins *b, bool downward)
{
    int64_t merged[GB_INSPECT_BINS] = {0};
    int shift = downward ? GB_INSPECT_BINS / 2 : 0;
    for (int i = 0; i < GB_INSPECT_BINS; i++)
        merged[i / 2 + shift] += b->counts[i];
    if (downward)
        b->from -= b->width * GB_INSPECT_BINS;
    b->width *= 2;
    memcpy(b->counts, merged, sizeof merged);
}

static void add_to_bins(gb_inspect_bins *b, double value)
{
    if (b->width == 0) {
        b->width = fmax(fabs(value) * 1e-4, 1e-9);
        b->from = value - b->width * GB_INSPECT_BINS / 2;
    }
    for (int i = 0; i < 2100 && value < b->from; i++)
        widen(b, true);
    for (int i = 0; i < 2100 && value >= b->from + b->width * GB_INSPECT_BINS; i++)
        widen(b, false);
    double at = (value - b->from) / b->width;
    if (at >= 0 && at < GB_INSPECT_BINS)
        b->counts[(int)at]++;
}

/* ---- envelope -----------------------------------------------------------------------------------
 */

static void clear_curve(gb_inspect_curve *curve, int from)
{
    for (int i = from; i < GB_INSPECT_BUCKETS; i++) {
        curve->low[i] = INFINITY;
        curve->high[i] = -INFINITY;
    }
}

/* Buckets become pairs: the time line gets twice as long. */
static void halve(gb_inspect_stream *s)
{
    for (int i = 0; i < GB_INSPECT_BUCKETS / 2; i++) {
        s->samples[i] = s->samples[2 * i] + s->samples[2 * i + 1];
        s->worst[i] = s->worst[2 * i] > s->worst[2 * i + 1] ? s->worst[2 * i] : s->worst[2 * i + 1];
        for (int c = 0; c < s->curve_count; c++) {
            gb_inspect_curve *curve = &s->curves[c];
            curve->low[i] = fminf(curve->low[2 * i], curve->low[2 * i + 1]);
            curve->high[i] = fmaxf(curve->high[2 * i], curve->high[2 * i + 1]);
        }
    }
    int half = GB_INSPECT_BUCKETS / 2;
    memset(s->samples + half, 0, (size_t)half * sizeof *s->samples);
    memset(s->worst + half, 0, (size_t)half);
    for (int c = 0; c < s->curve_count; c++)
        clear_curve(&s->curves[c], half);
    s->bucket_ns *= 2;
}

/* The bucket of a time; times before the first sample fall into the first bucket. */
static int bucket_of(gb_inspect_stream *s, int64_t time_ns)
{
    if (s->bucket_ns == 0) {
        s->from_ns = time_ns;
        s->bucket_ns = 1000;
    }
    if (time_ns < s->from_ns)
        return 0;
    uint64_t past = (uint64_t)time_ns - (uint64_t)s->from_ns;
    while (past / (uint64_t)s->bucket_ns >= GB_INSPECT_BUCKETS && s->bucket_ns < INT64_MAX / 4)
        halve(s);
    uint64_t at = past / (uint64_t)s->bucket_ns;
    return at < GB_INSPECT_BUCKETS ? (int)at : GB_INSPECT_BUCKETS - 1;
}

static void note_step(gb_inspect_stream *s, int64_t time_ns)
{
    if (s->count == 0) {
        s->first_ns = s->last_ns = s->previous_ns = time_ns;
        return;
    }
    double step = (double)time_ns - (double)s->previous_ns;
    if (step < 0) {
        s->backward++;
    } else {
        bool gap = s->steps >= 10 && step > 8 * s->mean_step_ns && s->mean_step_ns > 0;
        if (gap && s->gap_count < GB_INSPECT_GAPS) {
            s->gaps[s->gap_count][0] = s->previous_ns;
            s->gaps[s->gap_count][1] = time_ns;
        }
        s->gap_count += gap;
        s->steps++;
        if (!gap)
            s->mean_step_ns +=
                (step - s->mean_step_ns) / (double)(s->steps < 1000 ? s->steps : 1000);
    }
    s->previous_ns = time_ns;
    s->first_ns = time_ns < s->first_ns ? time_ns : s->first_ns;
    s->last_ns = time_ns > s->last_ns ? time_ns : s->last_ns;
}

static void take_value(gb_inspect_curve *curve, int bucket, double value)
{
    if (isnan(value)) {
        curve->missing++;
        return;
    }
    curve->least = curve->count == 0 || value < curve->least ? value : curve->least;
    curve->most = curve->count == 0 || value > curve->most ? value : curve->most;
    curve->count++;
    curve->sum += value;
    curve->low[bucket] = fminf(curve->low[bucket], (float)value);
    curve->high[bucket] = fmaxf(curve->high[bucket], (float)value);
    if (isfinite(value))
        add_to_bins(&curve->bins, value);
}

static double number_at(gb_value_type type, const void *values, int64_t at)
{
#define NUMBER_CASE(name, c_type)                                                                  \
    case name:                                                                                     \
        return (double)((const c_type *)values)[at];
    switch (type) {
        NUMBER_CASE(GB_VALUE_F32, float)
        NUMBER_CASE(GB_VALUE_F64, double)
        NUMBER_CASE(GB_VALUE_I8, int8_t)
        NUMBER_CASE(GB_VALUE_U8, uint8_t)
        NUMBER_CASE(GB_VALUE_I16, int16_t)
        NUMBER_CASE(GB_VALUE_U16, uint16_t)
        NUMBER_CASE(GB_VALUE_I32, int32_t)
        NUMBER_CASE(GB_VALUE_U32, uint32_t)
        NUMBER_CASE(GB_VALUE_I64, int64_t)
        NUMBER_CASE(GB_VALUE_U64, uint64_t)
    default:
        return NAN;
    }
#undef NUMBER_CASE
}

/* ---- words --------------------------------------------------------------------------------------
 */

/* Control characters and what is cut are shown as such. */
static void copy_word(const unsigned char *run, size_t size, char *to)
{
    size_t kept = size < GB_INSPECT_WORD_BYTES - 4 ? size : GB_INSPECT_WORD_BYTES - 4;
    while (kept < size && kept > 0 && (run[kept] & 0xc0) == 0x80)
        kept--; /* not in the middle of a character */
    for (size_t i = 0; i < kept; i++)
        to[i] = run[i] < 0x20 || run[i] == 0x7f ? ' ' : (char)run[i];
    memcpy(to + kept, kept < size ? "..." : "", kept < size ? 4 : 1);
}

static gb_status
take_word(gb_inspect_stream *s, const unsigned char *run, size_t size, int64_t time_ns)
{
    char word[GB_INSPECT_WORD_BYTES];
    if (!s->words) {
        s->words = calloc(GB_INSPECT_WORDS, sizeof *s->words);
        s->marks = calloc(GB_INSPECT_MARKS, sizeof *s->marks);
        if (!s->words || !s->marks)
            return gb_fail(GB_ERR_MEMORY, "no memory for the words of %s", s->spec.name);
    }
    copy_word(run, size, word);
    int at = 0;
    while (at < s->word_count && strcmp(s->words[at], word) != 0)
        at++;
    if (at == GB_INSPECT_WORDS) {
        s->words_other++;
        at = -1;
    } else {
        if (at == s->word_count)
            memcpy(s->words[s->word_count++], word, sizeof word);
        s->word_counts[at]++;
    }
    if (s->mark_count < GB_INSPECT_MARKS)
        s->marks[s->mark_count++] = (gb_inspect_mark){time_ns, at};
    return GB_OK;
}

/* ---- thumbnails ---------------------------------------------------------------------------------
 */

static gb_status shrink(const gb_picture *from, gb_picture *out)
{
    int64_t longer = from->width > from->height ? from->width : from->height;
    int64_t step = (longer + GB_INSPECT_THUMB_PIXELS - 1) / GB_INSPECT_THUMB_PIXELS;
    gb_picture to = {
        .width = from->width / step, .height = from->height / step, .channels = from->channels};
    to.width = to.width < 1 ? 1 : to.width;
    to.height = to.height < 1 ? 1 : to.height;
    to.pixels = malloc((size_t)(to.width * to.height * to.channels));
    if (!to.pixels)
        return gb_fail(GB_ERR_MEMORY, "no memory for a thumbnail");
    for (int64_t y = 0; y < to.height; y++)
        for (int64_t x = 0; x < to.width; x++)
            for (int c = 0; c < to.channels; c++) {
                int64_t sum = 0, count = 0;
                for (int64_t v = y * step; v < (y + 1) * step && v < from->height; v++)
                    for (int64_t u = x * step; u < (x + 1) * step && u < from->width; u++, count++)
                        sum += from->pixels[(v * from->width + u) * from->channels + c];
                to.pixels[(y * to.width + x) * to.channels + c] =
                    (unsigned char)(sum / (count ? count : 1));
            }
    *out = to;
    return GB_OK;
}

/* Keeps every n-th picture; n doubles when there are too many. */
static bool wants_thumb(gb_inspect_stream *s)
{
    s->thumb_every = s->thumb_every ? s->thumb_every : 1;
    if (s->count % s->thumb_every != 0)
        return false;
    if (s->thumb_count < GB_INSPECT_THUMBS)
        return true;
    for (int i = 0; i < GB_INSPECT_THUMBS; i += 2) {
        free(s->thumbs[i + 1].png);
        s->thumbs[i / 2] = s->thumbs[i];
    }
    s->thumb_count = GB_INSPECT_THUMBS / 2;
    s->thumb_every *= 2;
    return s->count % s->thumb_every == 0;
}

static gb_status keep_thumb(gb_inspect_stream *s, const gb_picture *picture, int64_t time_ns)
{
    gb_picture small;
    gb_inspect_thumb *to = &s->thumbs[s->thumb_count];
    GB_TRY(shrink(picture, &small));
    gb_status status = gb_picture_encode_png(&small, &to->png, &to->size);
    free(small.pixels);
    to->time_ns = time_ns;
    s->thumb_count += status == GB_OK;
    return status;
}

/* A picture that does not decode has no thumbnail; that is no reason to stop looking. */
static gb_status
take_run_picture(gb_inspect_stream *s, const unsigned char *run, size_t size, int64_t time_ns)
{
    gb_picture picture;
    bool known = strcmp(s->spec.encoding, "jpeg") == 0 || strcmp(s->spec.encoding, "png") == 0;
    if (!known || !wants_thumb(s) || gb_picture_decode(run, size, 0, &picture) != GB_OK)
        return GB_OK;
    gb_status status = keep_thumb(s, &picture, time_ns);
    gb_picture_free(&picture);
    return status == GB_ERR_MEMORY ? status : GB_OK;
}

static gb_status
take_raw_picture(gb_inspect_stream *s, const unsigned char *pixels, int64_t time_ns)
{
    const gb_stream_spec *spec = &s->spec;
    int64_t channels = spec->rank == 3 ? spec->shape[2] : 1;
    if (spec->rank < 2 || (channels != 1 && channels != 3) || !wants_thumb(s))
        return GB_OK;
    gb_picture picture = {.height = spec->shape[0],
                          .width = spec->shape[1],
                          .channels = (int)channels,
                          .pixels = (unsigned char *)(uintptr_t)pixels};
    gb_status status = keep_thumb(s, &picture, time_ns);
    return status == GB_ERR_MEMORY ? status : GB_OK;
}

/* ---- samples ------------------------------------------------------------------------------------
 */

static gb_status
take_content(gb_inspect_stream *s, const gb_samples *samples, int64_t i, int bucket)
{
    int64_t time_ns = samples->time_ns[i];
    bool picture = s->spec.kind == GB_STREAM_IMAGE;
    if (s->spec.value_type == GB_VALUE_BYTES) {
        const unsigned char *run = samples->runs[i];
        size_t size = samples->run_sizes[i];
        s->run_bytes += (int64_t)size;
        bool text = strcmp(s->spec.encoding, "utf-8") == 0 || strcmp(s->spec.encoding, "json") == 0;
        if (picture)
            return take_run_picture(s, run, size, time_ns);
        return text ? take_word(s, run, size, time_ns) : GB_OK;
    }
    if (picture && s->spec.value_type == GB_VALUE_U8)
        return take_raw_picture(s, (const unsigned char *)samples->values + i * s->size, time_ns);
    for (int c = 0; c < s->curve_count; c++)
        take_value(&s->curves[c], bucket,
                   number_at(s->spec.value_type, samples->values, i * s->size + c));
    return GB_OK;
}

static gb_status add_curves(gb_inspect_stream *s)
{
    bool numbers = s->spec.value_type != GB_VALUE_BYTES && s->spec.kind != GB_STREAM_IMAGE;
    if (s->curves || !numbers)
        return GB_OK;
    int count = s->size < GB_INSPECT_CURVES ? (int)s->size : GB_INSPECT_CURVES;
    s->curves = calloc((size_t)count, sizeof *s->curves);
    if (!s->curves)
        return gb_fail(GB_ERR_MEMORY, "no memory to look at %s", s->spec.name);
    s->curve_count = count;
    for (int c = 0; c < count; c++)
        clear_curve(&s->curves[c], 0);
    return GB_OK;
}

gb_status gb_inspect_take(gb_inspect_stream *s, const gb_samples *samples)
{
    GB_TRY(add_curves(s));
    for (int64_t i = 0; i < samples->count; i++) {
        uint8_t quality = samples->quality ? samples->quality[i] : GB_QUALITY_GOOD;
        uint8_t reason = samples->reason ? samples->reason[i] : GB_REASON_NONE;
        note_step(s, samples->time_ns[i]);
        int bucket = bucket_of(s, samples->time_ns[i]);
        s->samples[bucket]++;
        s->worst[bucket] = quality > s->worst[bucket] ? quality : s->worst[bucket];
        s->qualities[quality <= GB_QUALITY_MISSING ? quality : GB_QUALITY_BAD]++;
        s->reasons[reason < GB_REASON_COUNT ? reason : GB_REASON_NONE]++;
        GB_TRY(take_content(s, samples, i, bucket));
        s->count++;
    }
    return GB_OK;
}

void gb_inspect_stream_free(gb_inspect_stream *s)
{
    if (!s)
        return;
    for (int i = 0; i < s->thumb_count; i++)
        free(s->thumbs[i].png);
    free(s->curves);
    free(s->words);
    free(s->marks);
    free(s);
}
