/* The black box: what is written is what was handed over, nobody waits, and what goes wrong with
 * rings, disks and processes is counted and survived. */
#include "box.h"

#include "control/blackbox_read.h"
#include "genba/mcap.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/genba-box-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static gb_box_reader *open_box(const char *path)
{
    gb_bytes_in *bytes = NULL;
    gb_box_reader *reader = NULL;
    assert_int_equal(gb_bytes_in_file(path, &bytes), GB_OK);
    gb_status status = gb_box_reader_open(bytes, &reader);
    if (status != GB_OK)
        print_message("%s\n", gb_error_message());
    assert_int_equal(status, GB_OK);
    return reader;
}

static void record(const char *path, int64_t ticks, box_servo *servo)
{
    gb_blackbox *box = NULL;
    gb_blackbox_counts counts;
    box_servo_begin(servo);
    gb_blackbox_options options = box_options(path, &servo->policy);
    assert_int_equal(gb_blackbox_open(&options, &box), GB_OK);
    box_run(servo, box, ticks);
    assert_int_equal(gb_blackbox_close(box, &counts), GB_OK);
    assert_int_equal(counts.ticks, ticks);
    assert_int_equal(counts.decisions, servo->chunks);
    assert_int_equal(counts.ticks_lost, 0);
    assert_int_equal(counts.decisions_lost, 0);
    assert_int_equal(counts.status, GB_OK);
}

static void test_written_is_read(void **state)
{
    (void)state;
    box_servo servo;
    const char *path = path_of("read.mcap");
    record(path, 10000, &servo);
    assert_false(gb_file_exists(path_of("read.mcap.part")));
    gb_box_reader *reader = open_box(path_of("read.mcap"));
    const gb_box_header *header = gb_box_reader_header(reader);
    assert_string_equal(header->machine->name, "made-up");
    assert_string_equal(header->model_name, "models/made-up");
    assert_int_equal(header->machine->observation_size, BOX_OBSERVATIONS);
    assert_string_equal(header->machine->observation_streams[1].spec.name, "arm.force");
    assert_true(header->machine->action_streams[0].low[0] == -1.0);
    assert_true(header->machine->action_streams[0].high[5] == INFINITY);
    assert_int_equal(header->horizon, BOX_HORIZON);

    /* The same servo once more, beside the file: every byte of every tick. */
    gb_box_record next;
    bool have = true, closed = false;
    uint64_t ticks = 0;
    while (gb_box_reader_next(reader, &next, &have) == GB_OK && have) {
        if (next.kind == GB_BOX_TICK) {
            const box_tick *tick = next.bytes;
            assert_int_equal(tick->head.tick, ticks++);
            assert_true(tick->observation[3] == sin(0.001 * (double)tick->head.tick * 4) +
                                                    1e-9 * (double)(tick->head.tick * 7919 % 1009));
        }
        closed = next.kind == GB_BOX_CLOSE;
    }
    assert_false(have);
    assert_true(closed);
    assert_int_equal(ticks, 10000);
    gb_box_reader_destroy(reader);
}

static void test_is_a_recording(void **state)
{
    (void)state;
    box_servo servo;
    gb_recording *recording = NULL;
    record(path_of("recording.mcap"), 3000, &servo);
    assert_int_equal(gb_recording_file_load(path_of("recording.mcap"), &recording), GB_OK);
    int force = gb_recording_find(recording, "arm.force");
    int proposal = gb_recording_find(recording, "proposal.arm.target");
    int command = gb_recording_find(recording, "arm.target");
    int margin = gb_recording_find(recording, "envelope.margin");
    assert_true(force >= 0 && proposal >= 0 && command >= 0 && margin >= 0);
    const gb_stream_view *view = gb_recording_stream(recording, force);
    assert_int_equal(view->count, 3000);
    assert_int_equal(view->time_ns[0], INT64_C(1790000000000001000));
    assert_true(view->values[6 * 100] == (float)(sin(0.1 * 15) + 1e-9 * (100 * 7919 % 1009)));
    view = gb_recording_stream(recording, proposal);
    assert_true(isnan(view->values[0]));
    assert_int_equal(view->quality[0], GB_QUALITY_MISSING);
    assert_int_equal(view->quality[3], GB_QUALITY_GOOD);
    view = gb_recording_stream(recording, margin);
    assert_true(view->values[17] == 0.25f);
    gb_recording_destroy(recording);
}

