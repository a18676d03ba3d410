/* Between the driver (gemm.c) and the kernels of one instruction set: a constant table each.
 *
 * Packed B: panels of nr columns. A panel holds its k rows one after another: f32 [k][nr], or bf16
 * with two rows interleaved, [k/2][nr][2], k rounded up to k_multiple with zeros. Columns beyond n
 * are zeros. Packed A: groups of `rows` rows, each [k][rows] in f32 (the layout of the AMX kernel
 * is its own affair). */
#ifndef GENBA_TENSOR_KERNEL_GEMM_KERNEL_H
#define GENBA_TENSOR_KERNEL_GEMM_KERNEL_H

#include "tensor/kernel/gemm.h"

/* What is to be packed: `count` rows of op(A) or columns of op(B), k long. */
typedef struct gb_gemm_pack {
    const void *source;
    gb_dtype type;
    int64_t outer, inner; /* strides: element (x, k) is source[x * outer + k * inner]; one is 1 */
    int64_t count, k;
    int64_t rows; /* of a group; A only */
    bool bf16;    /* A: round to bf16. B: store as bf16 */
} gb_gemm_pack;

/* A block of C. Where packed A has the kernel's own layout (a_rows > 0), a_row is the distance of
 * two rows and a_col that of two tiles, 32 steps of k apart. sums += A[m,k] B[k,n] for one range of
 * k; the last range finishes C. */
typedef struct gb_gemm_block {
    int64_t m, n, k;
    int64_t rows;  /* of a group of A, at most mr; the last group may have fewer */
    const void *a; /* element (i, k) of group g at a[g * a_group + i * a_row + k * a_col] */
    int64_t a_group, a_row, a_col; /* elements */
    const void *b;                 /* first panel at the first k of the block */
    int64_t b_panel, b_row;        /* elements from panel to panel, and from k to k (f32 only) */
    bool b_bf16;
    float *sums; /* [m, n], raw sums between ranges of k; may be c itself */
    int64_t ld_sums;
    bool first, last;
    void *c;
    int64_t ldc;
    gb_dtype c_type;
    float alpha, beta;
    const float *bias; /* at the block's first column, or NULL */
    gb_activation activation;
    bool plain; /* the epilogue only stores f32 */
} gb_gemm_block;

/* C[m,n] of a few rows with B stored [n,k]: dot products along k, f32 without packing. */
typedef struct gb_gemm_dot {
    gb_gemm_block out; /* m, n, k, a, a_row, c and the epilogue */
    int64_t ldb;
} gb_gemm_dot;

typedef struct gb_gemm_kernel {
    gb_isa isa;
    int mr, nr;         /* the register tile */
    int k_multiple;     /* packed bf16 panels are padded to this */
    int64_t mc, kc, nc; /* the largest block: rows, depth, columns */
    int a_rows;         /* tile kernels: rows of a tile of A, in bf16; else 0 */
    double part_flops;  /* less than this is not worth handing to another thread */
    void (*pack_a)(const gb_gemm_pack *pack, void *packed);
    void (*pack_b)(const gb_gemm_pack *pack, void *packed);
    void (*end)(void); /* on each thread after its blocks of one part; may be NULL */
    void (*block)(const gb_gemm_block *block);
    void (*dot)(const gb_gemm_dot *dot);
    /* c = epilogue(sums[0] + sums[1] + ...), slices `stride` floats apart. */
    void (*reduce)(const gb_gemm_block *out, int64_t slices, int64_t stride);
} gb_gemm_kernel;

extern const gb_gemm_kernel gb_gemm_avx2, gb_gemm_avx512, gb_gemm_amx;

/* The table that serves a product on this level; NULL means the reference. */
const gb_gemm_kernel *gb_gemm_kernel_pick(const gb_gemm *g, gb_isa isa);

/* The functions of gemm.h for a given table (tests compare tables within one process). */
size_t gb_gemm_kernel_packed_b_bytes(const gb_gemm_kernel *kernel, const gb_gemm *g);
void gb_gemm_kernel_pack_b(const gb_gemm_kernel *kernel,
                           const gb_gemm *g,
                           void *packed,
                           gb_pool *pool);
size_t gb_gemm_kernel_scratch_bytes(const gb_gemm_kernel *kernel,
                                    const gb_gemm *g,
                                    int threads,
                                    int64_t batch);
void gb_gemm_kernel_run(const gb_gemm_kernel *kernel,
                        const gb_gemm *g,
                        int64_t batch,
                        int64_t stride_a,
                        int64_t stride_b,
                        int64_t stride_c,
                        void *scratch,
                        gb_pool *pool);

/* The oracle: plain loops, sums in double. Its packed B is op(B) as f32 [k, n]. */
void gb_gemm_ref_pack_b(const gb_gemm *g, float *packed);
void gb_gemm_ref_rows(const gb_gemm *g, int64_t first_row, int64_t rows);

static inline float gb_bf16_to_f32(uint16_t half)
{
    union {
        uint32_t bits;
        float value;
    } u = {.bits = (uint32_t)half << 16};
    return u.value;
}

/* Nearest even; a NaN stays a NaN. */
static inline uint16_t gb_f32_to_bf16(float value)
{
    union {
        float value;
        uint32_t bits;
    } u = {.value = value};
    if (value != value)
        return (uint16_t)(u.bits >> 16 | 0x40);
    return (uint16_t)((u.bits + 0x7fff + (u.bits >> 16 & 1)) >> 16);
}

#endif
