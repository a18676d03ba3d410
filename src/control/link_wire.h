/* control/link_wire.h: links that carry packets: what udp and shm share. A *wire* moves bytes
 * without waiting; the rest (form, order, time, counts) is the same for both. Private to the room.
 */
#ifndef GENBA_CONTROL_LINK_WIRE_H
#define GENBA_CONTROL_LINK_WIRE_H

#include "control/link_packet.h"

#include <sys/types.h>

typedef struct gb_wire gb_wire;
typedef struct gb_wire_ops {
    /* The next message: its first `room` bytes; its size, which may be above room; -1: none waits.
     */
    ssize_t (*receive)(gb_wire *wire, void *buffer, size_t room);
    bool (*send)(gb_wire *wire, const void *bytes, size_t size); /* false: it did not go */
    void (*close)(gb_wire *wire);
} gb_wire_ops;

struct gb_wire {
    const gb_wire_ops *ops;
};

/* Which end of the wire this is. */
typedef enum gb_wire_side {
    GB_WIRE_CONTROLLER, /* genba run: commands out, observations in */
    GB_WIRE_MACHINE
} gb_wire_side;

/* observation_bytes, command_bytes: of packets. */
typedef gb_status (*gb_wire_open_fn)(const char *address,
                                     const gb_link_map *map,
                                     gb_wire_side side,
                                     size_t observation_bytes,
                                     size_t command_bytes,
                                     gb_wire **out);
GB_MUST gb_status gb_wire_open_udp(const char *address,
                                   const gb_link_map *map,
                                   gb_wire_side side,
                                   size_t observation_bytes,
                                   size_t command_bytes,
                                   gb_wire **out);
GB_MUST gb_status gb_wire_open_shm(const char *address,
                                   const gb_link_map *map,
                                   gb_wire_side side,
                                   size_t observation_bytes,
                                   size_t command_bytes,
                                   gb_wire **out);

/* One end: sends packets of one form and takes those of the other. */
typedef struct gb_wire_end {
    gb_wire *wire;
    gb_packet_form in, out;
    gb_packet_order order;
    uint64_t session, sequence;
    uint64_t challenge, echo; /* signed: what a new sender must echo; what is echoed to it */
    bool greets, greet;       /* this side does; a greeting is due */
    unsigned char *in_bytes, *out_bytes; /* in the map's arena */
    size_t room;                         /* of in_bytes */
    double *values;                      /* [in.count] a packet being judged */
    uint64_t taken;                      /* rises with each new packet */
    int64_t heard_ns;                    /* when the newest came */
    int64_t silence_ns;                  /* so long it must be silent before another may speak */
    _Atomic int64_t received, sent, lost, repeated, disordered, corrupt, misshapen, unsent;
} gb_wire_end;

/* Allocates from the map's arena and opens the wire. */
GB_MUST gb_status gb_wire_end_open(gb_wire_open_fn open,
                                   const char *address,
                                   gb_link_map *map,
                                   gb_wire_side side,
                                   gb_wire_end *out);
void gb_wire_end_close(gb_wire_end *end);
/* Takes all that waits, at most a bounded number. The newest packet that is new goes to values
 * [in.count], *header and *time_ns; false: there is none, they are left. Adds to *faults. */
bool gb_wire_end_receive(
    gb_wire_end *end, double *values, gb_packet_header *header, int64_t *time_ns, uint32_t *faults);
/* The next packet, in end->out_bytes; its size. */
size_t gb_wire_end_pack(
    gb_wire_end *end, const double *values, uint64_t tick, int64_t time_ns, int64_t due_ns);
void gb_wire_end_send(gb_wire_end *end, const void *bytes, size_t size);
void gb_wire_end_counts(const gb_wire_end *end, gb_link_counts *out);

#endif
