/* The whole loop: stepped time against rollouts, determinism, real time, what a pilot may do wrong,
 * and what is refused before anything moves. */
#include "genba/control.h"
#include "genba/eval.h"

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

#include "control/scripted.h"
#include "control/stub_link.h"

typedef struct heard {
    int notes, episodes;
    char last[512];
    double scores[64];
    int steps[64];
} heard;

static void note(void *context, const char *line)
{
    heard *h = context;
    h->notes++;
    snprintf(h->last, sizeof h->last, "%s", line);
}

static void episode(void *context, int number, const gb_plant_result *result)
{
    heard *h = context;
    h->episodes++;
    h->scores[number % 64] = result->score;
    h->steps[number % 64] = result->steps;
}

static gb_link *pusht(int max_steps)
{
    gb_plant_options options = gb_plant_options_defaults();
    gb_link *link = NULL;
    options.max_steps = max_steps;
    assert_int_equal(gb_link_plant("pusht", &options, &link), GB_OK);
    return link;
}

static gb_control_options stepped(gb_link *link, script *s, heard *h)
{
    gb_control_options o = gb_control_options_defaults();
    o.link = link;
    o.make = s ? script_make : NULL;
    o.make_context = s;
    o.stepped_time = true;
    o.switching = GB_SWITCH_PLAIN;
    o.note = note;
    o.episode = episode;
    o.context = h;
    o.priority = 0;
    return o;
}

/* ---- stepped time -------------------------------------------------------------------------------
 */

/* Without delay the loop is the rollout, to the bit; with a tick of delay nearly. */
static void equals_the_rollout(void **state)
{
    (void)state;
    script s = {0};
    heard h = {0};
    gb_rollout_options rollout = gb_rollout_options_defaults();
    gb_rollout_set *set = NULL;
    rollout.episodes = 3;
    rollout.plant_options.max_steps = 60;
    assert_int_equal(gb_rollout_run(&rollout, script_make, &s, &set), GB_OK);
    gb_link *link = pusht(60);
    gb_control_options o = stepped(link, &s, &h);
    gb_control_result result;
    o.episodes = 3;
    o.delay_ns = 0;
    assert_int_equal(gb_control_run(&o, &result), GB_OK);
    assert_int_equal(h.episodes, 3);
    for (int i = 0; i < 3; i++) {
        assert_true(set->episodes[i].result.score == h.scores[i]);
        assert_int_equal(set->episodes[i].steps, h.steps[i]);
    }
    assert_int_equal(result.decisions, set->decision_count);
    assert_int_equal(result.episodes, 3);
    assert_int_equal(result.without_chunk, 0);
    assert_int_equal(result.late, 0);
    assert_int_equal(result.modes[GB_MODE_PASS], result.ticks);
    o.delay_ns = -1;
    assert_int_equal(gb_control_run(&o, &result), GB_OK);
    assert_int_equal(result.without_chunk, 3); /* the first tick of each episode */
    for (int i = 0; i < 3; i++)
        assert_true(fabs(set->episodes[i].result.score - h.scores[i]) < 0.2);
    gb_rollout_set_destroy(set);
    gb_link_close(link);
}

static void repeats_to_the_bit(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        gb_control_result a, b;
        script s = {.continues = kind == 1};
        heard h = {0};
        gb_link *link = pusht(40);
        gb_control_options o = stepped(link, &s, &h);
        o.switching = kind == 1 ? GB_SWITCH_REAL_TIME : GB_SWITCH_PLAIN;
        o.episodes = 2;
        o.delay_ns = 30000000;
        assert_int_equal(gb_control_run(&o, &a), GB_OK);
        assert_int_equal(gb_control_run(&o, &b), GB_OK);
        a.inference = b.inference = (gb_timing){0}; /* real time, all the rest is not */
        assert_memory_equal(&a, &b, sizeof a);
        assert_true(a.jerk_rms > 0 && a.switch_jump_rms > 0 && a.jerk_max >= a.jerk_rms);
        gb_link_close(link);
    }
}

