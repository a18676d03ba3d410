/* Ingesting files into a store: one ingest a file, resumed where an earlier one stopped; rejects,
 * drift and progress are passed on. How files are read is run.h, how they are kept store.h. */
#include "ingest/folder.h"
#include "ingest/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define PROGRESS_EVERY_NS 50000000
/* Larger files are known by their size, time and this many evenly spread samples. */
#define WHOLE_HASH_BYTES (64LL << 20)
#define HASH_SAMPLES 64
#define HASH_SAMPLE_BYTES 65536

typedef struct job {
    const gb_stream_map *map;
    const gb_ingest_options *options;
    const gb_ingest_listener *listener;
    gb_ingest_report *report; /* of all files */
    gb_store *store;
    gb_folder_files files;
    int64_t files_done, bytes_done;
    int64_t started_ns, told_ns;
    int64_t bytes_skipped; /* of files read before: no part of the rate */
    bool store_failed;
} job;

/* The file being read. */
typedef struct reading {
    job *job;
    const gb_folder_file *file;
    gb_store_ingest *ingest;
    gb_ingest_report report;    /* of this file */
    gb_ingest_report committed; /* of it, at the last commit */
    int64_t from;               /* byte of the source after the last commit */
} reading;

static void tell_progress(job *j, const char *file, int64_t bytes_in_file)
{
    int64_t now = gb_clock_monotonic_ns();
    if (!j->listener->progress || (j->told_ns && now - j->told_ns < PROGRESS_EVERY_NS))
        return;
    j->told_ns = now;
    gb_ingest_progress p = {.file = file,
                            .files_done = j->files_done,
                            .files_all = j->files.count,
                            .bytes_done = j->bytes_done + bytes_in_file,
                            .bytes_all = j->files.bytes,
                            .seconds = (double)(now - j->started_ns) / 1e9,
                            .seconds_left = NAN};
    double read = (double)(p.bytes_done - j->bytes_skipped);
    if (p.seconds > 0.2 && read > 0) {
        p.bytes_per_s = read / p.seconds;
        p.seconds_left = (double)(p.bytes_all - p.bytes_done) / p.bytes_per_s;
    }
    j->listener->progress(j->listener->context, &p);
}

static void tell_note(const job *j, const char *file, const char *message)
{
    if (j->listener->note)
        j->listener->note(j->listener->context, file, message);
}

/* ---- what the reader says ---------------------------------------------------------------------
 */

static gb_status on_reject(void *context,
                           const char *file,
                           int64_t row,
                           const char *column,
                           const char *reason,
                           const char *text,
                           size_t text_size)
{
    reading *r = context;
    return gb_store_ingest_reject(r->ingest, file, row, column, reason, text, text_size);
}

static gb_status on_drift(void *context, const char *file, const char *message)
{
    reading *r = context;
    r->job->report->drifts++;
    tell_note(r->job, file, message);
    return GB_OK;
}

static gb_status stopped(const char *path)
{
    return gb_fail(GB_ERR_INTERRUPTED,
                   "%s: stopped; what is whole is in the store, and the same command goes on from "
                   "there",
                   path);
}

static gb_status on_progress(void *context, int64_t bytes_done, int64_t bytes_all)
{
    reading *r = context;
    (void)bytes_all;
    tell_progress(r->job, r->file->path, bytes_done);
    const volatile int *stop = r->job->listener->stop;
    return stop && *stop ? stopped(r->file->path) : GB_OK;
}

static gb_status commit(reading *r, int64_t source_to, const void *state, size_t state_size)
{
    const gb_ingest_report *now = &r->report, *before = &r->committed;
    gb_store_counts counts = {.rows_read = now->rows_read - before->rows_read,
                              .rows_stored = now->rows_stored - before->rows_stored,
                              .rows_rejected = now->rows_rejected - before->rows_rejected,
                              .cells_bad = now->cells_bad - before->cells_bad,
                              .cells_missing = now->cells_missing - before->cells_missing,
                              .source_from = r->from,
                              .source_to = source_to};
    GB_TRY(gb_store_ingest_commit(r->ingest, &counts, state, state_size));
    r->committed = *now;
    r->from = source_to;
    return GB_OK;
}

