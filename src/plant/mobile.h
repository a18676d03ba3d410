/* plant/mobile.h: what the files of the mobile robot share: the warehouse's map and the way through
 * it, the people, the LiDAR, the machine. Metres, radians, seconds; x to the right, y up, the
 * origin in the middle of the floor. Private to the room. */
#ifndef GENBA_PLANT_MOBILE_H
#define GENBA_PLANT_MOBILE_H

#include "genba/plant.h"
#include "plant/mujoco.h"

#define GB_MOBILE_HALF_X_M 7.0 /* the floor: 14 m x 9 m between four walls */
#define GB_MOBILE_HALF_Y_M 4.5
#define GB_MOBILE_ROBOT_RADIUS_M 0.25
#define GB_MOBILE_PERSON_RADIUS_M 0.25
#define GB_MOBILE_WHEEL_RADIUS_M 0.1
#define GB_MOBILE_TRACK_M 0.4 /* between the wheels */
#define GB_MOBILE_WHEEL_MAX_RAD_S 10.0
#define GB_MOBILE_GOAL_RADIUS_M 0.3
#define GB_MOBILE_TICK_S 0.02
#define GB_MOBILE_WAYPOINT_NEAR_M 0.8 /* of the route, as observed */
#define GB_MOBILE_WAYPOINT_FAR_M 2.0

/* Speed and separation monitoring in the sense of ISO/TS 15066, 5.5.4. Distances are gaps: from the
 * robot's hull to a person's. The declared separation is kept whenever the robot moves faster than
 * a crawl. To be at rest before it is reached, whatever the person does, a robot that moves at v
 * needs the protective gap (equation 3 of 5.5.4.2.3 for a person who walks straight at it)
 *   person (reaction + v / brake) + v reaction + v^2 / (2 brake) + separation. */
#define GB_MOBILE_SEPARATION_M 0.4
#define GB_MOBILE_CRAWL_M_S 0.1
#define GB_MOBILE_PERSON_M_S 1.6 /* ISO 13855's walking speed; the people here stay below 1.4 */
#define GB_MOBILE_REACTION_S 0.25
#define GB_MOBILE_BRAKE_M_S2 1.8

/* The fastest that leaves the protective gap; 0 when none does. */
double gb_mobile_allowed_speed(double gap_m);

/* ---- the map ----------------------------------------------------------------------------------
 */

typedef struct gb_mobile_rack {
    double x, y, half_x, half_y;
} gb_mobile_rack;

#define GB_MOBILE_RACKS_MAX 14
#define GB_MOBILE_LAYOUTS 5
#define GB_MOBILE_LAYOUT_SIZE 4

/* layout: which arrangement 0..LAYOUTS-1, distance of rows, width of the passages across them,
 * shift along x. What the stream map.layout holds, within its limits. */
typedef struct gb_mobile_map {
    double layout[GB_MOBILE_LAYOUT_SIZE];
    int rack_count;
    gb_mobile_rack racks[GB_MOBILE_RACKS_MAX];
} gb_mobile_map;

extern const double gb_mobile_layout_low[GB_MOBILE_LAYOUT_SIZE];
extern const double gb_mobile_layout_high[GB_MOBILE_LAYOUT_SIZE];
void gb_mobile_map_build(const double *layout, gb_mobile_map *out);
/* From a point to the nearest rack or wall; negative inside one or outside the floor. */
double gb_mobile_clearance(const gb_mobile_map *map, double x, double y);

/* ---- ways: the time to a goal from everywhere, by fast marching ---------------------------------
 */

#define GB_MOBILE_CELL_M 0.125
#define GB_MOBILE_CELLS_X 112
#define GB_MOBILE_CELLS_Y 72
#define GB_MOBILE_CELLS (GB_MOBILE_CELLS_X * GB_MOBILE_CELLS_Y)
#define GB_MOBILE_BLOCKED 1e6f

/* slowness: what a metre costs in each cell, 1 in the open, more beside racks, BLOCKED within
 * them. */
typedef struct gb_mobile_grid {
    float slowness[GB_MOBILE_CELLS];
} gb_mobile_grid;

