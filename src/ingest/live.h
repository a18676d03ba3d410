/* Private to ingest: messages that arrive one by one (topic, payload, when) become samples: put in
 * order of their own times, freed of what was delivered twice. Where they come from is mqtt.c. */
#ifndef GENBA_INGEST_LIVE_H
#define GENBA_INGEST_LIVE_H

#include "ingest/reader.h"

typedef struct gb_live gb_live;

/* map: NULL takes every topic; borrowed. hold_ns: how long samples wait for earlier ones. */
GB_MUST gb_status gb_live_create(const gb_stream_map *map, int64_t hold_ns, gb_live **out);
void gb_live_destroy(gb_live *live); /* NULL is fine; what is held back is dropped */

/* A recording begins in the sink (borrowed until end); what is still held back goes into it. */
GB_MUST gb_status gb_live_begin(gb_live *live, gb_sink *sink, const gb_recording_info *info);
/* One message. again: the transport says it may have been delivered before.
 * GB_ERR_PARSE, GB_ERR_SHAPE: the message is rejected (and counted); others end the recording. */
GB_MUST gb_status gb_live_take(gb_live *live,
                               const char *topic,
                               const void *payload,
                               size_t size,
                               int64_t arrival_ns,
                               bool again);
/* Hands over what has waited long enough. */
GB_MUST gb_status gb_live_tick(gb_live *live, int64_t now_ns);
/* Ends the recording. all: what is held back goes into it too (the last one); otherwise into the
 * next. *out_samples: how many it has; an empty one is abandoned, not ended. */
GB_MUST gb_status gb_live_end(gb_live *live, bool all, int64_t *out_samples);
const gb_record_counts *gb_live_get_counts(const gb_live *live);

#endif
