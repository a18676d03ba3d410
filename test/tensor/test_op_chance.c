/* Operations of chance: dropout, random. What depends on what (seed, stream, step, index), shares
 * and moments over many draws, gradients, mistakes. */
#include "tensor/gradient_check.h"
#include "tensor/op_fuzz.h"

static const gb_init normal = {GB_INIT_NORMAL, 1};

static void test_dropout(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < OP_CASES; i++) {
        op_test t = op_begin(i);
        gb_shape shape = i % 40 == 7 ? GB_SHAPE(41, 1009) : op_shape(i, 0, 13, 70);
        float probability = 0.1f + 0.8f * (float)(i % 7) / 7;
        gb_value x = gb_graph_input(t.graph, "x", GB_F32, shape);
        gb_value step = gb_graph_input(t.graph, "step", GB_I32, GB_SCALAR);
        gb_graph_output(t.graph, "y", gb_op_dropout(t.graph, x, probability, step));
        op_ready(&t, (int)(i % 3));
        const float *xs = op_normal(&t, "x", i, 2), *y = op_data(&t, "y");
        *(int32_t *)op_data(&t, "step") = (int32_t)i;
        gb_exec_run(t.exec);
        int64_t count = gb_shape_count(&shape), dropped = 0;
        for (int64_t k = 0; k < count; k++)
            if (y[k] == 0)
                dropped++;
            else
                op_close(y[k], (double)xs[k] / (1 - (double)probability),
                         fabs((double)xs[k]) / (1 - (double)probability), "dropout", k);
        double spread = sqrt((double)count * (double)(probability * (1 - probability)));
        assert_true(fabs((double)dropped - (double)count * (double)probability) < 5 * spread + 1);
        op_end(&t);
    }
}

/* What one graph draws at a step: [0] dropout of ones, [1] normal, [2] uniform, [3] a second
 * normal. */
static void draw(uint64_t seed, int32_t step_number, int threads, float values[4][40000])
{
    op_test t = op_begin(seed);
    gb_shape shape = GB_SHAPE(200, 200);
    const char *const names[4] = {"dropout", "normal", "uniform", "second"};
    gb_value step = gb_graph_input(t.graph, "step", GB_I32, GB_SCALAR);
    gb_value ones = gb_op_fill(t.graph, shape, 1);
    gb_graph_output(t.graph, names[0], gb_op_dropout(t.graph, ones, 0.5f, step));
    gb_graph_output(t.graph, names[1], gb_op_random_normal(t.graph, shape, step));
    gb_graph_output(t.graph, names[2], gb_op_random_uniform(t.graph, shape, step));
    gb_graph_output(t.graph, names[3], gb_op_random_normal(t.graph, shape, step));
    op_ready(&t, threads);
    *(int32_t *)op_data(&t, "step") = step_number;
    gb_exec_run(t.exec);
    for (int k = 0; k < 4; k++)
        memcpy(values[k], op_data(&t, names[k]), sizeof values[k]);
    op_end(&t);
}

static double mean_of(const float *x, double about, int power)
{
    double sum = 0;
    for (int i = 0; i < 40000; i++)
        sum += pow((double)x[i] - about, power) / 40000;
    return sum;
}

static double correlation(const float *x, const float *y)
{
    double sum = 0;
    for (int i = 0; i < 40000; i++)
        sum += (double)x[i] * (double)y[i] / 40000;
    return sum;
}

static void test_draws(void **state)
{
    (void)state;
    static float first[4][40000], other[4][40000];
    draw(1, 5, 0, first);
    draw(1, 5, 2, other);
    assert_memory_equal(first, other, sizeof first);
    assert_true(fabs(mean_of(first[1], 0, 1)) < 0.02);
    assert_true(fabs(mean_of(first[1], 0, 2) - 1) < 0.03);
    assert_true(fabs(mean_of(first[2], 0, 1) - 0.5) < 0.01);
    assert_true(fabs(mean_of(first[2], 0.5, 2) - 1.0 / 12) < 0.005);
    for (int i = 0; i < 40000; i++)
        assert_true(first[2][i] >= 0 && first[2][i] < 1);
    assert_true(fabs(correlation(first[1], first[3])) < 0.03); /* nodes differ */
    draw(1, 6, 0, other);
    assert_true(fabs(correlation(first[1], other[1])) < 0.03); /* steps differ */
    assert_true(fabs(correlation(first[0], other[0]) - 1) < 0.05);
    draw(2, 5, 0, other);
    assert_true(fabs(correlation(first[1], other[1])) < 0.03); /* seeds differ */
    assert_true(fabs(correlation(first[0], other[0]) - 1) < 0.05);
}

static gb_value build_dropout(gb_graph *g, void *context)
{
    gb_shape shape = *(gb_shape *)context;
    gb_value x = gb_graph_parameter(g, "x", shape, normal);
    gb_value step = gb_graph_input(g, "step", GB_I32, GB_SCALAR);
    gb_value h = gb_op_mul(g, x, x);
    gb_graph_checkpoint(g, h);
    h = gb_op_dropout(g, h, 0.3f, step);
    h = gb_op_mul(g, h, h);
    h = gb_op_mul(g, h, gb_op_random_normal(g, shape, step));
    gb_graph_checkpoint(g, h); /* what lies between is recomputed: the same numbers must be drawn */
    return gb_op_unary(g, GB_UNARY_TANH, h);
}

static void prepare_step(void *context, gb_tensors *weights, gb_exec *exec)
{
    (void)context;
    (void)weights;
    *(int32_t *)gb_exec_tensor(exec, "step").data = 17;
}

static void test_gradients(void **state)
{
    (void)state;
    gb_shape shapes[] = {GB_SHAPE(6, 7), GB_SHAPE(2, 3, 33), GB_SHAPE(130, 400)};
    for (size_t s = 0; s < 3; s++)
        gradient_check_run(&(gradient_check){.build = build_dropout,
                                             .prepare = prepare_step,
                                             .context = &shapes[s],
                                             .seed = s,
                                             .step = 1e-2f,
                                             .samples = s == 2 ? 5 : 30});
}

static void test_mistakes(void **state)
{
    (void)state;
    op_test t = op_begin(1);
    gb_value x = gb_graph_input(t.graph, "x", GB_F32, GB_SHAPE(3));
    gb_value step = gb_graph_input(t.graph, "step", GB_I32, GB_SCALAR);
    assert_int_equal(gb_op_dropout(t.graph, x, 0, step), x);
    op_mistake(&t, gb_op_dropout(t.graph, x, 1, step), "probability 1");
    t = op_begin(1);
    x = gb_graph_input(t.graph, "x", GB_F32, GB_SHAPE(3));
    op_mistake(&t, gb_op_dropout(t.graph, x, 0.5f, x), "step is F32, expected I32");
    t = op_begin(1);
    step = gb_graph_input(t.graph, "step", GB_I32, GB_SHAPE(2));
    op_mistake(&t, gb_op_random_normal(t.graph, GB_SHAPE(2), step), "random_normal: step is [2]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dropout),
        cmocka_unit_test(test_draws),
        cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests_name("tensor.op_chance", tests, NULL, NULL);
}
