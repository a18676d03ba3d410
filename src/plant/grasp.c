/* plant/grasp.c: the plant grasp: what is drawn for an episode, a tick, the senses, the score. The
 * arm itself is asset/grasp.xml; streams and picture are in grasp_info.c; kinematics and teacher in
 * grasp_teacher.c. */
#include "plant/grasp.h"
#include "plant/kind.h"
#include "plant/mujoco.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TICK_S 0.004
#define GRAVITY_M_PER_S2 9.81
#define COMMANDS 4    /* room for delayed commands; a power of two */
#define POSES 32      /* of the object, for a camera that is late */
#define TOUCH_S 0.012 /* the touch sensors' and */
#define GRIP_S 0.02   /* the grip drive's time constant */
#define CRUSH_TICKS 5 /* too much for 20 ms */
#define LOST_TICKS 10

/* What is unknown to the controller, drawn by seed. */
typedef struct episode {
    double mass_kg, friction, crush_n; /* crush_n: what each side of the object bears */
    double half_size[3];               /* x, y (between the fingers), z */
    double start[2], yaw;              /* of the object */
    double joints[GB_GRASP_JOINTS];
    double camera_bias[3];
    int command_delay, camera_delay; /* ticks */
} episode;

typedef struct touch {
    double normal, tangential, slip;
} touch;

typedef struct pose {
    double position[3], rotation[4];
} pose;

typedef struct grasp {
    gb_mujoco body;
    int joint_q[GB_GRASP_JOINTS], joint_v[GB_GRASP_JOINTS];
    int finger_q, object_q, object_v;
    int pads[2], fingers[2], object_geom, object_body;
    int pairs[2]; /* pads against the object */
    episode drawn;
    uint64_t noise_seed;
    int64_t tick;
    gb_grasp_action commands[COMMANDS];
    double grip_n; /* what the drive makes of the command */
    touch touches[2];
    pose poses[POSES];
    double lift, highest_lift;
    int crush_ticks, lost_ticks, hold_ticks;
    const char *verdict;
} grasp;

/* ---- life ------------------------------------------------------------------------------------
 */

static gb_status find_joints(grasp *machine)
{
    static const char *const names[] = {"yaw", "shoulder", "elbow", "pitch", "roll"};
    const mjModel *model = machine->body.model;
    int id = 0;
    for (int i = 0; i < GB_GRASP_JOINTS; i++) {
        GB_TRY(gb_mujoco_find(&machine->body, mjOBJ_JOINT, names[i], &id));
        machine->joint_q[i] = model->jnt_qposadr[id];
        machine->joint_v[i] = model->jnt_dofadr[id];
    }
    GB_TRY(gb_mujoco_find(&machine->body, mjOBJ_JOINT, "left", &id));
    machine->finger_q = model->jnt_qposadr[id];
    GB_TRY(gb_mujoco_find(&machine->body, mjOBJ_JOINT, "object", &id));
    machine->object_q = model->jnt_qposadr[id];
    machine->object_v = model->jnt_dofadr[id];
    return GB_OK;
}

static gb_status find_parts(grasp *machine)
{
    const gb_mujoco *body = &machine->body;
    GB_TRY(find_joints(machine));
    GB_TRY(gb_mujoco_find(body, mjOBJ_GEOM, "left_pad", &machine->pads[0]));
    GB_TRY(gb_mujoco_find(body, mjOBJ_GEOM, "right_pad", &machine->pads[1]));
    GB_TRY(gb_mujoco_find(body, mjOBJ_GEOM, "object", &machine->object_geom));
    GB_TRY(gb_mujoco_find(body, mjOBJ_BODY, "left", &machine->fingers[0]));
    GB_TRY(gb_mujoco_find(body, mjOBJ_BODY, "right", &machine->fingers[1]));
    GB_TRY(gb_mujoco_find(body, mjOBJ_BODY, "object", &machine->object_body));
    GB_TRY(gb_mujoco_find(body, mjOBJ_PAIR, "left", &machine->pairs[0]));
    GB_TRY(gb_mujoco_find(body, mjOBJ_PAIR, "right", &machine->pairs[1]));
    return GB_OK;
}

static void grasp_destroy(void *context)
{
    grasp *machine = context;
    if (!machine)
        return;
    gb_mujoco_free(&machine->body);
    free(machine);
}

