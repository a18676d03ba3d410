/* Opens MCAP files and answers for what is in them: header, statistics, schemas, channels,
 * attachments, metadata. Messages come from mcap_next.c. */
#include <stdlib.h>

#include "record/mcap_read.h"

static const size_t SCRATCH_LIMIT = (size_t)1 << 30;

static gb_status open_file(gb_mcap_reader *reader)
{
    GB_TRY(gb_arena_create(0, &reader->lists));
    GB_TRY(gb_arena_create(SCRATCH_LIMIT, &reader->scratch));
    GB_TRY(gb_mcap_table_init(&reader->table));
    GB_TRY(gb_mcap_read_header(reader));
    GB_TRY(gb_mcap_read_footer(reader->in, &reader->footer));
    reader->data_end =
        reader->footer.summary_at == 0 ? reader->footer.at : reader->footer.summary_at;
    if (reader->data_end < reader->data_at)
        return gb_mcap_damaged(reader->in, reader->footer.at,
                               "the summary begins before the data does");
    bool complete = false;
    GB_TRY(gb_mcap_read_summary(reader, &complete));
    if (!complete)
        GB_TRY(gb_mcap_scan(reader));
    return gb_mcap_rewind(reader, NULL);
}

gb_status gb_mcap_reader_create(gb_bytes_in *from, gb_mcap_reader **out)
{
    gb_mcap_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL) {
        from->close(from);
        return gb_fail(GB_ERR_MEMORY, "cannot get memory to read an MCAP file");
    }
    reader->in = from;
    gb_status status = open_file(reader);
    if (status != GB_OK) {
        gb_mcap_reader_destroy(reader);
        return status;
    }
    *out = reader;
    return GB_OK;
}

void gb_mcap_reader_destroy(gb_mcap_reader *reader)
{
    if (reader == NULL)
        return;
    gb_mcap_merge_destroy(reader->merge);
    gb_mcap_block_free(&reader->block);
    gb_mcap_unpacker_free(&reader->unpacker);
    gb_mcap_table_free(&reader->table);
    gb_arena_destroy(reader->lists);
    gb_arena_destroy(reader->scratch);
    free(reader->chunks);
    free(reader->attachments);
    free(reader->metadata);
    reader->in->close(reader->in);
    free(reader);
}

const char *gb_mcap_reader_profile(const gb_mcap_reader *reader)
{
    return reader->profile;
}

const char *gb_mcap_reader_library(const gb_mcap_reader *reader)
{
    return reader->library;
}

gb_status gb_mcap_reader_statistics(gb_mcap_reader *reader, gb_mcap_statistics *out)
{
    *out = reader->statistics;
    return GB_OK;
}

int gb_mcap_reader_channel_count(const gb_mcap_reader *reader)
{
    return reader->table.channel_count;
}

const gb_mcap_channel *gb_mcap_reader_channel_at(const gb_mcap_reader *reader, int number)
{
    return number >= 0 && number < reader->table.channel_count ? reader->table.order[number] : NULL;
}

const gb_mcap_channel *gb_mcap_reader_channel(const gb_mcap_reader *reader, uint16_t id)
{
    return gb_mcap_table_channel(&reader->table, id);
}

const gb_mcap_schema *gb_mcap_reader_schema(const gb_mcap_reader *reader, uint16_t id)
{
    return gb_mcap_table_schema(&reader->table, id);
}

/* ---- attachments and metadata ---- */

static gb_status record_at_place(gb_mcap_reader *reader,
                                 const gb_mcap_place *places,
                                 size_t count,
                                 int number,
                                 uint8_t op,
                                 gb_mcap_record *out_record,
                                 gb_mcap_cursor *out_body)
{
    if (number < 0 || (size_t)number >= count)
        return gb_fail(GB_ERR_NOT_FOUND, "%s has %zu %s records; there is no number %d",
                       reader->in->origin, count, gb_mcap_op_name(op), number);
    const gb_mcap_place *place = &places[number];
    GB_TRY(gb_mcap_record_at(reader->in, place->at, reader->data_end, out_record));
    if (out_record->op != op || out_record->end - out_record->at != place->length)
        return gb_mcap_damaged(reader->in, place->at,
                               "the %s that the summary lists here is not there",
                               gb_mcap_op_name(op));
    gb_arena_reset(reader->scratch);
    return gb_mcap_record_body(reader->in, out_record, out_body);
}

gb_status gb_mcap_attachment_at(gb_mcap_reader *reader, int number, gb_mcap_attachment *out)
{
    gb_mcap_record record;
    gb_mcap_cursor body;
    GB_TRY(record_at_place(reader, reader->attachments, reader->attachment_count, number,
                           GB_MCAP_ATTACHMENT, &record, &body));
    return gb_mcap_attachment_parse(reader->in, record.at, body, reader->scratch, out);
}

gb_status gb_mcap_metadata_at(gb_mcap_reader *reader, int number, gb_mcap_metadata *out)
{
    gb_mcap_record record;
    gb_mcap_cursor body;
    GB_TRY(record_at_place(reader, reader->metadata, reader->metadata_count, number,
                           GB_MCAP_METADATA, &record, &body));
    return gb_mcap_metadata_parse(reader->in, record.at, body, reader->scratch, out);
}
