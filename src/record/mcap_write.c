/* Writes MCAP files: takes schemas, channels, messages, attachments and metadata and puts each
 * where it belongs. Not for what messages hold (recording files, ingest). */
#include <stdlib.h>
#include <string.h>

#include "base/crc32.h"
#include "record/mcap_write.h"

enum {
    CHUNK_LEAST = 1 << 10,
    CHUNK_MOST = 256 << 20,
    LEVEL_LEAST = -7,
    LEVEL_MOST = 19,
    IDS = 65536,
    SCHEMA_KNOWN = 1,
    CHANNEL_KNOWN = 2
};

gb_mcap_writer_options gb_mcap_writer_options_defaults(void)
{
    return (gb_mcap_writer_options){
        .profile = "",
        .library = NULL,
        .chunked = true,
        .compression = GB_COMPRESSION_ZSTD,
        .level = 1,
        .chunk_bytes = 1 << 20,
        .crcs = true,
        .indexes = true,
    };
}

gb_status gb_mcap_writer_fail(gb_mcap_writer *writer, gb_status status)
{
    if (writer->failed == GB_OK)
        writer->failed = status;
    return status;
}

gb_status gb_mcap_emit(gb_mcap_writer *writer, const void *data, size_t size)
{
    if (writer->options.crcs)
        writer->data_crc = gb_crc32(writer->data_crc, data, size);
    gb_status status = writer->to->write(writer->to, data, size);
    if (status != GB_OK)
        return gb_mcap_writer_fail(writer, status);
    writer->at += size;
    return GB_OK;
}

/* ---- begin and end ---- */

static void free_writer(gb_mcap_writer *writer)
{
    gb_mcap_drafts_free(writer);
    gb_mcap_buffer_free(&writer->record);
    gb_mcap_buffer_free(&writer->head);
    gb_mcap_buffer_free(&writer->schemas);
    gb_mcap_buffer_free(&writer->channels);
    gb_mcap_buffer_free(&writer->chunk_index);
    gb_mcap_buffer_free(&writer->attachment_index);
    gb_mcap_buffer_free(&writer->metadata_index);
    free(writer->counts);
    free(writer->known);
    free(writer);
}

void gb_mcap_writer_abandon(gb_mcap_writer *writer)
{
    if (writer == NULL)
        return;
    writer->to->abandon(writer->to);
    free_writer(writer);
}

static gb_status check_options(const gb_mcap_writer_options *options)
{
    if ((unsigned)options->compression > GB_COMPRESSION_ZSTD)
        return gb_fail(GB_ERR_ARGUMENT, "compression %d is none of none, lz4 and zstd",
                       (int)options->compression);
    if (options->level < LEVEL_LEAST || options->level > LEVEL_MOST)
        return gb_fail(GB_ERR_ARGUMENT, "level %d of zstd is not one of %d..%d", options->level,
                       LEVEL_LEAST, LEVEL_MOST);
    if (options->chunk_bytes < CHUNK_LEAST || options->chunk_bytes > CHUNK_MOST)
        return gb_fail(GB_ERR_ARGUMENT, "a chunk of %zu bytes is not in %d..%d",
                       options->chunk_bytes, CHUNK_LEAST, CHUNK_MOST);
    return GB_OK;
}

static gb_status write_header(gb_mcap_writer *writer)
{
    char library[64] = "genba ";
    strncat(library, gb_version(), sizeof library - sizeof "genba ");
    const char *named = writer->options.library;
    gb_mcap_buffer *record = &writer->record;
    record->size = 0;
    gb_mcap_put_bytes(record, gb_mcap_magic, GB_MCAP_MAGIC_BYTES);
    size_t begin = gb_mcap_put_begin(record, GB_MCAP_HEADER);
    gb_mcap_put_text(record, writer->options.profile);
    gb_mcap_put_text(record, named == NULL ? library : named);
    gb_mcap_put_end(record, begin);
    if (record->failed)
        return gb_fail(GB_ERR_MEMORY, "cannot get memory to write an MCAP file");
    return gb_mcap_emit(writer, record->data, record->size);
}

static gb_status begin(gb_mcap_writer *writer, const gb_mcap_writer_options *options)
{
    GB_TRY(check_options(options));
    writer->options = *options;
    writer->next_schema = 1;
    writer->counts = calloc(IDS, sizeof *writer->counts);
    writer->known = calloc(IDS, sizeof *writer->known);
    if (writer->counts == NULL || writer->known == NULL)
        return gb_fail(GB_ERR_MEMORY, "cannot get memory to write an MCAP file");
    if (options->chunked)
        GB_TRY(gb_mcap_drafts_create(writer));
    GB_TRY(write_header(writer));
    writer->options.profile = writer->options.library = NULL; /* borrowed until now */
    return GB_OK;
}

