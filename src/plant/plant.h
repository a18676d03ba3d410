/* plant/plant.h: the inside of a gb_plant, shared by plant.c and snapshot.c only. */
#ifndef GENBA_PLANT_PLANT_H
#define GENBA_PLANT_PLANT_H

#include "plant/kind.h"

struct gb_plant {
    const gb_plant_kind *kind;
    void *machine;            /* the kind's own */
    gb_plant_options options; /* with the defaults filled in */
    gb_plant_result result;
    int ticks_per_step, ticks; /* ticks since the last full step */
    bool from_state;           /* the episode began from `start`, else from `seed` */
    uint64_t seed;
    double *observation; /* [observation_size] the present one */
    double *start;       /* [observation_size] */
    double *scratch;     /* [observation_size] for restoring */
    double *command;     /* [action_size] the action after saturation */
    double *before;      /* [action_size] the command of the last tick */
    double *actions;  /* [max_steps x ticks_per_step][action_size] the commands of this episode */
    double numbers[]; /* where the six above live */
};

#endif
