/* genba/ingest.h: from the files people have to recordings. Floor 2: needs record and base.
 *
 * A *reader* knows one file format. A *stream map* (YAML, docs/ingest.md) says which columns of
 * which files become which streams; without one, a CSV file's layout is guessed. Reading is
 * streaming: memory is what the recordings need plus one line. On failure nothing half-built is
 * handed out.
 *
 * Functions here may run in several threads at once on different outputs; a map is read-only. */
#ifndef GENBA_INGEST_H
#define GENBA_INGEST_H

#include "genba/store.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- readers -------------------------------------------------------------------------------- */
GB_API int gb_reader_count(void);
GB_API const char *gb_reader_name(int reader); /* "csv"; NULL out of range */

/* ---- report: what was read, and what was wrong with it -------------------------------------- */
#define GB_TIME_FORMAT_LIST(X)                                                                     \
    X(GB_TIME_FORMAT_NONE, "none")           /* no time: row number x period                  */   \
    X(GB_TIME_FORMAT_DATETIME, "datetime")   /* 2016-07-01 00:15:00[.fff][Z|+hh:mm], ISO 8601 */   \
    X(GB_TIME_FORMAT_DAY_FIRST, "day_first") /* 31.12.2016 or 31/12/2016, then as above       */   \
    X(GB_TIME_FORMAT_MONTH_FIRST, "month_first") /* 12/31/2016, then as above                 */   \
    X(GB_TIME_FORMAT_EPOCH_S, "epoch_s") /* since 1970, fractions allowed in all of these */       \
    X(GB_TIME_FORMAT_EPOCH_MS, "epoch_ms")                                                         \
    X(GB_TIME_FORMAT_EPOCH_US, "epoch_us")                                                         \
    X(GB_TIME_FORMAT_EPOCH_NS, "epoch_ns")                                                         \
    X(GB_TIME_FORMAT_SECONDS, "seconds") /* since the start                                   */   \
    X(GB_TIME_FORMAT_ROW, "row")         /* a counter in a column, times period               */

typedef enum gb_time_format {
#define GB_TIME_FORMAT_ENUM(name, text) name,
    GB_TIME_FORMAT_LIST(GB_TIME_FORMAT_ENUM)
#undef GB_TIME_FORMAT_ENUM
    GB_TIME_FORMAT_COUNT
} gb_time_format;

GB_API const char *gb_time_format_name(gb_time_format format);

#define GB_INGEST_EXAMPLES 16
#define GB_INGEST_LEFT_OUT 64
#define GB_INGEST_TEXT 64

typedef struct gb_ingest_example {
    int64_t row;               /* 1 = the first row of the file, the header included */
    int64_t column;            /* 1 = the first column; 0 = the whole row */
    char name[GB_INGEST_TEXT]; /* the column's name, cut to fit */
    char text[GB_INGEST_TEXT]; /* what was found, cut to fit */
    const char *expected;      /* a constant: "a number" */
} gb_ingest_example;

typedef struct gb_ingest_left_out {
    char name[GB_INGEST_TEXT];
    const char *reason; /* a constant: "text, not numbers" */
} gb_ingest_left_out;

/* The law of one device's clock, found and applied: time of the reference = time of the device +
 * offset + rate x (time of the device since its first sample). */
#define GB_INGEST_CLOCKS 16
typedef struct gb_ingest_clock {
    char device[GB_INGEST_TEXT];
    double offset_s, rate;   /* rate: seconds per second; 5e-6 is 5 ppm */
    double residual_s;       /* robust sigma of what the law leaves */
    int64_t windows, resets; /* the law is a line through so many windows; the device restarted */
} gb_ingest_clock;

