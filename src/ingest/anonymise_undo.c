/* Filters over recordings that were anonymised: take away what hides only with the key, or change
 * pseudonyms and what is sealed to another key. */
#include "ingest/anonymise_filter.h"

#include <jansson.h>
#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define OPEN_MAX 65536 /* recordings open at once */

typedef struct undo_stream {
    int next;
    gb_value_type from, to;
    int64_t size;
    gb_affine *affine; /* [size], unit 0: none; NULL: nothing is rescaled */
    int64_t offset_ns;
    bool whole;     /* nothing else was changed: samples are as they were */
    bool pseudonym; /* samples are pseudonyms */
} undo_stream;

typedef struct undo_recording {
    bool open;
    int next;
    gb_arena *arena;
    undo_stream **streams; /* [count] */
    int count, room;
} undo_recording;

typedef struct undo_filter {
    gb_sink sink;
    gb_sink *next;
    gb_key *keys; /* [2]: the key, and when rotating the new one; memory of libsodium */
    gb_secrets *secrets, *new_secrets;
    bool rotate;
    undo_recording *recordings; /* [room] */
    int room;
    gb_batch batch;
} undo_filter;

/* ---- recordings ---- */

static void close_recording(undo_recording *work)
{
    gb_arena_destroy(work->arena);
    free(work->streams);
    *work = (undo_recording){0};
}

static gb_status find(undo_filter *filter, int recording, undo_recording **out)
{
    if (recording < 0 || recording >= filter->room || !filter->recordings[recording].open)
        return gb_fail(GB_ERR_ARGUMENT, "no recording %d is open in this filter", recording);
    *out = &filter->recordings[recording];
    return GB_OK;
}

static gb_status check_key(const undo_filter *filter, const gb_recording_info *info)
{
    const char *id = gb_pair_find(info->pairs, info->pair_count, GB_PAIR_KEY);
    if (!id)
        return gb_fail(GB_ERR_REFUSED, "recording %s is not anonymised: there is nothing to undo",
                       info->name);
    if (strcmp(id, filter->secrets->id) != 0)
        return gb_fail(GB_ERR_REFUSED,
                       "recording %s was anonymised with key %s, and the key given is %s",
                       info->name, id, filter->secrets->id);
    return GB_OK;
}

/* A pseudonym under the new key; any other text as it is. NULL: no memory. */
static const char *rotated(const undo_filter *filter, const char *text, gb_arena *arena)
{
    char made[GB_PSEUDONYM_BYTES];
    if (!text || strlen(text) != GB_PSEUDONYM_BYTES - 1 ||
        gb_pseudonym_rotate(&filter->keys[0], &filter->keys[1], text, made) != GB_OK)
        return text ? text : "";
    return gb_arena_text(arena, made);
}

static gb_status rotate_info(const undo_filter *filter, gb_recording_info *info, gb_arena *arena)
{
    gb_pair *pairs = gb_arena_alloc(arena, (size_t)(info->pair_count + 1) * sizeof *pairs);
    if (!pairs)
        return GB_ERR_MEMORY;
    for (int i = 0; i < info->pair_count; i++) {
        const gb_pair *pair = &info->pairs[i];
        bool is_key = strcmp(pair->key, GB_PAIR_KEY) == 0;
        pairs[i] = (gb_pair){pair->key, is_key ? filter->new_secrets->id
                                               : rotated(filter, pair->value, arena)};
        if (!pairs[i].value)
            return GB_ERR_MEMORY;
    }
    info->pairs = pairs;
    info->name = rotated(filter, info->name, arena);
    info->source = rotated(filter, info->source, arena);
    info->instruction = rotated(filter, info->instruction, arena);
    info->outcome = rotated(filter, info->outcome, arena);
    return info->name && info->source && info->instruction && info->outcome ? GB_OK : GB_ERR_MEMORY;
}

static gb_status free_place(undo_filter *filter, int *out)
{
    int place = 0;
    while (place < filter->room && filter->recordings[place].open)
        place++;
    if (place == OPEN_MAX)
        return gb_fail(GB_ERR_ARGUMENT, "more than %d recordings are open at once", OPEN_MAX);
    if (place == filter->room) {
        int room = filter->room ? 2 * filter->room : 8;
        undo_recording *grown = realloc(filter->recordings, (size_t)room * sizeof *grown);
        if (!grown)
            return gb_fail(GB_ERR_MEMORY, "no memory for a recording");
        memset(grown + filter->room, 0, (size_t)(room - filter->room) * sizeof *grown);
        filter->recordings = grown;
        filter->room = room;
    }
    *out = place;
    return GB_OK;
}

