/* Mean over the counted targets of log(sum exp(logits)) - logits[target], f32 scalar. Operands:
 * logits
 * [..., V], target i32 [...]; of the gradient also the loss's gradient d (scalar):
 * dlogits = (softmax(logits) - one_hot(target)) d / counted. A target outside [0, V) does not
 * count; with none counted the loss and its gradient are 0. */
#include <math.h>
#include <string.h>

#include "tensor/op/check.h"
#include "tensor/op/row_sums.h"

gb_value gb_op_cross_entropy(gb_graph *g, gb_value logits, gb_value target)
{
    gb_value operands[] = {logits, target};
    if (!gb_graph_usable(g, "cross_entropy", 2, operands) ||
        !gb_check_dtype(g, "cross_entropy", "logits", logits, GB_F32))
        return GB_NONE;
    gb_shape shape = gb_value_shape(g, logits);
    if (shape.rank < 1)
        return gb_graph_mistake(g, GB_ERR_SHAPE,
                                "cross_entropy: logits are a scalar, expected "
                                "[..., classes]");
    if (!gb_check_tensor(g, "cross_entropy", "target", target, GB_I32, gb_leading(shape)))
        return GB_NONE;
    return gb_graph_append(g, GB_OP_CROSS_ENTROPY, GB_F32, GB_SCALAR, 2, operands, NULL);
}

static void gradient(gb_graph *g, const gb_grad *grad)
{
    gb_value operands[] = {grad->node->operand[0], grad->node->operand[1], grad->grad_out};
    gb_shape shape = gb_value_shape(g, operands[0]);
    gb_grad_add(g, grad, 0,
                gb_graph_append(g, GB_OP_CROSS_ENTROPY_GRAD, GB_F32, shape, 3, operands, NULL));
}

static bool counts(int32_t target, int64_t classes)
{
    return target >= 0 && target < classes;
}

/* sums[0] += losses of the rows, sums[1] += how many count. */
static void add_losses(const gb_run *run, int64_t begin, int64_t end, float *sums)
{
    const int32_t *target = run->in[1].data;
    int64_t classes = gb_last(&run->in[0].shape);
    double losses = 0;
    for (int64_t row = begin; row < end; row++) {
        if (!counts(target[row], classes))
            continue;
        const float *x = (const float *)run->in[0].data + row * classes;
        float largest = run->kernels->max(classes, x);
        float sum = run->kernels->exp_shift_sum(classes, x, largest, NULL);
        losses += (double)(logf(sum) - (x[target[row]] - largest));
        sums[1] += 1;
    }
    sums[0] = (float)losses;
}

static void run_cross_entropy(const gb_run *run)
{
    const gb_shape *shape = &run->in[0].shape;
    float sums[2];
    gb_row_sums(run, gb_rows(shape), gb_last(shape), 2, add_losses, sums);
    *(float *)run->out.data = sums[1] > 0 ? sums[0] / sums[1] : 0;
}

static size_t scratch_bytes(const gb_node *node, const gb_shape *in, int threads)
{
    (void)node;
    (void)threads;
    return gb_row_sums_bytes(gb_rows(&in[0]), gb_last(&in[0]), 2);
}

static void grad_rows(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    const int32_t *target = run->in[1].data;
    int64_t classes = gb_last(&run->out.shape);
    float scale = *(const float *)run->scratch; /* d / counted */
    for (int64_t row = begin; row < end; row++) {
        const float *x = (const float *)run->in[0].data + row * classes;
        float *dx = (float *)run->out.data + row * classes;
        if (!counts(target[row], classes)) {
            memset(dx, 0, (size_t)classes * sizeof(float));
            continue;
        }
        float sum = run->kernels->exp_shift_sum(classes, x, run->kernels->max(classes, x), dx);
        run->kernels->affine(classes, dx, scale / sum, 0, dx);
        dx[target[row]] -= scale;
    }
}

static void run_cross_entropy_grad(const gb_run *run)
{
    const int32_t *target = run->in[1].data;
    int64_t rows = gb_rows(&run->out.shape), classes = gb_last(&run->out.shape), counted = 0;
    for (int64_t row = 0; row < rows; row++)
        counted += counts(target[row], classes);
    float d = *(const float *)run->in[2].data;
    *(float *)run->scratch = counted ? d / (float)counted : 0;
    gb_run_ranges(run, rows, classes, grad_rows);
}

static size_t grad_scratch_bytes(const gb_node *node, const gb_shape *in, int threads)
{
    (void)node;
    (void)in;
    (void)threads;
    return sizeof(float);
}

static uint64_t flops(const gb_node *node, const gb_shape *in)
{
    (void)node;
    return 4 * (uint64_t)gb_shape_count(&in[0]);
}

const gb_op_definition gb_op_definition_cross_entropy = {.name = "cross_entropy",
                                                         .gradient = gradient,
                                                         .run = run_cross_entropy,
                                                         .scratch_bytes = scratch_bytes,
                                                         .flops = flops};
const gb_op_definition gb_op_definition_cross_entropy_grad = {.name = "cross_entropy_grad",
                                                              .run = run_cross_entropy_grad,
                                                              .scratch_bytes = grad_scratch_bytes,
                                                              .flops = flops,
                                                              .in_place = 1};
