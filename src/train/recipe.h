/* train/recipe.h: a recipe as libcyaml reads it. A pointer is NULL where the key was left out, so
 * that 0 can be a value. Inside the room only; others see gb_recipe. */
#ifndef GENBA_TRAIN_RECIPE_H
#define GENBA_TRAIN_RECIPE_H

#include <cyaml/cyaml.h>

#include "genba/train.h"

typedef struct gb_raw_split {
    int64_t *rows;
    double *time, *recordings;
    unsigned rows_count, time_count, recordings_count;
    char **names;
    unsigned names_count;
    char *split;
    bool *reach_back;
} gb_raw_split;

typedef struct gb_raw_source {
    char *name, *map, *store, *select;
    char **files;
    unsigned files_count;
    gb_source_format *format;
    double *weight;
    int64_t *limit;
    uint64_t *split_seed;
    gb_raw_split *train, *validation;
} gb_raw_source;

typedef struct gb_raw_optimizer {
    gb_optimizer_kind *kind;
    double *rate, *betas, *epsilon, *weight_decay, *muon_rate, *momentum, *muon_decay;
    unsigned betas_count;
} gb_raw_optimizer;

typedef struct gb_raw_schedule {
    gb_schedule_kind *kind;
    int64_t *warmup;
    double *decay_fraction, *final_fraction;
} gb_raw_schedule;

typedef struct gb_raw_validation {
    int64_t *every, *examples, *patience;
} gb_raw_validation;

typedef struct gb_raw_checkpoint {
    int64_t *steps;
    double *seconds;
} gb_raw_checkpoint;

typedef struct gb_raw_train {
    int64_t *steps, *batch, *threads, *log_every;
    double *minutes, *clip, *ema;
    gb_raw_optimizer *optimizer;
    gb_raw_schedule *schedule;
    gb_rate_scale *rate_scales;
    unsigned rate_scales_count;
    gb_dtype *precision;
    bool *recompute;
    gb_raw_validation *validation;
    gb_raw_checkpoint *checkpoint;
} gb_raw_train;

typedef struct gb_raw_suite {
    char *suite;
    int64_t *episodes;
    char **sources;
    unsigned sources_count;
} gb_raw_suite;

typedef struct gb_raw_recipe {
    char *name;
    uint64_t *seed;
    gb_raw_source *data;
    unsigned data_count;
    gb_model_config *model;
    gb_raw_train *train;
    gb_raw_suite *eval;
    unsigned eval_count;
} gb_raw_recipe;

/* Relative paths start from here from now on. */
GB_MUST gb_status gb_recipe_set_folder(gb_recipe *recipe, const char *folder);

extern const cyaml_schema_value_t gb_recipe_schema;

/* Values that fit the schema but are impossible, alone or together. model: its defaults filled in.
 */
GB_MUST gb_status gb_recipe_check(const gb_recipe *recipe);

#endif
