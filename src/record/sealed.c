/* Encrypted files that can be read in any order (docs/decisions/009-at-rest.md).
 *
 *     header   64 bytes: magic "GBSEAL1\n", segment size (u32), zeros (u32), salt [32],
 *              and the tag of these 48 bytes
 *     segments of `segment size` bytes, the last one shorter or as long, each with its tag [16]
 *
 * A file's key is BLAKE2b of the owner's key over the header's 48 bytes, so that no two files share
 * one; the nonce of a segment is its number and whether it is the last. So no byte can be changed,
 * no segment moved, dropped or taken from elsewhere, and no end cut off unseen. What is not hidden:
 * the length. */
#include "genba/store.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC "GBSEAL1\n"
#define NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES

enum {
    MAGIC_BYTES = 8,
    SALT_BYTES = 32,
    PREFIX_BYTES = 48, /* of the header, before its tag */
    TAG_BYTES = 16,
    HEADER_BYTES = PREFIX_BYTES + TAG_BYTES,
    SEGMENT_BYTES = 64 << 10,
    SEGMENT_BYTES_MIN = 1 << 10, /* of files that are read */
    SEGMENT_BYTES_MAX = 1 << 24,
    SLOTS = 4 /* decrypted segments kept while reading */
};

/* What a nonce is for, so that none is used for two ends. */
typedef enum part {
    PART_SEGMENT,
    PART_LAST,
    PART_HEADER
} part;

static void put_u64(unsigned char *at, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        at[i] = (unsigned char)(value >> (8 * i));
}

static uint32_t get_u32(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void make_nonce(uint64_t segment, part what, unsigned char nonce[NONCE_BYTES])
{
    memset(nonce, 0, NONCE_BYTES);
    put_u64(nonce, segment);
    nonce[8] = (unsigned char)what;
}

/* Memory of its own pages that is never swapped out (where the limits allow) and wiped when freed.
 */
static gb_status make_file_key(const gb_key *key, const unsigned char *prefix, gb_key **out)
{
    if (sodium_init() < 0)
        return gb_fail(GB_ERR_UNSUPPORTED, "libsodium found no source of random numbers");
    gb_key *made = sodium_malloc(sizeof *made);
    if (!made)
        return gb_fail(GB_ERR_MEMORY, "no memory for a key");
    gb_key_derive(key, "sealed file", made);
    (void)crypto_generichash(made->bytes, GB_KEY_BYTES, prefix, PREFIX_BYTES, made->bytes,
                             GB_KEY_BYTES);
    *out = made;
    return GB_OK;
}

/* `out` gets size + TAG_BYTES bytes; out and plain may be the same. */
static void seal(const gb_key *key,
                 uint64_t segment,
                 part what,
                 const unsigned char *plain,
                 size_t size,
                 unsigned char *out)
{
    unsigned char nonce[NONCE_BYTES];
    make_nonce(segment, what, nonce);
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(out, NULL, plain, size, NULL, 0, NULL, nonce,
                                                     key->bytes);
}

/* `out` gets size - TAG_BYTES bytes; size >= TAG_BYTES. */
static bool unseal(const gb_key *key,
                   uint64_t segment,
                   part what,
                   const unsigned char *sealed,
                   size_t size,
                   unsigned char *out)
{
    unsigned char nonce[NONCE_BYTES];
    make_nonce(segment, what, nonce);
    return crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed, size, NULL, 0, nonce,
                                                      key->bytes) == 0;
}

/* The header's tag: an empty message that vouches for the prefix. */
static void
seal_header(const gb_key *key, const unsigned char *prefix, unsigned char tag[TAG_BYTES])
{
    unsigned char nonce[NONCE_BYTES];
    make_nonce(0, PART_HEADER, nonce);
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(tag, NULL, NULL, 0, prefix, PREFIX_BYTES, NULL,
                                                     nonce, key->bytes);
}

/* ---- writing ----------------------------------------------------------------------------------
 */

typedef struct sealed_out {
    gb_bytes_out base;
    gb_bytes_out *inner;
    gb_key *key;
    uint64_t segment;
    size_t used;
    gb_status failed; /* the first failure; nothing is written after it */
    unsigned char plain[SEGMENT_BYTES];
    unsigned char sealed[SEGMENT_BYTES + TAG_BYTES];
} sealed_out;

static void free_out(sealed_out *out)
{
    sodium_free(out->key);
    sodium_memzero(out->plain, sizeof out->plain);
    free(out);
}

static gb_status put_segment(sealed_out *out, part what)
{
    seal(out->key, out->segment++, what, out->plain, out->used, out->sealed);
    gb_status status = out->inner->write(out->inner, out->sealed, out->used + TAG_BYTES);
    out->used = 0;
    return status;
}

