/* genba store: make, fill, look at, check and clean stores of recordings. */
#include "store_text.h"

#include "base/words.h"
#include "genba/ingest.h"

#include <stdlib.h>
#include <string.h>

typedef struct store_options {
    bool json, encrypt;
    const char *key, *name, *split, *owner, *residency, *stream, *group, *format;
    int64_t seed;
    double fps;
} store_options;

static store_options asked;

static gb_status open_store(const char *path, bool read_only, gb_store **out)
{
    gb_store_options options = {.key_path = asked.key, .read_only = read_only};
    return gb_store_open(path, &options, out);
}

static gb_store_query query_of(void)
{
    return (gb_store_query){.name = asked.name,
                            .split = asked.split,
                            .owner = asked.owner,
                            .residency = asked.residency,
                            .stream = asked.stream};
}

/* ---- init, add ---- */

static gb_status run_init(const char *path, const char *const *rest)
{
    gb_store_options options = {.key_path = asked.key};
    (void)rest;
    bool encrypt = asked.encrypt || asked.key;
    GB_TRY(gb_store_init(path, encrypt, &options));
    printf("made an empty%s store at %s\n", encrypt ? " encrypted" : "", path);
    return GB_OK;
}

static gb_status run_add(const char *path, const char *const *rest)
{
    gb_store *store = NULL;
    int count = 0;
    GB_TRY(open_store(path, false, &store));
    gb_status status = GB_OK;
    for (; status == GB_OK && rest[count]; count += status == GB_OK)
        status = gb_store_add(store, rest[count]);
    gb_store_close(store);
    if (count > 0)
        printf("added %d recording%s\n", count, count == 1 ? "" : "s");
    return status;
}

/* ---- list ---- */

typedef struct listing {
    int64_t count, samples, bytes;
    json_t *array;
} listing;

static gb_status list_one(void *context, const gb_store_entry *entry)
{
    listing *all = context;
    char name[64], size[32], from[32], owner[24];
    if (all->array) {
        json_array_append_new(all->array, entry_json(entry));
        all->count++;
        return GB_OK;
    }
    if (all->count == 0)
        printf("%-36s %11s %8s  %-19s %-8s %-10s\n", "recording", "samples", "size", "from",
               "split", "owner");
    printf("%-36s %11lld %8s  %-19s %-8s %-10s\n", cut_text(entry->info->name, 36, name, 64),
           (long long)entry->samples, size_text(entry->bytes, size, sizeof size),
           time_text(entry->first_ns, from, sizeof from), entry->split,
           cut_text(entry->info->owner, 10, owner, sizeof owner));
    all->count++;
    all->samples += entry->samples;
    all->bytes += entry->bytes;
    return GB_OK;
}

static gb_status run_list(const char *path, const char *const *rest)
{
    gb_store *store = NULL;
    gb_store_query query = query_of();
    listing all = {.array = asked.json ? json_array() : NULL};
    (void)rest;
    GB_TRY(open_store(path, true, &store));
    gb_status status = gb_store_list(store, &query, list_one, &all);
    bool chosen = query.name || query.split || query.owner || query.residency || query.stream;
    if (status == GB_OK && all.count == 0 && chosen) /* an empty store is no mistake, this is */
        status = gb_store_none(store, &query);
    gb_store_close(store);
    if (asked.json && status == GB_OK) {
        print_json(all.array);
        all.array = NULL;
    } else if (status == GB_OK) {
        char size[32];
        printf("%lld recording%s, %lld samples, %s\n", (long long)all.count,
               all.count == 1 ? "" : "s", (long long)all.samples,
               size_text(all.bytes, size, sizeof size));
    }
    json_decref(all.array);
    return status;
}

/* ---- show ---- */

static void print_pair(const char *what, const char *text)
{
    if (text[0])
        printf("%-12s %s\n", what, text);
}

