/* model/feed.h: reading one example of a window index as codecs and heads see it. */
#ifndef GENBA_MODEL_FEED_H
#define GENBA_MODEL_FEED_H

#include "model/codec.h"
#include "model/head.h"

/* Memory to read one example into; one a batch row, or one a thread. */
typedef struct gb_view_buffer {
    gb_window_view view;
    gb_window_part *parts; /* [part_count] */
    gb_window_out *outs;   /* [part_count]; not used by column */
    float *values;
} gb_view_buffer;

GB_MUST gb_status gb_view_buffer_init(gb_view_buffer *buffer,
                                      const gb_model *model,
                                      gb_arena *arena);
/* Reads example `example` of an index; buffer->view is valid until the next call. */
GB_MUST gb_status gb_view_read(gb_view_buffer *buffer,
                               const gb_model *model,
                               const gb_window_index *index,
                               int64_t example,
                               int symmetry);
/* Finds the tensors of a NULL-terminated list of names: out [GB_INPUTS_MAX]. */
void gb_bind(const gb_exec *exec, const char *const *names, gb_tensor *out);

#endif
