/* Clocks that drift: laws of known offset and rate are found again, through both passes, and times
 * are moved where the truth is. Series are made from seeds. */
#include "ingest/clean.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "collector.h"

#define S 1000000000LL
#define START (1700000000 * S) /* of the reference, UTC */

static gb_stream_map *parse(const char *rules)
{
    char text[2048];
    gb_stream_map *map;
    int size = snprintf(text, sizeof text, "name: m\nreader: csv\nfiles: ['*']\n%s", rules);
    if (gb_stream_map_parse(text, (size_t)size, "map.yaml", &map) != GB_OK)
        fail_msg("%s", gb_error_message());
    return map;
}

/* ---- the line ---------------------------------------------------------------------------------
 */

static void test_fit(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        gb_drift_point points[300];
        for (int i = 0; i < 300; i++) {
            uint64_t at = (uint64_t)i;
            points[i].x = i * 10;
            points[i].y = 3 + 40e-6 * points[i].x + 1e-4 * (double)gb_random_normal(seed, 0, at);
            if (gb_random_below(seed, 1, at, 10) < 3) /* three in ten are wrong, all upwards */
                points[i].y += (double)gb_random_uniform(seed, 2, at);
        }
        double offset, rate, residual;
        gb_drift_fit(points, 300, &offset, &rate, &residual);
        assert_true(fabs(offset - 3) < 2e-4);
        assert_true(fabs(rate - 40e-6) < 1e-7);
        assert_true(residual > 2e-5 && residual < 1e-3);
    }
    double offset, rate, residual;
    gb_drift_point one = {7, 2};
    gb_drift_fit(&one, 1, &offset, &rate, &residual);
    assert_true(offset == 2 && rate == 0 && residual == 0);
    gb_drift_fit(NULL, 0, &offset, &rate, &residual);
    assert_true(offset == 0 && rate == 0);
}

/* ---- two passes -------------------------------------------------------------------------------
 */

typedef struct column {
    const char *name, *unit, *clock;
    const int64_t *time_ns;
    const double *values;
    int64_t count;
} column;

/* One pass over all columns, in batches cut by chance (the same cut for all: rows of a table). */
static gb_status emit(gb_sink *sink, const column *columns, int count, uint64_t seed)
{
    gb_recording_info info = {.name = "r"};
    int recording, streams[4];
    int64_t rows = 0;
    GB_TRY(gb_sink_begin(sink, &info, &recording));
    for (int c = 0; c < count; c++) {
        gb_stream_spec spec = gb_stream_spec_defaults(columns[c].name);
        spec.unit = columns[c].unit;
        spec.clock = columns[c].clock;
        spec.value_type = GB_VALUE_F64;
        GB_TRY(gb_sink_stream(sink, recording, &spec, &streams[c]));
        rows = columns[c].count > rows ? columns[c].count : rows;
    }
    uint64_t draw = 0;
    for (int64_t at = 0; at < rows;) {
        int64_t step = 1 + (int64_t)gb_random_below(seed, 9, draw++, 500);
        for (int c = 0; c < count; c++) {
            int64_t to = at + step < columns[c].count ? at + step : columns[c].count;
            if (to <= at)
                continue;
            gb_samples samples = {.count = to - at,
                                  .time_ns = columns[c].time_ns + at,
                                  .values = columns[c].values + at};
            GB_TRY(gb_sink_append(sink, recording, streams[c], &samples));
        }
        at += step;
    }
    return gb_sink_end(sink, recording);
}

static gb_status
estimate(const gb_stream_map *map, const column *columns, int count, gb_drift_tracks *out)
{
    gb_sink *estimator = NULL, *first = NULL;
    gb_ingest_report scratch = {0};
    gb_ingest_watch nobody = {0};
    assert_int_equal(gb_drift_estimate_create(map, &estimator), GB_OK);
    assert_int_equal(gb_clean_create(map, &nobody, &scratch, "f", estimator, &first), GB_OK);
    gb_status status = emit(first, columns, count, 1);
    gb_sink_destroy(first);
    if (status == GB_OK)
        status = gb_drift_estimate_finish(estimator, out);
    gb_sink_destroy(estimator);
    return status;
}

static gb_status apply(const gb_stream_map *map,
                       const gb_drift_tracks *tracks,
                       const column *columns,
                       int count,
                       collector *next,
                       gb_ingest_report *report)
{
    gb_sink *clean;
    gb_ingest_watch nobody = {0};
    next->sink.ops = &collector_ops;
    assert_int_equal(gb_clean_create(map, &nobody, report, "f", &next->sink, &clean), GB_OK);
    gb_clean_use_clocks(clean, tracks);
    gb_status status = emit(clean, columns, count, 2);
    gb_sink_destroy(clean);
    return status;
}

