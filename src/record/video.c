/* A video file's packets: the container is read once, from memory, and each packet is then found
 * where it lies. Decoding is video_decode.c, streams of recordings are video_stream.c. */
#include "record/video_source.h"

#ifdef GENBA_WITH_LIBAV

#include <libavformat/avformat.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AVIO_BYTES 65536
#define COPIED_BYTES_MAX ((size_t)1 << 30)

/* ---- libav ------------------------------------------------------------------------------------
 */

const char *gb_video_error(int code, char text[64])
{
    if (av_strerror(code, text, 64) < 0)
        snprintf(text, 64, "error %d", code);
    return text;
}

static void forward_log(void *from, int level, const char *format, va_list args)
{
    char line[512];
    if (level > AV_LOG_WARNING)
        return;
    int prefix = 1;
    av_log_format_line2(from, level, format, args, line, sizeof line, &prefix);
    line[strcspn(line, "\n")] = 0;
    gb_log(GB_LOG_DEBUG, "libav: %s", line);
}

static void set_callback(void)
{
    av_log_set_callback(forward_log);
}

void gb_video_quiet(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, set_callback);
}

static const struct {
    enum AVCodecID id;
    const char *name;
} codecs[] = {
    {AV_CODEC_ID_AV1, "av1"},     {AV_CODEC_ID_H264, "h264"}, {AV_CODEC_ID_HEVC, "hevc"},
    {AV_CODEC_ID_VP8, "vp8"},     {AV_CODEC_ID_VP9, "vp9"},   {AV_CODEC_ID_MPEG4, "mpeg4"},
    {AV_CODEC_ID_MJPEG, "mjpeg"}, {AV_CODEC_ID_FFV1, "ffv1"},
};
#define CODEC_COUNT (sizeof codecs / sizeof *codecs)

const char *gb_video_codec_name(enum AVCodecID id)
{
    for (size_t i = 0; i < CODEC_COUNT; i++)
        if (codecs[i].id == id)
            return codecs[i].name;
    return NULL;
}

enum AVCodecID gb_video_codec_id(const char *name)
{
    for (size_t i = 0; i < CODEC_COUNT; i++)
        if (name && strcmp(codecs[i].name, name) == 0)
            return codecs[i].id;
    return AV_CODEC_ID_NONE;
}

const AVCodec *gb_video_codec(enum AVCodecID id)
{
    return gb_video_codec_name(id) ? avcodec_find_decoder(id) : NULL;
}

/* ---- the file as libav sees it ----------------------------------------------------------------
 */

typedef struct memory {
    const unsigned char *data;
    size_t size, at;
} memory;

static int read_memory(void *opaque, uint8_t *to, int size)
{
    memory *m = opaque;
    size_t left = m->size - m->at;
    if (left == 0)
        return AVERROR_EOF;
    size_t take = (size_t)size < left ? (size_t)size : left;
    memcpy(to, m->data + m->at, take);
    m->at += take;
    return (int)take;
}

static int64_t seek_memory(void *opaque, int64_t offset, int whence)
{
    memory *m = opaque;
    int64_t base = whence == SEEK_CUR ? (int64_t)m->at : whence == SEEK_END ? (int64_t)m->size : 0;
    if (whence & AVSEEK_SIZE)
        return (int64_t)m->size;
    if (offset < -base || offset > (int64_t)m->size - base)
        return AVERROR(EINVAL);
    m->at = (size_t)(base + offset);
    return (int64_t)m->at;
}

/* A file may name others (playlists, references): they stay shut. */
static int refuse_open(
    AVFormatContext *format, AVIOContext **io, const char *url, int flags, AVDictionary **options)
{
    (void)format, (void)io, (void)url, (void)flags, (void)options;
    return AVERROR(EPERM);
}

typedef struct container {
    memory memory;
    AVIOContext *io;
    AVFormatContext *format;
    AVPacket *packet;
    int track;
} container;

static void close_container(container *c)
{
    avformat_close_input(&c->format);
    if (c->io)
        av_freep(&c->io->buffer);
    avio_context_free(&c->io);
    av_packet_free(&c->packet);
}

