/* Every pair of codec and head of this room learns one batch by heart, and feeds what it should. */
#include "model/toy.h"

#include "model/feed.h"

enum {
    BATCH = 6
};

static float learn(const gb_model *model, const gb_window_index *index, int steps, float *first)
{
    toy_program p = toy_training(model, BATCH, false, false, NULL);
    gb_feed *feed = NULL;
    GOOD(gb_feed_create(model, p.exec, BATCH, &feed));
    for (int64_t row = 0; row < BATCH; row++)
        GOOD(gb_feed_row(feed, index, 7 * row, 0, row));
    float loss = 0.0f;
    for (int step = 1; step <= steps; step++) {
        loss = toy_step(&p, step, 3e-3f);
        if (step == 1)
            *first = loss;
    }
    gb_feed_destroy(feed);
    toy_program_destroy(&p);
    return loss;
}

static void series_and_quantiles(void **state)
{
    (void)state;
    gb_model_config c = toy_config(GB_CODEC_SERIES, GB_HEAD_QUANTILE);
    gb_dataset *dataset = toy_waves(2, 200);
    gb_model *model = toy_model(&c);
    gb_window_index *index = toy_windows(model, dataset);
    assert_int_equal(gb_model_examples_per_window(model, index), 3);
    GOOD(gb_model_fit_statistics(model, &index, 1, NULL));
    float first, last = learn(model, index, 150, &first);
    assert_true(isfinite(first) && last < .2f * first);
    gb_window_index_destroy(index);
    gb_model_destroy(model);
    gb_dataset_destroy(dataset);
}

static void bytes_and_tokens(void **state)
{
    (void)state;
    gb_model_config c = toy_config(GB_CODEC_BYTES, GB_HEAD_TOKEN);
    gb_dataset *dataset = toy_text(400);
    gb_model *model = toy_model(&c);
    gb_window_index *index = toy_windows(model, dataset);
    assert_int_equal(gb_window_count(index), 400 - TOY_LOOK_BACK);
    float first, last = learn(model, index, 60, &first);
    assert_float_equal(first, logf(256.0f), .8);
    assert_true(last < .5f);
    gb_window_index_destroy(index);
    gb_model_destroy(model);
    gb_dataset_destroy(dataset);
}

/* The same bits at one and two threads, and with recomputation. */
static void threads_and_recomputation_change_nothing(void **state)
{
    (void)state;
    gb_model_config c = toy_config(GB_CODEC_SERIES, GB_HEAD_QUANTILE);
    c.backbone.dropout = .3f;
    c.head.shortcuts = 2;
    gb_dataset *dataset = toy_waves(1, 200);
    gb_pool *pool = NULL;
    GOOD(gb_pool_create(2, &pool));
    float losses[3];
    for (int run = 0; run < 3; run++) {
        gb_model *model = toy_model(&c);
        gb_window_index *index = toy_windows(model, dataset);
        GOOD(gb_model_fit_statistics(model, &index, 1, NULL));
        toy_program p = toy_training(model, BATCH, true, run == 2, run == 1 ? pool : NULL);
        gb_feed *feed = NULL;
        GOOD(gb_feed_create(model, p.exec, BATCH, &feed));
        for (int64_t row = 0; row < BATCH; row++)
            GOOD(gb_feed_row(feed, index, row, 0, row));
        for (int step = 1; step <= 5; step++)
            losses[run] = toy_step(&p, step, 1e-2f);
        gb_feed_destroy(feed);
        toy_program_destroy(&p);
        gb_window_index_destroy(index);
        gb_model_destroy(model);
    }
    assert_true(losses[0] == losses[1]);
    assert_true(losses[0] == losses[2]);
    gb_pool_destroy(pool);
    gb_dataset_destroy(dataset);
}

/* Row of a series: scaled by the recording's own statistics, gaps masked, identity by unit. */
static void a_row_of_series(void **state)
{
    (void)state;
    gb_model_config c = toy_config(GB_CODEC_SERIES, GB_HEAD_QUANTILE);
    gb_dataset *dataset = toy_waves(2, 120);
    gb_model *model = toy_model(&c);
    gb_window_index *index = toy_windows(model, dataset);
    GOOD(gb_model_fit_statistics(model, &index, 1, NULL));
    assert_int_not_equal(gb_model_fit_statistics(model, &index, 1, NULL), GB_OK); /* once */
    gb_column_stats stats[2];
    gb_row_range range = {1, 0, GB_ROWS_ALL, false};
    GOOD(gb_stats_compute(dataset, "force", &range, 1, stats, 2));
    float center, scale;
    assert_true(gb_scale_find(model, "wave1", 2, &center, &scale));
    assert_float_equal(center, stats[1].mean, 1e-4);
    assert_float_equal(scale, stats[1].sigma, 1e-4);
    assert_false(gb_scale_find(model, "wave7", 2, &center, &scale));
    toy_program p = toy_training(model, 2, false, false, NULL);
    gb_feed *feed = NULL;
    GOOD(gb_feed_create(model, p.exec, 2, &feed));
    int64_t windows = gb_window_count(index) / 2, window = windows + 10; /* of wave1 */
    GOOD(gb_feed_row(feed, index, window * 3 + 2, 0, 1));
    GOOD(gb_feed_row(feed, index, window * 3, 0, 0));
    gb_tensor series = gb_exec_tensor(p.exec, "series"), mask = gb_exec_tensor(p.exec, "mask");
    gb_tensor target = gb_exec_tensor(p.exec, "target"),
              identity = gb_exec_tensor(p.exec, "identity");
    for (int i = 0; i < TOY_LOOK_BACK + TOY_HORIZON; i++) {
        int64_t row = 10 + i;
        float x = row % 37 == 36 ? NAN : (toy_wave(1, 2, row) - center) / scale;
        if (i >= TOY_LOOK_BACK)
            assert_float_equal(((float *)target.data)[TOY_HORIZON + i - TOY_LOOK_BACK], x, 1e-5);
        else if (isnan(x))
            assert_true(((float *)mask.data)[TOY_LOOK_BACK + i] == 0.0f &&
                        ((float *)series.data)[TOY_LOOK_BACK + i] == 0.0f);
        else
            assert_float_equal(((float *)series.data)[TOY_LOOK_BACK + i], x, 1e-5);
    }
    assert_int_not_equal(((int32_t *)identity.data)[0], 0); /* Cel */
    assert_int_equal(((int32_t *)identity.data)[1], 0);     /* unknown */
    assert_int_not_equal(gb_feed_row(feed, index, 0, 0, 2), GB_OK);
    assert_int_not_equal(gb_feed_row(feed, index, 0, 1, 0), GB_OK); /* no symmetry declared */
    assert_int_not_equal(gb_feed_row(feed, index, gb_window_count(index) * 3, 0, 0), GB_OK);
    gb_feed_destroy(feed);
    toy_program_destroy(&p);
    gb_window_index_destroy(index);
    gb_model_destroy(model);
    gb_dataset_destroy(dataset);
}

