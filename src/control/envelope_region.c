/* control/envelope_region.c: keeps points of the machine inside allowed boxes and out of keep-out
 * zones. It judges not a command but the whole stop after it: the stop's points, computed by the
 * kinematics of the commanded positions, at a few instants, each with a ball around it that is
 * large enough for whatever lies between. It measures nothing. */
#include "control/envelope.h"

#include <math.h>

enum {
    SAMPLES = 6, /* of a stop */
    HALVINGS = 6
};

/* ---- distances ----------------------------------------------------------------------------------
 */

/* From a point to the surface of a box, negative inside. */
static double box_distance(const gb_zone *box, const double *p)
{
    double outside = 0.0, inside = -INFINITY;
    for (int i = 0; i < 3; i++) {
        double d = fmax(box->a[i] - p[i], p[i] - box->b[i]);
        outside += fmax(d, 0.0) * fmax(d, 0.0);
        inside = fmax(inside, d);
    }
    return outside > 0.0 ? sqrt(outside) : inside;
}

static double cylinder_distance(const gb_zone *zone, const double *p)
{
    double axis[3], to[3], length = 0.0, along = 0.0, square = 0.0;
    for (int i = 0; i < 3; i++) {
        axis[i] = zone->b[i] - zone->a[i];
        to[i] = p[i] - zone->a[i];
        length += axis[i] * axis[i];
    }
    length = sqrt(length);
    for (int i = 0; i < 3; i++)
        along += to[i] * axis[i] / length;
    for (int i = 0; i < 3; i++) {
        double off = to[i] - along * axis[i] / length;
        square += off * off;
    }
    double side = sqrt(square) - zone->radius;
    double end = fmax(-along, along - length);
    double outside = hypot(fmax(side, 0.0), fmax(end, 0.0));
    return outside > 0.0 ? outside : fmax(side, end);
}

/* How far something is from being where it must not; which limit that would break. */
typedef struct clearance {
    double distance;
    gb_limit limit;
} clearance;

static const clearance nothing_near = {INFINITY, GB_LIMIT_WORKSPACE};

static clearance nearer(clearance one, clearance other)
{
    return other.distance < one.distance ? other : one;
}

static clearance point_clearance(const gb_region_rule *rule, const double *p)
{
    clearance least = nothing_near;
    if (rule->allowed_count > 0) {
        double inside = -INFINITY; /* in the box where it is deepest */
        for (int i = 0; i < rule->allowed_count; i++)
            inside = fmax(inside, -box_distance(&rule->allowed[i], p));
        least.distance = inside;
    }
    for (int i = 0; i < rule->keep_out_count; i++) {
        const gb_zone *zone = &rule->keep_out[i];
        double d = zone->kind == GB_ZONE_BOX ? box_distance(zone, p) : cylinder_distance(zone, p);
        least = nearer(least, (clearance){d, GB_LIMIT_KEEP_OUT});
    }
    return least;
}

/* ---- kinematics ---------------------------------------------------------------------------------
 */

typedef struct frame {
    double p[3], r[3][3];
} frame;

static void move_along(frame *f, const double *step)
{
    for (int i = 0; i < 3; i++)
        f->p[i] += f->r[i][0] * step[0] + f->r[i][1] * step[1] + f->r[i][2] * step[2];
}

/* Rodrigues' formula, applied from the right: about an axis in the frame itself. */
static void turn_about(frame *f, const double *u, double angle)
{
    double c = cos(angle), s = sin(angle), v = 1.0 - c;
    const double turn[3][3] = {
        {c + u[0] * u[0] * v, u[0] * u[1] * v - u[2] * s, u[0] * u[2] * v + u[1] * s},
        {u[1] * u[0] * v + u[2] * s, c + u[1] * u[1] * v, u[1] * u[2] * v - u[0] * s},
        {u[2] * u[0] * v - u[1] * s, u[2] * u[1] * v + u[0] * s, c + u[2] * u[2] * v},
    };
    for (int i = 0; i < 3; i++) {
        double row[3] = {f->r[i][0], f->r[i][1], f->r[i][2]};
        for (int k = 0; k < 3; k++)
            f->r[i][k] = row[0] * turn[0][k] + row[1] * turn[1][k] + row[2] * turn[2][k];
    }
}

