/* Where the bytes of a recording go and come from: plain files and memory. Not for what the bytes
 * mean (mcap_*.c) and not for encrypted files (store_*.c). */
#include <stdlib.h>
#include <string.h>

#include "genba/mcap.h"

/* ---- files, written ---- */

typedef struct file_out {
    gb_bytes_out base;
    gb_file_writer *writer;
} file_out;

static gb_status file_write(gb_bytes_out *out, const void *data, size_t size)
{
    return gb_file_writer_write(((file_out *)out)->writer, data, size);
}

static gb_status file_close(gb_bytes_out *out)
{
    gb_status status = gb_file_writer_commit(((file_out *)out)->writer);
    free(out);
    return status;
}

static void file_abandon(gb_bytes_out *out)
{
    gb_file_writer_abandon(((file_out *)out)->writer);
    free(out);
}

gb_status gb_bytes_out_file(const char *path, gb_bytes_out **out)
{
    gb_file_writer *writer = NULL;
    GB_TRY(gb_file_writer_begin(path, &writer));
    file_out *file = malloc(sizeof *file);
    if (file == NULL) {
        gb_file_writer_abandon(writer);
        return gb_fail(GB_ERR_MEMORY, "cannot get memory to write %s", path);
    }
    *file = (file_out){{file_write, file_close, file_abandon}, writer};
    *out = &file->base;
    return GB_OK;
}

/* ---- files and memory, read ---- */

typedef struct view_in {
    gb_bytes_in base;
    gb_file_view view;
    bool mapped;
    char origin[];
} view_in;

static gb_status
view_read(gb_bytes_in *in, uint64_t at, size_t size, const unsigned char **out_data)
{
    const view_in *view = (const view_in *)in;
    if (at > in->size || size > in->size - at)
        return gb_fail(GB_ERR_CORRUPT,
                       "%s: %zu bytes are needed from byte %llu on, but the file ends at byte "
                       "%llu; it was cut",
                       in->origin, size, (unsigned long long)at, (unsigned long long)in->size);
    static const unsigned char none = 0;
    *out_data = size == 0 ? &none : view->view.data + at;
    return GB_OK;
}

static void view_close(gb_bytes_in *in)
{
    view_in *view = (view_in *)in;
    if (view->mapped)
        gb_file_unmap(&view->view);
    free(view);
}

static view_in *create_view(const char *origin)
{
    size_t length = strlen(origin);
    view_in *view = malloc(sizeof *view + length + 1);
    if (view == NULL)
        return NULL;
    *view = (view_in){.base = {.read = view_read, .close = view_close, .stable = true}};
    memcpy(view->origin, origin, length + 1);
    view->base.origin = view->origin;
    return view;
}

gb_status gb_bytes_in_file(const char *path, gb_bytes_in **out)
{
    gb_file_view mapped;
    GB_TRY(gb_file_map(path, &mapped));
    view_in *view = create_view(path);
    if (view == NULL) {
        gb_file_unmap(&mapped);
        return gb_fail(GB_ERR_MEMORY, "cannot get memory to read %s", path);
    }
    view->view = mapped;
    view->mapped = true;
    view->base.size = mapped.size;
    *out = &view->base;
    return GB_OK;
}

gb_status gb_bytes_in_memory(const void *data, size_t size, const char *origin, gb_bytes_in **out)
{
    if (data == NULL && size > 0)
        return gb_fail(GB_ERR_ARGUMENT, "there is no memory to read %zu bytes from", size);
    view_in *view = create_view(origin == NULL ? "memory" : origin);
    if (view == NULL)
        return gb_fail(GB_ERR_MEMORY, "cannot get memory to read %zu bytes", size);
    view->view = (gb_file_view){data, size};
    view->base.size = size;
    *out = &view->base;
    return GB_OK;
}
