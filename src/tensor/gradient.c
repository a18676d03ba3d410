/* Differentiation: appends, in reverse order of the forward nodes, the operations that compute the
 * gradients. The rules themselves live in the operations' files. */
#include "tensor/graph_private.h"

#include <stdlib.h>
#include <string.h>

void gb_graph_checkpoint(gb_graph *g, gb_value value)
{
    if (!gb_graph_usable(g, "checkpoint", 1, &value))
        return;
    gb_value *grown = realloc(g->checkpoints, sizeof(gb_value) * (size_t)(g->checkpoint_count + 1));
    if (!grown) {
        gb_graph_mistake(g, GB_ERR_MEMORY, "checkpoint: no memory");
        return;
    }
    g->checkpoints = grown;
    g->checkpoints[g->checkpoint_count++] = value;
}

void gb_graph_require_gradient(gb_graph *g, gb_value input)
{
    if (!gb_graph_usable(g, "require_gradient", 1, &input))
        return;
    if (g->nodes[input].dtype != GB_F32) {
        gb_graph_mistake(g, GB_ERR_ARGUMENT, "require_gradient: the input is %s, expected F32",
                         gb_dtype_name(g->nodes[input].dtype));
        return;
    }
    if (input >= g->wants_count) {
        bool *grown = realloc(g->wants_gradient, (size_t)input + 1);
        if (!grown) {
            gb_graph_mistake(g, GB_ERR_MEMORY, "require_gradient: no memory");
            return;
        }
        memset(grown + g->wants_count, 0, (size_t)(input + 1 - g->wants_count));
        g->wants_gradient = grown;
        g->wants_count = input + 1;
    }
    g->wants_gradient[input] = true;
}

bool gb_grad_wanted(const gb_graph *g, const gb_grad *grad, int operand)
{
    gb_value source = grad->source[operand];
    return source != GB_NONE && g->differentiable[source];
}

void gb_grad_add(gb_graph *g, const gb_grad *grad, int operand, gb_value value)
{
    if (g->status != GB_OK || value == GB_NONE || !gb_grad_wanted(g, grad, operand))
        return;
    gb_value source = grad->source[operand];
    char is[96], should[96];
    gb_shape have = gb_value_shape(g, value), want = gb_value_shape(g, source);
    if (!gb_shape_equal(&have, &want)) {
        gb_graph_mistake(g, GB_ERR_SHAPE, "gradient of %s operand %d is %s, expected %s",
                         gb_op_table[grad->node->op]->name, operand,
                         gb_shape_text(&have, is, sizeof is),
                         gb_shape_text(&want, should, sizeof should));
        return;
    }
    gb_value known = g->gradients[source];
    g->gradients[source] = known == GB_NONE ? value : gb_op_add(g, known, value);
}

gb_value gb_graph_gradient(const gb_graph *g, gb_value leaf)
{
    return leaf >= 0 && leaf < g->gradient_count ? g->gradients[leaf] : GB_NONE;
}

/* Which forward values depend on something that wants a gradient. */
static void mark_differentiable(const gb_graph *g, gb_value loss, bool *mark)
{
    for (gb_value v = 0; v <= loss; v++) {
        const gb_node *node = &g->nodes[v];
        mark[v] = gb_node_is_leaf(node, GB_LEAF_PARAMETER) ||
                  (v < g->wants_count && g->wants_gradient[v]);
        if (node->op == GB_OP_LEAF || !gb_op_table[node->op]->gradient)
            continue;
        for (int k = 0; k < node->operand_count; k++)
            if (node->operand[k] != GB_NONE && mark[node->operand[k]])
                mark[v] = true;
    }
}

/* ---- recomputation: a value between two checkpoints is cloned when the backward pass asks for it.
 */
typedef struct recompute {
    bool *kept;       /* [count] forward values that stay in memory */
    gb_value *clone;  /* [count] the value to read in the backward pass, GB_NONE if not made yet */
    gb_value *update; /* [begin] the last operation that writes a leaf, GB_NONE if none */
    gb_value begin;   /* of the backward pass */
} recompute;

static void find_updates(const gb_graph *g, recompute *r)
{
    for (gb_value v = 0; v < r->begin; v++)
        r->update[v] = GB_NONE;
    for (gb_value v = 0; v < r->begin; v++)
        for (int k = 0; k < g->nodes[v].operand_count; k++)
            if (gb_op_table[g->nodes[v].op]->updates >> k & 1)
                r->update[g->nodes[v].operand[k]] = v;
}

/* The operation that overwrote what node `reader` saw in `operand`, GB_NONE if it is still there. A
 * forward view is no concern: the plan copies it when it must. */
static gb_value
overwritten(const gb_graph *g, const recompute *r, gb_value operand, gb_value reader)
{
    while (operand >= r->begin && gb_op_table[g->nodes[operand].op]->view)
        operand = g->nodes[operand].operand[0];
    if (operand < 0 || operand >= r->begin)
        return GB_NONE;
    if (gb_op_table[g->nodes[operand].op]->updates)
        operand = g->nodes[operand].operand[0];
    return r->update[operand] > reader ? r->update[operand] : GB_NONE;
}

