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

/* S of a machine at rest. */
static double at_rest(const gb_people_rule *rule)
{
    return rule->person_speed * rule->reaction_s + rule->separation;
}

/* Nearer than this it must not move at all. Where a standing speed is declared it may still turn
 * and creep below it, down to the separation itself. */
static double stop_distance(const gb_people_rule *rule)
{
    if (rule->constant > 0.0)
        return rule->constant;
    return rule->standing > 0.0 ? rule->separation : at_rest(rule);
}

uint32_t
gb_envelope_people(const gb_envelope *envelope, const gb_envelope_input *input, gb_margin *margin)
{
    const gb_people_rule *rule = &envelope->people;
    if (!rule->on)
        return 0;
    double gap = nearest(rule, input), need = stop_distance(rule);
    gb_margin_take(margin, (gap - need) / need, GB_LIMIT_SEPARATION, -1);
    return gap < need ? GB_BIT(GB_LIMIT_SEPARATION) : 0;
}

bool gb_envelope_may_retreat(const gb_envelope *envelope, const gb_envelope_input *input)
{
    const gb_people_rule *rule = &envelope->people;
    return !rule->on || (envelope->distance_good && nearest(rule, input) >= stop_distance(rule));
}

/* ---- machines that are driven by velocities
 * ------------------------------------------------------
 */

static bool is_driven(const gb_people_rule *rule)
{
    return rule->on && rule->constant == 0.0;
}

/* Speed of the machine and largest |c| of a command. */
typedef struct motion {
    double speed, largest;
} motion;

static void add_column(motion *m, const gb_people_rule *rule, int i, double c)
{
    m->speed += rule->per_unit[i] * c;
    m->largest = fmax(m->largest, fabs(c));
}

/* S - at_rest of the motion scaled by s is linear s + square s^2. */
static void protective(const gb_people_rule *rule, motion m, double *linear, double *square)
{
    double stop_s = m.largest * rule->sum_per_unit / rule->braking;
    *linear = rule->person_speed * stop_s + fabs(m.speed) * rule->reaction_s;
    *square = fabs(m.speed) * stop_s / 2.0;
}

double gb_envelope_slow(const gb_envelope *envelope, const gb_envelope_input *input)
{
    const gb_people_rule *rule = &envelope->people;
    if (!is_driven(rule))
        return INFINITY;
    motion m = {0.0, 0.0};
    for (int i = 0; i < rule->columns; i++) {
        const gb_axis_limits *limits = &envelope->limits[rule->column + i];
        double c = input->proposal[rule->column + i]; /* what the limiter would make of it: */
        add_column(&m, rule, i, fmin(fmax(c, limits->low), limits->high));
    }
    double speed = fabs(m.speed), linear, square;
    if (speed <= rule->standing)
        return INFINITY;
    protective(rule, m, &linear, &square);
    double room = fmax(0.0, nearest(rule, input) - at_rest(rule));
    double part = 2.0 * room / (linear + sqrt(linear * linear + 4.0 * square * room));
    return fmax(part, rule->standing / speed);
}

bool gb_envelope_too_fast(const gb_envelope *envelope, const gb_envelope_input *input)
{
    const gb_people_rule *rule = &envelope->people;
    if (!is_driven(rule))
        return false;
    motion m = {0.0, 0.0};
    for (int i = 0; i < rule->columns; i++)
        add_column(&m, rule, i, envelope->next[rule->column + i].x);
    double linear, square;
    protective(rule, m, &linear, &square);
    return fabs(m.speed) > rule->standing * (1.0 + 1e-9) &&
           at_rest(rule) + linear + square > nearest(rule, input) + 1e-9;
}

void gb_envelope_brake(gb_envelope *envelope)
{
    const gb_people_rule *rule = &envelope->people;
    if (!is_driven(rule))
        return;
    double largest = 0.0, step = INFINITY;
    for (int i = rule->column; i < rule->column + rule->columns; i++) {
        largest = fmax(largest, fabs(envelope->axes[i].x));
        step = fmin(step, envelope->limits[i].order > 0 ? envelope->limits[i].most[1] : INFINITY);
    }
    /* One column brakes as its own limits let it; several in proportion, so that the way is kept:
     * they have no jerk limit (envelope_config_people.c). */
    double part = rule->columns > 1 ? fmax(0.0, 1.0 - step / largest) : 0.0;
    for (int i = rule->column; i < rule->column + rule->columns; i++)
        (void)gb_axis_choose(&envelope->limits[i], &envelope->axes[i], part * envelope->axes[i].x,
                             0.0, 1.0, &envelope->next[i]);
}
