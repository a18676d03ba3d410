/* Suites pinned by figures that need no model: if a loader, a split or a metric moves, these do. */
#include "genba/eval.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DATA GENBA_SOURCE_DIR "/data"

static void near(double value, double expected, double slack)
{
    if (!(fabs(value - expected) <= slack))
        fail_msg("%.9g, expected %.9g", value, expected);
}

static gb_suite_result *run(const char *suite, gb_suite_options options)
{
    gb_suite_result *result = NULL;
    if (gb_suite_run(suite, &options, &result) != GB_OK)
        fail_msg("%s", gb_error_message());
    return result;
}

static const gb_result_row *row_of(const gb_result_table *table, const char *method)
{
    for (int r = 0; r < table->row_count; r++) {
        if (strcmp(table->rows[r].method, method) == 0)
            return &table->rows[r];
    }
    fail_msg("%s has no row %s", table->title, method);
    return NULL;
}

/* ---- ett ------------------------------------------------------------------------------------ */

static void ett_is_pinned_by_repeating_the_last_value(void **state)
{
    (void)state;
    gb_suite_options options = gb_suite_options_defaults();
    options.data = DATA;
    options.only = "ETTh1";
    options.baselines = "repeat";
    options.resamples = 200;
    gb_suite_result *result = run("ett", options);
    assert_int_equal(result->table_count, 1);
    assert_non_null(strstr(result->tables[0].caption, "2785 test windows"));
    const gb_interval *scores = row_of(&result->tables[0], "Repeat the last value")->scores;
    near(scores[0].value, 1.2944, 5e-5);
    near(scores[4].value, 0.7132, 5e-5);
    near(scores[3].value, 1.3351, 5e-5);
    near(scores[7].value, 0.7550, 5e-5);
    assert_true(scores[0].low < scores[0].value && scores[0].value < scores[0].high);
    near(row_of(&result->tables[0], "PatchTST")->scores[1].value, 0.413, 1e-9);
    assert_true(isnan(row_of(&result->tables[0], "PatchTST")->scores[1].low));
    gb_suite_result_destroy(result);
}

static void ett_ridge_beats_repeating_and_keeps_forecasts(void **state)
{
    (void)state;
    gb_suite_options options = gb_suite_options_defaults();
    options.data = DATA;
    options.only = "ETTh1";
    options.baselines = "ridge";
    options.window_step = 60;
    options.resamples = 0;
    options.examples = 3;
    gb_pool *pool = NULL;
    assert_int_equal(gb_pool_create(2, &pool), GB_OK);
    gb_suite_result *one = run("ett", options);
    options.pool = pool;
    gb_suite_result *two = run("ett", options);
    const gb_interval *a = row_of(&one->tables[0], "Ridge regression")->scores;
    const gb_interval *b = row_of(&two->tables[0], "Ridge regression")->scores;
    near(a[0].value, 0.367, 0.03);
    for (int c = 0; c < 8; c++)
        assert_true(a[c].value == b[c].value); /* whatever the number of threads */
    assert_int_equal(one->example_count, 3);
    const gb_forecast_example *e = &one->examples[0];
    assert_string_equal(e->series, "ETTh1 OT");
    assert_int_equal(strlen(e->start), strlen("2017-11-20 00:00"));
    assert_true(isfinite(e->past[0]) && isfinite(e->truth[e->horizon - 1]) && e->mse > 0.0);
    gb_suite_result_destroy(one);
    gb_suite_result_destroy(two);
    gb_pool_destroy(pool);
}

/* ---- stopped on request --------------------------------------------------------------------- */

/* Raises the flag when a piece of work has got so far. */
typedef struct stopper {
    const char *what;
    double at;
    volatile int flag;
} stopper;

static void stop_there(void *context, const char *what, double fraction)
{
    stopper *s = context;
    if (strcmp(what, s->what) == 0 && fraction >= s->at)
        s->flag = 1;
}

