/* kernel/rows_impl.h: the row kernels for GB_LANES lanes, one source for every instruction set.
 * avx2/rows.c and avx512/rows.c define GB_LANES, GB_ROWS_TABLE and GB_ROWS_NAME and include this.
 * Reductions keep four accumulators of GB_LANES lanes and join them in a fixed tree, so a result
 * depends on the width and on n only. */
#include "tensor/kernel/kernel.h"
#include "tensor/kernel/lanes.h"
#include "tensor/kernel/pointwise_impl.h"

static void rows_affine(int64_t n, const float *x, float scale, float offset, float *y)
{
    v_f32 s = v_splat(scale), o = v_splat(offset);
    int64_t i = 0;
    for (; i + GB_LANES <= n; i += GB_LANES)
        v_store(y + i, v_load(x + i) * s + o);
    if (i < n)
        v_store_part(y + i, v_load_part(x + i, n - i, o) * s + o, n - i);
}

static void rows_axpy(int64_t n, float a, const float *x, float *y)
{
    v_f32 s = v_splat(a);
    int64_t i = 0;
    for (; i + GB_LANES <= n; i += GB_LANES)
        v_store(y + i, v_load(y + i) + s * v_load(x + i));
    if (i < n)
        v_store_part(y + i, v_load_part(y + i, n - i, s) + s * v_load_part(x + i, n - i, s), n - i);
}

GB_LANE void
multiply_add(int64_t n, float scale, const float *a, v_f32 shift, const float *b, float *y)
{
    v_f32 s = v_splat(scale);
    int64_t i = 0;
    for (; i + GB_LANES <= n; i += GB_LANES)
        v_store(y + i, v_load(y + i) + s * (v_load(a + i) - shift) * v_load(b + i));
    if (i < n) {
        v_f32 left = v_load_part(a + i, n - i, shift) - shift;
        v_f32 product = s * left * v_load_part(b + i, n - i, s);
        v_store_part(y + i, v_load_part(y + i, n - i, s) + product, n - i);
    }
}

static void rows_multiply_add(int64_t n, float scale, const float *a, const float *b, float *y)
{
    multiply_add(n, scale, a, (v_f32){0}, b, y);
}

static void rows_multiply_add_about(
    int64_t n, float scale, const float *a, float shift, const float *b, float *y)
{
    multiply_add(n, scale, a, v_splat(shift), b, y);
}

/* ---- reductions ------------------------------------------------------------------------------ */
typedef v_f32 (*v_term)(v_f32 total, v_f32 a, v_f32 b);

/* Sum of the terms; `fill` in the place of a makes a term that adds nothing. */
GB_LANE float
reduce(int64_t n, const float *a, const float *b, v_f32 constant, v_f32 fill, v_term f)
{
    v_f32 t0 = v_splat(0), t1 = t0, t2 = t0, t3 = t0;
#define GB_RIGHT(at) (b ? v_load(b + (at)) : constant)
    int64_t i = 0;
    for (; i + 4 * GB_LANES <= n; i += 4 * GB_LANES) {
        t0 = f(t0, v_load(a + i), GB_RIGHT(i));
        t1 = f(t1, v_load(a + i + GB_LANES), GB_RIGHT(i + GB_LANES));
        t2 = f(t2, v_load(a + i + 2 * GB_LANES), GB_RIGHT(i + 2 * GB_LANES));
        t3 = f(t3, v_load(a + i + 3 * GB_LANES), GB_RIGHT(i + 3 * GB_LANES));
    }
    for (; i + GB_LANES <= n; i += GB_LANES)
        t0 = f(t0, v_load(a + i), GB_RIGHT(i));
#undef GB_RIGHT
    if (i < n) {
        v_f32 right = b ? v_load_part(b + i, n - i, v_splat(0)) : constant;
        t1 = f(t1, v_load_part(a + i, n - i, fill), right);
    }
    return v_sum_lanes((t0 + t1) + (t2 + t3));
}

GB_LANE v_f32 term_sum(v_f32 total, v_f32 a, v_f32 b)
{
    (void)b;
    return total + a;
}

GB_LANE v_f32 term_product(v_f32 total, v_f32 a, v_f32 b)
{
    return total + a * b;
}

