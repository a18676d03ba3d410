/* interpose.h: counts what a control loop must not do, thread by thread: the C library's allocation
 * and locking functions are taken over in the program that links interpose.c. Locks inside the C
 * library itself are not seen. */
#ifndef GENBA_BENCH_INTERPOSE_H
#define GENBA_BENCH_INTERPOSE_H

typedef struct interposed {
    long allocations; /* malloc, calloc, realloc, aligned_alloc, posix_memalign, free */
    long locks;       /* mutexes, read-write locks, condition variables, spin locks */
} interposed;

/* Of the calling thread so far. */
interposed interposed_here(void);
/* Allocations of all threads so far (without free). */
long interposed_allocations(void);

#endif
