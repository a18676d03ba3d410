/* The same memory seen with another shape of as many elements. */
#include "tensor/graph.h"

gb_value gb_op_reshape(gb_graph *g, gb_value x, gb_shape shape)
{
    if (!gb_graph_usable(g, "reshape", 1, &x))
        return GB_NONE;
    gb_shape from = gb_value_shape(g, x);
    char a[96], b[96];
    if (gb_shape_count(&from) != gb_shape_count(&shape))
        return gb_graph_mistake(g, GB_ERR_SHAPE, "reshape: %s cannot become %s",
                                gb_shape_text(&from, a, sizeof a),
                                gb_shape_text(&shape, b, sizeof b));
    if (gb_shape_equal(&from, &shape))
        return x;
    return gb_graph_append(g, GB_OP_RESHAPE, gb_value_dtype(g, x), shape, 1, &x, NULL);
}

static void gradient(gb_graph *g, const gb_grad *grad)
{
    gb_shape shape = gb_value_shape(g, grad->node->operand[0]);
    gb_grad_add(g, grad, 0, gb_op_reshape(g, grad->grad_out, shape));
}

const gb_op_definition gb_op_definition_reshape = {
    .name = "reshape", .gradient = gradient, .view = true};
