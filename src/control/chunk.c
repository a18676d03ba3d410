/* control/chunk.c: from actions, one a period, to setpoints at any instant. */
#include "control/chunk.h"

#include <math.h>

/* An action beyond its stream's limits means the limit, as in gb_plant_step. What is not finite
 * stays so, for the envelope to see. */
static double saturate(const gb_plant_stream *stream, int column, double value)
{
    if (!stream->low || !isfinite(value))
        return value;
    return fmin(fmax(value, stream->low[column]), stream->high[column]);
}

bool gb_chunk_setpoint(const gb_plant_info *machine,
                       const double *actions,
                       int horizon,
                       const double *before,
                       int64_t at_ns,
                       double *out)
{
    if (at_ns < 0 || at_ns / machine->period_ns >= horizon)
        return false;
    int64_t row = at_ns / machine->period_ns;
    /* A command stands for one tick, so the line is read at the tick's end. */
    double part =
        (double)(at_ns % machine->period_ns + machine->tick_ns) / (double)machine->period_ns;
    const double *to = actions + row * machine->action_size;
    const double *from = row > 0 ? to - machine->action_size : before;
    int at = 0;
    for (int i = 0; i < machine->action_stream_count; i++) {
        const gb_plant_stream *stream = &machine->action_streams[i];
        for (int k = 0; k < stream->size; k++, at++) {
            double end = saturate(stream, k, to[at]), start = saturate(stream, k, from[at]);
            out[at] = stream->hold || part >= 1.0 ? end : start + part * (end - start);
        }
    }
    return true;
}
