/* Feeding: which streams a model's windows hold, and how one example of them is written into the
 * inputs of a graph. */
#include "model/feed.h"

#include <stdlib.h>
#include <string.h>

/* ---- window plan ---------------------------------------------------------------------------- */

int gb_window_plan_find(const gb_window_plan *plan, const char *name)
{
    for (int i = 0; i < plan->count; i++)
        if (strcmp(plan->streams[i].name, name) == 0)
            return i;
    return -1;
}

static gb_status make_room(gb_window_plan *plan)
{
    if (plan->count < plan->capacity)
        return GB_OK;
    int capacity = plan->capacity ? 2 * plan->capacity : 16;
    gb_window_stream *streams = gb_arena_alloc(plan->arena, (size_t)capacity * sizeof *streams);
    int64_t *sizes = gb_arena_alloc(plan->arena, (size_t)capacity * sizeof *sizes);
    if (!streams || !sizes)
        return GB_ERR_MEMORY;
    if (plan->count > 0) {
        memcpy(streams, plan->streams, (size_t)plan->count * sizeof *streams);
        memcpy(sizes, plan->sizes, (size_t)plan->count * sizeof *sizes);
    }
    plan->streams = streams;
    plan->sizes = sizes;
    plan->capacity = capacity;
    return GB_OK;
}

gb_status gb_window_plan_add(gb_window_plan *plan,
                             const char *name,
                             int64_t size,
                             int64_t look_back,
                             int64_t horizon,
                             int64_t future_first)
{
    int at = gb_window_plan_find(plan, name);
    if (at < 0) {
        GB_TRY(make_room(plan));
        at = plan->count;
        const char *copy = gb_arena_text(plan->arena, name);
        if (!copy)
            return GB_ERR_MEMORY;
        plan->streams[at] = (gb_window_stream){.name = copy, .future_first = future_first};
        plan->sizes[at] = size;
        plan->count++;
    }
    gb_window_stream *stream = &plan->streams[at];
    if (size != 0 && plan->sizes[at] != 0 && size != plan->sizes[at])
        return gb_fail(GB_ERR_SHAPE, "stream %s is used with %lld and with %lld values a sample",
                       name, (long long)plan->sizes[at], (long long)size);
    plan->sizes[at] = size != 0 ? size : plan->sizes[at];
    stream->look_back = look_back > stream->look_back ? look_back : stream->look_back;
    stream->horizon = horizon > stream->horizon ? horizon : stream->horizon;
    if (horizon > 0)
        stream->future_first = future_first;
    return GB_OK;
}

static gb_status check_sizes(const gb_window_plan *plan, const gb_dataset *dataset)
{
    const gb_recording *first = gb_dataset_get(dataset, 0);
    for (int i = 0; first && i < plan->count; i++) {
        int number = gb_recording_find(first, plan->streams[i].name);
        const gb_stream_view *stream = number >= 0 ? gb_recording_stream(first, number) : NULL;
        if (!stream)
            return gb_fail(GB_ERR_NOT_FOUND, "recording %s has no stream %s, which the model reads",
                           gb_recording_get_info(first)->name, plan->streams[i].name);
        if (plan->sizes[i] != 0 && stream->size != plan->sizes[i])
            return gb_fail(GB_ERR_SHAPE,
                           "stream %s has %lld values a sample in recording %s, the model reads "
                           "%lld",
                           plan->streams[i].name, (long long)stream->size,
                           gb_recording_get_info(first)->name, (long long)plan->sizes[i]);
    }
    return GB_OK;
}

gb_status
gb_model_window_spec(const gb_model *model, const gb_dataset *dataset, gb_window_spec *out)
{
    gb_model *shared = (gb_model *)(uintptr_t)model; /* only the locked arena changes */
    gb_window_plan plan = {.arena = shared->arena};
    pthread_mutex_lock(&shared->lock);
    gb_status status =
        gb_codec_of(model->config->codec.kind)->window(model->config, dataset, &plan);
    if (status == GB_OK)
        status = gb_head_of(model->config->head.kind)->window(model->config, &plan);
    pthread_mutex_unlock(&shared->lock);
    GB_TRY(status);
    GB_TRY(check_sizes(&plan, dataset));
    gb_window_spec spec = gb_window_spec_defaults();
    spec.streams = plan.streams;
    spec.stream_count = plan.count;
    spec.pad_start = plan.pad_start;
    spec.pad_end = plan.pad_end;
    *out = spec;
    return GB_OK;
}

