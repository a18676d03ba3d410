/* Chunks of actions by flow matching (Lipman et al. 2023; Liu et al. 2023, rectified flow): a
 * network learns the velocity that carries noise to an action chunk, given what the backbone read.
 * Training draws noise e and time t, and regresses a - e at x = (1 - t) e + t a; acting starts from
 * noise and takes a few Euler steps, all of them in one graph.
 *
 * Actions are learned in units of their spread: (a_k - reference) / sigma_k for step k of the
 * chunk, where the reference is the last value of another stream (`relative_to`, `relatives`), or
 * the mean action. */
#include "model/feed.h"
#include "model/symmetry.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const targets[] = {"action", NULL};
static const char *const starts[] = {"noise", "given", "is_given", NULL};
static const char *const outputs[] = {"chunk", NULL};
static const char statistics[] = "stats.action"; /* [2, horizon, action_size]: means, then sigmas */

static const char absolute[] = "absolute"; /* in place of a name in `relatives` */

#define ACTION_SIZE_MAX 256
#define NOISE_STREAM 0x666c6f77u /* of gb_random, before the tick is mixed in */

/* ---- action streams -------------------------------------------------------------------------- */

int gb_action_stream_count(const gb_head_config *config)
{
    return config->action_count > 0 ? (int)config->action_count : 1;
}

const char *gb_action_stream_name(const gb_head_config *config, int stream)
{
    return config->action_count > 0 ? config->actions[stream] : config->action;
}

int gb_action_stream_size(const gb_head_config *config, int stream)
{
    return config->action_count > 0 ? config->action_sizes[stream] : config->action_size;
}

/* The stream that actions of `stream` are counted from; NULL: they are absolute. */
static const char *reference_stream(const gb_head_config *h, int stream)
{
    if (h->relative_count == 0)
        return stream == 0 ? h->relative_to : NULL;
    return strcmp(h->relatives[stream], absolute) == 0 ? NULL : h->relatives[stream];
}

static void fill_defaults(gb_model_config *config)
{
    gb_head_config *h = &config->head;
    int total = 0;
    for (unsigned i = 0; i < h->action_size_count; i++)
        total += h->action_sizes[i] > 0 && h->action_sizes[i] <= ACTION_SIZE_MAX
                     ? h->action_sizes[i]
                     : 0;
    h->action_size = h->action_size ? h->action_size : total;
    h->horizon = h->horizon ? h->horizon : 16;
    h->action_size = h->action_size ? h->action_size : 2;
    h->width = h->width ? h->width : config->backbone.width;
    h->hidden = h->hidden ? h->hidden : 2 * h->width;
    h->blocks = h->blocks ? h->blocks : 4;
    h->time_features = h->time_features ? h->time_features : 64;
    h->euler_steps = h->euler_steps ? h->euler_steps : 2;
    h->execute = h->execute ? h->execute : (h->horizon + 3) / 4;
}

static gb_status check_actions(const gb_head_config *h, const gb_config_place *place)
{
    char key[48];
    int total = 0;
    if (!h->action && h->action_count == 0)
        return gb_config_fail(place, "head.action",
                              "is missing, expected the action stream's name, or actions");
    if (h->action && h->action_count > 0)
        return gb_config_fail(place, "head.actions", "is given beside action; keep one of them");
    if (h->action_size_count != h->action_count)
        return gb_config_fail(place, "head.action_sizes",
                              "has %u numbers, expected one for each of the %u actions",
                              h->action_size_count, h->action_count);
    if (h->relative_to && h->relative_count > 0)
        return gb_config_fail(place, "head.relatives",
                              "is given beside relative_to; keep one of them");
    if (h->relative_count > 0 && (int)h->relative_count != gb_action_stream_count(h))
        return gb_config_fail(place, "head.relatives",
                              "has %u names, expected one for each of the %d action streams",
                              h->relative_count, gb_action_stream_count(h));
    for (unsigned i = 0; i < h->action_size_count; i++) {
        snprintf(key, sizeof key, "head.action_sizes[%u]", i);
        GB_TRY(gb_config_check_range(place, key, h->action_sizes[i], 1, ACTION_SIZE_MAX));
        total += h->action_sizes[i];
    }
    if (h->action_count > 0 && total != h->action_size)
        return gb_config_fail(place, "head.action_size",
                              "is %d, expected %d: the sum of action_sizes", h->action_size, total);
    return GB_OK;
}

