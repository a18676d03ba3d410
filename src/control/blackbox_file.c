/* control/blackbox_file.c: the file a black box is written to: visible and growing as PATH.part, so
 * that it outlives the process, PATH once it is whole. */
#include "control/blackbox_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct box_file {
    gb_bytes_out base;
    int fd;
    char *path, *part;
} box_file;

static gb_status fail(const box_file *file, const char *what)
{
    return gb_fail(GB_ERR_IO, "black box: cannot %s %s: %s", what, file->part, strerror(errno));
}

static gb_status file_write(gb_bytes_out *out, const void *data, size_t size)
{
    box_file *file = (box_file *)out;
    const unsigned char *from = data;
    while (size > 0) {
        ssize_t put = write(file->fd, from, size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return fail(file, "write");
        from += put;
        size -= (size_t)put;
    }
    return GB_OK;
}

gb_status gb_box_file_sync(gb_bytes_out *out)
{
    box_file *file = (box_file *)out;
    /* EINVAL, ENOTSUP: this file system has nothing to sync. */
    if (fdatasync(file->fd) != 0 && errno != EINVAL && errno != ENOTSUP)
        return fail(file, "sync");
    return GB_OK;
}

static void file_abandon(gb_bytes_out *out)
{
    box_file *file = (box_file *)out;
    if (file->fd >= 0)
        close(file->fd);
    free(file->path);
    free(file->part);
    free(file);
}

static void sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        (void)fsync(fd); /* the file itself is safe; only its new name may be lost */
        close(fd);
    }
    free(folder);
}

/* PATH.part becomes PATH, unless somebody has put something there meanwhile. */
static gb_status take_name(const box_file *file)
{
    if (link(file->part, file->path) == 0) {
        (void)unlink(file->part);
        return GB_OK;
    }
    if (errno == EEXIST || gb_file_exists(file->path))
        return gb_fail(GB_ERR_IO, "black box: %s exists by now and is not overwritten: %s is whole",
                       file->path, file->part);
    return rename(file->part, file->path) == 0 ? GB_OK : fail(file, "rename"); /* no links here */
}

static gb_status file_close(gb_bytes_out *out)
{
    box_file *file = (box_file *)out;
    gb_status status = gb_box_file_sync(out);
    if (status == GB_OK)
        status = take_name(file);
    if (status == GB_OK)
        sync_folder(file->path);
    file_abandon(out);
    return status;
}

static gb_status open_part(box_file *file)
{
    if (gb_file_exists(file->path))
        return gb_fail(GB_ERR_ARGUMENT,
                       "black box: %s exists; a record of what happened is not overwritten: choose "
                       "another name or move it away",
                       file->path);
    file->fd = open(file->part, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
    if (file->fd < 0 && errno == EEXIST)
        return gb_fail(GB_ERR_ARGUMENT,
                       "black box: %s exists, of a run that was cut or is still going: save it "
                       "with genba recover, then move it away",
                       file->part);
    return file->fd < 0 ? fail(file, "create") : GB_OK;
}

gb_status gb_box_file_create(const char *path, gb_bytes_out **out)
{
    if (!path || !path[0])
        return gb_fail(GB_ERR_ARGUMENT, "black box: the path is empty; give the path of a file");
    box_file *file = calloc(1, sizeof *file);
    if (!file)
        return gb_fail(GB_ERR_MEMORY, "black box: no memory to write %s", path);
    file->base = (gb_bytes_out){file_write, file_close, file_abandon};
    file->fd = -1;
    file->path = strdup(path);
    file->part = malloc(strlen(path) + sizeof ".part");
    gb_status status = GB_OK;
    if (file->path && file->part) {
        sprintf(file->part, "%s.part", path);
        status = open_part(file);
    } else {
        status = gb_fail(GB_ERR_MEMORY, "black box: no memory to write %s", path);
    }
    if (status != GB_OK) {
        file_abandon(&file->base);
        return status;
    }
    *out = &file->base;
    return GB_OK;
}
