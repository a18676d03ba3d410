/* Pictures: every sort of PNG gives the pixels its maker put in (the files under
 * test/golden/picture were written by a few lines of Python, not by libpng), JPEG comes close to
 * its source, damage and excess are refused. */
#include "record/picture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>

#include <cmocka.h>

enum {
    WIDTH = 7,
    HEIGHT = 5
};

static int expected(int x, int y, int channel)
{
    return (x * 16 + y * 5 + channel * 40) & 255;
}

static void read_golden(const char *name, gb_arena *arena, char **data, size_t *size)
{
    char path[1024];
    snprintf(path, sizeof path, GENBA_SOURCE_DIR "/test/golden/picture/%s", name);
    if (gb_file_read(path, 0, arena, data, size) != GB_OK)
        fail_msg("%s", gb_error_message());
}

static void check_pixels(const char *name, int channels, int bits)
{
    gb_arena *arena = NULL;
    char *data = NULL;
    size_t size = 0;
    gb_picture_about about;
    gb_picture picture;
    assert_int_equal(gb_arena_create(0, &arena), GB_OK);
    read_golden(name, arena, &data, &size);
    assert_int_equal(gb_picture_probe(data, size, &about), GB_OK);
    assert_int_equal(about.kind, GB_PICTURE_PNG);
    assert_int_equal(about.bits, bits);
    assert_int_equal(gb_picture_decode(data, size, 0, &picture), GB_OK);
    assert_int_equal(picture.width, WIDTH);
    assert_int_equal(picture.height, HEIGHT);
    assert_int_equal(picture.channels, channels);
    assert_int_equal(about.channels, channels);
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            for (int c = 0; c < channels; c++)
                assert_int_equal(picture.pixels[(y * WIDTH + x) * channels + c], expected(x, y, c));
    gb_picture_free(&picture);
    gb_arena_destroy(arena);
}

static void every_sort_of_png(void **state)
{
    (void)state;
    check_pixels("grey8.png", 1, 8);
    check_pixels("grey16.png", 1, 16);
    check_pixels("grey_alpha8.png", 1, 8);
    check_pixels("rgb8.png", 3, 8);
    check_pixels("rgb8_interlaced.png", 3, 8);
    check_pixels("rgba16.png", 3, 16);
    check_pixels("palette8.png", 3, 8);
}

static void one_bit_becomes_black_and_white(void **state)
{
    (void)state;
    gb_arena *arena = NULL;
    char *data = NULL;
    size_t size = 0;
    gb_picture picture;
    assert_int_equal(gb_arena_create(0, &arena), GB_OK);
    read_golden("grey1.png", arena, &data, &size);
    assert_int_equal(gb_picture_decode(data, size, 0, &picture), GB_OK);
    assert_int_equal(picture.channels, 1);
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            assert_int_equal(picture.pixels[y * WIDTH + x], (x + y) % 2 * 255);
    gb_picture_free(&picture);
    gb_arena_destroy(arena);
}

/* Nothing but the whole file is a picture: each chunk of a PNG carries a checksum. */
static void cut_or_flipped_png(void **state)
{
    (void)state;
    static const char *const names[] = {"rgba16.png", "palette8.png", "rgb8_interlaced.png"};
    gb_arena *arena = NULL;
    char *data = NULL;
    size_t size = 0;
    gb_picture picture;
    assert_int_equal(gb_arena_create(0, &arena), GB_OK);
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        read_golden(names[n], arena, &data, &size);
        for (size_t at = 0; at < size; at++) {
            char *cut = malloc(at + 1); /* its own block: reading on is seen by sanitizers */
            assert_non_null(cut);
            memcpy(cut, data, at);
            assert_int_not_equal(gb_picture_decode(cut, at, 0, &picture), GB_OK);
            free(cut);
            data[at] ^= 0x10;
            assert_int_not_equal(gb_picture_decode(data, size, 0, &picture), GB_OK);
            data[at] ^= 0x10;
        }
        assert_int_equal(gb_picture_decode(data, size, 0, &picture), GB_OK);
        gb_picture_free(&picture);
    }
    gb_arena_destroy(arena);
}

/* A soft gradient, so that JPEG keeps it closely. */
static void
make_jpeg(int width, int height, int format, int flags, unsigned char **out, unsigned long *size)
{
    int channels = tjPixelSize[format];
    unsigned char *pixels = malloc((size_t)(width * height * channels));
    tjhandle writer = tjInitCompress();
    assert_true(pixels && writer);
    for (int i = 0; i < width * height * channels; i++)
        pixels[i] = (unsigned char)(60 + i / channels % width * 3 + i % channels * 20);
    int sampling = format == TJPF_GRAY ? TJSAMP_GRAY : TJSAMP_444;
    *out = NULL;
    assert_int_equal(
        tjCompress2(writer, pixels, width, 0, height, format, out, size, sampling, 95, flags), 0);
    tjDestroy(writer);
    free(pixels);
}

