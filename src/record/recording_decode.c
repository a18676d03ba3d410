/* Protobuf messages of recording files back to samples. Fields may come in any order and unknown
 * ones are skipped, as the format asks; every length is checked before it is used. */
#include "record/recording_file.h"
#include "record/stream.h"

#include <stdlib.h>
#include <string.h>

typedef struct wire {
    const unsigned char *at, *end;
    uint32_t field;
    uint64_t number; /* of varints and fixed ones */
    const unsigned char *data;
    size_t size; /* of a run of bytes */
    bool is_run;
} wire;

static bool read_varint(wire *from, uint64_t *out)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && from->at < from->end; shift += 7) {
        unsigned char byte = *from->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *out = value;
            return true;
        }
    }
    return false;
}

static bool read_fixed(wire *from, size_t size)
{
    if ((size_t)(from->end - from->at) < size)
        return false;
    from->number = 0;
    memcpy(&from->number, from->at, size);
    from->at += size;
    return true;
}

/* The next field; false at the end and, with `at` before `end`, on damage. */
static bool next_field(wire *from)
{
    const unsigned char *start = from->at;
    uint64_t tag = 0, size = 0;
    bool good =
        start < from->end && read_varint(from, &tag) && tag >> 3 > 0 && tag >> 3 <= 1u << 29;
    from->field = (uint32_t)(tag >> 3);
    from->is_run = (tag & 7) == 2;
    if (good && from->is_run) {
        good = read_varint(from, &size) && size <= (size_t)(from->end - from->at);
        if (good) {
            from->data = from->at;
            from->size = (size_t)size;
            from->at += size;
        }
    } else if (good) {
        unsigned type = tag & 7;
        good = type == 0   ? read_varint(from, &from->number)
               : type == 1 ? read_fixed(from, 8)
               : type == 5 ? read_fixed(from, 4)
                           : false;
    }
    if (!good)
        from->at = start;
    return good;
}

static gb_status fail_message(const gb_stream_spec *spec, const char *what)
{
    return gb_fail(GB_ERR_PARSE, "a message of stream %s: %s", spec->name, what);
}

static void *reserve(void *memory, size_t *room, size_t need, size_t each)
{
    if (need <= *room && memory)
        return memory;
    void *grown = need > SIZE_MAX / each ? NULL : realloc(memory, need * each + !need);
    if (!grown) {
        (void)gb_fail(GB_ERR_MEMORY, "no memory for a message of %zu x %zu bytes", need, each);
        return NULL;
    }
    *room = need;
    return grown;
}

/* ---- numbers ---- */

typedef struct run {
    const unsigned char *data;
    size_t size;
} run;

typedef struct numbers {
    uint64_t count, size;
    int64_t first_ns, period_ns;
    bool has_period;
    run times, quality, reason;
    run values[GB_VALUE_TYPE_COUNT];
} numbers;

static bool read_numbers(wire *from, numbers *to)
{
    while (next_field(from)) {
        run bytes = {from->data, from->size};
        bool known_run = from->field >= 5 && from->field <= 17;
        if (known_run != from->is_run && from->field <= 17)
            return false;
        if (from->field == 1)
            to->count = from->number;
        else if (from->field == 2)
            to->size = from->number;
        else if (from->field == 3)
            to->first_ns = (int64_t)from->number;
        else if (from->field == 4)
            to->period_ns = (int64_t)from->number;
        else if (from->field == 5)
            to->times = bytes;
        else if (from->field == 6)
            to->quality = bytes;
        else if (from->field == 7)
            to->reason = bytes;
        else if (from->field <= 17)
            to->values[from->field - 8] = bytes;
        to->has_period |= from->field == 4;
    }
    return from->at == from->end;
}

static bool flags_fit(run flags, uint64_t count, unsigned limit)
{
    for (size_t i = 0; i < flags.size; i++)
        if (flags.data[i] >= limit)
            return false;
    return flags.size == 0 || flags.size == count;
}

static gb_status fill_times(const gb_stream_spec *spec, const numbers *from, gb_decoded *to)
{
    size_t count = (size_t)from->count;
    if (!from->has_period && from->times.size != count * sizeof(int64_t))
        return fail_message(spec, "it has neither a period nor a time for each sample");
    int64_t *times = reserve(to->time_ns, &to->time_room, count, sizeof *times);
    if (!times)
        return GB_ERR_MEMORY;
    to->time_ns = times;
    to->samples.time_ns = times;
    if (!from->has_period) {
        memcpy(times, from->times.data, from->times.size);
        return GB_OK;
    }
    uint64_t at = (uint64_t)from->first_ns;
    for (size_t i = 0; i < count; i++, at += (uint64_t)from->period_ns)
        times[i] = (int64_t)at;
    return GB_OK;
}

/* Values as the type wants them aligned: where they lie, or copied. */
static gb_status fill_values(run values, size_t each, gb_decoded *to)
{
    if ((uintptr_t)values.data % each == 0) {
        to->samples.values = values.data;
        return GB_OK;
    }
    void *copy = reserve(to->values, &to->value_room, values.size, 1);
    if (!copy)
        return GB_ERR_MEMORY;
    memcpy(copy, values.data, values.size);
    to->values = copy;
    to->samples.values = copy;
    return GB_OK;
}

