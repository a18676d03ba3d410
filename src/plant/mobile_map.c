/* plant/mobile_map.c: the warehouse's racks and the way through it: the cost to reach a goal from
 * every place, by fast marching, so that a route exists wherever the robot has drifted to. It knows
 * nothing of people or physics. */
#include "plant/mobile.h"

#include <math.h>
#include <string.h>

#define RACK_LENGTH_M 2.0
#define RACK_DEPTH_M 0.8
#define SETTLED (-2) /* a cell's place behind the heap */
#define BEYOND 3.0f  /* cost up to which a field is exact around the place it was asked for */

/* ---- layouts ----------------------------------------------------------------------------------
 */

const double gb_mobile_layout_low[GB_MOBILE_LAYOUT_SIZE] = {0, 2.4, 2.0, -0.4};
const double gb_mobile_layout_high[GB_MOBILE_LAYOUT_SIZE] = {GB_MOBILE_LAYOUTS - 1, 2.6, 2.6, 0.4};

static void add_rack(gb_mobile_map *map, double x, double y, bool upright)
{
    if (map->rack_count >= GB_MOBILE_RACKS_MAX)
        return;
    double half_x = RACK_LENGTH_M / 2, half_y = RACK_DEPTH_M / 2;
    map->racks[map->rack_count++] =
        upright ? (gb_mobile_rack){x, y, half_y, half_x} : (gb_mobile_rack){x, y, half_x, half_y};
}

/* `count` racks end to end along x, their middle at (x, y). */
static void add_row(gb_mobile_map *map, double x, double y, int count)
{
    for (int i = 0; i < count; i++)
        add_rack(map, x + RACK_LENGTH_M * (i - 0.5 * (count - 1)), y, false);
}

static void add_columns(gb_mobile_map *map, double pitch, double shift)
{
    for (int i = 0; i < 4; i++) {
        double x = shift + (i - 1.5) * (pitch + 0.4);
        add_rack(map, x, RACK_LENGTH_M / 2, true);
        add_rack(map, x, -RACK_LENGTH_M / 2, true);
    }
}

static void add_rows(gb_mobile_map *map, int arrangement, double pitch, double gap, double shift)
{
    for (int row = -1; row <= 1; row++) {
        double y = row * pitch;
        switch (arrangement) {
        case 0: /* two blocks of two, one passage in the middle */
            add_row(map, shift - gap / 2 - RACK_LENGTH_M, y, 2);
            add_row(map, shift + gap / 2 + RACK_LENGTH_M, y, 2);
            break;
        case 1: /* single racks, two passages */
            add_row(map, shift - gap - RACK_LENGTH_M, y, 1);
            add_row(map, shift, y, 1);
            add_row(map, shift + gap + RACK_LENGTH_M, y, 1);
            break;
        case 2: /* one block of three, each row moved the other way */
            add_row(map, shift + (row == 0 ? -1.0 : 1.0) * 1.6, y, 3);
            break;
        default: /* a long and a short block */
            add_row(map, shift - gap / 2 - 0.8, y, row == 0 ? 1 : 2);
            add_row(map, shift + gap / 2 + 2.2, y, row == 0 ? 2 : 1);
            break;
        }
    }
}

void gb_mobile_map_build(const double *layout, gb_mobile_map *out)
{
    out->rack_count = 0;
    for (int i = 0; i < GB_MOBILE_LAYOUT_SIZE; i++)
        out->layout[i] = fmin(fmax(layout[i], gb_mobile_layout_low[i]), gb_mobile_layout_high[i]);
    int arrangement = (int)lround(out->layout[0]);
    if (arrangement == 4)
        add_columns(out, out->layout[1], out->layout[3]);
    else
        add_rows(out, arrangement, out->layout[1], out->layout[2], out->layout[3]);
}

static double rack_distance(const gb_mobile_rack *rack, double x, double y)
{
    double dx = fabs(x - rack->x) - rack->half_x, dy = fabs(y - rack->y) - rack->half_y;
    if (dx <= 0.0 || dy <= 0.0)
        return fmax(dx, dy);
    return sqrt(dx * dx + dy * dy);
}

double gb_mobile_clearance(const gb_mobile_map *map, double x, double y)
{
    double nearest = fmin(GB_MOBILE_HALF_X_M - fabs(x), GB_MOBILE_HALF_Y_M - fabs(y));
    for (int i = 0; i < map->rack_count; i++)
        nearest = fmin(nearest, rack_distance(&map->racks[i], x, y));
    return nearest;
}

/* ---- fast marching ----------------------------------------------------------------------------
 */

/* Cell centres: cell (0, 0) is in the lower left corner of the floor. */
static double cell_x(int i)
{
    return -GB_MOBILE_HALF_X_M + (i + 0.5) * GB_MOBILE_CELL_M;
}

static double cell_y(int j)
{
    return -GB_MOBILE_HALF_Y_M + (j + 0.5) * GB_MOBILE_CELL_M;
}

