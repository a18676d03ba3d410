/* eval/report_curves.c: the report's plots over time: forecasts against what came, and the loss of
 * each training run. */
#include "eval/html.h"
#include "eval/plot.h"
#include "eval/report.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PLOT_WIDTH 960
#define PLOT_HEIGHT 340
#define CURVE_POINTS 400 /* drawn of a curve, at most */
#define METRICS_LIMIT_BYTES ((size_t)256 << 20)

/* ---- forecasts --------------------------------------------------------------------------------
 */

typedef struct forecast_lines {
    double *past_x, *past, *future_x, *truth, *median, *low, *high, *inner_low, *inner_high;
} forecast_lines;

static int level_index(const gb_forecast_example *e, double level)
{
    int best = 0;
    for (int i = 1; i < e->quantile_count; i++) {
        if (fabs((double)e->levels[i] - level) < fabs((double)e->levels[best] - level))
            best = i;
    }
    return best;
}

static void fill_lines(const gb_forecast_example *e, forecast_lines *l)
{
    double hours = e->step_s / 3600.0;
    int q = e->quantile_count, last = q - 1;
    int median = level_index(e, 0.5), low = level_index(e, 0.25), high = last - low;
    for (int64_t i = 0; i < e->past_count; i++) {
        l->past_x[i] = (double)(i - e->past_count + 1) * hours;
        l->past[i] = (double)e->past[i];
    }
    for (int64_t h = 0; h < e->horizon; h++) {
        const float *row = e->quantiles + h * q;
        l->future_x[h] = (double)(h + 1) * hours;
        l->truth[h] = (double)e->truth[h];
        l->median[h] = (double)row[median];
        l->low[h] = (double)row[0];
        l->high[h] = (double)row[last];
        l->inner_low[h] = (double)row[low];
        l->inner_high[h] = (double)row[high];
    }
}

gb_status gb_report_forecast_plot(FILE *to, const gb_forecast_example *e, int width, int height)
{
    int64_t past = e->past_count, n = e->horizon;
    double *numbers = malloc((size_t)(2 * past + 7 * n) * sizeof *numbers);
    if (!numbers)
        return gb_fail(GB_ERR_MEMORY, "report: no memory for a forecast");
    double *f = numbers + 2 * past;
    forecast_lines l = {numbers,   numbers + past, f,         f + n,    f + 2 * n,
                        f + 3 * n, f + 4 * n,      f + 5 * n, f + 6 * n};
    fill_lines(e, &l);
    char outer[64], inner[64], y_label[160];
    int q = e->quantile_count, a = level_index(e, 0.25), b = q - 1 - a;
    snprintf(outer, sizeof outer, "%.0f %% band",
             100.0 * (double)(e->levels[q - 1] - e->levels[0]));
    snprintf(inner, sizeof inner, "%.0f %% band", 100.0 * (double)(e->levels[b] - e->levels[a]));
    snprintf(y_label, sizeof y_label, "%s (%s)", e->series, e->unit);
    gb_plot_series series[5];
    int count = 0;
    if (q > 1)
        series[count++] =
            (gb_plot_series){GB_PLOT_BAND, outer, "band-outer", n, l.future_x, l.high, l.low};
    if (q > 4 && a > 0)
        series[count++] = (gb_plot_series){GB_PLOT_BAND, inner,        "band-inner", n,
                                           l.future_x,   l.inner_high, l.inner_low};
    series[count++] =
        (gb_plot_series){GB_PLOT_LINE, "recorded", "line-truth", past, l.past_x, l.past, NULL};
    series[count++] =
        (gb_plot_series){GB_PLOT_LINE, "what came", "line-came", n, l.future_x, l.truth, NULL};
    series[count++] =
        (gb_plot_series){GB_PLOT_LINE, "forecast", "line-forecast", n, l.future_x, l.median, NULL};
    gb_plot plot = {.width = width,
                    .height = height,
                    .title = e->series,
                    .x_label = "hours from the last row seen",
                    .y_label = y_label,
                    .mark_x = 0.0,
                    .mark_label = "now",
                    .series_count = count,
                    .series = series};
    gb_plot_write(to, &plot);
    free(numbers);
    return GB_OK;
}