static gb_status undo_begin(gb_sink *sink, const gb_recording_info *info, int *out_recording)
{
    undo_filter *filter = (undo_filter *)sink;
    gb_recording_info made = *info;
    int place = 0;
    GB_TRY(check_key(filter, info));
    GB_TRY(free_place(filter, &place));
    undo_recording *work = &filter->recordings[place];
    gb_status status = gb_arena_create(0, &work->arena);
    if (status == GB_OK && filter->rotate)
        status = rotate_info(filter, &made, work->arena);
    if (status == GB_OK)
        status = gb_sink_begin(filter->next, &made, &work->next);
    if (status != GB_OK) {
        close_recording(work);
        return status;
    }
    work->open = true;
    *out_recording = place;
    return GB_OK;
}

/* ---- streams ---- */

static gb_status fail_sealed(const gb_stream_spec *spec)
{
    return gb_fail(GB_ERR_CORRUPT, "stream %s: what is sealed for undoing does not fit the stream",
                   spec->name);
}

/* columns: [null | [center, unit, scale, offset]] */
static gb_status
read_columns(const gb_stream_spec *spec, const json_t *columns, gb_arena *arena, undo_stream *work)
{
    if (json_array_size(columns) == 0)
        return GB_OK;
    if (json_array_size(columns) != (size_t)work->size || spec->value_type == GB_VALUE_BYTES)
        return fail_sealed(spec);
    work->affine = gb_arena_alloc(arena, (size_t)work->size * sizeof *work->affine);
    if (!work->affine)
        return GB_ERR_MEMORY;
    for (int64_t c = 0; c < work->size; c++) {
        const json_t *map = json_array_get(columns, (size_t)c);
        if (json_is_null(map))
            continue;
        double parts[4];
        for (size_t i = 0; i < 4; i++)
            parts[i] = json_number_value(json_array_get(map, i));
        if (!(parts[1] > 0) || !(parts[2] > 0))
            return fail_sealed(spec);
        work->affine[c] = (gb_affine){parts[0], parts[1], parts[2], parts[3]};
    }
    return GB_OK;
}

/* Reads what was sealed, and gives the stream its unit and type back. */
static gb_status read_sealed(const undo_filter *filter,
                             const char *sealed,
                             gb_arena *arena,
                             undo_stream *work,
                             gb_stream_spec *spec)
{
    char *text = NULL;
    GB_TRY(gb_secret_open(filter->secrets, sealed, &text));
    json_t *value = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    free(text);
    const char *unit = json_string_value(json_object_get(value, "unit"));
    const char *type = json_string_value(json_object_get(value, "type"));
    gb_status status = unit && type ? GB_OK : fail_sealed(spec);
    gb_value_type to = GB_VALUE_F32;
    if (status == GB_OK)
        status = gb_value_type_parse(type, &to);
    if (status == GB_OK)
        status = read_columns(spec, json_object_get(value, "columns"), arena, work);
    if (status == GB_OK && work->affine) {
        spec->unit = gb_arena_text(arena, unit);
        status = spec->unit ? GB_OK : GB_ERR_MEMORY;
    }
    work->offset_ns = json_integer_value(json_object_get(value, "offset_ns"));
    work->whole = json_is_true(json_object_get(value, "all"));
    json_decref(value);
    /* noise or bins leave numbers that the first type may not hold; and a file that went through
     * memory holds floats whatever it was */
    if (status == GB_OK && work->affine && work->whole && spec->value_type == GB_VALUE_F64)
        spec->value_type = to;
    work->to = spec->value_type;
    return status;
}

static gb_status
reseal(const undo_filter *filter, const char *sealed, gb_arena *arena, const char **out)
{
    char *text = NULL, *made = NULL;
    GB_TRY(gb_secret_open(filter->secrets, sealed, &text));
    gb_status status = gb_secret_seal(filter->new_secrets, text, &made);
    free(text);
    if (status == GB_OK && !(*out = gb_arena_text(arena, made)))
        status = GB_ERR_MEMORY;
    free(made);
    return status;
}

