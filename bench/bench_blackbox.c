/* What the black box costs at 1 kHz: the servo's time for a record, the writer's share of a core,
 * bytes on disk a tick. 20 noisy observations, 6 actions, a chunk of 16 actions every 80 ms. */
#include "bench.h"

#include "genba/blackbox.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    OBSERVATIONS = 20,
    ACTIONS = 6,
    LOOK_BACK = 2,
    HORIZON = 16,
    TICKS_A_CHUNK = 80,
    TICK_NS = 1000000
};

static const gb_plant_stream observations[] = {{.spec = {.name = "arm.position",
                                                         .kind = GB_STREAM_VECTOR,
                                                         .unit = "rad",
                                                         .rank = 1,
                                                         .shape = {OBSERVATIONS}},
                                                .size = OBSERVATIONS}};
static const gb_plant_stream actions[] = {{.spec = {.name = "arm.target",
                                                    .kind = GB_STREAM_ACTION,
                                                    .unit = "rad",
                                                    .rank = 1,
                                                    .shape = {ACTIONS}},
                                           .size = ACTIONS}};
static const gb_plant_info machine = {.name = "bench",
                                      .summary = "",
                                      .source = "",
                                      .period_ns = 10 * TICK_NS,
                                      .tick_ns = TICK_NS,
                                      .observation_stream_count = 1,
                                      .action_stream_count = 1,
                                      .observation_streams = observations,
                                      .action_streams = actions,
                                      .observation_size = OBSERVATIONS,
                                      .action_size = ACTIONS,
                                      .progress_name = "",
                                      .instruction = ""};

typedef struct measures {
    double *push_ns; /* [ticks] */
    double writer_share, bytes_a_tick;
    gb_blackbox_counts counts;
} measures;

static double cpu_seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Smooth movement with the noise of a 16-bit sensor. */
static void fill_tick(gb_tick *tick, int64_t n, int64_t due_ns)
{
    double *values = (double *)(tick + 1);
    *tick = (gb_tick){.tick = (uint64_t)n,
                      .due_ns = due_ns,
                      .woke_ns = due_ns + 5000 + (int64_t)gb_random_below(1, 0, (uint64_t)n, 9000),
                      .wall_ns = due_ns + INT64_C(1700000000000000000),
                      .observation_sequence = (uint64_t)n + 1,
                      .observation_ns = due_ns - 300000,
                      .chunk = (uint64_t)(n / TICKS_A_CHUNK) + 1,
                      .chunk_at_ns = (int32_t)(n % TICKS_A_CHUNK * TICK_NS),
                      .verdict = {.margin = 0.3, .margin_limit = GB_LIMIT_VELOCITY}};
    tick->done_ns = tick->woke_ns + 8000 + (int64_t)gb_random_below(1, 1, (uint64_t)n, 3000);
    for (int i = 0; i < OBSERVATIONS; i++) {
        double noise = gb_random_normal(2, (uint64_t)i, (uint64_t)n) * 3.0f;
        values[i] = round(10000 * sin(0.001 * (double)n + i) + noise) / 10000;
    }
    for (int i = 0; i < ACTIONS; i++)
        values[OBSERVATIONS + i] = values[OBSERVATIONS + ACTIONS + i] =
            sin(0.001 * (double)(n + 40) + i);
}

static void fill_decision(gb_decision *decision, const gb_tick *tick)
{
    double *values = (double *)(decision + 1);
    const double *seen = (const double *)(tick + 1);
    *decision = (gb_decision){.chunk = tick->chunk,
                              .start_ns = tick->due_ns,
                              .began_ns = tick->woke_ns,
                              .ended_ns = tick->woke_ns + 3000000};
    for (int i = 0; i < LOOK_BACK * OBSERVATIONS; i++)
        values[i] = seen[i % OBSERVATIONS];
    for (int i = 0; i < (2 * HORIZON + 1) * ACTIONS; i++)
        values[LOOK_BACK * OBSERVATIONS + i] = sin(0.01 * i + (double)tick->tick);
}

