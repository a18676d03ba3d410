/* control/link_dds_values.c: reads a stream's values out of a ROS 2 message and writes them into
 * one. A message comes from the network: no count in it is believed. */
#ifdef GENBA_WITH_CYCLONEDDS
#include "control/link_dds_types.h"

#include "ros2.h"

#include <math.h>
#include <string.h>

typedef sensor_msgs_msg_dds__LaserScan_ laser_scan;
typedef sensor_msgs_msg_dds__Image_ image;
typedef trajectory_msgs_msg_dds__JointTrajectoryPoint_ point;

/* All sequences of idlc have the same layout; their buffers differ in type. */
static dds_sequence_t sequence_at(const void *base, size_t offset)
{
    dds_sequence_t sequence;
    memcpy(&sequence, (const char *)base + offset, sizeof sequence);
    return sequence;
}

static const char *const *names_of(const dds_sequence_t *names)
{
    return (const char *const *)(const void *)names->_buffer;
}

/* ---- the time of a message ----------------------------------------------------------------------
 */

int64_t gb_dds_stamp(const gb_dds_type *type, const void *message)
{
    if (type->header == GB_DDS_NONE)
        return 0;
    std_msgs_msg_dds__Header_ header;
    memcpy(&header, (const char *)message + type->header, sizeof header);
    return header.stamp.sec * INT64_C(1000000000) + header.stamp.nanosec;
}

void gb_dds_set_stamp(const gb_dds_type *type, void *message, int64_t stamp_ns)
{
    if (type->header == GB_DDS_NONE)
        return;
    std_msgs_msg_dds__Header_ *header = (void *)((char *)message + type->header);
    header->stamp.sec = (int32_t)(stamp_ns / 1000000000);
    header->stamp.nanosec = (uint32_t)(stamp_ns % 1000000000);
}

/* ---- reading ------------------------------------------------------------------------------------
 */

/* Where the binding's columns are among the names of a message. Machines keep their order, so the
 * place of the last message is tried first. */
static uint32_t find_columns(const gb_dds_binding *b, const dds_sequence_t *names)
{
    const char *const *name = names_of(names);
    int found = 0;
    for (int i = 0; i < b->size; i++) {
        uint32_t at = b->order[i];
        if (at >= names->_length || !name[at] || strcmp(name[at], b->columns[i]) != 0) {
            at = 0;
            while (at < names->_length && (!name[at] || strcmp(name[at], b->columns[i]) != 0))
                at++;
        }
        if (at == names->_length)
            continue;
        b->order[i] = at;
        found++;
    }
    if (found == b->size)
        return 0;
    /* Several publishers may share a topic, each with joints of its own. */
    return found == 0 && names->_length > 0 ? GB_DDS_OTHER : GB_FAULT_SHAPE;
}

/* REP 117: +inf is "nothing within range", -inf "too close", NaN "the measurement failed". The
 * first two become the ends of the stream's limits, or of the scan's own. */
static double range(const gb_dds_binding *b, const laser_scan *scan, int i, float value)
{
    double v = b->scale * (double)value + b->offset;
    if (value > scan->range_max)
        return b->high ? b->high[i] : b->scale * (double)scan->range_max + b->offset;
    if (value < scan->range_min)
        return b->low ? b->low[i] : b->scale * (double)scan->range_min + b->offset;
    return v;
}

static uint32_t decode_sequence(const gb_dds_binding *b, const void *message, double *values)
{
    const void *base = message;
    if (b->type->points != GB_DDS_NONE) {
        dds_sequence_t points = sequence_at(message, b->type->points);
        if (points._length != 1)
            return GB_FAULT_SHAPE;
        base = points._buffer;
    }
    dds_sequence_t numbers = sequence_at(base, b->field->offset);
    if (b->columns) {
        dds_sequence_t names = sequence_at(message, b->type->names);
        uint32_t missing = find_columns(b, &names);
        if (missing)
            return missing;
        if (numbers._length != names._length)
            return GB_FAULT_SHAPE;
    } else if (numbers._length != (uint32_t)b->size)
        return GB_FAULT_SHAPE;
    const double *f64 = (const void *)numbers._buffer;
    const float *f32 = (const void *)numbers._buffer;
    for (int i = 0; i < b->size; i++) {
        uint32_t at = b->order[i];
        values[b->at + i] = b->field->kind == GB_DDS_RANGE ? range(b, message, i, f32[at])
                            : b->field->kind == GB_DDS_F32 ? b->scale * (double)f32[at] + b->offset
                                                           : b->scale * f64[at] + b->offset;
    }
    return 0;
}

