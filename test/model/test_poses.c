/* The poses codec and symmetries: a mirrored window is the window of the mirrored recording, twice
 * mirrored is the original, and what is not a symmetry is refused by name. */
#include "pushing.h"

#include <math.h>

#include "model/symmetry.h"

/* The inputs of a loss graph for a batch of 1. */
typedef struct bench {
    gb_graph *graph;
    gb_plan *plan;
    gb_exec *exec;
    gb_feed *feed;
} bench;

static bench open_bench(const gb_model *model, int64_t batch)
{
    bench b = {0};
    gb_value loss;
    pushing_ok(gb_graph_create((gb_graph_options){.compute = GB_F32}, &b.graph));
    pushing_ok(gb_model_build_loss(model, b.graph, batch, true, &loss));
    pushing_ok(gb_plan_create(b.graph, 1, &b.plan));
    pushing_ok(
        gb_exec_create(b.plan, (gb_exec_options){.weights = gb_model_weights(model)}, &b.exec));
    pushing_ok(gb_feed_create(model, b.exec, batch, &b.feed));
    return b;
}

static void close_bench(bench *b)
{
    gb_feed_destroy(b->feed);
    gb_exec_destroy(b->exec);
    gb_plan_destroy(b->plan);
    gb_graph_destroy(b->graph);
}

static void assert_same_state(const float *a, const float *b, int64_t frames)
{
    for (int64_t f = 0; f < frames; f++, a += 5, b += 5) {
        for (int i = 0; i < 5; i++)
            if (i != 2)
                assert_float_equal(a[i], b[i], 1e-4);
        assert_float_equal(remainder((double)a[2] - (double)b[2], 2 * 3.14159265358979), 0.0, 1e-5);
    }
}

static void test_mirrored_window_is_window_of_mirrored_recording(void **unused)
{
    (void)unused;
    gb_model_config config = pushing_config();
    gb_model *model = NULL;
    pushing_ok(gb_model_create(&config, 1, &model));
    pushing plain = pushing_open(model, 3, false), mirrored = pushing_open(model, 3, true);
    pushing_ok(gb_model_fit_statistics(model, &plain.index, 1, NULL));
    bench b = open_bench(model, 2);
    const float *state = gb_exec_tensor(b.exec, "state").data;
    const float *action = gb_exec_tensor(b.exec, "action").data;
    for (int64_t w = 0; w < gb_window_count(plain.index); w++)
        for (int symmetry = 0; symmetry < 2; symmetry++) {
            pushing_ok(gb_feed_row(b.feed, plain.index, w, symmetry, 0));
            pushing_ok(gb_feed_row(b.feed, mirrored.index, w, 1 - symmetry, 1));
            assert_same_state(state, state + 10, 2);
            for (int i = 0; i < 8; i++)
                assert_float_equal(action[i], action[8 + i], 1e-4);
        }
    close_bench(&b);
    pushing_close(&plain);
    pushing_close(&mirrored);
    gb_model_destroy(model);
}

/* Frames repeat before the first row, actions after the last. */
static void test_padding(void **unused)
{
    (void)unused;
    gb_model_config config = pushing_config();
    gb_model *model = NULL;
    pushing_ok(gb_model_create(&config, 1, &model));
    pushing p = pushing_open(model, 1, false);
    assert_int_equal(gb_window_count(p.index), PUSHING_ROWS);
    bench b = open_bench(model, 1);
    const float *state = gb_exec_tensor(b.exec, "state").data;
    const float *action = gb_exec_tensor(b.exec, "action").data;
    double first[7], last[7];
    pushing_row(0, 0, first);
    pushing_row(0, PUSHING_ROWS - 1, last);
    pushing_ok(gb_feed_row(b.feed, p.index, 0, 0, 0));
    const double wanted[5] = {first[2], first[3], first[4], first[0], first[1]};
    for (int i = 0; i < 10; i++)
        assert_float_equal(state[i], (float)wanted[i % 5], 1e-4);
    pushing_ok(gb_feed_row(b.feed, p.index, PUSHING_ROWS - 1, 0, 0));
    for (int i = 0; i < 8; i++) /* no statistics yet: pixels from the agent */
        assert_float_equal(action[i], (float)(last[5 + i % 2] - last[i % 2]), 1e-3);
    close_bench(&b);
    pushing_close(&p);
    gb_model_destroy(model);
}

