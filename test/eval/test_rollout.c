/* Rollouts: the same at any number of threads, scored under either rule, refused when policies
 * fail.
 */
#include "genba/eval.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DATA GENBA_SOURCE_DIR "/data"

static gb_dataset *demonstrations(void)
{
    gb_dataset *demos = NULL;
    if (gb_demonstrations_load(DATA, "pusht", &demos) != GB_OK)
        fail_msg("%s", gb_error_message());
    return demos;
}

static bool same_episode(const gb_rollout *a, const gb_rollout *b, const gb_plant_info *plant)
{
    size_t observations = (size_t)(a->steps + 1) * (size_t)plant->observation_size;
    size_t actions = (size_t)a->steps * (size_t)plant->action_size;
    return a->seed == b->seed && a->steps == b->steps &&
           memcmp(a->observations, b->observations, observations * sizeof(double)) == 0 &&
           memcmp(a->actions, b->actions, actions * sizeof(double)) == 0 &&
           memcmp(a->rewards, b->rewards, (size_t)(a->steps + 1) * sizeof(double)) == 0;
}

/* The policy without training on a few published seeds: worth something, and the same bits at one
 * and at three threads. */
static void nearest_demonstration(void **state)
{
    (void)state;
    gb_dataset *demos = demonstrations();
    assert_int_equal(gb_dataset_count(demos), 206);
    gb_nearest_options nearest = {demos, true, 8, 8};
    gb_rollout_options options = gb_rollout_options_defaults();
    options.episodes = 6;
    gb_rollout_set *one = NULL, *three = NULL;
    assert_int_equal(gb_rollout_run(&options, gb_policy_make_nearest, &nearest, &one), GB_OK);
    assert_int_equal(gb_pool_create(3, &options.pool), GB_OK);
    assert_int_equal(gb_rollout_run(&options, gb_policy_make_nearest, &nearest, &three), GB_OK);
    double mean = 0.0;
    int64_t decisions = 0;
    for (int i = 0; i < 6; i++) {
        const gb_rollout *e = &one->episodes[i];
        assert_int_equal(e->seed, 100000 + i);
        assert_true(same_episode(e, &three->episodes[i], one->plant));
        assert_true(e->steps <= 300 && e->result.steps == e->steps);
        assert_true(gb_rollout_score_at(e, INFINITY) == e->result.score);
        assert_true(gb_rollout_score_at(e, 0.9025) <= e->result.score);
        mean += e->result.score / 6;
        decisions += (e->steps + 7) / 8;
    }
    assert_true(mean > 0.6);
    assert_int_equal(one->decision_count, decisions);
    for (int64_t i = 1; i < one->decision_count; i++)
        assert_true(one->decision_ms[i - 1] <= one->decision_ms[i]);
    gb_rollout_set_destroy(one);
    gb_rollout_set_destroy(three);
    gb_pool_destroy(options.pool);
    gb_dataset_destroy(demos);
}

/* A demonstration that stands in the store is followed exactly from its own start. */
static void nearest_of_one_demonstration_repeats_its_start(void **state)
{
    (void)state;
    gb_dataset *demos = demonstrations();
    const gb_plant_info *plant = NULL;
    gb_policy policy = {0};
    assert_int_equal(gb_plant_describe("pusht", &plant), GB_OK);
    gb_nearest_options nearest = {demos, false, 4, 4};
    assert_int_equal(gb_policy_make_nearest(&nearest, plant, &policy), GB_OK);
    double observation[5], actions[8];
    const gb_recording *first = gb_dataset_get(demos, 0);
    int at = 0;
    for (int i = 0; i < plant->observation_stream_count; i++) {
        int stream = gb_recording_find(first, plant->observation_streams[i].spec.name);
        const gb_stream_view *view = gb_recording_stream(first, stream);
        for (int64_t k = 0; k < view->size; k++)
            observation[at++] = (double)view->values[k];
    }
    assert_int_equal(policy.decide(policy.context, observation, 0, 0, actions), GB_OK);
    const double expected[] = {233, 71, 229, 83, 229, 86};
    for (int i = 0; i < 6; i++)
        assert_true(actions[i] == expected[i]);
    gb_policy_destroy(&policy);
    gb_policy_destroy(&policy); /* a zeroed one is fine */
    gb_dataset_destroy(demos);
}

/* ---- policies that misbehave ---------------------------------------------------------------- */

static gb_status
broken(void *context, const double *observations, uint64_t seed, uint64_t tick, double *actions)
{
    (void)context;
    (void)observations;
    actions[0] = 100.0;
    actions[1] = 100.0;
    return tick == 2 && seed == 100001 ? gb_fail(GB_ERR_NUMERIC, "the policy has lost its way")
                                       : GB_OK;
}

static gb_status make_broken(const void *context, const gb_plant_info *plant, gb_policy *out)
{
    (void)plant;
    const int *execute = context;
    *out = (gb_policy){.look_back = 1, .horizon = 1, .execute = *execute, .decide = broken};
    return GB_OK;
}

static void failures_are_forwarded(void **state)
{
    (void)state;
    gb_rollout_options options = gb_rollout_options_defaults();
    gb_rollout_set *set = NULL;
    int execute = 1;
    options.episodes = 3;
    assert_int_equal(gb_pool_create(2, &options.pool), GB_OK);
    assert_int_equal(gb_rollout_run(&options, make_broken, &execute, &set), GB_ERR_NUMERIC);
    assert_string_equal(gb_error_message(), "the policy has lost its way");
    execute = 2;
    assert_int_equal(gb_rollout_run(&options, make_broken, &execute, &set), GB_ERR_ARGUMENT);
    options.episodes = 0;
    assert_int_equal(gb_rollout_run(&options, make_broken, &execute, &set), GB_ERR_ARGUMENT);
    options.plant = "kettle";
    assert_int_equal(gb_rollout_run(&options, make_broken, &execute, &set), GB_ERR_NOT_FOUND);
    assert_null(set);
    gb_pool_destroy(options.pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nearest_demonstration),
        cmocka_unit_test(nearest_of_one_demonstration_repeats_its_start),
        cmocka_unit_test(failures_are_forwarded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
