/* plant/grasp_info.c: the plant grasp as data (streams, bodies) and as a picture seen from the
 * side. It simulates nothing. */
#include "plant/grasp.h"

#include <math.h>
#include <string.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))
#define RATE_HZ 25.0

/* ---- streams ----------------------------------------------------------------------------------
 */

const double gb_grasp_joints_low[GB_GRASP_JOINTS] = {-2.6, -0.5, -2.7, -2.0, -2.2};
const double gb_grasp_joints_high[GB_GRASP_JOINTS] = {2.6, 2.0, 0.0, 1.2, 2.2};
static const double grip_low[1] = {GB_GRASP_GRIP_LOW_N}, grip_high[1] = {GB_GRASP_GRIP_HIGH_N};
/* Of recorded states to start from. */
static const double opening_low[1] = {-0.01}, opening_high[1] = {0.1};
static const double world_low[3] = {-1, -1, -0.05}, world_high[3] = {1, 1, 1};
static const double size_low[3] = {0.01, 0.01, 0.01}, size_high[3] = {0.2, 0.2, 0.2};
static const double arm_low[GB_GRASP_JOINTS] = {-2.8, -0.7, -2.9, -2.2, -2.4};
static const double arm_high[GB_GRASP_JOINTS] = {2.8, 2.2, 0.2, 1.4, 2.4};

#define STREAM(name_, kind_, unit_, semantic_, size_)                                              \
    .spec = {.name = name_,                                                                        \
             .kind = kind_,                                                                        \
             .unit = unit_,                                                                        \
             .semantic = semantic_,                                                                \
             .rank = 1,                                                                            \
             .shape = {size_},                                                                     \
             .time_base = GB_TIME_START,                                                           \
             .rate_hz = RATE_HZ},                                                                  \
    .size = size_

static const gb_plant_stream observations[] = {
    {STREAM("arm.position", GB_STREAM_VECTOR, "rad", "angle", 5), .low = arm_low, .high = arm_high},
    {STREAM("arm.velocity", GB_STREAM_VECTOR, "rad/s", "velocity", 5)},
    {STREAM("hand.position", GB_STREAM_VECTOR, "m", "position", 3), .low = world_low,
     .high = world_high},
    {STREAM("hand.rotation", GB_STREAM_VECTOR, "1", "rotation", 4)},
    {STREAM("hand.opening", GB_STREAM_VECTOR, "m", "position", 1), .low = opening_low,
     .high = opening_high},
    {STREAM("hand.grip", GB_STREAM_VECTOR, "N", "force", 1), .low = grip_low, .high = grip_high},
    {STREAM("touch.normal", GB_STREAM_VECTOR, "N", "force", 2)},
    {STREAM("touch.tangential", GB_STREAM_VECTOR, "N", "force", 2)},
    {STREAM("touch.slip", GB_STREAM_VECTOR, "m/s", "velocity", 2)},
    {STREAM("object.position", GB_STREAM_VECTOR, "m", "position", 3), .low = world_low,
     .high = world_high},
    {STREAM("object.rotation", GB_STREAM_VECTOR, "1", "rotation", 4)},
    {STREAM("object.size", GB_STREAM_VECTOR, "m", "length", 3), .low = size_low, .high = size_high},
    {STREAM("object.offset", GB_STREAM_VECTOR, "m", "position", 3)},
    {STREAM("object.turn", GB_STREAM_VECTOR, "rad", "angle", 1)},
};
static const gb_plant_stream actions[] = {
    {STREAM("arm.target", GB_STREAM_ACTION, "rad", "angle", 5), .follows = "arm.position",
     .low = gb_grasp_joints_low, .high = gb_grasp_joints_high},
    {STREAM("grip.force", GB_STREAM_ACTION, "N", "force", 1), .low = grip_low, .high = grip_high},
};

/* ---- bodies: their frames' centre and two points that show how they are turned ------------------
 */

static const double hand_points[3][3] = {{0, 0, 0}, {0, 0.04, 0}, {0, 0, 0.04}};
static const double object_points[3][3] = {{0, 0, 0}, {0.04, 0, 0}, {0, 0.04, 0}};
static const gb_plant_body bodies[] = {
    {"hand", "hand.position", "hand.rotation", COUNT(hand_points), hand_points, NULL, NULL},
    {"object", "object.position", "object.rotation", COUNT(object_points), object_points, NULL,
     NULL},
};
static const gb_plant_geometry geometry = {
    3, "m", {-0.1, -0.4, -0.1}, {0.7, 0.4, 0.7}, COUNT(bodies), bodies};

static const char *const cameras[] = {"front", "hand"};

