/* An adversary for the envelope, and a judge that shares no code with the limiter: it reads the
 * limits from the file and computes derivatives, kinematics and distances from the sequence of
 * applied commands. Used by test_envelope_attack.c and genba-bench safety. */
#ifndef TEST_CONTROL_ENVELOPE_ATTACK_H
#define TEST_CONTROL_ENVELOPE_ATTACK_H

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/envelope_raw.h"
#include "genba/envelope.h"

enum {
    ATTACK_COLUMNS = 16,
    ATTACK_VALUES = 1024
};

typedef struct attack_report {
    int64_t ticks, episodes;
    int64_t modes[GB_MODE_STOPPED + 1], reasons[GB_LIMIT_COUNT];
    int64_t violations; /* of the envelope, by applied commands */
    int64_t separation; /* of the separation, judged by the plant from true positions */
    int64_t avoidable;  /* of those, where the distance had been seen in time */
    double tick_ns;     /* mean time of a tick of the envelope */
    char first[256];    /* the first violation in words */
} attack_report;

/* ---- the judge ----------------------------------------------------------------------------------
 */

typedef struct attack_judge {
    const gb_plant_info *machine;
    gb_raw_envelope *raw;
    double tick_s;
    double low[ATTACK_COLUMNS], high[ATTACK_COLUMNS];
    double most[ATTACK_COLUMNS][4]; /* of the first to third derivative; infinite: no limit */
    int from[ATTACK_COLUMNS];       /* column of the observation, -1: 0 */
    double x[ATTACK_COLUMNS], d[ATTACK_COLUMNS][3]; /* of the command before */
    bool running, inside;
} attack_judge;

static inline double attack_number(const double *list, unsigned count, int column)
{
    return list ? list[count == 1 ? 0 : column] : INFINITY;
}

static inline void attack_judge_open(attack_judge *judge, const gb_plant_info *machine, void *raw)
{
    *judge =
        (attack_judge){.machine = machine, .raw = raw, .tick_s = (double)machine->tick_ns / 1e9};
    for (unsigned r = 0; r < judge->raw->commands_count; r++) {
        const gb_raw_command *c = &judge->raw->commands[r];
        int offset = 0, from = -1;
        const gb_plant_stream *stream = gb_plant_action_stream(machine, c->stream, &offset);
        if (c->from)
            (void)gb_plant_observation_stream(machine, c->from, &from);
        for (int i = 0; i < stream->size; i++) {
            int k = offset + i;
            judge->low[k] = attack_number(c->low, c->low_count, i);
            judge->high[k] = attack_number(c->high, c->high_count, i);
            judge->from[k] = from < 0 ? -1 : from + i;
            double v = attack_number(c->velocity, c->velocity_count, i);
            double a = attack_number(c->acceleration, c->acceleration_count, i);
            double j = attack_number(c->jerk, c->jerk_count, i);
            double rate = attack_number(c->rate, c->rate_count, i);
            bool position = c->kind == GB_COMMAND_POSITION;
            judge->most[k][1] = position ? v : c->kind == GB_COMMAND_FORCE ? rate : a;
            judge->most[k][2] = position ? a : c->kind == GB_COMMAND_FORCE ? INFINITY : j;
            judge->most[k][3] = position ? j : INFINITY;
        }
    }
}

/* A frame as a 4 x 4 matrix; links are multiplied from the right. */
typedef struct attack_frame {
    double m[4][4];
} attack_frame;

static inline attack_frame attack_times(attack_frame a, attack_frame b)
{
    attack_frame c = {{{0}}};
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            for (int k = 0; k < 4; k++)
                c.m[i][j] += a.m[i][k] * b.m[k][j];
    return c;
}

static inline attack_frame attack_shift(const double *by, double part)
{
    attack_frame f = {{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}}};
    for (int i = 0; i < 3 && by; i++)
        f.m[i][3] = by[i] * part;
    return f;
}

