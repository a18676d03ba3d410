/* rope and attention against naive double loops over fuzzed shapes, gradients against differences,
 * and the same bits from one and two threads. */
#include "tensor/op_fixture.h"

#define SHAPES 200

typedef struct dims {
    int64_t B, T, G, E;
    int heads, kv_heads;
    int64_t width;
} dims;

/* Mostly small; now and then longer than two blocks of query rows. */
static dims random_dims(fixture *f, bool even)
{
    dims d = {.B = pick(f, 1, 3), .kv_heads = (int)pick(f, 1, 3)};
    d.heads = d.kv_heads * (int)pick(f, 1, 3);
    bool is_long = pick(f, 0, 19) == 0;
    d.T = is_long ? pick(f, 120, 150) : pick(f, 1, 24);
    d.E = even ? 2 * pick(f, 1, 16) : pick(f, 1, 20);
    if (!even && pick(f, 0, 9) == 0)
        d.E = pick(f, 21, 70);
    d.width = (d.heads + 2 * d.kv_heads) * d.E;
    return d;
}

/* ---- rope ---- */

static void naive_rope(const dims *d, const float *x, double theta, int64_t first, float *out)
{
    int64_t half = d->E / 2;
    memcpy(out, x, (size_t)(d->B * d->T * d->width) * sizeof *out);
    for (int64_t r = 0; r < d->B * d->T; r++)
        for (int64_t h = 0; h < d->heads + d->kv_heads; h++)
            for (int64_t i = 0; i < half; i++) {
                double a = (double)(first + r % d->T) / pow(theta, 2.0 * (double)i / (double)d->E);
                int64_t at = r * d->width + h * d->E + i;
                out[at] = (float)(x[at] * cos(a) - x[at + half] * sin(a));
                out[at + half] = (float)(x[at + half] * cos(a) + x[at] * sin(a));
            }
}

static void rope_is_naive(uint64_t seed)
{
    fixture f = fixture_begin(seed, GB_F32);
    dims d = random_dims(&f, true);
    bool placed = pick(&f, 0, 1);
    gb_value x = gb_graph_input(f.g, "x", GB_F32, GB_SHAPE(d.B, d.T, d.width));
    gb_value position = placed ? gb_graph_input(f.g, "position", GB_I32, GB_SCALAR) : GB_NONE;
    gb_value out = gb_op_rope(f.g, x, d.heads, d.kv_heads, 10000.0f, position);
    fixture_differentiate(&f, out, (const char *[]){"x"}, 1);
    fixture_ready(&f, (int)pick(&f, 1, 2));
    fill_normal(&f, "x");
    fill_normal(&f, "r");
    int32_t first = placed ? (int32_t)pick(&f, 0, 5000) : 0;
    if (placed)
        *(int32_t *)fixture_tensor(&f, "position").data = first;
    gb_exec_run(f.exec);
    int64_t count = d.B * d.T * d.width;
    float *expected = malloc((size_t)count * sizeof *expected);
    naive_rope(&d, fixture_data(&f, "x"), 10000.0, first, expected);
    assert_near(fixture_data(&f, "out"), expected, count, 2e-6, "rope");
    /* The gradient is the rotation back: rotating it forward gives r again. */
    naive_rope(&d, fixture_data(&f, "d_x"), 10000.0, first, expected);
    assert_near(fixture_data(&f, "r"), expected, count, 2e-6, "rotated gradient");
    free(expected);
    fixture_end(&f);
}

static void test_rope(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SHAPES; seed++)
        rope_is_naive(seed);
}

/* ---- attention ---- */

/* weights[j], j < seen, of query row t of head h. */
static void
naive_weights(const dims *d, const float *rows, int64_t t, int64_t h, int64_t seen, double *weights)
{
    int64_t kv = h / (d->heads / d->kv_heads);
    const float *q = rows + t * d->width + h * d->E;
    double most = -INFINITY, sum = 0.0;
    for (int64_t j = 0; j < seen; j++) {
        const float *k = rows + j * d->width + (d->heads + kv) * d->E;
        weights[j] = 0.0;
        for (int64_t e = 0; e < d->E; e++)
            weights[j] += (double)q[e] * (double)k[e];
        weights[j] /= sqrt((double)d->E);
        most = fmax(most, weights[j]);
    }
    for (int64_t j = 0; j < seen; j++)
        sum += weights[j] = exp(weights[j] - most);
    for (int64_t j = 0; j < seen; j++)
        weights[j] /= sum;
}

