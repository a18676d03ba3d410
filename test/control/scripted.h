/* test/control/scripted.h: policies without a model for tests of the loop. */
#ifndef TEST_CONTROL_SCRIPTED_H
#define TEST_CONTROL_SCRIPTED_H

#include "genba/control.h"

#include <math.h>
#include <stdatomic.h>
#include <time.h>

enum {
    SCRIPT_LOOK_BACK = 2,
    SCRIPT_HORIZON = 8,
    SCRIPT_EXECUTE = 4
};

typedef struct script {
    bool continues;         /* offers decide_after */
    int slow_ms;            /* each decision takes so long */
    int fail_from, fail_to; /* decisions that fail, by count */
    int stall_at, stall_ms; /* a decision that takes very long */
    bool not_finite;        /* answers NaN */
    int nan_from, nan_to;   /* decisions that answer nothing but NaN, by count */
    atomic_int decisions, continued, warmed;
    int frozen, soft, count; /* of the last prefix */
    const gb_plant_info *plant;
} script;

static void script_sleep(int ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

/* Moves every action column through its range by what the newest two observations and the seed
 * say. */
static gb_status
script_decide(void *context, const double *observations, uint64_t seed, uint64_t tick, double *out)
{
    script *s = context;
    int n = atomic_fetch_add(&s->decisions, 1);
    if (s->slow_ms > 0)
        script_sleep(s->slow_ms);
    if (s->stall_ms > 0 && n == s->stall_at)
        script_sleep(s->stall_ms);
    if (n >= s->fail_from && n < s->fail_to)
        return gb_fail(GB_ERR_NUMERIC, "script: told to fail");
    int size = s->plant->action_size, width = s->plant->observation_size;
    const double *newest = observations + (SCRIPT_LOOK_BACK - 1) * width;
    for (int k = 0; k < SCRIPT_HORIZON; k++) {
        for (int i = 0; i < size; i++) {
            double low = s->plant->action_streams[0].low[i];
            double high = s->plant->action_streams[0].high[i];
            double wander = gb_random_uniform(seed, tick, (uint64_t)(k * size + i));
            double pull = 0.01 * (newest[i] - observations[i]) / (high - low);
            out[k * size + i] = low + (high - low) * (1.2 * wander - 0.1 + pull);
        }
    }
    if (s->not_finite)
        out[0] = (double)NAN;
    for (int i = 0; n >= s->nan_from && n < s->nan_to && i < SCRIPT_HORIZON * size; i++)
        out[i] = (double)NAN;
    return GB_OK;
}

static gb_status script_decide_after(void *context,
                                     const double *observations,
                                     uint64_t seed,
                                     uint64_t tick,
                                     const gb_policy_prefix *prefix,
                                     double *out)
{
    script *s = context;
    s->frozen = prefix->frozen;
    s->soft = prefix->soft;
    s->count = prefix->count;
    atomic_fetch_add(&s->continued, 1);
    gb_status status = script_decide(context, observations, seed, tick, out);
    for (int i = 0; status == GB_OK && i < prefix->count * s->plant->action_size; i++) {
        double weight = i < prefix->frozen * s->plant->action_size ? 1.0 : 0.5;
        if (i < prefix->soft * s->plant->action_size)
            out[i] += weight * (prefix->actions[i] - out[i]);
    }
    return status;
}

static void script_warm(void *context)
{
    script *s = context;
    atomic_fetch_add(&s->warmed, 1);
}

/* context: a script *. */
static gb_status script_make(const void *context, const gb_plant_info *plant, gb_policy *out)
{
    script *s = (script *)(uintptr_t)context;
    s->plant = plant;
    *out = (gb_policy){.look_back = SCRIPT_LOOK_BACK,
                       .horizon = SCRIPT_HORIZON,
                       .execute = SCRIPT_EXECUTE,
                       .context = s,
                       .decide = script_decide,
                       .decide_after = s->continues ? script_decide_after : NULL,
                       .warm = script_warm};
    return GB_OK;
}

#endif
