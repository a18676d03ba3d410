/* kernel/lanes.h: vectors of GB_LANES floats and their elementary functions, written once with
 * compiler vector extensions for every width. Included only by row kernels of one instruction set
 * (GB_LANES is 8 or 16). Everything is branch-free over the lanes; NaN comes out as NaN.
 *
 * v_exp and friends reduce the argument exactly and sum a short series whose first left-out term is
 * below 2^-27 of the result; test_rows.c states and checks the error bounds. */
#ifndef GENBA_LANES_H
#define GENBA_LANES_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Where the machine has vectors of this width a few steps are one instruction; elsewhere (tests run
 * 16 lanes on any machine) they are loops. */
#if GB_LANES == 16 && defined(__AVX512F__)
#define GB_LANES_AVX512
#include <immintrin.h>
#elif GB_LANES == 8 && defined(__AVX2__)
#define GB_LANES_AVX2
#include <immintrin.h>
#endif

typedef float v_f32 __attribute__((vector_size(GB_LANES * 4)));
typedef int32_t v_i32 __attribute__((vector_size(GB_LANES * 4)));
typedef uint32_t v_u32 __attribute__((vector_size(GB_LANES * 4)));
typedef uint16_t v_u16 __attribute__((vector_size(GB_LANES * 2)));
typedef float v_f32_unaligned __attribute__((vector_size(GB_LANES * 4), aligned(4), may_alias));
typedef uint16_t v_u16_unaligned __attribute__((vector_size(GB_LANES * 2), aligned(2), may_alias));

#define GB_LANE static inline __attribute__((always_inline))

GB_LANE v_f32 v_load(const float *p)
{
    return *(const v_f32_unaligned *)p;
}

GB_LANE void v_store(float *p, v_f32 v)
{
    *(v_f32_unaligned *)p = v;
}

GB_LANE v_f32 v_splat(float x)
{
    return x - (v_f32){0};
}

/* The first `count` lanes from memory, `fill` in the others. */
GB_LANE v_f32 v_load_part(const float *p, int64_t count, v_f32 fill)
{
    memcpy(&fill, p, (size_t)count * sizeof(float));
    return fill;
}

GB_LANE void v_store_part(float *p, v_f32 v, int64_t count)
{
    memcpy(p, &v, (size_t)count * sizeof(float));
}

/* a where the mask is all ones, b where it is zero. */
GB_LANE v_f32 v_select(v_i32 mask, v_f32 a, v_f32 b)
{
#if defined(GB_LANES_AVX2)
    return (v_f32)_mm256_blendv_ps((__m256)b, (__m256)a, (__m256)mask);
#else
    return (v_f32)((mask & (v_i32)a) | (~mask & (v_i32)b));
#endif
}

/* a > b ? a : b and a < b ? a : b, as the instructions have it: b where either is NaN. */
GB_LANE v_f32 v_greater(v_f32 a, v_f32 b)
{
#if defined(GB_LANES_AVX512)
    return (v_f32)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(GB_LANES_AVX2)
    return (v_f32)_mm256_max_ps((__m256)a, (__m256)b);
#else
    return v_select((v_i32)(a > b), a, b);
#endif
}

GB_LANE v_f32 v_smaller(v_f32 a, v_f32 b)
{
#if defined(GB_LANES_AVX512)
    return (v_f32)_mm512_min_ps((__m512)a, (__m512)b);
#elif defined(GB_LANES_AVX2)
    return (v_f32)_mm256_min_ps((__m256)a, (__m256)b);
#else
    return v_select((v_i32)(a < b), a, b);
#endif
}

/* x held in [low, high]; NaN stays. */
GB_LANE v_f32 v_clamp(v_f32 x, float low, float high)
{
    return v_smaller(v_splat(high), v_greater(v_splat(low), x));
}

GB_LANE v_i32 v_is_nan(v_f32 x)
{
    return (v_i32)(x != x);
}

GB_LANE v_f32 v_abs(v_f32 x)
{
    return (v_f32)((v_i32)x & 0x7fffffff);
}

/* The magnitude of `magnitude` (which is not negative) with the sign of `sign`. */
GB_LANE v_f32 v_with_sign(v_f32 magnitude, v_f32 sign)
{
    return (v_f32)((v_i32)magnitude | ((v_i32)sign & INT32_MIN));
}

/* NaN in either operand gives NaN. */
GB_LANE v_f32 v_max(v_f32 a, v_f32 b)
{
    return v_select(v_is_nan(a), a, v_greater(a, b));
}

GB_LANE v_f32 v_min(v_f32 a, v_f32 b)
{
    return v_select(v_is_nan(a), a, v_smaller(a, b));
}

