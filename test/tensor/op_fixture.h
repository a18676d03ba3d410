/* op_fixture.h: a small graph, built, planned and run by a test of an operation, and random numbers
 * for shapes and values. Differences: gradients against central differences of the same graph. */
#ifndef GENBA_TEST_OP_FIXTURE_H
#define GENBA_TEST_OP_FIXTURE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* after the standard headers it needs */
#include <cmocka.h>

#include "genba/op.h"

typedef struct fixture {
    gb_graph *g;
    gb_tensors *weights, *state;
    gb_plan *plan;
    gb_pool *pool;
    gb_exec *exec;
    uint64_t seed, next; /* of random numbers */
} fixture;

static inline fixture fixture_begin(uint64_t seed, gb_dtype compute)
{
    fixture f = {.seed = seed};
    assert_int_equal(gb_graph_create((gb_graph_options){compute, seed}, &f.g), GB_OK);
    assert_int_equal(gb_tensors_create(&f.weights), GB_OK);
    assert_int_equal(gb_tensors_create(&f.state), GB_OK);
    return f;
}

/* Once the graph is built. */
static inline void fixture_ready(fixture *f, int threads)
{
    if (gb_graph_status(f->g) != GB_OK)
        fail_msg("seed %llu: %s", (unsigned long long)f->seed, gb_error_message());
    assert_int_equal(gb_graph_init_parameters(f->g, f->seed, f->weights), GB_OK);
    assert_int_equal(gb_graph_init_state(f->g, f->state), GB_OK);
    if (gb_plan_create(f->g, threads, &f->plan) != GB_OK)
        fail_msg("plan: %s", gb_error_message());
    assert_int_equal(gb_pool_create(threads, &f->pool), GB_OK);
    gb_exec_options options = {.pool = f->pool, .weights = f->weights, .state = f->state};
    if (gb_exec_create(f->plan, options, &f->exec) != GB_OK)
        fail_msg("exec: %s", gb_error_message());
}

static inline void fixture_end(fixture *f)
{
    gb_exec_destroy(f->exec);
    gb_pool_destroy(f->pool);
    gb_plan_destroy(f->plan);
    gb_tensors_destroy(f->state);
    gb_tensors_destroy(f->weights);
    gb_graph_destroy(f->g);
}

static inline gb_tensor fixture_tensor(const fixture *f, const char *name)
{
    gb_tensor t = gb_exec_tensor(f->exec, name);
    if (!t.data)
        fail_msg("no tensor %s", name);
    return t;
}

static inline float *fixture_data(const fixture *f, const char *name)
{
    return fixture_tensor(f, name).data;
}

/* Uniform in [low, high]. */
static inline int64_t pick(fixture *f, int64_t low, int64_t high)
{
    return low + (int64_t)gb_random_below(f->seed, 1, f->next++, (uint64_t)(high - low + 1));
}

/* Standard normal numbers into an input. */
static inline void fill_normal(fixture *f, const char *name)
{
    gb_tensor t = fixture_tensor(f, name);
    size_t count = (size_t)gb_shape_count(&t.shape);
    gb_random_fill_normal(f->seed, 2, f->next, t.data, count);
    f->next += count;
}

static inline void assert_near(
    const float *got, const float *expected, int64_t count, double tolerance, const char *what)
{
    for (int64_t i = 0; i < count; i++) {
        double bound = tolerance * (1.0 + fabs((double)expected[i]));
        if (!(fabs((double)got[i] - (double)expected[i]) <= bound))
            fail_msg("%s: element %lld is %.8g, expected %.8g", what, (long long)i, (double)got[i],
                     (double)expected[i]);
    }
}

/* Adds outputs "out" = value, an input "r" of its shape, and d sum(r out) / d input as outputs
 * "d_<input>" for the named inputs. Before fixture_ready. */
static inline void
fixture_differentiate(fixture *f, gb_value out, const char *const *names, int count)
{
    if (gb_graph_status(f->g) != GB_OK)
        fail_msg("seed %llu: %s", (unsigned long long)f->seed, gb_error_message());
    gb_graph_output(f->g, "out", out);
    gb_value r = gb_graph_input(f->g, "r", GB_F32, gb_value_shape(f->g, out));
    gb_value loss = gb_op_sum_all(f->g, gb_op_mul(f->g, out, r));
    for (int i = 0; i < count; i++)
        gb_graph_require_gradient(f->g, gb_graph_find(f->g, names[i]));
    if (gb_graph_backward(f->g, loss, false) != GB_OK)
        fail_msg("backward: %s", gb_error_message());
    for (int i = 0; i < count; i++) {
        char name[64];
        snprintf(name, sizeof name, "d_%s", names[i]);
        gb_value gradient = gb_graph_gradient(f->g, gb_graph_find(f->g, names[i]));
        assert_int_not_equal(gradient, GB_NONE);
        gb_graph_output(f->g, name, gradient);
    }
}

static inline double fixture_loss(const fixture *f)
{
    gb_exec_run(f->exec);
    gb_tensor out = fixture_tensor(f, "out"), r = fixture_tensor(f, "r");
    double sum = 0.0;
    for (int64_t i = 0; i < gb_shape_count(&out.shape); i++)
        sum += (double)((float *)out.data)[i] * (double)((float *)r.data)[i];
    return sum;
}

/* Compares up to `samples` elements of d_<name> with central differences of width 2 h. */
static inline void
check_differences(fixture *f, const char *name, int samples, float h, double tolerance)
{
    char gradient_name[64];
    snprintf(gradient_name, sizeof gradient_name, "d_%s", name);
    gb_tensor x = fixture_tensor(f, name), d = fixture_tensor(f, gradient_name);
    int64_t count = gb_shape_count(&x.shape);
    float *value = x.data;
    for (int s = 0; s < samples && s < count; s++) {
        int64_t i = count <= samples ? s : pick(f, 0, count - 1);
        float kept = value[i], up = kept + h, down = kept - h;
        value[i] = up;
        double above = fixture_loss(f);
        value[i] = down;
        double below = fixture_loss(f);
        value[i] = kept;
        double expected = (above - below) / ((double)up - (double)down);
        fixture_loss(f);
        double got = (double)((float *)d.data)[i];
        if (!(fabs(got - expected) <= tolerance * (1.0 + fabs(expected))))
            fail_msg("seed %llu: gradient of %s[%lld] is %.8g, differences give %.8g",
                     (unsigned long long)f->seed, name, (long long)i, got, expected);
    }
}

/* The graph's mistake is `status` and its message holds `words`. Ends the fixture. */
static inline void assert_mistake(fixture *f, gb_status status, const char *words)
{
    assert_int_equal(gb_graph_status(f->g), status);
    if (!strstr(gb_error_message(), words))
        fail_msg("message \"%s\" lacks \"%s\"", gb_error_message(), words);
    fixture_end(f);
}

#endif
