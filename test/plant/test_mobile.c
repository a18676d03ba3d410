/* The mobile robot: its LiDAR against MuJoCo's rays and against ranges computed by hand, its
 * verdicts, its teacher, and what every plant promises. */
#include "genba/plant.h"
#include "plant/mobile.h"
#include "plant/plant.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "plant/mesa.h"

#define SIZE GB_MOBILE_OBSERVATION_SIZE

static gb_plant *new_plant(void)
{
    gb_plant *plant = NULL;
    assert_int_equal(gb_plant_create("mobile", NULL, &plant), GB_OK);
    return plant;
}

static gb_mobile *machine_of(gb_plant *plant)
{
    return plant->machine;
}

/* Wheel speeds that wander, different for each seed. */
static void wander(uint64_t seed, int step, double *action)
{
    action[0] = 3.0 + 4.0 * (double)gb_random_uniform(seed, 90, (uint64_t)(step / 5));
    action[1] = 3.0 + 4.0 * (double)gb_random_uniform(seed, 91, (uint64_t)(step / 5));
}

static void assert_same_bits(const gb_plant *a, const gb_plant *b)
{
    double left[SIZE], right[SIZE];
    gb_plant_observe(a, left);
    gb_plant_observe(b, right);
    assert_memory_equal(left, right, sizeof left);
    gb_plant_result ra = gb_plant_get_result(a), rb = gb_plant_get_result(b);
    assert_true(ra.progress == rb.progress && ra.score == rb.score);
    assert_true(ra.steps == rb.steps && ra.done == rb.done && ra.failed == rb.failed);
    assert_string_equal(ra.verdict, rb.verdict);
}

static void run_steps(gb_plant *plant, uint64_t seed, int from, int end)
{
    for (int i = from; i < end; i++) {
        double action[2];
        wander(seed, i, action);
        assert_int_equal(gb_plant_step(plant, action, NULL, NULL), GB_OK);
    }
}

static void same_seed_same_bits(void **state)
{
    (void)state;
    gb_plant *a = new_plant(), *b = new_plant();
    run_steps(b, 99, 0, 33);
    for (uint64_t seed = 0; seed < 6; seed++) {
        assert_int_equal(gb_plant_reset(a, seed, NULL), GB_OK);
        assert_int_equal(gb_plant_reset(b, seed, NULL), GB_OK);
        for (int i = 0; i < 100; i += 10) {
            run_steps(a, seed, i, i + 10);
            run_steps(b, seed, i, i + 10);
            assert_same_bits(a, b);
        }
    }
    gb_plant_destroy(a);
    gb_plant_destroy(b);
}

/* A servo that sends the setpoints of gb_plant_setpoint tick by tick makes the same episode. */
static void ticks_are_steps(void **state)
{
    (void)state;
    gb_plant *a = new_plant(), *b = new_plant();
    const gb_plant_info *info = gb_plant_get_info(a);
    int ticks = (int)(info->period_ns / info->tick_ns);
    double before[2] = {0}, action[2], command[2];
    for (int i = 0; i < 80; i++) {
        wander(5, i, action);
        assert_int_equal(gb_plant_step(a, action, NULL, NULL), GB_OK);
        for (int k = 1; k <= ticks; k++) {
            gb_plant_setpoint(info, i > 0 ? before : action, action, (double)k / ticks, command);
            assert_int_equal(gb_plant_tick(b, command, NULL, NULL), GB_OK);
        }
        memcpy(before, action, sizeof before);
        assert_same_bits(a, b);
    }
    gb_plant_destroy(a);
    gb_plant_destroy(b);
}

static void a_snapshot_is_exact(void **state)
{
    (void)state;
    gb_plant *a = new_plant(), *b = new_plant();
    size_t bytes = gb_plant_snapshot_bytes(a);
    unsigned char *snapshot = malloc(bytes);
    assert_non_null(snapshot);
    double recorded[SIZE];
    assert_int_equal(gb_plant_reset(a, 3, recorded), GB_OK);
    for (int from_state = 0; from_state < 2; from_state++) {
        if (from_state)
            assert_int_equal(gb_plant_set_state(a, recorded), GB_OK);
        else
            assert_int_equal(gb_plant_reset(a, 4, NULL), GB_OK);
        run_steps(a, 4, 0, 17);
        assert_int_equal(gb_plant_save(a, snapshot, bytes), GB_OK);
        assert_int_equal(gb_plant_restore(b, snapshot, bytes), GB_OK);
        assert_same_bits(a, b);
        run_steps(a, 4, 17, 30);
        run_steps(b, 4, 17, 30);
        assert_same_bits(a, b);
    }
    free(snapshot);
    gb_plant_destroy(a);
    gb_plant_destroy(b);
}

