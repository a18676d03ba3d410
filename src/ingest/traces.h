/* Private to ingest: columns of numbers in originals and in what became of them, side by side. */
#ifndef GENBA_INGEST_TRACES_H
#define GENBA_INGEST_TRACES_H

#include "genba/record.h"

/* One column of one recording: value i is values[i * stride]. */
typedef struct gb_trace {
    const float *values; /* NULL: this recording lacks it */
    int64_t stride, count;
} gb_trace;

typedef struct gb_traces {
    int64_t recordings, columns;
    int64_t columns_lost; /* of originals, without a counterpart */
    gb_trace *original;   /* [recordings x columns] */
    gb_trace *released;   /* [recordings x columns] */
} gb_traces;

#define GB_TRACES_COLUMNS_MAX 64 /* looked at; the first of each stream, then the next streams */

/* Pairs columns by the names of streams and of columns. */
GB_MUST gb_status gb_traces_create(const gb_recording *const *original,
                                   const gb_recording *const *released,
                                   int64_t count,
                                   gb_traces *out);
void gb_traces_free(gb_traces *traces); /* zeros are fine */

static inline double gb_trace_at(const gb_trace *trace, int64_t i)
{
    return (double)trace->values[i * trace->stride];
}

#endif