static gb_status open_container(container *c, const char *origin)
{
    char text[64];
    unsigned char *buffer = av_malloc(AVIO_BYTES);
    if (buffer)
        c->io =
            avio_alloc_context(buffer, AVIO_BYTES, 0, &c->memory, read_memory, NULL, seek_memory);
    if (!c->io)
        av_free(buffer);
    c->format = c->io ? avformat_alloc_context() : NULL;
    c->packet = av_packet_alloc();
    if (!c->format || !c->packet)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory to open it", origin);
    c->format->pb = c->io;
    c->format->io_open = refuse_open;
    c->format->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_NOFILLIN | AVFMT_FLAG_NOPARSE;
    c->format->max_streams = 64;
    c->format->format_whitelist = av_strdup("mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,ivf,obu");
    int code = avformat_open_input(&c->format, NULL, NULL, NULL); /* frees format on failure */
    if (code < 0)
        return gb_fail(GB_ERR_PARSE,
                       "%s: no video file that can be read (MP4, MOV, Matroska, WebM, AVI): %s",
                       origin, gb_video_error(code, text));
    c->track = -1;
    for (unsigned s = 0; s < c->format->nb_streams && c->track < 0; s++)
        if (c->format->streams[s]->codecpar->codec_type == AVMEDIA_TYPE_VIDEO)
            c->track = (int)s;
    return c->track >= 0 ? GB_OK : gb_fail(GB_ERR_PARSE, "%s: it has no video track", origin);
}

/* ---- packets ----------------------------------------------------------------------------------
 */

static gb_status make_room(gb_video *v, int64_t *room)
{
    if (v->count < *room)
        return GB_OK;
    if (v->count == GB_VIDEO_FRAMES_MAX)
        return gb_fail(GB_ERR_UNSUPPORTED, "%s: more than %d frames", v->origin,
                       GB_VIDEO_FRAMES_MAX);
    int64_t grown_room = *room ? 2 * *room : 256;
    gb_video_packet *grown = realloc(v->packets, (size_t)grown_room * sizeof *grown);
    if (!grown)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for its frames", v->origin);
    v->packets = grown;
    *room = grown_room;
    return GB_OK;
}

/* Where the packet lies in the file; containers that transform packets have them copied, at an
 * offset that becomes a pointer once all are there. */
static gb_status place_packet(gb_video *v, const container *c, gb_video_packet *to)
{
    const AVPacket *p = c->packet;
    size_t size = (size_t)p->size;
    const memory *m = &c->memory;
    to->size = size;
    if (p->pos >= 0 && (uint64_t)p->pos <= m->size && size <= m->size - (size_t)p->pos &&
        memcmp(m->data + p->pos, p->data, size) == 0) {
        to->data = m->data + p->pos;
        return GB_OK;
    }
    if (size > COPIED_BYTES_MAX - v->copied_size)
        return gb_fail(GB_ERR_UNSUPPORTED,
                       "%s: over 1 GiB of video in a container that has to be "
                       "copied; put it into MP4 without re-encoding",
                       v->origin);
    if (size > v->copied_room - v->copied_size) {
        size_t room = 2 * v->copied_room + size;
        unsigned char *grown = realloc(v->copied, room);
        if (!grown)
            return gb_fail(GB_ERR_MEMORY, "%s: no memory for its packets", v->origin);
        v->copied = grown;
        v->copied_room = room;
    }
    memcpy(v->copied + v->copied_size, p->data, size);
    v->copied_size += size;
    to->data = NULL;
    return GB_OK;
}

static gb_status add_packet(gb_video *v, const container *c, int64_t *room)
{
    const AVPacket *p = c->packet;
    AVRational base = c->format->streams[c->track]->time_base, ns = {1, 1000000000};
    int64_t pts = p->pts != AV_NOPTS_VALUE ? p->pts : p->dts;
    if (p->size <= 0 || !p->data)
        return GB_OK;
    GB_TRY(make_room(v, room));
    gb_video_packet *to = &v->packets[v->count];
    *to = (gb_video_packet){.key = p->flags & AV_PKT_FLAG_KEY};
    to->time_ns = pts != AV_NOPTS_VALUE ? av_rescale_q(pts, base, ns) : 0;
    GB_TRY(place_packet(v, c, to));
    v->count++;
    return GB_OK;
}

