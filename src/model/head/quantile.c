/* Forecasts as quantiles: the last token gives, for every row of the horizon, a median and the
 * steps from it to the next quantile outward (softplus, so they never cross). Beside the network
 * stands an optional linear shortcut: maps from the whole past to the whole future, each the closed
 * form of a ridge regression on one source, mixed by a softmax gate.
 *
 * All of it happens in the instance-normalised space of the series codec. The weights of the last
 * layers start at zero, so that an untrained model with fitted shortcuts is ridge regression. The
 * network's own part of the median is a parameter by itself, "head.median": where maps already say
 * most, a recipe gives it a small rate.
 *
 * Inside, quantiles lie "outward": the median, those above it, those below it. */
#include "model/head.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/feed.h"
#include "model/head/ridge.h"

#define SPREAD_FLOOR .01f /* as in codec/series.c */
#define WEIGHT_MAX 3.0f   /* an example weighs min(spread, WEIGHT_MAX) */
#define STEP_OFFSET -1.0f /* softplus(-1) = .31: the first guess of a step between quantiles */

enum {
    QUANTILES_MAX = 32,
    RANGES = 16 /* the closed form gathers its rows in so many parts */
};

static const char *const targets[] = {"target", "horizon_weight", NULL};
static const char *const starts[] = {NULL};
static const char *const outputs[] = {"quantiles", NULL};

static const float usual_levels[] = {.1f, .2f, .3f, .4f, .5f, .6f, .7f, .8f, .9f};
static const int usual_horizons[] = {96, 192, 336, 720};

const float *gb_quantile_levels(const gb_head_config *config, unsigned *out_count)
{
    bool given = config->quantile_count > 0;
    *out_count =
        given ? config->quantile_count : (unsigned)(sizeof usual_levels / sizeof *usual_levels);
    return given ? config->quantiles : usual_levels;
}

const int *gb_quantile_horizons(const gb_head_config *config, unsigned *out_count)
{
    bool given = config->evaluation_horizon_count > 0;
    *out_count = given ? config->evaluation_horizon_count
                       : (unsigned)(sizeof usual_horizons / sizeof *usual_horizons);
    return given ? config->evaluation_horizons : usual_horizons;
}

typedef struct levels {
    int count, median;
    float rising[QUANTILES_MAX], outward[QUANTILES_MAX];
} levels;

static levels levels_of(const gb_head_config *h)
{
    unsigned count;
    const float *from = gb_quantile_levels(h, &count);
    levels l = {.count = (int)count};
    for (int i = 0; i < l.count && i < QUANTILES_MAX; i++) {
        l.rising[i] = from[i];
        if (fabsf(from[i] - .5f) < 1e-6f)
            l.median = i;
    }
    int at = 0;
    for (int i = l.median; i < l.count; i++)
        l.outward[at++] = l.rising[i];
    for (int i = l.median - 1; i >= 0; i--)
        l.outward[at++] = l.rising[i];
    return l;
}

static void fill_defaults(gb_model_config *config)
{
    config->head.ridge = config->head.ridge != 0.0f ? config->head.ridge : .1f;
}

static gb_status check_levels(const gb_head_config *h, const gb_config_place *place)
{
    bool median = h->quantile_count == 0;
    if (h->quantile_count > QUANTILES_MAX)
        return gb_config_fail(place, "head.quantiles", "has %u levels, expected at most %d",
                              h->quantile_count, QUANTILES_MAX);
    for (unsigned i = 0; i < h->quantile_count; i++) {
        float level = h->quantiles[i];
        median = median || fabsf(level - .5f) < 1e-6f;
        if (!(level > 0.0f && level < 1.0f) || (i > 0 && level <= h->quantiles[i - 1]))
            return gb_config_fail(place, "head.quantiles",
                                  "expected rising levels between 0 and 1, found %g",
                                  (double)level);
    }
    return median ? GB_OK : gb_config_fail(place, "head.quantiles", "0.5 must be among the levels");
}

static gb_status check(const gb_model_config *config, const gb_config_place *place)
{
    const gb_head_config *h = &config->head;
    if (config->codec.kind != GB_CODEC_SERIES)
        return gb_config_fail(place, "head.kind", "a quantile head needs the series codec");
    GB_TRY(gb_config_check_range(place, "head.horizon", h->horizon, 1, 1 << 16));
    GB_TRY(gb_config_check_range(place, "head.shortcuts", h->shortcuts, 0, 64));
    if (!(h->ridge > 0.0f))
        return gb_config_fail(place, "head.ridge", "is %g, expected more than 0", (double)h->ridge);
    for (unsigned i = 0; i < h->evaluation_horizon_count; i++)
        GB_TRY(gb_config_check_range(place, "head.evaluation_horizons", h->evaluation_horizons[i],
                                     1, 1 << 16));
    return check_levels(h, place);
}

