/* The thread pool: one job at a time, its parts handed out one by one to whoever is free.
 * Not a scheduler: no queue, no nesting, no priorities.
 *
 * A job is published by storing its number of parts in `remaining`. Whoever takes a part by
 * decrementing it to a value that was positive owns that part, and the job cannot end before the
 * part is done: so fields of `job` are read only after taking a part, and are never written while
 * someone may read them. A worker that comes late therefore either takes a part of whatever job is
 * current, which is right, or finds nothing. */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "genba/base.h"

enum {
    THREADS_LIMIT = 256,
    CACHE_LINE = 64,
    SPIN_NS = 50000,
    SPIN_BATCH = 64
};

typedef struct pool_job {
    gb_part_fn fn;
    void *context;
    int64_t parts;
    uint32_t number;
} pool_job;

typedef struct pool_worker {
    gb_pool *pool;
    pthread_t thread;
    int index; /* 1.. */
    int core;  /* where it is pinned; -1: anywhere */
} pool_worker;

struct gb_pool {
    _Alignas(CACHE_LINE) pool_job job;
    _Alignas(CACHE_LINE) atomic_int_fast64_t remaining; /* <= 0: nothing to take */
    _Alignas(CACHE_LINE) atomic_int_fast64_t done;
    _Alignas(CACHE_LINE) atomic_uint published; /* futex: number of the newest job */
    atomic_int parked;                          /* workers that sleep on `published` */
    _Alignas(CACHE_LINE) atomic_uint finished;  /* futex: number of the newest finished job */
    atomic_int caller_parked;
    _Alignas(CACHE_LINE) atomic_bool stop;
    bool spin;
    int free_core; /* the core that no worker is pinned to: the caller's; -1: workers are not pinned
                    */
    int threads;
    pool_worker *workers; /* [threads]; 0 is the caller and stays empty */
};

static void futex_wait(atomic_uint *word, unsigned value)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(atomic_uint *word, int count)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

static inline void relax(void)
{
    __builtin_ia32_pause();
}

/* Spins until *word is no longer `old`, for at most SPIN_NS. */
static bool spin_until_changed(const gb_pool *pool, atomic_uint *word, unsigned old)
{
    if (atomic_load_explicit(word, memory_order_acquire) != old)
        return true;
    if (!pool->spin)
        return false;
    int64_t until = gb_clock_monotonic_ns() + SPIN_NS;
    do {
        for (int i = 0; i < SPIN_BATCH; i++) {
            if (atomic_load_explicit(word, memory_order_acquire) != old)
                return true;
            relax();
        }
    } while (gb_clock_monotonic_ns() < until);
    return false;
}

/* Runs parts until none is left; true when this thread finished the job's last part. */
static bool run_parts(gb_pool *pool, int thread, uint32_t *out_number)
{
    int64_t count = 0, parts = 0;
    while (atomic_load_explicit(&pool->remaining, memory_order_relaxed) > 0) {
        int64_t left = atomic_fetch_sub_explicit(&pool->remaining, 1, memory_order_acquire);
        if (left <= 0)
            break;
        parts = pool->job.parts;
        *out_number = pool->job.number;
        pool->job.fn(pool->job.context, parts - left, thread);
        count++;
        if (left == 1)
            break;
    }
    if (count == 0)
        return false;
    return atomic_fetch_add_explicit(&pool->done, count, memory_order_acq_rel) + count == parts;
}

static void *work(void *argument)
{
    pool_worker *worker = argument;
    gb_pool *pool = worker->pool;
    unsigned seen = 0;
    while (!atomic_load(&pool->stop)) {
        if (!spin_until_changed(pool, &pool->published, seen)) {
            atomic_fetch_add(&pool->parked, 1);
            while (atomic_load(&pool->published) == seen)
                futex_wait(&pool->published, seen);
            atomic_fetch_sub(&pool->parked, 1);
        }
        seen = atomic_load(&pool->published);
        uint32_t number = 0;
        if (run_parts(pool, worker->index, &number)) {
            atomic_store(&pool->finished, number);
            if (atomic_load(&pool->caller_parked) != 0)
                futex_wake(&pool->finished, 1);
        }
    }
    return NULL;
}

static void wait_finished(gb_pool *pool, unsigned before)
{
    if (spin_until_changed(pool, &pool->finished, before))
        return;
    atomic_store(&pool->caller_parked, 1);
    while (atomic_load(&pool->finished) == before)
        futex_wait(&pool->finished, before);
    atomic_store(&pool->caller_parked, 0);
}

static void pin(pool_worker *worker, int core)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    /* Refusal changes speed only. */
    (void)pthread_setaffinity_np(worker->thread, sizeof one, &one);
    worker->core = core;
}

