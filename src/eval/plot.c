/* eval/plot.c: draws one plot: limits, ticks, legend, lines. It knows no benchmark. */
#include "eval/plot.h"
#include "eval/html.h"

#include <math.h>
#include <string.h>

#define LEFT 62
#define RIGHT 16
#define TOP 34
#define BOTTOM 44
#define TICKS_X 9
#define TICKS_Y 5
#define LETTER_WIDTH 6.7 /* of the 12 px type, on average */

typedef struct frame {
    const gb_plot *plot;
    double x_low, x_high, y_low, y_high; /* y in its logarithm when y_log */
} frame;

double gb_plot_step(double span, int most)
{
    if (!(span > 0.0))
        return 1.0;
    double raw = span / most, power = pow(10.0, floor(log10(raw)));
    double part = raw / power;
    return power * (part <= 1.0 ? 1.0 : part <= 2.0 ? 2.0 : part <= 5.0 ? 5.0 : 10.0);
}

static double scaled_y(const gb_plot *plot, double y)
{
    return plot->y_log ? (y > 0.0 ? log10(y) : NAN) : y;
}

static void widen(double value, double *low, double *high)
{
    if (!isfinite(value))
        return;
    *low = fmin(*low, value);
    *high = fmax(*high, value);
}

static frame find_limits(const gb_plot *plot)
{
    frame f = {plot, INFINITY, -INFINITY, INFINITY, -INFINITY};
    for (int s = 0; s < plot->series_count; s++) {
        const gb_plot_series *series = &plot->series[s];
        for (int64_t i = 0; i < series->count; i++) {
            widen(series->x[i], &f.x_low, &f.x_high);
            widen(scaled_y(plot, series->y[i]), &f.y_low, &f.y_high);
            if (series->kind == GB_PLOT_BAND)
                widen(scaled_y(plot, series->y2[i]), &f.y_low, &f.y_high);
        }
    }
    if (!(f.x_low < f.x_high)) {
        f.x_low = isfinite(f.x_low) ? f.x_low - 0.5 : 0.0;
        f.x_high = f.x_low + 1.0;
    }
    if (!(f.y_low < f.y_high)) {
        f.y_low = isfinite(f.y_low) ? f.y_low - 0.5 : 0.0;
        f.y_high = f.y_low + 1.0;
    }
    double margin = 0.04 * (f.y_high - f.y_low);
    f.y_low -= margin;
    f.y_high += margin;
    return f;
}

static double place_x(const frame *f, double x)
{
    double width = f->plot->width - LEFT - RIGHT;
    return LEFT + width * (x - f->x_low) / (f->x_high - f->x_low);
}

static double place_y(const frame *f, double y)
{
    double height = f->plot->height - TOP - BOTTOM;
    return TOP + height * (f->y_high - scaled_y(f->plot, y)) / (f->y_high - f->y_low);
}

/* ---- axes -------------------------------------------------------------------------------------
 */

static int digits_of(double step)
{
    int digits = (int)ceil(-log10(step) - 1e-9);
    return digits > 0 ? digits : 0;
}

static void put_tick_x(FILE *to, const frame *f, double x, int digits)
{
    double at = place_x(f, x);
    int bottom = f->plot->height - BOTTOM;
    fprintf(to,
            "<line class=\"tick\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>"
            "<text class=\"num\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.*f</text>",
            at, at, bottom, bottom + 4, at, bottom + 17, digits, fabs(x) < 1e-12 ? 0.0 : x);
}

static void put_tick_y(FILE *to, const frame *f, double y, int digits)
{
    double at = place_y(f, y);
    fprintf(to,
            "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
            "<text class=\"num\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.*f</text>",
            LEFT, f->plot->width - RIGHT, at, at, LEFT - 8, at + 4.0, digits,
            fabs(y) < 1e-12 ? 0.0 : y);
}

