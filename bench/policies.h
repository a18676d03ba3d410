/* policies.h: models for benchmarks of control. */
#ifndef GENBA_BENCH_POLICIES_H
#define GENBA_BENCH_POLICIES_H

#include "genba/model.h"

/* The sizes of examples/pusht.yaml; its streams are those of the plant pusht. */
GB_MUST gb_status bench_policy_pusht(gb_model **out);

/* A policy for the plant grasp: a vector of what it senses, two frames, 16 actions of 6. */
GB_MUST gb_status bench_policy_grasp(gb_model **out);

#endif
