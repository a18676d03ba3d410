/* train/sampler.h: which example goes into which row of which step. Every number is a function of
 * (seed, counters): nothing depends on threads, and the state is one counter a source. */
#ifndef GENBA_TRAIN_SAMPLER_H
#define GENBA_TRAIN_SAMPLER_H

#include "genba/train.h"

typedef struct gb_draw {
    int source;
    int symmetry; /* 0: as it is */
    int64_t turn; /* how many examples the source had given before */
} gb_draw;

typedef struct gb_sampler {
    uint64_t seed;
    int source_count, symmetries; /* symmetries: mirrored forms besides the plain one */
    double *share;                /* [source_count] rising to 1 */
    int64_t *count;               /* [source_count] examples */
    int64_t *drawn;               /* [source_count] given so far: what a checkpoint keeps */
} gb_sampler;

/* weights > 0, counts > 0. Memory comes from the arena. */
GB_MUST gb_status gb_sampler_init(gb_sampler *sampler,
                                  gb_arena *arena,
                                  uint64_t seed,
                                  int source_count,
                                  const double *weights,
                                  const int64_t *counts,
                                  int symmetries);
/* Draws the rows of one step and advances the counters. */
void gb_sampler_draw(gb_sampler *sampler, int64_t step, int64_t batch, gb_draw *draws);
/* The example that a draw stands for: each source is gone through in a new shuffled order every
 * epoch, so that no example comes twice before all came once. Any thread. */
int64_t gb_sampler_example(const gb_sampler *sampler, const gb_draw *draw);

#endif