static void print_entry(const gb_store_entry *entry)
{
    char from[32], to[32], size[32];
    const gb_recording_info *info = entry->info;
    print_pair("recording", info->name);
    print_pair("source", info->source);
    print_pair("instruction", info->instruction);
    print_pair("outcome", info->outcome);
    print_pair("owner", info->owner);
    print_pair("licence", info->licence);
    print_pair("residency", info->residency);
    print_pair("purpose", info->purpose);
    print_pair("split", entry->split);
    printf("%-12s %s to %s\n", "time", time_text(entry->first_ns, from, sizeof from),
           time_text(entry->last_ns, to, sizeof to));
    printf("%-12s %lld: %lld good, %lld uncertain, %lld bad, %lld missing\n", "samples",
           (long long)entry->samples, (long long)entry->good, (long long)entry->uncertain,
           (long long)entry->bad, (long long)entry->missing);
    printf("%-12s %s, %s\n%-12s %s\n", "file", entry->file,
           size_text(entry->bytes, size, sizeof size), "checksum", entry->checksum);
    for (int i = 0; i < info->pair_count; i++)
        printf("%-12s %s = %s\n", i ? "" : "facts", info->pairs[i].key, info->pairs[i].value);
}

typedef struct shown {
    gb_store *store;
    json_t *array;
    int64_t count;
} shown;

typedef struct shown_streams {
    json_t *array;
    int64_t count;
} shown_streams;

static gb_status show_stream(void *context, const gb_store_stream *stream)
{
    shown_streams *all = context;
    char name[64], shape[64], unit[16];
    if (all->array) {
        json_array_append_new(all->array, stream_json(stream));
        return GB_OK;
    }
    if (all->count++ == 0)
        printf("\n%-32s %-7s %-16s %-10s %10s %8s %8s\n", "stream", "kind", "values", "unit",
               "samples", "bad", "missing");
    printf("%-32s %-7s %-16s %-10s %10lld %8lld %8lld\n", cut_text(stream->spec.name, 32, name, 64),
           gb_stream_kind_name(stream->spec.kind), shape_text(&stream->spec, shape, sizeof shape),
           cut_text(stream->spec.unit, 10, unit, sizeof unit), (long long)stream->samples,
           (long long)stream->bad, (long long)stream->missing);
    return GB_OK;
}

static gb_status show_one(void *context, const gb_store_entry *entry)
{
    shown *all = context;
    shown_streams streams = {.array = all->array ? json_array() : NULL};
    if (!all->array) {
        printf("%s", all->count ? "\n" : "");
        print_entry(entry);
    }
    all->count++;
    GB_TRY(gb_store_streams(all->store, entry->id, show_stream, &streams));
    if (all->array) {
        json_t *one = entry_json(entry);
        json_object_set_new(one, "streams", streams.array);
        json_array_append_new(all->array, one);
    }
    return GB_OK;
}

static gb_status run_show(const char *path, const char *const *rest)
{
    gb_store *store = NULL;
    gb_store_query query = query_of();
    if (rest[0])
        query.name = rest[0];
    GB_TRY(open_store(path, true, &store));
    shown all = {store, asked.json ? json_array() : NULL, 0};
    gb_status status = gb_store_list(store, &query, show_one, &all);
    if (status == GB_OK && all.count == 0)
        status = gb_store_none(store, &query);
    gb_store_close(store);
    if (asked.json && status == GB_OK)
        print_json(all.array);
    else
        json_decref(all.array);
    return status;
}

/* ---- verify, gc ---- */

static void print_problem(void *context, const char *message)
{
    (void)context;
    fprintf(stderr, "%s\n", message);
}

