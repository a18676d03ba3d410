/* eval/forecaster.c: the forecasters that suites compare: repeating, a ridge regression, a model.
 * They know rows of one series, not data sets. */
#include "eval/forecaster.h"
#include "eval/ridge.h"
#include "genba/op.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RIDGE_LAMBDA 0.1 /* x mean diagonal */

void gb_forecaster_destroy(gb_forecaster *forecaster)
{
    if (forecaster->destroy)
        forecaster->destroy(forecaster->context);
    *forecaster = (gb_forecaster){0};
}

/* ---- repeat -----------------------------------------------------------------------------------
 */

static gb_status repeat_forecast(void *context, const float *past, int64_t count, float *out)
{
    int64_t horizon = *(const int64_t *)context;
    for (int64_t r = 0; r < count; r++) {
        for (int64_t h = 0; h < horizon; h++)
            out[r * horizon + h] = past[r];
    }
    return GB_OK;
}

gb_status gb_forecaster_repeat(int64_t horizon, gb_forecaster *out)
{
    int64_t *kept = malloc(sizeof *kept);
    if (!kept)
        return gb_fail(GB_ERR_MEMORY, "repeat: no memory");
    *kept = horizon;
    *out = (gb_forecaster){.name = "Repeat the last value",
                           .note = "no model",
                           .source = GB_RESULT_BASELINE,
                           .look_back = 1,
                           .horizon = horizon,
                           .quantile_count = 1,
                           .context = kept,
                           .forecast = repeat_forecast,
                           .destroy = free};
    return GB_OK;
}

/* ---- ridge: out = mean + (past - mean) W, the product in a graph --------------------------------
 */

typedef struct ridge {
    gb_arena *arena;
    gb_tensors *weights;
    gb_plan *plan;
    gb_exec *exec;
    int64_t look_back, horizon, batch;
} ridge;

static void ridge_destroy(void *context)
{
    ridge *r = context;
    if (!r)
        return;
    gb_exec_destroy(r->exec);
    gb_plan_destroy(r->plan);
    gb_tensors_destroy(r->weights);
    gb_arena_destroy(r->arena);
    free(r);
}

static gb_status ridge_forecast(void *context, const float *past, int64_t count, float *out)
{
    ridge *r = context;
    float *in = gb_exec_tensor(r->exec, "past").data;
    float mean[4096];
    for (int64_t row = 0; row < count; row++) {
        const float *from = past + row * r->look_back;
        double sum = 0.0;
        for (int64_t i = 0; i < r->look_back; i++)
            sum += (double)from[i];
        mean[row] = (float)(sum / (double)r->look_back);
        for (int64_t i = 0; i < r->look_back; i++)
            in[row * r->look_back + i] = from[i] - mean[row];
    }
    gb_exec_run(r->exec);
    const float *product = gb_exec_tensor(r->exec, "future").data;
    for (int64_t row = 0; row < count; row++) {
        for (int64_t h = 0; h < r->horizon; h++)
            out[row * r->horizon + h] = mean[row] + product[row * r->horizon + h];
    }
    return GB_OK;
}

static gb_status ridge_build(ridge *r, const float *weights, gb_pool *pool)
{
    gb_graph *graph = NULL;
    gb_tensor *tensor = NULL;
    gb_graph_options options = {.compute = GB_F32};
    GB_TRY(gb_tensors_create(&r->weights));
    GB_TRY(gb_tensors_add(r->weights, "map", GB_F32, GB_SHAPE(r->look_back, r->horizon), &tensor));
    memcpy(tensor->data, weights, (size_t)(r->look_back * r->horizon) * sizeof(float));
    GB_TRY(gb_graph_create(options, &graph));
    gb_value past = gb_graph_input(graph, "past", GB_F32, GB_SHAPE(r->batch, r->look_back));
    gb_init zero = {GB_INIT_ZERO, 0.0f};
    gb_value map = gb_graph_parameter(graph, "map", GB_SHAPE(r->look_back, r->horizon), zero);
    gb_graph_output(graph, "future", gb_op_matmul(graph, past, false, map, false));
    gb_status status = gb_graph_status(graph);
    if (status == GB_OK)
        status = gb_plan_create(graph, pool ? gb_pool_threads(pool) : 1, &r->plan);
    gb_graph_destroy(graph);
    GB_TRY(status);
    gb_exec_options exec = {.pool = pool, .weights = r->weights, .frozen = true};
    return gb_exec_create(r->plan, exec, &r->exec);
}

