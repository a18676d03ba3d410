/* meta/ of a LeRobot data set: episodes and tasks (Parquet), stats.json, and last info.json, which
 * makes the folder a data set. */
#include "ingest/lerobot_write.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUP_EPISODES 1000 /* in a row group of meta/episodes */

static bool has_stats(const gb_lerobot_column *c)
{
    return !c->is_text;
}

static bool is_whole_stat(const gb_lerobot_column *c, int stat)
{
    return c->is_whole && !c->is_bool && stat < 2; /* min, max */
}

/* ---- meta/episodes ----------------------------------------------------------------------------
 */

enum { /* the first fields; then those of videos, of statistics, and two that are always 0 */
    FIELD_EPISODE,
    FIELD_TASKS,
    FIELD_LENGTH,
    FIELD_CHUNK,
    FIELD_FILE,
    FIELD_FROM,
    FIELD_TO,
    FIELD_FIRST_VIDEO
};

static gb_status add_field(gb_lerobot_export *e,
                           gb_parquet_field *fields,
                           int *count,
                           gb_value_type type,
                           const char *before,
                           const char *middle,
                           const char *after)
{
    const char *name = gb_arena_format(e->arena, "%s%s%s", before, middle, after);
    if (!name)
        return GB_ERR_MEMORY;
    fields[(*count)++] = (gb_parquet_field){.name = name, .type = type};
    return GB_OK;
}

static gb_status add_video_fields(gb_lerobot_export *e, gb_parquet_field *fields, int *count)
{
    for (int i = 0; i < e->column_count; i++) {
        const char *name = e->columns[i].name;
        if (!e->columns[i].is_video)
            continue;
        GB_TRY(add_field(e, fields, count, GB_VALUE_I64, "videos/", name, "/chunk_index"));
        GB_TRY(add_field(e, fields, count, GB_VALUE_I64, "videos/", name, "/file_index"));
        GB_TRY(add_field(e, fields, count, GB_VALUE_F64, "videos/", name, "/from_timestamp"));
        GB_TRY(add_field(e, fields, count, GB_VALUE_F64, "videos/", name, "/to_timestamp"));
    }
    return GB_OK;
}

static gb_status add_stat_fields(gb_lerobot_export *e, gb_parquet_field *fields, int *count)
{
    for (int i = 0; i < e->column_count; i++) {
        const gb_lerobot_column *c = &e->columns[i];
        char name[256];
        if (!has_stats(c))
            continue;
        for (int s = 0; s <= GB_LEROBOT_STATS; s++) {
            /* as LeRobot has them: min max mean std count q01 ... */
            int stat = s < 4 ? s : s == 4 ? GB_LEROBOT_STATS : s - 1;
            bool is_count = stat == GB_LEROBOT_STATS;
            gb_value_type type = is_count || is_whole_stat(c, stat) ? GB_VALUE_I64 : GB_VALUE_F64;
            snprintf(name, sizeof name, "%s/%s", c->name,
                     is_count ? "count" : gb_lerobot_stat_names[stat]);
            GB_TRY(add_field(e, fields, count, type, "stats/", name, ""));
            gb_parquet_field *f = &fields[*count - 1];
            f->lists = is_count ? 1 : c->is_video ? 3 : c->rank;
            for (int d = 0; d < f->lists; d++)
                f->extent[d] = is_count || (c->is_video && d > 0) ? 1
                               : c->is_video                      ? 3
                                                                  : c->shape[d];
        }
    }
    return GB_OK;
}

static gb_status open_episodes(gb_lerobot_export *e)
{
    char path[4200];
    gb_bytes_out *to = NULL;
    size_t room = FIELD_FIRST_VIDEO + 2 + (size_t)e->column_count * (4 + GB_LEROBOT_STATS + 1);
    gb_parquet_field *fields = gb_arena_alloc(e->arena, room * sizeof *fields);
    static const char *const names[] = {"episode_index",    "tasks",           "length",
                                        "data/chunk_index", "data/file_index", "dataset_from_index",
                                        "dataset_to_index"};
    int count = 0;
    if (!fields)
        return GB_ERR_MEMORY;
    for (int f = 0; f < FIELD_FIRST_VIDEO; f++)
        GB_TRY(add_field(e, fields, &count, f == FIELD_TASKS ? GB_VALUE_BYTES : GB_VALUE_I64, "",
                         names[f], ""));
    fields[FIELD_TASKS].lists = 1;
    GB_TRY(add_video_fields(e, fields, &count));
    GB_TRY(add_stat_fields(e, fields, &count));
    GB_TRY(add_field(e, fields, &count, GB_VALUE_I64, "", "meta/episodes/chunk_index", ""));
    GB_TRY(add_field(e, fields, &count, GB_VALUE_I64, "", "meta/episodes/file_index", ""));
    snprintf(path, sizeof path, "%s/meta/episodes/chunk-000", e->folder);
    GB_TRY(gb_folder_create(path));
    snprintf(path, sizeof path, "%s/meta/episodes/chunk-000/file-000.parquet", e->folder);
    GB_TRY(gb_bytes_out_file(path, &to));
    return gb_parquet_writer_create(to, fields, count, NULL, 0, &e->episodes);
}

