/* One recording on its way to a file: batches of samples in memory, counts of what they are, and
 * the MCAP messages they become. Where the file lies is the sink's business (recording_sink.c). */
#include "record/recording_file.h"
#include "record/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCH_SAMPLES = 16384,   /* most samples of a message */
    BATCH_BYTES = 256 << 10, /* of values, unless one sample is larger */
    FIRST_SAMPLES = 16
};

typedef struct writer_stream {
    gb_stream_spec spec; /* texts in the writer's arena */
    gb_message_kind kind;
    int64_t limit;     /* samples of a full batch */
    size_t each;       /* bytes of one sample's values; 0 for BYTES */
    uint16_t channel;  /* once open */
    uint32_t sequence; /* messages so far */
    int64_t count, room;
    int64_t *time_ns;
    unsigned char *values;
    uint8_t *quality, *reason;
    gb_stream_tally tally;
} writer_stream;

/* A message in the spill. */
typedef struct waiting {
    gb_spilled message;
    uint64_t log_time_ns;
    int stream;
} waiting;

struct gb_recording_writer {
    gb_recording_host *host;
    void *mark;
    gb_arena *arena;
    gb_recording_info info;
    gb_mcap_writer *mcap;                    /* NULL until open */
    uint16_t schemas[GB_MESSAGE_KIND_COUNT]; /* 0: not yet written */
    bool has_zero;
    int64_t zero_ns; /* the time that log time 0 stands for */
    writer_stream **streams;
    int count, room;
    size_t held;
    gb_spill *spill;
    waiting *waits; /* [wait_count] */
    size_t wait_count, wait_room;
};

static gb_status no_memory(const gb_recording_writer *writer)
{
    return gb_fail(GB_ERR_MEMORY, "no memory to write recording %s", writer->info.name);
}

gb_status gb_recording_writer_create(gb_recording_host *host,
                                     const gb_recording_info *info,
                                     void *mark,
                                     gb_recording_writer **out)
{
    gb_recording_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return gb_fail(GB_ERR_MEMORY, "no memory to write recording %s", info->name);
    writer->host = host;
    writer->mark = mark;
    gb_status status = gb_arena_create(0, &writer->arena);
    if (status == GB_OK)
        status = gb_recording_info_copy(writer->arena, info, &writer->info);
    if (status != GB_OK) {
        gb_recording_writer_destroy(writer);
        return status;
    }
    *out = writer;
    return GB_OK;
}

static void free_batch(gb_recording_writer *writer, writer_stream *stream)
{
    writer->held -= (size_t)stream->room * (stream->each + 10);
    free(stream->time_ns);
    free(stream->values);
    free(stream->quality);
    free(stream->reason);
    stream->time_ns = NULL;
    stream->values = NULL;
    stream->quality = stream->reason = NULL;
    stream->count = stream->room = 0;
}

void gb_recording_writer_destroy(gb_recording_writer *writer)
{
    if (!writer)
        return;
    gb_mcap_writer_abandon(writer->mcap);
    for (int i = 0; i < writer->count; i++) {
        free_batch(writer, writer->streams[i]);
        free(writer->streams[i]);
    }
    free(writer->streams);
    free(writer->waits);
    gb_arena_destroy(writer->arena);
    free(writer);
}

/* ---- the file ---- */

static gb_status write_schema(gb_recording_writer *writer, gb_message_kind kind)
{
    if (writer->schemas[kind])
        return GB_OK;
    const gb_message_schema *from = gb_message_schema_of(kind);
    gb_mcap_schema schema = {
        .name = from->name, .encoding = "protobuf", .data = from->descriptor, .size = from->size};
    return gb_mcap_write_schema(writer->mcap, &schema, &writer->schemas[kind]);
}

static gb_status write_channel(gb_recording_writer *writer, writer_stream *stream)
{
    gb_arena *arena = NULL;
    gb_mcap_channel channel = {.topic = stream->spec.name, .encoding = "protobuf"};
    GB_TRY(write_schema(writer, stream->kind));
    channel.schema_id = writer->schemas[stream->kind];
    GB_TRY(gb_arena_create(0, &arena));
    gb_status status =
        gb_stream_spec_to_pairs(&stream->spec, arena, &channel.pairs, &channel.pair_count);
    if (status == GB_OK)
        status = gb_mcap_write_channel(writer->mcap, &channel, &stream->channel);
    gb_arena_destroy(arena);
    return status;
}

