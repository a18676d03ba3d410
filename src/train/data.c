/* Reads a recipe's sources into datasets, splits them, and numbers their windows.
 * File formats are the ingest room's business; which files there are is source_paths.c. */
#include "train/data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- text: one recording a file, one row a byte -----------------------------------------------
 */
static gb_status append_bytes(gb_recording_builder *builder, int stream, const gb_file_view *file)
{
    enum {
        BLOCK = 4096
    };
    int64_t time_ns[BLOCK];
    float values[BLOCK];
    for (size_t begin = 0; begin < file->size; begin += BLOCK) {
        size_t count = file->size - begin < BLOCK ? file->size - begin : BLOCK;
        for (size_t i = 0; i < count; i++) {
            time_ns[i] = (int64_t)(begin + i);
            values[i] = (float)file->data[begin + i];
        }
        GB_TRY(gb_recording_builder_append(builder, stream, (int64_t)count, time_ns, values, NULL));
    }
    return GB_OK;
}

static gb_status read_text(const char *path, gb_dataset *dataset)
{
    gb_file_view file;
    GB_TRY(gb_file_map(path, &file));
    gb_status status;
    gb_recording_builder *builder = NULL;
    gb_recording *recording = NULL;
    const char *slash = strrchr(path, '/');
    gb_recording_info info = {.name = slash ? slash + 1 : path, .source = path};
    gb_stream_spec spec = gb_stream_spec_defaults("text");
    spec.kind = GB_STREAM_TEXT;
    spec.semantic = "text";
    spec.time_base = GB_TIME_ROW;
    int stream;
    GB_TRY_OR(done, gb_recording_builder_create(&info, &builder));
    GB_TRY_OR(done, gb_recording_builder_stream(builder, &spec, &stream));
    GB_TRY_OR(done, append_bytes(builder, stream, &file));
    GB_TRY_OR(done, gb_recording_builder_finish(builder, &recording));
    builder = NULL;
    status = gb_dataset_add(dataset, recording);
    if (status != GB_OK)
        gb_recording_destroy(recording);
done:
    gb_recording_builder_abandon(builder);
    gb_file_unmap(&file);
    return status;
}

/* ---- CSV --------------------------------------------------------------------------------------
 */
/* A guess gives a dataset of its own: its recordings move over. */
static gb_status read_guessed(const char *path, gb_dataset *dataset)
{
    gb_dataset *guessed;
    gb_ingest_report report = {0};
    GB_TRY(gb_ingest_csv_guess(path, NULL, &report, &guessed));
    gb_status status = gb_dataset_merge(dataset, guessed);
    gb_dataset_destroy(guessed);
    return status;
}

gb_status gb_train_data_note(
    gb_train_data *data, const char *source, const char *path, int64_t bytes, const char *hash_hex)
{
    if (data->file_count == data->file_capacity) {
        int capacity = data->file_capacity ? 2 * data->file_capacity : 16;
        gb_data_file *grown = gb_arena_alloc(data->arena, sizeof *grown * (size_t)capacity);
        if (!grown)
            return GB_ERR_MEMORY;
        if (data->file_count)
            memcpy(grown, data->files, sizeof *grown * (size_t)data->file_count);
        data->files = grown;
        data->file_capacity = capacity;
    }
    gb_data_file *file = &data->files[data->file_count];
    const char *copy = gb_arena_text(data->arena, path);
    if (!copy)
        return GB_ERR_MEMORY;
    *file = (gb_data_file){.source = source, .path = copy, .bytes = bytes};
    snprintf(file->hash, sizeof file->hash, "%s", hash_hex);
    data->file_count++;
    return GB_OK;
}

static gb_status note_file(gb_train_data *data, const char *source, const char *path)
{
    gb_file_view view;
    unsigned char hash[GB_HASH_BYTES];
    char hex[2 * GB_HASH_BYTES + 1];
    GB_TRY(gb_file_map(path, &view));
    gb_hash(view.data, view.size, hash);
    gb_hash_hex(hash, hex);
    gb_status status = gb_train_data_note(data, source, path, (int64_t)view.size, hex);
    gb_file_unmap(&view);
    return status;
}

static gb_status read_files(gb_train_data *data, int index, const gb_stream_map *map)
{
    gb_data_source *source = &data->sources[index];
    char **paths;
    int count;
    GB_TRY(gb_source_paths(data->recipe, index, data->arena, &paths, &count));
    for (int i = 0; i < count; i++) {
        gb_ingest_report report = {0};
        GB_TRY(note_file(data, source->config->name, paths[i]));
        if (source->config->format == GB_SOURCE_TEXT)
            GB_TRY(read_text(paths[i], source->dataset));
        else if (map)
            GB_TRY(gb_ingest_file(map, paths[i], NULL, &report, source->dataset));
        else
            GB_TRY(read_guessed(paths[i], source->dataset));
    }
    if (gb_dataset_count(source->dataset) == 0)
        return gb_fail(GB_ERR_NOT_FOUND, "the source %s has no recordings", source->config->name);
    return GB_OK;
}

