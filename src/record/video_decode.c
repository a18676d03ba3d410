/* The pixels of a frame: from the key frame before it forward to exactly its packet. */
#include "record/video_source.h"

#ifdef GENBA_WITH_LIBAV

#include <libavutil/imgutils.h>
#include <stdlib.h>
#include <string.h>

/* Packets that a decoder may want beyond a frame's own before it hands the frame out. */
#define DELAY_MAX 64

void gb_video_decoder_close(gb_video_decoder *d)
{
    avcodec_free_context(&d->context);
    av_packet_free(&d->packet);
    av_frame_free(&d->frame);
    sws_freeContext(d->scaler);
    d->scaler = NULL;
}

static gb_status open_decoder(gb_video *v)
{
    gb_video_decoder *d = &v->decoder;
    char text[64];
    if (d->context)
        return GB_OK;
    d->packet = d->packet ? d->packet : av_packet_alloc();
    d->frame = d->frame ? d->frame : av_frame_alloc();
    AVCodecContext *context = avcodec_alloc_context3(v->codec);
    if (!d->packet || !d->frame || !context ||
        avcodec_parameters_to_context(context, v->parameters) < 0) {
        avcodec_free_context(&context);
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for its decoder", v->origin);
    }
    context->thread_count = 1;
    context->max_pixels = GB_VIDEO_PIXELS_MAX;
    context->err_recognition = AV_EF_EXPLODE | AV_EF_CRCCHECK;
    int code = avcodec_open2(context, v->codec, NULL);
    if (code < 0) {
        avcodec_free_context(&context);
        return gb_fail(GB_ERR_CORRUPT, "%s: its decoder does not start: %s", v->origin,
                       gb_video_error(code, text));
    }
    d->context = context;
    return GB_OK;
}

static gb_status fail_frame(const gb_video *v, int64_t packet, const char *why)
{
    return gb_fail(GB_ERR_CORRUPT, "%s: frame %d (packet %lld) does not decode: %s", v->origin,
                   (int)v->frame_of[packet], (long long)packet, why);
}

/* Sends packet number `number`, or the end. */
static gb_status send(gb_video *v, int64_t number, int *out_code)
{
    gb_video_decoder *d = &v->decoder;
    if (number >= v->count) {
        *out_code = avcodec_send_packet(d->context, NULL);
        d->next_packet = -1;
        return GB_OK;
    }
    /* Decoders may read a little beyond the packet: libav's own padded copy. */
    if (av_new_packet(d->packet, (int)v->packets[number].size) < 0)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for a packet", v->origin);
    memcpy(d->packet->data, v->packets[number].data, v->packets[number].size);
    d->packet->pts = number; /* comes back with the frame */
    d->packet->flags = v->packets[number].key ? AV_PKT_FLAG_KEY : 0;
    *out_code = avcodec_send_packet(d->context, d->packet);
    av_packet_unref(d->packet);
    d->next_packet = number + 1;
    return GB_OK;
}

/* Takes frames out until it is that of `packet`, or the decoder wants more. */
static gb_status receive(gb_video *v, int64_t packet, bool *out_found)
{
    gb_video_decoder *d = &v->decoder;
    char text[64];
    *out_found = false;
    for (;;) {
        int code = avcodec_receive_frame(d->context, d->frame);
        if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) {
            if (code == AVERROR_EOF)
                d->next_packet = -1;
            return GB_OK;
        }
        if (code < 0)
            return fail_frame(v, packet, gb_video_error(code, text));
        d->frame_of = d->frame->pts;
        if (d->frame->pts == packet) {
            *out_found = true;
            return GB_OK;
        }
    }
}

static gb_status decode(gb_video *v, int64_t packet)
{
    gb_video_decoder *d = &v->decoder;
    int64_t key = gb_video_key_before(v, packet), last = packet + DELAY_MAX;
    char text[64];
    bool found = false;
    if (d->next_packet < 0 || d->next_packet > packet || d->next_packet < key) {
        avcodec_flush_buffers(d->context);
        d->next_packet = key;
    }
    while (!found) {
        int code = 0;
        int64_t number = d->next_packet;
        if (number < 0 || number > last)
            return fail_frame(v, packet, "no frame came out");
        GB_TRY(send(v, number, &code));
        if (code < 0 && code != AVERROR_EOF)
            return fail_frame(v, packet, gb_video_error(code, text));
        GB_TRY(receive(v, packet, &found));
    }
    return GB_OK;
}

