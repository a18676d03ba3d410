/* Private to ingest: reading a LeRobot data set, the parts of the reader that know of each other.
 */
#ifndef GENBA_INGEST_LEROBOT_READ_H
#define GENBA_INGEST_LEROBOT_READ_H

#include "ingest/lerobot.h"
#include "ingest/reader.h"
#include "record/video.h"

/* A feature that becomes a stream. */
typedef struct gb_lerobot_stream {
    const gb_lerobot_feature *feature;
    gb_stream_spec spec; /* value_type and encoding are set when the file is seen */
    bool optional;
    int number;             /* in the sink's open recording; -1: this episode lacks it */
    gb_video *video;        /* the file that is open; many episodes may lie in it (v3) */
    const char *video_path; /* its path, or of the last one that could not be opened */
    const gb_pair *video_pairs;
    int video_pair_count;
} gb_lerobot_stream;

/* What is to be read and where it goes. */
typedef struct gb_lerobot_reading {
    const gb_source *source;
    gb_lerobot set;
    gb_lerobot_stream *streams; /* [stream_count] */
    int stream_count;
    int64_t last_episode; /* -1: none yet */
    int64_t videos_absent;
    int64_t bytes_done, bytes_all;
} gb_lerobot_reading;

/* The streams that the map names, or all features: lerobot_plan.c. */
GB_MUST gb_status gb_lerobot_plan(gb_lerobot_reading *reading);
/* Reads one data file, which holds one episode (v2.1) or several (v3), into the sink's recordings:
 * lerobot_rows.c. */
GB_MUST gb_status gb_lerobot_read_rows(gb_lerobot_reading *reading, const char *path);

/* The videos of an episode, lerobot_video.c. Declares a stream for each file that is there and can
 * be read; what is not is counted, or drift. */
GB_MUST gb_status gb_lerobot_videos_declare(gb_lerobot_reading *reading,
                                            const gb_lerobot_episode *episode,
                                            int recording);
/* Hands over the episode's frames; `rows` is how many there should be. */
GB_MUST gb_status gb_lerobot_videos_emit(gb_lerobot_reading *reading,
                                         const gb_lerobot_episode *episode,
                                         int recording,
                                         int64_t rows);
void gb_lerobot_videos_close(gb_lerobot_reading *reading);

/* Tells the watch; nobody may be listening. */
GB_MUST gb_status gb_lerobot_drift(const gb_lerobot_reading *reading,
                                   const char *file,
                                   const char *format,
                                   ...) GB_PRINTF(3, 4);
void gb_lerobot_left_out(gb_lerobot_reading *reading, const char *name, const char *reason);

#endif
