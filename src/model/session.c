/* A session: one caller's buffers for one model. Which graphs it holds depends on the head; all are
 * planned and allocated here at creation, and nothing is allocated in a step. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/feed.h"

enum {
    READ_ROWS = 32, /* bytes of a long text read at once; the rest one at a time */
    HORIZON_MAX = 1 << 24
};

/* One planned graph ready to run. */
typedef struct program {
    gb_plan *plan;
    gb_exec *exec;
    gb_tensor inputs[GB_INPUTS_MAX], starts[GB_INPUTS_MAX], outputs[GB_INPUTS_MAX];
    int32_t *position; /* of cached graphs */
} program;

struct gb_session {
    const gb_model *model; /* borrowed */
    const gb_codec_definition *codec;
    const gb_head_definition *head;
    gb_session_options options;
    gb_window_part *parts; /* of an observation */
    int part_count;
    float *past;                 /* [batch, look_back] of forecasts */
    program predict;             /* forecasts, actions */
    program read_many, read_one; /* bytes */
    gb_tensors *caches;          /* shared by both */
    int64_t position;            /* bytes read */
};

gb_session_options gb_session_defaults(void)
{
    return (gb_session_options){.batch = 1, .compute = GB_F32};
}

static void program_destroy(program *p)
{
    gb_exec_destroy(p->exec);
    gb_plan_destroy(p->plan);
}

/* rows 0: whole windows. */
static gb_status program_create(gb_session *session, int64_t rows, program *out)
{
    gb_graph *graph = NULL;
    gb_status status = GB_OK;
    const gb_model *model = session->model;
    GB_TRY(gb_graph_create((gb_graph_options){.compute = session->options.compute}, &graph));
    if (rows > 0) {
        GB_TRY_OR(done, gb_model_build_read(model, graph, rows));
        GB_TRY_OR(done, gb_graph_init_state(graph, session->caches));
    } else {
        GB_TRY_OR(done, gb_model_build_predict(model, graph, session->options.batch));
    }
    GB_TRY_OR(done, gb_plan_create(graph, gb_pool_threads(session->options.pool), &out->plan));
    gb_exec_options options = {.pool = session->options.pool,
                               .weights = model->weights,
                               .state = session->caches,
                               .frozen = true};
    GB_TRY_OR(done, gb_exec_create(out->plan, options, &out->exec));
    gb_bind(out->exec, session->codec->inputs, out->inputs);
    gb_bind(out->exec, session->head->starts, out->starts);
    gb_bind(out->exec, session->head->outputs, out->outputs);
    out->position = gb_exec_tensor(out->exec, "position").data;
done:
    gb_graph_destroy(graph);
    return status;
}

static gb_status prepare_observation(gb_session *session)
{
    const gb_model *model = session->model;
    session->parts = calloc((size_t)model->plan.count + 1, sizeof *session->parts);
    if (!session->parts)
        return gb_fail(GB_ERR_MEMORY, "session: no memory");
    const gb_window_stream *stream;
    int64_t size = 0;
    for (int i = 0; (stream = gb_model_observation(model, i, &size)) != NULL; i++)
        session->parts[session->part_count++] =
            (gb_window_part){.name = stream->name, .look_back = stream->look_back, .size = size};
    return GB_OK;
}

gb_status gb_session_create(const gb_model *model, gb_session_options options, gb_session **out)
{
    if (options.batch < 1 || options.batch > 1 << 20)
        return gb_fail(GB_ERR_ARGUMENT, "session: batch is %lld, expected 1 to %d",
                       (long long)options.batch, 1 << 20);
    gb_session *session = calloc(1, sizeof *session);
    if (!session)
        return gb_fail(GB_ERR_MEMORY, "session: no memory");
    session->model = model;
    session->codec = gb_codec_of(model->config->codec.kind);
    session->head = gb_head_of(model->config->head.kind);
    session->options = options;
    gb_status status = GB_OK;
    GB_TRY_OR(fail, gb_tensors_create(&session->caches));
    GB_TRY_OR(fail, prepare_observation(session));
    if (model->config->head.kind == GB_HEAD_TOKEN) {
        GB_TRY_OR(fail, program_create(session, 1, &session->read_one));
        GB_TRY_OR(fail, program_create(session, READ_ROWS, &session->read_many));
    } else {
        GB_TRY_OR(fail, program_create(session, 0, &session->predict));
    }
    if (model->config->head.kind == GB_HEAD_QUANTILE) {
        size_t values = (size_t)options.batch * (size_t)model->config->codec.look_back;
        session->past = gb_aligned_alloc(values * sizeof(float));
        if (!session->past) {
            status = GB_ERR_MEMORY;
            goto fail;
        }
    }
    *out = session;
    return GB_OK;
fail:
    gb_session_destroy(session);
    return status;
}

void gb_session_destroy(gb_session *session)
{
    if (!session)
        return;
    program_destroy(&session->predict);
    program_destroy(&session->read_many);
    program_destroy(&session->read_one);
    gb_tensors_destroy(session->caches);
    free(session->parts);
    gb_aligned_free(session->past);
    free(session);
}

