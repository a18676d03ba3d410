/* genba-bench servo: ten minutes (--seconds 600) at 1 kHz: the period of the servo with a busy
 * pilot, an envelope and a black box; side by side on the same core, at the same priority, half a
 * tick later, a loop that only sleeps, and cyclictest of rt-tests, if it is here, one priority
 * below. What the loop must not do is counted. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "policies.h"
#include "servo_rig.h"

enum {
    SECONDS = 60,
    SECONDS_QUICK = 5
};

static void print(const bench_options *options,
                  const char *name,
                  double value,
                  const char *unit,
                  const char *peer,
                  double peer_value)
{
    bench_row row = {.bench = "servo",
                     .name = name,
                     .value = value,
                     .unit = unit,
                     .peer = peer,
                     .peer_value = peer_value,
                     .ratio = *peer ? peer_value / value : 0.0,
                     .threads = 2,
                     .isa = gb_isa_name(gb_cpu_get()->used)};
    bench_print(options, &row);
}

static FILE *start_cyclictest(int64_t seconds)
{
    char command[256];
    snprintf(command, sizeof command,
             "cyclictest -q -m -t1 -p79 -a%d -i1000 -D%lld -h10000 2>/dev/null", servo_rig_core(),
             (long long)seconds);
    return popen(command, "r");
}

/* How late cyclictest woke, in us: p50, p99, p99.9, longest. Waits for its end. */
static bool read_cyclictest(FILE *pipe, double out[4])
{
    static double counts[10000];
    char line[256];
    double total = 0, seen = 0;
    memset(counts, 0, sizeof counts);
    while (pipe && fgets(line, sizeof line, pipe)) {
        int us;
        double count;
        if (sscanf(line, "# Max Latencies: %d", &us) == 1)
            out[3] = us;
        else if (line[0] != '#' && sscanf(line, "%d %lf", &us, &count) == 2 && us >= 0 &&
                 us < 10000)
            total += counts[us] = count;
    }
    if (!pipe || pclose(pipe) != 0 || total == 0)
        return false;
    static const double parts[3] = {.5, .99, .999};
    for (int us = 0, k = 0; us < 10000 && k < 3; us++)
        for (seen += counts[us]; k < 3 && seen >= parts[k] * total; k++)
            out[k] = us;
    return true;
}

static void print_timing(const bench_options *o, const char *what, gb_timing ours, gb_timing bare)
{
    const double a[] = {ours.p50_ns, ours.p99_ns, ours.p999_ns, ours.max_ns};
    const double b[] = {bare.p50_ns, bare.p99_ns, bare.p999_ns, bare.max_ns};
    static const char *const names[] = {"p50", "p99", "p99.9", "longest"};
    char name[64];
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%s %s", what, names[i]);
        print(o, name, a[i] * 1e-3, "us", bare.count ? "bare loop" : "", b[i] * 1e-3);
    }
}

static void print_counts(const bench_options *o, const servo_figures *f)
{
    const gb_control_result *c = &f->control;
    print(o, "ticks", (double)c->ticks, "", "", 0);
    print(o, "deadlines missed", (double)c->late, "", "bare loop", (double)f->bare_late);
    print(o, "time taken by the host", f->stolen_s, "s", "", 0);
    print(o, "servo's allocations", (double)f->servo.allocations, "calls", "", 0);
    print(o, "servo's locks", (double)f->servo.locks, "calls", "", 0);
    print(o, "pilot's allocations", (double)f->pilot.allocations, "calls", "", 0);
    print(o, "pilot's locks", (double)f->pilot.locks, "calls", "", 0);
    print(o, "major page faults of both", (double)c->major_faults, "", "", 0);
    print(o, "ticks that the black box lost", (double)f->logged.ticks_lost, "", "", 0);
    print(o, "SCHED_FIFO granted", c->fifo, "", "", 0);
    print(o, "memory locked", c->memory_locked, "", "", 0);
}

int bench_servo(const bench_options *options)
{
    int64_t seconds = options->seconds ? options->seconds
                      : options->quick ? SECONDS_QUICK
                                       : SECONDS;
    char log[256];
    gb_model *model = NULL;
    servo_figures f;
    snprintf(log, sizeof log, "%s/genba-servo-%d.mcap", options->folder ? options->folder : "/tmp",
             (int)getpid());
    gb_status status = bench_policy_pusht(&model);
    servo_rig_options rig = {.seconds = seconds, .log = log, .model = model};
    FILE *cyclictest = start_cyclictest(seconds);
    if (status == GB_OK)
        status = servo_rig_run(&rig, &f);
    double cyclic[4] = {0};
    bool cycled = read_cyclictest(cyclictest, cyclic);
    gb_model_destroy(model);
    remove(log);
    if (status != GB_OK) {
        fprintf(stderr, "servo: %s\n", gb_error_message());
        return 1;
    }
    print_timing(options, "period", f.control.period, f.bare_period);
    print_timing(options, "wake", f.control.wake, f.bare_wake);
    print_timing(options, "busy", f.control.busy, (gb_timing){0});
    print(options, "added at p99.9 of the period",
          (f.control.period.p999_ns - f.bare_period.p999_ns) * 1e-3, "us", "", 0);
    print_counts(options, &f);
    if (!cycled) {
        fprintf(stderr, "servo: cyclictest (rt-tests) is not here or may not run\n");
        return 0;
    }
    print(options, "wake p50", f.control.wake.p50_ns * 1e-3, "us", "cyclictest", cyclic[0]);
    print(options, "wake p99", f.control.wake.p99_ns * 1e-3, "us", "cyclictest", cyclic[1]);
    print(options, "wake p99.9", f.control.wake.p999_ns * 1e-3, "us", "cyclictest", cyclic[2]);
    print(options, "wake longest", f.control.wake.max_ns * 1e-3, "us", "cyclictest", cyclic[3]);
    return 0;
}
