/* Private to ingest: a LeRobot data set's folder, versions 2.1 and 3.0
 * (https://huggingface.co/docs/lerobot/lerobot-dataset-v3). What the folder says of itself is read
 * here; rows and pictures are lerobot_read.c.
 *
 *     meta/info.json        features, fps, where the files are
 *     meta/tasks            .jsonl (v2.1) or .parquet (v3): what was asked for, in words
 *     meta/episodes         .jsonl (v2.1) or a folder of Parquet files (v3): length, tasks, files
 *     data/, videos/        one file an episode (v2.1), or files of many episodes (v3) */
#ifndef GENBA_INGEST_LEROBOT_H
#define GENBA_INGEST_LEROBOT_H

#include "genba/record.h"

typedef struct gb_lerobot_feature {
    const char *name, *dtype; /* "observation.state", "float32" */
    bool is_video;            /* frames in MP4 files */
    bool is_image;            /* files (PNG) in the rows */
    bool is_bookkeeping;      /* timestamp, frame_index, ...: no stream of its own */
    int rank;
    int64_t shape[GB_STREAM_RANK_MAX];
    int64_t size;
    const char *const *labels; /* [size], or NULL */
} gb_lerobot_feature;

/* Where an episode's frames are in a video file of several (v3). */
typedef struct gb_lerobot_clip {
    int64_t chunk, file;
    double from_s, to_s;
} gb_lerobot_clip;

typedef struct gb_lerobot_episode {
    int64_t index, length;
    int64_t chunk, file;    /* of its rows (v3) */
    int64_t first_row;      /* its `index` begins here (v3); -1 unknown */
    const char *task;       /* the first of its tasks; NULL: only task_index tells */
    int64_t tasks;          /* how many it has */
    gb_lerobot_clip *clips; /* [feature_count]; v3, of features that are videos */
} gb_lerobot_episode;

typedef struct gb_lerobot {
    const char *root;
    int version; /* 21 or 30 */
    const char *codebase, *robot_type, *data_path, *video_path;
    double fps;
    int64_t chunk_size;                 /* episodes in a chunk (v2.1) */
    const gb_lerobot_feature *features; /* [feature_count] */
    int feature_count;
    const gb_lerobot_episode *episodes; /* [episode_count], index rising */
    int64_t episode_count;
    const char *const *tasks; /* [task_count], NULL where there is none of that number */
    int64_t task_count;
    gb_arena *arena;
} gb_lerobot;

/* root: the folder that holds meta/. GB_ERR_UNSUPPORTED: another version. All is in the arena. */
GB_MUST gb_status gb_lerobot_open(const char *root, gb_arena *arena, gb_lerobot *out);

/* What fills a file template's braces: {episode_chunk:03d}, {chunk_index:03d}, {file_index:03d},
 * {episode_index:06d}, {video_key}. */
typedef struct gb_lerobot_place {
    int64_t episode, chunk, file;
    const char *video_key;
} gb_lerobot_place;

/* root/TEMPLATE filled in; GB_ERR_SCHEMA: braces that mean nothing, or a path that leaves the
 * folder. */
GB_MUST gb_status gb_lerobot_file(const gb_lerobot *set,
                                  const char *form,
                                  const gb_lerobot_place *place,
                                  const char **out);
/* The episode of that index, or NULL. */
const gb_lerobot_episode *gb_lerobot_find_episode(const gb_lerobot *set, int64_t index);
/* Time of a frame in its episode: frame / fps, to the nanosecond. */
int64_t gb_lerobot_frame_ns(const gb_lerobot *set, int64_t frame);

/* lerobot_tables.c: tasks and episodes, of either version, into the set. */
GB_MUST gb_status gb_lerobot_read_tables(gb_lerobot *set);

#endif
