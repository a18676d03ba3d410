/* control/chunk.h: a chunk of actions and the setpoint it means at an instant. Used by the servo
 * and by the replay, which must agree to the bit. Private to the room. */
#ifndef GENBA_CONTROL_CHUNK_H
#define GENBA_CONTROL_CHUNK_H

#include "genba/plant.h"

/* Setpoint of the instant `at_ns` after the chunk's start: action k = at_ns / period until the next
 * for streams that hold; else on the line from action k - 1 to action k, so that action k is
 * reached at the end of its period, as it was when it was recorded. before: [action_size] the
 * setpoint under way when the chunk started, the beginning of the first line. actions
 * [horizon][action_size]; those beyond a stream's limits saturate. false: the chunk does not reach
 * so far (or at_ns < 0); out [action_size] is left alone. */
bool gb_chunk_setpoint(const gb_plant_info *machine,
                       const double *actions,
                       int horizon,
                       const double *before,
                       int64_t at_ns,
                       double *out);

#endif
