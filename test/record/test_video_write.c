/* Video made here: pictures encoded and decoded again, packets put into another file as they are,
 * files cut and damaged. */
#include "record/video_write.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WIDTH 64
#define HEIGHT 64
#define BYTES (WIDTH * HEIGHT * 3)
#define PATH "test_video_write.mp4"
#define OTHER "test_video_write_other.mp4"

#define assert_done(call)                                                                          \
    do {                                                                                           \
        if ((call) != GB_OK)                                                                       \
            fail_msg("%s", gb_error_message());                                                    \
    } while (0)

/* A soft picture that moves. */
static void paint(int64_t frame, unsigned char *rgb)
{
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            unsigned char *p = rgb + 3 * (y * WIDTH + x);
            p[0] = (unsigned char)(40 + 2 * x);
            p[1] = (unsigned char)(120 + 80 * sin((double)(x + 2 * frame) / 12));
            p[2] = (unsigned char)(200 - 2 * y);
        }
}

/* Two episodes, of 7 and 8 frames; false: this build has no encoder. */
static bool make(const char *codec)
{
    gb_video_format format = gb_video_format_defaults(WIDTH, HEIGHT, 30);
    gb_video_writer *w = NULL;
    unsigned char rgb[BYTES];
    format.codec = codec;
    gb_status status = gb_video_writer_pictures(PATH, &format, &w);
    if (status == GB_ERR_UNSUPPORTED) {
        print_message("%s\n", gb_error_message());
        return false;
    }
    assert_done(status);
    for (int64_t f = 0; f < 15; f++) {
        paint(f, rgb);
        assert_done(gb_video_write_picture(w, rgb, f == 0 || f == 7));
    }
    assert_int_equal(gb_video_writer_frames(w), 15);
    assert_done(gb_video_writer_finish(w));
    return true;
}

static double psnr(gb_video *video, int64_t frame)
{
    unsigned char found[BYTES], expected[BYTES];
    double off = 0;
    paint(frame, expected);
    assert_done(gb_video_read(video, frame, found));
    for (int i = 0; i < BYTES; i++)
        off += (found[i] - expected[i]) * (double)(found[i] - expected[i]);
    return 10 * log10(255.0 * 255 * BYTES / off);
}

static void check_encoded(const char *codec)
{
    gb_video *video = NULL;
    assert_done(gb_video_open(PATH, &video));
    gb_video_about about = gb_video_get_about(video);
    assert_string_equal(about.codec, codec);
    assert_int_equal(about.frames, 15);
    assert_int_equal(about.width, WIDTH);
    for (int64_t f = 0; f < 15; f++) {
        double found = psnr(video, f);
        if (found < 30)
            fail_msg("%s, frame %d: %.1f dB", codec, (int)f, found);
        assert_int_equal(gb_video_time_ns(video, f), llround((double)f * 1e9 / 30));
        bool key = f < 7 ? f % 2 == 0 : (f - 7) % 2 == 0; /* each episode begins with one */
        assert_int_equal(gb_video_packet_at(video, f).key, key);
    }
    gb_video_close(video);
}

static void pictures_av1(void **state)
{
    (void)state;
    if (!make("av1"))
        skip();
    check_encoded("av1");
    remove(PATH);
}

static void pictures_h264(void **state)
{
    (void)state;
    if (!make("h264"))
        skip();
    check_encoded("h264");
    remove(PATH);
}

