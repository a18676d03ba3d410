/* Attention over fused queries, keys and values (Vaswani et al. 2017, eq. 1), with grouped keys and
 * values (Ainslie et al. 2023): query head h reads key/value head h / (H / G).
 *
 *     out[t, h] = sum_j softmax_j(q[t, h] . k[j] / sqrt(E)) v[j],  j <= t if causal
 *
 * A part is one key/value head of one batch row (or some of its blocks of query rows, where there
 * are few of them): it packs the keys and values once, and then runs small matrix products around a
 * softmax whose weights never leave the caches. Dao et al. 2022 keep still less by a running
 * maximum, which pays only for rows longer than these. Nothing is kept for the gradient, which
 * computes the weights again. Not for the gradient (attention_grad.c) nor for a cache
 * (attention_cached.c).
 *
 * attr: i[0] heads, i[1] kv_heads, i[2] causal, i[3] bf16 products. */
#include "tensor/op/attention.h"

/* Fewer parts than this would leave cores idle: query blocks are dealt out as well. */
#define PARTS_WANTED 32

gb_value gb_op_attention(gb_graph *g, gb_value qkv, int heads, int kv_heads, bool causal)
{
    if (!gb_graph_usable(g, "attention", 1, &qkv) ||
        !gb_qkv_fits(g, "attention", qkv, heads, kv_heads))
        return GB_NONE;
    gb_shape shape = gb_value_shape(g, qkv);
    gb_qkv s = gb_qkv_of(&shape, heads, kv_heads);
    bool bf16 = gb_graph_get_options(g).compute == GB_BF16;
    return gb_graph_append(g, GB_OP_ATTENTION, GB_F32, GB_SHAPE(s.B, s.T, s.H * s.E), 1, &qkv,
                           &(gb_attr){.i = {heads, kv_heads, causal, bf16}});
}

static void attention_gradient(gb_graph *g, const gb_grad *grad)
{
    if (!gb_grad_wanted(g, grad, 0))
        return;
    gb_value operands[] = {grad->node->operand[0], grad->grad_out};
    gb_shape shape = gb_value_shape(g, operands[0]);
    gb_grad_add(
        g, grad, 0,
        gb_graph_append(g, GB_OP_ATTENTION_GRAD, GB_F32, shape, 2, operands, &grad->node->attr));
}

/* ---- shared with the gradient ---- */

size_t gb_attention_packed_bytes(gb_attention_product product, int64_t rows, int64_t E, bool bf16)
{
    gb_head_rows block = {.stride = E, .count = rows, .E = E, .bf16 = bf16};
    gb_gemm g = product(&block);
    return gb_lines(gb_gemm_packed_b_bytes(&g));
}

void gb_attention_pack(gb_attention_product product, const gb_head_rows *rows, gb_packed_rows to)
{
    for (int64_t j = 0; j < gb_attention_blocks(rows->count); j++) {
        gb_head_rows block = gb_head_block(rows, j);
        gb_gemm g = product(&block);
        gb_gemm_pack_b(&g, to.data + (size_t)j * to.step, NULL);
    }
}

size_t gb_attention_gemm_bytes(gb_attention_product product, int64_t T, int64_t E, bool bf16)
{
    int64_t full = gb_attention_least(T, GB_ATTENTION_ROWS), rest = T % GB_ATTENTION_ROWS;
    size_t most = 0;
    for (int i = 0; i < 8; i++) {
        gb_head_rows block = {
            .stride = E, .count = (i & 1) && rest ? rest : full, .E = E, .bf16 = bf16};
        gb_gemm g = product(&block);
        g.m = (i & 2) && rest ? rest : full;
        g.lda = g.k, g.ldc = g.n;
        g.beta = (float)(i >> 2);
        g.b_packed = "";
        size_t bytes = gb_gemm_scratch_bytes(&g, 1, 1);
        most = bytes > most ? bytes : most;
    }
    return gb_lines(most);
}

/* ---- forward ---- */

/* Read by all parts of one run, and while planning. */
typedef struct forward {
    const gb_run *run;
    gb_qkv s;
    bool causal, bf16;
    int64_t rows; /* of a full block */
    int64_t blocks, chunks, ld;
    size_t key_step, value_step, weights_bytes, thread_bytes;
} forward;

static forward forward_of(const gb_node *node, const gb_shape *qkv)
{
    forward f = {.s = gb_qkv_of(qkv, node->attr.i[0], node->attr.i[1]),
                 .causal = node->attr.i[2],
                 .bf16 = node->attr.i[3]};
    int64_t E = f.s.E;
    f.rows = gb_attention_least(f.s.T, GB_ATTENTION_ROWS);
    f.blocks = gb_attention_blocks(f.s.T);
    f.chunks = gb_attention_least(f.blocks, (PARTS_WANTED - 1) / (f.s.B * f.s.G) + 1);
    f.ld = gb_attention_ld(f.s.T);
    f.key_step = gb_attention_packed_bytes(gb_attention_across, f.rows, E, f.bf16);
    f.value_step = gb_attention_packed_bytes(gb_attention_along, f.rows, E, f.bf16);
    f.weights_bytes = gb_lines((size_t)(f.rows * f.ld) * sizeof(float));
    size_t across = gb_attention_gemm_bytes(gb_attention_across, f.s.T, E, f.bf16);
    size_t along = gb_attention_gemm_bytes(gb_attention_along, f.s.T, E, f.bf16);
    f.thread_bytes = (size_t)f.blocks * (f.key_step + f.value_step) + f.weights_bytes +
                     (across > along ? across : along);
    return f;
}

