/* Stores: made, opened, closed; and the two rules everything that touches recordings follows:
 * labels are checked, and what was done is on record. */
#include "record/store_private.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CATALOGUE "catalogue.sqlite"
#define AUDIT "audit.jsonl"
#define NAMES_BYTES (24 << 10) /* of recordings' names in one line of the audit log */

char *gb_store_join(const gb_store *store, const char *a, const char *b)
{
    size_t room = strlen(store->path) + strlen(a) + (b ? strlen(b) : 0) + 3;
    char *path = malloc(room);
    if (!path) {
        (void)gb_fail(GB_ERR_MEMORY, "no memory for a path in %s", store->path);
        return NULL;
    }
    snprintf(path, room, "%s/%s%s%s", store->path, a, b ? "/" : "", b ? b : "");
    return path;
}

/* ---- made ---- */

/* Of a check value in the catalogue, so that a wrong key is known before anything is read. */
static void key_mark(const gb_key *key, char out[2 * GB_HASH_BYTES + 1])
{
    gb_key derived;
    unsigned char hash[GB_HASH_BYTES];
    gb_key_derive(key, "genba store check", &derived);
    gb_hash(derived.bytes, sizeof derived.bytes, hash);
    gb_hash_hex(hash, out);
}

static const char *key_path(const gb_store_options *options)
{
    const char *path = options ? options->key_path : NULL;
    return path && path[0] ? path : getenv("GENBA_KEY");
}

static gb_status check_empty(const char *path)
{
    DIR *folder = opendir(path);
    bool empty = true;
    if (!folder)
        return gb_file_exists(path)
                   ? gb_fail(GB_ERR_ARGUMENT, "%s is there and no folder; choose another path",
                             path)
                   : GB_OK;
    for (const struct dirent *item; (item = readdir(folder));)
        empty &= strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0;
    closedir(folder);
    return empty ? GB_OK
                 : gb_fail(GB_ERR_ARGUMENT, "%s is there and not empty; choose another path", path);
}

static gb_status fill_new(gb_store *store, const gb_key *key)
{
    char mark[2 * GB_HASH_BYTES + 1] = "";
    char *path = gb_store_join(store, CATALOGUE, NULL);
    if (!path)
        return GB_ERR_MEMORY;
    if (key)
        key_mark(key, mark);
    gb_status status = gb_catalogue_create(path);
    if (status == GB_OK)
        status = gb_catalogue_open(path, false, &store->catalogue);
    if (status == GB_OK)
        status = gb_catalogue_begin(store->catalogue);
    if (status == GB_OK)
        status = gb_catalogue_set(store->catalogue, "encrypted", key ? "yes" : "no");
    if (status == GB_OK)
        status = gb_catalogue_set(store->catalogue, "key_mark", mark);
    if (status == GB_OK)
        status = gb_store_audit(store, "init", store->path, NULL);
    if (status == GB_OK)
        status = gb_store_keep_head(store);
    if (status == GB_OK)
        status = gb_catalogue_commit(store->catalogue);
    if (status == GB_OK)
        store->head_moved = false;
    gb_catalogue_close(store->catalogue);
    free(path);
    return status;
}

gb_status gb_store_init(const char *path, bool encrypt, const gb_store_options *options)
{
    gb_store store = {.path = (char *)(uintptr_t)path};
    gb_key key;
    if (encrypt && !key_path(options))
        return gb_fail(GB_ERR_ARGUMENT, "an encrypted store needs a key: genba key makes one, "
                                        "--key or GENBA_KEY names it");
    if (encrypt)
        GB_TRY(gb_key_load(key_path(options), &key));
    GB_TRY(check_empty(path));
    static const char *const folders[] = {GB_STORE_RECORDINGS, GB_STORE_REJECTS};
    for (int i = 0; i < 2; i++) {
        char *folder = gb_store_join(&store, folders[i], NULL);
        gb_status status = folder ? gb_folder_create(folder) : GB_ERR_MEMORY;
        free(folder);
        GB_TRY(status);
    }
    return fill_new(&store, encrypt ? &key : NULL);
}

