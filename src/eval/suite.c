/* eval/suite.c: the table of suites, what is checked before one runs, and how its tables are built.
 * No benchmark's rules. */
#include "eval/suite.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const gb_suite *const suites[] = {
    &gb_suite_ett, &gb_suite_skab, &gb_suite_cmapss, &gb_suite_pusht, &gb_suite_machines,
};
#define SUITE_COUNT ((int)(sizeof suites / sizeof *suites))
#define SUITE_MEMORY_LIMIT_BYTES ((size_t)2 << 30)

const gb_suite_info *gb_suite_at(int index)
{
    return index >= 0 && index < SUITE_COUNT ? &suites[index]->info : NULL;
}

gb_suite_options gb_suite_options_defaults(void)
{
    return (gb_suite_options){.resamples = 1000, .window_step = 1, .examples = 6};
}

/* ---- words ------------------------------------------------------------------------------------
 */

bool gb_words_have(const char *words, const char *word)
{
    if (!words)
        return true;
    size_t size = strlen(word);
    for (const char *at = words; *at;) {
        at += strspn(at, " ,");
        size_t length = strcspn(at, " ,");
        if (length == size && strncmp(at, word, size) == 0)
            return true;
        at += length;
    }
    return false;
}

bool gb_suite_wants(const gb_suite_run_state *state, const char *baseline)
{
    return gb_words_have(state->options->baselines, baseline);
}

const char *gb_suite_model_name(const gb_suite_run_state *state)
{
    const gb_suite_options *options = state->options;
    if (options->model_name)
        return options->model_name;
    const char *name = gb_model_get_config(options->model)->name;
    return name ? name : "model";
}

void gb_suite_progress(gb_suite_run_state *state, const char *what, double fraction)
{
    snprintf(state->doing, sizeof state->doing, "%s", what);
    state->done = fraction;
    if (state->options->progress)
        state->options->progress(state->options->progress_context, what, fraction);
}

static void rollout_progress(void *state, const char *what, double fraction)
{
    gb_suite_progress(state, what, fraction);
}

gb_rollout_options gb_suite_rollouts(gb_suite_run_state *state)
{
    gb_rollout_options rollouts = gb_rollout_options_defaults();
    rollouts.policy_seed = state->options->seed;
    rollouts.pool = state->options->pool;
    rollouts.progress = rollout_progress;
    rollouts.progress_context = state;
    rollouts.stop = state->options->stop;
    return rollouts;
}

gb_status gb_suite_go_on(const gb_suite_run_state *state)
{
    if (state->options->stop && *state->options->stop)
        return gb_fail(GB_ERR_INTERRUPTED, "suite %s: stopped on request", state->result->suite);
    return GB_OK;
}

gb_status gb_suite_skip(gb_suite_run_state *state, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    const char *before = state->result->skipped;
    char *text = gb_arena_format(state->arena, "%s%s%s", before, *before ? "; " : "", line);
    if (!text)
        return GB_ERR_MEMORY;
    state->result->skipped = text;
    return GB_OK;
}

/* ---- tables -----------------------------------------------------------------------------------
 */

gb_status gb_suite_table(gb_suite_run_state *state,
                         const char *title,
                         const char *caption,
                         const gb_result_column *columns,
                         int column_count,
                         gb_result_table **out)
{
    if (state->result->table_count == GB_TABLES_MAX)
        return gb_fail(GB_ERR_ARGUMENT, "suite %s: more than %d tables", state->result->suite,
                       GB_TABLES_MAX);
    gb_result_row *rows = gb_arena_alloc(state->arena, GB_ROWS_MAX * sizeof *rows);
    char *title_copy = gb_arena_text(state->arena, title);
    char *caption_copy = gb_arena_text(state->arena, caption);
    if (!rows || !title_copy || !caption_copy)
        return GB_ERR_MEMORY;
    gb_result_table *table = &state->tables[state->result->table_count++];
    *table = (gb_result_table){.title = title_copy,
                               .caption = caption_copy,
                               .column_count = column_count,
                               .columns = columns,
                               .rows = rows};
    *out = table;
    return GB_OK;
}

gb_status gb_suite_row(gb_suite_run_state *state,
                       gb_result_table *table,
                       const char *method,
                       gb_result_source source,
                       const char *note,
                       gb_interval **out_scores)
{
    if (table->row_count == GB_ROWS_MAX)
        return gb_fail(GB_ERR_ARGUMENT, "table %s: more than %d rows", table->title, GB_ROWS_MAX);
    gb_interval *scores =
        gb_arena_alloc(state->arena, (size_t)table->column_count * sizeof *scores);
    char *method_copy = gb_arena_text(state->arena, method);
    char *note_copy = gb_arena_text(state->arena, note);
    if (!scores || !method_copy || !note_copy)
        return GB_ERR_MEMORY;
    for (int i = 0; i < table->column_count; i++)
        scores[i] = (gb_interval){NAN, NAN, NAN};
    /* rows points at memory that gb_suite_table took for this state */
    gb_result_row *row = (gb_result_row *)&table->rows[table->row_count++];
    *row = (gb_result_row){method_copy, source, note_copy, scores};
    *out_scores = scores;
    return GB_OK;
}

gb_status gb_suite_published(gb_suite_run_state *state, gb_result_table *table, const char *set)
{
    for (int i = 0; i < gb_published_row_count; i++) {
        const gb_published_row *published = &gb_published_rows[i];
        if (strcmp(published->set, set) != 0)
            continue;
        gb_interval *scores = NULL;
        GB_TRY(gb_suite_row(state, table, published->method, GB_RESULT_PUBLISHED, published->source,
                            &scores));
        for (int c = 0; c < table->column_count && c < GB_PUBLISHED_SCORES; c++)
            scores[c].value = published->scores[c];
    }
    return GB_OK;
}