static gb_status run_verify(const char *path, const char *const *rest)
{
    gb_store *store = NULL;
    gb_store_report report = {0};
    char size[32], left[32];
    (void)rest;
    GB_TRY(open_store(path, true, &store));
    gb_status status = gb_store_verify(store, print_problem, NULL, &report);
    gb_store_close(store);
    if (status != GB_OK && report.wrong == 0)
        return status;
    if (asked.json)
        print_json(json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I}", "whole", status == GB_OK,
                             "recordings", (json_int_t)report.recordings, "samples",
                             (json_int_t)report.samples, "bytes", (json_int_t)report.bytes, "wrong",
                             (json_int_t)report.wrong, "leftovers", (json_int_t)report.leftovers,
                             "leftover_bytes", (json_int_t)report.leftover_bytes));
    else
        printf("%lld recording%s, %lld samples, %s: %s\n", (long long)report.recordings,
               plural(report.recordings), (long long)report.samples,
               size_text(report.bytes, size, sizeof size),
               status == GB_OK ? "all there, checksums and counts hold" : "NOT whole");
    if (!asked.json && report.leftovers > 0)
        printf("%lld leftovers (%s) of stopped ingests; genba store gc frees them\n",
               (long long)report.leftovers, size_text(report.leftover_bytes, left, sizeof left));
    return status;
}

static gb_status run_gc(const char *path, const char *const *rest)
{
    gb_store *store = NULL;
    gb_store_report report = {0};
    char size[32];
    (void)rest;
    GB_TRY(open_store(path, false, &store));
    gb_status status = gb_store_gc(store, &report);
    gb_store_close(store);
    if (status == GB_OK)
        printf("freed %s in %lld leftovers\n", size_text(report.leftover_bytes, size, sizeof size),
               (long long)report.leftovers);
    return status;
}

/* ---- split, export, remove ---- */

enum {
    SPLITS_MOST = 16
};

/* "train=0.8" */
static gb_status parse_share(char *text, const char **name, double *fraction)
{
    char *equals = strchr(text, '='), *end = NULL;
    if (equals && equals > text) {
        *equals = 0;
        *name = text;
        *fraction = strtod(equals + 1, &end);
        if (end > equals + 1 && *end == 0)
            return GB_OK;
        *equals = '=';
    }
    return gb_fail(GB_ERR_ARGUMENT,
                   "\"%s\" is no share of a split; write them as train=0.8 test=0.2", text);
}

static gb_status run_split(const char *path, const char *const *rest)
{
    gb_store *store = NULL;
    gb_store_query query = query_of();
    const char *names[SPLITS_MOST];
    double fractions[SPLITS_MOST];
    char *texts[SPLITS_MOST] = {0};
    int count = 0;
    gb_status status = GB_OK;
    for (; status == GB_OK && rest[count] && count < SPLITS_MOST; count++) {
        texts[count] = strdup(rest[count]);
        status = texts[count] ? parse_share(texts[count], &names[count], &fractions[count])
                              : gb_fail(GB_ERR_MEMORY, "no memory");
    }
    if (status == GB_OK)
        status = open_store(path, false, &store);
    if (status == GB_OK)
        status = gb_store_split(store, &query, names, fractions, count, asked.group,
                                (uint64_t)asked.seed);
    for (int i = 0; status == GB_OK && i < count; i++) {
        int64_t found = 0;
        gb_store_query one = query;
        one.split = names[i];
        status = gb_store_count(store, &one, &found);
        if (status == GB_OK)
            printf("%-12s %lld recording%s\n", names[i], (long long)found, plural(found));
    }
    gb_store_close(store);
    for (int i = 0; i < SPLITS_MOST; i++)
        free(texts[i]);
    return status;
}

typedef struct lerobot_export {
    gb_store *store;
    gb_sink *sink;
} lerobot_export;

static gb_status export_episode(void *context, const gb_store_entry *entry)
{
    lerobot_export *e = context;
    return gb_store_emit(e->store, entry->info->name, NULL, 0, GB_USE_EXPORT, e->sink);
}

