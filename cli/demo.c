/* genba demo: real recordings in, two models trained, a forecast and a driven machine out, and a
 * report a person wants to look at. Interrupted, the same command goes on from there. */
#include "cli.h"

#include "genba/eval.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct demo_part {
    const char *title; /* said before it starts */
    const char *recipe, *run, *suite;
    const char *only;    /* data sets of the suite, NULL: all */
    int64_t short_steps; /* with --short */
    int64_t window_step; /* of the suite with --short */
    int short_episodes;
} demo_part;

static const demo_part parts[] = {
    {"a forecaster for electricity transformers (ETTh1)", "examples/ett.yaml", "ett", "ett",
     "ETTh1", 20, 50, 0},
    {"a policy that pushes a T, from 206 human demonstrations", "examples/pusht.yaml", "pusht",
     "pusht", NULL, 60, 1, 4},
};
enum {
    PARTS = sizeof parts / sizeof *parts
};

typedef struct demo {
    const char *out;
    int64_t threads, seed;
    bool brief;
    progress bar;
    const volatile int *stop;
    gb_pool *pool;
    int64_t started_ns;
    gb_suite_result *results[PARTS];
    gb_train_result trained[PARTS];
    char metrics[PARTS][4096], train_command[PARTS][4096], eval_command[PARTS][4096];
} demo;

static void describe_commands(demo *d, int i)
{
    const demo_part *part = &parts[i];
    char seed[32] = "", only[64] = "";
    if (d->seed >= 0)
        snprintf(seed, sizeof seed, " --seed %lld", (long long)d->seed);
    if (part->only)
        snprintf(only, sizeof only, " --only %s", part->only);
    snprintf(d->metrics[i], sizeof d->metrics[i], "%s/%s/metrics.jsonl", d->out, part->run);
    snprintf(d->train_command[i], sizeof d->train_command[i], "genba train %s --out %s/%s%s",
             part->recipe, d->out, part->run, seed);
    snprintf(d->eval_command[i], sizeof d->eval_command[i], "genba eval %s %s/%s/model%s",
             part->suite, d->out, part->run, only);
}

static gb_status train_part(demo *d, int i)
{
    char folder[4096];
    snprintf(folder, sizeof folder, "%s/%s", d->out, parts[i].run);
    gb_train_options options = gb_train_options_defaults();
    options.threads = (int)d->threads;
    options.use_seed = d->seed >= 0;
    options.seed = (uint64_t)(d->seed >= 0 ? d->seed : 0);
    options.steps = d->brief ? parts[i].short_steps : 0;
    options.stop = d->stop;
    options.callback = progress_train;
    options.context = &d->bar;
    fprintf(stderr, "\n%d of %d  Training %s\n", i + 1, PARTS, parts[i].title);
    gb_status status = gb_train_run(parts[i].recipe, folder, &options, &d->trained[i]);
    progress_close(&d->bar);
    char text[32];
    if (status == GB_OK)
        fprintf(stderr,
                d->trained[i].finished_before ? "trained before, in %s\n" : "trained in %s\n",
                duration_text(d->trained[i].seconds, text, sizeof text));
    return status;
}

static gb_status print_tables(const gb_suite_result *result)
{
    gb_arena *arena;
    GB_TRY(gb_arena_create(0, &arena));
    gb_status status = GB_OK;
    for (int i = 0; i < result->table_count && status == GB_OK; i++) {
        char *text;
        status = gb_table_text(&result->tables[i], arena, &text);
        if (status == GB_OK)
            printf("\n%s", text);
    }
    fflush(stdout);
    gb_arena_destroy(arena);
    return status;
}

static gb_status evaluate_part(demo *d, int i)
{
    char folder[4096];
    snprintf(folder, sizeof folder, "%s/%s/model", d->out, parts[i].run);
    gb_model *model;
    GB_TRY(gb_model_load(folder, &model));
    gb_suite_options options = gb_suite_options_defaults();
    options.model = model;
    options.only = parts[i].only;
    options.command = d->eval_command[i];
    options.pool = d->pool;
    options.progress = progress_work;
    options.progress_context = &d->bar;
    if (d->brief) {
        options.window_step = parts[i].window_step;
        options.episodes = parts[i].short_episodes;
        options.resamples = 200;
    }
    options.stop = d->stop;
    gb_status status = gb_suite_run(parts[i].suite, &options, &d->results[i]);
    progress_close(&d->bar);
    gb_model_destroy(model);
    if (status == GB_OK)
        status = print_tables(d->results[i]);
    if (status == GB_OK && *d->results[i]->stopped)
        status = gb_fail(GB_ERR_INTERRUPTED, "suite %s was stopped %s", parts[i].suite,
                         d->results[i]->stopped);
    return status;
}

