/* The triple buffer: the newest of what was written, whole, whatever the two threads do. */
#include "control/latest.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum {
    WORDS = 64,
    WRITES = 50000
};

static void gives_the_newest(void **state)
{
    (void)state;
    gb_latest *latest = NULL;
    assert_int_equal(gb_latest_create(sizeof(int), &latest), GB_OK);
    assert_null(gb_latest_read(latest));
    for (int i = 1; i <= 5; i++) {
        *(int *)gb_latest_write(latest) = i;
        gb_latest_publish(latest);
    }
    const int *read = gb_latest_read(latest);
    assert_non_null(read);
    assert_int_equal(*read, 5);
    assert_null(gb_latest_read(latest));
    *(int *)gb_latest_write(latest) = 6; /* not published: the reader's slot is its own */
    assert_null(gb_latest_read(latest));
    assert_int_equal(*read, 5);
    gb_latest_publish(latest);
    assert_int_equal(*(const int *)gb_latest_read(latest), 6);
    gb_latest_destroy(latest);
    gb_latest_destroy(NULL);
}

static void *write_many(void *context)
{
    for (uint64_t i = 1; i <= WRITES; i++) {
        uint64_t *slot = gb_latest_write(context);
        for (int k = 0; k < WORDS; k++)
            slot[k] = i;
        gb_latest_publish(context);
    }
    return NULL;
}

/* What is read is never torn and never goes back, and the last write arrives. */
static void is_whole_across_threads(void **state)
{
    (void)state;
    gb_latest *latest = NULL;
    pthread_t writer;
    uint64_t newest = 0;
    assert_int_equal(gb_latest_create(WORDS * sizeof(uint64_t), &latest), GB_OK);
    assert_int_equal(pthread_create(&writer, NULL, write_many, latest), 0);
    while (newest < WRITES) {
        const uint64_t *slot = gb_latest_read(latest);
        if (!slot)
            continue;
        assert_true(slot[0] > newest);
        newest = slot[0];
        for (int k = 1; k < WORDS; k++)
            assert_true(slot[k] == newest);
    }
    pthread_join(writer, NULL);
    gb_latest_destroy(latest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_newest),
        cmocka_unit_test(is_whole_across_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
