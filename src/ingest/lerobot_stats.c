/* Statistics as LeRobot keeps them: of each value over an episode, and over all episodes. Quantiles
 * of an episode are exact (linear between the nearest two, as NumPy's); those of all episodes are
 * their mean weighted by length, which is how LeRobot itself puts episodes together. */
#include "ingest/lerobot_write.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const gb_lerobot_stat_names[GB_LEROBOT_STATS] = {"min", "max", "mean", "std", "q01",
                                                             "q10", "q50", "q90",  "q99"};
enum {
    MIN,
    MAX,
    MEAN,
    STD,
    QUANTILES
};
static const double quantiles[] = {0.01, 0.10, 0.50, 0.90, 0.99};
#define QUANTILE_COUNT 5

gb_status gb_lerobot_stats_room(gb_arena *arena, gb_lerobot_column *c)
{
    size_t bytes = GB_LEROBOT_STATS * (size_t)c->size * sizeof(double);
    c->episode.values = gb_arena_alloc(arena, bytes);
    c->all.values = gb_arena_alloc(arena, bytes);
    c->spread = gb_arena_alloc(arena, (size_t)c->size * sizeof(double));
    c->episode.size = c->all.size = c->size;
    return c->episode.values && c->all.values && c->spread ? GB_OK : GB_ERR_MEMORY;
}

static double *at(const gb_lerobot_stats *stats, int stat, int64_t value)
{
    return &stats->values[stat * stats->size + value];
}

