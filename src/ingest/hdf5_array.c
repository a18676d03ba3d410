/* HDF5 data sets as arrays: what each holds, whether it can be read safely, and reading its rows.
 */
#ifdef GENBA_WITH_HDF5
#include "ingest/hdf5_array.h"

#include "record/picture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES_MAX ((size_t)256 << 20)
#define STRING_BYTES_MAX ((size_t)1 << 20)
#define EXPANSION_MAX 2048 /* bytes out of one byte in the file: deflate's most is 1032 */
#define EXPANSION_FREE ((int64_t)64 << 20)
#define PICTURE_BYTES_MIN 64
#define PICTURE_BYTES_MAX ((int64_t)64 << 20)
#define VISITS_MAX 200000

enum {
    PAIRS_MAX = 32, /* attributes of a data set that are kept */
    SHAPE_MAX = GB_STREAM_RANK_MAX + 1
};

/* ---- what a data set holds --------------------------------------------------------------------
 */

static const char *whole_number_type(hid_t type, gb_array *to)
{
    static const gb_value_type with_sign[] = {GB_VALUE_I8, GB_VALUE_I16, GB_VALUE_I32,
                                              GB_VALUE_I64};
    static const gb_value_type without[] = {GB_VALUE_U8, GB_VALUE_U16, GB_VALUE_U32, GB_VALUE_U64};
    size_t size = H5Tget_size(type);
    int power = size == 1 ? 0 : size == 2 ? 1 : size == 4 ? 2 : size == 8 ? 3 : -1;
    if (power < 0)
        return "whole numbers of an odd size";
    to->type = H5Tget_sign(type) == H5T_SGN_NONE ? without[power] : with_sign[power];
    return NULL;
}

static const char *text_type(hid_t type, gb_array *to, gb_hdf5_set *set)
{
    if (to->rank != 0)
        return "text in several dimensions";
    to->type = GB_VALUE_BYTES;
    to->encoding = "utf-8";
    set->form = H5Tis_variable_str(type) > 0 ? GB_HDF5_VARIABLE_TEXT : GB_HDF5_FIXED_TEXT;
    set->text_bytes = H5Tget_size(type);
    if (set->form == GB_HDF5_FIXED_TEXT &&
        (set->text_bytes == 0 || set->text_bytes > STRING_BYTES_MAX))
        return "texts longer than 1 MiB";
    return NULL;
}

static const char *variable_type(hid_t type, gb_array *to, gb_hdf5_set *set)
{
    hid_t base = H5Tget_super(type);
    bool bytes = base >= 0 && H5Tget_class(base) == H5T_INTEGER && H5Tget_size(base) == 1;
    if (base >= 0)
        H5Tclose(base);
    if (!bytes || to->rank != 0)
        return "lists of varying length";
    to->type = GB_VALUE_BYTES;
    to->encoding = "bytes";
    set->form = GB_HDF5_VARIABLE_BYTES;
    return NULL;
}

static const char *find_type(hid_t type, gb_array *to, gb_hdf5_set *set)
{
    size_t size = H5Tget_size(type);
    hid_t base = -1;
    const char *reason = NULL;
    switch (H5Tget_class(type)) {
    case H5T_INTEGER:
        return whole_number_type(type, to);
    case H5T_ENUM: /* h5py's bool is one */
        base = H5Tget_super(type);
        reason = base >= 0 ? whole_number_type(base, to) : "a broken enumeration";
        if (base >= 0)
            H5Tclose(base);
        if (!reason && to->type != GB_VALUE_I8 && to->type != GB_VALUE_U8)
            reason = "an enumeration wider than a byte";
        if (!reason)
            to->type = GB_VALUE_U8;
        return reason;
    case H5T_FLOAT:
        to->type = size == 8 ? GB_VALUE_F64 : GB_VALUE_F32;
        return size == 2 || size == 4 || size == 8 ? NULL : "floats wider than 64 bits";
    case H5T_STRING:
        return text_type(type, to, set);
    case H5T_VLEN:
        return variable_type(type, to, set);
    default:
        return "compound, opaque or reference values";
    }
}

