/* control/realtime.c: SCHED_FIFO, locked memory, cores, touched stacks and sleeping to absolute
 * times, on Linux. Nothing here knows what the threads do. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "control/realtime.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#define STACK_BYTES (128 * 1024)

bool gb_realtime_lock_memory(char note[GB_REALTIME_NOTE])
{
    if (mlockall(MCL_CURRENT | MCL_FUTURE) == 0)
        return true;
    snprintf(note, GB_REALTIME_NOTE,
             "locking memory was refused (%s): a page fault may delay the servo; raise `ulimit -l` "
             "(limits.conf: memlock) or grant CAP_IPC_LOCK",
             strerror(errno));
    return false;
}

void gb_realtime_unlock_memory(void)
{
    munlockall();
}

bool gb_realtime_fifo(const char *who, int priority, char note[GB_REALTIME_NOTE])
{
    struct sched_param parameters = {.sched_priority = priority};
    int failure = pthread_setschedparam(pthread_self(), SCHED_FIFO, &parameters);
    if (failure == 0)
        return true;
    snprintf(note, GB_REALTIME_NOTE,
             "SCHED_FIFO %d was refused (%s): the %s runs at normal priority and wakes late under "
             "load; raise `ulimit -r` (limits.conf: rtprio) or grant CAP_SYS_NICE",
             priority, strerror(failure), who);
    return false;
}

bool gb_realtime_pin(const char *who, int core, char note[GB_REALTIME_NOTE])
{
    cpu_set_t set;
    CPU_ZERO(&set);
    int failure = EINVAL;
    if (core < CPU_SETSIZE) {
        CPU_SET((size_t)core, &set);
        failure = pthread_setaffinity_np(pthread_self(), sizeof set, &set);
    }
    if (failure == 0)
        return true;
    snprintf(note, GB_REALTIME_NOTE,
             "core %d was refused for the %s (%s): it runs wherever the system puts it; choose one "
             "of the cores that `nproc` and taskset allow",
             core, who, strerror(failure));
    return false;
}

void gb_realtime_prefault_stack(void)
{
    volatile unsigned char stack[STACK_BYTES];
    for (size_t i = 0; i < sizeof stack; i += 1024)
        stack[i] = 0;
}

int64_t gb_realtime_major_faults(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_majflt : 0;
}

void gb_realtime_sleep_until(int64_t time_ns)
{
    struct timespec until = {.tv_sec = time_ns / 1000000000, .tv_nsec = time_ns % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        ;
}
