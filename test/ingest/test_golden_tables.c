/* Tables as plants write them (test/golden/table): guessed, read by the guess, every value checked;
 * cut at every byte and with every byte changed they give a status, never more rows than there are.
 */
#include "ingest/guess_map.h"
#include "ingest/map.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOLDER GENBA_SOURCE_DIR "/test/golden/table/"
#define SECOND_NS 1000000000LL

static gb_arena *arena;
static gb_dataset *dataset;
static gb_ingest_report report;

static int set_up(void **state)
{
    (void)state;
    return gb_arena_create(0, &arena) == GB_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    gb_dataset_destroy(dataset);
    gb_arena_destroy(arena);
    dataset = NULL;
    return 0;
}

static const char *guess(const char *path)
{
    const char *yaml = NULL;
    if (gb_ingest_guess(path, NULL, arena, &yaml) != GB_OK)
        fail_msg("%s", gb_error_message());
    return yaml;
}

/* What a person would do: choose the zone that is proposed. */
static char *choose_zone(const char *yaml)
{
    char *edited = gb_arena_text(arena, yaml);
    char *comment = strstr(edited, "# zone:");
    if (comment)
        memmove(comment, comment + 2, strlen(comment + 2) + 1);
    return edited;
}

static void ingest(const char *yaml, const char *path)
{
    gb_stream_map *map = NULL;
    memset(&report, 0, sizeof report);
    if (gb_stream_map_parse(yaml, strlen(yaml), "guess", &map) != GB_OK ||
        gb_ingest_folder(map, path, NULL, &report, &dataset) != GB_OK)
        fail_msg("%s\n%s", gb_error_message(), yaml);
    gb_stream_map_destroy(map);
    assert_int_equal(report.rows_read, report.rows_stored + report.rows_rejected);
}

static const gb_stream_view *stream_of(int64_t recording, const char *name)
{
    const gb_recording *in = gb_dataset_get(dataset, recording);
    int number = gb_recording_find(in, name);
    if (number < 0)
        fail_msg("no stream %s", name);
    return gb_recording_stream(in, number);
}

static void a_japanese_plant(void **state)
{
    (void)state;
    const char *yaml = guess(FOLDER "plant_cp932.csv");
    assert_non_null(strstr(yaml, "encoding: cp932"));
    assert_non_null(strstr(yaml, "# zone: Asia/Tokyo"));
    ingest(choose_zone(yaml), FOLDER "plant_cp932.csv");
    assert_int_equal(report.rows_stored, 24);
    assert_int_equal(report.rows_rejected, 0);
    const gb_stream_view *flow = stream_of(0, "流量");
    assert_int_equal(flow->count, 24);
    assert_true(flow->time_ns[0] == (1711897200LL - 0) * SECOND_NS); /* 2024-03-31 15:00 UTC */
    assert_true(isnan(flow->values[7]) && isnan(flow->values[9]));
    assert_true(flow->values[6] == 1.26F);
    assert_int_equal(flow->quality[8], GB_QUALITY_MISSING);
    assert_string_equal(flow->spec->unit, "L/min");
    const gb_stream_view *state_of = stream_of(0, "状態");
    assert_true(state_of->values[8] == 0 && state_of->values[9] == 1);
    const gb_stream_view *notes = stream_of(0, "備考");
    assert_int_equal(notes->offset[1], strlen("運転開始～"));
    assert_memory_equal(notes->raw, "運転開始～", strlen("運転開始～"));
    assert_memory_equal(notes->raw + notes->offset[9], "ﾎﾟﾝﾌﾟ 過負荷", strlen("ﾎﾟﾝﾌﾟ 過負荷"));
    assert_memory_equal(notes->raw + notes->offset[11], "復旧 ②系統", strlen("復旧 ②系統"));
}

static void a_european_file(void **state)
{
    (void)state;
    ingest(guess(FOLDER "european_utf16le.csv"), FOLDER "european_utf16le.csv");
    assert_int_equal(report.rows_stored, 20);
    assert_true(report.decimal_comma && report.byte_order_mark);
    assert_int_equal(report.period_ns, 600 * SECOND_NS);
    const gb_stream_view *air = stream_of(0, "Außentemperatur");
    assert_string_equal(air->spec->unit, "Cel");
    assert_true(air->values[0] == -2.5F && air->values[19] == 3.2F);
    assert_true(air->time_ns[12] == 1704067200LL * SECOND_NS); /* 2024-01-01 00:00 */
}

static void clocks_that_are_changed(void **state)
{
    (void)state;
    if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK) != 0)
        skip();
    const char *yaml = guess(FOLDER "berlin_2024.csv");
    assert_non_null(
        strstr(yaml, "clock change? at 2024-03-31 03:00 the stamps jump one hour ahead"));
    assert_non_null(
        strstr(yaml, "clock change? at 2024-10-27 02:00 the stamps jump one hour back"));
    assert_non_null(strstr(yaml, "# zone: Europe/Berlin"));
    ingest(choose_zone(yaml), FOLDER "berlin_2024.csv");
    assert_int_equal(report.rows_stored, 49);
    const gb_stream_view *power = stream_of(0, "power");
    /* in spring nothing is doubtful: UTC runs on */
    for (int i = 0; i < 24; i++)
        assert_true(power->time_ns[i] == (1711839600LL + 600 * i) * SECOND_NS);
    /* in autumn 02:00 to 02:50 stands there twice: both read as the first, and are marked */
    for (int i = 0; i < 24; i++) {
        int64_t wall = i < 18 ? i : i - 6;
        assert_true(power->time_ns[24 + i] == (1729980000LL + 600 * wall) * SECOND_NS);
        assert_int_equal(power->reason[24 + i] != GB_REASON_NONE, i >= 12);
    }
    /* 2025-03-30 02:30 was never shown: taken for 03:30, and marked */
    assert_true(power->time_ns[48] == 1743298200LL * SECOND_NS);
    assert_int_equal(power->reason[48], GB_REASON_AMBIGUOUS_TIME);
}

