/* Messages of an MCAP file in the order of the file: chunk by chunk when their places are known,
 * else record by record. Not for the order of time (mcap_merge.c). */
#include <string.h>

#include "base/crc32.h"
#include "record/mcap_read.h"

/* ---- the filter ---- */

bool gb_mcap_wants_channel(const gb_mcap_reader *reader, uint16_t channel_id)
{
    return reader->all_channels || (reader->wanted[channel_id >> 3] >> (channel_id & 7) & 1);
}

bool gb_mcap_wants_time(const gb_mcap_reader *reader, uint64_t log_time_ns)
{
    return log_time_ns >= reader->first_ns && (reader->end_ns == 0 || log_time_ns < reader->end_ns);
}

bool gb_mcap_wants_chunk(const gb_mcap_reader *reader, const gb_mcap_chunk_place *place)
{
    if (place->last_ns < reader->first_ns ||
        (reader->end_ns != 0 && place->first_ns >= reader->end_ns))
        return false;
    if (reader->all_channels || place->channel_count < 0)
        return true;
    for (int i = 0; i < place->channel_count; i++)
        if (gb_mcap_wants_channel(reader, place->channels[i]))
            return true;
    return false;
}

gb_status gb_mcap_rewind(gb_mcap_reader *reader, const gb_mcap_filter *filter)
{
    gb_mcap_filter all = {0};
    filter = filter == NULL ? &all : filter;
    if (filter->channel_count < 0)
        return gb_fail(GB_ERR_ARGUMENT, "a filter has %d channels", filter->channel_count);
    gb_mcap_merge_destroy(reader->merge);
    reader->merge = NULL;
    reader->all_channels = filter->channels == NULL;
    memset(reader->wanted, 0, sizeof reader->wanted);
    for (int i = 0; i < filter->channel_count && filter->channels != NULL; i++)
        reader->wanted[filter->channels[i] >> 3] |= (uint8_t)(1 << (filter->channels[i] & 7));
    reader->first_ns = filter->first_ns;
    reader->end_ns = filter->end_ns;
    reader->in_block = gb_mcap_cursor_over(NULL, 0);
    reader->next_chunk = 0;
    reader->next_at = reader->data_at;
    reader->data_crc = 0;
    reader->ended = false;
    if (filter->by_time)
        return gb_mcap_merge_create(reader, &reader->merge);
    return reader->loose ? gb_mcap_crc_range(reader->in, 0, reader->data_at, &reader->data_crc)
                         : GB_OK;
}

/* ---- messages ---- */

gb_status gb_mcap_take_message(const gb_mcap_reader *reader,
                               uint64_t at,
                               gb_mcap_cursor body,
                               gb_mcap_message *out)
{
    gb_mcap_message message;
    if (!gb_mcap_message_parse(body, &message))
        return gb_mcap_damaged(reader->in, at, "a message here is shorter than its fields");
    if (gb_mcap_table_channel(&reader->table, message.channel_id) == NULL)
        return gb_mcap_damaged(reader->in, at,
                               "a message here is of channel %u, which is not described",
                               message.channel_id);
    *out = message;
    return GB_OK;
}

static gb_status take_wanted(const gb_mcap_reader *reader,
                             uint64_t at,
                             gb_mcap_cursor body,
                             gb_mcap_message *out,
                             bool *out_have)
{
    gb_mcap_message message;
    GB_TRY(gb_mcap_take_message(reader, at, body, &message));
    if (gb_mcap_wants_channel(reader, message.channel_id) &&
        gb_mcap_wants_time(reader, message.log_time_ns)) {
        *out = message;
        *out_have = true;
    }
    return GB_OK;
}

/* The next message wanted of the chunk that is open; *out_have stays false behind its last. */
static gb_status next_in_block(gb_mcap_reader *reader, gb_mcap_message *out, bool *out_have)
{
    uint64_t at = reader->block.at;
    uint8_t op;
    gb_mcap_cursor body;
    while (!*out_have && gb_mcap_inner_record(&reader->in_block, &op, &body)) {
        if (op == GB_MCAP_MESSAGE)
            GB_TRY(take_wanted(reader, at, body, out, out_have));
        else if (op == GB_MCAP_SCHEMA || op == GB_MCAP_CHANNEL)
            GB_TRY(gb_mcap_table_add(&reader->table, reader->in, at, op, body));
    }
    if (reader->in_block.over)
        return gb_mcap_damaged(reader->in, at, "the chunk here ends within a record");
    return GB_OK;
}

static gb_status next_chunk(gb_mcap_reader *reader)
{
    while (reader->next_chunk < reader->chunk_count &&
           !gb_mcap_wants_chunk(reader, &reader->chunks[reader->next_chunk]))
        reader->next_chunk++;
    if (reader->next_chunk == reader->chunk_count) {
        reader->ended = true;
        return GB_OK;
    }
    GB_TRY(gb_mcap_block_load_place(reader, &reader->chunks[reader->next_chunk], &reader->block));
    reader->next_chunk++;
    reader->in_block = gb_mcap_cursor_over(reader->block.data, reader->block.size);
    return GB_OK;
}

/* ---- record by record: only so is every byte seen, and the data's own checksum checked ---- */

static gb_status end_of_data(gb_mcap_reader *reader, const gb_mcap_record *record)
{
    gb_mcap_cursor body;
    GB_TRY(gb_mcap_record_body(reader->in, record, &body));
    uint32_t crc = gb_mcap_get_u32(&body);
    if (body.over || (crc != 0 && crc != reader->data_crc))
        return gb_mcap_damaged(reader->in, record->at, "the checksum of the data does not hold");
    reader->ended = true;
    return GB_OK;
}

static gb_status next_record(gb_mcap_reader *reader, gb_mcap_message *out, bool *out_have)
{
    gb_bytes_in *in = reader->in;
    gb_mcap_record record;
    gb_mcap_cursor body;
    GB_TRY(gb_mcap_record_at(in, reader->next_at, reader->data_end, &record));
    if (record.op == GB_MCAP_DATA_END)
        return end_of_data(reader, &record);
    GB_TRY(gb_mcap_crc_range(in, record.at, record.end, &reader->data_crc));
    switch (record.op) {
    case GB_MCAP_MESSAGE:
        GB_TRY(gb_mcap_record_body(in, &record, &body));
        GB_TRY(take_wanted(reader, record.at, body, out, out_have));
        break;
    case GB_MCAP_SCHEMA:
    case GB_MCAP_CHANNEL:
        GB_TRY(gb_mcap_record_body(in, &record, &body));
        GB_TRY(gb_mcap_table_add(&reader->table, in, record.at, record.op, body));
        break;
    case GB_MCAP_CHUNK:
        GB_TRY(gb_mcap_block_load(in, &reader->unpacker, &record, &reader->block, NULL));
        reader->in_block = gb_mcap_cursor_over(reader->block.data, reader->block.size);
        break;
    default:
        break;
    }
    reader->next_at = record.end;
    return GB_OK;
}

gb_status gb_mcap_next(gb_mcap_reader *reader, gb_mcap_message *out, bool *out_have)
{
    if (reader->merge != NULL)
        return gb_mcap_merge_next(reader, out, out_have);
    gb_mcap_message message;
    bool have = false;
    GB_TRY(next_in_block(reader, &message, &have));
    while (!have && !reader->ended) {
        if (reader->loose)
            GB_TRY(next_record(reader, &message, &have));
        else
            GB_TRY(next_chunk(reader));
        if (!have)
            GB_TRY(next_in_block(reader, &message, &have));
    }
    if (have)
        *out = message;
    *out_have = have;
    return GB_OK;
}
