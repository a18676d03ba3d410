/* eval/report.h: the sections of the report, one file each. Private to eval. */
#ifndef GENBA_EVAL_REPORT_H
#define GENBA_EVAL_REPORT_H

#include <stdio.h>

#include "genba/eval.h"

/* Lines, ended by NULL. */
extern const char *const gb_report_css[], *const gb_report_js[];

/* Each writes nothing when the report has nothing for it. */
void gb_report_headline(FILE *to, const gb_report *report);
void gb_report_scores(FILE *to, const gb_report *report);
GB_MUST gb_status gb_report_replay(FILE *to, const gb_report *report);
GB_MUST gb_status gb_report_forecasts(FILE *to, const gb_report *report);
GB_MUST gb_status gb_report_training(FILE *to, const gb_report *report);
/* The forecast alone, as the picture shows it. */
GB_MUST gb_status gb_report_forecast_plot(FILE *to,
                                          const gb_forecast_example *example,
                                          int width,
                                          int height);
/* A command in type that can be copied. */
void gb_report_put_command(FILE *to, const char *command);

#endif
