/* x [..., 2F] = [gate, up] -> silu(gate) up [..., F] (Shazeer 2020, "GLU variants improve
 * transformer"). Operand: x; of the gradient: x, dy -> [dgate, dup]. */
#include "tensor/op/check.h"

gb_value gb_op_swiglu(gb_graph *g, gb_value x)
{
    if (!gb_graph_usable(g, "swiglu", 1, &x) || !gb_check_dtype(g, "swiglu", "x", x, GB_F32))
        return GB_NONE;
    gb_shape shape = gb_value_shape(g, x);
    char text[96];
    if (shape.rank < 1 || gb_last(&shape) % 2 != 0)
        return gb_graph_mistake(g, GB_ERR_SHAPE,
                                "swiglu: x is %s, expected a last axis of gate and up, both of F",
                                gb_shape_text(&shape, text, sizeof text));
    shape.dim[shape.rank - 1] /= 2;
    return gb_graph_append(g, GB_OP_SWIGLU, GB_F32, shape, 1, &x, NULL);
}

static void gradient(gb_graph *g, const gb_grad *grad)
{
    gb_value operands[] = {grad->node->operand[0], grad->grad_out};
    gb_shape shape = gb_value_shape(g, operands[0]);
    gb_grad_add(g, grad, 0,
                gb_graph_append(g, GB_OP_SWIGLU_GRAD, GB_F32, shape, 2, operands, NULL));
}

static void swiglu_rows(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    int64_t width = gb_last(&run->out.shape);
    for (int64_t row = begin; row < end; row++) {
        const float *gate = (const float *)run->in[0].data + 2 * row * width;
        run->kernels->swiglu(width, gate, gate + width, (float *)run->out.data + row * width);
    }
}

static void run_swiglu(const gb_run *run)
{
    gb_run_ranges(run, gb_rows(&run->out.shape), gb_last(&run->in[0].shape), swiglu_rows);
}

static void swiglu_grad_rows(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    int64_t width = gb_last(&run->in[1].shape);
    for (int64_t row = begin; row < end; row++) {
        const float *gate = (const float *)run->in[0].data + 2 * row * width;
        float *dgate = (float *)run->out.data + 2 * row * width;
        run->kernels->swiglu_grad(width, gate, gate + width,
                                  (const float *)run->in[1].data + row * width, dgate,
                                  dgate + width);
    }
}

static void run_swiglu_grad(const gb_run *run)
{
    gb_run_ranges(run, gb_rows(&run->out.shape), gb_last(&run->out.shape), swiglu_grad_rows);
}

static uint64_t flops(const gb_node *node, const gb_shape *in)
{
    (void)node;
    return 5 * (uint64_t)gb_shape_count(&in[0]) / 2;
}

const gb_op_definition gb_op_definition_swiglu = {
    .name = "swiglu", .gradient = gradient, .run = run_swiglu, .flops = flops};
const gb_op_definition gb_op_definition_swiglu_grad = {
    .name = "swiglu_grad", .run = run_swiglu_grad, .flops = flops, .in_place = 1};
