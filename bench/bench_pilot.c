/* genba-bench pilot: one decision at batch 1 on one core through the pilot's own functions: from a
 * history of observations to a published chunk. At the servo's priority if that is permitted, with
 * a pause after each decision, as in a loop. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "control/pilot.h"
#include "control/realtime.h"
#include "interpose.h"
#include "policies.h"

enum {
    CALLS = 20000,
    CALLS_QUICK = 2000,
    WARM_UP = 500,
    PAUSE_NS = 1000000
};

static void
print(const bench_options *o, const char *plant, const char *what, double v, const char *unit)
{
    char name[64];
    snprintf(name, sizeof name, "%s decision %s", plant, what);
    bench_row row = {.bench = "pilot",
                     .name = name,
                     .value = v,
                     .unit = unit,
                     .peer = "",
                     .threads = 1,
                     .isa = gb_isa_name(gb_cpu_get()->used)};
    bench_print(o, &row);
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

static void decide(gb_pilot *pilot, const gb_plant_info *machine, int first, int count)
{
    for (int i = first; i < first + count; i++) {
        fill(gb_latest_write(gb_pilot_histories(pilot)), machine, gb_pilot_policy(pilot)->look_back,
             i);
        gb_latest_publish(gb_pilot_histories(pilot));
        if (gb_pilot_due(pilot)) {
            gb_pilot_think(pilot, gb_clock_monotonic_ns());
            gb_pilot_publish(pilot, gb_clock_monotonic_ns());
        }
        gb_realtime_sleep_until(gb_clock_monotonic_ns() + PAUSE_NS);
    }
}

static gb_status measure(const bench_options *o, const char *plant, const gb_model *model)
{
    int calls = o->quick ? CALLS_QUICK : CALLS;
    const gb_plant_info *machine = NULL;
    gb_pilot *pilot = NULL, *warm = NULL;
    gb_control_result result = {0};
    const char *failure = "";
    GB_TRY(gb_plant_describe(plant, &machine));
    gb_pilot_options options = {
        .machine = machine, .make = gb_policy_make_model, .make_context = model};
    GB_TRY(gb_pilot_create(&options, &warm));
    decide(warm, machine, 1, WARM_UP);
    gb_pilot_destroy(warm);
    GB_TRY(gb_pilot_create(&options, &pilot));
    interposed before = interposed_here();
    decide(pilot, machine, 1, calls);
    interposed after = interposed_here();
    gb_pilot_tally(pilot, &result, &failure);
    gb_status status = result.failures ? gb_fail(GB_ERR_NUMERIC, "%s: %s", plant, failure) : GB_OK;
    gb_pilot_destroy(pilot);
    GB_TRY(status);
    const gb_timing *t = &result.inference;
    print(o, plant, "p50", t->p50_ns * 1e-6, "ms");
    print(o, plant, "p99", t->p99_ns * 1e-6, "ms");
    print(o, plant, "p99.9", t->p999_ns * 1e-6, "ms");
    print(o, plant, "longest", t->max_ns * 1e-6, "ms");
    print(o, plant, "p99.9/p50", t->p999_ns / t->p50_ns, "x");
    print(o, plant, "allocations", (double)(after.allocations - before.allocations), "calls");
    print(o, plant, "locks", (double)(after.locks - before.locks), "calls");
    return GB_OK;
}

int bench_pilot(const bench_options *options)
{
    gb_model *pusht = NULL, *grasp = NULL;
    char text[GB_REALTIME_NOTE];
    if (!gb_realtime_fifo("pilot", 80, text) || !gb_realtime_pin("pilot", 0, text))
        fprintf(stderr, "pilot: %s\n", text);
    gb_status status = bench_policy_pusht(&pusht);
    if (status == GB_OK)
        status = measure(options, "pusht", pusht);
    if (status == GB_OK)
        status = bench_policy_grasp(&grasp);
    if (status == GB_OK)
        status = measure(options, "grasp", grasp);
    gb_model_destroy(grasp);
    gb_model_destroy(pusht);
    if (status != GB_OK)
        fprintf(stderr, "pilot: %s\n", gb_error_message());
    return status != GB_OK;
}
