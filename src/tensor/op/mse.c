/* Mean over all elements of weight (prediction - target)^2, f32 scalar; weight of the same shape or
 * none. Operands: prediction, target, weight; of the gradient also the loss's gradient d (scalar):
 * dprediction = 2 d weight (prediction - target) / n, and -dprediction for the target. The weight
 * has no gradient. The mean divides by the number of elements, not by the sum of the weights. */
#include "tensor/op/check.h"
#include "tensor/op/row_sums.h"

enum {
    CHUNK = 512 /* differences kept on the stack */
};

gb_value gb_op_mse(gb_graph *g, gb_value prediction, gb_value target, gb_value weight)
{
    gb_value operands[] = {prediction, target, weight};
    if (!gb_graph_usable(g, "mse", weight == GB_NONE ? 2 : 3, operands) ||
        !gb_check_dtype(g, "mse", "prediction", prediction, GB_F32))
        return GB_NONE;
    gb_shape shape = gb_value_shape(g, prediction);
    if (!gb_check_tensor(g, "mse", "target", target, GB_F32, shape) ||
        (weight != GB_NONE && !gb_check_tensor(g, "mse", "weight", weight, GB_F32, shape)))
        return GB_NONE;
    return gb_graph_append(g, GB_OP_MSE, GB_F32, GB_SCALAR, 3, operands, NULL);
}

static void gradient(gb_graph *g, const gb_grad *grad)
{
    const gb_value *of = grad->node->operand;
    gb_value operands[] = {of[0], of[1], of[2], grad->grad_out};
    gb_value value =
        gb_graph_append(g, GB_OP_MSE_GRAD, GB_F32, gb_value_shape(g, of[0]), 4, operands, NULL);
    gb_grad_add(g, grad, 0, value);
    if (gb_grad_wanted(g, grad, 1))
        gb_grad_add(g, grad, 1, gb_op_affine(g, value, -1, 0));
}

/* sums[0] += sum of weight (prediction - target)^2. */
static void add_squares(const gb_run *run, int64_t begin, int64_t end, float *sums)
{
    const float *p = run->in[0].data, *t = run->in[1].data, *w = run->in[2].data;
    double total = 0;
    for (int64_t i = begin; i < end; i += CHUNK) {
        float e[CHUNK];
        int64_t n = end - i < CHUNK ? end - i : CHUNK;
        run->kernels->binary(GB_BINARY_SUB, n, p + i, t + i, e);
        total += (double)run->kernels->dot_about(n, e, w ? w + i : NULL, e, 0);
    }
    sums[0] = (float)total;
}

static void run_mse(const gb_run *run)
{
    int64_t count = gb_shape_count(&run->in[0].shape);
    float sum;
    gb_row_sums(run, count, 1, 1, add_squares, &sum);
    *(float *)run->out.data = count ? sum / (float)count : 0;
}

static size_t scratch_bytes(const gb_node *node, const gb_shape *in, int threads)
{
    (void)node;
    (void)threads;
    return gb_row_sums_bytes(gb_shape_count(&in[0]), 1, 1);
}

static void grad_range(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    const float *p = run->in[0].data, *t = run->in[1].data, *w = run->in[2].data;
    float *dp = run->out.data;
    double count = (double)gb_shape_count(&run->out.shape);
    float scale = (float)(2 * (double)*(const float *)run->in[3].data / count);
    for (int64_t i = begin; i < end; i += CHUNK) {
        float e[CHUNK];
        int64_t n = end - i < CHUNK ? end - i : CHUNK;
        run->kernels->binary(GB_BINARY_SUB, n, p + i, t + i, e);
        run->kernels->normalise(n, e, 0, scale, w ? w + i : NULL, NULL, dp + i);
    }
}

static void run_mse_grad(const gb_run *run)
{
    gb_run_ranges(run, gb_shape_count(&run->out.shape), 1, grad_range);
}

static uint64_t flops(const gb_node *node, const gb_shape *in)
{
    (void)node;
    return 3 * (uint64_t)gb_shape_count(&in[0]);
}

const gb_op_definition gb_op_definition_mse = {.name = "mse",
                                               .gradient = gradient,
                                               .run = run_mse,
                                               .scratch_bytes = scratch_bytes,
                                               .flops = flops};
const gb_op_definition gb_op_definition_mse_grad = {
    .name = "mse_grad", .run = run_mse_grad, .flops = flops, .in_place = 1 | 2};
