/* Pictures, point clouds and transforms of ROS 2, and the names of joints. */
#include "ingest/ros_known.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

double gb_ros_number(gb_ros_kind kind, const unsigned char *value)
{
#define NUMBER_CASE(kind_name, c_type)                                                             \
    case kind_name: {                                                                              \
        c_type v;                                                                                  \
        memcpy(&v, value, sizeof v);                                                               \
        return (double)v;                                                                          \
    }
    switch (kind) {
        NUMBER_CASE(GB_ROS_BOOL, uint8_t)
        NUMBER_CASE(GB_ROS_U8, uint8_t)
        NUMBER_CASE(GB_ROS_I8, int8_t)
        NUMBER_CASE(GB_ROS_I16, int16_t)
        NUMBER_CASE(GB_ROS_U16, uint16_t)
        NUMBER_CASE(GB_ROS_I32, int32_t)
        NUMBER_CASE(GB_ROS_U32, uint32_t)
        NUMBER_CASE(GB_ROS_I64, int64_t)
        NUMBER_CASE(GB_ROS_U64, uint64_t)
        NUMBER_CASE(GB_ROS_F32, float)
        NUMBER_CASE(GB_ROS_F64, double)
    default:
        return NAN;
    }
#undef NUMBER_CASE
}

static uint64_t mix(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *bytes = data; /* FNV-1a */
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 1099511628211ull;
    return hash;
}

static const uint64_t mix_start = 14695981039346656037ull;

gb_status gb_ros_read_names(gb_ros_topic *topic, gb_cdr *cdr, const gb_ros_field *field)
{
    uint32_t count = (uint32_t)field->length;
    if (field->many == GB_ROS_COUNTED)
        GB_TRY(gb_cdr_u32(cdr, &count));
    if (count > 4096)
        return gb_fail(GB_ERR_SHAPE, "%s: %u names are more than 4096", topic->base.topic, count);
    if (!topic->names.arena)
        GB_TRY(gb_arena_create(0, &topic->names.arena));
    gb_arena_reset(topic->names.arena);
    if (count > topic->names.room) {
        const char **grown = realloc(topic->names.texts, count * sizeof *grown);
        if (!grown)
            return gb_fail(GB_ERR_MEMORY, "no memory for %u names", count);
        topic->names.texts = grown;
        topic->names.room = count;
    }
    uint64_t hash = mix_start;
    for (uint32_t i = 0; i < count; i++) {
        const char *text = NULL;
        size_t size = 0;
        GB_TRY(gb_cdr_text(cdr, &text, &size));
        char *copy = gb_arena_alloc(topic->names.arena, size + 1);
        if (!copy)
            return GB_ERR_MEMORY;
        memcpy(copy, text, size);
        topic->names.texts[i] = copy;
        hash = mix(hash, copy, size + 1);
    }
    topic->names.count = count;
    topic->names.hash = hash | 1; /* 0 means the plain name */
    return GB_OK;
}

static const gb_ros_step *step_at(const gb_ros_topic *topic, const char *path)
{
    for (int i = 0; i < topic->program.count; i++)
        if (strcmp(topic->program.steps[i].path, path) == 0)
            return &topic->program.steps[i];
    return NULL;
}

static gb_status lacks(const gb_ros_topic *topic)
{
    return gb_fail(GB_ERR_PARSE, "%s: its schema of %s lacks fields of that type",
                   topic->base.topic, topic->base.type);
}

/* A sample of `bytes` of the topic's one stream, or of another variant of it. */
static gb_status put_sample(gb_ros_topic *topic,
                            const gb_ros_target *target,
                            uint64_t key,
                            const gb_stream_spec *spec,
                            const void *bytes,
                            size_t size,
                            int64_t time_ns)
{
    gb_ros_stream *stream;
    unsigned char *to;
    GB_TRY(gb_ros_topic_variant(&topic->program.steps[0], key, target, spec, &stream));
    GB_TRY(gb_ros_stream_stage(stream, size, &to));
    if (size > 0)
        memcpy(to, bytes, size);
    return gb_ros_stream_commit(stream, size, time_ns);
}

/* ---- sensor_msgs/Image ------------------------------------------------------------------------
 */

typedef struct pixel_format {
    const char *encoding;
    gb_value_type type;
    int channels;
    bool swap; /* BGR to RGB */
} pixel_format;

