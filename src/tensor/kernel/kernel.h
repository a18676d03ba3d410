/* kernel/kernel.h: the row kernels, one const table for each instruction set, picked once. The
 * plain C table (ref) is the oracle; a fast table may leave entries to ref. Matrix products:
 * gemm.h. All pointers are f32 unless said; n is any number >= 0; an output may be an input's
 * memory. */
#ifndef GENBA_KERNEL_H
#define GENBA_KERNEL_H

#include "genba/op.h"

typedef enum gb_binary {
    GB_BINARY_ADD,
    GB_BINARY_SUB,
    GB_BINARY_MUL,
    GB_BINARY_DIV,
    GB_BINARY_MAX,
    GB_BINARY_MIN,
    GB_BINARY_COUNT
} gb_binary;

typedef struct gb_kernels {
    const char *name;
    /* y[i] = a[i] op b[i] */
    void (*binary)(gb_binary kind, int64_t n, const float *a, const float *b, float *y);
    /* y[i] = a[i] op b */
    void (*binary_scalar)(gb_binary kind, int64_t n, const float *a, float b, float *y);
    void (*unary)(gb_unary kind, int64_t n, const float *x, float *y);
    /* dx[i] = dy[i] f'(x[i]) */
    void (*unary_grad)(gb_unary kind, int64_t n, const float *x, const float *dy, float *dx);
    void (*affine)(int64_t n, const float *x, float scale, float offset, float *y);
    void (*axpy)(int64_t n, float a, const float *x, float *y); /* y += a x */
    /* y[i] += scale a[i] b[i] */
    void (*multiply_add)(int64_t n, float scale, const float *a, const float *b, float *y);
    /* y[i] += scale (a[i] - shift) b[i] */
    void (*multiply_add_about)(
        int64_t n, float scale, const float *a, float shift, const float *b, float *y);
    float (*dot)(int64_t n, const float *a, const float *b);
    float (*sum)(int64_t n, const float *x);
    float (*max)(int64_t n, const float *x);                           /* -infinity for n = 0 */
    float (*sum_squares_about)(int64_t n, const float *x, float mean); /* sum of (x - mean)^2 */
    /* y[i] = (x[i] - shift) scale w[i] + b[i]; w NULL: 1, b NULL: 0 */
    void (*normalise)(int64_t n,
                      const float *x,
                      float shift,
                      float scale,
                      const float *w,
                      const float *b,
                      float *y);
    /* sum of dy[i] w[i] (x[i] - shift); w NULL: 1 */
    float (*dot_about)(int64_t n, const float *dy, const float *w, const float *x, float shift);
    /* dx[i] = dy[i] w[i] scale + (x[i] - shift) slope + offset; w NULL: 1 */
    void (*normalise_grad)(int64_t n,
                           const float *dy,
                           const float *w,
                           const float *x,
                           float shift,
                           float scale,
                           float slope,
                           float offset,
                           float *dx);
    /* y[i] = exp(x[i] - shift), returns their sum; y NULL: only the sum */
    float (*exp_shift_sum)(int64_t n, const float *x, float shift, float *y);
    void (*swiglu)(int64_t n, const float *gate, const float *up, float *y);
    void (*swiglu_grad)(
        int64_t n, const float *gate, const float *up, const float *dy, float *dgate, float *dup);
    /* correction1 = 1 / (1 - beta1^t), correction2 alike; w -= rate (m' / (sqrt(v') + epsilon) +
     * decay w) */
    void (*adamw)(int64_t n,
                  float *w,
                  const float *g,
                  float *m,
                  float *v,
                  float beta1,
                  float beta2,
                  float rate,
                  float decay,
                  float epsilon,
                  float correction1,
                  float correction2);
    void (*lerp)(int64_t n, float *target, const float *value, float amount);
    void (*bf16_from_f32)(int64_t n, const float *x, uint16_t *y);
    void (*f32_from_bf16)(int64_t n, const uint16_t *x, float *y);
} gb_kernels;

extern const gb_kernels gb_kernels_ref;
extern const gb_kernels gb_kernels_avx2;
extern const gb_kernels gb_kernels_avx512; /* AMX machines use it too */
/* The table for gb_cpu_get()->used. */
const gb_kernels *gb_kernels_get(void);
/* The table of one level, NULL if this machine cannot run it; for tests. */
const gb_kernels *gb_kernels_of(gb_isa isa);

#endif
