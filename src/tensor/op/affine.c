/* y = scale x + offset with host numbers. attr: f[0] scale, f[1] offset. */
#include "tensor/graph.h"

gb_value gb_op_affine(gb_graph *g, gb_value x, float scale, float offset)
{
    if (!gb_graph_usable(g, "affine", 1, &x))
        return GB_NONE;
    if (gb_value_dtype(g, x) != GB_F32)
        return gb_graph_mistake(g, GB_ERR_SHAPE, "affine: the operand must be f32");
    return gb_graph_append(g, GB_OP_AFFINE, GB_F32, gb_value_shape(g, x), 1, &x,
                           &(gb_attr){.f = {scale, offset}});
}

static void gradient(gb_graph *g, const gb_grad *grad)
{
    gb_grad_add(g, grad, 0, gb_op_affine(g, grad->grad_out, grad->node->attr.f[0], 0.0f));
}

static void affine_range(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    const float *x = run->in[0].data;
    float *y = run->out.data;
    run->kernels->affine(end - begin, x + begin, run->node->attr.f[0], run->node->attr.f[1],
                         y + begin);
}

static void run_affine(const gb_run *run)
{
    gb_run_ranges(run, gb_shape_count(&run->out.shape), 1, affine_range);
}

const gb_op_definition gb_op_definition_affine = {
    .name = "affine", .gradient = gradient, .run = run_affine, .in_place = 1};