static gb_status check(const gb_model_config *config, const gb_config_place *place)
{
    const gb_head_config *h = &config->head;
    GB_TRY(check_actions(h, place));
    GB_TRY(gb_config_check_range(place, "head.horizon", h->horizon, 1, 4096));
    GB_TRY(gb_config_check_range(place, "head.action_size", h->action_size, 1, ACTION_SIZE_MAX));
    GB_TRY(gb_config_check_range(place, "head.width", h->width, 1, 65536));
    GB_TRY(gb_config_check_range(place, "head.hidden", h->hidden, 1, 65536));
    GB_TRY(gb_config_check_range(place, "head.blocks", h->blocks, 1, 1024));
    GB_TRY(gb_config_check_range(place, "head.time_features", h->time_features, 2, 65536));
    GB_TRY(gb_config_check_range(place, "head.euler_steps", h->euler_steps, 1, 100));
    GB_TRY(gb_config_check_range(place, "head.execute", h->execute, 1, h->horizon));
    GB_TRY(gb_config_check_range(place, "head.prefix", h->prefix, 0, h->horizon - 1));
    if (h->time_features % 2 != 0)
        return gb_config_fail(place, "head.time_features", "is %d, expected an even number",
                              h->time_features);
    if (!(h->temperature >= 0.0f && h->temperature <= 10.0f))
        return gb_config_fail(place, "head.temperature", "is %g, expected 0 to 10",
                              (double)h->temperature);
    if (!(h->clip_low <= h->clip_high))
        return gb_config_fail(place, "head.clip_low", "is %g, above clip_high %g",
                              (double)h->clip_low, (double)h->clip_high);
    if (config->codec.kind != GB_CODEC_POSES && config->codec.kind != GB_CODEC_VECTOR)
        return gb_config_fail(place, "head.kind", "flow needs the codec poses or vector");
    if (config->codec.symmetry_count > 0 && h->action_size != 2)
        return gb_config_fail(place, "head.action_size",
                              "is %d, expected 2: symmetries map actions as points of the plane",
                              h->action_size);
    return GB_OK;
}

static gb_status window(const gb_model_config *config, gb_window_plan *plan)
{
    const gb_head_config *h = &config->head;
    for (int i = 0; i < gb_action_stream_count(h); i++) {
        const char *reference = reference_stream(h, i);
        int size = gb_action_stream_size(h, i);
        GB_TRY(gb_window_plan_add(plan, gb_action_stream_name(h, i), size, 0, h->horizon, 0));
        if (reference)
            GB_TRY(gb_window_plan_add(plan, reference, size, 1, 0, 0));
    }
    plan->pad_end = GB_PAD_ALL;
    return GB_OK;
}

/* ---- actions in the model's units ------------------------------------------------------------ */

/* Is an action's column counted from a reference? */
static bool is_relative(const gb_head_config *h, int64_t column)
{
    int stream = 0;
    for (; column >= gb_action_stream_size(h, stream); stream++)
        column -= gb_action_stream_size(h, stream);
    return reference_stream(h, stream) != NULL;
}

/* The point that actions are counted from; zeros where they are absolute. */
static void reference_of(const gb_head_config *h, const gb_window_view *view, float *out)
{
    memset(out, 0, (size_t)h->action_size * sizeof *out);
    for (int s = 0; s < gb_action_stream_count(h); out += gb_action_stream_size(h, s), s++) {
        const char *name = reference_stream(h, s);
        const gb_window_part *part = name ? gb_window_view_find(view, name) : NULL;
        for (int64_t r = 0; part && r < part->look_back; r++) /* a missing value: the one before */
            for (int64_t i = 0; i < gb_action_stream_size(h, s); i++)
                if (isfinite(part->past[r * part->size + i]))
                    out[i] = part->past[r * part->size + i];
    }
}

/* now [action_size]: row `row` of the recorded future; what is missing there stays. */
static void take_row(const gb_head_config *h, const gb_window_view *view, int64_t row, float *now)
{
    for (int s = 0; s < gb_action_stream_count(h); s++) {
        const gb_window_part *part = gb_window_view_find(view, gb_action_stream_name(h, s));
        for (int64_t i = 0; i < part->size; i++, now++)
            if (isfinite(part->future[row * part->size + i]))
                *now = part->future[row * part->size + i];
    }
}

/* The chunk relative to the reference, both mapped by the view's symmetry. A missing action repeats
 * the one before it, as a machine goes on doing what it was told. out [horizon x action_size] */
