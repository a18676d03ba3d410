/* Samples as protobuf messages (schema/): a few bytes of tags and lengths between the caller's own
 * arrays, which are little endian in memory as they are in the file. */
#include "record/recording_file.h"

#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "recording files are copied from memory, which must be little endian"
#endif

enum {
    WIRE_VARINT = 0,
    WIRE_64 = 1,
    WIRE_BYTES = 2,
    WIRE_32 = 5
};

static void put(gb_encoded *out, const void *data, size_t size)
{
    memcpy(out->small + out->small_used, data, size);
    out->small_used += size;
}

static void put_varint(gb_encoded *out, uint64_t value)
{
    while (value >= 0x80) {
        out->small[out->small_used++] = (unsigned char)(value | 0x80);
        value >>= 7;
    }
    out->small[out->small_used++] = (unsigned char)value;
}

static void put_tag(gb_encoded *out, uint32_t field, uint32_t wire)
{
    put_varint(out, field << 3 | wire);
}

static void put_number(gb_encoded *out, uint32_t field, uint64_t value)
{
    put_tag(out, field, WIRE_VARINT);
    put_varint(out, value);
}

static void put_fixed64(gb_encoded *out, uint32_t field, int64_t value)
{
    put_tag(out, field, WIRE_64);
    put(out, &value, sizeof value);
}

static void put_fixed32(gb_encoded *out, uint32_t field, uint32_t value)
{
    put_tag(out, field, WIRE_32);
    put(out, &value, sizeof value);
}

static void add_piece(gb_encoded *out, const void *data, size_t size)
{
    out->pieces[out->count++] = (gb_piece){data, size};
    out->size += size;
}

/* What was put so far becomes a piece of its own. */
static void close_small(gb_encoded *out)
{
    if (out->small_used > out->small_from)
        add_piece(out, out->small + out->small_from, out->small_used - out->small_from);
    out->small_from = out->small_used;
}

static void put_bytes(gb_encoded *out, uint32_t field, const void *data, size_t size)
{
    put_tag(out, field, WIRE_BYTES);
    put_varint(out, size);
    close_small(out);
    if (size > 0)
        add_piece(out, data, size);
}

static void put_text(gb_encoded *out, uint32_t field, const char *text)
{
    if (text && text[0])
        put_bytes(out, field, text, strlen(text));
}

static void start(gb_encoded *out)
{
    out->small_used = out->small_from = 0;
    out->count = 0;
    out->size = 0;
}

/* ---- numbers ---- */

/* Differences wrap, as those that decode add up again. */
static bool equal_steps(const int64_t *time_ns, int64_t count, uint64_t *out_period)
{
    uint64_t period = count > 1 ? (uint64_t)time_ns[1] - (uint64_t)time_ns[0] : 0;
    for (int64_t i = 2; i < count; i++)
        if ((uint64_t)time_ns[i] - (uint64_t)time_ns[i - 1] != period)
            return false;
    *out_period = period;
    return true;
}

static bool any_set(const uint8_t *flags, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (flags[i] != 0)
            return true;
    return false;
}

void gb_encode_samples(const gb_stream_spec *spec, const gb_samples *samples, gb_encoded *out)
{
    static const uint32_t value_fields[] = {
        [GB_VALUE_F32] = 8,  [GB_VALUE_F64] = 9,  [GB_VALUE_I8] = 10,  [GB_VALUE_U8] = 11,
        [GB_VALUE_I16] = 12, [GB_VALUE_U16] = 13, [GB_VALUE_I32] = 14, [GB_VALUE_U32] = 15,
        [GB_VALUE_I64] = 16, [GB_VALUE_U64] = 17,
    };
    int64_t count = samples->count, size = gb_stream_spec_size(spec);
    uint64_t period = 0;
    start(out);
    put_number(out, 1, (uint64_t)count);
    put_number(out, 2, (uint64_t)size);
    put_fixed64(out, 3, samples->time_ns[0]);
    if (equal_steps(samples->time_ns, count, &period))
        put_fixed64(out, 4, (int64_t)period);
    else
        put_bytes(out, 5, samples->time_ns, (size_t)count * sizeof *samples->time_ns);
    if (samples->quality && any_set(samples->quality, count))
        put_bytes(out, 6, samples->quality, (size_t)count);
    if (samples->reason && any_set(samples->reason, count))
        put_bytes(out, 7, samples->reason, (size_t)count);
    put_bytes(out, value_fields[spec->value_type], samples->values,
              (size_t)(count * size) * gb_value_type_bytes(spec->value_type));
    close_small(out);
}

/* ---- one sample ---- */

static void put_timestamp(gb_encoded *out, int64_t time_ns)
{
    int64_t seconds = time_ns / 1000000000, nanos = time_ns % 1000000000;
    if (nanos < 0) {
        nanos += 1000000000;
        seconds--;
    }
    gb_encoded stamp;
    start(&stamp);
    put_number(&stamp, 1, (uint64_t)seconds);
    put_number(&stamp, 2, (uint64_t)nanos);
    put_tag(out, 1, WIRE_BYTES);
    put_varint(out, stamp.small_used);
    put(out, stamp.small, stamp.small_used);
}

static void put_flags(
    gb_encoded *out, uint32_t quality_field, uint32_t reason_field, uint8_t quality, uint8_t reason)
{
    if (quality != 0)
        put_number(out, quality_field, quality);
    if (reason != 0)
        put_number(out, reason_field, reason);
}

static void put_raw_image(gb_encoded *out, const gb_stream_spec *spec)
{
    int64_t height = spec->shape[0], width = spec->shape[1];
    int64_t step = gb_stream_spec_size(spec) / height * gb_value_type_bytes(spec->value_type);
    put_fixed32(out, 2, (uint32_t)width);
    put_fixed32(out, 3, (uint32_t)height);
    put_text(out, 4, gb_pixel_layout(spec));
    put_fixed32(out, 5, (uint32_t)step);
    put_text(out, 7, spec->frame);
}

void gb_encode_one(gb_message_kind kind,
                   const gb_stream_spec *spec,
                   int64_t time_ns,
                   const void *data,
                   size_t size,
                   uint8_t quality,
                   uint8_t reason,
                   gb_encoded *out)
{
    start(out);
    if (kind == GB_MESSAGE_TEXT || kind == GB_MESSAGE_BYTES) {
        bool text = kind == GB_MESSAGE_TEXT;
        put_fixed64(out, 1, time_ns);
        put_flags(out, text ? 4 : 3, text ? 5 : 4, quality, reason);
        put_bytes(out, text && !gb_record_is_utf8(data, size) ? 3 : 2, data, size);
        close_small(out);
        return;
    }
    put_timestamp(out, time_ns);
    put_flags(out, 1000, 1001, quality, reason);
    if (kind == GB_MESSAGE_RAW_IMAGE) {
        put_raw_image(out, spec);
        put_bytes(out, 6, data, size);
    } else if (kind == GB_MESSAGE_COMPRESSED_IMAGE) {
        put_text(out, 3, strcmp(spec->encoding, "jpg") == 0 ? "jpeg" : spec->encoding);
        put_text(out, 4, spec->frame);
        put_bytes(out, 2, data, size);
    } else {
        put_text(out, 2, spec->frame);
        put_text(out, 4, spec->encoding);
        put_bytes(out, 3, data, size);
    }
    close_small(out);
}
