/* A tensor of one number. attr: f[0] the number. */
#include "tensor/graph.h"

gb_value gb_op_fill(gb_graph *g, gb_shape shape, float value)
{
    return gb_graph_append(g, GB_OP_FILL, GB_F32, shape, 0, NULL, &(gb_attr){.f = {value}});
}

static void fill_range(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    float *y = run->out.data;
    for (int64_t i = begin; i < end; i++)
        y[i] = run->node->attr.f[0];
}

static void run_fill(const gb_run *run)
{
    gb_run_ranges(run, gb_shape_count(&run->out.shape), 1, fill_range);
}

const gb_op_definition gb_op_definition_fill = {.name = "fill", .run = run_fill};
