/* A LeRobot data set's meta/info.json: version, features, and the templates of its files' names.
 * Tasks and episodes are lerobot_tables.c. */
#include "ingest/lerobot.h"

#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INFO_BYTES_MAX (16 << 20)
#define FEATURES_MAX 1024
#define LABEL_DEPTH_MAX 4

/* ---- features ---------------------------------------------------------------------------------
 */

static bool is_bookkeeping(const char *name)
{
    static const char *const names[] = {"timestamp", "frame_index", "episode_index", "index",
                                        "task_index"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* Names come as a list, a list of lists, or an object of lists: {"motors": [...]}. */
static bool
collect(const json_t *names, const char **labels, int64_t size, int64_t *count, int depth)
{
    size_t i;
    const char *key;
    const json_t *inner;
    if (json_is_string(names)) {
        if (*count == size)
            return false;
        labels[(*count)++] = json_string_value(names);
        return true;
    }
    if (depth == LABEL_DEPTH_MAX)
        return false;
    if (json_is_array(names)) {
        json_array_foreach(names, i,
                           inner) if (!collect(inner, labels, size, count, depth + 1)) return false;
        return true;
    }
    if (!json_is_object(names))
        return false;
    json_object_foreach((json_t *)(uintptr_t)names, key,
                        inner) if (!collect(inner, labels, size, count, depth + 1)) return false;
    return true;
}

static gb_status read_labels(const gb_json_at *at, gb_arena *arena, gb_lerobot_feature *feature)
{
    int64_t count = 0;
    const json_t *names = json_object_get(at->value, "names");
    if (!names || json_is_null(names) || feature->is_video || feature->is_image ||
        feature->size > 65536)
        return GB_OK;
    const char **labels = gb_arena_alloc(arena, (size_t)feature->size * sizeof *labels);
    if (!labels)
        return GB_ERR_MEMORY;
    if (!collect(names, labels, feature->size, &count, 0) || count != feature->size)
        return GB_OK; /* names of dimensions, not of values */
    for (int64_t i = 0; i < count; i++) {
        labels[i] = gb_arena_text(arena, labels[i]);
        if (!labels[i])
            return GB_ERR_MEMORY;
    }
    feature->labels = labels;
    return GB_OK;
}

/* Shapes of more than three dimensions are kept flat. */
static gb_status read_shape(const gb_json_at *at, gb_lerobot_feature *feature)
{
    gb_json_at shape;
    GB_TRY(gb_json_array(at, "shape", &shape));
    size_t rank = gb_json_count(&shape);
    feature->size = 1;
    for (size_t i = 0; i < rank; i++) {
        gb_json_at item = gb_json_item(&shape, i);
        int64_t extent = 0;
        GB_TRY(gb_json_as_int(&item, 1, GB_STREAM_SIZE_MAX, &extent));
        if (extent > GB_STREAM_SIZE_MAX / feature->size)
            return gb_json_fail(at, GB_ERR_SCHEMA, "shape", "more than %lld values",
                                (long long)GB_STREAM_SIZE_MAX);
        feature->size *= extent;
        if (i < GB_STREAM_RANK_MAX)
            feature->shape[i] = extent;
    }
    feature->rank = (int)rank;
    if (rank > GB_STREAM_RANK_MAX) {
        feature->rank = 1;
        feature->shape[0] = feature->size;
    }
    if (feature->size == 1 && rank <= 1)
        feature->rank = 0;
    return GB_OK;
}

static gb_status
read_feature(const gb_json_at *features, const char *key, gb_arena *arena, gb_lerobot_feature *out)
{
    gb_json_at at;
    GB_TRY(gb_json_object(features, key, &at));
    GB_TRY(gb_json_text(&at, "dtype", &out->dtype));
    out->name = gb_arena_text(arena, key);
    out->dtype = gb_arena_text(arena, out->dtype);
    if (!out->name || !out->dtype)
        return GB_ERR_MEMORY;
    if (!key[0] || strlen(key) > GB_STREAM_NAME_MAX || strstr(key, "..") || key[0] == '/')
        return gb_json_fail(&at, GB_ERR_SCHEMA, NULL,
                            "a feature's name has 1 to %d bytes and no .. in it",
                            GB_STREAM_NAME_MAX);
    out->is_video = strcmp(out->dtype, "video") == 0;
    out->is_image = strcmp(out->dtype, "image") == 0;
    out->is_bookkeeping = is_bookkeeping(key);
    GB_TRY(read_shape(&at, out));
    return read_labels(&at, arena, out);
}

static gb_status read_features(const gb_json_at *root, gb_lerobot *set)
{
    gb_json_at features;
    GB_TRY(gb_json_object(root, "features", &features));
    size_t count = gb_json_count(&features);
    if (count > FEATURES_MAX)
        return gb_json_fail(root, GB_ERR_SCHEMA, "features", "more than %d", FEATURES_MAX);
    gb_lerobot_feature *list = gb_arena_alloc(set->arena, count * sizeof *list);
    if (!list)
        return GB_ERR_MEMORY;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)features.value, key, value)
        GB_TRY(read_feature(&features, key, set->arena, &list[set->feature_count++]));
    set->features = list;
    return GB_OK;
}

/* ---- info.json --------------------------------------------------------------------------------
 */

