/* op/attention.h: what attention, its gradient and attention over a cache share: the softmax
 * weights of a block of query rows. For the files attention*.c only. */
#ifndef GENBA_TENSOR_OP_ATTENTION_H
#define GENBA_TENSOR_OP_ATTENTION_H

#include "tensor/kernel/gemm.h"
#include "tensor/op/qkv.h"

/* Query rows handled at once: their weights over all keys stay in the caches. */
#define GB_ATTENTION_ROWS 64

/* One head's query rows and the keys and values they see, as they lie in memory. */
typedef struct gb_attention_block {
    const float *q, *k, *v;
    int64_t q_stride, kv_stride; /* elements from one row to the next */
    int64_t rows, keys;
    int64_t visible; /* keys that the first row sees; each following row sees one more */
    int64_t E;
    bool bf16;
} gb_attention_block;

/* A thread's own part of the scratch. */
typedef struct gb_attention_scratch {
    float *weights; /* [GB_ATTENTION_ROWS, ld] */
    float *grads;   /* the same, of the weights; only in the gradient */
    float *sums;    /* [GB_ATTENTION_ROWS] */
    void *gemm;     /* of the matrix products */
    int64_t ld;     /* elements from one row to the next */
    size_t bytes_per_thread;
} gb_attention_scratch;

/* Places a thread's scratch for `rows` (at most GB_ATTENTION_ROWS) over `keys` at `memory` (NULL:
 * only the sizes). */
gb_attention_scratch gb_attention_place(
    void *memory, int thread, int64_t rows, int64_t keys, size_t gemm_bytes, bool with_grads);

/* scores = scale q k^T as a product: m rows, n keys. */
gb_gemm gb_attention_scores(const gb_attention_block *b, float *scores, int64_t ld);
/* out = weights v. */
gb_gemm gb_attention_mix(
    const gb_attention_block *b, const float *weights, int64_t ld, float *out, int64_t out_stride);

/* weights[r, j] = exp(score - largest score of the row) for the keys that row r sees, 0 for the
 * others; sums[r] their sum. */
void gb_attention_weigh(const gb_run *run, const gb_attention_block *b, gb_attention_scratch *s);
/* out [rows, E] = softmax(scale q k^T) v. */
void gb_attention_forward(const gb_run *run,
                          const gb_attention_block *b,
                          gb_attention_scratch *s,
                          float *out,
                          int64_t out_stride);

/* Number of keys that query rows [begin, begin + rows) of T can see. */
static inline int64_t gb_attention_keys(bool causal, int64_t begin, int64_t rows, int64_t T)
{
    return causal ? begin + rows : T;
}

static inline int64_t gb_attention_blocks(int64_t T)
{
    return (T + GB_ATTENTION_ROWS - 1) / GB_ATTENTION_ROWS;
}

/* Query rows of the block that starts at `begin`. */
static inline int64_t gb_attention_rows(int64_t begin, int64_t T)
{
    return T - begin < GB_ATTENTION_ROWS ? T - begin : GB_ATTENTION_ROWS;
}

#endif
