/* Files: mapped or read whole, written whole or not at all.
 * Not for formats (see the rooms that own them) and not for appending: a log that grows writes its
 * own records. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "genba/base.h"

enum {
    BUFFER_BYTES = 64 << 10,
    NAME_ATTEMPTS = 100
};

/* A writer works on a file without a name (O_TMPFILE) where the file system has them, so that even
 * a kill leaves nothing behind; otherwise on a hidden file beside the target. */
struct gb_file_writer {
    int fd;
    char *path;      /* the target */
    char *folder;    /* where it lies */
    char *temporary; /* "" while the file has no name */
    size_t buffered;
    gb_status failed; /* the first failure of a write; later calls repeat it */
    unsigned char buffer[BUFFER_BYTES];
};

static const char *advice(int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return "check the path";
    case EACCES:
    case EPERM:
    case EROFS:
        return "check the permissions of the file and its folder, or choose another folder";
    case ENOSPC:
    case EDQUOT:
        return "free some space or choose another disk";
    case EMFILE:
    case ENFILE:
        return "raise the limit of open files (ulimit -n)";
    case EISDIR:
        return "give the path of a file";
    default:
        return "check the path and the disk";
    }
}

static gb_status fail_io(const char *what, const char *path, int error)
{
    return gb_fail(GB_ERR_IO, "cannot %s %s: %s; %s", what, path, strerror(error), advice(error));
}

/* O_NONBLOCK: opening a pipe that nobody writes to must not wait forever. */
static gb_status open_to_read(const char *path, int *out_fd, struct stat *out_info)
{
    if (path == NULL || path[0] == 0)
        return gb_fail(GB_ERR_ARGUMENT, "a path is empty; give the path of a file");
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return fail_io("read", path, errno);
    if (fstat(fd, out_info) != 0 || S_ISDIR(out_info->st_mode)) {
        int error = S_ISDIR(out_info->st_mode) ? EISDIR : errno;
        close(fd);
        return fail_io("read", path, error);
    }
    *out_fd = fd;
    return GB_OK;
}

gb_status gb_file_map(const char *path, gb_file_view *out)
{
    int fd = -1;
    struct stat info = {0};
    GB_TRY(open_to_read(path, &fd, &info));
    if (!S_ISREG(info.st_mode)) {
        close(fd);
        return gb_fail(GB_ERR_IO, "cannot map %s: it is not a regular file; copy it to one", path);
    }
    gb_file_view view = {NULL, (size_t)info.st_size};
    if (view.size > 0) {
        void *data = mmap(NULL, view.size, PROT_READ, MAP_PRIVATE, fd, 0);
        int error = errno;
        if (data == MAP_FAILED) {
            close(fd);
            return fail_io("map", path, error);
        }
        view.data = data;
    }
    close(fd);
    *out = view;
    return GB_OK;
}

void gb_file_unmap(gb_file_view *view)
{
    if (view == NULL)
        return;
    if (view->data != NULL)
        munmap((void *)(uintptr_t)view->data, view->size);
    *view = (gb_file_view){NULL, 0};
}

static gb_status fail_limit(const char *path, size_t limit_bytes)
{
    return gb_fail(GB_ERR_ARGUMENT,
                   "%s is larger than the %zu bytes allowed here; is it the right "
                   "file?",
                   path, limit_bytes);
}

