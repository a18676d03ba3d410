/* The order of one live stream's samples: a short sorted buffer, and the last value handed over. */
#include "ingest/live_stream.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HELD_MAX (1 << 16) /* then the oldest are handed over, whatever they wait for */
#define TEXT_MAX (1u << 20)

static uint64_t hash_text(const char *text, size_t size)
{
    uint64_t hash = 14695981039346656037ull; /* FNV-1a */
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)text[i]) * 1099511628211ull;
    return hash;
}

static bool same_number(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static bool same_value(const gb_live_sample *held, const gb_live_value *value)
{
    if (value->is_text)
        return held->size == value->size &&
               (value->size == 0 || memcmp(held->text, value->text, value->size) == 0);
    return same_number(held->number, value->number);
}

static bool is_last(const gb_live_stream *s, const gb_live_value *value, int64_t time_ns)
{
    if (!s->has_last || s->last_ns != time_ns)
        return false;
    return value->is_text ? s->last_text == hash_text(value->text, value->size)
                          : same_number(s->last_number, value->number);
}

static gb_status reserve(gb_live_stream *s)
{
    if (s->held_count < s->held_room)
        return GB_OK;
    int64_t room = s->held_room ? 2 * s->held_room : 16;
    gb_live_sample *grown = realloc(s->held, (size_t)room * sizeof *grown);
    if (!grown)
        return gb_fail(GB_ERR_MEMORY, "no memory for samples of %s", s->name);
    s->held = grown;
    s->held_room = room;
    return GB_OK;
}

static gb_status make_sample(const gb_live_stream *s,
                             const gb_live_value *value,
                             int64_t time_ns,
                             int64_t arrival_ns,
                             gb_live_sample *out)
{
    *out = (gb_live_sample){.time_ns = time_ns, .arrival_ns = arrival_ns, .number = value->number};
    if (value->is_missing)
        out->reason = GB_REASON_ABSENT;
    if (!value->is_text)
        return GB_OK;
    if (value->size > TEXT_MAX)
        return gb_fail(GB_ERR_SHAPE, "%s: a text of %zu bytes is over the limit of %u", s->name,
                       value->size, TEXT_MAX);
    out->text = malloc(value->size + 1);
    if (!out->text)
        return gb_fail(GB_ERR_MEMORY, "no memory for a text of %s", s->name);
    if (value->size > 0)
        memcpy(out->text, value->text, value->size);
    out->size = value->size;
    return GB_OK;
}

gb_status gb_live_stream_put(gb_live_stream *s,
                             const gb_live_value *value,
                             int64_t time_ns,
                             int64_t arrival_ns,
                             gb_record_counts *counts)
{
    int64_t at = s->held_count;
    while (at > 0 && s->held[at - 1].time_ns > time_ns)
        at--;
    for (int64_t i = at; i > 0 && s->held[i - 1].time_ns == time_ns; i--) {
        if (same_value(&s->held[i - 1], value)) {
            counts->duplicates++;
            return GB_OK;
        }
    }
    bool repeats = value->again &&
                   (at > 0 ? same_value(&s->held[at - 1], value) : is_last(s, value, s->last_ns));
    if (repeats || is_last(s, value, time_ns)) {
        counts->duplicates++;
        return GB_OK;
    }
    gb_live_sample sample;
    GB_TRY(reserve(s));
    GB_TRY(make_sample(s, value, time_ns, arrival_ns, &sample));
    counts->reordered += at < s->held_count;
    counts->late += s->has_last && time_ns < s->last_ns;
    counts->samples++;
    memmove(s->held + at + 1, s->held + at, (size_t)(s->held_count - at) * sizeof *s->held);
    s->held[at] = sample;
    s->held_count++;
    return GB_OK;
}

static gb_status begin(gb_live_stream *s, gb_sink *sink, int recording)
{
    if (s->number >= 0)
        return GB_OK;
    gb_stream_spec spec = gb_stream_spec_defaults(s->name);
    gb_pair pairs[] = {{"topic", s->key}};
    spec.kind = s->is_text ? GB_STREAM_EVENT : GB_STREAM_SCALAR;
    spec.value_type = s->is_text ? GB_VALUE_BYTES : GB_VALUE_F64;
    spec.encoding = s->is_text ? "utf-8" : "";
    spec.unit = s->unit ? s->unit : "";
    spec.pairs = pairs;
    spec.pair_count = 1;
    if (s->map) {
        spec.kind = s->map->kind >= 0 ? (gb_stream_kind)s->map->kind : spec.kind;
        spec.unit = s->map->source_unit ? s->map->source_unit
                    : s->map->unit      ? s->map->unit
                                        : spec.unit;
        spec.semantic = s->map->semantic ? s->map->semantic : "";
        spec.clock = s->map->clock ? s->map->clock : "";
        spec.frame = s->map->frame ? s->map->frame : "";
    }
    return gb_sink_stream(sink, recording, &spec, &s->number);
}

static uint8_t judge(const gb_live_stream *s, const gb_live_sample *sample)
{
    if (sample->reason != GB_REASON_NONE)
        return sample->reason;
    if (!s->has_last || sample->time_ns > s->last_ns)
        return GB_REASON_NONE;
    return sample->time_ns < s->last_ns ? GB_REASON_BACKWARD_TIME : GB_REASON_REPEATED_TIME;
}

static gb_status
hand_over(gb_live_stream *s, const gb_live_sample *sample, gb_sink *sink, int recording)
{
    uint8_t reason = judge(s, sample), quality = (uint8_t)gb_reason_quality(reason);
    const unsigned char *run = (const unsigned char *)sample->text;
    gb_samples one = {.count = 1,
                      .time_ns = &sample->time_ns,
                      .values = s->is_text ? NULL : &sample->number,
                      .runs = &run,
                      .run_sizes = &sample->size,
                      .quality = &quality,
                      .reason = &reason};
    GB_TRY(begin(s, sink, recording));
    GB_TRY(gb_sink_append(sink, recording, s->number, &one));
    s->last_ns = !s->has_last || sample->time_ns > s->last_ns ? sample->time_ns : s->last_ns;
    s->last_number = sample->number;
    s->last_text = s->is_text ? hash_text(sample->text, sample->size) : 0;
    s->has_last = true;
    return GB_OK;
}

gb_status gb_live_stream_release(
    gb_live_stream *s, int64_t until_ns, gb_sink *sink, int recording, int64_t *out_count)
{
    int64_t ready = s->held_count > HELD_MAX ? s->held_count - HELD_MAX : 0;
    for (int64_t i = ready; i < s->held_count; i++)
        if (s->held[i].arrival_ns <= until_ns)
            ready = i + 1;
    gb_status status = GB_OK;
    int64_t done = 0;
    for (; status == GB_OK && done < ready; done++)
        status = hand_over(s, &s->held[done], sink, recording);
    *out_count = done;
    for (int64_t i = 0; i < done; i++)
        free(s->held[i].text);
    memmove(s->held, s->held + done, (size_t)(s->held_count - done) * sizeof *s->held);
    s->held_count -= done;
    return status;
}

void gb_live_stream_free(gb_live_stream *s)
{
    for (int64_t i = 0; i < s->held_count; i++)
        free(s->held[i].text);
    free(s->held);
    free(s->key);
    free(s->name);
    free(s->unit);
}
