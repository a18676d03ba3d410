/* Is a store what its catalogue says? And what lies in its folder that nobody owns? */
#include "record/store_private.h"
#include "record/stream.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- counting what a file holds: a sink that keeps nothing else ---- */

typedef struct tally_sink {
    gb_sink sink;
    gb_stream_tally *tallies; /* [count] */
    int count, room;
} tally_sink;

static gb_status tally_begin(gb_sink *sink, const gb_recording_info *info, int *out_recording)
{
    (void)sink;
    (void)info;
    *out_recording = 0;
    return GB_OK;
}

static gb_status
tally_stream(gb_sink *sink, int recording, const gb_stream_spec *spec, int *out_stream)
{
    tally_sink *to = (tally_sink *)sink;
    (void)recording;
    (void)spec;
    if (to->count == to->room) {
        int room = to->room ? 2 * to->room : 16;
        gb_stream_tally *grown = realloc(to->tallies, (size_t)room * sizeof *grown);
        if (!grown)
            return gb_fail(GB_ERR_MEMORY, "no memory to verify a recording");
        to->tallies = grown;
        to->room = room;
    }
    memset(&to->tallies[to->count], 0, sizeof *to->tallies);
    *out_stream = to->count++;
    return GB_OK;
}

static gb_status tally_append(gb_sink *sink, int recording, int stream, const gb_samples *samples)
{
    gb_stream_tally *tally = &((tally_sink *)sink)->tallies[stream];
    (void)recording;
    if (tally->samples == 0)
        tally->first_ns = tally->last_ns = samples->time_ns[0];
    for (int64_t i = 0; i < samples->count; i++) {
        int64_t time_ns = samples->time_ns[i];
        tally->first_ns = time_ns < tally->first_ns ? time_ns : tally->first_ns;
        tally->last_ns = time_ns > tally->last_ns ? time_ns : tally->last_ns;
        tally->of_quality[samples->quality ? samples->quality[i] : GB_QUALITY_GOOD]++;
    }
    tally->samples += samples->count;
    return GB_OK;
}

static gb_status tally_attach(gb_sink *sink,
                              int recording,
                              const char *name,
                              const char *media_type,
                              const void *data,
                              size_t size)
{
    (void)sink;
    (void)recording;
    (void)name;
    (void)media_type;
    (void)data;
    (void)size;
    return GB_OK;
}

static gb_status tally_end(gb_sink *sink, int recording)
{
    (void)sink;
    (void)recording;
    return GB_OK;
}

static void tally_abandon(gb_sink *sink, int recording)
{
    (void)sink;
    (void)recording;
}

static void tally_destroy(gb_sink *sink)
{
    free(((tally_sink *)sink)->tallies);
}

static const gb_sink_ops tally_ops = {tally_begin, tally_stream,  tally_append, tally_attach,
                                      tally_end,   tally_abandon, tally_destroy};

/* ---- one recording ---- */

static gb_status check_file(const gb_store *store, const gb_store_entry *entry)
{
    unsigned char hash[GB_HASH_BYTES];
    char hex[2 * GB_HASH_BYTES + 1];
    char *path = gb_store_join(store, entry->file, NULL);
    struct stat info;
    if (!path)
        return GB_ERR_MEMORY;
    gb_status status = GB_OK;
    if (stat(path, &info) != 0)
        status = gb_fail(GB_ERR_CORRUPT, "recording %.200s: its file %s is missing",
                         entry->info->name, entry->file);
    else if (info.st_size != entry->bytes)
        status = gb_fail(GB_ERR_CORRUPT, "recording %.200s: %s has %lld bytes, not %lld",
                         entry->info->name, entry->file, (long long)info.st_size,
                         (long long)entry->bytes);
    if (status == GB_OK)
        status = gb_hash_file(path, hash);
    if (status == GB_OK) {
        gb_hash_hex(hash, hex);
        if (strcmp(hex, entry->checksum) != 0)
            status = gb_fail(GB_ERR_CORRUPT,
                             "recording %.200s: %s was edited or damaged (its "
                             "checksum differs)",
                             entry->info->name, entry->file);
    }
    free(path);
    return status;
}

static bool same_tally(const gb_stream_tally *a, const gb_stream_tally *b)
{
    return a->samples == b->samples && a->first_ns == b->first_ns && a->last_ns == b->last_ns &&
           memcmp(a->of_quality, b->of_quality, sizeof a->of_quality) == 0;
}

/* The streams in the catalogue, those in the file, and the sums of the recording agree. */
static gb_status
compare(gb_store *store, const gb_store_entry *entry, gb_arena *arena, const tally_sink *found)
{
    gb_catalogue_stream *said = NULL;
    int count = 0;
    int64_t samples = 0;
    GB_TRY(gb_catalogue_streams(store->catalogue, entry->id, arena, &said, &count));
    if (count != found->count)
        return gb_fail(GB_ERR_CORRUPT, "recording %.200s: its file has %d streams, not %d",
                       entry->info->name, found->count, count);
    for (int i = 0; i < count; i++) {
        if (!same_tally(&said[i].tally, &found->tallies[i]))
            return gb_fail(GB_ERR_CORRUPT,
                           "recording %.200s: stream %s has %lld samples, or other times or "
                           "qualities than the catalogue's %lld",
                           entry->info->name, said[i].spec.name,
                           (long long)found->tallies[i].samples, (long long)said[i].tally.samples);
        samples += found->tallies[i].samples;
    }
    if (samples != entry->samples ||
        samples != entry->good + entry->uncertain + entry->bad + entry->missing)
        return gb_fail(GB_ERR_CORRUPT, "recording %.200s: its counts do not add up",
                       entry->info->name);
    return GB_OK;
}

