/* record/video_write.h: MP4 files, written: packets that exist already, as they are, or pictures
 * that are encoded. For rooms only.
 *
 * Pictures are encoded as AV1 (SVT-AV1, libaom) or H.264 (x264), whichever FFmpeg has first;
 * yuv420p of limited range by BT.601, a key frame every `gop` frames, no frames that look forward,
 * so that any frame is one or two packets away. Encoding loses; packets do not.
 *
 * The file is whole or not there: it is written beside its place and renamed at the end. */
#ifndef GENBA_RECORD_VIDEO_WRITE_H
#define GENBA_RECORD_VIDEO_WRITE_H

#include "record/video.h"

typedef struct gb_video_format {
    int width, height;
    double rate_hz;
    const char *codec; /* of packets: theirs. Of pictures: "av1", "h264"; NULL: what there is */
    const unsigned char *extradata; /* of packets: [extradata_size] */
    size_t extradata_size;
    int reorder; /* of packets: the most a frame stands behind its place in time; 0: none does */
    int gop;     /* of pictures; default 2 */
    int quality; /* of pictures: constant rate factor, smaller is better; default 30 */
} gb_video_format;

gb_video_format gb_video_format_defaults(int width, int height, double rate_hz);

typedef struct gb_video_writer gb_video_writer;

/* For packets. GB_ERR_UNSUPPORTED: a codec that MP4 does not take, or no FFmpeg in this build. */
GB_MUST gb_status gb_video_writer_packets(const char *path,
                                          const gb_video_format *format,
                                          gb_video_writer **out);
/* For pictures. GB_ERR_UNSUPPORTED: no encoder, or a side that is odd. */
GB_MUST gb_status gb_video_writer_pictures(const char *path,
                                           const gb_video_format *format,
                                           gb_video_writer **out);
/* A packet, in the order of decoding; frame: its number in the order of time, from 0 on. */
GB_MUST gb_status gb_video_write_packet(gb_video_writer *writer,
                                        const gb_video_packet *packet,
                                        int64_t frame);
/* The next picture, rgb [height x width x 3]. anew: nothing before it is looked back at (an episode
 * begins). */
GB_MUST gb_status gb_video_write_picture(gb_video_writer *writer,
                                         const unsigned char *rgb,
                                         bool anew);
const char *gb_video_writer_codec(const gb_video_writer *writer); /* "av1" */
int64_t gb_video_writer_frames(const gb_video_writer *writer);
int64_t gb_video_writer_bytes(const gb_video_writer *writer); /* about, so far */
/* Ends the file; frees the writer either way. */
GB_MUST gb_status gb_video_writer_finish(gb_video_writer *writer);
void gb_video_writer_abandon(gb_video_writer *writer); /* NULL is fine */

#endif
