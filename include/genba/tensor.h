/* genba/tensor.h: the graph and what is done with it. A graph of tensor operations with static
 * shapes is the single source: it is differentiated (backward operations are appended), planned
 * (all memory placed before the first step), run on a pool, and costed. Operations: genba/op.h.
 *
 * Building is single-threaded. A plan is immutable and may be shared; an exec belongs to one thread
 * at a time. */
#ifndef GENBA_TENSOR_H
#define GENBA_TENSOR_H

#include "genba/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum gb_dtype {
    GB_F32,
    GB_BF16,
    GB_I8,
    GB_I32,
    GB_DTYPE_COUNT
} gb_dtype;

#define GB_RANK_MAX 5
/* The most elements of one tensor: far beyond any memory, and small enough that bytes and costs of
 * a whole graph can be added up without overflow. */
#define GB_COUNT_MAX ((int64_t)1 << 44)
/* Row-major, dim[rank - 1] is contiguous. Rank 0 is a scalar. */
typedef struct gb_shape {
    int32_t rank;
    int64_t dim[GB_RANK_MAX];
} gb_shape;

typedef struct gb_tensor {
    gb_dtype dtype;
    gb_shape shape;
    void *data; /* [product of shape.dim], dense */
} gb_tensor;

/* gb_shape_of(3, batch, sequence, width). Dimensions are int64_t or int: they are cast for you. */
#define GB_SHAPE(...)                                                                              \
    gb_shape_make((int32_t)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),                   \
                  (const int64_t[]){__VA_ARGS__})
#define GB_SCALAR gb_shape_make(0, NULL)
/* Any rank and dimensions are taken; what uses a shape that is not valid refuses it by name. */
GB_API gb_shape gb_shape_make(int32_t rank, const int64_t *dim);
/* Rank 0 to GB_RANK_MAX, every dimension at least 1, at most GB_COUNT_MAX elements. */
GB_API bool gb_shape_valid(const gb_shape *shape);
GB_API int64_t gb_shape_count(const gb_shape *shape); /* number of elements; INT64_MAX if more */
GB_API bool gb_shape_equal(const gb_shape *a, const gb_shape *b);
/* "[16, 256, 384]" into text[size]; returns text. */
GB_API const char *gb_shape_text(const gb_shape *shape, char *text, size_t size);
GB_API size_t gb_dtype_bytes(gb_dtype dtype);
GB_API const char *gb_dtype_name(gb_dtype dtype); /* as safetensors spells it: F32 BF16 I8 I32 */
GB_API size_t gb_tensor_bytes(const gb_tensor *tensor);

/* bf16 is the upper half of an f32; rounding is to nearest even, NaN stays NaN. */
GB_API uint16_t gb_bf16_from_f32(float value);
GB_API float gb_f32_from_bf16(uint16_t value);

/* ---- named tensors: weights, optimiser state --------------------------------------------------
 * A set owns its tensors, keeps the order of addition, and is what a weights file holds. */
typedef struct gb_tensors gb_tensors;
GB_API GB_MUST gb_status gb_tensors_create(gb_tensors **out);
GB_API void gb_tensors_destroy(gb_tensors *set); /* NULL is fine */
/* Adds zeros. GB_ERR_ARGUMENT if the name is there already. *out (may be NULL) lives as the set. */
GB_API GB_MUST gb_status
gb_tensors_add(gb_tensors *set, const char *name, gb_dtype dtype, gb_shape shape, gb_tensor **out);
GB_API gb_tensor *gb_tensors_find(const gb_tensors *set, const char *name); /* NULL if absent */
GB_API int64_t gb_tensors_count(const gb_tensors *set);
GB_API gb_tensor *gb_tensors_at(const gb_tensors *set, int64_t index, const char **out_name);
/* safetensors (header of JSON, raw little-endian data). metadata: pairs name, value, ..., NULL; may
 * be NULL. The file carries a checksum of its data as metadata "blake2b" and reading verifies it
 * when present. */
GB_API GB_MUST gb_status gb_tensors_save(const gb_tensors *set,
                                         const char *path,
                                         const char *const *metadata);
GB_API GB_MUST gb_status gb_tensors_load(const char *path, gb_tensors **out);
/* Copies data of equal name, dtype and shape from `from` into every tensor of `set`; a name of
 * `set` that is missing or differs is GB_ERR_MISMATCH naming it, and nothing is copied. `prefix`
 * (may be
 * "") is put before each name of `set` when looking in `from`. */
GB_API GB_MUST gb_status gb_tensors_copy(gb_tensors *set,
                                         const gb_tensors *from,
                                         const char *prefix);

/* ---- graph ----------------------------------------------------------------------------------- */
typedef struct gb_graph gb_graph;
typedef int32_t gb_value; /* what an operation gives; an index into the graph */
#define GB_NONE ((gb_value)-1)

typedef struct gb_graph_options {
    gb_dtype
        compute;   /* GB_F32, or GB_BF16: matrix products round both operands to bf16, sum in f32 */
    uint64_t seed; /* of dropout and random operations */
} gb_graph_options;

/* How a parameter starts. Drawn from (seed, name), so independent of the order of building. */
typedef enum gb_init_kind {
    GB_INIT_ZERO,
    GB_INIT_ONE,
    GB_INIT_NORMAL,
    GB_INIT_UNIFORM
} gb_init_kind;
typedef struct gb_init {
    gb_init_kind kind;
    float scale; /* standard deviation, or half width of the interval */
} gb_init;

