/* tensor/graph.h: inside the tensor room: nodes, the table of operations, what a running operation
 * sees. Other rooms use genba/tensor.h and genba/op.h. */
#ifndef GENBA_TENSOR_GRAPH_H
#define GENBA_TENSOR_GRAPH_H

#include "genba/op.h"
#include "tensor/kernel/kernel.h"

#define GB_OPERANDS_MAX 8

/* One row for each operation: enum name, file. Adding an operation is one file and one row here. */
#define GB_OP_LIST(X)                                                                              \
    X(LEAF, leaf)                                                                                  \
    X(RESHAPE, reshape)                                                                            \
    X(MATMUL, matmul)                                                                              \
    X(FILL, fill)                                                                                  \
    X(UNARY, unary)                                                                                \
    X(UNARY_GRAD, unary_grad)                                                                      \
    X(BINARY, binary)                                                                              \
    X(AFFINE, affine)                                                                              \
    X(REDUCE, reduce)                                                                              \
    X(BROADCAST, broadcast)                                                                        \
    X(RMSNORM, rmsnorm)                                                                            \
    X(RMSNORM_GRAD_X, rmsnorm_grad_x)                                                              \
    X(RMSNORM_GRAD_WEIGHT, rmsnorm_grad_weight)                                                    \
    X(LAYERNORM, layernorm)                                                                        \
    X(LAYERNORM_GRAD_X, layernorm_grad_x)                                                          \
    X(LAYERNORM_GRAD_WEIGHT, layernorm_grad_weight)                                                \
    X(HEAD_NORM, head_norm)                                                                        \
    X(HEAD_NORM_GRAD_X, head_norm_grad_x)                                                          \
    X(HEAD_NORM_GRAD_WEIGHT, head_norm_grad_weight)                                                \
    X(SOFTMAX, softmax)                                                                            \
    X(SOFTMAX_GRAD, softmax_grad)                                                                  \
    X(SWIGLU, swiglu)                                                                              \
    X(SWIGLU_GRAD, swiglu_grad)                                                                    \
    X(CROSS_ENTROPY, cross_entropy)                                                                \
    X(CROSS_ENTROPY_GRAD, cross_entropy_grad)                                                      \
    X(MSE, mse)                                                                                    \
    X(MSE_GRAD, mse_grad)                                                                          \
    X(ADAMW, adamw)                                                                                \
    X(CAST, cast)                                                                                  \
    X(CUMSUM, cumsum)                                                                              \
    X(PINBALL, pinball)                                                                            \
    X(PINBALL_GRAD, pinball_grad)                                                                  \
    X(DROPOUT, dropout)                                                                            \
    X(RANDOM, random)                                                                              \
    X(LERP_INTO, lerp_into)                                                                        \
    X(ASSIGN, assign)                                                                              \
    X(CONCAT, concat)                                                                              \
    X(SLICE, slice)                                                                                \
    X(PAD, pad)                                                                                    \
    X(PERMUTE, permute)                                                                            \
    X(EMBEDDING, embedding)                                                                        \
    X(EMBEDDING_GRAD, embedding_grad)                                                              \
    X(ROPE, rope)                                                                                  \
    X(ATTENTION, attention)                                                                        \
    X(ATTENTION_GRAD, attention_grad)                                                              \
    X(CACHE_WRITE, cache_write)                                                                    \
    X(ATTENTION_CACHED, attention_cached)                                                          \
    X(DWCONV, dwconv)                                                                              \
    X(DWCONV_GRAD_X, dwconv_grad_x)                                                                \
    X(DWCONV_GRAD_WEIGHT, dwconv_grad_weight)                                                      \
    X(DWCONV_CACHED, dwconv_cached)                                                                \
    X(DWCONV_SHIFT, dwconv_shift)                                                                  \
    X(POSES, poses)

typedef enum gb_op {
#define GB_OP_ENUM(name, file) GB_OP_##name,
    GB_OP_LIST(GB_OP_ENUM)
#undef GB_OP_ENUM
    GB_OP_COUNT
} gb_op;

/* Slots of a reduction's attr.i besides [0], its kind. SQUARES: of the squares of the elements; put
 * there by a plan (fuse.c). */
enum {
    GB_REDUCE_AXIS = 1,
    GB_REDUCE_AXES = 2,
    GB_REDUCE_SQUARES = 3
};

typedef enum gb_leaf_role {
    GB_LEAF_INPUT,
    GB_LEAF_PARAMETER,
    GB_LEAF_STATE
} gb_leaf_role;

/* What an operation keeps besides its operands; each op file says what its slots mean. */
typedef struct gb_attr {
    int64_t i[8];
    float f[8];
    const float *list; /* i[7] host numbers owned by the graph (quantile levels) */
} gb_attr;

typedef struct gb_node {
    gb_op op;
    gb_dtype dtype;
    gb_shape shape;
    int operand_count;
    gb_value operand[GB_OPERANDS_MAX]; /* GB_NONE where an optional operand is left out */
    gb_attr attr;
    const char *name; /* leaf or output name, owned by the graph; NULL if none */
    bool output;      /* readable after a run */
} gb_node;

