/* The HDF5 reader: which groups are recordings, their facts, and the map proposed for a file nobody
 * described. robomimic keeps an episode in a group (data/demo_0), ALOHA in a file. */
#include "ingest/reader.h"

#ifdef GENBA_WITH_HDF5
#include "ingest/apart.h"
#include "ingest/hdf5_array.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    INFO_PAIRS_MAX = 64, /* attributes of an episode and what is above it */
    SOURCES_MAX = GB_STREAMS_MAX + 1
};
#define EPISODES_MAX 1000000

typedef struct episodes {
    const gb_hdf5 *hdf5;
    gb_arena *arena;
    const char **paths; /* [count], "" is the root */
    int64_t count, room;
    size_t fixed_bytes; /* of each path before the first part with a wildcard */
} episodes;

/* ---- which groups -----------------------------------------------------------------------------
 */

static gb_status add_episode(episodes *e, const char *path)
{
    if (e->count == EPISODES_MAX)
        return gb_fail(GB_ERR_UNSUPPORTED, "%s: more than %d episodes", e->hdf5->path,
                       EPISODES_MAX);
    if (e->count == e->room) {
        int64_t room = e->room ? 2 * e->room : 64;
        const char **grown = gb_arena_alloc(e->arena, (size_t)room * sizeof *grown);
        if (!grown)
            return GB_ERR_MEMORY;
        if (e->count > 0)
            memcpy(grown, e->paths, (size_t)e->count * sizeof *grown);
        e->paths = grown;
        e->room = room;
    }
    e->paths[e->count++] = path;
    return GB_OK;
}

static gb_status match_part(episodes *e, const char *path, const char *pattern, int depth);

/* The groups in `group` whose name fits the first part of `pattern`. */
static gb_status
match_names(episodes *e, hid_t group, const char *path, const char *pattern, int depth)
{
    gb_hdf5_name *names = NULL;
    int64_t count = 0;
    char part[GB_HDF5_PATH_MAX];
    size_t size = strcspn(pattern, "/");
    const char *rest = pattern + size + strspn(pattern + size, "/");
    if (size >= sizeof part)
        return gb_fail(GB_ERR_SCHEMA, "%s: a pattern of more than %d bytes", pattern,
                       GB_HDF5_PATH_MAX);
    memcpy(part, pattern, size);
    part[size] = 0;
    GB_TRY(gb_hdf5_list(e->hdf5, group, e->arena, &names, &count));
    for (int64_t i = 0; i < count; i++) {
        if (!names[i].is_group || fnmatch(part, names[i].text, 0) != 0)
            continue;
        const char *inner =
            gb_arena_format(e->arena, path[0] ? "%s/%s" : "%s%s", path, names[i].text);
        if (!inner)
            return GB_ERR_MEMORY;
        GB_TRY(match_part(e, inner, rest, depth + 1));
    }
    return GB_OK;
}

static gb_status match_part(episodes *e, const char *path, const char *pattern, int depth)
{
    if (pattern[0] == 0)
        return add_episode(e, path);
    if (depth > GB_HDF5_DEPTH_MAX)
        return gb_fail(GB_ERR_SCHEMA, "%s: episodes lie more than %d groups deep", e->hdf5->path,
                       GB_HDF5_DEPTH_MAX);
    hid_t group;
    GB_TRY(gb_hdf5_group(e->hdf5, e->hdf5->file, path[0] ? path : "/", &group));
    gb_status status = match_names(e, group, path, pattern, depth);
    H5Oclose(group);
    return status;
}

static gb_status find_episodes(episodes *e, const char *pattern)
{
    if (!pattern)
        return add_episode(e, "");
    pattern += strspn(pattern, "/");
    size_t fixed = strcspn(pattern, "*?[");
    while (fixed > 0 && pattern[fixed - 1] != '/')
        fixed--;
    e->fixed_bytes = fixed;
    GB_TRY(match_part(e, "", pattern, 0));
    if (e->count == 0)
        return gb_fail(GB_ERR_NOT_FOUND, "%s has no group that fits episodes: %s", e->hdf5->path,
                       pattern);
    return GB_OK;
}

