/* Reads rows of HDF5 data sets. What a data set holds and whether it may be read is hdf5_array.c.
 */
#ifdef GENBA_WITH_HDF5
#include "ingest/hdf5_array.h"

#include <stdlib.h>
#include <string.h>

#define CACHE_SLOTS 521
#define CACHE_BYTES_MAX ((size_t)64 << 20)
#define CACHE_BYTES_MIN ((size_t)1 << 20) /* libhdf5's own default */

typedef struct rows_cursor {
    const gb_hdf5 *hdf5;
    const gb_array *array;
    gb_hdf5_set set;
    hid_t data, space, type; /* type: of a value in memory */
    /* the rows lent last, of BYTES */
    unsigned char *fixed; /* [room x set.text_bytes] */
    char **texts;         /* [room], each of libhdf5's memory */
    hvl_t *lists;         /* [room], the same */
    int64_t room;
    hid_t lent; /* the space of rows to give back, -1: none */
} rows_cursor;

static hid_t number_type(gb_value_type type)
{
    switch (type) {
    case GB_VALUE_F32:
        return H5T_NATIVE_FLOAT;
    case GB_VALUE_F64:
        return H5T_NATIVE_DOUBLE;
    case GB_VALUE_I8:
        return H5T_NATIVE_INT8;
    case GB_VALUE_I16:
        return H5T_NATIVE_INT16;
    case GB_VALUE_U16:
        return H5T_NATIVE_UINT16;
    case GB_VALUE_I32:
        return H5T_NATIVE_INT32;
    case GB_VALUE_U32:
        return H5T_NATIVE_UINT32;
    case GB_VALUE_I64:
        return H5T_NATIVE_INT64;
    case GB_VALUE_U64:
        return H5T_NATIVE_UINT64;
    default:
        return H5T_NATIVE_UINT8;
    }
}

static hid_t variable_text_type(hid_t stored)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    if (type >= 0) {
        H5Tset_size(type, H5T_VARIABLE);
        H5Tset_cset(type, H5Tget_cset(stored));
    }
    return type;
}

static hid_t memory_type(hid_t data, const gb_array *array, gb_hdf5_form form)
{
    hid_t stored = H5Dget_type(data), type = -1;
    if (stored < 0)
        return -1;
    if (form == GB_HDF5_VARIABLE_TEXT)
        type = variable_text_type(stored);
    else if (form == GB_HDF5_VARIABLE_BYTES)
        type = H5Tvlen_create(H5T_NATIVE_UCHAR);
    else if (form == GB_HDF5_FIXED_TEXT || H5Tget_class(stored) == H5T_ENUM)
        type = H5Tcopy(stored); /* bytes as they are */
    else
        type = H5Tcopy(form == GB_HDF5_NUMBERS ? number_type(array->type) : H5T_NATIVE_UINT8);
    H5Tclose(stored);
    return type;
}

/* One chunk fits in the cache, so that blocks smaller than a chunk do not decode it again. */
static hid_t open_data(const gb_hdf5_context *context, const gb_hdf5_set *set)
{
    hid_t access = H5Pcopy(context->hdf5->data_access);
    size_t cache = set->chunk_bytes < CACHE_BYTES_MIN ? CACHE_BYTES_MIN : set->chunk_bytes;
    if (access < 0)
        return -1;
    H5Pset_chunk_cache(access, CACHE_SLOTS, cache < CACHE_BYTES_MAX ? cache : CACHE_BYTES_MAX, 1.0);
    hid_t data = H5Dopen2(context->group, set->path, access);
    H5Pclose(access);
    return data;
}

static void rows_close(void *at);

static gb_status rows_open(const gb_arrays *file, const gb_array *array, void **out)
{
    const gb_hdf5_context *context = file->context;
    rows_cursor *cursor = calloc(1, sizeof *cursor);
    if (!cursor)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory to read %s", context->hdf5->path, array->path);
    *cursor = (rows_cursor){.hdf5 = context->hdf5,
                            .array = array,
                            .set = context->sets[array - file->list],
                            .space = -1,
                            .type = -1,
                            .lent = -1};
    cursor->data = open_data(context, &cursor->set);
    if (cursor->data >= 0) {
        cursor->space = H5Dget_space(cursor->data);
        cursor->type = memory_type(cursor->data, array, cursor->set.form);
    }
    if (cursor->space < 0 || cursor->type < 0) {
        gb_status status = gb_hdf5_fail(context->hdf5, array->path);
        rows_close(cursor);
        return status;
    }
    *out = cursor;
    return GB_OK;
}