static void what_is_not_finite_is_refused(void **state)
{
    (void)state;
    const double bad[] = {NAN, INFINITY, -INFINITY};
    gb_plant *a = new_plant(), *b = new_plant();
    for (int i = 0; i < 6; i++) {
        double action[2] = {1.0, 1.0};
        action[i % 2] = bad[i / 2];
        assert_int_equal(gb_plant_step(a, action, NULL, NULL), GB_ERR_NUMERIC);
        assert_non_null(strstr(gb_error_message(), "wheel.command"));
        assert_int_equal(gb_plant_tick(a, action, NULL, NULL), GB_ERR_NUMERIC);
    }
    assert_same_bits(a, b);
    double observation[SIZE];
    gb_plant_observe(a, observation);
    observation[GB_MOBILE_AT_POSITION] = NAN;
    assert_int_equal(gb_plant_set_state(a, observation), GB_ERR_NUMERIC);
    gb_plant_observe(a, observation);
    const gb_mobile_rack *rack = &machine_of(a)->map.racks[0];
    observation[GB_MOBILE_AT_POSITION] = rack->x;
    observation[GB_MOBILE_AT_POSITION + 1] = rack->y;
    assert_int_equal(gb_plant_set_state(a, observation), GB_ERR_ARGUMENT);
    assert_non_null(strstr(gb_error_message(), "rack"));
    assert_same_bits(a, b);
    gb_plant_destroy(a);
    gb_plant_destroy(b);
}

/* ---- LiDAR ------------------------------------------------------------------------------------
 */

static void ranges_by_hand(void **state)
{
    (void)state;
    gb_mobile_map map = {.rack_count = 1, .racks = {{2.0, 0.0, 0.5, 1.0}}};
    const gb_mobile_circle person = {0.0, 3.0, 0.25};
    double ranges[GB_MOBILE_BEAMS];
    gb_mobile_cast(&map, &person, 1, 0.0, 0.0, 0.0, ranges);
    assert_true(fabs(ranges[0] - 1.5) < 1e-9);   /* the rack's face */
    assert_true(fabs(ranges[90] - 2.75) < 1e-9); /* the person's near side */
    assert_true(fabs(ranges[180] - 7.0) < 1e-9); /* the west wall */
    assert_true(fabs(ranges[270] - 4.5) < 1e-9); /* the south wall */
    assert_true(fabs(ranges[30] - 1.5 / cos(30 * 0.017453292519943295)) < 1e-9);
    assert_true(fabs(ranges[225] - 4.5 * sqrt(2.0)) < 1e-9);
    assert_true(ranges[200] <= GB_MOBILE_RANGE_M);
    /* turned by a right angle, beam 0 points at the person */
    gb_mobile_cast(&map, &person, 1, 0.0, 0.0, 1.57079632679489661923, ranges);
    assert_true(fabs(ranges[0] - 2.75) < 1e-9);
    assert_true(fabs(ranges[270] - 1.5) < 1e-9);
    /* from a corner the far walls are out of range */
    gb_mobile_cast(&map, NULL, 0, -6.5, -4.0, 0.0, ranges);
    assert_true(ranges[0] == GB_MOBILE_RANGE_M);
    /* a beam that passes a person by a hair's breadth, and one that does not */
    gb_mobile_circle beside = {-3.0, 0.2500001, 0.25};
    gb_mobile_cast(&map, &beside, 1, 0.0, 0.0, 0.0, ranges);
    assert_true(fabs(ranges[180] - 7.0) < 1e-9);
    beside.y = 0.2499;
    gb_mobile_cast(&map, &beside, 1, 0.0, 0.0, 0.0, ranges);
    assert_true(ranges[180] < 3.0);
}

