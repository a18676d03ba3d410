/* Records of an MCAP file: where they lie, what their bodies say, and the table of schemas and
 * channels. Not for the order of records or which of them are read (mcap_index.c, mcap_next.c). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32.h"
#include "record/mcap_format.h"

static const size_t CRC_PIECE = 1 << 20;

static const char *const op_names[] = {
    "record",   "Header",         "Footer",         "Schema",     "Channel",          "Message",
    "Chunk",    "Message Index",  "Chunk Index",    "Attachment", "Attachment Index", "Statistics",
    "Metadata", "Metadata Index", "Summary Offset", "Data End",
};

const char *gb_mcap_op_name(uint8_t op)
{
    return op_names[op < sizeof op_names / sizeof *op_names ? op : 0];
}

gb_status gb_mcap_damaged(const gb_bytes_in *in, uint64_t at, const char *what, ...)
{
    char text[512];
    va_list args;
    va_start(args, what);
    vsnprintf(text, sizeof text, what, args);
    va_end(args);
    return gb_fail(GB_ERR_CORRUPT, "%s: byte %llu: %s; genba recover %s saves what is whole",
                   in->origin, (unsigned long long)at, text, in->origin);
}

gb_status gb_mcap_record_at(gb_bytes_in *in, uint64_t at, uint64_t limit, gb_mcap_record *out)
{
    if (at > limit || limit - at < GB_MCAP_HEAD_BYTES)
        return gb_mcap_damaged(in, at, "a record was expected here, but the file or section ends");
    const unsigned char *head = NULL;
    GB_TRY(in->read(in, at, GB_MCAP_HEAD_BYTES, &head));
    gb_mcap_cursor cursor = gb_mcap_cursor_over(head, GB_MCAP_HEAD_BYTES);
    gb_mcap_record record = {.op = gb_mcap_get_u8(&cursor), .at = at};
    record.size = gb_mcap_get_u64(&cursor);
    if (record.op == 0)
        return gb_mcap_damaged(in, at, "a record was expected here, but there is none");
    if (record.size > limit - at - GB_MCAP_HEAD_BYTES)
        return gb_mcap_damaged(in, at,
                               "the %s record here says it is %llu bytes long, but only %llu are "
                               "left",
                               gb_mcap_op_name(record.op), (unsigned long long)record.size,
                               (unsigned long long)(limit - at - GB_MCAP_HEAD_BYTES));
    record.end = at + GB_MCAP_HEAD_BYTES + record.size;
    *out = record;
    return GB_OK;
}

gb_status gb_mcap_record_body(gb_bytes_in *in, const gb_mcap_record *record, gb_mcap_cursor *out)
{
    const unsigned char *body = NULL;
    GB_TRY(in->read(in, record->at + GB_MCAP_HEAD_BYTES, (size_t)record->size, &body));
    *out = gb_mcap_cursor_over(body, (size_t)record->size);
    return GB_OK;
}

bool gb_mcap_inner_record(gb_mcap_cursor *records, uint8_t *out_op, gb_mcap_cursor *out_body)
{
    if (records->at == records->size)
        return false;
    uint8_t op = gb_mcap_get_u8(records);
    uint64_t size = gb_mcap_get_u64(records);
    const unsigned char *body = gb_mcap_get_bytes(records, size);
    if (records->over)
        return false;
    *out_op = op;
    *out_body = gb_mcap_cursor_over(body, (size_t)size);
    return true;
}

gb_status gb_mcap_crc_range(gb_bytes_in *in, uint64_t from, uint64_t to, uint32_t *crc)
{
    uint32_t value = *crc;
    while (from < to) {
        size_t piece = to - from < CRC_PIECE ? (size_t)(to - from) : CRC_PIECE;
        const unsigned char *data = NULL;
        GB_TRY(in->read(in, from, piece, &data));
        value = gb_crc32(value, data, piece);
        from += piece;
    }
    *crc = value;
    return GB_OK;
}

static gb_status fail_fields(const gb_bytes_in *in, uint64_t at, uint8_t op)
{
    return gb_mcap_damaged(in, at, "the fields of the %s record here do not fit its length",
                           gb_mcap_op_name(op));
}

gb_status
gb_mcap_chunk_parse(const gb_bytes_in *in, uint64_t at, gb_mcap_cursor body, gb_mcap_chunk *out)
{
    gb_mcap_chunk chunk = {0};
    chunk.first_ns = gb_mcap_get_u64(&body);
    chunk.last_ns = gb_mcap_get_u64(&body);
    chunk.size = gb_mcap_get_u64(&body);
    chunk.crc = gb_mcap_get_u32(&body);
    gb_mcap_text compression = gb_mcap_get_text(&body);
    uint64_t packed_size = gb_mcap_get_u64(&body);
    if (body.over)
        return fail_fields(in, at, GB_MCAP_CHUNK);
    if (compression.size == 0)
        chunk.compression = GB_COMPRESSION_NONE;
    else if (gb_mcap_text_is(compression, "lz4"))
        chunk.compression = GB_COMPRESSION_LZ4;
    else if (gb_mcap_text_is(compression, "zstd"))
        chunk.compression = GB_COMPRESSION_ZSTD;
    else
        return gb_fail(GB_ERR_UNSUPPORTED,
                       "%s: byte %llu: a chunk is compressed as \"%.*s\", which genba does not "
                       "know; it reads lz4 and zstd",
                       in->origin, (unsigned long long)at,
                       (int)(compression.size < 32 ? compression.size : 32),
                       (const char *)compression.data);
    if (chunk.size > GB_MCAP_CHUNK_LIMIT)
        return gb_mcap_damaged(in, at,
                               "a chunk says it holds %llu bytes; more than %d are not read",
                               (unsigned long long)chunk.size, GB_MCAP_CHUNK_LIMIT);
    size_t left = body.size - body.at;
    chunk.cut = packed_size > left;
    chunk.packed_size = chunk.cut ? left : (size_t)packed_size;
    chunk.packed = gb_mcap_get_bytes(&body, chunk.packed_size);
    *out = chunk;
    return GB_OK;
}

bool gb_mcap_message_parse(gb_mcap_cursor body, gb_mcap_message *out)
{
    gb_mcap_message message = {0};
    message.channel_id = gb_mcap_get_u16(&body);
    message.sequence = gb_mcap_get_u32(&body);
    message.log_time_ns = gb_mcap_get_u64(&body);
    message.publish_time_ns = gb_mcap_get_u64(&body);
    if (body.over)
        return false;
    message.size = body.size - body.at;
    message.data = gb_mcap_get_bytes(&body, message.size);
    *out = message;
    return true;
}

/* ---- texts and pairs, copied ---- */