static gb_status write_info(gb_recording_writer *writer)
{
    const gb_pair *pairs = NULL;
    int count = 0;
    GB_TRY(
        gb_recording_info_to_pairs(&writer->info, writer->zero_ns, writer->arena, &pairs, &count));
    gb_mcap_metadata metadata = {GB_RECORDING_METADATA, pairs, count};
    return gb_mcap_write_metadata(writer->mcap, &metadata);
}

static gb_status write_now(gb_recording_writer *writer,
                           writer_stream *stream,
                           uint64_t log_time_ns,
                           const gb_piece *pieces,
                           int count)
{
    gb_mcap_message message = {.channel_id = stream->channel,
                               .sequence = stream->sequence++,
                               .log_time_ns = log_time_ns,
                               .publish_time_ns = log_time_ns};
    for (int i = 0; i < count; i++)
        message.size += pieces[i].size;
    return gb_mcap_write_message_pieces(writer->mcap, &message, pieces, count);
}

/* What waited in the spill comes before all else of the file. */
static gb_status write_waiting(gb_recording_writer *writer)
{
    unsigned char *data = NULL;
    size_t room = 0;
    for (size_t i = 0; i < writer->wait_count; i++)
        room = writer->waits[i].message.size > room ? writer->waits[i].message.size : room;
    if (room > 0 && !(data = malloc(room)))
        return no_memory(writer);
    gb_status status = GB_OK;
    for (size_t i = 0; status == GB_OK && i < writer->wait_count; i++) {
        const waiting *next = &writer->waits[i];
        gb_piece piece = {data, next->message.size};
        status = gb_spill_read(writer->spill, &next->message, data);
        if (status == GB_OK)
            status = write_now(writer, writer->streams[next->stream], next->log_time_ns, &piece, 1);
    }
    free(data);
    if (status == GB_OK)
        writer->wait_count = 0;
    return status;
}

gb_status gb_recording_writer_open(gb_recording_writer *writer,
                                   gb_bytes_out *to,
                                   const gb_recording_file_options *options)
{
    gb_mcap_writer_options mcap = gb_mcap_writer_options_defaults();
    mcap.profile = "genba";
    mcap.compression = options->compression;
    mcap.level = options->level;
    mcap.chunk_bytes = options->chunk_bytes;
    mcap.pool = options->pool;
    GB_TRY(gb_mcap_writer_create(to, &mcap, &writer->mcap));
    writer->has_zero = true;
    GB_TRY(write_info(writer));
    for (int i = 0; i < writer->count; i++)
        GB_TRY(write_channel(writer, writer->streams[i]));
    return write_waiting(writer);
}

bool gb_recording_writer_is_open(const gb_recording_writer *writer)
{
    return writer->mcap != NULL;
}

/* MCAP times have no sign. A recording that begins before 0 counts from its first sample; what lies
 * before that stands at 0. The messages hold the true times. */
static uint64_t log_time(gb_recording_writer *writer, int64_t time_ns)
{
    if (!writer->has_zero) {
        writer->has_zero = true;
        writer->zero_ns = time_ns < 0 ? time_ns : 0;
    }
    return time_ns < writer->zero_ns ? 0 : (uint64_t)time_ns - (uint64_t)writer->zero_ns;
}

static gb_status
wait(gb_recording_writer *writer, int stream, uint64_t log_time_ns, const gb_encoded *encoded)
{
    if (writer->wait_count == writer->wait_room) {
        size_t room = writer->wait_room ? 2 * writer->wait_room : 8;
        waiting *grown = realloc(writer->waits, room * sizeof *grown);
        if (!grown)
            return no_memory(writer);
        writer->waits = grown;
        writer->wait_room = room;
    }
    waiting *next = &writer->waits[writer->wait_count];
    *next = (waiting){.log_time_ns = log_time_ns, .stream = stream};
    GB_TRY(gb_spill_write(writer->spill, encoded, &next->message));
    writer->wait_count++;
    return GB_OK;
}

