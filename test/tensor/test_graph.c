/* Building graphs: the first mistake is kept, leaves are shared by name, parameters start from
 * (seed, name). */
#include "tensor/graph.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static gb_graph *new_graph(void)
{
    gb_graph *g;
    assert_int_equal(gb_graph_create((gb_graph_options){.compute = GB_F32}, &g), GB_OK);
    return g;
}

static void first_mistake_is_kept(void **state)
{
    (void)state;
    gb_graph *g = new_graph();
    gb_value x = gb_graph_input(g, "x", GB_F32, GB_SHAPE(4, 3));
    gb_value w = gb_graph_parameter(g, "w", GB_SHAPE(5, 7), (gb_init){0});
    gb_value y = gb_op_linear(g, x, w, GB_NONE);
    assert_int_equal(y, GB_NONE);
    assert_int_equal(gb_op_add(g, y, x), GB_NONE); /* a second one, not reported */
    assert_int_equal(gb_graph_status(g), GB_ERR_SHAPE);
    assert_non_null(strstr(gb_error_message(), "matmul: [4, 3] and [5, 7] transposed"));
    gb_plan *plan;
    assert_int_equal(gb_plan_create(g, 1, &plan), GB_ERR_SHAPE);
    gb_graph_destroy(g);
}

static void operands_must_be_values(void **state)
{
    (void)state;
    const gb_value wrong[] = {GB_NONE, -7, 1000};
    for (int i = 0; i < 3; i++) {
        gb_graph *g = new_graph();
        gb_value x = gb_graph_input(g, "x", GB_F32, GB_SHAPE(2));
        assert_int_equal(gb_op_add(g, x, wrong[i]), GB_NONE);
        assert_int_equal(gb_graph_status(g), GB_ERR_ARGUMENT);
        gb_graph_destroy(g);
    }
}

static void shapes_that_do_not_fit(void **state)
{
    (void)state;
    gb_graph *g = new_graph();
    gb_value a = gb_graph_input(g, "a", GB_F32, GB_SHAPE(2, 3));
    assert_int_equal(gb_op_reshape(g, a, GB_SHAPE(4)), GB_NONE);
    assert_int_equal(gb_graph_status(g), GB_ERR_SHAPE);
    assert_non_null(strstr(gb_error_message(), "[2, 3] cannot become [4]"));
    gb_graph_destroy(g);
    g = new_graph();
    a = gb_graph_input(g, "a", GB_F32, GB_SHAPE(2, 3));
    gb_op_broadcast(g, a, GB_SHAPE(3, 2));
    assert_int_equal(gb_graph_status(g), GB_ERR_SHAPE);
    gb_graph_destroy(g);
    g = new_graph();
    gb_graph_input(g, "zero", GB_F32, GB_SHAPE(2, 0));
    assert_int_equal(gb_graph_status(g), GB_ERR_SHAPE);
    gb_graph_destroy(g);
}

static void leaves_are_shared_by_name(void **state)
{
    (void)state;
    gb_graph *g = new_graph();
    gb_value a = gb_graph_parameter(g, "w", GB_SHAPE(3), (gb_init){0});
    assert_int_equal(a, gb_graph_parameter(g, "w", GB_SHAPE(3), (gb_init){0}));
    assert_int_equal(gb_graph_status(g), GB_OK);
    gb_graph_parameter(g, "w", GB_SHAPE(4), (gb_init){0});
    assert_int_equal(gb_graph_status(g), GB_ERR_SHAPE);
    gb_graph_destroy(g);
}