static void naive_attention(const dims *d, const float *qkv, bool causal, float *out)
{
    double *weights = malloc((size_t)d->T * sizeof *weights);
    for (int64_t b = 0; b < d->B; b++)
        for (int64_t t = 0; t < d->T; t++)
            for (int64_t h = 0; h < d->heads; h++) {
                const float *rows = qkv + b * d->T * d->width;
                int64_t seen = causal ? t + 1 : d->T, kv = h / (d->heads / d->kv_heads);
                naive_weights(d, rows, t, h, seen, weights);
                for (int64_t e = 0; e < d->E; e++) {
                    double sum = 0.0;
                    for (int64_t j = 0; j < seen; j++)
                        sum +=
                            weights[j] *
                            (double)rows[j * d->width + (d->heads + d->kv_heads + kv) * d->E + e];
                    out[((b * d->T + t) * d->heads + h) * d->E + e] = (float)sum;
                }
            }
    free(weights);
}

/* dqkv in doubles, from the formulas in attention_grad.c. */
static void
naive_gradient(const dims *d, const float *qkv, const float *dout, bool causal, double *dqkv)
{
    double *weights = malloc((size_t)d->T * sizeof *weights), scale = 1.0 / sqrt((double)d->E);
    double *dweights = malloc((size_t)d->T * sizeof *dweights);
    for (int64_t row = 0; row < d->B * d->T * d->heads; row++) {
        int64_t h = row % d->heads, t = row / d->heads % d->T, b = row / d->heads / d->T;
        int64_t kv = h / (d->heads / d->kv_heads), seen = causal ? t + 1 : d->T;
        const float *rows = qkv + b * d->T * d->width, *dy = dout + row * d->E;
        double *drows = dqkv + b * d->T * d->width, mean = 0.0;
        int64_t q = t * d->width + h * d->E, k = (d->heads + kv) * d->E, v = k + d->kv_heads * d->E;
        naive_weights(d, rows, t, h, seen, weights);
        for (int64_t j = 0; j < seen; j++) {
            dweights[j] = 0.0;
            for (int64_t e = 0; e < d->E; e++) {
                dweights[j] += (double)dy[e] * (double)rows[j * d->width + v + e];
                drows[j * d->width + v + e] += weights[j] * (double)dy[e];
            }
            mean += weights[j] * dweights[j];
        }
        for (int64_t j = 0; j < seen; j++) {
            double dscore = scale * weights[j] * (dweights[j] - mean);
            for (int64_t e = 0; e < d->E; e++) {
                drows[q + e] += dscore * (double)rows[j * d->width + k + e];
                drows[j * d->width + k + e] += dscore * (double)rows[q + e];
            }
        }
    }
    free(weights);
    free(dweights);
}

static fixture
attention_fixture(uint64_t seed, gb_dtype compute, int threads, dims *d, bool *causal)
{
    fixture f = fixture_begin(seed, compute);
    *d = random_dims(&f, false);
    *causal = pick(&f, 0, 1);
    gb_value x = gb_graph_input(f.g, "x", GB_F32, GB_SHAPE(d->B, d->T, d->width));
    gb_value out = gb_op_attention(f.g, x, d->heads, d->kv_heads, *causal);
    fixture_differentiate(&f, out, (const char *[]){"x"}, 1);
    fixture_ready(&f, threads);
    fill_normal(&f, "x");
    fill_normal(&f, "r");
    return f;
}

static void attention_is_naive(uint64_t seed, gb_dtype compute, double tolerance)
{
    dims d;
    bool causal;
    fixture f = attention_fixture(seed, compute, 1, &d, &causal);
    gb_exec_run(f.exec);
    int64_t count = d.B * d.T * d.heads * d.E, wide = d.B * d.T * d.width;
    float *expected = malloc((size_t)wide * sizeof *expected);
    double *gradient = calloc((size_t)wide, sizeof *gradient);
    naive_attention(&d, fixture_data(&f, "x"), causal, expected);
    assert_near(fixture_data(&f, "out"), expected, count, tolerance, "attention");
    naive_gradient(&d, fixture_data(&f, "x"), fixture_data(&f, "r"), causal, gradient);
    for (int64_t i = 0; i < wide; i++)
        expected[i] = (float)gradient[i];
    assert_near(fixture_data(&f, "d_x"), expected, wide, 2 * tolerance, "dqkv");
    free(expected);
    free(gradient);
    fixture_end(&f);
}

static void test_attention(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SHAPES; seed++)
        attention_is_naive(seed, GB_F32, 2e-5);
}