static gb_status read_packets(gb_video *v, container *c)
{
    int64_t room = 0;
    char text[64];
    for (;;) {
        int code = av_read_frame(c->format, c->packet);
        if (code == AVERROR_EOF)
            break;
        if (code < 0)
            return gb_fail(GB_ERR_CORRUPT, "%s: packet %lld: %s", v->origin, (long long)v->count,
                           gb_video_error(code, text));
        gb_status status = c->packet->stream_index == c->track ? add_packet(v, c, &room) : GB_OK;
        bool damaged = c->packet->flags & AV_PKT_FLAG_CORRUPT;
        av_packet_unref(c->packet);
        GB_TRY(status);
        if (damaged)
            return gb_fail(GB_ERR_CORRUPT, "%s: packet %lld is cut: the file is not whole",
                           v->origin, (long long)v->count - 1);
    }
    size_t at = 0;
    for (int64_t i = 0; i < v->count; i++)
        if (!v->packets[i].data) {
            v->packets[i].data = v->copied + at;
            at += v->packets[i].size;
        }
    return GB_OK;
}

/* ---- the order of time ------------------------------------------------------------------------
 */

typedef struct placed {
    int64_t time_ns;
    int32_t packet;
} placed;

static int by_time(const void *a, const void *b)
{
    const placed *x = a, *y = b;
    if (x->time_ns != y->time_ns)
        return x->time_ns < y->time_ns ? -1 : 1;
    return (x->packet > y->packet) - (x->packet < y->packet);
}

gb_status gb_video_order(gb_video *v)
{
    size_t count = (size_t)v->count;
    placed *order = calloc(count + 1, sizeof *order);
    v->shown = calloc(count + 1, sizeof *v->shown);
    v->frame_of = calloc(count + 1, sizeof *v->frame_of);
    if (!order || !v->shown || !v->frame_of) {
        free(order);
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for its frames", v->origin);
    }
    for (size_t i = 0; i < count; i++)
        order[i] = (placed){v->packets[i].time_ns, (int32_t)i};
    qsort(order, count, sizeof *order, by_time);
    for (size_t i = 0; i < count; i++) {
        v->shown[i] = order[i].packet;
        v->frame_of[order[i].packet] = (int32_t)i;
    }
    free(order);
    return GB_OK;
}

/* ---- opening ----------------------------------------------------------------------------------
 */

static gb_status check_track(const gb_video *v, const container *c)
{
    const AVCodecParameters *p = v->parameters;
    const char *name = avcodec_get_name(p->codec_id);
    if (!gb_video_codec_name(p->codec_id))
        return gb_fail(GB_ERR_UNSUPPORTED, "%s: video of codec %s is not read", v->origin, name);
    if (!v->codec)
        return gb_fail(GB_ERR_UNSUPPORTED, "%s: this build of FFmpeg has no decoder for %s",
                       v->origin, name);
    if (p->width < 1 || p->height < 1 || p->width > GB_VIDEO_SIDE_MAX ||
        p->height > GB_VIDEO_SIDE_MAX || (int64_t)p->width * p->height > GB_VIDEO_PIXELS_MAX)
        return gb_fail(GB_ERR_UNSUPPORTED, "%s: frames of %d x %d pixels; expected 1 to %d a side",
                       v->origin, p->width, p->height, GB_VIDEO_SIDE_MAX);
    int64_t promised = c->format->streams[c->track]->nb_frames;
    if (v->count == 0 || v->count < promised)
        return gb_fail(GB_ERR_CORRUPT, "%s: %lld frames are there, %lld should be: it was cut",
                       v->origin, (long long)v->count, (long long)promised);
    return GB_OK;
}

static uint64_t big_endian(const unsigned char *at, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    return value;
}

/* The boxes of an MP4 file (ISO/IEC 14496-12, 4.2) fill it: a last one that is cut is forgiven by
 * libav, not by us. */
static gb_status check_boxes(const char *origin, const unsigned char *data, size_t size)
{
    if (size < 8 || memcmp(data + 4, "ftyp", 4) != 0)
        return GB_OK; /* another container */
    for (size_t at = 0; at < size;) {
        size_t left = size - at;
        uint64_t box = left >= 8 ? big_endian(data + at, 4) : 1;
        if (box == 1 && left >= 16)
            box = big_endian(data + at + 8, 8);
        else if (box == 0)
            box = left; /* up to the end */
        if (box < 8 || box > left)
            return gb_fail(GB_ERR_CORRUPT,
                           "%s: byte %zu: a box that does not end in the file: it "
                           "was cut or edited",
                           origin, at);
        at += (size_t)box;
    }
    return GB_OK;
}

