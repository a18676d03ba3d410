/* Shapes, element types and bf16 rounding: what is known of a tensor without a graph. */
#include "genba/tensor.h"

#include <stdio.h>
#include <string.h>

gb_shape gb_shape_make(int32_t rank, const int64_t *dim)
{
    gb_shape shape = {.rank = rank};
    for (int i = 0; i < rank && i < GB_RANK_MAX; i++)
        shape.dim[i] = dim[i];
    return shape;
}

/* Dimensions that are there to read, also in a shape that is not valid. */
static int dimensions(const gb_shape *shape)
{
    return shape->rank < GB_RANK_MAX ? shape->rank : GB_RANK_MAX;
}

int64_t gb_shape_count(const gb_shape *shape)
{
    int64_t count = 1;
    for (int i = 0; i < dimensions(shape); i++)
        if (shape->dim[i] <= 0)
            return 0;
    for (int i = 0; i < dimensions(shape); i++)
        count = count > INT64_MAX / shape->dim[i] ? INT64_MAX : count * shape->dim[i];
    return count;
}

bool gb_shape_valid(const gb_shape *shape)
{
    int64_t count = gb_shape_count(shape);
    return shape->rank >= 0 && shape->rank <= GB_RANK_MAX && count > 0 && count <= GB_COUNT_MAX;
}

bool gb_shape_equal(const gb_shape *a, const gb_shape *b)
{
    if (a->rank != b->rank)
        return false;
    for (int i = 0; i < dimensions(a); i++)
        if (a->dim[i] != b->dim[i])
            return false;
    return true;
}

const char *gb_shape_text(const gb_shape *shape, char *text, size_t size)
{
    size_t used = 0;
    used += (size_t)snprintf(text, size, "[");
    for (int i = 0; i < dimensions(shape) && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, i ? ", %lld" : "%lld",
                                 (long long)shape->dim[i]);
    if (shape->rank > GB_RANK_MAX && used < size)
        used += (size_t)snprintf(text + used, size - used, ", ... of rank %d", shape->rank);
    if (used < size)
        snprintf(text + used, size - used, "]");
    return text;
}

static const struct {
    size_t bytes;
    const char *name;
} dtypes[GB_DTYPE_COUNT] = {
    [GB_F32] = {4, "F32"}, [GB_BF16] = {2, "BF16"}, [GB_I8] = {1, "I8"}, [GB_I32] = {4, "I32"}};

size_t gb_dtype_bytes(gb_dtype dtype)
{
    return (unsigned)dtype < GB_DTYPE_COUNT ? dtypes[dtype].bytes : 0;
}

const char *gb_dtype_name(gb_dtype dtype)
{
    return (unsigned)dtype < GB_DTYPE_COUNT ? dtypes[dtype].name : "no type";
}

size_t gb_tensor_bytes(const gb_tensor *tensor)
{
    return (size_t)gb_shape_count(&tensor->shape) * gb_dtype_bytes(tensor->dtype);
}

uint16_t gb_bf16_from_f32(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, 4);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)((bits >> 16) |
                          0x40u); /* quiet NaN: rounding could turn it into infinity */
    return (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

float gb_f32_from_bf16(uint16_t value)
{
    uint32_t bits = (uint32_t)value << 16;
    float result;
    memcpy(&result, &bits, 4);
    return result;
}
