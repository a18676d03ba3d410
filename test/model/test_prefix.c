/* Chunks that continue one under way (real-time chunking). The toy machine may be worked in two
 * ways, up or down, and nothing observed says which: only what was done before can tell. Its
 * actions are two streams of different size and scale. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "model/two_actions.h"

enum {
    EPISODES = 16,
    ROWS = 16,
    BATCH = 64,
    STEPS = 1500,
    HORIZON = 6,
    PREFIX = 3
};

static gb_model_config config_of(int prefix)
{
    gb_model_config config = two_actions_config(32, HORIZON);
    config.head.prefix = prefix;
    config.head.blocks = 2;
    config.head.euler_steps = 10;
    config.head.temperature = 1;
    config.head.execute = 2;
    return config;
}

static float way_of(int episode)
{
    return episode % 2 ? 1.0f : -1.0f;
}

static void add_episode(gb_dataset *dataset, int episode)
{
    static const char *const names[3] = {"level", "turn", "force"};
    static const int sizes[3] = {1, 2, 1};
    gb_recording_builder *builder = NULL;
    gb_recording *recording = NULL;
    gb_recording_info info = {.name = "fork"};
    must(gb_recording_builder_create(&info, &builder));
    add_vectors(builder, names, sizes, 3);
    for (int r = 0; r < ROWS; r++) {
        float way = way_of(episode);
        int64_t time_ns = (int64_t)r * 100000000;
        float level = gb_random_uniform(3, (uint64_t)episode, (uint64_t)r);
        float turn[2] = {way, -2.0f * way}, force = 100.0f + 20.0f * way;
        must(gb_recording_builder_append(builder, 0, 1, &time_ns, &level, NULL));
        must(gb_recording_builder_append(builder, 1, 1, &time_ns, turn, NULL));
        must(gb_recording_builder_append(builder, 2, 1, &time_ns, &force, NULL));
    }
    must(gb_recording_builder_finish(builder, &recording));
    must(gb_dataset_add(dataset, recording));
}

static void append_updates(gb_graph *g)
{
    gb_value step = gb_graph_input(g, "step", GB_I32, GB_SCALAR);
    gb_value rate = gb_graph_input(g, "rate", GB_F32, GB_SCALAR);
    gb_value parameter;
    for (int64_t i = 0; (parameter = gb_graph_parameter_at(g, i)) != GB_NONE; i++) {
        char m[160], v[160];
        snprintf(m, sizeof m, "m.%s", gb_value_name(g, parameter));
        snprintf(v, sizeof v, "v.%s", gb_value_name(g, parameter));
        gb_shape shape = gb_value_shape(g, parameter);
        gb_op_adamw(g, parameter, gb_graph_gradient(g, parameter),
                    gb_graph_state(g, m, GB_F32, shape), gb_graph_state(g, v, GB_F32, shape), rate,
                    step,
                    (gb_adamw){.beta1 = .9f, .beta2 = .99f, .epsilon = 1e-8f, .rate_scale = 1});
    }
    must(gb_graph_status(g));
}

static void learn(gb_model *model, const gb_window_index *index)
{
    gb_graph *graph = NULL;
    gb_plan *plan = NULL;
    gb_exec *exec = NULL;
    gb_feed *feed = NULL;
    gb_tensors *state = NULL;
    gb_value loss;
    must(gb_graph_create((gb_graph_options){.compute = GB_F32, .seed = 3}, &graph));
    must(gb_model_build_loss(model, graph, BATCH, true, &loss));
    must(gb_graph_backward(graph, loss, false));
    append_updates(graph);
    must(gb_plan_create(graph, 1, &plan));
    must(gb_tensors_create(&state));
    must(gb_graph_init_state(graph, state));
    gb_exec_options options = {.weights = gb_model_weights(model), .state = state};
    must(gb_exec_create(plan, options, &exec));
    must(gb_feed_create(model, exec, BATCH, &feed));
    for (int s = 0; s < STEPS; s++) {
        for (int64_t row = 0; row < BATCH; row++) {
            uint64_t draw =
                gb_random_below(8, (uint64_t)s, (uint64_t)row, (uint64_t)gb_window_count(index));
            must(gb_feed_row(feed, index, (int64_t)draw, 0, row));
        }
        *(int32_t *)gb_exec_tensor(exec, "step").data = s + 1;
        *(float *)gb_exec_tensor(exec, "rate").data = 4e-3f * (1.0f - (float)s / STEPS);
        gb_exec_run(exec);
    }
    gb_feed_destroy(feed);
    gb_exec_destroy(exec);
    gb_plan_destroy(plan);
    gb_tensors_destroy(state);
    gb_graph_destroy(graph);
}

static gb_model *model_with(int prefix)
{
    gb_model_config config = config_of(prefix);
    gb_model *model = NULL;
    gb_dataset *dataset = NULL;
    gb_window_index *index = NULL;
    gb_window_spec spec;
    must(gb_model_create(&config, 1, &model));
    must(gb_dataset_create(&dataset));
    for (int i = 0; i < EPISODES; i++)
        add_episode(dataset, i);
    must(gb_model_window_spec(model, dataset, &spec));
    must(gb_window_index_create(dataset, &spec, NULL, 0, &index));
    must(gb_model_fit_statistics(model, &index, 1, NULL));
    learn(model, index);
    gb_window_index_destroy(index);
    gb_dataset_destroy(dataset);
    return model;
}

/* One for each kind of head; trained once. */
static gb_model *models[2];