/* ---- what is known of one ---------------------------------------------------------------------
 */

typedef struct facts {
    gb_recording_info info;
    gb_pair pairs[INFO_PAIRS_MAX];
    int count;
} facts;

static const char *first_of(const facts *f, const char *const *keys)
{
    for (; *keys; keys++) {
        const char *value = gb_pair_find(f->pairs, f->count, *keys);
        if (value && value[0])
            return value;
    }
    return NULL;
}

/* Attributes of the episode by their names, those of the groups above it by their paths. */
static gb_status
collect(const gb_hdf5 *hdf5, hid_t group, const char *path, gb_arena *arena, facts *to)
{
    GB_TRY(gb_hdf5_attributes(hdf5, group, "", arena, to->pairs, INFO_PAIRS_MAX, &to->count));
    char above[GB_HDF5_PATH_MAX];
    if (snprintf(above, sizeof above, "%s", path) >= (int)sizeof above)
        return GB_OK;
    while (above[0]) {
        char *slash = strrchr(above, '/');
        *(slash ? slash : above) = 0;
        hid_t parent;
        GB_TRY(gb_hdf5_group(hdf5, hdf5->file, above[0] ? above : "/", &parent));
        const char *prefix = gb_arena_format(arena, "%s/", above);
        gb_status status = prefix ? gb_hdf5_attributes(hdf5, parent, prefix, arena, to->pairs,
                                                       INFO_PAIRS_MAX, &to->count)
                                  : GB_ERR_MEMORY;
        H5Oclose(parent);
        GB_TRY(status);
    }
    return GB_OK;
}

static gb_status gather_facts(const gb_source *source,
                              const episodes *e,
                              const char *path,
                              hid_t group,
                              gb_arena *arena,
                              facts *out)
{
    static const char *const instructions[] = {"instruction", "language_instruction", "language",
                                               "task",        "/instruction",         NULL};
    static const char *const outcomes[] = {"outcome", "success", NULL};
    GB_TRY(collect(e->hdf5, group, path, arena, out));
    const char *name = source->name;
    if (path[0])
        name = gb_arena_format(arena, "%s/%s", source->name, path + e->fixed_bytes);
    if (!name)
        return GB_ERR_MEMORY;
    out->info = gb_map_info(source->map, name, source->path);
    if (!out->info.instruction)
        out->info.instruction = first_of(out, instructions);
    if (!out->info.outcome)
        out->info.outcome = first_of(out, outcomes);
    if (out->info.outcome && strcmp(out->info.outcome, "1") == 0)
        out->info.outcome = "success";
    else if (out->info.outcome && strcmp(out->info.outcome, "0") == 0)
        out->info.outcome = "failure";
    out->info.pairs = out->pairs;
    out->info.pair_count = out->count;
    return GB_OK;
}

/* ---- reading ----------------------------------------------------------------------------------
 */

/* The arrays a map asks for, or all there are. */
static gb_status find_arrays(
    const gb_source *source, const gb_hdf5 *hdf5, hid_t group, gb_arena *arena, gb_arrays *out)
{
    const gb_map_data *data = source->map->data;
    if (data->streams_count == 0)
        return gb_hdf5_arrays(hdf5, group, arena, out);
    const char **paths = gb_arena_alloc(arena, SOURCES_MAX * sizeof *paths);
    int count = 0;
    if (!paths)
        return GB_ERR_MEMORY;
    for (uint32_t s = 0; s < data->streams_count && s < GB_STREAMS_MAX; s++)
        paths[count++] = data->streams[s].source ? data->streams[s].source : data->streams[s].name;
    if (data->time.column)
        paths[count++] = data->time.column;
    return gb_hdf5_arrays_named(hdf5, group, paths, count, arena, out);
}

