/* genba/train.h: from a recipe to a trained model. Floor 3: needs model, ingest, tensor, record,
 * base.
 *
 * A *recipe* is one YAML file: data, model, training, evaluation (docs/recipe.md). A *run folder*
 * holds everything of one run of it: the recipe, fingerprints of the data, metrics, checkpoints,
 * the final model. The same recipe and seed give the same bits, at any number of threads, and after
 * a kill at any moment and a resume.
 *
 * Most programs need gb_train_run only. The parts below it are for programs that bring their own
 * data or loop. */
#ifndef GENBA_TRAIN_H
#define GENBA_TRAIN_H

#include "genba/ingest.h"
#include "genba/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- recipe: plain data --------------------------------------------------------------------- */

typedef enum gb_source_format {
    GB_SOURCE_CSV, /* through a stream map, or guessed */
    GB_SOURCE_TEXT /* a file is one recording: one stream "text", a row a byte */
} gb_source_format;

/* Which windows: at most one of rows, time, recordings, names and split is given; none: all. */
typedef struct gb_split_config {
    int64_t rows[2];      /* [first, last) of every recording; last 0: not given */
    double time[2];       /* the same as a fraction of each recording's rows; end 0: not given */
    double recordings[2]; /* fraction of whole recordings, in an order shuffled by split_seed; end
                             0: not given */
    char **names;         /* [name_count] whole recordings */
    unsigned name_count;
    char *split;     /* of a store: the recordings that `genba store split` gave to it */
    bool reach_back; /* the past of a window may lie before the range */
} gb_split_config;

typedef struct gb_source_config {
    char *name;
    char **files; /* [file_count] paths or patterns (* and ?), absolute or from the recipe's folder;
                     ${GENBA_DATA}/... is the user's data folder */
    unsigned file_count;
    char *store;  /* or a store, from the recipe's folder (its key: GENBA_KEY); NULL: files */
    char *select; /* pattern of recording names in the store; NULL: all */
    gb_source_format format;
    char *map;     /* stream map, from the recipe's folder; NULL: the file's layout is guessed */
    double weight; /* share of the examples of a batch, relative to the other sources */
    int64_t limit; /* the first so many recordings; 0: all */
    uint64_t split_seed; /* of `recordings`; 0: the order of the files */
    gb_split_config train, validation;
    bool has_validation;
} gb_source_config;

typedef enum gb_optimizer_kind {
    GB_OPTIMIZER_ADAMW,
    GB_OPTIMIZER_MUON /* matrices inside the network; AdamW for all else */
} gb_optimizer_kind;

typedef struct gb_optimizer_config {
    gb_optimizer_kind kind;
    double rate;                            /* AdamW's peak learning rate */
    double beta1, beta2, epsilon;           /* AdamW */
    double weight_decay;                    /* of matrices; vectors and norms have none */
    double muon_rate, momentum, muon_decay; /* Muon */
} gb_optimizer_config;

typedef enum gb_schedule_kind {
    GB_SCHEDULE_COSINE,  /* warm-up, then half a cosine to final_fraction */
    GB_SCHEDULE_WSD,     /* warm-up, stable, then a straight line down over decay_fraction */
    GB_SCHEDULE_CONSTANT /* warm-up, stable */
} gb_schedule_kind;

typedef struct gb_schedule_config {
    gb_schedule_kind kind;
    int64_t warmup_steps;
    double decay_fraction; /* WSD: of all steps; default .2 */
    double final_fraction; /* of the peak, at the end; default 0 */
} gb_schedule_config;

typedef struct gb_rate_scale {
    char *match; /* parameters whose name contains this */
    double scale;
} gb_rate_scale;

typedef struct gb_train_config {
    int64_t steps;  /* 0: given by minutes */
    double minutes; /* the number of steps is fixed after a few timed ones (and is then kept over
                       resumes) */
    int64_t batch;
    gb_optimizer_config optimizer;
    gb_schedule_config schedule;
    gb_rate_scale *rate_scales; /* [rate_scale_count]; the first match counts */
    unsigned rate_scale_count;
    double clip;        /* largest global norm of the gradient; 0: no clipping */
    double ema;         /* decay of the averaged weights, min(ema, (1 + n) / (10 + n)); 0: none */
    gb_dtype precision; /* GB_F32 or GB_BF16 */
    int threads;        /* 0: all cores */
    bool recompute;     /* drop activations and compute them again: less memory, more time */
    int64_t validation_every;    /* steps; 0: never */
    int64_t validation_examples; /* spread evenly over the held-out windows */
    int64_t patience; /* stop after so many validations without a better one, and keep the best;
                         0: never stop, keep the last */
    int64_t checkpoint_steps;  /* a checkpoint every so many steps, 0: not by steps ... */
    double checkpoint_seconds; /* ... and as soon as the last is older; 0: not by time */
    int64_t log_every;         /* steps between lines of metrics.jsonl */
} gb_train_config;

