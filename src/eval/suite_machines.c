/* eval/suite_machines.c: every simulated machine with its teacher, its honest floors and the models
 * that fit it, stepped and driven by pilot and servo, in one table. No machine's name is in here.
 */
#include "eval/suite.h"
#include "genba/control.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SEED 100000
#define EPISODES 100
#define DEMONSTRATION_SEEDS 1000 /* replay's one demonstration starts from one of these */
#define RANDOM_STREAM 0x72616e64u
#define ENVELOPES "examples/envelopes"

enum {
    SUCCESS,
    FAILED,
    SCORE,
    OF_TEACHER,
    JERK,
    COLUMN_COUNT
};

static const gb_result_column columns[COLUMN_COUNT] = {
    {"success", "%", 1, 1},    {"failed", "%", 1, -1}, {"score", "", 3, 1},
    {"of teacher", "%", 0, 1}, {"jerk", "", 4, -1},
};

/* One way to work a machine, and what it needs. */
typedef struct worker {
    gb_plant *plant;
    const gb_plant_info *info;
    uint64_t seed;
    double *observation, *action; /* [observation_size], [action_size] */
    double *recorded;             /* [max_steps][action_size] of one demonstration */
    int recorded_steps;
} worker;

typedef gb_status (*act_fn)(worker *w, int step);

/* Results of the episodes of one row. */
typedef struct outcome {
    int count;
    double *success, *failed, *score; /* [count], the first two in per cent */
    double jerk;                      /* NaN: not measured */
} outcome;

/* ---- floors and teachers ----------------------------------------------------------------------
 */

static gb_status teach(worker *w, int step)
{
    (void)step;
    return gb_plant_teach(w->plant, w->action);
}

/* Any command within the limits, each as likely as any other. */
static gb_status wander(worker *w, int step)
{
    int at = 0;
    for (int i = 0; i < w->info->action_stream_count; i++) {
        const gb_plant_stream *stream = &w->info->action_streams[i];
        for (int k = 0; k < stream->size; k++, at++) {
            uint64_t index = (uint64_t)step * (uint64_t)w->info->action_size + (uint64_t)at;
            double part = (double)gb_random_uniform(w->seed, RANDOM_STREAM, index);
            double low = stream->low ? stream->low[k] : -1.0;
            double high = stream->low ? stream->high[k] : 1.0;
            w->action[at] = low + part * (high - low);
        }
    }
    return GB_OK;
}

/* What each action stream follows as it was at the start, or nothing. */
static gb_status hold(worker *w, int step)
{
    int at = 0;
    for (int i = 0; step == 0 && i < w->info->action_stream_count; i++) {
        const gb_plant_stream *stream = &w->info->action_streams[i];
        int from = 0;
        bool follows = stream->follows != NULL &&
                       gb_plant_observation_stream(w->info, stream->follows, &from) != NULL;
        for (int k = 0; k < stream->size; k++, at++)
            w->action[at] = follows ? w->observation[from + k] : 0.0;
    }
    return GB_OK;
}

/* What a teacher did in another episode, with closed eyes. */
static gb_status replay(worker *w, int step)
{
    int row = step < w->recorded_steps ? step : w->recorded_steps - 1;
    memcpy(w->action, w->recorded + (size_t)row * (size_t)w->info->action_size,
           (size_t)w->info->action_size * sizeof(double));
    return GB_OK;
}

/* One success of the teacher on a seed that nothing is scored on. */
static gb_status record_one(const gb_suite_run_state *state, worker *w)
{
    size_t size = (size_t)w->info->action_size;
    gb_plant_result result = {0};
    for (uint64_t seed = 0; seed < DEMONSTRATION_SEEDS && !result.success; seed++) {
        GB_TRY(gb_plant_reset(w->plant, seed, w->observation));
        result = gb_plant_get_result(w->plant);
        for (w->recorded_steps = 0; !result.done; w->recorded_steps++) {
            GB_TRY(gb_suite_go_on(state));
            GB_TRY(gb_plant_teach(w->plant, w->action));
            memcpy(w->recorded + (size_t)w->recorded_steps * size, w->action,
                   size * sizeof(double));
            GB_TRY(gb_plant_step(w->plant, w->action, w->observation, &result));
        }
    }
    if (!result.success)
        return gb_fail(GB_ERR_NUMERIC, "machines: %s's teacher never succeeds", w->info->name);
    return GB_OK;
}

