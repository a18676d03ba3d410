/* plant/pusht_reset.c: the start positions of the published PushT evaluation, number for number.
 * They were drawn with NumPy's RandomState, so this file holds that generator: MT19937 (Matsumoto
 * and Nishimura 1998), integers by masked rejection, normals by the polar method. Nothing else in
 * genba may use it: everything new takes the counter-based generator of the base room. */
#include "plant/pusht.h"

#include <math.h>

#define MT_SIZE 624
#define MT_MIDDLE 397

typedef struct mt19937 {
    uint32_t words[MT_SIZE];
    int next;
} mt19937;

static void mt_seed(mt19937 *mt, uint32_t seed)
{
    mt->words[0] = seed;
    for (uint32_t i = 1; i < MT_SIZE; i++) {
        uint32_t previous = mt->words[i - 1];
        mt->words[i] = 1812433253u * (previous ^ (previous >> 30)) + i;
    }
    mt->next = MT_SIZE;
}

static void mt_refill(mt19937 *mt)
{
    for (int i = 0; i < MT_SIZE; i++) {
        uint32_t mixed =
            (mt->words[i] & 0x80000000u) | (mt->words[(i + 1) % MT_SIZE] & 0x7fffffffu);
        uint32_t twist = mixed & 1u ? 0x9908b0dfu : 0u;
        mt->words[i] = mt->words[(i + MT_MIDDLE) % MT_SIZE] ^ (mixed >> 1) ^ twist;
    }
    mt->next = 0;
}

static uint32_t mt_u32(mt19937 *mt)
{
    if (mt->next == MT_SIZE)
        mt_refill(mt);
    uint32_t y = mt->words[mt->next++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
}

/* Uniform in [0, 1) with 53 bits. */
static double mt_double(mt19937 *mt)
{
    uint32_t high = mt_u32(mt) >> 5;
    uint32_t low = mt_u32(mt) >> 6;
    return ((double)high * 67108864.0 + (double)low) / 9007199254740992.0;
}

/* Uniform integer in [low, end): draws are masked to the next power of two and refused until one
 * falls inside. */
static double mt_integer(mt19937 *mt, uint32_t low, uint32_t end)
{
    uint32_t most = end - low - 1;
    uint32_t mask = most;
    for (int shift = 1; shift < 32; shift *= 2)
        mask |= mask >> shift;
    uint32_t value = mt_u32(mt) & mask;
    while (value > most)
        value = mt_u32(mt) & mask;
    return (double)(low + value);
}

/* The first of the pair that the polar method makes; it is the one from the second uniform. */
static double mt_normal(mt19937 *mt)
{
    double x1, x2, r2;
    do {
        x1 = 2.0 * mt_double(mt) - 1.0;
        x2 = 2.0 * mt_double(mt) - 1.0;
        r2 = x1 * x1 + x2 * x2;
    } while (r2 >= 1.0 || r2 == 0.0);
    return x2 * sqrt(-2.0 * log(r2) / r2);
}

gb_pusht_start gb_pusht_legacy_start(uint32_t seed)
{
    const double pi = 3.14159265358979323846;
    mt19937 mt;
    mt_seed(&mt, seed);
    gb_pusht_start start;
    start.agent_x_px = mt_integer(&mt, 50, 450);
    start.agent_y_px = mt_integer(&mt, 50, 450);
    start.block_x_px = mt_integer(&mt, 100, 400);
    start.block_y_px = mt_integer(&mt, 100, 400);
    start.angle_rad = mt_normal(&mt) * 2.0 * pi - pi;
    return start;
}
