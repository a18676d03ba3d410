/* What the viewer keeps of a run in bounded memory: extremes survive, counts add up, percentiles
 * are right within a bin, and nothing grows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "control/view_record.h"

#define COLUMNS 2

static gb_view_bucket one_tick(uint64_t i)
{
    return (gb_view_bucket){.tick = i,
                            .at_ns = (int64_t)i * 1000,
                            .end_ns = (int64_t)i * 1000,
                            .ticks = 1,
                            .margin = NAN,
                            .margin_limit = -1,
                            .margin_index = -1,
                            .age_ms = NAN,
                            .period_us = NAN};
}

static void extremes_survive_uniting(void **state)
{
    (void)state;
    gb_view_trace trace;
    assert_int_equal(gb_view_trace_create(COLUMNS, 64, &trace), GB_OK);
    for (uint64_t i = 0; i < 64; i++) {
        gb_view_bucket tick = one_tick(i);
        tick.margin = i == 17 ? -0.5f : 0.5f;
        tick.margin_limit = i == 17 ? GB_LIMIT_JERK : GB_LIMIT_VELOCITY;
        tick.mode = i == 18 ? GB_MODE_SLOW : GB_MODE_PASS;
        tick.reasons = i == 18 ? 4u : 0u;
        tick.late = i % 2;
        float values[COLUMNS] = {i == 20 ? 100.0f : (float)i / 64, i == 21 ? NAN : 1.0f};
        gb_view_trace_add(&trace, &tick, values, true);
    }
    for (int k = 0; k < 4; k++)
        gb_view_trace_halve(&trace);
    assert_int_equal(trace.count, 4);
    gb_view_bucket *b = gb_view_trace_at(&trace, 1); /* ticks 16 to 31 */
    float *values = gb_view_trace_values(&trace, 1);
    assert_int_equal(b->tick, 16);
    assert_int_equal(b->ticks, 16);
    assert_int_equal(b->end_ns, 31000);
    assert_int_equal(b->late, 8);
    assert_int_equal(b->mode, GB_MODE_SLOW);
    assert_int_equal(b->reasons, 4);
    assert_true(b->margin == -0.5f);
    assert_int_equal(b->margin_limit, GB_LIMIT_JERK);
    assert_true(values[0] == 16.0f / 64 && values[2] == 100.0f && values[4] == 31.0f / 64);
    assert_true(values[1] == 1.0f && values[3] == 1.0f); /* a NaN is no extreme */
    gb_view_trace_free(&trace);
}

static void episodes_are_not_mixed(void **state)
{
    (void)state;
    gb_view_trace trace;
    const float values[COLUMNS] = {0};
    assert_int_equal(gb_view_trace_create(COLUMNS, 16, &trace), GB_OK);
    for (uint64_t i = 0; i < 15; i++) {
        gb_view_bucket tick = one_tick(i);
        tick.episode = (uint32_t)(i / 5);
        gb_view_trace_add(&trace, &tick, values, true);
    }
    for (int k = 0; k < 5; k++)
        gb_view_trace_halve(&trace);
    assert_int_equal(trace.count, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(gb_view_trace_at(&trace, i)->ticks, 5);
    gb_view_trace_free(&trace);
}

static void oldest_goes_first(void **state)
{
    (void)state;
    gb_view_trace trace;
    assert_int_equal(gb_view_trace_create(COLUMNS, 10, &trace), GB_OK);
    for (uint64_t i = 0; i < 1007; i++) {
        gb_view_bucket tick = one_tick(i);
        const float values[COLUMNS] = {(float)i, 0};
        gb_view_trace_add(&trace, &tick, values, true);
    }
    assert_int_equal(trace.count, 10);
    assert_int_equal(trace.first, 997);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(gb_view_trace_at(&trace, i)->tick, 997 + i);
        assert_true(gb_view_trace_values(&trace, i)[0] == (float)(997 + i));
    }
    gb_view_trace_free(&trace);
}

