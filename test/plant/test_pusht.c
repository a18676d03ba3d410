/* The pushing table's own promises: published starts, coverage, symmetry, picture. */
#include "genba/plant.h"
#include "plant/polygon.h"
#include "plant/pusht.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define TWO_PI 6.28318530717958647693

static gb_plant *new_plant(void)
{
    gb_plant *plant = NULL;
    assert_int_equal(gb_plant_create("pusht", NULL, &plant), GB_OK);
    return plant;
}

static void published_start_of_seed_100000(void **state)
{
    (void)state;
    gb_pusht_start start = gb_pusht_legacy_start(100000);
    assert_true(start.agent_x_px == 235.0 && start.agent_y_px == 124.0);
    assert_true(start.block_x_px == 335.0 && start.block_y_px == 128.0);
    assert_true(fabs(start.angle_rad - -0.904927) < 5e-7);

    /* The block turns about its centre of gravity, 45 px below its origin. */
    double now[5], t = start.angle_rad;
    gb_plant *plant = new_plant();
    assert_int_equal(gb_plant_reset(plant, 100000, now), GB_OK);
    assert_true(fabs(now[0] - 235.0) < 1e-12 && fabs(now[1] - 124.0) < 1e-12);
    assert_true(fabs(now[2] - (335.0 + 45.0 * sin(t))) < 1e-9);
    assert_true(fabs(now[3] - (128.0 + 45.0 - 45.0 * cos(t))) < 1e-9);
    assert_true(fabs(now[4] - (t + TWO_PI)) < 1e-9);
    gb_plant_destroy(plant);
}

static void starts_stay_in_their_ranges(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 2000; seed++) {
        gb_pusht_start start = gb_pusht_legacy_start(seed);
        assert_true(start.agent_x_px >= 50 && start.agent_x_px < 450);
        assert_true(start.agent_y_px >= 50 && start.agent_y_px < 450);
        assert_true(start.block_x_px >= 100 && start.block_x_px < 400);
        assert_true(start.block_y_px >= 100 && start.block_y_px < 400);
        assert_true(isfinite(start.angle_rad));
    }
}

/* ---- coverage ---------------------------------------------------------------------------------
 */

static int inside_tee(double x, double y)
{
    return (x > -60 && x < 60 && y > 0 && y <= 30) || (x > -15 && x < 15 && y > 30 && y < 120);
}

/* The share of the goal's grid points that lie in a block at this pose. */
static double coverage_by_counting(double x_px, double y_px, double angle_rad)
{
    const double pitch = 0.25;
    double goal_c = cos(GB_PUSHT_GOAL_ANGLE_RAD), goal_s = sin(GB_PUSHT_GOAL_ANGLE_RAD);
    double c = cos(angle_rad), s = sin(angle_rad);
    int goal = 0, both = 0;
    for (double v = 0.5 * pitch; v < 120.0; v += pitch) {
        for (double u = -60.0 + 0.5 * pitch; u < 60.0; u += pitch) {
            if (!inside_tee(u, v))
                continue;
            double dx = GB_PUSHT_GOAL_X_PX + goal_c * u - goal_s * v - x_px;
            double dy = GB_PUSHT_GOAL_Y_PX + goal_s * u + goal_c * v - y_px;
            goal++;
            both += inside_tee(c * dx + s * dy, -s * dx + c * dy);
        }
    }
    return (double)both / goal;
}

static void coverage_agrees_with_counting(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 60; i++) {
        double spread = i < 20 ? 5.0 : i < 40 ? 40.0 : 150.0;
        double x = 256.0 + spread * (double)gb_random_normal(1, 0, i);
        double y = 256.0 + spread * (double)gb_random_normal(1, 1, i);
        double angle =
            GB_PUSHT_GOAL_ANGLE_RAD + (i < 20 ? 0.1 : 6.0) * (double)gb_random_normal(1, 2, i);
        double exact = gb_pusht_coverage(x, y, angle);
        assert_true(fabs(exact - coverage_by_counting(x, y, angle)) < 0.003);
    }
}

static void coverage_of_known_poses(void **state)
{
    (void)state;
    const double g = GB_PUSHT_GOAL_ANGLE_RAD;
    assert_true(fabs(gb_pusht_coverage(256, 256, g) - 1.0) < 1e-12);
    assert_true(fabs(gb_pusht_coverage(256, 256, g + 3.0 * TWO_PI) - 1.0) < 1e-9);
    assert_true(gb_pusht_coverage(0, 0, g) == 0.0);
    /* Ten pixels along the stem: the bar keeps 20 of its 30 px, of the stem the first 10 px come to
     * lie in what was the bar, and 80 of its 90 px in what was the stem: 120 x 20 + 30 x 90. */
    double along = gb_pusht_coverage(256 - 10 * sin(g), 256 + 10 * cos(g), g);
    assert_true(fabs(along - (120.0 * 20 + 30.0 * 90) / 6300.0) < 1e-9);
    /* Half a turn about the middle of the bar: the bars cover each other, the stems do not. */
    double half = gb_pusht_coverage(256 - 30 * sin(g), 256 + 30 * cos(g), g + TWO_PI / 2);
    assert_true(fabs(half - 3600.0 / 6300.0) < 1e-9);
}

