/* plant/grasp_teacher.c: the arm's kinematics, and a teacher that lifts what it has never weighed.
 * The teacher is a function of one observation: what it commands can be learned from what it saw.
 * No physics is here. */
#include "plant/grasp.h"

#include <math.h>

/* ---- kinematics -------------------------------------------------------------------------------
 */

static void multiply(const double a[4], const double b[4], double out[4])
{
    out[0] = a[0] * b[0] - a[1] * b[1] - a[2] * b[2] - a[3] * b[3];
    out[1] = a[0] * b[1] + a[1] * b[0] + a[2] * b[3] - a[3] * b[2];
    out[2] = a[0] * b[2] - a[1] * b[3] + a[2] * b[0] + a[3] * b[1];
    out[3] = a[0] * b[3] + a[1] * b[2] - a[2] * b[1] + a[3] * b[0];
}

void gb_grasp_forward(const double *joints, double position[3], double rotation[4])
{
    double upper = joints[1], forearm = upper + joints[2], hand = forearm + joints[3];
    double reach = GB_GRASP_UPPER_M * cos(upper) + GB_GRASP_FOREARM_M * cos(forearm) +
                   GB_GRASP_HAND_M * cos(hand);
    position[0] = reach * cos(joints[0]);
    position[1] = reach * sin(joints[0]);
    position[2] = GB_GRASP_SHOULDER_M + GB_GRASP_UPPER_M * sin(upper) +
                  GB_GRASP_FOREARM_M * sin(forearm) + GB_GRASP_HAND_M * sin(hand);
    const double yaw[4] = {cos(joints[0] / 2), 0, 0, sin(joints[0] / 2)};
    const double pitch[4] = {cos(hand / 2), 0, -sin(hand / 2), 0};
    const double roll[4] = {cos(joints[4] / 2), sin(joints[4] / 2), 0, 0};
    double turned[4];
    multiply(yaw, pitch, turned);
    multiply(turned, roll, rotation);
}

void gb_grasp_inverse(const double position[3], double yaw_rad, double *joints)
{
    double reach = hypot(position[0], position[1]);
    double height = position[2] + GB_GRASP_HAND_M - GB_GRASP_SHOULDER_M; /* of the wrist */
    double far = fmin(hypot(reach, height), 0.999 * (GB_GRASP_UPPER_M + GB_GRASP_FOREARM_M));
    double bend = (far * far - GB_GRASP_UPPER_M * GB_GRASP_UPPER_M -
                   GB_GRASP_FOREARM_M * GB_GRASP_FOREARM_M) /
                  (2.0 * GB_GRASP_UPPER_M * GB_GRASP_FOREARM_M);
    double elbow = acos(fmax(-1.0, fmin(1.0, bend)));
    joints[0] = atan2(position[1], position[0]);
    joints[1] = atan2(height, reach) + atan2(GB_GRASP_FOREARM_M * sin(elbow),
                                             GB_GRASP_UPPER_M + GB_GRASP_FOREARM_M * cos(elbow));
    joints[2] = -elbow;
    joints[3] = -M_PI_2 - joints[1] - joints[2];
    joints[4] = joints[0] - yaw_rad;
}

/* Pointing down, the hand's closing axis is turned by yaw - roll. */
static double hand_turn(const double *joints)
{
    return joints[0] - joints[4];
}

double gb_grasp_turn(const double *joints, const double q[4])
{
    double object =
        atan2(2.0 * (q[0] * q[3] + q[1] * q[2]), 1.0 - 2.0 * (q[2] * q[2] + q[3] * q[3]));
    double turn = object - hand_turn(joints);
    return turn - M_PI * round(turn / M_PI); /* the short way: it has two such sides */
}

/* ---- the teacher ------------------------------------------------------------------------------
 * Not yet holding: a funnel. The hand stays high while it is far from above the object, sinks as it
 * gets there, and closes softly when it is down.
 * Holding: it rises unless it feels slip, and grips harder while it does; the commanded grip is
 * observed, so the force found needs no memory of the teacher's own. */

#define SPEED_M_PER_S 0.35
#define LOAD_SPEED_M_PER_S 0.02 /* while the object may still stand on the table */
#define LIFT_SPEED_M_PER_S 0.15
#define TURN_RAD_PER_S 2.0
#define OPEN_N (-4.0)
#define CLOSE_N 1.5
#define TOUCH_N 0.4 /* both pads feel more: held */
#define SLIP_M_PER_S 0.002
#define GIVE_WAY_M 0.0008

static double clamp(double value, double low, double high)
{
    return fmin(fmax(value, low), high);
}

