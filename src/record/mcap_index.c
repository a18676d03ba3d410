/* Finds what is in an MCAP file: by its summary where that lists everything, else by going through
 * the data. Not for handing out messages. */
#include <stdlib.h>
#include <string.h>

#include "base/crc32.h"
#include "record/mcap_read.h"

/* ---- both ends ---- */

gb_status gb_mcap_read_header(gb_mcap_reader *reader)
{
    gb_bytes_in *in = reader->in;
    const unsigned char *magic = NULL;
    if (in->size < GB_MCAP_MAGIC_BYTES)
        return gb_fail(GB_ERR_PARSE, "%s is no MCAP file: it is only %llu bytes long", in->origin,
                       (unsigned long long)in->size);
    GB_TRY(in->read(in, 0, GB_MCAP_MAGIC_BYTES, &magic));
    if (memcmp(magic, gb_mcap_magic, GB_MCAP_MAGIC_BYTES) != 0)
        return gb_fail(GB_ERR_PARSE,
                       "%s is no MCAP file: it does not begin with the eight bytes they all have",
                       in->origin);
    gb_mcap_record record;
    gb_mcap_cursor body;
    GB_TRY(gb_mcap_record_at(in, GB_MCAP_MAGIC_BYTES, in->size, &record));
    if (record.op != GB_MCAP_HEADER)
        return gb_mcap_damaged(in, record.at, "a Header record was expected, not a %s",
                               gb_mcap_op_name(record.op));
    GB_TRY(gb_mcap_record_body(in, &record, &body));
    gb_mcap_text profile = gb_mcap_get_text(&body), library = gb_mcap_get_text(&body);
    if (body.over)
        return gb_mcap_damaged(in, record.at, "the fields of the Header do not fit its length");
    GB_TRY(gb_mcap_copy_text(in, record.at, profile, reader->lists, &reader->profile));
    GB_TRY(gb_mcap_copy_text(in, record.at, library, reader->lists, &reader->library));
    reader->data_at = record.end;
    return GB_OK;
}

gb_status gb_mcap_read_footer(gb_bytes_in *in, gb_mcap_footer *out)
{
    enum {
        TAIL = GB_MCAP_HEAD_BYTES + GB_MCAP_FOOTER_BYTES + GB_MCAP_MAGIC_BYTES
    };
    const unsigned char *tail = NULL;
    if (in->size < GB_MCAP_MAGIC_BYTES + TAIL)
        return gb_mcap_damaged(in, in->size, "the file ends before its footer; it was cut");
    GB_TRY(in->read(in, in->size - TAIL, TAIL, &tail));
    gb_mcap_cursor cursor = gb_mcap_cursor_over(tail, TAIL);
    uint8_t op = gb_mcap_get_u8(&cursor);
    uint64_t size = gb_mcap_get_u64(&cursor);
    gb_mcap_footer footer = {.at = in->size - TAIL};
    footer.summary_at = gb_mcap_get_u64(&cursor);
    footer.offsets_at = gb_mcap_get_u64(&cursor);
    footer.crc = gb_mcap_get_u32(&cursor);
    if (op != GB_MCAP_FOOTER || size != GB_MCAP_FOOTER_BYTES ||
        memcmp(tail + cursor.at, gb_mcap_magic, GB_MCAP_MAGIC_BYTES) != 0)
        return gb_mcap_damaged(in, in->size,
                               "the file does not end with a footer; it was cut or "
                               "is still being written");
    uint64_t summary_at = footer.summary_at == 0 ? footer.at : footer.summary_at;
    bool inside = summary_at <= footer.at &&
                  (footer.offsets_at == 0 ||
                   (footer.offsets_at >= summary_at && footer.offsets_at <= footer.at));
    if (!inside)
        return gb_mcap_damaged(in, footer.at, "the footer points to a place outside the file");
    uint32_t crc = 0;
    if (footer.crc != 0) {
        GB_TRY(gb_mcap_crc_range(in, summary_at, in->size - GB_MCAP_MAGIC_BYTES - 4, &crc));
        if (crc != footer.crc)
            return gb_mcap_damaged(in, summary_at, "the checksum of the summary does not hold");
    }
    *out = footer;
    return GB_OK;
}

/* ---- lists ---- */