static int setup(void **state)
{
    (void)state;
    models[0] = model_with(0);
    models[1] = model_with(PREFIX);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gb_model_destroy(models[0]);
    gb_model_destroy(models[1]);
    return 0;
}

static gb_session *session_of(const gb_model *model)
{
    gb_session *session = NULL;
    must(gb_session_create(model, gb_session_defaults(), &session));
    return session;
}

/* How many rows from `first` on go the way `way`. */
static int rows_going(const float *chunk, int first, float way)
{
    int count = 0;
    for (int r = first; r < HORIZON; r++)
        count += chunk[r * SIZE] * way > 0.5f && chunk[r * SIZE + 1] * way < -1.0f &&
                 (chunk[r * SIZE + 2] - 100.0f) * way > 10.0f;
    return count;
}

static void fill_prefix(float way, float *rows)
{
    for (int r = 0; r < HORIZON; r++) {
        rows[r * SIZE] = way;
        rows[r * SIZE + 1] = -2.0f * way;
        rows[r * SIZE + 2] = 100.0f + 20.0f * way;
    }
}

static void test_both_ways_are_learned(void **state)
{
    (void)state;
    gb_session *session = session_of(models[1]);
    int up = 0, down = 0;
    for (uint64_t tick = 0; tick < 40; tick++) {
        float level = 0.5f, chunk[HORIZON * SIZE];
        const float *streams[1] = {&level};
        must(gb_session_act(session, streams, 1, tick, chunk));
        up += rows_going(chunk, 0, 1.0f) == HORIZON;
        down += rows_going(chunk, 0, -1.0f) == HORIZON;
    }
    gb_session_destroy(session);
    assert_true(up >= 8 && down >= 8 && up + down >= 36);
}

/* The point of it: the rest of the chunk goes on in the way that was begun. */
static void test_what_is_under_way_goes_on(void **state)
{
    (void)state;
    gb_session *session = session_of(models[1]);
    for (uint64_t tick = 0; tick < 40; tick++) {
        float level = gb_random_uniform(4, 0, tick), way = tick % 2 ? 1.0f : -1.0f;
        float rows[HORIZON * SIZE], chunk[HORIZON * SIZE];
        const float *streams[1] = {&level};
        fill_prefix(way, rows);
        gb_action_prefix prefix = {.actions = rows, .count = HORIZON, .frozen = 2, .soft = 4};
        must(gb_session_act_after(session, streams, 1, tick, &prefix, chunk));
        assert_memory_equal(chunk, rows, 2 * SIZE * sizeof(float));
        if (rows_going(chunk, 2, way) != HORIZON - 2)
            fail_msg("tick %d turns round after its prefix", (int)tick);
    }
    gb_session_destroy(session);
}

