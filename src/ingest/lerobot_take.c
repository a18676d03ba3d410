/* The sink of a LeRobot export: gathers a recording in memory and writes it as an episode when it
 * ends. */
#include "ingest/lerobot_write.h"

#include "ingest/parquet_encoding.h"
#include "record/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPEN_MAX 4096 /* recordings open at once */

typedef struct export_sink {
    gb_sink sink;
    gb_lerobot_export export;
    gb_taken **open; /* [open_room], NULL: a free number */
    size_t open_room;
} export_sink;

static void free_taken(gb_taken *taken)
{
    for (int i = 0; taken && i < taken->stream_count; i++) {
        free(taken->streams[i].time_ns);
        free(taken->streams[i].values);
        free(taken->streams[i].offset);
    }
    if (!taken)
        return;
    free(taken->streams);
    gb_arena_destroy(taken->arena);
    free(taken);
}

static gb_status find_taken(const export_sink *s, int recording, gb_taken **out)
{
    if (recording < 0 || (size_t)recording >= s->open_room || !s->open[recording])
        return gb_fail(GB_ERR_ARGUMENT, "no recording %d is open in this sink", recording);
    *out = s->open[recording];
    return GB_OK;
}

static gb_status take_begin(gb_sink *sink, const gb_recording_info *info, int *out_recording)
{
    export_sink *s = (export_sink *)sink;
    size_t number = 0;
    while (number < s->open_room && s->open[number])
        number++;
    if (number == OPEN_MAX)
        return gb_fail(GB_ERR_ARGUMENT, "more than %d recordings are open at once", OPEN_MAX);
    if (number == s->open_room) {
        size_t old = s->open_room;
        GB_TRY(gb_parquet_grow((void **)&s->open, &s->open_room, number + 1, sizeof *s->open));
        memset(s->open + old, 0, (s->open_room - old) * sizeof *s->open);
    }
    gb_taken *taken = calloc(1, sizeof *taken);
    if (!taken)
        return gb_fail(GB_ERR_MEMORY, "no memory for recording %s", info->name);
    gb_status status = gb_arena_create(0, &taken->arena);
    if (status == GB_OK)
        status = gb_recording_info_copy(taken->arena, info, &taken->info);
    if (status != GB_OK) {
        free_taken(taken);
        return status;
    }
    s->open[number] = taken;
    *out_recording = (int)number;
    return GB_OK;
}

static gb_status
take_stream(gb_sink *sink, int recording, const gb_stream_spec *spec, int *out_stream)
{
    gb_taken *taken = NULL;
    GB_TRY(find_taken((export_sink *)sink, recording, &taken));
    GB_TRY(gb_parquet_grow((void **)&taken->streams, &taken->stream_room,
                           (size_t)taken->stream_count + 1, sizeof *taken->streams));
    gb_taken_stream *to = &taken->streams[taken->stream_count];
    memset(to, 0, sizeof *to);
    GB_TRY(gb_stream_spec_copy(taken->arena, spec, &to->spec));
    to->size = gb_stream_spec_size(spec);
    to->ordered = true;
    *out_stream = taken->stream_count++;
    return GB_OK;
}

static gb_status take_runs(gb_taken_stream *s, const gb_samples *samples)
{
    GB_TRY(gb_parquet_grow((void **)&s->offset, &s->offset_room,
                           (size_t)(s->count + samples->count) + 1, sizeof *s->offset));
    s->offset[0] = 0;
    for (int64_t i = 0; i < samples->count; i++) {
        size_t size = samples->run_sizes[i];
        GB_TRY(gb_parquet_grow((void **)&s->values, &s->value_room, s->value_bytes + size, 1));
        if (size > 0)
            memcpy(s->values + s->value_bytes, samples->runs[i], size);
        s->value_bytes += size;
        s->offset[s->count + i + 1] = (int64_t)s->value_bytes;
    }
    return GB_OK;
}

static gb_status take_append(gb_sink *sink, int recording, int stream, const gb_samples *samples)
{
    gb_taken *taken = NULL;
    GB_TRY(find_taken((export_sink *)sink, recording, &taken));
    if (stream < 0 || stream >= taken->stream_count)
        return gb_fail(GB_ERR_ARGUMENT, "no stream %d in recording %s", stream, taken->info.name);
    gb_taken_stream *s = &taken->streams[stream];
    GB_TRY(gb_parquet_grow((void **)&s->time_ns, &s->time_room, (size_t)(s->count + samples->count),
                           sizeof *s->time_ns));
    size_t bytes = gb_value_type_bytes(s->spec.value_type) * (size_t)s->size;
    if (bytes == 0)
        GB_TRY(take_runs(s, samples));
    else {
        size_t more = bytes * (size_t)samples->count;
        GB_TRY(gb_parquet_grow((void **)&s->values, &s->value_room, s->value_bytes + more, 1));
        memcpy(s->values + s->value_bytes, samples->values, more);
        s->value_bytes += more;
    }
    memcpy(s->time_ns + s->count, samples->time_ns, (size_t)samples->count * sizeof *s->time_ns);
    for (int64_t i = s->count; i < s->count + samples->count; i++)
        s->ordered = s->ordered && (i == 0 || s->time_ns[i] >= s->time_ns[i - 1]);
    s->count += samples->count;
    return GB_OK;
}

