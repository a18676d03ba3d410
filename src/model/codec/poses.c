/* Bodies, points and goals in the plane: where everything is, in the world and as seen from each
 * other, becomes one token. The features are gb_op_poses's; which bodies there are is the config's
 * business, so that no task has feature code of its own. */
#include "model/codec.h"
#include "model/symmetry.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    BODIES_MAX = 64,
    LANDMARKS_MAX = 1024 /* of all bodies */
};

static const char *const inputs[] = {"state", NULL};

static void fill_defaults(gb_model_config *config)
{
    gb_codec_config *c = &config->codec;
    c->look_back = c->look_back ? c->look_back : 2;
    c->world_scale = c->world_scale != 0.0f ? c->world_scale : 1.0f;
    c->near_scale = c->near_scale != 0.0f ? c->near_scale : c->world_scale / 4.0f;
    c->fine_scale = c->fine_scale != 0.0f ? c->fine_scale : c->world_scale / 8.0f;
    c->motion_scale = c->motion_scale != 0.0f ? c->motion_scale : c->world_scale / 16.0f;
}

/* ---- checks --------------------------------------------------------------------------------- */

static gb_status check_body(const gb_pose_body *body, const gb_config_place *place, const char *key)
{
    if (!body->position)
        return gb_config_fail(place, key, "has no position, expected the name of a stream of x, y");
    if (!body->angle)
        return gb_config_fail(place, key,
                              "has no angle, expected the name of a stream in rad; what does not "
                              "turn belongs under codec.points");
    if (body->landmark_count % 2 != 0)
        return gb_config_fail(place, key, "has %u numbers as landmarks, expected pairs x, y",
                              body->landmark_count);
    if (body->goal_count != 0 && body->goal_count != 3)
        return gb_config_fail(place, key, "has a goal of %u numbers, expected x, y, angle",
                              body->goal_count);
    return GB_OK;
}

static gb_status check_scales(const gb_codec_config *c, const gb_config_place *place)
{
    const struct {
        const char *key;
        float value;
    } scales[] = {{"codec.world_scale", c->world_scale},
                  {"codec.near_scale", c->near_scale},
                  {"codec.fine_scale", c->fine_scale},
                  {"codec.motion_scale", c->motion_scale}};
    for (int i = 0; i < 4; i++)
        if (!(scales[i].value > 0.0f) || !isfinite(scales[i].value))
            return gb_config_fail(place, scales[i].key, "is %g, expected a length above 0",
                                  (double)scales[i].value);
    return GB_OK;
}

static gb_status check(const gb_model_config *config, const gb_config_place *place)
{
    const gb_codec_config *c = &config->codec;
    unsigned landmarks = 0;
    GB_TRY(gb_config_check_range(place, "codec.look_back", c->look_back, 1, 64));
    GB_TRY(gb_config_check_range(place, "codec.hidden", c->hidden, 0, 65536));
    GB_TRY(gb_config_check_range(place, "codec.bodies", c->body_count, 0, BODIES_MAX));
    GB_TRY(gb_config_check_range(place, "codec.points", c->point_count, 0, BODIES_MAX));
    if (c->body_count + c->point_count == 0)
        return gb_config_fail(place, "codec.bodies", "is empty, expected a body or a point");
    for (unsigned b = 0; b < c->body_count; b++) {
        char key[48];
        snprintf(key, sizeof key, "codec.bodies[%u]", b);
        GB_TRY(check_body(&c->bodies[b], place, key));
        landmarks += c->bodies[b].landmark_count / 2;
    }
    if (landmarks > LANDMARKS_MAX)
        return gb_config_fail(place, "codec.bodies", "have %u landmarks, expected at most %d",
                              landmarks, LANDMARKS_MAX);
    GB_TRY(check_scales(c, place));
    return gb_symmetry_check(c, place);
}

/* ---- windows and graph ---------------------------------------------------------------------- */

static gb_status
window(const gb_model_config *config, const gb_dataset *dataset, gb_window_plan *plan)
{
    (void)dataset;
    const gb_codec_config *c = &config->codec;
    for (unsigned b = 0; b < c->body_count; b++) {
        GB_TRY(gb_window_plan_add(plan, c->bodies[b].position, 2, c->look_back, 0, 0));
        GB_TRY(gb_window_plan_add(plan, c->bodies[b].angle, 1, c->look_back, 0, 0));
    }
    for (unsigned p = 0; p < c->point_count; p++)
        GB_TRY(gb_window_plan_add(plan, c->points[p], 2, c->look_back, 0, 0));
    plan->pad_start = GB_PAD_ALL;
    return GB_OK;
}