typedef struct gb_mobile_front { /* a cell that was reached and is not settled */
    float cost;
    int cell;
} gb_mobile_front;

typedef struct gb_mobile_field {
    float cost[GB_MOBILE_CELLS]; /* to the goal; BLOCKED where none leads there */
    double goal_x, goal_y;
    gb_mobile_front heap[GB_MOBILE_CELLS]; /* work space */
    int place[GB_MOBILE_CELLS], heap_count;
} gb_mobile_field;

void gb_mobile_grid_build(const gb_mobile_map *map, gb_mobile_grid *out);
/* Sethian 1996, "A fast marching level set method for monotonically advancing fronts". */
void gb_mobile_field_solve(const gb_mobile_grid *grid, double x, double y, gb_mobile_field *out);
/* The same as far as the place (until_x, until_y) and a little beyond (farther off costs are too
 * high or BLOCKED), from the field of a grid that was nowhere dearer: its costs below `kept_below`,
 * at most the least of a cell that grew dearer, are taken as they are. */
void gb_mobile_field_solve_again(const gb_mobile_field *known,
                                 float kept_below,
                                 const gb_mobile_grid *grid,
                                 double until_x,
                                 double until_y,
                                 gb_mobile_field *out);
double gb_mobile_field_cost(const gb_mobile_field *field, double x, double y);
/* Walks length_m down the field from (x, y), or to the goal. */
void gb_mobile_field_descend(const gb_mobile_field *field, double length_m, double *x, double *y);

/* ---- people -----------------------------------------------------------------------------------
 */

#define GB_MOBILE_PEOPLE_MAX 3
#define GB_MOBILE_PATH_MAX 160
#define GB_MOBILE_PATH_STEP_M 0.25

/* A person walks to and fro along a path at their own speed and does not give way to a robot that
 * moves. Only for one that stands in front of them do they step aside, as round a parked trolley;
 * where there is no room they wait and turn back. */
typedef struct gb_mobile_person {
    double x, y, heading_rad; /* where they are and walk to */
    double vx, vy;
    double speed_m_s;
    double along_m, aside_m, waited_s;
    int direction; /* +1, -1 along the path */
    int path_count;
    double path[GB_MOBILE_PATH_MAX][2]; /* PATH_STEP_M apart */
} gb_mobile_person;

/* Sets a person on their way; along_m, direction and speed_m_s are given. */
void gb_mobile_person_place(gb_mobile_person *person);
void gb_mobile_person_walk(gb_mobile_person *person,
                           const gb_mobile_map *map,
                           double robot_x,
                           double robot_y,
                           double seconds);

/* ---- LiDAR ------------------------------------------------------------------------------------
 */

#define GB_MOBILE_BEAMS 360
#define GB_MOBILE_RANGE_M 8.0
#define GB_MOBILE_SECTORS 36
/* A return this near to something on the map is explained by it: what range and localisation may be
 * wrong by, at the largest. */
#define GB_MOBILE_EXPLAINED_M 0.25

typedef struct gb_mobile_circle {
    double x, y, radius;
} gb_mobile_circle;

/* Exact ranges from (x, y): beam i points at heading + i degrees, counterclockwise. RANGE_M where
 * nothing is nearer. */
void gb_mobile_cast(const gb_mobile_map *map,
                    const gb_mobile_circle *circles,
                    int circle_count,
                    double x,
                    double y,
                    double heading_rad,
                    double *ranges);
/* What drivers make of a scan. sectors [SECTORS]: 1 / (the nearest range of ten beams, 5 either
 * side of the sector's middle at its number x 10 degrees). people [SECTORS]: the same of returns
 * that the map does not explain from the pose that the robot believes in, 0 without one. *gap: from
 * the hull to the nearest of those, RANGE_M without one. */
void gb_mobile_read_scan(const gb_mobile_map *map,
                         const double *ranges,
                         const double pose[3],
                         double *sectors,
                         double *people,
                         double *gap);
/* Whether a straight line from a to b passes no rack. */
bool gb_mobile_visible(const gb_mobile_map *map, double ax, double ay, double bx, double by);

