/* Windows: counts, places, padding, grids, masks; all against a naive reading. */
#include "genba/record.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

typedef struct column {
    const char *name;
    int64_t size, count;
    const int64_t *time_ns;
    const float *values;
    const uint8_t *quality;
} column;

static gb_dataset *dataset_of(const column *columns, int count)
{
    gb_recording_info info = {.name = "r"};
    gb_recording_builder *builder = NULL;
    assert_int_equal(gb_recording_builder_create(&info, &builder), GB_OK);
    for (int i = 0; i < count; i++) {
        gb_stream_spec spec = gb_stream_spec_defaults(columns[i].name);
        spec.rank = 1;
        spec.shape[0] = columns[i].size;
        int stream = -1;
        assert_int_equal(gb_recording_builder_stream(builder, &spec, &stream), GB_OK);
        assert_int_equal(gb_recording_builder_append(builder, stream, columns[i].count,
                                                     columns[i].time_ns, columns[i].values,
                                                     columns[i].quality),
                         GB_OK);
    }
    gb_recording *recording = NULL;
    assert_int_equal(gb_recording_builder_finish(builder, &recording), GB_OK);
    gb_dataset *dataset = NULL;
    assert_int_equal(gb_dataset_create(&dataset), GB_OK);
    assert_int_equal(gb_dataset_add(dataset, recording), GB_OK);
    return dataset;
}

enum {
    ROWS = 50
};

static gb_dataset *ramp(void)
{
    int64_t times[ROWS];
    float values[ROWS * 2];
    for (int i = 0; i < ROWS; i++) {
        times[i] = 1000 + i * 100;
        values[2 * i] = (float)i;
        values[2 * i + 1] = (float)-i;
    }
    column c = {"x", 2, ROWS, times, values, NULL};
    return dataset_of(&c, 1);
}

static int64_t
count_windows(const gb_dataset *dataset, const gb_window_spec *spec, gb_row_range range)
{
    gb_window_index *index = NULL;
    assert_int_equal(gb_window_index_create(dataset, spec, &range, 1, &index), GB_OK);
    int64_t count = gb_window_count(index);
    gb_window_index_destroy(index);
    return count;
}

static void counts_are_those_of_the_benchmarks(void **state)
{
    (void)state;
    gb_dataset *dataset = ramp();
    gb_window_stream x = {"x", 8, 4, 1, 0};
    gb_window_spec spec = gb_window_spec_defaults();
    spec.streams = &x;
    spec.stream_count = 1;
    gb_row_range whole = {0, 0, GB_ROWS_ALL, false}, test = {0, 30, 50, true};
    assert_int_equal(count_windows(dataset, &spec, whole), 50 - 8 - 4 + 1);
    assert_int_equal(count_windows(dataset, &spec, test), 20 - 4 + 1);
    test.reach_back = false;
    assert_int_equal(count_windows(dataset, &spec, test), 20 - 8 - 4 + 1);
    spec.stride = 5;
    assert_int_equal(count_windows(dataset, &spec, whole), (50 - 8 - 4) / 5 + 1);
    spec.stride = 1;
    spec.pad_start = spec.pad_end = GB_PAD_ALL;
    x.future_first = 0;
    assert_int_equal(count_windows(dataset, &spec, whole), 50); /* every row is a now */
    spec.pad_start = 1;
    spec.pad_end = 2;
    assert_int_equal(count_windows(dataset, &spec, whole), 50 - 6 - 1);
    spec.pad_start = spec.pad_end = 0;
    x.look_back = 60;
    assert_int_equal(count_windows(dataset, &spec, whole), 0);
    gb_row_range none = {0, 10, 10, true};
    assert_int_equal(count_windows(dataset, &spec, none), 0);
    gb_dataset_destroy(dataset);
}

