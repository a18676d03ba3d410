/* genba eval: a suite's table: this model, baselines without one, published figures. */
#include "cli.h"

#include "genba/eval.h"

#include <string.h>

#define MODELS_MAX 8

static void join_command(int argc, char **argv, char *out, size_t size)
{
    size_t used = (size_t)snprintf(out, size, "genba");
    for (int i = 0; i < argc && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, " %s", argv[i]);
}

static gb_status print_suite(const gb_suite_result *result, bool json)
{
    gb_arena *arena;
    GB_TRY(gb_arena_create(0, &arena));
    char *text = NULL;
    gb_status status = GB_OK;
    if (json) {
        status = gb_suite_result_json(result, arena, &text);
        if (status == GB_OK)
            puts(text);
    }
    for (int i = 0; !json && status == GB_OK && i < result->table_count; i++) {
        status = gb_table_text(&result->tables[i], arena, &text);
        if (status == GB_OK)
            printf("%s\n", text);
    }
    if (!json && *result->skipped)
        printf("left out: %s\n", result->skipped);
    if (!json && *result->stopped)
        printf("NOT COMPLETE: stopped %s. %s\n", result->stopped,
               result->table_count > 0 ? "The rows above are whole; no other was measured."
                                       : "No row was whole by then.");
    gb_arena_destroy(arena);
    return status;
}

static void print_suites(void)
{
    const gb_suite_info *info;
    for (int i = 0; (info = gb_suite_at(i)) != NULL; i++)
        printf("%-8s %s\n         models: %s; baselines: %s\n", info->name, info->summary,
               info->models, info->baselines);
}

/* Runs one suite and prints it. GB_ERR_INTERRUPTED: by Ctrl-C, what was whole is printed. */
static gb_status run_suite(const char *name, const gb_suite_options *options, bool json)
{
    gb_suite_result *result;
    GB_TRY(gb_suite_run(name, options, &result));
    progress_close(options->progress_context);
    gb_status status = print_suite(result, json);
    if (status == GB_OK && *result->stopped)
        status = gb_fail(GB_ERR_INTERRUPTED, "suite %s was stopped %s; it starts anew next time",
                         name, result->stopped);
    gb_suite_result_destroy(result);
    return status;
}

/* The suites that a run's recipe names under `eval`, each on the data sets it names. */
static gb_status
run_recipe_suites(const gb_recipe *recipe, const gb_suite_options *given, bool json)
{
    if (recipe->suite_count == 0)
        return gb_fail(GB_ERR_NOT_FOUND,
                       "the recipe of this run names no suite under eval: name one "
                       "here, as in genba eval machines RUN (genba eval --list)");
    for (unsigned i = 0; i < recipe->suite_count; i++) {
        const gb_suite_config *config = &recipe->suites[i];
        gb_suite_options options = *given;
        char only[1024] = "";
        size_t used = 0;
        for (unsigned k = 0; k < config->source_count && used < sizeof only; k++)
            used += (size_t)snprintf(only + used, sizeof only - used, "%s%s", k ? " " : "",
                                     config->sources[k]);
        if (!options.only && config->source_count)
            options.only = only;
        if (!options.episodes)
            options.episodes = (int)config->episodes;
        gb_status status = run_suite(config->suite, &options, json);
        unsigned left = recipe->suite_count - i - 1;
        char said[512];
        snprintf(said, sizeof said, "%s", gb_error_message());
        if (status == GB_ERR_INTERRUPTED && left > 0)
            return gb_fail(status, "%s; %u more that the recipe names %s not run", said, left,
                           left == 1 ? "was" : "were");
        GB_TRY(status);
    }
    return GB_OK;
}

/* `run` is a run folder: its recipe says which suites, its model folder what is judged. */
static gb_status evaluate_run(const char *run, gb_suite_options *options, bool json)
{
    char path[PLACE_MAX];
    gb_recipe *recipe;
    gb_model *model;
    snprintf(path, sizeof path, "%s/recipe.yaml", run);
    GB_TRY(gb_recipe_load(path, &recipe));
    gb_status status = model_place(run, path, sizeof path);
    if (status == GB_OK)
        status = gb_model_load(path, &model);
    if (status == GB_OK) {
        options->model = model;
        status = run_recipe_suites(recipe, options, json);
        gb_model_destroy(model);
    }
    gb_recipe_free(recipe);
    return status;
}

static gb_status load_model(const char *given, gb_model **out)
{
    char path[PLACE_MAX];
    GB_TRY(model_place(given, path, sizeof path));
    return gb_model_load(path, out);
}

