/* control/envelope_monitor.c: can this observation be believed, and did the tick come in time? It
 * knows nothing of commands. */
#include "control/envelope.h"

#include <math.h>
#include <string.h>

void gb_envelope_monitor_reset(gb_envelope *envelope)
{
    for (int i = 0; i < envelope->sensor_count; i++) {
        envelope->states[i].seen = false;
        envelope->states[i].changed_ns = INT64_MIN;
    }
    envelope->late_in_a_row = 0;
}

/* Stamps from the future are as wrong as old ones. now_ns is a monotonic clock's, far from the ends
 * of int64_t; a stamp can be anything. */
static uint32_t
judge_age(const gb_sensor_rule *rule, int64_t now_ns, int64_t time_ns, gb_margin *margin)
{
    if (time_ns < now_ns - rule->max_age_ns || time_ns > now_ns + rule->max_age_ns)
        return GB_BIT(GB_LIMIT_OBSERVATION_AGE);
    double age = fabs((double)(now_ns - time_ns));
    gb_margin_take(margin, 1.0 - age / (double)rule->max_age_ns, GB_LIMIT_OBSERVATION_AGE, -1);
    return 0;
}

static uint32_t judge_range(const gb_sensor_rule *rule, const double *values, gb_margin *margin)
{
    uint32_t bits = 0;
    for (int i = 0; i < rule->size; i++) {
        if (rule->low && rule->high) {
            double half = (rule->high[i] - rule->low[i]) / 2.0;
            double room = fmin(values[i] - rule->low[i], rule->high[i] - values[i]);
            gb_margin_take(margin, room / half, GB_LIMIT_SENSOR_RANGE, rule->offset + i);
        }
        if ((rule->low && values[i] < rule->low[i]) || (rule->high && values[i] > rule->high[i]))
            bits |= GB_BIT(GB_LIMIT_SENSOR_RANGE);
        if (rule->force) {
            double room = 1.0 - fabs(values[i]) / rule->force[i];
            gb_margin_take(margin, room, GB_LIMIT_FORCE, rule->offset + i);
            if (fabs(values[i]) > rule->force[i])
                bits |= GB_BIT(GB_LIMIT_FORCE);
        }
    }
    return bits;
}

/* Compares a sample with the one of the tick before; the same one again is no step. */
static uint32_t judge_step(const gb_sensor_rule *rule, gb_sensor_state *state, const double *values)
{
    if (!rule->max_step)
        return 0;
    for (int i = 0; i < rule->size; i++) {
        double step = fabs(values[i] - state->last[i]);
        if (rule->wrap > 0.0) {
            step = fmod(step, rule->wrap);
            step = fmin(step, rule->wrap - step);
        }
        if (step > rule->max_step[i])
            return GB_BIT(GB_LIMIT_SENSOR_JUMP);
    }
    return 0;
}

static bool all_finite(const double *values, int count)
{
    for (int i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return false;
    return true;
}

static uint32_t judge_sensor(const gb_sensor_rule *rule,
                             gb_sensor_state *state,
                             const gb_envelope_input *input,
                             gb_margin *margin)
{
    const gb_observation *observation = input->observation;
    int64_t time_ns = observation->time_ns[rule->stream];
    const double *values = observation->values + rule->offset;
    uint32_t bits = judge_age(rule, input->now_ns, time_ns, margin);
    if (!all_finite(values, rule->size))
        return bits | GB_BIT(GB_LIMIT_SENSOR_NAN);
    bits |= judge_range(rule, values, margin);
    if (state->seen)
        bits |= judge_step(rule, state, values);
    size_t bytes = (size_t)rule->size * sizeof(double);
    if (!state->seen || memcmp(values, state->last, bytes) != 0)
        state->changed_ns = input->now_ns;
    if (rule->stuck_ns > 0 && input->now_ns - state->changed_ns > rule->stuck_ns)
        bits |= GB_BIT(GB_LIMIT_SENSOR_STUCK);
    memcpy(state->last, values, bytes);
    state->seen = true;
    return bits;
}

static uint32_t judge_deadline(gb_envelope *envelope, int64_t late_ns)
{
    if (envelope->late_ns == 0)
        return 0;
    if (late_ns <= envelope->late_ns) {
        envelope->late_in_a_row = 0;
        return 0;
    }
    envelope->late_in_a_row++;
    return envelope->late_in_a_row > envelope->late_ticks ? GB_BIT(GB_LIMIT_DEADLINE) : 0;
}

uint32_t
gb_envelope_monitor(gb_envelope *envelope, const gb_envelope_input *input, gb_margin *margin)
{
    uint32_t bits = judge_deadline(envelope, input->late_ns);
    const gb_observation *observation = input->observation;
    envelope->distance_good = false;
    /* Another machine may be all that ever speaks: then shape counts, though nothing was seen. */
    if (observation && observation->faults & GB_FAULT_SHAPE)
        return bits | GB_BIT(GB_LIMIT_SHAPE);
    if (!observation || observation->sequence == 0)
        return bits | GB_BIT(GB_LIMIT_OBSERVATION_AGE);
    for (int i = 0; i < envelope->sensor_count; i++) {
        const gb_sensor_rule *rule = &envelope->sensors[i];
        uint32_t own = judge_sensor(rule, &envelope->states[i], input, margin);
        if (rule->offset == envelope->people.offset)
            envelope->distance_good = own == 0;
        bits |= own;
    }
    return bits;
}
