/* plant/mobile_info.c: the mobile robot as data (streams, geometry) and as a picture. It simulates
 * nothing. */
#include "plant/mobile.h"

#include <math.h>
#include <string.h>

#define PI 3.14159265358979323846
#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))
#define HALF_X GB_MOBILE_HALF_X_M
#define HALF_Y GB_MOBILE_HALF_Y_M
#define RANGE GB_MOBILE_RANGE_M

/* ---- streams ----------------------------------------------------------------------------------
 */

#define TWICE(a) a, a
#define NINE(a) a, a, a, a, a, a, a, a, a
#define SECTORS(a) NINE(a), NINE(a), NINE(a), NINE(a)
#define NINETY(a) SECTORS(a), SECTORS(a), NINE(a), NINE(a)

/* Limits are what a recorded state may be, so a little more than what is seen. */
static const double ranges_low[GB_MOBILE_BEAMS] = {0};
static const double ranges_high[GB_MOBILE_BEAMS] = {NINETY(RANGE), NINETY(RANGE), NINETY(RANGE),
                                                    NINETY(RANGE)};
static const double sectors_low[GB_MOBILE_SECTORS] = {0};
static const double sectors_high[GB_MOBILE_SECTORS] = {SECTORS(20.0)};
static const double gap_low[1] = {-GB_MOBILE_ROBOT_RADIUS_M}, gap_high[1] = {RANGE};
static const double goal_low[3] = {0, -1, -1}, goal_high[3] = {20, 1, 1};
static const double way_low[4] = {-3, -3, -3, -3}, way_high[4] = {3, 3, 3, 3};
static const double position_low[2] = {-HALF_X, -HALF_Y}, position_high[2] = {HALF_X, HALF_Y};
static const double wheel_low[2] = {TWICE(-GB_MOBILE_WHEEL_MAX_RAD_S)};
static const double wheel_high[2] = {TWICE(GB_MOBILE_WHEEL_MAX_RAD_S)};
static const double turning_low[2] = {TWICE(-12.0)}, turning_high[2] = {TWICE(12.0)};

#define SPEC(name_, kind_, unit_, semantic_, size_)                                                \
    {                                                                                              \
        .name = name_, .kind = kind_, .unit = unit_, .semantic = semantic_, .rank = 1,             \
        .shape = {size_}, .time_base = GB_TIME_START, .rate_hz = 10.0                              \
    }
#define VECTOR(name, unit, semantic, size) SPEC(name, GB_STREAM_VECTOR, unit, semantic, size)

static const gb_plant_stream observations[] = {
    {VECTOR("lidar.ranges", "m", "range", GB_MOBILE_BEAMS), .size = GB_MOBILE_BEAMS,
     .low = ranges_low, .high = ranges_high},
    {VECTOR("lidar.sectors", "m-1", "closeness", GB_MOBILE_SECTORS), .size = GB_MOBILE_SECTORS,
     .low = sectors_low, .high = sectors_high},
    {VECTOR("people.sectors", "m-1", "closeness", GB_MOBILE_SECTORS), .size = GB_MOBILE_SECTORS,
     .low = sectors_low, .high = sectors_high},
    {VECTOR("people.gap", "m", "distance", 1), .size = 1, .low = gap_low, .high = gap_high},
    /* distance in metres, then the unit vector to it: ahead, to the left */
    {VECTOR("goal.direction", "m", "goal", 3), .size = 3, .low = goal_low, .high = goal_high},
    /* points of the route 0.8 m and 2 m on: ahead, to the left */
    {VECTOR("route.waypoints", "m", "goal", 4), .size = 4, .low = way_low, .high = way_high},
    {VECTOR("robot.position", "m", "position", 2), .size = 2, .low = position_low,
     .high = position_high},
    {VECTOR("robot.heading", "rad", "angle", 1), .size = 1, .wrap = 2 * PI},
    {VECTOR("wheel.speed", "rad/s", "velocity", 2), .size = 2, .low = turning_low,
     .high = turning_high},
    {VECTOR("map.layout", "1", "map", GB_MOBILE_LAYOUT_SIZE), .size = GB_MOBILE_LAYOUT_SIZE,
     .low = gb_mobile_layout_low, .high = gb_mobile_layout_high},
};
static const gb_plant_stream actions[] = {
    {SPEC("wheel.command", GB_STREAM_ACTION, "rad/s", "velocity", 2), .size = 2, .low = wheel_low,
     .high = wheel_high},
};

