/* MQTT against a real broker (mosquitto on a port of its own): what is published arrives, faults
 * are counted, and nobody waits when the broker is gone. Skipped where there is no mosquitto. */
#include "link_fixture.h"
#include "no_malloc.h"

#include <netinet/tcp.h>
#include <signal.h>
#include <sys/wait.h>

#ifdef GENBA_WITH_MOSQUITTO
#include <mosquitto.h>

static const char broker[] = "/usr/sbin/mosquitto";

static const char line_map[] = "name: line\nrate_hz: 10\nsimulated: true\n"
                               "observations:\n"
                               "  - name: temperature\n    unit: Cel\n    source_unit: K\n"
                               "    topic: oven\n    columns: [a, b]\n    sequence: n\n"
                               "  - name: flow\n    unit: m3/h\n    topic: gas\n"
                               "actions:\n"
                               "  - name: setpoint\n    unit: Cel\n    columns: [a, b]\n";

static bool answers(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int s = socket(AF_INET, SOCK_STREAM, 0);
    bool there = connect(s, (struct sockaddr *)&address, sizeof address) == 0;
    close(s);
    return there;
}

static pid_t start_broker(int port)
{
    char text[16];
    snprintf(text, sizeof text, "%d", port);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
            _exit(1);
        execl(broker, broker, "-p", text, (char *)NULL);
        _exit(1);
    }
    for (int i = 0; i < 400 && !answers(port); i++)
        wait_ms(25);
    assert_true(answers(port));
    return child;
}

