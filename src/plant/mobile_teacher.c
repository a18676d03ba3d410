/* plant/mobile_teacher.c: a planner that drives the mobile robot well, to be recorded and learned
 * from. It knows where visible people are and how they walk; it plans the whole way anew each
 * period around where they will be, and is never faster than the gap to the nearest allows. */
#include "plant/mobile.h"

#include <math.h>
#include <string.h>

#define PERIOD_S 0.1
#define SPEED_M_S 0.9
#define ACCELERATE_M_S2 1.0
#define BRAKE_M_S2 GB_MOBILE_BRAKE_M_S2
#define TURN_RAD_S 2.0
#define TURN_RAD_S2 8.0
#define AIM_M 0.6
#define HEEDED_M 2.5 /* people farther off change nothing yet */
#define GAP_RESERVE_M 0.15
#define SHUNNED_M 1.2   /* around where a person will be */
#define SHUN 4.0        /* what a metre costs more there */
#define PATIENCE_S 20.0 /* from then on detours cost ever more: no going to and fro for ever */
#define PREDICTED_S 1.5

static bool sees(const gb_mobile *machine, const gb_mobile_person *person)
{
    double distance = hypot(person->x - machine->x, person->y - machine->y);
    return distance < GB_MOBILE_RANGE_M &&
           gb_mobile_visible(&machine->map, machine->x, machine->y, person->x, person->y);
}

/* From a point to the line that a person is about to walk. */
static double path_distance(const gb_mobile_person *person, double x, double y)
{
    double dx = x - person->x, dy = y - person->y;
    double lx = person->vx * PREDICTED_S, ly = person->vy * PREDICTED_S;
    double squared = lx * lx + ly * ly;
    double part = squared > 0.0 ? fmin(fmax((dx * lx + dy * ly) / squared, 0.0), 1.0) : 0.0;
    return hypot(dx - part * lx, dy - part * ly);
}

/* The known map, dearer around where a person is about to walk. Lowers *changed to the cheapest of
 * the cells that grew dearer. */
static void avoid(gb_mobile *machine, const gb_mobile_person *person, double shun, float *changed)
{
    gb_mobile_grid *grid = &machine->plan_grid;
    double reach = SHUNNED_M + hypot(person->vx, person->vy) * PREDICTED_S;
    for (int j = 0; j < GB_MOBILE_CELLS_Y; j++) {
        double y = -GB_MOBILE_HALF_Y_M + (j + 0.5) * GB_MOBILE_CELL_M;
        if (fabs(y - person->y) > reach)
            continue;
        for (int i = 0; i < GB_MOBILE_CELLS_X; i++) {
            float *slowness = &grid->slowness[j * GB_MOBILE_CELLS_X + i];
            double x = -GB_MOBILE_HALF_X_M + (i + 0.5) * GB_MOBILE_CELL_M;
            if (fabs(x - person->x) > reach || *slowness >= GB_MOBILE_BLOCKED)
                continue;
            double distance = path_distance(person, x, y);
            if (distance >= SHUNNED_M)
                continue;
            *slowness += (float)(shun * (1.0 - distance / SHUNNED_M));
            *changed = fminf(*changed, machine->route.cost[j * GB_MOBILE_CELLS_X + i]);
        }
    }
}

/* Where to aim at, in the robot's frame, and how fast the people allow it to be. */
static void plan(gb_mobile *machine, double aim[2], double *allowed)
{
    double elapsed_s = (double)machine->ticks * GB_MOBILE_TICK_S;
    double shun = SHUN * PATIENCE_S / fmax(elapsed_s, PATIENCE_S);
    machine->plan_grid = machine->grid;
    float changed = GB_MOBILE_BLOCKED;
    *allowed = SPEED_M_S;
    for (int i = 0; i < machine->person_count; i++) {
        const gb_mobile_person *person = &machine->people[i];
        if (!sees(machine, person))
            continue;
        double gap = gb_mobile_gap(machine, person) - GAP_RESERVE_M;
        if (gap < HEEDED_M)
            avoid(machine, person, shun, &changed);
        *allowed = fmin(*allowed, gb_mobile_allowed_speed(gap));
    }
    gb_mobile_field_solve_again(&machine->route, changed, &machine->plan_grid, machine->x,
                                machine->y, &machine->plan);
    double x = machine->x, y = machine->y;
    gb_mobile_field_descend(&machine->plan, AIM_M, &x, &y);
    double c = cos(machine->heading_rad), s = sin(machine->heading_rad);
    aim[0] = c * (x - machine->x) + s * (y - machine->y);
    aim[1] = c * (y - machine->y) - s * (x - machine->x);
}

static double towards(double from, double to, double most_up, double most_down)
{
    return to > from ? fmin(to, from + most_up) : fmax(to, from - most_down);
}

void gb_mobile_teach(void *context, double *action)
{
    gb_mobile *machine = context;
    double aim[2], allowed;
    plan(machine, aim, &allowed);
    double away = hypot(machine->goal[0] - machine->x, machine->goal[1] - machine->y);
    double bearing = atan2(aim[1], aim[0]);
    double straight = fmax(cos(bearing), 0.0);
    double speed = SPEED_M_S * straight * straight;
    speed = fmin(speed, 0.25 + 0.8 * away);
    speed = fmin(speed, allowed);
    double turn = fmin(fmax(2.5 * bearing, -TURN_RAD_S), TURN_RAD_S);
    machine->taught_speed =
        towards(machine->taught_speed, speed, ACCELERATE_M_S2 * PERIOD_S, BRAKE_M_S2 * PERIOD_S);
    machine->taught_turn =
        towards(machine->taught_turn, turn, TURN_RAD_S2 * PERIOD_S, TURN_RAD_S2 * PERIOD_S);
    double half = 0.5 * GB_MOBILE_TRACK_M * machine->taught_turn;
    action[0] = (machine->taught_speed - half) / GB_MOBILE_WHEEL_RADIUS_M;
    action[1] = (machine->taught_speed + half) / GB_MOBILE_WHEEL_RADIUS_M;
    double most = fmax(fabs(action[0]), fabs(action[1]));
    if (most > GB_MOBILE_WHEEL_MAX_RAD_S) {
        action[0] *= GB_MOBILE_WHEEL_MAX_RAD_S / most;
        action[1] *= GB_MOBILE_WHEEL_MAX_RAD_S / most;
    }
}