const gb_plant_info gb_grasp_info = {
    .name = "grasp",
    .summary = "an arm feels how hard it must grip to lift an object of unknown mass and friction",
    .source = "",
    .period_ns = 40000000,
    .tick_ns = 4000000,
    .max_steps = 250,
    .observation_stream_count = COUNT(observations),
    .action_stream_count = COUNT(actions),
    .observation_streams = observations,
    .action_streams = actions,
    .observation_size = GB_GRASP_OBSERVATION_SIZE,
    .action_size = GB_GRASP_ACTION_SIZE,
    .progress_name = "lift",
    .success_above = 0.999,
    .geometry = &geometry,
    .instruction = "lift the object and hold it, without crushing or dropping it",
    .cameras = cameras,
    .camera_count = COUNT(cameras),
    .has_teacher = true,
};

/* ---- the picture: the arm's own plane, the gripper turned into it -------------------------------
 */

#define DRAWN_TOP_M 0.6 /* y = top - z */

typedef struct canvas {
    gb_plant_shape *shapes;
    int count, capacity;
} canvas;

static gb_plant_shape *
add(canvas *to, gb_plant_shape_kind kind, const char *role, int points, double radius)
{
    if (to->count >= to->capacity)
        return NULL;
    gb_plant_shape *shape = &to->shapes[to->count++];
    memset(shape, 0, sizeof *shape);
    shape->kind = kind;
    shape->role = role;
    shape->point_count = points;
    shape->radius = radius;
    return shape;
}

static void line(canvas *to, const char *role, double radius, const double (*rz)[2], int count)
{
    gb_plant_shape *shape = add(to, GB_PLANT_LINE, role, count, radius);
    for (int i = 0; shape && i < count; i++) {
        shape->points[i][0] = rz[i][0];
        shape->points[i][1] = DRAWN_TOP_M - rz[i][1];
    }
}

static void box(canvas *to, const char *role, double r, double z, double half_r, double half_z)
{
    gb_plant_shape *shape = add(to, GB_PLANT_POLYGON, role, 4, 0.0);
    for (int i = 0; shape && i < 4; i++) {
        shape->points[i][0] = r + (i == 1 || i == 2 ? half_r : -half_r);
        shape->points[i][1] = DRAWN_TOP_M - (z + (i < 2 ? -half_z : half_z));
    }
}

/* From the shoulder to the hand's palm. */
static void arm(canvas *to, const char *role, double radius, const double *joints)
{
    const double length[] = {GB_GRASP_UPPER_M, GB_GRASP_FOREARM_M, GB_GRASP_HAND_M / 2};
    double rz[4][2] = {{0, GB_GRASP_SHOULDER_M}}, angle = 0.0;
    for (int i = 0; i < 3; i++) {
        angle += joints[1 + i];
        rz[i + 1][0] = rz[i][0] + length[i] * cos(angle);
        rz[i + 1][1] = rz[i][1] + length[i] * sin(angle);
    }
    line(to, role, radius, (const double(*)[2])rz, 4);
}

int gb_grasp_draw(const double *observation,
                  const double *action,
                  gb_plant_shape *shapes,
                  int capacity)
{
    gb_grasp_observation seen;
    memcpy(&seen, observation, sizeof seen);
    canvas to = {shapes, 0, capacity};
    box(&to, "wall", 0.3, -0.02, 0.4, 0.02); /* the table */
    double height = GB_GRASP_HEIGHT_M + seen.object_size[2];
    line(&to, "goal", 0.002, (const double[2][2]){{0.15, height}, {0.65, height}}, 2);
    double reach = hypot(seen.hand_position[0], seen.hand_position[1]);
    box(&to, "block", hypot(seen.object_position[0], seen.object_position[1]),
        seen.object_position[2], seen.object_size[1] / 2, seen.object_size[2] / 2);
    line(&to, "agent", 0.06, (const double[2][2]){{0, 0}, {0, GB_GRASP_SHOULDER_M}}, 2);
    arm(&to, "agent", 0.03, seen.arm_position);
    double z = seen.hand_position[2], palm = z + GB_GRASP_HAND_M / 2;
    line(&to, "agent", 0.01, (const double[2][2]){{reach - 0.06, palm}, {reach + 0.06, palm}}, 2);
    for (int side = -1; side <= 1; side += 2) {
        double r = reach + side * (seen.hand_opening[0] / 2 + 0.006);
        line(&to, "agent", 0.006, (const double[2][2]){{r, palm}, {r, z}}, 2);
    }
    if (action)
        arm(&to, "target", 0.004, action);
    return to.count;
}