/* Ticks of a logarithmic axis: 1, 2 and 5 times powers of ten, thinned when there are many. */
static void put_log_ticks(FILE *to, const frame *f)
{
    double span = f->y_high - f->y_low;
    int from = (int)floor(f->y_low), last = (int)ceil(f->y_high);
    for (int power = from; power <= last; power++) {
        static const double factors[] = {1.0, 2.0, 5.0};
        for (int i = 0; i < (span > 2.5 ? 1 : 3); i++) {
            double y = factors[i] * pow(10.0, power), at = log10(y);
            if (at >= f->y_low && at <= f->y_high)
                put_tick_y(to, f, y, power < 0 ? -power : 0);
        }
    }
}

static void put_axes(FILE *to, const frame *f)
{
    const gb_plot *plot = f->plot;
    if (plot->y_log) {
        put_log_ticks(to, f);
    } else {
        double step = gb_plot_step(f->y_high - f->y_low, TICKS_Y);
        for (double y = ceil(f->y_low / step) * step; y <= f->y_high; y += step)
            put_tick_y(to, f, y, digits_of(step));
    }
    double step = gb_plot_step(f->x_high - f->x_low, TICKS_X);
    for (double x = ceil(f->x_low / step) * step; x <= f->x_high + 1e-9 * step; x += step)
        put_tick_x(to, f, x, digits_of(step));
    int bottom = plot->height - BOTTOM;
    fprintf(to, "<line class=\"axis\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>", LEFT,
            plot->width - RIGHT, bottom, bottom);
    fprintf(to, "<text class=\"label\" x=\"%d\" y=\"%d\" text-anchor=\"end\">", plot->width - RIGHT,
            plot->height - 8);
    gb_html_text(to, plot->x_label);
    fputs("</text><text class=\"label\" x=\"4\" y=\"14\">", to);
    gb_html_text(to, plot->y_label);
    fputs("</text>", to);
}

static void put_mark(FILE *to, const frame *f)
{
    if (!isfinite(f->plot->mark_x))
        return;
    double at = place_x(f, f->plot->mark_x);
    fprintf(to,
            "<line class=\"mark\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>"
            "<text class=\"label\" x=\"%.1f\" y=\"%d\" text-anchor=\"end\">",
            at, at, TOP, f->plot->height - BOTTOM, at - 6.0, TOP + 12);
    gb_html_text(to, f->plot->mark_label ? f->plot->mark_label : "");
    fputs("</text>", to);
}

/* From the right edge leftwards, in the order of the series. */
static void put_legend(FILE *to, const gb_plot *plot)
{
    double width = 0.0;
    for (int s = 0; s < plot->series_count; s++) {
        if (plot->series[s].name)
            width += 36.0 + LETTER_WIDTH * (double)strlen(plot->series[s].name);
    }
    double at = plot->width - RIGHT - width + 14.0;
    for (int s = 0; s < plot->series_count; s++) {
        const gb_plot_series *series = &plot->series[s];
        if (!series->name)
            continue;
        if (series->kind == GB_PLOT_BAND)
            fprintf(to, "<rect class=\"%s\" x=\"%.1f\" y=\"5\" width=\"16\" height=\"10\"/>",
                    series->style, at);
        else
            fprintf(to, "<path class=\"%s\" d=\"M%.1f 10h16\"/>", series->style, at);
        fprintf(to, "<text class=\"label\" x=\"%.1f\" y=\"14\">", at + 21.0);
        gb_html_text(to, series->name);
        fputs("</text>", to);
        at += 36.0 + LETTER_WIDTH * (double)strlen(series->name);
    }
}

/* ---- series -----------------------------------------------------------------------------------
 */