/* An untrained model with a fitted shortcut is ridge regression: better than repeating. */
static void the_closed_form_forecasts(void **state)
{
    (void)state;
    gb_model_config c = toy_config(GB_CODEC_SERIES, GB_HEAD_QUANTILE);
    c.head.shortcuts = 1;
    c.head.ridge = 1e-3f;
    gb_dataset *dataset = toy_waves(1, 400);
    gb_model *model = toy_model(&c);
    gb_window_index *index = toy_windows(model, dataset), *two[2] = {index, index};
    GOOD(gb_model_fit_statistics(model, &index, 1, NULL));
    GOOD(gb_model_fit_closed_form(model, two, 2, NULL)); /* one map: sources are pooled */
    gb_session *session = NULL;
    GOOD(gb_session_create(model, gb_session_defaults(), &session));
    float past[TOY_LOOK_BACK], future[TOY_HORIZON], out[TOY_HORIZON * 9];
    double error = 0.0, repeat = 0.0;
    for (int64_t w = 0; w < gb_window_count(index); w += 5) {
        GOOD(gb_window_read_column(index, w, 0, 0, past, future));
        GOOD(gb_session_forecast(session, past, 1, TOY_HORIZON, out));
        for (int i = 0; i < TOY_HORIZON; i++) {
            for (int q = 1; q < 9; q++)
                assert_true(out[i * 9 + q] > out[i * 9 + q - 1]);
            error += pow((double)(out[i * 9 + 4] - future[i]), 2);
            repeat += pow((double)(past[TOY_LOOK_BACK - 1] - future[i]), 2);
        }
    }
    assert_true(error < .05 * repeat);
    gb_session_destroy(session);
    gb_model_destroy(model);
    c.head.shortcuts = 3;
    model = toy_model(&c);
    assert_int_equal(gb_model_fit_closed_form(model, two, 2, NULL), GB_ERR_ARGUMENT);
    assert_non_null(strstr(gb_error_message(), "shortcuts is 3 and there are 2 sources"));
    gb_model_destroy(model);
    gb_window_index_destroy(index);
    gb_dataset_destroy(dataset);
}

static void wrong_windows_are_refused(void **state)
{
    (void)state;
    gb_model_config c = toy_config(GB_CODEC_SERIES, GB_HEAD_QUANTILE);
    gb_dataset *dataset = toy_waves(1, 120), *text = toy_text(100), *empty = NULL;
    gb_model *model = toy_model(&c);
    gb_window_spec spec;
    GOOD(gb_dataset_create(&empty));
    assert_int_not_equal(gb_model_window_spec(model, empty, &spec), GB_OK);
    assert_int_equal(gb_model_window_spec(model, text, &spec), GB_ERR_NOT_FOUND);
    gb_window_stream short_stream = {
        .name = "heat", .look_back = 8, .horizon = 2, .future_first = 1};
    spec = gb_window_spec_defaults();
    spec.streams = &short_stream;
    spec.stream_count = 1;
    gb_window_index *index = NULL;
    GOOD(gb_window_index_create(dataset, &spec, NULL, 0, &index));
    toy_program p = toy_training(model, 2, false, false, NULL);
    gb_feed *feed = NULL;
    assert_int_equal(gb_feed_create(model, p.exec, 3, &feed), GB_ERR_ARGUMENT);
    GOOD(gb_feed_create(model, p.exec, 2, &feed));
    assert_int_equal(gb_feed_row(feed, index, 0, 0, 0), GB_ERR_SHAPE);
    gb_feed_destroy(feed);
    toy_program_destroy(&p);
    gb_window_index_destroy(index);
    gb_model_destroy(model);
    gb_dataset_destroy(dataset);
    gb_dataset_destroy(text);
    gb_dataset_destroy(empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(series_and_quantiles),
        cmocka_unit_test(bytes_and_tokens),
        cmocka_unit_test(threads_and_recomputation_change_nothing),
        cmocka_unit_test(a_row_of_series),
        cmocka_unit_test(the_closed_form_forecasts),
        cmocka_unit_test(wrong_windows_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
