/* The graph: nodes in the order they run, leaves by name, the first mistake. Differentiation is
 * gradient.c, placing memory plan.c, running exec.c. */
#include "tensor/graph_private.h"

#include <stdlib.h>
#include <string.h>

const gb_op_definition *const gb_op_table[GB_OP_COUNT] = {
#define GB_OP_ROW(name, file) [GB_OP_##name] = &gb_op_definition_##file,
    GB_OP_LIST(GB_OP_ROW)
#undef GB_OP_ROW
};

gb_status gb_graph_create(gb_graph_options options, gb_graph **out)
{
    if (options.compute != GB_F32 && options.compute != GB_BF16)
        return gb_fail(GB_ERR_ARGUMENT, "graph: compute is %d, expected GB_F32 or GB_BF16",
                       (int)options.compute);
    gb_graph *g = calloc(1, sizeof *g);
    if (!g)
        return gb_fail(GB_ERR_MEMORY, "graph: no memory for an empty graph");
    gb_status status = gb_arena_create(0, &g->arena);
    if (status != GB_OK) {
        free(g);
        return status;
    }
    g->options = options;
    *out = g;
    return GB_OK;
}

void gb_graph_destroy(gb_graph *g)
{
    if (!g)
        return;
    gb_arena_destroy(g->arena);
    free(g->nodes);
    free(g->checkpoints);
    free(g->gradients);
    free(g->wants_gradient);
    free(g);
}

gb_status gb_graph_status(const gb_graph *g)
{
    return g->status == GB_OK ? GB_OK : gb_fail(g->status, "%s", g->mistake);
}

gb_value gb_graph_mistake(gb_graph *g, gb_status status, const char *format, ...)
{
    if (g->status == GB_OK) {
        va_list args;
        va_start(args, format);
        vsnprintf(g->mistake, sizeof g->mistake, format, args);
        va_end(args);
        g->status = status;
    }
    return GB_NONE;
}

bool gb_graph_usable(gb_graph *g, const char *op_name, int count, const gb_value *values)
{
    if (g->status != GB_OK)
        return false;
    for (int i = 0; i < count; i++)
        if (values[i] < 0 || values[i] >= g->count) {
            gb_graph_mistake(g, GB_ERR_ARGUMENT, "%s: operand %d is not a value of this graph",
                             op_name, i);
            return false;
        }
    return true;
}

const gb_node *gb_graph_node(const gb_graph *g, gb_value value)
{
    return &g->nodes[value];
}

int32_t gb_graph_count(const gb_graph *g)
{
    return g->count;
}

gb_graph_options gb_graph_get_options(const gb_graph *g)
{
    return g->options;
}

const float *gb_graph_keep(gb_graph *g, const float *values, int count)
{
    float *copy = gb_arena_alloc(g->arena, sizeof(float) * (size_t)count);
    if (!copy) {
        gb_graph_mistake(g, GB_ERR_MEMORY, "graph: no memory for %d host numbers", count);
        return NULL;
    }
    memcpy(copy, values, sizeof(float) * (size_t)count);
    return copy;
}

int64_t gb_graph_next_stream(gb_graph *g)
{
    return ++g->random_streams;
}

static bool grow(gb_graph *g)
{
    if (g->count < g->capacity)
        return true;
    int32_t capacity = g->capacity ? 2 * g->capacity : 256;
    gb_node *nodes = realloc(g->nodes, sizeof(gb_node) * (size_t)capacity);
    if (!nodes) {
        gb_graph_mistake(g, GB_ERR_MEMORY, "graph: no memory for %d nodes", capacity);
        return false;
    }
    g->nodes = nodes;
    g->capacity = capacity;
    return true;
}

gb_value gb_graph_append(gb_graph *g,
                         gb_op op,
                         gb_dtype dtype,
                         gb_shape shape,
                         int operand_count,
                         const gb_value *operands,
                         const gb_attr *attr)
{
    char text[128];
    if (g->status != GB_OK || !grow(g))
        return GB_NONE;
    if (!gb_shape_valid(&shape))
        return gb_graph_mistake(g, GB_ERR_SHAPE,
                                "%s: the shape would be %s, expected a rank of 0 to %d, axes of at "
                                "least 1 and at most %lld elements",
                                gb_op_table[op]->name, gb_shape_text(&shape, text, sizeof text),
                                GB_RANK_MAX, (long long)GB_COUNT_MAX);
    gb_node node = {.op = op, .dtype = dtype, .shape = shape, .operand_count = operand_count};
    for (int i = 0; i < operand_count; i++)
        node.operand[i] = operands[i];
    if (attr)
        node.attr = *attr;
    g->nodes[g->count] = node;
    return g->count++;
}

