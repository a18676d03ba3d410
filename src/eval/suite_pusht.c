/* eval/suite_pusht.c: closed-loop control of the pushing table on the published episodes (Chi et
 * al. 2023). What differs from other plants is in the two tables below; the rest is any plant's. */
#include "eval/rollout.h"
#include "eval/suite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SEED 100000
#define EPISODES 50
#define EARLY_STOP 0.9025 /* the rule under which the demonstrations were recorded */
#define CHUNK 8           /* actions the nearest demonstration lends; chosen on seeds 1000..1049 */

enum {
    SCORE,
    SUCCESS,
    EARLY_SCORE,
    EARLY_SUCCESS,
    P50,
    P99,
    P999,
    COLUMN_COUNT
};

static const gb_result_column columns[COLUMN_COUNT] = {
    {"score", "", 3, 1},
    {"success", "%", 1, 1},
    {"score, stop at .9025", "", 3, 1},
    {"success, stop at .9025", "%", 1, 1},
    {"decision p50", "ms", 2, -1},
    {"decision p99", "ms", 2, -1},
    {"decision p99.9", "ms", 2, -1},
};

/* ---- figures ----------------------------------------------------------------------------------
 */

static gb_status
fill_scores(gb_suite_run_state *state, const gb_rollout_set *set, gb_interval *scores)
{
    size_t count = (size_t)set->count;
    double *values = gb_arena_alloc(state->arena, 4 * count * sizeof *values);
    if (!values)
        return GB_ERR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const gb_rollout *rollout = &set->episodes[i];
        double best = rollout->result.max_progress;
        values[SCORE * count + i] = rollout->result.score;
        values[SUCCESS * count + i] = best > set->plant->success_above ? 100.0 : 0.0;
        values[EARLY_SCORE * count + i] = gb_rollout_score_at(rollout, EARLY_STOP);
        values[EARLY_SUCCESS * count + i] = best > EARLY_STOP ? 100.0 : 0.0;
    }
    for (int c = SCORE; c <= EARLY_SUCCESS; c++)
        GB_TRY(gb_bootstrap_mean(values + (size_t)c * count, (int64_t)count, 1,
                                 state->options->resamples, state->options->seed, &scores[c]));
    if (set->decision_count > 0) {
        static const double percents[] = {50.0, 99.0, 99.9};
        for (int c = P50; c <= P999; c++)
            scores[c].value =
                gb_metric_percentile(set->decision_ms, set->decision_count, percents[c - P50]);
    }
    return GB_OK;
}

/* The episodes of the first row are kept for drawing: the model's, if there is one. */
static gb_status add_row(gb_suite_run_state *state,
                         gb_result_table *table,
                         const char *method,
                         gb_result_source source,
                         const char *note,
                         gb_rollout_set *set)
{
    gb_interval *scores = NULL;
    gb_status status = gb_suite_row(state, table, method, source, note, &scores);
    if (status == GB_OK)
        status = fill_scores(state, set, scores);
    if (status == GB_OK && !state->result->rollouts)
        state->result->rollouts = set;
    else
        gb_rollout_set_destroy(set);
    return status;
}

/* ---- methods ----------------------------------------------------------------------------------
 */

static gb_status replay_one(gb_rollout *rollout, gb_plant *plant, const gb_recording *demo, int i)
{
    const gb_plant_info *info = gb_plant_get_info(plant);
    const gb_stream_view *actions = NULL;
    double action[64];
    GB_TRY(gb_plant_reset(plant, (uint64_t)i, NULL)); /* demonstration i starts from seed i */
    GB_TRY(gb_rollout_begin(rollout, plant, (uint64_t)i));
    for (int64_t row = 0; !rollout->result.done; row++) {
        int at = 0;
        for (int s = 0; s < info->action_stream_count; s++) {
            int number = gb_recording_find(demo, info->action_streams[s].spec.name);
            actions = gb_recording_stream(demo, number);
            if (!actions || row >= actions->count)
                return GB_OK;
            for (int64_t k = 0; k < actions->size; k++)
                action[at++] = (double)actions->values[row * actions->size + k];
        }
        GB_TRY(gb_rollout_step(rollout, plant, action));
    }
    return GB_OK;
}

