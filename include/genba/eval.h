/* genba/eval.h: how good is it, and how do we know? Metrics, intervals, closed-loop rollouts,
 * benchmark suites with their baselines and published figures, and the report a person reads.
 * Floor 5: may use every room below.
 *
 * A suite runs a method (a model, or a baseline without one) through one loader and one metric, and
 * puts what it measured beside what others published. Every measured figure carries an interval and
 * the command that printed it.
 *
 * Functions run in one thread each; results do not depend on the number of threads of the pool that
 * is passed in. */
#ifndef GENBA_EVAL_H
#define GENBA_EVAL_H

#include "genba/policy.h"
#include "genba/sink.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- metrics -------------------------------------------------------------------------------- */

/* Mean squared and mean absolute difference over count values; NaN when count is 0. */
GB_API double gb_metric_mse(const float *predicted, const float *truth, int64_t count);
GB_API double gb_metric_mae(const float *predicted, const float *truth, int64_t count);

/* Alarms against labels. Pool several recordings by adding. */
typedef struct gb_confusion {
    int64_t true_alarms, false_alarms, missed_alarms, true_silence;
} gb_confusion;

GB_API void gb_confusion_add(gb_confusion *confusion, bool alarm, bool anomaly);
/* 2 TP/(2 TP + FP + FN); 0 when nothing was found and nothing was there. */
GB_API double gb_confusion_f1(const gb_confusion *confusion);
/* Per cent of the normal samples with an alarm, and of the anomalous samples without one. */
GB_API double gb_confusion_false_alarm_percent(const gb_confusion *confusion);
GB_API double gb_confusion_missed_alarm_percent(const gb_confusion *confusion);

/* One engine's part of the PHM 2008 score (Saxena et al. 2008): d = predicted - true remaining
 * cycles; exp(-d/13) - 1 when early (d < 0), exp(d/10) - 1 when late. */
GB_API double gb_metric_life_score(double difference_cycles);
/* The value below which `percent` of the sorted values lie, between neighbours by proportion. */
GB_API double gb_metric_percentile(const double *sorted, int64_t count, double percent);

/* ---- intervals ------------------------------------------------------------------------------ */

/* A figure and its 95 % interval. low and high are NaN when there is none (published figures). */
typedef struct gb_interval {
    double value, low, high;
} gb_interval;

/* What is computed again from units drawn with replacement: units [count] are numbers below the
 * count given to gb_bootstrap. */
typedef double (*gb_statistic_fn)(const void *context, const int64_t *units, int64_t count);

/* Percentile bootstrap (Efron 1979) of any statistic over `count` units. Units that overlap, as
 * neighbouring windows do, are drawn in runs of `block` (moving blocks; Kuensch 1989); 1 for
 * independent ones. resamples 0 gives the value alone. */
GB_API GB_MUST gb_status gb_bootstrap(gb_statistic_fn statistic,
                                      const void *context,
                                      int64_t count,
                                      int64_t block,
                                      int resamples,
                                      uint64_t seed,
                                      gb_interval *out);
/* The same for the mean of values [count], fast. */
GB_API GB_MUST gb_status gb_bootstrap_mean(const double *values,
                                           int64_t count,
                                           int64_t block,
                                           int resamples,
                                           uint64_t seed,
                                           gb_interval *out);

/* ---- policies (policy.h) and rollouts ------------------------------------------------------- */

/* The baseline without training: do what the demonstration did whose bodies stood nearest. */
typedef struct gb_nearest_options {
    const gb_dataset *demonstrations; /* borrowed; streams as the plant declares them */
    bool symmetries;                  /* also search the mirrored demonstrations */
    int horizon, execute;             /* actions copied, and carried out */
} gb_nearest_options;
/* context: a const gb_nearest_options *. */
GB_API GB_MUST gb_status gb_policy_make_nearest(const void *context,
                                                const gb_plant_info *plant,
                                                gb_policy *out);

