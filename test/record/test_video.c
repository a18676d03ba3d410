/* Video: the same pixels as the reference decoder (dav1d through PyAV, a later FFmpeg), whatever
 * frame is asked for first; the same again from a recording's stream; damaged files. */
#include "record/video.h"

#include "genba/sink.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define assert_done(call)                                                                          \
    do {                                                                                           \
        if ((call) != GB_OK)                                                                       \
            fail_msg("%s", gb_error_message());                                                    \
    } while (0)

/* Planes end to end, rows without padding. */
static size_t copy_planes(const gb_video_planes *planes, unsigned char *to)
{
    size_t at = 0;
    for (int p = 0; p < planes->count; p++)
        for (int64_t r = 0; r < planes->rows[p]; r++) {
            memcpy(to + at, planes->data[p] + r * planes->stride[p], (size_t)planes->row_bytes[p]);
            at += (size_t)planes->row_bytes[p];
        }
    return at;
}

static void hash_of(const void *data, size_t size, char hex[2 * GB_HASH_BYTES + 1])
{
    unsigned char hash[GB_HASH_BYTES];
    gb_hash(data, size, hash);
    gb_hash_hex(hash, hex);
}

/* The video of episode `episode` of the G1 data set; NULL: skip. */
static gb_video *open_g1(int episode)
{
    const char *root = getenv("GENBA_DATA");
    char path[4096];
    gb_video *video = NULL;
    snprintf(path, sizeof path,
             "%s/lerobot_v21_g1/videos/chunk-000/observation.images.cam_high/episode_%06d.mp4",
             root ? root : "", episode);
    if (!root || !gb_file_exists(path)) {
        print_message("%s is not there: set GENBA_DATA to the folder that has it\n", path);
        return NULL;
    }
    gb_status status = gb_video_open(path, &video);
    if (status == GB_ERR_UNSUPPORTED) {
        print_message("%s\n", gb_error_message());
        return NULL;
    }
    if (status != GB_OK)
        fail_msg("%s", gb_error_message());
    return video;
}

/* BLAKE2b-256 of all planes of all frames, computed with PyAV 18.1 (libdav1d) of these files. */
static const struct {
    int episode, frames;
    const char *hash;
} decoded[] = {
    {1, 393, "22ee1687f6cdec3bfd2f20794acc56c0601dacb5533034a8c99bb0b41510e8e3"},
    {2, 343, "ad59577ee0c5f8a47a4adab57f5e635eb2edacca4f0a89ae516c5878ed21cee5"},
    {4, 357, "3145183b3beea41c3e5572141a3932c13ed43035178583dd5cbcba6508050ba1"},
};

static void all_planes_are_the_reference(void **state)
{
    (void)state;
    for (size_t v = 0; v < sizeof decoded / sizeof *decoded; v++) {
        gb_video *video = open_g1(decoded[v].episode);
        if (!video)
            skip();
        gb_video_about about = gb_video_get_about(video);
        assert_string_equal(about.codec, "av1");
        assert_int_equal(about.width, 640);
        assert_int_equal(about.height, 480);
        assert_int_equal(about.frames, decoded[v].frames);
        assert_true(about.rate_hz > 29.999 && about.rate_hz < 30.001);
        size_t frame_bytes = 640 * 480 * 3 / 2;
        unsigned char *all = malloc(frame_bytes * (size_t)about.frames);
        assert_non_null(all);
        for (int64_t f = 0; f < about.frames; f++) {
            gb_video_planes planes;
            assert_done(gb_video_read_planes(video, f, &planes));
            assert_string_equal(planes.pixel_format, "yuv420p");
            assert_int_equal(copy_planes(&planes, all + (size_t)f * frame_bytes), frame_bytes);
        }
        char hex[2 * GB_HASH_BYTES + 1];
        hash_of(all, frame_bytes * (size_t)about.frames, hex);
        assert_string_equal(hex, decoded[v].hash);
        free(all);
        gb_video_close(video);
    }
}

/* First 8 bytes of the BLAKE2b-256 of some frames' planes, of episode 1. */
static const struct {
    int64_t frame;
    const char *hash;
} some[] = {{200, "fd92ab07141ea3c4"}, {0, "cf9fbb2f40702714"},  {77, "ae0f97fa653ef4b8"},
            {77, "ae0f97fa653ef4b8"},  {1, "cf9fbb2f40702714"},  {200, "fd92ab07141ea3c4"},
            {0, "cf9fbb2f40702714"},   {77, "ae0f97fa653ef4b8"}, {200, "fd92ab07141ea3c4"}};

static void check_some(gb_video *video)
{
    unsigned char *frame = malloc(640 * 480 * 3 / 2);
    assert_non_null(frame);
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        gb_video_planes planes;
        char hex[2 * GB_HASH_BYTES + 1];
        int64_t number = gb_video_frame_at(video, some[i].frame * 1000000000 / 30 + 1000000);
        assert_int_equal(number, some[i].frame);
        assert_done(gb_video_read_planes(video, number, &planes));
        hash_of(frame, copy_planes(&planes, frame), hex);
        hex[16] = 0;
        assert_string_equal(hex, some[i].hash);
    }
    free(frame);
}

