/* genba ingest: files people have, by a stream map, into a store. */
#include "cli.h"

#include "genba/ingest.h"

#include <string.h>

typedef struct ingest_view {
    bool json, terminal, open;
    int64_t shown_ns;
    int64_t notes;
} ingest_view;

enum {
    NOTES_SHOWN = 20
};

static const char *short_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void show_progress(void *context, const gb_ingest_progress *p)
{
    ingest_view *view = context;
    char left[32];
    int64_t now = gb_clock_monotonic_ns(), every = view->terminal ? 100000000 : 5000000000;
    if (view->json || (view->shown_ns && now - view->shown_ns < every))
        return;
    if (!view->terminal && !view->shown_ns) {
        view->shown_ns = now; /* short runs print no progress into logs */
        return;
    }
    view->shown_ns = now;
    double part = p->bytes_all > 0 ? 100.0 * (double)p->bytes_done / (double)p->bytes_all : 100;
    fprintf(stderr, "%s%5.1f %%  file %lld of %lld  %.0f MB/s  %s left  %.40s%s",
            view->terminal ? "\r\033[K" : "", part, (long long)p->files_done + (*p->file != 0),
            (long long)p->files_all, p->bytes_per_s / 1e6,
            duration_text(p->seconds_left, left, sizeof left), short_name(p->file),
            view->terminal ? "" : "\n");
    view->open = view->terminal;
}

static void close_line(ingest_view *view)
{
    if (view->open)
        fputs("\r\033[K", stderr);
    view->open = false;
}

static void show_note(void *context, const char *file, const char *message)
{
    ingest_view *view = context;
    close_line(view);
    if (view->notes++ < NOTES_SHOWN)
        fprintf(stderr, "note: %s: %s\n", file, message);
    else if (view->notes == NOTES_SHOWN + 1)
        fprintf(stderr, "note: further notes are counted only\n");
}

static void print_json(const gb_ingest_report *r, const char *map, double seconds)
{
    printf("{\"map\": \"%s\", \"files\": %lld, \"files_before\": %lld, \"files_failed\": %lld, "
           "\"rows_read\": %lld, \"rows_stored\": %lld, \"rows_rejected\": %lld, ",
           map, (long long)r->files, (long long)r->files_before, (long long)r->files_failed,
           (long long)r->rows_read, (long long)r->rows_stored, (long long)r->rows_rejected);
    printf("\"cells_bad\": %lld, \"cells_missing\": %lld, \"cells_out_of_range\": %lld, "
           "\"time_repeated\": %lld, \"time_backwards\": %lld, \"drifts\": %lld, "
           "\"bytes\": %lld, \"seconds\": %.3f}\n",
           (long long)r->cells_bad, (long long)r->cells_missing, (long long)r->cells_out_of_range,
           (long long)r->time_repeated, (long long)r->time_backwards, (long long)r->drifts,
           (long long)r->bytes, seconds);
}

static void print_report(const gb_ingest_report *r, const char *store, double seconds)
{
    char text[32];
    printf("%lld rows read = %lld stored + %lld rejected, of %lld file%s in %s\n",
           (long long)r->rows_read, (long long)r->rows_stored, (long long)r->rows_rejected,
           (long long)r->files, r->files == 1 ? "" : "s",
           duration_text(seconds, text, sizeof text));
    if (r->files_before > 0)
        printf("%lld file%s left: in the store already\n", (long long)r->files_before,
               r->files_before == 1 ? "" : "s");
    if (r->files_failed > 0)
        printf("%lld file%s could not be read\n", (long long)r->files_failed,
               r->files_failed == 1 ? "" : "s");
    if (r->cells_bad + r->cells_missing + r->cells_out_of_range > 0)
        printf("cells: %lld empty or sentinel, %lld not what the column holds, %lld out of range\n",
               (long long)r->cells_missing, (long long)r->cells_bad,
               (long long)r->cells_out_of_range);
    if (r->time_repeated + r->time_backwards > 0)
        printf("times: %lld repeated, %lld earlier than the one before\n",
               (long long)r->time_repeated, (long long)r->time_backwards);
    for (int i = 0; i < r->example_count && i < 5; i++) {
        const gb_ingest_example *e = &r->examples[i];
        printf("  row %lld%s%s: \"%s\" instead of %s\n", (long long)e->row,
               e->column ? ", column " : "", e->name, e->text, e->expected);
    }
    if (r->rows_rejected > 0)
        printf("rejected rows, with their reasons: %s/rejects\n", store);
    printf("look at it:  genba inspect %s\n", store);
}

static int print_guess(const char *source)
{
    gb_arena *arena = NULL;
    const char *yaml = NULL;
    gb_status status = gb_arena_create(0, &arena);
    if (status == GB_OK)
        status = gb_ingest_guess(source, NULL, arena, &yaml);
    if (status == GB_OK)
        fputs(yaml, stdout);
    gb_arena_destroy(arena);
    return status == GB_OK ? EXIT_DONE : fail_with(status);
}

