/* eval/rollout.c: runs policies on plants, many episodes side by side, and keeps every step. It
 * holds no plant's and no policy's name. */
#include "eval/rollout.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define POLICY_SEED_SHIFT 32

/* ---- one episode ------------------------------------------------------------------------------
 */

gb_status gb_rollout_set_create(const gb_plant_info *plant, int episodes, gb_rollout_set **out)
{
    gb_rollout_set *set = calloc(1, sizeof *set);
    gb_rollout *rollouts = calloc((size_t)episodes, sizeof *rollouts);
    if (!set || !rollouts) {
        free(set);
        free(rollouts);
        return gb_fail(GB_ERR_MEMORY, "rollout: no memory for %d episodes", episodes);
    }
    set->plant = plant;
    set->count = episodes;
    set->episodes = rollouts;
    *out = set;
    return GB_OK;
}

static void rollout_free(gb_rollout *rollout)
{
    free(rollout->observations);
    free(rollout->actions);
    free(rollout->progress);
    free(rollout->rewards);
}

void gb_rollout_set_destroy(gb_rollout_set *set)
{
    if (!set)
        return;
    for (int i = 0; i < set->count; i++)
        rollout_free(&set->episodes[i]);
    free(set->episodes);
    free(set->decision_ms);
    free(set);
}

gb_status gb_rollout_begin(gb_rollout *rollout, gb_plant *plant, uint64_t seed)
{
    const gb_plant_info *info = gb_plant_get_info(plant);
    size_t steps = (size_t)info->max_steps;
    rollout->seed = seed;
    rollout->observations = calloc((steps + 1) * (size_t)info->observation_size, sizeof(double));
    rollout->actions = calloc(steps * (size_t)info->action_size, sizeof(double));
    rollout->progress = calloc(steps + 1, sizeof(double));
    rollout->rewards = calloc(steps + 1, sizeof(double));
    if (!rollout->observations || !rollout->actions || !rollout->progress || !rollout->rewards)
        return gb_fail(GB_ERR_MEMORY, "rollout: no memory for an episode of %d steps",
                       info->max_steps);
    gb_plant_observe(plant, rollout->observations);
    rollout->result = gb_plant_get_result(plant);
    rollout->progress[0] = rollout->result.progress;
    rollout->rewards[0] = rollout->result.reward;
    return GB_OK;
}

gb_status gb_rollout_step(gb_rollout *rollout, gb_plant *plant, const double *action)
{
    const gb_plant_info *info = gb_plant_get_info(plant);
    size_t step = (size_t)rollout->steps, size = (size_t)info->action_size;
    double *observation = rollout->observations + (step + 1) * (size_t)info->observation_size;
    GB_TRY(gb_plant_step(plant, action, observation, &rollout->result));
    memcpy(rollout->actions + step * size, action, size * sizeof *action);
    rollout->progress[step + 1] = rollout->result.progress;
    rollout->rewards[step + 1] = rollout->result.reward;
    rollout->steps++;
    return GB_OK;
}

double gb_rollout_score_at(const gb_rollout *rollout, double stop_above)
{
    double score = 0.0;
    for (int i = 1; i <= rollout->steps; i++) {
        score = fmax(score, rollout->rewards[i]);
        if (rollout->progress[i] > stop_above)
            break;
    }
    return score;
}

/* ---- many episodes ----------------------------------------------------------------------------
 */

/* What one thread needs. */
typedef struct worker {
    gb_plant *plant;
    gb_policy policy;
    double *history; /* [look_back][observation_size] */
    double *actions; /* [horizon][action_size] */
    gb_status status;
    char message[512];
} worker;

typedef struct job {
    const gb_rollout_options *options;
    gb_rollout_set *set;
    worker *workers;
    double *decision_ms; /* [episodes][max_steps] */
    int *decisions;      /* [episodes] */
    pthread_mutex_t lock;
    int finished;
} job;

gb_rollout_options gb_rollout_options_defaults(void)
{
    return (gb_rollout_options){.plant = "pusht",
                                .plant_options = gb_plant_options_defaults(),
                                .first_seed = 100000,
                                .episodes = 50};
}

/* history = the last look_back observations up to now, the first one repeated before the start. */
static void fill_history(const gb_rollout *rollout, int look_back, int size, double *history)
{
    for (int k = 0; k < look_back; k++) {
        int step = rollout->steps - (look_back - 1) + k;
        const double *from = rollout->observations + (size_t)(step > 0 ? step : 0) * (size_t)size;
        memcpy(history + (size_t)k * (size_t)size, from, (size_t)size * sizeof *history);
    }
}

static gb_status run_episode(job *j, worker *w, int64_t episode)
{
    const gb_plant_info *info = j->set->plant;
    gb_rollout *rollout = &j->set->episodes[episode];
    uint64_t seed = j->options->first_seed + (uint64_t)episode;
    uint64_t policy_seed = (j->options->policy_seed << POLICY_SEED_SHIFT) ^ seed;
    GB_TRY(gb_plant_reset(w->plant, seed, NULL));
    GB_TRY(gb_rollout_begin(rollout, w->plant, seed));
    while (!rollout->result.done) {
        if (j->options->stop && *j->options->stop)
            return gb_fail(GB_ERR_INTERRUPTED, "rollout: stopped on request in an episode of %s",
                           info->name);
        fill_history(rollout, w->policy.look_back, info->observation_size, w->history);
        int tick = j->decisions[episode]++;
        int64_t start_ns = gb_clock_monotonic_ns();
        GB_TRY(w->policy.decide(w->policy.context, w->history, policy_seed, (uint64_t)tick,
                                w->actions));
        j->decision_ms[episode * info->max_steps + tick] =
            (double)(gb_clock_monotonic_ns() - start_ns) / 1e6;
        for (int k = 0; k < w->policy.execute && !rollout->result.done; k++)
            GB_TRY(gb_rollout_step(rollout, w->plant, w->actions + k * info->action_size));
    }
    return GB_OK;
}

