/* control/envelope_limiter.c: the next command of one column. Whatever is proposed, the command
 * keeps position, velocity, acceleration and jerk limits, in this tick and in all that follow: a
 * move is taken only together with a stop inside the limits, and the stop of the move before is
 * there when no other is. It knows nothing of other columns, sensors or time. */
#include "control/envelope_axis.h"

#include <math.h>

enum {
    HALVINGS = 14 /* of the range of moves: finds the best to a 16,000th of it */
};

gb_axis_state gb_axis_rest(double x)
{
    return (gb_axis_state){.x = x, .stop = {.end = x, .low = x, .high = x}};
}

bool gb_axis_resting(const gb_axis_state *state)
{
    return state->d1 == 0.0 && state->d2 == 0.0;
}

static double clamp(double value, double low, double high)
{
    return fmin(fmax(value, low), high);
}

/* The differences once `top` has been applied for a tick; *to is all zero before. */
static void
advance(const gb_axis_limits *limits, const gb_axis_state *from, double top, gb_axis_state *to)
{
    switch (limits->order) {
    case 3:
        to->d2 = from->d2 + top;
        to->d1 = from->d1 + to->d2;
        break;
    case 2:
        to->d2 = top;
        to->d1 = from->d1 + to->d2;
        break;
    default:
        to->d1 = top;
    }
    to->x = from->x + to->d1;
}

double
gb_axis_top(const gb_axis_limits *limits, const gb_axis_state *state, const gb_axis_state *next)
{
    switch (limits->order) {
    case 3:
        return next->d2 - state->d2;
    case 2:
        return next->d2;
    default:
        return next->d1;
    }
}

gb_axis_state gb_axis_follow(const gb_axis_limits *limits, const gb_axis_state *state)
{
    gb_axis_state next = {.stop = state->stop};
    int phase = 0;
    while (phase < 3 && state->stop.ticks[phase] == 0)
        phase++;
    if (phase == 3) /* at rest */
        return gb_axis_rest(state->x);
    next.stop.ticks[phase]--;
    advance(limits, state, state->stop.top[phase], &next);
    bool last = next.stop.ticks[0] + next.stop.ticks[1] + next.stop.ticks[2] == 0;
    if (last) /* what is left in the differences is rounding */
        next.d1 = next.d2 = 0.0;
    next.x = clamp(next.x, limits->low, limits->high); /* rounding, too */
    return next;
}

/* Whether a state may follow another, and a stop from it that keeps the limits. */
static bool settle(const gb_axis_limits *limits, const gb_axis_state *from, gb_axis_state *to)
{
    if (limits->order >= 2 && !(fabs(to->d2) <= limits->most[2]))
        return false;
    if (limits->order >= 3 && !(fabs(to->d2 - from->d2) <= limits->most[3]))
        return false;
    gb_axis_stop stop;
    if (!gb_axis_stop_find(limits, to->x, to->d1, to->d2, &stop))
        return false;
    /* The state itself is the stop's first point. */
    if (!(stop.low >= limits->low && stop.high <= limits->high))
        return false;
    if (limits->order >= 1 && !(stop.peak <= limits->most[1]))
        return false;
    to->stop = stop;
    return true;
}

bool gb_axis_apply(const gb_axis_limits *limits,
                   const gb_axis_state *state,
                   double top,
                   gb_axis_state *out)
{
    gb_axis_state next = {0};
    advance(limits, state, top, &next);
    if (!settle(limits, state, &next))
        return false;
    *out = next;
    return true;
}

/* The move that ends exactly at `target`. */
static gb_axis_state direct(const gb_axis_state *state, double target)
{
    double d1 = target - state->x;
    return (gb_axis_state){.x = target, .d1 = d1, .d2 = d1 - state->d1};
}

static uint32_t
reasons(const gb_axis_limits *limits, const gb_axis_state *from, const gb_axis_state *to)
{
    uint32_t bits = 0;
    if (!(to->x >= limits->low && to->x <= limits->high))
        bits |= 1u << limits->reason[0];
    if (limits->order >= 1 && fabs(to->d1) > limits->most[1])
        bits |= 1u << limits->reason[1];
    if (limits->order >= 2 && fabs(to->d2) > limits->most[2])
        bits |= 1u << limits->reason[2];
    if (limits->order >= 3 && fabs(to->d2 - from->d2) > limits->most[3])
        bits |= 1u << limits->reason[3];
    /* Within all of them: a stop from there would leave the range. */
    return bits ? bits : 1u << limits->reason[0];
}

/* Where the column would rest, in coordinates that move along with the target. */
static double aim(const gb_axis_limits *limits, const gb_axis_state *state, double lead)
{
    gb_axis_stop stop;
    if (lead != 0.0 && limits->order >= 2 &&
        gb_axis_stop_find(limits, state->x, state->d1 - lead, state->d2, &stop))
        return stop.end;
    return state->stop.end;
}

/* The largest |top| in the direction `sign` that the differences allow. */
static double furthest(const gb_axis_limits *limits, const gb_axis_state *state, double sign)
{
    double d1 = sign * state->d1, d2 = sign * state->d2;
    if (limits->order == 1)
        return sign * limits->most[1];
    if (limits->order == 2)
        return sign * fmin(limits->most[2], limits->most[1] - d1);
    return sign * fmin(limits->most[3], fmin(limits->most[2] - d2, limits->most[1] - d1 - d2));
}

/* Allowed, not beyond the target, and not faster than `slow` wants. */
static bool is_good(const gb_axis_limits *limits,
                    const gb_axis_state *state,
                    double top,
                    double sign,
                    double target,
                    double lead,
                    double slow,
                    gb_axis_state *out)
{
    gb_axis_state next;
    if (!gb_axis_apply(limits, state, top, &next))
        return false;
    if (sign * (aim(limits, &next, lead) - target) > 0.0)
        return false;
    if (next.stop.peak > slow * limits->most[1])
        return false;
    *out = next;
    return true;
}

uint32_t gb_axis_choose(const gb_axis_limits *limits,
                        const gb_axis_state *state,
                        double target,
                        double lead,
                        double slow,
                        gb_axis_state *out)
{
    gb_axis_state next = direct(state, target);
    bool slowed = limits->order >= 1 && slow < 1.0 && fabs(next.d1) > slow * limits->most[1];
    if (!slowed && settle(limits, state, &next)) {
        *out = next;
        return 0;
    }
    uint32_t why = slowed ? 0 : reasons(limits, state, &next);
    double wanted = clamp(target, limits->low, limits->high);
    if (limits->order == 0) {
        *out = gb_axis_rest(wanted);
        return why;
    }
    gb_axis_state safe = gb_axis_follow(limits, state);
    double safe_top = gb_axis_top(limits, state, &safe);
    double sign = aim(limits, &safe, lead) < wanted ? 1.0 : -1.0;
    double good = safe_top, bad = furthest(limits, state, sign);
    *out = safe;
    if (is_good(limits, state, bad, sign, wanted, lead, slow, out))
        return why;
    for (int i = 0; i < HALVINGS; i++) {
        double middle = good + (bad - good) / 2.0;
        if (is_good(limits, state, middle, sign, wanted, lead, slow, out))
            good = middle;
        else
            bad = middle;
    }
    return why;
}
