/* Causal depth-wise convolution that continues from the rows before, for running a model step by
 * step. Not differentiable. The rows are read first (dwconv_cached), then the cache moves on by T
 * rows (dwconv_shift, which updates the state):
 *
 *     rows = cache followed by x;  y[t] = sum_k w[k] rows[t + k];  cache' = last K - 1 rows
 *
 * A kernel of one row needs no rows before: it is dwconv, and there is no cache. */
#include <string.h>

#include "tensor/op/dwconv.h"

static bool cache_fits(gb_graph *g, gb_value x, gb_value weight, gb_value cache)
{
    gb_shape xs = gb_value_shape(g, x), ws = gb_value_shape(g, weight);
    const gb_node *node = gb_graph_node(g, cache);
    gb_shape expected = GB_SHAPE(xs.dim[0], ws.dim[0] - 1, xs.dim[2]);
    if (node->op == GB_OP_LEAF && node->attr.i[0] == GB_LEAF_STATE && node->dtype == GB_F32 &&
        gb_shape_equal(&node->shape, &expected))
        return true;
    char text[2][96];
    gb_graph_mistake(g, GB_ERR_SHAPE, "dwconv_cached: cache is %s %s, expected an F32 state %s",
                     gb_dtype_name(node->dtype),
                     gb_shape_text(&node->shape, text[0], sizeof text[0]),
                     gb_shape_text(&expected, text[1], sizeof text[1]));
    return false;
}

gb_value gb_op_dwconv_cached(gb_graph *g, gb_value x, gb_value weight, gb_value cache)
{
    if (!gb_graph_usable(g, "dwconv_cached", 2, (gb_value[]){x, weight}) ||
        !gb_dwconv_fits(g, "dwconv_cached", x, weight))
        return GB_NONE;
    if (gb_value_shape(g, weight).dim[0] == 1)
        return gb_op_dwconv(g, x, weight);
    if (!gb_graph_usable(g, "dwconv_cached", 1, &cache) || !cache_fits(g, x, weight, cache))
        return GB_NONE;
    gb_shape shape = gb_value_shape(g, x), cache_shape = gb_value_shape(g, cache);
    gb_value read[] = {x, weight, cache}, shift[] = {cache, x};
    gb_value y = gb_graph_append(g, GB_OP_DWCONV_CACHED, GB_F32, shape, 3, read, NULL);
    gb_graph_append(g, GB_OP_DWCONV_SHIFT, GB_F32, cache_shape, 2, shift, NULL);
    return y;
}

static void dwconv_cached_rows(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    int64_t T = run->out.shape.dim[1], D = run->out.shape.dim[2], K = run->in[1].shape.dim[0];
    const float *x = run->in[0].data, *w = run->in[1].data, *cache = run->in[2].data;
    for (int64_t r = begin; r < end; r++) {
        float *y = (float *)run->out.data + r * D;
        int64_t b = r / T, t = r % T;
        memset(y, 0, (size_t)D * sizeof *y);
        for (int64_t k = 0; k < K; k++) {
            int64_t row = t - (K - 1) + k; /* of x; before it, of the cache */
            const float *from =
                row < 0 ? cache + (b * (K - 1) + K - 1 + row) * D : x + (b * T + row) * D;
            gb_dwconv_add_product(D, w + k * D, from, y);
        }
    }
}

static void dwconv_cached_run(const gb_run *run)
{
    int64_t work = run->out.shape.dim[2] * run->in[1].shape.dim[0];
    gb_run_ranges(run, gb_rows(&run->out.shape), work, dwconv_cached_rows);
}

/* One item is one batch row. */
static void dwconv_shift_rows(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    int64_t kept = run->out.shape.dim[1], D = run->out.shape.dim[2], T = run->in[1].shape.dim[1];
    int64_t fresh = T < kept ? T : kept;
    for (int64_t b = begin; b < end; b++) {
        float *cache = (float *)run->out.data + b * kept * D;
        const float *x = (const float *)run->in[1].data + (b * T + T - fresh) * D;
        memmove(cache, cache + fresh * D, (size_t)((kept - fresh) * D) * sizeof *cache);
        memcpy(cache + (kept - fresh) * D, x, (size_t)(fresh * D) * sizeof *cache);
    }
}

static void dwconv_shift_run(const gb_run *run)
{
    const gb_shape *shape = &run->out.shape;
    gb_run_ranges(run, shape->dim[0], shape->dim[1] * shape->dim[2], dwconv_shift_rows);
}

static uint64_t dwconv_cached_flops(const gb_node *node, const gb_shape *in)
{
    (void)node;
    return gb_flops(2 * (double)gb_shape_count(&in[0]) * (double)in[1].dim[0]);
}

const gb_op_definition gb_op_definition_dwconv_cached = {
    .name = "dwconv_cached",
    .run = dwconv_cached_run,
    .flops = dwconv_cached_flops,
};

const gb_op_definition gb_op_definition_dwconv_shift = {
    .name = "dwconv_shift",
    .run = dwconv_shift_run,
    .updates = 1,
};
