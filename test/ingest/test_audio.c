/* The audio reader: WAV, FLAC and relatives made here by libsndfile come back number for number;
 * cut and flipped files are refused or say the same. */
#include "ingest/kept.h"

#if __has_include(<sndfile.h>)
#include <sndfile.h>

enum {
    FRAMES = 3000,
    RATE = 44100
};

static const char any_map[] = "name: t\nreader: audio\nfiles: ['*']\n";

/* Number `i` of a signal, over the whole range of `bits`. */
static int64_t number(int64_t i, int bits)
{
    int64_t range = (int64_t)1 << bits;
    return (int64_t)(gb_random_u32(3, 0, (uint64_t)i) % (uint64_t)range) - range / 2;
}

static const char *make(const char *path, int format, int channels, int bits, int frames)
{
    SF_INFO info = {.samplerate = RATE, .channels = channels, .format = format};
    SNDFILE *file = sf_open(path, SFM_WRITE, &info);
    assert_non_null(file);
    sf_set_string(file, SF_STR_TITLE, "pump 3");
    for (int64_t i = 0; i < frames; i++) {
        double reals[8];
        int wholes[8];
        for (int c = 0; c < channels; c++) {
            int64_t value = number(i * channels + c, bits > 0 ? bits : 20);
            wholes[c] = (int)((uint32_t)value << (bits > 0 ? 32 - bits : 0));
            reals[c] = (double)value / 1048576.0 * 1.5;
        }
        sf_count_t done =
            bits > 0 ? sf_writef_int(file, wholes, 1) : sf_writef_double(file, reals, 1);
        assert_int_equal(done, 1);
    }
    sf_close(file);
    return path;
}

static void check_wholes(int format, int channels, int bits, gb_value_type type)
{
    capture c;
    gb_ingest_report report;
    const char *path = make("test_audio.bin", format, channels, bits, FRAMES);
    if (capture_text(any_map, path, &report, &c) != GB_OK)
        fail_msg("%s", gb_error_message());
    assert_true(report.rows_read == FRAMES && report.rows_stored == FRAMES);
    const captured_stream *s = check_captured(&c, 0, "audio", GB_STREAM_AUDIO, type);
    assert_true(s->spec.rank == 1 && s->spec.shape[0] == channels && s->spec.rate_hz == RATE);
    assert_int_equal(s->spec.time_base, GB_TIME_START);
    assert_int_equal(s->time_ns[RATE / 20], 50000000);
    for (int64_t i = 0; i < FRAMES * channels; i++) {
        int64_t found = type == GB_VALUE_I8    ? ((int8_t *)s->bytes)[i]
                        : type == GB_VALUE_I16 ? ((int16_t *)s->bytes)[i]
                                               : ((int32_t *)s->bytes)[i];
        if (found != number(i, bits))
            fail_msg("format 0x%x, number %lld: %lld, expected %lld", format, (long long)i,
                     (long long)found, (long long)number(i, bits));
    }
    assert_non_null(strstr(c.recordings[0].pairs, "title=pump 3;"));
    capture_free(&c);
    remove(path);
}

static void whole_numbers(void **state)
{
    (void)state;
    check_wholes(SF_FORMAT_WAV | SF_FORMAT_PCM_U8, 1, 8, GB_VALUE_I8);
    check_wholes(SF_FORMAT_WAV | SF_FORMAT_PCM_16, 2, 16, GB_VALUE_I16);
    check_wholes(SF_FORMAT_WAV | SF_FORMAT_PCM_24, 3, 24, GB_VALUE_I32);
    check_wholes(SF_FORMAT_WAV | SF_FORMAT_PCM_32, 1, 32, GB_VALUE_I32);
    check_wholes(SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 2, 16, GB_VALUE_I16);
    check_wholes(SF_FORMAT_FLAC | SF_FORMAT_PCM_24, 1, 24, GB_VALUE_I32);
    check_wholes(SF_FORMAT_AIFF | SF_FORMAT_PCM_16, 2, 16, GB_VALUE_I16);
}

static void floats(void **state)
{
    (void)state;
    capture c;
    make("test_audio.wav", SF_FORMAT_WAV | SF_FORMAT_FLOAT, 2, 0, FRAMES);
    assert_int_equal(capture_text(any_map, "test_audio.wav", NULL, &c), GB_OK);
    const captured_stream *s = check_captured(&c, 0, "audio", GB_STREAM_AUDIO, GB_VALUE_F32);
    for (int64_t i = 0; i < 2 * FRAMES; i++)
        assert_true(((float *)s->bytes)[i] == (float)((double)number(i, 20) / 1048576.0 * 1.5));
    capture_free(&c);
    make("test_audio.wav", SF_FORMAT_WAV | SF_FORMAT_DOUBLE, 1, 0, FRAMES);
    assert_int_equal(capture_text(any_map, "test_audio.wav", NULL, &c), GB_OK);
    s = check_captured(&c, 0, "audio", GB_STREAM_AUDIO, GB_VALUE_F64);
    assert_true(((double *)s->bytes)[7] == (double)number(7, 20) / 1048576.0 * 1.5);
    capture_free(&c);
    remove("test_audio.wav");
}

