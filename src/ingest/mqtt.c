/* The MQTT recorder: a connection that is made again when it is lost, and recordings that end every
 * segment so that little is lost with the power. What messages mean is live.c. */
#include "ingest/clean.h"
#include "ingest/live.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef GENBA_WITH_MOSQUITTO
#include <mosquitto.h>
#endif

/* Maps of live recordings say `reader: mqtt`; there is no file to read by them. */
static gb_status read_file(const gb_source *source)
{
    return gb_fail(
        GB_ERR_SCHEMA,
        "%s is a map for what a broker publishes: genba record mqtt://HOST --map it --to "
        "STORE",
        source->map->origin);
}

extern const gb_reader gb_reader_mqtt;
const gb_reader gb_reader_mqtt = {.name = "mqtt", .read = read_file};

gb_record_options gb_record_options_defaults(void)
{
    return (gb_record_options){.segment_s = 60, .hold_s = 2};
}

#ifndef GENBA_WITH_MOSQUITTO

gb_status gb_record_mqtt(const gb_record_options *options,
                         const gb_stream_map *map,
                         const gb_record_listener *listener,
                         gb_store *store,
                         gb_record_counts *counts)
{
    (void)options;
    (void)map;
    (void)listener;
    (void)store;
    (void)counts;
    return gb_fail(GB_ERR_UNSUPPORTED,
                   "genba was built without MQTT: install libmosquitto-dev and build again");
}

#else

#define KEEPALIVE_S 20
#define LOOP_MS 50
#define BACKOFF_LEAST_NS 100000000LL
#define BACKOFF_MOST_NS 5000000000LL
#define SECOND_NS 1000000000LL
enum {
    SEEN = 256
};

typedef struct address {
    char host[256], user[128], filter[1024];
    int port;
    bool tls;
} address;

typedef struct recorder {
    const gb_record_options *options;
    const gb_stream_map *map;
    const gb_record_listener *listener;
    gb_store *store;
    gb_record_counts counts;
    address to;
    struct mosquitto *client;
    gb_live *live;
    gb_store_ingest *ingest;
    gb_sink *clean; /* between live and the ingest; NULL without a map */
    gb_ingest_report report;
    gb_ingest_watch watch;
    gb_status status; /* of what failed inside a callback */
    bool connected, refused;
    int64_t messages_before, rejected_before; /* at the last commit */
    int64_t segment_ns, started_ns;           /* monotonic */
    int64_t backoff_ns;
    uint64_t seen[SEEN]; /* the last packets: payload and identifier */
    unsigned seen_next;
} recorder;

static void note(const recorder *r, const char *message)
{
    if (r->listener->note)
        r->listener->note(r->listener->context, message);
}

/* ---- the address --------------------------------------------------------------------------------
 */

static gb_status wrong_url(const char *url)
{
    return gb_fail(GB_ERR_ARGUMENT,
                   "\"%.200s\" is no address to record from: use mqtt://[USER@]HOST[:PORT][/TOPIC "
                   "FILTER], such as mqtt://localhost/plant/#",
                   url);
}

static bool copy_part(const char *from, size_t size, char *to, size_t room)
{
    if (size >= room)
        return false;
    memcpy(to, from, size);
    to[size] = 0;
    return true;
}

static gb_status parse_url(const char *url, address *out)
{
    address to = {.port = 1883};
    const char *at = url;
    if (strncmp(at, "mqtts://", 8) == 0) {
        to.tls = true;
        to.port = 8883;
        at += 8;
    } else if (strncmp(at, "mqtt://", 7) == 0) {
        at += 7;
    } else {
        return wrong_url(url);
    }
    size_t size = strcspn(at, "/");
    const char *user = memchr(at, '@', size);
    if (user && !copy_part(at, (size_t)(user - at), to.user, sizeof to.user))
        return wrong_url(url);
    const char *host = user ? user + 1 : at, *end = at + size;
    const char *colon = memchr(host, ':', (size_t)(end - host));
    if (!copy_part(host, (size_t)((colon ? colon : end) - host), to.host, sizeof to.host) ||
        !to.host[0])
        return wrong_url(url);
    if (colon) {
        char *after = NULL;
        long port = strtol(colon + 1, &after, 10);
        if (after != end || port < 1 || port > 65535)
            return wrong_url(url);
        to.port = (int)port;
    }
    const char *filter = *end ? end + 1 : "";
    if (!copy_part(*filter ? filter : "#", strlen(*filter ? filter : "#"), to.filter,
                   sizeof to.filter))
        return wrong_url(url);
    if (mosquitto_sub_topic_check(to.filter) != MOSQ_ERR_SUCCESS)
        return gb_fail(GB_ERR_ARGUMENT,
                       "\"%s\" is no MQTT topic filter: # stands for all levels, + for one",
                       to.filter);
    *out = to;
    return GB_OK;
}

