/* Decimal text to float and to scaled integers. The fast path keeps 19 digits in an integer and
 * does one multiplication or division by an exact power of ten in double; only when the result lies
 * too close to the middle between two floats is strtof asked. No locale is ever looked at. */
#include "ingest/number.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_KEPT 19 /* always fit 64 bits */

typedef struct decimal_parts {
    bool negative, cut; /* cut: digits that are not 0 were dropped */
    uint64_t digits;    /* value = digits x 10^exponent */
    int64_t exponent;
} decimal_parts;

/* Reads [e[+-]digits] up to `end`; false when there is anything else. */
static bool read_exponent(const char *at, const char *end, int64_t *exponent)
{
    if (at == end)
        return true;
    if (*at != 'e' && *at != 'E')
        return false;
    at++;
    bool negative = at < end && *at == '-';
    if (at < end && (*at == '+' || *at == '-'))
        at++;
    if (at == end)
        return false;
    int64_t value = 0;
    for (; at < end; at++) {
        unsigned digit = (unsigned char)*at - (unsigned)'0';
        if (digit > 9)
            return false;
        if (value < 100000)
            value = value * 10 + (int64_t)digit;
    }
    *exponent += negative ? -value : value;
    return true;
}

static bool read_parts(const char *text, size_t size, char decimal, decimal_parts *out)
{
    const char *at = text, *end = text + size;
    decimal_parts parts = {0};
    int kept = 0;
    int64_t seen = 0, after_point = 0;
    bool point = false;
    if (at < end && (*at == '-' || *at == '+'))
        parts.negative = *at++ == '-';
    for (; at < end; at++) {
        unsigned digit = (unsigned char)*at - (unsigned)'0';
        if (digit > 9) {
            if (*at != decimal || point)
                break;
            point = true;
            continue;
        }
        seen++;
        after_point += point;
        if (kept < DIGITS_KEPT) {
            parts.digits = parts.digits * 10 + digit;
            kept += parts.digits != 0;
        } else {
            parts.exponent++;
            parts.cut = parts.cut || digit != 0;
        }
    }
    parts.exponent -= after_point;
    if (seen == 0 || !read_exponent(at, end, &parts.exponent))
        return false;
    *out = parts;
    return true;
}

static gb_number_result slow_float(const char *text, size_t size, char decimal, float *out)
{
    char buffer[512];
    if (size >= sizeof buffer)
        return GB_NUMBER_NOT;
    memcpy(buffer, text, size);
    buffer[size] = 0;
    char *comma = decimal != '.' ? strchr(buffer, decimal) : NULL;
    if (comma)
        *comma = '.';
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0); /* allocates nothing for "C" */
    if (plain == (locale_t)0)
        return GB_NUMBER_NOT;
    float value = strtof_l(buffer, NULL, plain);
    freelocale(plain);
    if (isinf(value))
        return GB_NUMBER_TOO_LARGE;
    *out = value;
    return GB_NUMBER_OK;
}

static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                              1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                              1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

gb_number_result gb_number_float(const char *text, size_t size, char decimal, float *out)
{
    decimal_parts parts;
    if (!read_parts(text, size, decimal, &parts))
        return GB_NUMBER_NOT;
    if (parts.digits == 0) {
        *out = parts.negative ? -0.0F : 0.0F;
        return GB_NUMBER_OK;
    }
    if (parts.exponent < -22 || parts.exponent > 22)
        return slow_float(text, size, decimal, out);
    double value = (double)parts.digits;
    value = parts.exponent < 0 ? value / tens[-parts.exponent] : value * tens[parts.exponent];
    /* Off by little more than one unit in the last place of a double: rounding to float is safe
     * unless the 29 bits it drops are within a few units of one half. */
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    int64_t from_half = (int64_t)(bits & 0x1FFFFFFF) - 0x10000000;
    if ((from_half >= -4 && from_half <= 4) || value < 1.2e-38 || value > 3.4e38)
        return slow_float(text, size, decimal, out);
    *out = (float)(parts.negative ? -value : value);
    return GB_NUMBER_OK;
}

bool gb_number_scaled(const char *text, size_t size, char decimal, int shift, int64_t *out)
{
    decimal_parts parts;
    if (!read_parts(text, size, decimal, &parts))
        return false;
    int64_t exponent = parts.exponent + shift;
    uint64_t value = parts.digits;
    if (parts.cut && exponent > 0)
        return false;
    for (; exponent > 0 && value != 0; exponent--) {
        if (value > (uint64_t)INT64_MAX / 10)
            return false;
        value *= 10;
    }
    for (; exponent < -1 && value != 0; exponent++)
        value /= 10;
    if (exponent == -1)
        value = value / 10 + (value % 10 >= 5);
    if (value > (uint64_t)INT64_MAX)
        return false;
    *out = parts.negative ? -(int64_t)value : (int64_t)value;
    return true;
}