/* MuJoCo's ray from the LiDAR's height, the robot itself left out. */
static double mujoco_range(const gb_mobile *machine, double angle_rad)
{
    const mjModel *model = machine->physics.model;
    const mjtNum from[3] = {machine->x, machine->y, 0.3};
    const mjtNum along[3] = {cos(angle_rad), sin(angle_rad), 0.0};
    int geom = -1;
    double range =
        mj_ray(model, machine->physics.data, from, along, NULL, 1, model->nbody - 1, &geom);
    return range < 0.0 ? GB_MOBILE_RANGE_M : fmin(range, GB_MOBILE_RANGE_M);
}

static void ranges_of_mujoco(void **state)
{
    (void)state;
    gb_plant *plant = new_plant();
    gb_mobile *machine = machine_of(plant);
    for (uint64_t seed = 0; seed < 20; seed++) {
        assert_int_equal(gb_plant_reset(plant, seed, NULL), GB_OK);
        run_steps(plant, seed, 0, (int)(seed % 7) * 4);
        gb_mobile_place(machine);
        assert_true(gb_mujoco_forward(&machine->physics));
        double ranges[GB_MOBILE_BEAMS];
        gb_mobile_true_scan(machine, ranges);
        for (int i = 0; i < GB_MOBILE_BEAMS; i++) {
            double expected =
                mujoco_range(machine, machine->heading_rad + i * 0.017453292519943295);
            assert_true(fabs(ranges[i] - expected) < 1e-6);
        }
    }
    gb_plant_destroy(plant);
}

/* What the people streams say, with noise and lost returns, against the true scan with and without
 * people. */
static void people_are_told_from_racks(void **state)
{
    (void)state;
    gb_plant *plant = new_plant();
    gb_mobile *machine = machine_of(plant);
    int seen = 0, missed = 0, false_alarms = 0;
    for (uint64_t seed = 0; seed < 120; seed++) {
        double observation[SIZE], with[GB_MOBILE_BEAMS], without[GB_MOBILE_BEAMS];
        assert_int_equal(gb_plant_reset(plant, seed, observation), GB_OK);
        gb_mobile_true_scan(machine, with);
        machine->person_count = 0;
        gb_mobile_true_scan(machine, without);
        double nearest = GB_MOBILE_RANGE_M;
        for (int i = 0; i < GB_MOBILE_BEAMS; i++)
            if (with[i] < without[i])
                nearest = fmin(nearest, with[i] - GB_MOBILE_ROBOT_RADIUS_M);
        double gap = observation[GB_MOBILE_AT_GAP];
        seen += nearest < 5.0;
        missed += nearest < 5.0 && gap > nearest + 0.2;
        false_alarms += gap < nearest - 0.1;
    }
    assert_true(seen > 40);
    assert_true(missed * 20 <= seen); /* half hidden by a rack and close to it */
    assert_int_equal(false_alarms, 0);
    gb_plant_destroy(plant);
}

/* ---- verdicts ---------------------------------------------------------------------------------
 */

/* An episode in which person 0 stands where it is told, alone. */
static gb_mobile *set_person(gb_plant *plant, double ahead_m)
{
    gb_mobile *machine = machine_of(plant);
    gb_mobile_person *person = &machine->people[0];
    machine->person_count = 1;
    double c = cos(machine->heading_rad), s = sin(machine->heading_rad);
    for (int i = 0; i < 2; i++) {
        person->path[i][0] = machine->x + c * (ahead_m + i * 0.001);
        person->path[i][1] = machine->y + s * (ahead_m + i * 0.001);
    }
    person->path_count = 2;
    person->along_m = person->aside_m = person->speed_m_s = 0.0;
    gb_mobile_person_place(person);
    return machine;
}

static void driving_at_a_person_is_too_close(void **state)
{
    (void)state;
    gb_plant *plant = new_plant();
    const double ahead[2] = {8.0, 8.0};
    int closed_in = 0;
    for (uint64_t seed = 0; seed < 10; seed++) {
        assert_int_equal(gb_plant_reset(plant, seed, NULL), GB_OK);
        gb_mobile *machine = set_person(plant, 1.5);
        gb_plant_result result = {0};
        while (!result.done)
            assert_int_equal(gb_plant_step(plant, ahead, NULL, &result), GB_OK);
        assert_true(result.failed);
        assert_false(result.success);
        if (strcmp(result.verdict, "too close") == 0) {
            closed_in++;
            assert_true(machine->nearest_m < GB_MOBILE_SEPARATION_M);
        }
    }
    assert_true(closed_in >= 5); /* a rack may stand before the person */
    gb_plant_destroy(plant);
}