/* A full segment waits until more comes: the last one is sealed as such. */
static gb_status sealed_write(gb_bytes_out *base, const void *data, size_t size)
{
    sealed_out *out = (sealed_out *)base;
    const unsigned char *from = data;
    while (out->failed == GB_OK && size > 0) {
        if (out->used == SEGMENT_BYTES && (out->failed = put_segment(out, PART_SEGMENT)) != GB_OK)
            break;
        size_t count = SEGMENT_BYTES - out->used < size ? SEGMENT_BYTES - out->used : size;
        memcpy(out->plain + out->used, from, count);
        out->used += count;
        from += count;
        size -= count;
    }
    return out->failed;
}

static gb_status sealed_close(gb_bytes_out *base)
{
    sealed_out *out = (sealed_out *)base;
    gb_bytes_out *inner = out->inner;
    gb_status status = out->failed == GB_OK ? put_segment(out, PART_LAST) : out->failed;
    free_out(out);
    if (status == GB_OK)
        return inner->close(inner);
    inner->abandon(inner);
    return status;
}

static void sealed_abandon(gb_bytes_out *base)
{
    sealed_out *out = (sealed_out *)base;
    out->inner->abandon(out->inner);
    free_out(out);
}

gb_status gb_bytes_out_encrypted(gb_bytes_out *inner, const gb_key *key, gb_bytes_out **out)
{
    unsigned char header[HEADER_BYTES] = {0};
    memcpy(header, MAGIC, MAGIC_BYTES);
    put_u64(header + MAGIC_BYTES, SEGMENT_BYTES);
    randombytes_buf(header + PREFIX_BYTES - SALT_BYTES, SALT_BYTES);
    sealed_out *made = calloc(1, sizeof *made);
    gb_status status = made ? make_file_key(key, header, &made->key)
                            : gb_fail(GB_ERR_MEMORY, "no memory to write an encrypted file");
    if (status == GB_OK) {
        seal_header(made->key, header, header + PREFIX_BYTES);
        status = inner->write(inner, header, HEADER_BYTES);
    }
    if (status != GB_OK) {
        if (made)
            free_out(made);
        inner->abandon(inner);
        return status;
    }
    made->base = (gb_bytes_out){sealed_write, sealed_close, sealed_abandon};
    made->inner = inner;
    *out = &made->base;
    return GB_OK;
}

/* ---- reading ----------------------------------------------------------------------------------
 */

typedef struct slot {
    bool full;
    uint64_t segment;
    unsigned char *plain; /* [segment_bytes] */
} slot;

typedef struct sealed_in {
    gb_bytes_in base;
    gb_bytes_in *inner;
    gb_key *key;
    uint64_t segments;
    size_t segment_bytes;
    slot slots[SLOTS];     /* segment n lies in slot n % SLOTS */
    unsigned char *joined; /* a read that spans segments */
    size_t joined_room;
} sealed_in;

static void free_in(sealed_in *in)
{
    sodium_free(in->key);
    for (int i = 0; i < SLOTS; i++) {
        if (in->slots[i].plain)
            sodium_memzero(in->slots[i].plain, in->segment_bytes);
        free(in->slots[i].plain);
    }
    if (in->joined)
        sodium_memzero(in->joined, in->joined_room);
    free(in->joined);
    free(in);
}

static size_t plain_bytes(const sealed_in *in, uint64_t segment)
{
    uint64_t begin = segment * in->segment_bytes;
    uint64_t rest = in->base.size - begin;
    return rest < in->segment_bytes ? (size_t)rest : in->segment_bytes;
}

static gb_status decrypt(sealed_in *in, uint64_t segment, unsigned char *plain)
{
    const unsigned char *sealed = NULL;
    uint64_t at = HEADER_BYTES + segment * (in->segment_bytes + TAG_BYTES);
    size_t size = plain_bytes(in, segment) + TAG_BYTES;
    GB_TRY(in->inner->read(in->inner, at, size, &sealed));
    part what = segment + 1 == in->segments ? PART_LAST : PART_SEGMENT;
    if (unseal(in->key, segment, what, sealed, size, plain))
        return GB_OK;
    return gb_fail(GB_ERR_CORRUPT,
                   "%s: the encrypted segment at bytes %llu to %llu was edited, moved, or the file "
                   "was cut; take it from a backup",
                   in->base.origin, (unsigned long long)at, (unsigned long long)(at + size));
}

static gb_status decrypted(sealed_in *in, uint64_t segment, const unsigned char **out)
{
    slot *kept = &in->slots[segment % SLOTS];
    if (!kept->plain && !(kept->plain = malloc(in->segment_bytes)))
        return gb_fail(GB_ERR_MEMORY, "no memory to read %s", in->base.origin);
    if (!kept->full || kept->segment != segment) {
        kept->full = false;
        GB_TRY(decrypt(in, segment, kept->plain));
        kept->full = true;
        kept->segment = segment;
    }
    *out = kept->plain;
    return GB_OK;
}

