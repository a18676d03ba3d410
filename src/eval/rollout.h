/* eval/rollout.h: recording one episode. Private to eval. */
#ifndef GENBA_EVAL_ROLLOUT_H
#define GENBA_EVAL_ROLLOUT_H

#include "genba/eval.h"

/* A set of empty episodes for a plant. */
GB_MUST gb_status gb_rollout_set_create(const gb_plant_info *plant,
                                        int episodes,
                                        gb_rollout_set **out);
/* Makes room for max_steps and keeps the plant's present state as the start. */
GB_MUST gb_status gb_rollout_begin(gb_rollout *rollout, gb_plant *plant, uint64_t seed);
/* Steps the plant and keeps what came of it. */
GB_MUST gb_status gb_rollout_step(gb_rollout *rollout, gb_plant *plant, const double *action);

#endif