/* A zero inside a text would end it early and make two names equal. */
gb_status gb_mcap_copy_text(
    const gb_bytes_in *in, uint64_t at, gb_mcap_text text, gb_arena *arena, const char **out)
{
    if (memchr(text.data, 0, text.size) != NULL)
        return gb_mcap_damaged(in, at, "a text in the record here has a zero byte inside");
    char *copy = gb_arena_alloc(arena, text.size + 1);
    if (copy == NULL)
        return gb_fail_context(GB_ERR_MEMORY, "%s", in->origin);
    memcpy(copy, text.data, text.size);
    *out = copy;
    return GB_OK;
}

static gb_status copy_pairs(const gb_bytes_in *in,
                            uint64_t at,
                            gb_mcap_cursor map,
                            gb_arena *arena,
                            const gb_pair **out_pairs,
                            int *out_count)
{
    gb_mcap_cursor count_from = map;
    int count = 0;
    while (count_from.at < count_from.size && !count_from.over) {
        (void)gb_mcap_get_text(&count_from);
        (void)gb_mcap_get_text(&count_from);
        count++;
    }
    if (count_from.over)
        return gb_mcap_damaged(in, at, "the pairs in the record here do not fit their length");
    gb_pair *pairs = gb_arena_alloc(arena, (size_t)count * sizeof *pairs);
    if (pairs == NULL)
        return gb_fail_context(GB_ERR_MEMORY, "%s", in->origin);
    for (int i = 0; i < count; i++) {
        GB_TRY(gb_mcap_copy_text(in, at, gb_mcap_get_text(&map), arena, &pairs[i].key));
        GB_TRY(gb_mcap_copy_text(in, at, gb_mcap_get_text(&map), arena, &pairs[i].value));
    }
    *out_pairs = pairs;
    *out_count = count;
    return GB_OK;
}

