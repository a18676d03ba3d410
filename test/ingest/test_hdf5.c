/* The HDF5 reader: robomimic's and ALOHA's layouts, every type, times, facts; PushT's pictures bit
 * for bit; what is refused; files cut and flipped. The golden files were written by h5py. */
#include "ingest/kept.h"

#define GOLDEN GENBA_SOURCE_DIR "/test/golden/hdf5/"

static const char robomimic_map[] =
    "name: toy\n"
    "reader: hdf5\n"
    "files: ['*.hdf5']\n"
    "episodes: 'data/demo_*'\n"
    "time: {period_s: 0.5}\n"
    "streams:\n"
    "  - {name: camera, source: obs/image}\n"
    "  - {name: state, source: obs/state, value_type: i32, unit: mm}\n"
    "  - {name: action, source: actions}\n"
    "  - {name: second, source: actions, columns: ['#2']}\n"
    "  - {name: done, source: dones}\n"
    "  - {name: absent, source: obs/force, optional: true}\n";

static void check_robomimic(const char *path)
{
    static const int demos[] = {0, 2, 10}, rows[] = {4, 3, 2};
    gb_ingest_report report;
    capture c;
    if (capture_text(robomimic_map, path, &report, &c) != GB_OK)
        fail_msg("%s", gb_error_message());
    assert_int_equal(c.count, 3);
    assert_true(report.rows_read == 9 && report.rows_stored == 9 && report.rows_rejected == 0);
    for (int r = 0; r < 3; r++) {
        char name[64];
        snprintf(name, sizeof name, "file/demo_%d", demos[r]);
        assert_string_equal(c.recordings[r].name, name);
        assert_string_equal(c.recordings[r].outcome, r == 1 ? "failure" : "success");
        assert_non_null(strstr(c.recordings[r].pairs, "data/env_args={\"env_name\": \"toy\"};"));
        assert_true(c.recordings[r].ended);
        const captured_stream *camera =
            check_captured(&c, r, "camera", GB_STREAM_IMAGE, GB_VALUE_U8);
        assert_int_equal(camera->size, rows[r] * 2 * 3 * 3);
        assert_true(camera->spec.rank == 3 && camera->spec.shape[1] == 3);
        for (int i = 0; i < rows[r] * 18; i++)
            assert_int_equal(camera->bytes[i],
                             demos[r] * 16 + i / 18 * 8 + i / 9 % 2 * 4 + i / 3 % 3 * 2 + i % 3);
        const captured_stream *state =
            check_captured(&c, r, "state", GB_STREAM_SCALAR, GB_VALUE_I32);
        const captured_stream *action =
            check_captured(&c, r, "action", GB_STREAM_ACTION, GB_VALUE_F32);
        const captured_stream *second =
            check_captured(&c, r, "second", GB_STREAM_ACTION, GB_VALUE_F32);
        const captured_stream *done = check_captured(&c, r, "done", GB_STREAM_SCALAR, GB_VALUE_U8);
        assert_string_equal(state->unit, "mm");
        assert_true(state->spec.rate_hz == 2 && state->spec.rank == 0);
        for (int i = 0; i < rows[r]; i++) {
            assert_int_equal(((int32_t *)state->bytes)[i], i * 1000 + demos[r]);
            assert_true(((float *)action->bytes)[2 * i + 1] == (float)(demos[r] + i) + 0.5f);
            assert_true(((float *)second->bytes)[i] == (float)(demos[r] + i) + 0.5f);
            assert_int_equal(done->bytes[i], i == rows[r] - 1);
            assert_int_equal(action->time_ns[i], i * 500000000LL);
        }
    }
    capture_free(&c);
}

static void robomimic(void **state)
{
    (void)state;
    check_robomimic(GOLDEN "robomimic.hdf5");     /* gzip, shuffle, checksums, new groups */
    check_robomimic(GOLDEN "robomimic_old.hdf5"); /* plain, old groups */
}

