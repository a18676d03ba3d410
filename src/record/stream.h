/* Private to record: checks shared by its files. */
#ifndef GENBA_RECORD_STREAM_H
#define GENBA_RECORD_STREAM_H

#include "genba/record.h"

/* GB_ERR_ARGUMENT with the stream's name when a field is out of range. */
GB_MUST gb_status gb_stream_spec_check(const gb_stream_spec *spec);

/* Kept as bytes in memory, not as floats: BYTES, and pictures of u8. */
bool gb_stream_spec_is_raw(const gb_stream_spec *spec);

/* Copies with all texts into the arena; NULL texts become "". *out may be half filled on failure.
 */
GB_MUST gb_status gb_stream_spec_copy(gb_arena *arena,
                                      const gb_stream_spec *spec,
                                      gb_stream_spec *out);
GB_MUST gb_status gb_recording_info_copy(gb_arena *arena,
                                         const gb_recording_info *info,
                                         gb_recording_info *out);

#endif
