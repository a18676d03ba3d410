/* eval/plot.h: line plots as inline SVG. Colours come from CSS classes, so that a page can be light
 * or dark. Private to eval. */
#ifndef GENBA_EVAL_PLOT_H
#define GENBA_EVAL_PLOT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef enum gb_plot_kind {
    GB_PLOT_LINE,
    GB_PLOT_BAND, /* between y and y2 */
    GB_PLOT_DOTS  /* a line with a dot at each point */
} gb_plot_kind;

typedef struct gb_plot_series {
    gb_plot_kind kind;
    const char *name;  /* in the legend and under the pointer; NULL: neither */
    const char *style; /* CSS class */
    int64_t count;
    const double *x, *y, *y2; /* [count]; NaN breaks a line */
} gb_plot_series;

typedef struct gb_plot {
    int width, height; /* of the picture, in CSS pixels */
    const char *title; /* read out by screen readers */
    const char *x_label, *y_label;
    bool y_log;
    double mark_x; /* a vertical line; NaN: none */
    const char *mark_label;
    int series_count;
    const gb_plot_series *series; /* back to front */
} gb_plot;

/* Limits of all series, and the picture. The values under the pointer are in its data-plot. */
void gb_plot_write(FILE *to, const gb_plot *plot);
/* A step of 1, 2 or 5 times a power of ten that cuts the span into at most `most` pieces. */
double gb_plot_step(double span, int most);

#endif
