/* Putting recordings into a store. Files are written in a folder of the ingest's own, which it
 * locks; a commit brings them to disk, moves them among the recordings and enters them into the
 * catalogue in one transaction. A kill before its end leaves files that nobody knows, after it the
 * whole. */
#include "record/store_private.h"
#include "record/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define REJECTS_HEADER "file,row,column,reason,text\n"
#define SLUG_BYTES 80

/* A recording on its way; what the catalogue will say of it once it ended. */
typedef struct pending {
    struct pending *next;
    char *name, *path; /* of the part */
    gb_store_part part;
    gb_arena *arena; /* of what follows */
    gb_store_entry entry;
    gb_catalogue_stream *streams; /* [stream_count] */
    int stream_count;
    char *final; /* where it lies among the recordings */
    bool moved;
} pending;

typedef struct ingest_target {
    gb_recording_target target;
    gb_store_ingest *ingest;
} ingest_target;

struct gb_store_ingest {
    gb_store *store;
    gb_arena *arena;
    gb_store_source source;
    bool nameless; /* no source: a file that is added */
    gb_catalogue_ingest row;
    ingest_target target;
    gb_sink *sink;
    char *folder;
    int folder_fd; /* holds the lock */
    int64_t parts; /* made so far, for their names */
    pending *ended, **last_ended;
    int64_t ended_count;
    FILE *rejects; /* those since the last commit; NULL: none */
    char *rejects_path;
};

/* ---- a recording's files ---- */

static void free_pending(gb_store_ingest *ingest, pending *p)
{
    gb_catalogue_free_name(ingest->store->catalogue, p->name);
    gb_arena_destroy(p->arena);
    free(p->name);
    free(p->path);
    free(p->final);
    free(p);
}

static gb_status
target_begin(gb_recording_target *target, const gb_recording_info *info, void **mark)
{
    gb_store_ingest *ingest = ((ingest_target *)target)->ingest;
    GB_TRY(gb_catalogue_claim_name(ingest->store->catalogue, info->name));
    pending *p = calloc(1, sizeof *p);
    size_t room = strlen(ingest->folder) + 40;
    if (p) {
        p->name = strdup(info->name);
        p->path = malloc(room);
    }
    if (!p || !p->name || !p->path) {
        gb_catalogue_free_name(ingest->store->catalogue, info->name);
        if (p)
            free(p->name);
        free(p);
        return gb_fail(GB_ERR_MEMORY, "no memory for recording %.200s", info->name);
    }
    snprintf(p->path, room, "%s/%lld.mcap", ingest->folder, (long long)ingest->parts++);
    *mark = p;
    return GB_OK;
}

static gb_status target_open(gb_recording_target *target, void *mark, gb_bytes_out **out)
{
    const gb_store *store = ((ingest_target *)target)->ingest->store;
    pending *p = mark;
    gb_bytes_out *plain = NULL;
    GB_TRY(gb_store_part_create(p->path, &p->part, &plain));
    if (store->encrypted)
        return gb_bytes_out_encrypted(plain, &store->key, out);
    *out = plain;
    return GB_OK;
}

/* recordings/READABLE-HASH.mcap: any name gives a file name of plain letters, never another's. */
static char *file_of(const char *name, gb_arena *arena)
{
    char slug[SLUG_BYTES + 1], hex[2 * GB_HASH_BYTES + 1];
    unsigned char hash[GB_HASH_BYTES];
    size_t used = 0;
    for (const char *at = name; *at && used < SLUG_BYTES; at++) {
        bool plain = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
                     (*at >= '0' && *at <= '9') || *at == '_';
        if (plain)
            slug[used++] = *at;
        else if (used > 0 && slug[used - 1] != '-')
            slug[used++] = '-';
    }
    slug[used] = 0;
    gb_hash(name, strlen(name), hash);
    gb_hash_hex(hash, hex);
    return gb_arena_format(arena, GB_STORE_RECORDINGS "/%s%s%.16s.mcap", slug,
                           used > 0 && slug[used - 1] != '-' ? "-" : "", hex);
}

