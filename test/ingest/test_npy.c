/* The NumPy reader: every type, both orders, archives stored and deflated; CWRU value for value;
 * pickles refused; files cut and flipped. The golden files were written by NumPy. */
#include "ingest/kept.h"

#include "ingest/folder.h"

#define GOLDEN GENBA_SOURCE_DIR "/test/golden/npy/"

static const char any_map[] = "name: t\nreader: npy\nfiles: ['*']\n";

static void every_type(void **state)
{
    (void)state;
    capture c;
    gb_ingest_report report;
    if (capture_text("name: t\nreader: npy\nfiles: ['*']\ntime: {column: stamp}\n",
                     GOLDEN "mixed.npz", &report, &c) != GB_OK)
        fail_msg("%s", gb_error_message());
    assert_true(report.rows_read == 5 && report.rows_stored == 5);
    assert_int_equal(report.left_out_count, 4); /* rpm, other, words, z */
    assert_string_equal(c.recordings[0].pairs, "rpm=1797;");
    const captured_stream *s = check_captured(&c, 0, "temperature", GB_STREAM_SCALAR, GB_VALUE_F64);
    assert_true(((double *)s->bytes)[3] == 21.5);
    assert_int_equal(s->time_ns[1] - s->time_ns[0], 250000000);
    assert_int_equal(s->time_ns[0], 1714521600000000000);
    s = check_captured(&c, 0, "counter", GB_STREAM_SCALAR, GB_VALUE_I32);
    assert_int_equal(((int32_t *)s->bytes)[4], 2000);
    s = check_captured(&c, 0, "flag", GB_STREAM_SCALAR, GB_VALUE_U8);
    assert_memory_equal(s->bytes, "\1\0\1\0\1", 5);
    s = check_captured(&c, 0, "half", GB_STREAM_SCALAR, GB_VALUE_F32);
    assert_true(((float *)s->bytes)[3] == 0.75f);
    s = check_captured(&c, 0, "big", GB_STREAM_SCALAR, GB_VALUE_U64);
    assert_true(((uint64_t *)s->bytes)[0] == UINT64_MAX);
    s = check_captured(&c, 0, "pose", GB_STREAM_VECTOR, GB_VALUE_F32);
    for (int i = 0; i < 15; i++)
        assert_true(((float *)s->bytes)[i] == (float)(i / 3 * 10 + i % 3));
    s = check_captured(&c, 0, "image", GB_STREAM_IMAGE, GB_VALUE_U8);
    for (int i = 0; i < 60; i++)
        assert_int_equal(s->bytes[i], i / 12 * 7 + i / 6 % 2 * 5 + i / 3 % 2 * 3 + i % 3);
    capture_free(&c);
}

static void stored_in_fortran_order(void **state)
{
    (void)state;
    capture c;
    assert_int_equal(capture_text(any_map, GOLDEN "stored.npz", NULL, &c), GB_OK);
    const captured_stream *a = check_captured(&c, 0, "a", GB_STREAM_VECTOR, GB_VALUE_I16);
    assert_true(a->spec.rank == 2 && a->spec.shape[0] == 2 && a->spec.shape[1] == 3);
    for (int i = 0; i < 30; i++)
        assert_int_equal(((int16_t *)a->bytes)[i], i / 6 * 100 + i / 3 % 2 * 10 + i % 3);
    capture_free(&c);
}

/* One array without a name: its columns become time and streams. */
static void columns_of_a_matrix(void **state)
{
    (void)state;
    capture c;
    const char *map = "name: t\nreader: npy\nfiles: ['*']\n"
                      "time: {column: '#1', format: seconds}\n"
                      "streams:\n"
                      "  - {name: both, columns: ['#4', '#2'], value_type: f32}\n"
                      "  - {name: third, columns: ['#3'], value_type: u8, kind: scalar}\n";
    if (capture_text(map, GOLDEN "matrix.npy", NULL, &c) != GB_OK)
        fail_msg("%s", gb_error_message());
    const captured_stream *both = check_captured(&c, 0, "both", GB_STREAM_VECTOR, GB_VALUE_F32);
    assert_true(((float *)both->bytes)[8] == 43 && ((float *)both->bytes)[9] == 41);
    assert_int_equal(both->time_ns[4], 40000000000);
    const captured_stream *third = check_captured(&c, 0, "third", GB_STREAM_SCALAR, GB_VALUE_U8);
    assert_int_equal(third->bytes[4], 42);
    capture_free(&c);
}

