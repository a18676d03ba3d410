/* eval/suite_cmapss.c: how many flights a turbofan engine has left (C-MAPSS FD001, Saxena et al.
 * 2008). One prediction for each test engine, from its last rows. Training labels are capped, as
 * published; figures are printed against capped and against raw labels. */
#include "eval/data.h"
#include "eval/ridge.h"
#include "eval/suite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SENSORS 21
#define CAP_CYCLES 125.0
#define WINDOW 30
#define RIDGE_LAMBDA 1e-3

enum {
    RMSE_CAPPED,
    RMSE_RAW,
    SCORE,
    COLUMN_COUNT
};
static const gb_result_column columns[COLUMN_COUNT] = {
    {"RMSE capped", "cycles", 2, -1},
    {"RMSE raw", "cycles", 2, -1},
    {"score", "", 0, -1},
};

typedef struct fleet {
    gb_suite_run_state *state;
    gb_dataset *train, *test, *life;
    int64_t engines;   /* of the test set */
    double *left;      /* [engines] true remaining cycles */
    double *predicted; /* [engines] */
} fleet;

/* ---- data -------------------------------------------------------------------------------------
 */

static gb_status sensors_of(const gb_dataset *set, int64_t engine, const gb_stream_view **out)
{
    return gb_benchmark_stream(gb_dataset_get(set, engine), "engine.sensor", SENSORS, out);
}

