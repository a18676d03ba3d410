/* y = exp(x - max) / sum exp(x - max) over the last axis. Operand: x; of the gradient: y, dy:
 * dx = y (dy - sum(dy y)). A row of nothing but -infinity has no softmax and gives NaN. */
#include "tensor/op/check.h"

gb_value gb_op_softmax(gb_graph *g, gb_value x)
{
    if (!gb_graph_usable(g, "softmax", 1, &x) || !gb_check_dtype(g, "softmax", "x", x, GB_F32))
        return GB_NONE;
    return gb_graph_append(g, GB_OP_SOFTMAX, GB_F32, gb_value_shape(g, x), 1, &x, NULL);
}

static void gradient(gb_graph *g, const gb_grad *grad)
{
    gb_value operands[] = {grad->out, grad->grad_out};
    gb_grad_add(
        g, grad, 0,
        gb_graph_append(g, GB_OP_SOFTMAX_GRAD, GB_F32, grad->node->shape, 2, operands, NULL));
}

static void softmax_rows(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    int64_t width = gb_last(&run->out.shape);
    for (int64_t row = begin; row < end; row++) {
        const float *x = (const float *)run->in[0].data + row * width;
        float *y = (float *)run->out.data + row * width;
        float sum = run->kernels->exp_shift_sum(width, x, run->kernels->max(width, x), y);
        run->kernels->affine(width, y, 1 / sum, 0, y);
    }
}

static void run_softmax(const gb_run *run)
{
    gb_run_ranges(run, gb_rows(&run->out.shape), gb_last(&run->out.shape), softmax_rows);
}

static void softmax_grad_rows(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    int64_t width = gb_last(&run->out.shape);
    for (int64_t row = begin; row < end; row++) {
        const float *y = (const float *)run->in[0].data + row * width;
        const float *dy = (const float *)run->in[1].data + row * width;
        run->kernels->normalise(width, dy, run->kernels->dot(width, dy, y), 1, y, NULL,
                                (float *)run->out.data + row * width);
    }
}

static void run_softmax_grad(const gb_run *run)
{
    gb_run_ranges(run, gb_rows(&run->out.shape), gb_last(&run->out.shape), softmax_grad_rows);
}

static uint64_t flops(const gb_node *node, const gb_shape *in)
{
    (void)in;
    return 5 * (uint64_t)gb_shape_count(&node->shape);
}

const gb_op_definition gb_op_definition_softmax = {
    .name = "softmax", .gradient = gradient, .run = run_softmax, .flops = flops, .in_place = 1};
const gb_op_definition gb_op_definition_softmax_grad = {
    .name = "softmax_grad", .run = run_softmax_grad, .flops = flops, .in_place = 1 | 2};
