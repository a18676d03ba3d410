/* Histograms of times, smoothness, and what is said when the system refuses. */
#include "control/realtime.h"
#include "control/smooth.h"
#include "control/timing.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void percentiles(void **state)
{
    (void)state;
    gb_histogram *h = NULL;
    gb_timing t;
    assert_int_equal(gb_histogram_create(&h), GB_OK);
    gb_histogram_read(h, &t);
    assert_true(t.count == 0 && t.p50_ns == 0 && t.max_ns == 0);
    for (int64_t i = 1; i <= 10000; i++)
        gb_histogram_add(h, i * 1000);
    gb_histogram_read(h, &t);
    assert_int_equal(t.count, 10000);
    assert_true(fabs(t.p50_ns / 5.000e6 - 1) < 1.0 / 4096);
    assert_true(fabs(t.p99_ns / 9.900e6 - 1) < 1.0 / 4096);
    assert_true(fabs(t.p999_ns / 9.990e6 - 1) < 1.0 / 4096);
    assert_true(t.max_ns == 1e7);
    gb_histogram_add(h, -5);
    gb_histogram_add(h, INT64_MAX);
    gb_histogram_read(h, &t);
    assert_true(t.count == 10002 && t.max_ns == (double)INT64_MAX);
    gb_histogram_destroy(h);
    gb_histogram_destroy(NULL);
}

/* Every time is told within 1 part in 4096, exactly below 4096 ns. */
static void every_cell(void **state)
{
    (void)state;
    for (int64_t time_ns = 1; time_ns < INT64_C(17000000000); time_ns += 1 + time_ns / 7) {
        gb_histogram *h = NULL;
        gb_timing t;
        assert_int_equal(gb_histogram_create(&h), GB_OK);
        gb_histogram_add(h, time_ns);
        gb_histogram_add(h, INT64_C(20000000000));
        gb_histogram_read(h, &t);
        double error = fabs(t.p50_ns - (double)time_ns);
        assert_true(time_ns < 4096 ? error == 0 : error <= (double)time_ns / 4096);
        gb_histogram_destroy(h);
    }
}

static void third_differences(void **state)
{
    (void)state;
    static const double low[1] = {0}, high[1] = {2};
    const gb_plant_stream stream = {.size = 1, .low = low, .high = high};
    const gb_plant_info info = {
        .action_stream_count = 1, .action_streams = &stream, .action_size = 1};
    gb_smooth *s = NULL;
    double rms, most, jump;
    assert_int_equal(gb_smooth_create(&info, &s), GB_OK);
    gb_smooth_read(s, &rms, &most, &jump);
    assert_true(rms == 0 && most == 0 && jump == 0);
    for (int i = 0; i < 10; i++) /* t^3: the third difference is 6, 3 in parts of the range */
        gb_smooth_add(s, &(double){i * i * i}, false);
    gb_smooth_read(s, &rms, &most, &jump);
    assert_true(fabs(rms - 3) < 1e-9 && fabs(most - 3) < 1e-9 && jump == 0);
    gb_smooth_add(s, NULL, false); /* a gap is no step */
    gb_smooth_add(s, &(double){-500}, true);
    gb_smooth_read(s, &rms, &most, &jump);
    assert_true(fabs(most - 3) < 1e-9 && jump == 0);
    gb_smooth_add(s, &(double){-496}, true);
    gb_smooth_add(s, &(double){(double)NAN}, true);
    gb_smooth_read(s, &rms, &most, &jump);
    assert_true(fabs(jump - 2) < 1e-9);
    gb_smooth_destroy(s);
}

/* Granted or not, nothing breaks; a refusal says what, its consequence and the way out. */
static void refusals_say_what_to_do(void **state)
{
    (void)state;
    char note[GB_REALTIME_NOTE] = "";
    assert_false(gb_realtime_pin("servo", 4000, note));
    assert_non_null(strstr(note, "core 4000 was refused for the servo"));
    assert_non_null(strstr(note, "taskset"));
    assert_false(gb_realtime_fifo("servo", 1000, note)); /* no such priority */
    assert_non_null(strstr(note, "SCHED_FIFO 1000 was refused"));
    assert_non_null(strstr(note, "ulimit -r"));
    if (gb_realtime_lock_memory(note))
        gb_realtime_unlock_memory();
    else
        assert_non_null(strstr(note, "ulimit -l"));
    int64_t now_ns = gb_clock_monotonic_ns();
    gb_realtime_sleep_until(now_ns - 1000000000); /* long ago */
    gb_realtime_sleep_until(now_ns + 2000000);
    assert_true(gb_clock_monotonic_ns() >= now_ns + 2000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percentiles),
        cmocka_unit_test(every_cell),
        cmocka_unit_test(third_differences),
        cmocka_unit_test(refusals_say_what_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
