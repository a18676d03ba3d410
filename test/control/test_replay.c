/* The replay: the same model gives the same bits, another one does not; every change of a record is
 * named; what is missing is said. */
#include "box.h"

#include "control/blackbox_format.h"
#include "control/replay.h"
#include "record/recording_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/genba-replay-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static void record(const char *path, int64_t ticks, int64_t skip_decision)
{
    gb_blackbox *box = NULL;
    box_servo servo;
    box_servo_begin(&servo);
    servo.skip_decision = skip_decision;
    gb_blackbox_options options = box_options(path, &servo.policy);
    unlink(path);
    assert_int_equal(gb_blackbox_open(&options, &box), GB_OK);
    box_run(&servo, box, ticks);
    assert_int_equal(gb_blackbox_close(box, NULL), GB_OK);
}

static void name_file(char *path, size_t size, const char *name)
{
    snprintf(path, size, "%s/%s", folder, name);
}

static void test_same_model_same_bits(void **state)
{
    (void)state;
    char path[128];
    gb_replay_result result;
    name_file(path, sizeof path, "same.mcap");
    record(path, 5000, 0);
    assert_int_equal(gb_replay(path, box_make, &box_gain, "00ff", &result), GB_OK);
    assert_int_equal(result.ticks, 5000);
    assert_int_equal(result.decisions, 125);
    assert_int_equal(result.decisions_checked, 125);
    assert_int_equal(result.decisions_different, 0);
    assert_int_equal(result.proposals_checked, 4997);
    assert_int_equal(result.proposals_different, 0);
    assert_int_equal(result.proposals_unchecked, 0);
    assert_true(result.first_different_tick == UINT64_MAX);
    assert_true(result.chain_whole && result.closed && result.same_model);
    assert_string_equal(result.machine_name, "plant:made-up");

    assert_int_equal(gb_replay(path, NULL, NULL, NULL, &result), GB_OK);
    assert_int_equal(result.decisions_checked, 0);
    assert_int_equal(result.proposals_different, 0);
    assert_false(result.same_model);
}

/* What a file says is printed on people's terminals, beside what was found out about it: it may not
 * look like that. */
static void test_texts_of_a_file_stay_on_their_line(void **state)
{
    (void)state;
    char path[128];
    gb_replay_result result;
    gb_blackbox *box = NULL;
    box_servo servo;
    box_servo_begin(&servo);
    name_file(path, sizeof path, "texts.mcap");
    gb_blackbox_options options = box_options(path, &servo.policy);
    options.machine_name = "arm\nhead  0123\x1b[2K\xc2\x9bm\x7f \xc3\xa9";
    options.model_name = "a\rb";
    options.model_hash_hex = "\x1b[1m";
    assert_int_equal(gb_blackbox_open(&options, &box), GB_OK);
    assert_int_equal(gb_blackbox_close(box, NULL), GB_OK);
    assert_int_equal(gb_replay(path, NULL, NULL, NULL, &result), GB_OK);
    assert_string_equal(result.machine_name, "arm?head  0123?[2K??m? \xc3\xa9");
    assert_string_equal(result.model_name, "a?b");
    assert_string_equal(result.model_hash, "?[1m");
}

static void test_other_model_differs(void **state)
{
    (void)state;
    char path[128];
    gb_replay_result result;
    name_file(path, sizeof path, "other.mcap");
    record(path, 1000, 0);
    assert_int_equal(gb_replay(path, box_make, &box_other_gain, "1234", &result), GB_OK);
    assert_int_equal(result.decisions_different, result.decisions_checked);
    assert_true(result.proposals_different > 800); /* frozen rows are the same */
    assert_int_equal(result.first_different_tick, 3);
    assert_true(result.chain_whole);
    assert_false(result.same_model);
}

