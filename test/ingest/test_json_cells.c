/* Lines of JSON: what is JSON and what is not, values at paths, escapes, walks. */
#include "ingest/json_cells.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static gb_arena *arena;

static int set_up(void **state)
{
    (void)state;
    return gb_arena_create(0, &arena) == GB_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    gb_arena_destroy(arena);
    return 0;
}

static void values_at_paths(void **state)
{
    (void)state;
    static const char *const paths[] = {"t",      "a.b[2]", "s",           "flag", "none", "absent",
                                        "a.b[9]", "o",      "[\"x.y\"].z", "a.c",  "big"};
    static const char *const expected[] = {
        "1.5e3", "-7", "q\\u0041\\n", "true", "", "", "", "{\"k\": [1, {}]}", "deep", "", "12"};
    static const char line[] = " {\"t\":1.5e3 , \"a\":{\"b\":[0,[1],-7],\"d\":{}},"
                               "\"s\":\"q\\u0041\\n\",\"flag\":true,\"none\":null,"
                               "\"o\":{\"k\": [1, {}]},\"x.y\":{\"z\":\"deep\"},\"big\":12}\r";
    gb_json_paths *wanted = NULL;
    gb_span cells[11];
    uint32_t at;
    assert_int_equal(gb_json_paths_create(paths, 11, arena, &wanted), GB_OK);
    assert_int_equal(gb_json_paths_count(wanted), 11);
    for (int round = 0; round < 2; round++) {
        assert_true(gb_json_cut(wanted, line, 0, sizeof line - 1, cells, &at));
        for (int i = 0; i < 11; i++) {
            assert_int_equal(GB_SPAN_SIZE(cells[i]), strlen(expected[i]));
            assert_memory_equal(line + cells[i].at, expected[i], GB_SPAN_SIZE(cells[i]));
            assert_int_equal(cells[i].size != GB_SPAN_SIZE(cells[i]), i == 2);
        }
    }
    static const char *const whole[] = {"."};
    assert_int_equal(gb_json_paths_create(whole, 1, arena, &wanted), GB_OK);
    assert_true(gb_json_cut(wanted, "\"2013-12-02\"", 0, 12, cells, &at));
    assert_int_equal(cells[0].size, 10);
    assert_true(gb_json_cut(wanted, "[1, 2]", 0, 6, cells, &at));
    assert_int_equal(cells[0].size, 6);
    /* wanted twice in the line: which is meant? */
    static const char *const once[] = {"a"};
    assert_int_equal(gb_json_paths_create(once, 1, arena, &wanted), GB_OK);
    assert_false(gb_json_cut(wanted, "{\"a\":1,\"a\":2}", 0, 13, cells, &at));
}

static void wrong_paths(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "a..b", "a[", "a[x]", "a[1", "[\"x", "a.", "a[]"};
    gb_json_paths *wanted = NULL;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(gb_json_paths_create(&wrong[i], 1, arena, &wanted), GB_ERR_SCHEMA);
    static const char *const twice[] = {"a.b", "[\"a\"].b"};
    assert_int_equal(gb_json_paths_create(twice, 2, arena, &wanted), GB_ERR_SCHEMA);
    char deep[300] = "a";
    for (int i = 0; i < 70; i++)
        strcat(deep, ".a");
    const char *const one = deep;
    assert_int_equal(gb_json_paths_create(&one, 1, arena, &wanted), GB_ERR_SCHEMA);
    assert_null(wanted);
}

