/* plant/mobile_people.c: how people walk through the warehouse. They are no model of a crowd: each
 * follows a path of their own, and pays no heed to a robot that moves. */
#include "plant/mobile.h"

#include <math.h>

#define LOOK_AHEAD_M 1.3
#define STEP_ASIDE_M 0.55
#define STEP_ASIDE_M_S 0.8
/* Between centres: nobody walks closer into what stands there. */
#define TOUCH_M (GB_MOBILE_ROBOT_RADIUS_M + GB_MOBILE_PERSON_RADIUS_M + 0.03)
#define BEHIND_M 0.7 /* so far from where they would be, people are held up */
#define FASTEST_M_S 1.55
#define PATIENCE_S 1.5

static double path_length(const gb_mobile_person *person)
{
    return (person->path_count - 1) * GB_MOBILE_PATH_STEP_M;
}

/* A point of the path and the direction there, as the person walks. */
static void
path_at(const gb_mobile_person *person, double along, double point[2], double direction[2])
{
    double at = fmin(fmax(along, 0.0), path_length(person)) / GB_MOBILE_PATH_STEP_M;
    int i = (int)at;
    if (i > person->path_count - 2)
        i = person->path_count - 2;
    const double *from = person->path[i], *to = person->path[i + 1];
    double dx = to[0] - from[0], dy = to[1] - from[1];
    double length = fmax(sqrt(dx * dx + dy * dy), 1e-9);
    point[0] = from[0] + (at - i) * dx;
    point[1] = from[1] + (at - i) * dy;
    direction[0] = person->direction * dx / length;
    direction[1] = person->direction * dy / length;
}

void gb_mobile_person_place(gb_mobile_person *person)
{
    double point[2], direction[2];
    path_at(person, person->along_m, point, direction);
    person->x = point[0] - person->aside_m * direction[1];
    person->y = point[1] + person->aside_m * direction[0];
    person->heading_rad = atan2(direction[1], direction[0]);
    person->vx = person->vy = 0.0;
}

/* How far aside the person wants to be: away from a robot that is close before them. */
static double wanted_aside(const gb_mobile_person *person, double robot_x, double robot_y)
{
    double c = cos(person->heading_rad), s = sin(person->heading_rad);
    double dx = robot_x - person->x, dy = robot_y - person->y;
    double ahead = c * dx + s * dy, across = c * dy - s * dx + person->aside_m;
    if (ahead < -0.3 || ahead > LOOK_AHEAD_M || fabs(across) > STEP_ASIDE_M)
        return 0.0;
    return across > 0.0 ? across - STEP_ASIDE_M : across + STEP_ASIDE_M;
}

/* Takes a step: round the robot as if it were a post, and not into a rack. */
static bool step(
    gb_mobile_person *person, const gb_mobile_map *map, const double robot[2], double dx, double dy)
{
    double x = person->x + dx, y = person->y + dy;
    double rx = x - robot[0], ry = y - robot[1], distance = hypot(rx, ry);
    if (distance < TOUCH_M && distance > 1e-9 &&
        distance < hypot(person->x - robot[0], person->y - robot[1])) {
        x = robot[0] + rx * TOUCH_M / distance;
        y = robot[1] + ry * TOUCH_M / distance;
    }
    double clear = gb_mobile_clearance(map, x, y);
    if (clear < GB_MOBILE_PERSON_RADIUS_M && clear < gb_mobile_clearance(map, person->x, person->y))
        return false;
    person->x = x;
    person->y = y;
    return true;
}

void gb_mobile_person_walk(gb_mobile_person *person,
                           const gb_mobile_map *map,
                           double robot_x,
                           double robot_y,
                           double seconds)
{
    const double robot[2] = {robot_x, robot_y};
    double point[2], direction[2], old_x = person->x, old_y = person->y;
    double limit = STEP_ASIDE_M_S * seconds;
    double aside = wanted_aside(person, robot_x, robot_y) - person->aside_m;
    person->aside_m += fmin(fmax(aside, -limit), limit);
    path_at(person, person->along_m, point, direction);
    bool behind = hypot(point[0] - old_x, point[1] - old_y) > BEHIND_M;
    if (!behind)
        person->along_m += person->direction * person->speed_m_s * seconds;
    path_at(person, person->along_m, point, direction);
    person->heading_rad = atan2(direction[1], direction[0]);
    double dx = point[0] - person->aside_m * direction[1] - old_x;
    double dy = point[1] + person->aside_m * direction[0] - old_y;
    double left = hypot(dx, dy), most = fmin(person->speed_m_s + 0.3, FASTEST_M_S) * seconds;
    double part = left > most ? most / left : 1.0;
    dx *= part;
    dy *= part;
    double along = dx * direction[0] + dy * direction[1];
    if (!step(person, map, robot, dx, dy)) /* a rack: at least the part along the path */
        (void)step(person, map, robot, along * direction[0], along * direction[1]);
    person->waited_s = behind ? person->waited_s + seconds : 0.0;
    bool at_end =
        person->direction > 0 ? person->along_m >= path_length(person) : person->along_m <= 0.0;
    if (at_end || person->waited_s > PATIENCE_S) {
        person->direction = -person->direction;
        person->aside_m = -person->aside_m; /* the left has become the right */
        person->waited_s = 0.0;
    }
    person->vx = (person->x - old_x) / seconds;
    person->vy = (person->y - old_y) / seconds;
}
