/* genba-bench faults: the servo's figures while things go wrong around it: the link is cut, packets
 * come twice, out of order and damaged, the disk is full, a viewer reads nothing, the host's clock
 * is set (with --step-clock only: every program on the computer sees it). Each row beside the same
 * figure of an undisturbed run over the same kind of link. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "control/link_peer.h"
#include "control/realtime.h"
#include "policies.h"
#include "servo_rig.h"

enum {
    SECONDS = 20,
    SECONDS_QUICK = 5,
    FULL_DISK_BYTES = 65536,
    CLOCK_STEP_S = 60,
    CLOCK_STEP_EVERY_MS = 500
};

typedef struct scenario {
    const char *name;
    bool udp; /* the plant pusht behind UDP on this machine; else the integrator in this process */
    gb_link_faults faults;
    bool full_disk, stalled_viewer, stepped_clock;
    const char *like; /* the undisturbed run to compare with; NULL: this is one */
} scenario;

static const scenario scenarios[] = {
    {.name = "undisturbed"},
    {.name = "disk full", .full_disk = true, .like = "undisturbed"},
    {.name = "viewer stalled", .stalled_viewer = true, .like = "undisturbed"},
    {.name = "clock stepped", .stepped_clock = true, .like = "undisturbed"},
    {.name = "udp", .udp = true},
    {.name = "udp clock stepped", .udp = true, .stepped_clock = true, .like = "udp"},
    {.name = "udp cut for 1 s",
     .udp = true,
     .faults = {.cut_from_ns = 2000000000, .cut_ns = 1000000000},
     .like = "udp"},
    {.name = "udp cut for 10 s",
     .udp = true,
     .faults = {.cut_from_ns = 2000000000, .cut_ns = 10000000000},
     .like = "udp"},
    {.name = "udp disturbed",
     .udp = true,
     .faults = {.drop = .05,
                .duplicate = .1,
                .reorder = .1,
                .corrupt = .05,
                .jitter_ns = 20000000,
                .seed = 1},
     .like = "udp"},
};
enum {
    SCENARIOS = sizeof scenarios / sizeof *scenarios
};

/* ---- a machine behind UDP -----------------------------------------------------------------------
 */

typedef struct machine {
    gb_link_serve_options options;
    pthread_t thread;
    int stop;
    bool running;
    char here[64], there[64];
    gb_link *link;
} machine;

static void *machine_main(void *context)
{
    machine *m = context;
    gb_link_serve_counts counts;
    if (gb_link_serve(&m->options, &counts) != GB_OK)
        fprintf(stderr, "faults: %s\n", gb_error_message());
    return NULL;
}

static gb_status machine_start(machine *m, const gb_link_faults *faults)
{
    static const char map[] = GENBA_SOURCE_DIR "/examples/links/pusht.yaml";
    int port = 20000 + (int)getpid() % 20000;
    snprintf(m->here, sizeof m->here, "udp://127.0.0.1:%d?listen=%d", port, port + 1);
    snprintf(m->there, sizeof m->there, "udp://127.0.0.1:%d?listen=%d", port + 1, port);
    GB_TRY(gb_link_open(m->here, map, &m->link));
    m->options = (gb_link_serve_options){.plant = "pusht",
                                         .url = m->there,
                                         .map_path = map,
                                         .first_seed = 100000,
                                         .faults = *faults,
                                         .stop = &m->stop};
    m->running = pthread_create(&m->thread, NULL, machine_main, m) == 0;
    return m->running ? GB_OK : gb_fail(GB_ERR_MEMORY, "faults: no thread");
}

static void machine_stop(machine *m)
{
    __atomic_store_n(&m->stop, 1, __ATOMIC_SEQ_CST);
    if (m->running)
        pthread_join(m->thread, NULL);
    gb_link_close(m->link);
}

/* ---- a viewer that asks and never reads ---------------------------------------------------------
 */

