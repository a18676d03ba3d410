/* The MCAP reader: recordings of genba as they are, files of ROS 2 decoded by the schemas in them,
 * and other channels as bytes that say how they are encoded. One file is one recording. */
#include "genba/mcap.h"

#include "ingest/ros_stream.h"
#include "ingest/ros_topic.h"

#include <stdlib.h>
#include <string.h>

typedef struct channel {
    uint16_t id;
    bool wanted;
    gb_ros_topic *topic;  /* decoded, or */
    gb_ros_target target; /* kept as bytes in */
    gb_ros_stream bytes;
    bool has_bytes;
} channel;

typedef struct reading {
    const gb_source *source;
    gb_mcap_reader *file;
    gb_arena *arena;
    channel *channels; /* [channel_count] */
    int channel_count;
    int recording;
} reading;

/* Is this a recording that genba wrote? Those hold their streams, units and labels already. */
static bool is_recording(gb_mcap_reader *file)
{
    gb_mcap_metadata metadata;
    for (int i = 0; gb_mcap_metadata_at(file, i, &metadata) == GB_OK; i++)
        if (strcmp(metadata.name, "genba.recording") == 0)
            return true;
    return false;
}

static gb_status
open_ros(reading *r, const gb_mcap_channel *from, const gb_mcap_schema *schema, channel *to)
{
    const gb_ros_type *type = NULL;
    GB_TRY(
        gb_ros_type_parse(schema->name, (const char *)schema->data, schema->size, r->arena, &type));
    return gb_ros_topic_create(r->source, r->recording, from->topic, type, &to->topic);
}

static gb_status
open_bytes(reading *r, const gb_mcap_channel *from, const gb_mcap_schema *schema, channel *to)
{
    bool wanted;
    const gb_map_stream *map = gb_ros_find_map(r->source, from->topic, "", &wanted);
    if (!wanted)
        return GB_OK;
    gb_stream_spec spec = gb_stream_spec_defaults("");
    spec.kind = strcmp(from->encoding, "json") == 0 ? GB_STREAM_TEXT : GB_STREAM_EVENT;
    spec.value_type = GB_VALUE_BYTES;
    spec.encoding = from->encoding[0] ? from->encoding : "bytes";
    to->target = (gb_ros_target){.source = r->source,
                                 .recording = r->recording,
                                 .topic = from->topic,
                                 .type = schema ? schema->name : "",
                                 .field = ""};
    GB_TRY(gb_ros_stream_init(&to->target, map, &spec, 0, &to->bytes));
    to->has_bytes = true;
    return GB_OK;
}

/* A schema that cannot be read is said once, and its channel kept as bytes. */
static gb_status open_channel(reading *r, uint16_t id, channel **out)
{
    for (int i = 0; i < r->channel_count; i++) {
        if (r->channels[i].id == id) {
            *out = &r->channels[i];
            return GB_OK;
        }
    }
    const gb_mcap_channel *from = gb_mcap_reader_channel(r->file, id);
    if (!from)
        return gb_fail(GB_ERR_CORRUPT,
                       "%s: a message of channel %u, which the file does not define",
                       r->source->path, id);
    const gb_mcap_schema *schema = gb_mcap_reader_schema(r->file, from->schema_id);
    channel *to = &r->channels[r->channel_count];
    *to = (channel){.id = id};
    gb_status status = GB_ERR_UNSUPPORTED;
    if (schema && strcmp(schema->encoding, "ros2msg") == 0 && strcmp(from->encoding, "cdr") == 0) {
        status = open_ros(r, from, schema, to);
        if (status == GB_ERR_MEMORY)
            return status;
        if (status != GB_OK && r->source->watch->drift)
            GB_TRY(r->source->watch->drift(r->source->watch->context, r->source->path,
                                           gb_error_message()));
    }
    if (status != GB_OK)
        GB_TRY(open_bytes(r, from, schema, to));
    r->channel_count++;
    *out = to;
    return GB_OK;
}