static const char *find_shape(hid_t data, gb_array *to)
{
    hsize_t shape[H5S_MAX_RANK];
    hid_t space = H5Dget_space(data);
    int rank = space >= 0 && H5Sget_simple_extent_type(space) == H5S_SIMPLE
                   ? H5Sget_simple_extent_ndims(space)
                   : -1;
    if (rank >= 1 && H5Sget_simple_extent_dims(space, shape, NULL) < 0)
        rank = -1;
    if (space >= 0)
        H5Sclose(space);
    if (rank < 1)
        return "a single value, not a series";
    if (rank > SHAPE_MAX)
        return "more than four dimensions";
    if (shape[0] > INT64_MAX / 2)
        return "more rows than there can be";
    to->rows = (int64_t)shape[0];
    to->rank = rank - 1;
    int64_t size = 1;
    for (int i = 0; i < to->rank; i++) {
        if (shape[i + 1] == 0)
            return "empty";
        if (shape[i + 1] > (hsize_t)(GB_STREAM_SIZE_MAX / size))
            return "samples that are too large";
        to->shape[i] = (int64_t)shape[i + 1];
        size *= to->shape[i];
    }
    return NULL;
}

static const char *find_filters(hid_t made)
{
    int count = H5Pget_nfilters(made);
    for (int i = 0; i < count; i++) {
        unsigned flags, config;
        size_t values = 0;
        H5Z_filter_t filter =
            H5Pget_filter2(made, (unsigned)i, &flags, &values, NULL, 0, NULL, &config);
        if (filter < 0 || filter >= H5Z_FILTER_RESERVED || H5Zfilter_avail(filter) <= 0)
            return "compressed by a filter that libhdf5 lacks (lzf, blosc, ...): rewrite it with "
                   "gzip";
    }
    return NULL;
}

/* Chunks are read whole, so their size must be bearable. */
static const char *find_chunks(hid_t made, gb_array *to, gb_hdf5_set *set)
{
    hsize_t chunk[H5S_MAX_RANK];
    int rank = H5Pget_chunk(made, H5S_MAX_RANK, chunk);
    if (rank < 1)
        return "broken";
    size_t value_bytes = gb_value_type_bytes(to->type);
    double bytes = (double)(value_bytes > 0        ? value_bytes
                            : set->text_bytes > 16 ? set->text_bytes
                                                   : 16);
    for (int i = 0; i < rank; i++)
        bytes *= (double)chunk[i];
    if (bytes > (double)CHUNK_BYTES_MAX)
        return "chunks of more than 256 MiB";
    set->chunk_bytes = (size_t)bytes;
    to->block_rows = (int64_t)chunk[0];
    return NULL;
}

/* Only what is in the file itself and what libhdf5 decodes itself. */
static const char *find_storage(hid_t data, gb_array *to, gb_hdf5_set *set)
{
    hid_t made = H5Dget_create_plist(data);
    if (made < 0)
        return "broken";
    H5D_layout_t layout = H5Pget_layout(made);
    const char *reason = layout == H5D_VIRTUAL || H5Pget_external_count(made) != 0
                             ? "its values are in another file"
                             : find_filters(made);
    if (!reason && layout == H5D_CHUNKED)
        reason = find_chunks(made, to, set);
    H5Pclose(made);
    return reason;
}

/* A small file may claim to hold years of data. */
static bool claims_too_much(const gb_hdf5 *hdf5, const gb_array *array, size_t row_bytes)
{
    double claimed = (double)array->rows * (double)row_bytes;
    return claimed > (double)EXPANSION_FREE + (double)hdf5->bytes * EXPANSION_MAX;
}

static size_t row_bytes_of(const gb_array *array, const gb_hdf5_set *set)
{
    size_t bytes = set->form == GB_HDF5_FIXED_TEXT ? set->text_bytes
                   : array->type == GB_VALUE_BYTES ? 16
                                                   : gb_value_type_bytes(array->type);
    for (int i = 0; i < array->rank; i++)
        bytes *= (size_t)array->shape[i];
    return bytes;
}

