/* control/blackbox_streams.c: ticks and decisions as streams that viewers plot: the machine's own
 * streams, what was proposed, the envelope's verdict, the servo's and the pilot's times. For the
 * eye; what counts are the chained records. */
#include "control/blackbox_write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One number of a tick as a stream of its own. */
#define TICK_STREAM_LIST(X)                                                                        \
    X(MODE, "envelope.mode", "1", GB_VALUE_U8, (double)t->verdict.mode)                            \
    X(REASONS, "envelope.reasons", "1", GB_VALUE_U32, t->verdict.reasons)                          \
    X(MARGIN, "envelope.margin", "1", GB_VALUE_F32, t->verdict.margin)                             \
    X(NEAREST, "envelope.nearest", "1", GB_VALUE_I8, t->verdict.margin_limit)                      \
    X(BLIND, "envelope.blind", "1", GB_VALUE_U8, t->verdict.blind)                                 \
    X(CHUNK, "servo.chunk", "1", GB_VALUE_I64, (double)t->chunk)                                   \
    X(CHUNK_AT, "servo.chunk_at", "ms", GB_VALUE_F32, (double)t->chunk_at_ns / 1e6)                \
    X(AGE, "servo.observation_age", "ms", GB_VALUE_F32,                                            \
      t->observation_ns == INT64_MIN ? NAN : (double)(t->woke_ns - t->observation_ns) / 1e6)       \
    X(FAULTS, "servo.faults", "1", GB_VALUE_U32, t->faults)                                        \
    X(WAKE, "servo.wake", "us", GB_VALUE_F32, (double)(t->woke_ns - t->due_ns) / 1e3)              \
    X(BUSY, "servo.busy", "us", GB_VALUE_F32, (double)(t->done_ns - t->woke_ns) / 1e3)             \
    X(LATE, "servo.late", "1", GB_VALUE_U8, t->late != 0)                                          \
    X(TICK, "servo.tick", "1", GB_VALUE_I64, (double)t->tick)                                      \
    X(EPISODE, "servo.episode", "1", GB_VALUE_U32, t->episode)

enum {
#define TICK_STREAM_ENUM(id, name, unit, type, value) TICK_##id,
    TICK_STREAM_LIST(TICK_STREAM_ENUM)
#undef TICK_STREAM_ENUM
    TICK_STREAM_COUNT
};

static double tick_value(const gb_tick *t, int which)
{
    switch (which) {
#define TICK_STREAM_VALUE(id, name, unit, type, value)                                             \
    case TICK_##id:                                                                                \
        return value;
        TICK_STREAM_LIST(TICK_STREAM_VALUE)
#undef TICK_STREAM_VALUE
    default:
        return NAN;
    }
}

static const struct {
    const char *name, *unit;
    gb_value_type type;
} tick_streams[] = {
#define TICK_STREAM_ROW(id, name, unit, type, value) {name, unit, type},
    TICK_STREAM_LIST(TICK_STREAM_ROW)
#undef TICK_STREAM_ROW
};

enum {
    PILOT_CHUNK,
    PILOT_STATUS,
    PILOT_INFERENCE,
    PILOT_STREAM_COUNT
};
static const struct {
    const char *name, *unit;
    gb_value_type type;
} pilot_streams[] = {{"pilot.chunk", "1", GB_VALUE_I64},
                     {"pilot.status", "1", GB_VALUE_I32},
                     {"pilot.inference", "ms", GB_VALUE_F32}};

struct gb_box_streams {
    const gb_plant_info *machine;
    gb_recording_writer *writer;
    int of_tick[TICK_STREAM_COUNT]; /* numbers in the writer */
    int of_pilot[PILOT_STREAM_COUNT];
    int *observations, *proposals, *commands; /* [stream count] */
    uint64_t last_sequence;                   /* of an observation that was written */
    int64_t wall_offset_ns;                   /* wall minus monotonic */
    const gb_tick **fresh;                    /* [most_ticks] ticks with a new observation */
    int64_t *time_ns;                         /* [most_ticks] */
    void *values;                             /* [most_ticks x largest stream] doubles */
};

static bool is_taken(const gb_recording_writer *writer, const char *name)
{
    for (int i = 0; i < TICK_STREAM_COUNT; i++)
        if (strcmp(tick_streams[i].name, name) == 0)
            return true;
    for (int i = 0; i < PILOT_STREAM_COUNT; i++)
        if (strcmp(pilot_streams[i].name, name) == 0)
            return true;
    for (int i = 0; i < gb_recording_writer_stream_count(writer); i++)
        if (strcmp(gb_recording_writer_spec(writer, i)->name, name) == 0)
            return true;
    return strcmp(name, GB_BOX_STREAM) == 0;
}