static void windows_match_a_naive_reading(void **state)
{
    (void)state;
    gb_dataset *dataset = ramp();
    const gb_stream_view *stream = gb_recording_stream(gb_dataset_get(dataset, 0), 0);
    for (int variant = 0; variant < 64; variant++) {
        int64_t look_back = 1 + variant % 4, horizon = variant % 5, stride = 1 + variant % 3;
        gb_window_stream x = {"x", look_back, horizon, variant % 2, 0};
        gb_window_spec spec = gb_window_spec_defaults();
        spec.streams = &x;
        spec.stream_count = 1;
        spec.stride = stride;
        spec.pad_start = variant % 7 == 0 ? GB_PAD_ALL : variant % 3;
        spec.pad_end = variant % 5 == 0 ? GB_PAD_ALL : variant % 2;
        spec.period_ns = variant & 32 ? 100 : 0; /* the grid the data is on anyway */
        gb_row_range range = {0, 10, 40, (variant & 16) != 0};
        int64_t low = range.reach_back ? 0 : 10;
        gb_window_index *index = NULL;
        assert_int_equal(gb_window_index_create(dataset, &spec, &range, 1, &index), GB_OK);
        for (int64_t w = 0; w < gb_window_count(index); w++) {
            float past[8] = {0}, future[10] = {0};
            uint8_t past_mask[8], future_mask[10];
            gb_window_out out = {past, future, past_mask, future_mask, 0, 0};
            gb_window_place place;
            assert_int_equal(gb_window_read(index, w, &out), GB_OK);
            assert_int_equal(gb_window_place_of(index, w, &place), GB_OK);
            assert_int_equal(place.now_ns, stream->time_ns[place.now_row]);
            for (int64_t i = 0; i < look_back + horizon; i++) {
                bool is_past = i < look_back;
                int64_t row = is_past ? place.now_row - look_back + 1 + i
                                      : place.now_row + x.future_first + i - look_back;
                int64_t inside = row < low ? low : row > 39 ? 39 : row;
                int64_t at = is_past ? i : i - look_back;
                const float *got = (is_past ? past : future) + 2 * at;
                const uint8_t *mask = (is_past ? past_mask : future_mask) + 2 * at;
                assert_true(got[0] == (float)inside && got[1] == (float)-inside);
                assert_int_equal(mask[0], row == inside ? GB_WINDOW_PRESENT : GB_WINDOW_PADDED);
                assert_int_equal(mask[1], mask[0]);
                if (!is_past)
                    assert_true(row >= 10);
            }
        }
        gb_window_index_destroy(index);
    }
    gb_dataset_destroy(dataset);
}

static void padding_repeats_first_and_last_row(void **state)
{
    (void)state;
    gb_dataset *dataset = ramp();
    gb_window_stream x = {"x", 2, 16, 0, 0};
    gb_window_spec spec = gb_window_spec_defaults();
    spec.streams = &x;
    spec.stream_count = 1;
    spec.pad_start = spec.pad_end = GB_PAD_ALL;
    gb_window_index *index = NULL;
    assert_int_equal(gb_window_index_create(dataset, &spec, NULL, 0, &index), GB_OK);
    float past[4], future[32];
    gb_window_out out = {.past = past, .future = future};
    assert_int_equal(gb_window_read(index, 0, &out), GB_OK);
    assert_true(past[0] == 0 && past[2] == 0 && future[0] == 0 && future[30] == 15);
    assert_int_equal(gb_window_read(index, 49, &out), GB_OK);
    assert_true(past[0] == 48 && past[2] == 49);
    for (int i = 0; i < 16; i++)
        assert_true(future[2 * i] == 49);
    assert_int_equal(gb_window_read(index, 50, &out), GB_ERR_ARGUMENT);
    assert_int_equal(gb_window_read(index, -1, &out), GB_ERR_ARGUMENT);
    gb_window_index_destroy(index);
    gb_dataset_destroy(dataset);
}

