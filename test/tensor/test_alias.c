/* Leaves that are written in the middle of a run: what read them before keeps what it saw, in
 * views, recomputation and frozen weights, or the graph is refused. */
#include "tensor/op_fixture.h"

#define N 6

static const gb_init normal = {GB_INIT_NORMAL, 1};

/* A leaf w [2, 3] (parameter), assigned 10 times x in the run. */
static void a_view_keeps_what_the_leaf_was(void **state)
{
    (void)state;
    fixture f = fixture_begin(1, GB_F32);
    gb_value w = gb_graph_parameter(f.g, "w", GB_SHAPE(2, 3), normal);
    gb_value x = gb_graph_input(f.g, "x", GB_F32, GB_SHAPE(2, 3));
    gb_value flat = gb_op_reshape(f.g, w, GB_SHAPE(6));
    gb_value again = gb_op_reshape(f.g, flat, GB_SHAPE(3, 2)); /* a view of the view */
    gb_value before = gb_op_affine(f.g, flat, 1, 0);
    gb_op_assign(f.g, w, gb_op_affine(f.g, x, 10, 0));
    gb_graph_output(f.g, "before", before);
    gb_graph_output(f.g, "after", gb_op_affine(f.g, w, 1, 0));
    gb_graph_output(f.g, "flat", gb_op_affine(f.g, flat, 1, 0));
    gb_graph_output(f.g, "view", again);
    fixture_ready(&f, 1);
    float old[N];
    memcpy(old, gb_tensors_find(f.weights, "w")->data, sizeof old);
    fill_normal(&f, "x");
    gb_exec_run(f.exec);
    assert_memory_equal(fixture_data(&f, "before"), old, sizeof old);
    assert_memory_equal(fixture_data(&f, "flat"), old, sizeof old);
    assert_memory_equal(fixture_data(&f, "view"), old, sizeof old);
    for (int i = 0; i < N; i++)
        assert_true(fixture_data(&f, "after")[i] == 10 * fixture_data(&f, "x")[i]);
    fixture_end(&f);
}

/* adamw writes its states too. */
static void a_view_of_a_moment_keeps_what_it_was(void **state)
{
    (void)state;
    fixture f = fixture_begin(1, GB_F32);
    gb_value w = gb_graph_parameter(f.g, "w", GB_SHAPE(6), normal);
    gb_value m = gb_graph_state(f.g, "m", GB_F32, GB_SHAPE(6));
    gb_value v = gb_graph_state(f.g, "v", GB_F32, GB_SHAPE(6));
    gb_value rate = gb_graph_input(f.g, "rate", GB_F32, GB_SCALAR);
    gb_value step = gb_graph_input(f.g, "step", GB_I32, GB_SCALAR);
    gb_value x = gb_graph_input(f.g, "x", GB_F32, GB_SHAPE(6));
    gb_value view = gb_op_reshape(f.g, m, GB_SHAPE(2, 3));
    gb_op_adamw(f.g, w, x, m, v, rate, step, (gb_adamw){0.9f, 0.9f, 1e-6f, 0, 1});
    gb_graph_output(f.g, "view", view);
    fixture_ready(&f, 1);
    fill_normal(&f, "x");
    gb_exec_run(f.exec);
    for (int i = 0; i < N; i++) {
        assert_true(fixture_data(&f, "view")[i] == 0.0f);
        assert_true(((float *)gb_tensors_find(f.state, "m")->data)[i] != 0.0f);
    }
    fixture_end(&f);
}

/* What reads an update's result before the next update is not moved behind it. */
static void fusing_keeps_the_order_of_updates(void **state)
{
    (void)state;
    fixture f = fixture_begin(1, GB_F32);
    gb_value s = gb_graph_state(f.g, "s", GB_F32, GB_SHAPE(6));
    gb_value w = gb_graph_parameter(f.g, "w", GB_SHAPE(6), (gb_init){GB_INIT_ZERO, 0});
    gb_value m = gb_graph_state(f.g, "m", GB_F32, GB_SHAPE(6));
    gb_value v = gb_graph_state(f.g, "v", GB_F32, GB_SHAPE(6));
    gb_value x = gb_graph_input(f.g, "x", GB_F32, GB_SHAPE(6));
    gb_value rate = gb_graph_input(f.g, "rate", GB_F32, GB_SCALAR);
    gb_value step = gb_graph_input(f.g, "step", GB_I32, GB_SCALAR);
    gb_value first = gb_op_assign(f.g, s, x);
    gb_value squares = gb_op_unary(f.g, GB_UNARY_SQUARE, first);
    gb_value halved = gb_op_mul(f.g, first, gb_op_fill(f.g, GB_SCALAR, 0.5f));
    gb_op_assign(f.g, s, gb_op_affine(f.g, x, 0, 7));
    gb_graph_output(f.g, "norm", gb_op_sum_all(f.g, squares));
    gb_op_adamw(f.g, w, halved, m, v, rate, step, (gb_adamw){0, 0.5f, 1, 0, 1});
    fixture_ready(&f, 1);
    for (int i = 0; i < N; i++)
        fixture_data(&f, "x")[i] = 2;
    gb_exec_run(f.exec);
    assert_true(*fixture_data(&f, "norm") == 24.0f);
    assert_true(((float *)gb_tensors_find(f.state, "m")->data)[3] == 1.0f);
    fixture_end(&f);
}