/* A proposal that stands on no chunk came from nobody knows where. */
static void test_a_proposal_without_a_chunk_is_a_difference(void **state)
{
    (void)state;
    char path[128];
    gb_replay_result result;
    gb_blackbox *box = NULL;
    box_servo servo;
    name_file(path, sizeof path, "nobodys.mcap");
    box_servo_begin(&servo);
    gb_blackbox_options options = box_options(path, &servo.policy);
    assert_int_equal(gb_blackbox_open(&options, &box), GB_OK);
    box_run(&servo, box, 50);
    servo.tick.head.chunk = 0;
    servo.tick.proposal[3] = 0.25;
    gb_blackbox_tick(box, &servo.tick.head);
    assert_int_equal(gb_blackbox_close(box, NULL), GB_OK);
    assert_int_equal(gb_replay(path, NULL, NULL, NULL, &result), GB_OK);
    assert_int_equal(result.proposals_checked, 47);
    assert_int_equal(result.proposals_different, 1);
    assert_int_equal(result.first_different_tick, 50);
}

static gb_status make_short(const void *context, const gb_plant_info *plant, gb_policy *out)
{
    GB_TRY(box_make(context, plant, out));
    out->horizon = 4;
    return GB_OK;
}

static gb_status make_plain(const void *context, const gb_plant_info *plant, gb_policy *out)
{
    GB_TRY(box_make(context, plant, out));
    out->decide_after = NULL;
    return GB_OK;
}

static void test_model_that_does_not_fit(void **state)
{
    (void)state;
    char path[128];
    gb_replay_result result;
    name_file(path, sizeof path, "fit.mcap");
    record(path, 1000, 0);
    assert_int_equal(gb_replay(path, make_short, &box_gain, NULL, &result), GB_ERR_MISMATCH);
    assert_int_equal(gb_replay(path, make_plain, &box_gain, NULL, &result), GB_ERR_MISMATCH);
    assert_non_null(strstr(gb_error_message(), "real-time chunking"));
}

static void test_lost_decision_is_said(void **state)
{
    (void)state;
    char path[128];
    gb_replay_result result;
    name_file(path, sizeof path, "lost.mcap");
    record(path, 1000, 5);
    assert_int_equal(gb_replay(path, box_make, &box_gain, "00ff", &result), GB_OK);
    assert_int_equal(result.proposals_unchecked, BOX_EXECUTE * BOX_TICKS_A_PERIOD);
    assert_int_equal(result.proposals_checked, 997 - result.proposals_unchecked);
    assert_int_equal(result.proposals_different, 0);
}

/* ---- tampering: a copy of the file with one change, and all checksums of MCAP right -------------
 */

typedef struct change {
    int64_t record; /* which record is changed, dropped or repeated */
    enum {
        FLIP,
        DROP_BLOCK,
        SWAP_BLOCKS,
        CUT_LAST_BLOCK
    } what;
    size_t byte; /* FLIP: of the record */
} change;

/* The first of the block's records and the one behind its last. */
static void range_of(const unsigned char *block, uint64_t *first, uint64_t *end)
{
    uint32_t count;
    memcpy(first, block + 8, 8);
    memcpy(&count, block + 48, 4);
    *end = *first + count;
}

static void flip(unsigned char *block, int64_t skip, size_t byte)
{
    unsigned char *at = block + GB_BOX_BLOCK_BYTES;
    for (; skip > 0; skip--) {
        uint32_t size;
        memcpy(&size, at + 4, 4);
        at += GB_BOX_RECORD_BYTES + size;
    }
    at[GB_BOX_RECORD_BYTES + byte] ^= 1;
}

typedef struct blocks {
    unsigned char *data[256];
    size_t size[256];
    int count;
} blocks;

