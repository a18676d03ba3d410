/* The training step: one graph that reads a batch and leaves updated weights.
 * Not for files (checkpoint.c) and not for deciding when to stop (run.c). */
#include "train/trainer.h"
#include "train/optimizer.h"

#include <math.h>
#include <string.h>

/* ---- building ---------------------------------------------------------------------------------
 */
static uint64_t bytes_of(const gb_tensors *set)
{
    uint64_t bytes = 0;
    for (int64_t i = 0; i < gb_tensors_count(set); i++)
        bytes += gb_tensor_bytes(gb_tensors_at(set, i, NULL));
    return bytes;
}

static gb_status plan_step(gb_trainer *t)
{
    gb_graph *graph;
    gb_value loss;
    gb_graph_options options = {t->config.precision, gb_random_u64(t->seed, 7, 0)};
    GB_TRY(gb_graph_create(options, &graph));
    int threads = t->pool ? gb_pool_threads(t->pool) : 1;
    gb_status status;
    GB_TRY_OR(done, gb_model_build_loss(t->model, graph, t->config.batch, true, &loss));
    GB_TRY_OR(done, gb_graph_backward(graph, loss, t->config.recompute));
    GB_TRY_OR(done, gb_append_updates(graph, &t->config));
    GB_TRY_OR(done, gb_plan_create(graph, threads, &t->step_machine.plan));
    gb_plan_report report = gb_plan_get_report(t->step_machine.plan);
    t->memory.activation_bytes = report.workspace_bytes + report.scratch_bytes;
    t->memory.weights_bytes = report.parameter_bytes;
    t->memory.state_bytes = report.state_bytes;
    t->memory.step_flops = report.flops;
    GB_TRY_OR(done, gb_graph_init_parameters(graph, t->seed, gb_model_weights(t->model)));
    GB_TRY_OR(done, gb_graph_init_state(graph, t->state));
done:
    gb_graph_destroy(graph);
    return status;
}

static gb_status check_memory(const gb_trainer *t)
{
    const gb_train_memory *m = &t->memory;
    uint64_t need = m->activation_bytes + m->validation_bytes, have = gb_memory_available_bytes();
    if (need <= have)
        return GB_OK;
    const double mib = 1048576.0;
    return gb_fail(
        GB_ERR_MEMORY,
        "training needs %.1f MiB (weights %.1f, optimiser and averages %.1f, activations "
        "%.1f, validation %.1f), of which %.1f MiB are still to be had and %.1f MiB are "
        "free: use a smaller train.batch, a smaller model, or train.recompute: true",
        (double)m->total_bytes / mib, (double)m->weights_bytes / mib,
        (double)(m->state_bytes + m->averaged_bytes) / mib, (double)m->activation_bytes / mib,
        (double)m->validation_bytes / mib, (double)need / mib, (double)have / mib);
}

/* Averages start as the weights. */
static void start_averages(gb_trainer *t)
{
    gb_tensors *weights = gb_model_weights(t->model);
    size_t lead = strlen(GB_AVERAGE_PREFIX);
    for (int64_t i = 0; i < gb_tensors_count(t->state); i++) {
        const char *name;
        gb_tensor *state = gb_tensors_at(t->state, i, &name);
        const gb_tensor *weight = strncmp(name, GB_AVERAGE_PREFIX, lead) == 0
                                      ? gb_tensors_find(weights, name + lead)
                                      : NULL;
        if (weight)
            memcpy(state->data, weight->data, gb_tensor_bytes(weight));
    }
}

static gb_status start_step(gb_trainer *t)
{
    gb_machine *machine = &t->step_machine;
    gb_exec_options options = {t->pool, gb_model_weights(t->model), t->state, false};
    GB_TRY(gb_exec_create(machine->plan, options, &machine->exec));
    GB_TRY(gb_feed_create(t->model, machine->exec, t->config.batch, &machine->feed));
    t->step_in = gb_exec_tensor(machine->exec, GB_INPUT_STEP);
    t->rate_in = gb_exec_tensor(machine->exec, GB_INPUT_RATE);
    t->average_in = gb_exec_tensor(machine->exec, GB_INPUT_AVERAGE);
    t->loss_out = gb_exec_tensor(machine->exec, "loss");
    t->norm_out = gb_exec_tensor(machine->exec, GB_OUTPUT_NORM);
    return GB_OK;
}

