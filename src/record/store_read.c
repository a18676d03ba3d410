/* What leaves a store: lists, recordings for a sink, for memory, as files outside. Every way out
 * checks labels first and is on record in the audit log. */
#include "record/store_private.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

gb_status gb_store_find_all(gb_store *store,
                            const gb_store_query *query,
                            gb_arena *arena,
                            gb_store_entry **out,
                            int64_t *out_count)
{
    return gb_catalogue_list(store->catalogue, query, arena, out, out_count);
}

gb_status
gb_store_list(gb_store *store, const gb_store_query *query, gb_store_visit visit, void *context)
{
    gb_arena *arena = NULL;
    gb_store_entry *entries = NULL;
    int64_t count = 0;
    GB_TRY(gb_arena_create(0, &arena));
    gb_status status = gb_store_find_all(store, query, arena, &entries, &count);
    for (int64_t i = 0; status == GB_OK && i < count; i++)
        status = visit(context, &entries[i]);
    gb_arena_destroy(arena);
    return status;
}

gb_status gb_store_count(gb_store *store, const gb_store_query *query, int64_t *out_count)
{
    gb_arena *arena = NULL;
    gb_store_entry *entries = NULL;
    GB_TRY(gb_arena_create(0, &arena));
    gb_status status = gb_store_find_all(store, query, arena, &entries, out_count);
    gb_arena_destroy(arena);
    return status;
}

gb_status
gb_store_streams(gb_store *store, int64_t recording, gb_store_visit_stream visit, void *context)
{
    gb_arena *arena = NULL;
    gb_catalogue_stream *streams = NULL;
    int count = 0;
    GB_TRY(gb_arena_create(0, &arena));
    gb_status status = gb_catalogue_streams(store->catalogue, recording, arena, &streams, &count);
    for (int i = 0; status == GB_OK && i < count; i++) {
        const gb_stream_tally *tally = &streams[i].tally;
        gb_store_stream stream = {.spec = streams[i].spec,
                                  .samples = tally->samples,
                                  .first_ns = tally->first_ns,
                                  .last_ns = tally->last_ns,
                                  .good = tally->of_quality[GB_QUALITY_GOOD],
                                  .uncertain = tally->of_quality[GB_QUALITY_UNCERTAIN],
                                  .bad = tally->of_quality[GB_QUALITY_BAD],
                                  .missing = tally->of_quality[GB_QUALITY_MISSING]};
        status = visit(context, &stream);
    }
    gb_arena_destroy(arena);
    return status;
}

static const char *action_of(gb_use use)
{
    return use == GB_USE_INSPECT ? "open" : gb_use_name(use);
}

gb_status gb_store_emit(gb_store *store,
                        const char *name,
                        const char *const *streams,
                        int stream_count,
                        gb_use use,
                        gb_sink *sink)
{
    gb_arena *arena = NULL;
    gb_store_entry entry;
    gb_bytes_in *bytes = NULL;
    GB_TRY(gb_arena_create(0, &arena));
    gb_status status = gb_catalogue_find(store->catalogue, name, arena, &entry);
    if (status == GB_OK)
        status = gb_store_allow(store, entry.info, use);
    if (status == GB_OK)
        status = gb_store_audit(store, action_of(use), name, NULL);
    if (status == GB_OK)
        status = gb_store_open_recording(store, entry.file, &bytes);
    if (status == GB_OK)
        status = gb_recording_emit_bytes(bytes, streams, stream_count, sink);
    gb_arena_destroy(arena);
    return status;
}

/* ---- many at once ---- */

/* The matching recordings, all of which may be used so. */
static gb_status choose(gb_store *store,
                        const gb_store_query *query,
                        gb_use use,
                        gb_arena *arena,
                        gb_store_entry **out,
                        int64_t *out_count)
{
    GB_TRY(gb_store_find_all(store, query, arena, out, out_count));
    if (*out_count == 0)
        return gb_store_none(store, query);
    for (int64_t i = 0; i < *out_count; i++)
        GB_TRY(gb_store_allow(store, (*out)[i].info, use));
    return GB_OK;
}

