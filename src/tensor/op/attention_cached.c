/* Attention of T new rows over keys and values kept from before, for running a model step by step.
 * Not differentiable. Three things happen in order: the new keys and values are written into the
 * cache (operation cache_write, which updates the state), then row t sees cache rows 0 to
 * position + t.
 *
 *     cache [B, T_max, 2, G E]: for each row the keys of all heads, then the values
 *
 * position is clamped to [0, T_max - T]: a caller that goes past the end overwrites the last rows
 * instead of memory that is not its own.
 *
 * attr of both: i[0] heads, i[1] kv_heads, i[3] bf16 products, i[4] scratch bytes of one
 * thread's matrix products. */
#include "tensor/op/attention.h"

#include <string.h>

static bool cache_fits(gb_graph *g, gb_value cache, gb_qkv s)
{
    const gb_node *node = gb_graph_node(g, cache);
    const gb_shape *shape = &node->shape;
    if (node->op == GB_OP_LEAF && node->attr.i[0] == GB_LEAF_STATE && node->dtype == GB_F32 &&
        shape->rank == 4 && shape->dim[0] == s.B && shape->dim[1] >= s.T && shape->dim[2] == 2 &&
        shape->dim[3] == s.G * s.E)
        return true;
    char text[96];
    gb_graph_mistake(g, GB_ERR_SHAPE,
                     "attention_cached: cache is %s %s, expected an F32 state [%lld, at least "
                     "%lld, 2, %lld]",
                     gb_dtype_name(node->dtype), gb_shape_text(shape, text, sizeof text),
                     (long long)s.B, (long long)s.T, (long long)(s.G * s.E));
    return false;
}

static gb_attention_block block_of(const gb_attr *attr, gb_qkv s, int64_t begin, int64_t first)
{
    gb_attention_block b = {.q_stride = s.width,
                            .kv_stride = 2 * s.G * s.E,
                            .rows = gb_attention_rows(begin, s.T),
                            .visible = first + begin + 1,
                            .E = s.E,
                            .bf16 = attr->i[3]};
    b.keys = first + begin + b.rows;
    return b;
}

/* The most any block at any position needs. Kept in attr, for a step has no time to ask again. */
static size_t gemm_bytes(const gb_attr *attr, gb_qkv s, int64_t T_max)
{
    size_t most = 0;
    for (int64_t first = 0; first <= T_max - s.T; first++)
        for (int64_t begin = 0; begin < s.T; begin += GB_ATTENTION_ROWS) {
            gb_attention_block b = block_of(attr, s, begin, first);
            gb_gemm scores = gb_attention_scores(&b, NULL, T_max);
            gb_gemm mix = gb_attention_mix(&b, NULL, T_max, NULL, s.H * s.E);
            size_t one = gb_gemm_scratch_bytes(&scores, 1, 1);
            size_t two = gb_gemm_scratch_bytes(&mix, 1, 1);
            most = one > most ? one : most;
            most = two > most ? two : most;
        }
    return most;
}

gb_value gb_op_attention_cached(
    gb_graph *g, gb_value qkv, int heads, int kv_heads, gb_value cache, gb_value position)
{
    static const char op[] = "attention_cached";
    if (!gb_graph_usable(g, op, 3, (gb_value[]){qkv, cache, position}) ||
        !gb_qkv_fits(g, op, qkv, heads, kv_heads) || !gb_position_fits(g, op, position))
        return GB_NONE;
    gb_shape shape = gb_value_shape(g, qkv), cache_shape = gb_value_shape(g, cache);
    gb_qkv s = gb_qkv_of(&shape, heads, kv_heads);
    if (!cache_fits(g, cache, s))
        return GB_NONE;
    bool bf16 = gb_graph_get_options(g).compute == GB_BF16;
    gb_attr attr = {.i = {heads, kv_heads, 0, bf16}};
    attr.i[4] = (int64_t)gemm_bytes(&attr, s, cache_shape.dim[1]);
    gb_value write[] = {cache, qkv, position};
    gb_value written = gb_graph_append(g, GB_OP_CACHE_WRITE, GB_F32, cache_shape, 3, write, &attr);
    gb_value read[] = {qkv, written, position};
    shape = GB_SHAPE(s.B, s.T, s.H * s.E);
    return gb_graph_append(g, GB_OP_ATTENTION_CACHED, GB_F32, shape, 3, read, &attr);
}

