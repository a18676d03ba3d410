/* Private to cleaning: the desk, and the stream of raw values beside a stream that was changed. */
#ifndef GENBA_INGEST_CLEAN_DESK_H
#define GENBA_INGEST_CLEAN_DESK_H

#include "ingest/clean_stream.h"

/* Makes the desk large enough for a slice of a stream with these rules. */
GB_MUST gb_status gb_clean_desk_fit(gb_clean_desk *desk, const gb_clean_rules *rules);
/* Puts times, rows, quality and reasons behind the tail; all are kept so far. */
void gb_clean_desk_place(gb_clean_desk *desk, const gb_samples *samples);
/* Drops the new samples that desk->keep does not list, from the desk and from *in. */
GB_MUST gb_status gb_clean_desk_compact(gb_clean_desk *desk,
                                        const gb_clean_rules *rules,
                                        gb_samples *in);
void gb_clean_desk_free(gb_clean_desk *desk);

/* Writes what desk->raw holds to the stream NAME.raw, which begins when it is first needed: kind
 * event, f64 [3]: number of the sample in NAME, column, value as it was. */
GB_MUST gb_status gb_clean_keep_raw(gb_clean *clean,
                                    const gb_clean_recording *recording,
                                    gb_clean_stream *stream);

#endif
