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

#include <math.h>

/* A block of query rows in the backward pass: where its gradients come from and go to. */
typedef struct backward_block {
    gb_attention_block f;
    const float *dout; /* [rows, E] */
    int64_t dout_stride;
    float *dq, *dk, *dv; /* rows q_stride or kv_stride apart */
    float beta;          /* 0 for the first block of a key/value head, then 1 */
} backward_block;

typedef struct products {
    gb_gemm dweights, dq, dk, dv;
} products;

static products products_of(const backward_block *b, float *weights, float *grads, int64_t ld)
{
    int64_t rows = b->f.rows, keys = b->f.keys, E = b->f.E;
    gb_gemm base = {.bf16_compute = b->f.bf16, .alpha = 1.0f};
    products p = {base, base, base, base};
    /* dP [rows, keys] = dO v^T */
    p.dweights.m = rows, p.dweights.n = keys, p.dweights.k = E;
    p.dweights.a = b->dout, p.dweights.lda = b->dout_stride;
    p.dweights.b = b->f.v, p.dweights.ldb = b->f.kv_stride, p.dweights.transpose_b = true;
    p.dweights.c = grads, p.dweights.ldc = ld;
    /* dq [rows, E] = dS k */
    p.dq.m = rows, p.dq.n = E, p.dq.k = keys;
    p.dq.a = grads, p.dq.lda = ld;
    p.dq.b = b->f.k, p.dq.ldb = b->f.kv_stride;
    p.dq.c = b->dq, p.dq.ldc = b->f.q_stride;
    /* dk [keys, E] += dS^T q */
    p.dk.m = keys, p.dk.n = E, p.dk.k = rows;
    p.dk.a = grads, p.dk.lda = ld, p.dk.transpose_a = true;
    p.dk.b = b->f.q, p.dk.ldb = b->f.q_stride;
    p.dk.c = b->dk, p.dk.ldc = b->f.kv_stride, p.dk.beta = b->beta;
    /* dv [keys, E] += P^T dO */
    p.dv.m = keys, p.dv.n = E, p.dv.k = rows;
    p.dv.a = weights, p.dv.lda = ld, p.dv.transpose_a = true;
    p.dv.b = b->dout, p.dv.ldb = b->dout_stride;
    p.dv.c = b->dv, p.dv.ldc = b->f.kv_stride, p.dv.beta = b->beta;
    return p;
}

static void backward(const gb_run *run, const backward_block *b, gb_attention_scratch *s)
{
    const gb_kernels *kernels = run->kernels;
    products p = products_of(b, s->weights, s->grads, s->ld);
    gb_attention_weigh(run, &b->f, s);
    gb_gemm_run(&p.dweights, s->gemm, NULL);
    float scale = 1.0f / sqrtf((float)b->f.E);
    for (int64_t r = 0; r < b->f.rows; r++) {
        float *weight = s->weights + r * s->ld, *grad = s->grads + r * s->ld;
        kernels->affine(b->f.keys, weight, 1.0f / s->sums[r], 0.0f, weight);
        float mean = kernels->dot(b->f.keys, weight, grad);
        kernels->normalise(b->f.keys, grad, mean, scale, weight, NULL, grad);
    }
    gb_gemm_run(&p.dq, s->gemm, NULL);
    gb_gemm_run(&p.dk, s->gemm, NULL);
    gb_gemm_run(&p.dv, s->gemm, NULL);
}

/* Read by all parts of one run. */
typedef struct gradient {
    const gb_run *run;
    gb_qkv s;
    bool causal, bf16;
    size_t gemm_bytes;
} gradient;

static gradient gradient_of(const gb_node *node, const gb_shape *qkv)
{
    return (gradient){.s = gb_qkv_of(qkv, node->attr.i[0], node->attr.i[1]),
                      .causal = node->attr.i[2],
                      .bf16 = node->attr.i[3]};
}

