/* control/envelope_config.c: what an envelope file says, held against the machine it is for. Every
 * mistake names file, line, stream and unit and what to do; nothing moves before all fits. */
#include "control/envelope_check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- sensors ------------------------------------------------------------------------------------
 */

static gb_status configure_sensor(gb_envelope *envelope,
                                  gb_place *p,
                                  const gb_raw_sensor *raw,
                                  gb_sensor_rule *rule,
                                  gb_sensor_state *state)
{
    const gb_plant_info *machine = envelope->machine;
    int offset = 0;
    const gb_plant_stream *stream = gb_plant_observation_stream(machine, raw->stream, &offset);
    p->stream = raw->stream;
    p->unit = raw->unit;
    if (!stream)
        return gb_check_fail_stream(p, "stream", raw->stream, machine->observation_streams,
                                    machine->observation_stream_count, "observation");
    GB_TRY(gb_check_unit(p, stream, raw->unit));
    for (const gb_sensor_rule *r = envelope->sensors; r < rule; r++)
        if (r->offset == offset)
            return GB_CHECK_FAIL(p, "stream",
                                 "stream %s is watched already, by sensors[%d]; join the two",
                                 raw->stream, (int)(r - envelope->sensors));
    *rule = (gb_sensor_rule){.stream = (int)(stream - machine->observation_streams),
                             .offset = offset,
                             .size = stream->size,
                             .wrap = stream->wrap};
    GB_TRY(gb_check_to_ns(p, "max_age_ms", &raw->max_age_ms, 0, &rule->max_age_ns));
    GB_TRY(gb_check_to_ns(p, "stuck_ms", raw->stuck_ms, 0, &rule->stuck_ns));
    if (rule->max_age_ns < envelope->tick_ns)
        return GB_CHECK_FAIL(p, "max_age_ms",
                             "stream %s: %g ms is less than the servo's tick of %g ms; no "
                             "observation can be that young in every tick",
                             raw->stream, raw->max_age_ms, (double)envelope->tick_ns / 1e6);
    if (rule->stuck_ns > 0 && rule->stuck_ns < rule->max_age_ns)
        return GB_CHECK_FAIL(p, "stuck_ms",
                             "stream %s: stuck_ms must be at least max_age_ms (%g), or a "
                             "late sample counts as stuck",
                             raw->stream, raw->max_age_ms);
    double *low, *high, *step, *force;
    GB_TRY(gb_check_spread(p, "low", raw->low, raw->low_count, rule->size, &low));
    GB_TRY(gb_check_spread(p, "high", raw->high, raw->high_count, rule->size, &high));
    GB_TRY(gb_check_order(p, low, high, rule->size));
    GB_TRY(gb_check_spread_positive(p, "max_step", raw->max_step, raw->max_step_count, rule->size,
                                    &step));
    GB_TRY(gb_check_spread_positive(p, "max_force", raw->max_force, raw->max_force_count,
                                    rule->size, &force));
    rule->low = low;
    rule->high = high;
    rule->max_step = step;
    rule->force = force;
    state->last = gb_arena_alloc(p->arena, (size_t)rule->size * sizeof(double));
    return state->last ? GB_OK : gb_check_no_memory(p);
}

/* ---- commands -----------------------------------------------------------------------------------
 */

static gb_status refuse(const gb_place *p, const char *key, const double *given, const char *why)
{
    return given ? GB_CHECK_FAIL(p, key, "stream %s: %s", p->stream, why) : GB_OK;
}

