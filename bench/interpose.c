/* Counting allocations and locks of each thread. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "interpose.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EXPORT __attribute__((visibility("default")))

static _Thread_local interposed here;
static atomic_long allocations;

interposed interposed_here(void)
{
    return here;
}

long interposed_allocations(void)
{
    return atomic_load(&allocations);
}

/* ---- memory -------------------------------------------------------------------------------------
 */

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *memory);

static void count_allocation(void)
{
    here.allocations++;
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
}

EXPORT void *malloc(size_t size)
{
    count_allocation();
    return __libc_malloc(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
    count_allocation();
    return __libc_calloc(count, size);
}

EXPORT void *realloc(void *memory, size_t size)
{
    count_allocation();
    return __libc_realloc(memory, size);
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
    count_allocation();
    return __libc_memalign(alignment, size);
}

EXPORT int posix_memalign(void **out, size_t alignment, size_t size)
{
    count_allocation();
    void *memory = __libc_memalign(alignment, size);
    if (!memory)
        return ENOMEM;
    *out = memory;
    return 0;
}

EXPORT void free(void *memory)
{
    here.allocations += memory != NULL;
    __libc_free(memory);
}

/* ---- locks --------------------------------------------------------------------------------------
 */

/* The C library's own function of that name, looked up at the first call. A race looks it up twice.
 */
static void *original(_Atomic(void *) *known, const char *name)
{
    void *function = atomic_load_explicit(known, memory_order_relaxed);
    if (!function) {
        function = dlsym(RTLD_NEXT, name);
        atomic_store_explicit(known, function, memory_order_relaxed);
    }
    here.locks++;
    return function;
}

#define TAKE_OVER(name, type)                                                                      \
    EXPORT int name(type *lock)                                                                    \
    {                                                                                              \
        static _Atomic(void *) known;                                                              \
        int (*function)(type *);                                                                   \
        void *found = original(&known, #name);                                                     \
        memcpy(&function, &found, sizeof function);                                                \
        return function(lock);                                                                     \
    }

TAKE_OVER(pthread_mutex_lock, pthread_mutex_t)
TAKE_OVER(pthread_mutex_trylock, pthread_mutex_t)
TAKE_OVER(pthread_rwlock_rdlock, pthread_rwlock_t)
TAKE_OVER(pthread_rwlock_wrlock, pthread_rwlock_t)
TAKE_OVER(pthread_rwlock_tryrdlock, pthread_rwlock_t)
TAKE_OVER(pthread_rwlock_trywrlock, pthread_rwlock_t)

EXPORT int pthread_spin_lock(pthread_spinlock_t *lock)
{
    static _Atomic(void *) known;
    int (*function)(pthread_spinlock_t *);
    void *found = original(&known, "pthread_spin_lock");
    memcpy(&function, &found, sizeof function);
    return function(lock);
}

EXPORT int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
    static _Atomic(void *) known;
    int (*function)(pthread_cond_t *, pthread_mutex_t *);
    void *found = original(&known, "pthread_cond_wait");
    memcpy(&function, &found, sizeof function);
    return function(condition, mutex);
}

EXPORT int pthread_cond_timedwait(pthread_cond_t *condition,
                                  pthread_mutex_t *mutex,
                                  const struct timespec *until)
{
    static _Atomic(void *) known;
    int (*function)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    void *found = original(&known, "pthread_cond_timedwait");
    memcpy(&function, &found, sizeof function);
    return function(condition, mutex, until);
}
