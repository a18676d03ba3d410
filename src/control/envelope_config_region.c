/* control/envelope_config_region.c: the section "workspace" of an envelope file: the machine's
 * kinematics, and where its points may be. */
#include "control/envelope_check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static double length(const double *v)
{
    return sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
}

/* Three numbers; NULL leaves zeros. */
static gb_status three(const gb_place *p, const char *key, const double *raw, double out[3])
{
    for (int i = 0; raw && i < 3; i++) {
        if (!(fabs(raw[i]) <= 1e9))
            return GB_CHECK_FAIL(p, key, "expected lengths up to 1e9 %s", p->unit);
        out[i] = raw[i];
    }
    return GB_OK;
}

static gb_status configure_link(const gb_envelope *envelope,
                                const gb_place *p,
                                const gb_raw_link *raw,
                                gb_chain_link *link)
{
    const gb_region_rule *rule = &envelope->region;
    *link = (gb_chain_link){.motion = raw->kind};
    if (raw->column < 0 || raw->column >= rule->columns)
        return GB_CHECK_FAIL(p, "column", "stream %s has columns 0 to %d", p->stream,
                             rule->columns - 1);
    link->column = rule->column + (int)raw->column;
    for (const gb_chain_link *l = rule->links; l < link; l++)
        if (l->column == link->column)
            return GB_CHECK_FAIL(p, "column", "column %d moves chain[%d] already", (int)raw->column,
                                 (int)(l - rule->links));
    if (envelope->limits[link->column].order == 0)
        return GB_CHECK_FAIL(p, "column",
                             "stream %s needs a \"velocity\" limit: a command that jumps may jump "
                             "through a zone",
                             p->stream);
    GB_TRY(three(p, "at", raw->at, link->at));
    GB_TRY(three(p, "axis", raw->axis, link->axis));
    double size = length(link->axis);
    if (!(size > 1e-6))
        return GB_CHECK_FAIL(p, "axis", "expected a direction, such as [0, 0, 1]");
    for (int i = 0; i < 3; i++)
        link->axis[i] /= size;
    return GB_OK;
}

/* How far a point moves for each unit of a link's column, at most: along a slide as far as the
 * slide, around a turn as far as everything behind it is long. */
static void set_reach(const gb_envelope *envelope, gb_chain_point *point)
{
    double behind = length(point->at);
    for (int l = point->link; l >= 0; l--) {
        const gb_chain_link *link = &envelope->region.links[l];
        const gb_axis_limits *limits = &envelope->limits[link->column];
        point->reach[l] = link->motion == GB_LINK_SLIDE ? 1.0 : behind;
        behind += length(link->at);
        if (link->motion == GB_LINK_SLIDE)
            behind += fmax(-limits->low, limits->high);
    }
}

static gb_status configure_point(gb_envelope *envelope,
                                 const gb_place *p,
                                 const gb_raw_point *raw,
                                 gb_chain_point *point)
{
    *point = (gb_chain_point){.radius = raw->radius ? *raw->radius : 0.0};
    if (raw->link < 0 || raw->link >= envelope->region.link_count)
        return GB_CHECK_FAIL(p, "link", "the chain has links 0 to %d",
                             envelope->region.link_count - 1);
    point->link = (int)raw->link;
    if (!(point->radius >= 0.0 && point->radius < 1e9))
        return GB_CHECK_FAIL(p, "radius", "expected 0 or more %s", p->unit);
    GB_TRY(three(p, "at", raw->at, point->at));
    set_reach(envelope, point);
    return GB_OK;
}

static gb_status check_box(const gb_place *p, const gb_raw_zone *raw, gb_zone *zone)
{
    if (!raw->low || !raw->high || raw->from || raw->to || raw->radius)
        return GB_CHECK_FAIL(p, "", "a box has \"low\" and \"high\" corners, and nothing else");
    GB_TRY(three(p, "low", raw->low, zone->a));
    GB_TRY(three(p, "high", raw->high, zone->b));
    for (int i = 0; i < 3; i++)
        if (!(zone->a[i] < zone->b[i]))
            return GB_CHECK_FAIL(p, "high", "low %g is not below high %g %s", zone->a[i],
                                 zone->b[i], p->unit);
    return GB_OK;
}

