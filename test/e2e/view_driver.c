/* test/e2e/view_driver.c: a servo without a model, for looking at the viewer: the pushing table is
 * moved in circles, commands are clamped and now and then something goes wrong.
 *
 *     view_driver PORT SECONDS [REPORT.html [PLANT]]
 *
 * Another plant than pusht is moved by its teacher. Prints the port. The button stops it: it holds
 * still, says so, and ends a little later. Not the real loop, which needs a policy and an
 * envelope. */
#include "genba/blackbox.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define AFTER_STOP_S 4.0
#define SPEED_PX 4.0 /* the most that a command moves in a tick */

typedef struct servo {
    gb_plant *plant;
    const gb_plant_info *machine;
    gb_tick *record;
    double *observation, *proposal, *command;
    bool stopped;
} servo;

static void sleep_until(int64_t ns)
{
    struct timespec at = {ns / 1000000000, ns % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) != 0) {
    }
}

static void propose(servo *s, uint64_t tick, double t)
{
    uint64_t ticks = (uint64_t)(s->machine->period_ns / s->machine->tick_ns);
    if (s->machine->has_teacher) {
        if (tick % ticks == 0 && gb_plant_teach(s->plant, s->proposal) != GB_OK)
            fprintf(stderr, "%s\n", gb_error_message());
        return;
    }
    s->proposal[0] = 256 + 150 * cos(0.9 * t) + (fmod(t, 5.0) < 0.1 ? 60 * sin(90 * t) : 0);
    s->proposal[1] = 256 + 150 * sin(0.9 * t);
}

/* Moves the command towards the proposal, not faster than SPEED_PX a tick. */
static void follow(servo *s, gb_verdict *verdict)
{
    if (s->machine->has_teacher) {
        *verdict = (gb_verdict){.margin = 0.5, .margin_limit = GB_LIMIT_VELOCITY};
        memcpy(s->command, s->proposal, (size_t)s->machine->action_size * sizeof(double));
        return;
    }
    double dx = s->proposal[0] - s->command[0], dy = s->proposal[1] - s->command[1];
    double length = hypot(dx, dy), part = length > SPEED_PX ? SPEED_PX / length : 1.0;
    verdict->mode = part < 1.0 ? GB_MODE_CLAMP : GB_MODE_PASS;
    verdict->reasons = part < 1.0 ? 1u << GB_LIMIT_VELOCITY : 0;
    verdict->margin = fmax(0.0, 1.0 - length / SPEED_PX);
    verdict->margin_limit = GB_LIMIT_VELOCITY;
    verdict->margin_index = fabs(dx) > fabs(dy) ? 0 : 1;
    s->command[0] += part * dx;
    s->command[1] += part * dy;
}

static void judge(servo *s, double t, bool stop)
{
    gb_verdict *verdict = &s->record->verdict;
    memset(verdict, 0, sizeof *verdict);
    s->stopped = s->stopped || stop;
    if (s->stopped) {
        *verdict = (gb_verdict){.mode = GB_MODE_STOPPED,
                                .reasons = 1u << GB_LIMIT_EMERGENCY_STOP,
                                .margin_limit = GB_LIMIT_EMERGENCY_STOP,
                                .margin_index = -1};
    } else if (fmod(t, 9.0) > 8.6) { /* an observation that is too old */
        *verdict = (gb_verdict){.mode = GB_MODE_BACKUP,
                                .reasons = 1u << GB_LIMIT_OBSERVATION_AGE,
                                .margin = -0.2,
                                .margin_limit = GB_LIMIT_OBSERVATION_AGE,
                                .margin_index = -1};
    } else {
        follow(s, verdict);
    }
}

static void one_tick(servo *s, gb_view *view, uint64_t tick, int64_t due, double t)
{
    gb_tick *r = s->record;
    r->tick = tick;
    r->due_ns = due;
    r->woke_ns = gb_clock_monotonic_ns();
    r->wall_ns = gb_clock_wall_ns();
    r->observation_sequence = tick + 1;
    r->observation_ns = due - 3000000 - (fmod(t, 9.0) > 8.6 ? 200000000 : 0);
    r->chunk = 1 + tick / 40;
    r->late = r->woke_ns - due > s->machine->tick_ns / 2;
    propose(s, tick, t);
    judge(s, t, gb_view_emergency_stop(view));
    if (gb_plant_tick(s->plant, s->command, s->observation, NULL) != GB_OK)
        fprintf(stderr, "%s\n", gb_error_message());
    r->done_ns = gb_clock_monotonic_ns();
    gb_view_tick(view, r);
}

static int drive(servo *s, gb_view *view, double seconds)
{
    int64_t start = gb_clock_monotonic_ns() + 1000000, period = s->machine->tick_ns;
    uint64_t ticks = (uint64_t)(seconds * 1e9 / (double)period);
    uint64_t after_stop = (uint64_t)(AFTER_STOP_S * 1e9 / (double)period);
    for (uint64_t tick = 0; tick < ticks; tick++) {
        int64_t due = start + (int64_t)tick * period;
        bool was = s->stopped;
        sleep_until(due);
        one_tick(s, view, tick, due, (double)(due - start) / 1e9);
        if (s->stopped && !was) {
            ticks = tick + after_stop < ticks ? tick + after_stop : ticks;
            printf("stopped at tick %llu\n", (unsigned long long)tick);
            fflush(stdout);
        }
    }
    return 0;
}

static int run(servo *s, int port, double seconds, const char *report)
{
    gb_view_options options = {.machine = s->machine,
                               .title = s->machine->instruction,
                               .port = port,
                               .tick_ns = s->machine->tick_ns,
                               .report_path = report,
                               .machine_name = s->machine->name,
                               .model_name = "circles",
                               .envelope_path = "speed.yaml"};
    size_t numbers = (size_t)(s->machine->observation_size + 2 * s->machine->action_size);
    gb_view *view;
    s->record = calloc(1, sizeof *s->record + numbers * sizeof(double));
    if (!s->record || gb_view_open(&options, &view) != GB_OK)
        return 1;
    s->observation = (double *)(s->record + 1);
    s->proposal = s->observation + s->machine->observation_size;
    s->command = s->proposal + s->machine->action_size;
    printf("port %d\n", gb_view_port(view));
    fflush(stdout);
    int failed = gb_plant_reset(s->plant, 7, s->observation) != GB_OK;
    propose(s, 0, 0.0);
    memcpy(s->command, s->proposal, (size_t)s->machine->action_size * sizeof(double));
    failed = failed || drive(s, view, seconds);
    failed = gb_view_close(view) != GB_OK || failed;
    free(s->record);
    return failed;
}

int main(int argc, char **argv)
{
    servo s = {0};
    if (argc < 3) {
        fprintf(stderr, "view_driver PORT SECONDS [REPORT.html [PLANT]]\n");
        return 2;
    }
    if (gb_plant_create(argc > 4 ? argv[4] : "pusht", NULL, &s.plant) != GB_OK)
        return 1;
    s.machine = gb_plant_get_info(s.plant);
    int failed = run(&s, atoi(argv[1]), atof(argv[2]), argc > 3 ? argv[3] : NULL);
    if (failed)
        fprintf(stderr, "%s\n", gb_error_message());
    gb_plant_destroy(s.plant);
    return failed;
}