static gb_status take_bytes(channel *to, const gb_mcap_message *message)
{
    unsigned char *room;
    int64_t time_ns = message->log_time_ns > INT64_MAX ? INT64_MAX : (int64_t)message->log_time_ns;
    GB_TRY(gb_ros_stream_stage(&to->bytes, message->size, &room));
    if (message->size > 0)
        memcpy(room, message->data, message->size);
    return gb_ros_stream_commit(&to->bytes, message->size, time_ns);
}

static gb_status reject(reading *r, int64_t number, gb_status why)
{
    const gb_source *source = r->source;
    const gb_ingest_watch *watch = source->watch;
    source->report->rows_rejected++;
    if (source->options->bad_cells == GB_BAD_CELLS_STRICT)
        return gb_fail_context(why, "%s, message %lld", source->path, (long long)number);
    if (!watch->reject)
        return GB_OK;
    char reason[512];
    strncpy(reason, gb_error_message(), sizeof reason - 1);
    reason[sizeof reason - 1] = 0;
    return watch->reject(watch->context, source->path, number, "", reason, "", 0);
}

static gb_status take_message(reading *r, const gb_mcap_message *message, int64_t number)
{
    channel *to = NULL;
    GB_TRY(open_channel(r, message->channel_id, &to));
    r->source->report->rows_read++;
    gb_status status = GB_OK;
    if (to->topic)
        status = gb_ros_topic_take(to->topic, message->data, message->size, message->log_time_ns);
    else if (to->has_bytes)
        status = take_bytes(to, message);
    if (status == GB_ERR_PARSE || status == GB_ERR_SHAPE || status == GB_ERR_UNSUPPORTED)
        return reject(r, number, status);
    r->source->report->rows_stored += status == GB_OK;
    return status;
}

static gb_status read_messages(reading *r)
{
    const gb_source *source = r->source;
    const gb_ingest_watch *watch = source->watch;
    gb_mcap_message message;
    bool have = true;
    int64_t bytes = 0;
    GB_TRY(gb_mcap_rewind(r->file, NULL));
    for (int64_t number = 1;; number++) {
        GB_TRY(gb_mcap_next(r->file, &message, &have));
        if (!have || (source->options->row_limit > 0 && number > source->options->row_limit))
            return GB_OK;
        GB_TRY(take_message(r, &message, number));
        bytes += (int64_t)message.size;
        if (watch->progress && number % 256 == 0)
            GB_TRY(watch->progress(watch->context, bytes, bytes));
    }
}

static gb_status finish(reading *r)
{
    for (int i = 0; i < r->channel_count; i++) {
        channel *c = &r->channels[i];
        if (c->topic)
            GB_TRY(gb_ros_topic_flush(c->topic));
        if (c->has_bytes)
            GB_TRY(gb_ros_stream_flush(&c->bytes));
    }
    gb_mcap_attachment file;
    for (int i = 0; gb_mcap_attachment_at(r->file, i, &file) == GB_OK; i++)
        GB_TRY(gb_sink_attach(r->source->sink, r->recording, file.name, file.media_type, file.data,
                              (size_t)file.size));
    return gb_sink_end(r->source->sink, r->recording);
}

static bool is_fed(const reading *r, const gb_map_stream *stream)
{
    for (int i = 0; i < r->channel_count; i++) {
        const channel *c = &r->channels[i];
        if ((c->topic && gb_ros_topic_fed(c->topic, stream)) ||
            (c->has_bytes && c->bytes.map == stream))
            return true;
    }
    return false;
}

/* What the map asks for and the file lacks. */
static gb_status report_absent(const reading *r)
{
    const gb_map_data *data = r->source->map->data;
    for (uint32_t i = 0; i < data->streams_count; i++) {
        const gb_map_stream *stream = &data->streams[i];
        if (stream->optional || is_fed(r, stream))
            continue;
        (void)gb_fail(GB_ERR_NOT_FOUND, "no message gives the stream %s (source %s, field %s)",
                      stream->name, stream->source ? stream->source : "(none)",
                      stream->field ? stream->field : "(any)");
        if (r->source->options->bad_cells == GB_BAD_CELLS_STRICT)
            return gb_fail_context(GB_ERR_NOT_FOUND, "%s", r->source->path);
        if (r->source->watch->drift)
            GB_TRY(r->source->watch->drift(r->source->watch->context, r->source->path,
                                           gb_error_message()));
    }
    return GB_OK;
}

