/* From a graph to a plan: drops what nobody needs, fuses activations into the matrix product before
 * them, and adds up the cost. Placing buffers is place.c. */
#include "tensor/plan.h"
#include "tensor/op/matmul.h"

#include <stdlib.h>
#include <string.h>

static gb_status copy_nodes(const gb_graph *g, gb_plan *plan)
{
    size_t count = (size_t)g->count;
    plan->count = g->count;
    plan->nodes = gb_arena_alloc(plan->arena, count * sizeof(gb_node));
    plan->live = gb_arena_alloc(plan->arena, count);
    plan->root = gb_arena_alloc(plan->arena, count * sizeof(gb_value));
    plan->offset = gb_arena_alloc(plan->arena, count * sizeof(size_t));
    if (!plan->nodes || !plan->live || !plan->root || !plan->offset)
        return GB_ERR_MEMORY;
    memcpy(plan->nodes, g->nodes, count * sizeof(gb_node));
    for (int32_t i = 0; i < g->count; i++) {
        gb_node *node = &plan->nodes[i];
        if (node->name && !(node->name = gb_arena_text(plan->arena, node->name)))
            return GB_ERR_MEMORY;
        if (node->attr.list) { /* attr.i[7] counts them */
            size_t bytes = (size_t)node->attr.i[7] * sizeof(float);
            float *copy = gb_arena_alloc(plan->arena, bytes);
            if (!copy)
                return GB_ERR_MEMORY;
            memcpy(copy, node->attr.list, bytes);
            node->attr.list = copy;
        }
    }
    return GB_OK;
}

/* Outputs, updates and inputs are needed, and whatever they read. */
static void mark_live(gb_plan *plan)
{
    memset(plan->live, 0, (size_t)plan->count);
    for (int32_t i = plan->count - 1; i >= 0; i--) {
        const gb_node *node = &plan->nodes[i];
        if (node->output || gb_op_table[node->op]->updates || gb_node_is_leaf(node, GB_LEAF_INPUT))
            plan->live[i] = true;
        if (plan->live[i])
            for (int k = 0; k < node->operand_count; k++)
                if (node->operand[k] != GB_NONE)
                    plan->live[node->operand[k]] = true;
    }
}

/* A unary activation whose operand is a matrix product nobody else reads becomes that product with
 * the activation in its epilogue. An update in between could change what the product reads. */
static gb_status fuse_activations(gb_plan *plan)
{
    int32_t *readers = calloc((size_t)plan->count + 1, sizeof(int32_t));
    if (!readers)
        return gb_fail(GB_ERR_MEMORY, "plan: no memory for %d counters", plan->count);
    for (int32_t i = 0; i < plan->count; i++)
        for (int k = 0; plan->live[i] && k < plan->nodes[i].operand_count; k++)
            if (plan->nodes[i].operand[k] != GB_NONE)
                readers[plan->nodes[i].operand[k]]++;
    int32_t last_update = -1;
    for (int32_t i = 0; i < plan->count; i++) {
        gb_node *node = &plan->nodes[i];
        if (plan->live[i] && gb_op_table[node->op]->updates)
            last_update = i;
        gb_activation activation;
        if (!plan->live[i] || node->op != GB_OP_UNARY ||
            !gb_activation_of_unary((gb_unary)node->attr.i[0], &activation))
            continue;
        gb_value from = node->operand[0];
        gb_node *product = &plan->nodes[from];
        if (product->op != GB_OP_MATMUL || readers[from] != 1 || product->output ||
            last_update > from || product->attr.i[GB_MATMUL_ACTIVATION] != GB_ACT_NONE)
            continue;
        gb_node fused = *product;
        fused.attr.i[GB_MATMUL_ACTIVATION] = activation;
        fused.name = node->name;
        fused.output = node->output;
        fused.shape = node->shape;
        *node = fused;
        plan->live[from] = false;
    }
    free(readers);
    return GB_OK;
}

static void add_costs(gb_plan *plan)
{
    gb_plan_report *report = &plan->report;
    for (int32_t i = 0; i < plan->count; i++) {
        const gb_node *node = &plan->nodes[i];
        const gb_op_definition *op = gb_op_table[node->op];
        if (!plan->live[i])
            continue;
        if (gb_node_is_leaf(node, GB_LEAF_PARAMETER))
            report->parameter_bytes += gb_node_bytes(node);
        if (gb_node_is_leaf(node, GB_LEAF_STATE))
            report->state_bytes += gb_node_bytes(node);
        if (!gb_node_runs(plan, i))
            continue;
        gb_shape shapes[GB_OPERANDS_MAX];
        gb_node_operand_shapes(plan, node, shapes);
        report->nodes++;
        uint64_t flops =
            op->flops ? op->flops(node, shapes) : (uint64_t)gb_shape_count(&node->shape);
        report->flops = flops > UINT64_MAX - report->flops ? UINT64_MAX : report->flops + flops;
        report->bytes_moved += gb_node_bytes(node);
        for (int k = 0; k < node->operand_count; k++)
            if (node->operand[k] != GB_NONE)
                report->bytes_moved += gb_node_bytes(&plan->nodes[node->operand[k]]);
        size_t scratch = op->scratch_bytes ? op->scratch_bytes(node, shapes, plan->threads) : 0;
        if (scratch > report->scratch_bytes)
            report->scratch_bytes = scratch;
    }
}

gb_status gb_plan_create(const gb_graph *g, int threads, gb_plan **out)
{
    GB_TRY(gb_graph_status(g));
    if (threads < 1 || threads > 256)
        return gb_fail(GB_ERR_ARGUMENT, "plan: %d threads, expected 1 to 256", threads);
    gb_arena *arena;
    GB_TRY(gb_arena_create(0, &arena));
    gb_status status = GB_ERR_MEMORY;
    gb_plan *plan = gb_arena_alloc(arena, sizeof *plan);
    if (!plan)
        goto failed;
    plan->arena = arena;
    plan->threads = threads;
    plan->seed = g->options.seed;
    GB_TRY_OR(failed, copy_nodes(g, plan));
    mark_live(plan);
    if (!g->gradients) /* a recomputed value must have the bits of the one it stands for */
        GB_TRY_OR(failed, fuse_activations(plan));
    GB_TRY_OR(failed, gb_plan_fuse(plan));
    size_t workspace;
    GB_TRY_OR(failed, gb_plan_place(plan, &workspace));
    plan->report.workspace_bytes = workspace;
    add_costs(plan);
    *out = plan;
    return GB_OK;
failed:
    gb_arena_destroy(arena);
    return status;
}

void gb_plan_destroy(gb_plan *plan)
{
    if (plan)
        gb_arena_destroy(plan->arena);
}

gb_plan_report gb_plan_get_report(const gb_plan *plan)
{
    return plan->report;
}
