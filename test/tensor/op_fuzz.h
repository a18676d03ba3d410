/* op_fuzz.h: running a small graph in a test (begin, build on t.graph, ready, fill inputs, run,
 * read, end) and drawing shapes that have ones, odd sizes and vector tails. */
#ifndef GENBA_TEST_OP_FUZZ_H
#define GENBA_TEST_OP_FUZZ_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "genba/op.h"

enum {
    OP_CASES = 220
};

#define OP_OK(call)                                                                                \
    do {                                                                                           \
        if ((call) != GB_OK)                                                                       \
            fail_msg("%s: %s", #call, gb_error_message());                                         \
    } while (0)

typedef struct op_test {
    gb_graph *graph;
    gb_plan *plan;
    gb_pool *pool;
    gb_tensors *weights, *state;
    gb_exec *exec;
} op_test;

static inline op_test op_begin(uint64_t seed)
{
    op_test t = {0};
    OP_OK(gb_graph_create((gb_graph_options){.compute = GB_F32, .seed = seed}, &t.graph));
    return t;
}

/* Plans the graph for `threads` (0: no pool) and makes its buffers; parameters start by their rule.
 */
static inline void op_ready(op_test *t, int threads)
{
    OP_OK(gb_graph_status(t->graph));
    OP_OK(gb_tensors_create(&t->weights));
    OP_OK(gb_tensors_create(&t->state));
    OP_OK(gb_graph_init_parameters(t->graph, 9, t->weights));
    OP_OK(gb_graph_init_state(t->graph, t->state));
    if (threads > 0)
        OP_OK(gb_pool_create(threads, &t->pool));
    OP_OK(gb_plan_create(t->graph, threads > 0 ? threads : 1, &t->plan));
    gb_exec_options options = {.pool = t->pool, .weights = t->weights, .state = t->state};
    OP_OK(gb_exec_create(t->plan, options, &t->exec));
}

static inline void op_end(op_test *t)
{
    gb_exec_destroy(t->exec);
    gb_plan_destroy(t->plan);
    gb_pool_destroy(t->pool);
    gb_tensors_destroy(t->weights);
    gb_tensors_destroy(t->state);
    gb_graph_destroy(t->graph);
}

static inline void *op_data(const op_test *t, const char *name)
{
    gb_tensor tensor = gb_exec_tensor(t->exec, name);
    if (!tensor.data)
        fail_msg("the plan has no tensor %s", name);
    return tensor.data;
}

/* Standard normals times scale into an f32 input; returns its memory. */
static inline float *op_normal(const op_test *t, const char *name, uint64_t stream, float scale)
{
    gb_tensor tensor = gb_exec_tensor(t->exec, name);
    float *x = op_data(t, name);
    int64_t count = gb_shape_count(&tensor.shape);
    gb_random_fill_normal(21, stream, 0, x, (size_t)count);
    for (int64_t i = 0; i < count; i++)
        x[i] *= scale;
    return x;
}

/* A dimension of the i-th case: 1, then small, then odd sizes around vector widths up to `most`. */
static inline int64_t op_dimension(uint64_t i, uint64_t which, int64_t most)
{
    uint64_t choice = gb_random_below(31, which, 2 * i, 6);
    if (choice == 0)
        return 1;
    int64_t limit = choice < 4 && most > 20 ? 20 : most;
    return 1 + (int64_t)gb_random_below(31, which, 2 * i + 1, (uint64_t)limit);
}

/* A shape of rank lowest..4 whose last axis is at most `last` and whose others are at most `lead`.
 */
static inline gb_shape op_shape(uint64_t i, int lowest, int64_t lead, int64_t last)
{
    gb_shape shape = {.rank = lowest + (int)gb_random_below(31, 9, i, (uint64_t)(5 - lowest))};
    for (int k = 0; k < shape.rank; k++)
        shape.dim[k] = op_dimension(i, 10 + (uint64_t)k, k + 1 == shape.rank ? last : lead);
    return shape;
}

static inline void op_close(float y, double expected, double scale, const char *what, int64_t at)
{
    if (isnan(expected) ? isnan(y) : fabs((double)y - expected) <= 2e-6 * scale)
        return;
    fail_msg("%s[%lld] is %.9g, expected %.9g", what, (long long)at, (double)y, expected);
}

/* Asserts that building failed and that the message has `text` in it. */
static inline void op_mistake(op_test *t, gb_value value, const char *text)
{
    assert_int_equal(value, GB_NONE);
    assert_int_not_equal(gb_graph_status(t->graph), GB_OK);
    if (!strstr(gb_error_message(), text))
        fail_msg("the message \"%s\" lacks \"%s\"", gb_error_message(), text);
    op_end(t);
}

#endif