/* A chunk is continued: what is left of it, how much is frozen and soft, and smaller jumps. */
static void continues_chunks(void **state)
{
    (void)state;
    gb_control_result plain, smooth;
    script s = {.continues = true};
    heard h = {0};
    gb_link *link = pusht(80);
    gb_control_options o = stepped(link, &s, &h);
    o.delay_ns = 150000000; /* a period and a half: two actions are executed meanwhile */
    assert_int_equal(gb_control_run(&o, &plain), GB_OK);
    assert_int_equal(atomic_load(&s.continued), 0);
    o.switching = GB_SWITCH_REAL_TIME;
    assert_int_equal(gb_control_run(&o, &smooth), GB_OK);
    assert_true(atomic_load(&s.continued) > 10);
    assert_int_equal(s.count, SCRIPT_HORIZON - SCRIPT_EXECUTE);
    assert_int_equal(s.frozen, 2);
    assert_int_equal(s.soft, SCRIPT_HORIZON - SCRIPT_EXECUTE);
    assert_true(smooth.switch_jump_rms < 0.8 * plain.switch_jump_rms);
    assert_true(smooth.jerk_rms < plain.jerk_rms);
    gb_link_close(link);
}

/* A policy that cannot continue a chunk runs with plain switching, and that is said. */
static void falls_back_to_plain(void **state)
{
    (void)state;
    script s = {0};
    heard h = {0};
    gb_link *link = pusht(10);
    gb_control_options o = stepped(link, &s, &h);
    gb_control_result result;
    o.switching = GB_SWITCH_REAL_TIME;
    assert_int_equal(gb_control_run(&o, &result), GB_OK);
    assert_int_equal(h.notes, 1);
    assert_non_null(strstr(h.last, "plain switching"));
    gb_link_close(link);
}

/* Chunks run out before the next comes, or are over before they come: the loop goes on. */
static void outlives_a_slow_pilot(void **state)
{
    (void)state;
    script s = {0};
    heard h = {0};
    gb_link *link = pusht(60);
    gb_control_options o = stepped(link, &s, &h);
    gb_control_result result;
    o.delay_ns = 600000000; /* a chunk is 0.8 s long */
    assert_int_equal(gb_control_run(&o, &result), GB_OK);
    assert_true(result.without_chunk > 60 && result.without_chunk < result.ticks);
    o.delay_ns = 1200000000;
    assert_int_equal(gb_control_run(&o, &result), GB_OK);
    assert_int_equal(result.without_chunk, result.ticks);
    assert_int_equal(result.episodes, 1);
    assert_int_equal(result.modes[GB_MODE_BACKUP], result.without_chunk);
    assert_int_equal(result.reasons[GB_LIMIT_PROPOSAL], result.without_chunk);
    gb_link_close(link);
}

static void outlives_a_failing_pilot(void **state)
{
    (void)state;
    script s = {.fail_from = 2, .fail_to = 20};
    heard h = {0};
    gb_link *link = pusht(100);
    gb_control_options o = stepped(link, &s, &h);
    gb_control_result result;
    assert_int_equal(gb_control_run(&o, &result), GB_OK);
    assert_int_equal(result.failures, 18);
    assert_true(result.decisions > 25);
    assert_int_equal(result.episodes, 1);
    assert_string_equal(h.last, "script: told to fail");
    script nan = {.not_finite = true};
    o.make_context = &nan;
    assert_int_equal(gb_control_run(&o, &result), GB_OK);
    assert_true(result.reasons[GB_LIMIT_PROPOSAL] > 0);
    gb_link_close(link);
}

/* ---- real time ----------------------------------------------------------------------------------
 */

static void runs_in_real_time(void **state)
{
    (void)state;
    script s = {.slow_ms = 1};
    heard h = {0};
    gb_link *link = pusht(8);
    gb_control_options o = stepped(link, &s, &h);
    gb_control_result result;
    o.stepped_time = false;
    o.episodes = 3;
    assert_int_equal(gb_control_run(&o, &result), GB_OK);
    assert_int_equal(result.episodes, 3);
    assert_int_equal(h.episodes, 3);
    assert_true(result.ticks >= 3 * 8 * 10);
    assert_true(result.decisions >= 3 && result.inference.p50_ns >= 1e6);
    assert_true(result.wake.count == result.ticks);
    assert_true(result.period.count == result.ticks - 3);
    assert_true(!result.fifo && !result.memory_locked);
    gb_link_close(link);
}

/* While a pilot hangs for a second, the servo ticks on. */
static void ticks_while_the_pilot_hangs(void **state)
{
    (void)state;
    script s = {.stall_at = 1, .stall_ms = 1200};
    heard h = {0};
    gb_link *link = pusht(300);
    gb_control_options o = stepped(link, &s, &h);
    gb_control_result result;
    o.stepped_time = false;
    o.seconds = 2;
    assert_int_equal(gb_control_run(&o, &result), GB_OK);
    assert_true(result.ticks + result.late >= 199);
    assert_true(result.without_chunk > 20 && result.without_chunk < result.ticks);
    assert_true(result.inference.max_ns >= 1.2e9);
    gb_link_close(link);
}

