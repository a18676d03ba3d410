/* A model: config, weights, statistics; and the graphs built of it. Its folder is model_file.c. */
#include "model/model.h"

#include <stdlib.h>
#include <string.h>

#include "model/codec.h"
#include "model/head.h"

/* ---- graphs --------------------------------------------------------------------------------- */

static gb_encoding forward(const gb_build *build)
{
    gb_encoding encoding = gb_codec_of(build->config->codec.kind)->encode(build);
    encoding.tokens = gb_build_backbone(build, encoding.tokens);
    return encoding;
}

static gb_status check_batch(int64_t batch)
{
    if (batch >= 1)
        return GB_OK;
    return gb_fail(GB_ERR_ARGUMENT, "batch is %lld, expected 1 or more", (long long)batch);
}

gb_status gb_model_build_loss(
    const gb_model *model, gb_graph *graph, int64_t batch, bool training, gb_value *out_loss)
{
    GB_TRY(check_batch(batch));
    gb_build build = {
        .config = model->config, .graph = graph, .batch = batch, .training = training};
    gb_encoding encoding = forward(&build);
    gb_value loss = gb_head_of(model->config->head.kind)->loss(&build, &encoding);
    gb_graph_output(graph, "loss", loss);
    GB_TRY(gb_graph_status(graph));
    *out_loss = loss;
    return GB_OK;
}

gb_status gb_model_build_predict(const gb_model *model, gb_graph *graph, int64_t batch)
{
    GB_TRY(check_batch(batch));
    gb_build build = {.config = model->config, .graph = graph, .batch = batch};
    gb_encoding encoding = forward(&build);
    gb_head_of(model->config->head.kind)->predict(&build, &encoding);
    return gb_graph_status(graph);
}

gb_status gb_model_build_read(const gb_model *model, gb_graph *graph, int64_t rows)
{
    gb_build build = {.config = model->config, .graph = graph, .batch = 1, .rows = rows};
    gb_encoding encoding = forward(&build);
    gb_head_of(model->config->head.kind)->predict(&build, &encoding);
    return gb_graph_status(graph);
}

/* ---- life ----------------------------------------------------------------------------------- */

/* The streams of a model whose config names them all. */
static gb_status plan_windows(gb_model *model)
{
    const gb_codec_definition *codec = gb_codec_of(model->config->codec.kind);
    model->plan.arena = model->arena;
    if (codec->by_column)
        return GB_OK;
    GB_TRY(codec->window(model->config, NULL, &model->plan));
    GB_TRY(gb_head_of(model->config->head.kind)->window(model->config, &model->plan));
    for (int i = 0; i < model->plan.count; i++)
        if (model->plan.sizes[i] < 1)
            return gb_fail(GB_ERR_SCHEMA,
                           "model: how many values has stream %s? say it in the "
                           "config",
                           model->plan.streams[i].name);
    return GB_OK;
}

static gb_status init_weights(gb_model *model, uint64_t seed)
{
    gb_graph *graph = NULL;
    gb_value loss;
    GB_TRY(gb_graph_create((gb_graph_options){.compute = GB_F32}, &graph));
    gb_status status = gb_model_build_loss(model, graph, 1, true, &loss);
    if (status == GB_OK)
        status = gb_graph_init_parameters(graph, seed, model->weights);
    gb_graph_destroy(graph);
    return status;
}

gb_status gb_model_create(const gb_model_config *config, uint64_t seed, gb_model **out)
{
    GB_TRY(gb_model_config_check(config, NULL, "model."));
    gb_model *model = calloc(1, sizeof *model);
    if (!model)
        return gb_fail(GB_ERR_MEMORY, "model: no memory");
    pthread_mutex_init(&model->lock, NULL);
    gb_status status = GB_OK;
    GB_TRY_OR(fail, gb_arena_create(0, &model->arena));
    GB_TRY_OR(fail, gb_model_config_copy(config, &model->config));
    GB_TRY_OR(fail, gb_tensors_create(&model->weights));
    GB_TRY_OR(fail, plan_windows(model));
    GB_TRY_OR(fail, init_weights(model, seed));
    *out = model;
    return GB_OK;
fail:
    gb_model_destroy(model);
    return status;
}

void gb_model_destroy(gb_model *model)
{
    if (!model)
        return;
    gb_model_config_free(model->config);
    gb_tensors_destroy(model->weights);
    gb_arena_destroy(model->arena);
    pthread_mutex_destroy(&model->lock);
    free(model);
}

const gb_model_config *gb_model_get_config(const gb_model *model)
{
    return model->config;
}

gb_tensors *gb_model_weights(const gb_model *model)
{
    return model->weights;
}

int64_t gb_model_parameter_count(const gb_model *model)
{
    int64_t count = 0;
    const char *name;
    for (int64_t i = 0; i < gb_tensors_count(model->weights); i++) {
        const gb_tensor *tensor = gb_tensors_at(model->weights, i, &name);
        if (strncmp(name, "stats.", 6) != 0)
            count += gb_shape_count(&tensor->shape);
    }
    return count;
}

const gb_window_stream *gb_model_observation(const gb_model *model, int index, int64_t *out_size)
{
    for (int i = 0; i < model->plan.count; i++) {
        const gb_window_stream *stream = &model->plan.streams[i];
        if (stream->look_back == 0 || index-- > 0)
            continue;
        if (out_size)
            *out_size = model->plan.sizes[i];
        return stream;
    }
    return NULL;
}

/* ---- fitting before the first step ------------------------------------------------------------
 */

static gb_status check_sources(gb_window_index *const *sources, int source_count)
{
    for (int i = 0; i < source_count; i++)
        if (gb_window_count(sources[i]) == 0)
            return gb_fail(GB_ERR_ARGUMENT,
                           "source %d has no window: its recordings are shorter than look_back + "
                           "horizon rows",
                           i);
    return source_count > 0 ? GB_OK : gb_fail(GB_ERR_ARGUMENT, "there is no source to fit on");
}

gb_status gb_model_fit_statistics(gb_model *model,
                                  gb_window_index *const *sources,
                                  int source_count,
                                  gb_pool *pool)
{
    const gb_codec_definition *codec = gb_codec_of(model->config->codec.kind);
    const gb_head_definition *head = gb_head_of(model->config->head.kind);
    GB_TRY(check_sources(sources, source_count));
    if (codec->fit_statistics)
        GB_TRY(codec->fit_statistics(model, sources, source_count, pool));
    if (head->fit_statistics)
        GB_TRY(head->fit_statistics(model, sources, source_count, pool));
    return gb_units_learn(model, sources, source_count);
}

gb_status gb_model_fit_closed_form(gb_model *model,
                                   gb_window_index *const *sources,
                                   int source_count,
                                   gb_pool *pool)
{
    const gb_head_definition *head = gb_head_of(model->config->head.kind);
    GB_TRY(check_sources(sources, source_count));
    return head->fit_closed_form ? head->fit_closed_form(model, sources, source_count, pool)
                                 : GB_OK;
}