/* Each recording an episode, in the order of their names. */
static gb_status export_lerobot(gb_store *store, const gb_store_query *query, const char *folder)
{
    gb_lerobot_options options = gb_lerobot_options_defaults();
    lerobot_export e = {.store = store};
    options.fps = asked.fps;
    int64_t count = 0;
    GB_TRY(gb_store_count(store, query, &count));
    if (count == 0)
        return gb_store_none(store, query); /* before a folder is made */
    GB_TRY(gb_lerobot_export_begin(folder, &options, &e.sink));
    gb_status status = gb_store_list(store, query, export_episode, &e);
    if (status == GB_OK)
        return gb_lerobot_export_finish(e.sink);
    gb_sink_destroy(e.sink);
    return status;
}

static gb_status run_export(const char *path, const char *const *rest)
{
    gb_store *store = NULL;
    gb_store_query query = query_of();
    bool lerobot = asked.format && strcmp(asked.format, "lerobot") == 0;
    if (asked.format && !lerobot && strcmp(asked.format, "mcap") != 0)
        return gb_fail(GB_ERR_ARGUMENT, "--format %s: there are mcap and lerobot", asked.format);
    if (asked.fps > 0 && !lerobot)
        return gb_fail(GB_ERR_ARGUMENT, "--fps belongs to --format lerobot");
    GB_TRY(open_store(path, false, &store));
    gb_status status =
        lerobot ? export_lerobot(store, &query, rest[0]) : gb_store_export(store, &query, rest[0]);
    gb_store_close(store);
    if (status == GB_OK)
        printf("wrote the recordings to %s\n", rest[0]);
    return status;
}

static gb_status run_remove(const char *path, const char *const *rest)
{
    gb_store *store = NULL;
    gb_store_query query = query_of();
    int64_t removed = 0;
    query.name = rest[0];
    GB_TRY(open_store(path, false, &store));
    gb_status status = gb_store_remove(store, &query, &removed);
    gb_store_close(store);
    if (status == GB_OK)
        printf("removed %lld recording%s; genba store gc frees the space\n", (long long)removed,
               removed == 1 ? "" : "s");
    return status;
}

/* ---- verbs ---- */

typedef struct verb {
    const char *name;
    int least, most; /* words behind STORE */
    gb_status (*run)(const char *path, const char *const *rest);
    const char *wants;
} verb;

static const verb verbs[] = {
    {"init", 0, 0, run_init, "STORE"},
    {"add", 1, 4096, run_add, "STORE FILE..."},
    {"list", 0, 0, run_list, "STORE"},
    {"show", 0, 1, run_show, "STORE [NAME]"},
    {"verify", 0, 0, run_verify, "STORE"},
    {"split", 1, SPLITS_MOST, run_split, "STORE NAME=SHARE..."},
    {"export", 1, 1, run_export, "STORE FOLDER"},
    {"remove", 1, 1, run_remove, "STORE NAME"},
    {"gc", 0, 0, run_gc, "STORE"},
};
enum {
    VERBS = sizeof verbs / sizeof *verbs,
    WORDS_MOST = 4098
};

static int unknown_verb(const char *word)
{
    gb_words words = {.written = word};
    for (int i = 0; i < VERBS; i++)
        gb_words_add(&words, verbs[i].name);
    fprintf(stderr, "genba store: there is no \"%s\"; %sit is one of %s\n", word,
            gb_words_suggest(&words), words.list);
    return EXIT_USAGE;
}

/* An option that the verb does not use is a mistake worth telling. */
static int refuse_unused(const char *verb_name)
{
    const struct {
        const char *option, *verbs;
        bool given;
    } uses[] = {
        {"--json", "list show verify", asked.json},
        {"--encrypt", "init", asked.encrypt},
        {"--name", "list split export", asked.name != NULL},
        {"--split", "list split export", asked.split != NULL},
        {"--owner", "list split export remove", asked.owner != NULL},
        {"--residency", "list split export remove", asked.residency != NULL},
        {"--stream", "list split export remove", asked.stream != NULL},
        {"--group", "split", asked.group != NULL},
        {"--seed", "split", asked.seed >= 0},
        {"--format", "export", asked.format != NULL},
        {"--fps", "export", asked.fps > 0},
    };
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++) {
        if (uses[i].given && !strstr(uses[i].verbs, verb_name)) {
            fprintf(stderr, "genba store %s has no use for %s; it belongs to: %s\n", verb_name,
                    uses[i].option, uses[i].verbs);
            return EXIT_USAGE;
        }
    }
    if (asked.seed < 0)
        asked.seed = 1;
    return -1;
}