/* The keys of limits on differences, first to third, for each kind. */
static gb_status check_kind(const gb_place *p, const gb_raw_command *raw)
{
    switch (raw->kind) {
    case GB_COMMAND_POSITION:
        GB_TRY(refuse(p, "rate", raw->rate, "\"rate\" is for forces; a position has \"velocity\""));
        if (raw->acceleration && !raw->velocity)
            return GB_CHECK_FAIL(p, "acceleration", "stream %s: give \"velocity\" too", p->stream);
        break;
    case GB_COMMAND_VELOCITY:
        GB_TRY(refuse(p, "velocity", raw->velocity,
                      "a velocity's own limits are \"low\" and \"high\"; remove \"velocity\""));
        GB_TRY(refuse(p, "rate", raw->rate, "\"rate\" is for forces; use \"acceleration\""));
        break;
    case GB_COMMAND_FORCE:
        if (raw->velocity || raw->acceleration || raw->jerk)
            return GB_CHECK_FAIL(
                p, "kind", "stream %s: a force has \"low\", \"high\" and \"rate\" only", p->stream);
        break;
    }
    if (raw->jerk && !raw->acceleration)
        return GB_CHECK_FAIL(p, "jerk", "stream %s: give \"acceleration\" too", p->stream);
    return GB_OK;
}

static void set_reasons(gb_axis_limits *limits, gb_command_kind kind)
{
    static const gb_limit reasons[][4] = {
        {GB_LIMIT_POSITION, GB_LIMIT_VELOCITY, GB_LIMIT_ACCELERATION, GB_LIMIT_JERK},
        {GB_LIMIT_VELOCITY, GB_LIMIT_ACCELERATION, GB_LIMIT_JERK, GB_LIMIT_JERK},
        {GB_LIMIT_FORCE, GB_LIMIT_FORCE, GB_LIMIT_FORCE, GB_LIMIT_FORCE},
    };
    memcpy(limits->reason, reasons[kind], sizeof limits->reason);
}

static gb_status check_machine_limits(const gb_place *p,
                                      const gb_plant_stream *stream,
                                      const double *low,
                                      const double *high)
{
    for (int i = 0; i < stream->size; i++) {
        if (stream->low && low[i] < stream->low[i])
            return GB_CHECK_FAIL(p, "low",
                                 "stream %s, column %d: %g is below the machine's own limit %g %s",
                                 p->stream, i, low[i], stream->low[i], p->unit);
        if (stream->high && high[i] > stream->high[i])
            return GB_CHECK_FAIL(p, "high",
                                 "stream %s, column %d: %g is above the machine's own limit %g %s",
                                 p->stream, i, high[i], stream->high[i], p->unit);
    }
    return GB_OK;
}

static gb_status configure_limits(gb_envelope *envelope,
                                  const gb_place *p,
                                  const gb_raw_command *raw,
                                  const gb_plant_stream *stream,
                                  gb_axis_limits *limits)
{
    double *low, *high, *d[4] = {0};
    int size = stream->size, first = raw->kind == GB_COMMAND_POSITION ? 1 : 0;
    GB_TRY(gb_check_spread(p, "low", raw->low, raw->low_count, size, &low));
    GB_TRY(gb_check_spread(p, "high", raw->high, raw->high_count, size, &high));
    GB_TRY(gb_check_order(p, low, high, size));
    GB_TRY(check_machine_limits(p, stream, low, high));
    GB_TRY(check_kind(p, raw));
    GB_TRY(gb_check_spread_positive(p, "rate", raw->rate, raw->rate_count, size, &d[1]));
    if (raw->kind == GB_COMMAND_POSITION)
        GB_TRY(gb_check_spread_positive(p, "velocity", raw->velocity, raw->velocity_count, size,
                                        &d[1]));
    if (raw->kind != GB_COMMAND_FORCE) {
        GB_TRY(gb_check_spread_positive(p, "acceleration", raw->acceleration,
                                        raw->acceleration_count, size, &d[1 + first]));
        GB_TRY(
            gb_check_spread_positive(p, "jerk", raw->jerk, raw->jerk_count, size, &d[2 + first]));
    }
    double tick_s = (double)envelope->tick_ns / 1e9;
    for (int i = 0; i < size; i++) {
        gb_axis_limits *l = &limits[i];
        *l = (gb_axis_limits){.low = low[i], .high = high[i]};
        for (int order = 1; order <= 3 && d[order]; order++) {
            l->order = order;
            l->most[order] = d[order][i] * pow(tick_s, order);
        }
        set_reasons(l, raw->kind);
        if (raw->kind != GB_COMMAND_POSITION && !(low[i] <= 0.0 && high[i] >= 0.0))
            return GB_CHECK_FAIL(p, "low",
                                 "stream %s, column %d: %g to %g %s leaves out 0, where it rests; "
                                 "it could never stop",
                                 p->stream, i, low[i], high[i], p->unit);
    }
    return GB_OK;
}