/* The caller runs where the kernel put it. Were that a worker's core, the two would take turns
 * while another core idles: the worker moves to the free one. */
static void make_way(gb_pool *pool)
{
    int core = sched_getcpu();
    if (core < 0 || core == pool->free_core)
        return;
    for (int i = 1; i < pool->threads; i++) {
        if (pool->workers[i].core != core)
            continue;
        pin(&pool->workers[i], pool->free_core);
        pool->free_core = core;
        return;
    }
}

void gb_pool_run(gb_pool *pool, gb_part_fn fn, void *context, int64_t parts)
{
    if (pool == NULL || pool->threads == 1 || parts <= 1) {
        for (int64_t part = 0; part < parts; part++)
            fn(context, part, 0);
        return;
    }
    if (pool->free_core >= 0)
        make_way(pool);
    unsigned before = atomic_load_explicit(&pool->finished, memory_order_relaxed);
    uint32_t number = pool->job.number + 1;
    pool->job = (pool_job){.fn = fn, .context = context, .parts = parts, .number = number};
    atomic_store_explicit(&pool->done, 0, memory_order_relaxed);
    atomic_store_explicit(&pool->remaining, parts, memory_order_release);
    atomic_store(&pool->published, number);
    if (atomic_load(&pool->parked) > 0) {
        int64_t helpers = parts - 1 < pool->threads ? parts - 1 : pool->threads;
        futex_wake(&pool->published, (int)helpers);
    }
    if (!run_parts(pool, 0, &number))
        wait_finished(pool, before);
}

/* The index-th core of the process. */
static int core_at(const cpu_set_t *allowed, int index)
{
    for (int core = 0, rank = 0; core < CPU_SETSIZE; core++)
        if (CPU_ISSET(core, allowed) && rank++ == index)
            return core;
    return -1;
}

/* Workers take no signals: those belong to the program's own threads. */
static gb_status start_workers(gb_pool *pool, int threads)
{
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    bool pinned = sched_getaffinity(0, sizeof allowed, &allowed) == 0 &&
                  threads <= CPU_COUNT(&allowed) && threads <= gb_cpu_get()->cores;
    pool->spin = threads <= gb_cpu_get()->cores;
    pool->free_core = pinned ? core_at(&allowed, 0) : -1;
    sigset_t every, old;
    sigfillset(&every);
    pthread_sigmask(SIG_SETMASK, &every, &old);
    int error = 0;
    while (error == 0 && pool->threads < threads) {
        pool_worker *worker = &pool->workers[pool->threads];
        *worker = (pool_worker){.pool = pool, .index = pool->threads, .core = -1};
        error = pthread_create(&worker->thread, NULL, work, worker);
        if (error == 0) {
            if (pinned)
                pin(worker, core_at(&allowed, worker->index));
            pool->threads++;
        }
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error != 0)
        return gb_fail(GB_ERR_MEMORY, "cannot start thread %d of %d: %s; use fewer threads",
                       pool->threads + 1, threads, strerror(error));
    return GB_OK;
}

gb_status gb_pool_create(int threads, gb_pool **out)
{
    if (threads < 0 || threads > THREADS_LIMIT)
        return gb_fail(GB_ERR_ARGUMENT, "threads must be between 0 (all cores) and %d, is %d",
                       THREADS_LIMIT, threads);
    if (threads == 0)
        threads = gb_cpu_get()->cores < THREADS_LIMIT ? gb_cpu_get()->cores : THREADS_LIMIT;
    gb_pool *pool = gb_aligned_alloc(sizeof *pool);
    if (pool == NULL)
        return GB_ERR_MEMORY;
    pool->threads = 1;
    pool->workers = gb_aligned_alloc((size_t)threads * sizeof *pool->workers);
    gb_status status = pool->workers == NULL ? GB_ERR_MEMORY : start_workers(pool, threads);
    if (status != GB_OK) {
        gb_pool_destroy(pool);
        return status;
    }
    *out = pool;
    return GB_OK;
}

void gb_pool_destroy(gb_pool *pool)
{
    if (pool == NULL)
        return;
    atomic_store(&pool->stop, true);
    atomic_fetch_add(&pool->published, 1);
    futex_wake(&pool->published, INT_MAX);
    for (int i = 1; i < pool->threads; i++)
        pthread_join(pool->workers[i].thread, NULL);
    gb_aligned_free(pool->workers);
    gb_aligned_free(pool);
}

int gb_pool_threads(const gb_pool *pool)
{
    return pool == NULL ? 1 : pool->threads;
}
