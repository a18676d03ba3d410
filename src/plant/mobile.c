/* plant/mobile.c: a robot on two driven wheels in a warehouse with people: its motion, its sensors
 * and the judgement. MuJoCo moves the body (x, y, yaw) and finds contacts with racks and walls; the
 * two wheels' forces on it are computed here: a motor with lag and limited acceleration, and a
 * traction that friction limits, which costs a hundredth of rolling contacts. Map, LiDAR, people,
 * teacher and description have files of their own. */
#include "plant/mobile.h"
#include "plant/kind.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SUBSTEPS 2
#define SUBSTEP_S (GB_MOBILE_TICK_S / SUBSTEPS) /* the time step of asset/mobile.xml */
#define MOTOR_LAG_S 0.06
#define MOTOR_MAX_RAD_S2 25.0
#define GRAVITY_M_S2 9.81
#define LOAD_ON_WHEELS 0.9 /* the casters carry the rest */
#define GRIP_PART 0.4 /* of the slip that traction takes away in a step, below 1 to be stable */
#define TWO_PI 6.28318530717958647693
#define PI 3.14159265358979323846

double gb_mobile_allowed_speed(double gap_m)
{
    const double brake = GB_MOBILE_BRAKE_M_S2, reaction = GB_MOBILE_REACTION_S;
    double left = gap_m - GB_MOBILE_SEPARATION_M - GB_MOBILE_PERSON_M_S * reaction;
    if (left <= 0.0)
        return 0.0;
    double linear = brake * reaction + GB_MOBILE_PERSON_M_S; /* v^2 + 2 linear v = 2 brake left */
    return sqrt(linear * linear + 2.0 * brake * left) - linear;
}

double gb_mobile_gap(const gb_mobile *machine, const gb_mobile_person *person)
{
    return hypot(person->x - machine->x, person->y - machine->y) - GB_MOBILE_ROBOT_RADIUS_M -
           GB_MOBILE_PERSON_RADIUS_M;
}

/* ---- between the machine and the physics --------------------------------------------------------
 */

static void read_body(gb_mobile *machine)
{
    const mjData *data = machine->physics.data;
    machine->x = data->qpos[0];
    machine->y = data->qpos[1];
    machine->heading_rad = data->qpos[2];
    machine->vx = data->qvel[0];
    machine->vy = data->qvel[1];
    machine->turn_rad_s = data->qvel[2];
}

/* Mocap bodies are numbered as they stand in the MJCF: the goal, racks, people. */
static void
place_mocap(gb_mobile *machine, int index, double x, double y, double z, double heading_rad)
{
    mjtNum *position = machine->physics.data->mocap_pos + 3 * index;
    mjtNum *rotation = machine->physics.data->mocap_quat + 4 * index;
    position[0] = x;
    position[1] = y;
    position[2] = z;
    rotation[0] = cos(0.5 * heading_rad);
    rotation[1] = rotation[2] = 0.0;
    rotation[3] = sin(0.5 * heading_rad);
}

void gb_mobile_place(gb_mobile *machine)
{
    place_mocap(machine, 0, machine->goal[0], machine->goal[1], 0.005, 0.0);
    for (int i = 0; i < GB_MOBILE_RACKS_MAX; i++) {
        const gb_mobile_rack *rack = &machine->map.racks[i];
        if (i < machine->map.rack_count)
            place_mocap(machine, 1 + i, rack->x, rack->y, 0.5,
                        rack->half_y > rack->half_x ? 0.5 * PI : 0.0);
        else
            place_mocap(machine, 1 + i, 30.0 + 3.0 * i, 0.0, 0.5, 0.0);
    }
    for (int i = 0; i < GB_MOBILE_PEOPLE_MAX; i++) {
        const gb_mobile_person *person = &machine->people[i];
        bool there = i < machine->person_count;
        place_mocap(machine, 1 + GB_MOBILE_RACKS_MAX + i, there ? person->x : 30.0 + 3.0 * i,
                    there ? person->y : 5.0, 0.0, there ? person->heading_rad : 0.0);
    }
}

/* Puts the body at x, y, heading at rest, with the episode's mass, and everything else around it.
 */