static gb_status need_frame(gb_video *v, int64_t frame)
{
    gb_video_decoder *d = &v->decoder;
    if (frame < 0 || frame >= v->count)
        return gb_fail(GB_ERR_ARGUMENT, "%s: frame %lld; it has 0 to %lld", v->origin,
                       (long long)frame, (long long)v->count - 1);
    int64_t packet = v->shown[frame];
    GB_TRY(open_decoder(v));
    if (d->frame_of == packet && d->frame->data[0])
        return GB_OK;
    d->frame_of = -1;
    gb_status status = decode(v, packet);
    if (status != GB_OK) {
        d->frame_of = d->next_packet = -1;
        return status;
    }
    if (d->frame->width == v->parameters->width && d->frame->height == v->parameters->height)
        return GB_OK;
    d->frame_of = -1;
    return fail_frame(v, packet, "it has another size than the file says");
}

static const char *format_name(const AVFrame *frame)
{
    const char *name = av_get_pix_fmt_name(frame->format);
    return name ? name : "";
}

gb_status gb_video_read_planes(gb_video *v, int64_t frame, gb_video_planes *out)
{
    GB_TRY(need_frame(v, frame));
    const AVFrame *f = v->decoder.frame;
    const AVPixFmtDescriptor *about = av_pix_fmt_desc_get(f->format);
    gb_video_planes planes = {
        .width = f->width, .height = f->height, .pixel_format = format_name(f)};
    planes.count = about ? av_pix_fmt_count_planes(f->format) : 0;
    for (int p = 0; p < planes.count; p++) {
        int chroma = p == 1 || p == 2 ? about->log2_chroma_h : 0;
        planes.data[p] = f->data[p];
        planes.stride[p] = f->linesize[p];
        planes.row_bytes[p] = av_image_get_linesize(f->format, f->width, p);
        planes.rows[p] = AV_CEIL_RSHIFT(f->height, chroma);
    }
    if (planes.count < 1)
        return fail_frame(v, v->shown[frame], "its pixels are of no known format");
    *out = planes;
    return GB_OK;
}

/* The matrix and range that the frame names; BT.601 and limited when it names none. */
static gb_status prepare_scaler(gb_video *v, const AVFrame *f)
{
    gb_video_decoder *d = &v->decoder;
    d->scaler = sws_getCachedContext(d->scaler, f->width, f->height, f->format, f->width, f->height,
                                     AV_PIX_FMT_RGB24, SWS_BICUBIC, NULL, NULL, NULL);
    if (!d->scaler)
        return gb_fail(GB_ERR_UNSUPPORTED, "%s: pixels of format %s do not become RGB", v->origin,
                       format_name(f));
    int *from = NULL, *to = NULL, from_range = 0, to_range = 0, light = 0, contrast = 0, colour = 0;
    if (sws_getColorspaceDetails(d->scaler, &from, &from_range, &to, &to_range, &light, &contrast,
                                 &colour) < 0)
        return GB_OK; /* formats without a matrix: grey, RGB */
    int space = f->colorspace == AVCOL_SPC_UNSPECIFIED ? SWS_CS_DEFAULT : (int)f->colorspace;
    if (f->color_range != AVCOL_RANGE_UNSPECIFIED)
        from_range = f->color_range == AVCOL_RANGE_JPEG;
    sws_setColorspaceDetails(d->scaler, sws_getCoefficients(space), from_range, to, to_range, light,
                             contrast, colour);
    return GB_OK;
}

gb_status gb_video_read(gb_video *v, int64_t frame, unsigned char *rgb)
{
    GB_TRY(need_frame(v, frame));
    const AVFrame *f = v->decoder.frame;
    GB_TRY(prepare_scaler(v, f));
    /* swscale writes whole vectors at the end of a row: into rows of its own, then copied. */
    uint8_t *data[4] = {NULL};
    int stride[4] = {0};
    if (av_image_alloc(data, stride, f->width, f->height, AV_PIX_FMT_RGB24, 64) < 0)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for a frame", v->origin);
    int rows = sws_scale(v->decoder.scaler, (const uint8_t *const *)f->data, f->linesize, 0,
                         f->height, data, stride);
    size_t row_bytes = (size_t)f->width * 3;
    for (int r = 0; rows == f->height && r < rows; r++)
        memcpy(rgb + (size_t)r * row_bytes, data[0] + (size_t)r * (size_t)stride[0], row_bytes);
    av_freep(&data[0]);
    return rows == f->height ? GB_OK
                             : fail_frame(v, v->shown[frame], "its pixels do not become RGB");
}

#endif
