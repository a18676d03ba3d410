/* Private to drift: a device's own stamps beside the rows' times. */
#ifndef GENBA_INGEST_DRIFT_STAMPS_H
#define GENBA_INGEST_DRIFT_STAMPS_H

#include "ingest/drift.h"

typedef struct gb_drift_stamps gb_drift_stamps;

GB_MUST gb_status gb_drift_stamps_create(double window_s, gb_drift_stamps **out);
void gb_drift_stamps_destroy(gb_drift_stamps *stamps); /* NULL is fine */
/* The next row: its time, and the device's stamp. */
GB_MUST gb_status gb_drift_stamps_add(gb_drift_stamps *stamps, int64_t row_ns, int64_t stamp_ns);
/* A row without a stamp. */
void gb_drift_stamps_skip(gb_drift_stamps *stamps);
/* The laws found, one for each start of the clock; the caller frees them. */
GB_MUST gb_status gb_drift_stamps_laws(gb_drift_stamps *stamps,
                                       gb_drift_law **out_laws,
                                       int *out_count);

#endif
