/* model/block.h: the table of blocks: what stands between tokens and head. A block is the mixing
 * operation of a layer; norms, residuals and the feed-forward half are the same for all
 * (backbone.c). */
#ifndef GENBA_MODEL_BLOCK_H
#define GENBA_MODEL_BLOCK_H

#include "model/model.h"

#define GB_BLOCK_LIST(X)                                                                           \
    X(GB_BLOCK_CONV, conv)                                                                         \
    X(GB_BLOCK_ATTENTION, attention)

typedef struct gb_block_definition {
    const char *name;
    gb_status (*check)(const gb_model_config *config, const gb_config_place *place);
    /* x [B, T, D], normalised -> what is added to the residual stream. name: "block.3". out_std:
     * the start of the output projection. */
    gb_value (*mix)(const gb_build *build, const char *name, gb_value x, float out_std);
} gb_block_definition;

#define GB_BLOCK_DECLARE(kind, file) extern const gb_block_definition gb_block_definition_##file;
GB_BLOCK_LIST(GB_BLOCK_DECLARE)
#undef GB_BLOCK_DECLARE

const gb_block_definition *gb_block_of(gb_block_kind kind);

#endif
