/* Checks a whole MCAP file: every record of the data, every checksum, every message index; then the
 * summary against what was found (mcap_verify_summary.c). Not for mending (mcap_recover.c). */
#include <stdlib.h>
#include <string.h>

#include "record/mcap_verify.h"

enum {
    IDS = 65536,
    INDEX_ENTRY = 16
};

static gb_status no_memory(const gb_mcap_check *check)
{
    return gb_fail(GB_ERR_MEMORY, "%s: cannot get memory to check it", check->reader->in->origin);
}

static gb_status add_fact(gb_mcap_check *check, const gb_mcap_fact *fact)
{
    if (check->fact_count == check->fact_capacity) {
        size_t capacity = check->fact_capacity == 0 ? 64 : 2 * check->fact_capacity;
        gb_mcap_fact *facts = realloc(check->facts, capacity * sizeof *facts);
        if (facts == NULL)
            return no_memory(check);
        check->facts = facts;
        check->fact_capacity = capacity;
    }
    check->facts[check->fact_count++] = *fact;
    return GB_OK;
}

static gb_status add_index(gb_mcap_check *check, gb_mcap_index_fact index)
{
    if (check->index_count == check->index_capacity) {
        size_t capacity = check->index_capacity == 0 ? 64 : 2 * check->index_capacity;
        gb_mcap_index_fact *indexes = realloc(check->indexes, capacity * sizeof *indexes);
        if (indexes == NULL)
            return no_memory(check);
        check->indexes = indexes;
        check->index_capacity = capacity;
    }
    check->indexes[check->index_count++] = index;
    return GB_OK;
}

static void count_message(gb_mcap_check *check, const gb_mcap_message *message)
{
    gb_mcap_statistics *s = &check->statistics;
    uint64_t time = message->log_time_ns;
    s->first_time_ns = s->message_count == 0 || time < s->first_time_ns ? time : s->first_time_ns;
    s->last_time_ns = time > s->last_time_ns ? time : s->last_time_ns;
    s->message_count++;
    check->counts[message->channel_id]++;
}

/* ---- chunks ---- */

/* Counts the chunk's messages; *out_first, *out_last: their times, 0 when there is none. */
static gb_status check_block(gb_mcap_check *check, uint64_t *out_first, uint64_t *out_last)
{
    gb_mcap_reader *reader = check->reader;
    gb_mcap_cursor records = gb_mcap_cursor_over(check->block.data, check->block.size), body;
    uint64_t first = UINT64_MAX, last = 0, at = check->block.at;
    uint8_t op;
    memset(check->in_chunk, 0, check->chunk_ids * sizeof *check->in_chunk);
    check->chunk_channels = check->chunk_ids = 0;
    while (gb_mcap_inner_record(&records, &op, &body)) {
        gb_mcap_message message;
        if (op == GB_MCAP_SCHEMA || op == GB_MCAP_CHANNEL)
            GB_TRY(gb_mcap_table_add(&reader->table, reader->in, at, op, body));
        if (op != GB_MCAP_MESSAGE)
            continue;
        GB_TRY(gb_mcap_take_message(reader, at, body, &message));
        count_message(check, &message);
        check->chunk_channels += check->in_chunk[message.channel_id]++ == 0;
        if (message.channel_id >= check->chunk_ids)
            check->chunk_ids = message.channel_id + 1u;
        first = message.log_time_ns < first ? message.log_time_ns : first;
        last = message.log_time_ns > last ? message.log_time_ns : last;
    }
    if (records.over)
        return gb_mcap_damaged(reader->in, at, "the chunk here ends within a record");
    *out_first = check->chunk_channels == 0 ? 0 : first;
    *out_last = last;
    return GB_OK;
}

