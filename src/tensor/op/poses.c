/* Geometry of poses as features: where bodies, points and goals are, in the world and as seen from
 * each other. Input data only: no gradient. Not for images or for poses in three dimensions.
 *
 * A row of state holds, for each of F frames (oldest first), every body's x, y, angle and then
 * every point's x, y. Features, in this order:
 *   1. for each frame: each body's landmarks, then each point:    (u - center) / world
 *   2. last frame, for each body: each point in its frame:         / near
 *   3. last frame, for each body: each other body's origin in its frame / near, cos and sin of the
 *      other's angle relative to it
 *   4. last frame, for each body that has a goal: the goal in its frame / near,
 *      (body - goal) / fine, cos d, sin d, 4 sin d with d = angle - the goal's angle
 *   5. last frame, for each body, landmark and point: landmark - point: / near
 *   6. for each point: displacement since the frame before:        / motion     (only if F > 1)
 *
 * attr: i[0] frames, i[1] bodies, i[2] points, i[7] length of list; f[0..5] center x, y, world,
 * near, fine, motion; list: landmark counts, goal flags (one a body each), goals (3 a body),
 * landmarks (2 each). */
#include "tensor/graph.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES_MAX 64
#define THINGS_MAX 256 /* bodies, points; landmarks of one body */

static int64_t landmarks_of(const gb_poses *p)
{
    int64_t sum = 0;
    for (int b = 0; b < p->bodies; b++)
        sum += p->landmark_counts[b];
    return sum;
}

static bool counts_fit(const gb_poses *p)
{
    if (p->frames < 1 || p->frames > FRAMES_MAX || p->bodies < 0 || p->bodies > THINGS_MAX ||
        p->points < 0 || p->points > THINGS_MAX || p->bodies + p->points < 1)
        return false;
    for (int b = 0; b < p->bodies; b++)
        if (p->landmark_counts[b] < 0 || p->landmark_counts[b] > THINGS_MAX)
            return false;
    return true;
}

int64_t gb_poses_width(const gb_poses *p)
{
    if (!counts_fit(p))
        return 0;
    int64_t landmarks = landmarks_of(p), goals = 0;
    for (int b = 0; b < p->bodies; b++)
        goals += p->goal_of[b] != 0;
    int64_t world = p->frames * 2 * (landmarks + p->points);
    int64_t seen = 2 * (int64_t)p->bodies * p->points + 4 * (int64_t)p->bodies * (p->bodies - 1);
    int64_t motion = p->frames > 1 ? 2 * p->points : 0;
    return world + seen + 7 * goals + 2 * landmarks * p->points + motion;
}

/* Where the parts of attr.list begin. */
typedef struct geometry {
    int frames, bodies, points;
    const float *counts, *has_goal, *goals, *landmarks;
    float center_x, center_y, world, near, fine, motion; /* scales as 1 / scale */
} geometry;

static geometry geometry_of(const gb_attr *attr)
{
    geometry q = {.frames = (int)attr->i[0],
                  .bodies = (int)attr->i[1],
                  .points = (int)attr->i[2],
                  .counts = attr->list,
                  .center_x = attr->f[0],
                  .center_y = attr->f[1],
                  .world = 1.0f / attr->f[2],
                  .near = 1.0f / attr->f[3],
                  .fine = 1.0f / attr->f[4],
                  .motion = 1.0f / attr->f[5]};
    q.has_goal = q.counts + q.bodies;
    q.goals = q.has_goal + q.bodies;
    q.landmarks = q.goals + 3 * q.bodies;
    return q;
}

static int64_t list_count(const gb_poses *p)
{
    return 5 * (int64_t)p->bodies + 2 * landmarks_of(p);
}

