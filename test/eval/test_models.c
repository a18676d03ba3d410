/* Models through the suites: a forecaster that is a ridge regression scores as one, an untrained
 * policy drives the same way at any number of threads, and the wrong model is refused. */
#include "genba/eval.h"
#include "genba/train.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DATA GENBA_SOURCE_DIR "/data"
#define EXAMPLES GENBA_SOURCE_DIR "/examples"

static void must(gb_status status)
{
    if (status != GB_OK)
        fail_msg("%s", gb_error_message());
}

/* The recipe's model as it stands before the first step: statistics and closed forms fitted. */
static gb_model *untrained(const char *recipe_path, int look_back, int horizon)
{
    gb_recipe *recipe = NULL;
    gb_train_data *data = NULL;
    gb_model *model = NULL;
    must(gb_recipe_load(recipe_path, &recipe));
    recipe->model->codec.look_back = look_back;
    recipe->model->head.horizon = horizon;
    must(gb_train_data_open(recipe, &data));
    must(gb_model_create(recipe->model, 5, &model));
    must(gb_train_data_index(data, model));
    gb_window_index *windows = gb_train_data_windows(data, 0);
    must(gb_model_fit_statistics(model, &windows, 1, NULL));
    must(gb_model_fit_closed_form(model, &windows, 1, NULL));
    gb_train_data_destroy(data);
    gb_recipe_free(recipe);
    return model;
}

/* Before training the quantile head is its closed form: its scores are near those of the baseline,
 * which reads more past. What lies beyond its horizon is not reported. */
static void forecaster_that_is_a_ridge_scores_as_one(void **state)
{
    gb_model *model = *state;
    gb_suite_options options = gb_suite_options_defaults();
    options.data = DATA;
    options.only = "ETTh1";
    options.baselines = "ridge";
    options.window_step = 90;
    options.resamples = 0;
    options.examples = 2;
    options.model = model;
    options.model_name = "before training";
    gb_suite_result *result = NULL;
    must(gb_suite_run("ett", &options, &result));
    const gb_result_row *rows = result->tables[0].rows;
    assert_string_equal(rows[0].method, "before training");
    assert_int_equal(rows[0].source, GB_RESULT_MODEL);
    for (int c = 0; c < 8; c++) {
        double off = rows[0].scores[c].value - rows[1].scores[c].value;
        assert_true(c % 4 == 0 ? fabs(off) < 0.03 : isnan(off));
    }
    assert_int_equal(result->example_count, 2);
    const gb_forecast_example *e = &result->examples[0];
    assert_int_equal(e->quantile_count, 9);
    for (int64_t h = 0; h < e->horizon; h++) {
        for (int q = 1; q < 9; q++)
            assert_true(e->quantiles[h * 9 + q] >= e->quantiles[h * 9 + q - 1]);
    }
    gb_suite_result_destroy(result);
}

static void wrong_models_are_refused(void **state)
{
    gb_model *model = *state;
    gb_suite_options options = gb_suite_options_defaults();
    options.data = DATA;
    options.model = model;
    options.baselines = "";
    gb_suite_result *result = NULL;
    assert_int_equal(gb_suite_run("pusht", &options, &result), GB_ERR_MISMATCH);
    assert_non_null(strstr(gb_error_message(), "agent.target"));
    assert_null(result);
}

static void policy_drives_the_same_at_any_number_of_threads(void **state)
{
    (void)state;
    gb_model *model = untrained(EXAMPLES "/pusht.yaml", 2, 16);
    gb_rollout_options options = gb_rollout_options_defaults();
    options.episodes = 3;
    options.plant_options.max_steps = 40;
    gb_rollout_set *one = NULL, *two = NULL, *other = NULL;
    must(gb_rollout_run(&options, gb_policy_make_model, model, &one));
    must(gb_pool_create(2, &options.pool));
    must(gb_rollout_run(&options, gb_policy_make_model, model, &two));
    options.policy_seed = 1;
    must(gb_rollout_run(&options, gb_policy_make_model, model, &other));
    for (int i = 0; i < 3; i++) {
        const gb_rollout *a = &one->episodes[i], *b = &two->episodes[i];
        assert_int_equal(a->steps, b->steps);
        size_t bytes = (size_t)a->steps * 2 * sizeof(double);
        assert_memory_equal(a->actions, b->actions, bytes);
        assert_true(memcmp(a->actions, other->episodes[i].actions, 2 * sizeof(double)) != 0);
    }
    gb_suite_options suite = gb_suite_options_defaults();
    gb_suite_result *result = NULL;
    suite.data = DATA;
    suite.model = model;
    suite.baselines = "";
    assert_int_equal(gb_suite_run("ett", &suite, &result), GB_ERR_MISMATCH);
    gb_rollout_set_destroy(one);
    gb_rollout_set_destroy(two);
    gb_rollout_set_destroy(other);
    gb_pool_destroy(options.pool);
    gb_model_destroy(model);
}

static int set_up(void **state)
{
    *state = untrained(EXAMPLES "/ett.yaml", 192, 96);
    return 0;
}

static int tear_down(void **state)
{
    gb_model_destroy(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forecaster_that_is_a_ridge_scores_as_one),
        cmocka_unit_test(wrong_models_are_refused),
        cmocka_unit_test(policy_drives_the_same_at_any_number_of_threads),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
