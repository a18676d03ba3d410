/* Messages of ROS 2: schemas, CDR in both byte orders, and what becomes of well-known types. */
#include "ingest/cdr.h"
#include "ingest/ros_topic.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- writing CDR -------------------------------------------------------------------------------
 */

typedef struct writer {
    unsigned char data[8192];
    size_t size;
    bool big;
} writer;

static writer begin_message(bool big)
{
    writer w = {.size = 4, .big = big};
    w.data[1] = big ? 0 : 1;
    return w;
}

static void put(writer *w, const void *value, size_t bytes)
{
    while ((w->size - 4) % bytes != 0)
        w->data[w->size++] = 0;
    for (size_t i = 0; i < bytes; i++)
        w->data[w->size + i] = ((const unsigned char *)value)[w->big ? bytes - 1 - i : i];
    w->size += bytes;
}

static void put_u8(writer *w, uint8_t v)
{
    put(w, &v, 1);
}

static void put_u32(writer *w, uint32_t v)
{
    put(w, &v, 4);
}

static void put_f32(writer *w, float v)
{
    put(w, &v, 4);
}

static void put_f64(writer *w, double v)
{
    put(w, &v, 8);
}

static void put_text(writer *w, const char *text)
{
    put_u32(w, (uint32_t)strlen(text) + 1);
    memcpy(w->data + w->size, text, strlen(text) + 1);
    w->size += strlen(text) + 1;
}

static void put_header(writer *w, uint32_t seconds, uint32_t ns, const char *frame)
{
    put_u32(w, seconds);
    put_u32(w, ns);
    put_text(w, frame);
}

/* ---- running a topic ----------------------------------------------------------------------------
 */

#define LINE "================================================================================\n"
#define HEADER                                                                                     \
    LINE "MSG: std_msgs/Header\nbuiltin_interfaces/Time stamp\nstring frame_id\n" LINE             \
         "MSG: builtin_interfaces/Time\nint32 sec\nuint32 nanosec\n"
#define VECTOR3 LINE "MSG: geometry_msgs/Vector3\nfloat64 x\nfloat64 y\nfloat64 z\n"
#define QUATERNION                                                                                 \
    LINE "MSG: geometry_msgs/Quaternion\nfloat64 x 0\nfloat64 y 0\nfloat64 z 0\nfloat64 w 1\n"

typedef struct fixture {
    gb_arena *arena;
    gb_stream_map *map;
    gb_dataset *dataset;
    gb_sink *sink;
    gb_ingest_options options;
    gb_ingest_report report;
    gb_ingest_watch watch;
    gb_source source;
    gb_ros_topic *topic;
    int recording;
} fixture;

static void
open_topic(fixture *f, const char *map, const char *topic, const char *type, const char *schema)
{
    memset(f, 0, sizeof *f);
    const gb_ros_type *parsed = NULL;
    gb_recording_info info = {.name = "robot"};
    assert_int_equal(gb_arena_create(0, &f->arena), GB_OK);
    assert_int_equal(gb_stream_map_parse(map, strlen(map), "map", &f->map), GB_OK);
    assert_int_equal(gb_dataset_create(&f->dataset), GB_OK);
    assert_int_equal(gb_dataset_sink_create(f->dataset, &f->sink), GB_OK);
    f->options = gb_ingest_options_defaults();
    f->source = (gb_source){.map = f->map,
                            .path = "robot.mcap",
                            .name = "robot",
                            .options = &f->options,
                            .report = &f->report,
                            .watch = &f->watch,
                            .sink = f->sink};
    assert_int_equal(gb_sink_begin(f->sink, &info, &f->recording), GB_OK);
    assert_int_equal(gb_ros_type_parse(type, schema, strlen(schema), f->arena, &parsed), GB_OK);
    assert_int_equal(gb_ros_topic_create(&f->source, f->recording, topic, parsed, &f->topic),
                     GB_OK);
}

static const char any_map[] = "name: robot\nreader: mcap\nfiles: [\"*.mcap\"]\n";

