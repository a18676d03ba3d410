/* control/timing.c: a histogram whose cells grow with the time: below 4096 ns one cell for each,
 * then 2048 cells for every doubling (as in Gil Tene's HdrHistogram). No clock is read here. */
#include "control/timing.h"

#include <stdlib.h>
#include <string.h>

enum {
    FINE_BITS = 11, /* 2^11 cells for a doubling */
    FINE = 1 << FINE_BITS,
    DOUBLINGS = 22, /* up to 2^(12 + 22) ns, 17 s */
    CELLS = 2 * FINE + DOUBLINGS * FINE
};

struct gb_histogram {
    int64_t count, max_ns;
    int64_t cells[CELLS]; /* 32 bits would be full after seven weeks at 1 kHz */
};

gb_status gb_histogram_create(gb_histogram **out)
{
    gb_histogram *histogram = malloc(sizeof *histogram);
    if (!histogram)
        return gb_fail(GB_ERR_MEMORY, "control: no memory for a histogram of times");
    memset(histogram, 0, sizeof *histogram);
    *out = histogram;
    return GB_OK;
}

void gb_histogram_destroy(gb_histogram *histogram)
{
    free(histogram);
}

/* Times below 2 FINE have their own cell; above, the leading FINE_BITS + 1 bits choose it. */
static int cell_of(int64_t time_ns)
{
    if (time_ns < 2 * FINE)
        return (int)time_ns;
    int shift = 63 - __builtin_clzll((uint64_t)time_ns) - FINE_BITS;
    int cell = shift * FINE + (int)(time_ns >> shift);
    return cell < CELLS ? cell : CELLS - 1;
}

/* The middle of a cell. */
static double time_of(int cell)
{
    if (cell < 2 * FINE)
        return cell;
    int shift = cell / FINE - 1;
    double width = (double)(INT64_C(1) << shift);
    return (double)((int64_t)(cell - shift * FINE) << shift) + 0.5 * (width - 1.0);
}

void gb_histogram_add(gb_histogram *histogram, int64_t time_ns)
{
    if (time_ns < 0)
        time_ns = 0;
    histogram->count++;
    histogram->cells[cell_of(time_ns)]++;
    if (time_ns > histogram->max_ns)
        histogram->max_ns = time_ns;
}

/* The smallest time that `thousandths` of all do not exceed. */
static double percentile(const gb_histogram *histogram, int64_t thousandths)
{
    int64_t rank = (histogram->count * thousandths + 999) / 1000, below = 0;
    for (int cell = 0; cell < CELLS; cell++) {
        below += histogram->cells[cell];
        if (below >= rank)
            return time_of(cell) < (double)histogram->max_ns ? time_of(cell)
                                                             : (double)histogram->max_ns;
    }
    return (double)histogram->max_ns;
}

void gb_histogram_read(const gb_histogram *histogram, gb_timing *out)
{
    *out = (gb_timing){.count = histogram->count};
    if (histogram->count == 0)
        return;
    out->p50_ns = percentile(histogram, 500);
    out->p99_ns = percentile(histogram, 990);
    out->p999_ns = percentile(histogram, 999);
    out->max_ns = (double)histogram->max_ns;
}
