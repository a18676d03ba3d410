/* Takes apart the messages of a reader's process. Whatever does not fit breaks the message, and a
 * broken message is the end of that process. */
#include "ingest/apart_wire.h"

#include <string.h>

#define LIST_MAX ((uint64_t)1 << 20) /* pairs or labels */

const void *gb_wire_bytes(gb_wire_in *in, uint64_t size)
{
    if (in->broken || size > in->size - in->at) {
        in->broken = true;
        return NULL;
    }
    const unsigned char *bytes = in->data + in->at;
    uint64_t padded = (size + 7) / 8 * 8;
    in->at = padded > in->size - in->at ? in->size : in->at + padded;
    return bytes;
}

uint64_t gb_wire_u64(gb_wire_in *in)
{
    uint64_t value = 0;
    const void *bytes = gb_wire_bytes(in, sizeof value);
    if (bytes)
        memcpy(&value, bytes, sizeof value);
    return value;
}

const char *gb_wire_text(gb_wire_in *in)
{
    uint64_t size = gb_wire_u64(in);
    if (size == 0)
        return NULL;
    const char *text = gb_wire_bytes(in, size);
    if (text && text[size - 1] != 0)
        in->broken = true;
    return in->broken ? NULL : text;
}

static const char *text_or_empty(gb_wire_in *in)
{
    const char *text = gb_wire_text(in);
    return text ? text : "";
}

static uint64_t up_to(gb_wire_in *in, uint64_t most)
{
    uint64_t value = gb_wire_u64(in);
    in->broken = in->broken || value > most;
    return in->broken ? 0 : value;
}

static void *take_memory(gb_wire_in *in, gb_arena *arena, uint64_t count, size_t bytes)
{
    void *memory = in->broken ? NULL : gb_arena_alloc(arena, (size_t)count * bytes);
    in->broken = in->broken || !memory;
    return memory;
}

static gb_pair *take_pairs(gb_wire_in *in, gb_arena *arena, int *out_count)
{
    uint64_t count = up_to(in, LIST_MAX);
    gb_pair *pairs = take_memory(in, arena, count, sizeof *pairs);
    for (uint64_t i = 0; i < count && !in->broken; i++) {
        pairs[i].key = text_or_empty(in);
        pairs[i].value = text_or_empty(in);
    }
    *out_count = in->broken ? 0 : (int)count;
    return pairs;
}

gb_recording_info gb_wire_info(gb_wire_in *in, gb_arena *arena)
{
    gb_recording_info info = {0};
    info.name = text_or_empty(in);
    info.source = gb_wire_text(in);
    info.instruction = gb_wire_text(in);
    info.outcome = gb_wire_text(in);
    info.residency = gb_wire_text(in);
    info.owner = gb_wire_text(in);
    info.licence = gb_wire_text(in);
    info.purpose = gb_wire_text(in);
    info.pairs = take_pairs(in, arena, &info.pair_count);
    return info;
}

gb_stream_spec gb_wire_spec(gb_wire_in *in, gb_arena *arena)
{
    gb_stream_spec spec = gb_stream_spec_defaults(text_or_empty(in));
    spec.unit = text_or_empty(in);
    spec.semantic = text_or_empty(in);
    spec.encoding = text_or_empty(in);
    spec.clock = text_or_empty(in);
    spec.frame = text_or_empty(in);
    spec.kind = (gb_stream_kind)up_to(in, GB_STREAM_KIND_COUNT - 1);
    spec.value_type = (gb_value_type)up_to(in, GB_VALUE_TYPE_COUNT - 1);
    spec.time_base = (gb_time_base)up_to(in, GB_TIME_ROW);
    uint64_t rate = gb_wire_u64(in);
    memcpy(&spec.rate_hz, &rate, sizeof rate);
    spec.rank = (int)up_to(in, GB_STREAM_RANK_MAX);
    for (int i = 0; i < spec.rank; i++)
        spec.shape[i] = (int64_t)up_to(in, (uint64_t)GB_STREAM_SIZE_MAX);
    uint64_t labels = up_to(in, LIST_MAX);
    const char **list = labels > 0 ? take_memory(in, arena, labels, sizeof *list) : NULL;
    for (uint64_t i = 0; i < labels && !in->broken; i++)
        list[i] = text_or_empty(in);
    spec.labels = list;
    spec.pairs = take_pairs(in, arena, &spec.pair_count);
    return spec;
}

static void take_runs(gb_wire_in *in, gb_samples *samples, uint64_t bytes, gb_arena *arena)
{
    uint64_t count = (uint64_t)samples->count, used = 0;
    const unsigned char **runs = take_memory(in, arena, count, sizeof *runs);
    const uint64_t *sizes = gb_wire_bytes(in, 8 * count);
    const unsigned char *values = gb_wire_bytes(in, bytes);
    for (uint64_t i = 0; i < count && !in->broken; i++) {
        in->broken = sizes[i] > bytes - used;
        runs[i] = values + used;
        used += in->broken ? 0 : sizes[i];
    }
    _Static_assert(sizeof(size_t) == sizeof(uint64_t), "run sizes are sent as 64 bits");
    samples->runs = runs;
    samples->run_sizes = (const size_t *)sizes;
}

static const uint8_t *take_flags(gb_wire_in *in, uint64_t count, uint8_t most)
{
    const uint8_t *flags = gb_wire_bytes(in, count);
    for (uint64_t i = 0; i < count && !in->broken; i++)
        in->broken = flags[i] > most;
    return flags;
}

gb_samples gb_wire_samples(gb_wire_in *in, size_t sample_bytes, gb_arena *arena)
{
    gb_samples samples = {0};
    uint64_t count = up_to(in, GB_WIRE_BYTES_MAX / 8), flags = gb_wire_u64(in);
    uint64_t bytes = up_to(in, GB_WIRE_BYTES_MAX);
    samples.count = (int64_t)count;
    samples.time_ns = gb_wire_bytes(in, 8 * count);
    if (sample_bytes == 0)
        take_runs(in, &samples, bytes, arena);
    else if (bytes / sample_bytes != count || bytes % sample_bytes != 0)
        in->broken = true;
    else
        samples.values = gb_wire_bytes(in, bytes);
    if (flags & 1)
        samples.quality = take_flags(in, count, GB_QUALITY_MISSING);
    if (flags & 2)
        samples.reason = take_flags(in, count, GB_REASON_COUNT - 1);
    if (flags & 4)
        samples.row = gb_wire_bytes(in, 8 * count);
    return samples;
}
