/* eval/suite.h: what the suites share: the context of a run, and a builder of result tables.
 * Private to eval. */
#ifndef GENBA_EVAL_SUITE_H
#define GENBA_EVAL_SUITE_H

#include "eval/published.h"
#include "genba/eval.h"

#define GB_PATH_MAX 4096
#define GB_TABLES_MAX 8
#define GB_ROWS_MAX 48
#define GB_COLUMNS_MAX 12

typedef struct gb_suite_run_state {
    const gb_suite_options *options;
    gb_arena *arena;         /* of the result */
    const char *data_folder; /* the suite's own, found */
    gb_suite_result *result;
    gb_result_table *tables;       /* [GB_TABLES_MAX] */
    gb_forecast_example *examples; /* [options->examples] */
    char doing[160];               /* what gb_suite_progress last heard of */
    double done;                   /* and how much of it, 0 to 1 */
} gb_suite_run_state;

typedef struct gb_suite {
    gb_suite_info info;
    bool drives;  /* its models are policies, which compute in any precision */
    bool chooses; /* it heeds `only`, and checks its words */
    gb_status (*run)(gb_suite_run_state *state);
} gb_suite;

extern const gb_suite gb_suite_ett, gb_suite_skab, gb_suite_cmapss, gb_suite_pusht,
    gb_suite_machines;

/* Whether a word stands in a text of words separated by spaces; a NULL text holds all. */
bool gb_words_have(const char *words, const char *word);
/* Every word of `asked` (NULL: none) must be one of `allowed`: a table without what was asked for
 * would look like an answer. */
GB_MUST gb_status gb_suite_check_words(const char *suite,
                                       const char *what,
                                       const char *asked,
                                       const char *allowed);
bool gb_suite_wants(const gb_suite_run_state *state, const char *baseline);
void gb_suite_progress(gb_suite_run_state *state, const char *what, double fraction);
/* Options for the rollouts of this run's policies; the caller adds plant, seeds and episodes. */
gb_rollout_options gb_suite_rollouts(gb_suite_run_state *state);
/* GB_ERR_INTERRUPTED once the run should stop; asked between pieces of work that are short. */
GB_MUST gb_status gb_suite_go_on(const gb_suite_run_state *state);
/* How the model is called in tables. */
const char *gb_suite_model_name(const gb_suite_run_state *state);
/* Adds a line to what the result says was left out. */
GB_MUST gb_status gb_suite_skip(gb_suite_run_state *state, const char *format, ...) GB_PRINTF(2, 3);

/* A new table; columns are borrowed constants. */
GB_MUST gb_status gb_suite_table(gb_suite_run_state *state,
                                 const char *title,
                                 const char *caption,
                                 const gb_result_column *columns,
                                 int column_count,
                                 gb_result_table **out);
/* A new row of NaN scores to fill in. */
GB_MUST gb_status gb_suite_row(gb_suite_run_state *state,
                               gb_result_table *table,
                               const char *method,
                               gb_result_source source,
                               const char *note,
                               gb_interval **out_scores);
/* Appends the published rows of one data set. Columns of the table come first to last. */
GB_MUST gb_status gb_suite_published(gb_suite_run_state *state,
                                     gb_result_table *table,
                                     const char *set);

#endif
