/* UDP: what arrives is what was sent to the bit, every fault is counted, and nobody waits. */
#include "link_fixture.h"
#include "no_malloc.h"

#include <sys/syscall.h>

typedef struct pair {
    map_file map;
    char here[64], there[64]; /* URLs of the controller and the machine */
    gb_link *link;
    machine_end *machine;
    seen seen;
} pair;

static void choose_ports(pair *p)
{
    int a = free_port(SOCK_DGRAM), b = a;
    while (b == a)
        b = free_port(SOCK_DGRAM);
    snprintf(p->here, sizeof p->here, "udp://127.0.0.1:%d?listen=%d", b, a);
    snprintf(p->there, sizeof p->there, "udp://127.0.0.1:%d?listen=%d", a, b);
}

static const char *address(const char *url)
{
    return strchr(url, '/') + 2;
}

static void pair_open(pair *p, const char *map)
{
    memset(p, 0, sizeof *p);
    p->map = write_map(map);
    choose_ports(p);
    seen_init(&p->seen);
    OK(gb_link_open(p->here, p->map.path, &p->link));
    p->machine = machine_open(gb_wire_open_udp, address(p->there), p->map.path);
}

static void pair_close(pair *p)
{
    gb_link_close(p->link);
    machine_close(p->machine);
    remove_map(&p->map);
}

static void bits(uint64_t seed, uint64_t index, double *values, int count)
{
    for (int i = 0; i < count; i++) {
        uint64_t word = gb_random_u64(seed, (uint64_t)i, index);
        memcpy(&values[i], &word, sizeof word);
    }
}

static void values_pass_to_the_bit(void **state)
{
    (void)state;
    pair p;
    pair_open(&p, small_map);
    assert_true(p.link->simulated);
    assert_int_equal(p.link->machine->observation_size, SMALL_SEEN);
    for (uint64_t n = 1; n <= 200; n++) { /* any bits: infinities and NaN with their payloads too */
        double sent[SMALL_SEEN], command[SMALL_DONE], got[SMALL_DONE];
        gb_packet_header header;
        int64_t time_ns = 0;
        uint32_t faults = 0;
        bits(1, n, sent, SMALL_SEEN);
        bits(2, n, command, SMALL_DONE);
        int64_t before_ns = gb_clock_monotonic_ns();
        machine_send(p.machine, sent, before_ns);
        assert_true(receive_within(p.link, &p.seen, 2000, &faults));
        assert_int_equal(faults, 0);
        assert_int_equal(p.seen.observation.sequence, n);
        assert_memory_equal(p.seen.values, sent, sizeof sent);
        assert_true(p.seen.time_ns[0] >= before_ns && p.seen.time_ns[1] == p.seen.time_ns[0] &&
                    p.seen.time_ns[0] <= gb_clock_monotonic_ns());
        p.link->ops->send(p.link, command, n, 12345);
        for (int i = 0; i < 2000; i++) {
            if (gb_wire_end_receive(&p.machine->end, got, &header, &time_ns, &faults))
                break;
            wait_ms(1);
        }
        assert_memory_equal(got, command, sizeof command);
        assert_int_equal(header.tick, n);
        assert_int_equal(header.due_ns, 12345);
    }
    gb_link_counts counts;
    p.link->ops->counts(p.link, &counts);
    assert_int_equal(counts.received, 200);
    assert_int_equal(counts.sent, 200);
    assert_int_equal(counts.lost + counts.repeated + counts.disordered + counts.corrupt +
                         counts.misshapen + counts.unsent,
                     0);
    pair_close(&p);
}

