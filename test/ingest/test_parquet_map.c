/* The reader of Parquet tables: columns by a map, several side by side, groups of rows, times,
 * absent values; on the files of test/golden/parquet/make.py. */
#include "genba/ingest.h"
#include "ingest/reader.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GOLDEN GENBA_SOURCE_DIR "/test/golden/parquet/"
#define ROWS 120

#define assert_done(call)                                                                          \
    do {                                                                                           \
        if ((call) != GB_OK)                                                                       \
            fail_msg("%s", gb_error_message());                                                    \
    } while (0)

static gb_status
read_by(const char *map_text, const char *file, gb_ingest_report *report, gb_dataset **out)
{
    gb_stream_map *map = NULL;
    memset(report, 0, sizeof *report);
    assert_done(gb_stream_map_parse(map_text, strlen(map_text), "test.yaml", &map));
    assert_done(gb_dataset_create(out));
    gb_status status = gb_ingest_file(map, file, NULL, report, *out);
    gb_stream_map_destroy(map);
    return status;
}

static const gb_stream_view *stream_of(const gb_dataset *dataset, int64_t r, const char *name)
{
    const gb_recording *recording = gb_dataset_get(dataset, r);
    int stream = gb_recording_find(recording, name);
    return stream >= 0 ? gb_recording_stream(recording, stream) : NULL;
}

static void by_a_map(void **state)
{
    (void)state;
    static const char *const files[] = {"v1_snappy", "v2_zstd", "v1_plain", "delta"};
    static const char text[] =
        "name: t\nreader: parquet\nfiles: ['*.parquet']\ntime: {column: time}\n"
        "streams:\n"
        "  - {name: a, source: i32, unit: Cel}\n"
        "  - {name: mixed, columns: [f32, i64, 'triple#3']}\n"
        "  - {name: triple}\n"
        "  - {name: sparse}\n"
        "  - {name: word, kind: text}\n"
        "  - {name: gone, columns: [nowhere], optional: true}\n";
    for (size_t f = 0; f < 4; f++) {
        char path[1024];
        gb_ingest_report report;
        gb_dataset *dataset = NULL;
        snprintf(path, sizeof path, GOLDEN "%s.parquet", files[f]);
        assert_done(read_by(text, path, &report, &dataset));
        assert_int_equal(report.rows_read, ROWS);
        assert_int_equal(report.rows_stored, ROWS);
        assert_int_equal(report.period_ns, 1500000000);
        assert_int_equal(gb_dataset_count(dataset), 1);
        const gb_stream_view *a = stream_of(dataset, 0, "a");
        const gb_stream_view *mixed = stream_of(dataset, 0, "mixed");
        const gb_stream_view *triple = stream_of(dataset, 0, "triple");
        const gb_stream_view *sparse = stream_of(dataset, 0, "sparse");
        const gb_stream_view *word = stream_of(dataset, 0, "word");
        assert_null(stream_of(dataset, 0, "gone"));
        assert_string_equal(a->spec->unit, "Cel");
        assert_int_equal(mixed->size, 3);
        assert_int_equal(triple->size, 3);
        for (int64_t r = 0; r < ROWS; r++) {
            assert_int_equal(a->time_ns[r], r * 1500000000);
            assert_true(a->values[r] == (float)(r * 7 - 300));
            assert_true(mixed->values[3 * r] == (float)((double)r * 0.25 - 3));
            assert_true(mixed->values[3 * r + 1] == (float)(r * r * 1000003));
            assert_true(mixed->values[3 * r + 2] == (float)(r + 2));
            assert_true(triple->values[3 * r + 1] == (float)(r + 1));
            assert_true(r % 5 == 0 ? isnan(sparse->values[r]) : sparse->values[r] == (float)r);
            assert_int_equal(sparse->quality[r], r % 5 == 0 ? GB_QUALITY_MISSING : GB_QUALITY_GOOD);
            char expected[32];
            int size = snprintf(expected, sizeof expected, "row-%d", (int)(r % 17));
            assert_int_equal(word->offset[r + 1] - word->offset[r], size);
            assert_memory_equal(word->raw + word->offset[r], expected, (size_t)size);
        }
        gb_dataset_destroy(dataset);
    }
}

