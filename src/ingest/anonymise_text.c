/* Texts without names and serials, and values made coarse. Which texts and values: anonymise.c. */
#include "ingest/anonymise.h"

#include "ingest/stamp.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* ---- patterns ---------------------------------------------------------------------------------
 */

typedef struct growing_text {
    char *text; /* [size], ends in 0 */
    size_t size, room;
} growing_text;

static gb_status add(growing_text *to, const char *text, size_t size)
{
    if (to->size + size + 1 > to->room) {
        size_t room = 2 * (to->size + size + 1);
        char *grown = realloc(to->text, room);
        if (!grown)
            return gb_fail(GB_ERR_MEMORY, "no memory for a text of %zu bytes", to->size + size);
        to->text = grown;
        to->room = room;
    }
    if (size > 0)
        memcpy(to->text + to->size, text, size);
    to->size += size;
    to->text[to->size] = 0;
    return GB_OK;
}

/* Replaces what a pattern matches. REG_STARTEND: a text may hold zeros. */
static gb_status replace_all(
    const regex_t *pattern, const char *with, const char *text, size_t size, growing_text *to)
{
    size_t at = 0;
    regmatch_t found;
    while (at < size) {
        found.rm_so = (regoff_t)at;
        found.rm_eo = (regoff_t)size;
        if (regexec(pattern, text, 1, &found, REG_STARTEND | (at ? REG_NOTBOL : 0)) != 0)
            break;
        size_t from = (size_t)found.rm_so, end = (size_t)found.rm_eo;
        GB_TRY(add(to, text + at, from - at));
        if (end > from) {
            GB_TRY(add(to, with, strlen(with)));
            at = end;
        } else if (from < size) { /* matched nothing: step on */
            GB_TRY(add(to, text + from, 1));
            at = from + 1;
        } else {
            at = size;
        }
    }
    return add(to, text + at, size - at);
}

static gb_status scrub_plain(const gb_anonymise_policy *policy,
                             const char *text,
                             size_t size,
                             char **out_text,
                             size_t *out_size)
{
    growing_text now = {0}, next = {0};
    if (size > (size_t)INT32_MAX) /* what regoff_t counts to */
        return gb_fail(GB_ERR_ARGUMENT, "a text of %zu bytes is too long to scrub", size);
    gb_status status = add(&now, text, size);
    for (uint32_t i = 0; status == GB_OK && i < policy->scrub_compiled; i++) {
        const char *with = policy->data->scrub[i].replace;
        next.size = 0;
        status = replace_all(&policy->scrub[i], with ? with : "[...]", now.text, now.size, &next);
        growing_text kept = now;
        now = next;
        next = kept;
    }
    free(next.text);
    if (status != GB_OK) {
        free(now.text);
        return status;
    }
    *out_text = now.text;
    *out_size = now.size;
    return GB_OK;
}

/* A copy of a JSON value with every text scrubbed, keys too: escapes are undone first, so that
 * "\u0053N-1" hides nothing. jansson limits the depth (2048) when it parses. */
static json_t *scrub_value(const gb_anonymise_policy *policy, const json_t *value)
{
    char *text = NULL;
    size_t size = 0;
    if (json_is_string(value)) {
        if (scrub_plain(policy, json_string_value(value), json_string_length(value), &text,
                        &size) != GB_OK)
            return NULL;
        json_t *made = json_stringn(text, size);
        if (!made) /* a pattern cut a letter of several bytes */
            made = json_string("[...]");
        free(text);
        return made;
    }
    if (json_is_array(value)) {
        json_t *made = json_array();
        for (size_t i = 0; made && i < json_array_size(value); i++)
            if (json_array_append_new(made, scrub_value(policy, json_array_get(value, i))) != 0) {
                json_decref(made);
                made = NULL;
            }
        return made;
    }
    if (!json_is_object(value))
        return json_deep_copy(value);
    json_t *made = json_object(), *item;
    const char *key;
    json_object_foreach((json_t *)value, key, item)
    {
        bool good = made && scrub_plain(policy, key, strlen(key), &text, &size) == GB_OK;
        if (!good || json_object_set_new(made, text, scrub_value(policy, item)) != 0) {
            json_decref(made);
            made = NULL;
        }
        free(text);
        text = NULL;
        if (!made)
            break;
    }
    return made;
}

