/* control/control.c: a run of the loop: what is checked before anything moves, its episodes, how it
 * ends, its results. Ticks are servo.c's, decisions pilot.c's; clocks are in control_stepped.c and
 * control_threads.c. */
#include "control/loop.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define TICK_LEAST_NS INT64_C(1000000)
#define TICK_MOST_NS INT64_C(1000000000)
#define REST_MOST_NS INT64_C(120000000000) /* longer than any machine brakes or retreats */
#define EPISODE_LENGTHS 2 /* a machine that nobody ever commands does not count its steps */
#define REST_TICKS 20     /* with the same command: it is at rest */

gb_control_options gb_control_options_defaults(void)
{
    return (gb_control_options){.switching = GB_SWITCH_REAL_TIME,
                                .delay_ns = -1,
                                .episodes = 1,
                                .first_seed = 100000,
                                .servo_core = -1,
                                .pilot_core = -1,
                                .priority = 80};
}

/* ---- before anything moves ----------------------------------------------------------------------
 */

static gb_status check_link(const gb_control_options *o)
{
    if (!o->link)
        return gb_fail(GB_ERR_ARGUMENT, "control: there is no link to a machine");
    if (!o->envelope && !o->link->simulated)
        return gb_fail(GB_ERR_REFUSED,
                       "control: %s is not simulated, so it runs only inside an envelope; give one "
                       "(--envelope, docs/envelope.md)",
                       o->link->machine->name);
    if (o->stepped_time && !o->link->stepped)
        return gb_fail(GB_ERR_ARGUMENT,
                       "control: %s has its own clock, so it cannot be stepped; run it in real "
                       "time",
                       o->link->machine->name);
    return GB_OK;
}

/* A rate such that 1e9 / rate, rounded, is this tick again, in as few digits as that takes. */
static void rate_text(int64_t tick_ns, char *text, size_t size)
{
    for (int digits = 4; digits <= 17; digits++) { /* 1000, not 1e+03 */
        snprintf(text, size, "%.*g", digits, 1e9 / (double)tick_ns);
        if (llround(1e9 / strtod(text, NULL)) == tick_ns)
            return;
    }
}

/* "10 or 12.5 Hz are": the rates nearest to a tick whose ticks divide the period. */
static void neighbour_rates(int64_t period_ns, int64_t tick_ns, char *text, size_t size)
{
    char below[32] = "", above[32] = "";
    int64_t slower = 0, faster = 0; /* ticks */
    for (int64_t n = 1; n <= period_ns / TICK_LEAST_NS; n++) {
        int64_t each = period_ns / n;
        if (period_ns % n != 0 || each > TICK_MOST_NS)
            continue;
        if (each >= tick_ns)
            slower = each;
        else if (!faster)
            faster = each;
    }
    if (slower)
        rate_text(slower, below, sizeof below);
    if (faster)
        rate_text(faster, above, sizeof above);
    snprintf(text, size, "%s%s%s", below, slower && faster ? " and " : "", above);
}

static gb_status check_tick(const gb_link *link, int64_t tick_ns)
{
    const gb_plant_info *machine = link->machine;
    char rates[80];
    if (tick_ns < TICK_LEAST_NS || tick_ns > TICK_MOST_NS)
        return gb_fail(GB_ERR_ARGUMENT, "control: a tick of %.6g ms, expected 1 ms to 1 s",
                       (double)tick_ns * 1e-6);
    if (link->stepped && tick_ns != machine->tick_ns) {
        rate_text(machine->tick_ns, rates, sizeof rates);
        return gb_fail(GB_ERR_ARGUMENT,
                       "control: the simulated %s takes %s commands a second and no other rate, "
                       "not one each %.6g ms; leave the rate out",
                       machine->name, rates, (double)tick_ns * 1e-6);
    }
    if (machine->period_ns >= tick_ns && machine->period_ns % tick_ns == 0)
        return GB_OK;
    neighbour_rates(machine->period_ns, tick_ns, rates, sizeof rates);
    return gb_fail(GB_ERR_ARGUMENT,
                   "control: a tick of %.6g ms does not divide %s's period of %.6g ms; the nearest "
                   "rates that do: %s Hz",
                   (double)tick_ns * 1e-6, machine->name, (double)machine->period_ns * 1e-6, rates);
}