GB_LANE v_f32 term_square_about(v_f32 total, v_f32 a, v_f32 b)
{
    v_f32 d = a - b;
    return total + d * d;
}

static float rows_dot(int64_t n, const float *a, const float *b)
{
    return reduce(n, a, b, v_splat(0), v_splat(0), term_product);
}

static float rows_sum(int64_t n, const float *x)
{
    return reduce(n, x, NULL, v_splat(0), v_splat(0), term_sum);
}

static float rows_sum_squares_about(int64_t n, const float *x, float mean)
{
    return reduce(n, x, NULL, v_splat(mean), v_splat(mean), term_square_about);
}

static float rows_max(int64_t n, const float *x)
{
    v_f32 lowest = v_splat(-INFINITY), m0 = lowest, m1 = lowest;
    v_i32 nan = {0};
    int64_t i = 0;
    for (; i + 2 * GB_LANES <= n; i += 2 * GB_LANES) {
        v_f32 x0 = v_load(x + i), x1 = v_load(x + i + GB_LANES);
        nan |= v_is_nan(x0) | v_is_nan(x1);
        m0 = v_greater(x0, m0);
        m1 = v_greater(x1, m1);
    }
    for (; i < n; i += GB_LANES) {
        v_f32 part = i + GB_LANES <= n ? v_load(x + i) : v_load_part(x + i, n - i, lowest);
        nan |= v_is_nan(part);
        m0 = v_greater(part, m0);
    }
    return v_any(nan) ? NAN : v_max_lanes(v_greater(m0, m1));
}

GB_LANE v_f32 exp_shift_step(const float *x, v_f32 shift, float *y)
{
    v_f32 e = v_exp(v_load(x) - shift);
    if (y)
        v_store(y, e);
    return e;
}

static float rows_exp_shift_sum(int64_t n, const float *x, float shift, float *y)
{
    v_f32 s = v_splat(shift), t0 = v_splat(0), t1 = t0;
    int64_t i = 0;
    for (; i + 2 * GB_LANES <= n; i += 2 * GB_LANES) {
        t0 += exp_shift_step(x + i, s, y ? y + i : NULL);
        t1 += exp_shift_step(x + i + GB_LANES, s, y ? y + i + GB_LANES : NULL);
    }
    for (; i + GB_LANES <= n; i += GB_LANES)
        t0 += exp_shift_step(x + i, s, y ? y + i : NULL);
    if (i < n) {
        v_f32 e = v_exp(v_load_part(x + i, n - i, s) - s), part = v_splat(0);
        if (y)
            v_store_part(y + i, e, n - i);
        memcpy(&part, &e, (size_t)(n - i) * sizeof(float));
        t1 += part;
    }
    return v_sum_lanes(t0 + t1);
}

/* ---- rows of layers -------------------------------------------------------------------------- */
static void rows_normalise(
    int64_t n, const float *x, float shift, float scale, const float *w, const float *b, float *y)
{
    v_f32 mean = v_splat(shift), factor = v_splat(scale), one = v_splat(1), zero = v_splat(0);
    int64_t i = 0;
    for (; i + GB_LANES <= n; i += GB_LANES) {
        v_f32 weight = w ? v_load(w + i) : one, bias = b ? v_load(b + i) : zero;
        v_store(y + i, (v_load(x + i) - mean) * factor * weight + bias);
    }
    if (i < n) {
        v_f32 weight = w ? v_load_part(w + i, n - i, one) : one;
        v_f32 bias = b ? v_load_part(b + i, n - i, zero) : zero;
        v_f32 centred = v_load_part(x + i, n - i, mean) - mean;
        v_store_part(y + i, centred * factor * weight + bias, n - i);
    }
}