static void stops_when_asked(void **state)
{
    (void)state;
    const volatile int stop = 1;
    script s = {0};
    heard h = {0};
    gb_link *link = pusht(300);
    gb_control_options o = stepped(link, &s, &h);
    gb_control_result result;
    o.stop = &stop;
    for (int k = 0; k < 2; k++) {
        o.stepped_time = k == 0;
        assert_int_equal(gb_control_run(&o, &result), GB_OK);
        assert_int_equal(result.ticks, 1);
        assert_int_equal(result.episodes, 0);
    }
    gb_link_close(link);
}

/* ---- with an envelope ---------------------------------------------------------------------------
 */

static volatile int stop_now;

static void stop_after_30(stub *s)
{
    if (s->sent == 30)
        stop_now = 1;
}

static void silent_after_30(stub *s)
{
    s->silent = s->sent >= 30;
}

static gb_control_options guarded(stub *s, script *mind, heard *h, gb_envelope **out)
{
    const char *limits = GENBA_SOURCE_DIR "/examples/envelopes/pusht.yaml";
    stub_init(s, 10000000, 100000000);
    if (gb_envelope_load(limits, &s->machine, 10000000, out) != GB_OK)
        fail_msg("%s", gb_error_message());
    gb_control_options o = stepped(&s->link, mind, h);
    o.stepped_time = false;
    o.envelope = *out;
    o.seconds = 1;
    return o;
}

/* A run that is cut short ends under the backup controller, whose command stays the same. */
static void rests_in_the_backups_hands(void **state)
{
    (void)state;
    static stub s;
    script mind = {0};
    heard h = {0};
    gb_envelope *envelope = NULL;
    gb_control_result result;
    gb_control_options o = guarded(&s, &mind, &h, &envelope);
    stop_now = 0;
    s.on_send = stop_after_30;
    s.link.simulated = false; /* a real machine may move: it has an envelope */
    o.seconds = 60;
    o.stop = &stop_now;
    assert_int_equal(gb_control_run(&o, &result), GB_OK);
    assert_true(s.sent >= 50 && s.sent < 300);
    for (int i = s.sent - 20; i < s.sent; i++)
        assert_memory_equal(s.commands[i], s.commands[s.sent - 1], sizeof s.commands[i]);
    assert_true(result.modes[GB_MODE_BACKUP] >= 20);
    assert_true(result.modes[GB_MODE_PASS] + result.modes[GB_MODE_CLAMP] > 0);
    gb_envelope_destroy(envelope);
}

/* Its clock is the commands': for stepped time. */
static void receive_stepped(gb_link *link, gb_observation *observation)
{
    stub *s = (stub *)link;
    uint64_t before = observation->sequence;
    stub_receive(link, observation);
    if (observation->sequence == before)
        return;
    int64_t now_ns = s->sent > 0 ? s->dues_ns[(s->sent - 1) % 4096] + s->machine.tick_ns : 1;
    for (int i = 0; i < link->machine->observation_stream_count; i++)
        observation->time_ns[i] = now_ns;
}

static const gb_link_ops stepped_ops = {
    .receive = receive_stepped, .send = stub_send, .counts = stub_counts, .close = stub_close};

/* command, sensor: what an envelope says after the stream and its unit. */
static void load_limits(stub *s, const char *command, const char *sensor, gb_envelope **out)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/genba_limits_%d.yaml", (int)getpid());
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file,
            "machine: pusht\ncommands:\n  - {stream: agent.target, unit: px, %s\nsensors:\n"
            "  - {stream: agent.position, unit: px, %s\n",
            command, sensor);
    fclose(file);
    gb_status status = gb_envelope_load(path, &s->machine, 10000000, out);
    remove(path);
    if (status != GB_OK)
        fail_msg("%s", gb_error_message());
}

/* A vehicle that needs longer than some seconds to brake is not left driving, nor is an arm left
 * half way to its posture. */