static int64_t row_size(const gb_codec_config *c)
{
    return 3 * (int64_t)c->body_count + 2 * (int64_t)c->point_count;
}

/* Appends gb_op_poses for the config's bodies. */
static gb_value features(const gb_build *build, gb_value state)
{
    const gb_codec_config *c = &build->config->codec;
    int counts[BODIES_MAX] = {0}, has_goal[BODIES_MAX] = {0};
    float goals[3 * BODIES_MAX] = {0}, landmarks[2 * LANDMARKS_MAX];
    unsigned used = 0;
    for (unsigned b = 0; b < c->body_count; b++) {
        const gb_pose_body *body = &c->bodies[b];
        counts[b] = (int)(body->landmark_count / 2);
        if (body->landmark_count > 0)
            memcpy(landmarks + used, body->landmarks, body->landmark_count * sizeof(float));
        used += body->landmark_count;
        has_goal[b] = body->goal_count == 3;
        if (has_goal[b])
            memcpy(goals + 3 * (size_t)b, body->goal, 3 * sizeof(float));
    }
    gb_poses poses = {.frames = c->look_back,
                      .bodies = (int)c->body_count,
                      .points = (int)c->point_count,
                      .landmark_counts = counts,
                      .landmarks = landmarks,
                      .goal_of = has_goal,
                      .goals = goals,
                      .center_x = c->center[0],
                      .center_y = c->center[1],
                      .world_scale = c->world_scale,
                      .near_scale = c->near_scale,
                      .fine_scale = c->fine_scale,
                      .motion_scale = c->motion_scale};
    return gb_op_poses(build->graph, state, &poses);
}

static gb_encoding encode(const gb_build *build)
{
    gb_graph *g = build->graph;
    const gb_codec_config *c = &build->config->codec;
    gb_value state =
        gb_graph_input(g, inputs[0], GB_F32, GB_SHAPE(build->batch, c->look_back, row_size(c)));
    gb_value x = gb_codec_encoder(build, features(build, state));
    int width = build->config->backbone.width;
    return (gb_encoding){.tokens = gb_op_reshape(g, x, GB_SHAPE(build->batch, 1, width)),
                         .series = GB_NONE,
                         .mean = GB_NONE,
                         .spread = GB_NONE};
}

/* ---- filling -------------------------------------------------------------------------------- */

/* Value `column` of frame f; where it is missing the nearest earlier one, else the nearest later
 * one: a machine stands still until it is seen again. 0 if there is none at all. */
static float held(const gb_window_part *part, int64_t f, int64_t column)
{
    for (int64_t i = f; i >= 0; i--)
        if (isfinite(part->past[i * part->size + column]))
            return part->past[i * part->size + column];
    for (int64_t i = f + 1; i < part->look_back; i++)
        if (isfinite(part->past[i * part->size + column]))
            return part->past[i * part->size + column];
    return 0.0f;
}

static void put_position(const gb_window_part *part,
                         const gb_symmetry *symmetry,
                         int64_t frames,
                         float *to,
                         int64_t step)
{
    for (int64_t f = 0; f < frames; f++, to += step) {
        /* a part may be longer than the codec's frames when a head reads further back */
        int64_t at = part->look_back - frames + f;
        float point[2] = {held(part, at, 0), held(part, at, 1)};
        gb_symmetry_map_point(symmetry, point, to);
    }
}

static void put_angle(const gb_window_part *part,
                      const gb_symmetry *symmetry,
                      int64_t frames,
                      float *to,
                      int64_t step)
{
    for (int64_t f = 0; f < frames; f++, to += step)
        *to = gb_symmetry_map_angle(symmetry, held(part, part->look_back - frames + f, 0));
}

static void
fill(const gb_model *model, const gb_window_view *view, const gb_tensor *tensors, int64_t row)
{
    const gb_codec_config *c = &model->config->codec;
    const gb_symmetry *symmetry = gb_symmetry_of(model->config, view);
    int64_t frames = c->look_back, step = row_size(c);
    float *to = (float *)tensors[0].data + row * frames * step;
    for (unsigned b = 0; b < c->body_count; b++, to += 3) {
        put_position(gb_window_view_find(view, c->bodies[b].position), symmetry, frames, to, step);
        put_angle(gb_window_view_find(view, c->bodies[b].angle), symmetry, frames, to + 2, step);
    }
    for (unsigned p = 0; p < c->point_count; p++, to += 2)
        put_position(gb_window_view_find(view, c->points[p]), symmetry, frames, to, step);
}

const gb_codec_definition gb_codec_definition_poses = {
    .name = "poses",
    .inputs = inputs,
    .fill_defaults = fill_defaults,
    .check = check,
    .window = window,
    .encode = encode,
    .fill = fill,
};