static gb_status check_times(const gb_control_options *o, int64_t tick_ns)
{
    const gb_plant_info *machine = o->link->machine;
    GB_TRY(check_tick(o->link, tick_ns));
    if (o->seconds < 0 || o->seconds > INT64_C(1000000000) || o->episodes < 0 ||
        (o->delay_ns > INT64_C(3600000000000)))
        return gb_fail(GB_ERR_ARGUMENT,
                       "control: %lld seconds, %d episodes, a delay of %lld ns: expected 0 to 1e9 "
                       "seconds, 0 episodes or more, a delay up to an hour",
                       (long long)o->seconds, o->episodes, (long long)o->delay_ns);
    if (o->priority < 0 || o->priority > 99)
        return gb_fail(GB_ERR_ARGUMENT, "control: priority %d, expected 0 to 99", o->priority);
    if (!o->link->ops->result && o->seconds == 0 && !o->stop)
        return gb_fail(GB_ERR_ARGUMENT,
                       "control: %s does not say when it is done; give a number of seconds",
                       machine->name);
    return GB_OK;
}

/* ---- episodes -----------------------------------------------------------------------------------
 */

void gb_loop_note(const gb_loop *loop, const char *line)
{
    if (loop->options.note)
        loop->options.note(loop->options.context, line);
}

gb_status gb_loop_begin(gb_loop *loop, int episode, int64_t start_ns)
{
    gb_link *link = loop->options.link;
    if (link->ops->reset)
        GB_TRY(link->ops->reset(link, loop->options.first_seed + (uint64_t)episode));
    if (episode == 0)
        loop->began_ns = start_ns;
    gb_servo_begin(loop->servo, (uint32_t)episode, start_ns);
    return GB_OK;
}

static bool should_stop(const gb_loop *loop, int64_t due_ns)
{
    const gb_control_options *o = &loop->options;
    if (o->stop && *o->stop)
        return true;
    return o->seconds > 0 &&
           due_ns + loop->machine.tick_ns - loop->began_ns >= o->seconds * INT64_C(1000000000);
}

/* A run that is cut short ends with the backup controller's commands: it gets no proposals any
 * more, until its command stays the same, however long that takes: who returned earlier would leave
 * a vehicle driving or an arm half way. */
static gb_loop_end come_to_rest(gb_loop *loop, int64_t due_ns)
{
    gb_servo *servo = loop->servo;
    if (!loop->options.envelope)
        return GB_LOOP_RUN_OVER;
    if (loop->rest_ns == INT64_MIN) {
        loop->rest_ns = due_ns;
        servo->still_ticks = 0;
    }
    servo->coming_to_rest = true;
    bool rested = servo->still_ticks >= REST_TICKS || due_ns - loop->rest_ns >= REST_MOST_NS;
    return rested ? GB_LOOP_RUN_OVER : GB_LOOP_GOES_ON;
}

static int64_t episode_ns(const gb_loop *loop)
{
    return loop->machine.max_steps * loop->machine.period_ns;
}

gb_loop_end gb_loop_after_tick(gb_loop *loop, int64_t due_ns)
{
    bool judged = loop->options.link->ops->result != NULL;
    if (judged && (loop->servo->result.done ||
                   due_ns - loop->servo->start_ns > EPISODE_LENGTHS * episode_ns(loop)))
        return GB_LOOP_EPISODE_OVER;
    if (loop->servo->coming_to_rest || should_stop(loop, due_ns))
        return come_to_rest(loop, due_ns);
    return GB_LOOP_GOES_ON;
}