static void an_overwritten_update_is_refused(void **state)
{
    (void)state;
    fixture f = fixture_begin(1, GB_F32);
    gb_value w = gb_graph_parameter(f.g, "w", GB_SHAPE(6), normal);
    gb_value x = gb_graph_input(f.g, "x", GB_F32, GB_SHAPE(6));
    gb_value first = gb_op_assign(f.g, w, x);
    gb_value second = gb_op_assign(f.g, w, gb_op_affine(f.g, first, 2, 0));
    gb_graph_output(f.g, "sum", gb_op_add(f.g, second, first));
    gb_plan *plan;
    assert_int_equal(gb_graph_status(f.g), GB_OK);
    assert_int_equal(gb_plan_create(f.g, 1, &plan), GB_ERR_ARGUMENT);
    assert_non_null(strstr(gb_error_message(), "assign gave w"));
    fixture_end(&f);
}

/* d (x s) / dx is what s was; s is written before the backward pass. A view of s is kept. */
static void a_gradient_that_needs_an_old_value_is_refused(void **state)
{
    (void)state;
    for (int viewed = 0; viewed < 2; viewed++) {
        fixture f = fixture_begin(1, GB_F32);
        gb_value x = gb_graph_parameter(f.g, "x", GB_SHAPE(2, 3), normal);
        gb_value s = gb_graph_state(f.g, "s", GB_F32, viewed ? GB_SHAPE(6) : GB_SHAPE(2, 3));
        gb_value seen = viewed ? gb_op_reshape(f.g, s, GB_SHAPE(2, 3)) : s;
        gb_value loss = gb_op_sum_all(f.g, gb_op_mul(f.g, x, seen));
        gb_op_assign(f.g, s, gb_op_affine(f.g, s, 2, 1));
        gb_status status = gb_graph_backward(f.g, loss, false);
        assert_int_equal(status, viewed ? GB_OK : GB_ERR_ARGUMENT);
        if (!viewed) {
            assert_non_null(strstr(gb_error_message(), "what s was before assign"));
            fixture_end(&f);
            continue;
        }
        gb_graph_output(f.g, "dx", gb_op_affine(f.g, gb_graph_gradient(f.g, x), 1, 0));
        fixture_ready(&f, 1);
        for (int run = 0, old = 0; run < 3; run++, old = 2 * old + 1) {
            gb_exec_run(f.exec);
            assert_true(fixture_data(&f, "dx")[5] == (float)old);
        }
        fixture_end(&f);
    }
}

/* A segment that may be dropped holds an update, convolution and attention over caches, dropout, a
 * random tensor and an output. Two runs leave the same bits as without recomputation. */
static gb_value forgetful_segment(gb_graph *g, gb_value x)
{
    gb_value step = gb_graph_input(g, "step", GB_I32, GB_SCALAR);
    gb_value amount = gb_graph_input(g, "amount", GB_F32, GB_SCALAR);
    gb_value kept = gb_graph_state(g, "kept", GB_F32, GB_SHAPE(1, 2, 8));
    gb_value rows = gb_graph_state(g, "rows", GB_F32, GB_SHAPE(1, 2, 8));
    gb_value cache = gb_graph_state(g, "cache", GB_F32, GB_SHAPE(1, 6, 2, 2));
    gb_value kernel = gb_graph_parameter(g, "kernel", GB_SHAPE(3, 8), normal);
    gb_value mean = gb_op_lerp_into(g, kept, x, amount);
    gb_value y = gb_op_dwconv_cached(g, mean, kernel, rows);
    y = gb_op_attention_cached(g, y, 2, 1, cache, step);
    gb_graph_output(g, "inside", gb_op_affine(g, y, 1, 0));
    return gb_op_dropout(g, gb_op_unary(g, GB_UNARY_EXP, y), 0.5f, step);
}

static fixture run_forgetful(bool recompute)
{
    fixture f = fixture_begin(1, GB_F32);
    gb_value x = gb_graph_input(f.g, "x", GB_F32, GB_SHAPE(1, 2, 8));
    gb_value in =
        gb_op_linear(f.g, x, gb_graph_parameter(f.g, "w", GB_SHAPE(8, 8), normal), GB_NONE);
    gb_graph_checkpoint(f.g, in);
    gb_value y = forgetful_segment(f.g, in);
    gb_value u = gb_graph_parameter(f.g, "u", GB_SHAPE(4, 4), normal);
    y = gb_op_unary(f.g, GB_UNARY_TANH, gb_op_linear(f.g, y, u, GB_NONE));
    y = gb_op_mul(f.g, y, gb_op_random_normal(f.g, GB_SHAPE(1, 2, 4), gb_graph_find(f.g, "step")));
    gb_graph_checkpoint(f.g, y);
    gb_value loss = gb_op_sum_all(f.g, gb_op_mul(f.g, y, y));
    assert_int_equal(gb_graph_backward(f.g, loss, recompute), GB_OK);
    gb_graph_output(f.g, "du", gb_op_affine(f.g, gb_graph_gradient(f.g, u), 1, 0));
    fixture_ready(&f, 2);
    fill_normal(&f, "x");
    *fixture_data(&f, "amount") = 0.25f;
    for (int i = 0; i < 2; i++) {
        *(int32_t *)fixture_tensor(&f, "step").data = 2 * i;
        gb_exec_run(f.exec);
    }
    return f;
}

