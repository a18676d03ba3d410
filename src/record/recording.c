/* Recordings and their builder. A builder grows plain arrays; finishing hands them to the
 * recording, after which nothing changes. Streams sampled together share one array of times. */
#include "record/builder.h"
#include "record/stream.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    ADOPT_BYTES = 256 << 10, /* arrays from here on are not copied when a recording is finished */
    ARRAYS_MOST = 6          /* of a stream */
};

typedef struct growing_stream {
    gb_stream_spec spec; /* texts live in the builder's arena */
    int64_t size, count, room;
    int64_t time_room;
    int share; /* the stream whose times these are a prefix of, or -1: own times */
    int64_t *time_ns;
    float *values;
    uint8_t *quality;
    uint8_t *reason;    /* NULL while no sample has one */
    unsigned char *raw; /* pictures and BYTES, in place of values */
    int64_t *offset;    /* BYTES: where each sample ends */
    size_t raw_size, raw_room;
} growing_stream;

struct gb_recording_builder {
    gb_arena *arena; /* becomes the recording's */
    gb_recording_info info;
    growing_stream *streams;
    int count, room;
};

struct gb_recording {
    gb_arena *arena;
    gb_recording_info info;
    int count;
    gb_stream_view *views; /* [count] */
    void **blocks;         /* [block_count] large arrays, as the builder grew them */
    int block_count;
    size_t block_bytes;
};

static gb_status copy_text(gb_arena *arena, const char *text, const char **out)
{
    const char *copy = gb_arena_text(arena, text ? text : "");
    if (!copy)
        return GB_ERR_MEMORY;
    *out = copy;
    return GB_OK;
}

static gb_status copy_pairs(gb_arena *arena, const gb_pair *pairs, int count, const gb_pair **out)
{
    gb_pair *copies = gb_arena_alloc(arena, (size_t)count * sizeof *copies);
    if (!copies)
        return GB_ERR_MEMORY;
    for (int i = 0; i < count; i++) {
        GB_TRY(copy_text(arena, pairs[i].key, &copies[i].key));
        GB_TRY(copy_text(arena, pairs[i].value, &copies[i].value));
    }
    *out = copies;
    return GB_OK;
}

gb_status
gb_recording_info_copy(gb_arena *arena, const gb_recording_info *info, gb_recording_info *out)
{
    GB_TRY(copy_text(arena, info->name, &out->name));
    GB_TRY(copy_text(arena, info->source, &out->source));
    GB_TRY(copy_text(arena, info->instruction, &out->instruction));
    GB_TRY(copy_text(arena, info->outcome, &out->outcome));
    GB_TRY(copy_text(arena, info->residency, &out->residency));
    GB_TRY(copy_text(arena, info->owner, &out->owner));
    GB_TRY(copy_text(arena, info->licence, &out->licence));
    GB_TRY(copy_text(arena, info->purpose, &out->purpose));
    out->pair_count = info->pair_count;
    return copy_pairs(arena, info->pairs, info->pair_count, &out->pairs);
}

gb_status gb_stream_spec_copy(gb_arena *arena, const gb_stream_spec *spec, gb_stream_spec *out)
{
    *out = *spec;
    GB_TRY(copy_text(arena, spec->name, &out->name));
    GB_TRY(copy_text(arena, spec->unit, &out->unit));
    GB_TRY(copy_text(arena, spec->semantic, &out->semantic));
    GB_TRY(copy_text(arena, spec->encoding, &out->encoding));
    GB_TRY(copy_text(arena, spec->clock, &out->clock));
    GB_TRY(copy_text(arena, spec->frame, &out->frame));
    GB_TRY(copy_pairs(arena, spec->pairs, spec->pair_count, &out->pairs));
    if (!spec->labels)
        return GB_OK;
    int64_t size = gb_stream_spec_size(spec);
    const char **labels = gb_arena_alloc(arena, (size_t)size * sizeof *labels);
    if (!labels)
        return GB_ERR_MEMORY;
    for (int64_t i = 0; i < size; i++)
        GB_TRY(copy_text(arena, spec->labels[i], &labels[i]));
    out->labels = labels;
    return GB_OK;
}

gb_status gb_recording_builder_create(const gb_recording_info *info, gb_recording_builder **out)
{
    gb_recording_builder *builder = calloc(1, sizeof *builder);
    if (!builder)
        return gb_fail(GB_ERR_MEMORY, "no memory for a recording");
    gb_status status = gb_arena_create(0, &builder->arena);
    if (status == GB_OK)
        status = gb_recording_info_copy(builder->arena, info, &builder->info);
    if (status != GB_OK) {
        gb_recording_builder_abandon(builder);
        return status;
    }
    *out = builder;
    return GB_OK;
}

