/* box.h: a made-up machine, policy and servo that fill a black box as the real ones do, at full
 * speed. For tests of the black box and of the replay. */
#ifndef GENBA_TEST_CONTROL_BOX_H
#define GENBA_TEST_CONTROL_BOX_H

#include "control/chunk.h"
#include "genba/blackbox.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    BOX_OBSERVATIONS = 20,
    BOX_ACTIONS = 6,
    BOX_LOOK_BACK = 2,
    BOX_HORIZON = 8,
    BOX_EXECUTE = 4,
    BOX_TICKS_A_PERIOD = 10
};

static const double box_low[BOX_ACTIONS] = {-1, -1, -1, -1, -1, -INFINITY};
static const double box_high[BOX_ACTIONS] = {1, 1, 1, 1, 1, INFINITY};
static const gb_plant_stream box_observations[] = {
    {.spec = {.name = "arm.position",
              .kind = GB_STREAM_VECTOR,
              .unit = "rad",
              .rank = 1,
              .shape = {14}},
     .size = 14},
    {.spec = {.name = "arm.force", .kind = GB_STREAM_VECTOR, .unit = "N", .rank = 1, .shape = {6}},
     .size = 6},
};
static const gb_plant_stream box_actions[] = {
    {.spec = {.name = "arm.target",
              .kind = GB_STREAM_ACTION,
              .unit = "rad",
              .rank = 1,
              .shape = {BOX_ACTIONS}},
     .size = BOX_ACTIONS,
     .low = box_low,
     .high = box_high},
};
static const gb_plant_info box_machine = {.name = "made-up",
                                          .summary = "",
                                          .source = "",
                                          .period_ns = 10 * 1000 * 1000,
                                          .tick_ns = 1000 * 1000,
                                          .observation_stream_count = 2,
                                          .action_stream_count = 1,
                                          .observation_streams = box_observations,
                                          .action_streams = box_actions,
                                          .observation_size = BOX_OBSERVATIONS,
                                          .action_size = BOX_ACTIONS,
                                          .progress_name = "",
                                          .instruction = "hold still"};

/* A policy that is a formula; context: const double *, its gain. */
static gb_status
box_decide(void *context, const double *observations, uint64_t seed, uint64_t tick, double *actions)
{
    double gain = *(const double *)context;
    for (int k = 0; k < BOX_HORIZON; k++)
        for (int i = 0; i < BOX_ACTIONS; i++)
            actions[k * BOX_ACTIONS + i] =
                gain * sin(observations[BOX_OBSERVATIONS + i] + 0.1 * k + (double)seed) +
                1e-3 * (double)(tick % 7);
    return GB_OK;
}

static gb_status box_decide_after(void *context,
                                  const double *observations,
                                  uint64_t seed,
                                  uint64_t tick,
                                  const gb_policy_prefix *prefix,
                                  double *actions)
{
    GB_TRY(box_decide(context, observations, seed, tick, actions));
    memcpy(actions, prefix->actions, (size_t)prefix->frozen * BOX_ACTIONS * sizeof(double));
    return GB_OK;
}

static gb_status box_make(const void *context, const gb_plant_info *plant, gb_policy *out)
{
    (void)plant;
    *out = (gb_policy){.look_back = BOX_LOOK_BACK,
                       .horizon = BOX_HORIZON,
                       .execute = BOX_EXECUTE,
                       .context = (void *)(uintptr_t)context,
                       .decide = box_decide,
                       .decide_after = box_decide_after};
    return GB_OK;
}

typedef struct box_tick {
    gb_tick head;
    double observation[BOX_OBSERVATIONS], proposal[BOX_ACTIONS], command[BOX_ACTIONS];
} box_tick;

typedef struct box_decision {
    gb_decision head;
    double observations[BOX_LOOK_BACK][BOX_OBSERVATIONS];
    double prefix[BOX_HORIZON][BOX_ACTIONS], actions[BOX_HORIZON][BOX_ACTIONS];
    double before[BOX_ACTIONS];
} box_decision;

/* A servo without clocks. */
typedef struct box_servo {
    box_tick tick;
    box_decision decision;
    gb_policy policy;
    int64_t start_ns;
    uint64_t chunks;
    int64_t skip_decision; /* of this number is not recorded; 0 none */
} box_servo;

static const double box_gain = 0.5, box_other_gain = 0.75;

static inline void box_servo_begin(box_servo *s)
{
    memset(s, 0, sizeof *s);
    s->start_ns = 1000;
    (void)box_make(&box_gain, &box_machine, &s->policy);
}