/* ---- segments: a recording at a time
 * ------------------------------------------------------------- */

static void wall_name(char *out, size_t room)
{
    int64_t now_ns = gb_clock_wall_ns();
    time_t seconds = (time_t)(now_ns / SECOND_NS);
    struct tm t;
    gmtime_r(&seconds, &t);
    snprintf(out, room, "%04d-%02d-%02dT%02d-%02d-%02d.%03dZ", t.tm_year + 1900, t.tm_mon + 1,
             t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, (int)(now_ns / 1000000 % 1000));
}

static gb_status begin_segment(recorder *r)
{
    char stamp[64], name[512];
    const char *beginning = r->options->name ? r->options->name : r->to.host;
    wall_name(stamp, sizeof stamp);
    snprintf(name, sizeof name, "%s/%s", beginning, stamp);
    gb_recording_info info = {.name = name};
    if (r->map)
        info = gb_map_info(r->map, name, r->options->url);
    info.source = r->options->url;
    r->segment_ns = gb_clock_monotonic_ns();
    return gb_live_begin(r->live, r->clean ? r->clean : gb_store_ingest_sink(r->ingest), &info);
}

static gb_status end_segment(recorder *r, bool all)
{
    int64_t samples = 0;
    GB_TRY(gb_live_end(r->live, all, &samples));
    const gb_record_counts *now = gb_live_get_counts(r->live);
    int64_t read = now->messages - r->messages_before,
            rejected = now->rejected - r->rejected_before;
    gb_store_counts counts = {
        .rows_read = read, .rows_stored = read - rejected, .rows_rejected = rejected};
    GB_TRY(gb_store_ingest_commit(r->ingest, &counts, NULL, 0));
    r->messages_before = now->messages;
    r->rejected_before = now->rejected;
    r->counts.recordings += samples > 0;
    return GB_OK;
}

/* ---- the connection
 * ------------------------------------------------------------------------------ */

static void on_connect(struct mosquitto *client, void *context, int code)
{
    recorder *r = context;
    if (code != 0) {
        r->refused = true;
        r->status = gb_fail(GB_ERR_IO, "%s refuses the connection: %s", r->to.host,
                            mosquitto_connack_string(code));
        return;
    }
    r->connected = true;
    r->backoff_ns = BACKOFF_LEAST_NS;
    if (r->counts.connections++ > 0)
        note(r, "the broker is back");
    if (mosquitto_subscribe(client, NULL, r->to.filter, 1) != MOSQ_ERR_SUCCESS)
        r->status = gb_fail(GB_ERR_IO, "%s: cannot subscribe to %s", r->to.host, r->to.filter);
}

static void on_disconnect(struct mosquitto *client, void *context, int code)
{
    recorder *r = context;
    (void)client;
    if (code != 0 && r->connected)
        note(r, "the broker is gone; looking for it again");
    r->connected = false;
}

/* A packet that is delivered again, after a connection was lost, has its identifier and payload
 * still; a retained message is sent anew with each subscription. */
static bool was_seen(recorder *r, const struct mosquitto_message *m)
{
    unsigned char hash[GB_HASH_BYTES];
    uint64_t mark;
    if (m->retain)
        return true;
    if (m->qos == 0)
        return false;
    gb_hash(m->payload, (size_t)m->payloadlen, hash);
    memcpy(&mark, hash, sizeof mark);
    mark = (mark & ~(uint64_t)0xffff) | (uint64_t)(m->mid & 0xffff);
    for (int i = 0; i < SEEN; i++)
        if (r->seen[i] == mark)
            return true;
    r->seen[r->seen_next++ % SEEN] = mark;
    return false;
}