static void aloha_describes_itself(void **state)
{
    (void)state;
    capture c;
    gb_ingest_report report;
    const char *map = "name: aloha\nreader: hdf5\nfiles: ['*']\ntime: {column: timestamp}\n";
    if (capture_text(map, GOLDEN "aloha.hdf5", &report, &c) != GB_OK)
        fail_msg("%s", gb_error_message());
    assert_int_equal(c.count, 1);
    assert_string_equal(c.recordings[0].name, "file");
    assert_string_equal(c.recordings[0].instruction, "open the drawer");
    assert_string_equal(c.recordings[0].outcome, "success");
    assert_int_equal(report.left_out_count, 1); /* four rows, the others have three */
    assert_string_equal(report.left_out[0].name, "base");
    assert_int_equal(report.time_format, GB_TIME_FORMAT_EPOCH_S);
    const captured_stream *action = check_captured(&c, 0, "action", GB_STREAM_ACTION, GB_VALUE_F64);
    assert_int_equal(action->time_ns[2], 1700000000750000000);
    assert_int_equal(action->spec.time_base, GB_TIME_UTC);
    assert_true(((double *)action->bytes)[41] == 41 / 8.0);
    assert_int_equal(report.period_ns, 250000000);
    const captured_stream *big = check_captured(&c, 0, "big", GB_STREAM_SCALAR, GB_VALUE_U64);
    assert_true(((uint64_t *)big->bytes)[0] == (1ULL << 63) + 1);
    const captured_stream *half = check_captured(&c, 0, "half", GB_STREAM_SCALAR, GB_VALUE_F32);
    assert_true(((float *)half->bytes)[1] == 0.5f && ((float *)half->bytes)[2] == -2);
    const captured_stream *phase = check_captured(&c, 0, "phase", GB_STREAM_TEXT, GB_VALUE_BYTES);
    assert_true(phase->ends[0] == 5 && phase->ends[1] == 5);
    assert_memory_equal(phase->bytes, "reachgrasp \xc3\xa9", 13);
    const captured_stream *code = check_captured(&c, 0, "code", GB_STREAM_TEXT, GB_VALUE_BYTES);
    assert_true(code->ends[0] == 1 && code->ends[1] == 4 && code->ends[2] == 4);
    capture_free(&c);
}

/* Rows of pictures padded to one length give back the pictures' own bytes. */
static void padded_pictures(void **state)
{
    (void)state;
    capture c;
    gb_arena *arena = NULL;
    char *png = NULL;
    size_t size = 0;
    const char *map = "name: aloha\nreader: hdf5\nfiles: ['*']\n"
                      "streams: [{name: high, source: observations/images/cam_high}]\n";
    assert_int_equal(capture_text(map, GOLDEN "aloha.hdf5", NULL, &c), GB_OK);
    const captured_stream *high = check_captured(&c, 0, "high", GB_STREAM_IMAGE, GB_VALUE_BYTES);
    assert_string_equal(high->encoding, "png");
    assert_int_equal(high->count, 3);
    assert_int_equal(gb_arena_create(0, &arena), GB_OK);
    assert_int_equal(
        gb_file_read(GENBA_SOURCE_DIR "/test/golden/picture/grey8.png", 0, arena, &png, &size),
        GB_OK);
    assert_int_equal(high->ends[1] - high->ends[0], size);
    assert_memory_equal(high->bytes + high->ends[0], png, size);
    gb_arena_destroy(arena);
    capture_free(&c);
}

static void expect(const char *streams, gb_status wanted, const char *words)
{
    char map[1024];
    capture c;
    snprintf(map, sizeof map, "name: h\nreader: hdf5\nfiles: ['*']\n%s\n", streams);
    gb_status status = capture_text(map, GOLDEN "hostile.hdf5", NULL, &c);
    if (status != wanted)
        fail_msg("%s: %s, %s", streams, gb_status_name(status), gb_error_message());
    if (wanted != GB_OK && !strstr(gb_error_message(), words))
        fail_msg("%s: \"%s\" lacks \"%s\"", streams, gb_error_message(), words);
    capture_free(&c);
}

static void refusals(void **state)
{
    (void)state;
    expect("streams: [{name: fine}]", GB_OK, "");
    expect("streams: [{name: soft}]", GB_OK, "");
    expect("streams: [{name: x, source: /loop/again/again/x}]", GB_OK, "");
    expect("streams: [{name: elsewhere}]", GB_ERR_NOT_FOUND, "elsewhere");
    expect("streams: [{name: lzf}]", GB_ERR_UNSUPPORTED, "gzip");
    expect("streams: [{name: compound}]", GB_ERR_UNSUPPORTED, "compound");
    expect("streams: [{name: raw}]", GB_ERR_UNSUPPORTED, "another file");
    expect("streams: [{name: virtual}]", GB_ERR_UNSUPPORTED, "another file");
    expect("streams: [{name: claims}]", GB_ERR_UNSUPPORTED, "far more values");
    expect("streams: [{name: wide_chunk}]", GB_ERR_UNSUPPORTED, "256 MiB");
    expect("streams: [{name: scalar}]", GB_ERR_UNSUPPORTED, "single value");
    expect("streams: [{name: empty}]", GB_ERR_UNSUPPORTED, "empty");
    expect("streams: [{name: deep}]", GB_ERR_UNSUPPORTED, "four dimensions");
    expect("streams: [{name: lists32}]", GB_ERR_UNSUPPORTED, "varying length");
    expect("streams: [{name: fine, value_type: bytes}]", GB_ERR_SCHEMA, "i32");
    expect("streams: [{name: fine, columns: ['#2']}]", GB_ERR_SCHEMA, "#1");
    expect("streams: [{name: no, source: fi}]", GB_ERR_NOT_FOUND, "\"fi\"");
    expect("episodes: 'demo_*'", GB_ERR_NOT_FOUND, "demo_*");
    expect("time: {column: fine}\nstreams: [{name: fine}]", GB_ERR_PARSE, "time.format");
    expect("time: {column: fine, format: datetime}\nstreams: [{name: fine}]", GB_ERR_SCHEMA,
           "text");
}