static void parameters_start_from_seed_and_name(void **state)
{
    (void)state;
    gb_tensors *first, *second;
    assert_int_equal(gb_tensors_create(&first), GB_OK);
    assert_int_equal(gb_tensors_create(&second), GB_OK);
    for (int order = 0; order < 2; order++) {
        gb_graph *g = new_graph();
        gb_init normal = {GB_INIT_NORMAL, 0.5f}, one = {GB_INIT_ONE, 0};
        if (order)
            gb_graph_parameter(g, "ones", GB_SHAPE(3), one);
        gb_graph_parameter(g, "w", GB_SHAPE(100, 100), normal);
        gb_graph_parameter(g, "ones", GB_SHAPE(3), one);
        assert_int_equal(gb_graph_init_parameters(g, 7, order ? second : first), GB_OK);
        gb_graph_destroy(g);
    }
    const gb_tensor *a = gb_tensors_find(first, "w"), *b = gb_tensors_find(second, "w");
    assert_memory_equal(a->data, b->data, gb_tensor_bytes(a));
    double sum = 0, squares = 0;
    for (int i = 0; i < 10000; i++) {
        double value = ((const float *)a->data)[i];
        sum += value;
        squares += value * value;
    }
    assert_true(sum / 10000 < 0.02 && sum / 10000 > -0.02);
    assert_true(squares / 10000 > 0.24 && squares / 10000 < 0.26);
    assert_true(((float *)gb_tensors_find(first, "ones")->data)[2] == 1.0f);
    gb_tensors_destroy(first);
    gb_tensors_destroy(second);
}

static void copies_check_all_before_writing(void **state)
{
    (void)state;
    gb_tensors *to, *from;
    gb_tensor *a, *b;
    assert_int_equal(gb_tensors_create(&to), GB_OK);
    assert_int_equal(gb_tensors_create(&from), GB_OK);
    assert_int_equal(gb_tensors_add(to, "a", GB_F32, GB_SHAPE(2), &a), GB_OK);
    assert_int_equal(gb_tensors_add(to, "b", GB_F32, GB_SHAPE(2), NULL), GB_OK);
    assert_int_equal(gb_tensors_add(to, "a", GB_F32, GB_SHAPE(2), NULL), GB_ERR_ARGUMENT);
    assert_int_equal(gb_tensors_add(from, "ema/a", GB_F32, GB_SHAPE(2), &b), GB_OK);
    ((float *)b->data)[0] = 5;
    assert_int_equal(gb_tensors_copy(to, from, "ema/"), GB_ERR_MISMATCH);
    assert_non_null(strstr(gb_error_message(), "ema/b"));
    assert_true(((float *)a->data)[0] == 0.0f);
    assert_int_equal(gb_tensors_add(from, "ema/b", GB_F32, GB_SHAPE(2), NULL), GB_OK);
    assert_int_equal(gb_tensors_copy(to, from, "ema/"), GB_OK);
    assert_true(((float *)a->data)[0] == 5.0f);
    gb_tensors_destroy(to);
    gb_tensors_destroy(from);
}

static void bf16_rounds_to_nearest_even(void **state)
{
    (void)state;
    assert_int_equal(gb_bf16_from_f32(1.0f), 0x3f80);
    assert_int_equal(gb_bf16_from_f32(1.00390625f), 0x3f80); /* half way: to even */
    assert_int_equal(gb_bf16_from_f32(1.01171875f), 0x3f82);
    assert_int_equal(gb_bf16_from_f32(3.4e38f), 0x7f80); /* overflows to infinity */
    assert_true(gb_f32_from_bf16(gb_bf16_from_f32(-2.5f)) == -2.5f);
    uint32_t bits = 0x7f800001u; /* a NaN whose payload is in the lower half */
    float nan;
    memcpy(&nan, &bits, 4);
    uint16_t rounded = gb_bf16_from_f32(nan);
    assert_true((rounded & 0x7f80) == 0x7f80 && (rounded & 0x7f) != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_mistake_is_kept),
        cmocka_unit_test(operands_must_be_values),
        cmocka_unit_test(shapes_that_do_not_fit),
        cmocka_unit_test(leaves_are_shared_by_name),
        cmocka_unit_test(parameters_start_from_seed_and_name),
        cmocka_unit_test(copies_check_all_before_writing),
        cmocka_unit_test(bf16_rounds_to_nearest_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
