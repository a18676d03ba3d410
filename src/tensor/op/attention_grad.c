/* The gradient of attention with respect to its fused queries, keys and values.
 *
 *     P = softmax(scale q k^T),  dP = dO v^T,  dS = scale P (dP - sum_j P dP)
 *     dq = dS k,  dk = sum over query rows dS^T q,  dv = sum over query rows P^T dO
 *
 * P is computed again from q and k. One part is one key/value head of one batch row: it owns dk and
 * dv and adds the blocks of query rows in one order, so the bits do not depend on the threads.
 *
 * Operands: qkv, d out. attr as attention's. */
#include "tensor/op/attention.h"

/* Read by all parts of one run, and while planning. */
typedef struct gradient {
    const gb_run *run;
    gb_qkv s;
    bool causal, bf16;
    int64_t blocks, ld;
    size_t across_step, along_step; /* of one packed block */
    size_t weights_bytes, thread_bytes;
} gradient;

static gradient gradient_of(const gb_node *node, const gb_shape *qkv)
{
    gradient c = {.s = gb_qkv_of(qkv, node->attr.i[0], node->attr.i[1]),
                  .causal = node->attr.i[2],
                  .bf16 = node->attr.i[3]};
    int64_t E = c.s.E, T = c.s.T, rows = gb_attention_least(T, GB_ATTENTION_ROWS);
    c.blocks = gb_attention_blocks(T);
    c.ld = gb_attention_ld(T);
    c.across_step = gb_attention_packed_bytes(gb_attention_across, rows, E, c.bf16);
    c.along_step = gb_attention_packed_bytes(gb_attention_along, rows, E, c.bf16);
    c.weights_bytes = gb_lines((size_t)(rows * c.ld) * sizeof(float));
    size_t across = gb_attention_gemm_bytes(gb_attention_across, T, E, c.bf16);
    size_t along = gb_attention_gemm_bytes(gb_attention_along, T, E, c.bf16);
    c.thread_bytes = (size_t)c.blocks * (2 * c.across_step + c.along_step) + 2 * c.along_step +
                     2 * c.weights_bytes + (across > along ? across : along);
    return c;
}

typedef struct thread_memory {
    gb_packed_rows k_across, v_across, k_along; /* all blocks of keys */
    gb_packed_rows q_along, dout_along;         /* one block of query rows */
    float *weights, *grads;                     /* [rows, ld] */
    void *gemm;
} thread_memory;

static gb_packed_rows take(char **at, size_t step, int64_t blocks)
{
    gb_packed_rows rows = {*at, step};
    *at += step * (size_t)blocks;
    return rows;
}

static thread_memory memory_of(const gradient *c, int thread)
{
    char *at = (char *)c->run->scratch + (size_t)thread * c->thread_bytes;
    thread_memory m;
    m.k_across = take(&at, c->across_step, c->blocks);
    m.v_across = take(&at, c->across_step, c->blocks);
    m.k_along = take(&at, c->along_step, c->blocks);
    m.q_along = take(&at, c->along_step, 1);
    m.dout_along = take(&at, c->along_step, 1);
    m.weights = (float *)(void *)take(&at, c->weights_bytes, 1).data;
    m.grads = (float *)(void *)take(&at, c->weights_bytes, 1).data;
    m.gemm = at;
    return m;
}

/* One head of one batch row, all T rows: what is read, and where gradients go. */
typedef struct head_rows {
    gb_head_rows q, k, v, dout;
    float *dq, *dk, *dv; /* rows q.stride apart */
} head_rows;

static head_rows rows_of(const gradient *c, int64_t batch, int64_t h)
{
    gb_qkv s = c->s;
    int64_t kv = h / (s.H / s.G), k_at = (s.H + kv) * s.E, v_at = (s.H + s.G + kv) * s.E;
    const float *qkv = (const float *)c->run->in[0].data + batch * s.T * s.width;
    float *dqkv = (float *)c->run->out.data + batch * s.T * s.width;
    gb_head_rows rows = {.stride = s.width, .count = s.T, .E = s.E, .bf16 = c->bf16};
    head_rows r = {.q = rows, .k = rows, .v = rows, .dout = rows};
    r.q.data = qkv + h * s.E, r.dq = dqkv + h * s.E;
    r.k.data = qkv + k_at, r.dk = dqkv + k_at;
    r.v.data = qkv + v_at, r.dv = dqkv + v_at;
    r.dout.data = (const float *)c->run->in[1].data + (batch * s.T * s.H + h) * s.E;
    r.dout.stride = s.H * s.E;
    return r;
}

/* out [rows of a, all keys] = scale a b^T for the packed blocks of b. */
static void across(const gradient *c,
                   const gb_head_rows *a,
                   const gb_head_rows *b,
                   const gb_packed_rows *packed,
                   float scale,
                   int64_t blocks,
                   float *out,
                   const thread_memory *m)
{
    for (int64_t j = 0; j < blocks; j++) {
        gb_head_rows block = gb_head_block(b, j);
        gb_gemm g = gb_attention_across(&block);
        g.m = a->count, g.a = a->data, g.lda = a->stride, g.alpha = scale;
        g.c = out + j * GB_ATTENTION_ROWS, g.ldc = c->ld;
        g.b_packed = packed->data + (size_t)j * packed->step;
        gb_gemm_run(&g, m->gemm, NULL);
    }
}

