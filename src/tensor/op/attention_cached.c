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

/* One head's query rows and the keys and values they see: unpacked, for few rows meet them. */
typedef struct cached_block {
    const float *q, *k, *v;
    int64_t q_stride, kv_stride, E;
    int64_t rows, seen, keys; /* seen: by the first row, one more by each that follows */
    bool bf16;
} cached_block;

static cached_block block_of(const gb_attr *attr, gb_qkv s, int64_t begin, int64_t first)
{
    int64_t rows = gb_attention_least(s.T - begin, GB_ATTENTION_ROWS);
    return (cached_block){.q_stride = s.width,
                          .kv_stride = 2 * s.G * s.E,
                          .E = s.E,
                          .rows = rows,
                          .seen = first + begin + 1,
                          .keys = first + begin + rows,
                          .bf16 = attr->i[3]};
}

static gb_gemm scores_of(const cached_block *b, float *scores, int64_t ld)
{
    gb_head_rows keys = {b->k, b->kv_stride, b->keys, b->E, b->bf16};
    gb_gemm g = gb_attention_across(&keys);
    g.m = b->rows, g.a = b->q, g.lda = b->q_stride, g.alpha = 1.0f / sqrtf((float)b->E);
    g.c = scores, g.ldc = ld;
    return g;
}

static gb_gemm
mix_of(const cached_block *b, const float *weights, int64_t ld, float *out, int64_t out_stride)
{
    gb_head_rows values = {b->v, b->kv_stride, b->keys, b->E, b->bf16};
    gb_gemm g = gb_attention_along(&values);
    g.m = b->rows, g.a = weights, g.lda = ld;
    g.c = out, g.ldc = out_stride;
    return g;
}

/* The most any block at any position needs. Kept in attr, for a step has no time to ask again. */
static size_t gemm_bytes(const gb_attr *attr, gb_qkv s, int64_t T_max)
{
    size_t most = 0;
    for (int64_t first = 0; first <= T_max - s.T; first++)
        for (int64_t begin = 0; begin < s.T; begin += GB_ATTENTION_ROWS) {
            cached_block b = block_of(attr, s, begin, first);
            gb_gemm scores = scores_of(&b, NULL, T_max);
            gb_gemm mix = mix_of(&b, NULL, T_max, NULL, s.H * s.E);
            size_t one = gb_gemm_scratch_bytes(&scores, 1, 1);
            size_t two = gb_gemm_scratch_bytes(&mix, 1, 1);
            most = one > most ? one : most;
            most = two > most ? two : most;
        }
    return gb_lines(most);
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
    int64_t T_max, first, blocks, ld;
    size_t weights_bytes, thread_bytes;
} cached;

static cached cached_of(const gb_node *node, const gb_shape *qkv, const gb_shape *cache)
{
    cached c = {.s = gb_qkv_of(qkv, node->attr.i[0], node->attr.i[1]), .T_max = cache->dim[1]};
    c.blocks = gb_attention_blocks(c.s.T);
    c.ld = gb_attention_ld(c.T_max);
    int64_t rows = gb_attention_least(c.s.T, GB_ATTENTION_ROWS);
    c.weights_bytes = gb_lines((size_t)(rows * c.ld) * sizeof(float));
    c.thread_bytes = c.weights_bytes + (size_t)node->attr.i[4];
    return c;
}

/* Part: (batch, head, block), the block last. */
static void cached_part(void *context, int64_t part, int thread)
{
    const cached *c = context;
    gb_qkv s = c->s;
    int64_t begin = part % c->blocks * GB_ATTENTION_ROWS;
    int64_t h = part / c->blocks % s.H, batch = part / c->blocks / s.H;
    cached_block b = block_of(&c->run->node->attr, s, begin, c->first);
    b.q = (const float *)c->run->in[0].data + (batch * s.T + begin) * s.width + h * s.E;
    b.k = (const float *)c->run->in[1].data + batch * c->T_max * b.kv_stride;
    b.k += h / (s.H / s.G) * s.E;
    b.v = b.k + s.G * s.E;
    float *weights = (float *)(void *)((char *)c->run->scratch + (size_t)thread * c->thread_bytes);
    void *memory = (char *)weights + c->weights_bytes;
    gb_gemm scores = scores_of(&b, weights, c->ld);
    gb_gemm_run(&scores, memory, NULL);
    for (int64_t r = 0; r < b.rows; r++) {
        float *row = weights + r * c->ld;
        float sum = gb_attention_exp(c->run, row, b.seen + r, b.keys);
        c->run->kernels->affine(b.seen + r, row, 1.0f / sum, 0.0f, row);
    }
    float *out = (float *)c->run->out.data + ((batch * s.T + begin) * s.H + h) * s.E;
    gb_gemm mix = mix_of(&b, weights, c->ld, out, s.H * s.E);
    gb_gemm_run(&mix, memory, NULL);
}

static void attention_cached_run(const gb_run *run)
{
    cached c = cached_of(run->node, &run->in[0].shape, &run->in[1].shape);
    c.run = run;
    c.first = first_row(&run->in[2], c.s.T, c.T_max);
    gb_pool_run(run->pool, cached_part, &c, c.s.B * c.s.H * c.blocks);
}

static size_t attention_cached_scratch_bytes(const gb_node *node, const gb_shape *in, int threads)
{
    return (size_t)threads * cached_of(node, &in[0], &in[1]).thread_bytes;
}

/* As if the cache were full. */
static uint64_t attention_cached_flops(const gb_node *node, const gb_shape *in)
{
    gb_qkv s = gb_qkv_of(&in[0], node->attr.i[0], node->attr.i[1]);
    return gb_flops(4 * (double)(s.B * s.T * s.H * s.E) * (double)in[1].dim[1]);
}

const gb_op_definition gb_op_definition_cache_write = {
    .name = "cache_write",
    .run = cache_write_run,
    .updates = 1,
};

const gb_op_definition gb_op_definition_attention_cached = {
    .name = "attention_cached",
    .run = attention_cached_run,
    .scratch_bytes = attention_cached_scratch_bytes,
    .flops = attention_cached_flops,
};
