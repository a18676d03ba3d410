/* BLAKE2b-256 through libsodium, for checksums and content names. Not for passwords. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "genba/base.h"

static pthread_once_t sodium_once = PTHREAD_ONCE_INIT;

/* Picks libsodium's fast implementation; without it hashing still works, slower. */
static void start_sodium(void)
{
    if (sodium_init() < 0)
        return;
}

void gb_hash(const void *data, size_t size, unsigned char out[GB_HASH_BYTES])
{
    pthread_once(&sodium_once, start_sodium);
    (void)crypto_generichash(out, GB_HASH_BYTES, data, size, NULL, 0);
}

void gb_hash_hex(const unsigned char hash[GB_HASH_BYTES], char out[2 * GB_HASH_BYTES + 1])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < GB_HASH_BYTES; i++) {
        out[2 * i] = digits[hash[i] >> 4];
        out[2 * i + 1] = digits[hash[i] & 15];
    }
    out[2 * GB_HASH_BYTES] = 0;
}

/* Reads in pieces rather than mapping: a file that shrinks meanwhile must not kill the process. */
gb_status gb_hash_file(const char *path, unsigned char out[GB_HASH_BYTES])
{
    pthread_once(&sodium_once, start_sodium);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return gb_fail(GB_ERR_IO, "cannot read %s: %s; check the path and its permissions", path,
                       strerror(errno));
    crypto_generichash_state state;
    (void)crypto_generichash_init(&state, NULL, 0, GB_HASH_BYTES);
    unsigned char buffer[64 << 10];
    ssize_t got = 0;
    while ((got = read(fd, buffer, sizeof buffer)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            int error = errno;
            close(fd);
            return gb_fail(GB_ERR_IO, "cannot read %s: %s; check that it is a readable file", path,
                           strerror(error));
        }
        (void)crypto_generichash_update(&state, buffer, (unsigned long long)got);
    }
    close(fd);
    (void)crypto_generichash_final(&state, out, GB_HASH_BYTES);
    return GB_OK;
}
