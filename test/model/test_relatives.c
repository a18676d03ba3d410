/* Actions that are counted from other streams' last values, each action stream from its own or from
 * none: what training makes of it, what a session answers, and what a config may not say. The
 * network is as it was drawn; nothing is learned here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/two_actions.h"

enum {
    ROWS = 12,
    HORIZON = 3,
    COUNT = HORIZON * SIZE
};

static gb_model *model_with(char **relatives, unsigned count)
{
    gb_model *model = NULL;
    gb_model_config config = two_actions_config(16, HORIZON);
    config.codec.look_back = 2;
    config.head.relatives = relatives;
    config.head.relative_count = count;
    must(gb_model_create(&config, 1, &model));
    return model;
}

/* The force is always 3 above the one before, the turn always (5, -7). */
static gb_dataset *rising_force(void)
{
    static const char *const names[5] = {"level", "turn", "force", "turn.now", "force.now"};
    static const int sizes[5] = {1, TURN, 1, TURN, 1};
    gb_recording_builder *builder = NULL;
    gb_recording *recording = NULL;
    gb_dataset *dataset = NULL;
    gb_recording_info info = {.name = "rising"};
    must(gb_recording_builder_create(&info, &builder));
    add_vectors(builder, names, sizes, 5);
    for (int r = 0; r < ROWS; r++) {
        int64_t time_ns = (int64_t)r * 100000000;
        float level = (float)r, turn[2] = {5.0f, -7.0f}, force = 3.0f * (float)(r + 1),
              before = 3.0f * (float)r;
        const float *rows[5] = {&level, turn, &force, turn, &before};
        for (int s = 0; s < 5; s++)
            must(gb_recording_builder_append(builder, s, 1, &time_ns, rows[s], NULL));
    }
    must(gb_recording_builder_finish(builder, &recording));
    must(gb_dataset_create(&dataset));
    must(gb_dataset_add(dataset, recording));
    return dataset;
}

static void test_training_counts_from_each_stream(void **state)
{
    (void)state;
    char *relatives[2] = {"absolute", "force.now"};
    gb_model *model = model_with(relatives, 2);
    gb_dataset *dataset = rising_force();
    gb_window_index *index = NULL;
    gb_window_spec spec;
    must(gb_model_window_spec(model, dataset, &spec));
    must(gb_window_index_create(dataset, &spec, NULL, 0, &index));
    must(gb_model_fit_statistics(model, &index, 1, NULL));
    const gb_tensor *kept = gb_tensors_find(gb_model_weights(model), "stats.action");
    assert_non_null(kept);
    const float *mean = kept->data, *sigma = mean + COUNT;
    assert_float_equal(mean[0], 5.0f, 1e-5);
    assert_float_equal(mean[1], -7.0f, 1e-5);
    assert_float_equal(mean[2], 0.0f, 0.0); /* "as it is" stays 0 */
    assert_float_equal(sigma[2], 3.0f, 1e-5);
    gb_window_index_destroy(index);
    gb_dataset_destroy(dataset);
    gb_model_destroy(model);
}

/* The chunk for these last values of the two reference streams, in the model's order. */
static void act(const gb_model *model, const float *turn, float force, float *out)
{
    gb_session *session = NULL;
    const gb_window_stream *stream;
    const float level[2] = {0.25f, 0.5f}, *observation[3];
    int64_t size;
    must(gb_session_create(model, gb_session_defaults(), &session));
    for (int i = 0; (stream = gb_model_observation(model, i, &size)) != NULL; i++) {
        assert_in_range(i, 0, 2);
        observation[i] = strcmp(stream->name, "level") == 0      ? level
                         : strcmp(stream->name, "turn.now") == 0 ? turn
                                                                 : &force;
    }
    must(gb_session_act(session, observation, 1, 1, out));
    gb_session_destroy(session);
}

static void test_each_stream_moves_with_its_own(void **state)
{
    (void)state;
    char *both[2] = {"turn.now", "force.now"}, *second[2] = {"absolute", "force.now"};
    const float here[2] = {0.0f, 0.0f}, there[2] = {8.0f, -16.0f};
    for (int all = 0; all < 2; all++) {
        gb_model *model = model_with(all ? both : second, 2);
        float plain[COUNT], moved[COUNT];
        act(model, here, 0.0f, plain);
        act(model, there, 32.0f, moved);
        for (int i = 0; i < COUNT; i++) {
            int column = i % SIZE;
            float shift = column == TURN ? 32.0f : all ? there[column] : 0.0f;
            assert_float_equal(moved[i], plain[i] + shift, 1e-5);
        }
        gb_model_destroy(model);
    }
}

static void test_one_name_for_each_stream(void **state)
{
    (void)state;
    char *relatives[3] = {"turn.now", "force.now", "more"};
    gb_model *model = model_with(relatives, 2);
    gb_model_config bad = *gb_model_get_config(model);
    bad.head.relative_count = 1;
    assert_int_equal(gb_model_config_check(&bad, NULL, ""), GB_ERR_SCHEMA);
    assert_non_null(strstr(gb_error_message(), "expected one for each of the 2 action streams"));
    bad.head.relatives = relatives;
    bad.head.relative_count = 3;
    assert_int_equal(gb_model_config_check(&bad, NULL, ""), GB_ERR_SCHEMA);
    bad.head.relative_count = 2;
    bad.head.relative_to = "turn.now";
    assert_int_equal(gb_model_config_check(&bad, NULL, ""), GB_ERR_SCHEMA);
    assert_non_null(strstr(gb_error_message(), "keep one of them"));
    gb_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_training_counts_from_each_stream),
        cmocka_unit_test(test_each_stream_moves_with_its_own),
        cmocka_unit_test(test_one_name_for_each_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
