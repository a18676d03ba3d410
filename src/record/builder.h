/* Private to record: appending samples of every type to a recording being built. */
#ifndef GENBA_RECORD_BUILDER_H
#define GENBA_RECORD_BUILDER_H

#include "genba/sink.h"

/* As gb_recording_builder_append for every value type; reasons are kept too. */
GB_MUST gb_status gb_recording_builder_append_samples(gb_recording_builder *builder,
                                                      int stream,
                                                      const gb_samples *samples);
/* Makes room for `count` samples of a stream that is there, so that appending need not grow. */
GB_MUST gb_status gb_recording_builder_reserve(gb_recording_builder *builder,
                                               int stream,
                                               int64_t count);

#endif
