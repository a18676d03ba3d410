/* Recordings, datasets, splits and statistics. */
#include "genba/record.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static gb_recording_builder *new_builder(const char *name)
{
    gb_recording_info info = {.name = name, .source = "memory"};
    gb_recording_builder *builder = NULL;
    assert_int_equal(gb_recording_builder_create(&info, &builder), GB_OK);
    return builder;
}

static int add_vector(gb_recording_builder *builder, const char *name, int64_t size)
{
    gb_stream_spec spec = gb_stream_spec_defaults(name);
    spec.kind = GB_STREAM_VECTOR;
    spec.rank = 1;
    spec.shape[0] = size;
    int stream = -1;
    assert_int_equal(gb_recording_builder_stream(builder, &spec, &stream), GB_OK);
    return stream;
}

static void keeps_what_was_appended(void **state)
{
    (void)state;
    gb_recording_builder *builder = new_builder("a");
    static const char *const labels[] = {"x", "y"};
    gb_stream_spec spec = gb_stream_spec_defaults("pose");
    spec.kind = GB_STREAM_VECTOR;
    spec.unit = "m";
    spec.rank = 1;
    spec.shape[0] = 2;
    spec.labels = labels;
    int stream = -1;
    assert_int_equal(gb_recording_builder_stream(builder, &spec, &stream), GB_OK);
    assert_int_equal(stream, 0);
    int64_t times[] = {10, 20, 30};
    float values[] = {1, 2, 3, NAN, 5, 6};
    uint8_t quality[] = {GB_QUALITY_GOOD, GB_QUALITY_GOOD, GB_QUALITY_BAD};
    assert_int_equal(gb_recording_builder_append(builder, 0, 3, times, values, quality), GB_OK);
    gb_recording *recording = NULL;
    assert_int_equal(gb_recording_builder_finish(builder, &recording), GB_OK);

    assert_string_equal(gb_recording_get_info(recording)->name, "a");
    assert_string_equal(gb_recording_get_info(recording)->instruction, "");
    assert_int_equal(gb_recording_find(recording, "pose"), 0);
    assert_int_equal(gb_recording_find(recording, "none"), -1);
    const gb_stream_view *view = gb_recording_stream(recording, 0);
    assert_null(gb_recording_stream(recording, 1));
    assert_string_equal(view->spec->unit, "m");
    assert_string_equal(view->spec->labels[1], "y");
    assert_int_equal(view->size, 2);
    assert_int_equal(view->count, 3);
    assert_memory_equal(view->time_ns, times, sizeof times);
    assert_true(view->values[4] == 5.0F);
    assert_int_equal(view->quality[1], GB_QUALITY_MISSING);
    assert_int_equal(view->quality[2], GB_QUALITY_BAD);
    assert_true(view->ordered);
    assert_false(view->clean);
    assert_int_equal(view->period_ns, 10);
    gb_recording_destroy(recording);
}

static void shares_times_of_streams_sampled_together(void **state)
{
    (void)state;
    gb_recording_builder *builder = new_builder("a");
    for (int i = 0; i < 3; i++)
        add_vector(builder, i == 0 ? "a" : i == 1 ? "b" : "c", 1);
    for (int64_t t = 0; t < 1000; t++) {
        float value = (float)t;
        for (int i = 0; i < 3; i++) {
            int64_t time_ns = i == 2 && t > 500 ? 2 * t : t;
            assert_int_equal(gb_recording_builder_append(builder, i, 1, &time_ns, &value, NULL),
                             GB_OK);
        }
    }
    gb_recording *recording = NULL;
    assert_int_equal(gb_recording_builder_finish(builder, &recording), GB_OK);
    const gb_stream_view *a = gb_recording_stream(recording, 0);
    const gb_stream_view *b = gb_recording_stream(recording, 1);
    const gb_stream_view *c = gb_recording_stream(recording, 2);
    assert_ptr_equal(a->time_ns, b->time_ns);
    assert_ptr_not_equal(a->time_ns, c->time_ns);
    assert_int_equal(c->time_ns[500], 500);
    assert_int_equal(c->time_ns[501], 1002);
    assert_int_equal(a->period_ns, 1);
    assert_int_equal(c->period_ns, 0);
    gb_recording_destroy(recording);
}

