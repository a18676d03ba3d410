/* Private to ingest: a topic being read, and the message types that are one thing made of many
 * fields: pictures, point clouds, transforms. */
#ifndef GENBA_INGEST_ROS_KNOWN_H
#define GENBA_INGEST_ROS_KNOWN_H

#include "ingest/ros_program.h"
#include "ingest/ros_topic.h"

typedef struct gb_ros_known {
    const char *type;
    /* Makes a sample of the message just run through the program, none of whose steps is staged. */
    gb_status (*take)(gb_ros_topic *topic, int64_t time_ns);
} gb_ros_known;

struct gb_ros_topic {
    gb_arena *arena;
    gb_ros_target base;
    gb_ros_program program;
    const gb_ros_known *known; /* NULL: every field is a stream */
    bool known_wanted, by_log_time;
    /* of the message being read */
    int64_t stamp_ns; /* 0: it has none */
    const char *frame;
    gb_ros_text json;
    struct { /* a field "name" of strings: the joints that arrays beside it belong to */
        gb_arena *arena;
        const char **texts;
        int64_t count, room;
        uint64_t hash;
    } names;
};

/* NULL: none of the known. */
const gb_ros_known *gb_ros_known_find(const gb_ros_type *type);
/* The stream of that key of a step; NULL: none yet. */
gb_ros_stream *gb_ros_topic_find(gb_ros_step *step, uint64_t key);
/* The same, made when it is new; target is kept then. */
GB_MUST gb_status gb_ros_topic_variant(gb_ros_step *step,
                                       uint64_t key,
                                       const gb_ros_target *target,
                                       const gb_stream_spec *spec,
                                       gb_ros_stream **out);
/* Reads an array of strings into topic->names. */
GB_MUST gb_status gb_ros_read_names(gb_ros_topic *topic, gb_cdr *cdr, const gb_ros_field *field);
/* One value of a kind as a double. */
double gb_ros_number(gb_ros_kind kind, const unsigned char *value);

#endif