static void relative_chunk(const gb_model *model, const gb_window_view *view, float *out)
{
    const gb_head_config *h = &model->config->head;
    const gb_symmetry *symmetry = gb_symmetry_of(model->config, view);
    float reference[ACTION_SIZE_MAX], now[ACTION_SIZE_MAX], mapped[ACTION_SIZE_MAX];
    int64_t size = h->action_size;
    reference_of(h, view, reference);
    memcpy(now, reference, sizeof now);
    if (symmetry)
        gb_symmetry_map_point(symmetry, reference, reference);
    for (int64_t i = 0; i < size; i++)
        if (!is_relative(h, i))
            reference[i] = 0.0f; /* a map may move the origin */
    for (int64_t k = 0; k < h->horizon; k++, out += size) {
        take_row(h, view, k, now);
        memcpy(mapped, now, (size_t)size * sizeof *mapped);
        if (symmetry)
            gb_symmetry_map_point(symmetry, now, mapped);
        for (int64_t i = 0; i < size; i++)
            out[i] = mapped[i] - reference[i];
    }
}

static void
fill(const gb_model *model, const gb_window_view *view, const gb_tensor *tensors, int64_t row)
{
    const gb_head_config *h = &model->config->head;
    const gb_tensor *kept = gb_tensors_find(model->weights, statistics);
    int64_t count = (int64_t)h->horizon * h->action_size;
    float *to = (float *)tensors[0].data + row * count;
    relative_chunk(model, view, to);
    if (!kept)
        return;
    const float *mean = kept->data, *sigma = mean + count;
    for (int64_t i = 0; i < count; i++)
        to[i] = (to[i] - mean[i]) / sigma[i];
}

/* ---- statistics ----------------------------------------------------------------------------- */

static gb_status add_source(const gb_model *model,
                            const gb_window_index *index,
                            gb_view_buffer *buffer,
                            float *chunk,
                            double *sums)
{
    int64_t count = (int64_t)model->config->head.horizon * model->config->head.action_size;
    int symmetries = (int)model->config->codec.symmetry_count;
    for (int64_t w = 0; w < gb_window_count(index); w++) {
        GB_TRY(gb_view_read(buffer, model, index, w, 0));
        for (int s = 0; s <= symmetries; s++) {
            buffer->view.symmetry = s;
            relative_chunk(model, &buffer->view, chunk);
            for (int64_t i = 0; i < count; i++) {
                sums[i] += (double)chunk[i];
                sums[count + i] += (double)chunk[i] * (double)chunk[i];
            }
        }
    }
    return GB_OK;
}

/* Means and spreads of each step over the windows and their images. Relative actions keep 0 as
 * their center, so that "stay where you are" is 0 in the model's units too. */
static gb_status
fit_spread(gb_model *model, gb_window_index *const *sources, int source_count, gb_arena *arena)
{
    const gb_head_config *h = &model->config->head;
    int64_t count = (int64_t)h->horizon * h->action_size, windows = 0;
    double *sums = gb_arena_alloc(arena, 2 * (size_t)count * sizeof *sums);
    float *chunk = gb_arena_alloc(arena, (size_t)count * sizeof *chunk);
    gb_view_buffer buffer;
    if (!sums || !chunk)
        return GB_ERR_MEMORY;
    GB_TRY(gb_view_buffer_init(&buffer, model, arena));
    for (int s = 0; s < source_count; s++) {
        GB_TRY(add_source(model, sources[s], &buffer, chunk, sums));
        windows += gb_window_count(sources[s]);
    }
    gb_tensor *kept = gb_tensors_find(model->weights, statistics);
    if (!kept)
        GB_TRY(gb_tensors_add(model->weights, statistics, GB_F32,
                              GB_SHAPE(2, h->horizon, h->action_size), &kept));
    float *mean = kept->data, *sigma = mean + count;
    double n = fmax((double)windows * (1.0 + model->config->codec.symmetry_count), 1.0);
    for (int64_t i = 0; i < count; i++) {
        double center = is_relative(h, i % h->action_size) ? 0.0 : sums[i] / n;
        double spread = sqrt(fmax(sums[count + i] / n - center * center, 0.0));
        mean[i] = (float)center;
        sigma[i] = spread > 1e-6 * (1.0 + fabs(center)) ? (float)spread : 1.0f;
    }
    return GB_OK;
}

static gb_status
fit_statistics(gb_model *model, gb_window_index *const *sources, int source_count, gb_pool *pool)
{
    (void)pool;
    gb_arena *arena;
    GB_TRY(gb_arena_create(0, &arena));
    gb_status status = fit_spread(model, sources, source_count, arena);
    gb_arena_destroy(arena);
    return status;
}