static void shared_area_ignores_direction(void **state)
{
    (void)state;
    gb_polygon square = {4, {{0, 0}, {2, 0}, {2, 2}, {0, 2}}};
    gb_polygon triangle = {3, {{1, 1}, {5, 1}, {1, 5}}};
    gb_polygon reversed = {3, {{1, 5}, {5, 1}, {1, 1}}};
    assert_true(fabs(gb_polygon_shared_area(&square, &triangle) - 1.0) < 1e-12);
    assert_true(fabs(gb_polygon_shared_area(&square, &reversed) - 1.0) < 1e-12);
    assert_true(fabs(gb_polygon_shared_area(&reversed, &square) - 1.0) < 1e-12);
    gb_polygon inner = {4, {{0.5, 0.5}, {1, 0.5}, {1, 1}, {0.5, 1}}};
    assert_true(fabs(gb_polygon_shared_area(&inner, &square) - 0.25) < 1e-12);
    assert_true(fabs(gb_polygon_shared_area(&square, &square) - 4.0) < 1e-12);
    gb_polygon beside = {4, {{2, 0}, {4, 0}, {4, 2}, {2, 2}}}; /* shares an edge only */
    assert_true(gb_polygon_shared_area(&square, &beside) == 0.0);
}

/* ---- symmetry ----------------------------------------------------------------------------------
 */

/* The mirrored world must run as the mirror of the world, and be worth the same. */
static void the_mirrored_table_is_the_same_table(void **state)
{
    (void)state;
    gb_plant *plant = new_plant(), *mirrored = new_plant();
    const gb_plant_info *info = gb_plant_get_info(plant);
    const gb_plant_symmetry *mirror = &info->symmetries[0];
    const double start[5] = {120, 240, 250, 250, 0.3};
    double image[5], now[5], now_mirrored[5], twice[5];
    gb_plant_mirror_observation(info, mirror, start, image);
    gb_plant_mirror_observation(info, mirror, image, twice);
    for (int k = 0; k < 5; k++)
        assert_true(fabs(twice[k] - start[k]) < 1e-9);
    assert_int_equal(gb_plant_set_state(plant, start), GB_OK);
    assert_int_equal(gb_plant_set_state(mirrored, image), GB_OK);
    for (int i = 0; i < 12; i++) {
        double action[2] = {150 + 12 * i, 245 + 3 * i}, action_image[2];
        gb_plant_mirror_action(info, mirror, action, action_image);
        gb_plant_result a, b;
        assert_int_equal(gb_plant_step(plant, action, now, &a), GB_OK);
        assert_int_equal(gb_plant_step(mirrored, action_image, now_mirrored, &b), GB_OK);
        gb_plant_mirror_observation(info, mirror, now, image);
        for (int k = 0; k < 5; k++)
            assert_true(fabs(image[k] - now_mirrored[k]) < 1e-2);
        assert_true(fabs(a.progress - b.progress) < 1e-3);
    }
    assert_true(fabs(now[2] - start[2]) > 5.0); /* the block was pushed at all */
    gb_plant_destroy(plant);
    gb_plant_destroy(mirrored);
}

/* ---- state and picture -------------------------------------------------------------------------
 */

static void a_state_is_taken_as_it_is(void **state)
{
    (void)state;
    gb_plant *plant = new_plant();
    const double wanted[5] = {100.5, 200.25, 256, 256, GB_PUSHT_GOAL_ANGLE_RAD};
    double now[5];
    assert_int_equal(gb_plant_set_state(plant, wanted), GB_OK);
    gb_plant_observe(plant, now);
    for (int k = 0; k < 5; k++)
        assert_true(fabs(now[k] - wanted[k]) < 1e-9);
    gb_plant_result result;
    assert_int_equal(gb_plant_step(plant, wanted, now, &result), GB_OK);
    assert_true(result.done && result.success && result.score == 1.0);
    gb_plant_destroy(plant);
}

static void the_picture_has_every_role(void **state)
{
    (void)state;
    gb_plant *plant = new_plant();
    gb_plant_shape shapes[GB_PLANT_SHAPES_MAX];
    const double action[2] = {10, 20};
    int count = gb_plant_draw(plant, NULL, action, shapes, GB_PLANT_SHAPES_MAX);
    const char *roles[] = {"wall", "goal", "block", "agent", "target"};
    for (int r = 0; r < 5; r++) {
        int found = 0;
        for (int i = 0; i < count; i++)
            found += strcmp(shapes[i].role, roles[r]) == 0;
        assert_true(found > 0);
    }
    assert_int_equal(gb_plant_draw(plant, NULL, NULL, shapes, GB_PLANT_SHAPES_MAX), count - 1);
    assert_int_equal(gb_plant_draw(plant, NULL, action, shapes, 3), 3);
    const double home[5] = {50, 60, 256, 256, GB_PUSHT_GOAL_ANGLE_RAD};
    count = gb_plant_draw(plant, home, NULL, shapes, GB_PLANT_SHAPES_MAX);
    assert_memory_equal(shapes[4].points, shapes[5].points, 8 * sizeof shapes[4].points[0]);
    assert_true(shapes[count - 1].points[0][0] == 50.0 && shapes[count - 1].points[0][1] == 60.0);
    gb_plant_destroy(plant);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_start_of_seed_100000),
        cmocka_unit_test(starts_stay_in_their_ranges),
        cmocka_unit_test(coverage_agrees_with_counting),
        cmocka_unit_test(coverage_of_known_poses),
        cmocka_unit_test(shared_area_ignores_direction),
        cmocka_unit_test(the_mirrored_table_is_the_same_table),
        cmocka_unit_test(a_state_is_taken_as_it_is),
        cmocka_unit_test(the_picture_has_every_role),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
