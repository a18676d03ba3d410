/* genba/op.h: the operations of a graph (tensor room). Each appends one node (or a few) and returns
 * its value; shapes and types are checked at once, a mistake is kept in gb_graph_status and
 * GB_NONE returned. Names of dimensions: B batch, T sequence, D width, H heads, G key/value heads,
 * E head_dim, K kernel rows or the joint axis of a product, V vocabulary; "[...]" any leading
 * axes. Values are f32 unless said, and have a gradient unless said. "i32 scalar" is any shape of
 * one element. Each operation has one file, src/tensor/op/<name>.c, with its formula, shape rule
 * and gradient.
 *
 * Operations run in the order they were appended. Those that update a leaf (caches, optimiser
 * steps) write it at their place in that order: who reads the leaf later sees the new value, a
 * value made from it earlier (a reshape, too) stays what it was. Append updates after
 * gb_graph_backward, or it may need a value that is gone and says so. */
#ifndef GENBA_OP_H
#define GENBA_OP_H

#include "genba/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- matrix products (matmul.c) */
/* x [..., K] . weight [N, K]^T + bias [N] (GB_NONE for none) -> [..., N]; x [K] -> [N]. x and
 * weight f32 or bf16, bias f32. */
GB_API gb_value gb_op_linear(gb_graph *g, gb_value x, gb_value weight, gb_value bias);
/* op(a) . op(b) -> f32 [..., M, N]: a [..., M, K] (or [..., K, M] if transposed), b [..., K, N] (or
 * [..., N, K]); leading axes equal, or b has none. Operands f32 or bf16; the graph's compute says
 * whether f32 operands are rounded. */
GB_API gb_value
gb_op_matmul(gb_graph *g, gb_value a, bool transpose_a, gb_value b, bool transpose_b);

/* ---- element by element; shapes broadcast as NumPy's do (binary.c, unary.c, affine.c, cast.c) */
GB_API gb_value gb_op_add(gb_graph *g, gb_value a, gb_value b);
GB_API gb_value gb_op_sub(gb_graph *g, gb_value a, gb_value b);
GB_API gb_value gb_op_mul(gb_graph *g, gb_value a, gb_value b);
GB_API gb_value gb_op_div(gb_graph *g, gb_value a, gb_value b);
/* No gradient of max and min: the backward pass refuses them. */
GB_API gb_value gb_op_max(gb_graph *g, gb_value a, gb_value b);
GB_API gb_value gb_op_min(gb_graph *g, gb_value a, gb_value b);
typedef enum gb_unary {
    GB_UNARY_SILU,
    GB_UNARY_GELU /* tanh form */,
    GB_UNARY_RELU,
    GB_UNARY_SIGMOID,
    GB_UNARY_TANH,
    GB_UNARY_EXP,
    GB_UNARY_LOG,
    GB_UNARY_SQRT,
    GB_UNARY_SQUARE,
    GB_UNARY_ABS,
    GB_UNARY_SOFTPLUS,
    GB_UNARY_SIN,
    GB_UNARY_COS,
    GB_UNARY_RECIPROCAL,
    GB_UNARY_COUNT
} gb_unary;
/* f(x) for each element; sin and cos take rad. The slope at the kink of relu and abs is 0. */
GB_API gb_value gb_op_unary(gb_graph *g, gb_unary kind, gb_value x);
GB_API gb_value gb_op_affine(gb_graph *g,
                             gb_value x,
                             float scale,
                             float offset);                          /* scale x + offset */
GB_API gb_value gb_op_cast(gb_graph *g, gb_value x, gb_dtype dtype); /* f32 <-> bf16, i32 -> f32 */
/* x [..., 2F] = [gate, up] -> silu(gate) up [..., F] (swiglu.c; Shazeer 2020) */
GB_API gb_value gb_op_swiglu(gb_graph *g, gb_value x);
/* a filled tensor (fill.c) */
GB_API gb_value gb_op_fill(gb_graph *g, gb_shape shape, float value);

