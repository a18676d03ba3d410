/* The MuJoCo base: models that do not compile, physics that breaks, pictures; never an exit, a line
 * on the terminal or a log file. */
#include "plant/mujoco.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "plant/mesa.h"

static const char ball[] =
    "<mujoco><option timestep='0.001'/><worldbody>"
    "<light pos='0 0 3'/><camera name='front' pos='0 -2 1' xyaxes='1 0 0 0 0.4 1'/>"
    "<geom name='floor' type='plane' size='2 2 0.1' rgba='0.2 0.4 0.8 1'/>"
    "<body name='ball' pos='0 0 1'><freejoint name='free'/>"
    "<geom name='ball' type='sphere' size='0.2' mass='1' rgba='1 0 0 1'/><site name='middle'/>"
    "</body></worldbody><actuator><motor name='push' site='middle' gear='1 0 0 0 0 0'/></actuator>"
    "<sensor><accelerometer name='acceleration' site='middle'/></sensor></mujoco>";

static gb_status load(const char *xml, gb_mujoco *out)
{
    return gb_mujoco_load("toy", (const unsigned char *)xml, strlen(xml), out);
}

static void a_falling_ball_falls(void **state)
{
    (void)state;
    gb_mujoco toy;
    assert_int_equal(load(ball, &toy), GB_OK);
    for (int i = 0; i < 300; i++)
        assert_true(gb_mujoco_step(&toy));
    assert_true(fabs(toy.data->qpos[2] - (1.0 - 0.5 * 9.81 * 0.3 * 0.3)) < 2e-3);
    for (int i = 0; i < 3000; i++)
        assert_true(gb_mujoco_step(&toy));
    assert_true(fabs(toy.data->qpos[2] - 0.2) < 1e-3);
    gb_mujoco_reset(&toy);
    assert_true(toy.data->time == 0.0 && toy.data->qpos[2] == 1.0);
    gb_mujoco_free(&toy);
    gb_mujoco_free(&toy); /* zeroed: harmless */
}

static void names_are_found_or_named(void **state)
{
    (void)state;
    gb_mujoco toy;
    assert_int_equal(load(ball, &toy), GB_OK);
    int id = -1;
    assert_int_equal(gb_mujoco_find(&toy, mjOBJ_BODY, "ball", &id), GB_OK);
    assert_int_equal(id, 1);
    assert_int_equal(gb_mujoco_find(&toy, mjOBJ_JOINT, "elbow", &id), GB_ERR_NOT_FOUND);
    assert_non_null(strstr(gb_error_message(), "elbow"));
    assert_non_null(strstr(gb_error_message(), "joint"));
    assert_int_equal(id, 1);
    assert_int_equal(gb_mujoco_find_sensor(&toy, "acceleration", 3, &id), GB_OK);
    assert_int_equal(id, 0);
    assert_int_equal(gb_mujoco_find_sensor(&toy, "acceleration", 1, &id), GB_ERR_SHAPE);
    gb_mujoco_free(&toy);
}

static void bad_models_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "<",
        "not a model",
        "<mujoco><worldbody><geom type='donut'/></worldbody></mujoco>",
        "<mujoco><worldbody><geom type='sphere' size='-1'/></worldbody></mujoco>",
        "<mujoco><worldbody><body><freejoint/></body></worldbody></mujoco>",
        "<mujoco><worldbody><geom type='mesh' mesh='none'/></worldbody></mujoco>",
        "<mujoco><include file='/etc/passwd'/></mujoco>",
        "<mujoco><asset><mesh name='m' file='missing.stl'/></asset></mujoco>",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        gb_mujoco toy = {.plant = "untouched"};
        assert_int_equal(load(bad[i], &toy), GB_ERR_PARSE);
        assert_non_null(strstr(gb_error_message(), "plant toy"));
        assert_string_equal(toy.plant, "untouched");
    }
    assert_int_equal(load(bad[3], &(gb_mujoco){0}), GB_ERR_PARSE);
    assert_non_null(strstr(gb_error_message(), "donut"));
}

/* Cut anywhere it is refused (but for blanks at the end). */
static void cut_models_are_refused(void **state)
{
    (void)state;
    for (size_t bytes = 0; bytes < sizeof ball - 1; bytes += 7) {
        gb_mujoco toy;
        assert_int_equal(gb_mujoco_load("toy", (const unsigned char *)ball, bytes, &toy),
                         GB_ERR_PARSE);
    }
}

