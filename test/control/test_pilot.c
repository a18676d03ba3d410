/* One decision at a time: when it is due, what it continues, and what is handed over. */
#include "control/pilot.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/scripted.h"

enum {
    OBSERVED = 5
};

typedef struct rig {
    gb_plant_info machine;
    script script;
    gb_pilot *pilot;
} rig;

static int setup(void **state)
{
    const gb_plant_info *pusht = NULL;
    rig *r = calloc(1, sizeof *r);
    if (!r || gb_plant_describe("pusht", &pusht) != GB_OK)
        return -1;
    r->machine = *pusht; /* a period is 100 ms, a tick 10 ms */
    r->script.continues = true;
    gb_pilot_options options = {.machine = &r->machine,
                                .make = script_make,
                                .make_context = &r->script,
                                .switching = GB_SWITCH_REAL_TIME,
                                .first_seed = 10,
                                .policy_seed = 2};
    *state = r;
    return gb_pilot_create(&options, &r->pilot) == GB_OK ? 0 : -1;
}

static int teardown(void **state)
{
    rig *r = *state;
    gb_pilot_destroy(r->pilot);
    free(r);
    return 0;
}

static int64_t ms(int64_t milliseconds)
{
    return milliseconds * 1000000;
}

static void hand_over(rig *r, uint32_t episode, int64_t time_ns, bool begun)
{
    gb_history *h = gb_latest_write(gb_pilot_histories(r->pilot));
    *h = (gb_history){.sequence = 5, .time_ns = time_ns, .episode = episode, .begun = begun};
    for (int i = 0; i < SCRIPT_LOOK_BACK * OBSERVED + 2; i++)
        h->numbers[i] = 100 + i;
    gb_latest_publish(gb_pilot_histories(r->pilot));
}

/* Thinks for `took_ns` and gives what was published; NULL: nothing. */
static const gb_chunk *think(rig *r, int64_t began_ns, int64_t took_ns)
{
    gb_pilot_think(r->pilot, began_ns);
    assert_null(gb_latest_read(gb_pilot_chunks(r->pilot))); /* not before it is published */
    gb_pilot_publish(r->pilot, began_ns + took_ns);
    return gb_latest_read(gb_pilot_chunks(r->pilot));
}

static void is_due_every_few_periods(void **state)
{
    rig *r = *state;
    assert_false(gb_pilot_due(r->pilot));
    hand_over(r, 0, ms(1000), false);
    assert_true(gb_pilot_due(r->pilot));
    const gb_chunk *chunk = think(r, ms(1000), ms(5));
    assert_non_null(chunk);
    assert_true(chunk->id == 1 && chunk->start_ns == ms(1000) && chunk->episode == 0);
    const double *before = chunk->numbers + SCRIPT_HORIZON * 2;
    assert_memory_equal(before, chunk->numbers, 2 * sizeof(double)); /* nothing was under way */
    assert_false(gb_pilot_due(r->pilot));
    hand_over(r, 0, ms(1300), true);
    assert_false(gb_pilot_due(r->pilot));
    hand_over(r, 0, ms(1400), true);
    assert_true(gb_pilot_due(r->pilot));
    chunk = think(r, ms(1400), ms(5));
    assert_true(chunk->id == 2 && chunk->numbers[SCRIPT_HORIZON * 2] == 110);
    hand_over(r, 1, ms(1500), false); /* a new episode begins anew */
    assert_true(gb_pilot_due(r->pilot));
    int continued = atomic_load(&r->script.continued);
    chunk = think(r, ms(1500), ms(5));
    assert_true(chunk->id == 3 && chunk->episode == 1);
    assert_int_equal(atomic_load(&r->script.continued), continued);
}

/* It knows when it will be asked next, and is warmed for that, not asked. */
static void is_warmed_before_it_is_asked(void **state)
{
    rig *r = *state;
    int64_t due_ns = 0, lead_ns = 0;
    assert_false(gb_pilot_expects(r->pilot, &due_ns, &lead_ns)); /* no decision yet */
    hand_over(r, 0, ms(1000), false);
    assert_true(gb_pilot_due(r->pilot));
    assert_non_null(think(r, ms(1000), ms(5)));
    assert_true(gb_pilot_expects(r->pilot, &due_ns, &lead_ns));
    assert_true(due_ns == ms(1400));
    assert_true(lead_ns >= 200000 && lead_ns <= ms(5));
    gb_pilot_warm(r->pilot);
    assert_int_equal(atomic_load(&r->script.warmed), 1);
    assert_int_equal(atomic_load(&r->script.decisions), 1);
    r->script.slow_ms = 6; /* what is in the caches matters little */
    hand_over(r, 0, ms(1400), true);
    assert_true(gb_pilot_due(r->pilot));
    assert_non_null(think(r, ms(1400), ms(6)));
    assert_false(gb_pilot_expects(r->pilot, &due_ns, &lead_ns));
}

/* As much is frozen as passes until the servo can use the answer, in whole actions. */
static void freezes_what_will_have_passed(void **state)
{
    rig *r = *state;
    static const struct {
        int took_ms, frozen;
    } cases[] = {{0, 0}, {1, 1}, {95, 1}, {100, 1}, {101, 2}, {250, 3}, {5000, 4}};
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t episode = i;
        for (int k = 0; k < 10; k++) { /* the slowest of the last eight counts */
            int64_t at_ns = ms(10000) * (i + 1) + ms(400) * k;
            hand_over(r, episode, at_ns, true);
            assert_true(gb_pilot_due(r->pilot));
            assert_non_null(think(r, at_ns, ms(cases[i].took_ms)));
        }
        assert_int_equal(r->script.frozen, cases[i].frozen);
        assert_int_equal(r->script.count, SCRIPT_HORIZON - SCRIPT_EXECUTE);
        assert_int_equal(r->script.soft, SCRIPT_HORIZON - SCRIPT_EXECUTE);
    }
}

