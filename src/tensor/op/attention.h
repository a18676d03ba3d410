/* op/attention.h: what attention, its gradient and attention over a cache share. Query rows and
 * keys are handled in blocks of GB_ATTENTION_ROWS: a block of weights stays in the nearest caches,
 * and a block of keys or values is packed once for all query rows that meet it. For the files
 * attention*.c only. */
#ifndef GENBA_TENSOR_OP_ATTENTION_H
#define GENBA_TENSOR_OP_ATTENTION_H

#include <math.h>
#include <string.h>

#include "tensor/kernel/gemm.h"
#include "tensor/op/qkv.h"

#define GB_ATTENTION_ROWS 64

/* Rows of one head as they lie in memory: queries, keys, values or their gradients. */
typedef struct gb_head_rows {
    const float *data; /* [count, E] */
    int64_t stride;    /* elements from one row to the next */
    int64_t count, E;
    bool bf16; /* of the products they enter */
} gb_head_rows;

/* Blocks of rows laid out for the matrix kernels, one behind the other. */
typedef struct gb_packed_rows {
    char *data;
    size_t step; /* bytes from one block to the next */
} gb_packed_rows;

static inline int64_t gb_attention_blocks(int64_t rows)
{
    return (rows + GB_ATTENTION_ROWS - 1) / GB_ATTENTION_ROWS;
}

static inline gb_head_rows gb_head_block(const gb_head_rows *rows, int64_t block)
{
    gb_head_rows one = *rows;
    int64_t begin = block * GB_ATTENTION_ROWS, left = rows->count - begin;
    one.data += begin * rows->stride;
    one.count = left < GB_ATTENTION_ROWS ? left : GB_ATTENTION_ROWS;
    return one;
}

/* Products by the rows of b; the caller sets m, a and c. Across: [m, E] b^T -> [m, count]; along:
 * [m, count] b -> [m, E]. */
static inline gb_gemm gb_attention_across(const gb_head_rows *b)
{
    return (gb_gemm){.n = b->count,
                     .k = b->E,
                     .transpose_b = true,
                     .bf16_compute = b->bf16,
                     .b = b->data,
                     .ldb = b->stride,
                     .alpha = 1.0f};
}

static inline gb_gemm gb_attention_along(const gb_head_rows *b)
{
    return (gb_gemm){.n = b->E,
                     .k = b->count,
                     .bf16_compute = b->bf16,
                     .b = b->data,
                     .ldb = b->stride,
                     .alpha = 1.0f};
}

typedef gb_gemm (*gb_attention_product)(const gb_head_rows *b);

/* Bytes of one packed block in this direction. */
size_t gb_attention_packed_bytes(gb_attention_product product, int64_t rows, int64_t E, bool bf16);
void gb_attention_pack(gb_attention_product product, const gb_head_rows *rows, gb_packed_rows to);
/* The most scratch that a product in this direction needs, packed, among blocks of T rows. */
size_t gb_attention_gemm_bytes(gb_attention_product product, int64_t T, int64_t E, bool bf16);

/* A row of scores becomes exp(score - largest), zeros after the first `seen` of `keys`; returns
 * the sum. */
static inline float gb_attention_exp(const gb_run *run, float *row, int64_t seen, int64_t keys)
{
    float sum = run->kernels->exp_shift_sum(seen, row, run->kernels->max(seen, row), row);
    memset(row + seen, 0, (size_t)(keys - seen) * sizeof *row);
    return sum;
}

static inline size_t gb_lines(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

/* Elements from one row of weights to the next. */
static inline int64_t gb_attention_ld(int64_t keys)
{
    return (keys + 15) & ~(int64_t)15;
}

static inline int64_t gb_attention_least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

#endif
