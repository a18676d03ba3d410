/* record/video.h: compressed video, through FFmpeg's libraries: the packets of a file as they are,
 * and the pixels of any frame of them. For rooms only.
 *
 * A recording keeps video as packets, one sample a frame, exactly as the file had them: nothing is
 * encoded anew. The stream's encoding is the codec's name ("av1", "h264"); what a decoder needs
 * beside the packets is in the pair "video.extradata" (base64). Which packets are key frames is
 * found in the packets themselves.
 *
 * Pixels as RGB are made the way `ffmpeg -pix_fmt rgb24` makes them: by the matrix and the range
 * that the file names (BT.709, BT.601, BT.2020; full or limited), and where it names none by
 * BT.601, limited. That rounds; whoever compares decoders compares planes.
 *
 * A file is decoded as it is, without the filters of a player: no rotation, no cropping by
 * metadata. A gb_video belongs to one thread at a time. Without FFmpeg's libraries every function
 * says GB_ERR_UNSUPPORTED. */
#ifndef GENBA_RECORD_VIDEO_H
#define GENBA_RECORD_VIDEO_H

#include "genba/record.h"

#define GB_VIDEO_FRAMES_MAX (1 << 24)
#define GB_VIDEO_SIDE_MAX 16384
#define GB_VIDEO_PIXELS_MAX (1LL << 27)

typedef struct gb_video gb_video;

typedef struct gb_video_about {
    const char *codec;        /* "av1", "h264", "hevc", "vp9", ... */
    const char *pixel_format; /* "yuv420p"; "" until a frame was decoded, where the file hides it */
    int width, height;
    int64_t frames;
    double rate_hz;                 /* of the frames' times; 0 with fewer than two */
    const unsigned char *extradata; /* [extradata_size] */
    size_t extradata_size;
} gb_video_about;

/* Reads the file's first video track and where its packets are. GB_ERR_PARSE: no video file;
 * GB_ERR_UNSUPPORTED: a container or codec that is not read. Nothing that the file refers to is
 * opened: no other files, no network. */
GB_MUST gb_status gb_video_open(const char *path, gb_video **out);
/* data is borrowed as long as the video. */
GB_MUST gb_status gb_video_open_memory(const void *data,
                                       size_t size,
                                       const char *origin,
                                       gb_video **out);
/* Of a stream of packets in a recording, which is borrowed. GB_ERR_ARGUMENT: no such stream. */
GB_MUST gb_status gb_video_open_stream(const gb_stream_view *stream, gb_video **out);
void gb_video_close(gb_video *video); /* NULL is fine */
gb_video_about gb_video_get_about(const gb_video *video);

/* ---- packets, in the order of the file ---- */

typedef struct gb_video_packet {
    const unsigned char *data; /* [size]; as long as the video */
    size_t size;
    int64_t time_ns; /* when its frame is shown, by the track's clock */
    bool key;        /* decoding can begin here */
} gb_video_packet;

/* packet in [0, frames). Each holds one frame; they may stand in another order than shown. */
gb_video_packet gb_video_packet_at(const gb_video *video, int64_t packet);
/* The frame that a packet holds, and the packet of a frame. */
int64_t gb_video_frame_of(const gb_video *video, int64_t packet);
int64_t gb_video_packet_of(const gb_video *video, int64_t frame);
/* The last key frame's packet at or before it from which its frame can be decoded. */
int64_t gb_video_key_before(const gb_video *video, int64_t packet);

/* ---- frames, in the order of time ---- */

/* frame in [0, frames) */
int64_t gb_video_time_ns(const gb_video *video, int64_t frame);
/* The frame that is shown at that time: the last that began, or the first of all. */
int64_t gb_video_frame_at(const gb_video *video, int64_t time_ns);
/* Pixels: rgb [height x width x 3]. Any order of frames; forward is fastest. GB_ERR_CORRUPT: the
 * packet does not decode. */
GB_MUST gb_status gb_video_read(gb_video *video, int64_t frame, unsigned char *rgb);

typedef struct gb_video_planes {
    int count;
    const unsigned char *data[4]; /* of each plane; until the next read */
    int64_t stride[4];            /* bytes between rows */
    int64_t row_bytes[4], rows[4];
    int width, height;
    const char *pixel_format;
} gb_video_planes;

/* The planes as the decoder made them: what is equal between decoders. */
GB_MUST gb_status gb_video_read_planes(gb_video *video, int64_t frame, gb_video_planes *out);

/* ---- streams ---- */

#define GB_VIDEO_PAIRS 8
/* What a stream of this video's packets is: kind image, shape [height, width, 3], encoding, pairs
 * (in the arena). Name, clock and rate stay the caller's. */
GB_MUST gb_status gb_video_describe(const gb_video *video, gb_arena *arena, gb_stream_spec *spec);
/* Is this a stream of video packets? */
bool gb_video_is_stream(const gb_stream_spec *spec);

#endif
