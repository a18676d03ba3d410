/* genba inspect: what is this file or folder? Stores, recordings and tables; models, runs, weights,
 * recipes. */
#include "cli.h"

#include "genba/eval.h"
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

/* ---- recordings: files of any reader, and stores ------------------------------------------------
 */

typedef struct looking {
    const char *path, *html, *pattern, *key;
    gb_arena *arena;
    gb_inspection *inspection;
    gb_store *store;
    gb_report_fact *facts, *files;
    int fact_count, file_count, room;
    int64_t recordings, samples, bytes, shown;
    int64_t first_ns, last_ns;
} looking;

enum {
    RECORDINGS_LISTED = 40,
    RECORDINGS_DRAWN = 24,
    FILES_LISTED = 400
};

static gb_status print_line(void *context, const char *line)
{
    (void)context;
    puts(line);
    return GB_OK;
}

static void
add_fact(gb_report_fact *facts, int *count, int most, const char *label, const char *value)
{
    if (label && value && *count < most)
        facts[(*count)++] = (gb_report_fact){label, value};
}

static gb_status finish_looking(looking *l)
{
    if (!l->html)
        return GB_OK;
    const char *slash = strrchr(l->path, '/');
    const char *title = slash && slash[1] ? slash + 1 : l->path;
    GB_TRY(gb_inspection_write(l->inspection, title, l->facts, l->fact_count, l->files,
                               l->file_count, l->html));
    printf("page: %s\n", l->html);
    return GB_OK;
}

static void print_ingest_report(const gb_ingest_report *r)
{
    if (r->delimiter)
        printf("layout: delimiter '%c'%s%s%s\n", r->delimiter,
               r->decimal_comma ? ", decimal comma" : "", r->header ? ", header" : ", no header",
               r->byte_order_mark ? ", byte order mark" : "");
    if (r->period_ns > 0)
        printf("time: %s%s%s, period %.6g s, jitter %.3g s, longest step %.6g s\n",
               gb_time_format_name(r->time_format), *r->time_column ? " in " : "", r->time_column,
               (double)r->period_ns / 1e9, (double)r->jitter_ns / 1e9,
               (double)r->longest_step_ns / 1e9);
    for (int i = 0; i < r->example_count; i++) {
        const gb_ingest_example *e = &r->examples[i];
        printf("  row %lld%s%s: \"%s\" instead of %s\n", (long long)e->row,
               e->column ? ", column " : "", e->name, e->text, e->expected);
    }
    for (int i = 0; i < r->left_out_count && i < GB_INGEST_LEFT_OUT; i++)
        printf("  left out: %s (%s)\n", r->left_out[i].name, r->left_out[i].reason);
}

/* A file nobody described: by a guessed map, without keeping it. */
static gb_status look_at_file(looking *l)
{
    const char *yaml = NULL;
    gb_stream_map *map = NULL;
    gb_ingest_report report = {0};
    GB_TRY(gb_ingest_guess(l->path, NULL, l->arena, &yaml));
    GB_TRY(gb_stream_map_parse(yaml, strlen(yaml), "the guessed map", &map));
    gb_status status =
        gb_ingest_to_sink(map, l->path, NULL, &report, gb_inspection_sink(l->inspection));
    gb_stream_map_destroy(map);
    GB_TRY(status);
    GB_TRY(gb_ingest_report_lines(&report, print_line, NULL));
    print_ingest_report(&report);
    GB_TRY(gb_inspection_lines(l->inspection, print_line, NULL));
    add_fact(l->facts, &l->fact_count, l->room, "file", l->path);
    add_fact(l->facts, &l->fact_count, l->room, "rows",
             gb_arena_format(l->arena, "%lld read = %lld stored + %lld rejected",
                             (long long)report.rows_read, (long long)report.rows_stored,
                             (long long)report.rows_rejected));
    return finish_looking(l);
}

static gb_status list_entry(void *context, const gb_store_entry *e)
{
    looking *l = context;
    if (l->recordings == 0 || e->first_ns < l->first_ns)
        l->first_ns = e->first_ns;
    if (l->recordings == 0 || e->last_ns > l->last_ns)
        l->last_ns = e->last_ns;
    l->samples += e->samples;
    l->bytes += e->bytes;
    if (l->recordings++ < RECORDINGS_LISTED)
        printf("  %-44s %10lld samples %9.1f kB  %s%s%s\n", e->info->name, (long long)e->samples,
               (double)e->bytes / 1e3, e->split, e->split[0] ? " " : "", e->info->residency);
    add_fact(l->files, &l->file_count, FILES_LISTED, gb_arena_text(l->arena, e->info->source),
             gb_arena_format(l->arena,
                             "%s: %lld samples, good %lld, uncertain %lld, bad %lld, missing "
                             "%lld",
                             e->info->name, (long long)e->samples, (long long)e->good,
                             (long long)e->uncertain, (long long)e->bad, (long long)e->missing));
    return GB_OK;
}

static gb_status draw_entry(void *context, const gb_store_entry *e)
{
    looking *l = context;
    if (l->shown++ >= RECORDINGS_DRAWN)
        return GB_OK;
    return gb_store_emit(l->store, e->info->name, NULL, 0, GB_USE_INSPECT,
                         gb_inspection_sink(l->inspection));
}

