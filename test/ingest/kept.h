/* For tests of readers: a sink that keeps every byte handed to it, in the file's own types, and a
 * short way to run a reader by a map given as text. */
#ifndef TEST_INGEST_KEPT_H
#define TEST_INGEST_KEPT_H

#include "ingest/run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    CAPTURE_STREAMS = 32,
    CAPTURE_RECORDINGS = 256
};

typedef struct captured_stream {
    char name[128], unit[64], encoding[32], source[128];
    gb_stream_spec spec; /* pointers in it are not valid any more */
    int64_t count;
    int64_t *time_ns;
    unsigned char *bytes; /* values, or runs end to end */
    size_t size, value_bytes;
    int64_t *ends; /* of runs, in bytes */
    uint8_t *quality, *reason;
} captured_stream;

typedef struct captured_recording {
    char name[256], instruction[128], outcome[64], pairs[2048];
    captured_stream streams[CAPTURE_STREAMS];
    int stream_count;
    bool ended;
    size_t attached_bytes;
    int attachments;
} captured_recording;

typedef struct capture {
    gb_sink sink;
    captured_recording *recordings; /* [CAPTURE_RECORDINGS] */
    int count;
} capture;

static gb_status capture_begin(gb_sink *sink, const gb_recording_info *info, int *out)
{
    capture *to = (capture *)sink;
    if (to->count == CAPTURE_RECORDINGS)
        return gb_fail(GB_ERR_MEMORY, "the test keeps %d recordings", CAPTURE_RECORDINGS);
    captured_recording *r = &to->recordings[to->count];
    snprintf(r->name, sizeof r->name, "%s", info->name);
    snprintf(r->instruction, sizeof r->instruction, "%s",
             info->instruction ? info->instruction : "");
    snprintf(r->outcome, sizeof r->outcome, "%s", info->outcome ? info->outcome : "");
    for (int i = 0; i < info->pair_count; i++) {
        size_t used = strlen(r->pairs);
        snprintf(r->pairs + used, sizeof r->pairs - used, "%s=%s;", info->pairs[i].key,
                 info->pairs[i].value);
    }
    *out = to->count++;
    return GB_OK;
}

static gb_status capture_stream(gb_sink *sink, int recording, const gb_stream_spec *spec, int *out)
{
    captured_recording *r = &((capture *)sink)->recordings[recording];
    assert_true(r->stream_count < CAPTURE_STREAMS);
    captured_stream *s = &r->streams[r->stream_count];
    s->spec = *spec;
    snprintf(s->name, sizeof s->name, "%s", spec->name);
    snprintf(s->unit, sizeof s->unit, "%s", spec->unit);
    snprintf(s->encoding, sizeof s->encoding, "%s", spec->encoding);
    const char *source = gb_pair_find(spec->pairs, spec->pair_count, "source");
    snprintf(s->source, sizeof s->source, "%s", source ? source : "");
    s->value_bytes = (size_t)gb_stream_spec_size(spec) * gb_value_type_bytes(spec->value_type);
    *out = r->stream_count++;
    return GB_OK;
}

static void *grown(void *memory, size_t bytes)
{
    void *more = realloc(memory, bytes + 1);
    assert_non_null(more);
    return more;
}

static void capture_runs(captured_stream *s, const gb_samples *samples)
{
    s->ends = grown(s->ends, (size_t)(s->count + samples->count) * sizeof *s->ends);
    for (int64_t i = 0; i < samples->count; i++) {
        s->bytes = grown(s->bytes, s->size + samples->run_sizes[i]);
        memcpy(s->bytes + s->size, samples->runs[i], samples->run_sizes[i]);
        s->size += samples->run_sizes[i];
        s->ends[s->count + i] = (int64_t)s->size;
    }
}

static gb_status capture_append(gb_sink *sink, int recording, int stream, const gb_samples *samples)
{
    captured_stream *s = &((capture *)sink)->recordings[recording].streams[stream];
    size_t all = (size_t)(s->count + samples->count), more = (size_t)samples->count;
    s->time_ns = grown(s->time_ns, all * sizeof *s->time_ns);
    s->quality = grown(s->quality, all);
    s->reason = grown(s->reason, all);
    memcpy(s->time_ns + s->count, samples->time_ns, more * sizeof *s->time_ns);
    for (size_t i = 0; i < more; i++) {
        s->quality[(size_t)s->count + i] = samples->quality ? samples->quality[i] : 0;
        s->reason[(size_t)s->count + i] = samples->reason ? samples->reason[i] : 0;
    }
    if (s->spec.value_type == GB_VALUE_BYTES) {
        capture_runs(s, samples);
    } else {
        s->bytes = grown(s->bytes, s->size + more * s->value_bytes);
        memcpy(s->bytes + s->size, samples->values, more * s->value_bytes);
        s->size += more * s->value_bytes;
    }
    s->count += samples->count;
    return GB_OK;
}

static gb_status capture_attach(gb_sink *sink,
                                int recording,
                                const char *name,
                                const char *media_type,
                                const void *data,
                                size_t size)
{
    (void)name;
    (void)media_type;
    (void)data;
    captured_recording *r = &((capture *)sink)->recordings[recording];
    r->attachments++;
    r->attached_bytes += size;
    return GB_OK;
}