static gb_status on_segment(void *context, int64_t source_to, const void *state, size_t state_size)
{
    return commit(context, source_to, state, state_size);
}

/* ---- knowing a file again ---------------------------------------------------------------------
 */

static gb_status sampled_hash(const char *path, const struct stat *about, char *out, size_t room)
{
    gb_file_view view;
    unsigned char hash[GB_HASH_BYTES], sums[HASH_SAMPLES + 1][GB_HASH_BYTES];
    char hex[2 * GB_HASH_BYTES + 1];
    GB_TRY(gb_file_map(path, &view));
    for (int i = 0; i < HASH_SAMPLES; i++) {
        size_t at = (view.size - HASH_SAMPLE_BYTES) / (HASH_SAMPLES - 1) * (size_t)i;
        gb_hash(view.data + at, HASH_SAMPLE_BYTES, sums[i]);
    }
    gb_file_unmap(&view);
    int64_t facts[3] = {(int64_t)about->st_size, (int64_t)about->st_mtim.tv_sec,
                        (int64_t)about->st_mtim.tv_nsec};
    gb_hash(facts, sizeof facts, sums[HASH_SAMPLES]);
    gb_hash(sums, sizeof sums, hash);
    gb_hash_hex(hash, hex);
    snprintf(out, room, "sampled-blake2b:%s", hex);
    return GB_OK;
}

static gb_status identify(const char *path, char *out, size_t room, int64_t *out_bytes)
{
    struct stat about;
    unsigned char hash[GB_HASH_BYTES];
    char hex[2 * GB_HASH_BYTES + 1];
    if (stat(path, &about) != 0)
        return gb_fail(GB_ERR_IO, "%s is gone", path);
    *out_bytes = (int64_t)about.st_size;
    if (about.st_size > WHOLE_HASH_BYTES)
        return sampled_hash(path, &about, out, room);
    GB_TRY(gb_hash_file(path, hash));
    gb_hash_hex(hash, hex);
    snprintf(out, room, "blake2b:%s", hex);
    return GB_OK;
}

static gb_status identify_folder(const gb_stream_map *map,
                                 const gb_folder_file *folder,
                                 char *out,
                                 size_t room,
                                 int64_t *out_bytes)
{
    unsigned char hash[GB_HASH_BYTES];
    char hex[2 * GB_HASH_BYTES + 1];
    GB_TRY(gb_folder_identify(map, folder, WHOLE_HASH_BYTES, hash));
    gb_hash_hex(hash, hex);
    snprintf(out, room, "folder-blake2b:%s", hex);
    *out_bytes = folder->bytes;
    return GB_OK;
}

/* ---- one file ---------------------------------------------------------------------------------
 */

static void add_counts(gb_ingest_report *sum, const gb_ingest_report *one)
{
    gb_ingest_report_add(sum, one);
    sum->files++;
}

static gb_status read_file(reading *r, const char *name, int64_t done)
{
    gb_arena *arena = NULL;
    GB_TRY(gb_arena_create(0, &arena));
    const gb_ingest_watch watch = {.context = r,
                                   .reject = on_reject,
                                   .drift = on_drift,
                                   .progress = on_progress,
                                   .segment = on_segment};
    gb_source source = {.map = r->job->map,
                        .path = r->file->path,
                        .name = name,
                        .parts = r->file->parts,
                        .part_count = r->file->part_count,
                        .options = r->job->options,
                        .report = &r->report,
                        .watch = &watch,
                        .sink = gb_store_ingest_sink(r->ingest),
                        .resume_at = done};
    r->from = done;
    gb_status status = GB_OK;
    if (done > 0)
        status = gb_store_ingest_state(r->ingest, arena, &source.resume_state,
                                       &source.resume_state_size);
    if (status == GB_OK)
        status = gb_ingest_run(&source);
    if (status == GB_OK)
        status = commit(r, r->file->bytes, NULL, 0);
    gb_arena_destroy(arena);
    return status;
}

