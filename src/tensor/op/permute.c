/* Axes in another order: out axis i is axis axes[i] of x. Not for views: it copies.
 *
 * Out is walked in "lines": all axes but two. Within a line lies a matrix, transposed in tiles:
 * columns along the last axis of out, rows along the out axis that is contiguous in x. When these
 * are the same axis, a line is one memcpy.
 *
 * attr: i[a] = axes[a]. Gradient: the inverse order. */
#include <string.h>

#include "tensor/graph.h"

#define TILE 16

gb_value gb_op_permute(gb_graph *g, gb_value x, const int *axes)
{
    if (!gb_graph_usable(g, "permute", 1, &x))
        return GB_NONE;
    const gb_node *node = gb_graph_node(g, x);
    gb_shape shape = node->shape;
    gb_attr attr = {0};
    unsigned seen = 0;
    for (int a = 0; a < shape.rank; a++) {
        if (axes[a] < 0 || axes[a] >= shape.rank || (seen >> axes[a] & 1u))
            return gb_graph_mistake(g, GB_ERR_SHAPE,
                                    "permute: axes[%d] is %d, expected each of 0 to %d once", a,
                                    axes[a], shape.rank - 1);
        seen |= 1u << axes[a];
        attr.i[a] = axes[a];
        shape.dim[a] = node->shape.dim[axes[a]];
    }
    return gb_graph_append(g, GB_OP_PERMUTE, node->dtype, shape, 1, &x, &attr);
}

static void permute_gradient(gb_graph *g, const gb_grad *grad)
{
    int inverse[GB_RANK_MAX] = {0};
    for (int a = 0; a < grad->node->shape.rank; a++)
        inverse[grad->node->attr.i[a]] = a;
    gb_grad_add(g, grad, 0, gb_op_permute(g, grad->grad_out, inverse));
}

typedef struct layout {
    int rank;
    int64_t dim[GB_RANK_MAX];        /* of out */
    int64_t in_stride[GB_RANK_MAX];  /* of each out axis in x, elements */
    int64_t out_stride[GB_RANK_MAX]; /* elements */
    int fast;                        /* the out axis that is contiguous in x */
} layout;

static layout layout_of(const gb_run *run)
{
    layout l = {.rank = run->out.shape.rank};
    int64_t stride[GB_RANK_MAX];
    int64_t in_step = 1, out_step = 1;
    for (int a = l.rank - 1; a >= 0; a--) {
        stride[a] = in_step;
        in_step *= run->in[0].shape.dim[a];
    }
    for (int a = l.rank - 1; a >= 0; a--) {
        int from = (int)run->node->attr.i[a];
        l.dim[a] = run->out.shape.dim[a];
        l.in_stride[a] = stride[from];
        l.out_stride[a] = out_step;
        out_step *= l.dim[a];
        if (from == l.rank - 1)
            l.fast = a;
    }
    return l;
}

#define DEFINE_TRANSPOSE(type)                                                                     \
    static void transpose_##type(int64_t rows, int64_t columns, const void *in, int64_t in_stride, \
                                 void *out, int64_t out_stride)                                    \
    {                                                                                              \
        const type *x = in;                                                                        \
        type *y = out;                                                                             \
        for (int64_t r0 = 0; r0 < rows; r0 += TILE)                                                \
            for (int64_t c0 = 0; c0 < columns; c0 += TILE)                                         \
                for (int64_t r = r0; r < rows && r < r0 + TILE; r++)                               \
                    for (int64_t c = c0; c < columns && c < c0 + TILE; c++)                        \
                        y[r * out_stride + c] = x[c * in_stride + r];                              \
    }
DEFINE_TRANSPOSE(uint8_t)
DEFINE_TRANSPOSE(uint16_t)
DEFINE_TRANSPOSE(uint32_t)

static void permute_lines(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    layout l = layout_of(run);
    int last = l.rank - 1;
    int64_t element = (int64_t)gb_dtype_bytes(run->out.dtype);
    for (int64_t line = begin; line < end; line++) {
        int64_t rest = line, in_at = 0, out_at = 0;
        for (int a = last - 1; a >= 0; a--) {
            if (a == l.fast)
                continue;
            in_at += rest % l.dim[a] * l.in_stride[a];
            out_at += rest % l.dim[a] * l.out_stride[a];
            rest /= l.dim[a];
        }
        const char *in = (const char *)run->in[0].data + in_at * element;
        char *out = (char *)run->out.data + out_at * element;
        int64_t rows = l.dim[l.fast], columns = l.dim[last];
        int64_t in_stride = l.in_stride[last], out_stride = l.out_stride[l.fast];
        if (l.fast == last)
            memcpy(out, in, (size_t)(columns * element));
        else if (element == 4)
            transpose_uint32_t(rows, columns, in, in_stride, out, out_stride);
        else if (element == 2)
            transpose_uint16_t(rows, columns, in, in_stride, out, out_stride);
        else
            transpose_uint8_t(rows, columns, in, in_stride, out, out_stride);
    }
}

static void permute_run(const gb_run *run)
{
    layout l = layout_of(run);
    int64_t count = gb_shape_count(&run->out.shape);
    if (l.rank == 0 || count == 0) {
        memcpy(run->out.data, run->in[0].data, gb_tensor_bytes(&run->out));
        return;
    }
    int64_t line = l.dim[l.rank - 1] * (l.fast == l.rank - 1 ? 1 : l.dim[l.fast]);
    gb_run_ranges(run, count / line, line, permute_lines);
}

const gb_op_definition gb_op_definition_permute = {
    .name = "permute",
    .gradient = permute_gradient,
    .run = permute_run,
};
