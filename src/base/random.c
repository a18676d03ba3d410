/* Counter-based random numbers: the number at an index is a pure function of (seed, stream, index).
 * Block index/4 of a stream is one Philox call; the loops below work on many blocks at a time and
 * give the same bits as asking for one number. Not for keys or passwords. */
#include <math.h>
#include <string.h>

#include "base/philox.h"
#include "genba/base.h"

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF /* one number and a filled row must agree to the bit */
#endif

enum {
    BLOCKS = 64
};

/* words[k][j] is word k of block first_block + j. */
static void make_blocks(
    uint64_t seed, uint64_t stream, uint64_t first_block, int count, uint32_t words[4][BLOCKS])
{
    uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);
    for (int j = 0; j < count; j++) {
        uint64_t block = first_block + (uint64_t)j;
        words[0][j] = (uint32_t)block;
        words[1][j] = (uint32_t)(block >> 32);
        words[2][j] = (uint32_t)stream;
        words[3][j] = (uint32_t)(stream >> 32);
    }
    for (int j = 0; j < count; j++)
        gb_philox(key0, key1, &words[0][j], &words[1][j], &words[2][j], &words[3][j]);
}

static inline float to_uniform(uint32_t word)
{
    return (float)(int32_t)(word >> 8) * 0x1p-24f;
}

static inline float from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t to_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Natural logarithm of x in [2^-32, 1]: x = 2^k m with m in [sqrt(1/2), sqrt(2)), and with
 * s = (m-1)/(m+1): log m = 2 (s + s^3/3 + s^5/5 + ...). Relative error below 3e-7. */
static inline float log_unit(float x)
{
    int32_t shifted = (int32_t)(to_bits(x) - 0x3F3504F3u);
    int32_t k = shifted >> 23;
    float m = from_bits(((uint32_t)shifted & 0x7FFFFFu) + 0x3F3504F3u);
    float s = (m - 1.0f) / (m + 1.0f), z = s * s;
    float series = 1.0f + z * (1.0f / 3 + z * (1.0f / 5 + z * (1.0f / 7 + z * (1.0f / 9))));
    return (float)k * 0.693147181f + 2.0f * s * series;
}

/* Box-Muller: radius sqrt(-2 log u) and a random direction give two independent normals. u has its
 * finest steps near 0, so that values up to 6.6 sigma occur. The direction is a quarter turn
 * (2 bits) and a rest in [-1/8, 1/8) turns, on which Taylor series are exact to float precision. */
static inline void to_normals(uint32_t word0, uint32_t word1, float *first, float *second)
{
    float u = ((float)(int32_t)(word0 >> 1) + 0.5f) * 0x1p-31f;
    float square = -2.0f * log_unit(u);
    float radius = sqrtf(square > 0.0f ? square : 0.0f);
    uint32_t quarter = (word1 + 0x20000000u) >> 30;
    float x = (float)(int32_t)(word1 - (quarter << 30)) * (1.57079633f * 0x1p-30f), z = x * x;
    float sine =
        x * (1.0f - z * (1.0f / 6 - z * (1.0f / 120 - z * (1.0f / 5040 - z * (1.0f / 362880)))));
    float cosine =
        1.0f -
        z * (0.5f - z * (1.0f / 24 - z * (1.0f / 720 - z * (1.0f / 40320 - z * (1.0f / 3628800)))));
    uint32_t swap = 0u - (quarter & 1u);
    uint32_t sine_bits = to_bits(sine), cosine_bits = to_bits(cosine);
    uint32_t across = (cosine_bits & ~swap) | (sine_bits & swap);
    uint32_t along = (sine_bits & ~swap) | (cosine_bits & swap);
    across ^= ((quarter + 1u) & 2u) << 30;
    along ^= (quarter & 2u) << 30;
    *first = radius * from_bits(across);
    *second = radius * from_bits(along);
}

static void block_uniform(uint32_t words[4][BLOCKS], int count, float *values)
{
    for (int j = 0; j < count; j++)
        for (int k = 0; k < 4; k++)
            values[4 * j + k] = to_uniform(words[k][j]);
}

static void block_normal(uint32_t words[4][BLOCKS], int count, float *values)
{
    float rows[4][BLOCKS];
    for (int j = 0; j < count; j++)
        to_normals(words[0][j], words[1][j], &rows[0][j], &rows[1][j]);
    for (int j = 0; j < count; j++)
        to_normals(words[2][j], words[3][j], &rows[2][j], &rows[3][j]);
    for (int j = 0; j < count; j++)
        for (int k = 0; k < 4; k++)
            values[4 * j + k] = rows[k][j];
}

typedef void (*block_fn)(uint32_t words[4][BLOCKS], int count, float *values);

/* Whole blocks go straight into `values`; a first and last block that is cut goes by way of a
 * small buffer. */
static void
fill(block_fn convert, uint64_t seed, uint64_t stream, uint64_t first, float *values, size_t count)
{
    uint32_t words[4][BLOCKS];
    float buffer[4];
    while (count > 0) {
        uint64_t block = first / 4;
        size_t skip = (size_t)(first % 4), step = 0;
        if (skip > 0 || count < 4) {
            make_blocks(seed, stream, block, 1, words);
            convert(words, 1, buffer);
            step = 4 - skip < count ? 4 - skip : count;
            memcpy(values, buffer + skip, step * sizeof *values);
        } else {
            size_t blocks = count / 4 < BLOCKS ? count / 4 : BLOCKS;
            make_blocks(seed, stream, block, (int)blocks, words);
            convert(words, (int)blocks, values);
            step = 4 * blocks;
        }
        values += step;
        first += step;
        count -= step;
    }
}

void gb_random_fill_uniform(
    uint64_t seed, uint64_t stream, uint64_t first, float *values, size_t count)
{
    fill(block_uniform, seed, stream, first, values, count);
}

void gb_random_fill_normal(
    uint64_t seed, uint64_t stream, uint64_t first, float *values, size_t count)
{
    fill(block_normal, seed, stream, first, values, count);
}

static void one_block(uint64_t seed, uint64_t stream, uint64_t block, uint32_t words[4])
{
    words[0] = (uint32_t)block;
    words[1] = (uint32_t)(block >> 32);
    words[2] = (uint32_t)stream;
    words[3] = (uint32_t)(stream >> 32);
    gb_philox((uint32_t)seed, (uint32_t)(seed >> 32), words, words + 1, words + 2, words + 3);
}

uint32_t gb_random_u32(uint64_t seed, uint64_t stream, uint64_t index)
{
    uint32_t words[4];
    one_block(seed, stream, index / 4, words);
    return words[index % 4];
}

uint64_t gb_random_u64(uint64_t seed, uint64_t stream, uint64_t index)
{
    uint32_t words[4];
    one_block(seed, stream, index / 2, words);
    const uint32_t *pair = words + 2 * (index % 2);
    return (uint64_t)pair[1] << 32 | pair[0];
}

float gb_random_uniform(uint64_t seed, uint64_t stream, uint64_t index)
{
    return to_uniform(gb_random_u32(seed, stream, index));
}

float gb_random_normal(uint64_t seed, uint64_t stream, uint64_t index)
{
    uint32_t words[4];
    one_block(seed, stream, index / 4, words);
    const uint32_t *pair = words + (index % 4 & 2);
    float first, second;
    to_normals(pair[0], pair[1], &first, &second);
    return index % 2 == 0 ? first : second;
}

uint64_t gb_random_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t bound)
{
    __extension__ typedef unsigned __int128 wide;
    return (uint64_t)((wide)gb_random_u64(seed, stream, index) * bound >> 64);
}
