/* genba run: a model inside the loop of a machine, in its envelope, on record. */
#include "run_table.h"

#include "genba/eval.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum {
    EPISODES_REAL_TIME = 1,
    EPISODES_STEPPED = 50,
    EPISODES_KEPT = 100000 /* in a run of so many seconds */
};

/* What was asked for. */
typedef struct request {
    const char *model, *plant, *url, *map, *envelope, *log, *report, *switching, *cores, *precision;
    bool no_envelope, stepped, view, json, each;
    char model_folder[PLACE_MAX]; /* where `model` turned out to be */
    int64_t episodes, seed, policy_seed, seconds, priority, view_port;
    double rate_hz, delay_ms;
    gb_dtype compute; /* of `precision` */
} request;

/* What is open while it runs. */
typedef struct run {
    const request *asked;
    gb_control_options control;
    gb_model *model;
    gb_link *link;
    gb_envelope *envelope;
    gb_blackbox *blackbox;
    gb_view *view;
    char hash[2 * GB_HASH_BYTES + 1], machine_name[160];
    run_outcome outcome;
} run;

/* ---- while it runs ------------------------------------------------------------------------------
 */

static void say(void *context, const char *line)
{
    (void)context;
    fprintf(stderr, "note: %s\n", line);
}

static void keep_episode(void *context, int number, const gb_plant_result *result)
{
    run *r = context;
    run_outcome *o = &r->outcome;
    if (o->episodes < o->room) {
        o->scores[o->episodes++] = result->score;
        o->successes += result->success;
    }
    if (r->asked->each && !r->asked->json)
        printf("episode %3d  seed %lld  score %.3f  %s after %d steps%s%s\n", number,
               (long long)r->asked->seed + number, result->score,
               result->success ? "success" : "ended", result->steps, *result->verdict ? ": " : "",
               result->verdict);
}

/* ---- opening ------------------------------------------------------------------------------------
 */

static gb_status open_link(run *r)
{
    const request *q = r->asked;
    if (q->url) {
        snprintf(r->machine_name, sizeof r->machine_name, "%s", q->url);
        GB_TRY(gb_link_open(q->url, q->map, &r->link));
    } else {
        snprintf(r->machine_name, sizeof r->machine_name, "plant:%s", q->plant);
        GB_TRY(gb_link_plant(q->plant, NULL, &r->link));
    }
    if (q->no_envelope && !r->link->simulated)
        return gb_fail(GB_ERR_REFUSED,
                       "%s is not simulated: --no-envelope is only for simulated plants; give "
                       "--envelope FILE (docs/safety.md), or, if nothing real moves behind it, "
                       "say simulated: true in its map",
                       r->machine_name);
    return GB_OK;
}

/* The black box wants to know how long histories and chunks are. */
static gb_status open_blackbox(run *r)
{
    const request *q = r->asked;
    gb_policy policy = {0};
    GB_TRY(r->control.make(r->model, r->link->machine, &policy));
    gb_blackbox_options options = {.path = q->log,
                                   .machine = r->link->machine,
                                   .policy = &policy,
                                   .model_name = q->model,
                                   .model_hash_hex = r->hash,
                                   .envelope_path = q->envelope,
                                   .envelope_hash =
                                       r->envelope ? gb_envelope_hash(r->envelope) : NULL,
                                   .machine_name = r->machine_name,
                                   .tick_ns = r->control.tick_ns};
    gb_status status = gb_blackbox_open(&options, &r->blackbox);
    gb_policy_destroy(&policy);
    return status;
}

static gb_status open_view(run *r)
{
    const request *q = r->asked;
    gb_view_options options = {.machine = r->link->machine,
                               .title = r->machine_name,
                               .port = !q->view           ? -1
                                       : q->view_port < 0 ? 0
                                                          : (int)q->view_port,
                               .tick_ns = r->control.tick_ns,
                               .report_path = q->report,
                               .machine_name = r->machine_name,
                               .model_name = q->model,
                               .model_hash_hex = r->hash,
                               .envelope_path = q->envelope,
                               .compute = q->compute};
    GB_TRY(gb_view_open(&options, &r->view));
    if (q->view)
        fprintf(stderr, "watch it at http://127.0.0.1:%d/\n", gb_view_port(r->view));
    return GB_OK;
}