static void take(fixture *f, const writer *w, uint64_t log_time_ns)
{
    gb_status status = gb_ros_topic_take(f->topic, w->data, w->size, log_time_ns);
    if (status != GB_OK)
        print_message("%s\n", gb_error_message());
    assert_int_equal(status, GB_OK);
}

static const gb_recording *finish(fixture *f)
{
    assert_int_equal(gb_ros_topic_flush(f->topic), GB_OK);
    assert_int_equal(gb_sink_end(f->sink, f->recording), GB_OK);
    return gb_dataset_get(f->dataset, 0);
}

static void close_topic(fixture *f)
{
    gb_ros_topic_destroy(f->topic);
    gb_sink_destroy(f->sink);
    gb_dataset_destroy(f->dataset);
    gb_stream_map_destroy(f->map);
    gb_arena_destroy(f->arena);
}

static const gb_stream_view *stream_of(const gb_recording *recording, const char *name)
{
    int number = gb_recording_find(recording, name);
    for (int i = 0; number < 0 && i < gb_recording_stream_count(recording); i++)
        print_message("there is %s\n", gb_recording_stream(recording, i)->spec->name);
    assert_true(number >= 0);
    return gb_recording_stream(recording, number);
}

/* ---- tests --------------------------------------------------------------------------------------
 */

static const char imu_schema[] =
    "# a comment\nstd_msgs/Header header\n\ngeometry_msgs/Quaternion orientation\n"
    "float64[9] orientation_covariance # Row major\ngeometry_msgs/Vector3 angular_velocity\n"
    "geometry_msgs/Vector3 linear_acceleration\n" HEADER QUATERNION VECTOR3;

static void put_imu(writer *w, double base)
{
    put_header(w, 10, 500, "imu_link");
    for (int i = 0; i < 4 + 9 + 3 + 3; i++)
        put_f64(w, base + i);
}

static void reads_an_imu_in_either_byte_order(void **state)
{
    (void)state;
    fixture f;
    open_topic(&f, any_map, "/robot/imu", "sensor_msgs/msg/Imu", imu_schema);
    for (int big = 0; big < 2; big++) {
        writer w = begin_message(big);
        put_imu(&w, 100 * big);
        take(&f, &w, 77);
    }
    const gb_recording *r = finish(&f);
    const gb_stream_view *a = stream_of(r, "robot.imu.linear_acceleration");
    assert_int_equal(a->count, 2);
    assert_int_equal(a->size, 3);
    assert_int_equal(a->time_ns[0], 10000000500LL); /* the stamp, not the log time */
    assert_string_equal(a->spec->unit, "m/s2");
    assert_string_equal(a->spec->frame, "imu_link");
    assert_string_equal(a->spec->labels[2], "z");
    for (int i = 0; i < 3; i++) {
        assert_true(a->values[i] == (float)(16 + i));
        assert_true(a->values[3 + i] == (float)(116 + i));
    }
    assert_int_equal(stream_of(r, "robot.imu.orientation")->size, 4);
    assert_int_equal(stream_of(r, "robot.imu.orientation_covariance")->size, 9);
    assert_int_equal(gb_recording_find(r, "robot.imu.header.frame_id"), -1);
    close_topic(&f);
}

static void maps_choose_fields(void **state)
{
    (void)state;
    fixture f;
    open_topic(
        &f,
        "name: robot\nreader: mcap\nfiles: [\"*.mcap\"]\ntime: {column: log_time}\nstreams:\n"
        "  - {name: gyro, source: /robot/imu, field: angular_velocity, semantic: rate}\n",
        "/robot/imu", "sensor_msgs/msg/Imu", imu_schema);
    writer w = begin_message(false);
    put_imu(&w, 0);
    take(&f, &w, 77);
    const gb_recording *r = finish(&f);
    assert_int_equal(gb_recording_stream_count(r), 1);
    const gb_stream_view *gyro = stream_of(r, "gyro");
    assert_int_equal(gyro->time_ns[0], 77);
    assert_string_equal(gyro->spec->semantic, "rate");
    assert_string_equal(gyro->spec->unit, "rad/s");
    close_topic(&f);
}