static const pixel_format pixel_formats[] = {
    {"mono8", GB_VALUE_U8, 1, false},  {"8UC1", GB_VALUE_U8, 1, false},
    {"rgb8", GB_VALUE_U8, 3, false},   {"8UC3", GB_VALUE_U8, 3, false},
    {"bgr8", GB_VALUE_U8, 3, true},    {"rgba8", GB_VALUE_U8, 4, false},
    {"bgra8", GB_VALUE_U8, 4, true},   {"mono16", GB_VALUE_U16, 1, false},
    {"16UC1", GB_VALUE_U16, 1, false}, {"32FC1", GB_VALUE_F32, 1, false},
};

static const pixel_format *find_format(const char *encoding, size_t size)
{
    for (size_t i = 0; i < sizeof pixel_formats / sizeof *pixel_formats; i++)
        if (strlen(pixel_formats[i].encoding) == size &&
            memcmp(pixel_formats[i].encoding, encoding, size) == 0)
            return &pixel_formats[i];
    return NULL;
}

/* Rows without what pads them, in this machine's byte order, RGB. */
static void pack_pixels(const gb_ros_step *data,
                        const pixel_format *format,
                        size_t width,
                        size_t height,
                        size_t step,
                        bool swap_bytes,
                        unsigned char *to)
{
    size_t value = gb_value_type_bytes(format->type), pixel = value * (size_t)format->channels;
    for (size_t y = 0; y < height; y++, to += width * pixel) {
        memcpy(to, data->bytes + y * step, width * pixel);
        for (size_t x = 0; format->swap && x < width; x++) {
            unsigned char first = to[x * pixel];
            to[x * pixel] = to[x * pixel + 2];
            to[x * pixel + 2] = first;
        }
        for (size_t x = 0; swap_bytes && value > 1 && x < width; x++)
            for (size_t a = 0, b = value - 1; a < b; a++, b--) {
                unsigned char kept = to[x * value + a];
                to[x * value + a] = to[x * value + b];
                to[x * value + b] = kept;
            }
    }
}

static gb_status take_image(gb_ros_topic *topic, int64_t time_ns)
{
    const gb_ros_step *height = step_at(topic, "height"), *width = step_at(topic, "width"),
                      *encoding = step_at(topic, "encoding"), *step = step_at(topic, "step"),
                      *big = step_at(topic, "is_bigendian"), *data = step_at(topic, "data");
    if (!height || !width || !encoding || !step || !big || !data)
        return lacks(topic);
    const pixel_format *format = find_format((const char *)encoding->bytes, encoding->byte_count);
    size_t w = (size_t)width->number, h = (size_t)height->number, row = (size_t)step->number;
    if (!format)
        return gb_fail(GB_ERR_SHAPE, "%s: pictures encoded as %.*s are not read", topic->base.topic,
                       (int)(encoding->byte_count < 40 ? encoding->byte_count : 40),
                       encoding->bytes);
    size_t pixel = gb_value_type_bytes(format->type) * (size_t)format->channels;
    if (w < 1 || h < 1 || w > 65536 || h > 65536 || row < w * pixel || data->byte_count / row < h)
        return gb_fail(GB_ERR_SHAPE,
                       "%s: a picture of %zu x %zu pixels, %zu bytes a row, holds %zu bytes",
                       topic->base.topic, w, h, row, data->byte_count);
    gb_stream_spec spec = gb_stream_spec_defaults("");
    spec.kind = GB_STREAM_IMAGE;
    spec.value_type = format->type;
    spec.rank = 3;
    spec.shape[0] = (int64_t)h;
    spec.shape[1] = (int64_t)w;
    spec.shape[2] = format->channels;
    spec.frame = topic->frame;
    /* Another size or format later on is a stream of its own. */
    gb_ros_step *first = &topic->program.steps[0];
    uint64_t key = mix(mix(mix(mix_start, &w, sizeof w), &h, sizeof h), &format, sizeof format) | 1;
    first->first_key = first->first_key ? first->first_key : key;
    gb_ros_stream *stream;
    unsigned char *to;
    GB_TRY(gb_ros_topic_variant(first, key == first->first_key ? 0 : key, &first->target, &spec,
                                &stream));
    GB_TRY(gb_ros_stream_stage(stream, w * h * pixel, &to));
    pack_pixels(data, format, w, h, row, big->number != 0, to);
    return gb_ros_stream_commit(stream, w * h * pixel, time_ns);
}