static void units_are_converted_both_ways(void **state)
{
    (void)state;
    pair p;
    pair_open(&p, "name: m\nrate_hz: 10\nobservations:\n  - name: t\n    unit: Cel\n"
                  "    source_unit: K\nactions:\n  - name: a\n    unit: rad\n"
                  "    source_unit: deg\n");
    /* The peer has the same map: it answers in kelvin what it holds in Celsius. */
    double sent = 20, command = 1, got = 0;
    machine_send(p.machine, &sent, 1);
    assert_true(receive_within(p.link, &p.seen, 2000, NULL));
    assert_true(fabs(p.seen.values[0] - 20) < 1e-9);
    double raw;
    memcpy(&raw, p.machine->end.out_bytes + GB_PACKET_HEADER, sizeof raw);
    assert_true(fabs(raw - 293.15) < 1e-9);
    p.link->ops->send(p.link, &command, 1, 0);
    gb_packet_header header;
    int64_t time_ns;
    uint32_t faults = 0;
    for (int i = 0; i < 2000; i++) {
        if (gb_wire_end_receive(&p.machine->end, &got, &header, &time_ns, &faults))
            break;
        wait_ms(1);
    }
    assert_true(fabs(got - 1) < 1e-12);
    pair_close(&p);
}

/* Sends messages through a line of faults one by one, receiving after each. One more before and
 * after go without faults, so that a gap has two ends. */
static gb_link_fault_counts pass(pair *p, const gb_link_faults *faults, int messages, uint32_t *all)
{
    gb_fault_line *line = NULL;
    *all = 0;
    OK(gb_fault_line_create(faults, false, machine_transmit, p->machine, &line));
    for (int n = -1; n <= messages; n++) {
        double values[SMALL_SEEN] = {n};
        if (n < 0 || n == messages) {
            machine_send(p->machine, values, gb_clock_monotonic_ns());
            assert_true(receive_within(p->link, &p->seen, 2000, all));
            continue;
        }
        size_t size = gb_wire_end_pack(&p->machine->end, values, 0, gb_clock_monotonic_ns(), 0);
        gb_fault_line_send(line, n, 0, p->machine->end.out_bytes, size);
        gb_fault_line_flush(line, n);
        p->link->ops->receive(p->link, &p->seen.observation);
        *all |= p->seen.observation.faults;
    }
    gb_link_fault_counts counts = gb_fault_line_counts(line);
    gb_fault_line_destroy(line);
    return counts;
}

static void each_fault_is_counted_exactly(void **state)
{
    (void)state;
    enum {
        MESSAGES = 2000
    };
    pair p;
    uint32_t flags;
    gb_link_counts c;
    gb_link_fault_counts f;

    pair_open(&p, small_map);
    f = pass(&p, &(gb_link_faults){.drop = 0.1, .seed = 5}, MESSAGES, &flags);
    p.link->ops->counts(p.link, &c);
    assert_true(f.dropped > 150 && f.dropped < 250);
    assert_int_equal(c.received, MESSAGES + 2 - f.dropped);
    assert_int_equal(c.lost, f.dropped);
    assert_int_equal(flags, GB_FAULT_LOST);
    pair_close(&p);

    pair_open(&p, small_map);
    f = pass(&p, &(gb_link_faults){.duplicate = 0.1, .seed = 6}, MESSAGES, &flags);
    p.link->ops->counts(p.link, &c);
    assert_true(f.duplicated > 150);
    assert_int_equal(c.received, MESSAGES + 2);
    assert_int_equal(c.repeated, f.duplicated);
    assert_int_equal(c.lost + c.disordered, 0);
    assert_int_equal(flags, GB_FAULT_ORDER);
    pair_close(&p);

    pair_open(&p, small_map);
    f = pass(&p, &(gb_link_faults){.reorder = 0.1, .seed = 7}, MESSAGES, &flags);
    p.link->ops->counts(p.link, &c);
    assert_true(f.reordered > 150);
    assert_int_equal(c.disordered, f.reordered);
    assert_int_equal(c.received, MESSAGES + 2 - f.reordered);
    assert_int_equal(c.lost, 0); /* late is not lost */
    assert_true(p.seen.values[0] == MESSAGES);
    assert_true((flags & GB_FAULT_ORDER) != 0);
    pair_close(&p);

    pair_open(&p, small_map);
    f = pass(&p, &(gb_link_faults){.corrupt = 0.1, .seed = 8}, MESSAGES, &flags);
    p.link->ops->counts(p.link, &c);
    assert_true(f.corrupted > 150);
    assert_int_equal(c.corrupt, f.corrupted);
    assert_int_equal(c.received, MESSAGES + 2 - f.corrupted);
    assert_int_equal(c.lost, f.corrupted); /* what they held never came */
    assert_int_equal(flags, GB_FAULT_CORRUPT | GB_FAULT_LOST);
    pair_close(&p);

    pair_open(&p, small_map);
    f = pass(&p,
             &(gb_link_faults){
                 .drop = 0.05, .duplicate = 0.1, .reorder = 0.1, .corrupt = 0.05, .seed = 9},
             MESSAGES, &flags);
    p.link->ops->counts(p.link, &c);
    assert_int_equal(c.corrupt, f.corrupted);
    assert_int_equal(c.received + c.repeated + c.disordered + c.corrupt, f.passed + 2);
    pair_close(&p);
}