static float rows_dot_about(int64_t n, const float *dy, const float *w, const float *x, float shift)
{
    v_f32 mean = v_splat(shift), one = v_splat(1), zero = v_splat(0), t0 = zero, t1 = zero;
    int64_t i = 0;
    for (; i + 2 * GB_LANES <= n; i += 2 * GB_LANES) {
        const float *d = dy + i, *xi = x + i, *wi = w ? w + i : NULL;
        v_f32 w0 = w ? v_load(wi) : one, w1 = w ? v_load(wi + GB_LANES) : one;
        t0 += v_load(d) * w0 * (v_load(xi) - mean);
        t1 += v_load(d + GB_LANES) * w1 * (v_load(xi + GB_LANES) - mean);
    }
    for (; i + GB_LANES <= n; i += GB_LANES)
        t0 += v_load(dy + i) * (w ? v_load(w + i) : one) * (v_load(x + i) - mean);
    if (i < n) {
        v_f32 weight = w ? v_load_part(w + i, n - i, zero) : one;
        v_f32 centred = v_load_part(x + i, n - i, mean) - mean;
        t1 += v_load_part(dy + i, n - i, zero) * weight * centred;
    }
    return v_sum_lanes(t0 + t1);
}

static void rows_normalise_grad(int64_t n,
                                const float *dy,
                                const float *w,
                                const float *x,
                                float shift,
                                float scale,
                                float slope,
                                float offset,
                                float *dx)
{
    v_f32 mean = v_splat(shift), factor = v_splat(scale), one = v_splat(1), zero = v_splat(0);
    int64_t i = 0;
    for (; i + GB_LANES <= n; i += GB_LANES) {
        v_f32 g = v_load(dy + i) * (w ? v_load(w + i) : one) * factor;
        v_store(dx + i, g + ((v_load(x + i) - mean) * slope + offset));
    }
    if (i < n) {
        v_f32 weight = w ? v_load_part(w + i, n - i, zero) : one;
        v_f32 g = v_load_part(dy + i, n - i, zero) * weight * factor;
        v_f32 centred = v_load_part(x + i, n - i, mean) - mean;
        v_store_part(dx + i, g + (centred * slope + offset), n - i);
    }
}

GB_LANE v_f32 f_swiglu(v_f32 gate, v_f32 up)
{
    return f_silu(gate) * up;
}

static void rows_swiglu(int64_t n, const float *gate, const float *up, float *y)
{
    map2(n, gate, up, y, f_swiglu);
}

typedef struct v_pair {
    v_f32 gate, up;
} v_pair;

GB_LANE v_pair d_swiglu(v_f32 gate, v_f32 up, v_f32 dy)
{
    v_sigmoids s = v_sigmoid_both(gate);
    v_f32 slope = s.of_x * (1.0f + gate * s.of_minus_x);
    return (v_pair){dy * up * slope, dy * (gate * s.of_x)};
}

static void rows_swiglu_grad(
    int64_t n, const float *gate, const float *up, const float *dy, float *dgate, float *dup)
{
    int64_t i = 0;
    for (; i + GB_LANES <= n; i += GB_LANES) {
        v_pair d = d_swiglu(v_load(gate + i), v_load(up + i), v_load(dy + i));
        v_store(dgate + i, d.gate);
        v_store(dup + i, d.up);
    }
    if (i < n) {
        v_f32 zero = v_splat(0);
        v_pair d = d_swiglu(v_load_part(gate + i, n - i, zero), v_load_part(up + i, n - i, zero),
                            v_load_part(dy + i, n - i, zero));
        v_store_part(dgate + i, d.gate, n - i);
        v_store_part(dup + i, d.up, n - i);
    }
}

/* ---- optimiser ------------------------------------------------------------------------------- */
typedef struct adamw_numbers {
    float beta1, beta2, rate, decay, epsilon, correction1, correction2;
} adamw_numbers;

GB_LANE void adamw_step(v_f32 *w, v_f32 g, v_f32 *m, v_f32 *v, adamw_numbers a)
{
    *m = *m * a.beta1 + g * (1.0f - a.beta1);
    *v = *v * a.beta2 + g * g * (1.0f - a.beta2);
    v_f32 step = *m * a.correction1 / (v_sqrt(*v * a.correction2) + a.epsilon);
    *w = *w - (step + *w * a.decay) * a.rate;
}