static gb_status window(const gb_model_config *config, gb_window_plan *plan)
{
    for (int i = 0; i < plan->count; i++)
        GB_TRY(gb_window_plan_add(plan, plan->streams[i].name, 0, 0, config->head.horizon, 1));
    return GB_OK;
}

/* ---- graph ---------------------------------------------------------------------------------- */

/* sum over maps s of gate_s (W_s z): [B, H, 1] */
static gb_value shortcut(const gb_build *build, gb_value series, gb_value last)
{
    gb_graph *g = build->graph;
    int64_t batch = build->batch, look_back = build->config->codec.look_back;
    int64_t horizon = build->config->head.horizon, maps = build->config->head.shortcuts;
    gb_value weight = gb_graph_parameter(g, "head.shortcut", GB_SHAPE(maps * horizon, look_back),
                                         (gb_init){GB_INIT_ZERO, 0.0f});
    gb_value y = gb_op_linear(g, series, weight, GB_NONE);
    if (maps > 1) {
        gb_value gate =
            gb_op_softmax(g, gb_build_linear(build, "head.gate", last, maps, true, 0.0f));
        y = gb_op_reshape(g, y, GB_SHAPE(batch, maps, horizon));
        y = gb_op_mul(g, y, gb_op_reshape(g, gate, GB_SHAPE(batch, maps, 1)));
        y = gb_op_reduce(g, GB_REDUCE_SUM, y, 1, 1);
    }
    return gb_op_reshape(g, y, GB_SHAPE(batch, horizon, 1));
}

/* Quantiles in the normalised space, outward: [B, H, Q] */
static gb_value normalised(const gb_build *build, const gb_encoding *encoding)
{
    gb_graph *g = build->graph;
    levels l = levels_of(&build->config->head);
    int64_t batch = build->batch, horizon = build->config->head.horizon;
    gb_shape tokens = gb_value_shape(g, encoding->tokens);
    gb_value last = gb_op_slice(g, encoding->tokens, 1, tokens.dim[1] - 1, 1);
    last = gb_op_reshape(g, last, GB_SHAPE(batch, tokens.dim[2]));
    gb_value median = gb_build_linear(build, "head.median", last, horizon, true, 0.0f);
    median = gb_op_reshape(g, median, GB_SHAPE(batch, horizon, 1));
    if (build->config->head.shortcuts > 0)
        median = gb_op_add(g, median, shortcut(build, encoding->series, last));
    gb_value parts[3] = {median};
    int count = 1;
    for (int side = 0; side < 2; side++) {
        int64_t steps = side == 0 ? l.count - 1 - l.median : l.median;
        if (steps == 0)
            continue;
        gb_value step = gb_build_linear(build, side == 0 ? "head.above" : "head.below", last,
                                        horizon * steps, true, 0.0f);
        step = gb_op_reshape(g, step, GB_SHAPE(batch, horizon, steps));
        step = gb_op_unary(g, GB_UNARY_SOFTPLUS, gb_op_affine(g, step, 1.0f, STEP_OFFSET));
        step = gb_op_cumsum(g, step);
        parts[count++] = side == 0 ? gb_op_add(g, median, step) : gb_op_sub(g, median, step);
    }
    return count > 1 ? gb_op_concat(g, parts, count, 2) : median;
}

static gb_value loss(const gb_build *build, const gb_encoding *encoding)
{
    gb_graph *g = build->graph;
    levels l = levels_of(&build->config->head);
    int64_t horizon = build->config->head.horizon;
    gb_value target = gb_graph_input(g, targets[0], GB_F32, GB_SHAPE(build->batch, horizon));
    gb_value row_weight = gb_graph_input(g, targets[1], GB_F32, GB_SHAPE(1, horizon));
    gb_value scale = gb_op_affine(g, encoding->spread, 1.0f, SPREAD_FLOOR);
    target = gb_op_div(g, gb_op_sub(g, target, encoding->mean), scale);
    gb_value cap = gb_op_fill(g, GB_SCALAR, WEIGHT_MAX);
    gb_value weight = gb_op_mul(g, gb_op_min(g, encoding->spread, cap), row_weight);
    return gb_op_pinball(g, normalised(build, encoding), target, weight, l.outward, l.count);
}

