/* A set of named tensors in order of addition. Reading and writing files: safetensors.c. */
#include "genba/tensor.h"

#include <stdlib.h>
#include <string.h>

typedef struct named {
    char *name;
    gb_tensor tensor;
} named;

struct gb_tensors {
    named **items; /* [count]; each allocated alone, so that pointers to tensors stay */
    int64_t count, capacity;
};

gb_status gb_tensors_create(gb_tensors **out)
{
    gb_tensors *set = calloc(1, sizeof *set);
    if (!set)
        return gb_fail(GB_ERR_MEMORY, "tensors: no memory for an empty set");
    *out = set;
    return GB_OK;
}

static void free_item(named *item)
{
    if (!item)
        return;
    free(item->name);
    gb_aligned_free(item->tensor.data);
    free(item);
}

void gb_tensors_destroy(gb_tensors *set)
{
    if (!set)
        return;
    for (int64_t i = 0; i < set->count; i++)
        free_item(set->items[i]);
    free(set->items);
    free(set);
}

static gb_status make_room(gb_tensors *set)
{
    if (set->count < set->capacity)
        return GB_OK;
    int64_t capacity = set->capacity ? 2 * set->capacity : 64;
    named **items = realloc(set->items, sizeof *items * (size_t)capacity);
    if (!items)
        return gb_fail(GB_ERR_MEMORY, "tensors: no memory for %lld names", (long long)capacity);
    set->items = items;
    set->capacity = capacity;
    return GB_OK;
}

gb_status
gb_tensors_add(gb_tensors *set, const char *name, gb_dtype dtype, gb_shape shape, gb_tensor **out)
{
    if (gb_tensors_find(set, name))
        return gb_fail(GB_ERR_ARGUMENT, "tensors: the name %s is there already", name);
    char text[128];
    if (!gb_shape_valid(&shape) || (unsigned)dtype >= GB_DTYPE_COUNT)
        return gb_fail(GB_ERR_SHAPE,
                       "tensors: %s would be %s %s, expected a type, a rank of 0 to %d, axes of at "
                       "least 1 and at most %lld elements",
                       name, gb_dtype_name(dtype), gb_shape_text(&shape, text, sizeof text),
                       GB_RANK_MAX, (long long)GB_COUNT_MAX);
    GB_TRY(make_room(set));
    named *item = calloc(1, sizeof *item);
    if (!item)
        return gb_fail(GB_ERR_MEMORY, "tensors: no memory for %s", name);
    item->tensor = (gb_tensor){dtype, shape, NULL};
    item->name = strdup(name);
    item->tensor.data = gb_aligned_alloc(gb_tensor_bytes(&item->tensor));
    if (!item->name || !item->tensor.data) {
        free_item(item);
        return gb_fail(GB_ERR_MEMORY, "tensors: no memory for %s %s", name,
                       gb_shape_text(&shape, text, sizeof text));
    }
    set->items[set->count++] = item;
    if (out)
        *out = &item->tensor;
    return GB_OK;
}

gb_tensor *gb_tensors_find(const gb_tensors *set, const char *name)
{
    for (int64_t i = 0; i < set->count; i++)
        if (strcmp(set->items[i]->name, name) == 0)
            return &set->items[i]->tensor;
    return NULL;
}

int64_t gb_tensors_count(const gb_tensors *set)
{
    return set->count;
}

gb_tensor *gb_tensors_at(const gb_tensors *set, int64_t index, const char **out_name)
{
    if (index < 0 || index >= set->count)
        return NULL;
    if (out_name)
        *out_name = set->items[index]->name;
    return &set->items[index]->tensor;
}

/* The tensor of `from` whose name is prefix and then the item's name. */
static gb_tensor *counterpart(const named *item, const gb_tensors *from, const char *prefix)
{
    size_t lead = strlen(prefix);
    for (int64_t i = 0; i < from->count; i++)
        if (strncmp(from->items[i]->name, prefix, lead) == 0 &&
            strcmp(from->items[i]->name + lead, item->name) == 0)
            return &from->items[i]->tensor;
    return NULL;
}

gb_status gb_tensors_copy(gb_tensors *set, const gb_tensors *from, const char *prefix)
{
    for (int64_t i = 0; i < set->count; i++) {
        const named *item = set->items[i];
        const gb_tensor *other = counterpart(item, from, prefix);
        char a[96], b[96];
        if (!other)
            return gb_fail(GB_ERR_MISMATCH, "tensor %s%s is missing", prefix, item->name);
        if (other->dtype != item->tensor.dtype ||
            !gb_shape_equal(&other->shape, &item->tensor.shape))
            return gb_fail(
                GB_ERR_MISMATCH, "tensor %s%s is %s %s, expected %s %s", prefix, item->name,
                gb_dtype_name(other->dtype), gb_shape_text(&other->shape, a, sizeof a),
                gb_dtype_name(item->tensor.dtype), gb_shape_text(&item->tensor.shape, b, sizeof b));
    }
    for (int64_t i = 0; i < set->count; i++)
        memcpy(set->items[i]->tensor.data, counterpart(set->items[i], from, prefix)->data,
               gb_tensor_bytes(&set->items[i]->tensor));
    return GB_OK;
}