typedef struct ingest_arguments {
    const char *source, *map, *store, *key;
    const char *owner, *licence, *residency, *purpose;
    int64_t threads;
    bool strict, json;
} ingest_arguments;

/* Everything that can fail, so that the store is closed once. */
static gb_status read_into(const ingest_arguments *a,
                           gb_stream_map *map,
                           gb_pool *pool,
                           gb_store *store,
                           gb_ingest_report *report)
{
    ingest_view view = {.json = a->json, .terminal = progress_start(a->json).terminal};
    gb_ingest_listener listener = {&view, show_progress, show_note, stop_flag()};
    gb_ingest_options options = gb_ingest_options_defaults();
    options.bad_cells = a->strict ? GB_BAD_CELLS_STRICT : GB_BAD_CELLS_AS_MAPPED;
    options.pool = pool;
    gb_status status = gb_stream_map_label(map, a->owner, a->licence, a->residency, a->purpose);
    if (status == GB_OK)
        status = gb_ingest_into_store(map, a->source, &options, &listener, report, store);
    close_line(&view);
    return status;
}

static int run_ingest(int argc, char **argv)
{
    ingest_arguments a = {0};
    bool guess = false;
    const option_spec options[] = {
        {"map", OPTION_TEXT, &a.map, 0, 0},         {"to", OPTION_TEXT, &a.store, 0, 0},
        {"key", OPTION_TEXT, &a.key, 0, 0},         {"owner", OPTION_TEXT, &a.owner, 0, 0},
        {"licence", OPTION_TEXT, &a.licence, 0, 0}, {"residency", OPTION_TEXT, &a.residency, 0, 0},
        {"purpose", OPTION_TEXT, &a.purpose, 0, 0}, {"threads", OPTION_COUNT, &a.threads, 0, 256},
        {"strict", OPTION_FLAG, &a.strict, 0, 0},   {"json", OPTION_FLAG, &a.json, 0, 0},
        {"guess", OPTION_FLAG, &guess, 0, 0},
    };
    int code = options_parse(&command_ingest, argc, argv, options, sizeof options / sizeof *options,
                             &a.source, 1, 1);
    if (code >= 0)
        return code;
    if (guess && (a.map || a.store || a.key || a.strict || a.json)) {
        fprintf(stderr,
                "genba ingest: --guess only prints a map; it has no use for other options\n");
        return EXIT_USAGE;
    }
    if (guess)
        return print_guess(a.source);
    if (!a.map || !a.store) {
        fprintf(stderr,
                "genba ingest: needs --map MAP.yaml and --to STORE; genba ingest --guess %s "
                "proposes a map\n",
                a.source);
        return EXIT_USAGE;
    }
    gb_stream_map *map = NULL;
    filled to = {0};
    gb_pool *pool = NULL;
    gb_ingest_report report = {0};
    int64_t started_ns = gb_clock_monotonic_ns();
    gb_status status = gb_stream_map_load(a.map, &map);
    if (status == GB_OK)
        status = pool_for(a.threads, &pool);
    if (status == GB_OK)
        status = filled_open(&to, a.store, &(gb_store_options){.key_path = a.key, .pool = pool});
    if (status == GB_OK)
        status = read_into(&a, map, pool, to.store, &report);
    double seconds = (double)(gb_clock_monotonic_ns() - started_ns) / 1e9;
    if (status == GB_OK && a.json)
        print_json(&report, gb_stream_map_name(map), seconds);
    else if (to.store && !a.json && report.files + report.files_before > 0 &&
             (status == GB_OK || status == GB_ERR_INTERRUPTED))
        print_report(&report, a.store, seconds);
    filled_close(&to, status == GB_OK);
    gb_pool_destroy(pool);
    gb_stream_map_destroy(map);
    if (status != GB_OK)
        return fail_with(status);
    return report.rows_rejected + report.files_failed > 0 ? EXIT_INPUT : EXIT_DONE;
}

const cli_command command_ingest = {
    "ingest", "read files by a stream map into a store; continues what was interrupted",
    "usage: genba ingest SRC --map MAP.yaml --to STORE [options]\n"
    "       genba ingest --guess SRC > MAP.yaml\n\n"
    "SRC is a file, or a folder whose files the map's patterns choose. STORE is made when "
    "absent.\n\n"
    "  --guess             print a map for SRC: look at it, mend it, use it\n"
    "  --strict            stop at the first row or cell that is wrong (otherwise it is counted,\n"
    "                      kept in STORE/rejects, and the exit code is 3)\n"
    "  --owner, --licence, --residency, --purpose TEXT   labels instead of the map's\n"
    "  --key FILE          of an encrypted store (or GENBA_KEY)\n"
    "  --threads N         default: all cores\n"
    "  --json              one JSON object at the end, no progress\n\n"
    "Ctrl-C keeps what was read; the same command goes on from there.\n\n"
    "example: genba ingest data/skab --map examples/maps/skab.yaml --to plant.store\n",
    run_ingest};