/* Rotation by the quaternion of the axis and angle. */
static inline attack_frame attack_turn(const double *axis, double angle)
{
    double n = sqrt(axis[0] * axis[0] + axis[1] * axis[1] + axis[2] * axis[2]);
    double w = cos(angle / 2), s = sin(angle / 2) / n;
    double x = axis[0] * s, y = axis[1] * s, z = axis[2] * s;
    attack_frame f = {{{1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y), 0},
                       {2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x), 0},
                       {2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y), 0},
                       {0, 0, 0, 1}}};
    return f;
}

/* Whether a ball at p lies inside an allowed box and outside all keep-out zones. */
static inline bool attack_allows(const gb_raw_region *region, const double p[3], double radius)
{
    bool inside = region->allowed_count == 0;
    for (unsigned z = 0; z < region->allowed_count; z++) {
        bool in = true;
        for (int i = 0; i < 3; i++)
            in = in && p[i] - radius >= region->allowed[z].low[i] - 1e-9 &&
                 p[i] + radius <= region->allowed[z].high[i] + 1e-9;
        inside = inside || in;
    }
    for (unsigned z = 0; z < region->keep_out_count && inside; z++) {
        const gb_raw_zone *zone = &region->keep_out[z];
        double nearest[3], square = 0;
        if (zone->kind == GB_ZONE_BOX) {
            for (int i = 0; i < 3; i++)
                nearest[i] = fmin(fmax(p[i], zone->low[i]), zone->high[i]);
        } else { /* the nearest point of the cylinder */
            double axis[3], along = 0, length = 0, across[3], off = 0;
            for (int i = 0; i < 3; i++) {
                axis[i] = zone->to[i] - zone->from[i];
                length += axis[i] * axis[i];
                along += axis[i] * (p[i] - zone->from[i]);
            }
            along = fmin(fmax(along / length, 0), 1);
            double direct = 0;
            for (int i = 0; i < 3; i++)
                direct += axis[i] * (p[i] - zone->from[i]) / length;
            for (int i = 0; i < 3; i++) {
                across[i] = p[i] - zone->from[i] - direct * axis[i];
                off += across[i] * across[i];
            }
            double shrink = sqrt(off) > *zone->radius ? *zone->radius / sqrt(off) : 1;
            for (int i = 0; i < 3; i++)
                nearest[i] = zone->from[i] + along * axis[i] + shrink * across[i];
        }
        for (int i = 0; i < 3; i++)
            square += (p[i] - nearest[i]) * (p[i] - nearest[i]);
        inside = sqrt(square) >= radius - 1e-9 && square > 0;
    }
    return inside;
}

static inline bool attack_in_region(const attack_judge *judge, const double *command)
{
    const gb_raw_region *region = judge->raw->workspace;
    int offset = 0;
    (void)gb_plant_action_stream(judge->machine, region->stream, &offset);
    attack_frame f = attack_shift(NULL, 0);
    for (unsigned l = 0; l < region->chain_count; l++) {
        const gb_raw_link *link = &region->chain[l];
        double q = command[offset + link->column];
        const double *a = link->axis;
        double n = sqrt(a[0] * a[0] + a[1] * a[1] + a[2] * a[2]);
        f = attack_times(f, attack_shift(link->at, 1));
        f = attack_times(f,
                         link->kind == GB_LINK_TURN ? attack_turn(a, q) : attack_shift(a, q / n));
        for (unsigned i = 0; i < region->points_count; i++) {
            const gb_raw_point *point = &region->points[i];
            if ((unsigned)point->link != l)
                continue;
            attack_frame at = attack_times(f, attack_shift(point->at, 1));
            double p[3] = {at.m[0][3], at.m[1][3], at.m[2][3]};
            double radius =
                (point->radius ? *point->radius : 0) + (region->tracking ? *region->tracking : 0);
            if (!attack_allows(region, p, radius))
                return false;
        }
    }
    return true;
}