gb_status gb_recording_builder_stream(gb_recording_builder *builder,
                                      const gb_stream_spec *spec,
                                      int *out_stream)
{
    GB_TRY(gb_stream_spec_check(spec));
    for (int i = 0; i < builder->count; i++) {
        if (strcmp(builder->streams[i].spec.name, spec->name) == 0)
            return gb_fail(GB_ERR_ARGUMENT, "recording %s has a stream called %s already",
                           builder->info.name, spec->name);
    }
    if (builder->count == GB_STREAMS_MAX)
        return gb_fail(GB_ERR_ARGUMENT, "recording %s: more than %d streams", builder->info.name,
                       GB_STREAMS_MAX);
    if (builder->count == builder->room) {
        int room = builder->room ? 2 * builder->room : 8;
        growing_stream *grown = realloc(builder->streams, (size_t)room * sizeof *grown);
        if (!grown)
            return gb_fail(GB_ERR_MEMORY, "no memory for stream %s", spec->name);
        builder->streams = grown;
        builder->room = room;
    }
    growing_stream *stream = &builder->streams[builder->count];
    memset(stream, 0, sizeof *stream);
    GB_TRY(gb_stream_spec_copy(builder->arena, spec, &stream->spec));
    stream->size = gb_stream_spec_size(spec);
    stream->share = -1;
    *out_stream = builder->count++;
    return GB_OK;
}

static gb_status no_room(const growing_stream *stream)
{
    return gb_fail(GB_ERR_MEMORY, "no memory for more than %lld samples of stream %s",
                   (long long)stream->count, stream->spec.name);
}

static gb_status reserve_times(growing_stream *stream, int64_t need)
{
    if (need <= stream->time_room)
        return GB_OK;
    int64_t room = need > 2 * stream->time_room ? need : 2 * stream->time_room;
    int64_t *grown = realloc(stream->time_ns, (size_t)room * sizeof *grown);
    if (!grown)
        return no_room(stream);
    stream->time_ns = grown;
    stream->time_room = room;
    return GB_OK;
}

static gb_status reserve_samples(growing_stream *stream, int64_t need)
{
    if (need <= stream->room)
        return GB_OK;
    int64_t room = need > 2 * stream->room ? need : 2 * stream->room;
    if (room > (int64_t)(SIZE_MAX / 16) / stream->size)
        return no_room(stream);
    if (!gb_stream_spec_is_raw(&stream->spec)) {
        float *values = realloc(stream->values, (size_t)(room * stream->size) * sizeof *values);
        if (!values)
            return no_room(stream);
        stream->values = values;
    }
    uint8_t *quality = realloc(stream->quality, (size_t)room);
    if (!quality)
        return no_room(stream);
    stream->quality = quality;
    if (stream->spec.value_type == GB_VALUE_BYTES) {
        int64_t *offset = realloc(stream->offset, (size_t)(room + 1) * sizeof *offset);
        if (!offset)
            return no_room(stream);
        offset[0] = 0;
        stream->offset = offset;
    }
    if (stream->reason) {
        uint8_t *reason = realloc(stream->reason, (size_t)room);
        if (!reason)
            return no_room(stream);
        memset(reason + stream->room, 0, (size_t)(room - stream->room));
        stream->reason = reason;
    }
    stream->room = room;
    return GB_OK;
}

gb_status
gb_recording_builder_reserve(gb_recording_builder *builder, int stream_index, int64_t count)
{
    return reserve_samples(&builder->streams[stream_index], count);
}

/* Times that continue those of the shared stream are not stored again. */
static gb_status
append_times(gb_recording_builder *builder, int index, int64_t count, const int64_t *time_ns)
{
    growing_stream *stream = &builder->streams[index];
    int share = stream->share;
    if (stream->count == 0 && index > 0) {
        growing_stream *previous = &builder->streams[index - 1];
        share = previous->share >= 0 ? previous->share : index - 1;
    }
    if (share >= 0) {
        const growing_stream *root = &builder->streams[share];
        if (root->count >= stream->count + count &&
            memcmp(root->time_ns + stream->count, time_ns, (size_t)count * sizeof *time_ns) == 0) {
            stream->share = share;
            return GB_OK;
        }
        GB_TRY(reserve_times(stream, stream->count + count));
        if (stream->count > 0)
            memcpy(stream->time_ns, root->time_ns, (size_t)stream->count * sizeof *time_ns);
        stream->share = -1;
    }
    GB_TRY(reserve_times(stream, stream->count + count));
    memcpy(stream->time_ns + stream->count, time_ns, (size_t)count * sizeof *time_ns);
    return GB_OK;
}

