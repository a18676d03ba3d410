/* Sessions: forecasts as the graph computes them, bytes read with caches as without, nothing
 * allocated in a step. */
#include "model/toy.h"

#include "model/feed.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1 /* sanitizers replace malloc themselves */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

static int allocations; /* since it was set to 0, of all threads */

#ifndef SANITIZED
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

GB_API void *malloc(size_t size)
{
    __atomic_fetch_add(&allocations, 1, __ATOMIC_RELAXED);
    return __libc_malloc(size);
}

GB_API void *calloc(size_t count, size_t size)
{
    __atomic_fetch_add(&allocations, 1, __ATOMIC_RELAXED);
    return __libc_calloc(count, size);
}

GB_API void *aligned_alloc(size_t alignment, size_t size)
{
    __atomic_fetch_add(&allocations, 1, __ATOMIC_RELAXED);
    return __libc_memalign(alignment, size);
}
#endif

/* Weights that are not zero anywhere, so that every part of the graph counts. */
static gb_model *stirred(const gb_model_config *config)
{
    gb_model *model = toy_model(config);
    gb_tensors *weights = gb_model_weights(model);
    for (int64_t i = 0; i < gb_tensors_count(weights); i++) {
        gb_tensor *t = gb_tensors_at(weights, i, NULL);
        for (int64_t k = 0; k < gb_shape_count(&t->shape); k++)
            ((float *)t->data)[k] += .1f * gb_random_normal(9, (uint64_t)i, (uint64_t)k);
    }
    return model;
}

static void forecasts_are_the_graphs(void **state)
{
    (void)state;
    enum {
        COUNT = 5
    };
    gb_model_config c = toy_config(GB_CODEC_SERIES, GB_HEAD_QUANTILE);
    c.head.shortcuts = 2;
    gb_model *model = stirred(&c);
    float past[COUNT * TOY_LOOK_BACK], one[COUNT * TOY_HORIZON * 9], many[COUNT * TOY_HORIZON * 9];
    for (int i = 0; i < COUNT * TOY_LOOK_BACK; i++)
        past[i] = i % 11 == 5 ? NAN : 3.0f + 20.0f * toy_wave(0, 0, i);
    /* by hand: the prediction graph with the series as they are */
    toy_program p = {0};
    GOOD(gb_graph_create((gb_graph_options){.compute = GB_F32}, &p.graph));
    GOOD(gb_model_build_predict(model, p.graph, COUNT));
    toy_program_finish(&p, model, NULL);
    for (int i = 0; i < COUNT * TOY_LOOK_BACK; i++) {
        ((float *)gb_exec_tensor(p.exec, "series").data)[i] = isnan(past[i]) ? 0.0f : past[i];
        ((float *)gb_exec_tensor(p.exec, "mask").data)[i] = isnan(past[i]) ? 0.0f : 1.0f;
    }
    memset(gb_exec_tensor(p.exec, "identity").data, 0, COUNT * sizeof(int32_t));
    gb_exec_run(p.exec);
    const float *outward = gb_exec_tensor(p.exec, "quantiles").data;
    static const int place[9] = {8, 7, 6, 5, 0, 1, 2, 3, 4}; /* rising -> outward */
    gb_session_options options = gb_session_defaults();
    options.scaled = true;
    gb_session *a = NULL, *b = NULL;
    GOOD(gb_session_create(model, options, &a));
    options.batch = 2;
    GOOD(gb_session_create(model, options, &b));
    GOOD(gb_session_forecast(a, past, COUNT, TOY_HORIZON, one));
    GOOD(gb_session_forecast(b, past, COUNT, TOY_HORIZON, many));
    for (int i = 0; i < COUNT * TOY_HORIZON; i++)
        for (int q = 0; q < 9; q++)
            assert_float_equal(one[i * 9 + q], outward[i * 9 + place[q]], 2e-3);
    for (int i = 0; i < COUNT * TOY_HORIZON * 9; i++)
        assert_float_equal(one[i], many[i], 1e-3);
    GOOD(gb_session_forecast(a, past, COUNT, 4, many)); /* fewer rows ahead: the first ones */
    for (int s = 0; s < COUNT; s++)
        assert_memory_equal(many + s * 36, one + s * TOY_HORIZON * 9, 36 * sizeof(float));
    assert_int_equal(gb_session_forecast(a, past, 1, 0, many), GB_ERR_ARGUMENT);
    gb_session_destroy(a);
    gb_session_destroy(b);
    toy_program_destroy(&p);
    gb_model_destroy(model);
}

