/* eval/data.c: where benchmark data lies, and the demonstrations of plants. */
#include "eval/sheet.h"
#include "eval/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

gb_status gb_data_find(const char *folder, const char *relative, char *out_path, size_t size)
{
    const char *environment = getenv("GENBA_DATA");
    const char *places[2] = {folder ? folder : environment, folder ? NULL : "data"};
    for (int i = 0; i < 2; i++) {
        char path[GB_PATH_MAX];
        if (!places[i] || !*places[i])
            continue;
        int length = snprintf(path, sizeof path, "%s/%s", places[i], relative);
        if (length < 0 || (size_t)length >= sizeof path || (size_t)length >= size)
            return gb_fail(GB_ERR_ARGUMENT, "the path of %s is too long", relative);
        if (gb_file_exists(path)) {
            memcpy(out_path, path, (size_t)length + 1);
            return GB_OK;
        }
    }
    if (folder)
        return gb_fail(GB_ERR_NOT_FOUND,
                       "%s is not in %s: put it there (data/README.md says where "
                       "it comes from)",
                       relative, folder);
    return gb_fail(GB_ERR_NOT_FOUND,
                   "%s is neither in GENBA_DATA (%s) nor in ./data: set GENBA_DATA to the folder "
                   "that holds it (data/README.md says where it comes from)",
                   relative, environment && *environment ? environment : "not set");
}

/* ---- demonstrations ---------------------------------------------------------------------------
 * Which column of a file holds which number of a stream. */
typedef struct column_map {
    const char *column, *stream;
    int at; /* in the stream's sample */
} column_map;

typedef struct demonstration_file {
    const char *plant, *file, *episode_column, *time_column;
    int map_count;
    const column_map *maps;
} demonstration_file;

static const column_map pusht_maps[] = {
    {"agent_x_px", "agent.position", 0},   {"agent_y_px", "agent.position", 1},
    {"block_x_px", "block.position", 0},   {"block_y_px", "block.position", 1},
    {"block_angle_rad", "block.angle", 0}, {"action_x_px", "agent.target", 0},
    {"action_y_px", "agent.target", 1},
};
static const demonstration_file files[] = {
    {"pusht", "pusht/pusht_lowdim.csv", "episode", "time_s", 7, pusht_maps},
};
#define FILE_COUNT ((int)(sizeof files / sizeof *files))
#define STREAM_VALUES_MAX 64

/* Adds one stream of the episode's rows [first, last). */
static gb_status add_stream(gb_recording_builder *builder,
                            const gb_sheet *sheet,
                            const char *path,
                            const demonstration_file *file,
                            const gb_plant_stream *stream,
                            int64_t first,
                            int64_t last)
{
    int number, time_column, columns[STREAM_VALUES_MAX];
    GB_TRY(gb_sheet_column(sheet, path, file->time_column, &time_column));
    for (int i = 0; i < file->map_count; i++) {
        const column_map *map = &file->maps[i];
        if (strcmp(map->stream, stream->spec.name) == 0)
            GB_TRY(gb_sheet_column(sheet, path, map->column, &columns[map->at]));
    }
    GB_TRY(gb_recording_builder_stream(builder, &stream->spec, &number));
    for (int64_t row = first; row < last; row++) {
        const float *from = sheet->values + row * sheet->columns;
        float sample[STREAM_VALUES_MAX];
        for (int k = 0; k < stream->size; k++)
            sample[k] = from[columns[k]];
        int64_t time_ns = (int64_t)((double)from[time_column] * 1e9 + 0.5);
        GB_TRY(gb_recording_builder_append(builder, number, 1, &time_ns, sample, NULL));
    }
    return GB_OK;
}

static gb_status add_episode(gb_dataset *dataset,
                             const gb_plant_info *plant,
                             const gb_sheet *sheet,
                             const char *path,
                             const demonstration_file *file,
                             int64_t first,
                             int64_t last)
{
    char name[128];
    snprintf(name, sizeof name, "%s/%lld", plant->name, (long long)gb_dataset_count(dataset));
    gb_recording_info info = {.name = name, .source = path};
    gb_recording_builder *builder = NULL;
    gb_recording *recording = NULL;
    GB_TRY(gb_recording_builder_create(&info, &builder));
    gb_status status = GB_OK;
    for (int i = 0; i < plant->observation_stream_count; i++)
        GB_TRY_OR(failed, add_stream(builder, sheet, path, file, &plant->observation_streams[i],
                                     first, last));
    for (int i = 0; i < plant->action_stream_count; i++)
        GB_TRY_OR(failed,
                  add_stream(builder, sheet, path, file, &plant->action_streams[i], first, last));
    GB_TRY_OR(failed, gb_recording_builder_finish(builder, &recording));
    status = gb_dataset_add(dataset, recording);
    if (status != GB_OK)
        gb_recording_destroy(recording);
    return status;
failed:
    gb_recording_builder_abandon(builder);
    return status;
}

static gb_status load(const char *path,
                      const demonstration_file *file,
                      const gb_plant_info *plant,
                      gb_arena *arena,
                      gb_dataset *dataset)
{
    gb_sheet sheet;
    int episode;
    GB_TRY(gb_sheet_read(path, ',', arena, &sheet));
    GB_TRY(gb_sheet_column(&sheet, path, file->episode_column, &episode));
    int64_t first = 0;
    for (int64_t row = 1; row <= sheet.rows; row++) {
        if (row < sheet.rows && sheet.values[row * sheet.columns + episode] ==
                                    sheet.values[first * sheet.columns + episode])
            continue;
        GB_TRY(add_episode(dataset, plant, &sheet, path, file, first, row));
        first = row;
    }
    return GB_OK;
}

gb_status gb_demonstrations_load(const char *folder, const char *plant, gb_dataset **out)
{
    const gb_plant_info *info = NULL;
    GB_TRY(gb_plant_describe(plant, &info));
    const demonstration_file *file = NULL;
    for (int i = 0; i < FILE_COUNT; i++) {
        if (strcmp(files[i].plant, plant) == 0)
            file = &files[i];
    }
    if (!file)
        return gb_fail(GB_ERR_NOT_FOUND, "plant %s has no recorded demonstrations", plant);
    char path[GB_PATH_MAX];
    GB_TRY(gb_data_find(folder, file->file, path, sizeof path));
    gb_arena *arena = NULL;
    gb_dataset *dataset = NULL;
    GB_TRY(gb_arena_create(0, &arena));
    gb_status status = gb_dataset_create(&dataset);
    if (status == GB_OK)
        status = load(path, file, info, arena, dataset);
    gb_arena_destroy(arena);
    if (status != GB_OK) {
        gb_dataset_destroy(dataset);
        return status;
    }
    *out = dataset;
    return GB_OK;
}