static void faults_repeat_by_seed(void **state)
{
    (void)state;
    gb_link_faults faults = {
        .drop = 0.1, .duplicate = 0.1, .reorder = 0.1, .corrupt = 0.1, .seed = 3};
    gb_link_fault_counts first = {0};
    for (int run = 0; run < 2; run++) {
        pair p;
        uint32_t flags;
        pair_open(&p, small_map);
        gb_link_fault_counts now = pass(&p, &faults, 500, &flags);
        if (run == 0)
            first = now;
        assert_memory_equal(&now, &first, sizeof now);
        pair_close(&p);
    }
    gb_fault_line *line = NULL;
    faults.drop = 1.5;
    assert_int_equal(gb_fault_line_create(&faults, false, machine_transmit, NULL, &line),
                     GB_ERR_ARGUMENT);
}

static void another_machine_is_refused(void **state)
{
    (void)state;
    static const char *const others[] = {
        /* the same sizes and another unit; another size; the kinds the wrong way round */
        "name: small\nrate_hz: 100\nobservations:\n  - name: position\n    unit: mm\n"
        "    shape: [3]\n  - name: force\n    unit: N\n    shape: [2]\n"
        "actions:\n  - name: target\n    unit: m\n    shape: [3]\n",
        "name: small\nrate_hz: 100\nobservations:\n  - name: position\n    unit: m\n"
        "    shape: [3000]\nactions:\n  - name: target\n    unit: m\n    shape: [3]\n",
    };
    for (size_t i = 0; i < 2; i++) {
        pair p;
        uint32_t faults = 0;
        pair_open(&p, small_map);
        machine_close(p.machine);
        map_file other = write_map(others[i]);
        p.machine = machine_open(gb_wire_open_udp, address(p.there), other.path);
        double values[3000] = {0};
        machine_send(p.machine, values, 1);
        assert_false(receive_within(p.link, &p.seen, 50, &faults));
        assert_int_equal(faults, GB_FAULT_SHAPE);
        gb_link_counts c;
        p.link->ops->counts(p.link, &c);
        assert_int_equal(c.misshapen, 1);
        assert_int_equal(c.received, 0);
        remove_map(&other);
        pair_close(&p);
    }
}