static const float *keep_geometry(gb_graph *g, const gb_poses *p)
{
    int64_t landmarks = landmarks_of(p), count = list_count(p);
    float *list = calloc((size_t)count + 1, sizeof *list);
    if (!list) {
        gb_graph_mistake(g, GB_ERR_MEMORY, "poses: no memory for %lld numbers", (long long)count);
        return NULL;
    }
    for (int b = 0; b < p->bodies; b++) {
        list[b] = (float)p->landmark_counts[b];
        list[p->bodies + b] = p->goal_of[b] ? 1.0f : 0.0f;
        for (int i = 0; i < 3 && p->goal_of[b]; i++)
            list[2 * p->bodies + 3 * b + i] = p->goals[3 * b + i];
    }
    if (landmarks > 0)
        memcpy(list + 5 * (size_t)p->bodies, p->landmarks, 2 * (size_t)landmarks * sizeof *list);
    const float *kept = gb_graph_keep(g, list, (int)count);
    free(list);
    return kept;
}

static bool scales_fit(const gb_poses *p)
{
    const float scales[] = {p->world_scale, p->near_scale, p->fine_scale, p->motion_scale};
    for (int i = 0; i < 4; i++)
        if (!(scales[i] > 0.0f) || !isfinite(scales[i]))
            return false;
    return isfinite(p->center_x) && isfinite(p->center_y);
}

gb_value gb_op_poses(gb_graph *g, gb_value state, const gb_poses *p)
{
    if (!gb_graph_usable(g, "poses", 1, &state))
        return GB_NONE;
    if (!counts_fit(p))
        return gb_graph_mistake(g, GB_ERR_ARGUMENT,
                                "poses: %d frames, %d bodies, %d points; expected 1 to %d frames, "
                                "0 to %d bodies, points and landmarks of a body, not none of all",
                                p->frames, p->bodies, p->points, FRAMES_MAX, THINGS_MAX);
    if (!scales_fit(p))
        return gb_graph_mistake(
            g, GB_ERR_ARGUMENT,
            "poses: a scale is not positive or the center is not finite; world %g, near %g, fine "
            "%g, motion %g",
            (double)p->world_scale, (double)p->near_scale, (double)p->fine_scale,
            (double)p->motion_scale);
    const gb_node *node = gb_graph_node(g, state);
    int width = 3 * p->bodies + 2 * p->points;
    char text[96];
    if (node->dtype != GB_F32 || node->shape.rank != 3 || node->shape.dim[1] != p->frames ||
        node->shape.dim[2] != width)
        return gb_graph_mistake(g, GB_ERR_SHAPE,
                                "poses: state is %s %s, expected F32 [batch, %d, %d] for %d bodies "
                                "(x, y, angle) and %d points (x, y)",
                                gb_dtype_name(node->dtype),
                                gb_shape_text(&node->shape, text, sizeof text), p->frames, width,
                                p->bodies, p->points);
    gb_shape shape = GB_SHAPE(node->shape.dim[0], gb_poses_width(p));
    if (shape.dim[1] < 1)
        return gb_graph_mistake(g, GB_ERR_ARGUMENT, "poses: these bodies give no feature");
    gb_attr attr = {.i = {p->frames, p->bodies, p->points, [7] = list_count(p)},
                    .f = {p->center_x, p->center_y, p->world_scale, p->near_scale, p->fine_scale,
                          p->motion_scale},
                    .list = keep_geometry(g, p)};
    return gb_graph_append(g, GB_OP_POSES, GB_F32, shape, 1, &state, &attr);
}

/* ---- computing; each writer returns where it stopped ---- */

static float *put_in_frame(const float *body, float x, float y, float scale, float *out)
{
    float c = cosf(body[2]), s = sinf(body[2]), dx = x - body[0], dy = y - body[1];
    out[0] = (c * dx + s * dy) * scale;
    out[1] = (c * dy - s * dx) * scale;
    return out + 2;
}