/* Beyond the head's horizon the medians become the past, whatever the batch. */
static void long_horizons_roll(void **state)
{
    (void)state;
    enum {
        LONG = 4 * TOY_HORIZON + 3
    };
    gb_model_config c = toy_config(GB_CODEC_SERIES, GB_HEAD_QUANTILE);
    gb_model *model = stirred(&c);
    gb_session *session = NULL;
    GOOD(gb_session_create(model, gb_session_defaults(), &session));
    float past[2 * TOY_LOOK_BACK], out[2 * LONG * 9], once[TOY_HORIZON * 9];
    for (int i = 0; i < 2 * TOY_LOOK_BACK; i++)
        past[i] = toy_wave(0, 1, i);
    GOOD(gb_session_forecast(session, past, 2, LONG, out));
    float *own = past + TOY_LOOK_BACK, *second = out + LONG * 9;
    for (int done = 0; done + TOY_HORIZON <= LONG; done += TOY_HORIZON) {
        GOOD(gb_session_forecast(session, own, 1, TOY_HORIZON, once));
        assert_memory_equal(once, second + done * 9, sizeof once);
        memmove(own, own + TOY_HORIZON, (TOY_LOOK_BACK - TOY_HORIZON) * sizeof *own);
        for (int i = 0; i < TOY_HORIZON; i++)
            own[TOY_LOOK_BACK - TOY_HORIZON + i] = once[i * 9 + 4];
    }
    gb_session_destroy(session);
    gb_model_destroy(model);
}

/* Any unit: a series times 1e-6 plus 1e3 forecasts the same times 1e-6 plus 1e3 (to f32). */
static void forecasts_follow_the_unit(void **state)
{
    (void)state;
    gb_model_config c = toy_config(GB_CODEC_SERIES, GB_HEAD_QUANTILE);
    gb_model *model = stirred(&c);
    gb_session *session = NULL;
    GOOD(gb_session_create(model, gb_session_defaults(), &session));
    float past[TOY_LOOK_BACK], a[TOY_HORIZON * 9], b[TOY_HORIZON * 9];
    for (int i = 0; i < TOY_LOOK_BACK; i++)
        past[i] = toy_wave(0, 0, i);
    GOOD(gb_session_forecast(session, past, 1, TOY_HORIZON, a));
    for (int i = 0; i < TOY_LOOK_BACK; i++)
        past[i] = 1e-6f * past[i];
    GOOD(gb_session_forecast(session, past, 1, TOY_HORIZON, b));
    for (int i = 0; i < TOY_HORIZON * 9; i++)
        assert_float_equal(a[i], 1e6f * b[i], 1e-3);
    for (int i = 0; i < TOY_LOOK_BACK; i++) /* a sensor that stands still, one that says nothing */
        past[i] = i % 2 ? 42.0f : NAN;
    GOOD(gb_session_forecast(session, past, 1, TOY_HORIZON, b));
    for (int i = 0; i < TOY_HORIZON; i++)
        assert_true(fabsf(b[i * 9 + 4] - 42.0f) < 1.0f);
    for (int i = 0; i < TOY_LOOK_BACK; i++)
        past[i] = NAN;
    GOOD(gb_session_forecast(session, past, 1, TOY_HORIZON, b));
    for (int i = 0; i < TOY_HORIZON * 9; i++)
        assert_true(isfinite(b[i]));
    gb_session_destroy(session);
    gb_model_destroy(model);
}