static gb_suite_result *run_until(const char *suite, gb_suite_options options, stopper *s)
{
    options.progress = stop_there;
    options.progress_context = s;
    options.stop = &s->flag;
    options.resamples = 0;
    return run(suite, options);
}

static void a_stopped_suite_keeps_the_rows_that_are_whole(void **state)
{
    (void)state;
    gb_suite_options options = gb_suite_options_defaults();
    options.data = DATA;
    options.only = "ETTh1 ETTh2";
    options.baselines = "ridge repeat";
    options.window_step = 20;
    stopper s = {.what = "ETTh1: Repeat the last value", .at = 0.5};
    gb_suite_result *result = run_until("ett", options, &s);
    assert_int_equal(result->table_count, 1); /* ETTh2 was not begun */
    assert_int_equal(result->tables[0].row_count, 1);
    assert_string_equal(result->tables[0].rows[0].method, "Ridge regression");
    near(result->tables[0].rows[0].scores[0].value, 0.367, 0.03);
    assert_non_null(strstr(result->stopped, "% of ETTh1: Repeat the last value"));
    gb_arena *arena = NULL;
    char *text = NULL;
    assert_int_equal(gb_arena_create(0, &arena), GB_OK);
    assert_int_equal(gb_suite_result_json(result, arena, &text), GB_OK);
    assert_non_null(strstr(text, "\"complete\":false,\"stopped\":\"at "));
    gb_arena_destroy(arena);
    gb_suite_result_destroy(result);
    options.stop = &s.flag; /* raised before it begins: nothing at all, and no table without rows */
    result = run("ett", options);
    assert_int_equal(result->table_count, 0);
    assert_string_equal(result->stopped, "before the first figure");
    gb_suite_result_destroy(result);
}

/* On one thread: a plain flag is for signals, not for other threads. */
static void a_stopped_plant_suite_scores_no_part_of_its_episodes(void **state)
{
    (void)state;
    gb_suite_options options = gb_suite_options_defaults();
    options.data = DATA;
    options.episodes = 6;
    stopper s = {.what = "pusht: nearest demonstration", .at = 0.3};
    gb_suite_result *result = run_until("pusht", options, &s);
    assert_int_equal(result->table_count, 0);
    assert_null(result->rollouts);
    assert_non_null(strstr(result->stopped, "% of pusht: nearest demonstration"));
    gb_suite_result_destroy(result);
    s = (stopper){.what = "pusht: demonstrations", .at = 0.1};
    result = run_until("pusht", options, &s);
    assert_int_equal(result->table_count, 1);
    assert_int_equal(result->tables[0].row_count, 1);
    assert_string_equal(result->tables[0].rows[0].method, "Nearest demonstration");
    assert_int_equal(result->rollouts->count, 6);
    gb_suite_result_destroy(result);
}

/* ---- sets that are read from GENBA_DATA ----------------------------------------------------- */

static bool outside(const char *set)
{
    char path[4096];
    if (getenv("GENBA_DATA") && gb_data_find(getenv("GENBA_DATA"), set, path, sizeof path) == GB_OK)
        return true;
    print_message("%s is not there: set GENBA_DATA to the folder that has it\n", set);
    return false;
}

static void skab_is_pinned_by_its_floors(void **state)
{
    (void)state;
    if (!outside("skab"))
        skip();
    gb_suite_options options = gb_suite_options_defaults();
    options.resamples = 100;
    gb_suite_result *result = run("skab", options);
    const gb_interval *always = row_of(&result->tables[0], "Always raise the alarm")->scores;
    near(always[0].value, 2.0 * 12771 / (12771 + 23801), 1e-12); /* .698 */
    near(always[1].value, 100.0, 0.0);
    near(always[2].value, 0.0, 0.0);
    const gb_interval *z = row_of(&result->tables[0], "Plain z-scores")->scores;
    near(z[0].value, 0.776, 0.003);
    near(z[1].value, 44.0, 1.0);
    near(z[2].value, 12.5, 1.0);
    gb_suite_result_destroy(result);
}