static gb_status describe(pending *p, const gb_recording_writer *writer)
{
    gb_recording_info *info = gb_arena_alloc(p->arena, sizeof *info);
    gb_store_entry *entry = &p->entry;
    int count = gb_recording_writer_stream_count(writer);
    p->streams = gb_arena_alloc(p->arena, (size_t)count * sizeof *p->streams);
    if (!info || !p->streams)
        return GB_ERR_MEMORY;
    GB_TRY(gb_recording_info_copy(p->arena, gb_recording_writer_info(writer), info));
    entry->info = info;
    for (int i = 0; i < count; i++) {
        gb_stream_spec spec = *gb_recording_writer_spec(writer, i);
        const gb_stream_tally *tally = gb_recording_writer_tally(writer, i);
        spec.labels = NULL;
        spec.pair_count = 0;
        GB_TRY(gb_stream_spec_copy(p->arena, &spec, &p->streams[i].spec));
        p->streams[i].tally = *tally;
        if (tally->samples == 0)
            continue;
        bool first = entry->samples == 0;
        if (first || tally->first_ns < entry->first_ns)
            entry->first_ns = tally->first_ns;
        if (first || tally->last_ns > entry->last_ns)
            entry->last_ns = tally->last_ns;
        entry->samples += tally->samples;
        entry->good += tally->of_quality[GB_QUALITY_GOOD];
        entry->uncertain += tally->of_quality[GB_QUALITY_UNCERTAIN];
        entry->bad += tally->of_quality[GB_QUALITY_BAD];
        entry->missing += tally->of_quality[GB_QUALITY_MISSING];
    }
    p->stream_count = count;
    entry->bytes = p->part.bytes;
    entry->checksum = p->part.checksum;
    entry->file = file_of(p->name, p->arena);
    return entry->file ? GB_OK : GB_ERR_MEMORY;
}

static gb_status
target_done(gb_recording_target *target, void *mark, const gb_recording_writer *writer)
{
    gb_store_ingest *ingest = ((ingest_target *)target)->ingest;
    pending *p = mark;
    GB_TRY(gb_arena_create(0, &p->arena));
    GB_TRY(describe(p, writer));
    p->final = gb_store_join(ingest->store, p->entry.file, NULL);
    if (!p->final)
        return GB_ERR_MEMORY;
    *ingest->last_ended = p;
    ingest->last_ended = &p->next;
    ingest->ended_count++;
    return GB_OK;
}

static void target_drop(gb_recording_target *target, void *mark)
{
    pending *p = mark;
    unlink(p->path); /* it may be whole already, when its description failed */
    free_pending(((ingest_target *)target)->ingest, p);
}

static void target_destroy(gb_recording_target *target)
{
    (void)target;
}

/* ---- begin and end ---- */

/* A folder of its own, locked. Made while no other process can change the catalogue, as gc deletes
 * what is not locked under the same condition. */
