/* Private to ingest: one stream being filled from messages: named, begun with its first sample, and
 * handed over in batches. */
#ifndef GENBA_INGEST_ROS_STREAM_H
#define GENBA_INGEST_ROS_STREAM_H

#include "ingest/reader.h"

/* What is known of a field before its first message; texts are borrowed for the stream's life. */
typedef struct gb_ros_target {
    const gb_source *source;
    int recording;
    const char *topic, *type, *field; /* "/imu", "sensor_msgs/Imu", "linear_acceleration" */
    bool unique;                      /* the field names the variant: no key behind the name */
} gb_ros_target;

typedef struct gb_ros_stream {
    const gb_ros_target *target;
    const gb_map_stream *map; /* NULL: the map names no streams */
    gb_stream_spec spec;
    gb_arena *arena;       /* of the spec's texts */
    int number;            /* in the sink; -1 before the first sample */
    uint64_t key;          /* of this variant: arrays of another length, or joints of other names */
    size_t sample_bytes;   /* 0: runs */
    unsigned char *values; /* count samples, and perhaps one being read */
    size_t used, room;
    size_t *sizes; /* of runs */
    int64_t *time_ns;
    int64_t count, count_room;
} gb_ros_stream;

/* The map's stream of this topic and field, or NULL; *out_wanted: does anyone want it? */
const gb_map_stream *
gb_ros_find_map(const gb_source *source, const char *topic, const char *field, bool *out_wanted);

/* Prepares a stream; spec's name may be NULL: made of topic and field. Copies texts of the spec. */
GB_MUST gb_status gb_ros_stream_init(const gb_ros_target *target,
                                     const gb_map_stream *map,
                                     const gb_stream_spec *spec,
                                     uint64_t key,
                                     gb_ros_stream *out);
/* Room for one more sample of `bytes`; fill *out and then commit it, or forget it. */
GB_MUST gb_status gb_ros_stream_stage(gb_ros_stream *stream, size_t bytes, unsigned char **out);
GB_MUST gb_status gb_ros_stream_commit(gb_ros_stream *stream, size_t bytes, int64_t time_ns);
GB_MUST gb_status gb_ros_stream_flush(gb_ros_stream *stream);
void gb_ros_stream_free(gb_ros_stream *stream);

#endif
