/* Rotary position embedding (Su et al. 2021, "RoFormer", eq. 34) of the query and key heads of a
 * fused qkv; values pass through. Not for learned or absolute positions.
 *
 *     a = (position + t) theta^(-2i/E),  i < E/2
 *     out[i]       = x[i] cos a - x[i + E/2] sin a
 *     out[i + E/2] = x[i + E/2] cos a + x[i] sin a
 *
 * attr: i[0] heads, i[1] kv_heads, i[2] 1 to rotate back; f[0] theta. A rotation is orthogonal, so
 * the gradient is the rotation back. */
#include <math.h>
#include <string.h>

#include "tensor/op/qkv.h"

static gb_value rotate(
    gb_graph *g, gb_value qkv, int heads, int kv_heads, float theta, gb_value position, bool back)
{
    if (!gb_graph_usable(g, "rope", position == GB_NONE ? 1 : 2, (gb_value[]){qkv, position}))
        return GB_NONE;
    if (!gb_qkv_fits(g, "rope", qkv, heads, kv_heads))
        return GB_NONE;
    if (position != GB_NONE && !gb_position_fits(g, "rope", position))
        return GB_NONE;
    gb_shape shape = gb_value_shape(g, qkv);
    int64_t E = gb_qkv_of(&shape, heads, kv_heads).E;
    if (E % 2 != 0)
        return gb_graph_mistake(g, GB_ERR_SHAPE, "rope: head_dim is %lld, expected an even number",
                                (long long)E);
    if (!(theta > 1.0f))
        return gb_graph_mistake(g, GB_ERR_ARGUMENT, "rope: theta is %g, expected more than 1",
                                (double)theta);
    return gb_graph_append(g, GB_OP_ROPE, GB_F32, shape, 2, (gb_value[]){qkv, position},
                           &(gb_attr){.i = {heads, kv_heads, back}, .f = {theta}});
}

gb_value
gb_op_rope(gb_graph *g, gb_value qkv, int heads, int kv_heads, float theta, gb_value position)
{
    return rotate(g, qkv, heads, kv_heads, theta, position, false);
}

static void rope_gradient(gb_graph *g, const gb_grad *grad)
{
    if (!gb_grad_wanted(g, grad, 0))
        return;
    const gb_attr attr = grad->node->attr;
    gb_value position = grad->node->operand[1];
    gb_value back =
        rotate(g, grad->grad_out, (int)attr.i[0], (int)attr.i[1], attr.f[0], position, !attr.i[2]);
    gb_grad_add(g, grad, 0, back);
}

static gb_qkv rope_shape(const gb_run *run)
{
    return gb_qkv_of(&run->out.shape, run->node->attr.i[0], run->node->attr.i[1]);
}

/* Scratch: for each t, E/2 cosines and then E/2 sines. */
static void rope_angles(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    gb_qkv s = rope_shape(run);
    int64_t half = s.E / 2;
    int64_t first = run->in[1].data ? *(const int32_t *)run->in[1].data : 0;
    double sign = run->node->attr.i[2] ? -1.0 : 1.0;
    float *table = run->scratch;
    for (int64_t i = 0; i < half; i++) {
        double frequency = pow((double)run->node->attr.f[0], -2.0 * (double)i / (double)s.E);
        for (int64_t t = begin; t < end; t++) {
            double angle = (double)(first + t) * frequency;
            table[t * s.E + i] = (float)cos(angle);
            table[t * s.E + half + i] = (float)(sign * sin(angle));
        }
    }
}

static void rotate_head(int64_t half,
                        const float *restrict cosine,
                        const float *restrict sine,
                        const float *x,
                        float *out)
{
    for (int64_t i = 0; i < half; i++) {
        float a = x[i], b = x[i + half];
        out[i] = a * cosine[i] - b * sine[i];
        out[i + half] = b * cosine[i] + a * sine[i];
    }
}

static void rope_rows(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    gb_qkv s = rope_shape(run);
    int64_t half = s.E / 2, rotated = s.H + s.G;
    const float *table = run->scratch;
    for (int64_t r = begin; r < end; r++) {
        const float *x = (const float *)run->in[0].data + r * s.width;
        float *out = (float *)run->out.data + r * s.width;
        const float *cosine = table + r % s.T * s.E;
        for (int64_t h = 0; h < rotated; h++)
            rotate_head(half, cosine, cosine + half, x + h * s.E, out + h * s.E);
        if (out != x)
            memcpy(out + rotated * s.E, x + rotated * s.E, (size_t)(s.G * s.E) * sizeof *out);
    }
}

static void rope_run(const gb_run *run)
{
    gb_qkv s = rope_shape(run);
    gb_run_ranges(run, s.T, s.E * 16, rope_angles);
    gb_run_ranges(run, s.B * s.T, s.width, rope_rows);
}

static size_t rope_scratch_bytes(const gb_node *node, const gb_shape *in, int threads)
{
    (void)threads;
    gb_qkv s = gb_qkv_of(&in[0], node->attr.i[0], node->attr.i[1]);
    return (size_t)(s.T * s.E) * sizeof(float);
}

static uint64_t rope_flops(const gb_node *node, const gb_shape *in)
{
    gb_qkv s = gb_qkv_of(&in[0], node->attr.i[0], node->attr.i[1]);
    return (uint64_t)(3 * s.B * s.T * (s.H + s.G) * s.E);
}

const gb_op_definition gb_op_definition_rope = {
    .name = "rope",
    .gradient = rope_gradient,
    .run = rope_run,
    .scratch_bytes = rope_scratch_bytes,
    .flops = rope_flops,
    .in_place = 1u << 0,
};
