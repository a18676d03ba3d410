/* f32 <-> bf16 (round to nearest even) and i32 -> f32 (exact below 2^24). Operand: x; attr: none,
 * the types are those of operand and result. Gradients are f32 on both sides of a cast, so the
 * gradient of one passes through; integers have none. */
#include "tensor/op/check.h"

gb_value gb_op_cast(gb_graph *g, gb_value x, gb_dtype dtype)
{
    if (!gb_graph_usable(g, "cast", 1, &x))
        return GB_NONE;
    gb_dtype from = gb_value_dtype(g, x);
    if (from == dtype)
        return x;
    if (!(from == GB_F32 && dtype == GB_BF16) && !(from == GB_BF16 && dtype == GB_F32) &&
        !(from == GB_I32 && dtype == GB_F32))
        return gb_graph_mistake(g, GB_ERR_ARGUMENT,
                                "cast: no cast from %s to %s, expected F32 to BF16, BF16 to F32 or "
                                "I32 to F32",
                                gb_dtype_name(from), gb_dtype_name(dtype));
    return gb_graph_append(g, GB_OP_CAST, dtype, gb_value_shape(g, x), 1, &x, NULL);
}

static void gradient(gb_graph *g, const gb_grad *grad)
{
    if (gb_value_dtype(g, grad->node->operand[0]) != GB_I32)
        gb_grad_add(g, grad, 0, grad->grad_out);
}

static void cast_range(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    const void *x = run->in[0].data;
    if (run->in[0].dtype == GB_BF16) {
        run->kernels->f32_from_bf16(end - begin, (const uint16_t *)x + begin,
                                    (float *)run->out.data + begin);
    } else if (run->in[0].dtype == GB_F32) {
        run->kernels->bf16_from_f32(end - begin, (const float *)x + begin,
                                    (uint16_t *)run->out.data + begin);
    } else {
        for (int64_t i = begin; i < end; i++)
            ((float *)run->out.data)[i] = (float)((const int32_t *)x)[i];
    }
}

static void run_cast(const gb_run *run)
{
    gb_run_ranges(run, gb_shape_count(&run->out.shape), 1, cast_range);
}

const gb_op_definition gb_op_definition_cast = {
    .name = "cast", .gradient = gradient, .run = run_cast};
