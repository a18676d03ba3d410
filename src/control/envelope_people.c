/* control/envelope_people.c: speed and separation monitoring after ISO/TS 15066, 5.5.4: slow enough
 * to be at rest before a person can have come closer than declared. It reads one distance stream
 * and the proposed command; who is a person and how far is that stream's business.
 *
 * A command c moves the machine at v = |sum of per_unit c|. Braked in proportion, so that the way
 * is kept, all its columns are at rest after T_s = max |c| (sum of |per_unit|) / braking, and with
 * T_r the reaction time the protective distance (5.5.4.2.3, equation 3) is
 *     S = v_h (T_r + T_s) + v T_r + v T_s / 2 + C + Z_d + Z_r. */
#include "control/envelope.h"

#include <math.h>

static double nearest(const gb_people_rule *rule, const gb_envelope_input *input)
{
    double least = input->observation->values[rule->offset];
    for (int i = 1; i < rule->size; i++)
        least = fmin(least, input->observation->values[rule->offset + i]);
    return least - rule->footprint;
}

/* The distance that a machine at rest needs. */
static double at_rest(const gb_people_rule *rule)
{
    return rule->constant > 0.0 ? rule->constant
                                : rule->person_speed * rule->reaction_s + rule->separation;
}

uint32_t
gb_envelope_people(const gb_envelope *envelope, const gb_envelope_input *input, gb_margin *margin)
{
    const gb_people_rule *rule = &envelope->people;
    if (!rule->on)
        return 0;
    double gap = nearest(rule, input), need = at_rest(rule);
    gb_margin_take(margin, (gap - need) / need, GB_LIMIT_SEPARATION, -1);
    return gap < need ? GB_BIT(GB_LIMIT_SEPARATION) : 0;
}

double gb_envelope_slow(const gb_envelope *envelope, const gb_envelope_input *input)
{
    const gb_people_rule *rule = &envelope->people;
    if (!rule->on || rule->constant > 0.0)
        return 1.0;
    double speed = 0.0, largest = 0.0;
    for (int i = 0; i < rule->columns; i++) {
        double c = input->proposal[rule->column + i];
        const gb_axis_limits *limits = &envelope->limits[rule->column + i];
        c = fmin(fmax(c, limits->low), limits->high); /* what the limiter would make of it */
        speed += rule->per_unit[i] * c;
        largest = fmax(largest, fabs(c));
    }
    speed = fabs(speed);
    if (speed <= rule->standing)
        return 1.0;
    double stop_s = largest * rule->sum_per_unit / rule->braking;
    /* S of the command scaled by s is rest + s linear + s^2 square; the largest s with S <= gap. */
    double rest = at_rest(rule), room = nearest(rule, input) - rest;
    double linear = rule->person_speed * stop_s + speed * rule->reaction_s;
    double square = speed * stop_s / 2.0;
    double s = 2.0 * room / (linear + sqrt(linear * linear + 4.0 * square * fmax(0.0, room)));
    return fmin(1.0, fmax(s, rule->standing / speed));
}
