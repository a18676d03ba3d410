/* run_table.h: what `genba run` prints at the end. */
#ifndef GENBA_CLI_RUN_TABLE_H
#define GENBA_CLI_RUN_TABLE_H

#include "cli.h"

#include "genba/control.h"

typedef struct run_outcome {
    char machine[128];
    gb_control_result control;
    gb_link_counts link;
    gb_blackbox_counts logged;

    bool stepped;     /* on a virtual clock */
    double delay_ms;  /* stepped: what a decision was taken to last */
    bool behind_link; /* only the machine knows how it went */
    bool guarded;     /* inside an envelope */
    double *scores;   /* [episodes] */
    int episodes, room, successes;
    const char *precision;    /* of the policy */
    const char *log, *report; /* NULL: none */
} run_outcome;

gb_status run_table_print(const run_outcome *outcome, bool json);

#endif
