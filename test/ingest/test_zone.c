/* Time zones: known folds and gaps, years beyond the table, hostile names and files. */
#include "ingest/zone.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define S 1000000000LL

static gb_zone *load(const char *name)
{
    gb_zone *zone = NULL;
    gb_status status = gb_zone_load(name, &zone);
    if (status == GB_ERR_UNSUPPORTED) { /* no tzdata here */
        print_message("%s\n", gb_error_message());
        skip();
    }
    assert_int_equal(status, GB_OK);
    return zone;
}

/* Seconds since 1970 of a calendar time, with the C library's calendar. */
static int64_t at(int year, int month, int day, int hour, int minute)
{
    struct tm tm = {.tm_year = year - 1900,
                    .tm_mon = month - 1,
                    .tm_mday = day,
                    .tm_hour = hour,
                    .tm_min = minute};
    return (int64_t)timegm(&tm);
}

static void expect(gb_zone *zone, int64_t local_s, bool later, int64_t utc_s, gb_zone_kind kind)
{
    int64_t utc_ns = 0;
    gb_zone_kind found;
    assert_int_equal(gb_zone_to_utc(zone, local_s * S + 7, later, &utc_ns, &found), GB_OK);
    assert_int_equal(utc_ns, utc_s * S + 7);
    assert_int_equal(found, kind);
}

static void berlin(void **state)
{
    (void)state;
    gb_zone *zone = load("Europe/Berlin");
    expect(zone, at(2024, 1, 15, 12, 0), false, at(2024, 1, 15, 11, 0), GB_ZONE_PLAIN);
    expect(zone, at(2024, 7, 15, 12, 0), false, at(2024, 7, 15, 10, 0), GB_ZONE_PLAIN);
    /* 2024-03-31 02:00..03:00 does not exist */
    expect(zone, at(2024, 3, 31, 1, 59), false, at(2024, 3, 31, 0, 59), GB_ZONE_PLAIN);
    expect(zone, at(2024, 3, 31, 2, 30), false, at(2024, 3, 31, 1, 30), GB_ZONE_GAP);
    expect(zone, at(2024, 3, 31, 3, 0), false, at(2024, 3, 31, 1, 0), GB_ZONE_PLAIN);
    /* 2024-10-27 02:00..03:00 happens twice */
    expect(zone, at(2024, 10, 27, 1, 59), false, at(2024, 10, 26, 23, 59), GB_ZONE_PLAIN);
    expect(zone, at(2024, 10, 27, 2, 30), false, at(2024, 10, 27, 0, 30), GB_ZONE_FOLD);
    expect(zone, at(2024, 10, 27, 2, 30), true, at(2024, 10, 27, 1, 30), GB_ZONE_FOLD);
    expect(zone, at(2024, 10, 27, 3, 0), true, at(2024, 10, 27, 2, 0), GB_ZONE_PLAIN);
    /* the footer's rule: 2100-03-28 and 2261-10-30 are the last Sundays */
    expect(zone, at(2100, 3, 28, 2, 30), false, at(2100, 3, 28, 1, 30), GB_ZONE_GAP);
    expect(zone, at(2100, 7, 1, 0, 0), false, at(2100, 6, 30, 22, 0), GB_ZONE_PLAIN);
    expect(zone, at(2261, 10, 27, 2, 30), true, at(2261, 10, 27, 1, 30), GB_ZONE_FOLD);
    /* before standard time: local mean time, +0:53:28 */
    expect(zone, at(1800, 1, 1, 0, 0), false, at(1800, 1, 1, 0, 0) - 3208, GB_ZONE_PLAIN);
    assert_int_equal(gb_zone_offset_s(zone, at(2024, 7, 1, 0, 0) * S), 7200);
    assert_true(gb_zone_changes(zone, at(2024, 3, 1, 0, 0) * S, at(2024, 4, 1, 0, 0) * S));
    assert_false(gb_zone_changes(zone, at(2024, 4, 1, 0, 0) * S, at(2024, 5, 1, 0, 0) * S));
    gb_zone_destroy(zone);
}

