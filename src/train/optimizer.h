/* train/optimizer.h: the update part of a training graph. Inside the room only. */
#ifndef GENBA_TRAIN_OPTIMIZER_H
#define GENBA_TRAIN_OPTIMIZER_H

#include "genba/train.h"

/* Scalars that the trainer writes before each run. */
#define GB_INPUT_STEP "step"                 /* i32: number of this update, 1 the first */
#define GB_INPUT_RATE "train.rate"           /* f32: AdamW's learning rate now */
#define GB_INPUT_AVERAGE "train.average"     /* f32: 1 - decay of the averaged weights now */
#define GB_OUTPUT_NORM "train.gradient_norm" /* f32: global norm before clipping */
#define GB_AVERAGE_PREFIX "ema."             /* states with averaged weights */

/* Stored statistics are leaves like parameters, but no step may change them. */
bool gb_is_trained(const char *parameter);
/* Muon is for matrices between hidden layers. */
bool gb_is_muon(const char *parameter, const gb_shape *shape);
bool gb_is_decayed(const char *parameter, const gb_shape *shape);
double gb_rate_scale_of(const gb_train_config *config, const char *parameter);

/* After backward: appends clipping by the global norm, one update a parameter, averaged weights. */
GB_MUST gb_status gb_append_updates(gb_graph *graph, const gb_train_config *config);
/* An approximation of U V^T for x = U S V^T (Muon; Jordan 2024): Newton-Schulz steps on the
 * matrix, smaller side first. */
gb_value gb_append_orthogonal(gb_graph *graph, gb_value x);

#endif
