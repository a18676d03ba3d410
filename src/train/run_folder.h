/* train/run_folder.h: what a run folder says about itself (run.json), its lock, and which
 * checkpoints it has. Inside the room only. */
#ifndef GENBA_TRAIN_RUN_FOLDER_H
#define GENBA_TRAIN_RUN_FOLDER_H

#include <jansson.h>

#include "train/data.h"

enum {
    GB_RUN_PATH_BYTES = 4096,
    GB_RUN_HEX_BYTES = 2 * GB_HASH_BYTES + 1,
    GB_RUN_CHECKPOINTS_MAX = 64
};

/* "<folder>/<name>" */
GB_MUST gb_status gb_run_path(const char *folder, const char *name, char path[GB_RUN_PATH_BYTES]);
/* One process a run folder: *out_fd is closed to give it back. */
GB_MUST gb_status gb_run_lock(const char *folder, int *out_fd);

/* run.json of a folder; *out is NULL when there is none yet. The caller owns the reference. */
GB_MUST gb_status gb_run_read(const char *folder, json_t **out);
GB_MUST gb_status gb_run_write(const char *folder, const json_t *document);
/* What a run must have in common with the one that the folder holds: recipe text, seed, length,
 * data. */
json_t *gb_run_describe(const gb_recipe *recipe, const gb_train_data *data);
/* GB_ERR_MISMATCH says which of recipe, seed, length or data differs. data false: not compared. */
GB_MUST gb_status gb_run_compare(const char *folder,
                                 const json_t *found,
                                 const json_t *expected,
                                 bool data);
/* The BLAKE2b of the description without paths: what checkpoints are bound to. */
GB_MUST gb_status gb_run_identity(const json_t *description, char hex[GB_RUN_HEX_BYTES]);

/* Steps of the checkpoints under <folder>/checkpoints, newest first. */
int gb_run_checkpoints(const char *folder, int64_t steps[GB_RUN_CHECKPOINTS_MAX]);
GB_MUST gb_status gb_run_checkpoint_path(const char *folder,
                                         int64_t step,
                                         char path[GB_RUN_PATH_BYTES]);
/* Removes all but the newest `keep`. */
void gb_run_prune(const char *folder, int keep);

#endif
