/* What the tests of links share: maps in files, free ports, observations to receive into, and a
 * machine in a thread. */
#ifndef GENBA_TEST_LINK_FIXTURE_H
#define GENBA_TEST_LINK_FIXTURE_H

#include "control/link_peer.h"
#include "control/link_wire.h"

#include <arpa/inet.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define OK(call)                                                                                   \
    do {                                                                                           \
        if ((call) != GB_OK)                                                                       \
            fail_msg("%s: %s", #call, gb_error_message());                                         \
    } while (0)

static inline void wait_ms(int ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    nanosleep(&pause, NULL);
}

/* A port that was free a moment ago. */
static inline int free_port(int type)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int s = socket(AF_INET, type, 0);
    assert_true(s >= 0);
    assert_int_equal(bind(s, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(s, (struct sockaddr *)&address, &size), 0);
    close(s);
    return ntohs(address.sin_port);
}

static const char small_map[] = "name: small\nrate_hz: 100\nsimulated: true\n"
                                "observations:\n"
                                "  - name: position\n    unit: m\n    shape: [3]\n"
                                "  - name: force\n    unit: N\n    shape: [2]\n"
                                "actions:\n"
                                "  - name: target\n    unit: m\n    shape: [3]\n";
enum {
    SMALL_SEEN = 5,
    SMALL_DONE = 3
};

/* A folder of its own with a map in it. */
typedef struct map_file {
    char folder[64], path[128];
} map_file;

static inline map_file write_map(const char *text)
{
    map_file m;
    snprintf(m.folder, sizeof m.folder, "/tmp/genba-link-XXXXXX");
    assert_non_null(mkdtemp(m.folder));
    snprintf(m.path, sizeof m.path, "%s/map.yaml", m.folder);
    OK(gb_file_replace(m.path, text, strlen(text)));
    return m;
}

static inline void remove_map(const map_file *m)
{
    unlink(m->path);
    rmdir(m->folder);
}

/* An observation with room. */
typedef struct seen {
    gb_observation observation;
    int64_t time_ns[16];
    double values[64];
} seen;

static inline void seen_init(seen *s)
{
    memset(s, 0, sizeof *s);
    s->observation.time_ns = s->time_ns;
    s->observation.values = s->values;
    for (int i = 0; i < 16; i++)
        s->time_ns[i] = INT64_MIN;
}

/* Receives until an observation comes, at most 2 s; *faults gathers what was flagged meanwhile. */
static inline bool receive_within(gb_link *link, seen *s, int ms, uint32_t *faults)
{
    uint64_t before = s->observation.sequence;
    for (int i = 0; i <= ms; i++) {
        link->ops->receive(link, &s->observation);
        if (faults)
            *faults |= s->observation.faults;
        if (s->observation.sequence != before)
            return true;
        wait_ms(1);
    }
    return false;
}

/* The machine's end of a wire, driven by the test. */
typedef struct machine_end {
    gb_link_map *map;
    gb_wire_end end;
} machine_end;

static inline machine_end *
machine_open(gb_wire_open_fn open, const char *address, const char *map_path)
{
    machine_end *m = calloc(1, sizeof *m);
    assert_non_null(m);
    OK(gb_link_map_load(map_path, &m->map));
    OK(gb_wire_end_open(open, address, m->map, GB_WIRE_MACHINE, &m->end));
    return m;
}

static inline void machine_close(machine_end *m)
{
    gb_wire_end_close(&m->end);
    gb_link_map_destroy(m->map);
    free(m);
}

static inline void machine_send(machine_end *m, const double *values, int64_t time_ns)
{
    size_t size = gb_wire_end_pack(&m->end, values, 0, time_ns, 0);
    gb_wire_end_send(&m->end, m->end.out_bytes, size);
}

static inline void machine_transmit(void *context, int channel, const void *bytes, size_t size)
{
    (void)channel;
    gb_wire_end_send(&((machine_end *)context)->end, bytes, size);
}

/* `genba machine` in a thread. */
typedef struct served {
    gb_link_serve_options options;
    gb_link_serve_counts counts;
    _Atomic bool is_ready;
    gb_status status;
    char message[512];
    pthread_t thread;
} served;

static inline void served_ready(void *context)
{
    ((served *)context)->is_ready = true;
}

static inline void *served_run(void *context)
{
    served *s = context;
    s->status = gb_link_serve(&s->options, &s->counts);
    snprintf(s->message, sizeof s->message, "%s", gb_error_message());
    s->is_ready = true;
    return NULL;
}

static inline void serve_start(served *s)
{
    s->options.ready = served_ready;
    s->options.context = s;
    s->is_ready = false;
    assert_int_equal(pthread_create(&s->thread, NULL, served_run, s), 0);
    for (int i = 0; i < 5000 && !s->is_ready; i++)
        wait_ms(1);
    assert_true(s->is_ready);
}

static inline void serve_join(served *s)
{
    pthread_join(s->thread, NULL);
    if (s->status != GB_OK)
        fail_msg("%s", s->message);
}

#endif