/* ---- opened ---- */

static gb_status load_key(gb_store *store, gb_arena *arena, const gb_store_options *options)
{
    const char *said = "", *mark = "";
    char found[2 * GB_HASH_BYTES + 1];
    GB_TRY(gb_catalogue_get(store->catalogue, "encrypted", arena, &said));
    GB_TRY(gb_catalogue_get(store->catalogue, "key_mark", arena, &mark));
    store->encrypted = strcmp(said, "yes") == 0;
    if (!store->encrypted || !key_path(options))
        return GB_OK; /* without the key the catalogue can still be looked at */
    gb_key key;
    GB_TRY(gb_key_load(key_path(options), &key));
    key_mark(&key, found);
    if (strcmp(found, mark) != 0)
        return gb_fail(GB_ERR_ARGUMENT, "the key in %s is not that of the store %s",
                       key_path(options), store->path);
    gb_key_derive(&key, "genba store recordings", &store->key);
    store->has_key = true;
    return GB_OK;
}

gb_status gb_store_open(const char *path, const gb_store_options *options, gb_store **out)
{
    gb_store *store = calloc(1, sizeof *store);
    gb_arena *arena = NULL;
    if (store)
        store->path = strdup(path);
    if (!store || !store->path) {
        free(store);
        return gb_fail(GB_ERR_MEMORY, "no memory to open the store %s", path);
    }
    for (size_t length = strlen(path); length > 1 && store->path[length - 1] == '/'; length--)
        store->path[length - 1] = 0;
    store->read_only = options && options->read_only;
    store->site = options ? options->site : NULL;
    store->pool = options ? options->pool : NULL;
    char *file = gb_store_join(store, CATALOGUE, NULL);
    gb_status status = file ? gb_arena_create(0, &arena) : GB_ERR_MEMORY;
    if (status == GB_OK && !gb_store_is(path))
        status =
            gb_file_exists(path)
                ? gb_fail(GB_ERR_NOT_FOUND,
                          "%s is there, but is no store: it has no catalogue; give another name",
                          path)
                : gb_fail(GB_ERR_NOT_FOUND,
                          "there is no store %s: check the path; genba record and genba ingest "
                          "fill one, genba store init makes an empty one",
                          path);
    if (status == GB_OK)
        status = gb_catalogue_open(file, store->read_only, &store->catalogue);
    if (status == GB_OK)
        status = load_key(store, arena, options);
    if (status == GB_OK && !store->site) {
        status = gb_site_find(&store->found_site);
        store->site = store->found_site;
    }
    gb_arena_destroy(arena);
    free(file);
    if (status != GB_OK) {
        gb_store_close(store);
        return status;
    }
    *out = store;
    return GB_OK;
}

void gb_store_close(gb_store *store)
{
    if (!store)
        return;
    if (store->head_moved && gb_catalogue_begin(store->catalogue) == GB_OK) {
        gb_status status = gb_store_keep_head(store);
        if (status == GB_OK)
            status = gb_catalogue_commit(store->catalogue);
        if (status != GB_OK) /* the log itself is whole; the catalogue learns it another time */
            gb_catalogue_rollback(store->catalogue);
    }
    gb_catalogue_close(store->catalogue);
    gb_site_destroy(store->found_site);
    free(store->path);
    free(store);
}

bool gb_store_is(const char *path)
{
    gb_store named = {.path = (char *)(uintptr_t)path};
    char *file = gb_store_join(&named, CATALOGUE, NULL);
    bool is = file && gb_file_exists(file);
    free(file);
    return is;
}

const char *gb_store_path(const gb_store *store)
{
    return store->path;
}