static bool grow_list(void **list, size_t count, size_t *capacity, size_t element)
{
    if (count < *capacity)
        return true;
    size_t wanted = *capacity == 0 ? 16 : 2 * *capacity;
    void *larger = realloc(*list, wanted * element);
    if (larger == NULL)
        return false;
    *list = larger;
    *capacity = wanted;
    return true;
}

static gb_status no_memory(const gb_mcap_reader *reader)
{
    return gb_fail(GB_ERR_MEMORY, "%s: cannot get memory for what it lists", reader->in->origin);
}

static gb_status add_chunk(gb_mcap_reader *reader, const gb_mcap_chunk_place *place)
{
    void *list = reader->chunks;
    if (!grow_list(&list, reader->chunk_count, &reader->chunk_capacity, sizeof *reader->chunks))
        return no_memory(reader);
    reader->chunks = list;
    reader->chunks[reader->chunk_count++] = *place;
    return GB_OK;
}

static gb_status add_place(gb_mcap_reader *reader,
                           gb_mcap_place **places,
                           size_t *count,
                           size_t *capacity,
                           gb_mcap_place it)
{
    void *list = *places;
    if (!grow_list(&list, *count, capacity, sizeof it))
        return no_memory(reader);
    *places = list;
    (*places)[(*count)++] = it;
    return GB_OK;
}

static gb_status add_attachment(gb_mcap_reader *reader, uint64_t at, uint64_t length)
{
    return add_place(reader, &reader->attachments, &reader->attachment_count,
                     &reader->attachment_capacity, (gb_mcap_place){at, length});
}

static gb_status add_metadata(gb_mcap_reader *reader, uint64_t at, uint64_t length)
{
    return add_place(reader, &reader->metadata, &reader->metadata_count, &reader->metadata_capacity,
                     (gb_mcap_place){at, length});
}

/* ---- the summary ---- */

bool gb_mcap_chunk_index_parse(gb_mcap_cursor body, gb_mcap_chunk_index *out)
{
    gb_mcap_chunk_index index = {0};
    index.place.first_ns = gb_mcap_get_u64(&body);
    index.place.last_ns = gb_mcap_get_u64(&body);
    index.place.at = gb_mcap_get_u64(&body);
    index.place.length = gb_mcap_get_u64(&body);
    index.offsets = gb_mcap_get_block(&body);
    index.message_index_length = gb_mcap_get_u64(&body);
    index.compression = gb_mcap_get_text(&body);
    index.packed_size = gb_mcap_get_u64(&body);
    index.size = gb_mcap_get_u64(&body);
    *out = index;
    return !body.over && index.offsets.size % 10 == 0;
}

static gb_status summary_chunk(gb_mcap_reader *reader, uint64_t at, gb_mcap_cursor body)
{
    gb_mcap_chunk_index index;
    if (!gb_mcap_chunk_index_parse(body, &index))
        return gb_mcap_damaged(reader->in, at, "the fields of the Chunk Index do not fit");
    gb_mcap_chunk_place place = index.place;
    if (place.at < reader->data_at || place.at > reader->data_end ||
        place.length > reader->data_end - place.at)
        return gb_mcap_damaged(reader->in, at, "a Chunk Index points to a place outside the data");
    size_t count = index.offsets.size / 10;
    place.channel_count = count > 0 ? (int)count : -1;
    /* An empty index of a chunk without messages says so; of one with messages it says nothing. */
    if (count > 0) {
        uint16_t *channels = gb_arena_alloc(reader->lists, count * sizeof *channels);
        if (channels == NULL)
            return no_memory(reader);
        for (size_t i = 0; i < count; i++) {
            channels[i] = gb_mcap_get_u16(&index.offsets);
            (void)gb_mcap_get_u64(&index.offsets);
        }
        place.channels = channels;
    }
    return add_chunk(reader, &place);
}

static gb_status summary_place(gb_mcap_reader *reader, uint64_t at, uint8_t op, gb_mcap_cursor body)
{
    uint64_t place = gb_mcap_get_u64(&body), length = gb_mcap_get_u64(&body);
    if (body.over || place < reader->data_at || place > reader->data_end ||
        length > reader->data_end - place)
        return gb_mcap_damaged(reader->in, at, "the %s here points to a place outside the data",
                               gb_mcap_op_name(op));
    return op == GB_MCAP_ATTACHMENT_INDEX ? add_attachment(reader, place, length)
                                          : add_metadata(reader, place, length);
}

