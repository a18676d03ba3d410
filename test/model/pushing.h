/* test/model/pushing.h: a small policy model of the pushing table and a data set for it, made of
 * numbers alone. */
#ifndef TEST_MODEL_PUSHING_H
#define TEST_MODEL_PUSHING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "genba/model.h"
#include "genba/plant.h"

#define pushing_ok(call)                                                                           \
    do {                                                                                           \
        if ((call) != GB_OK)                                                                       \
            fail_msg("%s", gb_error_message());                                                    \
    } while (0)

static float tee[16] = {-60, 0, 60, 0, 60, 30, 15, 30, 15, 120, -15, 120, -15, 30, -60, 30};
static float tee_goal[3] = {256, 256, 0.78539816f};
static float swap_negative[4] = {0, -1, -1, 0}, swap_offset[2] = {512, 512};
static gb_pose_body tee_body = {.name = "block",
                                .position = "block.position",
                                .angle = "block.angle",
                                .landmarks = tee,
                                .landmark_count = 16,
                                .goal = tee_goal,
                                .goal_count = 3};
static char *pushing_points[1] = {"agent.position"};
static gb_symmetry pushing_mirror = {
    .matrix = swap_negative, .matrix_count = 4, .offset = swap_offset, .offset_count = 2};

/* The network of examples/pusht.yaml, but small. */
static inline gb_model_config pushing_config(void)
{
    return (gb_model_config){.name = "pushing",
                             .codec = {.kind = GB_CODEC_POSES,
                                       .look_back = 2,
                                       .hidden = 64,
                                       .bodies = &tee_body,
                                       .body_count = 1,
                                       .points = pushing_points,
                                       .point_count = 1,
                                       .center = {256, 256},
                                       .world_scale = 256,
                                       .symmetries = &pushing_mirror,
                                       .symmetry_count = 1},
                             .backbone = {.width = 32},
                             .head = {.kind = GB_HEAD_FLOW,
                                      .horizon = 4,
                                      .action = "agent.target",
                                      .action_size = 2,
                                      .relative_to = "agent.position",
                                      .width = 32,
                                      .hidden = 64,
                                      .blocks = 2,
                                      .time_features = 16,
                                      .euler_steps = 2,
                                      .temperature = .5f,
                                      .execute = 2,
                                      .clip_low = 0,
                                      .clip_high = 512}};
}

enum {
    PUSHING_ROWS = 24
};

/* Row r of an episode: agent x y, block x y angle, action x y, all inside the table. */
static inline void pushing_row(uint64_t episode, int row, double out[7])
{
    for (uint64_t i = 0; i < 7; i++) {
        double start = 100.0 + 300.0 * (double)gb_random_uniform(5, episode, i);
        out[i] = start + 3.0 * row * ((double)gb_random_uniform(6, episode, i) - 0.5);
    }
    out[4] *= 0.01;
}

static inline gb_recording *pushing_recording(uint64_t episode, const gb_plant_symmetry *mirror)
{
    static const char *const names[4] = {"agent.position", "block.position", "block.angle",
                                         "agent.target"};
    static const int sizes[4] = {2, 2, 1, 2};
    const gb_plant_info *plant = NULL;
    pushing_ok(gb_plant_describe("pusht", &plant));
    gb_recording_builder *builder = NULL;
    gb_recording_info info = {.name = "pushing"};
    pushing_ok(gb_recording_builder_create(&info, &builder));
    for (int s = 0; s < 4; s++) {
        gb_stream_spec spec = gb_stream_spec_defaults(names[s]);
        spec.kind = GB_STREAM_VECTOR;
        spec.rank = 1;
        spec.shape[0] = sizes[s];
        spec.unit = s == 2 ? "rad" : "px";
        spec.rate_hz = 10;
        int stream;
        pushing_ok(gb_recording_builder_stream(builder, &spec, &stream));
    }
    for (int r = 0; r < PUSHING_ROWS; r++) {
        double row[7], image[7];
        pushing_row(episode, r, row);
        memcpy(image, row, sizeof image);
        if (mirror) {
            gb_plant_mirror_observation(plant, mirror, row, image);
            gb_plant_mirror_action(plant, mirror, row + 5, image + 5);
        }
        float values[7];
        for (int i = 0; i < 7; i++)
            values[i] = (float)image[i];
        int64_t time_ns = (int64_t)r * 100000000;
        for (int s = 0, at = 0; s < 4; at += sizes[s++])
            pushing_ok(gb_recording_builder_append(builder, s, 1, &time_ns, values + at, NULL));
    }
    gb_recording *recording = NULL;
    pushing_ok(gb_recording_builder_finish(builder, &recording));
    return recording;
}

typedef struct pushing {
    gb_dataset *dataset;
    gb_window_index *index;
} pushing;

/* episodes recordings as they are, or all of them mirrored. */
static inline pushing pushing_open(const gb_model *model, int episodes, bool mirrored)
{
    pushing p = {0};
    const gb_plant_info *plant = NULL;
    gb_window_spec spec;
    pushing_ok(gb_plant_describe("pusht", &plant));
    pushing_ok(gb_dataset_create(&p.dataset));
    for (int i = 0; i < episodes; i++)
        pushing_ok(gb_dataset_add(
            p.dataset, pushing_recording((uint64_t)i, mirrored ? &plant->symmetries[0] : NULL)));
    pushing_ok(gb_model_window_spec(model, p.dataset, &spec));
    pushing_ok(gb_window_index_create(p.dataset, &spec, NULL, 0, &p.index));
    return p;
}

static inline void pushing_close(pushing *p)
{
    gb_window_index_destroy(p->index);
    gb_dataset_destroy(p->dataset);
}

#endif