static void stop_broker(pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* A client that publishes, and keeps the last message it hears. */
typedef struct client {
    struct mosquitto *mosquitto;
    _Atomic int heard, ready;
    char last[256];
    pthread_mutex_t lock;
} client;

static void on_message(struct mosquitto *m, void *context, const struct mosquitto_message *message)
{
    client *c = context;
    (void)m;
    pthread_mutex_lock(&c->lock);
    snprintf(c->last, sizeof c->last, "%.*s", message->payloadlen, (char *)message->payload);
    pthread_mutex_unlock(&c->lock);
    c->heard++;
}

static void on_subscribe(struct mosquitto *m, void *context, int mid, int count, const int *granted)
{
    (void)m;
    (void)mid;
    (void)count;
    (void)granted;
    ((client *)context)->ready = 1;
}

static void client_open(client *c, int port, const char *listen)
{
    memset(c, 0, sizeof *c);
    pthread_mutex_init(&c->lock, NULL);
    c->mosquitto = mosquitto_new(NULL, true, c);
    assert_non_null(c->mosquitto);
    mosquitto_message_callback_set(c->mosquitto, on_message);
    mosquitto_subscribe_callback_set(c->mosquitto, on_subscribe);
    assert_int_equal(mosquitto_connect(c->mosquitto, "127.0.0.1", port, 10), MOSQ_ERR_SUCCESS);
    assert_int_equal(mosquitto_loop_start(c->mosquitto), MOSQ_ERR_SUCCESS);
    assert_int_equal(mosquitto_subscribe(c->mosquitto, NULL, listen, 0), MOSQ_ERR_SUCCESS);
    for (int i = 0; i < 2000 && !c->ready; i++)
        wait_ms(1);
    assert_true(c->ready);
}

static void client_close(client *c)
{
    mosquitto_disconnect(c->mosquitto);
    mosquitto_loop_stop(c->mosquitto, false);
    mosquitto_destroy(c->mosquitto);
    pthread_mutex_destroy(&c->lock);
}

static void publish(client *c, const char *topic, const char *payload, bool retain)
{
    assert_int_equal(
        mosquitto_publish(c->mosquitto, NULL, topic, (int)strlen(payload), payload, 0, retain),
        MOSQ_ERR_SUCCESS);
}

/* Publishes until the link hears it: its subscription may be on the way. */
static void publish_until_heard(client *c, gb_link *link, seen *s, const char *payload)
{
    for (int i = 0; i < 100; i++) {
        publish(c, "plant/gas", payload, false);
        if (receive_within(link, s, 50, NULL))
            return;
    }
    fail_msg("nothing was heard");
}

static bool skip_without_broker(void)
{
    if (access(broker, X_OK) == 0)
        return false;
    print_message("no %s here: install the package mosquitto\n", broker);
    return true;
}

static void messages_pass_both_ways(void **state)
{
    (void)state;
    if (skip_without_broker())
        skip();
    map_file map = write_map(line_map);
    int port = free_port(SOCK_STREAM);
    pid_t child = start_broker(port);
    char url[96];
    client c;
    gb_link *link = NULL;
    seen s;
    seen_init(&s);
    client_open(&c, port, "plant/setpoint");
    publish(&c, "plant/gas", "99", true); /* kept from before */
    snprintf(url, sizeof url, "mqtt://127.0.0.1:%d/plant", port);
    OK(gb_link_open(url, map.path, &link));
    publish_until_heard(&c, link, &s, "12.5");
    assert_true(s.values[2] == 12.5);
    assert_true(isnan(s.values[0]) && s.time_ns[0] == INT64_MIN); /* never heard */
    assert_true(s.time_ns[1] <= gb_clock_monotonic_ns());

    uint32_t faults = 0;
    publish(&c, "plant/oven", "{\"a\":273.15,\"b\":300,\"n\":1}", false);
    assert_true(receive_within(link, &s, 5000, &faults));
    assert_true(s.values[0] == 0 && fabs(s.values[1] - 26.85) < 1e-9 && s.values[2] == 12.5);
    assert_int_equal(faults, 0);

    static const struct {
        const char *payload;
        uint32_t faults;
    } bad[] = {
        {"{\"a\":273.15,\"b\":300,\"n\":1}", GB_FAULT_ORDER},
        {"{\"a\":1,", GB_FAULT_CORRUPT},
        {"{\"a\":1,\"n\":2}", GB_FAULT_SHAPE},
    };
    for (size_t i = 0; i < 3; i++) {
        publish(&c, "plant/oven", bad[i].payload, false);
        for (int k = 0; k < 5000 && !s.observation.faults; k++) {
            wait_ms(1);
            link->ops->receive(link, &s.observation);
        }
        assert_int_equal(s.observation.faults, bad[i].faults);
        assert_int_equal(s.observation.faults, bad[i].faults);
        s.observation.faults = 0;
    }
    faults = 0;
    publish(&c, "plant/oven", "{\"a\":274.15,\"b\":300,\"n\":5}", false);
    assert_true(receive_within(link, &s, 5000, &faults));
    assert_int_equal(faults, GB_FAULT_LOST);
    gb_link_counts counts;
    link->ops->counts(link, &counts);
    assert_int_equal(counts.lost, 3);
    assert_int_equal(counts.corrupt, 1);
    assert_int_equal(counts.misshapen, 1);
    assert_true(counts.repeated >= 2); /* one copy, one retained */

    uint64_t before = s.observation.sequence;
    for (int n = 1; n <= 40; n++) { /* it starts anew and counts from 1: heard before 40 */
        char payload[64];
        snprintf(payload, sizeof payload, "{\"a\":1,\"b\":%d,\"n\":%d}", n, n % 5 + 1);
        publish(&c, "plant/oven", payload, false);
        wait_ms(5);
    }
    assert_true(receive_within(link, &s, 5000, NULL) && s.observation.sequence > before);
    double command[2] = {1.0 / 3, -0.0};
    link->ops->send(link, command, 7, 0);
    for (int i = 0; i < 5000 && !c.heard; i++)
        wait_ms(1);
    pthread_mutex_lock(&c.lock);
    assert_string_equal(c.last, "{\"a\":0.33333333333333331,\"b\":-0}");
    pthread_mutex_unlock(&c.lock);
    gb_link_close(link);
    client_close(&c);
    stop_broker(child);
    remove_map(&map);
}

/* Of this process's connections to the broker: how many give up what nobody acknowledges for a
 * second. Else commands of up to ten seconds would wait in the kernel for the network to return. */
static int impatient_connections(int port)
{
    int found = 0;
    for (int fd = 3; fd < 1024; fd++) {
        struct sockaddr_in peer;
        socklen_t size = sizeof peer, bytes = sizeof(unsigned);
        unsigned ms = 0;
        if (getpeername(fd, (struct sockaddr *)&peer, &size) == 0 && peer.sin_family == AF_INET &&
            ntohs(peer.sin_port) == port &&
            getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, &bytes) == 0)
            found += ms > 0 && ms <= 1000;
    }
    return found;
}

static void a_lost_broker_is_found_again(void **state)
{
    (void)state;
    if (skip_without_broker())
        skip();
    map_file map = write_map(line_map);
    int port = free_port(SOCK_STREAM);
    pid_t child = start_broker(port);
    char url[96];
    client c;
    gb_link *link = NULL;
    seen s;
    double command[2] = {1, 2};
    gb_link_counts counts;
    seen_init(&s);
    snprintf(url, sizeof url, "mqtt://127.0.0.1:%d/plant", port);
    OK(gb_link_open(url, map.path, &link));
    client_open(&c, port, "plant/setpoint");
    publish_until_heard(&c, link, &s, "1");
    assert_int_equal(impatient_connections(port), 1);
    client_close(&c);
    stop_broker(child);
    long before = allocations;
    for (int i = 0; i < 300; i++) { /* the servo goes on, and nothing waits for the network */
        link->ops->receive(link, &s.observation);
        link->ops->send(link, command, (uint64_t)i, 0);
        wait_ms(1);
    }
    assert_int_equal(allocations, before);
    link->ops->counts(link, &counts);
    assert_true(counts.unsent > 0);
    child = start_broker(port);
    client_open(&c, port, "plant/setpoint");
    wait_ms(50);
    assert_int_equal(c.heard, 0); /* no command of before comes now */
    publish_until_heard(&c, link, &s, "2");
    assert_int_equal(impatient_connections(port), 1);
    link->ops->send(link, command, 1000, 0);
    for (int i = 0; i < 5000 && !c.heard; i++)
        wait_ms(1);
    assert_true(c.heard > 0);
    client_close(&c);
    gb_link_close(link);
    stop_broker(child);
    remove_map(&map);
}