static void any_bytes_are_refused(void **state)
{
    (void)state;
    pair p;
    uint32_t faults = 0;
    pair_open(&p, small_map);
    double values[SMALL_SEEN] = {1, 2, 3, 4, 5};
    size_t size = gb_wire_end_pack(&p.machine->end, values, 0, 1, 0);
    unsigned char bytes[256];
    memcpy(bytes, p.machine->end.out_bytes, size);
    int64_t sent = 0;
    for (size_t cut = 0; cut < size; cut++, sent++) { /* cut at every byte */
        gb_wire_end_send(&p.machine->end, bytes, cut);
        receive_within(p.link, &p.seen, 0, &faults);
    }
    for (size_t i = 0; i < size * 8; i++, sent++) { /* flip every bit */
        bytes[i / 8] ^= (unsigned char)(1u << i % 8);
        gb_wire_end_send(&p.machine->end, bytes, size);
        receive_within(p.link, &p.seen, 0, &faults);
        bytes[i / 8] ^= (unsigned char)(1u << i % 8);
    }
    gb_link_counts c;
    p.link->ops->counts(p.link, &c);
    assert_int_equal(c.corrupt, sent);
    assert_int_equal(faults, GB_FAULT_CORRUPT);
    assert_int_equal(p.seen.observation.sequence, 0);
    pair_close(&p);
}

static void a_machine_that_starts_anew_is_heard(void **state)
{
    (void)state;
    pair p;
    uint32_t faults = 0;
    double values[SMALL_SEEN] = {1};
    pair_open(&p, small_map);
    for (int n = 0; n < 50; n++)
        machine_send(p.machine, values, n);
    assert_true(receive_within(p.link, &p.seen, 2000, &faults));
    unsigned char old[256];
    size_t old_size = gb_wire_end_pack(&p.machine->end, values, 0, 100, 0);
    memcpy(old, p.machine->end.out_bytes, old_size);
    machine_close(p.machine);
    for (int i = 0; i < 5; i++) { /* to nobody: no error stays */
        p.link->ops->send(p.link, values, 1, 0);
        receive_within(p.link, &p.seen, 0, &faults);
    }
    p.machine = machine_open(gb_wire_open_udp, address(p.there), p.map.path);
    values[0] = 2;
    faults = 0;
    wait_ms(150);                       /* three ticks and 100 ms: nobody speaks any more */
    machine_send(p.machine, values, 5); /* its clock and sequence begin anew */
    assert_true(receive_within(p.link, &p.seen, 2000, &faults));
    assert_true(p.seen.values[0] == 2);
    assert_int_equal(faults, GB_FAULT_RESTART);
    faults = 0;
    gb_wire_end_send(&p.machine->end, old, old_size); /* from before the start, late */
    assert_false(receive_within(p.link, &p.seen, 50, &faults));
    assert_int_equal(faults, GB_FAULT_ORDER);
    pair_close(&p);
}

/* One packet of an earlier session, as somebody may have recorded it, signed or not. */
static void a_recorded_session_does_not_push_the_machine_aside(void **state)
{
    (void)state;
    pair p;
    pair_open(&p, small_map);
    double values[SMALL_SEEN] = {1};
    unsigned char recorded[1024];
    uint64_t session = p.machine->end.session;
    p.machine->end.session = 77; /* long ago */
    size_t size = gb_wire_end_pack(&p.machine->end, values, 0, 5, 0);
    assert_true(size <= sizeof recorded);
    memcpy(recorded, p.machine->end.out_bytes, size);
    p.machine->end.session = session;
    p.machine->end.sequence = 0;
    for (int n = 0; n < 20; n++) {
        values[0] = 100 + n;
        machine_send(p.machine, values, gb_clock_monotonic_ns());
        assert_true(receive_within(p.link, &p.seen, 2000, NULL));
        assert_true(p.seen.values[0] == 100 + n);
        uint32_t faults = 0;
        gb_wire_end_send(&p.machine->end, recorded, size);
        assert_false(receive_within(p.link, &p.seen, 3, &faults));
        assert_int_equal(faults, GB_FAULT_ORDER);
        assert_true(p.seen.values[0] == 100 + n);
    }
    gb_link_counts counts;
    p.link->ops->counts(p.link, &counts);
    assert_int_equal(counts.received, 20);
    assert_int_equal(counts.disordered, 20);
    pair_close(&p);
}

