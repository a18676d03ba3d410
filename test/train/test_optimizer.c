/* The update part of a training graph against plain double arithmetic, and Muon's direction. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "train/optimizer.h"

enum {
    ROWS = 3,
    COLUMNS = 4,
    COUNT = ROWS * COLUMNS,
    STEPS = 5
};

/* loss = sum((w - target)^2) + sum(b^2): the gradient is 2 (w - target), 2 b. */
typedef struct toy {
    gb_plan *plan;
    gb_exec *exec;
    gb_tensors *weights, *state;
} toy;

static void make_toy(toy *t, const gb_train_config *config)
{
    gb_graph *g;
    assert_int_equal(gb_graph_create((gb_graph_options){GB_F32, 1}, &g), GB_OK);
    gb_init init = {GB_INIT_NORMAL, 1.0f};
    gb_value w = gb_graph_parameter(g, "hidden.w", GB_SHAPE(ROWS, COLUMNS), init);
    gb_value b = gb_graph_parameter(g, "hidden.bias", GB_SHAPE(COLUMNS), init);
    gb_value target = gb_graph_input(g, "target", GB_F32, GB_SHAPE(ROWS, COLUMNS));
    gb_value off = gb_op_sub(g, w, target);
    gb_value loss = gb_op_add(g, gb_op_sum_all(g, gb_op_mul(g, off, off)),
                              gb_op_sum_all(g, gb_op_mul(g, b, b)));
    gb_graph_output(g, "loss", loss);
    assert_int_equal(gb_graph_backward(g, loss, false), GB_OK);
    gb_status status = gb_append_updates(g, config);
    if (status != GB_OK)
        print_message("%s\n", gb_error_message());
    assert_int_equal(status, GB_OK);
    assert_int_equal(gb_plan_create(g, 1, &t->plan), GB_OK);
    assert_int_equal(gb_tensors_create(&t->weights), GB_OK);
    assert_int_equal(gb_tensors_create(&t->state), GB_OK);
    assert_int_equal(gb_graph_init_parameters(g, 3, t->weights), GB_OK);
    assert_int_equal(gb_graph_init_state(g, t->state), GB_OK);
    gb_exec_options options = {NULL, t->weights, t->state, false};
    assert_int_equal(gb_exec_create(t->plan, options, &t->exec), GB_OK);
    gb_graph_destroy(g);
}

static void close_toy(toy *t)
{
    gb_exec_destroy(t->exec);
    gb_plan_destroy(t->plan);
    gb_tensors_destroy(t->weights);
    gb_tensors_destroy(t->state);
}

static void run_toy(toy *t, int step, float rate, float average)
{
    *(int32_t *)gb_exec_tensor(t->exec, GB_INPUT_STEP).data = step;
    *(float *)gb_exec_tensor(t->exec, GB_INPUT_RATE).data = rate;
    gb_tensor average_in = gb_exec_tensor(t->exec, GB_INPUT_AVERAGE);
    if (average_in.data)
        *(float *)average_in.data = average;
    gb_exec_run(t->exec);
}

static const float *values(const gb_tensors *set, const char *name)
{
    const gb_tensor *tensor = gb_tensors_find(set, name);
    assert_non_null(tensor);
    return tensor->data;
}

/* One parameter as AdamW's authors write it (algorithm 2), in double. */
typedef struct reference {
    double p[COUNT], m[COUNT], v[COUNT], average[COUNT];
    int count;
} reference;

static void start_reference(reference *r, const float *from, int count)
{
    memset(r, 0, sizeof *r);
    r->count = count;
    for (int i = 0; i < count; i++)
        r->p[i] = (double)from[i];
}

static void adamw(reference *r,
                  const double *gradient,
                  const gb_train_config *c,
                  int step,
                  double rate,
                  double decay,
                  double average)
{
    const gb_optimizer_config *o = &c->optimizer;
    for (int i = 0; i < r->count; i++) {
        r->m[i] = o->beta1 * r->m[i] + (1.0 - o->beta1) * gradient[i];
        r->v[i] = o->beta2 * r->v[i] + (1.0 - o->beta2) * gradient[i] * gradient[i];
        double m = r->m[i] / (1.0 - pow(o->beta1, step)), v = r->v[i] / (1.0 - pow(o->beta2, step));
        r->p[i] -= rate * (m / (sqrt(v) + o->epsilon) + decay * r->p[i]);
        r->average[i] += average * (r->p[i] - r->average[i]);
    }
}