static int64_t first_row(const gb_tensor *position, int64_t T, int64_t T_max)
{
    int64_t first = *(const int32_t *)position->data;
    first = first < T_max - T ? first : T_max - T;
    return first > 0 ? first : 0;
}

/* ---- writing ---- */

static void cache_write_rows(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    gb_qkv s = gb_qkv_of(&run->in[1].shape, run->node->attr.i[0], run->node->attr.i[1]);
    int64_t T_max = run->out.shape.dim[1], row = 2 * s.G * s.E;
    int64_t first = first_row(&run->in[2], s.T, T_max);
    for (int64_t r = begin; r < end; r++) {
        int64_t to = r / s.T * T_max + first + r % s.T;
        memcpy((float *)run->out.data + to * row,
               (const float *)run->in[1].data + r * s.width + s.H * s.E,
               (size_t)row * sizeof(float));
    }
}

static void cache_write_run(const gb_run *run)
{
    const gb_shape *shape = &run->in[1].shape;
    gb_run_ranges(run, shape->dim[0] * shape->dim[1], run->out.shape.dim[3] * 2, cache_write_rows);
}

/* ---- reading ---- */

typedef struct cached {
    const gb_run *run;
    gb_qkv s;
    int64_t T_max, first, blocks;
} cached;

static gb_attention_scratch
place(const gb_node *node, gb_qkv s, int64_t T_max, void *memory, int thread)
{
    return gb_attention_place(memory, thread, gb_attention_rows(0, s.T), T_max,
                              (size_t)node->attr.i[4], false);
}

/* Part: (batch, head, block), the block last. */
static void cached_part(void *context, int64_t part, int thread)
{
    const cached *c = context;
    gb_qkv s = c->s;
    int64_t begin = part % c->blocks * GB_ATTENTION_ROWS;
    int64_t h = part / c->blocks % s.H, batch = part / c->blocks / s.H;
    const float *qkv = (const float *)c->run->in[0].data + batch * s.T * s.width;
    const float *rows = (const float *)c->run->in[1].data + batch * c->T_max * 2 * s.G * s.E;
    gb_attention_block b = block_of(&c->run->node->attr, s, begin, c->first);
    b.q = qkv + begin * s.width + h * s.E;
    b.k = rows + h / (s.H / s.G) * s.E;
    b.v = b.k + s.G * s.E;
    gb_attention_scratch scratch = place(c->run->node, s, c->T_max, c->run->scratch, thread);
    float *out = (float *)c->run->out.data + ((batch * s.T + begin) * s.H + h) * s.E;
    gb_attention_forward(c->run, &b, &scratch, out, s.H * s.E);
}

static void attention_cached_run(const gb_run *run)
{
    const gb_node *node = run->node;
    gb_qkv s = gb_qkv_of(&run->in[0].shape, node->attr.i[0], node->attr.i[1]);
    int64_t T_max = run->in[1].shape.dim[1];
    cached c = {.run = run,
                .s = s,
                .T_max = T_max,
                .first = first_row(&run->in[2], s.T, T_max),
                .blocks = gb_attention_blocks(s.T)};
    gb_pool_run(run->pool, cached_part, &c, s.B * s.H * c.blocks);
}

static size_t attention_cached_scratch_bytes(const gb_node *node, const gb_shape *in, int threads)
{
    gb_qkv s = gb_qkv_of(&in[0], node->attr.i[0], node->attr.i[1]);
    return (size_t)threads * place(node, s, in[1].dim[1], NULL, 0).bytes_per_thread;
}

/* As if the cache were full. */
static uint64_t attention_cached_flops(const gb_node *node, const gb_shape *in)
{
    gb_qkv s = gb_qkv_of(&in[0], node->attr.i[0], node->attr.i[1]);
    return (uint64_t)(4 * s.B * s.T * s.H * s.E * in[1].dim[1]);
}

const gb_op_definition gb_op_definition_cache_write = {
    .name = "cache_write",
    .run = cache_write_run,
    .updates = true,
};

const gb_op_definition gb_op_definition_attention_cached = {
    .name = "attention_cached",
    .run = attention_cached_run,
    .scratch_bytes = attention_cached_scratch_bytes,
    .flops = attention_cached_flops,
};