static void on_message(struct mosquitto *client, void *context, const struct mosquitto_message *m)
{
    recorder *r = context;
    (void)client;
    if (r->status != GB_OK)
        return;
    gb_status status = gb_live_take(r->live, m->topic, m->payload, (size_t)m->payloadlen,
                                    gb_clock_wall_ns(), was_seen(r, m));
    if (status == GB_ERR_PARSE || status == GB_ERR_SHAPE) {
        char reason[512];
        snprintf(reason, sizeof reason, "%s", gb_error_message());
        status = gb_store_ingest_reject(r->ingest, m->topic, gb_live_get_counts(r->live)->messages,
                                        "", reason, m->payload, (size_t)m->payloadlen);
    }
    r->status = status;
}

static gb_status set_credentials(recorder *r)
{
    gb_arena *arena = NULL;
    char *password = NULL;
    gb_status status = GB_OK;
    if (r->options->password_file) {
        GB_TRY(gb_arena_create(0, &arena));
        status = gb_file_read(r->options->password_file, 4096, arena, &password, NULL);
        if (status == GB_OK)
            password[strcspn(password, "\r\n")] = 0;
    }
    if (status == GB_OK && r->to.user[0] &&
        mosquitto_username_pw_set(r->client, r->to.user, password) != MOSQ_ERR_SUCCESS)
        status = gb_fail(GB_ERR_MEMORY, "no memory for the user name");
    gb_arena_destroy(arena);
    if (status == GB_OK && r->to.tls &&
        mosquitto_tls_set(r->client, r->options->ca_file,
                          r->options->ca_file ? NULL : "/etc/ssl/certs", NULL, NULL,
                          NULL) != MOSQ_ERR_SUCCESS)
        status = gb_fail(GB_ERR_IO, "cannot read the certificates to trust in %s",
                         r->options->ca_file ? r->options->ca_file : "/etc/ssl/certs");
    return status;
}

/* The same recorder has the same identity after a restart, so that the broker keeps what it missed.
 */
static void client_id(const recorder *r, char *out, size_t room)
{
    unsigned char hash[GB_HASH_BYTES];
    char text[8192], host[256] = "", hex[2 * GB_HASH_BYTES + 1];
    gethostname(host, sizeof host - 1);
    snprintf(text, sizeof text, "%s %s %s", host, gb_store_path(r->store), r->options->url);
    gb_hash(text, strlen(text), hash);
    gb_hash_hex(hash, hex);
    snprintf(out, room, "genba-%.16s", hex);
}

static gb_status connect_first(recorder *r)
{
    char id[64];
    client_id(r, id, sizeof id);
    r->client = mosquitto_new(id, false, r);
    if (!r->client)
        return gb_fail(GB_ERR_MEMORY, "no memory for an MQTT client");
    mosquitto_connect_callback_set(r->client, on_connect);
    mosquitto_disconnect_callback_set(r->client, on_disconnect);
    mosquitto_message_callback_set(r->client, on_message);
    GB_TRY(set_credentials(r));
    int code = mosquitto_connect(r->client, r->to.host, r->to.port, KEEPALIVE_S);
    if (code != MOSQ_ERR_SUCCESS)
        return gb_fail(GB_ERR_IO, "no MQTT broker answers at %s, port %d: %s", r->to.host,
                       r->to.port, mosquitto_strerror(code));
    return GB_OK;
}

/* Waits a little longer each time; never gives up. */
static void reconnect(recorder *r)
{
    struct timespec pause = {.tv_sec = r->backoff_ns / SECOND_NS,
                             .tv_nsec = r->backoff_ns % SECOND_NS};
    nanosleep(&pause, NULL);
    r->backoff_ns = r->backoff_ns * 2 < BACKOFF_MOST_NS ? r->backoff_ns * 2 : BACKOFF_MOST_NS;
    (void)mosquitto_reconnect(r->client);
}

/* ---- running
 * ------------------------------------------------------------------------------------- */

static bool is_over(const recorder *r, int64_t now_ns)
{
    return (r->listener->stop && *r->listener->stop) ||
           (r->options->seconds > 0 &&
            (double)(now_ns - r->started_ns) / 1e9 >= r->options->seconds);
}

