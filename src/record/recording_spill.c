/* Messages of recordings that wait for their file: when rows of thousands of machines come in turn,
 * not every recording can have a file open. One file without a name, gone with the process. */
#include "record/recording_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct gb_spill {
    int fd;
    uint64_t end;
};

gb_status gb_spill_create(const char *folder, gb_spill **out)
{
    gb_spill *spill = calloc(1, sizeof *spill);
    size_t room = strlen(folder) + 32;
    char *path = malloc(room);
    if (!spill || !path) {
        free(spill);
        free(path);
        return gb_fail(GB_ERR_MEMORY, "no memory for recordings that wait");
    }
    spill->fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (spill->fd < 0) { /* a file system without nameless files */
        snprintf(path, room, "%s/.waiting-XXXXXX", folder);
        spill->fd = mkostemp(path, O_CLOEXEC);
        if (spill->fd >= 0)
            unlink(path);
    }
    free(path);
    if (spill->fd < 0) {
        int error = errno;
        free(spill);
        return gb_fail(GB_ERR_IO, "cannot write a temporary file in %s: %s", folder,
                       strerror(error));
    }
    *out = spill;
    return GB_OK;
}

void gb_spill_destroy(gb_spill *spill)
{
    if (!spill)
        return;
    close(spill->fd);
    free(spill);
}

gb_status gb_spill_write(gb_spill *spill, const gb_encoded *message, uint64_t *out_at)
{
    uint64_t at = spill->end;
    for (int i = 0; i < message->count; i++) {
        const unsigned char *data = message->pieces[i].data;
        size_t left = message->pieces[i].size;
        while (left > 0) {
            ssize_t put = pwrite(spill->fd, data, left, (off_t)at);
            if (put < 0 && errno == EINTR)
                continue;
            if (put < 0)
                return gb_fail(GB_ERR_IO,
                               "cannot keep samples of recordings that wait for their file: %s; "
                               "free some space or choose another disk",
                               strerror(errno));
            data += put;
            at += (uint64_t)put;
            left -= (size_t)put;
        }
    }
    *out_at = spill->end;
    spill->end = at;
    return GB_OK;
}

gb_status gb_spill_read(gb_spill *spill, uint64_t at, void *data, size_t size)
{
    unsigned char *to = data;
    while (size > 0) {
        ssize_t got = pread(spill->fd, to, size, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return gb_fail(GB_ERR_IO, "cannot read samples of a recording that waited: %s",
                           got < 0 ? strerror(errno) : "the temporary file is too short");
        to += got;
        at += (uint64_t)got;
        size -= (size_t)got;
    }
    return GB_OK;
}

void gb_spill_forget(gb_spill *spill)
{
    if (spill->end > 0 && ftruncate(spill->fd, 0) == 0)
        spill->end = 0;
}