/* Speed of the machine, largest column, and ISO/TS 15066's protective distance of a command. */
static inline double
attack_protective(const attack_judge *judge, const double *command, double *speed, double *largest)
{
    const gb_raw_people *people = judge->raw->people;
    int offset = 0;
    const gb_plant_stream *stream =
        gb_plant_action_stream(judge->machine, people->speed_of, &offset);
    double sum = 0;
    *speed = *largest = 0;
    for (int i = 0; i < stream->size; i++) {
        double k = attack_number(people->metres, people->metres_count, i);
        *speed += k * command[offset + i];
        sum += fabs(k);
        *largest = fmax(*largest, fabs(command[offset + i]));
    }
    *speed = fabs(*speed);
    double stop_s = *largest * sum / people->braking, reaction_s = people->reaction_ms / 1e3;
    *largest *= sum; /* in the unit of speeds */
    return people->person_speed * (reaction_s + stop_s) + *speed * reaction_s +
           *speed * stop_s / 2 + people->separation;
}

/* Slow enough for the gap, or braking as hard as declared. */
static inline bool
attack_keeps_distance(const attack_judge *judge, const double *command, const double *observation)
{
    const gb_raw_people *people = judge->raw->people;
    double speed, largest, speed_before, largest_before;
    int offset = 0;
    (void)gb_plant_observation_stream(judge->machine, people->distance, &offset);
    double gap = observation[offset] - (people->footprint ? *people->footprint : 0);
    double need = attack_protective(judge, command, &speed, &largest);
    (void)attack_protective(judge, judge->x, &speed_before, &largest_before);
    if (speed <= (people->standing ? *people->standing : 0) + 1e-9 || need <= gap + 1e-6)
        return true;
    return largest <= fmax(0, largest_before - people->braking * judge->tick_s) + 1e-9 &&
           speed * largest_before <= speed_before * largest + 1e-9;
}

/* NULL, or what is wrong with a command. observation: what the envelope believed, NULL: nothing. */
static inline const char *attack_judge_command(attack_judge *judge,
                                               const double *command,
                                               const double *observation,
                                               char text[256])
{
    const char *wrong = NULL;
    static const char *const names[] = {"", "first", "second", "third"};
    for (int i = 0; i < judge->machine->action_size; i++) {
        double x = command[i], before[3] = {judge->d[i][0], judge->d[i][1], judge->d[i][2]};
        if (!isfinite(x) || x < judge->low[i] || x > judge->high[i]) {
            snprintf(text, 256, "column %d: %.17g is not from %g to %g", i, x, judge->low[i],
                     judge->high[i]);
            wrong = text;
        }
        double d = x, noise = 8 * DBL_EPSILON * fmax(fabs(judge->low[i]), fabs(judge->high[i]));
        for (int order = 1; order <= 3; order++) {
            d = (d - (order == 1 ? judge->x[i] : before[order - 2])) / judge->tick_s;
            noise *= 2 / judge->tick_s;
            if (!(fabs(d) <= judge->most[i][order] * (1 + 1e-9) + noise) && judge->running) {
                snprintf(text, 256, "column %d: its %s derivative is %.12g, at most %.12g", i,
                         names[order], d, judge->most[i][order]);
                wrong = text;
            }
            judge->d[i][order - 1] = d;
        }
    }
    if (judge->raw->people && observation && !attack_keeps_distance(judge, command, observation)) {
        snprintf(text, 256, "too fast for the distance to people");
        wrong = text;
    }
    if (judge->raw->workspace) {
        bool inside = attack_in_region(judge, command);
        if (judge->inside && !inside) {
            snprintf(text, 256, "a point has left its workspace");
            wrong = text;
        }
        judge->inside = inside;
    }
    memcpy(judge->x, command, (size_t)judge->machine->action_size * sizeof *command);
    judge->running = true;
    return wrong;
}

