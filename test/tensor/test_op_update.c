/* Operations that write to leaves: adamw, lerp_into, assign. Several steps against the algorithm in
 * double, over fuzzed shapes and pools; mistakes. */
#include "tensor/op_fuzz.h"

enum {
    STEPS = 4
};

static const gb_init normal = {GB_INIT_NORMAL, 1};
static const gb_adamw options = {0.9f, 0.95f, 1e-6f, 0.1f, 0.5f};

static gb_value build_adamw(gb_graph *g, gb_shape shape)
{
    gb_value w = gb_graph_parameter(g, "w", shape, normal);
    gb_value m = gb_graph_state(g, "m", GB_F32, shape), v = gb_graph_state(g, "v", GB_F32, shape);
    gb_value gradient = gb_graph_input(g, "gradient", GB_F32, shape);
    gb_value rate = gb_graph_input(g, "rate", GB_F32, GB_SCALAR);
    gb_value step = gb_graph_input(g, "step", GB_I32, GB_SCALAR);
    return gb_op_adamw(g, w, gradient, m, v, rate, step, options);
}

static void adamw_step(double *w, double g, double *m, double *v, int step, double rate)
{
    double b1 = (double)options.beta1, b2 = (double)options.beta2;
    *m = b1 * *m + (1 - b1) * g;
    *v = b2 * *v + (1 - b2) * g * g;
    double m_hat = *m / (1 - pow(b1, step)), v_hat = *v / (1 - pow(b2, step));
    *w -= rate * (double)options.rate_scale *
          (m_hat / (sqrt(v_hat) + (double)options.epsilon) + (double)options.weight_decay * *w);
}

static void check_adamw(uint64_t i, gb_shape shape)
{
    op_test t = op_begin(1);
    build_adamw(t.graph, shape);
    op_ready(&t, (int)(i % 3));
    size_t count = (size_t)gb_shape_count(&shape);
    float *w = gb_tensors_find(t.weights, "w")->data;
    double *expected = calloc(3 * count, sizeof(double));
    assert_non_null(expected);
    for (size_t k = 0; k < count; k++)
        expected[3 * k] = (double)w[k];
    for (int step = 1; step <= STEPS; step++) {
        const float *g = op_normal(&t, "gradient", i * STEPS + (uint64_t)step, 0.3f);
        *(float *)op_data(&t, "rate") = 0.01f * (float)step;
        *(int32_t *)op_data(&t, "step") = step;
        gb_exec_run(t.exec);
        for (size_t k = 0; k < count; k++)
            adamw_step(&expected[3 * k], (double)g[k], &expected[3 * k + 1], &expected[3 * k + 2],
                       step, (double)(0.01f * (float)step));
    }
    const float *m = gb_tensors_find(t.state, "m")->data, *v = gb_tensors_find(t.state, "v")->data;
    for (size_t k = 0; k < count; k++) {
        op_close(w[k], expected[3 * k], fabs(expected[3 * k]) + 0.1, "w", (int64_t)k);
        op_close(m[k], expected[3 * k + 1], 0.3, "m", (int64_t)k);
        op_close(v[k], expected[3 * k + 2], 0.1, "v", (int64_t)k);
    }
    free(expected);
    op_end(&t);
}

static void test_adamw(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < OP_CASES; i++)
        check_adamw(i, i % 40 == 3 ? GB_SHAPE(130, 257) : op_shape(i, 0, 9, 70));
}