static bool any_nan(const float *values, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (isnan(values[i]))
            return true;
    return false;
}

/* One loop a type, so that each is a plain conversion. */
#define CONVERT_CASE(type_name, c_type)                                                            \
    case type_name: {                                                                              \
        const c_type *typed = from;                                                                \
        for (int64_t i = 0; i < count; i++)                                                        \
            to[i] = (float)typed[i];                                                               \
        return;                                                                                    \
    }

static void to_floats(gb_value_type type, const void *from, int64_t count, float *to)
{
    switch (type) {
        CONVERT_CASE(GB_VALUE_F64, double)
        CONVERT_CASE(GB_VALUE_I8, int8_t)
        CONVERT_CASE(GB_VALUE_U8, uint8_t)
        CONVERT_CASE(GB_VALUE_I16, int16_t)
        CONVERT_CASE(GB_VALUE_U16, uint16_t)
        CONVERT_CASE(GB_VALUE_I32, int32_t)
        CONVERT_CASE(GB_VALUE_U32, uint32_t)
        CONVERT_CASE(GB_VALUE_I64, int64_t)
        CONVERT_CASE(GB_VALUE_U64, uint64_t)
    default:
        memcpy(to, from, (size_t)count * sizeof *to);
    }
}
#undef CONVERT_CASE

static gb_status check_samples(const growing_stream *stream, const gb_samples *samples)
{
    const char *name = stream->spec.name;
    int64_t count = samples->count;
    if (count < 0 || count > INT64_MAX / 4 - stream->count)
        return gb_fail(GB_ERR_ARGUMENT, "stream %s: cannot append %lld samples", name,
                       (long long)count);
    for (int64_t i = 0; samples->quality && i < count; i++)
        if (samples->quality[i] > GB_QUALITY_MISSING)
            return gb_fail(GB_ERR_ARGUMENT,
                           "stream %s: sample %lld of the batch has quality %d, expected 0..%d",
                           name, (long long)i, samples->quality[i], GB_QUALITY_MISSING);
    for (int64_t i = 0; samples->reason && i < count; i++)
        if (samples->reason[i] >= GB_REASON_COUNT)
            return gb_fail(GB_ERR_ARGUMENT,
                           "stream %s: sample %lld of the batch has reason %d, expected 0..%d",
                           name, (long long)i, samples->reason[i], GB_REASON_COUNT - 1);
    return GB_OK;
}

static gb_status append_raw(growing_stream *stream, const gb_samples *samples)
{
    bool runs = stream->spec.value_type == GB_VALUE_BYTES;
    size_t each = (size_t)stream->size, need = stream->raw_size;
    for (int64_t i = 0; i < samples->count; i++) {
        size_t size = runs ? samples->run_sizes[i] : each;
        if (size > SIZE_MAX / 4 - need)
            return no_room(stream);
        need += size;
    }
    if (need > stream->raw_room || !stream->raw) {
        size_t room = need > 2 * stream->raw_room ? need : 2 * stream->raw_room;
        unsigned char *grown = realloc(stream->raw, room + 1);
        if (!grown)
            return no_room(stream);
        stream->raw = grown;
        stream->raw_room = room;
    }
    if (!runs && samples->count > 0)
        memcpy(stream->raw + stream->raw_size, samples->values, need - stream->raw_size);
    size_t at = stream->raw_size;
    for (int64_t i = 0; runs && i < samples->count; i++) {
        if (samples->run_sizes[i] > 0)
            memcpy(stream->raw + at, samples->runs[i], samples->run_sizes[i]);
        at += samples->run_sizes[i];
        stream->offset[stream->count + i + 1] = (int64_t)at;
    }
    stream->raw_size = need;
    return GB_OK;
}

static gb_status append_reasons(growing_stream *stream, const gb_samples *samples)
{
    if (!samples->reason)
        return GB_OK;
    if (!stream->reason)
        stream->reason = calloc((size_t)stream->room, 1);
    if (!stream->reason)
        return no_room(stream);
    memcpy(stream->reason + stream->count, samples->reason, (size_t)samples->count);
    return GB_OK;
}