static int clamp_int(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

/* The cell that holds a point; finite points outside belong to the border. */
static int cell_of(double x, double y)
{
    double i = floor((x + GB_MOBILE_HALF_X_M) / GB_MOBILE_CELL_M);
    double j = floor((y + GB_MOBILE_HALF_Y_M) / GB_MOBILE_CELL_M);
    i = fmin(fmax(i, 0.0), GB_MOBILE_CELLS_X - 1);
    j = fmin(fmax(j, 0.0), GB_MOBILE_CELLS_Y - 1);
    return (int)j * GB_MOBILE_CELLS_X + (int)i;
}

/* Full speed where 0.7 m are clear, a tenth of it where the hull just passes. */
void gb_mobile_grid_build(const gb_mobile_map *map, gb_mobile_grid *out)
{
    for (int j = 0; j < GB_MOBILE_CELLS_Y; j++) {
        for (int i = 0; i < GB_MOBILE_CELLS_X; i++) {
            double clear = gb_mobile_clearance(map, cell_x(i), cell_y(j));
            double speed = fmin(fmax((clear - 0.25) / 0.45, 0.1), 1.0);
            out->slowness[j * GB_MOBILE_CELLS_X + i] =
                clear < GB_MOBILE_ROBOT_RADIUS_M ? GB_MOBILE_BLOCKED : (float)(1.0 / speed);
        }
    }
}

static void put(gb_mobile_field *field, int at, gb_mobile_front front)
{
    field->heap[at] = front;
    field->place[front.cell] = at;
}

static void sift_up(gb_mobile_field *field, int at, gb_mobile_front front)
{
    for (; at > 0 && field->heap[(at - 1) / 2].cost > front.cost; at = (at - 1) / 2)
        put(field, at, field->heap[(at - 1) / 2]);
    put(field, at, front);
}

static int pop(gb_mobile_field *field)
{
    gb_mobile_front *heap = field->heap, front = heap[--field->heap_count];
    int top = heap[0].cell, count = field->heap_count, at = 0;
    for (int child; (child = 2 * at + 1) < count; at = child) {
        child += child + 1 < count && heap[child + 1].cost < heap[child].cost;
        if (heap[child].cost >= front.cost)
            break;
        put(field, at, heap[child]);
    }
    if (count > 0)
        put(field, at, front);
    field->place[top] = SETTLED;
    return top;
}

/* The smaller of the two neighbours along one axis. */
static double
upwind(const gb_mobile_field *field, int cell, int stride, bool has_low, bool has_high)
{
    float best = GB_MOBILE_BLOCKED;
    if (has_low && field->cost[cell - stride] < best)
        best = field->cost[cell - stride];
    if (has_high && field->cost[cell + stride] < best)
        best = field->cost[cell + stride];
    return (double)best;
}

/* |grad cost| = slowness, first order upwind. */
static void relax(const gb_mobile_grid *grid, gb_mobile_field *field, int i, int j)
{
    if (i < 0 || j < 0 || i >= GB_MOBILE_CELLS_X || j >= GB_MOBILE_CELLS_Y)
        return;
    int cell = j * GB_MOBILE_CELLS_X + i;
    if (field->place[cell] == SETTLED || grid->slowness[cell] >= GB_MOBILE_BLOCKED)
        return;
    double a = upwind(field, cell, 1, i > 0, i + 1 < GB_MOBILE_CELLS_X);
    double b = upwind(field, cell, GB_MOBILE_CELLS_X, j > 0, j + 1 < GB_MOBILE_CELLS_Y);
    double step = (double)grid->slowness[cell] * GB_MOBILE_CELL_M;
    double cost = (a < b ? a : b) + step;
    if (fabs(a - b) < step)
        cost = 0.5 * (a + b + sqrt(2.0 * step * step - (a - b) * (a - b)));
    if ((float)cost >= field->cost[cell])
        return;
    field->cost[cell] = (float)cost;
    sift_up(field, field->place[cell] < 0 ? field->heap_count++ : field->place[cell],
            (gb_mobile_front){(float)cost, cell});
}

static void relax_around(const gb_mobile_grid *grid, gb_mobile_field *field, int cell)
{
    int i = cell % GB_MOBILE_CELLS_X, j = cell / GB_MOBILE_CELLS_X;
    relax(grid, field, i - 1, j);
    relax(grid, field, i + 1, j);
    relax(grid, field, i, j - 1);
    relax(grid, field, i, j + 1);
}

/* Settles cell after cell, cheapest first, until all are or the costs are BEYOND those of `until`.
 */
static void march(const gb_mobile_grid *grid, int until, gb_mobile_field *field)
{
    float limit = GB_MOBILE_BLOCKED;
    if (until >= 0 && field->place[until] == SETTLED)
        limit = field->cost[until] + BEYOND;
    while (field->heap_count > 0) {
        int cell = pop(field);
        if (field->cost[cell] > limit)
            break;
        if (cell == until)
            limit = field->cost[cell] + BEYOND;
        relax_around(grid, field, cell);
    }
}

void gb_mobile_field_solve(const gb_mobile_grid *grid, double x, double y, gb_mobile_field *out)
{
    for (int i = 0; i < GB_MOBILE_CELLS; i++) {
        out->cost[i] = GB_MOBILE_BLOCKED;
        out->place[i] = -1;
    }
    out->goal_x = x;
    out->goal_y = y;
    out->heap_count = 0;
    int goal = cell_of(x, y);
    out->cost[goal] = 0.0f;
    put(out, out->heap_count++, (gb_mobile_front){0.0f, goal});
    march(grid, -1, out);
}

void gb_mobile_field_solve_again(const gb_mobile_field *known,
                                 float kept_below,
                                 const gb_mobile_grid *grid,
                                 double until_x,
                                 double until_y,
                                 gb_mobile_field *out)
{
    for (int i = 0; i < GB_MOBILE_CELLS; i++) {
        bool kept = known->cost[i] < kept_below;
        out->cost[i] = kept ? known->cost[i] : GB_MOBILE_BLOCKED;
        out->place[i] = kept ? SETTLED : -1;
    }
    out->goal_x = known->goal_x;
    out->goal_y = known->goal_y;
    out->heap_count = 0;
    int goal = cell_of(out->goal_x, out->goal_y);
    if (out->place[goal] != SETTLED) {
        out->cost[goal] = 0.0f;
        put(out, out->heap_count++, (gb_mobile_front){0.0f, goal});
    }
    for (int i = 0; i < GB_MOBILE_CELLS; i++)
        if (known->cost[i] < kept_below)
            relax_around(grid, out, i);
    march(grid, cell_of(until_x, until_y), out);
}

/* ---- reading a field --------------------------------------------------------------------------
 */

/* Bilinear between cell centres. A blocked corner counts as a little dearer than the dearest of the
 * others, so that walls repel and do not swallow the value. */
double gb_mobile_field_cost(const gb_mobile_field *field, double x, double y)
{
    double u = fmin(fmax((x + GB_MOBILE_HALF_X_M) / GB_MOBILE_CELL_M - 0.5, 0.0),
                    GB_MOBILE_CELLS_X - 1.001);
    double v = fmin(fmax((y + GB_MOBILE_HALF_Y_M) / GB_MOBILE_CELL_M - 0.5, 0.0),
                    GB_MOBILE_CELLS_Y - 1.001);
    int i = clamp_int((int)u, 0, GB_MOBILE_CELLS_X - 2);
    int j = clamp_int((int)v, 0, GB_MOBILE_CELLS_Y - 2);
    const float *low = field->cost + j * GB_MOBILE_CELLS_X + i, *high = low + GB_MOBILE_CELLS_X;
    double corners[4] = {(double)low[0], (double)low[1], (double)high[0], (double)high[1]};
    double dearest = -1.0;
    for (int k = 0; k < 4; k++)
        if (corners[k] < (double)GB_MOBILE_BLOCKED)
            dearest = fmax(dearest, corners[k]);
    if (dearest < 0.0)
        return (double)GB_MOBILE_BLOCKED;
    for (int k = 0; k < 4; k++)
        if (corners[k] >= (double)GB_MOBILE_BLOCKED)
            corners[k] = dearest + 1.0;
    double fu = u - i, fv = v - j;
    return (1 - fv) * ((1 - fu) * corners[0] + fu * corners[1]) +
           fv * ((1 - fu) * corners[2] + fu * corners[3]);
}

/* One step down: along the gradient, or to the best of 16 directions where it leads nowhere. */
static void step_down(const gb_mobile_field *field, double length, double *x, double *y)
{
    const double h = 0.5 * GB_MOBILE_CELL_M;
    double here = gb_mobile_field_cost(field, *x, *y);
    double gx = gb_mobile_field_cost(field, *x + h, *y) - gb_mobile_field_cost(field, *x - h, *y);
    double gy = gb_mobile_field_cost(field, *x, *y + h) - gb_mobile_field_cost(field, *x, *y - h);
    double norm = sqrt(gx * gx + gy * gy);
    if (norm > 1e-9) {
        double nx = *x - length * gx / norm, ny = *y - length * gy / norm;
        if (gb_mobile_field_cost(field, nx, ny) < here - 0.2 * length) {
            *x = nx;
            *y = ny;
            return;
        }
    }
    double best_x = *x, best_y = *y, best = here;
    for (int k = 0; k < 16; k++) {
        double angle = k * 0.39269908169872415481;
        double nx = *x + length * cos(angle), ny = *y + length * sin(angle);
        double cost = gb_mobile_field_cost(field, nx, ny);
        if (cost < best) {
            best = cost;
            best_x = nx;
            best_y = ny;
        }
    }
    *x = best_x;
    *y = best_y;
}

void gb_mobile_field_descend(const gb_mobile_field *field, double length_m, double *x, double *y)
{
    const double step = GB_MOBILE_CELL_M;
    while (length_m > 1e-9) {
        double dx = field->goal_x - *x, dy = field->goal_y - *y;
        double left = sqrt(dx * dx + dy * dy);
        double length = fmin(step, length_m);
        if (left <= length + step) { /* the field is coarse there: straight on */
            double part = left > 0.0 ? fmin(length_m / left, 1.0) : 1.0;
            *x += part * dx;
            *y += part * dy;
            return;
        }
        step_down(field, length, x, y);
        length_m -= length;
    }
}
