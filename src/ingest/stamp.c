/* Dates, epochs and counters from text to int64 nanoseconds, in UTC. A stamp without an
 * offset is read as UTC: zones by name are zone.c. The twelve-hour clock is not read. */
#include "ingest/stamp.h"

#include "ingest/number.h"

#include <math.h>

static const char *const format_names[] = {
#define GB_TIME_FORMAT_NAME(name, text) [name] = text,
    GB_TIME_FORMAT_LIST(GB_TIME_FORMAT_NAME)
#undef GB_TIME_FORMAT_NAME
};

const char *gb_time_format_name(gb_time_format format)
{
    return (unsigned)format < GB_TIME_FORMAT_COUNT ? format_names[format] : "?";
}

const char *gb_stamp_expected(gb_time_format format)
{
    switch (format) {
    case GB_TIME_FORMAT_DATETIME:
        return "a date and time like 2016-07-01 00:15:00";
    case GB_TIME_FORMAT_DAY_FIRST:
        return "a date and time like 31.12.2016 00:15:00";
    case GB_TIME_FORMAT_MONTH_FIRST:
        return "a date and time like 12/31/2016 00:15:00";
    default:
        return "a time as a number";
    }
}

gb_time_base gb_stamp_base(gb_time_format format)
{
    switch (format) {
    case GB_TIME_FORMAT_NONE:
    case GB_TIME_FORMAT_ROW:
        return GB_TIME_ROW;
    case GB_TIME_FORMAT_SECONDS:
        return GB_TIME_START;
    default:
        return GB_TIME_UTC;
    }
}

typedef struct cursor {
    const char *at, *end;
} cursor;

/* Between least and most digits; -1 when there are fewer. Stops after `most`. */
static int read_digits(cursor *c, int least, int most)
{
    int value = 0, count = 0;
    while (count < most && c->at < c->end && *c->at >= '0' && *c->at <= '9') {
        value = value * 10 + (*c->at++ - '0');
        count++;
    }
    return count >= least ? value : -1;
}