static gb_status open_all(run *r)
{
    const request *q = r->asked;
    GB_TRY(gb_model_load(q->model, &r->model));
    GB_TRY(gb_model_folder_hash(q->model, r->hash));
    GB_TRY(open_link(r));
    r->control.make = gb_policy_model_maker(q->compute);
    int64_t own_ns = r->link->machine->tick_ns;
    r->control.tick_ns = q->rate_hz > 0 ? (int64_t)(1e9 / q->rate_hz + 0.5) : own_ns;
    if (q->envelope)
        GB_TRY(gb_envelope_load(q->envelope, r->link->machine, r->control.tick_ns, &r->envelope));
    if (q->log)
        GB_TRY(open_blackbox(r));
    if (q->view || q->report)
        GB_TRY(open_view(r));
    r->outcome.room = q->seconds > 0 ? EPISODES_KEPT : (int)q->episodes;
    r->outcome.scores = calloc((size_t)r->outcome.room, sizeof(double));
    return r->outcome.scores ? GB_OK : gb_fail(GB_ERR_MEMORY, "run: no memory for scores");
}

/* The first failure counts, but everything is closed. */
static gb_status close_all(run *r, gb_status status)
{
    char first[512];
    snprintf(first, sizeof first, "%s", status == GB_OK ? "" : gb_error_message());
    gb_status box = gb_blackbox_close(r->blackbox, &r->outcome.logged);
    if (status == GB_OK && box != GB_OK) {
        status = box;
        snprintf(first, sizeof first, "%s", gb_error_message());
    }
    const gb_blackbox_counts *logged = &r->outcome.logged;
    if (status != GB_OK && box == GB_OK && r->blackbox && logged->ticks == 0 &&
        logged->ticks_lost == 0)
        remove(r->asked->log); /* it never began: its name is free for the next try */
    gb_status view = r->view ? gb_view_close(r->view) : GB_OK;
    if (status == GB_OK && view != GB_OK) {
        status = view;
        snprintf(first, sizeof first, "%s", gb_error_message());
    }
    gb_envelope_destroy(r->envelope);
    gb_link_close(r->link);
    gb_model_destroy(r->model);
    return status == GB_OK ? GB_OK : gb_fail(status, "%s", first);
}

static gb_status drive(run *r, request *q)
{
    GB_TRY(model_place(q->model, q->model_folder, sizeof q->model_folder));
    q->model = q->model_folder;
    GB_TRY(open_all(r));
    r->control.link = r->link;
    r->control.make_context = r->model;
    r->control.envelope = r->envelope;
    r->control.blackbox = r->blackbox;
    r->control.view = r->view;
    GB_TRY(gb_control_run(&r->control, &r->outcome.control));
    r->link->ops->counts(r->link, &r->outcome.link);
    snprintf(r->outcome.machine, sizeof r->outcome.machine, "%s", r->link->machine->name);
    return GB_OK;
}

/* ---- the command line ---------------------------------------------------------------------------
 */

static int mistake(const char *text)
{
    fprintf(stderr, "genba run: %s\nsee genba run --help\n", text);
    return EXIT_USAGE;
}

