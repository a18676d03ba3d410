/* control/pilot.c: asks the policy, and says from which instant on its answer counts: action 0 is
 * the setpoint of the instant of the newest observation, so what passes while it thinks is skipped
 * by the servo. Threads and clocks are not here. */
#include "control/pilot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    LATENCIES = 8, /* the slowest of the last so many says how much of a chunk is frozen */
    POLICY_SEED_SHIFT = 32,
    WARM_LEAD_LEAST_NS = 200000,
    WARM_LEAD_MOST_NS = 5000000 /* longer decisions gain little from what is in the caches */
};

struct gb_pilot {
    gb_pilot_options options;
    gb_policy policy;
    gb_switching switching;
    gb_latest *histories, *chunks;
    const gb_history *history;                        /* the newest; NULL: none yet */
    gb_decision *decision;                            /* with its arrays */
    double *observations, *prefix, *actions, *before; /* inside the decision */
    double *last;                                     /* [horizon][action_size] the chunk before */
    int64_t last_start_ns;
    bool has_last;
    int64_t next_ns; /* no decision on observations before this instant */
    uint32_t episode;
    uint64_t policy_tick, next_id;
    int64_t latencies_ns[LATENCIES];
    int64_t thought_ns; /* the last decision */
    int latency_at;
    int64_t decisions, failures;
    char first_failure[512];
    gb_histogram *inference;
};

/* ---- life ---------------------------------------------------------------------------------------
 */

void gb_pilot_destroy(gb_pilot *pilot)
{
    if (!pilot)
        return;
    gb_histogram_destroy(pilot->inference);
    gb_latest_destroy(pilot->chunks);
    gb_latest_destroy(pilot->histories);
    free(pilot->last);
    free(pilot->decision);
    gb_policy_destroy(&pilot->policy);
    free(pilot);
}

static gb_status check_policy(const gb_policy *policy)
{
    if (policy->decide && policy->look_back >= 1 && policy->look_back <= 4096 &&
        policy->horizon <= 65536 && policy->execute >= 1 && policy->execute <= policy->horizon)
        return GB_OK;
    return gb_fail(GB_ERR_ARGUMENT,
                   "policy: look_back %d, horizon %d, execute %d; expected a look_back of 1 to "
                   "4096, a horizon up to 65536, and execute from 1 to the horizon",
                   policy->look_back, policy->horizon, policy->execute);
}

static gb_status allocate(gb_pilot *pilot)
{
    const gb_plant_info *machine = pilot->options.machine;
    size_t past = (size_t)pilot->policy.look_back * (size_t)machine->observation_size;
    size_t action = (size_t)machine->action_size;
    size_t future = (size_t)pilot->policy.horizon * action;
    pilot->decision =
        calloc(1, sizeof *pilot->decision + (past + 2 * future + action) * sizeof(double));
    pilot->last = calloc(future, sizeof(double));
    if (!pilot->decision || !pilot->last)
        return gb_fail(GB_ERR_MEMORY, "control: no memory for chunks of %d actions",
                       pilot->policy.horizon);
    pilot->observations = (double *)(pilot->decision + 1);
    pilot->prefix = pilot->observations + past;
    pilot->actions = pilot->prefix + future;
    pilot->before = pilot->actions + future;
    GB_TRY(gb_histogram_create(&pilot->inference));
    GB_TRY(
        gb_latest_create(sizeof(gb_history) + (past + action) * sizeof(double), &pilot->histories));
    return gb_latest_create(sizeof(gb_chunk) + (future + action) * sizeof(double), &pilot->chunks);
}

gb_status gb_pilot_create(const gb_pilot_options *options, gb_pilot **out)
{
    gb_pilot *pilot = calloc(1, sizeof *pilot);
    if (!pilot)
        return gb_fail(GB_ERR_MEMORY, "control: no memory for the pilot");
    pilot->options = *options;
    pilot->next_id = 1;
    pilot->episode = UINT32_MAX;
    gb_status status = options->make(options->make_context, options->machine, &pilot->policy);
    if (status == GB_OK)
        status = check_policy(&pilot->policy);
    if (status == GB_OK)
        status = allocate(pilot);
    if (status != GB_OK) {
        gb_pilot_destroy(pilot);
        return status;
    }
    pilot->switching = pilot->policy.decide_after ? options->switching : GB_SWITCH_PLAIN;
    *out = pilot;
    return GB_OK;
}