static gb_status in_source(gb_status status, const gb_data_source *source)
{
    return status == GB_OK ? GB_OK : gb_fail_context(status, "source %s", source->config->name);
}

static gb_status load_map(gb_train_data *data, const gb_source_config *config, gb_stream_map **out)
{
    char *path;
    GB_TRY(gb_recipe_resolve(data->recipe, "data", config->map, data->arena, &path));
    gb_status status = note_file(data, config->name, path);
    if (status == GB_OK)
        status = gb_stream_map_load(path, out);
    if (status == GB_ERR_IO && config->map[0] != '/')
        return gb_fail_context(status, "source %s (its map's path starts at the recipe's folder)",
                               config->name);
    return status;
}

static gb_status read_source(gb_train_data *data, int index)
{
    gb_data_source *source = &data->sources[index];
    gb_stream_map *map = NULL;
    source->train = source->config->train;
    source->validation = source->config->validation;
    if (source->config->store) {
        gb_status status = gb_train_read_store(data, index);
        if (status == GB_ERR_NOT_FOUND && source->config->store[0] != '/')
            return gb_fail_context(status, "source %s (its path starts at the recipe's folder)",
                                   source->config->name);
        return in_source(status, source);
    }
    GB_TRY(gb_dataset_create(&source->dataset));
    if (source->config->map)
        GB_TRY(load_map(data, source->config, &map));
    gb_status status = read_files(data, index, map);
    gb_stream_map_destroy(map);
    return in_source(status, source);
}

gb_status gb_train_data_open(const gb_recipe *recipe, gb_train_data **out)
{
    gb_arena *arena;
    GB_TRY(gb_arena_create(0, &arena));
    gb_train_data *data = gb_arena_alloc(arena, sizeof *data);
    gb_status status = GB_ERR_MEMORY;
    if (!data) {
        gb_arena_destroy(arena);
        return status;
    }
    data->arena = arena;
    data->recipe = recipe;
    data->sources = gb_arena_alloc(arena, sizeof *data->sources * recipe->source_count);
    if (!data->sources)
        goto failed;
    data->source_count = (int)recipe->source_count;
    for (int i = 0; i < data->source_count; i++) {
        data->sources[i].config = &recipe->sources[i];
        GB_TRY_OR(failed, read_source(data, i));
    }
    *out = data;
    return GB_OK;
failed:
    gb_train_data_destroy(data);
    return status;
}

void gb_train_data_destroy(gb_train_data *data)
{
    if (!data)
        return;
    for (int i = 0; i < data->source_count; i++) {
        gb_window_index_destroy(data->sources[i].windows);
        gb_window_index_destroy(data->sources[i].held_out);
        gb_dataset_destroy(data->sources[i].dataset);
    }
    gb_arena_destroy(data->arena);
}

const gb_dataset *gb_train_data_dataset(const gb_train_data *data, int source)
{
    return source >= 0 && source < data->source_count ? data->sources[source].dataset : NULL;
}

/* ---- windows ----------------------------------------------------------------------------------
 */
static gb_status index_split(const gb_train_data *data,
                             const gb_data_source *source,
                             const gb_split_config *split,
                             const gb_window_spec *spec,
                             const char *which,
                             gb_window_index **out)
{
    gb_row_range *ranges;
    int64_t count;
    gb_window_index *index;
    GB_TRY(gb_source_ranges(source->config, split, source->dataset, data->arena, &ranges, &count));
    GB_TRY(gb_window_index_create(source->dataset, spec, ranges, count, &index));
    if (gb_window_count(index) == 0) {
        gb_window_index_destroy(index);
        return gb_fail(GB_ERR_ARGUMENT,
                       "source %s: its %s rows are too few for one window of the model; give it "
                       "more rows or the model a shorter look_back or horizon",
                       source->config->name, which);
    }
    gb_window_index_destroy(*out);
    *out = index;
    return GB_OK;
}

gb_status gb_train_data_index(gb_train_data *data, const gb_model *model)
{
    for (int i = 0; i < data->source_count; i++) {
        gb_data_source *source = &data->sources[i];
        gb_window_spec spec;
        gb_status status = gb_model_window_spec(model, source->dataset, &spec);
        if (status == GB_OK)
            status = index_split(data, source, &source->train, &spec, "train", &source->windows);
        if (status == GB_OK && source->config->has_validation)
            status = index_split(data, source, &source->validation, &spec, "validation",
                                 &source->held_out);
        if (status != GB_OK)
            return gb_fail_context(status, "source %s", source->config->name);
    }
    return GB_OK;
}

gb_window_index *gb_train_data_windows(const gb_train_data *data, int source)
{
    return source >= 0 && source < data->source_count ? data->sources[source].windows : NULL;
}

gb_window_index *gb_train_data_held_out(const gb_train_data *data, int source)
{
    return source >= 0 && source < data->source_count ? data->sources[source].held_out : NULL;
}
