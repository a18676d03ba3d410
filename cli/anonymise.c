/* genba anonymise: a store that may leave, made from one that may not. */
#include "cli.h"

#include "genba/anonymise.h"

#include <stdlib.h>
#include <string.h>

typedef struct wish {
    const char *from, *to, *policy, *key, *new_key, *from_key, *to_key, *report, *name;
    bool undo, rotate, json;
} wish;

static gb_status open_stores(const wish *w, gb_store **from, gb_store **to)
{
    const gb_store_options from_options = {.key_path = w->from_key};
    const gb_store_options to_options = {.key_path = w->to_key};
    GB_TRY(gb_store_open(w->from, &from_options, from));
    if (!gb_store_is(w->to))
        GB_TRY(gb_store_init(w->to, w->to_key != NULL, &to_options));
    return gb_store_open(w->to, &to_options, to);
}

static gb_status print_report(const wish *w, const gb_anonymise_report *report)
{
    char *text = NULL;
    GB_TRY(w->json ? gb_anonymise_report_json(report, &text)
                   : gb_anonymise_report_text(report, &text));
    printf("%s%s", text, w->json ? "\n" : "");
    free(text);
    return w->report ? gb_anonymise_report_write(report, w->report) : GB_OK;
}

static gb_status anonymise(const wish *w, const gb_key *key, gb_store *from, gb_store *to)
{
    gb_anonymise_policy *policy = NULL;
    gb_anonymise_report report;
    const gb_store_query query = {.name = w->name};
    bool reported = w->report || w->json;
    int64_t count = 0;
    GB_TRY(gb_anonymise_policy_load(w->policy, &policy));
    gb_status status =
        gb_anonymise_store(policy, key, from, &query, to, reported ? &report : NULL, &count);
    if (status == GB_OK && reported)
        status = print_report(w, &report);
    if (status == GB_OK && !w->json)
        printf("%lld recording%s of %s went to %s by policy %s\n", (long long)count, plural(count),
               w->from, w->to, gb_anonymise_policy_id(policy));
    gb_anonymise_policy_destroy(policy);
    return status;
}

static gb_status take_back(const wish *w, const gb_key *key, gb_store *from, gb_store *to)
{
    gb_key new_key = {{0}};
    const gb_store_query query = {.name = w->name};
    int64_t count = 0;
    if (w->rotate)
        GB_TRY(gb_key_load(w->new_key, &new_key));
    GB_TRY(gb_anonymise_store_undo(key, w->rotate ? &new_key : NULL, from, &query, to, &count));
    explicit_bzero(&new_key, sizeof new_key);
    printf("%lld recording%s of %s went to %s, %s\n", (long long)count, plural(count), w->from,
           w->to, w->rotate ? "under the new key" : "with scales and times as they were");
    return GB_OK;
}

/* A key that goes with the data protects nothing. */
static gb_status check_key_outside(const char *key, const char *store)
{
    char *key_path = realpath(key, NULL), *store_path = realpath(store, NULL);
    size_t size = store_path ? strlen(store_path) : 0;
    bool inside =
        key_path && store_path && strncmp(key_path, store_path, size) == 0 && key_path[size] == '/';
    free(key_path);
    free(store_path);
    return inside ? gb_fail(GB_ERR_ARGUMENT,
                            "the key %s lies in the store %s: move it elsewhere, so that it never "
                            "goes along with the data",
                            key, store)
                  : GB_OK;
}

static gb_status run(const wish *w)
{
    gb_key key;
    gb_store *from = NULL, *to = NULL;
    char made[PLACE_MAX];
    GB_TRY(gb_folder_missing(w->to, made, sizeof made));
    GB_TRY(check_key_outside(w->key, w->from));
    GB_TRY(check_key_outside(w->key, w->to));
    GB_TRY(gb_key_load(w->key, &key));
    gb_status status = open_stores(w, &from, &to);
    if (status == GB_OK)
        status = w->undo || w->rotate ? take_back(w, &key, from, to) : anonymise(w, &key, from, to);
    gb_store_close(from);
    gb_store_close(to);
    if (status != GB_OK) /* nothing went there */
        (void)gb_store_unmake(w->to, made);
    explicit_bzero(&key, sizeof key);
    return status;
}

static const char *missing(const wish *w)
{
    if (!w->key)
        return "--key FILE is missing; genba key new makes one";
    if (!w->to)
        return "--to STORE is missing: where the recordings go";
    if (w->undo && w->rotate)
        return "--undo and --rotate are two different things";
    if (w->rotate && !w->new_key)
        return "--rotate needs --new-key FILE";
    if (!w->undo && !w->rotate && !w->policy)
        return "--policy FILE is missing; docs/trust.md shows one";
    return NULL;
}

static int run_anonymise(int argc, char **argv)
{
    wish w = {0};
    const option_spec options[] = {
        {"policy", OPTION_TEXT, &w.policy, 0, 0},
        {"key", OPTION_TEXT, &w.key, 0, 0},
        {"to", OPTION_TEXT, &w.to, 0, 0},
        {"report", OPTION_TEXT, &w.report, 0, 0},
        {"name", OPTION_TEXT, &w.name, 0, 0},
        {"undo", OPTION_FLAG, &w.undo, 0, 0},
        {"rotate", OPTION_FLAG, &w.rotate, 0, 0},
        {"new-key", OPTION_TEXT, &w.new_key, 0, 0},
        {"from-key", OPTION_TEXT, &w.from_key, 0, 0},
        {"to-key", OPTION_TEXT, &w.to_key, 0, 0},
        {"json", OPTION_FLAG, &w.json, 0, 0},
    };
    int code = options_parse(&command_anonymise, argc, argv, options,
                             (int)(sizeof options / sizeof *options), &w.from, 1, 1);
    if (code >= 0)
        return code;
    const char *problem = missing(&w);
    if (problem) {
        fprintf(stderr, "genba anonymise: %s\n", problem);
        return EXIT_USAGE;
    }
    gb_status status = run(&w);
    return status == GB_OK ? EXIT_DONE : fail_with(status);
}

const cli_command command_anonymise = {
    "anonymise", "a store that may leave, made from one that may not",
    "usage: genba anonymise STORE --policy FILE --key FILE --to STORE2 [--report FILE] [--json]\n"
    "       genba anonymise STORE --undo --key FILE --to STORE2\n"
    "       genba anonymise STORE --rotate --key FILE --new-key FILE --to STORE2\n\n"
    "  --policy FILE    what becomes of every stream, name and fact (docs/trust.md)\n"
    "  --key FILE       what hides it: keep it, and keep it away from STORE2 (genba key new)\n"
    "  --name PATTERN   these recordings only\n"
    "  --report FILE    what is left to find and what it cost: .html, .json or text\n"
    "  --undo           takes rescaling and shifts in time away again\n"
    "  --rotate         changes pseudonyms from one key to another, without the original names\n"
    "  --from-key FILE, --to-key FILE   of encrypted stores\n\n"
    "example: genba anonymise stores/press --policy examples/policies/press.yaml \\\n"
    "             --key ~/keys/share.key --to stores/press-share --report share.html\n",
    run_anonymise};
