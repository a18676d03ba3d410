/* plant/polygon.h: areas of convex polygons in the plane and of what two of them share. */
#ifndef GENBA_PLANT_POLYGON_H
#define GENBA_PLANT_POLYGON_H

#define GB_POLYGON_POINTS 16

typedef struct gb_polygon {
    int count;
    double points[GB_POLYGON_POINTS][2];
} gb_polygon;

/* Signed: positive when the points run counter-clockwise in axes where y grows upwards. */
double gb_polygon_area(const gb_polygon *polygon);
/* The area that two convex polygons share, whichever way round their points run. Together they may
 * have at most GB_POLYGON_POINTS points. */
double gb_polygon_shared_area(const gb_polygon *a, const gb_polygon *b);

#endif
