/* Compares the summary of an MCAP file with what its data holds: counts, indexes, places. */
#include "record/mcap_verify.h"

typedef struct listed {
    uint64_t chunks, attachments, metadata, statistics;
} listed;

static gb_status wrong(const gb_mcap_check *check, uint64_t at, uint8_t op, const char *what)
{
    return gb_mcap_damaged(check->reader->in, at, "the %s here %s", gb_mcap_op_name(op), what);
}

/* The record of that kind that begins there, or NULL. */
static const gb_mcap_fact *find_fact(const gb_mcap_check *check, uint8_t op, uint64_t at)
{
    size_t low = 0, high = check->fact_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (check->facts[middle].at < at)
            low = middle + 1;
        else
            high = middle;
    }
    bool found =
        low < check->fact_count && check->facts[low].at == at && check->facts[low].op == op;
    return found ? &check->facts[low] : NULL;
}

static bool has_index(const gb_mcap_check *check, uint64_t at, uint16_t channel)
{
    size_t low = 0, high = check->index_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (check->indexes[middle].at < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low < check->index_count && check->indexes[low].at == at &&
           check->indexes[low].channel_id == channel;
}

static gb_status
check_chunk_index(const gb_mcap_check *check, const gb_mcap_record *record, gb_mcap_cursor body)
{
    gb_mcap_chunk_index index;
    if (!gb_mcap_chunk_index_parse(body, &index))
        return wrong(check, record->at, record->op, "is shorter than its fields");
    const gb_mcap_fact *chunk = find_fact(check, GB_MCAP_CHUNK, index.place.at);
    if (chunk == NULL)
        return wrong(check, record->at, record->op, "points to no chunk");
    bool same = chunk->length == index.place.length && chunk->first_ns == index.place.first_ns &&
                chunk->last_ns == index.place.last_ns && chunk->size == index.size &&
                chunk->packed_size == index.packed_size &&
                chunk->index_length == index.message_index_length &&
                gb_mcap_text_is(index.compression, gb_mcap_compression_name(chunk->compression));
    size_t offsets = index.offsets.size / 10;
    if (!same || (offsets != 0 && offsets < chunk->index_count))
        return wrong(check, record->at, record->op, "says other than the chunk it points to");
    while (index.offsets.at < index.offsets.size) {
        uint16_t channel = gb_mcap_get_u16(&index.offsets);
        if (!has_index(check, gb_mcap_get_u64(&index.offsets), channel))
            return wrong(check, record->at, record->op, "points to no Message Index");
    }
    return GB_OK;
}

/* The part of an index that repeats the record it points to, and the front of that record, in the
 * same order: times, name, media type and size of an attachment; the name of metadata. */
typedef struct repeated {
    uint64_t log_time_ns, create_time_ns, size;
    gb_mcap_text name, media_type;
} repeated;

static repeated of_index(gb_mcap_cursor *body, bool is_attachment)
{
    repeated r = {0};
    if (is_attachment) {
        r.log_time_ns = gb_mcap_get_u64(body);
        r.create_time_ns = gb_mcap_get_u64(body);
        r.size = gb_mcap_get_u64(body);
    }
    r.name = gb_mcap_get_text(body);
    if (is_attachment)
        r.media_type = gb_mcap_get_text(body);
    return r;
}

static repeated of_record(gb_mcap_cursor *body, bool is_attachment)
{
    repeated r = {0};
    if (is_attachment) {
        r.log_time_ns = gb_mcap_get_u64(body);
        r.create_time_ns = gb_mcap_get_u64(body);
    }
    r.name = gb_mcap_get_text(body);
    if (is_attachment) {
        r.media_type = gb_mcap_get_text(body);
        r.size = gb_mcap_get_u64(body);
    }
    return r;
}

static gb_status
check_place(const gb_mcap_check *check, const gb_mcap_record *record, gb_mcap_cursor body)
{
    gb_mcap_reader *reader = check->reader;
    bool is_attachment = record->op == GB_MCAP_ATTACHMENT_INDEX;
    uint64_t at = gb_mcap_get_u64(&body), length = gb_mcap_get_u64(&body);
    const gb_mcap_fact *fact =
        find_fact(check, is_attachment ? GB_MCAP_ATTACHMENT : GB_MCAP_METADATA, at);
    if (body.over || fact == NULL || fact->length != length)
        return wrong(check, record->at, record->op, "points to no such record");
    repeated index = of_index(&body, is_attachment);
    if (body.over)
        return wrong(check, record->at, record->op, "is shorter than its fields");
    /* Texts are copied: reading what is pointed to may end the life of the index's bytes. */
    const char *name = "", *media_type = "";
    gb_arena_reset(reader->scratch);
    GB_TRY(gb_mcap_copy_text(reader->in, record->at, index.name, reader->scratch, &name));
    if (is_attachment)
        GB_TRY(gb_mcap_copy_text(reader->in, record->at, index.media_type, reader->scratch,
                                 &media_type));
    gb_mcap_record target;
    gb_mcap_cursor there;
    GB_TRY(gb_mcap_record_at(reader->in, at, reader->data_end, &target));
    GB_TRY(gb_mcap_record_body(reader->in, &target, &there));
    repeated found = of_record(&there, is_attachment);
    bool same = found.log_time_ns == index.log_time_ns &&
                found.create_time_ns == index.create_time_ns && found.size == index.size &&
                gb_mcap_text_is(found.name, name) &&
                (!is_attachment || gb_mcap_text_is(found.media_type, media_type));
    return same ? GB_OK : wrong(check, record->at, record->op, "says other than what it points to");
}

static gb_status
check_statistics(const gb_mcap_check *check, const gb_mcap_record *record, gb_mcap_cursor body)
{
    const gb_mcap_statistics *found = &check->statistics;
    const gb_mcap_table *table = &check->reader->table;
    uint64_t messages = gb_mcap_get_u64(&body);
    uint16_t schemas = gb_mcap_get_u16(&body);
    uint32_t channels = gb_mcap_get_u32(&body), attachments = gb_mcap_get_u32(&body);
    uint32_t metadata = gb_mcap_get_u32(&body), chunks = gb_mcap_get_u32(&body);
    uint64_t first = gb_mcap_get_u64(&body), last = gb_mcap_get_u64(&body);
    gb_mcap_cursor counts = gb_mcap_get_block(&body);
    bool same = messages == found->message_count && schemas == table->schema_count &&
                channels == (uint32_t)table->channel_count &&
                attachments == found->attachment_count && metadata == found->metadata_count &&
                chunks == found->chunk_count;
    bool times = messages == 0 || (first == found->first_time_ns && last == found->last_time_ns);
    if (body.over || counts.size % 10 != 0 || !same || !times)
        return wrong(check, record->at, record->op, "does not count what is in the file");
    uint64_t sum = 0;
    while (counts.at < counts.size) {
        uint16_t channel = gb_mcap_get_u16(&counts);
        uint64_t count = gb_mcap_get_u64(&counts);
        if (count != check->counts[channel])
            return wrong(check, record->at, record->op, "miscounts the messages of a channel");
        sum += count;
    }
    if (counts.size > 0 && sum != messages)
        return wrong(check, record->at, record->op, "misses the messages of a channel");
    return GB_OK;
}

/* All records from start on must be of the kind the offset says. */
static gb_status
check_offset(const gb_mcap_check *check, const gb_mcap_record *record, gb_mcap_cursor body)
{
    gb_mcap_reader *reader = check->reader;
    uint8_t op = gb_mcap_get_u8(&body);
    uint64_t start = gb_mcap_get_u64(&body), length = gb_mcap_get_u64(&body);
    uint64_t from = reader->footer.summary_at, to = reader->footer.offsets_at;
    if (body.over || start < from || start > to || length > to - start)
        return wrong(check, record->at, record->op, "points outside the summary");
    for (uint64_t at = start; at < start + length;) {
        gb_mcap_record target;
        GB_TRY(gb_mcap_record_at(reader->in, at, start + length, &target));
        if (target.op != op)
            return wrong(check, record->at, record->op, "points to records of another kind");
        at = target.end;
    }
    return GB_OK;
}

static gb_status
check_record(const gb_mcap_check *check, const gb_mcap_record *record, listed *seen)
{
    gb_mcap_cursor body;
    GB_TRY(gb_mcap_record_body(check->reader->in, record, &body));
    switch (record->op) {
    case GB_MCAP_STATISTICS:
        if (seen->statistics++ > 0)
            return wrong(check, record->at, record->op, "is the second one");
        return check_statistics(check, record, body);
    case GB_MCAP_CHUNK_INDEX:
        seen->chunks++;
        return check_chunk_index(check, record, body);
    case GB_MCAP_ATTACHMENT_INDEX:
        seen->attachments++;
        return check_place(check, record, body);
    case GB_MCAP_METADATA_INDEX:
        seen->metadata++;
        return check_place(check, record, body);
    case GB_MCAP_SUMMARY_OFFSET:
        return check_offset(check, record, body);
    case GB_MCAP_SCHEMA:
    case GB_MCAP_CHANNEL:
        return gb_mcap_table_add(&check->reader->table, check->reader->in, record->at, record->op,
                                 body);
    default:
        return GB_OK;
    }
}

gb_status gb_mcap_check_summary(gb_mcap_check *check)
{
    gb_mcap_reader *reader = check->reader;
    const gb_mcap_footer *footer = &reader->footer;
    listed seen = {0};
    bool offsets_met = footer->offsets_at == 0 || footer->offsets_at == footer->at;
    for (uint64_t at = check->at; at < footer->at;) {
        gb_mcap_record record;
        GB_TRY(gb_mcap_record_at(reader->in, at, footer->at, &record));
        offsets_met = offsets_met || at == footer->offsets_at;
        bool is_offset = record.op == GB_MCAP_SUMMARY_OFFSET;
        if (is_offset && (footer->offsets_at == 0 || at < footer->offsets_at))
            return wrong(check, at, record.op, "stands before the place that the footer gives");
        GB_TRY(check_record(check, &record, &seen));
        at = record.end;
    }
    const gb_mcap_statistics *s = &check->statistics;
    if (!offsets_met)
        return gb_mcap_damaged(reader->in, footer->at, "the footer points into a record");
    if ((seen.chunks != 0 && seen.chunks != s->chunk_count) ||
        (seen.attachments != 0 && seen.attachments != s->attachment_count) ||
        (seen.metadata != 0 && seen.metadata != s->metadata_count))
        return gb_mcap_damaged(reader->in, footer->at, "the summary does not list all there is");
    return GB_OK;
}