static gb_status grasp_create(void **out_machine)
{
    grasp *machine = calloc(1, sizeof *machine);
    if (!machine)
        return gb_fail(GB_ERR_MEMORY, "plant grasp: no memory for the machine");
    gb_status status =
        gb_mujoco_load("grasp", gb_plant_asset_grasp, gb_plant_asset_grasp_size, &machine->body);
    if (status == GB_OK)
        status = find_parts(machine);
    if (status != GB_OK) {
        grasp_destroy(machine);
        return status;
    }
    *out_machine = machine;
    return GB_OK;
}

/* ---- an episode's start -------------------------------------------------------------------------
 */

enum {
    STREAM_START,
    STREAM_NOISE
};

enum {
    PLACES = 32 /* tried at most, when the object would stand within the hand */
};

static double between(uint64_t seed, int index, double low, double high)
{
    return low + (high - low) * (double)gb_random_uniform(seed, STREAM_START, (uint64_t)index);
}

/* Small values are as likely as large ones in proportion. */
static double between_log(uint64_t seed, int index, double low, double high)
{
    return low * pow(high / low, between(seed, index, 0.0, 1.0));
}

static void draw_place(episode *e, uint64_t seed, int index)
{
    double reach = between(seed, index, 0.32, 0.48), azimuth = between(seed, index + 1, -0.6, 0.6);
    e->start[0] = reach * cos(azimuth);
    e->start[1] = reach * sin(azimuth);
    e->yaw = between(seed, index + 2, -0.7, 0.7);
}

static episode draw_episode(uint64_t seed)
{
    static const double home[GB_GRASP_JOINTS] = {0.0, 1.03, -2.02, -0.58, 0.0};
    episode e;
    e.mass_kg = between_log(seed, 0, 0.1, 1.0);
    e.friction = between_log(seed, 1, 0.3, 1.0);
    /* Each side must bear what holding takes, m g / (2 mu), with some to spare. */
    double needed_n = e.mass_kg * GRAVITY_M_PER_S2 / (2.0 * e.friction);
    e.crush_n = 2.5 + needed_n * between(seed, 2, 1.8, 3.0);
    e.half_size[0] = between(seed, 3, 0.016, 0.030);
    e.half_size[1] = between(seed, 4, 0.014, 0.030);
    e.half_size[2] = between(seed, 5, 0.030, 0.050);
    draw_place(&e, seed, 6);
    for (int i = 0; i < GB_GRASP_JOINTS; i++)
        e.joints[i] = home[i] + between(seed, 9 + i, -0.08, 0.08);
    for (int i = 0; i < 3; i++)
        e.camera_bias[i] =
            0.0012 * (double)gb_random_normal(seed, STREAM_START, (uint64_t)(20 + i));
    e.command_delay = (int)gb_random_below(seed, STREAM_START, 30, 3);
    e.camera_delay = 10 + (int)gb_random_below(seed, STREAM_START, 31, 16); /* 40 to 100 ms */
    return e;
}

static void copy(double *to, const double *from, int count)
{
    memcpy(to, from, (size_t)count * sizeof *to);
}

/* Writes what was drawn into the model. */
static gb_status shape_object(grasp *machine)
{
    const episode *e = &machine->drawn;
    mjModel *model = machine->body.model;
    const double *half = e->half_size;
    copy(model->geom_size + 3 * machine->object_geom, half, 3);
    model->geom_rbound[machine->object_geom] =
        sqrt(half[0] * half[0] + half[1] * half[1] + half[2] * half[2]);
    model->body_mass[machine->object_body] = e->mass_kg;
    double *inertia = model->body_inertia + 3 * machine->object_body;
    for (int i = 0; i < 3; i++) {
        double a = half[(i + 1) % 3], b = half[(i + 2) % 3];
        inertia[i] = e->mass_kg * (a * a + b * b) / 3.0;
    }
    for (int i = 0; i < 2; i++) {
        double *friction = model->pair_friction + 5 * machine->pairs[i];
        friction[0] = friction[1] = e->friction;
    }
    return gb_mujoco_set_const(&machine->body);
}

static void read_pose(const grasp *machine, pose *out)
{
    const double *q = machine->body.data->qpos + machine->object_q;
    copy(out->position, q, 3);
    copy(out->rotation, q + 3, 4);
}