static gb_status read_container(gb_video *v, const void *data, size_t size)
{
    GB_TRY(check_boxes(v->origin, data, size));
    container c = {.memory = {data, size, 0}};
    gb_video_quiet();
    gb_status status = open_container(&c, v->origin);
    if (status == GB_OK)
        status = read_packets(v, &c);
    if (status == GB_OK &&
        avcodec_parameters_copy(v->parameters, c.format->streams[c.track]->codecpar) < 0)
        status = gb_fail(GB_ERR_MEMORY, "%s: no memory to open it", v->origin);
    v->codec = gb_video_codec(v->parameters->codec_id);
    if (status == GB_OK)
        status = check_track(v, &c);
    close_container(&c);
    return status == GB_OK ? gb_video_order(v) : status;
}

gb_status gb_video_create(const char *origin, gb_video **out)
{
    gb_video *v = calloc(1, sizeof *v);
    if (v)
        v->parameters = avcodec_parameters_alloc();
    if (!v || !v->parameters || gb_arena_create(0, &v->arena) != GB_OK) {
        if (v)
            avcodec_parameters_free(&v->parameters);
        free(v);
        return gb_fail(GB_ERR_MEMORY, "%s: no memory to open it", origin);
    }
    v->origin = gb_arena_text(v->arena, origin);
    v->decoder.frame_of = v->decoder.next_packet = -1;
    if (!v->origin) {
        gb_video_close(v);
        return GB_ERR_MEMORY;
    }
    *out = v;
    return GB_OK;
}

gb_status gb_video_open_memory(const void *data, size_t size, const char *origin, gb_video **out)
{
    gb_video *v = NULL;
    GB_TRY(gb_video_create(origin, &v));
    gb_status status = read_container(v, data, size);
    if (status == GB_OK)
        *out = v;
    else
        gb_video_close(v);
    return status;
}

gb_status gb_video_open(const char *path, gb_video **out)
{
    gb_video *v = NULL;
    GB_TRY(gb_video_create(path, &v));
    gb_status status = gb_file_map(path, &v->view);
    if (status == GB_OK)
        status = read_container(v, v->view.data, v->view.size);
    if (status == GB_OK)
        *out = v;
    else
        gb_video_close(v);
    return status;
}

void gb_video_close(gb_video *v)
{
    if (!v)
        return;
    gb_video_decoder_close(&v->decoder);
    avcodec_parameters_free(&v->parameters);
    gb_file_unmap(&v->view);
    gb_arena_destroy(v->arena);
    free(v->packets);
    free(v->shown);
    free(v->frame_of);
    free(v->copied);
    free(v);
}

/* ---- looking ----------------------------------------------------------------------------------
 */

gb_video_about gb_video_get_about(const gb_video *v)
{
    const AVCodecParameters *p = v->parameters;
    const char *format = av_get_pix_fmt_name(p->format);
    int64_t last = v->count - 1;
    double span_s = (double)(gb_video_time_ns(v, last) - gb_video_time_ns(v, 0)) * 1e-9;
    return (gb_video_about){.codec = gb_video_codec_name(p->codec_id),
                            .pixel_format = format ? format : "",
                            .width = p->width,
                            .height = p->height,
                            .frames = v->count,
                            .rate_hz = span_s > 0 ? (double)last / span_s : 0,
                            .extradata = p->extradata,
                            .extradata_size = (size_t)p->extradata_size};
}

gb_video_packet gb_video_packet_at(const gb_video *v, int64_t packet)
{
    return v->packets[packet];
}

int64_t gb_video_frame_of(const gb_video *v, int64_t packet)
{
    return v->frame_of[packet];
}

int64_t gb_video_packet_of(const gb_video *v, int64_t frame)
{
    return v->shown[frame];
}

/* Not one that is shown after the frame: frames shown before their key frame need what came before
 * that too. */
int64_t gb_video_key_before(const gb_video *v, int64_t packet)
{
    for (int64_t p = packet; p > 0; p--)
        if (v->packets[p].key && v->packets[p].time_ns <= v->packets[packet].time_ns)
            return p;
    return 0;
}

int64_t gb_video_time_ns(const gb_video *v, int64_t frame)
{
    return v->packets[v->shown[frame]].time_ns;
}

int64_t gb_video_frame_at(const gb_video *v, int64_t time_ns)
{
    int64_t low = 0, high = v->count; /* the first frame that begins later lies in [low, high] */
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (gb_video_time_ns(v, middle) <= time_ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? low - 1 : 0;
}

#endif
