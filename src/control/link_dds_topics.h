/* control/link_dds_topics.h: the topics of one direction of a DDS link, and what of a map travels
 * in each. Private to the DDS link. */
#ifndef GENBA_CONTROL_LINK_DDS_TOPICS_H
#define GENBA_CONTROL_LINK_DDS_TOPICS_H

#include "control/link_dds_types.h"

enum {
    GB_DDS_HISTORY = 16 /* messages of a topic that wait to be read */
};

/* One topic: a reader or a writer, and the streams in its messages. */
typedef struct gb_dds_topic {
    const char *name; /* "rt/joint_states" */
    const gb_dds_type *type;
    dds_entity_t entity;
    int *streams; /* [stream_count] */
    int stream_count;
    void *message;                /* out: what is written */
    int64_t stamp_ns;             /* in: of the message before */
    dds_instance_handle_t writer; /* in: who sent it */
} gb_dds_topic;

typedef struct gb_dds_direction {
    int stream_count, size, topic_count;
    gb_dds_binding *streams; /* [stream_count] */
    gb_dds_topic *topics;    /* [topic_count] */
} gb_dds_direction;

/* Finds streams in types and sorts them by topic; all in the map's arena. GB_ERR_SCHEMA. */
GB_MUST gb_status gb_dds_direction_bind(const gb_link_map *map,
                                        const gb_plant_stream *streams,
                                        const gb_link_stream *links,
                                        int stream_count,
                                        gb_dds_direction *out);
GB_MUST gb_status gb_dds_open_reader(const gb_link_map *map,
                                     dds_entity_t participant,
                                     gb_dds_topic *t);
/* Also prepares the message that is written. */
GB_MUST gb_status gb_dds_open_writer(const gb_link_map *map,
                                     dds_entity_t participant,
                                     const gb_dds_direction *d,
                                     gb_dds_topic *t);
gb_status gb_dds_failed(const gb_link_map *map, const char *what, dds_return_t code);

#endif