static bool is_chosen(const char *name, const char *const *streams, int stream_count)
{
    for (int i = 0; streams && i < stream_count; i++)
        if (strcmp(streams[i], name) == 0)
            return true;
    return !streams;
}

/* Bytes of memory that recordings take once loaded; pictures and text are taken as their files. */
static gb_status memory_need(gb_store *store,
                             const gb_store_entry *entries,
                             int64_t count,
                             const char *const *streams,
                             int stream_count,
                             uint64_t *out)
{
    gb_arena *arena = NULL;
    uint64_t need = 0;
    GB_TRY(gb_arena_create(0, &arena));
    gb_status status = GB_OK;
    for (int64_t i = 0; status == GB_OK && i < count; i++) {
        gb_catalogue_stream *all = NULL;
        int all_count = 0;
        gb_arena_reset(arena);
        status = gb_catalogue_streams(store->catalogue, entries[i].id, arena, &all, &all_count);
        bool file = false;
        for (int s = 0; status == GB_OK && s < all_count; s++) {
            if (!is_chosen(all[s].spec.name, streams, stream_count))
                continue;
            uint64_t size = (uint64_t)gb_stream_spec_size(&all[s].spec) * sizeof(float);
            bool bytes = all[s].spec.value_type == GB_VALUE_BYTES;
            need += (uint64_t)all[s].tally.samples * ((bytes ? 8 : size) + 9);
            file |= bytes;
        }
        need += file ? (uint64_t)entries[i].bytes : 0;
    }
    gb_arena_destroy(arena);
    if (status == GB_OK)
        *out = need;
    return status;
}

typedef struct loading {
    const gb_store *store;
    const gb_store_entry *entries;
    const char *const *streams;
    int stream_count;
    gb_recording **recordings; /* [count] */
    gb_status *statuses;       /* [count] */
    char (*said)[512];         /* [count] messages belong to the thread that failed */
    atomic_bool stop;
} loading;

static void load_one(void *context, int64_t part, int thread)
{
    loading *all = context;
    gb_bytes_in *bytes = NULL;
    (void)thread;
    if (atomic_load(&all->stop))
        return;
    gb_status status = gb_store_open_recording(all->store, all->entries[part].file, &bytes);
    if (status == GB_OK)
        status =
            gb_recording_load_bytes(bytes, all->streams, all->stream_count, &all->recordings[part]);
    if (status != GB_OK) {
        atomic_store(&all->stop, true);
        all->statuses[part] = status;
        snprintf(all->said[part], sizeof all->said[part], "%s", gb_error_message());
    }
}

static gb_status gather(loading *all, int64_t count, gb_dataset *dataset)
{
    for (int64_t i = 0; i < count; i++)
        if (all->statuses[i] != GB_OK)
            return gb_fail(all->statuses[i], "recording %.200s: %s", all->entries[i].info->name,
                           all->said[i]);
    for (int64_t i = 0; i < count; i++) {
        GB_TRY(gb_dataset_add(dataset, all->recordings[i]));
        all->recordings[i] = NULL;
    }
    return GB_OK;
}

static gb_status load_all(loading *all, int64_t count, gb_pool *pool, gb_dataset **out)
{
    gb_dataset *dataset = NULL;
    all->recordings = calloc((size_t)count, sizeof *all->recordings);
    all->statuses = calloc((size_t)count, sizeof *all->statuses);
    all->said = calloc((size_t)count, sizeof *all->said);
    gb_status status = GB_OK;
    if (!all->recordings || !all->statuses || !all->said)
        status = gb_fail(GB_ERR_MEMORY, "no memory to load %lld recordings", (long long)count);
    if (status == GB_OK)
        status = gb_dataset_create(&dataset);
    if (status == GB_OK) {
        gb_pool_run(pool, load_one, all, count);
        status = gather(all, count, dataset);
        for (int64_t i = 0; i < count; i++)
            gb_recording_destroy(all->recordings[i]);
    }
    free(all->recordings);
    free(all->statuses);
    free(all->said);
    if (status == GB_OK)
        *out = dataset;
    else
        gb_dataset_destroy(dataset);
    return status;
}