typedef struct encoding {
    const char *name;
    int channels, bytes; /* of one channel */
    bool real, blue_first;
} encoding;

static const encoding encodings[] = {
    {"mono8", 1, 1, false, false}, {"8UC1", 1, 1, false, false},   {"rgb8", 3, 1, false, false},
    {"bgr8", 3, 1, false, true},   {"mono16", 1, 2, false, false}, {"16UC1", 1, 2, false, false},
    {"32FC1", 1, 4, true, false},
};

static double pixel(const unsigned char *p, const encoding *e, bool big_endian)
{
    if (e->bytes == 1)
        return *p;
    uint32_t bits = 0;
    for (int i = 0; i < e->bytes; i++)
        bits = bits << 8 | p[big_endian ? i : e->bytes - 1 - i];
    float real;
    memcpy(&real, &bits, sizeof real);
    return e->real ? (double)real : bits;
}

static uint32_t decode_picture(const gb_dds_binding *b, const image *picture, double *values)
{
    const encoding *e = NULL;
    for (size_t i = 0; i < sizeof encodings / sizeof *encodings && picture->encoding; i++)
        if (strcmp(encodings[i].name, picture->encoding) == 0)
            e = &encodings[i];
    if (!e || e->channels != b->channels || picture->height != (uint32_t)b->height ||
        picture->width != (uint32_t)b->width)
        return GB_FAULT_SHAPE;
    size_t row_bytes = (size_t)b->width * (size_t)(e->channels * e->bytes);
    if (picture->step < row_bytes ||
        picture->data._length != (uint64_t)picture->step * picture->height)
        return GB_FAULT_CORRUPT;
    double *to = values + b->at;
    for (size_t y = 0; y < picture->height; y++) {
        const unsigned char *row = picture->data._buffer + y * picture->step;
        for (size_t x = 0; x < picture->width; x++)
            for (int c = 0; c < e->channels; c++) {
                int channel = e->blue_first ? e->channels - 1 - c : c;
                size_t at = (x * (size_t)e->channels + (size_t)channel) * (size_t)e->bytes;
                *to++ = b->scale * pixel(row + at, e, picture->is_bigendian) + b->offset;
            }
    }
    return 0;
}

uint32_t gb_dds_decode(const gb_dds_binding *b, const void *message, double *values)
{
    if (!b->field) {
        for (int i = 0; i < b->size; i++) {
            double value;
            memcpy(&value, (const char *)message + b->parts[i], sizeof value);
            values[b->at + i] = b->scale * value + b->offset;
        }
        return 0;
    }
    if (b->field->kind == GB_DDS_PICTURE)
        return decode_picture(b, message, values);
    return decode_sequence(b, message, values);
}

/* ---- writing ------------------------------------------------------------------------------------
 */

static gb_status no_memory(const gb_link_map *map)
{
    return gb_fail(GB_ERR_MEMORY, "%s: no memory for messages", map->path);
}

/* A sequence of `count` zeroed elements that Cyclone never frees. */
static void *
prepare_sequence(void *base, size_t offset, size_t count, size_t bytes, gb_arena *arena)
{
    dds_sequence_t sequence = sequence_at(base, offset);
    if (sequence._buffer)
        return sequence._buffer;
    sequence._buffer = gb_arena_alloc(arena, count * bytes);
    sequence._maximum = sequence._length = (uint32_t)count;
    sequence._release = false;
    memcpy((char *)base + offset, &sequence, sizeof sequence);
    return sequence._buffer;
}

/* The names of the message: of its first stream, and the others must agree. */
static gb_status
prepare_names(const gb_link_map *map, const gb_dds_binding *b, gb_arena *arena, void *message)
{
    dds_sequence_t before = sequence_at(message, b->type->names);
    const char **names = prepare_sequence(message, b->type->names, b->columns ? (size_t)b->size : 0,
                                          sizeof *names, arena);
    if (!names)
        return no_memory(map);
    bool same = !before._buffer || before._length == (b->columns ? (uint32_t)b->size : 0);
    for (int i = 0; b->columns && same && i < b->size; i++) {
        same = !names[i] || strcmp(names[i], b->columns[i]) == 0;
        names[i] = b->columns[i];
    }
    if (!same)
        return gb_fail(GB_ERR_SCHEMA,
                       "%s: two streams of one %s topic name other columns; expected the same, in "
                       "the same order",
                       map->path, b->type->name);
    return GB_OK;
}