/* 1: a frame in the world. */
static float *put_world(const geometry *q, const float *frame, float *out)
{
    const float *landmark = q->landmarks;
    for (int b = 0; b < q->bodies; b++) {
        const float *body = frame + 3 * b;
        float c = cosf(body[2]), s = sinf(body[2]);
        for (int i = 0; i < (int)q->counts[b]; i++, landmark += 2, out += 2) {
            out[0] = (body[0] + c * landmark[0] - s * landmark[1] - q->center_x) * q->world;
            out[1] = (body[1] + s * landmark[0] + c * landmark[1] - q->center_y) * q->world;
        }
    }
    const float *point = frame + 3 * q->bodies;
    for (int i = 0; i < q->points; i++, point += 2, out += 2) {
        out[0] = (point[0] - q->center_x) * q->world;
        out[1] = (point[1] - q->center_y) * q->world;
    }
    return out;
}

/* 2 and 3: what each body sees. */
static float *put_seen(const geometry *q, const float *frame, float *out)
{
    const float *points = frame + 3 * q->bodies;
    for (int b = 0; b < q->bodies; b++)
        for (int i = 0; i < q->points; i++)
            out = put_in_frame(frame + 3 * b, points[2 * i], points[2 * i + 1], q->near, out);
    for (int b = 0; b < q->bodies; b++) {
        const float *body = frame + 3 * b;
        for (int o = 0; o < q->bodies; o++) {
            if (o == b)
                continue;
            const float *other = frame + 3 * o;
            out = put_in_frame(body, other[0], other[1], q->near, out);
            *out++ = cosf(other[2] - body[2]);
            *out++ = sinf(other[2] - body[2]);
        }
    }
    return out;
}

/* 4: how far each body is from its goal. */
static float *put_goals(const geometry *q, const float *frame, float *out)
{
    for (int b = 0; b < q->bodies; b++) {
        if (q->has_goal[b] == 0.0f)
            continue;
        const float *body = frame + 3 * b, *goal = q->goals + 3 * b;
        out = put_in_frame(body, goal[0], goal[1], q->near, out);
        float turn = body[2] - goal[2];
        out[0] = (body[0] - goal[0]) * q->fine;
        out[1] = (body[1] - goal[1]) * q->fine;
        out[2] = cosf(turn);
        out[3] = sinf(turn);
        out[4] = 4.0f * out[3];
        out += 5;
    }
    return out;
}

/* 5: each landmark as seen from each point. */
static float *put_contacts(const geometry *q, const float *frame, float *out)
{
    const float *landmark = q->landmarks, *points = frame + 3 * q->bodies;
    for (int b = 0; b < q->bodies; b++) {
        const float *body = frame + 3 * b;
        float c = cosf(body[2]), s = sinf(body[2]);
        for (int i = 0; i < (int)q->counts[b]; i++, landmark += 2) {
            float x = body[0] + c * landmark[0] - s * landmark[1];
            float y = body[1] + s * landmark[0] + c * landmark[1];
            for (int k = 0; k < q->points; k++, out += 2) {
                out[0] = (x - points[2 * k]) * q->near;
                out[1] = (y - points[2 * k + 1]) * q->near;
            }
        }
    }
    return out;
}

static void poses_rows(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    geometry q = geometry_of(&run->node->attr);
    int64_t width = run->out.shape.dim[1], step = run->in[0].shape.dim[2];
    for (int64_t r = begin; r < end; r++) {
        const float *frames = (const float *)run->in[0].data + r * q.frames * step;
        const float *last = frames + (q.frames - 1) * step;
        float *out = (float *)run->out.data + r * width;
        for (int f = 0; f < q.frames; f++)
            out = put_world(&q, frames + f * step, out);
        out = put_seen(&q, last, out);
        out = put_goals(&q, last, out);
        out = put_contacts(&q, last, out);
        for (int64_t i = 3 * q.bodies; i < step && q.frames > 1; i++)
            *out++ = (last[i] - last[i - step]) * q.motion;
    }
}

static void poses_run(const gb_run *run)
{
    gb_run_ranges(run, run->out.shape.dim[0], 8 * run->out.shape.dim[1], poses_rows);
}

static uint64_t poses_flops(const gb_node *node, const gb_shape *in)
{
    (void)in;
    return 8 * (uint64_t)gb_shape_count(&node->shape);
}

const gb_op_definition gb_op_definition_poses = {
    .name = "poses",
    .run = poses_run,
    .flops = poses_flops,
};
