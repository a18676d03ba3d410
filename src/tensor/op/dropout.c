/* y = x / (1 - p) where kept, 0 where dropped with probability p (Srivastava et al. 2014). Which
 * elements are kept is a function of graph seed, the node's stream, step and index only: the same
 * on any number of threads, when recomputed, and in the gradient, which is this operation on dy.
 * Operands: x, step (i32 scalar). attr: i[0] stream, f[0] p. */
#include "tensor/op/chance.h"
#include "tensor/op/check.h"

enum {
    CHUNK = 1024 /* random numbers kept on the stack; a multiple of what one call makes best */
};

gb_value gb_op_dropout(gb_graph *g, gb_value x, float probability, gb_value step)
{
    gb_value operands[] = {x, step};
    if (!gb_graph_usable(g, "dropout", 2, operands) ||
        !gb_check_dtype(g, "dropout", "x", x, GB_F32) ||
        !gb_check_scalar(g, "dropout", "step", step, GB_I32))
        return GB_NONE;
    if (!(probability >= 0 && probability < 1))
        return gb_graph_mistake(g, GB_ERR_ARGUMENT,
                                "dropout: probability %g, expected 0 up to below 1",
                                (double)probability);
    if (probability == 0)
        return x;
    gb_attr attr = {.i = {gb_graph_next_stream(g)}, .f = {probability}};
    return gb_graph_append(g, GB_OP_DROPOUT, GB_F32, gb_value_shape(g, x), 2, operands, &attr);
}

static void gradient(gb_graph *g, const gb_grad *grad)
{
    gb_value operands[] = {grad->grad_out, grad->node->operand[1]};
    gb_grad_add(g, grad, 0,
                gb_graph_append(g, GB_OP_DROPOUT, GB_F32, grad->node->shape, 2, operands,
                                &grad->node->attr));
}

static void dropout_range(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    float probability = run->node->attr.f[0], scale = 1 / (1 - probability);
    uint64_t stream = gb_chance_stream(run, 1);
    for (int64_t i = begin; i < end; i += CHUNK) {
        float chance[CHUNK];
        int64_t n = end - i < CHUNK ? end - i : CHUNK;
        const float *x = (const float *)run->in[0].data + i;
        float *y = (float *)run->out.data + i;
        gb_random_fill_uniform(run->seed, stream, (uint64_t)i, chance, (size_t)n);
        for (int64_t k = 0; k < n; k++)
            y[k] = chance[k] < probability ? 0 : x[k] * scale;
    }
}

static void run_dropout(const gb_run *run)
{
    gb_run_ranges(run, gb_shape_count(&run->out.shape), 1, dropout_range);
}

const gb_op_definition gb_op_definition_dropout = {
    .name = "dropout", .gradient = gradient, .run = run_dropout, .in_place = 1};