/* What a running operation sees. `in[k].data` is NULL where operand k is left out. */
typedef struct gb_run {
    const gb_node *node;
    gb_tensor in[GB_OPERANDS_MAX];
    gb_tensor out;
    void *scratch;      /* scratch_bytes of this node, shared by its parts; 64-byte aligned */
    const void *packed; /* matmul: frozen weights, or NULL */
    gb_pool *pool;
    const gb_kernels *kernels;
    uint64_t seed; /* of the graph */
} gb_run;

/* Seen by a gradient rule: the node being differentiated, with its operands as the backward pass
 * can read them (recomputed where they were dropped). */
typedef struct gb_grad {
    const gb_node *node;
    gb_value out;                     /* the node's own value, as the backward pass can read it */
    gb_value grad_out;                /* d loss / d out, shape of out */
    gb_value source[GB_OPERANDS_MAX]; /* the forward operands that gb_grad_add credits */
} gb_grad;

typedef struct gb_op_definition {
    const char *name;
    /* Appends gradients with gb_grad_add; NULL: not differentiable, gradients stop here. */
    void (*gradient)(gb_graph *g, const gb_grad *grad);
    /* Computes the node, on run->pool. NULL for leaves. */
    void (*run)(const gb_run *run);
    /* Bytes of scratch; `in` are the operands' shapes. NULL: none. */
    size_t (*scratch_bytes)(const gb_node *node, const gb_shape *in, int threads);
    /* NULL: one an output element. */
    uint64_t (*flops)(const gb_node *node, const gb_shape *in);
    /* Frozen weights: bytes of operand 1 laid out for the kernels (0: none), and the laying out. */
    size_t (*packed_bytes)(const gb_run *run);
    void (*pack)(const gb_run *run, void *packed);
    uint32_t in_place; /* bit k: out may use operand k's memory if that is its last use */
    uint32_t updates;  /* bit k: writes operand k, a leaf; bit 0 always, out is its memory */
    bool view;         /* out is operand 0's memory seen with another shape; `run` copies it, where
                        * the plan must keep what that memory held before an update */
} gb_op_definition;

#define GB_OP_DECLARE(name, file) extern const gb_op_definition gb_op_definition_##file;
GB_OP_LIST(GB_OP_DECLARE)
#undef GB_OP_DECLARE
extern const gb_op_definition *const gb_op_table[GB_OP_COUNT];

/* ---- for op files: building ---- */
/* Appends a node; shape and dtype are those of the result. attr may be NULL (zeros). */
gb_value gb_graph_append(gb_graph *g,
                         gb_op op,
                         gb_dtype dtype,
                         gb_shape shape,
                         int operand_count,
                         const gb_value *operands,
                         const gb_attr *attr);
/* Keeps the first mistake ("op: what, expected"), returns GB_NONE. */
gb_value gb_graph_mistake(gb_graph *g, gb_status status, const char *format, ...) GB_PRINTF(3, 4);
/* True if no mistake happened and all values are of this graph; otherwise keeps a mistake. */
bool gb_graph_usable(gb_graph *g, const char *op_name, int count, const gb_value *values);
const gb_node *gb_graph_node(const gb_graph *g, gb_value value);
int32_t gb_graph_count(const gb_graph *g);
gb_graph_options gb_graph_get_options(const gb_graph *g);
/* Copies host numbers into the graph. */
const float *gb_graph_keep(gb_graph *g, const float *values, int count);
/* A new stream number for a random operation. */
int64_t gb_graph_next_stream(gb_graph *g);

/* ---- for op files: gradients ---- */
bool gb_grad_wanted(const gb_graph *g, const gb_grad *grad, int operand);
void gb_grad_add(gb_graph *g, const gb_grad *grad, int operand, gb_value value);
/* Sums `value` over the axes that broadcasting had stretched until it has `shape`. */
gb_value gb_op_sum_to_shape(gb_graph *g, gb_value value, gb_shape shape);

/* ---- for op files: running ---- */
/* Cuts `count` items into ranges by shape alone (about 16 Ki elements of work each) and calls fn
 * for each, on the pool. item_elements: the work of one item. */
typedef void (*gb_range_fn)(const gb_run *run, int64_t begin, int64_t end, int thread);
void gb_run_ranges(const gb_run *run, int64_t count, int64_t item_elements, gb_range_fn fn);

/* A cost that saturates instead of overflowing: a large run is planned before anyone can hold it.
 */
static inline uint64_t gb_flops(double flops)
{
    return flops < 18446744073709549568.0 ? (uint64_t)flops : UINT64_MAX;
}

static inline int64_t gb_last(const gb_shape *shape)
{
    return shape->rank ? shape->dim[shape->rank - 1] : 1;
}

/* Product of dimensions [begin, end). */
static inline int64_t gb_extent(const gb_shape *shape, int begin, int end)
{
    int64_t n = 1;
    for (int i = begin; i < end; i++)
        n *= shape->dim[i];
    return n;
}

/* Number of rows along the last axis. */
static inline int64_t gb_rows(const gb_shape *shape)
{
    return gb_extent(shape, 0, shape->rank - 1);
}

#endif
