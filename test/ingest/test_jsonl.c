/* Lines of JSON, JSON documents and labelled blocks by maps: values, rejects with their lines,
 * strict maps, groups, going on later. */
#include "genba/ingest.h"
#include "genba/sink.h"

#include "ingest/reader.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64];
static gb_dataset *dataset;
static gb_ingest_report report;

static int tear_down(void **state)
{
    (void)state;
    gb_dataset_destroy(dataset);
    dataset = NULL;
    unlink(path);
    return 0;
}

static gb_status ingest(const char *map_text, const char *text)
{
    gb_stream_map *map = NULL;
    strcpy(path, "/tmp/genba_jsonl_XXXXXX");
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), strlen(text));
    close(file);
    if (gb_stream_map_parse(map_text, strlen(map_text), "map.yaml", &map) != GB_OK)
        fail_msg("%s", gb_error_message());
    gb_dataset_destroy(dataset);
    dataset = NULL;
    memset(&report, 0, sizeof report);
    gb_status status = gb_ingest_folder(map, path, NULL, &report, &dataset);
    assert_int_equal(report.rows_read, report.rows_stored + report.rows_rejected);
    gb_stream_map_destroy(map);
    return status;
}

static void works(const char *map_text, const char *text)
{
    if (ingest(map_text, text) != GB_OK)
        fail_msg("%s", gb_error_message());
}

static void fails(const char *map_text, const char *text, gb_status expected, const char *message)
{
    assert_int_equal(ingest(map_text, text), expected);
    assert_null(dataset);
    if (!strstr(gb_error_message(), message))
        fail_msg("expected \"%s\" in: %s", message, gb_error_message());
    unlink(path);
}

static const gb_stream_view *stream_of(int64_t recording, const char *name)
{
    const gb_recording *in = gb_dataset_get(dataset, recording);
    int number = gb_recording_find(in, name);
    if (number < 0)
        fail_msg("no stream %s", name);
    return gb_recording_stream(in, number);
}

#define LINES "name: log\nreader: jsonl\nfiles: ['*']\n"

static void values_of_every_type(void **state)
{
    (void)state;
    works(LINES "time: {column: t, format: epoch_ms}\n"
                "streams:\n"
                "  - {name: joint, columns: ['q[0]', 'q[1]'], kind: vector, unit: rad}\n"
                "  - {name: door, columns: [door]}\n"
                "  - {name: mode, columns: [mode], categories: [idle, 'r\"un']}\n"
                "  - {name: note, columns: [note], kind: text}\n"
                "  - {name: raw, columns: [q], kind: text}\n"
                "  - {name: code, columns: ['a.b'], kind: event}\n",
          "{\"t\":1000,\"q\":[1,-2e-1],\"door\":true,\"mode\":\"idle\",\"note\":\"\\u3042\\n\","
          "\"a\":{\"b\":7}}\n"
          "\n"
          "{\"t\":2000.5,\"q\":[3],\"door\":false,\"mode\":\"r\\\"un\",\"note\":\"x\",\"a\":{\"b\":"
          "8}}\r\n"
          "{\"note\":null,\"t\":\"3000\",\"mode\":\"off\",\"q\":[1,2,3]}");
    assert_int_equal(report.rows_stored, 3);
    const gb_stream_view *joint = stream_of(0, "joint");
    assert_true(joint->time_ns[1] == 2000500000LL && joint->time_ns[2] == 3000000000LL);
    assert_true(joint->values[0] == 1 && joint->values[1] == -0.2F && isnan(joint->values[3]));
    assert_int_equal(joint->quality[1], GB_QUALITY_MISSING);
    const gb_stream_view *door = stream_of(0, "door");
    assert_true(door->values[0] == 1 && door->values[1] == 0 && isnan(door->values[2]));
    const gb_stream_view *mode = stream_of(0, "mode");
    assert_true(mode->values[0] == 0 && mode->values[1] == 1);
    assert_int_equal(mode->reason[2], GB_REASON_NOT_A_VALUE);
    assert_int_equal(report.cells_bad, 1);
    const gb_stream_view *note = stream_of(0, "note");
    assert_memory_equal(note->raw, "あ\nx", 5);
    assert_int_equal(note->offset[3], 5);
    const gb_stream_view *raw = stream_of(0, "raw");
    assert_memory_equal(raw->raw, "[1,-2e-1][3][1,2,3]", 19);
    assert_true(stream_of(0, "code")->values[1] == 8); /* an event of numbers stays numbers */
}