static gb_value add_leaf(
    gb_graph *g, gb_leaf_role role, const char *name, gb_dtype dtype, gb_shape shape, gb_init init)
{
    if (g->status != GB_OK)
        return GB_NONE;
    if ((unsigned)dtype >= GB_DTYPE_COUNT)
        return gb_graph_mistake(g, GB_ERR_ARGUMENT, "leaf %s: type %d, expected 0 to %d", name,
                                (int)dtype, GB_DTYPE_COUNT - 1);
    gb_value known = gb_graph_find(g, name);
    if (known != GB_NONE) {
        const gb_node *node = &g->nodes[known];
        char was[96], now[96];
        if (node->op == GB_OP_LEAF && node->attr.i[0] == (int64_t)role && node->dtype == dtype &&
            gb_shape_equal(&node->shape, &shape))
            return known;
        return gb_graph_mistake(g, GB_ERR_SHAPE, "leaf %s was declared as %s %s and now as %s %s",
                                name, gb_dtype_name(node->dtype),
                                gb_shape_text(&node->shape, was, sizeof was), gb_dtype_name(dtype),
                                gb_shape_text(&shape, now, sizeof now));
    }
    gb_attr attr = {.i = {(int64_t)role, (int64_t)init.kind}, .f = {init.scale}};
    const char *copy = gb_arena_text(g->arena, name);
    if (!copy)
        return gb_graph_mistake(g, GB_ERR_MEMORY, "graph: no memory for a name");
    gb_value value = gb_graph_append(g, GB_OP_LEAF, dtype, shape, 0, NULL, &attr);
    if (value != GB_NONE)
        g->nodes[value].name = copy;
    return value;
}

gb_value gb_graph_input(gb_graph *g, const char *name, gb_dtype dtype, gb_shape shape)
{
    return add_leaf(g, GB_LEAF_INPUT, name, dtype, shape, (gb_init){0});
}

gb_value gb_graph_parameter(gb_graph *g, const char *name, gb_shape shape, gb_init init)
{
    return add_leaf(g, GB_LEAF_PARAMETER, name, GB_F32, shape, init);
}

gb_value gb_graph_state(gb_graph *g, const char *name, gb_dtype dtype, gb_shape shape)
{
    return add_leaf(g, GB_LEAF_STATE, name, dtype, shape, (gb_init){0});
}

void gb_graph_output(gb_graph *g, const char *name, gb_value value)
{
    if (!gb_graph_usable(g, "output", 1, &value))
        return;
    gb_node *node = &g->nodes[value];
    if (gb_graph_find(g, name) != GB_NONE || node->op == GB_OP_LEAF || node->name) {
        gb_graph_mistake(g, GB_ERR_ARGUMENT,
                         "output %s: the name is taken, or the value is a leaf or has a name",
                         name);
        return;
    }
    node->name = gb_arena_text(g->arena, name);
    node->output = node->name != NULL;
    if (!node->name)
        gb_graph_mistake(g, GB_ERR_MEMORY, "graph: no memory for a name");
}

gb_shape gb_value_shape(const gb_graph *g, gb_value value)
{
    return value >= 0 && value < g->count ? g->nodes[value].shape : GB_SCALAR;
}

gb_dtype gb_value_dtype(const gb_graph *g, gb_value value)
{
    return value >= 0 && value < g->count ? g->nodes[value].dtype : GB_F32;
}

const char *gb_value_name(const gb_graph *g, gb_value value)
{
    return value >= 0 && value < g->count && g->nodes[value].name ? g->nodes[value].name : "";
}

gb_value gb_graph_find(const gb_graph *g, const char *name)
{
    for (int32_t i = 0; i < g->count; i++)
        if (g->nodes[i].name && strcmp(g->nodes[i].name, name) == 0)
            return i;
    return GB_NONE;
}