static gb_status
read_block(rows_cursor *cursor, int64_t first, int64_t count, void *values, hid_t *out_space)
{
    const gb_array *array = cursor->array;
    hsize_t from[GB_STREAM_RANK_MAX + 1] = {(hsize_t)first};
    hsize_t size[GB_STREAM_RANK_MAX + 1] = {(hsize_t)count};
    int rank = array->rank + 1;
    for (int i = 0; i < array->rank; i++)
        size[i + 1] = (hsize_t)array->shape[i];
    if (cursor->set.form == GB_HDF5_PADDED_PICTURES)
        size[rank++] = (hsize_t)cursor->set.text_bytes;
    if (H5Sselect_hyperslab(cursor->space, H5S_SELECT_SET, from, NULL, size, NULL) < 0)
        return gb_hdf5_fail(cursor->hdf5, array->path);
    hid_t memory = H5Screate_simple(rank, size, NULL);
    herr_t done = memory >= 0 ? H5Dread(cursor->data, cursor->type, memory, cursor->space,
                                        H5P_DEFAULT, values)
                              : -1;
    if (memory >= 0 && (done < 0 || !out_space))
        H5Sclose(memory);
    if (done < 0)
        return gb_hdf5_fail(cursor->hdf5, array->path);
    if (out_space)
        *out_space = memory;
    return GB_OK;
}

static gb_status rows_read(void *at, int64_t first, int64_t count, void *values)
{
    return read_block(at, first, count, values, NULL);
}

/* ---- BYTES ------------------------------------------------------------------------------------
 */

static void give_back(rows_cursor *cursor)
{
    if (cursor->lent < 0)
        return;
    H5Dvlen_reclaim(cursor->type, cursor->lent, H5P_DEFAULT,
                    cursor->texts ? (void *)cursor->texts : (void *)cursor->lists);
    H5Sclose(cursor->lent);
    cursor->lent = -1;
}

static void *make_room(rows_cursor *cursor, int64_t count)
{
    gb_hdf5_form form = cursor->set.form;
    if (count > cursor->room) {
        size_t room = (size_t)count;
        free(cursor->fixed);
        free(cursor->texts);
        free(cursor->lists);
        bool texts = form == GB_HDF5_VARIABLE_TEXT, lists = form == GB_HDF5_VARIABLE_BYTES;
        cursor->texts = texts ? calloc(room, sizeof *cursor->texts) : NULL;
        cursor->lists = lists ? calloc(room, sizeof *cursor->lists) : NULL;
        cursor->fixed = texts || lists ? NULL : malloc(room * cursor->set.text_bytes);
        cursor->room = count;
    }
    return cursor->texts   ? (void *)cursor->texts
           : cursor->lists ? (void *)cursor->lists
                           : cursor->fixed;
}

/* Zeros at the end are no part of a text or a picture. */
static size_t size_without_zeros(const unsigned char *row, size_t size)
{
    while (size > 0 && row[size - 1] == 0)
        size--;
    return size;
}

static gb_status
rows_read_runs(void *at, int64_t first, int64_t count, const unsigned char **runs, size_t *sizes)
{
    rows_cursor *cursor = at;
    give_back(cursor);
    void *values = make_room(cursor, count);
    if (!values) {
        cursor->room = 0;
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for %lld rows of %s", cursor->hdf5->path,
                       (long long)count, cursor->array->path);
    }
    bool owned = cursor->texts || cursor->lists;
    GB_TRY(read_block(cursor, first, count, values, owned ? &cursor->lent : NULL));
    for (int64_t i = 0; i < count; i++) {
        if (cursor->texts) {
            runs[i] = (const unsigned char *)(cursor->texts[i] ? cursor->texts[i] : "");
            sizes[i] = strlen((const char *)runs[i]);
        } else if (cursor->lists) {
            runs[i] = cursor->lists[i].p ? cursor->lists[i].p : (const void *)"";
            sizes[i] = cursor->lists[i].p ? cursor->lists[i].len : 0;
        } else {
            runs[i] = cursor->fixed + (size_t)i * cursor->set.text_bytes;
            sizes[i] = size_without_zeros(runs[i], cursor->set.text_bytes);
        }
    }
    return GB_OK;
}

static gb_status rows_finish(void *at)
{
    (void)at; /* checksums, where the file has them, were checked chunk by chunk */
    return GB_OK;
}

static void rows_close(void *at)
{
    rows_cursor *cursor = at;
    give_back(cursor);
    if (cursor->type >= 0)
        H5Tclose(cursor->type);
    if (cursor->space >= 0)
        H5Sclose(cursor->space);
    if (cursor->data >= 0)
        H5Dclose(cursor->data);
    free(cursor->fixed);
    free(cursor->texts);
    free(cursor->lists);
    free(cursor);
}

const gb_array_ops gb_hdf5_array_ops = {rows_open, rows_read, rows_read_runs, rows_finish,
                                        rows_close};
#else
typedef int gb_hdf5_rows_is_off;
#endif
