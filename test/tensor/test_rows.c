/* Row kernels: every entry of every table this machine can run, against the plain C table and, for
 * elementary functions, against double-precision libm with stated bounds. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tensor/kernel/kernel.h"

enum {
    LENGTHS = 240,
    LONGEST = 500,
    ROOM = LONGEST + 64
};
#define CANARY 12345.5f

typedef struct rows {
    float a[ROOM], b[ROOM], c[ROOM], d[ROOM];
} rows;

static rows want, got;

/* 0..~130 one by one, then longer ones. */
static int64_t length_at(int i)
{
    return i < 130 ? i : 130 + (int64_t)gb_random_below(7, 1, (uint64_t)i, LONGEST - 130);
}

/* Floats into memory; with no alignment but a float's. */
static void draw(rows *r, uint64_t stream, float scale)
{
    float *const all[4] = {r->a, r->b, r->c, r->d};
    for (uint64_t k = 0; k < 4; k++) {
        gb_random_fill_normal(11, stream * 4 + k, 0, all[k], ROOM);
        for (int i = 0; i < ROOM; i++)
            all[k][i] *= scale;
    }
}

static void close_to(float y, float expected, float scale, const char *what, int64_t n)
{
    if (isnan(expected) ? isnan(y) : y == expected || fabsf(y - expected) <= 4e-6f * scale)
        return;
    fail_msg("%s, n %lld: %.9g, expected %.9g", what, (long long)n, (double)y, (double)expected);
}

static void rows_close(const char *what, int64_t n, int64_t at)
{
    const float *y[4] = {got.a, got.b, got.c, got.d}, *e[4] = {want.a, want.b, want.c, want.d};
    for (int k = 0; k < 4; k++)
        for (int64_t i = 0; i < ROOM; i++) {
            bool inside = i >= at && i < at + n;
            close_to(y[k][i], e[k][i], inside ? fabsf(e[k][i]) + 0.1f : 0, what, n);
        }
}

/* Draws the same rows twice, so that whatever a kernel writes outside its row shows. */
static void draw_both(int i)
{
    draw(&want, (uint64_t)i, 1.5f);
    memcpy(&got, &want, sizeof want);
}

#define BOTH(what, call)                                                                           \
    do {                                                                                           \
        draw_both(i);                                                                              \
        {                                                                                          \
            const gb_kernels *k = &gb_kernels_ref;                                                 \
            rows *r = &want;                                                                       \
            call;                                                                                  \
        }                                                                                          \
        {                                                                                          \
            const gb_kernels *k = fast;                                                            \
            rows *r = &got;                                                                        \
            call;                                                                                  \
        }                                                                                          \
        rows_close(what, n, at);                                                                   \
    } while (0)

/* sqrt and log need x > 0; division and reciprocal need it away from 0. */
static void make_positive(float *x)
{
    for (int i = 0; i < ROOM; i++)
        x[i] = fabsf(x[i]) + 0.25f;
}

static void check_elements(const gb_kernels *fast)
{
    for (int i = 0; i < LENGTHS; i++) {
        int64_t n = length_at(i), at = i % 17;
        for (gb_binary kind = 0; kind < GB_BINARY_COUNT; kind++) {
            BOTH("binary", make_positive(r->b);
                 k->binary(kind, n, r->a + at, r->b + at, r->c + at));
            BOTH("binary in place", make_positive(r->b);
                 k->binary(kind, n, r->a + at, r->b + at, r->a + at));
            BOTH("binary scalar", k->binary_scalar(kind, n, r->a + at, 1.25f, r->c + at));
        }
        for (gb_unary kind = 0; kind < GB_UNARY_COUNT; kind++) {
            BOTH("unary", make_positive(r->a); k->unary(kind, n, r->a + at, r->c + at));
            BOTH("unary in place", make_positive(r->a); k->unary(kind, n, r->a + at, r->a + at));
            BOTH("unary grad", make_positive(r->a);
                 k->unary_grad(kind, n, r->a + at, r->b + at, r->c + at));
            BOTH("unary grad in place", make_positive(r->a);
                 k->unary_grad(kind, n, r->a + at, r->b + at, r->b + at));
        }
        BOTH("affine", k->affine(n, r->a + at, 1.5f, -0.5f, r->b + at));
        BOTH("axpy", k->axpy(n, -0.75f, r->a + at, r->b + at));
        BOTH("multiply_add", k->multiply_add(n, 0.5f, r->a + at, r->b + at, r->c + at));
        BOTH("multiply_add_about",
             k->multiply_add_about(n, 0.5f, r->a + at, 0.75f, r->b + at, r->c + at));
        BOTH("lerp", k->lerp(n, r->a + at, r->b + at, 0.125f));
    }
}

