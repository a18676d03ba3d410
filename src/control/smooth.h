/* control/smooth.h: how smooth a sequence of proposals is: its third difference, and its step where
 * one chunk follows another. In units of each column's declared range, so that columns compare.
 * Private to the room. */
#ifndef GENBA_CONTROL_SMOOTH_H
#define GENBA_CONTROL_SMOOTH_H

#include "genba/plant.h"

typedef struct gb_smooth gb_smooth;

GB_MUST gb_status gb_smooth_create(const gb_plant_info *machine, gb_smooth **out);
void gb_smooth_destroy(gb_smooth *smooth); /* NULL is fine */
/* The next tick's proposal [action_size]; NULL or one that is not finite: a gap, after which
 * differences begin anew. switched: another chunk than at the tick before. */
void gb_smooth_add(gb_smooth *smooth, const double *proposal, bool switched);
/* All 0 when there were too few. */
void gb_smooth_read(const gb_smooth *smooth,
                    double *jerk_rms,
                    double *jerk_max,
                    double *switch_jump_rms);

#endif