/* Running it once more would write again, or read what has been written since. */
static bool runs_once(const gb_graph *g, const recompute *r, gb_value v)
{
    const gb_node *node = &g->nodes[v];
    bool once = gb_op_table[node->op]->updates != 0;
    for (int k = 0; k < node->operand_count; k++)
        once = once || overwritten(g, r, node->operand[k], v) != GB_NONE;
    return once;
}

static void keep_checkpoints(const gb_graph *g, gb_value loss, bool enabled, recompute *r)
{
    gb_value last = -1;
    for (int32_t i = 0; i < g->checkpoint_count; i++)
        if (g->checkpoints[i] <= loss && g->checkpoints[i] > last)
            last = g->checkpoints[i];
    bool dropping = enabled && last >= 0;
    for (gb_value v = 0; v <= loss; v++) {
        const gb_node *node = &g->nodes[v];
        /* After the last checkpoint the backward pass follows at once: nothing is gained there. */
        r->kept[v] =
            !dropping || v > last || node->op == GB_OP_LEAF || node->output || runs_once(g, r, v);
        r->clone[v] = GB_NONE;
    }
    for (int32_t i = 0; i < g->checkpoint_count; i++)
        if (g->checkpoints[i] <= loss)
            r->kept[g->checkpoints[i]] = true;
}

static gb_value readable(gb_graph *g, recompute *r, gb_value v)
{
    if (v == GB_NONE || g->status != GB_OK)
        return GB_NONE;
    if (r->kept[v] || g->nodes[v].op == GB_OP_LEAF)
        return v;
    if (r->clone[v] != GB_NONE)
        return r->clone[v];
    gb_node node = g->nodes[v]; /* a copy: appending moves the array */
    for (int k = 0; k < node.operand_count; k++)
        node.operand[k] = readable(g, r, node.operand[k]);
    r->clone[v] = gb_graph_append(g, node.op, node.dtype, node.shape, node.operand_count,
                                  node.operand, &node.attr);
    return r->clone[v];
}

static void refuse_overwritten(gb_graph *g, const recompute *r, gb_value operand, gb_value reader)
{
    gb_value by = overwritten(g, r, operand, reader);
    if (by != GB_NONE)
        gb_graph_mistake(
            g, GB_ERR_ARGUMENT,
            "backward: the gradient of %s needs what %s was before %s wrote it; append "
            "updates after the backward pass",
            gb_op_table[g->nodes[reader].op]->name, gb_value_name(g, g->nodes[by].operand[0]),
            gb_op_table[g->nodes[by].op]->name);
}

static void differentiate(gb_graph *g, gb_value v, recompute *r)
{
    gb_node forward = g->nodes[v];
    gb_grad grad = {.grad_out = g->gradients[v]};
    gb_node seen = forward;
    for (int k = 0; k < forward.operand_count; k++) {
        grad.source[k] = forward.operand[k];
        seen.operand[k] = readable(g, r, forward.operand[k]);
    }
    grad.out = readable(g, r, v);
    grad.node = &seen;
    gb_value first = g->count;
    gb_op_table[forward.op]->gradient(g, &grad);
    for (gb_value n = first; n < g->count; n++)
        for (int k = 0; k < g->nodes[n].operand_count; k++)
            refuse_overwritten(g, r, g->nodes[n].operand[k], v);
}

gb_status gb_graph_backward(gb_graph *g, gb_value loss, bool recompute_values)
{
    GB_TRY(gb_graph_status(g));
    if (loss < 0 || loss >= g->count || g->nodes[loss].dtype != GB_F32 ||
        gb_shape_count(&g->nodes[loss].shape) != 1)
        return gb_fail(GB_ERR_ARGUMENT, "backward: the loss must be one f32 number of this graph");
    if (g->gradients)
        return gb_fail(GB_ERR_ARGUMENT, "backward: this graph has been differentiated already");
    size_t count = (size_t)loss + 1;
    bool *mark = calloc(count, 1);
    recompute r = {.kept = calloc(count, 1),
                   .clone = calloc(count, sizeof(gb_value)),
                   .update = calloc((size_t)g->count, sizeof(gb_value)),
                   .begin = g->count};
    g->gradients = malloc(count * sizeof(gb_value));
    gb_status status = GB_OK;
    if (!mark || !r.kept || !r.clone || !r.update || !g->gradients) {
        status = gb_fail(GB_ERR_MEMORY, "backward: no memory for %zu marks", count);
        goto done;
    }
    g->gradient_count = (int32_t)count;
    for (size_t i = 0; i < count; i++)
        g->gradients[i] = GB_NONE;
    mark_differentiable(g, loss, mark);
    find_updates(g, &r);
    keep_checkpoints(g, loss, recompute_values, &r);
    g->differentiable = mark;
    g->gradients[loss] = gb_op_fill(g, g->nodes[loss].shape, 1.0f);
    for (gb_value v = loss; v >= 0; v--)
        if (mark[v] && g->gradients[v] != GB_NONE && g->nodes[v].op != GB_OP_LEAF)
            differentiate(g, v, &r);
    status = gb_graph_status(g);
done:
    g->differentiable = NULL;
    free(mark);
    free(r.kept);
    free(r.clone);
    free(r.update);
    return status;
}
