/* Shared memory: values to the bit, sides that come, die and come again, faults, and who may not
 * join. */
#include "link_fixture.h"
#include "no_malloc.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

typedef struct pair {
    map_file map;
    char name[64], url[80];
    gb_link *link;
    machine_end *machine;
    seen seen;
} pair;

static void pair_init(pair *p, const char *map)
{
    memset(p, 0, sizeof *p);
    p->map = write_map(map);
    snprintf(p->name, sizeof p->name, "genba-test-%s", p->map.folder + strlen("/tmp/genba-link-"));
    snprintf(p->url, sizeof p->url, "shm://%s", p->name);
    seen_init(&p->seen);
}

static void pair_open(pair *p, const char *map)
{
    pair_init(p, map);
    OK(gb_link_open(p->url, p->map.path, &p->link));
    p->machine = machine_open(gb_wire_open_shm, p->name, p->map.path);
}

static void pair_close(pair *p)
{
    gb_link_close(p->link);
    if (p->machine)
        machine_close(p->machine);
    remove_map(&p->map);
}

static bool is_there(const pair *p)
{
    char path[128];
    snprintf(path, sizeof path, "/%s", p->name);
    int file = shm_open(path, O_RDONLY, 0);
    if (file >= 0)
        close(file);
    return file >= 0;
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
    for (uint64_t n = 1; n <= 1000; n++) {
        double sent[SMALL_SEEN], command[SMALL_DONE], got[SMALL_DONE];
        gb_packet_header header;
        int64_t time_ns = 0;
        uint32_t faults = 0;
        bits(1, n, sent, SMALL_SEEN);
        bits(2, n, command, SMALL_DONE);
        machine_send(p.machine, sent, gb_clock_monotonic_ns());
        assert_true(receive_within(p.link, &p.seen, 0, &faults)); /* at once */
        assert_int_equal(faults, 0);
        assert_int_equal(p.seen.observation.sequence, n);
        assert_memory_equal(p.seen.values, sent, sizeof sent);
        p.link->ops->send(p.link, command, n, 77);
        assert_true(gb_wire_end_receive(&p.machine->end, got, &header, &time_ns, &faults));
        assert_memory_equal(got, command, sizeof command);
        assert_int_equal(header.tick, n);
        assert_false(receive_within(p.link, &p.seen, 0, &faults)); /* nothing new */
    }
    pair_close(&p);
    assert_false(is_there(&p)); /* the last one took it away */
}

static void either_side_comes_first(void **state)
{
    (void)state;
    pair p;
    double values[SMALL_SEEN] = {1};
    pair_init(&p, small_map);
    p.machine = machine_open(gb_wire_open_shm, p.name, p.map.path);
    machine_send(p.machine, values, 1); /* nobody is there: old when somebody comes */
    OK(gb_link_open(p.url, p.map.path, &p.link));
    assert_false(receive_within(p.link, &p.seen, 0, NULL));
    machine_send(p.machine, values, 2);
    assert_true(receive_within(p.link, &p.seen, 0, NULL));
    struct stat about;
    char path[128];
    snprintf(path, sizeof path, "/dev/shm/%s", p.name);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    pair_close(&p);
}

static void the_newest_wins_and_the_rest_is_counted(void **state)
{
    (void)state;
    pair p;
    uint32_t faults = 0;
    gb_link_counts c;
    pair_open(&p, small_map);
    double values[SMALL_SEEN] = {0};
    machine_send(p.machine, values, 0);
    assert_true(receive_within(p.link, &p.seen, 0, &faults));
    for (int n = 1; n <= 100; n++) {
        values[0] = n;
        machine_send(p.machine, values, n);
    }
    assert_true(receive_within(p.link, &p.seen, 0, &faults));
    assert_true(p.seen.values[0] == 100);
    assert_int_equal(faults, GB_FAULT_LOST);
    p.link->ops->counts(p.link, &c);
    assert_int_equal(c.received + c.lost, 101);
    assert_int_equal(c.received, 1 + 14); /* of 16 slots two may be changing */
    pair_close(&p);
}

