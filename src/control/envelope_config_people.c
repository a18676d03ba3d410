/* control/envelope_config_people.c: the section "people" of an envelope file: can the machine brake
 * in time for the distance that is declared? */
#include "control/envelope_check.h"

#include <math.h>

static gb_status check_people_numbers(const gb_place *p, const gb_raw_people *raw)
{
    GB_TRY(gb_check_positive(p, "separation", raw->separation));
    GB_TRY(gb_check_positive(p, "person_speed", raw->person_speed));
    GB_TRY(gb_check_positive(p, "reaction_ms", raw->reaction_ms));
    GB_TRY(gb_check_positive(p, "braking", raw->braking));
    if (raw->standing)
        GB_TRY(gb_check_positive(p, "standing", *raw->standing));
    return raw->footprint ? gb_check_positive(p, "footprint", *raw->footprint) : GB_OK;
}

/* The distance is only as new as its sensor is allowed to be, and a jerk limit delays braking. */
static gb_status check_reaction(const gb_envelope *envelope, const gb_place *p)
{
    const gb_people_rule *rule = &envelope->people;
    double least_s = (double)envelope->tick_ns / 1e9;
    bool watched = false;
    for (int i = 0; i < envelope->sensor_count; i++)
        if (envelope->sensors[i].offset == rule->offset) {
            watched = true;
            least_s += (double)envelope->sensors[i].max_age_ns / 1e9;
        }
    if (!watched)
        return GB_CHECK_FAIL(p, "distance",
                             "stream %s keeps people safe, so it must be watched: add it to "
                             "\"sensors\" with its max_age_ms",
                             p->stream);
    double ramp_s = 0.0;
    for (int i = rule->column; i < rule->column + rule->columns; i++) {
        const gb_axis_limits *l = &envelope->limits[i];
        if (l->order >= 2 && rule->constant == 0.0)
            ramp_s = fmax(ramp_s, 2.0 * l->most[1] / l->most[2] * (double)envelope->tick_ns / 1e9);
    }
    if (rule->reaction_s + 1e-9 < least_s + ramp_s)
        return GB_CHECK_FAIL(
            p, "reaction_ms",
            "%g ms cannot be kept: the distance may be old, the tick comes after it, and "
            "jerk delays braking: at least %g ms",
            rule->reaction_s * 1e3, (least_s + ramp_s) * 1e3);
    return GB_OK;
}

/* Velocities are slowed as people come near, and must be able to brake as declared. */
static gb_status check_braking(const gb_envelope *envelope, const gb_place *p)
{
    const gb_people_rule *rule = &envelope->people;
    double tick_s = (double)envelope->tick_ns / 1e9;
    for (int i = rule->column; i < rule->column + rule->columns; i++) {
        const gb_axis_limits *l = &envelope->limits[i];
        if (rule->columns > 1 && l->order > 1)
            return GB_CHECK_FAIL(
                p, "speed_of",
                "several columns must brake in proportion, and a jerk limit stands "
                "in the way: remove \"jerk\" of that stream");
        double most = l->order == 0 ? INFINITY : l->most[1] / tick_s * rule->sum_per_unit;
        if (rule->braking > most * (1.0 + 1e-9))
            return GB_CHECK_FAIL(p, "braking",
                                 "%g cannot be kept: the acceleration limit allows %g at most",
                                 rule->braking, most);
    }
    return GB_OK;
}

/* Positions stop at one distance, for the highest speed and the longest stop there can be. */
static gb_status set_constant(gb_envelope *envelope, const gb_place *p)
{
    gb_people_rule *rule = &envelope->people;
    double tick_s = (double)envelope->tick_ns / 1e9, speed = 0.0, stop_s = 0.0;
    for (int i = 0; i < rule->columns; i++) {
        const gb_axis_limits *l = &envelope->limits[rule->column + i];
        if (l->order < 2)
            return GB_CHECK_FAIL(
                p, "speed_of",
                "stream %s needs \"velocity\" and \"acceleration\" limits, or nobody knows "
                "how far it goes before it stops",
                p->stream);
        speed += fabs(rule->per_unit[i]) * l->most[1] / tick_s;
        double ramp = l->order == 3 ? 2.0 * l->most[2] / l->most[3] : 0.0;
        stop_s = fmax(stop_s, (l->most[1] / l->most[2] + ramp + 3.0) * tick_s);
    }
    rule->constant = rule->person_speed * (rule->reaction_s + stop_s) +
                     speed * (rule->reaction_s + stop_s) + rule->separation;
    return GB_OK;
}

gb_status
gb_envelope_configure_people(gb_envelope *envelope, const char *path, const gb_raw_people *raw)
{
    const gb_plant_info *machine = envelope->machine;
    gb_place p = {.path = path,
                  .key = "people",
                  .stream = raw->distance,
                  .unit = raw->unit,
                  .arena = envelope->arena};
    gb_people_rule *rule = &envelope->people;
    int offset = 0;
    const gb_plant_stream *stream = gb_plant_observation_stream(machine, raw->distance, &offset);
    if (!stream)
        return gb_check_fail_stream(&p, "distance", raw->distance, machine->observation_streams,
                                    machine->observation_stream_count, "observation");
    GB_TRY(gb_check_unit(&p, stream, raw->unit));
    GB_TRY(check_people_numbers(&p, raw));
    *rule = (gb_people_rule){.on = true,
                             .offset = offset,
                             .size = stream->size,
                             .footprint = raw->footprint ? *raw->footprint : 0.0,
                             .separation = raw->separation,
                             .person_speed = raw->person_speed,
                             .reaction_s = raw->reaction_ms / 1e3,
                             .braking = raw->braking,
                             .standing = raw->standing ? *raw->standing : 0.0};
    const gb_plant_stream *moves = gb_plant_action_stream(machine, raw->speed_of, &rule->column);
    if (!moves)
        return gb_check_fail_stream(&p, "speed_of", raw->speed_of, machine->action_streams,
                                    machine->action_stream_count, "action");
    rule->columns = moves->size;
    double *per_unit;
    p.stream = raw->speed_of;
    GB_TRY(gb_check_spread(&p, "per_unit", raw->metres, raw->metres_count, moves->size, &per_unit));
    rule->per_unit = per_unit;
    for (int i = 0; i < rule->columns; i++)
        rule->sum_per_unit += fabs(per_unit[i]);
    GB_TRY(gb_check_positive(&p, "per_unit", rule->sum_per_unit));
    const gb_command_rule *command = envelope->rules;
    while (command->offset != rule->column)
        command++;
    if (command->kind == GB_COMMAND_FORCE)
        return GB_CHECK_FAIL(
            &p, "speed_of", "stream %s is a force; nobody knows the speed it gives", raw->speed_of);
    if (command->kind == GB_COMMAND_POSITION)
        GB_TRY(set_constant(envelope, &p));
    else
        GB_TRY(check_braking(envelope, &p));
    p.stream = raw->distance;
    return check_reaction(envelope, &p);
}
