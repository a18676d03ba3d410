/* The suite of machines: every plant has its rows, floors are far below teachers, a model finds its
 * own machine among them. A few episodes only. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "genba/eval.h"

enum {
    SUCCESS = 0 /* the first column */
};

static gb_suite_result *run(const gb_suite_options *options)
{
    gb_suite_result *result = NULL;
    if (gb_suite_run("machines", options, &result) != GB_OK)
        fail_msg("%s", gb_error_message());
    assert_int_equal(result->table_count, 1);
    return result;
}

static const gb_result_row *
find(const gb_suite_result *result, const char *machine, const char *how)
{
    char name[160];
    snprintf(name, sizeof name, "%s: %s", machine, how);
    for (int i = 0; i < result->tables[0].row_count; i++)
        if (strcmp(result->tables[0].rows[i].method, name) == 0)
            return &result->tables[0].rows[i];
    return NULL;
}

static void test_teachers_beat_floors(void **state)
{
    (void)state;
    gb_suite_options options = gb_suite_options_defaults();
    options.episodes = 5;
    options.resamples = 20;
    gb_suite_result *result = run(&options);
    const gb_plant_info *info;
    for (int i = 0; (info = gb_plant_at(i)) != NULL; i++) {
        const gb_result_row *random = find(result, info->name, "random");
        const gb_result_row *hold = find(result, info->name, "hold still");
        const gb_result_row *teacher = find(result, info->name, "teacher");
        assert_non_null(random);
        assert_non_null(hold);
        assert_int_equal(teacher != NULL, info->has_teacher);
        assert_true(hold->scores[SUCCESS].value == 0.0);
        if (!teacher)
            continue;
        assert_non_null(find(result, info->name, "open-loop replay"));
        assert_true(teacher->scores[SUCCESS].value >= 60.0);
        assert_true(random->scores[SUCCESS].value <= 20.0);
        assert_true(teacher->scores[SUCCESS].low < teacher->scores[SUCCESS].value ||
                    teacher->scores[SUCCESS].high > teacher->scores[SUCCESS].value);
    }
    gb_suite_result_destroy(result);
}

/* An untrained policy is no good, but it is run on the machine whose streams it knows, stepped and
 * driven both ways, and on no other. */
static void test_a_model_finds_its_machine(void **state)
{
    (void)state;
    static char *streams[1] = {"agent.position"};
    static int sizes[1] = {2};
    gb_model_config config = {
        .name = "new",
        .codec = {.kind = GB_CODEC_VECTOR,
                  .look_back = 1,
                  .streams = streams,
                  .stream_count = 1,
                  .sizes = sizes,
                  .size_count = 1},
        .backbone = {.width = 8},
        .head = {.kind = GB_HEAD_FLOW, .horizon = 4, .action = "agent.target", .action_size = 2}};
    gb_model *model = NULL;
    assert_int_equal(gb_model_create(&config, 1, &model), GB_OK);
    gb_suite_options options = gb_suite_options_defaults();
    const gb_model *models[1] = {model};
    options.models = models;
    options.model_count = 1;
    options.baselines = "hold";
    options.episodes = 2;
    gb_suite_result *result = run(&options);
    assert_non_null(find(result, "pusht", "new, stepped"));
    assert_non_null(find(result, "pusht", "new, pilot and servo, plain switching"));
    const gb_result_row *driven = find(result, "pusht", "new, pilot and servo, real-time chunking");
    assert_non_null(driven);
    assert_true(isfinite(driven->scores[4].value)); /* jerk */
    const gb_plant_info *info;
    for (int i = 0; (info = gb_plant_at(i)) != NULL; i++)
        if (strcmp(info->name, "pusht") != 0)
            assert_null(find(result, info->name, "new, stepped"));
    gb_suite_result_destroy(result);

    options.compute = GB_BF16; /* rows say so */
    result = run(&options);
    assert_non_null(find(result, "pusht", "new in bf16, stepped"));
    assert_non_null(find(result, "pusht", "new in bf16, pilot and servo, plain switching"));
    assert_null(find(result, "pusht", "new, stepped"));
    gb_suite_result_destroy(result);
    options.baselines = "";
    assert_int_equal(gb_suite_run("ett", &options, &result), GB_ERR_ARGUMENT);
    assert_non_null(strstr(gb_error_message(), "pusht and machines"));
    gb_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_teachers_beat_floors),
        cmocka_unit_test(test_a_model_finds_its_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