gb_status gb_recording_builder_append_samples(gb_recording_builder *builder,
                                              int stream_index,
                                              const gb_samples *samples)
{
    if (stream_index < 0 || stream_index >= builder->count)
        return gb_fail(GB_ERR_ARGUMENT, "recording %s has no stream %d", builder->info.name,
                       stream_index);
    growing_stream *stream = &builder->streams[stream_index];
    int64_t count = samples->count;
    GB_TRY(check_samples(stream, samples));
    if (count == 0)
        return GB_OK;
    GB_TRY(reserve_samples(stream, stream->count + count));
    GB_TRY(append_reasons(stream, samples));
    bool raw = gb_stream_spec_is_raw(&stream->spec);
    GB_TRY(append_times(builder, stream_index, count, samples->time_ns));
    if (raw)
        GB_TRY(append_raw(stream, samples));
    float *to = raw ? NULL : stream->values + stream->count * stream->size;
    if (!raw)
        to_floats(stream->spec.value_type, samples->values, count * stream->size, to);
    uint8_t *flags = stream->quality + stream->count;
    for (int64_t i = 0; i < count; i++) {
        flags[i] = samples->quality ? samples->quality[i] : GB_QUALITY_GOOD;
        if (!raw && any_nan(to + i * stream->size, stream->size))
            flags[i] = GB_QUALITY_MISSING;
    }
    stream->count += count;
    return GB_OK;
}

gb_status gb_recording_builder_append(gb_recording_builder *builder,
                                      int stream,
                                      int64_t count,
                                      const int64_t *time_ns,
                                      const float *values,
                                      const uint8_t *quality)
{
    if (stream >= 0 && stream < builder->count &&
        builder->streams[stream].spec.value_type != GB_VALUE_F32)
        return gb_fail(GB_ERR_ARGUMENT, "stream %s holds %s: hand it over as gb_samples",
                       builder->streams[stream].spec.name,
                       gb_value_type_name(builder->streams[stream].spec.value_type));
    gb_samples samples = {.count = count, .time_ns = time_ns, .values = values, .quality = quality};
    return gb_recording_builder_append_samples(builder, stream, &samples);
}

/* What can be said of the times and qualities as a whole. */
static void describe(gb_stream_view *view)
{
    view->ordered = true;
    view->clean = true;
    for (int64_t i = 0; i < view->count && view->clean; i++)
        view->clean = view->quality[i] <= GB_QUALITY_UNCERTAIN;
    bool even = view->count >= 2;
    uint64_t step = 0;
    for (int64_t i = 1; i < view->count; i++) {
        view->ordered = view->ordered && view->time_ns[i] >= view->time_ns[i - 1];
        uint64_t next = (uint64_t)view->time_ns[i] - (uint64_t)view->time_ns[i - 1];
        even = even && (i == 1 || next == step);
        step = next;
    }
    view->period_ns = even && view->ordered && step <= INT64_MAX ? (int64_t)step : 0;
}

static void free_blocks(gb_recording *recording)
{
    for (int i = 0; i < recording->block_count; i++)
        free(recording->blocks[i]);
    recording->block_count = 0;
}

/* A small array is copied into the arena; a large one becomes the recording's as it is, without the
 * room it grew for. Gives what the builder still owns: the array, or NULL. */
static void *
keep(gb_recording *recording, gb_arena *arena, void *array, size_t bytes, const void **out)
{
    if (bytes < ADOPT_BYTES) {
        void *kept = gb_arena_alloc(arena, bytes);
        if (kept && bytes > 0)
            memcpy(kept, array, bytes);
        *out = kept;
        return array;
    }
    void *trimmed = realloc(array, bytes);
    *out = trimmed ? trimmed : array;
    recording->blocks[recording->block_count++] = trimmed ? trimmed : array;
    recording->block_bytes += bytes;
    return NULL;
}

static void keep_values(
    gb_recording *recording, gb_arena *arena, growing_stream *from, gb_stream_view *view, bool raw)
{
    const void *kept = NULL;
    if (raw) {
        from->raw = keep(recording, arena, from->raw, from->raw_size, &kept);
        view->raw = kept;
        return;
    }
    size_t bytes = (size_t)(from->count * from->size) * sizeof(float);
    from->values = keep(recording, arena, from->values, bytes, &kept);
    view->values = kept;
}

