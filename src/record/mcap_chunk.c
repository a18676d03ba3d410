/* Chunks of a file being written: filled one after another, sealed (checksum, message indexes,
 * compression) side by side on a pool, written in their order. Where a chunk ends depends on the
 * records alone, so the bytes do not depend on the pool. */
#include <stdlib.h>
#include <string.h>

#include "base/crc32.h"
#include "record/mcap_write.h"

enum {
    DRAFTS_PER_THREAD = 2, /* so that threads even out when chunks compress unequally fast */
    KEPT_TIMES = 4,        /* a buffer this many times a chunk's size is not kept */
    CHUNK_BYTES = GB_MCAP_HEAD_BYTES + 8 + 8 + 8 + 4 + 4 + 8 /* without name and records */
};

gb_status gb_mcap_drafts_create(gb_mcap_writer *writer)
{
    gb_pool *pool = writer->options.pool;
    int count = pool == NULL ? 1 : DRAFTS_PER_THREAD * gb_pool_threads(pool);
    writer->drafts = calloc((size_t)count, sizeof *writer->drafts);
    if (writer->drafts == NULL)
        return gb_fail(GB_ERR_MEMORY, "cannot get memory for chunks");
    writer->draft_count = count;
    return GB_OK;
}

void gb_mcap_drafts_free(gb_mcap_writer *writer)
{
    for (int i = 0; i < writer->draft_count; i++) {
        gb_mcap_draft *draft = &writer->drafts[i];
        gb_mcap_buffer_free(&draft->records);
        gb_mcap_buffer_free(&draft->packed);
        gb_mcap_buffer_free(&draft->index);
        gb_mcap_buffer_free(&draft->places);
        gb_mcap_packer_free(&draft->packer);
        free(draft->entries);
    }
    free(writer->drafts);
    writer->drafts = NULL;
    writer->draft_count = 0;
}

/* ---- sealing: on any thread ---- */

static gb_status seal_out_of_memory(gb_mcap_draft *draft)
{
    draft->why = "no memory for the index of a chunk";
    return GB_ERR_MEMORY;
}

/* One MessageIndex record for each channel of the chunk, in the order of their ids: a counting
 * sort. The room of each record is known once its messages are counted. */
static gb_status write_message_indexes(gb_mcap_draft *draft, uint32_t channel_count)
{
    enum {
        FIELDS = GB_MCAP_HEAD_BYTES + 2 + 4,
        ENTRY = 16
    };
    size_t *next = calloc(channel_count, sizeof *next); /* first a count, then where to write */
    if (next == NULL)
        return seal_out_of_memory(draft);
    for (size_t i = 0; i < draft->entry_count; i++)
        next[draft->entries[i].channel_id]++;
    for (uint32_t channel = 0; channel < channel_count; channel++) {
        size_t count = next[channel];
        if (count == 0)
            continue;
        gb_mcap_put_u16(&draft->places, (uint16_t)channel);
        gb_mcap_put_u64(&draft->places, draft->index.size);
        size_t start = gb_mcap_put_begin(&draft->index, GB_MCAP_MESSAGE_INDEX);
        gb_mcap_put_u16(&draft->index, (uint16_t)channel);
        gb_mcap_put_u32(&draft->index, (uint32_t)(count * ENTRY));
        next[channel] = draft->index.size;
        if (gb_mcap_buffer_reserve(&draft->index, count * ENTRY))
            draft->index.size += count * ENTRY;
        gb_mcap_put_end(&draft->index, start);
    }
    if (draft->index.failed || draft->places.failed) {
        free(next);
        return seal_out_of_memory(draft);
    }
    for (size_t i = 0; i < draft->entry_count; i++) {
        const gb_mcap_entry *entry = &draft->entries[i];
        unsigned char *at = draft->index.data + next[entry->channel_id];
        for (int b = 0; b < 8; b++) {
            at[b] = (unsigned char)(entry->time_ns >> 8 * b);
            at[8 + b] = (unsigned char)((uint64_t)entry->at >> 8 * b);
        }
        next[entry->channel_id] += ENTRY;
    }
    free(next);
    return GB_OK;
}

