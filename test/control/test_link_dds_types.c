/* ROS 2 messages of the DDS link without any network: the bytes are those that the message
 * definitions of ROS 2 give (golden files of bench/judge/dds_golden.py, made with rosbags), streams
 * are found in them, and what does not fit is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#ifdef GENBA_WITH_CYCLONEDDS
#include "control/link_dds_cdr.h"
#include "ingest/cdr.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- helpers ------------------------------------------------------------------------------------
 */

typedef struct bytes {
    unsigned char data[1024];
    size_t size;
} bytes;

static bytes golden(const char *type)
{
    bytes b = {.size = 0};
    char path[512];
    snprintf(path, sizeof path, "%s/test/golden/dds/%s.cdr", GENBA_SOURCE_DIR, type);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    b.size = fread(b.data, 1, sizeof b.data, file);
    fclose(file);
    return b;
}

static void *message_of(const gb_dds_type *type, const bytes *b)
{
    void *message = NULL;
    if (gb_dds_cdr_read(type, b->data, b->size, &message) != GB_OK)
        fail_msg("%s", gb_error_message());
    return message;
}

/* A map with one observation, which is `stream`, and its binding. */
typedef struct bound {
    gb_link_map *map;
    gb_dds_binding binding;
} bound;

static gb_status try_bind(const char *stream, bound *out)
{
    char text[1024];
    snprintf(text, sizeof text,
             "name: m\nrate_hz: 200\nobservations:\n  - name: s\n    unit: \"1\"\n    topic: /t\n%s"
             "actions:\n  - {name: a, unit: \"1\"}\n",
             stream);
    if (gb_link_map_parse("m.yaml", text, strlen(text), &out->map) != GB_OK)
        fail_msg("%s", gb_error_message());
    return gb_dds_bind(out->map, out->map->info.observation_streams, out->map->observations, 0,
                       &out->binding);
}

static bound bind(const char *stream)
{
    bound b;
    if (try_bind(stream, &b) != GB_OK)
        fail_msg("%s", gb_error_message());
    return b;
}

static uint32_t decode_golden(const char *type, const char *stream, double *values)
{
    bytes file = golden(type);
    bound b = bind(stream);
    assert_string_equal(b.binding.type->name, type);
    void *message = message_of(b.binding.type, &file);
    uint32_t faults = gb_dds_decode(&b.binding, message, values);
    gb_dds_cdr_free(b.binding.type, message);
    gb_link_map_destroy(b.map);
    return faults;
}

static void expect(const char *type, const char *stream, const double *wanted, int count)
{
    double values[64];
    assert_int_equal(decode_golden(type, stream, values), 0);
    for (int i = 0; i < count; i++)
        if (!(values[i] == wanted[i]) && !(isnan(values[i]) && isnan(wanted[i])))
            fail_msg("%s value %d: %g instead of %g", type, i, values[i], wanted[i]);
}

#define EXPECT(type, stream, ...)                                                                  \
    expect(type, stream, (const double[]){__VA_ARGS__},                                            \
           sizeof((const double[]){__VA_ARGS__}) / sizeof(double))

static const char *const names[] = {
    "JointState", "Imu",          "LaserScan",       "Image",
    "Twist",      "TwistStamped", "JointTrajectory", "Float64MultiArray"};
enum {
    TYPES = sizeof names / sizeof *names
};

/* ---- bytes --------------------------------------------------------------------------------------
 */

static void bytes_are_those_of_ros_2(void **state)
{
    (void)state;
    for (int i = 0; i < TYPES; i++) {
        const gb_dds_type *type = gb_dds_type_find(names[i]);
        bytes file = golden(names[i]);
        void *message = message_of(type, &file);
        unsigned char *again = NULL;
        size_t size = 0;
        assert_int_equal(gb_dds_cdr_write(type, message, &again, &size), GB_OK);
        assert_int_equal(size, file.size);
        assert_memory_equal(again, file.data, size);
        free(again);
        gb_dds_cdr_free(type, message);
    }
}

static void type_names_are_those_of_ros_2(void **state)
{
    (void)state;
    for (int i = 0; i < TYPES; i++) {
        const gb_dds_type *type = gb_dds_type_find(names[i]);
        char wanted[128], long_name[128];
        snprintf(wanted, sizeof wanted, "%s::msg::dds_::%s_", type->package, names[i]);
        assert_string_equal(type->descriptor->m_typename, wanted);
        snprintf(long_name, sizeof long_name, "%s/msg/%s", type->package, names[i]);
        assert_ptr_equal(gb_dds_type_find(long_name), type);
        assert_int_equal(type->descriptor->m_size, type->bytes);
        assert_int_equal(type->descriptor->type_information.sz, 0); /* matching is by name */
    }
    assert_null(gb_dds_type_find("other_msgs/msg/JointState"));
    assert_null(gb_dds_type_find("Pose"));
}

