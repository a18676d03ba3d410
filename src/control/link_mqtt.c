/* control/link_mqtt.c: slow plants behind an MQTT broker. The servo only exchanges slots with
 * libmosquitto's thread (link_mqtt_end.c) and a thread of ours that publishes commands. What
 * messages say is link_text.c. */
#include "control/link_mqtt.h"
#include "control/link_peer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#ifndef GENBA_WITH_MOSQUITTO

static gb_status no_mqtt(void)
{
    return gb_fail(GB_ERR_UNSUPPORTED,
                   "genba was built without MQTT: install libmosquitto-dev and build again");
}

static gb_status open_link(const char *address, gb_link_map *map, gb_link **out)
{
    (void)address;
    (void)map;
    (void)out;
    return no_mqtt();
}

static gb_status open_peer(const char *address, gb_link_map *map, gb_link_peer **out)
{
    (void)address;
    (void)map;
    (void)out;
    return no_mqtt();
}

#else

/* ---- the controller's side ----------------------------------------------------------------------
 */

typedef struct mqtt_link {
    gb_link link;
    gb_mqtt_end end;
    gb_latest *commands; /* uint64_t tick, double values [action_size] */
    int wake;            /* eventfd: a command waits, or it is over */
    _Atomic bool stop;
    bool has_thread;
    pthread_t publisher;
} mqtt_link;

static void mqtt_receive(gb_link *link, gb_observation *observation)
{
    mqtt_link *m = (mqtt_link *)link;
    observation->faults = atomic_exchange(&m->end.faults, 0);
    const gb_mqtt_news *n = gb_latest_read(m->end.news);
    if (!n)
        return;
    observation->sequence = n->sequence;
    memcpy(observation->time_ns, gb_mqtt_news_times(n),
           (size_t)m->end.in_stream_count * sizeof(int64_t));
    memcpy(observation->values, gb_mqtt_news_values(&m->end, n),
           (size_t)m->end.in_size * sizeof(double));
}

static void mqtt_send(gb_link *link, const double *command, uint64_t tick, int64_t due_ns)
{
    mqtt_link *m = (mqtt_link *)link;
    uint64_t *slot = gb_latest_write(m->commands);
    (void)due_ns; /* messages say no times: they count from when they arrive */
    slot[0] = tick;
    memcpy(slot + 1, command, (size_t)link->machine->action_size * sizeof(double));
    gb_latest_publish(m->commands);
    uint64_t one = 1; /* never full, so never waits */
    if (write(m->wake, &one, sizeof one) != (ssize_t)sizeof one)
        atomic_fetch_add(&m->end.unsent, 1);
}

static void publish_command(mqtt_link *m, const double *values, char *text)
{
    m->end.sent_number++;
    for (int i = 0; i < gb_link_text_topics(m->end.out); i++) {
        size_t size = gb_link_text_write(m->end.out, i, values, m->end.sent_number, text);
        gb_mqtt_end_publish(&m->end, i, text, size);
    }
}

static void *publish_commands(void *context)
{
    mqtt_link *m = context;
    char *text = malloc(gb_mqtt_end_room(&m->end));
    uint64_t count;
    while (text && !m->stop) {
        if (read(m->wake, &count, sizeof count) != (ssize_t)sizeof count)
            continue;
        const uint64_t *slot = gb_latest_read(m->commands);
        if (slot)
            publish_command(m, (const double *)(const void *)(slot + 1), text);
        if (count > 1) /* replaced before they could go */
            atomic_fetch_add(&m->end.unsent, (int64_t)count - 1);
    }
    free(text);
    return NULL;
}

static void mqtt_counts(const gb_link *link, gb_link_counts *out)
{
    gb_mqtt_end_counts(&((const mqtt_link *)link)->end, out);
}

static void stop_publisher(mqtt_link *m)
{
    uint64_t one = 1;
    m->stop = true;
    if (m->has_thread && write(m->wake, &one, sizeof one) == (ssize_t)sizeof one)
        pthread_join(m->publisher, NULL);
    if (m->wake >= 0)
        close(m->wake);
    gb_latest_destroy(m->commands);
}

static void mqtt_close(gb_link *link)
{
    mqtt_link *m = (mqtt_link *)link;
    stop_publisher(m);
    gb_mqtt_end_close(&m->end);
    gb_link_map_destroy(m->end.map);
    free(m);
}

