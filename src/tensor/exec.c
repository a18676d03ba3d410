/* Running a plan: one workspace, one scratch, packed weights, and a list of ready-made runs. */
#include "tensor/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct op_time {
    int64_t calls, ns;
    uint64_t flops;
} op_time;

struct gb_exec {
    const gb_plan *plan; /* borrowed */
    gb_exec_options options;
    unsigned char *workspace, *scratch, *packed;
    gb_tensor *values; /* [plan count] */
    gb_run *runs;      /* [run_count] */
    int32_t run_count;
    bool profiling;
    op_time times[GB_OP_COUNT];
};

static gb_status find_outside(const gb_node *node, const gb_exec_options *options, gb_tensor *out)
{
    bool parameter = gb_node_is_leaf(node, GB_LEAF_PARAMETER);
    gb_tensors *set = parameter ? options->weights : options->state;
    gb_tensor *found = set ? gb_tensors_find(set, node->name) : NULL;
    char has[96], wants[96];
    if (!found)
        return gb_fail(GB_ERR_MISMATCH, "exec: the %s has no tensor %s %s",
                       parameter ? "weights" : "state", node->name,
                       gb_shape_text(&node->shape, wants, sizeof wants));
    if (found->dtype != node->dtype || !gb_shape_equal(&found->shape, &node->shape))
        return gb_fail(GB_ERR_MISMATCH, "exec: tensor %s is %s %s, the graph expects %s %s",
                       node->name, gb_dtype_name(found->dtype),
                       gb_shape_text(&found->shape, has, sizeof has), gb_dtype_name(node->dtype),
                       gb_shape_text(&node->shape, wants, sizeof wants));
    *out = *found;
    return GB_OK;
}

static gb_status place_values(gb_exec *exec)
{
    const gb_plan *plan = exec->plan;
    for (int32_t i = 0; i < plan->count; i++) {
        const gb_node *node = &plan->nodes[i];
        if (!plan->live[i])
            continue;
        gb_value root = plan->root[i];
        exec->values[i] = (gb_tensor){node->dtype, node->shape, NULL};
        if (plan->offset[root] != GB_NOT_PLACED)
            exec->values[i].data = exec->workspace + plan->offset[root];
        else if (root == i)
            GB_TRY(find_outside(node, &exec->options, &exec->values[i]));
        else
            exec->values[i].data = exec->values[root].data;
    }
    return GB_OK;
}

static void make_runs(gb_exec *exec)
{
    const gb_plan *plan = exec->plan;
    for (int32_t i = 0; i < plan->count; i++) {
        const gb_node *node = &plan->nodes[i];
        if (!gb_node_runs(plan, i))
            continue;
        gb_run *run = &exec->runs[exec->run_count++];
        *run = (gb_run){.node = node,
                        .out = exec->values[i],
                        .scratch = exec->scratch,
                        .pool = exec->options.pool,
                        .kernels = gb_kernels_get(),
                        .seed = plan->seed};
        for (int k = 0; k < node->operand_count; k++)
            if (node->operand[k] != GB_NONE)
                run->in[k] = exec->values[node->operand[k]];
    }
}

/* Operand 1 is a parameter and nothing in the plan writes to it. */
static bool is_frozen(const gb_plan *plan, const gb_node *node)
{
    gb_value root = plan->root[node->operand[1]];
    if (!gb_node_is_leaf(&plan->nodes[root], GB_LEAF_PARAMETER))
        return false;
    for (int32_t i = 0; i < plan->count; i++)
        for (int k = 0; plan->live[i] && k < plan->nodes[i].operand_count; k++)
            if (gb_op_table[plan->nodes[i].op]->updates >> k & 1 &&
                plan->nodes[i].operand[k] == root)
                return false;
    return true;
}

static size_t pack_one(const gb_exec *exec, gb_run *run, size_t used, bool for_real)
{
    const gb_op_definition *op = gb_op_table[run->node->op];
    size_t bytes = op->packed_bytes && is_frozen(exec->plan, run->node) ? op->packed_bytes(run) : 0;
    if (bytes && for_real) {
        op->pack(run, exec->packed + used);
        run->packed = exec->packed + used;
    }
    return (bytes + 63) & ~(size_t)63;
}

static gb_status pack_weights(gb_exec *exec)
{
    size_t bytes = 0, used = 0;
    for (int32_t i = 0; i < exec->run_count; i++)
        bytes += pack_one(exec, &exec->runs[i], 0, false);
    if (bytes == 0)
        return GB_OK;
    exec->packed = gb_aligned_alloc(bytes);
    if (!exec->packed)
        return gb_fail(GB_ERR_MEMORY, "exec: no memory for %zu bytes of packed weights", bytes);
    for (int32_t i = 0; i < exec->run_count; i++)
        used += pack_one(exec, &exec->runs[i], used, true);
    return GB_OK;
}