/* -1: it makes sense. */
static int check(request *q)
{
    if (q->url && q->plant)
        return mistake("--plant and --link name two machines; give one");
    if (!q->url && q->map)
        return mistake("--map describes the machine behind a --link URL; there is none");
    if (!q->url && !q->plant) {
        q->plant = "pusht";
        fprintf(stderr, "note: no --plant NAME was given: taking pusht\n");
    }
    if (q->url && strncmp(q->url, "plant:", 6) != 0 && q->episodes > 0)
        return mistake("--episodes are of simulated plants in this process; the machine behind "
                       "--link runs until Ctrl-C, or for --seconds N");
    if (q->view_port >= 0 && !q->view)
        return mistake("--view-port is of --view, which was not given");
    if (q->envelope && q->no_envelope)
        return mistake("--envelope and --no-envelope contradict each other");
    if (!q->envelope && !q->no_envelope) {
        fprintf(stderr,
                "genba run: a machine moves only inside an envelope: give --envelope FILE "
                "(examples/envelopes has one for each plant%s%s%s), or, on a simulated plant, "
                "--no-envelope\n",
                q->plant ? ": examples/envelopes/" : "", q->plant ? q->plant : "",
                q->plant ? ".yaml" : "");
        return EXIT_USAGE;
    }
    if (strcmp(q->switching, "plain") != 0 && strcmp(q->switching, "real-time") != 0)
        return mistake("--switching must be plain or real-time");
    if (gb_precision_parse(q->precision, &q->compute) != GB_OK)
        return mistake("--precision must be f32 or bf16");
    if (q->delay_ms >= 0 && !q->stepped)
        return mistake("--delay is of --stepped time; in real time a decision takes what it takes");
    if (q->episodes == 0)
        q->episodes = q->stepped ? EPISODES_STEPPED : EPISODES_REAL_TIME;
    return -1;
}

/* "0,1": of the servo and of the pilot. */
static int parse_cores(const char *text, gb_control_options *control)
{
    char *end = NULL;
    if (!text)
        return -1;
    long servo = strtol(text, &end, 10), pilot = -1;
    bool good = end != text && servo >= 0 && servo < 4096;
    if (good && *end == ',') {
        const char *second = end + 1;
        pilot = strtol(second, &end, 10);
        good = end != second && pilot >= 0 && pilot < 4096;
    }
    if (!good || *end != 0)
        return mistake("--core must be the servo's core, or servo's and pilot's, such as 1,0");
    control->servo_core = (int)servo;
    control->pilot_core = (int)pilot;
    return -1;
}

static gb_control_options control_options(const request *q)
{
    gb_control_options c = gb_control_options_defaults();
    c.switching = strcmp(q->switching, "plain") == 0 ? GB_SWITCH_PLAIN : GB_SWITCH_REAL_TIME;
    c.stepped_time = q->stepped;
    c.delay_ns = q->delay_ms < 0 ? -1 : (int64_t)(q->delay_ms * 1e6);
    c.seconds = q->seconds;
    c.episodes = (int)q->episodes;
    c.first_seed = (uint64_t)q->seed;
    c.policy_seed = (uint64_t)q->policy_seed;
    c.priority = (int)q->priority;
    c.stop = stop_flag();
    c.note = say;
    c.episode = keep_episode;
    return c;
}

static int parse(int argc, char **argv, request *q)
{
    const option_spec options[] = {
        {"plant", OPTION_TEXT, &q->plant, 0, 0},
        {"link", OPTION_TEXT, &q->url, 0, 0},
        {"map", OPTION_TEXT, &q->map, 0, 0},
        {"envelope", OPTION_TEXT, &q->envelope, 0, 0},
        {"no-envelope", OPTION_FLAG, &q->no_envelope, 0, 0},
        {"rate", OPTION_NUMBER, &q->rate_hz, 1, 1000},
        {"seconds", OPTION_COUNT, &q->seconds, 1, 1e9},
        {"episodes", OPTION_COUNT, &q->episodes, 1, 1000000},
        {"seed", OPTION_COUNT, &q->seed, 0, 4294967295.0},
        {"policy-seed", OPTION_COUNT, &q->policy_seed, 0, 4294967295.0},
        {"precision", OPTION_TEXT, &q->precision, 0, 0},
        {"switching", OPTION_TEXT, &q->switching, 0, 0},
        {"stepped", OPTION_FLAG, &q->stepped, 0, 0},
        {"delay", OPTION_NUMBER, &q->delay_ms, 0, 3600000},
        {"log", OPTION_TEXT, &q->log, 0, 0},
        {"view", OPTION_FLAG, &q->view, 0, 0},
        {"view-port", OPTION_COUNT, &q->view_port, 0, 65535},
        {"report", OPTION_TEXT, &q->report, 0, 0},
        {"core", OPTION_TEXT, &q->cores, 0, 0},
        {"priority", OPTION_COUNT, &q->priority, 0, 99},
        {"each", OPTION_FLAG, &q->each, 0, 0},
        {"json", OPTION_FLAG, &q->json, 0, 0},
    };
    int code = options_parse(&command_run, argc, argv, options, sizeof options / sizeof *options,
                             &q->model, 1, 1);
    return code >= 0 ? code : check(q);
}

