/* What byte follows: logits over 256 values at every position, cross-entropy in training. */
#include "model/head.h"

static const char *const targets[] = {"target", NULL};
static const char *const starts[] = {NULL};
static const char *const outputs[] = {"logits", NULL};

static gb_status check(const gb_model_config *config, const gb_config_place *place)
{
    if (config->codec.kind != GB_CODEC_BYTES)
        return gb_config_fail(place, "head.kind", "a token head needs the bytes codec");
    return GB_OK;
}

static gb_status window(const gb_model_config *config, gb_window_plan *plan)
{
    (void)config;
    return gb_window_plan_add(plan, plan->streams[0].name, 1, 0, 1, 1);
}

static gb_value logits(const gb_build *build, const gb_encoding *encoding)
{
    return gb_build_linear(build, "head.logits", encoding->tokens, 256, false,
                           gb_init_std(build->config->backbone.width));
}

static gb_value loss(const gb_build *build, const gb_encoding *encoding)
{
    gb_value target = gb_graph_input(build->graph, targets[0], GB_I32,
                                     GB_SHAPE(build->batch, build->config->codec.look_back));
    return gb_op_cross_entropy(build->graph, logits(build, encoding), target);
}

static void predict(const gb_build *build, const gb_encoding *encoding)
{
    gb_shape shape = gb_value_shape(build->graph, encoding->tokens);
    gb_encoding last = *encoding;
    int64_t rows = shape.rank == 3 ? shape.dim[1] : 1;
    last.tokens = gb_op_slice(build->graph, encoding->tokens, 1, rows - 1, 1);
    gb_graph_output(build->graph, outputs[0], logits(build, &last));
}

/* The byte after each of the past; -1 (does not count) where it is missing. */
static void
fill(const gb_model *model, const gb_window_view *view, const gb_tensor *tensors, int64_t row)
{
    int64_t rows = model->config->codec.look_back;
    const gb_window_part *part = &view->parts[0];
    int32_t *to = (int32_t *)tensors[0].data + row * rows;
    for (int64_t i = 0; i < rows; i++) {
        float value = i + 1 < rows ? part->past[i + 1] : part->future[0];
        to[i] = value >= 0.0f && value < 256.0f ? (int32_t)value : -1;
    }
}

static void finish(const gb_model *model,
                   const gb_window_view *view,
                   const gb_tensor *values,
                   int64_t row,
                   int64_t rows,
                   float *out)
{
    (void)model;
    (void)view;
    (void)rows;
    const float *from = (const float *)values[0].data + row * 256;
    for (int i = 0; i < 256; i++)
        out[i] = from[i];
}

const gb_head_definition gb_head_definition_token = {
    .name = "token",
    .targets = targets,
    .starts = starts,
    .outputs = outputs,
    .check = check,
    .window = window,
    .loss = loss,
    .predict = predict,
    .fill = fill,
    .finish = finish,
};
