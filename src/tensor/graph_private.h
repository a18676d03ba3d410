/* tensor/graph_private.h: the graph's own fields, for graph.c, gradient.c and plan.c only. */
#ifndef GENBA_TENSOR_GRAPH_PRIVATE_H
#define GENBA_TENSOR_GRAPH_PRIVATE_H

#include "tensor/graph.h"

#include <stdio.h>

struct gb_graph {
    gb_graph_options options;
    gb_arena *arena; /* names, host numbers */
    gb_node *nodes;  /* [count], in the order they run */
    int32_t count, capacity;
    int64_t random_streams;
    gb_status status; /* the first mistake */
    char mistake[512];

    gb_value *checkpoints; /* [checkpoint_count], rising */
    int32_t checkpoint_count;
    bool *wants_gradient; /* [wants_count], inputs asked for by gb_graph_require_gradient */
    int32_t wants_count;
    gb_value *gradients; /* [gradient_count] of each forward value after backward, or GB_NONE */
    int32_t gradient_count;
    const bool *differentiable; /* [gradient_count] while backward runs */
};

static inline bool gb_node_is_leaf(const gb_node *node, gb_leaf_role role)
{
    return node->op == GB_OP_LEAF && node->attr.i[0] == (int64_t)role;
}

#endif