static inline void box_think(box_servo *s, gb_blackbox *box, int64_t now_ns)
{
    box_decision *d = &s->decision;
    gb_policy_prefix prefix = {.actions = d->prefix[0]};
    if (s->chunks > 0 && s->chunks % 2 == 0) { /* every other chunk continues the one before */
        memcpy(d->prefix, d->actions[BOX_EXECUTE],
               (BOX_HORIZON - BOX_EXECUTE) * sizeof d->actions[0]);
        prefix.count = BOX_HORIZON - BOX_EXECUTE;
        prefix.frozen = 1;
        prefix.soft = prefix.count;
    } else {
        memset(d->prefix, 0, sizeof d->prefix);
    }
    memcpy(d->observations[0], s->tick.observation, sizeof d->observations[0]);
    memcpy(d->observations[1], s->tick.observation, sizeof d->observations[1]);
    d->head = (gb_decision){.chunk = ++s->chunks,
                            .seed = 7,
                            .policy_tick = s->chunks - 1,
                            .observation_sequence = s->tick.head.observation_sequence,
                            .start_ns = now_ns,
                            .began_ns = now_ns,
                            .ended_ns = now_ns + 300000,
                            .prefix_count = prefix.count,
                            .prefix_frozen = prefix.frozen,
                            .prefix_soft = prefix.soft};
    if (prefix.count > 0)
        d->head.status = (int32_t)box_decide_after(s->policy.context, d->observations[0], 7,
                                                   s->chunks - 1, &prefix, d->actions[0]);
    else
        d->head.status = (int32_t)box_decide(s->policy.context, d->observations[0], 7,
                                             s->chunks - 1, d->actions[0]);
    memcpy(d->before, s->chunks > 1 ? s->tick.command : d->actions[0], sizeof d->before);
    if ((int64_t)s->chunks != s->skip_decision)
        gb_blackbox_decision(box, &d->head);
}

/* Tick number s->tick.head.tick; the first three have no chunk. */
static inline void box_servo_tick(box_servo *s, gb_blackbox *box)
{
    gb_tick *t = &s->tick.head;
    uint64_t n = t->tick;
    int64_t due_ns = s->start_ns + (int64_t)n * box_machine.tick_ns;
    for (int i = 0; i < BOX_OBSERVATIONS; i++)
        s->tick.observation[i] =
            sin(0.001 * (double)n * (i + 1)) + 1e-9 * (double)(n * 7919 % 1009);
    t->observation_sequence = n + 1;
    if (n >= 3 && (n - 3) % (BOX_TICKS_A_PERIOD * BOX_EXECUTE) == 0)
        box_think(s, box, due_ns);
    t->due_ns = due_ns;
    t->woke_ns = due_ns + 20000 + (int64_t)(n * 31 % 977);
    t->done_ns = t->woke_ns + 9000 + (int64_t)(n * 17 % 307);
    t->wall_ns = due_ns + INT64_C(1790000000000000000);
    t->observation_ns = due_ns - 400000;
    t->verdict = (gb_verdict){.margin = 0.25, .margin_limit = GB_LIMIT_VELOCITY, .margin_index = 2};
    t->chunk = 0;
    t->chunk_at_ns = 0;
    for (int i = 0; i < BOX_ACTIONS; i++)
        s->tick.proposal[i] = NAN;
    if (s->chunks > 0 &&
        gb_chunk_setpoint(&box_machine, s->decision.actions[0], BOX_HORIZON, s->decision.before,
                          due_ns - s->decision.head.start_ns, s->tick.proposal)) {
        t->chunk = s->chunks;
        t->chunk_at_ns = due_ns - s->decision.head.start_ns;
        memcpy(s->tick.command, s->tick.proposal, sizeof s->tick.command);
    }
    gb_blackbox_tick(box, t);
    t->tick++;
}

static inline gb_blackbox_options box_options(const char *path, const gb_policy *policy)
{
    return (gb_blackbox_options){.path = path,
                                 .machine = &box_machine,
                                 .policy = policy,
                                 .model_name = "models/made-up",
                                 .model_hash_hex = "00ff",
                                 .machine_name = "plant:made-up",
                                 .tick_ns = box_machine.tick_ns};
}

/* Lets the writer catch up, so that nothing is lost at full speed. */
static inline void box_breathe(const gb_blackbox *box, int64_t ticks)
{
    gb_blackbox_counts counts;
    for (gb_blackbox_counts_now(box, &counts); counts.status == GB_OK && counts.ticks < ticks;
         gb_blackbox_counts_now(box, &counts))
        nanosleep(&(struct timespec){0, 1000000}, NULL);
}

static inline void box_run(box_servo *s, gb_blackbox *box, int64_t ticks)
{
    int64_t target = (int64_t)s->tick.head.tick + ticks;
    while ((int64_t)s->tick.head.tick < target) {
        box_servo_tick(s, box);
        if (s->tick.head.tick % 2048 == 0)
            box_breathe(box, (int64_t)s->tick.head.tick);
    }
}

#endif
