/* control/envelope.c: a tick of the envelope from its parts, and when the backup controller has the
 * machine. Uses nothing of any model. */
#include "control/envelope.h"

#include <math.h>
#include <string.h>

#include "control/envelope_raw.h"

static const char *const limit_names[] = {
#define GB_LIMIT_TEXT(name, text) text,
    GB_LIMIT_LIST(GB_LIMIT_TEXT)
#undef GB_LIMIT_TEXT
};

const char *gb_limit_name(gb_limit limit)
{
    return (unsigned)limit < GB_LIMIT_COUNT ? limit_names[limit] : "?";
}

const char *gb_envelope_mode_name(gb_envelope_mode mode)
{
    static const char *const names[] = {"pass", "clamp", "slow", "backup", "stopped"};
    return (unsigned)mode <= GB_MODE_STOPPED ? names[mode] : "?";
}

const unsigned char *gb_envelope_hash(const gb_envelope *envelope)
{
    return envelope->hash;
}

/* ---- life ---------------------------------------------------------------------------------------
 */

void gb_envelope_destroy(gb_envelope *envelope)
{
    if (envelope)
        gb_arena_destroy(envelope->arena);
}

/* Commands begin anew: where the machine is must be seen first. */
static void forget(gb_envelope *envelope)
{
    for (int r = 0; r < envelope->rule_count; r++)
        for (int i = 0; i < envelope->rules[r].size; i++) {
            int column = envelope->rules[r].offset + i;
            const gb_axis_limits *limits = &envelope->limits[column];
            envelope->axes[column] = gb_axis_rest(fmin(fmax(0.0, limits->low), limits->high));
        }
    gb_envelope_monitor_reset(envelope);
    envelope->started = envelope->has_before = false;
    gb_envelope_region_start(envelope);
    envelope->good_since_ns = INT64_MIN;
}

void gb_envelope_reset(gb_envelope *envelope)
{
    forget(envelope);
    envelope->in_backup = envelope->stopped = false;
}

static gb_status load(gb_envelope *envelope, const char *path, const char *text, size_t size)
{
    void *raw = NULL;
    GB_TRY(gb_yaml_load_text(path, text, size, &gb_envelope_schema, &raw));
    gb_status status = gb_envelope_configure(envelope, path, raw);
    gb_yaml_free(&gb_envelope_schema, raw);
    GB_TRY(status);
    gb_hash(text, size, envelope->hash);
    gb_envelope_reset(envelope);
    return GB_OK;
}

gb_status
gb_envelope_load(const char *path, const gb_plant_info *machine, int64_t tick_ns, gb_envelope **out)
{
    enum {
        FILE_BYTES_MAX = 1 << 20,
        ARENA_BYTES_MAX = 1 << 26
    };
    if (!path || !machine || !out || tick_ns < 1000 || tick_ns > 1000000000000)
        return gb_fail(GB_ERR_ARGUMENT, "an envelope needs a file, a machine and a tick of 1 us to "
                                        "1000 s");
    gb_arena *arena = NULL;
    char *text;
    size_t size;
    GB_TRY(gb_arena_create(ARENA_BYTES_MAX, &arena));
    gb_envelope *envelope = gb_arena_alloc(arena, sizeof *envelope);
    gb_status status = envelope ? gb_file_read(path, FILE_BYTES_MAX, arena, &text, &size)
                                : gb_fail(GB_ERR_MEMORY, "%s: no memory for the envelope", path);
    if (status == GB_OK) {
        *envelope = (gb_envelope){.machine = machine, .tick_ns = tick_ns, .arena = arena};
        status = load(envelope, path, text, size);
    }
    if (status != GB_OK) {
        gb_arena_destroy(arena);
        return status;
    }
    *out = envelope;
    return GB_OK;
}

void gb_envelope_release(gb_envelope *envelope)
{
    atomic_store(&envelope->released, true);
}

/* ---- a tick -------------------------------------------------------------------------------------
 */

/* Whether the place that commands start from has not been seen yet. */
static bool is_blind(const gb_envelope *envelope)
{
    bool needed = false;
    for (int r = 0; r < envelope->rule_count; r++)
        needed = needed || envelope->rules[r].from >= 0;
    return needed && !envelope->started;
}

