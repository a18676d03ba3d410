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
    void (*advance)(void *machine, const double *action); /* one tick; finite and within limits */
    /* What the sensors say now. Noise is drawn by seed and time, so that looking twice at the same
     * instant gives the same bits. */
    void (*observe)(const void *machine, double *observation);
    /* One of the two: from an observation alone, or from the machine itself, which also says when
     * the episode has failed (*verdict, a literal; leave it when not). */
    void (*measure)(const double *observation, double *progress, double *reward);
    void (*judge)(const void *machine, double *progress, double *reward, const char **verdict);
    /* The rest may be NULL. The teacher's memory belongs to the machine and is forgotten by reset.
     */
    void (*teach)(void *machine, double *action);
    GB_MUST
    gb_status (*render)(void *machine, int camera, int width, int height, unsigned char *rgb);
    int (*draw)(const double *observation,
                const double *action,
                gb_plant_shape *shapes,
                int capacity);
} gb_plant_kind;

extern const gb_plant_kind gb_plant_kind_mobile;
extern const gb_plant_kind gb_plant_kind_pusht;
extern const gb_plant_kind gb_plant_kind_grasp;

#endif