/* A chunk that is over cannot be continued. */
static void forgets_chunks_that_are_over(void **state)
{
    rig *r = *state;
    hand_over(r, 0, ms(1000), true);
    assert_true(gb_pilot_due(r->pilot));
    assert_non_null(think(r, ms(1000), ms(5)));
    hand_over(r, 0, ms(1700), true); /* late: one action is left */
    assert_true(gb_pilot_due(r->pilot));
    assert_non_null(think(r, ms(1700), ms(5)));
    assert_int_equal(atomic_load(&r->script.continued), 1);
    assert_int_equal(r->script.count, 1);
    assert_int_equal(r->script.soft, 1);
    hand_over(r, 0, ms(2500), true);
    assert_true(gb_pilot_due(r->pilot));
    assert_non_null(think(r, ms(2500), ms(5)));
    assert_int_equal(atomic_load(&r->script.continued), 1);
}

/* A decision that fails publishes nothing, is counted, and is tried again a period later. */
static void tries_again(void **state)
{
    rig *r = *state;
    gb_control_result result = {0};
    const char *failure = NULL;
    r->script.fail_to = 1;
    hand_over(r, 0, ms(1000), false);
    assert_true(gb_pilot_due(r->pilot));
    assert_null(think(r, ms(1000), ms(5)));
    assert_false(gb_pilot_due(r->pilot));
    hand_over(r, 0, ms(1100), false);
    assert_true(gb_pilot_due(r->pilot));
    const gb_chunk *chunk = think(r, ms(1100), ms(5));
    assert_true(chunk && chunk->id == 1);
    gb_pilot_tally(r->pilot, &result, &failure);
    assert_true(result.decisions == 2 && result.failures == 1 && result.inference.count == 2);
    assert_string_equal(failure, "script: told to fail");
}

/* While the backup controller has the machine nothing of a chunk is carried out: the next one is
 * not bound to it. */
static void does_not_continue_what_was_not_done(void **state)
{
    rig *r = *state;
    for (int k = 0; k < 4; k++) {
        hand_over(r, 0, ms(1000 + 400 * k), true);
        gb_history *h = gb_latest_write(gb_pilot_histories(r->pilot));
        *h = (gb_history){.time_ns = ms(1000 + 400 * k), .begun = 1, .held = k == 2};
        gb_latest_publish(gb_pilot_histories(r->pilot));
        assert_true(gb_pilot_due(r->pilot));
        assert_non_null(think(r, ms(1000 + 400 * k), ms(5)));
    }
    assert_int_equal(atomic_load(&r->script.continued), 2); /* the second and the fourth */
}

/* A sensor that says NaN makes a model answer NaN. What is under way goes on, and no later decision
 * continues what is no number: it would never be one again. */
static void what_is_no_number_is_not_continued(void **state)
{
    rig *r = *state;
    gb_control_result result = {0};
    const char *failure = NULL;
    r->script.nan_from = 1;
    r->script.nan_to = 2;
    const int64_t times[] = {1000, 1400, 1500, 1900};
    for (int k = 0; k < 4; k++) {
        hand_over(r, 0, ms(times[k]), true);
        assert_true(gb_pilot_due(r->pilot));
        const gb_chunk *chunk = think(r, ms(times[k]), ms(5));
        assert_int_equal(chunk != NULL, k != 1);
        for (int i = 0; chunk && i < SCRIPT_HORIZON * 2; i++)
            assert_true(isfinite(chunk->numbers[i]));
        assert_true(!chunk || chunk->id == (uint64_t)k + 1); /* each answer has its own number */
    }
    assert_int_equal(atomic_load(&r->script.continued), 3);
    gb_pilot_tally(r->pilot, &result, &failure);
    assert_true(result.decisions == 4 && result.failures == 1);
    assert_non_null(strstr(failure, "not finite"));
}

static gb_status make_nonsense(const void *context, const gb_plant_info *plant, gb_policy *out)
{
    GB_TRY(script_make(context, plant, out));
    out->execute = out->horizon + 1;
    return GB_OK;
}

static void refuses_nonsense(void **state)
{
    rig *r = *state;
    gb_pilot *pilot = NULL;
    gb_pilot_options options = {
        .machine = &r->machine, .make = make_nonsense, .make_context = &r->script};
    assert_int_equal(gb_pilot_create(&options, &pilot), GB_ERR_ARGUMENT);
    assert_non_null(strstr(gb_error_message(), "execute"));
    assert_null(pilot);
    gb_pilot_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(is_due_every_few_periods, setup, teardown),
        cmocka_unit_test_setup_teardown(is_warmed_before_it_is_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(freezes_what_will_have_passed, setup, teardown),
        cmocka_unit_test_setup_teardown(forgets_chunks_that_are_over, setup, teardown),
        cmocka_unit_test_setup_teardown(tries_again, setup, teardown),
        cmocka_unit_test_setup_teardown(does_not_continue_what_was_not_done, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_number_is_not_continued, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_nonsense, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