static void cmapss_is_pinned_by_the_capped_truth(void **state)
{
    (void)state;
    if (!outside("cmapss"))
        skip();
    gb_suite_options options = gb_suite_options_defaults();
    options.baselines = "perfect mean";
    options.resamples = 100;
    gb_suite_result *result = run("cmapss", options);
    const gb_interval *perfect = row_of(&result->tables[0], "The capped truth")->scores;
    near(perfect[0].value, 0.0, 0.0);
    near(perfect[1].value, 3.74, 0.005);
    assert_true(row_of(&result->tables[0], "Mean life")->scores[0].value > 40.0);
    gb_suite_result_destroy(result);
}

/* ---- names and places ----------------------------------------------------------------------- */

static void wrong_names_are_told(void **state)
{
    (void)state;
    gb_suite_options options = gb_suite_options_defaults();
    options.data = DATA;
    gb_suite_result *result = NULL;
    assert_int_equal(gb_suite_run("etx", &options, &result), GB_ERR_NOT_FOUND);
    assert_non_null(strstr(gb_error_message(), "ett, skab, cmapss, pusht"));
    options.baselines = "repeat magic";
    assert_int_equal(gb_suite_run("ett", &options, &result), GB_ERR_NOT_FOUND);
    assert_non_null(strstr(gb_error_message(), "\"magic\""));
    options.baselines = "repeat";
    options.only = "ETTx9";
    assert_int_equal(gb_suite_run("ett", &options, &result), GB_ERR_NOT_FOUND);
    assert_non_null(strstr(gb_error_message(), "ETTx9"));
    options.data = "/nowhere";
    assert_int_equal(gb_suite_run("ett", &options, &result), GB_ERR_NOT_FOUND);
    assert_non_null(strstr(gb_error_message(), "/nowhere"));
    options.window_step = 0;
    assert_int_equal(gb_suite_run("ett", &options, &result), GB_ERR_ARGUMENT);
    assert_null(result);
    gb_dataset *demos = NULL;
    assert_int_equal(gb_demonstrations_load(DATA, "kettle", &demos), GB_ERR_NOT_FOUND);
    assert_null(demos);
}

static void suites_describe_themselves(void **state)
{
    (void)state;
    int count = 0;
    for (const gb_suite_info *info; (info = gb_suite_at(count)); count++)
        assert_true(*info->name && *info->summary && info->data && *info->baselines);
    assert_int_equal(count, 5);
    assert_null(gb_suite_at(-1));
}

static void tables_print_and_parse(void **state)
{
    (void)state;
    gb_suite_options options = gb_suite_options_defaults();
    options.data = DATA;
    options.only = "ETTh1";
    options.baselines = "repeat";
    options.window_step = 400;
    options.command = "genba eval ett";
    gb_suite_result *result = run("ett", options);
    gb_arena *arena = NULL;
    char *text = NULL, *json = NULL;
    assert_int_equal(gb_arena_create(0, &arena), GB_OK);
    assert_int_equal(gb_table_text(&result->tables[0], arena, &text), GB_OK);
    assert_non_null(strstr(text, "Repeat the last value"));
    assert_non_null(strstr(text, "published"));
    assert_int_equal(gb_suite_result_json(result, arena, &json), GB_OK);
    assert_non_null(strstr(json, "\"command\":\"genba eval ett\""));
    assert_non_null(strstr(json, "\"low\":null"));
    gb_arena_destroy(arena);
    gb_suite_result_destroy(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ett_is_pinned_by_repeating_the_last_value),
        cmocka_unit_test(ett_ridge_beats_repeating_and_keeps_forecasts),
        cmocka_unit_test(a_stopped_suite_keeps_the_rows_that_are_whole),
        cmocka_unit_test(a_stopped_plant_suite_scores_no_part_of_its_episodes),
        cmocka_unit_test(skab_is_pinned_by_its_floors),
        cmocka_unit_test(cmapss_is_pinned_by_the_capped_truth),
        cmocka_unit_test(wrong_names_are_told),
        cmocka_unit_test(suites_describe_themselves),
        cmocka_unit_test(tables_print_and_parse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
