/* The committed maps on the recordings they were written for: row counts, splits, windows. */
#include "genba/ingest.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Reads `where` under the repository, or under GENBA_DATA when `outside`; NULL: skip. */
static gb_dataset *
ingest(const char *map_name, const char *where, bool outside, gb_ingest_report *report)
{
    const char *root = outside ? getenv("GENBA_DATA") : GENBA_SOURCE_DIR "/data";
    char path[4096], map_path[4096];
    snprintf(map_path, sizeof map_path, GENBA_SOURCE_DIR "/examples/maps/%s.yaml", map_name);
    snprintf(path, sizeof path, "%s/%s", root ? root : "", where);
    gb_stream_map *map = NULL;
    if (gb_stream_map_load(map_path, &map) != GB_OK)
        fail_msg("%s", gb_error_message());
    gb_dataset *dataset = NULL;
    if (root && gb_file_exists(path)) {
        memset(report, 0, sizeof *report);
        if (gb_ingest_folder(map, path, NULL, report, &dataset) != GB_OK)
            fail_msg("%s", gb_error_message());
        assert_int_equal(report->rows_read, report->rows_stored + report->rows_rejected);
    } else {
        print_message("%s is not there: set GENBA_DATA to the folder that has it\n", where);
    }
    gb_stream_map_destroy(map);
    return dataset;
}

static void pusht(void **state)
{
    (void)state;
    gb_ingest_report report;
    gb_dataset *dataset = ingest("pusht", "pusht", false, &report);
    if (!dataset)
        skip();
    assert_int_equal(gb_dataset_count(dataset), 206);
    assert_int_equal(report.rows_stored, 25650);
    assert_int_equal(report.cells_out_of_range, 0);
    assert_int_equal(report.period_ns, 100000000);
    gb_window_stream streams[] = {{"agent.position", 2, 0, 1, 0}, {"agent.target", 0, 16, 0, 0}};
    gb_window_spec spec = gb_window_spec_defaults();
    spec.streams = streams;
    spec.stream_count = 2;
    spec.pad_start = spec.pad_end = GB_PAD_ALL;
    gb_window_index *index = NULL;
    assert_int_equal(gb_window_index_create(dataset, &spec, NULL, 0, &index), GB_OK);
    assert_int_equal(gb_window_count(index), 25650); /* every frame is a now */
    float past[4], future[32];
    uint8_t mask[32];
    gb_window_out outs[] = {{.past = past}, {.future = future, .future_mask = mask}};
    assert_int_equal(gb_window_read(index, 0, outs), GB_OK);
    assert_true(past[0] == 222 && past[2] == 222 && future[0] == 233 && future[1] == 71);
    assert_true(future[2] == 229 && mask[31] == GB_WINDOW_PRESENT);
    assert_int_equal(gb_window_read(index, 160, outs), GB_OK); /* last frame of the first episode */
    assert_true(mask[0] == GB_WINDOW_PRESENT && mask[2] == GB_WINDOW_PADDED);
    assert_true(future[0] == future[30] && future[1] == future[31]);
    gb_window_index_destroy(index);
    gb_dataset_destroy(dataset);
}

/* "Repeat the last value" on ETTh1, horizon 96, in units of the training set: pins rows, splits,
 * statistics and windows to the published protocol. */
static void ett(void **state)
{
    (void)state;
    gb_ingest_report report;
    gb_dataset *dataset = ingest("ett", "ett/ETTh1.csv", false, &report);
    if (!dataset)
        skip();
    assert_int_equal(report.rows_stored, 17420);
    gb_row_range train, test;
    assert_int_equal(gb_split_rows(dataset, 0, 8640, false, &train), GB_OK);
    assert_int_equal(gb_split_rows(dataset, 11520, 14400, true, &test), GB_OK);
    gb_column_stats stats[7];
    assert_int_equal(gb_stats_compute(dataset, "transformer", &train, 1, stats, 7), GB_OK);
    gb_window_stream stream = {"transformer", 336, 96, 1, 0};
    gb_window_spec spec = gb_window_spec_defaults();
    spec.streams = &stream;
    spec.stream_count = 1;
    gb_window_index *index = NULL;
    assert_int_equal(gb_window_index_create(dataset, &spec, &test, 1, &index), GB_OK);
    assert_int_equal(gb_window_count(index), 2785);
    static float past[336 * 7], future[96 * 7];
    gb_window_out out = {.past = past, .future = future};
    double squares = 0, absolutes = 0;
    for (int64_t w = 0; w < gb_window_count(index); w++) {
        assert_int_equal(gb_window_read(index, w, &out), GB_OK);
        for (int i = 0; i < 96 * 7; i++) {
            double error = (future[i] - past[335 * 7 + i % 7]) / stats[i % 7].sigma;
            squares += error * error;
            absolutes += fabs(error);
        }
    }
    double count = 2785.0 * 96 * 7;
    assert_true(fabs(squares / count - 1.2944) < 5e-5);
    assert_true(fabs(absolutes / count - 0.7132) < 5e-5);
    gb_window_index_destroy(index);
    gb_dataset_destroy(dataset);
}