static void check_layers(const gb_kernels *fast)
{
    for (int i = 0; i < LENGTHS; i++) {
        int64_t n = length_at(i), at = i % 17;
        BOTH("normalise", k->normalise(n, r->a + at, 0.5f, 2, r->b + at, r->c + at, r->d + at));
        BOTH("normalise w", k->normalise(n, r->a + at, 0.5f, 2, r->b + at, NULL, r->a + at));
        BOTH("normalise b", k->normalise(n, r->a + at, 0.5f, 2, NULL, r->b + at, r->d + at));
        BOTH("normalise plain", k->normalise(n, r->a + at, 0.5f, 2, NULL, NULL, r->d + at));
        BOTH("normalise_grad", k->normalise_grad(n, r->a + at, r->b + at, r->c + at, 0.25f, 2,
                                                 -0.5f, 0.75f, r->d + at));
        BOTH("normalise_grad plain",
             k->normalise_grad(n, r->a + at, NULL, r->c + at, 0.25f, 2, -0.5f, 0, r->c + at));
        BOTH("exp_shift_sum", r->d[at] = k->exp_shift_sum(n, r->a + at, 1.5f, r->b + at) / 64;
             r->c[at] = k->exp_shift_sum(n, r->a + at, 1.5f, NULL) / 64);
        BOTH("swiglu", k->swiglu(n, r->a + at, r->b + at, r->c + at));
        BOTH("swiglu_grad",
             k->swiglu_grad(n, r->a + at, r->b + at, r->c + at, r->a + at, r->b + at));
        BOTH("adamw", make_positive(r->d); k->adamw(n, r->a + at, r->b + at, r->c + at, r->d + at,
                                                    0.9f, 0.95f, 1e-2f, 0.1f, 1e-8f, 1.7f, 2.3f));
    }
}

static void check_reductions(const gb_kernels *fast)
{
    for (int i = 0; i < LENGTHS; i++) {
        int64_t n = length_at(i), at = i % 17;
        draw(&want, (uint64_t)i, 1.5f);
        const float *a = want.a + at, *b = want.b + at;
        const gb_kernels *k = &gb_kernels_ref;
        float scale = (float)n + 1;
        close_to(fast->dot(n, a, b), k->dot(n, a, b), scale, "dot", n);
        close_to(fast->sum(n, a), k->sum(n, a), scale, "sum", n);
        close_to(fast->sum_squares_about(n, a, 0.7f), k->sum_squares_about(n, a, 0.7f), scale,
                 "sum_squares_about", n);
        const float *c = want.c + at;
        close_to(fast->dot_about(n, a, c, b, 0.5f), k->dot_about(n, a, c, b, 0.5f), 3 * scale,
                 "dot_about", n);
        close_to(fast->dot_about(n, a, NULL, b, 0.5f), k->dot_about(n, a, NULL, b, 0.5f), scale,
                 "dot_about plain", n);
        assert_true(fast->max(n, a) == k->max(n, a));
        float once = fast->sum(n, a);
        memmove(want.c + (at + 5) % 13, a, (size_t)n * sizeof *a);
        float again = fast->sum(n, want.c + (at + 5) % 13);
        assert_memory_equal(&once, &again, sizeof once); /* alignment does not change the order */
        for (int64_t j = 0; j < n; j += 1 + n / 7) {
            float kept = want.a[at + j];
            want.a[at + j] = NAN;
            assert_true(isnan(fast->max(n, a)));
            assert_true(isnan(fast->sum(n, a)));
            assert_true(isnan(fast->dot(n, a, b)));
            assert_true(isnan(fast->exp_shift_sum(n, a, 0, NULL)));
            want.a[at + j] = kept;
        }
    }
    assert_true(fast->max(0, want.a) == -INFINITY);
    assert_true(fast->sum(0, want.a) == 0);
}

static void check_bf16(const gb_kernels *fast)
{
    static uint16_t half[ROOM], half_ref[ROOM];
    static float back[ROOM], x[ROOM];
    for (int i = 0; i < LENGTHS; i++) {
        int64_t n = length_at(i), at = i % 17;
        for (int j = 0; j < ROOM; j++) { /* any bits at all: infinities, NaN, denormals */
            uint32_t bits = gb_random_u32(5, (uint64_t)i, (uint64_t)j);
            bits = j % 9 == 0 ? bits | 0x7f800000u : bits;
            memcpy(&x[j], &bits, sizeof bits);
            half[j] = half_ref[j] = 77;
            back[j] = CANARY;
        }
        fast->bf16_from_f32(n, x + at, half + at);
        gb_kernels_ref.bf16_from_f32(n, x + at, half_ref + at);
        assert_memory_equal(half, half_ref, sizeof half);
        fast->f32_from_bf16(n, half + at, back + at);
        gb_kernels_ref.f32_from_bf16(n, half + at, x + at);
        assert_memory_equal(back + at, x + at, (size_t)n * sizeof(float));
        assert_true(back[at + n] == CANARY);
    }
}