static gb_status begin(gb_mobile *machine)
{
    mjModel *model = machine->physics.model;
    int body = model->nbody - 1; /* the robot is the last body of the MJCF */
    double scale = machine->traits.mass_kg / model->body_mass[body];
    model->body_mass[body] *= scale;
    for (int i = 0; i < 3; i++)
        model->body_inertia[3 * body + i] *= scale;
    GB_TRY(gb_mujoco_set_const(&machine->physics));
    mjData *data = machine->physics.data;
    data->qpos[0] = machine->x;
    data->qpos[1] = machine->y;
    data->qpos[2] = machine->heading_rad;
    gb_mobile_place(machine);
    if (!gb_mujoco_forward(&machine->physics))
        return gb_fail(GB_ERR_NUMERIC, "plant mobile: the physics does not start: %s",
                       machine->physics.why);
    read_body(machine);
    return GB_OK;
}

/* Forgets everything of an episode; physics and work space stay. */
static void forget(gb_mobile *machine)
{
    gb_mujoco physics = machine->physics;
    memset(machine, 0, sizeof *machine);
    machine->physics = physics;
    machine->verdict = "";
    machine->nearest_m = GB_MOBILE_RANGE_M;
}

static gb_status mobile_reset(void *context, uint64_t seed)
{
    gb_mobile *machine = context;
    forget(machine);
    machine->seed = seed;
    GB_TRY(gb_mobile_draw_episode(machine));
    return begin(machine);
}

/* An observation tells of people only where they were seen, so nobody is about. */
static gb_status mobile_set_state(void *context, const double *observation)
{
    gb_mobile *machine = context;
    const double *position = observation + GB_MOBILE_AT_POSITION;
    const double *goal = observation + GB_MOBILE_AT_GOAL;
    double heading = observation[GB_MOBILE_AT_HEADING];
    gb_mobile_map map;
    gb_mobile_map_build(observation + GB_MOBILE_AT_LAYOUT, &map);
    double x = position[0] + goal[0] * (cos(heading) * goal[1] - sin(heading) * goal[2]);
    double y = position[1] + goal[0] * (sin(heading) * goal[1] + cos(heading) * goal[2]);
    if (gb_mobile_clearance(&map, position[0], position[1]) < GB_MOBILE_ROBOT_RADIUS_M ||
        gb_mobile_clearance(&map, x, y) < GB_MOBILE_ROBOT_RADIUS_M)
        return gb_fail(GB_ERR_ARGUMENT,
                       "plant mobile: the state has the robot at (%.2f, %.2f) m and its goal at "
                       "(%.2f, %.2f) m; one of them stands in a rack or a wall",
                       position[0], position[1], x, y);
    forget(machine);
    machine->map = map;
    gb_mobile_traits_nominal(&machine->traits);
    gb_mobile_grid_build(&map, &machine->grid);
    machine->goal[0] = x;
    machine->goal[1] = y;
    machine->x = position[0];
    machine->y = position[1];
    machine->heading_rad = heading;
    gb_mobile_field_solve(&machine->grid, x, y, &machine->route);
    machine->start_cost = fmax(gb_mobile_field_cost(&machine->route, machine->x, machine->y), 0.1);
    return begin(machine);
}

static void mobile_destroy(void *context)
{
    gb_mobile *machine = context;
    if (!machine)
        return;
    gb_mujoco_free(&machine->physics);
    free(machine);
}

static gb_status mobile_create(void **out_machine)
{
    gb_mobile *machine = calloc(1, sizeof *machine);
    if (!machine)
        return gb_fail(GB_ERR_MEMORY, "plant mobile: no memory for the machine");
    gb_status status = gb_mujoco_load("mobile", gb_plant_asset_mobile, gb_plant_asset_mobile_size,
                                      &machine->physics);
    if (status != GB_OK) {
        free(machine);
        return status;
    }
    *out_machine = machine;
    return GB_OK;
}

/* ---- motion -----------------------------------------------------------------------------------
 */

/* Each wheel follows its command with a lag. */
static void turn_wheels(gb_mobile *machine, const double *command)
{
    for (int i = 0; i < 2; i++) {
        double pull = (command[i] - machine->wheel_rad_s[i]) / MOTOR_LAG_S;
        pull = fmin(fmax(pull, -MOTOR_MAX_RAD_S2), MOTOR_MAX_RAD_S2);
        machine->wheel_rad_s[i] += pull * SUBSTEP_S;
    }
}

/* The force of one wheel on the body, ahead and to the left, towards the speed at which it would
 * roll; friction limits it. */
