/* A sink for tests that keeps every sample as it came, bit for bit. */
#ifndef TEST_RECORD_COLLECT_H
#define TEST_RECORD_COLLECT_H

#include "genba/sink.h"
#include "record/stream.h"

#include <stdlib.h>
#include <string.h>

typedef struct collect_stream {
    gb_stream_spec spec;
    int64_t count;
    int64_t *time_ns;
    unsigned char *bytes; /* values or runs, end to end */
    size_t size;
    size_t *ends; /* [count] of each sample in bytes */
    uint8_t *quality, *reason;
} collect_stream;

typedef struct collect_sink {
    gb_sink sink;
    gb_arena *arena;
    gb_recording_info info; /* of the last recording */
    collect_stream streams[64];
    int count, ended, attachments;
    char attached[64];
} collect_sink;

static inline gb_status
collect_begin(gb_sink *sink, const gb_recording_info *info, int *out_recording)
{
    collect_sink *to = (collect_sink *)sink;
    *out_recording = 0;
    return gb_recording_info_copy(to->arena, info, &to->info);
}

static inline gb_status
collect_stream_of(gb_sink *sink, int recording, const gb_stream_spec *spec, int *out_stream)
{
    collect_sink *to = (collect_sink *)sink;
    (void)recording;
    *out_stream = to->count;
    return gb_stream_spec_copy(to->arena, spec, &to->streams[to->count++].spec);
}

static inline gb_status
collect_append(gb_sink *sink, int recording, int stream, const gb_samples *samples)
{
    collect_stream *to = &((collect_sink *)sink)->streams[stream];
    size_t each = (size_t)gb_stream_spec_size(&to->spec) * gb_value_type_bytes(to->spec.value_type);
    (void)recording;
    for (int64_t i = 0; i < samples->count; i++) {
        size_t n = (size_t)to->count, size = each ? each : samples->run_sizes[i];
        const unsigned char *from =
            each ? (const unsigned char *)samples->values + (size_t)i * each : samples->runs[i];
        if ((n & (n - 1)) == 0) { /* room doubles */
            size_t room = n ? 2 * n : 1;
            to->time_ns = realloc(to->time_ns, room * sizeof *to->time_ns);
            to->ends = realloc(to->ends, room * sizeof *to->ends);
            to->quality = realloc(to->quality, room);
            to->reason = realloc(to->reason, room);
        }
        to->bytes = realloc(to->bytes, to->size + size + 1);
        if (!to->time_ns || !to->ends || !to->quality || !to->reason || !to->bytes)
            return gb_fail(GB_ERR_MEMORY, "no memory to collect");
        if (size > 0)
            memcpy(to->bytes + to->size, from, size);
        to->size += size;
        to->ends[n] = to->size;
        to->time_ns[n] = samples->time_ns[i];
        to->quality[n] = samples->quality ? samples->quality[i] : 0;
        to->reason[n] = samples->reason ? samples->reason[i] : 0;
        to->count++;
    }
    return GB_OK;
}

static inline gb_status collect_attach(gb_sink *sink,
                                       int recording,
                                       const char *name,
                                       const char *media_type,
                                       const void *data,
                                       size_t size)
{
    collect_sink *to = (collect_sink *)sink;
    (void)recording;
    (void)media_type;
    to->attachments++;
    memcpy(to->attached, name, strlen(name) + 1);
    if (size < 32)
        memcpy(to->attached + 32, data, size);
    return GB_OK;
}

static inline gb_status collect_end(gb_sink *sink, int recording)
{
    (void)recording;
    ((collect_sink *)sink)->ended++;
    return GB_OK;
}

static inline void collect_abandon(gb_sink *sink, int recording)
{
    (void)sink;
    (void)recording;
}

static inline void collect_destroy(gb_sink *sink)
{
    collect_sink *to = (collect_sink *)sink;
    for (int i = 0; i < to->count; i++) {
        free(to->streams[i].time_ns);
        free(to->streams[i].bytes);
        free(to->streams[i].ends);
        free(to->streams[i].quality);
        free(to->streams[i].reason);
    }
    gb_arena_destroy(to->arena);
    free(to);
}

static inline collect_sink *collect_create(void)
{
    static const gb_sink_ops ops = {collect_begin,  collect_stream_of, collect_append,
                                    collect_attach, collect_end,       collect_abandon,
                                    collect_destroy};
    collect_sink *sink = calloc(1, sizeof *sink);
    if (sink)
        sink->sink.ops = &ops;
    if (!sink || gb_arena_create(0, &sink->arena) != GB_OK)
        abort();
    return sink;
}

#endif
