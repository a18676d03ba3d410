/* Stream maps: what a map says is what is read; a wrong map is refused with its line. */
#include "ingest/memory.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char head[] = "name: test\nreader: csv\nfiles: ['*.csv']\n";
static const char plain[] = "streams: [{name: s, columns: [a]}]\n";

static gb_stream_map *map_of(const char *text)
{
    gb_stream_map *map = NULL;
    if (gb_stream_map_parse(text, strlen(text), "test.yaml", &map) != GB_OK)
        fail_msg("%s", gb_error_message());
    return map;
}

static gb_status
read_text(const gb_stream_map *map, const char *text, gb_ingest_report *report, gb_dataset *dataset)
{
    gb_ingest_options options = gb_ingest_options_defaults();
    options.line_limit_bytes = 4096;
    memset(report, 0, sizeof *report);
    return read_memory(map, text, strlen(text), &options, report, dataset);
}

static void a_map_names_streams_and_groups(void **state)
{
    (void)state;
    gb_stream_map *map = map_of("name: robots\n"
                                "reader: csv\n"
                                "files: ['*.csv']\n"
                                "instruction: lift it\n"
                                "residency: jp\n"
                                "csv: {missing: [xx]}\n"
                                "time: {column: t, format: seconds}\n"
                                "group: [robot, run]\n"
                                "streams:\n"
                                "  - name: pose\n"
                                "    columns: [x, '#5']\n"
                                "    unit: m\n"
                                "    semantic: position\n"
                                "    sentinels: [-9999]\n"
                                "    range: {max: 10}\n"
                                "  - {name: grip, columns: [grip], kind: action}\n"
                                "  - {name: label, columns: [label], optional: true}\n");
    assert_string_equal(gb_stream_map_name(map), "robots");
    gb_dataset *dataset = NULL;
    assert_int_equal(gb_dataset_create(&dataset), GB_OK);
    gb_ingest_report report;
    gb_status status = read_text(map,
                                 "robot,run,t,x,y,grip\n"
                                 "r1,0,0,1,2,0\n"
                                 "r2,0,0,3,4,1\n"
                                 "r1,0,0.5,-9999,6,0\n"
                                 "r1,1,0,7,11,xx\n"
                                 ",1,0,7,8,1\n",
                                 &report, dataset);
    if (status != GB_OK)
        fail_msg("%s", gb_error_message());
    assert_int_equal(gb_dataset_count(dataset), 3);
    assert_int_equal(report.rows_rejected, 1); /* no group */
    assert_int_equal(report.cells_missing, 2);
    assert_int_equal(report.cells_out_of_range, 1);
    const gb_recording *first = gb_dataset_get(dataset, 0);
    assert_string_equal(gb_recording_get_info(first)->name, "file/r1/0");
    assert_string_equal(gb_recording_get_info(first)->instruction, "lift it");
    assert_string_equal(gb_recording_get_info(first)->residency, "jp");
    assert_int_equal(gb_recording_stream_count(first),
                     3); /* with pose.raw: what the sentinel was */
    const gb_stream_view *pose = gb_recording_stream(first, 0);
    assert_int_equal(pose->count, 2);
    assert_int_equal(pose->size, 2);
    assert_string_equal(pose->spec->labels[1], "y");
    assert_string_equal(pose->spec->unit, "m");
    assert_int_equal(pose->spec->kind, GB_STREAM_VECTOR);
    assert_int_equal(pose->spec->time_base, GB_TIME_START);
    assert_true(isnan(pose->values[2]) && pose->values[3] == 6);
    assert_true(pose->time_ns[1] == 500000000);
    assert_int_equal(gb_recording_stream(first, 1)->spec->kind, GB_STREAM_ACTION);
    const gb_recording *last = gb_dataset_get(dataset, gb_dataset_find(dataset, "file/r1/1"));
    assert_int_equal(gb_recording_stream(last, 0)->quality[0], GB_QUALITY_BAD);
    assert_int_equal(gb_recording_stream(last, 1)->quality[0], GB_QUALITY_MISSING);
    gb_dataset_destroy(dataset);
    gb_stream_map_destroy(map);
}

