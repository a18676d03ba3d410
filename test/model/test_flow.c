/* The flow head: it learns a batch by heart, and what a session then answers is that batch's
 * actions, the same for the same seed and tick at any number of threads, clipped, and refused for
 * an observation that is not a number. Nothing is allocated while acting. */
#include "pushing.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- an allocator that can be told to fail; sanitizers bring their own --------------------------
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GB_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define GB_SANITIZED 1
#endif
#endif

static volatile int refusing, refused; /* in all threads of this program */

#ifndef GB_SANITIZED
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static bool allowed(void)
{
    if (refusing) {
        refused++;
        errno = ENOMEM;
    }
    return !refusing;
}

GB_API void *malloc(size_t size)
{
    return allowed() ? __libc_malloc(size) : NULL;
}

GB_API void *calloc(size_t count, size_t size)
{
    return allowed() ? __libc_calloc(count, size) : NULL;
}

GB_API void *realloc(void *memory, size_t size)
{
    return allowed() ? __libc_realloc(memory, size) : NULL;
}

GB_API void *aligned_alloc(size_t alignment, size_t size)
{
    return allowed() ? __libc_memalign(alignment, size) : NULL;
}

GB_API int posix_memalign(void **out, size_t alignment, size_t size)
{
    *out = allowed() ? __libc_memalign(alignment, size) : NULL;
    return *out ? 0 : ENOMEM;
}
#endif

/* ---- a model trained on a handful of windows ---------------------------------------------------
 */

enum {
    BATCH = 32,
    STEPS = 800,
    STEPS_VECTOR = 300
};

typedef struct trained {
    gb_model *model;
    pushing data;
    int steps;
    float first_loss, last_loss; /* means over some steps */
} trained;

static gb_status append_updates(gb_graph *g)
{
    gb_value step = gb_graph_input(g, "step", GB_I32, GB_SCALAR);
    gb_value rate = gb_graph_input(g, "rate", GB_F32, GB_SCALAR);
    gb_value parameter;
    for (int64_t i = 0; (parameter = gb_graph_parameter_at(g, i)) != GB_NONE; i++) {
        char m[160], v[160];
        snprintf(m, sizeof m, "m.%s", gb_value_name(g, parameter));
        snprintf(v, sizeof v, "v.%s", gb_value_name(g, parameter));
        gb_shape shape = gb_value_shape(g, parameter);
        gb_value gradient = gb_graph_gradient(g, parameter);
        assert_int_not_equal(gradient, GB_NONE);
        gb_op_adamw(g, parameter, gradient, gb_graph_state(g, m, GB_F32, shape),
                    gb_graph_state(g, v, GB_F32, shape), rate, step,
                    (gb_adamw){.beta1 = .9f, .beta2 = .99f, .epsilon = 1e-8f, .rate_scale = 1});
    }
    return gb_graph_status(g);
}

static void learn(trained *t)
{
    gb_graph *graph = NULL;
    gb_plan *plan = NULL;
    gb_exec *exec = NULL;
    gb_feed *feed = NULL;
    gb_tensors *state = NULL;
    gb_value loss;
    pushing_ok(gb_graph_create((gb_graph_options){.compute = GB_F32, .seed = 3}, &graph));
    pushing_ok(gb_model_build_loss(t->model, graph, BATCH, true, &loss));
    pushing_ok(gb_graph_backward(graph, loss, false));
    pushing_ok(append_updates(graph));
    pushing_ok(gb_plan_create(graph, 1, &plan));
    pushing_ok(gb_tensors_create(&state));
    pushing_ok(gb_graph_init_state(graph, state));
    gb_exec_options options = {.weights = gb_model_weights(t->model), .state = state};
    pushing_ok(gb_exec_create(plan, options, &exec));
    pushing_ok(gb_feed_create(t->model, exec, BATCH, &feed));
    for (int64_t row = 0; row < BATCH; row++)
        pushing_ok(gb_feed_row(feed, t->data.index, 3 * row, 0, row));
    float now = 0.0f;
    for (int s = 0; s < t->steps; s++) {
        *(int32_t *)gb_exec_tensor(exec, "step").data = s + 1;
        *(float *)gb_exec_tensor(exec, "rate").data = 4e-3f * (1.0f - (float)s / (float)t->steps);
        gb_exec_run(exec);
        float value = *(float *)gb_exec_tensor(exec, "loss").data;
        assert_true(isfinite(value));
        t->first_loss += s < 10 ? value / 10 : 0.0f;
        now += s >= t->steps - 50 ? value / 50 : 0.0f;
    }
    t->last_loss = now;
    gb_feed_destroy(feed);
    gb_exec_destroy(exec);
    gb_plan_destroy(plan);
    gb_tensors_destroy(state);
    gb_graph_destroy(graph);
}

