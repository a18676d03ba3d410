/* train/metrics.h: metrics.jsonl, one JSON object a line. Inside the room only. */
#ifndef GENBA_TRAIN_METRICS_H
#define GENBA_TRAIN_METRICS_H

#include "genba/train.h"

typedef struct gb_metrics gb_metrics;

/* Opens the file to append, after cutting every line beyond `step` (and a line cut in the middle),
 * so that a resumed run writes no step twice. */
GB_MUST gb_status gb_metrics_open(const char *path, int64_t step, gb_metrics **out);
/* One line, handed to the system at once. Numbers that are not finite become null. names:
 * NULL-terminated. */
GB_MUST gb_status gb_metrics_write(gb_metrics *metrics,
                                   int64_t step,
                                   const char *const *names,
                                   const double *values);
GB_MUST gb_status gb_metrics_sync(gb_metrics *metrics);
void gb_metrics_close(gb_metrics *metrics); /* NULL is fine */

#endif