static void check_jpeg(int format, int channels, int flags)
{
    unsigned char *data;
    unsigned long size;
    gb_picture_about about;
    gb_picture picture;
    make_jpeg(24, 18, format, flags, &data, &size);
    assert_int_equal(gb_picture_probe(data, size, &about), GB_OK);
    assert_int_equal(about.kind, GB_PICTURE_JPEG);
    assert_int_equal(gb_picture_decode(data, size, 0, &picture), GB_OK);
    assert_true(picture.width == 24 && picture.height == 18 && picture.channels == channels);
    for (int i = 0; i < 24 * 18 * channels; i++)
        assert_in_range(picture.pixels[i] + 4 - (60 + i / channels % 24 * 3 + i % channels * 20), 0,
                        8);
    gb_picture_free(&picture);
    tjFree(data);
}

static void jpeg_is_close(void **state)
{
    (void)state;
    check_jpeg(TJPF_GRAY, 1, 0);
    check_jpeg(TJPF_RGB, 3, 0);
    check_jpeg(TJPF_RGB, 3, TJFLAG_PROGRESSIVE);
}

static void torture_jpeg(int flags)
{
    unsigned char *data;
    unsigned long size;
    gb_picture picture;
    make_jpeg(24, 18, TJPF_RGB, flags, &data, &size);
    for (unsigned long at = 0; at < size; at++) {
        unsigned char *cut = malloc(at + 1);
        assert_non_null(cut);
        memcpy(cut, data, at);
        if (gb_picture_decode(cut, at, 0, &picture) == GB_OK)
            fail_msg("a JPEG of %lu bytes cut to %lu was taken", size, at);
        free(cut);
        data[at] ^= 0x55; /* no checksums in JPEG: only crashes and sizes can be seen */
        if (gb_picture_decode(data, size, 1 << 16, &picture) == GB_OK)
            gb_picture_free(&picture);
        data[at] ^= 0x55;
    }
    tjFree(data);
}

static void cut_or_flipped_jpeg(void **state)
{
    (void)state;
    torture_jpeg(0);
    torture_jpeg(TJFLAG_PROGRESSIVE);
}

static void refusals(void **state)
{
    (void)state;
    gb_picture picture = {.width = -1};
    gb_picture_about about;
    unsigned char *data;
    unsigned long size;
    make_jpeg(24, 18, TJPF_RGB, 0, &data, &size);
    assert_int_equal(gb_picture_decode(data, size, 24 * 18 - 1, &picture), GB_ERR_ARGUMENT);
    assert_non_null(strstr(gb_error_message(), "24 x 18"));
    tjFree(data);
    make_jpeg(24, 18, TJPF_CMYK, 0, &data, &size);
    assert_int_equal(gb_picture_probe(data, size, &about), GB_ERR_UNSUPPORTED);
    tjFree(data);
    assert_int_equal(gb_picture_probe("BM tiny bitmap", 14, &about), GB_ERR_PARSE);
    assert_int_equal(gb_picture_decode(NULL, 0, 0, &picture), GB_ERR_PARSE);
    assert_int_equal(picture.width, -1);
    gb_picture_free(NULL);
}

static void png_keeps_every_pixel(void **state)
{
    (void)state;
    for (int channels = 1; channels <= 3; channels += 2) {
        unsigned char pixels[31 * 17 * 3];
        for (size_t i = 0; i < sizeof pixels; i++)
            pixels[i] = (unsigned char)gb_random_u32(7, 0, i);
        gb_picture picture = {31, 17, channels, pixels}, back;
        unsigned char *data;
        size_t size;
        assert_int_equal(gb_picture_encode_png(&picture, &data, &size), GB_OK);
        assert_int_equal(gb_picture_decode(data, size, 0, &back), GB_OK);
        assert_memory_equal(back.pixels, pixels, (size_t)(31 * 17 * channels));
        gb_picture_free(&back);
        free(data);
    }
    gb_picture wrong = {0, 3, 1, NULL};
    unsigned char *data;
    size_t size;
    assert_int_equal(gb_picture_encode_png(&wrong, &data, &size), GB_ERR_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sort_of_png),     cmocka_unit_test(one_bit_becomes_black_and_white),
        cmocka_unit_test(cut_or_flipped_png),    cmocka_unit_test(jpeg_is_close),
        cmocka_unit_test(cut_or_flipped_jpeg),   cmocka_unit_test(refusals),
        cmocka_unit_test(png_keeps_every_pixel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
