/* Repeats x along axes of size 1 (or missing in front) until it has a shape, as NumPy broadcasts.
 */
#include "tensor/op/strides.h"

#include <string.h>

gb_value gb_op_broadcast(gb_graph *g, gb_value x, gb_shape shape)
{
    if (!gb_graph_usable(g, "broadcast", 1, &x))
        return GB_NONE;
    gb_shape from = gb_value_shape(g, x), joint;
    char a[96], b[96];
    if (gb_value_dtype(g, x) != GB_F32 || !gb_shape_broadcast(&from, &shape, &joint) ||
        !gb_shape_equal(&joint, &shape))
        return gb_graph_mistake(g, GB_ERR_SHAPE, "broadcast: %s cannot become %s",
                                gb_shape_text(&from, a, sizeof a),
                                gb_shape_text(&shape, b, sizeof b));
    if (gb_shape_equal(&from, &shape))
        return x;
    return gb_graph_append(g, GB_OP_BROADCAST, GB_F32, shape, 1, &x, NULL);
}

static void gradient(gb_graph *g, const gb_grad *grad)
{
    gb_grad_add(g, grad, 0,
                gb_op_sum_to_shape(g, grad->grad_out, gb_value_shape(g, grad->node->operand[0])));
}

static void broadcast_rows(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    gb_strides s = gb_strides_of(&run->out.shape, &run->in[0].shape, &run->in[0].shape);
    const float *x = run->in[0].data;
    for (int64_t row = begin; row < end; row++) {
        int64_t at, same;
        gb_strides_row(&s, row, &at, &same);
        float *y = (float *)run->out.data + row * s.inner;
        if (s.inner_a)
            memcpy(y, x + at, sizeof(float) * (size_t)s.inner);
        else
            for (int64_t i = 0; i < s.inner; i++)
                y[i] = x[at];
    }
}

static void run_broadcast(const gb_run *run)
{
    gb_strides s = gb_strides_of(&run->out.shape, &run->in[0].shape, &run->in[0].shape);
    gb_run_ranges(run, s.rows, s.inner, broadcast_rows);
}

const gb_op_definition gb_op_definition_broadcast = {
    .name = "broadcast", .gradient = gradient, .run = run_broadcast};
