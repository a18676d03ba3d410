/* Places every value of a plan in one workspace: values alive at the same time never overlap, views
 * and updates share their operand's memory, and an operation that may writes over an operand whose
 * last reader it is. A view of a leaf that is read after the leaf was updated gets memory of its
 * own: it holds what the leaf was. Offsets: largest first, lowest gap that fits. */
#include "tensor/plan.h"

#include <stdlib.h>

typedef struct life {
    gb_value root;
    int32_t first, last; /* nodes from writing to the last reading, inclusive */
    size_t bytes, offset;
} life;

static bool lives_outside(const gb_plan *plan, gb_value root)
{
    const gb_node *node = &plan->nodes[root];
    return gb_node_is_leaf(node, GB_LEAF_PARAMETER) || gb_node_is_leaf(node, GB_LEAF_STATE);
}

/* Views and updates first: their memory is not theirs. */
static void find_roots(gb_plan *plan)
{
    for (int32_t i = 0; i < plan->count; i++) {
        const gb_op_definition *op = gb_op_table[plan->nodes[i].op];
        bool shares = op->view || op->updates;
        plan->root[i] = shares ? plan->root[plan->nodes[i].operand[0]] : i;
    }
}

/* last[i]: the last node that reads value i itself, not other values in the same memory. */
static void find_own_reads(const gb_plan *plan, int32_t *last)
{
    for (int32_t i = 0; i < plan->count; i++) {
        const gb_node *node = &plan->nodes[i];
        last[i] = plan->live[i] && node->output ? plan->count : i;
        for (int k = 0; plan->live[i] && k < node->operand_count; k++)
            if (node->operand[k] != GB_NONE && last[node->operand[k]] < i)
                last[node->operand[k]] = i;
    }
}

/* What a view or an update stands for is gone once another update has written the leaf. A view that
 * is read later becomes a copy. The result of an update cannot: it is the leaf. `next[leaf]`: the
 * first update after the node looked at. */
static gb_status keep_old_values(gb_plan *plan, const int32_t *last, int32_t *next)
{
    for (int32_t i = 0; i < plan->count; i++)
        next[i] = INT32_MAX;
    for (int32_t i = plan->count - 1; i >= 0; i--) {
        const gb_node *node = &plan->nodes[i];
        const gb_op_definition *op = gb_op_table[node->op];
        gb_value leaf = plan->root[i];
        if (!plan->live[i] || node->op == GB_OP_LEAF)
            continue;
        if (op->view && last[i] >= next[leaf])
            plan->root[i] = i;
        if (op->updates && last[i] > next[leaf])
            return gb_fail(GB_ERR_ARGUMENT,
                           "plan: the value that %s gave %s is read after %s wrote it again; read "
                           "it before, or copy it",
                           op->name, plan->nodes[leaf].name,
                           gb_op_table[plan->nodes[next[leaf]].op]->name);
        for (int k = 0; k < node->operand_count; k++)
            if (op->updates >> k & 1)
                next[node->operand[k]] = i;
    }
    for (int32_t i = 0; i < plan->count; i++) /* views of a view that is a copy now */
        if (plan->root[i] != i)
            plan->root[i] = plan->root[plan->nodes[i].operand[0]];
    return GB_OK;
}

static void find_last_reads(const gb_plan *plan, int32_t *last)
{
    for (int32_t i = 0; i < plan->count; i++)
        last[i] = i;
    for (int32_t i = 0; i < plan->count; i++) {
        if (!plan->live[i])
            continue;
        const gb_node *node = &plan->nodes[i];
        for (int k = 0; k < node->operand_count; k++)
            if (node->operand[k] != GB_NONE)
                last[plan->root[node->operand[k]]] = i;
    }
    /* Inputs and outputs outlive every reader. */
    for (int32_t i = 0; i < plan->count; i++)
        if (plan->live[i] &&
            (plan->nodes[i].output || gb_node_is_leaf(&plan->nodes[i], GB_LEAF_INPUT)))
            last[plan->root[i]] = plan->count;
}