/* Plain data, summed over all files read into it. rows_read = rows_stored + rows_rejected. */
typedef struct gb_ingest_report {
    int64_t files, bytes;
    int64_t rows_read, rows_stored, rows_rejected; /* data rows: neither header nor blank lines */
    int64_t cells_bad;          /* not what the column holds; stored as missing (tolerant) */
    int64_t cells_missing;      /* empty, or one of the words and sentinels for missing */
    int64_t cells_out_of_range; /* kept, quality BAD */
    int64_t time_repeated, time_backwards; /* rows, kept as UNCERTAIN or rejected, as mapped */
    int64_t rows_duplicated;               /* of time_repeated: every value repeats too */
    int64_t gaps, longest_gap_ns;          /* steps longer than the map's clean.gap_s */
    int64_t stuck_runs, longest_stuck;     /* runs of equal values; the longest in samples */
    int64_t reasons[GB_REASON_COUNT];      /* samples handed on with each reason */
    int clock_count;                       /* all are counted, the first are kept */
    gb_ingest_clock clocks[GB_INGEST_CLOCKS];
    int64_t period_ns; /* the median step between rows; 0 unknown */
    int64_t jitter_ns; /* the median of |step - period_ns| */
    int64_t longest_step_ns;
    int example_count; /* the first wrong cells and rows */
    gb_ingest_example examples[GB_INGEST_EXAMPLES];
    int left_out_count; /* columns not read; all of them are counted, the first are kept */
    gb_ingest_left_out left_out[GB_INGEST_LEFT_OUT];
    /* the last file's layout */
    char delimiter; /* ' ' means runs of spaces and tabs */
    bool decimal_comma, header, byte_order_mark;
    gb_time_format time_format;
    char time_column[GB_INGEST_TEXT]; /* "" none */
    /* of a folder read into a store */
    int64_t files_before; /* left: an earlier ingest by the same map has them */
    int64_t files_failed; /* not readable as the map says; the others were read */
    int64_t drifts;       /* ways in which files no longer fit their map */
} gb_ingest_report;

/* The report as lines of text, one call each; a count of 0 has no line but the rows' own.
 * A status other than GB_OK from visit stops and is returned. */
GB_API GB_MUST gb_status gb_ingest_report_lines(const gb_ingest_report *report,
                                                gb_status (*visit)(void *context, const char *line),
                                                void *context);

/* ---- stream maps ---------------------------------------------------------------------------- */
typedef struct gb_stream_map gb_stream_map;

/* GB_ERR_PARSE and GB_ERR_SCHEMA name the line, and the nearest key when one is unknown. */
GB_API GB_MUST gb_status gb_stream_map_load(const char *path, gb_stream_map **out);
/* The same from memory; `origin` stands for the file in messages. */
GB_API GB_MUST gb_status gb_stream_map_parse(const char *text,
                                             size_t size,
                                             const char *origin,
                                             gb_stream_map **out);
GB_API void gb_stream_map_destroy(gb_stream_map *map); /* NULL is fine */
GB_API const char *gb_stream_map_name(const gb_stream_map *map);
/* Puts other labels on what is read by the map; NULL keeps the map's own. */
GB_API GB_MUST gb_status gb_stream_map_label(gb_stream_map *map,
                                             const char *owner,
                                             const char *licence,
                                             const char *residency,
                                             const char *purpose);

/* ---- reading into memory --------------------------------------------------------------------- */
typedef enum gb_bad_cells {
    GB_BAD_CELLS_AS_MAPPED, /* what the map says; tolerant without one */
    GB_BAD_CELLS_STRICT,    /* the first wrong cell or row is an error */
    GB_BAD_CELLS_TOLERANT   /* a wrong cell is missing, a wrong row is rejected; both counted */
} gb_bad_cells;

typedef struct gb_ingest_options {
    gb_bad_cells bad_cells;
    size_t line_limit_bytes; /* longest row; default 16 MiB */
    int64_t row_limit;       /* stop after so many rows; 0 = all */
    double period_s;         /* step between rows of a file without time; default 1 */
    gb_pool *pool;           /* parses side by side; NULL: on the caller. Results are the same */
    int64_t segment_bytes;   /* of the source: longer files become recordings NAME/0000, NAME/0001,
                                ..., and can be gone on with after each; default 256 MiB */
} gb_ingest_options;

GB_API gb_ingest_options gb_ingest_options_defaults(void);

/* Proposes a stream map (YAML text in the arena) for a file nobody described, or for the files of a
 * folder that have their columns in common: at most the first 32 MiB of one file are looked at. The
 * text is for a person to read, correct and keep; comments in it say what is doubtful, and
 * gb_stream_map_parse reads it as it is. options may be NULL. */