static int count_examples(const gb_report *report)
{
    int count = 0;
    for (int i = 0; i < report->result_count; i++)
        count += report->results[i]->example_count;
    return count;
}

static void put_tab(FILE *to, const gb_forecast_example *e, int number)
{
    fprintf(to,
            "<button type=\"button\" role=\"tab\" aria-selected=\"%s\" data-tab=\"forecast-%d\">",
            number == 0 ? "true" : "false", number);
    gb_html_text(to, e->series);
    fputs("<small>", to);
    gb_html_text(to, e->start);
    fputs("</small></button>\n", to);
}

static gb_status put_panel(FILE *to, const gb_forecast_example *e, int number)
{
    fprintf(to,
            "<figure class=\"panel\" role=\"tabpanel\" id=\"forecast-%d\"%s><div class=\"scroll\">",
            number, number == 0 ? "" : " hidden");
    GB_TRY(gb_report_forecast_plot(to, e, PLOT_WIDTH, PLOT_HEIGHT));
    fputs("</div><figcaption>", to);
    gb_html_text(to, e->series);
    fprintf(to, ", %lld rows ahead", (long long)e->horizon);
    if (*e->start) {
        fputs(" from ", to);
        gb_html_text(to, e->start);
    }
    fprintf(to,
            ", none of them seen in training. Squared error of this window %.3f "
            "(z-scored).</figcaption></figure>\n",
            e->mse);
    return GB_OK;
}

gb_status gb_report_forecasts(FILE *to, const gb_report *report)
{
    if (count_examples(report) == 0)
        return GB_OK;
    fputs("<section id=\"forecasts\"><h2>Forecasts</h2><p>Held-out windows spread evenly over the "
          "test rows, not chosen by how well they went.</p>\n<div class=\"tabs\" role=\"tablist\">",
          to);
    int number = 0;
    for (int i = 0; i < report->result_count; i++) {
        for (int e = 0; e < report->results[i]->example_count; e++)
            put_tab(to, &report->results[i]->examples[e], number++);
    }
    fputs("</div>\n", to);
    number = 0;
    for (int i = 0; i < report->result_count; i++) {
        for (int e = 0; e < report->results[i]->example_count; e++)
            GB_TRY(put_panel(to, &report->results[i]->examples[e], number++));
    }
    fputs("</section>\n", to);
    return GB_OK;
}

/* ---- training ---------------------------------------------------------------------------------
 */

typedef struct curve {
    int64_t count, capacity;
    double *x, *y;
} curve;

static bool curve_add(curve *c, double x, double y)
{
    if (c->count == c->capacity) {
        int64_t capacity = c->capacity ? 2 * c->capacity : 1024;
        double *grown_x = realloc(c->x, (size_t)capacity * sizeof *grown_x);
        if (grown_x)
            c->x = grown_x;
        double *grown_y = realloc(c->y, (size_t)capacity * sizeof *grown_y);
        if (grown_y)
            c->y = grown_y;
        if (!grown_x || !grown_y)
            return false;
        c->capacity = capacity;
    }
    c->x[c->count] = x;
    c->y[c->count++] = y;
    return true;
}

/* Means of neighbouring points until at most CURVE_POINTS are left. */
static void curve_thin(curve *c)
{
    int64_t group = (c->count + CURVE_POINTS - 1) / CURVE_POINTS, kept = 0;
    for (int64_t i = 0; group > 1 && i < c->count; i += group, kept++) {
        int64_t n = group < c->count - i ? group : c->count - i;
        double x = 0.0, y = 0.0;
        for (int64_t k = i; k < i + n; k++) {
            x += c->x[k] / (double)n;
            y += c->y[k] / (double)n;
        }
        c->x[kept] = x;
        c->y[kept] = y;
    }
    if (group > 1)
        c->count = kept;
}

