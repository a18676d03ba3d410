/* eval/suite_ett.c: forecasts of electricity-transformer sensors (Zhou et al. 2021) as the
 * published tables count them: test rows only, stride 1, every window, z-scored channels. */
#include "eval/data.h"
#include "eval/forecaster.h"
#include "eval/suite.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LOOK_BACK 512
#define HORIZON 720 /* the longest */
#define HORIZON_COUNT 4
#define CHANNELS 7
#define BATCH_WINDOWS 32
#define DRAWN_PAST 168
#define DRAWN_HORIZON 192

static const int64_t horizons[HORIZON_COUNT] = {96, 192, 336, 720};
static const gb_result_column columns[2 * HORIZON_COUNT] = {
    {"MSE 96", "", 3, -1}, {"MSE 192", "", 3, -1}, {"MSE 336", "", 3, -1}, {"MSE 720", "", 3, -1},
    {"MAE 96", "", 3, -1}, {"MAE 192", "", 3, -1}, {"MAE 336", "", 3, -1}, {"MAE 720", "", 3, -1},
};

typedef struct set_info {
    const char *name;
    int64_t rows_an_hour;
} set_info;
static const set_info sets[] = {{"ETTh1", 1}, {"ETTh2", 1}, {"ETTm1", 4}, {"ETTm2", 4}};
#define SET_COUNT ((int)(sizeof sets / sizeof *sets))

/* ---- one data set, scaled ---------------------------------------------------------------------
 */

typedef struct ett_data {
    const set_info *info;
    gb_dataset *dataset;
    const gb_stream_view *series; /* [rows x CHANNELS] */
    float *scaled;                /* the same in z-scores */
    double mean[CHANNELS], sigma[CHANNELS];
    int64_t train_rows, test_first, test_last;
} ett_data;

/* z-scores by the training rows' mean and population sigma. */
static gb_status scale(ett_data *data, gb_arena *arena)
{
    gb_row_range train = {.recording = 0, .first_row = 0, .last_row = data->train_rows};
    gb_column_stats stats[CHANNELS];
    GB_TRY(gb_stats_compute(data->dataset, "transformer", &train, 1, stats, CHANNELS));
    data->scaled =
        gb_arena_alloc(arena, (size_t)(data->series->count * CHANNELS) * sizeof *data->scaled);
    if (!data->scaled)
        return GB_ERR_MEMORY;
    for (int c = 0; c < CHANNELS; c++) {
        data->mean[c] = stats[c].mean;
        data->sigma[c] = stats[c].sigma;
    }
    for (int64_t i = 0; i < data->series->count * CHANNELS; i++) {
        double value = (double)data->series->values[i];
        data->scaled[i] = (float)((value - data->mean[i % CHANNELS]) / data->sigma[i % CHANNELS]);
    }
    return GB_OK;
}

static gb_status load(gb_suite_run_state *state, const char *path, ett_data *data)
{
    GB_TRY(gb_benchmark_read("ett", path, &data->dataset));
    GB_TRY(gb_benchmark_stream(gb_dataset_get(data->dataset, 0), "transformer", CHANNELS,
                               &data->series));
    data->train_rows = 8640 * data->info->rows_an_hour;
    data->test_first = 11520 * data->info->rows_an_hour;
    data->test_last = 14400 * data->info->rows_an_hour;
    if (data->series->count < data->test_last || !data->series->clean)
        return gb_fail(GB_ERR_MISMATCH,
                       "%s: %lld rows, expected at least %lld and no gaps; is the file whole?",
                       path, (long long)data->series->count, (long long)data->test_last);
    return scale(data, state->arena);
}

/* ---- one method on one set --------------------------------------------------------------------
 */

typedef struct pass {
    gb_suite_run_state *state;
    const ett_data *data;
    const gb_forecaster *forecaster;
    int64_t step, windows;             /* windows: of the shortest horizon */
    float *past, *future;              /* of a batch */
    double *errors[2 * HORIZON_COUNT]; /* [windows] MSE, then MAE; as many as fit a horizon */
    int64_t counts[HORIZON_COUNT];
    int examples_first, examples_last; /* numbers of the forecasts to keep */
} pass;