/* ---- geometry ---------------------------------------------------------------------------------
 */

static const double outline[4][3] = {{0.25, 0, 0}, {0, 0.25, 0}, {-0.25, 0, 0}, {0, -0.25, 0}};
static const gb_plant_body bodies[] = {
    {"robot", "robot.position", "robot.heading", COUNT(outline), outline, NULL, NULL},
};
static const gb_plant_geometry geometry = {
    2, "m", {-HALF_X, -HALF_Y, 0}, {HALF_X, HALF_Y, 0}, COUNT(bodies), bodies,
};
static const char *const cameras[] = {"top", "robot"};

const gb_plant_info gb_mobile_info = {
    .name = "mobile",
    .summary = "a robot on two wheels finds its way through a warehouse where people walk",
    .source = "",
    .period_ns = 100000000,
    .tick_ns = 20000000,
    .max_steps = 900,
    .observation_stream_count = COUNT(observations),
    .action_stream_count = COUNT(actions),
    .observation_streams = observations,
    .action_streams = actions,
    .observation_size = GB_MOBILE_OBSERVATION_SIZE,
    .action_size = 2,
    .progress_name = "way",
    .success_above = 0.995,
    .geometry = &geometry,
    .instruction = "drive to the goal and keep away from people",
    .cameras = cameras,
    .camera_count = COUNT(cameras),
    .has_teacher = true,
};

/* ---- the picture --------------------------------------------------------------------------------
 */

typedef struct canvas {
    gb_plant_shape *shapes;
    int count, capacity;
    double x, y, c, s; /* the robot's pose */
} canvas;

/* NULL when there is no room left. */
static gb_plant_shape *
add(canvas *to, gb_plant_shape_kind kind, const char *role, double radius, int point_count)
{
    if (to->count >= to->capacity)
        return NULL;
    gb_plant_shape *shape = &to->shapes[to->count++];
    memset(shape, 0, sizeof *shape);
    shape->kind = kind;
    shape->role = role;
    shape->radius = radius;
    shape->point_count = point_count;
    return shape;
}

/* A point of the world, y downwards as on a screen. */
static void put(double out[2], double x, double y)
{
    out[0] = x;
    out[1] = -y;
}

static void put_seen(const canvas *from, double out[2], double ahead, double left)
{
    put(out, from->x + from->c * ahead - from->s * left,
        from->y + from->s * ahead + from->c * left);
}

static void draw_box(canvas *to, const char *role, const gb_mobile_rack *box)
{
    gb_plant_shape *shape = add(to, GB_PLANT_POLYGON, role, 0.0, 4);
    if (!shape)
        return;
    for (int i = 0; i < 4; i++)
        put(shape->points[i], box->x + (i == 1 || i == 2 ? 1 : -1) * box->half_x,
            box->y + (i >= 2 ? 1 : -1) * box->half_y);
}

static void draw_floor(canvas *to, const gb_mobile_map *map)
{
    gb_plant_shape *wall = add(to, GB_PLANT_LINE, "wall", 0.04, 5);
    for (int i = 0; wall && i < 5; i++)
        put(wall->points[i], (i % 4 == 1 || i % 4 == 2 ? 1 : -1) * HALF_X,
            (i % 4 >= 2 ? 1 : -1) * HALF_Y);
    for (int i = 0; i < map->rack_count; i++)
        draw_box(to, "rack", &map->racks[i]);
}

static void draw_circle(canvas *to, const char *role, double radius, double ahead, double left)
{
    gb_plant_shape *shape = add(to, GB_PLANT_CIRCLE, role, radius, 1);
    if (shape)
        put_seen(to, shape->points[0], ahead, left);
}