/* The size the kernel reports is a first guess: pipes and /proc report none, files may grow. */
static gb_status read_all(int fd,
                          const char *path,
                          size_t guess,
                          size_t limit_bytes,
                          gb_arena *arena,
                          char **out_text,
                          size_t *out_size)
{
    size_t capacity = guess + 2 < 4096 ? 4096 : guess + 2, size = 0;
    char *text = gb_arena_alloc(arena, capacity);
    while (text != NULL) {
        ssize_t got = read(fd, text + size, capacity - 1 - size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_io("read", path, errno);
        size += (size_t)got;
        if (limit_bytes > 0 && size > limit_bytes)
            return fail_limit(path, limit_bytes);
        if (got == 0) {
            text[size] = 0;
            *out_text = text;
            if (out_size != NULL)
                *out_size = size;
            return GB_OK;
        }
        if (size == capacity - 1) {
            char *larger = gb_arena_alloc(arena, 2 * capacity);
            if (larger != NULL)
                memcpy(larger, text, size);
            text = larger;
            capacity *= 2;
        }
    }
    return gb_fail_context(GB_ERR_MEMORY, "reading %s", path);
}

gb_status gb_file_read(
    const char *path, size_t limit_bytes, gb_arena *arena, char **out_text, size_t *out_size)
{
    int fd = -1;
    struct stat info = {0};
    GB_TRY(open_to_read(path, &fd, &info));
    size_t guess = info.st_size > 0 ? (size_t)info.st_size : 0;
    if (limit_bytes > 0 && guess > limit_bytes) {
        close(fd);
        return fail_limit(path, limit_bytes);
    }
    gb_status status = read_all(fd, path, guess, limit_bytes, arena, out_text, out_size);
    close(fd);
    return status;
}

bool gb_file_exists(const char *path)
{
    struct stat info;
    return path != NULL && stat(path, &info) == 0;
}

gb_status gb_folder_create(const char *path)
{
    if (path == NULL || path[0] == 0)
        return gb_fail(GB_ERR_ARGUMENT, "a path is empty; give the path of a folder");
    char *partial = strdup(path);
    if (partial == NULL)
        return gb_fail(GB_ERR_MEMORY, "cannot get memory to create the folder %s", path);
    size_t length = strlen(partial);
    int error = 0;
    for (size_t i = 1; i <= length; i++) {
        if (partial[i] != '/' && partial[i] != 0)
            continue;
        partial[i] = 0;
        error = mkdir(partial, 0777) == 0 ? 0 : errno;
        partial[i] = path[i];
    }
    free(partial);
    struct stat info;
    if (stat(path, &info) != 0)
        return fail_io("create the folder", path, error != 0 ? error : errno);
    if (!S_ISDIR(info.st_mode))
        return gb_fail(GB_ERR_IO, "cannot create the folder %s: a file of that name is there",
                       path);
    return GB_OK;
}

gb_status gb_folder_missing(const char *path, char *out, size_t size)
{
    size_t length = strlen(path);
    if (length >= size)
        return gb_fail(GB_ERR_ARGUMENT, "the name %.64s... is longer than %zu bytes", path,
                       size - 1);
    memcpy(out, path, length + 1);
    for (size_t i = 1; i <= length; i++) {
        if (path[i] != '/' && path[i] != 0)
            continue;
        out[i] = 0;
        if (!gb_file_exists(out))
            return GB_OK;
        out[i] = path[i];
    }
    *out = 0;
    return GB_OK;
}

/* ---- writing ---- */

static void free_writer(gb_file_writer *writer)
{
    if (writer->fd >= 0)
        close(writer->fd);
    free(writer->path);
    free(writer->folder);
    free(writer->temporary);
    free(writer);
}

void gb_file_writer_abandon(gb_file_writer *writer)
{
    if (writer == NULL)
        return;
    if (writer->temporary != NULL && writer->temporary[0] != 0)
        unlink(writer->temporary);
    free_writer(writer);
}

/* A free hidden name beside the target: number `attempt` of this process. */
static void name_temporary(gb_file_writer *writer, int attempt)
{
    const char *name = strrchr(writer->path, '/');
    name = name == NULL ? writer->path : name + 1;
    sprintf(writer->temporary, "%s/.%.100s.%ld-%d.partial", writer->folder, name, (long)getpid(),
            attempt);
}

static gb_status open_writer(gb_file_writer *writer)
{
    struct stat info;
    if (stat(writer->path, &info) == 0 && S_ISDIR(info.st_mode))
        return fail_io("write", writer->path, EISDIR);
    int error = EOPNOTSUPP; /* without /proc the nameless file could not be named later */
    if (access("/proc/self/fd", X_OK) == 0) {
        writer->fd = open(writer->folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
        error = writer->fd >= 0 ? 0 : errno;
    }
    /* Which error says "no such feature here" differs between file systems and kernels. */
    if (writer->fd < 0 && (error == EOPNOTSUPP || error == EISDIR || error == EINVAL)) {
        error = EEXIST;
        for (int attempt = 0; error == EEXIST && attempt < NAME_ATTEMPTS; attempt++) {
            name_temporary(writer, attempt);
            writer->fd = open(writer->temporary, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
            error = writer->fd >= 0 ? 0 : errno;
        }
        if (writer->fd < 0)
            writer->temporary[0] = 0;
    }
    return error == 0 ? GB_OK : fail_io("write", writer->path, error);
}

gb_status gb_file_writer_begin(const char *path, gb_file_writer **out)
{
    if (path == NULL || path[0] == 0)
        return gb_fail(GB_ERR_ARGUMENT, "a path is empty; give the path of a file");
    gb_file_writer *writer = calloc(1, sizeof *writer);
    if (writer == NULL)
        return gb_fail(GB_ERR_MEMORY, "cannot get memory to write %s", path);
    writer->fd = -1;
    writer->path = strdup(path);
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        writer->folder = strdup(".");
    else
        writer->folder = strndup(path, slash == path ? 1 : (size_t)(slash - path));
    writer->temporary = calloc(1, strlen(path) + 160);
    gb_status status;
    if (writer->path == NULL || writer->folder == NULL || writer->temporary == NULL)
        status = gb_fail(GB_ERR_MEMORY, "cannot get memory to write %s", path);
    else
        status = open_writer(writer);
    if (status != GB_OK) {
        free_writer(writer);
        return status;
    }
    *out = writer;
    return GB_OK;
}

static gb_status write_through(gb_file_writer *writer, const unsigned char *data, size_t size)
{
    while (size > 0) {
        ssize_t put = write(writer->fd, data, size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0) {
            writer->failed = fail_io("write", writer->path, errno);
            return writer->failed;
        }
        data += put;
        size -= (size_t)put;
    }
    return GB_OK;
}

static gb_status flush(gb_file_writer *writer)
{
    size_t size = writer->buffered;
    writer->buffered = 0;
    return write_through(writer, writer->buffer, size);
}

gb_status gb_file_writer_write(gb_file_writer *writer, const void *data, size_t size)
{
    if (writer->failed != GB_OK)
        return writer->failed;
    if (size > BUFFER_BYTES - writer->buffered)
        GB_TRY(flush(writer));
    if (size > BUFFER_BYTES)
        return write_through(writer, data, size);
    if (size > 0)
        memcpy(writer->buffer + writer->buffered, data, size);
    writer->buffered += size;
    return GB_OK;
}

gb_status gb_file_writer_printf(gb_file_writer *writer, const char *format, ...)
{
    char small[512];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    if (length < 0)
        return gb_fail(GB_ERR_ARGUMENT, "a text cannot be formatted as \"%s\"", format);
    if ((size_t)length < sizeof small)
        return gb_file_writer_write(writer, small, (size_t)length);
    char *text = malloc((size_t)length + 1);
    if (text == NULL)
        return gb_fail(GB_ERR_MEMORY, "cannot get %d bytes to write %s", length, writer->path);
    va_start(args, format);
    vsnprintf(text, (size_t)length + 1, format, args);
    va_end(args);
    gb_status status = gb_file_writer_write(writer, text, (size_t)length);
    free(text);
    return status;
}

/* Gives the nameless file a hidden name beside the target; a name is needed to replace a file. */
static gb_status link_temporary(gb_file_writer *writer)
{
    char source[64];
    snprintf(source, sizeof source, "/proc/self/fd/%d", writer->fd);
    int error = EEXIST;
    for (int attempt = 0; error == EEXIST && attempt < NAME_ATTEMPTS; attempt++) {
        name_temporary(writer, attempt);
        int linked = linkat(AT_FDCWD, source, AT_FDCWD, writer->temporary, AT_SYMLINK_FOLLOW);
        error = linked == 0 ? 0 : errno;
    }
    if (error == 0)
        return GB_OK;
    writer->temporary[0] = 0;
    return fail_io("write", writer->path, error);
}

/* A rename is safe against a power cut only when the folder is written too. */
static gb_status sync_folder(const gb_file_writer *writer)
{
    int fd = open(writer->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fail_io("sync the folder of", writer->path, errno);
    int error = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    /* EINVAL: this file system has nothing to sync for folders. */
    return error == 0 || error == EINVAL ? GB_OK
                                         : fail_io("sync the folder of", writer->path, error);
}

static gb_status publish(gb_file_writer *writer)
{
    if (writer->failed != GB_OK)
        return writer->failed;
    GB_TRY(flush(writer));
    if (fsync(writer->fd) != 0)
        return fail_io("write", writer->path, errno);
    if (writer->temporary[0] == 0)
        GB_TRY(link_temporary(writer));
    if (rename(writer->temporary, writer->path) != 0)
        return fail_io("replace", writer->path, errno);
    writer->temporary[0] = 0;
    return sync_folder(writer);
}

gb_status gb_file_writer_commit(gb_file_writer *writer)
{
    gb_status status = publish(writer);
    gb_file_writer_abandon(writer);
    return status;
}

gb_status gb_file_replace(const char *path, const void *data, size_t size)
{
    gb_file_writer *writer = NULL;
    GB_TRY(gb_file_writer_begin(path, &writer));
    gb_status status = gb_file_writer_write(writer, data, size);
    if (status != GB_OK) {
        gb_file_writer_abandon(writer);
        return status;
    }
    return gb_file_writer_commit(writer);
}
