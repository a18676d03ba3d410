/* Private to ingest: writing a LeRobot data set, the parts of the writer that know of each other.
 *
 *     lerobot_take.c      a sink: gathers a recording, hands it over when it ends
 *     lerobot_features.c  from its streams to features
 *     lerobot_write.c     an episode: its grid of rows, its files
 *     lerobot_frames.c    its pictures, into MP4
 *     lerobot_stats.c     statistics
 *     lerobot_meta.c      what stands in meta/ */
#ifndef GENBA_INGEST_LEROBOT_WRITE_H
#define GENBA_INGEST_LEROBOT_WRITE_H

#include "genba/ingest.h"
#include "ingest/parquet_write.h"
#include "record/video_write.h"

/* ---- what was taken: one stream, one recording ---- */

typedef struct gb_taken_stream {
    gb_stream_spec spec;
    int64_t size, count;
    int64_t *time_ns;      /* [count] */
    unsigned char *values; /* [count x size] of the value type, or runs end to end */
    int64_t *offset;       /* BYTES: [count + 1] */
    size_t time_room, value_room, offset_room, value_bytes;
    bool ordered;
} gb_taken_stream;

typedef struct gb_taken {
    gb_arena *arena;
    gb_recording_info info;
    gb_taken_stream *streams; /* [stream_count] */
    int stream_count;
    size_t stream_room;
} gb_taken;

/* ---- features ---- */

#define GB_LEROBOT_STATS 9 /* min max mean std q01 q10 q50 q90 q99; and the count */
extern const char *const gb_lerobot_stat_names[GB_LEROBOT_STATS];

typedef struct gb_lerobot_stats {
    double *values; /* [GB_LEROBOT_STATS x size] */
    int64_t size, count;
} gb_lerobot_stats;

/* One column of the data set, or one video. */
typedef struct gb_lerobot_column {
    const char *name, *dtype; /* "action", "float32"; "video" */
    gb_value_type type;
    bool is_bool, is_text, is_video, is_whole;
    int rank;
    int64_t shape[GB_STREAM_RANK_MAX], size;
    const char *const *labels; /* [size], or NULL */
    const char **parts;        /* [part_count] the streams it is made of, side by side */
    int part_count;
    int field;                /* of the data file; -1: a video */
    gb_lerobot_stats episode; /* of the last one */
    gb_lerobot_stats all;     /* of all so far */
    double *spread;           /* [size] sum of squares around the mean of all */
    /* videos */
    gb_video_writer *writer;
    int width, height;
    char codec[16];               /* of the open file */
    unsigned char extradata[256]; /* of packets in it */
    size_t extradata_size;
    bool as_it_is; /* packets, not pictures */
    int reorder;
    int64_t chunk, file; /* of the open file, or of the next */
    double from_s, to_s; /* the last episode's place in it */
    int64_t episode_chunk, episode_file;
} gb_lerobot_column;

/* The bookkeeping columns follow the features. */
enum {
    GB_LEROBOT_TIMESTAMP,
    GB_LEROBOT_FRAME,
    GB_LEROBOT_EPISODE,
    GB_LEROBOT_INDEX,
    GB_LEROBOT_TASK,
    GB_LEROBOT_BOOKS
};

/* ---- the export ---- */

typedef struct gb_lerobot_export {
    char *folder, *robot_type, *video_codec;
    gb_lerobot_options options;
    gb_arena *arena;
    double fps;
    gb_lerobot_column *columns; /* [column_count], the last GB_LEROBOT_BOOKS are bookkeeping */
    int column_count;
    bool planned;
    bool broken; /* an episode was left half written: nothing can follow */
    gb_parquet_writer *data, *episodes;
    int64_t data_chunk, data_file;
    int64_t episode_count, frame_count;
    const char **tasks; /* [task_count] */
    size_t task_count, task_room;
    /* the episode being written */
    const gb_taken *taken;
    int64_t rows, first_ns;
    int64_t *task_of;    /* [rows] */
    int64_t *pick;       /* [rows] of the stream at hand: its sample in each row, -1 none */
    unsigned char *side; /* [rows x size] of the column at hand */
    size_t task_of_room, pick_room, side_room;
} gb_lerobot_export;

/* Decides on features by the first recording. */
GB_MUST gb_status gb_lerobot_plan_columns(gb_lerobot_export *e, const gb_taken *taken);
/* GB_ERR_MISMATCH: another recording that does not have them, or has more. */
GB_MUST gb_status gb_lerobot_check_columns(const gb_lerobot_export *e, const gb_taken *taken);
const gb_taken_stream *gb_lerobot_find_taken(const gb_taken *taken, const char *name);
/* Pictures, whatever they are compressed with? */
bool gb_lerobot_is_picture(const gb_stream_spec *spec);
/* The stream of instructions within an episode ("task"), which becomes task_index. */
bool gb_lerobot_is_task(const gb_stream_spec *spec);

/* Writes a whole recording as the next episode. */
GB_MUST gb_status gb_lerobot_write_episode(gb_lerobot_export *e, const gb_taken *taken);
/* Fills e->pick for a stream. */
GB_MUST gb_status gb_lerobot_pick(gb_lerobot_export *e, const gb_taken_stream *stream);
/* Writes the pictures that e->pick chose, and their statistics. */
GB_MUST gb_status gb_lerobot_write_frames(gb_lerobot_export *e,
                                          gb_lerobot_column *column,
                                          const gb_taken_stream *stream);
/* Ends a video's file; nothing when none is open. */
GB_MUST gb_status gb_lerobot_end_video(gb_lerobot_export *e, gb_lerobot_column *column);
/* The next file's number: chunk, file. */
void gb_lerobot_step(const gb_lerobot_export *e, int64_t *chunk, int64_t *file);

/* Statistics of values [rows x size] of a type, all of them. */
GB_MUST gb_status gb_lerobot_measure(gb_lerobot_column *column,
                                     gb_value_type type,
                                     const void *values,
                                     int64_t rows);
/* The same of pictures: each [height x width x 3] is looked at, every `step`-th pixel each way. */
typedef struct gb_lerobot_colours gb_lerobot_colours;
GB_MUST gb_status gb_lerobot_colours_create(gb_lerobot_colours **out);
void gb_lerobot_colours_add(gb_lerobot_colours *colours,
                            const unsigned char *rgb,
                            int64_t width,
                            int64_t height);
void gb_lerobot_colours_end(gb_lerobot_colours *colours, gb_lerobot_column *column);
void gb_lerobot_colours_destroy(gb_lerobot_colours *colours);
/* Adds the last episode's to those of all. */
void gb_lerobot_add_stats(gb_lerobot_column *column);
GB_MUST gb_status gb_lerobot_stats_room(gb_arena *arena, gb_lerobot_column *column);

/* One row of meta/episodes; opens the table with the first. */
GB_MUST gb_status gb_lerobot_put_episode(gb_lerobot_export *e,
                                         int64_t data_chunk,
                                         int64_t data_file,
                                         const int64_t *tasks,
                                         int64_t task_count);
/* meta/episodes, tasks, stats, info. */
GB_MUST gb_status gb_lerobot_write_meta(gb_lerobot_export *e);
/* Key-value texts of data files: the features as Hugging Face's datasets describe them. */
GB_MUST gb_status gb_lerobot_hugging_face(const gb_lerobot_export *e, const char **out);

#endif