/* ---- by stamps --------------------------------------------------------------------------------
 */

enum {
    ROWS = 60000
};
static int64_t row_ns[ROWS], true_ns[ROWS];
static double stamp_ms[ROWS], force[ROWS];

static const char stamps_map[] =
    "drift:\n  - {device: plc, column: plc_ms, window_s: 60}\n"
    "streams:\n  - {name: stamp, columns: [plc_ms], unit: ms, value_type: f64}\n"
    "  - {name: force, columns: [f], clock: plc}\n  - {name: other, columns: [g]}\n";

/* 10 Hz; the device counts milliseconds since it started and runs 40 ppm fast; rows come 2 to 50 ms
 * late. */
static void make_rows(uint64_t seed, int restart_at)
{
    for (int i = 0; i < ROWS; i++) {
        uint64_t at = (uint64_t)i;
        double seconds = i * 0.1;
        double since = i < restart_at ? seconds + 1234.5 : (i - restart_at) * 0.1;
        double late = 0.002 + 0.006 * fabs((double)gb_random_normal(seed, 0, at));
        late += gb_random_below(seed, 1, at, 50) == 0 ? 0.04 : 0;
        true_ns[i] = START + (int64_t)(seconds * 1e9);
        row_ns[i] = true_ns[i] + (int64_t)(late * 1e9);
        stamp_ms[i] = 1e3 * since * (1 + 40e-6);
        force[i] = i;
    }
}

static void test_stamps(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        make_rows(seed, ROWS);
        gb_stream_map *map = parse(stamps_map);
        column columns[] = {{"stamp", "ms", "", row_ns, stamp_ms, ROWS},
                            {"force", "", "plc", row_ns, force, ROWS},
                            {"other", "", "", row_ns, force, ROWS}};
        gb_drift_tracks tracks;
        gb_ingest_report report = {0};
        collector next = {0};
        if (estimate(map, columns, 3, &tracks) != GB_OK ||
            apply(map, &tracks, columns, 3, &next, &report) != GB_OK)
            fail_msg("%s", gb_error_message());
        assert_int_equal(report.clock_count, 1);
        const gb_ingest_clock *found = &report.clocks[0];
        assert_string_equal(found->device, "plc");
        /* the device gains 40 us a second: the reference is device time less that */
        assert_true(fabs(found->rate + 40e-6) < 0.5e-6);
        double offset = (double)START * 1e-9 - 1234.5 * (1 + 40e-6);
        assert_true(fabs(found->offset_s - offset) < 0.010); /* the usual lateness stays */
        assert_int_equal(found->resets, 0);
        assert_true(found->windows >= 99 && found->residual_s < 0.002);
        const collected *moved = collector_find(&next, "force");
        for (int i = 0; i < ROWS; i++) {
            assert_true(llabs(moved->time_ns[i] - true_ns[i]) < 10000000);
            assert_int_equal(moved->reason[i], GB_REASON_CORRECTED_CLOCK);
            assert_int_equal(moved->quality[i], GB_QUALITY_GOOD);
        }
        /* as even as the device took them: no row's own lateness is left */
        for (int i = 1; i < ROWS; i++)
            assert_true(llabs(moved->time_ns[i] - moved->time_ns[i - 1] - S / 10) < 10000);
        assert_memory_equal(collector_find(&next, "other")->time_ns, row_ns, sizeof row_ns);
        assert_memory_equal(collector_find(&next, "stamp")->time_ns, row_ns, sizeof row_ns);
        assert_true(fabs(strtod(collected_pair(moved, "clock_rate"), NULL) + 40e-6) < 0.5e-6);
        assert_string_equal(collected_pair(moved, "clock_device"), "plc");
        assert_int_equal(report.reasons[GB_REASON_CORRECTED_CLOCK], ROWS);
        gb_sink_destroy(&next.sink);
        gb_drift_tracks_free(&tracks);
        gb_stream_map_destroy(map);
    }
}

