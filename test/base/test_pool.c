/* The thread pool: every part exactly once, whatever the number of threads. */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "genba/base.h"

enum {
    PARTS_LIMIT = 1000
};

typedef struct tally {
    int counts[PARTS_LIMIT]; /* plain on purpose: a part has one owner, and run() is a barrier */
    double values[PARTS_LIMIT];
    int threads;
    atomic_bool bad_thread;
} tally;

static void count_part(void *context, int64_t part, int thread)
{
    tally *all = context;
    all->counts[part]++;
    all->values[part] = (double)part * 1.5;
    if (thread < 0 || thread >= all->threads)
        atomic_store(&all->bad_thread, true);
}

static void check_pool(gb_pool *pool, int rounds)
{
    static tally all;
    memset(&all, 0, sizeof all);
    all.threads = gb_pool_threads(pool);
    for (int round = 0; round < rounds; round++) {
        int64_t parts = round % 17 == 0 ? PARTS_LIMIT : round % 9;
        memset(all.counts, 0, sizeof all.counts);
        gb_pool_run(pool, count_part, &all, parts);
        for (int64_t part = 0; part < PARTS_LIMIT; part++) {
            assert_int_equal(all.counts[part], part < parts);
            assert_true(part >= parts || all.values[part] == (double)part * 1.5);
        }
    }
    assert_false(atomic_load(&all.bad_thread));
}

static void every_part_runs_once(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 5; threads++) {
        gb_pool *pool = NULL;
        assert_int_equal(gb_pool_create(threads, &pool), GB_OK);
        assert_int_equal(gb_pool_threads(pool), threads);
        check_pool(pool, 300);
        gb_pool_destroy(pool);
    }
}

static void null_pool_runs_on_the_caller(void **state)
{
    (void)state;
    assert_int_equal(gb_pool_threads(NULL), 1);
    check_pool(NULL, 20);
    gb_pool_destroy(NULL);
}

static void workers_wake_after_they_parked(void **state)
{
    (void)state;
    gb_pool *pool = NULL;
    assert_int_equal(gb_pool_create(3, &pool), GB_OK);
    for (int i = 0; i < 20; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        check_pool(pool, 2);
    }
    gb_pool_destroy(pool);
}

static void pools_start_and_stop(void **state)
{
    (void)state;
    for (int i = 0; i < 30; i++) {
        gb_pool *pool = NULL;
        assert_int_equal(gb_pool_create(i % 4, &pool), GB_OK);
        if (i % 2 == 0)
            check_pool(pool, 1);
        gb_pool_destroy(pool);
    }
}

static void bad_thread_counts_are_refused(void **state)
{
    (void)state;
    gb_pool *pool = NULL;
    assert_int_equal(gb_pool_create(-1, &pool), GB_ERR_ARGUMENT);
    assert_int_equal(gb_pool_create(257, &pool), GB_ERR_ARGUMENT);
    assert_null(pool);
    assert_non_null(strstr(gb_error_message(), "257"));
}

static void running_allocates_nothing(void **state)
{
    (void)state;
    gb_pool *pool = NULL;
    assert_int_equal(gb_pool_create(2, &pool), GB_OK);
    static tally all;
    all.threads = 2;
    gb_pool_run(pool, count_part, &all, 10);
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < 100; i++)
        gb_pool_run(pool, count_part, &all, 10);
    assert_int_equal(mallinfo2().uordblks, before);
    gb_pool_destroy(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_runs_once),
        cmocka_unit_test(null_pool_runs_on_the_caller),
        cmocka_unit_test(workers_wake_after_they_parked),
        cmocka_unit_test(pools_start_and_stop),
        cmocka_unit_test(bad_thread_counts_are_refused),
        cmocka_unit_test(running_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
