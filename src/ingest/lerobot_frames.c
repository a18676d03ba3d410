/* The pictures of an episode, into the MP4 file of their feature: packets of the right rate as they
 * are, everything else encoded. */
#include "ingest/lerobot_write.h"

#include "record/picture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where pixels come from: packets, or samples that are pictures each. */
typedef struct frames {
    const gb_taken_stream *stream;
    gb_video *video; /* NULL: samples */
    unsigned char *rgb;
    int width, height;
} frames;

/* ---- one picture ------------------------------------------------------------------------------
 */

static void copy_grey(const unsigned char *grey, int64_t pixels, unsigned char *rgb)
{
    for (int64_t i = 0; i < pixels; i++)
        rgb[3 * i] = rgb[3 * i + 1] = rgb[3 * i + 2] = grey[i];
}

static gb_status read_compressed(const frames *f, int64_t sample)
{
    const gb_taken_stream *s = f->stream;
    gb_picture picture = {0};
    GB_TRY(gb_picture_decode(s->values + s->offset[sample],
                             (size_t)(s->offset[sample + 1] - s->offset[sample]), 0, &picture));
    bool fits = picture.width == f->width && picture.height == f->height;
    int64_t pixels = picture.width * picture.height;
    if (fits && picture.channels == 3)
        memcpy(f->rgb, picture.pixels, (size_t)pixels * 3);
    else if (fits)
        copy_grey(picture.pixels, pixels, f->rgb);
    gb_picture_free(&picture);
    return fits ? GB_OK
                : gb_fail(GB_ERR_SHAPE, "stream %s: picture %lld is not of %d x %d pixels",
                          s->spec.name, (long long)sample, f->width, f->height);
}

/* The picture of a sample (of a video: of a frame) into f->rgb. */
static gb_status read_picture(const frames *f, int64_t sample)
{
    const gb_taken_stream *s = f->stream;
    int64_t pixels = (int64_t)f->width * f->height;
    if (f->video)
        return gb_video_read(f->video, sample, f->rgb);
    if (s->spec.value_type == GB_VALUE_BYTES)
        return read_compressed(f, sample);
    const unsigned char *from = s->values + (size_t)(sample * s->size);
    if (s->size == 3 * pixels)
        memcpy(f->rgb, from, (size_t)s->size);
    else
        copy_grey(from, pixels, f->rgb);
    return GB_OK;
}

static gb_status check_stream(const gb_taken_stream *s, const gb_lerobot_column *c)
{
    int64_t pixels = (int64_t)c->width * c->height;
    bool compressed = s->spec.value_type == GB_VALUE_BYTES;
    bool plain = s->spec.value_type == GB_VALUE_U8 && (s->size == pixels || s->size == 3 * pixels);
    bool known = gb_video_is_stream(&s->spec) || strcmp(s->spec.encoding, "png") == 0 ||
                 strcmp(s->spec.encoding, "jpeg") == 0 || strcmp(s->spec.encoding, "mjpeg") == 0;
    if (c->width < 1 || (compressed ? !known : !plain))
        return gb_fail(GB_ERR_UNSUPPORTED,
                       "stream %s: pictures of this kind (%s, %s) do not become video; leave "
                       "pictures out",
                       s->spec.name, gb_value_type_name(s->spec.value_type), s->spec.encoding);
    return GB_OK;
}

static gb_status open_frames(const gb_taken_stream *s, const gb_lerobot_column *c, frames *out)
{
    GB_TRY(check_stream(s, c));
    frames f = {.stream = s, .width = c->width, .height = c->height};
    f.rgb = malloc((size_t)c->width * (size_t)c->height * 3);
    if (!f.rgb)
        return gb_fail(GB_ERR_MEMORY, "stream %s: no memory for a picture", s->spec.name);
    gb_stream_view view = {.spec = &s->spec,
                           .size = s->size,
                           .count = s->count,
                           .time_ns = s->time_ns,
                           .raw = s->values,
                           .offset = s->offset};
    gb_status status = gb_video_is_stream(&s->spec) ? gb_video_open_stream(&view, &f.video) : GB_OK;
    if (status != GB_OK) {
        free(f.rgb);
        return status;
    }
    *out = f;
    return GB_OK;
}