/* ---- the network ----------------------------------------------------------------------------- */

/* One token for each example: the newest of a backbone with layers, which has read the others;
 * without layers all of them, side by side. -> [B, head width] */
static gb_value observation(const gb_build *build, const gb_encoding *encoding)
{
    gb_graph *g = build->graph;
    gb_value tokens = encoding->tokens;
    gb_shape shape = gb_value_shape(g, tokens);
    if (shape.rank != 3)
        return tokens; /* a mistake is kept in the graph already */
    int64_t count = shape.dim[1], width = shape.dim[2];
    if (count > 1 && build->config->backbone.block_count > 0) {
        tokens = gb_op_slice(g, tokens, 1, count - 1, 1);
        count = 1;
    }
    gb_value x = gb_op_reshape(g, tokens, GB_SHAPE(build->batch, count * width));
    if (count * width == build->config->head.width)
        return x;
    return gb_build_linear(build, "head.observation", x, build->config->head.width, true,
                           gb_init_std(count * width));
}

/* time [N, 1] -> sin and cos of 100 t 1000^(-2i/F), i = 0..F/2 - 1, through two layers: [N, W] */
static gb_value time_token(const gb_build *build, gb_value time)
{
    gb_graph *g = build->graph;
    const gb_head_config *h = &build->config->head;
    int64_t half = h->time_features / 2;
    gb_value number = gb_op_cumsum(g, gb_op_fill(g, GB_SHAPE(1, half), 1.0f)); /* 1, 2, ... */
    float slope = -logf(1000.0f) / (float)half;
    gb_value rate =
        gb_op_unary(g, GB_UNARY_EXP, gb_op_affine(g, number, slope, logf(100.0f) - slope));
    gb_value angle = gb_op_mul(g, time, rate);
    gb_value waves[2] = {gb_op_unary(g, GB_UNARY_SIN, angle), gb_op_unary(g, GB_UNARY_COS, angle)};
    gb_value x = gb_op_concat(g, waves, 2, 1);
    x = gb_build_linear(build, "head.time.in", x, h->width, true, gb_init_std(h->time_features));
    x = gb_op_unary(g, GB_UNARY_SILU, x);
    return gb_build_linear(build, "head.time.out", x, h->width, true, gb_init_std(h->width));
}

/* What the denoiser needs of observation and time: everything that does not depend on x. */
typedef struct condition {
    gb_value start;   /* [N, W] added to the embedded x */
    gb_value *blocks; /* [blocks] of [N, hidden] */
    gb_value given;   /* [B, horizon * action_size] 1 where x is what was given; GB_NONE: never */
} condition;

#define BLOCKS_MAX 1024

static void build_condition(const gb_build *build, gb_value observed, gb_value time, condition *out)
{
    gb_graph *g = build->graph;
    const gb_head_config *h = &build->config->head;
    char name[64];
    gb_value c = gb_op_unary(g, GB_UNARY_SILU, gb_op_add(g, observed, time_token(build, time)));
    out->start = gb_build_linear(build, "head.condition", c, h->width, true, gb_init_std(h->width));
    for (int i = 0; i < h->blocks; i++) {
        snprintf(name, sizeof name, "head.block.%d.condition", i);
        out->blocks[i] = gb_build_linear(build, name, c, h->hidden, true, gb_init_std(h->width));
    }
}

/* The velocity at x [B, horizon * action_size]; rows [first, first + B) of the condition. */
static gb_value velocity(const gb_build *build, const condition *c, gb_value x, int64_t first)
{
    gb_graph *g = build->graph;
    const gb_head_config *h = &build->config->head;
    int64_t size = (int64_t)h->horizon * h->action_size, rows = build->batch;
    bool whole = gb_value_shape(g, c->start).dim[0] == rows;
    char name[64];
    gb_value y = gb_build_linear(build, "head.in", x, h->width, false, gb_init_std(size));
    y = gb_op_add(g, y, whole ? c->start : gb_op_slice(g, c->start, 0, first, rows));
    if (c->given != GB_NONE)
        y = gb_op_add(
            g, y,
            gb_build_linear(build, "head.given", c->given, h->width, false, gb_init_std(size)));
    for (int i = 0; i < h->blocks; i++) {
        gb_value normal = gb_op_layernorm(g, y, GB_NONE, GB_NONE, 1e-5f);
        snprintf(name, sizeof name, "head.block.%d.in", i);
        gb_value z = gb_build_linear(build, name, normal, h->hidden, false, gb_init_std(h->width));
        z = gb_op_add(g, z, whole ? c->blocks[i] : gb_op_slice(g, c->blocks[i], 0, first, rows));
        z = gb_op_unary(g, GB_UNARY_SILU, z);
        snprintf(name, sizeof name, "head.block.%d.out", i);
        y = gb_op_add(g, y, gb_build_linear(build, name, z, h->width, true, 0.0f));
    }
    y = gb_op_layernorm(g, y, GB_NONE, GB_NONE, 1e-5f);
    return gb_build_linear(build, "head.out", y, size, true, 0.0f);
}

