/* control/link_text.h: observations and commands as text, a plain number or JSON, in topics: what
 * MQTT carries. Pure functions over bytes; reading and writing allocate nothing. Private to the
 * room. */
#ifndef GENBA_CONTROL_LINK_TEXT_H
#define GENBA_CONTROL_LINK_TEXT_H

#include "control/link.h"

/* The topics of one direction of a map. */
typedef struct gb_link_text gb_link_text;

enum {
    GB_LINK_TEXT_MESSAGE_MOST = 1 << 20, /* bytes; longer ones are refused */
    GB_LINK_TEXT_VALUES_MOST = 1024      /* of a topic: this is for slow plants */
};

typedef enum gb_link_text_verdict {
    GB_LINK_TEXT_GOOD,
    GB_LINK_TEXT_CORRUPT,  /* not a number, not JSON */
    GB_LINK_TEXT_MISSHAPEN /* sound, but a value is missing or there are too many */
} gb_link_text_verdict;

/* Streams with the same topic share a message. Lives in the map's arena. written: this side writes
 * the messages. GB_ERR_SCHEMA names the stream whose type, field, columns or topic do not do. */
GB_MUST gb_status gb_link_text_create(gb_link_map *map,
                                      bool actions,
                                      bool written,
                                      gb_link_text **out);
int gb_link_text_topics(const gb_link_text *text);
const char *gb_link_text_topic(const gb_link_text *text,
                               int topic); /* as in the map, "press/force" */
bool gb_link_text_has(const gb_link_text *text, int topic, int stream);
bool gb_link_text_is_counted(const gb_link_text *text,
                             int topic); /* the map names a sequence in it */
/* Reads a message of a topic into the flat array of the direction, converted to its units; null is
 * NaN. *sequence: 0 when the topic has none. Nothing is written unless GOOD. One thread. */
gb_link_text_verdict gb_link_text_read(const gb_link_text *text,
                                       int topic,
                                       const char *payload,
                                       size_t size,
                                       double *values,
                                       uint64_t *sequence);
/* Writes the topic's message with a 0 behind it; numbers read back to the bit; what is not finite
 * is null. room: at least gb_link_text_room. Returns its length. */
size_t gb_link_text_write(
    const gb_link_text *text, int topic, const double *values, uint64_t sequence, char *out);
size_t gb_link_text_room(const gb_link_text *text, int topic);

#endif
