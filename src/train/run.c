#define _DEFAULT_SOURCE /* realpath */
/* A whole run: from a recipe and a folder to a trained model, resumable at every moment.
 * The loop is run_loop.c; the folder's papers are run_folder.c. */
#include "train/run.h"
#include "train/folder.h"
#include "train/recipe.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

gb_train_options gb_train_options_defaults(void)
{
    return (gb_train_options){0};
}

void gb_run_show(gb_run_state *run, gb_train_phase phase, const char *message)
{
    gb_train_progress shown = run->progress;
    shown.phase = phase;
    shown.message = message ? message : "";
    if (run->options.callback)
        run->options.callback(run->options.context, &shown);
}

/* ---- recipe and papers ------------------------------------------------------------------------
 */
/* The recipe that the run folder holds; its relative paths start where it was first read. */
static gb_status load_own_recipe(gb_run_state *run)
{
    char path[GB_RUN_PATH_BYTES];
    GB_TRY(gb_run_path(run->folder, "recipe.yaml", path));
    if (!gb_file_exists(path))
        return gb_fail(GB_ERR_NOT_FOUND, "%s holds no run yet: give a recipe", run->folder);
    const char *origin = json_string_value(json_object_get(run->papers, "recipe_folder"));
    GB_TRY(gb_recipe_load(path, &run->recipe));
    return origin ? gb_recipe_set_folder(run->recipe, origin) : GB_OK;
}

static void apply_options(gb_run_state *run)
{
    gb_recipe *recipe = run->recipe;
    const gb_train_options *o = &run->options;
    recipe->seed = o->use_seed ? o->seed : recipe->seed;
    recipe->train.threads = o->threads > 0 ? o->threads : recipe->train.threads;
    if (o->steps > 0 || o->minutes > 0.0) {
        recipe->train.steps = o->steps;
        recipe->train.minutes = o->steps > 0 ? 0.0 : o->minutes;
    }
    gb_schedule_config *schedule = &recipe->train.schedule;
    if (o->steps > 0 && schedule->warmup_steps > o->steps / 2)
        schedule->warmup_steps = o->steps / 2; /* a shortened run keeps its shape */
}

/* A resumed run that was started with other steps or another seed goes on with those. */
static void adopt_options(gb_run_state *run)
{
    const json_t *description = json_object_get(run->papers, "description");
    const char *seed = json_string_value(json_object_get(description, "seed"));
    gb_train_options *o = &run->options;
    if (!o->use_seed && seed) {
        o->use_seed = true;
        o->seed = strtoull(seed, NULL, 10);
    }
    if (o->steps == 0 && o->minutes == 0.0) {
        o->steps = (int64_t)json_integer_value(json_object_get(description, "steps"));
        o->minutes = json_number_value(json_object_get(description, "minutes"));
    }
}

static gb_status copy_recipe(const gb_run_state *run)
{
    char path[GB_RUN_PATH_BYTES];
    GB_TRY(gb_run_path(run->folder, "recipe.yaml", path));
    if (gb_file_exists(path))
        return GB_OK;
    return gb_file_replace(path, run->recipe->text, strlen(run->recipe->text));
}

static gb_status write_papers(gb_run_state *run, json_t *description)
{
    char *folder = realpath(run->recipe->folder, NULL);
    const gb_cpu *cpu = gb_cpu_get();
    run->papers =
        json_pack("{s:s, s:s, s:s, s:s, s:i, s:I, s:O}", "genba", gb_version(), "recipe_folder",
                  folder ? folder : run->recipe->folder, "cpu", cpu->model, "isa",
                  gb_isa_name(cpu->used), "threads", run->pool ? gb_pool_threads(run->pool) : 1,
                  "started_ns", (json_int_t)gb_clock_wall_ns(), "description", description);
    free(folder);
    if (!run->papers)
        return gb_fail(GB_ERR_MEMORY, "run.json: no memory");
    GB_TRY(copy_recipe(run));
    return gb_run_write(run->folder, run->papers);
}

static gb_status check_papers(gb_run_state *run)
{
    json_t *description = gb_run_describe(run->recipe, run->data);
    if (!description)
        return gb_fail(GB_ERR_MEMORY, "run.json: no memory");
    gb_status status = gb_run_identity(description, run->identity);
    if (status == GB_OK && run->papers)
        status = gb_run_compare(run->folder, json_object_get(run->papers, "description"),
                                description, true);
    else if (status == GB_OK)
        status = write_papers(run, description);
    json_decref(description);
    return status;
}

