/* Anonymising from store to store, and undoing it. The filters are anonymise.c and
 * anonymise_undo.c. */
#include "ingest/anonymise.h"

#include "ingest/tee.h"

#include <stdlib.h>
#include <string.h>

/* ---- which recordings, in which order ---- */

typedef struct chosen {
    char *name, *new_name; /* new_name NULL: it stays, or is the filter's to make */
} chosen;

typedef struct choice {
    const gb_anonymise_policy *policy; /* NULL: undoing */
    const gb_key *key;
    chosen *items; /* [count] */
    int64_t count, room;
    uint64_t bytes; /* roughly, once in memory */
} choice;

static gb_status choose(void *context, const gb_store_entry *entry)
{
    choice *c = context;
    if (c->count == c->room) {
        int64_t room = c->room ? 2 * c->room : 64;
        chosen *grown = realloc(c->items, (size_t)room * sizeof *grown);
        if (!grown)
            return gb_fail(GB_ERR_MEMORY, "no memory for the list of recordings");
        c->items = grown;
        c->room = room;
    }
    chosen item = {.name = strdup(entry->info->name)};
    if (!item.name)
        return gb_fail(GB_ERR_MEMORY, "no memory for the list of recordings");
    c->items[c->count++] = item;
    c->bytes += (uint64_t)entry->bytes * 4 + (uint64_t)entry->samples * 24;
    if (!c->policy)
        return GB_OK;
    return gb_anonymise_recording_name(c->policy, c->key, item.name,
                                       &c->items[c->count - 1].new_name);
}

static int compare(const void *a, const void *b)
{
    const chosen *x = a, *y = b;
    return strcmp(x->new_name, y->new_name);
}

static void free_choice(choice *c)
{
    for (int64_t i = 0; i < c->count; i++) {
        free(c->items[i].name);
        free(c->items[i].new_name);
    }
    free(c->items);
}

static gb_status make_choice(gb_store *from, const gb_store_query *query, choice *c)
{
    GB_TRY(gb_store_list(from, query, choose, c));
    if (c->count == 0)
        return gb_store_none(from, query);
    if (c->policy) /* the order of the old names would be a hint */
        qsort(c->items, (size_t)c->count, sizeof *c->items, compare);
    return GB_OK;
}

/* ---- through a filter ---- */

/* Neither the old store's path nor the policy's patterns, which may hold names, go along. */
static gb_status begin(gb_store *to, const char *map, const char *policy, gb_store_ingest **out)
{
    const gb_store_source source = {
        .path = map, .checksum = "", .map = map, .map_text = "", .policy = policy};
    int64_t done = 0;
    return gb_store_ingest_begin(to, &source, out, &done);
}

static gb_status emit_all(gb_store *from, const choice *c, gb_sink *sink)
{
    for (int64_t i = 0; i < c->count; i++) {
        gb_status status = gb_store_emit(from, c->items[i].name, NULL, 0, GB_USE_EXPORT, sink);
        if (status != GB_OK)
            return gb_fail_context(status, "recording %s", c->items[i].name);
    }
    return GB_OK;
}

static gb_status finish(gb_store_ingest *ingest, gb_status status)
{
    const gb_store_counts counts = {0};
    if (status == GB_OK)
        status = gb_store_ingest_commit(ingest, &counts, NULL, 0);
    if (status == GB_OK)
        return gb_store_ingest_end(ingest, true);
    char message[1024]; /* closing may fail too, and say less */
    size_t size = strlen(gb_error_message());
    size = size < sizeof message ? size : sizeof message - 1;
    memcpy(message, gb_error_message(), size);
    message[size] = 0;
    if (gb_store_ingest_end(ingest, false) != GB_OK || strcmp(message, gb_error_message()) != 0)
        return gb_fail(status, "%s", message);
    return status;
}

/* Both sides in memory, for the report. */
typedef struct watch {
    gb_dataset *before, *after;
    gb_sink *to_before, *to_after; /* datasets */
    gb_sink *after_tee, *before_tee;
} watch;

static void free_watch(watch *w)
{
    gb_sink_destroy(w->before_tee);
    gb_sink_destroy(w->after_tee);
    gb_sink_destroy(w->to_before);
    gb_sink_destroy(w->to_after);
    gb_dataset_destroy(w->before);
    gb_dataset_destroy(w->after);
}

