/* Text: one byte is one token. A text stream carries one value in 0..255 a sample. */
#include "model/codec.h"

static const char *const inputs[] = {"bytes", NULL};

static gb_status check(const gb_model_config *config, const gb_config_place *place)
{
    if (config->codec.stream_count > 1)
        return gb_config_fail(place, "codec.streams", "has %u names, expected one text stream",
                              config->codec.stream_count);
    return gb_config_check_range(place, "codec.look_back", config->codec.look_back, 2, 1 << 20);
}

static gb_status
window(const gb_model_config *config, const gb_dataset *dataset, gb_window_plan *plan)
{
    (void)dataset;
    const gb_codec_config *c = &config->codec;
    return gb_window_plan_add(plan, c->stream_count > 0 ? c->streams[0] : "text", 1, c->look_back,
                              0, 1);
}

static gb_encoding encode(const gb_build *build)
{
    gb_graph *g = build->graph;
    int64_t rows = build->rows > 0 ? build->rows : build->config->codec.look_back;
    int width = build->config->backbone.width;
    gb_value bytes = gb_graph_input(g, inputs[0], GB_I32, GB_SHAPE(build->batch, rows));
    gb_value table =
        gb_graph_parameter(g, "codec.bytes", GB_SHAPE(256, width), (gb_init){GB_INIT_NORMAL, .02f});
    return (gb_encoding){.tokens = gb_op_embedding(g, table, bytes),
                         .series = GB_NONE,
                         .mean = GB_NONE,
                         .spread = GB_NONE};
}

static void
fill(const gb_model *model, const gb_window_view *view, const gb_tensor *tensors, int64_t row)
{
    int64_t rows = model->config->codec.look_back;
    int32_t *bytes = (int32_t *)tensors[0].data + row * rows;
    for (int64_t i = 0; i < rows; i++) {
        float value = view->parts[0].past[i];
        bytes[i] = value >= 0.0f && value < 256.0f ? (int32_t)value : 0;
    }
}

const gb_codec_definition gb_codec_definition_bytes = {
    .name = "bytes",
    .inputs = inputs,
    .check = check,
    .window = window,
    .encode = encode,
    .fill = fill,
};
