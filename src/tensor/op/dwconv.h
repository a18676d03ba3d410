/* op/dwconv.h: what dwconv.c and dwconv_cached.c share. */
#ifndef GENBA_TENSOR_OP_DWCONV_H
#define GENBA_TENSOR_OP_DWCONV_H

#include "tensor/graph.h"

/* True if x is f32 [B, T, D] and weight f32 [K, D]; keeps a mistake otherwise. */
static inline bool gb_dwconv_fits(gb_graph *g, const char *op, gb_value x, gb_value weight)
{
    const gb_node *n = gb_graph_node(g, x), *w = gb_graph_node(g, weight);
    if (n->dtype == GB_F32 && n->shape.rank == 3 && w->dtype == GB_F32 && w->shape.rank == 2 &&
        w->shape.dim[1] == n->shape.dim[2])
        return true;
    char text[2][96];
    gb_graph_mistake(g, GB_ERR_SHAPE,
                     "%s: x is %s %s and weight %s %s, expected F32 [batch, sequence, width] and "
                     "F32 [kernel size, width]",
                     op, gb_dtype_name(n->dtype), gb_shape_text(&n->shape, text[0], sizeof text[0]),
                     gb_dtype_name(w->dtype), gb_shape_text(&w->shape, text[1], sizeof text[1]));
    return false;
}

/* y += a b */
static inline void gb_dwconv_add_product(int64_t n,
                                         const float *restrict a,
                                         const float *restrict b,
                                         float *restrict y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] += a[i] * b[i];
}

#endif
