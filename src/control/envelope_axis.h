/* control/envelope_axis.h: one column of a command and its limits in discrete time. Position,
 * velocity, acceleration and jerk hold together in every tick because each command is chosen from
 * those after which a stop inside all limits is still known (docs/safety.md proves it). Private to
 * the envelope.
 *
 * Inside, time is counted in ticks: d1, d2 and d3 are the first, second and third difference of the
 * sequence of commands, and a limit on them is the declared one times tick^1, ^2 and ^3. The
 * highest limited difference, `top`, is what is chosen freely each tick. */
#ifndef GENBA_CONTROL_ENVELOPE_AXIS_H
#define GENBA_CONTROL_ENVELOPE_AXIS_H

#include "genba/envelope.h"

typedef struct gb_axis_limits {
    double low, high;   /* of the command */
    double most[4];     /* of |d1|, |d2|, |d3| at 1, 2, 3; [0] unused */
    int order;          /* how many of them are limited: 0..3 */
    gb_limit reason[4]; /* what a violation of low or high, d1, d2, d3 is called */
} gb_axis_limits;

/* A way to rest: phases of constant top; every difference is zero afterwards. */
typedef struct gb_axis_stop {
    int ticks[3];
    double top[3];
    double end;       /* where it rests */
    double low, high; /* the furthest points on the way */
    double peak;      /* the largest |d1| on the way */
} gb_axis_stop;

/* The last command, its differences, and a stop from there that keeps all limits. */
typedef struct gb_axis_state {
    double x, d1, d2;
    gb_axis_stop stop;
} gb_axis_state;

/* A stop from (x, d1, d2) that keeps |d2| and |d3|; false when none of the forms tried does. Says
 * where it leads, and judges neither positions nor d1. */
bool gb_axis_stop_find(
    const gb_axis_limits *limits, double x, double d1, double d2, gb_axis_stop *out);

/* At rest at x, which must be within the limits. */
gb_axis_state gb_axis_rest(double x);
bool gb_axis_resting(const gb_axis_state *state);
/* One tick along the stop that `state` holds: always allowed. */
gb_axis_state gb_axis_follow(const gb_axis_limits *limits, const gb_axis_state *state);
/* The `top` that leads from one state to the next. */
double
gb_axis_top(const gb_axis_limits *limits, const gb_axis_state *state, const gb_axis_state *next);
/* Where the stop of `state` is after so many ticks. */
double gb_axis_stop_at(const gb_axis_limits *limits, const gb_axis_state *state, double ticks);
/* The state after `top` is applied for a tick; false when it breaks a limit, or no stop inside the
 * limits is found from there. */
bool gb_axis_apply(const gb_axis_limits *limits,
                   const gb_axis_state *state,
                   double top,
                   gb_axis_state *out);
/* Moves towards `target`, finite: reaches it in this tick when that is allowed (*out has x ==
 * target, returns 0), else the best move that was found, and the gb_limit bits that are in the way.
 * `lead` is how far the target itself moves in a tick, `slow` 0..1 scales the highest |d1|. */
uint32_t gb_axis_choose(const gb_axis_limits *limits,
                        const gb_axis_state *state,
                        double target,
                        double lead,
                        double slow,
                        gb_axis_state *out);

#endif
