/* MP4 files through libavformat, with packets that exist or that an encoder makes. */
#include "record/video_write.h"

#include "record/video_source.h"

gb_video_format gb_video_format_defaults(int width, int height, double rate_hz)
{
    return (gb_video_format){
        .width = width, .height = height, .rate_hz = rate_hz, .gop = 2, .quality = 30};
}

#ifdef GENBA_WITH_LIBAV

#include <errno.h>
#include <fcntl.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Ticks of a frame: so many that any rate that people use is exact (LeRobot's files have 512). */
#define FRAME_TICKS 512

struct gb_video_writer {
    char *path, *part; /* the file, and what it is called until it is whole */
    AVFormatContext *format;
    AVStream *stream;
    AVPacket *packet;
    gb_video_format settings; /* texts and extradata are not kept */
    const AVCodec *codec;     /* of pictures */
    AVCodecContext *encoder;
    int64_t first; /* the frame that the encoder began with */
    AVFrame *frame;
    struct SwsContext *scaler;
    AVRational frame_time; /* one frame, in seconds */
    int64_t frames, bytes;
    bool header;
};

static gb_status fail_av(const gb_video_writer *w, const char *what, int code)
{
    char text[64];
    return gb_fail(code == AVERROR(ENOMEM) ? GB_ERR_MEMORY : GB_ERR_IO, "%s: %s: %s", w->path, what,
                   gb_video_error(code, text));
}

/* ---- the file ---------------------------------------------------------------------------------
 */

static void release(gb_video_writer *w)
{
    if (w->format) {
        avio_closep(&w->format->pb);
        avformat_free_context(w->format);
    }
    avcodec_free_context(&w->encoder);
    av_packet_free(&w->packet);
    av_frame_free(&w->frame);
    sws_freeContext(w->scaler);
    free(w->path);
    free(w->part);
    free(w);
}

void gb_video_writer_abandon(gb_video_writer *w)
{
    if (!w)
        return;
    if (w->format)
        avio_closep(&w->format->pb);
    if (w->part)
        unlink(w->part);
    release(w);
}

static gb_status open_file(gb_video_writer *w, const char *path, const gb_video_format *format)
{
    double rate_hz = format->rate_hz;
    size_t size = strlen(path) + 16;
    w->path = strdup(path);
    w->part = malloc(size);
    w->packet = av_packet_alloc();
    if (!w->path || !w->part || !w->packet)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory to write it", path);
    snprintf(w->part, size, "%s.part", path);
    int code = avformat_alloc_output_context2(&w->format, NULL, "mp4", w->part);
    if (code >= 0)
        code = avio_open(&w->format->pb, w->part, AVIO_FLAG_WRITE);
    if (code < 0)
        return fail_av(w, "cannot be written", code);
    w->stream = avformat_new_stream(w->format, NULL);
    if (!w->stream)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory to write it", path);
    w->settings = *format;
    w->settings.codec = NULL;
    w->settings.extradata = NULL;
    w->frame_time = av_inv_q(av_d2q(rate_hz, 1000000));
    w->stream->avg_frame_rate = av_d2q(rate_hz, 1000000);
    w->stream->time_base = av_mul_q(w->frame_time, (AVRational){1, FRAME_TICKS});
    w->format->flags |= AVFMT_FLAG_BITEXACT; /* the same bytes from the same frames */
    return GB_OK;
}

static gb_status begin_file(gb_video_writer *w)
{
    int code = avformat_write_header(w->format, NULL);
    w->header = code >= 0;
    return code < 0 ? fail_av(w, "its header cannot be written", code) : GB_OK;
}

static gb_status check_format(const char *path, const gb_video_format *f)
{
    if (f->width < 1 || f->height < 1 || f->width > GB_VIDEO_SIDE_MAX ||
        f->height > GB_VIDEO_SIDE_MAX || !(f->rate_hz >= 1e-3 && f->rate_hz <= 1e5))
        return gb_fail(GB_ERR_ARGUMENT, "%s: frames of %d x %d at %g Hz; expected 1 to %d a side",
                       path, f->width, f->height, f->rate_hz, GB_VIDEO_SIDE_MAX);
    return GB_OK;
}

static gb_status create(const char *path, const gb_video_format *format, gb_video_writer **out)
{
    gb_video_quiet();
    GB_TRY(check_format(path, format));
    gb_video_writer *w = calloc(1, sizeof *w);
    if (!w)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory to write it", path);
    gb_status status = open_file(w, path, format);
    if (status == GB_OK)
        *out = w;
    else
        gb_video_writer_abandon(w);
    return status;
}

/* The packet in w->packet, its times in frames. */
static gb_status put_packet(gb_video_writer *w)
{
    w->packet->stream_index = w->stream->index;
    w->packet->duration = 1;
    w->bytes += w->packet->size;
    av_packet_rescale_ts(w->packet, w->frame_time, w->stream->time_base);
    int code = av_write_frame(w->format, w->packet);
    av_packet_unref(w->packet);
    return code < 0 ? fail_av(w, "a frame cannot be written", code) : GB_OK;
}