/* ---- run --------------------------------------------------------------------------------------
 */

static gb_status find(const char *name, const gb_suite **out)
{
    char names[256] = "";
    for (int i = 0; i < SUITE_COUNT; i++) {
        if (name && strcmp(suites[i]->info.name, name) == 0) {
            *out = suites[i];
            return GB_OK;
        }
        strncat(names, i ? ", " : "", sizeof names - strlen(names) - 1);
        strncat(names, suites[i]->info.name, sizeof names - strlen(names) - 1);
    }
    return gb_fail(GB_ERR_NOT_FOUND, "suite \"%s\": no such suite%s; there are: %s",
                   name ? name : "(null)",
                   name && strchr(name, '/') ? ", and no folder of a run" : "", names);
}

gb_status
gb_suite_check_words(const char *suite, const char *what, const char *asked, const char *allowed)
{
    for (const char *at = asked ? asked : ""; *(at += strspn(at, " ,")); at += strcspn(at, " ,")) {
        char word[64];
        snprintf(word, sizeof word, "%.*s", (int)strcspn(at, " ,"), at);
        if (!gb_words_have(allowed, word))
            return gb_fail(GB_ERR_NOT_FOUND, "suite %s: no %s \"%s\"; there are: %s", suite, what,
                           word, allowed);
    }
    return GB_OK;
}

static gb_status
begin(const gb_suite *suite, const gb_suite_options *options, gb_suite_run_state *s)
{
    char path[GB_PATH_MAX] = "";
    if (*suite->info.data)
        GB_TRY(gb_data_find(options->data, suite->info.data, path, sizeof path));
    int examples = options->examples > 0 ? options->examples : 0;
    s->options = options;
    s->data_folder = gb_arena_text(s->arena, path);
    s->result = gb_arena_alloc(s->arena, sizeof *s->result);
    s->tables = gb_arena_alloc(s->arena, GB_TABLES_MAX * sizeof *s->tables);
    s->examples = gb_arena_alloc(s->arena, (size_t)examples * sizeof *s->examples);
    char *command = gb_arena_text(s->arena, options->command ? options->command : "");
    if (!s->data_folder || !s->result || !s->tables || !s->examples || !command)
        return GB_ERR_MEMORY;
    s->result->suite = suite->info.name;
    s->result->command = command;
    s->result->tables = s->tables;
    s->result->examples = s->examples;
    s->result->skipped = "";
    s->result->stopped = "";
    s->result->arena = s->arena;
    return GB_OK;
}

/* Makes a whole, if short, result of a run that was stopped: a row in the making was never added.
 */
static gb_status end_early(gb_suite_run_state *s)
{
    gb_suite_result *result = s->result;
    while (result->table_count > 0 && result->tables[result->table_count - 1].row_count == 0)
        result->table_count--;
    char *where = !*s->doing     ? gb_arena_text(s->arena, "before the first figure")
                  : s->done >= 1 ? gb_arena_format(s->arena, "after %s", s->doing)
                                 : gb_arena_format(s->arena, "at %.0f %% of %s",
                                                   floor(100.0 * s->done), s->doing);
    if (!where)
        return GB_ERR_MEMORY;
    result->stopped = where;
    return GB_OK;
}

gb_status gb_suite_run(const char *name, const gb_suite_options *options, gb_suite_result **out)
{
    const gb_suite *suite = NULL;
    GB_TRY(find(name, &suite));
    GB_TRY(gb_suite_check_words(name, "baseline", options->baselines, suite->info.baselines));
    if (options->only && !suite->chooses)
        return gb_fail(GB_ERR_ARGUMENT, "suite %s: is one whole; leave \"only %s\" out", name,
                       options->only);
    if (options->window_step < 1 || options->resamples < 0 || options->episodes < 0)
        return gb_fail(GB_ERR_ARGUMENT,
                       "suite %s: window_step %lld, resamples %d, episodes %d: expected a step "
                       "from 1 and counts from 0 on",
                       name, (long long)options->window_step, options->resamples,
                       options->episodes);
    if (options->compute != GB_F32 && !(suite->drives && gb_policy_model_maker(options->compute)))
        return gb_fail(
            GB_ERR_ARGUMENT,
            "suite %s: computes in f32 only; bf16 is for the suites of plants, pusht and "
            "machines",
            name);
    gb_suite_run_state state = {0};
    GB_TRY(gb_arena_create(SUITE_MEMORY_LIMIT_BYTES, &state.arena));
    int64_t start_ns = gb_clock_monotonic_ns();
    gb_status status = begin(suite, options, &state);
    if (status == GB_OK)
        status = suite->run(&state);
    if (status == GB_ERR_INTERRUPTED && state.result)
        status = end_early(&state);
    if (status != GB_OK) {
        if (state.result)
            gb_rollout_set_destroy(state.result->rollouts);
        gb_arena_destroy(state.arena);
        return status;
    }
    state.result->wall_s = (double)(gb_clock_monotonic_ns() - start_ns) / 1e9;
    *out = state.result;
    return GB_OK;
}

void gb_suite_result_destroy(gb_suite_result *result)
{
    if (!result)
        return;
    gb_rollout_set_destroy(result->rollouts);
    gb_arena_destroy(result->arena);
}