static int setup(void **state)
{
    static trained t = {.steps = STEPS};
    gb_model_config config = pushing_config();
    pushing_ok(gb_model_create(&config, 1, &t.model));
    t.data = pushing_open(t.model, 4, false);
    pushing_ok(gb_model_fit_statistics(t.model, &t.data.index, 1, NULL));
    learn(&t);
    *state = &t;
    return 0;
}

static int teardown(void **state)
{
    trained *t = *state;
    pushing_close(&t->data);
    gb_model_destroy(t->model);
    return 0;
}

/* ---- tests -------------------------------------------------------------------------------------
 */

/* The observation of a window in the order of gb_model_observation, and its actions. */
typedef struct moment {
    float block[4], angle[2], agent[4], action[8];
    const float *streams[3];
} moment;

static void look(moment *m, int64_t window)
{
    int row = (int)(window % PUSHING_ROWS);
    for (int f = 0; f < 2; f++) {
        double v[7];
        int at = row - 1 + f;
        pushing_row((uint64_t)(window / PUSHING_ROWS), at < 0 ? 0 : at, v);
        m->agent[2 * f] = (float)v[0], m->agent[2 * f + 1] = (float)v[1];
        m->block[2 * f] = (float)v[2], m->block[2 * f + 1] = (float)v[3];
        m->angle[f] = (float)v[4];
    }
    for (int k = 0; k < 4; k++) {
        double v[7];
        int at = row + k;
        pushing_row((uint64_t)(window / PUSHING_ROWS), at >= PUSHING_ROWS ? PUSHING_ROWS - 1 : at,
                    v);
        m->action[2 * k] = (float)v[5], m->action[2 * k + 1] = (float)v[6];
    }
    m->streams[0] = m->block, m->streams[1] = m->angle, m->streams[2] = m->agent;
}

static gb_session *open_session(const gb_model *model, gb_pool *pool, gb_dtype compute)
{
    gb_session *session = NULL;
    gb_session_options options = gb_session_defaults();
    options.pool = pool;
    options.compute = compute;
    pushing_ok(gb_session_create(model, options, &session));
    return session;
}

static void test_learns_by_heart(void **state)
{
    const trained *t = *state;
    assert_true(t->first_loss > 0.8f); /* output starts at zero: E (a - e)^2 = 2 */
    if (t->last_loss > 0.1f * t->first_loss)
        fail_msg("loss went from %g to %g only", (double)t->first_loss, (double)t->last_loss);
    gb_session *session = open_session(t->model, NULL, GB_F32);
    double error = 0.0, size = 0.0;
    for (int64_t i = 0; i < BATCH; i++) {
        moment m;
        float out[8];
        look(&m, 3 * i);
        pushing_ok(gb_session_act(session, m.streams, 1, (uint64_t)i, out));
        for (int k = 0; k < 8; k++) {
            double away = (double)m.action[k] - (double)m.agent[2 + k % 2];
            error += pow((double)out[k] - (double)m.action[k], 2);
            size += away * away;
        }
    }
    if (error > 0.03 * size)
        fail_msg("rms error %g px of %g px", sqrt(error / (8 * BATCH)), sqrt(size / (8 * BATCH)));
    gb_session_destroy(session);
}

static void test_same_seed_same_chunk(void **state)
{
    const trained *t = *state;
    gb_pool *pools[2];
    pushing_ok(gb_pool_create(1, &pools[0]));
    pushing_ok(gb_pool_create(3, &pools[1]));
    gb_session *a = open_session(t->model, pools[0], GB_F32);
    gb_session *b = open_session(t->model, pools[1], GB_F32);
    moment m;
    float one[8], two[8], three[8];
    look(&m, 17);
    for (uint64_t tick = 0; tick < 5; tick++) {
        pushing_ok(gb_session_act(a, m.streams, 9, tick, one));
        pushing_ok(gb_session_act(b, m.streams, 9, tick, two));
        assert_memory_equal(one, two, sizeof one);
        pushing_ok(gb_session_act(a, m.streams, 9, tick + 100, three));
        assert_memory_not_equal(one, three, sizeof one); /* another tick, other noise */
        pushing_ok(gb_session_act(a, m.streams, 10, tick, three));
        assert_memory_not_equal(one, three, sizeof one);
        pushing_ok(gb_session_act(a, m.streams, 9, tick, three));
        assert_memory_equal(one, three, sizeof one);
    }
    gb_session_destroy(a);
    gb_session_destroy(b);
    gb_pool_destroy(pools[0]);
    gb_pool_destroy(pools[1]);
}