/* The same lines are JSON here and for jansson, whole, cut at every byte and with bytes changed. */
static bool agrees(const char *line, size_t size)
{
    static const char *const path[] = {"a"};
    gb_json_paths *wanted = NULL;
    gb_span cell;
    uint32_t at;
    char *copy = malloc(size + 1); /* no byte outside is read */
    memcpy(copy, line, size);
    assert_int_equal(gb_json_paths_create(path, 1, arena, &wanted), GB_OK);
    bool fine = gb_json_cut(wanted, copy, 0, (uint32_t)size, &cell, &at);
    assert_true(at <= size);
    json_error_t error;
    json_t *read = json_loadb(copy, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    /* jansson also refuses large numbers, lone surrogates and text that is not UTF-8 */
    bool stricter =
        !read && fine &&
        (strstr(error.text, "too big") || strstr(error.text, "nvalid Unicode") ||
         strstr(error.text, "real number overflow") || strstr(error.text, "unable to decode byte"));
    /* a wanted key twice is refused here */
    bool same = fine == (read != NULL) || stricter;
    if (!same && !fine && read)
        same = size > 8 && strstr(line, "\"a\"") != NULL &&
               strstr(strstr(line, "\"a\"") + 1, "\"a\"") != NULL;
    json_decref(read);
    free(copy);
    return same;
}

static void agrees_with_jansson(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "{\"a\":[1,2.5,-0,0.1e+5,1E-2],\"b\":\"x\\\"y\\\\\\u00e9\",\"c\":{\"d\":null,\"e\":false}}",
        "[]",
        "{}",
        " 12 ",
        "\"\"",
        "tru",
        "01",
        "1.",
        ".5",
        "-",
        "+1",
        "1e",
        "[1,]",
        "{\"a\":}",
        "{\"a\" 1}",
        "{a:1}",
        "[1 2]",
        "\"\t\"",
        "\"\\x\"",
        "nullx",
        "{\"a\":1}}",
        "",
        " ",
        "'a'",
        "{\"a\":1,}",
        "[,1]",
        "\"\\u12g4\"",
        "\"\\ud83d\\ude00\"",
        "NaN",
        "Infinity"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (!agrees(lines[i], strlen(lines[i])))
            fail_msg("%s", lines[i]);
    char line[128];
    size_t size = strlen(lines[0]);
    for (size_t i = 0; i < size; i++) {
        assert_true(agrees(lines[0], i));
        for (int c = 1; c < 256; c++) {
            memcpy(line, lines[0], size + 1);
            line[i] = (char)c;
            if (!agrees(line, size))
                fail_msg("byte %zu, %d: %s", i, c, line);
        }
    }
}

static void depth_is_limited(void **state)
{
    (void)state;
    static const char *const path[] = {"a"};
    gb_json_paths *wanted = NULL;
    gb_span cell;
    uint32_t at;
    char line[2 * GB_JSON_DEPTH_MAX + 8];
    assert_int_equal(gb_json_paths_create(path, 1, arena, &wanted), GB_OK);
    for (int more = 0; more < 2; more++) {
        uint32_t depth = GB_JSON_DEPTH_MAX + (uint32_t)more;
        memset(line, '[', depth);
        memset(line + depth, ']', depth);
        assert_int_equal(gb_json_cut(wanted, line, 0, 2 * depth, &cell, &at), more == 0);
    }
}

static void escapes(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"plain", "plain"},
        {"\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t"},
        {"\\u00e9\\u3042\\ud83d\\ude00", "éあ😀"},
        {"\\ud83dx", "\xEF\xBF\xBDx"},
        {"\\ude00", "\xEF\xBF\xBD"},
        {"\\u0000", "\xEF\xBF\xBD"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char out[64];
        size_t size = gb_json_unescape(pairs[i][0], strlen(pairs[i][0]), out);
        assert_true(size <= strlen(pairs[i][0]));
        assert_int_equal(size, strlen(pairs[i][1]));
        assert_memory_equal(out, pairs[i][1], size);
    }
}

static bool note(void *context, const char *path, gb_json_type type, const char *text, size_t size)
{
    char *to = context;
    sprintf(to + strlen(to), "%s=%d:%.*s ", path, (int)type, (int)size, text);
    return true;
}

static void walks(void **state)
{
    (void)state;
    char seen[512] = "";
    static const char line[] =
        "{\"a\":{\"b\":[1,\"x\\n\"]},\"c.d\":true,\"n\":null,\"e\":{},\"f\":[[]]}";
    assert_true(gb_json_walk(line, 0, sizeof line - 1, note, seen));
    assert_string_equal(seen, "a.b[0]=2:1 a.b[1]=3:x\\n [\"c.d\"]=1:true n=0: e=4:{} f[0]=4:[] ");
    seen[0] = 0;
    assert_true(gb_json_walk("7", 0, 1, note, seen));
    assert_string_equal(seen, ".=2:7 ");
    char deep[2000] = "";
    for (int i = 0; i < 40; i++)
        strcat(deep, "{\"a_key_of_some_length\":");
    strcat(deep, "1");
    for (int i = 0; i < 40; i++)
        strcat(deep, "}");
    seen[0] = 0;
    assert_true(gb_json_walk(deep, 0, (uint32_t)strlen(deep), note, seen));
    assert_string_equal(seen, ""); /* a path too long to name is passed over */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(values_at_paths),  TEST(wrong_paths), TEST(agrees_with_jansson),
        TEST(depth_is_limited), TEST(escapes),     TEST(walks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