static gb_status ingest_file(job *j, const gb_folder_file *file)
{
    char checksum[128], name[GB_STREAM_NAME_MAX + 4096];
    reading r = {.job = j, .file = file};
    int64_t done = 0;
    gb_store_source about = {.path = file->path,
                             .checksum = checksum,
                             .map = j->map->data->name,
                             .map_text = j->map->text,
                             .policy = ""};
    if (file->parts)
        GB_TRY(identify_folder(j->map, file, checksum, sizeof checksum, &about.bytes));
    else
        GB_TRY(identify(file->path, checksum, sizeof checksum, &about.bytes));
    gb_status begun = gb_store_ingest_begin(j->store, &about, &r.ingest, &done);
    if (begun != GB_OK) { /* the store's fault: other files would fare no better */
        j->store_failed = true;
        return begun;
    }
    if (done >= about.bytes && done > 0) {
        j->report->files_before++;
        j->bytes_skipped += file->bytes;
        tell_note(j, file->path, "is in the store already, read by the same map");
        return gb_store_ingest_end(r.ingest, true);
    }
    j->bytes_skipped += done;
    bool same = strcmp(file->name, j->map->data->name) == 0;
    snprintf(name, sizeof name, same ? "%s" : "%s/%s", j->map->data->name, file->name);
    gb_status status = read_file(&r, name, done);
    /* Ending may fail too; the first failure is the one to tell. */
    char message[2048];
    snprintf(message, sizeof message, "%s", gb_error_message());
    gb_status ended = gb_store_ingest_end(r.ingest, status == GB_OK);
    add_counts(j->report, status == GB_OK ? &r.report : &r.committed);
    if (status != GB_OK)
        return gb_fail(status, "%s", message);
    return ended;
}

/* A file's own fault lets the next file be tried; the machine's does not. */
static bool is_the_files_fault(gb_status status)
{
    return status == GB_ERR_PARSE || status == GB_ERR_SCHEMA || status == GB_ERR_SHAPE ||
           status == GB_ERR_CORRUPT || status == GB_ERR_MISMATCH || status == GB_ERR_NOT_FOUND ||
           status == GB_ERR_NUMERIC || status == GB_ERR_ARGUMENT || status == GB_ERR_UNSUPPORTED;
}

static gb_status ingest_files(job *j)
{
    bool strict = j->options->bad_cells == GB_BAD_CELLS_STRICT;
    int64_t failed = 0;
    gb_status status = GB_OK, last = GB_OK;
    for (int64_t i = 0; i < j->files.count; i++) {
        const gb_folder_file *file = &j->files.files[i];
        tell_progress(j, file->path, 0);
        if (j->listener->stop && *j->listener->stop)
            return stopped(file->path);
        status = ingest_file(j, file);
        if (status != GB_OK && (strict || j->store_failed || !is_the_files_fault(status)))
            return status;
        if (status != GB_OK) {
            failed++;
            last = status;
            tell_note(j, file->path, gb_error_message());
        }
        j->files_done++;
        j->bytes_done += file->bytes;
    }
    j->report->files_failed += failed;
    j->told_ns = 0;
    tell_progress(j, "", 0);
    return failed == j->files.count ? last : GB_OK;
}

gb_status gb_ingest_into_store(const gb_stream_map *map,
                               const char *path,
                               const gb_ingest_options *options,
                               const gb_ingest_listener *listener,
                               gb_ingest_report *report,
                               gb_store *store)
{
    static const gb_ingest_listener nobody;
    gb_ingest_options settled;
    gb_ingest_report unread = {0};
    GB_TRY(gb_ingest_settle(options, &settled));
    job j = {.map = map,
             .options = &settled,
             .listener = listener ? listener : &nobody,
             .report = report ? report : &unread,
             .store = store,
             .started_ns = gb_clock_monotonic_ns()};
    GB_TRY(gb_folder_list(map, path, &j.files));
    gb_status status = ingest_files(&j);
    gb_folder_free(&j.files);
    return status;
}
