/* plant/pusht_info.c: the pushing table as data (streams, bodies, goal, symmetry) and as a picture.
 * It simulates nothing. */
#include "plant/pusht.h"

#include <math.h>
#include <string.h>

#define PI 3.14159265358979323846
#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

const double gb_pusht_box[2][4][2] = {
    {{-60, 30}, {60, 30}, {60, 0}, {-60, 0}},
    {{-15, 30}, {-15, 120}, {15, 120}, {15, 30}},
};

const double gb_pusht_walls[4][2][2] = {
    {{5, 506}, {5, 5}},
    {{5, 5}, {506, 5}},
    {{506, 5}, {506, 506}},
    {{5, 506}, {506, 506}},
};

/* ---- streams ----------------------------------------------------------------------------------
 */

static const double target_low[2] = {0, 0}, target_high[2] = {512, 512};
/* The agent is moved by hand and passes through walls, and it may squeeze the block through one. */
static const double position_low[2] = {-512, -512}, position_high[2] = {1024, 1024};

#define SPEC(name_, kind_, unit_, semantic_, size_)                                                \
    {                                                                                              \
        .name = name_, .kind = kind_, .unit = unit_, .semantic = semantic_, .rank = 1,             \
        .shape = {size_}, .time_base = GB_TIME_START, .rate_hz = 10.0                              \
    }

static const gb_plant_stream observations[] = {
    {SPEC("agent.position", GB_STREAM_VECTOR, "px", "position", 2), .size = 2, .low = position_low,
     .high = position_high},
    {SPEC("block.position", GB_STREAM_VECTOR, "px", "position", 2), .size = 2, .low = position_low,
     .high = position_high},
    {SPEC("block.angle", GB_STREAM_VECTOR, "rad", "angle", 1), .size = 1, .wrap = 2 * PI},
};
static const gb_plant_stream actions[] = {
    {SPEC("agent.target", GB_STREAM_ACTION, "px", "position", 2), .size = 2, .hold = true,
     .follows = "agent.position", .low = target_low, .high = target_high},
};

/* ---- bodies -----------------------------------------------------------------------------------
 */

/* Once round the T. */
static const double outline[8][3] = {{-60, 0, 0},  {60, 0, 0},    {60, 30, 0},  {15, 30, 0},
                                     {15, 120, 0}, {-15, 120, 0}, {-15, 30, 0}, {-60, 30, 0}};
static const double centre[1][3] = {{0, 0, 0}};
static const double goal_position[2] = {GB_PUSHT_GOAL_X_PX, GB_PUSHT_GOAL_Y_PX};
static const double goal_angle[1] = {GB_PUSHT_GOAL_ANGLE_RAD};

static const gb_plant_body bodies[] = {
    {"agent", "agent.position", NULL, COUNT(centre), centre, NULL, NULL},
    {"block", "block.position", "block.angle", COUNT(outline), outline, goal_position, goal_angle},
};
static const gb_plant_geometry geometry = {2,     "px", {0, 0, 0}, {512, 512, 0}, COUNT(bodies),
                                           bodies};

/* ---- symmetry: the mirror line runs through the goal, from upper right to lower left ------------
 */

static const double swap_negative[4] = {0, -1, -1, 0}, swap_offset[2] = {512, 512};
static const double angle_matrix[1] = {-1}, angle_offset[1] = {PI / 2};
static const gb_plant_map mirror_maps[] = {
    {"agent.position", swap_negative, swap_offset},
    {"block.position", swap_negative, swap_offset},
    {"block.angle", angle_matrix, angle_offset},
    {"agent.target", swap_negative, swap_offset},
};
static const gb_plant_symmetry symmetries[] = {
    {"mirror: (x, y) -> (512 - y, 512 - x)", COUNT(mirror_maps), mirror_maps, 0},
};

const gb_plant_info gb_pusht_info = {
    .name = "pusht",
    .summary = "a round agent pushes a T-shaped block onto a goal pose in the plane",
    .source = "Chi et al. 2023, Diffusion policy: visuomotor policy learning via action diffusion",
    .period_ns = 100000000,
    .tick_ns = 10000000, /* the published physics' own sub-step */
    .max_steps = 300,
    .observation_stream_count = COUNT(observations),
    .action_stream_count = COUNT(actions),
    .observation_streams = observations,
    .action_streams = actions,
    .observation_size = 5,
    .action_size = 2,
    .progress_name = "coverage",
    .success_above = GB_PUSHT_SUCCESS_COVERAGE,
    .symmetry_count = COUNT(symmetries),
    .symmetries = symmetries,
    .geometry = &geometry,
    .instruction = "push the T onto its place",
};

/* ---- the picture --------------------------------------------------------------------------------
 */

typedef struct canvas {
    gb_plant_shape *shapes;
    int count, capacity;
} canvas;

static gb_plant_shape *add(canvas *to, gb_plant_shape_kind kind, const char *role, double radius)
{
    if (to->count >= to->capacity)
        return NULL;
    gb_plant_shape *shape = &to->shapes[to->count++];
    memset(shape, 0, sizeof *shape);
    shape->kind = kind;
    shape->role = role;
    shape->radius = radius;
    return shape;
}

static void add_tee(canvas *to, const char *role, double x, double y, double angle_rad)
{
    gb_plant_shape *shape = add(to, GB_PLANT_POLYGON, role, 0.0);
    if (!shape)
        return;
    double c = cos(angle_rad), s = sin(angle_rad);
    shape->point_count = COUNT(outline);
    for (int i = 0; i < COUNT(outline); i++) {
        shape->points[i][0] = x + c * outline[i][0] - s * outline[i][1];
        shape->points[i][1] = y + s * outline[i][0] + c * outline[i][1];
    }
}

static void add_circle(canvas *to, const char *role, const double *at, double radius)
{
    gb_plant_shape *shape = add(to, GB_PLANT_CIRCLE, role, radius);
    if (!shape)
        return;
    shape->point_count = 1;
    memcpy(shape->points[0], at, sizeof shape->points[0]);
}

int gb_pusht_draw(const double *observation,
                  const double *action,
                  gb_plant_shape *shapes,
                  int capacity)
{
    canvas to = {shapes, 0, capacity};
    for (int i = 0; i < COUNT(gb_pusht_walls); i++) {
        gb_plant_shape *wall = add(&to, GB_PLANT_LINE, "wall", GB_PUSHT_WALL_RADIUS_PX);
        if (!wall)
            continue;
        wall->point_count = 2;
        memcpy(wall->points, gb_pusht_walls[i], sizeof gb_pusht_walls[i]);
    }
    add_tee(&to, "goal", goal_position[0], goal_position[1], goal_angle[0]);
    add_tee(&to, "block", observation[2], observation[3], observation[4]);
    add_circle(&to, "agent", observation, GB_PUSHT_AGENT_RADIUS_PX);
    if (action)
        add_circle(&to, "target", action, 5.0);
    return to.count;
}