/* Everything at rest: the arm at `joints`, fingers `opening_m` apart, the object at `at`. */
static gb_status begin(grasp *machine, const double *joints, double opening_m, const pose *at)
{
    GB_TRY(shape_object(machine));
    mjData *data = machine->body.data;
    for (int i = 0; i < GB_GRASP_JOINTS; i++)
        data->qpos[machine->joint_q[i]] = joints[i];
    data->qpos[machine->finger_q] = data->qpos[machine->finger_q + 1] = opening_m / 2.0;
    copy(data->qpos + machine->object_q, at->position, 3);
    copy(data->qpos + machine->object_q + 3, at->rotation, 4);
    mju_normalize4(data->qpos + machine->object_q + 3);
    for (int i = 0; i < COMMANDS; i++) {
        copy(machine->commands[i].joints, joints, GB_GRASP_JOINTS);
        machine->commands[i].grip_n = 0.0;
    }
    for (int i = 0; i < POSES; i++)
        read_pose(machine, &machine->poses[i]);
    memset(machine->touches, 0, sizeof machine->touches);
    machine->grip_n = machine->lift = machine->highest_lift = 0.0;
    machine->tick = 0;
    machine->crush_ticks = machine->lost_ticks = machine->hold_ticks = 0;
    machine->verdict = "";
    if (!gb_mujoco_forward(&machine->body))
        return gb_fail(GB_ERR_NUMERIC, "plant grasp: no such start: %s", machine->body.why);
    return GB_OK;
}

/* Whether the object touches more than the floor. */
static bool is_touched(const grasp *machine)
{
    const mjData *data = machine->body.data;
    for (int i = 0; i < data->ncon; i++) {
        int a = data->contact[i].geom1, b = data->contact[i].geom2;
        int other = a == machine->object_geom ? b : b == machine->object_geom ? a : -1;
        if (other >= 0 && machine->body.model->geom_bodyid[other] != 0)
            return true;
    }
    return false;
}

/* A tall object near the hand can stand within it (one start in some thousand): it gets another
 * place. */
static gb_status grasp_reset(void *context, uint64_t seed)
{
    grasp *machine = context;
    machine->drawn = draw_episode(seed);
    machine->noise_seed = seed;
    episode *e = &machine->drawn;
    for (int again = 0;; again++) {
        pose at = {{e->start[0], e->start[1], e->half_size[2]},
                   {cos(e->yaw / 2), 0, 0, sin(e->yaw / 2)}};
        GB_TRY(begin(machine, e->joints, 0.08, &at));
        if (!is_touched(machine))
            return GB_OK;
        if (again == PLACES)
            return gb_fail(GB_ERR_NUMERIC, "plant grasp: no free place for the object of seed %llu",
                           (unsigned long long)seed);
        draw_place(e, seed, 100 + 3 * again);
    }
}

/* What an observation does not tell (mass, friction, noise) is that of seed 0. */
static gb_status grasp_set_state(void *context, const double *observation)
{
    grasp *machine = context;
    gb_grasp_observation seen;
    memcpy(&seen, observation, sizeof seen);
    machine->drawn = draw_episode(0);
    machine->noise_seed = 0;
    pose at;
    copy(at.position, seen.object_position, 3);
    copy(at.rotation, seen.object_rotation, 4);
    for (int i = 0; i < 3; i++)
        machine->drawn.half_size[i] = seen.object_size[i] / 2.0;
    return begin(machine, seen.arm_position, seen.hand_opening[0], &at);
}

/* ---- touch ------------------------------------------------------------------------------------
 */

/* The velocity of a body's point in the world. */
static void point_velocity(const grasp *machine, int body, const double *point, double out[3])
{
    double six[6], arm[3]; /* rotation, translation */
    mj_objectVelocity(machine->body.model, machine->body.data, mjOBJ_BODY, body, six, 0);
    mju_sub3(arm, point, machine->body.data->xpos + 3 * body);
    mju_cross(out, six, arm);
    mju_addTo3(out, six + 3);
}

/* Adds one contact of a pad to what it feels; slip is weighted by force. */
static void feel(const grasp *machine, int contact, int side, touch *sum)
{
    const mjData *data = machine->body.data;
    const mjContact *at = &data->contact[contact];
    double force[6], world[3], pad[3], object[3];
    mj_contactForce(machine->body.model, data, contact, force);
    mju_rotVecMatT(world, force, at->frame); /* acts on geom2 */
    const double *outward = data->xmat + 9 * machine->fingers[side];
    double along = world[0] * outward[0] + world[1] * outward[3] + world[2] * outward[6];
    point_velocity(machine, machine->fingers[side], at->pos, pad);
    point_velocity(machine, machine->object_body, at->pos, object);
    double slide = 0.0;
    for (int i = 0; i < 3; i++)
        slide += (object[i] - pad[i]) * outward[3 * i];
    sum->normal += force[0];
    sum->tangential += at->geom1 == machine->pads[side] ? -along : along;
    sum->slip += force[0] * slide;
}

