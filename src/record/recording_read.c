/* Recording files back into samples: metadata gives the recording and its streams, messages give
 * the samples, as a sink or a recording in memory wants them. */
#include "record/builder.h"
#include "record/recording_file.h"
#include "record/stream.h"

#include "base/words.h"

#include <stdlib.h>
#include <string.h>

typedef struct read_channel {
    uint16_t id;
    gb_message_kind kind;
    gb_stream_spec spec;
    int64_t expected; /* samples, by the file's own count; 0 unknown */
    int stream;       /* number in the sink */
} read_channel;

typedef struct reading {
    gb_mcap_reader *reader;
    gb_arena *arena;
    gb_recording_info info;
    char *origin;
    uint64_t bytes;         /* of the file */
    read_channel *channels; /* [count], those asked for, in the order of their ids */
    int count;
    uint16_t *ids;       /* [count] */
    int32_t *channel_of; /* [65536] place in channels, or -1 */
    gb_decoded decoded;
} reading;

static void close_reading(reading *from)
{
    gb_decoded_free(&from->decoded);
    gb_mcap_reader_destroy(from->reader);
    gb_arena_destroy(from->arena);
    free(from->origin);
}

static gb_status fail_foreign(const reading *from)
{
    const char *profile = gb_mcap_reader_profile(from->reader);
    return gb_fail(GB_ERR_MISMATCH,
                   "%s is an MCAP file of another program (profile \"%.40s\"), not a recording of "
                   "genba; genba ingest reads it",
                   from->origin, profile ? profile : "");
}

static gb_status read_info(reading *from)
{
    gb_mcap_metadata metadata;
    for (int i = 0;; i++) {
        gb_status status = gb_mcap_metadata_at(from->reader, i, &metadata);
        if (status == GB_ERR_NOT_FOUND)
            return fail_foreign(from);
        GB_TRY(status);
        if (strcmp(metadata.name, GB_RECORDING_METADATA) == 0)
            return gb_recording_info_from_pairs(metadata.pairs, metadata.pair_count, from->arena,
                                                &from->info);
    }
}

static gb_status read_counts(reading *from)
{
    gb_mcap_metadata metadata;
    for (int i = 0;; i++) {
        gb_status status = gb_mcap_metadata_at(from->reader, i, &metadata);
        if (status == GB_ERR_NOT_FOUND)
            return GB_OK; /* recovered files may lack them */
        GB_TRY(status);
        if (strcmp(metadata.name, GB_RECORDING_COUNTS) != 0)
            continue;
        for (int c = 0; c < from->count; c++) {
            const char *text =
                gb_pair_find(metadata.pairs, metadata.pair_count, from->channels[c].spec.name);
            long long expected = text ? strtoll(text, NULL, 10) : 0;
            from->channels[c].expected = expected > 0 ? expected : 0;
        }
        return GB_OK;
    }
}

static bool is_named(const char *topic, const char *const *names, int name_count)
{
    if (!names)
        return true;
    for (int i = 0; i < name_count; i++)
        if (strcmp(names[i], topic) == 0)
            return true;
    return false;
}

static gb_status read_channel_spec(reading *from, const gb_mcap_channel *channel)
{
    read_channel *to = &from->channels[from->count];
    const gb_mcap_schema *schema = gb_mcap_reader_schema(from->reader, channel->schema_id);
    if (!schema || strcmp(schema->encoding, "protobuf") != 0)
        return gb_fail(GB_ERR_PARSE, "channel %.127s has no protobuf schema", channel->topic);
    GB_TRY(gb_message_kind_parse(schema->name, &to->kind));
    GB_TRY(gb_stream_spec_from_pairs(channel->topic, channel->pairs, channel->pair_count,
                                     from->arena, &to->spec));
    bool numbers = to->kind == GB_MESSAGE_SAMPLES || to->kind == GB_MESSAGE_RAW_IMAGE;
    if (numbers != (to->spec.value_type != GB_VALUE_BYTES))
        return gb_fail(GB_ERR_PARSE, "channel %.127s: values of type %s are no %s", channel->topic,
                       gb_value_type_name(to->spec.value_type), schema->name);
    to->id = channel->id;
    from->channel_of[channel->id] = from->count++;
    return GB_OK;
}