static void expect(const char *file, const char *streams, gb_status wanted, const char *words)
{
    char map[1024], path[1024];
    capture c;
    snprintf(map, sizeof map, "%s%s", any_map, streams);
    snprintf(path, sizeof path, GOLDEN "%s", file);
    gb_status status = capture_text(map, path, NULL, &c);
    if (status != wanted || !strstr(gb_error_message(), words))
        fail_msg("%s: %s, %s", file, gb_status_name(status), gb_error_message());
    capture_free(&c);
}

static void refusals(void **state)
{
    (void)state;
    expect("pickle.npy", "streams: [{name: x}]\n", GB_ERR_UNSUPPORTED, "pickle");
    expect("fields.npy", "streams: [{name: x}]\n", GB_ERR_UNSUPPORTED, "fields");
    expect("mixed.npz", "streams: [{name: words}]\n", GB_ERR_UNSUPPORTED, "text");
    expect("mixed.npz", "streams: [{name: z}]\n", GB_ERR_UNSUPPORTED, "complex");
    expect("mixed.npz", "streams: [{name: rpm}]\n", GB_ERR_UNSUPPORTED, "single value");
    expect("mixed.npz", "streams: [{name: flag}, {name: other}]\n", GB_ERR_SHAPE, "3 rows");
    expect("mixed.npz", "streams: [{name: nothing}]\n", GB_ERR_NOT_FOUND, "temperature");
    expect("mixed.npz", "streams: [{name: counter, value_type: u16}]\n", GB_ERR_SCHEMA, "-2000");
    expect("../picture/grey8.png", "", GB_ERR_PARSE, "no NumPy");
}

static void write_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    fclose(file);
}

/* numpy.load would run this one: it begins as pickles do. */
static void bare_pickle(void **state)
{
    (void)state;
    capture c;
    write_file("test_npy_pickle.npy", "\x80\x04\x95\x0c\0\0\0\0\0\0\0\x8c", 12);
    assert_int_equal(capture_text(any_map, "test_npy_pickle.npy", NULL, &c), GB_ERR_UNSUPPORTED);
    assert_non_null(strstr(gb_error_message(), "pickle"));
    capture_free(&c);
    write_file("test_npy_pickle.npy", "", 0);
    assert_int_not_equal(capture_text(any_map, "test_npy_pickle.npy", NULL, &c), GB_OK);
    capture_free(&c);
    remove("test_npy_pickle.npy");
}

static void same_streams(const capture *a, const capture *b)
{
    assert_int_equal(a->recordings[0].stream_count, b->recordings[0].stream_count);
    for (int i = 0; i < a->recordings[0].stream_count; i++) {
        const captured_stream *x = &a->recordings[0].streams[i];
        const captured_stream *y = find_captured(b, 0, x->name);
        assert_int_equal(x->size, y->size);
        assert_memory_equal(x->bytes, y->bytes, x->size);
    }
}

/* Archives carry checksums: what is taken is what was written. Their dates and comments do not
 * matter, so some flips are harmless. */