static gb_status
read_file(const gb_suite_run_state *state, const char *layout, const char *file, gb_dataset **out)
{
    char path[GB_PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/%s", state->data_folder, file);
    if (length < 0 || (size_t)length >= sizeof path)
        return gb_fail(GB_ERR_ARGUMENT, "suite cmapss: the path of %s is too long", file);
    return gb_benchmark_read(layout, path, out);
}

static gb_status load(fleet *f)
{
    const gb_stream_view *life = NULL;
    GB_TRY(read_file(f->state, "cmapss", "train_FD001.txt", &f->train));
    GB_TRY(read_file(f->state, "cmapss", "test_FD001.txt", &f->test));
    GB_TRY(read_file(f->state, "cmapss_life", "RUL_FD001.txt", &f->life));
    GB_TRY(gb_benchmark_stream(gb_dataset_get(f->life, 0), "life", 1, &life));
    f->engines = gb_dataset_count(f->test);
    if (life->count != f->engines)
        return gb_fail(GB_ERR_MISMATCH, "RUL_FD001.txt: %lld rows for %lld test engines",
                       (long long)life->count, (long long)f->engines);
    f->left = gb_arena_alloc(f->state->arena, (size_t)f->engines * sizeof *f->left);
    f->predicted = gb_arena_alloc(f->state->arena, (size_t)f->engines * sizeof *f->predicted);
    if (!f->left || !f->predicted)
        return GB_ERR_MEMORY;
    for (int64_t i = 0; i < f->engines; i++)
        f->left[i] = (double)life->values[i];
    return GB_OK;
}

/* ---- figures ----------------------------------------------------------------------------------
 */

static gb_status
add_row(fleet *f, gb_result_table *table, const char *method, gb_result_source s, const char *note)
{
    const gb_suite_options *options = f->state->options;
    gb_interval *scores = NULL;
    double *parts = gb_arena_alloc(f->state->arena, (size_t)f->engines * sizeof *parts);
    GB_TRY(gb_suite_row(f->state, table, method, s, note, &scores));
    if (!parts)
        return GB_ERR_MEMORY;
    for (int c = 0; c < COLUMN_COUNT; c++) {
        for (int64_t i = 0; i < f->engines; i++) {
            double truth = c == RMSE_CAPPED ? fmin(f->left[i], CAP_CYCLES) : f->left[i];
            double off = f->predicted[i] - truth;
            parts[i] = c == SCORE ? gb_metric_life_score(off) : off * off;
        }
        gb_interval mean;
        GB_TRY(gb_bootstrap_mean(parts, f->engines, 1, options->resamples, options->seed, &mean));
        double n = (double)f->engines;
        if (c == SCORE)
            scores[c] = (gb_interval){n * mean.value, n * mean.low, n * mean.high};
        else
            scores[c] = (gb_interval){sqrt(mean.value), sqrt(mean.low), sqrt(mean.high)};
    }
    return GB_OK;
}

/* ---- methods ----------------------------------------------------------------------------------
 */

static double label_of(const gb_stream_view *view, int64_t row)
{
    return fmin((double)(view->count - 1 - row), CAP_CYCLES);
}

/* The mean capped label over all training rows. */
static gb_status predict_mean(fleet *f)
{
    double sum = 0.0;
    int64_t rows = 0;
    for (int64_t e = 0; e < gb_dataset_count(f->train); e++) {
        const gb_stream_view *view = NULL;
        GB_TRY(sensors_of(f->train, e, &view));
        for (int64_t row = 0; row < view->count; row++)
            sum += label_of(view, row);
        rows += view->count;
    }
    for (int64_t i = 0; i < f->engines; i++)
        f->predicted[i] = sum / (double)rows;
    return GB_OK;
}

/* Ridge regression from the last WINDOW rows of the sensors that vary, and a constant. */
typedef struct linear {
    int used[SENSORS], used_count;
    double mean[SENSORS], sigma[SENSORS];
    int64_t features; /* WINDOW x used_count + 1 */
    double *x;        /* [features] */
    double *square;   /* [features x features] lower half of sum x x^T */
    double *weights;  /* [features]: sum x y, then the solution */
    double label_mean;
} linear;

static gb_status linear_scale(const fleet *f, linear *l)
{
    gb_column_stats stats[SENSORS];
    GB_TRY(gb_stats_compute(f->train, "engine.sensor", NULL, 0, stats, SENSORS));
    for (int c = 0; c < SENSORS; c++) {
        if (stats[c].sigma <= 1e-4 * fabs(stats[c].mean) && stats[c].max - stats[c].min < 0.05)
            continue; /* stands still */
        l->mean[l->used_count] = stats[c].mean;
        l->sigma[l->used_count] = stats[c].sigma;
        l->used[l->used_count++] = c;
    }
    l->features = (int64_t)WINDOW * l->used_count + 1;
    return GB_OK;
}

/* x = the rows up to `row`; the first row repeats before the start. */
static void linear_features(linear *l, const gb_stream_view *view, int64_t row)
{
    double *to = l->x;
    for (int64_t k = row - WINDOW + 1; k <= row; k++) {
        const float *from = view->values + (k > 0 ? k : 0) * SENSORS;
        for (int c = 0; c < l->used_count; c++)
            *to++ = ((double)from[l->used[c]] - l->mean[c]) / l->sigma[c];
    }
    *to = 1.0;
}

static void linear_add(linear *l, double y)
{
    for (int64_t i = 0; i < l->features; i++) {
        double *row = l->square + i * l->features, scale = l->x[i];
        for (int64_t j = 0; j <= i; j++)
            row[j] += scale * l->x[j];
        l->weights[i] += scale * y;
    }
}

static gb_status linear_fit(const fleet *f, linear *l)
{
    for (int64_t e = 0; e < gb_dataset_count(f->train); e++) {
        const gb_stream_view *view = NULL;
        GB_TRY(gb_suite_go_on(f->state));
        GB_TRY(sensors_of(f->train, e, &view));
        for (int64_t row = WINDOW - 1; row < view->count; row++) {
            linear_features(l, view, row);
            linear_add(l, label_of(view, row));
        }
        gb_suite_progress(f->state, "linear regression",
                          (double)(e + 1) / (double)gb_dataset_count(f->train));
    }
    return gb_least_squares_solve(l->square, l->weights, l->features, 1, RIDGE_LAMBDA);
}

static gb_status predict_linear(fleet *f)
{
    linear l = {0};
    gb_arena *scratch = NULL;
    GB_TRY(linear_scale(f, &l));
    GB_TRY(gb_arena_create(0, &scratch));
    size_t n = (size_t)l.features;
    l.x = gb_arena_alloc(scratch, n * sizeof(double));
    l.square = gb_arena_alloc(scratch, n * n * sizeof(double));
    l.weights = gb_arena_alloc(scratch, n * sizeof(double));
    gb_status status = l.x && l.square && l.weights ? linear_fit(f, &l) : GB_ERR_MEMORY;
    for (int64_t e = 0; status == GB_OK && e < f->engines; e++) {
        const gb_stream_view *view = NULL;
        status = sensors_of(f->test, e, &view);
        if (status != GB_OK)
            break;
        linear_features(&l, view, view->count - 1);
        double sum = 0.0;
        for (int64_t i = 0; i < l.features; i++)
            sum += l.weights[i] * l.x[i];
        f->predicted[e] = fmin(fmax(sum, 0.0), CAP_CYCLES);
    }
    gb_arena_destroy(scratch);
    return status;
}

/* ---- the suite --------------------------------------------------------------------------------
 */

static gb_status run_methods(fleet *f)
{
    gb_suite_run_state *state = f->state;
    gb_result_table *table = NULL;
    char caption[256];
    GB_TRY(load(f));
    snprintf(caption, sizeof caption,
             "%lld test engines, one prediction each; training labels capped at %.0f cycles. "
             "Intervals: over engines. Papers' RMSE is against capped labels unless they say so.",
             (long long)f->engines, CAP_CYCLES);
    GB_TRY(gb_suite_table(state, "C-MAPSS FD001", caption, columns, COLUMN_COUNT, &table));
    if (state->options->model)
        return gb_fail(GB_ERR_MISMATCH,
                       "suite cmapss: no model of this version answers with a number of cycles "
                       "(there are heads for forecasts, actions and bytes); run it without a "
                       "model to see the floors");
    if (gb_suite_wants(state, "linear")) {
        GB_TRY(predict_linear(f));
        GB_TRY(add_row(f, table, "Linear regression", GB_RESULT_BASELINE,
                       "no network: ridge on the last 30 rows of the sensors that vary"));
    }
    if (gb_suite_wants(state, "mean")) {
        GB_TRY(predict_mean(f));
        GB_TRY(add_row(f, table, "Mean life", GB_RESULT_BASELINE,
                       "no model: the mean capped label of the training rows"));
    }
    if (gb_suite_wants(state, "perfect")) {
        for (int64_t i = 0; i < f->engines; i++)
            f->predicted[i] = fmin(f->left[i], CAP_CYCLES);
        GB_TRY(add_row(f, table, "The capped truth", GB_RESULT_BASELINE,
                       "what a perfect model that answers at most 125 scores"));
    }
    return gb_suite_published(state, table, "cmapss");
}

static gb_status run(gb_suite_run_state *state)
{
    fleet f = {.state = state};
    gb_status status = run_methods(&f);
    gb_dataset_destroy(f.train);
    gb_dataset_destroy(f.test);
    gb_dataset_destroy(f.life);
    return status;
}

const gb_suite gb_suite_cmapss = {
    .info = {.name = "cmapss",
             .summary = "Predicts how many flights an engine has left, from its last rows.",
             .data = "cmapss",
             .baselines = "linear mean perfect",
             .models = "none yet: only the floors are measured"},
    .run = run,
};
