/* A machine for tests of the envelope: described, not simulated. Two position columns, one velocity
 * and one force column; what is measured is what was commanded, with faults where a test wants. */
#ifndef TEST_CONTROL_ENVELOPE_MACHINE_H
#define TEST_CONTROL_ENVELOPE_MACHINE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "genba/envelope.h"

#define MS 1000000LL

enum {
    TICK_NS = 10000000 /* 10 ms */
};

static const double arm_low[2] = {-10, -10}, arm_high[2] = {10, 10};
#define STREAM(name_, unit_, size_)                                                                \
    .spec = {.name = name_, .unit = unit_, .rank = 1, .shape = {size_}, .rate_hz = 100},           \
    .size = size_

static const gb_plant_stream machine_observations[] = {
    {STREAM("arm.position", "rad", 2)},
    {STREAM("base.velocity", "m/s", 1)},
    {STREAM("grip.force", "N", 1)},
    {STREAM("arm.angle", "rad", 1), .wrap = 6.283185307179586},
};
static const gb_plant_stream machine_actions[] = {
    {STREAM("arm.target", "rad", 2), .low = arm_low, .high = arm_high},
    {STREAM("base.speed", "m/s", 1)},
    {STREAM("grip.press", "N", 1)},
};
static const gb_plant_info machine = {
    .name = "bench",
    .period_ns = TICK_NS,
    .tick_ns = TICK_NS,
    .observation_stream_count = 4,
    .action_stream_count = 3,
    .observation_streams = machine_observations,
    .action_streams = machine_actions,
    .observation_size = 5,
    .action_size = 4,
};

/* The commands of a good envelope; tests put their own lines in place of some. */
#define ARM_POSITION                                                                               \
    "  - stream: arm.target\n    kind: position\n    unit: rad\n    from: arm.position\n"          \
    "    low: [-1, -2]\n    high: [1, 2]\n"
#define ARM ARM_POSITION "    velocity: [1]\n    acceleration: [4]\n    jerk: [40]\n"
#define BASE                                                                                       \
    "  - {stream: base.speed, kind: velocity, unit: m/s, low: [-1], high: [2], acceleration: [2]," \
    " jerk: [20]}\n"
#define GRIP "  - {stream: grip.press, kind: force, unit: N, low: [0], high: [30], rate: [100]}\n"
#define WATCH "  - {stream: arm.position, unit: rad, max_age_ms: 50}\n"
#define HEAD "machine: bench\ncommands:\n"
#define GOOD HEAD ARM BASE GRIP "sensors:\n" WATCH

static inline gb_status load_for(const char *text, const gb_plant_info *info, gb_envelope **out)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/genba_envelope_%d.yaml", (int)getpid());
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    gb_status status = gb_envelope_load(path, info, TICK_NS, out);
    unlink(path);
    return status;
}

static inline gb_status load_text(const char *text, gb_envelope **out)
{
    return load_for(text, &machine, out);
}

/* Time, measurement and the last verdict of a run of ticks. */
typedef struct bench {
    gb_envelope *envelope;
    gb_observation observation;
    gb_envelope_input input;
    int64_t times[4];
    double values[5], proposal[4], command[4];
    gb_verdict verdict;
} bench;

static inline void bench_rewind(bench *b)
{
    memset(b->values, 0, sizeof b->values);
    memset(b->proposal, 0, sizeof b->proposal);
    b->observation = (gb_observation){1, 0, b->times, b->values};
    b->input = (gb_envelope_input){
        .now_ns = 1000000 * MS, .observation = &b->observation, .proposal = b->proposal};
    gb_envelope_reset(b->envelope);
}

static inline void bench_open(bench *b, const char *text)
{
    memset(b, 0, sizeof *b);
    gb_status status = load_text(text, &b->envelope);
    if (status != GB_OK)
        fail_msg("%s", gb_error_message());
    bench_rewind(b);
}

static inline void bench_close(bench *b)
{
    gb_envelope_destroy(b->envelope);
}

/* A tick with a fresh measurement. */
static inline void tick(bench *b)
{
    b->input.now_ns += TICK_NS;
    b->observation.sequence++;
    for (int i = 0; i < 4; i++)
        b->times[i] = b->input.now_ns;
    gb_envelope_tick(b->envelope, &b->input, b->command, &b->verdict);
}

static inline void ticks(bench *b, int count)
{
    for (int i = 0; i < count; i++)
        tick(b);
}

static inline bool because(const bench *b, gb_limit limit)
{
    return (b->verdict.reasons >> limit & 1u) != 0;
}

#define assert_mode(b, mode_)                                                                      \
    assert_string_equal(gb_envelope_mode_name((b)->verdict.mode), gb_envelope_mode_name(mode_))
#define assert_only(b, limit) assert_int_equal((b)->verdict.reasons, 1u << (limit))
#define assert_near(a, b) assert_true(fabs((a) - (b)) < 1e-9)

#endif
