/* Chunks of a file, decompressed and checked. Not for what their records say. */
#include <string.h>

#include "base/crc32.h"
#include "record/mcap_read.h"

/* Without compression the records are used where they lie, if they stay there. */
static gb_status take_plain(const gb_bytes_in *in,
                            const gb_mcap_chunk *chunk,
                            gb_mcap_block *block,
                            const char **why)
{
    if (chunk->packed_size != chunk->size) {
        *why = "its size is not what it says";
        return GB_ERR_CORRUPT;
    }
    block->data = chunk->packed;
    if (in->stable)
        return GB_OK;
    block->owned.size = 0;
    block->owned.failed = false;
    gb_mcap_put_bytes(&block->owned, chunk->packed, chunk->packed_size);
    block->data = block->owned.data;
    if (!block->owned.failed)
        return GB_OK;
    *why = "no memory for a chunk";
    return GB_ERR_MEMORY;
}

gb_status gb_mcap_block_load(gb_bytes_in *in,
                             gb_mcap_unpacker *unpacker,
                             const gb_mcap_record *record,
                             gb_mcap_block *block,
                             gb_mcap_chunk *out_chunk)
{
    gb_mcap_cursor body;
    gb_mcap_chunk chunk;
    GB_TRY(gb_mcap_record_body(in, record, &body));
    GB_TRY(gb_mcap_chunk_parse(in, record->at, body, &chunk));
    const char *why = "its compressed data is longer than its record";
    gb_status status = chunk.cut ? GB_ERR_CORRUPT : GB_OK;
    if (status == GB_OK && chunk.compression == GB_COMPRESSION_NONE) {
        status = take_plain(in, &chunk, block, &why);
    } else if (status == GB_OK) {
        status = gb_mcap_unpack(unpacker, &chunk, &block->owned, &why);
        block->data = block->owned.data;
    }
    if (status == GB_ERR_MEMORY)
        return gb_fail(status, "%s: byte %llu: %s", in->origin, (unsigned long long)record->at,
                       why);
    if (status != GB_OK)
        return gb_mcap_damaged(in, record->at, "the chunk here is damaged: %s", why);
    block->size = (size_t)chunk.size;
    block->at = record->at;
    if (chunk.crc != 0 && gb_crc32(0, block->data, block->size) != chunk.crc)
        return gb_mcap_damaged(in, record->at, "the checksum of the chunk here does not hold");
    chunk.packed = NULL; /* may be gone by now */
    if (out_chunk != NULL)
        *out_chunk = chunk;
    return GB_OK;
}

gb_status gb_mcap_block_load_place(gb_mcap_reader *reader,
                                   const gb_mcap_chunk_place *place,
                                   gb_mcap_block *block)
{
    gb_bytes_in *in = reader->in;
    gb_mcap_record record;
    gb_mcap_chunk chunk;
    GB_TRY(gb_mcap_record_at(in, place->at, reader->data_end, &record));
    if (record.op != GB_MCAP_CHUNK || record.end - record.at != place->length)
        return gb_mcap_damaged(in, place->at, "the chunk that the summary lists here is not there");
    GB_TRY(gb_mcap_block_load(in, &reader->unpacker, &record, block, &chunk));
    if (chunk.first_ns != place->first_ns || chunk.last_ns != place->last_ns)
        return gb_mcap_damaged(in, place->at, "the times of the chunk here are not the summary's");
    return GB_OK;
}

void gb_mcap_block_free(gb_mcap_block *block)
{
    gb_mcap_buffer_free(&block->owned);
    *block = (gb_mcap_block){0};
}