/* a: every 10 ns from 0; b: irregular. Grid of 5 ns. */
static void a_grid_shows_the_last_value_at_or_before(void **state)
{
    (void)state;
    int64_t a_times[] = {0, 10, 20, 30}, b_times[] = {7, 8, 26};
    float a_values[] = {0, 1, 2, 3}, b_values[] = {70, 80, 260};
    column columns[] = {{"a", 1, 4, a_times, a_values, NULL}, {"b", 1, 3, b_times, b_values, NULL}};
    gb_dataset *dataset = dataset_of(columns, 2);
    gb_window_stream streams[] = {{"a", 7, 0, 1, 0}, {"b", 7, 0, 1, 12}};
    gb_window_spec spec = gb_window_spec_defaults();
    spec.streams = streams;
    spec.stream_count = 2;
    gb_window_index *index = NULL;
    assert_int_equal(gb_window_index_create(dataset, &spec, NULL, 0, &index), GB_ERR_SHAPE);
    spec.period_ns = 5;
    assert_int_equal(gb_window_index_create(dataset, &spec, NULL, 0, &index), GB_OK);
    assert_int_equal(gb_window_count(index), 1); /* 0, 5, ..., 30 */
    float wide[7 * 2];
    uint8_t masks[7 * 2];
    gb_window_out outs[] = {{.past = wide, .past_mask = masks, .past_stride = 2},
                            {.past = wide + 1, .past_mask = masks + 1, .past_stride = 2}};
    assert_int_equal(gb_window_read(index, 0, outs), GB_OK);
    const float expected_a[] = {0, 0, 1, 1, 2, 2, 3};
    const float expected_b[] = {NAN, NAN, 80, 80, 80, NAN, 260}; /* 25 - 8 > 12: too old */
    for (int i = 0; i < 7; i++) {
        assert_true(wide[2 * i] == expected_a[i]);
        if (isnan(expected_b[i])) {
            assert_true(isnan(wide[2 * i + 1]));
            assert_int_equal(masks[2 * i + 1], GB_WINDOW_MISSING);
        } else {
            assert_true(wide[2 * i + 1] == expected_b[i]);
            assert_int_equal(masks[2 * i + 1], GB_WINDOW_PRESENT);
        }
    }
    gb_window_index_destroy(index);
    gb_dataset_destroy(dataset);
}

static void a_grid_matches_a_linear_search(void **state)
{
    (void)state;
    enum {
        N = 200,
        SLOW = 40
    };
    int64_t times[N], slow_times[SLOW], t = 0;
    float values[N], slow_values[SLOW];
    for (int i = 0; i < N; i++) {
        t += (int64_t)gb_random_below(3, 0, (uint64_t)i, 30); /* repeats stamps now and then */
        times[i] = t;
        values[i] = (float)i;
    }
    for (int i = 0; i < SLOW; i++) {
        slow_times[i] = 3 + i * 50;
        slow_values[i] = (float)i;
    }
    column columns[] = {{"a", 1, N, times, values, NULL},
                        {"b", 1, SLOW, slow_times, slow_values, NULL}};
    gb_dataset *dataset = dataset_of(columns, 2);
    gb_window_stream streams[] = {{"a", 6, 3, 1, 0}, {"b", 6, 3, 1, 0}};
    for (int64_t period = 1; period < 120; period += period == 1 ? 6 : 43) {
        gb_window_spec spec = gb_window_spec_defaults();
        spec.streams = streams;
        spec.stream_count = 2;
        spec.period_ns = period == 7 ? 50 : period;
        gb_window_index *index = NULL;
        assert_int_equal(gb_window_index_create(dataset, &spec, NULL, 0, &index), GB_OK);
        assert_true(gb_window_count(index) > 0);
        for (int64_t w = 0; w < gb_window_count(index); w += 1 + w % 3) {
            float past[2][6], future[2][3];
            gb_window_out outs[] = {{.past = past[0], .future = future[0]},
                                    {.past = past[1], .future = future[1]}};
            gb_window_place place;
            assert_int_equal(gb_window_read(index, w, outs), GB_OK);
            assert_int_equal(gb_window_place_of(index, w, &place), GB_OK);
            for (int s = 0; s < 2; s++) {
                for (int i = 0; i < 9; i++) {
                    int64_t at = place.now_ns + (i - 5) * spec.period_ns, k = -1;
                    while (k + 1 < columns[s].count && columns[s].time_ns[k + 1] <= at)
                        k++;
                    float got = i < 6 ? past[s][i] : future[s][i - 6];
                    if (k < 0)
                        assert_true(isnan(got));
                    else
                        assert_true(got == columns[s].values[k]);
                }
            }
        }
        gb_window_index_destroy(index);
    }
    gb_dataset_destroy(dataset);
}