static void faults_are_counted_exactly(void **state)
{
    (void)state;
    enum {
        MESSAGES = 2000
    };
    static const gb_link_faults each[] = {{.drop = 0.1, .seed = 1},
                                          {.duplicate = 0.1, .seed = 2},
                                          {.corrupt = 0.1, .seed = 3},
                                          {.reorder = 0.1, .seed = 4}};
    for (size_t i = 0; i < 4; i++) {
        pair p;
        gb_fault_line *line = NULL;
        gb_link_counts c;
        double values[SMALL_SEEN] = {0};
        pair_open(&p, small_map);
        OK(gb_fault_line_create(&each[i], false, machine_transmit, p.machine, &line));
        machine_send(p.machine, values, 0);
        for (int n = 0; n < MESSAGES; n++) {
            size_t size = gb_wire_end_pack(&p.machine->end, values, 0, n, 0);
            gb_fault_line_send(line, n, 0, p.machine->end.out_bytes, size);
            gb_fault_line_flush(line, n);
            receive_within(p.link, &p.seen, 0, NULL);
        }
        machine_send(p.machine, values, MESSAGES);
        assert_true(receive_within(p.link, &p.seen, 0, NULL));
        gb_link_fault_counts f = gb_fault_line_counts(line);
        p.link->ops->counts(p.link, &c);
        assert_int_equal(c.lost, f.dropped + f.corrupted);
        assert_int_equal(c.repeated, f.duplicated);
        assert_int_equal(c.corrupt, f.corrupted);
        assert_int_equal(c.disordered, f.reordered);
        assert_true(f.dropped + f.duplicated + f.corrupted + f.reordered > 150);
        gb_fault_line_destroy(line);
        pair_close(&p);
    }
}

/* A machine in a process of its own that sends without end. */
static pid_t start_machine(const pair *p, double value)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child > 0)
        return child;
    machine_end m = {0};
    if (gb_link_map_load(p->map.path, &m.map) != GB_OK ||
        gb_wire_end_open(gb_wire_open_shm, p->name, m.map, GB_WIRE_MACHINE, &m.end) != GB_OK)
        _exit(1);
    for (;;) {
        double values[SMALL_SEEN] = {value, value, value, value, value};
        machine_send(&m, values, gb_clock_monotonic_ns());
    }
}

static void a_machine_that_is_killed_leaves_nothing_locked(void **state)
{
    (void)state;
    pair p;
    pair_init(&p, small_map);
    OK(gb_link_open(p.url, p.map.path, &p.link));
    for (int run = 1; run <= 5; run++) {
        pid_t child = start_machine(&p, run);
        uint32_t faults = 0;
        for (int i = 0; i < 200; i++) {
            assert_true(receive_within(p.link, &p.seen, 5000, &faults));
            for (int k = 0; k < SMALL_SEEN; k++) /* whole ones only, of this run */
                assert_true(p.seen.values[k] == p.seen.values[0]);
        }
        assert_true(p.seen.values[0] == run);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        while (receive_within(p.link, &p.seen, 0, NULL))
            ;
        assert_int_equal(faults & (GB_FAULT_SHAPE | GB_FAULT_CORRUPT), 0);
    }
    pair_close(&p);
    assert_false(is_there(&p));
    pair_init(&p, small_map); /* nobody is left to take it away: the next one begins anew */
    pid_t child = start_machine(&p, 1);
    for (int i = 0; i < 2000 && !is_there(&p); i++)
        wait_ms(1);
    wait_ms(20);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_true(is_there(&p));
    OK(gb_link_open(p.url, p.map.path, &p.link));
    assert_false(receive_within(p.link, &p.seen, 0, NULL));
    pair_close(&p);
    assert_false(is_there(&p));
}

static void who_does_not_fit_is_refused(void **state)
{
    (void)state;
    pair p;
    gb_link *second = NULL;
    char path[128];
    pair_open(&p, small_map);
    assert_int_equal(gb_link_open(p.url, p.map.path, &second), GB_ERR_REFUSED);
    gb_link_close(p.link);
    map_file other = write_map("name: other\nrate_hz: 100\nobservations:\n  - name: position\n"
                               "    unit: m\n    shape: [5]\nactions:\n  - name: target\n"
                               "    unit: m\n    shape: [3]\n");
    p.link = NULL;
    assert_int_equal(gb_link_open(p.url, other.path, &second), GB_ERR_MISMATCH);
    OK(gb_link_open(p.url, p.map.path, &p.link)); /* and nothing is broken by it */
    pair_close(&p);
    remove_map(&other);

    pair_init(&p, small_map); /* another program's memory */
    snprintf(path, sizeof path, "/%s", p.name);
    int file = shm_open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    assert_int_equal(ftruncate(file, 100), 0);
    assert_int_equal(gb_link_open(p.url, p.map.path, &p.link), GB_ERR_MISMATCH);
    assert_int_equal(fchmod(file, 0666), 0);
    assert_int_equal(gb_link_open(p.url, p.map.path, &p.link), GB_ERR_REFUSED);
    close(file);
    shm_unlink(path);
    static const char *const wrong[] = {"shm://", "shm://a/b", "shm://..", "shm://a b"};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(gb_link_open(wrong[i], p.map.path, &p.link), GB_ERR_ARGUMENT);
    pair_close(&p);
}