/* Two averages of a weight that a third leaf is copied from; the order of the graph is kept. */
static void test_lerp_and_assign(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < OP_CASES; i++) {
        op_test t = op_begin(1);
        gb_shape shape = i % 40 == 3 ? GB_SHAPE(130, 257) : op_shape(i, 0, 9, 70);
        gb_value average = gb_graph_parameter(t.graph, "average", shape, normal);
        gb_value kept = gb_graph_state(t.graph, "kept", GB_F32, shape);
        gb_value last = gb_graph_state(t.graph, "last", GB_I32, shape);
        gb_value x = gb_graph_input(t.graph, "x", GB_F32, shape);
        gb_value n = gb_graph_input(t.graph, "n", GB_I32, shape);
        gb_value amount = gb_graph_input(t.graph, "amount", GB_F32, GB_SCALAR);
        gb_op_assign(t.graph, kept, gb_op_lerp_into(t.graph, average, x, amount));
        gb_op_assign(t.graph, last, n);
        op_ready(&t, (int)(i % 3));
        const float *to = gb_tensors_find(t.weights, "average")->data;
        const float *copy = gb_tensors_find(t.state, "kept")->data;
        const float *xs = op_normal(&t, "x", i, 1);
        size_t count = (size_t)gb_shape_count(&shape);
        double *expected = malloc(count * sizeof(double));
        assert_non_null(expected);
        for (size_t k = 0; k < count; k++) {
            ((int32_t *)op_data(&t, "n"))[k] = (int32_t)k * 7;
            expected[k] = (double)to[k] + 0.25 * ((double)xs[k] - (double)to[k]);
        }
        *(float *)op_data(&t, "amount") = 0.25f;
        gb_exec_run(t.exec);
        for (size_t k = 0; k < count; k++) {
            op_close(to[k], expected[k], fabs(expected[k]) + 1, "lerp_into", (int64_t)k);
            assert_true(copy[k] == to[k]);
            assert_int_equal(((int32_t *)gb_tensors_find(t.state, "last")->data)[k], k * 7);
        }
        free(expected);
        op_end(&t);
    }
}

static void test_mistakes(void **state)
{
    (void)state;
    op_test t = op_begin(1);
    gb_value w = gb_graph_parameter(t.graph, "w", GB_SHAPE(3), normal);
    gb_value s = gb_graph_state(t.graph, "s", GB_F32, GB_SHAPE(3));
    gb_value rate = gb_graph_input(t.graph, "rate", GB_F32, GB_SCALAR);
    gb_value step = gb_graph_input(t.graph, "step", GB_I32, GB_SCALAR);
    gb_value computed = gb_op_affine(t.graph, w, 2, 0);
    op_mistake(&t, gb_op_adamw(t.graph, computed, w, s, s, rate, step, options), "parameter is");
    t = op_begin(1);
    w = gb_graph_parameter(t.graph, "w", GB_SHAPE(3), normal);
    s = gb_graph_state(t.graph, "s", GB_F32, GB_SHAPE(4));
    rate = gb_graph_input(t.graph, "rate", GB_F32, GB_SCALAR);
    step = gb_graph_input(t.graph, "step", GB_I32, GB_SCALAR);
    op_mistake(&t, gb_op_adamw(t.graph, w, w, s, s, rate, step, options), "m is [4], expected [3]");
    t = op_begin(1);
    w = gb_graph_parameter(t.graph, "w", GB_SHAPE(3), normal);
    s = gb_graph_state(t.graph, "s", GB_F32, GB_SHAPE(3));
    rate = gb_graph_input(t.graph, "rate", GB_F32, GB_SCALAR);
    step = gb_graph_input(t.graph, "step", GB_I32, GB_SCALAR);
    op_mistake(&t, gb_op_adamw(t.graph, w, w, s, s, rate, step, (gb_adamw){.beta1 = 1}), "beta1 1");
}

static void test_write_mistakes(void **state)
{
    (void)state;
    op_test t = op_begin(1);
    gb_value x = gb_graph_input(t.graph, "x", GB_F32, GB_SHAPE(3));
    op_mistake(&t, gb_op_assign(t.graph, x, x), "target is computed or an input");
    t = op_begin(1);
    x = gb_graph_state(t.graph, "x", GB_F32, GB_SHAPE(3));
    gb_value y = gb_graph_input(t.graph, "y", GB_I32, GB_SHAPE(3));
    op_mistake(&t, gb_op_assign(t.graph, x, y), "value is I32, expected F32");
    t = op_begin(1);
    x = gb_graph_state(t.graph, "x", GB_F32, GB_SHAPE(3));
    op_mistake(&t, gb_op_lerp_into(t.graph, x, x, x), "amount is [3], expected one number");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adamw),
        cmocka_unit_test(test_lerp_and_assign),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_write_mistakes),
    };
    return cmocka_run_group_tests_name("tensor.op_update", tests, NULL, NULL);
}