static void rests_however_long_it_takes(void **state)
{
    (void)state;
    static const char *const commands[] = {
        "kind: velocity, low: [0], high: [512], acceleration: [50]}",
        "kind: position, from: agent.position, low: [0], high: [512], velocity: [100], "
        "acceleration: [500], backup: {kind: retreat, to: [500, 500], speed: 0.2}}",
    };
    for (int k = 0; k < 2; k++) {
        static stub s;
        script mind = {0};
        heard h = {0};
        gb_envelope *envelope = NULL;
        gb_control_result result;
        stub_init(&s, 10000000, 100000000);
        s.link.ops = &stepped_ops;
        s.link.stepped = true;
        load_limits(&s, commands[k], "max_age_ms: 50}", &envelope);
        gb_control_options o = stepped(&s.link, &mind, &h);
        o.envelope = envelope;
        o.seconds = 5;
        assert_int_equal(gb_control_run(&o, &result), GB_OK);
        double *last = s.commands[s.sent - 1];
        assert_memory_equal(s.commands[s.sent - 20], last, sizeof s.commands[0]);
        assert_true(last[0] == (k ? 500.0 : 0.0) && last[1] == (k ? 500.0 : 0.0));
        assert_true(result.ticks > 700 && result.ticks < 4000);
        gb_envelope_destroy(envelope);
    }
}

/* In the backup's hands a chunk is not carried out, so it is not continued either. */
static void does_not_continue_in_the_backups_hands(void **state)
{
    (void)state;
    static stub s;
    script mind = {.continues = true};
    heard h = {0};
    gb_envelope *envelope = NULL;
    gb_control_result result;
    stub_init(&s, 10000000, 100000000);
    s.link.ops = &stepped_ops;
    s.link.stepped = true;
    load_limits(&s, "kind: position, from: agent.position, low: [0], high: [512]}",
                "max_age_ms: 100}", &envelope);
    for (int k = 0; k < 2; k++) {
        s.on_send = k ? silent_after_30 : NULL;
        s.sent = 0;
        s.silent = false;
        atomic_store(&mind.continued, 0);
        gb_control_options o = stepped(&s.link, &mind, &h);
        o.switching = GB_SWITCH_REAL_TIME;
        o.envelope = envelope;
        o.seconds = 4;
        assert_int_equal(gb_control_run(&o, &result), GB_OK);
        assert_true(result.decisions >= 10);
        assert_true(k ? mind.continued <= 2 : mind.continued >= result.decisions - 2);
    }
    gb_envelope_destroy(envelope);
}

/* A pilot that goes on deciding from what it saw last does not make that young. */
static void counts_a_commands_age_from_what_was_seen(void **state)
{
    (void)state;
    static stub s;
    script mind = {0};
    heard h = {0};
    gb_envelope *envelope = NULL;
    gb_control_result result;
    stub_init(&s, 10000000, 100000000);
    s.link.ops = &stepped_ops;
    s.link.stepped = true;
    s.on_send = silent_after_30;
    load_limits(&s, "kind: position, from: agent.position, low: [0], high: [512]}",
                "max_age_ms: 60000}\ntiming: {max_command_age_ms: 1000}", &envelope);
    gb_control_options o = stepped(&s.link, &mind, &h);
    o.envelope = envelope;
    o.seconds = 3;
    assert_int_equal(gb_control_run(&o, &result), GB_OK);
    assert_int_equal(result.reasons[GB_LIMIT_OBSERVATION_AGE], 0);
    assert_true(result.decisions > 6);
    assert_in_range(result.reasons[GB_LIMIT_COMMAND_AGE], 150, 180); /* from 1.3 s to 3 s */
    gb_envelope_destroy(envelope);
}

/* The link falls silent: commands go on, and are the backup's once observations are too old. */
static void outlives_a_silent_link(void **state)
{
    (void)state;
    static stub s;
    script mind = {0};
    heard h = {0};
    gb_envelope *envelope = NULL;
    gb_control_result result;
    gb_control_options o = guarded(&s, &mind, &h, &envelope);
    s.on_send = silent_after_30;
    assert_int_equal(gb_control_run(&o, &result), GB_OK);
    assert_true(result.ticks + result.late >= 99);
    assert_true(result.reasons[GB_LIMIT_OBSERVATION_AGE] > 20);
    assert_true(result.modes[GB_MODE_BACKUP] >= result.reasons[GB_LIMIT_OBSERVATION_AGE]);
    gb_envelope_destroy(envelope);
}