static gb_status check_memory(gb_store *store,
                              const gb_store_entry *entries,
                              int64_t count,
                              const char *const *streams,
                              int stream_count)
{
    uint64_t need = 0, there = gb_memory_available_bytes();
    GB_TRY(memory_need(store, entries, count, streams, stream_count, &need));
    if (need <= there)
        return GB_OK;
    return gb_fail(GB_ERR_MEMORY,
                   "%lld recordings need about %.1f GB of memory, %.1f GB are free; choose fewer "
                   "recordings or streams",
                   (long long)count, (double)need / 1e9, (double)there / 1e9);
}

gb_status gb_store_load(gb_store *store,
                        const gb_store_query *query,
                        const char *const *streams,
                        int stream_count,
                        gb_use use,
                        gb_pool *pool,
                        gb_dataset **out)
{
    gb_arena *arena = NULL;
    gb_store_entry *entries = NULL;
    int64_t count = 0;
    GB_TRY(gb_arena_create(0, &arena));
    gb_status status = choose(store, query, use, arena, &entries, &count);
    if (status == GB_OK)
        status = check_memory(store, entries, count, streams, stream_count);
    if (status == GB_OK)
        status = gb_store_audit_names(store, action_of(use), store->path, entries, count);
    if (status == GB_OK) {
        loading all = {
            .store = store, .entries = entries, .streams = streams, .stream_count = stream_count};
        status = load_all(&all, count, pool, out);
    }
    gb_arena_destroy(arena);
    return status;
}

/* ---- files outside ---- */

static gb_status copy_out(const gb_store *store, const gb_store_entry *entry, const char *path)
{
    gb_bytes_in *from = NULL;
    gb_bytes_out *to = NULL;
    GB_TRY(gb_store_open_recording(store, entry->file, &from));
    gb_status status = gb_bytes_out_file(path, &to);
    for (uint64_t at = 0; status == GB_OK && at < from->size;) {
        const unsigned char *data = NULL;
        uint64_t left = from->size - at;
        size_t size = left < 1 << 20 ? (size_t)left : 1 << 20;
        status = from->read(from, at, size, &data);
        if (status == GB_OK)
            status = to->write(to, data, size);
        at += size;
    }
    from->close(from);
    if (status == GB_OK)
        return to->close(to);
    if (to)
        to->abandon(to);
    return status;
}

static gb_status make_parent(char *path)
{
    char *slash = strrchr(path, '/');
    *slash = 0;
    gb_status status = gb_folder_create(path[0] ? path : "/");
    *slash = '/';
    return status;
}

/* All or none: on failure the copies made so far are taken away. */
static gb_status
export_all(gb_store *store, const gb_store_entry *entries, int64_t count, const char *folder)
{
    char **paths = calloc((size_t)count, sizeof *paths);
    gb_status status = paths ? GB_OK : gb_fail(GB_ERR_MEMORY, "no memory to export");
    int64_t made = 0;
    for (int64_t i = 0; status == GB_OK && i < count; i++) {
        paths[i] = gb_recording_path(folder, entries[i].info->name);
        if (!paths[i])
            status = GB_ERR_MEMORY;
        else if (gb_file_exists(paths[i]))
            status =
                gb_fail(GB_ERR_ARGUMENT, "%s is there already; choose another folder", paths[i]);
    }
    for (; status == GB_OK && made < count; made += status == GB_OK) {
        status = make_parent(paths[made]);
        if (status == GB_OK)
            status = copy_out(store, &entries[made], paths[made]);
    }
    for (int64_t i = 0; status != GB_OK && i < made; i++)
        unlink(paths[i]);
    for (int64_t i = 0; paths && i < count; i++)
        free(paths[i]);
    free(paths);
    return status;
}

gb_status gb_store_export(gb_store *store, const gb_store_query *query, const char *folder)
{
    gb_arena *arena = NULL;
    gb_store_entry *entries = NULL;
    int64_t count = 0;
    GB_TRY(gb_arena_create(0, &arena));
    gb_status status = choose(store, query, GB_USE_EXPORT, arena, &entries, &count);
    if (status == GB_OK)
        status = gb_store_audit_names(store, "export", folder, entries, count);
    if (status == GB_OK)
        status = export_all(store, entries, count, folder);
    gb_arena_destroy(arena);
    return status;
}
