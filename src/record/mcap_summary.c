/* What stands behind the data of an MCAP file being written: the summary, by which readers find
 * everything, its own index, and the footer. Not for reading it (mcap_index.c). */
#include "base/crc32.h"
#include "record/mcap_write.h"

static void put_statistics(gb_mcap_buffer *to, const gb_mcap_writer *writer)
{
    const gb_mcap_statistics *s = &writer->statistics;
    size_t start = gb_mcap_put_begin(to, GB_MCAP_STATISTICS);
    gb_mcap_put_u64(to, s->message_count);
    gb_mcap_put_u16(to, s->schema_count);
    gb_mcap_put_u32(to, s->channel_count);
    gb_mcap_put_u32(to, s->attachment_count);
    gb_mcap_put_u32(to, s->metadata_count);
    gb_mcap_put_u32(to, s->chunk_count);
    gb_mcap_put_u64(to, s->first_time_ns);
    gb_mcap_put_u64(to, s->last_time_ns);
    uint32_t used = 0;
    for (uint32_t id = 0; id <= writer->last_channel; id++)
        used += writer->counts[id] > 0;
    gb_mcap_put_u32(to, used * 10); /* a map of u16 to u64 */
    for (uint32_t id = 0; id <= writer->last_channel; id++)
        if (writer->counts[id] > 0) {
            gb_mcap_put_u16(to, (uint16_t)id);
            gb_mcap_put_u64(to, writer->counts[id]);
        }
    gb_mcap_put_end(to, start);
}

static void put_offset(gb_mcap_buffer *to, gb_mcap_op op, uint64_t start, uint64_t length)
{
    if (length == 0)
        return;
    size_t begin = gb_mcap_put_begin(to, GB_MCAP_SUMMARY_OFFSET);
    gb_mcap_put_u8(to, (uint8_t)op);
    gb_mcap_put_u64(to, start);
    gb_mcap_put_u64(to, length);
    gb_mcap_put_end(to, begin);
}

/* The summary's records, each kind together, and behind them where each kind begins. */
static gb_status put_summary(gb_mcap_writer *writer, gb_mcap_buffer *to, size_t *out_offsets_at)
{
    gb_mcap_buffer statistics = {0}, offsets = {0};
    put_statistics(&statistics, writer);
    const struct {
        gb_mcap_op op;
        const gb_mcap_buffer *records;
    } groups[] = {
        {GB_MCAP_SCHEMA, &writer->schemas},
        {GB_MCAP_CHANNEL, &writer->channels},
        {GB_MCAP_STATISTICS, &statistics},
        {GB_MCAP_CHUNK_INDEX, &writer->chunk_index},
        {GB_MCAP_ATTACHMENT_INDEX, &writer->attachment_index},
        {GB_MCAP_METADATA_INDEX, &writer->metadata_index},
    };
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        put_offset(&offsets, groups[i].op, writer->at + to->size, groups[i].records->size);
        gb_mcap_put_bytes(to, groups[i].records->data, groups[i].records->size);
    }
    *out_offsets_at = to->size;
    gb_mcap_put_bytes(to, offsets.data, offsets.size);
    bool failed = to->failed || statistics.failed || offsets.failed;
    gb_mcap_buffer_free(&statistics);
    gb_mcap_buffer_free(&offsets);
    return failed ? gb_fail(GB_ERR_MEMORY, "cannot get memory for the summary of an MCAP file")
                  : GB_OK;
}

static gb_status put_footer(gb_mcap_writer *writer, gb_mcap_buffer *to, size_t offsets_at)
{
    bool has_summary = to->size > 0;
    uint64_t summary_at = writer->at;
    size_t start = gb_mcap_put_begin(to, GB_MCAP_FOOTER);
    gb_mcap_put_u64(to, has_summary ? summary_at : 0);
    gb_mcap_put_u64(to, has_summary ? summary_at + offsets_at : 0);
    gb_mcap_put_u32(to, 0);
    gb_mcap_put_end(to, start);
    if (to->failed)
        return gb_fail(GB_ERR_MEMORY, "cannot get memory for the footer of an MCAP file");
    to->size -= 4; /* the checksum covers all up to itself, with the record's length filled in */
    uint32_t crc = writer->options.crcs ? gb_crc32(0, to->data, to->size) : 0;
    gb_mcap_put_u32(to, crc);
    gb_mcap_put_bytes(to, gb_mcap_magic, GB_MCAP_MAGIC_BYTES);
    return GB_OK;
}

gb_status gb_mcap_write_end(gb_mcap_writer *writer)
{
    gb_mcap_buffer *record = &writer->record;
    record->size = 0;
    size_t start = gb_mcap_put_begin(record, GB_MCAP_DATA_END);
    gb_mcap_put_u32(record, writer->options.crcs ? writer->data_crc : 0);
    gb_mcap_put_end(record, start);
    if (record->failed)
        return gb_fail(GB_ERR_MEMORY, "cannot get memory to end an MCAP file");
    GB_TRY(gb_mcap_emit(writer, record->data, record->size));

    gb_mcap_buffer summary = {0};
    size_t offsets_at = 0;
    gb_status status = GB_OK;
    if (writer->options.indexes)
        status = put_summary(writer, &summary, &offsets_at);
    if (status == GB_OK)
        status = put_footer(writer, &summary, offsets_at);
    if (status == GB_OK)
        status = gb_mcap_emit(writer, summary.data, summary.size);
    gb_mcap_buffer_free(&summary);
    return status;
}
