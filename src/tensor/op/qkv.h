/* op/qkv.h: the fused rows of queries, keys and values that rope and attention read:
 * [B, T, (H + 2G) E], in each row H query heads, then G key heads, then G value heads. */
#ifndef GENBA_TENSOR_OP_QKV_H
#define GENBA_TENSOR_OP_QKV_H

#include "tensor/graph.h"

typedef struct gb_qkv {
    int64_t B, T, H, G, E;
    int64_t width; /* (H + 2G) E: elements from one row to the next */
} gb_qkv;

static inline gb_qkv gb_qkv_of(const gb_shape *shape, int64_t heads, int64_t kv_heads)
{
    int64_t width = shape->dim[2];
    return (gb_qkv){.B = shape->dim[0],
                    .T = shape->dim[1],
                    .H = heads,
                    .G = kv_heads,
                    .E = width / (heads + 2 * kv_heads),
                    .width = width};
}

/* True if `qkv` is f32 [B, T, (heads + 2 kv_heads) E] with kv_heads dividing heads; keeps a
 * mistake otherwise. */
static inline bool gb_qkv_fits(gb_graph *g, const char *op, gb_value qkv, int heads, int kv_heads)
{
    const gb_node *node = gb_graph_node(g, qkv);
    char text[96];
    gb_shape_text(&node->shape, text, sizeof text);
    if (heads < 1 || kv_heads < 1 || heads % kv_heads != 0) {
        gb_graph_mistake(g, GB_ERR_ARGUMENT,
                         "%s: %d heads and %d key/value heads, expected heads to be a multiple of "
                         "key/value heads, both at least 1",
                         op, heads, kv_heads);
        return false;
    }
    int64_t parts = (int64_t)heads + 2 * (int64_t)kv_heads;
    if (node->dtype != GB_F32 || node->shape.rank != 3 || node->shape.dim[2] % parts != 0) {
        gb_graph_mistake(g, GB_ERR_SHAPE,
                         "%s: qkv is %s %s, expected F32 [batch, sequence, %lld * head_dim] for %d "
                         "heads and %d key/value heads",
                         op, gb_dtype_name(node->dtype), text, (long long)parts, heads, kv_heads);
        return false;
    }
    return true;
}

/* True if `position` is an i32 scalar; keeps a mistake otherwise. */
static inline bool gb_position_fits(gb_graph *g, const char *op, gb_value position)
{
    const gb_node *node = gb_graph_node(g, position);
    if (node->dtype == GB_I32 && gb_shape_count(&node->shape) == 1)
        return true;
    char text[96];
    gb_graph_mistake(g, GB_ERR_SHAPE, "%s: position is %s %s, expected one I32", op,
                     gb_dtype_name(node->dtype), gb_shape_text(&node->shape, text, sizeof text));
    return false;
}

#endif
