/* Rows of a table by index, and the gradient that adds rows back. Not for one-hot products.
 *
 *     out[n, :] = table[index[n], :]           an index outside [0, V) reads row 0
 *     d table[v, :] = sum over n with index[n] = v of d out[n, :]
 *
 * The gradient is cut by table rows: one part owns its rows and walks all indices in order, so the
 * order of every sum is that of n, whatever the number of threads. */
#include <string.h>

#include "tensor/graph.h"

gb_value gb_op_embedding(gb_graph *g, gb_value table, gb_value index)
{
    if (!gb_graph_usable(g, "embedding", 2, (gb_value[]){table, index}))
        return GB_NONE;
    const gb_node *t = gb_graph_node(g, table), *i = gb_graph_node(g, index);
    char text[96];
    if (t->shape.rank != 2 || t->dtype != GB_F32)
        return gb_graph_mistake(
            g, GB_ERR_SHAPE, "embedding: table is %s %s, expected F32 [rows, width]",
            gb_dtype_name(t->dtype), gb_shape_text(&t->shape, text, sizeof text));
    if (i->dtype != GB_I32)
        return gb_graph_mistake(g, GB_ERR_SHAPE, "embedding: index is %s, expected I32",
                                gb_dtype_name(i->dtype));
    if (i->shape.rank == GB_RANK_MAX)
        return gb_graph_mistake(
            g, GB_ERR_SHAPE, "embedding: index %s has rank %d, expected at most %d",
            gb_shape_text(&i->shape, text, sizeof text), i->shape.rank, GB_RANK_MAX - 1);
    gb_shape shape = i->shape;
    shape.dim[shape.rank++] = t->shape.dim[1];
    return gb_graph_append(g, GB_OP_EMBEDDING, GB_F32, shape, 2, (gb_value[]){table, index}, NULL);
}

static void embedding_gradient(gb_graph *g, const gb_grad *grad)
{
    if (!gb_grad_wanted(g, grad, 0))
        return;
    gb_shape shape = gb_value_shape(g, grad->source[0]);
    gb_value operands[] = {grad->grad_out, grad->node->operand[1]};
    gb_grad_add(g, grad, 0,
                gb_graph_append(g, GB_OP_EMBEDDING_GRAD, GB_F32, shape, 2, operands, NULL));
}

static int64_t row_of(int32_t index, int64_t rows)
{
    return index >= 0 && index < rows ? index : 0;
}

static void embedding_rows(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    int64_t D = gb_last(&run->out.shape), V = run->in[0].shape.dim[0];
    const float *table = run->in[0].data;
    const int32_t *index = run->in[1].data;
    float *out = run->out.data;
    for (int64_t n = begin; n < end; n++)
        memcpy(out + n * D, table + row_of(index[n], V) * D, (size_t)D * sizeof *out);
}

static void embedding_run(const gb_run *run)
{
    gb_run_ranges(run, gb_rows(&run->out.shape), gb_last(&run->out.shape), embedding_rows);
}

static void embedding_grad_part(void *context, int64_t part, int thread)
{
    (void)thread;
    const gb_run *run = context;
    int64_t V = run->out.shape.dim[0], D = run->out.shape.dim[1];
    int64_t N = gb_shape_count(&run->in[1].shape);
    int64_t parts = V < 64 ? V : 64;
    int64_t begin = part * V / parts, end = (part + 1) * V / parts;
    const float *grad = run->in[0].data;
    const int32_t *index = run->in[1].data;
    float *out = run->out.data;
    memset(out + begin * D, 0, (size_t)((end - begin) * D) * sizeof *out);
    for (int64_t n = 0; n < N; n++) {
        int64_t row = row_of(index[n], V);
        if (row >= begin && row < end)
            run->kernels->axpy(D, 1.0f, grad + n * D, out + row * D);
    }
}

static void embedding_grad_run(const gb_run *run)
{
    int64_t V = run->out.shape.dim[0];
    gb_pool_run(run->pool, embedding_grad_part, (void *)run, V < 64 ? V : 64);
}

static uint64_t embedding_grad_flops(const gb_node *node, const gb_shape *in)
{
    (void)node;
    return (uint64_t)gb_shape_count(&in[0]);
}

const gb_op_definition gb_op_definition_embedding = {
    .name = "embedding",
    .gradient = embedding_gradient,
    .run = embedding_run,
};

const gb_op_definition gb_op_definition_embedding_grad = {
    .name = "embedding_grad",
    .run = embedding_grad_run,
    .flops = embedding_grad_flops,
};