static gb_status
drive(gb_blackbox *box, gb_tick *tick, gb_decision *decision, int64_t ticks, measures *out)
{
    int64_t start_ns = gb_clock_monotonic_ns();
    double all = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID), own = cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
    for (int64_t n = 0; n < ticks; n++) {
        int64_t due_ns = start_ns + n * TICK_NS;
        struct timespec due = {due_ns / 1000000000, due_ns % 1000000000};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
        fill_tick(tick, n, due_ns);
        if (n % TICKS_A_CHUNK == 0) {
            fill_decision(decision, tick);
            gb_blackbox_decision(box, decision);
        }
        int64_t before_ns = gb_clock_monotonic_ns();
        gb_blackbox_tick(box, tick);
        out->push_ns[n] = (double)(gb_clock_monotonic_ns() - before_ns);
    }
    double seconds = 1e-9 * (double)(gb_clock_monotonic_ns() - start_ns);
    all = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID) - all;
    own = cpu_seconds(CLOCK_THREAD_CPUTIME_ID) - own;
    out->writer_share = (all - own) / seconds;
    return gb_blackbox_close(box, &out->counts);
}

static gb_status measure(const char *path, int64_t ticks, measures *out)
{
    gb_policy policy = {.look_back = LOOK_BACK, .horizon = HORIZON, .execute = 8};
    gb_blackbox_options options = {.path = path,
                                   .machine = &machine,
                                   .policy = &policy,
                                   .machine_name = "plant:bench",
                                   .tick_ns = TICK_NS};
    gb_blackbox *box = NULL;
    gb_tick *tick = calloc(1, gb_tick_bytes(&machine));
    gb_decision *decision = calloc(1, gb_decision_bytes(&machine, &policy));
    out->push_ns = calloc((size_t)ticks, sizeof *out->push_ns);
    gb_status status = tick && decision && out->push_ns ? GB_OK : GB_ERR_MEMORY;
    if (status == GB_OK)
        status = gb_blackbox_open(&options, &box);
    if (status == GB_OK)
        status = drive(box, tick, decision, ticks, out);
    struct stat info;
    if (status == GB_OK && stat(path, &info) == 0)
        out->bytes_a_tick = (double)info.st_size / (double)ticks;
    free(tick);
    free(decision);
    return status;
}

static void print(const bench_options *options, const measures *m, int64_t ticks)
{
    double raw = (double)gb_tick_bytes(&machine);
    bench_row row = {.bench = "blackbox", .peer = "", .threads = 2, .isa = ""};
    bench_median(m->push_ns, (size_t)ticks);
    const struct {
        const char *name;
        double value;
        const char *unit;
    } rows[] = {
        {"servo's time for a record, p50", m->push_ns[ticks / 2], "ns"},
        {"servo's time for a record, p99.9", m->push_ns[ticks - 1 - ticks / 1000], "ns"},
        {"writer's share of a core", 100 * m->writer_share, "%"},
        {"record of a tick", raw, "bytes"},
        {"on disk, all streams and the chain", m->bytes_a_tick, "bytes/tick"},
        {"lost", (double)m->counts.ticks_lost, "ticks"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        row.name = rows[i].name;
        row.value = rows[i].value;
        row.unit = rows[i].unit;
        bench_print(options, &row);
    }
}

int bench_blackbox(const bench_options *options)
{
    char path[512];
    int64_t ticks = options->quick ? 3000 : 20000;
    measures m = {0};
    snprintf(path, sizeof path, "%s/genba-bench-%ld.mcap",
             options->folder ? options->folder : "/tmp", (long)getpid());
    gb_status status = measure(path, ticks, &m);
    if (status == GB_OK)
        print(options, &m, ticks);
    else
        fprintf(stderr, "blackbox: %s\n", gb_error_message());
    unlink(path);
    free(m.push_ns);
    return status == GB_OK ? 0 : 1;
}
