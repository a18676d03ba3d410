/* The features of poses: those of PushT written by hand, and the general rule on other scenes. */
#include "tensor/op_fixture.h"

#define PUSHT_WIDTH 63

static const float T_CORNERS[8][2] = {{-60, 0},  {60, 0},    {60, 30},  {15, 30},
                                      {15, 120}, {-15, 120}, {-15, 30}, {-60, 30}};
static const int EIGHT[1] = {8}, YES[1] = {1};
static const float GOAL[3] = {256.0f, 256.0f, 0.78539816f};

static gb_poses pusht_poses(void)
{
    return (gb_poses){.frames = 2,
                      .bodies = 1,
                      .points = 1,
                      .landmark_counts = EIGHT,
                      .landmarks = &T_CORNERS[0][0],
                      .goal_of = YES,
                      .goals = GOAL,
                      .center_x = 256.0f,
                      .center_y = 256.0f,
                      .world_scale = 256.0f,
                      .near_scale = 64.0f,
                      .fine_scale = 32.0f,
                      .motion_scale = 16.0f};
}

/* As a person would write them for PushT: block x, y, angle and agent x, y of two frames. */
static void pusht_features(const float state[2][5], double *out)
{
    double corner[8][2];
    for (int t = 0; t < 2; t++) {
        const double x = state[t][0], y = state[t][1], angle = state[t][2];
        for (int i = 0; i < 8; i++) {
            double u = T_CORNERS[i][0], v = T_CORNERS[i][1];
            corner[i][0] = x + cos(angle) * u - sin(angle) * v;
            corner[i][1] = y + sin(angle) * u + cos(angle) * v;
            *out++ = corner[i][0] / 256.0 - 1.0;
            *out++ = corner[i][1] / 256.0 - 1.0;
        }
        *out++ = state[t][3] / 256.0 - 1.0;
        *out++ = state[t][4] / 256.0 - 1.0;
    }
    double x = state[1][0], y = state[1][1], c = cos(state[1][2]), s = sin(state[1][2]);
    double agent_x = state[1][3], agent_y = state[1][4];
    *out++ = (c * (agent_x - x) + s * (agent_y - y)) / 64.0;
    *out++ = (-s * (agent_x - x) + c * (agent_y - y)) / 64.0;
    *out++ = (c * (256.0 - x) + s * (256.0 - y)) / 64.0;
    *out++ = (-s * (256.0 - x) + c * (256.0 - y)) / 64.0;
    *out++ = (x - 256.0) / 32.0;
    *out++ = (y - 256.0) / 32.0;
    double turn = (double)state[1][2] - (double)GOAL[2];
    *out++ = cos(turn);
    *out++ = sin(turn);
    *out++ = 4.0 * sin(turn);
    for (int i = 0; i < 8; i++) {
        *out++ = (corner[i][0] - agent_x) / 64.0;
        *out++ = (corner[i][1] - agent_y) / 64.0;
    }
    *out++ = (agent_x - state[0][3]) / 16.0;
    *out++ = (agent_y - state[0][4]) / 16.0;
}

static void test_pusht(void **state)
{
    (void)state;
    enum {
        BATCH = 300
    };
    gb_poses poses = pusht_poses();
    assert_int_equal(gb_poses_width(&poses), PUSHT_WIDTH);
    fixture f = fixture_begin(3, GB_F32);
    gb_value in = gb_graph_input(f.g, "state", GB_F32, GB_SHAPE(BATCH, 2, 5));
    gb_graph_output(f.g, "out", gb_op_poses(f.g, in, &poses));
    fixture_ready(&f, 2);
    float(*rows)[2][5] = (float(*)[2][5])fixture_data(&f, "state");
    for (int b = 0; b < BATCH; b++)
        for (int i = 0; i < 10; i++) {
            bool angle = i % 5 == 2;
            rows[b][i / 5][i % 5] =
                (angle ? 14.0f : 512.0f) * gb_random_uniform(3, 1, (uint64_t)(b * 10 + i)) -
                (angle ? 7.0f : 0.0f);
        }
    gb_exec_run(f.exec);
    const float *out = fixture_data(&f, "out");
    for (int b = 0; b < BATCH; b++) {
        double expected[PUSHT_WIDTH];
        pusht_features((const float(*)[5])rows[b], expected);
        for (int i = 0; i < PUSHT_WIDTH; i++)
            if (!(fabs((double)out[b * PUSHT_WIDTH + i] - expected[i]) < 1e-5))
                fail_msg("row %d feature %d is %g, expected %g", b, i,
                         (double)out[b * PUSHT_WIDTH + i], expected[i]);
    }
    fixture_end(&f);
}