static gb_status
copy_sources(gb_trainer *t, const gb_train_source *sources, int count, uint64_t seed)
{
    int64_t batch = t->config.batch;
    t->sources = gb_arena_alloc(t->arena, sizeof *sources * (size_t)count);
    t->draws = gb_arena_alloc(t->arena, sizeof *t->draws * (size_t)batch);
    t->fed = gb_arena_alloc(t->arena, sizeof *t->fed * (size_t)batch);
    double *weights = gb_arena_alloc(t->arena, sizeof *weights * (size_t)count);
    int64_t *counts = gb_arena_alloc(t->arena, sizeof *counts * (size_t)count);
    if (!t->sources || !t->draws || !t->fed || !weights || !counts)
        return GB_ERR_MEMORY;
    memcpy(t->sources, sources, sizeof *sources * (size_t)count);
    t->source_count = count;
    for (int i = 0; i < count; i++) {
        weights[i] = sources[i].weight;
        counts[i] = gb_window_count(sources[i].windows) *
                    gb_model_examples_per_window(t->model, sources[i].windows);
        if (counts[i] <= 0 || !(weights[i] > 0.0))
            return gb_fail(GB_ERR_ARGUMENT,
                           "trainer: source %s has %lld examples and weight %g, both must be "
                           "positive",
                           sources[i].name, (long long)counts[i], weights[i]);
    }
    int symmetries = (int)gb_model_get_config(t->model)->codec.symmetry_count;
    return gb_sampler_init(&t->sampler, t->arena, seed, count, weights, counts, symmetries);
}

static gb_status build(gb_trainer *t)
{
    GB_TRY(gb_tensors_create(&t->state));
    GB_TRY(plan_step(t));
    if (t->config.ema > 0.0)
        GB_TRY(gb_model_create(gb_model_get_config(t->model), t->seed, &t->averaged));
    GB_TRY(gb_trainer_plan_validation(t));
    t->memory.averaged_bytes = t->averaged ? bytes_of(gb_model_weights(t->averaged)) : 0;
    t->memory.total_bytes = t->memory.weights_bytes + t->memory.state_bytes +
                            t->memory.averaged_bytes + t->memory.activation_bytes +
                            t->memory.validation_bytes;
    GB_TRY(check_memory(t));
    start_averages(t);
    GB_TRY(gb_trainer_average(t));
    GB_TRY(start_step(t));
    return gb_trainer_start_validation(t);
}

gb_status gb_trainer_create(gb_model *model,
                            const gb_train_config *config,
                            const gb_train_source *sources,
                            int source_count,
                            uint64_t seed,
                            gb_pool *pool,
                            gb_trainer **out)
{
    if (source_count < 1 || config->batch < 1)
        return gb_fail(GB_ERR_ARGUMENT,
                       "trainer: %d sources and a batch of %lld, expected at "
                       "least 1 of each",
                       source_count, (long long)config->batch);
    gb_arena *arena;
    GB_TRY(gb_arena_create(0, &arena));
    gb_trainer *t = gb_arena_alloc(arena, sizeof *t);
    if (!t) {
        gb_arena_destroy(arena);
        return GB_ERR_MEMORY;
    }
    t->arena = arena;
    t->model = model;
    t->config = *config;
    t->seed = seed;
    t->pool = pool;
    t->steps = config->steps;
    gb_status status = copy_sources(t, sources, source_count, seed);
    if (status == GB_OK)
        status = build(t);
    if (status != GB_OK) {
        gb_trainer_destroy(t);
        return status;
    }
    *out = t;
    return GB_OK;
}

void gb_machine_close(gb_machine *machine)
{
    gb_feed_destroy(machine->feed);
    gb_exec_destroy(machine->exec);
    gb_plan_destroy(machine->plan);
    *machine = (gb_machine){0};
}

void gb_trainer_destroy(gb_trainer *t)
{
    if (!t)
        return;
    gb_machine_close(&t->step_machine);
    gb_machine_close(&t->validation_machine);
    gb_model_destroy(t->averaged);
    gb_tensors_destroy(t->state);
    gb_arena_destroy(t->arena);
}

gb_train_memory gb_trainer_memory(const gb_trainer *t)
{
    return t->memory;
}