static void test_no_prefix_is_the_plain_chunk(void **state)
{
    (void)state;
    for (int m = 0; m < 2; m++) {
        gb_session *session = session_of(models[m]);
        float level = 0.3f, rows[HORIZON * SIZE], plain[HORIZON * SIZE], again[HORIZON * SIZE];
        const float *streams[1] = {&level};
        fill_prefix(1.0f, rows);
        gb_action_prefix some = {.actions = rows, .count = HORIZON, .frozen = 3, .soft = 3};
        gb_action_prefix none = {.actions = rows};
        must(gb_session_act(session, streams, 7, 1, plain));
        must(gb_session_act_after(session, streams, 7, 1, &some, again));
        must(gb_session_act_after(session, streams, 7, 1, &none, again));
        assert_memory_equal(plain, again, sizeof plain); /* and nothing is left of the one before */
        gb_session_destroy(session);
    }
}

/* A head that did not learn to continue is blended: frozen rows stay, soft ones lie between. */
static void test_others_are_blended(void **state)
{
    (void)state;
    gb_session *session = session_of(models[0]);
    float level = 0.3f, rows[HORIZON * SIZE], plain[HORIZON * SIZE], chunk[HORIZON * SIZE];
    const float *streams[1] = {&level};
    fill_prefix(3.0f, rows);
    gb_action_prefix prefix = {.actions = rows, .count = 5, .frozen = 2, .soft = 5};
    must(gb_session_act(session, streams, 7, 1, plain));
    must(gb_session_act_after(session, streams, 7, 1, &prefix, chunk));
    assert_memory_equal(chunk, rows, 2 * SIZE * sizeof(float));
    float before = 1.0f;
    for (int r = 2; r < 5; r++) {
        float part = (chunk[r * SIZE] - plain[r * SIZE]) / (rows[r * SIZE] - plain[r * SIZE]);
        assert_true(part > 0.0f && part < before);
        before = part;
    }
    /* w = c (e^c - 1)/(e - 1) with c = 3/4 in the first soft row of three */
    float first = (chunk[2 * SIZE] - plain[2 * SIZE]) / (rows[2 * SIZE] - plain[2 * SIZE]);
    assert_true(fabsf(first - 0.75f * (expf(0.75f) - 1.0f) / (expf(1.0f) - 1.0f)) < 1e-4f);
    assert_memory_equal(chunk + 5 * SIZE, plain + 5 * SIZE, SIZE * sizeof(float));
    gb_session_destroy(session);
}

static void test_refusals(void **state)
{
    (void)state;
    gb_session *session = session_of(models[1]);
    float level = 0.3f, rows[HORIZON * SIZE], chunk[HORIZON * SIZE];
    const float *streams[1] = {&level};
    fill_prefix(1.0f, rows);
    const gb_action_prefix wrong[] = {
        {rows, HORIZON + 1, 1, 1}, {rows, 3, 4, 4}, {rows, 3, 2, 1}, {rows, 3, -1, 1}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(gb_session_act_after(session, streams, 1, 1, &wrong[i], chunk),
                         GB_ERR_ARGUMENT);
    rows[4] = NAN;
    gb_action_prefix bad = {rows, 3, 2, 3};
    assert_int_equal(gb_session_act_after(session, streams, 1, 1, &bad, chunk), GB_ERR_NUMERIC);
    gb_session_destroy(session);

    gb_model *model = NULL;
    gb_model_config config = config_of(HORIZON);
    assert_int_equal(gb_model_create(&config, 1, &model), GB_ERR_SCHEMA);
    config = config_of(0);
    config.head.action = "turn";
    assert_int_equal(gb_model_create(&config, 1, &model), GB_ERR_SCHEMA);
    config = config_of(0);
    config.head.action_size_count = 1;
    assert_int_equal(gb_model_create(&config, 1, &model), GB_ERR_SCHEMA);
    config = config_of(0);
    config.head.action_size = 4;
    assert_int_equal(gb_model_create(&config, 1, &model), GB_ERR_SCHEMA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways_are_learned),
        cmocka_unit_test(test_what_is_under_way_goes_on),
        cmocka_unit_test(test_no_prefix_is_the_plain_chunk),
        cmocka_unit_test(test_others_are_blended),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
