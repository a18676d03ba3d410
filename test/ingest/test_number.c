/* Numbers and stamps: exact against strtof and known instants. */
#include "ingest/number_fast.h"
#include "ingest/stamp.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void agree(const char *text)
{
    float got = -7, expected = strtof(text, NULL);
    gb_number_result result = gb_number_float(text, strlen(text), '.', &got);
    if (isinf(expected)) {
        assert_int_equal(result, GB_NUMBER_TOO_LARGE);
        return;
    }
    if (result != GB_NUMBER_OK || memcmp(&got, &expected, sizeof got) != 0)
        fail_msg("%s: got %.9g, expected %.9g", text, (double)got, (double)expected);
}

static void floats_are_the_nearest(void **state)
{
    (void)state;
    static const char *const texts[] = {"0",
                                        "-0",
                                        "+1",
                                        "1.",
                                        ".5",
                                        "-.5e1",
                                        "16777217",
                                        "16777216.9999999999999999999",
                                        "16777217.0000000000000000000000001",
                                        "0.1",
                                        "3.4028235e38",
                                        "3.4028236e38",
                                        "1e39",
                                        "-1e400",
                                        "1e-45",
                                        "7.006492e-46",
                                        "1e-400",
                                        "1.17549435e-38",
                                        "00000000000000000000000000001.5",
                                        "12345678901234567890123456789012345",
                                        "1.5989999771118164",
                                        "1e22",
                                        "1e23",
                                        "0e999999999999"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        agree(texts[i]);
    for (uint64_t i = 0; i < 200000; i++) {
        uint32_t bits = gb_random_u32(1, 0, i);
        float value;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            continue;
        char text[64];
        static const char *const formats[] = {"%.9g", "%.17g", "%.7f", "%.3e", "%.25g"};
        snprintf(text, sizeof text, formats[i % 5], (double)value);
        if (strlen(text) < sizeof text - 1)
            agree(text);
        /* the middle between two floats, and a hair beside it */
        double middle = ((double)value + (double)nextafterf(value, INFINITY)) / 2;
        if (fabs(middle) > 1e-30 && fabs(middle) < 1e30) {
            snprintf(text, sizeof text, "%.40g", middle);
            agree(text);
        }
        double sensor = (gb_random_uniform(2, 0, i) - 0.5) * 2000;
        snprintf(text, sizeof text, formats[i % 3], sensor);
        agree(text);
    }
}

/* The general way, and the fast one where it answers. */
static void agree_double(const char *text)
{
    char room[GB_NUMBER_BEFORE + 128];
    size_t size = strlen(text);
    double expected = strtod(text, NULL), general = -7, fast = -7;
    memset(room, '7', sizeof room); /* digits all around the field must not matter */
    memcpy(room + GB_NUMBER_BEFORE, text, size);
    const char *field = room + GB_NUMBER_BEFORE;
    gb_number_result result = gb_number_double(text, size, '.', &general);
    if (isinf(expected)) {
        assert_int_equal(result, GB_NUMBER_TOO_LARGE);
        return;
    }
    if (result != GB_NUMBER_OK || memcmp(&general, &expected, sizeof general) != 0)
        fail_msg("%s: got %.17g, expected %.17g", text, general, expected);
    if (gb_number_fast_double(field, size, '.', &fast) &&
        memcmp(&fast, &expected, sizeof fast) != 0)
        fail_msg("%s: got %.17g the fast way, expected %.17g", text, fast, expected);
}

static void doubles_are_the_nearest(void **state)
{
    (void)state;
    static const char *const texts[] = {"0",
                                        "-0",
                                        "-0.0",
                                        "+1",
                                        "1.",
                                        ".5",
                                        "-.5",
                                        "9007199254740993",
                                        "9007199254740992.5",
                                        "9007199254740993.00000000000000001",
                                        "1.7976931348623157e308",
                                        "1.7976931348623159e308",
                                        "4.9e-324",
                                        "2.4703282292062327e-324",
                                        "2.2250738585072011e-308",
                                        "123456789012345.6",
                                        "1234567890123456",
                                        "12345678901234567890e-20",
                                        "8.988465674311580536566680721305e307",
                                        "6929495644600919.5",
                                        "3.14159265358979323846264338327950288",
                                        "0.000000000000000000000000001",
                                        "7e27",
                                        "9007199254740991e22"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        agree_double(texts[i]);
    for (uint64_t i = 0; i < 200000; i++) {
        static const char *const formats[] = {"%.17g", "%.15g", "%.9g", "%.3f", "%.25g", "%.0f"};
        uint64_t bits = gb_random_u64(3, 0, i);
        double value;
        char text[400];
        memcpy(&value, &bits, sizeof value);
        snprintf(text, sizeof text, formats[i % 3], isfinite(value) ? value : 0.0);
        agree_double(text);
        double sensor = (gb_random_uniform(4, 0, i) - 0.5) * pow(10, (double)(i % 18));
        snprintf(text, sizeof text, formats[i % 6], sensor);
        agree_double(text);
        /* whole numbers beyond 2^53 that lie in the middle of two doubles */
        uint64_t whole = (gb_random_u64(5, 0, i) >> (i % 11)) | 1;
        snprintf(text, sizeof text, "%llu%s", (unsigned long long)whole, i % 2 ? "" : "e-3");
        agree_double(text);
    }
}

static void whole_numbers_are_exact(void **state)
{
    (void)state;
    typedef struct whole_case {
        const char *text;
        gb_number_result result;
        bool negative;
        uint64_t magnitude;
    } whole_case;
    static const whole_case cases[] = {{"18446744073709551615", GB_NUMBER_OK, false, UINT64_MAX},
                                       {"18446744073709551616", GB_NUMBER_TOO_LARGE, false, 0},
                                       {"-9223372036854775808", GB_NUMBER_OK, true, 1ULL << 63},
                                       {"000000000000000000000000017", GB_NUMBER_OK, false, 17},
                                       {"-", GB_NUMBER_NOT, false, 0},
                                       {"-0", GB_NUMBER_OK, false, 0},
                                       {"1.50e1", GB_NUMBER_OK, false, 15},
                                       {"1.0", GB_NUMBER_OK, false, 1},
                                       {"1.5", GB_NUMBER_NOT_WHOLE, false, 0},
                                       {"1e-99999", GB_NUMBER_NOT_WHOLE, false, 0},
                                       {"0e99999", GB_NUMBER_OK, false, 0},
                                       {"1e20", GB_NUMBER_TOO_LARGE, false, 0},
                                       {"x", GB_NUMBER_NOT, false, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool negative = false;
        uint64_t magnitude = 0;
        gb_number_result result =
            gb_number_whole(cases[i].text, strlen(cases[i].text), '.', &negative, &magnitude);
        if (result != cases[i].result || negative != cases[i].negative ||
            magnitude != cases[i].magnitude)
            fail_msg("%s: %d %d %llu", cases[i].text, result, negative,
                     (unsigned long long)magnitude);
    }
}

static void what_is_no_number_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",    "-",   "+",   ".",   "e5", "1e",    "1e+", "1.2.3", "1,5",   "0x1",
        "1 2", "nan", "inf", "--1", "1-", "1e5.5", " 1",  "1 ",    "1_000", "\xEF\xBC\x91"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        float value = 5;
        char room[64] = "77777777777777777";
        double wide = 5;
        memcpy(room + GB_NUMBER_BEFORE, texts[i], strlen(texts[i]) + 1);
        if (gb_number_fast_double(room + GB_NUMBER_BEFORE, strlen(texts[i]), '.', &wide))
            fail_msg("\"%s\" was taken for a number", texts[i]);
        if (gb_number_float(texts[i], strlen(texts[i]), '.', &value) != GB_NUMBER_NOT)
            fail_msg("\"%s\" was taken for a number", texts[i]);
        assert_true(value == 5);
    }
    float value = 0;
    assert_int_equal(gb_number_float("-1,25", 5, ',', &value), GB_NUMBER_OK);
    assert_true(value == -1.25F);
    assert_int_equal(gb_number_float("1,00000000000000000000001e-30", 29, ',', &value),
                     GB_NUMBER_OK);
    assert_true(value == 1e-30F);
}

static void no_locale_changes_a_number(void **state)
{
    (void)state;
    const char *set = setlocale(LC_NUMERIC, "de_DE.UTF-8");
    float value = 0;
    assert_int_equal(gb_number_float("1.5e-30", 7, '.', &value), GB_NUMBER_OK);
    assert_true(value == 1.5e-30F);
    if (set)
        setlocale(LC_NUMERIC, "C");
}

static void scaled_integers_are_exact(void **state)
{
    (void)state;
    int64_t value = 0;
    assert_true(gb_number_scaled("1467331200.123456789", 20, '.', 9, &value));
    assert_int_equal(value, 1467331200123456789LL);
    assert_true(gb_number_scaled("0.1", 3, '.', 9, &value));
    assert_int_equal(value, 100000000);
    assert_true(gb_number_scaled("-2.5", 4, '.', 0, &value));
    assert_int_equal(value, -3);
    assert_true(gb_number_scaled("1.467e9", 7, '.', 9, &value));
    assert_int_equal(value, 1467000000000000000LL);
    assert_true(gb_number_scaled("9223372036854775807", 19, '.', 0, &value));
    assert_int_equal(value, INT64_MAX);
    assert_false(gb_number_scaled("9223372036854775808", 19, '.', 0, &value));
    assert_false(gb_number_scaled("9300000000", 10, '.', 9, &value));
    assert_false(gb_number_scaled("1e99999", 7, '.', 9, &value));
    assert_true(gb_number_scaled("1e-99999", 8, '.', 9, &value));
    assert_int_equal(value, 0);
}

typedef struct instant {
    const char *text;
    gb_time_format format;
    int64_t ns;
} instant;

static void stamps_are_read(void **state)
{
    (void)state;
    const int64_t s = 1000000000;
    const instant good[] = {
        {"1970-01-01 00:00:00", GB_TIME_FORMAT_DATETIME, 0},
        {"2016-07-01 00:15:00", GB_TIME_FORMAT_DATETIME, 1467332100 * s},
        {"2016-07-01T00:15:00.5Z", GB_TIME_FORMAT_DATETIME, 1467332100 * s + s / 2},
        {"2016-07-01T09:15:00+09:00", GB_TIME_FORMAT_DATETIME, 1467332100 * s},
        {"2016-06-30 19:15:00 -0500", GB_TIME_FORMAT_DATETIME, 1467332100 * s},
        {"2016/7/1 0:15", GB_TIME_FORMAT_DATETIME, 1467332100 * s},
        {"2016-07-01", GB_TIME_FORMAT_DATETIME, 1467331200 * s},
        {"2000-02-29 23:59:59.999999999", GB_TIME_FORMAT_DATETIME, 951868799 * s + 999999999},
        {"1969-12-31 23:59:59", GB_TIME_FORMAT_DATETIME, -s},
        {"1900-03-01 00:00:00", GB_TIME_FORMAT_DATETIME, -2203891200 * s},
        {"01.07.2016 00:15:00", GB_TIME_FORMAT_DAY_FIRST, 1467332100 * s},
        {"7/1/2016 0:15", GB_TIME_FORMAT_MONTH_FIRST, 1467332100 * s},
        {"1467332100", GB_TIME_FORMAT_EPOCH_S, 1467332100 * s},
        {"1467332100500", GB_TIME_FORMAT_EPOCH_MS, 1467332100 * s + s / 2},
        {"1467332100000001", GB_TIME_FORMAT_EPOCH_US, 1467332100 * s + 1000},
        {"1467332100000000001", GB_TIME_FORMAT_EPOCH_NS, 1467332100 * s + 1},
        {"0.1", GB_TIME_FORMAT_SECONDS, s / 10},
        {"7", GB_TIME_FORMAT_ROW, 70 * s},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int64_t ns = -1;
        if (!gb_stamp_parse(good[i].text, strlen(good[i].text), good[i].format, '.', 10, &ns) ||
            ns != good[i].ns)
            fail_msg("%s: %lld", good[i].text, (long long)ns);
    }
    static const char *const wrong[] = {"2016-02-30 00:00:00",  "2015-02-29",
                                        "2016-13-01",           "2016-00-10",
                                        "2016-07-01 24:00:00",  "2016-07-01 00:60:00",
                                        "2016-07-01 00:15:61",  "2016-07-01 00:15:00.",
                                        "2016-07-01 00:15:00X", "2016-07-01 00:15:00+9",
                                        "2016-07/01",           "16-07-01",
                                        "2016-07-01 ",          "",
                                        "9999-01-01",           "2016-07-01 00"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int64_t ns = 5;
        if (gb_stamp_parse(wrong[i], strlen(wrong[i]), GB_TIME_FORMAT_DATETIME, '.', 1, &ns))
            fail_msg("\"%s\" was taken for a time", wrong[i]);
        assert_int_equal(ns, 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floats_are_the_nearest),
        cmocka_unit_test(doubles_are_the_nearest),
        cmocka_unit_test(whole_numbers_are_exact),
        cmocka_unit_test(what_is_no_number_is_refused),
        cmocka_unit_test(no_locale_changes_a_number),
        cmocka_unit_test(scaled_integers_are_exact),
        cmocka_unit_test(stamps_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
