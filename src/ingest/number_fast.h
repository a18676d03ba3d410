/* Private to ingest: the plain numbers that fill most tables ("-12.375": at most 16 characters, no
 * exponent), 16 characters at a time. Anything else is left to number.h. */
#ifndef GENBA_INGEST_NUMBER_FAST_H
#define GENBA_INGEST_NUMBER_FAST_H

#include "ingest/number.h"

#define GB_NUMBER_BEFORE 17 /* bytes before a field's end that may be read */

/* value = digits / 10^fraction, negated when negative. */
typedef struct gb_number_digits {
    uint64_t digits;
    unsigned fraction;
    bool negative;
} gb_number_digits;

#ifdef __SSE2__
#include <emmintrin.h>

/* The last n of 16 bytes: load 16 at offset n. */
static const unsigned char gb_number_last[32] = {
    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};

static inline __m128i gb_number_load(const void *from)
{
    return _mm_loadu_si128((const __m128i *)from);
}

/* 16 digits, the most significant first. Pairs, then fours, then eights are joined. */
static inline uint64_t gb_number_join(__m128i digits)
{
    __m128i low = _mm_and_si128(digits, _mm_set1_epi16(0xFF)); /* the more significant of a pair */
    __m128i pairs =
        _mm_add_epi16(_mm_mullo_epi16(low, _mm_set1_epi16(10)), _mm_srli_epi16(digits, 8));
    __m128i fours = _mm_madd_epi16(pairs, _mm_set1_epi32(100 | 1 << 16));
    fours = _mm_packs_epi32(fours, fours);
    __m128i eights = _mm_madd_epi16(fours, _mm_set1_epi32(10000 | 1 << 16));
    uint64_t both = (uint64_t)_mm_cvtsi128_si64(eights);
    return (both & 0xFFFFFFFF) * 100000000 + (both >> 32);
}

/* GB_NUMBER_BEFORE bytes before text + size must be readable. */
static inline bool
gb_number_fast(const char *text, size_t size, char decimal, gb_number_digits *out)
{
    const char *end = text + size;
    bool negative = *text == '-';
    size -= negative;
    if (size - 1 > 15)
        return false;
    /* The same characters aligned to their end, and one place further on: digits before the point
     * come from the second, those behind it from the first, and so the point is gone. */
    __m128i here = gb_number_load(end - 16), moved = gb_number_load(end - 17);
    unsigned points =
        (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(here, _mm_set1_epi8(decimal))) >> (16 - size);
    unsigned has_point = points != 0;
    unsigned fraction = has_point ? (unsigned)size - 1 - (unsigned)__builtin_ctz(points) : 0;
    unsigned behind = has_point ? fraction : (unsigned)size;
    __m128i from_here = gb_number_load(gb_number_last + behind);
    __m128i all = gb_number_load(gb_number_last + (size - has_point));
    __m128i mixed =
        _mm_or_si128(_mm_and_si128(from_here, here), _mm_andnot_si128(from_here, moved));
    __m128i digits = _mm_and_si128(_mm_xor_si128(mixed, _mm_set1_epi8('0')), all);
    __m128i wrong = _mm_or_si128(_mm_cmpgt_epi8(digits, _mm_set1_epi8(9)), digits);
    if (_mm_movemask_epi8(wrong) != 0 || size == has_point)
        return false;
    *out = (gb_number_digits){gb_number_join(digits), fraction, negative};
    return true;
}

#else

static inline bool
gb_number_fast(const char *text, size_t size, char decimal, gb_number_digits *out)
{
    (void)text;
    (void)size;
    (void)decimal;
    (void)out;
    return false;
}

#endif

/* Clinger: digits and the power of ten are exact in a double, so the one division rounds right. */
static inline bool gb_number_fast_double(const char *text, size_t size, char decimal, double *out)
{
    static const double tens[] = {1e0, 1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7, 1e8,
                                  1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16};
    gb_number_digits number;
    if (!gb_number_fast(text, size, decimal, &number) || number.digits > 1ULL << 53)
        return false;
    double value = (double)(int64_t)number.digits / tens[number.fraction];
    *out = number.negative ? -value : value;
    return true;
}

#endif