static int64_t window_row(const pass *p, int64_t window)
{
    return p->data->test_first + window * p->step;
}

static void fill_past(const pass *p, int64_t first, int64_t count)
{
    int64_t look_back = p->forecaster->look_back;
    float *to = p->past;
    for (int64_t w = first; w < first + count; w++) {
        const float *from = p->data->scaled + (window_row(p, w) - look_back) * CHANNELS;
        for (int c = 0; c < CHANNELS; c++) {
            for (int64_t i = 0; i < look_back; i++)
                *to++ = from[i * CHANNELS + c];
        }
    }
}

/* Errors of one window, summed outwards so that each horizon is a prefix of the next. */
static void score_window(pass *p, int64_t window, const float *future)
{
    int q = p->forecaster->quantile_count;
    int64_t first_row = window_row(p, window), reach = p->forecaster->horizon, h = 0;
    double squares = 0.0, absolutes = 0.0;
    for (int k = 0; k < HORIZON_COUNT && horizons[k] <= reach; k++) {
        if (first_row + horizons[k] > p->data->test_last)
            return;
        for (; h < horizons[k]; h++) {
            for (int c = 0; c < CHANNELS; c++) {
                float forecast = future[((int64_t)c * reach + h) * q + p->forecaster->median];
                float truth = p->data->scaled[(first_row + h) * CHANNELS + c];
                double off = (double)(forecast - truth);
                squares += off * off;
                absolutes += fabs(off);
            }
        }
        p->errors[k][p->counts[k]] = squares / (double)(h * CHANNELS);
        p->errors[HORIZON_COUNT + k][p->counts[k]++] = absolutes / (double)(h * CHANNELS);
    }
}

/* Copies one channel of one window for drawing, in the file's own units. */
static gb_status keep_example(pass *p, int64_t window, int channel, const float *future)
{
    gb_suite_run_state *state = p->state;
    const ett_data *data = p->data;
    const gb_forecaster *f = p->forecaster;
    int q = f->quantile_count;
    int64_t row = window_row(p, window);
    int64_t horizon = DRAWN_HORIZON < f->horizon ? DRAWN_HORIZON : f->horizon;
    float *past = gb_arena_alloc(state->arena, DRAWN_PAST * sizeof *past);
    float *truth = gb_arena_alloc(state->arena, (size_t)horizon * sizeof *truth);
    float *bands = gb_arena_alloc(state->arena, (size_t)(horizon * q) * sizeof *bands);
    float *levels = gb_arena_alloc(state->arena, (size_t)q * sizeof *levels);
    char start[32];
    gb_time_text(data->series->time_ns[row], start, sizeof start);
    char *start_copy = gb_arena_text(state->arena, start);
    char *name = gb_arena_format(state->arena, "%s %s", data->info->name,
                                 data->series->spec->labels[channel]);
    if (!past || !truth || !bands || !levels || !name || !start_copy)
        return GB_ERR_MEMORY;
    double mean = data->mean[channel], sigma = data->sigma[channel], squares = 0.0;
    const float *from = data->series->values;
    for (int64_t i = 0; i < DRAWN_PAST; i++)
        past[i] = from[(row - DRAWN_PAST + i) * CHANNELS + channel];
    for (int64_t h = 0; h < horizon; h++) {
        truth[h] = from[(row + h) * CHANNELS + channel];
        for (int i = 0; i < q; i++)
            bands[h * q + i] =
                (float)(mean + sigma * (double)future[((int64_t)channel * f->horizon + h) * q + i]);
        double off = ((double)bands[h * q + f->median] - (double)truth[h]) / sigma;
        squares += off * off;
    }
    for (int i = 0; i < q; i++)
        levels[i] = f->levels ? f->levels[i] : 0.5f;
    state->examples[state->result->example_count++] = (gb_forecast_example){
        .series = name,
        .unit = strcmp(data->series->spec->labels[channel], "OT") == 0 ? "\u00b0C" : "as recorded",
        .start = start_copy,
        .step_s = 3600.0 / (double)data->info->rows_an_hour,
        .past_count = DRAWN_PAST,
        .horizon = horizon,
        .quantile_count = q,
        .past = past,
        .truth = truth,
        .levels = levels,
        .quantiles = bands,
        .mse = squares / (double)horizon};
    return GB_OK;
}

