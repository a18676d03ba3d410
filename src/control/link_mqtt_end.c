/* control/link_mqtt_end.c: the connection to a broker. libmosquitto's thread takes messages, hands
 * the newest over, and connects again when the broker was away. */
#include "control/link_mqtt.h"

#ifdef GENBA_WITH_MOSQUITTO

#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ADD(count, n) atomic_fetch_add_explicit(&(count), (n), memory_order_relaxed)
#define GET(count) atomic_load_explicit(&(count), memory_order_relaxed)

enum {
    KEEPALIVE_S = 5,
    RECONNECT_LEAST_S = 1,
    RECONNECT_MOST_S = 4,
    UNACKNOWLEDGED_MS = 1000,
    LATE_MOST = 16, /* so many old sequence numbers in a row: the sender counts anew */
    PASSWORD_MOST = 4096
};

/* ---- an end: what the controller's and the machine's side share ---------------------------------
 */

static size_t news_bytes(const gb_mqtt_end *e)
{
    return sizeof(gb_mqtt_news) + (size_t)e->in_stream_count * sizeof(int64_t) +
           (size_t)e->in_size * sizeof(double);
}

/* Arrays of a slot lie behind it. */
static int64_t *news_times(gb_mqtt_news *n)
{
    return (int64_t *)(void *)(n + 1);
}

static double *news_values(const gb_mqtt_end *e, gb_mqtt_news *n)
{
    return (double *)(void *)(news_times(n) + e->in_stream_count);
}

static bool all_heard(const gb_mqtt_end *e)
{
    for (int i = 0; i < gb_link_text_topics(e->in); i++)
        if (!e->in_topics[i].heard)
            return false;
    return true;
}

const int64_t *gb_mqtt_news_times(const gb_mqtt_news *news)
{
    return (const int64_t *)(const void *)(news + 1);
}

const double *gb_mqtt_news_values(const gb_mqtt_end *end, const gb_mqtt_news *news)
{
    return (const double *)(const void *)(gb_mqtt_news_times(news) + end->in_stream_count);
}

size_t gb_mqtt_end_room(const gb_mqtt_end *end)
{
    size_t room = 0;
    for (int i = 0; i < gb_link_text_topics(end->out); i++)
        room = gb_link_text_room(end->out, i) > room ? gb_link_text_room(end->out, i) : room;
    return room;
}

static void publish_news(gb_mqtt_end *e, uint64_t counted)
{
    gb_mqtt_news *n = gb_latest_write(e->news);
    n->sequence = ++e->sequence;
    n->counted = counted;
    n->complete = all_heard(e);
    memcpy(news_times(n), e->time_ns, (size_t)e->in_stream_count * sizeof(int64_t));
    memcpy(news_values(e, n), e->values, (size_t)e->in_size * sizeof(double));
    gb_latest_publish(e->news);
}

/* Without a number of its own every message counts as the next. */
static gb_packet_verdict arrange(gb_mqtt_end *e, gb_mqtt_topic *t, uint64_t counted)
{
    int64_t lost = 0;
    gb_packet_header header = {.session = t->session, .sequence = counted};
    gb_packet_verdict verdict = gb_packet_arrange(&t->order, &header, &lost);
    t->late = verdict == GB_PACKET_NEW ? 0 : t->late + 1;
    if (t->late >= LATE_MOST || (counted == 1 && t->order.newest > GB_PACKET_WINDOW)) {
        header.session = ++t->session;
        t->late = 0;
        verdict = gb_packet_arrange(&t->order, &header, &lost);
    }
    ADD(e->lost, lost);
    if (lost > 0)
        atomic_fetch_or(&e->faults, GB_FAULT_LOST);
    return verdict;
}

static void note_fault(gb_mqtt_end *e, _Atomic int64_t *count, uint32_t fault)
{
    ADD(*count, 1);
    atomic_fetch_or(&e->faults, fault);
}