static gb_status configure_backup(const gb_place *p,
                                  const gb_raw_command *raw,
                                  const gb_axis_limits *limits,
                                  gb_command_rule *rule)
{
    bool position = raw->kind == GB_COMMAND_POSITION;
    const gb_raw_backup *backup = raw->backup;
    rule->backup = backup ? backup->kind : position ? GB_BACKUP_HOLD : GB_BACKUP_BRAKE;
    if (position && rule->backup == GB_BACKUP_BRAKE)
        return GB_CHECK_FAIL(p, "backup.kind",
                             "stream %s: a position holds or retreats; \"brake\" is for velocity "
                             "and force",
                             p->stream);
    if (raw->kind == GB_COMMAND_VELOCITY && rule->backup != GB_BACKUP_BRAKE)
        return GB_CHECK_FAIL(p, "backup.kind",
                             "stream %s: to hold a velocity is to go on; it can only \"brake\"",
                             p->stream);
    if (raw->kind == GB_COMMAND_FORCE && rule->backup == GB_BACKUP_RETREAT)
        return GB_CHECK_FAIL(p, "backup.kind",
                             "stream %s: a force has no posture to retreat to; it brakes to 0 or "
                             "holds (a gripper that must not drop what it has)",
                             p->stream);
    if (rule->backup != GB_BACKUP_RETREAT) {
        if (backup && (backup->to || backup->speed))
            return GB_CHECK_FAIL(p, "backup", "stream %s: \"to\" and \"speed\" are for a retreat",
                                 p->stream);
        return GB_OK;
    }
    double *to;
    GB_TRY(gb_check_spread(p, "backup.to", backup->to, backup->to_count, rule->size, &to));
    if (!to)
        return GB_CHECK_FAIL(p, "backup", "stream %s: say where to retreat: \"to: [...]\" (%s)",
                             p->stream, p->unit);
    for (int i = 0; i < rule->size; i++)
        if (!(to[i] >= limits[i].low && to[i] <= limits[i].high))
            return GB_CHECK_FAIL(p, "backup.to", "stream %s, column %d: %g is outside %g to %g %s",
                                 p->stream, i, to[i], limits[i].low, limits[i].high, p->unit);
    rule->retreat_to = to;
    if (backup->speed && !(*backup->speed > 0.0 && *backup->speed <= 1.0))
        return GB_CHECK_FAIL(p, "backup.speed",
                             "expected a part of the velocity limit, above 0, at most 1");
    if (backup->speed && limits[0].order == 0)
        return GB_CHECK_FAIL(p, "backup.speed", "stream %s has no \"velocity\" to take a part of",
                             p->stream);
    rule->retreat_slow = backup->speed ? *backup->speed : 1.0;
    return GB_OK;
}

