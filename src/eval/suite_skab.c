/* eval/suite_skab.c: anomalies of a water circulation bench (SKAB v0.9). The first 400 rows of each
 * recording are normal and train; the rest is judged row by row, all recordings pooled. Thresholds
 * are chosen on the training rows alone. */
#include "eval/data.h"
#include "eval/forecaster.h"
#include "eval/suite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SENSORS 8
#define TRAIN_ROWS 400
#define SMOOTH_ROWS 4
#define HALF_ROWS 200

enum {
    F1,
    FALSE_ALARMS,
    MISSED_ALARMS,
    COLUMN_COUNT
};
static const gb_result_column columns[COLUMN_COUNT] = {
    {"F1", "", 3, 1},
    {"false alarms", "%", 1, -1},
    {"missed alarms", "%", 1, -1},
};

typedef struct bench {
    gb_suite_run_state *state;
    gb_dataset *dataset;
    int64_t count;            /* recordings */
    gb_confusion *confusions; /* [count] */
} bench;

/* ---- figures: units are recordings ------------------------------------------------------------
 */

typedef struct figure {
    const gb_confusion *confusions;
    int column;
} figure;

static double pooled(const void *context, const int64_t *units, int64_t count)
{
    const figure *f = context;
    gb_confusion sum = {0};
    for (int64_t i = 0; i < count; i++) {
        const gb_confusion *one = &f->confusions[units[i]];
        sum.true_alarms += one->true_alarms;
        sum.false_alarms += one->false_alarms;
        sum.missed_alarms += one->missed_alarms;
        sum.true_silence += one->true_silence;
    }
    if (f->column == F1)
        return gb_confusion_f1(&sum);
    return f->column == FALSE_ALARMS ? gb_confusion_false_alarm_percent(&sum)
                                     : gb_confusion_missed_alarm_percent(&sum);
}

/* A method scores the rows of one recording: the higher the stranger. score [rows]; NaN: silent.
 * It says above which score it raises the alarm. */
typedef gb_status (*score_fn)(void *context,
                              const gb_stream_view *view,
                              double *score,
                              double *out_threshold);

static gb_status judge(bench *b, int64_t recording, score_fn score, void *context)
{
    const gb_stream_view *view = NULL, *label = NULL;
    GB_TRY(gb_benchmark_stream(gb_dataset_get(b->dataset, recording), "bench", SENSORS, &view));
    GB_TRY(gb_benchmark_stream(gb_dataset_get(b->dataset, recording), "anomaly", 1, &label));
    if (view->count <= TRAIN_ROWS || label->count != view->count)
        return gb_fail(GB_ERR_MISMATCH, "%s: %lld rows, expected more than the %d that train",
                       gb_recording_get_info(gb_dataset_get(b->dataset, recording))->name,
                       (long long)view->count, TRAIN_ROWS);
    double *scores = calloc((size_t)view->count, sizeof *scores), threshold = 0.0;
    if (!scores)
        return gb_fail(GB_ERR_MEMORY, "suite skab: no memory for scores");
    gb_status status = score(context, view, scores, &threshold);
    b->confusions[recording] = (gb_confusion){0};
    for (int64_t row = TRAIN_ROWS; status == GB_OK && row < view->count; row++)
        gb_confusion_add(&b->confusions[recording], scores[row] > threshold,
                         label->values[row] > 0.5f);
    free(scores);
    return status;
}

static gb_status add_method(bench *b,
                            gb_result_table *table,
                            const char *method,
                            gb_result_source source,
                            const char *note,
                            score_fn score,
                            void *context)
{
    for (int64_t i = 0; i < b->count; i++) {
        GB_TRY(gb_suite_go_on(b->state));
        GB_TRY(judge(b, i, score, context));
        gb_suite_progress(b->state, method, (double)(i + 1) / (double)b->count);
    }
    gb_interval *scores = NULL;
    GB_TRY(gb_suite_row(b->state, table, method, source, note, &scores));
    for (int c = 0; c < COLUMN_COUNT; c++) {
        figure f = {b->confusions, c};
        GB_TRY(gb_bootstrap(pooled, &f, b->count, 1, b->state->options->resamples,
                            b->state->options->seed, &scores[c]));
    }
    return GB_OK;
}

/* ---- methods ----------------------------------------------------------------------------------
 */

