/* A row of all columns is one token, each column z-scored by the mean and spread it had in
 * training. For signals whose level matters; signals known by their shape are the series codec's.
 */
#include "model/feed.h"

#include <math.h>
#include <stdio.h>

static const char *const inputs[] = {"vector", NULL};
static const char statistics[] = "stats.vector"; /* [2, columns]: means, then 1 / sigma */

static int64_t columns_of(const gb_codec_config *c)
{
    int64_t columns = 0;
    for (unsigned i = 0; i < c->size_count; i++)
        columns += c->sizes[i];
    return columns;
}

static void fill_defaults(gb_model_config *config)
{
    config->codec.look_back = config->codec.look_back ? config->codec.look_back : 1;
}

static gb_status check(const gb_model_config *config, const gb_config_place *place)
{
    const gb_codec_config *c = &config->codec;
    GB_TRY(gb_config_check_range(place, "codec.look_back", c->look_back, 1, 1 << 20));
    GB_TRY(gb_config_check_range(place, "codec.hidden", c->hidden, 0, 65536));
    GB_TRY(gb_config_check_range(place, "codec.streams", c->stream_count, 1, 4096));
    if (c->size_count != c->stream_count)
        return gb_config_fail(place, "codec.sizes",
                              "has %u numbers, expected one for each of the %u streams",
                              c->size_count, c->stream_count);
    for (unsigned i = 0; i < c->size_count; i++) {
        char key[48];
        snprintf(key, sizeof key, "codec.sizes[%u]", i);
        GB_TRY(gb_config_check_range(place, key, c->sizes[i], 1, 65536));
    }
    if (c->symmetry_count > 0)
        return gb_config_fail(place, "codec.symmetries",
                              "are for the poses codec; a vector's columns have no geometry");
    return GB_OK;
}

static gb_status
window(const gb_model_config *config, const gb_dataset *dataset, gb_window_plan *plan)
{
    (void)dataset;
    const gb_codec_config *c = &config->codec;
    for (unsigned i = 0; i < c->stream_count; i++)
        GB_TRY(gb_window_plan_add(plan, c->streams[i], c->sizes[i], c->look_back, 0, 0));
    plan->pad_start = GB_PAD_ALL;
    return GB_OK;
}

/* ---- statistics ----------------------------------------------------------------------------- */

typedef struct moments {
    double *sum, *square, *count; /* [columns] */
} moments;

/* Adds the newest row of every window: each recorded row counts as often as it is learned from. */
static gb_status
add_source(const gb_model *model, const gb_window_index *index, gb_view_buffer *buffer, moments *m)
{
    const gb_codec_config *c = &model->config->codec;
    for (int64_t w = 0; w < gb_window_count(index); w++) {
        GB_TRY(gb_view_read(buffer, model, index, w, 0));
        int64_t at = 0;
        for (unsigned i = 0; i < c->stream_count; i++) {
            const gb_window_part *part = gb_window_view_find(&buffer->view, c->streams[i]);
            const float *last = part->past + (part->look_back - 1) * part->size;
            for (int64_t k = 0; k < part->size; k++, at++) {
                if (!isfinite(last[k]))
                    continue;
                m->sum[at] += (double)last[k];
                m->square[at] += (double)last[k] * (double)last[k];
                m->count[at] += 1.0;
            }
        }
    }
    return GB_OK;
}

static gb_status
fit_columns(gb_model *model, gb_window_index *const *sources, int source_count, gb_arena *arena)
{
    const gb_codec_config *c = &model->config->codec;
    int64_t columns = columns_of(c);
    size_t bytes = (size_t)columns * sizeof(double);
    moments m = {.sum = gb_arena_alloc(arena, bytes),
                 .square = gb_arena_alloc(arena, bytes),
                 .count = gb_arena_alloc(arena, bytes)};
    if (!m.sum || !m.square || !m.count)
        return GB_ERR_MEMORY;
    gb_view_buffer buffer;
    GB_TRY(gb_view_buffer_init(&buffer, model, arena));
    for (int s = 0; s < source_count; s++)
        GB_TRY(add_source(model, sources[s], &buffer, &m));
    gb_tensor *kept = gb_tensors_find(model->weights, statistics);
    if (!kept)
        GB_TRY(gb_tensors_add(model->weights, statistics, GB_F32, GB_SHAPE(2, columns), &kept));
    float *mean = kept->data, *scale = mean + columns;
    for (int64_t k = 0; k < columns; k++) {
        double n = fmax(m.count[k], 1.0), center = m.sum[k] / n;
        double sigma = sqrt(fmax(m.square[k] / n - center * center, 0.0));
        mean[k] = (float)center;
        scale[k] = sigma > 1e-6 * (1.0 + fabs(center)) ? (float)(1.0 / sigma) : 1.0f;
    }
    return GB_OK;
}

static gb_status
fit_statistics(gb_model *model, gb_window_index *const *sources, int source_count, gb_pool *pool)
{
    (void)pool;
    gb_arena *arena;
    GB_TRY(gb_arena_create(0, &arena));
    gb_status status = fit_columns(model, sources, source_count, arena);
    gb_arena_destroy(arena);
    return status;
}

/* ---- graph and filling ---------------------------------------------------------------------- */

static gb_encoding encode(const gb_build *build)
{
    const gb_codec_config *c = &build->config->codec;
    gb_value rows = gb_graph_input(build->graph, inputs[0], GB_F32,
                                   GB_SHAPE(build->batch, c->look_back, columns_of(c)));
    return (gb_encoding){.tokens = gb_codec_encoder(build, rows),
                         .series = GB_NONE,
                         .mean = GB_NONE,
                         .spread = GB_NONE};
}

/* A missing value reads as the mean. Without statistics values stay as they are. */
static void
fill(const gb_model *model, const gb_window_view *view, const gb_tensor *tensors, int64_t row)
{
    const gb_codec_config *c = &model->config->codec;
    const gb_tensor *kept = gb_tensors_find(model->weights, statistics);
    int64_t columns = columns_of(c), at = 0;
    const float *mean = kept ? kept->data : NULL, *scale = kept ? mean + columns : NULL;
    float *to = (float *)tensors[0].data + row * c->look_back * columns;
    for (unsigned i = 0; i < c->stream_count; i++) {
        const gb_window_part *part = gb_window_view_find(view, c->streams[i]);
        const float *past = part->past + (part->look_back - c->look_back) * part->size;
        for (int64_t r = 0; r < c->look_back; r++)
            for (int64_t k = 0; k < part->size; k++) {
                float value = past[r * part->size + k];
                if (kept)
                    value = (value - mean[at + k]) * scale[at + k];
                to[r * columns + at + k] = isfinite(value) ? value : 0.0f;
            }
        at += part->size;
    }
}

const gb_codec_definition gb_codec_definition_vector = {
    .name = "vector",
    .inputs = inputs,
    .fill_defaults = fill_defaults,
    .check = check,
    .window = window,
    .fit_statistics = fit_statistics,
    .encode = encode,
    .fill = fill,
};
