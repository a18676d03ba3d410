/* Private to ingest: one stream of a live recording, and the buffer that puts its samples in order.
 */
#ifndef GENBA_INGEST_LIVE_STREAM_H
#define GENBA_INGEST_LIVE_STREAM_H

#include "ingest/live.h"

typedef struct gb_live_value {
    bool is_text, is_missing;
    bool again; /* delivered perhaps twice, and without a time of its own that would tell */
    double number;
    const char *text; /* [size], borrowed */
    size_t size;
} gb_live_value;

typedef struct gb_live_sample {
    int64_t time_ns, arrival_ns;
    double number;
    char *text; /* of text streams, owned */
    size_t size;
    uint8_t reason;
} gb_live_sample;

typedef struct gb_live_stream {
    char *key, *name, *unit; /* key: what finds it: topic and path */
    const gb_map_stream *map;
    bool is_text;
    int number;           /* in the open recording; -1: not there yet */
    gb_live_sample *held; /* [held_count], in the order of time */
    int64_t held_count, held_room;
    int64_t last_ns; /* of what was handed over */
    double last_number;
    uint64_t last_text; /* hash of it */
    bool has_last;
} gb_live_stream;

/* Puts a sample among those held. Counts duplicates, reordered and late ones. */
GB_MUST gb_status gb_live_stream_put(gb_live_stream *stream,
                                     const gb_live_value *value,
                                     int64_t time_ns,
                                     int64_t arrival_ns,
                                     gb_record_counts *counts);
/* Hands over all that arrived at or before until_ns, and what is earlier than those. */
GB_MUST gb_status gb_live_stream_release(
    gb_live_stream *stream, int64_t until_ns, gb_sink *sink, int recording, int64_t *out_count);
void gb_live_stream_free(gb_live_stream *stream);

#endif
