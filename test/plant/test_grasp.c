/* The grasping arm: what is felt obeys mechanics, what must not happen is noticed, the teacher
 * lifts what it has never weighed. */
#include "plant/grasp.h"
#include "plant/mujoco.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "plant/mesa.h"

static gb_plant *new_plant(void)
{
    gb_plant *plant = NULL;
    assert_int_equal(gb_plant_create("grasp", NULL, &plant), GB_OK);
    return plant;
}

static gb_grasp_observation look(const gb_plant *plant)
{
    gb_grasp_observation seen;
    gb_plant_observe(plant, (double *)&seen);
    return seen;
}

/* One step of the teacher's, its grip replaced by force_n unless that is NAN. */
static gb_plant_result step(gb_plant *plant, double force_n)
{
    gb_grasp_action action;
    gb_plant_result result;
    assert_int_equal(gb_plant_teach(plant, (double *)&action), GB_OK);
    if (!isnan(force_n) && action.grip_n > 0.0)
        action.grip_n = force_n;
    assert_int_equal(gb_plant_step(plant, (double *)&action, NULL, &result), GB_OK);
    return result;
}

static gb_plant_result episode(gb_plant *plant, uint64_t seed, double force_n)
{
    gb_plant_result result = {0};
    assert_int_equal(gb_plant_reset(plant, seed, NULL), GB_OK);
    while (!result.done)
        result = step(plant, force_n);
    return result;
}

/* The place first drawn for seed 500139 is within the hand, where 20 N press from the start. */
static void nothing_is_touched_at_the_start(void **state)
{
    (void)state;
    static const uint64_t seeds[] = {500139, 1, 2, 3};
    gb_plant *plant = new_plant();
    gb_grasp_action stay = {.grip_n = 0.0};
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        assert_int_equal(gb_plant_reset(plant, seeds[i], NULL), GB_OK);
        gb_grasp_observation seen = look(plant);
        memcpy(stay.joints, seen.arm_position, sizeof stay.joints);
        for (int n = 0; n < 5; n++)
            assert_int_equal(gb_plant_step(plant, (double *)&stay, NULL, NULL), GB_OK);
        seen = look(plant);
        assert_true(fabs(seen.touch_normal[0]) < 0.5 && fabs(seen.touch_normal[1]) < 0.5);
    }
    gb_plant_destroy(plant);
}

static void the_teacher_lifts_what_it_has_never_weighed(void **state)
{
    (void)state;
    gb_plant *plant = new_plant();
    int lifted = 0;
    for (uint64_t seed = 0; seed < 30; seed++) {
        gb_plant_result result = episode(plant, seed, NAN);
        assert_true(result.success == (result.max_progress > 0.999));
        lifted += result.success;
    }
    assert_true(lifted >= 27);
    gb_plant_destroy(plant);
}

static void too_much_force_crushes_and_too_little_drops(void **state)
{
    (void)state;
    gb_plant *plant = new_plant();
    int crushed = 0, lifted = 0;
    for (uint64_t seed = 0; seed < 10; seed++) {
        gb_plant_result result = episode(plant, seed, 55.0);
        crushed += result.failed && strcmp(result.verdict, "crushed") == 0;
        assert_true(!result.failed || (result.done && !result.success));
        lifted += episode(plant, seed, 0.5).success;
    }
    assert_int_equal(crushed, 10);
    assert_true(lifted <= 2);
    /* Held high, then let go. */
    gb_plant_result result = {0};
    assert_int_equal(gb_plant_reset(plant, 3, NULL), GB_OK);
    while (result.progress < 0.6)
        result = step(plant, NAN);
    for (int i = 0; i < 25 && !result.done; i++) {
        gb_grasp_observation seen = look(plant);
        gb_grasp_action action = {.grip_n = -5.0};
        memcpy(action.joints, seen.arm_position, sizeof action.joints);
        assert_int_equal(gb_plant_step(plant, (double *)&action, NULL, &result), GB_OK);
    }
    assert_true(result.failed && result.done && !result.success);
    assert_string_equal(result.verdict, "dropped");
    gb_plant_destroy(plant);
}

/* Kinematics against themselves and against the engine's: the object hangs between the pads. */
static void kinematics_agree(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 200; i++) {
        double reach = 0.3 + 0.2 * (double)gb_random_uniform(1, 0, i);
        double azimuth = -1.0 + 2.0 * (double)gb_random_uniform(1, 1, i);
        double at[3] = {reach * cos(azimuth), reach * sin(azimuth),
                        0.02 + 0.2 * (double)gb_random_uniform(1, 2, i)};
        double yaw = -0.7 + 1.4 * (double)gb_random_uniform(1, 3, i), joints[5], there[3], turn[4];
        gb_grasp_inverse(at, yaw, joints);
        gb_grasp_forward(joints, there, turn);
        for (int k = 0; k < 3; k++)
            assert_true(fabs(there[k] - at[k]) < 1e-9);
        /* x of the hand points down; y is turned by yaw. */
        double down = 2 * (turn[1] * turn[3] - turn[0] * turn[2]);
        double across = 2 * (turn[1] * turn[2] - turn[0] * turn[3]);
        assert_true(fabs(down + 1.0) < 1e-9);
        assert_true(fabs(across + sin(yaw)) < 1e-9);
        const double straight[4] = {cos(yaw / 2), 0, 0, sin(yaw / 2)};
        assert_true(fabs(gb_grasp_turn(joints, straight)) < 1e-9);
    }
}