static void in_groups(void **state)
{
    (void)state;
    gb_ingest_report report;
    gb_dataset *dataset = NULL;
    static const char text[] = "name: t\nreader: parquet\nfiles: ['*.parquet']\n"
                               "time: {period_s: 0.5}\ngroup: [bool, day]\n"
                               "streams:\n  - {name: i32}\n  - {name: triple}\n";
    assert_done(read_by(text, GOLDEN "v1_snappy.parquet", &report, &dataset));
    assert_int_equal(gb_dataset_count(dataset), ROWS); /* every day is another */
    assert_int_equal(report.rows_stored, ROWS);
    for (int64_t r = 0; r < ROWS; r++) {
        assert_true(stream_of(dataset, r, "i32")->values[0] == (float)(r * 7 - 300));
        assert_true(stream_of(dataset, r, "triple")->values[2] == (float)(r + 2));
    }
    assert_string_equal(gb_recording_get_info(gb_dataset_get(dataset, 3))->name,
                        "v1_snappy/1/18265");
    gb_dataset_destroy(dataset);
    static const char apart[] = "name: t\nreader: parquet\nfiles: ['*.parquet']\ngroup: [bool]\n"
                                "streams:\n  - {name: i32}\n";
    assert_int_equal(read_by(apart, GOLDEN "v1_snappy.parquet", &report, &dataset),
                     GB_ERR_UNSUPPORTED);
    gb_dataset_destroy(dataset);
}

static void without_streams(void **state)
{
    (void)state;
    gb_ingest_report report;
    gb_dataset *dataset = NULL;
    static const char text[] = "name: t\nreader: parquet\nfiles: ['*.parquet']\n";
    assert_done(read_by(text, GOLDEN "v2_lz4.parquet", &report, &dataset));
    assert_int_equal(report.left_out_count, 2); /* lists of different lengths, fixed bytes */
    assert_non_null(stream_of(dataset, 0, "record.a"));
    assert_int_equal(stream_of(dataset, 0, "matrix")->size, 2);
    assert_null(stream_of(dataset, 0, "ragged"));
    gb_dataset_destroy(dataset);
}

static void what_is_not_there(void **state)
{
    (void)state;
    gb_ingest_report report;
    gb_dataset *dataset = NULL;
    static const char text[] = "name: t\nreader: parquet\nfiles: ['*.parquet']\n"
                               "streams:\n  - {name: x, columns: [nowhere]}\n";
    assert_int_equal(read_by(text, GOLDEN "v1_snappy.parquet", &report, &dataset),
                     GB_ERR_NOT_FOUND);
    assert_non_null(strstr(gb_error_message(), "nowhere"));
    assert_non_null(strstr(gb_error_message(), "i32"));
    gb_dataset_destroy(dataset);
}

/* The map that is proposed can be read, and the file by it. */
static void guessed(void **state)
{
    (void)state;
    gb_arena *arena = NULL;
    const char *yaml = NULL;
    gb_ingest_report report;
    gb_dataset *dataset = NULL;
    gb_ingest_options options = gb_ingest_options_defaults();
    const gb_reader *reader = gb_reader_for_file("x.parquet");
    assert_non_null(reader);
    assert_done(gb_arena_create(0, &arena));
    assert_done(reader->guess(GOLDEN "v1_snappy.parquet", &options, arena, &yaml));
    assert_non_null(strstr(yaml, "time: {column: time}"));
    assert_done(read_by(yaml, GOLDEN "v1_snappy.parquet", &report, &dataset));
    assert_int_equal(report.rows_stored, ROWS);
    gb_dataset_destroy(dataset);
    gb_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_a_map),        cmocka_unit_test(in_groups),
        cmocka_unit_test(without_streams), cmocka_unit_test(what_is_not_there),
        cmocka_unit_test(guessed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