static gb_status configure_from(const gb_envelope *envelope,
                                const gb_place *p,
                                const gb_raw_command *raw,
                                gb_command_rule *rule)
{
    const gb_plant_info *machine = envelope->machine;
    rule->from = -1;
    if (!raw->from) {
        if (raw->kind == GB_COMMAND_POSITION)
            return GB_CHECK_FAIL(
                p, "",
                "stream %s: say where its first command starts: \"from:\" a measured "
                "position of the same size and unit (%s)",
                p->stream, p->unit);
        return GB_OK;
    }
    int offset = 0;
    const gb_plant_stream *stream = gb_plant_observation_stream(machine, raw->from, &offset);
    if (!stream)
        return gb_check_fail_stream(p, "from", raw->from, machine->observation_streams,
                                    machine->observation_stream_count, "observation");
    if (stream->size != rule->size || strcmp(stream->spec.unit, raw->unit) != 0)
        return GB_CHECK_FAIL(p, "from",
                             "stream %s has %d columns in \"%s\", but %s has %d in \"%s\"; they "
                             "must be the same",
                             raw->from, stream->size, stream->spec.unit, p->stream, rule->size,
                             raw->unit);
    bool watched = false;
    for (int i = 0; i < envelope->sensor_count; i++)
        watched = watched || envelope->sensors[i].offset == offset;
    if (!watched)
        return GB_CHECK_FAIL(p, "from",
                             "stream %s is used here, so it must be watched: add it to "
                             "\"sensors\" with its max_age_ms",
                             raw->from);
    for (int i = 0; i < rule->size && stream->wrap > 0.0; i++) {
        const gb_axis_limits *l = &envelope->limits[rule->offset + i];
        if (l->high - l->low > stream->wrap * (1.0 + 1e-9))
            return GB_CHECK_FAIL(p, "from",
                                 "stream %s wraps after %g %s, and column %d may go from %g to %g: "
                                 "nobody knows on which turn it is; narrow its limits to one turn",
                                 raw->from, stream->wrap, p->unit, i, l->low, l->high);
    }
    rule->from = offset;
    rule->wrap = stream->wrap;
    return GB_OK;
}

static gb_status configure_command(gb_envelope *envelope,
                                   gb_place *p,
                                   const gb_raw_command *raw,
                                   gb_command_rule *rule)
{
    const gb_plant_info *machine = envelope->machine;
    int offset = 0;
    const gb_plant_stream *stream = gb_plant_action_stream(machine, raw->stream, &offset);
    p->stream = raw->stream;
    p->unit = raw->unit;
    if (!stream)
        return gb_check_fail_stream(p, "stream", raw->stream, machine->action_streams,
                                    machine->action_stream_count, "action");
    GB_TRY(gb_check_unit(p, stream, raw->unit));
    for (const gb_command_rule *r = envelope->rules; r < rule; r++)
        if (r->offset == offset)
            return GB_CHECK_FAIL(p, "stream",
                                 "stream %s has limits already, in commands[%d]; join the two",
                                 raw->stream, (int)(r - envelope->rules));
    *rule = (gb_command_rule){
        .offset = offset, .size = stream->size, .kind = raw->kind, .hold = stream->hold};
    gb_axis_limits *limits = envelope->limits + offset;
    GB_TRY(configure_limits(envelope, p, raw, stream, limits));
    GB_TRY(configure_backup(p, raw, limits, rule));
    return configure_from(envelope, p, raw, rule);
}

/* No column of the action may be left without limits. */
static gb_status check_complete(const gb_envelope *envelope, const char *path)
{
    const gb_plant_info *machine = envelope->machine;
    int offset = 0;
    for (int s = 0; s < machine->action_stream_count; s++) {
        const gb_plant_stream *stream = &machine->action_streams[s];
        bool found = false;
        for (int r = 0; r < envelope->rule_count; r++)
            found = found || envelope->rules[r].offset == offset;
        if (!found)
            return gb_yaml_fail_value(path, "commands",
                                      "nothing limits the action stream %s (%d columns, %s); every "
                                      "stream that moves the machine needs an entry",
                                      stream->spec.name, stream->size, stream->spec.unit);
        offset += stream->size;
    }
    return GB_OK;
}

/* ---- the rest -----------------------------------------------------------------------------------
 */

