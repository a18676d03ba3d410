/* y = a op b element by element with broadcasting. attr: i[0] the gb_binary kind.
 * Gradients: add, sub, mul, div; max and min have none. */
#include "tensor/op/strides.h"

static gb_value binary(gb_graph *g, gb_binary kind, gb_value a, gb_value b)
{
    if (!gb_graph_usable(g, "binary", 2, (gb_value[]){a, b}))
        return GB_NONE;
    gb_shape sa = gb_value_shape(g, a), sb = gb_value_shape(g, b), out;
    char ta[96], tb[96];
    if (gb_value_dtype(g, a) != GB_F32 || gb_value_dtype(g, b) != GB_F32)
        return gb_graph_mistake(g, GB_ERR_SHAPE, "element-wise operation: operands must be f32");
    if (!gb_shape_broadcast(&sa, &sb, &out))
        return gb_graph_mistake(g, GB_ERR_SHAPE, "element-wise operation: %s and %s do not fit",
                                gb_shape_text(&sa, ta, sizeof ta),
                                gb_shape_text(&sb, tb, sizeof tb));
    return gb_graph_append(g, GB_OP_BINARY, GB_F32, out, 2, (gb_value[]){a, b},
                           &(gb_attr){.i = {kind}});
}

gb_value gb_op_add(gb_graph *g, gb_value a, gb_value b)
{
    return binary(g, GB_BINARY_ADD, a, b);
}

gb_value gb_op_sub(gb_graph *g, gb_value a, gb_value b)
{
    return binary(g, GB_BINARY_SUB, a, b);
}

gb_value gb_op_mul(gb_graph *g, gb_value a, gb_value b)
{
    return binary(g, GB_BINARY_MUL, a, b);
}

gb_value gb_op_div(gb_graph *g, gb_value a, gb_value b)
{
    return binary(g, GB_BINARY_DIV, a, b);
}

gb_value gb_op_max(gb_graph *g, gb_value a, gb_value b)
{
    return binary(g, GB_BINARY_MAX, a, b);
}

gb_value gb_op_min(gb_graph *g, gb_value a, gb_value b)
{
    return binary(g, GB_BINARY_MIN, a, b);
}

static void credit(gb_graph *g, const gb_grad *grad, int operand, gb_value value)
{
    gb_shape shape = gb_value_shape(g, grad->node->operand[operand]);
    gb_grad_add(g, grad, operand, gb_op_sum_to_shape(g, value, shape));
}

static void gradient(gb_graph *g, const gb_grad *grad)
{
    gb_value a = grad->node->operand[0], b = grad->node->operand[1], dy = grad->grad_out;
    bool to_a = gb_grad_wanted(g, grad, 0), to_b = gb_grad_wanted(g, grad, 1);
    switch ((gb_binary)grad->node->attr.i[0]) {
    case GB_BINARY_ADD:
    case GB_BINARY_SUB:
        if (to_a)
            credit(g, grad, 0, dy);
        if (to_b)
            credit(g, grad, 1,
                   grad->node->attr.i[0] == GB_BINARY_ADD ? dy : gb_op_affine(g, dy, -1.0f, 0.0f));
        break;
    case GB_BINARY_MUL:
        if (to_a)
            credit(g, grad, 0, gb_op_mul(g, dy, b));
        if (to_b)
            credit(g, grad, 1, gb_op_mul(g, dy, a));
        break;
    case GB_BINARY_DIV:
        if (to_a)
            credit(g, grad, 0, gb_op_div(g, dy, b));
        if (to_b)
            credit(g, grad, 1,
                   gb_op_affine(g, gb_op_div(g, gb_op_mul(g, dy, grad->out), b), -1.0f, 0.0f));
        break;
    default:
        gb_graph_mistake(g, GB_ERR_UNSUPPORTED, "max and min have no gradient");
    }
}

static void scalar_first(gb_binary kind, int64_t n, float a, const float *b, float *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = kind == GB_BINARY_SUB ? a - b[i] : a / b[i];
}

static void binary_row(
    const gb_run *run, const gb_strides *s, int64_t n, const float *a, const float *b, float *y)
{
    gb_binary kind = (gb_binary)run->node->attr.i[0];
    bool commutes = kind != GB_BINARY_SUB && kind != GB_BINARY_DIV;
    if (s->inner_a && s->inner_b)
        run->kernels->binary(kind, n, a, b, y);
    else if (s->inner_a)
        run->kernels->binary_scalar(kind, n, a, *b, y);
    else if (commutes)
        run->kernels->binary_scalar(kind, n, b, *a, y);
    else
        scalar_first(kind, n, *a, b, y);
}

static void binary_rows(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    gb_strides s = gb_strides_of(&run->out.shape, &run->in[0].shape, &run->in[1].shape);
    for (int64_t row = begin; row < end; row++) {
        int64_t at_a, at_b;
        gb_strides_row(&s, row, &at_a, &at_b);
        binary_row(run, &s, s.inner, (const float *)run->in[0].data + at_a,
                   (const float *)run->in[1].data + at_b, (float *)run->out.data + row * s.inner);
    }
}

/* One long row: cut inside it. */
static void binary_range(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    gb_strides s = gb_strides_of(&run->out.shape, &run->in[0].shape, &run->in[1].shape);
    binary_row(run, &s, end - begin, (const float *)run->in[0].data + s.inner_a * begin,
               (const float *)run->in[1].data + s.inner_b * begin, (float *)run->out.data + begin);
}

static void run_binary(const gb_run *run)
{
    gb_strides s = gb_strides_of(&run->out.shape, &run->in[0].shape, &run->in[1].shape);
    if (s.rows == 1)
        gb_run_ranges(run, s.inner, 1, binary_range);
    else
        gb_run_ranges(run, s.rows, s.inner, binary_rows);
}

const gb_op_definition gb_op_definition_binary = {
    .name = "binary", .gradient = gradient, .run = run_binary, .in_place = 3};