bool gb_loop_next(gb_loop *loop, int episode, gb_loop_end end)
{
    const gb_control_options *o = &loop->options;
    const gb_plant_result *result = &loop->servo->result;
    if (end != GB_LOOP_EPISODE_OVER)
        return false;
    loop->episodes++;
    loop->successes += result->success;
    loop->score_sum += result->score;
    if (o->episode)
        o->episode(o->context, episode, result);
    if (!o->link->ops->reset || (o->stop && *o->stop) || loop->servo->coming_to_rest)
        return false;
    return o->seconds > 0 || episode + 1 < o->episodes;
}

/* ---- a run --------------------------------------------------------------------------------------
 */

static gb_status make_pilot(gb_loop *loop)
{
    const gb_control_options *o = &loop->options;
    if (!o->make)
        return GB_OK;
    gb_pilot_options options = {.machine = &loop->machine,
                                .make = o->make,
                                .make_context = o->make_context,
                                .switching = o->switching,
                                .first_seed = o->first_seed,
                                .policy_seed = o->policy_seed,
                                .blackbox = o->blackbox};
    return gb_pilot_create(&options, &loop->pilot);
}

static gb_status make_servo(gb_loop *loop)
{
    const gb_control_options *o = &loop->options;
    gb_pilot *pilot = loop->pilot;
    int64_t offset_ns = gb_clock_wall_ns() - gb_clock_monotonic_ns();
    gb_servo_options options = {
        .machine = &loop->machine,
        .link = o->link,
        .envelope = o->envelope,
        .blackbox = o->blackbox,
        .view = o->view,
        .histories = pilot ? gb_pilot_histories(pilot) : NULL,
        .chunks = pilot ? gb_pilot_chunks(pilot) : NULL,
        .look_back = pilot ? gb_pilot_policy(pilot)->look_back : 1,
        .horizon = pilot ? gb_pilot_policy(pilot)->horizon : 1,
        .stepped_time = o->stepped_time,
        .wall_offset_ns = o->stepped_time ? 0 : offset_ns,
    };
    return gb_servo_create(&options, &loop->servo);
}

static void read_result(const gb_loop *loop, gb_control_result *out)
{
    gb_control_result result;
    const char *failure = "";
    gb_servo_tally(loop->servo, &result);
    if (loop->pilot)
        gb_pilot_tally(loop->pilot, &result, &failure);
    result.episodes = loop->episodes;
    result.successes = loop->successes;
    result.score = loop->episodes ? loop->score_sum / loop->episodes : 0.0;
    result.major_faults = loop->major_faults;
    result.fifo = loop->fifo;
    result.memory_locked = loop->memory_locked;
    if (result.failures > 0) {
        gb_loop_note(loop, "the pilot could not decide; the first time:");
        gb_loop_note(loop, failure);
    }
    *out = result;
}

static gb_status run(gb_loop *loop, gb_control_result *out)
{
    GB_TRY(make_pilot(loop));
    GB_TRY(make_servo(loop));
    if (loop->pilot && loop->options.switching != gb_pilot_switching(loop->pilot))
        gb_loop_note(loop, "this policy cannot continue a chunk: a new one replaces the old one "
                           "(plain switching)");
    GB_TRY(loop->options.stepped_time ? gb_loop_run_stepped(loop) : gb_loop_run_threads(loop));
    read_result(loop, out);
    return GB_OK;
}

gb_status gb_control_run(const gb_control_options *options, gb_control_result *out)
{
    GB_TRY(check_link(options));
    gb_loop loop = {.options = *options, .machine = *options->link->machine, .rest_ns = INT64_MIN};
    if (options->tick_ns != 0)
        loop.machine.tick_ns = options->tick_ns;
    GB_TRY(check_times(options, loop.machine.tick_ns));
    if (options->delay_ns < 0)
        loop.options.delay_ns = loop.machine.tick_ns;
    gb_status status = run(&loop, out);
    gb_servo_destroy(loop.servo);
    gb_pilot_destroy(loop.pilot);
    return status;
}
