/* control/link.h: the kinds of links there are, and the description of a machine that a map file
 * gives. Private to the room. */
#ifndef GENBA_CONTROL_LINK_H
#define GENBA_CONTROL_LINK_H

#include "genba/control.h"

/* One stream of a map. Texts are "" when the map leaves them out. */
typedef struct gb_link_stream {
    int line;          /* of the file, for messages */
    const char *topic; /* dds, mqtt: where it is published */
    const char *type;  /* dds: "JointState", ...; mqtt: "json" or "number" */
    const char *field; /* dds, mqtt: the part of the message: "position" */
    const char *const
        *columns;         /* [stream size] names inside the message ("joint_1"); NULL: by order */
    const char *sequence; /* mqtt: the message's key that counts it; "" none */
    double scale, offset; /* stream value = scale x message value + offset, from the map's units */
} gb_link_stream;

typedef struct gb_link_map {
    gb_plant_info info;                 /* the machine: streams, limits, rates */
    const gb_link_stream *observations; /* [info.observation_stream_count] */
    const gb_link_stream *actions;      /* [info.action_stream_count] */
    bool simulated;                     /* the map says that nothing real moves */
    bool shared_clock;                  /* dds: header.stamp is by this computer's wall clock */
    const char *key_path;               /* udp: file with a shared key; "" none */
    unsigned char hash[GB_HASH_BYTES];  /* of all that both sides must agree on: name, rates,
                                           streams, units, sizes, scales */
    const char *path;                   /* for messages */
    gb_arena *arena;                    /* holds all of it */
} gb_link_map;

/* Reads and checks a map (docs/link.md). GB_ERR_SCHEMA with file and line. */
GB_MUST gb_status gb_link_map_load(const char *path, gb_link_map **out);
/* The same from memory; `name` stands for the file in messages. */
GB_MUST gb_status gb_link_map_parse(const char *name,
                                    const char *text,
                                    size_t size,
                                    gb_link_map **out);
void gb_link_map_destroy(gb_link_map *map); /* NULL is fine */
/* For links that sign nothing: GB_ERR_SCHEMA when the map has a key. */
GB_MUST gb_status gb_link_map_without_key(const gb_link_map *map, const char *scheme);

typedef struct gb_link_kind {
    const char *scheme; /* "udp" */
    /* address: what follows "scheme://"; takes the map over on success. */
    GB_MUST gb_status (*open)(const char *address, gb_link_map *map, gb_link **out);
} gb_link_kind;

extern const gb_link_kind gb_link_kind_udp, gb_link_kind_shm, gb_link_kind_dds, gb_link_kind_mqtt;

#endif
