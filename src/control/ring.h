/* control/ring.h: hands records from one thread to another in order, without waiting: a full ring
 * refuses a record and counts it. One writer, one reader; records have one size. Private to the
 * room. */
#ifndef GENBA_CONTROL_RING_H
#define GENBA_CONTROL_RING_H

#include "genba/base.h"

typedef struct gb_ring gb_ring;

/* records: rounded up to a power of two. All memory is touched here, so that no page fault is left
 * for the writer. */
GB_MUST gb_status gb_ring_create(size_t record_bytes, int64_t records, gb_ring **out);
void gb_ring_destroy(gb_ring *ring); /* NULL is fine */
/* Writer: copies a record in; false: the ring was full, the record is counted as lost. */
bool gb_ring_push(gb_ring *ring, const void *record);
/* Reader: the oldest record, valid until gb_ring_pop; NULL: empty. */
const void *gb_ring_front(const gb_ring *ring);
void gb_ring_pop(gb_ring *ring);
/* Any thread: how many were refused, how many wait. */
int64_t gb_ring_lost(const gb_ring *ring);
int64_t gb_ring_waiting(const gb_ring *ring);

#endif
