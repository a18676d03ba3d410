/* plant/pusht.c: the physics and the score of PushT (Chi et al. 2023, "Diffusion policy"): a round
 * agent pushes a T onto a drawn goal. The constants are those with which the published human
 * demonstrations were recorded, so that they replay here. What it looks like and which streams it
 * has are in pusht_info.c; how episodes start is in pusht_reset.c. */
#include "plant/pusht.h"
#include "plant/kind.h"
#include "plant/polygon.h"

#include <chipmunk/chipmunk.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define SUBSTEP_S 0.01 /* the tick of gb_pusht_info */
#define STIFFNESS_PER_S2 100.0
#define DAMPING_PER_S 20.0
#define WALL_COUNT 4
#define GOAL_AREA_PX2 6300.0
#define TWO_PI 6.28318530717958647693

typedef struct pusht {
    cpSpace *space;
    cpBody *agent, *block;
    cpShape *shapes[WALL_COUNT + 3]; /* walls, agent, bar, stem */
} pusht;

/* ---- the world ------------------------------------------------------------------------------ */

static void world_free(pusht *machine)
{
    if (!machine->space)
        return;
    for (int i = 0; i < WALL_COUNT + 3; i++) {
        cpSpaceRemoveShape(machine->space, machine->shapes[i]);
        cpShapeFree(machine->shapes[i]);
    }
    cpSpaceRemoveBody(machine->space, machine->agent);
    cpSpaceRemoveBody(machine->space, machine->block);
    cpBodyFree(machine->agent);
    cpBodyFree(machine->block);
    cpSpaceFree(machine->space);
    machine->space = NULL;
}

/* Builds the world from nothing: contact caches and search trees of an earlier episode would change
 * the last bits of the next. All frictions stay 0. */
static void world_build(pusht *machine)
{
    world_free(machine);
    cpSpace *space = machine->space = cpSpaceNew();
    cpSpaceSetDamping(space, 0.0); /* the block stops as soon as nothing pushes it */
    for (int i = 0; i < WALL_COUNT; i++) {
        const double *from = gb_pusht_walls[i][0], *to = gb_pusht_walls[i][1];
        cpShape *wall = cpSegmentShapeNew(cpSpaceGetStaticBody(space), cpv(from[0], from[1]),
                                          cpv(to[0], to[1]), GB_PUSHT_WALL_RADIUS_PX);
        machine->shapes[i] = cpSpaceAddShape(space, wall);
    }
    machine->agent = cpSpaceAddBody(space, cpBodyNewKinematic());
    machine->shapes[WALL_COUNT] =
        cpSpaceAddShape(space, cpCircleShapeNew(machine->agent, GB_PUSHT_AGENT_RADIUS_PX, cpvzero));

    cpVect box[2][4];
    for (int i = 0; i < 8; i++)
        box[i / 4][i % 4] = cpv(gb_pusht_box[i / 4][i % 4][0], gb_pusht_box[i / 4][i % 4][1]);
    /* The original counts the bar's moment twice and the stem's not at all. */
    double moment = 2.0 * cpMomentForPoly(1.0, 4, box[0], cpvzero, 0.0);
    machine->block = cpSpaceAddBody(space, cpBodyNew(1.0, moment));
    cpVect middle = cpvlerp(cpCentroidForPoly(4, box[0]), cpCentroidForPoly(4, box[1]), 0.5);
    cpBodySetCenterOfGravity(machine->block, middle);
    for (int i = 0; i < 2; i++) {
        cpShape *shape = cpPolyShapeNew(machine->block, 4, box[i], cpTransformIdentity, 0.0);
        machine->shapes[WALL_COUNT + 1 + i] = cpSpaceAddShape(space, shape);
    }
}

/* Debian's Chipmunk is built in debug mode and prints a banner to stdout at the first space of a
 * process, where a program's own output may be JSON. Let it print into nothing, once. */
static void swallow_banner(void)
{
    FILE *nowhere = fopen("/dev/null", "w");
    if (!nowhere)
        return;
    FILE *before = stdout;
    stdout = nowhere;
    cpSpaceFree(cpSpaceNew());
    stdout = before;
    fclose(nowhere);
}

/* ---- the machine ---------------------------------------------------------------------------- */

