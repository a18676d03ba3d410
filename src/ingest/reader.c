/* The table of readers and the public ways in: one file, a folder, a CSV without a map. */
#include "ingest/reader.h"

#include "ingest/csv.h"
#include "ingest/guess.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILES_MAX 1000000
#define FOLDER_DEPTH_MAX 16

extern const gb_reader gb_reader_csv;

static const gb_reader *const readers[] = {
    &gb_reader_csv, /* csv_map.c */
};
#define READER_COUNT ((int)(sizeof readers / sizeof *readers))

int gb_reader_count(void)
{
    return READER_COUNT;
}

const char *gb_reader_name(int reader)
{
    return reader >= 0 && reader < READER_COUNT ? readers[reader]->name : NULL;
}

const gb_reader *gb_reader_find(const char *name)
{
    for (int i = 0; i < READER_COUNT; i++)
        if (strcmp(readers[i]->name, name) == 0)
            return readers[i];
    return NULL;
}

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);
    return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

const gb_reader *gb_reader_for_file(const char *path)
{
    for (int i = 0; i < READER_COUNT; i++)
        for (const char *const *end = readers[i]->ends; end && *end; end++)
            if (ends_with(path, *end))
                return readers[i];
    return NULL;
}

gb_recording_info gb_map_info(const gb_stream_map *map, const char *name, const char *source)
{
    const gb_map_data *data = map->data;
    return (gb_recording_info){.name = name,
                               .source = source,
                               .instruction = data->instruction,
                               .outcome = data->outcome,
                               .residency = data->residency,
                               .owner = data->owner,
                               .licence = data->licence,
                               .purpose = data->purpose};
}

gb_ingest_options gb_ingest_options_defaults(void)
{
    gb_ingest_options options;
    memset(&options, 0, sizeof options);
    options.line_limit_bytes = (size_t)16 << 20;
    options.period_s = 1;
    return options;
}

/* NULLs and zeros become the defaults. */
static gb_status settle(const gb_ingest_options *given, gb_ingest_options *out)
{
    gb_ingest_options options = gb_ingest_options_defaults();
    if (given) {
        double period_s = given->period_s == 0 ? options.period_s : given->period_s;
        size_t limit = given->line_limit_bytes ? given->line_limit_bytes : options.line_limit_bytes;
        options = *given;
        options.period_s = period_s;
        options.line_limit_bytes = limit;
    }
    if (!(options.period_s > 0 && options.period_s <= 1e9) || options.row_limit < 0 ||
        options.line_limit_bytes > (size_t)1 << 30)
        return gb_fail(
            GB_ERR_ARGUMENT,
            "ingest options: period_s %g, row_limit %lld, line_limit_bytes %zu; expected "
            "a period above 0, a limit of 0 or more rows and lines of at most 1 GiB",
            options.period_s, (long long)options.row_limit, options.line_limit_bytes);
    *out = options;
    return GB_OK;
}

gb_status gb_ingest_csv_guess(const char *path,
                              const gb_ingest_options *options,
                              gb_ingest_report *report,
                              gb_dataset **out)
{
    gb_ingest_options settled;
    GB_TRY(settle(options, &settled));
    gb_ingest_report unread = {0};
    report = report ? report : &unread;
    gb_rows rows;
    GB_TRY(gb_rows_open_file(path, settled.line_limit_bytes, &rows, &report->byte_order_mark));
    gb_status status = gb_guess_rows(&rows, &settled, report, out);
    gb_rows_close(&rows);
    report->files++;
    return status;
}

/* One file into the dataset, all or none. */
static gb_status read_one(const gb_stream_map *map,
                          const char *path,
                          const char *name,
                          const gb_ingest_options *options,
                          gb_ingest_report *report,
                          gb_dataset *dataset)
{
    gb_dataset *read = NULL;
    gb_sink *sink = NULL;
    GB_TRY(gb_dataset_create(&read));
    gb_status status = gb_dataset_sink_create(read, &sink);
    gb_ingest_watch nobody = {0};
    gb_source source = {.map = map,
                        .path = path,
                        .name = name,
                        .options = options,
                        .report = report,
                        .watch = &nobody,
                        .sink = sink};
    if (status == GB_OK)
        status = gb_reader_find(map->data->reader)->read(&source);
    gb_sink_destroy(sink);
    if (status == GB_OK)
        status = gb_dataset_merge(dataset, read);
    gb_dataset_destroy(read);
    report->files++;
    return status;
}

gb_status gb_ingest_file(const gb_stream_map *map,
                         const char *path,
                         const gb_ingest_options *options,
                         gb_ingest_report *report,
                         gb_dataset *dataset)
{
    gb_ingest_options settled;
    GB_TRY(settle(options, &settled));
    gb_ingest_report unread = {0};
    gb_arena *arena = NULL;
    GB_TRY(gb_arena_create(0, &arena));
    const char *name = gb_name_of_file(path, arena);
    gb_status status = name ? GB_OK : GB_ERR_MEMORY;
    if (status == GB_OK)
        status = read_one(map, path, name, &settled, report ? report : &unread, dataset);
    gb_arena_destroy(arena);
    return status;
}

/* ---- folders ----------------------------------------------------------------------------------
 */

typedef struct listing {
    const gb_stream_map *map;
    const char *root;
    char **paths; /* relative to root */
    int64_t count, room;
} listing;