static void percentiles_are_within_a_bin(void **state)
{
    (void)state;
    gb_view_times times = {0};
    assert_true(gb_view_times_at(&times, 0.5) == 0.0);
    for (int64_t i = 1; i <= 100000; i++)
        gb_view_times_add(&times, i * 100);
    static const double parts[] = {0.01, 0.5, 0.99, 0.999, 1.0};
    for (int k = 0; k < 5; k++) {
        double exact = parts[k] * 1e7, found = gb_view_times_at(&times, parts[k]);
        assert_true(found >= exact && found <= exact * 1.0906);
    }
    assert_int_equal(times.max_ns, 10000000);
    gb_view_times_add(&times, 0);
    gb_view_times_add(&times, INT64_MAX);
    assert_int_equal(times.max_ns, INT64_MAX);
    assert_int_equal(times.count, 100002);
    assert_int_equal(times.bins[GB_VIEW_BINS - 1], 1);
}

static void interventions_are_told_apart(void **state)
{
    (void)state;
    gb_view_events *events = calloc(1, sizeof *events);
    assert_non_null(events);
    for (uint64_t i = 0; i < 3000000; i++) { /* at 1 kHz: 100 ms on and off in turn, then calm */
        gb_view_bucket tick = one_tick(i);
        tick.at_ns = tick.end_ns = (int64_t)i * 1000000;
        bool on = i % 1000 < 500 && i % 200 < 100;
        tick.mode = on ? i % 1000 == 250 ? GB_MODE_BACKUP : GB_MODE_CLAMP : GB_MODE_PASS;
        tick.reasons = on ? 2u : 0u;
        tick.margin = on ? -0.1f : 0.9f;
        gb_view_events_add(events, &tick);
    }
    assert_int_equal(events->count, GB_VIEW_EVENTS_MAX);
    assert_true(events->beyond > 0);
    assert_int_equal(events->list[3].tick, 3000);
    assert_int_equal(events->list[3].ticks, 300);
    assert_int_equal(events->list[3].end_ns, INT64_C(3499000000));
    assert_int_equal(events->list[3].mode, GB_MODE_BACKUP);
    assert_int_equal(events->list[3].reasons, 2);
    assert_true(events->list[3].margin == -0.1f);
    free(events);
}

/* Times that make no sense overflow nothing (the sanitizer looks). */
static void nonsense_is_counted(void **state)
{
    (void)state;
    static const int64_t times[] = {0, INT64_MAX, INT64_MIN, -1, 1, INT64_MIN + 1};
    gb_view_sums sums;
    gb_view_bucket bucket;
    uint64_t ticks = 0;
    gb_view_sums_start(&sums);
    for (int a = 0; a < 6; a++)
        for (int b = 0; b < 6; b++)
            for (int c = 0; c < 6; c++) {
                gb_tick r = {.tick = ticks++,
                             .due_ns = times[a],
                             .woke_ns = times[b],
                             .done_ns = times[c],
                             .observation_ns = times[(a + b) % 6],
                             .wall_ns = times[c],
                             .faults = 0xffffffffu,
                             .chunk = UINT64_MAX};
                r.verdict.mode = (gb_envelope_mode)(a * 100);
                r.verdict.reasons = 0xffffffffu;
                r.verdict.margin = a == 2 ? NAN : b == 1 ? INFINITY : 0.25;
                gb_view_sums_add(&sums, &r, 1000000, &bucket);
                assert_true(bucket.mode >= GB_MODE_PASS && bucket.mode <= GB_MODE_STOPPED);
            }
    assert_int_equal(sums.ticks, 216);
    assert_int_equal(sums.faulty, 216);
    assert_int_equal(sums.modes[GB_MODE_STOPPED], 180);
    assert_true(sums.least_margin == 0.25f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(extremes_survive_uniting),
        cmocka_unit_test(episodes_are_not_mixed),
        cmocka_unit_test(oldest_goes_first),
        cmocka_unit_test(percentiles_are_within_a_bin),
        cmocka_unit_test(interventions_are_told_apart),
        cmocka_unit_test(nonsense_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
