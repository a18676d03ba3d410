/* dwconv and its gradients against naive double loops over fuzzed shapes. */
#include "tensor/op_fixture.h"

#define SHAPES 200

typedef struct dims {
    int64_t B, T, D, K;
} dims;

static fixture dwconv_fixture(uint64_t seed, int threads, dims *d)
{
    fixture f = fixture_begin(seed, GB_F32);
    *d = (dims){pick(&f, 1, 4), pick(&f, 1, 30), pick(&f, 1, 80), pick(&f, 1, 6)};
    gb_value x = gb_graph_input(f.g, "x", GB_F32, GB_SHAPE(d->B, d->T, d->D));
    gb_value w = gb_graph_input(f.g, "w", GB_F32, GB_SHAPE(d->K, d->D));
    fixture_differentiate(&f, gb_op_dwconv(f.g, x, w), (const char *[]){"x", "w"}, 2);
    fixture_ready(&f, threads);
    fill_normal(&f, "x");
    fill_normal(&f, "w");
    fill_normal(&f, "r");
    return f;
}

typedef struct sums {
    double *y, *dx, *dw;
} sums;

static void naive_dwconv(const dims *d, const float *x, const float *w, const float *r, sums *s)
{
    for (int64_t b = 0; b < d->B; b++)
        for (int64_t t = 0; t < d->T; t++)
            for (int64_t k = 0; k < d->K; k++) {
                int64_t from = t - (d->K - 1) + k;
                if (from < 0)
                    continue;
                for (int64_t i = 0; i < d->D; i++) {
                    int64_t to_at = (b * d->T + t) * d->D + i;
                    int64_t from_at = (b * d->T + from) * d->D + i, w_at = k * d->D + i;
                    s->y[to_at] += (double)w[w_at] * (double)x[from_at];
                    s->dx[from_at] += (double)w[w_at] * (double)r[to_at];
                    s->dw[w_at] += (double)r[to_at] * (double)x[from_at];
                }
            }
}

static void assert_sums(const fixture *f, const char *name, const double *expected, int64_t count)
{
    const float *got = fixture_data(f, name);
    for (int64_t i = 0; i < count; i++)
        if (!(fabs((double)got[i] - expected[i]) <= 1e-5 * (1.0 + fabs(expected[i]))))
            fail_msg("%s[%lld] is %.8g, expected %.8g", name, (long long)i, (double)got[i],
                     expected[i]);
}

static void test_dwconv(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SHAPES; seed++) {
        dims d;
        fixture f = dwconv_fixture(seed, 1, &d);
        gb_exec_run(f.exec);
        size_t count = (size_t)(d.B * d.T * d.D);
        sums s = {calloc(count, sizeof(double)), calloc(count, sizeof(double)),
                  calloc((size_t)(d.K * d.D), sizeof(double))};
        naive_dwconv(&d, fixture_data(&f, "x"), fixture_data(&f, "w"), fixture_data(&f, "r"), &s);
        assert_sums(&f, "out", s.y, d.B * d.T * d.D);
        assert_sums(&f, "d_x", s.dx, d.B * d.T * d.D);
        assert_sums(&f, "d_w", s.dw, d.K * d.D);
        free(s.y);
        free(s.dx);
        free(s.dw);
        fixture_end(&f);
    }
}

static void test_differences(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 30; seed++) {
        dims d;
        fixture f = dwconv_fixture(seed, 1, &d);
        fixture_loss(&f);
        check_differences(&f, "x", 6, 0.5f, 1e-3);
        check_differences(&f, "w", 6, 0.5f, 1e-3);
        fixture_end(&f);
    }
}

static void test_threads(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        dims d;
        fixture one = dwconv_fixture(seed, 1, &d), two = dwconv_fixture(seed, 2, &d);
        gb_exec_run(one.exec);
        gb_exec_run(two.exec);
        static const char *const names[] = {"out", "d_x", "d_w"};
        for (int i = 0; i < 3; i++) {
            gb_tensor a = fixture_tensor(&one, names[i]), b = fixture_tensor(&two, names[i]);
            assert_memory_equal(a.data, b.data, gb_tensor_bytes(&a));
        }
        fixture_end(&one);
        fixture_end(&two);
    }
}

static void test_mistakes(void **state)
{
    (void)state;
    fixture f = fixture_begin(1, GB_F32);
    gb_value x = gb_graph_input(f.g, "x", GB_F32, GB_SHAPE(2, 3, 12));
    gb_op_dwconv(f.g, x, gb_graph_input(f.g, "w", GB_F32, GB_SHAPE(4, 11)));
    assert_mistake(&f, GB_ERR_SHAPE, "x is F32 [2, 3, 12] and weight F32 [4, 11]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dwconv),
        cmocka_unit_test(test_differences),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