static void wrong_lines_are_rejected(void **state)
{
    (void)state;
    static const char text[] = "{\"t\":1,\"v\":1,\"m\":\"a\"}\n"
                               "{\"t\":2,\"v\":1,\n"
                               "# started\n"
                               "{\"t\":3,\"v\":\"x\",\"m\":\"b\"}\n"
                               "{\"v\":3,\"m\":\"b\"}\n"
                               "{\"t\":4,\"t\":5,\"v\":3,\"m\":\"b\"}\n"
                               "{\"t\":5,\"v\":3,\"m\":\"\"}\n"
                               "{\"t\":6,\"v\":-9999,\"m\":\"a\"}\n";
    works(LINES "time: {column: t, format: seconds}\n"
                "group: [m]\n"
                "streams: [{name: v, columns: [v], sentinels: [-9999]}]\n",
          text);
    assert_int_equal(report.rows_read, 8);
    assert_int_equal(report.rows_rejected, 5);
    static const int64_t rows[] = {2, 3, 4, 5, 6, 7};
    assert_int_equal(report.example_count, 6);
    for (int i = 0; i < 6; i++)
        assert_int_equal(report.examples[i].row, rows[i]);
    assert_string_equal(report.examples[0].expected, "one JSON value on the line");
    assert_string_equal(report.examples[2].name, "v");
    assert_string_equal(report.examples[3].name, "t");
    assert_int_equal(gb_dataset_count(dataset), 2);
    assert_int_equal(stream_of(0, "v")->count, 2);
    assert_int_equal(stream_of(0, "v")->reason[1], GB_REASON_SENTINEL);
    unlink(path);
    fails(LINES "csv: {bad_cells: strict}\nstreams: [{name: v, columns: [v]}]\n", text,
          GB_ERR_PARSE, "row 2: ");
    fails(LINES "streams: [{name: v, columns: [v]}]\n", "a\nb\n", GB_ERR_PARSE, "no row could be");
    fails(LINES "streams: [{name: v, columns: [v]}]\n", "", GB_ERR_PARSE, "empty");
    fails(LINES "streams: [{name: v, columns: ['v[']}]\n", "{}\n", GB_ERR_SCHEMA, "map.yaml");
}

#define DOCUMENT "name: doc\nreader: json\nfiles: ['*']\n"

static void documents(void **state)
{
    (void)state;
    works(DOCUMENT "episodes: 'runs.*'\ntime: {column: '[0]', format: seconds}\n"
                   "streams: [{name: v, columns: ['[1]']}]\n",
          "{\"runs\": {\"a\": [[0, 5], [1, 6]], \"none\": [], \"b\": [[0, 7]]}}");
    assert_int_equal(report.rows_stored, 3);
    assert_int_equal(gb_dataset_count(dataset), 2);
    assert_non_null(strstr(gb_recording_get_info(gb_dataset_get(dataset, 1))->name, "/b"));
    assert_true(stream_of(1, "v")->values[0] == 7);
    unlink(path);
    works(DOCUMENT "streams: [{name: v, columns: [v]}]\n", "[{\"v\": 1}, {\"v\": 2}]");
    assert_int_equal(stream_of(0, "v")->count, 2);
    unlink(path);
    works(DOCUMENT "episodes: a.rows\nstreams: [{name: v, columns: ['.']}]\n",
          "{\"a\": {\"rows\": [3, 4, null]}}");
    assert_true(stream_of(0, "v")->values[1] == 4);
    unlink(path);
    fails(DOCUMENT "episodes: a.b\nstreams: [{name: v, columns: [v]}]\n", "{\"a\": {}}",
          GB_ERR_NOT_FOUND, "has no b");
    fails(DOCUMENT "streams: [{name: v, columns: [v]}]\n", "{\"v\": 1}", GB_ERR_PARSE, "no list");
    fails(DOCUMENT "episodes: '*'\nstreams: [{name: v, columns: [v]}]\n", "{\"v\": 1}",
          GB_ERR_PARSE, "expected a list");
    fails(DOCUMENT "streams: [{name: v, columns: [v]}]\n", "[", GB_ERR_PARSE, "not JSON");
    fails(DOCUMENT "streams: [{name: v, columns: [v]}]\n", "[]", GB_ERR_PARSE, "empty");
}

#define BLOCKS "name: tries\nreader: blocks\nfiles: ['*']\n"

