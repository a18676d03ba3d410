/* Sessions of signed packets: who starts anew is heard, who was recorded is not, whatever silence
 * the recording is played into. */
#include "link_fixture.h"

#include "base/crc32.h"

enum {
    KEPT = 64, /* messages of a recording */
    MESSAGE_BYTES = 256,
    SILENCE_MS = 140 /* three ticks and 100 ms, and a bit */
};

typedef struct rig {
    map_file map;
    char key_path[160], here[64], there[64]; /* addresses of the controller and the machine */
    gb_link_map *maps[2];
    gb_wire_end controller, machine;
} rig;

typedef struct recording {
    int count;
    size_t sizes[KEPT];
    unsigned char bytes[KEPT][MESSAGE_BYTES];
} recording;

static void open_end(rig *r, gb_wire_side side)
{
    bool machine = side == GB_WIRE_MACHINE;
    OK(gb_link_map_load(r->map.path, &r->maps[machine]));
    OK(gb_wire_end_open(gb_wire_open_udp, machine ? r->there : r->here, r->maps[machine], side,
                        machine ? &r->machine : &r->controller));
}

static void close_end(rig *r, gb_wire_side side)
{
    bool machine = side == GB_WIRE_MACHINE;
    gb_wire_end_close(machine ? &r->machine : &r->controller);
    gb_link_map_destroy(r->maps[machine]);
}

static void restart(rig *r, gb_wire_side side)
{
    close_end(r, side);
    open_end(r, side);
}

static void open_rig(rig *r, bool with_key)
{
    char text[512];
    int a = free_port(SOCK_DGRAM), b = a;
    while (b == a)
        b = free_port(SOCK_DGRAM);
    memset(r, 0, sizeof *r);
    snprintf(text, sizeof text, "%s%s", with_key ? "key: link.key\n" : "", small_map);
    r->map = write_map(text);
    snprintf(r->key_path, sizeof r->key_path, "%s/link.key", r->map.folder);
    OK(gb_file_replace(r->key_path, "0123456789abcdef0123456789abcdef", 32));
    chmod(r->key_path, 0600);
    snprintf(r->here, sizeof r->here, "127.0.0.1:%d?listen=%d", b, a);
    snprintf(r->there, sizeof r->there, "127.0.0.1:%d?listen=%d", a, b);
    open_end(r, GB_WIRE_CONTROLLER);
    open_end(r, GB_WIRE_MACHINE);
}

static void close_rig(rig *r)
{
    close_end(r, GB_WIRE_CONTROLLER);
    close_end(r, GB_WIRE_MACHINE);
    unlink(r->key_path);
    remove_map(&r->map);
}

static void send_one(gb_wire_end *end, double first, recording *to)
{
    double values[SMALL_SEEN] = {first};
    size_t size = gb_wire_end_pack(end, values, 1, gb_clock_monotonic_ns(), 0);
    if (to && to->count < KEPT && size <= MESSAGE_BYTES) {
        memcpy(to->bytes[to->count], end->out_bytes, size);
        to->sizes[to->count++] = size;
    }
    gb_wire_end_send(end, end->out_bytes, size);
}

/* The first value of what comes within some ms; NaN: nothing. */
static double hear(gb_wire_end *end, int ms, uint32_t *faults)
{
    double values[SMALL_SEEN];
    gb_packet_header header;
    int64_t time_ns;
    for (int i = 0; i <= ms; i++) {
        if (gb_wire_end_receive(end, values, &header, &time_ns, faults))
            return values[0];
        wait_ms(1);
    }
    return NAN;
}

/* Both sides speak, as a servo and a machine do, until each has heard the other; true: soon. The
 * controller sends no command before it has seen something. */
static bool meet(rig *r, recording *observations, recording *commands)
{
    uint32_t faults = 0;
    bool observed = false, commanded = false;
    for (int n = 0; n < 20 && !(observed && commanded); n++) {
        send_one(&r->machine, 1, observations);
        observed = !isnan(hear(&r->controller, 2, &faults)) || observed;
        if (observed)
            send_one(&r->controller, 2, commands);
        commanded = !isnan(hear(&r->machine, 2, &faults)) || commanded;
    }
    for (int n = 0; n < 5; n++) { /* and a while longer */
        send_one(&r->machine, 1, observations);
        (void)hear(&r->controller, 2, &faults);
        send_one(&r->controller, 2, commands);
        (void)hear(&r->machine, 2, &faults);
    }
    return observed && commanded;
}

/* Plays a recording as the sender's address; true: something of it was believed. */
static bool is_believed(gb_wire_end *as, const recording *what, gb_wire_end *by)
{
    bool believed = false;
    uint32_t faults = 0;
    for (int i = 0; i < what->count; i++) {
        as->wire->ops->send(as->wire, what->bytes[i], what->sizes[i]);
        believed = !isnan(hear(by, 2, &faults)) || believed;
    }
    return believed;
}

