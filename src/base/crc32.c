/* CRC-32 by carry-less multiplication where the processor has it, else by tables, eight bytes a
 * step. Not for hashes that must withstand a forger (hash.c). */
#include <emmintrin.h>
#include <smmintrin.h>
#include <string.h>
#include <wmmintrin.h>

#include "base/crc32.h"
#include "genba/base.h"

/* A CRC is linear, so the 256 entries of a table follow from those of the eight single bits.
 * tables[k][b] is the CRC of byte b followed by k zero bytes. */
#define BIT(i, bit, c) ((i) >> (bit)&1 ? (c) : 0u)
#define AT(i, a, b, c, d, e, f, g, h)                                                              \
    (BIT(i, 0, a) ^ BIT(i, 1, b) ^ BIT(i, 2, c) ^ BIT(i, 3, d) ^ BIT(i, 4, e) ^ BIT(i, 5, f) ^     \
     BIT(i, 6, g) ^ BIT(i, 7, h))
#define AT_4(i, ...)                                                                               \
    AT(i, __VA_ARGS__), AT((i) + 1, __VA_ARGS__), AT((i) + 2, __VA_ARGS__), AT((i) + 3, __VA_ARGS__)
#define AT_16(i, ...)                                                                              \
    AT_4(i, __VA_ARGS__), AT_4((i) + 4, __VA_ARGS__), AT_4((i) + 8, __VA_ARGS__),                  \
        AT_4((i) + 12, __VA_ARGS__)
#define AT_64(i, ...)                                                                              \
    AT_16(i, __VA_ARGS__), AT_16((i) + 16, __VA_ARGS__), AT_16((i) + 32, __VA_ARGS__),             \
        AT_16((i) + 48, __VA_ARGS__)
#define TABLE(...)                                                                                 \
    AT_64(0, __VA_ARGS__), AT_64(64, __VA_ARGS__), AT_64(128, __VA_ARGS__), AT_64(192, __VA_ARGS__)

/* clang-format off */
static const uint32_t tables[8][256] = {
    {TABLE(0x77073096, 0xee0e612c, 0x076dc419, 0x0edb8832, 0x1db71064, 0x3b6e20c8, 0x76dc4190, 0xedb88320)},
    {TABLE(0x191b3141, 0x32366282, 0x646cc504, 0xc8d98a08, 0x4ac21251, 0x958424a2, 0xf0794f05, 0x3b83984b)},
    {TABLE(0x01c26a37, 0x0384d46e, 0x0709a8dc, 0x0e1351b8, 0x1c26a370, 0x384d46e0, 0x709a8dc0, 0xe1351b80)},
    {TABLE(0xb8bc6765, 0xaa09c88b, 0x8f629757, 0xc5b428ef, 0x5019579f, 0xa032af3e, 0x9b14583d, 0xed59b63b)},
    {TABLE(0x3d6029b0, 0x7ac05360, 0xf580a6c0, 0x30704bc1, 0x60e09782, 0xc1c12f04, 0x58f35849, 0xb1e6b092)},
    {TABLE(0xcb5cd3a5, 0x4dc8a10b, 0x9b914216, 0xec53826d, 0x03d6029b, 0x07ac0536, 0x0f580a6c, 0x1eb014d8)},
    {TABLE(0xa6770bb4, 0x979f1129, 0xf44f2413, 0x33ef4e67, 0x67de9cce, 0xcfbd399c, 0x440b7579, 0x8816eaf2)},
    {TABLE(0xccaa009e, 0x4225077d, 0x844a0efa, 0xd3e51bb5, 0x7cbb312b, 0xf9766256, 0x299dc2ed, 0x533b85da)},
};
/* clang-format on */