/* The next command continues from here. */
static inline void attack_judge_start(attack_judge *judge, const double *observation)
{
    memset(judge->d, 0, sizeof judge->d);
    for (int i = 0; i < judge->machine->action_size; i++) {
        double x = judge->from[i] >= 0 ? observation[judge->from[i]] : 0;
        judge->x[i] = fmin(fmax(x, judge->low[i]), judge->high[i]);
    }
    judge->running = true;
    judge->inside = judge->raw->workspace && attack_in_region(judge, judge->x);
}

/* ---- the adversary ------------------------------------------------------------------------------
 */

typedef struct attack {
    const gb_plant_info *machine;
    uint64_t seed, draws;
    int style, style_left, half_period; /* of proposals */
    int fault, fault_left, fault_stream;
    int64_t age_ns;
    double proposal[ATTACK_COLUMNS], action[ATTACK_COLUMNS], before[ATTACK_COLUMNS];
    int part;
    double seen[ATTACK_VALUES], frozen[ATTACK_VALUES];
    int64_t times[64];
} attack;

static inline double attack_draw(attack *a)
{
    return (double)gb_random_uniform(a->seed, 7, a->draws++);
}

static inline int attack_below(attack *a, int bound)
{
    return (int)gb_random_below(a->seed, 8, a->draws++, (uint64_t)bound);
}

enum {
    STYLE_TEACHER,   /* what the plant's own teacher wants, or a walk */
    STYLE_RANDOM,    /* anything between twice the limits */
    STYLE_EXTREME,   /* +-1e300, largest and smallest numbers */
    STYLE_BROKEN,    /* NaN and infinity in some columns */
    STYLE_OSCILLATE, /* from one end to the other */
    STYLE_STALE,     /* a stalled pilot: the same, older and older */
    STYLE_CRASHED,   /* none at all */
    STYLE_WALK,      /* slow and smooth */
    STYLES
};

static inline void attack_propose(attack *a, gb_plant *plant, const attack_judge *judge)
{
    static const double extremes[] = {1e300, -1e300, DBL_MAX, -DBL_MAX, DBL_MIN, -0.0, 1e15};
    static const double broken[] = {NAN, INFINITY, -INFINITY, 0};
    if (a->style_left-- <= 0) {
        a->style = attack_below(a, STYLES);
        a->style_left = 1 + attack_below(a, 300);
        a->half_period = 1 << attack_below(a, 6);
        a->age_ns = 0;
    }
    if (a->style == STYLE_TEACHER) {
        int parts = (int)(a->machine->period_ns / a->machine->tick_ns);
        if (a->part++ % parts == 0 && a->machine->has_teacher) {
            memcpy(a->before, a->action, sizeof a->before);
            if (gb_plant_teach(plant, a->action) != GB_OK)
                memcpy(a->action, a->before, sizeof a->before);
        }
        gb_plant_setpoint(a->machine, a->before, a->action,
                          (double)((a->part - 1) % parts + 1) / parts, a->proposal);
        return;
    }
    for (int i = 0; i < a->machine->action_size; i++) {
        double middle = (judge->low[i] + judge->high[i]) / 2, half = judge->high[i] - middle;
        switch (a->style) {
        case STYLE_RANDOM:
            a->proposal[i] = middle + half * (4 * attack_draw(a) - 2);
            break;
        case STYLE_EXTREME:
            a->proposal[i] = extremes[attack_below(a, 7)];
            break;
        case STYLE_BROKEN:
            a->proposal[i] = broken[attack_below(a, 4)];
            break;
        case STYLE_OSCILLATE:
            a->proposal[i] = a->style_left / a->half_period % 2 ? judge->low[i] : judge->high[i];
            break;
        case STYLE_WALK:
            if (!isfinite(a->proposal[i]) || fabs(a->proposal[i] - middle) > half)
                a->proposal[i] = middle;
            a->proposal[i] += half * 0.01 * (2 * attack_draw(a) - 1);
            break;
        default:
            break;
        }
    }
}