/* One block of query rows: q, the first row's number, and where its output lies. */
typedef struct query_block {
    gb_head_rows q;
    int64_t begin;
    float *out;
} query_block;

typedef struct thread_memory {
    gb_packed_rows keys, values;
    float *weights;
    void *gemm;
} thread_memory;

static thread_memory memory_of(const forward *f, int thread)
{
    char *at = (char *)f->run->scratch + (size_t)thread * f->thread_bytes;
    thread_memory m = {.keys = {at, f->key_step}};
    m.values = (gb_packed_rows){at + (size_t)f->blocks * f->key_step, f->value_step};
    m.weights = (float *)(void *)(m.values.data + (size_t)f->blocks * f->value_step);
    m.gemm = (char *)m.weights + f->weights_bytes;
    return m;
}

static void forward_block(const forward *f,
                          const query_block *b,
                          const gb_head_rows *k,
                          const gb_head_rows *v,
                          const thread_memory *m)
{
    const gb_kernels *kernels = f->run->kernels;
    int64_t rows = b->q.count, out_stride = f->s.H * f->s.E;
    int64_t keys = f->causal ? b->begin + rows : f->s.T, blocks = gb_attention_blocks(keys);
    float scale = 1.0f / sqrtf((float)f->s.E), inverse[GB_ATTENTION_ROWS];
    for (int64_t j = 0; j < blocks; j++) {
        gb_head_rows block = gb_head_block(k, j);
        gb_gemm g = gb_attention_across(&block);
        g.m = rows, g.a = b->q.data, g.lda = b->q.stride, g.alpha = scale;
        g.c = m->weights + j * GB_ATTENTION_ROWS, g.ldc = f->ld;
        g.b_packed = m->keys.data + (size_t)j * m->keys.step;
        gb_gemm_run(&g, m->gemm, NULL);
    }
    for (int64_t r = 0; r < rows; r++) {
        int64_t seen = f->causal ? b->begin + r + 1 : keys;
        inverse[r] = 1.0f / gb_attention_exp(f->run, m->weights + r * f->ld, seen, keys);
    }
    for (int64_t j = 0; j < blocks; j++) {
        gb_head_rows block = gb_head_block(v, j);
        gb_gemm g = gb_attention_along(&block);
        g.m = rows, g.a = m->weights + j * GB_ATTENTION_ROWS, g.lda = f->ld;
        g.c = b->out, g.ldc = out_stride, g.beta = j == 0 ? 0.0f : 1.0f;
        g.b_packed = m->values.data + (size_t)j * m->values.step;
        gb_gemm_run(&g, m->gemm, NULL);
    }
    for (int64_t r = 0; r < rows; r++)
        kernels->affine(f->s.E, b->out + r * out_stride, inverse[r], 0.0f, b->out + r * out_stride);
}

/* Part: (batch, key/value head, chunk), the chunk last: blocks chunk, chunk + chunks, ... of query
 * rows, so that each chunk has short and long rows. */
static void attention_part(void *context, int64_t part, int thread)
{
    const forward *f = context;
    gb_qkv s = f->s;
    int64_t chunk = part % f->chunks, kv = part / f->chunks % s.G, batch = part / f->chunks / s.G;
    int64_t group = s.H / s.G;
    const float *rows = (const float *)f->run->in[0].data + batch * s.T * s.width;
    float *out = (float *)f->run->out.data + batch * s.T * s.H * s.E;
    gb_head_rows q = {.stride = s.width, .count = s.T, .E = s.E, .bf16 = f->bf16}, k = q, v = q;
    k.data = rows + (s.H + kv) * s.E;
    v.data = rows + (s.H + s.G + kv) * s.E;
    thread_memory m = memory_of(f, thread);
    gb_attention_pack(gb_attention_across, &k, m.keys);
    gb_attention_pack(gb_attention_along, &v, m.values);
    for (int64_t i = chunk; i < f->blocks; i += f->chunks)
        for (int64_t h = kv * group; h < (kv + 1) * group; h++) {
            q.data = rows + h * s.E;
            int64_t begin = i * GB_ATTENTION_ROWS;
            query_block b = {gb_head_block(&q, i), begin, out + (begin * s.H + h) * s.E};
            forward_block(f, &b, &k, &v, &m);
        }
}

static void attention_run(const gb_run *run)
{
    forward f = forward_of(run->node, &run->in[0].shape);
    f.run = run;
    gb_pool_run(run->pool, attention_part, &f, f.s.B * f.s.G * f.chunks);
}

static size_t attention_scratch_bytes(const gb_node *node, const gb_shape *in, int threads)
{
    return (size_t)threads * forward_of(node, &in[0]).thread_bytes;
}

static uint64_t attention_flops(const gb_node *node, const gb_shape *in)
{
    gb_qkv s = gb_qkv_of(&in[0], node->attr.i[0], node->attr.i[1]);
    double T = (double)s.T, pairs = node->attr.i[2] ? T * (T + 1) / 2 : T * T;
    return gb_flops(4 * (double)(s.B * s.H * s.E) * pairs);
}

const gb_op_definition gb_op_definition_attention = {
    .name = "attention",
    .gradient = attention_gradient,
    .run = attention_run,
    .scratch_bytes = attention_scratch_bytes,
    .flops = attention_flops,
};