static void read_blocks(const char *path, blocks *out)
{
    gb_bytes_in *bytes = NULL;
    gb_mcap_reader *reader = NULL;
    gb_mcap_message message;
    gb_decoded decoded = {0};
    gb_stream_spec spec = gb_stream_spec_defaults(GB_BOX_STREAM);
    bool have = true;
    memset(out, 0, sizeof *out);
    spec.value_type = GB_VALUE_BYTES;
    assert_int_equal(gb_bytes_in_file(path, &bytes), GB_OK);
    assert_int_equal(gb_mcap_reader_create(bytes, &reader), GB_OK);
    assert_int_equal(gb_mcap_rewind(reader, NULL), GB_OK);
    while (gb_mcap_next(reader, &message, &have) == GB_OK && have) {
        if (strcmp(gb_mcap_reader_channel(reader, message.channel_id)->topic, GB_BOX_STREAM) != 0)
            continue;
        assert_int_equal(
            gb_decode_message(GB_MESSAGE_BYTES, &spec, message.data, message.size, &decoded),
            GB_OK);
        size_t size = decoded.samples.run_sizes[0];
        assert_in_range(out->count, 0, 255);
        out->data[out->count] = malloc(size);
        out->size[out->count] = size;
        memcpy(out->data[out->count++], decoded.samples.runs[0], size);
    }
    gb_decoded_free(&decoded);
    gb_mcap_reader_destroy(reader);
}

static void write_attached(const char *path, const blocks *from, const char *const *envelopes)
{
    gb_recording_host host = {0};
    gb_recording_writer *writer = NULL;
    gb_bytes_out *out = NULL;
    gb_recording_info info = {.name = "tampered"};
    gb_recording_file_options options = gb_recording_file_options_defaults();
    gb_stream_spec spec = gb_stream_spec_defaults(GB_BOX_STREAM);
    int stream = 0;
    spec.value_type = GB_VALUE_BYTES;
    spec.encoding = GB_BOX_ENCODING;
    assert_int_equal(gb_bytes_out_file(path, &out), GB_OK);
    assert_int_equal(gb_recording_writer_create(&host, &info, NULL, &writer), GB_OK);
    assert_int_equal(gb_recording_writer_open(writer, out, &options), GB_OK);
    assert_int_equal(gb_recording_writer_stream(writer, &spec, &stream), GB_OK);
    for (int i = 0; envelopes && envelopes[i]; i++)
        assert_int_equal(gb_recording_writer_attach(writer, GB_BOX_ENVELOPE, "application/yaml",
                                                    envelopes[i], strlen(envelopes[i])),
                         GB_OK);
    for (int i = 0; i < from->count; i++) {
        const unsigned char *run = from->data[i];
        if (!run)
            continue;
        int64_t time_ns = i;
        gb_samples one = {
            .count = 1, .time_ns = &time_ns, .runs = &run, .run_sizes = &from->size[i]};
        assert_int_equal(gb_recording_writer_append(writer, stream, &one), GB_OK);
    }
    assert_int_equal(gb_recording_writer_finish(writer), GB_OK);
    gb_recording_writer_destroy(writer);
}

static void write_blocks(const char *path, const blocks *from)
{
    write_attached(path, from, NULL);
}

static void apply(blocks *all, const change *c)
{
    for (int i = 0; i < all->count; i++) {
        uint64_t first, end;
        range_of(all->data[i], &first, &end);
        if ((uint64_t)c->record < first || (uint64_t)c->record >= end)
            continue;
        if (c->what == FLIP) {
            flip(all->data[i], c->record - (int64_t)first, c->byte);
        } else if (c->what == SWAP_BLOCKS) {
            unsigned char *data = all->data[i];
            size_t size = all->size[i];
            all->data[i] = all->data[i + 1];
            all->size[i] = all->size[i + 1];
            all->data[i + 1] = data;
            all->size[i + 1] = size;
        } else {
            free(all->data[i]);
            all->data[i] = NULL;
        }
        return;
    }
    fail_msg("no block has record %lld", (long long)c->record);
}

static gb_status tamper(const char *from, const change *c, gb_replay_result *out)
{
    char path[128];
    blocks all;
    name_file(path, sizeof path, "tampered.mcap");
    read_blocks(from, &all);
    if (c)
        apply(&all, c);
    write_blocks(path, &all);
    for (int i = 0; i < all.count; i++)
        free(all.data[i]);
    return gb_replay(path, NULL, NULL, NULL, out);
}

