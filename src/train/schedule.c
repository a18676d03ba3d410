/* Learning-rate schedules and the decay of averaged weights, as pure functions of the step.
 * Not for time: a run given by minutes fixes its number of steps first (run.c). */
#include "genba/train.h"

#include <math.h>

static double cosine(const gb_schedule_config *schedule, int64_t step, int64_t steps)
{
    int64_t length = steps - schedule->warmup_steps;
    double share = length > 0 ? (double)(step - schedule->warmup_steps) / (double)length : 1.0;
    return 0.5 * (1.0 + cos(3.14159265358979323846 * share));
}

/* Stable until the last decay_fraction of all steps, then a straight line. */
static double stable_then_line(const gb_schedule_config *schedule, int64_t step, int64_t steps)
{
    double length = floor(schedule->decay_fraction * (double)steps + 0.5);
    double left = (double)(steps - step);
    return left < length ? left / length : 1.0;
}

double gb_schedule_factor(const gb_schedule_config *schedule, int64_t step, int64_t steps)
{
    if (step < schedule->warmup_steps)
        return (double)(step + 1) / (double)schedule->warmup_steps;
    if (steps > 0 && step >= steps)
        return schedule->kind == GB_SCHEDULE_CONSTANT ? 1.0 : schedule->final_fraction;
    double share = 1.0;
    if (steps > 0 && schedule->kind == GB_SCHEDULE_COSINE)
        share = cosine(schedule, step, steps);
    else if (steps > 0 && schedule->kind == GB_SCHEDULE_WSD)
        share = stable_then_line(schedule, step, steps);
    return schedule->final_fraction + (1.0 - schedule->final_fraction) * share;
}

double gb_ema_decay(double ema, int64_t step)
{
    double early = (1.0 + (double)step) / (10.0 + (double)step);
    return early < ema ? early : ema;
}