static gb_status check_head(const gb_session *session, gb_head_kind wanted, const char *call)
{
    if (session->model->config->head.kind == wanted)
        return GB_OK;
    return gb_fail(GB_ERR_ARGUMENT, "%s: this model has a %s head and a %s codec", call,
                   session->head->name, session->codec->name);
}

/* ---- forecasts ------------------------------------------------------------------------------ */

/* Row `row` of the batch: the past as it stands, which grows by medians on a long horizon. */
static gb_window_view view_of_past(const gb_session *session, int64_t row, gb_window_part *part)
{
    int64_t look_back = session->model->config->codec.look_back;
    *part = (gb_window_part){
        .past = session->past + row * look_back, .look_back = look_back, .size = 1};
    gb_window_view view = {.parts = part, .part_count = 1, .scale = 1.0f};
    if (!session->options.scaled)
        gb_scale_of(part->past, look_back, &view.center, &view.scale);
    return view;
}

/* Appends the medians of `rows` forecast rows to the past of a batch row. */
static void roll(gb_session *session, int64_t row, const float *quantiles, int64_t rows)
{
    const gb_head_config *h = &session->model->config->head;
    int64_t look_back = session->model->config->codec.look_back, count = h->quantile_count;
    float *past = session->past + row * look_back;
    int64_t kept = look_back > rows ? look_back - rows : 0;
    int64_t median = 0;
    while (median + 1 < count && h->quantiles[median] < .5f - 1e-6f)
        median++;
    memmove(past, past + look_back - kept, (size_t)kept * sizeof *past);
    for (int64_t i = kept; i < look_back; i++)
        past[i] = quantiles[(rows - look_back + i) * count + median];
}

/* One batch, from `done` rows ahead on; returns how many rows it added. */
static int64_t
forecast_batch(gb_session *session, int64_t rows, int64_t done, int64_t horizon, float *out)
{
    const gb_head_config *h = &session->model->config->head;
    program *p = &session->predict;
    int64_t step = horizon - done < h->horizon ? horizon - done : h->horizon;
    int64_t quantiles = h->quantile_count;
    gb_window_part part;
    for (int64_t i = 0; i < rows; i++) {
        gb_window_view view = view_of_past(session, i, &part);
        session->codec->fill(session->model, &view, p->inputs, i);
    }
    gb_exec_run(p->exec);
    for (int64_t i = 0; i < rows; i++) {
        gb_window_view view = view_of_past(session, i, &part);
        float *to = out + (i * horizon + done) * quantiles;
        session->head->finish(session->model, &view, p->outputs, i, step, to);
        if (done + step < horizon)
            roll(session, i, to, step);
    }
    return step;
}

gb_status gb_session_forecast(
    gb_session *session, const float *past, int64_t count, int64_t horizon, float *out)
{
    const gb_model *model = session->model;
    GB_TRY(check_head(session, GB_HEAD_QUANTILE, "forecast"));
    int64_t look_back = model->config->codec.look_back, batch = session->options.batch;
    if (count < 0 || horizon < 1 || horizon > HORIZON_MAX)
        return gb_fail(GB_ERR_ARGUMENT,
                       "forecast: %lld series, %lld rows ahead; expected 0 or more and 1 to %d",
                       (long long)count, (long long)horizon, HORIZON_MAX);
    for (int64_t first = 0; first < count; first += batch) {
        int64_t rows = count - first < batch ? count - first : batch;
        memcpy(session->past, past + first * look_back, (size_t)(rows * look_back) * sizeof *past);
        for (int64_t done = 0; done < horizon;)
            done += forecast_batch(session, rows, done, horizon,
                                   out + first * horizon * model->config->head.quantile_count);
    }
    return GB_OK;
}

/* ---- actions -------------------------------------------------------------------------------- */

/* Acting on a number that is not one would move a machine by chance: refuse instead. */
static gb_status check_observed(const gb_window_part *part)
{
    for (int64_t i = 0; i < part->look_back * part->size; i++)
        if (!isfinite(part->past[i]))
            return gb_fail(GB_ERR_NUMERIC,
                           "act: stream %s, row %lld, value %lld is %g; expected a finite number: "
                           "hold the last command, or give the last value seen",
                           part->name, (long long)(i / part->size), (long long)(i % part->size),
                           (double)part->past[i]);
    return GB_OK;
}

static gb_status check_answer(const gb_tensor *answer, int64_t count)
{
    const float *values = answer->data;
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return gb_fail(GB_ERR_NUMERIC,
                           "act: the model answers with a number that is not finite; its weights "
                           "are damaged or its statistics were never fitted");
    return GB_OK;
}

