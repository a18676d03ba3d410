/* plant/pusht.h: what the files of the pushing table share. */
#ifndef GENBA_PLANT_PUSHT_H
#define GENBA_PLANT_PUSHT_H

#include "genba/plant.h"

/* The start that the published evaluation draws for a seed. The block's origin is (block_x,
 * block_y) before it is turned by angle_rad about its centre of gravity. */
typedef struct gb_pusht_start {
    double agent_x_px, agent_y_px, block_x_px, block_y_px, angle_rad;
} gb_pusht_start;

gb_pusht_start gb_pusht_legacy_start(uint32_t seed);

/* The T in its own frame, y downwards: the corners of its bar and of its stem. */
extern const double gb_pusht_box[2][4][2];

#define GB_PUSHT_GOAL_X_PX 256.0
#define GB_PUSHT_GOAL_Y_PX 256.0
#define GB_PUSHT_GOAL_ANGLE_RAD 0.78539816339744830962
#define GB_PUSHT_AGENT_RADIUS_PX 15.0

#define GB_PUSHT_SUCCESS_COVERAGE 0.95
#define GB_PUSHT_WALL_RADIUS_PX 2.0
extern const double gb_pusht_walls[4][2][2]; /* from point, to point */

extern const gb_plant_info gb_pusht_info;
int gb_pusht_draw(const double *observation,
                  const double *action,
                  gb_plant_shape *shapes,
                  int capacity);

/* area(block and goal) / area(goal) for a block at this pose. */
double gb_pusht_coverage(double x_px, double y_px, double angle_rad);

#endif