GB_LANE v_f32 v_sqrt(v_f32 x)
{
#if defined(GB_LANES_AVX512)
    return (v_f32)_mm512_sqrt_ps((__m512)x);
#elif defined(GB_LANES_AVX2)
    return (v_f32)_mm256_sqrt_ps((__m256)x);
#else
    for (int i = 0; i < GB_LANES; i++)
        x[i] = sqrtf(x[i]);
    return x;
#endif
}

GB_LANE bool v_any(v_i32 mask)
{
#if defined(GB_LANES_AVX512)
    return _mm512_movepi32_mask((__m512i)mask) != 0;
#elif defined(GB_LANES_AVX2)
    return _mm256_movemask_ps((__m256)mask) != 0;
#else
    int32_t any = 0;
    for (int i = 0; i < GB_LANES; i++)
        any |= mask[i];
    return any != 0;
#endif
}

/* The upper half of the lanes is folded onto the lower, again and again: one fixed tree. */
GB_LANE float v_sum_lanes(v_f32 v)
{
#if defined(GB_LANES_AVX512) || defined(GB_LANES_AVX2)
#if defined(GB_LANES_AVX512)
    __m256 half =
        _mm256_add_ps(_mm512_castps512_ps256((__m512)v), _mm512_extractf32x8_ps((__m512)v, 1));
#else
    __m256 half = (__m256)v;
#endif
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
#else
    for (int width = GB_LANES / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++)
            v[i] += v[i + width];
    return v[0];
#endif
}

/* No NaN may be among them. */
GB_LANE float v_max_lanes(v_f32 v)
{
#if defined(GB_LANES_AVX512) || defined(GB_LANES_AVX2)
#if defined(GB_LANES_AVX512)
    __m256 half =
        _mm256_max_ps(_mm512_castps512_ps256((__m512)v), _mm512_extractf32x8_ps((__m512)v, 1));
#else
    __m256 half = (__m256)v;
#endif
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
#else
    for (int width = GB_LANES / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++)
            v[i] = v[i] > v[i + width] ? v[i] : v[i + width];
    return v[0];
#endif
}

/* ---- exponential and logarithm ---------------------------------------------------------------
 * ln 2 = LN2_HIGH + LN2_LOW; LN2_HIGH has 9 bits, so k LN2_HIGH is exact. */
#define GB_LN2_HIGH 0.693359375f
#define GB_LN2_LOW (-2.12194440e-4f)
#define GB_ROUND_MAGIC 12582912.0f /* 1.5 2^23: adding it rounds to an integer */
#define GB_ROUND_BITS 0x4b400000

GB_LANE v_f32 v_power_of_two(v_i32 k)
{
    return (v_f32)((k + 127) << 23);
}

/* x = k ln 2 + r, |r| <= ln 2 / 2; returns e^r - 1, gives k. */
GB_LANE v_f32 v_exp_reduced(v_f32 x, v_i32 *k)
{
    v_f32 shifted = x * 1.44269504f + GB_ROUND_MAGIC;
    *k = (v_i32)shifted - GB_ROUND_BITS;
    v_f32 kf = shifted - GB_ROUND_MAGIC;
    v_f32 r = x - kf * GB_LN2_HIGH;
    r = r - kf * GB_LN2_LOW;
    v_f32 z = r * r; /* pairs of terms: the sum waits for four steps, not for seven */
    v_f32 p = (r * (1.0f / 5040) + 1.0f / 720) * z + (r * (1.0f / 120) + 1.0f / 24);
    p = p * z + (r * (1.0f / 6) + 0.5f);
    return r + z * p;
}

/* e^x; infinity from 88.73 on, denormals down to -103.97, then 0. */
GB_LANE v_f32 v_exp(v_f32 x)
{
    v_i32 k;
    v_f32 p = v_exp_reduced(v_clamp(x, -104, 89), &k) + 1.0f;
    v_i32 half = k >> 1; /* 2^k in two factors: k leaves the range of an exponent */
    return p * v_power_of_two(half) * v_power_of_two(k - half);
}

/* e ln 2 + log(1 + f), f in [sqrt(1/2) - 1, sqrt(2) - 1]. With s = f / (2 + f),
 * log(1 + f) = 2 atanh(s) = f - s (f - (2/3 s^2 + 2/5 s^4 + ...)). */
GB_LANE v_f32 v_log_parts(v_f32 f, v_f32 e)
{
    v_f32 s = f / (f + 2.0f);
    v_f32 z = s * s;
    v_f32 series = z * (2.0f / 9) + 2.0f / 7;
    series = series * z + 2.0f / 5;
    series = series * z + 2.0f / 3;
    series = series * z;
    return e * GB_LN2_HIGH + (f - (s * (f - series) - e * GB_LN2_LOW));
}

