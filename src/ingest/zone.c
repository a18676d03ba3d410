/* Local time to UTC. A zone is a list of spans, each with one offset; the POSIX rule at the end of
 * a zoneinfo file (zone_rule.c) is written out to the last year that 64 bits of nanoseconds hold.
 */
#include "ingest/zone.h"

#include "base/words.h"
#include "ingest/zone_rule.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ZONEINFO "/usr/share/zoneinfo"
#define FILE_BYTES_MAX ((size_t)1 << 20)
#define TRANSITIONS_MAX 4096
#define OFFSET_MAX_S (26 * 3600) /* RFC 8536: -25 h .. 26 h */
#define SECOND_NS 1000000000LL

struct gb_zone {
    /* spans in order; span i is [start_s, next start_s) of UTC */
    gb_zone_span *spans; /* [count], the first starts at INT64_MIN */
    int64_t count;
    /* local times [plain_from, plain_to) are plain, offset_ns east of UTC: the last answer's span
     */
    int64_t plain_from_ns, plain_to_ns, offset_ns;
};

/* ---- TZif files -------------------------------------------------------------------------------
 */

typedef struct tzif {
    const unsigned char *at, *end;
    const char *name;
    int version;
    uint32_t utc_count, standard_count, leap_count, time_count, type_count, text_count;
} tzif;

static uint64_t read_be(const unsigned char *at, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    return value;
}

static gb_status bad_file(const tzif *file, const char *what)
{
    return gb_fail(GB_ERR_PARSE, "zone %.200s: its zoneinfo file %s; reinstall tzdata", file->name,
                   what);
}

static gb_status read_header(tzif *file)
{
    const unsigned char *at = file->at;
    if (file->end - at < 44 || memcmp(at, "TZif", 4) != 0)
        return bad_file(file, "does not begin with a TZif header");
    file->version = at[4] == 0 ? 1 : at[4] - '0';
    uint32_t *counts[] = {&file->utc_count,  &file->standard_count, &file->leap_count,
                          &file->time_count, &file->type_count,     &file->text_count};
    for (int i = 0; i < 6; i++)
        *counts[i] = (uint32_t)read_be(at + 20 + 4 * i, 4);
    file->at += 44;
    if (file->time_count > TRANSITIONS_MAX || file->type_count > 256 || file->text_count > 4096 ||
        file->leap_count > 4096 || file->utc_count > 256 || file->standard_count > 256)
        return bad_file(file, "holds counts beyond reason");
    return GB_OK;
}

/* Bytes of a data block whose times have time_bytes. */
static size_t block_bytes(const tzif *file, size_t time_bytes)
{
    return file->time_count * (time_bytes + 1) + file->type_count * (size_t)6 + file->text_count +
           file->leap_count * (time_bytes + 4) + file->standard_count + file->utc_count;
}

static gb_status read_offset(const tzif *file, const unsigned char *types, uint32_t i, int64_t *out)
{
    if (i >= file->type_count)
        return bad_file(file, "names an offset it does not hold");
    int64_t offset = (int32_t)read_be(types + (size_t)6 * i, 4);
    if (offset < -OFFSET_MAX_S || offset > OFFSET_MAX_S)
        return bad_file(file, "holds an offset beyond 26 hours");
    *out = offset;
    return GB_OK;
}

/* Fills spans from one data block. spans has room for all its transitions and one more. */
static gb_status read_block(tzif *file, int time_bytes, gb_zone *zone)
{
    size_t size = block_bytes(file, (size_t)time_bytes);
    if ((size_t)(file->end - file->at) < size)
        return bad_file(file, "is cut short");
    if (file->type_count == 0)
        return bad_file(file, "holds no offsets");
    if (file->leap_count > 0)
        return gb_fail(GB_ERR_UNSUPPORTED,
                       "zone %.200s counts leap seconds; use the zone without \"right/\"",
                       file->name);
    const unsigned char *times = file->at, *indexes = times + file->time_count * (size_t)time_bytes,
                        *types = indexes + file->time_count;
    gb_zone_span *span = zone->spans;
    span->start_s = INT64_MIN;
    GB_TRY(read_offset(file, types, 0, &span->offset_s));
    for (uint32_t i = 0; i < file->time_count; i++) {
        const unsigned char *at = times + (size_t)i * (size_t)time_bytes;
        int64_t start = time_bytes == 8 ? (int64_t)read_be(at, 8) : (int32_t)read_be(at, 4);
        if (start <= span->start_s && i > 0)
            return bad_file(file, "holds transitions out of order");
        span += start > INT64_MIN;
        span->start_s = start;
        GB_TRY(read_offset(file, types, indexes[i], &span->offset_s));
    }
    zone->count = span - zone->spans + 1;
    file->at += size;
    return GB_OK;
}