static void nothing_is_allocated(void **state)
{
    (void)state;
    pair p;
    double values[SMALL_SEEN] = {1}, command[SMALL_DONE] = {0};
    pair_open(&p, small_map);
    long before = allocations;
    for (int n = 0; n < 500; n++) {
        if (n % 3)
            machine_send(p.machine, values, n);
        if (n % 7 == 0)
            gb_wire_end_send(&p.machine->end, "junk", 4);
        p.link->ops->receive(p.link, &p.seen.observation);
        p.link->ops->send(p.link, command, (uint64_t)n, 0);
    }
    assert_int_equal(allocations, before);
    if (!COUNTS_MALLOC)
        print_message("allocations are not counted under a sanitizer\n");
    pair_close(&p);
}

static void two_links_do_not_meet(void **state)
{
    (void)state;
    pair a, b;
    double one[SMALL_SEEN] = {1}, two[SMALL_SEEN] = {2};
    pair_open(&a, small_map);
    pair_open(&b, small_map);
    for (int n = 0; n < 20; n++) {
        machine_send(a.machine, one, n);
        machine_send(b.machine, two, n);
        assert_true(receive_within(a.link, &a.seen, 2000, NULL));
        assert_true(receive_within(b.link, &b.seen, 2000, NULL));
        assert_true(a.seen.values[0] == 1 && b.seen.values[0] == 2);
    }
    pair_close(&a);
    pair_close(&b);
}

static void strangers_are_not_heard(void **state)
{
    (void)state;
    pair p;
    double values[SMALL_SEEN] = {9};
    pair_open(&p, small_map);
    int port = atoi(strstr(p.here, "listen=") + 7), other = free_port(SOCK_DGRAM);
    char url[64];
    snprintf(url, sizeof url, "127.0.0.1:%d?listen=%d", port, other);
    machine_end *stranger = machine_open(gb_wire_open_udp, url, p.map.path);
    machine_send(stranger, values, 1);
    assert_false(receive_within(p.link, &p.seen, 50, NULL));
    machine_close(stranger);
    pair_close(&p);
}

/* ---- between bind and connect the kernel lets anybody's datagrams in ---- */

static unsigned char early[1024];
static size_t early_size;
static int early_port;

/* Stands before libc's, whose own type for the address this is. */
int connect(int fd, __CONST_SOCKADDR_ARG to, socklen_t size)
{
    if (early_port > 0) {
        struct sockaddr_in there = {.sin_family = AF_INET,
                                    .sin_port = htons((uint16_t)early_port),
                                    .sin_addr = {htonl(INADDR_LOOPBACK)}};
        int s = socket(AF_INET, SOCK_DGRAM, 0);
        early_port = 0;
        for (int i = 0; i < 3; i++)
            assert_int_equal(
                sendto(s, early, early_size, 0, (struct sockaddr *)&there, sizeof there),
                early_size);
        close(s);
    }
    return (int)syscall(SYS_connect, fd, to.__sockaddr__, size);
}

static void strangers_are_not_heard_while_it_opens(void **state)
{
    (void)state;
    pair p;
    double values[SMALL_SEEN] = {66};
    uint32_t faults = 0;
    pair_open(&p, small_map);
    early_size = gb_wire_end_pack(&p.machine->end, values, 0, 1, 0);
    memcpy(early, p.machine->end.out_bytes, early_size);
    gb_link_close(p.link);
    early_port = atoi(strstr(p.here, "listen=") + 7);
    OK(gb_link_open(p.here, p.map.path, &p.link));
    assert_int_equal(early_port, 0);
    assert_false(receive_within(p.link, &p.seen, 20, &faults));
    assert_int_equal(faults, 0);
    machine_send(p.machine, values, 2);
    assert_true(receive_within(p.link, &p.seen, 2000, &faults));
    pair_close(&p);
}