static void traction(const gb_mobile *machine, int wheel, double ahead, double left, double out[2])
{
    const gb_mobile_traits *traits = &machine->traits;
    double side = wheel == 0 ? 0.5 : -0.5; /* the left wheel is at +y */
    double rolling =
        machine->wheel_rad_s[wheel] * GB_MOBILE_WHEEL_RADIUS_M * traits->wheel_scale[wheel];
    double slip = rolling - (ahead - machine->turn_rad_s * side * GB_MOBILE_TRACK_M);
    double grip = GRIP_PART * 0.5 * traits->mass_kg / SUBSTEP_S;
    out[0] = grip * slip;
    out[1] = -grip * left;
    double most = traits->friction * 0.5 * LOAD_ON_WHEELS * traits->mass_kg * GRAVITY_M_S2;
    double force = hypot(out[0], out[1]);
    if (force > most) {
        out[0] *= most / force;
        out[1] *= most / force;
    }
}

static void push_body(gb_mobile *machine)
{
    double c = cos(machine->heading_rad), s = sin(machine->heading_rad);
    double ahead = c * machine->vx + s * machine->vy, left = c * machine->vy - s * machine->vx;
    double forces[2][2];
    for (int i = 0; i < 2; i++)
        traction(machine, i, ahead, left, forces[i]);
    double along = forces[0][0] + forces[1][0] - machine->traits.drag * ahead;
    double across = forces[0][1] + forces[1][1];
    mjtNum *push = machine->physics.data->qfrc_applied;
    push[0] = c * along - s * across;
    push[1] = s * along + c * across;
    push[2] = 0.5 * GB_MOBILE_TRACK_M * (forces[1][0] - forces[0][0]);
}

/* Standing robots are not at fault when a person walks up to them. */
static void judge_tick(gb_mobile *machine)
{
    bool moves = hypot(machine->vx, machine->vy) > GB_MOBILE_CRAWL_M_S;
    for (int i = 0; i < machine->person_count; i++) {
        double gap = gb_mobile_gap(machine, &machine->people[i]);
        if (moves)
            machine->nearest_m = fmin(machine->nearest_m, gap);
        if (moves && gap < GB_MOBILE_SEPARATION_M && !*machine->verdict)
            machine->verdict = "too close";
    }
    if (machine->physics.data->ncon > 0 && !*machine->verdict)
        machine->verdict = "collided";
    if (machine->physics.broken && !*machine->verdict)
        machine->verdict = "physics broke";
}

static void mobile_advance(void *context, const double *action)
{
    gb_mobile *machine = context;
    memmove(machine->delayed[1], machine->delayed[0], GB_MOBILE_DELAY_MAX * sizeof(double[2]));
    memcpy(machine->delayed[0], action, sizeof(double[2]));
    for (int i = 0; i < SUBSTEPS; i++) {
        turn_wheels(machine, machine->delayed[machine->traits.delay_ticks]);
        push_body(machine);
        (void)gb_mujoco_step(&machine->physics); /* judge_tick sees whether it broke */
        read_body(machine);
    }
    for (int i = 0; i < machine->person_count; i++)
        gb_mobile_person_walk(&machine->people[i], &machine->map, machine->x, machine->y,
                              GB_MOBILE_TICK_S);
    machine->ticks++;
    judge_tick(machine);
}

static void
mobile_judge(const void *context, double *progress, double *reward, const char **verdict)
{
    const gb_mobile *machine = context;
    double away = hypot(machine->goal[0] - machine->x, machine->goal[1] - machine->y);
    double cost = gb_mobile_field_cost(&machine->route, machine->x, machine->y);
    double part = 1.0 - cost / machine->start_cost;
    *progress = away < GB_MOBILE_GOAL_RADIUS_M ? 1.0 : fmin(fmax(part, 0.0), 0.99);
    *reward = *progress;
    if (*machine->verdict)
        *verdict = machine->verdict;
}

/* ---- sensors ----------------------------------------------------------------------------------
 */

void gb_mobile_true_scan(const gb_mobile *machine, double *ranges)
{
    gb_mobile_circle circles[GB_MOBILE_PEOPLE_MAX];
    for (int i = 0; i < machine->person_count; i++)
        circles[i] = (gb_mobile_circle){machine->people[i].x, machine->people[i].y,
                                        GB_MOBILE_PERSON_RADIUS_M};
    gb_mobile_cast(&machine->map, circles, machine->person_count, machine->x, machine->y,
                   machine->heading_rad, ranges);
}

