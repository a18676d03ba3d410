/* gradient_check.h: is the gradient of a graph right? A test builds a graph in a callback; the
 * check makes the scalar loss sum(output * fixed random weights), differentiates it, and compares
 * the gradient of every parameter with central differences (Richardson's two step widths, the sum
 * in double). It also asserts that output and gradients have the same bits on the calling thread
 * and on pools of 1 and 2 threads, and when values between checkpoints are recomputed.
 *
 *     static gb_value build(gb_graph *g, void *context)
 *     {
 *         gb_value x = gb_graph_parameter(g, "x", GB_SHAPE(3, 5), (gb_init){GB_INIT_NORMAL, 1});
 *         return gb_op_unary(g, GB_UNARY_SILU, x);
 *     }
 *     gradient_check_run(&(gradient_check){.build = build});
 *
 * Choose parameters away from kinks; `prepare` may overwrite them and fills inputs. */
#ifndef GENBA_TEST_GRADIENT_CHECK_H
#define GENBA_TEST_GRADIENT_CHECK_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "genba/op.h"

typedef struct gradient_check {
    gb_value (*build)(gb_graph *g, void *context); /* returns an f32 value of any shape */
    /* May be NULL. Called before each first run: fills inputs, may change parameters. */
    void (*prepare)(void *context, gb_tensors *weights, gb_exec *exec);
    void *context;
    gb_dtype compute;
    uint64_t seed;   /* of parameters and of the graph */
    float step;      /* of the differences; 0 means 2e-2 */
    float tolerance; /* of (difference - gradient) against the leaf's largest gradient; 0: 2e-3 */
    int samples;     /* elements tried in each parameter; 0 means 12 */
} gradient_check;

