/* Building graphs: the first mistake is kept, leaves are shared by name, parameters start from
 * (seed, name). */
#include "tensor/graph.h"

#include <setjmp.h>
#include <stdio.h>
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

static void shapes_beyond_the_limits_are_refused(void **state)
{
    (void)state;
    const int64_t big = (int64_t)1 << 32, dims[7] = {1, 2, 3, 4, 5, 6, 7};
    const gb_shape wrong[] = {gb_shape_make(6, dims),
                              gb_shape_make(7, dims),
                              gb_shape_make(-1, dims),
                              GB_SHAPE(big, big),
                              GB_SHAPE(big, big, big, big, big),
                              GB_SHAPE(GB_COUNT_MAX, 2),
                              GB_SHAPE(3, 0),
                              GB_SHAPE(-2, -3)};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_false(gb_shape_valid(&wrong[i]));
        for (int how = 0; how < 4; how++) {
            gb_graph *g = new_graph();
            gb_value x = gb_graph_input(g, "x", GB_F32, GB_SHAPE(2, 3));
            gb_value y = how == 0   ? gb_graph_input(g, "y", GB_F32, wrong[i])
                         : how == 1 ? gb_op_reshape(g, x, wrong[i])
                         : how == 2 ? gb_op_broadcast(g, x, wrong[i])
                                    : gb_op_fill(g, wrong[i], 1);
            assert_int_equal(y, GB_NONE);
            assert_int_equal(gb_graph_status(g), GB_ERR_SHAPE);
            gb_graph_destroy(g);
        }
        gb_tensors *set;
        assert_int_equal(gb_tensors_create(&set), GB_OK);
        assert_int_equal(gb_tensors_add(set, "x", GB_F32, wrong[i], NULL), GB_ERR_SHAPE);
        assert_int_equal(gb_tensors_count(set), 0);
        gb_tensors_destroy(set);
    }
    char text[64];
    assert_string_equal(gb_shape_text(&wrong[0], text, sizeof text),
                        "[1, 2, 3, 4, 5, ... of rank 6]");
    assert_true(gb_shape_count(&wrong[4]) == INT64_MAX);
    assert_false(gb_shape_equal(&wrong[0], &wrong[1]));
}

static void wrong_kinds_and_types_are_refused(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        gb_graph *g = new_graph();
        gb_value x = gb_graph_input(g, "x", GB_F32, GB_SHAPE(2, 3));
        gb_value w = gb_graph_parameter(g, "w", GB_SHAPE(4, 3), (gb_init){0});
        gb_value half = gb_graph_input(g, "half", GB_BF16, GB_SHAPE(4));
        gb_value whole = gb_graph_input(g, "whole", GB_I32, GB_SHAPE(4));
        gb_value y = i == 0   ? gb_graph_input(g, "y", (gb_dtype)9, GB_SHAPE(2))
                     : i == 1 ? gb_op_cast(g, x, (gb_dtype)-1)
                     : i == 2 ? gb_op_linear(g, x, w, half)
                     : i == 3 ? gb_op_linear(g, x, w, whole)
                     : i == 4 ? gb_op_reduce(g, (gb_reduce)3, x, 0, 1)
                              : gb_op_reduce(g, GB_REDUCE_SUM, x, 1, INT32_MAX);
        assert_int_equal(y, GB_NONE);
        assert_int_not_equal(gb_graph_status(g), GB_OK);
        gb_graph_destroy(g);
    }
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

static void long_names_are_names(void **state)
{
    (void)state;
    char name[900], prefixed[904];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    snprintf(prefixed, sizeof prefixed, "a/%s", name);
    gb_tensors *to, *from;
    gb_tensor *a, *b;
    assert_int_equal(gb_tensors_create(&to), GB_OK);
    assert_int_equal(gb_tensors_create(&from), GB_OK);
    assert_int_equal(gb_tensors_add(to, name, GB_F32, GB_SCALAR, &a), GB_OK);
    assert_int_equal(gb_tensors_add(from, prefixed, GB_F32, GB_SCALAR, &b), GB_OK);
    *(float *)b->data = 5;
    assert_int_equal(gb_tensors_copy(to, from, "a/"), GB_OK);
    assert_true(*(float *)a->data == 5);
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
        cmocka_unit_test(shapes_beyond_the_limits_are_refused),
        cmocka_unit_test(wrong_kinds_and_types_are_refused),
        cmocka_unit_test(leaves_are_shared_by_name),
        cmocka_unit_test(parameters_start_from_seed_and_name),
        cmocka_unit_test(copies_check_all_before_writing),
        cmocka_unit_test(long_names_are_names),
        cmocka_unit_test(bf16_rounds_to_nearest_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