/* ---- rows -------------------------------------------------------------------------------------
 */

static gb_status outcome_create(gb_suite_run_state *state, outcome *out)
{
    int count = state->options->episodes ? state->options->episodes : EPISODES;
    double *values = gb_arena_alloc(state->arena, 3 * (size_t)count * sizeof *values);
    if (!values)
        return GB_ERR_MEMORY;
    *out = (outcome){.count = count,
                     .success = values,
                     .failed = values + count,
                     .score = values + 2 * count,
                     .jerk = NAN};
    return GB_OK;
}

static void keep(outcome *o, int episode, const gb_plant_result *result)
{
    o->success[episode] = result->success ? 100.0 : 0.0;
    o->failed[episode] = result->failed ? 100.0 : 0.0;
    o->score[episode] = result->score;
}

/* "grasp: teacher", for progress; it lives as long as the run. */
static const char *
title_of(gb_suite_run_state *state, const gb_plant_info *info, const char *method)
{
    const char *title = gb_arena_format(state->arena, "%s: %s", info->name, method);
    return title ? title : info->name;
}

static gb_status
work(gb_suite_run_state *state, worker *w, act_fn act, const char *name, outcome *o)
{
    GB_TRY(outcome_create(state, o));
    for (int i = 0; i < o->count; i++) {
        w->seed = FIRST_SEED + (uint64_t)i;
        GB_TRY(gb_plant_reset(w->plant, w->seed, w->observation));
        gb_plant_result result = gb_plant_get_result(w->plant);
        for (int step = 0; !result.done; step++) {
            GB_TRY(gb_suite_go_on(state));
            GB_TRY(act(w, step));
            GB_TRY(gb_plant_step(w->plant, w->action, w->observation, &result));
        }
        keep(o, i, &result);
        gb_suite_progress(state, name, (double)(i + 1) / (double)o->count);
    }
    return GB_OK;
}

/* A share of episodes in per cent with its 95 % interval (Wilson 1927), which unlike resampling
 * says something of shares of 0 and 1, too. */
static gb_interval share_of(const double *percents, int count)
{
    const double z2 = 1.959964 * 1.959964, n = (double)count;
    double p = 0.0;
    for (int i = 0; i < count; i++)
        p += percents[i] / 100.0 / n;
    double middle = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    double half = sqrt(z2 * (p * (1.0 - p) / n + z2 / (4.0 * n * n))) / (1.0 + z2 / n);
    return (gb_interval){100.0 * p, 100.0 * fmax(middle - half, 0.0),
                         100.0 * fmin(middle + half, 1.0)};
}

static gb_status add_row(gb_suite_run_state *state,
                         gb_result_table *table,
                         const char *machine,
                         const char *method,
                         gb_result_source source,
                         const char *note,
                         const outcome *o,
                         double teacher)
{
    gb_interval *scores = NULL;
    char title[160];
    const gb_suite_options *options = state->options;
    snprintf(title, sizeof title, "%s: %s", machine, method);
    GB_TRY(gb_suite_row(state, table, title, source, note, &scores));
    scores[SUCCESS] = share_of(o->success, o->count);
    scores[FAILED] = share_of(o->failed, o->count);
    GB_TRY(gb_bootstrap_mean(o->score, o->count, 1, options->resamples, options->seed,
                             &scores[SCORE]));
    if (teacher > 0.0)
        scores[OF_TEACHER].value = 100.0 * scores[SUCCESS].value / teacher;
    scores[JERK].value = o->jerk;
    return GB_OK;
}

/* ---- models -----------------------------------------------------------------------------------
 */

static gb_status step_model(gb_suite_run_state *state,
                            const gb_model *model,
                            const char *plant,
                            const char *what,
                            outcome *o)
{
    gb_rollout_options rollouts = gb_suite_rollouts(state);
    gb_rollout_set *set = NULL;
    GB_TRY(outcome_create(state, o));
    rollouts.plant = plant;
    rollouts.first_seed = FIRST_SEED;
    rollouts.episodes = o->count;
    rollouts.progress_what = what;
    GB_TRY(gb_rollout_run(&rollouts, gb_policy_model_maker(state->options->compute), model, &set));
    for (int i = 0; i < o->count; i++)
        keep(o, i, &set->episodes[i].result);
    gb_rollout_set_destroy(set);
    return GB_OK;
}