/* Without streams in the map everything that can be read is; the loop ends by itself. */
static void takes_what_it_can(void **state)
{
    (void)state;
    capture c;
    gb_ingest_report report;
    assert_int_equal(
        capture_text("name: h\nreader: hdf5\nfiles: ['*']\n", GOLDEN "hostile.hdf5", &report, &c),
        GB_OK);
    check_captured(&c, 0, "fine", GB_STREAM_SCALAR, GB_VALUE_I32);
    check_captured(&c, 0, "loop.x", GB_STREAM_SCALAR, GB_VALUE_I64);
    const captured_stream *times = find_captured(&c, 0, "times");
    assert_int_equal(times->quality[1], GB_QUALITY_MISSING);
    assert_int_equal(times->quality[0], GB_QUALITY_GOOD);
    assert_int_equal(report.cells_missing, 1);
    const captured_stream *lists = find_captured(&c, 0, "lists");
    assert_true(lists->ends[3] == 10 && lists->bytes[9] == 3);
    assert_int_equal(c.recordings[0].stream_count, 4);
    capture_free(&c);
}

static void rows_without_a_time(void **state)
{
    (void)state;
    capture c;
    gb_ingest_report report;
    const char *text = "name: h\nreader: hdf5\nfiles: ['*']\n"
                       "time: {column: times, format: seconds}\n"
                       "streams: [{name: fine}, {name: lists}]\n";
    assert_int_equal(capture_text(text, GOLDEN "hostile.hdf5", &report, &c), GB_OK);
    assert_true(report.rows_read == 4 && report.rows_stored == 2 && report.rows_rejected == 2);
    const captured_stream *fine = find_captured(&c, 0, "fine");
    assert_int_equal(fine->count, 2);
    assert_int_equal(((int32_t *)fine->bytes)[1], 2);
    assert_int_equal(fine->time_ns[1], 500000000);
    const captured_stream *lists = find_captured(&c, 0, "lists");
    assert_true(lists->ends[0] == 1 && lists->ends[1] == 4 && lists->bytes[3] == 2);
    capture_free(&c);
    gb_stream_map *map = map_of(text);
    gb_ingest_options options = gb_ingest_options_defaults();
    options.bad_cells = GB_BAD_CELLS_STRICT;
    assert_int_equal(capture_run(map, GOLDEN "hostile.hdf5", &options, &report, &c), GB_ERR_PARSE);
    assert_non_null(strstr(gb_error_message(), "row 2 of times: found nan"));
    capture_free(&c);
    gb_stream_map_destroy(map);
}

static void row_limit(void **state)
{
    (void)state;
    capture c;
    gb_ingest_report report = {0};
    gb_stream_map *map = map_of(robomimic_map);
    gb_ingest_options options = gb_ingest_options_defaults();
    options.row_limit = 5;
    assert_int_equal(capture_run(map, GOLDEN "robomimic.hdf5", &options, &report, &c), GB_OK);
    assert_int_equal(report.rows_read, 5);
    assert_int_equal(c.count, 2);
    assert_int_equal(find_captured(&c, 1, "state")->count, 1);
    capture_free(&c);
    gb_stream_map_destroy(map);
}

