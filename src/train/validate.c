/* The loss of the averaged weights on held-out windows: the same examples every time, spread
 * evenly, in a graph without dropout. */
#include "train/optimizer.h"
#include "train/trainer.h"

#include <math.h>

static bool has_held_out(const gb_trainer *t)
{
    for (int i = 0; i < t->source_count; i++)
        if (t->sources[i].held_out)
            return true;
    return false;
}

static uint64_t validation_seed(const gb_trainer *t)
{
    return gb_random_u64(t->seed, 7, 1);
}

gb_status gb_trainer_plan_validation(gb_trainer *t)
{
    if (!has_held_out(t))
        return GB_OK;
    gb_graph *graph;
    gb_value loss;
    GB_TRY(gb_graph_create((gb_graph_options){t->config.precision, validation_seed(t)}, &graph));
    const gb_model *model = gb_trainer_averaged(t);
    int threads = t->pool ? gb_pool_threads(t->pool) : 1;
    gb_status status;
    GB_TRY_OR(done, gb_model_build_loss(model, graph, t->config.batch, false, &loss));
    GB_TRY_OR(done, gb_plan_create(graph, threads, &t->validation_machine.plan));
    GB_TRY_OR(done, gb_graph_init_parameters(graph, t->seed, gb_model_weights(model)));
    gb_plan_report report = gb_plan_get_report(t->validation_machine.plan);
    t->memory.validation_bytes = report.workspace_bytes + report.scratch_bytes;
done:
    gb_graph_destroy(graph);
    return status;
}

gb_status gb_trainer_start_validation(gb_trainer *t)
{
    gb_machine *machine = &t->validation_machine;
    if (!machine->plan)
        return GB_OK;
    const gb_model *model = gb_trainer_averaged(t);
    gb_exec_options options = {t->pool, gb_model_weights(model), NULL, false};
    GB_TRY(gb_exec_create(machine->plan, options, &machine->exec));
    return gb_feed_create(model, machine->exec, t->config.batch, &machine->feed);
}

/* The mean loss of `batches` batches of one source. */
static gb_status validate_source(gb_trainer *t, int source, int64_t batches, double *out)
{
    gb_machine *machine = &t->validation_machine;
    const gb_window_index *index = t->sources[source].held_out;
    int64_t examples = gb_window_count(index) * gb_model_examples_per_window(t->model, index);
    int64_t wanted = batches * t->config.batch;
    gb_tensor step = gb_exec_tensor(machine->exec, GB_INPUT_STEP);
    gb_tensor loss = gb_exec_tensor(machine->exec, "loss");
    double sum = 0.0;
    for (int64_t batch = 0; batch < batches; batch++) {
        for (int64_t row = 0; row < t->config.batch; row++) {
            double share = (double)(batch * t->config.batch + row) / (double)wanted;
            t->draws[row] = (gb_draw){source, 0, (int64_t)(share * (double)examples)};
        }
        GB_TRY(gb_trainer_feed(t, machine->feed, true));
        if (step.data)
            *(int32_t *)step.data = (int32_t)batch;
        gb_exec_run(machine->exec);
        sum += (double)*(const float *)loss.data;
    }
    *out = sum / (double)batches;
    return GB_OK;
}

gb_status gb_trainer_validate(gb_trainer *t, double *out)
{
    if (!t->validation_machine.plan)
        return gb_fail(GB_ERR_ARGUMENT, "validate: no source has held-out windows");
    GB_TRY(gb_trainer_average(t));
    double total = 0.0, loss, sum = 0.0;
    for (int i = 0; i < t->source_count; i++)
        total += t->sources[i].held_out ? t->sources[i].weight : 0.0;
    for (int i = 0; i < t->source_count; i++) {
        if (!t->sources[i].held_out)
            continue;
        double share = t->sources[i].weight / total;
        double rows = share * (double)t->config.validation_examples;
        int64_t batches = (int64_t)ceil(rows / (double)t->config.batch);
        GB_TRY(validate_source(t, i, batches > 0 ? batches : 1, &loss));
        sum += share * loss;
    }
    *out = sum;
    return GB_OK;
}