static void a_standing_robot_is_not_at_fault(void **state)
{
    (void)state;
    gb_plant *plant = new_plant();
    const double still[2] = {0.0, 0.0};
    for (uint64_t seed = 0; seed < 3; seed++) {
        assert_int_equal(gb_plant_reset(plant, seed, NULL), GB_OK);
        set_person(plant, 0.6);
        gb_plant_result result = {0};
        while (!result.done)
            assert_int_equal(gb_plant_step(plant, still, NULL, &result), GB_OK);
        assert_false(result.failed);
        assert_int_equal(result.steps, 900);
    }
    gb_plant_destroy(plant);
}

static void racks_and_walls_are_hit(void **state)
{
    (void)state;
    gb_plant *plant = new_plant();
    const double ahead[2] = {9.0, 9.0};
    for (uint64_t seed = 0; seed < 20; seed++) {
        assert_int_equal(gb_plant_reset(plant, seed, NULL), GB_OK);
        machine_of(plant)->person_count = 0;
        gb_plant_result result = {0};
        while (!result.done)
            assert_int_equal(gb_plant_step(plant, ahead, NULL, &result), GB_OK);
        if (result.success)
            continue;
        assert_string_equal(result.verdict, "collided");
        gb_mobile *machine = machine_of(plant);
        assert_true(gb_mobile_clearance(&machine->map, machine->x, machine->y) <
                    GB_MOBILE_ROBOT_RADIUS_M + 0.1);
    }
    gb_plant_destroy(plant);
}

/* The protective gap and the speed that it allows are each other's inverse. */
static void the_allowed_speed_leaves_room_to_stop(void **state)
{
    (void)state;
    assert_true(gb_mobile_allowed_speed(GB_MOBILE_SEPARATION_M) == 0.0);
    for (double gap = 0.81; gap < 4.0; gap += 0.01) {
        double v = gb_mobile_allowed_speed(gap);
        double needed = GB_MOBILE_PERSON_M_S * (GB_MOBILE_REACTION_S + v / GB_MOBILE_BRAKE_M_S2) +
                        v * GB_MOBILE_REACTION_S + 0.5 * v * v / GB_MOBILE_BRAKE_M_S2 +
                        GB_MOBILE_SEPARATION_M;
        assert_true(fabs(needed - gap) < 1e-9);
    }
}

/* ---- teacher, pictures ------------------------------------------------------------------------
 */

/* Where people stand around grows dearer: what is kept of the known field changes no bit of the
 * plan. */
static void a_field_solved_again_is_the_field(void **state)
{
    (void)state;
    gb_plant *plant = new_plant();
    gb_mobile *machine = machine_of(plant);
    gb_mobile_field *whole = malloc(sizeof *whole);
    assert_non_null(whole);
    for (uint64_t seed = 0; seed < 40; seed++) {
        assert_int_equal(gb_plant_reset(plant, seed, NULL), GB_OK);
        double cx = 12.0 * (double)gb_random_uniform(seed, 95, 0) - 6.0;
        double cy = 7.0 * (double)gb_random_uniform(seed, 95, 1) - 3.5;
        float kept = GB_MOBILE_BLOCKED;
        machine->plan_grid = machine->grid;
        for (int i = 0; i < GB_MOBILE_CELLS; i++) {
            double x = (i % GB_MOBILE_CELLS_X + 0.5) * GB_MOBILE_CELL_M - GB_MOBILE_HALF_X_M;
            double y = (i / GB_MOBILE_CELLS_X + 0.5) * GB_MOBILE_CELL_M - GB_MOBILE_HALF_Y_M;
            double away = hypot(x - cx, y - cy);
            if (seed == 0 || away > 1.5 || machine->grid.slowness[i] >= GB_MOBILE_BLOCKED)
                continue; /* seed 0: nothing changes */
            machine->plan_grid.slowness[i] += (float)(1.5 - away);
            kept = fminf(kept, machine->route.cost[i]);
        }
        gb_mobile_field_solve(&machine->plan_grid, machine->goal[0], machine->goal[1], whole);
        gb_mobile_field_solve_again(&machine->route, kept, &machine->plan_grid, machine->x,
                                    machine->y, &machine->plan);
        double here = gb_mobile_field_cost(whole, machine->x, machine->y);
        int compared = 0;
        for (int i = 0; i < GB_MOBILE_CELLS; i++)
            if ((double)whole->cost[i] <= here) {
                assert_true(machine->plan.cost[i] == whole->cost[i]);
                compared++;
            }
        assert_true(compared > 100);
    }
    free(whole);
    gb_plant_destroy(plant);
}

