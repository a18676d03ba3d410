/* genba train: one recipe, one run folder. */
#include "cli.h"

#include <string.h>

/* "examples/pusht.yaml" -> "runs/pusht" */
static void folder_for(const char *recipe, char *out, size_t size)
{
    const char *slash = strrchr(recipe, '/');
    const char *base = slash ? slash + 1 : recipe;
    const char *dot = strrchr(base, '.');
    snprintf(out, size, "runs/%.*s", (int)(dot ? dot - base : (ptrdiff_t)strlen(base)), base);
}

/* Whether `genba eval RUN` has something to do: the recipe names a suite. */
static bool names_suites(const char *folder)
{
    char path[PLACE_MAX];
    gb_recipe *recipe = NULL;
    snprintf(path, sizeof path, "%s/recipe.yaml", folder);
    bool named = gb_recipe_load(path, &recipe) == GB_OK && recipe->suite_count > 0;
    gb_recipe_free(recipe);
    return named;
}

static void print_result(const gb_train_result *result, const char *folder, bool json)
{
    char seconds[32];
    if (json) {
        printf("{\"folder\": \"%s\", \"step\": %lld, \"steps\": %lld, \"loss\": %.6g, ", folder,
               (long long)result->step, (long long)result->steps, result->loss);
        if (result->validation_loss == result->validation_loss)
            printf("\"validation_loss\": %.6g, ", result->validation_loss);
        printf("\"seconds\": %.2f, \"resumed\": %s, \"stopped_early\": %s}\n", result->seconds,
               result->resumed ? "true" : "false", result->stopped_early ? "true" : "false");
        return;
    }
    if (result->finished_before)
        printf("%s was finished before (%lld steps); remove it to train again\n", folder,
               (long long)result->step);
    else
        printf("trained %lld steps in %s%s\n", (long long)result->step,
               duration_text(result->seconds, seconds, sizeof seconds),
               result->stopped_early ? " (stopped early: held-out loss rose)" : "");
    printf("model     %s/model\nmetrics   %s/metrics.jsonl\n", folder, folder);
    if (names_suites(folder))
        printf("score it  genba eval %s\n", folder);
    else
        printf("score it  genba eval SUITE %s (genba eval --list: what suites there are)\n",
               folder);
}

static int run_train(int argc, char **argv)
{
    const char *recipe = NULL, *folder = NULL;
    char default_folder[4096];
    int64_t threads = 0, seed = -1, steps = 0;
    double minutes = 0;
    bool json = false;
    const option_spec options[] = {
        {"out", OPTION_TEXT, &folder, 0, 0},
        {"threads", OPTION_COUNT, &threads, 0, 256},
        {"seed", OPTION_COUNT, &seed, 0, 9e15},
        {"steps", OPTION_COUNT, &steps, 1, 1e12},
        {"minutes", OPTION_NUMBER, &minutes, 0.01, 1e6},
        {"json", OPTION_FLAG, &json, 0, 0},
    };
    int code = options_parse(&command_train, argc, argv, options, sizeof options / sizeof *options,
                             &recipe, 1, 1);
    if (code >= 0)
        return code;
    if (!folder) {
        folder_for(recipe, default_folder, sizeof default_folder);
        folder = default_folder;
    }
    progress bar = progress_start(json);
    gb_train_options train = gb_train_options_defaults();
    train.threads = (int)threads;
    train.use_seed = seed >= 0;
    train.seed = (uint64_t)(seed >= 0 ? seed : 0);
    train.steps = steps;
    train.minutes = minutes;
    train.stop = stop_flag();
    train.callback = progress_train;
    train.context = &bar;
    gb_train_result result;
    gb_status status = gb_train_run(recipe, folder, &train, &result);
    progress_close(&bar);
    if (status != GB_OK)
        return fail_with(status);
    print_result(&result, folder, json);
    return EXIT_DONE;
}

const cli_command command_train = {
    "train", "train a model by a recipe; continues what was interrupted",
    "usage: genba train RECIPE.yaml [options]\n\n"
    "  --out FOLDER    the run's folder (default: runs/NAME-OF-RECIPE)\n"
    "  --threads N     default: the recipe's, else all cores\n"
    "  --seed N        instead of the recipe's\n"
    "  --steps N       instead of the recipe's\n"
    "  --minutes X     instead of the recipe's\n"
    "  --json          one JSON object at the end, no progress\n\n"
    "Ctrl-C saves and stops; the same command goes on from there, with the same bits.\n\n"
    "example: genba train examples/pusht.yaml --seed 1 --out runs/pusht-1\n",
    run_train};