static gb_status summary_statistics(gb_mcap_reader *reader, uint64_t at, gb_mcap_cursor body)
{
    gb_mcap_statistics s = {.from_file = true};
    s.message_count = gb_mcap_get_u64(&body);
    s.schema_count = gb_mcap_get_u16(&body);
    s.channel_count = gb_mcap_get_u32(&body);
    s.attachment_count = gb_mcap_get_u32(&body);
    s.metadata_count = gb_mcap_get_u32(&body);
    s.chunk_count = gb_mcap_get_u32(&body);
    s.first_time_ns = gb_mcap_get_u64(&body);
    s.last_time_ns = gb_mcap_get_u64(&body);
    if (body.over)
        return gb_mcap_damaged(reader->in, at, "the fields of the Statistics do not fit");
    reader->statistics = s;
    return GB_OK;
}

static gb_status summary_record(gb_mcap_reader *reader, const gb_mcap_record *record)
{
    gb_mcap_cursor body;
    GB_TRY(gb_mcap_record_body(reader->in, record, &body));
    switch (record->op) {
    case GB_MCAP_SCHEMA:
    case GB_MCAP_CHANNEL:
        return gb_mcap_table_add(&reader->table, reader->in, record->at, record->op, body);
    case GB_MCAP_STATISTICS:
        return summary_statistics(reader, record->at, body);
    case GB_MCAP_CHUNK_INDEX:
        return summary_chunk(reader, record->at, body);
    case GB_MCAP_ATTACHMENT_INDEX:
    case GB_MCAP_METADATA_INDEX:
        return summary_place(reader, record->at, record->op, body);
    default:
        return GB_OK;
    }
}

static int by_place(const void *a, const void *b)
{
    uint64_t x = ((const gb_mcap_chunk_place *)a)->at, y = ((const gb_mcap_chunk_place *)b)->at;
    return (x > y) - (x < y);
}

/* Chunks that overlap would let a small file ask for the same bytes many times. */
static gb_status order_chunks(gb_mcap_reader *reader)
{
    if (reader->chunk_count > 1)
        qsort(reader->chunks, reader->chunk_count, sizeof *reader->chunks, by_place);
    for (size_t i = 1; i < reader->chunk_count; i++) {
        const gb_mcap_chunk_place *before = &reader->chunks[i - 1];
        if (reader->chunks[i].at - before->at < before->length)
            return gb_mcap_damaged(reader->in, reader->chunks[i].at,
                                   "the summary lists two chunks that overlap here");
    }
    return GB_OK;
}

gb_status gb_mcap_read_summary(gb_mcap_reader *reader, bool *out_complete)
{
    *out_complete = false;
    if (reader->footer.summary_at == 0)
        return GB_OK;
    for (uint64_t at = reader->footer.summary_at; at < reader->footer.at;) {
        gb_mcap_record record;
        GB_TRY(gb_mcap_record_at(reader->in, at, reader->footer.at, &record));
        GB_TRY(summary_record(reader, &record));
        at = record.end;
    }
    GB_TRY(order_chunks(reader));
    const gb_mcap_statistics *s = &reader->statistics;
    *out_complete = s->from_file && s->chunk_count == reader->chunk_count &&
                    s->attachment_count == reader->attachment_count &&
                    s->metadata_count == reader->metadata_count &&
                    s->channel_count <= (uint32_t)reader->table.channel_count;
    reader->loose = s->chunk_count == 0;
    return GB_OK;
}

/* ---- the data ---- */

static void count_message(gb_mcap_statistics *s, uint64_t time)
{
    s->first_time_ns = s->message_count == 0 || time < s->first_time_ns ? time : s->first_time_ns;
    s->last_time_ns = time > s->last_time_ns ? time : s->last_time_ns;
    s->message_count++;
}