static gb_status read_group(const gb_source *source,
                            const episodes *e,
                            int64_t number,
                            hid_t group,
                            int64_t row_limit,
                            gb_arena *arena)
{
    gb_arrays arrays;
    gb_array_plan plan;
    gb_ingest_report *report = source->report;
    facts *known = gb_arena_alloc(arena, sizeof *known);
    if (!known)
        return GB_ERR_MEMORY;
    int left_out = report->left_out_count;
    GB_TRY(gather_facts(source, e, e->paths[number], group, arena, known));
    GB_TRY(find_arrays(source, e->hdf5, group, arena, &arrays));
    GB_TRY(gb_arrays_plan(source, &arrays, arena, &plan));
    if (number > 0)
        report->left_out_count = left_out; /* the same in every episode: said once */
    int64_t share = e->hdf5->bytes / e->count;
    gb_array_progress progress = {share * number, share, e->hdf5->bytes};
    return gb_arrays_emit(source, &arrays, &plan, &known->info, row_limit, &progress);
}

static gb_status
read_episode(const gb_source *source, const episodes *e, int64_t number, int64_t row_limit)
{
    const char *path = e->paths[number];
    gb_arena *arena = NULL;
    hid_t group;
    GB_TRY(gb_hdf5_group(e->hdf5, e->hdf5->file, path[0] ? path : "/", &group));
    gb_status status = gb_arena_create(0, &arena);
    if (status == GB_OK)
        status = read_group(source, e, number, group, row_limit, arena);
    gb_arena_destroy(arena);
    H5Oclose(group);
    return status == GB_OK || !path[0] ? status : gb_fail_context(status, "%s", path);
}

static gb_status read_open(const gb_source *source, const gb_hdf5 *hdf5, gb_arena *arena)
{
    episodes e = {.hdf5 = hdf5, .arena = arena};
    gb_ingest_report *report = source->report;
    int64_t limit = source->options->row_limit, before = report->rows_read;
    GB_TRY(find_episodes(&e, source->map->data->episodes));
    for (int64_t i = 0; i < e.count; i++) {
        int64_t left = limit > 0 ? limit - (report->rows_read - before) : 0;
        if (limit > 0 && left <= 0)
            break;
        GB_TRY(read_episode(source, &e, i, left));
    }
    report->bytes += hdf5->bytes;
    return GB_OK;
}

static gb_status read_here(const gb_source *source)
{
    gb_hdf5 hdf5;
    gb_arena *arena = NULL;
    GB_TRY(gb_arena_create(0, &arena));
    gb_status status = gb_hdf5_open(source->path, &hdf5);
    if (status == GB_OK) {
        status = read_open(source, &hdf5, arena);
        gb_hdf5_close(&hdf5);
    }
    gb_arena_destroy(arena);
    return status;
}

static gb_status read_hdf5(const gb_source *source)
{
    return gb_apart_read(source, "libhdf5", read_here);
}

/* ---- guessing ---------------------------------------------------------------------------------
 */

/* Two groups called alike but for a number are episodes: the part before the number, or NULL. */
static const char *common_prefix(const gb_hdf5_name *names, int64_t count, gb_arena *arena)
{
    const char *before = NULL;
    size_t before_size = 0;
    for (int64_t i = 0; i < count; i++) {
        size_t size = strlen(names[i].text);
        while (size > 0 && isdigit((unsigned char)names[i].text[size - 1]))
            size--;
        if (!names[i].is_group || names[i].text[size] == 0)
            continue;
        if (before && size == before_size && memcmp(before, names[i].text, size) == 0)
            return gb_arena_format(arena, "%.*s", (int)size, before);
        before = names[i].text;
        before_size = size;
    }
    return NULL;
}

