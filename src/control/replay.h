/* control/replay.h: a replay from any bytes, for tests and fuzzing. Private to the room. */
#ifndef GENBA_CONTROL_REPLAY_H
#define GENBA_CONTROL_REPLAY_H

#include "genba/blackbox.h"
#include "genba/mcap.h"

/* As gb_replay; takes bytes over, also on failure. */
GB_MUST gb_status gb_replay_bytes(gb_bytes_in *bytes,
                                  gb_policy_make_fn make,
                                  const void *make_context,
                                  const char *model_hash_hex,
                                  gb_replay_result *out);

#endif
