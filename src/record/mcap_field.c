/* Little-endian fields of MCAP records, in and out. Not for what records mean. */
#include <stdlib.h>
#include <string.h>

#include "record/mcap_format.h"

const unsigned char gb_mcap_magic[GB_MCAP_MAGIC_BYTES] = {0x89, 'M', 'C',  'A',
                                                          'P',  '0', '\r', '\n'};

/* ---- in ---- */

gb_mcap_cursor gb_mcap_cursor_over(const void *data, size_t size)
{
    return (gb_mcap_cursor){data, size, 0, false};
}

const unsigned char *gb_mcap_get_bytes(gb_mcap_cursor *from, uint64_t size)
{
    static const unsigned char none = 0;
    if (from->over || size > from->size - from->at) {
        from->over = true;
        return &none;
    }
    const unsigned char *bytes = size == 0 ? &none : from->data + from->at;
    from->at += (size_t)size;
    return bytes;
}

static uint64_t get(gb_mcap_cursor *from, size_t size)
{
    const unsigned char *bytes = gb_mcap_get_bytes(from, size);
    uint64_t value = 0;
    if (!from->over)
        for (size_t i = 0; i < size; i++)
            value |= (uint64_t)bytes[i] << 8 * i;
    return value;
}

uint8_t gb_mcap_get_u8(gb_mcap_cursor *from)
{
    return (uint8_t)get(from, 1);
}

uint16_t gb_mcap_get_u16(gb_mcap_cursor *from)
{
    return (uint16_t)get(from, 2);
}

uint32_t gb_mcap_get_u32(gb_mcap_cursor *from)
{
    return (uint32_t)get(from, 4);
}

uint64_t gb_mcap_get_u64(gb_mcap_cursor *from)
{
    return get(from, 8);
}

gb_mcap_text gb_mcap_get_text(gb_mcap_cursor *from)
{
    uint32_t size = gb_mcap_get_u32(from);
    const unsigned char *bytes = gb_mcap_get_bytes(from, size);
    return (gb_mcap_text){bytes, from->over ? 0 : size};
}

gb_mcap_cursor gb_mcap_get_block(gb_mcap_cursor *from)
{
    gb_mcap_text block = gb_mcap_get_text(from);
    return gb_mcap_cursor_over(block.data, block.size);
}

bool gb_mcap_text_is(gb_mcap_text text, const char *wanted)
{
    return text.size == strlen(wanted) && memcmp(text.data, wanted, text.size) == 0;
}

/* ---- out ---- */

bool gb_mcap_buffer_reserve(gb_mcap_buffer *buffer, size_t more)
{
    if (buffer->failed || more > SIZE_MAX / 2 - buffer->size) {
        buffer->failed = true;
        return false;
    }
    size_t needed = buffer->size + more;
    if (needed <= buffer->capacity)
        return true;
    size_t capacity = buffer->capacity + buffer->capacity / 2;
    if (capacity < needed)
        capacity = needed;
    if (capacity < 256)
        capacity = 256;
    unsigned char *data = realloc(buffer->data, capacity);
    if (data == NULL) {
        buffer->failed = true;
        return false;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

void gb_mcap_buffer_free(gb_mcap_buffer *buffer)
{
    free(buffer->data);
    *buffer = (gb_mcap_buffer){0};
}

void gb_mcap_put_bytes(gb_mcap_buffer *to, const void *data, size_t size)
{
    if (!gb_mcap_buffer_reserve(to, size) || size == 0)
        return;
    memcpy(to->data + to->size, data, size);
    to->size += size;
}

static void put(gb_mcap_buffer *to, uint64_t value, size_t size)
{
    unsigned char bytes[8];
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(value >> 8 * i);
    gb_mcap_put_bytes(to, bytes, size);
}

void gb_mcap_put_u8(gb_mcap_buffer *to, uint8_t value)
{
    put(to, value, 1);
}

void gb_mcap_put_u16(gb_mcap_buffer *to, uint16_t value)
{
    put(to, value, 2);
}

void gb_mcap_put_u32(gb_mcap_buffer *to, uint32_t value)
{
    put(to, value, 4);
}

void gb_mcap_put_u64(gb_mcap_buffer *to, uint64_t value)
{
    put(to, value, 8);
}

void gb_mcap_put_text(gb_mcap_buffer *to, const char *text)
{
    size_t size = text == NULL ? 0 : strlen(text);
    if (size > UINT32_MAX) {
        to->failed = true;
        return;
    }
    gb_mcap_put_u32(to, (uint32_t)size);
    gb_mcap_put_bytes(to, text, size);
}

static void fill(unsigned char *at, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        at[i] = (unsigned char)(value >> 8 * i);
}

void gb_mcap_put_pairs(gb_mcap_buffer *to, const gb_pair *pairs, int count)
{
    size_t begin = to->size;
    gb_mcap_put_u32(to, 0);
    for (int i = 0; i < count; i++) {
        gb_mcap_put_text(to, pairs[i].key);
        gb_mcap_put_text(to, pairs[i].value);
    }
    if (to->failed || to->size - begin - 4 > UINT32_MAX)
        to->failed = true;
    else
        fill(to->data + begin, to->size - begin - 4, 4);
}

size_t gb_mcap_put_begin(gb_mcap_buffer *to, gb_mcap_op op)
{
    size_t begin = to->size;
    gb_mcap_put_u8(to, (uint8_t)op);
    gb_mcap_put_u64(to, 0);
    return begin;
}

void gb_mcap_put_end(gb_mcap_buffer *to, size_t begin)
{
    if (!to->failed)
        fill(to->data + begin + 1, to->size - begin - GB_MCAP_HEAD_BYTES, 8);
}

void gb_mcap_put_message_head(gb_mcap_buffer *to, const gb_mcap_message *message, size_t size)
{
    if (!gb_mcap_buffer_reserve(to, GB_MCAP_HEAD_BYTES + GB_MCAP_MESSAGE_BYTES))
        return;
    unsigned char *at = to->data + to->size;
    at[0] = GB_MCAP_MESSAGE;
    fill(at + 1, GB_MCAP_MESSAGE_BYTES + (uint64_t)size, 8);
    fill(at + 9, message->channel_id, 2);
    fill(at + 11, message->sequence, 4);
    fill(at + 15, message->log_time_ns, 8);
    fill(at + 23, message->publish_time_ns, 8);
    to->size += GB_MCAP_HEAD_BYTES + GB_MCAP_MESSAGE_BYTES;
}