/* Only the envelope that was used may be attached, as often as one likes. */
static void test_attachments_are_the_envelope_that_was_used(void **state)
{
    (void)state;
    static const char right[] = "low: 1\n", wrong[] = "low: 9\n";
    static const struct {
        const char *envelopes[3];
        bool used, good;
    } cases[] = {{{right}, true, true},         {{wrong}, true, false},
                 {{right, right}, true, true},  {{right, wrong}, true, false},
                 {{wrong, right}, true, false}, {{NULL}, true, false},
                 {{right}, false, false},       {{NULL}, false, true}};
    char path[128], limits[128], other[128];
    gb_replay_result result;
    name_file(limits, sizeof limits, "limits.yaml");
    name_file(path, sizeof path, "attached.mcap");
    name_file(other, sizeof other, "other.mcap");
    assert_int_equal(gb_file_replace(limits, right, strlen(right)), GB_OK);
    for (int used = 0; used < 2; used++) {
        gb_blackbox *box = NULL;
        box_servo servo;
        blocks all;
        box_servo_begin(&servo);
        gb_blackbox_options options = box_options(path, &servo.policy);
        options.envelope_path = used ? limits : NULL;
        unlink(path);
        assert_int_equal(gb_blackbox_open(&options, &box), GB_OK);
        box_run(&servo, box, 50);
        assert_int_equal(gb_blackbox_close(box, NULL), GB_OK);
        read_blocks(path, &all);
        for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
            if (cases[i].used != (bool)used)
                continue;
            write_attached(other, &all, cases[i].envelopes);
            gb_status status = gb_replay(other, NULL, NULL, NULL, &result);
            if (status != (cases[i].good ? GB_OK : GB_ERR_CORRUPT))
                fail_msg("case %u: %d", i, (int)status);
        }
        for (int i = 0; i < all.count; i++)
            free(all.data[i]);
    }
}

static void test_tampering_is_named(void **state)
{
    (void)state;
    char path[128], expected[64];
    gb_replay_result result;
    name_file(path, sizeof path, "chain.mcap");
    record(path, 2000, 0);
    assert_int_equal(tamper(path, NULL, &result), GB_OK);
    assert_true(result.chain_whole && result.closed);
    uint64_t records = result.records;

    for (int64_t number = 1; number < (int64_t)records; number += 97) {
        change c = {.record = number, .what = FLIP, .byte = (size_t)(number % 32)};
        snprintf(expected, sizeof expected, "broken at record %lld", (long long)number);
        assert_int_equal(tamper(path, &c, &result), GB_ERR_CORRUPT);
        assert_non_null(strstr(gb_error_message(), expected));
        assert_false(result.chain_whole);
        assert_int_equal(result.records, number);
    }
    /* The lowest bit of an observation. */
    change c = {.record = 1, .what = FLIP, .byte = sizeof(gb_tick)};
    assert_int_equal(tamper(path, &c, &result), GB_ERR_CORRUPT);
    assert_non_null(strstr(gb_error_message(), "(tick 0)"));
    c = (change){.record = 700, .what = DROP_BLOCK};
    assert_int_equal(tamper(path, &c, &result), GB_ERR_CORRUPT);
    assert_non_null(strstr(gb_error_message(), "are missing"));
    c = (change){.record = 700, .what = SWAP_BLOCKS};
    assert_int_equal(tamper(path, &c, &result), GB_ERR_CORRUPT);
    c = (change){.record = (int64_t)records - 1, .what = CUT_LAST_BLOCK};
    assert_int_equal(tamper(path, &c, &result), GB_OK);
    assert_true(result.chain_whole);
    assert_false(result.closed);
    c = (change){.record = 0, .what = DROP_BLOCK};
    assert_int_not_equal(tamper(path, &c, &result), GB_OK);
}

/* Where the header's text says the precision; the first record of the first block. */
static size_t find_precision(const blocks *all)
{
    const char *text = (const char *)all->data[0] + GB_BOX_BLOCK_BYTES + GB_BOX_RECORD_BYTES;
    const char *at = memmem(text, all->size[0] - GB_BOX_BLOCK_BYTES - GB_BOX_RECORD_BYTES,
                            "\"precision\":\"bf16\"", 18);
    assert_non_null(at);
    return (size_t)(at - text);
}

