/* genba run: a model drives a plant; scores and how long it takes to decide. */
#include "cli.h"

#include "genba/eval.h"

#include <stdlib.h>
#include <string.h>

typedef struct scores {
    gb_interval reward;
    int successes, episodes;
    double p50_ms, p99_ms, p999_ms, most_ms;
} scores;

static gb_status summarise(const gb_rollout_set *set, scores *out)
{
    double *best = malloc(sizeof *best * (size_t)set->count);
    if (!best)
        return gb_fail(GB_ERR_MEMORY, "run: no memory for %d scores", set->count);
    scores s = {.episodes = set->count};
    for (int i = 0; i < set->count; i++) {
        best[i] = set->episodes[i].result.score;
        s.successes += set->episodes[i].result.success;
    }
    gb_status status = gb_bootstrap_mean(best, set->count, 1, 1000, 1, &s.reward);
    free(best);
    GB_TRY(status);
    s.p50_ms = gb_metric_percentile(set->decision_ms, set->decision_count, 50);
    s.p99_ms = gb_metric_percentile(set->decision_ms, set->decision_count, 99);
    s.p999_ms = gb_metric_percentile(set->decision_ms, set->decision_count, 99.9);
    s.most_ms = gb_metric_percentile(set->decision_ms, set->decision_count, 100);
    *out = s;
    return GB_OK;
}

static void print_episodes(const gb_rollout_set *set)
{
    for (int i = 0; i < set->count; i++)
        printf("episode %3d  seed %llu  score %.3f  %s after %d steps\n", i,
               (unsigned long long)set->episodes[i].seed, set->episodes[i].result.score,
               set->episodes[i].result.success ? "success" : "ended", set->episodes[i].steps);
}

static void print_scores(const scores *s, const gb_rollout_set *set, bool json)
{
    double success = (double)s->successes / s->episodes;
    if (json) {
        printf("{\"plant\": \"%s\", \"episodes\": %d, \"score\": %.4f, \"score_low\": %.4f, "
               "\"score_high\": %.4f, \"success\": %.4f, \"decisions\": %lld, \"p50_ms\": %.4f, "
               "\"p99_ms\": %.4f, \"p99_9_ms\": %.4f, \"max_ms\": %.4f}\n",
               set->plant->name, s->episodes, s->reward.value, s->reward.low, s->reward.high,
               success, (long long)set->decision_count, s->p50_ms, s->p99_ms, s->p999_ms,
               s->most_ms);
        return;
    }
    printf("%s, %d episodes: mean score %.3f (95 %%: %.3f to %.3f), success %.2f (%d of %d)\n",
           set->plant->name, s->episodes, s->reward.value, s->reward.low, s->reward.high, success,
           s->successes, s->episodes);
    printf("%lld decisions on one core each: p50 %.3f ms, p99 %.3f ms, p99.9 %.3f ms, longest "
           "%.3f ms\n",
           (long long)set->decision_count, s->p50_ms, s->p99_ms, s->p999_ms, s->most_ms);
}

static int run_run(int argc, char **argv)
{
    const char *folder = NULL;
    gb_rollout_options rollout = gb_rollout_options_defaults();
    int64_t episodes = rollout.episodes, threads = 1, seed = (int64_t)rollout.first_seed;
    int64_t policy_seed = (int64_t)rollout.policy_seed;
    bool json = false, each = false;
    const option_spec options[] = {
        {"plant", OPTION_TEXT, &rollout.plant, 0, 0},
        {"episodes", OPTION_COUNT, &episodes, 1, 1000000},
        {"seed", OPTION_COUNT, &seed, 0, 4294967295.0},
        {"policy-seed", OPTION_COUNT, &policy_seed, 0, 9e15},
        {"threads", OPTION_COUNT, &threads, 0, 256},
        {"each", OPTION_FLAG, &each, 0, 0},
        {"json", OPTION_FLAG, &json, 0, 0},
    };
    int code = options_parse(&command_run, argc, argv, options, sizeof options / sizeof *options,
                             &folder, 1, 1);
    if (code >= 0)
        return code;
    progress bar = progress_start(json);
    rollout.episodes = (int)episodes;
    rollout.first_seed = (uint64_t)seed;
    rollout.policy_seed = (uint64_t)policy_seed;
    rollout.progress = json ? NULL : progress_work;
    rollout.progress_context = &bar;
    gb_model *model = NULL;
    gb_rollout_set *set = NULL;
    scores s = {0};
    gb_status status = gb_model_load(folder, &model);
    if (status == GB_OK)
        status = pool_for(threads, &rollout.pool);
    if (status == GB_OK)
        status = gb_rollout_run(&rollout, gb_policy_make_model, model, &set);
    progress_close(&bar);
    if (status == GB_OK)
        status = summarise(set, &s);
    if (status == GB_OK) {
        if (each && !json)
            print_episodes(set);
        print_scores(&s, set, json);
    }
    code = status == GB_OK ? EXIT_DONE : fail_with(status);
    gb_rollout_set_destroy(set);
    gb_model_destroy(model);
    gb_pool_destroy(rollout.pool);
    return code;
}

const cli_command command_run = {
    "run", "let a model drive a plant: scores and inference latency",
    "usage: genba run MODEL [options]\n\n"
    "  --plant NAME      default: pusht\n"
    "  --episodes N      default: 50\n"
    "  --seed N          of the first episode's start; then N + 1, ... (default: 100000)\n"
    "  --policy-seed N   of the policy's own randomness\n"
    "  --threads N       episodes side by side (default 1, so that latencies are undisturbed)\n"
    "  --each            a line for each episode\n"
    "  --json            one JSON object\n\n"
    "example: genba run runs/pusht/model --plant pusht --episodes 50\n",
    run_run};
