/* Private to ingest: message types of ROS 2, as a "ros2msg" schema describes them: one definition
 * and those it needs, parted by lines of '='. */
#ifndef GENBA_INGEST_ROS_TYPE_H
#define GENBA_INGEST_ROS_TYPE_H

#include "genba/record.h"

typedef enum gb_ros_kind {
    GB_ROS_BOOL,
    GB_ROS_I8,
    GB_ROS_U8,
    GB_ROS_I16,
    GB_ROS_U16,
    GB_ROS_I32,
    GB_ROS_U32,
    GB_ROS_I64,
    GB_ROS_U64,
    GB_ROS_F32,
    GB_ROS_F64,
    GB_ROS_STRING,
    GB_ROS_WSTRING,
    GB_ROS_STRUCT
} gb_ros_kind;

typedef enum gb_ros_many {
    GB_ROS_ONE,
    GB_ROS_FIXED,  /* T[3]: `length` of them, no count in the message */
    GB_ROS_COUNTED /* T[], T[<=5]: a count, then so many */
} gb_ros_many;

typedef struct gb_ros_field {
    const char *name;
    gb_ros_kind kind;
    gb_ros_many many;
    int64_t length;
    const struct gb_ros_type *type; /* of a struct */
} gb_ros_field;

typedef struct gb_ros_type {
    const char *name;     /* "sensor_msgs/Imu" */
    gb_ros_field *fields; /* [field_count] */
    int field_count;
    int depth; /* of structs inside structs; 0 = only plain values */
} gb_ros_type;

/* Parses a schema; everything lives in the arena. `name` is the main type's
 * ("sensor_msgs/msg/Imu"). GB_ERR_PARSE names the line; a type that is not defined, or contains
 * itself, is an error. */
GB_MUST gb_status gb_ros_type_parse(
    const char *name, const char *text, size_t size, gb_arena *arena, const gb_ros_type **out);

/* The number a kind is kept as; BYTES for strings and structs. bool is u8. */
gb_value_type gb_ros_value_type(gb_ros_kind kind);
/* Bytes of one value in a message; 0 for strings and structs. */
size_t gb_ros_kind_bytes(gb_ros_kind kind);
/* Is it this type, whatever way the name is written? ("sensor_msgs/Imu", "sensor_msgs/msg/Imu") */
bool gb_ros_type_is(const gb_ros_type *type, const char *name);

#endif