static const char joints_schema[] = "std_msgs/Header header\nstring[] name\nfloat64[] position\n"
                                    "float64[] velocity\nfloat64[] effort\n" HEADER;

static void put_joints(writer *w, const char *const *names, uint32_t count, double base)
{
    put_header(w, 1, 0, "");
    put_u32(w, count);
    for (uint32_t i = 0; i < count; i++)
        put_text(w, names[i]);
    put_u32(w, count);
    for (uint32_t i = 0; i < count; i++)
        put_f64(w, base + i);
    put_u32(w, 0); /* no velocities */
    put_u32(w, 0);
}

static void joints_of_other_names_are_streams_of_their_own(void **state)
{
    (void)state;
    static const char *const arm[] = {"shoulder", "elbow"}, *const hand[] = {"thumb", "index"};
    fixture f;
    open_topic(&f, any_map, "joint_states", "sensor_msgs/msg/JointState", joints_schema);
    for (int i = 0; i < 4; i++) {
        writer w = begin_message(false);
        put_joints(&w, i % 2 ? hand : arm, 2, i);
        take(&f, &w, 0);
    }
    const gb_recording *r = finish(&f);
    const gb_stream_view *first = stream_of(r, "joint_states.position");
    assert_int_equal(first->count, 2);
    assert_string_equal(first->spec->labels[1], "elbow");
    assert_string_equal(first->spec->semantic, "position");
    assert_int_equal(gb_recording_find(r, "joint_states.velocity"), -1);
    int others = 0;
    for (int i = 0; i < gb_recording_stream_count(r); i++) {
        const gb_stream_view *view = gb_recording_stream(r, i);
        if (strncmp(view->spec->name, "joint_states.position.", 22) == 0) {
            others++;
            assert_string_equal(view->spec->labels[0], "thumb");
            assert_true(view->values[0] == 1.0f);
        }
    }
    assert_int_equal(others, 1);
    close_topic(&f);
}

static const char image_schema[] =
    "std_msgs/Header header\nuint32 height\nuint32 width\nstring encoding\nuint8 is_bigendian\n"
    "uint32 step\nuint8[] data\n" HEADER;

static void pictures_lose_their_padding_and_become_rgb(void **state)
{
    (void)state;
    fixture f;
    open_topic(&f, any_map, "/camera", "sensor_msgs/msg/Image", image_schema);
    writer w = begin_message(false);
    put_header(&w, 2, 0, "camera");
    put_u32(&w, 2);
    put_u32(&w, 2);
    put_text(&w, "bgr8");
    put_u8(&w, 0);
    put_u32(&w, 8); /* two pixels of three bytes, two of padding */
    put_u32(&w, 16);
    for (uint8_t i = 0; i < 16; i++)
        put_u8(&w, i);
    take(&f, &w, 0);
    /* A picture that says it is larger than it is is no sample. */
    w.data[4 + 8 + 4 + 7 + 1] = 200;
    assert_int_equal(gb_ros_topic_take(f.topic, w.data, w.size, 0), GB_ERR_SHAPE);
    const gb_stream_view *camera = stream_of(finish(&f), "camera");
    static const unsigned char expected[] = {2, 1, 0, 5, 4, 3, 10, 9, 8, 13, 12, 11};
    assert_int_equal(camera->count, 1);
    assert_int_equal(camera->size, 12);
    assert_int_equal(camera->spec->kind, GB_STREAM_IMAGE);
    assert_memory_equal(camera->raw, expected, sizeof expected);
    close_topic(&f);
}

static const char cloud_schema[] =
    "std_msgs/Header header\nuint32 height\nuint32 width\nPointField[] fields\nbool is_bigendian\n"
    "uint32 point_step\nuint32 row_step\nuint8[] data\nbool is_dense\n" HEADER LINE
    "MSG: sensor_msgs/PointField\nuint8 INT8=1\nuint8 FLOAT32 = 7\nstring name\nuint32 offset\n"
    "uint8 datatype\nuint32 count\n";

