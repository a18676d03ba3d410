/* Private to record: a video's packets and where they come from; behind video.h. */
#ifndef GENBA_RECORD_VIDEO_SOURCE_H
#define GENBA_RECORD_VIDEO_SOURCE_H

#include "record/video.h"

#ifdef GENBA_WITH_LIBAV
#include <libavcodec/avcodec.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

typedef struct gb_video_decoder {
    AVCodecContext *context;
    AVPacket *packet;
    AVFrame *frame;      /* the last one decoded */
    int64_t frame_of;    /* its packet; -1: none */
    int64_t next_packet; /* to be sent; -1: nothing was sent, or all is drained */
    struct SwsContext *scaler;
} gb_video_decoder;

struct gb_video {
    const char *origin;
    gb_arena *arena;
    gb_file_view view; /* of a file that is mapped */
    const AVCodec *codec;
    AVCodecParameters *parameters;
    gb_video_packet *packets; /* [count] */
    int64_t count;
    int32_t *shown;        /* [count] packet of each frame in the order of time */
    int32_t *frame_of;     /* [count] frame of each packet */
    unsigned char *copied; /* packets that do not lie in the file as they are */
    size_t copied_size, copied_room;
    gb_video_decoder decoder;
};

/* Text of a libav error. */
const char *gb_video_error(int code, char text[64]);
/* Our log instead of libav's own printing; once. */
void gb_video_quiet(void);
/* A codec that may be decoded, or NULL. */
const AVCodec *gb_video_codec(enum AVCodecID id);
const char *gb_video_codec_name(enum AVCodecID id);                    /* NULL: not one of ours */
enum AVCodecID gb_video_codec_id(const char *name);                    /* AV_CODEC_ID_NONE */
GB_MUST gb_status gb_video_create(const char *origin, gb_video **out); /* without packets */
/* Once packets are there: their order in time. */
GB_MUST gb_status gb_video_order(gb_video *video);
void gb_video_decoder_close(gb_video_decoder *decoder);
#endif

#endif
