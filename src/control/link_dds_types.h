/* control/link_dds_types.h: what the ROS 2 messages of a DDS link hold, and how a stream of a map
 * is read out of one or written into one. No function here calls the network. Private to the DDS
 * link. */
#ifndef GENBA_CONTROL_LINK_DDS_TYPES_H
#define GENBA_CONTROL_LINK_DDS_TYPES_H

#include "control/link.h"

#include <dds/dds.h>

typedef enum gb_dds_kind {
    GB_DDS_F64,    /* sequence<double> */
    GB_DDS_F32,    /* sequence<float> */
    GB_DDS_RANGE,  /* the sequence<float> of a scan: what no beam returned gets a value, REP 117 */
    GB_DDS_PICTURE /* the octets of sensor_msgs/msg/Image */
} gb_dds_kind;

typedef struct gb_dds_field { /* many numbers of one kind */
    const char *name;         /* "position" */
    gb_dds_kind kind;
    size_t offset; /* of the sequence in the C struct */
} gb_dds_field;

typedef struct gb_dds_part { /* one double */
    const char *name;        /* "linear.x" */
    size_t offset;
} gb_dds_part;

#define GB_DDS_NONE SIZE_MAX

typedef struct gb_dds_type {
    const char *package, *name; /* "sensor_msgs", "JointState" */
    const dds_topic_descriptor_t *descriptor;
    size_t bytes;  /* of the C struct */
    size_t header; /* GB_DDS_NONE: it has none */
    size_t names;  /* sequence<string>: the joints that the fields belong to; or GB_DDS_NONE */
    size_t points; /* sequence<JointTrajectoryPoint_>: fields lie in the first; or GB_DDS_NONE */
    const gb_dds_field *fields; /* [field_count]; a map that names none means the first */
    int field_count;
    const gb_dds_part *parts; /* [part_count] */
    int part_count;
} gb_dds_type;

/* A type by the name that a map gives it ("JointState", "sensor_msgs/msg/JointState"); NULL: none.
 */
const gb_dds_type *gb_dds_type_find(const char *name);
extern const char gb_dds_type_names[]; /* "JointState, Imu, ..." for messages */

/* Where one stream lies in its message. */
typedef struct gb_dds_binding {
    const gb_dds_type *type;
    const gb_dds_field *field;  /* NULL: parts */
    const size_t *parts;        /* [size] offsets */
    const char *const *columns; /* [size] names in the message; NULL: by order */
    uint32_t *order;            /* [size] where each column was last */
    int at, size;               /* in the flat array */
    int height, width, channels;
    double scale, offset;
    const double *low, *high; /* [size]; NULL: none */
} gb_dds_binding;

/* GB_ERR_SCHEMA: the stream does not fit the type it names. `at`: its place in the flat array. */
GB_MUST gb_status gb_dds_bind(const gb_link_map *map,
                              const gb_plant_stream *stream,
                              const gb_link_stream *link,
                              int at,
                              gb_dds_binding *out);

enum {
    GB_DDS_OTHER = 1 << 16
}; /* the message is about other joints than the stream's */

/* Reads a stream out of a message: values[b->at ...]. Returns GB_FAULT_* bits or GB_DDS_OTHER; the
 * values are of no use unless it returns 0. */
uint32_t gb_dds_decode(const gb_dds_binding *b, const void *message, double *values);

/* Gives an empty message what does not change: names, lengths, the buffers of its sequences.
 * GB_ERR_SCHEMA: another stream of the topic already said otherwise. */
GB_MUST gb_status gb_dds_prepare(const gb_link_map *map,
                                 const gb_dds_binding *b,
                                 int64_t tick_ns,
                                 gb_arena *arena,
                                 void *message);
void gb_dds_encode(const gb_dds_binding *b, const double *values, void *message);

/* header.stamp in ns since 1970; 0: the type has no header, or the stamp was not set. */
int64_t gb_dds_stamp(const gb_dds_type *type, const void *message);
void gb_dds_set_stamp(const gb_dds_type *type, void *message, int64_t stamp_ns);

#endif
