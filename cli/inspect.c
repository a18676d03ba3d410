/* genba inspect: what is this file or folder? Models, run folders, weights, recipes, CSV files. */
#include "cli.h"

#include "genba/ingest.h"
#include "genba/model.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static bool holds(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return gb_file_exists(path);
}

static gb_status inspect_weights(const char *path)
{
    gb_tensors *set;
    GB_TRY(gb_tensors_load(path, &set));
    int64_t total = 0;
    for (int64_t i = 0; i < gb_tensors_count(set); i++) {
        const char *name;
        char shape[96];
        const gb_tensor *tensor = gb_tensors_at(set, i, &name);
        printf("%-48s %-5s %s\n", name, gb_dtype_name(tensor->dtype),
               gb_shape_text(&tensor->shape, shape, sizeof shape));
        total += gb_shape_count(&tensor->shape);
    }
    printf("%lld tensors, %lld numbers, checksum holds\n", (long long)gb_tensors_count(set),
           (long long)total);
    gb_tensors_destroy(set);
    return GB_OK;
}

static gb_status inspect_model(const char *folder)
{
    static const char *const codecs[] = {"series", "vector", "poses", "bytes"};
    static const char *const heads[] = {"quantile", "flow", "token"};
    gb_model *model;
    GB_TRY(gb_model_load(folder, &model));
    const gb_model_config *c = gb_model_get_config(model);
    printf("model     %s, %.3f M parameters, checksum holds\n", c->name ? c->name : "?",
           (double)gb_model_parameter_count(model) / 1e6);
    printf("reads     %s, %d rows back\n", codecs[c->codec.kind], c->codec.look_back);
    printf("backbone  width %d, %u blocks:", c->backbone.width, c->backbone.block_count);
    for (unsigned i = 0; i < c->backbone.block_count; i++)
        printf(" %s", c->backbone.blocks[i] == GB_BLOCK_CONV ? "conv" : "attention");
    printf("\nanswers   %s", heads[c->head.kind]);
    if (c->head.kind != GB_HEAD_TOKEN)
        printf(", %d steps ahead", c->head.horizon);
    printf("\n");
    char weights[4096];
    snprintf(weights, sizeof weights, "%s/weights.safetensors", folder);
    gb_model_destroy(model);
    return inspect_weights(weights);
}

static void print_stream(const gb_stream_view *view)
{
    double sum = 0, least = INFINITY, most = -INFINITY;
    int64_t present = 0;
    for (int64_t i = 0; i < view->count * view->size; i++) {
        double value = (double)view->values[i];
        if (isnan(value))
            continue;
        present++;
        sum += value;
        least = fmin(least, value);
        most = fmax(most, value);
    }
    printf("  %-28s %8lld samples  %6lld missing", view->spec->name, (long long)view->count,
           (long long)(view->count * view->size - present));
    if (present)
        printf("  %.6g to %.6g, mean %.6g %s", least, most, sum / (double)present,
               view->spec->unit);
    printf("\n");
}

static void print_ingest_report(const gb_ingest_report *r)
{
    printf("%lld bytes, %lld rows read = %lld stored + %lld rejected; delimiter '%c'%s%s%s\n",
           (long long)r->bytes, (long long)r->rows_read, (long long)r->rows_stored,
           (long long)r->rows_rejected, r->delimiter, r->decimal_comma ? ", decimal comma" : "",
           r->header ? ", header" : ", no header", r->byte_order_mark ? ", byte order mark" : "");
    printf("time: %s%s%s, period %.6g s, jitter %.3g s, longest step %.6g s, %lld repeated, %lld "
           "backwards\n",
           gb_time_format_name(r->time_format), *r->time_column ? " in " : "", r->time_column,
           (double)r->period_ns / 1e9, (double)r->jitter_ns / 1e9, (double)r->longest_step_ns / 1e9,
           (long long)r->time_repeated, (long long)r->time_backwards);
    printf("cells: %lld missing, %lld not numbers\n", (long long)r->cells_missing,
           (long long)r->cells_bad);
    for (int i = 0; i < r->example_count; i++) {
        const gb_ingest_example *e = &r->examples[i];
        printf("  row %lld%s%s: \"%s\" instead of %s\n", (long long)e->row,
               e->column ? ", column " : "", e->name, e->text, e->expected);
    }
    for (int i = 0; i < r->left_out_count && i < GB_INGEST_LEFT_OUT; i++)
        printf("  left out: %s (%s)\n", r->left_out[i].name, r->left_out[i].reason);
}