static void any_order(void **state)
{
    (void)state;
    gb_video *video = open_g1(1);
    if (!video)
        skip();
    check_some(video);
    gb_video_planes planes;
    assert_int_equal(gb_video_read_planes(video, 393, &planes), GB_ERR_ARGUMENT);
    assert_int_equal(gb_video_frame_at(video, -5), 0);
    assert_int_equal(gb_video_frame_at(video, INT64_MAX), 392);
    gb_video_close(video);
}

/* A limited-range frame without a matrix is BT.601: computed here from the planes, within what
 * swscale rounds. */
static void rgb(void **state)
{
    (void)state;
    gb_video *video = open_g1(1);
    if (!video)
        skip();
    unsigned char *pixels = malloc(640 * 480 * 3);
    gb_video_planes planes;
    assert_non_null(pixels);
    assert_done(gb_video_read(video, 77, pixels));
    assert_done(gb_video_read_planes(video, 77, &planes));
    double off = 0;
    for (int y = 0; y < 480; y++)
        for (int x = 0; x < 640; x++) {
            double luma = 255.0 / 219 * (planes.data[0][y * planes.stride[0] + x] - 16);
            double cb = planes.data[1][y / 2 * planes.stride[1] + x / 2] - 128;
            double cr = planes.data[2][y / 2 * planes.stride[2] + x / 2] - 128;
            double green = luma - 0.391762 * cb - 0.812968 * cr;
            green = green < 0 ? 0 : green > 255 ? 255 : green;
            double d = pixels[(y * 640 + x) * 3 + 1] - green;
            off += d * d;
        }
    assert_true(off / (640 * 480) < 3.0); /* 2.23, over 44 dB: swscale rounds down */
    free(pixels);
    gb_video_close(video);
}

/* Packets to a recording in memory and back: key frames, extradata, pixels. */
static void through_a_recording(void **state)
{
    (void)state;
    gb_video *video = open_g1(1);
    if (!video)
        skip();
    gb_arena *arena = NULL;
    gb_dataset *dataset = NULL;
    gb_sink *sink = NULL;
    int recording = 0, stream = 0;
    gb_stream_spec spec = gb_stream_spec_defaults("camera");
    gb_recording_info info = {.name = "video"};
    assert_done(gb_arena_create(0, &arena));
    assert_done(gb_dataset_create(&dataset));
    assert_done(gb_dataset_sink_create(dataset, &sink));
    assert_done(gb_video_describe(video, arena, &spec));
    assert_true(gb_video_is_stream(&spec));
    assert_done(gb_sink_begin(sink, &info, &recording));
    assert_done(gb_sink_stream(sink, recording, &spec, &stream));
    int64_t frames = gb_video_get_about(video).frames;
    for (int64_t i = 0; i < frames; i++) {
        gb_video_packet p = gb_video_packet_at(video, i);
        gb_samples samples = {
            .count = 1, .time_ns = &p.time_ns, .runs = &p.data, .run_sizes = &p.size};
        assert_done(gb_sink_append(sink, recording, stream, &samples));
    }
    assert_done(gb_sink_end(sink, recording));
    gb_video *again = NULL;
    const gb_stream_view *view = gb_recording_stream(gb_dataset_get(dataset, 0), 0);
    assert_done(gb_video_open_stream(view, &again));
    assert_int_equal(gb_video_get_about(again).frames, frames);
    assert_int_equal(gb_video_get_about(again).extradata_size,
                     gb_video_get_about(video).extradata_size);
    for (int64_t i = 0; i < frames; i++)
        assert_int_equal(gb_video_packet_at(again, i).key, gb_video_packet_at(video, i).key);
    check_some(again);
    gb_video_close(again);
    gb_sink_destroy(sink);
    gb_dataset_destroy(dataset);
    gb_arena_destroy(arena);
    gb_video_close(video);
}

static void no_video(void **state)
{
    (void)state;
    gb_video *video = NULL;
    static const char text[] = "this is a text and no video, not even a little of one; it is long "
                               "enough to be looked at by every reader of containers there is";
    gb_status status = gb_video_open_memory(text, sizeof text, "text", &video);
    assert_true(status == GB_ERR_PARSE || status == GB_ERR_UNSUPPORTED);
    status = gb_video_open_memory("", 0, "empty", &video);
    assert_true(status == GB_ERR_PARSE || status == GB_ERR_UNSUPPORTED);
    assert_null(video);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_planes_are_the_reference),
        cmocka_unit_test(any_order),
        cmocka_unit_test(rgb),
        cmocka_unit_test(through_a_recording),
        cmocka_unit_test(no_video),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