/* True when the folder's run is complete: nothing is to be done. */
static gb_status look_if_finished(gb_run_state *run, bool *out)
{
    *out = false;
    const json_t *finished = json_object_get(run->papers, "finished");
    char path[GB_RUN_PATH_BYTES];
    GB_TRY(gb_run_path(run->folder, "model", path));
    if (!finished || !gb_file_exists(path))
        return GB_OK;
    json_t *description = gb_run_describe(run->recipe, NULL);
    gb_status status = gb_run_compare(run->folder, json_object_get(run->papers, "description"),
                                      description, false);
    json_decref(description);
    GB_TRY(status);
    gb_train_progress *p = &run->progress;
    p->step = (int64_t)json_integer_value(json_object_get(finished, "step"));
    p->steps = (int64_t)json_integer_value(json_object_get(finished, "steps"));
    const json_t *loss = json_object_get(finished, "loss");
    const json_t *validation = json_object_get(finished, "validation_loss");
    p->loss = json_is_number(loss) ? json_number_value(loss) : NAN;
    p->validation_loss = json_is_number(validation) ? json_number_value(validation) : NAN;
    p->seconds = json_number_value(json_object_get(finished, "seconds"));
    run->stopped_early = json_is_true(json_object_get(finished, "stopped_early"));
    *out = true;
    gb_run_show(run, GB_TRAIN_FINISHED, path);
    return GB_OK;
}

/* ---- setting up -------------------------------------------------------------------------------
 */
static gb_status fit(gb_run_state *run, gb_train_source *sources)
{
    int count = (int)run->recipe->source_count;
    gb_window_index **windows = calloc((size_t)count, sizeof *windows);
    if (!windows)
        return gb_fail(GB_ERR_MEMORY, "run: no memory for %d sources", count);
    for (int i = 0; i < count; i++) {
        const gb_source_config *config = &run->recipe->sources[i];
        windows[i] = gb_train_data_windows(run->data, i);
        sources[i] = (gb_train_source){config->name, windows[i],
                                       gb_train_data_held_out(run->data, i), config->weight};
    }
    gb_status status = gb_model_fit_statistics(run->model, windows, count, run->pool);
    if (status == GB_OK)
        status = gb_model_fit_closed_form(run->model, windows, count, run->pool);
    free(windows);
    return status;
}

static gb_status prepare(gb_run_state *run)
{
    const gb_recipe *recipe = run->recipe;
    gb_run_show(run, GB_TRAIN_READING, NULL);
    GB_TRY(gb_train_data_open(recipe, &run->data));
    GB_TRY(gb_pool_create(recipe->train.threads, &run->pool));
    GB_TRY(check_papers(run));
    GB_TRY(gb_model_create(recipe->model, recipe->seed, &run->model));
    GB_TRY(gb_train_data_index(run->data, run->model));
    gb_run_show(run, GB_TRAIN_FITTING, NULL);
    gb_train_source *sources = calloc(recipe->source_count, sizeof *sources);
    if (!sources)
        return gb_fail(GB_ERR_MEMORY, "run: no memory for its sources");
    gb_status status = fit(run, sources);
    if (status == GB_OK)
        status = gb_trainer_create(run->model, &recipe->train, sources, (int)recipe->source_count,
                                   recipe->seed, run->pool, &run->trainer);
    free(sources);
    GB_TRY(status);
    run->progress.parameters = gb_model_parameter_count(run->model);
    run->progress.memory = gb_trainer_memory(run->trainer);
    gb_run_show(run, GB_TRAIN_PLANNED, NULL);
    return GB_OK;
}

static gb_status open_checkpoints(gb_run_state *run)
{
    char path[GB_RUN_PATH_BYTES];
    GB_TRY(gb_run_path(run->folder, "checkpoints", path));
    GB_TRY(gb_folder_create(path));
    gb_folder_sweep(path);
    gb_folder_sweep(run->folder);
    run->progress.steps = run->recipe->train.steps;
    GB_TRY(gb_run_resume(run));
    run->progress.steps = gb_trainer_steps(run->trainer);
    GB_TRY(gb_run_path(run->folder, "metrics.jsonl", path));
    return gb_metrics_open(path, run->progress.step, &run->metrics);
}

/* ---- the end ----------------------------------------------------------------------------------
 */
