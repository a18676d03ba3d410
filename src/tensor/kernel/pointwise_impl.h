/* kernel/pointwise_impl.h: the part of rows_impl.h that maps one function over elements: binary,
 * unary and the derivatives of unary. Included by rows_impl.h only. */
#include "tensor/kernel/kernel.h"
#include "tensor/kernel/lanes.h"

typedef v_f32 (*v_map1)(v_f32 x);
typedef v_f32 (*v_map2)(v_f32 a, v_f32 b);

GB_LANE void map1(int64_t n, const float *x, float *y, v_map1 f)
{
    int64_t i = 0;
    for (; i + GB_LANES <= n; i += GB_LANES)
        v_store(y + i, f(v_load(x + i)));
    if (i < n)
        v_store_part(y + i, f(v_load_part(x + i, n - i, v_splat(0))), n - i);
}

GB_LANE void map2(int64_t n, const float *a, const float *b, float *y, v_map2 f)
{
    int64_t i = 0;
    for (; i + GB_LANES <= n; i += GB_LANES)
        v_store(y + i, f(v_load(a + i), v_load(b + i)));
    if (i < n) {
        v_f32 zero = v_splat(0);
        v_f32 last = f(v_load_part(a + i, n - i, zero), v_load_part(b + i, n - i, zero));
        v_store_part(y + i, last, n - i);
    }
}

GB_LANE void map2_scalar(int64_t n, const float *a, float b, float *y, v_map2 f)
{
    v_f32 right = v_splat(b);
    int64_t i = 0;
    for (; i + GB_LANES <= n; i += GB_LANES)
        v_store(y + i, f(v_load(a + i), right));
    if (i < n)
        v_store_part(y + i, f(v_load_part(a + i, n - i, v_splat(0)), right), n - i);
}

/* ---- binary ---------------------------------------------------------------------------------- */
GB_LANE v_f32 f_add(v_f32 a, v_f32 b)
{
    return a + b;
}

GB_LANE v_f32 f_sub(v_f32 a, v_f32 b)
{
    return a - b;
}

GB_LANE v_f32 f_mul(v_f32 a, v_f32 b)
{
    return a * b;
}

GB_LANE v_f32 f_div(v_f32 a, v_f32 b)
{
    return a / b;
}

GB_LANE v_f32 f_max(v_f32 a, v_f32 b)
{
    return v_max(a, b);
}

GB_LANE v_f32 f_min(v_f32 a, v_f32 b)
{
    return v_min(a, b);
}

#define GB_BINARY_CASES(X)                                                                         \
    X(ADD, f_add) X(SUB, f_sub) X(MUL, f_mul) X(DIV, f_div) X(MAX, f_max) X(MIN, f_min)

static void rows_binary(gb_binary kind, int64_t n, const float *a, const float *b, float *y)
{
    switch (kind) {
#define X(name, f)                                                                                 \
    case GB_BINARY_##name:                                                                         \
        map2(n, a, b, y, f);                                                                       \
        break;
        GB_BINARY_CASES(X)
#undef X
    case GB_BINARY_COUNT:
        break;
    }
}

static void rows_binary_scalar(gb_binary kind, int64_t n, const float *a, float b, float *y)
{
    switch (kind) {
#define X(name, f)                                                                                 \
    case GB_BINARY_##name:                                                                         \
        map2_scalar(n, a, b, y, f);                                                                \
        break;
        GB_BINARY_CASES(X)
#undef X
    case GB_BINARY_COUNT:
        break;
    }
}

/* ---- unary ----------------------------------------------------------------------------------- */
/* Twice the inner argument of the tanh form of GELU: x sigmoid(2 u) = x (1 + tanh u) / 2. */
GB_LANE v_f32 gelu_argument(v_f32 x)
{
    return x * (1.59576912f + 0.0713548162726f * (x * x));
}

GB_LANE v_f32 f_silu(v_f32 x)
{
    return x * v_sigmoid(x);
}

GB_LANE v_f32 f_gelu(v_f32 x)
{
    return x * v_sigmoid(gelu_argument(x));
}

GB_LANE v_f32 f_relu(v_f32 x)
{
    return v_greater(v_splat(0), x);
}

GB_LANE v_f32 f_sigmoid(v_f32 x)
{
    return v_sigmoid(x);
}

GB_LANE v_f32 f_tanh(v_f32 x)
{
    return v_tanh(x);
}

GB_LANE v_f32 f_exp(v_f32 x)
{
    return v_exp(x);
}

GB_LANE v_f32 f_log(v_f32 x)
{
    return v_log(x);
}

GB_LANE v_f32 f_sqrt(v_f32 x)
{
    return v_sqrt(x);
}

GB_LANE v_f32 f_square(v_f32 x)
{
    return x * x;
}

GB_LANE v_f32 f_abs(v_f32 x)
{
    return v_abs(x);
}

