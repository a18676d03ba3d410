/* Streams filled from messages: their names, units of well-known fields, and batches. Reading the
 * messages is ros_topic.c. */
#include "ingest/ros_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_BYTES (256u << 10)
#define BATCH_SAMPLES 4096

/* What the messages of ROS are defined to hold (REP 103 and the comments of their definitions). */
typedef struct known_field {
    const char *type, *field, *unit, *semantic;
} known_field;

static const known_field known_fields[] = {
    {"sensor_msgs/Imu", "orientation", "1", "orientation"},
    {"sensor_msgs/Imu", "angular_velocity", "rad/s", "angular_velocity"},
    {"sensor_msgs/Imu", "linear_acceleration", "m/s2", "linear_acceleration"},
    {"sensor_msgs/JointState", "position", "", "position"}, /* rad, or m of a prismatic joint */
    {"sensor_msgs/JointState", "velocity", "", "velocity"},
    {"sensor_msgs/JointState", "effort", "", "effort"},
    {"sensor_msgs/LaserScan", "ranges", "m", "range"},
    {"sensor_msgs/LaserScan", "angle_min", "rad", ""},
    {"sensor_msgs/LaserScan", "angle_max", "rad", ""},
    {"sensor_msgs/LaserScan", "angle_increment", "rad", ""},
    {"sensor_msgs/LaserScan", "time_increment", "s", ""},
    {"sensor_msgs/LaserScan", "scan_time", "s", ""},
    {"sensor_msgs/LaserScan", "range_min", "m", ""},
    {"sensor_msgs/LaserScan", "range_max", "m", ""},
    {"sensor_msgs/Range", "range", "m", "range"},
    {"sensor_msgs/Temperature", "temperature", "Cel", "temperature"},
    {"sensor_msgs/FluidPressure", "fluid_pressure", "Pa", "pressure"},
    {"sensor_msgs/MagneticField", "magnetic_field", "T", "magnetic_field"},
    {"sensor_msgs/NavSatFix", "latitude", "deg", "position"},
    {"sensor_msgs/NavSatFix", "longitude", "deg", "position"},
    {"sensor_msgs/NavSatFix", "altitude", "m", "position"},
    {"sensor_msgs/BatteryState", "voltage", "V", "voltage"},
    {"sensor_msgs/BatteryState", "current", "A", "current"},
    {"geometry_msgs/Twist", "linear", "m/s", "velocity"},
    {"geometry_msgs/Twist", "angular", "rad/s", "angular_velocity"},
    {"geometry_msgs/TwistStamped", "twist.linear", "m/s", "velocity"},
    {"geometry_msgs/TwistStamped", "twist.angular", "rad/s", "angular_velocity"},
    {"geometry_msgs/Wrench", "force", "N", "force"},
    {"geometry_msgs/Wrench", "torque", "N.m", "torque"},
    {"geometry_msgs/WrenchStamped", "wrench.force", "N", "force"},
    {"geometry_msgs/WrenchStamped", "wrench.torque", "N.m", "torque"},
    {"geometry_msgs/Pose", "position", "m", "position"},
    {"geometry_msgs/Pose", "orientation", "1", "orientation"},
    {"geometry_msgs/PoseStamped", "pose.position", "m", "position"},
    {"geometry_msgs/PoseStamped", "pose.orientation", "1", "orientation"},
    {"nav_msgs/Odometry", "pose.pose.position", "m", "position"},
    {"nav_msgs/Odometry", "pose.pose.orientation", "1", "orientation"},
    {"nav_msgs/Odometry", "twist.twist.linear", "m/s", "velocity"},
    {"nav_msgs/Odometry", "twist.twist.angular", "rad/s", "angular_velocity"},
};

/* "sensor_msgs/msg/Imu" is "sensor_msgs/Imu". */
static bool is_type(const char *type, const char *short_name)
{
    const char *slash = strchr(type, '/'), *last = strrchr(type, '/');
    const char *short_slash = strchr(short_name, '/');
    return slash && short_slash && slash - type == short_slash - short_name &&
           strncmp(type, short_name, (size_t)(slash - type)) == 0 && strcmp(last, short_slash) == 0;
}