typedef struct driving {
    gb_suite_run_state *state;
    outcome *out;
    const char *what; /* for progress */
} driving;

static void after_episode(void *context, int episode, const gb_plant_result *result)
{
    driving *d = context;
    if (episode < d->out->count)
        keep(d->out, episode, result);
    gb_suite_progress(d->state, d->what, (double)(episode + 1) / (double)d->out->count);
}

/* By pilot and servo on a virtual clock, inside the envelope where there is one. */
static gb_status drive_model(gb_suite_run_state *state,
                             const gb_model *model,
                             const gb_plant_info *info,
                             gb_switching switching,
                             const char *envelope_path,
                             const char *what,
                             outcome *o)
{
    gb_link *link = NULL;
    gb_envelope *envelope = NULL;
    gb_control_result result;
    gb_control_options options = gb_control_options_defaults();
    GB_TRY(outcome_create(state, o));
    driving d = {.state = state, .out = o, .what = what};
    gb_status status = GB_OK;
    if (envelope_path)
        GB_TRY(gb_envelope_load(envelope_path, info, info->tick_ns, &envelope));
    GB_TRY_OR(done, gb_link_plant(info->name, NULL, &link));
    options.link = link;
    options.make = gb_policy_model_maker(state->options->compute);
    options.make_context = model;
    options.envelope = envelope;
    options.switching = switching;
    options.stepped_time = true;
    options.episodes = o->count;
    options.first_seed = FIRST_SEED;
    options.policy_seed = state->options->seed;
    options.priority = 0;
    options.episode = after_episode;
    options.context = &d;
    options.stop = state->options->stop;
    GB_TRY_OR(done, gb_control_run(&options, &result));
    GB_TRY_OR(done, gb_suite_go_on(state)); /* a drive that was stopped is no row */
    o->jerk = result.jerk_rms;
done:
    gb_link_close(link);
    gb_envelope_destroy(envelope);
    return status;
}

static gb_status add_model(gb_suite_run_state *state,
                           gb_result_table *table,
                           const gb_plant_info *info,
                           const gb_model *model,
                           double teacher)
{
    static const char *const driven[] = {
        [GB_SWITCH_PLAIN] = "pilot and servo, plain switching",
        [GB_SWITCH_REAL_TIME] = "pilot and servo, real-time chunking",
    };
    const char *given = gb_model_get_config(model)->name;
    const gb_suite_options *options = state->options;
    char path[GB_PATH_MAX], name[96], method[160], note[GB_PATH_MAX + 64];
    outcome o;
    snprintf(name, sizeof name, "%s%s", given ? given : "model",
             options->compute == GB_BF16 ? " in bf16" : "");
    snprintf(path, sizeof path, "%s/%s.yaml", options->envelopes ? options->envelopes : ENVELOPES,
             info->name);
    bool inside = gb_file_exists(path);
    snprintf(method, sizeof method, "%s, stepped", name);
    GB_TRY(step_model(state, model, info->name, title_of(state, info, method), &o));
    GB_TRY(add_row(state, table, info->name, method, GB_RESULT_MODEL, "no envelope, no delay", &o,
                   teacher));
    for (int s = GB_SWITCH_PLAIN; s <= GB_SWITCH_REAL_TIME; s++) {
        snprintf(method, sizeof method, "%s, %s", name, driven[s]);
        GB_TRY(drive_model(state, model, info, (gb_switching)s, inside ? path : NULL,
                           title_of(state, info, method), &o));
        snprintf(note, sizeof note, "inference takes one tick (%g ms); %s%s",
                 (double)info->tick_ns / 1e6, inside ? "envelope " : "no envelope",
                 inside ? path : "");
        GB_TRY(add_row(state, table, info->name, method, GB_RESULT_MODEL, note, &o, teacher));
    }
    return GB_OK;
}

/* ---- the table --------------------------------------------------------------------------------
 */