static int run_run(int argc, char **argv)
{
    request q = {.switching = "real-time",
                 .precision = "f32",
                 .seed = 100000,
                 .priority = gb_control_options_defaults().priority,
                 .view_port = -1, /* any free one */
                 .delay_ms = -1};
    run r = {.asked = &q};
    signal(SIGPIPE, SIG_IGN); /* whoever reads what is printed may go; the loop goes on */
    int code = parse(argc, argv, &q);
    if (code >= 0)
        return code;
    r.control = control_options(&q);
    r.control.context = &r;
    code = parse_cores(q.cores, &r.control);
    if (code >= 0)
        return code;
    gb_status status = close_all(&r, drive(&r, &q));
    r.outcome.stepped = q.stepped;
    r.outcome.precision = q.precision;
    r.outcome.delay_ms = q.delay_ms < 0 ? (double)r.control.tick_ns * 1e-6 : q.delay_ms;
    r.outcome.guarded = q.envelope != NULL;
    r.outcome.behind_link = q.url != NULL;
    r.outcome.log = q.log;
    r.outcome.report = q.report;
    if (status == GB_OK)
        status = run_table_print(&r.outcome, q.json);
    free(r.outcome.scores);
    if (status != GB_OK)
        return fail_with(status);
    if (*r.control.stop)
        return EXIT_STOPPED;
    return r.outcome.link.received > 0 ? EXIT_DONE : EXIT_MACHINE; /* it was never there */
}

const cli_command command_run = {
    "run", "a model drives a machine, inside its envelope, on record",
    "usage: genba run MODEL --plant NAME|--link URL --envelope FILE [options]\n\n"
    "  MODEL               a model's folder, or the run folder around it\n"
    "  --plant NAME        a simulated plant (default: pusht)\n"
    "  --link URL          a machine: udp://, shm://, dds://, mqtt://; with --map FILE\n"
    "  --map FILE          its streams, units and rates (docs/link.md)\n"
    "  --envelope FILE     the limits of what it may do (docs/safety.md)\n"
    "  --no-envelope       without limits: simulated plants only\n"
    "  --rate HZ           commands a second, 1 to 1000 (default: the machine's own)\n"
    "  --seconds N         end after so long\n"
    "  --episodes N        of a simulated plant (default: 1; 50 with --stepped)\n"
    "  --seed N            of the first episode's start; then N + 1, ... (default: 100000)\n"
    "  --policy-seed N     of the policy's own randomness\n"
    "  --precision P       f32 (default), or bf16: half the memory traffic of a decision\n"
    "  --switching KIND    real-time (a chunk continues the one before) or plain\n"
    "  --stepped           as fast as the plant goes, repeatable to the bit\n"
    "  --delay MS          with --stepped: how long a decision takes (default: one tick)\n"
    "  --log FILE.mcap     the black box: every tick and decision (genba replay reads it)\n"
    "  --view              a page on localhost with an emergency stop; --view-port N\n"
    "  --report FILE.html  the same as a file, with a replay\n"
    "  --core SERVO,PILOT  keeps the two threads on these cores\n"
    "  --priority N        of SCHED_FIFO for the servo, 0: do not ask (default: 80)\n"
    "  --each              a line for each episode\n"
    "  --json              one JSON object\n\n"
    "example: genba run runs/pusht/model --plant pusht --envelope examples/envelopes/pusht.yaml\n"
    "         genba run runs/pusht/model --plant pusht --no-envelope --stepped --episodes 50\n",
    run_run};
