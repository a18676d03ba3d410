/* servo_rig.h: the loop at 1 kHz with everything on, measured: a pilot that infers without pause,
 * an envelope, a black box, and beside it a bare loop that only sleeps. */
#ifndef GENBA_BENCH_SERVO_RIG_H
#define GENBA_BENCH_SERVO_RIG_H

#include "genba/control.h"
#include "interpose.h"

typedef struct servo_rig_options {
    int64_t seconds;
    gb_link *link;         /* NULL: a double integrator in this process */
    const char *log;       /* the black box's file; NULL: none */
    gb_view *view;         /* NULL: none */
    const gb_model *model; /* of the plant pusht */
} servo_rig_options;

typedef struct servo_figures {
    gb_control_result control;
    gb_link_counts link;
    gb_blackbox_counts logged;
    gb_timing bare_period, bare_wake; /* of the loop that only sleeps: same core, same priority */
    int64_t bare_late;       /* instants that had passed when it woke, as gb_control_result.late */
    double stolen_s;         /* host_stolen_s of the run */
    interposed servo, pilot; /* from the first tick or decision to the last */
} servo_figures;

/* The servo and the bare loop on the last core, the pilot on the first. */
GB_MUST gb_status servo_rig_run(const servo_rig_options *options, servo_figures *out);
/* The plant pusht in ticks of 1 ms and periods of 10 ms. */
const gb_plant_info *servo_rig_machine(void);
int servo_rig_core(void);

#endif