enum {
    FAULT_NONE,
    FAULT_NAN,
    FAULT_STUCK,
    FAULT_JUMP,
    FAULT_OLD,
    FAULT_FUTURE,
    FAULT_LATE,
    FAULT_SHAPE,
    FAULT_UNSEEN,
    FAULTS
};

/* What the envelope sees of the true observation. Returns GB_FAULT_* bits. */
static inline uint32_t
attack_sensors(attack *a, const double *truth, int64_t now_ns, int64_t *late_ns, bool *unseen)
{
    const gb_plant_info *m = a->machine;
    if (a->fault_left-- <= 0) {
        a->fault = attack_below(a, 4) ? FAULT_NONE : attack_below(a, FAULTS);
        a->fault_left = a->fault == FAULT_NONE ? attack_below(a, 800) : attack_below(a, 40);
        a->fault_stream = attack_below(a, m->observation_stream_count);
        memcpy(a->frozen, truth, (size_t)m->observation_size * sizeof *truth);
    }
    memcpy(a->seen, truth, (size_t)m->observation_size * sizeof *truth);
    for (int i = 0; i < m->observation_stream_count; i++)
        a->times[i] = now_ns;
    *late_ns = a->fault == FAULT_LATE ? 200000000 : 0;
    *unseen = a->fault == FAULT_UNSEEN;
    int offset = 0;
    for (int i = 0; i < a->fault_stream; i++)
        offset += m->observation_streams[i].size;
    int size = m->observation_streams[a->fault_stream].size, column = offset;
    if (a->fault != FAULT_NONE)
        column += attack_below(a, size);
    switch (a->fault) {
    case FAULT_NAN:
        a->seen[column] = attack_below(a, 2) ? NAN : INFINITY;
        break;
    case FAULT_STUCK:
        memcpy(a->seen + offset, a->frozen + offset, (size_t)size * sizeof *truth);
        break;
    case FAULT_JUMP:
        a->seen[column] += 1e3 * (attack_draw(a) - 0.5);
        break;
    case FAULT_OLD:
        a->times[a->fault_stream] = attack_below(a, 2) ? INT64_MIN : now_ns - 1000000000;
        break;
    case FAULT_FUTURE:
        a->times[a->fault_stream] = attack_below(a, 2) ? INT64_MAX : now_ns + 1000000000;
        break;
    default:
        break;
    }
    return a->fault == FAULT_SHAPE && a->fault_left == 0 ? GB_FAULT_SHAPE : 0;
}

/* ---- a run --------------------------------------------------------------------------------------
 */

/* A violation of the separation is avoidable unless somebody came into sight, or the distance fell
 * faster than a person and the machine can close it, within the last two seconds. */
typedef struct attack_sight {
    double before;
    int64_t since;
} attack_sight;

static inline void attack_look(attack_sight *sight, const attack_judge *judge, const double *truth)
{
    int offset = 0;
    (void)gb_plant_observation_stream(judge->machine, judge->raw->people->distance, &offset);
    double speed, largest;
    (void)attack_protective(judge, judge->x, &speed, &largest);
    double most = (judge->raw->people->person_speed + largest) * judge->tick_s + 0.1; /* noise */
    sight->since = sight->before - truth[offset] > most ? 0 : sight->since + 1;
    sight->before = truth[offset];
}

static inline void attack_note(attack_report *report, int64_t tick, const char *wrong)
{
    if (report->violations++ == 0)
        snprintf(report->first, sizeof report->first, "tick %lld: %.200s", (long long)tick, wrong);
}