/* The POSIX rule between two newlines; it holds from the last transition on. */
static gb_status read_footer(tzif *file, gb_zone *zone)
{
    size_t left = (size_t)(file->end - file->at);
    const unsigned char *text = file->at + 1;
    const unsigned char *stop = left > 1 ? memchr(text, '\n', left - 1) : NULL;
    if (left < 2 || file->at[0] != '\n' || !stop)
        return bad_file(file, "has no rule line at its end");
    if (stop == text)
        return GB_OK; /* none stated: the last offset stays */
    gb_zone_rule rule;
    if (!gb_zone_rule_parse((const char *)text, (size_t)(stop - text), &rule))
        return bad_file(file, "ends with a rule that POSIX does not know");
    zone->count = gb_zone_rule_write_out(&rule, zone->spans, zone->count);
    return GB_OK;
}

static gb_status read_tzif(tzif *file, gb_zone *zone)
{
    GB_TRY(read_header(file));
    if (file->version >= 2) {
        size_t first = block_bytes(file, 4);
        if ((size_t)(file->end - file->at) < first)
            return bad_file(file, "is cut short");
        file->at += first;
        GB_TRY(read_header(file));
    }
    size_t room = file->time_count + 1 + GB_ZONE_RULE_SPANS;
    zone->spans = calloc(room, sizeof *zone->spans);
    if (!zone->spans)
        return gb_fail(GB_ERR_MEMORY, "no memory for zone %.200s", file->name);
    GB_TRY(read_block(file, file->version >= 2 ? 8 : 4, zone));
    return file->version >= 2 ? read_footer(file, zone) : GB_OK;
}

gb_status gb_zone_parse(const void *data, size_t size, const char *name, gb_zone **out)
{
    gb_zone *zone = calloc(1, sizeof *zone);
    if (!zone)
        return gb_fail(GB_ERR_MEMORY, "no memory for zone %.200s", name);
    static const unsigned char nothing[1];
    const unsigned char *at = data ? data : nothing;
    tzif file = {.at = at, .end = at + size, .name = name};
    gb_status status = read_tzif(&file, zone);
    if (status != GB_OK) {
        gb_zone_destroy(zone);
        return status;
    }
    *out = zone;
    return GB_OK;
}

void gb_zone_destroy(gb_zone *zone)
{
    if (!zone)
        return;
    free(zone->spans);
    free(zone);
}

/* ---- names ------------------------------------------------------------------------------------
 */

static bool two_digits(const char **at, int64_t *value)
{
    const char *p = *at;
    if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
        return false;
    *value = (p[0] - '0') * 10 + p[1] - '0';
    *at += 2;
    return true;
}

/* "Z", "UTC", "+09:00", "+0900", "+09", "UTC+9", "GMT+09:00": seconds east of UTC. */
static bool fixed_offset(const char *name, int64_t *offset_s)
{
    bool named = strncasecmp(name, "utc", 3) == 0 || strncasecmp(name, "gmt", 3) == 0;
    const char *at = name + (named ? 3 : 0);
    *offset_s = 0;
    if ((named && *at == 0) || strcasecmp(name, "z") == 0)
        return true;
    if (*at != '+' && *at != '-')
        return false;
    int64_t sign = *at++ == '-' ? -1 : 1, hours = 0, minutes = 0;
    if (!two_digits(&at, &hours)) {
        if (*at < '0' || *at > '9')
            return false;
        hours = *at++ - '0';
    }
    at += *at == ':';
    if (*at != 0 && !two_digits(&at, &minutes))
        return false;
    *offset_s = sign * (hours * 3600 + minutes * 60);
    return *at == 0 && hours <= 18 && minutes < 60;
}

