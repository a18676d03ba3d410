/* RMSNorm of every query and key head of a fused qkv [..., (H + 2 G) E] with weight [2, E]: row 0
 * for the H query heads, row 1 for the G key heads; the G value heads are copied (the "QK norm" of
 * Dehghani et al. 2023 with RMSNorm). attr of all three: f[0] epsilon, i[0] H, i[1] G.
 * Operands: qkv, weight; of the gradients: qkv, weight, dy. The formulas are those of rmsnorm.c for
 * each head. */
#include <math.h>
#include <string.h>

#include "tensor/op/check.h"
#include "tensor/op/row_sums.h"

gb_value
gb_op_head_norm(gb_graph *g, gb_value qkv, gb_value weight, int heads, int kv_heads, float epsilon)
{
    gb_value operands[] = {qkv, weight};
    if (!gb_graph_usable(g, "head_norm", 2, operands) ||
        !gb_check_dtype(g, "head_norm", "qkv", qkv, GB_F32))
        return GB_NONE;
    gb_shape shape = gb_value_shape(g, qkv);
    int64_t width = gb_last(&shape), all = (int64_t)heads + 2 * (int64_t)kv_heads;
    char text[96];
    if (heads < 1 || kv_heads < 1 || shape.rank < 1 || width % all != 0)
        return gb_graph_mistake(g, GB_ERR_SHAPE,
                                "head_norm: qkv %s does not hold %d query and 2 x %d key and value "
                                "heads of one size on its last axis",
                                gb_shape_text(&shape, text, sizeof text), heads, kv_heads);
    if (!gb_check_tensor(g, "head_norm", "weight", weight, GB_F32, GB_SHAPE(2, width / all)))
        return GB_NONE;
    if (!(epsilon >= 0))
        return gb_graph_mistake(g, GB_ERR_ARGUMENT, "head_norm: epsilon %g, expected 0 or more",
                                (double)epsilon);
    return gb_graph_append(g, GB_OP_HEAD_NORM, GB_F32, shape, 2, operands,
                           &(gb_attr){.i = {heads, kv_heads}, .f = {epsilon}});
}

static void gradient(gb_graph *g, const gb_grad *grad)
{
    const gb_attr *attr = &grad->node->attr;
    gb_value qkv = grad->node->operand[0], weight = grad->node->operand[1];
    gb_value operands[] = {qkv, weight, grad->grad_out};
    if (gb_grad_wanted(g, grad, 0))
        gb_grad_add(g, grad, 0,
                    gb_graph_append(g, GB_OP_HEAD_NORM_GRAD_X, GB_F32, gb_value_shape(g, qkv), 3,
                                    operands, attr));
    if (gb_grad_wanted(g, grad, 1))
        gb_grad_add(g, grad, 1,
                    gb_graph_append(g, GB_OP_HEAD_NORM_GRAD_WEIGHT, GB_F32,
                                    gb_value_shape(g, weight), 3, operands, attr));
}

/* How the last axis is cut. */
typedef struct heads {
    int64_t size;              /* E */
    int64_t queries, normed;   /* heads that are queries; queries and keys */
    int64_t copied, row_width; /* elements of the value heads; of a row */
} heads;

static heads heads_of(const gb_run *run)
{
    int64_t h = run->node->attr.i[0], kv = run->node->attr.i[1];
    int64_t width = gb_last(&run->in[0].shape), size = width / (h + 2 * kv);
    return (heads){size, h, h + kv, kv * size, width};
}

static float reciprocal_rms(const gb_run *run, const float *x, int64_t size)
{
    float mean = run->kernels->sum_squares_about(size, x, 0) / (float)size;
    return 1 / sqrtf(mean + run->node->attr.f[0]);
}

static void copy_values(const heads *h, const float *from, float *to)
{
    if (from != to)
        memcpy(to + h->normed * h->size, from + h->normed * h->size,
               (size_t)h->copied * sizeof(float));
}

