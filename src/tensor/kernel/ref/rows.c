/* kernel/ref/rows.c: the row kernels in plain C, one element at a time: the oracle of the fast ones
 * and the fallback of machines without vectors. Written to be read; sums are kept in double. */
#include <math.h>

#include "tensor/kernel/kernel.h"

/* NaN in either operand gives NaN. */
static float max_of(float a, float b)
{
    return a > b || isnan(a) ? a : b;
}

static float min_of(float a, float b)
{
    return a < b || isnan(a) ? a : b;
}

static float binary_of(gb_binary kind, float a, float b)
{
    switch (kind) {
    case GB_BINARY_ADD:
        return a + b;
    case GB_BINARY_SUB:
        return a - b;
    case GB_BINARY_MUL:
        return a * b;
    case GB_BINARY_DIV:
        return a / b;
    case GB_BINARY_MAX:
        return max_of(a, b);
    case GB_BINARY_MIN:
        return min_of(a, b);
    case GB_BINARY_COUNT:
        break;
    }
    return 0;
}

static void ref_binary(gb_binary kind, int64_t n, const float *a, const float *b, float *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = binary_of(kind, a[i], b[i]);
}

static void ref_binary_scalar(gb_binary kind, int64_t n, const float *a, float b, float *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = binary_of(kind, a[i], b);
}

static float sigmoid(float x)
{
    float t = expf(-fabsf(x));
    return x < 0 ? t / (1 + t) : 1 / (1 + t);
}

/* GELU, tanh form: x (1 + tanh u) / 2 = x sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3). */
static float gelu_argument(float x)
{
    return x * (1.59576912f + 0.0713548162726f * (x * x));
}

static float unary_of(gb_unary kind, float x)
{
    switch (kind) {
    case GB_UNARY_SILU:
        return x * sigmoid(x);
    case GB_UNARY_GELU:
        return x * sigmoid(gelu_argument(x));
    case GB_UNARY_RELU:
        return x < 0 ? 0 : x;
    case GB_UNARY_SIGMOID:
        return sigmoid(x);
    case GB_UNARY_TANH:
        return tanhf(x);
    case GB_UNARY_EXP:
        return expf(x);
    case GB_UNARY_LOG:
        return logf(x);
    case GB_UNARY_SQRT:
        return sqrtf(x);
    case GB_UNARY_SQUARE:
        return x * x;
    case GB_UNARY_ABS:
        return fabsf(x);
    case GB_UNARY_SOFTPLUS:
        return (x < 0 ? 0 : x) + log1pf(expf(-fabsf(x)));
    case GB_UNARY_SIN:
        return sinf(x);
    case GB_UNARY_COS:
        return cosf(x);
    case GB_UNARY_RECIPROCAL:
        return 1 / x;
    case GB_UNARY_COUNT:
        break;
    }
    return 0;
}

static void ref_unary(gb_unary kind, int64_t n, const float *x, float *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = unary_of(kind, x[i]);
}

/* d/dx of x sigmoid(a(x)) where a'(x) = slope. */
static float gated_slope(float x, float argument, float slope)
{
    return sigmoid(argument) * (1 + x * slope * sigmoid(-argument));
}

static float gelu_slope(float x)
{
    x = x > 10 ? 10 : x < -10 ? -10 : x; /* 0 or 1 to f32 beyond; x^2 must not overflow */
    return gated_slope(x, gelu_argument(x), 1.59576912f + 3 * 0.0713548162726f * (x * x));
}

static float abs_slope(float x)
{
    return x > 0 ? 1 : x < 0 ? -1 : x;
}

static float slope_of(gb_unary kind, float x)
{
    switch (kind) {
    case GB_UNARY_SILU:
        return gated_slope(x, x, 1);
    case GB_UNARY_GELU:
        return gelu_slope(x);
    case GB_UNARY_RELU:
        return x > 0 ? 1 : isnan(x) ? x : 0;
    case GB_UNARY_SIGMOID:
        return sigmoid(x) * sigmoid(-x);
    case GB_UNARY_TANH:
        return 4 * sigmoid(2 * x) * sigmoid(-2 * x);
    case GB_UNARY_EXP:
        return expf(x);
    case GB_UNARY_LOG:
        return 1 / x;
    case GB_UNARY_SQRT:
        return 0.5f / sqrtf(x);
    case GB_UNARY_SQUARE:
        return 2 * x;
    case GB_UNARY_ABS:
        return abs_slope(x);
    case GB_UNARY_SOFTPLUS:
        return sigmoid(x);
    case GB_UNARY_SIN:
        return cosf(x);
    case GB_UNARY_COS:
        return -sinf(x);
    case GB_UNARY_RECIPROCAL:
        return -1 / x / x;
    case GB_UNARY_COUNT:
        break;
    }
    return 0;
}

static void ref_unary_grad(gb_unary kind, int64_t n, const float *x, const float *dy, float *dx)
{
    for (int64_t i = 0; i < n; i++)
        dx[i] = dy[i] * slope_of(kind, x[i]);
}