/* Kinematics against the engine's: where the model's pads are, and how its hand is turned. */
static void kinematics_are_the_model_s(void **state)
{
    (void)state;
    gb_mujoco body;
    assert_int_equal(
        gb_mujoco_load("grasp", gb_plant_asset_grasp, gb_plant_asset_grasp_size, &body), GB_OK);
    int left = 0, right = 0, hand = 0;
    assert_int_equal(gb_mujoco_find(&body, mjOBJ_GEOM, "left_pad", &left), GB_OK);
    assert_int_equal(gb_mujoco_find(&body, mjOBJ_GEOM, "right_pad", &right), GB_OK);
    assert_int_equal(gb_mujoco_find(&body, mjOBJ_BODY, "hand", &hand), GB_OK);
    for (uint64_t i = 0; i < 50; i++) {
        double joints[5], position[3], rotation[4];
        for (int k = 0; k < 5; k++) { /* the model's first five coordinates are the arm's */
            double part = (double)gb_random_uniform(2, (uint64_t)k, i);
            joints[k] =
                gb_grasp_joints_low[k] + part * (gb_grasp_joints_high[k] - gb_grasp_joints_low[k]);
            body.data->qpos[k] = joints[k];
        }
        assert_true(gb_mujoco_forward(&body));
        gb_grasp_forward(joints, position, rotation);
        const double *a = body.data->geom_xpos + 3 * left, *b = body.data->geom_xpos + 3 * right;
        double same = 0.0;
        for (int k = 0; k < 3; k++)
            assert_true(fabs((a[k] + b[k]) / 2 - position[k]) < 1e-6);
        for (int k = 0; k < 4; k++)
            same += rotation[k] * body.data->xquat[4 * hand + k];
        assert_true(fabs(fabs(same) - 1.0) < 1e-9);
    }
    gb_mujoco_free(&body);
}

/* A held object hangs on the pads: the tangential forces carry its weight, and friction bounds
 * them. Mass and friction are read off the same draw as the plant's, recomputed here from the text
 * of the description: log-uniform 0.1..1 kg and 0.3..1. */
static void touch_obeys_mechanics(void **state)
{
    (void)state;
    gb_plant *plant = new_plant();
    for (uint64_t seed = 0; seed < 12; seed++) {
        double mass = 0.1 * pow(10.0, (double)gb_random_uniform(seed, 0, 0));
        double friction = 0.3 * pow(1.0 / 0.3, (double)gb_random_uniform(seed, 0, 1));
        gb_plant_result result = {0};
        double load = 0.0, normal[2] = {0}, opening = 0.0, size = 0.0, below[3] = {0};
        int count = 0;
        assert_int_equal(gb_plant_reset(plant, seed, NULL), GB_OK);
        while (!result.done) {
            result = step(plant, NAN);
            if (result.progress < 0.72) /* held still at the height */
                continue;
            gb_grasp_observation seen = look(plant);
            load += seen.touch_tangential[0] + seen.touch_tangential[1];
            normal[0] += seen.touch_normal[0];
            normal[1] += seen.touch_normal[1];
            opening += seen.hand_opening[0];
            size += seen.object_size[1];
            for (int k = 0; k < 2; k++)
                below[k] += seen.object_position[k] - seen.hand_position[k];
            count++;
        }
        assert_true(result.success && count > 5);
        load /= count;
        assert_true(fabs(load - mass * 9.81) < 0.03 * mass * 9.81 + 0.05);
        assert_true((normal[0] + normal[1]) / count * friction > 0.97 * load);
        assert_true(fabs(normal[0] - normal[1]) / count < 0.15 * normal[0] / count + 0.3);
        assert_true(fabs(opening - size) / count < 0.003);
        assert_true(hypot(below[0], below[1]) / count < 0.02);
    }
    gb_plant_destroy(plant);
}

static void same_seed_same_bits(void **state)
{
    (void)state;
    gb_plant *a = new_plant(), *b = new_plant();
    for (int i = 0; i < 70; i++)
        step(b, NAN); /* what happened before must not matter */
    for (uint64_t seed = 5; seed < 8; seed++) {
        assert_int_equal(gb_plant_reset(a, seed, NULL), GB_OK);
        assert_int_equal(gb_plant_reset(b, seed, NULL), GB_OK);
        for (int i = 0; i < 120; i++) {
            gb_plant_result ra = step(a, NAN), rb = step(b, NAN);
            gb_grasp_observation left = look(a), right = look(b);
            assert_memory_equal(&left, &right, sizeof left);
            assert_true(ra.progress == rb.progress && ra.done == rb.done);
        }
    }
    gb_plant_destroy(a);
    gb_plant_destroy(b);
}