static gb_status
configure_times(gb_envelope *envelope, const char *path, const gb_raw_envelope *raw)
{
    static const gb_raw_timing no_timing = {0};
    static const gb_raw_return no_return = {0};
    const gb_raw_timing *timing = raw->timing ? raw->timing : &no_timing;
    const gb_raw_return *back = raw->back ? raw->back : &no_return;
    gb_place p = {.path = path, .key = "timing"};
    GB_TRY(gb_check_to_ns(&p, "max_command_age_ms", timing->max_command_age_ms, INT64_MAX,
                          &envelope->max_command_age_ns));
    GB_TRY(gb_check_to_ns(&p, "late_ms", timing->late_ms, 0, &envelope->late_ns));
    envelope->late_ticks = timing->late_ticks ? *timing->late_ticks : 0;
    if (envelope->late_ticks < 0 || envelope->late_ticks > 1000000)
        return GB_CHECK_FAIL(&p, "late_ticks", "expected 0 to 1000000 ticks");
    if (timing->late_ticks && !timing->late_ms)
        return GB_CHECK_FAIL(&p, "late_ticks", "say from when on a tick is late: \"late_ms\"");
    snprintf(p.key, sizeof p.key, "return");
    GB_TRY(gb_check_to_ns(&p, "good_ms", back->good_ms, 0, &envelope->return_good_ns));
    envelope->return_at_rest = back->at_rest ? *back->at_rest : true;
    envelope->return_margin = back->margin ? *back->margin : 0.0;
    if (!(envelope->return_margin >= 0.0 && envelope->return_margin < 1.0))
        return GB_CHECK_FAIL(&p, "margin", "expected a number from 0 to below 1");
    return GB_OK;
}

gb_status gb_envelope_configure(gb_envelope *envelope, const char *path, const gb_raw_envelope *raw)
{
    const gb_plant_info *machine = envelope->machine;
    gb_arena *arena = envelope->arena;
    gb_place p = {.path = path, .arena = arena};
    if (strcmp(raw->machine, machine->name) != 0)
        return GB_CHECK_FAIL(&p, "machine", "this envelope is for \"%s\", the machine is \"%s\"",
                             raw->machine, machine->name);
    size_t actions = (size_t)machine->action_size;
    envelope->rules = gb_arena_alloc(arena, raw->commands_count * sizeof *envelope->rules);
    envelope->sensors = gb_arena_alloc(arena, raw->sensors_count * sizeof *envelope->sensors);
    envelope->states = gb_arena_alloc(arena, raw->sensors_count * sizeof *envelope->states);
    envelope->limits = gb_arena_alloc(arena, actions * sizeof *envelope->limits);
    envelope->axes = gb_arena_alloc(arena, actions * sizeof *envelope->axes);
    envelope->next = gb_arena_alloc(arena, actions * sizeof *envelope->next);
    envelope->before = gb_arena_alloc(arena, actions * sizeof *envelope->before);
    envelope->wanted = gb_arena_alloc(arena, actions * sizeof *envelope->wanted);
    envelope->tried = gb_arena_alloc(arena, actions * sizeof *envelope->tried);
    envelope->kept = gb_arena_alloc(arena, actions * sizeof *envelope->kept);
    if (!envelope->rules || !envelope->sensors || !envelope->states || !envelope->limits ||
        !envelope->axes || !envelope->next || !envelope->before || !envelope->wanted ||
        !envelope->tried || !envelope->kept)
        return gb_check_no_memory(&p);
    for (unsigned i = 0; i < raw->sensors_count; i++, envelope->sensor_count++) {
        snprintf(p.key, sizeof p.key, "sensors[%u]", i);
        GB_TRY(configure_sensor(envelope, &p, &raw->sensors[i], &envelope->sensors[i],
                                &envelope->states[i]));
    }
    for (unsigned i = 0; i < raw->commands_count; i++, envelope->rule_count++) {
        snprintf(p.key, sizeof p.key, "commands[%u]", i);
        GB_TRY(configure_command(envelope, &p, &raw->commands[i], &envelope->rules[i]));
    }
    GB_TRY(check_complete(envelope, path));
    if (raw->workspace)
        GB_TRY(gb_envelope_configure_region(envelope, path, raw->workspace));
    if (raw->people)
        GB_TRY(gb_envelope_configure_people(envelope, path, raw->people));
    return configure_times(envelope, path, raw);
}