/* ---- the machine ------------------------------------------------------------------------------
 */

#define GB_MOBILE_DELAY_MAX 2

/* Streams of random numbers under an episode's seed. */
enum {
    GB_MOBILE_DRAW_LAYOUT,
    GB_MOBILE_DRAW_PLACES,
    GB_MOBILE_DRAW_TRAITS,
    GB_MOBILE_DRAW_PEOPLE,
    GB_MOBILE_DRAW_RANGE, /* the sensors' noise: numbers by tick */
    GB_MOBILE_DRAW_DROPOUT,
    GB_MOBILE_DRAW_STATE
};

typedef struct gb_mobile_traits { /* drawn anew for each episode */
    double mass_kg, friction, drag;
    double wheel_scale[2]; /* true radius / nominal, left and right */
    int delay_ticks;
    double range_noise_m, position_noise_m, heading_noise_rad, wheel_noise_rad_s, dropout;
} gb_mobile_traits;

typedef struct gb_mobile {
    gb_mujoco physics;
    uint64_t seed;
    int64_t ticks;
    gb_mobile_map map;
    gb_mobile_grid grid;
    gb_mobile_field route; /* to the goal over the known map; people are not on it */
    gb_mobile_traits traits;
    double goal[2], start_cost;
    double x, y, heading_rad, vx, vy, turn_rad_s; /* true, copied from the physics */
    double wheel_rad_s[2];                        /* left, right */
    double delayed[GB_MOBILE_DELAY_MAX + 1][2];
    int person_count;
    gb_mobile_person people[GB_MOBILE_PEOPLE_MAX];
    const char *verdict;
    double nearest_m; /* gap to a person, the least while the robot moved; for tests */
    /* The teacher's memory and work space. */
    double taught_speed, taught_turn;
    gb_mobile_grid plan_grid;
    gb_mobile_field plan;
} gb_mobile;

/* A machine of middling traits, and no noise. */
void gb_mobile_traits_nominal(gb_mobile_traits *out);
/* Draws layout, goal, start, people and traits. */
GB_MUST gb_status gb_mobile_draw_episode(gb_mobile *machine);
/* From hull to hull, negative when they overlap. */
double gb_mobile_gap(const gb_mobile *machine, const gb_mobile_person *person);
/* Moves robot, racks and people of the physics to where they are. */
void gb_mobile_place(gb_mobile *machine);
/* The true scan, without noise. */
void gb_mobile_true_scan(const gb_mobile *machine, double *ranges);
void gb_mobile_teach(void *context, double *action);

/* Where each stream starts in an observation. */
enum {
    GB_MOBILE_AT_RANGES = 0,
    GB_MOBILE_AT_SECTORS = GB_MOBILE_AT_RANGES + GB_MOBILE_BEAMS,
    GB_MOBILE_AT_PEOPLE = GB_MOBILE_AT_SECTORS + GB_MOBILE_SECTORS,
    GB_MOBILE_AT_GAP = GB_MOBILE_AT_PEOPLE + GB_MOBILE_SECTORS,
    GB_MOBILE_AT_GOAL = GB_MOBILE_AT_GAP + 1,
    GB_MOBILE_AT_WAYPOINT = GB_MOBILE_AT_GOAL + 3,
    GB_MOBILE_AT_POSITION = GB_MOBILE_AT_WAYPOINT + 4,
    GB_MOBILE_AT_HEADING = GB_MOBILE_AT_POSITION + 2,
    GB_MOBILE_AT_WHEELS = GB_MOBILE_AT_HEADING + 1,
    GB_MOBILE_AT_LAYOUT = GB_MOBILE_AT_WHEELS + 2,
    GB_MOBILE_OBSERVATION_SIZE = GB_MOBILE_AT_LAYOUT + GB_MOBILE_LAYOUT_SIZE
};

extern const gb_plant_info gb_mobile_info;
int gb_mobile_draw(const double *observation,
                   const double *action,
                   gb_plant_shape *shapes,
                   int capacity);

#endif
