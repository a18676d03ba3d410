/* model/head.h: the table of heads. A head reads an answer off the backbone's tokens. Adding one is
 * a file in head/ and a row here. */
#ifndef GENBA_MODEL_HEAD_H
#define GENBA_MODEL_HEAD_H

#include "model/model.h"

#define GB_HEAD_LIST(X)                                                                            \
    X(GB_HEAD_QUANTILE, quantile)                                                                  \
    X(GB_HEAD_FLOW, flow)                                                                          \
    X(GB_HEAD_TOKEN, token)

typedef struct gb_head_definition {
    const char *name;
    const char *const *targets; /* inputs of the loss; NULL-terminated, at most GB_INPUTS_MAX */
    const char *const *starts;  /* inputs of a prediction besides the codec's (noise) */
    const char *const *outputs; /* of a prediction */
    /* Sets scalars that were left out. May be NULL. */
    void (*fill_defaults)(gb_model_config *config);
    /* Values that no schema rule can judge; config has its defaults. */
    gb_status (*check)(const gb_model_config *config, const gb_config_place *place);
    /* Adds the futures it learns from to the plan, which holds the codec's streams. */
    gb_status (*window)(const gb_model_config *config, gb_window_plan *plan);
    /* Both may be NULL. */
    gb_status (*fit_statistics)(gb_model *model,
                                gb_window_index *const *sources,
                                int source_count,
                                gb_pool *pool);
    gb_status (*fit_closed_form)(gb_model *model,
                                 gb_window_index *const *sources,
                                 int source_count,
                                 gb_pool *pool);
    /* Declares the targets and appends the loss, an f32 scalar. */
    gb_value (*loss)(const gb_build *build, const gb_encoding *encoding);
    /* Declares the starts and appends the prediction, naming the outputs. */
    void (*predict)(const gb_build *build, const gb_encoding *encoding);
    /* Writes targets that never change, once. May be NULL. */
    void (*fill_constants)(const gb_model *model, const gb_tensor *targets);
    /* Writes one example's targets into row `row`. */
    void (*fill)(const gb_model *model,
                 const gb_window_view *view,
                 const gb_tensor *targets,
                 int64_t row);
    /* Session: writes row `row` of the starts. May be NULL. */
    void (*start)(
        const gb_model *model, uint64_t seed, uint64_t tick, const gb_tensor *starts, int64_t row);
    /* Session: after start, the rows of a chunk under way that are given; prefix NULL or empty:
     * none. NULL when the head has no chunks. */
    void (*proceed)(const gb_model *model,
                    const gb_window_view *view,
                    const gb_action_prefix *prefix,
                    const gb_tensor *starts,
                    int64_t row);
    /* Session: from outputs to the caller's units; `rows` of the horizon are wanted. */
    void (*finish)(const gb_model *model,
                   const gb_window_view *view,
                   const gb_tensor *outputs,
                   int64_t row,
                   int64_t rows,
                   float *out);
} gb_head_definition;

#define GB_HEAD_DECLARE(kind, file) extern const gb_head_definition gb_head_definition_##file;
GB_HEAD_LIST(GB_HEAD_DECLARE)
#undef GB_HEAD_DECLARE

/* Lists of a quantile head, the usual ones where the config has none. */
const float *gb_quantile_levels(const gb_head_config *config, unsigned *out_count);
const int *gb_quantile_horizons(const gb_head_config *config, unsigned *out_count);

/* The action streams of a flow head, whichever way the config names them. */
int gb_action_stream_count(const gb_head_config *config);
const char *gb_action_stream_name(const gb_head_config *config, int stream);
int gb_action_stream_size(const gb_head_config *config, int stream);

/* NULL: this build has no such head. */
const gb_head_definition *gb_head_of(gb_head_kind kind);

#endif