/* The least clearance of all points where the columns are q, less `around` of each link. */
static clearance chain_clearance(const gb_region_rule *rule, const double *q, const double *around)
{
    frame f = {{0, 0, 0}, {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
    clearance least = nothing_near;
    for (int l = 0; l < rule->link_count; l++) {
        const gb_chain_link *link = &rule->links[l];
        move_along(&f, link->at);
        if (link->motion == GB_LINK_TURN) {
            turn_about(&f, link->axis, q[l]);
        } else {
            double step[3] = {link->axis[0] * q[l], link->axis[1] * q[l], link->axis[2] * q[l]};
            move_along(&f, step);
        }
        for (int i = 0; i < rule->point_count; i++) {
            const gb_chain_point *point = &rule->points[i];
            if (point->link != l)
                continue;
            frame at = f;
            move_along(&at, point->at);
            clearance clear = point_clearance(rule, at.p);
            clear.distance -= point->radius + rule->tracking;
            for (int k = 0; k <= l; k++)
                clear.distance -= point->reach[k] * around[k];
            least = nearer(least, clear);
        }
    }
    return least;
}

/* ---- a stop -------------------------------------------------------------------------------------
 */

static double stop_ticks(const gb_axis_state *state)
{
    return (double)state->stop.ticks[0] + state->stop.ticks[1] + state->stop.ticks[2];
}

/* The least clearance on the way from the command before to `next` and along the stop after it. */
static clearance stop_clearance(const gb_envelope *envelope, const gb_axis_state *next)
{
    const gb_region_rule *rule = &envelope->region;
    clearance least = nothing_near;
    double ticks = 0.0;
    for (int l = 0; l < rule->link_count; l++)
        ticks = fmax(ticks, stop_ticks(&next[rule->links[l].column]));
    double between = ticks / (SAMPLES - 1);
    for (int s = 0; s < SAMPLES; s++) {
        double q[GB_LINKS_MAX], around[GB_LINKS_MAX];
        for (int l = 0; l < rule->link_count; l++) {
            int column = rule->links[l].column;
            const gb_axis_state *axis = &next[column];
            q[l] = gb_axis_stop_at(&envelope->limits[column], axis, s * between);
            /* Nothing between two samples is further from the nearer one than this. */
            around[l] = fmin(axis->stop.peak * between / 2.0, axis->stop.high - axis->stop.low);
            if (s == 0) /* and nothing on the way to the first */
                around[l] = fmax(around[l], fabs(axis->x - envelope->axes[column].x));
        }
        least = nearer(least, chain_clearance(rule, q, around));
    }
    return least;
}

void gb_envelope_region_start(gb_envelope *envelope)
{
    envelope->clearance = fmin(0.0, stop_clearance(envelope, envelope->axes).distance);
}

/* Moves between the known stop (part 0) and what is in `full` (part 1). A column stops where what
 * lies between is not allowed. */
static void blend(gb_envelope *envelope, const gb_axis_state *full, double part, gb_axis_state *out)
{
    const gb_region_rule *rule = &envelope->region;
    for (int i = rule->column; i < rule->column + rule->columns; i++) {
        const gb_axis_limits *limits = &envelope->limits[i];
        const gb_axis_state *axis = &envelope->axes[i];
        out[i] = gb_axis_follow(limits, axis);
        double low = gb_axis_top(limits, axis, &out[i]), high = gb_axis_top(limits, axis, &full[i]);
        (void)gb_axis_apply(limits, axis, low + part * (high - low), &out[i]);
    }
}

/* Whether all moves follow the stop that has been judged already. */
static bool is_stopping(const gb_envelope *envelope)
{
    const gb_region_rule *rule = &envelope->region;
    for (int i = rule->column; i < rule->column + rule->columns; i++)
        if (envelope->next[i].x != gb_axis_follow(&envelope->limits[i], &envelope->axes[i]).x)
            return false;
    return true;
}

uint32_t gb_envelope_region(gb_envelope *envelope, gb_margin *margin)
{
    const gb_region_rule *rule = &envelope->region;
    clearance full = stop_clearance(envelope, envelope->next); /* infinite without a workspace */
    gb_margin_take(margin, full.distance / rule->scale, full.limit, -1);
    if (is_stopping(envelope))
        return 0;
    if (full.distance >= envelope->clearance) { /* inside, or on the way back inside */
        envelope->clearance = fmin(0.0, full.distance);
        return 0;
    }
    gb_axis_state *best = envelope->kept;
    for (int i = rule->column; i < rule->column + rule->columns; i++)
        best[i] = gb_axis_follow(&envelope->limits[i], &envelope->axes[i]);
    double good = 0.0, bad = 1.0, kept = envelope->clearance;
    for (int i = 0; i < HALVINGS; i++) {
        double middle = (good + bad) / 2.0;
        blend(envelope, envelope->next, middle, envelope->tried);
        double clear = stop_clearance(envelope, envelope->tried).distance;
        if (clear >= envelope->clearance) {
            good = middle;
            kept = fmin(0.0, clear);
            for (int k = rule->column; k < rule->column + rule->columns; k++)
                best[k] = envelope->tried[k];
        } else {
            bad = middle;
        }
    }
    for (int i = rule->column; i < rule->column + rule->columns; i++)
        envelope->next[i] = best[i];
    envelope->clearance = kept;
    return GB_BIT(full.limit);
}
