/* tensor/plan.h: what a plan holds, for plan.c (makes it), place.c (places buffers), exec.c (runs
 * it). */
#ifndef GENBA_TENSOR_PLAN_H
#define GENBA_TENSOR_PLAN_H

#include "tensor/graph_private.h"

#define GB_NOT_PLACED SIZE_MAX

struct gb_plan {
    gb_arena *arena;
    gb_node *nodes; /* [count]; indices are the graph's */
    int32_t count;
    bool *live;     /* [count] */
    gb_value *root; /* [count] the node whose memory this node's value lies in */
    size_t *offset; /* [count] of roots in the workspace; GB_NOT_PLACED: a parameter or state */
    uint64_t seed;
    int threads;
    gb_plan_report report;
};

/* Joins operations that would stream the same numbers through memory twice (fuse.c). */
gb_status gb_plan_fuse(gb_plan *plan);
/* Chooses root and offset of every live node so that values alive together do not overlap; returns
 * the workspace's size. */
gb_status gb_plan_place(gb_plan *plan, size_t *out_bytes);

/* False for leaves, and for views that are their operand's memory. */
static inline bool gb_node_runs(const gb_plan *plan, int32_t i)
{
    const gb_op_definition *op = gb_op_table[plan->nodes[i].op];
    return plan->live[i] && op->run && !(op->view && plan->root[i] != i);
}

static inline size_t gb_node_bytes(const gb_node *node)
{
    return (size_t)gb_shape_count(&node->shape) * gb_dtype_bytes(node->dtype);
}

static inline void
gb_node_operand_shapes(const gb_plan *plan, const gb_node *node, gb_shape *shapes)
{
    for (int k = 0; k < node->operand_count; k++)
        shapes[k] = node->operand[k] == GB_NONE ? GB_SCALAR : plan->nodes[node->operand[k]].shape;
}

#endif