typedef struct wrong_map {
    const char *rest, *message;
} wrong_map;

static void wrong_maps_name_their_line(void **state)
{
    (void)state;
    const wrong_map cases[] = {
        {"colour: red\nstreams: [{name: s, columns: [a]}]\n", "test.yaml:4"},
        {"strems: [{name: s, columns: [a]}]\n", "streams"},
        {"csv: {delimeter: tab}\nstreams: [{name: s, columns: [a]}]\n", "delimiter"},
        {"csv: {delimiter: comma, decimal: comma}\nstreams: [{name: s, columns: [a]}]\n",
         "at once"},
        {"time: {format: seconds}\nstreams: [{name: s, columns: [a]}]\n", "time.column"},
        {"time: {column: t, format: none}\nstreams: [{name: s, columns: [a]}]\n", "format: none"},
        {"time: {period_s: -1}\nstreams: [{name: s, columns: [a]}]\n", "period_s"},
        {"streams:\n  - {name: s, columns: [a]}\n  - {name: s, columns: [b]}\n", "test.yaml:6"},
        {"streams: [{name: s, columns: [a, b], kind: scalar}]\n", "one column"},
        {"streams: [{name: s, columns: [a], kind: image}]\n", "not image"},
        {"streams: [{name: s, columns: [a], range: {min: 2, max: 1}}]\n", "above max"},
        {"streams: [{name: s, columns: []}]\n", "columns"},
        {"streams: []\n", "streams"},
        {"", "streams"},
        {"streams: [", "test.yaml"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512];
        snprintf(text, sizeof text, "%s%s", head, cases[i].rest);
        gb_stream_map *map = NULL;
        gb_status status = gb_stream_map_parse(text, strlen(text), "test.yaml", &map);
        assert_true(status == GB_ERR_SCHEMA || status == GB_ERR_PARSE);
        assert_null(map);
        if (!strstr(gb_error_message(), cases[i].message) ||
            !strstr(gb_error_message(), "test.yaml"))
            fail_msg("expected \"%s\" in: %s", cases[i].message, gb_error_message());
    }
    const char other[] = "name: t\nreader: excel\nfiles: [a]\nstreams: [{name: s, columns: [a]}]\n";
    gb_stream_map *map = NULL;
    assert_int_equal(gb_stream_map_parse(other, sizeof other - 1, "test.yaml", &map),
                     GB_ERR_SCHEMA);
    assert_non_null(strstr(gb_error_message(), "test.yaml:2"));
}

static void a_map_cut_anywhere_never_breaks(void **state)
{
    (void)state;
    char text[512];
    int size =
        snprintf(text, sizeof text, "%scsv: {missing: [xx]}\ntime: {column: t}\n%s", head, plain);
    for (int cut = 0; cut < size; cut++) {
        gb_stream_map *map = NULL;
        gb_status status = gb_stream_map_parse(text, (size_t)cut, "test.yaml", &map);
        assert_true((status == GB_OK) == (map != NULL));
        gb_stream_map_destroy(map);
    }
    gb_stream_map_destroy(NULL);
}