/* Node i takes over the memory of an operand it is the last to read. */
static void share_in_place(gb_plan *plan, int32_t *last)
{
    for (int32_t i = 0; i < plan->count; i++) {
        const gb_node *node = &plan->nodes[i];
        if (!plan->live[i])
            continue;
        if (plan->root[i] != i) {
            plan->root[i] = plan->root[plan->root[i]]; /* a view of what was taken over */
            continue;
        }
        uint32_t mask = gb_op_table[node->op]->in_place;
        for (int k = 0; k < node->operand_count; k++) {
            gb_value operand = node->operand[k];
            if (!(mask >> k & 1) || operand == GB_NONE)
                continue;
            gb_value root = plan->root[operand];
            if (last[root] != i || lives_outside(plan, root) ||
                gb_node_bytes(&plan->nodes[root]) != gb_node_bytes(node))
                continue;
            last[root] = last[i];
            plan->root[i] = root;
            break;
        }
    }
}

static int larger_first(const void *a, const void *b)
{
    const life *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x->root < y->root ? -1 : 1;
}

static int lower_first(const void *a, const void *b)
{
    const life *x = *(const life *const *)a, *y = *(const life *const *)b;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* The lowest offset where `one` fits between those already placed that live at the same time. */
static size_t lowest_gap(const life *lives, int32_t placed, const life *one, const life **near)
{
    int32_t count = 0;
    for (int32_t i = 0; i < placed; i++)
        if (lives[i].first <= one->last && one->first <= lives[i].last)
            near[count++] = &lives[i];
    qsort(near, (size_t)count, sizeof *near, lower_first);
    size_t offset = 0;
    for (int32_t i = 0; i < count; i++) {
        if (near[i]->offset >= offset + one->bytes)
            break;
        if (near[i]->offset + near[i]->bytes > offset)
            offset = near[i]->offset + near[i]->bytes;
    }
    return offset;
}

static int32_t gather_lives(const gb_plan *plan, const int32_t *last, life *lives)
{
    int32_t count = 0;
    for (int32_t i = 0; i < plan->count; i++) {
        plan->offset[i] = GB_NOT_PLACED;
        if (!plan->live[i] || plan->root[i] != i || lives_outside(plan, i))
            continue;
        bool input = plan->nodes[i].op == GB_OP_LEAF;
        lives[count++] = (life){.root = i,
                                .first = input ? -1 : i,
                                .last = last[i],
                                .bytes = (gb_node_bytes(&plan->nodes[i]) + 63) & ~(size_t)63};
    }
    qsort(lives, (size_t)count, sizeof *lives, larger_first);
    return count;
}

gb_status gb_plan_place(gb_plan *plan, size_t *out_bytes)
{
    size_t n = (size_t)plan->count + 1;
    int32_t *last = malloc(n * sizeof *last), *next = malloc(n * sizeof *next);
    life *lives = malloc(n * sizeof *lives);
    const life **near = malloc(n * sizeof(life *));
    gb_status status = GB_OK;
    if (!last || !next || !lives || !near) {
        status = gb_fail(GB_ERR_MEMORY, "plan: no memory to place %d values", plan->count);
        goto done;
    }
    find_roots(plan);
    find_own_reads(plan, last);
    GB_TRY_OR(done, keep_old_values(plan, last, next));
    find_last_reads(plan, last);
    share_in_place(plan, last);
    int32_t count = gather_lives(plan, last, lives);
    size_t bytes = 0;
    for (int32_t i = 0; i < count; i++) {
        lives[i].offset = lowest_gap(lives, i, &lives[i], near);
        plan->offset[lives[i].root] = lives[i].offset;
        if (lives[i].offset + lives[i].bytes > bytes)
            bytes = lives[i].offset + lives[i].bytes;
    }
    *out_bytes = bytes;
done:
    free(last);
    free(next);
    free(lives);
    free(near);
    return status;
}