/* prefix: "proposal." or "". A name that a black box's own stream has gets "machine." before it. */
static gb_status add(gb_recording_writer *writer,
                     const gb_stream_spec *spec,
                     const char *prefix,
                     double rate_hz,
                     int *out)
{
    char name[2 * GB_STREAM_NAME_MAX];
    gb_stream_spec own = *spec;
    snprintf(name, sizeof name, "%s%s", prefix, spec->name);
    if (is_taken(writer, name))
        snprintf(name, sizeof name, "machine.%s%s", prefix, spec->name);
    if (strlen(name) > GB_STREAM_NAME_MAX)
        name[GB_STREAM_NAME_MAX] = 0;
    own.name = name;
    own.time_base = GB_TIME_UTC;
    own.rate_hz = rate_hz;
    if (own.value_type != GB_VALUE_F64)
        own.value_type = GB_VALUE_F32;
    if (own.kind == GB_STREAM_IMAGE) /* numbers all the same */
        own.kind = GB_STREAM_VECTOR;
    return gb_recording_writer_stream(writer, &own, out);
}

static gb_status add_own(gb_recording_writer *writer,
                         const char *name,
                         const char *unit,
                         gb_value_type type,
                         double rate_hz,
                         int *out)
{
    gb_stream_spec spec = gb_stream_spec_defaults(name);
    spec.unit = unit;
    spec.value_type = type;
    spec.time_base = GB_TIME_UTC;
    spec.rate_hz = rate_hz;
    return gb_recording_writer_stream(writer, &spec, out);
}

/* The machine's first: that is what people look for. */
static gb_status add_streams(gb_box_streams *s, double rate_hz, bool has_policy)
{
    const gb_plant_info *m = s->machine;
    for (int i = 0; i < m->observation_stream_count; i++)
        GB_TRY(add(s->writer, &m->observation_streams[i].spec, "", rate_hz, &s->observations[i]));
    for (int i = 0; i < m->action_stream_count; i++) {
        const gb_stream_spec *spec = &m->action_streams[i].spec;
        GB_TRY(add(s->writer, spec, "", rate_hz, &s->commands[i]));
        GB_TRY(add(s->writer, spec, "proposal.", rate_hz, &s->proposals[i]));
    }
    for (int i = 0; i < TICK_STREAM_COUNT; i++)
        GB_TRY(add_own(s->writer, tick_streams[i].name, tick_streams[i].unit, tick_streams[i].type,
                       rate_hz, &s->of_tick[i]));
    for (int i = 0; has_policy && i < PILOT_STREAM_COUNT; i++)
        GB_TRY(add_own(s->writer, pilot_streams[i].name, pilot_streams[i].unit,
                       pilot_streams[i].type, 0, &s->of_pilot[i]));
    return GB_OK;
}

gb_status gb_box_streams_create(const gb_plant_info *machine,
                                int64_t tick_ns,
                                bool has_policy,
                                int64_t most_ticks,
                                gb_recording_writer *writer,
                                gb_box_streams **out)
{
    size_t largest = 1, most = (size_t)most_ticks;
    for (int i = 0; i < machine->observation_stream_count; i++)
        if ((size_t)machine->observation_streams[i].size > largest)
            largest = (size_t)machine->observation_streams[i].size;
    for (int i = 0; i < machine->action_stream_count; i++)
        if ((size_t)machine->action_streams[i].size > largest)
            largest = (size_t)machine->action_streams[i].size;
    gb_box_streams *s = calloc(1, sizeof *s);
    if (!s)
        return gb_fail(GB_ERR_MEMORY, "black box: no memory");
    s->machine = machine;
    s->writer = writer;
    s->wall_offset_ns = gb_clock_wall_ns() - gb_clock_monotonic_ns();
    s->observations = calloc((size_t)machine->observation_stream_count + 1, sizeof(int));
    s->commands = calloc((size_t)machine->action_stream_count + 1, sizeof(int));
    s->proposals = calloc((size_t)machine->action_stream_count + 1, sizeof(int));
    s->fresh = calloc(most, sizeof *s->fresh);
    s->time_ns = calloc(most, sizeof *s->time_ns);
    s->values = calloc(most * largest, sizeof(double));
    gb_status status = GB_OK;
    if (!s->observations || !s->commands || !s->proposals || !s->fresh || !s->time_ns || !s->values)
        status = gb_fail(GB_ERR_MEMORY, "black box: no memory for its streams");
    if (status == GB_OK)
        status = add_streams(s, 1e9 / (double)tick_ns, has_policy);
    if (status != GB_OK) {
        gb_box_streams_destroy(s);
        return status;
    }
    *out = s;
    return GB_OK;
}

