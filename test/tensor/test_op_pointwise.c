/* Element-wise operations of graphs: values against plain double loops over fuzzed shapes,
 * gradients by finite differences, mistakes. */
#include "tensor/gradient_check.h"
#include "tensor/op_fuzz.h"

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double unary_of(gb_unary kind, double x)
{
    switch (kind) {
    case GB_UNARY_SILU:
        return x * sigmoid(x);
    case GB_UNARY_GELU:
        return 0.5 * x * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
    case GB_UNARY_RELU:
        return fmax(x, 0);
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
    case GB_UNARY_SQUARE:
        return x * x;
    case GB_UNARY_ABS:
        return fabs(x);
    case GB_UNARY_SOFTPLUS:
        return log1p(exp(x));
    case GB_UNARY_SIN:
        return sin(x);
    case GB_UNARY_COS:
        return cos(x);
    default:
        return 1 / x;
    }
}

/* Away from 0, and above it where the function needs that. */
static void make_safe(gb_unary kind, float *x, int64_t count)
{
    bool positive = kind == GB_UNARY_LOG || kind == GB_UNARY_SQRT;
    for (int64_t i = 0; i < count; i++) {
        float size = fabsf(x[i]) + 0.4f;
        x[i] = positive ? size : copysignf(size, x[i]);
    }
}

static void test_unary(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < OP_CASES; i++) {
        gb_unary kind = (gb_unary)(i % GB_UNARY_COUNT);
        op_test t = op_begin(1);
        gb_shape shape = op_shape(i, 0, 13, 70);
        if (i % 40 == 7) /* more than one part for the pool */
            shape = GB_SHAPE(41, 1009);
        gb_value x = gb_graph_input(t.graph, "x", GB_F32, shape);
        gb_graph_output(t.graph, "y", gb_op_unary(t.graph, kind, x));
        op_ready(&t, (int)(i % 3));
        int64_t count = gb_shape_count(&shape);
        float *in = op_normal(&t, "x", i, 2);
        make_safe(kind, in, count);
        gb_exec_run(t.exec);
        const float *y = op_data(&t, "y");
        for (int64_t k = 0; k < count; k++) {
            double expected = unary_of(kind, (double)in[k]);
            op_close(y[k], expected, fabs(expected) + 0.1, "unary", k);
        }
        op_end(&t);
    }
}

static gb_value build_unary(gb_graph *g, void *context)
{
    gb_value x = gb_graph_parameter(g, "x", GB_SHAPE(3, 17), (gb_init){GB_INIT_NORMAL, 1});
    return gb_op_unary(g, *(gb_unary *)context, x);
}

static void prepare_unary(void *context, gb_tensors *weights, gb_exec *exec)
{
    (void)exec;
    gb_tensor *x = gb_tensors_find(weights, "x");
    gb_random_fill_normal(4, 1, 0, x->data, 51);
    make_safe(*(gb_unary *)context, x->data, 51);
}

static void test_unary_gradient(void **state)
{
    (void)state;
    for (gb_unary kind = 0; kind < GB_UNARY_COUNT; kind++)
        gradient_check_run(&(gradient_check){
            .build = build_unary, .prepare = prepare_unary, .context = &kind, .samples = 51});
}

static void test_unary_mistakes(void **state)
{
    (void)state;
    op_test t = op_begin(1);
    gb_value x = gb_graph_input(t.graph, "x", GB_I32, GB_SHAPE(3));
    op_mistake(&t, gb_op_unary(t.graph, GB_UNARY_EXP, x), "unary: x is I32, expected F32");
    t = op_begin(1);
    x = gb_graph_input(t.graph, "x", GB_F32, GB_SHAPE(3));
    op_mistake(&t, gb_op_unary(t.graph, GB_UNARY_COUNT, x), "kind");
}

static void test_swiglu(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < OP_CASES; i++) {
        op_test t = op_begin(1);
        gb_shape shape = i % 40 == 7 ? GB_SHAPE(41, 514) : op_shape(i, 1, 13, 70), in = shape;
        int64_t width = shape.dim[shape.rank - 1], count = gb_shape_count(&shape);
        in.dim[in.rank - 1] *= 2;
        gb_value x = gb_graph_input(t.graph, "x", GB_F32, in);
        gb_graph_output(t.graph, "y", gb_op_swiglu(t.graph, x));
        op_ready(&t, (int)(i % 3));
        const float *xs = op_normal(&t, "x", i, 2);
        gb_exec_run(t.exec);
        const float *y = op_data(&t, "y");
        for (int64_t k = 0; k < count; k++) {
            const float *gate = xs + 2 * (k / width) * width + k % width;
            double expected = unary_of(GB_UNARY_SILU, (double)gate[0]) * (double)gate[width];
            op_close(y[k], expected, fabs(expected) + 0.1, "swiglu", k);
        }
        op_end(&t);
    }
}

static gb_value build_swiglu(gb_graph *g, void *context)
{
    (void)context;
    gb_value x = gb_graph_parameter(g, "x", GB_SHAPE(5, 2, 26), (gb_init){GB_INIT_NORMAL, 1});
    return gb_op_swiglu(g, x);
}

