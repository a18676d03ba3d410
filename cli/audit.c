/* genba audit: is a store's record of accesses whole, and what does it say? */
#include "cli.h"

#include "genba/store.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* The log itself, or that of a store; its catalogue knows the head. */
static gb_status find_log(const char *place, char *path, size_t size, gb_audit_head *head)
{
    const gb_store_options options = {.read_only = true};
    gb_store *store = NULL;
    bool is_store = gb_store_is(place);
    snprintf(path, size, is_store ? "%s/audit.jsonl" : "%s", place);
    if (!is_store)
        return GB_OK;
    GB_TRY(gb_store_open(place, &options, &store));
    gb_status status = gb_store_audit_head(store, head);
    gb_store_close(store);
    return status;
}

/* "LINES:HASH", as verify prints it. */
static bool parse_head(const char *text, gb_audit_head *out)
{
    char *colon = NULL;
    long long lines = strtoll(text, &colon, 10);
    if (lines < 1 || *colon != ':' || strlen(colon + 1) != 2 * GB_HASH_BYTES ||
        strspn(colon + 1, "0123456789abcdef") != 2 * GB_HASH_BYTES)
        return false;
    out->lines = lines;
    for (int i = 0; i < GB_HASH_BYTES; i++) {
        char pair[3] = {colon[1 + 2 * i], colon[2 + 2 * i], 0};
        out->hash[i] = (unsigned char)strtoul(pair, NULL, 16);
    }
    return true;
}

static gb_status verify(const char *path, const gb_audit_head *expected, bool json)
{
    gb_audit_head head;
    char hash[2 * GB_HASH_BYTES + 1];
    GB_TRY(gb_audit_verify(path, expected, &head));
    gb_hash_hex(head.hash, hash);
    if (json)
        printf("{\"log\": \"whole\", \"lines\": %lld, \"head\": \"%lld:%s\"}\n",
               (long long)head.lines, (long long)head.lines, hash);
    else
        printf("%s is whole: %lld lines%s\nhead %lld:%s\n"
               "Note the head where nobody who can edit the store can: with --head, a later check\n"
               "finds a log that was cut or written anew together with its catalogue.\n",
               path, (long long)head.lines, expected ? ", the known head among them" : "",
               (long long)head.lines, hash);
    return GB_OK;
}

static const char *text_of(const json_t *line, const char *key)
{
    const char *text = json_string_value(json_object_get(line, key));
    return text ? text : "";
}

static gb_status
print_line(void *context, int64_t number, const void *json, const char *text, size_t size)
{
    (void)number;
    if (*(const bool *)context) {
        printf("%.*s\n", (int)size, text);
        return GB_OK;
    }
    const json_t *line = json, *details = json_object_get(line, "details");
    char *more = details ? json_dumps(details, JSON_COMPACT) : NULL;
    printf("%6lld  %s  %-24s %-10s %-8s %s%s%s\n",
           (long long)json_integer_value(json_object_get(line, "seq")), text_of(line, "time"),
           text_of(line, "who"), text_of(line, "program"), text_of(line, "action"),
           text_of(line, "object"), more ? "  " : "", more ? more : "");
    free(more);
    return GB_OK;
}

static gb_status run(const char *verb, const char *place, const gb_audit_head *given, bool json)
{
    char path[4096];
    gb_audit_head known = {0};
    GB_TRY(find_log(place, path, sizeof path, &known));
    const gb_audit_head *expected = known.lines > 0 ? &known : NULL;
    if (given && expected) /* both must lie in the chain; the later one is checked below */
        GB_TRY(gb_audit_verify(path, expected, NULL));
    if (given)
        expected = given;
    if (strcmp(verb, "verify") == 0)
        return verify(path, expected, json);
    return gb_audit_read(path, expected, print_line, &json, NULL);
}

static int run_audit(int argc, char **argv)
{
    const char *places[2] = {0}, *head_text = NULL;
    bool json = false;
    const option_spec options[] = {{"json", OPTION_FLAG, &json, 0, 0},
                                   {"head", OPTION_TEXT, &head_text, 0, 0}};
    int code = options_parse(&command_audit, argc, argv, options, 2, places, 2, 2);
    if (code >= 0)
        return code;
    gb_audit_head head;
    if (head_text && !parse_head(head_text, &head)) {
        fprintf(stderr, "genba audit: --head must be LINES:HASH as verify prints it, not %s\n",
                head_text);
        return EXIT_USAGE;
    }
    if (strcmp(places[0], "verify") != 0 && strcmp(places[0], "list") != 0) {
        fprintf(stderr, "genba audit: there is no \"%s\"; it is verify or list\n", places[0]);
        return EXIT_USAGE;
    }
    gb_status status = run(places[0], places[1], head_text ? &head : NULL, json);
    return status == GB_OK ? EXIT_DONE : fail_with(status);
}

const cli_command command_audit = {
    "audit", "check and show who did what with a store",
    "usage: genba audit verify STORE|FILE [--head LINES:HASH] [--json]\n"
    "       genba audit list STORE|FILE [--json]\n\n"
    "verify finds every line of the log that was edited, dropped, moved or repeated and names the\n"
    "first; lines cut off the end are found by the head that the store's catalogue keeps. It "
    "prints\n"
    "the head. --head: one that was noted elsewhere, so that a log that was cut or written anew\n"
    "together with its catalogue is found too.\n"
    "list prints the log, --json its lines as they are.\n\n"
    "example: genba audit verify stores/press\n",
    run_audit};
