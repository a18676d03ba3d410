/* The usual step between rows, from a bounded even sample of all steps. */
#include "ingest/steps.h"

#include <stdlib.h>

void gb_steps_add(gb_steps *steps, int64_t step_ns)
{
    if (step_ns > steps->longest_ns)
        steps->longest_ns = step_ns;
    if (steps->every == 0)
        steps->every = 1;
    if (steps->seen++ % steps->every != 0)
        return;
    if (steps->count == GB_STEPS_KEPT) {
        steps->count = GB_STEPS_KEPT / 2;
        for (int64_t i = 0; i < steps->count; i++)
            steps->kept[i] = steps->kept[2 * i];
        steps->every *= 2;
    }
    if (steps->count == steps->room) {
        int64_t room = steps->room ? 2 * steps->room : 64;
        int64_t *grown = realloc(steps->kept, (size_t)room * sizeof *grown);
        if (!grown)
            return;
        steps->kept = grown;
        steps->room = room;
    }
    steps->kept[steps->count++] = step_ns;
}

static int compare_steps(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int64_t distance(int64_t a, int64_t b)
{
    uint64_t d = a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a;
    return d > INT64_MAX ? INT64_MAX : (int64_t)d;
}

void gb_steps_report(gb_steps *steps, gb_ingest_report *report)
{
    if (steps->count == 0)
        return;
    size_t count = (size_t)steps->count;
    qsort(steps->kept, count, sizeof *steps->kept, compare_steps);
    int64_t median = steps->kept[count / 2];
    report->period_ns = median > 0 ? median : 0;
    for (size_t i = 0; i < count; i++)
        steps->kept[i] = distance(steps->kept[i], median);
    qsort(steps->kept, count, sizeof *steps->kept, compare_steps);
    report->jitter_ns = steps->kept[count / 2];
    if (steps->longest_ns > report->longest_step_ns)
        report->longest_step_ns = steps->longest_ns;
}

void gb_steps_free(gb_steps *steps)
{
    free(steps->kept);
    *steps = (gb_steps){0};
}
