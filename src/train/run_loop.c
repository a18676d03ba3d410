/* The loop of a run: steps, metrics, validation with patience, checkpoints, resume. */
#include "train/checkpoint.h"
#include "train/folder.h"
#include "train/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    KEPT_CHECKPOINTS = 2,
    TIMED_FROM = 3, /* steps whose time decides how many fit into given minutes */
    TIMED_TO = 12
};
#define SHOW_EVERY_NS 100000000

double gb_run_seconds(const gb_run_state *run)
{
    return run->seconds_before + (double)(gb_clock_monotonic_ns() - run->begin_ns) / 1e9;
}

/* ---- checkpoints ------------------------------------------------------------------------------
 */
static gb_status save(gb_run_state *run)
{
    char path[GB_RUN_PATH_BYTES], best[32], best_step[32], waited[32], last[32], seconds[32];
    const gb_train_progress *p = &run->progress;
    snprintf(best, sizeof best, "%.17g", run->has_best ? p->best_validation_loss : 0.0);
    snprintf(best_step, sizeof best_step, "%lld", run->has_best ? (long long)run->best_step : -1LL);
    snprintf(waited, sizeof waited, "%lld", (long long)run->validations_without_better);
    snprintf(last, sizeof last, "%.17g", p->validation_loss);
    snprintf(seconds, sizeof seconds, "%.17g", gb_run_seconds(run));
    const char *notes[] = {"best_loss",       best, "best_step", best_step, "waited", waited,
                           "validation_loss", last, "seconds",   seconds,   NULL};
    GB_TRY(gb_run_checkpoint_path(run->folder, p->step, path));
    GB_TRY(gb_metrics_sync(run->metrics));
    GB_TRY(gb_trainer_save(run->trainer, path, run->identity, notes));
    gb_run_prune(run->folder, KEPT_CHECKPOINTS);
    run->saved_ns = gb_clock_monotonic_ns();
    gb_run_show(run, GB_TRAIN_SAVED, path);
    return GB_OK;
}

static gb_status read_note(const char *folder, const char *name, double *out)
{
    char text[64];
    GB_TRY(gb_checkpoint_note(folder, name, text, sizeof text));
    *out = text[0] ? strtod(text, NULL) : 0.0;
    return GB_OK;
}

static gb_status read_notes(gb_run_state *run, const char *folder)
{
    double best, best_step, waited, last;
    GB_TRY(read_note(folder, "best_loss", &best));
    GB_TRY(read_note(folder, "best_step", &best_step));
    GB_TRY(read_note(folder, "waited", &waited));
    GB_TRY(read_note(folder, "validation_loss", &last));
    GB_TRY(read_note(folder, "seconds", &run->seconds_before));
    run->has_best = best_step >= 0.0;
    run->best_step = (int64_t)best_step;
    run->validations_without_better = (int64_t)waited;
    run->progress.best_validation_loss = run->has_best ? best : NAN;
    run->progress.validation_loss = last;
    return GB_OK;
}

static gb_status continue_from(gb_run_state *run, int64_t step, char path[GB_RUN_PATH_BYTES])
{
    GB_TRY(gb_run_checkpoint_path(run->folder, step, path));
    GB_TRY(gb_trainer_restore(run->trainer, path, run->identity));
    run->progress.step = step;
    run->resumed = true;
    return read_notes(run, path);
}

gb_status gb_run_resume(gb_run_state *run)
{
    int64_t steps[GB_RUN_CHECKPOINTS_MAX];
    char path[GB_RUN_PATH_BYTES], message[GB_RUN_PATH_BYTES + 2200], damage[2100] = "";
    int count = gb_run_checkpoints(run->folder, steps);
    for (int i = 0; i < count; i++) {
        gb_status status = continue_from(run, steps[i], path);
        if (status == GB_OK) {
            snprintf(message, sizeof message, "continuing at step %lld from %s%s%s",
                     (long long)steps[i], path,
                     damage[0] ? "; the newer one was passed over: " : "", damage);
            if (damage[0])
                gb_log(GB_LOG_WARN, "%s", message);
            gb_run_show(run, GB_TRAIN_RESUMED, message);
            return GB_OK;
        }
        if (status != GB_ERR_CORRUPT)
            return status;
        if (!damage[0])
            snprintf(damage, sizeof damage, "%s", gb_error_message());
    }
    if (count > 0)
        return gb_fail(GB_ERR_CORRUPT,
                       "all checkpoints in %s/checkpoints are damaged (%s): delete that folder to "
                       "start again from the first step",
                       run->folder, damage);
    return GB_OK;
}

/* ---- validation -------------------------------------------------------------------------------
 */
static gb_status keep_best(gb_run_state *run)
{
    char path[GB_RUN_PATH_BYTES], partial[GB_RUN_PATH_BYTES];
    GB_TRY(gb_run_path(run->folder, "best", path));
    GB_TRY(gb_folder_begin(path, partial, sizeof partial));
    GB_TRY(gb_model_save(gb_trainer_averaged(run->trainer), partial));
    return gb_folder_commit(partial, path);
}

