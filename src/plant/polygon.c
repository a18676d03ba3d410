/* plant/polygon.c: convex polygon clipping (Sutherland and Hodgman 1974, "Reentrant polygon
 * clipping"), by which coverage scores are computed. Not for concave shapes: cut them first. */
#include "plant/polygon.h"

#include <assert.h>
#include <math.h>

double gb_polygon_area(const gb_polygon *polygon)
{
    double twice = 0.0;
    for (int i = 0; i < polygon->count; i++) {
        const double *p = polygon->points[i];
        const double *q = polygon->points[i + 1 < polygon->count ? i + 1 : 0];
        twice += p[0] * q[1] - q[0] * p[1];
    }
    return 0.5 * twice;
}

/* Positive on the inner side of the edge from a to b; inner is left when turn is +1. */
static double side(const double *a, const double *b, const double *p, double turn)
{
    return turn * ((b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]));
}

static void append(gb_polygon *polygon, double x, double y)
{
    if (polygon->count == GB_POLYGON_POINTS)
        return; /* only slivers bent by round-off come here: their area is nothing */
    polygon->points[polygon->count][0] = x;
    polygon->points[polygon->count][1] = y;
    polygon->count++;
}

/* Keeps the part of `in` on the inner side of the line through a and b. */
static void
clip(const gb_polygon *in, const double *a, const double *b, double turn, gb_polygon *out)
{
    out->count = 0;
    for (int i = 0; i < in->count; i++) {
        const double *p = in->points[i];
        const double *q = in->points[i + 1 < in->count ? i + 1 : 0];
        double from = side(a, b, p, turn);
        double to = side(a, b, q, turn);
        if (from >= 0.0)
            append(out, p[0], p[1]);
        if ((from > 0.0 && to < 0.0) || (from < 0.0 && to > 0.0)) {
            double t = from / (from - to);
            append(out, p[0] + t * (q[0] - p[0]), p[1] + t * (q[1] - p[1]));
        }
    }
}

double gb_polygon_shared_area(const gb_polygon *a, const gb_polygon *b)
{
    assert(a->count + b->count <= GB_POLYGON_POINTS);
    gb_polygon work[2] = {*a, {0}};
    int now = 0;
    double turn = gb_polygon_area(b) < 0.0 ? -1.0 : 1.0;
    for (int i = 0; i < b->count && work[now].count > 0; i++) {
        int next = i + 1 < b->count ? i + 1 : 0;
        clip(&work[now], b->points[i], b->points[next], turn, &work[1 - now]);
        now = 1 - now;
    }
    return fabs(gb_polygon_area(&work[now]));
}
