/* The same memory seen with another shape of as many elements. */
#include "tensor/graph.h"

#include <string.h>

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

static void copy_range(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    size_t element = gb_dtype_bytes(run->out.dtype);
    memcpy((char *)run->out.data + (size_t)begin * element,
           (const char *)run->in[0].data + (size_t)begin * element,
           (size_t)(end - begin) * element);
}

/* Only where the plan gave the view memory of its own. */
static void run_reshape(const gb_run *run)
{
    gb_run_ranges(run, gb_shape_count(&run->out.shape), 1, copy_range);
}

const gb_op_definition gb_op_definition_reshape = {
    .name = "reshape", .gradient = gradient, .run = run_reshape, .view = true};