static const char *describe_set(const gb_hdf5 *hdf5, hid_t data, gb_array *to, gb_hdf5_set *set)
{
    const char *reason = find_shape(data, to);
    hid_t type = H5Dget_type(data);
    if (!reason)
        reason = type >= 0 ? find_type(type, to, set) : "broken";
    if (type >= 0)
        H5Tclose(type);
    if (!reason)
        reason = find_storage(data, to, set);
    if (!reason && claims_too_much(hdf5, to, row_bytes_of(to, set)))
        reason = "far more values than the file has bytes for";
    H5Eclear2(H5E_DEFAULT);
    return reason;
}

/* ALOHA keeps compressed pictures as rows of equal length, zeros behind each. */
static gb_status find_pictures(const gb_arrays *file, gb_array *array, gb_hdf5_set *set)
{
    void *cursor = NULL;
    if (array->type != GB_VALUE_U8 || array->rank != 1 || array->rows < 1 ||
        array->shape[0] < PICTURE_BYTES_MIN || array->shape[0] > PICTURE_BYTES_MAX)
        return GB_OK;
    unsigned char *row = malloc((size_t)array->shape[0]);
    if (!row)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for a row", array->path);
    gb_status status = gb_hdf5_array_ops.open(file, array, &cursor);
    if (status == GB_OK)
        status = gb_hdf5_array_ops.read(cursor, 0, 1, row);
    if (cursor)
        gb_hdf5_array_ops.close(cursor);
    gb_picture_about about;
    if (status == GB_OK && gb_picture_probe(row, (size_t)array->shape[0], &about) == GB_OK) {
        array->type = GB_VALUE_BYTES;
        array->encoding = gb_picture_kind_name(about.kind);
        set->form = GB_HDF5_PADDED_PICTURES;
        set->text_bytes = (size_t)array->shape[0];
        array->rank = 0;
    }
    free(row);
    return status;
}

/* ---- finding data sets ------------------------------------------------------------------------
 */

typedef struct finder {
    const gb_hdf5 *hdf5;
    hid_t group;
    gb_arena *arena;
    gb_arrays *out;
    gb_hdf5_context *context;
    gb_array *list;
    int room, visited;
    haddr_t above[GB_HDF5_DEPTH_MAX + 1]; /* groups on the way down: a loop is not followed */
} finder;

static gb_status start(finder *f, int room)
{
    f->context = gb_arena_alloc(f->arena, sizeof *f->context);
    f->list = gb_arena_alloc(f->arena, (size_t)(room + 1) * sizeof *f->list);
    gb_hdf5_set *sets = gb_arena_alloc(f->arena, (size_t)(room + 1) * sizeof *sets);
    if (!f->context || !f->list || !sets)
        return GB_ERR_MEMORY;
    *f->context = (gb_hdf5_context){f->hdf5, sets, f->group};
    *f->out = (gb_arrays){.ops = &gb_hdf5_array_ops, .context = f->context, .list = f->list};
    f->room = room;
    return GB_OK;
}

static gb_status grow(finder *f)
{
    if (f->out->count < f->room)
        return GB_OK;
    if (f->room >= GB_ARRAYS_MAX)
        return gb_fail(GB_ERR_UNSUPPORTED, "%s: more than %d data sets below one group",
                       f->hdf5->path, GB_ARRAYS_MAX);
    finder wider = *f;
    gb_arrays before = *f->out;
    const gb_hdf5_set *sets = f->context->sets;
    GB_TRY(start(&wider, 2 * f->room));
    memcpy(wider.list, f->list, (size_t)before.count * sizeof *f->list);
    memcpy(wider.context->sets, sets, (size_t)before.count * sizeof *sets);
    wider.out->count = before.count;
    *f = wider;
    return GB_OK;
}

