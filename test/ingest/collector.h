/* For tests of filters: a sink that keeps all it is given, and a series to feed one with. */
#ifndef GENBA_TEST_COLLECTOR_H
#define GENBA_TEST_COLLECTOR_H

#include "genba/sink.h"

#include <stdlib.h>
#include <string.h>

#define COLLECTOR_STREAMS 16
#define COLLECTOR_SIZE 4 /* values of a sample at most */

typedef struct collected {
    char name[160], unit[64];
    gb_value_type value_type;
    gb_stream_kind kind;
    int64_t size;
    gb_pair pairs[8];
    int pair_count;
    int64_t count, room;
    int64_t *time_ns, *row;
    double *values;
    uint8_t *quality, *reason;
    bool has_row;
} collected;

typedef struct collector {
    gb_sink sink;
    collected streams[COLLECTOR_STREAMS];
    int stream_count, begun, ended;
    int64_t fail_after; /* the append that fails; 0: none */
    int64_t appends;
} collector;

static inline gb_status collector_begin(gb_sink *sink, const gb_recording_info *info, int *out)
{
    (void)info;
    *out = ((collector *)sink)->begun++;
    return GB_OK;
}

static inline gb_status
collector_stream(gb_sink *sink, int recording, const gb_stream_spec *spec, int *out)
{
    (void)recording;
    collector *c = (collector *)sink;
    if (c->stream_count == COLLECTOR_STREAMS)
        return gb_fail(GB_ERR_ARGUMENT, "the collector is full");
    collected *to = &c->streams[c->stream_count];
    strncpy(to->name, spec->name, sizeof to->name - 1);
    strncpy(to->unit, spec->unit ? spec->unit : "", sizeof to->unit - 1);
    to->value_type = spec->value_type;
    to->kind = spec->kind;
    to->size = gb_stream_spec_size(spec);
    for (int i = 0; i < spec->pair_count && i < 8; i++)
        to->pairs[to->pair_count++] =
            (gb_pair){strdup(spec->pairs[i].key), strdup(spec->pairs[i].value)};
    *out = c->stream_count++;
    return GB_OK;
}

static inline double collector_number(gb_value_type type, const void *values, int64_t at)
{
    switch (type) {
    case GB_VALUE_F32:
        return (double)((const float *)values)[at];
    case GB_VALUE_F64:
        return ((const double *)values)[at];
    case GB_VALUE_U8:
        return ((const uint8_t *)values)[at];
    case GB_VALUE_I16:
        return ((const int16_t *)values)[at];
    case GB_VALUE_I32:
        return ((const int32_t *)values)[at];
    case GB_VALUE_I64:
        return (double)((const int64_t *)values)[at];
    default:
        return -1e300;
    }
}

static inline gb_status
collector_append(gb_sink *sink, int recording, int stream, const gb_samples *samples)
{
    (void)recording;
    collector *c = (collector *)sink;
    collected *to = &c->streams[stream];
    if (++c->appends == c->fail_after)
        return gb_fail(GB_ERR_IO, "the collector fails as asked");
    for (int64_t i = 0; i < samples->count; i++) {
        if (to->count == to->room) {
            to->room = to->room ? 2 * to->room : 64;
            size_t room = (size_t)to->room;
            to->time_ns = realloc(to->time_ns, room * sizeof *to->time_ns);
            to->row = realloc(to->row, room * sizeof *to->row);
            to->values = realloc(to->values, room * sizeof(double) * COLLECTOR_SIZE);
            to->quality = realloc(to->quality, room);
            to->reason = realloc(to->reason, room);
        }
        to->time_ns[to->count] = samples->time_ns[i];
        to->row[to->count] = samples->row ? samples->row[i] : -1;
        for (int64_t v = 0; v < to->size && v < COLLECTOR_SIZE; v++)
            to->values[to->count * COLLECTOR_SIZE + v] =
                samples->values
                    ? collector_number(to->value_type, samples->values, i * to->size + v)
                    : (double)samples->run_sizes[i];
        to->quality[to->count] = samples->quality ? samples->quality[i] : 0;
        to->reason[to->count] = samples->reason ? samples->reason[i] : 0;
        to->count++;
    }
    return GB_OK;
}

static inline gb_status collector_attach(gb_sink *sink,
                                         int recording,
                                         const char *name,
                                         const char *media_type,
                                         const void *data,
                                         size_t size)
{
    (void)sink, (void)recording, (void)name, (void)media_type, (void)data, (void)size;
    return GB_OK;
}

static inline gb_status collector_end(gb_sink *sink, int recording)
{
    (void)recording;
    ((collector *)sink)->ended++;
    return GB_OK;
}

static inline void collector_abandon(gb_sink *sink, int recording)
{
    (void)sink, (void)recording;
}

static inline void collector_destroy(gb_sink *sink)
{
    collector *c = (collector *)sink;
    for (int s = 0; s < c->stream_count; s++) {
        collected *to = &c->streams[s];
        for (int i = 0; i < to->pair_count; i++) {
            free((void *)to->pairs[i].key);
            free((void *)to->pairs[i].value);
        }
        free(to->time_ns);
        free(to->row);
        free(to->values);
        free(to->quality);
        free(to->reason);
    }
    memset(c->streams, 0, sizeof c->streams);
    c->stream_count = c->begun = c->ended = 0;
    c->appends = 0;
}

static const gb_sink_ops collector_ops = {collector_begin,  collector_stream, collector_append,
                                          collector_attach, collector_end,    collector_abandon,
                                          collector_destroy};

static inline collected *collector_find(collector *c, const char *name)
{
    for (int s = 0; s < c->stream_count; s++)
        if (strcmp(c->streams[s].name, name) == 0)
            return &c->streams[s];
    return NULL;
}

static inline const char *collected_pair(const collected *stream, const char *key)
{
    return gb_pair_find(stream->pairs, stream->pair_count, key);
}

#endif
