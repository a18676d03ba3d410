/* Video packets as a stream of a recording, and back. */
#include "record/video_source.h"

#include <stdlib.h>
#include <string.h>

#ifdef GENBA_WITH_LIBAV

#include <sodium.h>

#define EXTRADATA_MAX (1 << 20)

static const char *encode_base64(const unsigned char *data, size_t size, gb_arena *arena)
{
    size_t room = sodium_base64_encoded_len(size, sodium_base64_VARIANT_ORIGINAL);
    char *text = gb_arena_alloc(arena, room);
    return text ? sodium_bin2base64(text, room, data, size, sodium_base64_VARIANT_ORIGINAL) : NULL;
}

gb_status gb_video_describe(const gb_video *v, gb_arena *arena, gb_stream_spec *spec)
{
    gb_video_about about = gb_video_get_about(v);
    gb_pair *pairs = gb_arena_alloc(arena, GB_VIDEO_PAIRS * sizeof *pairs);
    const AVCodecParameters *p = v->parameters;
    int count = 0;
    if (!pairs)
        return GB_ERR_MEMORY;
    if (about.extradata_size > 0)
        pairs[count++] = (gb_pair){"video.extradata",
                                   encode_base64(about.extradata, about.extradata_size, arena)};
    if (about.pixel_format[0])
        pairs[count++] = (gb_pair){"video.pixel_format", about.pixel_format};
    if (p->color_space != AVCOL_SPC_UNSPECIFIED && av_color_space_name(p->color_space))
        pairs[count++] = (gb_pair){"video.color_space", av_color_space_name(p->color_space)};
    if (p->color_range != AVCOL_RANGE_UNSPECIFIED && av_color_range_name(p->color_range))
        pairs[count++] = (gb_pair){"video.color_range", av_color_range_name(p->color_range)};
    for (int i = 0; i < count; i++)
        if (!pairs[i].value)
            return GB_ERR_MEMORY;
    spec->kind = GB_STREAM_IMAGE;
    spec->rank = 3;
    spec->shape[0] = about.height;
    spec->shape[1] = about.width;
    spec->shape[2] = 3;
    spec->value_type = GB_VALUE_BYTES;
    spec->encoding = about.codec;
    spec->pairs = pairs;
    spec->pair_count = count;
    return GB_OK;
}

bool gb_video_is_stream(const gb_stream_spec *spec)
{
    return spec->value_type == GB_VALUE_BYTES && spec->kind == GB_STREAM_IMAGE &&
           strcmp(spec->encoding ? spec->encoding : "", "mjpeg") != 0 &&
           gb_video_codec_id(spec->encoding) != AV_CODEC_ID_NONE;
}