static void torture_archive(const char *name)
{
    char golden[1024];
    char *whole = NULL;
    size_t size = 0;
    gb_arena *arena = NULL;
    capture right, c;
    static const char path[] = "test_npy_torture.npz";
    snprintf(golden, sizeof golden, GOLDEN "%s", name);
    assert_int_equal(gb_arena_create(0, &arena), GB_OK);
    assert_int_equal(gb_file_read(golden, 0, arena, &whole, &size), GB_OK);
    assert_int_equal(capture_text(any_map, golden, NULL, &right), GB_OK);
    for (size_t at = 0; at < size; at++) {
        write_file(path, whole, at);
        if (capture_text(any_map, path, NULL, &c) == GB_OK)
            fail_msg("%zu of %zu bytes were taken", at, size);
        capture_free(&c);
        whole[at] ^= 0x21;
        write_file(path, whole, size);
        whole[at] ^= 0x21;
        if (capture_text(any_map, path, NULL, &c) == GB_OK)
            same_streams(&c, &right);
        capture_free(&c);
    }
    capture_free(&right);
    remove(path);
    gb_arena_destroy(arena);
}

static void torture(void **state)
{
    (void)state;
    torture_archive("mixed.npz");
    torture_archive("stored.npz");
}

static void guesses(void **state)
{
    (void)state;
    capture c;
    gb_ingest_report report = {0};
    gb_stream_map *map = guessed_map(GOLDEN "mixed.npz");
    assert_string_equal(map->data->time.column, "stamp");
    assert_int_equal(map->data->streams_count, 8);
    assert_int_equal(capture_run(map, GOLDEN "mixed.npz", NULL, &report, &c), GB_OK);
    capture_free(&c);
    gb_stream_map_destroy(map);
}

/* for key: blake2b(b''.join(blake2b(np.load(f)[key].tobytes()) for f in sorted(files))), NumPy */
static void cwru(void **state)
{
    (void)state;
    const char *data = getenv("GENBA_DATA");
    char folder[4096];
    snprintf(folder, sizeof folder, "%s/cwru", data ? data : "");
    if (!data || !gb_file_exists(folder)) {
        print_message("cwru is not there: set GENBA_DATA to the folder that has it\n");
        skip();
    }
    gb_stream_map *map = NULL;
    gb_folder_files files;
    gb_ingest_report report = {0};
    if (gb_stream_map_load(GENBA_SOURCE_DIR "/examples/maps/cwru.yaml", &map) != GB_OK ||
        gb_folder_list(map, folder, &files) != GB_OK)
        fail_msg("%s", gb_error_message());
    assert_int_equal(files.count, 10);
    unsigned char hashes[2][10][GB_HASH_BYTES], whole[GB_HASH_BYTES];
    for (int64_t i = 0; i < files.count; i++) {
        capture c;
        if (capture_run(map, files.files[i].path, NULL, &report, &c) != GB_OK)
            fail_msg("%s", gb_error_message());
        const captured_stream *drive =
            check_captured(&c, 0, "drive_end", GB_STREAM_SCALAR, GB_VALUE_F64);
        const captured_stream *fan = find_captured(&c, 0, "fan_end");
        gb_hash(drive->bytes, drive->size, hashes[0][i]);
        gb_hash(fan->bytes, fan->size, hashes[1][i]);
        assert_int_equal(c.recordings[0].stream_count, i == 6 ? 2 : 3);
        assert_int_equal(drive->time_ns[12000], 1000000000);
        capture_free(&c);
    }
    assert_true(report.rows_read == 1341856 && report.rows_stored == 1341856);
    char text[2 * GB_HASH_BYTES + 1];
    gb_hash(hashes[0], sizeof hashes[0], whole);
    gb_hash_hex(whole, text);
    assert_string_equal(text, "6cc8df17225c2b08cbdc854d5df4911f84a55b5431165eff5ab2b74fc822f453");
    gb_hash(hashes[1], sizeof hashes[1], whole);
    gb_hash_hex(whole, text);
    assert_string_equal(text, "ff5e760b94508eb176bc67954d60a90cbde0af57e8422c98325bceedaafcdfa2");
    gb_folder_free(&files);
    gb_stream_map_destroy(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type),
        cmocka_unit_test(stored_in_fortran_order),
        cmocka_unit_test(columns_of_a_matrix),
        cmocka_unit_test(refusals),
        cmocka_unit_test(bare_pickle),
        cmocka_unit_test(torture),
        cmocka_unit_test(guesses),
        cmocka_unit_test(cwru),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