gb_value gb_graph_parameter_at(const gb_graph *g, int64_t index)
{
    for (int32_t i = 0; i < g->count; i++)
        if (gb_node_is_leaf(&g->nodes[i], GB_LEAF_PARAMETER) && index-- == 0)
            return i;
    return GB_NONE;
}

gb_status gb_graph_print(const gb_graph *g, gb_file_writer *writer)
{
    for (int32_t i = 0; i < g->count; i++) {
        const gb_node *node = &g->nodes[i];
        char shape[96];
        GB_TRY(gb_file_writer_printf(writer, "%%%d = %s %s %s", i, gb_op_table[node->op]->name,
                                     gb_dtype_name(node->dtype),
                                     gb_shape_text(&node->shape, shape, sizeof shape)));
        for (int k = 0; k < node->operand_count; k++)
            if (node->operand[k] != GB_NONE)
                GB_TRY(gb_file_writer_printf(writer, " %%%d", node->operand[k]));
        GB_TRY(gb_file_writer_printf(writer, "%s%s\n", node->name ? "  # " : "",
                                     node->name ? node->name : ""));
    }
    return GB_OK;
}

/* A stream number of its own for each name: FNV-1a. */
static uint64_t name_stream(const char *name)
{
    uint64_t hash = 14695981039346656037u;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 1099511628211u;
    return hash;
}

static void fill_by_rule(const gb_node *node, uint64_t seed, gb_tensor *tensor)
{
    size_t count = (size_t)gb_shape_count(&tensor->shape);
    float *values = tensor->data, scale = node->attr.f[0];
    uint64_t stream = name_stream(node->name);
    switch ((gb_init_kind)node->attr.i[1]) {
    case GB_INIT_ZERO:
        return;
    case GB_INIT_ONE:
        for (size_t i = 0; i < count; i++)
            values[i] = 1.0f;
        return;
    case GB_INIT_NORMAL:
        gb_random_fill_normal(seed, stream, 0, values, count);
        for (size_t i = 0; i < count; i++)
            values[i] *= scale;
        return;
    case GB_INIT_UNIFORM:
        gb_random_fill_uniform(seed, stream, 0, values, count);
        for (size_t i = 0; i < count; i++)
            values[i] = (2.0f * values[i] - 1.0f) * scale;
        return;
    }
}

static gb_status ensure_leaf(const gb_node *node, gb_tensors *set, gb_tensor **out_new)
{
    gb_tensor *known = gb_tensors_find(set, node->name);
    *out_new = NULL;
    if (!known)
        return gb_tensors_add(set, node->name, node->dtype, node->shape, out_new);
    char was[96], now[96];
    if (known->dtype != node->dtype || !gb_shape_equal(&known->shape, &node->shape))
        return gb_fail(GB_ERR_MISMATCH, "tensor %s is %s %s, the graph expects %s %s", node->name,
                       gb_dtype_name(known->dtype), gb_shape_text(&known->shape, was, sizeof was),
                       gb_dtype_name(node->dtype), gb_shape_text(&node->shape, now, sizeof now));
    return GB_OK;
}

gb_status gb_graph_init_parameters(const gb_graph *g, uint64_t seed, gb_tensors *set)
{
    GB_TRY(gb_graph_status(g));
    for (int32_t i = 0; i < g->count; i++) {
        gb_tensor *added;
        if (!gb_node_is_leaf(&g->nodes[i], GB_LEAF_PARAMETER))
            continue;
        GB_TRY(ensure_leaf(&g->nodes[i], set, &added));
        if (added)
            fill_by_rule(&g->nodes[i], seed, added);
    }
    return GB_OK;
}

gb_status gb_graph_init_state(const gb_graph *g, gb_tensors *set)
{
    GB_TRY(gb_graph_status(g));
    for (int32_t i = 0; i < g->count; i++) {
        gb_tensor *added;
        if (gb_node_is_leaf(&g->nodes[i], GB_LEAF_STATE))
            GB_TRY(ensure_leaf(&g->nodes[i], set, &added));
    }
    return GB_OK;
}
