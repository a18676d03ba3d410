/* plant/kind.h: what one plant supplies to the room. plant.c holds everything plants share:
 * argument checks, saturation, score, the end of an episode, snapshots. Private to the room. */
#ifndef GENBA_PLANT_KIND_H
#define GENBA_PLANT_KIND_H

#include "genba/plant.h"

typedef struct gb_plant_kind {
    const gb_plant_info *info;
    GB_MUST gb_status (*create)(void **out_machine);
    void (*destroy)(void *machine); /* NULL is fine */
    /* Both forget everything that happened before: the same call gives the same bits. */
    GB_MUST gb_status (*reset)(void *machine, uint64_t seed);
    GB_MUST gb_status (*set_state)(void *machine, const double *observation);
    void (*advance)(void *machine, const double *action); /* one period; finite and within limits */
    void (*observe)(const void *machine, double *observation);
    void (*measure)(const double *observation, double *progress, double *reward);
    int (*draw)(const double *observation,
                const double *action,
                gb_plant_shape *shapes,
                int capacity);
} gb_plant_kind;

extern const gb_plant_kind gb_plant_kind_pusht;

#endif