static void packets_as_they_are(void **state)
{
    (void)state;
    if (!make(NULL))
        skip();
    gb_video *video = NULL, *other = NULL;
    gb_video_writer *w = NULL;
    assert_done(gb_video_open(PATH, &video));
    gb_video_about about = gb_video_get_about(video);
    gb_video_format format = gb_video_format_defaults(WIDTH, HEIGHT, 30);
    format.codec = about.codec;
    format.extradata = about.extradata;
    format.extradata_size = about.extradata_size;
    assert_done(gb_video_writer_packets(OTHER, &format, &w));
    for (int twice = 0; twice < 2; twice++)
        for (int64_t i = 0; i < about.frames; i++) {
            gb_video_packet packet = gb_video_packet_at(video, i);
            assert_done(gb_video_write_packet(w, &packet, twice * about.frames + i));
        }
    assert_done(gb_video_writer_finish(w));
    assert_done(gb_video_open(OTHER, &other));
    assert_int_equal(gb_video_get_about(other).frames, 2 * about.frames);
    for (int64_t i = 0; i < 2 * about.frames; i++) {
        gb_video_planes here, there;
        gb_video_packet a = gb_video_packet_at(video, i % about.frames);
        gb_video_packet b = gb_video_packet_at(other, i);
        assert_int_equal(a.size, b.size);
        assert_memory_equal(a.data, b.data, a.size);
        assert_int_equal(a.key, b.key);
        assert_int_equal(b.time_ns, llround((double)i * 1e9 / 30));
        assert_done(gb_video_read_planes(video, i % about.frames, &here));
        assert_done(gb_video_read_planes(other, i, &there));
        for (int64_t r = 0; r < here.rows[0]; r++)
            assert_memory_equal(here.data[0] + r * here.stride[0],
                                there.data[0] + r * there.stride[0], (size_t)here.row_bytes[0]);
    }
    gb_video_close(other);
    gb_video_close(video);
    remove(OTHER);
    remove(PATH);
}

/* Opens and decodes all; a status of any kind. */
static gb_status decode_all(const unsigned char *data, size_t size)
{
    gb_video *video = NULL;
    unsigned char *rgb = NULL;
    GB_TRY(gb_video_open_memory(data, size, "damaged", &video));
    gb_video_about about = gb_video_get_about(video);
    gb_status status = GB_OK;
    if ((int64_t)about.width * about.height < 1 << 20)
        rgb = malloc((size_t)about.width * (size_t)about.height * 3);
    for (int64_t f = 0; rgb && f < about.frames && f < 32 && status == GB_OK; f++)
        status = gb_video_read(video, f, rgb);
    free(rgb);
    gb_video_close(video);
    return status;
}

/* A cut file is an error; what a flip does to a picture nobody can tell, but nothing may crash. */
static void cut_and_flipped(void **state)
{
    (void)state;
    if (!make(NULL))
        skip();
    gb_file_view view;
    assert_done(gb_file_map(PATH, &view));
    unsigned char *copy = malloc(view.size);
    assert_non_null(copy);
    memcpy(copy, view.data, view.size);
    assert_done(decode_all(copy, view.size));
    for (size_t size = 0; size < view.size - 1; size += 13) {
        unsigned char *part = malloc(size + 1); /* so that a read beyond it is seen */
        assert_non_null(part);
        memcpy(part, view.data, size);
        assert_int_not_equal(decode_all(part, size), GB_OK);
        assert_true(gb_error_message()[0] != 0);
        free(part);
    }
    int errors = 0;
    for (size_t i = 0; i < view.size; i += 3) {
        copy[i] = (unsigned char)~copy[i];
        errors += decode_all(copy, view.size) != GB_OK;
        copy[i] = view.data[i];
    }
    print_message("%d of %zu flips are errors\n", errors, view.size / 3);
    assert_true(errors > 0);
    free(copy);
    gb_file_unmap(&view);
    remove(PATH);
}

static void what_cannot_be_written(void **state)
{
    (void)state;
    gb_video_writer *w = NULL;
    gb_video_format format = gb_video_format_defaults(63, 64, 30);
    assert_int_equal(gb_video_writer_pictures(PATH, &format, &w), GB_ERR_UNSUPPORTED);
    assert_null(w);
    assert_false(gb_file_exists(PATH));
    assert_false(gb_file_exists(PATH ".part"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_av1),           cmocka_unit_test(pictures_h264),
        cmocka_unit_test(packets_as_they_are),    cmocka_unit_test(cut_and_flipped),
        cmocka_unit_test(what_cannot_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
