/* control/link_peer.c: a simulated plant behind a link, in real time, with faults on the way out.
 */
#include "control/link_peer.h"
#include "control/link_wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND_NS 1000000000LL

static const gb_link_peer_kind *const kinds[] = {
    &gb_link_peer_kind_udp,
    &gb_link_peer_kind_shm,
    &gb_link_peer_kind_mqtt,
    &gb_link_peer_kind_dds,
};

/* ---- the peer of packets ------------------------------------------------------------------------
 */

typedef struct wire_peer {
    gb_link_peer peer;
    gb_link_map *map;
    gb_wire_end end;
} wire_peer;

static bool wire_receive(gb_link_peer *peer, double *command, uint64_t *out_tick)
{
    wire_peer *w = (wire_peer *)peer;
    gb_packet_header header;
    int64_t time_ns;
    uint32_t faults = 0;
    if (!gb_wire_end_receive(&w->end, command, &header, &time_ns, &faults))
        return false;
    *out_tick = header.tick;
    return true;
}

static void wire_encode(gb_link_peer *peer,
                        const gb_peer_sample *sample,
                        gb_link_transmit_fn emit,
                        void *context)
{
    wire_peer *w = (wire_peer *)peer;
    size_t size = gb_wire_end_pack(&w->end, sample->values, sample->tick, sample->time_ns, 0);
    emit(context, 0, w->end.out_bytes, size);
}

static void wire_transmit(gb_link_peer *peer, int channel, const void *bytes, size_t size)
{
    (void)channel;
    gb_wire_end_send(&((wire_peer *)peer)->end, bytes, size);
}

static void wire_counts(const gb_link_peer *peer, gb_link_counts *out)
{
    gb_wire_end_counts(&((const wire_peer *)peer)->end, out);
}

static void wire_close(gb_link_peer *peer)
{
    wire_peer *w = (wire_peer *)peer;
    gb_wire_end_close(&w->end);
    gb_link_map_destroy(w->map);
    free(w);
}

static const gb_link_peer_ops wire_ops = {wire_receive, wire_encode, wire_transmit, wire_counts,
                                          wire_close};

static gb_status
open_wire(gb_wire_open_fn open, const char *address, gb_link_map *map, gb_link_peer **out)
{
    wire_peer *w = calloc(1, sizeof *w);
    if (!w)
        return gb_fail(GB_ERR_MEMORY, "link \"%s\": no memory", address);
    gb_status status = gb_wire_end_open(open, address, map, GB_WIRE_MACHINE, &w->end);
    if (status != GB_OK) {
        free(w);
        return status;
    }
    w->map = map;
    w->peer.ops = &wire_ops;
    *out = &w->peer;
    return GB_OK;
}

static gb_status open_udp(const char *address, gb_link_map *map, gb_link_peer **out)
{
    return open_wire(gb_wire_open_udp, address, map, out);
}

static gb_status open_shm(const char *address, gb_link_map *map, gb_link_peer **out)
{
    return open_wire(gb_wire_open_shm, address, map, out);
}

const gb_link_peer_kind gb_link_peer_kind_udp = {"udp", false, open_udp};
const gb_link_peer_kind gb_link_peer_kind_shm = {"shm", false, open_shm};

/* ---- serving ------------------------------------------------------------------------------------
 */

typedef struct serving {
    const gb_link_serve_options *options;
    gb_link_serve_counts *counts;
    const gb_plant_info *info;
    gb_plant *plant;
    gb_link_peer *peer;
    gb_fault_line *line;
    double *observation, *command, *received;
    bool commanded;
    uint64_t step, tick, seed;
    int64_t started_ns, commands_seen;
} serving;

static void sleep_until(int64_t due_ns)
{
    struct timespec due = {.tv_sec = due_ns / SECOND_NS, .tv_nsec = due_ns % SECOND_NS};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR)
        ;
}

static void transmit(void *context, int channel, const void *bytes, size_t size)
{
    serving *s = context;
    s->peer->ops->transmit(s->peer, channel, bytes, size);
}

static void emit(void *context, int channel, const void *bytes, size_t size)
{
    serving *s = context;
    gb_fault_line_send(s->line, gb_clock_monotonic_ns() - s->started_ns, channel, bytes, size);
}

static void take_command(serving *s, int64_t now_ns)
{
    uint64_t tick = 0;
    gb_link_counts counts;
    bool any = s->peer->ops->receive(s->peer, s->received, &tick);
    bool cut = gb_fault_line_is_cut(s->line, now_ns - s->started_ns);
    s->peer->ops->counts(s->peer, &counts);
    if (cut) /* the transport brought them, the cut line would not have */
        s->counts->commands_cut += counts.received - s->commands_seen;
    s->commands_seen = counts.received;
    if (!any || cut)
        return;
    memcpy(s->command, s->received, (size_t)s->info->action_size * sizeof *s->command);
    s->commanded = true;
    s->tick = tick;
}

static gb_status end_episode(serving *s, const gb_plant_result *result)
{
    const gb_link_serve_options *options = s->options;
    if (options->episode)
        options->episode(options->context, (int)s->counts->episodes, result);
    s->counts->successes += result->success;
    s->counts->episodes++;
    return gb_plant_reset(s->plant, ++s->seed, s->observation);
}