int64_t gb_model_examples_per_window(const gb_model *model, const gb_window_index *index)
{
    if (!gb_codec_of(model->config->codec.kind)->by_column)
        return 1;
    int64_t columns = 0;
    for (int s = 0; s < gb_window_index_spec(index)->stream_count; s++)
        columns += gb_window_stream_size(index, s);
    return columns;
}

/* ---- reading one example --------------------------------------------------------------------- */

const gb_window_part *gb_window_view_find(const gb_window_view *view, const char *name)
{
    for (int i = 0; i < view->part_count; i++)
        if (view->parts[i].name && strcmp(view->parts[i].name, name) == 0)
            return &view->parts[i];
    return NULL;
}

gb_status gb_view_buffer_init(gb_view_buffer *buffer, const gb_model *model, gb_arena *arena)
{
    const gb_window_plan *plan = &model->plan;
    bool by_column = gb_codec_of(model->config->codec.kind)->by_column;
    int64_t values = (int64_t)model->config->codec.look_back + model->config->head.horizon;
    int count = by_column ? 1 : plan->count;
    if (!by_column) {
        values = 0;
        for (int i = 0; i < count; i++)
            values += (plan->streams[i].look_back + plan->streams[i].horizon) * plan->sizes[i];
    }
    buffer->parts = gb_arena_alloc(arena, (size_t)count * sizeof *buffer->parts);
    buffer->outs = gb_arena_alloc(arena, (size_t)count * sizeof *buffer->outs);
    buffer->values = gb_arena_alloc(arena, (size_t)values * sizeof(float));
    if (!buffer->parts || !buffer->outs || !buffer->values)
        return GB_ERR_MEMORY;
    buffer->view = (gb_window_view){.parts = buffer->parts, .part_count = count, .scale = 1.0f};
    float *next = buffer->values;
    for (int i = 0; i < count && !by_column; i++) {
        const gb_window_stream *s = &plan->streams[i];
        buffer->outs[i].past = next;
        buffer->outs[i].future = next + s->look_back * plan->sizes[i];
        buffer->parts[i] = (gb_window_part){.name = s->name,
                                            .past = buffer->outs[i].past,
                                            .future = buffer->outs[i].future,
                                            .look_back = s->look_back,
                                            .horizon = s->horizon,
                                            .size = plan->sizes[i]};
        next += (s->look_back + s->horizon) * plan->sizes[i];
    }
    return GB_OK;
}

static gb_status read_all(gb_view_buffer *buffer,
                          const gb_model *model,
                          const gb_window_index *index,
                          int64_t window)
{
    const gb_window_spec *spec = gb_window_index_spec(index);
    const gb_window_plan *plan = &model->plan;
    bool fits = spec->stream_count == plan->count;
    for (int i = 0; fits && i < plan->count; i++)
        fits = spec->streams[i].look_back == plan->streams[i].look_back &&
               spec->streams[i].horizon == plan->streams[i].horizon &&
               gb_window_stream_size(index, i) == plan->sizes[i];
    if (!fits)
        return gb_fail(GB_ERR_SHAPE, "feed: these windows were not made by gb_model_window_spec of "
                                     "this model");
    return gb_window_read(index, window, buffer->outs);
}

/* Finds the stream and value that column `column` of a window is. */
static bool locate_column(const gb_window_index *index, int64_t *column, int *out_stream)
{
    for (int s = 0; s < gb_window_index_spec(index)->stream_count; s++) {
        int64_t size = gb_window_stream_size(index, s);
        *out_stream = s;
        if (*column < size)
            return true;
        *column -= size;
    }
    return false;
}

static gb_status read_column(gb_view_buffer *buffer,
                             const gb_model *model,
                             const gb_window_index *index,
                             int64_t window,
                             int64_t column)
{
    const gb_model_config *config = model->config;
    int64_t look_back = config->codec.look_back, horizon = config->head.horizon, value = column;
    int stream = 0;
    bool known = locate_column(index, &value, &stream);
    const gb_window_stream *w = &gb_window_index_spec(index)->streams[stream];
    if (!known || w->look_back != look_back || w->horizon != horizon)
        return gb_fail(GB_ERR_SHAPE, "feed: these windows were not made by gb_model_window_spec of "
                                     "this model");
    float *past = buffer->values, *future = past + look_back;
    GB_TRY(gb_window_read_column(index, window, stream, value, past, future));
    buffer->parts[0] = (gb_window_part){.name = w->name,
                                        .past = past,
                                        .future = future,
                                        .look_back = look_back,
                                        .horizon = horizon,
                                        .size = 1};
    gb_window_place place;
    GB_TRY(gb_window_place_of(index, window, &place));
    const gb_recording *recording = gb_dataset_get(gb_window_index_dataset(index), place.recording);
    int number = gb_recording_find(recording, w->name);
    buffer->view.identity = gb_stream_identity(gb_recording_stream(recording, number)->spec);
    if (!gb_scale_find(model, gb_recording_get_info(recording)->name, column, &buffer->view.center,
                       &buffer->view.scale))
        gb_scale_of(past, look_back, &buffer->view.center, &buffer->view.scale);
    return GB_OK;
}

