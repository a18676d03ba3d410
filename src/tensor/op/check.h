/* op/check.h: the checks most builders make, with messages that name operation, operand, what it is
 * and what it should be. Each returns false after keeping the mistake. */
#ifndef GENBA_OP_CHECK_H
#define GENBA_OP_CHECK_H

#include "tensor/graph.h"

static inline bool
gb_check_dtype(gb_graph *g, const char *op, const char *operand, gb_value value, gb_dtype expected)
{
    gb_dtype dtype = gb_value_dtype(g, value);
    if (dtype == expected)
        return true;
    gb_graph_mistake(g, GB_ERR_SHAPE, "%s: %s is %s, expected %s", op, operand,
                     gb_dtype_name(dtype), gb_dtype_name(expected));
    return false;
}

static inline bool gb_check_tensor(gb_graph *g,
                                   const char *op,
                                   const char *operand,
                                   gb_value value,
                                   gb_dtype dtype,
                                   gb_shape shape)
{
    char is[96], expected[96];
    gb_shape have = gb_value_shape(g, value);
    if (!gb_check_dtype(g, op, operand, value, dtype))
        return false;
    if (gb_shape_equal(&have, &shape))
        return true;
    gb_graph_mistake(g, GB_ERR_SHAPE, "%s: %s is %s, expected %s", op, operand,
                     gb_shape_text(&have, is, sizeof is),
                     gb_shape_text(&shape, expected, sizeof expected));
    return false;
}

/* One number: a scalar or a shape of one element. */
static inline bool
gb_check_scalar(gb_graph *g, const char *op, const char *operand, gb_value value, gb_dtype dtype)
{
    char is[96];
    gb_shape have = gb_value_shape(g, value);
    if (!gb_check_dtype(g, op, operand, value, dtype))
        return false;
    if (gb_shape_count(&have) == 1)
        return true;
    gb_graph_mistake(g, GB_ERR_SHAPE, "%s: %s is %s, expected one number", op, operand,
                     gb_shape_text(&have, is, sizeof is));
    return false;
}

/* Something that lives between runs and may be written: a parameter or a state. */
static inline bool gb_check_leaf(gb_graph *g, const char *op, const char *operand, gb_value value)
{
    const gb_node *node = gb_graph_node(g, value);
    if (node->op == GB_OP_LEAF && node->attr.i[0] != GB_LEAF_INPUT)
        return true;
    gb_graph_mistake(g, GB_ERR_ARGUMENT,
                     "%s: %s is computed or an input, expected a parameter or "
                     "a state, which it writes to",
                     op, operand);
    return false;
}

/* The shape without its last axis. */
static inline gb_shape gb_leading(gb_shape shape)
{
    return gb_shape_make(shape.rank > 0 ? shape.rank - 1 : 0, shape.dim);
}

#endif