static double number(gb_value_type type, const void *values, int64_t i)
{
    switch (type) {
    case GB_VALUE_F32:
        return (double)((const float *)values)[i];
    case GB_VALUE_F64:
        return ((const double *)values)[i];
    case GB_VALUE_I8:
        return ((const int8_t *)values)[i];
    case GB_VALUE_U8:
        return ((const uint8_t *)values)[i];
    case GB_VALUE_I16:
        return ((const int16_t *)values)[i];
    case GB_VALUE_U16:
        return ((const uint16_t *)values)[i];
    case GB_VALUE_I32:
        return ((const int32_t *)values)[i];
    case GB_VALUE_U32:
        return ((const uint32_t *)values)[i];
    case GB_VALUE_I64:
        return (double)((const int64_t *)values)[i];
    case GB_VALUE_U64:
        return (double)((const uint64_t *)values)[i];
    default:
        return NAN;
    }
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* `sorted` holds the values that are numbers. */
static void
measure_one(const double *sorted, int64_t count, const gb_lerobot_stats *to, int64_t value)
{
    double sum = 0, squares = 0;
    if (count == 0) {
        for (int s = 0; s < GB_LEROBOT_STATS; s++)
            *at(to, s, value) = NAN;
        return;
    }
    for (int64_t i = 0; i < count; i++)
        sum += sorted[i];
    double mean = sum / (double)count;
    for (int64_t i = 0; i < count; i++)
        squares += (sorted[i] - mean) * (sorted[i] - mean);
    *at(to, MIN, value) = sorted[0];
    *at(to, MAX, value) = sorted[count - 1];
    *at(to, MEAN, value) = mean;
    *at(to, STD, value) = sqrt(squares / (double)count);
    for (int q = 0; q < QUANTILE_COUNT; q++) {
        double place = quantiles[q] * (double)(count - 1);
        int64_t below = (int64_t)place, above = below + 1 < count ? below + 1 : below;
        double part = place - (double)below;
        *at(to, QUANTILES + q, value) = sorted[below] + part * (sorted[above] - sorted[below]);
    }
}

gb_status
gb_lerobot_measure(gb_lerobot_column *c, gb_value_type type, const void *values, int64_t rows)
{
    double *sorted = malloc(((size_t)rows + 1) * sizeof *sorted);
    if (!sorted)
        return gb_fail(GB_ERR_MEMORY, "no memory for the statistics of %s", c->name);
    for (int64_t v = 0; v < c->size; v++) {
        int64_t count = 0;
        for (int64_t r = 0; r < rows; r++) {
            double x = number(type, values, r * c->size + v);
            if (isfinite(x))
                sorted[count++] = x;
        }
        qsort(sorted, (size_t)count, sizeof *sorted, by_size);
        measure_one(sorted, count, &c->episode, v);
    }
    c->episode.count = rows;
    free(sorted);
    return GB_OK;
}

/* Chan, Golub, LeVeque: means and squares of two sets to those of both. */
void gb_lerobot_add_stats(gb_lerobot_column *c)
{
    const gb_lerobot_stats *new = &c->episode, *all = &c->all;
    double n = (double)new->count, old = (double)all->count, sum = n + old;
    for (int64_t v = 0; v < c->size && n > 0; v++) {
        double mean = *at(new, MEAN, v), sigma = *at(new, STD, v), d = mean - *at(all, MEAN, v);
        bool first = old == 0 || isnan(*at(all, MEAN, v));
        if (isnan(mean))
            continue;
        if (first) {
            for (int s = 0; s < GB_LEROBOT_STATS; s++)
                *at(all, s, v) = *at(new, s, v);
            c->spread[v] = sigma * sigma * n;
            continue;
        }
        *at(all, MIN, v) = fmin(*at(all, MIN, v), *at(new, MIN, v));
        *at(all, MAX, v) = fmax(*at(all, MAX, v), *at(new, MAX, v));
        *at(all, MEAN, v) += d * n / sum;
        c->spread[v] += sigma * sigma * n + d * d * old * n / sum;
        *at(all, STD, v) = sqrt(c->spread[v] / sum);
        for (int q = QUANTILES; q < GB_LEROBOT_STATS; q++)
            *at(all, q, v) += (*at(new, q, v) - *at(all, q, v)) * n / sum;
    }
    c->all.count += new->count;
}

/* ---- pictures ---------------------------------------------------------------------------------
 * Of the 256 levels of each colour, how often each came: exact, and small. */

struct gb_lerobot_colours {
    uint64_t count[3][256];
    int64_t pictures;
};

gb_status gb_lerobot_colours_create(gb_lerobot_colours **out)
{
    *out = calloc(1, sizeof **out);
    return *out ? GB_OK : gb_fail(GB_ERR_MEMORY, "no memory for the statistics of pictures");
}

void gb_lerobot_colours_destroy(gb_lerobot_colours *colours)
{
    free(colours);
}

/* Large pictures are thinned to about 150 pixels on their longer side, as LeRobot does. */
void gb_lerobot_colours_add(gb_lerobot_colours *colours,
                            const unsigned char *rgb,
                            int64_t width,
                            int64_t height)
{
    int64_t longer = width > height ? width : height, step = longer < 300 ? 1 : longer / 150;
    for (int64_t y = 0; y < height; y += step)
        for (int64_t x = 0; x < width; x += step)
            for (int c = 0; c < 3; c++)
                colours->count[c][rgb[3 * (y * width + x) + c]]++;
    colours->pictures++;
}

/* The level of rank `rank` (from 0) of those counted. */
static double level_of(const uint64_t count[256], uint64_t rank)
{
    uint64_t seen = 0;
    for (int level = 0; level < 256; level++) {
        seen += count[level];
        if (seen > rank)
            return level;
    }
    return 255;
}

static void measure_colour(const uint64_t count[256], const gb_lerobot_stats *to, int64_t value)
{
    double sum = 0, squares = 0;
    uint64_t all = 0;
    for (int level = 0; level < 256; level++) {
        all += count[level];
        sum += (double)count[level] * level;
    }
    double mean = all > 0 ? sum / (double)all : 0;
    for (int level = 0; level < 256; level++)
        squares += (double)count[level] * (level - mean) * (level - mean);
    uint64_t last = all > 0 ? all - 1 : 0;
    *at(to, MIN, value) = level_of(count, 0) / 255;
    *at(to, MAX, value) = level_of(count, last) / 255;
    *at(to, MEAN, value) = mean / 255;
    *at(to, STD, value) = all > 0 ? sqrt(squares / (double)all) / 255 : 0;
    for (int q = 0; q < QUANTILE_COUNT; q++) {
        double place = quantiles[q] * (double)last, below = floor(place);
        double low = level_of(count, (uint64_t)below);
        double high = level_of(count, (uint64_t)below + (below < (double)last));
        *at(to, QUANTILES + q, value) = (low + (place - below) * (high - low)) / 255;
    }
}

void gb_lerobot_colours_end(gb_lerobot_colours *colours, gb_lerobot_column *c)
{
    for (int v = 0; v < 3; v++)
        measure_colour(colours->count[v], &c->episode, v);
    c->episode.count = colours->pictures;
}