/* ---- accuracy -------------------------------------------------------------------------------- */
static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double exact(gb_unary kind, double x)
{
    switch (kind) {
    case GB_UNARY_SILU:
        return x * sigmoid(x);
    case GB_UNARY_GELU:
        return x * sigmoid(2 * sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x));
    case GB_UNARY_SIGMOID:
        return sigmoid(x);
    case GB_UNARY_TANH:
        return tanh(x);
    case GB_UNARY_EXP:
        return exp(x);
    case GB_UNARY_LOG:
        return log(x);
    case GB_UNARY_SQRT:
        return sqrt(x);
    case GB_UNARY_SOFTPLUS:
        return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
    case GB_UNARY_SIN:
        return sin(x);
    case GB_UNARY_COS:
        return cos(x);
    default:
        return 1 / x;
    }
}

/* Largest error in units of the last place of the exact value (2^-23 of it), for arguments in
 * [-range, range]. Near a zero of sine and cosine the unit is that of `floor`. */
typedef struct bound {
    gb_unary kind;
    float range;
    double ulps, floor;
} bound;

static const bound bounds[] = {
    {GB_UNARY_EXP, 110, 2, 0},      {GB_UNARY_LOG, 1e38f, 2, 0},
    {GB_UNARY_SIGMOID, 200, 3, 0},  {GB_UNARY_SILU, 80, 4, 0},
    {GB_UNARY_TANH, 100, 4, 0},     {GB_UNARY_SOFTPLUS, 200, 3, 0},
    {GB_UNARY_SIN, 8e4f, 2, 0.25},  {GB_UNARY_COS, 8e4f, 2, 0.25},
    {GB_UNARY_SQRT, 1e38f, 0.5, 0}, {GB_UNARY_RECIPROCAL, 1e37f, 0.5, 0},
    {GB_UNARY_GELU, 3, 16, 0}, /* the rounding of its argument is multiplied by the argument */
};

static float argument(const bound *b, uint64_t stream, uint64_t i)
{
    float u = 2 * gb_random_uniform(3, stream, 2 * i) - 1;
    uint64_t shape = i % 3; /* even, near zero, any exponent */
    if (shape == 0)
        return u * b->range;
    if (shape == 1)
        return u * fminf(b->range, 2);
    float lowest = b->kind == GB_UNARY_LOG ? -149 : -126;
    float power = gb_random_uniform(3, stream, 2 * i + 1);
    return copysignf(exp2f(lowest + power * (log2f(b->range) - lowest)), u);
}

static void check_accuracy(const gb_kernels *fast)
{
    static float x[512], y[512];
    for (size_t k = 0; k < sizeof bounds / sizeof *bounds; k++) {
        const bound *b = &bounds[k];
        double worst = 0, worst_x = 0;
        for (uint64_t block = 0; block < 120; block++) {
            for (uint64_t i = 0; i < 512; i++) {
                x[i] = argument(b, k, block * 512 + i);
                if (b->kind == GB_UNARY_LOG || b->kind == GB_UNARY_SQRT)
                    x[i] = fabsf(x[i]);
            }
            fast->unary(b->kind, 512, x, y);
            for (int i = 0; i < 512; i++) {
                double e = exact(b->kind, (double)x[i]);
                if ((double)y[i] == e || (float)e == y[i])
                    continue;
                double unit = fmax(fmax(fabs(e), b->floor) * 0x1p-23, 0x1p-149);
                double error = fabs((double)y[i] - e) / unit;
                if (!(error <= worst)) {
                    worst = error;
                    worst_x = (double)x[i];
                }
            }
        }
        if (!(worst <= b->ulps))
            fail_msg("%s, unary %d: %.2f ulp at %.9g, bound %.1f", fast->name, (int)b->kind, worst,
                     worst_x, b->ulps);
    }
}

static float one(const gb_kernels *fast, gb_unary kind, float x)
{
    float y = CANARY;
    fast->unary(kind, 1, &x, &y);
    return y;
}