GB_LANE v_f32 v_log(v_f32 x)
{
    v_i32 tiny = (v_i32)(x < 1.17549435e-38f);
    v_i32 bits = (v_i32)v_select(tiny, x * 33554432.0f, x); /* 2^25 */
    v_i32 above = bits - 0x3f3504f3;                        /* sqrt(1/2) */
    v_f32 m = (v_f32)((above & 0x007fffff) + 0x3f3504f3);
    v_f32 e = __builtin_convertvector((above >> 23) - (tiny & 25), v_f32);
    v_f32 y = v_log_parts(m - 1.0f, e);
    y = v_select((v_i32)(x < INFINITY), y, x); /* infinity and NaN are their own logarithm */
    y = v_select((v_i32)(x == 0.0f), v_splat(-INFINITY), y);
    return v_select((v_i32)(x < 0.0f), v_splat(NAN), y);
}

/* ---- functions made of them ------------------------------------------------------------------ */
typedef struct v_sigmoids {
    v_f32 of_x, of_minus_x; /* sigmoid(x) and sigmoid(-x) = 1 - sigmoid(x), both to a few ulp */
} v_sigmoids;

GB_LANE v_sigmoids v_sigmoid_both(v_f32 x)
{
    v_f32 t = v_exp(-v_abs(x));
    v_f32 larger = 1.0f / (t + 1.0f);
    v_f32 smaller = t * larger;
    v_i32 negative = (v_i32)(x < 0.0f);
    return (v_sigmoids){v_select(negative, smaller, larger), v_select(negative, larger, smaller)};
}

GB_LANE v_f32 v_sigmoid(v_f32 x)
{
    v_f32 t = v_exp(-v_abs(x));
    return v_select((v_i32)(x < 0.0f), t, v_splat(1.0f)) / (t + 1.0f);
}

/* tanh = (e^2x - 1) / (e^2x + 1), with e^2x - 1 free of cancellation. */
GB_LANE v_f32 v_tanh(v_f32 x)
{
    v_f32 z = v_smaller(v_splat(20), v_abs(x) * 2.0f);
    v_i32 k;
    v_f32 q = v_exp_reduced(z, &k);
    v_f32 two = v_power_of_two(k);
    v_f32 minus_one = two * q + (two - 1.0f);
    return v_with_sign(minus_one / (minus_one + 2.0f), x);
}

/* log(1 + e^x) = max(x, 0) + log(1 + t), t = e^-|x| in [0, 1]. */
GB_LANE v_f32 v_softplus(v_f32 x)
{
    v_f32 t = v_exp(-v_abs(x));
    v_i32 upper = (v_i32)(t > 0.41421354f);
    v_f32 f = v_select(upper, (t - 1.0f) * 0.5f, t); /* 1 + t = 2 (1 + (t - 1) / 2) */
    v_f32 e = v_select(upper, v_splat(1.0f), v_splat(0.0f));
    return v_greater(v_splat(0), x) + v_log_parts(f, e);
}

/* ---- sine and cosine -------------------------------------------------------------------------
 * Above this the three-part pi / 2 runs out of bits and libm does the lanes one by one. */
#define GB_TRIGONOMETRY_LIMIT 8192.0f

static __attribute__((noinline)) v_f32 v_trigonometry_far(v_f32 x, bool cosine)
{
    v_f32 y;
    for (int i = 0; i < GB_LANES; i++)
        y[i] = cosine ? cosf(x[i]) : sinf(x[i]);
    return y;
}

/* sin(x + quarter pi / 2): x = k pi / 2 + r, then the quadrant picks a series and its sign. */
GB_LANE v_f32 v_trigonometry(v_f32 x, int quarter)
{
    if (v_any(~(v_i32)(v_abs(x) <= GB_TRIGONOMETRY_LIMIT)))
        return v_trigonometry_far(x, quarter == 1);
    v_f32 shifted = x * 0.636619772f + GB_ROUND_MAGIC;
    v_i32 quadrant = (v_i32)shifted - GB_ROUND_BITS + quarter;
    v_f32 k = shifted - GB_ROUND_MAGIC;
    v_f32 r = x - k * 1.5703125f; /* pi / 2 in parts of 8, 11 and 24 bits */
    r = r - k * 4.837512969970703125e-4f;
    r = r - k * 7.54978995489188e-8f;
    v_f32 z = r * r;
    v_f32 s = z * (1.0f / 362880) - 1.0f / 5040;
    s = s * z + 1.0f / 120;
    s = s * z - 1.0f / 6;
    s = r + r * z * s;
    v_f32 c = z * (-1.0f / 3628800) + 1.0f / 40320;
    c = c * z - 1.0f / 720;
    c = c * z + 1.0f / 24;
    c = (1.0f - z * 0.5f) + z * z * c;
    v_f32 y = v_select((v_i32)((quadrant & 1) == 1), c, s);
    return (v_f32)((v_i32)y ^ ((quadrant & 2) << 30));
}

#endif
