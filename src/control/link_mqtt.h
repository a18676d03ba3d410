/* control/link_mqtt.h: one end of an MQTT link: the connection, the messages that come in and those
 * that go out. link_mqtt_end.c does it; link_mqtt.c makes it a link, or a machine. Private to the
 * two. */
#ifndef GENBA_CONTROL_LINK_MQTT_H
#define GENBA_CONTROL_LINK_MQTT_H

#include "control/latest.h"
#include "control/link_packet.h"
#include "control/link_text.h"

#ifdef GENBA_WITH_MOSQUITTO

#include <mosquitto.h>
#include <stdatomic.h>

enum {
    GB_MQTT_PART = 1024,
    GB_MQTT_PATH = 4096
};

/* What the receiving thread hands over. */
typedef struct gb_mqtt_news {
    uint64_t sequence; /* rises with each good message */
    uint64_t counted;  /* the last message's own number */
    bool complete;     /* every topic was heard */
} gb_mqtt_news;

typedef struct gb_mqtt_topic {
    char *name; /* with what the URL puts before it */
    gb_packet_order order;
    uint64_t session;
    int late; /* old numbers in a row */
    bool heard;
} gb_mqtt_topic;

typedef struct gb_mqtt_end {
    gb_link_map *map;
    char prefix[GB_MQTT_PART], host[256], user[128];
    char ca_path[GB_MQTT_PATH], password_path[GB_MQTT_PATH];
    int port;
    struct mosquitto *client;
    bool is_looping;
    gb_link_text *in, *out;
    gb_mqtt_topic *in_topics; /* libmosquitto's thread */
    char **out_topics;
    const gb_plant_stream *in_streams;
    int in_stream_count, in_size;
    uint64_t sequence;
    int64_t *time_ns; /* [in_stream_count] libmosquitto's thread */
    double *values;   /* [in_size] the same */
    gb_latest *news;
    uint64_t sent_number; /* of messages out, by one thread */
    _Atomic uint32_t faults;
    _Atomic int64_t received, sent, lost, repeated, disordered, corrupt, misshapen, unsent;
} gb_mqtt_end;

/* Arrays that follow it in its slot: [in_stream_count], [in_size]. */
const int64_t *gb_mqtt_news_times(const gb_mqtt_news *news);
const double *gb_mqtt_news_values(const gb_mqtt_end *end, const gb_mqtt_news *news);

/* end: zeroed. machine: which side this is. On failure all but the map is given back. */
GB_MUST gb_status gb_mqtt_end_open(gb_mqtt_end *end,
                                   const char *address,
                                   gb_link_map *map,
                                   bool machine);
void gb_mqtt_end_close(gb_mqtt_end *end);
void gb_mqtt_end_counts(const gb_mqtt_end *end, gb_link_counts *out);
/* Publishes the bytes of a message of topic `topic` of end->out. Any one thread. */
void gb_mqtt_end_publish(gb_mqtt_end *end, int topic, const void *bytes, size_t size);
/* Room for any message of end->out. */
size_t gb_mqtt_end_room(const gb_mqtt_end *end);

#endif
#endif