/* Which examples stand in this batch: they are spread over the windows that have a whole future to
 * draw, and over the channels, the last (oil temperature) first. */
static gb_status keep_examples(pass *p, int64_t first, int64_t count)
{
    int wanted = p->examples_last - p->examples_first;
    int64_t windows = p->windows - DRAWN_HORIZON / p->step;
    int64_t reach = p->forecaster->horizon * p->forecaster->quantile_count;
    for (int e = 0; e < wanted && windows > 0; e++) {
        int64_t window = (2 * e + 1) * windows / (2 * wanted);
        int channel = CHANNELS - 1 - (2 * e) % CHANNELS;
        if (window >= first && window < first + count)
            GB_TRY(
                keep_example(p, window, channel, p->future + (window - first) * CHANNELS * reach));
    }
    return GB_OK;
}

static gb_status run_windows(pass *p)
{
    const gb_forecaster *f = p->forecaster;
    for (int64_t first = 0; first < p->windows; first += BATCH_WINDOWS) {
        int64_t left = p->windows - first;
        int64_t count = left < BATCH_WINDOWS ? left : BATCH_WINDOWS;
        GB_TRY(gb_suite_go_on(p->state));
        fill_past(p, first, count);
        GB_TRY(f->forecast(f->context, p->past, count * CHANNELS, p->future));
        for (int64_t w = 0; w < count; w++)
            score_window(p, first + w, p->future + w * CHANNELS * f->horizon * f->quantile_count);
        GB_TRY(keep_examples(p, first, count));
        char what[128];
        snprintf(what, sizeof what, "%s: %s", p->data->info->name, f->name);
        gb_suite_progress(p->state, what, (double)(first + count) / (double)p->windows);
    }
    return GB_OK;
}

static gb_status allocate(pass *p, gb_arena *arena)
{
    const gb_forecaster *f = p->forecaster;
    size_t rows = (size_t)(BATCH_WINDOWS * CHANNELS);
    p->past = gb_arena_alloc(arena, rows * (size_t)f->look_back * sizeof(float));
    p->future =
        gb_arena_alloc(arena, rows * (size_t)(f->horizon * f->quantile_count) * sizeof(float));
    bool there = p->past && p->future;
    for (int i = 0; i < 2 * HORIZON_COUNT; i++) {
        p->errors[i] = gb_arena_alloc(arena, (size_t)p->windows * sizeof(double));
        there = there && p->errors[i];
    }
    return there ? GB_OK : GB_ERR_MEMORY;
}

/* Runs one method over all windows and adds its row. */
static gb_status run_method(pass *p, gb_result_table *table, gb_arena *scratch)
{
    const gb_suite_options *options = p->state->options;
    const gb_forecaster *f = p->forecaster;
    gb_interval *scores = NULL;
    if (f->look_back > p->data->test_first)
        return gb_fail(GB_ERR_MISMATCH, "%s: look-back %lld is longer than the data", f->name,
                       (long long)f->look_back);
    GB_TRY(allocate(p, scratch));
    GB_TRY(run_windows(p));
    GB_TRY(gb_suite_row(p->state, table, f->name, f->source, f->note, &scores));
    for (int i = 0; i < 2 * HORIZON_COUNT; i++) {
        int64_t count = p->counts[i % HORIZON_COUNT];
        int64_t block = horizons[i % HORIZON_COUNT] / p->step;
        block = block > count / 4 ? count / 4 : block;
        if (count > 0)
            GB_TRY(gb_bootstrap_mean(p->errors[i], count, block > 0 ? block : 1, options->resamples,
                                     options->seed, &scores[i]));
    }
    return GB_OK;
}

static gb_status score(gb_suite_run_state *state,
                       const ett_data *data,
                       gb_result_table *table,
                       gb_forecaster *forecaster,
                       int examples_first,
                       int examples_last)
{
    int64_t step = state->options->window_step;
    pass p = {.state = state,
              .data = data,
              .forecaster = forecaster,
              .step = step,
              .windows = (data->test_last - data->test_first - horizons[0]) / step + 1,
              .examples_first = examples_first,
              .examples_last = examples_last};
    gb_arena *scratch = NULL;
    gb_status status = gb_arena_create(0, &scratch);
    if (status == GB_OK)
        status = run_method(&p, table, scratch);
    gb_arena_destroy(scratch);
    gb_forecaster_destroy(forecaster);
    return status;
}