static void says_when_time_steps_back(void **state)
{
    (void)state;
    gb_recording_builder *builder = new_builder("a");
    add_vector(builder, "a", 1);
    int64_t times[] = {0, 10, 5, 15};
    float values[4] = {0};
    assert_int_equal(gb_recording_builder_append(builder, 0, 4, times, values, NULL), GB_OK);
    gb_recording *recording = NULL;
    assert_int_equal(gb_recording_builder_finish(builder, &recording), GB_OK);
    assert_false(gb_recording_stream(recording, 0)->ordered);
    assert_int_equal(gb_recording_stream(recording, 0)->period_ns, 0);
    gb_recording_destroy(recording);
}

static void refuses_wrong_streams(void **state)
{
    (void)state;
    gb_recording_builder *builder = new_builder("a");
    add_vector(builder, "a", 2);
    gb_stream_spec spec = gb_stream_spec_defaults("a");
    int stream = 77;
    assert_int_equal(gb_recording_builder_stream(builder, &spec, &stream), GB_ERR_ARGUMENT);
    assert_non_null(strstr(gb_error_message(), "already"));
    spec.name = "";
    assert_int_equal(gb_recording_builder_stream(builder, &spec, &stream), GB_ERR_ARGUMENT);
    spec = gb_stream_spec_defaults("b");
    spec.rank = 2;
    spec.shape[0] = 1LL << 20;
    spec.shape[1] = 1LL << 20;
    assert_int_equal(gb_recording_builder_stream(builder, &spec, &stream), GB_ERR_ARGUMENT);
    spec.rank = 9;
    assert_int_equal(gb_recording_builder_stream(builder, &spec, &stream), GB_ERR_ARGUMENT);
    assert_int_equal(stream, 77);
    int64_t time_ns = 0;
    float values[2] = {0};
    uint8_t quality = 9;
    assert_int_equal(gb_recording_builder_append(builder, 0, 1, &time_ns, values, &quality),
                     GB_ERR_ARGUMENT);
    assert_int_equal(gb_recording_builder_append(builder, 4, 1, &time_ns, values, NULL),
                     GB_ERR_ARGUMENT);
    gb_recording_builder_abandon(builder);
    gb_recording_builder_abandon(NULL);
    gb_recording_destroy(NULL);
}

static void kinds_have_names(void **state)
{
    (void)state;
    for (int k = 0; k < GB_STREAM_KIND_COUNT; k++) {
        gb_stream_kind kind = GB_STREAM_KIND_COUNT;
        assert_int_equal(gb_stream_kind_parse(gb_stream_kind_name((gb_stream_kind)k), &kind),
                         GB_OK);
        assert_int_equal(kind, k);
    }
    gb_stream_kind kind = GB_STREAM_TEXT;
    assert_int_equal(gb_stream_kind_parse("smell", &kind), GB_ERR_NOT_FOUND);
    assert_int_equal(kind, GB_STREAM_TEXT);
}

/* `count` recordings "r0", "r1", ... with stream "x" [2] of `rows` rows: x = (row, 10 recording).
 */
static gb_dataset *new_dataset(int count, int64_t rows)
{
    gb_dataset *dataset = NULL;
    assert_int_equal(gb_dataset_create(&dataset), GB_OK);
    for (int r = 0; r < count; r++) {
        char name[16] = {'r', (char)('0' + r % 10), 0};
        gb_recording_builder *builder = new_builder(name);
        add_vector(builder, "x", 2);
        for (int64_t t = 0; t < rows; t++) {
            float values[2] = {(float)t, 10.0F * (float)r};
            int64_t time_ns = t * 1000;
            assert_int_equal(gb_recording_builder_append(builder, 0, 1, &time_ns, values, NULL),
                             GB_OK);
        }
        gb_recording *recording = NULL;
        assert_int_equal(gb_recording_builder_finish(builder, &recording), GB_OK);
        assert_int_equal(gb_dataset_add(dataset, recording), GB_OK);
    }
    return dataset;
}