/* One suite to run afterwards: settings are eval's business. */
typedef struct gb_suite_config {
    char *suite;      /* "pusht", "ett", ... */
    int64_t episodes; /* 0: the suite's own */
    char **sources;   /* [source_count] names of sources; none: all */
    unsigned source_count;
} gb_suite_config;

typedef struct gb_recipe {
    char *name;
    uint64_t seed;
    gb_source_config *sources; /* [source_count] */
    unsigned source_count;
    gb_model_config *model;
    gb_train_config train;
    gb_suite_config *suites; /* [suite_count] */
    unsigned suite_count;
    char *path, *folder; /* where it was read */
    char *text;          /* the file, byte for byte */
} gb_recipe;

/* GB_ERR_SCHEMA and GB_ERR_PARSE name file, line, what was expected, and the nearest key. */
GB_API GB_MUST gb_status gb_recipe_load(const char *path, gb_recipe **out);
GB_API void gb_recipe_free(gb_recipe *recipe); /* NULL is fine */
GB_API gb_train_config gb_train_config_defaults(void);

/* ---- data: the recipe's sources, read ------------------------------------------------------- */
typedef struct gb_train_data gb_train_data;

/* Reads every source (in parallel with nothing; seconds for megabytes). Errors name source, file
 * and row. */
GB_API GB_MUST gb_status gb_train_data_open(const gb_recipe *recipe, gb_train_data **out);
GB_API void gb_train_data_destroy(gb_train_data *data); /* NULL is fine */
GB_API const gb_dataset *gb_train_data_dataset(const gb_train_data *data, int source);
/* The windows of each source for a model; kept by `data`. */
GB_API GB_MUST gb_status gb_train_data_index(gb_train_data *data, const gb_model *model);
GB_API gb_window_index *gb_train_data_windows(const gb_train_data *data, int source); /* train */
GB_API gb_window_index *gb_train_data_held_out(const gb_train_data *data,
                                               int source); /* NULL: none */

/* ---- schedules and sampling: pure functions ------------------------------------------------- */
/* The learning rate's share of its peak at step (0 = first) of steps. */
GB_API double gb_schedule_factor(const gb_schedule_config *schedule, int64_t step, int64_t steps);
/* The decay of averaged weights after `step` updates: min(ema, (1 + step) / (10 + step)). */
GB_API double gb_ema_decay(double ema, int64_t step);
/* Place `index` in [0, count) of a shuffled order of 0 .. count - 1: a permutation that needs no
 * memory (a Feistel network walked until it lands inside). */
GB_API uint64_t gb_shuffled(uint64_t key, uint64_t index, uint64_t count);

/* ---- trainer -------------------------------------------------------------------------------- */
typedef struct gb_trainer gb_trainer;

typedef struct gb_train_source {
    const char *name;
    gb_window_index *windows;  /* borrowed */
    gb_window_index *held_out; /* borrowed; NULL: not validated on */
    double weight;
} gb_train_source;

typedef struct gb_train_step {
    int64_t step; /* updates done, this one included */
    double loss, gradient_norm, rate;
} gb_train_step;

/* What a run needs, known before it starts. */
typedef struct gb_train_memory {
    uint64_t weights_bytes, state_bytes, averaged_bytes, activation_bytes, validation_bytes,
        total_bytes;
    uint64_t step_flops;
} gb_train_memory;

/* One graph: forward, backward, clipping, optimiser, averaged weights. model, pool (may be NULL)
 * and the sources' windows are borrowed. The model's statistics are fitted already; its weights are
 * trained in place. config.steps > 0 or set later by gb_trainer_set_steps. GB_ERR_MEMORY says the
 * bytes. */
GB_API GB_MUST gb_status gb_trainer_create(gb_model *model,
                                           const gb_train_config *config,
                                           const gb_train_source *sources,
                                           int source_count,
                                           uint64_t seed,
                                           gb_pool *pool,
                                           gb_trainer **out);
GB_API void gb_trainer_destroy(gb_trainer *trainer); /* NULL is fine */
GB_API gb_train_memory gb_trainer_memory(const gb_trainer *trainer);
GB_API void gb_trainer_set_steps(gb_trainer *trainer, int64_t steps);
GB_API int64_t gb_trainer_steps(const gb_trainer *trainer); /* 0: not known yet */
/* One update. GB_ERR_NUMERIC if the loss or the gradient is not finite (weights are then spoilt:
 * restore a checkpoint). */