static void rows_adamw(int64_t n,
                       float *w,
                       const float *g,
                       float *m,
                       float *v,
                       float beta1,
                       float beta2,
                       float rate,
                       float decay,
                       float epsilon,
                       float correction1,
                       float correction2)
{
    adamw_numbers a = {beta1, beta2, rate, decay, epsilon, correction1, correction2};
    int64_t i = 0;
    for (; i + GB_LANES <= n; i += GB_LANES) {
        v_f32 wi = v_load(w + i), mi = v_load(m + i), vi = v_load(v + i);
        adamw_step(&wi, v_load(g + i), &mi, &vi, a);
        v_store(w + i, wi);
        v_store(m + i, mi);
        v_store(v + i, vi);
    }
    if (i < n) {
        int64_t rest = n - i;
        v_f32 zero = v_splat(0), wi = v_load_part(w + i, rest, zero);
        v_f32 mi = v_load_part(m + i, rest, zero), vi = v_load_part(v + i, rest, zero);
        adamw_step(&wi, v_load_part(g + i, rest, zero), &mi, &vi, a);
        v_store_part(w + i, wi, rest);
        v_store_part(m + i, mi, rest);
        v_store_part(v + i, vi, rest);
    }
}

static void rows_lerp(int64_t n, float *target, const float *value, float amount)
{
    v_f32 s = v_splat(amount);
    int64_t i = 0;
    for (; i + GB_LANES <= n; i += GB_LANES) {
        v_f32 t = v_load(target + i);
        v_store(target + i, t + s * (v_load(value + i) - t));
    }
    if (i < n) {
        v_f32 t = v_load_part(target + i, n - i, s), x = v_load_part(value + i, n - i, s);
        v_store_part(target + i, t + s * (x - t), n - i);
    }
}

/* ---- bf16 ------------------------------------------------------------------------------------ */
/* Round to nearest even on the upper half; a NaN keeps its upper bits and is made quiet. */
GB_LANE v_u16 bf16_round(v_f32 x)
{
    v_u32 bits = (v_u32)x;
    v_u32 rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    v_u32 nan = (v_u32)v_is_nan(x);
    return __builtin_convertvector((nan & ((bits >> 16) | 0x40)) | (~nan & rounded), v_u16);
}

static void rows_bf16_from_f32(int64_t n, const float *x, uint16_t *y)
{
    int64_t i = 0;
    for (; i + GB_LANES <= n; i += GB_LANES)
        *(v_u16_unaligned *)(y + i) = bf16_round(v_load(x + i));
    if (i < n) {
        v_u16 last = bf16_round(v_load_part(x + i, n - i, v_splat(0)));
        memcpy(y + i, &last, (size_t)(n - i) * sizeof(uint16_t));
    }
}

static void rows_f32_from_bf16(int64_t n, const uint16_t *x, float *y)
{
    int64_t i = 0;
    for (; i + GB_LANES <= n; i += GB_LANES) {
        v_u16 half = *(const v_u16_unaligned *)(x + i);
        v_store(y + i, (v_f32)(__builtin_convertvector(half, v_u32) << 16));
    }
    if (i < n) {
        v_u16 half = {0};
        memcpy(&half, x + i, (size_t)(n - i) * sizeof(uint16_t));
        v_store_part(y + i, (v_f32)(__builtin_convertvector(half, v_u32) << 16), n - i);
    }
}

const gb_kernels GB_ROWS_TABLE = {
    .name = GB_ROWS_NAME,
    .binary = rows_binary,
    .binary_scalar = rows_binary_scalar,
    .unary = rows_unary,
    .unary_grad = rows_unary_grad,
    .affine = rows_affine,
    .axpy = rows_axpy,
    .multiply_add = rows_multiply_add,
    .multiply_add_about = rows_multiply_add_about,
    .dot = rows_dot,
    .sum = rows_sum,
    .max = rows_max,
    .sum_squares_about = rows_sum_squares_about,
    .normalise = rows_normalise,
    .dot_about = rows_dot_about,
    .normalise_grad = rows_normalise_grad,
    .exp_shift_sum = rows_exp_shift_sum,
    .swiglu = rows_swiglu,
    .swiglu_grad = rows_swiglu_grad,
    .adamw = rows_adamw,
    .lerp = rows_lerp,
    .bf16_from_f32 = rows_bf16_from_f32,
    .f32_from_bf16 = rows_f32_from_bf16,
};
