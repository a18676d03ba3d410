/* Clipped AdamW steps with and without fusing: the same weights, fewer passes over memory. Naming
 * the intermediate values as outputs keeps a plan from fusing them. */
#include "tensor/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ROWS 37
#define COLUMNS 1021 /* more than one block, and a tail */

static gb_graph *build(bool shown)
{
    gb_graph *g;
    assert_int_equal(gb_graph_create((gb_graph_options){.compute = GB_F32}, &g), GB_OK);
    gb_shape shape = GB_SHAPE(ROWS, COLUMNS);
    gb_value x = gb_graph_input(g, "x", GB_F32, shape);
    gb_value step = gb_graph_input(g, "step", GB_I32, GB_SCALAR);
    gb_value rate = gb_graph_input(g, "rate", GB_F32, GB_SCALAR);
    gb_value w = gb_graph_parameter(g, "w", shape, (gb_init){GB_INIT_NORMAL, 1.0f});
    gb_value loss = gb_op_mean_all(g, gb_op_mul(g, gb_op_mul(g, w, w), x));
    assert_int_equal(gb_graph_backward(g, loss, false), GB_OK);
    gb_value gradient = gb_graph_gradient(g, w);
    gb_value square = gb_op_unary(g, GB_UNARY_SQUARE, gradient);
    gb_value norm = gb_op_unary(g, GB_UNARY_SQRT, gb_op_sum_all(g, square));
    gb_value scale = gb_op_div(g, gb_op_fill(g, GB_SCALAR, 1e-3f), norm);
    gb_value clipped = gb_op_mul(g, gradient, scale);
    gb_op_adamw(g, w, clipped, gb_graph_state(g, "m", GB_F32, shape),
                gb_graph_state(g, "v", GB_F32, shape), rate, step,
                (gb_adamw){.9f, .99f, 1e-8f, .01f, 1.0f});
    gb_graph_output(g, "norm", norm);
    if (shown) {
        gb_graph_output(g, "square", square);
        gb_graph_output(g, "clipped", clipped);
    }
    assert_int_equal(gb_graph_status(g), GB_OK);
    return g;
}

static gb_plan_report run(bool shown, int threads, float *norm, float *weights)
{
    gb_graph *g = build(shown);
    gb_plan *plan;
    gb_exec *exec;
    gb_pool *pool;
    gb_tensors *set, *state;
    assert_int_equal(gb_plan_create(g, threads, &plan), GB_OK);
    assert_int_equal(gb_pool_create(threads, &pool), GB_OK);
    assert_int_equal(gb_tensors_create(&set), GB_OK);
    assert_int_equal(gb_tensors_create(&state), GB_OK);
    assert_int_equal(gb_graph_init_parameters(g, 3, set), GB_OK);
    assert_int_equal(gb_graph_init_state(g, state), GB_OK);
    gb_exec_options options = {.pool = pool, .weights = set, .state = state};
    assert_int_equal(gb_exec_create(plan, options, &exec), GB_OK);
    gb_random_fill_normal(1, 2, 0, gb_exec_tensor(exec, "x").data, ROWS * COLUMNS);
    *(float *)gb_exec_tensor(exec, "rate").data = 1e-2f;
    for (int s = 1; s <= 5; s++) {
        *(int32_t *)gb_exec_tensor(exec, "step").data = s;
        gb_exec_run(exec);
        norm[s - 1] = *(float *)gb_exec_tensor(exec, "norm").data;
    }
    memcpy(weights, gb_tensors_find(set, "w")->data, sizeof(float) * ROWS * COLUMNS);
    gb_plan_report report = gb_plan_get_report(plan);
    gb_exec_destroy(exec);
    gb_tensors_destroy(set);
    gb_tensors_destroy(state);
    gb_pool_destroy(pool);
    gb_plan_destroy(plan);
    gb_graph_destroy(g);
    return report;
}

static void test_same_weights_fewer_passes(void **unused)
{
    (void)unused;
    static float plain[ROWS * COLUMNS], fused[ROWS * COLUMNS], threaded[ROWS * COLUMNS];
    float a[5], b[5], c[5];
    gb_plan_report shown = run(true, 1, a, plain), hidden = run(false, 1, b, fused);
    (void)run(false, 3, c, threaded);
    assert_memory_equal(b, c, sizeof b);
    assert_memory_equal(fused, threaded, sizeof fused);
    for (int s = 0; s < 5; s++)
        assert_float_equal(a[s], b[s], 1e-5f * a[s]);
    for (int i = 0; i < ROWS * COLUMNS; i++)
        assert_float_equal(plain[i], fused[i], 1e-4);
    assert_int_equal(hidden.nodes, shown.nodes - 2);
    assert_true(hidden.bytes_moved + 4 * sizeof(float) * ROWS * COLUMNS <= shown.bytes_moved + 64);
    assert_true(hidden.workspace_bytes < shown.workspace_bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_weights_fewer_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