GB_API GB_MUST gb_status gb_ingest_guess(const char *path,
                                         const gb_ingest_options *options,
                                         gb_arena *arena,
                                         const char **out_yaml);

/* Reads one file, or the files of a folder that the map's patterns match, cleaned, into any sink.
 * options and report may be NULL. */
GB_API GB_MUST gb_status gb_ingest_to_sink(const gb_stream_map *map,
                                           const char *path,
                                           const gb_ingest_options *options,
                                           gb_ingest_report *report,
                                           gb_sink *sink);

/* Reads one file by a map and appends its recordings to `dataset` (all or none). options and report
 * may be NULL; the report is added to, so start from a zeroed one; it is filled on failure too as
 * far as reading came. Errors name file, row, column, the text found and what was expected. */
GB_API GB_MUST gb_status gb_ingest_file(const gb_stream_map *map,
                                        const char *path,
                                        const gb_ingest_options *options,
                                        gb_ingest_report *report,
                                        gb_dataset *dataset);
/* Reads all files under `folder` that the map's patterns match, in the order of their paths, into a
 * new dataset. A folder given as a file reads that file. GB_ERR_NOT_FOUND: no file matches. */
GB_API GB_MUST gb_status gb_ingest_folder(const gb_stream_map *map,
                                          const char *folder,
                                          const gb_ingest_options *options,
                                          gb_ingest_report *report,
                                          gb_dataset **out);
/* ---- reading into a store ------------------------------------------------------------------- */
typedef struct gb_ingest_progress {
    const char *file; /* being read */
    int64_t files_done, files_all;
    int64_t bytes_done, bytes_all; /* of all files */
    double seconds, seconds_left;  /* since the start; NaN while unknown */
    double bytes_per_s;
} gb_ingest_progress;

/* Who is told; any function may be NULL. */
typedef struct gb_ingest_listener {
    void *context;
    void (*progress)(void *context, const gb_ingest_progress *progress);
    /* Something a person should know: drift from the map, a file left as it was, one not readable.
     */
    void (*note)(void *context, const char *file, const char *message);
    const volatile int *stop; /* not 0: stop at the next row, keeping what is read */
} gb_ingest_listener;

/* Reads a file, or all files under a folder that the map's patterns match, into a store: as
 * recordings MAP/FILE (a long file in segments MAP/FILE/0000, ...), each file whole or not at all.
 * A file that an earlier ingest by the same map has finished is left, one that was interrupted goes
 * on where it stopped. Tolerant: a file that cannot be read is said and counted, and the next one
 * read; if none could be, the last reason is the status. GB_ERR_INTERRUPTED: stopped on request. */
GB_API GB_MUST gb_status gb_ingest_into_store(const gb_stream_map *map,
                                              const char *path,
                                              const gb_ingest_options *options,
                                              const gb_ingest_listener *listener,
                                              gb_ingest_report *report,
                                              gb_store *store);

/* ---- recording live -------------------------------------------------------------------------- */
typedef struct gb_record_counts {
    int64_t messages, samples;
    int64_t duplicates;  /* samples left out: delivered before */
    int64_t reordered;   /* samples that came after a later one, and were put before it */
    int64_t late;        /* came too late for that: kept behind, quality uncertain */
    int64_t rejected;    /* messages that are not what their topic should carry; in STORE/rejects */
    int64_t lost;        /* messages that sequence numbers show as missing */
    int64_t unknown;     /* values whose alias no birth has declared yet */
    int64_t connections; /* 1, and one for each time the broker was found again */
    int64_t recordings;
} gb_record_counts;

typedef struct gb_record_options {
    const char *url; /* mqtt://[USER@]HOST[:PORT][/FILTER], mqtts:// with ca_file; filter "#" */
    const char *password_file; /* one line; NULL none */
    const char *ca_file;       /* certificates to trust with mqtts://; NULL: the system's */
    const char *name;          /* beginning of the recordings' names; NULL: the host's name */
    double segment_s;          /* a recording ends and the next begins; default 60 */
    double hold_s;             /* how long samples wait for earlier ones; default 2 */
    double seconds;            /* stop after so long; 0: when asked to */
} gb_record_options;