static gb_status read_version(const gb_json_at *root, gb_lerobot *set)
{
    GB_TRY(gb_json_text(root, "codebase_version", &set->codebase));
    const char *version = set->codebase + (set->codebase[0] == 'v');
    set->version = strncmp(version, "2.", 2) == 0 ? 21 : strncmp(version, "3.", 2) == 0 ? 30 : 0;
    if (set->version == 0)
        return gb_json_fail(root, GB_ERR_UNSUPPORTED, "codebase_version",
                            "\"%s\" is not read; versions 2.0, 2.1 and 3.0 are", set->codebase);
    return GB_OK;
}

static gb_status
read_text(const gb_json_at *root, const char *key, gb_arena *arena, const char **to)
{
    if (gb_json_has(root, key))
        GB_TRY(gb_json_text(root, key, to));
    *to = gb_arena_text(arena, *to);
    return *to ? GB_OK : GB_ERR_MEMORY;
}

static gb_status read_info(const gb_json_at *root, gb_lerobot *set)
{
    GB_TRY(read_version(root, set));
    bool v3 = set->version == 30;
    set->robot_type = "";
    set->data_path = v3 ? "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
                        : "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet";
    set->video_path =
        v3 ? "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
           : "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4";
    GB_TRY(read_text(root, "codebase_version", set->arena, &set->codebase));
    GB_TRY(read_text(root, "robot_type", set->arena, &set->robot_type));
    GB_TRY(read_text(root, "data_path", set->arena, &set->data_path));
    GB_TRY(read_text(root, "video_path", set->arena, &set->video_path));
    GB_TRY(gb_json_number(root, "fps", 1e-3, 1e6, &set->fps));
    set->chunk_size = 1000;
    if (gb_json_has(root, "chunks_size"))
        GB_TRY(gb_json_int(root, "chunks_size", 1, INT32_MAX, &set->chunk_size));
    return read_features(root, set);
}

gb_status gb_lerobot_open(const char *root, gb_arena *arena, gb_lerobot *out)
{
    gb_lerobot set = {.root = gb_arena_text(arena, root), .arena = arena};
    const char *path = gb_arena_format(arena, "%s/meta/info.json", root);
    json_t *document = NULL;
    if (!set.root || !path)
        return GB_ERR_MEMORY;
    GB_TRY(gb_json_open(path, INFO_BYTES_MAX, &document));
    gb_json_at at = gb_json_root(path, document);
    gb_status status = gb_json_as_object(&at);
    if (status == GB_OK)
        status = read_info(&at, &set);
    json_decref(document);
    if (status == GB_OK)
        status = gb_lerobot_read_tables(&set);
    if (status == GB_OK)
        *out = set;
    return status;
}

/* ---- files ------------------------------------------------------------------------------------
 */

/* One {field:0Nd}; *form moves behind it. false: no field of that name. */
static bool fill(const gb_lerobot_place *place, const char **form, char *out, size_t room)
{
    char field[32];
    int width = 0, used = 0;
    if (sscanf(*form, "{%31[a-z_]:0%dd}%n", field, &width, &used) < 2 || used == 0) {
        width = used = 0;
        if (sscanf(*form, "{%31[a-z_]}%n", field, &used) < 1 || used == 0)
            return false;
    }
    *form += used;
    bool chunk = strcmp(field, "episode_chunk") == 0 || strcmp(field, "chunk_index") == 0;
    bool episode = strcmp(field, "episode_index") == 0, file = strcmp(field, "file_index") == 0;
    int64_t number = chunk ? place->chunk : episode ? place->episode : place->file;
    if (strcmp(field, "video_key") == 0 && place->video_key)
        snprintf(out, room, "%s", place->video_key);
    else if ((chunk || episode || file) && width >= 0 && width < 20)
        snprintf(out, room, "%0*lld", width, (long long)number);
    else
        return false;
    return true;
}

gb_status gb_lerobot_file(const gb_lerobot *set,
                          const char *form,
                          const gb_lerobot_place *place,
                          const char **out)
{
    char path[4096];
    size_t used = 0;
    const char *at = form;
    while (*at && used < sizeof path - 1) {
        path[used] = 0;
        if (*at != '{')
            path[used++] = *at++;
        else if (fill(place, &at, path + used, sizeof path - used))
            used += strlen(path + used);
        else
            return gb_fail(GB_ERR_SCHEMA,
                           "%s/meta/info.json: the path \"%s\" has braces that mean nothing here",
                           set->root, form);
    }
    path[used] = 0;
    if (*at || path[0] == '/' || strstr(path, ".."))
        return gb_fail(GB_ERR_SCHEMA, "%s/meta/info.json: the path \"%s\" leads out of the folder",
                       set->root, form);
    *out = gb_arena_format(set->arena, "%s/%s", set->root, path);
    return *out ? GB_OK : GB_ERR_MEMORY;
}

const gb_lerobot_episode *gb_lerobot_find_episode(const gb_lerobot *set, int64_t index)
{
    int64_t low = 0, high = set->episode_count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (set->episodes[middle].index < index)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < set->episode_count && set->episodes[low].index == index;
    return found ? &set->episodes[low] : NULL;
}

int64_t gb_lerobot_frame_ns(const gb_lerobot *set, int64_t frame)
{
    return llroundl((long double)frame * 1e9L / (long double)set->fps);
}