static gb_status take_attach(gb_sink *sink,
                             int recording,
                             const char *name,
                             const char *media_type,
                             const void *data,
                             size_t size)
{
    gb_taken *taken = NULL; /* the layout has no place for it */
    (void)name, (void)media_type, (void)data, (void)size;
    return find_taken((export_sink *)sink, recording, &taken);
}

static void take_abandon(gb_sink *sink, int recording)
{
    export_sink *s = (export_sink *)sink;
    if (recording < 0 || (size_t)recording >= s->open_room)
        return;
    free_taken(s->open[recording]);
    s->open[recording] = NULL;
}

static gb_status take_end(gb_sink *sink, int recording)
{
    export_sink *s = (export_sink *)sink;
    gb_taken *taken = NULL;
    GB_TRY(find_taken(s, recording, &taken));
    gb_status status = gb_lerobot_write_episode(&s->export, taken);
    if (status != GB_OK)
        return gb_fail_context(status, "recording %s as an episode of %s", taken->info.name,
                               s->export.folder);
    take_abandon(sink, recording);
    return GB_OK;
}

static void take_destroy(gb_sink *sink)
{
    export_sink *s = (export_sink *)sink;
    gb_lerobot_export *e = &s->export;
    for (size_t i = 0; i < s->open_room; i++)
        free_taken(s->open[i]);
    for (int c = 0; c < e->column_count; c++)
        gb_video_writer_abandon(e->columns[c].writer);
    gb_parquet_writer_abandon(e->data);
    gb_parquet_writer_abandon(e->episodes);
    gb_arena_destroy(e->arena);
    free(e->folder);
    free(e->robot_type);
    free(e->video_codec);
    free(e->tasks);
    free(e->task_of);
    free(e->pick);
    free(e->side);
    free(s->open);
    free(s);
}

static const gb_sink_ops ops = {.begin = take_begin,
                                .stream = take_stream,
                                .append = take_append,
                                .attach = take_attach,
                                .end = take_end,
                                .abandon = take_abandon,
                                .destroy = take_destroy};

/* ---- the public side --------------------------------------------------------------------------
 */

gb_lerobot_options gb_lerobot_options_defaults(void)
{
    return (gb_lerobot_options){.videos = true,
                                .data_file_bytes = INT64_C(100) << 20,
                                .video_file_bytes = INT64_C(500) << 20,
                                .chunk_files = 1000};
}

static gb_status check_options(const gb_lerobot_options *o)
{
    bool codec = !o->video_codec || strcmp(o->video_codec, "av1") == 0 ||
                 strcmp(o->video_codec, "h264") == 0;
    if (!codec || !(o->fps >= 0 && o->fps <= 1e5) || o->data_file_bytes < 1 ||
        o->video_file_bytes < 1 || o->chunk_files < 1)
        return gb_fail(GB_ERR_ARGUMENT,
                       "LeRobot export: fps %g, codec %s, files of %lld and %lld bytes, %lld in a "
                       "chunk; expected 0 to 100,000, av1 or h264, and numbers above 0",
                       o->fps, o->video_codec ? o->video_codec : "any",
                       (long long)o->data_file_bytes, (long long)o->video_file_bytes,
                       (long long)o->chunk_files);
    return GB_OK;
}

static gb_status prepare_folder(const char *folder)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/meta/info.json", folder) >= (int)sizeof path - 64)
        return gb_fail(GB_ERR_ARGUMENT, "%s: too long a name for a folder", folder);
    if (gb_file_exists(path))
        return gb_fail(GB_ERR_ARGUMENT, "%s holds a data set already; choose another folder",
                       folder);
    snprintf(path, sizeof path, "%s/meta", folder);
    return gb_folder_create(path);
}

gb_status
gb_lerobot_export_begin(const char *folder, const gb_lerobot_options *options, gb_sink **out)
{
    gb_lerobot_options chosen = options ? *options : gb_lerobot_options_defaults();
    GB_TRY(check_options(&chosen));
    GB_TRY(prepare_folder(folder));
    export_sink *s = calloc(1, sizeof *s);
    if (!s)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for an export", folder);
    s->sink.ops = &ops;
    gb_lerobot_export *e = &s->export;
    e->options = chosen;
    e->fps = chosen.fps;
    e->folder = strdup(folder);
    e->robot_type = chosen.robot_type ? strdup(chosen.robot_type) : NULL;
    e->video_codec = chosen.video_codec ? strdup(chosen.video_codec) : NULL;
    bool kept = e->folder && (e->robot_type || !chosen.robot_type) &&
                (e->video_codec || !chosen.video_codec);
    gb_status status = kept ? gb_arena_create(0, &e->arena)
                            : gb_fail(GB_ERR_MEMORY, "%s: no memory for an export", folder);
    if (status != GB_OK) {
        take_destroy(&s->sink);
        return status;
    }
    *out = &s->sink;
    return GB_OK;
}

gb_status gb_lerobot_export_finish(gb_sink *sink)
{
    export_sink *s = (export_sink *)sink;
    if (sink->ops != &ops)
        return gb_fail(GB_ERR_ARGUMENT, "this sink is no LeRobot export");
    gb_status status = gb_lerobot_write_meta(&s->export);
    take_destroy(sink);
    return status;
}
