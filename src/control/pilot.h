/* control/pilot.h: one decision: from the newest history to the next chunk. The same functions
 * serve the pilot's thread and stepped time. Nothing is allocated while it runs. Private to the
 * room. */
#ifndef GENBA_CONTROL_PILOT_H
#define GENBA_CONTROL_PILOT_H

#include "control/handover.h"
#include "control/latest.h"
#include "control/timing.h"

typedef struct gb_pilot gb_pilot;

typedef struct gb_pilot_options {
    const gb_plant_info *machine; /* with the servo's own tick_ns; borrowed */
    gb_policy_make_fn make;
    const void *make_context;
    gb_switching switching;
    uint64_t first_seed, policy_seed;
    gb_blackbox *blackbox; /* borrowed; may be NULL */
} gb_pilot_options;

/* Makes the policy and both hand-overs. GB_ERR_ARGUMENT: a policy whose numbers make no sense. */
GB_MUST gb_status gb_pilot_create(const gb_pilot_options *options, gb_pilot **out);
void gb_pilot_destroy(gb_pilot *pilot); /* NULL is fine */

const gb_policy *gb_pilot_policy(const gb_pilot *pilot);
gb_latest *gb_pilot_histories(gb_pilot *pilot); /* written by the servo */
gb_latest *gb_pilot_chunks(gb_pilot *pilot);    /* read by the servo */
/* How chunks follow one another: plain where the policy cannot continue one. */
gb_switching gb_pilot_switching(const gb_pilot *pilot);

/* The instant from which on the next decision is due, and how long before it gb_pilot_warm is worth
 * while; false: not known, or not worth while. */
bool gb_pilot_expects(const gb_pilot *pilot, int64_t *out_due_ns, int64_t *out_lead_ns);
/* Lets the policy touch what it will read. Other programs, and the machine's own sleep, take the
 * weights out of the caches between two decisions. */
void gb_pilot_warm(gb_pilot *pilot);
/* Takes the newest history; whether a decision is to be made on it now. */
bool gb_pilot_due(gb_pilot *pilot);
/* Decides; the chunk is kept back until gb_pilot_publish. */
void gb_pilot_think(gb_pilot *pilot, int64_t began_ns);
/* Hands the chunk to the servo, or counts a decision that failed; and records it. */
void gb_pilot_publish(gb_pilot *pilot, int64_t ended_ns);

/* Adds decisions, failures and inference times to *result; the message of the first failure, ""
 * none, is the pilot's. Not while it thinks. */
void gb_pilot_tally(const gb_pilot *pilot, gb_control_result *result, const char **first_failure);

#endif
