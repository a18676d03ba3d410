/* Status codes, messages, the log, the clocks and the version. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "genba/base.h"

static void every_code_has_name_and_text(void **state)
{
    (void)state;
    assert_string_equal(gb_status_name(GB_OK), "GB_OK");
    assert_string_equal(gb_status_name(GB_ERR_NUMERIC), "GB_ERR_NUMERIC");
    for (int code = 0; code <= GB_ERR_NUMERIC; code++) {
        assert_true(strlen(gb_status_text((gb_status)code)) > 3);
        assert_int_equal(strncmp(gb_status_name((gb_status)code), "GB_", 3), 0);
    }
    assert_string_equal(gb_status_text((gb_status)99), "unknown status");
}

static void message_is_kept_and_prefixed(void **state)
{
    (void)state;
    assert_int_equal(gb_fail(GB_ERR_PARSE, "line %d is odd", 7), GB_ERR_PARSE);
    assert_string_equal(gb_error_message(), "line 7 is odd");
    assert_int_equal(gb_fail_context(GB_ERR_PARSE, "reading %s", "a.csv"), GB_ERR_PARSE);
    assert_string_equal(gb_error_message(), "reading a.csv: line 7 is odd");
    (void)gb_fail(GB_ERR_PARSE, "again: %s", gb_error_message());
    assert_string_equal(gb_error_message(), "again: reading a.csv: line 7 is odd");
}

static void long_message_is_cut_and_says_so(void **state)
{
    (void)state;
    char text[5000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    (void)gb_fail(GB_ERR_PARSE, "%s", text);
    size_t length = strlen(gb_error_message());
    assert_in_range(length, 2000, 2047);
    assert_string_equal(gb_error_message() + length - 3, "...");
    (void)gb_fail_context(GB_ERR_PARSE, "where");
    assert_in_range(strlen(gb_error_message()), 2000, 2047);
    assert_memory_equal(gb_error_message(), "where: xxx", 10);
    for (size_t i = 0; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "\xC3\xA9", 2);
    (void)gb_fail(GB_ERR_PARSE, "%s", text);
    length = strlen(gb_error_message());
    assert_int_equal((unsigned char)gb_error_message()[length - 4], 0xA9);
}

static void *other_thread(void *argument)
{
    (void)argument;
    bool empty = gb_error_message()[0] == 0;
    (void)gb_fail(GB_ERR_IO, "elsewhere");
    return empty ? "empty" : "not empty";
}

static void message_belongs_to_its_thread(void **state)
{
    (void)state;
    (void)gb_fail(GB_ERR_IO, "here");
    pthread_t thread;
    void *result = NULL;
    assert_int_equal(pthread_create(&thread, NULL, other_thread, NULL), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_string_equal(result, "empty");
    assert_string_equal(gb_error_message(), "here");
}

static gb_status tries(gb_status status, int *out_after)
{
    GB_TRY(status);
    *out_after = 1;
    return GB_OK;
}

static void try_forwards(void **state)
{
    (void)state;
    int after = 0;
    assert_int_equal(tries(GB_ERR_SHAPE, &after), GB_ERR_SHAPE);
    assert_int_equal(after, 0);
    assert_int_equal(tries(GB_OK, &after), GB_OK);
    assert_int_equal(after, 1);
}

typedef struct heard {
    int count;
    gb_log_level level;
    char line[64];
} heard;

static void hear(void *context, gb_log_level level, const char *line)
{
    heard *all = context;
    all->count++;
    all->level = level;
    strncpy(all->line, line, sizeof all->line - 1);
}

static void log_goes_to_the_sink(void **state)
{
    (void)state;
    gb_log(GB_LOG_WARN, "nobody hears this");
    heard all = {0};
    gb_log_set_sink(hear, &all);
    gb_log(GB_LOG_INFO, "step %d", 3);
    gb_log_set_sink(NULL, NULL);
    gb_log(GB_LOG_WARN, "nor this");
    assert_int_equal(all.count, 1);
    assert_int_equal(all.level, GB_LOG_INFO);
    assert_string_equal(all.line, "step 3");
}

static void clocks_move_forward(void **state)
{
    (void)state;
    int64_t before = gb_clock_monotonic_ns();
    for (int i = 0; i < 1000; i++) {
        int64_t now = gb_clock_monotonic_ns();
        assert_true(now >= before);
        before = now;
    }
    assert_true(gb_clock_wall_ns() > INT64_C(1577836800000000000)); /* 2020 */
    assert_string_equal(gb_version(), "0.1.0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_name_and_text),
        cmocka_unit_test(message_is_kept_and_prefixed),
        cmocka_unit_test(long_message_is_cut_and_says_so),
        cmocka_unit_test(message_belongs_to_its_thread),
        cmocka_unit_test(try_forwards),
        cmocka_unit_test(log_goes_to_the_sink),
        cmocka_unit_test(clocks_move_forward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