/* The reader of recordings was written apart from Cyclone. */
static void our_own_reader_agrees(void **state)
{
    (void)state;
    bytes file = golden("JointState");
    gb_cdr cdr;
    uint32_t n = 0, stamp[2];
    const char *text = NULL;
    size_t length = 0;
    double position[3];
    assert_int_equal(gb_cdr_open(file.data, file.size, &cdr), GB_OK);
    assert_int_equal(gb_cdr_values(&cdr, 4, 2, stamp), GB_OK);
    assert_int_equal(gb_cdr_text(&cdr, &text, &length), GB_OK);
    assert_int_equal(gb_cdr_u32(&cdr, &n), GB_OK);
    assert_int_equal(n, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(gb_cdr_text(&cdr, &text, &length), GB_OK);
    assert_memory_equal(text, "wrist", length);
    assert_int_equal(gb_cdr_u32(&cdr, &n), GB_OK);
    assert_int_equal(gb_cdr_values(&cdr, 8, n, position), GB_OK);

    const gb_dds_type *type = gb_dds_type_find("JointState");
    void *message = message_of(type, &file);
    assert_int_equal(gb_dds_stamp(type, message), stamp[0] * INT64_C(1000000000) + stamp[1]);
    gb_dds_cdr_free(type, message);
    double values[3];
    assert_int_equal(decode_golden("JointState",
                                   "    type: JointState\n    columns: [shoulder, elbow, wrist]\n",
                                   values),
                     0);
    assert_memory_equal(values, position, sizeof position);
}

/* ---- streams in messages ------------------------------------------------------------------------
 */

static void streams_are_found(void **state)
{
    (void)state;
    EXPECT("JointState", "    type: JointState\n    columns: [wrist, shoulder]\n", 0.3, 0.1);
    EXPECT("JointState", "    type: JointState\n    field: velocity\n    shape: [3]\n", 1, 2, 3);
    EXPECT("Imu", "    type: Imu\n    field: orientation\n    columns: [w, x, y, z]\n", 0.9, 0.1,
           0.2, 0.3);
    EXPECT("Imu", "    type: Imu\n    field: angular_velocity\n    shape: [3]\n", 1.5, -2.5, 3.5);
    EXPECT("Imu",
           "    type: Imu\n    columns: [linear_acceleration.z, angular_velocity.x]\n    scale: 2\n"
           "    offset: 1\n",
           2 * 9.81 + 1, 4);
    EXPECT("Twist", "    type: Twist\n    columns: [linear.x, angular.z]\n", 0.5, -1.25);
    EXPECT("Twist", "    type: geometry_msgs/msg/Twist\n    shape: [6]\n", 0.5, 0, 0, 0, 0, -1.25);
    EXPECT("TwistStamped", "    type: TwistStamped\n    columns: [linear.x, angular.z]\n", 0.5,
           -1.25);
    EXPECT("JointTrajectory",
           "    type: JointTrajectory\n    field: positions\n    columns: [wrist, elbow]\n", -0.75,
           0.25);
    EXPECT("Float64MultiArray", "    type: Float64MultiArray\n    shape: [4]\n", 3, 1, 4, 1.5);
}

static void scans_follow_rep_117(void **state)
{
    (void)state;
    double near = (double)0.05f;
    EXPECT("LaserScan", "    type: LaserScan\n    shape: [8]\n", 0.5, 1.25, 10, near, NAN, 2, 10,
           near);
    EXPECT("LaserScan", "    type: LaserScan\n    shape: [8]\n    low: [0]\n    high: [8]\n", 0.5,
           1.25, 8, 0, NAN, 2, 8, 0);
}

static void small_pictures_become_values(void **state)
{
    (void)state;
    /* two rows of three pixels, blue first, ten bytes a row */
    EXPECT("Image", "    type: Image\n    shape: [2, 3, 3]\n", 2, 1, 0, 5, 4, 3, 8, 7, 6, 12, 11,
           10, 15, 14, 13, 18, 17, 16);
}

/* ---- writing ------------------------------------------------------------------------------------
 */

static void check_written(const char *type, const char *stream, const double *values)
{
    bytes file = golden(type);
    bound b = bind(stream);
    double back[8];
    unsigned char *written = NULL;
    size_t size = 0;
    void *message = gb_arena_alloc(b.map->arena, b.binding.type->bytes);
    assert_int_equal(gb_dds_prepare(b.map, &b.binding, b.map->info.tick_ns, b.map->arena, message),
                     GB_OK);
    gb_dds_encode(&b.binding, values, message);
    assert_int_equal(gb_dds_cdr_write(b.binding.type, message, &written, &size), GB_OK);
    assert_int_equal(size, file.size);
    assert_memory_equal(written, file.data, size);
    assert_int_equal(gb_dds_decode(&b.binding, message, back), 0);
    for (int i = 0; i < b.binding.size; i++)
        assert_true(back[i] == values[i]);
    free(written);
    gb_link_map_destroy(b.map);
}

static void commands_are_the_bytes_that_ros_2_writes(void **state)
{
    (void)state;
    check_written("Twist", "    type: Twist\n    columns: [angular.z, linear.x]\n",
                  (const double[]){-1.25, 0.5});
    check_written("JointTrajectory",
                  "    type: JointTrajectory\n    columns: [elbow, wrist]\n    scale: 2\n",
                  (const double[]){0.5, -1.5});
    check_written("Float64MultiArray", "    type: Float64MultiArray\n    shape: [4]\n",
                  (const double[]){3, 1, 4, 1.5});
}

/* ---- what does not fit --------------------------------------------------------------------------
 */

static void messages_of_another_shape_are_flagged(void **state)
{
    (void)state;
    double v[64];
    assert_int_equal(decode_golden("JointState", "    type: JointState\n    shape: [2]\n", v),
                     GB_FAULT_SHAPE);
    assert_int_equal(
        decode_golden("JointState", "    type: JointState\n    columns: [elbow, thumb]\n", v),
        GB_FAULT_SHAPE);
    assert_int_equal(
        decode_golden("JointState", "    type: JointState\n    columns: [left, right]\n", v),
        GB_DDS_OTHER);
    assert_int_equal(decode_golden("JointState",
                                   "    type: JointState\n    field: effort\n"
                                   "    columns: [shoulder, elbow, wrist]\n",
                                   v),
                     GB_FAULT_SHAPE);
    assert_int_equal(decode_golden("LaserScan", "    type: LaserScan\n    shape: [9]\n", v),
                     GB_FAULT_SHAPE);
    assert_int_equal(decode_golden("Image", "    type: Image\n    shape: [3, 2, 3]\n", v),
                     GB_FAULT_SHAPE);
    assert_int_equal(decode_golden("Image", "    type: Image\n    shape: [2, 3]\n", v),
                     GB_FAULT_SHAPE);
}

static void maps_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *stream, *says;
    } bad[] = {
        {"    type: JointStat\n", "JointState, Imu"},
        {"    type: JointState\n    field: torque\n", "no such field"},
        {"    type: Imu\n    field: orientation\n    columns: [q]\n", "orientation.q"},
        {"    type: Twist\n    field: linear\n    shape: [4]\n", "value 3"},
        {"    type: LaserScan\n    columns: [a]\n", "leave them out"},
        {"    type: JointTrajectory\n    shape: [2]\n", "columns"},
        {"    type: Image\n    shape: [65, 64, 3]\n", "at most 64 x 64"},
        {"    type: Image\n    shape: [8, 8, 2]\n", "channels"},
        {"    type: Image\n    shape: [64]\n", "height, width"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        bound b;
        assert_int_equal(try_bind(bad[i].stream, &b), GB_ERR_SCHEMA);
        if (!strstr(gb_error_message(), bad[i].says) ||
            !strstr(gb_error_message(), "m.yaml:4: stream \"s\""))
            fail_msg("%zu: %s", i, gb_error_message());
        gb_link_map_destroy(b.map);
    }
}