static gb_status take_extradata(gb_video *v, const gb_stream_spec *spec)
{
    const char *text = gb_pair_find(spec->pairs, spec->pair_count, "video.extradata");
    size_t length = text ? strlen(text) : 0, size = 0;
    if (length == 0)
        return GB_OK;
    unsigned char *data =
        length <= EXTRADATA_MAX ? av_mallocz(length + AV_INPUT_BUFFER_PADDING_SIZE) : NULL;
    if (!data)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for its video.extradata", v->origin);
    if (sodium_base642bin(data, length, text, length, NULL, &size, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0) {
        av_free(data);
        return gb_fail(GB_ERR_PARSE, "stream %s: its video.extradata is not base64", v->origin);
    }
    v->parameters->extradata = data;
    v->parameters->extradata_size = (int)size;
    return GB_OK;
}

typedef struct key_finder {
    AVCodecParserContext *parser;
    AVCodecContext *context;
    unsigned char *padded; /* parsers may read a little beyond a packet */
    size_t room;
} key_finder;

static gb_status look_at(key_finder *f, const gb_video *v, gb_video_packet *p)
{
    uint8_t *out = NULL;
    int out_size = 0;
    if (p->size > INT32_MAX - AV_INPUT_BUFFER_PADDING_SIZE)
        return GB_OK;
    if (p->size + AV_INPUT_BUFFER_PADDING_SIZE > f->room) {
        f->room = 2 * p->size + AV_INPUT_BUFFER_PADDING_SIZE;
        av_free(f->padded);
        f->padded = av_mallocz(f->room);
        if (!f->padded)
            return gb_fail(GB_ERR_MEMORY, "%s: no memory for its packets", v->origin);
    }
    memcpy(f->padded, p->data, p->size);
    memset(f->padded + p->size, 0, AV_INPUT_BUFFER_PADDING_SIZE);
    f->parser->flags |= PARSER_FLAG_COMPLETE_FRAMES;
    av_parser_parse2(f->parser, f->context, &out, &out_size, f->padded, (int)p->size,
                     AV_NOPTS_VALUE, AV_NOPTS_VALUE, -1);
    p->key = p->key || f->parser->key_frame == 1 ||
             (f->parser->key_frame < 0 && f->parser->pict_type == AV_PICTURE_TYPE_I);
    return GB_OK;
}

/* Key frames by the codec's own parser; without one, all packets of codecs that only have key
 * frames, else the first. */
static gb_status find_keys(gb_video *v)
{
    const AVCodecDescriptor *about = avcodec_descriptor_get(v->parameters->codec_id);
    bool all = about && about->props & AV_CODEC_PROP_INTRA_ONLY;
    key_finder f = {.parser = av_parser_init(v->parameters->codec_id),
                    .context = avcodec_alloc_context3(v->codec)};
    bool ready =
        f.parser && f.context && avcodec_parameters_to_context(f.context, v->parameters) >= 0;
    gb_status status = GB_OK;
    for (int64_t i = 0; i < v->count && status == GB_OK; i++) {
        v->packets[i].key = all || i == 0;
        if (ready && !all)
            status = look_at(&f, v, &v->packets[i]);
    }
    av_free(f.padded);
    avcodec_free_context(&f.context);
    av_parser_close(f.parser);
    return status;
}

static gb_status take_packets(gb_video *v, const gb_stream_view *stream)
{
    v->packets = calloc((size_t)stream->count + 1, sizeof *v->packets);
    if (!v->packets)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for its frames", v->origin);
    for (int64_t i = 0; i < stream->count; i++) {
        gb_video_packet *p = &v->packets[v->count];
        p->data = stream->raw + stream->offset[i];
        p->size = (size_t)(stream->offset[i + 1] - stream->offset[i]);
        p->time_ns = stream->time_ns[i];
        if (p->size == 0)
            return gb_fail(GB_ERR_CORRUPT, "stream %s: sample %lld is empty", v->origin,
                           (long long)i);
        v->count++;
    }
    return GB_OK;
}

static gb_status read_stream(gb_video *v, const gb_stream_view *stream)
{
    const gb_stream_spec *spec = stream->spec;
    v->parameters->codec_type = AVMEDIA_TYPE_VIDEO;
    v->parameters->codec_id = gb_video_codec_id(spec->encoding);
    v->parameters->format = AV_PIX_FMT_NONE;
    v->codec = gb_video_codec(v->parameters->codec_id);
    v->parameters->height = (int)spec->shape[0];
    v->parameters->width = (int)spec->shape[1];
    if (!v->codec)
        return gb_fail(GB_ERR_UNSUPPORTED, "stream %s: no decoder for %s", v->origin,
                       spec->encoding);
    GB_TRY(take_extradata(v, spec));
    GB_TRY(take_packets(v, stream));
    GB_TRY(find_keys(v));
    return gb_video_order(v);
}

gb_status gb_video_open_stream(const gb_stream_view *stream, gb_video **out)
{
    const gb_stream_spec *spec = stream->spec;
    bool fits = gb_video_is_stream(spec) && spec->rank == 3 && stream->count > 0 &&
                stream->count <= GB_VIDEO_FRAMES_MAX && spec->shape[0] <= GB_VIDEO_SIDE_MAX &&
                spec->shape[1] <= GB_VIDEO_SIDE_MAX;
    if (!fits)
        return gb_fail(GB_ERR_ARGUMENT,
                       "stream %s: expected packets of video: kind image, value type bytes, shape "
                       "[height, width, 3], encoding av1, h264, ...",
                       spec->name);
    gb_video *v = NULL;
    gb_video_quiet();
    GB_TRY(gb_video_create(spec->name, &v));
    gb_status status = read_stream(v, stream);
    if (status == GB_OK)
        *out = v;
    else
        gb_video_close(v);
    return status;
}

#endif
