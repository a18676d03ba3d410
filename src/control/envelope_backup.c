/* control/envelope_backup.c: the controller that takes over. It uses the last command, the limits
 * and what was declared; nothing of a model, nothing of a sensor. */
#include "control/envelope.h"

static gb_axis_state
backup_axis(const gb_envelope *envelope, const gb_command_rule *rule, int i, bool stop_only)
{
    const gb_axis_limits *limits = &envelope->limits[rule->offset + i];
    const gb_axis_state *state = &envelope->axes[rule->offset + i];
    gb_axis_state next;
    if (rule->backup == GB_BACKUP_BRAKE)
        (void)gb_axis_choose(limits, state, 0.0, 0.0, 1.0, &next);
    else if (rule->backup == GB_BACKUP_RETREAT && !stop_only)
        (void)gb_axis_choose(limits, state, rule->retreat_to[i], 0.0, rule->retreat_slow, &next);
    else
        next = gb_axis_follow(limits, state);
    return next;
}

void gb_envelope_backup(gb_envelope *envelope, bool stop_only)
{
    for (int r = 0; r < envelope->rule_count; r++)
        for (int i = 0; i < envelope->rules[r].size; i++)
            envelope->next[envelope->rules[r].offset + i] =
                backup_axis(envelope, &envelope->rules[r], i, stop_only);
}

bool gb_envelope_at_rest(const gb_envelope *envelope)
{
    for (int r = 0; r < envelope->rule_count; r++) {
        const gb_command_rule *rule = &envelope->rules[r];
        for (int i = rule->offset; i < rule->offset + rule->size; i++) {
            if (!gb_axis_resting(&envelope->axes[i]))
                return false;
            if (rule->backup == GB_BACKUP_BRAKE && envelope->axes[i].x != 0.0)
                return false;
        }
    }
    return true;
}