static void bytes_read_by_cache_as_in_one_go(void **state)
{
    (void)state;
    gb_model_config c = toy_config(GB_CODEC_BYTES, GB_HEAD_TOKEN);
    c.codec.look_back = 80;
    gb_model *model = stirred(&c);
    unsigned char text[80];
    for (int i = 0; i < 80; i++)
        text[i] = (unsigned char)(17 * i % 251);
    toy_program p = {0};
    GOOD(gb_graph_create((gb_graph_options){.compute = GB_F32}, &p.graph));
    GOOD(gb_model_build_predict(model, p.graph, 1));
    toy_program_finish(&p, model, NULL);
    for (int i = 0; i < 80; i++)
        ((int32_t *)gb_exec_tensor(p.exec, "bytes").data)[i] = text[i];
    gb_exec_run(p.exec);
    const float *whole = gb_exec_tensor(p.exec, "logits").data;
    gb_session *session = NULL;
    GOOD(gb_session_create(model, gb_session_defaults(), &session));
    float logits[256];
    static const int pieces[][4] = {{80, 0, 0, 0}, {1, 40, 38, 1}, {33, 7, 8, 32}};
    for (int k = 0; k < 3; k++) {
        int at = 0;
        for (int i = 0; i < 4 && pieces[k][i] > 0; i++) {
            GOOD(gb_session_read(session, text + at, pieces[k][i], logits));
            at += pieces[k][i];
        }
        assert_int_equal(at, 80);
        for (int i = 0; i < 256; i++)
            assert_float_equal(logits[i], whole[i], 2e-4);
        assert_int_equal(gb_session_read(session, text, 1, logits), GB_ERR_ARGUMENT); /* full */
        gb_session_reset(session);
    }
    assert_int_equal(gb_session_forecast(session, logits, 1, 1, logits), GB_ERR_ARGUMENT);
    gb_session_destroy(session);
    toy_program_destroy(&p);
    gb_model_destroy(model);
}

static void steps_allocate_nothing(void **state)
{
    (void)state;
#ifdef SANITIZED
    skip();
#endif
    gb_model_config c = toy_config(GB_CODEC_SERIES, GB_HEAD_QUANTILE);
    gb_model *forecaster = stirred(&c);
    c = toy_config(GB_CODEC_BYTES, GB_HEAD_TOKEN);
    gb_model *reader = stirred(&c);
    gb_dataset *dataset = toy_waves(1, 120);
    gb_window_index *index = toy_windows(forecaster, dataset);
    gb_pool *pool = NULL;
    GOOD(gb_pool_create(2, &pool));
    gb_session_options options = gb_session_defaults();
    options.pool = pool;
    options.compute = GB_BF16;
    gb_session *a = NULL, *b = NULL;
    GOOD(gb_session_create(forecaster, options, &a));
    GOOD(gb_session_create(reader, options, &b));
    toy_program p = toy_training(forecaster, 4, true, false, pool);
    gb_feed *feed = NULL;
    GOOD(gb_feed_create(forecaster, p.exec, 4, &feed));
    float past[TOY_LOOK_BACK] = {1, 2, 3}, out[TOY_HORIZON * 9], logits[256];
    void *keep = malloc(1); /* the hook itself works */
    assert_true(allocations > 0);
    free(keep);
    allocations = 0;
    for (int i = 0; i < 3; i++) {
        gb_status status = gb_session_forecast(a, past, 1, TOY_HORIZON, out);
        if (status == GB_OK)
            status = gb_session_read(b, (const unsigned char *)"abc", 3, logits);
        for (int64_t row = 0; row < 4 && status == GB_OK; row++)
            status = gb_feed_row(feed, index, 3 * row + i, 0, row);
        (void)toy_step(&p, i + 1, 1e-3f);
        gb_session_reset(b);
        assert_int_equal(status, GB_OK);
    }
    assert_int_equal(allocations, 0);
    gb_feed_destroy(feed);
    toy_program_destroy(&p);
    gb_session_destroy(a);
    gb_session_destroy(b);
    gb_pool_destroy(pool);
    gb_window_index_destroy(index);
    gb_dataset_destroy(dataset);
    gb_model_destroy(forecaster);
    gb_model_destroy(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forecasts_are_the_graphs),
        cmocka_unit_test(long_horizons_roll),
        cmocka_unit_test(forecasts_follow_the_unit),
        cmocka_unit_test(bytes_read_by_cache_as_in_one_go),
        cmocka_unit_test(steps_allocate_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
