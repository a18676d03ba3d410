/* The videos of a LeRobot episode: which file, which of its frames, at which times. Packets go into
 * the recording as they are; nothing is decoded here. */
#include "ingest/lerobot_read.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BATCH_PACKETS 64
/* A frame this near to n / fps is frame n: containers count time in milliseconds or finer. */
#define TIME_TOLERANCE_NS 1000000.0

static gb_status find_file(gb_lerobot_reading *r,
                           const gb_lerobot_episode *episode,
                           const gb_lerobot_feature *feature,
                           const char **out)
{
    gb_lerobot_place place = {episode->index, episode->chunk, episode->file, feature->name};
    if (r->set.version == 30) {
        const gb_lerobot_clip *clip = &episode->clips[feature - r->set.features];
        place.chunk = clip->chunk;
        place.file = clip->file;
    }
    return gb_lerobot_file(&r->set, r->set.video_path, &place, out);
}

/* The feature's own pairs and the video's. */
static gb_status join_pairs(gb_lerobot_reading *r, gb_lerobot_stream *s)
{
    gb_stream_spec video = {0};
    GB_TRY(gb_video_describe(s->video, r->set.arena, &video));
    int count = s->spec.pair_count + video.pair_count;
    gb_pair *pairs = gb_arena_alloc(r->set.arena, (size_t)count * sizeof *pairs);
    if (!pairs)
        return GB_ERR_MEMORY;
    memcpy(pairs, s->spec.pairs, (size_t)s->spec.pair_count * sizeof *pairs);
    if (video.pair_count > 0)
        memcpy(pairs + s->spec.pair_count, video.pairs, (size_t)video.pair_count * sizeof *pairs);
    s->video_pairs = pairs;
    s->video_pair_count = count;
    return GB_OK;
}

/* Makes s->video the file at `path`, or NULL when there is none that can be read. */
static gb_status need_video(gb_lerobot_reading *r, gb_lerobot_stream *s, const char *path)
{
    if (s->video_path && strcmp(s->video_path, path) == 0)
        return GB_OK;
    gb_video_close(s->video);
    s->video = NULL;
    s->video_path = path;
    if (!gb_file_exists(path))
        return GB_OK;
    gb_status status = gb_video_open(path, &s->video);
    if (status == GB_ERR_MEMORY)
        return status;
    if (status != GB_OK)
        return gb_lerobot_drift(r, path, "left out: %s", gb_error_message());
    struct stat about;
    r->source->report->files++;
    r->source->report->bytes += stat(path, &about) == 0 ? (int64_t)about.st_size : 0;
    return join_pairs(r, s);
}

static gb_status declare(gb_lerobot_reading *r, gb_lerobot_stream *s, int recording)
{
    gb_stream_spec spec = s->spec;
    gb_video_about about = gb_video_get_about(s->video);
    spec.rank = 3;
    spec.shape[0] = about.height;
    spec.shape[1] = about.width;
    spec.shape[2] = 3;
    spec.value_type = GB_VALUE_BYTES;
    spec.encoding = about.codec;
    spec.pairs = s->video_pairs;
    spec.pair_count = s->video_pair_count;
    const int64_t *shape = s->feature->shape;
    bool fits = s->feature->rank == 3 &&
                ((shape[0] == about.height && shape[1] == about.width) ||
                 (shape[1] == about.height && shape[2] == about.width)); /* channels first */
    if (!fits)
        GB_TRY(gb_lerobot_drift(r, s->video_path,
                                "frames of %d x %d pixels; meta/info.json says otherwise of %s",
                                about.width, about.height, s->feature->name));
    return gb_sink_stream(r->source->sink, recording, &spec, &s->number);
}

gb_status
gb_lerobot_videos_declare(gb_lerobot_reading *r, const gb_lerobot_episode *episode, int recording)
{
    for (int i = 0; i < r->stream_count; i++) {
        gb_lerobot_stream *s = &r->streams[i];
        const char *path = NULL;
        if (!s->feature->is_video)
            continue;
        s->number = -1;
        GB_TRY(find_file(r, episode, s->feature, &path));
        GB_TRY(need_video(r, s, path));
        if (s->video)
            GB_TRY(declare(r, s, recording));
        else if (!gb_file_exists(path))
            r->videos_absent++;
    }
    return GB_OK;
}

/* ---- frames -----------------------------------------------------------------------------------
 */

typedef struct clip {
    int64_t from_ns;            /* time 0 of the episode, by the video's clock */
    int64_t first, end;         /* frames */
    int64_t packet, packet_end; /* all of them lie in these, in the order of the file */
} clip;