/* `crc` here and below is the register: the CRC inverted. */
static uint32_t by_tables(uint32_t crc, const unsigned char *data, size_t size)
{
    for (; size >= 8; size -= 8, data += 8) {
        uint32_t low, high;
        memcpy(&low, data, 4);
        memcpy(&high, data + 4, 4);
        low ^= crc;
        crc = tables[7][low & 255] ^ tables[6][low >> 8 & 255] ^ tables[5][low >> 16 & 255] ^
              tables[4][low >> 24] ^ tables[3][high & 255] ^ tables[2][high >> 8 & 255] ^
              tables[1][high >> 16 & 255] ^ tables[0][high >> 24];
    }
    for (; size > 0; size--)
        crc = crc >> 8 ^ tables[0][(crc ^ *data++) & 255];
    return crc;
}

#define CARRY_LESS __attribute__((target("pclmul,sse4.1")))

static CARRY_LESS __m128i load(const unsigned char *data)
{
    return _mm_loadu_si128((const __m128i *)(const void *)data);
}

/* x times the two powers in k, plus next: 16 bytes moved forward over a distance. */
static CARRY_LESS __m128i fold(__m128i x, __m128i k, __m128i next)
{
    __m128i low = _mm_clmulepi64_si128(x, k, 0x00), high = _mm_clmulepi64_si128(x, k, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

/* Four lanes of 16 bytes are folded over 64 bytes a step, then into one, then reduced to 32 bits
 * (Gopal et al. 2009, "Fast CRC computation for generic polynomials using PCLMULQDQ"; constants of
 * the reflected polynomial). size: a multiple of 16, at least 64. */
static CARRY_LESS uint32_t by_products(uint32_t crc, const unsigned char *data, size_t size)
{
    const __m128i over_64 = _mm_set_epi64x(0x01c6e41596, 0x0154442bd4);
    const __m128i over_16 = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0);
    const __m128i low_half = _mm_set_epi32(0, -1, 0, -1);
    __m128i x[4];
    for (int i = 0; i < 4; i++)
        x[i] = load(data + 16 * i);
    x[0] = _mm_xor_si128(x[0], _mm_cvtsi32_si128((int)crc));
    for (data += 64, size -= 64; size >= 64; data += 64, size -= 64)
        for (int i = 0; i < 4; i++)
            x[i] = fold(x[i], over_64, load(data + 16 * i));
    __m128i sum = x[0];
    for (int i = 1; i < 4; i++)
        sum = fold(sum, over_16, x[i]);
    for (; size >= 16; data += 16, size -= 16)
        sum = fold(sum, over_16, load(data));

    __m128i high = _mm_clmulepi64_si128(sum, over_16, 0x10);
    sum = _mm_xor_si128(_mm_srli_si128(sum, 8), high);
    high = _mm_srli_si128(sum, 4);
    sum = _mm_clmulepi64_si128(_mm_and_si128(sum, low_half), _mm_set_epi64x(0, 0x0163cd6124), 0x00);
    sum = _mm_xor_si128(sum, high);

    /* Barrett's reduction: the quotient by the polynomial's inverse, then the remainder */
    const __m128i polynomial = _mm_set_epi64x(0x01f7011641, 0x01db710641);
    __m128i quotient = _mm_clmulepi64_si128(_mm_and_si128(sum, low_half), polynomial, 0x10);
    quotient = _mm_clmulepi64_si128(_mm_and_si128(quotient, low_half), polynomial, 0x00);
    return (uint32_t)_mm_extract_epi32(_mm_xor_si128(sum, quotient), 1);
}

uint32_t gb_crc32_portable(uint32_t crc, const void *data, size_t size)
{
    return ~by_tables(~crc, data, size);
}

uint32_t gb_crc32(uint32_t crc, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    uint32_t state = ~crc;
    if (size >= 64 && gb_cpu_get()->carry_less) {
        size_t whole = size & ~(size_t)15;
        state = by_products(state, bytes, whole);
        bytes += whole;
        size -= whole;
    }
    return ~by_tables(state, bytes, size);
}