static gb_status plan(const undo_filter *filter,
                      const gb_stream_spec *spec,
                      gb_arena *arena,
                      undo_stream *work,
                      gb_stream_spec *out)
{
    *out = *spec;
    work->from = work->to = spec->value_type;
    work->size = gb_stream_spec_size(spec);
    gb_pair *pairs = gb_arena_alloc(arena, (size_t)(spec->pair_count + 1) * sizeof *pairs);
    if (!pairs)
        return GB_ERR_MEMORY;
    int count = 0;
    for (int i = 0; i < spec->pair_count; i++) {
        gb_pair pair = spec->pairs[i];
        bool sealed = strcmp(pair.key, GB_PAIR_UNDO) == 0;
        work->pseudonym |= strcmp(pair.key, GB_PAIR_PSEUDONYM) == 0;
        if (sealed && !filter->rotate) {
            GB_TRY(read_sealed(filter, pair.value, arena, work, out));
            continue;
        }
        if (sealed)
            GB_TRY(reseal(filter, pair.value, arena, &pair.value));
        pairs[count++] = pair;
    }
    out->pairs = pairs;
    out->pair_count = count;
    return GB_OK;
}

static gb_status
undo_stream_(gb_sink *sink, int recording, const gb_stream_spec *spec, int *out_stream)
{
    undo_filter *filter = (undo_filter *)sink;
    undo_recording *work = NULL;
    GB_TRY(find(filter, recording, &work));
    if (work->count == work->room) {
        int room = work->room ? 2 * work->room : 8;
        undo_stream **grown = realloc(work->streams, (size_t)room * sizeof *grown);
        if (!grown)
            return gb_fail(GB_ERR_MEMORY, "no memory for stream %s", spec->name);
        work->streams = grown;
        work->room = room;
    }
    undo_stream *stream = gb_arena_alloc(work->arena, sizeof *stream);
    gb_stream_spec made;
    if (!stream)
        return GB_ERR_MEMORY;
    GB_TRY(plan(filter, spec, work->arena, stream, &made));
    GB_TRY(gb_sink_stream(filter->next, work->next, &made, &stream->next));
    work->streams[work->count] = stream;
    *out_stream = work->count++;
    return GB_OK;
}

/* ---- samples ---- */

static gb_status undo_values(undo_filter *filter,
                             const undo_stream *work,
                             const gb_samples *samples,
                             gb_samples *out)
{
    gb_batch *batch = &filter->batch;
    int64_t count = samples->count * work->size;
    GB_TRY(gb_batch_room((void **)&batch->numbers, &batch->numbers_room, count, sizeof(double)));
    GB_TRY(gb_batch_room(&batch->values, &batch->values_room, count, sizeof(double)));
    gb_numbers_read(work->from, samples->values, count, batch->numbers);
    for (int64_t i = 0; i < count; i++) {
        const gb_affine *a = &work->affine[i % work->size];
        if (a->unit > 0)
            batch->numbers[i] = (batch->numbers[i] - a->offset) / a->scale * a->unit + a->center;
    }
    gb_numbers_write(work->to, batch->numbers, count, batch->values);
    out->values = batch->values;
    return GB_OK;
}

static gb_status
undo_times(undo_filter *filter, const undo_stream *work, const gb_samples *samples, gb_samples *out)
{
    gb_batch *batch = &filter->batch;
    GB_TRY(
        gb_batch_room((void **)&batch->times, &batch->times_room, samples->count, sizeof(int64_t)));
    for (int64_t i = 0; i < samples->count; i++)
        if (__builtin_sub_overflow(samples->time_ns[i], work->offset_ns, &batch->times[i]))
            return gb_fail(GB_ERR_CORRUPT, "time %lld ns cannot be shifted back",
                           (long long)samples->time_ns[i]);
    out->time_ns = batch->times;
    return GB_OK;
}

static gb_status undo_reasons(undo_filter *filter, const gb_samples *samples, gb_samples *out)
{
    gb_batch *batch = &filter->batch;
    GB_TRY(gb_batch_room((void **)&batch->reasons, &batch->reasons_room, samples->count, 1));
    for (int64_t i = 0; i < samples->count; i++) {
        uint8_t had = samples->reason[i];
        batch->reasons[i] = had == GB_REASON_ANONYMISED ? GB_REASON_NONE : had;
    }
    out->reason = batch->reasons;
    return GB_OK;
}

static gb_status rotate_runs(undo_filter *filter, const gb_samples *samples, gb_samples *out)
{
    gb_batch *batch = &filter->batch;
    GB_TRY(gb_batch_room((void **)&batch->runs, &batch->runs_room, samples->count,
                         sizeof *batch->runs));
    GB_TRY(gb_batch_room((void **)&batch->run_sizes, &batch->sizes_room, samples->count,
                         sizeof *batch->run_sizes));
    for (int64_t i = 0; i < samples->count; i++) {
        size_t size = samples->run_sizes[i];
        char text[GB_PSEUDONYM_BYTES] = "";
        unsigned char *made = calloc(1, GB_PSEUDONYM_BYTES);
        if (!made)
            return gb_fail(GB_ERR_MEMORY, "no memory for a pseudonym");
        batch->runs[batch->run_count] = made;
        batch->run_sizes[batch->run_count++] = size;
        if (size == 0)
            continue;
        if (size == GB_PSEUDONYM_BYTES - 1)
            memcpy(text, samples->runs[i], size);
        GB_TRY(gb_pseudonym_rotate(&filter->keys[0], &filter->keys[1], text, (char *)made));
    }
    out->runs = (const unsigned char *const *)batch->runs;
    out->run_sizes = batch->run_sizes;
    return GB_OK;
}