static void nothing_is_allocated(void **state)
{
    (void)state;
    pair p;
    double values[SMALL_SEEN] = {1}, command[SMALL_DONE] = {0};
    pair_open(&p, small_map);
    long before = allocations;
    for (int n = 0; n < 1000; n++) {
        machine_send(p.machine, values, n);
        p.link->ops->receive(p.link, &p.seen.observation);
        p.link->ops->send(p.link, command, (uint64_t)n, 0);
    }
    assert_int_equal(allocations, before);
    pair_close(&p);
}

/* Both sides at full speed in two threads: what is read is always whole. */
typedef struct shouting {
    machine_end *machine;
    _Atomic bool stop;
} shouting;

static void *shout(void *context)
{
    shouting *s = context;
    for (int n = 1; !s->stop; n++) {
        double values[SMALL_SEEN] = {n, n, n, n, n};
        machine_send(s->machine, values, n);
    }
    return NULL;
}

static void what_is_read_is_whole(void **state)
{
    (void)state;
    pair p;
    pair_open(&p, small_map);
    shouting s = {.machine = p.machine};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, shout, &s), 0);
    for (int i = 0; i < 3000; i++) {
        assert_true(receive_within(p.link, &p.seen, 5000, NULL));
        for (int k = 1; k < SMALL_SEEN; k++)
            assert_true(p.seen.values[k] == p.seen.values[0]);
    }
    s.stop = true;
    pthread_join(thread, NULL);
    gb_link_counts c;
    p.link->ops->counts(p.link, &c);
    assert_int_equal(c.corrupt, 0);
    pair_close(&p);
}

/* A program of the same user writes anything anywhere: nothing of it is believed or followed out of
 * the memory, and the link goes on afterwards. */
static void garbage_is_not_believed(void **state)
{
    (void)state;
    pair p;
    pair_open(&p, small_map);
    char path[128];
    struct stat about;
    snprintf(path, sizeof path, "/%s", p.name);
    int file = shm_open(path, O_RDWR, 0);
    assert_true(file >= 0 && fstat(file, &about) == 0);
    size_t words = (size_t)about.st_size / 8;
    uint64_t *memory = mmap(NULL, words * 8, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    assert_true(memory != MAP_FAILED);
    double values[SMALL_SEEN] = {7}, command[SMALL_DONE] = {0};
    for (uint64_t n = 0; n < 20000; n++) {
        uint64_t at = gb_random_u64(5, 0, n) % words, bits = gb_random_u64(5, 1, n);
        memory[at] = bits >> bits % 64; /* all sizes of numbers */
        if (n % 3 == 0)
            memory[gb_random_u64(5, 2, n) % 64] = bits >> bits % 64; /* most of all the heads */
        if (n % 5 == 0)
            machine_send(p.machine, values, (int64_t)n);
        p.link->ops->receive(p.link, &p.seen.observation);
        p.link->ops->send(p.link, command, n, 0);
        assert_true(p.seen.values[0] == 0 || p.seen.values[0] == 7);
        assert_false(p.seen.observation.faults & GB_FAULT_SHAPE);
    }
    values[0] = 8;
    for (int i = 0; i < 40 && p.seen.values[0] != 8; i++) {
        machine_send(p.machine, values, 20000 + i);
        p.link->ops->receive(p.link, &p.seen.observation);
    }
    assert_true(p.seen.values[0] == 8);
    munmap(memory, words * 8);
    close(file);
    pair_close(&p);
}

static void a_plant_is_served(void **state)
{
    (void)state;
    pair p;
    pair_init(&p, "plant: pusht\nsimulated: true\n");
    OK(gb_link_open(p.url, p.map.path, &p.link));
    served s = {
        .options = {
            .plant = "pusht", .url = p.url, .map_path = p.map.path, .duration_ns = 500000000}};
    serve_start(&s);
    double target[2] = {256, 256};
    for (int i = 0; i < 20; i++) {
        assert_true(receive_within(p.link, &p.seen, 2000, NULL));
        p.link->ops->send(p.link, target, (uint64_t)i, 0);
    }
    serve_join(&s);
    assert_true(s.counts.ticks >= 15);
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_pass_to_the_bit),
        cmocka_unit_test(either_side_comes_first),
        cmocka_unit_test(the_newest_wins_and_the_rest_is_counted),
        cmocka_unit_test(faults_are_counted_exactly),
        cmocka_unit_test(a_machine_that_is_killed_leaves_nothing_locked),
        cmocka_unit_test(who_does_not_fit_is_refused),
        cmocka_unit_test(nothing_is_allocated),
        cmocka_unit_test(what_is_read_is_whole),
        cmocka_unit_test(garbage_is_not_believed),
        cmocka_unit_test(a_plant_is_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