typedef struct gb_record_listener {
    void *context;
    void (*progress)(void *context, const gb_record_counts *counts, double seconds);
    void (*note)(void *context, const char *message); /* the broker is gone, is back, ... */
    const volatile int *stop;
} gb_record_listener;

GB_API gb_record_options gb_record_options_defaults(void);
/* Records what a broker publishes (MQTT 3.1.1, QoS 1, a session that outlives the connection) into
 * a store, until stopped: plain numbers, JSON (each value a stream named after topic and path) and
 * Sparkplug B (by names of births). map (may be NULL) chooses: source is the topic, or GROUP/NODE/
 * DEVICE of Sparkplug; field the path, or the metric. Times are the messages' own where they have
 * one. When the broker is lost it is looked for again; only the first connection may fail.
 * listener and counts may be NULL. GB_ERR_IO: no broker there; GB_ERR_UNSUPPORTED: built without.
 */
GB_API GB_MUST gb_status gb_record_mqtt(const gb_record_options *options,
                                        const gb_stream_map *map,
                                        const gb_record_listener *listener,
                                        gb_store *store,
                                        gb_record_counts *counts);

/* Reads a CSV file never seen before into one recording named after the file, by the map that
 * gb_ingest_guess would propose but for two things: only columns of numbers become streams, each a
 * scalar, and rows are not parted. Other columns are left out and named in the report. */
GB_API GB_MUST gb_status gb_ingest_csv_guess(const char *path,
                                             const gb_ingest_options *options,
                                             gb_ingest_report *report,
                                             gb_dataset **out);
/* Reads a text file into one recording named after the file, with one stream "text" (kind text)
 * whose samples are its bytes, 0..255. At most 256 MiB. */
GB_API GB_MUST gb_status gb_ingest_text(const char *path, gb_dataset **out);

/* ---- writing LeRobot data sets -----------------------------------------------------------------
 * A folder in the layout of LeRobot 3.0, for tools that read it. Recordings become episodes, in the
 * order in which they end; one is in memory at a time.
 *
 *     GB_TRY(gb_lerobot_export_begin("out", &options, &sink));
 *     ... hand recordings to the sink: gb_store_emit, gb_recording_emit, a reader ...
 *     GB_TRY(gb_lerobot_export_finish(sink));
 *
 * Rows are a time grid of `fps` from the first time at which all streams have a sample: each takes
 * the stream's last sample up to half a period later, so streams of that rate keep their samples
 * one to one. Names: a stream that came from LeRobot has its feature's name again; a lone action is
 * `action`; pictures are `observation.images.NAME`; when no stream is called `observation.state`,
 * all other numbers side by side are. Video packets of that rate go into MP4 as they are; other
 * pictures are encoded (with loss). Numbers keep their type; missing ones are NaN, or 0 in whole
 * numbers. Units, quality, reasons, attachments and labels (residency, licence) have no place in
 * the layout: whoever exports looks after those. */
typedef struct gb_lerobot_options {
    double fps;              /* 0: the rate of the first recording's action, or first stream */
    const char *robot_type;  /* NULL: the recording's own, or "unknown" */
    const char *video_codec; /* of pictures that are encoded: "av1", "h264"; NULL: what there is */
    bool videos;             /* default true; false: pictures are left out */
    int64_t data_file_bytes, video_file_bytes; /* begin a new file after; 100 and 500 MiB */
    int64_t chunk_files;                       /* files in a chunk; 1000 */
} gb_lerobot_options;

GB_API gb_lerobot_options gb_lerobot_options_defaults(void);
/* options may be NULL. GB_ERR_ARGUMENT: the folder holds a data set already. Ending a recording
 * fails with GB_ERR_MISMATCH when its streams make other features than the first one's,
 * GB_ERR_SHAPE when they never have a sample at one time. Destroying the sink instead of finishing
 * leaves a folder without meta/info.json, which is no data set. */
GB_API GB_MUST gb_status gb_lerobot_export_begin(const char *folder,
                                                 const gb_lerobot_options *options,
                                                 gb_sink **out);
/* Writes statistics, tasks, episodes and, last, meta/info.json; destroys the sink either way. */
GB_API GB_MUST gb_status gb_lerobot_export_finish(gb_sink *sink);

#ifdef __cplusplus
}
#endif
#endif
