/* Losses: cross_entropy, mse and pinball. Values against plain double loops over fuzzed shapes,
 * gradients by finite differences, targets that do not count, mistakes. */
#include "tensor/gradient_check.h"
#include "tensor/op_fuzz.h"

static const gb_init normal = {GB_INIT_NORMAL, 1};

static double cross_entropy_of(int64_t rows, int64_t classes, const float *x, const int32_t *target)
{
    double loss = 0;
    int64_t counted = 0;
    for (int64_t row = 0; row < rows; row++, x += classes) {
        double sum = 0;
        if (target[row] < 0 || target[row] >= classes)
            continue;
        for (int64_t k = 0; k < classes; k++)
            sum += exp((double)x[k]);
        loss += log(sum) - (double)x[target[row]];
        counted++;
    }
    return counted ? loss / (double)counted : 0;
}

static void
fill_targets(int32_t *target, int64_t rows, int64_t classes, uint64_t stream, bool holes)
{
    for (int64_t i = 0; i < rows; i++) {
        target[i] = (int32_t)gb_random_below(8, stream, (uint64_t)i, (uint64_t)classes);
        if (holes && i % 3 == 1)
            target[i] = i % 2 ? -1 : (int32_t)classes; /* neither counts */
    }
}

static void test_cross_entropy(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < OP_CASES; i++) {
        op_test t = op_begin(1);
        gb_shape shape = i % 40 == 3 ? GB_SHAPE(301, 257) : op_shape(i, 1, 9, 150), lead = shape;
        lead.rank--;
        int64_t classes = shape.dim[shape.rank - 1], rows = gb_shape_count(&shape) / classes;
        gb_value x = gb_graph_input(t.graph, "x", GB_F32, shape);
        gb_value target = gb_graph_input(t.graph, "target", GB_I32, lead);
        gb_graph_output(t.graph, "y", gb_op_cross_entropy(t.graph, x, target));
        op_ready(&t, (int)(i % 3));
        const float *xs = op_normal(&t, "x", i, 3);
        fill_targets(op_data(&t, "target"), rows, classes, i, i % 2);
        gb_exec_run(t.exec);
        double expected = cross_entropy_of(rows, classes, xs, op_data(&t, "target"));
        op_close(*(float *)op_data(&t, "y"), expected, fabs(expected) + 1, "cross_entropy",
                 (int64_t)i);
        op_end(&t);
    }
}

static void test_nothing_counts(void **state)
{
    (void)state;
    op_test t = op_begin(1);
    gb_value x = gb_graph_parameter(t.graph, "x", GB_SHAPE(4, 5), normal);
    gb_value target = gb_graph_input(t.graph, "target", GB_I32, GB_SHAPE(4));
    gb_value loss = gb_op_cross_entropy(t.graph, x, target);
    gb_graph_output(t.graph, "loss", loss);
    OP_OK(gb_graph_backward(t.graph, loss, false));
    gb_graph_output(t.graph, "gradient", gb_graph_gradient(t.graph, x));
    op_ready(&t, 1);
    int32_t *targets = op_data(&t, "target");
    for (int i = 0; i < 4; i++)
        targets[i] = -1;
    gb_exec_run(t.exec);
    assert_true(*(float *)op_data(&t, "loss") == 0);
    const float *gradient = op_data(&t, "gradient");
    for (int i = 0; i < 20; i++)
        assert_true(gradient[i] == 0);
    op_end(&t);
}

static void test_mse(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < OP_CASES; i++) {
        op_test t = op_begin(1);
        gb_shape shape = i % 40 == 3 ? GB_SHAPE(301, 257) : op_shape(i, 0, 9, 150);
        int64_t count = gb_shape_count(&shape);
        gb_value p = gb_graph_input(t.graph, "p", GB_F32, shape), w = GB_NONE;
        gb_value target = gb_graph_input(t.graph, "target", GB_F32, shape);
        if (i % 2)
            w = gb_graph_input(t.graph, "w", GB_F32, shape);
        gb_graph_output(t.graph, "y", gb_op_mse(t.graph, p, target, w));
        op_ready(&t, (int)(i % 3));
        const float *ps = op_normal(&t, "p", i, 3), *ts = op_normal(&t, "target", i + 900, 3);
        const float *ws = i % 2 ? op_normal(&t, "w", i + 1800, 1) : NULL;
        gb_exec_run(t.exec);
        double expected = 0, size = 0;
        for (int64_t k = 0; k < count; k++) {
            double e = (double)ps[k] - (double)ts[k], w1 = ws ? (double)ws[k] : 1;
            expected += w1 * e * e / (double)count;
            size += fabs(w1) * e * e / (double)count;
        }
        op_close(*(float *)op_data(&t, "y"), expected, size, "mse", (int64_t)i);
        op_end(&t);
    }
}