static gb_status look_at_open_store(looking *l)
{
    gb_store_query query = {.name = l->pattern};
    int64_t count = 0;
    GB_TRY(gb_store_count(l->store, &query, &count));
    if (count == 0 && l->pattern)
        return gb_store_none(l->store, &query);
    printf("store %s\n", l->path);
    GB_TRY(gb_store_list(l->store, &query, list_entry, l));
    if (l->recordings > RECORDINGS_LISTED)
        printf("  and %lld more: genba store list %s\n",
               (long long)l->recordings - RECORDINGS_LISTED, l->path);
    printf("%lld recording%s, %lld samples, %.1f MB\n", (long long)l->recordings,
           plural(l->recordings), (long long)l->samples, (double)l->bytes / 1e6);
    add_fact(l->facts, &l->fact_count, l->room, "recordings",
             gb_arena_format(l->arena, "%lld", (long long)l->recordings));
    add_fact(l->facts, &l->fact_count, l->room, "samples",
             gb_arena_format(l->arena, "%lld", (long long)l->samples));
    add_fact(l->facts, &l->fact_count, l->room, "size",
             gb_arena_format(l->arena, "%.1f MB", (double)l->bytes / 1e6));
    if (!l->html && !l->pattern)
        return GB_OK;
    GB_TRY(gb_store_list(l->store, &query, draw_entry, l));
    if (l->shown > RECORDINGS_DRAWN)
        printf("looked into the first %d recordings; --recording PATTERN chooses others\n",
               RECORDINGS_DRAWN);
    if (l->pattern)
        GB_TRY(gb_inspection_lines(l->inspection, print_line, NULL));
    return finish_looking(l);
}

static gb_status look_at_store(looking *l)
{
    gb_store_options options = {.key_path = l->key};
    GB_TRY(gb_store_open(l->path, &options, &l->store));
    gb_status status = look_at_open_store(l);
    gb_store_close(l->store);
    return status;
}

static gb_status look(looking *l, bool is_store)
{
    GB_TRY(gb_arena_create(0, &l->arena));
    gb_status status = gb_inspection_create(RECORDINGS_DRAWN, &l->inspection);
    l->room = 16;
    l->facts = gb_arena_alloc(l->arena, (size_t)l->room * sizeof *l->facts);
    l->files = gb_arena_alloc(l->arena, FILES_LISTED * sizeof *l->files);
    if (status == GB_OK && (!l->facts || !l->files))
        status = GB_ERR_MEMORY;
    if (status == GB_OK)
        status = is_store ? look_at_store(l) : look_at_file(l);
    gb_inspection_destroy(l->inspection);
    gb_arena_destroy(l->arena);
    return status;
}

static gb_status inspect_recipe(const char *path)
{
    gb_recipe *recipe;
    GB_TRY(gb_recipe_load(path, &recipe));
    gb_train_data *data;
    gb_status status = gb_train_data_open(recipe, &data);
    if (status == GB_OK) {
        printf("recipe    %s, seed %llu\n", recipe->name, (unsigned long long)recipe->seed);
        for (unsigned i = 0; i < recipe->source_count; i++) {
            int64_t count = gb_dataset_count(gb_train_data_dataset(data, (int)i));
            printf("source    %s: %lld recording%s\n", recipe->sources[i].name, (long long)count,
                   plural(count));
        }
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
    looking l = {0};
    const option_spec options[] = {
        {"html", OPTION_TEXT, &l.html, 0, 0},
        {"recording", OPTION_TEXT, &l.pattern, 0, 0},
        {"key", OPTION_TEXT, &l.key, 0, 0},
    };
    int code = options_parse(&command_inspect, argc, argv, options,
                             sizeof options / sizeof *options, &path, 1, 1);
    if (code >= 0)
        return code;
    struct stat info;
    gb_status status;
    l.path = path;
    bool drawn = l.html || l.pattern;
    if (stat(path, &info) != 0)
        status = gb_fail(GB_ERR_NOT_FOUND, "there is no file or folder %s", path);
    else if (gb_store_is(path))
        status = look(&l, true);
    else if (drawn &&
             (ends_with(path, ".safetensors") || ends_with(path, ".yaml") ||
              (S_ISDIR(info.st_mode) && (holds(path, "config.json") || holds(path, "run.json")))))
        status =
            gb_fail(GB_ERR_ARGUMENT,
                    "%s holds no recordings: --html and --recording are for stores and files of "
                    "recordings",
                    path);
    else if (S_ISDIR(info.st_mode) && holds(path, "config.json"))
        status = inspect_model(path);
    else if (S_ISDIR(info.st_mode) && holds(path, "run.json"))
        status = inspect_run(path);
    else if (ends_with(path, ".safetensors"))
        status = inspect_weights(path);
    else if (ends_with(path, ".yaml") || ends_with(path, ".yml"))
        status = inspect_recipe(path);
    else if (l.pattern)
        status = gb_fail(GB_ERR_ARGUMENT,
                         "%s is a file: --recording chooses among those of a store", path);
    else
        status = look(&l, false);
    return status == GB_OK ? EXIT_DONE : fail_with(status);
}

const cli_command command_inspect = {
    "inspect", "what is in a store, a recording, a table, a model, a run or a recipe",
    "usage: genba inspect PATH [--html PAGE.html] [--recording PATTERN] [--key FILE]\n\n"
    "PATH is a store, a file that a reader knows (tables, MCAP, HDF5, pictures, ...; its layout "
    "is\n"
    "found by looking), a model or run folder, weights (.safetensors), or a recipe (.yaml: its "
    "data is\n"
    "read and counted).\n\n"
    "  --html PAGE.html     one page with every stream's plot, histogram, gaps and qualities\n"
    "  --recording PATTERN  only these recordings of a store, with their streams\n"
    "  --key FILE           of an encrypted store (or GENBA_KEY)\n\n"
    "example: genba inspect plant.store --html plant.html\n",
    run_inspect};
