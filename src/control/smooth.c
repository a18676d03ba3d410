/* control/smooth.c: third differences and jumps of a sequence, summed as it passes. */
#include "control/smooth.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct gb_smooth {
    int columns;
    int run;      /* proposals since the last gap, at most 4 */
    double *per;  /* [columns] 1 / range */
    double *past; /* [3][columns] the proposal before, and its first and second difference */
    double jerk_sum, jerk_max, jump_sum;
    int64_t jerks, jumps;
    double numbers[]; /* per, past */
};

gb_status gb_smooth_create(const gb_plant_info *machine, gb_smooth **out)
{
    size_t columns = (size_t)machine->action_size;
    gb_smooth *smooth = calloc(1, sizeof *smooth + 4 * columns * sizeof(double));
    if (!smooth)
        return gb_fail(GB_ERR_MEMORY, "control: no memory for %d columns", machine->action_size);
    smooth->columns = machine->action_size;
    smooth->per = smooth->numbers;
    smooth->past = smooth->numbers + columns;
    int at = 0;
    for (int i = 0; i < machine->action_stream_count; i++) {
        const gb_plant_stream *stream = &machine->action_streams[i];
        for (int k = 0; k < stream->size; k++, at++) {
            double range = stream->low ? stream->high[k] - stream->low[k] : 1.0;
            smooth->per[at] = range > 0.0 && isfinite(range) ? 1.0 / range : 1.0;
        }
    }
    *out = smooth;
    return GB_OK;
}

void gb_smooth_destroy(gb_smooth *smooth)
{
    free(smooth);
}

static bool all_finite(const double *values, int count)
{
    for (int i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return false;
    return true;
}

void gb_smooth_add(gb_smooth *smooth, const double *proposal, bool switched)
{
    if (!proposal || !all_finite(proposal, smooth->columns)) {
        smooth->run = 0;
        return;
    }
    for (int i = 0; i < smooth->columns; i++) {
        double *past = smooth->past + 3 * i;
        double value = proposal[i] * smooth->per[i];
        double first = value - past[0], second = first - past[1], third = second - past[2];
        past[0] = value;
        past[1] = first;
        past[2] = second;
        if (smooth->run >= 3) {
            smooth->jerk_sum += third * third;
            smooth->jerk_max = fmax(smooth->jerk_max, fabs(third));
            smooth->jerks++;
        }
        if (smooth->run >= 1 && switched) {
            smooth->jump_sum += first * first;
            smooth->jumps++;
        }
    }
    if (smooth->run < 3)
        smooth->run++;
}

void gb_smooth_read(const gb_smooth *smooth,
                    double *jerk_rms,
                    double *jerk_max,
                    double *switch_jump_rms)
{
    *jerk_rms = smooth->jerks ? sqrt(smooth->jerk_sum / (double)smooth->jerks) : 0.0;
    *jerk_max = smooth->jerk_max;
    *switch_jump_rms = smooth->jumps ? sqrt(smooth->jump_sum / (double)smooth->jumps) : 0.0;
}
