/* POSIX.1 TZ strings, with the hours beyond a day that RFC 8536 version 3 allows. */
#include "ingest/zone_rule.h"

#define DAY_S 86400LL
#define FIRST_YEAR 1680
#define LAST_YEAR 2263

typedef struct cursor {
    const char *at, *end;
} cursor;

static bool next_is(cursor *c, char expected)
{
    if (c->at == c->end || *c->at != expected)
        return false;
    c->at++;
    return true;
}

static bool read_number(cursor *c, int most_digits, int64_t *out)
{
    int digits = 0;
    *out = 0;
    while (c->at < c->end && *c->at >= '0' && *c->at <= '9' && digits < most_digits) {
        *out = *out * 10 + (*c->at++ - '0');
        digits++;
    }
    return digits > 0;
}

/* "CET" or "<+1030>" */
static bool skip_name(cursor *c)
{
    const char *begun = c->at;
    if (next_is(c, '<')) {
        while (c->at < c->end && *c->at != '>')
            c->at++;
        return next_is(c, '>');
    }
    while (c->at < c->end && ((*c->at >= 'A' && *c->at <= 'Z') || (*c->at >= 'a' && *c->at <= 'z')))
        c->at++;
    return c->at - begun >= 3;
}

/* [+-]hh[:mm[:ss]] in seconds */
static bool read_time(cursor *c, int64_t most_hours, int64_t *out_s)
{
    bool minus = next_is(c, '-');
    if (!minus)
        (void)next_is(c, '+');
    int64_t hours, minutes = 0, seconds = 0;
    if (!read_number(c, 3, &hours) || hours > most_hours)
        return false;
    if (next_is(c, ':') && (!read_number(c, 2, &minutes) || minutes > 59))
        return false;
    if (next_is(c, ':') && (!read_number(c, 2, &seconds) || seconds > 59))
        return false;
    int64_t total = hours * 3600 + minutes * 60 + seconds;
    *out_s = minus ? -total : total;
    return true;
}

static bool read_day(cursor *c, gb_zone_day *day)
{
    int64_t a, b, d;
    *day = (gb_zone_day){.time_s = 2 * 3600};
    if (next_is(c, 'M')) {
        if (!read_number(c, 2, &a) || !next_is(c, '.') || !read_number(c, 1, &b) ||
            !next_is(c, '.') || !read_number(c, 1, &d))
            return false;
        if (a < 1 || a > 12 || b < 1 || b > 5 || d > 6)
            return false;
        day->kind = GB_ZONE_DAY_OF_WEEK;
        day->month = (int)a;
        day->week = (int)b;
        day->day = (int)d;
    } else {
        bool julian = next_is(c, 'J');
        day->kind = julian ? GB_ZONE_DAY_JULIAN : GB_ZONE_DAY_OF_YEAR;
        if (!read_number(c, 3, &d) || d > 365 || (julian && d < 1))
            return false;
        day->day = (int)d;
    }
    return !next_is(c, '/') || read_time(c, 167, &day->time_s);
}

bool gb_zone_rule_parse(const char *text, size_t size, gb_zone_rule *out)
{
    cursor c = {text, text + size};
    gb_zone_rule rule = {0};
    int64_t west;
    if (!skip_name(&c) || !read_time(&c, 24, &west))
        return false;
    rule.standard_offset_s = rule.summer_offset_s = -west; /* POSIX counts west of Greenwich */
    if (c.at < c.end) {
        rule.summer = true;
        if (!skip_name(&c))
            return false;
        rule.summer_offset_s += 3600;
        if (c.at < c.end && *c.at != ',') {
            if (!read_time(&c, 24, &west))
                return false;
            rule.summer_offset_s = -west;
        }
        if (!next_is(&c, ',') || !read_day(&c, &rule.summer_from) || !next_is(&c, ',') ||
            !read_day(&c, &rule.summer_to))
            return false;
    }
    if (c.at != c.end)
        return false;
    *out = rule;
    return true;
}

/* ---- written out ------------------------------------------------------------------------------
 */

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days from 1970-01-01 to 1 January of a year from 1601 on. */
static int64_t days_to_year(int64_t year)
{
    int64_t before = year - 1;
    return 365 * (year - 1970) + (before / 4 - before / 100 + before / 400) - 477;
}

static int64_t year_of(int64_t utc_s)
{
    int64_t year = 1970 + utc_s / (146097 * DAY_S / 400);
    while (year > FIRST_YEAR && days_to_year(year) * DAY_S > utc_s)
        year--;
    while (days_to_year(year + 1) * DAY_S <= utc_s)
        year++;
    return year;
}

static int days_before_month(int64_t year, int month)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    return before[month - 1] + (month > 2 && is_leap(year));
}

/* Local seconds since 1970 of the change in a year. */
static int64_t day_in_year(const gb_zone_day *day, int64_t year)
{
    int64_t first = days_to_year(year), at = first + day->day;
    if (day->kind == GB_ZONE_DAY_JULIAN)
        at = first + day->day - 1 + (is_leap(year) && day->day >= 60);
    if (day->kind == GB_ZONE_DAY_OF_WEEK) {
        int64_t month = first + days_before_month(year, day->month);
        int length = day->month == 12 ? 31
                                      : days_before_month(year, day->month + 1) -
                                            days_before_month(year, day->month);
        int64_t weekday = ((month + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
        int64_t in_month = (day->day - weekday + 7) % 7 + 7 * (day->week - 1);
        at = month + (in_month >= length ? in_month - 7 : in_month);
    }
    return at * DAY_S + day->time_s;
}

/* Adds a span unless it lies before the last; one that starts no later than the last replaces it.
 */
static int64_t add_span(gb_zone_span *spans, int64_t fixed, int64_t count, gb_zone_span span)
{
    if (span.start_s <= spans[fixed - 1].start_s)
        return count;
    while (count > fixed && span.start_s <= spans[count - 1].start_s)
        count--;
    spans[count] = span;
    return count + 1;
}

int64_t gb_zone_rule_write_out(const gb_zone_rule *rule, gb_zone_span *spans, int64_t count)
{
    int64_t last_s = spans[count - 1].start_s, fixed = count;
    const int64_t first_s = days_to_year(FIRST_YEAR) * DAY_S,
                  end_s = days_to_year(LAST_YEAR) * DAY_S;
    if (last_s >= end_s)
        return count;
    if (!rule->summer) {
        if (last_s == INT64_MIN && count == 1)
            spans[0].offset_s = rule->standard_offset_s;
        return count;
    }
    for (int64_t year = last_s < first_s ? FIRST_YEAR : year_of(last_s); year <= LAST_YEAR;
         year++) {
        gb_zone_span on = {day_in_year(&rule->summer_from, year) - rule->standard_offset_s,
                           rule->summer_offset_s};
        gb_zone_span off = {day_in_year(&rule->summer_to, year) - rule->summer_offset_s,
                            rule->standard_offset_s};
        bool on_first = on.start_s < off.start_s;
        count = add_span(spans, fixed, count, on_first ? on : off);
        count = add_span(spans, fixed, count, on_first ? off : on);
    }
    return count;
}