/* A prefix of 0..h->prefix rows for each example, drawn anew at each step: 1 in its rows, else 0.
 * [B, horizon * action_size] */
static gb_value draw_given(const gb_build *build, gb_value step)
{
    gb_graph *g = build->graph;
    const gb_head_config *h = &build->config->head;
    int64_t rows = h->horizon, size = h->action_size;
    gb_value row = gb_op_cumsum(g, gb_op_fill(g, GB_SHAPE(1, rows), 1.0f)); /* 1, 2, ... */
    gb_value length = gb_op_random_uniform(g, GB_SHAPE(build->batch, 1), step);
    length = gb_op_affine(g, length, (float)(h->prefix + 1), 0.0f);
    gb_value over = gb_op_affine(g, gb_op_sub(g, length, row), 1e6f, 0.0f);
    gb_value mask = gb_op_min(g, gb_op_unary(g, GB_UNARY_RELU, over),
                              gb_op_fill(g, GB_SHAPE(build->batch, rows), 1.0f));
    mask = gb_op_broadcast(g, gb_op_reshape(g, mask, GB_SHAPE(build->batch, rows, 1)),
                           GB_SHAPE(build->batch, rows, size));
    return gb_op_reshape(g, mask, GB_SHAPE(build->batch, rows * size));
}

/* given where `is_given` is 1, else x */
static gb_value put_given(gb_graph *g, gb_value x, gb_value given, gb_value is_given)
{
    return gb_op_add(g, x, gb_op_mul(g, is_given, gb_op_sub(g, given, x)));
}

static gb_value loss(const gb_build *build, const gb_encoding *encoding)
{
    gb_graph *g = build->graph;
    const gb_head_config *h = &build->config->head;
    gb_value blocks[BLOCKS_MAX], step = gb_build_step(build);
    condition c = {.blocks = blocks, .given = GB_NONE};
    gb_shape shape = GB_SHAPE(build->batch, (int64_t)h->horizon * h->action_size);
    gb_value weight = GB_NONE;
    gb_value action = gb_graph_input(g, targets[0], GB_F32, shape);
    gb_value noise = gb_op_random_normal(g, shape, step);
    gb_value time = gb_op_random_uniform(g, GB_SHAPE(build->batch, 1), step);
    gb_value wanted = gb_op_sub(g, action, noise);
    gb_value x = gb_op_add(g, noise, gb_op_mul(g, wanted, time));
    if (h->prefix > 0) {
        c.given = draw_given(build, step);
        x = put_given(g, x, action, c.given);
        weight = gb_op_affine(g, c.given, -1.0f, 1.0f);
    }
    build_condition(build, observation(build, encoding), time, &c);
    return gb_op_mse(g, velocity(build, &c, x, 0), wanted, weight);
}

/* Times of all Euler steps as rows, step by step: [steps * B, 1]. */
static gb_value euler_times(const gb_build *build, int steps)
{
    gb_graph *g = build->graph;
    gb_value number = gb_op_cumsum(g, gb_op_fill(g, GB_SHAPE(1, steps), 1.0f));
    gb_value time = gb_op_affine(g, number, 1.0f / (float)steps, -1.0f / (float)steps);
    time = gb_op_broadcast(g, gb_op_reshape(g, time, GB_SHAPE(steps, 1)),
                           GB_SHAPE(steps, build->batch));
    return gb_op_reshape(g, time, GB_SHAPE(steps * build->batch, 1));
}

