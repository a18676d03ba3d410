/* Private to ingest: from arrays whose first dimension is time (HDF5 data sets, NumPy arrays) to
 * one recording. A format says which arrays there are and reads rows of them; which become streams,
 * their types, their times and the handing over in blocks are here, the same for all formats. */
#ifndef GENBA_INGEST_ARRAYS_H
#define GENBA_INGEST_ARRAYS_H

#include "ingest/guess_yaml.h"
#include "ingest/reader.h"

#define GB_ARRAY_BLOCK_BYTES ((int64_t)8 << 20) /* of all streams, handed over at a time */
#define GB_ARRAY_SAMPLE_BYTES_MAX ((int64_t)256 << 20)
#define GB_ARRAYS_MAX 65536 /* arrays looked at in one recording */

typedef struct gb_array {
    const char *path;     /* "obs/image": what a map calls it */
    gb_value_type type;   /* of the values as they are read; BYTES: runs */
    const char *encoding; /* of BYTES: "utf-8", "jpeg"; else "" */
    int64_t rows;
    int rank;                          /* of one sample */
    int64_t shape[GB_STREAM_RANK_MAX]; /* [rank], each >= 1 */
    int kind;                          /* gb_stream_kind that it is, or -1: found by its shape */
    int time_format;        /* gb_time_format when the file itself says it is a time, else -1 */
    int64_t block_rows;     /* rows best read together (a chunk); 0: any number */
    const char *unreadable; /* a constant: why it cannot be a stream; NULL: it can */
    const gb_pair *pairs;   /* [pair_count] facts that the stream takes along */
    int pair_count;
} gb_array;

typedef struct gb_arrays gb_arrays;

/* A cursor reads one array from front to back, in blocks; an array may have several. */
typedef struct gb_array_ops {
    gb_status (*open)(const gb_arrays *file, const gb_array *array, void **out_cursor);
    /* Rows [first, first + count) of numbers. */
    gb_status (*read)(void *cursor, int64_t first, int64_t count, void *values);
    /* The same of BYTES: runs [count] are borrowed until the cursor's next call. */
    gb_status (*read_runs)(
        void *cursor, int64_t first, int64_t count, const unsigned char **runs, size_t *sizes);
    /* All rows have been read: may say that a checksum is wrong. */
    gb_status (*finish)(void *cursor);
    void (*close)(void *cursor);
} gb_array_ops;

struct gb_arrays {
    const gb_array_ops *ops;
    void *context;        /* of the format */
    const gb_array *list; /* [count] */
    int count;
    double rate_hz; /* rows a second, when the file says it; 0: it does not */
};

/* One stream to be: which array, which values of its samples, as what. */
typedef struct gb_array_stream {
    const gb_array *array;
    gb_stream_spec spec;
    const int64_t *columns; /* [size] values picked of each sample; NULL: all of them */
} gb_array_stream;

typedef struct gb_array_plan {
    const gb_array *time; /* NULL: no clock */
    int64_t time_at;      /* which value of its samples */
    gb_time_format time_format;
    double period_s, rate_hz; /* rate_hz: without a clock; 0: unknown */
    int64_t rows;
    gb_array_stream *streams; /* [stream_count] */
    int stream_count;
} gb_array_plan;

/* Decides by the source's map, or, when it names no streams, takes every array with as many rows as
 * the time column, or as most arrays have. Arrays left out are named in the report. */
GB_MUST gb_status gb_arrays_plan(const gb_source *source,
                                 const gb_arrays *arrays,
                                 gb_arena *arena,
                                 gb_array_plan *out);

/* Reads the plan's rows into one recording called by `info`; at most row_limit of them (0: all).
 * done, all: bytes of the source before it and in all, for progress; the plan's share is `bytes`.
 */
typedef struct gb_array_progress {
    int64_t done, bytes, all;
} gb_array_progress;
GB_MUST gb_status gb_arrays_emit(const gb_source *source,
                                 const gb_arrays *arrays,
                                 const gb_array_plan *plan,
                                 const gb_recording_info *info,
                                 int64_t row_limit,
                                 const gb_array_progress *progress);

/* Writes `streams:` with every array of so many rows, and the others as a comment. */
void gb_arrays_put_guess(gb_yaml_out *out, const gb_arrays *arrays, int64_t rows);

/* The path of an array of numbers called like a clock, or NULL; and the map's line for it. */
const char *gb_arrays_guess_time(const gb_arrays *arrays, int64_t rows);
void gb_arrays_put_time(gb_yaml_out *out, const char *column);

/* What every guessed map begins with: name, reader, files (pattern, or NULL: all of the file's
 * ending). */
void gb_guess_put_head(gb_yaml_out *out, const char *path, const char *reader, const char *pattern);

/* Rows of most arrays (the greater number when two are as common); 0: no array can be a stream. */
int64_t gb_arrays_common_rows(const gb_arrays *arrays);

/* Adds a name that is not read, and why, to the report. */
void gb_report_left_out(gb_ingest_report *report, const char *name, const char *reason);

#endif