static gb_status
put(gb_recording_writer *writer, int stream, int64_t time_ns, const gb_encoded *encoded)
{
    uint64_t log_time_ns = log_time(writer, time_ns);
    if (!writer->mcap)
        GB_TRY(writer->host->full(writer->host, writer, &writer->spill));
    if (!writer->mcap)
        return wait(writer, stream, log_time_ns, encoded);
    return write_now(writer, writer->streams[stream], log_time_ns, encoded->pieces, encoded->count);
}

/* ---- samples ---- */

gb_status
gb_recording_writer_stream(gb_recording_writer *writer, const gb_stream_spec *spec, int *out_stream)
{
    for (int i = 0; i < writer->count; i++)
        if (strcmp(writer->streams[i]->spec.name, spec->name) == 0)
            return gb_fail(GB_ERR_ARGUMENT, "recording %s has a stream called %s already",
                           writer->info.name, spec->name);
    if (writer->count == GB_STREAMS_MAX)
        return gb_fail(GB_ERR_ARGUMENT, "recording %s: more than %d streams", writer->info.name,
                       GB_STREAMS_MAX);
    if (writer->count == writer->room) {
        int room = writer->room ? 2 * writer->room : 8;
        writer_stream **grown = realloc(writer->streams, (size_t)room * sizeof *grown);
        if (!grown)
            return no_memory(writer);
        writer->streams = grown;
        writer->room = room;
    }
    writer_stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return no_memory(writer);
    gb_status status = gb_stream_spec_copy(writer->arena, spec, &stream->spec);
    stream->kind = gb_message_kind_of(spec);
    stream->each = (size_t)gb_stream_spec_size(spec) * gb_value_type_bytes(spec->value_type);
    int64_t fit = stream->each ? (int64_t)(BATCH_BYTES / stream->each) : 1;
    stream->limit = fit < 1 ? 1 : fit > BATCH_SAMPLES ? BATCH_SAMPLES : fit;
    if (status == GB_OK && writer->mcap)
        status = write_channel(writer, stream);
    if (status != GB_OK) {
        free(stream);
        return status;
    }
    writer->streams[writer->count] = stream;
    *out_stream = writer->count++;
    return GB_OK;
}

#define ANY_NAN(c_type)                                                                            \
    const c_type *typed = values;                                                                  \
    int found = 0;                                                                                 \
    for (int64_t i = 0; i < count; i++)                                                            \
        found |= typed[i] != typed[i];                                                             \
    return found != 0

static bool any_nan_f32(const void *values, int64_t count)
{
    ANY_NAN(float);
}

static bool any_nan_f64(const void *values, int64_t count)
{
    ANY_NAN(double);
}
#undef ANY_NAN

/* A sample with a NaN is missing, as in memory: both say the same of a sample. */
static void mark_missing(const writer_stream *stream, gb_samples *slice, uint8_t *scratch)
{
    gb_value_type type = stream->spec.value_type;
    bool (*any)(const void *, int64_t) = type == GB_VALUE_F32   ? any_nan_f32
                                         : type == GB_VALUE_F64 ? any_nan_f64
                                                                : NULL;
    int64_t size = gb_stream_spec_size(&stream->spec);
    if (!any || !any(slice->values, slice->count * size))
        return;
    for (int64_t i = 0; i < slice->count; i++) {
        const unsigned char *sample =
            (const unsigned char *)slice->values + (size_t)i * stream->each;
        scratch[i] = any(sample, size) ? GB_QUALITY_MISSING
                     : slice->quality  ? slice->quality[i]
                                       : GB_QUALITY_GOOD;
    }
    slice->quality = scratch;
}

static gb_status count_slice(writer_stream *stream, const gb_samples *slice)
{
    gb_stream_tally *tally = &stream->tally;
    if (tally->samples == 0)
        tally->first_ns = tally->last_ns = slice->time_ns[0];
    for (int64_t i = 0; i < slice->count; i++) {
        int64_t time_ns = slice->time_ns[i];
        uint8_t quality = slice->quality ? slice->quality[i] : GB_QUALITY_GOOD;
        if (quality > GB_QUALITY_MISSING || (slice->reason && slice->reason[i] >= GB_REASON_COUNT))
            return gb_fail(GB_ERR_ARGUMENT, "stream %s: quality %d or reason %d is unknown",
                           stream->spec.name, quality, slice->reason ? slice->reason[i] : 0);
        tally->of_quality[quality]++;
        tally->first_ns = time_ns < tally->first_ns ? time_ns : tally->first_ns;
        tally->last_ns = time_ns > tally->last_ns ? time_ns : tally->last_ns;
    }
    tally->samples += slice->count;
    return GB_OK;
}