/* Looks in the root and in each of its groups. NULL in *out: the file is one recording. */
static gb_status guess_episodes(const gb_hdf5 *hdf5, gb_arena *arena, const char **out)
{
    gb_hdf5_name *names = NULL, *inner = NULL;
    int64_t count = 0, inner_count = 0;
    GB_TRY(gb_hdf5_list(hdf5, hdf5->file, arena, &names, &count));
    const char *prefix = common_prefix(names, count, arena);
    *out = prefix ? gb_arena_format(arena, "%s*", prefix) : NULL;
    for (int64_t i = 0; i < count && !*out; i++) {
        hid_t group;
        if (!names[i].is_group)
            continue;
        GB_TRY(gb_hdf5_group(hdf5, hdf5->file, names[i].text, &group));
        gb_status status = gb_hdf5_list(hdf5, group, arena, &inner, &inner_count);
        H5Oclose(group);
        GB_TRY(status);
        prefix = common_prefix(inner, inner_count, arena);
        if (prefix)
            *out = gb_arena_format(arena, "%s/%s*", names[i].text, prefix);
    }
    return GB_OK;
}

static gb_status guess_open(const gb_hdf5 *hdf5, gb_arena *arena, const char **out_yaml)
{
    const char *pattern = NULL;
    episodes e = {.hdf5 = hdf5, .arena = arena};
    gb_arrays arrays;
    hid_t group;
    GB_TRY(guess_episodes(hdf5, arena, &pattern));
    GB_TRY(find_episodes(&e, pattern));
    GB_TRY(gb_hdf5_group(hdf5, hdf5->file, e.paths[0][0] ? e.paths[0] : "/", &group));
    gb_status status = gb_hdf5_arrays(hdf5, group, arena, &arrays);
    int64_t rows = status == GB_OK ? gb_arrays_common_rows(&arrays) : 0;
    if (status == GB_OK && rows == 0)
        status = gb_fail(GB_ERR_NOT_FOUND, "%s holds no data set that could become a stream",
                         hdf5->path);
    H5Oclose(group);
    GB_TRY(status);
    gb_yaml_out out;
    GB_TRY(gb_yaml_out_open(&out));
    gb_guess_put_head(&out, hdf5->path, "hdf5", NULL);
    if (pattern) {
        gb_yaml_put(&out, "episodes: ");
        gb_yaml_put_text(&out, pattern, strlen(pattern));
        gb_yaml_put(&out, " # %lld of them\n", (long long)e.count);
    }
    gb_arrays_put_time(&out, gb_arrays_guess_time(&arrays, rows));
    gb_arrays_put_guess(&out, &arrays, rows);
    return gb_yaml_out_finish(&out, arena, out_yaml);
}

static gb_status guess_here(const char *path,
                            const gb_ingest_options *options,
                            gb_arena *arena,
                            const char **out_yaml)
{
    (void)options;
    gb_hdf5 hdf5;
    const char *yaml = NULL;
    GB_TRY(gb_hdf5_open(path, &hdf5));
    gb_status status = guess_open(&hdf5, arena, &yaml);
    gb_hdf5_close(&hdf5);
    if (status == GB_OK)
        *out_yaml = yaml;
    return status;
}
static gb_status guess_hdf5(const char *path,
                            const gb_ingest_options *options,
                            gb_arena *arena,
                            const char **out_yaml)
{
    return gb_apart_guess(path, options, arena, out_yaml, "libhdf5", guess_here);
}
#else
static gb_status not_built(const char *path)
{
    return gb_fail(GB_ERR_UNSUPPORTED,
                   "%s: this build reads no HDF5: install libhdf5-dev and build again", path);
}

static gb_status read_hdf5(const gb_source *source)
{
    return not_built(source->path);
}

static gb_status guess_hdf5(const char *path,
                            const gb_ingest_options *options,
                            gb_arena *arena,
                            const char **out_yaml)
{
    (void)options;
    (void)arena;
    (void)out_yaml;
    return not_built(path);
}
#endif

static const char *const ends[] = {".hdf5", ".h5", ".hdf", NULL};

extern const gb_reader gb_reader_hdf5;
const gb_reader gb_reader_hdf5 = {"hdf5", false, ends, read_hdf5, guess_hdf5};
