/* Proposed maps: what is found in tables of many kinds, and that every proposal is a map. */
#include "ingest/guess_map.h"
#include "ingest/guess_unit.h"
#include "ingest/map.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <iconv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static gb_arena *arena;
static gb_stream_map *map; /* of the last proposal */

static int set_up(void **state)
{
    (void)state;
    return gb_arena_create(0, &arena) == GB_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    gb_stream_map_destroy(map);
    gb_arena_destroy(arena);
    map = NULL;
    arena = NULL;
    return 0;
}

/* The proposal for a file of these bytes, which must be a map. */
static const char *propose(const char *bytes, size_t size)
{
    gb_sample sample;
    const char *yaml = NULL;
    gb_ingest_options options = gb_ingest_options_defaults();
    gb_status status = gb_sample_decode(bytes, size, true, "plant [1].csv", arena, &sample);
    if (status == GB_OK)
        status = gb_guess_table(&sample, "folder/plant [1].csv", &options, NULL, arena, &yaml);
    if (status != GB_OK)
        fail_msg("%s", gb_error_message());
    gb_stream_map_destroy(map);
    map = NULL;
    if (gb_stream_map_parse(yaml, strlen(yaml), "proposal", &map) != GB_OK)
        fail_msg("%s\n%s", gb_error_message(), yaml);
    return yaml;
}

static const char *propose_text(const char *text)
{
    return propose(text, strlen(text));
}

static void says(const char *yaml, const char *part)
{
    if (!strstr(yaml, part))
        fail_msg("expected \"%s\" in:\n%s", part, yaml);
}

static void says_not(const char *yaml, const char *part)
{
    if (strstr(yaml, part))
        fail_msg("did not expect \"%s\" in:\n%s", part, yaml);
}

static const gb_map_stream *stream(const char *name)
{
    for (uint32_t i = 0; i < map->data->streams_count; i++)
        if (strcmp(map->data->streams[i].name, name) == 0)
            return &map->data->streams[i];
    fail_msg("no stream %s", name);
    return NULL;
}

static size_t encode(const char *to, const char *text, char *out, size_t room)
{
    iconv_t handle = iconv_open(to, "UTF-8");
    assert_true(handle != (iconv_t)-1);
    char *in = (char *)(uintptr_t)text, *at = out;
    size_t left = strlen(text), space = room;
    assert_true(iconv(handle, &in, &left, &at, &space) != (size_t)-1);
    iconv_close(handle);
    return room - space;
}