static gb_status reserve(gb_recording_writer *writer, writer_stream *stream, int64_t need)
{
    if (need <= stream->room)
        return GB_OK;
    int64_t room = stream->room ? 2 * stream->room : FIRST_SAMPLES;
    room = room < need ? need : room;
    room = room > stream->limit ? stream->limit : room;
    int64_t *time_ns = realloc(stream->time_ns, (size_t)room * sizeof *time_ns);
    if (time_ns)
        stream->time_ns = time_ns;
    unsigned char *values = realloc(stream->values, (size_t)room * stream->each);
    if (values)
        stream->values = values;
    uint8_t *quality = realloc(stream->quality, (size_t)room);
    if (quality)
        stream->quality = quality;
    uint8_t *reason = realloc(stream->reason, (size_t)room);
    if (reason)
        stream->reason = reason;
    if (!time_ns || !values || !quality || !reason)
        return no_memory(writer);
    writer->held += (size_t)(room - stream->room) * (stream->each + 10);
    stream->room = room;
    return GB_OK;
}

static gb_status flush_batch(gb_recording_writer *writer, int number)
{
    writer_stream *stream = writer->streams[number];
    if (stream->count == 0)
        return GB_OK;
    gb_samples batch = {.count = stream->count,
                        .time_ns = stream->time_ns,
                        .values = stream->values,
                        .quality = stream->quality,
                        .reason = stream->reason};
    gb_encoded encoded;
    gb_encode_samples(&stream->spec, &batch, &encoded);
    GB_TRY(put(writer, number, batch.time_ns[0], &encoded));
    stream->count = 0;
    return GB_OK;
}

static gb_status keep(gb_recording_writer *writer, int number, const gb_samples *slice)
{
    writer_stream *stream = writer->streams[number];
    GB_TRY(reserve(writer, stream, stream->count + slice->count));
    size_t count = (size_t)slice->count, at = (size_t)stream->count;
    memcpy(stream->time_ns + at, slice->time_ns, count * sizeof *slice->time_ns);
    memcpy(stream->values + at * stream->each, slice->values, count * stream->each);
    if (slice->quality)
        memcpy(stream->quality + at, slice->quality, count);
    else
        memset(stream->quality + at, GB_QUALITY_GOOD, count);
    if (slice->reason)
        memcpy(stream->reason + at, slice->reason, count);
    else
        memset(stream->reason + at, GB_REASON_NONE, count);
    stream->count += slice->count;
    return stream->count == stream->limit ? flush_batch(writer, number) : GB_OK;
}

static gb_status append_numbers(gb_recording_writer *writer, int number, const gb_samples *all)
{
    writer_stream *stream = writer->streams[number];
    uint8_t scratch[BATCH_SAMPLES];
    for (int64_t at = 0, taken = 0; at < all->count; at += taken) {
        int64_t left = all->count - at, free_room = stream->limit - stream->count;
        taken = left < free_room ? left : free_room;
        gb_samples slice = {.count = taken, .time_ns = all->time_ns + at};
        slice.values = (const unsigned char *)all->values + (size_t)at * stream->each;
        slice.quality = all->quality ? all->quality + at : NULL;
        slice.reason = all->reason ? all->reason + at : NULL;
        mark_missing(stream, &slice, scratch);
        GB_TRY(count_slice(stream, &slice));
        if (taken < stream->limit) {
            GB_TRY(keep(writer, number, &slice));
            continue;
        }
        gb_encoded encoded; /* a full batch needs no copy */
        gb_encode_samples(&stream->spec, &slice, &encoded);
        GB_TRY(put(writer, number, slice.time_ns[0], &encoded));
    }
    return GB_OK;
}