static void others(void **state)
{
    (void)state;
    gb_zone *zone = load("America/New_York");
    expect(zone, at(2023, 3, 12, 2, 15), false, at(2023, 3, 12, 7, 15), GB_ZONE_GAP);
    expect(zone, at(2023, 11, 5, 1, 15), false, at(2023, 11, 5, 5, 15), GB_ZONE_FOLD);
    expect(zone, at(2023, 11, 5, 1, 15), true, at(2023, 11, 5, 6, 15), GB_ZONE_FOLD);
    expect(zone, at(2150, 7, 4, 0, 0), false, at(2150, 7, 4, 4, 0), GB_ZONE_PLAIN);
    gb_zone_destroy(zone);
    zone = load("Asia/Tokyo");
    expect(zone, at(2024, 4, 1, 9, 0), false, at(2024, 4, 1, 0, 0), GB_ZONE_PLAIN);
    expect(zone, at(1950, 9, 10, 0, 30), true, at(1950, 9, 9, 15, 30), GB_ZONE_FOLD);
    expect(zone, at(2200, 1, 1, 0, 0), false, at(2199, 12, 31, 15, 0), GB_ZONE_PLAIN);
    gb_zone_destroy(zone);
    zone = load("Australia/Lord_Howe"); /* half an hour of summer time */
    expect(zone, at(2024, 10, 6, 2, 10), false, at(2024, 10, 5, 15, 40), GB_ZONE_GAP);
    expect(zone, at(2024, 4, 7, 1, 45), false, at(2024, 4, 6, 14, 45), GB_ZONE_FOLD);
    expect(zone, at(2024, 4, 7, 1, 45), true, at(2024, 4, 6, 15, 15), GB_ZONE_FOLD);
    expect(zone, at(2101, 1, 1, 0, 0), false, at(2100, 12, 31, 13, 0), GB_ZONE_PLAIN);
    gb_zone_destroy(zone);
    zone = load("Pacific/Apia"); /* 2011-12-30 was left out */
    expect(zone, at(2011, 12, 30, 12, 0), false, at(2011, 12, 30, 22, 0), GB_ZONE_GAP);
    gb_zone_destroy(zone);
}

/* Against the C library, instant by instant, in a process of its own zone. */
static void agrees_with_the_c_library(void **state)
{
    (void)state;
    static const char *const names[] = {
        "Europe/Berlin",     "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca",
        "America/Sao_Paulo", "Asia/Tehran",      "Europe/Dublin"};
    char *before = getenv("TZ");
    before = before ? strdup(before) : NULL;
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        gb_zone *zone = load(names[n]);
        setenv("TZ", names[n], 1);
        tzset();
        for (int64_t i = 0; i < 20000; i++) {
            int64_t utc_s = (int64_t)gb_random_below(7, n, (uint64_t)i, 9000000000ULL) - 1500000000;
            time_t time = (time_t)utc_s;
            struct tm tm;
            assert_non_null(localtime_r(&time, &tm));
            assert_int_equal(gb_zone_offset_s(zone, utc_s * S), tm.tm_gmtoff);
            int64_t earlier, later;
            gb_zone_kind kind;
            int64_t local_ns = (utc_s + tm.tm_gmtoff) * S;
            assert_int_equal(gb_zone_to_utc(zone, local_ns, false, &earlier, &kind), GB_OK);
            assert_int_equal(gb_zone_to_utc(zone, local_ns, true, &later, NULL), GB_OK);
            assert_true(earlier == utc_s * S || later == utc_s * S);
            assert_true((earlier == later) == (kind == GB_ZONE_PLAIN));
        }
        gb_zone_destroy(zone);
    }
    if (before)
        setenv("TZ", before, 1);
    else
        unsetenv("TZ");
    tzset();
    free(before);
}

