/* control/link_dds_end.h: one end of a DDS link: a participant that reads the streams of one
 * direction of a map and writes those of the other. Cyclone DDS locks and allocates, so all of it
 * runs in two threads here; the servo's side is two triple buffers. Private to the room. */
#ifndef GENBA_CONTROL_LINK_DDS_END_H
#define GENBA_CONTROL_LINK_DDS_END_H

#include "control/link.h"

typedef struct gb_dds_end gb_dds_end;

typedef enum gb_dds_side {
    GB_DDS_CONTROLLER, /* genba run: observations in, commands out */
    GB_DDS_MACHINE
} gb_dds_side;

/* address: the domain, "0". The map stays the caller's, and lives as long as the end. */
GB_MUST gb_status gb_dds_end_open(const char *address,
                                  const gb_link_map *map,
                                  gb_dds_side side,
                                  gb_dds_end **out);
void gb_dds_end_close(gb_dds_end *end); /* NULL is fine */

/* What one direction holds, as gb_observation holds it for the other. One thread; never waits,
 * allocates or locks. True: there is something newer, and it is written. Sets *faults. */
bool gb_dds_end_receive(gb_dds_end *end,
                        double *values,
                        int64_t *times_ns, /* [streams] */
                        uint64_t *sequence,
                        uint32_t *faults);
/* Hands values to the writing thread; what it did not come to is replaced. One thread; never
 * waits, allocates or locks. */
void gb_dds_end_send(gb_dds_end *end, const double *values);
/* Writes now, in the caller's thread; waits, locks and allocates. For test peers and simulated
 * machines; not together with gb_dds_end_send. stamp_ns: for header.stamp, since 1970. */
GB_MUST gb_status gb_dds_end_write(gb_dds_end *end, const double *values, int64_t stamp_ns);
/* The same in two steps, for peers that harm what they send: the bytes of each topic's message, and
 * writing bytes. GB_ERR_CORRUPT: they are no message any more, and DDS cannot send such. */
GB_MUST gb_status
gb_dds_end_encode(gb_dds_end *end,
                  const double *values,
                  int64_t stamp_ns,
                  void (*emit)(void *context, int topic, const void *bytes, size_t size),
                  void *context);
GB_MUST gb_status gb_dds_end_write_bytes(gb_dds_end *end,
                                         int topic,
                                         const void *bytes,
                                         size_t size);
void gb_dds_end_counts(const gb_dds_end *end, gb_link_counts *out);
/* How many readers and writers of the other side were found on all topics; any thread, may lock. */
int gb_dds_end_peers(const gb_dds_end *end);

#endif