/* ---- packets ----------------------------------------------------------------------------------
 */

gb_status
gb_video_writer_packets(const char *path, const gb_video_format *format, gb_video_writer **out)
{
    gb_video_writer *w = NULL;
    enum AVCodecID id = gb_video_codec_id(format->codec);
    if (id == AV_CODEC_ID_NONE || id == AV_CODEC_ID_VP8 || id == AV_CODEC_ID_FFV1)
        return gb_fail(GB_ERR_UNSUPPORTED, "%s: packets of %s do not go into MP4 as they are", path,
                       format->codec);
    GB_TRY(create(path, format, &w));
    AVCodecParameters *p = w->stream->codecpar;
    p->codec_type = AVMEDIA_TYPE_VIDEO;
    p->codec_id = id;
    p->width = format->width;
    p->height = format->height;
    p->format = AV_PIX_FMT_YUV420P;
    if (format->extradata_size > 0) {
        p->extradata = av_mallocz(format->extradata_size + AV_INPUT_BUFFER_PADDING_SIZE);
        if (p->extradata) {
            memcpy(p->extradata, format->extradata, format->extradata_size);
            p->extradata_size = (int)format->extradata_size;
        }
    }
    gb_status status = begin_file(w);
    if (status == GB_OK)
        *out = w;
    else
        gb_video_writer_abandon(w);
    return status;
}

gb_status gb_video_write_packet(gb_video_writer *w, const gb_video_packet *packet, int64_t frame)
{
    if (frame < w->frames - w->settings.reorder)
        return gb_fail(GB_ERR_ARGUMENT, "%s: frame %lld comes later than said", w->path,
                       (long long)frame);
    if (packet->size > INT32_MAX / 2 || av_new_packet(w->packet, (int)packet->size) < 0)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for a frame of %zu bytes", w->path,
                       packet->size);
    memcpy(w->packet->data, packet->data, packet->size);
    w->packet->pts = frame;
    w->packet->dts = w->frames - w->settings.reorder;
    w->packet->flags = packet->key ? AV_PKT_FLAG_KEY : 0;
    w->frames++;
    return put_packet(w);
}

/* ---- pictures ---------------------------------------------------------------------------------
 */

/* SVT-AV1 is many times faster than libaom, but prints to the terminal of whoever uses it unless
 * the environment says SVT_LOG=0 or 1 (as the program genba does): only then is it taken. */
static bool is_silent(const char *encoder)
{
    const char *level = strcmp(encoder, "libsvtav1") == 0 ? getenv("SVT_LOG") : "0";
    return level && (strcmp(level, "0") == 0 || strcmp(level, "1") == 0);
}

