/* Sensor series: each column of a window is one sequence of patches. The past is normalised by its
 * own mean and standard deviation over the values that are present; a token holds a patch of values
 * and of their mask, plus an embedding of what kind of stream it is.
 *
 * Units: the model works in scaled units, where 1 is a column's usual spread (scale.c): a stored
 * mean and sigma for recordings it was fitted on, the look-back's own for others. */
#include "model/codec.h"

#include <math.h>
#include <string.h>

#define SPREAD_FLOOR .01f /* z = (x - mean) / (spread + floor): a still sensor stays small */

static const char *const inputs[] = {"series", "mask", "identity", NULL};

static void fill_defaults(gb_model_config *config)
{
    config->codec.patch = config->codec.patch ? config->codec.patch : 16;
}

static gb_status check(const gb_model_config *config, const gb_config_place *place)
{
    const gb_codec_config *c = &config->codec;
    GB_TRY(gb_config_check_range(place, "codec.patch", c->patch, 1, c->look_back));
    if (c->look_back % c->patch != 0)
        return gb_config_fail(place, "codec.look_back",
                              "is %d rows, expected a multiple of the patch, which is %d",
                              c->look_back, c->patch);
    return gb_config_check_range(place, "codec.hidden", c->hidden, 0, 65536);
}

static bool is_numeric(const gb_stream_spec *spec)
{
    return (spec->kind == GB_STREAM_SCALAR || spec->kind == GB_STREAM_VECTOR) &&
           (!spec->semantic || strcmp(spec->semantic, "label") != 0);
}

static gb_status
window(const gb_model_config *config, const gb_dataset *dataset, gb_window_plan *plan)
{
    const gb_codec_config *c = &config->codec;
    for (unsigned i = 0; i < c->stream_count; i++)
        GB_TRY(gb_window_plan_add(plan, c->streams[i], 0, c->look_back, 0, 1));
    if (c->stream_count > 0)
        return GB_OK;
    const gb_recording *first = dataset ? gb_dataset_get(dataset, 0) : NULL;
    if (!first)
        return gb_fail(GB_ERR_ARGUMENT, "the dataset is empty, so it has no streams to read");
    for (int i = 0; i < gb_recording_stream_count(first); i++) {
        const gb_stream_spec *spec = gb_recording_stream(first, i)->spec;
        if (is_numeric(spec))
            GB_TRY(gb_window_plan_add(plan, spec->name, 0, c->look_back, 0, 1));
    }
    if (plan->count == 0)
        return gb_fail(GB_ERR_NOT_FOUND, "recording %s has no stream of numbers to forecast",
                       gb_recording_get_info(first)->name);
    return GB_OK;
}

static gb_status
fit_statistics(gb_model *model, gb_window_index *const *sources, int source_count, gb_pool *pool)
{
    (void)pool;
    return gb_scale_fit(model, sources, source_count);
}

/* mean, spread and (x - mean) / (spread + floor), all over present values; missing become 0. */
static gb_encoding normalise(const gb_build *build, gb_value series, gb_value mask)
{
    gb_graph *g = build->graph;
    gb_value one = gb_op_fill(g, GB_SCALAR, 1.0f);
    gb_value count = gb_op_max(g, gb_op_reduce(g, GB_REDUCE_SUM, mask, 1, 1), one);
    gb_value mean = gb_op_div(g, gb_op_reduce(g, GB_REDUCE_SUM, series, 1, 1), count);
    gb_value centred = gb_op_mul(g, gb_op_sub(g, series, mean), mask);
    gb_value squares = gb_op_unary(g, GB_UNARY_SQUARE, centred);
    gb_value variance = gb_op_div(g, gb_op_reduce(g, GB_REDUCE_SUM, squares, 1, 1), count);
    gb_value spread = gb_op_unary(g, GB_UNARY_SQRT, variance);
    gb_value scale = gb_op_affine(g, spread, 1.0f, SPREAD_FLOOR);
    return (gb_encoding){
        .tokens = GB_NONE, .series = gb_op_div(g, centred, scale), .mean = mean, .spread = spread};
}

static gb_value patch_tokens(const gb_build *build, gb_value series, gb_value mask)
{
    const gb_codec_config *c = &build->config->codec;
    gb_graph *g = build->graph;
    int64_t count = c->look_back / c->patch;
    int width = build->config->backbone.width;
    gb_shape patches = GB_SHAPE(build->batch, count, c->patch);
    gb_value parts[] = {gb_op_reshape(g, series, patches), gb_op_reshape(g, mask, patches)};
    gb_value x = gb_op_concat(g, parts, 2, 2);
    if (c->hidden > 0) {
        x = gb_build_linear(build, "codec.hidden", x, c->hidden, true, gb_init_std(2 * c->patch));
        x = gb_op_unary(g, GB_UNARY_SILU, x);
    }
    int64_t fan_in = c->hidden > 0 ? c->hidden : 2 * (int64_t)c->patch;
    return gb_build_linear(build, "codec.token", x, width, true, gb_init_std(fan_in));
}

static gb_encoding encode(const gb_build *build)
{
    const gb_codec_config *c = &build->config->codec;
    gb_graph *g = build->graph;
    gb_shape shape = GB_SHAPE(build->batch, c->look_back);
    gb_value series = gb_graph_input(g, inputs[0], GB_F32, shape);
    gb_value mask = gb_graph_input(g, inputs[1], GB_F32, shape);
    gb_value identity = gb_graph_input(g, inputs[2], GB_I32, GB_SHAPE(build->batch, 1));
    gb_encoding encoding = normalise(build, series, mask);
    gb_value table = gb_graph_parameter(
        g, "codec.identity", GB_SHAPE(GB_STREAM_IDENTITIES, build->config->backbone.width),
        (gb_init){GB_INIT_ZERO, 0.0f});
    encoding.tokens = gb_op_add(g, patch_tokens(build, encoding.series, mask),
                                gb_op_embedding(g, table, identity));
    return encoding;
}

static void
fill(const gb_model *model, const gb_window_view *view, const gb_tensor *tensors, int64_t row)
{
    int64_t rows = model->config->codec.look_back;
    const float *past = view->parts[0].past;
    float *series = (float *)tensors[0].data, *mask = (float *)tensors[1].data;
    for (int64_t i = 0; i < rows; i++) {
        bool present = isfinite(past[i]);
        series[row * rows + i] = present ? (past[i] - view->center) / view->scale : 0.0f;
        if (mask)
            mask[row * rows + i] = present ? 1.0f : 0.0f;
    }
    if (tensors[2].data)
        ((int32_t *)tensors[2].data)[row] = view->identity;
}

const gb_codec_definition gb_codec_definition_series = {
    .name = "series",
    .by_column = true,
    .inputs = inputs,
    .fill_defaults = fill_defaults,
    .check = check,
    .window = window,
    .fit_statistics = fit_statistics,
    .encode = encode,
    .fill = fill,
};