static gb_status check_chunk(gb_mcap_check *check, const gb_mcap_record *record)
{
    gb_mcap_reader *reader = check->reader;
    gb_mcap_chunk chunk;
    uint64_t first = 0, last = 0;
    GB_TRY(gb_mcap_block_load(reader->in, &reader->unpacker, record, &check->block, &chunk));
    GB_TRY(check_block(check, &first, &last));
    if (check->chunk_channels > 0 && (first != chunk.first_ns || last != chunk.last_ns))
        return gb_mcap_damaged(reader->in, record->at,
                               "the times of the chunk here are not those of its messages");
    check->statistics.chunk_count++;
    return add_fact(check, &(gb_mcap_fact){.op = GB_MCAP_CHUNK,
                                           .at = record->at,
                                           .length = record->end - record->at,
                                           .first_ns = chunk.first_ns,
                                           .last_ns = chunk.last_ns,
                                           .size = chunk.size,
                                           .packed_size = chunk.packed_size,
                                           .compression = chunk.compression,
                                           .index = check->index_count});
}

/* ---- message indexes ---- */

/* An entry must point at a message of the channel with that time. */
static bool entry_holds(const gb_mcap_check *check, uint16_t channel, uint64_t time, uint64_t at)
{
    if (at >= check->block.size)
        return false;
    gb_mcap_cursor records = gb_mcap_cursor_over(check->block.data, check->block.size), body;
    records.at = (size_t)at;
    uint8_t op;
    gb_mcap_message message;
    return gb_mcap_inner_record(&records, &op, &body) && op == GB_MCAP_MESSAGE &&
           gb_mcap_message_parse(body, &message) && message.channel_id == channel &&
           message.log_time_ns == time;
}

static gb_status
check_message_index(gb_mcap_check *check, const gb_mcap_record *record, gb_mcap_fact *chunk)
{
    gb_bytes_in *in = check->reader->in;
    gb_mcap_cursor body;
    if (chunk == NULL)
        return gb_mcap_damaged(in, record->at, "a Message Index stands here before any chunk");
    GB_TRY(gb_mcap_record_body(in, record, &body));
    uint16_t channel = gb_mcap_get_u16(&body);
    gb_mcap_cursor entries = gb_mcap_get_block(&body);
    if (body.over || entries.size % INDEX_ENTRY != 0)
        return gb_mcap_damaged(in, record->at, "the fields of the Message Index do not fit");
    if (entries.size / INDEX_ENTRY != check->in_chunk[channel])
        return gb_mcap_damaged(in, record->at,
                               "the Message Index here lists %zu messages of channel %u, but its "
                               "chunk has %u not yet listed",
                               entries.size / INDEX_ENTRY, channel, check->in_chunk[channel]);
    while (entries.at < entries.size) {
        uint64_t time = gb_mcap_get_u64(&entries), at = gb_mcap_get_u64(&entries);
        if (!entry_holds(check, channel, time, at))
            return gb_mcap_damaged(in, record->at,
                                   "the Message Index here points at byte %llu of its chunk, "
                                   "where no such message is",
                                   (unsigned long long)at);
    }
    /* Some writers list channels without messages too. */
    chunk->index_count += check->in_chunk[channel] > 0;
    check->in_chunk[channel] = 0;
    chunk->index_length += record->end - record->at;
    return add_index(check, (gb_mcap_index_fact){record->at, channel});
}

/* Behind a chunk stand indexes of all its channels or of none. */
static gb_status end_of_indexes(const gb_mcap_check *check, const gb_mcap_fact *chunk)
{
    if (chunk == NULL || chunk->index_count == 0 || chunk->index_count == check->chunk_channels)
        return GB_OK;
    return gb_mcap_damaged(check->reader->in, chunk->at,
                           "only %zu of the %u channels of the chunk here are indexed",
                           chunk->index_count, check->chunk_channels);
}

/* ---- the rest of the data ---- */

