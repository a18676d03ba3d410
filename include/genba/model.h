/* genba/model.h: what a model is. A config says how streams become tokens (a codec), what layers
 * read them (the backbone) and how an answer is read off (a head). A gb_model is immutable (config,
 * weights, statistics) and may be shared by threads; a gb_session is one caller's mutable side
 * (buffers, caches) and allocates nothing in a step.
 *
 * Names of dimensions: B batch, T tokens, D width, L look_back rows, H horizon rows, Q quantiles.
 */
#ifndef GENBA_MODEL_H
#define GENBA_MODEL_H

#include "genba/op.h"
#include "genba/record.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- config: plain data, read from YAML or JSON by one schema -------------------------------
 * Unknown keys, wrong types and impossible values are GB_ERR_SCHEMA with file and line. A value
 * left out is 0 or NULL, which stands for its default where it has one (docs/model.md). */

/* How streams become tokens. One file each in src/model/codec/. */
typedef enum gb_codec_kind {
    GB_CODEC_SERIES, /* each column its own sequence of patches, instance normalisation, missing
                        mask */
    GB_CODEC_VECTOR, /* a row of all columns is one token, z-scored by stored statistics */
    GB_CODEC_POSES,  /* bodies, points and goals in the plane: see gb_op_poses */
    GB_CODEC_BYTES   /* text: one byte one token */
} gb_codec_kind;

/* A rigid body of a poses codec. Streams carry its position [2] and its angle [1] (rad). */
typedef struct gb_pose_body {
    char *name, *position, *angle; /* angle NULL: a body that does not turn is a point */
    float *landmarks;              /* [landmark_count][2] in the body's frame */
    unsigned landmark_count;       /* of numbers in `landmarks`: 2 a landmark */
    float *goal;                   /* [goal_count] x, y, angle; goal_count 0: none, else 3 */
    unsigned goal_count;
} gb_pose_body;

/* A symmetry of the machine: points map to matrix p + offset; angles follow from the matrix; a
 * window and its image are equally likely in training. */
typedef struct gb_symmetry {
    float *matrix; /* [matrix_count = 4] row-major, orthogonal */
    unsigned matrix_count;
    float *offset; /* [offset_count = 2] */
    unsigned offset_count;
} gb_symmetry;

typedef struct gb_codec_config {
    gb_codec_kind kind;
    int look_back;  /* rows of past a window holds; frames for poses */
    char **streams; /* [stream_count] read in this order; none: every numeric stream (series) */
    unsigned stream_count;
    int *sizes; /* vector: [size_count = stream_count] values in a sample of each stream */
    unsigned size_count;
    int hidden;           /* width of the encoder's hidden layer; 0: one linear map */
    int patch;            /* series: rows in a token; look_back is a multiple of it */
    gb_pose_body *bodies; /* poses */
    unsigned body_count;
    char **points; /* poses: streams [2] of points */
    unsigned point_count;
    float center[2], world_scale, near_scale, fine_scale, motion_scale; /* poses */
    gb_symmetry *symmetries;
    unsigned symmetry_count;
} gb_codec_config;

typedef enum gb_block_kind {
    GB_BLOCK_CONV,
    GB_BLOCK_ATTENTION
} gb_block_kind;

/* x += op(RMSNorm x); x += SwiGLU(RMSNorm x), op a gated short convolution or grouped-query
 * attention (the layers of LFM2, Liquid AI 2025). No blocks: tokens go to the head as they are. */
typedef struct gb_backbone_config {
    int width;
    gb_block_kind *blocks; /* [block_count] */
    unsigned block_count;
    int heads, kv_heads, ffn, conv_kernel;
    float rope_theta, dropout;
} gb_backbone_config;

typedef enum gb_head_kind {
    GB_HEAD_QUANTILE,
    GB_HEAD_FLOW,
    GB_HEAD_TOKEN
} gb_head_kind;