static bool skip(cursor *c, char expected)
{
    if (c->at == c->end || *c->at != expected)
        return false;
    c->at++;
    return true;
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar: years counted from March put the leap
 * day last, so that the days before a month are a linear expression. */
static int64_t days_since_1970(int year, int month, int day)
{
    int shifted = month <= 2 ? year - 1 : year;
    int from_march = (month + 9) % 12;
    int64_t leap_days = shifted / 4 - shifted / 100 + shifted / 400;
    return 365LL * shifted + leap_days + (153 * from_march + 2) / 5 + day - 1 - 719468;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

static bool read_date(cursor *c, gb_time_format format, int64_t *days)
{
    bool year_first = format == GB_TIME_FORMAT_DATETIME;
    int first = read_digits(c, year_first ? 4 : 1, year_first ? 4 : 2);
    char separator = c->at < c->end ? *c->at : 0;
    if (first < 0 || (separator != '-' && separator != '/' && separator != '.'))
        return false;
    c->at++;
    int second = read_digits(c, 1, 2);
    if (second < 0 || !skip(c, separator))
        return false;
    int third = read_digits(c, year_first ? 1 : 4, year_first ? 2 : 4);
    if (third < 0)
        return false;
    int year = year_first ? first : third;
    int month = format == GB_TIME_FORMAT_MONTH_FIRST ? first : second;
    int day = year_first ? third : (format == GB_TIME_FORMAT_DAY_FIRST ? first : second);
    if (year < 1678 || year > 2261 || month < 1 || month > 12 || day < 1 ||
        day > days_in_month(year, month))
        return false;
    *days = days_since_1970(year, month, day);
    return true;
}

/* hh:mm[:ss[.fraction]] */
static bool read_clock(cursor *c, int64_t *ns)
{
    int hour = read_digits(c, 1, 2);
    if (hour < 0 || hour > 23 || !skip(c, ':'))
        return false;
    int minute = read_digits(c, 2, 2), second = 0;
    if (minute < 0 || minute > 59)
        return false;
    int64_t fraction_ns = 0;
    if (skip(c, ':')) {
        second = read_digits(c, 2, 2);
        if (second < 0 || second > 60) /* 60: a leap second */
            return false;
        if (c->at < c->end && (*c->at == '.' || *c->at == ',')) {
            c->at++;
            int64_t unit = 100000000;
            const char *start = c->at;
            for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++, unit /= 10)
                fraction_ns += unit * (*c->at - '0');
            if (c->at == start)
                return false;
        }
    }
    *ns = ((hour * 60LL + minute) * 60 + second) * 1000000000 + fraction_ns;
    return true;
}

/* Z, +hh:mm, +hhmm, +hh or nothing */
static bool read_zone(cursor *c, int64_t *offset_ns, bool *said)
{
    *offset_ns = 0;
    *said = false;
    if (c->at < c->end && *c->at == ' ')
        c->at++;
    if (c->at == c->end)
        return true;
    char sign = *c->at++;
    *said = true;
    if (sign == 'Z' || sign == 'z')
        return true;
    if (sign != '+' && sign != '-')
        return false;
    int hours = read_digits(c, 2, 2), minutes = 0;
    bool colon = skip(c, ':');
    if (colon || c->at < c->end)
        minutes = read_digits(c, 2, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
        return false;
    *offset_ns = (hours * 60LL + minutes) * 60000000000LL * (sign == '-' ? -1 : 1);
    return true;
}

static bool
read_datetime(const char *text, size_t size, gb_time_format format, int64_t *out_ns, bool *said)
{
    cursor c = {text, text + size};
    int64_t days = 0, clock_ns = 0, offset_ns = 0;
    *said = false;
    if (!read_date(&c, format, &days))
        return false;
    if (c.at < c.end) {
        if (*c.at != 'T' && *c.at != 't' && *c.at != ' ')
            return false;
        c.at++;
        if (!read_clock(&c, &clock_ns) || !read_zone(&c, &offset_ns, said))
            return false;
    }
    if (c.at != c.end)
        return false;
    *out_ns = days * 86400000000000LL + clock_ns - offset_ns;
    return true;
}

bool gb_stamp_read(const char *text,
                   size_t size,
                   gb_time_format format,
                   char decimal,
                   double period_s,
                   int64_t *out_ns,
                   bool *out_has_zone)
{
    *out_has_zone = true;
    int64_t counter_e6;
    switch (format) {
    case GB_TIME_FORMAT_DATETIME:
    case GB_TIME_FORMAT_DAY_FIRST:
    case GB_TIME_FORMAT_MONTH_FIRST:
        return read_datetime(text, size, format, out_ns, out_has_zone);
    case GB_TIME_FORMAT_EPOCH_S:
    case GB_TIME_FORMAT_SECONDS:
        return gb_number_scaled(text, size, decimal, 9, out_ns);
    case GB_TIME_FORMAT_EPOCH_MS:
        return gb_number_scaled(text, size, decimal, 6, out_ns);
    case GB_TIME_FORMAT_EPOCH_US:
        return gb_number_scaled(text, size, decimal, 3, out_ns);
    case GB_TIME_FORMAT_EPOCH_NS:
        return gb_number_scaled(text, size, decimal, 0, out_ns);
    case GB_TIME_FORMAT_ROW:
        if (!gb_number_scaled(text, size, decimal, 6, &counter_e6))
            return false;
        double ns = (double)counter_e6 * 1e-6 * period_s * 1e9;
        if (!(fabs(ns) < 9e18))
            return false;
        *out_ns = llround(ns);
        return true;
    default:
        return false;
    }
}

bool gb_stamp_parse(const char *text,
                    size_t size,
                    gb_time_format format,
                    char decimal,
                    double period_s,
                    int64_t *out_ns)
{
    bool has_zone;
    return gb_stamp_read(text, size, format, decimal, period_s, out_ns, &has_zone);
}
