/* What a Parquet column's values are to genba: times in nanoseconds, decimals, halves, small whole
 * numbers in their own width. */
#include "ingest/parquet.h"

#include <math.h>
#include <string.h>

#define JULIAN_1970 2440588 /* the Julian day of 1970-01-01 */
#define DAY_NS (86400LL * 1000000000)

static gb_value_type integer_type(const gb_parquet_column *column)
{
    static const gb_value_type types[2][4] = {
        {GB_VALUE_U8, GB_VALUE_U16, GB_VALUE_U32, GB_VALUE_U64},
        {GB_VALUE_I8, GB_VALUE_I16, GB_VALUE_I32, GB_VALUE_I64}};
    int size = column->bits == 8 ? 0 : column->bits == 16 ? 1 : column->bits == 32 ? 2 : 3;
    return types[column->is_signed][size];
}

gb_value_type gb_parquet_value_type(const gb_parquet_column *column)
{
    switch (column->meaning) {
    case GB_PARQUET_TEXT:
    case GB_PARQUET_BINARY:
        return GB_VALUE_BYTES;
    case GB_PARQUET_TIME:
    case GB_PARQUET_DATE:
        return GB_VALUE_I64;
    case GB_PARQUET_DECIMAL:
        return GB_VALUE_F64;
    case GB_PARQUET_FLOAT16:
        return GB_VALUE_F32;
    case GB_PARQUET_NUMBER:
    default:
        break;
    }
    switch (column->type) {
    case GB_PARQUET_BOOLEAN:
        return GB_VALUE_U8;
    case GB_PARQUET_FLOAT:
        return GB_VALUE_F32;
    case GB_PARQUET_DOUBLE:
        return GB_VALUE_F64;
    default:
        return integer_type(column);
    }
}

/* IEEE 754 binary16 */
static float half_to_float(uint16_t half)
{
    int exponent = half >> 10 & 31, fraction = half & 1023;
    float size = exponent == 31  ? (fraction ? NAN : INFINITY)
                 : exponent == 0 ? ldexpf((float)fraction, -24)
                                 : ldexpf((float)(fraction + 1024), exponent - 25);
    return half & 0x8000 ? -size : size;
}

static int64_t whole(const gb_parquet_column *column, const unsigned char *data)
{
    int32_t narrow = 0;
    int64_t wide = 0;
    if (column->type == GB_PARQUET_INT32) {
        memcpy(&narrow, data, 4);
        return narrow;
    }
    memcpy(&wide, data, 8);
    return wide;
}

/* A big-endian number of two's complement, of up to 16 bytes. */
static double long_decimal(const unsigned char *data, size_t width)
{
    double value = (int8_t)data[0];
    for (size_t i = 1; i < width; i++)
        value = value * 256 + data[i];
    return value;
}

static bool time_ns(const gb_parquet_column *column, const unsigned char *data, int64_t *out)
{
    int64_t of_day = 0, units = 0;
    uint32_t day = 0;
    if (column->type == GB_PARQUET_INT96) {
        memcpy(&of_day, data, 8);
        memcpy(&day, data + 8, 4);
        return !__builtin_mul_overflow((int64_t)day - JULIAN_1970, DAY_NS, &units) &&
               !__builtin_add_overflow(units, of_day, out);
    }
    int64_t unit = column->meaning == GB_PARQUET_DATE ? DAY_NS : column->unit_ns;
    return !__builtin_mul_overflow(whole(column, data), unit, out);
}

static gb_status convert_times(const gb_parquet *file,
                               const gb_parquet_column *column,
                               const gb_parquet_batch *batch,
                               int64_t *out)
{
    for (int64_t i = 0; i < batch->entries; i++) {
        out[i] = 0;
        if (batch->present[i] &&
            !time_ns(column, batch->values + (size_t)i * column->width, &out[i]))
            return gb_fail(GB_ERR_PARSE,
                           "%s: column %s holds a time beyond the years 1677 to 2262, which 64 "
                           "bits of nanoseconds cannot say",
                           file->origin, column->name);
    }
    return GB_OK;
}

static void
convert_decimals(const gb_parquet_column *column, const gb_parquet_batch *batch, double *out)
{
    double scale = pow(10, column->scale);
    for (int64_t i = 0; i < batch->entries; i++) {
        const unsigned char *data = batch->values + (size_t)i * column->width;
        double value = column->type == GB_PARQUET_FIXED ? long_decimal(data, column->width)
                                                        : (double)whole(column, data);
        out[i] = batch->present[i] ? value / scale : NAN;
    }
}

static void convert_halves(const gb_parquet_batch *batch, float *out)
{
    for (int64_t i = 0; i < batch->entries; i++) {
        uint16_t half = 0;
        memcpy(&half, batch->values + 2 * (size_t)i, 2);
        out[i] = batch->present[i] ? half_to_float(half) : NAN;
    }
}

/* Little-endian: the low bytes of a wider number are the narrower one. */
static void convert_numbers(const gb_parquet_column *column,
                            const gb_parquet_batch *batch,
                            gb_value_type type,
                            unsigned char *out)
{
    size_t bytes = gb_value_type_bytes(type), width = column->width;
    if (bytes == width)
        memcpy(out, batch->values, (size_t)batch->entries * width);
    else
        for (int64_t i = 0; i < batch->entries; i++)
            memcpy(out + (size_t)i * bytes, batch->values + (size_t)i * width, bytes);
    for (int64_t i = 0; i < batch->entries; i++) {
        if (batch->present[i])
            continue;
        if (type == GB_VALUE_F32)
            ((float *)(void *)out)[i] = NAN;
        else if (type == GB_VALUE_F64)
            ((double *)(void *)out)[i] = NAN;
    }
}

gb_status gb_parquet_convert(const gb_parquet *file,
                             const gb_parquet_column *column,
                             const gb_parquet_batch *batch,
                             void *out)
{
    if (batch->entries == 0)
        return GB_OK;
    switch (column->meaning) {
    case GB_PARQUET_TIME:
    case GB_PARQUET_DATE:
        return convert_times(file, column, batch, out);
    case GB_PARQUET_DECIMAL:
        convert_decimals(column, batch, out);
        return GB_OK;
    case GB_PARQUET_FLOAT16:
        convert_halves(batch, out);
        return GB_OK;
    default:
        convert_numbers(column, batch, gb_parquet_value_type(column), out);
        return GB_OK;
    }
}
