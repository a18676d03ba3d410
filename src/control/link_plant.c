/* control/link_plant.c: a simulated plant in this process as a link. A tick of the plant runs
 * inside send(), so its time is the servo's: stepped as fast as it goes, or in real time. */
#include "control/link.h"

#include <stdlib.h>
#include <string.h>

typedef struct plant_link {
    gb_link link;
    gb_plant *plant;
    gb_plant_result result;
    gb_link_counts counts;
    uint64_t sequence, seen;
    int64_t time_ns;
    double observation[]; /* [observation_size] */
} plant_link;

static void plant_receive(gb_link *link, gb_observation *observation)
{
    plant_link *p = (plant_link *)link;
    observation->faults = 0;
    if (p->seen == p->sequence)
        return;
    p->seen = observation->sequence = p->sequence;
    p->counts.received++;
    for (int i = 0; i < link->machine->observation_stream_count; i++)
        observation->time_ns[i] = p->time_ns;
    memcpy(observation->values, p->observation,
           (size_t)link->machine->observation_size * sizeof(double));
}

static void plant_send(gb_link *link, const double *command, uint64_t tick, int64_t due_ns)
{
    (void)tick;
    plant_link *p = (plant_link *)link;
    if (gb_plant_tick(p->plant, command, p->observation, &p->result) != GB_OK) {
        p->counts.unsent++;
        return;
    }
    p->counts.sent++;
    p->sequence++;
    p->time_ns = due_ns + link->machine->tick_ns; /* the world as it is when the tick has passed */
}

static gb_status plant_reset(gb_link *link, uint64_t seed)
{
    plant_link *p = (plant_link *)link;
    GB_TRY(gb_plant_reset(p->plant, seed, p->observation));
    p->result = gb_plant_get_result(p->plant);
    p->sequence++;
    p->time_ns = gb_clock_monotonic_ns();
    return GB_OK;
}

static void plant_result(const gb_link *link, gb_plant_result *out)
{
    *out = ((const plant_link *)link)->result;
}

static void plant_counts(const gb_link *link, gb_link_counts *out)
{
    *out = ((const plant_link *)link)->counts;
}

static void plant_close(gb_link *link)
{
    plant_link *p = (plant_link *)link;
    gb_plant_destroy(p->plant);
    free(p);
}

static const gb_link_ops plant_ops = {
    .receive = plant_receive,
    .send = plant_send,
    .reset = plant_reset,
    .result = plant_result,
    .counts = plant_counts,
    .close = plant_close,
};

gb_status gb_link_plant(const char *plant, const gb_plant_options *options, gb_link **out)
{
    const gb_plant_info *info = NULL;
    GB_TRY(gb_plant_describe(plant, &info));
    plant_link *p = calloc(1, sizeof *p + (size_t)info->observation_size * sizeof(double));
    if (!p)
        return gb_fail(GB_ERR_MEMORY, "link to plant %s: no memory", plant);
    p->link = (gb_link){.ops = &plant_ops, .machine = info, .simulated = true, .stepped = true};
    gb_status status = gb_plant_create(plant, options, &p->plant);
    if (status == GB_OK)
        status = plant_reset(&p->link, 0);
    if (status != GB_OK) {
        plant_close(&p->link);
        return status;
    }
    *out = &p->link;
    return GB_OK;
}