static void run_part(void *context, int64_t part, int thread)
{
    job *j = context;
    worker *w = &j->workers[thread];
    if (w->status == GB_OK) {
        w->status = run_episode(j, w, part);
        if (w->status != GB_OK)
            strncpy(w->message, gb_error_message(), sizeof w->message - 1);
    }
    if (w->status != GB_OK) /* what was not done is not counted */
        return;
    pthread_mutex_lock(&j->lock);
    j->finished++;
    const char *what = j->options->progress_what;
    if (j->options->progress)
        j->options->progress(j->options->progress_context, what ? what : j->set->plant->name,
                             (double)j->finished / (double)j->options->episodes);
    pthread_mutex_unlock(&j->lock);
}

static gb_status worker_create(worker *w,
                               const gb_rollout_options *options,
                               const gb_plant_info *plant,
                               gb_policy_make_fn make,
                               const void *make_context)
{
    GB_TRY(gb_plant_create(options->plant, &options->plant_options, &w->plant));
    GB_TRY(make(make_context, plant, &w->policy));
    const gb_policy *policy = &w->policy;
    if (policy->look_back < 1 || policy->execute < 1 || policy->execute > policy->horizon)
        return gb_fail(GB_ERR_ARGUMENT,
                       "policy: look_back %d, horizon %d, execute %d; expected a look_back from 1 "
                       "and execute from 1 to the horizon",
                       policy->look_back, policy->horizon, policy->execute);
    w->history = calloc((size_t)(policy->look_back * plant->observation_size), sizeof(double));
    w->actions = calloc((size_t)(policy->horizon * plant->action_size), sizeof(double));
    return w->history && w->actions ? GB_OK : gb_fail(GB_ERR_MEMORY, "rollout: no memory");
}

static void worker_destroy(worker *w)
{
    gb_policy_destroy(&w->policy);
    gb_plant_destroy(w->plant);
    free(w->history);
    free(w->actions);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* All decisions' times, sorted, to the set. */
static gb_status collect_times(job *j)
{
    gb_rollout_set *set = j->set;
    for (int i = 0; i < set->count; i++)
        set->decision_count += j->decisions[i];
    set->decision_ms = calloc((size_t)set->decision_count + 1, sizeof(double));
    if (!set->decision_ms)
        return gb_fail(GB_ERR_MEMORY, "rollout: no memory for decision times");
    int64_t at = 0;
    for (int i = 0; i < set->count; i++) {
        memcpy(set->decision_ms + at, j->decision_ms + (int64_t)i * set->plant->max_steps,
               (size_t)j->decisions[i] * sizeof(double));
        at += j->decisions[i];
    }
    qsort(set->decision_ms, (size_t)at, sizeof(double), by_value);
    return GB_OK;
}

static gb_status run_all(job *j, int threads, gb_policy_make_fn make, const void *make_context)
{
    int episodes = j->options->episodes;
    j->decision_ms =
        calloc((size_t)episodes * (size_t)j->set->plant->max_steps, sizeof *j->decision_ms);
    j->decisions = calloc((size_t)episodes, sizeof *j->decisions);
    j->workers = calloc((size_t)threads, sizeof *j->workers);
    if (!j->decision_ms || !j->decisions || !j->workers)
        return gb_fail(GB_ERR_MEMORY, "rollout: no memory for %d episodes", episodes);
    for (int i = 0; i < threads; i++)
        GB_TRY(worker_create(&j->workers[i], j->options, j->set->plant, make, make_context));
    gb_pool_run(j->options->pool, run_part, j, episodes);
    for (int i = 0; i < threads; i++) {
        if (j->workers[i].status != GB_OK)
            return gb_fail(j->workers[i].status, "%s", j->workers[i].message);
    }
    return collect_times(j);
}

gb_status gb_rollout_run(const gb_rollout_options *options,
                         gb_policy_make_fn make,
                         const void *make_context,
                         gb_rollout_set **out)
{
    const gb_plant_info *plant = NULL;
    GB_TRY(gb_plant_describe(options->plant, &plant));
    if (options->episodes < 1 || options->episodes > 1000000)
        return gb_fail(GB_ERR_ARGUMENT, "rollout: %d episodes, expected 1 to 1000000",
                       options->episodes);
    int threads = options->pool ? gb_pool_threads(options->pool) : 1;
    job j = {.options = options, .lock = PTHREAD_MUTEX_INITIALIZER};
    GB_TRY(gb_rollout_set_create(plant, options->episodes, &j.set));
    gb_status status = run_all(&j, threads, make, make_context);
    for (int i = 0; j.workers && i < threads; i++)
        worker_destroy(&j.workers[i]);
    free(j.workers);
    free(j.decisions);
    free(j.decision_ms);
    pthread_mutex_destroy(&j.lock);
    if (status != GB_OK) {
        gb_rollout_set_destroy(j.set);
        return status;
    }
    *out = j.set;
    return GB_OK;
}