/* ---- normalisation over the last axis (rmsnorm.c, layernorm.c, head_norm.c, softmax.c) */
/* epsilon is added to the mean square, or the variance; weight and bias [D] or GB_NONE. */
GB_API gb_value gb_op_rmsnorm(gb_graph *g,
                              gb_value x,
                              gb_value weight /* [D] or GB_NONE */,
                              float epsilon);
GB_API gb_value
gb_op_layernorm(gb_graph *g, gb_value x, gb_value weight, gb_value bias, float epsilon);
/* RMSNorm of every query and key head of a fused qkv [..., (H + 2G) E]: weight [2, E] (row 0 for
 * queries, row 1 for keys); values pass through. */
GB_API gb_value
gb_op_head_norm(gb_graph *g, gb_value qkv, gb_value weight, int heads, int kv_heads, float epsilon);
GB_API gb_value gb_op_softmax(gb_graph *g, gb_value x);

/* ---- sequences (rope.c, attention.c, dwconv.c, embedding.c) */
/* Rotary position embedding on query and key heads of a fused qkv [B, T, (H + 2G) E], pairs (i, i +
 * E/2), angle position * theta^(-2i/E) rad (Su et al. 2021); E even, theta > 1. position: i32
 * scalar, that of the first row, counted in rows, or GB_NONE = 0. */
GB_API gb_value
gb_op_rope(gb_graph *g, gb_value qkv, int heads, int kv_heads, float theta, gb_value position);
/* softmax(q k^T / sqrt(E)) v with grouped keys and values on fused qkv [B, T, (H + 2G) E] -> [B, T,
 * H E]; causal or full. */
GB_API gb_value gb_op_attention(gb_graph *g, gb_value qkv, int heads, int kv_heads, bool causal);
/* The same, causal, for T new rows at `position` (i32 scalar, clamped to [0, T_max - T]) with keys
 * and values kept in `cache`, a state [B, T_max, 2, G E] that this operation updates. No gradient.
 */
GB_API gb_value gb_op_attention_cached(
    gb_graph *g, gb_value qkv, int heads, int kv_heads, gb_value cache, gb_value position);
/* Causal depth-wise convolution: x [B, T, D], weight [K, D]; y[t] = sum_k weight[k] x[t - (K - 1) +
 * k]. */
GB_API gb_value gb_op_dwconv(gb_graph *g, gb_value x, gb_value weight);
/* The same continuing from `cache`, a state [B, K - 1, D] of the rows before, which it updates
 * (GB_NONE if K is 1). No gradient. */
GB_API gb_value gb_op_dwconv_cached(gb_graph *g, gb_value x, gb_value weight, gb_value cache);
/* table [V, D], index i32 [...] -> [..., D]; an index outside [0, V) reads row 0. */
GB_API gb_value gb_op_embedding(gb_graph *g, gb_value table, gb_value index);

/* ---- moving data of any type (concat.c, slice.c, permute.c, reshape.c), f32 (broadcast.c) */
/* parts agree in type and in all axes but `axis`, along which they follow each other. */
GB_API gb_value gb_op_concat(gb_graph *g,
                             const gb_value *parts,
                             int count,
                             int axis); /* count <= 8 */
/* Elements begin to begin + length - 1 along axis. */
GB_API gb_value gb_op_slice(gb_graph *g, gb_value x, int axis, int64_t begin, int64_t length);
GB_API gb_value gb_op_permute(gb_graph *g,
                              gb_value x,
                              const int *axes); /* out axis i is axis axes[i] of x */
GB_API gb_value gb_op_reshape(gb_graph *g, gb_value x, gb_shape shape); /* no copy */
/* Repeats axes of 1, and in front, until x has the shape, as NumPy does. */
GB_API gb_value gb_op_broadcast(gb_graph *g, gb_value x, gb_shape shape);

/* ---- geometry of poses (poses.c, which lists the features): input data, no gradient */
typedef struct gb_poses {
    int frames; /* F, oldest first */
    int bodies, points;
    const int *landmark_counts; /* [bodies] */
    const float *landmarks; /* x, y in the body's frame, all bodies' in turn [sum of counts, 2] */
    const int *goal_of;     /* [bodies] 1 if the body has a goal */
    const float *goals;     /* [bodies, 3] x, y, angle; read where goal_of is 1 */
    float center_x, center_y, world_scale, near_scale, fine_scale, motion_scale;
} gb_poses;
/* Number of features; 0 if a count is out of range. */
GB_API int64_t gb_poses_width(const gb_poses *poses);
/* state [B, F, S]: in each frame the bodies' x, y, angle (rad), then the points' x, y; S = 3 bodies
 * + 2 points -> features [B, gb_poses_width]. The geometry is copied. */
