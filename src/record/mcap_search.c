/* Finds records in damaged MCAP files. What begins a record is judged by its fields alone: whether
 * its contents are whole is for checksums to say (mcap_recover.c). */
#include <string.h>

#include "record/mcap_search.h"

enum {
    CHAIN = 4,              /* records in a row that are no accident */
    CHUNK_FIELDS = 40,      /* of a chunk's body without name and records */
    CHUNK_FRONT = 48,       /* of its body at most, up to its records */
    WINDOW_BYTES = 64 << 10 /* searched at once */
};
static const uint64_t LENGTH_MOST = (uint64_t)1 << 40; /* of a record, to be believed */

/* The shortest body of each kind of record. */
static const uint8_t least_bytes[] = {
    [GB_MCAP_HEADER] = 8,          [GB_MCAP_FOOTER] = GB_MCAP_FOOTER_BYTES,
    [GB_MCAP_SCHEMA] = 14,         [GB_MCAP_CHANNEL] = 16,
    [GB_MCAP_MESSAGE] = 22,        [GB_MCAP_CHUNK] = CHUNK_FIELDS,
    [GB_MCAP_MESSAGE_INDEX] = 6,   [GB_MCAP_CHUNK_INDEX] = 64,
    [GB_MCAP_ATTACHMENT] = 36,     [GB_MCAP_ATTACHMENT_INDEX] = 48,
    [GB_MCAP_STATISTICS] = 46,     [GB_MCAP_METADATA] = 8,
    [GB_MCAP_METADATA_INDEX] = 20, [GB_MCAP_SUMMARY_OFFSET] = 17,
    [GB_MCAP_DATA_END] = 4,
};

static bool known(uint8_t op)
{
    return op != 0 && op < sizeof least_bytes;
}

/* The front of the body of a chunk that begins at `at`; false when it is none. *out_size: of the
 * body, by its fields. */
static bool chunk_front(gb_bytes_in *in, uint64_t at, gb_mcap_chunk *out, uint64_t *out_size)
{
    const unsigned char *data = NULL;
    uint64_t body_at = at + GB_MCAP_HEAD_BYTES;
    uint64_t left = in->size > body_at ? in->size - body_at : 0;
    size_t size = left < CHUNK_FRONT ? (size_t)left : CHUNK_FRONT;
    if (size < CHUNK_FIELDS || in->read(in, body_at, size, &data) != GB_OK)
        return false;
    gb_mcap_cursor body = gb_mcap_cursor_over(data, size);
    if (gb_mcap_chunk_parse(in, at, body, out) != GB_OK)
        return false;
    (void)gb_mcap_get_bytes(&body, 28);
    gb_mcap_text name = gb_mcap_get_text(&body);
    uint64_t packed = gb_mcap_get_u64(&body);
    *out_size = CHUNK_FIELDS + name.size + packed;
    return !body.over && packed < LENGTH_MOST;
}

/* Fields whose lengths lie in the body must add up to no more than it. */
static bool texts_fit(gb_bytes_in *in, const gb_mcap_record *record, size_t skipped, int texts)
{
    uint64_t at = record->at + GB_MCAP_HEAD_BYTES + skipped;
    for (int i = 0; i < texts; i++) {
        const unsigned char *data = NULL;
        if (record->end - at < 4 || in->read(in, at, 4, &data) != GB_OK)
            return false;
        gb_mcap_cursor cursor = gb_mcap_cursor_over(data, 4);
        uint32_t size = gb_mcap_get_u32(&cursor);
        at += 4;
        if (size > record->end - at)
            return false;
        at += size;
    }
    return true;
}

static bool fields_fit(gb_bytes_in *in, gb_mcap_record *record)
{
    gb_mcap_chunk chunk;
    uint64_t size = 0;
    switch (record->op) {
    case GB_MCAP_HEADER:
        return texts_fit(in, record, 0, 2);
    case GB_MCAP_FOOTER:
        return record->size == GB_MCAP_FOOTER_BYTES;
    case GB_MCAP_SCHEMA:
        return texts_fit(in, record, 2, 3);
    case GB_MCAP_CHANNEL:
        return texts_fit(in, record, 4, 3);
    case GB_MCAP_ATTACHMENT:
        return texts_fit(in, record, 16, 2);
    case GB_MCAP_METADATA:
        return texts_fit(in, record, 0, 2);
    case GB_MCAP_MESSAGE_INDEX:
        return texts_fit(in, record, 2, 1);
    case GB_MCAP_CHUNK:
        if (!chunk_front(in, record->at, &chunk, &size) || size > record->size)
            return false;
        if (size < record->size && !gb_mcap_followed(in, record->end)) {
            record->size = size;
            record->end = record->at + GB_MCAP_HEAD_BYTES + size;
        }
        return true;
    default:
        return true;
    }
}