static const gb_link_ops mqtt_ops = {
    .receive = mqtt_receive,
    .send = mqtt_send,
    .counts = mqtt_counts,
    .close = mqtt_close,
};

static gb_status start_publisher(mqtt_link *m)
{
    GB_TRY(gb_latest_create(sizeof(uint64_t) * (1 + (size_t)m->end.map->info.action_size),
                            &m->commands));
    m->wake = eventfd(0, EFD_CLOEXEC);
    if (m->wake < 0 || pthread_create(&m->publisher, NULL, publish_commands, m) != 0)
        return gb_fail(GB_ERR_MEMORY, "link: no thread to publish commands");
    m->has_thread = true;
    return GB_OK;
}

static gb_status open_link(const char *address, gb_link_map *map, gb_link **out)
{
    mqtt_link *m = calloc(1, sizeof *m);
    if (!m)
        return gb_fail(GB_ERR_MEMORY, "link \"mqtt://%s\": no memory", address);
    m->wake = -1;
    gb_status status = gb_mqtt_end_open(&m->end, address, map, false);
    if (status == GB_OK) {
        status = start_publisher(m);
        if (status != GB_OK) {
            stop_publisher(m);
            gb_mqtt_end_close(&m->end);
        }
    }
    if (status != GB_OK) {
        free(m);
        return status;
    }
    m->link = (gb_link){.ops = &mqtt_ops, .machine = &map->info, .simulated = map->simulated};
    *out = &m->link;
    return GB_OK;
}

/* ---- the machine's side -------------------------------------------------------------------------
 */

typedef struct mqtt_peer {
    gb_link_peer peer;
    gb_mqtt_end end;
    char *text;
} mqtt_peer;

static bool peer_receive(gb_link_peer *peer, double *command, uint64_t *out_tick)
{
    mqtt_peer *p = (mqtt_peer *)peer;
    const gb_mqtt_news *n = gb_latest_read(p->end.news);
    if (!n || !n->complete)
        return false;
    memcpy(command, gb_mqtt_news_values(&p->end, n), (size_t)p->end.in_size * sizeof(double));
    *out_tick = n->counted;
    return true;
}

static void peer_encode(gb_link_peer *peer,
                        const gb_peer_sample *sample,
                        gb_link_transmit_fn emit,
                        void *context)
{
    mqtt_peer *p = (mqtt_peer *)peer;
    for (int i = 0; i < gb_link_text_topics(p->end.out); i++) {
        size_t size = gb_link_text_write(p->end.out, i, sample->values, sample->step, p->text);
        emit(context, i, p->text, size);
    }
}

static void peer_transmit(gb_link_peer *peer, int channel, const void *bytes, size_t size)
{
    gb_mqtt_end_publish(&((mqtt_peer *)peer)->end, channel, bytes, size);
}

static void peer_counts(const gb_link_peer *peer, gb_link_counts *out)
{
    gb_mqtt_end_counts(&((const mqtt_peer *)peer)->end, out);
}

static void peer_close(gb_link_peer *peer)
{
    mqtt_peer *p = (mqtt_peer *)peer;
    gb_mqtt_end_close(&p->end);
    gb_link_map_destroy(p->end.map);
    free(p->text);
    free(p);
}

static const gb_link_peer_ops peer_ops = {peer_receive, peer_encode, peer_transmit, peer_counts,
                                          peer_close};

static gb_status open_peer(const char *address, gb_link_map *map, gb_link_peer **out)
{
    mqtt_peer *p = calloc(1, sizeof *p);
    if (!p)
        return gb_fail(GB_ERR_MEMORY, "link \"mqtt://%s\": no memory", address);
    gb_status status = gb_mqtt_end_open(&p->end, address, map, true);
    if (status != GB_OK) {
        free(p);
        return status;
    }
    p->text = malloc(gb_mqtt_end_room(&p->end));
    if (!p->text) {
        gb_mqtt_end_close(&p->end);
        free(p);
        return gb_fail(GB_ERR_MEMORY, "link \"mqtt://%s\": no memory", address);
    }
    p->peer.ops = &peer_ops;
    *out = &p->peer;
    return GB_OK;
}

#endif

const gb_link_kind gb_link_kind_mqtt = {"mqtt", open_link};
const gb_link_peer_kind gb_link_peer_kind_mqtt = {"mqtt", true, open_peer};