GB_API gb_value gb_op_poses(gb_graph *g, gb_value state, const gb_poses *poses);

/* ---- reductions, kept axes become 1 (reduce.c, cumsum.c) */
typedef enum gb_reduce {
    GB_REDUCE_SUM,
    GB_REDUCE_MEAN,
    GB_REDUCE_MAX
} gb_reduce;
/* over `count` neighbouring axes from `axis`; the shape keeps them as 1. No gradient of the
 * maximum: the backward pass refuses it. */
GB_API gb_value gb_op_reduce(gb_graph *g, gb_reduce kind, gb_value x, int axis, int count);
GB_API gb_value gb_op_sum_all(gb_graph *g, gb_value x);  /* scalar */
GB_API gb_value gb_op_mean_all(gb_graph *g, gb_value x); /* scalar */
GB_API gb_value gb_op_cumsum(gb_graph *g, gb_value x);   /* over the last axis, same shape */

/* ---- losses: means over all elements (or weighted), f32 scalars (cross_entropy.c, pinball.c,
 * mse.c) */
/* logits [..., V], target i32 [...]; in nats. A target outside [0, V) does not count. */
GB_API gb_value gb_op_cross_entropy(gb_graph *g, gb_value logits, gb_value target);
/* prediction [..., Q], target [...], levels: Q quantile levels (host, Q <= 32), weight [...] or
 * GB_NONE; with e = target - prediction, the sum of weight * max(q e, (q - 1) e) over quantiles and
 * elements / (counted elements * Q); NaN targets do not count. Only the prediction has a gradient.
 */
GB_API gb_value gb_op_pinball(gb_graph *g,
                              gb_value prediction,
                              gb_value target,
                              gb_value weight,
                              const float *levels,
                              int count);
/* Mean over all elements of weight (prediction - target)^2; all of one shape, weight or GB_NONE.
 * The weight has no gradient. */
GB_API gb_value gb_op_mse(gb_graph *g, gb_value prediction, gb_value target, gb_value weight);

/* ---- chance (dropout.c, random.c). step: i32 scalar input; numbers depend on graph seed, node,
 * step, index. */
/* 0 with this probability (from 0 to below 1), else x / (1 - probability). */
GB_API gb_value gb_op_dropout(gb_graph *g, gb_value x, float probability, gb_value step);
/* Mean 0 and variance 1; uniform in [0, 1). No gradient. */
GB_API gb_value gb_op_random_normal(gb_graph *g, gb_shape shape, gb_value step);
GB_API gb_value gb_op_random_uniform(gb_graph *g, gb_shape shape, gb_value step);

/* ---- optimiser steps: update the leaf they are given (a parameter or a state), in place, and give
 * its new value; no gradient (adamw.c, lerp_into.c, assign.c) */
/* AdamW (Loshchilov, Hutter 2019, alg. 2). m, v: states of the parameter's shape, two leaves. rate:
 * f32 scalar (learning rate); step: i32 scalar, 1 at the first update. */
typedef struct gb_adamw {
    float beta1, beta2, epsilon, weight_decay, rate_scale;
} gb_adamw;
GB_API gb_value gb_op_adamw(gb_graph *g,
                            gb_value parameter,
                            gb_value gradient,
                            gb_value m,
                            gb_value v,
                            gb_value rate,
                            gb_value step,
                            gb_adamw options);
/* target += amount (value - target), target a leaf, amount f32 scalar: EMA of weights. */
GB_API gb_value gb_op_lerp_into(gb_graph *g, gb_value target, gb_value value, gb_value amount);
/* target = value. */
GB_API gb_value gb_op_assign(gb_graph *g, gb_value target, gb_value value);

#ifdef __cplusplus
}
#endif
#endif
