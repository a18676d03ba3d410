/* Sampling without replacement and without memory: a keyed permutation instead of a shuffled list.
 * Not for reading windows (trainer.c does, in parallel). */
#include "train/sampler.h"

enum {
    ROUNDS = 8,
    STREAM_SOURCE = 101,
    STREAM_SYMMETRY = 102,
    STREAM_ORDER = 1000 /* + source */
};

/* The finaliser of splitmix64 (Steele et al. 2014): every input bit moves every output bit. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

static uint64_t feistel(uint64_t key, uint64_t value, int half_bits)
{
    uint64_t mask = (UINT64_C(1) << half_bits) - 1;
    uint64_t left = value >> half_bits, right = value & mask;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        uint64_t next = left ^ (mix(key + round * 0x9E3779B97F4A7C15u + right) & mask);
        left = right;
        right = next;
    }
    return left << half_bits | right;
}

/* Luby, Rackoff 1988: rounds of any function make a permutation of [0, 4^h); walking on from a
 * place outside [0, count) ends inside and is again a permutation (Black, Rogaway 2002). */
uint64_t gb_shuffled(uint64_t key, uint64_t index, uint64_t count)
{
    if (count <= 1)
        return 0;
    int half_bits = 1;
    while (half_bits < 31 && (UINT64_C(1) << (2 * half_bits)) < count)
        half_bits++;
    uint64_t place = index;
    do
        place = feistel(key, place, half_bits);
    while (place >= count);
    return place;
}

gb_status gb_sampler_init(gb_sampler *sampler,
                          gb_arena *arena,
                          uint64_t seed,
                          int source_count,
                          const double *weights,
                          const int64_t *counts,
                          int symmetries)
{
    *sampler = (gb_sampler){.seed = seed, .source_count = source_count, .symmetries = symmetries};
    size_t n = (size_t)source_count;
    sampler->share = gb_arena_alloc(arena, n * sizeof(double));
    sampler->count = gb_arena_alloc(arena, n * sizeof(int64_t));
    sampler->drawn = gb_arena_alloc(arena, n * sizeof(int64_t));
    if (!sampler->share || !sampler->count || !sampler->drawn)
        return GB_ERR_MEMORY;
    double sum = 0.0, total = 0.0;
    for (int i = 0; i < source_count; i++)
        total += weights[i];
    for (int i = 0; i < source_count; i++) {
        sum += weights[i];
        sampler->share[i] = sum / total;
        sampler->count[i] = counts[i];
    }
    return GB_OK;
}

static int choose_source(const gb_sampler *sampler, uint64_t number)
{
    double u = gb_random_uniform(sampler->seed, STREAM_SOURCE, number);
    int source = 0;
    while (source < sampler->source_count - 1 && u >= sampler->share[source])
        source++;
    return source;
}

void gb_sampler_draw(gb_sampler *sampler, int64_t step, int64_t batch, gb_draw *draws)
{
    for (int64_t row = 0; row < batch; row++) {
        uint64_t number = (uint64_t)(step * batch + row);
        gb_draw *draw = &draws[row];
        draw->source = sampler->source_count > 1 ? choose_source(sampler, number) : 0;
        draw->turn = sampler->drawn[draw->source]++;
        draw->symmetry = sampler->symmetries == 0
                             ? 0
                             : (int)gb_random_below(sampler->seed, STREAM_SYMMETRY, number,
                                                    (uint64_t)sampler->symmetries + 1);
    }
}

int64_t gb_sampler_example(const gb_sampler *sampler, const gb_draw *draw)
{
    int64_t count = sampler->count[draw->source];
    uint64_t epoch = (uint64_t)(draw->turn / count), place = (uint64_t)(draw->turn % count);
    uint64_t key = gb_random_u64(sampler->seed, STREAM_ORDER + (uint64_t)draw->source, epoch);
    return (int64_t)gb_shuffled(key, place, (uint64_t)count);
}