static gb_status undo_append(gb_sink *sink, int recording, int stream, const gb_samples *samples)
{
    undo_filter *filter = (undo_filter *)sink;
    undo_recording *work = NULL;
    gb_samples made = *samples;
    GB_TRY(find(filter, recording, &work));
    if (stream < 0 || stream >= work->count)
        return gb_fail(GB_ERR_ARGUMENT, "this recording has no stream %d", stream);
    const undo_stream *of = work->streams[stream];
    gb_batch_free_runs(&filter->batch);
    if (filter->rotate && of->pseudonym)
        GB_TRY(rotate_runs(filter, samples, &made));
    if (of->affine)
        GB_TRY(undo_values(filter, of, samples, &made));
    if (of->offset_ns)
        GB_TRY(undo_times(filter, of, samples, &made));
    if (of->whole && samples->reason)
        GB_TRY(undo_reasons(filter, samples, &made));
    return gb_sink_append(filter->next, work->next, of->next, &made);
}

/* ---- the sink ---- */

static gb_status undo_attach(gb_sink *sink,
                             int recording,
                             const char *name,
                             const char *media_type,
                             const void *data,
                             size_t size)
{
    undo_filter *filter = (undo_filter *)sink;
    undo_recording *work = NULL;
    GB_TRY(find(filter, recording, &work));
    return gb_sink_attach(filter->next, work->next, name, media_type, data, size);
}

static gb_status undo_end(gb_sink *sink, int recording)
{
    undo_filter *filter = (undo_filter *)sink;
    undo_recording *work = NULL;
    GB_TRY(find(filter, recording, &work));
    GB_TRY(gb_sink_end(filter->next, work->next));
    close_recording(work);
    return GB_OK;
}

static void undo_abandon(gb_sink *sink, int recording)
{
    undo_filter *filter = (undo_filter *)sink;
    if (recording < 0 || recording >= filter->room || !filter->recordings[recording].open)
        return;
    gb_sink_abandon(filter->next, filter->recordings[recording].next);
    close_recording(&filter->recordings[recording]);
}

static void undo_destroy(gb_sink *sink)
{
    undo_filter *filter = (undo_filter *)sink;
    for (int i = 0; i < filter->room; i++)
        undo_abandon(sink, i);
    gb_batch_free(&filter->batch);
    gb_secrets_destroy(filter->secrets);
    gb_secrets_destroy(filter->new_secrets);
    sodium_free(filter->keys);
    free(filter->recordings);
    free(filter);
}

static const gb_sink_ops undo_ops = {undo_begin, undo_stream_, undo_append, undo_attach,
                                     undo_end,   undo_abandon, undo_destroy};

static gb_status create(const gb_key *key, const gb_key *new_key, gb_sink *next, gb_sink **out)
{
    undo_filter *filter = calloc(1, sizeof *filter);
    if (!filter)
        return gb_fail(GB_ERR_MEMORY, "no memory for a filter");
    filter->sink.ops = &undo_ops;
    filter->next = next;
    filter->rotate = new_key != NULL;
    gb_status status = gb_secrets_create(key, &filter->secrets);
    if (status == GB_OK && new_key)
        status = gb_secrets_create(new_key, &filter->new_secrets);
    if (status == GB_OK && !(filter->keys = sodium_malloc(2 * sizeof *filter->keys)))
        status = gb_fail(GB_ERR_MEMORY, "no memory for a filter");
    if (status != GB_OK) {
        undo_destroy(&filter->sink);
        return status;
    }
    filter->keys[0] = *key;
    filter->keys[1] = new_key ? *new_key : *key;
    *out = &filter->sink;
    return GB_OK;
}

gb_status gb_anonymise_undo_create(const gb_key *key, gb_sink *next, gb_sink **out)
{
    return create(key, NULL, next, out);
}

gb_status gb_anonymise_rotate_create(const gb_key *old_key,
                                     const gb_key *new_key,
                                     gb_sink *next,
                                     gb_sink **out)
{
    return create(old_key, new_key, next, out);
}