static gb_status capture_end(gb_sink *sink, int recording)
{
    ((capture *)sink)->recordings[recording].ended = true;
    return GB_OK;
}

static void capture_abandon(gb_sink *sink, int recording)
{
    (void)sink;
    (void)recording;
}

static void capture_destroy(gb_sink *sink)
{
    (void)sink;
}

static const gb_sink_ops capture_ops = {capture_begin,  capture_stream, capture_append,
                                        capture_attach, capture_end,    capture_abandon,
                                        capture_destroy};

static inline void capture_free(capture *c)
{
    for (int i = 0; i < c->count; i++)
        for (int k = 0; k < c->recordings[i].stream_count; k++) {
            captured_stream *s = &c->recordings[i].streams[k];
            free(s->time_ns);
            free(s->bytes);
            free(s->ends);
            free(s->quality);
            free(s->reason);
        }
    free(c->recordings);
    c->recordings = NULL;
}

/* Runs the map's reader over one file or folder. Free with capture_free, also after a failure. */
static inline gb_status capture_run(const gb_stream_map *map,
                                    const char *path,
                                    const gb_ingest_options *given,
                                    gb_ingest_report *report,
                                    capture *out)
{
    gb_ingest_options options;
    gb_ingest_watch nobody = {0};
    *out = (capture){.sink = {&capture_ops}};
    out->recordings = calloc(CAPTURE_RECORDINGS, sizeof *out->recordings);
    assert_non_null(out->recordings);
    assert_int_equal(gb_ingest_settle(given, &options), GB_OK);
    gb_source source = {.map = map,
                        .path = path,
                        .name = "file",
                        .options = &options,
                        .report = report,
                        .watch = &nobody,
                        .sink = &out->sink};
    return gb_reader_find(map->data->reader)->read(&source);
}

static inline gb_stream_map *map_of(const char *text)
{
    gb_stream_map *map = NULL;
    if (gb_stream_map_parse(text, strlen(text), "test.yaml", &map) != GB_OK)
        fail_msg("%s", gb_error_message());
    return map;
}

/* The same with the map as text; the report starts from zeros. */
static inline gb_status
capture_text(const char *map_text, const char *path, gb_ingest_report *report, capture *out)
{
    gb_stream_map *map = map_of(map_text);
    gb_ingest_report unread;
    report = report ? report : &unread;
    memset(report, 0, sizeof *report);
    gb_status status = capture_run(map, path, NULL, report, out);
    gb_stream_map_destroy(map);
    return status;
}

static inline const captured_stream *
find_captured(const capture *c, int recording, const char *name)
{
    const captured_recording *r = &c->recordings[recording];
    for (int i = 0; recording < c->count && i < r->stream_count; i++)
        if (strcmp(r->streams[i].name, name) == 0)
            return &r->streams[i];
    fail_msg("recording %d has no stream %s", recording, name);
    return NULL;
}

static inline const captured_stream *check_captured(
    const capture *c, int recording, const char *name, gb_stream_kind kind, gb_value_type type)
{
    const captured_stream *s = find_captured(c, recording, name);
    assert_string_equal(gb_stream_kind_name(s->spec.kind), gb_stream_kind_name(kind));
    assert_string_equal(gb_value_type_name(s->spec.value_type), gb_value_type_name(type));
    return s;
}

/* The map that a reader proposes for a file, parsed. */
static inline gb_stream_map *guessed_map(const char *path)
{
    gb_arena *arena = NULL;
    const char *yaml = NULL;
    gb_ingest_options options = gb_ingest_options_defaults();
    const gb_reader *reader = gb_reader_for_file(path);
    assert_non_null(reader);
    assert_int_equal(gb_arena_create(0, &arena), GB_OK);
    if (reader->guess(path, &options, arena, &yaml) != GB_OK)
        fail_msg("%s", gb_error_message());
    gb_stream_map *map = map_of(yaml);
    gb_arena_destroy(arena);
    return map;
}

/* False, and a line, when the library was built without this file's format. */
static inline bool reader_is_built(const char *path)
{
    gb_arena *arena = NULL;
    const char *yaml = NULL;
    gb_ingest_options options = gb_ingest_options_defaults();
    if (gb_arena_create(0, &arena) != GB_OK)
        return true;
    gb_status status = gb_reader_for_file(path)->guess(path, &options, arena, &yaml);
    gb_arena_destroy(arena);
    if (status == GB_ERR_UNSUPPORTED)
        printf("skipped: %s\n", gb_error_message());
    return status != GB_ERR_UNSUPPORTED;
}

/* BLAKE2b of the BLAKE2b of one stream's bytes in every recording, as text: what the Python lines
 * beside each constant compute. */
static inline void hash_captured(const capture *c, const char *stream, char *out)
{
    unsigned char *hashes = calloc((size_t)c->count + 1, GB_HASH_BYTES);
    assert_non_null(hashes);
    for (int i = 0; i < c->count; i++) {
        const captured_stream *s = find_captured(c, i, stream);
        gb_hash(s->bytes, s->size, hashes + (size_t)i * GB_HASH_BYTES);
    }
    unsigned char whole[GB_HASH_BYTES];
    gb_hash(hashes, (size_t)c->count * GB_HASH_BYTES, whole);
    gb_hash_hex(whole, out);
    free(hashes);
}

#endif