static void test_ring_overrun_is_counted(void **state)
{
    (void)state;
    gb_blackbox *box = NULL;
    gb_blackbox_counts counts;
    box_servo servo;
    box_servo_begin(&servo);
    gb_blackbox_options options = box_options(path_of("overrun.mcap"), &servo.policy);
    options.ring_ticks = 64;
    assert_int_equal(gb_blackbox_open(&options, &box), GB_OK);
    for (int i = 0; i < 20000; i++)
        box_servo_tick(&servo, box);
    assert_int_equal(gb_blackbox_close(box, &counts), GB_OK);
    assert_int_equal(counts.ticks + counts.ticks_lost, 20000);
    assert_true(counts.ticks_lost > 0);
    gb_box_reader *reader = open_box(path_of("overrun.mcap"));
    gb_box_record next;
    bool have = true;
    gb_box_totals totals = {0};
    int64_t ticks = 0;
    while (gb_box_reader_next(reader, &next, &have) == GB_OK && have) {
        ticks += next.kind == GB_BOX_TICK;
        if (next.kind == GB_BOX_CLOSE)
            memcpy(&totals, next.bytes, sizeof totals);
    }
    assert_false(have);
    assert_int_equal(ticks, counts.ticks);
    assert_int_equal(totals.ticks, counts.ticks);
    assert_int_equal(totals.ticks_lost, counts.ticks_lost);
    assert_int_equal(totals.decisions, counts.decisions);
    gb_box_reader_destroy(reader);
}

static void test_nothing_is_overwritten(void **state)
{
    (void)state;
    gb_blackbox *box = NULL;
    box_servo servo;
    record(path_of("once.mcap"), 10, &servo);
    gb_blackbox_options options = box_options(path_of("once.mcap"), &servo.policy);
    assert_int_equal(gb_blackbox_open(&options, &box), GB_ERR_ARGUMENT);
    options.path = path_of("nowhere/once.mcap");
    assert_int_equal(gb_blackbox_open(&options, &box), GB_ERR_IO);
    options.path = path_of("bad.mcap");
    options.envelope_path = "/nowhere/envelope.yaml";
    assert_int_equal(gb_blackbox_open(&options, &box), GB_ERR_IO);
    assert_false(gb_file_exists(path_of("bad.mcap.part")));
    assert_null(box);
}

/* An envelope that was edited between its loading and the recording is not passed off as the one in
 * force. */
static void test_the_envelope_is_the_one_in_force(void **state)
{
    (void)state;
    gb_blackbox *box = NULL;
    box_servo servo;
    box_servo_begin(&servo);
    unsigned char hash[GB_HASH_BYTES];
    char limits[256];
    snprintf(limits, sizeof limits, "%s", path_of("limits.yaml"));
    gb_hash("low: 1", 6, hash);
    gb_blackbox_options options = box_options(path_of("forced.mcap"), &servo.policy);
    options.envelope_hash = hash;
    assert_int_equal(gb_blackbox_open(&options, &box), GB_ERR_MISMATCH); /* no file at all */
    options.envelope_path = limits;
    assert_int_equal(gb_file_replace(limits, "low: 9", 6), GB_OK);
    assert_int_equal(gb_blackbox_open(&options, &box), GB_ERR_MISMATCH);
    assert_non_null(strstr(gb_error_message(), "limits.yaml"));
    assert_false(gb_file_exists(path_of("forced.mcap.part")));
    assert_int_equal(gb_file_replace(limits, "low: 1", 6), GB_OK);
    options.path = path_of("forced.mcap");
    assert_int_equal(gb_blackbox_open(&options, &box), GB_OK);
    assert_int_equal(gb_blackbox_close(box, NULL), GB_OK);
}

/* ---- in a process of its own ---- */

