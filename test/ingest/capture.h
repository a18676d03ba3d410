/* A sink that writes down what it is handed: one line of text a sample, recording by recording, so
 * that tests compare whole readings as text. */
#ifndef GENBA_TEST_INGEST_CAPTURE_H
#define GENBA_TEST_INGEST_CAPTURE_H

#include "genba/sink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAPTURE_RECORDINGS 256
#define CAPTURE_STREAMS 8

typedef struct capture_recording {
    char name[256];
    bool open, whole;
    int streams;
    gb_stream_spec spec[CAPTURE_STREAMS];
    char stream_name[CAPTURE_STREAMS][64];
    int64_t samples[CAPTURE_STREAMS];
    char *text[CAPTURE_STREAMS]; /* "time value,value reason\n" for each sample */
    size_t size[CAPTURE_STREAMS], room[CAPTURE_STREAMS];
} capture_recording;

typedef struct capture {
    gb_sink sink;
    int count;
    capture_recording recordings[CAPTURE_RECORDINGS];
} capture;

static inline gb_status
capture_begin(gb_sink *sink, const gb_recording_info *info, int *out_recording)
{
    capture *c = (capture *)sink;
    if (c->count == CAPTURE_RECORDINGS)
        return gb_fail(GB_ERR_ARGUMENT, "too many recordings for the test");
    capture_recording *r = &c->recordings[c->count];
    snprintf(r->name, sizeof r->name, "%s", info->name);
    r->open = true;
    *out_recording = c->count++;
    return GB_OK;
}

static inline gb_status
capture_stream(gb_sink *sink, int recording, const gb_stream_spec *spec, int *out_stream)
{
    capture_recording *r = &((capture *)sink)->recordings[recording];
    r->spec[r->streams] = *spec;
    snprintf(r->stream_name[r->streams], sizeof r->stream_name[0], "%s", spec->name);
    *out_stream = r->streams++;
    return GB_OK;
}

static inline void capture_write(capture_recording *r, int s, const char *text, size_t size)
{
    if (r->size[s] + size + 1 > r->room[s]) {
        r->room[s] = 2 * r->room[s] + size + 4096;
        r->text[s] = realloc(r->text[s], r->room[s]);
        if (!r->text[s])
            abort();
    }
    memcpy(r->text[s] + r->size[s], text, size);
    r->size[s] += size;
    r->text[s][r->size[s]] = 0;
}

static inline void capture_value(capture_recording *r, int s, gb_value_type type, const char *at)
{
    char text[64];
    int64_t whole = 0;
    double number = 0;
    float narrow = 0;
    if (type == GB_VALUE_F64)
        memcpy(&number, at, sizeof number);
    if (type == GB_VALUE_F32) {
        memcpy(&narrow, at, sizeof narrow);
        number = (double)narrow;
    }
    bool is_signed =
        type == GB_VALUE_I8 || type == GB_VALUE_I16 || type == GB_VALUE_I32 || type == GB_VALUE_I64;
    size_t bytes = gb_value_type_bytes(type);
    memcpy(&whole, at, bytes);
    if (is_signed && bytes < 8 && (whole >> (8 * bytes - 1)) != 0)
        whole -= (int64_t)1 << (8 * bytes);
    if (type == GB_VALUE_F64 || type == GB_VALUE_F32)
        snprintf(text, sizeof text, "%.17g,", number);
    else
        snprintf(text, sizeof text, "%lld,", (long long)whole);
    capture_write(r, s, text, strlen(text));
}

static inline gb_status
capture_append(gb_sink *sink, int recording, int s, const gb_samples *samples)
{
    capture_recording *r = &((capture *)sink)->recordings[recording];
    if (!r->open)
        return gb_fail(GB_ERR_ARGUMENT, "appended to a recording that is not open");
    gb_value_type type = r->spec[s].value_type;
    int64_t size = gb_stream_spec_size(&r->spec[s]);
    for (int64_t i = 0; i < samples->count; i++) {
        char text[96];
        snprintf(text, sizeof text, "%lld ", (long long)samples->time_ns[i]);
        capture_write(r, s, text, strlen(text));
        if (type == GB_VALUE_BYTES)
            capture_write(r, s, (const char *)samples->runs[i], samples->run_sizes[i]);
        for (int64_t v = 0; type != GB_VALUE_BYTES && v < size; v++)
            capture_value(r, s, type,
                          (const char *)samples->values +
                              (size_t)(i * size + v) * gb_value_type_bytes(type));
        snprintf(text, sizeof text, " %d %s\n", samples->quality ? samples->quality[i] : 0,
                 gb_reason_name((gb_reason)(samples->reason ? samples->reason[i] : 0)));
        capture_write(r, s, text, strlen(text));
    }
    r->samples[s] += samples->count;
    return GB_OK;
}

static inline gb_status capture_attach(gb_sink *sink,
                                       int recording,
                                       const char *name,
                                       const char *media_type,
                                       const void *data,
                                       size_t size)
{
    (void)sink, (void)recording, (void)name, (void)media_type, (void)data, (void)size;
    return GB_OK;
}

static inline gb_status capture_end(gb_sink *sink, int recording)
{
    capture_recording *r = &((capture *)sink)->recordings[recording];
    r->open = false;
    r->whole = true;
    return GB_OK;
}

static inline void capture_abandon(gb_sink *sink, int recording)
{
    ((capture *)sink)->recordings[recording].open = false;
}

static inline void capture_destroy(gb_sink *sink)
{
    capture *c = (capture *)sink;
    for (int i = 0; i < c->count; i++)
        for (int s = 0; s < CAPTURE_STREAMS; s++)
            free(c->recordings[i].text[s]);
    free(c);
}

static inline capture *capture_create(void)
{
    static const gb_sink_ops ops = {capture_begin, capture_stream,  capture_append, capture_attach,
                                    capture_end,   capture_abandon, capture_destroy};
    capture *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    c->sink.ops = &ops;
    return c;
}

/* All samples of a stream over the whole recordings whose names begin so, in order; free it. */
static inline char *capture_text(const capture *c, const char *name, const char *stream)
{
    size_t size = 0;
    char *all = calloc(1, 1);
    for (int i = 0; all && i < c->count; i++) {
        const capture_recording *r = &c->recordings[i];
        for (int s = 0; r->whole && strncmp(r->name, name, strlen(name)) == 0 && s < r->streams;
             s++) {
            if (strcmp(r->stream_name[s], stream) != 0 || !r->text[s])
                continue;
            all = realloc(all, size + r->size[s] + 1);
            if (!all)
                abort();
            memcpy(all + size, r->text[s], r->size[s] + 1);
            size += r->size[s];
        }
    }
    return all;
}

#endif