static void take(gb_mqtt_end *e, int topic, const char *payload, size_t size)
{
    gb_mqtt_topic *t = &e->in_topics[topic];
    uint64_t counted = 0;
    double *before = e->values + e->in_size; /* to go back when it is old */
    memcpy(before, e->values, (size_t)e->in_size * sizeof(double));
    gb_link_text_verdict read = gb_link_text_read(e->in, topic, payload, size, e->values, &counted);
    if (read == GB_LINK_TEXT_CORRUPT) {
        note_fault(e, &e->corrupt, GB_FAULT_CORRUPT);
        return;
    }
    if (read == GB_LINK_TEXT_MISSHAPEN) {
        note_fault(e, &e->misshapen, GB_FAULT_SHAPE);
        return;
    }
    gb_packet_verdict order =
        gb_link_text_is_counted(e->in, topic) ? arrange(e, t, counted) : GB_PACKET_NEW;
    if (order != GB_PACKET_NEW) {
        memcpy(e->values, before, (size_t)e->in_size * sizeof(double));
        note_fault(e, order == GB_PACKET_REPEATED ? &e->repeated : &e->disordered, GB_FAULT_ORDER);
        return;
    }
    ADD(e->received, 1);
    t->heard = true;
    int64_t now_ns = gb_clock_monotonic_ns();
    for (int i = 0; i < e->in_stream_count; i++)
        if (gb_link_text_has(e->in, topic, i))
            e->time_ns[i] = now_ns;
    publish_news(e, counted);
}

/* ---- libmosquitto's thread ----------------------------------------------------------------------
 */

static void on_message(struct mosquitto *client, void *context, const struct mosquitto_message *m)
{
    gb_mqtt_end *e = context;
    (void)client;
    if (m->retain) { /* kept by the broker since nobody knows when */
        ADD(e->repeated, 1);
        return;
    }
    for (int i = 0; i < gb_link_text_topics(e->in); i++)
        if (strcmp(m->topic, e->in_topics[i].name) == 0)
            take(e, i, m->payload, (size_t)m->payloadlen);
}