/* Plays the recorded actions again: what the people who demonstrated scored. */
static gb_status replay(gb_suite_run_state *state, const gb_dataset *demos, gb_rollout_set **out)
{
    const gb_plant_info *info = NULL;
    gb_plant *plant = NULL;
    gb_rollout_set *set = NULL;
    int episodes = (int)gb_dataset_count(demos);
    GB_TRY(gb_plant_describe("pusht", &info));
    GB_TRY(gb_plant_create("pusht", NULL, &plant));
    gb_status status = gb_rollout_set_create(info, episodes, &set);
    for (int i = 0; status == GB_OK && i < episodes; i++) {
        GB_TRY_OR(done, gb_suite_go_on(state));
        GB_TRY_OR(done, replay_one(&set->episodes[i], plant, gb_dataset_get(demos, i), i));
        gb_suite_progress(state, "pusht: demonstrations", (double)(i + 1) / (double)episodes);
    }
done:
    gb_plant_destroy(plant);
    if (status != GB_OK) {
        gb_rollout_set_destroy(set);
        return status;
    }
    *out = set;
    return GB_OK;
}

static gb_rollout_options rollout_options(gb_suite_run_state *state)
{
    const gb_suite_options *options = state->options;
    gb_rollout_options rollouts = gb_suite_rollouts(state);
    rollouts.plant = "pusht";
    rollouts.first_seed = FIRST_SEED;
    rollouts.episodes = options->episodes ? options->episodes : EPISODES;
    return rollouts;
}

static gb_status
run_baselines(gb_suite_run_state *state, gb_result_table *table, const gb_dataset *demos)
{
    gb_rollout_set *set = NULL;
    if (gb_suite_wants(state, "nearest")) {
        gb_rollout_options rollouts = rollout_options(state);
        rollouts.progress_what = "pusht: nearest demonstration";
        gb_nearest_options nearest = {demos, true, CHUNK, CHUNK};
        GB_TRY(gb_rollout_run(&rollouts, gb_policy_make_nearest, &nearest, &set));
        GB_TRY(add_row(state, table, "Nearest demonstration", GB_RESULT_BASELINE,
                       "no training: repeats 8 actions of the nearest recorded moment, mirrored "
                       "ones included",
                       set));
    }
    if (gb_suite_wants(state, "demonstrations")) {
        GB_TRY(replay(state, demos, &set));
        char note[128];
        snprintf(note, sizeof note, "the %d recorded demonstrations, played again", set->count);
        GB_TRY(add_row(state, table, "Human demonstrations", GB_RESULT_BASELINE, note, set));
    }
    return GB_OK;
}

static gb_status run(gb_suite_run_state *state)
{
    gb_result_table *table = NULL;
    char caption[256];
    gb_rollout_options rollouts = rollout_options(state);
    snprintf(caption, sizeof caption,
             "%d episodes from seeds %d to %d, at most 300 steps of 0.1 s. Score: mean of the "
             "episodes' highest reward. Success: coverage passes .95.",
             rollouts.episodes, FIRST_SEED, FIRST_SEED + rollouts.episodes - 1);
    GB_TRY(gb_suite_table(state, "PushT", caption, columns, COLUMN_COUNT, &table));
    if (state->options->model) {
        gb_rollout_set *set = NULL;
        char name[160];
        snprintf(name, sizeof name, "%s%s", gb_suite_model_name(state),
                 state->options->compute == GB_BF16 ? " in bf16" : "");
        rollouts.progress_what = name;
        GB_TRY(gb_rollout_run(&rollouts, gb_policy_model_maker(state->options->compute),
                              state->options->model, &set));
        GB_TRY(add_row(state, table, name, GB_RESULT_MODEL, "", set));
    }
    gb_dataset *demos = NULL;
    if (gb_suite_wants(state, "demonstrations") || gb_suite_wants(state, "nearest")) {
        GB_TRY(gb_demonstrations_load(state->options->data, "pusht", &demos));
        gb_status status = run_baselines(state, table, demos);
        gb_dataset_destroy(demos);
        GB_TRY(status);
    }
    return gb_suite_published(state, table, "pusht");
}

const gb_suite gb_suite_pusht = {
    .info = {.name = "pusht",
             .summary = "Pushes a T onto its goal in closed loop, on the 50 published episodes.",
             .data = "pusht",
             .baselines = "demonstrations nearest",
             .models = "flow head over the plant's streams"},
    .drives = true,
    .run = run,
};