/* Where a column is measured to be; an angle that wraps on the turn that its limits are on. */
static double measured(const gb_envelope *envelope,
                       const gb_command_rule *rule,
                       int i,
                       const gb_envelope_input *input)
{
    const gb_axis_limits *limits = &envelope->limits[rule->offset + i];
    double x = input->observation->values[rule->from + i];
    if (rule->wrap > 0.0)
        x += rule->wrap * round(((limits->low + limits->high) / 2.0 - x) / rule->wrap);
    return x;
}

/* The first command is where the machine is measured to be. What is measured outside the limits, by
 * noise, begins at them; further outside than a tick's way that would be a jump, which no limit on
 * differences sees: a person brings the machine back first. */
static bool may_start(const gb_envelope *envelope, const gb_envelope_input *input)
{
    for (int r = 0; r < envelope->rule_count; r++) {
        const gb_command_rule *rule = &envelope->rules[r];
        for (int i = 0; i < rule->size && rule->from >= 0; i++) {
            const gb_axis_limits *limits = &envelope->limits[rule->offset + i];
            double x = measured(envelope, rule, i, input);
            double outside = fmax(limits->low - x, x - limits->high);
            if (limits->order >= 1 && outside > limits->most[1])
                return false;
        }
    }
    return true;
}

static void start(gb_envelope *envelope, const gb_envelope_input *input)
{
    for (int r = 0; r < envelope->rule_count; r++) {
        const gb_command_rule *rule = &envelope->rules[r];
        for (int i = 0; i < rule->size && rule->from >= 0; i++) {
            const gb_axis_limits *limits = &envelope->limits[rule->offset + i];
            double x = measured(envelope, rule, i, input);
            envelope->axes[rule->offset + i] =
                gb_axis_rest(fmin(fmax(x, limits->low), limits->high));
        }
    }
    envelope->started = true;
    gb_envelope_region_start(envelope);
}

static uint32_t judge_proposal(const gb_envelope *envelope, const gb_envelope_input *input)
{
    if (!input->proposal)
        return GB_BIT(GB_LIMIT_PROPOSAL);
    for (int i = 0; i < envelope->machine->action_size; i++)
        if (!isfinite(input->proposal[i]))
            return GB_BIT(GB_LIMIT_PROPOSAL);
    return input->proposal_age_ns > envelope->max_command_age_ns ? GB_BIT(GB_LIMIT_COMMAND_AGE) : 0;
}

/* Who has the machine in this tick. */
static void hand_over(gb_envelope *envelope, int64_t now_ns, uint32_t faults, double margin)
{
    if (faults & (GB_BIT(GB_LIMIT_EMERGENCY_STOP) | GB_BIT(GB_LIMIT_SHAPE))) {
        envelope->stopped = true;
        atomic_store(&envelope->released, false); /* a release is for stops before it */
    }
    if (faults) {
        envelope->in_backup = true;
        envelope->good_since_ns = INT64_MIN;
        return;
    }
    if (margin < envelope->return_margin) {
        envelope->good_since_ns = INT64_MIN;
        return;
    }
    if (envelope->good_since_ns == INT64_MIN)
        envelope->good_since_ns = now_ns;
    bool good = now_ns - envelope->good_since_ns >= envelope->return_good_ns;
    bool rested = !envelope->return_at_rest || gb_envelope_at_rest(envelope);
    bool allowed = !envelope->stopped || atomic_load(&envelope->released);
    if (good && rested && allowed)
        envelope->in_backup = envelope->stopped = false;
}

/* The proposal as fast as the distance to people lets it; whether it was slowed. */
static bool slow_down(gb_envelope *envelope, const gb_envelope_input *input)
{
    memcpy(envelope->wanted, input->proposal,
           (size_t)envelope->machine->action_size * sizeof *input->proposal);
    double part = gb_envelope_slow(envelope, input);
    if (part >= 1.0)
        return false;
    const gb_people_rule *people = &envelope->people;
    for (int i = people->column; i < people->column + people->columns; i++) {
        const gb_axis_limits *limits = &envelope->limits[i];
        envelope->wanted[i] = part * fmin(fmax(input->proposal[i], limits->low), limits->high);
    }
    return true;
}

