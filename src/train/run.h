/* train/run.h: one run while it goes on. Inside the room only: run.c sets up and tears down,
 * run_loop.c steps. */
#ifndef GENBA_TRAIN_RUN_H
#define GENBA_TRAIN_RUN_H

#include "train/metrics.h"
#include "train/run_folder.h"

typedef struct gb_run_state {
    gb_train_options options;
    const char *folder;
    gb_recipe *recipe;
    gb_train_data *data;
    gb_model *model;
    gb_pool *pool;
    gb_trainer *trainer;
    gb_metrics *metrics;
    json_t *papers; /* run.json */
    char identity[GB_RUN_HEX_BYTES];
    int lock_fd;

    gb_train_progress progress; /* what callbacks see */
    int64_t begin_ns, shown_ns, saved_ns, timed_ns;
    int64_t begin_step;    /* of this process */
    double seconds_before; /* of earlier processes */
    int64_t best_step, validations_without_better;
    bool has_best, resumed, stopped_early, interrupted;
} gb_run_state;

/* Calls the callback. message may be NULL. */
void gb_run_show(gb_run_state *run, gb_train_phase phase, const char *message);
double gb_run_seconds(const gb_run_state *run);
/* Finds the newest checkpoint that is whole and continues from it; none: starts. */
GB_MUST gb_status gb_run_resume(gb_run_state *run);
/* Steps until the end, an early stop, or a request to stop (run->interrupted). */
GB_MUST gb_status gb_run_loop(gb_run_state *run);

#endif