gb_status gb_view_read(gb_view_buffer *buffer,
                       const gb_model *model,
                       const gb_window_index *index,
                       int64_t example,
                       int symmetry)
{
    buffer->view.symmetry = symmetry;
    if (!gb_codec_of(model->config->codec.kind)->by_column)
        return read_all(buffer, model, index, example);
    int64_t columns = gb_model_examples_per_window(model, index);
    return read_column(buffer, model, index, example / columns, example % columns);
}

/* ---- feed ----------------------------------------------------------------------------------- */

struct gb_feed {
    gb_arena *arena;
    const gb_model *model;
    const gb_codec_definition *codec;
    const gb_head_definition *head;
    int64_t batch;
    gb_view_buffer *rows; /* [batch] */
    gb_tensor inputs[GB_INPUTS_MAX], targets[GB_INPUTS_MAX];
};

void gb_bind(const gb_exec *exec, const char *const *names, gb_tensor *out)
{
    memset(out, 0, GB_INPUTS_MAX * sizeof *out);
    for (int i = 0; i < GB_INPUTS_MAX && names[i]; i++)
        out[i] = gb_exec_tensor(exec, names[i]);
}

gb_status gb_feed_create(const gb_model *model, const gb_exec *exec, int64_t batch, gb_feed **out)
{
    gb_arena *arena = NULL;
    GB_TRY(gb_arena_create(0, &arena));
    gb_feed *feed = gb_arena_alloc(arena, sizeof *feed);
    gb_status status = feed ? GB_OK : GB_ERR_MEMORY;
    if (!feed)
        goto fail;
    *feed = (gb_feed){.arena = arena,
                      .model = model,
                      .codec = gb_codec_of(model->config->codec.kind),
                      .head = gb_head_of(model->config->head.kind),
                      .batch = batch};
    feed->rows = gb_arena_alloc(arena, (size_t)batch * sizeof *feed->rows);
    if (!feed->rows) {
        status = GB_ERR_MEMORY;
        goto fail;
    }
    for (int64_t i = 0; i < batch; i++)
        GB_TRY_OR(fail, gb_view_buffer_init(&feed->rows[i], model, arena));
    gb_bind(exec, feed->codec->inputs, feed->inputs);
    gb_bind(exec, feed->head->targets, feed->targets);
    if (!feed->inputs[0].data || feed->inputs[0].shape.dim[0] != batch) {
        status = gb_fail(GB_ERR_ARGUMENT,
                         "feed: the graph was not built by gb_model_build_loss for a batch of %lld",
                         (long long)batch);
        goto fail;
    }
    if (feed->head->fill_constants)
        feed->head->fill_constants(model, feed->targets);
    *out = feed;
    return GB_OK;
fail:
    gb_arena_destroy(arena);
    return status;
}

void gb_feed_destroy(gb_feed *feed)
{
    if (feed)
        gb_arena_destroy(feed->arena); /* holds the feed itself */
}

gb_status
gb_feed_row(gb_feed *feed, const gb_window_index *index, int64_t example, int symmetry, int64_t row)
{
    int64_t symmetries = feed->model->config->codec.symmetry_count;
    if (row < 0 || row >= feed->batch || example < 0 || symmetry < 0 || symmetry > symmetries)
        return gb_fail(GB_ERR_ARGUMENT,
                       "feed: row %lld of %lld, example %lld, symmetry %d of %lld is out of range",
                       (long long)row, (long long)feed->batch, (long long)example, symmetry,
                       (long long)symmetries);
    gb_view_buffer *buffer = &feed->rows[row];
    GB_TRY(gb_view_read(buffer, feed->model, index, example, symmetry));
    feed->codec->fill(feed->model, &buffer->view, feed->inputs, row);
    feed->head->fill(feed->model, &buffer->view, feed->targets, row);
    return GB_OK;
}
