/* Saves what is whole in a cut or damaged MCAP file: goes through its records from the start, and
 * where the chain of lengths is broken looks for the next record that proves itself. Only what a
 * checksum vouches for, or what was merely cut short, is taken from chunks. Not for mending bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "record/mcap_read.h"
#include "record/mcap_search.h"
#include "record/mcap_write.h"

typedef struct salvage {
    gb_bytes_in *in;
    gb_mcap_writer *writer;
    gb_mcap_table table;
    uint8_t *schema_written, *channel_written; /* [65536] */
    gb_mcap_unpacker unpacker;
    gb_mcap_block block;
    gb_arena *scratch;
    gb_mcap_recovery found;
    bool damaged; /* something was left out */
    bool chunked; /* messages lie in chunks: one outside is a damaged record, unless all is whole */
} salvage;

/* ---- what to write ---- */

static gb_status write_schema(salvage *s, uint16_t id)
{
    const gb_mcap_schema *schema = gb_mcap_table_schema(&s->table, id);
    if (schema == NULL || s->schema_written[id])
        return GB_OK;
    GB_TRY(gb_mcap_put_schema(s->writer, schema));
    s->schema_written[id] = 1;
    return GB_OK;
}

static gb_status write_channel(salvage *s, uint16_t id)
{
    const gb_mcap_channel *channel = gb_mcap_table_channel(&s->table, id);
    if (channel == NULL || s->channel_written[id])
        return GB_OK;
    GB_TRY(write_schema(s, channel->schema_id));
    gb_mcap_channel written = *channel;
    if (channel->schema_id != 0 && !s->schema_written[channel->schema_id]) {
        written.schema_id = 0; /* its schema is lost */
        s->damaged = true;
    }
    GB_TRY(gb_mcap_put_channel(s->writer, &written));
    s->channel_written[id] = 1;
    return GB_OK;
}

static gb_status save_message(salvage *s, gb_mcap_cursor body)
{
    gb_mcap_message message;
    if (!gb_mcap_message_parse(body, &message) ||
        gb_mcap_table_channel(&s->table, message.channel_id) == NULL) {
        s->damaged = true;
        return GB_OK;
    }
    GB_TRY(write_channel(s, message.channel_id));
    GB_TRY(gb_mcap_write_message(s->writer, &message));
    s->found.messages++;
    return GB_OK;
}

static gb_status save_definition(salvage *s, uint64_t at, uint8_t op, gb_mcap_cursor body)
{
    gb_status status = gb_mcap_table_add(&s->table, s->in, at, op, body);
    if (status == GB_ERR_CORRUPT) { /* what was known first stays */
        s->damaged = true;
        return GB_OK;
    }
    return status;
}

/* ---- chunks ---- */

static gb_status save_records(salvage *s, const unsigned char *data, size_t size, uint64_t at)
{
    gb_mcap_cursor records = gb_mcap_cursor_over(data, size), body;
    uint8_t op;
    while (gb_mcap_inner_record(&records, &op, &body)) {
        if (op == GB_MCAP_MESSAGE)
            GB_TRY(save_message(s, body));
        else if (op == GB_MCAP_SCHEMA || op == GB_MCAP_CHANNEL)
            GB_TRY(save_definition(s, at, op, body));
    }
    s->damaged = s->damaged || records.over;
    return GB_OK;
}

/* The last chunk of a file that ends within it: there is no checksum of a part. */
static gb_status save_cut_chunk(salvage *s, uint64_t at, const gb_mcap_chunk *chunk)
{
    s->damaged = true;
    s->found.chunks_damaged++;
    if (chunk->compression == GB_COMPRESSION_NONE)
        return save_records(s, chunk->packed, chunk->packed_size, at);
    const char *why = NULL;
    gb_status status = gb_mcap_unpack(&s->unpacker, chunk, &s->block.owned, &why);
    if (status == GB_ERR_MEMORY)
        return gb_fail(status, "%s: byte %llu: %s", s->in->origin, (unsigned long long)at, why);
    return save_records(s, s->block.owned.data, s->block.owned.size, at);
}

static gb_status save_chunk(salvage *s, const gb_mcap_record *record)
{
    gb_status status = gb_mcap_block_load(s->in, &s->unpacker, record, &s->block, NULL);
    if (status == GB_ERR_CORRUPT || status == GB_ERR_UNSUPPORTED) {
        s->damaged = true;
        s->found.chunks_damaged++;
        return GB_OK;
    }
    GB_TRY(status);
    s->found.chunks++;
    return save_records(s, s->block.data, s->block.size, record->at);
}

