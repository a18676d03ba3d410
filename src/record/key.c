/* Key files: made, read, and derived from. Not for passwords: a key is 32 random bytes. */
#include "genba/store.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIGITS (2 * GB_KEY_BYTES)

static gb_status start_sodium(void)
{
    return sodium_init() >= 0
               ? GB_OK
               : gb_fail(GB_ERR_UNSUPPORTED, "libsodium found no source of random numbers");
}

/* The folder too, so that the name survives a power cut. */
static int sync_folder_of(const char *path)
{
    char *copy = strdup(path);
    if (!copy)
        return ENOMEM;
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(copy);
    if (fd < 0)
        return errno;
    int error = fsync(fd) == 0 || errno == EINVAL ? 0 : errno;
    close(fd);
    return error;
}

gb_status gb_key_create(const char *path)
{
    GB_TRY(start_sodium());
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 && errno == EEXIST)
        return gb_fail(GB_ERR_ARGUMENT,
                       "%s is there already and is not replaced: what was encrypted with it would "
                       "be lost; give another path",
                       path);
    if (fd < 0)
        return gb_fail(GB_ERR_IO, "cannot make the key file %s: %s; check the folder", path,
                       strerror(errno));
    unsigned char bytes[GB_KEY_BYTES];
    char text[DIGITS + 2];
    randombytes_buf(bytes, sizeof bytes);
    sodium_bin2hex(text, sizeof text, bytes, sizeof bytes);
    text[DIGITS] = '\n';
    ssize_t put = write(fd, text, DIGITS + 1);
    int error = put == DIGITS + 1 ? 0 : put < 0 ? errno : ENOSPC;
    if (!error && fsync(fd) != 0)
        error = errno;
    if (close(fd) != 0 && !error)
        error = errno;
    if (!error)
        error = sync_folder_of(path);
    sodium_memzero(bytes, sizeof bytes);
    sodium_memzero(text, sizeof text);
    if (!error)
        return GB_OK;
    unlink(path);
    return gb_fail(GB_ERR_IO, "cannot write the key file %s: %s", path, strerror(error));
}

/* 64 digits, and nothing behind them but line ends. */
static bool parse(const char *text, size_t size, gb_key *out)
{
    size_t read_bytes = 0;
    if (size < DIGITS ||
        sodium_hex2bin(out->bytes, GB_KEY_BYTES, text, DIGITS, NULL, &read_bytes, NULL) != 0 ||
        read_bytes != GB_KEY_BYTES)
        return false;
    for (size_t i = DIGITS; i < size; i++)
        if (text[i] != '\n' && text[i] != '\r')
            return false;
    return true;
}

gb_status gb_key_load(const char *path, gb_key *out)
{
    GB_TRY(start_sodium());
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return gb_fail(GB_ERR_IO, "cannot read the key file %s: %s; genba key new makes one", path,
                       strerror(errno));
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        close(fd);
        return gb_fail(GB_ERR_ARGUMENT, "the key file %s is no plain file", path);
    }
    if (info.st_mode & 077) {
        close(fd);
        return gb_fail(GB_ERR_ARGUMENT,
                       "the key file %s can be read by others (mode %03o); chmod 600 it, and make "
                       "a new one if it may have been seen",
                       path, (unsigned)(info.st_mode & 0777));
    }
    char text[DIGITS + 8];
    gb_key key;
    ssize_t got = read(fd, text, sizeof text);
    int error = errno;
    close(fd);
    bool good = got > 0 && parse(text, (size_t)got, &key);
    sodium_memzero(text, sizeof text);
    if (good)
        *out = key;
    sodium_memzero(&key, sizeof key);
    if (got < 0)
        return gb_fail(GB_ERR_IO, "cannot read the key file %s: %s", path, strerror(error));
    return good ? GB_OK
                : gb_fail(GB_ERR_ARGUMENT,
                          "the key file %s does not hold 64 hexadecimal digits and nothing else; "
                          "genba key new makes one",
                          path);
}

void gb_key_derive(const gb_key *key, const char *use, gb_key *out)
{
    static const char domain[] = "genba key 1:";
    crypto_generichash_state state;
    gb_key made;
    (void)crypto_generichash_init(&state, key->bytes, GB_KEY_BYTES, GB_KEY_BYTES);
    (void)crypto_generichash_update(&state, (const unsigned char *)domain, sizeof domain - 1);
    (void)crypto_generichash_update(&state, (const unsigned char *)use, strlen(use));
    (void)crypto_generichash_final(&state, made.bytes, GB_KEY_BYTES);
    *out = made; /* key and out may be the same */
    sodium_memzero(&made, sizeof made);
    sodium_memzero(&state, sizeof state);
}