gb_status
gb_mcap_writer_create(gb_bytes_out *to, const gb_mcap_writer_options *options, gb_mcap_writer **out)
{
    gb_mcap_writer_options defaults = gb_mcap_writer_options_defaults();
    gb_mcap_writer *writer = calloc(1, sizeof *writer);
    if (writer == NULL) {
        to->abandon(to);
        return gb_fail(GB_ERR_MEMORY, "cannot get memory to write an MCAP file");
    }
    writer->to = to;
    gb_status status = begin(writer, options == NULL ? &defaults : options);
    if (status != GB_OK) {
        gb_mcap_writer_abandon(writer);
        return status;
    }
    *out = writer;
    return GB_OK;
}

gb_status gb_mcap_writer_flush(gb_mcap_writer *writer)
{
    if (writer->failed != GB_OK)
        return writer->failed;
    return writer->options.chunked ? gb_mcap_write_chunks(writer, true) : GB_OK;
}

gb_status gb_mcap_writer_finish(gb_mcap_writer *writer)
{
    gb_status status = gb_mcap_writer_flush(writer);
    if (status == GB_OK)
        status = gb_mcap_write_end(writer);
    if (status == GB_OK)
        status = writer->to->close(writer->to);
    else
        writer->to->abandon(writer->to);
    free_writer(writer);
    return status;
}

/* ---- schemas and channels: into the chunk or the data, and again into the summary ---- */

static gb_status put_definition(gb_mcap_writer *writer, gb_mcap_buffer *summary)
{
    gb_mcap_buffer *record = &writer->record;
    if (!record->failed && record->size > GB_MCAP_TABLE_LIMIT)
        return gb_fail(GB_ERR_ARGUMENT, "a schema or channel is longer than %d bytes",
                       GB_MCAP_TABLE_LIMIT);
    if (writer->options.indexes)
        gb_mcap_put_bytes(summary, record->data, record->size);
    if (record->failed || summary->failed)
        return gb_mcap_writer_fail(
            writer, gb_fail(GB_ERR_MEMORY, "cannot get memory for a schema or channel"));
    if (!writer->options.chunked)
        return gb_mcap_emit(writer, record->data, record->size);
    gb_mcap_draft *draft = NULL;
    GB_TRY(gb_mcap_open_chunk(writer, record->size, &draft));
    gb_mcap_put_bytes(&draft->records, record->data, record->size);
    return GB_OK;
}

gb_status gb_mcap_put_schema(gb_mcap_writer *writer, const gb_mcap_schema *schema)
{
    if (writer->failed != GB_OK)
        return writer->failed;
    if (schema->id == 0 || (writer->known[schema->id] & SCHEMA_KNOWN))
        return gb_fail(GB_ERR_ARGUMENT, "schema %u: the id is 0 or taken", schema->id);
    if (schema->size > GB_MCAP_TABLE_LIMIT)
        return gb_fail(GB_ERR_ARGUMENT, "schema \"%s\" is longer than %d bytes", schema->name,
                       GB_MCAP_TABLE_LIMIT);
    gb_mcap_buffer *record = &writer->record;
    record->size = 0;
    size_t start = gb_mcap_put_begin(record, GB_MCAP_SCHEMA);
    gb_mcap_put_u16(record, schema->id);
    gb_mcap_put_text(record, schema->name);
    gb_mcap_put_text(record, schema->encoding);
    gb_mcap_put_u32(record, (uint32_t)schema->size);
    gb_mcap_put_bytes(record, schema->data, schema->size);
    gb_mcap_put_end(record, start);
    GB_TRY(put_definition(writer, &writer->schemas));
    writer->known[schema->id] |= SCHEMA_KNOWN;
    writer->statistics.schema_count++;
    return GB_OK;
}

