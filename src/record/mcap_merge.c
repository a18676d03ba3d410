/* Messages of an MCAP file in the order of their log_time: chunks are opened when their first
 * message may be the next, and their messages merged. Messages of the same time come in the order
 * of the file. Not for the order of the file itself. */
#include <stdlib.h>

#include "record/mcap_read.h"

/* Chunks that are open at once; more happens only in files whose chunks all span the same time. */
static const uint64_t OPEN_LIMIT = (uint64_t)2 << 30;

typedef struct merge_entry {
    uint64_t time_ns, at; /* where: in the chunk, or in the file */
} merge_entry;

/* One chunk, or all messages outside chunks. */
typedef struct merge_source {
    uint64_t time_ns; /* of its next message; of a chunk not yet open: the earliest it says */
    size_t chunk;     /* its number; the reader's chunk_count for messages outside chunks */
    bool open;
    gb_mcap_block block;
    merge_entry *entries; /* [count] */
    size_t count, capacity, next;
} merge_source;

struct gb_mcap_merge {
    merge_source *sources;
    size_t count;
    size_t *heap; /* [heap_count] numbers of sources, the next one first */
    size_t heap_count;
    uint64_t open_bytes;
    gb_mcap_buffer spare; /* memory of a chunk that is done with */
};

/* ---- a heap of sources ---- */

static bool before(const gb_mcap_merge *merge, size_t a, size_t b)
{
    const merge_source *x = &merge->sources[a], *y = &merge->sources[b];
    return x->time_ns != y->time_ns ? x->time_ns < y->time_ns : x->chunk < y->chunk;
}

static void sink_down(gb_mcap_merge *merge, size_t at)
{
    size_t *heap = merge->heap;
    for (;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < merge->heap_count; child++)
            if (before(merge, heap[child], heap[least]))
                least = child;
        if (least == at)
            return;
        size_t moved = heap[at];
        heap[at] = heap[least];
        heap[least] = moved;
        at = least;
    }
}

/* ---- opening a source ---- */

static gb_status add_entry(const gb_mcap_reader *reader, merge_source *source, merge_entry entry)
{
    if (source->count == source->capacity) {
        size_t capacity = source->capacity == 0 ? 64 : 2 * source->capacity;
        merge_entry *entries = realloc(source->entries, capacity * sizeof *entries);
        if (entries == NULL)
            return gb_fail(GB_ERR_MEMORY, "%s: cannot get memory to order its messages by time",
                           reader->in->origin);
        source->entries = entries;
        source->capacity = capacity;
    }
    source->entries[source->count++] = entry;
    return GB_OK;
}