gb_status gb_mcap_attachment_parse(const gb_bytes_in *in,
                                   uint64_t at,
                                   gb_mcap_cursor body,
                                   gb_arena *arena,
                                   gb_mcap_attachment *out)
{
    gb_mcap_attachment attachment = {0};
    attachment.log_time_ns = gb_mcap_get_u64(&body);
    attachment.create_time_ns = gb_mcap_get_u64(&body);
    gb_mcap_text name = gb_mcap_get_text(&body), media_type = gb_mcap_get_text(&body);
    attachment.size = gb_mcap_get_u64(&body);
    attachment.data = gb_mcap_get_bytes(&body, attachment.size);
    size_t covered = body.at;
    uint32_t crc = gb_mcap_get_u32(&body);
    if (body.over)
        return fail_fields(in, at, GB_MCAP_ATTACHMENT);
    if (crc != 0 && gb_crc32(0, body.data, covered) != crc)
        return gb_mcap_damaged(in, at, "the checksum of the attachment here does not hold");
    GB_TRY(gb_mcap_copy_text(in, at, name, arena, &attachment.name));
    GB_TRY(gb_mcap_copy_text(in, at, media_type, arena, &attachment.media_type));
    *out = attachment;
    return GB_OK;
}

gb_status gb_mcap_metadata_parse(
    const gb_bytes_in *in, uint64_t at, gb_mcap_cursor body, gb_arena *arena, gb_mcap_metadata *out)
{
    gb_mcap_metadata metadata = {0};
    gb_mcap_text name = gb_mcap_get_text(&body);
    gb_mcap_cursor map = gb_mcap_get_block(&body);
    if (body.over)
        return fail_fields(in, at, GB_MCAP_METADATA);
    GB_TRY(gb_mcap_copy_text(in, at, name, arena, &metadata.name));
    GB_TRY(copy_pairs(in, at, map, arena, &metadata.pairs, &metadata.pair_count));
    *out = metadata;
    return GB_OK;
}

/* ---- the table ---- */

gb_status gb_mcap_table_init(gb_mcap_table *table)
{
    *table = (gb_mcap_table){0};
    return gb_arena_create(GB_MCAP_TABLE_LIMIT, &table->arena);
}

void gb_mcap_table_free(gb_mcap_table *table)
{
    for (int i = 0; i < GB_MCAP_PAGES; i++) {
        free(table->schemas[i]);
        free(table->channels[i]);
    }
    free(table->order);
    gb_arena_destroy(table->arena);
    *table = (gb_mcap_table){0};
}

gb_mcap_schema *gb_mcap_table_schema(const gb_mcap_table *table, uint16_t id)
{
    gb_mcap_schema **page = table->schemas[id >> 8];
    return page == NULL ? NULL : page[id & 255];
}

gb_mcap_channel *gb_mcap_table_channel(const gb_mcap_table *table, uint16_t id)
{
    gb_mcap_channel **page = table->channels[id >> 8];
    return page == NULL ? NULL : page[id & 255];
}

static bool same_text(gb_mcap_text text, const char *known)
{
    return gb_mcap_text_is(text, known);
}

static gb_status fail_other(const gb_bytes_in *in, uint64_t at, const char *what, uint16_t id)
{
    return gb_mcap_damaged(in, at, "%s %u is described here otherwise than before", what, id);
}

static gb_status
add_schema(gb_mcap_table *table, const gb_bytes_in *in, uint64_t at, gb_mcap_cursor body)
{
    uint16_t id = gb_mcap_get_u16(&body);
    gb_mcap_text name = gb_mcap_get_text(&body), encoding = gb_mcap_get_text(&body);
    gb_mcap_text data = gb_mcap_get_text(&body);
    if (body.over)
        return fail_fields(in, at, GB_MCAP_SCHEMA);
    if (id == 0) /* "invalid and should be ignored" */
        return GB_OK;
    const gb_mcap_schema *known = gb_mcap_table_schema(table, id);
    if (known != NULL) {
        bool same = same_text(name, known->name) && same_text(encoding, known->encoding) &&
                    data.size == known->size && memcmp(data.data, known->data, data.size) == 0;
        return same ? GB_OK : fail_other(in, at, "schema", id);
    }
    gb_mcap_schema ***page = &table->schemas[id >> 8];
    if (*page == NULL)
        *page = calloc(256, sizeof **page);
    gb_mcap_schema *schema = gb_arena_alloc(table->arena, sizeof *schema);
    unsigned char *copy = gb_arena_alloc(table->arena, data.size);
    if (*page == NULL || schema == NULL || copy == NULL)
        return gb_fail(GB_ERR_MEMORY, "%s: cannot get memory for its schemas", in->origin);
    memcpy(copy, data.data, data.size);
    *schema = (gb_mcap_schema){.id = id, .data = copy, .size = data.size};
    GB_TRY(gb_mcap_copy_text(in, at, name, table->arena, &schema->name));
    GB_TRY(gb_mcap_copy_text(in, at, encoding, table->arena, &schema->encoding));
    (*page)[id & 255] = schema;
    table->schema_count++;
    return GB_OK;
}