static gb_status take_compressed_image(gb_ros_topic *topic, int64_t time_ns)
{
    const gb_ros_step *data = step_at(topic, "data");
    if (!data)
        return lacks(topic);
    const unsigned char *bytes = data->bytes;
    bool png = data->byte_count >= 4 && memcmp(bytes, "\x89PNG", 4) == 0;
    bool jpeg = data->byte_count >= 2 && bytes[0] == 0xff && bytes[1] == 0xd8;
    gb_stream_spec spec = gb_stream_spec_defaults("");
    spec.kind = GB_STREAM_IMAGE;
    spec.value_type = GB_VALUE_BYTES;
    spec.encoding = png ? "png" : jpeg ? "jpeg" : "unknown";
    spec.frame = topic->frame;
    uint64_t key = png ? 1 : jpeg ? 2 : 3;
    gb_ros_step *first = &topic->program.steps[0];
    first->first_key = first->first_key ? first->first_key : key;
    return put_sample(topic, &first->target, key == first->first_key ? 0 : key, &spec, bytes,
                      data->byte_count, time_ns);
}

/* ---- sensor_msgs/PointCloud2 -------------------------------------------------------------------
 */

typedef struct cloud_field {
    char name[32];
    size_t offset;
    gb_ros_kind kind;
} cloud_field;

enum {
    CLOUD_FIELDS = 16
};

/* PointField.datatype: 1 INT8 ... 8 FLOAT64 */
static const gb_ros_kind cloud_kinds[] = {GB_ROS_STRING, GB_ROS_I8,  GB_ROS_U8,
                                          GB_ROS_I16,    GB_ROS_U16, GB_ROS_I32,
                                          GB_ROS_U32,    GB_ROS_F32, GB_ROS_F64};

static gb_status read_cloud_fields(const gb_ros_topic *topic,
                                   const gb_ros_step *fields,
                                   size_t point_step,
                                   cloud_field *out,
                                   int *out_count)
{
    json_t *array = json_loadb(topic->json.text + fields->json_at, fields->byte_count, 0, NULL);
    int count = 0;
    gb_status status = GB_OK;
    for (size_t i = 0; i < json_array_size(array) && count < CLOUD_FIELDS; i++) {
        const json_t *field = json_array_get(array, i);
        const char *name = json_string_value(json_object_get(field, "name"));
        json_int_t type = json_integer_value(json_object_get(field, "datatype"));
        json_int_t offset = json_integer_value(json_object_get(field, "offset"));
        if (!name || type < 1 || type > 8 || offset < 0 ||
            (size_t)offset + gb_ros_kind_bytes(cloud_kinds[type]) > point_step) {
            status = gb_fail(GB_ERR_SHAPE, "%s: a field of its points lies outside of them",
                             topic->base.topic);
            break;
        }
        cloud_field *to = &out[count++];
        strncpy(to->name, name, sizeof to->name - 1);
        to->name[sizeof to->name - 1] = 0;
        to->offset = (size_t)offset;
        to->kind = cloud_kinds[type];
    }
    json_decref(array);
    *out_count = count;
    return status;
}

static gb_status take_cloud(gb_ros_topic *topic, int64_t time_ns)
{
    const gb_ros_step *height = step_at(topic, "height"), *width = step_at(topic, "width"),
                      *fields = step_at(topic, "fields"), *data = step_at(topic, "data"),
                      *point = step_at(topic, "point_step"), *row = step_at(topic, "row_step"),
                      *big = step_at(topic, "is_bigendian");
    if (!height || !width || !fields || !data || !point || !row || !big)
        return lacks(topic);
    size_t w = (size_t)width->number, h = (size_t)height->number, step = (size_t)point->number,
           row_step = (size_t)row->number;
    bool fits = w <= UINT32_MAX && h <= UINT32_MAX && step >= 1 && row_step / step >= w &&
                (h == 0 || data->byte_count / (row_step ? row_step : 1) >= h) && big->number == 0;
    if (!fits)
        return gb_fail(GB_ERR_SHAPE,
                       "%s: a cloud of %zu x %zu points of %zu bytes holds %zu bytes%s",
                       topic->base.topic, w, h, step, data->byte_count,
                       big->number != 0 ? ", big-endian, which is not read" : "");
    cloud_field list[CLOUD_FIELDS];
    int count = 0;
    GB_TRY(read_cloud_fields(topic, fields, step, list, &count));
    char encoding[CLOUD_FIELDS * 34 + 8] = "f32:";
    for (int i = 0; i < count; i++) {
        strcat(encoding, i ? "," : "");
        strcat(encoding, list[i].name);
    }
    gb_stream_spec spec = gb_stream_spec_defaults("");
    spec.kind = GB_STREAM_POINTS;
    spec.value_type = GB_VALUE_BYTES;
    spec.encoding = encoding;
    spec.unit = "m";
    spec.frame = topic->frame;
    gb_ros_step *first = &topic->program.steps[0];
    uint64_t key = mix(mix_start, encoding, strlen(encoding)) | 1;
    first->first_key = first->first_key ? first->first_key : key;
    gb_ros_stream *stream;
    unsigned char *to;
    size_t bytes = w * h * (size_t)count * sizeof(float);
    GB_TRY(gb_ros_topic_variant(first, key == first->first_key ? 0 : key, &first->target, &spec,
                                &stream));
    GB_TRY(gb_ros_stream_stage(stream, bytes, &to));
    for (size_t y = 0; y < h; y++)
        for (size_t x = 0; x < w; x++)
            for (int f = 0; f < count; f++, to += sizeof(float)) {
                float value = (float)gb_ros_number(list[f].kind, data->bytes + y * row_step +
                                                                     x * step + list[f].offset);
                memcpy(to, &value, sizeof value);
            }
    return gb_ros_stream_commit(stream, bytes, time_ns);
}