static void recomputation_updates_once(void **state)
{
    (void)state;
    fixture a = run_forgetful(false), b = run_forgetful(true);
    assert_int_equal(gb_tensors_count(a.state), 3);
    for (int64_t i = 0; i < gb_tensors_count(a.state); i++) {
        const char *name;
        gb_tensor *t = gb_tensors_at(a.state, i, &name);
        assert_memory_equal(t->data, gb_tensors_find(b.state, name)->data, gb_tensor_bytes(t));
    }
    assert_memory_equal(fixture_data(&a, "inside"), fixture_data(&b, "inside"), 8 * sizeof(float));
    assert_memory_equal(fixture_data(&a, "du"), fixture_data(&b, "du"), 16 * sizeof(float));
    fixture_end(&a);
    fixture_end(&b);
}

/* Weights used as they are, transposed and with leading axes; m is written by adamw. */
static fixture run_products(bool frozen)
{
    fixture f = fixture_begin(1, GB_F32);
    const gb_shape square = GB_SHAPE(24, 24);
    gb_value x = gb_graph_input(f.g, "x", GB_F32, GB_SHAPE(3, 40, 24));
    gb_value w = gb_graph_parameter(f.g, "w", square, normal);
    gb_value deep = gb_graph_parameter(f.g, "deep", GB_SHAPE(3, 24, 24), normal);
    gb_value m = gb_graph_parameter(f.g, "m", square, normal);
    gb_value v = gb_graph_state(f.g, "v", GB_F32, square);
    gb_value moved = gb_graph_state(f.g, "moved", GB_F32, square);
    gb_value y =
        gb_op_add(f.g, gb_op_matmul(f.g, x, false, w, false), gb_op_matmul(f.g, x, false, w, true));
    y = gb_op_add(f.g, y, gb_op_matmul(f.g, x, false, deep, true));
    y = gb_op_matmul(f.g, x, true, y, false);
    gb_graph_output(f.g, "y", gb_op_matmul(f.g, y, false, m, true));
    gb_value rate = gb_graph_input(f.g, "rate", GB_F32, GB_SCALAR);
    gb_value step = gb_graph_input(f.g, "step", GB_I32, GB_SCALAR);
    gb_op_adamw(f.g, moved, w, m, v, rate, step, (gb_adamw){0.5f, 0.5f, 1, 0, 1});
    fixture_ready(&f, 3);
    gb_exec_options options = {
        .pool = f.pool, .weights = f.weights, .state = f.state, .frozen = frozen};
    gb_exec_destroy(f.exec);
    assert_int_equal(gb_exec_create(f.plan, options, &f.exec), GB_OK);
    fill_normal(&f, "x");
    for (int i = 0; i < 3; i++)
        gb_exec_run(f.exec);
    return f;
}

static void frozen_weights_that_are_written_stay_current(void **state)
{
    (void)state;
    fixture a = run_products(false), b = run_products(true);
    assert_near(fixture_data(&b, "y"), fixture_data(&a, "y"), 3 * 24 * 24, 1e-4, "frozen");
    fixture_end(&a);
    fixture_end(&b);
}

static void one_leaf_for_two_moments_is_refused(void **state)
{
    (void)state;
    fixture f = fixture_begin(1, GB_F32);
    gb_value w = gb_graph_parameter(f.g, "w", GB_SHAPE(6), normal);
    gb_value s = gb_graph_state(f.g, "s", GB_F32, GB_SHAPE(6));
    gb_value rate = gb_graph_input(f.g, "rate", GB_F32, GB_SCALAR);
    gb_value step = gb_graph_input(f.g, "step", GB_I32, GB_SCALAR);
    gb_op_adamw(f.g, w, w, s, s, rate, step, (gb_adamw){0.9f, 0.9f, 1e-6f, 0, 1});
    assert_mistake(&f, GB_ERR_ARGUMENT, "three leaves");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_view_keeps_what_the_leaf_was),
        cmocka_unit_test(a_view_of_a_moment_keeps_what_it_was),
        cmocka_unit_test(fusing_keeps_the_order_of_updates),
        cmocka_unit_test(an_overwritten_update_is_refused),
        cmocka_unit_test(a_gradient_that_needs_an_old_value_is_refused),
        cmocka_unit_test(recomputation_updates_once),
        cmocka_unit_test(frozen_weights_that_are_written_stay_current),
        cmocka_unit_test(one_leaf_for_two_moments_is_refused),
    };
    return cmocka_run_group_tests_name("tensor.alias", tests, NULL, NULL);
}
