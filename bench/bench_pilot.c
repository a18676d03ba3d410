/* genba-bench pilot: one decision at batch 1 on one core through the pilot's own functions: from a
 * history of observations to a published chunk. At the servo's priority if that is permitted, with
 * a pause before each decision, as in a loop: cold, warmed as the pilot's thread does it, and with
 * weights in bf16. After each decision a loop that only counts runs for as long: what the machine
 * does to it, it does to any program. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "control/pilot.h"
#include "control/realtime.h"
#include "host.h"
#include "interpose.h"
#include "policies.h"

enum {
    CALLS = 20000,
    CALLS_QUICK = 2000,
    WARM_UP = 500,
    PAUSE_NS = 1000000,
    COUNTS_TRIED = 1 << 20
};

typedef struct way {
    const char *name;
    bool warmed;
    gb_policy_make_fn make;
} way;

/* Times of one way to decide. */
typedef struct times {
    gb_histogram *wall, *cpu, *bare;
    int64_t bare_counts; /* rounds of the loop that only counts */
} times;

static int64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Uses nothing but registers. */
static int64_t count_for(int64_t rounds)
{
    int64_t start_ns = gb_clock_monotonic_ns();
    uint64_t x = (uint64_t)start_ns;
    for (int64_t i = 0; i < rounds; i++)
        __asm__ volatile("imul %0, %0" : "+r"(x));
    return gb_clock_monotonic_ns() - start_ns;
}

/* Plausible numbers that change with each decision. */
static void fill(gb_history *history, const gb_plant_info *machine, int look_back, int number)
{
    for (int i = 0; i < look_back * machine->observation_size; i++)
        history->numbers[i] = gb_random_uniform(1, (uint64_t)number, (uint64_t)i);
    for (int i = 0; i < machine->action_size; i++)
        history->numbers[look_back * machine->observation_size + i] = 0;
    history->begun = 1;
    history->sequence = (uint64_t)number;
    history->time_ns = number * 100 * machine->period_ns;
}

static void decide(gb_pilot *pilot, const gb_plant_info *machine, int number, const times *t)
{
    fill(gb_latest_write(gb_pilot_histories(pilot)), machine, gb_pilot_policy(pilot)->look_back,
         number);
    gb_latest_publish(gb_pilot_histories(pilot));
    int64_t start_cpu_ns = cpu_ns(), start_ns = gb_clock_monotonic_ns();
    if (gb_pilot_due(pilot)) {
        gb_pilot_think(pilot, start_ns);
        gb_pilot_publish(pilot, gb_clock_monotonic_ns());
    }
    gb_histogram_add(t->wall, gb_clock_monotonic_ns() - start_ns);
    gb_histogram_add(t->cpu, cpu_ns() - start_cpu_ns);
    if (t->bare_counts)
        gb_histogram_add(t->bare, count_for(t->bare_counts));
}

static void
decide_often(gb_pilot *pilot, const gb_plant_info *machine, const way *w, int count, const times *t)
{
    for (int i = 1; i <= count; i++) {
        gb_realtime_sleep_until(gb_clock_monotonic_ns() + PAUSE_NS);
        if (w->warmed)
            gb_pilot_warm(pilot);
        decide(pilot, machine, i, t);
    }
}

static void print(const bench_options *o,
                  const char *plant,
                  const way *w,
                  const char *what,
                  double value,
                  const char *unit,
                  double bare)
{
    char name[96];
    snprintf(name, sizeof name, "%s decision %s %s", plant, w->name, what);
    bench_row row = {.bench = "pilot",
                     .name = name,
                     .value = value,
                     .unit = unit,
                     .peer = bare > 0 ? "counting loop" : "",
                     .peer_value = bare,
                     .ratio = bare > 0 ? bare / value : 0,
                     .threads = 1,
                     .isa = gb_isa_name(gb_cpu_get()->used)};
    bench_print(o, &row);
}

static void
print_times(const bench_options *o, const char *plant, const way *w, const times *t, double stolen)
{
    gb_timing wall, cpu, bare;
    gb_histogram_read(t->wall, &wall);
    gb_histogram_read(t->cpu, &cpu);
    gb_histogram_read(t->bare, &bare);
    print(o, plant, w, "p50", wall.p50_ns * 1e-6, "ms", bare.p50_ns * 1e-6);
    print(o, plant, w, "p99", wall.p99_ns * 1e-6, "ms", bare.p99_ns * 1e-6);
    print(o, plant, w, "p99.9", wall.p999_ns * 1e-6, "ms", bare.p999_ns * 1e-6);
    print(o, plant, w, "longest", wall.max_ns * 1e-6, "ms", bare.max_ns * 1e-6);
    print(o, plant, w, "p99.9/p50", wall.p999_ns / wall.p50_ns, "x", bare.p999_ns / bare.p50_ns);
    print(o, plant, w, "p99.9/p50 of CPU time", cpu.p999_ns / cpu.p50_ns, "x", 0);
    print(o, plant, w, "time taken by the host", stolen, "s", 0);
}

