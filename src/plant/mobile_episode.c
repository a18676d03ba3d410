/* plant/mobile_episode.c: draws an episode from its seed: layout, goal, start, people, and what the
 * machine is like today. Nothing moves here. */
#include "plant/mobile.h"

#include <math.h>
#include <string.h>

#define PLACE_CLEARANCE_M 0.6
#define ROUTE_LEAST_M 6.0
#define PERSON_FROM_START_M 2.5
#define PI 3.14159265358979323846

typedef struct source {
    uint64_t seed, stream, next;
} source;

static double draw(source *from, double low, double high)
{
    double part = (double)gb_random_uniform(from->seed, from->stream, from->next++);
    return low + part * (high - low);
}

/* A point of the floor with room around it. Every layout is mostly floor, so a few draws do; the
 * corner of the floor is free in all of them. */
static void draw_place(const gb_mobile_map *map, source *from, double out[2])
{
    for (int i = 0; i < 64; i++) {
        out[0] = draw(from, -GB_MOBILE_HALF_X_M, GB_MOBILE_HALF_X_M);
        out[1] = draw(from, -GB_MOBILE_HALF_Y_M, GB_MOBILE_HALF_Y_M);
        if (gb_mobile_clearance(map, out[0], out[1]) >= PLACE_CLEARANCE_M)
            return;
    }
    out[0] = GB_MOBILE_HALF_X_M - 0.7;
    out[1] = GB_MOBILE_HALF_Y_M - 0.7;
}

static void draw_traits(uint64_t seed, gb_mobile_traits *out)
{
    source from = {seed, GB_MOBILE_DRAW_TRAITS, 0};
    out->mass_kg = draw(&from, 22.0, 45.0);
    out->friction = draw(&from, 0.35, 0.8);
    out->drag = draw(&from, 2.0, 12.0);
    out->wheel_scale[0] = draw(&from, 0.985, 1.015);
    out->wheel_scale[1] = draw(&from, 0.985, 1.015);
    out->delay_ticks = (int)draw(&from, 0.0, 2.999);
    out->range_noise_m = draw(&from, 0.005, 0.02);
    out->position_noise_m = draw(&from, 0.005, 0.02);
    out->heading_noise_rad = draw(&from, 0.002, 0.01);
    out->wheel_noise_rad_s = draw(&from, 0.02, 0.1);
    out->dropout = draw(&from, 0.0, 0.02);
}

void gb_mobile_traits_nominal(gb_mobile_traits *out)
{
    *out = (gb_mobile_traits){
        .mass_kg = 30.0, .friction = 0.6, .drag = 6.0, .wheel_scale = {1.0, 1.0}, .delay_ticks = 1};
}

/* Adds a walk from `from` down the field to the path; returns the new count. */
static int
trace(const gb_mobile_field *field, const double from[2], double (*path)[2], int count, int most)
{
    double x = from[0], y = from[1];
    while (count < most) {
        path[count][0] = x;
        path[count++][1] = y;
        if (hypot(field->goal_x - x, field->goal_y - y) < GB_MOBILE_PATH_STEP_M)
            break;
        gb_mobile_field_descend(field, GB_MOBILE_PATH_STEP_M, &x, &y);
    }
    return count;
}

/* From one place over a point of the robot's route to another: so people cross its way. */
static void draw_path(gb_mobile *machine, source *from, gb_mobile_person *person)
{
    double via[2] = {machine->x, machine->y}, a[2], b[2] = {0.0, 0.0}, other[2];
    double length = fmax(machine->start_cost, ROUTE_LEAST_M);
    gb_mobile_field_descend(&machine->route, draw(from, 0.2, 0.8) * length, &via[0], &via[1]);
    draw_place(&machine->map, from, a);
    double apart = -1.0;
    for (int i = 0; i < 3; i++) {
        draw_place(&machine->map, from, other);
        if (hypot(other[0] - a[0], other[1] - a[1]) > apart) {
            apart = hypot(other[0] - a[0], other[1] - a[1]);
            memcpy(b, other, sizeof b);
        }
    }
    gb_mobile_field_solve(&machine->grid, via[0], via[1], &machine->plan);
    int half = trace(&machine->plan, a, person->path, 0, GB_MOBILE_PATH_MAX / 2);
    double back[GB_MOBILE_PATH_MAX / 2][2];
    int count = trace(&machine->plan, b, back, 0, GB_MOBILE_PATH_MAX / 2);
    for (int i = count - 1; i >= 0; i--)
        memcpy(person->path[half++], back[i], sizeof back[i]);
    person->path_count = half;
}

static void draw_person(gb_mobile *machine, source *from, gb_mobile_person *person)
{
    memset(person, 0, sizeof *person);
    draw_path(machine, from, person);
    person->speed_m_s = draw(from, 0.6, 1.4);
    person->direction = draw(from, 0.0, 1.0) < 0.5 ? 1 : -1;
    for (int i = 0; i < 16; i++) {
        person->along_m = draw(from, 0.0, (person->path_count - 1) * GB_MOBILE_PATH_STEP_M);
        gb_mobile_person_place(person);
        if (hypot(person->x - machine->x, person->y - machine->y) > PERSON_FROM_START_M)
            return;
    }
}

gb_status gb_mobile_draw_episode(gb_mobile *machine)
{
    source from = {machine->seed, GB_MOBILE_DRAW_LAYOUT, 0};
    double layout[GB_MOBILE_LAYOUT_SIZE];
    for (int i = 0; i < GB_MOBILE_LAYOUT_SIZE; i++)
        layout[i] = draw(&from, gb_mobile_layout_low[i], gb_mobile_layout_high[i]);
    layout[0] = fmin(floor(draw(&from, 0.0, GB_MOBILE_LAYOUTS)), GB_MOBILE_LAYOUTS - 1);
    gb_mobile_map_build(layout, &machine->map);
    gb_mobile_grid_build(&machine->map, &machine->grid);
    draw_traits(machine->seed, &machine->traits);

    source places = {machine->seed, GB_MOBILE_DRAW_PLACES, 0};
    double start[2] = {0.0, 0.0};
    draw_place(&machine->map, &places, machine->goal);
    gb_mobile_field_solve(&machine->grid, machine->goal[0], machine->goal[1], &machine->route);
    for (int i = 0; i < 32; i++) {
        draw_place(&machine->map, &places, start);
        machine->start_cost = gb_mobile_field_cost(&machine->route, start[0], start[1]);
        if (hypot(start[0] - machine->goal[0], start[1] - machine->goal[1]) >= ROUTE_LEAST_M)
            break;
    }
    if (machine->start_cost >= (double)GB_MOBILE_BLOCKED)
        return gb_fail(GB_ERR_NUMERIC,
                       "plant mobile: no way from the start to the goal of seed %llu",
                       (unsigned long long)machine->seed);
    machine->x = start[0];
    machine->y = start[1];
    machine->heading_rad = draw(&places, -PI, PI);

    source people = {machine->seed, GB_MOBILE_DRAW_PEOPLE, 0};
    machine->person_count = 1 + (int)draw(&people, 0.0, GB_MOBILE_PEOPLE_MAX - 0.001);
    for (int i = 0; i < machine->person_count; i++)
        draw_person(machine, &people, &machine->people[i]);
    return GB_OK;
}
