/* Part of an axis, and its transpose: a part put back among zeros. Not for views: both copy.
 *
 *     slice: out[..., i, ...] = x[..., begin + i, ...],  0 <= i < length
 *     pad:   out[..., begin + i, ...] = x[..., i, ...], 0 elsewhere
 *
 * attr of both: i[0] axis, i[1] begin. The gradient of a slice is its pad. */
#include <string.h>

#include "tensor/graph.h"

gb_value gb_op_slice(gb_graph *g, gb_value x, int axis, int64_t begin, int64_t length)
{
    if (!gb_graph_usable(g, "slice", 1, &x))
        return GB_NONE;
    const gb_node *node = gb_graph_node(g, x);
    gb_shape shape = node->shape;
    if (axis < 0 || axis >= shape.rank)
        return gb_graph_mistake(g, GB_ERR_SHAPE,
                                "slice: axis %d of a value of rank %d, expected 0 to %d", axis,
                                shape.rank, shape.rank - 1);
    if (begin < 0 || length < 1 || begin > shape.dim[axis] - length) {
        char text[96];
        return gb_graph_mistake(
            g, GB_ERR_SHAPE,
            "slice: %lld elements from %lld of axis %d of %s, expected a part of [0, %lld)",
            (long long)length, (long long)begin, axis, gb_shape_text(&shape, text, sizeof text),
            (long long)shape.dim[axis]);
    }
    shape.dim[axis] = length;
    return gb_graph_append(g, GB_OP_SLICE, node->dtype, shape, 1, &x,
                           &(gb_attr){.i = {axis, begin}});
}

static gb_value pad(gb_graph *g, gb_value x, int axis, int64_t begin, gb_shape shape)
{
    if (!gb_graph_usable(g, "pad", 1, &x))
        return GB_NONE;
    gb_dtype dtype = gb_value_dtype(g, x);
    return gb_graph_append(g, GB_OP_PAD, dtype, shape, 1, &x, &(gb_attr){.i = {axis, begin}});
}

static void slice_gradient(gb_graph *g, const gb_grad *grad)
{
    const gb_attr attr = grad->node->attr;
    gb_shape shape = gb_value_shape(g, grad->source[0]);
    gb_grad_add(g, grad, 0, pad(g, grad->grad_out, (int)attr.i[0], attr.i[1], shape));
}

/* What one row (all that lies outside the axis) holds of the whole and of the part, in bytes. */
typedef struct row_bytes {
    size_t whole, before, part;
} row_bytes;

static row_bytes row_bytes_of(const gb_run *run, const gb_shape *whole, const gb_shape *part)
{
    int axis = (int)run->node->attr.i[0];
    size_t step = gb_dtype_bytes(run->out.dtype) * (size_t)gb_extent(whole, axis + 1, whole->rank);
    return (row_bytes){.whole = (size_t)whole->dim[axis] * step,
                       .before = (size_t)run->node->attr.i[1] * step,
                       .part = (size_t)part->dim[axis] * step};
}

static void slice_rows(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    row_bytes bytes = row_bytes_of(run, &run->in[0].shape, &run->out.shape);
    const char *in = run->in[0].data;
    char *out = run->out.data;
    for (int64_t r = begin; r < end; r++)
        memcpy(out + (size_t)r * bytes.part, in + (size_t)r * bytes.whole + bytes.before,
               bytes.part);
}

static void pad_rows(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    row_bytes bytes = row_bytes_of(run, &run->out.shape, &run->in[0].shape);
    const char *in = run->in[0].data;
    for (int64_t r = begin; r < end; r++) {
        char *out = (char *)run->out.data + (size_t)r * bytes.whole;
        memset(out, 0, bytes.before);
        memcpy(out + bytes.before, in + (size_t)r * bytes.part, bytes.part);
        memset(out + bytes.before + bytes.part, 0, bytes.whole - bytes.before - bytes.part);
    }
}

static void slice_run(const gb_run *run)
{
    int axis = (int)run->node->attr.i[0];
    const gb_shape *shape = &run->out.shape;
    gb_run_ranges(run, gb_extent(shape, 0, axis), gb_extent(shape, axis, shape->rank), slice_rows);
}

static void pad_run(const gb_run *run)
{
    int axis = (int)run->node->attr.i[0];
    const gb_shape *shape = &run->out.shape;
    gb_run_ranges(run, gb_extent(shape, 0, axis), gb_extent(shape, axis, shape->rank), pad_rows);
}

const gb_op_definition gb_op_definition_slice = {
    .name = "slice",
    .gradient = slice_gradient,
    .run = slice_run,
};

const gb_op_definition gb_op_definition_pad = {
    .name = "pad",
    .run = pad_run,
};