static gb_status make_folder(gb_store_ingest *ingest)
{
    ingest->folder =
        gb_store_join(ingest->store, GB_STORE_RECORDINGS, GB_STORE_INGEST_PREFIX "XXXXXX");
    if (!ingest->folder)
        return GB_ERR_MEMORY;
    if (!mkdtemp(ingest->folder)) {
        int error = errno;
        free(ingest->folder);
        ingest->folder = NULL;
        return gb_fail(GB_ERR_IO, "cannot write in %s/%s: %s", ingest->store->path,
                       GB_STORE_RECORDINGS, strerror(error));
    }
    ingest->folder_fd = open(ingest->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (ingest->folder_fd < 0 || flock(ingest->folder_fd, LOCK_EX | LOCK_NB) != 0)
        return gb_fail(GB_ERR_IO, "cannot lock %s: %s", ingest->folder, strerror(errno));
    ingest->rejects_path = malloc(strlen(ingest->folder) + 16);
    if (!ingest->rejects_path)
        return gb_fail(GB_ERR_MEMORY, "no memory for an ingest");
    sprintf(ingest->rejects_path, "%s/rejects", ingest->folder);
    return GB_OK;
}

static gb_status copy_source(gb_store_ingest *ingest, const gb_store_source *source)
{
    const char *const from[] = {source->path, source->checksum, source->map, source->map_text,
                                source->policy};
    const char **to[] = {&ingest->source.path, &ingest->source.checksum, &ingest->source.map,
                         &ingest->source.map_text, &ingest->source.policy};
    for (int i = 0; i < 5; i++) {
        *to[i] = gb_arena_text(ingest->arena, from[i] ? from[i] : "");
        if (!*to[i])
            return GB_ERR_MEMORY;
    }
    ingest->source.bytes = source->bytes;
    return GB_OK;
}

static void close_ingest(gb_store_ingest *ingest)
{
    gb_sink_destroy(ingest->sink); /* drops what is open */
    while (ingest->ended) {
        pending *p = ingest->ended;
        ingest->ended = p->next;
        unlink(p->path);
        free_pending(ingest, p);
    }
    if (ingest->rejects)
        fclose(ingest->rejects);
    if (ingest->rejects_path)
        unlink(ingest->rejects_path);
    if (ingest->folder)
        rmdir(ingest->folder);
    if (ingest->folder_fd >= 0)
        close(ingest->folder_fd);
    free(ingest->rejects_path);
    free(ingest->folder);
    gb_arena_destroy(ingest->arena);
    free(ingest);
}

/* Asks for what an ingest did before, and makes the folder, undisturbed. */
static gb_status begin(gb_store_ingest *ingest)
{
    gb_catalogue *catalogue = ingest->store->catalogue;
    GB_TRY(gb_catalogue_begin(catalogue));
    gb_status status = make_folder(ingest);
    if (status == GB_OK && !ingest->nameless)
        status = gb_catalogue_find_ingest(catalogue, &ingest->source, &ingest->row);
    gb_catalogue_rollback(catalogue); /* nothing was changed */
    return status;
}

static gb_status create(gb_store *store, const gb_store_source *source, gb_store_ingest **out)
{
    GB_TRY(gb_store_writable(store, "ingest"));
    if (store->encrypted && !store->has_key)
        return gb_fail(GB_ERR_ARGUMENT,
                       "the store %s is encrypted: --key or GENBA_KEY names its key", store->path);
    gb_store_ingest *ingest = calloc(1, sizeof *ingest);
    if (!ingest)
        return gb_fail(GB_ERR_MEMORY, "no memory for an ingest");
    ingest->store = store;
    ingest->folder_fd = -1;
    ingest->last_ended = &ingest->ended;
    ingest->nameless = !source;
    gb_status status = gb_arena_create(0, &ingest->arena);
    if (status == GB_OK && source)
        status = copy_source(ingest, source);
    if (status == GB_OK)
        status = begin(ingest);
    if (status == GB_OK) {
        gb_recording_file_options options = gb_recording_file_options_defaults();
        options.pool = store->pool;
        ingest->target.target = (gb_recording_target){target_begin, target_open,    target_done,
                                                      target_drop,  target_destroy, ingest->folder};
        ingest->target.ingest = ingest;
        status = gb_recording_sink_create(&ingest->target.target, &options, &ingest->sink);
    }
    if (status != GB_OK) {
        close_ingest(ingest);
        return status;
    }
    *out = ingest;
    return GB_OK;
}

gb_status gb_store_ingest_begin(gb_store *store,
                                const gb_store_source *source,
                                gb_store_ingest **out,
                                int64_t *out_done)
{
    GB_TRY(create(store, source, out));
    const gb_catalogue_ingest *row = &(*out)->row;
    *out_done = row->finished ? source->bytes : row->done_bytes;
    return GB_OK;
}

gb_sink *gb_store_ingest_sink(gb_store_ingest *ingest)
{
    return ingest->sink;
}

gb_status gb_store_ingest_state(gb_store_ingest *ingest,
                                gb_arena *arena,
                                const void **out_state,
                                size_t *out_size)
{
    return gb_catalogue_ingest_state(ingest->store->catalogue, ingest->row.id, arena, out_state,
                                     out_size);
}

/* ---- rejects ---- */

/* A cell of CSV; what is not UTF-8 or a control character becomes \xNN. */
static void write_cell(FILE *to, const char *text, size_t size)
{
    bool utf8 = gb_record_is_utf8(text, size);
    fputc('"', to);
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"')
            fputs("\"\"", to);
        else if ((c < 0x20 && c != '\t') || c == 0x7f || (c >= 0x80 && !utf8))
            fprintf(to, "\\x%02x", c);
        else
            fputc(c, to);
    }
    fputc('"', to);
}

gb_status gb_store_ingest_reject(gb_store_ingest *ingest,
                                 const char *file,
                                 int64_t row,
                                 const char *column,
                                 const char *reason,
                                 const char *text,
                                 size_t text_size)
{
    if (!ingest->rejects)
        ingest->rejects = fopen(ingest->rejects_path, "we");
    if (!ingest->rejects)
        return gb_fail(GB_ERR_IO, "cannot write %s: %s", ingest->rejects_path, strerror(errno));
    write_cell(ingest->rejects, file, strlen(file));
    fprintf(ingest->rejects, ",%lld,", (long long)row);
    write_cell(ingest->rejects, column ? column : "", column ? strlen(column) : 0);
    fputc(',', ingest->rejects);
    write_cell(ingest->rejects, reason ? reason : "", reason ? strlen(reason) : 0);
    fputc(',', ingest->rejects);
    /* Rejects are plain text: an encrypted store does not keep what was in the row. */
    write_cell(ingest->rejects, text ? text : "",
               text && !ingest->store->encrypted ? text_size : 0);
    fputc('\n', ingest->rejects);
    if (ferror(ingest->rejects))
        return gb_fail(GB_ERR_IO, "cannot write %s: %s", ingest->rejects_path, strerror(errno));
    return GB_OK;
}