static gb_status read_foreign(reading *r)
{
    gb_recording_info info = gb_map_info(r->source->map, r->source->name, r->source->path);
    GB_TRY(gb_sink_begin(r->source->sink, &info, &r->recording));
    gb_status status = read_messages(r);
    if (status == GB_OK)
        status = report_absent(r);
    if (status == GB_OK)
        status = finish(r);
    if (status != GB_OK)
        gb_sink_abandon(r->source->sink, r->recording);
    return status;
}

/* A recording keeps its own name, labels and streams; its samples count as rows. */
static gb_status read_recording(const gb_source *source, gb_mcap_reader *file)
{
    gb_mcap_statistics statistics;
    GB_TRY(gb_mcap_reader_statistics(file, &statistics));
    GB_TRY(gb_recording_file_emit(source->path, NULL, 0, source->sink));
    source->report->rows_read += (int64_t)statistics.message_count;
    source->report->rows_stored += (int64_t)statistics.message_count;
    return GB_OK;
}

static void close_channels(reading *r)
{
    for (int i = 0; i < r->channel_count; i++) {
        gb_ros_topic_destroy(r->channels[i].topic);
        if (r->channels[i].has_bytes)
            gb_ros_stream_free(&r->channels[i].bytes);
    }
    free(r->channels);
}

static gb_status read_mcap(const gb_source *source)
{
    reading r = {.source = source};
    gb_bytes_in *bytes = NULL;
    GB_TRY(gb_bytes_in_file(source->path, &bytes));
    source->report->bytes += (int64_t)bytes->size;
    GB_TRY(gb_mcap_reader_create(bytes, &r.file));
    gb_status status;
    if (is_recording(r.file)) {
        status = read_recording(source, r.file);
    } else {
        status = gb_arena_create(0, &r.arena);
        r.channels = calloc(UINT16_MAX + 1, sizeof *r.channels);
        if (status == GB_OK && !r.channels)
            status = gb_fail(GB_ERR_MEMORY, "%s: no memory for its channels", source->path);
        if (status == GB_OK)
            status = read_foreign(&r);
        if (r.channels)
            close_channels(&r);
        gb_arena_destroy(r.arena);
    }
    gb_mcap_reader_destroy(r.file);
    return status;
}

/* ---- a map for a file nobody described ---------------------------------------------------------
 */

static gb_status guess_mcap(const char *path,
                            const gb_ingest_options *options,
                            gb_arena *arena,
                            const char **out_yaml)
{
    (void)options;
    gb_bytes_in *bytes = NULL;
    gb_mcap_reader *file = NULL;
    GB_TRY(gb_bytes_in_file(path, &bytes));
    GB_TRY(gb_mcap_reader_create(bytes, &file));
    char *text =
        gb_arena_format(arena, "name: robot\nreader: mcap\nfiles: [\"*.mcap\"]\n"
                               "# Without streams, every field of every topic becomes one, named "
                               "after it. To choose:\n# streams:\n");
    for (int i = 0; text && i < gb_mcap_reader_channel_count(file); i++) {
        const gb_mcap_channel *found = gb_mcap_reader_channel_at(file, i);
        const gb_mcap_schema *schema = gb_mcap_reader_schema(file, found->schema_id);
        text = gb_arena_format(arena, "%s#   - {name: topic%d, source: \"%s\"} # %s\n", text, i,
                               found->topic, schema ? schema->name : found->encoding);
    }
    gb_mcap_reader_destroy(file);
    if (!text)
        return GB_ERR_MEMORY;
    *out_yaml = text;
    return GB_OK;
}

static const char *const ends[] = {".mcap", ".mcap.part", NULL};

const gb_reader gb_reader_mcap = {"mcap", false, ends, read_mcap, guess_mcap};