static void one_stream_a_channel(void **state)
{
    (void)state;
    capture c;
    make("test_audio.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 2, 16, FRAMES);
    const char *map = "name: t\nreader: audio\nfiles: ['*.wav']\nstreams:\n"
                      "  - {name: front, columns: ['#1'], unit: Pa}\n"
                      "  - {name: back, columns: ['#2'], value_type: f32, kind: scalar}\n";
    assert_int_equal(capture_text(map, "test_audio.wav", NULL, &c), GB_OK);
    const captured_stream *front = check_captured(&c, 0, "front", GB_STREAM_AUDIO, GB_VALUE_I16);
    const captured_stream *back = check_captured(&c, 0, "back", GB_STREAM_SCALAR, GB_VALUE_F32);
    assert_int_equal(((int16_t *)front->bytes)[9], number(18, 16));
    assert_true(((float *)back->bytes)[9] == (float)number(19, 16));
    capture_free(&c);
    gb_stream_map *guessed = guessed_map("test_audio.wav");
    gb_ingest_report report = {0};
    assert_int_equal(capture_run(guessed, "test_audio.wav", NULL, &report, &c), GB_OK);
    assert_int_equal(report.rows_stored, FRAMES);
    capture_free(&c);
    gb_stream_map_destroy(guessed);
    remove("test_audio.wav");
}

static void write_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    fclose(file);
}

/* A recorder that lost its power: refused, or taken as far as it goes when the map allows it. */
static void cut_recording(void **state)
{
    (void)state;
    gb_arena *arena = NULL;
    char *whole = NULL;
    size_t size = 0;
    capture c;
    gb_ingest_report report;
    make("test_audio.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 1, 16, 1000);
    assert_int_equal(gb_arena_create(0, &arena), GB_OK);
    assert_int_equal(gb_file_read("test_audio.wav", 0, arena, &whole, &size), GB_OK);
    write_file("test_audio.wav", whole, size - 1000);
    assert_int_equal(capture_text(any_map, "test_audio.wav", &report, &c), GB_ERR_CORRUPT);
    assert_non_null(strstr(gb_error_message(), "cut"));
    capture_free(&c);
    const char *map = "name: t\nreader: audio\nfiles: ['*']\ncsv: {bad_cells: tolerant}\n";
    assert_int_equal(capture_text(map, "test_audio.wav", &report, &c), GB_OK);
    assert_int_equal(report.rows_stored, 500);
    assert_int_equal(((int16_t *)find_captured(&c, 0, "audio")->bytes)[499], number(499, 16));
    capture_free(&c);
    write_file("test_audio.wav", "no sound at all", 15);
    assert_int_equal(capture_text(any_map, "test_audio.wav", &report, &c), GB_ERR_PARSE);
    capture_free(&c);
    remove("test_audio.wav");
    gb_arena_destroy(arena);
}

/* FLAC's frames carry checksums, WAV carries none: there only lengths can be held to. */
static void torture_format(int format, bool has_checksums)
{
    static const char path[] = "test_audio_torture.bin";
    gb_arena *arena = NULL;
    char *whole = NULL;
    size_t size = 0;
    make(path, format, 1, 16, 200);
    assert_int_equal(gb_arena_create(0, &arena), GB_OK);
    assert_int_equal(gb_file_read(path, 0, arena, &whole, &size), GB_OK);
    for (size_t at = 0; at < size; at += at < 128 ? 1 : 7) {
        capture c;
        write_file(path, whole, at);
        if (capture_text(any_map, path, NULL, &c) == GB_OK &&
            c.recordings[0].streams[0].count < 200)
            fail_msg("%zu of %zu bytes were taken", at, size);
        capture_free(&c);
        whole[at] ^= 0x18;
        write_file(path, whole, size);
        whole[at] ^= 0x18;
        gb_status status = capture_text(any_map, path, NULL, &c);
        if (status == GB_OK && has_checksums && at > 128)
            for (int64_t i = 0; i < 200; i++)
                assert_int_equal(((int16_t *)find_captured(&c, 0, "audio")->bytes)[i],
                                 number(i, 16));
        capture_free(&c);
    }
    remove(path);
    gb_arena_destroy(arena);
}

static void torture(void **state)
{
    (void)state;
    torture_format(SF_FORMAT_WAV | SF_FORMAT_PCM_16, false);
    torture_format(SF_FORMAT_FLAC | SF_FORMAT_PCM_16, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers),
        cmocka_unit_test(floats),
        cmocka_unit_test(one_stream_a_channel),
        cmocka_unit_test(cut_recording),
        cmocka_unit_test(torture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
    return 0;
}
#endif
