/* The ring: everything in order, nothing twice; what does not fit is refused and counted. */
#include "control/ring.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum {
    RECORDS = 50000
};

typedef struct record {
    uint64_t number, copy, more;
} record;

static void keeps_order_and_counts(void **state)
{
    (void)state;
    gb_ring *ring = NULL;
    assert_int_equal(gb_ring_create(0, 4, &ring), GB_ERR_ARGUMENT);
    assert_int_equal(gb_ring_create(8, 0, &ring), GB_ERR_ARGUMENT);
    assert_null(ring);
    assert_int_equal(gb_ring_create(sizeof(record), 3, &ring), GB_OK); /* rounded up to 4 */
    assert_null(gb_ring_front(ring));
    for (uint64_t i = 0; i < 6; i++)
        assert_true(gb_ring_push(ring, &(record){i, i, i}) == (i < 4));
    assert_int_equal(gb_ring_lost(ring), 2);
    assert_int_equal(gb_ring_waiting(ring), 4);
    for (uint64_t i = 0; i < 4; i++) {
        const record *front = gb_ring_front(ring);
        assert_non_null(front);
        assert_int_equal(front->number, i);
        gb_ring_pop(ring);
    }
    assert_null(gb_ring_front(ring));
    assert_int_equal(gb_ring_waiting(ring), 0);
    for (uint64_t i = 0; i < 100; i++) { /* around the end many times */
        assert_true(gb_ring_push(ring, &(record){i, i, i}));
        assert_int_equal(((const record *)gb_ring_front(ring))->number, i);
        gb_ring_pop(ring);
    }
    gb_ring_destroy(ring);
    gb_ring_destroy(NULL);
}

static void *push_many(void *context)
{
    for (uint64_t i = 1; i <= RECORDS; i++)
        (void)gb_ring_push(context, &(record){i, i, i});
    return NULL;
}

/* Every record arrives once, whole, or is counted as lost. */
static void loses_nothing_silently(void **state)
{
    (void)state;
    gb_ring *ring = NULL;
    pthread_t writer;
    uint64_t seen = 0, last = 0;
    bool running = true;
    assert_int_equal(gb_ring_create(sizeof(record), 64, &ring), GB_OK);
    assert_int_equal(pthread_create(&writer, NULL, push_many, ring), 0);
    for (;;) {
        const record *front = gb_ring_front(ring);
        if (!front && !running)
            break;
        if (!front) {
            running = seen + (uint64_t)gb_ring_lost(ring) < RECORDS;
            continue;
        }
        assert_true(front->number > last);
        assert_true(front->copy == front->number && front->more == front->number);
        last = front->number;
        seen++;
        gb_ring_pop(ring);
    }
    pthread_join(writer, NULL);
    assert_int_equal(seen + (uint64_t)gb_ring_lost(ring), RECORDS);
    gb_ring_destroy(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_order_and_counts),
        cmocka_unit_test(loses_nothing_silently),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