static gb_status
scrub_json(const gb_anonymise_policy *policy, json_t *document, char **out_text, size_t *out_size)
{
    json_t *made = scrub_value(policy, document);
    char *text = made ? json_dumps(made, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    json_decref(made);
    if (!text)
        return gb_fail(GB_ERR_MEMORY, "no memory to scrub a JSON text");
    *out_size = strlen(text);
    *out_text = text;
    return GB_OK;
}

gb_status gb_scrub_text(const gb_anonymise_policy *policy,
                        const char *text,
                        size_t size,
                        bool json,
                        char **out_text,
                        size_t *out_size,
                        bool *out_changed)
{
    const int flags = JSON_DECODE_ANY | JSON_ALLOW_NUL;
    json_t *document = json && policy->scrub_compiled ? json_loadb(text, size, flags, NULL) : NULL;
    char *made = NULL;
    size_t made_size = 0;
    bool changed = true;
    if (document) {
        json_t *scrubbed = scrub_value(policy, document);
        changed = !scrubbed || !json_equal(scrubbed, document);
        json_decref(scrubbed);
    }
    /* JSON that no pattern touches keeps its very bytes; what is no JSON is scrubbed as text */
    gb_status status = document && changed ? scrub_json(policy, document, &made, &made_size)
                                           : scrub_plain(policy, text, size, &made, &made_size);
    json_decref(document);
    if (status != GB_OK)
        return status;
    *out_changed = made_size != size || memcmp(made, text, size) != 0;
    *out_text = made;
    *out_size = made_size;
    return GB_OK;
}

/* ---- times ------------------------------------------------------------------------------------
 */

#define SECOND_NS INT64_C(1000000000)
#define HOUR_NS (3600 * SECOND_NS)
#define DAY_NS (24 * HOUR_NS)

static int64_t floor_to(int64_t value, int64_t step)
{
    int64_t rest = value % step;
    return value - (rest < 0 ? rest + step : rest);
}

static const gb_work_shift usual_shifts[] = {{"early", 6}, {"late", 14}, {"night", 22}};

/* When the shift of a local time began, and its name. The last shift runs past midnight. */
static int64_t shift_begin(const gb_policy_data *policy, int64_t local_ns, const char **out_name)
{
    const gb_work_shift *shifts = policy->shifts_count ? policy->shifts : usual_shifts;
    uint32_t count = policy->shifts_count ? policy->shifts_count : 3;
    int64_t day = floor_to(local_ns, DAY_NS), within = local_ns - day;
    uint32_t at = count;
    while (at > 0 && within < (int64_t)llround(shifts[at - 1].from_h * 3600) * SECOND_NS)
        at--;
    if (at == 0) { /* before the first: the last one of the day before */
        at = count;
        day -= DAY_NS;
    }
    if (out_name)
        *out_name = shifts[at - 1].name;
    return day + (int64_t)llround(shifts[at - 1].from_h * 3600) * SECOND_NS;
}

/* 1970-01-01 was a Thursday; weeks begin on Monday (ISO 8601). */
static int64_t week_begin(int64_t local_ns)
{
    return floor_to(local_ns + 3 * DAY_NS, 7 * DAY_NS) - 3 * DAY_NS;
}

static int64_t period_begin(const gb_policy_data *policy, gb_period period, int64_t local_ns)
{
    switch (period) {
    case GB_PERIOD_HOUR:
        return floor_to(local_ns, HOUR_NS);
    case GB_PERIOD_SHIFT:
        return shift_begin(policy, local_ns, NULL);
    case GB_PERIOD_DAY:
        return floor_to(local_ns, DAY_NS);
    case GB_PERIOD_WEEK:
        return week_begin(local_ns);
    default:
        return local_ns;
    }
}

int64_t gb_generalise_time(const gb_policy_data *policy, gb_period period, int64_t time_ns)
{
    int64_t zone_ns = llround(policy->zone_h * 3600) * SECOND_NS;
    /* the ends of what 64 bits hold stay where they are: there is no day around them to go to */
    if (time_ns < INT64_MIN + 10 * DAY_NS || time_ns > INT64_MAX - 10 * DAY_NS)
        return 0;
    return period_begin(policy, period, time_ns + zone_ns) - zone_ns;
}

static void write_day(int64_t local_ns, const char *format, char *out, size_t size)
{
    time_t seconds = (time_t)(floor_to(local_ns, SECOND_NS) / SECOND_NS);
    struct tm parts;
    if (!gmtime_r(&seconds, &parts) || strftime(out, size, format, &parts) == 0)
        snprintf(out, size, "unknown");
}

/* Does a stamp say its zone ("Z", "+09:00")? */
static bool has_zone(const char *text, size_t size)
{
    for (size_t i = 10; i < size; i++)
        if (text[i] == 'Z' || text[i] == 'z' || text[i] == '+' || text[i] == '-')
            return true;
    return false;
}

static void generalise_date(const gb_policy_data *policy,
                            gb_period period,
                            const char *text,
                            size_t size,
                            char *out,
                            size_t out_size)
{
    static const char *const formats[] = {[GB_PERIOD_HOUR] = "%Y-%m-%d %H",
                                          [GB_PERIOD_SHIFT] = "%Y-%m-%d",
                                          [GB_PERIOD_DAY] = "%Y-%m-%d",
                                          [GB_PERIOD_WEEK] = "%G-W%V"};
    int64_t at = 0;
    if (!gb_stamp_parse(text, size, GB_TIME_FORMAT_DATETIME, '.', 1, &at) ||
        at < INT64_MIN + 10 * DAY_NS || at > INT64_MAX - 10 * DAY_NS) {
        snprintf(out, out_size, "unknown");
        return;
    }
    if (has_zone(text, size))
        at += llround(policy->zone_h * 3600) * SECOND_NS;
    write_day(period_begin(policy, period, at), formats[period], out, out_size);
    if (period == GB_PERIOD_SHIFT) {
        const char *name = "";
        (void)shift_begin(policy, at, &name);
        size_t used = strlen(out);
        snprintf(out + used, out_size - used, " %.64s", name);
    }
}

/* ---- numbers ----------------------------------------------------------------------------------
 */

/* The bin of a number: [*low, *high); the first and last of bins between edges have no end. */
static void find_bin(const gb_generalise *how, double value, double *low, double *high)
{
    if (how->width) {
        double origin = how->origin ? *how->origin : 0;
        *low = origin + floor((value - origin) / *how->width) * *how->width;
        *high = *low + *how->width;
        return;
    }
    uint32_t at = 0;
    while (at < how->edges_count && value >= how->edges[at])
        at++;
    *low = at > 0 ? how->edges[at - 1] : -INFINITY;
    *high = at < how->edges_count ? how->edges[at] : INFINITY;
}

double gb_generalise_number(const gb_generalise *how, double value)
{
    if (isnan(value) || (!how->width && how->edges_count == 0))
        return value;
    if (isinf(value) && how->width)
        return NAN; /* in no bin */
    double low, high;
    find_bin(how, value, &low, &high);
    if (isinf(low))
        return high;
    return isinf(high) ? low : low + (high - low) / 2;
}

void gb_generalise_text(const gb_policy_data *policy,
                        const gb_generalise *how,
                        const char *text,
                        size_t size,
                        char *out,
                        size_t out_size)
{
    char number[64], *end = number;
    if (how->dates) {
        generalise_date(policy, (gb_period)how->dates, text, size, out, out_size);
        return;
    }
    double value = NAN;
    if (size < sizeof number) {
        memcpy(number, text, size);
        number[size] = 0;
        value = strtod(number, &end);
    }
    if (end == number || *end != 0 || !isfinite(value)) {
        snprintf(out, out_size, "unknown");
        return;
    }
    double low, high;
    find_bin(how, value, &low, &high);
    if (isinf(low))
        snprintf(out, out_size, "under %.10g", high);
    else if (isinf(high))
        snprintf(out, out_size, "%.10g or more", low);
    else
        snprintf(out, out_size, "[%.10g, %.10g)", low, high);
}