static void splits_share_nothing(void **state)
{
    (void)state;
    gb_dataset *dataset = new_dataset(10, 3);
    for (uint64_t seed = 0; seed < 3; seed++) {
        int seen[10] = {0};
        double edges[] = {0, 0.33, 0.75, 1};
        for (int part = 0; part < 3; part++) {
            gb_row_range ranges[10];
            int64_t count = 0;
            assert_int_equal(
                gb_split_fraction(dataset, edges[part], edges[part + 1], seed, ranges, &count),
                GB_OK);
            for (int64_t i = 0; i < count; i++)
                seen[ranges[i].recording]++;
        }
        for (int r = 0; r < 10; r++)
            assert_int_equal(seen[r], 1);
    }
    gb_row_range ranges[10];
    int64_t count = 0;
    assert_int_equal(gb_split_fraction(dataset, 0.5, 0.2, 0, ranges, &count), GB_ERR_ARGUMENT);
    const char *names[] = {"r3", "r1"};
    assert_int_equal(gb_split_names(dataset, names, 2, ranges), GB_OK);
    assert_int_equal(ranges[0].recording, 3);
    assert_int_equal(ranges[1].recording, 1);
    names[1] = "nobody";
    assert_int_equal(gb_split_names(dataset, names, 2, ranges), GB_ERR_NOT_FOUND);
    assert_non_null(strstr(gb_error_message(), "nobody"));
    assert_int_equal(gb_split_rows(dataset, 5, 2, false, ranges), GB_ERR_ARGUMENT);
    gb_dataset_destroy(dataset);
}

static void statistics_are_those_of_the_population(void **state)
{
    (void)state;
    gb_dataset *dataset = new_dataset(2, 5);
    gb_column_stats stats[2];
    assert_int_equal(gb_stats_compute(dataset, "x", NULL, 0, stats, 2), GB_OK);
    assert_true(fabs(stats[0].mean - 2) < 1e-12);
    assert_true(fabs(stats[0].sigma - sqrt(2)) < 1e-12);
    assert_true(stats[0].min == 0 && stats[0].max == 4);
    assert_int_equal(stats[0].count, 10);
    assert_true(fabs(stats[1].sigma - 5) < 1e-12);
    gb_row_range range = {1, 1, 3, false};
    assert_int_equal(gb_stats_compute(dataset, "x", &range, 1, stats, 2), GB_OK);
    assert_true(stats[0].mean == 1.5 && stats[1].mean == 10 && stats[1].sigma == 0);
    assert_int_equal(gb_stats_compute(dataset, "x", NULL, 0, stats, 3), GB_ERR_SHAPE);
    assert_int_equal(gb_stats_compute(dataset, "y", NULL, 0, stats, 2), GB_ERR_NOT_FOUND);
    range.last_row = 6;
    assert_int_equal(gb_stats_compute(dataset, "x", &range, 1, stats, 2), GB_ERR_ARGUMENT);
    assert_true(stats[0].mean == 1.5); /* untouched */
    gb_dataset_destroy(dataset);
}

static void statistics_leave_out_missing_and_bad(void **state)
{
    (void)state;
    gb_recording_builder *builder = new_builder("a");
    add_vector(builder, "x", 2);
    int64_t times[] = {0, 1, 2, 3};
    float values[] = {1e8F, NAN, 1e8F, NAN, 5, NAN, 1e8F, NAN};
    uint8_t quality[] = {0, 0, GB_QUALITY_BAD, 0};
    values[5] = 7; /* whole, but bad */
    assert_int_equal(gb_recording_builder_append(builder, 0, 4, times, values, quality), GB_OK);
    gb_recording *recording = NULL;
    assert_int_equal(gb_recording_builder_finish(builder, &recording), GB_OK);
    gb_dataset *dataset = NULL;
    assert_int_equal(gb_dataset_create(&dataset), GB_OK);
    assert_int_equal(gb_dataset_add(dataset, recording), GB_OK);
    gb_column_stats stats[2];
    assert_int_equal(gb_stats_compute(dataset, "x", NULL, 0, stats, 2), GB_OK);
    assert_int_equal(stats[0].count, 3);
    assert_int_equal(stats[0].missing, 1);
    assert_true(stats[0].mean == 1e8 && stats[0].sigma == 0);
    assert_int_equal(stats[1].count, 0);
    assert_int_equal(stats[1].missing, 4);
    assert_true(isnan(stats[1].mean) && isnan(stats[1].sigma) && isnan(stats[1].min));
    gb_dataset_destroy(dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_what_was_appended),
        cmocka_unit_test(shares_times_of_streams_sampled_together),
        cmocka_unit_test(says_when_time_steps_back),
        cmocka_unit_test(refuses_wrong_streams),
        cmocka_unit_test(kinds_have_names),
        cmocka_unit_test(splits_share_nothing),
        cmocka_unit_test(statistics_are_those_of_the_population),
        cmocka_unit_test(statistics_leave_out_missing_and_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