static gb_status
floors(gb_suite_run_state *state, gb_result_table *table, worker *w, double *teacher)
{
    static const struct {
        const char *baseline, *method, *note;
        act_fn act;
        bool taught; /* needs a teacher */
    } ways[] = {
        {"teacher", "teacher", "a script or planner with what insight it has", teach, true},
        {"random", "random", "any action within the limits", wander, false},
        {"hold", "hold still", "", hold, false},
        {"replay", "open-loop replay", "one success of the teacher, with closed eyes", replay,
         true},
    };
    *teacher = NAN;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        outcome o;
        if (!gb_suite_wants(state, ways[i].baseline) || (ways[i].taught && !w->info->has_teacher))
            continue;
        if (ways[i].act == replay)
            GB_TRY(record_one(state, w));
        GB_TRY(work(state, w, ways[i].act, title_of(state, w->info, ways[i].method), &o));
        GB_TRY(add_row(state, table, w->info->name, ways[i].method, GB_RESULT_BASELINE,
                       ways[i].note, &o, *teacher));
        if (ways[i].act == teach)
            *teacher = table->rows[table->row_count - 1].scores[SUCCESS].value;
    }
    return GB_OK;
}

static gb_status run_machine(gb_suite_run_state *state, gb_result_table *table, worker *w)
{
    const gb_plant_info *info = w->info;
    double teacher = NAN;
    w->observation = gb_arena_alloc(state->arena, (size_t)info->observation_size * sizeof(double));
    w->action = gb_arena_alloc(state->arena, (size_t)info->action_size * sizeof(double));
    w->recorded = gb_arena_alloc(state->arena, (size_t)info->max_steps * (size_t)info->action_size *
                                                   sizeof(double));
    if (!w->observation || !w->action || !w->recorded)
        return GB_ERR_MEMORY;
    GB_TRY(floors(state, table, w, &teacher));
    for (int i = 0; i < state->options->model_count; i++) {
        gb_policy policy = {0};
        if (gb_policy_make_model(state->options->models[i], info, &policy) != GB_OK)
            continue; /* another machine's */
        gb_policy_destroy(&policy);
        GB_TRY(add_model(state, table, info, state->options->models[i], teacher));
    }
    return GB_OK;
}

/* What `only` names must be machines, and every model must command one of those chosen. */
static gb_status check_asked(const gb_suite_options *options)
{
    char names[256] = "";
    const gb_plant_info *info;
    for (int i = 0; (info = gb_plant_at(i)) != NULL; i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? ", " : "",
                 info->name);
    GB_TRY(gb_suite_check_words("machines", "machine", options->only, names));
    for (int k = 0; k < options->model_count; k++) {
        bool fits = false;
        for (int i = 0; !fits && (info = gb_plant_at(i)) != NULL; i++) {
            gb_policy policy = {0};
            fits = gb_words_have(options->only, info->name) &&
                   gb_policy_make_model(options->models[k], info, &policy) == GB_OK;
            gb_policy_destroy(&policy);
        }
        if (!fits)
            return gb_fail(GB_ERR_MISMATCH, "suite machines: model %d commands none of: %s", k + 1,
                           options->only ? options->only : names);
    }
    return GB_OK;
}

static gb_status run(gb_suite_run_state *state)
{
    gb_result_table *table = NULL;
    char caption[512];
    const gb_plant_info *info;
    GB_TRY(check_asked(state->options));
    int episodes = state->options->episodes ? state->options->episodes : EPISODES;
    snprintf(
        caption, sizeof caption,
        "%d episodes from seeds %d on. Failed: something happened that must not (dropped, "
        "crushed, too close). Score: mean of the episodes' highest reward. Of teacher: success "
        "as a part of the teacher's. Jerk: third difference of what the policy proposes a "
        "tick, as a part of each action's range.",
        episodes, FIRST_SEED);
    GB_TRY(gb_suite_table(state, "Machines", caption, columns, COLUMN_COUNT, &table));
    for (int i = 0; (info = gb_plant_at(i)) != NULL; i++) {
        worker w = {.info = info};
        if (!gb_words_have(state->options->only, info->name))
            continue;
        GB_TRY(gb_plant_create(info->name, NULL, &w.plant));
        gb_status status = run_machine(state, table, &w);
        gb_plant_destroy(w.plant);
        GB_TRY(status);
    }
    return GB_OK;
}

const gb_suite gb_suite_machines = {
    .info = {.name = "machines",
             .summary = "Works every simulated machine: teachers, floors and models, stepped and "
                        "driven by pilot and servo.",
             .data = "",
             .baselines = "teacher random hold replay",
             .models = "any number, flow heads over the machines' streams"},
    .drives = true,
    .chooses = true,
    .run = run,
};
