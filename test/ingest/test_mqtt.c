/* The MQTT recorder against a real broker (mosquitto on a port of its own): what is published is in
 * the store, also when the broker goes away and comes back, and messages come twice or in the wrong
 * order. Skipped where there is no mosquitto. */
#include "genba/ingest.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#ifdef GENBA_WITH_MOSQUITTO
#include <mosquitto.h>

static const char broker[] = "/usr/sbin/mosquitto";

static void wait_ms(int ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    nanosleep(&pause, NULL);
}

static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int s = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(s >= 0);
    assert_int_equal(bind(s, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(s, (struct sockaddr *)&address, &size), 0);
    close(s);
    return ntohs(address.sin_port);
}

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
    for (int i = 0; i < 200 && !answers(port); i++)
        wait_ms(50);
    assert_true(answers(port));
    return child;
}

static void stop_broker(pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

static void publish(int port, const char *topic, const char *const *payloads, int count)
{
    struct mosquitto *client = mosquitto_new(NULL, true, NULL);
    assert_non_null(client);
    assert_int_equal(mosquitto_connect(client, "127.0.0.1", port, 10), MOSQ_ERR_SUCCESS);
    assert_int_equal(mosquitto_loop_start(client), MOSQ_ERR_SUCCESS);
    for (int i = 0; i < count; i++)
        assert_int_equal(
            mosquitto_publish(client, NULL, topic, (int)strlen(payloads[i]), payloads[i], 1, false),
            MOSQ_ERR_SUCCESS);
    wait_ms(400);
    mosquitto_disconnect(client);
    mosquitto_loop_stop(client, false);
    mosquitto_destroy(client);
}

typedef struct recorder {
    char url[64], store[128];
    volatile int stop; /* the recording thread sets it, when asked to */
    _Atomic bool asked_to_stop;
    _Atomic int64_t messages, connections;
    gb_record_counts counts;
    gb_status status;
    char message[256];
} recorder;

static void on_progress(void *context, const gb_record_counts *counts, double seconds)
{
    recorder *r = context;
    (void)seconds;
    r->messages = counts->messages;
    r->connections = counts->connections;
    r->stop = r->asked_to_stop;
}

static void *record(void *context)
{
    recorder *r = context;
    gb_store *store = NULL;
    gb_record_options options = gb_record_options_defaults();
    gb_record_listener listener = {.context = r, .progress = on_progress, .stop = &r->stop};
    options.url = r->url;
    options.name = "line";
    options.segment_s = 0.3;
    options.hold_s = 0.5;
    r->status = gb_store_open(r->store, NULL, &store);
    if (r->status == GB_OK)
        r->status = gb_record_mqtt(&options, NULL, &listener, store, &r->counts);
    snprintf(r->message, sizeof r->message, "%s", gb_error_message());
    gb_store_close(store);
    return NULL;
}

static void wait_for(_Atomic int64_t *count, int64_t least)
{
    for (int i = 0; i < 400 && *count < least; i++)
        wait_ms(25);
    assert_true(*count >= least);
}

static int64_t samples_of(const char *path, const char *stream, int64_t *out_sum)
{
    gb_store *store = NULL;
    gb_dataset *dataset = NULL;
    gb_store_report report;
    int64_t count = 0;
    assert_int_equal(gb_store_open(path, NULL, &store), GB_OK);
    if (gb_store_verify(store, NULL, NULL, &report) != GB_OK)
        fail_msg("%s", gb_error_message());
    assert_int_equal(gb_store_load(store, NULL, NULL, 0, GB_USE_INSPECT, NULL, &dataset), GB_OK);
    *out_sum = 0;
    for (int64_t r = 0; r < gb_dataset_count(dataset); r++) {
        const gb_recording *recording = gb_dataset_get(dataset, r);
        int number = gb_recording_find(recording, stream);
        if (number < 0)
            continue;
        const gb_stream_view *view = gb_recording_stream(recording, number);
        count += view->count;
        for (int64_t i = 0; i < view->count; i++) {
            *out_sum += (int64_t)view->values[i];
            assert_true(i == 0 || view->time_ns[i] > view->time_ns[i - 1]);
        }
    }
    gb_dataset_destroy(dataset);
    gb_store_close(store);
    return count;
}

static void survives_restarts_copies_and_disorder(void **state)
{
    (void)state;
    if (access(broker, X_OK) != 0) {
        print_message("no %s here: install the package mosquitto\n", broker);
        skip();
    }
    char folder[] = "/tmp/genba-mqtt-XXXXXX", command[64];
    assert_non_null(mkdtemp(folder));
    mosquitto_lib_init();
    recorder r = {.stop = 0};
    int port = free_port();
    snprintf(r.url, sizeof r.url, "mqtt://127.0.0.1:%d/plant/#", port);
    snprintf(r.store, sizeof r.store, "%s/store", folder);
    assert_int_equal(gb_store_init(r.store, false, NULL), GB_OK);
    pid_t child = start_broker(port);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, record, &r), 0);
    wait_for(&r.connections, 1);
    wait_ms(200); /* the subscription */

    static const char *const before[] = {
        "{\"ts\":1700000001,\"v\":1}", "{\"ts\":1700000003,\"v\":3}", "{\"ts\":1700000002,\"v\":2}",
        "{\"ts\":1700000003,\"v\":3}", "{\"ts\":17"};
    publish(port, "plant/press", before, 5);
    wait_for(&r.messages, 5);
    stop_broker(child);
    wait_ms(300);
    child = start_broker(port);
    wait_for(&r.connections, 2);
    wait_ms(200);
    static const char *const after[] = {"{\"ts\":1700000004,\"v\":4}",
                                        "{\"ts\":1700000005,\"v\":5}"};
    publish(port, "plant/press", after, 2);
    publish(port, "other/press", after, 2); /* nobody asked for it */
    wait_for(&r.messages, 7);
    r.asked_to_stop = true;
    pthread_join(thread, NULL);
    stop_broker(child);

    if (r.status != GB_OK)
        fail_msg("%s", r.message);
    assert_int_equal(r.counts.messages, 7);
    assert_int_equal(r.counts.samples, 5);
    assert_int_equal(r.counts.duplicates, 1);
    assert_int_equal(r.counts.rejected, 1);
    assert_true(r.counts.recordings >= 1);
    int64_t sum = 0;
    assert_int_equal(samples_of(r.store, "plant.press.v", &sum), 5);
    assert_int_equal(sum, 15);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    assert_int_equal(system(command), 0);
    mosquitto_lib_cleanup();
}

static void wrong_addresses_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"http://x", "mqtt://", "mqtt://h:99999", "mqtt://h/a/#/b"};
    char folder[] = "/tmp/genba-mqtt-XXXXXX", path[64], command[64], url[64];
    gb_store *store = NULL;
    gb_record_options options = gb_record_options_defaults();
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/store", folder);
    assert_int_equal(gb_store_init(path, false, NULL), GB_OK);
    assert_int_equal(gb_store_open(path, NULL, &store), GB_OK);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        options.url = wrong[i];
        assert_int_equal(gb_record_mqtt(&options, NULL, NULL, store, NULL), GB_ERR_ARGUMENT);
    }
    snprintf(url, sizeof url, "mqtt://127.0.0.1:%d", free_port()); /* nobody there */
    options.url = url;
    assert_int_equal(gb_record_mqtt(&options, NULL, NULL, store, NULL), GB_ERR_IO);
    gb_store_close(store);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(survives_restarts_copies_and_disorder),
        cmocka_unit_test(wrong_addresses_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
    printf("built without MQTT: nothing to test\n");
    return 0;
}

#endif
