/* The videos of a LeRobot episode: which files, which of their frames. */
#include "ingest/lerobot_read.h"

#include <stdlib.h>

struct gb_lerobot_videos {
    gb_lerobot_reading *reading;
};

gb_status gb_lerobot_videos_open(gb_lerobot_reading *reading,
                                 const gb_lerobot_episode *episode,
                                 int recording,
                                 gb_lerobot_videos **out)
{
    (void)recording;
    for (int s = 0; s < reading->stream_count; s++) {
        const gb_lerobot_feature *feature = reading->streams[s].feature;
        if (!feature->is_video)
            continue;
        gb_lerobot_place place = {episode->index, episode->chunk, episode->file, feature->name};
        const char *path = NULL;
        if (reading->set.version == 30) {
            const gb_lerobot_clip *clip = &episode->clips[feature - reading->set.features];
            place.chunk = clip->chunk;
            place.file = clip->file;
        }
        GB_TRY(gb_lerobot_file(&reading->set, reading->set.video_path, &place, &path));
        if (!gb_file_exists(path))
            reading->videos_absent++;
    }
    *out = NULL;
    return GB_OK;
}

gb_status gb_lerobot_videos_read(gb_lerobot_videos *videos, int64_t frames)
{
    (void)videos, (void)frames;
    return GB_OK;
}

void gb_lerobot_videos_close(gb_lerobot_videos *videos)
{
    free(videos);
}