/* One episode, whole: enough to score it under another rule and to play it again. */
typedef struct gb_rollout {
    uint64_t seed;
    int steps;            /* actions taken */
    double *observations; /* [steps + 1][observation_size] */
    double *actions;      /* [steps][action_size] */
    double *progress;     /* [steps + 1] in the plant's measure */
    double *rewards;      /* [steps + 1]; the start is not paid */
    gb_plant_result result;
} gb_rollout;

typedef struct gb_rollout_set {
    const gb_plant_info *plant;
    int count;
    gb_rollout *episodes; /* [count], in the order of seeds */
    int64_t decision_count;
    double *decision_ms; /* [decision_count] wall time of each decision, sorted */
} gb_rollout_set;

/* Called from the calling thread's point of view at any time, by one thread at a time. */
typedef void (*gb_progress_fn)(void *context, const char *what, double fraction);

typedef struct gb_rollout_options {
    const char *plant;              /* a name of the registry */
    gb_plant_options plant_options; /* defaults: the plant's own */
    uint64_t first_seed;            /* episodes start from first_seed, first_seed + 1, ... */
    int episodes;
    uint64_t policy_seed; /* the policy's own randomness */
    gb_pool *pool;        /* borrowed; NULL: the calling thread. Episodes run side by side */
    gb_progress_fn progress;
    void *progress_context;
    const char *progress_what; /* what it says is under way; NULL: the plant's name */
    const volatile int *stop;  /* not 0: give up at the next decision; may be NULL */
} gb_rollout_options;

/* pusht, seeds 100000.., 50 episodes. */
GB_API gb_rollout_options gb_rollout_options_defaults(void);
/* Runs the episodes. The same options give the same bits at any number of threads (but for
 * decision_ms). Free with gb_rollout_set_destroy. GB_ERR_INTERRUPTED: stopped on request; a part of
 * the episodes would score otherwise than all of them, so none are handed out. */
GB_API GB_MUST gb_status gb_rollout_run(const gb_rollout_options *options,
                                        gb_policy_make_fn make,
                                        const void *make_context,
                                        gb_rollout_set **out);
GB_API void gb_rollout_set_destroy(gb_rollout_set *set); /* NULL is fine */
/* The score had the episode ended when its progress first passed stop_above. */
GB_API double gb_rollout_score_at(const gb_rollout *rollout, double stop_above);

/* ---- results -------------------------------------------------------------------------------- */

/* Texts and arrays of results live as long as the gb_suite_result they come in. */
typedef struct gb_result_column {
    const char *name; /* "MSE 96" */
    const char *unit; /* "", "%", "ms", "cycles" */
    int digits;       /* behind the point */
    int better;       /* -1 smaller is better, 1 larger, 0 neither */
} gb_result_column;

typedef enum gb_result_source {
    GB_RESULT_MODEL,    /* measured here: a genba model */
    GB_RESULT_BASELINE, /* measured here: no model, or a floor of the benchmark itself */
    GB_RESULT_PUBLISHED
} gb_result_source;

typedef struct gb_result_row {
    const char *method;
    gb_result_source source;
    const char *note;    /* who published it and where, or how it was measured; "" none */
    gb_interval *scores; /* [column_count]; value NaN: not reported */
} gb_result_row;

typedef struct gb_result_table {
    const char *title;   /* "ETTh1" */
    const char *caption; /* the protocol in a sentence: windows, units, seeds */
    int column_count, row_count;
    const gb_result_column *columns;
    const gb_result_row *rows;
} gb_result_table;

/* A forecast kept for drawing. */
typedef struct gb_forecast_example {
    const char *series; /* "ETTh1 OT" */
    const char *unit;   /* of values, as drawn */
    const char *start;  /* time of the first forecast row in words; "" unknown */
    double step_s;      /* between rows */
    int64_t past_count, horizon;
    int quantile_count;
    const float *past;      /* [past_count] the last rows before the forecast */
    const float *truth;     /* [horizon], NaN unknown */
    const float *levels;    /* [quantile_count], rising */
    const float *quantiles; /* [horizon][quantile_count] */
    double mse;             /* of the median over the horizon, scaled units */
} gb_forecast_example;

