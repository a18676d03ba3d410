/* Cutting an operation's work into parts by its shape alone. */
#include "tensor/graph.h"

#define PART_ELEMENTS 16384

typedef struct ranges {
    const gb_run *run;
    gb_range_fn fn;
    int64_t count, step;
} ranges;

static void run_one(void *context, int64_t part, int thread)
{
    const ranges *r = context;
    int64_t begin = part * r->step, end = begin + r->step;
    r->fn(r->run, begin, end < r->count ? end : r->count, thread);
}

void gb_run_ranges(const gb_run *run, int64_t count, int64_t item_elements, gb_range_fn fn)
{
    int64_t item = item_elements > 0 ? item_elements : 1;
    int64_t step = item >= PART_ELEMENTS ? 1 : PART_ELEMENTS / item;
    ranges r = {run, fn, count, step};
    gb_pool_run(run->pool, run_one, &r, (count + step - 1) / step);
}