static gb_status seal(gb_mcap_draft *draft, const gb_mcap_writer *writer)
{
    const gb_mcap_writer_options *options = &writer->options;
    draft->crc = options->crcs ? gb_crc32(0, draft->records.data, draft->records.size) : 0;
    if (options->indexes && draft->entry_count > 0)
        GB_TRY(write_message_indexes(draft, writer->last_channel + 1));
    if (options->compression == GB_COMPRESSION_NONE)
        return GB_OK;
    return gb_mcap_pack(&draft->packer, options->compression, options->level, &draft->records,
                        &draft->packed, &draft->why);
}

static void seal_part(void *context, int64_t part, int thread)
{
    (void)thread;
    gb_mcap_writer *writer = context;
    writer->drafts[part].status = seal(&writer->drafts[part], writer);
}

/* ---- writing ---- */

static void index_chunk(
    gb_mcap_writer *writer, const gb_mcap_draft *draft, uint64_t at, uint64_t length, size_t stored)
{
    gb_mcap_buffer *index = &writer->chunk_index;
    size_t start = gb_mcap_put_begin(index, GB_MCAP_CHUNK_INDEX);
    gb_mcap_put_u64(index, draft->first_ns);
    gb_mcap_put_u64(index, draft->last_ns);
    gb_mcap_put_u64(index, at);
    gb_mcap_put_u64(index, length);
    gb_mcap_put_u32(index, (uint32_t)draft->places.size);
    gb_mcap_cursor places = gb_mcap_cursor_over(draft->places.data, draft->places.size);
    while (places.at < places.size) {
        gb_mcap_put_u16(index, gb_mcap_get_u16(&places));
        gb_mcap_put_u64(index, at + length + gb_mcap_get_u64(&places));
    }
    gb_mcap_put_u64(index, draft->index.size);
    gb_mcap_put_text(index, gb_mcap_compression_name(writer->options.compression));
    gb_mcap_put_u64(index, stored);
    gb_mcap_put_u64(index, draft->records.size);
    gb_mcap_put_end(index, start);
}

static gb_status write_chunk(gb_mcap_writer *writer, const gb_mcap_draft *draft)
{
    if (draft->status != GB_OK)
        return gb_mcap_writer_fail(writer,
                                   gb_fail(draft->status, "writing a chunk: %s", draft->why));
    bool plain = writer->options.compression == GB_COMPRESSION_NONE;
    const gb_mcap_buffer *stored = plain ? &draft->records : &draft->packed;
    const char *name = gb_mcap_compression_name(writer->options.compression);
    uint64_t at = writer->at, length = CHUNK_BYTES + strlen(name) + stored->size;
    gb_mcap_buffer *head = &writer->head;
    head->size = 0;
    gb_mcap_put_u8(head, GB_MCAP_CHUNK);
    gb_mcap_put_u64(head, length - GB_MCAP_HEAD_BYTES);
    gb_mcap_put_u64(head, draft->first_ns);
    gb_mcap_put_u64(head, draft->last_ns);
    gb_mcap_put_u64(head, draft->records.size);
    gb_mcap_put_u32(head, draft->crc);
    gb_mcap_put_text(head, name);
    gb_mcap_put_u64(head, stored->size);
    if (writer->options.indexes)
        index_chunk(writer, draft, at, length, stored->size);
    if (head->failed || writer->chunk_index.failed)
        return gb_mcap_writer_fail(writer,
                                   gb_fail(GB_ERR_MEMORY, "cannot get memory to index chunks"));
    GB_TRY(gb_mcap_emit(writer, head->data, head->size));
    GB_TRY(gb_mcap_emit(writer, stored->data, stored->size));
    if (draft->index.size > 0)
        GB_TRY(gb_mcap_emit(writer, draft->index.data, draft->index.size));
    writer->statistics.chunk_count++;
    return GB_OK;
}