gb_status gb_store_writable(const gb_store *store, const char *what)
{
    if (!store->read_only)
        return GB_OK;
    return gb_fail(GB_ERR_ARGUMENT, "the store %s was opened to be read only, so no %s",
                   store->path, what);
}

/* ---- rules ---- */

gb_status gb_store_audit(gb_store *store, const char *action, const char *object, json_t *details)
{
    char *path = NULL, *text = NULL;
    gb_status status = GB_OK;
    if (!store->read_only) {
        path = gb_store_join(store, AUDIT, NULL);
        text = details ? json_dumps(details, JSON_COMPACT) : NULL;
        if (!path || (details && !text))
            status = gb_fail(GB_ERR_MEMORY, "no memory for the audit log of %s", store->path);
        else
            status = gb_audit_append(path, action, object, text, &store->head);
        store->head_moved |= status == GB_OK;
    }
    json_decref(details);
    free(path);
    free(text);
    return status;
}

gb_status gb_store_audit_names(gb_store *store,
                               const char *action,
                               const char *object,
                               const gb_store_entry *entries,
                               int64_t count)
{
    for (int64_t at = 0; at < count;) {
        json_t *names = json_array();
        size_t bytes = 0;
        for (; at < count && (bytes == 0 || bytes + strlen(entries[at].info->name) < NAMES_BYTES);
             at++) {
            bytes += strlen(entries[at].info->name) + 8;
            if (json_array_append_new(names, json_string(entries[at].info->name)) != 0) {
                json_decref(names);
                return gb_fail(GB_ERR_MEMORY, "no memory for the audit log");
            }
        }
        GB_TRY(gb_store_audit(store, action, object, json_pack("{s:o}", "recordings", names)));
    }
    return GB_OK;
}

gb_status gb_store_keep_head(gb_store *store)
{
    char lines[32], hash[2 * GB_HASH_BYTES + 1];
    gb_arena *arena = NULL;
    const char *known = "";
    if (!store->head_moved)
        return GB_OK;
    GB_TRY(gb_arena_create(0, &arena));
    gb_status status = gb_catalogue_get(store->catalogue, "audit_lines", arena, &known);
    bool newer = status == GB_OK && store->head.lines > strtoll(known, NULL, 10);
    gb_arena_destroy(arena);
    if (!newer)
        return status;
    snprintf(lines, sizeof lines, "%lld", (long long)store->head.lines);
    gb_hash_hex(store->head.hash, hash);
    GB_TRY(gb_catalogue_set(store->catalogue, "audit_lines", lines));
    return gb_catalogue_set(store->catalogue, "audit_hash", hash);
}

gb_status gb_store_allow(gb_store *store, const gb_recording_info *info, gb_use use)
{
    gb_status status = gb_site_check(store->site, info, use);
    if (status != GB_ERR_REFUSED)
        return status;
    char said[2048]; /* the log's own failures would replace the message */
    snprintf(said, sizeof said, "%s", gb_error_message());
    json_t *details = json_pack("{s:s, s:s}", "use", gb_use_name(use), "because", said);
    gb_status logged = gb_store_audit(store, "refuse", info->name, details);
    return logged == GB_OK ? gb_fail(GB_ERR_REFUSED, "%s", said) : logged;
}

gb_status gb_store_open_recording(const gb_store *store, const char *file, gb_bytes_in **out)
{
    if (store->encrypted && !store->has_key)
        return gb_fail(GB_ERR_ARGUMENT,
                       "the store %s is encrypted: --key or GENBA_KEY names its key", store->path);
    char *path = gb_store_join(store, file, NULL);
    gb_bytes_in *plain = NULL;
    gb_status status = path ? gb_bytes_in_file(path, &plain) : GB_ERR_MEMORY;
    free(path);
    if (status != GB_OK || !store->encrypted) {
        if (status == GB_OK)
            *out = plain;
        return status;
    }
    return gb_bytes_in_encrypted(plain, &store->key, out);
}