/* No pilot at all: the envelope holds the machine. */
static void holds_without_a_pilot(void **state)
{
    (void)state;
    static stub s;
    heard h = {0};
    gb_envelope *envelope = NULL;
    gb_control_result result;
    gb_control_options o = guarded(&s, NULL, &h, &envelope);
    assert_int_equal(gb_control_run(&o, &result), GB_OK);
    assert_int_equal(result.without_chunk, result.ticks);
    assert_int_equal(result.modes[GB_MODE_BACKUP], result.ticks);
    assert_memory_equal(s.commands[0], s.commands[s.sent - 1], sizeof s.commands[0]);
    gb_envelope_destroy(envelope);
}

/* ---- refused ------------------------------------------------------------------------------------
 */

static void refuses_what_cannot_be(void **state)
{
    (void)state;
    script s = {0};
    heard h = {0};
    gb_link *link = pusht(10);
    gb_control_options good = stepped(link, &s, &h), o = good;
    gb_control_result result = {.ticks = 77};
    link->simulated = false;
    assert_int_equal(gb_control_run(&o, &result), GB_ERR_REFUSED);
    assert_non_null(strstr(gb_error_message(), "envelope"));
    link->simulated = true;
    link->stepped = false;
    assert_int_equal(gb_control_run(&o, &result), GB_ERR_ARGUMENT);
    link->stepped = true;
    o.tick_ns = 999999;
    assert_int_equal(gb_control_run(&o, &result), GB_ERR_ARGUMENT);
    o.tick_ns = 30000000; /* does not divide 100 ms, and is not the plant's */
    assert_int_equal(gb_control_run(&o, &result), GB_ERR_ARGUMENT);
    assert_non_null(strstr(gb_error_message(), "takes 100 commands a second"));
    o.tick_ns = 20000000; /* not the plant's */
    assert_int_equal(gb_control_run(&o, &result), GB_ERR_ARGUMENT);
    assert_non_null(strstr(gb_error_message(), "takes 100 commands a second"));
    o = good;
    o.priority = 100;
    assert_int_equal(gb_control_run(&o, &result), GB_ERR_ARGUMENT);
    o = good;
    o.seconds = -1;
    assert_int_equal(gb_control_run(&o, &result), GB_ERR_ARGUMENT);
    o = good;
    o.link = NULL;
    assert_int_equal(gb_control_run(&o, &result), GB_ERR_ARGUMENT);
    assert_int_equal(result.ticks, 77);
    gb_link_close(link);
}

/* A refused rate comes with rates that are not refused. */
static void names_rates_that_work(void **state)
{
    (void)state;
    static const struct {
        int64_t period_ns, tick_ns;
        const char *said;
    } cases[] = {
        {100000000, 30303030, ": 20 and 40 Hz"},  {20000000, 1500000, ": 500 and 800 Hz"},
        {50000000, 1000001, ": 800 and 1000 Hz"}, {50000000, 60000000, ": 20 Hz"},
        {33333333, 30000000, ": 30 and 90 Hz"},
    };
    static stub s;
    heard h = {0};
    gb_envelope *envelope = NULL;
    gb_control_result result;
    gb_control_options o = guarded(&s, NULL, &h, &envelope);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        s.machine.period_ns = cases[i].period_ns;
        o.tick_ns = cases[i].tick_ns;
        assert_int_equal(gb_control_run(&o, &result), GB_ERR_ARGUMENT);
        if (!strstr(gb_error_message(), cases[i].said))
            fail_msg("%s", gb_error_message());
    }
    gb_envelope_destroy(envelope);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_rollout),
        cmocka_unit_test(repeats_to_the_bit),
        cmocka_unit_test(continues_chunks),
        cmocka_unit_test(falls_back_to_plain),
        cmocka_unit_test(outlives_a_slow_pilot),
        cmocka_unit_test(outlives_a_failing_pilot),
        cmocka_unit_test(runs_in_real_time),
        cmocka_unit_test(ticks_while_the_pilot_hangs),
        cmocka_unit_test(stops_when_asked),
        cmocka_unit_test(rests_in_the_backups_hands),
        cmocka_unit_test(rests_however_long_it_takes),
        cmocka_unit_test(counts_a_commands_age_from_what_was_seen),
        cmocka_unit_test(does_not_continue_in_the_backups_hands),
        cmocka_unit_test(outlives_a_silent_link),
        cmocka_unit_test(holds_without_a_pilot),
        cmocka_unit_test(refuses_what_cannot_be),
        cmocka_unit_test(names_rates_that_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
