/* eval/data.h: the benchmarks' files as datasets. Private to eval. */
#ifndef GENBA_EVAL_DATA_H
#define GENBA_EVAL_DATA_H

#include "genba/eval.h"

/* Reads a file or a folder laid out as its publisher did: "ett", "skab", "cmapss", "pusht". Rows
 * that do not fit are errors, not gaps. */
GB_MUST gb_status gb_benchmark_read(const char *layout, const char *path, gb_dataset **out);
/* The stream's view, or GB_ERR_MISMATCH when it is not there or not `size` numbers wide. */
GB_MUST gb_status gb_benchmark_stream(const gb_recording *recording,
                                      const char *stream,
                                      int64_t size,
                                      const gb_stream_view **out);
/* "2018-06-26 05:00" */
void gb_time_text(int64_t time_ns, char *out, size_t size);

#endif