static const float levels[9] = {0.5f, 0.1f, 0.9f, 0.01f, 0.25f, 0.75f, 0.99f, 0.05f, 0.6f};

static double
pinball_of(int64_t rows, int64_t count, const float *p, const float *target, const float *weight)
{
    double loss = 0;
    int64_t counted = 0;
    for (int64_t row = 0; row < rows; row++) {
        if (isnan(target[row]))
            continue;
        counted++;
        for (int64_t q = 0; q < count; q++) {
            double e = (double)target[row] - (double)p[row * count + q], level = (double)levels[q];
            loss += (weight ? (double)weight[row] : 1) * fmax(level * e, (level - 1) * e);
        }
    }
    return counted ? loss / (double)(counted * count) : 0;
}

static void test_pinball(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < OP_CASES; i++) {
        op_test t = op_begin(1);
        gb_shape lead = i % 40 == 3 ? GB_SHAPE(301, 57) : op_shape(i, 0, 9, 30), shape = lead;
        if (lead.rank == 4)
            lead.rank = --shape.rank;
        int count = 1 + (int)(i % 9);
        shape.dim[shape.rank++] = count;
        int64_t rows = gb_shape_count(&lead);
        gb_value p = gb_graph_input(t.graph, "p", GB_F32, shape), w = GB_NONE;
        gb_value target = gb_graph_input(t.graph, "target", GB_F32, lead);
        if (i % 2)
            w = gb_graph_input(t.graph, "w", GB_F32, lead);
        gb_graph_output(t.graph, "y", gb_op_pinball(t.graph, p, target, w, levels, count));
        op_ready(&t, (int)(i % 3));
        const float *ps = op_normal(&t, "p", i, 3), *ws = NULL;
        float *ts = op_normal(&t, "target", i + 900, 3);
        if (i % 2) {
            float *weights = op_normal(&t, "w", i + 1800, 1);
            for (int64_t k = 0; k < rows; k++)
                weights[k] = fabsf(weights[k]);
            ws = weights;
        }
        for (int64_t k = 0; k < rows && i % 3; k += 4)
            ts[k] = NAN;
        gb_exec_run(t.exec);
        double expected = pinball_of(rows, count, ps, ts, ws);
        op_close(*(float *)op_data(&t, "y"), expected, fabs(expected) + 0.1, "pinball", (int64_t)i);
        op_end(&t);
    }
}

/* ---- gradients ------------------------------------------------------------------------------- */
static gb_value build_cross_entropy(gb_graph *g, void *context)
{
    gb_shape shape = *(gb_shape *)context, lead = shape;
    lead.rank--;
    gb_value x = gb_graph_parameter(g, "x", shape, normal);
    gb_value target = gb_graph_input(g, "target", GB_I32, lead);
    return gb_op_affine(g, gb_op_cross_entropy(g, x, target), (float)gb_shape_count(&lead), 0);
}

static void prepare_cross_entropy(void *context, gb_tensors *weights, gb_exec *exec)
{
    (void)weights;
    gb_shape shape = *(gb_shape *)context;
    int64_t classes = shape.dim[shape.rank - 1];
    fill_targets(gb_exec_tensor(exec, "target").data, gb_shape_count(&shape) / classes, classes, 5,
                 true);
}

static gb_value build_mse(gb_graph *g, void *context)
{
    gb_shape shape = *(gb_shape *)context;
    float scale = (float)gb_shape_count(&shape);
    gb_value p = gb_graph_parameter(g, "p", shape, normal);
    gb_value target = gb_graph_parameter(g, "target", shape, normal);
    gb_value w = gb_graph_input(g, "w", GB_F32, shape);
    return gb_op_affine(
        g, gb_op_add(g, gb_op_mse(g, p, target, w), gb_op_mse(g, p, target, GB_NONE)), scale, 0);
}

static void prepare_mse(void *context, gb_tensors *weights, gb_exec *exec)
{
    (void)weights;
    gb_random_fill_normal(2, 2, 0, gb_exec_tensor(exec, "w").data,
                          (size_t)gb_shape_count((gb_shape *)context));
}

static gb_value build_pinball(gb_graph *g, void *context)
{
    gb_shape shape = *(gb_shape *)context, lead = shape;
    shape.dim[shape.rank++] = 5;
    gb_value p = gb_graph_parameter(g, "p", shape, normal);
    gb_value target = gb_graph_input(g, "target", GB_F32, lead);
    gb_value w = gb_graph_input(g, "w", GB_F32, lead);
    gb_value weighted = gb_op_pinball(g, p, target, w, levels, 5);
    gb_value both = gb_op_add(g, weighted, gb_op_pinball(g, p, target, GB_NONE, levels, 5));
    return gb_op_affine(g, both, 5 * (float)gb_shape_count(&lead), 0);
}