typedef struct history {
    curve loss, validation;
    double seconds, steps;
} history;

static void history_free(history *h)
{
    free(h->loss.x);
    free(h->loss.y);
    free(h->validation.x);
    free(h->validation.y);
}

static double number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static bool history_line(history *h, const char *line, size_t size)
{
    json_t *object = json_loadb(line, size, 0, NULL);
    double step = number_of(object, "step"), loss = number_of(object, "loss");
    double validation = number_of(object, "validation_loss");
    double seconds = number_of(object, "seconds");
    json_decref(object);
    bool fits = true;
    if (isfinite(step) && isfinite(loss))
        fits = curve_add(&h->loss, step, loss);
    if (isfinite(step) && isfinite(validation))
        fits = fits && curve_add(&h->validation, step, validation);
    if (isfinite(seconds))
        h->seconds = seconds;
    if (isfinite(step))
        h->steps = step;
    return fits;
}

/* False: unreadable, or nothing in it. */
static bool history_read(const char *path, history *h)
{
    gb_file_view file;
    if (gb_file_map(path, &file) != GB_OK)
        return false;
    bool fits = file.size <= METRICS_LIMIT_BYTES;
    const char *at = (const char *)file.data, *end = at ? at + file.size : at;
    while (fits && at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop)
            stop = end;
        fits = history_line(h, at, (size_t)(stop - at));
        at = stop + 1;
    }
    gb_file_unmap(&file);
    curve_thin(&h->loss);
    return fits && h->loss.count + h->validation.count > 0;
}

static void put_history(FILE *to, const gb_report_run *run, const history *h)
{
    gb_plot_series series[] = {
        {GB_PLOT_LINE, "training", "line-train", h->loss.count, h->loss.x, h->loss.y, NULL},
        {GB_PLOT_DOTS, "held out", "line-held-out", h->validation.count, h->validation.x,
         h->validation.y, NULL},
    };
    bool positive = true;
    double low = INFINITY, high = 0.0;
    for (int64_t i = 0; i < h->loss.count; i++) {
        positive = positive && h->loss.y[i] > 0.0;
        low = fmin(low, h->loss.y[i]);
        high = fmax(high, h->loss.y[i]);
    }
    gb_plot plot = {.width = PLOT_WIDTH,
                    .height = 300,
                    .title = run->name,
                    .x_label = "training step",
                    .y_label = "loss",
                    .y_log = positive && high > 4.0 * low,
                    .mark_x = NAN,
                    .series_count = h->validation.count ? 2 : 1,
                    .series = series};
    fputs("<div class=\"scroll\">", to);
    gb_plot_write(to, &plot);
    fprintf(to, "</div><figcaption>%.0f steps", h->steps);
    if (h->seconds > 0.0)
        fprintf(to, " in %.0f s", h->seconds);
    if (h->validation.count)
        fprintf(to, ", last held-out loss %.4f", h->validation.y[h->validation.count - 1]);
    fputs(".</figcaption>", to);
}

gb_status gb_report_training(FILE *to, const gb_report *report)
{
    if (report->run_count == 0)
        return GB_OK;
    fputs("<section id=\"training\"><h2>Training</h2>\n", to);
    for (int i = 0; i < report->run_count; i++) {
        const gb_report_run *run = &report->runs[i];
        history h = {0};
        fputs("<h3>", to);
        gb_html_text(to, run->name);
        fputs("</h3><figure>", to);
        if (history_read(run->metrics, &h)) {
            put_history(to, run, &h);
        } else {
            fputs("<p class=\"caption\">No metrics could be read from ", to);
            gb_html_text(to, run->metrics);
            fputs(".</p>", to);
        }
        history_free(&h);
        fputs("</figure>\n", to);
        gb_report_put_command(to, run->command ? run->command : "");
    }
    fputs("</section>\n", to);
    return GB_OK;
}