static void blocks(void **state)
{
    (void)state;
    static const char map[] = BLOCKS "csv: {delimiter: space}\ntime: {period_s: 0.5}\n"
                                     "streams: [{name: f, columns: ['#1', '#2'], kind: vector}]\n";
    static const char text[] = "\n\nnormal\n\t1 2\n\t3 4\n\n \nslipped away\n5 6\n7\n8 x\n\n"
                               "lonely\n\n9 10\n11 12\n\nall wrong\na b c\nd\n";
    works(map, text);
    assert_int_equal(report.rows_read, 2 + 3 + 1 + 2 + 2);
    assert_int_equal(report.rows_rejected, 1 + 1 + 2);
    assert_int_equal(gb_dataset_count(dataset), 3);
    assert_string_equal(gb_recording_get_info(gb_dataset_get(dataset, 0))->outcome, "normal");
    assert_string_equal(gb_recording_get_info(gb_dataset_get(dataset, 1))->outcome, "slipped away");
    assert_string_equal(gb_recording_get_info(gb_dataset_get(dataset, 2))->outcome, "");
    assert_true(stream_of(0, "f")->values[3] == 4);
    assert_int_equal(stream_of(0, "f")->time_ns[1], 500000000);
    assert_int_equal(report.examples[0].row, 10); /* rows are numbered in the file */
    assert_int_equal(report.bytes, (int64_t)strlen(text));
    unlink(path);
    fails(BLOCKS "csv: {delimiter: space, bad_cells: strict}\n"
                 "streams: [{name: f, columns: ['#1', '#2'], kind: vector}]\n",
          text, GB_ERR_PARSE, "row 10");
    fails(map, "\n\n", GB_ERR_PARSE, "only blank lines");
    fails(map, "a\n\nb\n", GB_ERR_PARSE, "no row");
}

/* ---- going on later ---------------------------------------------------------------------------
 */

typedef struct stop {
    char state[4096];
    size_t state_size;
    int64_t source_to;
} stop;

static gb_status keep_segment(void *context, int64_t source_to, const void *state, size_t size)
{
    stop *s = context;
    assert_true(size <= sizeof s->state);
    memcpy(s->state, state, size);
    s->state_size = size;
    s->source_to = source_to;
    return gb_fail(GB_ERR_INTERRUPTED, "enough");
}

static void a_log_is_read_in_two_runs(void **state)
{
    (void)state;
    enum {
        ROWS = 2000
    };
    static const char map_text[] =
        LINES "time: {column: t, format: seconds}\nstreams: [{name: v, columns: [v]}]\n";
    char *text = malloc((size_t)ROWS * 40), *at = text;
    for (int i = 0; i < ROWS; i++)
        at += sprintf(at, "{\"t\":%d,\"v\":%d.5}\n", i, i);
    works(map_text, text); /* leaves the file */
    free(text);
    gb_stream_map *map = NULL;
    gb_sink *sink = NULL;
    gb_dataset *parts = NULL;
    gb_ingest_options options = gb_ingest_options_defaults();
    options.segment_bytes = 9000;
    stop first = {.source_to = 0};
    gb_ingest_watch watch = {.context = &first, .segment = keep_segment};
    gb_ingest_watch nobody = {0};
    gb_ingest_report found = {0};
    assert_int_equal(gb_stream_map_parse(map_text, strlen(map_text), "map.yaml", &map), GB_OK);
    assert_int_equal(gb_dataset_create(&parts), GB_OK);
    assert_int_equal(gb_dataset_sink_create(parts, &sink), GB_OK);
    gb_source source = {.map = map,
                        .path = path,
                        .name = "log",
                        .options = &options,
                        .report = &found,
                        .watch = &watch,
                        .sink = sink};
    const gb_reader *reader = gb_reader_find("jsonl");
    assert_int_equal(reader->read(&source), GB_ERR_INTERRUPTED);
    assert_true(first.source_to > 0);
    source.watch = &nobody;
    source.resume_at = first.source_to;
    source.resume_state = first.state;
    source.resume_state_size = first.state_size;
    if (reader->read(&source) != GB_OK)
        fail_msg("%s", gb_error_message());
    int64_t next = 0;
    assert_true(gb_dataset_count(parts) > 2);
    for (int64_t r = 0; r < gb_dataset_count(parts); r++) {
        const gb_stream_view *v = gb_recording_stream(gb_dataset_get(parts, r), 0);
        for (int64_t i = 0; i < v->count; i++, next++)
            assert_true(v->time_ns[i] == next * 1000000000LL && v->values[i] == (float)next + 0.5F);
    }
    assert_int_equal(next, ROWS);
    gb_sink_destroy(sink);
    gb_dataset_destroy(parts);
    gb_stream_map_destroy(map);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, tear_down)
    const struct CMUnitTest tests[] = {TEST(values_of_every_type), TEST(wrong_lines_are_rejected),
                                       TEST(documents), TEST(blocks),
                                       TEST(a_log_is_read_in_two_runs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