static void guesses(void **state)
{
    (void)state;
    gb_stream_map *map = guessed_map(GOLDEN "robomimic.hdf5");
    assert_string_equal(map->data->episodes, "data/demo_*");
    assert_int_equal(map->data->streams_count, 4);
    gb_ingest_report report = {0};
    capture c;
    assert_int_equal(capture_run(map, GOLDEN "robomimic.hdf5", NULL, &report, &c), GB_OK);
    assert_int_equal(c.count, 3);
    capture_free(&c);
    gb_stream_map_destroy(map);
    map = guessed_map(GOLDEN "aloha.hdf5");
    assert_null(map->data->episodes);
    assert_string_equal(map->data->time.column, "timestamp");
    assert_int_equal(capture_run(map, GOLDEN "aloha.hdf5", NULL, &report, &c), GB_OK);
    capture_free(&c);
    gb_stream_map_destroy(map);
}

/* Cut anywhere: refused. Flipped anywhere: a status, and with checksums on metadata and data either
 * a refusal or what was there before. */
static void torture(void **state)
{
    (void)state;
    gb_arena *arena = NULL;
    char *whole = NULL;
    size_t size = 0;
    static const char path[] = "test_hdf5_torture.hdf5";
    assert_int_equal(gb_arena_create(0, &arena), GB_OK);
    assert_int_equal(gb_file_read(GOLDEN "robomimic.hdf5", 0, arena, &whole, &size), GB_OK);
    for (size_t at = 0; at < size; at += at < 256 ? 1 : 53) {
        capture c;
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(whole, 1, at, file), at);
        fclose(file);
        if (capture_text(robomimic_map, path, NULL, &c) == GB_OK)
            fail_msg("%zu of %zu bytes were taken", at, size);
        assert_true(strlen(gb_error_message()) > 0);
        capture_free(&c);
    }
    size_t stride = getenv("GENBA_TORTURE") ? 1 : 61; /* each is a process, and some never end */
    for (size_t at = 0; at < size; at += stride) {
        capture c;
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        whole[at] ^= 0x41;
        assert_int_equal(fwrite(whole, 1, size, file), size);
        whole[at] ^= 0x41;
        fclose(file);
        if (capture_text(robomimic_map, path, NULL, &c) == GB_OK)
            assert_int_equal(find_captured(&c, 0, "camera")->count, 4);
        capture_free(&c);
    }
    remove(path);
    gb_arena_destroy(arena);
}

/* for key: blake2b(b''.join(blake2b(demo[key].tobytes()) for demo 0..205)), digest_size=32, h5py */
static void pusht_bit_for_bit(void **state)
{
    (void)state;
    static const char *const wanted[][2] = {
        {"camera", "958c50a870b2b0c9d4225948ce5c798d96adb0e7580525560ddf97650fac4b96"},
        {"agent.position", "4dd102b43c7acb855b18960fc27f7edfe1e4405cc754f6b76f076e6089965bcb"},
        {"block.keypoints", "03b144a0f2b7a09f6a34c56fe5f29fe3b0c934aaeb06edb3b2c4d7b29c8e8d13"},
        {"agent.target", "60613fd031900492450ea7ec57e7b0613a9db3978403f18c9118dcc2dba7b616"}};
    const char *data = getenv("GENBA_DATA");
    char path[4096];
    snprintf(path, sizeof path, "%s/pusht/pusht_v7.hdf5", data ? data : "");
    if (!data || !gb_file_exists(path)) {
        print_message("pusht_v7.hdf5 is not there: set GENBA_DATA to the folder that has it\n");
        skip();
    }
    gb_stream_map *map = NULL;
    gb_ingest_report report = {0};
    capture c;
    if (gb_stream_map_load(GENBA_SOURCE_DIR "/examples/maps/pusht_hdf5.yaml", &map) != GB_OK ||
        capture_run(map, path, NULL, &report, &c) != GB_OK)
        fail_msg("%s", gb_error_message());
    assert_int_equal(c.count, 206);
    assert_string_equal(c.recordings[2].name, "file/demo_2");
    assert_true(report.rows_read == 25650 && report.rows_stored == 25650);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        char hash[2 * GB_HASH_BYTES + 1];
        hash_captured(&c, wanted[i][0], hash);
        assert_string_equal(hash, wanted[i][1]);
    }
    capture_free(&c);
    gb_stream_map_destroy(map);
}

int main(void)
{
    if (!reader_is_built(GOLDEN "aloha.hdf5"))
        return 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(robomimic),         cmocka_unit_test(aloha_describes_itself),
        cmocka_unit_test(padded_pictures),   cmocka_unit_test(refusals),
        cmocka_unit_test(takes_what_it_can), cmocka_unit_test(rows_without_a_time),
        cmocka_unit_test(row_limit),         cmocka_unit_test(guesses),
        cmocka_unit_test(torture),           cmocka_unit_test(pusht_bit_for_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