static void point_clouds_become_floats(void **state)
{
    (void)state;
    fixture f;
    open_topic(&f, any_map, "/points", "sensor_msgs/msg/PointCloud2", cloud_schema);
    writer w = begin_message(false);
    put_header(&w, 2, 0, "lidar");
    put_u32(&w, 1);
    put_u32(&w, 2);
    put_u32(&w, 2);
    static const char *const names[] = {"x", "ring"};
    for (uint32_t i = 0; i < 2; i++) {
        put_text(&w, names[i]);
        put_u32(&w, 4 * i);
        put_u8(&w, i == 0 ? 7 : 2);
        put_u32(&w, 1);
    }
    put_u8(&w, 0);
    put_u32(&w, 8);
    put_u32(&w, 16);
    put_u32(&w, 16);
    for (int i = 0; i < 2; i++) {
        put_f32(&w, 1.5f + (float)i);
        put_u32(&w, (uint32_t)(7 + i));
    }
    put_u8(&w, 1);
    take(&f, &w, 0);
    const gb_stream_view *points = stream_of(finish(&f), "points");
    assert_string_equal(points->spec->encoding, "f32:x,ring");
    assert_int_equal(points->offset[1], 16);
    float values[4];
    memcpy(values, points->raw, sizeof values);
    assert_true(values[0] == 1.5f && values[1] == 7 && values[2] == 2.5f && values[3] == 8);
    close_topic(&f);
}

static const char tf_schema[] = "geometry_msgs/TransformStamped[] transforms\n" LINE
                                "MSG: geometry_msgs/TransformStamped\nstd_msgs/Header header\n"
                                "string child_frame_id\nTransform transform\n" LINE
                                "MSG: geometry_msgs/Transform\nVector3 translation\n"
                                "Quaternion rotation\n" HEADER VECTOR3 QUATERNION;

static void each_transform_is_a_stream(void **state)
{
    (void)state;
    fixture f;
    open_topic(&f, any_map, "/tf", "tf2_msgs/msg/TFMessage", tf_schema);
    for (uint32_t n = 0; n < 3; n++) {
        writer w = begin_message(false);
        put_u32(&w, 2);
        for (int t = 0; t < 2; t++) {
            put_header(&w, 5 + n, 0, "map");
            put_text(&w, t ? "lidar" : "base");
            for (int i = 0; i < 7; i++)
                put_f64(&w, 10 * t + i + .25);
        }
        take(&f, &w, 0);
    }
    const gb_recording *r = finish(&f);
    assert_int_equal(gb_recording_stream_count(r), 2);
    const gb_stream_view *lidar = stream_of(r, "tf.lidar");
    assert_int_equal(lidar->count, 3);
    assert_int_equal(lidar->time_ns[2], 7000000000LL);
    assert_string_equal(lidar->spec->frame, "map");
    assert_true(lidar->values[6] == 16.25f);
    close_topic(&f);
}

static void custom_types_are_read_by_their_definition(void **state)
{
    (void)state;
    fixture f;
    open_topic(&f, any_map, "/press", "acme/msg/Press",
               "bool closed\nstring<=20 lot\nfloat32[] curve\nTool tool\nTool[2] spares\n"
               "uint16[<=4] codes\nbuiltin_interfaces/Time since\n" LINE
               "MSG: acme/Tool\nuint8 KIND_A=1\nint64 id\nuint8 wear\n" LINE
               "MSG: builtin_interfaces/Time\nint32 sec\nuint32 nanosec\n");
    for (uint32_t n = 3; n <= 4; n++) { /* the curve's length changes */
        writer w = begin_message(false);
        put_u8(&w, 1);
        put_text(&w, "L-7");
        put_u32(&w, n);
        for (uint32_t i = 0; i < n; i++)
            put_f32(&w, (float)i);
        for (int t = 0; t < 3; t++) {
            int64_t id = 1000 + t;
            put(&w, &id, 8);
            put_u8(&w, (uint8_t)t);
        }
        put_u32(&w, 0);
        put_u32(&w, 3);
        put_u32(&w, 4);
        take(&f, &w, 1000 + n);
    }
    const gb_recording *r = finish(&f);
    assert_true(stream_of(r, "press.closed")->values[0] == 1);
    assert_int_equal(stream_of(r, "press.closed")->time_ns[1], 1004);
    const gb_stream_view *lot = stream_of(r, "press.lot");
    assert_memory_equal(lot->raw, "L-7L-7", 6);
    assert_int_equal(stream_of(r, "press.curve")->size, 3);
    assert_int_equal(stream_of(r, "press.curve.4")->size, 4);
    assert_true(stream_of(r, "press.tool.id")->values[0] == 1000);
    const gb_stream_view *spares = stream_of(r, "press.spares");
    static const char json[] = "[{\"id\":1001,\"wear\":1},{\"id\":1002,\"wear\":2}]";
    assert_int_equal(spares->offset[1], (int)sizeof json - 1);
    assert_memory_equal(spares->raw, json, sizeof json - 1);
    assert_int_equal(gb_recording_find(r, "press.codes"), -1); /* always empty */
    assert_true(stream_of(r, "press.since")->values[0] == 3000000004.0f);
    close_topic(&f);
}