static int by_id(const void *left, const void *right)
{
    const gb_mcap_channel *const *a = left, *const *b = right;
    return ((*a)->id > (*b)->id) - ((*a)->id < (*b)->id);
}

static gb_status check_names(const reading *from, const char *const *names, int name_count)
{
    for (int i = 0; names && i < name_count; i++) {
        gb_words words = {.written = names[i]};
        bool found = false;
        int channels = gb_mcap_reader_channel_count(from->reader);
        for (int c = 0; c < channels && !found; c++) {
            const char *topic = gb_mcap_reader_channel_at(from->reader, c)->topic;
            gb_words_add(&words, topic);
            found = strcmp(topic, names[i]) == 0;
        }
        if (!found)
            return gb_fail(GB_ERR_NOT_FOUND, "recording %s has no stream \"%.127s\"; %sit has %s",
                           from->info.name, names[i], gb_words_suggest(&words), words.list);
    }
    return GB_OK;
}

static gb_status read_channels(reading *from, const char *const *names, int name_count)
{
    int total = gb_mcap_reader_channel_count(from->reader);
    if (total > GB_STREAMS_MAX)
        return gb_fail(GB_ERR_PARSE, "%d channels, a recording has at most %d streams", total,
                       GB_STREAMS_MAX);
    const gb_mcap_channel **sorted = gb_arena_alloc(from->arena, (size_t)total * sizeof *sorted);
    from->channels = gb_arena_alloc(from->arena, (size_t)total * sizeof *from->channels);
    from->ids = gb_arena_alloc(from->arena, (size_t)total * sizeof *from->ids);
    from->channel_of = gb_arena_alloc(from->arena, 65536 * sizeof *from->channel_of);
    if (!sorted || !from->channels || !from->ids || !from->channel_of)
        return GB_ERR_MEMORY;
    memset(from->channel_of, -1, 65536 * sizeof *from->channel_of);
    for (int i = 0; i < total; i++)
        sorted[i] = gb_mcap_reader_channel_at(from->reader, i);
    qsort(sorted, (size_t)total, sizeof *sorted, by_id);
    GB_TRY(check_names(from, names, name_count));
    for (int i = 0; i < total; i++)
        if (is_named(sorted[i]->topic, names, name_count))
            GB_TRY(read_channel_spec(from, sorted[i]));
    for (int i = 0; i < from->count; i++)
        from->ids[i] = from->channels[i].id;
    return GB_OK;
}

static gb_status
open_reading(gb_bytes_in *bytes, const char *const *names, int name_count, reading *from)
{
    memset(from, 0, sizeof *from);
    from->bytes = bytes->size;
    from->origin = strdup(bytes->origin ? bytes->origin : "memory");
    gb_status status = gb_mcap_reader_create(bytes, &from->reader);
    if (status == GB_OK && !from->origin)
        status = gb_fail(GB_ERR_MEMORY, "no memory to read a recording");
    if (status == GB_OK)
        status = gb_arena_create(0, &from->arena);
    if (status == GB_OK)
        status = read_info(from);
    if (status == GB_OK)
        status = read_channels(from, names, name_count);
    if (status == GB_OK)
        status = read_counts(from);
    if (status != GB_OK) {
        if (from->origin && !strstr(gb_error_message(), from->origin))
            status = gb_fail_context(status, "%s", from->origin);
        close_reading(from);
    }
    return status;
}

/* Where decoded samples go. */
typedef gb_status (*samples_fn)(void *context, int stream, const gb_samples *samples);