static void a_shared_key_signs_packets(void **state)
{
    (void)state;
    char text[512], key_path[160], key[33] = "0123456789abcdef0123456789abcdef";
    snprintf(text, sizeof text, "key: link.key\n%s", small_map);
    map_file map = write_map(text);
    snprintf(key_path, sizeof key_path, "%s/link.key", map.folder);
    pair p;
    pair_open(&p, small_map); /* the machine here has no key */
    gb_link_close(p.link);
    p.link = NULL;
    assert_int_equal(gb_link_open(p.here, map.path, &p.link), GB_ERR_IO); /* no key yet */
    OK(gb_file_replace(key_path, key, 31));
    chmod(key_path, 0600);
    assert_int_equal(gb_link_open(p.here, map.path, &p.link), GB_ERR_SCHEMA); /* too short */
    OK(gb_file_replace(key_path, key, 32));
    chmod(key_path, 0644);
    assert_int_equal(gb_link_open(p.here, map.path, &p.link), GB_ERR_SCHEMA); /* readable by all */
    chmod(key_path, 0600);
    OK(gb_link_open(p.here, map.path, &p.link));

    double values[SMALL_SEEN] = {1};
    uint32_t faults = 0;
    machine_send(p.machine, values, 1); /* unsigned */
    assert_false(receive_within(p.link, &p.seen, 50, &faults));
    assert_int_equal(faults, GB_FAULT_CORRUPT);
    machine_close(p.machine);
    p.machine = machine_open(gb_wire_open_udp, address(p.there), map.path);
    machine_send(p.machine, values, 1); /* which has not heard this side yet */
    assert_false(receive_within(p.link, &p.seen, 50, NULL));
    gb_packet_header header;
    int64_t time_ns = 0;
    assert_false(gb_wire_end_receive(&p.machine->end, p.seen.values, &header, &time_ns, &faults));
    machine_send(p.machine, values, 1);
    assert_true(receive_within(p.link, &p.seen, 2000, NULL));
    gb_link_close(p.link);
    OK(gb_link_open(p.here, p.map.path, &p.link)); /* now it is this side that has no key */
    seen_init(&p.seen);
    faults = 0;
    machine_send(p.machine, values, 2);
    assert_false(receive_within(p.link, &p.seen, 50, &faults));
    assert_int_equal(faults, GB_FAULT_CORRUPT);
    gb_link_close(p.link);
    OK(gb_link_open(p.here, map.path, &p.link));
    machine_close(p.machine);

    key[0] = 'x';
    OK(gb_file_replace(key_path, key, 32));
    chmod(key_path, 0600);
    p.machine = machine_open(gb_wire_open_udp, address(p.there), map.path);
    machine_send(p.machine, values, 1); /* signed by another key */
    faults = 0;
    assert_false(receive_within(p.link, &p.seen, 50, &faults));
    assert_int_equal(faults, GB_FAULT_CORRUPT);
    unlink(key_path);
    remove_map(&map);
    pair_close(&p);
}

static void wrong_addresses_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "udp://",
        "udp://h",
        "udp://h:",
        "udp://:1",
        "udp://h:0",
        "udp://h:65536",
        "udp://h:1x",
        "udp://h:1?",
        "udp://h:1?port=2",
        "udp://h:1?listen=",
        "udp://h:1?listen=99999",
        "udp://[]:1",
        "udp://h:-1",
        "udp://h:1?listen=2&x=3",
    };
    map_file map = write_map(small_map);
    gb_link *link = NULL;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (gb_link_open(wrong[i], map.path, &link) != GB_ERR_ARGUMENT)
            fail_msg("%s: %s", wrong[i], gb_error_message());
    assert_int_equal(gb_link_open("udp://127.0.0.1:9?listen=9", NULL, &link), GB_ERR_ARGUMENT);
    assert_int_equal(gb_link_open("tcp://127.0.0.1:9", map.path, &link), GB_ERR_UNSUPPORTED);
    pair p; /* a port that is taken */
    pair_open(&p, small_map);
    assert_int_equal(gb_link_open(p.here, map.path, &link), GB_ERR_IO);
    assert_non_null(strstr(gb_error_message(), "?listen="));
    pair_close(&p);
    remove_map(&map);
    map = write_map("name: m\nrate_hz: 10\nobservations:\n  - name: image\n    unit: \"1\"\n"
                    "    shape: [100, 100, 3]\nactions:\n  - name: a\n    unit: N\n");
    assert_int_equal(gb_link_open("udp://127.0.0.1:9", map.path, &link), GB_ERR_SCHEMA);
    assert_non_null(strstr(gb_error_message(), "shm://"));
    remove_map(&map);
}

