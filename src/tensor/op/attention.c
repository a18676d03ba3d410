/* Attention over fused queries, keys and values (Vaswani et al. 2017, eq. 1), with grouped keys and
 * values (Ainslie et al. 2023): query head h reads key/value head h / (H / G).
 *
 *     out[t, h] = sum_j softmax_j(q[t, h] . k[j] / sqrt(E)) v[j],  j <= t if causal
 *
 * One part is one block of query rows of one head: two small matrix products around a softmax whose
 * weights never leave the caches (Dao et al. 2022 keep less by a running maximum, which pays only
 * for longer rows than these). Nothing is kept for the gradient: it computes the weights again.
 * Not for the gradient (attention_grad.c) nor for a cache (attention_cached.c).
 *
 * attr: i[0] heads, i[1] kv_heads, i[2] causal, i[3] bf16 products. */
#include "tensor/op/attention.h"

#include <math.h>
#include <string.h>

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

/* ---- shared with the gradient and the cache ---- */

static size_t aligned(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

gb_attention_scratch gb_attention_place(
    void *memory, int thread, int64_t rows, int64_t keys, size_t gemm_bytes, bool with_grads)
{
    gb_attention_scratch s = {.ld = (keys + 15) & ~(int64_t)15};
    size_t weights = aligned((size_t)(rows * s.ld) * sizeof(float));
    size_t sums = aligned(GB_ATTENTION_ROWS * sizeof(float));
    s.bytes_per_thread = weights * (with_grads ? 2 : 1) + sums + aligned(gemm_bytes);
    if (!memory)
        return s;
    char *at = (char *)memory + (size_t)thread * s.bytes_per_thread;
    s.weights = (float *)at;
    at += weights;
    if (with_grads) {
        s.grads = (float *)at;
        at += weights;
    }
    s.sums = (float *)at;
    s.gemm = at + sums;
    return s;
}

gb_gemm gb_attention_scores(const gb_attention_block *b, float *scores, int64_t ld)
{
    return (gb_gemm){.m = b->rows,
                     .n = b->keys,
                     .k = b->E,
                     .transpose_b = true,
                     .bf16_compute = b->bf16,
                     .a = b->q,
                     .lda = b->q_stride,
                     .b = b->k,
                     .ldb = b->kv_stride,
                     .c = scores,
                     .ldc = ld,
                     .alpha = 1.0f / sqrtf((float)b->E)};
}

gb_gemm gb_attention_mix(
    const gb_attention_block *b, const float *weights, int64_t ld, float *out, int64_t out_stride)
{
    return (gb_gemm){.m = b->rows,
                     .n = b->E,
                     .k = b->keys,
                     .bf16_compute = b->bf16,
                     .a = weights,
                     .lda = ld,
                     .b = b->v,
                     .ldb = b->kv_stride,
                     .c = out,
                     .ldc = out_stride,
                     .alpha = 1.0f};
}

void gb_attention_weigh(const gb_run *run, const gb_attention_block *b, gb_attention_scratch *s)
{
    gb_gemm scores = gb_attention_scores(b, s->weights, s->ld);
    gb_gemm_run(&scores, s->gemm, NULL);
    for (int64_t r = 0; r < b->rows; r++) {
        float *row = s->weights + r * s->ld;
        int64_t seen = b->visible + r < b->keys ? b->visible + r : b->keys;
        s->sums[r] = run->kernels->exp_shift_sum(seen, row, run->kernels->max(seen, row), row);
        memset(row + seen, 0, (size_t)(b->keys - seen) * sizeof *row);
    }
}

void gb_attention_forward(const gb_run *run,
                          const gb_attention_block *b,
                          gb_attention_scratch *s,
                          float *out,
                          int64_t out_stride)
{
    gb_attention_weigh(run, b, s);
    gb_gemm mix = gb_attention_mix(b, s->weights, s->ld, out, out_stride);
    gb_gemm_run(&mix, s->gemm, NULL);
    for (int64_t r = 0; r < b->rows; r++) {
        float *row = out + r * out_stride;
        run->kernels->affine(b->E, row, 1.0f / s->sums[r], 0.0f, row);
    }
}

/* ---- forward ---- */

static gb_qkv shape_of(const gb_node *node, const gb_shape *qkv)
{
    return gb_qkv_of(qkv, node->attr.i[0], node->attr.i[1]);
}

/* The most any block needs: blocks differ in rows and keys. */
static size_t gemm_bytes(const gb_node *node, gb_qkv s)
{
    size_t most = 0;
    for (int64_t begin = 0; begin < s.T; begin += GB_ATTENTION_ROWS) {
        gb_attention_block b = {.q_stride = s.width,
                                .kv_stride = s.width,
                                .rows = gb_attention_rows(begin, s.T),
                                .E = s.E,
                                .bf16 = node->attr.i[3]};
        b.keys = gb_attention_keys(node->attr.i[2], begin, b.rows, s.T);
        gb_gemm scores = gb_attention_scores(&b, NULL, s.T);
        gb_gemm mix = gb_attention_mix(&b, NULL, s.T, NULL, s.H * s.E);
        size_t bytes[] = {gb_gemm_scratch_bytes(&scores, 1, 1), gb_gemm_scratch_bytes(&mix, 1, 1)};
        for (int i = 0; i < 2; i++)
            most = bytes[i] > most ? bytes[i] : most;
    }
    return most;
}

static gb_attention_scratch place(gb_qkv s, size_t gemm_bytes, void *memory, int thread)
{
    return gb_attention_place(memory, thread, gb_attention_rows(0, s.T), s.T, gemm_bytes, false);
}

/* Read by all parts of one run. */
typedef struct forward {
    const gb_run *run;
    gb_qkv s;
    int64_t blocks; /* of query rows, in one head */
    size_t gemm_bytes;
} forward;

/* Part: (batch, head, block), the block last. */
static void attention_part(void *context, int64_t part, int thread)
{
    const forward *f = context;
    const gb_node *node = f->run->node;
    gb_qkv s = f->s;
    bool causal = node->attr.i[2];
    int64_t begin = part % f->blocks * GB_ATTENTION_ROWS;
    int64_t h = part / f->blocks % s.H, batch = part / f->blocks / s.H;
    int64_t kv = h / (s.H / s.G);
    const float *rows = (const float *)f->run->in[0].data + batch * s.T * s.width;
    gb_attention_block b = {.q = rows + begin * s.width + h * s.E,
                            .k = rows + (s.H + kv) * s.E,
                            .v = rows + (s.H + s.G + kv) * s.E,
                            .q_stride = s.width,
                            .kv_stride = s.width,
                            .rows = gb_attention_rows(begin, s.T),
                            .visible = causal ? begin + 1 : s.T,
                            .E = s.E,
                            .bf16 = node->attr.i[3]};
    b.keys = gb_attention_keys(causal, begin, b.rows, s.T);
    gb_attention_scratch scratch = place(s, f->gemm_bytes, f->run->scratch, thread);
    float *out = (float *)f->run->out.data + ((batch * s.T + begin) * s.H + h) * s.E;
    gb_attention_forward(f->run, &b, &scratch, out, s.H * s.E);
}

static void attention_run(const gb_run *run)
{
    gb_qkv s = shape_of(run->node, &run->in[0].shape);
    forward f = {.run = run,
                 .s = s,
                 .blocks = gb_attention_blocks(s.T),
                 .gemm_bytes = gemm_bytes(run->node, s)};
    gb_pool_run(run->pool, attention_part, &f, s.B * s.H * f.blocks);
}

static size_t attention_scratch_bytes(const gb_node *node, const gb_shape *in, int threads)
{
    gb_qkv s = shape_of(node, &in[0]);
    return (size_t)threads * place(s, gemm_bytes(node, s), NULL, 0).bytes_per_thread;
}

static uint64_t attention_flops(const gb_node *node, const gb_shape *in)
{
    gb_qkv s = shape_of(node, &in[0]);
    int64_t pairs = node->attr.i[2] ? s.T * (s.T + 1) / 2 : s.T * s.T;
    return (uint64_t)(4 * s.B * s.H * s.E * pairs);
}

const gb_op_definition gb_op_definition_attention = {
    .name = "attention",
    .gradient = attention_gradient,
    .run = attention_run,
    .scratch_bytes = attention_scratch_bytes,
    .flops = attention_flops,
};
