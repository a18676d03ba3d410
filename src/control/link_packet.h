/* control/link_packet.h: the packets that UDP and shared memory carry: one observation or command
 * each, checked by CRC and, with a key, signed. Pure functions over bytes; nothing is allocated.
 * The format is documented in docs/link.md. Private to the room. */
#ifndef GENBA_CONTROL_LINK_PACKET_H
#define GENBA_CONTROL_LINK_PACKET_H

#include "control/link.h"

enum {
    GB_PACKET_HEADER = 64,    /* bytes before the values */
    GB_PACKET_CHALLENGE = 16, /* of a signed packet, after the values */
    GB_PACKET_MAC = 16,       /* of a signed packet, after that */
    GB_PACKET_CRC = 4,        /* at the end */
    GB_PACKET_KEY = 32,       /* of a shared key */
    GB_PACKET_WINDOW = 1024   /* so many sequence numbers back, late packets and copies are told
                                 apart */
};

typedef enum gb_packet_kind {
    GB_PACKET_OBSERVATION = 1,
    GB_PACKET_COMMAND = 2
} gb_packet_kind;

typedef struct gb_packet_header {
    uint8_t kind;
    uint64_t session;  /* drawn when the sender starts: tells a restart from an old packet */
    uint64_t sequence; /* 1, 2, ... */
    int64_t time_ns;   /* the sender's steady clock: when measured, when sent */
    int64_t due_ns;    /* commands: valid from here on, by the same clock */
    uint64_t tick;     /* commands: the servo's; observations: of the command in force, 0: none */
    uint32_t count;    /* values */
    uint64_t challenge, echo; /* of signed packets: what the other side is to echo, and its own; 0:
                                 it was not heard yet */
} gb_packet_header;

/* What both sides agree on. */
typedef struct gb_packet_form {
    gb_packet_kind kind;
    uint32_t count;
    unsigned char machine[8]; /* of gb_link_map.hash */
    const unsigned char *key; /* [GB_PACKET_KEY]; NULL: not signed */
    const double *scale;      /* [count] NULL: values are sent as they are */
    const double *offset;     /* [count] stream = scale x message + offset */
} gb_packet_form;

size_t gb_packet_bytes(const gb_packet_form *form);
/* Writes gb_packet_bytes(form) bytes; header->kind and count are the form's; values NULL: zeros. */
void gb_packet_write(const gb_packet_form *form,
                     const gb_packet_header *header,
                     const double *values,
                     unsigned char *out);

typedef enum gb_packet_verdict {
    GB_PACKET_NEW,       /* values are written */
    GB_PACKET_REPEATED,  /* came before */
    GB_PACKET_LATE,      /* overtaken by a newer one */
    GB_PACKET_CORRUPT,   /* not a packet, cut, a wrong checksum or signature */
    GB_PACKET_MISSHAPEN, /* a sound packet of another machine, map, kind or size */
    GB_PACKET_GREETING   /* signed, and only tells its sender's challenge: no values */
} gb_packet_verdict;

/* Judges a packet by itself; values [count] only for GB_PACKET_NEW. */
gb_packet_verdict gb_packet_read(const gb_packet_form *form,
                                 const unsigned char *bytes,
                                 size_t size,
                                 gb_packet_header *out_header,
                                 double *values);

/* What a receiver remembers. Zeroed at the start. */
typedef struct gb_packet_order {
    uint64_t session, previous_session; /* 0: none yet */
    uint64_t newest;
    uint64_t seen[GB_PACKET_WINDOW / 64];
    int64_t sent_ns;  /* of the newest, the sender's clock */
    int64_t least[2]; /* smallest arrival - sending, of this and the last span */
    int64_t span_began_ns;
    bool has_clock;
} gb_packet_order;

/* Takes a sound packet: NEW, REPEATED or LATE. *out_lost: how many more (fewer, for one that is
 * late) are missing now. */
gb_packet_verdict
gb_packet_arrange(gb_packet_order *order, const gb_packet_header *header, int64_t *out_lost);
/* The time of a NEW packet by our clock: its own plus the smallest difference between arrival and
 * sending seen in the last seconds. What waited in a queue keeps its age; a constant delay of the
 * way is not seen. Never later than now. */
int64_t gb_packet_time(gb_packet_order *order, const gb_packet_header *header, int64_t now_ns);

/* The forms of a map's two directions; arrays live in the map's arena. */
GB_MUST gb_status gb_packet_forms(gb_link_map *map,
                                  gb_packet_form *observations,
                                  gb_packet_form *commands);

#endif