static void ref_affine(int64_t n, const float *x, float scale, float offset, float *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = scale * x[i] + offset;
}

static void ref_axpy(int64_t n, float a, const float *x, float *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] += a * x[i];
}

static void ref_multiply_add(int64_t n, float scale, const float *a, const float *b, float *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] += scale * a[i] * b[i];
}

static void ref_multiply_add_about(
    int64_t n, float scale, const float *a, float shift, const float *b, float *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] += scale * (a[i] - shift) * b[i];
}

static float ref_dot(int64_t n, const float *a, const float *b)
{
    double total = 0;
    for (int64_t i = 0; i < n; i++)
        total += (double)a[i] * (double)b[i];
    return (float)total;
}

static float ref_sum(int64_t n, const float *x)
{
    double total = 0;
    for (int64_t i = 0; i < n; i++)
        total += (double)x[i];
    return (float)total;
}

static float ref_max(int64_t n, const float *x)
{
    float largest = -INFINITY;
    for (int64_t i = 0; i < n; i++)
        largest = max_of(largest, x[i]);
    return largest;
}

static float ref_sum_squares_about(int64_t n, const float *x, float mean)
{
    double total = 0;
    for (int64_t i = 0; i < n; i++) {
        double d = (double)x[i] - (double)mean;
        total += d * d;
    }
    return (float)total;
}

static void ref_normalise(
    int64_t n, const float *x, float shift, float scale, const float *w, const float *b, float *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = (x[i] - shift) * scale * (w ? w[i] : 1) + (b ? b[i] : 0);
}

static float ref_dot_about(int64_t n, const float *dy, const float *w, const float *x, float shift)
{
    double total = 0;
    for (int64_t i = 0; i < n; i++)
        total += (double)dy[i] * (w ? (double)w[i] : 1) * ((double)x[i] - (double)shift);
    return (float)total;
}

static void ref_normalise_grad(int64_t n,
                               const float *dy,
                               const float *w,
                               const float *x,
                               float shift,
                               float scale,
                               float slope,
                               float offset,
                               float *dx)
{
    for (int64_t i = 0; i < n; i++)
        dx[i] = dy[i] * (w ? w[i] : 1) * scale + (x[i] - shift) * slope + offset;
}

static float ref_exp_shift_sum(int64_t n, const float *x, float shift, float *y)
{
    double total = 0;
    for (int64_t i = 0; i < n; i++) {
        float e = expf(x[i] - shift);
        total += (double)e;
        if (y)
            y[i] = e;
    }
    return (float)total;
}

static void ref_swiglu(int64_t n, const float *gate, const float *up, float *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = gate[i] * sigmoid(gate[i]) * up[i];
}

static void ref_swiglu_grad(
    int64_t n, const float *gate, const float *up, const float *dy, float *dgate, float *dup)
{
    for (int64_t i = 0; i < n; i++) {
        float a = gate[i], u = up[i], d = dy[i];
        dgate[i] = d * u * gated_slope(a, a, 1);
        dup[i] = d * (a * sigmoid(a));
    }
}

static void ref_adamw(int64_t n,
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
    for (int64_t i = 0; i < n; i++) {
        m[i] = beta1 * m[i] + (1 - beta1) * g[i];
        v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i];
        float step = m[i] * correction1 / (sqrtf(v[i] * correction2) + epsilon);
        w[i] -= rate * (step + decay * w[i]);
    }
}

static void ref_lerp(int64_t n, float *target, const float *value, float amount)
{
    for (int64_t i = 0; i < n; i++)
        target[i] += amount * (value[i] - target[i]);
}

static void ref_bf16_from_f32(int64_t n, const float *x, uint16_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = gb_bf16_from_f32(x[i]);
}

static void ref_f32_from_bf16(int64_t n, const uint16_t *x, float *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = gb_f32_from_bf16(x[i]);
}

const gb_kernels gb_kernels_ref = {
    .name = "ref",
    .binary = ref_binary,
    .binary_scalar = ref_binary_scalar,
    .unary = ref_unary,
    .unary_grad = ref_unary_grad,
    .affine = ref_affine,
    .axpy = ref_axpy,
    .multiply_add = ref_multiply_add,
    .multiply_add_about = ref_multiply_add_about,
    .dot = ref_dot,
    .sum = ref_sum,
    .max = ref_max,
    .sum_squares_about = ref_sum_squares_about,
    .normalise = ref_normalise,
    .dot_about = ref_dot_about,
    .normalise_grad = ref_normalise_grad,
    .exp_shift_sum = ref_exp_shift_sum,
    .swiglu = ref_swiglu,
    .swiglu_grad = ref_swiglu_grad,
    .adamw = ref_adamw,
    .lerp = ref_lerp,
    .bf16_from_f32 = ref_bf16_from_f32,
    .f32_from_bf16 = ref_f32_from_bf16,
};