static void test_action_spread_counts_mirror_images(void **unused)
{
    (void)unused;
    gb_model_config config = pushing_config();
    gb_model *model = NULL;
    pushing_ok(gb_model_create(&config, 1, &model));
    pushing p = pushing_open(model, 4, false);
    pushing_ok(gb_model_fit_statistics(model, &p.index, 1, NULL));
    const gb_tensor *stats = gb_tensors_find(gb_model_weights(model), "stats.action");
    assert_non_null(stats);
    const float *mean = stats->data, *sigma = mean + 8;
    double sum = 0.0; /* step 0, by hand */
    for (uint64_t e = 0; e < 4; e++)
        for (int r = 0; r < PUSHING_ROWS; r++) {
            double row[7];
            pushing_row(e, r, row);
            for (int i = 0; i < 2; i++)
                sum += (row[5 + i] - row[i]) * (row[5 + i] - row[i]);
        }
    double wanted = sqrt(sum / (4 * PUSHING_ROWS * 2));
    for (int i = 0; i < 8; i++)
        assert_float_equal(mean[i], 0.0, 0.0);
    assert_float_equal(sigma[0], (float)wanted, 1e-3f * (float)wanted);
    assert_float_equal(sigma[1], (float)wanted,
                       1e-3f * (float)wanted); /* the mirror swaps the axes */
    pushing_close(&p);
    gb_model_destroy(model);
}

static void test_twice_is_nothing(void **unused)
{
    (void)unused;
    float lines[3][4] = {{0, -1, -1, 0}, {.6f, .8f, .8f, -.6f}, {-1, 0, 0, 1}};
    for (int i = 0; i < 3; i++) { /* reflections about lines through 0 */
        gb_symmetry s = {.matrix = lines[i], .matrix_count = 4};
        float point[2] = {12.5f, -7.25f}, image[2], back[2];
        gb_symmetry_map_point(&s, point, image);
        gb_symmetry_map_point(&s, image, back);
        assert_float_equal(back[0], point[0], 1e-5);
        assert_float_equal(back[1], point[1], 1e-5);
        assert_float_equal(gb_symmetry_map_angle(&s, gb_symmetry_map_angle(&s, 1.25f)), 1.25f,
                           1e-6);
    }
}

/* The image of every landmark is a landmark of the image. */
static void test_angles_follow_from_the_matrix(void **unused)
{
    (void)unused;
    float matrices[4][4] = {
        {0, -1, -1, 0}, {.6f, .8f, .8f, -.6f}, {0, -1, 1, 0}, {.8f, -.6f, .6f, .8f}};
    for (int m = 0; m < 4; m++) {
        gb_symmetry s = {.matrix = matrices[m], .matrix_count = 4};
        float angle = 0.7f, turned = gb_symmetry_map_angle(&s, angle);
        for (int i = 0; i < 16; i += 2) {
            float seen[2] = {cosf(angle) * tee[i] - sinf(angle) * tee[i + 1],
                             sinf(angle) * tee[i] + cosf(angle) * tee[i + 1]};
            gb_symmetry_map_point(&s, seen, seen);
            float best = 1e9f;
            for (int k = 0; k < 16; k += 2)
                best = fminf(best,
                             hypotf(seen[0] - cosf(turned) * tee[k] + sinf(turned) * tee[k + 1],
                                    seen[1] - sinf(turned) * tee[k] - cosf(turned) * tee[k + 1]));
            assert_true(best < 1e-3f);
        }
    }
}

static void refuse(const gb_model_config *config, const char *part)
{
    assert_int_equal(gb_model_config_check(config, NULL, ""), GB_ERR_SCHEMA);
    if (!strstr(gb_error_message(), part))
        fail_msg("'%s' does not say '%s'", gb_error_message(), part);
}

static void test_refusals(void **unused)
{
    (void)unused;
    gb_model_config good = pushing_config();
    pushing_ok(gb_model_config_check(&good, NULL, ""));
    float skew[4] = {1, .5f, 0, 1}, away[2] = {500, 512}, lopsided[4] = {10, 0, 0, 5};
    gb_symmetry bad = pushing_mirror;
    gb_model_config config = good;
    config.codec.symmetries = &bad;
    bad.matrix = skew;
    refuse(&config, "not orthogonal");
    bad = pushing_mirror;
    bad.offset = away;
    refuse(&config, "moves the goal of body 'block'");
    bad = pushing_mirror;
    bad.matrix_count = 3;
    refuse(&config, "matrix of 3 numbers");
    config = good;
    gb_pose_body body = tee_body;
    config.codec.bodies = &body;
    body.landmarks = lopsided;
    body.landmark_count = 4;
    refuse(&config, "symmetric about its y axis");
    body.landmark_count = 3;
    refuse(&config, "pairs x, y");
    body = tee_body;
    body.angle = NULL;
    refuse(&config, "codec.points");
    config = good;
    config.codec.near_scale = -1;
    refuse(&config, "near_scale");
    config = good;
    config.head.action = NULL;
    refuse(&config, "head.action");
    config = good;
    config.head.execute = 99;
    refuse(&config, "head.execute");
    config = good;
    config.head.clip_low = 600;
    refuse(&config, "clip_low");
    config = good;
    config.codec.body_count = config.codec.point_count = 0;
    refuse(&config, "expected a body or a point");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mirrored_window_is_window_of_mirrored_recording),
        cmocka_unit_test(test_padding),
        cmocka_unit_test(test_action_spread_counts_mirror_images),
        cmocka_unit_test(test_twice_is_nothing),
        cmocka_unit_test(test_angles_follow_from_the_matrix),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
