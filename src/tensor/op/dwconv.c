/* Causal depth-wise convolution over time, and its two gradients. Rows before the first are zeros.
 * Not for steps that continue from kept rows (dwconv_cached.c).
 *
 *     y[t, d]  = sum_k w[k, d] x[t - (K - 1) + k, d]
 *     dx[s, d] = sum_k w[k, d] dy[s + (K - 1) - k, d]          while the row is before T
 *     dw[k, d] = sum over batch, t of dy[t, d] x[t - (K - 1) + k, d]
 *
 * The weight's gradient is cut by columns: one part adds all rows in order. */
#include <string.h>

#include "tensor/op/dwconv.h"

/* Columns of the weight's gradient that one part owns. */
#define COLUMNS 32

gb_value gb_op_dwconv(gb_graph *g, gb_value x, gb_value weight)
{
    if (!gb_graph_usable(g, "dwconv", 2, (gb_value[]){x, weight}) ||
        !gb_dwconv_fits(g, "dwconv", x, weight))
        return GB_NONE;
    return gb_graph_append(g, GB_OP_DWCONV, GB_F32, gb_value_shape(g, x), 2,
                           (gb_value[]){x, weight}, NULL);
}

static void dwconv_gradient(gb_graph *g, const gb_grad *grad)
{
    const gb_value x = grad->node->operand[0], weight = grad->node->operand[1];
    if (gb_grad_wanted(g, grad, 0)) {
        gb_value operands[] = {grad->grad_out, weight};
        gb_shape shape = gb_value_shape(g, x);
        gb_grad_add(g, grad, 0,
                    gb_graph_append(g, GB_OP_DWCONV_GRAD_X, GB_F32, shape, 2, operands, NULL));
    }
    if (gb_grad_wanted(g, grad, 1)) {
        gb_value operands[] = {grad->grad_out, x};
        gb_shape shape = gb_value_shape(g, weight);
        gb_grad_add(g, grad, 1,
                    gb_graph_append(g, GB_OP_DWCONV_GRAD_WEIGHT, GB_F32, shape, 2, operands, NULL));
    }
}

static void dwconv_rows(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    int64_t T = run->out.shape.dim[1], D = run->out.shape.dim[2], K = run->in[1].shape.dim[0];
    const float *x = run->in[0].data, *w = run->in[1].data;
    for (int64_t r = begin; r < end; r++) {
        float *y = (float *)run->out.data + r * D;
        int64_t t = r % T, first = t < K - 1 ? K - 1 - t : 0;
        memset(y, 0, (size_t)D * sizeof *y);
        for (int64_t k = first; k < K; k++)
            gb_dwconv_add_product(D, w + k * D, x + (r - (K - 1) + k) * D, y);
    }
}

static void dwconv_grad_x_rows(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    int64_t T = run->out.shape.dim[1], D = run->out.shape.dim[2], K = run->in[1].shape.dim[0];
    const float *dy = run->in[0].data, *w = run->in[1].data;
    for (int64_t r = begin; r < end; r++) {
        float *dx = (float *)run->out.data + r * D;
        int64_t after = T - 1 - r % T, first = after < K - 1 ? K - 1 - after : 0;
        memset(dx, 0, (size_t)D * sizeof *dx);
        for (int64_t k = first; k < K; k++)
            gb_dwconv_add_product(D, w + k * D, dy + (r + (K - 1) - k) * D, dx);
    }
}

static void dwconv_run(const gb_run *run)
{
    int64_t work = run->out.shape.dim[2] * run->in[1].shape.dim[0];
    gb_run_ranges(run, gb_rows(&run->out.shape), work, dwconv_rows);
}

static void dwconv_grad_x_run(const gb_run *run)
{
    int64_t work = run->out.shape.dim[2] * run->in[1].shape.dim[0];
    gb_run_ranges(run, gb_rows(&run->out.shape), work, dwconv_grad_x_rows);
}

/* One (k, columns): sums of one batch row first, then of all, which keeps rounding small. */
static void weight_columns(
    const gb_run *run, int64_t shift, int64_t column, int64_t columns, float *restrict total)
{
    const gb_shape *shape = &run->in[0].shape;
    int64_t B = shape->dim[0], T = shape->dim[1], D = shape->dim[2];
    const float *dy = run->in[0].data, *x = run->in[1].data;
    memset(total, 0, (size_t)columns * sizeof *total);
    for (int64_t b = 0; b < B; b++) {
        float sum[COLUMNS] = {0};
        for (int64_t t = shift; t < T; t++)
            gb_dwconv_add_product(columns, dy + (b * T + t) * D + column,
                                  x + (b * T + t - shift) * D + column, sum);
        for (int64_t c = 0; c < columns; c++)
            total[c] += sum[c];
    }
}

static void dwconv_grad_weight_part(void *context, int64_t part, int thread)
{
    (void)thread;
    const gb_run *run = context;
    int64_t K = run->out.shape.dim[0], D = run->out.shape.dim[1];
    int64_t column = part * COLUMNS, columns = D - column < COLUMNS ? D - column : COLUMNS;
    for (int64_t k = 0; k < K; k++)
        weight_columns(run, K - 1 - k, column, columns, (float *)run->out.data + k * D + column);
}

static void dwconv_grad_weight_run(const gb_run *run)
{
    int64_t parts = (run->out.shape.dim[1] + COLUMNS - 1) / COLUMNS;
    gb_pool_run(run->pool, dwconv_grad_weight_part, (void *)run, parts);
}

static uint64_t dwconv_flops(const gb_node *node, const gb_shape *in)
{
    (void)node;
    return gb_flops(2 * (double)gb_shape_count(&in[0]) * (double)in[1].dim[0]);
}

static uint64_t dwconv_grad_weight_flops(const gb_node *node, const gb_shape *in)
{
    return gb_flops(2 * (double)gb_shape_count(&in[0]) * (double)node->shape.dim[0]);
}

const gb_op_definition gb_op_definition_dwconv = {
    .name = "dwconv",
    .gradient = dwconv_gradient,
    .run = dwconv_run,
    .flops = dwconv_flops,
};

const gb_op_definition gb_op_definition_dwconv_grad_x = {
    .name = "dwconv_grad_x",
    .run = dwconv_grad_x_run,
    .flops = dwconv_flops,
};

const gb_op_definition gb_op_definition_dwconv_grad_weight = {
    .name = "dwconv_grad_weight",
    .run = dwconv_grad_weight_run,
    .flops = dwconv_grad_weight_flops,
};