void gb_box_streams_destroy(gb_box_streams *s)
{
    if (!s)
        return;
    free(s->observations);
    free(s->commands);
    free(s->proposals);
    free(s->fresh);
    free(s->time_ns);
    free(s->values);
    free(s);
}

static void put_value(void *values, int64_t at, gb_value_type type, double value)
{
    switch (type) {
    case GB_VALUE_F64:
        ((double *)values)[at] = value;
        break;
    case GB_VALUE_I64:
        ((int64_t *)values)[at] = (int64_t)value;
        break;
    case GB_VALUE_U32:
        ((uint32_t *)values)[at] = (uint32_t)value;
        break;
    case GB_VALUE_I32:
        ((int32_t *)values)[at] = (int32_t)value;
        break;
    case GB_VALUE_U8:
        ((uint8_t *)values)[at] = (uint8_t)value;
        break;
    case GB_VALUE_I8:
        ((int8_t *)values)[at] = (int8_t)value;
        break;
    default:
        ((float *)values)[at] = (float)value;
    }
}

static gb_status append(gb_box_streams *s, int stream, int64_t count)
{
    gb_samples samples = {.count = count, .time_ns = s->time_ns, .values = s->values};
    return gb_recording_writer_append(s->writer, stream, &samples);
}

/* Numbers [from, from + size) of the arrays behind each tick. */
static gb_status append_columns(
    gb_box_streams *s, int stream, const gb_tick *const *ticks, int64_t count, int from, int size)
{
    gb_value_type type = gb_recording_writer_spec(s->writer, stream)->value_type;
    int first_command = s->machine->observation_size + s->machine->action_size;
    for (int64_t i = 0; i < count; i++) {
        const double *numbers = (const double *)(ticks[i] + 1) + from;
        bool unsent = ticks[i]->verdict.blind && from >= first_command;
        s->time_ns[i] = ticks[i]->wall_ns;
        for (int k = 0; k < size; k++)
            put_value(s->values, i * size + k, type, unsent ? NAN : numbers[k]);
    }
    return append(s, stream, count);
}

/* Ticks whose observation was not there in the tick before. */
static int64_t find_fresh(gb_box_streams *s, const gb_tick *const *ticks, int64_t count)
{
    int64_t fresh = 0;
    for (int64_t i = 0; i < count; i++) {
        if (ticks[i]->observation_sequence == s->last_sequence)
            continue;
        s->last_sequence = ticks[i]->observation_sequence;
        s->fresh[fresh++] = ticks[i];
    }
    return fresh;
}

gb_status gb_box_streams_ticks(gb_box_streams *s, const gb_tick *const *ticks, int64_t count)
{
    const gb_plant_info *m = s->machine;
    if (count == 0)
        return GB_OK;
    s->wall_offset_ns = ticks[count - 1]->wall_ns - ticks[count - 1]->due_ns;
    for (int which = 0; which < TICK_STREAM_COUNT; which++) {
        for (int64_t i = 0; i < count; i++) {
            s->time_ns[i] = ticks[i]->wall_ns;
            put_value(s->values, i, tick_streams[which].type, tick_value(ticks[i], which));
        }
        GB_TRY(append(s, s->of_tick[which], count));
    }
    int64_t fresh = find_fresh(s, ticks, count);
    int at = 0;
    for (int i = 0; i < m->observation_stream_count; i++) {
        int size = m->observation_streams[i].size;
        if (fresh > 0)
            GB_TRY(append_columns(s, s->observations[i], s->fresh, fresh, at, size));
        at += size;
    }
    for (int i = 0; i < m->action_stream_count; i++) {
        int size = m->action_streams[i].size;
        GB_TRY(append_columns(s, s->proposals[i], ticks, count, at, size));
        GB_TRY(append_columns(s, s->commands[i], ticks, count, at + m->action_size, size));
        at += size;
    }
    return GB_OK;
}

gb_status gb_box_streams_decision(gb_box_streams *s, const gb_decision *d)
{
    double values[PILOT_STREAM_COUNT] = {(double)d->chunk, (double)d->status,
                                         (double)(d->ended_ns - d->began_ns) / 1e6};
    for (int i = 0; i < PILOT_STREAM_COUNT; i++) {
        gb_value_type type = gb_recording_writer_spec(s->writer, s->of_pilot[i])->value_type;
        s->time_ns[0] = d->ended_ns + s->wall_offset_ns;
        put_value(s->values, 0, type, values[i]);
        GB_TRY(append(s, s->of_pilot[i], 1));
    }
    return GB_OK;
}
