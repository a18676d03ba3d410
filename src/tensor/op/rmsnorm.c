/* y = x r w with r = 1 / sqrt(mean(x^2) + epsilon) over the last axis (Zhang, Sennrich 2019).
 * attr of all three: f[0] epsilon. Operands: x, weight [D] or none; of the gradients: x, weight,
 * dy. With g = dy w:  dx = r g - x r^3 mean(g x);  dw = sum over rows of dy x r. */
#include <math.h>

#include "tensor/op/check.h"
#include "tensor/op/row_sums.h"

gb_value gb_op_rmsnorm(gb_graph *g, gb_value x, gb_value weight, float epsilon)
{
    int count = weight == GB_NONE ? 1 : 2;
    gb_value operands[] = {x, weight};
    if (!gb_graph_usable(g, "rmsnorm", count, operands) ||
        !gb_check_dtype(g, "rmsnorm", "x", x, GB_F32))
        return GB_NONE;
    gb_shape shape = gb_value_shape(g, x);
    if (weight != GB_NONE &&
        !gb_check_tensor(g, "rmsnorm", "weight", weight, GB_F32, GB_SHAPE(gb_last(&shape))))
        return GB_NONE;
    if (!(epsilon >= 0))
        return gb_graph_mistake(g, GB_ERR_ARGUMENT, "rmsnorm: epsilon %g, expected 0 or more",
                                (double)epsilon);
    return gb_graph_append(g, GB_OP_RMSNORM, GB_F32, shape, 2, operands,
                           &(gb_attr){.f = {epsilon}});
}

static void gradient(gb_graph *g, const gb_grad *grad)
{
    const gb_attr *attr = &grad->node->attr;
    gb_value x = grad->node->operand[0], weight = grad->node->operand[1];
    gb_value operands[] = {x, weight, grad->grad_out};
    gb_shape shape = gb_value_shape(g, x);
    if (gb_grad_wanted(g, grad, 0))
        gb_grad_add(g, grad, 0,
                    gb_graph_append(g, GB_OP_RMSNORM_GRAD_X, GB_F32, shape, 3, operands, attr));
    if (gb_grad_wanted(g, grad, 1))
        gb_grad_add(g, grad, 1,
                    gb_graph_append(g, GB_OP_RMSNORM_GRAD_WEIGHT, GB_F32, GB_SHAPE(gb_last(&shape)),
                                    3, operands, attr));
}

static float reciprocal_rms(const gb_run *run, const float *x, int64_t width)
{
    float mean = run->kernels->sum_squares_about(width, x, 0) / (float)width;
    return 1 / sqrtf(mean + run->node->attr.f[0]);
}

static void rmsnorm_rows(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    int64_t width = gb_last(&run->out.shape);
    for (int64_t row = begin; row < end; row++) {
        const float *x = (const float *)run->in[0].data + row * width;
        run->kernels->normalise(width, x, 0, reciprocal_rms(run, x, width), run->in[1].data, NULL,
                                (float *)run->out.data + row * width);
    }
}

static void run_rmsnorm(const gb_run *run)
{
    gb_run_ranges(run, gb_rows(&run->out.shape), gb_last(&run->out.shape), rmsnorm_rows);
}

static void grad_x_rows(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    int64_t width = gb_last(&run->out.shape);
    const float *w = run->in[1].data;
    for (int64_t row = begin; row < end; row++) {
        const float *x = (const float *)run->in[0].data + row * width;
        const float *dy = (const float *)run->in[2].data + row * width;
        float r = reciprocal_rms(run, x, width);
        float mean = run->kernels->dot_about(width, dy, w, x, 0) / (float)width;
        run->kernels->normalise_grad(width, dy, w, x, 0, r, -r * (r * r * mean), 0,
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
        run->kernels->multiply_add(width, reciprocal_rms(run, x, width), x,
                                   (const float *)run->in[2].data + row * width, sums);
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
    return 4 * (uint64_t)gb_shape_count(&in[0]);
}

static uint64_t grad_flops(const gb_node *node, const gb_shape *in)
{
    return 2 * flops(node, in);
}

const gb_op_definition gb_op_definition_rmsnorm = {
    .name = "rmsnorm", .gradient = gradient, .run = run_rmsnorm, .flops = flops, .in_place = 1};
const gb_op_definition gb_op_definition_rmsnorm_grad_x = {
    .name = "rmsnorm_grad_x", .run = run_grad_x, .flops = grad_flops, .in_place = 1 | 4};
const gb_op_definition gb_op_definition_rmsnorm_grad_weight = {.name = "rmsnorm_grad_weight",
                                                               .run = run_grad_weight,
                                                               .flops = grad_flops,
                                                               .scratch_bytes =
                                                                   grad_weight_scratch};
