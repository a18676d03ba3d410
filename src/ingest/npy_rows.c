/* Rows of NumPy arrays in either order of memory, as values of this machine. */
#include "ingest/npy_rows.h"

#include <stdlib.h>
#include <string.h>

#define WHOLE_BYTES_MAX ((int64_t)256 << 20)

typedef struct npy_cursor {
    gb_npy_set set;
    const gb_array *array;
    gb_zip_stream *stream;
    int64_t size;         /* values of a sample */
    unsigned char *whole; /* a deflated array in Fortran order: it must be jumped about in */
    unsigned char *raw;   /* [room] bytes as in the file */
    size_t room;
} npy_cursor;

static void cursor_close(void *at)
{
    npy_cursor *cursor = at;
    gb_zip_stream_close(cursor->stream);
    free(cursor->whole);
    free(cursor->raw);
    free(cursor);
}

static bool is_columns(const npy_cursor *cursor)
{
    return cursor->set.header.fortran && cursor->size > 1;
}

static gb_status load_whole(npy_cursor *cursor)
{
    int64_t bytes = cursor->set.entry.size - (int64_t)cursor->set.header_bytes;
    if (!is_columns(cursor) || !cursor->set.entry.deflated)
        return GB_OK;
    if (bytes > WHOLE_BYTES_MAX)
        return gb_fail(GB_ERR_UNSUPPORTED,
                       "%s is compressed and in Fortran order, %lld bytes of it; the limit for "
                       "both together is %lld: save it in C order (numpy.ascontiguousarray)",
                       cursor->set.entry.name, (long long)bytes, (long long)WHOLE_BYTES_MAX);
    cursor->whole = malloc((size_t)bytes + 1);
    if (!cursor->whole)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for it", cursor->set.entry.name);
    return gb_zip_stream_read(cursor->stream, (int64_t)cursor->set.header_bytes, cursor->whole,
                              (size_t)bytes);
}

gb_status gb_npy_cursor_open(const gb_zip_file *file,
                             const gb_npy_set *set,
                             const gb_array *array,
                             void **out)
{
    npy_cursor *cursor = calloc(1, sizeof *cursor);
    if (!cursor)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory to read %s", file->origin, array->path);
    cursor->set = *set;
    cursor->array = array;
    cursor->size = 1;
    for (int i = 0; i < array->rank; i++)
        cursor->size *= array->shape[i];
    gb_status status = gb_zip_stream_open(file, &set->entry, &cursor->stream);
    if (status == GB_OK)
        status = load_whole(cursor);
    if (status != GB_OK) {
        cursor_close(cursor);
        return status;
    }
    *out = cursor;
    return GB_OK;
}

static gb_status reserve(npy_cursor *cursor, size_t bytes)
{
    if (bytes <= cursor->room)
        return GB_OK;
    unsigned char *grown = realloc(cursor->raw, bytes);
    if (!grown)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for %zu bytes of it", cursor->array->path,
                       bytes);
    cursor->raw = grown;
    cursor->room = bytes;
    return GB_OK;
}

/* `count` values from value number `first` of the file on. */
static gb_status read_values(npy_cursor *cursor, int64_t first, int64_t count, unsigned char *to)
{
    size_t bytes = (size_t)cursor->set.header.value_bytes;
    if (cursor->whole) {
        memcpy(to, cursor->whole + (size_t)first * bytes, (size_t)count * bytes);
        return GB_OK;
    }
    return gb_zip_stream_read(cursor->stream,
                              (int64_t)cursor->set.header_bytes + first * (int64_t)bytes, to,
                              (size_t)count * bytes);
}

/* Where a value of a sample (numbered in C order) stands in Fortran order, in whole columns. */
static int64_t column_of(const gb_array *array, int64_t value)
{
    int64_t index[GB_STREAM_RANK_MAX] = {0}, column = 0;
    for (int i = array->rank - 1; i >= 0; i--) {
        index[i] = value % array->shape[i];
        value /= array->shape[i];
    }
    for (int i = array->rank - 1; i >= 0; i--)
        column = column * array->shape[i] + index[i];
    return column;
}

static gb_status read_columns(npy_cursor *cursor, int64_t first, int64_t count, unsigned char *to)
{
    size_t bytes = (size_t)cursor->set.header.value_bytes;
    int64_t rows = cursor->array->rows;
    unsigned char *column = malloc((size_t)count * bytes);
    gb_status status =
        column ? GB_OK : gb_fail(GB_ERR_MEMORY, "%s: no memory for a column", cursor->array->path);
    for (int64_t v = 0; v < cursor->size && status == GB_OK; v++) {
        status = read_values(cursor, column_of(cursor->array, v) * rows + first, count, column);
        for (int64_t i = 0; i < count && status == GB_OK; i++)
            memcpy(to + (size_t)(i * cursor->size + v) * bytes, column + (size_t)i * bytes, bytes);
    }
    free(column);
    return status;
}

/* To the types that streams have. */
static void settle_values(const gb_npy_header *header, unsigned char *raw, int64_t count, void *to)
{
    if (header->swapped)
        gb_values_swap(raw, count, (size_t)header->value_bytes);
    if (header->kind == 'f' && header->value_bytes == 2) {
        for (int64_t i = 0; i < count; i++) {
            uint16_t half;
            memcpy(&half, raw + 2 * i, sizeof half);
            ((float *)to)[i] = gb_values_half(half);
        }
        return;
    }
    if (header->kind == 'b')
        for (int64_t i = 0; i < count; i++)
            raw[i] = raw[i] != 0;
    memcpy(to, raw, (size_t)count * (size_t)header->value_bytes);
}

static gb_status cursor_read(void *at, int64_t first, int64_t count, void *values)
{
    npy_cursor *cursor = at;
    int64_t all = count * cursor->size;
    GB_TRY(reserve(cursor, (size_t)all * (size_t)cursor->set.header.value_bytes));
    if (is_columns(cursor))
        GB_TRY(read_columns(cursor, first, count, cursor->raw));
    else
        GB_TRY(read_values(cursor, first * cursor->size, all, cursor->raw));
    settle_values(&cursor->set.header, cursor->raw, all, values);
    return GB_OK;
}

static gb_status
cursor_read_runs(void *at, int64_t first, int64_t count, const unsigned char **runs, size_t *sizes)
{
    (void)first;
    (void)count;
    (void)runs;
    (void)sizes;
    return gb_fail(GB_ERR_UNSUPPORTED, "%s: text is not read", ((npy_cursor *)at)->array->path);
}

static gb_status cursor_finish(void *at)
{
    return gb_zip_stream_finish(((npy_cursor *)at)->stream);
}

const gb_array_ops gb_npy_array_ops = {gb_npy_array_open, cursor_read, cursor_read_runs,
                                       cursor_finish, cursor_close};