static gb_status put_whole(gb_lerobot_export *e, int *field, int64_t value)
{
    return gb_parquet_put(e->episodes, (*field)++, &value, 1);
}

static gb_status put_stat(gb_lerobot_export *e, const gb_lerobot_column *c, int stat, int *field)
{
    const double *values = c->episode.values + stat * c->size;
    if (!is_whole_stat(c, stat))
        return gb_parquet_put(e->episodes, (*field)++, values, 1);
    int64_t *whole = malloc((size_t)c->size * sizeof *whole);
    if (!whole)
        return gb_fail(GB_ERR_MEMORY, "no memory for the statistics of %s", c->name);
    for (int64_t i = 0; i < c->size; i++)
        whole[i] = isfinite(values[i]) ? (int64_t)values[i] : 0;
    gb_status status = gb_parquet_put(e->episodes, (*field)++, whole, 1);
    free(whole);
    return status;
}

static gb_status put_stats(gb_lerobot_export *e, int *field)
{
    for (int i = 0; i < e->column_count; i++) {
        const gb_lerobot_column *c = &e->columns[i];
        if (!has_stats(c))
            continue;
        for (int s = 0; s < 4; s++)
            GB_TRY(put_stat(e, c, s, field));
        GB_TRY(put_whole(e, field, c->episode.count));
        for (int s = 4; s < GB_LEROBOT_STATS; s++)
            GB_TRY(put_stat(e, c, s, field));
    }
    return GB_OK;
}

static gb_status put_tasks(gb_lerobot_export *e, const int64_t *tasks, int64_t count, int *field)
{
    const char **texts = malloc(((size_t)count + 1) * sizeof *texts);
    if (!texts)
        return gb_fail(GB_ERR_MEMORY, "no memory for an episode's tasks");
    for (int64_t i = 0; i < count; i++)
        texts[i] = e->tasks[tasks[i]];
    gb_status status = gb_parquet_put_texts(e->episodes, (*field)++, texts, NULL, count);
    free(texts);
    return status;
}

gb_status gb_lerobot_put_episode(gb_lerobot_export *e,
                                 int64_t data_chunk,
                                 int64_t data_file,
                                 const int64_t *tasks,
                                 int64_t task_count)
{
    int field = 0;
    if (!e->episodes)
        GB_TRY(open_episodes(e));
    GB_TRY(put_whole(e, &field, e->episode_count));
    GB_TRY(put_tasks(e, tasks, task_count, &field));
    GB_TRY(put_whole(e, &field, e->rows));
    GB_TRY(put_whole(e, &field, data_chunk));
    GB_TRY(put_whole(e, &field, data_file));
    GB_TRY(put_whole(e, &field, e->frame_count));
    GB_TRY(put_whole(e, &field, e->frame_count + e->rows));
    for (int i = 0; i < e->column_count; i++) {
        const gb_lerobot_column *c = &e->columns[i];
        if (!c->is_video)
            continue;
        GB_TRY(put_whole(e, &field, c->episode_chunk));
        GB_TRY(put_whole(e, &field, c->episode_file));
        GB_TRY(gb_parquet_put(e->episodes, field++, &c->from_s, 1));
        GB_TRY(gb_parquet_put(e->episodes, field++, &c->to_s, 1));
    }
    GB_TRY(put_stats(e, &field));
    GB_TRY(put_whole(e, &field, 0));
    GB_TRY(put_whole(e, &field, 0));
    return (e->episode_count + 1) % GROUP_EPISODES == 0 ? gb_parquet_writer_group(e->episodes)
                                                        : GB_OK;
}

/* ---- meta/tasks.parquet -----------------------------------------------------------------------
 * A table of pandas whose index is the text. */

static const char pandas[] =
    "{\"index_columns\": [\"__index_level_0__\"], \"column_indexes\": [{\"name\": null, "
    "\"field_name\": null, \"pandas_type\": \"unicode\", \"numpy_type\": \"object\", "
    "\"metadata\": {\"encoding\": \"UTF-8\"}}], \"columns\": [{\"name\": \"task_index\", "
    "\"field_name\": \"task_index\", \"pandas_type\": \"int64\", \"numpy_type\": \"int64\", "
    "\"metadata\": null}, {\"name\": null, \"field_name\": \"__index_level_0__\", "
    "\"pandas_type\": \"unicode\", \"numpy_type\": \"object\", \"metadata\": null}], "
    "\"attributes\": {}, \"creator\": {\"library\": \"genba\", \"version\": \"0\"}, "
    "\"pandas_version\": \"2.0.0\"}";