static void cut_messages_are_not_taken(void **state)
{
    (void)state;
    fixture f;
    open_topic(&f, any_map, "/imu", "sensor_msgs/msg/Imu", imu_schema);
    writer w = begin_message(false);
    put_imu(&w, 0);
    for (size_t size = 0; size < w.size; size++)
        assert_int_equal(gb_ros_topic_take(f.topic, w.data, size, 0), GB_ERR_PARSE);
    take(&f, &w, 0);
    assert_int_equal(stream_of(finish(&f), "imu.angular_velocity")->count, 1);
    close_topic(&f);
}

static void wrong_schemas_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "Missing x\n",
        "A a\n" LINE "MSG: p/A\nB b\n" LINE "MSG: p/B\nA a\n",
        "float64[x] a\n",
        "float64[99999999999] a\n",
        "int8 a\n" LINE "no name\n",
    };
    gb_arena *arena;
    const gb_ros_type *type;
    assert_int_equal(gb_arena_create(0, &arena), GB_OK);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(gb_ros_type_parse("p/T", wrong[i], strlen(wrong[i]), arena, &type),
                         GB_ERR_PARSE);
    gb_arena_destroy(arena);
}

/* Three files of rosbag2, by the map people start from. */
static void reads_files_of_rosbag2(void **state)
{
    (void)state;
    const char *data = getenv("GENBA_DATA");
    char path[4096];
    if (!data) {
        print_message("GENBA_DATA is not set: no files of rosbag2 to read\n");
        skip();
    }
    gb_stream_map *map = NULL;
    gb_dataset *dataset = NULL;
    gb_ingest_report report = {0};
    snprintf(path, sizeof path, "%s/mcap_samples", data);
    assert_int_equal(gb_stream_map_load(GENBA_SOURCE_DIR "/examples/maps/rosbag.yaml", &map),
                     GB_OK);
    assert_int_equal(gb_ingest_folder(map, path, NULL, &report, &dataset), GB_OK);
    assert_int_equal(gb_dataset_count(dataset), 3);
    assert_int_equal(report.rows_read, 32);
    assert_int_equal(report.rows_stored, 32);
    const gb_recording *types = gb_dataset_get(dataset, 0);
    assert_int_equal(stream_of(types, "array_topic.int64_values_default")->size, 3);
    assert_true(stream_of(types, "array_topic.float32_values_default")->values[2] == -1.125f);
    gb_dataset_destroy(dataset);
    gb_stream_map_destroy(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_an_imu_in_either_byte_order),
        cmocka_unit_test(maps_choose_fields),
        cmocka_unit_test(joints_of_other_names_are_streams_of_their_own),
        cmocka_unit_test(pictures_lose_their_padding_and_become_rgb),
        cmocka_unit_test(point_clouds_become_floats),
        cmocka_unit_test(each_transform_is_a_stream),
        cmocka_unit_test(custom_types_are_read_by_their_definition),
        cmocka_unit_test(cut_messages_are_not_taken),
        cmocka_unit_test(wrong_schemas_are_refused),
        cmocka_unit_test(reads_files_of_rosbag2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