static void close_frames(frames *f)
{
    gb_video_close(f->video);
    free(f->rgb);
}

/* Which frame each row shows, by their times, into e->pick. */
static gb_status pick_frames(gb_lerobot_export *e, const frames *f)
{
    const gb_taken_stream *s = f->stream;
    GB_TRY(gb_lerobot_pick(e, s));
    if (!f->video || s->ordered)
        return GB_OK; /* packets in order: packet i is frame i */
    for (int64_t r = 0; r < e->rows; r++) {
        double until = (double)e->first_ns + ((double)r + 0.49) * 1e9 / e->fps;
        e->pick[r] = gb_video_frame_at(f->video, (int64_t)until);
    }
    return GB_OK;
}

/* ---- the file ---------------------------------------------------------------------------------
 */

gb_status gb_lerobot_end_video(gb_lerobot_export *e, gb_lerobot_column *c)
{
    gb_video_writer *writer = c->writer;
    if (!writer)
        return GB_OK;
    c->writer = NULL;
    gb_lerobot_step(e, &c->chunk, &c->file);
    return gb_video_writer_finish(writer);
}

static gb_status
open_video(gb_lerobot_export *e, gb_lerobot_column *c, const gb_video_about *packets, int reorder)
{
    char path[4300];
    gb_video_format format = gb_video_format_defaults(c->width, c->height, e->fps);
    snprintf(path, sizeof path, "%s/videos/%s/chunk-%03lld", e->folder, c->name,
             (long long)c->chunk);
    GB_TRY(gb_folder_create(path));
    snprintf(path, sizeof path, "%s/videos/%s/chunk-%03lld/file-%03lld.mp4", e->folder, c->name,
             (long long)c->chunk, (long long)c->file);
    c->as_it_is = packets != NULL;
    c->extradata_size = 0;
    c->reorder = reorder;
    format.codec = e->video_codec;
    if (packets) {
        format.codec = packets->codec;
        format.extradata = packets->extradata;
        format.extradata_size = packets->extradata_size;
        format.reorder = reorder;
        c->extradata_size = packets->extradata_size;
        memcpy(c->extradata, packets->extradata, packets->extradata_size);
        GB_TRY(gb_video_writer_packets(path, &format, &c->writer));
    } else
        GB_TRY(gb_video_writer_pictures(path, &format, &c->writer));
    snprintf(c->codec, sizeof c->codec, "%s", gb_video_writer_codec(c->writer));
    return GB_OK;
}

/* The open file when the episode can go on in it, else a new one. packets NULL: pictures. */
static gb_status need_video(gb_lerobot_export *e,
                            gb_lerobot_column *c,
                            const gb_video_about *packets,
                            int64_t bytes,
                            int reorder)
{
    bool same = c->writer && c->as_it_is == (packets != NULL);
    if (same && packets)
        same = strcmp(c->codec, packets->codec) == 0 &&
               c->extradata_size == packets->extradata_size &&
               memcmp(c->extradata, packets->extradata, c->extradata_size) == 0 &&
               c->reorder == reorder;
    int64_t used = c->writer ? gb_video_writer_bytes(c->writer) : 0;
    bool full = used > 0 && used + bytes > e->options.video_file_bytes;
    if (c->writer && (!same || full))
        GB_TRY(gb_lerobot_end_video(e, c));
    return c->writer ? GB_OK : open_video(e, c, packets, reorder);
}

/* ---- packets ----------------------------------------------------------------------------------
 */

/* Rows show one frame after the other, from one that can be decoded by itself: all frames of the
 * video, or some of one whose packets stand in the order of time. */
