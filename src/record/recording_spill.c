/* Messages of recordings that wait for their file: when rows of thousands of machines come in turn,
 * not every recording can have a file open. One file without a name, gone with the process; what is
 * in it is encrypted by a key that is never written, as the store may be encrypted too. */
#include "record/recording_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct gb_spill {
    int fd;
    uint64_t end;    /* of what counts */
    uint64_t serial; /* of the next message: a nonce is used once, also after forgetting */
    unsigned char key[crypto_stream_xchacha20_KEYBYTES];
    unsigned char *message; /* [room] encrypted, on its way out */
    size_t room;
};

/* In place; the same call decrypts. */
static void encrypt(const gb_spill *spill, uint64_t serial, unsigned char *data, size_t size)
{
    unsigned char nonce[crypto_stream_xchacha20_NONCEBYTES] = {0};
    memcpy(nonce, &serial, sizeof serial);
    (void)crypto_stream_xchacha20_xor(data, data, size, nonce, spill->key);
}

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
    if (sodium_init() < 0) {
        gb_spill_destroy(spill);
        return gb_fail(GB_ERR_UNSUPPORTED, "libsodium does not start on this machine");
    }
    crypto_stream_xchacha20_keygen(spill->key);
    *out = spill;
    return GB_OK;
}

void gb_spill_destroy(gb_spill *spill)
{
    if (!spill)
        return;
    close(spill->fd);
    sodium_memzero(spill->key, sizeof spill->key);
    free(spill->message);
    free(spill);
}

static gb_status gather(gb_spill *spill, const gb_encoded *message)
{
    if (message->size > spill->room) {
        unsigned char *grown = realloc(spill->message, message->size);
        if (!grown)
            return gb_fail(GB_ERR_MEMORY, "no memory for recordings that wait");
        spill->message = grown;
        spill->room = message->size;
    }
    size_t used = 0;
    for (int i = 0; i < message->count; i++) {
        memcpy(spill->message + used, message->pieces[i].data, message->pieces[i].size);
        used += message->pieces[i].size;
    }
    return GB_OK;
}

gb_status gb_spill_write(gb_spill *spill, const gb_encoded *message, gb_spilled *out)
{
    GB_TRY(gather(spill, message));
    encrypt(spill, spill->serial, spill->message, message->size);
    uint64_t at = spill->end;
    for (size_t done = 0; done < message->size;) {
        ssize_t put =
            pwrite(spill->fd, spill->message + done, message->size - done, (off_t)(at + done));
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return gb_fail(GB_ERR_IO,
                           "cannot keep samples of recordings that wait for their file: %s; "
                           "free some space or choose another disk",
                           strerror(errno));
        done += (size_t)put;
    }
    *out = (gb_spilled){.at = at, .serial = spill->serial++, .size = message->size};
    spill->end += message->size;
    return GB_OK;
}

gb_status gb_spill_read(gb_spill *spill, const gb_spilled *from, void *data)
{
    for (size_t done = 0; done < from->size;) {
        ssize_t got = pread(spill->fd, (unsigned char *)data + done, from->size - done,
                            (off_t)(from->at + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return gb_fail(GB_ERR_IO, "cannot read samples of a recording that waited: %s",
                           got < 0 ? strerror(errno) : "the temporary file is too short");
        done += (size_t)got;
    }
    encrypt(spill, from->serial, data, from->size);
    return GB_OK;
}

void gb_spill_forget(gb_spill *spill)
{
    if (spill->end > 0 && ftruncate(spill->fd, 0) == 0)
        spill->end = 0;
}