static gb_status pusht_reset(void *context, uint64_t seed)
{
    pusht *machine = context;
    if (seed > UINT32_MAX)
        return gb_fail(GB_ERR_ARGUMENT,
                       "plant pusht: seed %llu is too large: the published starts are drawn from "
                       "seeds of 32 bits, use 0 to 4294967295",
                       (unsigned long long)seed);
    gb_pusht_start start = gb_pusht_legacy_start((uint32_t)seed);
    world_build(machine);
    cpBodySetPosition(machine->agent, cpv(start.agent_x_px, start.agent_y_px));
    /* Position first: setting the angle then turns the block about its centre of gravity. */
    cpBodySetPosition(machine->block, cpv(start.block_x_px, start.block_y_px));
    cpBodySetAngle(machine->block, start.angle_rad);
    cpSpaceStep(machine->space, SUBSTEP_S);
    return GB_OK;
}

static gb_status pusht_set_state(void *context, const double *observation)
{
    pusht *machine = context;
    world_build(machine);
    cpBodySetPosition(machine->agent, cpv(observation[0], observation[1]));
    cpBodySetAngle(machine->block, observation[4]);
    cpBodySetPosition(machine->block, cpv(observation[2], observation[3]));
    return GB_OK;
}

static gb_status pusht_create(void **out_machine)
{
    static pthread_once_t banner = PTHREAD_ONCE_INIT;
    pthread_once(&banner, swallow_banner);
    pusht *machine = calloc(1, sizeof *machine);
    if (!machine)
        return gb_fail(GB_ERR_MEMORY, "plant pusht: no memory for the machine");
    *out_machine = machine;
    return GB_OK;
}

static void pusht_destroy(void *context)
{
    if (!context)
        return;
    world_free(context);
    free(context);
}

/* A spring and a damper pull the agent to the target: v += (100 (u - p) - 20 v) dt. */
static void pusht_advance(void *context, const double *action)
{
    pusht *machine = context;
    cpVect target = cpv(action[0], action[1]);
    cpVect velocity = cpBodyGetVelocity(machine->agent);
    cpVect pull = cpvmult(cpvsub(target, cpBodyGetPosition(machine->agent)), STIFFNESS_PER_S2);
    cpVect brake = cpvmult(velocity, -DAMPING_PER_S);
    cpBodySetVelocity(machine->agent, cpvadd(velocity, cpvmult(cpvadd(pull, brake), SUBSTEP_S)));
    cpSpaceStep(machine->space, SUBSTEP_S);
}

static void pusht_observe(const void *context, double *observation)
{
    const pusht *machine = context;
    cpVect agent = cpBodyGetPosition(machine->agent);
    cpVect block = cpBodyGetPosition(machine->block);
    double angle = fmod(cpBodyGetAngle(machine->block), TWO_PI);
    observation[0] = agent.x;
    observation[1] = agent.y;
    observation[2] = block.x;
    observation[3] = block.y;
    observation[4] = angle < 0.0 ? angle + TWO_PI : angle;
}

/* ---- the score ------------------------------------------------------------------------------- */

static void place_box(int which, double x, double y, double angle, gb_polygon *out)
{
    double c = cos(angle), s = sin(angle);
    out->count = 4;
    for (int i = 0; i < 4; i++) {
        const double *p = gb_pusht_box[which][i];
        out->points[i][0] = x + c * p[0] - s * p[1];
        out->points[i][1] = y + s * p[0] + c * p[1];
    }
}

/* Bar and stem touch along an edge and do not overlap, so the four shared areas add up. */
double gb_pusht_coverage(double x_px, double y_px, double angle_rad)
{
    double shared = 0.0;
    for (int i = 0; i < 2; i++) {
        gb_polygon block;
        place_box(i, x_px, y_px, angle_rad, &block);
        for (int j = 0; j < 2; j++) {
            gb_polygon goal;
            place_box(j, GB_PUSHT_GOAL_X_PX, GB_PUSHT_GOAL_Y_PX, GB_PUSHT_GOAL_ANGLE_RAD, &goal);
            shared += gb_polygon_shared_area(&block, &goal);
        }
    }
    return shared / GOAL_AREA_PX2;
}

static void pusht_measure(const double *observation, double *progress, double *reward)
{
    double coverage = gb_pusht_coverage(observation[2], observation[3], observation[4]);
    *progress = coverage;
    *reward = fmin(coverage / GB_PUSHT_SUCCESS_COVERAGE, 1.0);
}

const gb_plant_kind gb_plant_kind_pusht = {
    .info = &gb_pusht_info,
    .create = pusht_create,
    .destroy = pusht_destroy,
    .reset = pusht_reset,
    .set_state = pusht_set_state,
    .advance = pusht_advance,
    .observe = pusht_observe,
    .measure = pusht_measure,
    .draw = gb_pusht_draw,
};
