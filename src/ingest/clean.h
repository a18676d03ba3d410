/* Private to ingest: cleaning, a filter between a reader and whatever takes samples.
 * docs/cleaning.md says what each rule does. */
#ifndef GENBA_INGEST_CLEAN_H
#define GENBA_INGEST_CLEAN_H

#include "ingest/drift.h"

/* Makes a sink that cleans as the map says and hands on to `next`: reader -> *out -> next.
 * Everything is borrowed for the sink's life; nothing is NULL but watch's functions. `origin` names
 * the file in messages and rejects.
 *
 * Readers hand over what the file holds: numbers in the file's unit (no sentinels, ranges or times
 * judged; the report's time_repeated, time_backwards, cells_out_of_range and the sentinels among
 * cells_missing are counted here) and, where they know it, gb_samples.row. They count rows_stored;
 * a row that is rejected here moves from rows_stored to rows_rejected. Streams of a recording whose
 * first samples are the same row (or have the same time) are sampled together: such a row is
 * counted, and told to watch->reject, once.
 *
 * gb_sink_stream: GB_ERR_SCHEMA when a unit is unknown or does not convert, naming map and stream.
 */
GB_MUST gb_status gb_clean_create(const gb_stream_map *map,
                                  const gb_ingest_watch *watch,
                                  gb_ingest_report *report,
                                  const char *origin,
                                  gb_sink *next,
                                  gb_sink **out);

/* Corrects clocks by these laws (borrowed, for all recordings begun from now on). They come from a
 * first pass over the same source, when the map has drift:
 *     gb_drift_estimate_create(map, &estimator);
 *     gb_clean_create(map, &nobody, &scratch_report, origin, estimator, &first);
 *     reader->read(a source whose sink is `first`), then gb_sink_destroy(first);
 *     gb_drift_estimate_finish(estimator, &tracks), then gb_sink_destroy(estimator). */
void gb_clean_use_clocks(gb_sink *clean, const gb_drift_tracks *tracks);

#endif