static gb_status prepare_picture(const gb_dds_binding *b, gb_arena *arena, image *picture)
{
    picture->height = (uint32_t)b->height;
    picture->width = (uint32_t)b->width;
    picture->step = (uint32_t)(b->width * b->channels);
    picture->encoding = gb_arena_text(arena, b->channels == 3 ? "rgb8" : "mono8");
    return picture->encoding ? GB_OK : GB_ERR_MEMORY;
}

/* A scan all around, seen from behind: that is where ROS 2 drivers begin. */
static void prepare_scan(const gb_dds_binding *b, int64_t tick_ns, laser_scan *scan)
{
    const double turn = 6.283185307179586;
    scan->angle_min = (float)(-turn / 2);
    scan->angle_increment = (float)(turn / b->size);
    scan->angle_max = (float)(-turn / 2 + turn / b->size * (b->size - 1));
    scan->scan_time = (float)((double)tick_ns / 1e9);
    scan->range_min = b->low ? (float)((b->low[0] - b->offset) / b->scale) : 0;
    scan->range_max = b->high ? (float)((b->high[0] - b->offset) / b->scale) : INFINITY;
}

static gb_status prepare_field(const gb_link_map *map,
                               const gb_dds_binding *b,
                               int64_t tick_ns,
                               gb_arena *arena,
                               void *message)
{
    static const size_t element_bytes[] = {[GB_DDS_F64] = sizeof(double),
                                           [GB_DDS_F32] = sizeof(float),
                                           [GB_DDS_RANGE] = sizeof(float),
                                           [GB_DDS_PICTURE] = 1};
    void *base = message;
    if (b->type->names != GB_DDS_NONE)
        GB_TRY(prepare_names(map, b, arena, message));
    if (b->type->points != GB_DDS_NONE) {
        point *p = prepare_sequence(message, b->type->points, 1, sizeof *p, arena);
        if (!p)
            return no_memory(map);
        p->time_from_start.sec = (int32_t)(tick_ns / 1000000000);
        p->time_from_start.nanosec = (uint32_t)(tick_ns % 1000000000);
        base = p;
    }
    if (!prepare_sequence(base, b->field->offset, (size_t)b->size, element_bytes[b->field->kind],
                          arena))
        return no_memory(map);
    if (b->field->kind == GB_DDS_PICTURE)
        return prepare_picture(b, arena, message);
    if (b->field->kind == GB_DDS_RANGE)
        prepare_scan(b, tick_ns, message);
    return GB_OK;
}

gb_status gb_dds_prepare(const gb_link_map *map,
                         const gb_dds_binding *b,
                         int64_t tick_ns,
                         gb_arena *arena,
                         void *message)
{
    static char no_text[] = ""; /* Cyclone only reads it */
    if (b->type->header != GB_DDS_NONE) {
        std_msgs_msg_dds__Header_ *header = (void *)((char *)message + b->type->header);
        header->frame_id = no_text;
    }
    return b->field ? prepare_field(map, b, tick_ns, arena, message) : GB_OK;
}

static unsigned char octet(double value)
{
    return value >= 255 ? 255 : value > 0 ? (unsigned char)(value + 0.5) : 0;
}

void gb_dds_encode(const gb_dds_binding *b, const double *values, void *message)
{
    void *base = message;
    if (b->field && b->type->points != GB_DDS_NONE)
        base = sequence_at(message, b->type->points)._buffer;
    unsigned char *to = b->field ? sequence_at(base, b->field->offset)._buffer : NULL;
    for (int i = 0; i < b->size; i++) {
        double value = (values[b->at + i] - b->offset) / b->scale;
        float single = (float)value;
        if (!b->field)
            memcpy((char *)message + b->parts[i], &value, sizeof value);
        else if (b->field->kind == GB_DDS_F64)
            memcpy(to + (size_t)i * sizeof value, &value, sizeof value);
        else if (b->field->kind == GB_DDS_PICTURE)
            to[i] = octet(value);
        else
            memcpy(to + (size_t)i * sizeof single, &single, sizeof single);
    }
}
#else
typedef int gb_dds_values_off; /* a file may not be empty */
#endif
