/* Attributes of HDF5 objects as texts: what was asked for, whether it succeeded, in which unit. */
#ifdef GENBA_WITH_HDF5
#include "ingest/hdf5_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    VALUE_BYTES_MAX = 64 << 10,
    NAME_BYTES_MAX = 256
};

typedef struct collector {
    const gb_hdf5 *hdf5;
    const char *prefix;
    gb_arena *arena;
    gb_pair *pairs;
    int room, *count;
    gb_status status;
} collector;

static const char *read_fixed(hid_t attribute, hid_t type, gb_arena *arena)
{
    size_t size = H5Tget_size(type);
    if (size == 0 || size > VALUE_BYTES_MAX)
        return NULL;
    char *text = gb_arena_alloc(arena, size + 1);
    return text && H5Aread(attribute, type, text) >= 0 ? text : NULL;
}

static const char *read_variable(hid_t attribute, hid_t type, gb_arena *arena)
{
    char *text = NULL;
    hid_t memory = H5Tcopy(H5T_C_S1), space = H5Aget_space(attribute);
    H5Tset_size(memory, H5T_VARIABLE);
    H5Tset_cset(memory, H5Tget_cset(type));
    const char *kept = NULL;
    if (space >= 0 && H5Aread(attribute, memory, &text) >= 0 && text) {
        if (strlen(text) <= VALUE_BYTES_MAX)
            kept = gb_arena_text(arena, text);
        H5Dvlen_reclaim(memory, space, H5P_DEFAULT, &text);
    }
    if (space >= 0)
        H5Sclose(space);
    H5Tclose(memory);
    return kept;
}

static const char *read_number(hid_t attribute, hid_t type, gb_arena *arena)
{
    H5T_class_t class = H5Tget_class(type);
    if (class == H5T_FLOAT) {
        double real;
        return H5Aread(attribute, H5T_NATIVE_DOUBLE, &real) >= 0
                   ? gb_arena_format(arena, "%.17g", real)
                   : NULL;
    }
    if (class == H5T_ENUM) { /* h5py's bool */
        unsigned char byte;
        if (H5Tget_size(type) != 1 || H5Aread(attribute, type, &byte) < 0)
            return NULL;
        return gb_arena_format(arena, "%u", byte);
    }
    long long whole;
    return H5Aread(attribute, H5T_NATIVE_LLONG, &whole) >= 0 ? gb_arena_format(arena, "%lld", whole)
                                                             : NULL;
}

/* NULL: not one text or number. */
static const char *read_value(hid_t attribute, gb_arena *arena)
{
    const char *value = NULL;
    hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    if (type >= 0 && space >= 0 && H5Sget_simple_extent_npoints(space) == 1) {
        H5T_class_t class = H5Tget_class(type);
        if (class == H5T_STRING)
            value = H5Tis_variable_str(type) > 0 ? read_variable(attribute, type, arena)
                                                 : read_fixed(attribute, type, arena);
        else if (class == H5T_INTEGER || class == H5T_FLOAT || class == H5T_ENUM)
            value = read_number(attribute, type, arena);
    }
    if (space >= 0)
        H5Sclose(space);
    if (type >= 0)
        H5Tclose(type);
    H5Eclear2(H5E_DEFAULT);
    return value;
}

static herr_t on_attribute(hid_t object, const char *name, const H5A_info_t *about, void *context)
{
    collector *c = context;
    if (*c->count == c->room)
        return 1;
    if (strlen(name) > NAME_BYTES_MAX || about->data_size > VALUE_BYTES_MAX)
        return 0;
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    if (attribute < 0)
        return -1;
    const char *value = read_value(attribute, c->arena);
    H5Aclose(attribute);
    if (!value)
        return 0;
    const char *key = gb_arena_format(c->arena, "%s%s", c->prefix, name);
    if (!key) {
        c->status = GB_ERR_MEMORY;
        return -1;
    }
    c->pairs[(*c->count)++] = (gb_pair){key, value};
    return 0;
}

gb_status gb_hdf5_attributes(const gb_hdf5 *hdf5,
                             hid_t object,
                             const char *prefix,
                             gb_arena *arena,
                             gb_pair *pairs,
                             int room,
                             int *count)
{
    collector c = {hdf5, prefix, arena, pairs, room, count, GB_OK};
    herr_t done = H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, NULL, on_attribute, &c);
    if (c.status != GB_OK)
        return c.status;
    return done < 0 ? gb_hdf5_fail(hdf5, "attributes") : GB_OK;
}
#else
typedef int gb_hdf5_attribute_is_off;
#endif