/* The device restarts half-way, some stamps are nonsense, some are missing. */
static void test_restart(void **state)
{
    (void)state;
    make_rows(7, ROWS / 2);
    int wrong = 0;
    for (int i = 100; i < ROWS; i += 977) {
        stamp_ms[i] = i % 2 ? 0 : NAN;
        wrong++;
    }
    gb_stream_map *map = parse(stamps_map);
    column columns[] = {{"stamp", "ms", "", row_ns, stamp_ms, ROWS},
                        {"force", "", "plc", row_ns, force, ROWS}};
    gb_drift_tracks tracks;
    gb_ingest_report report = {0};
    collector next = {0};
    assert_int_equal(estimate(map, columns, 2, &tracks), GB_OK);
    assert_int_equal(tracks.count, 1);
    assert_int_equal(tracks.tracks[0].law_count, 2);
    assert_int_equal(tracks.tracks[0].laws[1].first_sample, ROWS / 2);
    assert_int_equal(apply(map, &tracks, columns, 2, &next, &report), GB_OK);
    assert_int_equal(report.clocks[0].resets, 1);
    const collected *moved = collector_find(&next, "force");
    int kept = 0;
    for (int i = 0; i < ROWS; i++) {
        bool is_wrong = i >= 100 && (i - 100) % 977 == 0;
        assert_int_equal(moved->reason[i], is_wrong ? 0 : GB_REASON_CORRECTED_CLOCK);
        if (is_wrong)
            assert_int_equal(moved->time_ns[i], row_ns[i]); /* the row's own time stays */
        else
            assert_true(llabs(moved->time_ns[i] - true_ns[i]) < 10000000);
        kept += is_wrong;
    }
    assert_int_equal(kept, wrong);
    gb_sink_destroy(&next.sink);
    gb_drift_tracks_free(&tracks);
    gb_stream_map_destroy(map);
}

/* ---- by signals -------------------------------------------------------------------------------
 */

/* A smooth movement that never repeats. */
static double movement(double seconds)
{
    return sin(seconds * 0.7) + 0.7 * sin(seconds * 1.9 + 1) + 0.5 * sin(seconds * 4.3 + 2) +
           0.4 * sin(seconds * 7.1 + sin(seconds * 0.05) * 3);
}

static void check_signals(double start_s, double offset_s, double rate, uint64_t seed)
{
    enum {
        A = 40000,
        B = 50000
    };
    static int64_t device_ns[A], reference_ns[B];
    static double device[A], reference[B];
    for (int i = 0; i < A; i++) { /* 20 Hz on the device's clock, another gain and sign kept */
        double t = i * 0.05;
        device[i] = 5 + 2 * movement(t) + 0.1 * (double)gb_random_normal(seed, 0, (uint64_t)i);
        device_ns[i] = (int64_t)((start_s + offset_s + t * (1 + rate)) * 1e9);
    }
    for (int i = 0; i < B; i++) {
        double t = i * 0.04;
        reference[i] = movement(t) + 0.05 * (double)gb_random_normal(seed, 1, (uint64_t)i);
        reference_ns[i] = (int64_t)((start_s + t) * 1e9);
    }
    gb_stream_map *map = parse("drift:\n  - {device: cam, signal: a, reference: b, window_s: 40}\n"
                               "streams:\n  - {name: a, columns: [a], clock: cam}\n"
                               "  - {name: b, columns: [b]}\n");
    column columns[] = {{"a", "", "cam", device_ns, device, A},
                        {"b", "", "", reference_ns, reference, B}};
    gb_drift_tracks tracks;
    gb_ingest_report report = {0};
    collector next = {0};
    assert_int_equal(estimate(map, columns, 2, &tracks), GB_OK);
    if (apply(map, &tracks, columns, 2, &next, &report) != GB_OK)
        fail_msg("%s", gb_error_message());
    const collected *moved = collector_find(&next, "a");
    double worst = 0;
    for (int i = 0; i < A; i++)
        worst = fmax(worst, fabs((double)(moved->time_ns[i]) * 1e-9 - (start_s + i * 0.05)));
    print_message("offset %g s, rate %g ppm: found %g ppm, residual %g s, %d windows, worst %g s\n",
                  offset_s, rate * 1e6, -report.clocks[0].rate * 1e6, report.clocks[0].residual_s,
                  (int)report.clocks[0].windows, worst);
    assert_true(report.clocks[0].windows >= 40);
    assert_true(fabs(report.clocks[0].rate + rate) < 5e-6);
    assert_true(worst < 0.010); /* a quarter of a sample */
    assert_int_equal(moved->reason[0], GB_REASON_CORRECTED_CLOCK);
    gb_sink_destroy(&next.sink);
    gb_drift_tracks_free(&tracks);
    gb_stream_map_destroy(map);
}