static void observe_ranges(const gb_mobile *machine, double *ranges)
{
    float noise[GB_MOBILE_BEAMS], luck[GB_MOBILE_BEAMS];
    uint64_t first = (uint64_t)machine->ticks * GB_MOBILE_BEAMS;
    gb_random_fill_normal(machine->seed, GB_MOBILE_DRAW_RANGE, first, noise, GB_MOBILE_BEAMS);
    gb_random_fill_uniform(machine->seed, GB_MOBILE_DRAW_DROPOUT, first, luck, GB_MOBILE_BEAMS);
    gb_mobile_true_scan(machine, ranges);
    for (int i = 0; i < GB_MOBILE_BEAMS; i++) {
        double range = ranges[i] + machine->traits.range_noise_m * (double)noise[i];
        bool none = ranges[i] >= GB_MOBILE_RANGE_M || (double)luck[i] < machine->traits.dropout;
        ranges[i] = none ? GB_MOBILE_RANGE_M : fmin(fmax(range, 0.0), GB_MOBILE_RANGE_M);
    }
}

/* A world point as the robot sees it that believes in `pose`. */
static void to_robot(const double pose[3], double x, double y, double *out)
{
    double dx = x - pose[0], dy = y - pose[1], c = cos(pose[2]), s = sin(pose[2]);
    out[0] = c * dx + s * dy;
    out[1] = c * dy - s * dx;
}

static void observe_way(const gb_mobile *machine, const double pose[3], double *goal, double *way)
{
    double to[2];
    to_robot(pose, machine->goal[0], machine->goal[1], to);
    double distance = fmax(hypot(to[0], to[1]), 1e-6);
    goal[0] = distance;
    goal[1] = to[0] / distance;
    goal[2] = to[1] / distance;
    double x = pose[0], y = pose[1];
    gb_mobile_field_descend(&machine->route, GB_MOBILE_WAYPOINT_NEAR_M, &x, &y);
    to_robot(pose, x, y, way);
    gb_mobile_field_descend(&machine->route, GB_MOBILE_WAYPOINT_FAR_M - GB_MOBILE_WAYPOINT_NEAR_M,
                            &x, &y);
    to_robot(pose, x, y, way + 2);
}

static void mobile_observe(const void *context, double *observation)
{
    const gb_mobile *machine = context;
    const gb_mobile_traits *traits = &machine->traits;
    float noise[5];
    gb_random_fill_normal(machine->seed, GB_MOBILE_DRAW_STATE, (uint64_t)machine->ticks * 5, noise,
                          5);
    double pose[3] = {machine->x + traits->position_noise_m * (double)noise[0],
                      machine->y + traits->position_noise_m * (double)noise[1],
                      machine->heading_rad + traits->heading_noise_rad * (double)noise[2]};
    observe_ranges(machine, observation + GB_MOBILE_AT_RANGES);
    gb_mobile_read_scan(&machine->map, observation + GB_MOBILE_AT_RANGES, pose,
                        observation + GB_MOBILE_AT_SECTORS, observation + GB_MOBILE_AT_PEOPLE,
                        observation + GB_MOBILE_AT_GAP);
    observe_way(machine, pose, observation + GB_MOBILE_AT_GOAL,
                observation + GB_MOBILE_AT_WAYPOINT);
    memcpy(observation + GB_MOBILE_AT_POSITION, pose, 2 * sizeof *pose);
    observation[GB_MOBILE_AT_HEADING] = pose[2] - TWO_PI * floor(pose[2] / TWO_PI);
    for (int i = 0; i < 2; i++)
        observation[GB_MOBILE_AT_WHEELS + i] =
            machine->wheel_rad_s[i] + traits->wheel_noise_rad_s * (double)noise[3 + i];
    memcpy(observation + GB_MOBILE_AT_LAYOUT, machine->map.layout, sizeof machine->map.layout);
}

static gb_status mobile_render(void *context, int camera, int width, int height, unsigned char *rgb)
{
    gb_mobile *machine = context;
    gb_mobile_place(machine);
    if (!gb_mujoco_forward(&machine->physics))
        return gb_fail(GB_ERR_NUMERIC, "plant mobile: the physics broke: %s", machine->physics.why);
    return gb_mujoco_render(&machine->physics, gb_mobile_info.cameras[camera], width, height, rgb);
}

const gb_plant_kind gb_plant_kind_mobile = {
    .info = &gb_mobile_info,
    .create = mobile_create,
    .destroy = mobile_destroy,
    .reset = mobile_reset,
    .set_state = mobile_set_state,
    .advance = mobile_advance,
    .observe = mobile_observe,
    .judge = mobile_judge,
    .teach = gb_mobile_teach,
    .render = mobile_render,
    .draw = gb_mobile_draw,
};