typedef struct gb_head_config {
    gb_head_kind kind;
    int horizon;      /* quantile: rows ahead; flow: actions in a chunk */
    float *quantiles; /* quantile: rising levels, .5 among them; none: .1 to .9 */
    unsigned quantile_count;
    int shortcuts; /* quantile: linear maps look_back -> horizon, one closed-form ridge fit a source
                    */
    float ridge;   /* lambda = ridge x mean of the diagonal */
    int *evaluation_horizons; /* quantile: the loss weighs row h by the sum over these H' >= h of
                                 1 / H'; none: 96, 192, 336, 720 cut to the horizon */
    unsigned evaluation_horizon_count;
    char *action;    /* flow: the action stream, if there is one */
    int action_size; /* flow: values in an action, of all its streams; 0: 2 */
    char **actions;  /* flow: several action streams instead, side by side in an action */
    unsigned action_count;
    int *action_sizes; /* flow: [action_size_count = action_count] */
    unsigned action_size_count;
    char *relative_to; /* flow: a stream of the (first) action stream's size; its actions are
                          predicted relative to this one's last value; NULL: absolute */
    char **relatives;  /* flow: the same for every action stream instead, [relative_count =
                          action_count]; the word absolute: this one is not */
    unsigned relative_count;
    int prefix; /* flow: a chunk may be continued: up to so many of its first rows are given
                   (learned with so many given at random); 0: it was not learned */
    int width, hidden, blocks, time_features; /* flow: the denoiser's sizes, say 256, 512, 4, 64 */
    int euler_steps;                          /* flow, at inference */
    float temperature;                        /* flow: start from temperature x noise */
    int execute;               /* flow: actions carried out before the next inference */
    float clip_low, clip_high; /* flow: actions are clipped to this box (equal: not clipped) */
} gb_head_config;

/* What a stream's numbers meant in training. */
typedef struct gb_stream_unit {
    char *stream, *unit;
} gb_stream_unit;

typedef struct gb_model_config {
    char *name;
    gb_codec_config codec;
    gb_backbone_config backbone;
    gb_head_config head;
    gb_stream_unit *units; /* [unit_count] fitting on data fills it in; streams that are not named
                              have no known unit */
    unsigned unit_count;
    float rate_hz; /* flow: actions a second in training; likewise; 0: not known */
} gb_model_config;

/* Loads a model config from a YAML or JSON file and fills in its defaults. Free with
 * gb_model_config_free. */
GB_API GB_MUST gb_status gb_model_config_load(const char *path, gb_model_config **out);
GB_API void gb_model_config_free(gb_model_config *config);
/* Values that fit no schema rule but each other: multiples, widths, missing streams. `path` and
 * `prefix` ("model.") let messages name the line; path may be NULL. */
GB_API GB_MUST gb_status gb_model_config_check(const gb_model_config *config,
                                               const char *path,
                                               const char *prefix);

/* ---- model */
typedef struct gb_model gb_model;

/* A new model: weights by their init rules under `seed`, statistics empty. The config is copied. */
GB_API GB_MUST gb_status gb_model_create(const gb_model_config *config,
                                         uint64_t seed,
                                         gb_model **out);
GB_API void gb_model_destroy(gb_model *model);
/* A folder: config.json, weights.safetensors. Reading checks checksums and that both belong
 * together. */
GB_API GB_MUST gb_status gb_model_save(const gb_model *model, const char *folder);
GB_API GB_MUST gb_status gb_model_load(const char *folder, gb_model **out);
GB_API const gb_model_config *gb_model_get_config(const gb_model *model);
/* Weights, and stored statistics under names "stats.*". Only a trainer writes to them. */
GB_API gb_tensors *gb_model_weights(const gb_model *model);
GB_API int64_t gb_model_parameter_count(const gb_model *model);

/* ---- feeding: from windows of recordings to the inputs of a graph */
/* The windows this model reads: streams, look-back, horizon, padding. Pointers live as long as the
 * model. */
GB_API GB_MUST gb_status gb_model_window_spec(const gb_model *model,
                                              const gb_dataset *dataset,
                                              gb_window_spec *out);
/* Fixes what is learned of the data before the first step: stored normalisation (means, sigmas of
 * streams and of actions over these windows). Once for a new model. sources: [source_count]
 * indices. */
GB_API GB_MUST gb_status gb_model_fit_statistics(gb_model *model,
                                                 gb_window_index *const *sources,
                                                 int source_count,
                                                 gb_pool *pool);
/* Fits the head's closed-form part, if it has one (ridge shortcut i on source i). */
GB_API GB_MUST gb_status gb_model_fit_closed_form(gb_model *model,
                                                  gb_window_index *const *sources,
                                                  int source_count,
                                                  gb_pool *pool);
