/* control/latest.h: hands the newest of something from one thread to another without waiting: three
 * slots, of which the writer owns one, the reader one, and the third is exchanged. Wait-free on
 * both sides; what nobody read is replaced. One writer, one reader. Private to the room. */
#ifndef GENBA_CONTROL_LATEST_H
#define GENBA_CONTROL_LATEST_H

#include "genba/base.h"

typedef struct gb_latest gb_latest;

/* slot_bytes: what is handed over; slots begin zeroed, aligned to 64 bytes. */
GB_MUST gb_status gb_latest_create(size_t slot_bytes, gb_latest **out);
void gb_latest_destroy(gb_latest *latest); /* NULL is fine */
/* Writer: the slot to fill; the same until it is published. Holds what was there three times ago.
 */
void *gb_latest_write(gb_latest *latest);
void gb_latest_publish(gb_latest *latest);
/* Reader: the newest published slot, its own until the next call; NULL: nothing newer than what the
 * last call returned. */
const void *gb_latest_read(gb_latest *latest);

#endif
