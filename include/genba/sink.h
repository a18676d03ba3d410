/* genba/sink.h: the one way samples flow. Whatever reads (a CSV file, an MCAP file, a broker) hands
 * samples to a *sink*; whatever takes samples is one: a dataset in memory, an MCAP file, a store, a
 * filter that cleans or anonymises and hands on to the next sink. Room: record, floor 1.
 *
 * A sink is used by one thread at a time. Memory is bounded by what is being handed over: nobody
 * needs a whole recording at once but a dataset in memory. */
#ifndef GENBA_SINK_H
#define GENBA_SINK_H

#include "genba/record.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A batch of samples of one stream; everything is borrowed for the length of the call. */
typedef struct gb_samples {
    int64_t count;
    const int64_t *time_ns;           /* [count] */
    const void *values;               /* [count x size] of the spec's value_type; NULL for BYTES */
    const unsigned char *const *runs; /* BYTES: [count] where each sample begins */
    const size_t *run_sizes;          /* BYTES: [count] bytes of each */
    const uint8_t *quality;           /* [count] of gb_quality, NULL: all good */
    const uint8_t *reason;            /* [count] of gb_reason, NULL: none */
    const int64_t *row; /* [count] where each stands in its source: the row of a table, the message
                           of a log; 1 is the first. NULL: unknown */
} gb_samples;

typedef struct gb_sink gb_sink;

/* What a sink does; every entry is set. Several recordings may be open at once (rows of many
 * machines in one file); *out_recording and *out_stream are numbers to use with this sink. Times of
 * a stream come in the order of the source. On failure of any call the caller abandons. */
typedef struct gb_sink_ops {
    gb_status (*begin)(gb_sink *sink, const gb_recording_info *info, int *out_recording);
    gb_status (*stream)(gb_sink *sink, int recording, const gb_stream_spec *spec, int *out_stream);
    gb_status (*append)(gb_sink *sink, int recording, int stream, const gb_samples *samples);
    /* A file that belongs to the recording: a calibration, a map, a drawing. */
    gb_status (*attach)(gb_sink *sink,
                        int recording,
                        const char *name,
                        const char *media_type,
                        const void *data,
                        size_t size);
    gb_status (*end)(gb_sink *sink, int recording); /* it is whole; its number is free again */
    void (*abandon)(gb_sink *sink, int recording);  /* forget it; its number is free again */
    void (*destroy)(gb_sink *sink); /* abandons what is open; a filter does not destroy the next */
} gb_sink_ops;

struct gb_sink {
    const gb_sink_ops *ops; /* the first member of every sink */
};

/* The calls, checked: they forward to ops. */
GB_API GB_MUST gb_status gb_sink_begin(gb_sink *sink,
                                       const gb_recording_info *info,
                                       int *out_recording);
GB_API GB_MUST gb_status gb_sink_stream(gb_sink *sink,
                                        int recording,
                                        const gb_stream_spec *spec,
                                        int *out_stream);
GB_API GB_MUST gb_status gb_sink_append(gb_sink *sink,
                                        int recording,
                                        int stream,
                                        const gb_samples *samples);
GB_API GB_MUST gb_status gb_sink_attach(gb_sink *sink,
                                        int recording,
                                        const char *name,
                                        const char *media_type,
                                        const void *data,
                                        size_t size);
GB_API GB_MUST gb_status gb_sink_end(gb_sink *sink, int recording);
GB_API void gb_sink_abandon(gb_sink *sink, int recording);
GB_API void gb_sink_destroy(gb_sink *sink); /* NULL is fine */

/* Recordings that end are added to the dataset (borrowed). Numbers become float there, except
 * pictures of value_type U8; BYTES stay as they are; attachments are dropped. */
GB_API GB_MUST gb_status gb_dataset_sink_create(gb_dataset *dataset, gb_sink **out);

/* Hands a recording in memory to a sink, begin to end. */
GB_API GB_MUST gb_status gb_recording_emit(const gb_recording *recording, gb_sink *sink);

/* ---- recording files (MCAP; schemas in src/record/schema, docs/record.md) ------------ */

typedef enum gb_compression {
    GB_COMPRESSION_NONE,
    GB_COMPRESSION_LZ4,
    GB_COMPRESSION_ZSTD
} gb_compression;

typedef struct gb_recording_file_options {
    gb_compression compression; /* default zstd */
    int level;                  /* of zstd; default 1 */
    size_t chunk_bytes;         /* of a chunk before compression; default 1 MiB */
    gb_pool *pool;              /* chunks are compressed side by side; NULL: on the caller */
} gb_recording_file_options;

GB_API gb_recording_file_options gb_recording_file_options_defaults(void);

/* Each recording becomes folder/NAME.mcap ('/' in names makes folders), whole or not at all.
 * options may be NULL. */
GB_API GB_MUST gb_status gb_recording_folder_sink_create(const char *folder,
                                                         const gb_recording_file_options *options,
                                                         gb_sink **out);
/* Reads a recording file that genba wrote into a sink, begin to end. NULL names: all streams; else
 * only those of names [name_count]. Attachments are handed on. GB_ERR_MISMATCH: an MCAP file of
 * another program (gb_ingest_file reads those). */
GB_API GB_MUST gb_status gb_recording_file_emit(const char *path,
                                                const char *const *names,
                                                int name_count,
                                                gb_sink *sink);
/* The same into memory. */
GB_API GB_MUST gb_status gb_recording_file_load(const char *path, gb_recording **out);

#ifdef __cplusplus
}
#endif
#endif