static void units_in_names(void **state)
{
    (void)state;
    static const char *const names[][3] = {
        {"Air temperature [K]", "Air temperature", "K"},
        {"Torque [Nm]", "Torque", "N.m"},
        {"temp_degC", "temp_degC", "Cel"},
        {"流量(L/min)", "流量", "L/min"},
        {"圧力[MPa]", "圧力", "MPa"},
        {"Pressure (kgf/cm2)", "Pressure", "kgf/cm2"},
        {"温度（℃）", "温度", "Cel"},
        {"position_m", "position_m", "m"},
        {"phase_a", "phase_a", ""},
        {"current_A", "current_A", "A"},
        {"Speed (average)", "Speed (average)", ""},
        {"plain", "plain", ""},
        {"[]", "[]", ""},
        {"ratio [-]", "ratio", "1"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        gb_guess_unit unit;
        gb_guess_unit_of_name(names[i][0], &unit);
        assert_string_equal(unit.label, names[i][1]);
        assert_string_equal(unit.code, names[i][2]);
    }
    gb_guess_unit unit;
    gb_guess_unit_of_name("Rotational speed [rpm]", &unit);
    assert_string_equal(unit.label, "Rotational speed");
    assert_string_not_equal(unit.code, "");
}

static void a_plain_table(void **state)
{
    (void)state;
    const char *yaml = propose_text("date,load [kW],note,mode,fixed,Druck\n"
                                    "2016-07-01 00:00:00,1.5,\"a, b\",on,7,3\n"
                                    "2016-07-01 01:00:00,-9999,x: y,off,7,4\n"
                                    "2016-07-01 02:00:00,2.5,# z,on,7,Bad\n"
                                    "2016-07-01 03:00:00,-9999,'q,on,7,5\n"
                                    "2016-07-01 04:00:00,2.5,r,off,7,6\n"
                                    "2016-07-01 06:00:00,2.5,s,on,7,7\n"
                                    "2016-07-01 07:00:00,2.5,t,on,7,Bad\n"
                                    "2016-07-01 08:00:00,2.5,u,on,7,8\n"
                                    "2016-07-01 09:00:00,2.5,v,on,7,8\n"
                                    "2016-07-01 10:00:00,2.5,w,on,7,8\n");
    const gb_map_data *data = map->data;
    assert_string_equal(data->name, "plant [1]");
    assert_string_equal(data->files[0], "plant \\[1\\].csv");
    assert_int_equal(data->csv.delimiter, ',');
    assert_int_equal(data->csv.header, GB_HEADER_YES);
    assert_string_equal(data->csv.encoding, "utf-8");
    assert_string_equal(data->time.column, "date");
    assert_int_equal(data->time.format, GB_TIME_FORMAT_DATETIME);
    assert_null(data->time.zone);
    assert_string_equal(stream("load")->columns[0], "load [kW]");
    assert_string_equal(stream("load")->unit, "kW");
    assert_int_equal(stream("load")->sentinels_count, 1);
    assert_true(stream("load")->sentinels[0] == -9999);
    assert_int_equal(stream("note")->kind, GB_STREAM_EVENT);
    assert_int_equal(stream("mode")->categories_count, 2);
    assert_string_equal(stream("mode")->categories[0], "off");
    assert_int_equal(data->csv.missing_count, 1);
    assert_string_equal(data->csv.missing[0], "Bad");
    assert_string_equal(stream("fixed")->unit, "");
    says(yaml, "# always 7");
    says(yaml, "# zone: ");
    says(yaml, "steps: 1 h (0.000277778 Hz), jitter 0 s, longest 2 h; more than 1 % off: 1 of 9");
}

static void a_japanese_plant_log(void **state)
{
    (void)state;
    static const char text[] = "㈱髙橋製作所 ①号機\n"
                               "出力日,2024/05/01\n"
                               "\n"
                               "日付,時刻,温度[℃],流量(L/min),圧力[MPa],状態,備考\n"
                               "2024/04/01,00:00:00,20.5,1.2,0.5,正常,開始～\n"
                               "2024/04/01,00:00:10,20.6,1.2,0.5,正常,\n"
                               "2024/04/01,00:00:20,20.6,9999,0.5,異常,\n"
                               "2024/04/01,00:00:30,20.7,9999,0.5,正常,\n"
                               "2024/04/01,00:00:40,20.7,1.3,0.5,正常,\n";
    char bytes[1024];
    const char *yaml = propose(bytes, encode("CP932", text, bytes, sizeof bytes));
    const gb_map_data *data = map->data;
    assert_string_equal(data->csv.encoding, "cp932");
    assert_int_equal(data->csv.skip_rows, 3);
    assert_string_equal(data->time.column, "日付");
    assert_string_equal(data->time.time_column, "時刻");
    says(yaml, "# zone: Asia/Tokyo");
    says(yaml, "steps: 10 s (0.1 Hz)");
    assert_string_equal(stream("温度")->unit, "Cel");
    assert_string_equal(stream("流量")->unit, "L/min");
    assert_true(stream("流量")->sentinels[0] == 9999);
    assert_string_equal(stream("圧力")->unit, "MPa");
    assert_string_equal(stream("状態")->categories[0], "正常");
    assert_int_equal(stream("備考")->kind, GB_STREAM_EVENT);
}

static void a_european_table_in_utf16(void **state)
{
    (void)state;
    static const char text[] = "Zeit;Druck [bar];Außentemperatur [°C]\r\n"
                               "31.12.2019 23:59:58;1,5;-2\r\n"
                               "31.12.2019 23:59:59;1,5;-2,5\r\n"
                               "01.01.2020 00:00:00;2,25;-3\r\n";
    char bytes[1024] = "\xFF\xFE";
    const char *yaml = propose(bytes, 2 + encode("UTF-16LE", text, bytes + 2, sizeof bytes - 2));
    assert_string_equal(map->data->csv.encoding, "utf-16le");
    assert_int_equal(map->data->csv.decimal, ',');
    assert_int_equal(map->data->csv.delimiter, ';');
    assert_int_equal(map->data->time.format, GB_TIME_FORMAT_DAY_FIRST);
    assert_string_equal(stream("Außentemperatur")->unit, "Cel");
    says(yaml, "byte order mark");
}

static void a_row_of_units(void **state)
{
    (void)state;
    propose_text("Time,Speed,Temp,Name\n[s],[rpm],[degC],\n0,1,2,a\n1,2,3,b\n2,3,4,a\n3,4,5,b\n");
    assert_int_equal(map->data->csv.header, GB_HEADER_NO);
    assert_int_equal(map->data->csv.skip_rows, 2);
    assert_string_equal(map->data->time.column, "#1");
    assert_string_equal(stream("Temp")->columns[0], "#3");
    assert_string_equal(stream("Temp")->unit, "Cel");
    propose_text("a,b\n1,2\n3,4\n"); /* numbers are no units */
    assert_int_equal(map->data->csv.header, GB_HEADER_YES);
}

static void other_clocks(void **state)
{
    (void)state;
    propose_text("time_ms,a\n0,1\n10,2\n20,3\n");
    assert_int_equal(map->data->time.format, GB_TIME_FORMAT_ROW);
    assert_true(map->data->time.period_s == 1e-3);
    propose_text("ts,a\n1467331200000,1\n1467331200500,2\n1467331201000,3\n");
    assert_int_equal(map->data->time.format, GB_TIME_FORMAT_EPOCH_MS);
    propose_text("cycle,a\n1,5\n2,5\n3,6\n");
    assert_string_equal(map->data->time.column, "cycle");
    assert_int_equal(map->data->time.format, GB_TIME_FORMAT_ROW);
    const char *yaml = propose_text("date,a\n03/04/2020,1\n04/04/2020,2\n");
    assert_int_equal(map->data->time.format, -1);
    says(yaml, "month_first");
    propose_text("date,a\n03/04/2020,1\n13/04/2020,2\n");
    assert_int_equal(map->data->time.format, GB_TIME_FORMAT_DAY_FIRST);
    yaml = propose_text("stamp,a\n2020-03-29T01:00:00+01:00,1\n2020-03-29T03:00:00+02:00,2\n");
    says_not(yaml, "zone");
    yaml = propose_text("a;b\n1;2\n3;4\n");
    assert_null(map->data->time.column);
    says(yaml, "No column tells the time");
    propose_text("1\t2\n3\t4\n"); /* no header */
    assert_string_equal(stream("column_2")->columns[0], "#2");
}

static void groups(void **state)
{
    (void)state;
    propose_text("machineID,time,v\n1,0,1\n1,1,2\n1,2,3\n2,0,1\n2,1,1\n2,2,2\n7,0,5\n7,1,4\n");
    assert_int_equal(map->data->group_count, 1);
    assert_string_equal(map->data->group[0], "machineID");
    assert_int_equal(map->data->streams_count, 1);
    /* side by side: all machines at each time */
    propose_text("time,robot,v\n0,a,1\n0,b,2\n1,a,3\n1,b,1\n2,a,1\n2,b,2\n3,a,5\n3,b,4\n");
    assert_string_equal(map->data->group[0], "robot");
    /* a sensor's values are no groups */
    propose_text("time,humidity,v\n0,1,1\n1,1,2\n2,2,3\n3,2,1\n4,3,1\n5,3,2\n");
    assert_int_equal(map->data->group_count, 0);
}

/* Local stamps through the autumn of 2023 in Berlin: 02:00 to 03:00 stands there twice. */
static void clock_changes(void **state)
{
    (void)state;
    char text[8192] = "t,a\n";
    size_t used = 4;
    for (int hour = 0; hour < 2; hour++)
        for (int minute = 0; minute < 60; minute += 10)
            used += (size_t)snprintf(text + used, 64, "2023-10-29 0%d:%02d:00,1\n", hour, minute);
    for (int twice = 0; twice < 2; twice++)
        for (int minute = 0; minute < 60; minute += 10)
            used += (size_t)snprintf(text + used, 64, "2023-10-29 02:%02d:00,1\n", minute);
    used += (size_t)snprintf(text + used, 64, "2023-10-29 03:00:00,1\n");
    const char *yaml = propose(text, used);
    says(yaml, "clock change? at 2023-10-29 02:00 the stamps jump one hour back");
    if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK) == 0)
        says(yaml, "# zone: Europe/Berlin");
    /* the same on a Tuesday in January is no such thing */
    for (char *at = text; (at = strstr(at, "2023-10-29")) != NULL; at++)
        memcpy(at, "2024-01-09", 10);
    says_not(propose(text, used), "clock change");
}