static void those_who_live_meet(void **state)
{
    (void)state;
    for (int with_key = 0; with_key < 2; with_key++) {
        rig r;
        open_rig(&r, with_key);
        assert_true(meet(&r, NULL, NULL));
        for (int i = 0; i < 3; i++) {
            restart(&r, GB_WIRE_MACHINE);
            wait_ms(SILENCE_MS);
            assert_true(meet(&r, NULL, NULL));
            restart(&r, GB_WIRE_CONTROLLER);
            wait_ms(SILENCE_MS);
            assert_true(meet(&r, NULL, NULL));
        }
        close_rig(&r);
    }
}

static void a_recording_is_not_believed_in_a_silence(void **state)
{
    (void)state;
    recording *observations = calloc(1, sizeof *observations);
    recording *commands = calloc(1, sizeof *commands);
    assert_non_null(observations);
    assert_non_null(commands);
    rig r;
    open_rig(&r, true);
    assert_true(meet(&r, observations, commands));
    assert_true(observations->count > 5 && commands->count > 5);
    restart(&r, GB_WIRE_CONTROLLER); /* a day later, the machine not yet switched on */
    assert_false(is_believed(&r.machine, observations, &r.controller));
    restart(&r, GB_WIRE_MACHINE); /* or the controller not */
    assert_false(is_believed(&r.controller, commands, &r.machine));
    assert_true(meet(&r, NULL, NULL)); /* and who lives is not kept out by it */
    free(observations);
    free(commands);
    close_rig(&r);
}

/* The controller runs on, the machine starts three times: its first session is no third one. */
static void a_session_before_the_last_is_over(void **state)
{
    (void)state;
    recording *first = calloc(1, sizeof *first);
    assert_non_null(first);
    rig r;
    open_rig(&r, true);
    assert_true(meet(&r, first, NULL));
    for (int i = 0; i < 2; i++) {
        restart(&r, GB_WIRE_MACHINE);
        wait_ms(SILENCE_MS);
        assert_true(meet(&r, NULL, NULL));
    }
    wait_ms(SILENCE_MS);
    assert_false(is_believed(&r.machine, first, &r.controller));
    free(first);
    close_rig(&r);
}

/* Until it has heard the other side a sender is not believed, and that is no fault; what echoes
 * another session is one. */
static void a_recording_is_counted(void **state)
{
    (void)state;
    recording *observations = calloc(1, sizeof *observations);
    assert_non_null(observations);
    rig r;
    open_rig(&r, true);
    uint32_t faults = 0;
    send_one(&r.machine, 1, NULL);
    assert_true(isnan(hear(&r.controller, 5, &faults)));
    assert_int_equal(faults, 0);
    assert_true(isnan(hear(&r.machine, 5, &faults))); /* the greeting is no command */
    assert_int_equal(faults, 0);
    send_one(&r.machine, 7, observations);
    assert_true(hear(&r.controller, 5, &faults) == 7);
    assert_int_equal(faults, 0);
    restart(&r, GB_WIRE_CONTROLLER);
    assert_false(is_believed(&r.machine, observations, &r.controller));
    gb_link_counts counts;
    gb_wire_end_counts(&r.controller, &counts);
    assert_int_equal(counts.disordered, 1);
    assert_int_equal(counts.corrupt + counts.misshapen + counts.received, 0);
    free(observations);
    close_rig(&r);
}

/* Every byte of a signed packet counts, the challenges' too. */
static void no_byte_may_be_changed(void **state)
{
    (void)state;
    recording *r = calloc(1, sizeof *r);
    gb_packet_header header;
    double values[SMALL_SEEN];
    rig g;
    assert_non_null(r);
    open_rig(&g, true);
    send_one(&g.machine, 1, r);
    unsigned char *bytes = r->bytes[0];
    size_t size = r->sizes[0];
    const gb_packet_form *form = &g.controller.in;
    assert_int_equal(size, gb_packet_bytes(form));
    assert_int_equal(gb_packet_read(form, bytes, size, &header, values), GB_PACKET_NEW);
    for (size_t i = 0; i < size; i++) {
        unsigned char *cut = malloc(i + 1); /* its own, so that a step beyond is seen */
        assert_non_null(cut);
        memcpy(cut, bytes, i);
        assert_int_equal(gb_packet_read(form, cut, i, &header, values), GB_PACKET_CORRUPT);
        free(cut);
        for (int bit = 0; bit < 8; bit++) {
            bytes[i] ^= (unsigned char)(1u << bit);
            uint32_t crc = gb_crc32(0, bytes, size - GB_PACKET_CRC);
            memcpy(bytes + size - GB_PACKET_CRC, &crc, sizeof crc); /* the sum is no secret */
            if (i < size - GB_PACKET_CRC)
                assert_int_equal(gb_packet_read(form, bytes, size, &header, values),
                                 GB_PACKET_CORRUPT);
            bytes[i] ^= (unsigned char)(1u << bit);
        }
    }
    free(r);
    close_rig(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_who_live_meet),
        cmocka_unit_test(a_recording_is_not_believed_in_a_silence),
        cmocka_unit_test(a_session_before_the_last_is_over),
        cmocka_unit_test(a_recording_is_counted),
        cmocka_unit_test(no_byte_may_be_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
