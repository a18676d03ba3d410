/* y = (x - m) r w + b over the last axis, m the mean, r = 1 / sqrt(variance + epsilon) (Ba, Kiros,
 * Hinton 2016). attr of all three: f[0] epsilon. Operands: x, weight [D] or none, bias [D] or none;
 * of the gradients: x, weight, dy. With g = dy w and n = (x - m) r:
 * dx = r (g - mean(g) - n mean(g n));  dw = sum over rows of dy n;  db = sum over rows of dy. */
#include <math.h>

#include "tensor/op/check.h"
#include "tensor/op/row_sums.h"

gb_value gb_op_layernorm(gb_graph *g, gb_value x, gb_value weight, gb_value bias, float epsilon)
{
    gb_value operands[] = {x, weight, bias};
    if (!gb_graph_usable(g, "layernorm", 1, &x) ||
        (weight != GB_NONE && !gb_graph_usable(g, "layernorm", 1, &weight)) ||
        (bias != GB_NONE && !gb_graph_usable(g, "layernorm", 1, &bias)) ||
        !gb_check_dtype(g, "layernorm", "x", x, GB_F32))
        return GB_NONE;
    gb_shape shape = gb_value_shape(g, x), row = GB_SHAPE(gb_last(&shape));
    if ((weight != GB_NONE && !gb_check_tensor(g, "layernorm", "weight", weight, GB_F32, row)) ||
        (bias != GB_NONE && !gb_check_tensor(g, "layernorm", "bias", bias, GB_F32, row)))
        return GB_NONE;
    if (!(epsilon >= 0))
        return gb_graph_mistake(g, GB_ERR_ARGUMENT, "layernorm: epsilon %g, expected 0 or more",
                                (double)epsilon);
    return gb_graph_append(g, GB_OP_LAYERNORM, GB_F32, shape, 3, operands,
                           &(gb_attr){.f = {epsilon}});
}

static void gradient(gb_graph *g, const gb_grad *grad)
{
    const gb_attr *attr = &grad->node->attr;
    gb_value x = grad->node->operand[0], dy = grad->grad_out;
    gb_value operands[] = {x, grad->node->operand[1], dy};
    gb_shape shape = gb_value_shape(g, x), row = GB_SHAPE(gb_last(&shape));
    if (gb_grad_wanted(g, grad, 0))
        gb_grad_add(g, grad, 0,
                    gb_graph_append(g, GB_OP_LAYERNORM_GRAD_X, GB_F32, shape, 3, operands, attr));
    if (gb_grad_wanted(g, grad, 1))
        gb_grad_add(
            g, grad, 1,
            gb_graph_append(g, GB_OP_LAYERNORM_GRAD_WEIGHT, GB_F32, row, 3, operands, attr));
    if (gb_grad_wanted(g, grad, 2))
        gb_grad_add(g, grad, 2, gb_op_sum_to_shape(g, dy, row));
}

typedef struct moments {
    float mean, reciprocal; /* 1 / sqrt(variance + epsilon) */
} moments;

static moments moments_of(const gb_run *run, const float *x, int64_t width)
{
    float mean = run->kernels->sum(width, x) / (float)width;
    float variance = run->kernels->sum_squares_about(width, x, mean) / (float)width;
    return (moments){mean, 1 / sqrtf(variance + run->node->attr.f[0])};
}

static void layernorm_rows(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    int64_t width = gb_last(&run->out.shape);
    for (int64_t row = begin; row < end; row++) {
        const float *x = (const float *)run->in[0].data + row * width;
        moments m = moments_of(run, x, width);
        run->kernels->normalise(width, x, m.mean, m.reciprocal, run->in[1].data, run->in[2].data,
                                (float *)run->out.data + row * width);
    }
}

static void run_layernorm(const gb_run *run)
{
    gb_run_ranges(run, gb_rows(&run->out.shape), gb_last(&run->out.shape), layernorm_rows);
}

static void grad_x_rows(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    const gb_kernels *k = run->kernels;
    int64_t width = gb_last(&run->out.shape);
    const float *w = run->in[1].data;
    for (int64_t row = begin; row < end; row++) {
        const float *x = (const float *)run->in[0].data + row * width;
        const float *dy = (const float *)run->in[2].data + row * width;
        moments m = moments_of(run, x, width);
        float r = m.reciprocal;
        float mean_g = (w ? k->dot(width, dy, w) : k->sum(width, dy)) / (float)width;
        float mean_gn = r * k->dot_about(width, dy, w, x, m.mean) / (float)width;
        k->normalise_grad(width, dy, w, x, m.mean, r, -r * (r * mean_gn), -r * mean_g,
                          (float *)run->out.data + row * width);
    }
}

static void run_grad_x(const gb_run *run)
{
    gb_run_ranges(run, gb_rows(&run->out.shape), gb_last(&run->out.shape), grad_x_rows);
}

static void add_weight_rows(const gb_run *run, int64_t begin, int64_t end, float *sums)
{
    int64_t width = gb_last(&run->in[0].shape);
    for (int64_t row = begin; row < end; row++) {
        const float *x = (const float *)run->in[0].data + row * width;
        const float *dy = (const float *)run->in[2].data + row * width;
        moments m = moments_of(run, x, width);
        run->kernels->multiply_add_about(width, m.reciprocal, x, m.mean, dy, sums);
    }
}

static void run_grad_weight(const gb_run *run)
{
    int64_t width = gb_last(&run->in[0].shape);
    gb_row_sums(run, gb_rows(&run->in[0].shape), width, width, add_weight_rows, run->out.data);
}

static size_t grad_weight_scratch(const gb_node *node, const gb_shape *in, int threads)
{
    (void)node;
    (void)threads;
    return gb_row_sums_bytes(gb_rows(&in[0]), gb_last(&in[0]), gb_last(&in[0]));
}

static uint64_t flops(const gb_node *node, const gb_shape *in)
{
    (void)node;
    return 7 * (uint64_t)gb_shape_count(&in[0]);
}

static uint64_t grad_flops(const gb_node *node, const gb_shape *in)
{
    return 2 * flops(node, in);
}

const gb_op_definition gb_op_definition_layernorm = {
    .name = "layernorm", .gradient = gradient, .run = run_layernorm, .flops = flops, .in_place = 1};
const gb_op_definition gb_op_definition_layernorm_grad_x = {
    .name = "layernorm_grad_x", .run = run_grad_x, .flops = grad_flops, .in_place = 1 | 4};
const gb_op_definition gb_op_definition_layernorm_grad_weight = {.name = "layernorm_grad_weight",
                                                                 .run = run_grad_weight,
                                                                 .flops = grad_flops,
                                                                 .scratch_bytes =
                                                                     grad_weight_scratch};