/* ---- tf2_msgs/TFMessage ------------------------------------------------------------------------
 */

static gb_status make_target(gb_ros_topic *topic, const char *child, const gb_ros_target **out)
{
    gb_ros_target *target = gb_arena_alloc(topic->arena, sizeof *target);
    if (!target)
        return GB_ERR_MEMORY;
    *target = topic->program.steps[0].target;
    target->field = gb_arena_text(topic->arena, child);
    target->unique = true;
    *out = target;
    return target->field ? GB_OK : GB_ERR_MEMORY;
}

static gb_status take_transform(gb_ros_topic *topic, const json_t *one, int64_t message_ns)
{
    static const char *const labels[] = {"x", "y", "z", "qx", "qy", "qz", "qw"};
    const char *parent = NULL, *child = NULL;
    double v[7];
    json_int_t seconds = 0, ns = 0;
    json_t *object = (json_t *)(uintptr_t)one;
    if (json_unpack(object, "{s:{s:{s:I,s:I},s:s},s:s,s:{s:{s:F,s:F,s:F},s:{s:F,s:F,s:F,s:F}}}",
                    "header", "stamp", "sec", &seconds, "nanosec", &ns, "frame_id", &parent,
                    "child_frame_id", &child, "transform", "translation", "x", &v[0], "y", &v[1],
                    "z", &v[2], "rotation", "x", &v[3], "y", &v[4], "z", &v[5], "w", &v[6]) != 0)
        return gb_fail(GB_ERR_SHAPE, "%s: a transform that is none (or holds NaN)",
                       topic->base.topic);
    int64_t stamp_ns = (int64_t)seconds * 1000000000 + (int64_t)ns;
    uint64_t key = mix(mix(mix_start, parent, strlen(parent) + 1), child, strlen(child)) | 1;
    const gb_ros_target *target = NULL;
    if (!gb_ros_topic_find(&topic->program.steps[0], key))
        GB_TRY(make_target(topic, child, &target));
    gb_stream_spec spec = gb_stream_spec_defaults("");
    spec.kind = GB_STREAM_VECTOR;
    spec.value_type = GB_VALUE_F64;
    spec.rank = 1;
    spec.shape[0] = 7;
    spec.labels = labels;
    spec.semantic = "transform";
    spec.frame = parent;
    return put_sample(topic, target, key, &spec, v, sizeof v,
                      stamp_ns > 0 && !topic->by_log_time ? stamp_ns : message_ns);
}

static gb_status take_transforms(gb_ros_topic *topic, int64_t time_ns)
{
    const gb_ros_step *list = step_at(topic, "transforms");
    if (!list)
        return lacks(topic);
    json_t *array = json_loadb(topic->json.text + list->json_at, list->byte_count, 0, NULL);
    gb_status status = GB_OK;
    for (size_t i = 0; status == GB_OK && i < json_array_size(array); i++)
        status = take_transform(topic, json_array_get(array, i), time_ns);
    json_decref(array);
    return status;
}

static const gb_ros_known known_types[] = {
    {"sensor_msgs/Image", take_image},
    {"sensor_msgs/CompressedImage", take_compressed_image},
    {"sensor_msgs/PointCloud2", take_cloud},
    {"tf2_msgs/TFMessage", take_transforms},
};

const gb_ros_known *gb_ros_known_find(const gb_ros_type *type)
{
    for (size_t i = 0; i < sizeof known_types / sizeof *known_types; i++)
        if (gb_ros_type_is(type, known_types[i].type))
            return &known_types[i];
    return NULL;
}
