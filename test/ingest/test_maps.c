/* Every table of the data folder ingests with its committed map: nothing is left over, rows add up,
 * and totals are those that are known. */
#include "genba/ingest.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct known {
    const char *map, *folder;
    int64_t files, recordings, rows;
} known;

/* Rows are lines less headers, counted with other tools. */
static const known all[] = {
    {"ai4i", "ai4i", 1, 1, 10000},
    {"pdm_errors", "pdm_azure", 1, 100, 3919},
    {"pdm_maint", "pdm_azure", 1, 100, 3286},
    {"pdm_failures", "pdm_azure", 1, 98, 761},
    {"pdm_machines", "pdm_azure", 1, 100, 100},
    {"robot_failures", "robot_failures", 3, 88 + 47 + 47, (88 + 47 + 47) * 15},
    {"nab", "nab", 2, 2, 22695 + 7267},
    {"nab_labels", "nab", 1, 0, 120},
    {"nab_windows", "nab", 1, 0, 116},
    {"skab", "skab", 35, 35, 46806},
    {"cmapss", "cmapss", 2, 200, 20631 + 13096},
    {"cmapss_rul", "cmapss", 1, 1, 100},
    {"ett", "ett", 3, 3, 17420 + 17420 + 69680},
    {"pusht", "pusht", 1, 206, 25650},
};

static gb_stream_map *load(const char *name)
{
    char path[4096];
    gb_stream_map *map = NULL;
    snprintf(path, sizeof path, GENBA_SOURCE_DIR "/examples/maps/%s.yaml", name);
    if (gb_stream_map_load(path, &map) != GB_OK)
        fail_msg("%s", gb_error_message());
    return map;
}

static gb_dataset *ingest(const known *of, gb_ingest_report *report)
{
    const char *root = getenv("GENBA_DATA");
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", root ? root : "", of->folder);
    if (!root || !gb_file_exists(path)) {
        print_message("%s is not there: set GENBA_DATA to the folder that has it\n", of->folder);
        return NULL;
    }
    gb_stream_map *map = load(of->map);
    gb_dataset *dataset = NULL;
    memset(report, 0, sizeof *report);
    if (gb_ingest_folder(map, path, NULL, report, &dataset) != GB_OK)
        fail_msg("%s: %s", of->map, gb_error_message());
    gb_stream_map_destroy(map);
    return dataset;
}

static int64_t samples(const gb_dataset *dataset)
{
    int64_t count = 0;
    for (int64_t r = 0; r < gb_dataset_count(dataset); r++)
        count += gb_recording_stream(gb_dataset_get(dataset, r), 0)->count;
    return count;
}

static void every_table_ingests(void **state)
{
    (void)state;
    int done = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        gb_ingest_report report;
        gb_dataset *dataset = ingest(&all[i], &report);
        if (!dataset)
            continue;
        done++;
        print_message("%s: %lld rows\n", all[i].map, (long long)report.rows_stored);
        assert_int_equal(report.files, all[i].files);
        assert_int_equal(report.rows_read, report.rows_stored + report.rows_rejected);
        assert_int_equal(report.rows_rejected, 0);
        assert_int_equal(report.cells_bad, 0);
        assert_int_equal(report.rows_stored, all[i].rows);
        assert_int_equal(samples(dataset), all[i].rows);
        if (all[i].recordings > 0)
            assert_int_equal(gb_dataset_count(dataset), all[i].recordings);
        gb_dataset_destroy(dataset);
    }
    if (done == 0)
        skip();
}

static const known *find(const char *map)
{
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(all[i].map, map) == 0)
            return &all[i];
    return NULL;
}

static const gb_stream_view *stream_of(const gb_recording *recording, const char *name)
{
    int number = gb_recording_find(recording, name);
    if (number < 0)
        fail_msg("no stream %s", name);
    return gb_recording_stream(recording, number);
}

static void what_they_hold(void **state)
{
    (void)state;
    gb_ingest_report report;
    gb_dataset *dataset = ingest(find("ai4i"), &report);
    if (!dataset)
        skip();
    const gb_recording *mill = gb_dataset_get(dataset, 0);
    assert_true(stream_of(mill, "product.quality")->values[0] == 1); /* M of L, M, H */
    assert_string_equal(stream_of(mill, "spindle.torque")->spec->unit, "N.m");
    double failures = 0;
    const gb_stream_view *failure = stream_of(mill, "failure");
    for (int64_t i = 0; i < failure->count; i++)
        failures += (double)failure->values[i];
    assert_true(failures == 339);
    const gb_stream_view *id = stream_of(mill, "product.id");
    assert_memory_equal(id->raw, "M14860", 6);
    gb_dataset_destroy(dataset);

    dataset = ingest(find("robot_failures"), &report);
    if (!dataset)
        skip();
    int obstructions = 0;
    for (int64_t r = 0; r < gb_dataset_count(dataset); r++)
        obstructions +=
            strcmp(gb_recording_get_info(gb_dataset_get(dataset, r))->outcome, "obstruction") == 0;
    assert_int_equal(obstructions, 34);
    const gb_recording *first = gb_dataset_get(dataset, 0);
    assert_string_equal(gb_recording_get_info(first)->name, "lp1/0000");
    assert_string_equal(gb_recording_get_info(first)->outcome, "normal");
    const gb_stream_view *force = stream_of(first, "hand.force");
    assert_true(force->size == 3 && force->count == 15 && force->values[2] == 63);
    gb_dataset_destroy(dataset);

    dataset = ingest(find("nab_labels"), &report);
    if (!dataset)
        skip();
    int64_t at = gb_dataset_find(
        dataset, "labels/combined_labels/realKnownCause/machine_temperature_system_failure.csv");
    assert_true(at >= 0);
    const gb_stream_view *anomaly = stream_of(gb_dataset_get(dataset, at), "anomaly");
    assert_int_equal(anomaly->count, 4);
    assert_true(anomaly->time_ns[0] == 1386741600000000000LL); /* 2013-12-11 06:00 */
    gb_dataset_destroy(dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_table_ingests),
        cmocka_unit_test(what_they_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
