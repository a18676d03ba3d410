/* Files of a store while they are written: hashed as the bytes go by, so that nothing is read
 * again for its checksum, and brought to disk together before the catalogue hears of them. */
#include "record/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BUFFER_BYTES = 64 << 10,
    ONE_BY_ONE = 32 /* more files than this are synced with their whole file system */
};

typedef struct part_out {
    gb_bytes_out base;
    int fd;
    gb_store_part *part;
    gb_status failed;
    int64_t bytes;
    crypto_generichash_state hash;
    size_t buffered;
    unsigned char buffer[BUFFER_BYTES];
    char path[];
} part_out;

static gb_status fail_io(const char *what, const char *path, int error)
{
    return gb_fail(GB_ERR_IO, "cannot %s %s: %s%s", what, path, strerror(error),
                   error == ENOSPC || error == EDQUOT ? "; free some space, the store is unchanged"
                                                      : "");
}

static gb_status write_through(part_out *out, const unsigned char *data, size_t size)
{
    while (size > 0) {
        ssize_t put = write(out->fd, data, size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0) {
            out->failed = fail_io("write", out->path, errno);
            return out->failed;
        }
        data += put;
        size -= (size_t)put;
    }
    return GB_OK;
}

static gb_status flush(part_out *out)
{
    size_t size = out->buffered;
    out->buffered = 0;
    return write_through(out, out->buffer, size);
}

static gb_status part_write(gb_bytes_out *base, const void *data, size_t size)
{
    part_out *out = (part_out *)base;
    if (out->failed != GB_OK)
        return out->failed;
    if (size == 0)
        return GB_OK;
    (void)crypto_generichash_update(&out->hash, data, size);
    out->bytes += (int64_t)size;
    if (size > BUFFER_BYTES - out->buffered)
        GB_TRY(flush(out));
    if (size > BUFFER_BYTES)
        return write_through(out, data, size);
    memcpy(out->buffer + out->buffered, data, size);
    out->buffered += size;
    return GB_OK;
}

static void part_abandon(gb_bytes_out *base)
{
    part_out *out = (part_out *)base;
    close(out->fd);
    unlink(out->path);
    free(out);
}

static gb_status part_close(gb_bytes_out *base)
{
    part_out *out = (part_out *)base;
    unsigned char hash[GB_HASH_BYTES];
    gb_status status = out->failed;
    if (status == GB_OK)
        status = flush(out);
    if (status != GB_OK) {
        part_abandon(base);
        return status;
    }
    /* The disk may begin; whoever needs to know that it is done syncs. */
    (void)sync_file_range(out->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    (void)crypto_generichash_final(&out->hash, hash, sizeof hash);
    gb_hash_hex(hash, out->part->checksum);
    out->part->bytes = out->bytes;
    close(out->fd);
    free(out);
    return GB_OK;
}

gb_status gb_store_part_create(const char *path, gb_store_part *part, gb_bytes_out **out)
{
    size_t length = strlen(path);
    part_out *made = malloc(sizeof *made + length + 1);
    if (!made)
        return gb_fail(GB_ERR_MEMORY, "no memory to write %s", path);
    made->base = (gb_bytes_out){part_write, part_close, part_abandon};
    made->part = part;
    made->failed = GB_OK;
    made->bytes = 0;
    made->buffered = 0;
    memcpy(made->path, path, length + 1);
    (void)crypto_generichash_init(&made->hash, NULL, 0, GB_HASH_BYTES);
    made->fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
    if (made->fd < 0) {
        gb_status status = fail_io("write", path, errno);
        free(made);
        return status;
    }
    *out = &made->base;
    return GB_OK;
}

static gb_status sync_path(const char *path, int flags)
{
    int fd = open(path, flags | O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_io("sync", path, errno);
    int error = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    return error == 0 || (error == EINVAL && (flags & O_DIRECTORY)) ? GB_OK
                                                                    : fail_io("sync", path, error);
}

gb_status gb_store_sync_files(const char *const *paths, int64_t count)
{
    if (count > ONE_BY_ONE) {
        int fd = open(paths[0], O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return fail_io("sync", paths[0], errno);
        int error = syncfs(fd) == 0 ? 0 : errno;
        close(fd);
        return error == 0 ? GB_OK : fail_io("sync", paths[0], error);
    }
    for (int64_t i = 0; i < count; i++)
        GB_TRY(sync_path(paths[i], 0));
    return GB_OK;
}

gb_status gb_store_sync_folder(const char *folder)
{
    return sync_path(folder, O_DIRECTORY);
}