static void names_that_yaml_would_misread(void **state)
{
    (void)state;
    propose_text("yes,\"a: b\",\"#x\",\"q\"\"\\\",null,\xC2\x85,- x,~\n1,2,3,4,5,6,7,8\n"
                 "1,2,3,4,5,6,7,9\n");
    assert_string_equal(stream("yes")->columns[0], "yes");
    assert_string_equal(stream("a: b")->columns[0], "a: b");
    assert_string_equal(stream("#x")->columns[0], "#3");
    assert_string_equal(stream("q\"\\")->columns[0], "q\"\\");
    assert_string_equal(stream("null")->columns[0], "null");
    assert_string_equal(stream("\xC2\x85")->columns[0], "\xC2\x85");
    assert_string_equal(stream("~")->columns[0], "~");
    propose_text("t,w\n0,\"l\nm\"\n1,\"l\nm\"\n2,no\n3,no\n4,no\n");
    assert_string_equal(stream("w")->categories[0], "l\nm");
}

static void lines_of_json(void **state)
{
    (void)state;
    static const char text[] =
        "{\"time\":\"2024-04-01T00:00:00Z\",\"robot\":{\"id\":\"a\",\"q\":[0.5,1]},\"temp_degC\":"
        "20,"
        "\"level\":\"INFO\",\"text\":\"started, \\\"slowly\\\"\",\"ok\":true}\n"
        "{\"time\":\"2024-04-01T00:00:01Z\",\"robot\":{\"id\":\"a\",\"q\":[0.6,1]},\"temp_degC\":"
        "null,"
        "\"level\":\"WARN\",\"text\":\"hot\",\"ok\":true}\n"
        "this is no JSON\n"
        "{\"time\":\"2024-04-01T00:00:02Z\",\"robot\":{\"id\":\"a\",\"q\":[0.7,1]},\"temp_degC\":"
        "21,"
        "\"level\":\"INFO\",\"text\":\"done\",\"ok\":false}\n"
        "{\"time\":\"2024-04-01T00:00:03Z\",\"robot\":{\"id\":\"a\",\"q\":[0.8,1]},\"temp_degC\":"
        "21,"
        "\"level\":\"INFO\",\"text\":\"idle\",\"ok\":true}\n";
    gb_sample sample;
    const char *yaml = NULL;
    gb_ingest_options options = gb_ingest_options_defaults();
    assert_int_equal(gb_sample_decode(text, sizeof text - 1, true, "log.jsonl", arena, &sample),
                     GB_OK);
    if (gb_guess_json(&sample, "log.jsonl", &options, arena, &yaml) != GB_OK)
        fail_msg("%s", gb_error_message());
    says(yaml, "reader: jsonl\n");
    says(yaml, "column: time\n  format: datetime");
    says(yaml, "columns: [\"robot.q[0]\"]");
    says(yaml, "columns: [temp_degC], unit: Cel");
    says(yaml, "categories: [INFO, WARN]");
    says(yaml, "columns: [text], kind: event} # text");
    says(yaml, "categories: [\"false\", \"true\"]");
    says_not(yaml, "csv:");
    assert_int_equal(gb_sample_decode("a\nb\n", 4, true, "log.jsonl", arena, &sample), GB_OK);
    assert_int_equal(gb_guess_json(&sample, "log.jsonl", &options, arena, &yaml), GB_ERR_PARSE);
}

