/* Video in a build without FFmpeg's libraries: every function says what to install. */
#include "record/video_write.h"

#ifndef GENBA_WITH_LIBAV

static gb_status absent(void)
{
    return gb_fail(GB_ERR_UNSUPPORTED,
                   "this build has no video: install libavformat-dev, libavcodec-dev, "
                   "libavutil-dev and libswscale-dev, and build again");
}

gb_status gb_video_open(const char *path, gb_video **out)
{
    (void)path, (void)out;
    return absent();
}

gb_status gb_video_open_memory(const void *data, size_t size, const char *origin, gb_video **out)
{
    (void)data, (void)size, (void)origin, (void)out;
    return absent();
}

gb_status gb_video_open_stream(const gb_stream_view *stream, gb_video **out)
{
    (void)stream, (void)out;
    return absent();
}

void gb_video_close(gb_video *video)
{
    (void)video;
}

gb_video_about gb_video_get_about(const gb_video *video)
{
    (void)video;
    return (gb_video_about){.codec = "", .pixel_format = ""};
}

gb_video_packet gb_video_packet_at(const gb_video *video, int64_t packet)
{
    (void)video, (void)packet;
    return (gb_video_packet){0};
}

int64_t gb_video_frame_of(const gb_video *video, int64_t packet)
{
    (void)video;
    return packet;
}

int64_t gb_video_packet_of(const gb_video *video, int64_t frame)
{
    (void)video;
    return frame;
}

int64_t gb_video_key_before(const gb_video *video, int64_t packet)
{
    (void)video, (void)packet;
    return 0;
}

int64_t gb_video_time_ns(const gb_video *video, int64_t frame)
{
    (void)video, (void)frame;
    return 0;
}

int64_t gb_video_frame_at(const gb_video *video, int64_t time_ns)
{
    (void)video, (void)time_ns;
    return 0;
}

gb_status gb_video_read(gb_video *video, int64_t frame, unsigned char *rgb)
{
    (void)video, (void)frame, (void)rgb;
    return absent();
}

gb_status gb_video_read_planes(gb_video *video, int64_t frame, gb_video_planes *out)
{
    (void)video, (void)frame, (void)out;
    return absent();
}

gb_status gb_video_describe(const gb_video *video, gb_arena *arena, gb_stream_spec *spec)
{
    (void)video, (void)arena, (void)spec;
    return absent();
}

bool gb_video_is_stream(const gb_stream_spec *spec)
{
    (void)spec;
    return false;
}

/* ---- writing ---- */

gb_status
gb_video_writer_packets(const char *path, const gb_video_format *format, gb_video_writer **out)
{
    (void)path, (void)format, (void)out;
    return absent();
}

gb_status
gb_video_writer_pictures(const char *path, const gb_video_format *format, gb_video_writer **out)
{
    (void)path, (void)format, (void)out;
    return absent();
}

gb_status gb_video_write_packet(gb_video_writer *w, const gb_video_packet *packet, int64_t frame)
{
    (void)w, (void)packet, (void)frame;
    return absent();
}

gb_status gb_video_write_picture(gb_video_writer *w, const unsigned char *rgb, bool key)
{
    (void)w, (void)rgb, (void)key;
    return absent();
}

const char *gb_video_writer_codec(const gb_video_writer *w)
{
    (void)w;
    return "";
}

int64_t gb_video_writer_frames(const gb_video_writer *w)
{
    (void)w;
    return 0;
}

int64_t gb_video_writer_bytes(const gb_video_writer *w)
{
    (void)w;
    return 0;
}

gb_status gb_video_writer_finish(gb_video_writer *w)
{
    (void)w;
    return absent();
}

void gb_video_writer_abandon(gb_video_writer *w)
{
    (void)w;
}

#endif