const gb_policy *gb_pilot_policy(const gb_pilot *pilot)
{
    return &pilot->policy;
}

gb_latest *gb_pilot_histories(gb_pilot *pilot)
{
    return pilot->histories;
}

gb_latest *gb_pilot_chunks(gb_pilot *pilot)
{
    return pilot->chunks;
}

gb_switching gb_pilot_switching(const gb_pilot *pilot)
{
    return pilot->switching;
}

/* ---- deciding -----------------------------------------------------------------------------------
 */

bool gb_pilot_due(gb_pilot *pilot)
{
    const gb_history *newest = gb_latest_read(pilot->histories);
    if (newest)
        pilot->history = newest;
    if (!pilot->history)
        return false;
    if (pilot->history->episode != pilot->episode) {
        pilot->episode = pilot->history->episode;
        pilot->policy_tick = 0;
        pilot->has_last = false;
        pilot->next_ns = INT64_MIN;
    }
    return pilot->history->time_ns >= pilot->next_ns;
}

bool gb_pilot_expects(const gb_pilot *pilot, int64_t *out_due_ns, int64_t *out_lead_ns)
{
    int64_t lead_ns = 2 * pilot->thought_ns;
    if (!pilot->policy.warm || !pilot->has_last || lead_ns > WARM_LEAD_MOST_NS)
        return false;
    *out_due_ns = pilot->next_ns;
    *out_lead_ns = lead_ns > WARM_LEAD_LEAST_NS ? lead_ns : WARM_LEAD_LEAST_NS;
    return true;
}

void gb_pilot_warm(gb_pilot *pilot)
{
    if (pilot->policy.warm)
        pilot->policy.warm(pilot->policy.context);
}

/* How many actions will have been executed, at least in part, when an answer can be used: the
 * servo takes it up at the first tick after it came. */
static int actions_meanwhile(const gb_pilot *pilot)
{
    const gb_plant_info *machine = pilot->options.machine;
    int64_t slowest_ns = 0;
    for (int i = 0; i < LATENCIES; i++)
        if (pilot->latencies_ns[i] > slowest_ns)
            slowest_ns = pilot->latencies_ns[i];
    int64_t ticks = (slowest_ns + machine->tick_ns - 1) / machine->tick_ns;
    int64_t rows = (ticks * machine->tick_ns + machine->period_ns - 1) / machine->period_ns;
    return rows < pilot->policy.horizon ? (int)rows : pilot->policy.horizon;
}

/* What is left of the chunk before, from the newest observation on. */
static gb_policy_prefix find_prefix(gb_pilot *pilot)
{
    const gb_plant_info *machine = pilot->options.machine;
    const gb_policy *policy = &pilot->policy;
    size_t size = (size_t)machine->action_size;
    gb_policy_prefix prefix = {.actions = pilot->prefix};
    memset(pilot->prefix, 0, (size_t)policy->horizon * size * sizeof(double));
    int64_t done = (pilot->history->time_ns - pilot->last_start_ns) / machine->period_ns;
    if (pilot->switching != GB_SWITCH_REAL_TIME || !pilot->has_last || pilot->history->held ||
        done >= policy->horizon)
        return prefix;
    prefix.count = policy->horizon - (int)done;
    memcpy(pilot->prefix, pilot->last + (size_t)done * size,
           (size_t)prefix.count * size * sizeof(double));
    prefix.frozen = actions_meanwhile(pilot);
    if (prefix.frozen > prefix.count)
        prefix.frozen = prefix.count;
    prefix.soft = policy->horizon - policy->execute;
    if (prefix.soft > prefix.count)
        prefix.soft = prefix.count;
    if (prefix.soft < prefix.frozen)
        prefix.soft = prefix.frozen;
    return prefix;
}

/* The first line of a chunk begins at the command under way; before there is one, at its end. */
static void set_before(gb_pilot *pilot)
{
    const gb_plant_info *machine = pilot->options.machine;
    const double *commanded =
        pilot->history->numbers + pilot->policy.look_back * machine->observation_size;
    memcpy(pilot->before, pilot->history->begun ? commanded : pilot->actions,
           (size_t)machine->action_size * sizeof(double));
}