/* ---- time ---------------------------------------------------------------------------------------
 */

static void what_waited_keeps_its_age(void **state)
{
    (void)state;
    gb_packet_order order = {0};
    const int64_t skew = 7000000000LL, ms = 1000000; /* the sender's clock is ours + 7 s */
    /* Ten packets take 1 ms, then one 50 ms. */
    for (int64_t n = 0; n < 10; n++) {
        gb_packet_header h = {.session = 1, .sequence = (uint64_t)n + 1, .time_ns = skew + n * ms};
        assert_int_equal(gb_packet_time(&order, &h, n * ms + ms), n * ms + ms);
    }
    gb_packet_header late = {.session = 1, .sequence = 11, .time_ns = skew + 10 * ms};
    assert_int_equal(gb_packet_time(&order, &late, 60 * ms), 11 * ms);
    /* Its clock steps back, as after a restart: the arrival counts again. */
    gb_packet_header back = {.session = 1, .sequence = 12, .time_ns = 5};
    assert_int_equal(gb_packet_time(&order, &back, 70 * ms), 70 * ms);
    /* It steps ahead: never later than now. */
    gb_packet_header ahead = {.session = 1, .sequence = 13, .time_ns = INT64_MAX};
    assert_int_equal(gb_packet_time(&order, &ahead, 80 * ms), 80 * ms);
    gb_packet_header far = {.session = 1, .sequence = 14, .time_ns = INT64_MIN};
    assert_true(gb_packet_time(&order, &far, 90 * ms) <= 90 * ms);
}

/* Steps of half the range and less, each forward, until the clock has gone round. */
static void a_clock_that_leaps_gives_times_that_can_be_compared(void **state)
{
    (void)state;
    gb_packet_order order = {0};
    const int64_t quarter = INT64_C(1) << 62, now_ns = 1000000000000;
    uint64_t clock = (uint64_t)quarter + (uint64_t)quarter / 2;
    for (uint64_t n = 1; n <= 16; n++, clock += (uint64_t)quarter) {
        gb_packet_header h = {.session = 1, .sequence = n, .time_ns = (int64_t)clock};
        int64_t time_ns = gb_packet_time(&order, &h, now_ns), age_ns = -1;
        assert_false(__builtin_sub_overflow(now_ns, time_ns, &age_ns));
        assert_true(age_ns >= 0);
    }
}

static void a_slow_clock_is_followed(void **state)
{
    (void)state;
    gb_packet_order order = {0};
    int64_t worst = 0; /* the sender's clock loses 200 ppm; a minute at 100 Hz, delay 1 ms */
    for (int64_t n = 0; n < 6000; n++) {
        int64_t true_ns = n * 10000000;
        gb_packet_header h = {
            .session = 1, .sequence = (uint64_t)n + 1, .time_ns = true_ns - true_ns / 5000};
        int64_t error = true_ns + 1000000 - gb_packet_time(&order, &h, true_ns + 1000000);
        worst = error > worst ? error : worst;
        assert_true(error >= 0);
    }
    assert_true(worst <= 2100000); /* 200 ppm over two spans of 5 s */
}

/* ---- genba machine ------------------------------------------------------------------------------
 */