static gb_status inspect_csv(const char *path)
{
    gb_ingest_report report = {0};
    gb_dataset *dataset;
    GB_TRY(gb_ingest_csv_guess(path, NULL, &report, &dataset));
    print_ingest_report(&report);
    const gb_recording *recording = gb_dataset_get(dataset, 0);
    for (int i = 0; i < gb_recording_stream_count(recording); i++)
        print_stream(gb_recording_stream(recording, i));
    gb_dataset_destroy(dataset);
    return GB_OK;
}

static gb_status inspect_recipe(const char *path)
{
    gb_recipe *recipe;
    GB_TRY(gb_recipe_load(path, &recipe));
    gb_train_data *data;
    gb_status status = gb_train_data_open(recipe, &data);
    if (status == GB_OK) {
        printf("recipe    %s, seed %llu\n", recipe->name, (unsigned long long)recipe->seed);
        for (unsigned i = 0; i < recipe->source_count; i++)
            printf("source    %s: %lld recordings\n", recipe->sources[i].name,
                   (long long)gb_dataset_count(gb_train_data_dataset(data, (int)i)));
        gb_train_data_destroy(data);
    }
    gb_recipe_free(recipe);
    return status;
}

static gb_status inspect_run(const char *folder)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/run.json", folder);
    gb_arena *arena;
    GB_TRY(gb_arena_create(0, &arena));
    char *text;
    gb_status status = gb_file_read(path, 1 << 24, arena, &text, NULL);
    if (status == GB_OK)
        printf("%s\n", text);
    gb_arena_destroy(arena);
    if (status == GB_OK && holds(folder, "model")) {
        snprintf(path, sizeof path, "%s/model", folder);
        return inspect_model(path);
    }
    return status;
}

static int run_inspect(int argc, char **argv)
{
    const char *path = NULL;
    int code = options_parse(&command_inspect, argc, argv, NULL, 0, &path, 1, 1);
    if (code >= 0)
        return code;
    struct stat info;
    gb_status status;
    if (stat(path, &info) != 0)
        status = gb_fail(GB_ERR_NOT_FOUND, "there is no file or folder %s", path);
    else if (S_ISDIR(info.st_mode) && holds(path, "config.json"))
        status = inspect_model(path);
    else if (S_ISDIR(info.st_mode) && holds(path, "run.json"))
        status = inspect_run(path);
    else if (S_ISDIR(info.st_mode))
        status = gb_fail(GB_ERR_ARGUMENT,
                         "%s is neither a model (config.json) nor a run (run.json)", path);
    else if (ends_with(path, ".safetensors"))
        status = inspect_weights(path);
    else if (ends_with(path, ".yaml") || ends_with(path, ".yml"))
        status = inspect_recipe(path);
    else
        status = inspect_csv(path);
    return status == GB_OK ? EXIT_DONE : fail_with(status);
}

const cli_command command_inspect = {
    "inspect", "what is in a model, a run, a recipe or a CSV file",
    "usage: genba inspect PATH\n\n"
    "PATH is a model or run folder, weights (.safetensors), a recipe (.yaml: its data is read and\n"
    "counted), or a table of numbers (CSV, TSV, ...), whose layout is found by looking.\n\n"
    "example: genba inspect data/nab/machine_temperature_system_failure.csv\n",
    run_inspect};