static void test_attention_bf16(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++)
        attention_is_naive(seed, GB_BF16, 6e-2);
}

static void test_attention_differences(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 30; seed++) {
        dims d;
        bool causal;
        fixture f = attention_fixture(seed, GB_F32, 1, &d, &causal);
        check_differences(&f, "x", 6, 1e-2f, 4e-3);
        fixture_end(&f);
    }
}

static void test_threads(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        dims d;
        bool causal;
        gb_dtype compute = seed % 4 == 0 ? GB_BF16 : GB_F32;
        fixture one = attention_fixture(seed, compute, 1, &d, &causal);
        fixture two = attention_fixture(seed, compute, 2, &d, &causal);
        gb_exec_run(one.exec);
        gb_exec_run(two.exec);
        size_t bytes = (size_t)(d.B * d.T * d.heads * d.E) * sizeof(float);
        assert_memory_equal(fixture_data(&one, "out"), fixture_data(&two, "out"), bytes);
        bytes = (size_t)(d.B * d.T * d.width) * sizeof(float);
        assert_memory_equal(fixture_data(&one, "d_x"), fixture_data(&two, "d_x"), bytes);
        fixture_end(&one);
        fixture_end(&two);
    }
}

/* Scores far beyond exp's range still give weights that sum to one. */
static void test_large_scores(void **state)
{
    (void)state;
    fixture f = fixture_begin(7, GB_F32);
    gb_value x = gb_graph_input(f.g, "x", GB_F32, GB_SHAPE(1, 20, 3 * 8));
    fixture_differentiate(&f, gb_op_attention(f.g, x, 1, 1, true), (const char *[]){"x"}, 1);
    fixture_ready(&f, 1);
    fill_normal(&f, "x");
    float *values = fixture_data(&f, "x");
    for (int64_t i = 0; i < 20 * 24; i++)
        values[i] = i % 24 < 16 ? 1000.0f * values[i] : 1.0f;
    gb_exec_run(f.exec);
    for (int64_t i = 0; i < 20 * 8; i++)
        assert_float_equal(fixture_data(&f, "out")[i], 1.0f, 1e-5f);
    for (int64_t i = 0; i < 20 * 24; i++)
        assert_true(isfinite(fixture_data(&f, "d_x")[i]));
    fixture_end(&f);
}

static void test_mistakes(void **state)
{
    (void)state;
    fixture f = fixture_begin(1, GB_F32);
    gb_op_attention(f.g, gb_graph_input(f.g, "x", GB_F32, GB_SHAPE(2, 3, 24)), 3, 2, true);
    assert_mistake(&f, GB_ERR_ARGUMENT, "3 heads and 2 key/value heads");

    f = fixture_begin(1, GB_F32);
    gb_op_attention(f.g, gb_graph_input(f.g, "x", GB_F32, GB_SHAPE(2, 3, 25)), 4, 2, true);
    assert_mistake(&f, GB_ERR_SHAPE, "attention: qkv is F32 [2, 3, 25]");

    f = fixture_begin(1, GB_F32);
    gb_op_attention(f.g, gb_graph_input(f.g, "x", GB_F32, GB_SHAPE(3, 24)), 4, 2, true);
    assert_mistake(&f, GB_ERR_SHAPE, "expected F32 [batch, sequence, 8 * head_dim]");

    f = fixture_begin(1, GB_F32);
    gb_op_rope(f.g, gb_graph_input(f.g, "x", GB_F32, GB_SHAPE(2, 3, 9)), 1, 1, 1e4f, GB_NONE);
    assert_mistake(&f, GB_ERR_SHAPE, "rope: head_dim is 3");

    f = fixture_begin(1, GB_F32);
    gb_value x = gb_graph_input(f.g, "x", GB_F32, GB_SHAPE(2, 3, 12));
    gb_op_rope(f.g, x, 1, 1, 1e4f, x);
    assert_mistake(&f, GB_ERR_SHAPE, "rope: position is F32 [2, 3, 12], expected one I32");

    f = fixture_begin(1, GB_F32);
    x = gb_graph_input(f.g, "x", GB_F32, GB_SHAPE(2, 3, 12));
    gb_op_rope(f.g, x, 1, 1, 0.5f, GB_NONE);
    assert_mistake(&f, GB_ERR_ARGUMENT, "theta is 0.5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rope),           cmocka_unit_test(test_attention),
        cmocka_unit_test(test_attention_bf16), cmocka_unit_test(test_attention_differences),
        cmocka_unit_test(test_threads),        cmocka_unit_test(test_large_scores),
        cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