/* No prediction within 0.25 of its target, where the slope jumps; some targets do not count. */
static void prepare_pinball(void *context, gb_tensors *weights, gb_exec *exec)
{
    int64_t rows = gb_shape_count((gb_shape *)context);
    float *p = gb_tensors_find(weights, "p")->data, *w = gb_exec_tensor(exec, "w").data;
    float *target = gb_exec_tensor(exec, "target").data;
    gb_random_fill_normal(2, 3, 0, target, (size_t)rows);
    gb_random_fill_uniform(2, 4, 0, w, (size_t)rows);
    gb_random_fill_normal(2, 5, 0, p, (size_t)rows * 5);
    for (int64_t row = 0; row < rows; row++) {
        for (int64_t q = 0; q < 5; q++)
            p[row * 5 + q] = target[row] + copysignf(0.25f + fabsf(p[row * 5 + q]), p[row * 5 + q]);
        if (row % 3 == 1)
            target[row] = NAN;
    }
}

static void test_pinball_gradient(void **state)
{
    (void)state;
    gb_shape shapes[] = {GB_SHAPE(6, 7), GB_SHAPE(16), GB_SCALAR, GB_SHAPE(130, 70)};
    for (size_t s = 0; s < 4; s++)
        gradient_check_run(&(gradient_check){.build = build_pinball,
                                             .prepare = prepare_pinball,
                                             .context = &shapes[s],
                                             .step = s == 3 ? 0.2f : 0,
                                             .tolerance = s == 3 ? 2e-2f : 0,
                                             .samples = s == 3 ? 5 : 20});
}

static void test_gradients(void **state)
{
    (void)state;
    gb_shape shapes[] = {GB_SHAPE(6, 7), GB_SHAPE(16), GB_SHAPE(2, 3, 33), GB_SHAPE(130, 400)};
    for (size_t s = 0; s < 4; s++) {
        gradient_check check = {.context = &shapes[s],
                                .seed = 3 + s,
                                .samples = s == 3 ? 3 : 20,
                                .tolerance = s == 3 ? 2e-2f : 0}; /* a large sum in f32 */
        check.build = build_cross_entropy;
        check.prepare = prepare_cross_entropy;
        gradient_check_run(&check);
        check.build = build_mse;
        check.prepare = prepare_mse;
        check.step = s == 3 ? 0.5f : 0;
        gradient_check_run(&check);
    }
}

static void test_mistakes(void **state)
{
    (void)state;
    op_test t = op_begin(1);
    gb_value x = gb_graph_input(t.graph, "x", GB_F32, GB_SHAPE(3, 8));
    gb_value y = gb_graph_input(t.graph, "y", GB_I32, GB_SHAPE(3, 8));
    op_mistake(&t, gb_op_cross_entropy(t.graph, x, y), "target is [3, 8], expected [3]");
    t = op_begin(1);
    x = gb_graph_input(t.graph, "x", GB_F32, GB_SHAPE(3, 8));
    op_mistake(&t, gb_op_cross_entropy(t.graph, x, x), "target is F32, expected I32");
    t = op_begin(1);
    x = gb_graph_input(t.graph, "x", GB_F32, GB_SHAPE(3, 8));
    y = gb_graph_input(t.graph, "y", GB_F32, GB_SHAPE(3));
    op_mistake(&t, gb_op_mse(t.graph, x, y, GB_NONE), "target is [3], expected [3, 8]");
    t = op_begin(1);
    x = gb_graph_input(t.graph, "x", GB_F32, GB_SHAPE(3, 8));
    y = gb_graph_input(t.graph, "y", GB_F32, GB_SHAPE(3));
    op_mistake(&t, gb_op_pinball(t.graph, x, y, GB_NONE, levels, 7), "[3, 8] for 7 levels");
    t = op_begin(1);
    x = gb_graph_input(t.graph, "x", GB_F32, GB_SHAPE(3, 1));
    y = gb_graph_input(t.graph, "y", GB_F32, GB_SHAPE(3));
    op_mistake(&t, gb_op_pinball(t.graph, x, y, GB_NONE, (float[]){1}, 1), "level 0 is 1");
    t = op_begin(1);
    x = gb_graph_input(t.graph, "x", GB_F32, GB_SCALAR);
    y = gb_graph_input(t.graph, "y", GB_I32, GB_SCALAR);
    op_mistake(&t, gb_op_cross_entropy(t.graph, x, y), "logits are a scalar");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cross_entropy),
        cmocka_unit_test(test_nothing_counts),
        cmocka_unit_test(test_mse),
        cmocka_unit_test(test_pinball),
        cmocka_unit_test(test_pinball_gradient),
        cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests_name("tensor.op_loss", tests, NULL, NULL);
}
