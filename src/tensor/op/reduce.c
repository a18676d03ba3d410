/* Sum, mean or maximum over neighbouring axes, which stay as axes of size 1. attr: i[0] kind,
 * i[1] first axis, i[2] how many, i[3] 1: squares are summed. The tensor is seen as [outer, middle,
 * inner], the middle reduced. Maximum has no gradient. */
#include "tensor/graph.h"

#include <math.h>
#include <string.h>

#define CHUNK 16384 /* elements of a row summed by one part; fixed, so that sums have one order */
#define COLUMNS 64  /* columns of the inner axis that one part reduces */

gb_value gb_op_reduce(gb_graph *g, gb_reduce kind, gb_value x, int axis, int count)
{
    if (!gb_graph_usable(g, "reduce", 1, &x))
        return GB_NONE;
    gb_shape shape = gb_value_shape(g, x);
    if ((unsigned)kind > GB_REDUCE_MAX)
        return gb_graph_mistake(g, GB_ERR_ARGUMENT, "reduce: kind %d, expected 0 to %d", (int)kind,
                                GB_REDUCE_MAX);
    if (gb_value_dtype(g, x) != GB_F32 || axis < 0 || count < 1 || count > shape.rank - axis)
        return gb_graph_mistake(g, GB_ERR_SHAPE,
                                "reduce: %d axes from axis %d of a value of type %s and rank %d, "
                                "expected F32 and axes that it has",
                                count, axis, gb_dtype_name(gb_value_dtype(g, x)), shape.rank);
    for (int i = axis; i < axis + count; i++)
        shape.dim[i] = 1;
    return gb_graph_append(g, GB_OP_REDUCE, GB_F32, shape, 1, &x,
                           &(gb_attr){.i = {kind, axis, count}});
}

static gb_value reduce_all(gb_graph *g, gb_reduce kind, gb_value x)
{
    gb_shape shape = gb_value_shape(g, x);
    gb_value row = gb_op_reshape(g, x, GB_SHAPE(gb_shape_count(&shape)));
    return gb_op_reshape(g, gb_op_reduce(g, kind, row, 0, 1), GB_SCALAR);
}

gb_value gb_op_sum_all(gb_graph *g, gb_value x)
{
    return reduce_all(g, GB_REDUCE_SUM, x);
}

gb_value gb_op_mean_all(gb_graph *g, gb_value x)
{
    return reduce_all(g, GB_REDUCE_MEAN, x);
}

gb_value gb_op_sum_to_shape(gb_graph *g, gb_value value, gb_shape shape)
{
    gb_shape from = gb_value_shape(g, value);
    int lead = from.rank - shape.rank;
    for (int axis = 0; axis < from.rank; axis++) {
        bool stretched = from.dim[axis] != 1 && (axis < lead || shape.dim[axis - lead] == 1);
        int end = axis;
        while (stretched && end < from.rank && (end < lead || shape.dim[end - lead] == 1))
            end++;
        if (stretched) {
            value = gb_op_reduce(g, GB_REDUCE_SUM, value, axis, end - axis);
            axis = end - 1;
        }
    }
    return gb_op_reshape(g, value, shape);
}

typedef struct extents {
    int64_t outer, middle, inner, chunks;
} extents;

static extents extents_of(const gb_node *node, const gb_shape *in)
{
    int axis = (int)node->attr.i[GB_REDUCE_AXIS], count = (int)node->attr.i[GB_REDUCE_AXES];
    extents e = {gb_extent(in, 0, axis), gb_extent(in, axis, axis + count),
                 gb_extent(in, axis + count, in->rank), 1};
    e.chunks = (e.middle + CHUNK - 1) / CHUNK;
    return e;
}