/* How many examples one window gives: the columns for a series codec, else 1. */
GB_API int64_t gb_model_examples_per_window(const gb_model *model, const gb_window_index *index);

typedef struct gb_feed gb_feed; /* scratch to fill one graph's inputs; one a thread pool */
/* exec: of a graph made by gb_model_build_loss. */
GB_API GB_MUST gb_status gb_feed_create(const gb_model *model,
                                        const gb_exec *exec,
                                        int64_t batch,
                                        gb_feed **out);
GB_API void gb_feed_destroy(gb_feed *feed);
/* Writes example `example` (window x examples_per_window + column) of `index` into batch row `row`.
 * symmetry: 0 as it is, i > 0 mirrored by symmetry i - 1. Allocates nothing; rows may be written by
 * several threads. */
GB_API GB_MUST gb_status gb_feed_row(
    gb_feed *feed, const gb_window_index *index, int64_t example, int symmetry, int64_t row);

/* ---- graphs */
/* Training: appends the whole forward pass and the loss (output "loss", f32 scalar). Inputs are
 * declared by codec and head; besides them "step" (i32 scalar) if anything is random. training:
 * dropout, noise on. */
GB_API GB_MUST gb_status gb_model_build_loss(
    const gb_model *model, gb_graph *graph, int64_t batch, bool training, gb_value *out_loss);

/* ---- sessions: using a model */
typedef struct gb_session gb_session;
typedef struct gb_session_options {
    gb_pool *pool;    /* borrowed; NULL: the calling thread */
    int64_t batch;    /* rows computed at once; default 1 */
    bool scaled;      /* forecasts: the past comes z-scored, as training saw it; default false:
                         each series is first scaled by its own mean and spread, so any unit will do */
    gb_dtype compute; /* GB_F32, or GB_BF16: weights kept in bf16, half the memory traffic */
} gb_session_options;
GB_API gb_session_options gb_session_defaults(void);
/* model is borrowed and must outlive the session. All memory is allocated here. */
GB_API GB_MUST gb_status gb_session_create(const gb_model *model,
                                           gb_session_options options,
                                           gb_session **out);
GB_API void gb_session_destroy(gb_session *session);

/* Quantile head. past [count][look_back] (one row a series, NaN missing), out [count][horizon][Q]
 * in the same units, Q = head.quantile_count. A horizon longer than the head's continues from the
 * medians of what was forecast; its quantiles are then those of the last continuation alone, too
 * narrow for the whole way. */
GB_API GB_MUST gb_status gb_session_forecast(
    gb_session *session, const float *past, int64_t count, int64_t horizon, float *out);
/* What gb_session_act reads, in order; NULL past the end. Lives as long as the model. */
GB_API const gb_window_stream *
gb_model_observation(const gb_model *model, int index, int64_t *out_size);
/* Flow head. observation: for each stream of gb_model_observation, [look_back x size], oldest
 * first; out [horizon x action size] in the action's units. Same seed and tick, same chunk.
 * Allocates nothing. */
GB_API GB_MUST gb_status gb_session_act(
    gb_session *session, const float *const *observation, uint64_t seed, uint64_t tick, float *out);
/* The same, continuing a chunk under way (real-time chunking; Black et al. 2025). */
typedef struct gb_action_prefix {
    const float *actions; /* [count x action size] what the chunk under way would do, from now on */
    int64_t count;        /* 0: none */
    int64_t frozen;       /* its first rows are certain: out begins with them. 0..count */
    int64_t soft; /* a head that did not learn prefixes blends rows frozen..soft, with weights
                     falling from 1 to 0; frozen..count */
} gb_action_prefix;
GB_API GB_MUST gb_status gb_session_act_after(gb_session *session,
                                              const float *const *observation,
                                              uint64_t seed,
                                              uint64_t tick,
                                              const gb_action_prefix *prefix,
                                              float *out);
/* Token head. Reads `count` bytes after what was read before and gives the logits [256] of what
 * follows. */
GB_API GB_MUST gb_status gb_session_read(gb_session *session,
                                         const unsigned char *bytes,
                                         int64_t count,
                                         float *logits);
GB_API void gb_session_reset(gb_session *session);

#ifdef __cplusplus
}
#endif
#endif
