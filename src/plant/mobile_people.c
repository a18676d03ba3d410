/* plant/mobile_people.c: how people walk through the warehouse. They are no model of a crowd: each
 * follows a path of their own, and pays no heed to a robot that moves. */
#include "plant/mobile.h"

#include <math.h>

#define LOOK_AHEAD_M 1.3
#define STEP_ASIDE_M 0.6
#define STEP_ASIDE_M_S 0.8
#define TOUCH_M 0.03 /* nobody walks closer than this into what stands there */
#define PATIENCE_S 1.5
#define SHOULDER_M 0.3 /* from a rack */

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

static bool free_at(const gb_mobile_map *map,
                    const gb_mobile_person *to,
                    const gb_mobile_person *from,
                    double robot_x,
                    double robot_y)
{
    double clear = gb_mobile_clearance(map, to->x, to->y);
    if (clear < SHOULDER_M && clear < gb_mobile_clearance(map, from->x, from->y))
        return false;
    double distance = hypot(to->x - robot_x, to->y - robot_y);
    double touching = GB_MOBILE_ROBOT_RADIUS_M + GB_MOBILE_PERSON_RADIUS_M + TOUCH_M;
    return distance >= touching || distance > hypot(from->x - robot_x, from->y - robot_y);
}

/* Tries to go `forward` along the path and `aside` across it; false changes nothing. */
static bool try_move(gb_mobile_person *person,
                     const gb_mobile_map *map,
                     const double robot[2],
                     double forward,
                     double aside)
{
    gb_mobile_person next = *person;
    next.along_m += next.direction * forward;
    next.aside_m += aside;
    gb_mobile_person_place(&next);
    if (!free_at(map, &next, person, robot[0], robot[1]))
        return false;
    person->along_m = next.along_m;
    person->aside_m = next.aside_m;
    person->x = next.x;
    person->y = next.y;
    person->heading_rad = next.heading_rad;
    return true;
}

static void turn_back(gb_mobile_person *person)
{
    person->direction = -person->direction;
    person->aside_m = -person->aside_m; /* the left has become the right */
    person->heading_rad += 3.14159265358979323846;
    person->waited_s = 0.0;
}

void gb_mobile_person_walk(gb_mobile_person *person,
                           const gb_mobile_map *map,
                           double robot_x,
                           double robot_y,
                           double seconds)
{
    const double robot[2] = {robot_x, robot_y};
    double old_x = person->x, old_y = person->y;
    double forward = person->speed_m_s * seconds, limit = STEP_ASIDE_M_S * seconds;
    double aside = wanted_aside(person, robot_x, robot_y) - person->aside_m;
    aside = fmin(fmax(aside, -limit), limit);
    bool moved = try_move(person, map, robot, forward, aside) ||
                 try_move(person, map, robot, forward, 0.0) ||
                 try_move(person, map, robot, 0.0, aside);
    double progress = hypot(person->x - old_x, person->y - old_y);
    person->waited_s = moved && progress > 0.5 * forward ? 0.0 : person->waited_s + seconds;
    bool at_end =
        person->direction > 0 ? person->along_m >= path_length(person) : person->along_m <= 0.0;
    if (at_end || person->waited_s > PATIENCE_S)
        turn_back(person);
    person->vx = (person->x - old_x) / seconds;
    person->vy = (person->y - old_y) / seconds;
}
