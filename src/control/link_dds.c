/* control/link_dds.c: dds://DOMAIN, the link to machines that speak ROS 2. How it is done is
 * link_dds_end.c; this file makes a gb_link of it. */
#include "control/link.h"

#ifdef GENBA_WITH_CYCLONEDDS
#include "control/link_dds_end.h"

#include <stdlib.h>

typedef struct dds_link {
    gb_link link;
    gb_link_map *map;
    gb_dds_end *end;
} dds_link;

static void receive_observation(gb_link *link, gb_observation *observation)
{
    dds_link *l = (dds_link *)link;
    (void)gb_dds_end_receive(l->end, observation->values, observation->time_ns,
                             &observation->sequence, &observation->faults);
}

static void send_command(gb_link *link, const double *command, uint64_t tick, int64_t due_ns)
{
    (void)tick; /* no ROS 2 message holds them */
    (void)due_ns;
    gb_dds_end_send(((dds_link *)link)->end, command);
}

static void get_counts(const gb_link *link, gb_link_counts *out)
{
    gb_dds_end_counts(((const dds_link *)link)->end, out);
}

static void close_link(gb_link *link)
{
    dds_link *l = (dds_link *)link;
    gb_dds_end_close(l->end);
    gb_link_map_destroy(l->map);
    free(l);
}

static const gb_link_ops dds_ops = {
    .receive = receive_observation,
    .send = send_command,
    .counts = get_counts,
    .close = close_link,
};

static gb_status open_link(const char *address, gb_link_map *map, gb_link **out)
{
    dds_link *l = calloc(1, sizeof *l);
    if (!l)
        return gb_fail(GB_ERR_MEMORY, "link dds: no memory");
    gb_status status = gb_dds_end_open(address, map, GB_DDS_CONTROLLER, &l->end);
    if (status != GB_OK) {
        free(l);
        return status;
    }
    l->map = map;
    l->link = (gb_link){.ops = &dds_ops, .machine = &map->info, .simulated = map->simulated};
    *out = &l->link;
    return GB_OK;
}
#else
static gb_status open_link(const char *address, gb_link_map *map, gb_link **out)
{
    (void)map;
    (void)out;
    return gb_fail(GB_ERR_UNSUPPORTED,
                   "link \"dds://%s\": this build has no Cyclone DDS; install cyclonedds-dev and "
                   "cyclonedds-tools, then build again",
                   address);
}
#endif

const gb_link_kind gb_link_kind_dds = {"dds", open_link};
