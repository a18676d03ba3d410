/* Setpoints of a chunk: held, on lines, saturated, and none outside of it. */
#include "control/chunk.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const double low[2] = {-10, -10}, high[2] = {10, 10};

/* One stream that holds and one that moves along lines; 4 ticks a period. */
static gb_plant_info machine(gb_plant_stream streams[2])
{
    streams[0] = (gb_plant_stream){.size = 1, .hold = true, .low = low, .high = high};
    streams[1] = (gb_plant_stream){.size = 1, .low = low, .high = high};
    return (gb_plant_info){.period_ns = 40,
                           .tick_ns = 10,
                           .action_stream_count = 2,
                           .action_streams = streams,
                           .action_size = 2};
}

static void follows_the_actions(void **state)
{
    (void)state;
    gb_plant_stream streams[2];
    gb_plant_info info = machine(streams);
    const double actions[3][2] = {{1, 4}, {2, 8}, {3, 0}}, before[2] = {7, 0};
    double out[2];
    for (int tick = 0; tick < 12; tick++) {
        int row = tick / 4;
        double part = (tick % 4 + 1) / 4.0, from = row ? actions[row - 1][1] : before[1];
        assert_true(gb_chunk_setpoint(&info, actions[0], 3, before, tick * 10, out));
        assert_true(out[0] == actions[row][0]);
        assert_true(fabs(out[1] - (from + part * (actions[row][1] - from))) < 1e-12);
        assert_true(tick % 4 != 3 || out[1] == actions[row][1]); /* reached, to the bit */
    }
}

static void ends_where_it_ends(void **state)
{
    (void)state;
    gb_plant_stream streams[2];
    gb_plant_info info = machine(streams);
    const double actions[2] = {1, 1}, before[2] = {0, 0};
    double out[2] = {77, 78};
    assert_false(gb_chunk_setpoint(&info, actions, 1, before, -1, out));
    assert_false(gb_chunk_setpoint(&info, actions, 1, before, 40, out));
    assert_false(gb_chunk_setpoint(&info, actions, 1, before, INT64_MAX, out));
    assert_true(out[0] == 77 && out[1] == 78);
    assert_true(gb_chunk_setpoint(&info, actions, 1, before, 39, out));
}

/* Beyond the limits means the limit, along lines too; what is not finite stays visible. */
static void saturates(void **state)
{
    (void)state;
    gb_plant_stream streams[2];
    gb_plant_info info = machine(streams);
    double actions[2] = {500, 500}, before[2] = {0, -10}, out[2];
    assert_true(gb_chunk_setpoint(&info, actions, 1, before, 10, out));
    assert_true(out[0] == 10 && out[1] == 0); /* half way from -10 to 10 */
    actions[0] = (double)NAN;
    actions[1] = (double)INFINITY;
    assert_true(gb_chunk_setpoint(&info, actions, 1, before, 10, out));
    assert_true(isnan(out[0]) && isinf(out[1]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_actions),
        cmocka_unit_test(ends_where_it_ends),
        cmocka_unit_test(saturates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