static gb_status validate(gb_run_state *run)
{
    gb_train_progress *p = &run->progress;
    double loss;
    GB_TRY(gb_trainer_validate(run->trainer, &loss));
    p->validation_loss = loss;
    run->validations_without_better++;
    if (isfinite(loss) && (!run->has_best || loss < p->best_validation_loss)) {
        run->has_best = true;
        run->best_step = p->step;
        run->validations_without_better = 0;
        p->best_validation_loss = loss;
        GB_TRY(keep_best(run));
    }
    const char *names[] = {"validation_loss", "best_validation_loss", "seconds", NULL};
    const double values[] = {loss, p->best_validation_loss, gb_run_seconds(run)};
    GB_TRY(gb_metrics_write(run->metrics, p->step, names, values));
    gb_run_show(run, GB_TRAIN_VALIDATED, NULL);
    int64_t patience = run->recipe->train.patience;
    if (patience > 0 && run->validations_without_better >= patience)
        run->stopped_early = p->step < p->steps;
    return GB_OK;
}

/* ---- stepping ---------------------------------------------------------------------------------
 */
/* With minutes given, a few timed steps say how many there will be. */
static void settle_steps(gb_run_state *run)
{
    gb_train_progress *p = &run->progress;
    if (p->steps > 0)
        return;
    int64_t now = gb_clock_monotonic_ns();
    if (p->step == TIMED_FROM)
        run->timed_ns = now;
    if (p->step < TIMED_TO)
        return;
    double each = (double)(now - run->timed_ns) / 1e9 / (TIMED_TO - TIMED_FROM);
    double left = run->recipe->train.minutes * 60.0 - gb_run_seconds(run);
    double more = left > 0.0 ? floor(0.97 * left / (each > 1e-9 ? each : 1e-9)) : 0.0;
    p->steps = p->step + (more < 1.0 ? 1 : more > 2e9 ? (int64_t)2e9 : (int64_t)more);
    gb_trainer_set_steps(run->trainer, p->steps);
}

static void update_progress(gb_run_state *run, const gb_train_step *step)
{
    gb_train_progress *p = &run->progress;
    const gb_recipe *recipe = run->recipe;
    p->step = step->step;
    p->loss = isnan(p->loss) ? step->loss : p->loss + (step->loss - p->loss) / 20.0;
    p->rate = step->rate;
    p->gradient_norm = step->gradient_norm;
    p->seconds = gb_run_seconds(run);
    double here = p->seconds - run->seconds_before;
    double rate = (double)(p->step - run->begin_step) / (here > 1e-9 ? here : 1e-9);
    p->examples_per_s = rate * (double)recipe->train.batch;
    const gb_codec_config *codec = &recipe->model->codec;
    int tokens = codec->kind == GB_CODEC_BYTES ? codec->look_back
                 : codec->kind == GB_CODEC_SERIES && codec->patch > 0
                     ? codec->look_back / codec->patch
                     : 0;
    p->tokens_per_s = p->examples_per_s * (double)tokens;
    p->seconds_left = p->steps > 0 ? (double)(p->steps - p->step) / rate : NAN;
}

static gb_status log_step(gb_run_state *run, const gb_train_step *step)
{
    const gb_train_progress *p = &run->progress;
    const gb_train_config *train = &run->recipe->train;
    if (step->step % train->log_every == 0 || step->step == p->steps || step->step == 1) {
        const char *names[] = {"loss",         "grad_norm", "rate", "examples_per_s",
                               "tokens_per_s", "seconds",   NULL};
        const double values[] = {step->loss,        step->gradient_norm, step->rate,
                                 p->examples_per_s, p->tokens_per_s,     p->seconds};
        GB_TRY(gb_metrics_write(run->metrics, step->step, names, values));
    }
    int64_t now = gb_clock_monotonic_ns();
    if (now - run->shown_ns >= SHOW_EVERY_NS || step->step == p->steps) {
        run->shown_ns = now;
        gb_run_show(run, GB_TRAIN_STEPPING, NULL);
    }
    return GB_OK;
}

static bool is_save_due(const gb_run_state *run)
{
    const gb_train_config *train = &run->recipe->train;
    double age = (double)(gb_clock_monotonic_ns() - run->saved_ns) / 1e9;
    return (train->checkpoint_steps > 0 && run->progress.step % train->checkpoint_steps == 0) ||
           (train->checkpoint_seconds > 0.0 && age >= train->checkpoint_seconds);
}

static bool is_stop_wanted(const gb_run_state *run)
{
    return run->options.stop && *run->options.stop != 0;
}

static gb_status one_step(gb_run_state *run)
{
    const gb_train_config *train = &run->recipe->train;
    gb_train_progress *p = &run->progress;
    gb_train_step step;
    GB_TRY(gb_trainer_step(run->trainer, &step));
    update_progress(run, &step);
    settle_steps(run);
    GB_TRY(log_step(run, &step));
    bool last = p->step == p->steps;
    if (train->validation_every > 0 && (p->step % train->validation_every == 0 || last))
        GB_TRY(validate(run));
    if (is_save_due(run) || last || run->stopped_early)
        GB_TRY(save(run));
    return GB_OK;
}

/* A checkpoint of the very end, or of an early stop, has nothing left to do. */
static bool is_finished(const gb_run_state *run)
{
    const gb_train_config *train = &run->recipe->train;
    const gb_train_progress *p = &run->progress;
    return run->stopped_early || (p->steps > 0 && p->step >= p->steps) ||
           (train->patience > 0 && run->validations_without_better >= train->patience);
}

gb_status gb_run_loop(gb_run_state *run)
{
    gb_train_progress *p = &run->progress;
    run->begin_step = p->step;
    run->begin_ns = run->saved_ns = gb_clock_monotonic_ns();
    while (!is_finished(run)) {
        if (is_stop_wanted(run)) {
            run->interrupted = true;
            return p->step > run->begin_step || !run->resumed ? save(run) : GB_OK;
        }
        GB_TRY(one_step(run));
    }
    run->stopped_early = p->step < p->steps;
    return GB_OK;
}