static void describe_known(const gb_ros_target *target, gb_stream_spec *spec)
{
    for (size_t i = 0; i < sizeof known_fields / sizeof *known_fields; i++) {
        const known_field *known = &known_fields[i];
        if (is_type(target->type, known->type) && strcmp(target->field, known->field) == 0) {
            spec->unit = known->unit;
            spec->semantic = known->semantic;
        }
    }
}

const gb_map_stream *
gb_ros_find_map(const gb_source *source, const char *topic, const char *field, bool *out_wanted)
{
    const gb_map_data *data = source->map->data;
    *out_wanted = data->streams_count == 0;
    for (uint32_t i = 0; i < data->streams_count; i++) {
        const gb_map_stream *stream = &data->streams[i];
        if (stream->source && strcmp(stream->source, topic) == 0 &&
            (!stream->field || strcmp(stream->field, field) == 0)) {
            *out_wanted = true;
            return stream;
        }
    }
    return NULL;
}

/* "/robot/imu" and "linear_acceleration" are "robot.imu.linear_acceleration". */
static const char *
make_name(gb_arena *arena, const gb_ros_target *target, const gb_map_stream *map, uint64_t key)
{
    char name[2 * GB_STREAM_NAME_MAX + 64];
    const char *topic = target->topic;
    while (*topic == '/')
        topic++;
    const char *dot = target->field[0] ? "." : "";
    if (map && map->field)
        snprintf(name, sizeof name, "%s", map->name);
    else
        snprintf(name, sizeof name, "%s%s%s", map ? map->name : topic, dot, target->field);
    for (char *c = name; *c && !map; c++)
        if (*c == '/')
            *c = '.';
    if (strlen(name) > GB_STREAM_NAME_MAX - 20)
        name[GB_STREAM_NAME_MAX - 20] = 0;
    if (key == 0 || target->unique)
        return gb_arena_text(arena, name);
    bool length = key < 1000000; /* a hash otherwise */
    return gb_arena_format(arena, length ? "%s.%llu" : "%s.%llx", name, (unsigned long long)key);
}

static gb_status copy_labels(gb_arena *arena, gb_stream_spec *spec)
{
    int64_t size = gb_stream_spec_size(spec);
    if (!spec->labels)
        return GB_OK;
    const char **labels = gb_arena_alloc(arena, (size_t)size * sizeof *labels);
    if (!labels)
        return GB_ERR_MEMORY;
    for (int64_t i = 0; i < size; i++) {
        labels[i] = gb_arena_text(arena, spec->labels[i]);
        if (!labels[i])
            return GB_ERR_MEMORY;
    }
    spec->labels = labels;
    return GB_OK;
}

static gb_status add_facts(gb_ros_stream *s)
{
    gb_pair *pairs = gb_arena_alloc(s->arena, 3 * sizeof *pairs);
    if (!pairs)
        return GB_ERR_MEMORY;
    pairs[0] = (gb_pair){"topic", gb_arena_text(s->arena, s->target->topic)};
    pairs[1] = (gb_pair){"type", gb_arena_text(s->arena, s->target->type)};
    pairs[2] = (gb_pair){"field", gb_arena_text(s->arena, s->target->field)};
    for (int i = 0; i < 3; i++)
        if (!pairs[i].value)
            return GB_ERR_MEMORY;
    s->spec.pairs = pairs;
    s->spec.pair_count = 3;
    return GB_OK;
}

/* *text: a copy in the arena; NULL stays. */
static gb_status keep(gb_arena *arena, const char **text)
{
    if (!*text)
        return GB_OK;
    *text = gb_arena_text(arena, *text);
    return *text ? GB_OK : GB_ERR_MEMORY;
}

static gb_status fill_spec(gb_ros_stream *s)
{
    gb_stream_spec *spec = &s->spec;
    const gb_map_stream *map = s->map;
    describe_known(s->target, spec);
    if (map && map->kind >= 0)
        spec->kind = (gb_stream_kind)map->kind;
    if (map && map->source_unit)
        spec->unit = map->source_unit;
    else if (map && map->unit)
        spec->unit = map->unit;
    if (map && map->semantic)
        spec->semantic = map->semantic;
    if (map && map->clock)
        spec->clock = map->clock;
    if (map && map->frame)
        spec->frame = map->frame;
    spec->name = make_name(s->arena, s->target, map, s->key);
    if (!spec->name)
        return GB_ERR_MEMORY;
    GB_TRY(keep(s->arena, &spec->unit));
    GB_TRY(keep(s->arena, &spec->encoding));
    GB_TRY(keep(s->arena, &spec->frame));
    GB_TRY(copy_labels(s->arena, spec));
    return add_facts(s);
}

