/* A tensor of random numbers, uniform in [0, 1) or standard normal: a function of graph seed, the
 * node's stream, step and index only. Operand: step (i32 scalar). attr: i[0] stream, i[1] 1 for
 * normal. Not differentiable. */
#include "tensor/op/chance.h"
#include "tensor/op/check.h"

static gb_value draw(gb_graph *g, const char *name, gb_shape shape, gb_value step, bool normal)
{
    if (!gb_graph_usable(g, name, 1, &step) || !gb_check_scalar(g, name, "step", step, GB_I32))
        return GB_NONE;
    gb_attr attr = {.i = {gb_graph_next_stream(g), normal}};
    return gb_graph_append(g, GB_OP_RANDOM, GB_F32, shape, 1, &step, &attr);
}

gb_value gb_op_random_normal(gb_graph *g, gb_shape shape, gb_value step)
{
    return draw(g, "random_normal", shape, step, true);
}

gb_value gb_op_random_uniform(gb_graph *g, gb_shape shape, gb_value step)
{
    return draw(g, "random_uniform", shape, step, false);
}

static void random_range(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    float *y = (float *)run->out.data + begin;
    uint64_t stream = gb_chance_stream(run, 0);
    if (run->node->attr.i[1])
        gb_random_fill_normal(run->seed, stream, (uint64_t)begin, y, (size_t)(end - begin));
    else
        gb_random_fill_uniform(run->seed, stream, (uint64_t)begin, y, (size_t)(end - begin));
}

static void run_random(const gb_run *run)
{
    gb_run_ranges(run, gb_shape_count(&run->out.shape), 1, random_range);
}

const gb_op_definition gb_op_definition_random = {.name = "random", .run = run_random};