static void a_snapshot_restores_to_the_bit(void **state)
{
    (void)state;
    gb_plant *plant = new_plant();
    size_t bytes = gb_plant_snapshot_bytes(plant);
    void *snapshot = malloc(bytes);
    assert_non_null(snapshot);
    assert_int_equal(gb_plant_reset(plant, 11, NULL), GB_OK);
    for (int i = 0; i < 80; i++)
        step(plant, NAN);
    gb_grasp_observation there = look(plant);
    assert_int_equal(gb_plant_save(plant, snapshot, bytes), GB_OK);
    for (int i = 0; i < 20; i++)
        step(plant, 30.0);
    assert_int_equal(gb_plant_restore(plant, snapshot, bytes), GB_OK);
    gb_grasp_observation again = look(plant);
    assert_memory_equal(&there, &again, sizeof there);
    free(snapshot);
    gb_plant_destroy(plant);
}

static void bad_numbers_are_refused(void **state)
{
    (void)state;
    gb_plant *plant = new_plant();
    gb_grasp_observation before = look(plant);
    double action[6] = {0, 1, -2, -0.5, 0, 0};
    for (int i = 0; i < 6; i++) {
        double keep = action[i];
        action[i] = NAN;
        assert_int_equal(gb_plant_step(plant, action, NULL, NULL), GB_ERR_NUMERIC);
        action[i] = keep;
    }
    gb_grasp_observation after = look(plant);
    assert_memory_equal(&before, &after, sizeof before);
    double state_of[GB_GRASP_OBSERVATION_SIZE];
    gb_plant_observe(plant, state_of);
    assert_int_equal(gb_plant_set_state(plant, state_of), GB_OK);
    state_of[3] = INFINITY;
    assert_int_equal(gb_plant_set_state(plant, state_of), GB_ERR_NUMERIC);
    state_of[3] = 50.0;
    assert_int_equal(gb_plant_set_state(plant, state_of), GB_ERR_ARGUMENT);
    gb_plant_destroy(plant);
}

/* Whatever is commanded, the observation stays finite. */
static void wild_commands_stay_finite(void **state)
{
    (void)state;
    gb_plant *plant = new_plant();
    for (uint64_t seed = 0; seed < 6; seed++) {
        gb_plant_result result = {0};
        assert_int_equal(gb_plant_reset(plant, seed, NULL), GB_OK);
        for (int i = 0; !result.done; i++) {
            double action[6], seen[GB_GRASP_OBSERVATION_SIZE];
            for (int k = 0; k < 6; k++)
                action[k] = 1e9 * ((double)gb_random_uniform(seed, k, i) - 0.5);
            assert_int_equal(gb_plant_step(plant, action, seen, &result), GB_OK);
            for (int k = 0; k < GB_GRASP_OBSERVATION_SIZE; k++)
                assert_true(isfinite(seen[k]));
        }
        assert_false(result.success);
    }
    gb_plant_destroy(plant);
}

static void pictures_and_drawings_show_something(void **state)
{
    (void)state;
    gb_plant *plant = new_plant();
    gb_plant_shape shapes[GB_PLANT_SHAPES_MAX];
    double action[6];
    assert_int_equal(gb_plant_teach(plant, action), GB_OK);
    assert_true(gb_plant_draw(plant, NULL, action, shapes, GB_PLANT_SHAPES_MAX) >= 8);
    assert_int_equal(gb_plant_draw(plant, NULL, action, shapes, 3), 3);
    enum {
        SIZE = 96
    };
    unsigned char *rgb = calloc(SIZE * SIZE, 3);
    assert_non_null(rgb);
    for (int camera = 0; camera < 2; camera++) {
        gb_status status = gb_plant_render(plant, camera, SIZE, SIZE, rgb);
        if (status == GB_ERR_UNSUPPORTED) {
            print_message("this build has no OSMesa\n");
            break;
        }
        assert_int_equal(status, GB_OK);
        int orange = 0;
        for (int i = 0; i < SIZE * SIZE; i++)
            orange += rgb[3 * i] > 90 && rgb[3 * i + 2] < rgb[3 * i] / 2;
        assert_true(camera == 1 || orange > 10);
        assert_true(memcmp(rgb, rgb + SIZE * SIZE, SIZE) != 0);
    }
    assert_int_equal(gb_plant_render(plant, 2, SIZE, SIZE, rgb), GB_ERR_UNSUPPORTED);
    free(rgb);
    gb_plant_destroy(plant);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_touched_at_the_start),
        cmocka_unit_test(the_teacher_lifts_what_it_has_never_weighed),
        cmocka_unit_test(too_much_force_crushes_and_too_little_drops),
        cmocka_unit_test(kinematics_agree),
        cmocka_unit_test(kinematics_are_the_model_s),
        cmocka_unit_test(touch_obeys_mechanics),
        cmocka_unit_test(same_seed_same_bits),
        cmocka_unit_test(a_snapshot_restores_to_the_bit),
        cmocka_unit_test(bad_numbers_are_refused),
        cmocka_unit_test(wild_commands_stay_finite),
        cmocka_unit_test(pictures_and_drawings_show_something),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
