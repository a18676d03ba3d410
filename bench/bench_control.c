/* One action chunk of the PushT policy at batch 1 on one core, as a control loop sees it: from an
 * observation to clipped actions. Percentiles over many calls, allocations, f32 and bf16 weights;
 * the peer is the same network in PyTorch, one thread. */
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "genba/model.h"
#include "interpose.h"
#include "policies.h"

enum {
    CALLS = 25000,
    CALLS_QUICK = 2000,
    WARM_UP = 500,
    OBSERVATIONS = 64
};

typedef struct latencies {
    double p50_ms, p99_ms, p999_ms, max_ms;
    double
        cpu_ratio; /* p99.9 / p50 of the thread's CPU time: what other programs do is not in it */
    long allocations;
} latencies;

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void observe(int number, float block[4], float angle[2], float agent[4])
{
    uint64_t at = (uint64_t)number;
    for (uint64_t i = 0; i < 4; i++) {
        block[i] = 100.0f + 300.0f * gb_random_uniform(1, at, i % 2) + (float)i;
        agent[i] = 50.0f + 400.0f * gb_random_uniform(2, at, i % 2) + (float)i;
        angle[i / 2] = 6.28f * gb_random_uniform(3, at, 0) + .01f * (float)i;
    }
}

static double cpu_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

static gb_status measure(const gb_model *model, gb_dtype compute, int calls, latencies *out)
{
    gb_session_options options = gb_session_defaults();
    gb_session *session = NULL;
    options.compute = compute;
    GB_TRY(gb_session_create(model, options, &session));
    double *ms = calloc(2 * (size_t)calls, sizeof *ms), *cpu = ms + calls;
    gb_status status = ms ? GB_OK : gb_fail(GB_ERR_MEMORY, "no memory for %d times", calls);
    float block[4], angle[2], agent[4], chunk[32];
    const float *streams[3] = {block, angle, agent};
    long before = 0;
    for (int i = -WARM_UP; i < calls && status == GB_OK; i++) {
        observe((i + WARM_UP) % OBSERVATIONS, block, angle, agent);
        if (i == 0)
            before = interposed_allocations();
        double start_cpu_ms = cpu_ms();
        int64_t start_ns = gb_clock_monotonic_ns();
        status = gb_session_act(session, streams, 1, (uint64_t)(i + WARM_UP), chunk);
        if (i >= 0) {
            ms[i] = (double)(gb_clock_monotonic_ns() - start_ns) * 1e-6;
            cpu[i] = cpu_ms() - start_cpu_ms;
        }
    }
    out->allocations = interposed_allocations() - before;
    if (status == GB_OK) {
        qsort(ms, (size_t)calls, sizeof *ms, ascending);
        qsort(cpu, (size_t)calls, sizeof *cpu, ascending);
        out->cpu_ratio = cpu[calls * 999LL / 1000] / cpu[calls / 2];
        out->p50_ms = ms[calls / 2];
        out->p99_ms = ms[calls * 99LL / 100];
        out->p999_ms = ms[calls * 999LL / 1000];
        out->max_ms = ms[calls - 1];
    }
    free(ms);
    gb_session_destroy(session);
    return status;
}

/* The peer's p50, p99 and p99.9 in ms; false when it cannot run here. */
static bool ask_peer(double out[3])
{
    FILE *pipe =
        popen("/usr/bin/python3 " GENBA_SOURCE_DIR "/bench/peer/torch_policy.py 2>/dev/null", "r");
    if (!pipe)
        return false;
    int found = fscanf(pipe, "%lf %lf %lf", &out[0], &out[1], &out[2]);
    return pclose(pipe) == 0 && found == 3;
}

/* A control loop stays on its core. */
static void stay_here(void)
{
    int core = sched_getcpu();
    cpu_set_t set;
    CPU_ZERO(&set);
    if (core >= 0) {
        CPU_SET(core, &set);
        (void)sched_setaffinity(0, sizeof set, &set);
    }
}

static void print(const bench_options *options,
                  const char *name,
                  double value,
                  const char *unit,
                  const double *peer)
{
    bench_row row = {.bench = "control",
                     .name = name,
                     .value = value,
                     .unit = unit,
                     .peer = peer ? "pytorch" : "",
                     .peer_value = peer ? *peer : 0.0,
                     .ratio = peer ? *peer / value : 0.0,
                     .threads = 1,
                     .isa = gb_isa_name(gb_cpu_get()->used)};
    bench_print(options, &row);
}

int bench_control(const bench_options *options)
{
    gb_model *model = NULL;
    latencies f32, bf16;
    double peer[3];
    int calls = options->quick ? CALLS_QUICK : CALLS;
    gb_status status = bench_policy_pusht(&model);
    bool peered = ask_peer(peer);
    if (!peered)
        fprintf(stderr, "control: no peer: python3 with torch is not here (python3-torch)\n");
    stay_here();
    if (status == GB_OK)
        status = measure(model, GB_F32, calls, &f32);
    if (status == GB_OK)
        status = measure(model, GB_BF16, calls, &bf16);
    gb_model_destroy(model);
    if (status != GB_OK) {
        fprintf(stderr, "control: %s\n", gb_error_message());
        return 1;
    }
    print(options, "pusht chunk f32 p50", f32.p50_ms, "ms", peered ? &peer[0] : NULL);
    print(options, "pusht chunk f32 p99", f32.p99_ms, "ms", peered ? &peer[1] : NULL);
    print(options, "pusht chunk f32 p99.9", f32.p999_ms, "ms", peered ? &peer[2] : NULL);
    print(options, "pusht chunk f32 p99.9/p50", f32.p999_ms / f32.p50_ms, "x", NULL);
    print(options, "pusht chunk f32 p99.9/p50 of CPU time", f32.cpu_ratio, "x", NULL);
    print(options, "pusht chunk f32 worst", f32.max_ms, "ms", NULL);
    print(options, "pusht chunk f32 allocations", (double)f32.allocations, "calls", NULL);
    print(options, "pusht chunk bf16 p50", bf16.p50_ms, "ms", peered ? &peer[0] : NULL);
    print(options, "pusht chunk bf16 p99.9", bf16.p999_ms, "ms", peered ? &peer[2] : NULL);
    print(options, "pusht chunk bf16 p99.9/p50", bf16.p999_ms / bf16.p50_ms, "x", NULL);
    print(options, "pusht chunk bf16 allocations", (double)bf16.allocations, "calls", NULL);
    return 0;
}
