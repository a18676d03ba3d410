/* One tick at a time: histories by the period, chunks by the instant, and what is sent. */
#include "control/servo.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/stub_link.h"

enum {
    TICK = 1000000,
    PERIOD = 4 * TICK,
    LOOK_BACK = 3,
    HORIZON = 2,
    OBSERVED = 5
};

typedef struct rig {
    stub stub;
    gb_latest *histories, *chunks;
    gb_servo *servo;
} rig;

static int setup(void **state)
{
    rig *r = calloc(1, sizeof *r);
    stub_init(&r->stub, TICK, PERIOD);
    size_t past = LOOK_BACK * OBSERVED + 2, future = HORIZON * 2 + 2;
    if (gb_latest_create(sizeof(gb_history) + past * 8, &r->histories) != GB_OK ||
        gb_latest_create(sizeof(gb_chunk) + future * 8, &r->chunks) != GB_OK)
        return -1;
    gb_servo_options options = {.machine = &r->stub.machine,
                                .link = &r->stub.link,
                                .histories = r->histories,
                                .chunks = r->chunks,
                                .look_back = LOOK_BACK,
                                .horizon = HORIZON,
                                .stepped_time = true,
                                .wall_offset_ns = 7};
    *state = r;
    return gb_servo_create(&options, &r->servo) == GB_OK ? 0 : -1;
}

static int teardown(void **state)
{
    rig *r = *state;
    gb_servo_destroy(r->servo);
    gb_latest_destroy(r->histories);
    gb_latest_destroy(r->chunks);
    free(r);
    return 0;
}

static void tick(rig *r, int64_t due_ns)
{
    gb_servo_sense(r->servo, due_ns, due_ns);
    gb_servo_act(r->servo);
}

static void publish(rig *r, uint64_t id, uint32_t episode, int64_t start_ns, double value)
{
    gb_chunk *chunk = gb_latest_write(r->chunks);
    chunk->id = id;
    chunk->episode = episode;
    chunk->start_ns = start_ns;
    for (int i = 0; i < HORIZON * 2 + 2; i++)
        chunk->numbers[i] = value + i / 2;
    gb_latest_publish(r->chunks);
}

/* A row a period; before the first one it repeats; periods slept through repeat what is known. */
static void hands_over_histories(void **state)
{
    rig *r = *state;
    assert_int_equal(r->stub.machine.observation_size, OBSERVED);
    gb_servo_begin(r->servo, 3, 100 * TICK);
    for (int i = 0; i < 4; i++) {
        r->stub.values[0] = 10 * i;
        tick(r, (100 + i) * TICK);
        const gb_history *h = gb_latest_read(r->histories);
        assert_int_equal(h != NULL, i == 0);
        assert_int_equal(r->servo->handed, i == 0);
        for (int k = 0; h && k < LOOK_BACK; k++)
            assert_true(h->numbers[k * OBSERVED] == 0);
        assert_true(!h || (h->episode == 3 && h->time_ns == 100 * TICK && !h->begun));
    }
    r->stub.values[0] = 1;
    tick(r, 104 * TICK);
    const gb_history *h = gb_latest_read(r->histories);
    assert_non_null(h);
    assert_true(h->time_ns == 104 * TICK);
    assert_true(h->numbers[0] == 0 && h->numbers[OBSERVED] == 0 && h->numbers[2 * OBSERVED] == 1);
    r->stub.values[0] = 2; /* two boundaries later, in the middle of a period */
    tick(r, 114 * TICK);
    h = gb_latest_read(r->histories);
    assert_non_null(h);
    assert_true(h->time_ns == 112 * TICK);
    assert_true(h->numbers[0] == 1 && h->numbers[OBSERVED] == 2 && h->numbers[2 * OBSERVED] == 2);
    gb_servo_begin(r->servo, 4, 200 * TICK); /* nothing of another episode is left */
    r->stub.values[0] = 9;
    tick(r, 200 * TICK);
    h = gb_latest_read(r->histories);
    assert_true(h->episode == 4 && h->numbers[0] == 9 && h->numbers[2 * OBSERVED] == 9);
}

static void waits_for_the_first_observation(void **state)
{
    rig *r = *state;
    r->stub.silent = true;
    gb_servo_begin(r->servo, 0, 0);
    for (int i = 0; i < 6; i++)
        tick(r, i * TICK);
    assert_null(gb_latest_read(r->histories));
    r->stub.silent = false;
    tick(r, 6 * TICK);
    assert_null(gb_latest_read(r->histories)); /* rows are taken where periods begin */
    tick(r, 7 * TICK);
    tick(r, 8 * TICK);
    const gb_history *h = gb_latest_read(r->histories);
    assert_non_null(h);
    assert_true(h->time_ns == 8 * TICK);
}

/* The chunk under way goes on until another comes; what passed before it came is skipped. */
static void follows_chunks(void **state)
{
    rig *r = *state;
    gb_servo_begin(r->servo, 0, 0);
    tick(r, 0);
    assert_int_equal(r->stub.sent, 0); /* nobody knows what to send */
    publish(r, 1, 0, 0, 50);
    tick(r, TICK);
    assert_int_equal(r->stub.sent, 1);
    assert_true(r->stub.commands[0][0] == 50);
    assert_int_equal(r->servo->record->chunk, 1);
    tick(r, 5 * TICK);
    assert_true(r->stub.commands[1][0] == 51); /* its second action */
    publish(r, 2, 0, 4 * TICK, 80);
    tick(r, 9 * TICK);
    assert_true(r->stub.commands[2][0] == 81);
    tick(r, 12 * TICK); /* it is over: the command before is held */
    assert_true(r->stub.commands[3][0] == 81);
    assert_int_equal(r->servo->record->chunk, 0);
    assert_true(isnan(r->servo->proposal[0]));
    assert_int_equal(r->servo->record->verdict.mode, GB_MODE_BACKUP);
    publish(r, 3, 7, 12 * TICK, 99); /* of another episode */
    tick(r, 13 * TICK);
    assert_int_equal(r->servo->record->chunk, 0);
    publish(r, 4, 0, 12 * TICK, (double)NAN);
    tick(r, 14 * TICK);
    assert_true(r->stub.commands[5][0] == 81);
    gb_control_result tally;
    gb_servo_tally(r->servo, &tally);
    assert_int_equal(tally.ticks, 7);
    assert_int_equal(tally.without_chunk, 3);
    assert_int_equal(tally.modes[GB_MODE_PASS], 3);
    assert_int_equal(tally.late, 0);
}

static void fills_the_record(void **state)
{
    rig *r = *state;
    gb_servo_begin(r->servo, 0, 0);
    publish(r, 1, 0, 0, 50);
    tick(r, 3 * TICK);
    const gb_tick *t = r->servo->record;
    const double *numbers = (const double *)(t + 1);
    assert_int_equal(gb_tick_bytes(&r->stub.machine), sizeof *t + (OBSERVED + 4) * sizeof(double));
    assert_true(t->due_ns == 3 * TICK && t->wall_ns == 3 * TICK + 7);
    assert_true(t->chunk_at_ns == 3 * TICK && t->observation_sequence == 1);
    assert_memory_equal(numbers, r->stub.values, OBSERVED * sizeof(double));
    assert_true(numbers[OBSERVED] == 50 && numbers[OBSERVED + 2] == 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(hands_over_histories, setup, teardown),
        cmocka_unit_test_setup_teardown(waits_for_the_first_observation, setup, teardown),
        cmocka_unit_test_setup_teardown(follows_chunks, setup, teardown),
        cmocka_unit_test_setup_teardown(fills_the_record, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