static gb_status make_watch(const choice *c, watch *w)
{
    uint64_t available = gb_memory_available_bytes();
    if (c->bytes > available / 2)
        return gb_fail(GB_ERR_MEMORY,
                       "a report needs the recordings in memory twice, about %.1f GB, and %.1f GB "
                       "are free: leave --report out, or choose fewer with --name",
                       (double)c->bytes * 2e-9, (double)available * 1e-9);
    GB_TRY(gb_dataset_create(&w->before));
    GB_TRY(gb_dataset_create(&w->after));
    GB_TRY(gb_dataset_sink_create(w->before, &w->to_before));
    return gb_dataset_sink_create(w->after, &w->to_after);
}

/* store -> (before, filter -> (after, new store)) */
static gb_status run_watched(const gb_anonymise_policy *policy,
                             const choice *c,
                             gb_store *from,
                             gb_sink *target,
                             gb_anonymise_report *out)
{
    watch w = {0};
    gb_sink *filter = NULL;
    gb_status status = make_watch(c, &w);
    if (status == GB_OK)
        status = gb_tee_create(w.to_after, target, &w.after_tee);
    if (status == GB_OK)
        status = gb_anonymise_create(policy, c->key, w.after_tee, &filter);
    if (status == GB_OK)
        status = gb_tee_create(w.to_before, filter, &w.before_tee);
    if (status == GB_OK)
        status = emit_all(from, c, w.before_tee);
    if (status == GB_OK)
        status = gb_anonymise_report_compute(policy, c->key, w.before, w.after, filter, out);
    gb_sink_destroy(w.before_tee);
    w.before_tee = NULL;
    gb_sink_destroy(filter);
    free_watch(&w);
    return status;
}

static gb_status
run_plain(const gb_anonymise_policy *policy, const choice *c, gb_store *from, gb_sink *target)
{
    gb_sink *filter = NULL;
    GB_TRY(gb_anonymise_create(policy, c->key, target, &filter));
    gb_status status = emit_all(from, c, filter);
    gb_sink_destroy(filter);
    return status;
}

gb_status gb_anonymise_store(const gb_anonymise_policy *policy,
                             const gb_key *key,
                             gb_store *from,
                             const gb_store_query *query,
                             gb_store *to,
                             gb_anonymise_report *out_report,
                             int64_t *out_count)
{
    choice c = {.policy = policy, .key = key};
    gb_store_ingest *ingest = NULL;
    gb_anonymise_report report = {0};
    gb_status status = make_choice(from, query, &c);
    if (status == GB_OK)
        status = begin(to, "anonymise", policy->id, &ingest);
    if (status == GB_OK) {
        gb_sink *target = gb_store_ingest_sink(ingest);
        status = out_report ? run_watched(policy, &c, from, target, &report)
                            : run_plain(policy, &c, from, target);
        status = finish(ingest, status);
    }
    free_choice(&c);
    if (status != GB_OK)
        return status;
    if (out_report)
        *out_report = report;
    *out_count = c.count;
    return GB_OK;
}

gb_status gb_anonymise_store_undo(const gb_key *key,
                                  const gb_key *new_key,
                                  gb_store *from,
                                  const gb_store_query *query,
                                  gb_store *to,
                                  int64_t *out_count)
{
    choice c = {.key = key};
    gb_store_ingest *ingest = NULL;
    gb_sink *filter = NULL;
    gb_status status = make_choice(from, query, &c);
    if (status == GB_OK)
        status = begin(to, new_key ? "rotate" : "undo", "", &ingest);
    if (status == GB_OK) {
        gb_sink *target = gb_store_ingest_sink(ingest);
        status = new_key ? gb_anonymise_rotate_create(key, new_key, target, &filter)
                         : gb_anonymise_undo_create(key, target, &filter);
        if (status == GB_OK)
            status = emit_all(from, &c, filter);
        gb_sink_destroy(filter);
        status = finish(ingest, status);
    }
    free_choice(&c);
    if (status == GB_OK)
        *out_count = c.count;
    return status;
}