/* Pairs are a map, so their order may differ; few writers reorder them, and never many. */
static bool same_pairs(gb_mcap_cursor map, const gb_mcap_channel *known)
{
    enum {
        SEARCHED = 256
    };
    const gb_pair *pairs = known->pairs;
    int count = 0;
    for (; map.at < map.size && !map.over; count++) {
        gb_mcap_text key = gb_mcap_get_text(&map), value = gb_mcap_get_text(&map);
        if (count >= known->pair_count)
            return false;
        bool found = same_text(key, pairs[count].key) && same_text(value, pairs[count].value);
        for (int i = 0; i < known->pair_count && known->pair_count <= SEARCHED && !found; i++)
            found = same_text(key, pairs[i].key) && same_text(value, pairs[i].value);
        if (!found)
            return false;
    }
    return !map.over && count == known->pair_count;
}

static gb_status reserve_channel(gb_mcap_table *table, uint16_t id)
{
    gb_mcap_channel ***page = &table->channels[id >> 8];
    if (*page == NULL)
        *page = calloc(256, sizeof **page);
    if (table->channel_count == table->order_capacity) {
        int capacity = table->order_capacity == 0 ? 16 : 2 * table->order_capacity;
        gb_mcap_channel **order = realloc(table->order, (size_t)capacity * sizeof(void *));
        if (order == NULL)
            return GB_ERR_MEMORY;
        table->order = order;
        table->order_capacity = capacity;
    }
    return *page == NULL ? GB_ERR_MEMORY : GB_OK;
}

static gb_status
add_channel(gb_mcap_table *table, const gb_bytes_in *in, uint64_t at, gb_mcap_cursor body)
{
    uint16_t id = gb_mcap_get_u16(&body), schema_id = gb_mcap_get_u16(&body);
    gb_mcap_text topic = gb_mcap_get_text(&body), encoding = gb_mcap_get_text(&body);
    gb_mcap_cursor map = gb_mcap_get_block(&body);
    if (body.over)
        return fail_fields(in, at, GB_MCAP_CHANNEL);
    const gb_mcap_channel *known = gb_mcap_table_channel(table, id);
    if (known != NULL) {
        bool same = schema_id == known->schema_id && same_text(topic, known->topic) &&
                    same_text(encoding, known->encoding) && same_pairs(map, known);
        return same ? GB_OK : fail_other(in, at, "channel", id);
    }
    gb_mcap_channel *channel = gb_arena_alloc(table->arena, sizeof *channel);
    if (channel == NULL || reserve_channel(table, id) != GB_OK)
        return gb_fail(GB_ERR_MEMORY, "%s: cannot get memory for its channels", in->origin);
    *channel = (gb_mcap_channel){.id = id, .schema_id = schema_id};
    GB_TRY(gb_mcap_copy_text(in, at, topic, table->arena, &channel->topic));
    GB_TRY(gb_mcap_copy_text(in, at, encoding, table->arena, &channel->encoding));
    GB_TRY(copy_pairs(in, at, map, table->arena, &channel->pairs, &channel->pair_count));
    table->channels[id >> 8][id & 255] = channel;
    table->order[table->channel_count++] = channel;
    return GB_OK;
}

gb_status gb_mcap_table_add(
    gb_mcap_table *table, const gb_bytes_in *in, uint64_t at, uint8_t op, gb_mcap_cursor body)
{
    return op == GB_MCAP_SCHEMA ? add_schema(table, in, at, body)
                                : add_channel(table, in, at, body);
}