gb_status gb_mcap_put_channel(gb_mcap_writer *writer, const gb_mcap_channel *channel)
{
    if (writer->failed != GB_OK)
        return writer->failed;
    if (writer->known[channel->id] & CHANNEL_KNOWN)
        return gb_fail(GB_ERR_ARGUMENT, "channel %u: the id is taken", channel->id);
    if (channel->schema_id != 0 && !(writer->known[channel->schema_id] & SCHEMA_KNOWN))
        return gb_fail(GB_ERR_ARGUMENT,
                       "channel \"%s\": there is no schema %u; write it before the channel",
                       channel->topic, channel->schema_id);
    gb_mcap_buffer *record = &writer->record;
    record->size = 0;
    size_t start = gb_mcap_put_begin(record, GB_MCAP_CHANNEL);
    gb_mcap_put_u16(record, channel->id);
    gb_mcap_put_u16(record, channel->schema_id);
    gb_mcap_put_text(record, channel->topic);
    gb_mcap_put_text(record, channel->encoding);
    gb_mcap_put_pairs(record, channel->pairs, channel->pair_count);
    gb_mcap_put_end(record, start);
    GB_TRY(put_definition(writer, &writer->channels));
    writer->known[channel->id] |= CHANNEL_KNOWN;
    writer->last_channel = channel->id > writer->last_channel ? channel->id : writer->last_channel;
    writer->statistics.channel_count++;
    return GB_OK;
}

gb_status
gb_mcap_write_schema(gb_mcap_writer *writer, const gb_mcap_schema *schema, uint16_t *out_id)
{
    if (writer->next_schema >= IDS)
        return gb_fail(GB_ERR_ARGUMENT, "an MCAP file holds at most 65535 schemas");
    gb_mcap_schema with_id = *schema;
    with_id.id = (uint16_t)writer->next_schema;
    GB_TRY(gb_mcap_put_schema(writer, &with_id));
    writer->next_schema++;
    *out_id = with_id.id;
    return GB_OK;
}

gb_status
gb_mcap_write_channel(gb_mcap_writer *writer, const gb_mcap_channel *channel, uint16_t *out_id)
{
    if (writer->next_channel >= IDS)
        return gb_fail(GB_ERR_ARGUMENT, "an MCAP file holds at most 65536 channels");
    gb_mcap_channel with_id = *channel;
    with_id.id = (uint16_t)writer->next_channel;
    GB_TRY(gb_mcap_put_channel(writer, &with_id));
    writer->next_channel++;
    *out_id = with_id.id;
    return GB_OK;
}

/* ---- messages ---- */

static void count_message(gb_mcap_writer *writer, const gb_mcap_message *message)
{
    gb_mcap_statistics *s = &writer->statistics;
    uint64_t time = message->log_time_ns;
    s->first_time_ns = s->message_count == 0 || time < s->first_time_ns ? time : s->first_time_ns;
    s->last_time_ns = time > s->last_time_ns ? time : s->last_time_ns;
    s->message_count++;
    writer->counts[message->channel_id]++;
}

static gb_status write_loose(gb_mcap_writer *writer,
                             const gb_mcap_message *message,
                             const gb_piece *parts,
                             int count,
                             size_t size)
{
    gb_mcap_buffer *record = &writer->record;
    record->size = 0;
    gb_mcap_put_message_head(record, message, size);
    if (record->failed)
        return gb_mcap_writer_fail(writer,
                                   gb_fail(GB_ERR_MEMORY, "cannot get memory for a message"));
    GB_TRY(gb_mcap_emit(writer, record->data, record->size));
    for (int i = 0; i < count; i++)
        GB_TRY(gb_mcap_emit(writer, parts[i].data, parts[i].size));
    return GB_OK;
}

gb_status gb_mcap_write_message_pieces(gb_mcap_writer *writer,
                                       const gb_mcap_message *message,
                                       const gb_piece *parts,
                                       int count)
{
    const size_t limit = GB_MCAP_CHUNK_LIMIT - GB_MCAP_HEAD_BYTES - GB_MCAP_MESSAGE_BYTES;
    if (writer->failed != GB_OK)
        return writer->failed;
    if (!(writer->known[message->channel_id] & CHANNEL_KNOWN))
        return gb_fail(GB_ERR_ARGUMENT, "there is no channel %u; write it before its messages",
                       message->channel_id);
    size_t size = 0;
    for (int i = 0; i < count; i++) {
        if (parts[i].size > limit - size)
            return gb_fail(GB_ERR_ARGUMENT,
                           "a message on channel %u is longer than %zu bytes; part it",
                           message->channel_id, limit);
        size += parts[i].size;
    }
    GB_TRY(writer->options.chunked ? gb_mcap_chunk_message(writer, message, parts, count, size)
                                   : write_loose(writer, message, parts, count, size));
    count_message(writer, message);
    return GB_OK;
}

gb_status gb_mcap_write_message(gb_mcap_writer *writer, const gb_mcap_message *message)
{
    gb_piece whole = {message->data, message->size};
    return gb_mcap_write_message_pieces(writer, message, &whole, 1);
}

