/* y[i] = x[0] + ... + x[i] over the last axis, or from the end: y[i] = x[i] + ... + x[n - 1].
 * Operand: x. attr: i[0] 1 from the end. The gradient of one direction is the other. */
#include "tensor/op/check.h"

static gb_value cumsum(gb_graph *g, gb_value x, bool from_end)
{
    return gb_graph_append(g, GB_OP_CUMSUM, GB_F32, gb_value_shape(g, x), 1, &x,
                           &(gb_attr){.i = {from_end}});
}

gb_value gb_op_cumsum(gb_graph *g, gb_value x)
{
    if (!gb_graph_usable(g, "cumsum", 1, &x) || !gb_check_dtype(g, "cumsum", "x", x, GB_F32))
        return GB_NONE;
    return cumsum(g, x, false);
}

static void gradient(gb_graph *g, const gb_grad *grad)
{
    gb_grad_add(g, grad, 0, cumsum(g, grad->grad_out, !grad->node->attr.i[0]));
}

static void cumsum_rows(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    int64_t width = gb_last(&run->out.shape);
    for (int64_t row = begin; row < end; row++) {
        const float *x = (const float *)run->in[0].data + row * width;
        float *y = (float *)run->out.data + row * width, sum = 0;
        if (run->node->attr.i[0])
            for (int64_t i = width - 1; i >= 0; i--)
                y[i] = sum += x[i];
        else
            for (int64_t i = 0; i < width; i++)
                y[i] = sum += x[i];
    }
}

static void run_cumsum(const gb_run *run)
{
    gb_run_ranges(run, gb_rows(&run->out.shape), gb_last(&run->out.shape), cumsum_rows);
}

const gb_op_definition gb_op_definition_cumsum = {
    .name = "cumsum", .gradient = gradient, .run = run_cumsum, .in_place = 1};