static gb_status make_room(sealed_in *in, size_t size)
{
    if (size <= in->joined_room)
        return GB_OK;
    unsigned char *grown = malloc(size);
    if (!grown)
        return gb_fail(GB_ERR_MEMORY, "no memory to read %zu bytes of %s", size, in->base.origin);
    if (in->joined)
        sodium_memzero(in->joined, in->joined_room);
    free(in->joined);
    in->joined = grown;
    in->joined_room = size;
    return GB_OK;
}

static gb_status
sealed_read(gb_bytes_in *base, uint64_t at, size_t size, const unsigned char **out_data)
{
    sealed_in *in = (sealed_in *)base;
    if (at > base->size || size > base->size - at)
        return gb_fail(GB_ERR_CORRUPT, "%s: ends at byte %llu, and %zu bytes from %llu are needed",
                       base->origin, (unsigned long long)base->size, size, (unsigned long long)at);
    const unsigned char *plain = (const unsigned char *)"";
    uint64_t segment = at / in->segment_bytes;
    size_t within = (size_t)(at % in->segment_bytes);
    if (size == 0 || within + size <= in->segment_bytes) {
        if (size > 0)
            GB_TRY(decrypted(in, segment, &plain));
        *out_data = size > 0 ? plain + within : plain;
        return GB_OK;
    }
    GB_TRY(make_room(in, size));
    for (size_t done = 0; done < size; segment++, within = 0) {
        size_t count = plain_bytes(in, segment) - within;
        if (count > size - done)
            count = size - done;
        if (count == in->segment_bytes) { /* whole: past the slots */
            GB_TRY(decrypt(in, segment, in->joined + done));
        } else {
            GB_TRY(decrypted(in, segment, &plain));
            memcpy(in->joined + done, plain + within, count);
        }
        done += count;
    }
    *out_data = in->joined;
    return GB_OK;
}

static void sealed_in_close(gb_bytes_in *base)
{
    sealed_in *in = (sealed_in *)base;
    in->inner->close(in->inner);
    free_in(in);
}

static gb_status check_header(sealed_in *in, const gb_key *key)
{
    const char *origin = in->base.origin;
    const unsigned char *header = NULL;
    unsigned char tag[TAG_BYTES];
    if (in->inner->size < HEADER_BYTES + TAG_BYTES)
        return gb_fail(GB_ERR_CORRUPT, "%s: %llu bytes are too few for an encrypted file", origin,
                       (unsigned long long)in->inner->size);
    GB_TRY(in->inner->read(in->inner, 0, HEADER_BYTES, &header));
    if (memcmp(header, MAGIC, MAGIC_BYTES) != 0)
        return gb_fail(GB_ERR_CORRUPT, "%s: does not begin as an encrypted file of genba", origin);
    GB_TRY(make_file_key(key, header, &in->key));
    seal_header(in->key, header, tag);
    if (sodium_memcmp(tag, header + PREFIX_BYTES, TAG_BYTES) != 0)
        return gb_fail(GB_ERR_CORRUPT,
                       "%s: this key does not open it (or its first %d bytes were edited); give "
                       "the key file it was written with",
                       origin, (int)HEADER_BYTES);
    in->segment_bytes = get_u32(header + MAGIC_BYTES);
    if (in->segment_bytes < SEGMENT_BYTES_MIN || in->segment_bytes > SEGMENT_BYTES_MAX)
        return gb_fail(GB_ERR_UNSUPPORTED, "%s: segments of %zu bytes; this genba reads %d to %d",
                       origin, in->segment_bytes, (int)SEGMENT_BYTES_MIN, (int)SEGMENT_BYTES_MAX);
    return GB_OK;
}

/* The size is only believed once the last segment has proved to be the last. */
static gb_status open_in(sealed_in *in, const gb_key *key)
{
    const unsigned char *plain = NULL;
    GB_TRY(check_header(in, key));
    uint64_t body = in->inner->size - HEADER_BYTES;
    uint64_t step = in->segment_bytes + TAG_BYTES;
    in->segments = (body + step - 1) / step;
    if (body - (in->segments - 1) * step < TAG_BYTES)
        return gb_fail(GB_ERR_CORRUPT, "%s: was cut within its last segment", in->base.origin);
    in->base.size = body - in->segments * TAG_BYTES;
    return decrypted(in, in->segments - 1, &plain);
}

gb_status gb_bytes_in_encrypted(gb_bytes_in *inner, const gb_key *key, gb_bytes_in **out)
{
    sealed_in *in = calloc(1, sizeof *in);
    if (!in) {
        inner->close(inner);
        return gb_fail(GB_ERR_MEMORY, "no memory to read an encrypted file");
    }
    in->inner = inner;
    in->base.read = sealed_read;
    in->base.close = sealed_in_close;
    in->base.origin = inner->origin;
    gb_status status = open_in(in, key);
    if (status != GB_OK) {
        sealed_in_close(&in->base);
        return status;
    }
    *out = &in->base;
    return GB_OK;
}