static gb_status
always(void *context, const gb_stream_view *view, double *score, double *out_threshold)
{
    (void)context;
    for (int64_t row = 0; row < view->count; row++)
        score[row] = 1.0;
    *out_threshold = 0.5;
    return GB_OK;
}

/* Mean and sigma of the training rows; a sensor that stands still counts in its own unit. */
static void training_scale(const gb_stream_view *view, double *mean, double *sigma)
{
    for (int c = 0; c < SENSORS; c++) {
        double sum = 0.0, squares = 0.0;
        for (int row = 0; row < TRAIN_ROWS; row++)
            sum += (double)view->values[row * SENSORS + c];
        mean[c] = sum / TRAIN_ROWS;
        for (int row = 0; row < TRAIN_ROWS; row++) {
            double off = (double)view->values[row * SENSORS + c] - mean[c];
            squares += off * off;
        }
        sigma[c] = squares > 0.0 ? sqrt(squares / TRAIN_ROWS) : 1.0;
    }
}

/* out[row] = mean of in over the last SMOOTH_ROWS rows. */
static void smooth(const double *in, int64_t count, double *out)
{
    for (int64_t row = 0; row < count; row++) {
        int64_t first = row >= SMOOTH_ROWS ? row - SMOOTH_ROWS + 1 : 0;
        double sum = 0.0;
        for (int64_t k = first; k <= row; k++)
            sum += in[k];
        out[row] = sum / (double)(row - first + 1);
    }
}

/* The highest score of training rows [first, TRAIN_ROWS). */
static double training_maximum(const double *score, int64_t first)
{
    double highest = 0.0;
    for (int64_t row = first; row < TRAIN_ROWS; row++)
        highest = fmax(highest, score[row]);
    return highest;
}

static gb_status
z_score(void *context, const gb_stream_view *view, double *score, double *out_threshold)
{
    double *square = calloc((size_t)view->count, sizeof *square);
    (void)context;
    if (!square)
        return gb_fail(GB_ERR_MEMORY, "suite skab: no memory for scores");
    double mean[SENSORS], sigma[SENSORS];
    training_scale(view, mean, sigma);
    for (int64_t row = 0; row < view->count; row++) {
        for (int c = 0; c < SENSORS; c++) {
            double z = ((double)view->values[row * SENSORS + c] - mean[c]) / sigma[c];
            square[row] += z * z / SENSORS;
        }
    }
    smooth(square, view->count, score);
    free(square);
    *out_threshold = training_maximum(score, 0);
    return GB_OK;
}

/* ---- a model's surprise -----------------------------------------------------------------------
 * A forecast that reads the fault it is to find soon takes it for normal. So the rows that are
 * judged are forecast from the training rows alone, and the threshold comes from the second half of
 * those, forecast from the first. */

typedef struct surprise {
    gb_forecaster forecaster;
    float *past, *future; /* of SENSORS series */
} surprise;

/* One column up to (not including) row `now`, z-scored, NaN before the recording starts. */
static void fill_past(const gb_stream_view *view,
                      int column,
                      int64_t now,
                      double mean,
                      double sigma,
                      int64_t look_back,
                      float *to)
{
    for (int64_t i = 0; i < look_back; i++) {
        int64_t row = now - look_back + i;
        to[i] =
            row < 0 ? NAN : (float)(((double)view->values[row * SENSORS + column] - mean) / sigma);
    }
}

/* residual [rows x SENSORS], rows first .. last-1, of the median forecast from the rows before
 * first. Past the horizon its last row stands. */
static gb_status
residuals(surprise *s, const gb_stream_view *view, int64_t first, int64_t last, double *residual)
{
    const gb_forecaster *f = &s->forecaster;
    double mean[SENSORS], sigma[SENSORS];
    training_scale(view, mean, sigma);
    for (int c = 0; c < SENSORS; c++)
        fill_past(view, c, first, mean[c], sigma[c], f->look_back, s->past + c * f->look_back);
    GB_TRY(f->forecast(f->context, s->past, SENSORS, s->future));
    for (int64_t row = first; row < last; row++) {
        int64_t h = row - first < f->horizon ? row - first : f->horizon - 1;
        for (int c = 0; c < SENSORS; c++) {
            double z = ((double)view->values[row * SENSORS + c] - mean[c]) / sigma[c];
            residual[row * SENSORS + c] =
                z - (double)s->future[(c * f->horizon + h) * f->quantile_count + f->median];
        }
    }
    return GB_OK;
}