static gb_status check_memory(const gb_plan_report *report)
{
    uint64_t need = report->workspace_bytes + report->scratch_bytes;
    uint64_t have = gb_memory_available_bytes();
    if (need <= have)
        return GB_OK;
    return gb_fail(GB_ERR_MEMORY,
                   "this run needs %.1f MiB for activations and scratch, %.1f MiB are free: use a "
                   "smaller batch, a shorter sequence, or recomputation",
                   (double)need / 1048576.0, (double)have / 1048576.0);
}

gb_status gb_exec_create(const gb_plan *plan, gb_exec_options options, gb_exec **out)
{
    GB_TRY(check_memory(&plan->report));
    if (gb_pool_threads(options.pool) > plan->threads)
        return gb_fail(GB_ERR_ARGUMENT, "exec: the pool has %d threads, the plan was made for %d",
                       gb_pool_threads(options.pool), plan->threads);
    gb_exec *exec = calloc(1, sizeof *exec);
    if (!exec)
        return gb_fail(GB_ERR_MEMORY, "exec: no memory");
    exec->plan = plan;
    exec->options = options;
    gb_status status = GB_ERR_MEMORY;
    exec->workspace = gb_aligned_alloc(plan->report.workspace_bytes + 64);
    exec->scratch = gb_aligned_alloc(plan->report.scratch_bytes + 64);
    exec->values = calloc((size_t)plan->count, sizeof *exec->values);
    exec->runs = calloc((size_t)plan->report.nodes + 1, sizeof *exec->runs);
    if (!exec->workspace || !exec->scratch || !exec->values || !exec->runs)
        goto failed;
    GB_TRY_OR(failed, place_values(exec));
    make_runs(exec);
    if (options.frozen)
        GB_TRY_OR(failed, pack_weights(exec));
    *out = exec;
    return GB_OK;
failed:
    gb_exec_destroy(exec);
    return status;
}

void gb_exec_destroy(gb_exec *exec)
{
    if (!exec)
        return;
    gb_aligned_free(exec->workspace);
    gb_aligned_free(exec->scratch);
    gb_aligned_free(exec->packed);
    free(exec->values);
    free(exec->runs);
    free(exec);
}

gb_tensor gb_exec_tensor(const gb_exec *exec, const char *name)
{
    const gb_plan *plan = exec->plan;
    for (int32_t i = 0; i < plan->count; i++)
        if (plan->live[i] && plan->nodes[i].name && strcmp(plan->nodes[i].name, name) == 0)
            return exec->values[i];
    return (gb_tensor){0};
}

static void run_timed(gb_exec *exec, const gb_run *run)
{
    gb_shape shapes[GB_OPERANDS_MAX];
    const gb_op_definition *op = gb_op_table[run->node->op];
    for (int k = 0; k < run->node->operand_count; k++)
        shapes[k] = run->in[k].shape;
    int64_t begin = gb_clock_monotonic_ns();
    op->run(run);
    op_time *time = &exec->times[run->node->op];
    time->ns += gb_clock_monotonic_ns() - begin;
    time->calls++;
    time->flops +=
        op->flops ? op->flops(run->node, shapes) : (uint64_t)gb_shape_count(&run->out.shape);
}

void gb_exec_run(gb_exec *exec)
{
    for (int32_t i = 0; i < exec->run_count; i++)
        if (exec->profiling)
            run_timed(exec, &exec->runs[i]);
        else
            gb_op_table[exec->runs[i].node->op]->run(&exec->runs[i]);
}

const char *gb_exec_profile(gb_exec *exec, char *text, size_t size)
{
    exec->profiling = true;
    bool shown[GB_OP_COUNT] = {false};
    size_t used = 0;
    if (size)
        text[0] = 0;
    for (int rank = 0; rank < GB_OP_COUNT && used < size; rank++) {
        int most = -1;
        for (int op = 0; op < GB_OP_COUNT; op++)
            if (!shown[op] && (most < 0 || exec->times[op].ns > exec->times[most].ns))
                most = op;
        const op_time *time = &exec->times[most];
        shown[most] = true;
        if (time->calls)
            used += (size_t)snprintf(
                text + used, size - used, "%-18s %7lld calls %10.3f ms %8.2f GFLOP/s\n",
                gb_op_table[most]->name, (long long)time->calls, (double)time->ns / 1e6,
                (double)time->flops / (double)time->ns);
    }
    return text;
}