/* A pattern without '/' matches a file's name in any folder, one with '/' the path from the root.
 */
static bool is_wanted(const gb_stream_map *map, const char *relative)
{
    const char *slash = strrchr(relative, '/');
    const char *name = slash ? slash + 1 : relative;
    for (uint32_t i = 0; i < map->data->files_count; i++) {
        const char *pattern = map->data->files[i];
        const char *text = strchr(pattern, '/') ? relative : name;
        if (fnmatch(pattern, text, FNM_PATHNAME | FNM_PERIOD) == 0)
            return true;
    }
    return false;
}

static gb_status add_path(listing *l, const char *relative)
{
    if (l->count == FILES_MAX)
        return gb_fail(GB_ERR_ARGUMENT, "%s: more than %d files match", l->root, FILES_MAX);
    if (l->count == l->room) {
        int64_t room = l->room ? 2 * l->room : 64;
        char **grown = realloc(l->paths, (size_t)room * sizeof *grown);
        if (!grown)
            return gb_fail(GB_ERR_MEMORY, "%s: no memory for its list of files", l->root);
        l->paths = grown;
        l->room = room;
    }
    l->paths[l->count] = strdup(relative);
    if (!l->paths[l->count])
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for its list of files", l->root);
    l->count++;
    return GB_OK;
}

static gb_status walk(listing *l, const char *relative, int depth);

static gb_status visit(listing *l, const char *relative, int depth)
{
    char path[4096];
    struct stat about;
    int length = snprintf(path, sizeof path, "%s/%s", l->root, relative);
    if (length < 0 || length >= (int)sizeof path || lstat(path, &about) != 0)
        return GB_OK; /* vanished while listing, or too deep to name */
    if (S_ISDIR(about.st_mode))
        return depth < FOLDER_DEPTH_MAX ? walk(l, relative, depth + 1) : GB_OK;
    /* A link to a file is followed, one to a folder is not: it could lead back. */
    if (S_ISLNK(about.st_mode) && stat(path, &about) != 0)
        return GB_OK;
    return S_ISREG(about.st_mode) && is_wanted(l->map, relative) ? add_path(l, relative) : GB_OK;
}

static gb_status walk(listing *l, const char *relative, int depth)
{
    char path[4096];
    snprintf(path, sizeof path, relative[0] ? "%s/%s" : "%s", l->root, relative);
    DIR *folder = opendir(path);
    if (!folder)
        return gb_fail(GB_ERR_IO, "cannot list %s: %s", path, strerror(errno));
    gb_status status = GB_OK;
    const struct dirent *entry;
    while (status == GB_OK && (entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        char inner[4096];
        int length =
            snprintf(inner, sizeof inner, relative[0] ? "%s/%s" : "%s%s", relative, entry->d_name);
        if (length > 0 && length < (int)sizeof inner)
            status = visit(l, inner, depth);
    }
    closedir(folder);
    return status;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static gb_status read_listed(const listing *l,
                             const gb_ingest_options *options,
                             gb_ingest_report *report,
                             gb_dataset *to)
{
    for (int64_t i = 0; i < l->count; i++) {
        char path[8192], name[4096];
        snprintf(path, sizeof path, "%s/%s", l->root, l->paths[i]);
        snprintf(name, sizeof name, "%s", l->paths[i]);
        char *dot = strrchr(name, '.'), *slash = strrchr(name, '/');
        if (dot && dot > (slash ? slash + 1 : name))
            *dot = 0;
        GB_TRY(read_one(l->map, path, name, options, report, to));
    }
    return GB_OK;
}

static gb_status read_folder(const gb_stream_map *map,
                             const char *folder,
                             const gb_ingest_options *options,
                             gb_ingest_report *report,
                             gb_dataset *dataset)
{
    listing l = {.map = map, .root = folder};
    gb_status status = walk(&l, "", 0);
    if (status == GB_OK && l.count == 0)
        status = gb_fail(GB_ERR_NOT_FOUND,
                         "no file under %s matches the patterns of %s (the first is %s)", folder,
                         map->origin, map->data->files[0]);
    if (status == GB_OK) {
        qsort(l.paths, (size_t)l.count, sizeof *l.paths, compare_paths);
        status = read_listed(&l, options, report, dataset);
    }
    for (int64_t i = 0; i < l.count; i++)
        free(l.paths[i]);
    free(l.paths);
    return status;
}

gb_status gb_ingest_folder(const gb_stream_map *map,
                           const char *folder,
                           const gb_ingest_options *options,
                           gb_ingest_report *report,
                           gb_dataset **out)
{
    gb_ingest_options settled;
    GB_TRY(settle(options, &settled));
    gb_ingest_report unread = {0};
    report = report ? report : &unread;
    struct stat about;
    if (stat(folder, &about) != 0)
        return gb_fail(GB_ERR_IO, "cannot open %s: %s", folder, strerror(errno));
    gb_dataset *dataset = NULL;
    GB_TRY(gb_dataset_create(&dataset));
    gb_status status = S_ISDIR(about.st_mode)
                           ? read_folder(map, folder, &settled, report, dataset)
                           : gb_ingest_file(map, folder, &settled, report, dataset);
    if (status != GB_OK) {
        gb_dataset_destroy(dataset);
        return status;
    }
    *out = dataset;
    return GB_OK;
}