static void a_plant_is_served(void **state)
{
    (void)state;
    pair p = {0};
    p.map = write_map("plant: pusht\nsimulated: true\n");
    choose_ports(&p);
    seen_init(&p.seen);
    OK(gb_link_open(p.here, p.map.path, &p.link));
    served s = {.options = {.plant = "pusht",
                            .url = p.there,
                            .map_path = p.map.path,
                            .first_seed = 4,
                            .duration_ns = 2500000000LL,
                            .faults = {.cut_from_ns = 500000000, .cut_ns = 1000000000}}};
    serve_start(&s);
    gb_plant *plant = NULL; /* the same, here */
    double start[5], target[2] = {256, 256};
    OK(gb_plant_create("pusht", NULL, &plant));
    OK(gb_plant_reset(plant, 4, start));
    gb_plant_destroy(plant);
    uint32_t faults = 0;
    assert_true(receive_within(p.link, &p.seen, 2000, &faults));
    assert_memory_equal(p.seen.values, start, sizeof start);
    gb_link_counts c;
    int64_t silence_ns = 0;
    bool moved = false;
    for (int i = 0; i < 400 && p.seen.observation.sequence > 0; i++) {
        p.link->ops->send(p.link, target, (uint64_t)i + 1, gb_clock_monotonic_ns());
        if (!receive_within(p.link, &p.seen, 4, &faults)) {
            int64_t age_ns = gb_clock_monotonic_ns() - p.seen.time_ns[0];
            silence_ns = age_ns > silence_ns ? age_ns : silence_ns;
        }
        moved = moved || memcmp(p.seen.values, start, sizeof start) != 0;
    }
    serve_join(&s);
    assert_true(moved);
    assert_true(s.counts.commands_cut > 0); /* neither applied nor counted as received */
    p.link->ops->counts(p.link, &c);
    assert_true(c.sent >= s.counts.link.received + s.counts.commands_cut);
    assert_true(silence_ns > 900000000);
    assert_true(s.counts.faults.cut > 0);
    assert_int_equal(s.counts.faults.messages, s.counts.faults.passed + s.counts.faults.cut);
    receive_within(p.link, &p.seen, 0, &faults);
    p.link->ops->counts(p.link, &c);
    assert_int_equal(c.lost, s.counts.faults.cut); /* and it was heard again after the cut */
    assert_true((faults & GB_FAULT_LOST) != 0);
    gb_link_close(p.link);
    remove_map(&p.map);
}

static void a_map_of_another_plant_is_refused(void **state)
{
    (void)state;
    map_file map = write_map(small_map);
    gb_link_serve_counts counts;
    gb_link_serve_options options = {
        .plant = "pusht", .url = "udp://127.0.0.1:9?listen=9", .map_path = map.path};
    assert_int_equal(gb_link_serve(&options, &counts), GB_ERR_MISMATCH);
    options.plant = "nothing";
    assert_int_equal(gb_link_serve(&options, &counts), GB_ERR_NOT_FOUND);
    remove_map(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_pass_to_the_bit),
        cmocka_unit_test(units_are_converted_both_ways),
        cmocka_unit_test(each_fault_is_counted_exactly),
        cmocka_unit_test(faults_repeat_by_seed),
        cmocka_unit_test(another_machine_is_refused),
        cmocka_unit_test(any_bytes_are_refused),
        cmocka_unit_test(a_machine_that_starts_anew_is_heard),
        cmocka_unit_test(a_recorded_session_does_not_push_the_machine_aside),
        cmocka_unit_test(nothing_is_allocated),
        cmocka_unit_test(two_links_do_not_meet),
        cmocka_unit_test(strangers_are_not_heard),
        cmocka_unit_test(strangers_are_not_heard_while_it_opens),
        cmocka_unit_test(a_shared_key_signs_packets),
        cmocka_unit_test(wrong_addresses_are_refused),
        cmocka_unit_test(what_waited_keeps_its_age),
        cmocka_unit_test(a_clock_that_leaps_gives_times_that_can_be_compared),
        cmocka_unit_test(a_slow_clock_is_followed),
        cmocka_unit_test(a_plant_is_served),
        cmocka_unit_test(a_map_of_another_plant_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