static void check_special(const gb_kernels *fast)
{
    for (gb_unary kind = 0; kind < GB_UNARY_COUNT; kind++) {
        assert_true(isnan(one(fast, kind, NAN)));
        float x = NAN, dy = 1, dx = 0;
        fast->unary_grad(kind, 1, &x, &dy, &dx);
        assert_true(isnan(dx));
        x = dy;
        dy = NAN;
        fast->unary_grad(kind, 1, &x, &dy, &dx);
        assert_true(isnan(dx));
    }
    for (gb_binary kind = 0; kind < GB_BINARY_COUNT; kind++) {
        float a[2] = {NAN, 1}, b[2] = {1, NAN}, y[2];
        fast->binary(kind, 2, a, b, y);
        assert_true(isnan(y[0]) && isnan(y[1]));
    }
    assert_true(one(fast, GB_UNARY_EXP, 88.8f) == INFINITY);
    assert_true(one(fast, GB_UNARY_EXP, INFINITY) == INFINITY);
    assert_true(one(fast, GB_UNARY_EXP, -104) == 0);
    assert_true(one(fast, GB_UNARY_EXP, -INFINITY) == 0);
    assert_true(one(fast, GB_UNARY_EXP, 0) == 1);
    assert_true(one(fast, GB_UNARY_LOG, 0) == -INFINITY);
    assert_true(one(fast, GB_UNARY_LOG, INFINITY) == INFINITY);
    assert_true(one(fast, GB_UNARY_LOG, 1) == 0);
    assert_true(isnan(one(fast, GB_UNARY_LOG, -1)));
    assert_true(isnan(one(fast, GB_UNARY_SQRT, -1)));
    assert_true(one(fast, GB_UNARY_TANH, INFINITY) == 1);
    assert_true(one(fast, GB_UNARY_TANH, -INFINITY) == -1);
    assert_true(one(fast, GB_UNARY_SIGMOID, INFINITY) == 1);
    assert_true(one(fast, GB_UNARY_SIGMOID, -INFINITY) == 0);
    assert_true(one(fast, GB_UNARY_SOFTPLUS, INFINITY) == INFINITY);
    assert_true(one(fast, GB_UNARY_SOFTPLUS, -INFINITY) == 0);
    assert_true(one(fast, GB_UNARY_GELU, 1e30f) == 1e30f);
    assert_true(one(fast, GB_UNARY_GELU, -1e30f) == 0);
    assert_true(isnan(one(fast, GB_UNARY_SIN, INFINITY)));
    assert_true(one(fast, GB_UNARY_RELU, -3) == 0);
    float x[2] = {1e30f, -1e30f}, dy[2] = {1, 1}, dx[2];
    fast->unary_grad(GB_UNARY_GELU, 2, x, dy, dx);
    assert_true(fabsf(dx[0] - 1) < 1e-6f && fabsf(dx[1]) < 1e-6f);
    fast->unary_grad(GB_UNARY_ABS, 2, x, dy, dx);
    assert_true(dx[0] == 1 && dx[1] == -1);
}

/* test_rows_emulated.c includes this file to check one more table. */
#ifndef ROWS_TABLE
#define ROWS_TABLE NULL
#endif

static void over_tables(void (*check)(const gb_kernels *fast))
{
    const gb_kernels *only = ROWS_TABLE;
    for (gb_isa isa = GB_ISA_REF; isa < GB_ISA_COUNT && !only; isa++)
        if (gb_kernels_of(isa))
            check(gb_kernels_of(isa));
    if (only)
        check(only);
}

static void test_elements(void **state)
{
    (void)state;
    over_tables(check_elements);
}

static void test_layers(void **state)
{
    (void)state;
    over_tables(check_layers);
}

static void test_reductions(void **state)
{
    (void)state;
    over_tables(check_reductions);
}

static void test_bf16(void **state)
{
    (void)state;
    over_tables(check_bf16);
}

static void test_accuracy(void **state)
{
    (void)state;
    over_tables(check_accuracy);
}

static void test_special(void **state)
{
    (void)state;
    over_tables(check_special);
}

static void test_choice(void **state)
{
    (void)state;
    assert_ptr_equal(gb_kernels_of(GB_ISA_REF), &gb_kernels_ref);
    assert_ptr_equal(gb_kernels_get(), gb_kernels_of(gb_cpu_get()->used));
    assert_null(gb_kernels_of(GB_ISA_COUNT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choice),   cmocka_unit_test(test_special),
        cmocka_unit_test(test_accuracy), cmocka_unit_test(test_elements),
        cmocka_unit_test(test_layers),   cmocka_unit_test(test_reductions),
        cmocka_unit_test(test_bf16),
    };
    return cmocka_run_group_tests_name("tensor.rows", tests, NULL, NULL);
}
