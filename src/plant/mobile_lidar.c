/* plant/mobile_lidar.c: what the LiDAR sees: exact rays in the plane against racks, walls and
 * people, and what drivers make of a scan. mj_ray answers the same (a test compares them) and takes
 * some hundred times as long, because it asks every geom of the scene for every ray. No noise here.
 */
#include "plant/mobile.h"

#include <math.h>

#define DEGREE 0.01745329251994329577
#define TWO_PI 6.28318530717958647693
/* Of numbers, without the care for NaN that makes fmin a call. */
static inline double lesser(double a, double b)
{
    return a < b ? a : b;
}

static inline double greater(double a, double b)
{
    return a > b ? a : b;
}

/* To where a ray leaves the floor. Inside, the larger bound of each axis is the exit. */
static double cast_walls(double x, double y, double inverse_x, double inverse_y)
{
    double to_x =
        greater((-GB_MOBILE_HALF_X_M - x) * inverse_x, (GB_MOBILE_HALF_X_M - x) * inverse_x);
    double to_y =
        greater((-GB_MOBILE_HALF_Y_M - y) * inverse_y, (GB_MOBILE_HALF_Y_M - y) * inverse_y);
    return lesser(to_x, to_y);
}

/* The slab method; infinity when the ray misses. */
static double
cast_rack(const gb_mobile_rack *rack, double x, double y, double inverse_x, double inverse_y)
{
    double ax = (rack->x - rack->half_x - x) * inverse_x;
    double bx = (rack->x + rack->half_x - x) * inverse_x;
    double ay = (rack->y - rack->half_y - y) * inverse_y;
    double by = (rack->y + rack->half_y - y) * inverse_y;
    double enter = greater(lesser(ax, bx), lesser(ay, by)),
           leave = lesser(greater(ax, bx), greater(ay, by));
    return enter <= leave && enter > 0.0 ? enter : INFINITY;
}

/* No direction is exactly along an axis: 1 / 0 times 0 would be no number. */
static double inverse(double value)
{
    return 1.0 / (fabs(value) < 1e-12 ? copysign(1e-12, value) : value);
}

static void
cast_circle(const gb_mobile_circle *circle, double x, double y, double heading_rad, double *ranges)
{
    double dx = circle->x - x, dy = circle->y - y;
    double squared = dx * dx + dy * dy - circle->radius * circle->radius;
    if (squared <= 0.0) { /* the sensor is inside */
        for (int i = 0; i < GB_MOBILE_BEAMS; i++)
            ranges[i] = 0.0;
        return;
    }
    double distance = sqrt(dx * dx + dy * dy);
    double half = asin(circle->radius / distance);
    double bearing = atan2(dy, dx) - heading_rad;
    int first = (int)ceil((bearing - half) / DEGREE), last = (int)floor((bearing + half) / DEGREE);
    for (int k = first; k <= last; k++) {
        double angle = k * DEGREE - bearing;
        double along = distance * cos(angle), across = distance * sin(angle);
        double depth = circle->radius * circle->radius - across * across;
        int beam = ((k % GB_MOBILE_BEAMS) + GB_MOBILE_BEAMS) % GB_MOBILE_BEAMS;
        if (depth >= 0.0)
            ranges[beam] = fmin(ranges[beam], along - sqrt(depth));
    }
}

void gb_mobile_cast(const gb_mobile_map *map,
                    const gb_mobile_circle *circles,
                    int circle_count,
                    double x,
                    double y,
                    double heading_rad,
                    double *ranges)
{
    for (int i = 0; i < GB_MOBILE_BEAMS; i++) {
        double angle = heading_rad + i * DEGREE;
        double inverse_x = inverse(cos(angle)), inverse_y = inverse(sin(angle));
        double range = lesser(GB_MOBILE_RANGE_M, cast_walls(x, y, inverse_x, inverse_y));
        for (int k = 0; k < map->rack_count; k++)
            range = lesser(range, cast_rack(&map->racks[k], x, y, inverse_x, inverse_y));
        ranges[i] = greater(range, 0.0);
    }
    for (int k = 0; k < circle_count; k++)
        cast_circle(&circles[k], x, y, heading_rad, ranges);
}

bool gb_mobile_visible(const gb_mobile_map *map, double ax, double ay, double bx, double by)
{
    double inverse_x = inverse(bx - ax), inverse_y = inverse(by - ay);
    for (int k = 0; k < map->rack_count; k++)
        if (cast_rack(&map->racks[k], ax, ay, inverse_x, inverse_y) < 1.0)
            return false;
    return true;
}

void gb_mobile_read_scan(const gb_mobile_map *map,
                         const double *ranges,
                         const double pose[3],
                         double *sectors,
                         double *people,
                         double *gap)
{
    *gap = GB_MOBILE_RANGE_M;
    for (int i = 0; i < GB_MOBILE_SECTORS; i++) {
        sectors[i] = 1.0 / GB_MOBILE_RANGE_M;
        people[i] = 0.0;
    }
    for (int i = 0; i < GB_MOBILE_BEAMS; i++) {
        int sector = (i + 5) / 10 % GB_MOBILE_SECTORS;
        double range = fmax(ranges[i], 0.05);
        sectors[sector] = fmax(sectors[sector], 1.0 / range);
        if (range >= GB_MOBILE_RANGE_M - 0.1)
            continue;
        double angle = pose[2] + i * DEGREE;
        double x = pose[0] + range * cos(angle), y = pose[1] + range * sin(angle);
        if (gb_mobile_clearance(map, x, y) < GB_MOBILE_EXPLAINED_M)
            continue;
        people[sector] = fmax(people[sector], 1.0 / range);
        *gap = fmin(*gap, range - GB_MOBILE_ROBOT_RADIUS_M);
    }
}