static gb_status write_tasks(gb_lerobot_export *e)
{
    char path[4200];
    gb_bytes_out *to = NULL;
    gb_parquet_writer *writer = NULL;
    const gb_parquet_field fields[] = {{.name = "task_index", .type = GB_VALUE_I64},
                                       {.name = "__index_level_0__", .type = GB_VALUE_BYTES}};
    const gb_pair pair = {"pandas", pandas};
    gb_status status = GB_OK;
    snprintf(path, sizeof path, "%s/meta/tasks.parquet", e->folder);
    GB_TRY(gb_bytes_out_file(path, &to));
    GB_TRY(gb_parquet_writer_create(to, fields, 2, &pair, 1, &writer));
    for (size_t i = 0; i < e->task_count && status == GB_OK; i++) {
        int64_t index = (int64_t)i;
        status = gb_parquet_put(writer, 0, &index, 1);
        if (status == GB_OK)
            status = gb_parquet_put_texts(writer, 1, &e->tasks[i], NULL, 1);
    }
    if (status == GB_OK)
        return gb_parquet_writer_finish(writer);
    gb_parquet_writer_abandon(writer);
    return status;
}

/* ---- JSON -------------------------------------------------------------------------------------
 */

/* json_object_set_new takes its value over, also NULL (no memory), which fails: remembered. */
static void set(json_t *object, const char *key, json_t *value, bool *failed)
{
    if (!object || json_object_set_new(object, key, value) != 0)
        *failed = true;
}

static gb_status write_json(const gb_lerobot_export *e, const char *name, json_t *root, bool failed)
{
    char path[4200];
    char *text = failed ? NULL : json_dumps(root, JSON_INDENT(4));
    json_decref(root);
    if (!text)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for meta/%s", e->folder, name);
    snprintf(path, sizeof path, "%s/meta/%s", e->folder, name);
    gb_status status = gb_file_replace(path, text, strlen(text));
    free(text);
    return status;
}

static json_t *json_of_number(const gb_lerobot_column *c, int stat, double value)
{
    if (!isfinite(value))
        return json_null();
    return is_whole_stat(c, stat) ? json_integer((json_int_t)value) : json_real(value);
}

/* Values in lists as deep as the feature's shape; of pictures [[[red]], [[green]], [[blue]]]. */
static json_t *
json_of_stat(const gb_lerobot_column *c, int stat, int64_t *at, int depth, bool *failed)
{
    const double *values = c->all.values + stat * c->size;
    int rank = c->is_video ? 3 : c->rank;
    int64_t extent = c->is_video                  ? (depth == 0 ? 3 : 1)
                     : depth < GB_STREAM_RANK_MAX ? c->shape[depth]
                                                  : 0;
    json_t *list = json_array();
    for (int64_t i = 0; i < extent; i++) {
        json_t *item = depth + 1 < rank ? json_of_stat(c, stat, at, depth + 1, failed)
                                        : json_of_number(c, stat, values[(*at)++]);
        if (!list || json_array_append_new(list, item) != 0)
            *failed = true;
    }
    return list;
}

static gb_status write_stats(const gb_lerobot_export *e)
{
    json_t *root = json_object();
    bool failed = false;
    for (int i = 0; i < e->column_count; i++) {
        const gb_lerobot_column *c = &e->columns[i];
        if (!has_stats(c))
            continue;
        json_t *feature = json_object();
        for (int s = 0; s < GB_LEROBOT_STATS; s++) {
            int64_t at = 0;
            if (s == 4)
                set(feature, "count", json_pack("[I]", (json_int_t)c->all.count), &failed);
            set(feature, gb_lerobot_stat_names[s], json_of_stat(c, s, &at, 0, &failed), &failed);
        }
        set(root, c->name, feature, &failed);
    }
    return write_json(e, "stats.json", root, failed);
}

static json_t *json_of_rate(double fps)
{
    return fps == floor(fps) ? json_integer((json_int_t)fps) : json_real(fps);
}

static json_t *json_of_video(const gb_lerobot_export *e, const gb_lerobot_column *c, bool *failed)
{
    json_t *info = json_object();
    set(info, "video.height", json_integer(c->height), failed);
    set(info, "video.width", json_integer(c->width), failed);
    set(info, "video.codec", json_string(c->codec), failed);
    set(info, "video.pix_fmt", json_string("yuv420p"), failed);
    set(info, "video.is_depth_map", json_false(), failed);
    set(info, "video.fps", json_of_rate(e->fps), failed);
    set(info, "video.channels", json_integer(3), failed);
    set(info, "has_audio", json_false(), failed);
    return info;
}