static void put_line(FILE *to, const frame *f, const gb_plot_series *series)
{
    fprintf(to, "<path class=\"%s\" d=\"", series->style);
    bool pen_up = true;
    for (int64_t i = 0; i < series->count; i++) {
        double x = place_x(f, series->x[i]), y = place_y(f, series->y[i]);
        if (!isfinite(x) || !isfinite(y)) {
            pen_up = true;
            continue;
        }
        fprintf(to, "%c%.1f %.1f", pen_up ? 'M' : 'L', x, y);
        pen_up = false;
    }
    fputs("\"/>", to);
    for (int64_t i = 0; series->kind == GB_PLOT_DOTS && i < series->count; i++) {
        double x = place_x(f, series->x[i]), y = place_y(f, series->y[i]);
        if (isfinite(x) && isfinite(y))
            fprintf(to, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.6\"/>", series->style,
                    x, y);
    }
}

static void put_band(FILE *to, const frame *f, const gb_plot_series *series)
{
    fprintf(to, "<path class=\"%s\" d=\"", series->style);
    for (int64_t i = 0; i < series->count; i++)
        fprintf(to, "%c%.1f %.1f", i ? 'L' : 'M', place_x(f, series->x[i]),
                place_y(f, series->y[i]));
    for (int64_t i = series->count - 1; i >= 0; i--)
        fprintf(to, "L%.1f %.1f", place_x(f, series->x[i]), place_y(f, series->y2[i]));
    fputs("Z\"/>", to);
}

static void put_numbers(FILE *to, const char *name, const double *values, int64_t count)
{
    fprintf(to, "&quot;%s&quot;:[", name);
    for (int64_t i = 0; i < count; i++) {
        if (i)
            fputc(',', to);
        if (isfinite(values[i]))
            fprintf(to, "%.5g", values[i]);
        else
            fputs("null", to);
    }
    fputc(']', to);
}

/* What the page's script needs to show values under the pointer. */
static void put_data(FILE *to, const frame *f)
{
    const gb_plot *plot = f->plot;
    fprintf(to,
            " data-plot=\"{&quot;box&quot;:[%d,%d,%d,%d],&quot;x&quot;:[%.9g,%.9g],"
            "&quot;y&quot;:[%.9g,%.9g],&quot;log&quot;:%d,&quot;series&quot;:[",
            LEFT, TOP, plot->width - RIGHT, plot->height - BOTTOM, f->x_low, f->x_high, f->y_low,
            f->y_high, plot->y_log ? 1 : 0);
    bool first = true;
    for (int s = 0; s < plot->series_count; s++) {
        const gb_plot_series *series = &plot->series[s];
        if (!series->name)
            continue;
        fprintf(to, "%s{&quot;name&quot;:&quot;", first ? "" : ",");
        first = false;
        for (const char *c = series->name; *c; c++) { /* JSON inside an attribute */
            if (*c == '"' || *c == '\\' || (unsigned char)*c < 0x20)
                fprintf(to, "\\u%04x", (unsigned char)*c);
            else
                gb_html_text(to, (const char[]){*c, 0});
        }
        fputs("&quot;,", to);
        put_numbers(to, "x", series->x, series->count);
        fputc(',', to);
        put_numbers(to, "y", series->y, series->count);
        if (series->kind == GB_PLOT_BAND) {
            fputc(',', to);
            put_numbers(to, "y2", series->y2, series->count);
        }
        fputc('}', to);
    }
    fputs("]}\"", to);
}

void gb_plot_write(FILE *to, const gb_plot *plot)
{
    frame f = find_limits(plot);
    fprintf(to, "<svg class=\"plot\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\"",
            plot->width, plot->height, plot->width, plot->height);
    put_data(to, &f);
    fputs("><title>", to);
    gb_html_text(to, plot->title);
    fputs("</title>", to);
    put_axes(to, &f);
    for (int s = 0; s < plot->series_count; s++) {
        if (plot->series[s].kind == GB_PLOT_BAND)
            put_band(to, &f, &plot->series[s]);
        else
            put_line(to, &f, &plot->series[s]);
    }
    put_mark(to, &f);
    put_legend(to, plot);
    fputs("</svg>\n", to);
}