static gb_status append_each(gb_recording_writer *writer, int number, const gb_samples *all)
{
    writer_stream *stream = writer->streams[number];
    for (int64_t i = 0; i < all->count; i++) {
        uint8_t scratch = 0;
        gb_samples one = {.count = 1, .time_ns = all->time_ns + i};
        one.quality = all->quality ? all->quality + i : NULL;
        one.reason = all->reason ? all->reason + i : NULL;
        const void *data = all->runs ? all->runs[i] : NULL;
        if (stream->each > 0) {
            data = (const unsigned char *)all->values + (size_t)i * stream->each;
            one.values = data;
            mark_missing(stream, &one, &scratch);
        }
        GB_TRY(count_slice(stream, &one));
        gb_encoded encoded;
        gb_encode_one(stream->kind, &stream->spec, all->time_ns[i], data,
                      stream->each > 0 ? stream->each : all->run_sizes[i],
                      one.quality ? *one.quality : GB_QUALITY_GOOD,
                      one.reason ? *one.reason : GB_REASON_NONE, &encoded);
        GB_TRY(put(writer, number, all->time_ns[i], &encoded));
    }
    return GB_OK;
}

gb_status
gb_recording_writer_append(gb_recording_writer *writer, int stream, const gb_samples *samples)
{
    if (stream < 0 || stream >= writer->count)
        return gb_fail(GB_ERR_ARGUMENT, "recording %s has no stream %d", writer->info.name, stream);
    const writer_stream *to = writer->streams[stream];
    bool runs = to->spec.value_type == GB_VALUE_BYTES;
    if (samples->count < 0 || !samples->time_ns ||
        (runs ? !samples->runs || !samples->run_sizes : !samples->values))
        return gb_fail(GB_ERR_ARGUMENT, "stream %s: samples without times or values",
                       to->spec.name);
    return to->kind == GB_MESSAGE_SAMPLES ? append_numbers(writer, stream, samples)
                                          : append_each(writer, stream, samples);
}

gb_status gb_recording_writer_attach(gb_recording_writer *writer,
                                     const char *name,
                                     const char *media_type,
                                     const void *data,
                                     size_t size)
{
    gb_mcap_attachment attachment = {
        .name = name, .media_type = media_type, .data = data, .size = size};
    return gb_mcap_write_attachment(writer->mcap, &attachment);
}

gb_status gb_recording_writer_flush(gb_recording_writer *writer)
{
    for (int i = 0; i < writer->count; i++) {
        GB_TRY(flush_batch(writer, i));
        free_batch(writer, writer->streams[i]);
    }
    return GB_OK;
}

gb_status gb_recording_writer_sync(gb_recording_writer *writer)
{
    GB_TRY(gb_recording_writer_flush(writer));
    return gb_mcap_writer_flush(writer->mcap);
}

/* How many samples each stream has, so that a reader can make room for them at once. */
static gb_status write_counts(gb_recording_writer *writer)
{
    gb_pair *pairs = gb_arena_alloc(writer->arena, (size_t)writer->count * sizeof *pairs);
    if (!pairs)
        return GB_ERR_MEMORY;
    for (int i = 0; i < writer->count; i++) {
        const writer_stream *stream = writer->streams[i];
        pairs[i].key = stream->spec.name;
        pairs[i].value = gb_arena_format(writer->arena, "%lld", (long long)stream->tally.samples);
        if (!pairs[i].value)
            return GB_ERR_MEMORY;
    }
    gb_mcap_metadata metadata = {GB_RECORDING_COUNTS, pairs, writer->count};
    return gb_mcap_write_metadata(writer->mcap, &metadata);
}

gb_status gb_recording_writer_finish(gb_recording_writer *writer)
{
    GB_TRY(gb_recording_writer_flush(writer));
    GB_TRY(write_counts(writer));
    gb_mcap_writer *mcap = writer->mcap;
    writer->mcap = NULL;
    return gb_mcap_writer_finish(mcap);
}

/* ---- looking ---- */

void *gb_recording_writer_mark(const gb_recording_writer *writer)
{
    return writer->mark;
}

size_t gb_recording_writer_held(const gb_recording_writer *writer)
{
    return writer->held;
}

const gb_recording_info *gb_recording_writer_info(const gb_recording_writer *writer)
{
    return &writer->info;
}

int gb_recording_writer_stream_count(const gb_recording_writer *writer)
{
    return writer->count;
}

const gb_stream_spec *gb_recording_writer_spec(const gb_recording_writer *writer, int stream)
{
    return &writer->streams[stream]->spec;
}

const gb_stream_tally *gb_recording_writer_tally(const gb_recording_writer *writer, int stream)
{
    return &writer->streams[stream]->tally;
}