/* Block `begin` of query head h of one batch row; qkv, dout and dqkv are that row's. */
static backward_block block_of(
    const gradient *c, int64_t h, int64_t begin, const float *qkv, const float *dout, float *dqkv)
{
    gb_qkv s = c->s;
    int64_t kv = h / (s.H / s.G), q_at = begin * s.width + h * s.E;
    int64_t k_at = (s.H + kv) * s.E, v_at = (s.H + s.G + kv) * s.E;
    backward_block b = {.f = {.q = qkv + q_at,
                              .k = qkv + k_at,
                              .v = qkv + v_at,
                              .q_stride = s.width,
                              .kv_stride = s.width,
                              .rows = gb_attention_rows(begin, s.T),
                              .visible = c->causal ? begin + 1 : s.T,
                              .E = s.E,
                              .bf16 = c->bf16},
                        .dout = dout + (begin * s.H + h) * s.E,
                        .dout_stride = s.H * s.E,
                        .dq = dqkv + q_at,
                        .dk = dqkv + k_at,
                        .dv = dqkv + v_at};
    b.f.keys = gb_attention_keys(c->causal, begin, b.f.rows, s.T);
    return b;
}

static gb_attention_scratch place(const gradient *c, void *memory, int thread)
{
    return gb_attention_place(memory, thread, gb_attention_rows(0, c->s.T), c->s.T, c->gemm_bytes,
                              true);
}

/* Part: (batch, key/value head). The last block goes first: it sees all keys, so it sets dk and dv
 * and the others add. */
static void gradient_part(void *context, int64_t part, int thread)
{
    const gradient *c = context;
    gb_qkv s = c->s;
    int64_t batch = part / s.G, kv = part % s.G, group = s.H / s.G;
    const float *qkv = (const float *)c->run->in[0].data + batch * s.T * s.width;
    const float *dout = (const float *)c->run->in[1].data + batch * s.T * s.H * s.E;
    float *dqkv = (float *)c->run->out.data + batch * s.T * s.width;
    gb_attention_scratch scratch = place(c, c->run->scratch, thread);
    float beta = 0.0f;
    for (int64_t block = gb_attention_blocks(s.T) - 1; block >= 0; block--) {
        for (int64_t h = kv * group; h < (kv + 1) * group; h++) {
            backward_block b = block_of(c, h, block * GB_ATTENTION_ROWS, qkv, dout, dqkv);
            b.beta = beta;
            backward(c->run, &b, &scratch);
            beta = 1.0f;
        }
    }
}

/* The most any block needs. */
static size_t gemm_bytes(const gradient *c)
{
    gb_qkv s = c->s;
    size_t most = 0;
    for (int64_t begin = 0; begin < s.T; begin += GB_ATTENTION_ROWS) {
        for (int beta = 0; beta < 2; beta++) {
            backward_block b = {.f = {.q_stride = s.width,
                                      .kv_stride = s.width,
                                      .rows = gb_attention_rows(begin, s.T),
                                      .E = s.E,
                                      .bf16 = c->bf16},
                                .dout_stride = s.H * s.E,
                                .beta = (float)beta};
            b.f.keys = gb_attention_keys(c->causal, begin, b.f.rows, s.T);
            products p = products_of(&b, NULL, NULL, s.T);
            gb_gemm scores = gb_attention_scores(&b.f, NULL, s.T);
            const gb_gemm *all[] = {&scores, &p.dweights, &p.dq, &p.dk, &p.dv};
            for (int i = 0; i < 5; i++) {
                size_t bytes = gb_gemm_scratch_bytes(all[i], 1, 1);
                most = bytes > most ? bytes : most;
            }
        }
    }
    return most;
}

static void attention_grad_run(const gb_run *run)
{
    gradient c = gradient_of(run->node, &run->in[0].shape);
    c.run = run;
    c.gemm_bytes = gemm_bytes(&c);
    gb_pool_run(run->pool, gradient_part, &c, c.s.B * c.s.G);
}

static size_t attention_grad_scratch_bytes(const gb_node *node, const gb_shape *in, int threads)
{
    gradient c = gradient_of(node, &in[0]);
    c.gemm_bytes = gemm_bytes(&c);
    return (size_t)threads * place(&c, NULL, 0).bytes_per_thread;
}

static uint64_t attention_grad_flops(const gb_node *node, const gb_shape *in)
{
    gb_qkv s = gradient_of(node, &in[0]).s;
    int64_t pairs = node->attr.i[2] ? s.T * (s.T + 1) / 2 : s.T * s.T;
    return (uint64_t)(10 * s.B * s.H * s.E * pairs);
}

const gb_op_definition gb_op_definition_attention_grad = {
    .name = "attention_grad",
    .run = attention_grad_run,
    .scratch_bytes = attention_grad_scratch_bytes,
    .flops = attention_grad_flops,
};