static void test_bf16_is_near(void **state)
{
    const trained *t = *state;
    gb_session *a = open_session(t->model, NULL, GB_F32);
    gb_session *b = open_session(t->model, NULL, GB_BF16);
    for (int64_t i = 0; i < BATCH; i++) {
        moment m;
        float one[8], two[8];
        look(&m, 3 * i);
        pushing_ok(gb_session_act(a, m.streams, 1, 1, one));
        pushing_ok(gb_session_act(b, m.streams, 1, 1, two));
        for (int k = 0; k < 8; k++)
            assert_float_equal(one[k], two[k], 12.0); /* px, of spreads near 120 */
    }
    gb_session_destroy(a);
    gb_session_destroy(b);
}

static void test_clips(void **state)
{
    const trained *t = *state;
    gb_session *session = open_session(t->model, NULL, GB_F32);
    moment m;
    float out[8];
    look(&m, 3);
    for (int i = 0; i < 4; i++)
        m.agent[i] = i % 2 ? -2000.0f : 3000.0f;
    pushing_ok(gb_session_act(session, m.streams, 1, 1, out));
    for (int k = 0; k < 8; k++)
        assert_true(out[k] == (k % 2 ? 0.0f : 512.0f));
    gb_session_destroy(session);
}

static void test_refuses_what_is_not_a_number(void **state)
{
    const trained *t = *state;
    gb_session *session = open_session(t->model, NULL, GB_F32);
    moment m;
    const float bad[3] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 3; i++) {
        float out[8] = {7, 7, 7, 7, 7, 7, 7, 7};
        look(&m, 3);
        m.block[3] = bad[i];
        assert_int_equal(gb_session_act(session, m.streams, 1, 1, out), GB_ERR_NUMERIC);
        assert_non_null(strstr(gb_error_message(), "stream block.position, row 1, value 1"));
        for (int k = 0; k < 8; k++)
            assert_true(out[k] == 7.0f);
    }
    gb_session_destroy(session);
}

static void test_allocates_nothing(void **state)
{
    const trained *t = *state;
    gb_pool *pool = NULL;
    pushing_ok(gb_pool_create(2, &pool));
    gb_session *session = open_session(t->model, pool, GB_F32);
    moment m;
    float out[8];
    gb_status status = GB_OK;
    look(&m, 5);
    refusing = 1;
    for (uint64_t tick = 0; tick < 50 && status == GB_OK; tick++)
        status = gb_session_act(session, m.streams, 1, tick, out);
    refusing = 0;
    assert_int_equal(status, GB_OK);
    assert_int_equal(refused, 0);
    gb_session_destroy(session);
    gb_pool_destroy(pool);
}

/* The vector codec feeds the same head. */
static void test_vector_codec(void **unused)
{
    (void)unused;
    char *streams[3] = {"block.position", "block.angle", "agent.position"};
    int sizes[3] = {2, 1, 2};
    gb_model_config config = pushing_config();
    config.codec = (gb_codec_config){.kind = GB_CODEC_VECTOR,
                                     .look_back = 2,
                                     .hidden = 32,
                                     .streams = streams,
                                     .stream_count = 3,
                                     .sizes = sizes,
                                     .size_count = 3};
    trained t = {.steps = STEPS_VECTOR};
    pushing_ok(gb_model_create(&config, 1, &t.model));
    t.data = pushing_open(t.model, 4, false);
    pushing_ok(gb_model_fit_statistics(t.model, &t.data.index, 1, NULL));
    const gb_tensor *stats = gb_tensors_find(gb_model_weights(t.model), "stats.vector");
    assert_non_null(stats);
    double mean = 0.0;
    for (int w = 0; w < 4 * PUSHING_ROWS; w++) {
        double v[7];
        pushing_row((uint64_t)(w / PUSHING_ROWS), w % PUSHING_ROWS, v);
        mean += v[4] / (4 * PUSHING_ROWS);
    }
    assert_float_equal(((const float *)stats->data)[2], mean, 1e-4);
    learn(&t);
    assert_true(t.last_loss < 0.4f * t.first_loss);
    gb_session *session = open_session(t.model, NULL, GB_F32);
    moment m;
    float out[8];
    look(&m, 9);
    pushing_ok(gb_session_act(session, m.streams, 1, 1, out));
    gb_session_destroy(session);
    pushing_close(&t.data);
    gb_model_destroy(t.model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learns_by_heart),
        cmocka_unit_test(test_same_seed_same_chunk),
        cmocka_unit_test(test_bf16_is_near),
        cmocka_unit_test(test_clips),
        cmocka_unit_test(test_refuses_what_is_not_a_number),
        cmocka_unit_test(test_allocates_nothing),
        cmocka_unit_test(test_vector_codec),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
