/* control/latest.c: the triple buffer. The middle slot's number and whether it is new live in one
 * atomic word, so that an exchange moves both. */
#include "control/latest.h"

#include <stdatomic.h>
#include <stdlib.h>

#define FRESH 4u

struct gb_latest {
    unsigned char *slots; /* [3][slot_bytes] */
    size_t slot_bytes;
    _Alignas(64) unsigned writing;    /* the writer's slot */
    _Alignas(64) unsigned reading;    /* the reader's slot */
    _Alignas(64) atomic_uint between; /* slot | FRESH */
};

gb_status gb_latest_create(size_t slot_bytes, gb_latest **out)
{
    size_t bytes = (slot_bytes + 63) / 64 * 64;
    gb_latest *latest = gb_aligned_alloc(sizeof *latest);
    unsigned char *slots = gb_aligned_alloc(3 * bytes);
    if (!latest || !slots) {
        gb_aligned_free(latest);
        gb_aligned_free(slots);
        return GB_ERR_MEMORY;
    }
    latest->slots = slots;
    latest->slot_bytes = bytes;
    latest->writing = 0;
    latest->reading = 1;
    atomic_init(&latest->between, 2u);
    *out = latest;
    return GB_OK;
}

void gb_latest_destroy(gb_latest *latest)
{
    if (!latest)
        return;
    gb_aligned_free(latest->slots);
    gb_aligned_free(latest);
}

void *gb_latest_write(gb_latest *latest)
{
    return latest->slots + latest->writing * latest->slot_bytes;
}

void gb_latest_publish(gb_latest *latest)
{
    unsigned before =
        atomic_exchange_explicit(&latest->between, latest->writing | FRESH, memory_order_acq_rel);
    latest->writing = before & ~FRESH;
}

const void *gb_latest_read(gb_latest *latest)
{
    if (!(atomic_load_explicit(&latest->between, memory_order_relaxed) & FRESH))
        return NULL;
    unsigned before =
        atomic_exchange_explicit(&latest->between, latest->reading, memory_order_acq_rel);
    latest->reading = before & ~FRESH;
    return latest->slots + latest->reading * latest->slot_bytes;
}