/* Each byte of it belongs to the chain. */
static void test_tampered_precision_is_named(void **state)
{
    (void)state;
    char path[128];
    gb_replay_result result;
    gb_blackbox *box = NULL;
    gb_dtype compute = GB_F32;
    box_servo servo;
    blocks all;
    name_file(path, sizeof path, "precision.mcap");
    box_servo_begin(&servo);
    servo.policy.compute = GB_BF16;
    gb_blackbox_options options = box_options(path, &servo.policy);
    assert_int_equal(gb_blackbox_open(&options, &box), GB_OK);
    box_run(&servo, box, 100);
    assert_int_equal(gb_blackbox_close(box, NULL), GB_OK);
    assert_int_equal(gb_blackbox_precision(path, &compute), GB_OK);
    assert_int_equal(compute, GB_BF16);
    assert_int_equal(gb_replay(path, box_make, &box_gain, NULL, &result), GB_ERR_MISMATCH);

    read_blocks(path, &all);
    size_t at = find_precision(&all);
    for (int i = 0; i < all.count; i++)
        free(all.data[i]);
    for (size_t i = 0; i < 18; i++) {
        change c = {.record = 0, .what = FLIP, .byte = at + i};
        compute = GB_F32;
        assert_int_equal(tamper(path, &c, &result), GB_ERR_CORRUPT);
        name_file(path, sizeof path, "tampered.mcap");
        assert_int_equal(gb_blackbox_precision(path, &compute), GB_ERR_CORRUPT);
        assert_int_equal(compute, GB_F32);
        name_file(path, sizeof path, "precision.mcap");
    }
}

static gb_status parse_header(const char *format, const char *precision, gb_dtype *out)
{
    char text[1024];
    gb_arena *arena = NULL;
    gb_box_header header = {.compute = GB_DTYPE_COUNT};
    assert_int_equal(gb_arena_create(0, &arena), GB_OK);
    int size = snprintf(text, sizeof text, format, precision);
    gb_status status = gb_box_header_parse(text, (size_t)size, arena, &header);
    *out = header.compute;
    gb_arena_destroy(arena);
    return status;
}

/* A header from before there was a choice, one of each precision, and nonsense. */
static void test_precision_in_the_header(void **state)
{
    (void)state;
    static const char format[] =
        "{\"format\":\"genba.blackbox\",\"version\":1,\"nonce\":\"\",\"started_wall_ns\":1,"
        "\"link\":\"x\",\"tick_ns\":1000000,\"envelope_hash\":\"\",\"model\":{\"name\":\"m\","
        "\"hash\":\"\",\"look_back\":1,\"horizon\":4,\"execute\":2%s},\"machine\":{\"name\":\"x\","
        "\"period_ns\":1000000,\"tick_ns\":1000000,\"observations\":[],\"actions\":[]}}";
    gb_dtype compute;
    assert_int_equal(parse_header(format, "", &compute), GB_OK);
    assert_int_equal(compute, GB_F32);
    assert_int_equal(parse_header(format, ",\"precision\":\"f32\"", &compute), GB_OK);
    assert_int_equal(compute, GB_F32);
    assert_int_equal(parse_header(format, ",\"precision\":\"bf16\"", &compute), GB_OK);
    assert_int_equal(compute, GB_BF16);
    assert_int_equal(parse_header(format, ",\"precision\":\"int8\"", &compute), GB_ERR_SCHEMA);
    assert_non_null(strstr(gb_error_message(), "f32 or bf16"));
    assert_int_not_equal(parse_header(format, ",\"precision\":1", &compute), GB_OK);
    assert_int_equal(compute, GB_DTYPE_COUNT); /* the output is untouched */
}

static void test_no_black_box(void **state)
{
    (void)state;
    char path[128];
    gb_replay_result result;
    blocks none = {.count = 0};
    name_file(path, sizeof path, "none.mcap");
    write_blocks(path, &none);
    assert_int_not_equal(gb_replay(path, NULL, NULL, NULL, &result), GB_OK);
    assert_int_equal(gb_replay("/nowhere/x.mcap", NULL, NULL, NULL, &result), GB_ERR_IO);
}

