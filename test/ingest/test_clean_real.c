/* Cleaning through the whole chain, on dirt that real files have: NAB's step of -3300 s, SKAB's
 * gaps, a weather file's -9999, and a table whose device clock drifts. */
#include "genba/ingest.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define S 1000000000LL

static gb_dataset *ingest(const char *map_text, const char *path, gb_ingest_report *report)
{
    gb_stream_map *map;
    gb_dataset *dataset;
    if (gb_stream_map_parse(map_text, strlen(map_text), "map.yaml", &map) != GB_OK ||
        gb_ingest_folder(map, path, NULL, report, &dataset) != GB_OK)
        fail_msg("%s", gb_error_message());
    gb_stream_map_destroy(map);
    assert_int_equal(report->rows_read, report->rows_stored + report->rows_rejected);
    return dataset;
}

static const gb_stream_view *stream_of(const gb_dataset *dataset, const char *name)
{
    const gb_recording *recording = gb_dataset_get(dataset, 0);
    int stream = gb_recording_find(recording, name);
    return stream < 0 ? NULL : gb_recording_stream(recording, stream);
}

static const char nab_map[] =
    "name: nab\nreader: csv\nfiles: ['machine*.csv']\ntime: {column: timestamp}\n%s"
    "streams:\n  - {name: t, columns: [value], kind: scalar, unit: Cel, source_unit: degF}\n";

static void test_nab(void **state)
{
    (void)state;
    static const char path[] = GENBA_SOURCE_DIR "/data/nab";
    char map[512];
    gb_ingest_report flagged = {0}, rejected = {0};
    snprintf(map, sizeof map, nab_map, "clean: {gap_s: 600}\n");
    gb_dataset *dataset = ingest(map, path, &flagged);
    const gb_stream_view *stream = stream_of(dataset, "t");
    assert_string_equal(stream->spec->unit, "Cel");
    assert_true(fabsf(stream->values[0] - (73.96732207F - 32) / 1.8F) < 1e-4F);
    assert_int_equal(flagged.rows_stored, 22695);
    assert_int_equal(flagged.time_backwards, 1);
    assert_int_equal(flagged.gaps, 0);
    assert_int_equal(flagged.reasons[GB_REASON_BACKWARD_TIME], 1);
    assert_false(stream->ordered);
    gb_dataset_destroy(dataset);

    snprintf(map, sizeof map, nab_map, "clean: {repeated_time: reject, backward_time: reject}\n");
    dataset = ingest(map, path, &rejected);
    stream = stream_of(dataset, "t");
    assert_int_equal(rejected.rows_rejected, 12); /* 3300 s of rows that were there already */
    assert_int_equal(rejected.time_repeated, 1);
    assert_int_equal(rejected.time_backwards, 11);
    assert_int_equal(stream->count, 22683);
    assert_true(stream->ordered);
    gb_dataset_destroy(dataset);
}

static void test_skab(void **state)
{
    (void)state;
    const char *root = getenv("GENBA_DATA");
    char path[4096];
    snprintf(path, sizeof path, "%s/skab/data", root ? root : "");
    if (!root || !gb_file_exists(path)) {
        print_message("skab is not there: set GENBA_DATA to the folder that has it\n");
        skip();
    }
    gb_ingest_report report = {0};
    gb_dataset *dataset =
        ingest("name: skab\nreader: csv\nfiles: ['[0-9]*.csv']\ncsv: {delimiter: semicolon}\n"
               "time: {column: datetime}\nclean: {gap_s: 5, stuck_samples: 30, spike_sigmas: 10}\n"
               "streams:\n  - {name: p, columns: [Pressure], unit: bar}\n"
               "  - {name: q, columns: ['Volume Flow RateRMS'], unit: L/min}\n",
               path, &report);
    assert_int_equal(report.rows_stored, 37401);
    assert_int_equal(report.gaps, 9);
    assert_true(report.longest_gap_ns == 247 * S);
    assert_int_equal(report.reasons[GB_REASON_AFTER_GAP], 18); /* of two streams */
    print_message("SKAB: %d stuck runs, %d spikes\n", (int)report.stuck_runs,
                  (int)report.reasons[GB_REASON_SPIKE]);
    gb_dataset_destroy(dataset);
}

/* ---- files made here --------------------------------------------------------------------------
 */

static char folder[] = "/tmp/genba_clean_XXXXXX";

static const char *write_file(const char *name, const char *text, size_t size)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(gb_file_replace(path, text, size), GB_OK);
    return path;
}