static const AVCodec *find_encoder(const char *codec)
{
    static const struct {
        const char *codec, *encoder;
    } known[] = {{"av1", "libsvtav1"}, {"av1", "libaom-av1"}, {"h264", "libx264"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const AVCodec *found = avcodec_find_encoder_by_name(known[i].encoder);
        if (found && is_silent(known[i].encoder) && (!codec || strcmp(codec, known[i].codec) == 0))
            return found;
    }
    return NULL;
}

/* Each encoder has words of its own for: fast, constant quality, nothing that looks forward. */
static void set_options(AVCodecContext *encoder, const AVCodec *codec, int quality)
{
    av_opt_set_int(encoder->priv_data, "crf", quality, 0);
    if (strcmp(codec->name, "libsvtav1") == 0) {
        av_opt_set_int(encoder->priv_data, "preset", 10, 0);
        av_opt_set(encoder->priv_data, "svtav1-params", "lp=2", 0);
    } else if (strcmp(codec->name, "libaom-av1") == 0) {
        av_opt_set_int(encoder->priv_data, "cpu-used", 8, 0);
        av_opt_set_int(encoder->priv_data, "lag-in-frames", 0, 0);
    } else {
        av_opt_set(encoder->priv_data, "preset", "fast", 0);
        encoder->max_b_frames = 0;
    }
}

static gb_status open_encoder(gb_video_writer *w)
{
    AVCodecContext *e = avcodec_alloc_context3(w->codec);
    w->encoder = e;
    if (!e)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for its encoder", w->path);
    e->width = w->settings.width;
    e->height = w->settings.height;
    e->pix_fmt = AV_PIX_FMT_YUV420P;
    e->color_range = AVCOL_RANGE_MPEG;
    e->time_base = w->frame_time;
    e->framerate = av_inv_q(w->frame_time);
    e->gop_size = w->settings.gop;
    e->thread_count = 1;
    e->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    set_options(e, w->codec, w->settings.quality);
    int code = avcodec_open2(e, w->codec, NULL);
    w->first = w->frames;
    return code < 0 ? fail_av(w, "its encoder does not start", code) : GB_OK;
}

static gb_status prepare(gb_video_writer *w, const gb_video_format *format)
{
    w->codec = find_encoder(format->codec);
    if (!w->codec)
        return gb_fail(GB_ERR_UNSUPPORTED, "%s: this build of FFmpeg has no encoder for %s",
                       w->path, format->codec ? format->codec : "av1 and h264");
    if (format->width % 2 || format->height % 2)
        return gb_fail(GB_ERR_UNSUPPORTED,
                       "%s: %d x %d pixels: yuv420p needs even sides; crop or pad the pictures",
                       w->path, format->width, format->height);
    w->frame = av_frame_alloc();
    if (!w->frame)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for its encoder", w->path);
    GB_TRY(open_encoder(w));
    w->frame->format = w->encoder->pix_fmt;
    w->frame->width = w->encoder->width;
    w->frame->height = w->encoder->height;
    int code = avcodec_parameters_from_context(w->stream->codecpar, w->encoder);
    if (code >= 0)
        code = av_frame_get_buffer(w->frame, 0);
    return code < 0 ? fail_av(w, "its encoder does not start", code) : begin_file(w);
}

gb_status
gb_video_writer_pictures(const char *path, const gb_video_format *format, gb_video_writer **out)
{
    gb_video_writer *w = NULL;
    GB_TRY(create(path, format, &w));
    gb_status status = prepare(w, format);
    if (status == GB_OK)
        *out = w;
    else
        gb_video_writer_abandon(w);
    return status;
}

/* Sends a frame, or with NULL the end, and writes the packets that are ready. */
static gb_status encode(gb_video_writer *w, const AVFrame *frame)
{
    int code = avcodec_send_frame(w->encoder, frame);
    while (code >= 0) {
        code = avcodec_receive_packet(w->encoder, w->packet);
        if (code < 0)
            break;
        w->packet->pts += w->first;
        w->packet->dts += w->first;
        GB_TRY(put_packet(w));
    }
    return code == AVERROR(EAGAIN) || code == AVERROR_EOF ? GB_OK
                                                          : fail_av(w, "encoding failed", code);
}

gb_status gb_video_write_picture(gb_video_writer *w, const unsigned char *rgb, bool anew)
{
    AVFrame *f = w->frame;
    if (anew &&
        w->frames > w->first) { /* one encoder an episode, as if it were a file of its own */
        GB_TRY(encode(w, NULL));
        avcodec_free_context(&w->encoder);
        GB_TRY(open_encoder(w));
    }
    int code = av_frame_make_writable(f);
    if (code < 0)
        return fail_av(w, "no memory for a picture", code);
    w->scaler =
        sws_getCachedContext(w->scaler, f->width, f->height, AV_PIX_FMT_RGB24, f->width, f->height,
                             AV_PIX_FMT_YUV420P, SWS_BICUBIC | SWS_ACCURATE_RND, NULL, NULL, NULL);
    if (!w->scaler)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for a picture", w->path);
    const uint8_t *from[4] = {rgb};
    const int stride[4] = {3 * f->width};
    sws_scale(w->scaler, from, stride, 0, f->height, f->data, f->linesize);
    f->pts = w->frames++ - w->first;
    return encode(w, f);
}

/* ---- the end ----------------------------------------------------------------------------------
 */

const char *gb_video_writer_codec(const gb_video_writer *w)
{
    const char *name = gb_video_codec_name(w->stream->codecpar->codec_id);
    return name ? name : "";
}

int64_t gb_video_writer_frames(const gb_video_writer *w)
{
    return w->frames;
}

int64_t gb_video_writer_bytes(const gb_video_writer *w)
{
    return w->bytes;
}

/* Makes what is written last, then gives the file its name. */
static gb_status settle(const gb_video_writer *w)
{
    int file = open(w->part, O_RDONLY | O_CLOEXEC);
    int failed = file < 0 || fsync(file) != 0;
    if (file >= 0)
        close(file);
    if (failed || rename(w->part, w->path) != 0)
        return gb_fail(GB_ERR_IO, "cannot write %s: %s", w->path, strerror(errno));
    return GB_OK;
}

gb_status gb_video_writer_finish(gb_video_writer *w)
{
    gb_status status = w->encoder ? encode(w, NULL) : GB_OK;
    int code = status == GB_OK ? av_write_trailer(w->format) : 0;
    if (code < 0)
        status = fail_av(w, "its end cannot be written", code);
    int closed = avio_closep(&w->format->pb);
    if (status == GB_OK && closed < 0)
        status = fail_av(w, "it cannot be closed", closed);
    if (status == GB_OK)
        status = settle(w);
    if (status != GB_OK) {
        gb_video_writer_abandon(w);
        return status;
    }
    release(w);
    return GB_OK;
}

#endif
