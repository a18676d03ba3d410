/* control/ring.c: the single-producer, single-consumer ring (Lamport 1983): each side writes its
 * own counter and reads the other's. */
#include "control/ring.h"

#include <stdatomic.h>
#include <string.h>

struct gb_ring {
    unsigned char *records; /* [mask + 1][record_bytes] */
    size_t record_bytes, stride;
    uint64_t mask;
    _Alignas(64) atomic_uint_fast64_t head; /* records ever pushed; the writer's */
    atomic_int_fast64_t lost;
    _Alignas(64) atomic_uint_fast64_t tail; /* records ever popped; the reader's */
};

gb_status gb_ring_create(size_t record_bytes, int64_t records, gb_ring **out)
{
    uint64_t count = 1;
    if (record_bytes < 1 || records < 1 || records > INT64_C(1) << 32)
        return gb_fail(GB_ERR_ARGUMENT,
                       "ring: %lld records of %zu bytes, expected 1 to 2^32 of at least 1",
                       (long long)records, record_bytes);
    while (count < (uint64_t)records)
        count *= 2;
    size_t stride = (record_bytes + 63) / 64 * 64;
    gb_ring *ring = gb_aligned_alloc(sizeof *ring);
    unsigned char *memory = gb_aligned_alloc(count * stride);
    if (!ring || !memory) {
        gb_aligned_free(ring);
        gb_aligned_free(memory);
        return GB_ERR_MEMORY;
    }
    memset(memory, 0, count * stride);
    ring->records = memory;
    ring->record_bytes = record_bytes;
    ring->stride = stride;
    ring->mask = count - 1;
    atomic_init(&ring->head, 0);
    atomic_init(&ring->tail, 0);
    atomic_init(&ring->lost, 0);
    *out = ring;
    return GB_OK;
}

void gb_ring_destroy(gb_ring *ring)
{
    if (!ring)
        return;
    gb_aligned_free(ring->records);
    gb_aligned_free(ring);
}

bool gb_ring_push(gb_ring *ring, const void *record)
{
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    if (head - atomic_load_explicit(&ring->tail, memory_order_acquire) > ring->mask) {
        atomic_fetch_add_explicit(&ring->lost, 1, memory_order_relaxed);
        return false;
    }
    memcpy(ring->records + (head & ring->mask) * ring->stride, record, ring->record_bytes);
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
    return true;
}

const void *gb_ring_front(const gb_ring *ring)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (tail == atomic_load_explicit(&ring->head, memory_order_acquire))
        return NULL;
    return ring->records + (tail & ring->mask) * ring->stride;
}

void gb_ring_pop(gb_ring *ring)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
}

int64_t gb_ring_lost(const gb_ring *ring)
{
    return atomic_load_explicit(&ring->lost, memory_order_relaxed);
}

int64_t gb_ring_waiting(const gb_ring *ring)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
    return (int64_t)(atomic_load_explicit(&ring->head, memory_order_acquire) - tail);
}