static void lines_of_json(void **state)
{
    (void)state;
    const char *yaml = guess(FOLDER "press.jsonl");
    ingest(yaml, FOLDER "press.jsonl");
    assert_int_equal(report.rows_read, 13);
    assert_int_equal(report.rows_rejected, 1);
    assert_int_equal(report.examples[0].row, 7);
    assert_int_equal(gb_dataset_count(dataset), 1);
    const gb_stream_view *force = stream_of(0, "force_kN");
    assert_string_equal(force->spec->unit, "kN");
    assert_true(isnan(force->values[4]) && force->values[5] == 17);
    assert_true(force->time_ns[1] == 1711929601500000000LL);
    const gb_stream_view *axis = stream_of(0, "machine.axis[0]");
    assert_true(axis->values[11] == 1.1F);
    const gb_stream_view *message = stream_of(0, "message");
    assert_memory_equal(message->raw + message->offset[3], "cycle 3 \"done\"", 14);
    const gb_stream_view *door = stream_of(0, "door");
    assert_true(door->values[0] == 1 && door->values[1] == 0);
}

/* ---- damage -----------------------------------------------------------------------------------
 */

static void try_file(const gb_stream_map *map, const char *path, int64_t rows_most)
{
    gb_dataset *read = NULL;
    gb_ingest_report found = {0};
    gb_status status = gb_ingest_folder(map, path, NULL, &found, &read);
    assert_int_equal(found.rows_read, found.rows_stored + found.rows_rejected);
    assert_true((status == GB_OK) == (read != NULL));
    assert_true(found.rows_stored <= rows_most);
    if (status != GB_OK)
        assert_true(strlen(gb_error_message()) > 10);
    gb_dataset_destroy(read);
}

static void try_guess(const char *bytes, size_t size, bool json)
{
    gb_arena *own = NULL;
    gb_sample sample;
    const char *yaml = NULL;
    gb_stream_map *map = NULL;
    gb_ingest_options options = gb_ingest_options_defaults();
    assert_int_equal(gb_arena_create(0, &own), GB_OK);
    gb_status status = gb_sample_decode(bytes, size, true, "damaged", own, &sample);
    if (status == GB_OK && json)
        status = gb_guess_json(&sample, "damaged", &options, own, &yaml);
    else if (status == GB_OK)
        status = gb_guess_table(&sample, "damaged", &options, NULL, own, &yaml);
    if (status == GB_OK && gb_stream_map_parse(yaml, strlen(yaml), "guess", &map) != GB_OK)
        fail_msg("%s\n%s", gb_error_message(), yaml);
    gb_stream_map_destroy(map);
    gb_arena_destroy(own);
}

static void damage(const char *name, int64_t rows)
{
    char path[] = "/tmp/genba_damaged_XXXXXX", from[512], *bytes = NULL;
    size_t size = 0;
    gb_stream_map *map = NULL;
    snprintf(from, sizeof from, FOLDER "%s", name);
    assert_int_equal(gb_file_read(from, 0, arena, &bytes, &size), GB_OK);
    const char *yaml = guess(from);
    bool json = strstr(yaml, "reader: jsonl") != NULL;
    assert_int_equal(gb_stream_map_parse(yaml, strlen(yaml), "guess", &map), GB_OK);
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(pwrite(file, bytes, size, 0), size);
    for (size_t i = 0; i < size; i++) {
        char kept = bytes[i];
        bytes[i] = (char)(kept ^ (i % 3 == 0 ? 0x80 : i % 3 == 1 ? 0x01 : 0xFF));
        assert_int_equal(pwrite(file, bytes + i, 1, (off_t)i), 1);
        try_file(map, path, rows + 2); /* a byte can become the end of a line */
        try_guess(bytes, size, json);
        bytes[i] = kept;
        assert_int_equal(pwrite(file, bytes + i, 1, (off_t)i), 1);
    }
    for (size_t cut = size; cut-- > 0;) {
        assert_int_equal(ftruncate(file, (off_t)cut), 0);
        try_file(map, path, rows);
        if (cut > 0)
            try_guess(bytes, cut, json);
    }
    close(file);
    unlink(path);
    gb_stream_map_destroy(map);
}

static void damaged_tables(void **state)
{
    (void)state;
    damage("plant_cp932.csv", 24);
    damage("european_utf16le.csv", 20);
}

static void damaged_lines_of_json(void **state)
{
    (void)state;
    damage("press.jsonl", 13);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_japanese_plant), TEST(a_european_file), TEST(clocks_that_are_changed),
        TEST(lines_of_json),    TEST(damaged_tables),  TEST(damaged_lines_of_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