static void adamw_follows_the_paper(void **state)
{
    (void)state;
    gb_rate_scale scales[] = {{(char *)(uintptr_t) "bias", 0.5}};
    gb_train_config config = gb_train_config_defaults();
    config.optimizer.weight_decay = 0.1;
    config.clip = 1.5;
    config.rate_scales = scales;
    config.rate_scale_count = 1;
    toy t;
    make_toy(&t, &config);
    reference w, b;
    start_reference(&w, values(t.weights, "hidden.w"), COUNT);
    start_reference(&b, values(t.weights, "hidden.bias"), COLUMNS);
    float *target = gb_exec_tensor(t.exec, "target").data;
    for (int step = 1; step <= STEPS; step++) {
        double gw[COUNT], gb[COLUMNS], norm = 0.0;
        for (int i = 0; i < COUNT; i++)
            target[i] = gb_random_normal(4, (uint64_t)step, (uint64_t)i);
        for (int i = 0; i < COUNT; i++) {
            gw[i] = 2.0 * (w.p[i] - (double)target[i]);
            norm += gw[i] * gw[i];
        }
        for (int i = 0; i < COLUMNS; i++) {
            gb[i] = 2.0 * b.p[i];
            norm += gb[i] * gb[i];
        }
        double scale = fmin(1.0, config.clip / sqrt(norm)), rate = 0.1 / step, average = 0.3;
        for (int i = 0; i < COUNT; i++)
            gw[i] *= scale;
        for (int i = 0; i < COLUMNS; i++)
            gb[i] *= scale;
        adamw(&w, gw, &config, step, rate, 0.1, average);
        adamw(&b, gb, &config, step, 0.5 * rate, 0.0, average);
        run_toy(&t, step, (float)rate, (float)average);
        float got = *(const float *)gb_exec_tensor(t.exec, GB_OUTPUT_NORM).data;
        assert_float_equal(got, sqrt(norm), (float)(1e-4 * sqrt(norm)));
        for (int i = 0; i < COUNT; i++) {
            assert_float_equal(values(t.weights, "hidden.w")[i], w.p[i], 2e-5);
            assert_float_equal(values(t.state, "ema.hidden.w")[i], w.average[i], 2e-5);
        }
        for (int i = 0; i < COLUMNS; i++)
            assert_float_equal(values(t.weights, "hidden.bias")[i], b.p[i], 2e-5);
    }
    close_toy(&t);
}

static void groups_are_by_name_and_shape(void **state)
{
    (void)state;
    gb_shape matrix = GB_SHAPE(64, 64), vector = GB_SHAPE(64), narrow = GB_SHAPE(3, 64);
    assert_true(gb_is_decayed("block.0.ffn.weight", &matrix));
    assert_false(gb_is_decayed("block.0.ffn.bias", &vector));
    assert_false(gb_is_decayed("block.0.head_norm", &matrix));
    assert_true(gb_is_muon("backbone.0.ffn.weight", &matrix));
    assert_false(gb_is_muon("backbone.0.conv.weight", &narrow));
    assert_false(gb_is_muon("head.out.weight", &matrix));
    assert_false(gb_is_muon("codec.bytes", &matrix));
    assert_false(gb_is_trained("stats.mean"));
    assert_true(gb_is_trained("head.stats.mean"));
}

/* Singular values of the direction lie near 1: x x^T is near the identity (Newton-Schulz with
 * these numbers brings them into about .7 to 1.2). */
static void muon_directions_are_orthogonal(void **state)
{
    (void)state;
    for (int tall = 0; tall < 2; tall++) {
        int64_t rows = tall ? 40 : 16, columns = tall ? 16 : 40;
        gb_graph *g;
        gb_plan *plan;
        gb_exec *exec;
        assert_int_equal(gb_graph_create((gb_graph_options){GB_F32, 1}, &g), GB_OK);
        gb_value x = gb_graph_input(g, "x", GB_F32, GB_SHAPE(rows, columns));
        gb_value y = gb_append_orthogonal(g, x);
        gb_value gram = gb_op_matmul(g, y, tall, y, !tall);
        gb_graph_output(g, "gram", gram);
        assert_int_equal(gb_plan_create(g, 1, &plan), GB_OK);
        assert_int_equal(gb_exec_create(plan, (gb_exec_options){0}, &exec), GB_OK);
        gb_random_fill_normal(5, 1, 0, gb_exec_tensor(exec, "x").data, (size_t)(rows * columns));
        gb_exec_run(exec);
        const float *got = gb_exec_tensor(exec, "gram").data;
        double trace = 0.0, off = 0.0;
        for (int i = 0; i < 16; i++)
            for (int k = 0; k < 16; k++) {
                double value = (double)got[16 * i + k];
                trace += i == k ? value : 0.0;
                off = i == k ? off : fmax(off, fabs(value));
                if (i == k)
                    assert_true(value > 0.4 && value < 1.6);
            }
        assert_true(trace > 0.6 * 16.0 && trace < 1.2 * 16.0);
        assert_true(off < 0.35);
        gb_exec_destroy(exec);
        gb_plan_destroy(plan);
        gb_graph_destroy(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adamw_follows_the_paper),
        cmocka_unit_test(groups_are_by_name_and_shape),
        cmocka_unit_test(muon_directions_are_orthogonal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