static void skab(void **state)
{
    (void)state;
    gb_ingest_report report;
    gb_dataset *dataset = ingest("skab", "skab", true, &report);
    if (!dataset)
        skip();
    assert_int_equal(gb_dataset_count(dataset), 35); /* the first is anomaly-free, without labels */
    assert_int_equal(report.rows_stored, 37401 + 9405);
    gb_row_range test[35];
    gb_column_stats anomaly;
    assert_int_equal(gb_split_rows(dataset, 400, GB_ROWS_ALL, false, test), GB_OK);
    assert_int_equal(gb_stats_compute(dataset, "anomaly", test + 1, 34, &anomaly, 1), GB_OK);
    assert_int_equal(anomaly.count, 23801);
    assert_int_equal(llround(anomaly.mean * 23801), 12771);
    gb_dataset_destroy(dataset);
}

static void cmapss(void **state)
{
    (void)state;
    gb_ingest_report report;
    gb_dataset *dataset = ingest("cmapss", "cmapss/train_FD001.txt", true, &report);
    if (!dataset)
        skip();
    assert_int_equal(gb_dataset_count(dataset), 100);
    assert_int_equal(report.rows_stored, 20631);
    const gb_recording *last = gb_dataset_get(dataset, 99);
    const gb_stream_view *sensor =
        gb_recording_stream(last, gb_recording_find(last, "engine.sensor"));
    assert_int_equal(sensor->count, 200);
    assert_true(sensor->values[199 * 21 + 20] == 23.0522F);
    gb_dataset_destroy(dataset);
}

static void nab(void **state)
{
    (void)state;
    gb_ingest_report report;
    gb_dataset *dataset = ingest("nab", "nab", false, &report);
    if (!dataset)
        skip();
    assert_int_equal(report.rows_stored, 22695);
    assert_int_equal(report.period_ns, 300000000000LL);
    const gb_stream_view *stream = gb_recording_stream(gb_dataset_get(dataset, 0), 0);
    assert_int_equal(report.time_backwards, 1);
    assert_false(stream->ordered);
    gb_dataset_destroy(dataset);
}

static void dirty_files_without_a_map(void **state)
{
    (void)state;
    const char *root = getenv("GENBA_DATA");
    char path[4096];
    snprintf(path, sizeof path, "%s/ai4i/ai4i2020.csv", root ? root : "");
    if (!root || !gb_file_exists(path)) {
        print_message("ai4i is not there: set GENBA_DATA to the folder that has it\n");
        skip();
    }
    gb_ingest_report report = {0};
    gb_dataset *dataset = NULL;
    assert_int_equal(gb_ingest_csv_guess(path, NULL, &report, &dataset), GB_OK);
    assert_true(report.byte_order_mark);
    assert_int_equal(report.rows_stored, 10000);
    assert_int_equal(report.left_out_count, 3); /* a counter and two columns of words */
    const gb_stream_view *air = gb_recording_stream(gb_dataset_get(dataset, 0), 0);
    assert_string_equal(air->spec->name, "Air temperature");
    assert_string_equal(air->spec->unit, "K");
    gb_dataset_destroy(dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pusht), cmocka_unit_test(ett),
        cmocka_unit_test(skab),  cmocka_unit_test(cmapss),
        cmocka_unit_test(nab),   cmocka_unit_test(dirty_files_without_a_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
