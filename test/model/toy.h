/* Small models, small recordings and the shortest training loop, for the tests of this room. */
#ifndef TEST_MODEL_TOY_H
#define TEST_MODEL_TOY_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "genba/model.h"

#define GOOD(call)                                                                                 \
    do {                                                                                           \
        if ((call) != GB_OK)                                                                       \
            fail_msg("line %d: %s: %s", __LINE__, #call, gb_error_message());                      \
    } while (0)

enum {
    TOY_LOOK_BACK = 32,
    TOY_HORIZON = 12
};

static gb_block_kind toy_blocks[] = {GB_BLOCK_CONV, GB_BLOCK_ATTENTION};

static inline gb_model_config toy_config(gb_codec_kind codec, gb_head_kind head)
{
    gb_model_config c;
    memset(&c, 0, sizeof c);
    c.codec.kind = codec;
    c.codec.look_back = TOY_LOOK_BACK;
    c.codec.patch = 8;
    c.backbone.width = 32;
    c.backbone.blocks = toy_blocks;
    c.backbone.block_count = 2;
    c.backbone.heads = 4;
    c.backbone.kv_heads = 2;
    c.backbone.ffn = 48;
    c.head.kind = head;
    c.head.horizon = TOY_HORIZON;
    return c;
}

static inline gb_model *toy_model(const gb_model_config *config)
{
    gb_model *model = NULL;
    GOOD(gb_model_create(config, 7, &model));
    return model;
}

static inline float toy_wave(int recording, int column, int64_t row)
{
    double t = (double)row * (.2 + .1 * column + .05 * recording);
    double noise =
        .05 * (double)gb_random_normal(3, (uint64_t)(recording * 8 + column), (uint64_t)row);
    return (float)((column + 1) * (sin(t) + noise) + 10.0 * column);
}

static inline void toy_append(gb_recording_builder *b, int stream, int64_t i, const float *values)
{
    int64_t time_ns = i * 1000000000;
    GOOD(gb_recording_builder_append(b, stream, 1, &time_ns, values, NULL));
}

/* `count` recordings of `rows` rows: a scalar "heat" and a vector "force" of two. */
static inline gb_dataset *toy_waves(int count, int64_t rows)
{
    gb_dataset *dataset = NULL;
    GOOD(gb_dataset_create(&dataset));
    for (int r = 0; r < count; r++) {
        char name[16];
        snprintf(name, sizeof name, "wave%d", r);
        gb_recording_info info = {.name = name};
        gb_recording_builder *b = NULL;
        gb_recording *recording = NULL;
        gb_stream_spec heat = gb_stream_spec_defaults("heat"),
                       force = gb_stream_spec_defaults("force");
        heat.unit = "Cel";
        force.kind = GB_STREAM_VECTOR;
        force.rank = 1;
        force.shape[0] = 2;
        int a = 0, f = 0;
        GOOD(gb_recording_builder_create(&info, &b));
        GOOD(gb_recording_builder_stream(b, &heat, &a));
        GOOD(gb_recording_builder_stream(b, &force, &f));
        for (int64_t i = 0; i < rows; i++) {
            float values[3] = {toy_wave(r, 0, i), toy_wave(r, 1, i), toy_wave(r, 2, i)};
            if (i % 37 == 36)
                values[2] = NAN;
            toy_append(b, a, i, values);
            toy_append(b, f, i, values + 1);
        }
        GOOD(gb_recording_builder_finish(b, &recording));
        GOOD(gb_dataset_add(dataset, recording));
    }
    return dataset;
}

/* One recording with a stream "text": words that repeat with a twist. */
static inline gb_dataset *toy_text(int64_t bytes)
{
    static const char line[] = "the press opens, the arm waits; ";
    gb_dataset *dataset = NULL;
    gb_recording_info info = {.name = "text"};
    gb_recording_builder *b = NULL;
    gb_recording *recording = NULL;
    gb_stream_spec spec = gb_stream_spec_defaults("text");
    int stream = 0;
    spec.kind = GB_STREAM_TEXT;
    GOOD(gb_dataset_create(&dataset));
    GOOD(gb_recording_builder_create(&info, &b));
    GOOD(gb_recording_builder_stream(b, &spec, &stream));
    for (int64_t i = 0; i < bytes; i++) {
        float value = (float)line[i % (int64_t)(sizeof line - 1)];
        toy_append(b, stream, i, &value);
    }
    GOOD(gb_recording_builder_finish(b, &recording));
    GOOD(gb_dataset_add(dataset, recording));
    return dataset;
}

static inline gb_window_index *toy_windows(const gb_model *model, const gb_dataset *dataset)
{
    gb_window_spec spec;
    gb_window_index *index = NULL;
    GOOD(gb_model_window_spec(model, dataset, &spec));
    GOOD(gb_window_index_create(dataset, &spec, NULL, 0, &index));
    return index;
}

/* A graph with its plan and buffers; `weights` are the model's. */
typedef struct toy_program {
    gb_graph *graph;
    gb_plan *plan;
    gb_tensors *state;
    gb_exec *exec;
} toy_program;

static inline void toy_program_finish(toy_program *p, const gb_model *model, gb_pool *pool)
{
    GOOD(gb_tensors_create(&p->state));
    GOOD(gb_graph_init_state(p->graph, p->state));
    GOOD(gb_plan_create(p->graph, gb_pool_threads(pool), &p->plan));
    gb_exec_options options = {.pool = pool, .weights = gb_model_weights(model), .state = p->state};
    GOOD(gb_exec_create(p->plan, options, &p->exec));
}

static inline void toy_program_destroy(toy_program *p)
{
    gb_exec_destroy(p->exec);
    gb_plan_destroy(p->plan);
    gb_tensors_destroy(p->state);
    gb_graph_destroy(p->graph);
}

/* Loss, gradients and an AdamW step of every parameter. */
static inline toy_program
toy_training(const gb_model *model, int64_t batch, bool training, bool recompute, gb_pool *pool)
{
    toy_program p = {0};
    gb_value loss, parameter;
    GOOD(gb_graph_create((gb_graph_options){.compute = GB_F32, .seed = 5}, &p.graph));
    GOOD(gb_model_build_loss(model, p.graph, batch, training, &loss));
    GOOD(gb_graph_backward(p.graph, loss, recompute));
    gb_value step = gb_graph_input(p.graph, "step", GB_I32, GB_SCALAR);
    gb_value rate = gb_graph_input(p.graph, "rate", GB_F32, GB_SCALAR);
    gb_adamw options = {.beta1 = .9f, .beta2 = .99f, .epsilon = 1e-8f, .rate_scale = 1.0f};
    for (int64_t i = 0; (parameter = gb_graph_parameter_at(p.graph, i)) != GB_NONE; i++) {
        gb_value gradient = gb_graph_gradient(p.graph, parameter);
        char name[160];
        if (gradient == GB_NONE)
            fail_msg("%s has no gradient", gb_value_name(p.graph, parameter));
        gb_shape shape = gb_value_shape(p.graph, parameter);
        snprintf(name, sizeof name, "m.%s", gb_value_name(p.graph, parameter));
        gb_value m = gb_graph_state(p.graph, name, GB_F32, shape);
        name[0] = 'v';
        gb_value v = gb_graph_state(p.graph, name, GB_F32, shape);
        (void)gb_op_adamw(p.graph, parameter, gradient, m, v, rate, step, options);
    }
    GOOD(gb_graph_status(p.graph));
    toy_program_finish(&p, model, pool);
    return p;
}

static inline float toy_step(const toy_program *p, int32_t step, float rate)
{
    *(int32_t *)gb_exec_tensor(p->exec, "step").data = step;
    *(float *)gb_exec_tensor(p->exec, "rate").data = rate;
    gb_exec_run(p->exec);
    return *(float *)gb_exec_tensor(p->exec, "loss").data;
}

#endif