void gb_trainer_set_steps(gb_trainer *t, int64_t steps)
{
    t->steps = steps;
}

int64_t gb_trainer_steps(const gb_trainer *t)
{
    return t->steps;
}

const char *gb_trainer_profile(gb_trainer *t, char *text, size_t size)
{
    return gb_exec_profile(t->step_machine.exec, text, size);
}

/* ---- a batch ----------------------------------------------------------------------------------
 */
typedef struct feeding {
    gb_trainer *trainer;
    gb_feed *feed;
    bool held_out;
} feeding;

static gb_status feed_one(const feeding *f, int64_t row)
{
    const gb_trainer *t = f->trainer;
    const gb_draw *draw = &t->draws[row];
    const gb_train_source *source = &t->sources[draw->source];
    int64_t example = f->held_out ? draw->turn : gb_sampler_example(&t->sampler, draw);
    return gb_feed_row(f->feed, f->held_out ? source->held_out : source->windows, example,
                       draw->symmetry, row);
}

static void feed_part(void *context, int64_t part, int thread)
{
    const feeding *f = context;
    (void)thread;
    f->trainer->fed[part] = feed_one(f, part);
}

gb_status gb_trainer_feed(gb_trainer *t, gb_feed *feed, bool held_out)
{
    feeding f = {t, feed, held_out};
    gb_pool_run(t->pool, feed_part, &f, t->config.batch);
    for (int64_t row = 0; row < t->config.batch; row++)
        if (t->fed[row] != GB_OK) /* again on this thread, for its message */
            GB_TRY(feed_one(&f, row));
    return GB_OK;
}

/* ---- one update -------------------------------------------------------------------------------
 */
static void put_f32(const gb_tensor *tensor, double value)
{
    if (tensor->data)
        *(float *)tensor->data = (float)value;
}

gb_status gb_trainer_step(gb_trainer *t, gb_train_step *out)
{
    gb_sampler_draw(&t->sampler, t->step, t->config.batch, t->draws);
    GB_TRY(gb_trainer_feed(t, t->step_machine.feed, false));
    double rate =
        t->config.optimizer.rate * gb_schedule_factor(&t->config.schedule, t->step, t->steps);
    put_f32(&t->rate_in, rate);
    put_f32(&t->average_in, 1.0 - gb_ema_decay(t->config.ema, t->step));
    if (t->step_in.data)
        *(int32_t *)t->step_in.data = (int32_t)(t->step + 1);
    gb_exec_run(t->step_machine.exec);
    t->step++;
    double loss = (double)*(const float *)t->loss_out.data;
    double norm = (double)*(const float *)t->norm_out.data;
    if (!isfinite(loss) || !isfinite(norm))
        return gb_fail(GB_ERR_NUMERIC,
                       "step %lld: the loss is %g and its gradient's norm %g; lower "
                       "train.optimizer.rate or train.clip, or look for extreme values in the data",
                       (long long)t->step, loss, norm);
    *out = (gb_train_step){t->step, loss, norm, rate};
    return GB_OK;
}

/* ---- averaged weights -------------------------------------------------------------------------
 */
const gb_model *gb_trainer_averaged(const gb_trainer *t)
{
    return t->averaged ? t->averaged : t->model;
}

/* Statistics and whatever no step changed come from the model itself. */
gb_status gb_trainer_average(gb_trainer *t)
{
    if (!t->averaged)
        return GB_OK;
    const gb_tensors *from = gb_model_weights(t->model);
    gb_tensors *to = gb_model_weights(t->averaged);
    for (int64_t i = 0; i < gb_tensors_count(from); i++) {
        const char *name;
        const gb_tensor *weight = gb_tensors_at(from, i, &name);
        char key[512] = GB_AVERAGE_PREFIX;
        strncat(key, name, sizeof key - sizeof GB_AVERAGE_PREFIX - 1);
        const gb_tensor *source = gb_tensors_find(t->state, key);
        gb_tensor *target = gb_tensors_find(to, name);
        if (!target)
            GB_TRY(gb_tensors_add(to, name, weight->dtype, weight->shape, &target));
        memcpy(target->data, (source ? source : weight)->data, gb_tensor_bytes(weight));
    }
    return GB_OK;
}