static int run_child(int (*child)(void))
{
    int status = 0;
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(child());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* Files of this process may not grow beyond 200 kB. */
static int fill_disk(void)
{
    gb_blackbox *box = NULL;
    gb_blackbox_counts counts;
    box_servo servo;
    box_servo_begin(&servo);
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){200000, 200000});
    gb_blackbox_options options = box_options(path_of("full.mcap"), &servo.policy);
    if (gb_blackbox_open(&options, &box) != GB_OK)
        return 1;
    int64_t ticks = 0;
    for (counts.status = GB_OK; counts.status == GB_OK && ticks < 200000; ticks += 1000) {
        box_run(&servo, box, 1000);
        box_breathe(box, (int64_t)servo.tick.head.tick);
        gb_blackbox_counts_now(box, &counts);
    }
    box_run(&servo, box, 500); /* the servo does not notice */
    ticks += 500;
    if (gb_blackbox_close(box, &counts) != GB_ERR_IO || counts.status != GB_ERR_IO)
        return 2;
    if (!strstr(gb_error_message(), "full.mcap.part") || counts.ticks_lost < 500)
        return 3;
    return counts.ticks + counts.ticks_lost == ticks ? 0 : 4;
}

static void test_full_disk(void **state)
{
    (void)state;
    int status = run_child(fill_disk);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_false(gb_file_exists(path_of("full.mcap")));
    gb_replay_result result;
    assert_int_equal(gb_replay(path_of("full.mcap.part"), NULL, NULL, NULL, &result), GB_OK);
    assert_true(result.chain_whole);
    assert_false(result.closed);
}

static int kill_itself(void)
{
    gb_blackbox *box = NULL;
    box_servo servo;
    box_servo_begin(&servo);
    gb_blackbox_options options = box_options(path_of("killed.mcap"), &servo.policy);
    if (gb_blackbox_open(&options, &box) != GB_OK)
        return 1;
    for (int i = 0; i < 1300; i++) {
        box_servo_tick(&servo, box);
        nanosleep(&(struct timespec){0, 900000}, NULL);
    }
    kill(getpid(), SIGKILL);
    return 2;
}

static void test_kill_loses_a_second(void **state)
{
    (void)state;
    int status = run_child(kill_itself);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
    gb_replay_result result;
    char path[128], recovered[128];
    snprintf(path, sizeof path, "%s", path_of("killed.mcap.part"));
    snprintf(recovered, sizeof recovered, "%s", path_of("recovered.mcap"));
    assert_int_equal(gb_replay(path, box_make, &box_gain, "00ff", &result), GB_OK);
    assert_true(result.chain_whole && result.same_model);
    assert_false(result.closed);
    assert_true(result.ticks > 0);
    assert_int_equal(result.proposals_different, 0);

    gb_bytes_in *from = NULL;
    gb_bytes_out *to = NULL;
    gb_mcap_recovery recovery;
    int64_t ticks = result.ticks;
    assert_int_equal(gb_bytes_in_file(path, &from), GB_OK);
    assert_int_equal(gb_bytes_out_file(recovered, &to), GB_OK);
    assert_int_equal(gb_mcap_recover(from, to, &recovery), GB_OK);
    assert_int_equal(gb_replay(recovered, NULL, NULL, NULL, &result), GB_OK);
    assert_int_equal(result.ticks, ticks);
    assert_true(result.chain_whole);
    assert_false(result.closed);
}

/* Somebody put a file there while the run went on: it stays, and so does the record. */
static void test_nothing_is_overwritten_at_the_end(void **state)
{
    (void)state;
    char path[128], found[8] = "";
    box_servo servo;
    gb_blackbox *box = NULL;
    gb_blackbox_counts counts;
    snprintf(path, sizeof path, "%s", path_of("taken.mcap"));
    box_servo_begin(&servo);
    gb_blackbox_options options = box_options(path, &servo.policy);
    assert_int_equal(gb_blackbox_open(&options, &box), GB_OK);
    box_run(&servo, box, 50);
    assert_int_equal(gb_file_replace(path, "another", 7), GB_OK);
    assert_int_equal(gb_blackbox_close(box, &counts), GB_ERR_IO);
    assert_non_null(strstr(gb_error_message(), "exists by now"));
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(found, 1, sizeof found, file), 7);
    fclose(file);
    assert_memory_equal(found, "another", 7);
    gb_box_reader *reader = open_box(path_of("taken.mcap.part"));
    gb_box_reader_destroy(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written_is_read),
        cmocka_unit_test(test_is_a_recording),
        cmocka_unit_test(test_ring_overrun_is_counted),
        cmocka_unit_test(test_nothing_is_overwritten),
        cmocka_unit_test(test_the_envelope_is_the_one_in_force),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_kill_loses_a_second),
        cmocka_unit_test(test_nothing_is_overwritten_at_the_end),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
