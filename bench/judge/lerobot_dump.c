/* For bench/judge/lerobot_judge.py: writes what genba read of a LeRobot data set as plain arrays,
 * the hash of every decoded picture, and an export of it.
 *
 *     lerobot_dump MAP DATASET OUT
 *     OUT/RECORDING/STREAM.times   int64, nanoseconds
 *     OUT/RECORDING/STREAM.f32     float32, rows x values
 *     OUT/RECORDING/STREAM.frames  one line a frame: BLAKE2b-256 of its planes, and of its RGB
 *     OUT/RECORDING/instruction    text
 *     OUT/export                   the same as LeRobot 3.0 */
#include "genba/ingest.h"
#include "record/video.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static gb_status
write_array(const char *folder, const char *stream, const char *kind, const void *data, size_t size)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.%s", folder, stream, kind);
    return gb_file_replace(path, data, size);
}

static void put_hash(FILE *to, const void *data, size_t size)
{
    unsigned char hash[GB_HASH_BYTES];
    char hex[2 * GB_HASH_BYTES + 1];
    gb_hash(data, size, hash);
    gb_hash_hex(hash, hex);
    fprintf(to, "%s ", hex);
}

static gb_status write_frame(gb_video *video, int64_t frame, unsigned char *room, FILE *to)
{
    gb_video_planes planes;
    GB_TRY(gb_video_read_planes(video, frame, &planes));
    size_t at = 0;
    for (int p = 0; p < planes.count; p++)
        for (int64_t r = 0; r < planes.rows[p]; r++) {
            memcpy(room + at, planes.data[p] + r * planes.stride[p], (size_t)planes.row_bytes[p]);
            at += (size_t)planes.row_bytes[p];
        }
    put_hash(to, room, at);
    GB_TRY(gb_video_read(video, frame, room));
    put_hash(to, room, (size_t)planes.width * (size_t)planes.height * 3);
    fputc('\n', to);
    return GB_OK;
}

static gb_status write_frames(const char *folder, const gb_stream_view *view)
{
    char path[4096];
    gb_video *video = NULL;
    GB_TRY(gb_video_open_stream(view, &video));
    gb_video_about about = gb_video_get_about(video);
    unsigned char *room = malloc((size_t)about.width * (size_t)about.height * 8 + 64);
    snprintf(path, sizeof path, "%s/%s.frames", folder, view->spec->name);
    FILE *to = fopen(path, "w");
    gb_status status = room && to ? GB_OK : gb_fail(GB_ERR_IO, "cannot write %s", path);
    for (int64_t f = 0; f < about.frames && status == GB_OK; f++)
        status = write_frame(video, f, room, to);
    if (to && fclose(to) != 0 && status == GB_OK)
        status = gb_fail(GB_ERR_IO, "cannot write %s", path);
    free(room);
    gb_video_close(video);
    return status;
}

static gb_status write_recording(const gb_recording *recording, const char *out)
{
    char folder[3072];
    const gb_recording_info *info = gb_recording_get_info(recording);
    snprintf(folder, sizeof folder, "%s/%s", out, info->name);
    GB_TRY(gb_folder_create(folder));
    GB_TRY(write_array(folder, "instruction", "txt", info->instruction, strlen(info->instruction)));
    for (int s = 0; s < gb_recording_stream_count(recording); s++) {
        const gb_stream_view *view = gb_recording_stream(recording, s);
        size_t count = (size_t)view->count;
        GB_TRY(write_array(folder, view->spec->name, "times", view->time_ns, count * 8));
        if (view->values)
            GB_TRY(write_array(folder, view->spec->name, "f32", view->values,
                               count * (size_t)view->size * 4));
        else if (gb_video_is_stream(view->spec))
            GB_TRY(write_frames(folder, view));
    }
    return GB_OK;
}

/* Episodes with and without video do not go into one data set: with, when any has one. */
static gb_status export_all(const gb_dataset *dataset, const char *out)
{
    char folder[4096];
    gb_sink *sink = NULL;
    gb_lerobot_options options = gb_lerobot_options_defaults();
    int most = 0;
    for (int64_t r = 0; r < gb_dataset_count(dataset); r++) {
        int streams = gb_recording_stream_count(gb_dataset_get(dataset, r));
        most = streams > most ? streams : most;
    }
    snprintf(folder, sizeof folder, "%s/export", out);
    GB_TRY(gb_lerobot_export_begin(folder, &options, &sink));
    gb_status status = GB_OK;
    for (int64_t r = 0; r < gb_dataset_count(dataset) && status == GB_OK; r++)
        if (gb_recording_stream_count(gb_dataset_get(dataset, r)) == most)
            status = gb_recording_emit(gb_dataset_get(dataset, r), sink);
    if (status == GB_OK)
        return gb_lerobot_export_finish(sink);
    gb_sink_destroy(sink);
    return status;
}

static gb_status run(const char *map_path, const char *source, const char *out)
{
    gb_stream_map *map = NULL;
    gb_dataset *dataset = NULL;
    gb_ingest_report report = {0};
    GB_TRY(gb_stream_map_load(map_path, &map));
    gb_status status = gb_ingest_folder(map, source, NULL, &report, &dataset);
    gb_stream_map_destroy(map);
    for (int64_t r = 0; status == GB_OK && r < gb_dataset_count(dataset); r++)
        status = write_recording(gb_dataset_get(dataset, r), out);
    if (status == GB_OK)
        status = export_all(dataset, out);
    gb_dataset_destroy(dataset);
    if (status == GB_OK)
        printf("{\"read\": %lld, \"stored\": %lld, \"rejected\": %lld}\n",
               (long long)report.rows_read, (long long)report.rows_stored,
               (long long)report.rows_rejected);
    return status;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: lerobot_dump MAP DATASET OUT\n");
        return 2;
    }
    if (run(argv[1], argv[2], argv[3]) != GB_OK) {
        fprintf(stderr, "%s\n", gb_error_message());
        return 1;
    }
    return 0;
}