/* Rounds of the counting loop that last as long as a decision. */
static int64_t match(const times *t)
{
    gb_timing wall;
    int64_t best_ns = INT64_MAX;
    gb_histogram_read(t->wall, &wall);
    for (int i = 0; i < 5; i++) {
        int64_t took_ns = count_for(COUNTS_TRIED);
        best_ns = took_ns < best_ns ? took_ns : best_ns;
    }
    return (int64_t)(wall.p50_ns / (double)best_ns * COUNTS_TRIED);
}

static gb_status create_times(times *t)
{
    GB_TRY(gb_histogram_create(&t->wall));
    GB_TRY(gb_histogram_create(&t->cpu));
    return gb_histogram_create(&t->bare);
}

static void destroy_times(times *t)
{
    gb_histogram_destroy(t->bare);
    gb_histogram_destroy(t->cpu);
    gb_histogram_destroy(t->wall);
}

/* A pilot that decides `count` times, and what it did that it must not. */
static gb_status decide_with(
    const gb_pilot_options *options, const way *w, int count, const times *t, interposed *out)
{
    gb_pilot *pilot = NULL;
    gb_control_result result = {0};
    const char *failure = "";
    GB_TRY(gb_pilot_create(options, &pilot));
    interposed before = interposed_here();
    decide_often(pilot, options->machine, w, count, t);
    interposed after = interposed_here();
    out->allocations = after.allocations - before.allocations;
    out->locks = after.locks - before.locks;
    gb_pilot_tally(pilot, &result, &failure);
    gb_status status = result.failures ? gb_fail(GB_ERR_NUMERIC, "%s", failure) : GB_OK;
    gb_pilot_destroy(pilot);
    return status;
}

static gb_status
measure(const bench_options *o, const char *plant, const way *w, const gb_model *model)
{
    const gb_plant_info *machine = NULL;
    times first = {0}, t = {0};
    interposed calls = {0};
    double stolen_s = 0;
    GB_TRY(gb_plant_describe(plant, &machine));
    gb_pilot_options options = {.machine = machine, .make = w->make, .make_context = model};
    gb_status status = create_times(&first);
    if (status == GB_OK)
        status = create_times(&t);
    if (status == GB_OK)
        status = decide_with(&options, w, WARM_UP, &first, &calls);
    if (status == GB_OK) {
        t.bare_counts = match(&first);
        stolen_s = host_stolen_s();
        status = decide_with(&options, w, o->quick ? CALLS_QUICK : CALLS, &t, &calls);
        stolen_s = host_stolen_s() - stolen_s;
    }
    if (status == GB_OK) {
        print_times(o, plant, w, &t, stolen_s);
        print(o, plant, w, "allocations", (double)calls.allocations, "calls", 0);
        print(o, plant, w, "locks", (double)calls.locks, "calls", 0);
    }
    destroy_times(&t);
    destroy_times(&first);
    return status;
}

int bench_pilot(const bench_options *options)
{
    static const way ways[] = {{"cold", false, gb_policy_make_model},
                               {"warmed", true, gb_policy_make_model},
                               {"warmed bf16", true, gb_policy_make_model_bf16}};
    gb_model *pusht = NULL, *grasp = NULL;
    char text[GB_REALTIME_NOTE];
    if (!gb_realtime_fifo("pilot", 80, text) || !gb_realtime_pin("pilot", 0, text))
        fprintf(stderr, "pilot: %s\n", text);
    gb_status status = bench_policy_pusht(&pusht);
    if (status == GB_OK)
        status = bench_policy_grasp(&grasp);
    for (size_t i = 0; status == GB_OK && i < sizeof ways / sizeof *ways; i++) {
        status = measure(options, "pusht", &ways[i], pusht);
        if (status == GB_OK)
            status = measure(options, "grasp", &ways[i], grasp);
    }
    gb_model_destroy(grasp);
    gb_model_destroy(pusht);
    if (status != GB_OK)
        fprintf(stderr, "pilot: %s\n", gb_error_message());
    return status != GB_OK;
}
