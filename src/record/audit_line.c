/* One line of an audit log: made and read. How lines hang together is audit.c. */
#include "record/audit.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- reading ----------------------------------------------------------------------------------
 */

static bool parse_hash(const json_t *value, unsigned char out[GB_HASH_BYTES])
{
    const char *text = json_string_value(value);
    if (!text || json_string_length(value) != 2 * GB_HASH_BYTES)
        return false;
    for (int i = 0; i < GB_HASH_BYTES; i++) {
        char pair[3] = {text[2 * i], text[2 * i + 1], 0};
        if (strspn(pair, "0123456789abcdef") != 2)
            return false;
        out[i] = (unsigned char)strtoul(pair, NULL, 16);
    }
    return true;
}

static bool parse_torn(const json_t *value, gb_audit_torn *out)
{
    if (!value)
        return true;
    out->lines = json_integer_value(json_object_get(value, "lines"));
    out->bytes = json_integer_value(json_object_get(value, "bytes"));
    return out->lines > 0 && out->bytes > 0 &&
           parse_hash(json_object_get(value, "hash"), out->hash);
}

bool gb_audit_line_parse(const char *text, size_t size, gb_audit_line *out)
{
    gb_audit_line line = {.json = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL)};
    if (!json_is_object(line.json)) {
        json_decref(line.json);
        return false;
    }
    line.sequence = json_integer_value(json_object_get(line.json, "seq"));
    if (line.sequence < 1 || !json_is_string(json_object_get(line.json, "action")) ||
        !parse_hash(json_object_get(line.json, "prev"), line.before) ||
        !parse_torn(json_object_get(line.json, "torn"), &line.torn)) {
        json_decref(line.json);
        return false;
    }
    *out = line;
    return true;
}

/* ---- making -----------------------------------------------------------------------------------
 */

/* File names need not be UTF-8; JSON is. Each byte that fits nowhere becomes \xNN in the text. */
static json_t *text_value(const char *text)
{
    json_t *value = json_string(text);
    size_t length = strlen(text);
    if (value || length > GB_AUDIT_LINE_MAX)
        return value;
    char *plain = malloc(4 * length + 1);
    if (!plain)
        return NULL;
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)text[i] < 0x80)
            plain[used++] = text[i];
        else
            used += (size_t)sprintf(plain + used, "\\x%02x", (unsigned char)text[i]);
    }
    plain[used] = 0;
    value = json_string(plain);
    free(plain);
    return value;
}

static json_t *time_value(void)
{
    int64_t now_ns = gb_clock_wall_ns();
    time_t seconds = (time_t)(now_ns / 1000000000);
    struct tm parts;
    char day[32], text[64];
    gmtime_r(&seconds, &parts);
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text, sizeof text, "%s.%06dZ", day, (int)(now_ns % 1000000000 / 1000));
    return json_string(text);
}

static json_t *who_value(void)
{
    char buffer[4096], host[256] = "", text[768];
    struct passwd entry, *found = NULL;
    if (gethostname(host, sizeof host - 1) != 0)
        strcpy(host, "?");
    if (getpwuid_r(geteuid(), &entry, buffer, sizeof buffer, &found) == 0 && found)
        snprintf(text, sizeof text, "%.255s@%s", entry.pw_name, host);
    else
        snprintf(text, sizeof text, "%u@%s", (unsigned)geteuid(), host);
    return text_value(text);
}

static json_t *hash_value(const unsigned char hash[GB_HASH_BYTES])
{
    char text[2 * GB_HASH_BYTES + 1];
    gb_hash_hex(hash, text);
    return json_string(text);
}

/* Puts a value that may be NULL for want of memory. */
static bool put(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value) == 0;
}

static bool put_torn(json_t *line, const gb_audit_torn *torn)
{
    if (torn->lines == 0)
        return true;
    json_t *value = json_object();
    bool made = value && put(value, "lines", json_integer(torn->lines)) &&
                put(value, "bytes", json_integer(torn->bytes)) &&
                put(value, "hash", hash_value(torn->hash));
    return put(line, "torn", value) && made;
}

static bool fill(json_t *line,
                 const gb_audit_head *before,
                 const gb_audit_torn *torn,
                 const char *action,
                 const char *object,
                 json_t *details)
{
    return line && put(line, "seq", json_integer(before->lines + 1)) &&
           put(line, "time", time_value()) && put(line, "who", who_value()) &&
           put(line, "program", text_value(program_invocation_short_name)) &&
           put(line, "pid", json_integer(getpid())) && put(line, "action", text_value(action)) &&
           put(line, "object", text_value(object ? object : "")) &&
           (!details || json_object_set(line, "details", details) == 0) && put_torn(line, torn) &&
           put(line, "prev", hash_value(before->hash));
}

gb_status gb_audit_line_make(const gb_audit_head *before,
                             const gb_audit_torn *torn,
                             const char *action,
                             const char *object,
                             const char *details,
                             char **out_text)
{
    json_t *facts = details ? json_loads(details, 0, NULL) : NULL;
    if (details && !json_is_object(facts)) {
        json_decref(facts);
        return gb_fail(GB_ERR_ARGUMENT, "the details of an audit line are no JSON object: %s",
                       details);
    }
    json_t *line = json_object();
    char *text = NULL;
    if (fill(line, before, torn, action, object, facts))
        text = json_dumps(line, JSON_COMPACT);
    json_decref(line);
    json_decref(facts);
    size_t size = text ? strlen(text) : 0;
    char *ended = text && size < GB_AUDIT_LINE_MAX ? realloc(text, size + 2) : NULL;
    if (!ended) {
        free(text);
        return size >= GB_AUDIT_LINE_MAX
                   ? gb_fail(GB_ERR_ARGUMENT, "an audit line of %zu bytes; the most is %d", size,
                             GB_AUDIT_LINE_MAX - 1)
                   : gb_fail(GB_ERR_MEMORY, "no memory for an audit line");
    }
    memcpy(ended + size, "\n", 2);
    *out_text = ended;
    return GB_OK;
}