static void test_swiglu_gradient(void **state)
{
    (void)state;
    gradient_check_run(&(gradient_check){.build = build_swiglu, .samples = 60});
    op_test t = op_begin(1);
    gb_value x = gb_graph_input(t.graph, "x", GB_F32, GB_SHAPE(3, 5));
    op_mistake(&t, gb_op_swiglu(t.graph, x), "x is [3, 5]");
}

static void test_cast(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < OP_CASES; i++) {
        op_test t = op_begin(1);
        gb_shape shape = i % 40 == 7 ? GB_SHAPE(41, 1009) : op_shape(i, 0, 13, 70);
        gb_value x = gb_graph_input(t.graph, "x", GB_F32, shape);
        gb_value n = gb_graph_input(t.graph, "n", GB_I32, shape);
        gb_value half = gb_op_cast(t.graph, x, GB_BF16);
        gb_graph_output(t.graph, "half", half);
        gb_graph_output(t.graph, "back", gb_op_cast(t.graph, half, GB_F32));
        gb_graph_output(t.graph, "float", gb_op_cast(t.graph, n, GB_F32));
        assert_int_equal(gb_op_cast(t.graph, x, GB_F32), x);
        op_ready(&t, (int)(i % 3));
        const float *xs = op_normal(&t, "x", i, 2);
        int32_t *ns = op_data(&t, "n");
        int64_t count = gb_shape_count(&shape);
        for (int64_t k = 0; k < count; k++)
            ns[k] = (int32_t)gb_random_below(3, i, (uint64_t)k, 1 << 24) - (1 << 23);
        gb_exec_run(t.exec);
        for (int64_t k = 0; k < count; k++) {
            uint16_t expected = gb_bf16_from_f32(xs[k]);
            assert_int_equal(((uint16_t *)op_data(&t, "half"))[k], expected);
            assert_true(((float *)op_data(&t, "back"))[k] == gb_f32_from_bf16(expected));
            assert_true(((float *)op_data(&t, "float"))[k] == (float)ns[k]);
        }
        op_end(&t);
    }
    op_test t = op_begin(1);
    gb_value x = gb_graph_input(t.graph, "x", GB_F32, GB_SHAPE(3));
    op_mistake(&t, gb_op_cast(t.graph, x, GB_I32), "no cast from F32 to I32");
}

/* Through bf16 and back the gradient is that of the identity. */
static void test_cast_gradient(void **state)
{
    (void)state;
    op_test t = op_begin(1);
    gb_value x = gb_graph_parameter(t.graph, "x", GB_SHAPE(5), (gb_init){GB_INIT_NORMAL, 1});
    gb_value y = gb_op_cast(t.graph, gb_op_cast(t.graph, x, GB_BF16), GB_F32);
    OP_OK(gb_graph_backward(t.graph, gb_op_sum_all(t.graph, gb_op_mul(t.graph, y, y)), false));
    gb_graph_output(t.graph, "gradient",
                    gb_op_affine(t.graph, gb_graph_gradient(t.graph, x), 1, 0));
    op_ready(&t, 1);
    gb_exec_run(t.exec);
    const float *xs = gb_tensors_find(t.weights, "x")->data, *gradient = op_data(&t, "gradient");
    for (int i = 0; i < 5; i++)
        assert_true(gradient[i] == 2 * gb_f32_from_bf16(gb_bf16_from_f32(xs[i])));
    op_end(&t);
}

static void test_cumsum(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < OP_CASES; i++) {
        op_test t = op_begin(1);
        gb_shape shape = i % 40 == 7 ? GB_SHAPE(41, 1009) : op_shape(i, 0, 13, 70);
        int64_t width = shape.rank ? shape.dim[shape.rank - 1] : 1, count = gb_shape_count(&shape);
        gb_value x = gb_graph_input(t.graph, "x", GB_F32, shape);
        gb_graph_output(t.graph, "y", gb_op_cumsum(t.graph, x));
        op_ready(&t, (int)(i % 3));
        const float *xs = op_normal(&t, "x", i, 2), *y = op_data(&t, "y");
        gb_exec_run(t.exec);
        for (int64_t row = 0; row < count; row += width) {
            double sum = 0, size = 0;
            for (int64_t k = row; k < row + width; k++) {
                sum += (double)xs[k];
                size += fabs((double)xs[k]);
                op_close(y[k], sum, size, "cumsum", k);
            }
        }
        op_end(&t);
    }
}

static gb_value build_cumsum(gb_graph *g, void *context)
{
    (void)context;
    gb_value x = gb_graph_parameter(g, "x", GB_SHAPE(3, 2, 9), (gb_init){GB_INIT_NORMAL, 1});
    gb_value y = gb_op_cumsum(g, x);
    return gb_op_mul(g, y, y);
}

static void test_cumsum_gradient(void **state)
{
    (void)state;
    gradient_check_run(&(gradient_check){.build = build_cumsum, .samples = 60});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unary),           cmocka_unit_test(test_unary_gradient),
        cmocka_unit_test(test_unary_mistakes),  cmocka_unit_test(test_swiglu),
        cmocka_unit_test(test_swiglu_gradient), cmocka_unit_test(test_cast),
        cmocka_unit_test(test_cast_gradient),   cmocka_unit_test(test_cumsum),
        cmocka_unit_test(test_cumsum_gradient),
    };
    return cmocka_run_group_tests_name("tensor.op_pointwise", tests, NULL, NULL);
}