/* ---- the suite --------------------------------------------------------------------------------
 */

/* examples [first, last) are this set's share of the forecasts to draw: the model's, or the
 * regression's when there is no model. */
static gb_status run_set(gb_suite_run_state *state, const ett_data *data, int first, int last)
{
    const gb_suite_options *options = state->options;
    int64_t batch = (int64_t)BATCH_WINDOWS * CHANNELS;
    gb_result_table *table = NULL;
    gb_forecaster f;
    char caption[320];
    long long shortest = (data->test_last - data->test_first - 96) / options->window_step + 1;
    snprintf(caption, sizeof caption,
             "%lld test windows at horizon 96%s, 7 channels z-scored by the training rows, "
             "look-back %d. Intervals: moving blocks as long as the horizon.",
             shortest, options->window_step > 1 ? " (a sample: not every window)" : "", LOOK_BACK);
    GB_TRY(gb_suite_table(state, data->info->name, caption, columns, 2 * HORIZON_COUNT, &table));
    if (options->model) {
        GB_TRY(gb_forecaster_model(options->model, gb_suite_model_name(state), 0, batch,
                                   options->pool, &f));
        GB_TRY(score(state, data, table, &f, first, last));
    }
    if (gb_suite_wants(state, "ridge")) {
        GB_TRY(gb_suite_go_on(state)); /* the fit is a long step of its own */
        GB_TRY(gb_forecaster_ridge(data->scaled, data->train_rows, CHANNELS, LOOK_BACK, HORIZON,
                                   batch, options->pool, &f));
        GB_TRY(score(state, data, table, &f, options->model ? last : first, last));
    }
    if (gb_suite_wants(state, "repeat")) {
        GB_TRY(gb_forecaster_repeat(HORIZON, &f));
        GB_TRY(score(state, data, table, &f, last, last));
    }
    return gb_suite_published(state, table, data->info->name);
}

static const char all_sets[] = "ETTh1 ETTh2 ETTm1 ETTm2";

/* Which sets are asked for and there. */
static gb_status choose(gb_suite_run_state *state, const set_info **chosen, int *out_count)
{
    int count = 0;
    GB_TRY(gb_suite_check_words("ett", "set", state->options->only, all_sets));
    for (int i = 0; i < SET_COUNT; i++) {
        char path[GB_PATH_MAX];
        if (!gb_words_have(state->options->only, sets[i].name))
            continue;
        snprintf(path, sizeof path, "%s/%s.csv", state->data_folder, sets[i].name);
        if (gb_file_exists(path))
            chosen[count++] = &sets[i];
        else
            GB_TRY(gb_suite_skip(state, "%s.csv is not in %s", sets[i].name, state->data_folder));
    }
    if (count == 0)
        return gb_fail(GB_ERR_NOT_FOUND, "suite ett: none of the sets asked for (%s) is in %s",
                       state->options->only ? state->options->only : all_sets, state->data_folder);
    *out_count = count;
    return GB_OK;
}

static gb_status run(gb_suite_run_state *state)
{
    const set_info *chosen[SET_COUNT];
    int count = 0, examples = state->options->examples;
    GB_TRY(choose(state, chosen, &count));
    for (int i = 0; i < count; i++) {
        ett_data data = {.info = chosen[i]};
        char path[GB_PATH_MAX];
        snprintf(path, sizeof path, "%s/%s.csv", state->data_folder, chosen[i]->name);
        gb_status status = load(state, path, &data);
        if (status == GB_OK)
            status = run_set(state, &data, i * examples / count, (i + 1) * examples / count);
        gb_dataset_destroy(data.dataset);
        GB_TRY(status);
    }
    return GB_OK;
}

const gb_suite gb_suite_ett = {
    .info = {.name = "ett",
             .summary = "Forecasts electricity-transformer sensors 96 to 720 rows ahead.",
             .data = "ett",
             .baselines = "repeat ridge",
             .models = "quantile head over a series codec"},
    .chooses = true,
    .run = run,
};