static int by_time(const void *a, const void *b)
{
    const merge_entry *x = a, *y = b;
    if (x->time_ns != y->time_ns)
        return x->time_ns < y->time_ns ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

static void sort_entries(merge_source *source)
{
    bool sorted = true;
    for (size_t i = 1; i < source->count && sorted; i++)
        sorted = source->entries[i - 1].time_ns <= source->entries[i].time_ns;
    if (!sorted)
        qsort(source->entries, source->count, sizeof *source->entries, by_time);
}

static gb_status
take_entries(gb_mcap_reader *reader, merge_source *source, const gb_mcap_chunk_place *place)
{
    const gb_mcap_block *block = &source->block;
    gb_mcap_cursor records = gb_mcap_cursor_over(block->data, block->size), body;
    uint8_t op;
    for (size_t at = 0; gb_mcap_inner_record(&records, &op, &body); at = records.at) {
        gb_mcap_message message;
        if (op == GB_MCAP_SCHEMA || op == GB_MCAP_CHANNEL)
            GB_TRY(gb_mcap_table_add(&reader->table, reader->in, block->at, op, body));
        if (op != GB_MCAP_MESSAGE)
            continue;
        GB_TRY(gb_mcap_take_message(reader, block->at, body, &message));
        uint64_t time = message.log_time_ns;
        if (time < place->first_ns || time > place->last_ns)
            return gb_mcap_damaged(reader->in, block->at,
                                   "the chunk here has messages outside the times it says");
        if (gb_mcap_wants_channel(reader, message.channel_id) && gb_mcap_wants_time(reader, time))
            GB_TRY(add_entry(reader, source, (merge_entry){time, at}));
    }
    if (records.over)
        return gb_mcap_damaged(reader->in, block->at, "the chunk here ends within a record");
    sort_entries(source);
    return GB_OK;
}

static void close_source(gb_mcap_merge *merge, merge_source *source)
{
    if (source->open) /* messages outside chunks have no block */
        merge->open_bytes -= source->block.size;
    if (source->block.owned.capacity > merge->spare.capacity) {
        gb_mcap_buffer spare = merge->spare;
        merge->spare = source->block.owned;
        source->block.owned = spare;
    }
    gb_mcap_block_free(&source->block);
    free(source->entries);
    source->entries = NULL;
    source->count = source->next = source->capacity = 0;
    source->open = false;
}

static gb_status open_chunk(gb_mcap_reader *reader, merge_source *source)
{
    gb_mcap_merge *merge = reader->merge;
    const gb_mcap_chunk_place *place = &reader->chunks[source->chunk];
    if (source->block.owned.data == NULL) { /* else a try before this one failed */
        source->block.owned = merge->spare;
        merge->spare = (gb_mcap_buffer){0};
    }
    source->count = 0;
    GB_TRY(gb_mcap_block_load_place(reader, place, &source->block));
    if (source->block.size > OPEN_LIMIT - merge->open_bytes)
        return gb_fail(GB_ERR_UNSUPPORTED,
                       "%s: more than %llu bytes of chunks span the same time; read it in the "
                       "order of the file",
                       reader->in->origin, (unsigned long long)OPEN_LIMIT);
    GB_TRY(take_entries(reader, source, place));
    merge->open_bytes += source->block.size;
    source->open = true;
    return GB_OK;
}

/* ---- messages outside chunks: all of them are found first ---- */

static gb_status find_loose(gb_mcap_reader *reader, merge_source *source)
{
    gb_bytes_in *in = reader->in;
    for (uint64_t at = reader->data_at; at < reader->data_end;) {
        gb_mcap_record record;
        gb_mcap_cursor body;
        gb_mcap_message message;
        GB_TRY(gb_mcap_record_at(in, at, reader->data_end, &record));
        if (record.op == GB_MCAP_DATA_END)
            break;
        at = record.end;
        if (record.op != GB_MCAP_MESSAGE)
            continue;
        GB_TRY(gb_mcap_record_body(in, &record, &body));
        GB_TRY(gb_mcap_take_message(reader, record.at, body, &message));
        if (gb_mcap_wants_channel(reader, message.channel_id) &&
            gb_mcap_wants_time(reader, message.log_time_ns))
            GB_TRY(add_entry(reader, source, (merge_entry){message.log_time_ns, record.at}));
    }
    sort_entries(source);
    source->open = true;
    return GB_OK;
}

/* ---- begin and end ---- */

static gb_status fill_merge(gb_mcap_reader *reader, gb_mcap_merge *merge)
{
    size_t most = reader->chunk_count + 1;
    merge->sources = calloc(most, sizeof *merge->sources);
    merge->heap = calloc(most, sizeof *merge->heap);
    if (merge->sources == NULL || merge->heap == NULL)
        return gb_fail(GB_ERR_MEMORY, "%s: cannot get memory to order %zu chunks by time",
                       reader->in->origin, reader->chunk_count);
    for (size_t i = 0; i < reader->chunk_count; i++)
        if (gb_mcap_wants_chunk(reader, &reader->chunks[i]))
            merge->sources[merge->count++] =
                (merge_source){.time_ns = reader->chunks[i].first_ns, .chunk = i};
    if (reader->loose) {
        merge_source *source = &merge->sources[merge->count++];
        source->chunk = reader->chunk_count;
        GB_TRY(find_loose(reader, source));
        if (source->count == 0)
            merge->count--;
        else
            source->time_ns = source->entries[0].time_ns;
    }
    for (size_t i = 0; i < merge->count; i++)
        merge->heap[i] = i;
    merge->heap_count = merge->count;
    for (size_t i = merge->count / 2; i-- > 0;)
        sink_down(merge, i);
    return GB_OK;
}

gb_status gb_mcap_merge_create(gb_mcap_reader *reader, gb_mcap_merge **out)
{
    /* A summary without chunks says nothing of where messages lie. */
    if (reader->loose && !reader->scanned) {
        gb_mcap_statistics statistics = reader->statistics;
        GB_TRY(gb_mcap_scan(reader));
        reader->statistics = statistics;
    }
    gb_mcap_merge *merge = calloc(1, sizeof *merge);
    if (merge == NULL)
        return gb_fail(GB_ERR_MEMORY, "%s: cannot get memory to order it by time",
                       reader->in->origin);
    gb_status status = fill_merge(reader, merge);
    if (status != GB_OK) {
        gb_mcap_merge_destroy(merge);
        return status;
    }
    *out = merge;
    return GB_OK;
}

void gb_mcap_merge_destroy(gb_mcap_merge *merge)
{
    if (merge == NULL)
        return;
    for (size_t i = 0; merge->sources != NULL && i < merge->count; i++)
        close_source(merge, &merge->sources[i]);
    gb_mcap_buffer_free(&merge->spare);
    free(merge->sources);
    free(merge->heap);
    free(merge);
}

/* ---- the next message ---- */

static gb_status message_of(gb_mcap_reader *reader,
                            const merge_source *source,
                            const merge_entry *entry,
                            gb_mcap_message *out)
{
    uint8_t op;
    gb_mcap_cursor body;
    if (source->chunk == reader->chunk_count) {
        gb_mcap_record record;
        GB_TRY(gb_mcap_record_at(reader->in, entry->at, reader->data_end, &record));
        GB_TRY(gb_mcap_record_body(reader->in, &record, &body));
        return gb_mcap_take_message(reader, entry->at, body, out);
    }
    gb_mcap_cursor records = gb_mcap_cursor_over(source->block.data, source->block.size);
    records.at = (size_t)entry->at;
    if (!gb_mcap_inner_record(&records, &op, &body))
        return gb_mcap_damaged(reader->in, source->block.at, "the chunk here ends within a record");
    return gb_mcap_take_message(reader, source->block.at, body, out);
}

static void leave_heap(gb_mcap_merge *merge)
{
    merge->heap[0] = merge->heap[--merge->heap_count];
    sink_down(merge, 0);
}

/* Messages handed out stay until the next call, so a source is closed at the call after its last.
 */
gb_status gb_mcap_merge_next(gb_mcap_reader *reader, gb_mcap_message *out, bool *out_have)
{
    gb_mcap_merge *merge = reader->merge;
    while (merge->heap_count > 0) {
        merge_source *source = &merge->sources[merge->heap[0]];
        if (!source->open)
            GB_TRY(open_chunk(reader, source));
        if (source->next == source->count) {
            close_source(merge, source);
            leave_heap(merge);
            continue;
        }
        const merge_entry *entry = &source->entries[source->next];
        if (entry->time_ns != source->time_ns) {
            source->time_ns = entry->time_ns;
            sink_down(merge, 0);
            continue;
        }
        GB_TRY(message_of(reader, source, entry, out));
        source->next++;
        *out_have = true;
        return GB_OK;
    }
    *out_have = false;
    return GB_OK;
}