gb_status gb_ros_stream_init(const gb_ros_target *target,
                             const gb_map_stream *map,
                             const gb_stream_spec *spec,
                             uint64_t key,
                             gb_ros_stream *out)
{
    gb_ros_stream s = {.target = target, .map = map, .spec = *spec, .key = key, .number = -1};
    GB_TRY(gb_arena_create(0, &s.arena));
    gb_status status = fill_spec(&s);
    if (status != GB_OK) {
        gb_arena_destroy(s.arena);
        return status;
    }
    s.sample_bytes = gb_value_type_bytes(spec->value_type) * (size_t)gb_stream_spec_size(spec);
    *out = s;
    return GB_OK;
}

static gb_status no_memory(const gb_ros_stream *s)
{
    return gb_fail(GB_ERR_MEMORY, "no memory for samples of %s", s->spec.name);
}

gb_status gb_ros_stream_stage(gb_ros_stream *s, size_t bytes, unsigned char **out)
{
    if (bytes > (size_t)1 << 32)
        return gb_fail(GB_ERR_SHAPE, "%s: a sample of %zu bytes is over the limit of 4 GiB",
                       s->spec.name, bytes);
    if (s->used + bytes > s->room || !s->values) {
        size_t room = s->used + bytes + (s->room < BATCH_BYTES ? s->room : BATCH_BYTES) + 64;
        unsigned char *grown = realloc(s->values, room);
        if (!grown)
            return no_memory(s);
        s->values = grown;
        s->room = room;
    }
    if (s->count == s->count_room) {
        int64_t room = s->count_room ? 2 * s->count_room : 64;
        int64_t *times = realloc(s->time_ns, (size_t)room * sizeof *times);
        if (!times)
            return no_memory(s);
        s->time_ns = times;
        size_t *sizes = realloc(s->sizes, (size_t)room * sizeof *sizes);
        if (!sizes)
            return no_memory(s);
        s->sizes = sizes;
        s->count_room = room;
    }
    *out = s->values + s->used;
    return GB_OK;
}

gb_status gb_ros_stream_commit(gb_ros_stream *s, size_t bytes, int64_t time_ns)
{
    s->time_ns[s->count] = time_ns;
    s->sizes[s->count] = bytes;
    s->used += bytes;
    s->count++;
    return s->used >= BATCH_BYTES || s->count >= BATCH_SAMPLES ? gb_ros_stream_flush(s) : GB_OK;
}

gb_status gb_ros_stream_flush(gb_ros_stream *s)
{
    if (s->count == 0)
        return GB_OK;
    gb_sink *sink = s->target->source->sink;
    if (s->number < 0)
        GB_TRY(gb_sink_stream(sink, s->target->recording, &s->spec, &s->number));
    gb_samples samples = {.count = s->count, .time_ns = s->time_ns, .values = s->values};
    const unsigned char **runs = NULL;
    if (s->sample_bytes == 0) {
        runs = malloc((size_t)s->count * sizeof *runs);
        if (!runs)
            return no_memory(s);
        size_t at = 0;
        for (int64_t i = 0; i < s->count; i++) {
            runs[i] = s->values + at;
            at += s->sizes[i];
        }
        samples.values = NULL;
        samples.runs = runs;
        samples.run_sizes = s->sizes;
    }
    gb_status status = gb_sink_append(sink, s->target->recording, s->number, &samples);
    free(runs);
    s->count = 0;
    s->used = 0;
    return status;
}

void gb_ros_stream_free(gb_ros_stream *s)
{
    gb_arena_destroy(s->arena);
    free(s->values);
    free(s->time_ns);
    free(s->sizes);
    *s = (gb_ros_stream){0};
}