static void wrong_files(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "\n\n", "a,b\n", "\xEF\xBB\xBF"};
    gb_ingest_options options = gb_ingest_options_defaults();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        gb_sample sample;
        const char *yaml = NULL;
        gb_status status =
            gb_sample_decode(texts[i], strlen(texts[i]), true, "wrong.csv", arena, &sample);
        if (status == GB_OK)
            status = gb_guess_table(&sample, "wrong.csv", &options, NULL, arena, &yaml);
        assert_int_equal(status, GB_ERR_PARSE);
        assert_non_null(strstr(gb_error_message(), "wrong.csv"));
        assert_null(yaml);
    }
    const char *yaml = NULL;
    assert_int_equal(gb_ingest_guess("/nonexistent", NULL, arena, &yaml), GB_ERR_IO);
}

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(gb_file_replace(path, text, strlen(text)), GB_OK);
}

static void a_folder(void **state)
{
    (void)state;
    char folder[] = "/tmp/genba_guess_XXXXXX", path[300];
    assert_non_null(mkdtemp(folder));
    write_file(folder, "run_01.csv", "time,a\n0,1\n1,2\n2,3\n");
    write_file(folder, "run_02.csv", "time,a\n0,1\n1,2\n2,4\n");
    write_file(folder, "run_10.csv", "time,a\n0,1\n1,2\n2,4\n3,5\n");
    write_file(folder, "other.csv", "time,b\n0,1\n1,2\n");
    const char *yaml = NULL;
    assert_int_equal(gb_ingest_guess(folder, NULL, arena, &yaml), GB_OK);
    assert_int_equal(gb_stream_map_parse(yaml, strlen(yaml), "proposal", &map), GB_OK);
    assert_int_equal(map->data->files_count, 1);
    assert_string_equal(map->data->files[0], "run_*.csv");
    assert_string_equal(map->data->name, folder + 5);
    says(yaml, "# not by this map: other.csv");
    static const char *const names[] = {"run_01.csv", "run_02.csv", "run_10.csv", "other.csv"};
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    assert_int_equal(gb_ingest_guess(folder, NULL, arena, &yaml), GB_ERR_NOT_FOUND);
    rmdir(folder);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(units_in_names),
        TEST(a_plain_table),
        TEST(a_japanese_plant_log),
        TEST(a_european_table_in_utf16),
        TEST(a_row_of_units),
        TEST(other_clocks),
        TEST(groups),
        TEST(clock_changes),
        TEST(names_that_yaml_would_misread),
        TEST(lines_of_json),
        TEST(wrong_files),
        TEST(a_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