static void empty(gb_mcap_draft *draft, size_t chunk_bytes)
{
    if (draft->records.capacity > KEPT_TIMES * chunk_bytes) {
        gb_mcap_buffer_free(&draft->records);
        gb_mcap_buffer_free(&draft->packed);
    }
    draft->records.size = draft->packed.size = draft->index.size = draft->places.size = 0;
    draft->entry_count = 0;
    draft->first_ns = draft->last_ns = 0;
}

gb_status gb_mcap_write_chunks(gb_mcap_writer *writer, bool open)
{
    int count = writer->full;
    if (open && writer->drafts[count].records.size > 0)
        count++;
    gb_pool_run(count > 1 ? writer->options.pool : NULL, seal_part, writer, count);
    gb_status status = GB_OK;
    for (int i = 0; i < count; i++) {
        if (status == GB_OK)
            status = write_chunk(writer, &writer->drafts[i]);
        empty(&writer->drafts[i], writer->options.chunk_bytes);
    }
    /* The open one goes first in the row again. */
    if (!open && writer->full > 0) {
        gb_mcap_draft first = writer->drafts[0];
        writer->drafts[0] = writer->drafts[writer->full];
        writer->drafts[writer->full] = first;
    }
    writer->full = 0;
    return status;
}

/* ---- filling ---- */

/* The open chunk is full: the next draft becomes the open one, once there is one that is free. */
static gb_status close_chunk(gb_mcap_writer *writer)
{
    if (writer->drafts[writer->full].records.size == 0)
        return GB_OK;
    if (writer->full + 1 == writer->draft_count)
        return gb_mcap_write_chunks(writer, true);
    writer->full++;
    return GB_OK;
}

gb_status gb_mcap_open_chunk(gb_mcap_writer *writer, size_t size, gb_mcap_draft **out)
{
    size_t used = writer->drafts[writer->full].records.size;
    if (used > 0 &&
        (used >= writer->options.chunk_bytes || size > writer->options.chunk_bytes - used))
        GB_TRY(close_chunk(writer));
    gb_mcap_draft *draft = &writer->drafts[writer->full];
    size_t room = size;
    if (draft->records.size == 0 && room < writer->options.chunk_bytes)
        room = writer->options.chunk_bytes;
    if (!gb_mcap_buffer_reserve(&draft->records, room))
        return gb_mcap_writer_fail(
            writer, gb_fail(GB_ERR_MEMORY, "cannot get %zu bytes for a chunk", room));
    *out = draft;
    return GB_OK;
}

static bool reserve_entry(gb_mcap_draft *draft)
{
    if (draft->entry_count < draft->entry_capacity)
        return true;
    size_t capacity = draft->entry_capacity == 0 ? 256 : 2 * draft->entry_capacity;
    gb_mcap_entry *entries = realloc(draft->entries, capacity * sizeof *entries);
    if (entries == NULL)
        return false;
    draft->entries = entries;
    draft->entry_capacity = capacity;
    return true;
}

gb_status gb_mcap_chunk_message(gb_mcap_writer *writer,
                                const gb_mcap_message *message,
                                const gb_piece *parts,
                                int count,
                                size_t size)
{
    gb_mcap_draft *draft = NULL;
    GB_TRY(gb_mcap_open_chunk(writer, GB_MCAP_HEAD_BYTES + GB_MCAP_MESSAGE_BYTES + size, &draft));
    if (!reserve_entry(draft))
        return gb_mcap_writer_fail(writer,
                                   gb_fail(GB_ERR_MEMORY, "cannot get memory to index messages"));
    uint64_t time = message->log_time_ns;
    bool first = draft->entry_count == 0;
    draft->first_ns = first || time < draft->first_ns ? time : draft->first_ns;
    draft->last_ns = first || time > draft->last_ns ? time : draft->last_ns;
    draft->entries[draft->entry_count++] =
        (gb_mcap_entry){time, (uint32_t)draft->records.size, message->channel_id};
    gb_mcap_put_message_head(&draft->records, message, size);
    for (int i = 0; i < count; i++)
        gb_mcap_put_bytes(&draft->records, parts[i].data, parts[i].size);
    return GB_OK;
}