/* A name is a path under zoneinfo, so nothing may lead out of there. */
static bool is_safe(const char *name)
{
    size_t size = strlen(name);
    if (size == 0 || size > 64 || name[0] == '/' || name[size - 1] == '/')
        return false;
    for (size_t i = 0; i < size; i++) {
        char c = name[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && c != '_' && c != '-' && c != '+' && c != '/')
            return false; /* no dots: neither ".." nor files like "zone.tab" */
        if (c == '/' && name[i + 1] == '/')
            return false;
    }
    return true;
}

/* Adds the zones of zone1970.tab to the words to suggest. */
static void suggest_from_table(char *text, gb_words *words)
{
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *second = line[0] == '#' ? NULL : strchr(line, '\t');
        char *zone = second ? strchr(second + 1, '\t') : NULL;
        if (!zone)
            continue;
        zone[1 + strcspn(zone + 1, "\t")] = 0;
        gb_words_add(words, zone + 1);
    }
}

static gb_status no_such_zone(const char *name)
{
    static const char *const abbreviations[][2] = {
        {"JST", "Asia/Tokyo"},       {"KST", "Asia/Seoul"},       {"IST", "Asia/Kolkata"},
        {"CEST", "Europe/Berlin"},   {"BST", "Europe/London"},    {"PST", "America/Los_Angeles"},
        {"CST", "America/Chicago"},  {"EDT", "America/New_York"}, {"PDT", "America/Los_Angeles"},
        {"AEST", "Australia/Sydney"}};
    for (size_t i = 0; i < sizeof abbreviations / sizeof *abbreviations; i++)
        if (strcasecmp(name, abbreviations[i][0]) == 0)
            return gb_fail(GB_ERR_NOT_FOUND,
                           "no time zone is called \"%s\": abbreviations mean several places; did "
                           "you mean \"%s\"? or give the offset, as in \"+09:00\"",
                           name, abbreviations[i][1]);
    gb_arena *arena = NULL;
    char *text = NULL;
    size_t size = 0;
    GB_TRY(gb_arena_create(0, &arena));
    gb_words words = {.written = name};
    if (gb_file_read(ZONEINFO "/zone1970.tab", FILE_BYTES_MAX, arena, &text, &size) == GB_OK)
        suggest_from_table(text, &words);
    gb_status status = gb_fail(GB_ERR_NOT_FOUND,
                               "no time zone is called \"%.64s\": %sexpected a name like "
                               "\"Asia/Tokyo\" or an offset like \"+09:00\"",
                               name, words.nearest ? gb_words_suggest(&words) : "");
    gb_arena_destroy(arena);
    return status;
}

static gb_status load_file(const char *name, gb_zone **out)
{
    char path[128] = ZONEINFO "/";
    if (!gb_file_exists(ZONEINFO))
        return gb_fail(GB_ERR_UNSUPPORTED,
                       "zone %s: this machine has no %s; install tzdata, or give the offset, as in "
                       "\"+09:00\"",
                       name, ZONEINFO);
    strcat(path, name);
    DIR *folder = opendir(path);
    if (folder)
        closedir(folder);
    if (folder || !gb_file_exists(path))
        return no_such_zone(name);
    gb_arena *arena = NULL;
    char *bytes = NULL;
    size_t size = 0;
    GB_TRY(gb_arena_create(0, &arena));
    gb_status status = gb_file_read(path, FILE_BYTES_MAX, arena, &bytes, &size);
    if (status == GB_OK)
        status = gb_zone_parse(bytes, size, name, out);
    gb_arena_destroy(arena);
    return status;
}

gb_status gb_zone_load(const char *name, gb_zone **out)
{
    int64_t offset_s;
    if (!fixed_offset(name, &offset_s)) {
        if (!is_safe(name))
            return gb_fail(GB_ERR_NOT_FOUND,
                           "\"%.64s\" is no name of a time zone: expected one like "
                           "\"Asia/Tokyo\", or an offset of at most 18 h like \"+09:00\"",
                           name);
        return load_file(name, out);
    }
    gb_zone *zone = calloc(1, sizeof *zone);
    gb_zone_span *span = calloc(1, sizeof *span);
    if (!zone || !span) {
        free(zone);
        free(span);
        return gb_fail(GB_ERR_MEMORY, "no memory for zone %s", name);
    }
    *span = (gb_zone_span){INT64_MIN, offset_s};
    zone->spans = span;
    zone->count = 1;
    *out = zone;
    return GB_OK;
}

/* ---- from local time to UTC -------------------------------------------------------------------
 */

