/* Quantile ("pinball") loss (Koenker, Bassett 1978), f32 scalar: with e = target - prediction, the
 * sum over elements and levels q of weight max(q e, (q - 1) e), divided by counted elements times
 * levels. An element whose target is NaN does not count, neither in the sum nor in the number; with
 * none counted the loss and its gradient are 0. Operands: prediction [..., Q], target [...], weight
 * [...] or none; of the gradient also the loss's gradient d (scalar): dprediction = d weight (1 - q
 * where e < 0, -q where e > 0) / (counted Q). Target and weight are data and get no gradient. attr
 * of both: list the levels, i[7] Q. */
#include <math.h>

#include "tensor/op/check.h"
#include "tensor/op/row_sums.h"

enum {
    LEVELS_MOST = 32
};

static bool levels_fit(gb_graph *g, const gb_shape *shape, const float *levels, int count)
{
    char text[96];
    if (shape->rank < 1 || count < 1 || count > LEVELS_MOST || gb_last(shape) != count) {
        gb_graph_mistake(g, GB_ERR_SHAPE,
                         "pinball: prediction is %s for %d levels, expected a last axis of as many "
                         "(1 to %d)",
                         gb_shape_text(shape, text, sizeof text), count, LEVELS_MOST);
        return false;
    }
    for (int i = 0; i < count; i++)
        if (!(levels[i] > 0 && levels[i] < 1)) {
            gb_graph_mistake(g, GB_ERR_ARGUMENT,
                             "pinball: level %d is %g, expected between 0 and 1", i,
                             (double)levels[i]);
            return false;
        }
    return true;
}

gb_value gb_op_pinball(gb_graph *g,
                       gb_value prediction,
                       gb_value target,
                       gb_value weight,
                       const float *levels,
                       int count)
{
    gb_value operands[] = {prediction, target, weight};
    if (!gb_graph_usable(g, "pinball", weight == GB_NONE ? 2 : 3, operands) ||
        !gb_check_dtype(g, "pinball", "prediction", prediction, GB_F32))
        return GB_NONE;
    gb_shape shape = gb_value_shape(g, prediction);
    if (!levels_fit(g, &shape, levels, count))
        return GB_NONE;
    gb_shape lead = gb_leading(shape);
    if (!gb_check_tensor(g, "pinball", "target", target, GB_F32, lead) ||
        (weight != GB_NONE && !gb_check_tensor(g, "pinball", "weight", weight, GB_F32, lead)))
        return GB_NONE;
    gb_attr attr = {.i = {[7] = count}, .list = gb_graph_keep(g, levels, count)};
    return gb_graph_append(g, GB_OP_PINBALL, GB_F32, GB_SCALAR, 3, operands, &attr);
}

static void gradient(gb_graph *g, const gb_grad *grad)
{
    const gb_value *of = grad->node->operand;
    gb_value operands[] = {of[0], of[1], of[2], grad->grad_out};
    gb_grad_add(g, grad, 0,
                gb_graph_append(g, GB_OP_PINBALL_GRAD, GB_F32, gb_value_shape(g, of[0]), 4,
                                operands, &grad->node->attr));
}

/* sums[0] += losses of the elements, sums[1] += how many count. */
static void add_losses(const gb_run *run, int64_t begin, int64_t end, float *sums)
{
    const float *p = run->in[0].data, *target = run->in[1].data, *weight = run->in[2].data;
    const float *levels = run->node->attr.list;
    int64_t count = run->node->attr.i[7];
    double total = 0;
    for (int64_t row = begin; row < end; row++) {
        if (isnan(target[row]))
            continue;
        float sum = 0;
        for (int64_t q = 0; q < count; q++) {
            float e = target[row] - p[row * count + q];
            sum += e < 0 ? (levels[q] - 1) * e : levels[q] * e;
        }
        total += (double)(weight ? weight[row] * sum : sum);
        sums[1] += 1;
    }
    sums[0] = (float)total;
}

static void run_pinball(const gb_run *run)
{
    float sums[2], count = (float)run->node->attr.i[7];
    gb_row_sums(run, gb_rows(&run->in[0].shape), run->node->attr.i[7], 2, add_losses, sums);
    *(float *)run->out.data = sums[1] > 0 ? sums[0] / (sums[1] * count) : 0;
}

static void count_targets(const gb_run *run, int64_t begin, int64_t end, float *sums)
{
    const float *target = run->in[1].data;
    int64_t counted = 0;
    for (int64_t row = begin; row < end; row++)
        counted += !isnan(target[row]);
    sums[0] = (float)counted;
}

static size_t scratch_bytes(const gb_node *node, const gb_shape *in, int threads)
{
    (void)node;
    (void)threads;
    size_t ours = gb_row_sums_bytes(gb_rows(&in[0]), gb_last(&in[0]), 2);
    size_t counting = gb_row_sums_bytes(gb_rows(&in[0]), 1, 1);
    return ours > counting ? ours : counting;
}

static void grad_rows(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    const float *p = run->in[0].data, *target = run->in[1].data, *weight = run->in[2].data;
    const float *levels = run->node->attr.list;
    float *dp = run->out.data, each = *(const float *)run->scratch; /* d / (counted Q) */
    int64_t count = run->node->attr.i[7];
    for (int64_t row = begin; row < end; row++) {
        float scale = weight ? each * weight[row] : each;
        for (int64_t i = row * count, q = 0; q < count; i++, q++) {
            float e = target[row] - p[i];
            float slope = e < 0 ? 1 - levels[q] : e > 0 ? -levels[q] : e; /* e is 0 or NaN */
            dp[i] = isnan(target[row]) ? 0 : scale * slope;
        }
    }
}

static void run_pinball_grad(const gb_run *run)
{
    int64_t rows = gb_rows(&run->out.shape), count = run->node->attr.i[7];
    float counted;
    gb_row_sums(run, rows, 1, 1, count_targets, &counted);
    float d = *(const float *)run->in[3].data;
    *(float *)run->scratch = counted > 0 ? d / (counted * (float)count) : 0;
    gb_run_ranges(run, rows, count, grad_rows);
}

static uint64_t flops(const gb_node *node, const gb_shape *in)
{
    (void)node;
    return 4 * (uint64_t)gb_shape_count(&in[0]);
}

const gb_op_definition gb_op_definition_pinball = {.name = "pinball",
                                                   .gradient = gradient,
                                                   .run = run_pinball,
                                                   .scratch_bytes = scratch_bytes,
                                                   .flops = flops};
const gb_op_definition gb_op_definition_pinball_grad = {.name = "pinball_grad",
                                                        .run = run_pinball_grad,
                                                        .scratch_bytes = scratch_bytes,
                                                        .flops = flops,
                                                        .in_place = 1};
