/* control/link_dds_peer.c: a simulated plant behind DDS, for `genba machine`: it publishes what the
 * map calls observations and takes its actions. */
#include "control/link_peer.h"

#ifdef GENBA_WITH_CYCLONEDDS
#include "control/link_dds_end.h"

#include <stdlib.h>

typedef struct dds_peer {
    gb_link_peer peer;
    gb_link_map *map;
    gb_dds_end *end;
    int64_t times_ns[]; /* [action_stream_count] of the last command; nobody asks for them */
} dds_peer;

static bool receive(gb_link_peer *peer, double *command, uint64_t *out_tick)
{
    dds_peer *p = (dds_peer *)peer;
    uint64_t sequence = 0;
    uint32_t faults = 0;
    *out_tick = 0; /* no ROS 2 message says it */
    return gb_dds_end_receive(p->end, command, p->times_ns, &sequence, &faults);
}

static void
encode(gb_link_peer *peer, const gb_peer_sample *sample, gb_link_transmit_fn emit, void *context)
{
    int64_t age_ns = gb_clock_monotonic_ns() - sample->time_ns;
    if (gb_dds_end_encode(((dds_peer *)peer)->end, sample->values, gb_clock_wall_ns() - age_ns,
                          emit, context) != GB_OK)
        return; /* no memory: this observation is not sent, as if it were lost */
}

static void transmit(gb_link_peer *peer, int channel, const void *bytes, size_t size)
{
    if (gb_dds_end_write_bytes(((dds_peer *)peer)->end, channel, bytes, size) != GB_OK)
        return; /* counted as unsent */
}

static void get_counts(const gb_link_peer *peer, gb_link_counts *out)
{
    gb_dds_end_counts(((const dds_peer *)peer)->end, out);
}

static void close_peer(gb_link_peer *peer)
{
    dds_peer *p = (dds_peer *)peer;
    gb_dds_end_close(p->end);
    gb_link_map_destroy(p->map);
    free(p);
}

static const gb_link_peer_ops dds_peer_ops = {receive, encode, transmit, get_counts, close_peer};

static gb_status open_peer(const char *address, gb_link_map *map, gb_link_peer **out)
{
    dds_peer *p =
        calloc(1, sizeof *p + (size_t)map->info.action_stream_count * sizeof *p->times_ns);
    if (!p)
        return gb_fail(GB_ERR_MEMORY, "link dds: no memory");
    gb_status status = gb_dds_end_open(address, map, GB_DDS_MACHINE, &p->end);
    if (status != GB_OK) {
        free(p);
        return status;
    }
    p->map = map;
    p->peer.ops = &dds_peer_ops;
    *out = &p->peer;
    return GB_OK;
}
#else
static gb_status open_peer(const char *address, gb_link_map *map, gb_link_peer **out)
{
    (void)map;
    (void)out;
    return gb_fail(GB_ERR_UNSUPPORTED,
                   "link \"dds://%s\": this build has no Cyclone DDS; install cyclonedds-dev and "
                   "cyclonedds-tools, then build again",
                   address);
}
#endif

const gb_link_peer_kind gb_link_peer_kind_dds = {"dds", false, open_peer};