GB_API GB_MUST gb_status gb_trainer_step(gb_trainer *trainer, gb_train_step *out);
/* The loss of the averaged weights on held-out windows, sources weighed as in training. */
GB_API GB_MUST gb_status gb_trainer_validate(gb_trainer *trainer, double *out);
/* The model with averaged weights (the trained ones without EMA). Borrowed; changes with
 * gb_trainer_average and gb_trainer_validate only. */
GB_API const gb_model *gb_trainer_averaged(const gb_trainer *trainer);
GB_API GB_MUST gb_status gb_trainer_average(gb_trainer *trainer);
/* Everything to continue from: folder is written whole or not at all. notes: pairs name, value,
 * ..., NULL kept beside. */
GB_API GB_MUST gb_status gb_trainer_save(const gb_trainer *trainer,
                                         const char *folder,
                                         const char *identity,
                                         const char *const *notes);
/* GB_ERR_CORRUPT: cut or edited; GB_ERR_MISMATCH: of another identity (recipe) or architecture.
 * Nothing changes on failure. */
GB_API GB_MUST gb_status gb_trainer_restore(gb_trainer *trainer,
                                            const char *folder,
                                            const char *identity);
/* As gb_exec_profile, of the training graph. */
GB_API const char *gb_trainer_profile(gb_trainer *trainer, char *text, size_t size);

/* ---- a whole run ---------------------------------------------------------------------------- */
typedef enum gb_train_phase {
    GB_TRAIN_READING,   /* files */
    GB_TRAIN_FITTING,   /* statistics, closed forms */
    GB_TRAIN_PLANNED,   /* once: memory is known; `memory` is filled */
    GB_TRAIN_RESUMED,   /* once: `message` names the checkpoint, and a damaged one passed over */
    GB_TRAIN_STEPPING,  /* about ten times a second */
    GB_TRAIN_VALIDATED, /* after each validation */
    GB_TRAIN_SAVED,     /* after each checkpoint; `message` is its folder */
    GB_TRAIN_FINISHED   /* once; `message` is the model's folder */
} gb_train_phase;

typedef struct gb_train_progress {
    gb_train_phase phase;
    const char *name; /* of the recipe */
    int64_t step, steps;
    double loss; /* averaged over the last steps; NaN before the first */
    double validation_loss, best_validation_loss; /* NaN before the first */
    double rate, gradient_norm;
    double examples_per_s, tokens_per_s; /* tokens: 0 when an example has no length in tokens */
    double seconds, seconds_left;        /* of this run, all its resumes together */
    int64_t parameters;
    gb_train_memory memory;
    const char *message; /* never NULL; valid during the call */
} gb_train_progress;

/* Called on the training thread. */
typedef void (*gb_train_callback)(void *context, const gb_train_progress *progress);

typedef struct gb_train_options {
    int threads;   /* 0: the recipe's */
    bool use_seed; /* `seed` instead of the recipe's */
    uint64_t seed;
    int64_t steps;            /* > 0: instead of the recipe's steps or minutes */
    double minutes;           /* > 0: instead of the recipe's steps or minutes */
    const volatile int *stop; /* becomes non-zero when the run should save and return; may be set by
                                 a signal handler or another thread; NULL: never */
    gb_train_callback callback; /* may be NULL */
    void *context;
} gb_train_options;

GB_API gb_train_options gb_train_options_defaults(void);

typedef struct gb_train_result {
    int64_t step, steps;
    double loss, validation_loss; /* NaN: none */
    double seconds;               /* of training, all resumes together */
    bool resumed, finished_before, stopped_early;
} gb_train_result;

/* Trains recipe_path in run_folder (created if absent), continuing what is there. recipe_path NULL:
 * the recipe the run folder already has. The folder then holds recipe.yaml, run.json (versions,
 * CPU, seed, data fingerprints), metrics.jsonl, checkpoints/ and, when finished, model/.
 * GB_ERR_INTERRUPTED: stopped on request, saved; GB_ERR_MISMATCH: the folder belongs to another
 * recipe, seed or data; GB_ERR_MEMORY: what is needed and what there is. out may be NULL. */
GB_API GB_MUST gb_status gb_train_run(const char *recipe_path,
                                      const char *run_folder,
                                      const gb_train_options *options,
                                      gb_train_result *out);

#ifdef __cplusplus
}
#endif
#endif