GB_API GB_MUST gb_status gb_graph_create(gb_graph_options options, gb_graph **out);
GB_API void gb_graph_destroy(gb_graph *graph);
/* Builders never fail loudly: the first mistake (shapes that do not fit) is kept here, and later
 * builders do nothing. Check once when the graph is built. */
GB_API GB_MUST gb_status gb_graph_status(const gb_graph *graph);

/* Leaves. An input is written by the caller before each run. A parameter and a state live in a
 * gb_tensors, found by name when an exec is made: parameters in its weights, states in its state.
 * The same name twice gives the same value. */
GB_API gb_value gb_graph_input(gb_graph *graph, const char *name, gb_dtype dtype, gb_shape shape);
GB_API gb_value gb_graph_parameter(gb_graph *graph, const char *name, gb_shape shape, gb_init init);
GB_API gb_value gb_graph_state(gb_graph *graph, const char *name, gb_dtype dtype, gb_shape shape);
/* Gives a value a name; it is kept until the end of a run and can be read then. */
GB_API void gb_graph_output(gb_graph *graph, const char *name, gb_value value);

GB_API gb_shape gb_value_shape(const gb_graph *graph, gb_value value);
GB_API gb_dtype gb_value_dtype(const gb_graph *graph, gb_value value);
GB_API gb_value gb_graph_find(const gb_graph *graph,
                              const char *name); /* leaf or output, GB_NONE */
/* A line for each node, for people. */
GB_API GB_MUST gb_status gb_graph_print(const gb_graph *graph, gb_file_writer *writer);

/* Marks the start of a segment whose inner values may be recomputed in the backward pass instead of
 * being kept (Chen et al. 2016, "Training deep nets with sublinear memory cost"). `value` is kept.
 */
GB_API void gb_graph_checkpoint(gb_graph *graph, gb_value value);
/* Appends the operations that compute d loss / d parameter for every parameter that loss depends
 * on. loss: f32 scalar. recompute: drop values between checkpoints. */
GB_API GB_MUST gb_status gb_graph_backward(gb_graph *graph, gb_value loss, bool recompute);
/* After backward: the gradient of a parameter (or of an input asked for), GB_NONE if loss does not
 * depend on it. */
GB_API gb_value gb_graph_gradient(const gb_graph *graph, gb_value leaf);
/* Before backward: also differentiate with respect to this f32 input. */
GB_API void gb_graph_require_gradient(gb_graph *graph, gb_value input);
/* Parameters in order of first use; GB_NONE past the end. */
GB_API gb_value gb_graph_parameter_at(const gb_graph *graph, int64_t index);
GB_API const char *gb_value_name(const gb_graph *graph, gb_value value); /* "" if unnamed */

/* Adds every parameter (state) of the graph that `set` lacks: parameters by their init rule under
 * `seed`, states as zeros. A tensor that is there with another shape is GB_ERR_MISMATCH. */
GB_API GB_MUST gb_status gb_graph_init_parameters(const gb_graph *graph,
                                                  uint64_t seed,
                                                  gb_tensors *set);
GB_API GB_MUST gb_status gb_graph_init_state(const gb_graph *graph, gb_tensors *set);

/* ---- plan -------------------------------------------------------------------------------------
 */
typedef struct gb_plan gb_plan;
typedef struct gb_plan_report {
    int64_t nodes;
    uint64_t flops;           /* of one run; a multiply-add counts two */
    uint64_t bytes_moved;     /* read and written by operations, caches not considered */
    uint64_t workspace_bytes; /* peak of activations, placed; what an exec allocates */
    uint64_t scratch_bytes;
    uint64_t parameter_bytes;
    uint64_t state_bytes;
} gb_plan_report;

/* Drops what no output or update needs, fuses activations into matrix products, places every
 * buffer. threads: of the pool it will run on (scratch depends on it, results do not). The graph
 * may be destroyed afterwards. */
GB_API GB_MUST gb_status gb_plan_create(const gb_graph *graph, int threads, gb_plan **out);
GB_API void gb_plan_destroy(gb_plan *plan);
GB_API gb_plan_report gb_plan_get_report(const gb_plan *plan);

/* ---- exec: buffers to run a plan in ------------------------------------------------------------
 */
typedef struct gb_exec gb_exec;
typedef struct gb_exec_options {
    gb_pool *pool;       /* borrowed; NULL runs on the calling thread */
    gb_tensors *weights; /* borrowed; every parameter of the plan is here */
    gb_tensors *state;   /* borrowed; every state of the plan is here; may be NULL if none */
    bool frozen;         /* weights will not change: pack them once for the matrix kernels */
} gb_exec_options;

/* Allocates everything; GB_ERR_MEMORY says the bytes needed before anything is touched. */
GB_API GB_MUST gb_status gb_exec_create(const gb_plan *plan,
                                        gb_exec_options options,
                                        gb_exec **out);
GB_API void gb_exec_destroy(gb_exec *exec);
/* An input's or output's memory, by name; data is NULL if there is no such name. Inputs keep their
 * contents between runs. */
GB_API gb_tensor gb_exec_tensor(const gb_exec *exec, const char *name);
/* Runs all operations in order. Allocates nothing, cannot fail. */
GB_API void gb_exec_run(gb_exec *exec);
/* Time by operation kind since the first call of this function (which starts the clock and writes
 * ""), most first: "matmul   12 calls   3.2 ms   95.1 GFLOP/s". Writes at most size bytes, returns
 * text. */
GB_API const char *gb_exec_profile(gb_exec *exec, char *text, size_t size);

#ifdef __cplusplus
}
#endif
#endif