/* The conditions of all steps come from one pass, so that their weights are read once. */
static void predict(const gb_build *build, const gb_encoding *encoding)
{
    gb_graph *g = build->graph;
    const gb_head_config *h = &build->config->head;
    int steps = h->euler_steps;
    gb_value blocks[BLOCKS_MAX];
    condition c = {.blocks = blocks, .given = GB_NONE};
    gb_shape shape = GB_SHAPE(build->batch, (int64_t)h->horizon * h->action_size);
    gb_value x = gb_graph_input(g, starts[0], GB_F32, shape), given = GB_NONE;
    if (h->prefix > 0) {
        given = gb_graph_input(g, starts[1], GB_F32, shape);
        c.given = gb_graph_input(g, starts[2], GB_F32, shape);
        x = put_given(g, x, given, c.given);
    }
    gb_value observed = observation(build, encoding);
    if (steps > 1) {
        observed = gb_op_reshape(g, observed, GB_SHAPE(1, build->batch, h->width));
        observed = gb_op_broadcast(g, observed, GB_SHAPE(steps, build->batch, h->width));
        observed = gb_op_reshape(g, observed, GB_SHAPE(steps * build->batch, h->width));
    }
    build_condition(build, observed, euler_times(build, steps), &c);
    for (int i = 0; i < steps; i++) {
        gb_value v = velocity(build, &c, x, i * build->batch);
        x = gb_op_add(g, x, gb_op_affine(g, v, 1.0f / (float)steps, 0.0f));
        if (h->prefix > 0 && i + 1 < steps)
            x = put_given(g, x, given, c.given);
    }
    gb_graph_output(g, outputs[0], x);
}

/* ---- acting ---------------------------------------------------------------------------------- */

static void
start(const gb_model *model, uint64_t seed, uint64_t tick, const gb_tensor *tensors, int64_t row)
{
    const gb_head_config *h = &model->config->head;
    size_t count = (size_t)h->horizon * (size_t)h->action_size;
    float *to = (float *)tensors[0].data + (size_t)row * count;
    gb_random_fill_normal(seed, tick ^ ((uint64_t)NOISE_STREAM << 32), (uint64_t)row * count, to,
                          count);
    for (size_t i = 0; i < count; i++)
        to[i] *= h->temperature;
}

/* Frozen rows in the model's units, as many as it learned to be given. */
static void proceed(const gb_model *model,
                    const gb_window_view *view,
                    const gb_action_prefix *prefix,
                    const gb_tensor *tensors,
                    int64_t row)
{
    const gb_head_config *h = &model->config->head;
    if (h->prefix == 0)
        return;
    const gb_tensor *kept = gb_tensors_find(model->weights, statistics);
    int64_t size = h->action_size, count = h->horizon * size;
    int64_t rows = prefix ? (prefix->frozen < h->prefix ? prefix->frozen : h->prefix) : 0;
    const float *mean = kept ? kept->data : NULL, *sigma = kept ? mean + count : NULL;
    float *given = (float *)tensors[1].data + row * count;
    float *is_given = (float *)tensors[2].data + row * count;
    float reference[ACTION_SIZE_MAX];
    reference_of(h, view, reference);
    for (int64_t i = 0; i < count; i++) {
        is_given[i] = i < rows * size ? 1.0f : 0.0f;
        given[i] = 0.0f;
        if (i >= rows * size)
            continue;
        given[i] = prefix->actions[i] - reference[i % size];
        if (kept)
            given[i] = (given[i] - mean[i]) / sigma[i];
    }
}

static void finish(const gb_model *model,
                   const gb_window_view *view,
                   const gb_tensor *values,
                   int64_t row,
                   int64_t rows,
                   float *out)
{
    const gb_head_config *h = &model->config->head;
    const gb_tensor *kept = gb_tensors_find(model->weights, statistics);
    int64_t size = h->action_size, count = h->horizon * size;
    const float *from = (const float *)values[0].data + row * count;
    const float *mean = kept ? kept->data : NULL, *sigma = kept ? mean + count : NULL;
    float reference[ACTION_SIZE_MAX];
    reference_of(h, view, reference);
    for (int64_t i = 0; i < rows * size; i++) {
        float value = kept ? from[i] * sigma[i] + mean[i] : from[i];
        value += reference[i % size];
        if (h->clip_low < h->clip_high)
            value = fminf(fmaxf(value, h->clip_low), h->clip_high);
        out[i] = value;
    }
}

const gb_head_definition gb_head_definition_flow = {
    .name = "flow",
    .targets = targets,
    .starts = starts,
    .outputs = outputs,
    .fill_defaults = fill_defaults,
    .check = check,
    .window = window,
    .fit_statistics = fit_statistics,
    .loss = loss,
    .predict = predict,
    .fill = fill,
    .start = start,
    .proceed = proceed,
    .finish = finish,
};