static gb_status check_prefix(const gb_session *session, const gb_action_prefix *prefix)
{
    const gb_head_config *h = &session->model->config->head;
    if (!(prefix->frozen >= 0 && prefix->frozen <= prefix->soft && prefix->soft <= prefix->count &&
          prefix->count <= h->horizon))
        return gb_fail(
            GB_ERR_ARGUMENT,
            "act: a prefix of %lld rows, %lld frozen, %lld soft; expected 0 <= frozen <= "
            "soft <= count <= %d",
            (long long)prefix->count, (long long)prefix->frozen, (long long)prefix->soft,
            h->horizon);
    for (int64_t i = 0; i < prefix->count * h->action_size; i++)
        if (!isfinite(prefix->actions[i]))
            return gb_fail(GB_ERR_NUMERIC, "act: the prefix holds %g in row %lld",
                           (double)prefix->actions[i], (long long)(i / h->action_size));
    return GB_OK;
}

/* How much row `row` of the chunk under way still counts: 1 where it is frozen, then falling to 0
 * (Black et al. 2025, "Real-time execution of action chunking flow policies", equation 5). */
static float weight_of(const gb_action_prefix *prefix, int64_t row)
{
    if (row < prefix->frozen)
        return 1.0f;
    if (row >= prefix->soft)
        return 0.0f;
    float c = (float)(prefix->soft - row) / (float)(prefix->soft - prefix->frozen + 1);
    return c * (expf(c) - 1.0f) / (expf(1.0f) - 1.0f);
}

/* Frozen rows as they are, to the bit; a head that did not learn to continue is blended. */
static void join(const gb_head_config *h, const gb_action_prefix *prefix, float *chunk)
{
    int64_t rows = h->prefix > 0 ? prefix->frozen : prefix->soft;
    for (int64_t r = 0; r < rows; r++) {
        float weight = weight_of(prefix, r);
        for (int64_t i = r * h->action_size; i < (r + 1) * h->action_size; i++)
            chunk[i] = weight >= 1.0f ? prefix->actions[i]
                                      : chunk[i] + weight * (prefix->actions[i] - chunk[i]);
    }
}

gb_status gb_session_act(
    gb_session *session, const float *const *observation, uint64_t seed, uint64_t tick, float *out)
{
    return gb_session_act_after(session, observation, seed, tick, NULL, out);
}

gb_status gb_session_act_after(gb_session *session,
                               const float *const *observation,
                               uint64_t seed,
                               uint64_t tick,
                               const gb_action_prefix *prefix,
                               float *out)
{
    const gb_model *model = session->model;
    GB_TRY(check_head(session, GB_HEAD_FLOW, "act"));
    if (prefix)
        GB_TRY(check_prefix(session, prefix));
    for (int i = 0; i < session->part_count; i++) {
        session->parts[i].past = observation[i];
        GB_TRY(check_observed(&session->parts[i]));
    }
    gb_window_view view = {
        .parts = session->parts, .part_count = session->part_count, .scale = 1.0f};
    program *p = &session->predict;
    session->codec->fill(model, &view, p->inputs, 0);
    if (session->head->start)
        session->head->start(model, seed, tick, p->starts, 0);
    if (session->head->proceed)
        session->head->proceed(model, &view, prefix, p->starts, 0);
    gb_exec_run(p->exec);
    GB_TRY(check_answer(&p->outputs[0],
                        gb_shape_count(&p->outputs[0].shape) / session->options.batch));
    session->head->finish(model, &view, p->outputs, 0, model->config->head.horizon, out);
    if (prefix)
        join(&model->config->head, prefix, out);
    return GB_OK;
}

/* ---- bytes ---------------------------------------------------------------------------------- */

static const program *read_some(gb_session *session, const unsigned char *bytes, int64_t count)
{
    const program *p = count == 1 ? &session->read_one : &session->read_many;
    int32_t *to = p->inputs[0].data;
    for (int64_t i = 0; i < count; i++)
        to[i] = bytes[i];
    if (p->position)
        *p->position = (int32_t)session->position;
    gb_exec_run(p->exec);
    session->position += count;
    return p;
}

gb_status
gb_session_read(gb_session *session, const unsigned char *bytes, int64_t count, float *logits)
{
    GB_TRY(check_head(session, GB_HEAD_TOKEN, "read"));
    int64_t limit = session->model->config->codec.look_back;
    if (count < 1 || count > limit - session->position)
        return gb_fail(GB_ERR_ARGUMENT,
                       "read: %lld bytes after %lld; the model looks back %lld at most, and at "
                       "least one byte is needed (gb_session_reset starts again)",
                       (long long)count, (long long)session->position, (long long)limit);
    const program *last = NULL;
    for (int64_t i = 0; i < count;) {
        int64_t rows = count - i >= READ_ROWS ? READ_ROWS : 1;
        last = read_some(session, bytes + i, rows);
        i += rows;
    }
    session->head->finish(session->model, NULL, last->outputs, 0, 1, logits);
    return GB_OK;
}

void gb_session_reset(gb_session *session)
{
    session->position = 0;
    for (int64_t i = 0; i < gb_tensors_count(session->caches); i++) {
        gb_tensor *cache = gb_tensors_at(session->caches, i, NULL);
        memset(cache->data, 0, gb_tensor_bytes(cache));
    }
}
