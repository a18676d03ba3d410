/* train/trainer.h: the trainer's own fields, for trainer.c, validate.c and checkpoint.c. */
#ifndef GENBA_TRAIN_TRAINER_H
#define GENBA_TRAIN_TRAINER_H

#include "train/sampler.h"

/* A graph ready to run, and what fills it. */
typedef struct gb_machine {
    gb_plan *plan;
    gb_exec *exec;
    gb_feed *feed;
} gb_machine;

struct gb_trainer {
    gb_arena *arena;
    gb_model *model;    /* borrowed; trained in place */
    gb_model *averaged; /* NULL without averaging */
    gb_train_config config;
    gb_train_source *sources; /* [source_count] */
    int source_count;
    uint64_t seed;
    gb_pool *pool;     /* borrowed; may be NULL */
    gb_tensors *state; /* optimiser moments and averaged weights, as the graph names them */
    gb_machine step_machine, validation_machine; /* the latter empty without held-out windows */
    gb_tensor step_in, rate_in, average_in, loss_out, norm_out;
    gb_sampler sampler;
    gb_draw *draws; /* [batch] */
    gb_status *fed; /* [batch] */
    int64_t step;   /* updates done */
    int64_t steps;  /* in all; 0: not known yet */
    gb_train_memory memory;
};

/* Fills the rows of a machine's inputs in parallel from draws [batch]; source i reads windows[i].
 */
GB_MUST gb_status gb_trainer_feed(gb_trainer *trainer, gb_feed *feed, bool held_out);
/* Builds the validation graph, if any source has held-out windows. */
GB_MUST gb_status gb_trainer_plan_validation(gb_trainer *trainer);
GB_MUST gb_status gb_trainer_start_validation(gb_trainer *trainer);
void gb_machine_close(gb_machine *machine);

#endif