typedef struct gb_suite_result {
    const char *suite;   /* "ett" */
    const char *command; /* that repeats it; "" unknown */
    double wall_s;
    int table_count, example_count;
    const gb_result_table *tables;
    const gb_forecast_example *examples;
    gb_rollout_set *rollouts; /* of the model, else of the best baseline; NULL: not a plant */
    const char *skipped;      /* why parts are missing ("ETTm2.csv is not there"); "" none */
    const char *stopped;      /* stopped on request: where ("at 34 % of grasp: teacher"), and the
                                 tables hold only the rows that were whole by then, published ones
                                 of whole tables; "" ran to its end */
    gb_arena *arena;          /* holds all of the above */
} gb_suite_result;

/* ---- suites --------------------------------------------------------------------------------- */

typedef struct gb_suite_info {
    const char *name;      /* "ett" */
    const char *summary;   /* one sentence: what it measures */
    const char *data;      /* the folder below the data folder it reads: "ett"; "" none */
    const char *baselines; /* names that may be asked for, space between: "repeat ridge" */
    const char *models;    /* which models it takes: "quantile head" */
} gb_suite_info;

GB_API const gb_suite_info *gb_suite_at(int index); /* NULL from the end on */

typedef struct gb_suite_options {
    const gb_model *model;         /* NULL: baselines and published rows only */
    const char *model_name;        /* how it is called in tables; NULL: its config's name */
    const gb_model *const *models; /* machines: [model_count] each is tried on every machine */
    int model_count;
    gb_dtype compute;      /* plants: what models compute in, GB_F32 (default) or GB_BF16 */
    const char *envelopes; /* machines: folder of envelopes; NULL: examples/envelopes */
    const char *baselines; /* names, space between; NULL: all; "": none */
    const char *data;      /* folder of data sets; NULL: see gb_data_find */
    const char *only;      /* ett: data sets, machines: plants, space between; NULL: all */
    const char *command;   /* kept in the result */
    gb_pool *pool;         /* borrowed; NULL: the calling thread */
    uint64_t seed;         /* of bootstraps and policies */
    int resamples;         /* of the bootstrap; 0: no intervals */
    int64_t window_step;   /* series: every n-th test window; 1: all, as published */
    int episodes;          /* plants: 0: as published (50) */
    int examples;          /* forecasts kept for drawing */
    gb_progress_fn progress;
    void *progress_context;
    const volatile int *stop; /* not 0: end soon, with the rows that are whole; may be NULL */
} gb_suite_options;

/* All baselines, 1,000 resamples, every window, 6 examples. */
GB_API gb_suite_options gb_suite_options_defaults(void);
/* GB_ERR_NOT_FOUND: no suite, baseline or data set of that name, or the data is not on this
 * machine (the message says where it was looked for); GB_ERR_MISMATCH: the model answers another
 * question; GB_ERR_ARGUMENT: a suite without plants in bf16. A suite that was stopped gives GB_OK
 * and says so in result->stopped. Free with gb_suite_result_destroy. */
GB_API GB_MUST gb_status gb_suite_run(const char *suite,
                                      const gb_suite_options *options,
                                      gb_suite_result **out);
GB_API void gb_suite_result_destroy(gb_suite_result *result); /* NULL is fine */

/* The path of a data file or folder such as "ett/ETTh1.csv": below `folder` when given, else below
 * $GENBA_DATA, else below ./data. GB_ERR_NOT_FOUND names the places. */
GB_API GB_MUST gb_status gb_data_find(const char *folder,
                                      const char *relative,
                                      char *out_path,
                                      size_t size);