static void head_norm_rows(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    heads h = heads_of(run);
    const float *weight = run->in[1].data;
    for (int64_t row = begin; row < end; row++) {
        const float *x = (const float *)run->in[0].data + row * h.row_width;
        float *y = (float *)run->out.data + row * h.row_width;
        for (int64_t i = 0; i < h.normed; i++) {
            const float *xi = x + i * h.size, *w = i < h.queries ? weight : weight + h.size;
            run->kernels->normalise(h.size, xi, 0, reciprocal_rms(run, xi, h.size), w, NULL,
                                    y + i * h.size);
        }
        copy_values(&h, x, y);
    }
}

static void run_head_norm(const gb_run *run)
{
    gb_run_ranges(run, gb_rows(&run->out.shape), gb_last(&run->out.shape), head_norm_rows);
}

static void grad_x_rows(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    heads h = heads_of(run);
    const float *weight = run->in[1].data;
    for (int64_t row = begin; row < end; row++) {
        const float *x = (const float *)run->in[0].data + row * h.row_width;
        const float *dy = (const float *)run->in[2].data + row * h.row_width;
        float *dx = (float *)run->out.data + row * h.row_width;
        for (int64_t i = 0; i < h.normed; i++) {
            const float *xi = x + i * h.size, *dyi = dy + i * h.size;
            const float *w = i < h.queries ? weight : weight + h.size;
            float r = reciprocal_rms(run, xi, h.size);
            float mean = run->kernels->dot_about(h.size, dyi, w, xi, 0) / (float)h.size;
            run->kernels->normalise_grad(h.size, dyi, w, xi, 0, r, -r * (r * r * mean), 0,
                                         dx + i * h.size);
        }
        copy_values(&h, dy, dx);
    }
}

static void run_grad_x(const gb_run *run)
{
    gb_run_ranges(run, gb_rows(&run->out.shape), gb_last(&run->out.shape), grad_x_rows);
}

static void add_weight_rows(const gb_run *run, int64_t begin, int64_t end, float *sums)
{
    heads h = heads_of(run);
    for (int64_t row = begin; row < end; row++) {
        const float *x = (const float *)run->in[0].data + row * h.row_width;
        const float *dy = (const float *)run->in[2].data + row * h.row_width;
        for (int64_t i = 0; i < h.normed; i++) {
            const float *xi = x + i * h.size;
            run->kernels->multiply_add(h.size, reciprocal_rms(run, xi, h.size), xi, dy + i * h.size,
                                       i < h.queries ? sums : sums + h.size);
        }
    }
}

static void run_grad_weight(const gb_run *run)
{
    const gb_shape *shape = &run->in[0].shape;
    gb_row_sums(run, gb_rows(shape), gb_last(shape), gb_shape_count(&run->out.shape),
                add_weight_rows, run->out.data);
}

static size_t grad_weight_scratch(const gb_node *node, const gb_shape *in, int threads)
{
    (void)threads;
    return gb_row_sums_bytes(gb_rows(&in[0]), gb_last(&in[0]), gb_shape_count(&node->shape));
}

static uint64_t flops(const gb_node *node, const gb_shape *in)
{
    (void)node;
    return 4 * (uint64_t)gb_shape_count(&in[0]);
}

static uint64_t grad_flops(const gb_node *node, const gb_shape *in)
{
    return 2 * flops(node, in);
}

const gb_op_definition gb_op_definition_head_norm = {
    .name = "head_norm", .gradient = gradient, .run = run_head_norm, .flops = flops, .in_place = 1};
const gb_op_definition gb_op_definition_head_norm_grad_x = {
    .name = "head_norm_grad_x", .run = run_grad_x, .flops = grad_flops, .in_place = 1 | 4};
const gb_op_definition gb_op_definition_head_norm_grad_weight = {.name = "head_norm_grad_weight",
                                                                 .run = run_grad_weight,
                                                                 .flops = grad_flops,
                                                                 .scratch_bytes =
                                                                     grad_weight_scratch};