static void a_plant_is_served_with_faults(void **state)
{
    (void)state;
    if (skip_without_broker())
        skip();
    map_file map = write_map("plant: pusht\nsimulated: true\nobservations:\n"
                             "  - name: agent.position\n    topic: state\n    field: agent\n"
                             "    sequence: n\n"
                             "  - name: block.position\n    topic: state\n    field: block\n"
                             "  - name: block.angle\n    topic: state\n    field: angle\n"
                             "actions:\n  - name: agent.target\n    field: to\n    sequence: n\n");
    int port = free_port(SOCK_STREAM);
    pid_t child = start_broker(port);
    char url[96];
    gb_link *link = NULL;
    seen s;
    seen_init(&s);
    snprintf(url, sizeof url, "mqtt://127.0.0.1:%d/cell/7", port);
    OK(gb_link_open(url, map.path, &link));
    client c;
    client_open(&c, port, "nothing");
    gb_link_counts before = {0}, now;
    for (int i = 0; i < 400 && before.corrupt == 0; i++) { /* until its subscription is there */
        publish(&c, "cell/7/state", "?", false);
        wait_ms(25);
        link->ops->counts(link, &before);
    }
    assert_true(before.corrupt > 0);
    client_close(&c);
    wait_ms(100);
    link->ops->counts(link, &before);
    served machine = {
        .options = {.plant = "pusht",
                    .url = url,
                    .map_path = map.path,
                    .duration_ns = 2000000000,
                    .faults = {.drop = 0.1, .duplicate = 0.1, .corrupt = 0.1, .seed = 2}}};
    serve_start(&machine);
    double target[2] = {200, 300};
    for (int i = 0; i < 300; i++) {
        receive_within(link, &s, 10, NULL);
        link->ops->send(link, target, (uint64_t)i, 0);
    }
    serve_join(&machine);
    const gb_link_fault_counts *f = &machine.counts.faults;
    for (int i = 0; i < 400; i++) { /* the last ones are on the way */
        link->ops->counts(link, &now);
        now.corrupt -= before.corrupt;
        if (now.received + now.repeated + now.corrupt == f->passed)
            break;
        wait_ms(25);
    }
    assert_int_equal(machine.counts.link.unsent, 0);
    assert_int_equal(now.corrupt, f->corrupted);
    assert_int_equal(now.received + now.repeated + now.corrupt, f->passed);
    assert_true(now.lost > 0 && now.repeated > 0);
    assert_int_equal(now.misshapen + now.disordered, 0);
    assert_true(machine.counts.ticks > 50);
    gb_link_close(link);
    stop_broker(child);
    remove_map(&map);
}

static void wrong_addresses_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "mqtt://",      "mqtt://:1",      "mqtt://h:99999",     "mqtt://h:/t",
        "mqtt://h/a/#", "mqtt://h/t?x=1", "mqtt://h?password=", "mqtt://h:-1",
    };
    map_file map = write_map(line_map);
    gb_link *link = NULL;
    char url[64];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (gb_link_open(wrong[i], map.path, &link) != GB_ERR_ARGUMENT)
            fail_msg("%s: %s", wrong[i], gb_error_message());
    snprintf(url, sizeof url, "mqtt://127.0.0.1:%d", free_port(SOCK_STREAM)); /* nobody there */
    assert_int_equal(gb_link_open(url, map.path, &link), GB_ERR_IO);
    remove_map(&map);
    map = write_map("name: m\nrate_hz: 10\nobservations:\n  - name: x\n    unit: N\n"
                    "    topic: a/+/b\nactions:\n  - name: u\n    unit: N\n");
    assert_int_equal(gb_link_open(url, map.path, &link), GB_ERR_SCHEMA);
    remove_map(&map);
    map = write_map("key: line.key\nname: m\nrate_hz: 10\nobservations:\n  - name: x\n    unit: N\n"
                    "actions:\n  - name: u\n    unit: N\n"); /* it would sign nothing */
    assert_int_equal(gb_link_open(url, map.path, &link), GB_ERR_SCHEMA);
    assert_non_null(strstr(gb_error_message(), "signs nothing"));
    remove_map(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_pass_both_ways),
        cmocka_unit_test(a_lost_broker_is_found_again),
        cmocka_unit_test(a_plant_is_served_with_faults),
        cmocka_unit_test(wrong_addresses_are_refused),
    };
    mosquitto_lib_init();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    mosquitto_lib_cleanup();
    return failed;
}

#else

int main(void)
{
    printf("built without MQTT: nothing to test\n");
    return 0;
}

#endif