/* Bytes that nobody acknowledges wait in the kernel, and would come when the network does. */
static void give_up_early(struct mosquitto *client)
{
    unsigned ms = UNACKNOWLEDGED_MS;
    (void)setsockopt(mosquitto_socket(client), IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
}

static void on_connect(struct mosquitto *client, void *context, int code)
{
    gb_mqtt_end *e = context;
    give_up_early(client);
    for (int i = 0; code == 0 && i < gb_link_text_topics(e->in); i++)
        if (mosquitto_subscribe(client, NULL, e->in_topics[i].name, 0) != MOSQ_ERR_SUCCESS)
            mosquitto_reconnect_async(client);
}

/* ---- the address --------------------------------------------------------------------------------
 */

static gb_status wrong_address(const char *address)
{
    return gb_fail(GB_ERR_ARGUMENT,
                   "link \"mqtt://%.200s\": expected mqtt://[USER@]HOST[:PORT][/TOPIC], where "
                   "TOPIC comes before the map's topics; ?password=FILE and &ca=FILE may follow",
                   address);
}

static bool copy_part(const char *from, size_t size, char *to, size_t room)
{
    if (size >= room)
        return false;
    memcpy(to, from, size);
    to[size] = 0;
    return true;
}

static bool parse_options(const char *text, gb_mqtt_end *e)
{
    while (*text) {
        size_t size = strcspn(text, "&");
        bool ca = strncmp(text, "ca=", 3) == 0, password = strncmp(text, "password=", 9) == 0;
        const char *value = text + (ca ? 3 : 9);
        if ((!ca && !password) || value >= text + size ||
            !copy_part(value, (size_t)(text + size - value), ca ? e->ca_path : e->password_path,
                       GB_MQTT_PATH))
            return false;
        text += size + (text[size] == '&');
    }
    return true;
}

static gb_status parse(const char *address, gb_mqtt_end *e)
{
    size_t size = strcspn(address, "/?");
    const char *end = address + size, *user = memchr(address, '@', size);
    if (user && !copy_part(address, (size_t)(user - address), e->user, sizeof e->user))
        return wrong_address(address);
    const char *host = user ? user + 1 : address;
    const char *colon = memchr(host, ':', (size_t)(end - host));
    if (!copy_part(host, (size_t)((colon ? colon : end) - host), e->host, sizeof e->host) ||
        !e->host[0])
        return wrong_address(address);
    e->port = 1883;
    if (colon) {
        char *after = NULL;
        long port = colon[1] >= '0' && colon[1] <= '9' ? strtol(colon + 1, &after, 10) : 0;
        if (after != end || port < 1 || port > 65535)
            return wrong_address(address);
        e->port = (int)port;
    }
    const char *prefix = *end == '/' ? end + 1 : end;
    size_t prefix_size = strcspn(prefix, "?");
    if (!copy_part(prefix, prefix_size, e->prefix, sizeof e->prefix) ||
        (e->prefix[0] && mosquitto_pub_topic_check(e->prefix) != MOSQ_ERR_SUCCESS))
        return wrong_address(address);
    const char *options = prefix + prefix_size;
    return *options != '?' || parse_options(options + 1, e) ? GB_OK : wrong_address(address);
}

/* ---- opening ------------------------------------------------------------------------------------
 */

static gb_status full_name(const gb_mqtt_end *e, const char *topic, char **out)
{
    char *name =
        gb_arena_format(e->map->arena, "%s%s%s", e->prefix, e->prefix[0] ? "/" : "", topic);
    if (!name)
        return GB_ERR_MEMORY;
    if (mosquitto_pub_topic_check(name) != MOSQ_ERR_SUCCESS)
        return gb_fail(GB_ERR_SCHEMA, "%s: \"%s\" is no MQTT topic: + and # stand for others",
                       e->map->path, name);
    *out = name;
    return GB_OK;
}

static gb_status prepare(gb_mqtt_end *e, gb_link_map *map, bool machine)
{
    const gb_plant_info *info = &map->info;
    e->map = map;
    GB_TRY(gb_link_map_without_key(map, "mqtt"));
    GB_TRY(gb_link_text_create(map, machine, false, &e->in));
    GB_TRY(gb_link_text_create(map, !machine, true, &e->out));
    e->in_streams = machine ? info->action_streams : info->observation_streams;
    e->in_stream_count = machine ? info->action_stream_count : info->observation_stream_count;
    e->in_size = machine ? info->action_size : info->observation_size;
    int ins = gb_link_text_topics(e->in), outs = gb_link_text_topics(e->out);
    e->in_topics = gb_arena_alloc(map->arena, (size_t)ins * sizeof *e->in_topics);
    e->out_topics = gb_arena_alloc(map->arena, (size_t)outs * sizeof *e->out_topics);
    e->time_ns = gb_arena_alloc(map->arena, (size_t)e->in_stream_count * sizeof(int64_t));
    e->values = gb_arena_alloc(map->arena, 2 * (size_t)e->in_size * sizeof(double));
    if (!e->in_topics || !e->out_topics || !e->time_ns || !e->values)
        return GB_ERR_MEMORY;
    for (int i = 0; i < e->in_stream_count; i++)
        e->time_ns[i] = INT64_MIN;
    for (int i = 0; i < e->in_size; i++)
        e->values[i] = NAN; /* never heard */
    for (int i = 0; i < ins; i++) {
        e->in_topics[i].session = 1;
        GB_TRY(full_name(e, gb_link_text_topic(e->in, i), &e->in_topics[i].name));
    }
    for (int i = 0; i < outs; i++)
        GB_TRY(full_name(e, gb_link_text_topic(e->out, i), &e->out_topics[i]));
    return gb_latest_create(news_bytes(e), &e->news);
}

static gb_status set_credentials(gb_mqtt_end *e)
{
    gb_arena *arena = NULL;
    char *password = NULL;
    gb_status status = GB_OK;
    GB_TRY(gb_arena_create(0, &arena));
    if (e->password_path[0])
        status = gb_file_read(e->password_path, PASSWORD_MOST, arena, &password, NULL);
    if (password)
        password[strcspn(password, "\r\n")] = 0;
    if (status == GB_OK && e->user[0] &&
        mosquitto_username_pw_set(e->client, e->user, password) != MOSQ_ERR_SUCCESS)
        status = gb_fail(GB_ERR_MEMORY, "no memory for the user name");
    gb_arena_destroy(arena);
    if (status == GB_OK && e->ca_path[0] &&
        mosquitto_tls_set(e->client, e->ca_path, NULL, NULL, NULL, NULL) != MOSQ_ERR_SUCCESS)
        status = gb_fail(GB_ERR_IO, "cannot read the certificates to trust in %s", e->ca_path);
    return status;
}

static gb_status connect_first(gb_mqtt_end *e)
{
    e->client = mosquitto_new(NULL, true, e);
    if (!e->client)
        return gb_fail(GB_ERR_MEMORY, "no memory for an MQTT client");
    mosquitto_connect_callback_set(e->client, on_connect);
    mosquitto_message_callback_set(e->client, on_message);
    mosquitto_reconnect_delay_set(e->client, RECONNECT_LEAST_S, RECONNECT_MOST_S, true);
    GB_TRY(set_credentials(e));
    int code = mosquitto_connect(e->client, e->host, e->port, KEEPALIVE_S);
    if (code != MOSQ_ERR_SUCCESS)
        return gb_fail(GB_ERR_IO, "link: no MQTT broker answers at %s, port %d: %s", e->host,
                       e->port, mosquitto_strerror(code));
    code = mosquitto_loop_start(e->client);
    if (code != MOSQ_ERR_SUCCESS)
        return gb_fail(GB_ERR_MEMORY, "no thread for MQTT: %s", mosquitto_strerror(code));
    e->is_looping = true;
    return GB_OK;
}

void gb_mqtt_end_close(gb_mqtt_end *e)
{
    if (e->client) {
        mosquitto_disconnect(e->client);
        if (e->is_looping)
            mosquitto_loop_stop(e->client, false);
        mosquitto_destroy(e->client);
    }
    gb_latest_destroy(e->news);
    mosquitto_lib_cleanup();
}

/* On failure all but the map is given back. */
gb_status gb_mqtt_end_open(gb_mqtt_end *e, const char *address, gb_link_map *map, bool machine)
{
    mosquitto_lib_init();
    gb_status status = parse(address, e);
    if (status == GB_OK)
        status = prepare(e, map, machine);
    if (status == GB_OK)
        status = connect_first(e);
    if (status != GB_OK)
        gb_mqtt_end_close(e);
    return status;
}

void gb_mqtt_end_counts(const gb_mqtt_end *e, gb_link_counts *out)
{
    *out = (gb_link_counts){.received = GET(e->received),
                            .sent = GET(e->sent),
                            .lost = GET(e->lost),
                            .repeated = GET(e->repeated),
                            .disordered = GET(e->disordered),
                            .corrupt = GET(e->corrupt),
                            .misshapen = GET(e->misshapen),
                            .unsent = GET(e->unsent)};
}

/* Quality 0: what cannot go now must not come later, when it is old. */
void gb_mqtt_end_publish(gb_mqtt_end *e, int topic, const void *bytes, size_t size)
{
    int code = mosquitto_publish(e->client, NULL, e->out_topics[topic], (int)size, bytes, 0, false);
    if (code == MOSQ_ERR_SUCCESS)
        ADD(e->sent, 1);
    else
        ADD(e->unsent, 1);
}

#else

typedef int gb_mqtt_is_off; /* a file must not be empty */

#endif