void gb_pilot_think(gb_pilot *pilot, int64_t began_ns)
{
    const gb_policy *policy = &pilot->policy;
    const gb_history *history = pilot->history;
    gb_decision *decision = pilot->decision;
    size_t past = (size_t)policy->look_back * (size_t)pilot->options.machine->observation_size;
    memcpy(pilot->observations, history->numbers, past * sizeof(double));
    gb_policy_prefix prefix = find_prefix(pilot);
    uint64_t start_seed = pilot->options.first_seed + history->episode;
    *decision = (gb_decision){
        .chunk = pilot->next_id,
        .seed = (pilot->options.policy_seed << POLICY_SEED_SHIFT) ^ start_seed,
        .policy_tick = pilot->policy_tick++,
        .observation_sequence = history->sequence,
        .start_ns = history->time_ns,
        .began_ns = began_ns,
        .prefix_count = prefix.count,
        .prefix_frozen = prefix.frozen,
        .prefix_soft = prefix.soft,
    };
    int64_t start_ns = gb_clock_monotonic_ns();
    decision->status =
        prefix.count > 0
            ? policy->decide_after(policy->context, pilot->observations, decision->seed,
                                   decision->policy_tick, &prefix, pilot->actions)
            : policy->decide(policy->context, pilot->observations, decision->seed,
                             decision->policy_tick, pilot->actions);
    pilot->thought_ns = gb_clock_monotonic_ns() - start_ns;
    gb_histogram_add(pilot->inference, pilot->thought_ns);
    set_before(pilot);
}

static void publish_chunk(gb_pilot *pilot)
{
    const gb_plant_info *machine = pilot->options.machine;
    const gb_decision *decision = pilot->decision;
    size_t action = (size_t)machine->action_size;
    size_t future = (size_t)pilot->policy.horizon * action;
    gb_chunk *chunk = gb_latest_write(pilot->chunks);
    chunk->id = decision->chunk;
    chunk->start_ns = decision->start_ns;
    chunk->observed_ns = pilot->history->observed_ns; /* the slot is ours until it is due again */
    chunk->episode = pilot->episode;
    memcpy(chunk->numbers, pilot->actions, (future + action) * sizeof(double)); /* and before */
    gb_latest_publish(pilot->chunks);
    memcpy(pilot->last, pilot->actions, future * sizeof(double));
    pilot->last_start_ns = decision->start_ns;
    pilot->has_last = true;
    pilot->next_id++;
}

static bool is_finite(const double *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return false;
    return true;
}

/* An answer that is no number is recorded as it came, and is no chunk: what continued it would be
 * no number either, for ever. */
static gb_status judge_answer(gb_pilot *pilot)
{
    size_t size = (size_t)pilot->options.machine->action_size;
    if (pilot->decision->status != GB_OK)
        return (gb_status)pilot->decision->status;
    if (is_finite(pilot->actions, (size_t)pilot->policy.horizon * size))
        return GB_OK;
    pilot->next_id++; /* its number is in the record */
    return gb_fail(GB_ERR_NUMERIC, "the policy answered actions that are not finite");
}

void gb_pilot_publish(gb_pilot *pilot, int64_t ended_ns)
{
    const gb_plant_info *machine = pilot->options.machine;
    gb_decision *decision = pilot->decision;
    decision->ended_ns = ended_ns;
    pilot->decisions++;
    if (pilot->options.blackbox) /* before any tick can name its chunk */
        gb_blackbox_decision(pilot->options.blackbox, decision);
    if (judge_answer(pilot) == GB_OK) {
        publish_chunk(pilot);
        pilot->next_ns = decision->start_ns + pilot->policy.execute * machine->period_ns;
    } else { /* what is left of the chunk before goes on; tried again on the next observation */
        if (pilot->failures++ == 0)
            strncpy(pilot->first_failure, gb_error_message(), sizeof pilot->first_failure - 1);
        pilot->next_ns = decision->start_ns + machine->period_ns;
    }
    pilot->latencies_ns[pilot->latency_at] = ended_ns - decision->start_ns;
    pilot->latency_at = (pilot->latency_at + 1) % LATENCIES;
}

void gb_pilot_tally(const gb_pilot *pilot, gb_control_result *result, const char **first_failure)
{
    result->decisions = pilot->decisions;
    result->failures = pilot->failures;
    gb_histogram_read(pilot->inference, &result->inference);
    *first_failure = pilot->first_failure;
}