static gb_status check_recording(gb_store *store, const gb_store_entry *entry)
{
    gb_arena *arena = NULL;
    gb_bytes_in *bytes = NULL;
    tally_sink found = {.sink.ops = &tally_ops};
    GB_TRY(check_file(store, entry));
    GB_TRY(gb_store_open_recording(store, entry->file, &bytes));
    GB_TRY(gb_arena_create(0, &arena));
    gb_status status = gb_recording_emit_bytes(bytes, NULL, 0, &found.sink);
    if (status == GB_OK)
        status = compare(store, entry, arena, &found);
    else
        status = gb_fail_context(status, "recording %.200s", entry->info->name);
    free(found.tallies);
    gb_arena_destroy(arena);
    return status;
}

/* ---- files that nobody owns ---- */

typedef struct sweep {
    gb_store *store;
    bool delete;
    gb_store_report *report;
} sweep;

static void found_leftover(const sweep *by, const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0 || (by->delete &&unlink(path) != 0))
        return;
    by->report->leftovers++;
    by->report->leftover_bytes += (int64_t)info.st_size;
}

/* Everything in a stopped ingest's folder, and the folder. */
static void sweep_ingest(const sweep *by, const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = NULL;
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0 || !(folder = opendir(path))) {
        if (fd >= 0)
            close(fd); /* a running ingest holds the lock */
        return;
    }
    by->report->leftovers++; /* the folder itself, even when it is empty */
    for (const struct dirent *item; (item = readdir(folder));) {
        char inner[4096];
        int length = snprintf(inner, sizeof inner, "%s/%s", path, item->d_name);
        if (item->d_name[0] != '.' && length < (int)sizeof inner)
            found_leftover(by, inner);
    }
    closedir(folder);
    if (by->delete)
        rmdir(path);
    close(fd);
}

static gb_status is_owned(const sweep *by, const char *folder, const char *name, bool *out)
{
    char file[512];
    long long id = 0;
    int length = snprintf(file, sizeof file, "%s/%s", folder, name);
    if (strcmp(folder, GB_STORE_RECORDINGS) == 0) {
        *out = false;
        return length < (int)sizeof file ? gb_catalogue_has_file(by->store->catalogue, file, out)
                                         : GB_OK;
    }
    if (sscanf(name, "ingest-%lld.csv", &id) != 1)
        id = 0;
    return gb_catalogue_has_rejects(by->store->catalogue, id, out);
}

static gb_status sweep_folder(const sweep *by, const char *name)
{
    char *path = gb_store_join(by->store, name, NULL);
    DIR *folder = path ? opendir(path) : NULL;
    gb_status status = GB_OK;
    if (!folder)
        status = path ? gb_fail(GB_ERR_CORRUPT, "%s is missing: %s", path, strerror(errno))
                      : GB_ERR_MEMORY;
    while (status == GB_OK) {
        const struct dirent *item = readdir(folder);
        bool owned = false;
        if (!item)
            break;
        if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0)
            continue;
        char *inner = gb_store_join(by->store, name, item->d_name);
        if (!inner)
            status = GB_ERR_MEMORY;
        else if (strncmp(item->d_name, GB_STORE_INGEST_PREFIX, sizeof GB_STORE_INGEST_PREFIX - 1) ==
                 0)
            sweep_ingest(by, inner);
        else if ((status = is_owned(by, name, item->d_name, &owned)) == GB_OK && !owned)
            found_leftover(by, inner);
        free(inner);
    }
    if (folder)
        closedir(folder);
    free(path);
    return status;
}

static gb_status sweep_all(const sweep *by)
{
    GB_TRY(sweep_folder(by, GB_STORE_RECORDINGS));
    return sweep_folder(by, GB_STORE_REJECTS);
}

/* No ingest commits while the catalogue is held, so what is not in it then belongs to nobody. */
gb_status gb_store_gc(gb_store *store, gb_store_report *out)
{
    gb_store_report report = {0};
    sweep by = {store, true, &report};
    GB_TRY(gb_store_writable(store, "gc"));
    GB_TRY(gb_catalogue_begin(store->catalogue));
    gb_status status = sweep_all(&by);
    if (status == GB_OK)
        status = gb_store_audit(store, "gc", store->path,
                                json_pack("{s:I, s:I}", "files", (json_int_t)report.leftovers,
                                          "bytes", (json_int_t)report.leftover_bytes));
    if (status == GB_OK)
        status = gb_store_keep_head(store);
    if (status == GB_OK)
        status = gb_catalogue_commit(store->catalogue);
    if (status != GB_OK) {
        gb_catalogue_rollback(store->catalogue);
        return status;
    }
    store->head_moved = false;
    *out = report;
    return GB_OK;
}

