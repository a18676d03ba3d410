/* test/control/stub_link.h: a machine that answers at once and remembers what it was told. */
#ifndef TEST_CONTROL_STUB_LINK_H
#define TEST_CONTROL_STUB_LINK_H

#include "genba/control.h"

#include <string.h>

typedef struct stub {
    gb_link link;
    gb_plant_info machine; /* pusht's streams, with a tick and a period of its own */
    uint64_t sequence;
    bool silent; /* receive brings nothing */
    bool resets; /* counts resets */
    double values[16], commands[4096][2];
    int64_t dues_ns[4096];
    int sent, reset_count;
    void (*on_send)(struct stub *stub); /* may be NULL */
} stub;

static void stub_receive(gb_link *link, gb_observation *observation)
{
    stub *s = (stub *)link;
    observation->faults = 0;
    if (s->silent)
        return;
    observation->sequence = ++s->sequence;
    for (int i = 0; i < link->machine->observation_stream_count; i++)
        observation->time_ns[i] = gb_clock_monotonic_ns();
    memcpy(observation->values, s->values,
           (size_t)link->machine->observation_size * sizeof(double));
}

static void stub_send(gb_link *link, const double *command, uint64_t tick, int64_t due_ns)
{
    stub *s = (stub *)link;
    (void)tick;
    memcpy(s->commands[s->sent % 4096], command, 2 * sizeof(double));
    s->dues_ns[s->sent++ % 4096] = due_ns;
    if (s->on_send)
        s->on_send(s);
}

static void stub_counts(const gb_link *link, gb_link_counts *out)
{
    *out = (gb_link_counts){.sent = ((const stub *)link)->sent};
}

static void stub_close(gb_link *link)
{
    (void)link;
}

static const gb_link_ops stub_ops = {
    .receive = stub_receive, .send = stub_send, .counts = stub_counts, .close = stub_close};

static void stub_init(stub *s, int64_t tick_ns, int64_t period_ns)
{
    const gb_plant_info *pusht = NULL;
    if (gb_plant_describe("pusht", &pusht) != GB_OK)
        return;
    memset(s, 0, sizeof *s);
    s->machine = *pusht;
    s->machine.tick_ns = tick_ns;
    s->machine.period_ns = period_ns;
    s->link = (gb_link){.ops = &stub_ops, .machine = &s->machine, .simulated = true};
    for (int i = 0; i < 16; i++)
        s->values[i] = 200.0 + i;
}

#endif