static void gradient(gb_graph *g, const gb_grad *grad)
{
    gb_reduce kind = (gb_reduce)grad->node->attr.i[0];
    gb_shape shape = gb_value_shape(g, grad->node->operand[0]);
    gb_value spread = gb_op_broadcast(g, grad->grad_out, shape);
    if (kind == GB_REDUCE_MAX)
        gb_graph_mistake(g, GB_ERR_UNSUPPORTED, "reduce: the maximum has no gradient");
    else if (kind == GB_REDUCE_MEAN)
        spread = gb_op_affine(g, spread, 1.0f / (float)extents_of(grad->node, &shape).middle, 0.0f);
    gb_grad_add(g, grad, 0, spread);
}

/* inner == 1: part = (row, chunk); partial results in scratch, joined in order afterwards. */
static void reduce_chunks(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    extents e = extents_of(run->node, &run->in[0].shape);
    bool max = run->node->attr.i[0] == GB_REDUCE_MAX;
    bool squares = run->node->attr.i[GB_REDUCE_SQUARES] != 0;
    float *partial = e.chunks == 1 ? run->out.data : run->scratch;
    for (int64_t part = begin; part < end; part++) {
        int64_t row = part / e.chunks, first = part % e.chunks * CHUNK;
        int64_t n = e.middle - first < CHUNK ? e.middle - first : CHUNK;
        const float *x = (const float *)run->in[0].data + row * e.middle + first;
        if (squares)
            partial[part] = run->kernels->dot(n, x, x);
        else
            partial[part] = max ? run->kernels->max(n, x) : run->kernels->sum(n, x);
    }
}

/* inner > 1: part = (outer, block of columns). */
static void reduce_columns(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    extents e = extents_of(run->node, &run->in[0].shape);
    bool max = run->node->attr.i[0] == GB_REDUCE_MAX;
    int64_t blocks = (e.inner + COLUMNS - 1) / COLUMNS;
    for (int64_t part = begin; part < end; part++) {
        int64_t outer = part / blocks, column = part % blocks * COLUMNS;
        int64_t n = e.inner - column < COLUMNS ? e.inner - column : COLUMNS;
        const float *x = (const float *)run->in[0].data + outer * e.middle * e.inner + column;
        float *y = (float *)run->out.data + outer * e.inner + column;
        memcpy(y, x, sizeof(float) * (size_t)n);
        for (int64_t m = 1; m < e.middle; m++)
            run->kernels->binary(max ? GB_BINARY_MAX : GB_BINARY_ADD, n, y, x + m * e.inner, y);
    }
}

static void run_reduce(const gb_run *run)
{
    extents e = extents_of(run->node, &run->in[0].shape);
    gb_reduce kind = (gb_reduce)run->node->attr.i[0];
    float *y = run->out.data;
    if (e.inner > 1) {
        int64_t blocks = (e.inner + COLUMNS - 1) / COLUMNS;
        gb_run_ranges(run, e.outer * blocks, e.middle * COLUMNS, reduce_columns);
    } else {
        gb_run_ranges(run, e.outer * e.chunks, e.middle / e.chunks, reduce_chunks);
        const float *partial = run->scratch;
        for (int64_t row = 0; e.chunks > 1 && row < e.outer; row++)
            y[row] = kind == GB_REDUCE_MAX ? run->kernels->max(e.chunks, partial + row * e.chunks)
                                           : run->kernels->sum(e.chunks, partial + row * e.chunks);
    }
    if (kind == GB_REDUCE_MEAN)
        run->kernels->affine(e.outer * e.inner, y, 1.0f / (float)e.middle, 0.0f, y);
}

static size_t scratch_bytes(const gb_node *node, const gb_shape *in, int threads)
{
    (void)threads;
    extents e = extents_of(node, &in[0]);
    return e.inner == 1 && e.chunks > 1 ? sizeof(float) * (size_t)(e.outer * e.chunks) : 0;
}

static uint64_t flops(const gb_node *node, const gb_shape *in)
{
    (void)node;
    return (uint64_t)gb_shape_count(&in[0]);
}

const gb_op_definition gb_op_definition_reduce = {.name = "reduce",
                                                  .gradient = gradient,
                                                  .run = run_reduce,
                                                  .scratch_bytes = scratch_bytes,
                                                  .flops = flops};
