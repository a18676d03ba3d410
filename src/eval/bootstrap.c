/* eval/bootstrap.c: how far a figure would move had other windows or episodes been drawn. The draws
 * are a pure function of the seed. */
#include "genba/eval.h"

#include <math.h>
#include <stdlib.h>

#define LOW_PERCENT 2.5
#define HIGH_PERCENT 97.5

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static gb_status check(int64_t count, int64_t block, int resamples)
{
    if (count < 1 || block < 1 || block > count || resamples < 0)
        return gb_fail(GB_ERR_ARGUMENT,
                       "bootstrap: %lld units in blocks of %lld, %d resamples; expected at least "
                       "one unit, a block of 1 to the number of units, and resamples from 0 on",
                       (long long)count, (long long)block, resamples);
    return GB_OK;
}

static void finish(double value, double *drawn, int resamples, gb_interval *out)
{
    *out = (gb_interval){value, NAN, NAN};
    if (resamples == 0)
        return;
    qsort(drawn, (size_t)resamples, sizeof *drawn, by_value);
    out->low = gb_metric_percentile(drawn, resamples, LOW_PERCENT);
    out->high = gb_metric_percentile(drawn, resamples, HIGH_PERCENT);
}

/* First unit of block number `index` of one resample. */
static int64_t block_start(uint64_t seed, int resample, int64_t index, int64_t count, int64_t block)
{
    uint64_t starts = (uint64_t)(count - block + 1);
    return (int64_t)gb_random_below(seed, (uint64_t)resample, (uint64_t)index, starts);
}

gb_status gb_bootstrap(gb_statistic_fn statistic,
                       const void *context,
                       int64_t count,
                       int64_t block,
                       int resamples,
                       uint64_t seed,
                       gb_interval *out)
{
    GB_TRY(check(count, block, resamples));
    int64_t *units = malloc((size_t)count * sizeof *units);
    double *drawn = malloc(((size_t)resamples + 1) * sizeof *drawn);
    if (!units || !drawn) {
        free(units);
        free(drawn);
        return gb_fail(GB_ERR_MEMORY, "bootstrap: no memory for %lld units", (long long)count);
    }
    for (int64_t i = 0; i < count; i++)
        units[i] = i;
    double value = statistic(context, units, count);
    for (int r = 0; r < resamples; r++) {
        int64_t start = 0;
        for (int64_t i = 0; i < count; i++) {
            if (i % block == 0)
                start = block_start(seed, r, i / block, count, block);
            units[i] = start + i % block;
        }
        drawn[r] = statistic(context, units, count);
    }
    finish(value, drawn, resamples, out);
    free(units);
    free(drawn);
    return GB_OK;
}

gb_status gb_bootstrap_mean(const double *values,
                            int64_t count,
                            int64_t block,
                            int resamples,
                            uint64_t seed,
                            gb_interval *out)
{
    GB_TRY(check(count, block, resamples));
    double *sums = malloc(((size_t)count + 1) * sizeof *sums); /* sums[i] = values 0 .. i-1 */
    double *drawn = malloc(((size_t)resamples + 1) * sizeof *drawn);
    if (!sums || !drawn) {
        free(sums);
        free(drawn);
        return gb_fail(GB_ERR_MEMORY, "bootstrap: no memory for %lld values", (long long)count);
    }
    sums[0] = 0.0;
    for (int64_t i = 0; i < count; i++)
        sums[i + 1] = sums[i] + values[i];
    for (int r = 0; r < resamples; r++) {
        double sum = 0.0;
        for (int64_t i = 0; i < count; i += block) {
            int64_t start = block_start(seed, r, i / block, count, block);
            int64_t length = block < count - i ? block : count - i;
            sum += sums[start + length] - sums[start];
        }
        drawn[r] = sum / (double)count;
    }
    finish(sums[count] / (double)count, drawn, resamples, out);
    free(sums);
    free(drawn);
    return GB_OK;
}