/* Weights P and the gradients dS of the scores, both [rows, keys]. */
static void
weigh(const gradient *c, int64_t begin, int64_t rows, int64_t keys, const thread_memory *m)
{
    const gb_kernels *kernels = c->run->kernels;
    float scale = 1.0f / sqrtf((float)c->s.E);
    for (int64_t r = 0; r < rows; r++) {
        float *weight = m->weights + r * c->ld, *grad = m->grads + r * c->ld;
        int64_t seen = c->causal ? begin + r + 1 : keys;
        float sum = gb_attention_exp(c->run, weight, seen, keys);
        kernels->affine(seen, weight, 1.0f / sum, 0.0f, weight);
        float mean = kernels->dot(seen, weight, grad);
        kernels->normalise(seen, grad, mean, scale, weight, NULL, grad);
        memset(grad + seen, 0, (size_t)(keys - seen) * sizeof *grad);
    }
}

/* out [keys of block j, E] (+)= a^T b, a [rows, ld]: the rows of a block of keys. */
static void add_transposed(const gradient *c,
                           const float *a,
                           const gb_head_rows *b,
                           const gb_packed_rows *packed,
                           int64_t keys,
                           bool first,
                           float *out,
                           const thread_memory *m)
{
    gb_gemm g = gb_attention_along(b);
    g.m = keys, g.a = a, g.lda = c->ld, g.transpose_a = true;
    g.c = out, g.ldc = c->s.width, g.beta = first ? 0.0f : 1.0f;
    g.b_packed = packed->data;
    gb_gemm_run(&g, m->gemm, NULL);
}

/* Block i of query rows of one head. `first`: dk and dv hold nothing yet. */
static void
gradient_block(const gradient *c, const head_rows *r, int64_t i, bool first, const thread_memory *m)
{
    gb_head_rows q = gb_head_block(&r->q, i), dout = gb_head_block(&r->dout, i);
    int64_t begin = i * GB_ATTENTION_ROWS, keys = c->causal ? begin + q.count : c->s.T;
    int64_t blocks = gb_attention_blocks(keys);
    gb_attention_pack(gb_attention_along, &q, m->q_along);
    gb_attention_pack(gb_attention_along, &dout, m->dout_along);
    across(c, &q, &r->k, &m->k_across, 1.0f / sqrtf((float)q.E), blocks, m->weights, m);
    across(c, &dout, &r->v, &m->v_across, 1.0f, blocks, m->grads, m);
    weigh(c, begin, q.count, keys, m);
    for (int64_t j = 0; j < blocks; j++) {
        gb_head_rows k = gb_head_block(&r->k, j);
        int64_t at = j * GB_ATTENTION_ROWS, to = at * c->s.width;
        gb_gemm g = gb_attention_along(&k);
        g.m = q.count, g.a = m->grads + at, g.lda = c->ld;
        g.c = r->dq + begin * c->s.width, g.ldc = c->s.width, g.beta = j == 0 ? 0.0f : 1.0f;
        g.b_packed = m->k_along.data + (size_t)j * m->k_along.step;
        gb_gemm_run(&g, m->gemm, NULL);
        add_transposed(c, m->grads + at, &q, &m->q_along, k.count, first, r->dk + to, m);
        add_transposed(c, m->weights + at, &dout, &m->dout_along, k.count, first, r->dv + to, m);
    }
}

/* Part: (batch, key/value head). The last block goes first: it sees all keys, so it sets dk and dv
 * and the others add. */
static void gradient_part(void *context, int64_t part, int thread)
{
    const gradient *c = context;
    int64_t batch = part / c->s.G, kv = part % c->s.G, group = c->s.H / c->s.G;
    thread_memory m = memory_of(c, thread);
    head_rows r = rows_of(c, batch, kv * group);
    gb_attention_pack(gb_attention_across, &r.k, m.k_across);
    gb_attention_pack(gb_attention_across, &r.v, m.v_across);
    gb_attention_pack(gb_attention_along, &r.k, m.k_along);
    for (int64_t i = c->blocks - 1; i >= 0; i--)
        for (int64_t h = kv * group; h < (kv + 1) * group; h++) {
            r = rows_of(c, batch, h);
            gradient_block(c, &r, i, i == c->blocks - 1 && h == kv * group, &m);
        }
}

static void attention_grad_run(const gb_run *run)
{
    gradient c = gradient_of(run->node, &run->in[0].shape);
    c.run = run;
    gb_pool_run(run->pool, gradient_part, &c, c.s.B * c.s.G);
}

static size_t attention_grad_scratch_bytes(const gb_node *node, const gb_shape *in, int threads)
{
    return (size_t)threads * gradient_of(node, &in[0]).thread_bytes;
}

static uint64_t attention_grad_flops(const gb_node *node, const gb_shape *in)
{
    gb_qkv s = gb_qkv_of(&in[0], node->attr.i[0], node->attr.i[1]);
    double T = (double)s.T, pairs = node->attr.i[2] ? T * (T + 1) / 2 : T * T;
    return gb_flops(10 * (double)(s.B * s.H * s.E) * pairs);
}

const gb_op_definition gb_op_definition_attention_grad = {
    .name = "attention_grad",
    .run = attention_grad_run,
    .scratch_bytes = attention_grad_scratch_bytes,
    .flops = attention_grad_flops,
};
