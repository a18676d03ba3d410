/* Normalisations over the last axis: rmsnorm, layernorm, head_norm, softmax. Values against plain
 * double loops over fuzzed shapes, gradients by finite differences, mistakes. */
#include "tensor/gradient_check.h"
#include "tensor/op_fuzz.h"

static const gb_init normal = {GB_INIT_NORMAL, 1};

/* y[i] = (x[i] - mean) / sqrt(mean square about it + epsilon) w[i] + b[i]; centred: about the mean.
 */
static void
oracle(bool centred, int64_t n, const float *x, const float *w, const float *b, double *y)
{
    double mean = 0, square = 0;
    for (int64_t i = 0; i < n; i++)
        mean += centred ? (double)x[i] / (double)n : 0;
    for (int64_t i = 0; i < n; i++)
        square += ((double)x[i] - mean) * ((double)x[i] - mean) / (double)n;
    for (int64_t i = 0; i < n; i++)
        y[i] = ((double)x[i] - mean) / sqrt(square + (double)1e-5f) * (w ? (double)w[i] : 1) +
               (b ? (double)b[i] : 0);
}

static void check_rows(bool centred, uint64_t i, bool with_weight, bool with_bias)
{
    static double expected[8192];
    op_test t = op_begin(1);
    gb_shape shape = i % 40 == 3 ? GB_SHAPE(97, 391) : op_shape(i, 1, 9, 150);
    int64_t width = shape.dim[shape.rank - 1], rows = gb_shape_count(&shape) / width;
    gb_value x = gb_graph_input(t.graph, "x", GB_F32, shape), w = GB_NONE, b = GB_NONE;
    if (with_weight)
        w = gb_graph_input(t.graph, "w", GB_F32, GB_SHAPE(width));
    if (with_bias)
        b = gb_graph_input(t.graph, "b", GB_F32, GB_SHAPE(width));
    gb_graph_output(t.graph, "y",
                    centred ? gb_op_layernorm(t.graph, x, w, b, 1e-5f)
                            : gb_op_rmsnorm(t.graph, x, w, 1e-5f));
    op_ready(&t, (int)(i % 3));
    float *xs = op_normal(&t, "x", i, 1.5f);
    for (int64_t k = 0; k < rows * width; k++)
        xs[k] += 0.5f;
    const float *ws = with_weight ? op_normal(&t, "w", i + 1000, 1) : NULL;
    const float *bs = with_bias ? op_normal(&t, "b", i + 2000, 1) : NULL;
    gb_exec_run(t.exec);
    const float *y = op_data(&t, "y");
    for (int64_t row = 0; row < rows; row++) {
        oracle(centred, width, xs + row * width, ws, bs, expected);
        for (int64_t k = 0; k < width; k++) /* a row of nearly equal numbers loses digits */
            op_close(y[row * width + k], expected[k], fabs(expected[k]) + (width < 4 ? 20 : 2),
                     "norm", k);
    }
    op_end(&t);
}

static void test_rmsnorm(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < OP_CASES; i++)
        check_rows(false, i, i % 5 != 0, false);
}

static void test_layernorm(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < OP_CASES; i++)
        check_rows(true, i, i % 5 != 0, i % 7 != 0);
}

static void test_head_norm(void **state)
{
    (void)state;
    static double expected[512];
    for (uint64_t i = 0; i < OP_CASES; i++) {
        int64_t heads = 1 + (int64_t)(i % 5), kv = 1 + (int64_t)(i % 3);
        int64_t size = op_dimension(i, 1, 70), tokens = op_dimension(i, 2, 30);
        int64_t width = (heads + 2 * kv) * size;
        op_test t = op_begin(1);
        gb_value x =
            gb_graph_input(t.graph, "x", GB_F32, GB_SHAPE(1 + (int64_t)(i % 2), tokens, width));
        gb_value w = gb_graph_input(t.graph, "w", GB_F32, GB_SHAPE(2, size));
        gb_graph_output(t.graph, "y", gb_op_head_norm(t.graph, x, w, (int)heads, (int)kv, 1e-5f));
        op_ready(&t, (int)(i % 3));
        const float *xs = op_normal(&t, "x", i, 1.5f), *ws = op_normal(&t, "w", i + 500, 1);
        gb_exec_run(t.exec);
        const float *y = op_data(&t, "y");
        for (int64_t row = 0; row < tokens * (1 + (int64_t)(i % 2)); row++)
            for (int64_t h = 0; h < heads + 2 * kv; h++) {
                int64_t at = row * width + h * size;
                oracle(false, size, xs + at, h < heads ? ws : ws + size, NULL, expected);
                for (int64_t k = 0; k < size; k++)
                    if (h < heads + kv)
                        op_close(y[at + k], expected[k], fabs(expected[k]) + 1, "head_norm", k);
                    else
                        assert_true(y[at + k] == xs[at + k]);
            }
        op_end(&t);
    }
}

