/* plant/mujoco.h: what every plant simulated with MuJoCo 2.2.2 shares: loading a model that is
 * compiled in, steps that report instead of exiting, names to numbers, an offscreen camera.
 * Private to the room.
 *
 * MuJoCo's own answer to an error is a line in MUJOCO_LOG.TXT and exit(). Every call that can fail
 * goes through this file, which catches errors and warnings for the calling thread alone: another
 * user of MuJoCo in the same process keeps its handlers. */
#ifndef GENBA_PLANT_MUJOCO_H
#define GENBA_PLANT_MUJOCO_H

#include "genba/base.h"

#include <mujoco/mujoco.h>

/* The MJCF files of src/plant/asset, compiled in. */
extern const unsigned char gb_plant_asset_grasp[], gb_plant_asset_mobile[];
extern const size_t gb_plant_asset_grasp_size, gb_plant_asset_mobile_size;

typedef struct gb_mujoco_camera gb_mujoco_camera;

typedef struct gb_mujoco {
    const char *plant; /* for messages; borrowed, a literal */
    mjModel *model;    /* its own copy: a plant may draw masses and frictions anew */
    mjData *data;
    bool broken;   /* the physics became unstable or ran out of room; until the next reset */
    char why[200]; /* in MuJoCo's words */
    gb_mujoco_camera *camera; /* NULL until the first picture */
} gb_mujoco;

/* Loads an MJCF model from memory. GB_ERR_PARSE carries the compiler's own message (element and
 * line). `out` is filled on success only and freed by gb_mujoco_free, which takes NULL and zeroes.
 */
GB_MUST gb_status gb_mujoco_load(const char *plant,
                                 const unsigned char *xml,
                                 size_t bytes,
                                 gb_mujoco *out);
void gb_mujoco_free(gb_mujoco *machine);

/* The number of a named part. GB_ERR_NOT_FOUND says which is missing and how many there are. */
GB_MUST gb_status gb_mujoco_find(const gb_mujoco *machine, mjtObj type, const char *name, int *out);
/* Where a named sensor's numbers start in data->sensordata; it must have `size` of them. */
GB_MUST gb_status gb_mujoco_find_sensor(const gb_mujoco *machine,
                                        const char *name,
                                        int size,
                                        int *out);

/* The state at the start of the model, at time 0: nothing is left of an earlier episode. */
void gb_mujoco_reset(gb_mujoco *machine);
/* Call after changing masses, sizes or inertias of the model: what the compiler derives from them
 * is computed again, and the state is reset. */
GB_MUST gb_status gb_mujoco_set_const(gb_mujoco *machine);
/* Fills what depends on qpos, qvel and ctrl without moving. False: broken. */
bool gb_mujoco_forward(gb_mujoco *machine);
/* One time step of the model. Allocates nothing. False: broken, now or before; a broken machine
 * does not move. Contacts or constraints beyond the model's room count as broken, too: MuJoCo would
 * silently drop them. */
bool gb_mujoco_step(gb_mujoco *machine);

/* The picture of the fixed camera `name`: rgb [height][width][3], rows from the top. The first one
 * makes a context (about 0.3 s), as does a larger size. GB_ERR_UNSUPPORTED in a build without
 * OSMesa. */
GB_MUST gb_status
gb_mujoco_render(gb_mujoco *machine, const char *name, int width, int height, unsigned char *rgb);

/* For mujoco_camera.c: runs work(machine, context) and catches MuJoCo's errors in it:
 * GB_ERR_NUMERIC with its text. */
GB_MUST gb_status gb_mujoco_guard(gb_mujoco *machine,
                                  void (*work)(gb_mujoco *machine, void *context),
                                  void *context);
void gb_mujoco_camera_free(gb_mujoco_camera *camera); /* NULL is fine */

#endif
