/* Numbers of binary files: from type to type, and as times. Knows no file format. */
#include "ingest/array_values.h"

#include <math.h>
#include <string.h>

/* One value, wide enough for every type. */
typedef struct wide {
    enum {
        WIDE_SIGNED,
        WIDE_UNSIGNED,
        WIDE_FLOAT
    } sort;
    int64_t whole;
    uint64_t natural;
    double real;
} wide;

#define LOAD(type, sort_value, field)                                                              \
    {                                                                                              \
        type value;                                                                                \
        memcpy(&value, (const type *)values + index, sizeof value);                                \
        return (wide){.sort = sort_value, .field = value};                                         \
    }

static wide load(gb_value_type type, const void *values, int64_t index)
{
    switch (type) {
    case GB_VALUE_F32:
        LOAD(float, WIDE_FLOAT, real)
    case GB_VALUE_F64:
        LOAD(double, WIDE_FLOAT, real)
    case GB_VALUE_I8:
        LOAD(int8_t, WIDE_SIGNED, whole)
    case GB_VALUE_U8:
        LOAD(uint8_t, WIDE_SIGNED, whole)
    case GB_VALUE_I16:
        LOAD(int16_t, WIDE_SIGNED, whole)
    case GB_VALUE_U16:
        LOAD(uint16_t, WIDE_SIGNED, whole)
    case GB_VALUE_I32:
        LOAD(int32_t, WIDE_SIGNED, whole)
    case GB_VALUE_U32:
        LOAD(uint32_t, WIDE_SIGNED, whole)
    case GB_VALUE_I64:
        LOAD(int64_t, WIDE_SIGNED, whole)
    default:
        LOAD(uint64_t, WIDE_UNSIGNED, natural)
    }
}

/* The whole number a value is, if it is one that 64 bits with a sign hold. */
static bool as_whole(const wide *from, int64_t *out)
{
    if (from->sort == WIDE_SIGNED) {
        *out = from->whole;
        return true;
    }
    if (from->sort == WIDE_UNSIGNED) {
        *out = (int64_t)from->natural;
        return from->natural <= INT64_MAX;
    }
    if (!(from->real >= -0x1p63 && from->real < 0x1p63) || from->real != floor(from->real))
        return false;
    *out = (int64_t)from->real;
    return true;
}

static bool as_natural(const wide *from, uint64_t *out)
{
    if (from->sort == WIDE_SIGNED) {
        *out = (uint64_t)from->whole;
        return from->whole >= 0;
    }
    if (from->sort == WIDE_UNSIGNED) {
        *out = from->natural;
        return true;
    }
    if (!(from->real >= 0 && from->real < 0x1p64) || from->real != floor(from->real))
        return false;
    *out = (uint64_t)from->real;
    return true;
}

static double as_real(const wide *from)
{
    return from->sort == WIDE_SIGNED     ? (double)from->whole
           : from->sort == WIDE_UNSIGNED ? (double)from->natural
                                         : from->real;
}

#define STORE(type, value)                                                                         \
    {                                                                                              \
        type stored = (type)(value);                                                               \
        memcpy((type *)to + index, &stored, sizeof stored);                                        \
        return true;                                                                               \
    }
#define STORE_WHOLE(type, low, high)                                                               \
    {                                                                                              \
        if (!as_whole(from, &whole) || whole < (low) || whole > (high))                            \
            return false;                                                                          \
        STORE(type, whole)                                                                         \
    }

/* A whole number stays what it was only when the float holds it. */
static bool store_real(const wide *from, gb_value_type type, void *to, int64_t index)
{
    double real = as_real(from);
    if (from->sort == WIDE_FLOAT && type == GB_VALUE_F32 && isfinite(real) &&
        !isfinite((float)real))
        return false;
    double kept = type == GB_VALUE_F32 ? (double)(float)real : real;
    wide back = {.sort = WIDE_FLOAT, .real = kept};
    int64_t whole;
    uint64_t natural;
    if (from->sort == WIDE_SIGNED && !(as_whole(&back, &whole) && whole == from->whole))
        return false;
    if (from->sort == WIDE_UNSIGNED && !(as_natural(&back, &natural) && natural == from->natural))
        return false;
    if (type == GB_VALUE_F32)
        STORE(float, real)
    STORE(double, real)
}

