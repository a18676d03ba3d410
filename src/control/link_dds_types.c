/* control/link_dds_types.c: the table of ROS 2 messages that a DDS link speaks, and the finding of
 * a map's stream in one of them. Reading and writing the values is link_dds_values.c. */
#ifdef GENBA_WITH_CYCLONEDDS
#include "control/link_dds_types.h"

#include "ros2.h"

#include <stdio.h>
#include <string.h>

typedef sensor_msgs_msg_dds__JointState_ joint_state;
typedef sensor_msgs_msg_dds__Imu_ imu;
typedef sensor_msgs_msg_dds__LaserScan_ laser_scan;
typedef sensor_msgs_msg_dds__Image_ image;
typedef geometry_msgs_msg_dds__Twist_ twist;
typedef geometry_msgs_msg_dds__TwistStamped_ twist_stamped;
typedef std_msgs_msg_dds__Float64MultiArray_ array;
typedef trajectory_msgs_msg_dds__JointTrajectory_ trajectory;
typedef trajectory_msgs_msg_dds__JointTrajectoryPoint_ point;

static const gb_dds_field joint_state_fields[] = {
    {"position", GB_DDS_F64, offsetof(joint_state, position)},
    {"velocity", GB_DDS_F64, offsetof(joint_state, velocity)},
    {"effort", GB_DDS_F64, offsetof(joint_state, effort)},
};
static const gb_dds_field trajectory_fields[] = {
    {"positions", GB_DDS_F64, offsetof(point, positions)},
    {"velocities", GB_DDS_F64, offsetof(point, velocities)},
    {"accelerations", GB_DDS_F64, offsetof(point, accelerations)},
    {"effort", GB_DDS_F64, offsetof(point, effort)},
};
static const gb_dds_field laser_scan_fields[] = {
    {"ranges", GB_DDS_RANGE, offsetof(laser_scan, ranges)},
    {"intensities", GB_DDS_F32, offsetof(laser_scan, intensities)},
};
static const gb_dds_field image_fields[] = {{"data", GB_DDS_PICTURE, offsetof(image, data)}};
static const gb_dds_field array_fields[] = {{"data", GB_DDS_F64, offsetof(array, data)}};

#define VECTOR(type, name, member)                                                                 \
    {name ".x", offsetof(type, member.x)}, {name ".y", offsetof(type, member.y)},                  \
    {                                                                                              \
        name ".z", offsetof(type, member.z)                                                        \
    }

static const gb_dds_part imu_parts[] = {
    VECTOR(imu, "orientation", orientation),
    {"orientation.w", offsetof(imu, orientation.w)},
    VECTOR(imu, "angular_velocity", angular_velocity),
    VECTOR(imu, "linear_acceleration", linear_acceleration),
};
static const gb_dds_part twist_parts[] = {VECTOR(twist, "linear", linear),
                                          VECTOR(twist, "angular", angular)};
static const gb_dds_part twist_stamped_parts[] = {VECTOR(twist_stamped, "linear", twist.linear),
                                                  VECTOR(twist_stamped, "angular", twist.angular)};

#define COUNTED(list) list, sizeof(list) / sizeof *(list)
#define TYPE(package, name)                                                                        \
#package, #name, &package##_msg_dds__##name##__desc, sizeof(package##_msg_dds__##name##_)

static const gb_dds_type types[] = {
    {TYPE(sensor_msgs, JointState), offsetof(joint_state, header), offsetof(joint_state, name),
     GB_DDS_NONE, COUNTED(joint_state_fields), NULL, 0},
    {TYPE(sensor_msgs, Imu), offsetof(imu, header), GB_DDS_NONE, GB_DDS_NONE, NULL, 0,
     COUNTED(imu_parts)},
    {TYPE(sensor_msgs, LaserScan), offsetof(laser_scan, header), GB_DDS_NONE, GB_DDS_NONE,
     COUNTED(laser_scan_fields), NULL, 0},
    {TYPE(sensor_msgs, Image), offsetof(image, header), GB_DDS_NONE, GB_DDS_NONE,
     COUNTED(image_fields), NULL, 0},
    {TYPE(geometry_msgs, Twist), GB_DDS_NONE, GB_DDS_NONE, GB_DDS_NONE, NULL, 0,
     COUNTED(twist_parts)},
    {TYPE(geometry_msgs, TwistStamped), offsetof(twist_stamped, header), GB_DDS_NONE, GB_DDS_NONE,
     NULL, 0, COUNTED(twist_stamped_parts)},
    {TYPE(trajectory_msgs, JointTrajectory), offsetof(trajectory, header),
     offsetof(trajectory, joint_names), offsetof(trajectory, points), COUNTED(trajectory_fields),
     NULL, 0},
    {TYPE(std_msgs, Float64MultiArray), GB_DDS_NONE, GB_DDS_NONE, GB_DDS_NONE,
     COUNTED(array_fields), NULL, 0},
};
const char gb_dds_type_names[] =
    "JointState, Imu, LaserScan, Image, Twist, TwistStamped, JointTrajectory, Float64MultiArray";

enum {
    PICTURE_PIXELS_MOST = 64 * 64
};

const gb_dds_type *gb_dds_type_find(const char *name)
{
    const char *slash = strchr(name, '/');
    const char *last = strrchr(name, '/');
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        const gb_dds_type *type = &types[i];
        if (strcmp(last ? last + 1 : name, type->name) != 0)
            continue;
        if (!slash || (strncmp(name, type->package, (size_t)(slash - name)) == 0 &&
                       strlen(type->package) == (size_t)(slash - name)))
            return type;
    }
    return NULL;
}

