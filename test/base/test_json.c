/* JSON documents: fields arrive, and every slip is named with file, place, expected and found. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"

static const char good[] = "{\"name\": \"arm\", \"rate\": 2, \"live\": true, \"none\": null,\n"
                           " \"blocks\": [{\"width\": 64}, {\"width\": \"wide\"}],\n"
                           " \"scale\": 0.5, \"big\": 9223372036854775807}";

static void expect_message(gb_status got, gb_status status, const char *message)
{
    if (got != status || strncmp(gb_error_message(), message, strlen(message)) != 0)
        fail_msg("status %s, message \"%s\", expected \"%s\"", gb_status_name(got),
                 gb_error_message(), message);
}

static void fields_arrive(void **state)
{
    (void)state;
    json_t *document = NULL;
    assert_int_equal(gb_json_parse("c.json", good, strlen(good), &document), GB_OK);
    gb_json_at root = gb_json_root("c.json", document), blocks;
    const char *name = NULL;
    int64_t rate = 0, big = 0, width = 0;
    double scale = 0, whole = 0;
    bool live = false;
    assert_int_equal(gb_json_text(&root, "name", &name), GB_OK);
    assert_int_equal(gb_json_int(&root, "rate", 1, 5, &rate), GB_OK);
    assert_int_equal(gb_json_int(&root, "big", 0, INT64_MAX, &big), GB_OK);
    assert_int_equal(gb_json_number(&root, "scale", 0, 1, &scale), GB_OK);
    assert_int_equal(gb_json_number(&root, "rate", -INFINITY, INFINITY, &whole), GB_OK);
    assert_int_equal(gb_json_bool(&root, "live", &live), GB_OK);
    assert_int_equal(gb_json_array(&root, "blocks", &blocks), GB_OK);
    assert_int_equal(gb_json_count(&blocks), 2);
    gb_json_at block = gb_json_item(&blocks, 0);
    assert_int_equal(gb_json_int(&block, "width", 1, 100, &width), GB_OK);
    assert_string_equal(name, "arm");
    assert_true(rate == 2 && big == INT64_MAX && scale == 0.5 && whole == 2 && live && width == 64);
    assert_true(gb_json_has(&root, "name"));
    assert_false(gb_json_has(&root, "none"));
    assert_false(gb_json_has(&root, "other"));
    json_decref(document);
}

static void slips_are_named(void **state)
{
    (void)state;
    json_t *document = NULL;
    assert_int_equal(gb_json_parse("c.json", good, strlen(good), &document), GB_OK);
    gb_json_at root = gb_json_root("c.json", document), blocks;
    int64_t value = 77;
    double number = 0;
    bool flag = false;
    const char *text = NULL;
    assert_int_equal(gb_json_array(&root, "blocks", &blocks), GB_OK);
    gb_json_at block = gb_json_item(&blocks, 1);
    expect_message(gb_json_int(&block, "width", 1, 65536, &value), GB_ERR_SCHEMA,
                   "c.json: blocks[1].width: expected a whole number between 1 and 65536, found "
                   "\"wide\"");
    expect_message(gb_json_int(&block, "depth", 1, 9, &value), GB_ERR_SCHEMA,
                   "c.json: blocks[1]: the key \"depth\" is missing");
    expect_message(gb_json_int(&root, "rate", 3, 9, &value), GB_ERR_SCHEMA,
                   "c.json: rate: expected a whole number between 3 and 9, found 2");
    expect_message(gb_json_int(&root, "scale", 0, 9, &value), GB_ERR_SCHEMA,
                   "c.json: scale: expected a whole number between 0 and 9, found 0.5");
    expect_message(gb_json_number(&root, "scale", 1, 9, &number), GB_ERR_SCHEMA,
                   "c.json: scale: expected a number between 1 and 9, found 0.5");
    expect_message(gb_json_bool(&root, "none", &flag), GB_ERR_SCHEMA,
                   "c.json: none: expected true or false, found null");
    expect_message(gb_json_text(&root, "live", &text), GB_ERR_SCHEMA,
                   "c.json: live: expected a text, found true");
    expect_message(gb_json_object(&root, "blocks", &block), GB_ERR_SCHEMA,
                   "c.json: blocks: expected an object, found an array of 2 items");
    expect_message(gb_json_array(&root, "name", &block), GB_ERR_SCHEMA,
                   "c.json: name: expected an array, found \"arm\"");
    assert_int_equal(value, 77);
    const char *const allowed[] = {"name", "rates", "live", "none", "blocks", NULL};
    expect_message(
        gb_json_keys(&root, allowed), GB_ERR_SCHEMA,
        "c.json: unknown key \"rate\"; did you mean \"rates\"? allowed here: name, rates");
    json_decref(document);
}

static void not_json(void **state)
{
    (void)state;
    json_t *document = NULL;
    static const char *const bad[] = {"",      "{",           "{\"a\": 1,}",          "nul",
                                      "[1, 2", "\"\\u0000\"", "{\"a\": 1, \"a\": 2}", "\xFF",
                                      "{} {}", "1e999",       "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_message(gb_json_parse("c.json", bad[i], strlen(bad[i]), &document), GB_ERR_PARSE,
                       "c.json:1: not JSON at column ");
    expect_message(gb_json_parse("c.json", "{\n\n  x}", 7, &document), GB_ERR_PARSE, "c.json:3: ");
    assert_null(document);
    char deep[5000];
    memset(deep, '[', sizeof deep);
    assert_int_equal(gb_json_parse("c.json", deep, sizeof deep, &document), GB_ERR_PARSE);
}

static void cut_at_every_byte(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof good - 1; size++) {
        json_t *document = NULL;
        assert_int_equal(gb_json_parse("c.json", good, size, &document), GB_ERR_PARSE);
    }
}

static void files_are_opened(void **state)
{
    (void)state;
    char path[] = "/tmp/genba_json_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    json_t *document = NULL;
    assert_int_equal(gb_file_replace(path, good, sizeof good - 1), GB_OK);
    assert_int_equal(gb_json_open(path, 1 << 20, &document), GB_OK);
    json_decref(document);
    assert_int_equal(gb_json_open(path, 10, &document), GB_ERR_ARGUMENT);
    unlink(path);
    assert_int_equal(gb_json_open(path, 0, &document), GB_ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_arrive),    cmocka_unit_test(slips_are_named),
        cmocka_unit_test(not_json),         cmocka_unit_test(cut_at_every_byte),
        cmocka_unit_test(files_are_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