static int run_eval(int argc, char **argv)
{
    const char *places[1 + MODELS_MAX + 1] = {NULL};
    const char *named = NULL, *precision = "f32";
    gb_suite_options suite = gb_suite_options_defaults();
    int64_t threads = 0, episodes = 0, step = 1, resamples = suite.resamples;
    int64_t seed = (int64_t)suite.seed;
    bool json = false, list = false;
    const option_spec options[] = {
        {"suite", OPTION_TEXT, &named, 0, 0},
        {"envelopes", OPTION_TEXT, &suite.envelopes, 0, 0},
        {"baselines", OPTION_TEXT, &suite.baselines, 0, 0},
        {"data", OPTION_TEXT, &suite.data, 0, 0},
        {"precision", OPTION_TEXT, &precision, 0, 0},
        {"only", OPTION_TEXT, &suite.only, 0, 0},
        {"episodes", OPTION_COUNT, &episodes, 1, 100000},
        {"window-step", OPTION_COUNT, &step, 1, 1000000},
        {"resamples", OPTION_COUNT, &resamples, 0, 1000000},
        {"seed", OPTION_COUNT, &seed, 0, 9e15},
        {"threads", OPTION_COUNT, &threads, 0, 256},
        {"json", OPTION_FLAG, &json, 0, 0},
        {"list", OPTION_FLAG, &list, 0, 0},
    };
    int code = options_parse(&command_eval, argc, argv, options, sizeof options / sizeof *options,
                             places + 1, 0, 1 + MODELS_MAX);
    if (code >= 0)
        return code;
    if (gb_precision_parse(precision, &suite.compute) != GB_OK) {
        fprintf(stderr, "genba eval: --precision must be f32 or bf16\nsee genba eval --help\n");
        return EXIT_USAGE;
    }
    if (named) /* genba eval --suite NAME [MODEL...] is the same as genba eval NAME [MODEL...] */
        places[0] = named;
    else
        memmove(places, places + 1, (1 + MODELS_MAX) * sizeof *places);
    if (list || !places[0]) {
        print_suites();
        return list ? EXIT_DONE : EXIT_USAGE;
    }
    char line[1024];
    join_command(argc, argv, line, sizeof line);
    progress bar = progress_start(json);
    suite.episodes = (int)episodes;
    suite.window_step = step;
    suite.resamples = (int)resamples;
    suite.seed = (uint64_t)seed;
    suite.command = line;
    suite.progress = json ? NULL : progress_work;
    suite.progress_context = &bar;
    suite.stop = stop_flag();
    gb_model *models[MODELS_MAX] = {NULL};
    gb_status status = pool_for(threads, &suite.pool);
    if (status == GB_OK && !places[1] && is_run(places[0])) {
        status = evaluate_run(places[0], &suite, json);
    } else if (status == GB_OK) {
        for (; status == GB_OK && suite.model_count < MODELS_MAX && places[1 + suite.model_count];
             suite.model_count++)
            status = load_model(places[1 + suite.model_count], &models[suite.model_count]);
        suite.models = (const gb_model *const *)models;
        suite.model = models[0];
        if (status == GB_OK)
            status = run_suite(places[0], &suite, json);
    }
    progress_close(&bar);
    code = status == GB_OK ? EXIT_DONE : fail_with(status);
    for (int i = 0; i < MODELS_MAX; i++)
        gb_model_destroy(models[i]);
    gb_pool_destroy(suite.pool);
    return code;
}

const cli_command command_eval = {
    "eval", "score a model on a benchmark beside baselines and published figures",
    "usage: genba eval SUITE [MODEL ...] [options]  genba eval RUN      genba eval --list\n\n"
    "  RUN               a run folder: the suites its recipe names under eval\n"
    "  SUITE             ett, skab, cmapss, pusht or machines (--list says more)\n"
    "  MODEL             a model or run folder; without one only baselines and published\n"
    "                    figures;\n"
    "                    machines takes several, each is tried on every machine\n"
    "  --envelopes DIR   machines: MACHINE.yaml for each (default: examples/envelopes)\n"
    "  --precision P     pusht, machines: what models compute in, f32 (default) or bf16\n"
    "  --only \"A B\"      data sets of ett, machines of machines\n"
    "  --baselines \"A\"   these baselines only (\"\" for none)\n"
    "  --data FOLDER     where the data sets are (default: $GENBA_DATA, then ./data)\n"
    "  --episodes N      plants: instead of the published number\n"
    "  --window-step N   series: every N-th test window (1: all, as published)\n"
    "  --resamples N     of the bootstrap behind the 95 % intervals (0: none)\n"
    "  --seed N          of the bootstrap and of policies\n"
    "  --threads N       default: all cores\n"
    "  --json            one JSON object\n\n"
    "Ctrl-C ends it soon, with the rows that are whole by then.\n\n"
    "example: genba eval ett runs/ett/model --only ETTh1\n",
    run_eval};