static void quality_decides_what_is_missing(void **state)
{
    (void)state;
    int64_t times[] = {0, 1, 2, 3};
    float values[] = {1, 2, 3, NAN, 5, 6, 7, 8};
    uint8_t quality[] = {GB_QUALITY_GOOD, GB_QUALITY_GOOD, GB_QUALITY_BAD, GB_QUALITY_UNCERTAIN};
    column c = {"x", 2, 4, times, values, quality};
    gb_dataset *dataset = dataset_of(&c, 1);
    gb_window_stream x = {"x", 4, 0, 1, 0};
    gb_window_spec spec = gb_window_spec_defaults();
    spec.streams = &x;
    spec.stream_count = 1;
    const char *expected[] = {"11100000", "11100011", "11101111"};
    for (int worst = GB_QUALITY_GOOD; worst <= GB_QUALITY_BAD; worst++) {
        spec.worst = (gb_quality)worst;
        gb_window_index *index = NULL;
        assert_int_equal(gb_window_index_create(dataset, &spec, NULL, 0, &index), GB_OK);
        float past[8];
        uint8_t mask[8];
        gb_window_out out = {.past = past, .past_mask = mask};
        assert_int_equal(gb_window_read(index, 0, &out), GB_OK);
        for (int i = 0; i < 8; i++) {
            assert_int_equal(mask[i], expected[worst][i] - '0');
            assert_int_equal(isnan(past[i]) != 0, mask[i] == GB_WINDOW_MISSING);
        }
        gb_window_index_destroy(index);
    }
    gb_dataset_destroy(dataset);
}

static void wrong_specs_are_refused(void **state)
{
    (void)state;
    gb_dataset *dataset = ramp();
    gb_window_stream x = {"x", 4, 4, 1, 0}, y = {"y", 4, 4, 1, 0};
    gb_window_spec spec = gb_window_spec_defaults();
    gb_window_index *index = NULL;
    assert_int_equal(gb_window_index_create(dataset, &spec, NULL, 0, &index), GB_ERR_ARGUMENT);
    spec.streams = &y;
    spec.stream_count = 1;
    assert_int_equal(gb_window_index_create(dataset, &spec, NULL, 0, &index), GB_ERR_NOT_FOUND);
    assert_non_null(strstr(gb_error_message(), "no stream y"));
    spec.streams = &x;
    gb_row_range range = {0, 0, 51, false};
    assert_int_equal(gb_window_index_create(dataset, &spec, &range, 1, &index), GB_ERR_ARGUMENT);
    range = (gb_row_range){1, 0, GB_ROWS_ALL, false};
    assert_int_equal(gb_window_index_create(dataset, &spec, &range, 1, &index), GB_ERR_ARGUMENT);
    spec.stride = 0;
    assert_int_equal(gb_window_index_create(dataset, &spec, NULL, 0, &index), GB_ERR_ARGUMENT);
    spec.stride = 1;
    x.horizon = -1;
    assert_int_equal(gb_window_index_create(dataset, &spec, NULL, 0, &index), GB_ERR_ARGUMENT);
    assert_null(index);
    gb_dataset_destroy(dataset);

    int64_t times[] = {0, 10, 5};
    float values[] = {0, 1, 2};
    column c = {"x", 1, 3, times, values, NULL};
    dataset = dataset_of(&c, 1);
    x = (gb_window_stream){"x", 1, 1, 1, 0};
    spec.period_ns = 5;
    assert_int_equal(gb_window_index_create(dataset, &spec, NULL, 0, &index), GB_ERR_ARGUMENT);
    assert_non_null(strstr(gb_error_message(), "steps back"));
    gb_dataset_destroy(dataset);
    int64_t far[] = {INT64_MIN, 0, INT64_MAX};
    column extreme = {"x", 1, 3, far, values, NULL};
    dataset = dataset_of(&extreme, 1);
    assert_int_equal(gb_window_index_create(dataset, &spec, NULL, 0, &index), GB_ERR_ARGUMENT);
    gb_dataset_destroy(dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_those_of_the_benchmarks),
        cmocka_unit_test(windows_match_a_naive_reading),
        cmocka_unit_test(padding_repeats_first_and_last_row),
        cmocka_unit_test(a_grid_shows_the_last_value_at_or_before),
        cmocka_unit_test(a_grid_matches_a_linear_search),
        cmocka_unit_test(quality_decides_what_is_missing),
        cmocka_unit_test(wrong_specs_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