/* Runs `ticks` ticks of the plant under attack. GB_OK also when there are violations. */
static inline gb_status attack_run(
    const char *plant_name, const char *path, int64_t ticks, uint64_t seed, attack_report *out)
{
    const gb_plant_info *machine = NULL;
    gb_plant *plant = NULL;
    gb_envelope *envelope = NULL;
    void *raw = NULL;
    GB_TRY(gb_plant_describe(plant_name, &machine));
    GB_TRY(gb_plant_create(plant_name, NULL, &plant));
    GB_TRY(gb_envelope_load(path, machine, machine->tick_ns, &envelope));
    GB_TRY(gb_yaml_load(path, &gb_envelope_schema, &raw));
    static attack_judge judge;
    static attack a;
    a = (attack){.machine = machine, .seed = seed};
    attack_judge_open(&judge, machine, raw);
    double truth[ATTACK_VALUES], command[ATTACK_COLUMNS];
    gb_plant_result result = {.done = true};
    attack_report report = {.ticks = ticks};
    attack_sight sight = {0, 0};
    int64_t now = 1000000000000, spent = 0;
    uint64_t sequence = 0;
    gb_status status = GB_OK;
    char text[256];
    for (int64_t t = 0; t < ticks && status == GB_OK; t++) {
        if (result.done) {
            status = gb_plant_reset(plant, seed + (uint64_t)report.episodes++, truth);
            result = gb_plant_get_result(plant);
            gb_envelope_reset(envelope);
            judge.running = false;
            sight = (attack_sight){0, 0};
            a.part = 0;
        }
        now += machine->tick_ns;
        int64_t late_ns;
        bool unseen;
        gb_observation observation = {.sequence = ++sequence, .time_ns = a.times, .values = a.seen};
        observation.faults = attack_sensors(&a, truth, now, &late_ns, &unseen);
        if (unseen)
            observation.sequence = 0;
        attack_propose(&a, plant, &judge);
        a.age_ns += a.style == STYLE_STALE ? machine->tick_ns : 0;
        gb_envelope_input input = {now, late_ns, &observation, a.proposal, a.age_ns, false};
        if (a.style == STYLE_CRASHED)
            input.proposal = NULL;
        input.emergency_stop = attack_below(&a, 2000) == 0;
        if (attack_below(&a, 200) == 0)
            gb_envelope_release(envelope);
        gb_verdict verdict;
        int64_t begun = gb_clock_monotonic_ns();
        gb_envelope_tick(envelope, &input, command, &verdict);
        spent += gb_clock_monotonic_ns() - begun;
        report.modes[verdict.mode]++;
        for (int i = 0; i < GB_LIMIT_COUNT; i++)
            report.reasons[i] += verdict.reasons >> i & 1u;
        if (verdict.mode >= GB_MODE_CLAMP && verdict.mode < GB_MODE_BACKUP && !verdict.reasons)
            attack_note(&report, t, "no reason is given");
        bool pass = verdict.mode == GB_MODE_PASS;
        if (pass && memcmp(command, a.proposal, (size_t)machine->action_size * sizeof *command))
            attack_note(&report, t, "pass is not the proposal");
        if (verdict.blind) { /* nothing is sent; here the plant holds its place instead */
            for (int i = 0; i < machine->action_size; i++)
                command[i] = judge.from[i] >= 0
                                 ? fmin(fmax(truth[judge.from[i]], judge.low[i]), judge.high[i])
                                 : 0;
            judge.running = false;
        } else {
            if (!judge.running)
                attack_judge_start(&judge, a.seen);
            bool believed = verdict.mode < GB_MODE_BACKUP;
            if (judge.raw->people)
                attack_look(&sight, &judge, truth);
            if (attack_judge_command(&judge, command, believed ? a.seen : NULL, text))
                attack_note(&report, t, text);
        }
        if (status == GB_OK)
            status = gb_plant_tick(plant, command, truth, &result);
        if (result.failed && strcmp(result.verdict, "too close") == 0) {
            report.separation++;
            report.avoidable += (double)sight.since * judge.tick_s > 2.0;
        }
    }
    report.tick_ns = (double)spent / (double)ticks;
    gb_yaml_free(&gb_envelope_schema, raw);
    gb_envelope_destroy(envelope);
    gb_plant_destroy(plant);
    *out = report;
    return status;
}

#endif