static void test_signals(void **state)
{
    (void)state;
    check_signals(1000, 2.3, 80e-6, 1);
    check_signals(1000, -4.1, -200e-6, 2);
    check_signals(1000, 0, 0, 3);
    check_signals(5, 90000, 30e-6, 4); /* another epoch: both are taken to begin together */
}

/* Streams that have nothing in common are left alone, and that is said. */
static void test_nothing_found(void **state)
{
    (void)state;
    enum {
        N = 4000
    };
    static int64_t time_ns[N];
    static double a[N], b[N];
    for (int i = 0; i < N; i++) {
        time_ns[i] = i * S / 10;
        a[i] = (double)gb_random_normal(1, 0, (uint64_t)i);
        b[i] = (double)gb_random_normal(2, 0, (uint64_t)i);
    }
    gb_stream_map *map = parse("drift:\n  - {device: cam, signal: a, reference: b, window_s: 20}\n"
                               "streams:\n  - {name: a, columns: [a], clock: cam}\n");
    column columns[] = {{"a", "", "cam", time_ns, a, N}, {"b", "", "", time_ns, b, N}};
    gb_drift_tracks tracks;
    gb_ingest_report report = {0};
    collector next = {0};
    assert_int_equal(estimate(map, columns, 2, &tracks), GB_OK);
    assert_int_equal(apply(map, &tracks, columns, 2, &next, &report), GB_OK);
    assert_int_equal(report.clock_count, 1);
    assert_int_equal(report.clocks[0].windows, 0);
    assert_memory_equal(collector_find(&next, "a")->time_ns, time_ns, sizeof time_ns);
    assert_int_equal(report.reasons[GB_REASON_CORRECTED_CLOCK], 0);
    gb_sink_destroy(&next.sink);
    gb_drift_tracks_free(&tracks);
    gb_stream_map_destroy(map);
}

/* ---- what is refused --------------------------------------------------------------------------
 */

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *rules, *expected;
    } wrong[] = {
        {"drift:\n  - {device: plc}\nstreams:\n  - {name: a, columns: [a]}\n", "either column"},
        {"drift:\n  - {device: plc, column: a, window_s: 0}\nstreams:\n  - {name: a, columns: "
         "[a]}\n",
         "window_s"},
        {"drift:\n  - {device: plc, column: a}\nstreams:\n  - {name: a, columns: [a], unit: kPa}\n",
         "kPa"},
    };
    make_rows(1, ROWS);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        gb_stream_map *map = parse(wrong[i].rules);
        column columns[] = {{"a", "", "", row_ns, stamp_ms, 100}};
        gb_drift_tracks tracks;
        assert_int_equal(estimate(map, columns, 1, &tracks), GB_ERR_SCHEMA);
        assert_non_null(strstr(gb_error_message(), wrong[i].expected));
        gb_stream_map_destroy(map);
    }
    /* a stream before the stamps of its clock */
    gb_stream_map *map = parse(stamps_map);
    column columns[] = {{"force", "", "plc", row_ns, force, 1000},
                        {"stamp", "ms", "", row_ns, stamp_ms, 1000}};
    gb_drift_tracks tracks;
    gb_ingest_report report = {0};
    collector next = {0};
    assert_int_equal(estimate(map, columns, 2, &tracks), GB_OK);
    assert_int_equal(apply(map, &tracks, columns, 2, &next, &report), GB_ERR_SCHEMA);
    assert_non_null(strstr(gb_error_message(), "put the stream of the stamps first"));
    gb_sink_destroy(&next.sink);
    /* a stream longer than its stamps */
    column longer[] = {{"stamp", "ms", "", row_ns, stamp_ms, 500},
                       {"force", "", "plc", row_ns, force, 1000}};
    assert_int_equal(apply(map, &tracks, longer, 2, &next, &report), GB_ERR_SHAPE);
    gb_sink_destroy(&next.sink);
    gb_drift_tracks_free(&tracks);
    /* no clock at all: it jumps all the time */
    for (int i = 0; i < 10000; i++)
        stamp_ms[i] = 1e6 * (i / 10);
    column noise[] = {{"stamp", "ms", "", row_ns, stamp_ms, 10000}};
    assert_int_equal(estimate(map, noise, 1, &tracks), GB_ERR_NUMERIC);
    gb_stream_map_destroy(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fit),           cmocka_unit_test(test_stamps),
        cmocka_unit_test(test_restart),       cmocka_unit_test(test_signals),
        cmocka_unit_test(test_nothing_found), cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
