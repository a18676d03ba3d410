/* Sinks: the checked calls, the sink that fills a dataset in memory, and a recording in memory as a
 * source. Sinks that write files are in recording_file.c and store_ingest.c. */
#include "genba/sink.h"

#include "record/builder.h"
#include "record/stream.h"

#include <stdlib.h>
#include <string.h>

#define OPEN_MAX 65536 /* recordings open at once */

gb_status gb_sink_begin(gb_sink *sink, const gb_recording_info *info, int *out_recording)
{
    if (!info->name || !info->name[0])
        return gb_fail(GB_ERR_ARGUMENT, "a recording needs a name");
    return sink->ops->begin(sink, info, out_recording);
}

gb_status gb_sink_stream(gb_sink *sink, int recording, const gb_stream_spec *spec, int *out_stream)
{
    GB_TRY(gb_stream_spec_check(spec));
    return sink->ops->stream(sink, recording, spec, out_stream);
}

gb_status gb_sink_append(gb_sink *sink, int recording, int stream, const gb_samples *samples)
{
    return samples->count == 0 ? GB_OK : sink->ops->append(sink, recording, stream, samples);
}

gb_status gb_sink_attach(gb_sink *sink,
                         int recording,
                         const char *name,
                         const char *media_type,
                         const void *data,
                         size_t size)
{
    return sink->ops->attach(sink, recording, name, media_type, data, size);
}

gb_status gb_sink_end(gb_sink *sink, int recording)
{
    return sink->ops->end(sink, recording);
}

void gb_sink_abandon(gb_sink *sink, int recording)
{
    sink->ops->abandon(sink, recording);
}

void gb_sink_destroy(gb_sink *sink)
{
    if (sink)
        sink->ops->destroy(sink);
}

/* ---- into a dataset ---------------------------------------------------------------------------
 */

typedef struct dataset_sink {
    gb_sink sink;
    gb_dataset *dataset;
    gb_recording_builder **builders; /* [room], NULL: a free number */
    int room;
} dataset_sink;

static gb_status find_builder(dataset_sink *to, int recording, gb_recording_builder **out)
{
    if (recording < 0 || recording >= to->room || !to->builders[recording])
        return gb_fail(GB_ERR_ARGUMENT, "no recording %d is open in this sink", recording);
    *out = to->builders[recording];
    return GB_OK;
}

static gb_status dataset_begin(gb_sink *sink, const gb_recording_info *info, int *out_recording)
{
    dataset_sink *to = (dataset_sink *)sink;
    int number = 0;
    while (number < to->room && to->builders[number])
        number++;
    if (number == OPEN_MAX)
        return gb_fail(GB_ERR_ARGUMENT, "more than %d recordings are open at once", OPEN_MAX);
    if (number == to->room) {
        int room = to->room ? 2 * to->room : 8;
        gb_recording_builder **grown = realloc(to->builders, (size_t)room * sizeof *grown);
        if (!grown)
            return gb_fail(GB_ERR_MEMORY, "no memory for recording %s", info->name);
        memset(grown + to->room, 0, (size_t)(room - to->room) * sizeof *grown);
        to->builders = grown;
        to->room = room;
    }
    GB_TRY(gb_recording_builder_create(info, &to->builders[number]));
    *out_recording = number;
    return GB_OK;
}

static gb_status
dataset_stream(gb_sink *sink, int recording, const gb_stream_spec *spec, int *out_stream)
{
    gb_recording_builder *builder = NULL;
    GB_TRY(find_builder((dataset_sink *)sink, recording, &builder));
    return gb_recording_builder_stream(builder, spec, out_stream);
}

static gb_status dataset_append(gb_sink *sink, int recording, int stream, const gb_samples *samples)
{
    gb_recording_builder *builder = NULL;
    GB_TRY(find_builder((dataset_sink *)sink, recording, &builder));
    return gb_recording_builder_append_samples(builder, stream, samples);
}

static gb_status dataset_attach(gb_sink *sink,
                                int recording,
                                const char *name,
                                const char *media_type,
                                const void *data,
                                size_t size)
{
    gb_recording_builder *builder = NULL;
    (void)name;
    (void)media_type;
    (void)data;
    (void)size;
    return find_builder((dataset_sink *)sink, recording, &builder);
}