static bool store(const wide *from, gb_value_type type, void *to, int64_t index)
{
    int64_t whole;
    uint64_t natural;
    switch (type) {
    case GB_VALUE_F32:
    case GB_VALUE_F64:
        return store_real(from, type, to, index);
    case GB_VALUE_I8:
        STORE_WHOLE(int8_t, INT8_MIN, INT8_MAX)
    case GB_VALUE_U8:
        STORE_WHOLE(uint8_t, 0, UINT8_MAX)
    case GB_VALUE_I16:
        STORE_WHOLE(int16_t, INT16_MIN, INT16_MAX)
    case GB_VALUE_U16:
        STORE_WHOLE(uint16_t, 0, UINT16_MAX)
    case GB_VALUE_I32:
        STORE_WHOLE(int32_t, INT32_MIN, INT32_MAX)
    case GB_VALUE_U32:
        STORE_WHOLE(uint32_t, 0, UINT32_MAX)
    case GB_VALUE_I64:
        STORE_WHOLE(int64_t, INT64_MIN, INT64_MAX)
    case GB_VALUE_U64:
        if (!as_natural(from, &natural))
            return false;
        STORE(uint64_t, natural)
    default:
        return false;
    }
}

int64_t gb_values_convert(
    gb_value_type from_type, const void *from, int64_t count, gb_value_type to_type, void *to)
{
    if (from_type == to_type) {
        memcpy(to, from, (size_t)count * gb_value_type_bytes(to_type));
        return -1;
    }
    for (int64_t i = 0; i < count; i++) {
        wide value = load(from_type, from, i);
        if (!store(&value, to_type, to, i))
            return i;
    }
    return -1;
}

void gb_values_swap(void *values, int64_t count, size_t bytes)
{
    unsigned char *at = values;
    for (int64_t i = 0; i < count && bytes > 1; i++, at += bytes)
        for (size_t low = 0, high = bytes - 1; low < high; low++, high--) {
            unsigned char kept = at[low];
            at[low] = at[high];
            at[high] = kept;
        }
}

float gb_values_half(uint16_t half)
{
    int exponent = half >> 10 & 31;
    float fraction = (float)(half & 1023);
    float sign = half >> 15 ? -1.0f : 1.0f;
    if (exponent == 31)
        return fraction == 0 ? sign * INFINITY : NAN;
    if (exponent == 0)
        return sign * ldexpf(fraction, -24);
    return sign * ldexpf(fraction + 1024, exponent - 25);
}

double gb_values_get(gb_value_type type, const void *values, int64_t index)
{
    wide value = load(type, values, index);
    return as_real(&value);
}

static int64_t ns_of_format(gb_time_format format)
{
    switch (format) {
    case GB_TIME_FORMAT_EPOCH_MS:
        return 1000000;
    case GB_TIME_FORMAT_EPOCH_US:
        return 1000;
    case GB_TIME_FORMAT_EPOCH_NS:
        return 1;
    default:
        return 1000000000;
    }
}

bool gb_values_time(gb_value_type type,
                    const void *values,
                    int64_t index,
                    gb_time_format format,
                    double period_s,
                    int64_t *out_ns)
{
    wide value = load(type, values, index);
    int64_t whole;
    if (format != GB_TIME_FORMAT_ROW && as_whole(&value, &whole))
        return !__builtin_mul_overflow(whole, ns_of_format(format), out_ns);
    /* The whole part apart, so that a fraction keeps its digits beside a large epoch. */
    double real = as_real(&value);
    if (format == GB_TIME_FORMAT_ROW)
        real *= period_s;
    double unit = (double)ns_of_format(format), floor_part = floor(real);
    if (!(fabs(floor_part * unit) < 0x1p62))
        return false;
    *out_ns = (int64_t)floor_part * ns_of_format(format) + llround((real - floor_part) * unit);
    return true;
}