/* Runs of neighbouring returns as lines; a jump or a line's end begins the next. */
static void draw_scan(canvas *to, const double *ranges)
{
    gb_plant_shape *line = NULL;
    double before = 0.0;
    for (int i = 0; i < GB_MOBILE_BEAMS; i++) {
        double angle = i * PI / 180.0, range = ranges[i];
        if (range >= RANGE)
            continue; /* lost, or nothing there */
        bool goes_on = line && fabs(range - before) < 0.1 + 0.1 * range;
        if (!goes_on || line->point_count == GB_PLANT_SHAPE_POINTS) {
            line = add(to, GB_PLANT_LINE, "lidar", 0.02, 0);
            if (!line)
                return;
        }
        put_seen(to, line->points[line->point_count++], range * cos(angle), range * sin(angle));
        before = range;
    }
}

/* A circle for each run of returns that the map does not explain. */
static void draw_people(canvas *to, const gb_mobile_map *map, const double *ranges)
{
    double ahead = 0.0, left = 0.0;
    int run = 0;
    for (int i = 0; i <= GB_MOBILE_BEAMS; i++) {
        double range = i < GB_MOBILE_BEAMS ? ranges[i] : RANGE, at[2];
        double angle = i * PI / 180.0, a = range * cos(angle), l = range * sin(angle);
        put_seen(to, at, a, l);
        if (range < RANGE && gb_mobile_clearance(map, at[0], -at[1]) >= GB_MOBILE_EXPLAINED_M) {
            ahead += a;
            left += l;
            run++;
        } else if (run > 0) {
            double distance = fmax(hypot(ahead, left) / run, 0.1);
            double grow = (distance + 0.2) / distance / run;
            draw_circle(to, "person", GB_MOBILE_PERSON_RADIUS_M, ahead * grow, left * grow);
            ahead = left = 0.0;
            run = 0;
        }
    }
}

static void draw_route(canvas *to, const double *way, const double *goal)
{
    draw_circle(to, "goal", GB_MOBILE_GOAL_RADIUS_M, goal[0] * goal[1], goal[0] * goal[2]);
    gb_plant_shape *line = add(to, GB_PLANT_LINE, "route", 0.03, 3);
    if (!line)
        return;
    put_seen(to, line->points[0], 0.0, 0.0);
    put_seen(to, line->points[1], way[0], way[1]);
    put_seen(to, line->points[2], way[2], way[3]);
}

static void draw_robot(canvas *to, const double *action)
{
    draw_circle(to, "agent", GB_MOBILE_ROBOT_RADIUS_M, 0.0, 0.0);
    gb_plant_shape *nose = add(to, GB_PLANT_LINE, "heading", 0.03, 2);
    if (nose) {
        put_seen(to, nose->points[0], 0.0, 0.0);
        put_seen(to, nose->points[1], GB_MOBILE_ROBOT_RADIUS_M, 0.0);
    }
    if (!action)
        return;
    /* where the command leads in a second, as an arc of eight points */
    double speed = 0.5 * GB_MOBILE_WHEEL_RADIUS_M * (action[0] + action[1]);
    double turn = GB_MOBILE_WHEEL_RADIUS_M * (action[1] - action[0]) / GB_MOBILE_TRACK_M;
    gb_plant_shape *arc = add(to, GB_PLANT_LINE, "target", 0.02, 8);
    double ahead = 0.0, left = 0.0;
    for (int i = 0; arc && i < 8; i++) {
        put_seen(to, arc->points[i], ahead, left);
        ahead += speed * cos(turn * (i + 0.5) / 7.0) / 7.0;
        left += speed * sin(turn * (i + 0.5) / 7.0) / 7.0;
    }
}

int gb_mobile_draw(const double *observation,
                   const double *action,
                   gb_plant_shape *shapes,
                   int capacity)
{
    double heading = observation[GB_MOBILE_AT_HEADING];
    canvas to = {shapes,
                 0,
                 capacity,
                 observation[GB_MOBILE_AT_POSITION],
                 observation[GB_MOBILE_AT_POSITION + 1],
                 cos(heading),
                 sin(heading)};
    gb_mobile_map map;
    gb_mobile_map_build(observation + GB_MOBILE_AT_LAYOUT, &map);
    draw_floor(&to, &map);
    draw_route(&to, observation + GB_MOBILE_AT_WAYPOINT, observation + GB_MOBILE_AT_GOAL);
    draw_robot(&to, action);
    draw_people(&to, &map, observation + GB_MOBILE_AT_RANGES);
    draw_scan(&to, observation + GB_MOBILE_AT_RANGES);
    return to.count;
}