/* The touch of both pads now; returns the larger normal force. */
static double read_touch(grasp *machine)
{
    touch now[2] = {0};
    const mjData *data = machine->body.data;
    for (int i = 0; i < data->ncon; i++) {
        const mjContact *at = &data->contact[i];
        if (at->geom1 != machine->object_geom && at->geom2 != machine->object_geom)
            continue;
        for (int side = 0; side < 2; side++) {
            if (at->geom1 == machine->pads[side] || at->geom2 == machine->pads[side])
                feel(machine, i, side, &now[side]);
        }
    }
    double part = TICK_S / TOUCH_S;
    for (int side = 0; side < 2; side++) {
        touch *felt = &machine->touches[side];
        double slip = now[side].normal > 0.05 ? now[side].slip / now[side].normal : 0.0;
        felt->normal += part * (now[side].normal - felt->normal);
        felt->tangential += part * (now[side].tangential - felt->tangential);
        felt->slip += part * (slip - felt->slip);
    }
    return fmax(now[0].normal, now[1].normal);
}

/* ---- a tick ------------------------------------------------------------------------------------
 */

/* Failures, and how long the object has been held still at the height. */
static void watch(grasp *machine, double normal_n)
{
    const mjData *data = machine->body.data;
    const double *velocity = data->qvel + machine->object_v;
    machine->lift = data->qpos[machine->object_q + 2] - machine->drawn.half_size[2];
    machine->highest_lift = fmax(machine->highest_lift, machine->lift);
    machine->crush_ticks = normal_n > machine->drawn.crush_n ? machine->crush_ticks + 1 : 0;
    machine->lost_ticks = normal_n > 0.0 ? 0 : machine->lost_ticks + 1;
    bool still = machine->lift > GB_GRASP_HEIGHT_M - 0.01 && mju_norm3(velocity) < 0.04;
    machine->hold_ticks = still ? machine->hold_ticks + 1 : 0;
    bool was_up = machine->highest_lift > 0.03;
    if (*machine->verdict)
        return;
    if (machine->body.broken)
        machine->verdict = "physics broke";
    else if (machine->crush_ticks >= CRUSH_TICKS)
        machine->verdict = "crushed";
    else if (was_up && (machine->lost_ticks >= LOST_TICKS || machine->lift < 0.01))
        machine->verdict = "dropped";
}

static void grasp_advance(void *context, const double *action)
{
    grasp *machine = context;
    if (*machine->verdict)
        return; /* it is over; an unstable state must not be run on */
    mjData *data = machine->body.data;
    machine->tick++;
    memcpy(&machine->commands[machine->tick % COMMANDS], action, sizeof(gb_grasp_action));
    /* Commands from before the episode are the start's: they stand in all slots. */
    const gb_grasp_action *now =
        &machine->commands[(machine->tick + COMMANDS - machine->drawn.command_delay) % COMMANDS];
    for (int i = 0; i < GB_GRASP_JOINTS; i++) {
        data->ctrl[i] = now->joints[i];
        /* The drives carry the arm's own weight, not the load's. */
        int v = machine->joint_v[i];
        data->qfrc_applied[v] = data->qfrc_bias[v];
    }
    machine->grip_n += TICK_S / GRIP_S * (now->grip_n - machine->grip_n);
    data->ctrl[GB_GRASP_JOINTS] = data->ctrl[GB_GRASP_JOINTS + 1] = machine->grip_n;
    gb_mujoco_step(&machine->body); /* false: watch() asks body.broken */
    watch(machine, read_touch(machine));
    read_pose(machine, &machine->poses[machine->tick % POSES]);
}

/* ---- senses ------------------------------------------------------------------------------------
 */

/* Standard deviations, in the order of the streams; rotations are disturbed apart. */
#define JOINT_NOISE_RAD 0.0005
#define JOINT_NOISE_RAD_PER_S 0.01
#define OPENING_NOISE_M 0.0002
#define FORCE_NOISE_N 0.03
#define FORCE_NOISE_PART 0.02
#define SLIP_NOISE_M_PER_S 0.0005
#define CAMERA_NOISE_M 0.0005
#define CAMERA_NOISE_RAD 0.01
#define NOISES 32 /* numbers drawn for one observation */

