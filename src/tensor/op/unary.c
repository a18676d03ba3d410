/* y[i] = f(x[i]) for the functions of gb_unary, and dx[i] = dy[i] f'(x[i]).
 * attr of both: i[0] the gb_unary kind. Operands of the gradient: x, dy. At the kinks of relu and
 * abs the derivative is 0. */
#include "tensor/op/check.h"

gb_value gb_op_unary(gb_graph *g, gb_unary kind, gb_value x)
{
    if (!gb_graph_usable(g, "unary", 1, &x) || !gb_check_dtype(g, "unary", "x", x, GB_F32))
        return GB_NONE;
    if ((unsigned)kind >= GB_UNARY_COUNT)
        return gb_graph_mistake(g, GB_ERR_ARGUMENT, "unary: kind %d, expected 0 to %d", (int)kind,
                                GB_UNARY_COUNT - 1);
    return gb_graph_append(g, GB_OP_UNARY, GB_F32, gb_value_shape(g, x), 1, &x,
                           &(gb_attr){.i = {kind}});
}

static void gradient(gb_graph *g, const gb_grad *grad)
{
    gb_value operands[] = {grad->node->operand[0], grad->grad_out};
    gb_grad_add(g, grad, 0,
                gb_graph_append(g, GB_OP_UNARY_GRAD, GB_F32, grad->node->shape, 2, operands,
                                &grad->node->attr));
}

static void unary_range(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    run->kernels->unary((gb_unary)run->node->attr.i[0], end - begin,
                        (const float *)run->in[0].data + begin, (float *)run->out.data + begin);
}

static void run_unary(const gb_run *run)
{
    gb_run_ranges(run, gb_shape_count(&run->out.shape), 1, unary_range);
}

static void unary_grad_range(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    const float *x = run->in[0].data, *dy = run->in[1].data;
    run->kernels->unary_grad((gb_unary)run->node->attr.i[0], end - begin, x + begin, dy + begin,
                             (float *)run->out.data + begin);
}

static void run_unary_grad(const gb_run *run)
{
    gb_run_ranges(run, gb_shape_count(&run->out.shape), 1, unary_grad_range);
}

const gb_op_definition gb_op_definition_unary = {
    .name = "unary", .gradient = gradient, .run = run_unary, .in_place = 1};
const gb_op_definition gb_op_definition_unary_grad = {
    .name = "unary_grad", .run = run_unary_grad, .in_place = 1 | 2};
