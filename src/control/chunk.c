/* control/chunk.c: from actions, one a period, to setpoints at any instant. */
#include "control/chunk.h"

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
    gb_plant_setpoint(machine, from, to, part, out);
    return true;
}