/* Counts the messages of a chunk, learns its schemas and channels; seen has a bit a channel. */
static gb_status
scan_block(gb_mcap_reader *reader, const gb_mcap_block *block, uint8_t *seen, int *out_channels)
{
    gb_mcap_cursor records = gb_mcap_cursor_over(block->data, block->size), body;
    uint8_t op;
    int channels = 0;
    while (gb_mcap_inner_record(&records, &op, &body)) {
        if (op == GB_MCAP_SCHEMA || op == GB_MCAP_CHANNEL)
            GB_TRY(gb_mcap_table_add(&reader->table, reader->in, block->at, op, body));
        gb_mcap_message message;
        if (op != GB_MCAP_MESSAGE)
            continue;
        GB_TRY(gb_mcap_take_message(reader, block->at, body, &message));
        count_message(&reader->statistics, message.log_time_ns);
        uint8_t *bits = &seen[message.channel_id >> 3],
                bit = (uint8_t)(1 << (message.channel_id & 7));
        channels += (*bits & bit) == 0;
        *bits |= bit;
    }
    if (records.over)
        return gb_mcap_damaged(reader->in, block->at, "the chunk here ends within a record");
    *out_channels = channels;
    return GB_OK;
}

static gb_status scan_chunk(gb_mcap_reader *reader, const gb_mcap_record *record)
{
    gb_mcap_chunk chunk;
    GB_TRY(gb_mcap_block_load(reader->in, &reader->unpacker, record, &reader->block, &chunk));
    gb_arena_reset(reader->scratch);
    uint8_t *seen = gb_arena_alloc(reader->scratch, 65536 / 8);
    int count = 0;
    if (seen == NULL)
        return no_memory(reader);
    GB_TRY(scan_block(reader, &reader->block, seen, &count));
    uint16_t *channels = gb_arena_alloc(reader->lists, (size_t)count * sizeof *channels);
    if (channels == NULL)
        return no_memory(reader);
    gb_mcap_chunk_place place = {.at = record->at,
                                 .length = record->end - record->at,
                                 .first_ns = chunk.first_ns,
                                 .last_ns = chunk.last_ns,
                                 .channels = channels};
    for (int id = 0; id < 65536 && place.channel_count < count; id++)
        if (seen[id >> 3] >> (id & 7) & 1)
            channels[place.channel_count++] = (uint16_t)id;
    return add_chunk(reader, &place);
}

static gb_status scan_record(gb_mcap_reader *reader, const gb_mcap_record *record)
{
    gb_mcap_cursor body;
    gb_mcap_message message;
    switch (record->op) {
    case GB_MCAP_SCHEMA:
    case GB_MCAP_CHANNEL:
        GB_TRY(gb_mcap_record_body(reader->in, record, &body));
        return gb_mcap_table_add(&reader->table, reader->in, record->at, record->op, body);
    case GB_MCAP_MESSAGE:
        GB_TRY(gb_mcap_record_body(reader->in, record, &body));
        GB_TRY(gb_mcap_take_message(reader, record->at, body, &message));
        count_message(&reader->statistics, message.log_time_ns);
        reader->loose = true;
        return GB_OK;
    case GB_MCAP_CHUNK:
        return scan_chunk(reader, record);
    case GB_MCAP_ATTACHMENT:
        return add_attachment(reader, record->at, record->end - record->at);
    case GB_MCAP_METADATA:
        return add_metadata(reader, record->at, record->end - record->at);
    default:
        return GB_OK;
    }
}

gb_status gb_mcap_scan(gb_mcap_reader *reader)
{
    reader->chunk_count = reader->attachment_count = reader->metadata_count = 0;
    reader->statistics = (gb_mcap_statistics){0};
    reader->loose = false;
    for (uint64_t at = reader->data_at; at < reader->data_end;) {
        gb_mcap_record record;
        GB_TRY(gb_mcap_record_at(reader->in, at, reader->data_end, &record));
        if (record.op == GB_MCAP_DATA_END || record.op == GB_MCAP_FOOTER)
            break;
        GB_TRY(scan_record(reader, &record));
        at = record.end;
    }
    gb_mcap_statistics *s = &reader->statistics;
    s->schema_count = (uint16_t)reader->table.schema_count;
    s->channel_count = (uint32_t)reader->table.channel_count;
    s->attachment_count = (uint32_t)reader->attachment_count;
    s->metadata_count = (uint32_t)reader->metadata_count;
    s->chunk_count = (uint32_t)reader->chunk_count;
    reader->scanned = true;
    return GB_OK;
}
