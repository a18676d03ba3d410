/* Private to ingest: the messages of one topic become samples of streams. A plain number, an array
 * of numbers or a vector (x, y, z) is a stream of its own; pictures and point clouds are one
 * stream. */
#ifndef GENBA_INGEST_ROS_TOPIC_H
#define GENBA_INGEST_ROS_TOPIC_H

#include "ingest/reader.h"
#include "ingest/ros_type.h"

typedef struct gb_ros_topic gb_ros_topic;

/* type lives as long as the topic; recording is open in source->sink. */
GB_MUST gb_status gb_ros_topic_create(const gb_source *source,
                                      int recording,
                                      const char *topic,
                                      const gb_ros_type *type,
                                      gb_ros_topic **out);
/* Takes one message, all or nothing: GB_ERR_PARSE and GB_ERR_SHAPE mean the message is to be
 * rejected, any other status that reading must end. */
GB_MUST gb_status gb_ros_topic_take(gb_ros_topic *topic,
                                    const void *message,
                                    size_t size,
                                    uint64_t log_time_ns);
/* Hands everything over that is still held back. */
GB_MUST gb_status gb_ros_topic_flush(gb_ros_topic *topic);
/* Did any field of the topic become this stream of the map? */
bool gb_ros_topic_fed(const gb_ros_topic *topic, const gb_map_stream *stream);
void gb_ros_topic_destroy(gb_ros_topic *topic); /* NULL is fine */

#endif