static gb_status dataset_end(gb_sink *sink, int recording)
{
    dataset_sink *to = (dataset_sink *)sink;
    gb_recording_builder *builder = NULL;
    gb_recording *finished = NULL;
    GB_TRY(find_builder(to, recording, &builder));
    GB_TRY(gb_recording_builder_finish(builder, &finished));
    to->builders[recording] = NULL;
    gb_status status = gb_dataset_add(to->dataset, finished);
    if (status != GB_OK)
        gb_recording_destroy(finished);
    return status;
}

static void dataset_abandon(gb_sink *sink, int recording)
{
    dataset_sink *to = (dataset_sink *)sink;
    if (recording < 0 || recording >= to->room)
        return;
    gb_recording_builder_abandon(to->builders[recording]);
    to->builders[recording] = NULL;
}

static void dataset_destroy(gb_sink *sink)
{
    dataset_sink *to = (dataset_sink *)sink;
    for (int i = 0; i < to->room; i++)
        gb_recording_builder_abandon(to->builders[i]);
    free(to->builders);
    free(to);
}

static const gb_sink_ops dataset_ops = {dataset_begin,  dataset_stream, dataset_append,
                                        dataset_attach, dataset_end,    dataset_abandon,
                                        dataset_destroy};

gb_status gb_dataset_sink_create(gb_dataset *dataset, gb_sink **out)
{
    dataset_sink *sink = calloc(1, sizeof *sink);
    if (!sink)
        return gb_fail(GB_ERR_MEMORY, "no memory for a sink");
    sink->sink.ops = &dataset_ops;
    sink->dataset = dataset;
    *out = &sink->sink;
    return GB_OK;
}

/* ---- from memory ------------------------------------------------------------------------------
 */

#define EMIT_SAMPLES 65536 /* samples handed over at a time */

enum {
    RUNS_AT_ONCE = 256
};

static gb_status emit_runs(const gb_stream_view *view,
                           int64_t first,
                           int64_t end,
                           int recording,
                           int stream,
                           gb_sink *sink)
{
    const unsigned char *runs[RUNS_AT_ONCE];
    size_t sizes[RUNS_AT_ONCE];
    for (int64_t at = first; at < end; at += RUNS_AT_ONCE) {
        int64_t count = end - at < RUNS_AT_ONCE ? end - at : RUNS_AT_ONCE;
        for (int64_t i = 0; i < count; i++) {
            runs[i] = view->raw + view->offset[at + i];
            sizes[i] = (size_t)(view->offset[at + i + 1] - view->offset[at + i]);
        }
        gb_samples batch = {.count = count,
                            .time_ns = view->time_ns + at,
                            .runs = runs,
                            .run_sizes = sizes,
                            .quality = view->quality + at,
                            .reason = view->reason ? view->reason + at : NULL};
        GB_TRY(gb_sink_append(sink, recording, stream, &batch));
    }
    return GB_OK;
}

static gb_status emit_stream(const gb_stream_view *view, int recording, gb_sink *sink)
{
    gb_stream_spec spec = *view->spec;
    if (!gb_stream_spec_is_raw(&spec))
        spec.value_type = GB_VALUE_F32; /* what is in memory */
    int stream;
    GB_TRY(gb_sink_stream(sink, recording, &spec, &stream));
    for (int64_t at = 0; at < view->count; at += EMIT_SAMPLES) {
        int64_t left = view->count - at;
        gb_samples batch = {.count = left < EMIT_SAMPLES ? left : EMIT_SAMPLES,
                            .time_ns = view->time_ns + at,
                            .quality = view->quality + at,
                            .reason = view->reason ? view->reason + at : NULL};
        if (view->offset) {
            GB_TRY(emit_runs(view, at, at + batch.count, recording, stream, sink));
            continue;
        }
        batch.values = view->raw ? (const void *)(view->raw + at * view->size)
                                 : (const void *)(view->values + at * view->size);
        GB_TRY(gb_sink_append(sink, recording, stream, &batch));
    }
    return GB_OK;
}

gb_status gb_recording_emit(const gb_recording *recording, gb_sink *sink)
{
    int number;
    GB_TRY(gb_sink_begin(sink, gb_recording_get_info(recording), &number));
    gb_status status = GB_OK;
    for (int i = 0; status == GB_OK && i < gb_recording_stream_count(recording); i++)
        status = emit_stream(gb_recording_stream(recording, i), number, sink);
    if (status == GB_OK)
        status = gb_sink_end(sink, number);
    if (status != GB_OK)
        gb_sink_abandon(sink, number);
    return status;
}
