/* target += amount (value - target), in place: an exponential moving average of weights. Operands:
 * target (a parameter or a state), value of its shape, amount (f32 scalar). */
#include "tensor/op/check.h"

gb_value gb_op_lerp_into(gb_graph *g, gb_value target, gb_value value, gb_value amount)
{
    gb_value operands[] = {target, value, amount};
    if (!gb_graph_usable(g, "lerp_into", 3, operands) ||
        !gb_check_leaf(g, "lerp_into", "target", target) ||
        !gb_check_dtype(g, "lerp_into", "target", target, GB_F32))
        return GB_NONE;
    gb_shape shape = gb_value_shape(g, target);
    if (!gb_check_tensor(g, "lerp_into", "value", value, GB_F32, shape) ||
        !gb_check_scalar(g, "lerp_into", "amount", amount, GB_F32))
        return GB_NONE;
    return gb_graph_append(g, GB_OP_LERP_INTO, GB_F32, shape, 3, operands, NULL);
}

static void lerp_range(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    run->kernels->lerp(end - begin, (float *)run->out.data + begin,
                       (const float *)run->in[1].data + begin, *(const float *)run->in[2].data);
}

static void run_lerp(const gb_run *run)
{
    gb_run_ranges(run, gb_shape_count(&run->out.shape), 1, lerp_range);
}

static uint64_t flops(const gb_node *node, const gb_shape *in)
{
    (void)in;
    return 3 * (uint64_t)gb_shape_count(&node->shape);
}

const gb_op_definition gb_op_definition_lerp_into = {
    .name = "lerp_into", .run = run_lerp, .flops = flops, .updates = 1};
