/* Any bytes as a video file, and as packets of AV1 and H.264 in a recording: a status with a
 * message or frames, never a crash. */
#include "record/video.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PIXELS_MAX (1 << 20) /* decoding larger ones only takes time */

static void look(gb_video *video)
{
    gb_video_about about = gb_video_get_about(video);
    size_t pixels = (size_t)about.width * (size_t)about.height;
    if (about.frames < 1 || about.width < 1 || about.height < 1)
        abort();
    unsigned char *rgb = pixels <= PIXELS_MAX ? malloc(pixels * 3) : NULL;
    for (int64_t f = 0; rgb && f < about.frames && f < 6; f++) {
        int64_t frame = f % 2 ? about.frames - 1 - f / 2 : f / 2; /* from both ends */
        gb_video_planes planes;
        if (gb_video_frame_at(video, gb_video_time_ns(video, frame)) < 0)
            abort();
        if (gb_video_read(video, frame, rgb) != GB_OK && gb_error_message()[0] == 0)
            abort();
        if (gb_video_read_planes(video, frame, &planes) != GB_OK && gb_error_message()[0] == 0)
            abort();
    }
    free(rgb);
}

/* The bytes as packets, each behind a byte of its size. */
static void as_stream(const uint8_t *data, size_t size, const char *encoding)
{
    int64_t offset[33] = {0}, time_ns[32];
    unsigned char *raw = malloc(size + 1);
    gb_stream_spec spec = gb_stream_spec_defaults("camera");
    gb_stream_view view = {.spec = &spec, .size = 64 * 64 * 3, .raw = raw, .offset = offset};
    gb_video *video = NULL;
    spec.kind = GB_STREAM_IMAGE;
    spec.value_type = GB_VALUE_BYTES;
    spec.encoding = encoding;
    spec.rank = 3;
    spec.shape[0] = spec.shape[1] = 64;
    spec.shape[2] = 3;
    for (size_t at = 0; raw && at < size && view.count < 32; view.count++) {
        size_t packet = 1 + (size_t)data[at] * 4, left = size - at - 1;
        packet = packet < left ? packet : left;
        memcpy(raw + offset[view.count], data + at + 1, packet);
        time_ns[view.count] = view.count * 33333333;
        offset[view.count + 1] = offset[view.count] + (int64_t)packet;
        at += 1 + packet;
    }
    view.time_ns = time_ns;
    if (raw && gb_video_open_stream(&view, &video) == GB_OK) {
        look(video);
        gb_video_close(video);
    }
    free(raw);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gb_video *video = NULL;
    if (gb_video_open_memory(data, size, "fuzz", &video) == GB_OK) {
        look(video);
        gb_video_close(video);
    } else if (gb_error_message()[0] == 0)
        abort();
    as_stream(data, size, "av1");
    as_stream(data, size, "h264");
    return 0;
}