static void predict(const gb_build *build, const gb_encoding *encoding)
{
    gb_graph *g = build->graph;
    gb_shape one = GB_SHAPE(build->batch, 1, 1);
    gb_value scale = gb_op_affine(g, encoding->spread, 1.0f, SPREAD_FLOOR);
    gb_value y = gb_op_mul(g, normalised(build, encoding), gb_op_reshape(g, scale, one));
    y = gb_op_add(g, y, gb_op_reshape(g, encoding->mean, one));
    gb_graph_output(g, outputs[0], y);
}

/* ---- host side ------------------------------------------------------------------------------ */

/* Row h (from 1) weighs the sum of 1 / H' over evaluation horizons H' >= h; scaled to mean 1. */
static void fill_constants(const gb_model *model, const gb_tensor *tensors)
{
    const gb_head_config *h = &model->config->head;
    float *weight = tensors[1].data;
    unsigned count;
    const int *horizons = gb_quantile_horizons(h, &count);
    double sum = 0.0;
    for (int pass = 0; pass < 2; pass++)
        for (int row = 1; row <= h->horizon; row++) {
            double w = 0.0;
            for (unsigned i = 0; i < count; i++) {
                int cut = horizons[i] < h->horizon ? horizons[i] : h->horizon;
                w += cut >= row ? 1.0 / cut : 0.0;
            }
            if (pass == 0)
                sum += w;
            else
                weight[row - 1] = (float)(w * h->horizon / sum);
        }
}

static void
fill(const gb_model *model, const gb_window_view *view, const gb_tensor *tensors, int64_t row)
{
    int64_t horizon = model->config->head.horizon;
    const float *future = view->parts[0].future;
    float *to = (float *)tensors[0].data + row * horizon;
    for (int64_t i = 0; i < horizon; i++)
        to[i] = isfinite(future[i]) ? (future[i] - view->center) / view->scale : NAN;
}

static void finish(const gb_model *model,
                   const gb_window_view *view,
                   const gb_tensor *values,
                   int64_t row,
                   int64_t rows,
                   float *out)
{
    levels l = levels_of(&model->config->head);
    const float *from = (const float *)values[0].data + row * model->config->head.horizon * l.count;
    int above = l.count - 1 - l.median;
    for (int64_t i = 0; i < rows; i++)
        for (int q = 0; q < l.count; q++) {
            int at = q >= l.median ? q - l.median : above + l.median - q;
            out[i * l.count + q] = from[i * l.count + at] * view->scale + view->center;
        }
}

/* ---- closed form ---------------------------------------------------------------------------- */

typedef struct gathering {
    const gb_model *model;
    const gb_window_index *index;
    gb_view_buffer *buffers; /* [RANGES] */
    float *rows;             /* [GB_RIDGE_ROWS, L + H] */
    int64_t first, count;    /* examples */
    double root_weight;      /* of each, besides its spread */
    gb_status status[RANGES];
} gathering;

/* The example in the normalised space times its spread: the row's weight is spread squared. A row
 * whose future has gaps is zeros: it says nothing. */
static void
gather_row(const gb_model *model, const gb_window_view *view, double root_weight, float *row)
{
    int64_t look_back = model->config->codec.look_back, horizon = model->config->head.horizon;
    const float *past = view->parts[0].past, *future = view->parts[0].future;
    double sum = 0.0, squares = 0.0;
    int64_t present = 0;
    bool whole = true;
    for (int64_t i = 0; i < look_back; i++)
        if (isfinite(past[i])) {
            sum += (past[i] - view->center) / view->scale;
            present++;
        }
    double mean = present ? sum / (double)present : 0.0;
    for (int64_t i = 0; i < look_back; i++) {
        double z = isfinite(past[i]) ? (past[i] - view->center) / view->scale - mean : 0.0;
        squares += z * z;
        row[i] = (float)z;
    }
    double spread = present ? sqrt(squares / (double)present) : 0.0;
    double factor = root_weight * spread / (spread + (double)SPREAD_FLOOR);
    for (int64_t i = 0; i < look_back; i++)
        row[i] = (float)(row[i] * factor);
    for (int64_t i = 0; i < horizon; i++) {
        double z = (future[i] - view->center) / view->scale - mean;
        row[look_back + i] = (float)(z * factor);
        whole = whole && isfinite(future[i]);
    }
    if (!whole || present == 0)
        memset(row, 0, (size_t)(look_back + horizon) * sizeof *row);
}