/* Recorded demonstrations of a plant as a dataset, one recording an episode with the plant's
 * streams. Destroy it with gb_dataset_destroy. GB_ERR_NOT_FOUND: the plant has none here. */
GB_API GB_MUST gb_status gb_demonstrations_load(const char *folder,
                                                const char *plant,
                                                gb_dataset **out);

/* ---- printing ------------------------------------------------------------------------------- */

/* A table as aligned text for a terminal, or the whole result as one JSON object; in the arena. */
GB_API GB_MUST gb_status gb_table_text(const gb_result_table *table,
                                       gb_arena *arena,
                                       char **out_text);
GB_API GB_MUST gb_status gb_suite_result_json(const gb_suite_result *result,
                                              gb_arena *arena,
                                              char **out_text);

/* ---- report --------------------------------------------------------------------------------- */

typedef struct gb_report_run {
    const char *name;    /* "pusht" */
    const char *metrics; /* path of its metrics.jsonl: one JSON object a line, see docs/eval.md */
    const char *command; /* that repeats it */
} gb_report_run;

typedef struct gb_report_fact {
    const char *label, *value; /* "CPU", "AMD EPYC 7R13, 2 cores, avx2" */
} gb_report_fact;

typedef struct gb_report_command {
    const char *command, *effect; /* "make demo", "trains both models and writes this page" */
} gb_report_command;

/* All of it is borrowed and may hold any text: it is escaped. */
typedef struct gb_report {
    const char *title;
    const char *summary; /* two sentences under the title */
    int result_count, run_count, fact_count, command_count;
    const gb_suite_result *const *results;
    const gb_report_run *runs;
    const gb_report_fact *facts; /* gb_report_machine_facts gives the machine's */
    const gb_report_command *commands;
} gb_report;

/* Writes one self-contained HTML file (no network, light and dark). A run whose metrics cannot be
 * read is said in the page, not an error. */
GB_API GB_MUST gb_status gb_report_write(const gb_report *report, const char *path);
/* The demo in one picture: a forecast with its bands beside frames of a rollout, as SVG. */
GB_API GB_MUST gb_status gb_report_picture(const gb_report *report, const char *path);
/* Machine, CPU, instruction set, threads, memory, compiler, versions: facts in the arena. */
GB_API GB_MUST gb_status gb_report_machine_facts(gb_arena *arena,
                                                 int threads,
                                                 const gb_report_fact **out,
                                                 int *out_count);

/* ---- inspection: what is in recordings, for a person to look at --------------------------------
 * A sink that keeps, of each stream, its statistics, a min/max envelope over time, a histogram,
 * gaps, qualities and reasons, the first words of texts and a few thumbnails; memory does not grow
 * with the recordings' length. One thread at a time. */
typedef struct gb_inspection gb_inspection;

/* recordings_most: later ones are counted only; 0: 24. */
GB_API GB_MUST gb_status gb_inspection_create(int recordings_most, gb_inspection **out);
GB_API void gb_inspection_destroy(gb_inspection *inspection); /* NULL is fine */
/* Recordings handed to it are looked at; belongs to the inspection. */
GB_API gb_sink *gb_inspection_sink(gb_inspection *inspection);
/* A line for each recording and stream. A status other than GB_OK from visit is returned. */
GB_API GB_MUST gb_status gb_inspection_lines(const gb_inspection *inspection,
                                             gb_status (*visit)(void *context, const char *line),
                                             void *context);
/* One HTML page that needs nothing beside it. facts are shown on top, files (label: file, value:
 * what came of it) as the way the data came. */
GB_API GB_MUST gb_status gb_inspection_write(const gb_inspection *inspection,
                                             const char *title,
                                             const gb_report_fact *facts,
                                             int fact_count,
                                             const gb_report_fact *files,
                                             int file_count,
                                             const char *path);

#ifdef __cplusplus
}
#endif
#endif