/* The span that holds an instant. */
static int64_t find_span(const gb_zone *zone, int64_t utc_s)
{
    int64_t low = 0, high = zone->count;
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (zone->spans[middle].start_s <= utc_s)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static int64_t span_end(const gb_zone *zone, int64_t i)
{
    return i + 1 < zone->count ? zone->spans[i + 1].start_s : INT64_MAX;
}

static bool span_holds_local(const gb_zone *zone, int64_t i, int64_t local_s)
{
    int64_t utc_s = local_s - zone->spans[i].offset_s;
    return utc_s >= zone->spans[i].start_s && utc_s < span_end(zone, i);
}

/* Remembers the part of a span's local times that no neighbour can share. */
static void remember_plain(gb_zone *zone, int64_t i, int64_t local_ns)
{
    int64_t offset_s = zone->spans[i].offset_s;
    int64_t from = zone->spans[i].start_s, to = span_end(zone, i);
    const int64_t margin = 2 * OFFSET_MAX_S;
    const int64_t limit = INT64_MAX / SECOND_NS - 2 * margin;
    if (from > limit || to < -limit)
        return;
    zone->offset_ns = offset_s * SECOND_NS;
    zone->plain_from_ns = (from < -limit ? -limit : from + offset_s + margin) * SECOND_NS;
    zone->plain_to_ns = (to > limit ? limit : to + offset_s - margin) * SECOND_NS;
    if (local_ns < zone->plain_from_ns || local_ns >= zone->plain_to_ns)
        zone->plain_from_ns = zone->plain_to_ns = 0;
}

/* All spans whose local times may hold this one lie within 26 hours. A gap lies between a span that
 * ends before it and one that starts behind it. */
static int64_t choose_span(const gb_zone *zone, int64_t local_s, bool later, gb_zone_kind *kind)
{
    int64_t first = find_span(zone, local_s - OFFSET_MAX_S);
    int64_t found = -1, before_gap = first;
    *kind = GB_ZONE_GAP;
    for (int64_t i = first; i < zone->count; i++) {
        if (zone->spans[i].start_s > local_s + OFFSET_MAX_S)
            break;
        if (zone->spans[i].start_s <= INT64_MIN + OFFSET_MAX_S ||
            zone->spans[i].start_s + zone->spans[i].offset_s <= local_s)
            before_gap = i;
        if (!span_holds_local(zone, i, local_s))
            continue;
        *kind = found < 0 ? GB_ZONE_PLAIN : GB_ZONE_FOLD;
        if (found < 0 || later)
            found = i;
    }
    return found >= 0 ? found : before_gap;
}

gb_status gb_zone_to_utc(
    gb_zone *zone, int64_t local_ns, bool later, int64_t *out_utc_ns, gb_zone_kind *out_kind)
{
    gb_zone_kind kind = GB_ZONE_PLAIN;
    int64_t offset_ns = zone->offset_ns;
    if (local_ns < zone->plain_from_ns || local_ns >= zone->plain_to_ns) {
        int64_t local_s = local_ns / SECOND_NS - (local_ns % SECOND_NS < 0);
        int64_t span = choose_span(zone, local_s, later, &kind);
        offset_ns = zone->spans[span].offset_s * SECOND_NS;
        if (kind == GB_ZONE_PLAIN)
            remember_plain(zone, span, local_ns);
    }
    int64_t utc_ns;
    if (__builtin_sub_overflow(local_ns, offset_ns, &utc_ns))
        return gb_fail(GB_ERR_ARGUMENT, "a time beyond the years 1678 to 2261");
    *out_utc_ns = utc_ns;
    if (out_kind)
        *out_kind = kind;
    return GB_OK;
}

int64_t gb_zone_offset_s(const gb_zone *zone, int64_t utc_ns)
{
    int64_t utc_s = utc_ns / SECOND_NS - (utc_ns % SECOND_NS < 0);
    return zone->spans[find_span(zone, utc_s)].offset_s;
}

bool gb_zone_changes(const gb_zone *zone, int64_t from_utc_ns, int64_t to_utc_ns)
{
    int64_t last = find_span(zone, to_utc_ns / SECOND_NS);
    for (int64_t i = find_span(zone, from_utc_ns / SECOND_NS); i < last; i++)
        if (zone->spans[i].offset_s != zone->spans[i + 1].offset_s)
            return true;
    return false;
}