static void tell(const recorder *r, int64_t now_ns)
{
    if (!r->listener->progress)
        return;
    gb_record_counts counts = *gb_live_get_counts(r->live);
    counts.connections = r->counts.connections;
    counts.recordings = r->counts.recordings;
    r->listener->progress(r->listener->context, &counts, (double)(now_ns - r->started_ns) / 1e9);
}

static gb_status run(recorder *r)
{
    r->started_ns = gb_clock_monotonic_ns();
    for (int64_t now_ns = r->started_ns; !is_over(r, now_ns); now_ns = gb_clock_monotonic_ns()) {
        int code = mosquitto_loop(r->client, LOOP_MS, 1);
        if (r->status != GB_OK)
            return r->status;
        if (code != MOSQ_ERR_SUCCESS)
            reconnect(r);
        GB_TRY(gb_live_tick(r->live, gb_clock_wall_ns()));
        if ((double)(now_ns - r->segment_ns) / 1e9 >= r->options->segment_s) {
            GB_TRY(end_segment(r, false));
            GB_TRY(begin_segment(r));
        }
        tell(r, now_ns);
    }
    return end_segment(r, true);
}

static gb_status on_reject(void *context,
                           const char *file,
                           int64_t row,
                           const char *column,
                           const char *reason,
                           const char *text,
                           size_t text_size)
{
    recorder *r = context;
    return gb_store_ingest_reject(r->ingest, file, row, column, reason, text, text_size);
}

static gb_status open_ingest(recorder *r)
{
    char stamp[64];
    int64_t done;
    wall_name(stamp, sizeof stamp);
    gb_store_source source = {.path = r->options->url,
                              .checksum = stamp, /* no two recordings of a broker are the same */
                              .map = r->map ? r->map->data->name : "",
                              .map_text = r->map ? r->map->text : "",
                              .policy = ""};
    GB_TRY(gb_store_ingest_begin(r->store, &source, &r->ingest, &done));
    if (!r->map)
        return GB_OK;
    r->watch = (gb_ingest_watch){.context = r, .reject = on_reject};
    return gb_clean_create(r->map, &r->watch, &r->report, r->options->url,
                           gb_store_ingest_sink(r->ingest), &r->clean);
}

static gb_status record(recorder *r)
{
    GB_TRY(parse_url(r->options->url, &r->to));
    GB_TRY(gb_live_create(r->map, (int64_t)(r->options->hold_s * 1e9), &r->live));
    GB_TRY(connect_first(r));
    GB_TRY(open_ingest(r));
    GB_TRY(begin_segment(r));
    return run(r);
}

gb_status gb_record_mqtt(const gb_record_options *options,
                         const gb_stream_map *map,
                         const gb_record_listener *listener,
                         gb_store *store,
                         gb_record_counts *counts)
{
    static const gb_record_listener nobody;
    recorder r = {.options = options,
                  .map = map,
                  .listener = listener ? listener : &nobody,
                  .store = store,
                  .backoff_ns = BACKOFF_LEAST_NS};
    if (!(options->segment_s > 0) || !(options->hold_s >= 0) || !(options->seconds >= 0))
        return gb_fail(GB_ERR_ARGUMENT,
                       "recording: segment_s %g, hold_s %g, seconds %g; expected a "
                       "segment above 0 and nothing below 0",
                       options->segment_s, options->hold_s, options->seconds);
    mosquitto_lib_init();
    gb_status status = record(&r);
    char message[2048];
    snprintf(message, sizeof message, "%s", gb_error_message());
    if (r.client) {
        mosquitto_disconnect(r.client);
        mosquitto_destroy(r.client);
    }
    mosquitto_lib_cleanup();
    if (r.live) {
        gb_record_counts live = *gb_live_get_counts(r.live);
        live.connections = r.counts.connections;
        live.recordings = r.counts.recordings;
        r.counts = live;
    }
    gb_live_destroy(r.live);
    gb_sink_destroy(r.clean);
    gb_status ended = r.ingest ? gb_store_ingest_end(r.ingest, status == GB_OK) : GB_OK;
    if (counts)
        *counts = r.counts;
    return status == GB_OK ? ended : gb_fail(status, "%s", message);
}

#endif
