/* control/link_wire.c: a link over a wire of packets. Nothing here waits, allocates or locks after
 * opening. */
#include "control/link_wire.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    DATAGRAM = 65536, /* no UDP packet is longer */
    DRAIN_MOST = 256, /* messages in one receive: a flood must not hold the servo */
    SILENT_TICKS = 3  /* of the machine, and SILENCE_NS more: its sender has ended */
};
#define SILENCE_NS INT64_C(100000000)

#define ADD(count, n) atomic_fetch_add_explicit(&(count), (n), memory_order_relaxed)
#define GET(count) atomic_load_explicit(&(count), memory_order_relaxed)

/* ---- an end -------------------------------------------------------------------------------------
 */

gb_status gb_wire_end_open(gb_wire_open_fn open,
                           const char *address,
                           gb_link_map *map,
                           gb_wire_side side,
                           gb_wire_end *out)
{
    gb_packet_form observations, commands;
    GB_TRY(gb_packet_forms(map, &observations, &commands));
    memset(out, 0, sizeof *out);
    out->in = side == GB_WIRE_CONTROLLER ? observations : commands;
    out->out = side == GB_WIRE_CONTROLLER ? commands : observations;
    /* What is too long for this machine is judged whole, too. */
    out->room = gb_packet_bytes(&out->in) > DATAGRAM ? gb_packet_bytes(&out->in) : DATAGRAM;
    out->in_bytes = gb_arena_alloc(map->arena, out->room);
    out->out_bytes = gb_arena_alloc(map->arena, gb_packet_bytes(&out->out));
    out->values = gb_arena_alloc(map->arena, out->in.count * sizeof(double));
    if (!out->in_bytes || !out->out_bytes || !out->values)
        return GB_ERR_MEMORY;
    /* Not the seeded generator: two programs must not draw the same session. */
    uint64_t drawn[2];
    if (getrandom(drawn, sizeof drawn, 0) != (ssize_t)sizeof drawn)
        return gb_fail(GB_ERR_IO, "link \"%s\": the kernel gives no random number", address);
    out->session = drawn[0] | 1;
    out->challenge = drawn[1] | 1;
    out->greets = side == GB_WIRE_CONTROLLER; /* a machine speaks all the time */
    out->silence_ns = SILENT_TICKS * map->info.tick_ns + SILENCE_NS;
    return open(address, map, side, gb_packet_bytes(&observations), gb_packet_bytes(&commands),
                &out->wire);
}

void gb_wire_end_close(gb_wire_end *end)
{
    if (end->wire)
        end->wire->ops->close(end->wire);
    end->wire = NULL;
}

/* A packet of another session while the sender still speaks is no restart: it was recorded, or
 * delayed, and must not push the sender aside. */
static bool interrupts(const gb_wire_end *end, const gb_packet_header *header, int64_t now_ns)
{
    return end->order.session != 0 && header->session != end->order.session &&
           now_ns - end->heard_ns < end->silence_ns;
}

/* With a key, who starts to speak must echo our challenge, so it has heard us since: a recording
 * has not. Each challenge serves one session. */
static gb_packet_verdict
admit(gb_wire_end *end, const gb_packet_header *header, int64_t now_ns, int64_t *lost)
{
    bool starts = header->session != end->order.session;
    if (interrupts(end, header, now_ns))
        return GB_PACKET_LATE;
    if (end->in.key && starts && header->echo != end->challenge) {
        end->echo = header->challenge;
        end->greet = end->greets;
        return header->echo == 0 ? GB_PACKET_GREETING : GB_PACKET_LATE;
    }
    gb_packet_verdict verdict = gb_packet_arrange(&end->order, header, lost);
    if (verdict == GB_PACKET_NEW) {
        end->echo = header->challenge;
        end->challenge += starts;
    }
    return verdict;
}

/* One message; true: it is the newest now and stands in end->values. */
static bool
take(gb_wire_end *end, size_t size, int64_t now_ns, gb_packet_header *header, uint32_t *faults)
{
    int64_t lost = 0;
    uint64_t session = end->order.session;
    gb_packet_verdict verdict =
        size <= end->room ? gb_packet_read(&end->in, end->in_bytes, size, header, end->values)
                          : GB_PACKET_CORRUPT;
    if (verdict == GB_PACKET_NEW)
        verdict = admit(end, header, now_ns, &lost);
    else if (verdict == GB_PACKET_GREETING && !interrupts(end, header, now_ns))
        end->echo = header->challenge;
    ADD(end->lost, lost);
    *faults |= lost > 0 ? GB_FAULT_LOST : 0;
    *faults |= session != 0 && end->order.session != session ? GB_FAULT_RESTART : 0;
    switch (verdict) {
    case GB_PACKET_NEW:
        ADD(end->received, 1);
        return true;
    case GB_PACKET_REPEATED:
        ADD(end->repeated, 1);
        *faults |= GB_FAULT_ORDER;
        return false;
    case GB_PACKET_LATE:
        ADD(end->disordered, 1);
        *faults |= GB_FAULT_ORDER;
        return false;
    case GB_PACKET_MISSHAPEN:
        ADD(end->misshapen, 1);
        *faults |= GB_FAULT_SHAPE;
        return false;
    case GB_PACKET_GREETING:
        return false;
    case GB_PACKET_CORRUPT:
        break;
    }
    ADD(end->corrupt, 1);
    *faults |= GB_FAULT_CORRUPT;
    return false;
}