static void
keep_offsets(gb_recording *recording, gb_arena *arena, growing_stream *from, gb_stream_view *view)
{
    const void *kept = NULL;
    if (!from->offset) { /* no sample yet: where the first would begin */
        view->offset = gb_arena_alloc(arena, sizeof *view->offset);
        return;
    }
    size_t bytes = ((size_t)from->count + 1) * sizeof *from->offset;
    from->offset = keep(recording, arena, from->offset, bytes, &kept);
    view->offset = kept;
}

static gb_status finish_stream(gb_recording_builder *builder, int index, gb_recording *recording)
{
    growing_stream *from = &builder->streams[index];
    gb_stream_view *views = recording->views, *view = &views[index];
    gb_arena *arena = builder->arena;
    size_t count = (size_t)from->count;
    const void *kept = NULL;
    gb_stream_spec *spec = gb_arena_alloc(arena, sizeof *spec);
    if (!spec)
        return GB_ERR_MEMORY;
    *spec = from->spec;
    view->spec = spec;
    view->size = from->size;
    view->count = from->count;
    bool raw = gb_stream_spec_is_raw(spec), runs = spec->value_type == GB_VALUE_BYTES;
    if (from->share >= 0) {
        view->time_ns = views[from->share].time_ns;
    } else {
        from->time_ns = keep(recording, arena, from->time_ns, count * sizeof(int64_t), &kept);
        view->time_ns = kept;
    }
    keep_values(recording, arena, from, view, raw);
    if (runs)
        keep_offsets(recording, arena, from, view);
    bool reasons = from->reason != NULL;
    if (reasons) {
        from->reason = keep(recording, arena, from->reason, count, &kept);
        view->reason = kept;
    }
    from->quality = keep(recording, arena, from->quality, count, &kept);
    view->quality = kept;
    if (!view->time_ns || !(raw ? (const void *)view->raw : view->values) || !view->quality ||
        (runs && !view->offset) || (reasons && !view->reason))
        return GB_ERR_MEMORY;
    describe(view);
    return GB_OK;
}

gb_status gb_recording_builder_finish(gb_recording_builder *builder, gb_recording **out)
{
    gb_recording *recording = calloc(1, sizeof *recording);
    if (!recording)
        return gb_fail(GB_ERR_MEMORY, "no memory for recording %s", builder->info.name);
    size_t count = (size_t)builder->count;
    recording->views = gb_arena_alloc(builder->arena, count * sizeof *recording->views);
    recording->blocks =
        gb_arena_alloc(builder->arena, count * ARRAYS_MOST * sizeof *recording->blocks);
    gb_status status = recording->views && recording->blocks ? GB_OK : GB_ERR_MEMORY;
    for (int i = 0; status == GB_OK && i < builder->count; i++)
        status = finish_stream(builder, i, recording);
    if (status != GB_OK) {
        free_blocks(recording);
        free(recording);
        return status;
    }
    recording->arena = builder->arena;
    recording->info = builder->info;
    recording->count = builder->count;
    builder->arena = NULL;
    gb_recording_builder_abandon(builder);
    *out = recording;
    return GB_OK;
}

void gb_recording_builder_abandon(gb_recording_builder *builder)
{
    if (!builder)
        return;
    for (int i = 0; i < builder->count; i++) {
        free(builder->streams[i].time_ns);
        free(builder->streams[i].values);
        free(builder->streams[i].quality);
        free(builder->streams[i].reason);
        free(builder->streams[i].raw);
        free(builder->streams[i].offset);
    }
    free(builder->streams);
    gb_arena_destroy(builder->arena);
    free(builder);
}

void gb_recording_destroy(gb_recording *recording)
{
    if (!recording)
        return;
    free_blocks(recording); /* the list of blocks is in the arena */
    gb_arena_destroy(recording->arena);
    free(recording);
}

const gb_recording_info *gb_recording_get_info(const gb_recording *recording)
{
    return &recording->info;
}

int gb_recording_stream_count(const gb_recording *recording)
{
    return recording->count;
}

const gb_stream_view *gb_recording_stream(const gb_recording *recording, int stream)
{
    if (stream < 0 || stream >= recording->count)
        return NULL;
    return &recording->views[stream];
}

int gb_recording_find(const gb_recording *recording, const char *name)
{
    for (int i = 0; i < recording->count; i++)
        if (strcmp(recording->views[i].spec->name, name) == 0)
            return i;
    return -1;
}

size_t gb_recording_bytes(const gb_recording *recording)
{
    return gb_arena_used_bytes(recording->arena) + recording->block_bytes;
}