static gb_status add_set(finder *f, hid_t group, const char *name, const char *path)
{
    GB_TRY(grow(f));
    gb_array *array = &f->list[f->out->count];
    gb_hdf5_set *set = &f->context->sets[f->out->count];
    gb_pair *pairs = gb_arena_alloc(f->arena, PAIRS_MAX * sizeof *pairs);
    if (!pairs)
        return GB_ERR_MEMORY;
    *set = (gb_hdf5_set){.path = path};
    *array =
        (gb_array){.path = path, .encoding = "", .kind = -1, .time_format = -1, .pairs = pairs};
    hid_t data = H5Oopen(group, name, f->hdf5->link_access);
    if (data < 0)
        return gb_hdf5_fail(f->hdf5, path);
    gb_status status = GB_OK;
    array->unreadable = H5Iget_type(data) == H5I_DATASET ? describe_set(f->hdf5, data, array, set)
                                                         : "a group, not a data set";
    if (!array->unreadable)
        status =
            gb_hdf5_attributes(f->hdf5, data, "", f->arena, pairs, PAIRS_MAX, &array->pair_count);
    H5Oclose(data);
    if (status == GB_OK && !array->unreadable)
        status = find_pictures(f->out, array, set);
    if (status == GB_OK)
        f->out->count++;
    return status;
}

static gb_status walk(finder *f, hid_t group, const char *path, int depth);

static gb_status walk_into(finder *f, hid_t group, const char *name, const char *path, int depth)
{
    hid_t inner;
    H5O_info_t about;
    GB_TRY(gb_hdf5_group(f->hdf5, group, name, &inner));
    bool looped = H5Oget_info2(inner, &about, H5O_INFO_BASIC) < 0;
    for (int i = 0; i < depth && !looped; i++)
        looped = f->above[i] == about.addr;
    f->above[depth] = looped ? 0 : about.addr;
    gb_status status = looped || depth >= GB_HDF5_DEPTH_MAX ? GB_OK : walk(f, inner, path, depth);
    H5Oclose(inner);
    return status;
}

static gb_status walk(finder *f, hid_t group, const char *path, int depth)
{
    gb_hdf5_name *names = NULL;
    int64_t count = 0;
    GB_TRY(gb_hdf5_list(f->hdf5, group, f->arena, &names, &count));
    for (int64_t i = 0; i < count; i++) {
        const char *inner =
            gb_arena_format(f->arena, path[0] ? "%s/%s" : "%s%s", path, names[i].text);
        if (!inner)
            return GB_ERR_MEMORY;
        if (++f->visited > VISITS_MAX)
            return gb_fail(GB_ERR_UNSUPPORTED, "%s: more than %d objects below one group",
                           f->hdf5->path, VISITS_MAX);
        if (names[i].is_group)
            GB_TRY(walk_into(f, group, names[i].text, inner, depth + 1));
        else if (names[i].is_dataset)
            GB_TRY(add_set(f, group, names[i].text, inner));
    }
    return GB_OK;
}

gb_status gb_hdf5_arrays(const gb_hdf5 *hdf5, hid_t group, gb_arena *arena, gb_arrays *out)
{
    finder f = {.hdf5 = hdf5, .group = group, .arena = arena, .out = out};
    H5O_info_t about;
    GB_TRY(start(&f, 64));
    if (H5Oget_info2(group, &about, H5O_INFO_BASIC) < 0)
        return gb_hdf5_fail(hdf5, "a group");
    f.above[0] = about.addr;
    return walk(&f, group, "", 0);
}

/* ---- by name ----------------------------------------------------------------------------------
 */

static gb_status add_named(finder *f, hid_t group, const char *path)
{
    for (int i = 0; i < f->out->count; i++)
        if (strcmp(f->list[i].path, path) == 0)
            return GB_OK;
    if (!gb_hdf5_exists(f->hdf5, group, path))
        return GB_OK;
    return add_set(f, group, path, path);
}

gb_status gb_hdf5_arrays_named(const gb_hdf5 *hdf5,
                               hid_t group,
                               const char *const *paths,
                               int count,
                               gb_arena *arena,
                               gb_arrays *out)
{
    finder f = {.hdf5 = hdf5, .group = group, .arena = arena, .out = out};
    GB_TRY(start(&f, 2 * count));
    for (int i = 0; i < count; i++) {
        GB_TRY(add_named(&f, group, paths[i]));
        const char *mark = strrchr(paths[i], '#');
        if (!mark)
            continue;
        const char *whole = gb_arena_format(arena, "%.*s", (int)(mark - paths[i]), paths[i]);
        if (!whole)
            return GB_ERR_MEMORY;
        GB_TRY(add_named(&f, group, whole));
    }
    return GB_OK;
}
#else
typedef int gb_hdf5_array_is_off;
#endif