/* ---- other records ---- */

static gb_status save_attachment(salvage *s, const gb_mcap_record *record, gb_mcap_cursor body)
{
    gb_mcap_attachment attachment;
    gb_arena_reset(s->scratch);
    gb_status status = gb_mcap_attachment_parse(s->in, record->at, body, s->scratch, &attachment);
    if (status == GB_ERR_CORRUPT) {
        s->damaged = true;
        return GB_OK;
    }
    GB_TRY(status);
    s->found.attachments++;
    return gb_mcap_write_attachment(s->writer, &attachment);
}

static gb_status save_metadata(salvage *s, const gb_mcap_record *record, gb_mcap_cursor body)
{
    gb_mcap_metadata metadata;
    gb_arena_reset(s->scratch);
    gb_status status = gb_mcap_metadata_parse(s->in, record->at, body, s->scratch, &metadata);
    if (status == GB_ERR_CORRUPT) {
        s->damaged = true;
        return GB_OK;
    }
    GB_TRY(status);
    s->found.metadata++;
    return gb_mcap_write_metadata(s->writer, &metadata);
}

static gb_status save_record(salvage *s, const gb_mcap_record *record)
{
    gb_mcap_cursor body;
    if (record->op == GB_MCAP_CHUNK)
        return save_chunk(s, record);
    GB_TRY(gb_mcap_record_body(s->in, record, &body));
    switch (record->op) {
    case GB_MCAP_SCHEMA:
    case GB_MCAP_CHANNEL:
        return save_definition(s, record->at, record->op, body);
    case GB_MCAP_MESSAGE:
        if (!s->chunked || s->found.was_whole)
            return save_message(s, body);
        s->damaged = true;
        return GB_OK;
    case GB_MCAP_ATTACHMENT:
        return save_attachment(s, record, body);
    case GB_MCAP_METADATA:
        return save_metadata(s, record, body);
    default:
        return GB_OK;
    }
}

/* ---- the way through the file ---- */

/* The last record of a whole file: nothing behind it belongs to it. */
static bool is_last(const salvage *s, const gb_mcap_record *record)
{
    return record->op == GB_MCAP_FOOTER && record->end + GB_MCAP_MAGIC_BYTES == s->in->size;
}

/* The chain of records is broken at `at`: *out_next is where to go on. */
static gb_status save_broken(salvage *s, uint64_t at, uint64_t *out_next)
{
    gb_mcap_chunk chunk;
    const unsigned char *op = NULL;
    s->damaged = true;
    if (gb_mcap_cut_chunk(s->in, at, &chunk) &&
        gb_mcap_search(s->in, at + 1, false) == s->in->size) {
        *out_next = s->in->size;
        return save_cut_chunk(s, at, &chunk);
    }
    if (s->in->read(s->in, at, 1, &op) == GB_OK && op[0] == GB_MCAP_CHUNK)
        s->found.chunks_damaged++;
    *out_next = gb_mcap_search(s->in, at + 1, !s->chunked);
    return GB_OK;
}

static gb_status save_all(salvage *s, uint64_t at)
{
    while (at < s->in->size) {
        gb_mcap_record record;
        bool whole = gb_mcap_plausible(s->in, at, &record);
        /* A chunk's checksum speaks for it; of others nothing but that the next one fits. */
        if (!whole || (record.op != GB_MCAP_CHUNK && !gb_mcap_followed(s->in, record.end))) {
            GB_TRY(save_broken(s, at, &at));
            continue;
        }
        uint64_t before = s->found.chunks_damaged;
        GB_TRY(save_record(s, &record));
        if (s->found.chunks_damaged == before)
            s->found.bytes_whole = record.end;
        if (is_last(s, &record))
            break;
        at = record.end;
    }
    for (int i = 0; i < s->table.channel_count; i++)
        GB_TRY(write_channel(s, s->table.order[i]->id));
    return GB_OK;
}

/* What the summary says of schemas and channels helps when the chunks that say it are lost; its
 * checksum is checked. */