gb_status gb_forecaster_ridge(const float *series,
                              int64_t train_rows,
                              int columns,
                              int64_t look_back,
                              int64_t horizon,
                              int64_t batch,
                              gb_pool *pool,
                              gb_forecaster *out)
{
    ridge *r = calloc(1, sizeof *r);
    if (!r || batch > 4096) {
        free(r);
        return gb_fail(GB_ERR_MEMORY, "ridge: no memory for batches of %lld", (long long)batch);
    }
    r->look_back = look_back;
    r->horizon = horizon;
    r->batch = batch;
    float *weights = NULL;
    gb_status status = gb_arena_create(0, &r->arena);
    if (status == GB_OK)
        status = gb_ridge_fit_series(series, train_rows, columns, look_back, horizon, RIDGE_LAMBDA,
                                     r->arena, &weights);
    if (status == GB_OK)
        status = ridge_build(r, weights, pool);
    if (status != GB_OK) {
        ridge_destroy(r);
        return status;
    }
    *out = (gb_forecaster){.name = "Ridge regression",
                           .note = "no network: one linear map for each set, closed form",
                           .source = GB_RESULT_BASELINE,
                           .look_back = look_back,
                           .horizon = horizon,
                           .quantile_count = 1,
                           .context = r,
                           .forecast = ridge_forecast,
                           .destroy = ridge_destroy};
    return GB_OK;
}

/* ---- model ------------------------------------------------------------------------------------
 */

typedef struct modelled {
    gb_session *session;
    int64_t horizon;
} modelled;

static gb_status model_forecast(void *context, const float *past, int64_t count, float *out)
{
    modelled *m = context;
    return gb_session_forecast(m->session, past, count, m->horizon, out);
}

static void model_destroy(void *context)
{
    modelled *m = context;
    gb_session_destroy(m->session);
    free(m);
}

gb_status gb_forecaster_model(const gb_model *model,
                              const char *name,
                              int64_t horizon,
                              int64_t batch,
                              gb_pool *pool,
                              gb_forecaster *out)
{
    const gb_model_config *config = gb_model_get_config(model);
    const gb_head_config *head = &config->head;
    int median = -1;
    for (unsigned i = 0; i < head->quantile_count; i++) {
        if (fabsf(head->quantiles[i] - 0.5f) < 1e-6f)
            median = (int)i;
    }
    if (head->kind != GB_HEAD_QUANTILE || median < 0)
        return gb_fail(GB_ERR_MISMATCH,
                       "model %s: this suite asks for forecasts, the model has no quantile head "
                       "with a median; train one with head kind quantile",
                       name);
    gb_session_options options = gb_session_defaults();
    options.pool = pool;
    options.batch = batch;
    options.scaled = true; /* every caller here z-scores by its training rows */
    modelled *m = calloc(1, sizeof *m);
    if (!m)
        return gb_fail(GB_ERR_MEMORY, "model %s: no memory for a session", name);
    m->horizon = horizon > 0 && horizon < head->horizon ? horizon : head->horizon;
    gb_status status = gb_session_create(model, options, &m->session);
    if (status != GB_OK) {
        free(m);
        return status;
    }
    *out = (gb_forecaster){.name = name,
                           .note = "",
                           .source = GB_RESULT_MODEL,
                           .look_back = config->codec.look_back,
                           .horizon = m->horizon,
                           .quantile_count = (int)head->quantile_count,
                           .median = median,
                           .levels = head->quantiles,
                           .context = m,
                           .forecast = model_forecast,
                           .destroy = model_destroy};
    return GB_OK;
}