static gb_status check_cylinder(const gb_place *p, const gb_raw_zone *raw, gb_zone *zone)
{
    if (!raw->from || !raw->to || !raw->radius || raw->low || raw->high)
        return GB_CHECK_FAIL(
            p, "", "a cylinder has \"from\" and \"to\" on its axis and a \"radius\", nothing else");
    GB_TRY(three(p, "from", raw->from, zone->a));
    GB_TRY(three(p, "to", raw->to, zone->b));
    GB_TRY(gb_check_positive(p, "radius", *raw->radius));
    zone->radius = *raw->radius;
    double axis[3] = {zone->b[0] - zone->a[0], zone->b[1] - zone->a[1], zone->b[2] - zone->a[2]};
    if (!(length(axis) > 1e-9))
        return GB_CHECK_FAIL(p, "to", "the cylinder has no length");
    return GB_OK;
}

static gb_status configure_zones(gb_place *p,
                                 const char *key,
                                 const gb_raw_zone *raw,
                                 unsigned count,
                                 bool boxes_only,
                                 gb_zone *zones,
                                 int *out_count)
{
    for (unsigned i = 0; i < count; i++) {
        snprintf(p->key, sizeof p->key, "workspace.%s[%u]", key, i);
        zones[i] = (gb_zone){.kind = raw[i].kind};
        if (raw[i].kind == GB_ZONE_BOX)
            GB_TRY(check_box(p, &raw[i], &zones[i]));
        else if (boxes_only)
            return GB_CHECK_FAIL(p, "kind", "%s zones are boxes", key);
        else
            GB_TRY(check_cylinder(p, &raw[i], &zones[i]));
    }
    *out_count = (int)count;
    return GB_OK;
}

/* The stream must command positions. */
static gb_status find_stream(gb_envelope *envelope, const gb_place *p, const char *name)
{
    const gb_plant_info *machine = envelope->machine;
    gb_region_rule *rule = &envelope->region;
    const gb_plant_stream *stream = gb_plant_action_stream(machine, name, &rule->column);
    if (!stream)
        return gb_check_fail_stream(p, "stream", name, machine->action_streams,
                                    machine->action_stream_count, "action");
    rule->columns = stream->size;
    const gb_command_rule *command = envelope->rules;
    while (command->offset != rule->column)
        command++;
    if (command->kind != GB_COMMAND_POSITION)
        return GB_CHECK_FAIL(p, "stream", "stream %s does not command positions (%s)", name,
                             stream->spec.unit);
    return GB_OK;
}

/* Margins are parts of half the narrowest allowed box. */
static void set_scale(gb_region_rule *rule)
{
    double least = INFINITY;
    for (int i = 0; i < rule->allowed_count; i++)
        for (int k = 0; k < 3; k++)
            least = fmin(least, (rule->allowed[i].b[k] - rule->allowed[i].a[k]) / 2.0);
    rule->scale = isfinite(least) ? least : 1.0;
}

gb_status
gb_envelope_configure_region(gb_envelope *envelope, const char *path, const gb_raw_region *raw)
{
    gb_region_rule *rule = &envelope->region;
    gb_place p = {.path = path, .key = "workspace", .stream = raw->stream, .unit = raw->unit};
    GB_TRY(find_stream(envelope, &p, raw->stream));
    if (!raw->allowed && !raw->keep_out)
        return GB_CHECK_FAIL(&p, "", "give \"allowed\" boxes, \"keep_out\" zones or both");
    rule->tracking = raw->tracking ? *raw->tracking : 0.0;
    if (!(rule->tracking >= 0.0 && rule->tracking < 1e9))
        return GB_CHECK_FAIL(&p, "tracking", "expected 0 or more %s", raw->unit);
    for (unsigned i = 0; i < raw->chain_count; i++, rule->link_count++) {
        snprintf(p.key, sizeof p.key, "workspace.chain[%u]", i);
        GB_TRY(configure_link(envelope, &p, &raw->chain[i], &rule->links[i]));
    }
    for (unsigned i = 0; i < raw->points_count; i++, rule->point_count++) {
        snprintf(p.key, sizeof p.key, "workspace.points[%u]", i);
        GB_TRY(configure_point(envelope, &p, &raw->points[i], &rule->points[i]));
    }
    GB_TRY(configure_zones(&p, "allowed", raw->allowed, raw->allowed_count, true, rule->allowed,
                           &rule->allowed_count));
    GB_TRY(configure_zones(&p, "keep_out", raw->keep_out, raw->keep_out_count, false,
                           rule->keep_out, &rule->keep_out_count));
    set_scale(rule);
    return GB_OK;
}