static gb_status check_loose(gb_mcap_check *check, const gb_mcap_record *record)
{
    gb_mcap_reader *reader = check->reader;
    gb_mcap_cursor body;
    gb_mcap_message message;
    gb_mcap_attachment attachment;
    gb_mcap_metadata metadata;
    GB_TRY(gb_mcap_record_body(reader->in, record, &body));
    gb_arena_reset(reader->scratch);
    switch (record->op) {
    case GB_MCAP_MESSAGE:
        GB_TRY(gb_mcap_take_message(reader, record->at, body, &message));
        count_message(check, &message);
        return GB_OK;
    case GB_MCAP_ATTACHMENT:
        check->statistics.attachment_count++;
        GB_TRY(
            gb_mcap_attachment_parse(reader->in, record->at, body, reader->scratch, &attachment));
        break;
    case GB_MCAP_METADATA:
        check->statistics.metadata_count++;
        GB_TRY(gb_mcap_metadata_parse(reader->in, record->at, body, reader->scratch, &metadata));
        break;
    case GB_MCAP_SCHEMA:
    case GB_MCAP_CHANNEL:
        return gb_mcap_table_add(&reader->table, reader->in, record->at, record->op, body);
    default:
        return GB_OK; /* records of a later version or of a program of its own */
    }
    return add_fact(
        check,
        &(gb_mcap_fact){.op = record->op, .at = record->at, .length = record->end - record->at});
}

static gb_status check_data_end(gb_mcap_check *check, const gb_mcap_record *record)
{
    gb_bytes_in *in = check->reader->in;
    gb_mcap_cursor body;
    GB_TRY(gb_mcap_record_body(in, record, &body));
    uint32_t crc = gb_mcap_get_u32(&body);
    if (body.over || (crc != 0 && crc != check->crc))
        return gb_mcap_damaged(in, record->at, "the checksum of the data does not hold");
    if (record->end != check->reader->data_end)
        return gb_mcap_damaged(in, record->end,
                               "the data ends here, but the summary begins at "
                               "another place");
    check->at = record->end;
    return GB_OK;
}

static gb_status check_data(gb_mcap_check *check)
{
    gb_mcap_reader *reader = check->reader;
    size_t chunk = SIZE_MAX; /* whose indexes may follow */
    GB_TRY(gb_mcap_crc_range(reader->in, 0, reader->data_at, &check->crc));
    for (uint64_t at = reader->data_at;;) {
        gb_mcap_record record;
        GB_TRY(gb_mcap_record_at(reader->in, at, reader->data_end, &record));
        gb_mcap_fact *last = chunk == SIZE_MAX ? NULL : &check->facts[chunk];
        if (record.op == GB_MCAP_MESSAGE_INDEX) {
            GB_TRY(check_message_index(check, &record, last));
        } else {
            GB_TRY(end_of_indexes(check, last));
            chunk = SIZE_MAX;
            if (record.op == GB_MCAP_DATA_END)
                return check_data_end(check, &record);
            if (record.op == GB_MCAP_CHUNK) {
                chunk = check->fact_count;
                GB_TRY(check_chunk(check, &record));
            } else {
                GB_TRY(check_loose(check, &record));
            }
        }
        GB_TRY(gb_mcap_crc_range(reader->in, record.at, record.end, &check->crc));
        at = record.end;
    }
}

gb_status gb_mcap_verify(gb_mcap_reader *reader)
{
    gb_mcap_check check = {.reader = reader};
    check.counts = calloc(IDS, sizeof *check.counts);
    check.in_chunk = calloc(IDS, sizeof *check.in_chunk);
    gb_status status = GB_OK;
    if (check.counts == NULL || check.in_chunk == NULL)
        status = no_memory(&check);
    if (status == GB_OK)
        status = check_data(&check);
    if (status == GB_OK)
        status = gb_mcap_check_summary(&check);
    gb_mcap_block_free(&check.block);
    free(check.counts);
    free(check.in_chunk);
    free(check.facts);
    free(check.indexes);
    return status;
}