/* ---- all of it ---- */

typedef struct verification {
    gb_store *store;
    gb_store_problem problem;
    void *context;
    int64_t wrong;
    char first[1024];
} verification;

static void note(verification *v)
{
    if (v->wrong++ == 0)
        snprintf(v->first, sizeof v->first, "%s", gb_error_message());
    if (v->problem)
        v->problem(v->context, gb_error_message());
}

static gb_status check_rejects(const gb_store *store, const gb_catalogue_ingest *ingest)
{
    char name[48];
    struct stat info;
    if (ingest->rejects_bytes == 0)
        return GB_OK;
    snprintf(name, sizeof name, "ingest-%06lld.csv", (long long)ingest->id);
    char *path = gb_store_join(store, GB_STORE_REJECTS, name);
    if (!path)
        return GB_ERR_MEMORY;
    bool whole = stat(path, &info) == 0 && info.st_size >= ingest->rejects_bytes;
    free(path);
    return whole ? GB_OK
                 : gb_fail(GB_ERR_CORRUPT, "ingest %lld: %s/%s is missing or was cut",
                           (long long)ingest->id, GB_STORE_REJECTS, name);
}

static gb_status check_ingest(void *context, const gb_catalogue_ingest *ingest)
{
    verification *v = context;
    const gb_store_counts *counts = &ingest->counts;
    gb_status status = check_rejects(v->store, ingest);
    if (status == GB_OK && counts->rows_read != counts->rows_stored + counts->rows_rejected)
        status = gb_fail(GB_ERR_CORRUPT,
                         "ingest %lld: %lld rows read, but %lld stored and %lld rejected",
                         (long long)ingest->id, (long long)counts->rows_read,
                         (long long)counts->rows_stored, (long long)counts->rows_rejected);
    if (status != GB_OK)
        note(v);
    return status == GB_ERR_MEMORY ? status : GB_OK;
}

gb_status gb_store_audit_head(gb_store *store, gb_audit_head *out)
{
    const char *lines = "", *hash = "";
    gb_audit_head head = {0};
    gb_arena *arena = NULL;
    GB_TRY(gb_arena_create(0, &arena));
    gb_status status = gb_catalogue_get(store->catalogue, "audit_lines", arena, &lines);
    if (status == GB_OK)
        status = gb_catalogue_get(store->catalogue, "audit_hash", arena, &hash);
    head.lines = strtoll(lines, NULL, 10);
    for (size_t i = 0; strlen(hash) == 2 * GB_HASH_BYTES && i < GB_HASH_BYTES; i++) {
        unsigned byte = 0;
        if (sscanf(hash + 2 * i, "%2x", &byte) == 1)
            head.hash[i] = (unsigned char)byte;
    }
    gb_arena_destroy(arena);
    if (status == GB_OK)
        *out = head;
    return status;
}

static gb_status check_audit(verification *v)
{
    gb_audit_head expected, found;
    GB_TRY(gb_store_audit_head(v->store, &expected));
    char *path = gb_store_join(v->store, "audit.jsonl", NULL);
    if (!path)
        return GB_ERR_MEMORY;
    if (gb_audit_verify(path, expected.lines > 0 ? &expected : NULL, &found) != GB_OK)
        note(v);
    free(path);
    return GB_OK;
}

static gb_status check_all(verification *v, gb_arena *arena, gb_store_report *report)
{
    gb_store *store = v->store;
    gb_store_entry *entries = NULL;
    int64_t count = 0;
    sweep look = {store, false, report};
    GB_TRY(gb_catalogue_check(store->catalogue));
    GB_TRY(gb_store_find_all(store, NULL, arena, &entries, &count));
    for (int64_t i = 0; i < count; i++) {
        report->recordings++;
        report->samples += entries[i].samples;
        report->bytes += entries[i].bytes;
        gb_status status = check_recording(store, &entries[i]);
        if (status == GB_ERR_MEMORY || status == GB_ERR_ARGUMENT)
            return status; /* of this machine or the key, not of the recording */
        if (status != GB_OK)
            note(v);
    }
    GB_TRY(gb_catalogue_each_ingest(store->catalogue, check_ingest, v));
    GB_TRY(check_audit(v));
    return sweep_all(&look);
}

gb_status
gb_store_verify(gb_store *store, gb_store_problem problem, void *context, gb_store_report *out)
{
    gb_arena *arena = NULL;
    gb_store_report report = {0};
    verification v = {.store = store, .problem = problem, .context = context};
    GB_TRY(gb_arena_create(0, &arena));
    gb_status status = check_all(&v, arena, &report);
    gb_arena_destroy(arena);
    GB_TRY(status);
    report.wrong = v.wrong;
    *out = report;
    if (v.wrong > 0)
        return gb_fail(GB_ERR_CORRUPT, "%s: %lld thing%s wrong; the first: %s", store->path,
                       (long long)v.wrong, v.wrong == 1 ? " is" : "s are", v.first);
    return GB_OK;
}
