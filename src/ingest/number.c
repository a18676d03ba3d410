/* Decimal text to float, double and integers: any text, exactly. One multiplication or division by
 * an exact power of ten is made in a wider type; only when the result lies too close to the middle
 * between two values is the C library asked. No locale is ever looked at. Short plain numbers have
 * a faster way: number_fast.h. */
#include "ingest/number.h"

#include <float.h>
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

/* The text with a point, terminated; false when it is longer than any number needs to be. */
static bool plain_text(const char *text, size_t size, char decimal, char buffer[512])
{
    if (size >= 512)
        return false;
    memcpy(buffer, text, size);
    buffer[size] = 0;
    char *comma = decimal != '.' ? strchr(buffer, decimal) : NULL;
    if (comma)
        *comma = '.';
    return true;
}

static gb_number_result slow_float(const char *text, size_t size, char decimal, float *out)
{
    char buffer[512];
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0); /* allocates nothing for "C" */
    if (plain == (locale_t)0 || !plain_text(text, size, decimal, buffer))
        return GB_NUMBER_NOT;
    float value = strtof_l(buffer, NULL, plain);
    freelocale(plain);
    if (isinf(value))
        return GB_NUMBER_TOO_LARGE;
    *out = value;
    return GB_NUMBER_OK;
}

static gb_number_result slow_double(const char *text, size_t size, char decimal, double *out)
{
    char buffer[512];
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (plain == (locale_t)0 || !plain_text(text, size, decimal, buffer))
        return GB_NUMBER_NOT;
    double value = strtod_l(buffer, NULL, plain);
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

/* 10^27 is the largest power of ten whose odd part, 5^27, fits the 64 bits of an x87 mantissa. */
#define WIDE_TENS 27

#if LDBL_MANT_DIG == 64

static const long double wide_tens[] = {1e0L,  1e1L,  1e2L,  1e3L,  1e4L,  1e5L,  1e6L,
                                        1e7L,  1e8L,  1e9L,  1e10L, 1e11L, 1e12L, 1e13L,
                                        1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L, 1e20L,
                                        1e21L, 1e22L, 1e23L, 1e24L, 1e25L, 1e26L, 1e27L};

/* digits x 10^exponent with one rounding to 64 bits: rounding those to the 53 of a double is right
 * unless the 11 bits it drops are exactly one half. */
static bool wide_double(const decimal_parts *parts, double *out)
{
    if (parts->cut || parts->exponent < -WIDE_TENS || parts->exponent > WIDE_TENS)
        return false;
    long double value = (long double)parts->digits;
    if (parts->exponent < 0)
        value /= wide_tens[-parts->exponent];
    else
        value *= wide_tens[parts->exponent];
    uint64_t mantissa;
    memcpy(&mantissa, &value, sizeof mantissa);
    if ((mantissa & 0x7FF) == 0x400)
        return false;
    *out = (double)value;
    return true;
}

#else

static bool wide_double(const decimal_parts *parts, double *out)
{
    (void)parts;
    (void)out;
    return false;
}

#endif

gb_number_result gb_number_double(const char *text, size_t size, char decimal, double *out)
{
    decimal_parts parts;
    if (!read_parts(text, size, decimal, &parts))
        return GB_NUMBER_NOT;
    double value = 0;
    if (parts.digits == 0) {
        *out = parts.negative ? -0.0 : 0.0;
        return GB_NUMBER_OK;
    }
    /* Clinger: both exact in a double, so the one operation rounds right. */
    bool exact = parts.digits <= 1ULL << 53 && parts.exponent >= -22 && parts.exponent <= 22;
    if (exact && !parts.cut) {
        value = (double)parts.digits;
        value = parts.exponent < 0 ? value / tens[-parts.exponent] : value * tens[parts.exponent];
    } else if (!wide_double(&parts, &value)) {
        return slow_double(text, size, decimal, out);
    }
    *out = parts.negative ? -value : value;
    return GB_NUMBER_OK;
}

/* Sign and digits alone: all 20 that 64 bits may need. */
static gb_number_result
plain_whole(const char *text, size_t size, bool *negative, uint64_t *magnitude)
{
    const char *at = text, *end = text + size;
    bool minus = at < end && *at == '-';
    at += at < end && (*at == '-' || *at == '+');
    uint64_t value = 0;
    bool fits = at < end;
    if (!fits)
        return GB_NUMBER_NOT;
    for (; at < end; at++) {
        unsigned digit = (unsigned char)*at - (unsigned)'0';
        if (digit > 9)
            return GB_NUMBER_NOT;
        fits = fits && value <= (UINT64_MAX - digit) / 10;
        value = value * 10 + digit;
    }
    if (!fits)
        return GB_NUMBER_TOO_LARGE;
    *negative = minus && value != 0;
    *magnitude = value;
    return GB_NUMBER_OK;
}

gb_number_result
gb_number_whole(const char *text, size_t size, char decimal, bool *negative, uint64_t *magnitude)
{
    decimal_parts parts;
    gb_number_result plain = plain_whole(text, size, negative, magnitude);
    if (plain != GB_NUMBER_NOT)
        return plain;
    if (!read_parts(text, size, decimal, &parts))
        return GB_NUMBER_NOT;
    uint64_t value = parts.digits;
    for (; parts.exponent < 0 && value != 0; parts.exponent++) {
        if (value % 10 != 0)
            return GB_NUMBER_NOT_WHOLE;
        value /= 10;
    }
    /* More digits than were kept: the number is at least 10^19 when they lie before the point. */
    if (parts.cut)
        return parts.exponent > 0 ? GB_NUMBER_TOO_LARGE : GB_NUMBER_NOT_WHOLE;
    for (; parts.exponent > 0 && value != 0; parts.exponent--) {
        if (value > UINT64_MAX / 10)
            return GB_NUMBER_TOO_LARGE;
        value *= 10;
    }
    *negative = parts.negative && value != 0;
    *magnitude = value;
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