/* The first frame at or after a time, give or take half a frame. */
static int64_t first_from(const gb_lerobot_reading *r, const gb_video *video, double time_s)
{
    double half_ns = 0.5e9 / r->set.fps;
    int64_t frames = gb_video_get_about(video).frames;
    double from_ns = time_s * 1e9 - half_ns;
    if (!(from_ns > -9e18 && from_ns < 9e18))
        return frames;
    int64_t at = gb_video_frame_at(video, (int64_t)from_ns);
    return gb_video_time_ns(video, at) > (int64_t)from_ns ? at : at + 1;
}

/* The same clip up to frame `end`, and which packets it needs. */
static clip cut(const gb_lerobot_stream *s, const clip *from, int64_t end)
{
    clip c = {.from_ns = from->from_ns, .first = from->first, .end = end};
    for (int64_t f = c.first; f < c.end; f++) {
        int64_t packet = gb_video_packet_of(s->video, f);
        if (f == c.first || packet < c.packet)
            c.packet = packet;
        if (packet >= c.packet_end)
            c.packet_end = packet + 1;
    }
    return c;
}

static clip find_clip(const gb_lerobot_reading *r,
                      const gb_lerobot_episode *episode,
                      const gb_lerobot_stream *s)
{
    clip c = {.end = gb_video_get_about(s->video).frames};
    if (r->set.version == 30) {
        const gb_lerobot_clip *said = &episode->clips[s->feature - r->set.features];
        c.first = first_from(r, s->video, said->from_s);
        c.end = first_from(r, s->video, said->to_s);
        c.from_ns = llround(said->from_s * 1e9);
    }
    return cut(s, &c, c.end);
}

/* frame / fps to the nanosecond, where the video's clock agrees. */
static int64_t frame_ns(const gb_lerobot_reading *r, int64_t time_ns)
{
    int64_t frame = llround((double)time_ns * 1e-9 * r->set.fps);
    int64_t exact_ns = gb_lerobot_frame_ns(&r->set, frame);
    return fabs((double)(exact_ns - time_ns)) <= TIME_TOLERANCE_NS ? exact_ns : time_ns;
}

static gb_status
append(gb_lerobot_reading *r, const gb_lerobot_stream *s, int recording, const clip *c)
{
    int64_t times[BATCH_PACKETS], packet = c->packet;
    const unsigned char *runs[BATCH_PACKETS];
    size_t sizes[BATCH_PACKETS];
    while (packet < c->packet_end) {
        gb_samples samples = {.time_ns = times, .runs = runs, .run_sizes = sizes};
        for (; packet < c->packet_end && samples.count < BATCH_PACKETS; packet++) {
            gb_video_packet p = gb_video_packet_at(s->video, packet);
            times[samples.count] = frame_ns(r, p.time_ns - c->from_ns);
            runs[samples.count] = p.data;
            sizes[samples.count++] = p.size;
        }
        GB_TRY(gb_sink_append(r->source->sink, recording, s->number, &samples));
    }
    return GB_OK;
}

static gb_status emit(gb_lerobot_reading *r,
                      const gb_lerobot_episode *episode,
                      const gb_lerobot_stream *s,
                      int recording,
                      int64_t rows)
{
    clip c = find_clip(r, episode, s);
    bool cut_short = r->source->options->row_limit > 0;
    if (cut_short && c.end - c.first > rows)
        c = cut(s, &c, c.first + rows);
    else if (c.end - c.first != rows)
        GB_TRY(gb_lerobot_drift(r, s->video_path, "episode %lld has %lld frames and %lld rows",
                                (long long)episode->index, (long long)(c.end - c.first),
                                (long long)rows));
    if (c.first >= c.end)
        return GB_OK;
    int64_t key = gb_video_key_before(s->video, c.packet);
    if (key != c.packet)
        GB_TRY(gb_lerobot_drift(r, s->video_path,
                                "episode %lld begins between key frames: %lld frames before it are "
                                "kept, at times below 0",
                                (long long)episode->index, (long long)(c.packet - key)));
    c.packet = key;
    return append(r, s, recording, &c);
}

gb_status gb_lerobot_videos_emit(gb_lerobot_reading *r,
                                 const gb_lerobot_episode *episode,
                                 int recording,
                                 int64_t rows)
{
    for (int i = 0; i < r->stream_count; i++)
        if (r->streams[i].feature->is_video && r->streams[i].video && r->streams[i].number >= 0)
            GB_TRY(emit(r, episode, &r->streams[i], recording, rows));
    return GB_OK;
}

void gb_lerobot_videos_close(gb_lerobot_reading *r)
{
    for (int i = 0; i < r->stream_count; i++) {
        gb_video_close(r->streams[i].video);
        r->streams[i].video = NULL;
    }
}