static void gather_range(void *context, int64_t part, int thread)
{
    (void)thread;
    gathering *job = context;
    int64_t width = (int64_t)job->model->config->codec.look_back + job->model->config->head.horizon;
    int64_t begin = job->count * part / RANGES, end = job->count * (part + 1) / RANGES;
    for (int64_t i = begin; i < end && job->status[part] == GB_OK; i++) {
        job->status[part] =
            gb_view_read(&job->buffers[part], job->model, job->index, job->first + i, 0);
        if (job->status[part] == GB_OK)
            gather_row(job->model, &job->buffers[part].view, job->root_weight,
                       job->rows + i * width);
    }
}

static gb_status add_source(
    gb_ridge *ridge, const gb_model *model, gb_window_index *index, gb_arena *arena, gb_pool *pool)
{
    gb_view_buffer buffers[RANGES];
    for (int i = 0; i < RANGES; i++)
        GB_TRY(gb_view_buffer_init(&buffers[i], model, arena));
    gathering job = {
        .model = model, .index = index, .buffers = buffers, .rows = gb_ridge_rows(ridge)};
    int64_t total = gb_window_count(index) * gb_model_examples_per_window(model, index);
    job.root_weight = 256.0 / sqrt((double)total); /* 256 only keeps the sums near 1 a row */
    for (; job.first < total; job.first += GB_RIDGE_ROWS) {
        int64_t left = total - job.first;
        job.count = left < GB_RIDGE_ROWS ? left : GB_RIDGE_ROWS;
        gb_pool_run(pool, gather_range, &job, RANGES);
        for (int i = 0; i < RANGES; i++)
            if (job.status[i] != GB_OK)
                return gb_fail(job.status[i],
                               "closed form: an example of rows %lld on cannot be "
                               "read",
                               (long long)job.first);
        gb_ridge_add(ridge, job.count);
    }
    return GB_OK;
}

static gb_status fit_map(gb_model *model,
                         gb_window_index *const *sources,
                         int source_count,
                         float *weights,
                         gb_pool *pool)
{
    const gb_model_config *config = model->config;
    gb_ridge *ridge = NULL;
    gb_arena *arena = NULL;
    GB_TRY(gb_arena_create(0, &arena));
    gb_status status = gb_ridge_create(config->codec.look_back, config->head.horizon, pool, &ridge);
    for (int i = 0; i < source_count && status == GB_OK; i++)
        status = add_source(ridge, model, sources[i], arena, pool);
    if (status == GB_OK)
        status = gb_ridge_solve(ridge, (double)config->head.ridge, weights);
    gb_ridge_destroy(ridge);
    gb_arena_destroy(arena);
    return status;
}

/* One map: fitted on all sources together, each with the same total weight. Otherwise map i on
 * source i. */
static gb_status
fit_closed_form(gb_model *model, gb_window_index *const *sources, int source_count, gb_pool *pool)
{
    const gb_model_config *config = model->config;
    int maps = config->head.shortcuts;
    if (maps == 0)
        return GB_OK;
    if (maps != 1 && maps != source_count)
        return gb_fail(
            GB_ERR_ARGUMENT,
            "head.shortcuts is %d and there are %d sources: use 1 (fitted on all of them) "
            "or as many as sources",
            maps, source_count);
    gb_tensor *weights = gb_tensors_find(model->weights, "head.shortcut");
    size_t cells = (size_t)config->head.horizon * (size_t)config->codec.look_back;
    float *fitted = gb_aligned_alloc(cells * (size_t)maps * sizeof(float));
    if (!fitted)
        return GB_ERR_MEMORY;
    gb_status status = GB_OK;
    if (maps == 1)
        status = fit_map(model, sources, source_count, fitted, pool);
    for (int i = 0; i < maps && maps > 1 && status == GB_OK; i++)
        status = fit_map(model, &sources[i], 1, fitted + (size_t)i * cells, pool);
    if (status == GB_OK)
        memcpy(weights->data, fitted, cells * (size_t)maps * sizeof(float));
    gb_aligned_free(fitted);
    return status;
}

const gb_head_definition gb_head_definition_quantile = {
    .name = "quantile",
    .targets = targets,
    .starts = starts,
    .outputs = outputs,
    .fill_defaults = fill_defaults,
    .check = check,
    .window = window,
    .fit_closed_form = fit_closed_form,
    .loss = loss,
    .predict = predict,
    .fill_constants = fill_constants,
    .fill = fill,
    .finish = finish,
};
