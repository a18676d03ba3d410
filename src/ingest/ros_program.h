/* Private to ingest: a message type as a flat list of steps, in the order its values lie in a
 * message. What the steps become is ros_topic.c. */
#ifndef GENBA_INGEST_ROS_PROGRAM_H
#define GENBA_INGEST_ROS_PROGRAM_H

#include "ingest/cdr.h"
#include "ingest/ros_stream.h"
#include "ingest/ros_type.h"

typedef enum gb_ros_step_kind {
    GB_ROS_STEP_STAMP,   /* header.stamp: the time of the message */
    GB_ROS_STEP_FRAME,   /* header.frame_id */
    GB_ROS_STEP_TIME,    /* any other time: i64, ns */
    GB_ROS_STEP_NUMBERS, /* `size` numbers of one kind */
    GB_ROS_STEP_COUNTED, /* a count, then so many numbers */
    GB_ROS_STEP_BLOB,    /* a count, then so many bytes */
    GB_ROS_STEP_TEXT,
    GB_ROS_STEP_JSON /* arrays of structs and of strings */
} gb_ros_step_kind;

typedef struct gb_ros_step {
    gb_ros_step_kind kind;
    gb_ros_kind value;
    int64_t size;              /* NUMBERS */
    const gb_ros_field *field; /* JSON: the array; NUMBERS of a vector: the struct with its names */
    const char *path;          /* "pose.pose.position" */
    /* of the message being read */
    const unsigned char *bytes; /* TEXT, BLOB; JSON: in the topic's text buffer, at `json_at` */
    size_t byte_count, json_at;
    double number; /* NUMBERS of size 1 */
    /* where samples go */
    bool wanted;
    const gb_map_stream *map;
    gb_ros_target target;
    gb_ros_stream *streams; /* [stream_count] variants by array length, or names */
    int stream_count;
    uint64_t first_key;    /* of the variant that has the plain name */
    gb_ros_stream *staged; /* a sample is being read into it */
    size_t staged_bytes;
} gb_ros_step;

typedef struct gb_ros_program {
    gb_ros_step *steps; /* [count] */
    int count, room;
} gb_ros_program;

GB_MUST gb_status gb_ros_program_compile(const gb_ros_type *type,
                                         gb_arena *arena,
                                         gb_ros_program *out);

/* A growing text. */
typedef struct gb_ros_text {
    char *text;
    size_t size, room;
} gb_ros_text;

/* Reads an array (of structs, strings or numbers) as JSON text behind `out`. */
GB_MUST gb_status gb_ros_read_json(const gb_ros_field *field, gb_cdr *cdr, gb_ros_text *out);

#endif