/* ---- torture: a file of 60 ticks that is kept, so that the format stays what it is
 * ----------------
 */

#define GOLDEN GENBA_SOURCE_DIR "/test/golden/blackbox/small.mcap"
#define GOLDEN_HEAD "c57b86d689edb91dfba6aec56775643cce9511ae0b6000d8b56fedfe62047cb7"

static unsigned char *read_file(const char *path, size_t *size)
{
    gb_file_view view;
    assert_int_equal(gb_file_map(path, &view), GB_OK);
    unsigned char *copy = malloc(view.size);
    memcpy(copy, view.data, view.size);
    *size = view.size;
    gb_file_unmap(&view);
    return copy;
}

static gb_status replay_memory(const unsigned char *data, size_t size, gb_replay_result *out)
{
    gb_bytes_in *bytes = NULL;
    assert_int_equal(gb_bytes_in_memory(data, size, "memory", &bytes), GB_OK);
    return gb_replay_bytes(bytes, NULL, NULL, NULL, out); /* sines differ between libraries */
}

/* A flipped or missing byte is never taken for the run that was. */
static void test_every_byte(void **state)
{
    (void)state;
    size_t size = 0;
    gb_replay_result whole, result;
    unsigned char *data = read_file(GOLDEN, &size);
    assert_int_equal(replay_memory(data, size, &whole), GB_OK);
    assert_string_equal(whole.last_hash, GOLDEN_HEAD);
    assert_int_equal(whole.ticks, 60);
    assert_int_equal(whole.compute, GB_F32); /* it is from before there was a choice */
    for (size_t i = 0; i < size; i++) {
        data[i] ^= (unsigned char)(1u << i % 8);
        if (replay_memory(data, size, &result) == GB_OK) {
            assert_string_equal(result.last_hash, whole.last_hash);
            assert_int_equal(result.proposals_different, 0);
            assert_int_equal(result.ticks, 60);
        }
        data[i] ^= (unsigned char)(1u << i % 8);
    }
    for (size_t cut = 0; cut < size; cut++)
        assert_int_not_equal(replay_memory(data, cut, &result), GB_OK);
    free(data);
}

/* The run is there to its end, but the file is not: that is said apart. */
static void test_a_cut_behind_the_run_is_said(void **state)
{
    (void)state;
    char path[128];
    size_t size = 0;
    gb_replay_result result;
    name_file(path, sizeof path, "behind.mcap");
    record(path, 500, 0);
    assert_int_equal(gb_replay(path, NULL, NULL, NULL, &result), GB_OK);
    assert_true(result.closed && !result.file_cut);
    unsigned char *data = read_file(path, &size);
    for (size_t missing = 1; missing < 100; missing += 7) {
        assert_int_equal(gb_file_replace(path, data, size - missing), GB_OK);
        assert_int_equal(gb_replay(path, NULL, NULL, NULL, &result), GB_OK);
        assert_true(result.closed && result.file_cut);
        assert_int_equal(result.ticks, 500);
    }
    assert_int_equal(gb_file_replace(path, data, size / 2), GB_OK);
    if (gb_replay(path, NULL, NULL, NULL, &result) == GB_OK)
        assert_true(!result.closed && result.file_cut);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_model_same_bits),
        cmocka_unit_test(test_texts_of_a_file_stay_on_their_line),
        cmocka_unit_test(test_other_model_differs),
        cmocka_unit_test(test_a_proposal_without_a_chunk_is_a_difference),
        cmocka_unit_test(test_model_that_does_not_fit),
        cmocka_unit_test(test_lost_decision_is_said),
        cmocka_unit_test(test_attachments_are_the_envelope_that_was_used),
        cmocka_unit_test(test_tampering_is_named),
        cmocka_unit_test(test_tampered_precision_is_named),
        cmocka_unit_test(test_precision_in_the_header),
        cmocka_unit_test(test_no_black_box),
        cmocka_unit_test(test_a_cut_behind_the_run_is_said),
        cmocka_unit_test(test_every_byte),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