static void the_teacher_arrives(void **state)
{
    (void)state;
    gb_plant *plant = new_plant();
    int succeeded = 0;
    for (uint64_t seed = 0; seed < 24; seed++) {
        assert_int_equal(gb_plant_reset(plant, 5000 + seed, NULL), GB_OK);
        gb_plant_result result = {0};
        while (!result.done) {
            double action[2];
            assert_int_equal(gb_plant_teach(plant, action), GB_OK);
            assert_int_equal(gb_plant_step(plant, action, NULL, &result), GB_OK);
        }
        assert_false(result.failed);
        succeeded += result.success;
    }
    assert_true(succeeded >= 21);
    gb_plant_destroy(plant);
}

static void the_picture_fits(void **state)
{
    (void)state;
    gb_plant *plant = new_plant();
    gb_plant_shape shapes[GB_PLANT_SHAPES_MAX];
    const double action[2] = {5.0, 6.0};
    for (uint64_t seed = 0; seed < 50; seed++) {
        assert_int_equal(gb_plant_reset(plant, seed, NULL), GB_OK);
        int count = gb_plant_draw(plant, NULL, action, shapes, GB_PLANT_SHAPES_MAX);
        assert_true(count > 20 && count < GB_PLANT_SHAPES_MAX);
        for (int i = 0; i < count; i++)
            assert_true(shapes[i].point_count > 0 &&
                        shapes[i].point_count <= GB_PLANT_SHAPE_POINTS);
        assert_int_equal(gb_plant_draw(plant, NULL, action, shapes, 3), 3);
    }
    gb_plant_destroy(plant);
}

static void cameras_see_something(void **state)
{
    (void)state;
    gb_plant *plant = new_plant();
    static unsigned char rgb[64 * 96 * 3];
    gb_status status = gb_plant_render(plant, 0, 96, 64, rgb);
    if (status == GB_ERR_UNSUPPORTED) {
        gb_plant_destroy(plant);
        skip();
    }
    for (int camera = 0; camera < 2; camera++) {
        assert_int_equal(gb_plant_render(plant, camera, 96, 64, rgb), GB_OK);
        int least = 255, most = 0;
        for (size_t i = 0; i < sizeof rgb; i++) {
            least = rgb[i] < least ? rgb[i] : least;
            most = rgb[i] > most ? rgb[i] : most;
        }
        assert_true(most - least > 60);
    }
    assert_int_equal(gb_plant_render(plant, 2, 96, 64, rgb), GB_ERR_UNSUPPORTED);
    /* looking changes nothing */
    gb_plant *other = new_plant();
    run_steps(plant, 1, 0, 20);
    assert_int_equal(gb_plant_render(plant, 1, 96, 64, rgb), GB_OK);
    run_steps(other, 1, 0, 20);
    run_steps(plant, 1, 20, 40);
    run_steps(other, 1, 20, 40);
    assert_same_bits(plant, other);
    gb_plant_destroy(plant);
    gb_plant_destroy(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_same_bits),
        cmocka_unit_test(ticks_are_steps),
        cmocka_unit_test(a_snapshot_is_exact),
        cmocka_unit_test(what_is_not_finite_is_refused),
        cmocka_unit_test(ranges_by_hand),
        cmocka_unit_test(ranges_of_mujoco),
        cmocka_unit_test(people_are_told_from_racks),
        cmocka_unit_test(driving_at_a_person_is_too_close),
        cmocka_unit_test(a_standing_robot_is_not_at_fault),
        cmocka_unit_test(racks_and_walls_are_hit),
        cmocka_unit_test(the_allowed_speed_leaves_room_to_stop),
        cmocka_unit_test(a_field_solved_again_is_the_field),
        cmocka_unit_test(the_teacher_arrives),
        cmocka_unit_test(the_picture_fits),
        cmocka_unit_test(cameras_see_something),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