static void broken_physics_stays_broken_until_reset(void **state)
{
    (void)state;
    gb_mujoco toy;
    assert_int_equal(load(ball, &toy), GB_OK);
    toy.data->qvel[0] = NAN;
    assert_false(gb_mujoco_step(&toy));
    assert_true(toy.broken);
    assert_true(strlen(toy.why) > 0);
    double time = toy.data->time;
    assert_false(gb_mujoco_step(&toy));
    assert_true(toy.data->time == time);
    gb_mujoco_reset(&toy);
    assert_true(gb_mujoco_step(&toy));
    toy.data->ctrl[0] = 1e300;
    bool moves = true;
    for (int i = 0; i < 100 && moves; i++)
        moves = gb_mujoco_step(&toy);
    assert_false(moves);
    gb_mujoco_free(&toy);
    assert_int_equal(access("MUJOCO_LOG.TXT", F_OK), -1);
}

static void an_error_inside_is_a_status(void **state)
{
    (void)state;
    /* Stack for a few numbers: the first contacts overflow it, which MuJoCo answers by mju_error.
     */
    static const char small[] =
        "<mujoco><size nstack='100'/><worldbody><geom type='plane' size='2 2 .1'/>"
        "<body pos='0 0 .1'><freejoint/><geom type='box' size='.2 .2 .2'/></body>"
        "</worldbody></mujoco>";
    gb_mujoco toy;
    gb_status status = load(small, &toy);
    if (status == GB_OK) {
        assert_false(gb_mujoco_step(&toy));
        assert_non_null(strstr(toy.why, "stack"));
        gb_mujoco_free(&toy);
    } else {
        assert_int_equal(status, GB_ERR_PARSE);
    }
    assert_int_equal(access("MUJOCO_LOG.TXT", F_OK), -1);
}

static void a_picture_shows_the_ball(void **state)
{
    (void)state;
    gb_mujoco toy;
    assert_int_equal(load(ball, &toy), GB_OK);
    assert_true(gb_mujoco_forward(&toy));
    enum {
        WIDTH = 64,
        HEIGHT = 48
    };
    unsigned char *rgb = calloc(2 * WIDTH * 2 * HEIGHT, 3);
    assert_non_null(rgb);
    gb_status status = gb_mujoco_render(&toy, "front", WIDTH, HEIGHT, rgb);
    if (status == GB_ERR_UNSUPPORTED) {
        gb_mujoco_free(&toy);
        free(rgb);
        print_message("this build has no OSMesa\n");
        skip();
    }
    assert_int_equal(status, GB_OK);
    int red = 0, blue = 0, lowest_red = -1, lowest_blue = -1;
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        const unsigned char *pixel = rgb + 3 * i;
        bool is_red = pixel[0] > 80 && pixel[2] < 60;
        bool is_blue = pixel[2] > pixel[0] + 20;
        red += is_red;
        blue += is_blue;
        lowest_red = is_red ? i / WIDTH : lowest_red;
        lowest_blue = is_blue ? i / WIDTH : lowest_blue;
    }
    assert_true(red > 20);
    assert_true(blue > 100);
    assert_true(lowest_red < lowest_blue); /* rows run from the top: the floor is below */
    assert_int_equal(gb_mujoco_render(&toy, "front", 2 * WIDTH, 2 * HEIGHT, rgb), GB_OK);
    assert_int_equal(gb_mujoco_render(&toy, "front", WIDTH, HEIGHT, rgb), GB_OK);
    assert_int_equal(gb_mujoco_render(&toy, "back", WIDTH, HEIGHT, rgb), GB_ERR_NOT_FOUND);
    free(rgb);
    gb_mujoco_free(&toy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_falling_ball_falls),
        cmocka_unit_test(names_are_found_or_named),
        cmocka_unit_test(bad_models_are_refused),
        cmocka_unit_test(cut_models_are_refused),
        cmocka_unit_test(broken_physics_stays_broken_until_reset),
        cmocka_unit_test(an_error_inside_is_a_status),
        cmocka_unit_test(a_picture_shows_the_ball),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