static json_t *json_of_names(const gb_lerobot_column *c)
{
    if (c->is_video)
        return json_pack("[sss]", "height", "width", "channels");
    if (!c->labels)
        return json_null();
    json_t *names = json_array();
    for (int64_t i = 0; i < c->size; i++)
        if (json_array_append_new(names, json_string(c->labels[i])) != 0)
            json_array_append_new(names, json_string("?")); /* not UTF-8 */
    return names;
}

static json_t *json_of_feature(const gb_lerobot_export *e, const gb_lerobot_column *c, bool *failed)
{
    json_t *feature = json_object(), *shape = json_array();
    set(feature, "dtype", json_string(c->dtype), failed);
    for (int d = 0; d < c->rank; d++)
        if (json_array_append_new(shape, json_integer(c->shape[d])) != 0)
            *failed = true;
    set(feature, "shape", shape, failed);
    set(feature, "names", json_of_names(c), failed);
    if (c->is_video)
        set(feature, "info", json_of_video(e, c, failed), failed);
    return feature;
}

static gb_status write_info(const gb_lerobot_export *e)
{
    char split[64];
    json_t *root = json_object(), *features = json_object(), *splits = json_object();
    bool failed = false;
    snprintf(split, sizeof split, "0:%lld", (long long)e->episode_count);
    set(splits, "train", json_string(split), &failed);
    for (int i = 0; i < e->column_count; i++)
        set(features, e->columns[i].name, json_of_feature(e, &e->columns[i], &failed), &failed);
    set(root, "codebase_version", json_string("v3.0"), &failed);
    set(root, "robot_type", json_string(e->robot_type), &failed);
    set(root, "total_episodes", json_integer(e->episode_count), &failed);
    set(root, "total_frames", json_integer(e->frame_count), &failed);
    set(root, "total_tasks", json_integer((json_int_t)e->task_count), &failed);
    set(root, "chunks_size", json_integer(e->options.chunk_files), &failed);
    set(root, "data_files_size_in_mb", json_integer(e->options.data_file_bytes >> 20), &failed);
    set(root, "video_files_size_in_mb", json_integer(e->options.video_file_bytes >> 20), &failed);
    set(root, "fps", json_of_rate(e->fps), &failed);
    set(root, "splits", splits, &failed);
    set(root, "data_path",
        json_string("data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"), &failed);
    set(root, "video_path",
        json_string("videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"),
        &failed);
    set(root, "features", features, &failed);
    return write_json(e, "info.json", root, failed);
}

/* {"info": {"features": {"action": {"feature": {"dtype": ..., "_type": "Value"}, ...}}}} */
gb_status gb_lerobot_hugging_face(const gb_lerobot_export *e, const char **out)
{
    json_t *features = json_object();
    bool failed = false;
    for (int i = 0; i < e->column_count; i++) {
        const gb_lerobot_column *c = &e->columns[i];
        if (c->is_video)
            continue;
        json_t *value = json_pack("{s:s, s:s}", "dtype", c->dtype, "_type", "Value");
        if (c->rank == 1 && c->size > 1)
            value = json_pack("{s:o, s:I, s:s}", "feature", value, "length", (json_int_t)c->size,
                              "_type", "List");
        for (int d = c->rank - 1; d >= 0 && c->rank > 1; d--)
            value = json_pack("{s:o, s:I, s:s}", "feature", value, "length",
                              (json_int_t)c->shape[d], "_type", "List");
        set(features, c->name, value, &failed);
    }
    json_t *root = json_pack("{s:{s:o}}", "info", "features", features);
    char *text = root && !failed ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);
    *out = text ? gb_arena_text(e->arena, text) : NULL;
    free(text);
    return *out ? GB_OK : gb_fail(GB_ERR_MEMORY, "%s: no memory for its features", e->folder);
}

gb_status gb_lerobot_write_meta(gb_lerobot_export *e)
{
    if (e->broken)
        return gb_fail(GB_ERR_ARGUMENT, "%s: an episode could not be written; nothing is finished",
                       e->folder);
    if (e->episode_count == 0)
        return gb_fail(GB_ERR_NOT_FOUND, "%s: no recordings were handed to the export", e->folder);
    for (int i = 0; i < e->column_count; i++)
        GB_TRY(gb_lerobot_end_video(e, &e->columns[i]));
    gb_parquet_writer *data = e->data, *episodes = e->episodes;
    e->data = NULL;
    GB_TRY(gb_parquet_writer_finish(data));
    e->episodes = NULL;
    GB_TRY(gb_parquet_writer_finish(episodes));
    GB_TRY(write_tasks(e));
    GB_TRY(write_stats(e));
    return write_info(e);
}