GB_LANE v_f32 f_softplus(v_f32 x)
{
    return v_softplus(x);
}

GB_LANE v_f32 f_sin(v_f32 x)
{
    return v_trigonometry(x, 0);
}

GB_LANE v_f32 f_cos(v_f32 x)
{
    return v_trigonometry(x, 1);
}

GB_LANE v_f32 f_reciprocal(v_f32 x)
{
    return 1.0f / x;
}

/* Derivatives: d(x, dy) = dy f'(x). */
GB_LANE v_f32 d_silu(v_f32 x, v_f32 dy)
{
    v_sigmoids s = v_sigmoid_both(x);
    return dy * (s.of_x * (1.0f + x * s.of_minus_x));
}

/* Beyond |x| = 10 the derivative is 0 or 1 to f32, and x^2 must not overflow. */
GB_LANE v_f32 d_gelu(v_f32 x, v_f32 dy)
{
    x = v_clamp(x, -10, 10);
    v_sigmoids s = v_sigmoid_both(gelu_argument(x));
    v_f32 slope = 1.59576912f + 3 * 0.0713548162726f * (x * x);
    return dy * (s.of_x * (1.0f + x * slope * s.of_minus_x));
}

GB_LANE v_f32 d_relu(v_f32 x, v_f32 dy)
{
    v_f32 slope = v_select((v_i32)(x > 0.0f), v_splat(1), v_splat(0));
    return dy * v_select(v_is_nan(x), x, slope);
}

GB_LANE v_f32 d_sigmoid(v_f32 x, v_f32 dy)
{
    v_sigmoids s = v_sigmoid_both(x);
    return dy * (s.of_x * s.of_minus_x);
}

/* 1 - tanh^2 = 4 sigmoid(2x) sigmoid(-2x), which does not cancel. */
GB_LANE v_f32 d_tanh(v_f32 x, v_f32 dy)
{
    v_sigmoids s = v_sigmoid_both(x * 2.0f);
    return dy * (4.0f * s.of_x * s.of_minus_x);
}

GB_LANE v_f32 d_exp(v_f32 x, v_f32 dy)
{
    return dy * v_exp(x);
}

GB_LANE v_f32 d_log(v_f32 x, v_f32 dy)
{
    return dy / x;
}

GB_LANE v_f32 d_sqrt(v_f32 x, v_f32 dy)
{
    return dy * 0.5f / v_sqrt(x);
}

GB_LANE v_f32 d_square(v_f32 x, v_f32 dy)
{
    return dy * (x + x);
}

GB_LANE v_f32 d_abs(v_f32 x, v_f32 dy)
{
    v_f32 slope = v_select((v_i32)(x < 0.0f), v_splat(-1), x);
    return dy * v_select((v_i32)(x > 0.0f), v_splat(1), slope);
}

GB_LANE v_f32 d_softplus(v_f32 x, v_f32 dy)
{
    return dy * v_sigmoid(x);
}

GB_LANE v_f32 d_sin(v_f32 x, v_f32 dy)
{
    return dy * v_trigonometry(x, 1);
}

GB_LANE v_f32 d_cos(v_f32 x, v_f32 dy)
{
    return -dy * v_trigonometry(x, 0);
}

GB_LANE v_f32 d_reciprocal(v_f32 x, v_f32 dy)
{
    v_f32 y = 1.0f / x;
    return -dy * y * y;
}

#define GB_UNARY_CASES(X)                                                                          \
    X(SILU, silu)                                                                                  \
    X(GELU, gelu)                                                                                  \
    X(RELU, relu)                                                                                  \
    X(SIGMOID, sigmoid)                                                                            \
    X(TANH, tanh)                                                                                  \
    X(EXP, exp)                                                                                    \
    X(LOG, log)                                                                                    \
    X(SQRT, sqrt)                                                                                  \
    X(SQUARE, square)                                                                              \
    X(ABS, abs)                                                                                    \
    X(SOFTPLUS, softplus)                                                                          \
    X(SIN, sin)                                                                                    \
    X(COS, cos)                                                                                    \
    X(RECIPROCAL, reciprocal)

static void rows_unary(gb_unary kind, int64_t n, const float *x, float *y)
{
    switch (kind) {
#define X(name, f)                                                                                 \
    case GB_UNARY_##name:                                                                          \
        map1(n, x, y, f_##f);                                                                      \
        break;
        GB_UNARY_CASES(X)
#undef X
    case GB_UNARY_COUNT:
        break;
    }
}

static void rows_unary_grad(gb_unary kind, int64_t n, const float *x, const float *dy, float *dx)
{
    switch (kind) {
#define X(name, f)                                                                                 \
    case GB_UNARY_##name:                                                                          \
        map2(n, x, dy, dx, d_##f);                                                                 \
        break;
        GB_UNARY_CASES(X)
#undef X
    case GB_UNARY_COUNT:
        break;
    }
}
