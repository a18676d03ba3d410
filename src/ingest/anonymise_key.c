/* What anonymising takes from its key: pseudonyms, offsets in time, affine maps, and text that only
 * the key opens. Noise is anonymise_noise.c. */
#include "ingest/anonymise.h"

#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define SCALAR_BYTES crypto_core_ristretto255_SCALARBYTES
#define POINT_BYTES crypto_core_ristretto255_BYTES
#define NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_BYTES crypto_aead_xchacha20poly1305_ietf_ABYTES

/* ---- pseudonyms -------------------------------------------------------------------------------
 */

static void make_scalar(const gb_key *key, unsigned char scalar[SCALAR_BYTES])
{
    gb_key own;
    unsigned char wide[crypto_core_ristretto255_NONREDUCEDSCALARBYTES];
    gb_key_derive(key, "pseudonym", &own);
    (void)crypto_generichash(wide, sizeof wide, (const unsigned char *)"scalar", 6, own.bytes,
                             GB_KEY_BYTES);
    crypto_core_ristretto255_scalar_reduce(scalar, wide);
    sodium_memzero(wide, sizeof wide);
    sodium_memzero(&own, sizeof own);
}

static void write_point(const unsigned char point[POINT_BYTES], char out[GB_PSEUDONYM_BYTES])
{
    out[0] = 'p';
    sodium_bin2base64(out + 1, GB_PSEUDONYM_BYTES - 1, point, POINT_BYTES,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

gb_status gb_pseudonym(const gb_key *key,
                       const char *domain,
                       const void *text,
                       size_t size,
                       char out[GB_PSEUDONYM_BYTES])
{
    unsigned char scalar[SCALAR_BYTES], point[POINT_BYTES],
        wide[crypto_core_ristretto255_HASHBYTES];
    crypto_generichash_state state;
    (void)crypto_generichash_init(&state, NULL, 0, sizeof wide);
    (void)crypto_generichash_update(&state, (const unsigned char *)"genba pseudonym 1:", 18);
    /* with its 0: where the domain ends is never in doubt */
    (void)crypto_generichash_update(&state, (const unsigned char *)domain, strlen(domain) + 1);
    (void)crypto_generichash_update(&state, text, size);
    (void)crypto_generichash_final(&state, wide, sizeof wide);
    crypto_core_ristretto255_from_hash(point, wide);
    make_scalar(key, scalar);
    int failed = crypto_scalarmult_ristretto255(point, scalar, point);
    sodium_memzero(scalar, sizeof scalar);
    if (failed) /* the point at infinity: one text in 2^252 */
        return gb_fail(GB_ERR_NUMERIC, "a text of domain %s has no pseudonym", domain);
    write_point(point, out);
    return GB_OK;
}

gb_status gb_pseudonym_rotate(const gb_key *old_key,
                              const gb_key *new_key,
                              const char *pseudonym,
                              char out[GB_PSEUDONYM_BYTES])
{
    unsigned char point[POINT_BYTES], scalar[SCALAR_BYTES], inverse[SCALAR_BYTES];
    size_t size = 0;
    if (pseudonym[0] != 'p' || strlen(pseudonym) != GB_PSEUDONYM_BYTES - 1 ||
        sodium_base642bin(point, sizeof point, pseudonym + 1, GB_PSEUDONYM_BYTES - 2, NULL, &size,
                          NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
        size != POINT_BYTES || !crypto_core_ristretto255_is_valid_point(point))
        return gb_fail(GB_ERR_ARGUMENT, "\"%.60s\" is no pseudonym that genba made", pseudonym);
    make_scalar(old_key, scalar);
    int failed = crypto_core_ristretto255_scalar_invert(inverse, scalar);
    make_scalar(new_key, scalar);
    crypto_core_ristretto255_scalar_mul(scalar, scalar, inverse);
    failed |= crypto_scalarmult_ristretto255(point, scalar, point);
    sodium_memzero(scalar, sizeof scalar);
    sodium_memzero(inverse, sizeof inverse);
    if (failed)
        return gb_fail(GB_ERR_ARGUMENT, "\"%.60s\" is no pseudonym that genba made", pseudonym);
    write_point(point, out);
    return GB_OK;
}

void gb_key_id(const gb_key *key, char out[GB_KEY_ID_BYTES])
{
    gb_key id;
    gb_key_derive(key, "id", &id);
    sodium_bin2hex(out, GB_KEY_ID_BYTES, id.bytes, (GB_KEY_ID_BYTES - 1) / 2);
}

/* ---- secrets ----------------------------------------------------------------------------------
 */

gb_status gb_secrets_create(const gb_key *key, gb_secrets **out)
{
    gb_secrets *made = sodium_init() >= 0 ? sodium_malloc(sizeof *made) : NULL;
    if (!made)
        return gb_fail(GB_ERR_MEMORY, "no memory for the keys of anonymising");
    gb_key_derive(key, "anonymise time", &made->time);
    gb_key_derive(key, "anonymise rescale", &made->rescale);
    gb_key_derive(key, "anonymise noise", &made->noise);
    gb_key_derive(key, "anonymise undo", &made->undo);
    gb_key_id(key, made->id);
    *out = made;
    return GB_OK;
}

void gb_secrets_destroy(gb_secrets *secrets)
{
    sodium_free(secrets);
}

/* 16 bytes that are a function of a key, two texts and a number. */
static void draw(const gb_key *key, const char *a, const char *b, int64_t number, uint64_t out[2])
{
    crypto_generichash_state state;
    (void)crypto_generichash_init(&state, key->bytes, GB_KEY_BYTES, 16);
    (void)crypto_generichash_update(&state, (const unsigned char *)a, strlen(a) + 1);
    (void)crypto_generichash_update(&state, (const unsigned char *)b, strlen(b) + 1);
    (void)crypto_generichash_update(&state, (const unsigned char *)&number, sizeof number);
    (void)crypto_generichash_final(&state, (unsigned char *)out, 16);
}

static double uniform(uint64_t bits) /* in [0, 1) */
{
    return (double)(bits >> 11) * 0x1p-53;
}

int64_t
gb_secret_offset_ns(const gb_secrets *secrets, const gb_rule_time_shift *shift, const char *value)
{
    const int64_t second_ns = 1000000000, day_s = 86400;
    uint64_t bits[2];
    draw(&secrets->time, shift->entity, value, 0, bits);
    int64_t step_s = shift->step == GB_TIME_STEP_DAY ? day_s : 1;
    int64_t most = shift->days * day_s / step_s;
    /* one of 2 * most + 1 steps; the modulo's bias is below 2^-32 */
    int64_t steps = (int64_t)(bits[0] % (uint64_t)(2 * most + 1)) - most;
    return steps * step_s * second_ns;
}

gb_affine gb_secret_affine(const gb_secrets *secrets,
                           const char *stream,
                           int64_t column,
                           const gb_rule_bounds *range)
{
    uint64_t bits[2];
    draw(&secrets->rescale, stream, "", column, bits);
    return (gb_affine){.center = range->min + (range->max - range->min) / 2,
                       .unit = range->max - range->min,
                       .scale = exp2(4 * uniform(bits[0]) - 2),
                       .offset = 4 * uniform(bits[1]) - 2};
}

/* ---- sealed text ------------------------------------------------------------------------------
 * The nonce is a keyed hash of the text, so that sealing needs no state and the same text gives the
 * same bytes (as in SIV, Rogaway & Shrimpton 2006). */

gb_status gb_secret_seal(const gb_secrets *secrets, const char *text, char **out_text)
{
    size_t size = strlen(text), sealed_size = NONCE_BYTES + size + TAG_BYTES;
    size_t room = sodium_base64_encoded_len(sealed_size, sodium_base64_VARIANT_ORIGINAL);
    unsigned char *sealed = malloc(sealed_size);
    char *encoded = malloc(room);
    if (!sealed || !encoded) {
        free(sealed);
        free(encoded);
        return gb_fail(GB_ERR_MEMORY, "no memory to seal %zu bytes", size);
    }
    (void)crypto_generichash(sealed, NONCE_BYTES, (const unsigned char *)text, size,
                             secrets->undo.bytes, GB_KEY_BYTES);
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(sealed + NONCE_BYTES, NULL,
                                                     (const unsigned char *)text, size, NULL, 0,
                                                     NULL, sealed, secrets->undo.bytes);
    sodium_bin2base64(encoded, room, sealed, sealed_size, sodium_base64_VARIANT_ORIGINAL);
    free(sealed);
    *out_text = encoded;
    return GB_OK;
}

gb_status gb_secret_open(const gb_secrets *secrets, const char *sealed, char **out_text)
{
    size_t length = strlen(sealed), size = 0;
    unsigned char *bytes = malloc(length + 1);
    char *text = calloc(1, length + 1);
    gb_status status = bytes && text ? GB_OK : gb_fail(GB_ERR_MEMORY, "no memory to open a text");
    if (status == GB_OK && (sodium_base642bin(bytes, length, sealed, length, NULL, &size, NULL,
                                              sodium_base64_VARIANT_ORIGINAL) != 0 ||
                            size < NONCE_BYTES + TAG_BYTES ||
                            crypto_aead_xchacha20poly1305_ietf_decrypt(
                                (unsigned char *)text, NULL, NULL, bytes + NONCE_BYTES,
                                size - NONCE_BYTES, NULL, 0, bytes, secrets->undo.bytes) != 0))
        status = gb_fail(GB_ERR_CORRUPT, "what was sealed for undoing does not open with this key: "
                                         "it is another one, or the text was edited");
    free(bytes);
    if (status != GB_OK) {
        free(text);
        return status;
    }
    *out_text = text;
    return GB_OK;
}