/* One finger touches first: the fingers are coupled, so the hand gives way to that side until the
 * other one touches, too. Returns how far this has replaced going to where the camera says. */
static double give_way(const gb_grasp_observation *seen, double goal[3])
{
    double push = seen->touch_normal[0] - seen->touch_normal[1];
    double part = clamp((fabs(push) - 0.2) / 0.4, 0.0, 1.0);
    double aside = copysign(GIVE_WAY_M, push), hand_yaw = hand_turn(seen->arm_position);
    double x = seen->hand_position[0] - sin(hand_yaw) * aside;
    double y = seen->hand_position[1] + cos(hand_yaw) * aside;
    goal[0] += part * (x - goal[0]);
    goal[1] += part * (y - goal[1]);
    return part;
}

static void approach(const gb_grasp_observation *seen, double goal[3], double *speed, double *grip)
{
    double beside = hypot(seen->object_position[0] - seen->hand_position[0],
                          seen->object_position[1] - seen->hand_position[1]) +
                    0.04 * fabs(seen->object_turn[0]);
    double low = fmax(seen->object_position[2], 0.02);
    goal[0] = seen->object_position[0];
    goal[1] = seen->object_position[1];
    beside = fmax(0.0, beside - 0.006) * (1.0 - give_way(seen, goal));
    double clear = seen->object_size[2] / 2 + 0.04;
    goal[2] = low + clear * clamp(beside / 0.02, 0.0, 1.0);
    double above = fabs(seen->hand_position[2] - low) + beside;
    *speed = SPEED_M_PER_S;
    *grip = CLOSE_N + (OPEN_N - CLOSE_N) * clamp((above - 0.006) / 0.008, 0.0, 1.0);
}

static void hold(const gb_grasp_observation *seen, double goal[3], double *speed, double *grip)
{
    double slip = fmax(fmax(seen->touch_slip[0], seen->touch_slip[1]), 0.0);
    double sliding = clamp((slip - SLIP_M_PER_S) / 0.004, 0.0, 1.0);
    double lift = seen->object_position[2] - seen->object_size[2] / 2;
    double left = GB_GRASP_HEIGHT_M + 0.01 - lift;
    goal[0] = seen->hand_position[0];
    goal[1] = seen->hand_position[1];
    goal[2] = seen->hand_position[2] + left;
    double free = clamp((lift - 0.006) / 0.03, 0.0, 1.0);
    *speed = LOAD_SPEED_M_PER_S + free * (LIFT_SPEED_M_PER_S - LOAD_SPEED_M_PER_S);
    *speed = fmin(*speed, 4.0 * fabs(left)) * (1.0 - 0.9 * sliding);
    *grip = fmax(CLOSE_N, seen->hand_grip[0]);
    *grip += sliding * (0.3 + 0.12 * *grip);
}

void gb_grasp_teach(const gb_grasp_observation *seen, gb_grasp_action *out)
{
    double goal[3], speed = 0.0, load = 0.0, turn = seen->object_turn[0];
    bool held = fmin(seen->touch_normal[0], seen->touch_normal[1]) > TOUCH_N;
    if (held) {
        hold(seen, goal, &speed, &out->grip_n);
        turn = 0.0;
        load = fmax(0.0, seen->touch_tangential[0] + seen->touch_tangential[1]);
    } else {
        approach(seen, goal, &speed, &out->grip_n);
    }
    /* The joints follow a target that runs ahead of the hand by lag times speed. */
    double away = 0.0, target[3];
    for (int i = 0; i < 3; i++)
        away += (goal[i] - seen->hand_position[i]) * (goal[i] - seen->hand_position[i]);
    double part = fmin(1.0, GB_GRASP_LAG_S * speed / fmax(sqrt(away), 1e-9));
    for (int i = 0; i < 3; i++)
        target[i] = seen->hand_position[i] + part * (goal[i] - seen->hand_position[i]);
    double most = GB_GRASP_LAG_S * TURN_RAD_PER_S;
    gb_grasp_inverse(target, hand_turn(seen->arm_position) + clamp(turn, -most, most), out->joints);
    /* The load bends the drives' springs: aim higher by as much. */
    double reach = hypot(target[0], target[1]);
    out->joints[1] += load * reach / GB_GRASP_SHOULDER_STIFFNESS;
    out->joints[2] +=
        load * (reach - GB_GRASP_UPPER_M * cos(out->joints[1])) / GB_GRASP_ELBOW_STIFFNESS;
    for (int i = 0; i < GB_GRASP_JOINTS; i++)
        out->joints[i] = clamp(out->joints[i], gb_grasp_joints_low[i], gb_grasp_joints_high[i]);
}