static gb_status decode_numbers(const gb_stream_spec *spec, wire *from, gb_decoded *to)
{
    numbers all = {0};
    if (!read_numbers(from, &all))
        return fail_message(spec, "it is no genba.Samples message");
    size_t each = gb_value_type_bytes(spec->value_type);
    run values = all.values[spec->value_type];
    uint64_t size = (uint64_t)gb_stream_spec_size(spec);
    if (all.size != size)
        return fail_message(spec, "its samples have another size than the stream's");
    if (all.count == 0 || all.count > values.size || values.size / (size * each) != all.count ||
        values.size % (size * each) != 0)
        return fail_message(spec, "it does not have as many values as it says");
    if (!flags_fit(all.quality, all.count, GB_QUALITY_MISSING + 1) ||
        !flags_fit(all.reason, all.count, GB_REASON_COUNT))
        return fail_message(spec, "a quality or reason is unknown, or not every sample has one");
    GB_TRY(fill_times(spec, &all, to));
    GB_TRY(fill_values(values, each, to));
    to->samples.count = (int64_t)all.count;
    to->samples.quality = all.quality.size ? all.quality.data : NULL;
    to->samples.reason = all.reason.size ? all.reason.data : NULL;
    return GB_OK;
}

/* ---- one sample ---- */

typedef struct one_layout {
    uint32_t data, other_data, quality, reason;
    bool stamped; /* field 1 is a google.protobuf.Timestamp, not nanoseconds */
} one_layout;

static const one_layout layouts[] = {
    [GB_MESSAGE_TEXT] = {2, 3, 4, 5, false},
    [GB_MESSAGE_BYTES] = {2, 2, 3, 4, false},
    [GB_MESSAGE_COMPRESSED_IMAGE] = {2, 2, 1000, 1001, true},
    [GB_MESSAGE_RAW_IMAGE] = {6, 6, 1000, 1001, true},
    [GB_MESSAGE_COMPRESSED_VIDEO] = {3, 3, 1000, 1001, true},
};

static bool read_stamp(const wire *message, int64_t *out)
{
    wire from = {.at = message->data, .end = message->data + message->size};
    int64_t seconds = 0, nanos = 0, time_ns = 0;
    while (next_field(&from)) {
        if (from.is_run)
            return false;
        if (from.field == 1)
            seconds = (int64_t)from.number;
        if (from.field == 2)
            nanos = (int64_t)from.number;
    }
    if (from.at != from.end || nanos < 0 || nanos > 999999999)
        return false;
    if (seconds < 0) { /* so that the product of the least time does not overflow */
        seconds++;
        nanos -= 1000000000;
    }
    if (__builtin_mul_overflow(seconds, (int64_t)1000000000, &time_ns) ||
        __builtin_add_overflow(time_ns, nanos, &time_ns))
        return false;
    *out = time_ns;
    return true;
}

static bool
read_one(wire *from, const one_layout *layout, run *data, uint64_t flags[2], int64_t *time_ns)
{
    while (next_field(from)) {
        uint32_t field = from->field;
        if (field == 1) {
            if (from->is_run != layout->stamped)
                return false;
            if (from->is_run && !read_stamp(from, time_ns))
                return false;
            if (!from->is_run)
                *time_ns = (int64_t)from->number;
        } else if (field == layout->data || field == layout->other_data) {
            if (!from->is_run)
                return false;
            *data = (run){from->data, from->size};
        } else if (field == layout->quality || field == layout->reason) {
            if (from->is_run)
                return false;
            flags[field == layout->reason] = from->number;
        }
    }
    return from->at == from->end;
}

static gb_status
decode_one(gb_message_kind kind, const gb_stream_spec *spec, wire *from, gb_decoded *to)
{
    static const unsigned char nothing = 0;
    run data = {&nothing, 0};
    uint64_t flags[2] = {0, 0};
    int64_t time_ns = 0;
    if (!read_one(from, &layouts[kind], &data, flags, &time_ns))
        return fail_message(spec, "it is not what its schema says");
    if (flags[0] > GB_QUALITY_MISSING || flags[1] >= GB_REASON_COUNT)
        return fail_message(spec, "its quality or reason is unknown");
    int64_t *times = reserve(to->time_ns, &to->time_room, 1, sizeof *times);
    if (!times)
        return GB_ERR_MEMORY;
    to->time_ns = times;
    times[0] = time_ns;
    to->samples.time_ns = times;
    to->samples.count = 1;
    to->quality = (uint8_t)flags[0];
    to->reason = (uint8_t)flags[1];
    to->samples.quality = to->quality ? &to->quality : NULL;
    to->samples.reason = to->reason ? &to->reason : NULL;
    if (kind == GB_MESSAGE_RAW_IMAGE) {
        size_t each = gb_value_type_bytes(spec->value_type);
        if (data.size != (size_t)gb_stream_spec_size(spec) * each)
            return fail_message(spec, "the picture has another size than the stream's");
        return fill_values(data, each, to);
    }
    to->run = data.data;
    to->run_size = data.size;
    to->samples.runs = &to->run;
    to->samples.run_sizes = &to->run_size;
    return GB_OK;
}

gb_status gb_decode_message(gb_message_kind kind,
                            const gb_stream_spec *spec,
                            const unsigned char *data,
                            size_t size,
                            gb_decoded *decoded)
{
    wire from = {.at = data, .end = data + size};
    memset(&decoded->samples, 0, sizeof decoded->samples);
    if (kind == GB_MESSAGE_SAMPLES)
        return decode_numbers(spec, &from, decoded);
    return decode_one(kind, spec, &from, decoded);
}

void gb_decoded_free(gb_decoded *decoded)
{
    free(decoded->time_ns);
    free(decoded->values);
    memset(decoded, 0, sizeof *decoded);
}
