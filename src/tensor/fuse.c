/* Joins operations that would stream the same numbers through memory twice. Only what changes no
 * shape and no meaning; activations after matrix products are plan.c's.
 *   sum(square(x))            -> one pass over x              (the norm of a gradient)
 *   adamw(w, x s, ...), s one number -> adamw scales as it goes (clipping) */
#include "tensor/plan.h"

#include <stdlib.h>

typedef struct fusing {
    gb_plan *plan;
    int32_t *readers; /* [count] of each node, among live ones */
} fusing;

/* The node behind views of it, as long as nobody else reads any of them; GB_NONE otherwise. */
static gb_value sole_source(const fusing *f, gb_value value)
{
    for (;;) {
        const gb_node *node = &f->plan->nodes[value];
        if (f->readers[value] != 1 || node->output)
            return GB_NONE;
        if (!gb_op_table[node->op]->view)
            return value;
        value = node->operand[0];
    }
}

/* In memory of its own, not a leaf's: no update can change it before a later reader. */
static bool computed(const gb_plan *plan, gb_value value)
{
    while (gb_op_table[plan->nodes[value].op]->view)
        value = plan->nodes[value].operand[0];
    gb_op op = plan->nodes[value].op;
    return op != GB_OP_LEAF && !gb_op_table[op]->updates;
}

static void forget(fusing *f, gb_value value, gb_value source)
{
    for (;; value = f->plan->nodes[value].operand[0]) {
        f->plan->live[value] = false;
        if (value == source)
            return;
    }
}

/* Sums every element: then the order of axes and views in between do not matter. */
static void fuse_squares(fusing *f, gb_node *node)
{
    if (node->op != GB_OP_REDUCE || node->attr.i[0] != GB_REDUCE_SUM ||
        gb_shape_count(&node->shape) != 1)
        return;
    gb_value source = sole_source(f, node->operand[0]);
    const gb_node *square = source == GB_NONE ? NULL : &f->plan->nodes[source];
    if (!square || square->op != GB_OP_UNARY || square->attr.i[0] != GB_UNARY_SQUARE ||
        !computed(f->plan, square->operand[0]))
        return;
    forget(f, node->operand[0], source);
    node->operand[0] = square->operand[0];
    node->attr.i[GB_REDUCE_SQUARES] = 1;
    node->attr.i[GB_REDUCE_AXIS] = 0;
    node->attr.i[GB_REDUCE_AXES] = f->plan->nodes[node->operand[0]].shape.rank;
}

static void fuse_scale(fusing *f, gb_node *node)
{
    if (node->op != GB_OP_ADAMW || node->operand_count != 6)
        return;
    gb_value source = sole_source(f, node->operand[1]);
    const gb_node *product = source == GB_NONE ? NULL : &f->plan->nodes[source];
    if (!product || source != node->operand[1] || product->op != GB_OP_BINARY ||
        product->attr.i[0] != GB_BINARY_MUL)
        return;
    gb_value gradient = product->operand[0], scale = product->operand[1];
    const gb_node *whole = &f->plan->nodes[gradient], *one = &f->plan->nodes[scale];
    if (!gb_shape_equal(&whole->shape, &node->shape) || gb_shape_count(&one->shape) != 1 ||
        one->dtype != GB_F32 || !computed(f->plan, gradient) || !computed(f->plan, scale))
        return;
    forget(f, source, source);
    node->operand[1] = gradient;
    node->operand[6] = scale;
    node->operand_count = 7;
}

gb_status gb_plan_fuse(gb_plan *plan)
{
    fusing f = {plan, calloc((size_t)plan->count + 1, sizeof(int32_t))};
    if (!f.readers)
        return gb_fail(GB_ERR_MEMORY, "plan: no memory for %d counters", plan->count);
    for (int32_t i = 0; i < plan->count; i++)
        for (int k = 0; plan->live[i] && k < plan->nodes[i].operand_count; k++)
            if (plan->nodes[i].operand[k] != GB_NONE)
                f.readers[plan->nodes[i].operand[k]]++;
    for (int32_t i = 0; i < plan->count; i++) {
        if (!plan->live[i])
            continue;
        fuse_squares(&f, &plan->nodes[i]);
        fuse_scale(&f, &plan->nodes[i]);
    }
    free(f.readers);
    return GB_OK;
}