static int stall_viewer(int port)
{
    static const char ask[] = "GET /live?from=0 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int least = 2048, file = socket(AF_INET, SOCK_STREAM, 0);
    if (file < 0)
        return -1;
    setsockopt(file, SOL_SOCKET, SO_RCVBUF, &least, sizeof least);
    if (connect(file, (struct sockaddr *)&to, sizeof to) == 0)
        for (int i = 0; i < 200; i++)
            if (send(file, ask, sizeof ask - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
                break;
    return file;
}

/* ---- a clock that is set ------------------------------------------------------------------------
 */

typedef struct stepper {
    pthread_t thread;
    atomic_bool leave;
    int64_t offset_ns; /* wall minus monotonic, as it was */
    bool running;
} stepper;

static bool set_clock(const stepper *s, int64_t ahead_s)
{
    int64_t ns = gb_clock_monotonic_ns() + s->offset_ns + ahead_s * 1000000000;
    struct timespec now = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    return clock_settime(CLOCK_REALTIME, &now) == 0;
}

static void *stepper_main(void *context)
{
    stepper *s = context;
    for (int i = 1; !atomic_load(&s->leave); i++) {
        set_clock(s, i % 2 ? CLOCK_STEP_S : 0);
        gb_realtime_sleep_until(gb_clock_monotonic_ns() + CLOCK_STEP_EVERY_MS * INT64_C(1000000));
    }
    set_clock(s, 0);
    return NULL;
}

static gb_status stepper_start(stepper *s)
{
    s->offset_ns = gb_clock_wall_ns() - gb_clock_monotonic_ns();
    if (!set_clock(s, 0))
        return gb_fail(GB_ERR_REFUSED, "this computer's clock may not be set (%s)",
                       strerror(errno));
    s->running = pthread_create(&s->thread, NULL, stepper_main, s) == 0;
    return s->running ? GB_OK : gb_fail(GB_ERR_MEMORY, "faults: no thread");
}

static void stepper_stop(stepper *s)
{
    atomic_store(&s->leave, true);
    if (s->running)
        pthread_join(s->thread, NULL);
}

/* ---- runs ---------------------------------------------------------------------------------------
 */

static gb_status run_with_viewer(servo_rig_options *rig, servo_figures *out)
{
    gb_view_options view = {
        .machine = servo_rig_machine(), .title = "bench", .tick_ns = servo_rig_machine()->tick_ns};
    gb_view *opened = NULL;
    GB_TRY(gb_view_open(&view, &opened));
    int file = stall_viewer(gb_view_port(opened));
    rig->view = opened;
    gb_status status = servo_rig_run(rig, out);
    if (file >= 0)
        close(file);
    gb_status closed = gb_view_close(opened);
    return status == GB_OK ? closed : status;
}

static gb_status run(const scenario *s, const char *log, int64_t seconds, servo_figures *out)
{
    gb_model *model = NULL;
    machine m = {0};
    stepper clock = {0};
    struct rlimit before, full;
    getrlimit(RLIMIT_FSIZE, &before);
    full = before;
    full.rlim_cur = FULL_DISK_BYTES;
    gb_status status = bench_policy_pusht(&model);
    servo_rig_options rig = {.seconds = seconds, .log = log, .model = model};
    if (status == GB_OK && s->udp)
        status = machine_start(&m, &s->faults);
    rig.link = m.link;
    if (s->full_disk) {
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &full);
    }
    if (status == GB_OK && s->stepped_clock)
        status = stepper_start(&clock);
    if (status == GB_OK)
        status = s->stalled_viewer ? run_with_viewer(&rig, out) : servo_rig_run(&rig, out);
    stepper_stop(&clock);
    setrlimit(RLIMIT_FSIZE, &before);
    machine_stop(&m);
    gb_model_destroy(model);
    char part[300];
    snprintf(part, sizeof part, "%s.part", log); /* what a full disk left of it */
    remove(part);
    remove(log);
    return status;
}

static void print(const bench_options *o,
                  const scenario *s,
                  const char *what,
                  const char *unit,
                  double value,
                  const double *peer)
{
    char name[80];
    snprintf(name, sizeof name, "%s: %s", s->name, what);
    bench_row row = {.bench = "faults",
                     .name = name,
                     .value = value,
                     .unit = unit,
                     .peer = peer ? s->like : "",
                     .peer_value = peer ? *peer : 0.0,
                     .ratio = peer && value > 0 ? *peer / value : 0.0,
                     .threads = 2,
                     .isa = gb_isa_name(gb_cpu_get()->used)};
    bench_print(o, &row);
}

static void
report(const bench_options *o, const scenario *s, const servo_figures *f, const servo_figures *like)
{
    const gb_control_result *c = &f->control, *l = like ? &like->control : NULL;
    double period[2] = {c->period.p999_ns * 1e-3, l ? l->period.p999_ns * 1e-3 : 0};
    double busy[2] = {c->busy.p999_ns * 1e-3, l ? l->busy.p999_ns * 1e-3 : 0};
    double unseen =
        (double)(f->link.lost + f->link.repeated + f->link.disordered + f->link.corrupt);
    print(o, s, "period p99.9", "us", period[0], l ? &period[1] : NULL);
    print(o, s, "bare loop's period p99.9", "us", f->bare_period.p999_ns * 1e-3, NULL);
    print(o, s, "added at p99.9", "us", period[0] - f->bare_period.p999_ns * 1e-3, NULL);
    print(o, s, "period p99", "us", c->period.p99_ns * 1e-3, NULL);
    print(o, s, "bare loop's period p99", "us", f->bare_period.p99_ns * 1e-3, NULL);
    print(o, s, "busy p99.9", "us", busy[0], l ? &busy[1] : NULL);
    print(o, s, "deadlines missed", "", (double)c->late, NULL);
    print(o, s, "bare loop's deadlines missed", "", (double)f->bare_late, NULL);
    print(o, s, "allocations and locks", "calls", (double)(f->servo.allocations + f->servo.locks),
          NULL);
    print(o, s, "ticks of the backup", "", (double)c->modes[GB_MODE_BACKUP], NULL);
    print(o, s, "messages lost, doubled, disordered, damaged", "", unseen, NULL);
    print(o, s, "ticks that the black box lost", "", (double)f->logged.ticks_lost, NULL);
}

int bench_faults(const bench_options *options)
{
    int64_t seconds = options->seconds ? options->seconds
                      : options->quick ? SECONDS_QUICK
                                       : SECONDS;
    static servo_figures figures[SCENARIOS];
    char log[256];
    int code = 0;
    snprintf(log, sizeof log, "%s/genba-faults-%d.mcap", options->folder ? options->folder : "/tmp",
             (int)getpid());
    for (int i = 0; i < SCENARIOS; i++) {
        const servo_figures *like = NULL;
        if (scenarios[i].stepped_clock && !options->step_clock)
            continue;
        for (int k = 0; scenarios[i].like && k < i; k++)
            if (strcmp(scenarios[k].name, scenarios[i].like) == 0)
                like = &figures[k];
        if (run(&scenarios[i], log, seconds, &figures[i]) == GB_OK) {
            report(options, &scenarios[i], &figures[i], like);
            continue;
        }
        fprintf(stderr, "faults: %s: %s\n", scenarios[i].name, gb_error_message());
        code = 1;
    }
    return code;
}