static void test_softmax(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < OP_CASES; i++) {
        op_test t = op_begin(1);
        gb_shape shape = i % 40 == 3 ? GB_SHAPE(97, 391) : op_shape(i, 1, 9, 150);
        int64_t width = shape.dim[shape.rank - 1], count = gb_shape_count(&shape);
        gb_value x = gb_graph_input(t.graph, "x", GB_F32, shape);
        gb_graph_output(t.graph, "y", gb_op_softmax(t.graph, x));
        op_ready(&t, (int)(i % 3));
        float *xs = op_normal(&t, "x", i, 4);
        if (i % 4 == 1)
            for (int64_t k = 0; k < count; k++)
                xs[k] = k % 3 == 1 && width > 2 ? -INFINITY : xs[k] + 300;
        gb_exec_run(t.exec);
        const float *y = op_data(&t, "y");
        for (int64_t row = 0; row < count; row += width) {
            double sum = 0, largest = -HUGE_VAL;
            for (int64_t k = 0; k < width; k++)
                largest = fmax(largest, (double)xs[row + k]);
            for (int64_t k = 0; k < width; k++)
                sum += exp((double)xs[row + k] - largest);
            for (int64_t k = 0; k < width; k++) {
                double expected = exp((double)xs[row + k] - largest) / sum;
                op_close(y[row + k], expected, expected, "softmax", k);
            }
        }
        op_end(&t);
    }
}

/* ---- gradients ------------------------------------------------------------------------------- */
static gb_value build_rmsnorm(gb_graph *g, void *context)
{
    gb_shape shape = *(gb_shape *)context;
    gb_value x = gb_graph_parameter(g, "x", shape, normal);
    gb_value w = gb_graph_parameter(g, "w", GB_SHAPE(shape.dim[shape.rank - 1]), normal);
    gb_value plain = gb_op_rmsnorm(g, x, GB_NONE, 1e-3f);
    return gb_op_mul(g, gb_op_rmsnorm(g, x, w, 1e-3f), plain);
}

static gb_value build_layernorm(gb_graph *g, void *context)
{
    gb_shape shape = *(gb_shape *)context, row = GB_SHAPE(shape.dim[shape.rank - 1]);
    gb_value x = gb_graph_parameter(g, "x", shape, normal);
    gb_value w = gb_graph_parameter(g, "w", row, normal);
    gb_value b = gb_graph_parameter(g, "b", row, normal);
    gb_value plain = gb_op_layernorm(g, x, GB_NONE, b, 0.1f);
    return gb_op_mul(g, gb_op_layernorm(g, x, w, GB_NONE, 0.1f), plain);
}

static gb_value build_softmax(gb_graph *g, void *context)
{
    gb_value x = gb_graph_parameter(g, "x", *(gb_shape *)context, normal);
    return gb_op_softmax(g, gb_op_affine(g, x, 1.5f, 0));
}

static gb_value build_head_norm(gb_graph *g, void *context)
{
    gb_shape shape = *(gb_shape *)context; /* the last axis is head_dim: 3 + 2 x 2 heads */
    int64_t size = shape.dim[shape.rank - 1];
    shape.dim[shape.rank - 1] = 7 * size;
    gb_value x = gb_graph_parameter(g, "x", shape, normal);
    gb_value w = gb_graph_parameter(g, "w", GB_SHAPE(2, size), normal);
    gb_value y = gb_op_head_norm(g, x, w, 3, 2, 1e-3f);
    return gb_op_mul(g, y, y);
}

static void test_gradients(void **state)
{
    (void)state;
    gb_value (*const builds[])(gb_graph *, void *) = {build_rmsnorm, build_layernorm, build_softmax,
                                                      build_head_norm};
    gb_shape shapes[] = {GB_SHAPE(5, 7), GB_SHAPE(16), GB_SHAPE(2, 3, 33), GB_SHAPE(130, 400)};
    for (size_t b = 0; b < 4; b++)
        for (size_t s = 0; s < 4; s++)
            gradient_check_run(&(gradient_check){.build = builds[b],
                                                 .context = &shapes[s],
                                                 .seed = 3 + s,
                                                 .samples = s == 3 ? 3 : 20});
}

static void test_mistakes(void **state)
{
    (void)state;
    op_test t = op_begin(1);
    gb_value x = gb_graph_input(t.graph, "x", GB_F32, GB_SHAPE(3, 8));
    gb_value w = gb_graph_input(t.graph, "w", GB_F32, GB_SHAPE(7));
    op_mistake(&t, gb_op_rmsnorm(t.graph, x, w, 1e-5f), "weight is [7], expected [8]");
    t = op_begin(1);
    x = gb_graph_input(t.graph, "x", GB_F32, GB_SHAPE(3, 8));
    op_mistake(&t, gb_op_layernorm(t.graph, x, GB_NONE, x, 1e-5f), "bias is [3, 8], expected [8]");
    t = op_begin(1);
    x = gb_graph_input(t.graph, "x", GB_F32, GB_SHAPE(3, 8));
    op_mistake(&t, gb_op_rmsnorm(t.graph, x, GB_NONE, -1), "epsilon");
    t = op_begin(1);
    x = gb_graph_input(t.graph, "x", GB_F32, GB_SHAPE(3, 8));
    op_mistake(&t, gb_op_head_norm(t.graph, x, x, 3, 1, 1e-5f), "3 query");
    t = op_begin(1);
    x = gb_graph_input(t.graph, "x", GB_I32, GB_SHAPE(3, 8));
    op_mistake(&t, gb_op_softmax(t.graph, x), "softmax: x is I32, expected F32");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rmsnorm),   cmocka_unit_test(test_layernorm),
        cmocka_unit_test(test_head_norm), cmocka_unit_test(test_softmax),
        cmocka_unit_test(test_gradients), cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests_name("tensor.op_norm", tests, NULL, NULL);
}