static gb_status learn_from_summary(salvage *s)
{
    gb_mcap_footer footer;
    if (gb_mcap_read_footer(s->in, &footer) != GB_OK || footer.summary_at == 0)
        return GB_OK;
    for (uint64_t at = footer.summary_at; at < footer.at;) {
        gb_mcap_record record;
        gb_mcap_cursor body;
        if (gb_mcap_record_at(s->in, at, footer.at, &record) != GB_OK)
            return GB_OK;
        at = record.end;
        s->chunked = s->chunked || record.op == GB_MCAP_CHUNK_INDEX;
        if (record.op != GB_MCAP_SCHEMA && record.op != GB_MCAP_CHANNEL)
            continue;
        gb_status status = gb_mcap_record_body(s->in, &record, &body);
        if (status == GB_OK)
            status = gb_mcap_table_add(&s->table, s->in, record.at, record.op, body);
        if (status == GB_ERR_MEMORY)
            return status;
    }
    return GB_OK;
}

static gb_status begin(salvage *s, gb_bytes_out *to, uint64_t *out_at)
{
    gb_mcap_reader header = {.in = s->in};
    gb_status status = gb_mcap_table_init(&s->table);
    if (status == GB_OK)
        status = gb_arena_create(0, &s->scratch);
    s->schema_written = calloc(65536, 1);
    s->channel_written = calloc(65536, 1);
    if (status == GB_OK && (s->schema_written == NULL || s->channel_written == NULL))
        status = gb_fail(GB_ERR_MEMORY, "%s: cannot get memory to recover it", s->in->origin);
    header.lists = s->table.arena;
    if (status == GB_OK)
        status = gb_mcap_read_header(&header);
    if (status == GB_ERR_CORRUPT) { /* a damaged header says nothing that is needed */
        s->damaged = true;
        status = GB_OK;
    }
    if (status == GB_OK)
        status = learn_from_summary(s);
    if (status != GB_OK) {
        to->abandon(to);
        return status;
    }
    gb_mcap_writer_options options = gb_mcap_writer_options_defaults();
    options.profile = header.profile == NULL ? "" : header.profile;
    *out_at = header.data_at == 0 ? GB_MCAP_MAGIC_BYTES : header.data_at;
    s->found.bytes_whole = *out_at;
    s->chunked = s->chunked || gb_mcap_search(s->in, *out_at, false) < s->in->size;
    return gb_mcap_writer_create(to, &options, &s->writer);
}

/* ---- is there anything to do? ---- */

typedef struct lent_in {
    gb_bytes_in base;
    gb_bytes_in *owner;
} lent_in;

static gb_status
lent_read(gb_bytes_in *in, uint64_t at, size_t size, const unsigned char **out_data)
{
    gb_bytes_in *owner = ((lent_in *)in)->owner;
    return owner->read(owner, at, size, out_data);
}

static void lent_close(gb_bytes_in *in)
{
    (void)in;
}

static bool is_whole(gb_bytes_in *in)
{
    lent_in lent = {.base = *in, .owner = in};
    lent.base.read = lent_read;
    lent.base.close = lent_close;
    gb_mcap_reader *reader = NULL;
    bool whole =
        gb_mcap_reader_create(&lent.base, &reader) == GB_OK && gb_mcap_verify(reader) == GB_OK;
    gb_mcap_reader_destroy(reader);
    return whole;
}

static gb_status finish(salvage *s, gb_status status)
{
    bool nothing = s->found.messages + s->found.attachments + s->found.metadata == 0;
    if (status == GB_OK && nothing && !s->found.was_whole)
        status =
            gb_fail(GB_ERR_CORRUPT,
                    "nothing was saved: %s holds no message, attachment or metadata that is whole",
                    s->in->origin);
    if (status != GB_OK) {
        gb_mcap_writer_abandon(s->writer);
        return status;
    }
    return gb_mcap_writer_finish(s->writer);
}

gb_status gb_mcap_recover(gb_bytes_in *from, gb_bytes_out *to, gb_mcap_recovery *out)
{
    salvage s = {.in = from};
    s.found.bytes_read = from->size;
    s.found.was_whole = is_whole(from);
    uint64_t at = 0;
    gb_status status = begin(&s, to, &at);
    if (status == GB_OK)
        status = finish(&s, save_all(&s, at));
    s.found.was_whole = s.found.was_whole && !s.damaged;
    if (status == GB_OK && s.found.was_whole)
        s.found.bytes_whole = from->size;
    if (status == GB_OK)
        *out = s.found;
    gb_mcap_table_free(&s.table);
    gb_mcap_unpacker_free(&s.unpacker);
    gb_mcap_block_free(&s.block);
    gb_arena_destroy(s.scratch);
    free(s.schema_written);
    free(s.channel_written);
    from->close(from);
    return status;
}
