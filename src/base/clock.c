/* Two clocks: one that only moves forward, for durations; one that people read, for stamps. */
#include <time.h>

#include "genba/base.h"

static int64_t read_clock(clockid_t clock)
{
    struct timespec now = {0};
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t gb_clock_monotonic_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t gb_clock_wall_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}