/* ---- a stream in its message --------------------------------------------------------------------
 */

typedef struct binding_stream { /* what is being bound, for messages */
    const gb_link_map *map;
    const gb_plant_stream *stream;
    const gb_link_stream *link;
} binding_stream;

GB_PRINTF(2, 3)
static gb_status wrong(const binding_stream *s, const char *format, ...)
{
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    const char *type = s->link->type, *field = s->link->field;
    bool said = *type || *field;
    return gb_fail(GB_ERR_SCHEMA, "%s:%d: stream \"%s\"%s%s%s%s%s: %s", s->map->path, s->link->line,
                   s->stream->spec.name, said ? " (" : "", type, *type && *field ? " " : "", field,
                   said ? ")" : "", message);
}

/* A value that has no column is the part in its place after the field's name. */
static gb_status bind_parts(const binding_stream *s, gb_dds_binding *b)
{
    const gb_dds_type *type = b->type;
    const char *field = s->link->field;
    size_t *parts = gb_arena_alloc(s->map->arena, (size_t)b->size * sizeof *parts);
    if (!parts)
        return GB_ERR_MEMORY;
    int next = 0;
    for (int i = 0; i < b->size; i++) {
        char name[128];
        if (s->link->columns)
            snprintf(name, sizeof name, "%s%s%s", field, *field ? "." : "", s->link->columns[i]);
        else
            snprintf(name, sizeof name, "%s%s", field, *field ? "." : "");
        int at = s->link->columns ? 0 : next;
        size_t length = strlen(name);
        while (at < type->part_count &&
               (s->link->columns ? strcmp(type->parts[at].name, name)
                                 : strncmp(type->parts[at].name, name, length)) != 0)
            at++;
        if (at == type->part_count)
            return wrong(s,
                         "value %d: a %s has no \"%s\"; it has %s to %s; name values by "
                         "columns: [x, y, z]",
                         i, type->name, name, type->parts[0].name,
                         type->parts[type->part_count - 1].name);
        parts[i] = type->parts[at].offset;
        next = at + 1;
    }
    b->parts = parts;
    return GB_OK;
}

static gb_status bind_picture(const binding_stream *s, gb_dds_binding *b)
{
    const gb_stream_spec *spec = &s->stream->spec;
    if (spec->rank != 2 && spec->rank != 3)
        return wrong(s, "a picture needs shape: [height, width] or [height, width, channels]");
    b->height = (int)spec->shape[0];
    b->width = (int)spec->shape[1];
    b->channels = spec->rank == 3 ? (int)spec->shape[2] : 1;
    if (b->channels != 1 && b->channels != 3)
        return wrong(s, "%d channels; expected 1 (grey, depth) or 3 (red, green, blue)",
                     b->channels);
    if (b->height * (int64_t)b->width > PICTURE_PIXELS_MOST)
        return wrong(s,
                     "a picture of %d x %d pixels; observations are numbers and pictures among "
                     "them have at most 64 x 64 pixels: publish a smaller one",
                     b->height, b->width);
    return GB_OK;
}

static gb_status bind_field(const binding_stream *s, gb_dds_binding *b)
{
    const gb_dds_type *type = b->type;
    const char *name = s->link->field;
    b->field = *name ? NULL : type->fields;
    for (int i = 0; i < type->field_count && !b->field; i++)
        if (strcmp(type->fields[i].name, name) == 0)
            b->field = &type->fields[i];
    if (!b->field)
        return wrong(s, "a %s has no such field; expected %s%s%s", type->name, type->fields[0].name,
                     type->field_count > 1 ? " ... " : "",
                     type->field_count > 1 ? type->fields[type->field_count - 1].name : "");
    if (b->field->kind == GB_DDS_PICTURE)
        GB_TRY(bind_picture(s, b));
    b->columns = s->link->columns;
    if (b->columns && type->names == GB_DDS_NONE)
        return wrong(s, "columns are names inside the message, and a %s holds none; leave them out",
                     type->name);
    if (!b->columns && type->points != GB_DDS_NONE)
        return wrong(s, "a %s names its joints; expected columns: [joint, ...]", type->name);
    b->order = gb_arena_alloc(s->map->arena, (size_t)b->size * sizeof *b->order);
    for (int i = 0; b->order && i < b->size; i++)
        b->order[i] = (uint32_t)i;
    return b->order ? GB_OK : GB_ERR_MEMORY;
}

gb_status gb_dds_bind(const gb_link_map *map,
                      const gb_plant_stream *stream,
                      const gb_link_stream *link,
                      int at,
                      gb_dds_binding *out)
{
    binding_stream s = {map, stream, link};
    gb_dds_binding b = {
        .type = gb_dds_type_find(link->type),
        .at = at,
        .size = stream->size,
        .scale = link->scale,
        .offset = link->offset,
        .low = stream->low,
        .high = stream->high,
    };
    if (!*link->topic)
        return wrong(&s, "has no topic; a DDS link needs topic: and type: for every stream");
    if (!b.type)
        return wrong(&s, "type \"%s\" is not known; expected one of %s", link->type,
                     gb_dds_type_names);
    GB_TRY(b.type->parts ? bind_parts(&s, &b) : bind_field(&s, &b));
    *out = b;
    return GB_OK;
}
#else
typedef int gb_dds_types_off; /* a file may not be empty */
#endif