/* Mean over sensors of (residual / its sigma on the training rows)^2, smoothed. */
static void score_residuals(const double *residual, int64_t count, double *square, double *score)
{
    for (int c = 0; c < SENSORS; c++) {
        double sum = 0.0;
        for (int64_t row = HALF_ROWS; row < TRAIN_ROWS; row++)
            sum += residual[row * SENSORS + c] * residual[row * SENSORS + c];
        double variance = sum > 0.0 ? sum / (TRAIN_ROWS - HALF_ROWS) : 1.0;
        for (int64_t row = HALF_ROWS; row < count; row++)
            square[row] +=
                residual[row * SENSORS + c] * residual[row * SENSORS + c] / variance / SENSORS;
    }
    smooth(square, count, score);
}

static gb_status
surprise_score(void *context, const gb_stream_view *view, double *score, double *out_threshold)
{
    double *numbers = calloc((size_t)view->count * (SENSORS + 1), sizeof *numbers);
    if (!numbers)
        return gb_fail(GB_ERR_MEMORY, "suite skab: no memory for residuals");
    double *square = numbers + view->count * SENSORS;
    gb_status status = residuals(context, view, HALF_ROWS, TRAIN_ROWS, numbers);
    if (status == GB_OK)
        status = residuals(context, view, TRAIN_ROWS, view->count, numbers);
    if (status == GB_OK) {
        score_residuals(numbers, view->count, square, score);
        *out_threshold = training_maximum(score, HALF_ROWS);
    }
    free(numbers);
    return status;
}

static gb_status add_model(bench *b, gb_result_table *table)
{
    const gb_suite_options *options = b->state->options;
    const char *name = gb_suite_model_name(b->state);
    surprise s = {0};
    GB_TRY(gb_forecaster_model(options->model, name, 0, SENSORS, options->pool, &s.forecaster));
    const gb_forecaster *f = &s.forecaster;
    s.past = calloc((size_t)(SENSORS * f->look_back), sizeof *s.past);
    s.future = calloc((size_t)(SENSORS * f->horizon * f->quantile_count), sizeof *s.future);
    gb_status status = gb_fail(GB_ERR_MEMORY, "suite skab: no memory for a batch");
    if (s.past && s.future)
        status = add_method(
            b, table, name, GB_RESULT_MODEL,
            "zero shot: how far the rows lie from what it forecast after the training rows",
            surprise_score, &s);
    gb_forecaster_destroy(&s.forecaster);
    free(s.past);
    free(s.future);
    return status;
}

/* ---- the suite --------------------------------------------------------------------------------
 */

static gb_status run_methods(bench *b)
{
    gb_suite_run_state *state = b->state;
    gb_result_table *table = NULL;
    b->count = gb_dataset_count(b->dataset);
    b->confusions = gb_arena_alloc(state->arena, (size_t)b->count * sizeof *b->confusions);
    if (!b->confusions)
        return GB_ERR_MEMORY;
    char caption[256];
    snprintf(caption, sizeof caption,
             "%lld recordings pooled; their first %d rows train, the rest is judged row by row. "
             "Read the three figures together: a detector that never stops scores F1 .698. "
             "Intervals: over recordings.",
             (long long)b->count, TRAIN_ROWS);
    GB_TRY(gb_suite_table(state, "SKAB", caption, columns, COLUMN_COUNT, &table));
    if (state->options->model)
        GB_TRY(add_model(b, table));
    if (gb_suite_wants(state, "zscore"))
        GB_TRY(add_method(b, table, "Plain z-scores", GB_RESULT_BASELINE,
                          "no model: mean square over sensors and 4 rows, above all training rows",
                          z_score, NULL));
    if (gb_suite_wants(state, "always"))
        GB_TRY(add_method(b, table, "Always raise the alarm", GB_RESULT_BASELINE,
                          "the floor of this benchmark", always, NULL));
    return gb_suite_published(state, table, "skab");
}

static gb_status run(gb_suite_run_state *state)
{
    bench b = {.state = state};
    GB_TRY(gb_benchmark_read("skab", state->data_folder, &b.dataset));
    gb_status status = run_methods(&b);
    gb_dataset_destroy(b.dataset);
    return status;
}

const gb_suite gb_suite_skab = {
    .info = {.name = "skab",
             .summary = "Finds faults of a water circulation bench, row by row.",
             .data = "skab",
             .baselines = "always zscore",
             .models = "quantile head over a series codec"},
    .run = run,
};