static void see_object(const grasp *machine, const float *noise, gb_grasp_observation *out)
{
    const episode *e = &machine->drawn;
    const pose *then = &machine->poses[(machine->tick + POSES - e->camera_delay) % POSES];
    for (int i = 0; i < 3; i++) {
        out->object_position[i] =
            then->position[i] + e->camera_bias[i] + CAMERA_NOISE_M * (double)noise[i];
        out->object_size[i] = 2.0 * e->half_size[i] + CAMERA_NOISE_M * (double)noise[3 + i];
    }
    double turn = CAMERA_NOISE_RAD * (double)noise[6];
    const double about_z[4] = {cos(turn / 2), 0, 0, sin(turn / 2)};
    mju_mulQuat(out->object_rotation, about_z, then->rotation);
}

static void grasp_observe(const void *context, double *observation)
{
    const grasp *machine = context;
    const mjData *data = machine->body.data;
    float noise[NOISES];
    gb_random_fill_normal(machine->noise_seed, STREAM_NOISE, (uint64_t)machine->tick * NOISES,
                          noise, NOISES);
    gb_grasp_observation seen;
    for (int i = 0; i < GB_GRASP_JOINTS; i++) {
        seen.arm_position[i] = data->qpos[machine->joint_q[i]] + JOINT_NOISE_RAD * (double)noise[i];
        seen.arm_velocity[i] =
            data->qvel[machine->joint_v[i]] + JOINT_NOISE_RAD_PER_S * (double)noise[5 + i];
    }
    gb_grasp_forward(seen.arm_position, seen.hand_position, seen.hand_rotation);
    seen.hand_opening[0] =
        2.0 * data->qpos[machine->finger_q] + OPENING_NOISE_M * (double)noise[10];
    seen.hand_grip[0] = machine->commands[machine->tick % COMMANDS].grip_n;
    for (int side = 0; side < 2; side++) {
        const touch *felt = &machine->touches[side];
        const float *n = noise + 11 + 3 * side;
        seen.touch_normal[side] =
            felt->normal * (1.0 + FORCE_NOISE_PART * (double)n[0]) + FORCE_NOISE_N * (double)n[1];
        seen.touch_tangential[side] = felt->tangential * (1.0 + FORCE_NOISE_PART * (double)n[0]) +
                                      FORCE_NOISE_N * (double)n[2];
        seen.touch_slip[side] = felt->slip + SLIP_NOISE_M_PER_S * (double)noise[17 + side];
    }
    see_object(machine, noise + 19, &seen);
    double away[3], hand[9];
    mju_sub3(away, seen.object_position, seen.hand_position);
    mju_quat2Mat(hand, seen.hand_rotation);
    mju_rotVecMatT(seen.object_offset, away, hand);
    seen.object_turn[0] = gb_grasp_turn(seen.arm_position, seen.object_rotation);
    memcpy(observation, &seen, sizeof seen);
}

static void grasp_judge(const void *context, double *progress, double *reward, const char **verdict)
{
    const grasp *machine = context;
    double up = machine->lift / (GB_GRASP_HEIGHT_M - 0.01);
    double held = machine->hold_ticks * TICK_S / GB_GRASP_HOLD_S;
    *progress = 0.7 * fmin(fmax(up, 0.0), 1.0) + 0.3 * fmin(held, 1.0);
    *reward = *progress;
    *verdict = machine->verdict;
}

/* ---- teacher and picture
 * -------------------------------------------------------------------------
 */

static void grasp_teach(void *context, double *action)
{
    gb_grasp_observation seen;
    gb_grasp_action next;
    grasp_observe(context, (double *)&seen);
    gb_grasp_teach(&seen, &next);
    memcpy(action, &next, sizeof next);
}

static gb_status grasp_render(void *context, int camera, int width, int height, unsigned char *rgb)
{
    grasp *machine = context;
    return gb_mujoco_render(&machine->body, gb_grasp_info.cameras[camera], width, height, rgb);
}

const gb_plant_kind gb_plant_kind_grasp = {
    .info = &gb_grasp_info,
    .create = grasp_create,
    .destroy = grasp_destroy,
    .reset = grasp_reset,
    .set_state = grasp_set_state,
    .advance = grasp_advance,
    .observe = grasp_observe,
    .judge = grasp_judge,
    .teach = grasp_teach,
    .render = grasp_render,
    .draw = gb_grasp_draw,
};