static int run_store(int argc, char **argv)
{
    static const char *places[WORDS_MOST + 1];
    asked = (store_options){.seed = -1};
    memset(places, 0, sizeof places);
    const option_spec options[] = {{"json", OPTION_FLAG, &asked.json, 0, 0},
                                   {"encrypt", OPTION_FLAG, &asked.encrypt, 0, 0},
                                   {"key", OPTION_TEXT, &asked.key, 0, 0},
                                   {"name", OPTION_TEXT, &asked.name, 0, 0},
                                   {"split", OPTION_TEXT, &asked.split, 0, 0},
                                   {"owner", OPTION_TEXT, &asked.owner, 0, 0},
                                   {"residency", OPTION_TEXT, &asked.residency, 0, 0},
                                   {"stream", OPTION_TEXT, &asked.stream, 0, 0},
                                   {"group", OPTION_TEXT, &asked.group, 0, 0},
                                   {"format", OPTION_TEXT, &asked.format, 0, 0},
                                   {"fps", OPTION_NUMBER, &asked.fps, 1e-3, 1e5},
                                   {"seed", OPTION_COUNT, &asked.seed, 0, 9e15}};
    int code = options_parse(&command_store, argc, argv, options,
                             (int)(sizeof options / sizeof *options), places, 1, WORDS_MOST);
    if (code >= 0)
        return code;
    const verb *found = NULL;
    for (int i = 0; i < VERBS; i++)
        if (strcmp(verbs[i].name, places[0]) == 0)
            found = &verbs[i];
    if (!found)
        return unknown_verb(places[0]);
    int words = 0;
    while (places[1] && places[2 + words])
        words++;
    if (!places[1] || words < found->least || words > found->most) {
        fprintf(stderr, "genba store %s wants: genba store %s %s\n", found->name, found->name,
                found->wants);
        return EXIT_USAGE;
    }
    code = refuse_unused(found->name);
    if (code >= 0)
        return code;
    gb_status status = found->run(places[1], places + 2);
    return status == GB_OK ? EXIT_DONE : fail_with(status);
}

const cli_command command_store = {
    "store", "make, fill, look at, split, check and clean stores of recordings",
    "usage: genba store init STORE [--encrypt --key FILE]\n"
    "       genba store add STORE FILE...            recording files that genba wrote\n"
    "       genba store list STORE [--json]\n"
    "       genba store show STORE [NAME] [--json]   also the streams\n"
    "       genba store verify STORE [--json]\n"
    "       genba store split STORE train=0.8 test=0.2 [--seed N] [--group PAIR]\n"
    "       genba store export STORE FOLDER          as plain MCAP files\n"
    "       genba store export STORE FOLDER --format lerobot [--fps X]   a LeRobot 3.0 data set\n"
    "       genba store remove STORE NAME\n"
    "       genba store gc STORE                     frees what stopped ingests left\n\n"
    "Which recordings: --name 'press/*' --split train --owner NAME --residency JP --stream NAME.\n"
    "A store that is encrypted needs --key FILE or GENBA_KEY, except to list. verify reads all:\n"
    "checksums, counts, the audit log. split draws by name and seed (or by the pair --group "
    "names,\n"
    "so that its recordings stay together): the same recording always falls the same way.\n\n"
    "example: genba store split stores/press train=0.9 test=0.1 --group lot\n",
    run_store};