/* A command that is not finite is not applied: the machine keeps the last one that was. */
static gb_status move(serving *s)
{
    gb_plant_result result;
    if (!s->commanded) {
        s->counts->waited++;
        return GB_OK;
    }
    gb_status status = gb_plant_tick(s->plant, s->command, s->observation, &result);
    if (status == GB_ERR_NUMERIC) {
        s->commanded = false;
        return GB_OK;
    }
    GB_TRY(status);
    s->counts->ticks++;
    return result.done ? end_episode(s, &result) : GB_OK;
}

static bool is_over(const serving *s, int64_t now_ns)
{
    const gb_link_serve_options *options = s->options;
    return (options->stop && *options->stop) ||
           (options->episodes > 0 && s->counts->episodes >= options->episodes) ||
           (options->duration_ns > 0 && now_ns - s->started_ns >= options->duration_ns);
}

/* Waits for the next tick and passes on what becomes due before it. */
static void wait_for(serving *s, int64_t due_ns)
{
    for (;;) {
        int64_t now_ns = gb_clock_monotonic_ns();
        int64_t next_ns = gb_fault_line_flush(s->line, now_ns - s->started_ns);
        if (now_ns >= due_ns)
            return;
        next_ns = next_ns == INT64_MAX ? due_ns : next_ns + s->started_ns;
        sleep_until(next_ns < due_ns ? next_ns : due_ns);
    }
}

static gb_status serve(serving *s)
{
    if (s->options->ready)
        s->options->ready(s->options->context);
    int64_t due_ns = s->started_ns = gb_clock_monotonic_ns();
    for (int64_t now_ns = due_ns; !is_over(s, now_ns); now_ns = gb_clock_monotonic_ns()) {
        take_command(s, now_ns);
        GB_TRY(move(s));
        gb_peer_sample sample = {.values = s->observation,
                                 .time_ns = gb_clock_monotonic_ns(),
                                 .step = ++s->step,
                                 .tick = s->tick};
        s->peer->ops->encode(s->peer, &sample, emit, s);
        due_ns += s->info->tick_ns;
        if (due_ns < now_ns - SECOND_NS) /* the computer slept: do not catch up */
            due_ns = now_ns;
        wait_for(s, due_ns);
    }
    int64_t last_ns = s->options->faults.delay_ns + s->options->faults.jitter_ns;
    wait_for(s, gb_clock_monotonic_ns() + last_ns);
    return GB_OK;
}

/* ---- opening ------------------------------------------------------------------------------------
 */

static gb_status open_peer(const gb_link_serve_options *options, gb_link_map *map, serving *s)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t length = strlen(kinds[i]->scheme);
        if (strncmp(options->url, kinds[i]->scheme, length) != 0 ||
            strncmp(options->url + length, "://", 3) != 0)
            continue;
        GB_TRY(gb_fault_line_create(&options->faults, kinds[i]->text, transmit, s, &s->line));
        return kinds[i]->open(options->url + length + 3, map, &s->peer);
    }
    return gb_fail(GB_ERR_UNSUPPORTED,
                   "link \"%s\": this build plays no machine on it; udp:// is always there",
                   options->url);
}

static gb_status fits(const gb_link_map *map, const gb_plant_info *info)
{
    if (map->info.observation_size == info->observation_size &&
        map->info.action_size == info->action_size && map->info.tick_ns == info->tick_ns)
        return GB_OK;
    return gb_fail(GB_ERR_MISMATCH,
                   "%s: %d values observed and %d commanded at %g Hz; the plant \"%s\" has %d and "
                   "%d at %g Hz; a map with plant: %s fits it",
                   map->path, map->info.observation_size, map->info.action_size,
                   1e9 / (double)map->info.tick_ns, info->name, info->observation_size,
                   info->action_size, 1e9 / (double)info->tick_ns, info->name);
}

static gb_status prepare(const gb_link_serve_options *options, serving *s)
{
    gb_link_map *map = NULL;
    GB_TRY(gb_plant_describe(options->plant, &s->info));
    GB_TRY(gb_plant_create(options->plant, NULL, &s->plant));
    s->observation = calloc((size_t)s->info->observation_size, sizeof(double));
    s->command = calloc((size_t)s->info->action_size, sizeof(double));
    s->received = calloc((size_t)s->info->action_size, sizeof(double));
    if (!s->observation || !s->command || !s->received)
        return gb_fail(GB_ERR_MEMORY, "plant %s: no memory", options->plant);
    s->seed = options->first_seed;
    GB_TRY(gb_plant_reset(s->plant, s->seed, s->observation));
    GB_TRY(gb_link_map_load(options->map_path, &map));
    gb_status status = fits(map, s->info);
    if (status == GB_OK)
        status = open_peer(options, map, s);
    if (status != GB_OK)
        gb_link_map_destroy(map);
    return status;
}

gb_status gb_link_serve(const gb_link_serve_options *options, gb_link_serve_counts *out)
{
    gb_link_serve_counts counts = {0};
    serving s = {.options = options, .counts = &counts};
    gb_status status = prepare(options, &s);
    if (status == GB_OK)
        status = serve(&s);
    if (s.peer) {
        s.peer->ops->counts(s.peer, &counts.link);
        counts.link.received -= counts.commands_cut;
        s.peer->ops->close(s.peer);
    }
    if (s.line)
        counts.faults = gb_fault_line_counts(s.line);
    gb_fault_line_destroy(s.line);
    gb_plant_destroy(s.plant);
    free(s.observation);
    free(s.command);
    free(s.received);
    if (status == GB_OK)
        *out = counts;
    return status;
}