/* Two bodies a quarter turn apart, one with a goal, no points, one frame. */
static void test_two_bodies(void **state)
{
    (void)state;
    const int counts[2] = {1, 0}, goal_of[2] = {0, 1};
    const float landmark[2] = {1.0f, 0.0f}, goals[6] = {NAN, NAN, NAN, 3.0f, 4.0f, 0.0f};
    gb_poses poses = {.frames = 1,
                      .bodies = 2,
                      .landmark_counts = counts,
                      .landmarks = landmark,
                      .goal_of = goal_of,
                      .goals = goals,
                      .world_scale = 2.0f,
                      .near_scale = 4.0f,
                      .fine_scale = 0.5f,
                      .motion_scale = 1.0f};
    assert_int_equal(gb_poses_width(&poses), 2 + 8 + 7);
    fixture f = fixture_begin(3, GB_F32);
    gb_value in = gb_graph_input(f.g, "state", GB_F32, GB_SHAPE(1, 1, 6));
    gb_graph_output(f.g, "out", gb_op_poses(f.g, in, &poses));
    fixture_ready(&f, 1);
    const float quarter = 1.57079633f, values[6] = {1, 1, quarter, 3, 2, 0};
    memcpy(fixture_data(&f, "state"), values, sizeof values);
    gb_exec_run(f.exec);
    const float expected[17] = {
        0.5f,  1.0f,                       /* the landmark (1, 2) in the world */
        0.25f, -0.5f,  0.0f, -1.0f,        /* the second body seen from the first */
        -0.5f, -0.25f, 0.0f, 1.0f,         /* the first seen from the second */
        0.0f,  0.5f,                       /* the goal seen from the second */
        0.0f,  -4.0f,  1.0f, 0.0f,  0.0f}; /* how far the second is from it */
    assert_near(fixture_data(&f, "out"), expected, 17, 1e-6, "two bodies");
    fixture_end(&f);
}

static void test_mistakes(void **state)
{
    (void)state;
    gb_poses poses = pusht_poses();
    fixture f = fixture_begin(1, GB_F32);
    gb_op_poses(f.g, gb_graph_input(f.g, "s", GB_F32, GB_SHAPE(4, 2, 6)), &poses);
    assert_mistake(&f, GB_ERR_SHAPE, "state is F32 [4, 2, 6], expected F32 [batch, 2, 5]");

    poses.near_scale = 0.0f;
    f = fixture_begin(1, GB_F32);
    gb_op_poses(f.g, gb_graph_input(f.g, "s", GB_F32, GB_SHAPE(4, 2, 5)), &poses);
    assert_mistake(&f, GB_ERR_ARGUMENT, "near 0");

    poses = pusht_poses();
    poses.frames = 0;
    assert_int_equal(gb_poses_width(&poses), 0);
    f = fixture_begin(1, GB_F32);
    gb_op_poses(f.g, gb_graph_input(f.g, "s", GB_F32, GB_SHAPE(4, 2, 5)), &poses);
    assert_mistake(&f, GB_ERR_ARGUMENT, "0 frames");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pusht),
        cmocka_unit_test(test_two_bodies),
        cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