/* ---- attachments and metadata: behind the chunks that are full, between them and the open one */

static gb_status before_loose_record(gb_mcap_writer *writer)
{
    if (writer->failed != GB_OK)
        return writer->failed;
    writer->record.size = 0;
    return writer->options.chunked ? gb_mcap_write_chunks(writer, false) : GB_OK;
}

static gb_status no_memory(gb_mcap_writer *writer, const char *name)
{
    return gb_mcap_writer_fail(writer,
                               gb_fail(GB_ERR_MEMORY, "cannot get memory for \"%s\"", name));
}

static void index_attachment(gb_mcap_writer *writer,
                             const gb_mcap_attachment *attachment,
                             uint64_t at,
                             uint64_t length)
{
    gb_mcap_buffer *index = &writer->attachment_index;
    size_t start = gb_mcap_put_begin(index, GB_MCAP_ATTACHMENT_INDEX);
    gb_mcap_put_u64(index, at);
    gb_mcap_put_u64(index, length);
    gb_mcap_put_u64(index, attachment->log_time_ns);
    gb_mcap_put_u64(index, attachment->create_time_ns);
    gb_mcap_put_u64(index, attachment->size);
    gb_mcap_put_text(index, attachment->name);
    gb_mcap_put_text(index, attachment->media_type);
    gb_mcap_put_end(index, start);
}

gb_status gb_mcap_write_attachment(gb_mcap_writer *writer, const gb_mcap_attachment *attachment)
{
    GB_TRY(before_loose_record(writer));
    uint64_t at = writer->at;
    gb_mcap_buffer *record = &writer->record;
    size_t start = gb_mcap_put_begin(record, GB_MCAP_ATTACHMENT);
    gb_mcap_put_u64(record, attachment->log_time_ns);
    gb_mcap_put_u64(record, attachment->create_time_ns);
    gb_mcap_put_text(record, attachment->name);
    gb_mcap_put_text(record, attachment->media_type);
    gb_mcap_put_u64(record, attachment->size);
    gb_mcap_put_end(record, start);
    if (record->failed)
        return no_memory(writer, attachment->name);
    /* The body goes on behind what is in the buffer: data and a checksum. */
    gb_mcap_cursor length = gb_mcap_cursor_over(record->data + start + 1, 8);
    uint64_t body = gb_mcap_get_u64(&length) + attachment->size + 4;
    for (int i = 0; i < 8; i++)
        record->data[start + 1 + (size_t)i] = (unsigned char)(body >> 8 * i);
    uint32_t crc = 0;
    if (writer->options.crcs) {
        crc = gb_crc32(0, record->data + GB_MCAP_HEAD_BYTES, record->size - GB_MCAP_HEAD_BYTES);
        crc = gb_crc32(crc, attachment->data, (size_t)attachment->size);
    }
    GB_TRY(gb_mcap_emit(writer, record->data, record->size));
    GB_TRY(gb_mcap_emit(writer, attachment->data, (size_t)attachment->size));
    record->size = 0;
    gb_mcap_put_u32(record, crc);
    GB_TRY(gb_mcap_emit(writer, record->data, record->size));
    index_attachment(writer, attachment, at, writer->at - at);
    writer->statistics.attachment_count++;
    return writer->attachment_index.failed ? no_memory(writer, attachment->name) : GB_OK;
}

gb_status gb_mcap_write_metadata(gb_mcap_writer *writer, const gb_mcap_metadata *metadata)
{
    GB_TRY(before_loose_record(writer));
    uint64_t at = writer->at;
    gb_mcap_buffer *record = &writer->record, *index = &writer->metadata_index;
    size_t start = gb_mcap_put_begin(record, GB_MCAP_METADATA);
    gb_mcap_put_text(record, metadata->name);
    gb_mcap_put_pairs(record, metadata->pairs, metadata->pair_count);
    gb_mcap_put_end(record, start);
    if (record->failed)
        return no_memory(writer, metadata->name);
    GB_TRY(gb_mcap_emit(writer, record->data, record->size));
    start = gb_mcap_put_begin(index, GB_MCAP_METADATA_INDEX);
    gb_mcap_put_u64(index, at);
    gb_mcap_put_u64(index, writer->at - at);
    gb_mcap_put_text(index, metadata->name);
    gb_mcap_put_end(index, start);
    writer->statistics.metadata_count++;
    return index->failed ? no_memory(writer, metadata->name) : GB_OK;
}