static bool can_copy(const gb_lerobot_export *e, const frames *f)
{
    if (!f->video)
        return false;
    gb_video_about about = gb_video_get_about(f->video);
    int64_t first = e->pick[0];
    bool whole = first == 0 && about.frames == e->rows;
    bool fits = first >= 0 && first + e->rows <= about.frames &&
                gb_video_packet_at(f->video, first).key &&
                about.extradata_size <= sizeof((gb_lerobot_column *)0)->extradata &&
                strcmp(about.codec, "vp8") != 0 && strcmp(about.codec, "ffv1") != 0;
    for (int64_t r = 0; fits && r < e->rows; r++)
        fits = e->pick[r] == first + r &&
               (whole || gb_video_frame_of(f->video, first + r) == first + r);
    return fits;
}

static gb_status copy_packets(gb_lerobot_export *e, gb_lerobot_column *c, const frames *f)
{
    gb_video_about about = gb_video_get_about(f->video);
    int64_t bytes = 0, reorder = 0, from = e->pick[0];
    for (int64_t i = from; i < from + e->rows; i++) {
        int64_t behind = i - gb_video_frame_of(f->video, i);
        reorder = behind > reorder ? behind : reorder;
        bytes += (int64_t)gb_video_packet_at(f->video, i).size;
    }
    GB_TRY(need_video(e, c, &about, bytes, (int)reorder));
    int64_t first = gb_video_writer_frames(c->writer);
    for (int64_t i = from; i < from + e->rows; i++) {
        gb_video_packet packet = gb_video_packet_at(f->video, i);
        int64_t frame = gb_video_frame_of(f->video, i) - from;
        GB_TRY(gb_video_write_packet(c->writer, &packet, first + frame));
    }
    return GB_OK;
}

/* ---- pictures ---------------------------------------------------------------------------------
 */

static gb_status encode_pictures(gb_lerobot_export *e, gb_lerobot_column *c, const frames *f)
{
    int64_t held = -1;
    GB_TRY(need_video(e, c, NULL, 0, 0));
    for (int64_t r = 0; r < e->rows; r++) {
        int64_t sample = e->pick[r] > 0 ? e->pick[r] : 0;
        if (sample != held)
            GB_TRY(read_picture(f, sample));
        held = sample;
        GB_TRY(gb_video_write_picture(c->writer, f->rgb, r == 0));
    }
    return GB_OK;
}

/* As many pictures as LeRobot looks at: rows^0.75, at least 100, at most 10,000, spread evenly. */
static gb_status measure_pictures(gb_lerobot_export *e, gb_lerobot_column *c, const frames *f)
{
    double wanted = pow((double)e->rows, 0.75);
    int64_t count = wanted < 100 ? 100 : wanted > 10000 ? 10000 : (int64_t)wanted;
    count = count < e->rows ? count : e->rows;
    gb_lerobot_colours *colours = NULL;
    GB_TRY(gb_lerobot_colours_create(&colours));
    gb_status status = GB_OK;
    for (int64_t i = 0; i < count && status == GB_OK; i++) {
        int64_t row =
            count > 1 ? llround((double)i * (double)(e->rows - 1) / (double)(count - 1)) : 0;
        status = read_picture(f, e->pick[row] > 0 ? e->pick[row] : 0);
        if (status == GB_OK)
            gb_lerobot_colours_add(colours, f->rgb, f->width, f->height);
    }
    if (status == GB_OK)
        gb_lerobot_colours_end(colours, c);
    gb_lerobot_colours_destroy(colours);
    return status;
}

static gb_status write_open(gb_lerobot_export *e, gb_lerobot_column *c, const frames *f)
{
    GB_TRY(pick_frames(e, f));
    GB_TRY(can_copy(e, f) ? copy_packets(e, c, f) : encode_pictures(e, c, f));
    int64_t end = gb_video_writer_frames(c->writer);
    c->from_s = (double)(end - e->rows) / e->fps;
    c->to_s = (double)end / e->fps;
    c->episode_chunk = c->chunk;
    c->episode_file = c->file;
    return measure_pictures(e, c, f);
}

gb_status
gb_lerobot_write_frames(gb_lerobot_export *e, gb_lerobot_column *c, const gb_taken_stream *s)
{
    frames f = {0};
    GB_TRY(open_frames(s, c, &f));
    gb_status status = write_open(e, c, &f);
    close_frames(&f);
    return status;
}
