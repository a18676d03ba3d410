/* plant/grasp.h: what the files of the plant grasp share: the arm's measures, where the numbers of
 * an observation stand, kinematics. Private to the room. */
#ifndef GENBA_PLANT_GRASP_H
#define GENBA_PLANT_GRASP_H

#include "genba/plant.h"

/* The arm of asset/grasp.xml. */
#define GB_GRASP_JOINTS 5 /* yaw, shoulder, elbow, pitch, roll */
#define GB_GRASP_SHOULDER_M 0.25
#define GB_GRASP_UPPER_M 0.35
#define GB_GRASP_FOREARM_M 0.30
#define GB_GRASP_HAND_M 0.16               /* from the wrist to between the pads */
#define GB_GRASP_SHOULDER_STIFFNESS 1500.0 /* N m/rad */
#define GB_GRASP_ELBOW_STIFFNESS 1000.0
#define GB_GRASP_LAG_S 0.05 /* damping / stiffness of every joint */

#define GB_GRASP_HEIGHT_M 0.15 /* to lift, and hold for */
#define GB_GRASP_HOLD_S 0.5
#define GB_GRASP_GRIP_LOW_N (-10.0) /* negative opens */
#define GB_GRASP_GRIP_HIGH_N 60.0

/* An observation, as flat as the streams: X(field, numbers), in their order. */
#define GB_GRASP_OBSERVATION(X)                                                                    \
    X(arm_position, 5)     /* rad */                                                               \
    X(arm_velocity, 5)     /* rad/s */                                                             \
    X(hand_position, 3)    /* m, between the pads */                                               \
    X(hand_rotation, 4)    /* w x y z; x points out of the hand, y from right to left finger */    \
    X(hand_opening, 1)     /* m between the pads */                                                \
    X(hand_grip, 1)        /* N, as commanded last */                                              \
    X(touch_normal, 2)     /* N: left, right */                                                    \
    X(touch_tangential, 2) /* N: how the object pulls the pads along x of the hand */              \
    X(touch_slip, 2)       /* m/s: how fast it slides that way */                                  \
    X(object_position, 3)  /* m, its centre: what a camera says */                                 \
    X(object_rotation, 4)                                                                          \
    X(object_size, 3)   /* m */                                                                    \
    X(object_offset, 3) /* m, the same centre from the hand, along the hand's axes */              \
    X(object_turn, 1)   /* rad, from the fingers to the faces that they will meet */

typedef struct gb_grasp_observation {
#define GB_GRASP_FIELD(name, count) double name[count];
    GB_GRASP_OBSERVATION(GB_GRASP_FIELD)
#undef GB_GRASP_FIELD
} gb_grasp_observation;

typedef struct gb_grasp_action {
    double joints[GB_GRASP_JOINTS]; /* rad */
    double grip_n;
} gb_grasp_action;

#define GB_GRASP_OBSERVATION_SIZE ((int)(sizeof(gb_grasp_observation) / sizeof(double)))
#define GB_GRASP_ACTION_SIZE ((int)(sizeof(gb_grasp_action) / sizeof(double)))

extern const gb_plant_info gb_grasp_info;
/* Joint limits, as declared for the action. */
extern const double gb_grasp_joints_low[GB_GRASP_JOINTS], gb_grasp_joints_high[GB_GRASP_JOINTS];

/* The hand's place between the pads and its rotation from joint angles. */
void gb_grasp_forward(const double *joints, double position[3], double rotation[4]);
/* Joints that bring the hand to `position`, pointing down, its closing axis turned by yaw_rad about
 * the vertical (0: along y). Out of reach: stretched towards it. */
void gb_grasp_inverse(const double position[3], double yaw_rad, double *joints);
/* How far a hand that points down must turn about the vertical until its fingers face
 * the object's two sides across y: -pi/2 .. pi/2. */
double gb_grasp_turn(const double *joints, const double rotation[4]);

/* What to do when this is observed; remembers nothing. */
void gb_grasp_teach(const gb_grasp_observation *seen, gb_grasp_action *out);

int gb_grasp_draw(const double *observation,
                  const double *action,
                  gb_plant_shape *shapes,
                  int capacity);

#endif