/* The best weights seen on held-out windows when patience was asked for, else the last. */
static gb_status write_model(gb_run_state *run, char path[GB_RUN_PATH_BYTES])
{
    char best[GB_RUN_PATH_BYTES], partial[GB_RUN_PATH_BYTES];
    gb_model *loaded = NULL;
    GB_TRY(gb_run_path(run->folder, "model", path));
    GB_TRY(gb_run_path(run->folder, "best", best));
    if (run->recipe->train.patience > 0 && run->has_best)
        GB_TRY(gb_model_load(best, &loaded));
    gb_status status = gb_trainer_average(run->trainer);
    if (status == GB_OK)
        status = gb_folder_begin(path, partial, sizeof partial);
    if (status == GB_OK)
        status = gb_model_save(loaded ? loaded : gb_trainer_averaged(run->trainer), partial);
    if (status == GB_OK)
        status = gb_folder_commit(partial, path);
    gb_model_destroy(loaded);
    return status;
}

static json_t *number_or_null(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static gb_status finish(gb_run_state *run)
{
    char path[GB_RUN_PATH_BYTES];
    gb_train_progress *p = &run->progress;
    p->seconds = gb_run_seconds(run);
    p->seconds_left = 0.0;
    GB_TRY(write_model(run, path));
    json_t *finished = json_pack("{s:I, s:I, s:o, s:o, s:o, s:f, s:b}", "step", (json_int_t)p->step,
                                 "steps", (json_int_t)p->steps, "loss", number_or_null(p->loss),
                                 "validation_loss", number_or_null(p->validation_loss),
                                 "best_validation_loss", number_or_null(p->best_validation_loss),
                                 "seconds", p->seconds, "stopped_early", (int)run->stopped_early);
    if (!finished || json_object_set_new(run->papers, "finished", finished) != 0)
        return gb_fail(GB_ERR_MEMORY, "run.json: no memory");
    GB_TRY(gb_run_write(run->folder, run->papers));
    gb_run_show(run, GB_TRAIN_FINISHED, path);
    return GB_OK;
}

static gb_status run_all(gb_run_state *run, const char *recipe_path, gb_train_result *result)
{
    bool finished;
    GB_TRY(gb_folder_create(run->folder));
    GB_TRY(gb_run_lock(run->folder, &run->lock_fd));
    GB_TRY(gb_run_read(run->folder, &run->papers));
    if (recipe_path)
        GB_TRY(gb_recipe_load(recipe_path, &run->recipe));
    else
        GB_TRY(load_own_recipe(run));
    if (!recipe_path)
        adopt_options(run);
    apply_options(run);
    run->progress.name = run->recipe->name;
    GB_TRY(look_if_finished(run, &finished));
    result->finished_before = finished;
    if (finished)
        return GB_OK;
    GB_TRY(prepare(run));
    GB_TRY(open_checkpoints(run));
    GB_TRY(gb_run_loop(run));
    if (run->interrupted)
        return gb_fail(GB_ERR_INTERRUPTED,
                       "stopped at step %lld on request; run the same command again to continue",
                       (long long)run->progress.step);
    return finish(run);
}

static void close_run(gb_run_state *run)
{
    gb_metrics_close(run->metrics);
    gb_trainer_destroy(run->trainer);
    gb_pool_destroy(run->pool);
    gb_train_data_destroy(run->data);
    gb_model_destroy(run->model);
    gb_recipe_free(run->recipe);
    json_decref(run->papers);
    if (run->lock_fd >= 0)
        close(run->lock_fd);
}

gb_status gb_train_run(const char *recipe_path,
                       const char *run_folder,
                       const gb_train_options *options,
                       gb_train_result *out)
{
    gb_run_state run = {.options = options ? *options : gb_train_options_defaults(),
                        .folder = run_folder,
                        .lock_fd = -1,
                        .begin_ns = gb_clock_monotonic_ns()};
    run.progress.loss = run.progress.validation_loss = run.progress.best_validation_loss = NAN;
    run.progress.name = run.progress.message = "";
    gb_train_result result = {0};
    gb_status status = run_all(&run, recipe_path, &result);
    result.step = run.progress.step;
    result.steps = run.progress.steps;
    result.loss = run.progress.loss;
    result.validation_loss = run.progress.validation_loss;
    result.seconds = run.progress.seconds;
    result.resumed = run.resumed;
    result.stopped_early = run.stopped_early;
    if (out && (status == GB_OK || status == GB_ERR_INTERRUPTED))
        *out = result;
    close_run(&run);
    return status;
}
