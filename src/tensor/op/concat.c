/* Concatenation along one axis. Not for views: it always copies.
 *
 *     out[..., offset_p + i, ...] = part_p[..., i, ...],  offset_p = sum of the sizes before p
 *
 * attr: i[0] axis. Gradient: each part gets its slice of the gradient. */
#include <string.h>

#include "tensor/graph.h"

static bool parts_fit(gb_graph *g, const gb_value *parts, int count, int axis)
{
    const gb_node *first = gb_graph_node(g, parts[0]);
    char text[2][96];
    for (int p = 1; p < count; p++) {
        const gb_node *part = gb_graph_node(g, parts[p]);
        if (part->dtype != first->dtype) {
            gb_graph_mistake(g, GB_ERR_SHAPE,
                             "concat: part %d is %s, part 0 is %s; cast one of them", p,
                             gb_dtype_name(part->dtype), gb_dtype_name(first->dtype));
            return false;
        }
        gb_shape expected = first->shape;
        if (part->shape.rank == expected.rank)
            expected.dim[axis] = part->shape.dim[axis];
        if (!gb_shape_equal(&part->shape, &expected)) {
            gb_graph_mistake(g, GB_ERR_SHAPE,
                             "concat: part %d is %s, part 0 is %s; all axes but axis %d must agree",
                             p, gb_shape_text(&part->shape, text[0], sizeof text[0]),
                             gb_shape_text(&first->shape, text[1], sizeof text[1]), axis);
            return false;
        }
    }
    return true;
}

gb_value gb_op_concat(gb_graph *g, const gb_value *parts, int count, int axis)
{
    if (count < 1 || count > GB_OPERANDS_MAX)
        return gb_graph_mistake(g, GB_ERR_ARGUMENT, "concat: %d parts, expected 1 to %d", count,
                                GB_OPERANDS_MAX);
    if (!gb_graph_usable(g, "concat", count, parts))
        return GB_NONE;
    const gb_node *first = gb_graph_node(g, parts[0]);
    if (axis < 0 || axis >= first->shape.rank)
        return gb_graph_mistake(g, GB_ERR_SHAPE,
                                "concat: axis %d of parts of rank %d, expected 0 to %d", axis,
                                first->shape.rank, first->shape.rank - 1);
    if (!parts_fit(g, parts, count, axis))
        return GB_NONE;
    gb_shape shape = first->shape;
    gb_dtype dtype = first->dtype;
    for (int p = 1; p < count; p++)
        shape.dim[axis] += gb_graph_node(g, parts[p])->shape.dim[axis];
    return gb_graph_append(g, GB_OP_CONCAT, dtype, shape, count, parts, &(gb_attr){.i = {axis}});
}

static void concat_gradient(gb_graph *g, const gb_grad *grad)
{
    int axis = (int)grad->node->attr.i[0];
    int count = grad->node->operand_count;
    int64_t begin = 0;
    for (int p = 0; p < count; p++) {
        int64_t length = gb_value_shape(g, grad->source[p]).dim[axis];
        if (gb_grad_wanted(g, grad, p))
            gb_grad_add(g, grad, p, gb_op_slice(g, grad->grad_out, axis, begin, length));
        begin += length;
    }
}

/* Rows here are what lies outside the axis: [outer][axis][inner]. */
static void concat_rows(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    int axis = (int)run->node->attr.i[0];
    size_t element = gb_dtype_bytes(run->out.dtype);
    size_t out_bytes = (size_t)gb_extent(&run->out.shape, axis, run->out.shape.rank) * element;
    char *out = run->out.data;
    size_t offset = 0;
    for (int p = 0; p < run->node->operand_count; p++) {
        const gb_tensor *part = &run->in[p];
        size_t bytes = (size_t)gb_extent(&part->shape, axis, part->shape.rank) * element;
        const char *in = part->data;
        for (int64_t r = begin; r < end; r++)
            memcpy(out + (size_t)r * out_bytes + offset, in + (size_t)r * bytes, bytes);
        offset += bytes;
    }
}

static void concat_run(const gb_run *run)
{
    int axis = (int)run->node->attr.i[0];
    const gb_shape *shape = &run->out.shape;
    gb_run_ranges(run, gb_extent(shape, 0, axis), gb_extent(shape, axis, shape->rank), concat_rows);
}

const gb_op_definition gb_op_definition_concat = {
    .name = "concat",
    .gradient = concat_gradient,
    .run = concat_run,
};