/* Cut at every byte and with every byte changed: an error or some message, and never a crash. */
static void harmed_bytes_never_crash(void **state)
{
    (void)state;
    static const char *const streams[TYPES] = {
        "    type: JointState\n    columns: [shoulder, elbow, wrist]\n",
        "    type: Imu\n    field: orientation\n    shape: [4]\n",
        "    type: LaserScan\n    shape: [8]\n",
        "    type: Image\n    shape: [2, 3, 3]\n",
        "    type: Twist\n    shape: [6]\n",
        "    type: TwistStamped\n    shape: [6]\n",
        "    type: JointTrajectory\n    columns: [elbow, wrist]\n",
        "    type: Float64MultiArray\n    shape: [4]\n"};
    double values[64];
    for (int i = 0; i < TYPES; i++) {
        bytes file = golden(names[i]);
        bound b = bind(streams[i]);
        const gb_dds_type *type = b.binding.type;
        void *message = NULL;
        for (size_t size = 0; size < file.size; size++)
            assert_int_equal(gb_dds_cdr_read(type, file.data, size, &message), GB_ERR_CORRUPT);
        for (size_t at = 0; at < 8 * file.size; at++) {
            file.data[at / 8] ^= (unsigned char)(1 << at % 8);
            if (gb_dds_cdr_read(type, file.data, file.size, &message) == GB_OK) {
                (void)gb_dds_decode(&b.binding, message, values);
                gb_dds_cdr_free(type, message);
            }
            file.data[at / 8] ^= (unsigned char)(1 << at % 8);
        }
        gb_link_map_destroy(b.map);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_those_of_ros_2),
        cmocka_unit_test(type_names_are_those_of_ros_2),
        cmocka_unit_test(our_own_reader_agrees),
        cmocka_unit_test(streams_are_found),
        cmocka_unit_test(scans_follow_rep_117),
        cmocka_unit_test(small_pictures_become_values),
        cmocka_unit_test(commands_are_the_bytes_that_ros_2_writes),
        cmocka_unit_test(messages_of_another_shape_are_flagged),
        cmocka_unit_test(maps_that_do_not_fit_are_refused),
        cmocka_unit_test(harmed_bytes_never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
static void there_is_no_cyclone_dds(void **state)
{
    (void)state;
    print_message("this build has no Cyclone DDS: skipped\n");
    skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(there_is_no_cyclone_dds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