static void files_that_do_not_fit_the_map_are_named(void **state)
{
    (void)state;
    char text[512];
    snprintf(text, sizeof text, "%stime: {column: when}\ncsv: {bad_cells: strict}\n%s", head,
             plain);
    gb_stream_map *map = map_of(text);
    gb_dataset *dataset = NULL;
    assert_int_equal(gb_dataset_create(&dataset), GB_OK);
    gb_ingest_report report;
    assert_int_equal(read_text(map, "b,a\n1,2\n", &report, dataset), GB_ERR_NOT_FOUND);
    assert_non_null(strstr(gb_error_message(), "no column when"));
    assert_non_null(strstr(gb_error_message(), "b, a"));
    assert_int_equal(read_text(map, "when,b\n1,2\n", &report, dataset), GB_ERR_NOT_FOUND);
    assert_int_equal(read_text(map, "when,a\nx,2\ny,3\n", &report, dataset), GB_ERR_PARSE);
    assert_int_equal(read_text(map, "when,a\n01/02/2020,2\n03/04/2020,3\n", &report, dataset),
                     GB_ERR_PARSE);
    assert_non_null(strstr(gb_error_message(), "month"));
    assert_int_equal(read_text(map, "when,a\n1,2\n2,x\n", &report, dataset), GB_ERR_PARSE);
    assert_non_null(strstr(gb_error_message(), "row 3, column 2 (a)"));
    assert_int_equal(read_text(map, "when,a,b\n1,2\n2,3\n", &report, dataset), GB_ERR_PARSE);
    assert_non_null(strstr(gb_error_message(), "header_names_extra"));
    assert_int_equal(gb_dataset_count(dataset), 0);
    gb_dataset_destroy(dataset);
    gb_stream_map_destroy(map);
}

static void a_folder_is_read_in_the_order_of_its_paths(void **state)
{
    (void)state;
    char root[] = "/tmp/genba_map_XXXXXX", path[128];
    assert_non_null(mkdtemp(root));
    static const char *const names[] = {"b.csv", "a.csv", "sub/c.csv", "d.txt", ".hidden.csv"};
    snprintf(path, sizeof path, "%s/sub", root);
    assert_int_equal(mkdir(path, 0700), 0);
    for (size_t i = 0; i < 5; i++) {
        snprintf(path, sizeof path, "%s/%s", root, names[i]);
        assert_int_equal(gb_file_replace(path, "a\n1\n2\n", 6), GB_OK);
    }
    char text[512];
    snprintf(text, sizeof text, "%s%s", head, plain);
    gb_stream_map *map = map_of(text);
    gb_dataset *dataset = NULL;
    gb_ingest_report report = {0};
    assert_int_equal(gb_ingest_folder(map, root, NULL, &report, &dataset), GB_OK);
    assert_int_equal(report.files, 3);
    assert_int_equal(report.rows_stored, 6);
    static const char *const expected[] = {"a", "b", "sub/c"};
    for (int i = 0; i < 3; i++)
        assert_string_equal(gb_recording_get_info(gb_dataset_get(dataset, i))->name, expected[i]);
    gb_dataset_destroy(dataset);
    dataset = NULL;
    snprintf(path, sizeof path, "%s/sub/c.csv", root);
    assert_int_equal(gb_file_replace(path, "z\n1\n2\n", 6), GB_OK);
    assert_int_equal(gb_ingest_folder(map, root, NULL, NULL, &dataset), GB_ERR_NOT_FOUND);
    assert_null(dataset); /* two good files do not make half a dataset */
    for (size_t i = 0; i < 5; i++) {
        snprintf(path, sizeof path, "%s/%s", root, names[i]);
        unlink(path);
    }
    assert_int_equal(gb_ingest_folder(map, root, NULL, NULL, &dataset), GB_ERR_NOT_FOUND);
    assert_non_null(strstr(gb_error_message(), "*.csv"));
    snprintf(path, sizeof path, "%s/sub", root);
    rmdir(path);
    rmdir(root);
    assert_int_equal(gb_ingest_folder(map, root, NULL, NULL, &dataset), GB_ERR_IO);
    gb_stream_map_destroy(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_map_names_streams_and_groups),
        cmocka_unit_test(wrong_maps_name_their_line),
        cmocka_unit_test(a_map_cut_anywhere_never_breaks),
        cmocka_unit_test(files_that_do_not_fit_the_map_are_named),
        cmocka_unit_test(a_folder_is_read_in_the_order_of_its_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