static void test_weather(void **state)
{
    (void)state;
    static const char text[] = "Date Time,T (degF),wv (m/s),p (mbar)\n"
                               "01.01.2020 00:10:00,50.0,1.2,996.5\n"
                               "01.01.2020 00:20:00,52.7,-9999.00,996.6\n"
                               "01.01.2020 00:20:00,52.7,-9999.00,996.6\n"
                               "01.01.2020 00:30:00,52.7,1.1,12.0\n";
    static const char map[] =
        "name: weather\nreader: csv\nfiles: ['weather.csv']\n"
        "time: {column: 'Date Time', format: day_first}\nstreams:\n"
        "  - {name: t, columns: ['T (degF)'], unit: Cel, source_unit: degF}\n"
        "  - {name: wind, columns: ['wv (m/s)'], unit: km/h, source_unit: m/s, sentinels: "
        "[-9999]}\n"
        "  - {name: p, columns: ['p (mbar)'], unit: kPa, source_unit: mbar, range: {min: 80}}\n";
    gb_ingest_report report = {0};
    gb_dataset *dataset = ingest(map, write_file("weather.csv", text, sizeof text - 1), &report);
    const gb_stream_view *wind = stream_of(dataset, "wind"), *raw = stream_of(dataset, "wind.raw");
    assert_true(fabsf(stream_of(dataset, "t")->values[0] - 10) < 1e-5F);
    assert_true(fabsf(wind->values[0] - 4.32F) < 1e-5F);
    assert_true(isnan(wind->values[1]) && wind->reason[1] == GB_REASON_SENTINEL);
    assert_int_equal(raw->count, 2);
    assert_true(raw->values[2] == -9999 && raw->values[3] == 2);
    assert_int_equal(report.cells_missing, 2);
    assert_int_equal(report.cells_out_of_range, 1);
    assert_int_equal(report.rows_duplicated, 1);
    const gb_stream_view *p = stream_of(dataset, "p");
    assert_int_equal(p->quality[3], GB_QUALITY_BAD);
    assert_true(fabsf(p->values[3] - 1.2F) < 1e-5F);
    gb_dataset_destroy(dataset);
}

/* The device's stamps are 120 s ahead and gain 100 ppm; rows arrive up to 20 ms late. */
static void test_drift(void **state)
{
    (void)state;
    enum {
        ROWS = 5000
    };
    char *text = malloc((size_t)ROWS * 96);
    assert_non_null(text);
    size_t size = (size_t)sprintf(text, "time,plc,force\n");
    for (int i = 0; i < ROWS; i++) {
        double late = 0.02 * (double)gb_random_uniform(11, 0, (uint64_t)i);
        size += (size_t)sprintf(text + size, "%.6f,%.6f,%d\n", 1.7e9 + i * 0.2 + late,
                                1.7e9 + 120 + i * 0.2 * (1 + 100e-6), i);
    }
    static const char map[] =
        "name: line\nreader: csv\nfiles: ['line.csv']\ntime: {column: time, format: epoch_s}\n"
        "drift:\n  - {device: plc, column: plc, window_s: 20}\nstreams:\n"
        "  - {name: stamp, columns: [plc], unit: s, value_type: f64}\n"
        "  - {name: force, columns: [force], clock: plc}\n";
    gb_ingest_report report = {0};
    gb_dataset *dataset = ingest(map, write_file("line.csv", text, size), &report);
    free(text);
    const gb_stream_view *force = stream_of(dataset, "force");
    assert_int_equal(report.clock_count, 1);
    assert_true(fabs(report.clocks[0].rate + 100e-6) < 5e-6);
    assert_true(fabs(report.clocks[0].offset_s + 120) < 0.02);
    for (int i = 0; i < ROWS; i++) {
        double found = (double)(force->time_ns[i] - 1700000000 * S) * 1e-9;
        assert_true(fabs(found - i * 0.2) < 0.02); /* the usual lateness of 10 ms stays */
        assert_int_equal(force->reason[i], GB_REASON_CORRECTED_CLOCK);
    }
    gb_dataset_destroy(dataset);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : 1;
}

static int remove_folder(void **state)
{
    (void)state;
    char path[256];
    static const char *const names[] = {"weather.csv", "line.csv"};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nab),
        cmocka_unit_test(test_skab),
        cmocka_unit_test(test_weather),
        cmocka_unit_test(test_drift),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
