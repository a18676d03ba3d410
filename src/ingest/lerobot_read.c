/* The reader of LeRobot data sets: which files, in which order. Their rows are lerobot_rows.c,
 * their videos lerobot_video.c. The source is the folder's meta/info.json. */
#include "ingest/lerobot_read.h"

#include "ingest/parquet.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int64_t bytes_of(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 ? (int64_t)about.st_size : 0;
}

static gb_status
data_file(gb_lerobot_reading *r, const gb_lerobot_episode *episode, const char **out)
{
    gb_lerobot_place place = {
        .episode = episode->index, .chunk = episode->chunk, .file = episode->file};
    return gb_lerobot_file(&r->set, r->set.data_path, &place, out);
}

/* Version 3 lists its episodes in the order of their files. */
static bool is_new_file(const gb_lerobot *set, int64_t e)
{
    const gb_lerobot_episode *at = &set->episodes[e];
    return set->version == 21 || e == 0 || at[-1].chunk != at->chunk || at[-1].file != at->file;
}

static gb_status count_bytes(gb_lerobot_reading *r)
{
    for (int64_t e = 0; e < r->set.episode_count; e++) {
        const char *path = NULL;
        if (!is_new_file(&r->set, e))
            continue;
        GB_TRY(data_file(r, &r->set.episodes[e], &path));
        r->bytes_all += bytes_of(path);
    }
    return GB_OK;
}

static gb_status read_file(gb_lerobot_reading *r, const char *path)
{
    const gb_ingest_watch *watch = r->source->watch;
    if (!gb_file_exists(path))
        return gb_lerobot_drift(r, path, "the file is not there; its episodes are left out");
    GB_TRY(gb_lerobot_read_rows(r, path));
    r->bytes_done += bytes_of(path);
    r->source->report->files++;
    return watch->progress ? watch->progress(watch->context, r->bytes_done, r->bytes_all) : GB_OK;
}

static bool has_enough(const gb_lerobot_reading *r)
{
    int64_t limit = r->source->options->row_limit;
    return limit > 0 && r->source->report->rows_read >= limit;
}

static gb_status read_files(gb_lerobot_reading *r)
{
    GB_TRY(count_bytes(r));
    for (int64_t e = 0; e < r->set.episode_count && !has_enough(r); e++) {
        const char *path = NULL;
        if (!is_new_file(&r->set, e))
            continue;
        GB_TRY(data_file(r, &r->set.episodes[e], &path));
        GB_TRY(read_file(r, path));
    }
    if (r->set.episode_count == 0)
        return gb_fail(GB_ERR_NOT_FOUND, "%s: the data set describes no episodes", r->set.root);
    if (r->videos_absent > 0)
        GB_TRY(gb_lerobot_drift(r, r->source->path, "%lld videos are not there and left out",
                                (long long)r->videos_absent));
    return GB_OK;
}

/* ".../SET/meta/info.json" to ".../SET". */
static gb_status find_root(const char *path, gb_arena *arena, char **out)
{
    static const char end[] = "meta/info.json";
    size_t size = strlen(path), end_size = sizeof end - 1;
    bool fits = size >= end_size && strcmp(path + size - end_size, end) == 0 &&
                (size == end_size || path[size - end_size - 1] == '/');
    if (!fits)
        return gb_fail(GB_ERR_ARGUMENT,
                       "%s: the reader lerobot reads a data set by its meta/info.json", path);
    *out = size == end_size ? gb_arena_text(arena, ".")
                            : gb_arena_format(arena, "%.*s", (int)(size - end_size - 1), path);
    return *out ? GB_OK : GB_ERR_MEMORY;
}

static gb_status read_source(const gb_source *source)
{
    gb_lerobot_reading reading = {.source = source, .last_episode = -1};
    gb_arena *arena = NULL;
    char *root = NULL;
    GB_TRY(gb_arena_create(0, &arena));
    gb_status status = find_root(source->path, arena, &root);
    if (status == GB_OK)
        status = gb_lerobot_open(root, arena, &reading.set);
    if (status == GB_OK)
        status = gb_lerobot_plan(&reading);
    if (status == GB_OK) {
        snprintf(source->report->time_column, sizeof source->report->time_column, "frame_index");
        status = read_files(&reading);
    }
    source->report->bytes += reading.bytes_done;
    gb_lerobot_videos_close(&reading);
    gb_arena_destroy(arena);
    return status;
}

static const char *const ends[] = {"meta/info.json", NULL};

const gb_reader gb_reader_lerobot = {"lerobot", false, ends, read_source, NULL};