bool gb_mcap_plausible(gb_bytes_in *in, uint64_t at, gb_mcap_record *out)
{
    gb_mcap_record record;
    if (gb_mcap_record_at(in, at, in->size, &record) != GB_OK) {
        /* A chunk whose own length is wrong may be whole by its fields. */
        const unsigned char *op = NULL;
        gb_mcap_chunk chunk;
        uint64_t size = 0;
        if (at >= in->size || in->read(in, at, 1, &op) != GB_OK || op[0] != GB_MCAP_CHUNK ||
            !chunk_front(in, at, &chunk, &size) || size > in->size - at - GB_MCAP_HEAD_BYTES)
            return false;
        *out = (gb_mcap_record){GB_MCAP_CHUNK, at, size, at + GB_MCAP_HEAD_BYTES + size};
        return true;
    }
    if (known(record.op) && (record.size < least_bytes[record.op] || !fields_fit(in, &record)))
        return false;
    *out = record;
    return true;
}

/* A record of a known kind that runs beyond the end of the file, or would. */
static bool cut_record(gb_bytes_in *in, uint64_t at)
{
    const unsigned char *head = NULL;
    uint64_t left = in->size - at;
    if (in->read(in, at, left < GB_MCAP_HEAD_BYTES ? 1 : GB_MCAP_HEAD_BYTES, &head) != GB_OK)
        return false;
    if (left < GB_MCAP_HEAD_BYTES)
        return known(head[0]);
    gb_mcap_cursor cursor = gb_mcap_cursor_over(head + 1, 8);
    uint64_t size = gb_mcap_get_u64(&cursor);
    return known(head[0]) && size < LENGTH_MOST && size > left - GB_MCAP_HEAD_BYTES;
}

bool gb_mcap_followed(gb_bytes_in *in, uint64_t end)
{
    const unsigned char *magic = NULL;
    if (end >= in->size)
        return end == in->size;
    if (in->size - end <= GB_MCAP_MAGIC_BYTES) {
        size_t left = (size_t)(in->size - end);
        if (in->read(in, end, left, &magic) == GB_OK && memcmp(magic, gb_mcap_magic, left) == 0)
            return true;
    }
    gb_mcap_record next;
    if (gb_mcap_record_at(in, end, in->size, &next) == GB_OK)
        return !known(next.op) || next.size >= least_bytes[next.op];
    return cut_record(in, end);
}

bool gb_mcap_cut_chunk(gb_bytes_in *in, uint64_t at, gb_mcap_chunk *out)
{
    const unsigned char *data = NULL;
    gb_mcap_chunk chunk;
    uint64_t size = 0;
    if (at >= in->size || in->read(in, at, 1, &data) != GB_OK || data[0] != GB_MCAP_CHUNK ||
        !chunk_front(in, at, &chunk, &size) || !cut_record(in, at))
        return false;
    size_t left = (size_t)(in->size - at - GB_MCAP_HEAD_BYTES);
    if (size <= left || in->read(in, at + GB_MCAP_HEAD_BYTES, left, &data) != GB_OK)
        return false;
    return gb_mcap_chunk_parse(in, at, gb_mcap_cursor_over(data, left), out) == GB_OK;
}

/* ---- searching ---- */

static bool chunk_at(gb_bytes_in *in, uint64_t at)
{
    gb_mcap_record record;
    gb_mcap_chunk chunk;
    uint64_t size = 0;
    if (!chunk_front(in, at, &chunk, &size))
        return false;
    /* Two lengths that agree, in the file or beyond its end, are no accident. */
    return gb_mcap_record_at(in, at, in->size, &record) == GB_OK
               ? record.size == size
               : gb_mcap_cut_chunk(in, at, &chunk);
}

static bool chain_at(gb_bytes_in *in, uint64_t at)
{
    for (int i = 0; i < CHAIN; i++) {
        gb_mcap_record record;
        if (i > 1 && at == in->size)
            return true;
        if (!gb_mcap_plausible(in, at, &record) || !known(record.op))
            return false;
        if (record.op == GB_MCAP_FOOTER)
            return gb_mcap_followed(in, record.end);
        at = record.end;
    }
    return true;
}

uint64_t gb_mcap_search(gb_bytes_in *in, uint64_t from, bool loose)
{
    while (from < in->size) {
        size_t size = in->size - from < WINDOW_BYTES ? (size_t)(in->size - from) : WINDOW_BYTES;
        const unsigned char *data = NULL;
        for (size_t i = 0; i < size; i++) {
            /* Read anew after each look elsewhere: the last read may have moved the bytes. */
            if (data == NULL && in->read(in, from, size, &data) != GB_OK)
                break;
            uint8_t op = data[i];
            if (op != GB_MCAP_CHUNK && (!loose || !known(op)))
                continue;
            if (!in->stable)
                data = NULL;
            if (chunk_at(in, from + i) || (loose && chain_at(in, from + i)))
                return from + i;
        }
        from += size;
    }
    return in->size;
}