static gb_status copy_file(const char *from_path, int to, int64_t *out_bytes)
{
    char buffer[16 << 10];
    int from = open(from_path, O_RDONLY | O_CLOEXEC);
    ssize_t got = from < 0 ? -1 : 0;
    while (from >= 0 && (got = read(from, buffer, sizeof buffer)) > 0) {
        if (write(to, buffer, (size_t)got) != got) {
            got = -1;
            break;
        }
        *out_bytes += got;
    }
    int error = errno;
    if (from >= 0)
        close(from);
    return got == 0 ? GB_OK : gb_fail(GB_ERR_IO, "cannot write rejected rows: %s", strerror(error));
}

/* The rejects since the last commit go behind those the catalogue knows of; what a stopped commit
 * left there is written over. */
static gb_status append_rejects(gb_store_ingest *ingest, gb_catalogue_ingest *row)
{
    char name[48];
    if (!ingest->rejects)
        return GB_OK;
    if (fflush(ingest->rejects) != 0)
        return gb_fail(GB_ERR_IO, "cannot write %s: %s", ingest->rejects_path, strerror(errno));
    snprintf(name, sizeof name, "ingest-%06lld.csv", (long long)row->id);
    char *path = gb_store_join(ingest->store, GB_STORE_REJECTS, name);
    if (!path)
        return GB_ERR_MEMORY;
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
    int64_t bytes = row->rejects_bytes;
    gb_status status = GB_OK;
    if (fd < 0 || ftruncate(fd, bytes) != 0 || lseek(fd, 0, SEEK_END) < 0)
        status = gb_fail(GB_ERR_IO, "cannot write %s: %s", path, strerror(errno));
    if (status == GB_OK && bytes == 0) {
        bytes = (int64_t)strlen(REJECTS_HEADER);
        if (write(fd, REJECTS_HEADER, (size_t)bytes) != bytes)
            status = gb_fail(GB_ERR_IO, "cannot write %s: %s", path, strerror(errno));
    }
    if (status == GB_OK)
        status = copy_file(ingest->rejects_path, fd, &bytes);
    if (status == GB_OK && fsync(fd) != 0)
        status = gb_fail(GB_ERR_IO, "cannot write %s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    free(path);
    if (status == GB_OK)
        row->rejects_bytes = bytes;
    return status;
}

/* ---- commit ---- */

static gb_status sync_parts(const gb_store_ingest *ingest)
{
    const char **paths = calloc((size_t)ingest->ended_count + 1, sizeof *paths);
    int64_t count = 0;
    if (!paths)
        return gb_fail(GB_ERR_MEMORY, "no memory to commit an ingest");
    for (const pending *p = ingest->ended; p; p = p->next)
        paths[count++] = p->path;
    gb_status status = gb_store_sync_files(paths, count);
    free(paths);
    return status;
}

static gb_status enter(gb_store_ingest *ingest, pending *p, int64_t ingest_id)
{
    gb_catalogue *catalogue = ingest->store->catalogue;
    int64_t id = 0;
    p->entry.ingest = ingest_id;
    GB_TRY(gb_catalogue_add_recording(catalogue, &p->entry, &id));
    for (int i = 0; i < p->stream_count; i++)
        GB_TRY(
            gb_catalogue_add_stream(catalogue, id, i, &p->streams[i].spec, &p->streams[i].tally));
    if (rename(p->path, p->final) != 0)
        return gb_fail(GB_ERR_IO, "cannot move a recording to %s: %s", p->final, strerror(errno));
    p->moved = true;
    return GB_OK;
}

static void add_counts(gb_catalogue_ingest *row, const gb_store_counts *counts)
{
    row->counts.rows_read += counts->rows_read;
    row->counts.rows_stored += counts->rows_stored;
    row->counts.rows_rejected += counts->rows_rejected;
    row->counts.cells_bad += counts->cells_bad;
    row->counts.cells_missing += counts->cells_missing;
    row->done_bytes = counts->source_to;
}

/* A commit that reaches the source's end says so at once: one transaction less for small files. */
static bool reaches_end(const gb_store_ingest *ingest, const gb_store_counts *counts)
{
    return ingest->source.bytes > 0 && counts->source_to >= ingest->source.bytes;
}

static gb_status log_commit(gb_store_ingest *ingest, const gb_catalogue_ingest *row)
{
    const char *only = ingest->ended ? ingest->ended->name : "";
    json_t *details = json_pack("{s:I, s:I, s:I, s:I, s:I, s:s, s:s}", "ingest",
                                (json_int_t)row->id, "recordings", (json_int_t)ingest->ended_count,
                                "rows_read", (json_int_t)row->counts.rows_read, "rows_stored",
                                (json_int_t)row->counts.rows_stored, "rows_rejected",
                                (json_int_t)row->counts.rows_rejected, "checksum",
                                ingest->nameless ? "" : ingest->source.checksum, "first", only);
    return gb_store_audit(ingest->store, ingest->nameless ? "add" : "ingest",
                          ingest->nameless ? only : ingest->source.path, details);
}

static gb_status
change(gb_store_ingest *ingest, gb_catalogue_ingest *row, const void *state, size_t state_size)
{
    gb_store *store = ingest->store;
    if (!ingest->nameless && row->id == 0)
        GB_TRY(gb_catalogue_add_ingest(store->catalogue, &ingest->source, &row->id));
    for (pending *p = ingest->ended; p; p = p->next)
        GB_TRY(enter(ingest, p, row->id));
    GB_TRY(append_rejects(ingest, row));
    if (!ingest->nameless)
        GB_TRY(gb_catalogue_set_ingest(store->catalogue, row, state, state_size));
    char *folder = gb_store_join(store, GB_STORE_RECORDINGS, NULL);
    gb_status status = folder ? gb_store_sync_folder(folder) : GB_ERR_MEMORY;
    free(folder);
    GB_TRY(status);
    GB_TRY(log_commit(ingest, row));
    return gb_store_keep_head(store);
}

/* After a transaction that failed everything lies where it lay, so a commit can be tried again. */
static void move_back(gb_store_ingest *ingest)
{
    for (pending *p = ingest->ended; p; p = p->next)
        if (p->moved)
            p->moved = rename(p->final, p->path) != 0;
}

static void forget_ended(gb_store_ingest *ingest)
{
    while (ingest->ended) {
        pending *p = ingest->ended;
        ingest->ended = p->next;
        free_pending(ingest, p);
    }
    ingest->last_ended = &ingest->ended;
    ingest->ended_count = 0;
    if (ingest->rejects)
        fclose(ingest->rejects);
    ingest->rejects = NULL;
    unlink(ingest->rejects_path);
}

static gb_status
commit(gb_store_ingest *ingest, gb_catalogue_ingest row, const void *state, size_t state_size)
{
    gb_store *store = ingest->store;
    char said[2048];
    GB_TRY(sync_parts(ingest));
    GB_TRY(gb_catalogue_begin(store->catalogue));
    gb_status status = change(ingest, &row, state, state_size);
    if (status == GB_OK)
        status = gb_catalogue_commit(store->catalogue);
    if (status != GB_OK) {
        snprintf(said, sizeof said, "%s", gb_error_message());
        gb_catalogue_rollback(store->catalogue);
        move_back(ingest);
        return gb_fail(status, "%s", said);
    }
    store->head_moved = false;
    ingest->row = row;
    forget_ended(ingest);
    return GB_OK;
}

gb_status gb_store_ingest_commit(gb_store_ingest *ingest,
                                 const gb_store_counts *counts,
                                 const void *state,
                                 size_t state_size)
{
    gb_catalogue_ingest row = ingest->row;
    if (counts->rows_read != counts->rows_stored + counts->rows_rejected)
        return gb_fail(GB_ERR_ARGUMENT,
                       "%s: %lld rows read, but %lld stored and %lld rejected: they must add up",
                       ingest->source.path, (long long)counts->rows_read,
                       (long long)counts->rows_stored, (long long)counts->rows_rejected);
    add_counts(&row, counts);
    row.finished = reaches_end(ingest, counts);
    return commit(ingest, row, state, state_size);
}

gb_status gb_store_ingest_end(gb_store_ingest *ingest, bool finished)
{
    gb_status status = GB_OK;
    gb_catalogue_ingest row = ingest->row;
    if (finished && !row.finished) {
        for (pending *p = ingest->ended; p; p = p->next)
            unlink(p->path); /* it was not committed */
        forget_ended(ingest);
        row.finished = true;
        row.done_bytes = ingest->source.bytes;
        status = commit(ingest, row, NULL, 0);
    }
    close_ingest(ingest);
    return status;
}

/* ---- a recording file that is there already ---- */

gb_status gb_store_add(gb_store *store, const char *path)
{
    gb_store_ingest *ingest = NULL;
    GB_TRY(create(store, NULL, &ingest));
    gb_status status = gb_recording_file_emit(path, NULL, 0, ingest->sink);
    if (status == GB_OK)
        status = commit(ingest, ingest->row, NULL, 0);
    close_ingest(ingest);
    return status;
}
