/* What a symmetry of the plane does to points, to angles of bodies, and when a declared one is true
 * of the bodies and goals of a codec. Not for symmetries in space.
 *
 * A point p goes to M p + o. A body at P turned by a has its material point q at P + R(a) q, whose
 * image is (M P + o) + M R(a) q. If det M = 1, M = R(phi) and the image is the same body turned by
 * a + phi. If det M = -1, write M = R(phi) F with F = diag(-1, 1). Since F R(a) = R(-a) F, the
 * image of q is R(phi - a) F q: the same body turned by phi - a, provided that F maps the body onto
 * itself, that is, that it is mirror-symmetric about its own y axis. */
#include "model/symmetry.h"

#include <math.h>
#include <stdio.h>

#define TWO_PI 6.28318530717958648

static bool reflects(const gb_symmetry *s)
{
    return s->matrix[0] * s->matrix[3] - s->matrix[1] * s->matrix[2] < 0.0f;
}

void gb_symmetry_map_point(const gb_symmetry *s, const float point[2], float out[2])
{
    float x = point[0], y = point[1];
    if (s) {
        const float *m = s->matrix;
        x = m[0] * point[0] + m[1] * point[1] + (s->offset_count ? s->offset[0] : 0.0f);
        y = m[2] * point[0] + m[3] * point[1] + (s->offset_count ? s->offset[1] : 0.0f);
    }
    out[0] = x;
    out[1] = y;
}

float gb_symmetry_map_angle(const gb_symmetry *s, float angle_rad)
{
    if (!s)
        return angle_rad;
    const float *m = s->matrix;
    return reflects(s) ? atan2f(-m[2], -m[0]) - angle_rad : atan2f(m[2], m[0]) + angle_rad;
}

const gb_symmetry *gb_symmetry_of(const gb_model_config *config, const gb_window_view *view)
{
    return view->symmetry > 0 ? &config->codec.symmetries[view->symmetry - 1] : NULL;
}

/* ---- checks --------------------------------------------------------------------------------- */

/* Images may differ from what they should be by a thousandth of this. */
static float size_of(const gb_pose_body *body)
{
    float size = 1e-6f;
    for (unsigned i = 0; i < body->landmark_count; i++)
        size = fmaxf(size, fabsf(body->landmarks[i]));
    return size;
}

static bool mirror_symmetric(const gb_pose_body *body)
{
    float tolerance = 1e-3f * size_of(body);
    for (unsigned i = 0; i + 1 < body->landmark_count; i += 2) {
        bool found = false;
        for (unsigned k = 0; k + 1 < body->landmark_count && !found; k += 2)
            found = fabsf(body->landmarks[k] + body->landmarks[i]) <= tolerance &&
                    fabsf(body->landmarks[k + 1] - body->landmarks[i + 1]) <= tolerance;
        if (!found)
            return false;
    }
    return true;
}

static bool goal_stays(const gb_symmetry *s, const gb_pose_body *body, float world)
{
    float image[2];
    gb_symmetry_map_point(s, body->goal, image);
    float turn = gb_symmetry_map_angle(s, body->goal[2]) - body->goal[2];
    return hypotf(image[0] - body->goal[0], image[1] - body->goal[1]) <= 1e-3f * world &&
           fabs(remainder((double)turn, TWO_PI)) <= 1e-3;
}

static bool orthogonal(const float *m)
{
    return fabsf(m[0] * m[0] + m[2] * m[2] - 1.0f) < 1e-4f &&
           fabsf(m[1] * m[1] + m[3] * m[3] - 1.0f) < 1e-4f &&
           fabsf(m[0] * m[1] + m[2] * m[3]) < 1e-4f;
}

static gb_status check_bodies(const gb_codec_config *codec,
                              const gb_symmetry *s,
                              const gb_config_place *place,
                              const char *key)
{
    for (unsigned b = 0; b < codec->body_count; b++) {
        const gb_pose_body *body = &codec->bodies[b];
        if (reflects(s) && !mirror_symmetric(body))
            return gb_config_fail(place, key,
                                  "is a reflection, but the landmarks of body '%s' are not "
                                  "symmetric about its y axis; expected (-x, y) for each (x, y)",
                                  body->name);
        if (body->goal_count == 3 && !goal_stays(s, body, codec->world_scale))
            return gb_config_fail(place, key,
                                  "moves the goal of body '%s'; expected a symmetry that leaves "
                                  "the task as it is",
                                  body->name);
    }
    return GB_OK;
}

gb_status gb_symmetry_check(const gb_codec_config *codec, const gb_config_place *place)
{
    for (unsigned i = 0; i < codec->symmetry_count; i++) {
        const gb_symmetry *s = &codec->symmetries[i];
        char key[64];
        snprintf(key, sizeof key, "codec.symmetries[%u]", i);
        if (s->matrix_count != 4)
            return gb_config_fail(place, key, "has a matrix of %u numbers, expected 4, row by row",
                                  s->matrix_count);
        if (s->offset_count != 0 && s->offset_count != 2)
            return gb_config_fail(place, key, "has an offset of %u numbers, expected 2",
                                  s->offset_count);
        if (!orthogonal(s->matrix))
            return gb_config_fail(place, key,
                                  "has the matrix [%g, %g, %g, %g], which is not orthogonal: "
                                  "expected a rotation or a reflection",
                                  (double)s->matrix[0], (double)s->matrix[1], (double)s->matrix[2],
                                  (double)s->matrix[3]);
        GB_TRY(check_bodies(codec, s, place, key));
    }
    return GB_OK;
}