/* What is wanted, as far as the limits let it. */
static uint32_t limit(gb_envelope *envelope)
{
    const double *proposal = envelope->wanted;
    uint32_t bits = 0;
    for (int r = 0; r < envelope->rule_count; r++) {
        const gb_command_rule *rule = &envelope->rules[r];
        for (int i = rule->offset; i < rule->offset + rule->size; i++) {
            const gb_axis_limits *limits = &envelope->limits[i];
            double lead =
                envelope->has_before && !rule->hold ? proposal[i] - envelope->before[i] : 0.0;
            if (fabs(lead) > limits->most[1]) /* a jump, or nothing that can be caught */
                lead = 0.0;
            bits |= gb_axis_choose(limits, &envelope->axes[i], proposal[i], lead, 1.0,
                                   &envelope->next[i]);
        }
    }
    return bits;
}

static void remember(gb_envelope *envelope, const double *proposal)
{
    envelope->has_before = proposal != NULL;
    if (proposal)
        memcpy(envelope->before, proposal,
               (size_t)envelope->machine->action_size * sizeof *proposal);
}

/* How near the command is to its limits. */
static void measure_command(const gb_envelope *envelope, gb_margin *margin)
{
    for (int i = 0; i < envelope->machine->action_size; i++) {
        const gb_axis_limits *limits = &envelope->limits[i];
        const gb_axis_state *axis = &envelope->axes[i], *next = &envelope->next[i];
        double used[] = {fabs(next->d1), fabs(next->d2), fabs(next->d2 - axis->d2)};
        double half = (limits->high - limits->low) / 2.0;
        double room = fmin(next->x - limits->low, limits->high - next->x) / half;
        gb_margin_take(margin, room, limits->reason[0], i);
        for (int order = 1; order <= limits->order; order++)
            gb_margin_take(margin, fmax(0.0, 1.0 - used[order - 1] / limits->most[order]),
                           limits->reason[order], i);
    }
}

/* Faults after which an observation must not be read. */
#define UNREADABLE                                                                                 \
    (GB_BIT(GB_LIMIT_OBSERVATION_AGE) | GB_BIT(GB_LIMIT_SHAPE) | GB_BIT(GB_LIMIT_SENSOR_NAN))

void gb_envelope_tick(gb_envelope *envelope,
                      const gb_envelope_input *input,
                      double *command,
                      gb_verdict *out)
{
    gb_margin margin = {1.0, -1, -1};
    /* A machine that started anew stands still, and somewhere else than the last command says: to
     * go on from there, or to hold it, would be a jump. */
    if (input->observation && input->observation->faults & GB_FAULT_RESTART) {
        forget(envelope);
        envelope->in_backup = true;
    }
    uint32_t faults = gb_envelope_monitor(envelope, input, &margin);
    if (!envelope->started && !faults) {
        if (may_start(envelope, input))
            start(envelope, input);
        else
            faults |= GB_BIT(GB_LIMIT_POSITION);
    }
    if (!(faults & UNREADABLE))
        faults |= gb_envelope_people(envelope, input, &margin);
    faults |= judge_proposal(envelope, input);
    if (input->emergency_stop)
        faults |= GB_BIT(GB_LIMIT_EMERGENCY_STOP);
    hand_over(envelope, input->now_ns, faults, margin.value);
    uint32_t limits = 0;
    if (envelope->in_backup) {
        bool stop_only = envelope->stopped || !gb_envelope_may_retreat(envelope, input);
        gb_envelope_backup(envelope, stop_only);
        gb_envelope_brake(envelope);
    } else {
        bool slowed = slow_down(envelope, input);
        limits = limit(envelope);
        if (gb_envelope_too_fast(envelope, input)) {
            gb_envelope_brake(envelope);
            slowed = true;
        }
        limits |= slowed ? GB_BIT(GB_LIMIT_SEPARATION) : 0;
    }
    limits |= gb_envelope_region(envelope, &margin);
    remember(envelope, envelope->in_backup ? NULL : envelope->wanted);
    measure_command(envelope, &margin);
    for (int i = 0; i < envelope->machine->action_size; i++) {
        envelope->axes[i] = envelope->next[i];
        command[i] = envelope->axes[i].x;
    }
    gb_envelope_mode mode = envelope->stopped                      ? GB_MODE_STOPPED
                            : envelope->in_backup                  ? GB_MODE_BACKUP
                            : limits & GB_BIT(GB_LIMIT_SEPARATION) ? GB_MODE_SLOW
                            : limits                               ? GB_MODE_CLAMP
                                                                   : GB_MODE_PASS;
    *out = (gb_verdict){.mode = mode,
                        .reasons = faults | limits,
                        .margin = margin.value,
                        .margin_limit = margin.limit,
                        .margin_index = margin.index,
                        .blind = is_blind(envelope)};
}
