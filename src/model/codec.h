/* model/codec.h: the table of codecs. A codec turns a part of a window into tokens. Adding one is a
 * file in codec/ and a row here. */
#ifndef GENBA_MODEL_CODEC_H
#define GENBA_MODEL_CODEC_H

#include "model/model.h"

#define GB_CODEC_LIST(X)                                                                           \
    X(GB_CODEC_SERIES, series)                                                                     \
    X(GB_CODEC_VECTOR, vector)                                                                     \
    X(GB_CODEC_POSES, poses)                                                                       \
    X(GB_CODEC_BYTES, bytes)

typedef struct gb_codec_definition {
    const char *name;
    bool by_column;            /* each column of a window is an example of its own */
    const char *const *inputs; /* names, NULL-terminated, at most GB_INPUTS_MAX */
    /* Sets scalars that were left out. May be NULL. */
    void (*fill_defaults)(gb_model_config *config);
    /* Values that no schema rule can judge; config has its defaults. */
    gb_status (*check)(const gb_model_config *config, const gb_config_place *place);
    /* Adds the streams it reads to the plan. dataset: to find streams the config does not name;
     * NULL when the config must say it all. */
    gb_status (*window)(const gb_model_config *config,
                        const gb_dataset *dataset,
                        gb_window_plan *plan);
    /* Stores "stats.*" in the model. May be NULL. */
    gb_status (*fit_statistics)(gb_model *model,
                                gb_window_index *const *sources,
                                int source_count,
                                gb_pool *pool);
    /* Declares the inputs and appends the encoder. Statistics are applied while filling. */
    gb_encoding (*encode)(const gb_build *build);
    /* Writes one example into row `row` of the inputs (in the order of the names above; data is
     * NULL where the plan dropped an input). From several threads, different rows. */
    void (*fill)(const gb_model *model,
                 const gb_window_view *view,
                 const gb_tensor *inputs,
                 int64_t row);
} gb_codec_definition;

#define GB_CODEC_DECLARE(kind, file) extern const gb_codec_definition gb_codec_definition_##file;
GB_CODEC_LIST(GB_CODEC_DECLARE)
#undef GB_CODEC_DECLARE

/* One hidden layer (codec.hidden; 0: none) and a projection to the backbone's width: [..., D]. */
gb_value gb_codec_encoder(const gb_build *build, gb_value features);

/* NULL: this build has no such codec. */
const gb_codec_definition *gb_codec_of(gb_codec_kind kind);

#endif