/* Tells the other side our challenge before there is anything to command. */
static void greet(gb_wire_end *end)
{
    gb_packet_header header = {.session = end->session,
                               .time_ns = gb_clock_monotonic_ns(),
                               .challenge = end->challenge,
                               .echo = end->echo};
    gb_packet_write(&end->out, &header, NULL, end->out_bytes);
    (void)end->wire->ops->send(end->wire, end->out_bytes, gb_packet_bytes(&end->out));
    end->greet = false;
}

bool gb_wire_end_receive(
    gb_wire_end *end, double *values, gb_packet_header *header, int64_t *time_ns, uint32_t *faults)
{
    bool any = false;
    for (int i = 0; i < DRAIN_MOST; i++) {
        gb_packet_header next;
        ssize_t size = end->wire->ops->receive(end->wire, end->in_bytes, end->room);
        if (size < 0)
            break;
        int64_t now_ns = gb_clock_monotonic_ns();
        if (!take(end, (size_t)size, now_ns, &next, faults))
            continue;
        memcpy(values, end->values, end->in.count * sizeof *values);
        *time_ns = gb_packet_time(&end->order, &next, now_ns);
        end->heard_ns = now_ns;
        *header = next;
        end->taken++;
        any = true;
    }
    if (end->greet)
        greet(end);
    return any;
}

size_t gb_wire_end_pack(
    gb_wire_end *end, const double *values, uint64_t tick, int64_t time_ns, int64_t due_ns)
{
    gb_packet_header header = {.session = end->session,
                               .sequence = ++end->sequence,
                               .time_ns = time_ns,
                               .due_ns = due_ns,
                               .tick = tick,
                               .challenge = end->challenge,
                               .echo = end->echo};
    gb_packet_write(&end->out, &header, values, end->out_bytes);
    return gb_packet_bytes(&end->out);
}

void gb_wire_end_send(gb_wire_end *end, const void *bytes, size_t size)
{
    if (end->wire->ops->send(end->wire, bytes, size))
        ADD(end->sent, 1);
    else
        ADD(end->unsent, 1);
}

void gb_wire_end_counts(const gb_wire_end *end, gb_link_counts *out)
{
    *out = (gb_link_counts){.received = GET(end->received),
                            .sent = GET(end->sent),
                            .lost = GET(end->lost),
                            .repeated = GET(end->repeated),
                            .disordered = GET(end->disordered),
                            .corrupt = GET(end->corrupt),
                            .misshapen = GET(end->misshapen),
                            .unsent = GET(end->unsent)};
}

/* ---- the link -----------------------------------------------------------------------------------
 */

typedef struct wire_link {
    gb_link link;
    gb_link_map *map;
    gb_wire_end end;
} wire_link;

static void wire_receive(gb_link *link, gb_observation *observation)
{
    wire_link *w = (wire_link *)link;
    gb_packet_header header;
    int64_t time_ns = 0;
    observation->faults = 0;
    if (!gb_wire_end_receive(&w->end, observation->values, &header, &time_ns, &observation->faults))
        return;
    observation->sequence = w->end.taken;
    for (int i = 0; i < link->machine->observation_stream_count; i++)
        observation->time_ns[i] = time_ns;
}

static void wire_send(gb_link *link, const double *command, uint64_t tick, int64_t due_ns)
{
    wire_link *w = (wire_link *)link;
    size_t size = gb_wire_end_pack(&w->end, command, tick, gb_clock_monotonic_ns(), due_ns);
    gb_wire_end_send(&w->end, w->end.out_bytes, size);
}

static void wire_counts(const gb_link *link, gb_link_counts *out)
{
    gb_wire_end_counts(&((const wire_link *)link)->end, out);
}

static void wire_close(gb_link *link)
{
    wire_link *w = (wire_link *)link;
    gb_wire_end_close(&w->end);
    gb_link_map_destroy(w->map);
    free(w);
}

static const gb_link_ops wire_ops = {
    .receive = wire_receive,
    .send = wire_send,
    .counts = wire_counts,
    .close = wire_close,
};

static gb_status
open_link(gb_wire_open_fn open, const char *address, gb_link_map *map, gb_link **out)
{
    wire_link *w = calloc(1, sizeof *w);
    if (!w)
        return gb_fail(GB_ERR_MEMORY, "link \"%s\": no memory", address);
    gb_status status = gb_wire_end_open(open, address, map, GB_WIRE_CONTROLLER, &w->end);
    if (status != GB_OK) {
        free(w);
        return status;
    }
    w->map = map;
    w->link = (gb_link){.ops = &wire_ops, .machine = &map->info, .simulated = map->simulated};
    *out = &w->link;
    return GB_OK;
}

static gb_status open_udp(const char *address, gb_link_map *map, gb_link **out)
{
    return open_link(gb_wire_open_udp, address, map, out);
}

static gb_status open_shm(const char *address, gb_link_map *map, gb_link **out)
{
    return open_link(gb_wire_open_shm, address, map, out);
}

const gb_link_kind gb_link_kind_udp = {"udp", open_udp};
const gb_link_kind gb_link_kind_shm = {"shm", open_shm};