static gb_status write_report(demo *d, const char *path)
{
    gb_arena *arena;
    GB_TRY(gb_arena_create(0, &arena));
    gb_report_run runs[PARTS];
    gb_report_command commands[2 * PARTS + 1] = {
        {"make demo", "does all of this: sets up, builds, trains, evaluates, writes this page"}};
    for (int i = 0; i < PARTS; i++) {
        runs[i] = (gb_report_run){parts[i].run, d->metrics[i], d->train_command[i]};
        commands[1 + 2 * i] = (gb_report_command){d->train_command[i], "trains this model"};
        commands[2 + 2 * i] = (gb_report_command){d->eval_command[i], "prints this table"};
    }
    gb_report report = {.title = "genba demo",
                        .summary =
                            "Two models trained on this machine from real recordings: one "
                            "forecasts the sensors of an electricity transformer, one drives "
                            "a machine that pushes a T into place. Every figure below was "
                            "measured in this run unless its row says published.",
                        .result_count = PARTS,
                        .run_count = PARTS,
                        .command_count = 2 * PARTS + 1,
                        .results = (const gb_suite_result *const *)d->results,
                        .runs = runs,
                        .commands = commands};
    const gb_report_fact *machine;
    int count;
    gb_status status = gb_report_machine_facts(arena, gb_pool_threads(d->pool), &machine, &count);
    if (status == GB_OK) {
        gb_report_fact *facts = gb_arena_alloc(arena, sizeof *facts * (size_t)(count + 2));
        if (facts) {
            memcpy(facts, machine, sizeof *facts * (size_t)count);
            char text[32];
            double seconds = (double)(gb_clock_monotonic_ns() - d->started_ns) / 1e9;
            facts[count++] = (gb_report_fact){
                "Seed", d->seed >= 0 ? gb_arena_format(arena, "%lld", (long long)d->seed)
                                     : "those of the recipes"};
            facts[count++] =
                (gb_report_fact){"Time of this run",
                                 gb_arena_text(arena, duration_text(seconds, text, sizeof text))};
            report.facts = facts;
            report.fact_count = count;
        }
        status = gb_report_write(&report, path);
    }
    char picture[4200];
    snprintf(picture, sizeof picture, "%s/picture.svg", d->out);
    if (status == GB_OK)
        status = gb_report_picture(&report, picture);
    gb_arena_destroy(arena);
    return status;
}

static gb_status run_parts(demo *d, char *report, size_t size)
{
    GB_TRY(gb_folder_create(d->out));
    GB_TRY(gb_pool_create((int)d->threads, &d->pool));
    for (int i = 0; i < PARTS; i++) {
        describe_commands(d, i);
        GB_TRY(train_part(d, i));
        GB_TRY(evaluate_part(d, i));
    }
    snprintf(report, size, "%s/report.html", d->out);
    return write_report(d, report);
}

static int run_demo(int argc, char **argv)
{
    demo d = {.out = "runs/demo", .seed = -1, .started_ns = gb_clock_monotonic_ns()};
    const option_spec options[] = {
        {"out", OPTION_TEXT, &d.out, 0, 0},
        {"threads", OPTION_COUNT, &d.threads, 0, 256},
        {"seed", OPTION_COUNT, &d.seed, 0, 9e15},
        {"short", OPTION_FLAG, &d.brief, 0, 0},
    };
    int code = options_parse(&command_demo, argc, argv, options, sizeof options / sizeof *options,
                             NULL, 0, 0);
    if (code >= 0)
        return code;
    if (!gb_file_exists(parts[0].recipe)) {
        fprintf(stderr, "genba: there is no %s here; run genba demo in genba's source folder\n",
                parts[0].recipe);
        return EXIT_INPUT;
    }
    d.bar = progress_start(false);
    d.stop = stop_flag();
    char report[4200], text[32];
    gb_status status = run_parts(&d, report, sizeof report);
    if (status == GB_OK)
        printf("\nreport    %s\npicture   %s/picture.svg\nmodels    %s/ett/model  %s/pusht/model\n"
               "time      %s\n",
               report, d.out, d.out, d.out,
               duration_text((double)(gb_clock_monotonic_ns() - d.started_ns) / 1e9, text,
                             sizeof text));
    code = status == GB_OK ? EXIT_DONE : fail_with(status);
    if (status == GB_ERR_INTERRUPTED)
        fprintf(stderr, "the same command goes on from here\n");
    for (int i = 0; i < PARTS; i++)
        gb_suite_result_destroy(d.results[i]);
    gb_pool_destroy(d.pool);
    return code;
}

const cli_command command_demo = {
    "demo", "train on real recordings, forecast, drive a machine, write a report",
    "usage: genba demo [options]      in genba's source folder\n\n"
    "  --out FOLDER   where everything goes (default: runs/demo)\n"
    "  --seed N       instead of the recipes'\n"
    "  --threads N    default: all cores\n"
    "  --short        a few steps only, to see that everything works\n\n"
    "Ctrl-C saves; the same command goes on from there.\n\n"
    "example: genba demo --seed 7 --out runs/demo-7\n",
    run_demo};
