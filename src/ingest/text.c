/* A text file as a recording: one stream "text" of bytes, for language models. No encoding is
 * assumed and nothing is cleaned. */
#include <stdlib.h>
#include <string.h>

#include "genba/ingest.h"

enum {
    PIECE = 1 << 16,
    TEXT_LIMIT = 1 << 28
};

static gb_status append_bytes(gb_recording_builder *builder, int stream, const gb_file_view *view)
{
    int64_t *time_ns = malloc(PIECE * sizeof *time_ns);
    float *values = malloc(PIECE * sizeof *values);
    gb_status status = GB_OK;
    if (!time_ns || !values)
        status = gb_fail(GB_ERR_MEMORY, "text: no memory");
    for (size_t at = 0; at < view->size && status == GB_OK; at += PIECE) {
        size_t count = view->size - at < PIECE ? view->size - at : PIECE;
        for (size_t i = 0; i < count; i++) {
            time_ns[i] = (int64_t)(at + i);
            values[i] = (float)view->data[at + i];
        }
        status =
            gb_recording_builder_append(builder, stream, (int64_t)count, time_ns, values, NULL);
    }
    free(time_ns);
    free(values);
    return status;
}

static gb_status make_recording(const char *path, const gb_file_view *view, gb_recording **out)
{
    const char *slash = strrchr(path, '/');
    gb_recording_info info = {.name = slash ? slash + 1 : path, .source = path};
    gb_stream_spec spec = gb_stream_spec_defaults("text");
    spec.kind = GB_STREAM_TEXT;
    spec.unit = "1";
    spec.time_base = GB_TIME_ROW;
    gb_recording_builder *builder = NULL;
    int stream = 0;
    GB_TRY(gb_recording_builder_create(&info, &builder));
    gb_status status = gb_recording_builder_stream(builder, &spec, &stream);
    if (status == GB_OK)
        status = append_bytes(builder, stream, view);
    if (status == GB_OK)
        status = gb_recording_builder_finish(builder, out);
    if (status != GB_OK)
        gb_recording_builder_abandon(builder);
    return status;
}

gb_status gb_ingest_text(const char *path, gb_dataset **out)
{
    gb_file_view view;
    gb_recording *recording = NULL;
    gb_dataset *dataset = NULL;
    GB_TRY(gb_file_map(path, &view));
    gb_status status = GB_OK;
    if (view.size == 0 || view.size > TEXT_LIMIT)
        status = gb_fail(GB_ERR_PARSE, "%s has %zu bytes, expected 1 to %d", path, view.size,
                         TEXT_LIMIT);
    if (status == GB_OK)
        status = make_recording(path, &view, &recording);
    gb_file_unmap(&view);
    if (status == GB_OK)
        status = gb_dataset_create(&dataset);
    if (status == GB_OK)
        status = gb_dataset_add(dataset, recording);
    if (status != GB_OK) {
        gb_recording_destroy(recording);
        gb_dataset_destroy(dataset);
        return status;
    }
    *out = dataset;
    return GB_OK;
}