#define GRADIENT_OK(call)                                                                          \
    do {                                                                                           \
        if ((call) != GB_OK)                                                                       \
            fail_msg("%s: %s", #call, gb_error_message());                                         \
    } while (0)

/* One way of running the graph: its own graph, plan, state and exec; the weights are shared. */
typedef struct gradient_run {
    gb_graph *graph;
    gb_plan *plan;
    gb_pool *pool;
    gb_tensors *state;
    gb_exec *exec;
    int64_t parameters;
} gradient_run;

static inline const char *gradient_name(int64_t index, char name[48])
{
    snprintf(name, 48, "check.gradient.%lld", (long long)index);
    return name;
}

static inline void
gradient_graph(const gradient_check *check, bool differentiate, bool recompute, gb_graph **out)
{
    gb_graph *g;
    GRADIENT_OK(
        gb_graph_create((gb_graph_options){.compute = check->compute, .seed = check->seed}, &g));
    gb_value y = check->build(g, check->context);
    GRADIENT_OK(gb_graph_status(g));
    gb_value weights = gb_graph_input(g, "check.weights", GB_F32, gb_value_shape(g, y));
    gb_value loss = gb_op_sum_all(g, gb_op_mul(g, y, weights));
    gb_graph_output(g, "check.y", gb_op_affine(g, y, 1, 0));
    if (differentiate)
        GRADIENT_OK(gb_graph_backward(g, loss, recompute));
    for (int64_t i = 0; differentiate && gb_graph_parameter_at(g, i) != GB_NONE; i++) {
        char name[48];
        gb_value gradient = gb_graph_gradient(g, gb_graph_parameter_at(g, i));
        if (gradient != GB_NONE)
            gb_graph_output(g, gradient_name(i, name), gb_op_affine(g, gradient, 1, 0));
    }
    GRADIENT_OK(gb_graph_status(g));
    *out = g;
}

static inline gradient_run gradient_begin(
    const gradient_check *check, int threads, bool differentiate, bool recompute, gb_tensors *set)
{
    gradient_run r = {0};
    gradient_graph(check, differentiate, recompute, &r.graph);
    while (gb_graph_parameter_at(r.graph, r.parameters) != GB_NONE)
        r.parameters++;
    GRADIENT_OK(gb_graph_init_parameters(r.graph, check->seed, set));
    GRADIENT_OK(gb_tensors_create(&r.state));
    GRADIENT_OK(gb_graph_init_state(r.graph, r.state));
    if (threads > 0)
        GRADIENT_OK(gb_pool_create(threads, &r.pool));
    GRADIENT_OK(gb_plan_create(r.graph, threads > 0 ? threads : 1, &r.plan));
    gb_exec_options options = {.pool = r.pool, .weights = set, .state = r.state};
    GRADIENT_OK(gb_exec_create(r.plan, options, &r.exec));
    gb_tensor w = gb_exec_tensor(r.exec, "check.weights");
    gb_random_fill_normal(check->seed, 77, 0, w.data, (size_t)gb_shape_count(&w.shape));
    if (check->prepare)
        check->prepare(check->context, set, r.exec);
    gb_exec_run(r.exec);
    return r;
}

static inline void gradient_end(gradient_run *r)
{
    gb_exec_destroy(r->exec);
    gb_plan_destroy(r->plan);
    gb_pool_destroy(r->pool);
    gb_tensors_destroy(r->state);
    gb_graph_destroy(r->graph);
}

/* The loss of the last run, in double. */
static inline double gradient_loss(const gradient_run *r)
{
    gb_tensor y = gb_exec_tensor(r->exec, "check.y"), w = gb_exec_tensor(r->exec, "check.weights");
    double loss = 0;
    for (int64_t i = 0; i < gb_shape_count(&y.shape); i++)
        loss += (double)((float *)y.data)[i] * (double)((float *)w.data)[i];
    return loss;
}

static inline double gradient_difference(gradient_run *r, float *x, float step)
{
    float kept = *x;
    double slope[2];
    for (int i = 0; i < 2; i++) {
        float half = i == 0 ? step : step / 2;
        *x = kept + half;
        float above = *x;
        gb_exec_run(r->exec);
        double up = gradient_loss(r);
        *x = kept - half;
        gb_exec_run(r->exec);
        slope[i] = (up - gradient_loss(r)) / ((double)above - (double)*x);
    }
    *x = kept;
    return (4 * slope[1] - slope[0]) / 3;
}

static inline void gradient_compare(const gradient_check *check,
                                    const gradient_run *backward,
                                    gradient_run *forward,
                                    int64_t index,
                                    gb_tensors *set)
{
    char name[48];
    const char *leaf =
        gb_value_name(backward->graph, gb_graph_parameter_at(backward->graph, index));
    gb_tensor g = gb_exec_tensor(backward->exec, gradient_name(index, name));
    if (!g.data) {
        fail_msg("parameter %s has no gradient", leaf);
        return;
    }
    float *x = gb_tensors_find(set, leaf)->data;
    const float *gradient = g.data;
    int64_t count = gb_shape_count(&g.shape), samples = check->samples ? check->samples : 12;
    double largest = 0, tolerance = check->tolerance > 0 ? (double)check->tolerance : 2e-3;
    for (int64_t i = 0; i < count; i++)
        largest = fmax(largest, fabs((double)gradient[i]));
    for (int64_t k = 0; k < samples && k < count; k++) {
        int64_t i = count <= samples
                        ? k
                        : (int64_t)gb_random_below(check->seed, 78, (uint64_t)k, (uint64_t)count);
        double d = gradient_difference(forward, &x[i], check->step > 0 ? check->step : 2e-2f);
        if (!(fabs(d - (double)gradient[i]) <= tolerance * (largest + 0.02)))
            fail_msg("gradient of %s[%lld] is %.8g, differences say %.8g (largest %.3g)", leaf,
                     (long long)i, (double)gradient[i], d, largest);
    }
}

static inline void gradient_same(const gradient_run *a, const gradient_run *b, const char *what)
{
    for (int64_t i = -1; i < a->parameters; i++) {
        char name[48] = "check.y";
        gb_tensor x = gb_exec_tensor(a->exec, i < 0 ? name : gradient_name(i, name));
        gb_tensor y = gb_exec_tensor(b->exec, name);
        if (!x.data)
            continue;
        if (memcmp(x.data, y.data, gb_tensor_bytes(&x)) != 0)
            fail_msg("%s changes the bits of %s", what, name);
    }
}

static inline void gradient_check_run(const gradient_check *check)
{
    gb_tensors *set;
    GRADIENT_OK(gb_tensors_create(&set));
    gradient_run base = gradient_begin(check, 0, true, false, set);
    gradient_run forward = gradient_begin(check, 0, false, false, set);
    const struct {
        int threads;
        bool recompute;
        const char *what;
    } other[] = {{1, false, "a pool of 1 thread"},
                 {2, false, "a pool of 2 threads"},
                 {2, true, "recomputing"}};
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        gradient_run r = gradient_begin(check, other[i].threads, true, other[i].recompute, set);
        gradient_same(&base, &r, other[i].what);
        gradient_end(&r);
    }
    for (int64_t i = 0; i < base.parameters && check->compute == GB_F32; i++)
        gradient_compare(check, &base, &forward, i, set);
    gradient_end(&forward);
    gradient_end(&base);
    gb_tensors_destroy(set);
}

#endif