static void fixed_offsets(void **state)
{
    (void)state;
    static const struct fixed {
        const char *name;
        int64_t offset_s;
    } fixed[] = {{"+09:00", 32400},  {"+0900", 32400}, {"+09", 32400}, {"UTC+9", 32400},
                 {"-03:30", -12600}, {"UTC", 0},       {"utc", 0},     {"Z", 0},
                 {"GMT-5", -18000},  {"+5:45", 20700}};
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        gb_zone *zone = NULL;
        assert_int_equal(gb_zone_load(fixed[i].name, &zone), GB_OK);
        expect(zone, 1000000, false, 1000000 - fixed[i].offset_s, GB_ZONE_PLAIN);
        gb_zone_destroy(zone);
    }
    gb_zone *zone = NULL;
    assert_int_equal(gb_zone_load("-12:00", &zone), GB_OK);
    int64_t utc_ns = 5;
    assert_int_equal(gb_zone_to_utc(zone, INT64_MAX, false, &utc_ns, NULL), GB_ERR_ARGUMENT);
    assert_int_equal(utc_ns, 5);
    gb_zone_destroy(zone);
}

static void refuses_other_names(void **state)
{
    (void)state;
    static const char *const names[] = {"",
                                        "../../etc/passwd",
                                        "/etc/passwd",
                                        "Europe/../../passwd",
                                        "Europe//Berlin",
                                        "Europe/",
                                        "zone.tab",
                                        "Europe",
                                        "+25:00",
                                        "+09:61",
                                        "+9:0",
                                        "+",
                                        "JST",
                                        "Europe/Berlim",
                                        ".",
                                        "Mars/Olympus"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        gb_zone *zone = NULL;
        gb_status status = gb_zone_load(names[i], &zone);
        if (status == GB_ERR_UNSUPPORTED)
            skip();
        assert_int_equal(status, GB_ERR_NOT_FOUND);
        assert_null(zone);
    }
    gb_zone *zone = NULL;
    assert_int_equal(gb_zone_load("Asia/Tokio", &zone), GB_ERR_NOT_FOUND);
    assert_non_null(strstr(gb_error_message(), "did you mean \"Asia/Tokyo\""));
    assert_int_equal(gb_zone_load("JST", &zone), GB_ERR_NOT_FOUND);
    assert_non_null(strstr(gb_error_message(), "Asia/Tokyo"));
}

/* Cut anywhere and with any byte changed: a zone or a status, and no reading outside. */
static void damaged_files(void **state)
{
    (void)state;
    gb_arena *arena = NULL;
    char *text = NULL;
    size_t size = 0;
    assert_int_equal(gb_arena_create(0, &arena), GB_OK);
    if (gb_file_read("/usr/share/zoneinfo/Europe/Berlin", 0, arena, &text, &size) != GB_OK) {
        gb_arena_destroy(arena);
        skip();
    }
    for (size_t cut = 0; cut < size; cut++) {
        char *copy = malloc(cut + 1); /* so that reading behind the end is seen */
        memcpy(copy, text, cut);
        gb_zone *zone = NULL;
        assert_int_equal(gb_zone_parse(copy, cut, "cut", &zone), GB_ERR_PARSE);
        free(copy);
    }
    for (size_t i = 0; i < size; i++) {
        for (int how = 0; how < 3; how++) {
            char kept = text[i];
            text[i] = how == 0 ? (char)~kept : how == 1 ? (char)(kept ^ 1) : (char)0x7F;
            gb_zone *zone = NULL;
            if (gb_zone_parse(text, size, "flipped", &zone) == GB_OK) {
                int64_t utc_ns;
                for (int64_t t = -9; t < 9; t++)
                    (void)!gb_zone_to_utc(zone, t * 1000000007LL * S, true, &utc_ns, NULL);
            }
            gb_zone_destroy(zone);
            text[i] = kept;
        }
    }
    gb_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(berlin),
        cmocka_unit_test(others),
        cmocka_unit_test(agrees_with_the_c_library),
        cmocka_unit_test(fixed_offsets),
        cmocka_unit_test(refuses_other_names),
        cmocka_unit_test(damaged_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