static gb_status read_messages(reading *from, samples_fn give, void *context)
{
    gb_mcap_filter filter = {.channels = from->ids, .channel_count = from->count};
    if (from->count == 0)
        return GB_OK;
    GB_TRY(gb_mcap_rewind(from->reader, &filter));
    for (;;) {
        gb_mcap_message message;
        bool have = false;
        GB_TRY(gb_mcap_next(from->reader, &message, &have));
        if (!have)
            return GB_OK;
        int place = from->channel_of[message.channel_id];
        if (place < 0)
            continue;
        const read_channel *channel = &from->channels[place];
        gb_status status = gb_decode_message(channel->kind, &channel->spec, message.data,
                                             message.size, &from->decoded);
        if (status != GB_OK)
            return gb_fail_context(status, "%s", from->origin);
        GB_TRY(give(context, channel->stream, &from->decoded.samples));
    }
}

/* ---- to a sink ---- */

typedef struct sink_place {
    gb_sink *sink;
    int recording;
} sink_place;

static gb_status give_to_sink(void *context, int stream, const gb_samples *samples)
{
    const sink_place *to = context;
    return gb_sink_append(to->sink, to->recording, stream, samples);
}

static gb_status hand_attachments(reading *from, const sink_place *to)
{
    for (int i = 0;; i++) {
        gb_mcap_attachment attachment;
        gb_status status = gb_mcap_attachment_at(from->reader, i, &attachment);
        if (status == GB_ERR_NOT_FOUND)
            return GB_OK;
        GB_TRY(status);
        GB_TRY(gb_sink_attach(to->sink, to->recording, attachment.name, attachment.media_type,
                              attachment.data, (size_t)attachment.size));
    }
}

static gb_status emit_reading(reading *from, const sink_place *to)
{
    for (int i = 0; i < from->count; i++) {
        read_channel *channel = &from->channels[i];
        GB_TRY(gb_sink_stream(to->sink, to->recording, &channel->spec, &channel->stream));
    }
    GB_TRY(read_messages(from, give_to_sink, (void *)(uintptr_t)to));
    GB_TRY(hand_attachments(from, to));
    return gb_sink_end(to->sink, to->recording);
}

gb_status
gb_recording_emit_bytes(gb_bytes_in *bytes, const char *const *names, int name_count, gb_sink *sink)
{
    reading from;
    GB_TRY(open_reading(bytes, names, name_count, &from));
    sink_place to = {.sink = sink};
    gb_status status = gb_sink_begin(sink, &from.info, &to.recording);
    if (status == GB_OK) {
        status = emit_reading(&from, &to);
        if (status != GB_OK)
            gb_sink_abandon(sink, to.recording);
    }
    close_reading(&from);
    return status;
}

/* ---- to memory ---- */

static gb_status give_to_builder(void *context, int stream, const gb_samples *samples)
{
    return gb_recording_builder_append_samples(context, stream, samples);
}

/* Room for all samples at once, unless the file promises more than its size makes likely. */
static gb_status
make_room(const reading *from, const read_channel *channel, gb_recording_builder *builder)
{
    uint64_t sample = (uint64_t)gb_stream_spec_size(&channel->spec) * 4 + 1;
    uint64_t most = from->bytes / sample * 64;
    if (channel->expected == 0 || (uint64_t)channel->expected > most ||
        channel->spec.value_type == GB_VALUE_BYTES)
        return GB_OK;
    return gb_recording_builder_reserve(builder, channel->stream, channel->expected);
}

static gb_status load_reading(reading *from, gb_recording_builder *builder)
{
    for (int i = 0; i < from->count; i++) {
        read_channel *channel = &from->channels[i];
        GB_TRY(gb_recording_builder_stream(builder, &channel->spec, &channel->stream));
        GB_TRY(make_room(from, channel, builder));
    }
    return read_messages(from, give_to_builder, builder);
}

gb_status gb_recording_load_bytes(gb_bytes_in *bytes,
                                  const char *const *names,
                                  int name_count,
                                  gb_recording **out)
{
    reading from;
    gb_recording_builder *builder = NULL;
    GB_TRY(open_reading(bytes, names, name_count, &from));
    gb_status status = gb_recording_builder_create(&from.info, &builder);
    if (status == GB_OK)
        status = load_reading(&from, builder);
    if (status == GB_OK)
        status = gb_recording_builder_finish(builder, out);
    if (status != GB_OK)
        gb_recording_builder_abandon(builder);
    close_reading(&from);
    return status;
}
